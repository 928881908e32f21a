/* Deciding about awaits of webhooks, and of several things of which the first wins. */
#include "sagas/decide.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static struct play play;

static void begin(const char *yaml)
{
	play_begin(&play, yaml, "{\"id\":\"o-1\",\"l\":[\"x\",\"y\"]}", false);
}

/* Time passes, and all that came in it was read. */
static void wait(int64_t ms)
{
	play.queues_read_until = play.now + ms;
	play_wait(&play, ms);
}

static void signal_told(const char *name, const char *data)
{
	CLEANUP(free_p)
	char *json = xasprintf("{\"act\":\"signal\",\"signal\":\"%s\",\"value\":%s}", name, data);

	ck_assert_int_eq(play_act(&play, json), 0);
}

static void event_came(int item, int place, const char *id, const char *event)
{
	play_event(&play, 0, item, place, id, event);
}

static const char *output_of(int step)
{
	return jval_text(play.state->steps[step].output, NULL);
}

static void expect_trail(const char *expected)
{
	ck_assert_str_eq(buf_str(&play.trail), expected);
}

#define PAID "{\"type\":\"paid\",\"data\":{\"order\":\"o-1\",\"amount\":9}}"

#define LIST                                                                                       \
	"saga: several\n"                                                                              \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    await:\n"                                                                                 \
	"      - {signal: signed, when: '${event.data.ok == true}'}\n"                                 \
	"      - {kafka: payments, correlate: {from: '${event.data.order}', expect: '${input.id}'},\n" \
	"         when: '${event.data.amount > 5}'}\n"                                                 \
	"      - {webhook: psp, correlate: {from: '${event.data.order}', expect: '${input.id}'}}\n"    \
	"      - {signal: turned_down}\n"

