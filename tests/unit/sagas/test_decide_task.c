/*
 * Deciding about tasks: the queue, leases and who holds them, what workers say, and what is told to
 * whoever hands out work.
 */
#include "sagas/decide.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static struct play play;

static void begin(const char *yaml)
{
	play_begin(&play, yaml, "{\"id\":\"o-1\",\"n\":3}", false);
}

static void expect_trail(const char *expected)
{
	ck_assert_str_eq(buf_str(&play.trail), expected);
}

static bool trail_has(const char *text)
{
	return strstr(buf_str(&play.trail), text) != NULL;
}

static const struct exec *run(int step)
{
	return &saga_state_action(play.state, step, -1)->run;
}

static const struct exec *undo(int step)
{
	return &saga_state_action(play.state, step, -1)->undo;
}

static struct task_answer lease(int step)
{
	return play_task(&play, step, -1, SIDE_DO, TASK_WORD_LEASE, NULL, NULL, NULL, 0);
}

static struct task_answer beat(int step, const char *details)
{
	return play_task(&play, step, -1, SIDE_DO, TASK_WORD_HEARTBEAT, details, NULL, NULL, 0);
}

static struct task_answer complete(int step, const char *output)
{
	return play_task(&play, step, -1, SIDE_DO, TASK_WORD_COMPLETE, output, NULL, NULL, 0);
}

static struct task_answer say_fail(int step, const char *code)
{
	return play_task(&play, step, -1, SIDE_DO, TASK_WORD_FAIL, NULL, code, NULL, 0);
}

/* The only thing that is told of tasks with the last decision. */
static const struct task_note *only_update(void)
{
	ck_assert_uint_eq(play.decision.n_tasks, 1);
	return &play.decision.tasks[0];
}

/* Heartbeats below a second; a is undone by a task as well; b waits for it. */
#define TWO                                                                                        \
	"saga: two\n"                                                                                  \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    task: {queue: work, route: 'to-${input.n}'}\n"                                            \
	"    with: {order: '${input.id}'}\n"                                                           \
	"    timeout: 5s\n"                                                                            \
	"    heartbeat: 400ms\n"                                                                       \
	"    retry: {initial_interval: 2s, maximum_interval: 2s, maximum_attempts: 3, jitter: 0, "     \
	"non_retryable: [no_such_order]}\n"                                                            \
	"    output: {got: '${reply.body.n}'}\n"                                                       \
	"    compensate: {task: work-undo, with: {key: '${step.key}'}, timeout: 3s}\n"                 \
	"  - id: b\n"                                                                                  \
	"    task: ship\n"                                                                             \
	"    deadline: 1h\n"                                                                           \
	"    compensate: none\n"                                                                       \
	"output: '${steps.a.output}'\n"

START_TEST(test_task__waits_is_leased_and_completes)
{
	const struct task_note *update;
	struct task_answer answer;

	begin(TWO);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	update = only_update();
	ck_assert(!update->remove && update->state == TASK_QUEUED);
	ck_assert_str_eq(update->queue, "work");
	ck_assert_str_eq(update->route, "to-3");
	ck_assert_str_eq(run(0)->request->body, "{\"order\":\"o-1\"}");
	ck_assert_str_eq(run(0)->request->key, PLAY_ID "/a/do");
	ck_assert_int_eq(update->attempt, 1);
	ck_assert_int_eq(update->available_at, play.now);
	ck_assert_int_eq(update->deadline_at, play.now + DAY);
	ck_assert_int_eq(run(0)->status, EXEC_QUEUED);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + DAY);
	play.now += 10 * MINUTE;
	answer = lease(0);
	ck_assert(!answer.refused);
	ck_assert_int_eq(answer.attempt, 1);
	ck_assert_int_eq(answer.lease_until, play.now + 400);
	ck_assert_int_eq(answer.timeout_ms, 5 * SECOND);
	ck_assert_int_eq(answer.heartbeat_ms, 400);
	ck_assert_uint_eq(strlen(answer.nonce), TASK_NONCE_SIZE - 1);
	update = only_update();
	ck_assert_int_eq(update->state, TASK_LEASED);
	ck_assert_str_eq(update->worker, "w-1");
	ck_assert_str_eq(update->build, "b1");
	ck_assert_int_eq(update->leased_until, play.now + 400);
	ck_assert(!saga_state_may_sleep(play.state));
	ck_assert(!complete(0, "{\"n\":7}").refused);
	ck_assert_str_eq(jval_text(saga_state_action(play.state, 0, -1)->output, NULL), "{\"got\":7}");
	ck_assert_uint_eq(play.decision.n_tasks, 2); /* a is done, b waits */
	ck_assert(play.decision.tasks[0].remove || play.decision.tasks[1].remove);
	ck_assert(!lease(1).refused);
	ck_assert(!complete(1, NULL).refused);
	ck_assert(play.decision.remove_all_tasks);
	expect_trail("SagaStarted, StepScheduled a, TaskLeased a, StepCompleted a, CompensationArmed "
				 "a, StepScheduled b, TaskLeased b, StepCompleted b, SagaCompleted");
	play_end(&play);
}
END_TEST

