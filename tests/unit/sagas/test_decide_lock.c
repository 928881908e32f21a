/*
 * Deciding about locks: what is asked for, when it is given back, and that nothing that is done
 * under a lock is done without it.
 */
#include "sagas/decide.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

enum { MINUTE = 60 * 1000 };

static struct play play;

static void grant(int step, int item, int64_t token)
{
	struct input in = {.type = INPUT_LOCK, .step = step, .item = item, .token = token};

	ck_assert_int_eq(play_give(&play, &in), 0);
}

static const struct action_state *action(int step, int item)
{
	return saga_state_action(play.state, step, item);
}

/* "+0 a,b" asks, "-0" gives back, "-*" all; what the last decision wants. */
static void expect_wishes(const char *expected)
{
	CLEANUP(buf_release) struct buf got;

	buf_init(&got, 0);
	if (play.decision.release_all_locks)
		buf_add_lit(&got, "-* ");
	for (size_t i = 0; i < play.decision.n_locks; i++) {
		const struct lock_wish *wish = &play.decision.locks[i];
		size_t k;
		json_t *key;

		buf_printf(&got, "%c%d", wish->release ? '-' : '+', wish->step);
		if (wish->item >= 0)
			buf_printf(&got, "[%d]", wish->item);
		if (wish->lock)
			json_array_foreach (json_object_get(jval_json(wish->lock), "keys"), k, key)
				buf_printf(&got, "%c%s", k ? ',' : ' ', json_string_value(key));
		buf_add_lit(&got, " ");
	}
	if (got.len > 0)
		got.data[--got.len] = '\0';
	ck_assert_str_eq(buf_str(&got), expected);
}

#define UNTIL_END                                                                                  \
	"saga: s\n"                                                                                    \
	"steps:\n"                                                                                     \
	"  - {id: l, lock: {keys: ['account:${input.to}', 'account:${input.from}', 'account:1']}, "    \
	"timeout: 10m}\n"                                                                              \
	"  - {id: a, http: {to: p, method: PUT, path: /a}, compensate: {http: {to: p, method: "        \
	"DELETE, "                                                                                     \
	"path: /a}}}\n"                                                                                \
	"  - {id: b, http: {to: p, method: PUT, path: /b}, compensate: none}\n"                        \
	"output: {fence: '${steps.l.output.token}', keys: '${steps.l.output.keys}'}\n"

START_TEST(test_lock__is_asked_for_once_and_held_until_the_end)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	expect_wishes("+0 account:1,account:9");
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	play_restart(&play);
	expect_wishes("");
	grant(0, -1, 7);
	expect_wishes("");
	ck_assert(action(0, -1)->locked);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	grant(0, -1, 8); /* told twice */
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	expect_wishes("");
	play_answer(&play, 2, -1, CALL_DO, 200, NULL);
	expect_wishes("-*");
	ck_assert_str_eq(buf_str(&play.trail),
					 "SagaStarted, StepScheduled l, StepCompleted l, StepScheduled a, "
					 "StepCompleted a, CompensationArmed a, StepScheduled b, StepCompleted b, "
					 "SagaCompleted");
	ck_assert_str_eq(json_string_value(
						 json_array_get(json_object_get(jval_json(play.state->output), "keys"), 1)),
					 "account:9");
	ck_assert_int_eq(json_integer_value(json_object_get(jval_json(play.state->output), "fence")),
					 7);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__is_held_on_the_way_back)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	grant(0, -1, 7);
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 422, NULL);
	expect_wishes("");
	ck_assert(action(0, -1)->locked);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATING);
	play_answer(&play, 1, -1, CALL_UNDO, 200, NULL);
	expect_wishes("-*");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__that_does_not_come_is_given_up)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	play_wait(&play, 10 * MINUTE);
	expect_wishes("-* -0");
	ck_assert_str_eq(play.state->failure_code, "timeout");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	grant(0, -1, 7); /* too late */
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__leaves_the_line_when_the_saga_is_cancelled)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\",\"reason\":\"no\"}"), 0);
	expect_wishes("-* -0");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__waits_as_long_again_after_a_pause)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	play_wait(&play, 20 * MINUTE);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	ck_assert_int_eq(action(0, -1)->run.status, EXEC_RUNNING);
	play_wait(&play, 9 * MINUTE);
	ck_assert_int_eq(action(0, -1)->run.status, EXEC_RUNNING);
	/* What is granted while it is paused is taken in, and nothing begins. */
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	grant(0, -1, 3);
	ck_assert(action(0, -1)->locked);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	play_end(&play);
}
END_TEST

#define UNTIL_STEP                                                                                 \
	"saga: s\n"                                                                                    \
	"steps:\n"                                                                                     \
	"  - {id: l, lock: {keys: [k], release_after: a}, output: '${event.token}'}\n"                 \
	"  - {id: a, http: {to: p, method: PUT, path: /a}, compensate: {http: {to: p, method: "        \
	"DELETE, "                                                                                     \
	"path: /a}}}\n"                                                                                \
	"  - {id: b, http: {to: p, method: PUT, path: /b, body: '${steps.l.output}'}, compensate: "    \
	"none}\n"

START_TEST(test_lock__is_given_back_when_its_step_has_settled)
{
	play_begin(&play, UNTIL_STEP, "{}", false);
	expect_wishes("+0 k");
	grant(0, -1, 12);
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	expect_wishes("-0");
	ck_assert(!action(0, -1)->locked);
	play_restart(&play);
	ck_assert(!action(0, -1)->locked);
	play_answer(&play, 2, -1, CALL_DO, 422, NULL);
	expect_wishes("");
	/* a would run again, and without the lock. */
	play_answer(&play, 1, -1, CALL_UNDO, 503, NULL);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"complete\",\"step\":\"a\",\"compensation\":true}"),
					 0);
	expect_wishes("-*");
	play_end(&play);
}
END_TEST

