/*
 * Deciding about what goes through Kafka: commands and their replies, records that are emitted,
 * events that are awaited or cancel.
 */
#include "sagas/decide.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define OUTCOME_SILENT OUTCOME_DEFAULT

static struct play play;

static void begin(const char *yaml)
{
	play_begin(&play, yaml, "{\"id\":\"o-1\"}", false);
}

/* Time passes, and all that came in it was read. */
static void wait(int64_t ms)
{
	play.queues_read_until = play.now + ms;
	play_wait(&play, ms);
}

static void published(int step, enum call_kind kind)
{
	play_published(&play, step, -1, kind, CALL_PUBLISHED);
}

static void reply(int step, enum call_kind kind, enum outcome said, const char *code)
{
	play_reply(&play, step, -1, kind, 0, said, code, NULL, "{\"n\":1}");
}

static void expect_trail(const char *expected)
{
	ck_assert_str_eq(buf_str(&play.trail), expected);
}

static bool trail_has(const char *text)
{
	return strstr(buf_str(&play.trail), text) != NULL;
}

static const struct command *only_command(void)
{
	ck_assert_uint_eq(play.decision.n_commands, 1);
	return &play.decision.commands[0];
}

static enum exec_status run_status(int step)
{
	return saga_state_action(play.state, step, -1)->run.status;
}

/* a can be undone, b waits for it. */
#define TWO                                                                                        \
	"saga: two\n"                                                                                  \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    command: {to: credit, key: '${input.id}', type: Reserve, data: {order: '${input.id}'}, "  \
	"headers: {x-run: 7}}\n"                                                                       \
	"    timeout: 30s\n"                                                                           \
	"    retry: {initial_interval: 1s, maximum_interval: 1s, maximum_attempts: 3, jitter: 0}\n"    \
	"    compensate: {command: {to: credit, type: Release, data: {order: '${input.id}'}}, "        \
	"retry: {maximum_attempts: 2}, timeout: 30s}\n"                                                \
	"  - id: b\n"                                                                                  \
	"    command: {to: credit, type: Settle}\n"                                                    \
	"    timeout: 30s\n"                                                                           \
	"    compensate: none\n"                                                                       \
	"output: '${steps.a.output}'\n"

START_TEST(test_command__is_made_once_and_answered_by_its_action)
{
	const struct command *command;
	struct request *request;

	begin(TWO);
	command = only_command();
	request = command->request;
	ck_assert_int_eq(request->kind, REQUEST_COMMAND);
	ck_assert_str_eq(request->to, "credit");
	ck_assert_str_eq(request->type, "Reserve");
	ck_assert_str_eq(request->record_key, "o-1");
	ck_assert_str_eq(request->body, "{\"order\":\"o-1\"}");
	ck_assert_str_eq(request->headers[0], "x-run: 7");
	ck_assert_str_eq(request->key, PLAY_ID "/a/do");
	ck_assert_str_eq(request->correlation, "default/" PLAY_ID "/a/do");
	ck_assert_int_eq(command->timeout_ms, 30 * SECOND);
	ck_assert_int_eq(saga_state_in_flight(play.state), 1);
	published(0, CALL_DO);
	ck_assert_int_eq(saga_state_in_flight(play.state), 0);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 30 * SECOND);
	ck_assert_int_eq(play.state->status, SAGA_RUNNING);
	reply(0, CALL_DO, OUTCOME_SILENT, NULL);
	command = only_command();
	ck_assert_str_eq(command->request->type, "Settle");
	ck_assert_str_eq(command->request->record_key, PLAY_ID);
	ck_assert_ptr_null(command->request->body);
	published(1, CALL_DO);
	reply(1, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	ck_assert_str_eq(jval_text(play.state->output, NULL), "{\"n\":1}");
	expect_trail("SagaStarted, StepScheduled a, StepCompleted a, CompensationArmed a, "
				 "StepScheduled b, StepCompleted b, SagaCompleted");
	play_end(&play);
}
END_TEST

START_TEST(test_command__may_be_answered_before_it_is_known_to_be_published)
{
	static const enum call_result results[] = {CALL_PUBLISHED, CALL_BROKEN, CALL_NOT_CONNECTED};

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		size_t rows;

		begin(TWO);
		reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
		rows = play.n_rows;
		play_published(&play, 0, -1, CALL_DO, results[i]);
		ck_assert_uint_eq(play.n_rows, rows);
		ck_assert_int_eq(run_status(0), EXEC_DONE);
		play_end(&play);
	}
}
END_TEST

START_TEST(test_command__that_was_never_published_is_not_undone)
{
	begin(TWO);
	for (int i = 0; i < 3; i++) {
		play_published(&play, 0, -1, CALL_DO, CALL_NOT_CONNECTED);
		play_wait(&play, SECOND); /* what was not sent has no reply that could be unread */
	}
	expect_trail("SagaStarted, StepScheduled a, StepAttemptFailed a, StepAttemptFailed a, "
				 "StepFailed a, SagaCompensating a, SagaCompensated");
	ck_assert_str_eq(play.state->failure_code, "not_published");
	play_end(&play);
}
END_TEST