START_TEST(test_lease__is_one_workers_and_fences_the_others)
{
	struct task_answer first, second;

	begin(TWO);
	first = lease(0);
	second = lease(0);
	ck_assert(second.refused);
	ck_assert_str_eq(second.why, "another worker has it");
	/* A nonce that nobody was given, and another attempt's number. */
	ck_assert(play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, "{\"n\":1}", NULL,
						"0000000000000000", 1)
				  .refused);
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, "{\"n\":1}", NULL, first.nonce, 2)
			.refused);
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_HEARTBEAT, NULL, NULL, first.nonce, 2).refused);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	expect_trail("SagaStarted, StepScheduled a, TaskLeased a, ReplyIgnored a, ReplyIgnored a");
	play_end(&play);
}
END_TEST

START_TEST(test_lease__that_is_over_gives_the_task_to_another_and_refuses_the_late_result)
{
	const struct task_note *update;
	struct task_answer first, second;

	begin(TWO);
	first = lease(0);
	play_wait(&play, 399);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	play_wait(&play, 1);
	ck_assert_int_eq(run(0)->status, EXEC_QUEUED);
	ck_assert_str_eq(run(0)->code, "lease_expired");
	ck_assert(run(0)->ambiguous);
	update = only_update();
	ck_assert(update->state == TASK_QUEUED);
	ck_assert_int_eq(update->attempt, 2);
	ck_assert_int_eq(update->available_at, play.now + 2 * SECOND);
	/* Not yet; no timer of the saga is needed for the retry. */
	ck_assert(lease(0).refused);
	ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + DAY);
	play.now += 2 * SECOND;
	second = lease(0);
	ck_assert(!second.refused);
	ck_assert_int_eq(second.attempt, 2);
	ck_assert_str_ne(second.nonce, first.nonce);
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, "{\"n\":1}", NULL, first.nonce, 1)
			.refused);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	ck_assert(!complete(0, "{\"n\":2}").refused);
	expect_trail("SagaStarted, StepScheduled a, TaskLeased a, StepAttemptFailed a, TaskLeased a, "
				 "ReplyIgnored a, StepCompleted a, CompensationArmed a, StepScheduled b");
	play_end(&play);
}
END_TEST

/* S19: the word counts for nothing from the very moment on, whether a timer has run or not. */
START_TEST(test_lease__over_before_the_timer_is_over_all_the_same)
{
	static const enum task_word words[] = {TASK_WORD_HEARTBEAT, TASK_WORD_COMPLETE, TASK_WORD_FAIL};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct task_answer first;

		begin(TWO);
		first = lease(0);
		play.now += 400;
		ck_assert(
			play_task(&play, 0, -1, SIDE_DO, words[i], "{\"n\":1}", "x", first.nonce, 1).refused);
		ck_assert_int_eq(run(0)->status, EXEC_QUEUED);
		ck_assert_str_eq(run(0)->code, "lease_expired");
		play_end(&play);
	}
}
END_TEST

