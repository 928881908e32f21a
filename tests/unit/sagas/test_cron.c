/* Cron lines: what they mean, and when they are due. */
#include "sagas/cron.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Central European time, by its rule alone. */
static struct tz *berlin(void)
{
	static const char rule[] = "CET-1CEST,M3.5.0,M10.5.0/3";
	struct tz *tz = tz_new();

	ck_assert_int_eq(tz_rule_parse(rule, strlen(rule), &tz->rule, NULL), 0);
	tz->has_rule = true;
	return tz;
}

static wall_ms at(const char *text)
{
	wall_ms ms;

	ck_assert_int_eq(time_parse(text, &ms, NULL), 0);
	return ms;
}

/* The next times after a moment, as they are in UTC. */
static void expect(const char *line, const struct tz *tz, const char *after,
				   const char *const *expected)
{
	wall_ms now = at(after);
	struct cron cron;
	struct err err = {0};

	ck_assert_msg(cron_parse(line, &cron, &err) == 0, "%s", err.text);
	for (; *expected; expected++) {
		now = cron_next(&cron, tz, now);
		ck_assert_msg(now == at(*expected), "%s after %s: %lld, not %s", line, after,
					  (long long)now, *expected);
	}
}
#define EXPECT(line, tz, after, ...)                                                               \
	expect(line, tz, after, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(test_cron__is_due_when_its_fields_say)
{
	CLEANUP(tz_free_p) struct tz *utc = tz_new();

	EXPECT("*/15 8-9 * * *", utc, "2026-03-01T08:20:00Z", "2026-03-01T08:30:00Z",
		   "2026-03-01T08:45:00Z", "2026-03-01T09:00:00Z", "2026-03-01T09:15:00Z",
		   "2026-03-01T09:30:00Z", "2026-03-01T09:45:00Z", "2026-03-02T08:00:00Z");
	EXPECT("0 3 * * mon-fri", utc, "2026-03-06T03:00:00Z", "2026-03-09T03:00:00Z");
	EXPECT("0 3 * * 7", utc, "2026-03-06T03:00:00Z", "2026-03-08T03:00:00Z");
	EXPECT("59 23 31 dec *", utc, "2026-12-31T23:58:59.999Z", "2026-12-31T23:59:00Z",
		   "2027-12-31T23:59:00Z");
	EXPECT("0 0 29 2 *", utc, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
		   "2032-02-29T00:00:00Z");
	EXPECT("10/20 0 1 */6 *", utc, "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z",
		   "2026-01-01T00:30:00Z", "2026-01-01T00:50:00Z", "2026-07-01T00:10:00Z");
	/* Both days are said: either will do. */
	EXPECT("0 0 13 * fri", utc, "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z",
		   "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z");
	EXPECT("0 0 */10 * mon", utc, "2026-06-01T00:00:00Z", "2026-08-31T00:00:00Z");
	EXPECT("@weekly", utc, "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z");
	EXPECT("@Monthly", utc, "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
	EXPECT("0,30 0 1 1 *", utc, "1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z",
		   "1970-01-01T00:30:00Z");
}
END_TEST

START_TEST(test_cron__what_the_clock_skips_is_due_after_the_gap)
{
	CLEANUP(tz_free_p) struct tz *tz = berlin();

	/* On 2026-03-29 the clock goes from 02:00 to 03:00, at 01:00 UTC. */
	EXPECT("30 2 * * *", tz, "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z",
		   "2026-03-30T00:30:00Z");
	/* All that the gap holds is due once, together with what is due in that moment. */
	EXPECT("*/20 2-3 29 3 *", tz, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z",
		   "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z", "2027-03-29T00:00:00Z");
}
END_TEST

START_TEST(test_cron__what_the_clock_shows_twice_is_due_once)
{
	CLEANUP(tz_free_p) struct tz *tz = berlin();

	/* On 2026-10-25 the clock goes from 03:00 back to 02:00, at 01:00 UTC. */
	EXPECT("30 2 * * *", tz, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
		   "2026-10-26T01:30:00Z");
	EXPECT("0 * * * *", tz, "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z");
	/* Whoever looks in the second of the two hours is told of the next day. */
	EXPECT("30 2 * * *", tz, "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z");
}
END_TEST

START_TEST(test_cron__says_what_is_wrong)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"0 3 * *", "five fields"},
		{"0 3 * * * *", "five fields"},
		{"", "five fields"},
		{"@reboot", "five fields"},
		{"60 * * * *", "minute"},
		{"* 24 * * *", "hour"},
		{"* * 0 * *", "day of the month"},
		{"* * * 13 *", "month"},
		{"* * * * 8", "weekday"},
		{"5-1 * * * *", "minute"},
		{"*/0 * * * *", "minute"},
		{"1,,2 * * * *", "minute"},
		{"1- * * * *", "minute"},
		{"* * * foo *", "jan"},
		{"* * * * monday", "weekday"},
		{"-1 * * * *", "minute"},
		{"1;2 * * * *", "minute"},
		{"99999999999 * * * *", "minute"},
		{"0 0 31 2,4 *", "never due"},
		{"0 0 30 feb *", "never due"},
	};
	struct cron cron;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};

		ck_assert_msg(cron_parse(cases[i].line, &cron, &err) == ERR_INVALID, "%s", cases[i].line);
		ck_assert_msg(strstr(err.text, cases[i].says), "%s: %s", cases[i].line, err.text);
	}
}
END_TEST

