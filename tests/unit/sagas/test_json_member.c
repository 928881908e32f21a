#include "sagas/json_member.h"

#include <check.h>
#include <stdlib.h>

#include "sagas/base/macros.h"

START_TEST(test_json_member__begins_with_a_comma_unless_it_is_the_first)
{
	CLEANUP(buf_release) struct buf out;

	buf_init(&out, 0);
	buf_add_char(&out, '{');
	json_member_text(&out, "a", "say \"x\"");
	json_member_text(&out, "b", NULL);
	json_member_name(&out, "c");
	buf_add_lit(&out, "[{");
	json_member_int(&out, "d", -7);
	json_member_bool(&out, "e", true);
	buf_add_lit(&out, "},{");
	json_member_bool(&out, "f", false);
	buf_add_lit(&out, "}]");
	json_member_time(&out, "g", 0);
	json_member_time(&out, "h", 1767225600123);
	buf_add_char(&out, '}');
	ck_assert_str_eq(buf_str(&out),
					 "{\"a\":\"say \\\"x\\\"\",\"b\":null,\"c\":[{\"d\":-7,\"e\":true},"
					 "{\"f\":false}],\"g\":null,\"h\":\"2026-01-01T00:00:00.123Z\"}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_member");
	TCase *tc = tcase_create("json_member");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_json_member__begins_with_a_comma_unless_it_is_the_first);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
