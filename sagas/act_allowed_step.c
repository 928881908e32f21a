/*
 * Acts of a step or its compensation: what its state allows.
 *
 *   action                 retry  skip  complete  fail   resolve
 *   not begun, or over       -     -       -       -     what may have happened, until it is undone
 *   a call is out            -     -       -       -     -
 *   waits for its reply      -    yes     yes     yes    -
 *   timer, await, approval   -    yes     yes     yes    -
 *   backs off, or queued    yes   yes     yes     yes    if an attempt is in doubt
 *   leased by a worker       -    yes     yes     yes    -
 *   ongoing                  -    yes     yes     yes    yes
 *   parked                  yes   yes     yes     yes    if its outcome is unknown
 *
 *   compensation           retry  skip  complete  fail   resolve
 *   armed, on the way back   -    yes     yes      -     -
 *   waits for its reply      -    yes     yes     yes    -
 *   backs off, or queued    yes   yes     yes     yes    if an attempt is in doubt
 *   leased by a worker       -    yes     yes     yes    -
 *   ongoing                  -    yes     yes     yes    yes
 *   failed                  yes   yes     yes      -     if an attempt is in doubt
 *
 * fail is refused where there is no way back. approve and reject are taken by an approval that
 * waits (also for a person, when its time is over), from who may decide it.
 */
#include "sagas/act_allowed_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/decide_priv.h"

/* The one that is looked at. */
struct look {
	const struct saga_state *state;
	const struct act *act;
	struct act_place place;
	const struct action_state *action;
	const struct exec *exec;
	const struct action_def *def;
	char name[DEF_MAX_NAME + 64]; /* "charge", "the compensation of charge[3]" */
	wall_ms now;
	struct err *err;
};

int act_place_find(const struct saga_state *state, const struct act *act,
				   struct act_place *ret_place, struct err *err)
{
	int step = saga_def_step(state->def, act->step), at = act->item < 0 ? 0 : act->item;
	const struct step_def *def;

	if (step < 0 || step >= state->def->n_listed)
		return err_set_at(err, ERR_NOT_FOUND, "/step", "the saga has no step `%.100s`", act->step);
	def = &state->def->steps[step];
	if (!state->steps[step].begun)
		return err_set(err, ERR_CONFLICT, "%s has not begun", def->id);
	if (state->steps[step].n_actions == 0)
		return err_set(err, ERR_CONFLICT, "%s was skipped, or has no items", def->id);
	if ((def->for_each || def->repeat_until) != (act->item >= 0))
		return err_set_at(err, ERR_INVALID, "/item",
						  act->item < 0 ? "%s has items: say which (`item`, from 0)"
										: "%s has no items",
						  def->id);
	if (at >= state->steps[step].n_actions)
		return err_set_at(err, ERR_NOT_FOUND, "/item", "%s has %d items", def->id,
						  state->steps[step].n_actions);
	if (act->side == SIDE_UNDO && !saga_has_undo(def, &state->steps[step].actions[at]))
		return err_set(err, ERR_CONFLICT, "%s declares no compensation", def->id);
	*ret_place = (struct act_place){step, act->item, act->side};
	return 0;
}

static int refuse(const struct look *look, const char *why)
{
	return err_set(look->err, ERR_CONFLICT, "%s %s", look->name, why);
}

static bool is_asked(const struct exec *exec)
{
	return exec->probe_out || exec->asked;
}

/* Its answer, or its time-out, comes first: then its outcome is known, or known to be unknown. */
static int refuse_while_out(const struct look *look)
{
	const struct exec *exec = look->exec;
	char until[TIME_TEXT_SIZE];

	if (look->def->kind == ACTION_CHILD && exec->status == EXEC_BACKING_OFF && exec->ambiguous &&
		look->act->kind != ACT_STEP_RETRY)
		return refuse(look, "may have started its child: wait until that is known");
	if (exec->status != EXEC_RUNNING)
		return 0;
	if (look->def->kind == ACTION_CHILD)
		return exec->child || (look->state->paused && !exec->out && !exec->ambiguous)
				   ? 0
				   : refuse(look, "is starting its child: wait for that");
	if (look->def->kind == ACTION_COMMAND) {
		if (!exec->out || exec->taken)
			return 0;
		time_format(exec->due_at, until);
		return err_set(look->err, ERR_CONFLICT,
					   "the command of %s is being published; wait for the broker, until %s at "
					   "most",
					   look->name, until);
	}
	/* Held back by a pause, it is with nobody. */
	if (look->def->kind != ACTION_HTTP || (look->state->paused && !exec->out && !is_asked(exec)))
		return 0;
	if (look->def->timeout.ms > 0)
		return err_set(look->err, ERR_CONFLICT,
					   "a call of %s is out; wait for its answer, %lld s at most", look->name,
					   (long long)(look->def->timeout.ms + 999) / 1000);
	return err_set(look->err, ERR_CONFLICT,
				   "a call of %s is out; wait for its answer or its time-out", look->name);
}

