/*
 * Deciding about runs: what goes over into the next one, what does not, and what cannot. That a
 * fold of everything and one that begins with the run agree is checked by play.h at each step.
 */
#include "sagas/decide.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/definition.h"
#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static struct play play;

static void give(const char *act)
{
	ck_assert_msg(play_act(&play, act) == 0, "%s: %s", act, play.err.text);
}

static const struct request *sent(size_t i)
{
	ck_assert_uint_gt(play.decision.n_commands, i);
	return play.decision.commands[i].request;
}

static const struct action_state *carried(int item)
{
	return saga_state_action(play.state, play.def->carried, item);
}

static bool trail_ends_with(const char *text)
{
	size_t all = play.trail.len, len = strlen(text);

	return all >= len && strcmp(buf_str(&play.trail) + all - len, text) == 0;
}

/* Buys, and begins again with what it has, until it is told to stop. */
#define ENTITY                                                                                     \
	"saga: entity\n"                                                                               \
	"deadline: 30d\n"                                                                              \
	"input: {schema: {type: object, required: [n], properties: {n: {type: integer, maximum: "      \
	"5}}}}\n"                                                                                      \
	"steps:\n"                                                                                     \
	"  - {id: told, await: {signal: go}, timeout: 10d}\n"                                          \
	"  - id: buy\n"                                                                                \
	"    when: ${steps.told.output != 'stop'}\n"                                                   \
	"    http: {to: shop, method: PUT, path: '/things/${input.n}'}\n"                              \
	"    compensate:\n"                                                                            \
	"      http: {to: shop, method: DELETE, path: '/things/${input.n}', query: {because: "         \
	"'${saga.failure.code}'}}\n"                                                                   \
	"      retry: {maximum_attempts: 1}\n"                                                         \
	"  - id: note\n"                                                                               \
	"    when: ${steps.told.output != 'stop'}\n"                                                   \
	"    http: {to: book, method: POST, path: /notes}\n"                                           \
	"    compensate: {when: '${input.n > 1}', http: {to: book, method: DELETE, path: "             \
	"'/notes/${reply.body.id}'}}\n"                                                                \
	"    probe: {http: {to: book, method: GET, path: /notes}, outcome: {absent: [404]}}\n"         \
	"  - id: again\n"                                                                              \
	"    when: ${steps.told.output != 'stop'}\n"                                                   \
	"    continue_as_new: {input: {n: '${input.n + 1}'}}\n"

static void run_once(const char *note)
{
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 200, note);
}

START_TEST(test_continue__begins_anew_with_its_input)
{
	play_begin(&play, ENTITY, "{\"n\":1}", false);
	run_once("{\"id\":\"n1\"}");
	ck_assert(trail_ends_with("CompensationArmed note, SagaContinued, StepScheduled told"));
	ck_assert_int_eq(play.state->run, 2);
	ck_assert_int_eq(json_integer_value(json_object_get(jval_json(play.state->input), "n")), 2);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	ck_assert_int_eq(play.state->deadline_at, play.now + 30 * 24 * (int64_t)HOUR);
	ck_assert_int_eq(play.state->started_at, PLAY_STARTS_AT);
	ck_assert_int_eq(play.state->n_events, 2);
	/* Another run has other keys. */
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~2/do");
	play_restart(&play);
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~2/do");
	ck_assert_str_eq(sent(0)->path, "/things/2");
	/* What comes for the run before is told, and changes nothing. */
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 200, "{\"id\":\"n2\"}");
	ck_assert_int_eq(play.state->run, 3);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"stop\"}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

