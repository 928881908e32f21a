/*
 * Time zones of this machine, against its C library; and files that are damaged. A check runs in a
 * process of its own, so TZ may be set as each zone needs it.
 */
#include "connectors/tzfile.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/cron.h"

enum { ZONES_MAX = 1000, FOLDER = sizeof("/usr/share/zoneinfo/") - 1 };

static char *zones[ZONES_MAX];
static size_t n_zones;
static uint64_t seed;

static uint64_t draw(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) % n;
}

static int note_zone(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	struct tz *tz = NULL;

	(void)stat;
	(void)ftw;
	if (type != FTW_F || n_zones == ZONES_MAX || strncmp(path + FOLDER, "right/", 6) == 0 ||
		strncmp(path + FOLDER, "posix/", 6) == 0)
		return 0;
	if (tzfile_read(path + FOLDER, &tz, NULL) == 0)
		zones[n_zones++] = xstrdup(path + FOLDER);
	tz_free(tz);
	return 0;
}

static void find_zones(void)
{
	const char *said = getenv("SEED");

	seed = said ? strtoull(said, NULL, 10) : (uint64_t)time(NULL);
	fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
	nftw("/usr/share/zoneinfo", note_zone, 8, FTW_PHYS);
	ck_assert_msg(n_zones > 100, "the package tzdata is missing");
}

static void set_zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static int64_t libc_offset(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	ck_assert_ptr_nonnull(localtime_r(&t, &tm));
	return tm.tm_gmtoff;
}

START_TEST(test_tzfile__offsets_are_those_of_the_c_library)
{
	find_zones();
	for (size_t i = 0; i < n_zones; i++) {
		CLEANUP(tz_free_p) struct tz *tz = NULL;
		struct err err = {0};

		ck_assert_msg(tzfile_read(zones[i], &tz, &err) == 0, "%s: %s", zones[i], err.text);
		set_zone(zones[i]);
		for (int k = 0; k < 300; k++) { /* from 1901 to 2100 */
			int64_t at = (int64_t)draw(199LL * 31556952) - 69LL * 31556952;
			int64_t change = tz_next_change(tz, at);

			ck_assert_msg(tz_offset(tz, at) == libc_offset(at), "%s at %lld", zones[i],
						  (long long)at);
			if (change == INT64_MAX || change > 4102444800)
				continue;
			ck_assert_msg(tz_offset(tz, change) == libc_offset(change), "%s at %lld", zones[i],
						  (long long)change);
			ck_assert_msg(tz_offset(tz, change - 1) == libc_offset(change - 1), "%s before %lld",
						  zones[i], (long long)change);
		}
	}
}
END_TEST

/* Minutes of the local clock, as if they were UTC. */
static int64_t local_minute(int64_t at)
{
	return (at + libc_offset(at)) / 60;
}

static bool is_due_minute(const struct cron *cron, int64_t minute)
{
	time_t t = (time_t)minute * 60;
	bool by_day, by_weekday;
	struct tm tm;

	gmtime_r(&t, &tm);
	by_day = cron->days >> tm.tm_mday & 1;
	by_weekday = cron->weekdays >> tm.tm_wday & 1;
	return cron->minutes >> tm.tm_min & 1 && cron->hours >> tm.tm_hour & 1 &&
		   cron->months >> (tm.tm_mon + 1) & 1 &&
		   (cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday);
}

/* Minute by minute: due is the moment in which the clock comes to a time that fits, or past one,
 * for the first time. -1: not until the end. */
static int64_t next_by_walking(const struct cron *cron, int64_t after, int64_t until)
{
	int64_t from = after - after % 60 - 2 * 86400, shown = local_minute(from);

	for (int64_t at = from; at <= until; at += 60) {
		int64_t now = local_minute(at);

		for (; shown < now; shown++)
			if (is_due_minute(cron, shown + 1) && at > after)
				return at;
	}
	return -1;
}

