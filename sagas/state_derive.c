/*
 * What follows from a state without being stored: its status, when it must be looked at again, and
 * whether it concerns a person. One pass over the actions answers each question.
 */
#include "sagas/state.h"

#include <stdio.h>
#include <string.h>

enum {
	UNDO_ATTEMPTS_ALERT = 5,    /* an undo that failed so often concerns a person */
	FORWARD_ATTEMPTS_ALERT = 10 /* so does a step that can only go forward */
};

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

/* One that is under way is not told by the history until it ends. */
static int64_t failed_attempts(const struct exec *exec)
{
	/* Its child runs: the starts that failed no longer matter. */
	if (exec->status == EXEC_RUNNING && exec->child)
		return 0;
	return exec->status == EXEC_RUNNING || exec->status == EXEC_ONGOING ? exec->attempt - 1
																		: exec->attempt;
}

/* Why one action concerns a person: the words, or NULL; and which of its sides. */
static const char *action_trouble(const struct saga_state *state, int index, int item,
								  struct attention *attention)
{
	const struct step_def *def = &state->def->steps[index];
	const struct action_state *action = &state->steps[index].actions[item];
	const struct exec *run = &action->run, *undo = &action->undo;
	bool forward_only = def->pivot || def->after_pivot || state->def->recovery_forward ||
						index >= state->def->n_forward;

	attention->step = index;
	attention->item = step_def_has_items(def) ? item : -1;
	attention->side = SIDE_UNDO;
	if (action->comp == COMP_FAILED) {
		attention->kind = ATTENTION_STUCK;
		return "the compensation failed";
	}
	attention->side = SIDE_DO;
	if (run->status == EXEC_PARKED) {
		attention->kind = run->parked_unknown ? ATTENTION_UNKNOWN : ATTENTION_PARKED;
		return run->parked_unknown ? "parked with its outcome unknown" : "parked";
	}
	attention->kind = ATTENTION_FAILING;
	if (undo->status != EXEC_DONE && failed_attempts(undo) >= UNDO_ATTEMPTS_ALERT) {
		attention->side = SIDE_UNDO;
		return "the compensation keeps failing";
	}
	if (forward_only && run->status != EXEC_DONE && failed_attempts(run) >= FORWARD_ATTEMPTS_ALERT)
		return "keeps failing";
	return NULL;
}

/* One line about one action. The number of an attempt is left out, so that the line stays. */
static bool action_attention(const struct saga_state *state, int index, int item,
							 struct attention *attention)
{
	const char *id = state->def->steps[index].id;
	const char *why = action_trouble(state, index, item, attention);
	const struct action_state *action = &state->steps[index].actions[item];
	const struct exec *exec = attention->side == SIDE_DO ? &action->run : &action->undo;

	if (!why)
		return false;
	attention->code = exec->code ? xstrdup(exec->code) : NULL;
	attention->text =
		xasprintf("%s: %s%s%s%s%s", id, why, exec->code ? ": " : "", exec->code ? exec->code : "",
				  exec->message ? ": " : "", exec->message ? exec->message : "");
	attention_group(state->def->name, attention->kind, id, attention->side, exec->code,
					exec->message, attention->group);
	return true;
}

/* What was noted concerns the saga, or one of its steps. */
static void note_attention(const struct saga_state *state, enum attention_kind kind,
						   const char *text, struct attention *attention)
{
	bool of_step = kind == ATTENTION_NOTICE && state->attention_step >= 0;
	const char *id = of_step ? state->def->steps[state->attention_step].id : NULL;

	*attention = (struct attention){
		.kind = kind,
		.step = of_step ? state->attention_step : -1,
		.item = of_step ? state->attention_item : -1,
		.text = xstrdup(text),
	};
	attention_group(state->def->name, kind, id, SIDE_DO, NULL, text, attention->group);
}

bool saga_state_deadline_concerns(const struct saga_state *state)
{
	return state->deadline_noted && !state->deadline_seen &&
		   !saga_status_is_terminal(state->status);
}