START_TEST(test_await_list__subscribes_a_place_for_each_event)
{
	const struct subscription *of;

	begin(LIST "    timeout: 2h\n");
	ck_assert_uint_eq(play.decision.n_subscriptions, 2);
	of = play.decision.subscriptions;
	ck_assert_int_eq(of[0].place, 1);
	ck_assert_str_eq(of[0].on->topic, "payments");
	ck_assert_str_eq(of[0].value, "o-1");
	ck_assert_int_eq(of[1].place, 2);
	ck_assert(of[1].on->webhook);
	ck_assert_str_ne(of[0].on->channel, of[1].on->channel);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 2 * HOUR);
	/* What is not wanted leaves all of them as they are. */
	event_came(-1, 1, "default/payments/0/1", "{\"data\":{\"amount\":1}}");
	event_came(-1, 0, "default/payments/0/2", PAID);
	event_came(-1, 7, "default/payments/0/3", PAID);
	event_came(-1, -1, "default/payments/0/4", PAID);
	ck_assert_uint_eq(play.decision.n_events, 0);
	event_came(-1, 2, "webhook/psp/1", PAID);
	ck_assert_uint_eq(play.decision.n_subscriptions, 2);
	ck_assert(play.decision.subscriptions[0].remove && play.decision.subscriptions[1].remove);
	ck_assert_str_eq(output_of(0), "{\"event\":\"psp\",\"data\":{\"order\":\"o-1\",\"amount\":9}}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	expect_trail("SagaStarted, StepScheduled a, StepCompleted a, SagaCompleted");
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__a_signal_wins_whether_it_came_before_or_after)
{
	begin(LIST);
	signal_told("signed", "{\"ok\":false}");
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	signal_told("turned_down", "1");
	ck_assert_str_eq(output_of(0), "{\"event\":\"turned_down\",\"data\":1}");
	ck_assert_uint_eq(play.decision.n_subscriptions, 2);
	/* The other one stays unread. */
	ck_assert_uint_eq(play.state->n_signals, 1);
	play_end(&play);

	begin("saga: early\nsteps:\n  - {id: w, await: {after: 1h}}\n"
		  "  - {id: a, await: [{signal: x}, {after: 1h}]}\n");
	signal_told("x", "{\"n\":1}");
	play_restart(&play);
	wait(HOUR);
	ck_assert_str_eq(output_of(1), "{\"event\":\"x\",\"data\":{\"n\":1}}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__ends_by_its_time)
{
	begin("saga: timed\nsteps:\n  - {id: a, await: [{signal: x}, {after: 2h}]}\n");
	/* With `after` nothing else limits it. */
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 2 * HOUR);
	play_restart(&play);
	play_wait(&play, 2 * HOUR - 1);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	play_wait(&play, 1); /* nothing of it comes through a queue */
	ck_assert_str_eq(output_of(0), "{\"event\":\"after\",\"data\":null}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);

	begin("saga: years\nsteps:\n  - {id: a, await: [{signal: x}, {after: "
		  "\"${duration('864000h')}\"}]}\n");
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + INT64_C(36000) * DAY);
	play_restart(&play);
	ck_assert(saga_state_may_sleep(play.state));
	wait(INT64_C(36000) * DAY - 1);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	wait(1);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);

	/* Past the last year that can be written it ends there. */
	begin("saga: ages\nsteps:\n  - {id: a, await: [{signal: x}], "
		  "timeout: \"${duration('87600000h')}\"}\n");
	ck_assert_int_eq(saga_state_next_due(play.state), TIME_MAX_SECONDS * 1000);
	play_end(&play);
	begin("saga: ages\nsteps:\n  - {id: a, await: {after: \"${duration('87600000h')}\"}}\n");
	ck_assert_int_eq(saga_state_next_due(play.state), TIME_MAX_SECONDS * 1000);
	play_restart(&play);
	ck_assert(saga_state_may_sleep(play.state));
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__its_time_out_fails_it)
{
	begin(LIST);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + DAY);
	play_end(&play);

	begin("saga: limited\nsteps:\n"
		  "  - {id: a, await: [{signal: x}, {after: 2h}], timeout: 3h, deadline: 1h}\n");
	wait(HOUR - 1);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	wait(1);
	ck_assert_str_eq(play.state->failure_code, "timeout");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);

	/* Of two that end at once, the one that completes it wins. */
	begin("saga: both\nsteps:\n  - {id: a, await: [{signal: x}, {after: 1h}], timeout: 1h}\n");
	wait(HOUR);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__what_arrived_wins_over_what_ran_out)
{
	begin(LIST "      - {after: 1h}\n");
	play_wait(&play, 2 * HOUR);
	ck_assert_uint_eq(play.decision.n_events, 0);
	event_came(-1, 1, "default/payments/0/1", PAID);
	ck_assert_ptr_nonnull(strstr(output_of(0), "\"payments\""));
	play_end(&play);

	begin(LIST "      - {after: 1h}\n");
	play_wait(&play, 2 * HOUR);
	wait(0);
	ck_assert_str_eq(output_of(0), "{\"event\":\"after\",\"data\":null}");
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__a_pause_moves_its_limit_and_not_its_time)
{
	wall_ms started;

	begin("saga: paused\nsteps:\n"
		  "  - {id: a, await: [{signal: x}, {after: 3h}], timeout: 2h, tolerate: true}\n");
	started = play.now;
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	wait(90 * MINUTE);
	signal_told("y", "1");
	ck_assert_int_eq(play.state->status, SAGA_PAUSED);
	ck_assert_int_eq(saga_state_next_due(play.state), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	/* The limit would be at 3.5 hours, so the time comes first now. */
	ck_assert_int_eq(saga_state_next_due(play.state), started + 3 * HOUR);
	play_restart(&play);
	ck_assert_int_eq(saga_state_next_due(play.state), started + 3 * HOUR);
	wait(90 * MINUTE);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	ck_assert_str_eq(output_of(0), "{\"event\":\"after\",\"data\":null}");
	play_end(&play);

	begin("saga: paused\nsteps:\n  - {id: a, await: [{signal: x}, {after: 1h}]}\n");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	signal_told("x", "1");
	ck_assert_int_eq(play.state->status, SAGA_PAUSED);
	wait(2 * HOUR);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	ck_assert_str_eq(output_of(0), "{\"event\":\"x\",\"data\":1}");
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__shapes_its_output_from_the_event)
{
	begin("saga: shaped\nsteps:\n  - id: a\n    await: [{signal: x}, {after: 1h}]\n"
		  "    output: {late: \"${event.?after.orValue(false)}\", n: \"${event.?data.?n}\"}\n");
	signal_told("x", "{\"n\":4}");
	ck_assert_str_eq(output_of(0), "{\"late\":false,\"n\":4}");
	play_end(&play);
	begin("saga: shaped\nsteps:\n  - id: a\n    await: [{signal: x}, {after: 1h}]\n"
		  "    output: {late: \"${event.?after.orValue(false)}\", at: '${event.time}'}\n");
	wait(HOUR);
	ck_assert_str_eq(output_of(0), "{\"late\":true,\"at\":\"2026-01-01T01:00:00.000Z\"}");
	play_end(&play);
}
END_TEST

#define HOOK "{webhook: psp, correlate: {from: '${event.data.order}', expect: '${input.id}'}}"

START_TEST(test_await_webhook__is_answered_by_its_event)
{
	begin("saga: hook\nsteps:\n  - {id: a, await: " HOOK ", timeout: 10m}\n");
	ck_assert_uint_eq(play.decision.n_subscriptions, 1);
	ck_assert_int_eq(play.decision.subscriptions[0].place, 0);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 10 * MINUTE);
	play_restart(&play);
	event_came(-1, 0, "webhook/psp/1", PAID);
	ck_assert_str_eq(output_of(0), "{\"order\":\"o-1\",\"amount\":9}");
	ck_assert(play.decision.subscriptions[0].remove);
	play_end(&play);

	begin("saga: hook\nsteps:\n  - {id: a, await: " HOOK ", timeout: 10m}\n");
	play_wait(&play, 10 * MINUTE); /* the inbox is not read so far */
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	wait(0);
	ck_assert_str_eq(play.state->failure_code, "timeout");
	play_end(&play);
}
END_TEST