START_TEST(test_continue__carries_what_can_be_undone_and_undoes_it_in_reverse)
{
	play_begin(&play, ENTITY, "{\"n\":1}", false);
	run_once("{\"id\":\"n1\"}");
	run_once("{\"id\":\"n2\"}");
	ck_assert_int_eq(play.state->steps[play.def->carried].n_actions, 4);
	play_restart(&play);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	ck_assert_str_eq(play.state->failure_code, "http_422");
	/* The last one first, one after another, under the keys of their runs. */
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_str_eq(sent(0)->path, "/notes/n2");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/note~2/undo");
	play_restart(&play);
	play_answer(&play, play.def->carried, 3, CALL_UNDO, 200, NULL);
	/* It reads the failure of the saga, and the input of its own run. */
	ck_assert_uint_eq(play.decision.n_commands, 1);
	ck_assert_str_eq(sent(0)->path, "/things/2?because=http_422");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~2/undo");
	play_answer(&play, play.def->carried, 2, CALL_UNDO, 200, NULL);
	/* Its `when` is of its own run, too: n was 1, so the note stays. */
	ck_assert_int_eq(carried(1)->comp, COMP_SKIPPED);
	ck_assert_str_eq(sent(0)->path, "/things/1?because=http_422");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy/undo");
	play_answer(&play, play.def->carried, 0, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_continue__one_that_cannot_be_undone_holds_up_those_before_it)
{
	play_begin(&play, ENTITY, "{\"n\":2}", false);
	run_once("{\"id\":\"n2\"}");
	give("{\"act\":\"cancel\",\"reason\":\"no\"}");
	play_answer(&play, play.def->carried, 1, CALL_UNDO, 403, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATION_FAILED);
	ck_assert_int_eq(carried(0)->comp, COMP_ARMED);
	ck_assert_msg(strstr(saga_state_attention(play.state), "~carried: the compensation failed"),
				  "%s", saga_state_attention(play.state));
	/* A person takes care of it, as of any other. */
	give("{\"act\":\"retry\",\"step\":\"~carried\",\"item\":1,\"compensation\":true}");
	ck_assert_str_eq(sent(0)->path, "/notes/n2");
	play_answer(&play, play.def->carried, 1, CALL_UNDO, 403, NULL);
	give("{\"act\":\"complete\",\"step\":\"~carried\",\"item\":1,\"compensation\":true}");
	ck_assert_str_eq(sent(0)->path, "/things/2?because=cancelled");
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"told\"}"), ERR_CONFLICT);
	ck_assert_msg(strstr(play.err.text, "what earlier runs did is undone") != NULL, "%s",
				  play.err.text);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"retry\",\"from\":\"~carried\"}"), ERR_CONFLICT);
	play_answer(&play, play.def->carried, 0, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_continue__keeps_what_nobody_has_read_and_who_takes_care)
{
	play_begin(&play, ENTITY, "{\"n\":1}", false);
	give("{\"act\":\"owner\",\"owner\":\"ann\"}");
	give("{\"act\":\"signal\",\"signal\":\"later\",\"value\":7,\"id\":\"s-1\"}");
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"stop\",\"id\":\"s-2\"}");
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 200, "{\"id\":\"n1\"}");
	/* The next run reads the signal that was left. */
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	ck_assert_int_eq(play.state->run, 2);
	ck_assert_uint_eq(play.state->n_signals, 1);
	ck_assert_str_eq(play.state->signals[0].name, "later");
	ck_assert_str_eq(play.state->owner, "ann");
	ck_assert_str_eq(play.state->act_ids[0], "s-2");
	ck_assert_str_eq(play.state->act_ids[1], "s-1");
	play_end(&play);
}
END_TEST

START_TEST(test_continue__with_an_input_that_does_not_fit_fails)
{
	play_begin(&play, ENTITY, "{\"n\":5}", false);
	run_once("{\"id\":\"n5\"}");
	ck_assert_str_eq(play.state->failure_code, "invalid_input");
	ck_assert_msg(strstr(play.state->failure_message, "/n") != NULL, "%s",
				  play.state->failure_message);
	play_end(&play);
}
END_TEST

