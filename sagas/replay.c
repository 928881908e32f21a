/*
 * A row of the history is taken apart into facts, which the world gave, and into what was decided
 * upon them. A fact is folded as it stands, and what follows from it at once (how it will be
 * undone, whether the saga fails) is decided; then the saga is advanced. Whatever is decided must
 * be the next events of the row.
 *
 * Two states are kept: the one that decides, and a plain fold of the history, from which the first
 * gets the times that were given then.
 */
#include "sagas/replay.h"

#include <string.h>

#include "sagas/decide_priv.h"
#include "sagas/replay_priv.h"

void replay_divergence_release(struct replay_divergence *divergence)
{
	free(divergence->expected);
	free(divergence->got);
	free(divergence->why);
	*divergence = (struct replay_divergence){0};
}

static void begin_row(struct replay *replay, const struct replay_row *row)
{
	decision_release(&replay->decision);
	replay->seq = row->seq;
	replay->matched = 0;
	replay->in = (struct input){
		.type = INPUT_TIMER, .queues_read_until = row->at, .inbox_read_until = row->at};
	replay->ctx = (struct ctx){
		.state = replay->state,
		.in = &replay->in,
		.now = row->at < replay->state->last_at ? replay->state->last_at : row->at,
		.decision = &replay->decision,
		.replayed = replay->row,
	};
}

/* What was decided so far must be what the row says. */
static bool compare(struct replay *replay)
{
	size_t n = json_array_size(replay->row);

	while (replay->matched < replay->decision.n_events) {
		const struct event *got = &replay->decision.events[replay->matched];
		json_t *expected =
			replay->matched < n ? json_array_get(replay->row, replay->matched) : NULL;

		if (!replay__same(replay, expected, got))
			return false;
		replay->matched++;
	}
	return true;
}

static int next_event(struct replay *replay, struct event *event)
{
	return event_from_json(json_array_get(replay->row, replay->matched), replay->state->def,
						   replay->ctx.now, event, &replay->err);
}

/* Takes facts as long as they come. False: the end, for it decides otherwise. */
static bool take_facts(struct replay *replay)
{
	while (replay->matched < json_array_size(replay->row)) {
		struct event event;
		bool fact;

		/* It names what this definition does not have; see what is decided in its place. */
		if (next_event(replay, &event) < 0)
			return true;
		fact = replay__is_fact(replay, &event);
		if (fact && !replay__take_fact(replay, &event)) {
			event_release(&event);
			return false;
		}
		event_release(&event);
		if (!fact)
			return true;
		if (!compare(replay))
			return false;
	}
	return true;
}

/* What is given up with the saga was between two attempts, also where a probe that was sent after a
 * restart is all that there was of the last one. */
static void find_what_is_given_up(struct replay *replay, struct exec *run, const json_t *end)
{
	struct event event;

	if (run->status != EXEC_RUNNING ||
		event_from_json(end, replay->state->def, replay->ctx.now, &event, &replay->err) < 0)
		return;
	if (event.code && strcmp(event.code, "abandoned") == 0) {
		run->status = EXEC_BACKING_OFF;
		run->ambiguous |= event.ambiguous;
		run->settle_at = event.settle_at;
	}
	event_release(&event);
}

/* Calls that are out do not stand in the history; one that the row does not end is still out. */
static void find_what_is_out(struct replay *replay)
{
	struct saga_state *state = replay->state;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			struct exec *run = &state->steps[i].actions[j].run;
			enum action_kind kind = state->def->steps[i].act.kind;

			const json_t *end;

			/* After a restart it may have started, for all that is known: then it is not given up.
			 */
			if (kind == ACTION_CHILD && run->status == EXEC_BACKING_OFF)
				run->ambiguous |= !replay__end_in_row(replay, i, decide__item(state, i, j));
			if (kind != ACTION_HTTP && kind != ACTION_COMMAND)
				continue;
			end = replay__end_in_row(replay, i, decide__item(state, i, j));
			run->out = saga_exec_is_open(run) && run->status != EXEC_PARKED && !end;
			if (end)
				find_what_is_given_up(replay, run, end);
		}
	}
}

static json_int_t event_number(const json_t *event)
{
	return json_integer_value(json_object_get(event, "n"));
}

/* A saga that was only created is advanced by its owner's first row. */
static bool was_only_created(const struct replay *replay)
{
	return json_array_size(replay->row) == 1 &&
		   (replay->state->n_events == 1 ||
			event_number(json_array_get(replay->row, 0)) == EV_SAGA_RESET);
}

static bool play_row(struct replay *replay)
{
	size_t n = json_array_size(replay->row), before;

	find_what_is_out(replay);
	do {
		before = replay->matched;
		if (!take_facts(replay))
			return false;
		if (!was_only_created(replay))
			decide__advance(&replay->ctx);
		if (!compare(replay))
			return false;
	} while (replay->matched < n && replay->matched > before);
	if (replay->matched < n) {
		struct event event;
		bool known = next_event(replay, &event) == 0;

		if (known)
			event_release(&event);
		replay__diverges(replay, json_array_get(replay->row, replay->matched), NULL,
						 known ? NULL : replay->err.text);
		return false;
	}
	return true;
}

