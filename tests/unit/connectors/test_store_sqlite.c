/*
 * What only the SQLite store has: a file that may be another's, a lock, a log, a full disk.
 */
#include "connectors/store_sqlite.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"
#include "schemas/embedded.h"
#include "tests/support/store_rows.h"
#include "tests/support/temp_dir.h"

static const char *dir;

static char *file(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static int try_open(const char *path, int slots, struct store **ret_store, struct err *err)
{
	struct store_sqlite_options options = {.path = path, .slot_count = slots};

	return store_sqlite_open(&options, ret_store, err);
}

static struct store *must_open(const char *path)
{
	struct store *store;
	struct err err = {0};

	ck_assert_msg(try_open(path, 0, &store, &err) == 0, "%s", err.text);
	return store;
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *error = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s", error);
	sqlite3_close(db);
}

START_TEST(test_open__a_second_owner_is_told_which_file_and_who)
{
	CLEANUP(free_p) char *path = file("lock.db");
	CLEANUP(free_p) char *pid = xasprintf("pid %ld", (long)getpid());
	struct store *store = must_open(path), *second;
	struct err err = {0};

	ck_assert_int_eq(try_open(path, 0, &second, &err), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_ptr_nonnull(strstr(err.text, ".lock"));
	ck_assert_ptr_nonnull(strstr(err.text, pid));
	store->ops->close(store);
	store = must_open(path);
	store->ops->close(store);
}
END_TEST

START_TEST(test_open__keeps_the_slots_it_was_made_with)
{
	CLEANUP(free_p) char *path = file("slots.db");
	struct store *store;
	struct err err;

	ck_assert_int_eq(try_open(path, 5, &store, &err), 0);
	ck_assert_int_eq(store->ops->slot_count(store), 5);
	store->ops->close(store);
	ck_assert_int_eq(try_open(path, 64, &store, &err), 0);
	ck_assert_int_eq(store->ops->slot_count(store), 5);
	store->ops->close(store);
	ck_assert_int_eq(try_open(":memory:", 0, &store, &err), 0);
	ck_assert_int_eq(store->ops->slot_count(store), 16);
	store->ops->close(store);
	ck_assert_int_eq(try_open(":memory:", SLOTS_MAX + 1, &store, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_open__only_its_owner_may_read_the_file)
{
	CLEANUP(free_p) char *path = file("rights.db");
	CLEANUP(free_p) char *wal = file("rights.db-wal");
	struct store *store = must_open(path);
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	store->ops->close(store);
}
END_TEST

START_TEST(test_open__refuses_what_is_no_database)
{
	CLEANUP(free_p) char *path = file("text.db");
	FILE *text = fopen(path, "w");
	struct store *store;
	struct err err = {0};

	ck_assert_ptr_nonnull(text);
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", text);
	fclose(text);
	ck_assert_int_eq(try_open(path, 0, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, path));
}
END_TEST

START_TEST(test_open__refuses_and_leaves_alone_the_database_of_another_program)
{
	CLEANUP(free_p) char *path = file("foreign.db");
	struct store *store;
	struct err err = {0};

	run_sql(path, "CREATE TABLE photos (name TEXT)");
	ck_assert_int_eq(try_open(path, 0, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "not one of Skald's"));
	run_sql(path, "INSERT INTO photos VALUES ('x')");
}
END_TEST

START_TEST(test_open__refuses_the_file_of_a_newer_skald)
{
	CLEANUP(free_p) char *path = file("newer.db");
	struct store *store = must_open(path);
	struct err err = {0};

	store->ops->close(store);
	run_sql(path, "UPDATE meta SET value = 9000 WHERE name = 'schema_version'");
	ck_assert_int_eq(try_open(path, 0, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "newer Skald"));
	ck_assert_ptr_nonnull(strstr(err.text, "9000"));
}
END_TEST

/* A file as it was before a migration, with what the caller puts into it. */
static void make_old(const char *path, int version, const char *rows)
{
	CLEANUP(free_p)
	char *meta = xasprintf("PRAGMA application_id = %d; INSERT INTO meta (name, value) VALUES"
						   " ('slot_count', 16), ('settled', 0), ('schema_version', %d)",
						   STORE_SQLITE_APPLICATION_ID, version);

	for (size_t i = 0; i < embedded_file_count; i++) {
		int number = 0;

		if (sscanf(embedded_files[i].path, "schemas/sqlite/%d", &number) == 1 && number <= version)
			run_sql(path, embedded_files[i].data);
	}
	run_sql(path, meta);
	run_sql(path, rows);
}

static int add_count(void *ctx, const struct definition_count_row *row)
{
	int64_t *counts = ctx;

	counts[row->version] += row->n;
	return 0;
}

struct group_of_old {
	int n;
	int64_t sagas;
	wall_ms first_at, last_at;
	char id[ATTENTION_GROUP_SIZE];
};

static int see_group(void *ctx, const struct attention_group_row *row)
{
	struct group_of_old *seen = ctx;

	if (seen->n++ == 0) {
		seen->sagas = row->n;
		seen->first_at = row->first_seen_at;
		seen->last_at = row->last_seen_at;
		ck_assert_str_eq(row->definition, "order");
		ck_assert_str_eq(row->kind, "stuck");
		ck_assert_str_eq(row->message, "refund");
		snprintf(seen->id, sizeof(seen->id), "%s", row->id);
	}
	return 0;
}

static int see_saga(void *ctx, const struct saga_row *row)
{
	ck_assert_str_eq(row->attention.kind, "stuck");
	ck_assert_int_eq(row->attention_at, row->updated_at);
	++*(int *)ctx;
	return 0;
}

static int see_rate(void *ctx, const struct rate_row *row)
{
	struct rate_row *sum = ctx;

	sum->started += row->started;
	sum->completed += row->completed;
	sum->failed += row->failed;
	return 0;
}

/* What is there before there are counters is counted when they come. */
START_TEST(test_migrate__counts_the_sagas_that_are_there)
{
	static const char rows[] =
		"INSERT INTO sagas VALUES"
		" ('default', 'a1', 1, 'order', 1, 'completed', NULL, 1700000000000, 1700000001000,"
		"  1700000001000, NULL, NULL),"
		" ('default', 'a2', 1, 'order', 2, 'failed', NULL, 1700000060000, 1700000061000,"
		"  1700000061000, NULL, NULL),"
		" ('default', 'a3', 1, 'order', 2, 'compensation_failed', 'k3', 1700000060000,"
		"  1700000065000, NULL, NULL, 'refund'),"
		" ('default', 'a4', 1, 'order', 2, 'compensation_failed', NULL, 1700000060000,"
		"  1700000067000, NULL, NULL, 'refund'),"
		" ('default', 'a5', 1, 'order', 2, 'running', NULL, 1700000060000,"
		"  1700000067000, NULL, NULL, 'late'),"
		" ('other', 'b1', 1, 'order', 1, 'completed', NULL, 1600000000000, 1600000001000,"
		"  1600000001000, NULL, NULL);"
		"INSERT INTO saga_counts VALUES ('default', 'completed', 99)";
	CLEANUP(free_p) char *path = file("old.db");
	struct saga_filter filter = {.ns = "default", .limit = 10};
	int64_t counts[SAGA_STATUS_COUNT], versions[3] = {0};
	struct group_of_old group = {0};
	struct store_reader *reader;
	struct rate_row sum = {0};
	struct store *store;
	int sagas = 0;
	struct err err;

	make_old(path, 3, rows);
	store = must_open(path);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->counts(reader, "default", counts, &err), 0);
	ck_assert_int_eq(counts[SAGA_COMPLETED], 1);
	ck_assert_int_eq(counts[SAGA_COMPENSATION_FAILED], 2);
	ck_assert_int_eq(
		store->ops->definition_counts(reader, "default", "order", add_count, versions, &err), 0);
	ck_assert_int_eq(versions[1], 1);
	ck_assert_int_eq(versions[2], 4);
	ck_assert_int_eq(store->ops->attention_list(reader, NULL, 10, see_group, &group, &err), 0);
	ck_assert_int_eq(group.n, 2); /* what is stuck, and what is late */
	ck_assert_int_eq(group.sagas, 2);
	ck_assert_int_eq(group.first_at, 1700000065000);
	ck_assert_int_eq(group.last_at, 1700000067000);
	filter.group = group.id;
	ck_assert_int_eq(store->ops->list(reader, &filter, see_saga, &sagas, &err), 0);
	ck_assert_int_eq(sagas, 2);
	ck_assert_int_eq(store->ops->rates(reader, NULL, 0, INT64_MAX, see_rate, &sum, &err), 0);
	ck_assert_int_eq(sum.started, 5); /* not what is older than rates are */
	ck_assert_int_eq(sum.completed, 1);
	ck_assert_int_eq(sum.failed, 1);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_open__says_when_the_folder_is_missing)
{
	CLEANUP(free_p) char *path = file("none/skald.db");
	struct store *store;
	struct err err = {0};

	ck_assert_int_eq(try_open(path, 0, &store, &err), ERR_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
}
END_TEST

START_TEST(test_log__is_bounded_and_emptied_when_closed)
{
	CLEANUP(free_p) char *path = file("log.db");
	CLEANUP(free_p) char *wal = file("log.db-wal");
	struct store_sqlite_options options = {.path = path, .no_sync = true};
	struct store *store;
	struct stat st;
	struct err err;
	off_t largest = 0;

	ck_assert_int_eq(store_sqlite_open(&options, &store, &err), 0);
	for (int n = 0; n < 1500; n++) {
		rows_put_create(store, n);
		if (n % 100 == 0)
			ck_assert_int_eq(store->ops->idle(store, &err), 0);
		ck_assert_int_eq(stat(wal, &st), 0);
		if (st.st_size > largest)
			largest = st.st_size;
	}
	ck_assert_int_gt(largest, 500 * 4096); /* else nothing was tried */
	ck_assert_int_lt(largest, 2500 * 4120);
	store->ops->close(store);
	ck_assert_int_ne(stat(wal, &st), 0);
}
END_TEST

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A log that cannot grow, as on a full disk. Every check runs in a process of its own. */
START_TEST(test_commit__a_log_that_cannot_be_written_takes_nothing_and_recovers)
{
	CLEANUP(free_p) char *path = file("full.db");
	struct store *store = must_open(path);
	struct saga_row row = rows_saga(1), got;
	struct store_item item = rows_create(1, &row);
	struct store_reader *reader;
	struct err err = {0};
	int r;

	signal(SIGXFSZ, SIG_IGN);
	rows_put_create(store, 0);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	limit_file_size(8192);
	r = store->ops->commit(store, &item, 1, &err);
	ck_assert_msg(r == ERR_UNKNOWN || r == ERR_UNAVAILABLE || r == ERR_IO, "%d: %s", r, err.text);
	ck_assert_int_eq(err.code, r);
	if (r == ERR_UNKNOWN) /* cannot be settled as long as nothing can be written */
		ck_assert_int_lt(store->ops->settle(store, &err), 0);
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &got, &err),
					 ERR_NOT_FOUND);
	limit_file_size(RLIM_INFINITY);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &got, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	store->ops->reader_close(reader);
	store->ops->close(store);
	store = must_open(path);
	ck_assert_int_eq(rows_put_next(store, 0, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
}
END_TEST

struct watcher {
	struct store *store;
	atomic_bool stop;
	int looks;
};

/* Reads while others write: each saga that is there has a history, and both only grow. */
static void *watch(void *ctx)
{
	struct watcher *watcher = ctx;
	struct store_reader *reader;
	int64_t counts[SAGA_STATUS_COUNT], before = 0;
	struct err err;

	CHECK(watcher->store->ops->reader_open(watcher->store, &reader, &err) == 0);
	while (!atomic_load(&watcher->stop)) {
		CHECK(watcher->store->ops->counts(reader, "default", counts, &err) == 0);
		CHECK(counts[SAGA_RUNNING] >= before);
		CHECK(counts[SAGA_RUNNING] % 4 == 0); /* whole batches */
		before = counts[SAGA_RUNNING];
		watcher->looks++;
	}
	watcher->store->ops->reader_close(reader);
	return NULL;
}

static void watch_a_writer(const char *path)
{
	struct watcher watchers[2] = {{.store = must_open(path)}};
	struct store *store = watchers[0].store;
	pthread_t threads[2];
	struct saga_row rows[4];
	struct store_item items[4];
	struct err err;

	for (int i = 0; i < 2; i++) {
		watchers[i].store = store;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, watch, &watchers[i]), 0);
	}
	for (int b = 0; b < 200; b++) {
		for (int i = 0; i < 4; i++) {
			rows[i] = rows_saga(b * 4 + i);
			items[i] = rows_create(b * 4 + i, &rows[i]);
		}
		ck_assert_int_eq(store->ops->commit(store, items, 4, &err), 0);
	}
	for (int i = 0; i < 2; i++) {
		atomic_store(&watchers[i].stop, true);
		pthread_join(threads[i], NULL);
	}
	store->ops->close(store);
}

START_TEST(test_threads__readers_see_whole_batches_of_a_file)
{
	CLEANUP(free_p) char *path = file("threads.db");

	watch_a_writer(path);
}
END_TEST

START_TEST(test_threads__readers_see_whole_batches_in_memory)
{
	watch_a_writer(":memory:");
}
END_TEST

START_TEST(test_memory__stores_are_apart)
{
	struct store *a = must_open(":memory:"), *b = must_open(":memory:");

	ck_assert_int_eq(rows_put_create(a, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(b, 1, 2), STORE_CONFLICT);
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

/* Steps through a plan; a SCAN is a walk over a whole table or index. */
static void ck_no_scan(sqlite3 *db, const char *sql)
{
	/* Few rows, of which all are wanted; or the walk is the order of the list, and is limited. */
	static const char *const fine[] = {"definition_counts", "triggers",
									   "definitions",       "definition_routes",
									   "schedules",         "FROM outbox ORDER BY rowid",
									   "FROM queues",       "FROM batches WHERE status IN"};
	/* What belongs to one saga or definition may be sorted. */
	static const char *const sorted[] = {"CROSS JOIN events", "FROM compensations",
										 "FROM definitions", "FROM definition_counts",
										 "FROM locks WHERE saga_id"};
	CLEANUP(free_p) char *explain = xasprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *stmt;

	ck_assert_msg(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
				  sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(stmt, 3);
		bool is_sorted = false,
			 is_fine = strncmp(step, "SCAN ", 5) != 0 || strstr(step, "CONSTANT ROW") ||
					   strcmp(step, "SCAN names") == 0 || /* of definitions, one look-up each */
					   strcmp(step, "SCAN q") == 0 ||     /* of queues, the same */
					   strncmp(step, "SCAN (subquery", 14) == 0; /* what it counts is limited */

		for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
			is_fine |= strstr(sql, fine[i]) != NULL;
		ck_assert_msg(is_fine, "%s: %s", step, sql);
		for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
			is_sorted |= strstr(sql, sorted[i]) != NULL;
		ck_assert_msg(is_sorted || !strstr(step, "USE TEMP B-TREE"), "%s: %s", step, sql);
	}
	sqlite3_finalize(stmt);
}

START_TEST(test_statements__walk_no_whole_table)
{
	static const char *const statements[] = {
#define X(name, sql) sql,
		STORE_SQLITE_WRITES(X) STORE_SQLITE_READS(X)
#undef X
	};
	CLEANUP(free_p) char *path = file("plans.db");
	struct store *store = must_open(path);

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
		ck_no_scan(store_sqlite__from(store)->db, statements[i]);
	store->ops->close(store);
}
END_TEST

/* Who left is no sample any more, as long as another is there. */
START_TEST(test_groups__show_a_saga_that_is_in_them)
{
	struct store *store = must_open(":memory:");
	struct attention_group_row group;
	struct store_reader *reader;
	struct store_item items[2];
	struct saga_row rows[2];
	struct err err;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	for (int n = 0; n < 2; n++) {
		rows[n] = rows_saga(n);
		rows[n].attention = (struct attention_ref){
			.text = n ? "second" : "first", .group = "00000000000000aa", .kind = "stuck"};
		rows[n].attention_at = rows_time(n);
		items[n] = rows_create(n, &rows[n]);
	}
	ck_assert_int_eq(store->ops->commit(store, items, 2, &err), 0);
	ck_assert_int_eq(rows_put_end(store, 1, 2, SAGA_TERMINATED), STORE_ACCEPTED);
	ck_assert_int_eq(store->ops->attention_get(reader, "default", "00000000000000aa", &group, &err),
					 0);
	ck_assert_str_eq(group.sample, rows_id(0));
	ck_assert_str_eq(group.message, "first");
	attention_group_row_release(&group);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

static int keep_sql(unsigned type, void *ctx, void *stmt, void *text)
{
	char **sql = ctx;

	(void)type;
	(void)text;
	if (!*sql)
		*sql = xstrdup(sqlite3_sql(stmt));
	return 0;
}

static int pass_over(void *ctx, const struct saga_row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

/* A list is one walk down an index, or several that are merged; nothing is sorted. */
START_TEST(test_lists__follow_an_index_in_its_order)
{
	static const struct {
		struct saga_filter filter;
		const char *walk; /* what the statement says of it */
	} lists[] = {
		{{.limit = 1}, "NOT INDEXED"},
		{{.definition = "order"}, "NOT INDEXED"},
		{{.version = 2, .key = "a*"}, "NOT INDEXED"},
		{{.status_mask = 1U << SAGA_COMPLETED}, "NOT INDEXED"},
		{{.status_mask = 1U << SAGA_FAILED}, "BY sagas_not_completed"},
		{{.status_mask = 1U << SAGA_WAITING}, "BY sagas_asleep"},
		{{.status_mask = 1U << SAGA_RUNNING, .definition = "order"}, "BY sagas_open"},
		{{.attention_only = true}, "BY sagas_attention "},
		{{.attention_only = true, .kind = "stuck"}, "BY sagas_attention_kind"},
		{{.kind = "stuck", .step = "charge"}, "BY sagas_attention_kind"},
		{{.step = "charge"}, "BY sagas_attention_step"},
		{{.group = "0000000000000001", .kind = "stuck"}, "BY sagas_attention_group"},
		{{.owner = "ann", .attention_only = true}, "BY sagas_owner"},
		{{.key = "a", .attention_only = true}, "idempotency"},
		{{.key = "a*", .key_exact = true, .definition = "order"}, "idempotency"},
		{{.id = "0198c0de-7a31-7abc-bf11-223344556677", .owner = "ann"}, "AND id = ?14"},
	};
	struct store *store = must_open(":memory:");
	struct store_reader *reader;
	struct err err;
	sqlite3 *db;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	db = store_sqlite__reader(reader)->db;
	for (size_t i = 0; i < 4 * ARRAY_SIZE(lists); i++) {
		struct saga_filter filter = lists[i / 4].filter;
		CLEANUP(free_p) char *sql = NULL;

		filter.ns = "default";
		filter.limit = 10;
		filter.oldest_first = i & 1;
		if (i & 2) {
			snprintf(filter.after_id, sizeof(filter.after_id), "%s", rows_id(1));
			filter.started_from = rows_time(0);
			filter.started_before = rows_time(9);
		}
		sqlite3_trace_v2(db, SQLITE_TRACE_STMT, keep_sql, &sql);
		ck_assert_int_eq(store->ops->list(reader, &filter, pass_over, NULL, &err), 0);
		sqlite3_trace_v2(db, 0, NULL, NULL);
		ck_assert_ptr_nonnull(sql);
		ck_assert_msg(strstr(sql, lists[i / 4].walk) != NULL, "%s: %s", lists[i / 4].walk, sql);
		ck_no_scan(db, sql);
	}
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sqlite");
	TCase *tcase = tcase_create("store_sqlite");
	SRunner *runner;
	int failed;

	dir = temp_dir_make();
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_statements__walk_no_whole_table);
	tcase_add_test(tcase, test_groups__show_a_saga_that_is_in_them);
	tcase_add_test(tcase, test_lists__follow_an_index_in_its_order);
	tcase_add_test(tcase, test_open__a_second_owner_is_told_which_file_and_who);
	tcase_add_test(tcase, test_open__keeps_the_slots_it_was_made_with);
	tcase_add_test(tcase, test_open__only_its_owner_may_read_the_file);
	tcase_add_test(tcase, test_open__refuses_what_is_no_database);
	tcase_add_test(tcase, test_open__refuses_and_leaves_alone_the_database_of_another_program);
	tcase_add_test(tcase, test_open__refuses_the_file_of_a_newer_skald);
	tcase_add_test(tcase, test_migrate__counts_the_sagas_that_are_there);
	tcase_add_test(tcase, test_open__says_when_the_folder_is_missing);
	tcase_add_test(tcase, test_log__is_bounded_and_emptied_when_closed);
	tcase_add_test(tcase, test_commit__a_log_that_cannot_be_written_takes_nothing_and_recovers);
	tcase_add_test(tcase, test_threads__readers_see_whole_batches_of_a_file);
	tcase_add_test(tcase, test_threads__readers_see_whole_batches_in_memory);
	tcase_add_test(tcase, test_memory__stores_are_apart);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	temp_dir_remove();
	return failed == 0 ? 0 : 1;
}
