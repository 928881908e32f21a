/* Counts of definitions, whatever the order in which they are read. */
#include "coordinator/definition_counts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct definition_count_row rows[] = {
	{"pay", 2, SAGA_RUNNING, 5},      {"order", 1, SAGA_COMPLETED, 7},
	{"order", 2, SAGA_RUNNING, 1},    {"order", 1, SAGA_RUNNING, 2},
	{"pay", 10, SAGA_RUNNING, 1},     {"order", 1, SAGA_COMPLETED, -3},
	{"orders", 1, SAGA_RUNNING, 100},
};

static int definition_counts(struct store_reader *reader, const char *ns, const char *definition,
							 int (*row)(void *ctx, const struct definition_count_row *row),
							 void *ctx, struct err *err)
{
	(void)reader, (void)definition;
	if (strcmp(ns, "away") == 0) {
		row(ctx, &rows[0]);
		return err_set(err, ERR_UNAVAILABLE, "away");
	}
	for (size_t i = 0; strcmp(ns, "empty") != 0 && i < ARRAY_SIZE(rows); i++)
		row(ctx, &rows[i]);
	return 0;
}

static const struct store_ops ops = {.definition_counts = definition_counts};
static struct store store = {.ops = &ops};
static struct store_reader reader = {.store = &store};
static struct definition_counts counts;

/* "running completed" of it. */
static const char *of(const char *definition, int64_t version)
{
	static char text[64];
	struct buf out;
	long long running = -1, completed = -1;

	buf_init(&out, 0);
	definition_counts_write(&counts, definition, version, &out);
	sscanf(strstr(buf_str(&out), "\"running\":") + 10, "%lld", &running);
	sscanf(strstr(buf_str(&out), "\"completed\":") + 12, "%lld", &completed);
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\"terminated\":0}"));
	buf_release(&out);
	snprintf(text, sizeof(text), "%lld %lld", running, completed);
	return text;
}

START_TEST(test_definition_counts__sums)
{
	struct err err;

	ck_assert_int_eq(definition_counts_read(&reader, "default", NULL, &counts, &err), 0);
	ck_assert_str_eq(of("order", 1), "2 4");
	ck_assert_str_eq(of("order", 2), "1 0");
	ck_assert_str_eq(of("order", 3), "0 0");
	ck_assert_str_eq(of("order", 0), "3 4");
	ck_assert_str_eq(of("orders", 0), "100 0");
	ck_assert_str_eq(of("pay", 0), "6 0");
	ck_assert_str_eq(of("pay", 10), "1 0");
	ck_assert_str_eq(of("none", 0), "0 0");
	definition_counts_release(&counts);
}
END_TEST

START_TEST(test_definition_counts__of_nothing)
{
	struct err err;

	ck_assert_int_eq(definition_counts_read(&reader, "empty", NULL, &counts, &err), 0);
	ck_assert_str_eq(of("order", 0), "0 0");
	definition_counts_release(&counts);
	ck_assert_int_eq(definition_counts_read(&reader, "away", NULL, &counts, &err), ERR_UNAVAILABLE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("definition_counts");
	TCase *tc = tcase_create("definition_counts");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_definition_counts__sums);
	tcase_add_test(tc, test_definition_counts__of_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