START_TEST(test_lock__that_was_given_back_begins_anew_with_what_is_done_under_it)
{
	play_begin(&play, UNTIL_STEP, "{}", false);
	grant(0, -1, 12);
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 422, NULL);
	play_answer(&play, 1, -1, CALL_UNDO, 403, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATION_FAILED);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"complete\",\"step\":\"a\",\"compensation\":true}"),
					 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"a\"}"), ERR_CONFLICT);
	ck_assert_msg(strstr(play.err.text, "l was a lock that is given back") != NULL, "%s",
				  play.err.text);
	ck_assert_msg(strstr(play.err.text, "a retry from `l` would do") != NULL, "%s", play.err.text);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"l\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	expect_wishes("+0 k");
	play_end(&play);
}
END_TEST

START_TEST(test_lock__that_is_held_is_given_back_when_it_begins_anew)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	grant(0, -1, 7);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"l\"}"), 0);
	expect_wishes("-0");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	expect_wishes("+0 account:1,account:9");
	play_end(&play);
}
END_TEST

START_TEST(test_lock__past_the_pivot_is_parked_and_stays_in_line)
{
	play_begin(&play,
			   "saga: s\n"
			   "recovery: forward\n"
			   "steps:\n"
			   "  - {id: l, lock: {keys: [k]}, timeout: 10m}\n",
			   "{}", false);
	play_wait(&play, 10 * MINUTE);
	ck_assert_int_eq(action(0, -1)->run.status, EXEC_PARKED);
	expect_wishes("");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"step\":\"l\"}"), 0);
	expect_wishes("-0 +0 k"); /* at the end of the line */
	play_wait(&play, 10 * MINUTE);
	grant(0, -1, 2);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__by_other_means_is_not_held)
{
	play_begin(&play, UNTIL_END, "{\"from\":\"9\",\"to\":\"1\"}", false);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"complete\",\"step\":\"l\",\"output\":{}}"), 0);
	expect_wishes("-0");
	ck_assert(!action(0, -1)->locked);
	play_end(&play);
}
END_TEST

START_TEST(test_lock__never_waits_for_itself)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: l, lock: {keys: [k, x]}}\n"
			   "  - {id: m, lock: {keys: [y, x]}}\n",
			   "{}", false);
	grant(0, -1, 1);
	ck_assert_str_eq(play.state->failure_code, "lock_held");
	ck_assert_str_eq(play.state->failure_message, "the saga has the key `x` already, by step `l`");
	play_end(&play);
}
END_TEST

START_TEST(test_lock__of_items_is_one_each)
{
	play_begin(
		&play,
		"saga: s\n"
		"steps:\n"
		"  - {id: l, for_each: '${input.list}', lock: {keys: ['${item}'], release_after: w}}\n"
		"  - {id: w, await: {after: 1h}}\n",
		"{\"list\":[\"a\",\"b\"]}", false);
	expect_wishes("+0[0] a +0[1] b");
	grant(0, 1, 5);
	grant(0, 0, 6);
	play_wait(&play, 60 * MINUTE);
	expect_wishes("-* -0[0] -0[1]");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

static const struct {
	const char *keys, *message;
} bad_keys[] = {
	{"${input.empty}", "`keys` must give a list of texts, with at least one"},
	{"${input.numbers}", "`keys` must give texts, and key 1 is none"},
	{"${input.control}", "key 0 of `keys` must be 1 to 255 bytes without control characters"},
	{"${input.many}", "`keys` gives 101 keys; at most 100 are allowed"},
};

START_TEST(test_lock__keys_are_texts)
{
	CLEANUP(buf_release) struct buf yaml, input;

	buf_init(&yaml, 0);
	buf_init(&input, 0);
	buf_printf(&yaml, "saga: s\nsteps:\n  - {id: l, lock: {keys: '%s'}}\n", bad_keys[_i].keys);
	buf_add_lit(&input, "{\"empty\":[],\"numbers\":[\"a\",1],\"control\":[\"a\\nb\"],\"many\":[");
	for (int i = 0; i < 101; i++)
		buf_printf(&input, "%s\"k%d\"", i ? "," : "", i);
	buf_add_lit(&input, "]}");
	play_begin(&play, buf_str(&yaml), buf_str(&input), false);
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	ck_assert_str_eq(play.state->failure_message, bad_keys[_i].message);
	expect_wishes("-*");
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_lock");
	TCase *tcase = tcase_create("lock");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_lock__is_asked_for_once_and_held_until_the_end);
	tcase_add_test(tcase, test_lock__is_held_on_the_way_back);
	tcase_add_test(tcase, test_lock__that_does_not_come_is_given_up);
	tcase_add_test(tcase, test_lock__leaves_the_line_when_the_saga_is_cancelled);
	tcase_add_test(tcase, test_lock__waits_as_long_again_after_a_pause);
	tcase_add_test(tcase, test_lock__is_given_back_when_its_step_has_settled);
	tcase_add_test(tcase, test_lock__that_was_given_back_begins_anew_with_what_is_done_under_it);
	tcase_add_test(tcase, test_lock__that_is_held_is_given_back_when_it_begins_anew);
	tcase_add_test(tcase, test_lock__past_the_pivot_is_parked_and_stays_in_line);
	tcase_add_test(tcase, test_lock__by_other_means_is_not_held);
	tcase_add_test(tcase, test_lock__never_waits_for_itself);
	tcase_add_test(tcase, test_lock__of_items_is_one_each);
	tcase_add_loop_test(tcase, test_lock__keys_are_texts, 0, ARRAY_SIZE(bad_keys));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