START_TEST(test_heartbeat__keeps_the_lease_until_the_time_out)
{
	struct task_answer answer;
	wall_ms until;

	begin(TWO);
	until = play.now + 5 * SECOND;
	(void)lease(0);
	while (play.now + 300 < until) {
		play_wait(&play, 300);
		answer = beat(0, "{\"done\":5}");
		ck_assert(!answer.refused && !answer.cancel);
		ck_assert_int_eq(answer.lease_until, play.now + 400 < until ? play.now + 400 : until);
		ck_assert_uint_eq(play.decision.n_events, 0);
	}
	play_wait(&play, until - play.now);
	ck_assert_int_eq(run(0)->status, EXEC_QUEUED);
	/* What it told last is there for the next one. */
	ck_assert_str_eq(jval_text(run(0)->progress, NULL), "{\"done\":5}");
	play_restart(&play);
	ck_assert_str_eq(jval_text(run(0)->progress, NULL), "{\"done\":5}");
	play_end(&play);
}
END_TEST

START_TEST(test_lease__runs_anew_after_a_restart)
{
	begin(TWO);
	(void)lease(0);
	play.now += 300;
	(void)beat(0, NULL);
	play.now += 10 * MINUTE; /* nobody was there to hear the worker */
	play_restart(&play);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	ck_assert_int_eq(run(0)->due_at, play.now + 400);
	play_wait(&play, 399);
	ck_assert(!beat(0, NULL).refused);
	play_wait(&play, 399);
	ck_assert(!complete(0, "{\"n\":1}").refused);
	ck_assert_uint_eq(play.decision.n_tasks, 2);
	play_end(&play);
}
END_TEST

START_TEST(test_complete__told_again_is_no_error)
{
	struct task_answer first;

	begin(TWO);
	first = lease(0);
	ck_assert(!complete(0, "{\"n\":1}").refused);
	ck_assert(
		!play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, "{\"n\":1}", NULL, first.nonce, 1)
			 .refused);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_restart(&play);
	ck_assert(
		!play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, "{\"n\":1}", NULL, first.nonce, 1)
			 .refused);
	/* But not something else with the same token. */
	ck_assert(play_task(&play, 0, -1, SIDE_DO, TASK_WORD_FAIL, NULL, "x", first.nonce, 1).refused);
	ck_assert(trail_has("ReplyIgnored a"));
	play_end(&play);
}
END_TEST

static struct task_answer complete_again(enum side side, const char *output, const char *nonce)
{
	return play_task(&play, 0, -1, side, TASK_WORD_COMPLETE, output, NULL, nonce, 1);
}

START_TEST(test_complete__told_again_with_another_output_is_refused)
{
	struct task_answer first, again;

	begin(TWO);
	first = lease(0);
	ck_assert(!complete(0, "{\"n\":1}").refused);
	ck_assert(!complete_again(SIDE_DO, "{ \"n\": 1}", first.nonce).refused);
	for (int i = 0; i < 2; i++) {
		again = complete_again(SIDE_DO, i ? NULL : "{\"n\":2}", first.nonce);
		ck_assert(again.refused && again.otherwise);
		ck_assert_str_eq(again.why, "it was completed with another output, and that one stands");
		ck_assert(trail_has("ReplyIgnored a"));
	}
	play_restart(&play);
	ck_assert(complete_again(SIDE_DO, "{\"n\":[1]}", first.nonce).otherwise);
	ck_assert(!complete_again(SIDE_DO, "{\"n\":1}", first.nonce).refused);
	ck_assert_ptr_null(saga_state_attention(play.state));
	/* Somebody else's token is no second word. */
	again = complete_again(SIDE_DO, "{\"n\":2}", "ffffffffffffffff");
	ck_assert(again.refused && !again.otherwise);
	play_end(&play);
}
END_TEST