/* What each waits for is read apart, and a saga's deadline waits for what its steps wait for. */
START_TEST(test_await_webhook__does_not_wait_for_kafka)
{
	begin("saga: hook\nsteps:\n  - {id: a, await: " HOOK ", timeout: 10m}\n");
	ck_assert_int_eq(saga_state_due(play.state, play.now).queued_at, 0);
	ck_assert_int_eq(saga_state_due(play.state, play.now).inbox_at, play.now + 10 * MINUTE);
	play.inbox_read_until = play.now + 10 * MINUTE;
	play_wait(&play, 10 * MINUTE);
	ck_assert_str_eq(play.state->failure_code, "timeout");
	play_end(&play);

	begin("saga: hook\ndeadline: 5m\nsteps:\n  - {id: a, await: " HOOK ", timeout: 10m}\n");
	play.inbox_read_until = play.now + 5 * MINUTE;
	play_wait(&play, 5 * MINUTE);
	ck_assert_str_eq(play.state->failure_code, "deadline_exceeded");
	play_end(&play);

	begin("saga: hook\nsteps:\n  - {id: a, await: [" HOOK ", {kafka: t, correlate: {from: "
		  "'${event.data.order}', expect: x}}], timeout: 10m}\n");
	ck_assert_int_eq(saga_state_due(play.state, play.now).inbox_at, 0);
	play.inbox_read_until = play.now + 10 * MINUTE;
	play_wait(&play, 10 * MINUTE);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	wait(0);
	ck_assert_str_eq(play.state->failure_code, "timeout");
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__stands_in_items)
{
	begin("saga: items\nsteps:\n  - id: a\n    for_each: '${input.l}'\n"
		  "    await:\n"
		  "      - {webhook: psp, correlate: {from: '${event.data.o}', expect: '${item}'}}\n"
		  "      - {signal: all}\n"
		  "    tolerate: true\n    timeout: 1h\n");
	ck_assert_uint_eq(play.decision.n_subscriptions, 2);
	ck_assert_str_eq(play.decision.subscriptions[1].value, "y");
	event_came(1, 0, "webhook/psp/1", "{\"data\":{\"o\":\"y\"}}");
	event_came(0, 0, "webhook/psp/1", "{\"data\":{\"o\":\"y\"}}"); /* used up */
	ck_assert_uint_eq(play.decision.n_events, 0);
	wait(HOUR);
	ck_assert_str_eq(output_of(0), "[null,{\"event\":\"psp\",\"data\":{\"o\":\"y\"}}]");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__behind_the_pivot_waits_for_a_person)
{
	begin("saga: pivoted\nsteps:\n  - {id: w, set: 1, pivot: true}\n"
		  "  - {id: b, await: [" HOOK ", {signal: x}], timeout: 1h}\n");
	wait(HOUR);
	ck_assert_int_eq(saga_state_action(play.state, 1, -1)->run.status, EXEC_PARKED);
	ck_assert_uint_eq(play.decision.n_subscriptions, 0); /* it may still come */
	play_restart(&play);
	play_event(&play, 1, -1, 0, "webhook/psp/1", PAID);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);

	begin("saga: pivoted\nsteps:\n  - {id: w, set: 1, pivot: true}\n"
		  "  - {id: b, await: [" HOOK ", {signal: x}], timeout: 1h}\n");
	wait(HOUR);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"step\":\"b\",\"reason\":\"again\"}"), 0);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + HOUR);
	signal_told("x", "null");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__is_given_up_on_the_way_back)
{
	begin("saga: back\nsteps:\n  - {id: a, await: [" HOOK ", {after: 3d}]}\n");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\",\"reason\":\"no\"}"), 0);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert(play.decision.unsubscribe_all);
	play_end(&play);
}
END_TEST

