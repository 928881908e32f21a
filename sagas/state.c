/*
 * The fold. Each event changes the state in one place below, and nothing else changes it, except
 * for the volatile members, which decide keeps and saga_recover makes anew.
 */
#include "sagas/state_priv.h"

#include <string.h>

#include "sagas/correlation.h"
#include "sagas/json_text.h"

struct saga_state *saga_state_new(struct saga_def *def, const char *id)
{
	struct saga_state *state = xcalloc(1, sizeof(*state));

	state->def = saga_def_ref(def);
	state->steps = xcalloc((size_t)def->n_steps, sizeof(*state->steps));
	state->failure_step = state->attention_step = -1;
	state->run = 1;
	state__init_carried(state);
	memcpy(state->id, id, strnlen(id, SAGA_ID_SIZE - 1));
	return state;
}

static void exec_release(struct exec *exec)
{
	request_unref(exec->request);
	jval_unref(exec->ongoing_reply);
	free(exec->child);
	free(exec->code);
	free(exec->message);
	free(exec->nonce);
	free(exec->worker);
	free(exec->build);
	jval_unref(exec->progress);
}

void state__action_clear(struct action_state *action)
{
	exec_release(&action->run);
	exec_release(&action->undo);
	jval_unref(action->output);
	jval_unref(action->undo_output);
	jval_unref(action->lock);
	free(action->event_id);
	approval_free(action->approval);
	memset(action, 0, sizeof(*action));
}

static void step_release(struct step_state *step)
{
	int i;

	for (i = 0; i < step->n_actions; i++)
		state__action_clear(&step->actions[i]);
	free(step->actions);
	json_decref(step->list);
	json_decref(step->failures);
	jval_unref(step->output);
	free(step->keys_of);
}

void state__step_clear(struct saga_state *state, int index)
{
	struct step_state *step = &state->steps[index];
	int run = step->run;
	bool run_failed = step->run_failed;

	step_release(step);
	*step = (struct step_state){.run = run, .run_failed = run_failed};
	json_decref(state->steps_json);
	state->steps_json = NULL;
}

void state__signals_free(struct saga_state *state)
{
	size_t i;

	for (i = 0; i < state->n_signals; i++) {
		free(state->signals[i].name);
		jval_unref(state->signals[i].value);
	}
	free(state->signals);
	state->signals = NULL;
	state->n_signals = 0;
}

void saga_state_free(struct saga_state *state)
{
	int i;

	if (!state)
		return;
	for (i = 0; i < state->def->n_steps; i++)
		step_release(&state->steps[i]);
	free(state->steps);
	json_decref(state->steps_json);
	jval_unref(state->input);
	jval_unref(state->search);
	jval_unref(state->output);
	json_decref(state->escalated_groups);
	free(state->ns);
	free(state->key);
	free(state->failure_code);
	free(state->failure_message);
	free(state->attention_note);
	free(state->refused_cancel);
	free(state->owner);
	state__signals_free(state);
	if (state->parent)
		free(state->parent->correlation);
	free(state->parent);
	if (state->run_of)
		free(state->run_of->act_id);
	free(state->run_of);
	for (i = 0; i < ACT_IDS_KEPT; i++)
		free(state->act_ids[i]);
	json_decref(state->used_events);
	attention_release(&state->attention);
	saga_def_unref(state->def);
	free(state);
}

void state__set_string(char **to, const char *from)
{
	char *copy = from ? xstrdup(from) : NULL;

	free(*to);
	*to = copy;
}

void state__set_jval(struct jval **to, struct jval *from)
{
	struct jval *copy = jval_ref(from);

	jval_unref(*to);
	*to = copy;
}

