/*
 * What only the Postgres store has of what operators read: counters that are kept by several nodes,
 * commits whose outcome is unknown, and nodes of the schema before. (The contract of all stores is
 * in test_store.c.)
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/store_postgres.h"
#include "sagas/base/macros.h"
#include "tests/support/postgres.h"
#include "tests/support/store_rows.h"
#include "tests/support/tcp_proxy.h"

#define SCHEMA "test_store_postgres_operators"

enum { LEASE_MS = 60000 };

static const char *sql(const char *text)
{
	return postgres_sql(SCHEMA, text);
}

static struct store *open_store(bool exclusive)
{
	struct store_postgres_options options = {
		.url = postgres_again(SCHEMA), .slot_count = ROWS_SLOTS, .exclusive = exclusive};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static int run_until_the_third(void *ctx, const char *path, const char *text)
{
	(void)ctx;
	if (strcmp(strrchr(path, '/'), "/0004") < 0)
		sql(text);
	return 0;
}

static void make_schema_3(void)
{
	struct err err;

	postgres_fresh(SCHEMA);
	ck_assert_int_eq(store_postgres_migrate_plan(postgres_again(SCHEMA), ROWS_SLOTS,
												 run_until_the_third, NULL, &err),
					 0);
}

static void migrate(void)
{
	struct store_postgres_schema schema;
	struct err err;

	ck_assert_msg(store_postgres_migrate_up(postgres_again(SCHEMA), 0, &schema, &err) == 0, "%s",
				  err.text);
	ck_assert_int_eq(schema.version, schema.newest);
}

/* A saga as a program of schema 3 writes it; the n-th begins n minutes after the first minute. */
static void old_insert(int n, const char *status, bool ended, const char *attention)
{
	char text[600];

	snprintf(text, sizeof(text),
			 "INSERT INTO sagas (slot, id, namespace, definition, version, status, started_at,"
			 " updated_at, ended_at, attention) VALUES (%d, '%s', 'default', 'order', 1, '%s',"
			 " %d, %d, %s, %s)",
			 n % ROWS_SLOTS, rows_id(n), status, n * 60000, n * 60000 + 5,
			 ended ? "200000" : "NULL", attention);
	sql(text);
}

static void old_change(int n, const char *changes)
{
	char text[600];

	snprintf(text, sizeof(text), "UPDATE sagas SET %s WHERE id = '%s'", changes, rows_id(n));
	sql(text);
}

/* Of a table of counters, what its rows add up to, without those that add up to nothing. */
static const char *definition_counts(void)
{
	return sql("SELECT string_agg(what || ' ' || n, ', ' ORDER BY what) FROM ("
			   "SELECT what, sum(n) AS n FROM counters WHERE namespace = 'default'"
			   " AND definition = 'order' AND number = 1 GROUP BY what HAVING sum(n) <> 0) AS t");
}

static const char *group_counts(void)
{
	return sql("SELECT coalesce(string_agg(kind || ' ' || n, ', ' ORDER BY kind), '') FROM ("
			   "SELECT max(kind) AS kind, sum(n) AS n FROM attention_groups GROUP BY id"
			   " HAVING sum(n) <> 0) AS t");
}

static const char *rate_counts(void)
{
	return sql(
		"SELECT string_agg(minute || ':' || row, ', ' ORDER BY minute) FROM ("
		"SELECT number / 60000 AS minute, string_agg(' ' || what || ' ' || n, '' ORDER BY what)"
		" AS row FROM (SELECT number, what, sum(n) AS n FROM counters WHERE definition = ''"
		" GROUP BY number, what) AS t GROUP BY number) AS t");
}

START_TEST(test_migrate__counts_what_is_there)
{
	make_schema_3();
	old_insert(1, "running", false, "NULL");
	old_insert(2, "completed", true, "NULL");
	old_insert(3, "compensation_failed", false, "'refund was refused'");
	old_insert(4, "running", false, "'it takes long'");
	old_insert(5, "running", false, "'it takes very long'");
	migrate();
	ck_assert_str_eq(definition_counts(), "compensation_failed 1, completed 1, running 3");
	ck_assert_str_eq(group_counts(), "notice 2, stuck 1");
	ck_assert_str_eq(rate_counts(), "1: started 1, 2: started 1, 3: completed 1 started 1,"
									" 4: started 1, 5: started 1");
	ck_assert_str_eq(sql("SELECT count(*) FROM sagas WHERE (attention IS NULL) <>"
						 " (attention_group IS NULL OR attention_at IS NULL)"),
					 "0");
	ck_assert_str_eq(sql("SELECT max(message) FROM attention_groups WHERE kind = 'notice'"),
					 "it takes very long");
}
END_TEST