/* How long it should have taken, as its definition says it; NULL: that is worked out. */
static const char *said_after(const struct escalate_list *list, int late, char text[32])
{
	const struct limit *after = &list->entries[late - 1].after;
	int64_t ms = after->ms;

	if (after->tmpl || ms < 0)
		return NULL;
	if (ms % 86400000 == 0)
		snprintf(text, 32, "%lldd", (long long)(ms / 86400000));
	else if (ms % 3600000 == 0)
		snprintf(text, 32, "%lldh", (long long)(ms / 3600000));
	else if (ms % 60000 == 0)
		snprintf(text, 32, "%lldm", (long long)(ms / 60000));
	else if (ms % 1000 == 0)
		snprintf(text, 32, "%llds", (long long)(ms / 1000));
	else
		snprintf(text, 32, "%lldms", (long long)ms);
	return text;
}

static void late_text(const struct saga_state *state, const char *what,
					  const struct escalate_list *list, int late, struct attention *attention)
{
	const char *id = attention->step >= 0 ? state->def->steps[attention->step].id : NULL;
	const char *after;
	char text[32];

	if ((size_t)late > list->n)
		return;
	after = said_after(list, late, text);
	attention->kind = ATTENTION_LATE;
	attention->text = xasprintf("%s%s%s%s", what, " has not ended in time",
								after ? ": it has taken more than " : "", after ? after : "");
	attention_group(state->def->name, ATTENTION_LATE, id, attention->side, NULL, attention->text,
					attention->group);
}

/* What takes longer than its `escalate` says, and no person has acknowledged. */
static void find_late(const struct saga_state *state, struct attention *attention)
{
	CLEANUP(free_p) char *what = NULL;
	int i, j;

	for (i = 0; i < state->def->n_listed; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			bool undo = action->undo.watch.late && saga_state_is_watched(action, SIDE_UNDO);
			bool run = action->run.watch.late && saga_state_is_watched(action, SIDE_DO);

			if (!undo && !run)
				continue;
			*attention = (struct attention){.step = i,
											.item = step_def_has_items(def) ? j : -1,
											.side = undo ? SIDE_UNDO : SIDE_DO};
			what = xasprintf("%s%s", undo ? "the compensation of " : "", def->id);
			late_text(state, what, undo ? &def->undo.escalate : &def->act.escalate,
					  undo ? action->undo.watch.late : action->run.watch.late, attention);
			return;
		}
	}
	*attention = (struct attention){.step = -1, .item = -1};
	if (state->watch.late)
		late_text(state, "the saga", &state->def->escalate, state->watch.late, attention);
}

static void find_attention(const struct saga_state *state, struct attention *attention)
{
	int i, j;

	*attention = (struct attention){0};
	if (!saga_status_is_terminal(state->status))
		for (i = 0; i < state->def->n_steps; i++)
			for (j = 0; j < state->steps[i].n_actions; j++)
				if (action_attention(state, i, j, attention))
					return;
	*attention = (struct attention){0};
	if (state->attention_note)
		note_attention(state, ATTENTION_NOTICE, state->attention_note, attention);
	else if (saga_state_deadline_concerns(state))
		note_attention(state, ATTENTION_DEADLINE, "the deadline of the saga has passed", attention);
	else if (!saga_status_is_terminal(state->status))
		find_late(state, attention);
}

const char *saga_state_attention(const struct saga_state *state)
{
	return state->attention.text;
}

const struct attention *saga_state_attention_of(const struct saga_state *state)
{
	return state->attention.text ? &state->attention : NULL;
}

/* Since when it has been this reason: what it was for a moment within a transition does not count.
 */
static void derive_attention(struct saga_state *state)
{
	bool same;

	attention_release(&state->attention);
	find_attention(state, &state->attention);
	same = strcmp(state->attention.group, state->attention_group_before) == 0;
	state->attention_at = !state->attention.text ? 0
						  : same                 ? state->attention_at_before
												 : state->last_at;
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

	derive_attention(state);
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