void state__grow_actions(struct step_state *step, int n)
{
	int cap = step->cap_actions ? step->cap_actions : 1;

	if (n <= step->n_actions)
		return;
	while (cap < n)
		cap *= 2;
	if (cap > step->cap_actions) {
		step->actions = xrealloc_array(step->actions, (size_t)cap, sizeof(*step->actions));
		step->cap_actions = cap;
	}
	memset(step->actions + step->n_actions, 0,
		   (size_t)(n - step->n_actions) * sizeof(*step->actions));
	step->n_actions = n;
}

/* The action of an event, which is made when this event is its first. */
static struct action_state *event_action(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];
	int at = event->item < 0 ? 0 : event->item;

	state__grow_actions(step, at + 1);
	return &step->actions[at];
}

struct action_state *saga_state_action(const struct saga_state *state, int step, int item)
{
	int at = item < 0 ? 0 : item;

	CHECK(step >= 0 && step < state->def->n_steps && at < state->steps[step].n_actions);
	return &state->steps[step].actions[at];
}

static void exec_error(struct exec *exec, const struct event *event)
{
	state__set_string(&exec->code, event->code);
	state__set_string(&exec->message, event->message);
}

/* The end of an action says by which attempt it came, unless that was the first. */
static void exec_attempts(struct exec *exec, const struct event *event)
{
	if (event->attempt > exec->attempt)
		exec->attempt = event->attempt;
}

static void exec_begin(struct exec *exec, const struct event *event)
{
	state__watch_begin(&exec->watch, event);
	exec->status = EXEC_RUNNING;
	exec->attempt = 1;
	exec->due_at = event->due_at;
	exec->deadline_at = event->deadline_at;
	exec->published = exec->child_told = false;
	exec->attempts_before = 0;
	state__set_string(&exec->child, NULL);
	if (event->id)
		state__set_string(&exec->nonce, event->id);
	if (event->request) {
		request_unref(exec->request);
		exec->request = request_ref(event->request);
	}
	if (state__is_task(exec)) {
		exec->attempt = 0;
		exec->queued_at = event->at;
		exec->status = EXEC_QUEUED;
	}
}

/* A child that is refused, or has failed, is not there, whatever became of earlier starts. */
static void no_child(struct exec *exec, const struct event *event)
{
	if (exec->request && exec->request->kind == REQUEST_CHILD && event->outcome == OUTCOME_FAILURE)
		exec->ambiguous = false;
}

static void exec_attempt_failed(struct exec *exec, const struct event *event)
{
	exec->status = state__is_task(exec) ? EXEC_QUEUED : EXEC_BACKING_OFF;
	exec->attempt = event->attempt;
	exec->due_at = event->due_at;
	exec->ambiguous |= event->ambiguous;
	no_child(exec, event);
	exec->settle_at = event->settle_at;
	exec->due_is_volatile = exec->published = false;
	exec_error(exec, event);
	if (exec->status == EXEC_QUEUED) {
		exec->queued_at = event->at;
		state__set_jval(&exec->progress, event->value);
	}
}

/* What waits long for its reply is told to be with the broker, and until when it waits. */
static void exec_published(struct exec *exec, const struct event *event)
{
	if (exec->status == EXEC_BACKING_OFF)
		exec->status = EXEC_RUNNING;
	exec_attempts(exec, event);
	exec->due_at = event->due_at;
	exec->ambiguous |= event->ambiguous;
	exec->settle_at = event->settle_at;
	exec->due_is_volatile = false;
	exec->published = true;
}

static void exec_ongoing(struct exec *exec, const struct event *event)
{
	exec->status = EXEC_ONGOING;
	if (event->attempt)
		exec->attempt = event->attempt;
	exec->due_at = event->due_at;
	exec->due_is_volatile = exec->parks_again = false;
	exec->ambiguous = true;
	state__set_jval(&exec->ongoing_reply, event->value);
}

void state__exec_end(struct exec *exec, enum exec_status status)
{
	exec->status = status;
	exec->due_at = 0;
	exec->out = exec->probe_out = exec->due_is_volatile = exec->probe_first = exec->denied = false;
	exec->published = exec->taken = exec->asked = exec->parks_again = false;
	exec->rest_at = exec->probe_due_at = 0;
}

