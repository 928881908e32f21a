#include "sagas/status.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_status__texts_read_back)
{
	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		ck_assert_int_eq(saga_status_parse(saga_status_text((enum saga_status)i)), i);
	for (int i = 0; i < COMP_STATUS_COUNT; i++)
		ck_assert_int_eq(comp_status_parse(comp_status_text((enum comp_status)i)), i);
	ck_assert_str_eq(step_status_text(STEP_OUTCOME_UNKNOWN), "outcome_unknown");
	ck_assert_int_eq(saga_status_parse("done"), -1);
	ck_assert_int_eq(comp_status_parse(""), -1);
}
END_TEST

START_TEST(test_status__four_are_terminal)
{
	int n = 0;

	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		n += saga_status_is_terminal((enum saga_status)i);
	ck_assert_int_eq(n, 4);
	ck_assert(saga_status_is_terminal(SAGA_COMPLETED));
	ck_assert(saga_status_is_terminal(SAGA_COMPENSATED));
	ck_assert(saga_status_is_terminal(SAGA_FAILED));
	ck_assert(saga_status_is_terminal(SAGA_TERMINATED));
	ck_assert(!saga_status_is_terminal(SAGA_COMPENSATION_FAILED));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status");
	TCase *tcase = tcase_create("status");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_status__texts_read_back);
	tcase_add_test(tcase, test_status__four_are_terminal);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