START_TEST(test_cron__is_due_as_a_clock_on_the_wall_shows_it)
{
	static const char *const lines[] = {"30 2 * * *",    "*/10 * * * *",  "15 0-3 * * *",
										"0 0 * * *",     "59 1,23 * * 0", "30 1 1-7 * *",
										"5/25 */3 * * 5"};

	find_zones();
	for (int k = 0; k < 400; k++) {
		const char *zone = zones[draw(n_zones)];
		CLEANUP(tz_free_p) struct tz *tz = NULL;
		/* Offsets have whole minutes since 1975 or so. */
		int64_t at = 7LL * 31556952 + (int64_t)draw(120LL * 31556952), until, expected, got;
		struct cron cron;

		ck_assert_int_eq(tzfile_read(zone, &tz, NULL), 0);
		ck_assert_int_eq(cron_parse(lines[draw(ARRAY_SIZE(lines))], &cron, NULL), 0);
		set_zone(zone);
		if (draw(4) > 0 && tz_next_change(tz, at) < 4291747200)
			at = tz_next_change(tz, at) - 90000 + (int64_t)draw(180000);
		until = at + 3 * 86400;
		got = cron_next(&cron, tz, at * 1000);
		expected = next_by_walking(&cron, at, until);
		if (expected < 0)
			ck_assert_msg(got > until * 1000, "%s after %lld", zone, (long long)at);
		else
			ck_assert_msg(got == expected * 1000, "%s after %lld: %lld and not %lld", zone,
						  (long long)at, (long long)got / 1000, (long long)expected);
	}
}
END_TEST

START_TEST(test_tzfile__names_lead_nowhere_else)
{
	static const char *const names[] = {
		"",         "../../etc/passwd",      "/etc/passwd", "Europe/",
		"a//b",     "Europe/Atlantis",       "Europe",      ".hidden",
		"zone.tab", "posix/../Europe/Berlin"};
	struct tz *tz = NULL;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_msg(tzfile_read(names[i], &tz, &err) == ERR_NOT_FOUND, "%s", names[i]);
		ck_assert_ptr_null(tz);
	}
	ck_assert_int_eq(tzfile_read("UTC", &tz, &err), 0);
	ck_assert_int_eq(tz_offset(tz, 1000000000), 0);
	tz_free(tz);
}
END_TEST

static size_t read_file(const char *name, unsigned char *data, size_t size)
{
	CLEANUP(free_p) char *path = xasprintf("/usr/share/zoneinfo/%s", name);
	FILE *file = fopen(path, "rb");
	size_t len;

	ck_assert_msg(file != NULL, "the package tzdata is missing");
	len = fread(data, 1, size, file);
	fclose(file);
	return len;
}

/* Whatever the bytes are, it is a zone or an error; what is a zone can be asked. */
static void must_not_hurt(const unsigned char *data, size_t len)
{
	CLEANUP(free_p) unsigned char *exact = xcalloc(1, len + 1); /* so that a look past it is seen */
	struct tz *tz = NULL;
	struct cron cron;

	memcpy(exact, data, len);
	ck_assert_int_eq(cron_parse("30 2 * * *", &cron, NULL), 0);
	if (tzfile_parse(exact, len, &tz, NULL) < 0) {
		ck_assert_ptr_null(tz);
		return;
	}
	for (int64_t at = -3000000000; at < 6000000000; at += 500000000) {
		ck_assert_int_le(labs((long)tz_offset(tz, at)), TZ_MAX_OFFSET);
		ck_assert_int_gt(tz_next_change(tz, at), at);
	}
	ck_assert_int_ne(cron_next(&cron, tz, INT64_C(1700000000000)), 0);
	tz_free(tz);
}

START_TEST(test_tzfile__a_damaged_file_is_an_error)
{
	static const char *const names[] = {"Europe/Berlin", "America/Godthab", "Asia/Kathmandu"};
	unsigned char data[16384], bad[16384];

	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);
	fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = read_file(names[i], data, sizeof(data));

		for (size_t cut = 0; cut < len; cut++)
			must_not_hurt(data, cut);
		for (int k = 0; k < 3000; k++) {
			memcpy(bad, data, len);
			for (uint64_t n = draw(8) + 1; n > 0; n--)
				bad[draw(draw(2) ? len : 90)] = (unsigned char)draw(256);
			must_not_hurt(bad, len);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tzfile");
	TCase *tcase = tcase_create("tzfile");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_tzfile__offsets_are_those_of_the_c_library);
	tcase_add_test(tcase, test_cron__is_due_as_a_clock_on_the_wall_shows_it);
	tcase_add_test(tcase, test_tzfile__names_lead_nowhere_else);
	tcase_add_test(tcase, test_tzfile__a_damaged_file_is_an_error);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