/* Programs of schema 3 write on, and a trigger counts for them. */
START_TEST(test_migrate__nodes_of_the_schema_before_are_counted_for)
{
	make_schema_3();
	old_insert(1, "running", false, "NULL");
	migrate();
	old_insert(2, "running", false, "NULL");
	old_insert(3, "running", false, "'what is this'");
	old_insert(4, "completed", true, "NULL");
	ck_assert_str_eq(definition_counts(), "completed 1, running 3");
	ck_assert_str_eq(group_counts(), "notice 1");
	old_change(1, "status = 'compensated', ended_at = 60001, updated_at = 60001");
	old_change(3, "status = 'compensation_failed', attention = 'stuck', updated_at = 180009");
	ck_assert_str_eq(definition_counts(),
					 "compensated 1, compensation_failed 1, completed 1, running 1");
	ck_assert_str_eq(group_counts(), "stuck 1");
	old_change(3, "status = 'terminated', ended_at = 180010, attention = NULL");
	ck_assert_str_eq(group_counts(), "");
	ck_assert_str_eq(sql("SELECT count(*) FROM sagas WHERE attention_group IS NOT NULL"
						 " OR attention_kind IS NOT NULL OR attention_at IS NOT NULL"),
					 "0");
	ck_assert_str_eq(rate_counts(),
					 "1: compensated 1 started 1, 2: started 1,"
					 " 3: attention 2 completed 1 started 1 terminated 1, 4: started 1");
	sql("DELETE FROM sagas WHERE ended_at IS NOT NULL");
	ck_assert_str_eq(definition_counts(), "running 1");
}
END_TEST

/* The trigger leaves alone who counts by himself. */
START_TEST(test_migrate__nodes_of_this_schema_are_not_counted_twice)
{
	struct store *store;

	make_schema_3();
	migrate();
	store = open_store(true);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_create(store, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(store, 2, 2, SAGA_COMPLETED), STORE_ACCEPTED);
	ck_assert_str_eq(definition_counts(), "completed 1, running 1");
	store->ops->close(store);
}
END_TEST

/* A node that has joined and taken slots first to last. */
static struct store *join(const char *address, int first, int last)
{
	struct store *store = open_store(false);
	int slots[ROWS_SLOTS] = {0}, n = 0;
	char id[NODE_ID_SIZE];
	bool got[ROWS_SLOTS];
	struct err err;

	ck_assert_int_eq(store->ops->node_join(store, address, LEASE_MS, id, &err), 0);
	for (int slot = first; slot <= last; slot++)
		slots[n++] = slot;
	ck_assert_int_eq(store->ops->slots_acquire(store, slots, (size_t)n, got, &err), 0);
	for (int i = 0; i < n; i++)
		ck_assert(got[i]);
	return store;
}

static const char group[] = "00c3112233445566";

static struct saga_row concerning(int n)
{
	struct saga_row row = rows_saga(n);

	row.attention = (struct attention_ref){.text = "the \"bank\" says {no, \\never}",
										   .group = group,
										   .kind = "stuck",
										   .step = "charge",
										   .side = "undo",
										   .code = "a,\"b\" \\ {c}"};
	row.attention_at = rows_time(n);
	return row;
}

static int put(struct store *store, struct store_item item, enum store_verdict *ret_verdict)
{
	struct err err = {0};
	int r = store->ops->commit(store, &item, 1, &err);

	*ret_verdict = item.verdict;
	return r;
}

static enum store_verdict put_in_group(struct store *store, int n)
{
	struct saga_row row = concerning(n);
	enum store_verdict verdict;

	ck_assert_int_eq(put(store, rows_create(n, &row), &verdict), 0);
	return verdict;
}

/* Of the group, as a reader sees it. */
static int64_t sagas_in_group(struct store *store)
{
	struct attention_group_row row;
	struct store_reader *reader;
	struct err err = {0};
	int64_t n;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_msg(store->ops->attention_get(reader, "default", group, &row, &err) == 0, "%s",
				  err.text);
	n = row.n;
	ck_assert_str_eq(row.message, "the \"bank\" says {no, \\never}");
	ck_assert_pstr_eq(row.code, "a,\"b\" \\ {c}");
	attention_group_row_release(&row);
	store->ops->reader_close(reader);
	return n;
}