START_TEST(test_command__time_out_waits_until_the_queues_are_read)
{
	begin(TWO);
	published(0, CALL_DO);
	play_wait(&play, HOUR);
	ck_assert_int_eq(run_status(0), EXEC_RUNNING);
	play.queues_read_until = PLAY_STARTS_AT + 30 * SECOND - 1;
	play_wait(&play, 0);
	ck_assert_int_eq(run_status(0), EXEC_RUNNING);
	/* The reply was in the topic all the time. */
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(run_status(0), EXEC_DONE);
	play_end(&play);

	begin(TWO);
	published(0, CALL_DO);
	play.queues_read_until = PLAY_STARTS_AT + 30 * SECOND;
	play_wait(&play, 30 * SECOND);
	ck_assert_int_eq(run_status(0), EXEC_BACKING_OFF);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.ambiguous, true);
	play_end(&play);
}
END_TEST

START_TEST(test_command__is_sent_again_as_it_was_and_any_reply_counts)
{
	begin(TWO);
	published(0, CALL_DO);
	wait(30 * SECOND);
	wait(SECOND);
	ck_assert_int_eq(only_command()->attempt, 2);
	ck_assert_str_eq(only_command()->request->key, PLAY_ID "/a/do");
	ck_assert_str_eq(only_command()->request->correlation, "default/" PLAY_ID "/a/do");
	published(0, CALL_DO);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 30 * SECOND);
	wait(30 * SECOND); /* now between two attempts */
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	expect_trail("SagaStarted, StepScheduled a, StepAttemptFailed a, StepAttemptFailed a, "
				 "StepCompleted a, CompensationArmed a, StepScheduled b");
	play_end(&play);
}
END_TEST

START_TEST(test_command__failure_ends_it_and_ambiguity_sticks)
{
	begin(TWO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_FAILURE, "NoCredit");
	expect_trail("SagaStarted, StepScheduled a, StepFailed a, SagaCompensating a, SagaCompensated");
	ck_assert_str_eq(play.state->failure_code, "NoCredit");
	play_end(&play);

	begin(TWO);
	published(0, CALL_DO);
	wait(30 * SECOND);
	wait(SECOND);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_FAILURE, "NoCredit");
	expect_trail("SagaStarted, StepScheduled a, StepAttemptFailed a, StepFailed a, "
				 "CompensationArmed a, SagaCompensating a");
	/* Nothing is undone while the first attempt may still take effect. */
	wait(SECOND);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	wait(MINUTE);
	ck_assert_str_eq(only_command()->request->correlation, "default/" PLAY_ID "/a/undo");
	ck_assert_str_eq(only_command()->request->key, PLAY_ID "/a/undo");
	published(0, CALL_UNDO);
	reply(0, CALL_UNDO, OUTCOME_SILENT, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

/* A reply does not say which attempt it answers: the latest may still be on its way. */
START_TEST(test_command__unknown_of_several_attempts_settles_none)
{
	begin(TWO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_UNKNOWN, "busy");
	wait(SECOND);
	published(0, CALL_DO);
	wait(30 * SECOND);
	wait(SECOND);
	ck_assert_int_eq(only_command()->attempt, 3);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_UNKNOWN, "busy"); /* the first one's again */
	expect_trail("SagaStarted, StepScheduled a, StepAttemptFailed a, StepAttemptFailed a, "
				 "StepFailed a, CompensationArmed a, SagaCompensating a");
	wait(MINUTE - 1);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	wait(1);
	ck_assert_str_eq(only_command()->request->correlation, "default/" PLAY_ID "/a/undo");
	play_end(&play);
}
END_TEST

/* Whatever is answered may be the answer to the first attempt, so the second has to settle, too. */
START_TEST(test_command__attempt_that_is_out_settles_whatever_is_answered)
{
	static const enum outcome said[] = {OUTCOME_UNKNOWN, OUTCOME_FAILURE};

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		begin("saga: twice\n"
			  "steps:\n"
			  "  - id: a\n"
			  "    command: {to: credit, type: Reserve}\n"
			  "    timeout: 30s\n"
			  "    retry: {initial_interval: 1s, maximum_attempts: 2, jitter: 0}\n"
			  "    compensate: {command: {to: credit, type: Release}}\n");
		published(0, CALL_DO);
		wait(30 * SECOND);
		wait(SECOND); /* sent again; it may arrive for its time-out of 30 s and a grace of 30 s */
		published(0, CALL_DO);
		wait(SECOND);
		reply(0, CALL_DO, said[i], "no");
		ck_assert_int_eq(saga_state_action(play.state, 0, -1)->comp, COMP_ARMED);
		ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + 91 * SECOND);
		wait(59 * SECOND - 1);
		ck_assert_uint_eq(play.decision.n_commands, 0);
		wait(1);
		ck_assert_int_eq(only_command()->kind, CALL_UNDO);
		play_end(&play);
	}
}
END_TEST

