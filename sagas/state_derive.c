/*
 * What follows from a state without being stored: its status, and when it must be looked at again.
 * One pass over the actions answers each question. Whether it concerns a person: state_attention.c.
 */
#include "sagas/state_priv.h"

struct summary {
	int calls;         /* out, or about to be */
	int replies;       /* commands that the broker has, and nobody has answered yet */
	int timers;        /* awaits */
	int moving;        /* backing off or ongoing */
	int aside;         /* of calls, those that the saga itself does not wait for */
	bool settling;     /* something waits for a settle_at */
	bool fold_differs; /* what the fold does not know, and needs to */
	wall_ms due;       /* the earliest; 0: none */
	wall_ms now;       /* for what follows */
	bool paused;       /* what is not out is not about to be either */
	struct saga_due apart;
};

static void earlier(wall_ms *due, wall_ms at)
{
	if (at && (!*due || at < *due))
		*due = at;
}

/* Something is due, and may have to wait until what would end it is read. */
static void due_at(struct summary *sum, wall_ms at, enum awaits awaits)
{
	earlier(&sum->due, at);
	earlier(awaits == AWAITS_QUEUE   ? &sum->apart.queued_at
			: awaits == AWAITS_INBOX ? &sum->apart.inbox_at
									 : &sum->apart.at,
			at);
}

/* A probe that waits for its reply holds up what its action would do next. */
static void sum_asked(struct summary *sum, const struct exec *exec)
{
	sum->replies++;
	sum->fold_differs = true;
	due_at(sum, exec->probe_due_at, AWAITS_QUEUE);
	if (exec->status != EXEC_RUNNING)
		due_at(sum, exec->deadline_at, AWAITS_QUEUE);
}

static void sum_running(struct summary *sum, const struct exec *exec, enum action_kind kind,
						enum awaits awaits)
{
	switch (kind) {
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_LOCK:
	case ACTION_APPROVAL:
	case ACTION_CONTINUE:
		sum->timers++;
		due_at(sum, exec->due_at, awaits);
		break;
	case ACTION_AWAIT:
		sum->timers++;
		due_at(sum, exec->due_at, awaits);
		due_at(sum, exec->deadline_at, awaits);
		break;
	case ACTION_COMMAND:
		if (!exec->published && !exec->taken) {
			sum->calls += !sum->paused;
			break;
		}
		sum->replies++;
		sum->fold_differs |= !exec->published || exec->due_is_volatile;
		due_at(sum, exec->due_at, AWAITS_QUEUE);
		due_at(sum, exec->rest_at, AWAITS_NOTHING);
		break;
	case ACTION_TASK:
		sum->replies++;
		/* A lease is not to begin anew because its saga slept. */
		sum->fold_differs = true;
		due_at(sum, exec->due_at, AWAITS_NOTHING);
		break;
	case ACTION_CHILD:
		if (exec->child) {
			sum->replies++;
			due_at(sum, exec->due_at, AWAITS_NOTHING);
			break;
		}
		sum->calls += !sum->paused;
		break;
	case ACTION_HTTP:
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_EMIT:
		sum->calls += !sum->paused;
		break;
	}
}

/*
 * The next attempt, and the end of all of them. Past that end nothing more is tried, also while it
 * waits for an answer that may have come in time.
 */
static void sum_moving(struct summary *sum, const struct exec *exec, enum awaits awaits)
{
	bool over = awaits != AWAITS_NOTHING && exec->deadline_at && exec->deadline_at <= sum->now;

	due_at(sum, exec->rest_at, AWAITS_NOTHING);
	due_at(sum, exec->deadline_at, awaits);
	if (over)
		earlier(&sum->due, exec->due_at);
	else
		due_at(sum, exec->due_at, AWAITS_NOTHING);
}

static void sum_exec(struct summary *sum, const struct exec *exec, enum action_kind kind,
					 enum awaits awaits)
{
	switch (exec->status) {
	case EXEC_RUNNING:
		if (exec->probe_out || exec->out)
			sum->calls++;
		else if (exec->asked)
			sum_asked(sum, exec);
		else
			sum_running(sum, exec, kind, awaits);
		break;
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
		sum->moving++;
		if (exec->probe_out || exec->out) {
			sum->calls++;
			break;
		}
		if (exec->asked) {
			sum_asked(sum, exec);
			break;
		}
		sum_moving(sum, exec, awaits);
		sum->fold_differs |= exec->due_is_volatile;
		break;
	case EXEC_QUEUED:
		sum->moving++;
		due_at(sum, exec->deadline_at, AWAITS_NOTHING);
		break;
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
	case EXEC_PARKED:
		break;
	}
}