/* Never waits for anything. */
START_TEST(test_continue__goes_round_once_a_second_at_most)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: count, set: '${input + 1}'}\n"
			   "  - {id: again, when: '${input < 4}', continue_as_new: {input: "
			   "'${steps.count.output}'}}\n",
			   "1", false);
	ck_assert_int_eq(play.state->run, 2);
	ck_assert_int_eq(play.state->status, SAGA_WAITING);
	play_wait(&play, SECOND - 1);
	ck_assert_int_eq(play.state->run, 2);
	play_wait(&play, 1);
	ck_assert_int_eq(play.state->run, 3);
	play_restart(&play);
	play_wait(&play, SECOND);
	ck_assert_int_eq(play.state->run, 4);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	play_end(&play);
}
END_TEST

/* Past the point of no return of a run nothing of the runs before it is undone any more. */
START_TEST(test_continue__past_the_pivot_lets_go)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: a, http: {to: p, method: PUT, path: /a}, compensate: {http: {to: p, "
			   "method: DELETE, path: /a}}}\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: pay, when: '${steps.told.output}', pivot: true, http: {to: p, method: "
			   "POST, path: /pay}}\n"
			   "  - {id: again, needs: [pay], continue_as_new: {input: null}}\n",
			   "null", false);
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":true}");
	play_answer(&play, 2, -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(play.state->run, 2);
	ck_assert_int_eq(play.state->steps[play.def->carried].n_actions, 0);
	ck_assert(!saga_state_past_pivot(play.state));
	/* The next run has a way back of its own. */
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	give("{\"act\":\"cancel\"}");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/a~2/undo");
	play_answer(&play, 0, -1, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

START_TEST(test_continue__gives_locks_back)
{
	struct input in = {.type = INPUT_LOCK, .step = 0, .item = -1, .token = 3};

	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: l, lock: {keys: [k]}}\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: again, continue_as_new: {input: null}}\n",
			   "null", false);
	ck_assert_int_eq(play_give(&play, &in), 0);
	give("{\"act\":\"signal\",\"signal\":\"go\"}");
	ck_assert(play.decision.release_all_locks);
	ck_assert_uint_eq(play.decision.n_locks, 1);
	ck_assert(!play.decision.locks[0].release);
	ck_assert(!saga_state_action(play.state, 0, -1)->locked);
	play_end(&play);
}
END_TEST

/* A step that was begun anew has used a number of its own. */
START_TEST(test_continue__no_key_is_used_twice)
{
	play_begin(&play, ENTITY, "{\"n\":1}", false);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
	play_begin(&play, ENTITY, "{\"n\":1}", false);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	give("{\"act\":\"pause\"}");
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	give("{\"act\":\"retry\",\"from\":\"buy\"}");
	give("{\"act\":\"resume\"}");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~2/do");
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	play_answer(&play, 2, -1, CALL_DO, 200, "{\"id\":\"n1\"}");
	ck_assert_int_eq(play.state->run, 2);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~3/do");
	give("{\"act\":\"cancel\"}");
	play_answer(&play, 1, -1, CALL_DO, 422, NULL);
	ck_assert_str_eq(sent(0)->key, PLAY_ID "/buy~2/undo");
	play_end(&play);
}
END_TEST

static void told_by_run(enum outcome said, int run)
{
	struct input in = {
		.type = INPUT_REPLY,
		.item = -1,
		.kind = CALL_DO,
		.result = CALL_ANSWERED,
		.retry_after_ms = -1,
		.said = said,
		.run = run,
	};

	ck_assert_int_eq(play_give(&play, &in), 0);
}

static void told(enum outcome said)
{
	told_by_run(said, saga_state_run(play.state, 0));
}