#define RULES                                                                                      \
	"saga: rules\n"                                                                                \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    command: {to: credit, type: Reserve}\n"                                                   \
	"    outcome: {success: [NoSuchHold, HoldExists], failure: [\"${reply.type == 'Refused'}\", "  \
	"\"${reply.data.n > 5}\"]}\n"                                                                  \
	"    output: {type: '${reply.type}', n: '${reply.body.n}', said: '${reply.outcome}'}\n"        \
	"    compensate: none\n"

START_TEST(test_command__rules_come_before_what_the_reply_says)
{
	static const struct {
		enum outcome said;
		const char *code, *type, *body;
		enum saga_status end;
		const char *result; /* output or code */
	} cases[] = {
		{OUTCOME_SILENT, NULL, "Done", "{\"n\":1}", SAGA_COMPLETED,
		 "{\"type\":\"Done\",\"n\":1,"
		 "\"said\":null}"},
		{OUTCOME_FAILURE, "NoSuchHold", "Done", "{\"n\":1}", SAGA_COMPLETED,
		 "{\"type\":\"Done\",\"n\":1,\"said\":\"failure\"}"},
		{OUTCOME_FAILURE, NULL, "HoldExists", "{\"n\":1}", SAGA_COMPLETED,
		 "{\"type\":\"HoldExists\",\"n\":1,\"said\":\"failure\"}"},
		{OUTCOME_SUCCESS, NULL, "Refused", "{\"n\":1}", SAGA_COMPENSATED, "Refused"},
		{OUTCOME_SUCCESS, NULL, "Done", "{\"n\":6}", SAGA_COMPENSATED, "Done"},
		{OUTCOME_FAILURE, "Other", "Done", "{\"n\":1}", SAGA_COMPENSATED, "Other"},
		{OUTCOME_FAILURE, NULL, NULL, NULL, SAGA_COMPENSATED, "command_failed"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(RULES);
		published(0, CALL_DO);
		play_reply(&play, 0, -1, CALL_DO, 0, cases[i].said, cases[i].code, cases[i].type,
				   cases[i].body);
		ck_assert_msg(play.state->status == cases[i].end, "case %zu", i);
		if (cases[i].end == SAGA_COMPLETED)
			ck_assert_str_eq(jval_text(play.state->steps[0].output, NULL), cases[i].result);
		else
			ck_assert_str_eq(play.state->failure_code, cases[i].result);
		play_end(&play);
	}
}
END_TEST

START_TEST(test_command__unknown_is_retried_and_ongoing_is_waited_for)
{
	begin(TWO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_UNKNOWN, "busy");
	ck_assert_int_eq(run_status(0), EXEC_BACKING_OFF);
	/* A second delivery neither puts the next attempt off nor burns one. */
	reply(0, CALL_DO, OUTCOME_UNKNOWN, "busy");
	expect_trail("SagaStarted, StepScheduled a, StepAttemptFailed a, ReplyIgnored a");
	wait(SECOND);
	ck_assert_int_eq(only_command()->attempt, 2);
	published(0, CALL_DO);
	wait(20 * SECOND);
	reply(0, CALL_DO, OUTCOME_ONGOING, NULL);
	ck_assert_int_eq(run_status(0), EXEC_ONGOING);
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + 30 * SECOND);
	wait(20 * SECOND);
	reply(0, CALL_DO, OUTCOME_ONGOING, NULL);
	wait(20 * SECOND);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	/* Silence: the same command asks again, and is no further attempt. */
	wait(10 * SECOND);
	ck_assert_int_eq(only_command()->attempt, 2);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(run_status(0), EXEC_DONE);
	play_end(&play);
}
END_TEST

START_TEST(test_command__late_replies_are_recorded_also_after_the_end)
{
	size_t rows;

	begin(TWO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL); /* delivered twice */
	published(1, CALL_DO);
	reply(1, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	for (int i = 0; i < 98; i++)
		reply(1, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.decision.unrecorded_replies, 0);
	reply(1, CALL_DO, OUTCOME_FAILURE, "late");
	ck_assert_uint_eq(play.decision.n_events, 1);
	ck_assert_str_eq(play.decision.events[0].code, "late");
	/* A hundred are told; past that they are only counted. */
	rows = play.n_rows;
	reply(0, CALL_UNDO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.decision.unrecorded_replies, 1);
	ck_assert_uint_eq(play.n_rows, rows);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	ck_assert_ptr_null(saga_state_attention(play.state));
	play_end(&play);
}
END_TEST

/* Both attempts of a end unknown, and it is undone. */
static void time_out_and_undo(void)
{
	begin(TWO);
	for (int i = 0; i < 3; i++) {
		published(0, CALL_DO);
		wait(30 * SECOND);
		wait(SECOND);
	}
	ck_assert_int_eq(run_status(0), EXEC_GAVE_UP);
	wait(MINUTE);
	published(0, CALL_UNDO);
}

#define PIVOT                                                                                      \
	"saga: pivot\n"                                                                                \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    pivot: true\n"                                                                            \
	"    command: {to: credit, type: Settle}\n"                                                    \
	"    timeout: 30s\n"                                                                           \
	"    retry: {maximum_attempts: 1}\n"                                                           \
	"  - {id: b, command: {to: credit, type: Tell}, retry: {initial_interval: 1s, jitter: 0}}\n"

START_TEST(test_command__late_success_calls_a_person_once)
{
	size_t rows;

	time_out_and_undo();
	reply(0, CALL_UNDO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert_str_eq(saga_state_attention(play.state),
					 "a: a success arrived after its compensation had begun");
	rows = play.n_rows;
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_uint_eq(play.n_rows, rows + 1);
	ck_assert_uint_eq(play.decision.n_events, 1);
	play_restart(&play);
	ck_assert_ptr_nonnull(saga_state_attention(play.state));
	ck_assert_uint_eq(play.decision.n_commands, 0);
	play_end(&play);

	/* It had failed for good, so nothing undoes what it did after all. */
	begin(TWO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_FAILURE, "NoCredit");
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_str_eq(saga_state_attention(play.state),
					 "a: a success arrived after it had failed, and it is not undone");
	play_end(&play);

	/* A pivot that failed let all before it be undone. */
	begin(PIVOT);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_FAILURE, "no");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_ptr_nonnull(saga_state_attention(play.state));
	play_end(&play);

	/* It is going to be undone anyway. */
	begin(TWO);
	for (int i = 0; i < 3; i++) {
		published(0, CALL_DO);
		wait(30 * SECOND);
		wait(SECOND);
	}
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_ptr_null(saga_state_attention(play.state));
	ck_assert_str_eq(event_type_text(play.decision.events[0].type), "ReplyIgnored");
	play_end(&play);
}
END_TEST

START_TEST(test_command__late_success_resolves_an_undo_that_failed)
{
	time_out_and_undo();
	for (int i = 0; i < 2; i++) {
		wait(30 * SECOND);
		wait(MINUTE);
		if (play.decision.n_commands > 0)
			published(0, CALL_UNDO);
	}
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATION_FAILED);
	reply(0, CALL_UNDO, OUTCOME_FAILURE, "again"); /* is known */
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATION_FAILED);
	reply(0, CALL_UNDO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_command__late_success_takes_a_parked_step_on)
{
	begin(PIVOT);
	published(0, CALL_DO);
	wait(30 * SECOND);
	ck_assert_int_eq(run_status(0), EXEC_PARKED);
	reply(0, CALL_DO, OUTCOME_FAILURE, "no");
	ck_assert_int_eq(run_status(0), EXEC_PARKED);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(run_status(0), EXEC_DONE);
	/* Past the pivot a failure is tried again, and one that comes twice is so once. */
	published(1, CALL_DO);
	reply(1, CALL_DO, OUTCOME_FAILURE, "no");
	reply(1, CALL_DO, OUTCOME_FAILURE, "no");
	expect_trail("SagaStarted, StepScheduled a, StepParked a, ReplyIgnored a, StepCompleted a, "
				 "StepScheduled b, StepAttemptFailed b, ReplyIgnored b");
	play_end(&play);
}
END_TEST

START_TEST(test_command__too_large_for_the_broker_is_a_failure)
{
	begin(TWO);
	play_published(&play, 0, -1, CALL_DO, CALL_TOO_LARGE);
	expect_trail("SagaStarted, StepScheduled a, StepFailed a, SagaCompensating a, SagaCompensated");
	ck_assert_str_eq(play.state->failure_code, "command_too_large");
	play_end(&play);
}
END_TEST

#define LONG                                                                                       \
	"saga: long\n"                                                                                 \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    command: {to: credit, type: Reserve}\n"                                                   \
	"    timeout: 2h\n"                                                                            \
	"    deadline: 10h\n"                                                                          \
	"    retry: {initial_interval: 1s, jitter: 0}\n"                                               \
	"    compensate: {command: {to: credit, type: Release}, timeout: 2h}\n"                        \
	"  - {id: b, fail: {code: no}}\n"

START_TEST(test_command__that_waits_long_lets_its_saga_sleep)
{
	begin(LONG);
	published(0, CALL_DO);
	ck_assert(!saga_state_may_sleep(play.state));
	wait(9 * SECOND);
	ck_assert(!saga_state_may_sleep(play.state));
	wait(SECOND);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + 2 * HOUR);
	play_restart(&play);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert(saga_state_may_sleep(play.state));
	/* The second attempt, which the history would tell of only when it ends, too. */
	wait(2 * HOUR - 10 * SECOND);
	wait(SECOND);
	published(0, CALL_DO);
	wait(10 * SECOND);
	ck_assert(saga_state_may_sleep(play.state));
	play_restart(&play);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.attempt, 2);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	/* And the undo. */
	ck_assert_int_eq(only_command()->kind, CALL_UNDO);
	published(0, CALL_UNDO);
	wait(10 * SECOND);
	ck_assert(saga_state_may_sleep(play.state));
	play_restart(&play);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	expect_trail("SagaStarted, StepScheduled a, CommandPublished a, StepAttemptFailed a, "
				 "CommandPublished a, StepCompleted a, CompensationArmed a, StepFailed b, "
				 "SagaCompensating b, CompensationStarted a, CommandPublished a");
	play_end(&play);
}
END_TEST