bool saga_state_undo_is_final(const struct action_state *action)
{
	switch (action->comp) {
	case COMP_NOT_ARMED:
	case COMP_DONE:
	case COMP_SKIPPED:
	case COMP_RESOLVED:
	case COMP_RELEASED:
	case COMP_FAILED:
	case COMP_STATUS_COUNT:
		return true;
	case COMP_ARMED:
	case COMP_RUNNING:
	case COMP_BACKING_OFF:
		return false;
	}
	return true;
}

bool saga_state_run_is_over(const struct action_state *action)
{
	switch (action->run.status) {
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
		return true;
	case EXEC_RUNNING:
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
	case EXEC_PARKED:
	case EXEC_QUEUED:
		return false;
	}
	return true;
}

bool saga_state_step_is_undone(const struct saga_state *state, int step)
{
	const struct step_state *st = &state->steps[step];
	int i;

	for (i = 0; i < st->n_actions; i++)
		if (!saga_state_run_is_over(&st->actions[i]) ||
			!saga_state_undo_is_final(&st->actions[i]) || st->actions[i].comp == COMP_FAILED)
			return false;
	return true;
}

bool saga_state_dependants_undone(const struct saga_state *state, int step)
{
	int i;

	for (i = 0; i < state->def->n_forward; i++)
		if (step_def_has_ancestor(&state->def->steps[i], step) &&
			!saga_state_step_is_undone(state, i))
			return false;
	return true;
}

bool saga_state_is_stuck(const struct saga_state *state)
{
	int i, j;

	if (state->failing)
		return false;
	for (i = 0; i < state->def->n_forward; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].comp == COMP_FAILED)
				return true;
	return false;
}

/* When the last turn of a repeat is not undone, the ones before it wait. */
static bool later_turn_stands(const struct saga_state *state, int step, int item)
{
	const struct step_state *st = &state->steps[step];
	bool in_turn = state->def->steps[step].repeat_until || step == state->def->carried;
	int i;

	for (i = item + 1; i < st->n_actions && in_turn; i++)
		if (!saga_state_undo_is_final(&st->actions[i]) || st->actions[i].comp == COMP_FAILED)
			return true;
	return false;
}

/*
 * The undo of an action begins by itself once nothing of it can take effect any more. What was
 * settled at the last event has had its turn then, and waits for something else.
 */
static bool waits_to_settle(const struct saga_state *state, int step, int item)
{
	const struct action_state *action = &state->steps[step].actions[item];

	if (action->comp != COMP_ARMED || action->run.settle_at <= state->last_at)
		return false;
	if (!state->failing)
		return action->tolerated && !saga_state_is_stuck(state);
	return saga_state_dependants_undone(state, step) && !later_turn_stands(state, step, item);
}

static enum awaits exec_awaits(const struct exec *exec, const struct action_def *def)
{
	bool probes = def->probe && def->probe->act.kind == ACTION_COMMAND;

	if (exec->status != EXEC_RUNNING && exec->status != EXEC_BACKING_OFF &&
		exec->status != EXEC_ONGOING)
		return AWAITS_NOTHING;
	if (action_subscribes_kafka(def) || (exec->asked && probes))
		return AWAITS_QUEUE;
	if (action_subscribes(def) || (def->reads_callback && exec->status == EXEC_ONGOING))
		return AWAITS_INBOX;
	/* What was certainly never sent has no answer either. */
	return def->kind == ACTION_COMMAND && (exec->sent_before || exec->ambiguous || exec->out ||
										   exec->taken || exec->published)
			   ? AWAITS_QUEUE
			   : AWAITS_NOTHING;
}

static const struct action_def *undo_def_of(const struct saga_state *state, int step,
											const struct action_state *action)
{
	static const struct action_def by_child = {
		.kind = ACTION_CHILD, .timeout = {.ms = -1}, .deadline = {.ms = -1}};

	if (action->held)
		return &by_child;
	return &state->def->steps[step == state->def->carried ? action->carried_from : step].undo;
}

const struct action_def *saga_state_undo_def(const struct saga_state *state, int step, int item)
{
	return undo_def_of(state, step, saga_state_action(state, step, item));
}

enum awaits saga_state_awaits(const struct saga_state *state, int step,
							  const struct action_state *action)
{
	const struct step_def *def = &state->def->steps[step];
	enum awaits run = exec_awaits(&action->run, &def->act), undo = AWAITS_NOTHING;

	if (def->undo_kind == UNDO_ACTION)
		undo = exec_awaits(&action->undo, undo_def_of(state, step, action));
	return run > undo ? run : undo;
}

/* What only tells that something is late is waited for by nobody: the status of the saga is not
 * that of its escalations. */
