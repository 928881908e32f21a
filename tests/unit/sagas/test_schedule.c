/* What a schedule has to do, with a clock that is moved. */
#include "sagas/schedule.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"

static struct schedule_state state;
static struct schedule_def def;
static struct schedule_now now;
static struct tz *tz;
static bool changed;
static char saga[SAGA_ID_SIZE] = "saga";

static wall_ms at(const char *text)
{
	wall_ms ms;

	ck_assert_int_eq(time_parse(text, &ms, NULL), 0);
	return ms;
}

static void setup(void)
{
	state = (struct schedule_state){.done = at("2026-01-01T00:00:00Z")};
	def = (struct schedule_def){.catch_up_ms = 24 * 3600000LL};
	now = (struct schedule_now){.now = state.done};
	ck_assert_int_eq(cron_parse("0 * * * *", &def.cron, NULL), 0);
	tz = tz_new();
}

static void teardown(void)
{
	tz_free(tz);
}

static struct schedule_plan ask(void)
{
	struct buf text;
	struct schedule_plan plan;

	/* As the store keeps it. */
	buf_init(&text, 0);
	schedule_state_write(&state, &text);
	ck_assert_int_eq(schedule_state_read(buf_str(&text), &state, NULL), 0);
	buf_release(&text);
	changed = false;
	plan = schedule_plan(&state, &def, tz, &now, &changed);
	return plan;
}

static void expect(enum schedule_step step, const char *when)
{
	struct schedule_plan plan = ask();

	ck_assert_int_eq(plan.step, step);
	if (when)
		ck_assert_int_eq(plan.at, at(when));
}

/* The start that it wants, at that planned time, goes well. */
static void start(const char *when, enum schedule_source source)
{
	struct schedule_plan plan = ask();

	ck_assert_int_eq(plan.step, SCHEDULE_START);
	ck_assert_int_eq(plan.source, source);
	ck_assert_int_eq(plan.at, at(when));
	schedule_told(&state, &plan, now.now, SCHEDULE_STARTED, saga, NULL);
}

START_TEST(test_schedule__begins_when_it_is_there)
{
	state = (struct schedule_state){0};
	now.now = at("2026-01-01T10:20:00Z");
	expect(SCHEDULE_SLEEP, "2026-01-01T11:00:00Z");
	ck_assert(changed);
	ck_assert_int_eq(state.done, now.now);
	expect(SCHEDULE_SLEEP, "2026-01-01T11:00:00Z");
	ck_assert(!changed);
}
END_TEST