/* Only what the step takes of it is kept; and the way back has an output, too. */
START_TEST(test_complete__told_again_is_compared_as_it_is_kept)
{
	struct task_answer first;

	begin("saga: x\nsteps:\n"
		  "  - {id: a, task: q, output: \"${reply.body.n}\", compensate: {task: q}}\n"
		  "  - {id: b, fail: {code: no}}\n");
	first = lease(0);
	ck_assert(!complete(0, "{\"n\":1,\"at\":5}").refused);
	ck_assert(!complete_again(SIDE_DO, "{\"n\":1,\"at\":6}", first.nonce).refused);
	ck_assert(complete_again(SIDE_DO, "{\"n\":2,\"at\":5}", first.nonce).otherwise);
	ck_assert(complete_again(SIDE_DO, "{}", first.nonce).otherwise);
	first = play_task(&play, 0, -1, SIDE_UNDO, TASK_WORD_LEASE, NULL, NULL, NULL, 0);
	ck_assert(!play_task(&play, 0, -1, SIDE_UNDO, TASK_WORD_COMPLETE, "{\"u\":1}", NULL, NULL, 0)
				   .refused);
	ck_assert(!complete_again(SIDE_UNDO, "{\"u\":1}", first.nonce).refused);
	ck_assert(complete_again(SIDE_UNDO, NULL, first.nonce).otherwise);
	play_end(&play);
}
END_TEST

START_TEST(test_complete__after_the_end_of_the_saga_is_recorded)
{
	struct task_answer first;

	begin(TWO);
	first = lease(0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"terminate\",\"reason\":\"r\"}"), 0);
	ck_assert(play.decision.remove_all_tasks);
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_HEARTBEAT, NULL, NULL, first.nonce, 1).refused);
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, NULL, NULL, first.nonce, 1).refused);
	ck_assert(trail_has("ReplyIgnored a"));
	play_end(&play);
}
END_TEST

START_TEST(test_fail__retryable_is_queued_again_until_attempts_are_used_up)
{
	begin(TWO);
	for (int i = 0; i < 3; i++) {
		ck_assert(!lease(0).refused);
		ck_assert(!say_fail(0, "printer_jam").refused);
		if (i < 2) {
			ck_assert_int_eq(run(0)->status, EXEC_QUEUED);
			ck_assert_int_eq(only_update()->available_at, play.now + 2 * SECOND);
		}
		play.now += 2 * SECOND;
	}
	/* Nothing was done, so nothing is undone. */
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert_str_eq(play.state->failure_code, "printer_jam");
	ck_assert(!trail_has("CompensationArmed"));
	play_end(&play);
}
END_TEST

START_TEST(test_fail__final_ends_it_at_once)
{
	static const char *const codes[] = {"!bad_address", "no_such_order"};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct task_answer first;

		begin(TWO);
		first = lease(0);
		ck_assert(!say_fail(0, codes[i]).refused);
		expect_trail("SagaStarted, StepScheduled a, TaskLeased a, StepFailed a, SagaCompensating "
					 "a, SagaCompensated");
		ck_assert(!play_task(&play, 0, -1, SIDE_DO, TASK_WORD_FAIL, NULL, codes[i], first.nonce, 1)
					   .refused);
		play_end(&play);
	}
}
END_TEST

/* An earlier worker may have done it. */
START_TEST(test_fail__final_after_a_lease_that_expired_is_undone)
{
	begin(TWO);
	(void)lease(0);
	play_wait(&play, 400);
	play.now += 2 * SECOND;
	(void)lease(0);
	ck_assert(!say_fail(0, "!hard").refused);
	expect_trail("SagaStarted, StepScheduled a, TaskLeased a, StepAttemptFailed a, TaskLeased a, "
				 "StepFailed a, CompensationArmed a, SagaCompensating a");
	/* Not before the first worker's lease is over by its grace. */
	play_wait(&play, 10 * SECOND);
	ck_assert_int_eq(undo(0)->status, EXEC_QUEUED);
	play_end(&play);
}
END_TEST

