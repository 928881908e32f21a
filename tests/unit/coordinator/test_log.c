/* What a line of the log looks like, and that nothing can break out of it. */
#include "coordinator/log.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Redirects stderr into a pipe around one message, and gives the line without its time. */
static void log_line(enum log_level level, bool json, const char *text, char *line, size_t size)
{
	int ends[2], kept = dup(STDERR_FILENO);
	ssize_t len;

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_setup(LOG_INFO, json);
	log_write(level, "engine", "0198c0de", "%s", text);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(ends[1]);
	len = read(ends[0], line, size - 1);
	close(ends[0]);
	ck_assert_int_ge(len, 0);
	line[len] = '\0';
}

START_TEST(test_log__writes_one_line_of_logfmt)
{
	char line[4096];

	log_line(LOG_WARN, false, "a \"quoted\"\nline", line, sizeof(line));
	ck_assert_ptr_nonnull(
		strstr(line, "Z warn engine saga=\"0198c0de\" msg=\"a \\\"quoted\\\"\\nline\"\n"));
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(test_log__writes_one_line_of_json)
{
	char line[4096];

	log_line(LOG_ERROR, true, "a \"quoted\"\nline", line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line,
								 "\"level\":\"error\",\"component\":\"engine\","
								 "\"saga\":\"0198c0de\",\"msg\":\"a \\\"quoted\\\"\\nline\"}\n"));
}
END_TEST

START_TEST(test_log__is_silent_below_its_level)
{
	char line[4096];

	log_line(LOG_DEBUG, false, "nothing", line, sizeof(line));
	ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(test_log__cuts_a_long_message)
{
	char line[8192], text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_line(LOG_INFO, false, text, line, sizeof(line));
	ck_assert_uint_lt(strlen(line), 2000);
	ck_assert_str_eq(line + strlen(line) - 2, "\"\n");
}
END_TEST

START_TEST(test_log__knows_its_levels)
{
	ck_assert_int_eq(log_level_parse("debug"), LOG_DEBUG);
	ck_assert_int_eq(log_level_parse("off"), LOG_OFF);
	ck_assert_int_eq(log_level_parse("loud"), -2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_log__writes_one_line_of_logfmt);
	tcase_add_test(tc, test_log__writes_one_line_of_json);
	tcase_add_test(tc, test_log__is_silent_below_its_level);
	tcase_add_test(tc, test_log__cuts_a_long_message);
	tcase_add_test(tc, test_log__knows_its_levels);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
