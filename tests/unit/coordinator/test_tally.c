/* What is counted by definition and step, and that the number of series is bounded. */
#include "coordinator/tally.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/definition.h"

static struct tally *tally;
static struct saga_def *def;
static struct buf out;

static void setup(void)
{
	tally = tally_new();
	def = definition_must_load("saga: order\n"
							   "participants: {p: {timeout: 1s}}\n"
							   "steps:\n"
							   "  - id: charge\n"
							   "    http: {to: p, method: POST, path: /a}\n"
							   "    compensate: {http: {to: p, method: POST, path: /b}}\n"
							   "  - id: ship\n"
							   "    http: {to: p, method: POST, path: /a}\n"
							   "    compensate: none\n");
	buf_init(&out, 0);
}

static void teardown(void)
{
	tally_free(tally);
	saga_def_unref(def);
	buf_release(&out);
}

static struct event event(enum event_type type, int step)
{
	struct event e;

	event_init(&e, type);
	e.step = step;
	return e;
}

static void assert_line(const char *line)
{
	CLEANUP(free_p) char *whole = xasprintf("\n%s\n", line);

	buf_clear(&out);
	tally_write(tally, &out);
	ck_assert_msg(strstr(buf_str(&out), whole) != NULL, "no line `%s` in:\n%s", line,
				  buf_str(&out));
}

START_TEST(test_tally__steps_and_compensations)
{
	struct event events[] = {
		event(EV_SAGA_STARTED, -1),
		event(EV_STEP_SCHEDULED, 0),
		event(EV_STEP_ATTEMPT_FAILED, 0),
		event(EV_STEP_COMPLETED, 0),
		event(EV_STEP_FAILED, 1),
		event(EV_STEP_FAILED, 1),
		event(EV_STEP_PARKED, 1),
		event(EV_STEP_SKIPPED, 1),
		event(EV_COMPENSATION_COMPLETED, 0),
		event(EV_COMPENSATION_COMPLETED, 0),
		event(EV_COMPENSATION_FAILED, 0),
		event(EV_COMPENSATION_SKIPPED, 0),
		event(EV_COMPENSATION_ATTEMPT_FAILED, 0),
		event(EV_SAGA_COMPENSATED, -1),
	};

	events[5].outcome = OUTCOME_UNKNOWN;
	events[9].by = (char *)"ann";
	tally_events(tally, "default", def, events, ARRAY_SIZE(events));
	tally_events(tally, "default", def, events, 4);
	tally_ended(tally, "default", def, SAGA_COMPENSATED);
	tally_ended(tally, "other-ns", def, SAGA_FAILED);
#define OF "{namespace=\"default\",definition=\"order\","
	assert_line("skald_definition_sagas_started_total{namespace=\"default\",definition=\"order\"} "
				"2");
	assert_line("skald_definition_sagas_ended_total" OF "status=\"compensated\"} 1");
	assert_line("skald_definition_sagas_ended_total{namespace=\"other-ns\",definition=\"order\","
				"status=\"failed\"} 1");
	assert_line("skald_step_ends_total" OF "step=\"charge\",outcome=\"completed\"} 2");
	assert_line("skald_step_ends_total" OF "step=\"ship\",outcome=\"failed\"} 2");
	assert_line("skald_step_ends_total" OF "step=\"ship\",outcome=\"unknown\"} 1");
	assert_line("skald_step_ends_total" OF "step=\"ship\",outcome=\"skipped\"} 1");
	assert_line("skald_step_attempts_failed_total" OF "step=\"charge\"} 2");
	assert_line("skald_compensation_ends_total" OF "step=\"charge\",outcome=\"done\"} 1");
	assert_line("skald_compensation_ends_total" OF "step=\"charge\",outcome=\"resolved\"} 1");
	assert_line("skald_compensation_ends_total" OF "step=\"charge\",outcome=\"failed\"} 1");
	assert_line("skald_compensation_ends_total" OF "step=\"charge\",outcome=\"skipped\"} 1");
	assert_line("skald_compensation_attempts_failed_total" OF "step=\"charge\"} 1");
}
END_TEST

START_TEST(test_tally__attention_and_acts)
{
	struct event acts[] = {event(EV_ACT_TAKEN, 0), event(EV_ACT_TAKEN, -1),
						   event(EV_SAGA_CANCEL_REQUESTED, -1), event(EV_SAGA_TERMINATED, -1),
						   event(EV_ACT_TAKEN, -1)};

	acts[0].name = acts[1].name = (char *)"retry";
	acts[4].name = (char *)"of a later version";
	tally_events(tally, "default", def, acts, ARRAY_SIZE(acts));
	tally_attention(tally, "stuck");
	tally_attention(tally, "stuck");
	tally_attention(tally, "of a later version");
	tally_attention(tally, NULL);
	assert_line("skald_attention_total{kind=\"stuck\"} 2");
	assert_line("skald_attention_total{kind=\"parked\"} 0");
	assert_line("skald_acts_total{act=\"retry\"} 2");
	assert_line("skald_acts_total{act=\"cancel\"} 1");
	assert_line("skald_acts_total{act=\"terminate\"} 1");
	assert_line("skald_acts_total{act=\"resolve\"} 0");
	/* A word that sagas and steps share is there once. */
	ck_assert_ptr_null(strstr(strstr(buf_str(&out), "act=\"retry\"") + 1, "act=\"retry\""));
}
END_TEST

START_TEST(test_tally__is_bounded)
{
	struct event events[] = {event(EV_SAGA_STARTED, -1), event(EV_STEP_COMPLETED, 0)};
	char ns[16];
	size_t len;

	for (int i = 0; i < TALLY_MAX + 20; i++) {
		snprintf(ns, sizeof(ns), "ns-%d", i);
		tally_events(tally, ns, def, events, ARRAY_SIZE(events));
	}
	assert_line("skald_definition_sagas_started_total{namespace=\"\",definition=\"other\"} 20");
	assert_line("skald_step_ends_total{namespace=\"\",definition=\"other\",step=\"other\","
				"outcome=\"completed\"} 20");
	len = out.len;
	for (int i = 0; i < 20; i++) {
		snprintf(ns, sizeof(ns), "more-%d", i);
		tally_events(tally, ns, def, events, ARRAY_SIZE(events));
	}
	assert_line("skald_definition_sagas_started_total{namespace=\"\",definition=\"other\"} 40");
	ck_assert_uint_eq(out.len, len);
	/* Those that were there first still are. */
	tally_events(tally, "ns-0", def, events, ARRAY_SIZE(events));
	assert_line("skald_definition_sagas_started_total{namespace=\"ns-0\",definition=\"order\"} 2");
}
END_TEST

START_TEST(test_tally__of_nobody)
{
	struct event events[] = {event(EV_SAGA_STARTED, -1)};

	tally_events(NULL, "default", def, events, 1);
	tally_ended(NULL, "default", def, SAGA_COMPLETED);
	tally_attention(NULL, "stuck");
	tally_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tc = tcase_create("tally");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_tally__steps_and_compensations);
	tcase_add_test(tc, test_tally__attention_and_acts);
	tcase_add_test(tc, test_tally__is_bounded);
	tcase_add_test(tc, test_tally__of_nobody);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
