/* What people do, on the core alone: each act leaves the history that it must, and no other. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

static const char two[] = "saga: two\n"
						  "deadline: 1h\n"
						  "steps:\n"
						  "  - {id: a, http: {to: svc, method: PUT, path: /a}, compensate: {http: "
						  "{to: svc, method: DELETE, path: /a}}}\n"
						  "  - {id: b, http: {to: svc, method: PUT, path: /b}, compensate: none}\n";

static void expect_trail(const struct play *play, const char *expected)
{
	ck_assert_str_eq(buf_str(&play->trail), expected);
}

START_TEST(test_decide_act__a_pause_sends_nothing_until_it_is_over)
{
	struct play play;

	play_begin(&play, two, "{}", false);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\",\"by\":\"ann\"}"), 0);
	ck_assert_int_eq(play.state->status, SAGA_PAUSED);
	/* The answer to what is out is taken in, and nothing follows from it. */
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(saga_state_next_due(play.state), 0);
	play_wait(&play, 3600000 * 2);
	expect_trail(&play, "SagaStarted, StepScheduled a, ActTaken, StepCompleted a, "
						"CompensationArmed a");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), ERR_CONFLICT);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_int_eq(play.decision.commands[0].step, 1);
	ck_assert_int_eq(play.state->status, SAGA_RUNNING);
	/* The hour of the saga stood still. */
	ck_assert_int_eq(play.state->deadline_at, PLAY_STARTS_AT + 3600000 * 3);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), ERR_CONFLICT);
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__what_a_restart_finds_paused_is_sent_when_it_is_resumed)
{
	struct play play;

	play_begin(&play, two, "{}", false);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	play_restart(&play);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_str_eq(play.decision.commands[0].request->key, PLAY_ID "/a/do");
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__a_pause_holds_back_what_its_own_turn_would_send)
{
	struct play play;
	const struct act pause = {.kind = ACT_PAUSE, .item = -1};
	const struct act resume = {.kind = ACT_RESUME, .item = -1};
	struct input in = {.type = INPUT_ACT, .act = &pause};
	struct err err;

	play_begin(&play, two, "{}", false);
	/* Not yet committed, the start's call is still in the same decision. */
	ck_assert_int_eq(saga_decide(play.state, &in, play.now, &play.decision, &err), 0);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert_int_eq(saga_state_in_flight(play.state), 0);
	in.act = &resume;
	ck_assert_int_eq(saga_decide(play.state, &in, play.now, &play.decision, &err), 0);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__a_paused_saga_is_undone_when_it_is_resumed)
{
	struct play play;

	play_begin(&play, two, "{}", false);
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\"}"), 0);
	ck_assert_int_eq(play.state->status, SAGA_PAUSED);
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\"}"), 0);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_int_eq(play.decision.commands[0].kind, CALL_UNDO);
	play_answer(&play, 0, -1, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__an_act_told_again_changes_nothing)
{
	static const char *const acts[] = {
		"{\"act\":\"pause\",\"id\":\"1\"}",
		"{\"act\":\"resume\",\"id\":\"2\"}",
		"{\"act\":\"cancel\",\"id\":\"3\"}",
		"{\"act\":\"terminate\",\"id\":\"4\"}",
		"{\"act\":\"note\",\"id\":\"5\",\"reason\":\"x\"}",
	};
	struct play play;

	play_begin(&play, two, "{}", false);
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		for (size_t j = 0; j <= i; j++) {
			bool first = i == j;

			ck_assert_int_eq(play_act(&play, acts[j]), 0);
			ck_assert_msg((play.decision.n_events > 0) == first, "%zu %zu", i, j);
		}
	}
	expect_trail(&play, "SagaStarted, StepScheduled a, ActTaken, ActTaken, SagaCancelRequested, "
						"SagaCompensating, SagaTerminated, ActTaken");
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__notes_and_owners_are_taken_after_the_end)
{
	struct play play;

	play_begin(&play, two, "{}", false);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"terminate\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"note\",\"reason\":\"because\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"owner\",\"owner\":\"ann\"}"), 0);
	ck_assert_str_eq(play.fold->owner, "ann");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"owner\"}"), 0);
	ck_assert_ptr_null(play.fold->owner);
	ck_assert_int_eq(play.state->status, SAGA_TERMINATED);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), ERR_CONFLICT);
	play_end(&play);
}
END_TEST

