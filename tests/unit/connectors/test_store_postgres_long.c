/*
 * What runs long, in Postgres: nothing of it is left by a commit that is fenced, and every
 * statement goes by an index. (The contract of all stores is in test_store.c.)
 */
#include "connectors/store_postgres.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/postgres.h"
#include "tests/support/store_rows.h"

#define SCHEMA "test_store_postgres_long"

static struct store *open_again(void)
{
	struct store_postgres_options options = {
		.url = postgres_again(SCHEMA), .slot_count = ROWS_SLOTS, .exclusive = true};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static struct store *fresh(void)
{
	postgres_fresh(SCHEMA);
	return open_again();
}

static const char *sql(const char *text)
{
	return postgres_sql(SCHEMA, text);
}

static void wait_until(const char *text)
{
	while (strcmp(sql(text), "t") != 0)
		;
}

/* An item with some of everything; what it points to is valid until the next call. */
static struct store_item with_all(int n, int64_t seq)
{
	static struct task_change task;
	static struct lock_change lock;
	static struct inbox_row message;
	struct store_item item = rows_next(n, seq, NULL);

	task = (struct task_change){.row = {.ns = "default",
										.definition = "order",
										.step = "pack",
										.item = -1,
										.queue = "q5",
										.doc = "{}",
										.doc_len = 2}};
	lock = (struct lock_change){.ns = "default", .step = "s", .item = -1, .key = "k600"};
	message = (struct inbox_row){.slot = 2, .ns = "default", .message = "{}", .message_len = 2};
	memcpy(message.id, rows_id(100 + n), sizeof(message.id));
	memcpy(message.saga_id, rows_id(2), sizeof(message.saga_id));
	item.tasks = &task;
	item.n_tasks = 1;
	item.locks = &lock;
	item.n_locks = 1;
	item.messages = &message;
	item.n_messages = 1;
	return item;
}

static enum store_verdict put(struct store *store, struct store_item item)
{
	struct err err = {0};