static void step_settle(struct step_state *step, enum step_status status, struct jval *output)
{
	step->status = status;
	step->settled = true;
	state__set_jval(&step->output, output);
}

/* What is final of an undo lets the request go: the history keeps it. */
static void undo_end(struct action_state *action, enum exec_status status, enum comp_status comp)
{
	state__exec_end(&action->undo, status);
	action->comp = comp;
}

static json_t *build_failures(const struct step_state *step)
{
	json_t *failures = json_array();
	int i;

	for (i = 0; i < step->n_actions; i++) {
		const struct exec *run = &step->actions[i].run;

		if (run->status == EXEC_FAILED || run->status == EXEC_GAVE_UP)
			json_array_append_new(failures, json_pack("{s:i, s:s?, s:s?}", "index", i, "code",
													  run->code, "message", run->message));
	}
	return failures;
}

static void apply_step_completed(struct saga_state *state, const struct event *event)
{
	const struct step_def *def = &state->def->steps[event->step];
	struct step_state *step = &state->steps[event->step];
	struct action_state *action = event_action(state, event);

	step->begun = true;
	exec_attempts(&action->run, event);
	state__exec_end(&action->run, EXEC_DONE);
	action->run.settle_at = event->settle_at;
	action->beside = event->ambiguous;
	state__set_jval(&action->output, event->value);
	state__set_string(&action->event_id, event->id);
	if (def->act.kind == ACTION_AWAIT_SIGNAL || def->act.kind == ACTION_AWAIT)
		state__signal_read(state, event->id);
	action->locked = def->act.kind == ACTION_LOCK && event->id;
	if (!def->for_each && !def->repeat_until)
		step_settle(step, STEP_COMPLETED, event->value);
}

static void apply_step_failed(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];
	struct action_state *action = event_action(state, event);
	bool unknown = event->outcome == OUTCOME_UNKNOWN;

	step->begun = true;
	state__exec_end(&action->run, unknown ? EXEC_GAVE_UP : EXEC_FAILED);
	exec_error(&action->run, event);
	exec_attempts(&action->run, event);
	action->run.ambiguous = event->ambiguous;
	action->run.settle_at = event->settle_at;
	action->tolerated = event->tolerated;
	step->status = unknown ? STEP_OUTCOME_UNKNOWN : STEP_FAILED;
	if (event->step == state->def->pivot && !unknown && !event->ambiguous && !event->tolerated)
		state->pivot_scheduled = false;
}

static void apply_step_settled(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];

	step_settle(step, event->outcome == OUTCOME_FAILURE ? STEP_FAILED : STEP_COMPLETED,
				event->value);
	if (state->def->steps[event->step].for_each) {
		json_decref(step->failures);
		step->failures = build_failures(step);
	}
}

static void apply_step_scheduled(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];
	struct action_state *action = event_action(state, event);

	exec_begin(&action->run, event);
	if (state->def->steps[event->step].act.kind == ACTION_LOCK)
		state__lock_asked(action, event, state->rows + 1);
	if (state->def->steps[event->step].act.kind == ACTION_APPROVAL) {
		approval_free(action->approval);
		action->approval = approval_new(event);
		if (state->escalated_groups)
			approval_add_groups(action->approval, state->escalated_groups);
	}
	step->begun = true;
	step->status = STEP_RUNNING;
	if (event->step == state->def->pivot)
		state->pivot_scheduled = true;
}

static void apply_step_expanded(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];

	step->begun = true;
	step->status = STEP_RUNNING;
	json_decref(step->list);
	step->list = json_incref(jval_json(event->value));
	state__grow_actions(step, (int)json_array_size(step->list));
}