START_TEST(test_command__is_sent_again_by_another_owner)
{
	begin(LONG);
	published(0, CALL_DO);
	play.now += 5 * SECOND;
	play_restart(&play);
	ck_assert_int_eq(only_command()->attempt, 1);
	ck_assert_str_eq(only_command()->request->correlation, "default/" PLAY_ID "/a/do");
	/* It keeps to the time that the history tells, for that is still far. */
	published(0, CALL_DO);
	wait(10 * SECOND);
	ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + 2 * HOUR);
	play_end(&play);

	/* After a long outage it gets its whole time again. */
	begin(TWO);
	play.now += HOUR;
	play.queues_read_until = play.now;
	play_restart(&play);
	ck_assert_int_eq(only_command()->timeout_ms, 30 * SECOND);
	published(0, CALL_DO);
	wait(29 * SECOND);
	ck_assert_int_eq(run_status(0), EXEC_RUNNING);
	reply(0, CALL_DO, OUTCOME_FAILURE, "NoCredit");
	ck_assert(trail_has("CompensationArmed a")); /* an earlier owner may have sent it too */
	play_end(&play);
}
END_TEST

#define PROBED                                                                                     \
	"saga: probed\n"                                                                               \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    command: {to: credit, type: Reserve}\n"                                                   \
	"    timeout: 30s\n"                                                                           \
	"    retry: {initial_interval: 1s, jitter: 0}\n"                                               \
	"    probe: {command: {to: credit, type: Find}, every: 5s, outcome: {absent: [NotFound]}}\n"   \
	"    compensate: none\n"

