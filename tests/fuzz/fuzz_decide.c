/*
 * A sequence of inputs, three bytes each, through decide and fold: no sequence may break an
 * invariant, and folding the history that was written gives the state again, also when it is
 * recovered from there.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sagas/decide.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"
#include "tests/support/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 300, CALLS_MAX = 64, ROWS_MAX = STEPS_MAX + 2 };
#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"

/* A call that has not been answered. */
struct out {
	int step, item;
	enum call_kind kind;
	int64_t attempt;
};

struct run {
	struct saga_state *state, *fold;
	struct out calls[CALLS_MAX];
	size_t n_calls;
	struct {
		struct buf text;
		wall_ms at;
	} rows[ROWS_MAX];
	size_t n_rows;
	wall_ms now;
	uint64_t random;
};

static struct saga_def *def;

static void take_commands(struct run *run, const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_commands; i++) {
		const struct command *command = &decision->commands[i];

		CHECK(command->request && command->timeout_ms > 0);
		CHECK(!saga_status_is_terminal(run->state->status));
		if (run->n_calls < CALLS_MAX)
			run->calls[run->n_calls++] =
				(struct out){command->step, command->item, command->kind, command->attempt};
	}
}

static void fold_row(const struct run *run, struct saga_state *state, size_t i)
{
	const struct buf *row = &run->rows[i].text;
	struct err err;

	if (saga_state_apply_row(state, run->rows[i].at, row->data, row->len, &err) == 0)
		return;
	fprintf(stderr, "%s\n%s\n", err.text, buf_str(row));
	abort();
}

/* The row goes through its text into the other fold. */
static void commit(struct run *run, struct decision *decision)
{
	struct buf *row = &run->rows[run->n_rows].text;

	if (decision->n_events > 0) {
		buf_init(row, 0);
		for (size_t i = 0; i < decision->n_events; i++) {
			buf_add_char(row, i == 0 ? '[' : ',');
			event_write(&decision->events[i], def, row);
		}
		buf_add_char(row, ']');
		run->rows[run->n_rows].at = run->state->last_at;
		run->state->history_bytes += (int64_t)row->len;
		fold_row(run, run->fold, run->n_rows++);
	}
	take_commands(run, decision);
	decision_release(decision);
}

static void compare(const struct run *run)
{
	const char *what;
	int step;

	saga_state_check(run->state);
	saga_state_check(run->fold);
	what = oracle_state_differs(run->state, run->fold, &step);
	if (!what)
		return;
	fprintf(stderr, "memory and fold differ in %s of step %d\n", what, step);
	abort();
}

static void decide(struct run *run, struct input *in)
{
	struct decision decision;
	struct err err;

	decision_init(&decision);
	in->random = ++run->random;
	if (saga_decide(run->state, in, run->now, &decision, &err) < 0)
		CHECK(err.text[0]);
	commit(run, &decision);
	compare(run);
}

static void reply(struct run *run, unsigned which, unsigned how)
{
	static const int statuses[] = {200, 200, 200, 422, 500, 202, 404, 409, 429, 503};
	static const char *const bodies[] = {"{\"id\":1,\"n\":2}", "{\"code\":\"soft\"}", "\"<html>\"",
										 "null"};
	size_t at = run->n_calls ? which % run->n_calls : 0;
	const struct out *call = &run->calls[at];
	const char *body = bodies[how / 16 % ARRAY_SIZE(bodies)];
	struct jval *value;
	struct input in = {.type = INPUT_REPLY, .retry_after_ms = how % 7 == 0 ? 5000 : -1};

	if (run->n_calls == 0)
		return;
	value = jval_from_text(xstrdup(body), strlen(body));
	in.step = call->step;
	in.item = call->item;
	in.kind = call->kind;
	in.attempt = call->attempt;
	in.result =
		how % 16 < ARRAY_SIZE(statuses) ? CALL_ANSWERED : (enum call_result)(1 + how % 16 % 4);
	in.http_status = in.result == CALL_ANSWERED ? statuses[how % 16] : 0;
	in.body = value;
	/* Some are told twice. */
	if (which < 240)
		run->calls[at] = run->calls[--run->n_calls];
	decide(run, &in);
	jval_unref(value);
}

