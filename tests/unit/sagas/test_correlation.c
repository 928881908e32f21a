#include "sagas/correlation.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static const struct {
	struct correlation correlation;
	const char *text;
} pairs[] = {
	{{"default", ID, "charge", -1, 1, CALL_DO, 0}, "default/" ID "/charge/do"},
	{{"default", ID, "charge", -1, 1, CALL_UNDO, 0}, "default/" ID "/charge/undo"},
	{{"a-1", ID, "reserve", 0, 1, CALL_DO, 0}, "a-1/" ID "/reserve[0]/do"},
	{{"a-1", ID, "reserve", 999, 1, CALL_UNDO, 0}, "a-1/" ID "/reserve[999]/undo"},
	{{"x", ID, "s", -1, 1, CALL_PROBE_DO, 1}, "x/" ID "/s/probe-do.1"},
	{{"x", ID, "s", 7, 1, CALL_PROBE_UNDO, INT64_MAX},
	 "x/" ID "/s[7]/probe-undo.9223372036854775807"},
	{{"default", ID, "charge", -1, 2, CALL_DO, 0}, "default/" ID "/charge~2/do"},
	{{"a-1", ID, "reserve", 12, 34, CALL_UNDO, 0}, "a-1/" ID "/reserve~34[12]/undo"},
};

START_TEST(test_correlation__is_read_as_it_was_written)
{
	const struct correlation *wanted = &pairs[_i].correlation;
	struct correlation read;
	struct buf out;

	buf_init(&out, 0);
	correlation_write(wanted, &out);
	ck_assert_str_eq(buf_str(&out), pairs[_i].text);
	ck_assert(correlation_read(buf_str(&out), out.len, &read));
	ck_assert_str_eq(read.ns, wanted->ns);
	ck_assert_str_eq(read.saga_id, wanted->saga_id);
	ck_assert_str_eq(read.step, wanted->step);
	ck_assert_int_eq(read.item, wanted->item);
	ck_assert_int_eq(read.run, wanted->run);
	ck_assert_int_eq(read.kind, wanted->kind);
	ck_assert_int_eq(read.ask, wanted->ask);
	buf_release(&out);
}
END_TEST

/* Whatever is cut off the end, or stands after it, is none. */
START_TEST(test_correlation__is_read_whole_or_not_at_all)
{
	const char *text = pairs[_i].text;
	char longer[512];
	struct correlation read;

	for (size_t len = 0; len < strlen(text); len++) {
		/* "…/probe-undo.92" is the number of another probe. */
		if (strstr(text, "probe-") && len > (size_t)(strrchr(text, '.') - text + 1))
			break;
		ck_assert_msg(!correlation_read(text, len, &read), "%.*s", (int)len, text);
	}
	snprintf(longer, sizeof(longer), "%s ", text);
	ck_assert(!correlation_read(longer, strlen(longer), &read));
	ck_assert(!correlation_read(text, strlen(text) + 1, &read)); /* the NUL */
}
END_TEST

static const char *const garbage[] = {
	"",
	"////",
	"charge/do",
	"5f0c7a6a-5b6f-4c5e-9f5f-0d7e3b8a1c2d",
	"default/5f0c7a6a-5b6f-4c5e-9f5f-0d7e3b8a1c2d/charge/do", /* no id of ours */
	"/" ID "/charge/do",
	"Default/" ID "/charge/do",
	"de fault/" ID "/charge/do",
	"default/" ID "//do",
	"default/" ID "/Charge/do",
	"default/" ID "/-charge/do",
	"default/" ID "/1charge/do",
	"default/" ID "/charge/",
	"default/" ID "/charge/redo",
	"default/" ID "/charge/DO",
	"default/" ID "/charge/do/do",
	"default/" ID "/charge[]/do",
	"default/" ID "/charge[-1]/do",
	"default/" ID "/charge[+1]/do",
	"default/" ID "/charge[01]/do",
	"default/" ID "/charge[1/do",
	"default/" ID "/charge]1[/do",
	"default/" ID "/charge[1]x/do",
	"default/" ID "/charge[1][2]/do",
	"default/" ID "/charge[1001]/do",
	"default/" ID "/charge[99999999999999999999]/do",
	"default/" ID "/charge~/do",
	"default/" ID "/charge~0/do",
	"default/" ID "/charge~1/do",
	"default/" ID "/charge~02/do",
	"default/" ID "/charge~2~3/do",
	"default/" ID "/charge[1]~2/do",
	"default/" ID "/charge~2[1/do",
	"default/" ID "/charge~x/do",
	"default/" ID "/~2/do",
	"default/" ID "/charge/probe-do",
	"default/" ID "/charge/probe-do.",
	"default/" ID "/charge/probe-do.0",
	"default/" ID "/charge/probe-do.01",
	"default/" ID "/charge/probe-do.-1",
	"default/" ID "/charge/probe-do.1x",
	"default/" ID "/charge/probe-do.9223372036854775808",
	"0123456789012345678901234567890123456789012345678901234567890123/" ID "/charge/do",
};

START_TEST(test_correlation__refuses_what_it_did_not_write)
{
	struct correlation read = {.item = 42};

	ck_assert(!correlation_read(garbage[_i], strlen(garbage[_i]), &read));
	ck_assert_int_eq(read.item, 42);
}
END_TEST

START_TEST(test_correlation__refuses_what_is_too_long)
{
	char text[CORRELATION_MAX_BYTES + 300];
	struct correlation read;

	snprintf(text, sizeof(text), "default/" ID "/%0*d/do", 200, 0);
	memset(strrchr(text, '/') - 200, 's', 200);
	ck_assert(!correlation_read(text, strlen(text), &read));
	memset(text, 'a', sizeof(text));
	ck_assert(!correlation_read(text, sizeof(text), &read));
}
END_TEST

/* No byte of it can be another without its being another correlation, or none. */
START_TEST(test_correlation__has_one_text)
{
	const char *text = pairs[_i].text;
	char changed[512];

	for (size_t at = 0; at < strlen(text); at++) {
		for (int c = 0; c < 256; c++) {
			struct correlation read;
			struct buf out;

			if (c == (unsigned char)text[at])
				continue;
			snprintf(changed, sizeof(changed), "%s", text);
			changed[at] = (char)c;
			if (!correlation_read(changed, strlen(text), &read))
				continue;
			buf_init(&out, 0);
			correlation_write(&read, &out);
			ck_assert_str_eq(buf_str(&out), changed);
			buf_release(&out);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlation");
	TCase *tc = tcase_create("correlation");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_correlation__is_read_as_it_was_written, 0, ARRAY_SIZE(pairs));
	tcase_add_loop_test(tc, test_correlation__is_read_whole_or_not_at_all, 0, ARRAY_SIZE(pairs));
	tcase_add_loop_test(tc, test_correlation__refuses_what_it_did_not_write, 0,
						ARRAY_SIZE(garbage));
	tcase_add_test(tc, test_correlation__refuses_what_is_too_long);
	tcase_add_loop_test(tc, test_correlation__has_one_text, 0, ARRAY_SIZE(pairs));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