static void take_exec_times(struct exec *to, const struct exec *from)
{
	to->due_at = from->due_at;
	to->deadline_at = from->deadline_at;
	to->settle_at = from->settle_at;
	to->attempt = from->attempt;
}

/* What was given then holds. */
static void take_times(struct saga_state *to, const struct saga_state *from)
{
	int i, j;

	to->deadline_at = from->deadline_at;
	for (i = 0; i < to->def->n_steps; i++) {
		for (j = 0; j < to->steps[i].n_actions && j < from->steps[i].n_actions; j++) {
			take_exec_times(&to->steps[i].actions[j].run, &from->steps[i].actions[j].run);
			take_exec_times(&to->steps[i].actions[j].undo, &from->steps[i].actions[j].undo);
		}
	}
}

static bool begins(const json_t *row)
{
	const char *type = json_string_value(json_object_get(json_array_get(row, 0), "type"));

	return type && strcmp(type, event_type_text(EV_SAGA_STARTED)) == 0;
}

/* Of the row in which a run begins, what stands before is the end of the run before. False: no run
 * but the first begins in it. */
static bool cut_to_run(struct replay *replay)
{
	size_t i = json_array_size(replay->row);

	while (i-- > 0) {
		const char *type =
			json_string_value(json_object_get(json_array_get(replay->row, i), "type"));

		if (!type || strcmp(type, event_type_text(EV_SAGA_CONTINUED)) != 0)
			continue;
		replay->cut = i;
		while (i-- > 0)
			json_array_remove(replay->row, 0);
		return true;
	}
	return false;
}

/* 1: the same so far, 0: it decides otherwise, or a negative error. */
static int replay_row(struct replay *replay, const struct replay_row *row, struct err *err)
{
	bool same;
	int r;

	r = json_parse_stored(row->events, row->len, &replay->row, err);
	if (r == 0 && !json_is_array(replay->row))
		r = err_set(err, ERR_INVALID, "a history row must be a list of events");
	replay->cut = 0;
	if (r == 0 && (replay->state->n_events == 0) != begins(replay->row) &&
		(replay->state->n_events > 0 || !cut_to_run(replay)))
		r = err_set(err, ERR_INVALID, "a history begins with SagaStarted, once");
	if (r < 0)
		return r;
	begin_row(replay, row);
	same = play_row(replay);
	json_decref(replay->row);
	replay->row = NULL;
	if (!same)
		return 0;
	r = saga_state_apply_row(replay->fold, row->at, row->events, row->len, err);
	if (r < 0)
		return r;
	saga_state_derive(replay->state);
	take_times(replay->state, replay->fold);
	return 1;
}

/* Of which saga what stands before this row is, if the row begins a new run; else false. */
static bool begins_new_run(const struct replay_row *row, char ret_id[SAGA_ID_SIZE])
{
	CLEANUP(json_decref_p) json_t *events = NULL;
	const char *id;
	size_t i;

	/* Most rows need not be taken apart. */
	if (!memmem(row->events, row->len, "\"run_of\"", 8) ||
		json_parse_stored(row->events, row->len, &events, NULL) < 0)
		return false;
	for (i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);

		if (event_number(event) != EV_SAGA_RESET)
			continue;
		id = json_string_value(
			json_object_get(json_object_get(json_object_get(event, "value"), "run_of"), "id"));
		if (!id || saga_id_slot(id) < 0)
			return false;
		memcpy(ret_id, id, SAGA_ID_SIZE);
		return true;
	}
	return false;
}

/* The rows of another saga, with which a new run begins, hold its id. */
static void set_id(struct replay *replay, const char *saga_id, const struct replay_row *rows,
				   size_t n)
{
	char id[SAGA_ID_SIZE];
	size_t i;

	memcpy(id, saga_id, SAGA_ID_SIZE);
	for (i = 0; i < n; i++)
		if (begins_new_run(&rows[i], id))
			break;
	memcpy(replay->state->id, id, SAGA_ID_SIZE);
	memcpy(replay->fold->id, id, SAGA_ID_SIZE);
}

int saga_replay(struct saga_def *def, const char *saga_id, const struct replay_row *rows, size_t n,
				const struct replay_options *options, bool *ret_same, struct replay_divergence *ret,
				struct err *err)
{
	struct replay replay = {
		.options = options,
		.state = saga_state_new(def, saga_id),
		.fold = saga_state_new(def, saga_id),
		.ret = ret,
	};
	char own_id[SAGA_ID_SIZE];
	size_t i;
	int r = 1;

	memcpy(own_id, replay.state->id, SAGA_ID_SIZE);
	*ret = (struct replay_divergence){0};
	set_id(&replay, own_id, rows, n);
	for (i = 0; i < n && r == 1; i++) {
		char of[SAGA_ID_SIZE];

		if (begins_new_run(&rows[i], of))
			set_id(&replay, own_id, rows + i + 1, n - i - 1);
		r = replay_row(&replay, &rows[i], err);
		if (r < 0)
			err_prefix(err, "row %lld", (long long)rows[i].seq);
	}
	*ret_same = r == 1;
	json_decref(replay.row);
	decision_release(&replay.decision);
	saga_state_free(replay.state);
	saga_state_free(replay.fold);
	return r < 0 ? r : 0;
}