START_TEST(test_tz__rules_are_as_posix_has_them)
{
	static const char *const wrong[] = {
		"",
		"X1",
		"CET",
		"CET-1CEST",
		"CET-1CEST,M3.5.0",
		"CET-25",
		"<+3>3",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J5",
		"CET-1CEST,366,5",
		"CET-1CEST,M3.5.0,M10.5.0/168",
		"CET-1CEST,M3.5.0,M10.5.0x",
		"CET-1:60",
	};
	CLEANUP(tz_free_p) struct tz *tz = tz_new();
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_msg(tz_rule_parse(wrong[i], strlen(wrong[i]), &tz->rule, &err) == ERR_INVALID,
					  "%s", wrong[i]);
	tz->has_rule = true;
#define RULE(text) ck_assert_int_eq(tz_rule_parse(text, strlen(text), &tz->rule, &err), 0)
#define OFFSET(when) tz_offset(tz, at(when) / 1000)
	RULE("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1"); /* Greenland: in the evening before */
	ck_assert_int_eq(OFFSET("2026-03-29T00:59:59Z"), -3 * 3600);
	ck_assert_int_eq(OFFSET("2026-03-29T01:00:00Z"), -2 * 3600);
	ck_assert_int_eq(OFFSET("2026-10-25T00:59:59Z"), -2 * 3600);
	ck_assert_int_eq(OFFSET("2026-10-25T01:00:00Z"), -3 * 3600);
	RULE("AEST-10AEDT,M10.1.0,M4.1.0/3"); /* summer is over the new year */
	ck_assert_int_eq(OFFSET("2026-01-01T00:00:00Z"), 11 * 3600);
	ck_assert_int_eq(OFFSET("2026-07-01T00:00:00Z"), 10 * 3600);
	RULE("XXX3EDT4,0/0,J365/23"); /* summer for ever */
	for (int day = 0; day < 800; day++)
		ck_assert_int_eq(tz_offset(tz, at("2026-12-30T00:00:00Z") / 1000 + day * 3600), -4 * 3600);
	RULE("NPT-5:45:30");
	ck_assert_int_eq(OFFSET("2026-07-01T00:00:00Z"), 5 * 3600 + 45 * 60 + 30);
#undef RULE
#undef OFFSET
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cron");
	TCase *tcase = tcase_create("cron");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_cron__is_due_when_its_fields_say);
	tcase_add_test(tcase, test_cron__what_the_clock_skips_is_due_after_the_gap);
	tcase_add_test(tcase, test_cron__what_the_clock_shows_twice_is_due_once);
	tcase_add_test(tcase, test_cron__says_what_is_wrong);
	tcase_add_test(tcase, test_tz__rules_are_as_posix_has_them);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
