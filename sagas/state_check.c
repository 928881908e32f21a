/*
 * The invariants of a state. What decide makes keeps them; what is folded from a store is held to
 * them before anything is decided on it, so that a damaged history parks its saga and no more.
 */
#include "sagas/state.h"

#include <stdio.h>

struct check {
	const struct saga_state *state;
	struct err *err;
	int step, item;
	bool failed;
};

static void expect(struct check *check, bool holds, const char *what)
{
	if (holds || check->failed)
		return;
	check->failed = true;
	err_set(check->err, ERR_INVALID, "%s[%d]: %s", check->state->def->steps[check->step].id,
			check->item, what);
}

static void check_exec(struct check *check, const struct exec *exec, enum action_kind kind)
{
	bool call = kind == ACTION_HTTP || kind == ACTION_COMMAND;
	bool task = kind == ACTION_TASK;
	bool timer = action_only_waits(kind);
	bool child = kind == ACTION_CHILD;
	/* One of several has a time that ends it well, one that fails it, or both. */
	bool timed = exec->due_at != 0 || (kind == ACTION_AWAIT && exec->deadline_at != 0);

	switch (exec->status) {
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
		expect(check, (call || child) && exec->request, "it is tried again, and has no request");
		expect(check, exec->attempt >= 1, "it is tried again, and was never tried");
		/* Something wakes it: its due time, or the reply of what is out. */
		expect(check, exec->due_at || exec->out || exec->probe_out || exec->asked,
			   "nothing will wake it");
		break;
	case EXEC_RUNNING:
		expect(check, exec->attempt >= 1, "it runs without an attempt");
		expect(check, call || timer || task || child,
			   "it runs, and is not an action that takes time");
		expect(check, timer ? timed : exec->request || exec->child,
			   "it runs without a request or a time");
		expect(check, (kind != ACTION_COMMAND && !task) || exec->due_at,
			   "it waits for a reply, and would wait for ever");
		expect(check, !task || exec->nonce, "it is leased, and anybody could answer");
		break;
	case EXEC_QUEUED:
		expect(check, task && exec->request && exec->request->kind == REQUEST_TASK,
			   "it waits for a worker, and is no task");
		expect(check, exec->due_at != 0, "it waits for a worker, and does not say from when on");
		break;
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
	case EXEC_PARKED:
		expect(check, !exec->out && !exec->probe_out && !exec->asked,
			   "a call is out that nobody waits for");
		break;
	}
}

static bool action_sends(enum action_kind kind)
{
	return kind == ACTION_HTTP || kind == ACTION_COMMAND || kind == ACTION_EMIT ||
		   kind == ACTION_TASK || kind == ACTION_CHILD;
}

static void check_undo(struct check *check, const struct step_def *def,
					   const struct action_state *action)
{
	const struct action_def *undo = saga_state_undo_def(check->state, check->step, check->item);
	bool open = action->undo.status == EXEC_RUNNING || action->undo.status == EXEC_BACKING_OFF ||
				action->undo.status == EXEC_ONGOING || action->undo.status == EXEC_QUEUED;

	if (action->comp == COMP_NOT_ARMED) {
		expect(check, action->undo.status == EXEC_IDLE, "it is undone without being armed");
		return;
	}
	expect(check, saga_has_undo(def, action), "it is undone, and declares no undo");
	expect(check, !action->held || action->run.child, "its child is held, and is not known");
	/* Only what is over may be undone. */
	expect(check, saga_state_run_is_over(action) && action->run.status != EXEC_IDLE,
		   "it is undone before it is over");
	expect(check, (action->comp == COMP_RUNNING || action->comp == COMP_BACKING_OFF) == open,
		   "its undo and the status of its undo differ");
	/* One that is armed without a request is given it when the way back begins. */
	expect(check,
		   action->comp != COMP_ARMED || action->held || !action_sends(undo->kind) ||
			   action->undo.request || undo->reads_failure ||
			   check->step == check->state->def->carried,
		   "its undo has no request");
}

static void check_shape(struct check *check, const struct step_def *def,
						const struct step_state *step)
{
	bool skipped = step->status == STEP_SKIPPED;

	expect(check, !step->settled || step->begun, "it has settled, and never began");
	expect(check, step->begun || step->n_actions == 0, "it never began, and has actions");
	if (def->escalates)
		return;
	if (def->for_each) {
		expect(check, !step->list || (int)json_array_size(step->list) == step->n_actions,
			   "its actions are not those of its list");
		expect(check, step->list || step->n_actions <= 1, "it has items without a list");
	} else {
		expect(check, !step->list, "it has a list, and no for_each");
		expect(check, def->repeat_until || step->n_actions <= 1, "it has several actions");
		expect(check, !step->begun || step->settled || skipped || step->n_actions > 0,
			   "it began, and has no action");
	}
}

static void check_step(struct check *check)
{
	const struct saga_state *state = check->state;
	const struct step_def *def = &state->def->steps[check->step];
	const struct step_state *step = &state->steps[check->step];
	size_t k;

	check->item = -1;
	check_shape(check, def, step);
	for (k = 0; k < def->n_needs; k++)
		expect(check, !step->begun || state->steps[def->needs[k]].settled,
			   "it began before what it needs");
	for (check->item = 0; check->item < step->n_actions; check->item++) {
		const struct action_state *action = &step->actions[check->item];

		if (!saga_status_is_terminal(state->status)) {
			check_exec(check, &action->run, def->act.kind);
			check_exec(check, &action->undo,
					   saga_state_undo_def(state, check->step, check->item)->kind);
		}
		check_undo(check, def, action);
		expect(check,
			   def->act.kind != ACTION_APPROVAL || !saga_exec_is_open(&action->run) ||
				   action->approval || action->run.status == EXEC_PARKED,
			   "it is to be decided, and nobody was asked");
	}
}

int saga_state_validate(const struct saga_state *state, struct err *err)
{
	struct check check = {.state = state, .err = err};

	if (state->n_events > 0 && (!state->started_at || !state->ns))
		return err_set(err, ERR_INVALID, "it never started");
	if (saga_status_is_terminal(state->status) != (state->ended_at != 0))
		return err_set(err, ERR_INVALID, "its end and its status differ");
	if (state->held && (!state->parent || state->failing))
		return err_set(err, ERR_INVALID, "it is held, and nobody holds it");
	if (state->failing && (!state->failure_code || state->def->recovery_forward))
		return err_set(err, ERR_INVALID, "it is being undone without a reason");
	for (check.step = 0; check.step < state->def->n_steps; check.step++)
		check_step(&check);
	return check.failed ? ERR_INVALID : 0;
}

void saga_state_check(const struct saga_state *state)
{
	struct err err;

	if (saga_state_validate(state, &err) < 0) {
		fprintf(stderr, "saga %s: %s\n", state->id, err.text);
		CHECK(!"the state is as it may be");
	}
}