START_TEST(test_probe__only_the_question_that_is_out_is_answered)
{
	int64_t first, second;

	begin(PROBED);
	published(0, CALL_DO);
	wait(30 * SECOND);
	wait(SECOND);
	ck_assert_int_eq(only_command()->kind, CALL_PROBE_DO);
	ck_assert_ptr_nonnull(strstr(only_command()->request->correlation, "/a/probe-do."));
	first = saga_state_action(play.state, 0, -1)->run.ask;
	published(0, CALL_PROBE_DO);
	wait(30 * SECOND); /* no answer */
	wait(5 * SECOND);
	ck_assert_int_eq(only_command()->kind, CALL_PROBE_DO);
	second = saga_state_action(play.state, 0, -1)->run.ask;
	ck_assert_int_gt(second, first);
	published(0, CALL_PROBE_DO);
	play_reply(&play, 0, -1, CALL_PROBE_DO, first, OUTCOME_FAILURE, "NotFound", NULL, NULL);
	ck_assert(trail_has("ReplyIgnored a"));
	ck_assert_uint_eq(play.decision.n_commands, 0);
	/* A later owner asks anew, and takes no answer that was for the earlier one. */
	play_restart(&play);
	wait(0);
	ck_assert_int_eq(only_command()->kind, CALL_PROBE_DO);
	ck_assert_int_ge(saga_state_action(play.state, 0, -1)->run.ask, second);
	published(0, CALL_PROBE_DO);
	play_reply(&play, 0, -1, CALL_PROBE_DO, first, OUTCOME_FAILURE, "NotFound", NULL, NULL);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	wait(MINUTE);
	wait(MINUTE);
	published(0, CALL_PROBE_DO);
	second = saga_state_action(play.state, 0, -1)->run.ask;
	play_reply(&play, 0, -1, CALL_PROBE_DO, second, OUTCOME_FAILURE, "NotFound", NULL, NULL);
	ck_assert(trail_has("StepAbsent a"));
	ck_assert_int_eq(only_command()->kind, CALL_DO);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_probe__may_say_absent_by_itself)
{
	begin(PROBED);
	published(0, CALL_DO);
	reply(0, CALL_DO, OUTCOME_ABSENT, NULL); /* of the command itself it says nothing */
	ck_assert_int_eq(run_status(0), EXEC_BACKING_OFF);
	wait(MINUTE);
	published(0, CALL_PROBE_DO);
	play_reply(&play, 0, -1, CALL_PROBE_DO, saga_state_action(play.state, 0, -1)->run.ask,
			   OUTCOME_ABSENT, NULL, NULL, NULL);
	ck_assert(trail_has("StepAbsent a"));
	ck_assert_int_eq(only_command()->kind, CALL_DO);
	play_end(&play);
}
END_TEST