static void sum_escalation(struct summary *sum, const struct exec *exec, enum action_kind kind)
{
	int calls = sum->calls, replies = sum->replies, moving = sum->moving;

	sum_exec(sum, exec, kind, AWAITS_NOTHING);
	sum->aside += sum->calls - calls;
	sum->calls = calls;
	sum->replies = replies;
	sum->moving = moving;
}

/* When somebody is told that it takes too long. */
static void sum_watches(struct summary *sum, const struct action_state *action)
{
	if (saga_state_is_watched(action, SIDE_DO))
		due_at(sum, action->run.watch.next_at, AWAITS_NOTHING);
	if (saga_state_is_watched(action, SIDE_UNDO))
		due_at(sum, action->undo.watch.next_at, AWAITS_NOTHING);
}

static void summarise(const struct saga_state *state, wall_ms now, struct summary *sum)
{
	enum awaits any = AWAITS_NOTHING;
	int i, j;

	*sum = (struct summary){.now = now, .paused = state->paused};
	if (saga_status_is_terminal(state->status))
		return;
	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_state *step = &state->steps[i];
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < step->n_actions; j++) {
			const struct action_state *action = &step->actions[j];
			enum awaits awaits = saga_state_awaits(state, i, action);

			if (def->escalates) {
				sum_escalation(sum, &action->run, def->act.kind);
				continue;
			}
			any = awaits > any ? awaits : any;
			sum_watches(sum, action);
			sum_exec(sum, &action->run, def->act.kind, awaits);
			sum_exec(sum, &action->undo, saga_state_undo_def(state, i, j)->kind, awaits);
			if (waits_to_settle(state, i, j)) {
				sum->settling = true;
				due_at(sum, action->run.settle_at, AWAITS_NOTHING);
			}
		}
	}
	due_at(sum, state->watch.next_at, AWAITS_NOTHING);
	/* Past the pivot it is an alert, and undoes nothing that an answer could speak against. */
	if (!state->failing && !state->deadline_noted && !state->held)
		due_at(sum, state->deadline_at, saga_state_past_pivot(state) ? AWAITS_NOTHING : any);
	if (state->paused) {
		sum->due = 0;
		sum->apart = (struct saga_due){0};
	}
}

wall_ms saga_state_next_due(const struct saga_state *state)
{
	struct summary sum;

	summarise(state, 0, &sum);
	return sum.due;
}

struct saga_due saga_state_due(const struct saga_state *state, wall_ms now)
{
	struct summary sum;

	summarise(state, now, &sum);
	return sum.apart;
}

int saga_state_in_flight(const struct saga_state *state)
{
	struct summary sum;

	summarise(state, 0, &sum);
	return sum.calls + sum.aside;
}

bool saga_state_may_sleep(const struct saga_state *state)
{
	struct summary sum;

	summarise(state, 0, &sum);
	return sum.calls + sum.aside == 0 && !sum.fold_differs;
}

bool saga_state_awaits_saga(const struct saga_state *state)
{
	if (state->held)
		return true;
	for (int i = 0; i < state->def->n_steps; i++)
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];

			if ((action->run.status == EXEC_RUNNING && action->run.child) ||
				(action->undo.status == EXEC_RUNNING && action->undo.child))
				return true;
		}
	return false;
}

bool saga_state_past_pivot(const struct saga_state *state)
{
	const struct saga_def *def = state->def;

	if (def->recovery_forward)
		return true;
	if (def->pivot < 0)
		return false;
	return state->pivot_scheduled || state->steps[def->pivot].settled;
}

static bool any_undo_failed(const struct saga_state *state)
{
	int i, j;

	for (i = 0; i < state->def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].comp == COMP_FAILED)
				return true;
	return false;
}

void saga_state_derive(struct saga_state *state)
{
	enum saga_status before = state->status;
	struct summary sum;

	state__derive_attention(state);
	if (saga_status_is_terminal(before))
		return;
	summarise(state, 0, &sum);
	if (state->paused)
		state->status = SAGA_PAUSED;
	else if (state->failing)
		state->status =
			any_undo_failed(state) && !sum.calls && !sum.replies && !sum.moving && !sum.settling
				? SAGA_COMPENSATION_FAILED
				: SAGA_COMPENSATING;
	else
		state->status = sum.calls || sum.replies || sum.moving ? SAGA_RUNNING : SAGA_WAITING;
	state->updated_at =
		state->status != state->status_before ? state->last_at : state->updated_before;
}

enum comp_status saga_state_comp_shown(const struct saga_state *state,
									   const struct action_state *action)
{
	return state->status == SAGA_COMPLETED && action->comp == COMP_ARMED ? COMP_RELEASED
																		 : action->comp;
}