/* What is over, or never began, is as it is. */
static int refuse_unless_open(const struct look *look)
{
	switch (look->exec->status) {
	case EXEC_IDLE:
		return refuse(look, "has not begun");
	case EXEC_DONE:
		return refuse(look, look->action->skipped ? "was skipped already" : "has completed");
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
		return refuse(look, look->state->failing
								? "has failed; a retry of the saga `from` a step lets it begin anew"
								: "has failed already, and the saga goes on without it");
	case EXEC_RUNNING:
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
	case EXEC_PARKED:
	case EXEC_QUEUED:
		break;
	}
	return 0;
}

static int refuse_fail(const struct look *look)
{
	const struct saga_state *state = look->state;
	int step = look->place.step;

	if (decide__forward_only(state, step))
		return refuse(look, "can only go forward: skip it, or complete it");
	if (step == state->def->pivot && decide__pivot_may_be_done(state, look->place.item))
		return refuse(look, "is a part of the point of no return, of which another may have taken "
							"effect: skip it, or complete it");
	return 0;
}

static bool edits_allowed(const struct exec *exec, const struct action_def *def)
{
	return exec->request && exec->request->kind != REQUEST_EMIT &&
		   !saga_exec_is_ambiguous(exec, def->kind);
}

static int check_edit(const struct look *look)
{
	if (!look->act->request || edits_allowed(look->exec, look->def))
		return 0;
	if (!look->exec->request || look->exec->request->kind == REQUEST_EMIT)
		return refuse(look, "has no request that could be edited");
	return refuse(look, "may have taken effect, so another request could take effect beside it: "
						"resolve its outcome first");
}

static int refuse_retry(const struct look *look)
{
	if (look->exec->status == EXEC_RUNNING && look->def->kind == ACTION_TASK)
		return refuse(look, "is with a worker: wait for its word or the end of its lease, complete "
							"or fail it");
	if (look->exec->status != EXEC_PARKED && look->exec->status != EXEC_BACKING_OFF &&
		look->exec->status != EXEC_QUEUED)
		return refuse(look, look->exec->status == EXEC_ONGOING
								? "is worked on by its participant: ask its probe (resolve), "
								  "complete or fail it"
								: "is neither parked nor between two attempts");
	if (is_asked(look->exec))
		return refuse(look, "is asked after just now: wait for its probe");
	return check_edit(look);
}

/* Its outcome is unknown. */
static bool is_in_doubt(const struct look *look)
{
	const struct exec *exec = look->exec;

	return (exec->status == EXEC_PARKED && exec->parked_unknown) || exec->status == EXEC_ONGOING ||
		   ((exec->status == EXEC_BACKING_OFF || exec->status == EXEC_FAILED ||
			 exec->status == EXEC_QUEUED) &&
			exec->ambiguous);
}

static int refuse_probe(const struct look *look)
{
	if (!look->def->probe)
		return refuse(look, "has no probe: say whether it happened");
	if (look->state->paused)
		return refuse(look, "is paused with its saga: nothing is asked before it is resumed");
	if (is_asked(look->exec))
		return refuse(look, "is asked after just now");
	if (!look->exec->request || look->exec->attempt == 0)
		return refuse(look, "was never sent");
	return 0;
}

/* What ended in doubt stays so until it is undone; then there is nothing left to say. */
static int refuse_resolve_over(const struct look *look)
{
	const struct action_state *action = look->action;
	bool in_doubt = action->run.status == EXEC_GAVE_UP || action->run.ambiguous;

	if (action->run.status == EXEC_DONE && !action->skipped)
		return refuse(look, "has completed: its outcome is known");
	if (!in_doubt)
		return refuse(look, "has failed: its outcome is known");
	if (action->comp != COMP_ARMED)
		return refuse(look, action->comp == COMP_NOT_ARMED
								? "declares nothing that would undo it"
								: "is undone already: look at its compensation");
	if (look->act->resolution == RESOLVE_PROBE)
		return refuse(look, "is over, and is undone: say whether it happened");
	return 0;
}

static int step_resolve(const struct look *look)
{
	int r;

	if (look->exec->status == EXEC_IDLE)
		return refuse(look, "has not begun");
	if (saga_state_run_is_over(look->action))
		return refuse_resolve_over(look);
	r = refuse_while_out(look);
	if (r < 0)
		return r;
	if (!is_in_doubt(look))
		return refuse(look, look->exec->status == EXEC_RUNNING
								? "waits for its reply: complete it, or fail it"
								: "is known not to have happened");
	return look->act->resolution == RESOLVE_PROBE ? refuse_probe(look) : 0;
}

static int refuse_decision(const struct look *look)
{
	const struct approval *approval = look->action->approval;

	if (!approval)
		return refuse(look, "has asked nobody: complete it, skip it, or have it tried again");
	/* Without a name it is asked in general. */
	if (!look->act->by)
		return 0;
	if (approval_may_decide(approval, look->act, look->err) < 0)
		return look->err->code;
	return approval_check_form(look->def->approval.form, look->act, look->err);
}

