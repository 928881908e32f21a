/* Children and their parents, on the core alone. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/family.h"

#define UNDO(path) "compensate: {http: {to: p, method: DELETE, path: " path "}}"
#define STEP(id) "{id: " id ", http: {to: p, method: POST, path: /" id "}, " UNDO("/" id) "}"
#define GET(id) "{id: " id ", http: {to: p, method: GET, path: /" id "}}"

#define BLOCK                                                                                      \
	"saga: order\nsteps:\n  - " STEP(                                                              \
		"first") "\n"                                                                              \
				 "  - id: block\n    steps:\n      - " STEP("a") "\n      - " STEP(                \
					 "b") "\n"                                                                     \
						  "    output: {b: \"${steps.b.output.n}\"}\n"                             \
						  "  - " GET("last") "\noutput: \"${steps.block.output.b}\"\n"

static void through_block(struct family *family)
{
	family_begin(family, BLOCK, "{}");
	family_answer(family, 0, "first", -1, CALL_DO, 200, NULL);
	family_answer(family, 1, "a", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(family), "order: running, order#block: running");
	family_answer(family, 1, "b", -1, CALL_DO, 200, "{\"n\":5}");
}

START_TEST(test_decide_child__is_held_until_the_parent_is_done)
{
	struct family family;

	through_block(&family);
	ck_assert_str_eq(family_text(&family), "order: running, order#block: held");
	ck_assert_int_eq(family.sagas[1].state->status, SAGA_WAITING);
	ck_assert(saga_state_may_sleep(family.sagas[1].state));
	family_answer(&family, 0, "last", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: completed, order#block: completed");
	ck_assert_int_eq(json_integer_value(jval_json(family.sagas[0].state->output)), 5);
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__is_undone_before_what_came_before_it)
{
	struct family family;

	through_block(&family);
	family_answer(&family, 0, "last", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: compensating");
	ck_assert_str_eq(family.sagas[1].state->failure_code, "http_409");
	family_answer(&family, 1, "b", -1, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(saga_state_in_flight(family.sagas[0].state), 0);
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: compensated");
	family_answer(&family, 0, "first", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensated, order#block: compensated");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__that_fails_undoes_itself_first)
{
	struct family family;

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "b", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family), "order: running, order#block: compensating");
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: compensated");
	ck_assert_str_eq(family.sagas[0].state->failure_code, "http_409");
	family_answer(&family, 0, "first", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensated, order#block: compensated");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__turns_back_with_its_parent)
{
	struct family family;

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(family_act(&family, 0, "{\"act\":\"cancel\",\"reason\":\"x\"}"), 0);
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: compensating");
	family_answer(&family, 1, "b", -1, CALL_DO, 200, NULL); /* it was out */
	family_answer(&family, 1, "b", -1, CALL_UNDO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	family_answer(&family, 0, "first", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensated, order#block: compensated");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__start_is_repeated_until_it_is_known)
{
	struct family family;

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(family.n, 2);
	family_end(&family);

	family_begin(&family, BLOCK, "{}");
	play_answer(&family.sagas[0], 0, -1, CALL_DO, 200, NULL);
	family_collect(&family, 0);
	ck_assert_uint_eq(family.n_starts, 1);
	family_start(&family, 0, FAMILY_IS_LOST);
	ck_assert(!saga_state_may_sleep(family.sagas[0].state));
	family_restart(&family, 0);
	ck_assert_uint_eq(family.n_starts, 1);
	family_run(&family);
	ck_assert_int_eq(family.n, 2);
	ck_assert(saga_state_may_sleep(family.sagas[0].state));
	family_restart(&family, 0);
	ck_assert_uint_eq(family.n_starts, 0);
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__past_its_pivot_is_done_at_once)
{
	static const char yaml[] =
		"saga: order\nsteps:\n"
		"  - id: pay\n    saga: payment\n    with: {n: \"${input.n}\"}\n"
		"    compensate: {saga: refund, with: {charge: \"${steps.pay.output}\"}}\n"
		"  - " GET("last") "\n"
						   "---\nsaga: payment\nsteps:\n  - " STEP(
							   "hold") "\n"
									   "  - {id: charge, pivot: true, http: {to: p, method: POST, "
									   "path: /charge}}\n"
									   "output: \"${input.n + 1}\"\n"
									   "---\nsaga: refund\nsteps:\n  - {id: back, http: {to: p, "
									   "method: POST, path: "
									   "\"/${input.charge}\"}, compensate: none}\n";
	struct family family;

	family_begin(&family, yaml, "{\"n\":7}");
	family_run(&family);
	family_answer(&family, 1, "hold", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "charge", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: running, payment: completed");
	family_answer(&family, 0, "last", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family),
					 "order: compensating, payment: completed, refund: running");
	ck_assert_str_eq(family.sagas[2].state->steps[0].actions[0].run.request->path, "/8");
	family_answer(&family, 2, "back", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(&family),
					 "order: compensated, payment: completed, refund: completed");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__undo_that_fails_is_tried_with_another_child)
{
	static const char yaml[] = "saga: order\nsteps:\n"
							   "  - id: pay\n    saga: quick\n    compensate: {saga: refund}\n"
							   "  - {id: no, fail: {code: x}}\n"
							   "---\nsaga: quick\nsteps: [{id: a, set: 1}]\n"
							   "---\nsaga: refund\nsteps: [" GET("back") "]\n";
	struct family family;

	family_begin(&family, yaml, "{}");
	family_run(&family);
	family_answer(&family, 2, "back", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family),
					 "order: compensation_failed, quick: completed, refund: compensated");
	ck_assert_int_eq(family_act(&family, 0, "{\"act\":\"retry\",\"reason\":\"x\"}"), 0);
	ck_assert_int_eq(family.n, 4);
	family_answer(&family, 3, "back", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensated, quick: completed, refund: "
										   "compensated, refund: completed");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__sees_what_is_around_it)
{
	static const char yaml[] =
		"saga: order\nsteps:\n"
		"  - {id: before, set: {n: 3}}\n"
		"  - id: each\n    for_each: \"${input.list}\"\n    steps:\n"
		"      - {id: a, set: \"${[item, index, steps.before.output.n, input.extra, "
		"saga.name]}\"}\n"
		"      - id: deep\n        steps: [{id: c, set: \"${[steps.a.output, item]}\"}]\n"
		"        output: \"${steps.c.output}\"\n"
		"    output: \"${steps.deep.output}\"\n"
		"  - id: turns\n    repeat: {until: \"${output.n >= 3}\", max: 9}\n    steps:\n"
		"      - {id: t, set: \"${index}\"}\n"
		"    output: {n: \"${previous.?n.orValue(1) + 1}\", t: \"${steps.t.output}\"}\n"
		"output: [\"${steps.each.output}\", \"${steps.turns.output}\"]\n";
	struct family family;
	char *text;

	family_begin(&family, yaml, "{\"list\":[\"x\",\"y\"],\"extra\":true,\"unread\":1}");
	family_run(&family);
	ck_assert_int_eq(family.sagas[0].state->status, SAGA_COMPLETED);
	text = json_dumps(jval_json(family.sagas[0].state->output), JSON_COMPACT);
	ck_assert_str_eq(text,
					 "[[[[\"x\",0,3,true,\"order\"],\"x\"],[[\"y\",1,3,true,\"order\"],\"y\"]],"
					 "{\"n\":3,\"t\":1}]");
	free(text);
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__that_takes_too_long_turns_back)
{
	static const char yaml[] = "saga: order\nsteps:\n"
							   "  - id: block\n    timeout: 1m\n    tolerate: \"${failure.code == "
							   "'timeout'}\"\n    steps:\n      - " STEP(
								   "a") "\n"
										"      - {id: w, await: {signal: s}, timeout: 1h}\n";
	struct family family;

	family_begin(&family, yaml, "{}");
	family_run(&family);
	family_answer(&family, 1, "a", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(saga_state_next_due(family.sagas[0].state), PLAY_STARTS_AT + 60000);
	family_wait(&family, 60000);
	ck_assert_str_eq(family_text(&family), "order: running, order#block: compensating");
	ck_assert_int_eq(saga_state_next_due(family.sagas[0].state), 0);
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: completed, order#block: compensated");
	family_end(&family);
}
END_TEST

/* "held" and "cancel" cross. */
START_TEST(test_decide_child__that_is_not_waited_for_undoes_itself)
{
	struct family family;

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_DO, 200, NULL);
	play_answer(&family.sagas[1], 1, -1, CALL_DO, 200, "{\"n\":1}");
	family_collect(&family, 1);
	ck_assert_uint_eq(family.n_posts, 1); /* held */
	play_act(&family.sagas[0], "{\"act\":\"skip\",\"step\":\"block\",\"reason\":\"x\"}");
	family_collect(&family, 0);
	ck_assert_uint_eq(family.n_posts, 2); /* cancel */
	family_run(&family);
	ck_assert_str_eq(family_text(&family), "order: running, order#block: compensating");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__terminated_is_told_to_people)
{
	struct family family;

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"terminate\",\"reason\":\"x\"}"), 0);
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: terminated");
	ck_assert_str_eq(family.sagas[0].state->failure_code, "child_terminated");
	ck_assert_ptr_nonnull(saga_state_attention(family.sagas[0].state));
	family_end(&family);

	/* Held, its undo is not to be had any more. */
	through_block(&family);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"terminate\",\"reason\":\"x\"}"), 0);
	ck_assert_ptr_nonnull(saga_state_attention(family.sagas[0].state));
	family_answer(&family, 0, "last", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensation_failed, order#block: terminated");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__of_a_terminated_parent)
{
	struct family family;

	through_block(&family);
	ck_assert_int_eq(family_act(&family, 0, "{\"act\":\"terminate\",\"reason\":\"x\"}"), 0);
	ck_assert_str_eq(family_text(&family), "order: terminated, order#block: completed");
	family_end(&family);

	family_begin(&family, BLOCK, "{}");
	family_answer(&family, 0, "first", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(family_act(&family, 0, "{\"act\":\"terminate\",\"reason\":\"x\"}"), 0);
	family_answer(&family, 1, "a", -1, CALL_DO, 409, NULL);
	ck_assert_str_eq(family_text(&family), "order: terminated, order#block: compensated");
	family_end(&family);

	/* Its start was on its way. */
	family_begin(&family, BLOCK, "{}");
	play_answer(&family.sagas[0], 0, -1, CALL_DO, 200, NULL);
	family_collect(&family, 0);
	ck_assert_int_eq(play_act(&family.sagas[0], "{\"act\":\"terminate\",\"reason\":\"x\"}"), 0);
	family_run(&family);
	ck_assert_str_eq(family_text(&family), "order: terminated, order#block: compensating");
	family_end(&family);
}
END_TEST

/* There is nothing that its parent could want of it any more. */
START_TEST(test_decide_child__past_its_pivot_is_never_held)
{
	static const char yaml[] = "saga: order\nsteps:\n  - {id: pay, saga: payment}\n  - " GET(
		"last") "\n"
				"---\nsaga: payment\nsteps:\n  - " STEP(
					"hold") "\n"
							"  - {id: charge, pivot: true, http: {to: p, method: POST, path: "
							"/charge}}\n";
	struct family family;

	family_begin(&family, yaml, "{}");
	family_run(&family);
	family_answer(&family, 1, "hold", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "charge", -1, CALL_DO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: running, payment: completed");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__behind_the_pivot_only_goes_forward)
{
	static const char yaml[] =
		"saga: order\nsteps:\n  - {id: p, pivot: true, http: {to: p, method: POST, path: /p}}\n"
		"  - id: block\n    steps: [{id: a, http: {to: p, method: POST, path: /a}, retry: "
		"{maximum_attempts: 1}}]\n";
	struct family family;

	family_begin(&family, yaml, "{}");
	family_answer(&family, 0, "p", -1, CALL_DO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_DO, 409, NULL);
	ck_assert_int_eq(family.sagas[1].state->steps[0].actions[0].run.status, EXEC_PARKED);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"cancel\",\"reason\":\"x\"}"), ERR_CONFLICT);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"skip\",\"step\":\"a\",\"reason\":\"x\"}"),
					 0);
	ck_assert_str_eq(family_text(&family), "order: completed, order#block: completed");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__that_cannot_be_started_is_a_failure)
{
	struct family family;

	family_begin(&family, "saga: order\nsteps:\n  - {id: c, saga: unknown}\n", "{}");
	family_run(&family);
	ck_assert_str_eq(family_text(&family), "order: compensated");
	ck_assert_str_eq(family.sagas[0].state->failure_code, "no_definition");
	family_end(&family);
}
END_TEST

