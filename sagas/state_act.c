/*
 * The fold of ActTaken: what an act changes by itself. What follows from it has events of its own
 * where there are such (a step that a person completes is StepCompleted).
 */
#include "sagas/state_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

int saga_state_run(const struct saga_state *state, int step)
{
	int first = state->step_run > 1 ? state->step_run : 1;

	return state->steps[step].run > first ? state->steps[step].run : first;
}

bool saga_exec_is_ambiguous(const struct exec *exec, enum action_kind kind)
{
	if (kind != ACTION_HTTP && kind != ACTION_COMMAND && kind != ACTION_TASK)
		return false;
	/* Its worker may have done it by now. */
	if (kind == ACTION_TASK && exec->status == EXEC_RUNNING)
		return true;
	/* A command that waits for its reply may have been obeyed by now. */
	if (exec->status == EXEC_RUNNING && (exec->sent_before || exec->taken || exec->published))
		return true;
	return exec->ambiguous || exec->status == EXEC_ONGOING || exec->status == EXEC_GAVE_UP ||
		   (exec->status == EXEC_PARKED && exec->parked_unknown);
}

bool saga_has_undo(const struct step_def *def, const struct action_state *action)
{
	return def->undo_kind == UNDO_ACTION || action->held;
}

bool saga_exec_is_open(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING || exec->status == EXEC_BACKING_OFF ||
		   exec->status == EXEC_ONGOING || exec->status == EXEC_PARKED ||
		   exec->status == EXEC_QUEUED;
}

/* Nothing ran out while it was paused: what limits something moves by as much. What only waits
 * until a time (a timer, the next attempt) is due then all the same. */
static void shift_exec(struct exec *exec, enum action_kind kind, int64_t by, wall_ms at)
{
	bool limit = exec->status == EXEC_RUNNING && exec->due_at && action_due_is_limit(kind);

	state__watch_shift(&exec->watch, by);
	if (exec->deadline_at)
		exec->deadline_at += by;
	if (limit)
		exec->due_at += by;
	if (exec->probe_due_at)
		exec->probe_due_at += by;
	/* Whoever has it need not have heard of the pause. */
	if (kind == ACTION_TASK && exec->status == EXEC_RUNNING) {
		exec->leased_at = at;
		exec->due_at = at + exec->lease_ms;
	}
}

static void resume(struct saga_state *state, wall_ms at)
{
	int64_t by = at - state->paused_at;
	int i, j;

	if (!state->paused)
		return;
	if (state->deadline_at)
		state->deadline_at += by;
	state__watch_shift(&state->watch, by);
	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			shift_exec(&state->steps[i].actions[j].run, def->act.kind, by, at);
			shift_exec(&state->steps[i].actions[j].undo, saga_state_undo_def(state, i, j)->kind, by,
					   at);
		}
	}
	state->paused = false;
	state->paused_at = 0;
}

void state__note_act_id(struct saga_state *state, const char *id)
{
	if (!id)
		return;
	free(state->act_ids[ACT_IDS_KEPT - 1]);
	memmove(state->act_ids + 1, state->act_ids, (ACT_IDS_KEPT - 1) * sizeof(*state->act_ids));
	state->act_ids[0] = xstrdup(id);
}

/* What follows from a step act by itself. Who reads a damaged history may find anything. */

/* A person has it tried again: at once, and as often and as long as if it had just begun. */
static void try_again(struct exec *exec, const struct event *event)
{
	if (event->request) {
		request_unref(exec->request);
		exec->request = request_ref(event->request);
		exec->edits++;
	}
	if (exec->status == EXEC_PARKED || exec->status == EXEC_FAILED) {
		exec->attempts_before = exec->attempt;
		exec->deadline_at = event->deadline_at;
	}
	exec->status = state__is_task(exec) ? EXEC_QUEUED : EXEC_BACKING_OFF;
	exec->due_at = event->at;
	exec->due_is_volatile = exec->child_told = false;
	state__set_string(&exec->child, NULL);
}

/* That its probe knows nothing is not in the history, so by the fold it may still run. */
static bool is_tried(const struct exec *exec)
{
	return exec->status == EXEC_BACKING_OFF || exec->status == EXEC_QUEUED ||
		   (exec->status == EXEC_RUNNING && exec->request && !state__is_task(exec));
}

static bool was_sent(const struct exec *exec)
{
	return exec->request && exec->attempt > 0 && exec->request->kind != REQUEST_EMIT;
}