static const char doubt[] =
	"saga: doubt\n"
	"steps:\n"
	"  - {id: a, command: {to: svc, type: A}, timeout: 1m, compensate: {command: {to: svc, type: "
	"UnA}}}\n"
	"  - {id: b, await: {after: 1h}}\n";

/* What a person did by other means stands, and what was sent may stand beside it. */
START_TEST(test_decide_act__what_may_come_beside_is_undone_after_it)
{
	struct play play;

	play_begin(&play, doubt, "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"complete\",\"step\":\"a\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\"}"), 0);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + 120000);
	play_wait(&play, 119999);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	play_wait(&play, 1);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_int_eq(play.decision.commands[0].kind, CALL_UNDO);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_SUCCESS, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(saga_state_attention(play.state), "completed it by other means"));
	play_end(&play);
}
END_TEST

/* That it happened is not by other means: its reply is no news, and nothing waits for it. */
START_TEST(test_decide_act__what_happened_is_undone_at_once)
{
	struct play play;

	play_begin(&play, doubt, "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_ONGOING, NULL, NULL, NULL);
	ck_assert_int_eq(
		play_act(&play, "{\"act\":\"resolve\",\"step\":\"a\",\"outcome\":\"happened\"}"), 0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\"}"), 0);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_SUCCESS, NULL, NULL, NULL);
	ck_assert_ptr_null(saga_state_attention(play.state));
	play_end(&play);
}
END_TEST

START_TEST(test_decide_act__a_success_of_what_was_skipped_calls_a_person)
{
	struct play play;

	play_begin(&play, doubt, "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"skip\",\"step\":\"a\"}"), 0);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_SUCCESS, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(saga_state_attention(play.state), "a person had skipped it"));
	play_end(&play);
}
END_TEST

/* Its time is over, and what was written before that is not read yet: it may still arrive. */
START_TEST(test_decide_act__what_is_skipped_late_settles_first)
{
	struct play play;

	play_begin(&play, doubt, "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	play.queues_read_until = play.now;
	play_wait(&play, 61000);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.status, EXEC_RUNNING);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"skip\",\"step\":\"a\"}"), 0);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.settle_at, play.now + 59000);
	play_end(&play);
}
END_TEST

/* Whatever people remark, the saga can still come to its end. */
START_TEST(test_decide_act__remarks_leave_room_for_the_end)
{
	struct play play;

	play_begin(&play, two, "{}", false);
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	play.state->n_events = play.fold->n_events = 40000;
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"b\"}"), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(play.err.text, "80 % of its limit"));
	ck_assert_int_eq(play_act(&play, "{\"act\":\"note\",\"reason\":\"x\"}"), 0);
	play.state->n_events = play.fold->n_events = 50000;
	ck_assert_int_eq(play_act(&play, "{\"act\":\"note\",\"reason\":\"x\"}"), ERR_LIMIT);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\"}"), ERR_LIMIT);
	play_answer(&play, 0, -1, CALL_UNDO, 403, NULL);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"complete\",\"step\":\"a\",\"compensation\":true}"),
					 0);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_act");
	TCase *tc = tcase_create("decide_act");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_decide_act__a_pause_sends_nothing_until_it_is_over);
	tcase_add_test(tc, test_decide_act__what_a_restart_finds_paused_is_sent_when_it_is_resumed);
	tcase_add_test(tc, test_decide_act__a_pause_holds_back_what_its_own_turn_would_send);
	tcase_add_test(tc, test_decide_act__a_paused_saga_is_undone_when_it_is_resumed);
	tcase_add_test(tc, test_decide_act__an_act_told_again_changes_nothing);
	tcase_add_test(tc, test_decide_act__notes_and_owners_are_taken_after_the_end);
	tcase_add_test(tc, test_decide_act__what_may_come_beside_is_undone_after_it);
	tcase_add_test(tc, test_decide_act__what_happened_is_undone_at_once);
	tcase_add_test(tc, test_decide_act__a_success_of_what_was_skipped_calls_a_person);
	tcase_add_test(tc, test_decide_act__what_is_skipped_late_settles_first);
	tcase_add_test(tc, test_decide_act__remarks_leave_room_for_the_end);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