/* A person turns round what its parent has told to undo itself: then it is told again. */
START_TEST(test_decide_child__that_was_turned_round_undoes_itself_all_the_same)
{
	struct family family;

	through_block(&family);
	family_answer(&family, 0, "last", -1, CALL_DO, 409, NULL);
	/* Paused, so that it does not end with its last undo. */
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"pause\",\"reason\":\"x\"}"), 0);
	family_answer(&family, 1, "b", -1, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"retry\",\"from\":\"b\",\"reason\":\"x\"}"),
					 0);
	ck_assert_int_eq(family_act(&family, 1, "{\"act\":\"resume\",\"reason\":\"x\"}"), 0);
	family_answer(&family, 1, "b", -1, CALL_DO, 200, "{\"n\":5}");
	ck_assert_str_eq(family_text(&family), "order: compensating, order#block: compensating");
	family_answer(&family, 1, "b", -1, CALL_UNDO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	family_answer(&family, 0, "first", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: compensated, order#block: compensated");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__undone_for_a_parent_that_has_ended_changes_nothing)
{
	static const char terminate[] = "{\"act\":\"terminate\",\"reason\":\"x\"}";
	struct family family;

	through_block(&family);
	family_answer(&family, 0, "last", -1, CALL_DO, 409, NULL);
	ck_assert_int_eq(family_act(&family, 0, terminate), 0);
	family_answer(&family, 1, "b", -1, CALL_UNDO, 200, NULL);
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "order: terminated, order#block: compensated");
	ck_assert_ptr_null(strstr(buf_str(&family.sagas[0].trail), "CompensationCompleted"));
	family_end(&family);
}
END_TEST

/* Behind the pivot starts are tried for ever. */
static void want_child(struct family *family, const char *child)
{
	char yaml[400];

	snprintf(
		yaml, sizeof(yaml),
		"saga: order\nsteps:\n  - {id: p, pivot: true, http: {to: p, method: POST, path: /p}}\n"
		"  - {id: c, saga: %s}\n---\nsaga: inner\nsteps: [" GET("a") "]\n",
		child);
	family_begin(family, yaml, "{}");
	play_answer(&family->sagas[0], 0, -1, CALL_DO, 200, NULL);
	family_collect(family, 0);
	ck_assert_uint_eq(family->n_starts, 1);
}

START_TEST(test_decide_child__that_is_refused_was_never_started)
{
	struct family family;

	want_child(&family, "unknown");
	family_start(&family, 0, FAMILY_IS_BROKEN);
	ck_assert(family.sagas[0].state->steps[1].actions[0].run.ambiguous);
	family_pass(&family, 60000);
	ck_assert_uint_eq(family.n_starts, 1);
	family_start(&family, 0, FAMILY_ANSWERS);
	ck_assert(!family.sagas[0].state->steps[1].actions[0].run.ambiguous);
	ck_assert(!family.sagas[0].fold->steps[1].actions[0].run.ambiguous);
	family_end(&family);

	/* Of so many attempts not each is recorded, but this one is. */
	want_child(&family, "unknown");
	for (int i = 0; i < 12; i++) {
		family_start(&family, 0, FAMILY_IS_BROKEN);
		family_pass(&family, 3600000);
		ck_assert_uint_eq(family.n_starts, 1);
	}
	family_start(&family, 0, FAMILY_ANSWERS);
	ck_assert(!family.sagas[0].state->steps[1].actions[0].run.ambiguous);
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__that_runs_does_not_keep_failing_to_start)
{
	struct family family;

	want_child(&family, "inner");
	for (int i = 0; i < 12; i++) {
		family_start(&family, 0, FAMILY_FAILS);
		family_pass(&family, 3600000);
		ck_assert_uint_eq(family.n_starts, 1);
	}
	ck_assert_ptr_nonnull(saga_state_attention(family.sagas[0].state));
	family_start(&family, 0, FAMILY_ANSWERS);
	ck_assert_ptr_null(saga_state_attention(family.sagas[0].state));
	ck_assert_ptr_null(saga_state_attention(family.sagas[0].fold));
	family_end(&family);
}
END_TEST

#define ENTITY(pivot)                                                                              \
	"saga: entity\nsteps:\n"                                                                       \
	"  - id: book\n    when: \"${input.n == 1}\"\n    steps: [" STEP(                              \
		"a") "]\n"                                                                                 \
			 "  - {id: go, await: {signal: go}}\n" pivot                                           \
			 "  - {id: on, continue_as_new: {input: {n: \"${input.n + "                            \
			 "1}\"}}}\n"

static void two_runs(struct family *family, const char *yaml)
{
	static const char go[] = "{\"act\":\"signal\",\"signal\":\"go\"}";

	family_begin(family, yaml, "{\"n\":1}");
	family_run(family);
	family_answer(family, 1, "a", -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(family_act(family, 0, go), 0);
	ck_assert_int_eq(family->sagas[0].state->run, 2);
	family_restart(family, 0);
}

/* It is undone by a run of its parent that did not start it. */
START_TEST(test_decide_child__is_carried_from_run_to_run)
{
	struct family family;

	two_runs(&family, ENTITY(""));
	ck_assert_str_eq(family_text(&family), "entity: waiting, entity#book: held");
	ck_assert_int_eq(family_act(&family, 0, "{\"act\":\"cancel\",\"reason\":\"x\"}"), 0);
	ck_assert_str_eq(family_text(&family), "entity: compensating, entity#book: compensating");
	family_answer(&family, 1, "a", -1, CALL_UNDO, 200, NULL);
	ck_assert_str_eq(family_text(&family), "entity: compensated, entity#book: compensated");
	family_end(&family);

	two_runs(&family, ENTITY("  - {id: p, pivot: true, set: 1}\n"));
	ck_assert_str_eq(family_text(&family), "entity: waiting, entity#book: completed");
	family_end(&family);
}
END_TEST

START_TEST(test_decide_child__that_a_later_run_cannot_start_is_a_failure)
{
	struct family family;

	family_begin(&family,
				 "saga: entity\nsteps:\n"
				 "  - {id: c, when: \"${input.n == 2}\", saga: unknown}\n"
				 "  - {id: on, continue_as_new: {input: {n: \"${input.n + 1}\"}}}\n",
				 "{\"n\":1}");
	family_pass(&family, 2000);
	family_run(&family);
	ck_assert_str_eq(family_text(&family), "entity: compensated");
	ck_assert_str_eq(family.sagas[0].state->failure_code, "no_definition");
	family_end(&family);
}
END_TEST

/* An answer of the first run that comes in the second one does not turn back what was carried. */
START_TEST(test_decide_child__answer_to_an_earlier_run)
{
	struct family family;
	char text[100];
	struct jval *body;
	struct input in = {.type = INPUT_REPLY,
					   .kind = CALL_DO,
					   .item = -1,
					   .attempt = 1,
					   .run = 1,
					   .result = CALL_ANSWERED,
					   .retry_after_ms = -1};

	two_runs(&family, ENTITY(""));
	snprintf(text, sizeof(text), "{\"id\":\"%s\"}", family.sagas[1].id);
	body = jval_from_text(xstrdup(text), strlen(text));
	in.body = body;
	ck_assert_int_eq(play_give(&family.sagas[0], &in), 0);
	ck_assert_uint_eq(family.sagas[0].decision.unrecorded_replies, 1);
	ck_assert_uint_eq(family.sagas[0].decision.n_messages, 0);
	jval_unref(body);
	family_end(&family);
}
END_TEST

/* It would start itself without an end. */
START_TEST(test_decide_child__nests_so_deep_and_no_deeper)
{
	struct family family;
	struct saga_state *last;

	family_begin(&family, "saga: loop\nsteps: [{id: again, saga: loop}]\n", "{}");
	family_run(&family);
	ck_assert_int_eq(family.n, 17);
	for (int i = 0; i < family.n; i++) {
		ck_assert_int_eq(family.sagas[i].state->status, SAGA_COMPENSATED);
		ck_assert_str_eq(family.sagas[i].state->failure_code, "nesting_limit");
	}
	last = family.sagas[16].state;
	ck_assert_str_eq(saga_state_action(last, 0, -1)->run.code, "nesting_limit");
	ck_assert_str_eq(
		last->failure_message,
		"step `again` would start saga `loop` 17 levels below the first one; sagas nest "
		"at most 16 deep");
	family_end(&family);
}
END_TEST

/* The same on the way back: it waits for a person, who is told why. */
START_TEST(test_decide_child__that_undoes_nests_no_deeper)
{
	struct family family;
	struct saga_state *last;

	family_begin(&family,
				 "saga: loop\nsteps:\n  - {id: a, set: 1, compensate: {saga: loop}}\n"
				 "  - {id: b, fail: {code: no}}\n",
				 "{}");
	family_run(&family);
	ck_assert_int_eq(family.n, 17);
	last = family.sagas[16].state;
	ck_assert_int_eq(last->status, SAGA_COMPENSATION_FAILED);
	ck_assert_str_eq(saga_state_action(last, 0, -1)->undo.code, "nesting_limit");
	family_end(&family);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_child");
	TCase *tc = tcase_create("decide_child");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_decide_child__is_held_until_the_parent_is_done);
	tcase_add_test(tc, test_decide_child__nests_so_deep_and_no_deeper);
	tcase_add_test(tc, test_decide_child__that_undoes_nests_no_deeper);
	tcase_add_test(tc, test_decide_child__is_undone_before_what_came_before_it);
	tcase_add_test(tc, test_decide_child__that_fails_undoes_itself_first);
	tcase_add_test(tc, test_decide_child__turns_back_with_its_parent);
	tcase_add_test(tc, test_decide_child__start_is_repeated_until_it_is_known);
	tcase_add_test(tc, test_decide_child__past_its_pivot_is_done_at_once);
	tcase_add_test(tc, test_decide_child__undo_that_fails_is_tried_with_another_child);
	tcase_add_test(tc, test_decide_child__sees_what_is_around_it);
	tcase_add_test(tc, test_decide_child__that_takes_too_long_turns_back);
	tcase_add_test(tc, test_decide_child__that_is_not_waited_for_undoes_itself);
	tcase_add_test(tc, test_decide_child__terminated_is_told_to_people);
	tcase_add_test(tc, test_decide_child__of_a_terminated_parent);
	tcase_add_test(tc, test_decide_child__past_its_pivot_is_never_held);
	tcase_add_test(tc, test_decide_child__that_is_refused_was_never_started);
	tcase_add_test(tc, test_decide_child__undone_for_a_parent_that_has_ended_changes_nothing);
	tcase_add_test(tc, test_decide_child__that_was_turned_round_undoes_itself_all_the_same);
	tcase_add_test(tc, test_decide_child__that_runs_does_not_keep_failing_to_start);
	tcase_add_test(tc, test_decide_child__is_carried_from_run_to_run);
	tcase_add_test(tc, test_decide_child__behind_the_pivot_only_goes_forward);
	tcase_add_test(tc, test_decide_child__that_cannot_be_started_is_a_failure);
	tcase_add_test(tc, test_decide_child__that_a_later_run_cannot_start_is_a_failure);
	tcase_add_test(tc, test_decide_child__answer_to_an_earlier_run);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