static struct saga_state *fold_again(const struct run *run)
{
	struct saga_state *state = saga_state_new(def, ID);

	for (size_t i = 0; i < run->n_rows; i++)
		fold_row(run, state, i);
	return state;
}

/* The process dies, and the history is all that is left. */
static void recover(struct run *run)
{
	struct decision decision;

	saga_state_free(run->state);
	saga_state_free(run->fold);
	run->state = fold_again(run);
	run->fold = fold_again(run);
	run->n_calls = 0;
	decision_init(&decision);
	saga_recover(run->state, run->now, &decision);
	CHECK(decision.n_events == 0);
	take_commands(run, &decision);
	decision_release(&decision);
	compare(run);
}

/* What a person does: to the saga, or to one of its actions or compensations. */
static void act_of(const struct run *run, const uint8_t *data, struct act *act)
{
	static struct jval *output;
	const struct step_def *step = &def->steps[data[2] % (unsigned)def->n_steps];
	int n = run->state->steps[data[2] % (unsigned)def->n_steps].n_actions;

	if (!output)
		output = jval_from_text(xstrdup("{\"id\":7}"), 8);
	act->kind = (enum act_kind)(data[1] % ACT_KIND_COUNT);
	act->name = (char *)"name";
	act->resolution = (enum resolution)(data[0] / 16 % RESOLUTION_COUNT);
	act->side = data[0] >= 128 ? SIDE_UNDO : SIDE_DO;
	if (act_is_of_step(act->kind) || (act->kind == ACT_RETRY && data[1] >= 128))
		act->step = step->id;
	if (act_is_of_step(act->kind) && (step->for_each || step->repeat_until))
		act->item = n > 0 ? data[2] / 16 % n : 0;
	if (act_is_of_step(act->kind) && act->kind != ACT_STEP_RETRY && data[1] >= 128)
		act->output = output;
}

static void one(struct run *run, const uint8_t *data)
{
	struct act act = {.kind = ACT_CANCEL, .item = -1, .by = "fuzz", .reason = "because"};
	struct input in = {.type = INPUT_TIMER, .act = &act};
	wall_ms due;

	switch (data[0] % 16) {
	case 0:
		act_of(run, data, &act);
		in.type = INPUT_ACT;
		decide(run, &in);
		return;
	case 1:
		act.kind = ACT_TERMINATE;
		in.type = data[1] == 7 ? INPUT_ACT : INPUT_TIMER;
		decide(run, &in);
		return;
	case 2:
	case 3:
	case 4:
		run->now += data[1] * (wall_ms)data[2];
		decide(run, &in);
		return;
	case 5:
	case 6:
		due = saga_state_next_due(run->state);
		if (due > run->now)
			run->now = due;
		decide(run, &in);
		return;
	case 7:
		recover(run);
		return;
	default:
		reply(run, data[1], data[2]);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = {.now = NOW};
	struct input start = {.type = INPUT_START, .ns = "default"};
	size_t i, steps = 0;

	if (!def) {
		def = definition_must_load(KITCHEN_SINK);
		def->version = 1;
	}
	run.state = saga_state_new(def, ID);
	run.fold = saga_state_new(def, ID);
	start.value = jval_from_text(xstrdup(KITCHEN_SINK_INPUT), strlen(KITCHEN_SINK_INPUT));
	decide(&run, &start);
	for (i = 0; i + 3 <= size && steps++ < STEPS_MAX; i += 3)
		one(&run, data + i);
	jval_unref(start.value);
	saga_state_free(run.state);
	saga_state_free(run.fold);
	for (i = 0; i < run.n_rows; i++)
		buf_release(&run.rows[i].text);
	return 0;
}
