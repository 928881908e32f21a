/* Failpoints: what arms them, and that they end the process when they are reached. */
#include "coordinator/failpoint.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_failpoint__is_unarmed_unless_told)
{
	struct err err;

	ck_assert_int_eq(failpoints_arm(NULL, &err), 0);
	ck_assert_int_eq(failpoints_arm("", &err), 0);
	ck_assert(!failpoints_armed);
	failpoint(FP_COMMIT_BEFORE);
}
END_TEST

START_TEST(test_failpoint__names_what_is_wrong)
{
	static const char *const wrong[] = {
		"commit_before",          "commit_before:kill",   "commit_befor:1=kill",
		"commit_before:0=kill",   "commit_before:1=exit", "commit_before:1=kill,x",
		"commit_before:1=killed",
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(failpoints_arm(wrong[i], &err) == ERR_INVALID, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "failpoint"));
	}
}
END_TEST

START_TEST(test_failpoint__lets_the_times_before_pass)
{
	struct err err;

	ck_assert_int_eq(failpoints_arm("send_before:3=kill,drain:1=kill", &err), 0);
	ck_assert(failpoints_armed);
	failpoint(FP_SEND_BEFORE);
	failpoint(FP_SEND_AFTER);
	failpoint(FP_SEND_BEFORE);
}
END_TEST

START_TEST(test_failpoint__kills_at_its_time)
{
	struct err err;

	ck_assert_int_eq(failpoints_arm("send_before:2=kill", &err), 0);
	failpoint(FP_SEND_BEFORE);
	failpoint(FP_SEND_BEFORE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failpoint");
	TCase *tc = tcase_create("failpoint");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_failpoint__is_unarmed_unless_told);
	tcase_add_test(tc, test_failpoint__names_what_is_wrong);
	tcase_add_test(tc, test_failpoint__lets_the_times_before_pass);
	tcase_add_test_raise_signal(tc, test_failpoint__kills_at_its_time, SIGKILL);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* one of them dies */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