	ck_assert_msg(store->ops->commit(store, &item, 1, &err) == 0, "%s", err.text);
	return item.verdict;
}

/* tasks, places in lines, calls to look at them, rows of the inbox */
static void ck_rows(const char *expected)
{
	ck_assert_str_eq(sql("SELECT concat_ws(' ', (SELECT count(*) FROM tasks),"
						 " (SELECT count(*) FROM locks), (SELECT count(*) FROM lock_calls),"
						 " (SELECT count(*) FROM inbox))"),
					 expected);
}

START_TEST(test_commit__a_fenced_item_leaves_nothing_behind)
{
	struct store *a = fresh(), *b;
	struct store_item item;

	ck_assert_int_eq(rows_put_create(a, 1), STORE_ACCEPTED);
	b = open_again(); /* takes all slots */
	ck_assert_int_eq(put(a, with_all(1, 2)), STORE_FENCED);
	ck_rows("0 0 0 0");
	ck_assert_int_eq(put(b, with_all(1, 2)), STORE_ACCEPTED);
	ck_rows("1 1 1 1");
	item = rows_next(1, 3, NULL);
	item.remove_all_tasks = item.release_all_locks = true;
	ck_assert_int_eq(put(a, item), STORE_FENCED);
	ck_rows("1 1 1 1");
	item = rows_next(1, 3, NULL);
	item.remove_all_tasks = item.release_all_locks = true;
	ck_assert_int_eq(put(b, item), STORE_ACCEPTED);
	ck_rows("0 0 2 1");
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

/* A saga that has none of it does not touch its tables. */
START_TEST(test_commit__who_does_not_run_long_pays_nothing)
{
	struct store *store = fresh();

	sql("ALTER TABLE tasks RENAME TO tasks_away; ALTER TABLE search RENAME TO search_away;"
		"ALTER TABLE locks RENAME TO locks_away; ALTER TABLE lock_calls RENAME TO calls_away");
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(store, 1, 3, SAGA_FAILED), STORE_ACCEPTED);
	store->ops->close(store);
}
END_TEST

/* Tables as full as they may get: what belongs to others lies around what a statement looks for. */
static void fill(void)
{
	sql("INSERT INTO tasks SELECT n % 16, gen_random_uuid(), 'pack', -1, 'do', 'default', 'order',"
		" CASE WHEN n % 2 = 0 THEN 'worker' ELSE 'approval' END,"
		" CASE WHEN n % 2 = 0 THEN 'q' || n % 20 ELSE '' END, NULL, 1,"
		" CASE WHEN n % 10 = 0 THEN 'leased' ELSE 'queued' END, n, n, NULL, NULL, NULL, NULL, '{}'"
		" FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO search SELECT n % 16, gen_random_uuid(), 'customer', 'c' || n % 100, 'default'"
		" FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO locks SELECT 'default', 'k' || n % 500, gen_random_uuid(), n % 16,"
		" gen_random_uuid(), 's', -1, n <= 500, CASE WHEN n <= 500 THEN 1 ELSE 0 END, n, NULL"
		" FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO lock_keys SELECT 'default', 'k' || n, 1, 2000000 + n"
		" FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO sagas (slot, id, namespace, definition, version, status, started_at,"
		" updated_at, parent_id, base_seq) SELECT n % 16, gen_random_uuid(), 'default', 'order', 1,"
		" 'running', n, n, CASE WHEN n % 2 = 0 THEN gen_random_uuid() END,"
		" CASE WHEN n <= 20 THEN 2 ELSE 0 END FROM generate_series(1, 20000) AS g (n);"
		"ANALYZE");
}

static int any_task(void *ctx, const struct task_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int any_lock(void *ctx, const struct lock_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int any_saga(void *ctx, const struct saga_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static void use_everything(struct store *store)
{
	const struct store_ops *ops = store->ops;
	struct search_value search[] = {{"customer", "c7"}, {"region", "eu"}};
	struct saga_filter by_search = {
		.ns = "default", .search = search, .n_search = 2, .limit = 5, .looks = 20};
	struct saga_filter by_parent = {.ns = "default", .parent = rows_id(1), .limit = 5};
	bool touched[ROWS_SLOTS] = {false};
	struct store_reader *reader;
	struct task_row task;
	struct err err = {0};
	int n, rows = 0;

	ck_assert_int_eq(put(store, with_all(1, 2)), STORE_ACCEPTED);
	ck_assert_int_eq(ops->locks_grant(store, 1000, touched, &err), 0);
	ck_assert_int_eq(ops->history_trim(store, 1000, 10, &n, &err), 0);
	ck_assert_int_eq(ops->retain(store, 1000, 20, &n, &err), 0);
	ck_assert_int_eq(ops->reader_open(store, &reader, &err), 0);
	for (int state = -1; state < TASK_STATE_COUNT; state++)
		for (int i = 0; i < 3; i++) {
			struct task_filter filter = {.ns = "default",
										 .kind = i == 2 ? TASK_APPROVAL : TASK_WORKER,
										 .queue = i == 0 ? "q4" : NULL,
										 .state = state,
										 .after_available_at = 5000,
										 .after_step = "pack",
										 .limit = 5};

			memcpy(filter.after_saga_id, rows_id(1), sizeof(filter.after_saga_id));
			ck_assert_int_eq(ops->tasks_list(reader, &filter, any_task, &rows, &err), 0);
		}
	ck_assert_int_ge(rows, 30);
	ck_assert_int_eq(rows_task(reader, 1, rows_id(1), "pack", -1, SIDE_DO, &task), 0);
	task_row_release(&task);
	ck_assert_int_eq(ops->locks_list(reader, "default", "k7", NULL, 5, any_lock, &rows, &err), 0);
	ck_assert_int_eq(ops->locks_list(reader, NULL, NULL, rows_id(1), 5, any_lock, &rows, &err), 0);
	ck_assert_int_eq(ops->list(reader, &by_search, any_saga, &rows, &err), 0);
	ck_assert_int_eq(ops->list(reader, &by_parent, any_saga, &rows, &err), 0);
	ops->reader_close(reader);
}

/* Postgres counts what was read from tables and indexes; a backend tells it when it ends. */
START_TEST(test_indexes__no_statement_walks_a_table)
{
	struct store *store = fresh();

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	fill();
	store->ops->close(store);
	store = open_again();
	sql("SELECT pg_stat_reset()");
	use_everything(store);
	store->ops->close(store);
	wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'skald:%'");
	wait_until("SELECT sum(idx_scan) > 0 FROM pg_stat_user_tables WHERE relname = 'search'"
			   " AND schemaname = current_schema()");
	ck_assert_str_eq(sql("SELECT coalesce(string_agg(relname, ' '), '') FROM pg_stat_user_tables"
						 " WHERE schemaname = current_schema() AND seq_scan > 0 AND relname IN"
						 " ('tasks', 'search', 'locks', 'lock_keys', 'sagas', 'history')"),
					 "");
	ck_assert_str_eq(sql("SELECT coalesce(string_agg(indexrelname || ' ' || idx_tup_read, ', '),"
						 " '') FROM pg_stat_user_indexes WHERE schemaname = current_schema()"
						 " AND idx_tup_read > 300 AND relname IN ('tasks', 'search', 'locks',"
						 " 'lock_keys', 'sagas', 'history')"),
					 "");
	ck_assert_str_eq(
		sql("SELECT coalesce(string_agg(indexrelname, ' ' ORDER BY indexrelname), '')"
			" FROM pg_stat_user_indexes WHERE schemaname = current_schema()"
			" AND idx_scan = 0 AND relname IN ('tasks', 'search', 'locks',"
			" 'lock_keys') AND indexrelname <> 'search_pkey'"), /* of what is removed */
		"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_postgres_long");
	TCase *tcase = tcase_create("long");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_commit__a_fenced_item_leaves_nothing_behind);
	tcase_add_test(tcase, test_commit__who_does_not_run_long_pays_nothing);
	tcase_add_test(tcase, test_indexes__no_statement_walks_a_table);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