/* A command that undoes an earlier run is answered as what it is there. */
START_TEST(test_continue__a_command_keeps_its_correlation)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: a, command: {to: p, type: Do}, compensate: {command: {to: p, type: Undo, "
			   "data: '${saga.failure.code}'}}}\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: again, continue_as_new: {input: null}}\n",
			   "null", false);
	for (int i = 0; i < 2; i++) {
		play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
		told(OUTCOME_SUCCESS);
		give("{\"act\":\"signal\",\"signal\":\"go\"}");
	}
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	told(OUTCOME_FAILURE);
	ck_assert_str_eq(sent(0)->correlation, "default/" PLAY_ID "/a~2/undo");
	ck_assert_int_eq(saga_state_find_carried(play.state, "a", -1, 2), 1);
	ck_assert_int_eq(saga_state_find_carried(play.state, "a", -1, 0), 0);
	ck_assert_int_eq(saga_state_find_carried(play.state, "a", -1, 3), -1);
	ck_assert_int_eq(saga_state_find_carried(play.state, "a", 0, 2), -1);
	play_end(&play);
}
END_TEST

/* What a person had skipped, and took effect all the same after its undo had begun. */
START_TEST(test_continue__a_success_of_an_earlier_run_that_comes_too_late_is_told)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - id: a\n"
			   "    command: {to: p, type: Do}\n"
			   "    timeout: 1m\n"
			   "    retry: {maximum_attempts: 1, on_exhausted: park}\n"
			   "    compensate: {command: {to: p, type: Undo}}\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: again, continue_as_new: {input: null}}\n",
			   "null", false);
	give("{\"act\":\"signal\",\"signal\":\"go\"}");
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	play_wait(&play, MINUTE);
	give("{\"act\":\"skip\",\"step\":\"a\"}");
	ck_assert_int_eq(play.state->run, 2);
	/* Its undo has not begun: it is undone with the rest. */
	told_by_run(OUTCOME_SUCCESS, 0);
	ck_assert(trail_ends_with("ReplyIgnored a"));
	told(OUTCOME_FAILURE);
	play_wait(&play, HOUR);
	ck_assert_int_eq(carried(0)->comp, COMP_RUNNING);
	told_by_run(OUTCOME_SUCCESS, 0);
	ck_assert(trail_ends_with("ReplyIgnored a, SagaAttention a"));
	play_end(&play);
}
END_TEST