static void apply_step_parked(struct saga_state *state, const struct event *event)
{
	struct step_state *step = &state->steps[event->step];
	struct exec *run = &event_action(state, event)->run;

	step->begun = true;
	state__exec_end(run, EXEC_PARKED);
	exec_error(run, event);
	exec_attempts(run, event);
	run->parked_unknown = event->outcome == OUTCOME_UNKNOWN;
	run->settle_at = event->settle_at;
	step->status = run->parked_unknown ? STEP_OUTCOME_UNKNOWN : STEP_FAILED;
}

/* Of a condition that is false, the step as a whole. Of what a person does, an action, which may
 * have taken effect all the same; the last turn of a step ends it. */
static void apply_step_skipped(struct saga_state *state, const struct event *event)
{
	const struct step_def *def = &state->def->steps[event->step];
	struct step_state *step = &state->steps[event->step];
	struct action_state *action;

	step->begun = true;
	if (step->n_actions == 0) {
		step_settle(step, STEP_SKIPPED, NULL);
		return;
	}
	action = event_action(state, event);
	exec_attempts(&action->run, event);
	state__exec_end(&action->run, EXEC_DONE);
	action->run.ambiguous = event->ambiguous;
	action->run.settle_at = event->settle_at;
	action->skipped = true;
	state__set_jval(&action->output, event->value);
	if (!def->for_each || !step->list)
		step_settle(step, STEP_SKIPPED, event->value);
}

static void apply_step_absent(struct saga_state *state, const struct event *event)
{
	struct exec *run = &event_action(state, event)->run;

	run->status = EXEC_BACKING_OFF;
	run->ambiguous = run->sent_before = run->due_is_volatile = run->probe_first = false;
	run->settle_at = 0;
	run->due_at = event->due_at;
}

static void apply_undo(struct saga_state *state, const struct event *event)
{
	struct action_state *action = event_action(state, event);
	struct exec *undo = &action->undo;

	switch ((int)event->type) {
	case EV_COMPENSATION_ARMED:
		action->comp = COMP_ARMED;
		action->held = event->id != NULL;
		request_unref(undo->request);
		undo->request = request_ref(event->request);
		break;
	case EV_COMPENSATION_STARTED:
		exec_begin(undo, event);
		if (action->held)
			state__set_string(&undo->child, event->id);
		action->comp = COMP_RUNNING;
		break;
	case EV_COMPENSATION_COMPLETED:
		exec_attempts(undo, event);
		/* A person says that it was undone by other means. */
		undo_end(action, EXEC_DONE, event->by ? COMP_RESOLVED : COMP_DONE);
		state__set_jval(&action->undo_output, event->value);
		break;
	case EV_COMPENSATION_ATTEMPT_FAILED:
		exec_attempt_failed(undo, event);
		action->comp = COMP_BACKING_OFF;
		break;
	case EV_COMPENSATION_ONGOING:
		exec_ongoing(undo, event);
		action->comp = COMP_RUNNING;
		break;
	case EV_COMPENSATION_FAILED:
		exec_error(undo, event);
		exec_attempts(undo, event);
		undo->ambiguous |= event->outcome == OUTCOME_UNKNOWN;
		no_child(undo, event);
		undo_end(action, EXEC_FAILED, COMP_FAILED);
		break;
	case EV_COMPENSATION_SKIPPED:
		exec_attempts(undo, event);
		undo_end(action, EXEC_DONE, COMP_SKIPPED);
		break;
	default:
		CHECK(false);
	}
}

void state__set_parent(struct saga_state *state, const struct event *event)
{
	struct correlation correlation;
	struct saga_parent *parent;

	if (state->parent || !correlation_read(event->parent, strlen(event->parent), &correlation) ||
		saga_id_slot(correlation.saga_id) < 0)
		return;
	parent = state->parent = xcalloc(1, sizeof(*parent));
	parent->correlation = xstrdup(event->parent);
	memcpy(parent->saga_id, correlation.saga_id, sizeof(parent->saga_id));
	memcpy(parent->step, correlation.step, sizeof(parent->step));
	parent->item = correlation.item;
	parent->run = correlation.run > 1 ? correlation.run : 1;
	parent->side = correlation.kind == CALL_UNDO ? SIDE_UNDO : SIDE_DO;
	parent->depth = event->depth;
	parent->hold = event->hold;
}