START_TEST(test_fail__unknown_is_undone)
{
	begin(TWO);
	for (int i = 0; i < 3; i++) {
		ck_assert(!lease(0).refused);
		ck_assert(!say_fail(0, "?gateway_silent").refused);
		play.now += 2 * SECOND;
	}
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->comp, COMP_RUNNING);
	ck_assert_int_eq(undo(0)->status, EXEC_QUEUED);
	ck_assert_str_eq(undo(0)->request->queue, "work-undo");
	play_end(&play);
}
END_TEST

START_TEST(test_fail__rules_of_outcome_come_first)
{
	begin("saga: one\n"
		  "steps:\n"
		  "  - id: a\n"
		  "    task: work\n"
		  "    outcome: {failure: [closed], success: [done_before], code: "
		  "'${reply.body.why}'}\n"
		  "    compensate: none\n"
		  "  - {id: b, task: work, outcome: {failure: [closed]}, compensate: none}\n");
	(void)lease(0);
	(void)play_task(&play, 0, -1, SIDE_DO, TASK_WORD_FAIL, "{\"why\":\"done_before\"}", "x", NULL,
					0);
	ck_assert_int_eq(run(0)->status, EXEC_DONE);
	(void)lease(1);
	(void)say_fail(1, "closed");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_queue__deadline_without_a_worker_is_a_definite_failure)
{
	begin(TWO);
	(void)lease(0);
	(void)complete(0, "{\"n\":1}");
	play_wait(&play, HOUR - 1);
	ck_assert_int_eq(run(1)->status, EXEC_QUEUED);
	play_wait(&play, 1);
	ck_assert_int_eq(run(1)->status, EXEC_FAILED);
	ck_assert_str_eq(run(1)->code, "deadline_exceeded");
	/* a is undone by a worker, too. */
	ck_assert_int_eq(undo(0)->status, EXEC_QUEUED);
	ck_assert(!play_task(&play, 0, -1, SIDE_UNDO, TASK_WORD_LEASE, NULL, NULL, NULL, 0).refused);
	ck_assert_int_eq(undo(0)->status, EXEC_RUNNING);
	ck_assert_str_eq(undo(0)->request->body, "{\"key\":\"" PLAY_ID "/a/do\"}");
	ck_assert(!play_task(&play, 0, -1, SIDE_UNDO, TASK_WORD_COMPLETE, NULL, NULL, NULL, 0).refused);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_queue__deadline_comes_before_a_lease_at_the_same_moment)
{
	begin(TWO);
	play.now += DAY;
	ck_assert(lease(0).refused);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_lease__ends_with_the_deadline_at_the_latest)
{
	begin(TWO);
	(void)lease(0);
	(void)complete(0, "{\"n\":1}");
	play.now += HOUR - MINUTE;
	ck_assert_int_eq(lease(1).lease_until, play.now + MINUTE); /* not ten */
	play_wait(&play, MINUTE);
	ck_assert_int_eq(run(1)->status, EXEC_GAVE_UP);
	play_end(&play);
}
END_TEST

START_TEST(test_turning_back__withdraws_what_waits_and_waits_for_what_is_leased)
{
	begin("saga: par\n"
		  "steps:\n"
		  "  - {id: a, needs: [], task: work, heartbeat: 1s, timeout: 1m, compensate: {task: "
		  "undo}}\n"
		  "  - {id: b, needs: [], task: work, compensate: none}\n");
	(void)lease(0);
	ck_assert(!beat(0, NULL).cancel);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\",\"reason\":\"r\"}"), 0);
	ck_assert_int_eq(run(1)->status, EXEC_FAILED);
	ck_assert(only_update()->remove);
	ck_assert_int_eq(only_update()->step, 1);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	ck_assert(beat(0, NULL).cancel);
	ck_assert(!say_fail(0, "cancelled").refused);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

/* S14: the worker may go on until its lease is over, and a while beyond it. */
START_TEST(test_turning_back__undoes_an_expired_task_after_a_grace)
{
	begin("saga: par\n"
		  "steps:\n"
		  "  - {id: a, task: work, heartbeat: 1s, timeout: 1m, compensate: {task: undo}}\n");
	(void)lease(0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\",\"reason\":\"r\"}"), 0);
	play_wait(&play, SECOND);
	ck_assert_int_eq(run(0)->status, EXEC_GAVE_UP);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->comp, COMP_ARMED);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 10 * SECOND);
	play_wait(&play, 10 * SECOND);
	ck_assert_int_eq(undo(0)->status, EXEC_QUEUED);
	ck_assert_int_eq(only_update()->side, SIDE_UNDO);
	play_end(&play);
}
END_TEST