/* The next run is put off for a second, and the saga's time is over before that. */
START_TEST(test_continue__what_runs_out_of_time_goes_back)
{
	play_begin(&play,
			   "saga: s\n"
			   "deadline: 300ms\n"
			   "steps:\n"
			   "  - {id: a, when: false, set: 1}\n"
			   "  - {id: again, continue_as_new: {input: null}}\n",
			   "null", false);
	ck_assert_int_eq(play.state->run, 2);
	/* Looked at late: both are due. */
	play_wait(&play, MINUTE);
	ck_assert_int_eq(play.state->run, 2);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

static const struct {
	const char *steps, *error;
} wrong[] = {
	{"  - {id: a, set: 1}\n  - {id: b, continue_as_new: {}}\n",
	 "error /steps/1/continue_as_new: `input` is missing: what the next run begins with"},
	{"  - {id: b, continue_as_new: {input: 1}}\n  - {id: c, set: 1}\n",
	 "error /steps/1: step `c` waits for `b`, where the run ends"},
	{"  - {id: b, for_each: [1], continue_as_new: {input: 1}}\n",
	 "error /steps/0/continue_as_new: `continue_as_new` takes no `for_each`"},
	{"  - {id: b, compensate: {http: {to: p, path: /}}, continue_as_new: {input: 1}}\n",
	 "error /steps/0/continue_as_new: `continue_as_new` takes no `compensate`"},
	{"  - {id: a, set: 1}\non_compensated:\n  - {id: b, continue_as_new: {input: 1}}\n",
	 "error /on_compensated/0/continue_as_new: a saga that has been undone has ended"},
};

START_TEST(test_continue__is_refused_where_a_run_cannot_end)
{
	CLEANUP(buf_release) struct buf yaml;
	CLEANUP(buf_release) struct buf out;

	buf_init(&yaml, 0);
	buf_init(&out, 0);
	buf_printf(&yaml, "saga: s\nsteps:\n%s", wrong[_i].steps);
	definition_findings(buf_str(&yaml), &out);
	ck_assert_msg(strstr(buf_str(&out), wrong[_i].error) != NULL, "%s", buf_str(&out));
}
END_TEST
/* A record that ended an await of an earlier run, and is delivered again, ends none of a later. */
START_TEST(test_continue__an_event_ends_one_await_in_all_runs)
{
	static const char paid[] = "{\"topic\":\"payments\",\"data\":{\"order\":\"o-1\"}}";
	char id[64];
	int i;

	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - {id: paid, await: {kafka: payments, correlate: {from: '${event.data.order}', "
			   "expect: 'o-1'}}}\n"
			   "  - {id: again, continue_as_new: {input: {}}}\n",
			   "{}", false);
	play_event(&play, 0, -1, 0, "default/payments/0/1", paid);
	ck_assert_int_eq(play.state->run, 2);
	play_event(&play, 0, -1, 0, "default/payments/0/1", paid);
	ck_assert_uint_eq(play.decision.n_events, 0);
	/* It is known in each run that follows, also after a restart. */
	play.now += SECOND;
	play_event(&play, 0, -1, 0, "default/payments/0/2", paid);
	ck_assert_int_eq(play.state->run, 3);
	play_restart(&play);
	play_event(&play, 0, -1, 0, "default/payments/0/1", paid);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, 0, -1, 0, "default/payments/0/2", paid);
	ck_assert_uint_eq(play.decision.n_events, 0);
	/* Only so many are: the oldest is forgotten first. */
	for (i = 3; i <= USED_EVENTS_KEPT + 1; i++) {
		snprintf(id, sizeof(id), "default/payments/0/%d", i);
		play_event(&play, 0, -1, 0, id, paid);
		ck_assert_int_eq(play.state->run, i + 1);
	}
	ck_assert_uint_eq(json_array_size(play.state->used_events), USED_EVENTS_KEPT);
	play_event(&play, 0, -1, 0, "default/payments/0/2", paid);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_event(&play, 0, -1, 0, "default/payments/0/1", paid);
	ck_assert_int_eq(play.state->run, USED_EVENTS_KEPT + 3);
	play_end(&play);
}
END_TEST

/* What a carried compensation tells when it takes long is told once, and the decision ends. */
START_TEST(test_continue__a_carried_compensation_that_takes_long_is_told_once)
{
	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - id: buy\n"
			   "    http: {to: shop, method: PUT, path: /a}\n"
			   "    compensate:\n"
			   "      http: {to: shop, method: DELETE, path: /a}\n"
			   "      timeout: 1h\n"
			   "      escalate: [{after: 1m, emit: {topic: out, type: Late}}]\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: again, continue_as_new: {input: {}}}\n",
			   "{}", false);
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	ck_assert_int_eq(play.state->run, 2);
	give("{\"act\":\"cancel\",\"reason\":\"no\"}");
	play_answer(&play, 0, -1, CALL_DO, 422, NULL);
	ck_assert_int_eq(carried(0)->comp, COMP_RUNNING);
	ck_assert_int_eq(carried(0)->undo.watch.next_at, play.now + MINUTE);
	play_wait(&play, MINUTE);
	ck_assert_int_eq(carried(0)->undo.watch.told, 1);
	ck_assert_int_eq(carried(0)->undo.watch.next_at, 0);
	play_wait(&play, MINUTE);
	ck_assert_uint_eq(play.decision.n_events, 0);
	play_answer(&play, play.def->carried, 0, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

/* Each run's is told with a key of its own, is not taken for another's, and ends with its own. */
START_TEST(test_continue__each_run_tells_of_its_compensation)
{
	char key[2][128];
	int i;

	play_begin(&play,
			   "saga: s\n"
			   "steps:\n"
			   "  - id: buy\n"
			   "    http: {to: shop, method: PUT, path: /a}\n"
			   "    compensate:\n"
			   "      http: {to: shop, method: DELETE, path: /a}\n"
			   "      timeout: 1h\n"
			   "      escalate:\n"
			   "        - after: 1m\n"
			   "          http: {to: desk, method: POST, path: '/late/${input.n}', headers: {}}\n"
			   "  - {id: told, await: {signal: go}}\n"
			   "  - {id: again, continue_as_new: {input: {n: '${input.n + 1}'}}}\n",
			   "{\"n\":1}", false);
	for (i = 0; i < 2; i++) {
		play_answer(&play, 0, -1, CALL_DO, 200, NULL);
		give("{\"act\":\"signal\",\"signal\":\"go\",\"value\":\"on\"}");
	}
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	give("{\"act\":\"cancel\",\"reason\":\"no\"}");
	/* That of the present run is told of, and its notice is still out when it ends. */
	play_wait(&play, MINUTE);
	ck_assert_str_eq(sent(0)->path, "/late/3");
	play_answer(&play, 0, -1, CALL_UNDO, 200, NULL);
	for (i = 1; i >= 0; i--) {
		int step = play.def->steps[0].undo.escalate.entries[0].carried_step;
		char path[16];

		ck_assert_int_eq(carried(i)->comp, COMP_RUNNING);
		play_wait(&play, MINUTE);
		ck_assert_int_eq(carried(i)->undo.watch.told, 1);
		snprintf(path, sizeof(path), "/late/%d", i + 1);
		ck_assert_str_eq(sent(0)->path, path);
		snprintf(key[i], sizeof(key[i]), "%s", sent(0)->key);
		/* It is tried again while what it tells of goes on. */
		play_answer(&play, step, i, CALL_DO, 503, NULL);
		ck_assert_int_eq(saga_state_action(play.state, step, i)->run.status, EXEC_BACKING_OFF);
		play_wait(&play, MINUTE);
		play_answer(&play, step, i, CALL_DO, 200, NULL);
		play_answer(&play, play.def->carried, i, CALL_UNDO, 200, NULL);
	}
	ck_assert_str_ne(key[0], key[1]);
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_continue");
	TCase *tcase = tcase_create("continue");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_continue__begins_anew_with_its_input);
	tcase_add_test(tcase, test_continue__carries_what_can_be_undone_and_undoes_it_in_reverse);
	tcase_add_test(tcase, test_continue__one_that_cannot_be_undone_holds_up_those_before_it);
	tcase_add_test(tcase, test_continue__keeps_what_nobody_has_read_and_who_takes_care);
	tcase_add_test(tcase, test_continue__with_an_input_that_does_not_fit_fails);
	tcase_add_test(tcase, test_continue__goes_round_once_a_second_at_most);
	tcase_add_test(tcase, test_continue__past_the_pivot_lets_go);
	tcase_add_test(tcase, test_continue__gives_locks_back);
	tcase_add_test(tcase, test_continue__no_key_is_used_twice);
	tcase_add_test(tcase, test_continue__a_command_keeps_its_correlation);
	tcase_add_test(tcase, test_continue__an_event_ends_one_await_in_all_runs);
	tcase_add_test(tcase, test_continue__what_runs_out_of_time_goes_back);
	tcase_add_test(tcase, test_continue__a_success_of_an_earlier_run_that_comes_too_late_is_told);
	tcase_add_test(tcase, test_continue__a_carried_compensation_that_takes_long_is_told_once);
	tcase_add_test(tcase, test_continue__each_run_tells_of_its_compensation);
	tcase_add_loop_test(tcase, test_continue__is_refused_where_a_run_cannot_end, 0,
						ARRAY_SIZE(wrong));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
