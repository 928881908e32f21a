/*
 * Which steps can begin anew. A step that begins anew is forgotten: it gets another run, with other
 * keys, so nothing of its earlier run may be in the world, or still come into it. Each of its
 * actions must have
 *
 *   never begun, or definitely failed (parked or not), or be undone (also by a person), or be of a
 *   kind that has no effect (set, await, fail, a GET);
 *
 * and what is kept must stand: nothing of it may have failed or be undone, since nobody would do it
 * again. The point of no return, once passed, is never forgotten.
 */
#include "sagas/act_allowed_priv.h"

#include <string.h>

struct forget {
	const struct saga_state *state;
	const bool *set;
	wall_ms now;
	struct err *err;
};

static int refuse(struct forget *forget, int step, const char *why)
{
	return err_set(forget->err, ERR_CONFLICT, "%s %s", forget->state->def->steps[step].id, why);
}

bool act_has_no_effect(const struct step_def *def)
{
	switch (def->act.kind) {
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_LOCK:
	case ACTION_CONTINUE:
	case ACTION_AWAIT:
	case ACTION_APPROVAL:
		return true;
	case ACTION_HTTP:
		return strcmp(def->act.http.method, "GET") == 0;
	case ACTION_COMMAND:
	case ACTION_EMIT:
	case ACTION_TASK:
	case ACTION_CHILD:
		break;
	}
	return false;
}

/* Not one whose undo was skipped, by its `when` or by a person who wrote it off: its effect stands,
 * and would be there twice. */
static bool is_undone(const struct action_state *action)
{
	return action->comp == COMP_DONE || action->comp == COMP_RESOLVED;
}

/* Done, and what it did stands. */
static int check_done(struct forget *forget, int step, const struct action_state *action)
{
	const struct step_def *def = &forget->state->def->steps[step];

	if (is_undone(action) || (action->skipped && !action->run.ambiguous))
		return 0;
	if (!saga_has_undo(def, action))
		return refuse(forget, step, "has taken effect, and cannot be undone");
	return refuse(forget, step,
				  action->comp == COMP_ARMED ? "has taken effect, and is not undone"
											 : "has taken effect, and is not undone yet");
}

static int check_forgotten(struct forget *forget, int step, const struct action_state *action)
{
	const struct step_def *def = &forget->state->def->steps[step];
	const struct exec *run = &action->run;
	bool harmless = act_has_no_effect(def);
	bool timer = action_only_waits(def->act.kind);

	switch (run->status) {
	case EXEC_IDLE:
		return 0;
	case EXEC_RUNNING:
		return timer ? 0 : refuse(forget, step, "is under way: wait for its answer");
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
	case EXEC_QUEUED:
		return refuse(forget, step, "is still being tried: complete or fail it first");
	case EXEC_DONE:
		return harmless ? 0 : check_done(forget, step, action);
	case EXEC_PARKED:
		return run->parked_unknown && !harmless
				   ? refuse(forget, step, "may have taken effect: resolve its outcome first")
				   : 0;
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
		break;
	}
	if (harmless || (run->status == EXEC_FAILED && !run->ambiguous))
		return 0;
	if (!is_undone(action))
		return refuse(forget, step,
					  "may have taken effect, and is not undone: resolve its outcome first");
	return 0;
}

/* A step that is done under a lock, which is kept and was given back, would run without it. */
static bool loses_its_lock(const struct forget *forget, int lock, const struct action_state *action)
{
	const struct saga_def *def = forget->state->def;
	int after = def->steps[lock].act.lock.release_after, i;

	if (def->steps[lock].act.kind != ACTION_LOCK || !action->event_id || action->locked)
		return false;
	for (i = 0; i < def->n_forward; i++)
		if (forget->set[i] && step_def_has_ancestor(&def->steps[i], lock) &&
			(i == after || step_def_has_ancestor(&def->steps[after], i)))
			return true;
	return false;
}

/* What is kept has no part in the failure, and is not undone. What was tolerated is as it is. */
static int check_kept(struct forget *forget, int step, const struct action_state *action)
{
	const struct exec *run = &action->run;

	if (action->tolerated)
		return 0;
	if (loses_its_lock(forget, step, action))
		return refuse(forget, step, "was a lock that is given back, and would not begin anew");
	if (run->status == EXEC_FAILED || run->status == EXEC_GAVE_UP)
		return refuse(forget, step, "has failed, too, and would not begin anew");
	if (action->comp != COMP_NOT_ARMED && action->comp != COMP_ARMED &&
		step == forget->state->def->carried)
		return err_set(forget->err, ERR_CONFLICT,
					   "what earlier runs did is undone, or is being undone, and would not begin "
					   "anew");
	if (action->comp != COMP_NOT_ARMED && action->comp != COMP_ARMED)
		return refuse(forget, step, "is undone, or is being undone, and would not begin anew");
	return 0;
}