START_TEST(test_probe__the_reply_to_the_command_counts_while_it_is_asked)
{
	begin(PROBED);
	published(0, CALL_DO);
	wait(30 * SECOND);
	wait(SECOND);
	ck_assert_int_eq(only_command()->kind, CALL_PROBE_DO);
	reply(0, CALL_DO, OUTCOME_SUCCESS, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_published(&play, 0, -1, CALL_PROBE_DO, CALL_PUBLISHED);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_end(&play);
}
END_TEST

START_TEST(test_reply__may_name_anything)
{
	size_t rows;

	begin(TWO);
	published(0, CALL_DO);
	rows = play.n_rows;
	for (int step = -2; step < 5; step++) {
		for (int item = -2; item < 3; item++) {
			if (step == 0 && item == -1)
				continue;
			for (int kind = CALL_DO; kind <= CALL_PROBE_UNDO; kind++) {
				play_reply(&play, step, item, (enum call_kind)kind, 7, OUTCOME_SUCCESS, NULL, NULL,
						   NULL);
				ck_assert_int_eq(play.decision.unrecorded_replies, 1);
			}
		}
	}
	ck_assert_uint_eq(play.n_rows, rows);
	/* Of an action that exists it is told, whatever it is for. */
	play_reply(&play, 0, -1, CALL_UNDO, 0, OUTCOME_SUCCESS, NULL, NULL, NULL);
	play_reply(&play, 0, -1, CALL_PROBE_DO, 7, OUTCOME_SUCCESS, NULL, NULL, NULL);
	play_reply(&play, 0, -1, CALL_PROBE_UNDO, 7, OUTCOME_SUCCESS, NULL, NULL, NULL);
	ck_assert_uint_eq(play.n_rows, rows + 3);
	ck_assert_int_eq(run_status(0), EXEC_RUNNING);
	play_end(&play);
}
END_TEST

#define EMIT                                                                                       \
	"saga: emitting\n"                                                                             \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    emit: {topic: orders.placed, key: '${input.id}', type: OrderPlaced, data: {id: "          \
	"'${input.id}'}, headers: {x-none: '${null}', x-n: 1.50}}\n"                                   \
	"    compensate: {emit: {topic: orders.withdrawn, type: OrderWithdrawn, data: {why: "          \
	"'${saga.failure.code}'}}}\n"                                                                  \
	"  - id: b\n"                                                                                  \
	"    command: {to: credit, type: Reserve}\n"                                                   \
	"    compensate: none\n"                                                                       \
	"on_compensated:\n"                                                                            \
	"  - {id: tell, emit: {topic: orders.rejected, type: OrderRejected, data: "                    \
	"'${saga.failure}'}}\n"

START_TEST(test_emit__leaves_with_the_commit)
{
	const struct emission *emission;

	begin(EMIT);
	ck_assert_uint_eq(play.decision.n_emissions, 1);
	emission = &play.decision.emissions[0];
	ck_assert_int_eq(emission->request->kind, REQUEST_EMIT);
	ck_assert_str_eq(emission->request->topic, "orders.placed");
	ck_assert_str_eq(emission->request->cluster, "default");
	ck_assert_str_eq(emission->request->type, "OrderPlaced");
	ck_assert_str_eq(emission->request->record_key, "o-1");
	ck_assert_str_eq(emission->request->body, "{\"id\":\"o-1\"}");
	ck_assert_str_eq(emission->request->headers[0], "x-n: 1.5");
	ck_assert_ptr_null(emission->request->headers[1]);
	expect_trail("SagaStarted, StepScheduled a, StepCompleted a, CompensationArmed a, "
				 "StepScheduled b");
	published(1, CALL_DO);
	reply(1, CALL_DO, OUTCOME_FAILURE, "NoCredit");
	ck_assert_uint_eq(play.decision.n_emissions, 2);
	emission = play.decision.emissions;
	ck_assert_int_eq(emission[0].side, SIDE_UNDO);
	ck_assert_str_eq(emission[0].request->body, "{\"why\":\"NoCredit\"}");
	ck_assert_str_eq(emission[0].request->record_key, PLAY_ID);
	ck_assert_int_eq(emission[1].step, 2);
	ck_assert_ptr_nonnull(strstr(emission[1].request->body, "\"code\":\"NoCredit\""));
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	expect_trail("SagaStarted, StepScheduled a, StepCompleted a, CompensationArmed a, "
				 "StepScheduled b, StepFailed b, SagaCompensating b, CompensationStarted a, "
				 "CompensationCompleted a, StepScheduled tell, StepCompleted tell, "
				 "SagaCompensated");
	play_end(&play);
}
END_TEST

START_TEST(test_emit__that_cannot_be_made_fails_the_step)
{
	begin("saga: bad\n"
		  "steps:\n"
		  "  - {id: a, emit: {topic: t, type: T, headers: {x: \"${input.gone}\"}}, compensate: "
		  "none}\n");
	ck_assert_uint_eq(play.decision.n_emissions, 0);
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	play_end(&play);
	begin("saga: bad\n"
		  "steps:\n"
		  "  - {id: a, emit: {topic: t, type: T, headers: {x: \"${'a' + '\\\\n' + 'b'}\"}}, "
		  "compensate: none}\n");
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	play_end(&play);
}
END_TEST

#define AWAIT                                                                                      \
	"saga: awaiting\n"                                                                             \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    await: {kafka: payments, correlate: {from: '${event.data.order}', expect: "               \
	"'${input.id}'}, when: '${event.data.amount > 5}'}\n"                                          \
	"    timeout: 1h\n"                                                                            \
	"    output: {amount: '${event.data.amount}', at: '${event.topic}'}\n"                         \
	"  - id: b\n"                                                                                  \
	"    needs: []\n"                                                                              \
	"    await: {kafka: payments, correlate: {from: '${event.data.order}', expect: "               \
	"'${input.id}'}}\n"                                                                            \
	"    tolerate: \"${failure.code == 'timeout'}\"\n"                                             \
	"cancel_on:\n"                                                                                 \
	"  - {kafka: orders.cancelled, correlate: {from: '${event.data.id}', expect: '${input.id}'}, " \
	"when: '${event.data.really == true}'}\n"

#define PAID "{\"topic\":\"payments\",\"data\":{\"order\":\"o-1\",\"amount\":9}}"
#define PAID_LITTLE "{\"topic\":\"payments\",\"data\":{\"order\":\"o-1\",\"amount\":2}}"

START_TEST(test_await__is_subscribed_and_takes_an_event_once)
{
	const struct subscription *subscription;

	begin(AWAIT);
	ck_assert_uint_eq(play.decision.n_subscriptions, 3);
	subscription = play.decision.subscriptions;
	ck_assert_int_eq(subscription[0].step, -1);
	ck_assert_str_eq(subscription[0].value, "o-1");
	ck_assert_int_eq(subscription[1].step, 0);
	ck_assert_ptr_eq(subscription[1].on, &play.def->steps[0].act.await_kafka);
	ck_assert_str_eq(subscription[1].value, "o-1");
	ck_assert_int_eq(subscription[2].step, 1);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	ck_assert(saga_state_may_sleep(play.state));
	ck_assert_int_eq(saga_state_next_due(play.state), play.now + HOUR);
	play_event(&play, 0, -1, 0, "default/payments/0/1", PAID_LITTLE);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, 0, -1, 0, "default/payments/0/2", PAID);
	ck_assert_uint_eq(play.decision.n_subscriptions, 1);
	ck_assert(play.decision.subscriptions[0].remove);
	ck_assert_str_eq(jval_text(play.state->steps[0].output, NULL),
					 "{\"amount\":9,\"at\":\"payments\"}");
	/* The same record is not for the other one too; also not after a restart. */
	play_event(&play, 1, -1, 0, "default/payments/0/2", PAID);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_restart(&play);
	play_event(&play, 1, -1, 0, "default/payments/0/2", PAID);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, 0, -1, 0, "default/payments/0/3", PAID); /* no longer waited for */
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, 1, -1, 0, "default/payments/0/3", PAID);
	ck_assert_str_eq(jval_text(play.state->steps[1].output, NULL),
					 "{\"order\":\"o-1\",\"amount\":9}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	ck_assert(play.decision.unsubscribe_all);
	play_end(&play);
}
END_TEST