static int step_act(const struct look *look)
{
	bool decides = look->act->kind == ACT_STEP_APPROVE || look->act->kind == ACT_STEP_REJECT;
	int r;

	if (look->act->kind == ACT_STEP_RESOLVE)
		return step_resolve(look);
	if (decides && look->def->kind != ACTION_APPROVAL)
		return refuse(look, "is no approval");
	r = refuse_unless_open(look);
	if (r == 0)
		r = refuse_while_out(look);
	if (r < 0)
		return r;
	if (decides)
		return refuse_decision(look);
	if (look->act->kind == ACT_STEP_RETRY)
		return refuse_retry(look);
	return look->act->kind == ACT_STEP_FAIL ? refuse_fail(look) : 0;
}

/* Compensations. */

static int refuse_armed(const struct look *look)
{
	char until[TIME_TEXT_SIZE];

	if (look->act->kind != ACT_STEP_SKIP && look->act->kind != ACT_STEP_COMPLETE)
		return refuse(look, "has not begun");
	if (!look->state->failing && !look->action->tolerated)
		return refuse(look, "is not wanted as long as the saga goes forward");
	if (look->action->run.settle_at <= look->now)
		return 0;
	time_format(look->action->run.settle_at, until);
	return err_set(
		look->err, ERR_CONFLICT,
		"%s is armed, and what it undoes may still take effect until %s: wait, or resolve "
		"the step",
		look->name, until);
}

static int refuse_final(const struct look *look)
{
	switch (look->action->comp) {
	case COMP_NOT_ARMED:
		return refuse(look, "is not armed: there is nothing to undo");
	case COMP_DONE:
		return refuse(look, "is done");
	case COMP_SKIPPED:
		return refuse(look, "was skipped");
	case COMP_RESOLVED:
		return refuse(look, "was resolved already");
	case COMP_RELEASED:
		return refuse(look, "is not needed any more");
	case COMP_ARMED:
	case COMP_RUNNING:
	case COMP_BACKING_OFF:
	case COMP_FAILED:
	case COMP_STATUS_COUNT:
		break;
	}
	return 0;
}

static int refuse_undo_retry(const struct look *look)
{
	if (look->action->comp != COMP_FAILED && look->exec->status != EXEC_BACKING_OFF &&
		look->exec->status != EXEC_QUEUED)
		return refuse(look, "has neither failed nor is between two attempts");
	if (is_asked(look->exec))
		return refuse(look, "is asked after just now: wait for its probe");
	return check_edit(look);
}

static int refuse_undo_resolve(const struct look *look)
{
	if (!is_in_doubt(look))
		return refuse(look, look->exec->status == EXEC_RUNNING
								? "waits for its reply: complete it, or fail it"
								: "is known not to have happened");
	return look->act->resolution == RESOLVE_PROBE ? refuse_probe(look) : 0;
}

static int undo_act(const struct look *look)
{
	bool decides = look->act->kind == ACT_STEP_APPROVE || look->act->kind == ACT_STEP_REJECT;
	int r = decides ? refuse(look, "is no approval") : refuse_final(look);

	if (r == 0)
		r = look->action->comp == COMP_ARMED ? refuse_armed(look) : refuse_while_out(look);
	if (r < 0)
		return r;
	if (look->act->kind == ACT_STEP_RETRY)
		return refuse_undo_retry(look);
	if (look->act->kind == ACT_STEP_RESOLVE)
		return refuse_undo_resolve(look);
	if (look->act->kind == ACT_STEP_FAIL && look->action->comp == COMP_FAILED)
		return refuse(look, "has failed already");
	return 0;
}

static void look_at(struct look *look)
{
	const struct saga_state *state = look->state;
	struct act_place place = look->place;
	const struct step_def *def = &state->def->steps[place.step];
	bool undo = place.side == SIDE_UNDO;
	char index[16] = "";

	if (place.item >= 0)
		snprintf(index, sizeof(index), "[%d]", place.item);
	snprintf(look->name, sizeof(look->name), "%s%s%s", undo ? "the compensation of " : "", def->id,
			 index);
	look->action = saga_state_action(state, place.step, place.item);
	look->exec = undo ? &look->action->undo : &look->action->run;
	look->def = undo ? saga_state_undo_def(state, place.step, place.item) : &def->act;
}

bool act_allowed__is_retried(const struct saga_state *state, struct act_place place)
{
	struct act act = {.kind = ACT_STEP_RETRY, .item = place.item, .side = place.side};
	struct err err;
	struct look look = {.state = state, .act = &act, .place = place, .err = &err};

	look_at(&look);
	return (place.side == SIDE_DO ? step_act(&look) : undo_act(&look)) == 0;
}

int act_allowed__step(const struct saga_state *state, const struct act *act, wall_ms now,
					  struct err *err)
{
	struct look look = {.state = state, .act = act, .now = now, .err = err};
	int r = act_place_find(state, act, &look.place, err);

	if (r < 0)
		return r;
	look_at(&look);
	return act->side == SIDE_DO ? step_act(&look) : undo_act(&look);
}
