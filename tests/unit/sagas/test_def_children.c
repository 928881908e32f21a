#include <check.h>
#include <string.h>

#include "sagas/def_children.h"
#include "tests/support/definition.h"

/* Saga `paid` has a pivot, and is the only one that has. */
static bool has_pivot(void *ctx, const char *saga)
{
	(void)ctx;
	return strcmp(saga, "paid") == 0;
}

#define GET "http: {to: p, method: GET, path: /}"

/* Steps, and where a child wants a `compensate`; NULL: nowhere. */
static const struct {
	const char *steps, *pointer;
} cases[] = {
	{"  - {id: a, saga: paid}\n", "/steps/1"},
	{"  - {id: a, saga: other}\n", NULL},
	{"  - {id: a, saga: paid, compensate: none}\n", NULL},
	{"  - {id: a, saga: paid, compensate: {saga: other}}\n", NULL},
	{"  - {id: a, set: 1, compensate: {saga: paid}}\n", NULL},
	{"  - {id: a, pivot: true, saga: paid}\n", NULL},
	{"  - {id: a, pivot: true, " GET "}\n  - {id: b, saga: paid}\n", NULL},
	{"  - {id: b, saga: paid}\n  - {id: a, pivot: true, " GET "}\n", "/steps/1"},
	{"  - {id: b, saga: paid}\nrecovery: forward\n", NULL},
	{"  - {id: a, steps: [{id: b, set: 1}, {id: c, for_each: [1], saga: paid}]}\n",
	 "/steps/1/steps/1"},
	{"  - {id: a, compensate: none, steps: [{id: c, saga: paid}]}\n", NULL},
	{"  - {id: a, set: 1, compensate: {steps: [{id: c, saga: paid}]}}\n", NULL},
	{"  - {id: a, set: 1}\non_compensated:\n  - {id: b, saga: paid}\n", NULL},
};

START_TEST(test_def_children__finds_what_cannot_be_undone)
{
	CLEANUP(buf_release) struct buf yaml = {0};
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	struct findings findings = {0};

	buf_init(&yaml, 0);
	buf_printf(&yaml, "saga: x\nsteps:\n  - {id: first, set: 1}\n%s", cases[_i].steps);
	ck_assert_msg(definition_load(buf_str(&yaml), &def, &findings) == 0, "%s: %s", buf_str(&yaml),
				  findings.n > 0 ? findings.list[0].text : "");
	findings_release(&findings);
	findings = (struct findings){0};
	def_children_check(def, has_pivot, NULL, NULL, &findings);
	ck_assert_msg(findings.n_errors == (cases[_i].pointer ? 1 : 0), "%s", buf_str(&yaml));
	if (cases[_i].pointer) {
		ck_assert_str_eq(findings.list[0].pointer, cases[_i].pointer);
		ck_assert_ptr_nonnull(strstr(findings.list[0].text, "saga `paid` has a pivot"));
	}
	findings_release(&findings);
}
END_TEST

/* All but `there` are missing. */
static bool is_there(void *ctx, const char *saga, struct err *err)
{
	(void)ctx;
	return strcmp(saga, "there") == 0 || err_set(err, ERR_NOT_FOUND, "it is not there") == 0;
}

START_TEST(test_def_children__warns_of_what_is_not_there)
{
	static const char *const pointers[] = {
		"/steps/1/saga",          "/steps/2/compensate/saga",
		"/steps/3/steps/1/saga",  "/steps/3/compensate/steps/0/saga",
		"/on_compensated/1/saga",
	};
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	struct findings findings = {0};

	ck_assert_int_eq(
		definition_load("saga: x\nsteps:\n"
						"  - {id: a, saga: there}\n"
						"  - {id: b, saga: gone, compensate: none}\n"
						"  - {id: c, saga: there, compensate: {saga: gone}}\n"
						"  - {id: d, steps: [{id: e, set: 1}, {id: f, saga: gone}],\n"
						"     compensate: {steps: [{id: g, saga: gone}]}}\n"
						"on_compensated:\n  - {id: h, set: 1}\n  - {id: i, saga: gone}\n",
						&def, &findings),
		0);
	findings_release(&findings);
	findings = (struct findings){0};
	def_children_find(def, is_there, NULL, NULL, &findings);
	ck_assert_uint_eq(findings.n, ARRAY_SIZE(pointers));
	ck_assert_uint_eq(findings.n_errors, 0);
	for (size_t i = 0; i < findings.n; i++) {
		ck_assert_int_eq(findings.list[i].level, FINDING_WARNING);
		ck_assert_str_eq(findings.list[i].pointer, pointers[i]);
		ck_assert_str_eq(findings.list[i].text,
						 "until saga `gone` is deployed, this step fails with "
						 "`definition_not_found`: it is not there");
	}
	findings_release(&findings);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("def_children");
	TCase *tc = tcase_create("def_children");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_def_children__finds_what_cannot_be_undone, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, test_def_children__warns_of_what_is_not_there);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
