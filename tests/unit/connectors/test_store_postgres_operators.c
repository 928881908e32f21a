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
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