/* It never got so far as to be sent: it begins as if for the first time. */
static void begin_anew(struct saga_state *state, const struct event *event)
{
	const struct step_def *def = &state->def->steps[event->step];
	struct step_state *step = &state->steps[event->step];

	if ((def->for_each && step->list) || (def->repeat_until && event->item > 0)) {
		state__action_clear(saga_state_action(state, event->step, event->item));
		state__forget_escalations(state, event->step, event->item);
		step->status = STEP_RUNNING;
	} else {
		state__step_clear(state, event->step);
		state__forget_escalations(state, event->step, -1);
	}
}

static void retry_run(struct saga_state *state, const struct event *event)
{
	struct exec *run = &saga_state_action(state, event->step, event->item)->run;

	if (run->status == EXEC_PARKED && !was_sent(run)) {
		begin_anew(state, event);
	} else if (run->status == EXEC_PARKED || is_tried(run)) {
		run->ambiguous |= run->parked_unknown;
		run->parked_unknown = false;
		try_again(run, event);
		state->steps[event->step].status = STEP_RUNNING;
	}
}

static void retry_undo(struct saga_state *state, const struct event *event)
{
	struct action_state *action = saga_state_action(state, event->step, event->item);
	struct exec *undo = &action->undo;

	if (is_tried(undo) || (action->comp == COMP_FAILED && was_sent(undo))) {
		try_again(undo, event);
		action->comp = COMP_BACKING_OFF;
	} else if (action->comp == COMP_FAILED) {
		undo->edits += undo->request && event->request;
		if (event->request) {
			request_unref(undo->request);
			undo->request = request_ref(event->request);
		}
		undo->status = EXEC_IDLE;
		action->comp = COMP_ARMED;
		/* It begins once more, and is watched from then on. */
		state__forget_escalations(state, event->step, event->item);
	}
}

/* It did not happen, whatever was sent. What the participant was said to work on is tried again. */
static void clear_doubt(struct exec *exec)
{
	exec->ambiguous = exec->parked_unknown = exec->sent_before = false;
	exec->denied = exec->probe_first = false;
	exec->settle_at = 0;
	if (exec->status == EXEC_ONGOING)
		exec->status = EXEC_BACKING_OFF;
}

static void did_not_happen(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];
	struct action_state *action = saga_state_action(state, event->step, event->item);

	if (event->side == SIDE_UNDO) {
		clear_doubt(&action->undo);
		if (action->undo.status == EXEC_BACKING_OFF)
			action->comp = COMP_BACKING_OFF;
		return;
	}
	clear_doubt(&action->run);
	if (action->run.status == EXEC_GAVE_UP)
		action->run.status = EXEC_FAILED;
	if (action->run.status == EXEC_FAILED || action->run.status == EXEC_DONE)
		action->comp = action->comp == COMP_ARMED ? COMP_RESOLVED : action->comp;
	if (step->status == STEP_OUTCOME_UNKNOWN)
		step->status = STEP_FAILED;
}

/* The probe is asked now; and no more than that, where nothing else was going to happen. */
static void ask(struct saga_state *state, const struct event *event)
{
	struct action_state *action = saga_state_action(state, event->step, event->item);
	bool undo = event->side == SIDE_UNDO;
	struct exec *exec = undo ? &action->undo : &action->run;
	bool rests = undo ? action->comp == COMP_FAILED : exec->status == EXEC_PARKED;

	if (rests && !was_sent(exec))
		return;
	if (rests) {
		exec->status = EXEC_BACKING_OFF;
		exec->deadline_at = event->deadline_at;
		exec->parks_again = true;
		exec->parked_unknown = false;
		exec->ambiguous = true;
	}
	if (rests && undo)
		action->comp = COMP_BACKING_OFF;
	else if (rests)
		state->steps[event->step].status = STEP_RUNNING;
	if (exec->status == EXEC_BACKING_OFF || exec->status == EXEC_ONGOING) {
		exec->due_at = event->at;
		exec->due_is_volatile = false;
		exec->probe_first = true;
	}
}

static void resolve(struct saga_state *state, const struct event *event)
{
	const char *outcome = json_string_value(json_object_get(jval_json(event->value), "outcome"));
	struct action_state *action = saga_state_action(state, event->step, event->item);

	if (!outcome)
		return;
	if (strcmp(outcome, resolution_text(RESOLVE_DID_NOT_HAPPEN)) == 0)
		did_not_happen(state, event);
	else if (strcmp(outcome, resolution_text(RESOLVE_PROBE)) == 0)
		ask(state, event);
	else if (event->side == SIDE_DO && saga_state_run_is_over(action))
		action->run.settle_at = 0; /* nothing is still to come of it */
}

static void decided(struct saga_state *state, const struct event *event, enum act_kind kind)
{
	struct approval *approval = saga_state_action(state, event->step, event->item)->approval;

	if (approval && event->by)
		approval_add(approval, kind == ACT_STEP_APPROVE, event);
}

