/* Times and durations as text. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/time.h"

static void expect_format(wall_ms at, const char *text)
{
	char got[TIME_TEXT_SIZE];

	time_format(at, got);
	ck_assert_str_eq(got, text);
}

START_TEST(test_time__formats_utc_with_milliseconds)
{
	expect_format(0, "1970-01-01T00:00:00.000Z");
	expect_format(-1, "1969-12-31T23:59:59.999Z");
	expect_format(1709210096789, "2024-02-29T12:34:56.789Z");
	expect_format(253402300799999, "9999-12-31T23:59:59.999Z");
	expect_format(-62167219200000, "0000-01-01T00:00:00.000Z");
	expect_format(INT64_MIN, "-9223372036854775808ms");
}
END_TEST

START_TEST(test_time__parses_what_it_formats)
{
	struct err err;
	char text[TIME_TEXT_SIZE];
	wall_ms at, again;

	for (at = -62135596800000; at < 253402300799999; at += 86400000LL * 97 + 12345677) {
		time_format(at, text);
		ck_assert_int_eq(time_parse(text, &again, &err), 0);
		ck_assert_int_eq(at, again);
	}
}
END_TEST

static const struct {
	const char *text;
	wall_ms at;
} times[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1970-01-01T01:30:00+01:30", 0},
	{"1969-12-31T16:00:00-08:00", 0},
	{"1970-01-01t00:00:00.5z", 500},
	{"1970-01-01 00:00:00.123456789Z", 123},
	{"2000-02-29T00:00:00Z", 951782400000},
	{"2016-12-31T23:59:60Z", 1483228800000},
	{"1969-12-31T23:59:59.999Z", -1},
};

START_TEST(test_time__parses_rfc3339)
{
	struct err err;
	wall_ms at;

	ck_assert_int_eq(time_parse(times[_i].text, &at, &err), 0);
	ck_assert_int_eq(at, times[_i].at);
}
END_TEST

static const char *const bad_times[] = {
	"",
	"now",
	"1970-01-01",
	"1970-01-01T00:00:00",
	"1970-13-01T00:00:00Z",
	"1970-00-01T00:00:00Z",
	"1900-02-29T00:00:00Z",
	"1970-01-01T24:00:00Z",
	"1970-01-01T00:60:00Z",
	"1970-01-01T00:00:00.Z",
	"1970-01-01T00:00:00+0100",
	"1970-01-01T00:00:00Zx",
	"0000-01-01T00:00:00Z",
	"0001-01-01T00:00:00+00:01",
	"+970-01-01T00:00:00Z",
};

START_TEST(test_time__refuses_what_is_no_time)
{
	struct err err = {0};
	wall_ms at = 42;

	ck_assert_int_eq(time_parse(bad_times[_i], &at, &err), ERR_INVALID);
	ck_assert_int_eq(at, 42);
	ck_assert_int_gt(strlen(err.text), 0);
}
END_TEST

static const struct {
	const char *text;
	int64_t ms;
} durations[] = {
	{"200ms", 200},
	{"3s", 3000},
	{"4h", 14400000},
	{"3d", 259200000},
	{"1h30m", 5400000},
	{"1.5s", 1500},
	{"0", 0},
	{"0s", 0},
	{".5s", 500},
	{"1m1s1ms", 61001},
	{"1us", 0},
	{"1500us", 1},
	{"3652500d", 315576000000000},
};

START_TEST(test_duration__parses_units)
{
	struct err err;
	int64_t ms;

	ck_assert_int_eq(duration_parse(durations[_i].text, &ms, &err), 0);
	ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

static const char *const bad_durations[] = {
	"",     "5",  "s", "-3s", "-0s", "3x", "3 s", "1h30", ".s", "3652501d", "99999999999999999999s",
	"1e3s", "s3",
};

START_TEST(test_duration__refuses_what_is_no_duration)
{
	struct err err;
	int64_t ms = 42;

	ck_assert_int_eq(duration_parse(bad_durations[_i], &ms, &err), ERR_INVALID);
	ck_assert_int_eq(ms, 42);
}
END_TEST

START_TEST(test_duration__keeps_sign_and_nanoseconds_in_spans)
{
	struct time_span span;
	struct err err;

	ck_assert_int_eq(duration_parse_span("-1.5s", 5, &span, &err), 0);
	ck_assert_int_eq(span.seconds, -1);
	ck_assert_int_eq(span.nanos, -500000000);
	ck_assert_int_eq(duration_parse_span("+7ns", 4, &span, &err), 0);
	ck_assert_int_eq(span.seconds, 0);
	ck_assert_int_eq(span.nanos, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("time");
	TCase *tc = tcase_create("time");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_time__formats_utc_with_milliseconds);
	tcase_add_test(tc, test_time__parses_what_it_formats);
	tcase_add_loop_test(tc, test_time__parses_rfc3339, 0, ARRAY_SIZE(times));
	tcase_add_loop_test(tc, test_time__refuses_what_is_no_time, 0, ARRAY_SIZE(bad_times));
	tcase_add_loop_test(tc, test_duration__parses_units, 0, ARRAY_SIZE(durations));
	tcase_add_loop_test(tc, test_duration__refuses_what_is_no_duration, 0,
						ARRAY_SIZE(bad_durations));
	tcase_add_test(tc, test_duration__keeps_sign_and_nanoseconds_in_spans);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