static void apply_saga_started(struct saga_state *state, const struct event *event)
{
	state->status = SAGA_RUNNING;
	state->started_at = state->updated_at = state->updated_before = event->at;
	state->deadline_at = event->deadline_at;
	state__watch_begin(&state->watch, event);
	state__set_string(&state->ns, event->ns);
	state__set_string(&state->key, event->key);
	state__set_jval(&state->input, event->value);
	state__set_jval(&state->search, event->search);
	if (event->parent)
		state__set_parent(state, event);
}

/* The child that does it is known; its limit, if it has one, counts from when it was wanted. */
static void apply_child(struct saga_state *state, const struct event *event)
{
	struct action_state *action = event_action(state, event);
	struct exec *exec = event->side == SIDE_DO ? &action->run : &action->undo;

	if (event->type == EV_CHILD_CANCELLED) {
		exec->child_told = true;
		exec->due_at = exec->deadline_at = 0;
		return;
	}
	exec->status = EXEC_RUNNING;
	exec->ambiguous = exec->due_is_volatile = false;
	exec->due_at = exec->deadline_at;
	state__set_string(&exec->child, event->id);
	if (event->side == SIDE_UNDO)
		action->comp = COMP_RUNNING;
}

static void apply_published(struct saga_state *state, const struct event *event)
{
	struct action_state *action = event_action(state, event);

	exec_published(event->side == SIDE_DO ? &action->run : &action->undo, event);
	if (event->side == SIDE_UNDO)
		action->comp = COMP_RUNNING;
}

/* An event that asks for it in vain is told, and remembered so that it is told once. */
static void apply_cancel_requested(struct saga_state *state, const struct event *event)
{
	if (!event->code) {
		state__note_act_id(state, event->id);
		return;
	}
	state->ignored++;
	state__set_string(&state->refused_cancel, event->id);
}

static void saga_end(struct saga_state *state, const struct event *event, enum saga_status status)
{
	state->status = status;
	state->held = false;
	state->ended_at = state->updated_at = event->at;
}

static void step_json_set(struct saga_state *state, int index);