START_TEST(test_counters__of_two_nodes_add_up)
{
	struct store *a, *b;
	struct err err;
	bool got;

	postgres_fresh(SCHEMA);
	a = join("http://a", 0, 7);
	b = join("http://b", 8, 15);
	for (int n = 1; n <= 3; n++)
		ck_assert_int_eq(put_in_group(a, n), STORE_ACCEPTED);
	for (int n = 9; n <= 10; n++)
		ck_assert_int_eq(put_in_group(b, n), STORE_ACCEPTED);
	ck_assert_str_eq(definition_counts(), "running 5");
	ck_assert_int_eq(sagas_in_group(b), 5);
	/* Each counts to the rows of its own first slot. */
	ck_assert_str_eq(sql("SELECT string_agg(slot || ': ' || n, ', ' ORDER BY slot)"
						 " FROM attention_groups"),
					 "0: 3, 8: 2");
	ck_assert_str_eq(sql("SELECT string_agg(DISTINCT slot::text, ', ') FROM counters"), "0, 8");
	/* What one has counted another takes back, when the slot has moved. */
	ck_assert_int_eq(a->ops->slots_release(a, (const int[]){1, 2, 3}, 3, &err), 0);
	for (int n = 1; n <= 3; n++) {
		ck_assert_int_eq(b->ops->slots_acquire(b, &n, 1, &got, &err), 0);
		ck_assert_int_eq(rows_put_end(b, n, 2, SAGA_COMPLETED), STORE_ACCEPTED);
	}
	ck_assert_str_eq(definition_counts(), "completed 3, running 2");
	ck_assert_int_eq(sagas_in_group(a), 2);
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

START_TEST(test_counters__what_is_fenced_counts_nothing)
{
	struct saga_row lost = concerning(9), kept = concerning(1);
	struct store_item items[2];
	struct store *a;
	struct err err;

	postgres_fresh(SCHEMA);
	a = join("http://a", 0, 7);
	items[0] = rows_create(9, &lost); /* of a slot that it does not have */
	items[1] = rows_create(1, &kept);
	ck_assert_int_eq(a->ops->commit(a, items, 2, &err), 0);
	ck_assert_int_eq(items[0].verdict, STORE_FENCED);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(put_in_group(a, 10), STORE_FENCED);
	ck_assert_int_eq(put_in_group(a, 1), STORE_DUPLICATE); /* nor does what is there already */
	ck_assert_str_eq(definition_counts(), "running 1");
	ck_assert_str_eq(group_counts(), "stuck 1");
	ck_assert_str_eq(sql("SELECT string_agg(what || ' ' || n, ', ' ORDER BY what) FROM counters"
						 " WHERE definition = ''"),
					 "attention 1, started 1");
	a->ops->close(a);
}
END_TEST

static struct store *open_through(struct tcp_proxy *proxy)
{
	const char *url = postgres_again(SCHEMA), *port = strstr(url, "127.0.0.1:") + 10;
	CLEANUP(free_p)
	char *other = xasprintf("%.*s%d%s", (int)(port - url), url, tcp_proxy_port(proxy),
							port + strcspn(port, "/"));
	struct store_postgres_options options = {
		.url = other, .slot_count = ROWS_SLOTS, .exclusive = true};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

/* Nobody knew whether it had landed; it had, and it is counted once, also when it comes again. */
START_TEST(test_counters__a_commit_without_an_answer_counts_once)
{
	struct saga_row row = concerning(2);
	enum store_verdict verdict;
	struct tcp_proxy *proxy;
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	proxy = tcp_proxy_start((int)strtol(strstr(postgres_url(), "127.0.0.1:") + 10, NULL, 10));
	store = open_through(proxy);
	ck_assert_int_eq(put_in_group(store, 1), STORE_ACCEPTED);
	tcp_proxy_fault(proxy, PROXY_LOSE_REPLY);
	ck_assert_int_eq(put(store, rows_create(2, &row), &verdict), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_int_eq(sagas_in_group(store), 2);
	ck_assert_int_eq(put_in_group(store, 2), STORE_DUPLICATE);
	ck_assert_int_eq(sagas_in_group(store), 2);
	ck_assert_str_eq(definition_counts(), "running 2");
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

/* Rows of several slots that add up to nothing go; those that do not stay, each as it is. */
START_TEST(test_retain__removes_counters_that_add_up_to_nothing)
{
	struct store *store;
	struct err err;
	int n;

	postgres_fresh(SCHEMA);
	store = open_store(true);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	sql("INSERT INTO counters VALUES (3, 'default', 'gone', 1, 'running', 5),"
		" (4, 'default', 'gone', 1, 'running', -5), (4, 'default', 'gone', 2, 'running', 1)");
	sql("INSERT INTO attention_groups (slot, namespace, id, n, last_seen_at)"
		" VALUES (3, 'default', 'a', 2, 5), (4, 'default', 'a', -2, 5), (4, 'default', 'b', 1, 5)");
	ck_assert_int_ge(store->ops->retain(store, rows_time(2), 100, &n, &err), 0);
	ck_assert_str_eq(sql("SELECT string_agg(definition || ' ' || number, ', ' ORDER BY number DESC)"
						 " FROM counters WHERE definition > ''"),
					 "gone 2, order 1");
	ck_assert_str_eq(sql("SELECT string_agg(id, ', ') FROM attention_groups"), "b");
	store->ops->close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_postgres_operators");
	TCase *tcase = tcase_create("store_postgres_operators");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_migrate__counts_what_is_there);
	tcase_add_test(tcase, test_migrate__nodes_of_the_schema_before_are_counted_for);
	tcase_add_test(tcase, test_migrate__nodes_of_this_schema_are_not_counted_twice);
	tcase_add_test(tcase, test_counters__of_two_nodes_add_up);
	tcase_add_test(tcase, test_counters__what_is_fenced_counts_nothing);
	tcase_add_test(tcase, test_counters__a_commit_without_an_answer_counts_once);
	tcase_add_test(tcase, test_retain__removes_counters_that_add_up_to_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