START_TEST(test_await_list__that_cannot_be_evaluated_fails)
{
	begin("saga: bad\nsteps:\n  - {id: a, await: [{signal: x}, {webhook: p, correlate: {from: "
		  "'${event.a}', expect: '${input.gone}'}}]}\n");
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	play_end(&play);
	begin("saga: bad\nsteps:\n  - {id: a, await: [{signal: x}, {after: '${input.gone}'}]}\n");
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	play_end(&play);
}
END_TEST

START_TEST(test_cancel_on__a_signal_cancels_also_in_a_pause)
{
	static const char yaml[] =
		"saga: s\nsteps:\n  - {id: a, await: {signal: go}, timeout: 1d}\n"
		"cancel_on: [{signal: stop, when: '${event.data.n > 1}'}, {signal: halt}]\n";

	begin(yaml);
	ck_assert_uint_eq(play.decision.n_subscriptions, 0);
	signal_told("stop", "{\"n\":1}");
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	play_restart(&play);
	signal_told("stop", "{\"n\":2}");
	ck_assert_str_eq(play.state->failure_code, "cancelled");
	ck_assert_str_eq(play.state->failure_message, "stop");
	play_end(&play);

	begin(yaml);
	signal_told("halt", "null");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_cancel_on__a_webhook_cancels)
{
	begin("saga: stopped\nsteps:\n  - {id: a, await: {after: 1h}}\n"
		  "cancel_on: [" HOOK "]\n");
	ck_assert_uint_eq(play.decision.n_subscriptions, 1);
	ck_assert(play.decision.subscriptions[0].on->webhook);
	play_event(&play, -1, -1, 0, "webhook/psp/17", PAID);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert_str_eq(play.state->failure_message, "psp/17");
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_await");
	TCase *tc = tcase_create("decide_await");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_await_list__subscribes_a_place_for_each_event);
	tcase_add_test(tc, test_await_list__a_signal_wins_whether_it_came_before_or_after);
	tcase_add_test(tc, test_await_list__ends_by_its_time);
	tcase_add_test(tc, test_await_list__its_time_out_fails_it);
	tcase_add_test(tc, test_await_list__what_arrived_wins_over_what_ran_out);
	tcase_add_test(tc, test_await_list__a_pause_moves_its_limit_and_not_its_time);
	tcase_add_test(tc, test_await_list__shapes_its_output_from_the_event);
	tcase_add_test(tc, test_await_webhook__is_answered_by_its_event);
	tcase_add_test(tc, test_await_webhook__does_not_wait_for_kafka);
	tcase_add_test(tc, test_await_list__stands_in_items);
	tcase_add_test(tc, test_await_list__behind_the_pivot_waits_for_a_person);
	tcase_add_test(tc, test_await_list__is_given_up_on_the_way_back);
	tcase_add_test(tc, test_await_list__that_cannot_be_evaluated_fails);
	tcase_add_test(tc, test_cancel_on__a_signal_cancels_also_in_a_pause);
	tcase_add_test(tc, test_cancel_on__a_webhook_cancels);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