START_TEST(test_schedule__starts_each_planned_time_once)
{
	now.now = at("2026-01-01T00:59:59Z");
	expect(SCHEDULE_SLEEP, "2026-01-01T01:00:00Z");
	now.now = at("2026-01-01T01:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	ck_assert_str_eq(state.last_saga, "saga");
	expect(SCHEDULE_SLEEP, "2026-01-01T02:00:00Z");
	ck_assert_str_eq(state.running, ""); /* it has ended */
	now.now = at("2026-01-01T02:30:00Z");
	start("2026-01-01T02:00:00Z", SOURCE_PLANNED);
	ck_assert_int_eq(state.n[SCHEDULE_STARTED], 2);
}
END_TEST

START_TEST(test_schedule__catches_up_within_its_window)
{
	def.catch_up_ms = 2 * 3600000;
	now.now = at("2026-01-01T05:30:00Z");
	start("2026-01-01T04:00:00Z", SOURCE_PLANNED);
	start("2026-01-01T05:00:00Z", SOURCE_PLANNED);
	expect(SCHEDULE_SLEEP, "2026-01-01T06:00:00Z");
	ck_assert_int_eq(state.n[SCHEDULE_MISSED], 3);
	ck_assert_int_eq(state.n[SCHEDULE_STARTED], 2);
}
END_TEST

START_TEST(test_schedule__a_long_absence_is_seen_to_in_parts)
{
	int n = 0;

	ck_assert_int_eq(cron_parse("* * * * *", &def.cron, NULL), 0);
	def.catch_up_ms = 1;
	now.now = at("2026-01-05T00:00:30Z");
	while (ask().step == SCHEDULE_AGAIN)
		n++;
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(state.n[SCHEDULE_MISSED], 4 * 24 * 60);
}
END_TEST

START_TEST(test_schedule__skips_while_one_is_open)
{
	now.now = at("2026-01-01T01:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	now.is_running = true;
	now.now = at("2026-01-01T02:10:00Z");
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	ck_assert_int_eq(state.n[SCHEDULE_SKIPPED], 1);
	now.is_running = false;
	now.now = at("2026-01-01T03:10:00Z");
	start("2026-01-01T03:00:00Z", SOURCE_PLANNED);
}
END_TEST

START_TEST(test_schedule__queues_one)
{
	def.overlap = OVERLAP_QUEUE;
	now.now = at("2026-01-01T01:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	now.is_running = true;
	now.now = at("2026-01-01T04:10:00Z");
	expect(SCHEDULE_SLEEP, "2026-01-01T05:00:00Z");
	ck_assert_int_eq(state.n[SCHEDULE_SKIPPED], 2);
	ck_assert_int_eq(state.n[SCHEDULE_QUEUED], 1);
	now.is_running = false;
	start("2026-01-01T02:00:00Z", SOURCE_QUEUED);
	expect(SCHEDULE_SLEEP, "2026-01-01T05:00:00Z");
}
END_TEST

START_TEST(test_schedule__cancels_and_waits_for_the_end)
{
	def.overlap = OVERLAP_CANCEL;
	now.now = at("2026-01-01T01:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	now.is_running = true;
	now.now = at("2026-01-01T02:00:00Z");
	expect(SCHEDULE_CANCEL, NULL);
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	now.now = at("2026-01-01T03:00:00Z"); /* it takes its time; the newest one waits */
	expect(SCHEDULE_CANCEL, NULL);
	expect(SCHEDULE_SLEEP, "2026-01-01T04:00:00Z");
	now.is_running = false;
	start("2026-01-01T03:00:00Z", SOURCE_QUEUED);
	ck_assert_int_eq(state.n[SCHEDULE_SKIPPED], 1);
}
END_TEST

START_TEST(test_schedule__starts_beside_what_is_open)
{
	def.overlap = OVERLAP_START;
	now.is_running = true;
	now.now = at("2026-01-01T02:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	start("2026-01-01T02:00:00Z", SOURCE_PLANNED);
}
END_TEST

START_TEST(test_schedule__a_pause_skips)
{
	now.paused = true;
	now.now = at("2026-01-01T02:30:00Z");
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	ck_assert_int_eq(state.n[SCHEDULE_SKIPPED], 2);
	ck_assert(changed);
	/* What a person asks for is started all the same; not of a definition that is paused. */
	state.asked = at("2026-01-01T02:31:00Z");
	now.held = true;
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	now.held = false;
	start("2026-01-01T02:31:00Z", SOURCE_ASKED);
	now.paused = false;
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
}
END_TEST

START_TEST(test_schedule__fills_in_what_is_past)
{
	state.done = now.now = at("2026-01-10T00:00:00Z");
	state.backfill = at("2026-01-01T00:00:00Z") - 1;
	state.until = at("2026-01-01T02:00:00Z");
	start("2026-01-01T00:00:00Z", SOURCE_BACKFILL);
	now.is_running = true;
	expect(SCHEDULE_SLEEP, "2026-01-10T01:00:00Z"); /* one after the other */
	now.is_running = false;
	start("2026-01-01T01:00:00Z", SOURCE_BACKFILL);
	now.is_running = true;
	state.side_by_side = true;
	start("2026-01-01T02:00:00Z", SOURCE_BACKFILL);
	expect(SCHEDULE_AGAIN, NULL);
	expect(SCHEDULE_SLEEP, "2026-01-10T01:00:00Z");
	ck_assert_int_eq(state.until, 0);
}
END_TEST

START_TEST(test_schedule__a_start_that_failed_is_over)
{
	struct schedule_plan plan;

	now.now = at("2026-01-01T01:00:00Z");
	plan = ask();
	schedule_told(&state, &plan, now.now, SCHEDULE_FAILED, NULL, "the \"input\" does not fit");
	expect(SCHEDULE_SLEEP, "2026-01-01T02:00:00Z");
	ck_assert_int_eq(state.last, SCHEDULE_FAILED);
	ck_assert_str_eq(state.last_detail, "the \"input\" does not fit");
}
END_TEST

START_TEST(test_schedule__what_became_of_an_asked_start_stands)
{
	struct schedule_plan plan;

	state.asked = now.now = at("2026-01-01T00:30:00Z");
	start("2026-01-01T00:30:00Z", SOURCE_ASKED);
	now.now = at("2026-01-01T01:00:00Z");
	start("2026-01-01T01:00:00Z", SOURCE_PLANNED);
	now.now = at("2026-01-01T02:00:00Z");
	plan = ask();
	schedule_told(&state, &plan, now.now, SCHEDULE_FAILED, NULL, "not now");
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	ck_assert_int_eq(state.last, SCHEDULE_FAILED);
	ck_assert_int_eq(state.told_asked, at("2026-01-01T00:30:00Z"));
	ck_assert_int_eq(state.told_result, SCHEDULE_STARTED);
	ck_assert_str_eq(state.told_saga, "saga");
	ck_assert_str_eq(state.told_detail, "");
	/* The next one takes its place. */
	state.asked = now.now;
	plan = ask();
	schedule_told(&state, &plan, now.now, SCHEDULE_FAILED, NULL, "it does not \"fit\"");
	expect(SCHEDULE_SLEEP, "2026-01-01T03:00:00Z");
	ck_assert_int_eq(state.told_asked, now.now);
	ck_assert_int_eq(state.told_result, SCHEDULE_FAILED);
	ck_assert_str_eq(state.told_saga, "");
	ck_assert_str_eq(state.told_detail, "it does not \"fit\"");
}
END_TEST

START_TEST(test_schedule__keys_tell_starts_apart)
{
	struct schedule_plan plan = {.at = at("2026-01-01T01:00:00Z")};
	char key[KEY_MAX_BYTES + 1];

	schedule_key("report", "nightly", &plan, key);
	ck_assert_str_eq(key, "report/nightly/2026-01-01T01:00:00.000Z");
	plan.source = SOURCE_BACKFILL;
	schedule_key("report", "nightly", &plan, key);
	ck_assert_str_eq(key, "report/nightly/2026-01-01T01:00:00.000Z");
	plan.source = SOURCE_ASKED;
	schedule_key("report", "nightly", &plan, key);
	ck_assert_str_eq(key, "report/nightly/asked/2026-01-01T01:00:00.000Z");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *tcase = tcase_create("schedule");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_schedule__begins_when_it_is_there);
	tcase_add_test(tcase, test_schedule__starts_each_planned_time_once);
	tcase_add_test(tcase, test_schedule__catches_up_within_its_window);
	tcase_add_test(tcase, test_schedule__a_long_absence_is_seen_to_in_parts);
	tcase_add_test(tcase, test_schedule__skips_while_one_is_open);
	tcase_add_test(tcase, test_schedule__queues_one);
	tcase_add_test(tcase, test_schedule__cancels_and_waits_for_the_end);
	tcase_add_test(tcase, test_schedule__starts_beside_what_is_open);
	tcase_add_test(tcase, test_schedule__a_pause_skips);
	tcase_add_test(tcase, test_schedule__fills_in_what_is_past);
	tcase_add_test(tcase, test_schedule__a_start_that_failed_is_over);
	tcase_add_test(tcase, test_schedule__what_became_of_an_asked_start_stands);
	tcase_add_test(tcase, test_schedule__keys_tell_starts_apart);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