START_TEST(test_pause__gives_nobody_work_and_lets_no_lease_run_out)
{
	begin(TWO);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\",\"reason\":\"r\"}"), 0);
	ck_assert(only_update()->remove);
	ck_assert(lease(0).refused);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\",\"reason\":\"r\"}"), 0);
	ck_assert(!only_update()->remove);
	(void)lease(0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\",\"reason\":\"r\"}"), 0);
	play_wait(&play, HOUR);
	ck_assert_int_eq(run(0)->status, EXEC_RUNNING);
	ck_assert(beat(0, NULL).cancel);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"resume\",\"reason\":\"r\"}"), 0);
	ck_assert_int_eq(run(0)->due_at, play.now + 400);
	play_restart(&play);
	ck_assert(!beat(0, NULL).refused);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"pause\",\"reason\":\"r\"}"), 0);
	/* A result is taken in; what follows from it is not begun. */
	ck_assert(!complete(0, "{\"n\":1}").refused);
	ck_assert(!play.state->steps[1].begun);
	play_end(&play);
}
END_TEST

START_TEST(test_exhausted__parks_where_it_is_said_and_past_the_pivot)
{
	begin("saga: piv\n"
		  "steps:\n"
		  "  - {id: a, set: 1, pivot: true}\n"
		  "  - {id: b, task: work, retry: {maximum_attempts: 1}}\n");
	(void)lease(1);
	(void)say_fail(1, "!broken");
	ck_assert_int_eq(run(1)->status, EXEC_PARKED);
	ck_assert(only_update()->remove);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"step\":\"b\",\"reason\":\"r\"}"), 0);
	ck_assert_int_eq(run(1)->status, EXEC_QUEUED);
	ck_assert_int_eq(only_update()->available_at, play.now);
	ck_assert(!lease(1).refused);
	ck_assert_int_eq(run(1)->attempt, 2);
	(void)complete(1, "1");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_acts__end_a_task_that_a_worker_has)
{
	struct task_answer first;

	begin(TWO);
	first = lease(0);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"step\":\"a\",\"reason\":\"r\"}"),
					 ERR_CONFLICT);
	ck_assert_int_eq(
		play_act(&play,
				 "{\"act\":\"complete\",\"step\":\"a\",\"output\":{\"got\":4},\"reason\":\"r\"}"),
		0);
	ck_assert_int_eq(run(0)->status, EXEC_DONE);
	/* The worker has not completed it; and that it did so, too, is told to a person. */
	ck_assert(
		play_task(&play, 0, -1, SIDE_DO, TASK_WORD_COMPLETE, NULL, NULL, first.nonce, 1).refused);
	ck_assert(trail_has("SagaAttention a"));
	play_end(&play);
}
END_TEST

START_TEST(test_acts__a_retry_edits_the_input_of_a_task)
{
	begin(TWO);
	(void)lease(0);
	(void)say_fail(0, "jam");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"step\":\"a\",\"reason\":\"r\","
									 "\"request\":{\"body\":{\"order\":\"o-2\"}}}"),
					 0);
	ck_assert_str_eq(run(0)->request->body, "{\"order\":\"o-2\"}");
	ck_assert_str_eq(only_update()->queue, "work");
	ck_assert_str_eq(only_update()->route, "to-3");
	ck_assert_str_eq(run(0)->request->key, PLAY_ID "/a/do~2");
	ck_assert_int_eq(only_update()->available_at, play.now);
	play_end(&play);
}
END_TEST