static int check_step(struct forget *forget, int step)
{
	const struct saga_state *state = forget->state;
	const struct step_state *st = &state->steps[step];
	int i, r = 0;

	if (step >= state->def->n_forward && st->begun)
		return refuse(forget, step, "has begun, which runs once all is undone");
	if (forget->set[step] && step == state->def->pivot && saga_state_past_pivot(state))
		return refuse(forget, step, "is the point of no return, and has been passed");
	if (!forget->set[step] && state->failing && state->failure_step == step)
		return refuse(forget, step, "is where the saga failed, and would not begin anew");
	for (i = 0; i < st->n_actions && r == 0; i++) {
		const struct action_state *action = &st->actions[i];

		if (!forget->set[step])
			r = check_kept(forget, step, action);
		else if (action->undo.status == EXEC_RUNNING || action->undo.status == EXEC_BACKING_OFF ||
				 action->undo.status == EXEC_ONGOING || action->undo.status == EXEC_QUEUED)
			r = refuse(forget, step, "is being undone: wait until it is");
		else if (action->comp == COMP_FAILED)
			r = refuse(
				forget, step,
				"could not be undone: complete its compensation once it is undone by other means");
		else
			r = check_forgotten(forget, step, action);
		if (r == 0 && forget->set[step] && action->run.settle_at > forget->now)
			r = refuse(forget, step, "may still take effect: wait until it has settled");
	}
	return r;
}

/* What depends on a step that begins anew begins anew. */
static int check_closed(struct forget *forget)
{
	const struct saga_def *def = forget->state->def;
	int i, j;

	for (i = 0; i < def->n_forward; i++)
		for (j = 0; j < def->n_forward && forget->set[i]; j++)
			if (forget->state->steps[j].begun && !forget->set[j] &&
				step_def_has_ancestor(&def->steps[j], i))
				return refuse(forget, j, "needs a step that would begin anew");
	return 0;
}

static int check_all(struct forget *forget)
{
	int i, r = check_closed(forget);

	for (i = 0; i < forget->state->def->n_listed && r == 0; i++)
		r = check_step(forget, i);
	return r;
}

static bool *set_from(const struct saga_state *state, int from)
{
	const struct saga_def *def = state->def;
	bool *set = xcalloc((size_t)def->n_steps, sizeof(*set));
	int i;

	for (i = 0; i < def->n_forward; i++)
		set[i] =
			state->steps[i].begun && (i == from || step_def_has_ancestor(&def->steps[i], from));
	return set;
}

bool *act_forget_set(const struct saga_state *state, const struct act *act, struct err *err)
{
	const struct saga_def *def = state->def;
	bool *set;
	int step;
	size_t i;

	if (act->kind == ACT_RETRY) {
		step = saga_def_step(def, act->step);
		if (step < 0)
			err_set_at(err, ERR_NOT_FOUND, "/from", "the saga has no step `%.100s`", act->step);
		else if (step == def->carried)
			err_set(err, ERR_CONFLICT, "what earlier runs did does not begin anew");
		else if (!state->steps[step].begun || step >= def->n_forward)
			err_set(err, ERR_CONFLICT, "%s %s", act->step,
					step >= def->n_forward ? "runs once all is undone, and not again"
										   : "has not begun");
		else
			return set_from(state, step);
		return NULL;
	}
	set = xcalloc((size_t)def->n_steps, sizeof(*set));
	for (i = 0; act->forget && act->forget[i]; i++) {
		step = saga_def_step(def, act->forget[i]);
		if (step >= 0 && step < def->n_forward)
			set[step] = state->steps[step].begun;
	}
	for (step = 0; step < def->n_steps; step++)
		if (set[step])
			return set;
	free(set);
	err_set(err, ERR_CONFLICT, "nothing has begun since then");
	return NULL;
}

/* The step from which it would work, with the least that begins anew; -1: none. */
static int would_work(const struct saga_state *state, wall_ms now)
{
	struct err err;
	int i;

	for (i = state->def->n_forward - 1; i >= 0; i--) {
		CLEANUP(free_p) bool *set = set_from(state, i);
		struct forget forget = {.state = state, .set = set, .now = now, .err = &err};

		if (set[i] && check_all(&forget) == 0)
			return i;
	}
	return -1;
}

int act_allowed__forget(const struct saga_state *state, const struct act *act, wall_ms now,
						struct err *err)
{
	CLEANUP(free_p) bool *set = act_forget_set(state, act, err);
	struct forget forget = {.state = state, .set = set, .now = now, .err = err};
	char why[sizeof(err->text)];
	int better;

	if (!set)
		return err->code;
	if (check_all(&forget) == 0)
		return 0;
	memcpy(why, err->text, sizeof(why));
	better = would_work(state, now);
	if (better >= 0)
		return err_set(err, ERR_CONFLICT, "%.300s; a retry from `%s` would do", why,
					   state->def->steps[better].id);
	return ERR_CONFLICT;
}