static void apply_step_act(struct saga_state *state, const struct event *event, enum act_kind kind)
{
	int at = event->item < 0 ? 0 : event->item;

	if (at >= state->steps[event->step].n_actions)
		return;
	if (kind == ACT_STEP_APPROVE || kind == ACT_STEP_REJECT)
		decided(state, event, kind);
	else if (kind == ACT_STEP_RESOLVE)
		resolve(state, event);
	else if (kind == ACT_STEP_RETRY && event->side == SIDE_UNDO)
		retry_undo(state, event);
	else if (kind == ACT_STEP_RETRY)
		retry_run(state, event);
}

/* Going back. */

void state__forget_step(struct saga_state *state, int index)
{
	struct step_state *step = &state->steps[index];
	int i;

	for (i = 0; i < step->n_actions; i++)
		step->run_failed |= step->actions[i].run.status != EXEC_DONE;
	step->run = saga_state_run(state, index) + 1;
	if (index == state->def->pivot)
		state->pivot_scheduled = false;
	state__step_clear(state, index);
	state__forget_escalations(state, index, -1);
}

/* These steps begin anew, and the saga goes forward again. */
static void forget(struct saga_state *state, const struct event *event)
{
	const json_t *ids = json_object_get(jval_json(event->value), "forget");
	const char *id;
	size_t i;
	int step;

	for (i = 0; i < json_array_size(ids); i++) {
		id = json_string_value(json_array_get(ids, i));
		step = id ? saga_def_step(state->def, id) : -1;
		if (step >= 0)
			state__forget_step(state, step);
	}
	if (json_array_size(ids) == 0)
		return;
	state->failing = state->deadline_noted = false;
	state__set_string(&state->failure_code, NULL);
	state__set_string(&state->failure_message, NULL);
	state->failure_step = -1;
	state->deadline_at = event->deadline_at;
}

static void keep_signal(struct saga_state *state, const struct event *event)
{
	const json_t *value = jval_json(event->value);
	const char *name = json_string_value(json_object_get(value, "signal"));
	json_t *told = json_object_get(value, "value");

	if (!name || state->n_signals >= SIGNALS_MAX)
		return;
	state->signals = xrealloc_array(state->signals, state->n_signals + 1, sizeof(*state->signals));
	state->signals[state->n_signals++] = (struct saga_signal){
		.name = xstrdup(name),
		.value = told ? jval_from_json(json_incref(told)) : NULL,
		.at = event->at,
		.number = ++state->signals_told,
	};
}

void signal_id(const struct saga_signal *signal, char id[SIGNAL_ID_SIZE])
{
	snprintf(id, SIGNAL_ID_SIZE, "signal/%lld", (long long)signal->number);
}

void state__signal_read(struct saga_state *state, const char *id)
{
	char known[SIGNAL_ID_SIZE];
	size_t i;

	for (i = 0; id && i < state->n_signals; i++) {
		signal_id(&state->signals[i], known);
		if (strcmp(known, id) != 0)
			continue;
		free(state->signals[i].name);
		jval_unref(state->signals[i].value);
		state->n_signals--;
		memmove(state->signals + i, state->signals + i + 1,
				(state->n_signals - i) * sizeof(*state->signals));
		return;
	}
}

static void apply_saga_act(struct saga_state *state, const struct event *event, enum act_kind kind)
{
	switch (kind) {
	case ACT_PAUSE:
		state->paused = true;
		state->paused_at = event->at;
		break;
	case ACT_RESUME:
		resume(state, event->at);
		break;
	case ACT_OWNER:
		state__set_string(&state->owner,
						  json_string_value(json_object_get(jval_json(event->value), "owner")));
		break;
	case ACT_ACKNOWLEDGE:
		state__set_string(&state->attention_note, NULL);
		state->deadline_seen = state->deadline_noted;
		state__late_seen(state);
		break;
	case ACT_RETRY:
	case ACT_RESET:
		forget(state, event);
		break;
	case ACT_SIGNAL:
		keep_signal(state, event);
		break;
	case ACT_CANCEL:
	case ACT_TERMINATE:
	case ACT_COMPENSATE:
	case ACT_NOTE:
	case ACT_MIGRATE:
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_STEP_APPROVE:
	case ACT_STEP_REJECT:
	case ACT_KIND_COUNT:
		break;
	}
}

void state__apply_act(struct saga_state *state, const struct event *event)
{
	int kind = event->name ? act_kind_parse(event->name, event->step >= 0) : -1;

	state__note_act_id(state, event->id);
	if (kind >= 0 && event->step >= 0)
		apply_step_act(state, event, (enum act_kind)kind);
	else if (kind >= 0)
		apply_saga_act(state, event, (enum act_kind)kind);
}
