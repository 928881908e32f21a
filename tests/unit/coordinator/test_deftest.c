/*
 * Every test of the definitions that come from practice passes; and each history that it leaves is
 * decided alike when it is replayed on the definition that made it. (What failing tests print is in
 * tests/e2e/definition_tests.sh.)
 */
#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/deftest.h"
#include "sagas/json_text.h"
#include "sagas/replay.h"

#define STARTS_AT INT64_C(1767225600000)

static struct saga_def *find_def(const struct deftest_file *file, const char *name)
{
	CLEANUP(free_p) char *outer = xstrndup(name, strcspn(name, "#"));

	for (size_t i = file->n_defs; i-- > 0;)
		if (strcmp(file->defs[i]->name, outer) == 0)
			return saga_def_find_block(file->defs[i], name);
	return NULL;
}

static void replay(const struct deftest_file *file, const char *test, const json_t *saga)
{
	const json_t *history = json_object_get(saga, "history");
	const char *name = json_string_value(json_object_get(saga, "saga"));
	struct replay_row *rows = xcalloc(json_array_size(history) + 1, sizeof(*rows));
	struct replay_options options = {.times = true};
	struct replay_divergence where;
	struct err err;
	bool same;
	size_t i;

	for (i = 0; i < json_array_size(history); i++) {
		const json_t *row = json_array_get(history, i);
		struct buf text;

		buf_init(&text, 0);
		json_write(json_object_get(row, "events"), &text);
		rows[i].events = buf_take(&text, &rows[i].len);
		rows[i].seq = (int64_t)i + 1;
		rows[i].at = STARTS_AT + json_integer_value(json_object_get(row, "at_ms"));
	}
	ck_assert_ptr_nonnull(find_def(file, name));
	ck_assert_msg(saga_replay(find_def(file, name), json_string_value(json_object_get(saga, "id")),
							  rows, json_array_size(history), &options, &same, &where, &err) == 0,
				  "%s: %s: %s", test, name, err.text);
	ck_assert_msg(same, "%s: %s: row %lld, event %d: %s\n%s\n%s", test, name, (long long)where.seq,
				  where.index, where.why, where.expected ? where.expected : "nothing",
				  where.got ? where.got : "nothing");
	replay_divergence_release(&where);
	for (i = 0; i < json_array_size(history); i++)
		free((char *)rows[i].events);
	free(rows);
}

static size_t run_file(const char *path)
{
	struct deftest_file file;
	struct deftest_result result;
	struct err err;
	const json_t *saga;
	size_t i, j, n;

	ck_assert_msg(deftest_file_load(&file, path, &err) == 0, "%s: %s", path, err.text);
	n = deftest_file_size(&file);
	for (i = 0; i < n; i++) {
		deftest_run(&file, i, &result);
		ck_assert_msg(result.passed, "%s: %s: %s", path, deftest_name(&file, i),
					  result.n_failures > 0 ? result.failures[0].text : "");
		ck_assert_int_ge(json_array_size(result.sagas), 1);
		json_array_foreach (result.sagas, j, saga)
			replay(&file, deftest_name(&file, i), saga);
		deftest_result_release(&result);
	}
	deftest_file_release(&file);
	return n;
}

static size_t run_files(const char *pattern)
{
	glob_t found;
	size_t i, n = 0;

	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (i = 0; i < found.gl_pathc; i++)
		n += run_file(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

START_TEST(test_deftest__definitions_from_practice_pass_and_replay)
{
	ck_assert_int_ge(run_files("tests/definitions/*.test.yaml"), 80);
}
END_TEST

START_TEST(test_deftest__examples_pass_and_replay)
{
	ck_assert_int_ge(run_files("examples/*/*.test.yaml"), 30);
}
END_TEST

static json_t *simulate(const char *definition, json_t *input)
{
	struct deftest_file file;
	struct err err;
	json_t *simulation;

	ck_assert_int_eq(deftest_file_make(&file, definition, input, &err), 0);
	simulation = deftest_simulate(&file, 0);
	deftest_file_release(&file);
	return simulation;
}

START_TEST(test_deftest__every_way_to_fail_is_simulated)
{
	json_t *input = json_pack("{s:s, s:s, s:s, s:i}", "payment_id", "p", "account", "a", "merchant",
							  "m", "amount_minor", 5);
	json_t *simulation = simulate("examples/payment/payment.yaml", input);
	const json_t *ends = json_object_get(simulation, "ends"), *end;
	size_t i, undone = 0;

	ck_assert_int_eq(json_integer_value(json_object_get(simulation, "problems")), 0);
	ck_assert_int_eq(json_array_size(ends), 25);
	json_array_foreach (ends, i, end)
		undone += json_array_size(json_object_get(end, "undone"));
	/* hold unknown, timeout, deadline, cancel: 1 each; authorise: 1, 2, 2, 2, 2; capture fails: 2
	 */
	ck_assert_int_eq(undone, 4 + 9 + 2);
	json_decref(simulation);
}
END_TEST

/* A step that is parked has not ended, so its undo is not armed: nobody has forgotten it. */
START_TEST(test_deftest__a_parked_step_is_no_problem)
{
	json_t *simulation = simulate("examples/subscription/subscription.yaml",
								  json_pack("{s:s, s:s}", "customer", "c", "plan", "basic"));
	const json_t *end, *stays;
	size_t i, parked = 0;

	ck_assert_int_eq(json_integer_value(json_object_get(simulation, "problems")), 0);
	json_array_foreach (json_object_get(simulation, "ends"), i, end) {
		stays = json_array_get(json_object_get(end, "stays"), 0);
		parked += stays &&
				  strcmp(json_string_value(json_object_get(stays, "why")), "the saga goes on") == 0;
	}
	ck_assert_uint_gt(parked, 0);
	json_decref(simulation);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deftest");
	TCase *tcase = tcase_create("deftest");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_deftest__definitions_from_practice_pass_and_replay);
	tcase_add_test(tcase, test_deftest__examples_pass_and_replay);
	tcase_add_test(tcase, test_deftest__every_way_to_fail_is_simulated);
	tcase_add_test(tcase, test_deftest__a_parked_step_is_no_problem);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