START_TEST(test_items__are_tasks_of_their_own)
{
	begin("saga: each\n"
		  "steps:\n"
		  "  - {id: a, for_each: '${[1, 2, 3]}', max_parallel: 2, task: work, with: '${item}', "
		  "compensate: none}\n");
	ck_assert_uint_eq(play.decision.n_tasks, 2);
	ck_assert(!play_task(&play, 0, 1, SIDE_DO, TASK_WORD_LEASE, NULL, NULL, NULL, 0).refused);
	ck_assert(!play_task(&play, 0, 1, SIDE_DO, TASK_WORD_COMPLETE, "2", NULL, NULL, 0).refused);
	ck_assert_uint_eq(play.decision.n_tasks, 2); /* one is over, the third is queued */
	for (int i = 0; i < 3; i += 2) {
		ck_assert(!play_task(&play, 0, i, SIDE_DO, TASK_WORD_LEASE, NULL, NULL, NULL, 0).refused);
		ck_assert(!play_task(&play, 0, i, SIDE_DO, TASK_WORD_COMPLETE, "9", NULL, NULL, 0).refused);
	}
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_word__about_what_is_no_task_is_refused)
{
	struct task_answer answer;
	struct input in = {.type = INPUT_TASK, .step = 7, .item = -1, .answer = &answer};

	begin("saga: t\nsteps:\n  - {id: a, await: {after: 1h}}\n");
	for (int step = -1; step < 2; step++) {
		in.step = step;
		in.nonce = "x";
		in.word = TASK_WORD_COMPLETE;
		ck_assert_int_eq(play_give(&play, &in), 0);
		ck_assert(answer.refused);
		in.word = TASK_WORD_LEASE;
		ck_assert_int_eq(play_give(&play, &in), 0);
		ck_assert(answer.refused);
	}
	expect_trail("SagaStarted, StepScheduled a");
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_task");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_task__waits_is_leased_and_completes);
	tcase_add_test(tcase, test_lease__is_one_workers_and_fences_the_others);
	tcase_add_test(tcase,
				   test_lease__that_is_over_gives_the_task_to_another_and_refuses_the_late_result);
	tcase_add_test(tcase, test_lease__over_before_the_timer_is_over_all_the_same);
	tcase_add_test(tcase, test_heartbeat__keeps_the_lease_until_the_time_out);
	tcase_add_test(tcase, test_lease__runs_anew_after_a_restart);
	tcase_add_test(tcase, test_complete__told_again_is_no_error);
	tcase_add_test(tcase, test_complete__told_again_with_another_output_is_refused);
	tcase_add_test(tcase, test_complete__told_again_is_compared_as_it_is_kept);
	tcase_add_test(tcase, test_complete__after_the_end_of_the_saga_is_recorded);
	tcase_add_test(tcase, test_fail__retryable_is_queued_again_until_attempts_are_used_up);
	tcase_add_test(tcase, test_fail__final_ends_it_at_once);
	tcase_add_test(tcase, test_fail__final_after_a_lease_that_expired_is_undone);
	tcase_add_test(tcase, test_fail__unknown_is_undone);
	tcase_add_test(tcase, test_fail__rules_of_outcome_come_first);
	tcase_add_test(tcase, test_queue__deadline_without_a_worker_is_a_definite_failure);
	tcase_add_test(tcase, test_queue__deadline_comes_before_a_lease_at_the_same_moment);
	tcase_add_test(tcase, test_lease__ends_with_the_deadline_at_the_latest);
	tcase_add_test(tcase, test_turning_back__withdraws_what_waits_and_waits_for_what_is_leased);
	tcase_add_test(tcase, test_turning_back__undoes_an_expired_task_after_a_grace);
	tcase_add_test(tcase, test_pause__gives_nobody_work_and_lets_no_lease_run_out);
	tcase_add_test(tcase, test_exhausted__parks_where_it_is_said_and_past_the_pivot);
	tcase_add_test(tcase, test_acts__end_a_task_that_a_worker_has);
	tcase_add_test(tcase, test_acts__a_retry_edits_the_input_of_a_task);
	tcase_add_test(tcase, test_items__are_tasks_of_their_own);
	tcase_add_test(tcase, test_word__about_what_is_no_task_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