START_TEST(test_await__runs_out_when_the_queues_are_read)
{
	begin(AWAIT);
	play_wait(&play, 25 * HOUR);
	ck_assert_uint_eq(play.decision.n_events, 0);
	wait(0);
	ck_assert_str_eq(play.state->failure_code, "timeout");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert(play.decision.unsubscribe_all);
	play_end(&play);

	begin(AWAIT);
	play_event(&play, 0, -1, 0, "default/payments/0/2", PAID);
	wait(25 * HOUR);
	ck_assert_int_eq(play.state->steps[1].status, STEP_FAILED);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_await__that_is_abandoned_is_no_longer_subscribed)
{
	begin("saga: beside\n"
		  "steps:\n"
		  "  - {id: a, needs: [], await: {kafka: t, correlate: {from: '${event.data}', expect: "
		  "x}}}\n"
		  "  - {id: b, needs: [], command: {to: credit, type: T}, compensate: none}\n"
		  "  - {id: c, needs: [], command: {to: credit, type: T}, compensate: none}\n");
	published(1, CALL_DO);
	published(2, CALL_DO);
	reply(1, CALL_DO, OUTCOME_FAILURE, "no");
	ck_assert_uint_eq(play.decision.n_subscriptions, 1);
	ck_assert(play.decision.subscriptions[0].remove);
	ck_assert_int_eq(play.decision.subscriptions[0].step, 0);
	ck_assert(!play.decision.unsubscribe_all);
	play_event(&play, 0, -1, 0, "default/t/0/1", "{\"data\":\"x\"}");
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_end(&play);
}
END_TEST

START_TEST(test_await__past_the_pivot_is_parked_and_taken_on_by_its_event)
{
	begin("saga: late\n"
		  "recovery: forward\n"
		  "steps:\n"
		  "  - {id: a, await: {kafka: t, correlate: {from: '${event.data}', expect: x}}, timeout: "
		  "1h}\n");
	wait(HOUR);
	ck_assert_int_eq(run_status(0), EXEC_PARKED);
	ck_assert_uint_eq(play.decision.n_subscriptions, 0);
	ck_assert_ptr_nonnull(saga_state_attention(play.state));
	play_event(&play, 0, -1, 0, "default/t/0/1", "{\"data\":\"x\"}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

#define CANCELLED "{\"data\":{\"id\":\"o-1\",\"really\":true}}"

START_TEST(test_cancel_on__cancels_as_a_person_would)
{
	const struct input adopted = {.type = INPUT_TIMER};

	play_begin(&play, AWAIT, "{\"id\":17}", true);
	ck_assert_uint_eq(play.decision.n_subscriptions, 1);
	ck_assert_str_eq(play.decision.subscriptions[0].value, "17");
	ck_assert_int_eq(play_give(&play, &adopted), 0);
	play_event(&play, -1, -1, 0, "default/orders.cancelled/3/17",
			   "{\"data\":{\"id\":17,\"really\":false}}");
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, -1, -1, 0, "default/orders.cancelled/3/18", CANCELLED);
	ck_assert_int_eq(play.decision.events[0].type, EV_SAGA_CANCEL_REQUESTED);
	ck_assert_str_eq(play.decision.events[0].by, "event");
	ck_assert_str_eq(play.decision.events[0].reason, "orders.cancelled/3/18");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert_str_eq(play.state->failure_code, "cancelled");
	play_event(&play, -1, -1, 0, "default/orders.cancelled/3/18", CANCELLED);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, -1, -1, 1, "default/orders.cancelled/3/18", CANCELLED);
	play_end(&play);
}
END_TEST