void saga_state_apply(struct saga_state *state, const struct event *event)
{
	state->n_events++;
	if (event->at > state->last_at) {
		state->status_before = state->status;
		state->updated_before = state->updated_at;
		state->attention_at_before = state->attention_at;
		memcpy(state->attention_group_before, state->attention.group,
			   sizeof(state->attention_group_before));
	}
	state->last_at = event->at;
	switch (event->type) {
	case EV_SAGA_STARTED:
		apply_saga_started(state, event);
		break;
	case EV_STEP_SCHEDULED:
		apply_step_scheduled(state, event);
		break;
	case EV_STEP_COMPLETED:
		apply_step_completed(state, event);
		break;
	case EV_STEP_FAILED:
		apply_step_failed(state, event);
		break;
	case EV_STEP_ATTEMPT_FAILED:
		exec_attempt_failed(&event_action(state, event)->run, event);
		break;
	case EV_STEP_ONGOING:
		exec_ongoing(&event_action(state, event)->run, event);
		break;
	case EV_STEP_SKIPPED:
		apply_step_skipped(state, event);
		break;
	case EV_STEP_EXPANDED:
		apply_step_expanded(state, event);
		break;
	case EV_STEP_SETTLED:
		apply_step_settled(state, event);
		break;
	case EV_STEP_PARKED:
		apply_step_parked(state, event);
		break;
	case EV_STEP_ABSENT:
		apply_step_absent(state, event);
		break;
	case EV_COMPENSATION_ARMED:
	case EV_COMPENSATION_STARTED:
	case EV_COMPENSATION_COMPLETED:
	case EV_COMPENSATION_ATTEMPT_FAILED:
	case EV_COMPENSATION_FAILED:
	case EV_COMPENSATION_SKIPPED:
	case EV_COMPENSATION_ONGOING:
		apply_undo(state, event);
		break;
	case EV_SAGA_COMPENSATING:
		state->failing = true;
		state->held = false;
		state->failure_step = event->step;
		state__set_string(&state->failure_code, event->code);
		state__set_string(&state->failure_message, event->message);
		break;
	case EV_CHILD_STARTED:
	case EV_CHILD_CANCELLED:
		apply_child(state, event);
		break;
	case EV_SAGA_HELD:
		state->held = true;
		state__set_jval(&state->output, event->value);
		break;
	case EV_SAGA_COMPLETED:
		state__set_jval(&state->output, event->value);
		saga_end(state, event, SAGA_COMPLETED);
		break;
	case EV_SAGA_COMPENSATED:
		saga_end(state, event, SAGA_COMPENSATED);
		break;
	case EV_SAGA_TERMINATED:
		state__note_act_id(state, event->id);
		saga_end(state, event, SAGA_TERMINATED);
		break;
	case EV_SAGA_DEADLINE_PASSED:
		state->deadline_noted = true;
		break;
	case EV_SAGA_ATTENTION:
		state__set_string(&state->attention_note, event->reason);
		state->attention_step = event->step;
		state->attention_item = event->item;
		if (event->step >= 0 &&
			state->steps[event->step].n_actions > (event->item < 0 ? 0 : event->item))
			event_action(state, event)->late_success = true;
		break;
	case EV_REPLY_IGNORED:
		state->ignored++;
		break;
	case EV_SAGA_CANCEL_REQUESTED:
		apply_cancel_requested(state, event);
		break;
	case EV_COMMAND_PUBLISHED:
		apply_published(state, event);
		break;
	case EV_ACT_TAKEN:
		state__apply_act(state, event);
		break;
	case EV_TASK_LEASED:
		state__apply_task_leased(event_action(state, event), event);
		break;
	case EV_ESCALATED:
		state__apply_escalated(state, event);
		break;
	case EV_SAGA_CONTINUED:
		state__apply_continued(state, event);
		break;
	case EV_SAGA_RESET:
		state__apply_reset(state, event);
		break;
	}
	if (state->def->locks && event->step >= 0 && state->steps[event->step].settled)
		state__release_locks(state, event->step);
	if (state->steps_json && event->step >= 0 && event->step != state->def->carried)
		step_json_set(state, event->step);
}

/* What `steps.<id>` shows to expressions. */
static void step_json_set(struct saga_state *state, int index)
{
	const struct step_state *step = &state->steps[index];
	const struct step_def *def = &state->def->steps[index];
	json_t *json = json_object();
	json_t *undo;

	json_object_set_new_nocheck(json, "status", json_string(step_status_text(step->status)));
	if (step->output)
		json_object_set_nocheck(json, "output", jval_json(step->output));
	if (def->for_each)
		json_object_set_new_nocheck(
			json, "failures", step->failures ? json_incref(step->failures) : build_failures(step));
	if (step->n_actions > 0 && step->actions[0].comp != COMP_NOT_ARMED) {
		undo = json_object();
		json_object_set_new_nocheck(undo, "status",
									json_string(comp_status_text(step->actions[0].comp)));
		if (step->actions[0].undo_output)
			json_object_set_nocheck(undo, "output", jval_json(step->actions[0].undo_output));
		json_object_set_new_nocheck(json, "undo", undo);
	}
	json_object_set_new_nocheck(state->steps_json, def->id, json);
}

json_t *saga_state_steps_json(struct saga_state *state)
{
	int i;

	if (!state->steps_json) {
		state->steps_json = json_object();
		for (i = 0; i < state->def->n_steps; i++)
			if (i != state->def->carried)
				step_json_set(state, i);
	}
	return state->steps_json;
}