START_TEST(test_cancel_on__is_refused_past_the_pivot_and_told_once)
{
	begin(PIVOT "cancel_on:\n  - {kafka: orders.cancelled, correlate: {from: '${event.data.id}', "
				"expect: '${input.id}'}}\n");
	published(0, CALL_DO);
	for (int i = 0; i < 2; i++) {
		play_event(&play, -1, -1, 0, "default/orders.cancelled/3/18", CANCELLED);
		ck_assert_uint_eq(play.decision.n_events, i == 0 ? 1 : 0);
		play_restart(&play);
	}
	expect_trail("SagaStarted, StepScheduled a, SagaCancelRequested");
	ck_assert(!play.state->failing);
	play_end(&play);
}
END_TEST

START_TEST(test_cancel_on__without_a_value_fails_the_start)
{
	play_begin(&play, AWAIT, "{\"id\":null}", false);
	ck_assert_str_eq(play.state->failure_code, "expression_error");
	ck_assert_ptr_nonnull(strstr(play.state->failure_message, "cancel_on"));
	ck_assert_uint_eq(play.decision.n_subscriptions, 0);
	play_end(&play);
}
END_TEST

START_TEST(test_deadline__of_the_saga_waits_for_what_may_have_been_answered)
{
	begin("saga: dead\n"
		  "deadline: 1h\n"
		  "steps:\n"
		  "  - {id: a, command: {to: credit, type: T}, timeout: 3h, compensate: none}\n");
	published(0, CALL_DO);
	play_wait(&play, 2 * HOUR);
	ck_assert(!play.state->failing);
	play.queues_read_until = PLAY_STARTS_AT + HOUR;
	play_wait(&play, 0);
	ck_assert_str_eq(play.state->failure_code, "deadline_exceeded");
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_kafka");
	TCase *tcase = tcase_create("core");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_command__is_made_once_and_answered_by_its_action);
	tcase_add_test(tcase, test_command__may_be_answered_before_it_is_known_to_be_published);
	tcase_add_test(tcase, test_command__that_was_never_published_is_not_undone);
	tcase_add_test(tcase, test_command__time_out_waits_until_the_queues_are_read);
	tcase_add_test(tcase, test_command__is_sent_again_as_it_was_and_any_reply_counts);
	tcase_add_test(tcase, test_command__failure_ends_it_and_ambiguity_sticks);
	tcase_add_test(tcase, test_command__unknown_of_several_attempts_settles_none);
	tcase_add_test(tcase, test_command__attempt_that_is_out_settles_whatever_is_answered);
	tcase_add_test(tcase, test_command__rules_come_before_what_the_reply_says);
	tcase_add_test(tcase, test_command__unknown_is_retried_and_ongoing_is_waited_for);
	tcase_add_test(tcase, test_command__late_replies_are_recorded_also_after_the_end);
	tcase_add_test(tcase, test_command__late_success_calls_a_person_once);
	tcase_add_test(tcase, test_command__late_success_resolves_an_undo_that_failed);
	tcase_add_test(tcase, test_command__late_success_takes_a_parked_step_on);
	tcase_add_test(tcase, test_command__too_large_for_the_broker_is_a_failure);
	tcase_add_test(tcase, test_command__that_waits_long_lets_its_saga_sleep);
	tcase_add_test(tcase, test_command__is_sent_again_by_another_owner);
	tcase_add_test(tcase, test_probe__only_the_question_that_is_out_is_answered);
	tcase_add_test(tcase, test_probe__may_say_absent_by_itself);
	tcase_add_test(tcase, test_probe__the_reply_to_the_command_counts_while_it_is_asked);
	tcase_add_test(tcase, test_reply__may_name_anything);
	tcase_add_test(tcase, test_emit__leaves_with_the_commit);
	tcase_add_test(tcase, test_emit__that_cannot_be_made_fails_the_step);
	tcase_add_test(tcase, test_await__is_subscribed_and_takes_an_event_once);
	tcase_add_test(tcase, test_await__runs_out_when_the_queues_are_read);
	tcase_add_test(tcase, test_await__that_is_abandoned_is_no_longer_subscribed);
	tcase_add_test(tcase, test_await__past_the_pivot_is_parked_and_taken_on_by_its_event);
	tcase_add_test(tcase, test_cancel_on__cancels_as_a_person_would);
	tcase_add_test(tcase, test_cancel_on__is_refused_past_the_pivot_and_told_once);
	tcase_add_test(tcase, test_cancel_on__without_a_value_fails_the_start);
	tcase_add_test(tcase, test_deadline__of_the_saga_waits_for_what_may_have_been_answered);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
