/*
 * The way back. What was running settles first; then each completed or ambiguous action is undone
 * once all that depends on it is undone, and nothing of it can still take effect.
 */
#include "sagas/decide_priv.h"

#include "sagas/json_text.h"

static void undo_cannot_be_begun(struct ctx *ctx, int step, int item, const struct err *err)
{
	const struct action_def *undo = saga_state_undo_def(ctx->state, step, item);
	struct event event = decide__event(EV_COMPENSATION_FAILED, step, item);
	CLEANUP(free_p) char *message = xasprintf("the compensation cannot be begun: %s", err->text);

	decide__error(&event, decide__refusal_code(ctx->state, undo), message);
	decide__emit(ctx, &event);
}

static bool sends(enum action_kind kind)
{
	return kind == ACTION_HTTP || kind == ACTION_COMMAND || kind == ACTION_EMIT ||
		   kind == ACTION_TASK || kind == ACTION_CHILD;
}

int decide__undo_request(struct ctx *ctx, int step, struct env *env, struct request **ret_request,
						 struct err *err)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	int r = 0;

	env->saga_failure = true;
	env->stub_saga_failure = def->undo.reads_failure && !ctx->state->failing;
	json_decref(env->made[EXPR_SAGA]);
	env->made[EXPR_SAGA] = NULL;
	*ret_request = NULL;
	if (def->undo_kind == UNDO_ACTION && sends(def->undo.kind))
		r = decide__request(&def->undo, env, CALL_UNDO, 0, ret_request, err);
	env->stub_saga_failure = false;
	return r;
}

void decide__arm(struct ctx *ctx, int step, int item, struct env *env)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	CLEANUP(request_unref_p) struct request *request = NULL;
	struct event event;
	struct err err;
	int r;

	if (ctx->holds && def->undo_kind == UNDO_NOT_NEEDED)
		decide__arm_child(ctx, step, item);
	if (def->undo_kind != UNDO_ACTION)
		return;
	/* `reply` as it was given; `steps.<this>` is settled in the state by now. */
	r = decide__undo_request(ctx, step, env, &request, &err);
	if (r < 0) {
		undo_cannot_be_begun(ctx, step, item, &err);
		return;
	}
	event = decide__event(EV_COMPENSATION_ARMED, step, item);
	if (!def->undo.reads_failure || ctx->state->failing)
		event.request = TAKE(request);
	decide__emit(ctx, &event);
}

/* Whether `when` of the undo lets it run: 1, 0, or a negative error. */
static int undo_wanted(const struct action_def *undo, struct env *env, struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	int r;

	if (!undo->when)
		return 1;
	r = tmpl_eval(undo->when, &env->expr, &value, err);
	if (r < 0)
		return r;
	if (!json_is_boolean(value))
		return err_set(err, ERR_INVALID, "`when` must give true or false");
	return json_is_true(value);
}

static int start_undo_call(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *undo = saga_state_undo_def(ctx->state, step, item);
	const struct action_state *action = saga_state_action(ctx->state, step, item);
	CLEANUP(request_unref_p) struct request *late = NULL;
	struct event event;
	int64_t deadline_ms;
	int r = 0;

	if (!action->undo.request)
		r = decide__request(undo, env, CALL_UNDO, 0, &late, err);
	if (r == 0)
		r = decide__limit(ctx, &undo->deadline, env, &deadline_ms, err);
	if (r < 0)
		return r;
	event = decide__event(EV_COMPENSATION_STARTED, step, item);
	event.request = TAKE(late);
	event.deadline_at = deadline_ms >= 0 ? ctx->now + deadline_ms : 0;
	event.due_at =
		undo->kind == ACTION_TASK ? ctx->now : decide__reply_due(ctx, undo, env, event.deadline_at);
	decide__emit(ctx, &event);
	if (undo->kind == ACTION_TASK)
		return 0;
	decide__send(ctx, (struct target){step, item, SIDE_UNDO});
	return 0;
}

/* It is undone by being told: the record leaves with the commit. */
static int undo_by_emit(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_state *action = saga_state_action(ctx->state, step, item);
	CLEANUP(request_unref_p) struct request *late = NULL;
	struct target target = {step, item, SIDE_UNDO};
	struct event event;
	int r;

	if (!action->undo.request) {
		r = decide__request(saga_state_undo_def(ctx->state, step, item), env, CALL_UNDO, 0, &late,
							err);
		if (r < 0)
			return r;
	}
	event = decide__event(EV_COMPENSATION_STARTED, step, item);
	event.request = TAKE(late);
	decide__emit(ctx, &event);
	decide__add_emission(ctx, target, decide__exec(ctx, target)->request);
	event = decide__event(EV_COMPENSATION_COMPLETED, step, item);
	decide__emit(ctx, &event);
	return 0;
}

static int undo_by_set(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	struct event event;
	json_t *value = NULL;
	int r;

	r = tmpl_eval(saga_state_undo_def(ctx->state, step, item)->set, &env->expr, &value, err);
	if (r < 0)
		return r;
	event = decide__event(EV_COMPENSATION_COMPLETED, step, item);
	event.value = value ? jval_from_json(value) : NULL;
	decide__emit(ctx, &event);
	return 0;
}

static int run_undo(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	switch (saga_state_undo_def(ctx->state, step, item)->kind) {
	case ACTION_HTTP:
	case ACTION_COMMAND:
	case ACTION_TASK:
		return start_undo_call(ctx, step, item, env, err);
	case ACTION_CHILD:
		return decide__undo_with_child(ctx, step, item, env, err);
	case ACTION_EMIT:
		return undo_by_emit(ctx, step, item, env, err);
	case ACTION_SET:
		return undo_by_set(ctx, step, item, env, err);
	case ACTION_FAIL:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_LOCK:
	case ACTION_CONTINUE:
	case ACTION_AWAIT:
	case ACTION_APPROVAL:
		break;
	}
	return err_set(err, ERR_INVALID, "this action cannot undo anything");
}

void decide__start_undo(struct ctx *ctx, int step, int item)
{
	const struct action_def *undo = saga_state_undo_def(ctx->state, step, item);
	struct event event;
	struct env env;
	struct err err;
	int r;

	if (saga_state_action(ctx->state, step, item)->held) {
		decide__undo_by_child(ctx, step, item);
		return;
	}
	env_init(&env, ctx->state, step, item);
	env.saga_failure = true;
	/* A tolerated failure is undone while the saga as a whole has not failed. */
	env.failure_code = saga_state_action(ctx->state, step, item)->run.code;
	env.failure_message = saga_state_action(ctx->state, step, item)->run.message;
	r = undo_wanted(undo, &env, &err);
	if (r == 0) {
		event = decide__event(EV_COMPENSATION_SKIPPED, step, item);
		decide__emit(ctx, &event);
	} else if (r > 0) {
		r = run_undo(ctx, step, item, &env, &err);
	}
	if (r < 0)
		undo_cannot_be_begun(ctx, step, item, &err);
	env_release(&env);
}

/* What was between two attempts, or only waited, is not gone on with. */
static void abandon(struct ctx *ctx, int step, int item)
{
	const struct action_state *action = saga_state_action(ctx->state, step, item);
	const struct exec *run = &action->run;
	enum action_kind kind = ctx->state->def->steps[step].act.kind;
	bool is_timer = action_only_waits(kind);
	bool ambiguous = !is_timer && kind != ACTION_CHILD && run->ambiguous;
	struct env env;

	if (run->out || run->probe_out || run->asked)
		return;
	if (kind == ACTION_CHILD)
		decide__abandon_child(ctx, (struct target){step, item, SIDE_DO});
	/* It may have started: that is found out first. */
	if (kind == ACTION_CHILD && run->status == EXEC_BACKING_OFF && run->ambiguous)
		return;
	if (!(is_timer && run->status == EXEC_RUNNING) && run->status != EXEC_BACKING_OFF &&
		run->status != EXEC_PARKED && run->status != EXEC_QUEUED)
		return;
	env_init(&env, ctx->state, step, item);
	ambiguous |= run->status == EXEC_PARKED && run->parked_unknown;
	decide__failed(ctx, step, item, ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE, ambiguous,
				   run->settle_at, run->code ? run->code : "abandoned",
				   run->code ? run->message : "the saga is being undone", &env);
	env_release(&env);
}

static void undo_items(struct ctx *ctx, int step)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	struct step_state *st = &ctx->state->steps[step];
	int i, busy = 0;

	for (i = 0; i < st->n_actions; i++)
		busy += st->actions[i].comp == COMP_RUNNING || st->actions[i].comp == COMP_BACKING_OFF;
	for (i = st->n_actions - 1; i >= 0; i--) {
		struct action_state *action = &st->actions[i];

		if (!saga_state_run_is_over(action))
			return; /* its siblings wait with it: they may depend on the same thing */
		if (action->comp == COMP_ARMED && action->run.settle_at <= ctx->now &&
			(!def->for_each || busy < def->max_parallel)) {
			decide__start_undo(ctx, step, decide__item(ctx->state, step, i));
			busy++;
		}
		/* Turns are undone one after another, the last one first; so is what was carried. */
		if ((def->repeat_until || step == ctx->state->def->carried) &&
			!(saga_state_undo_is_final(action) && action->comp != COMP_FAILED))
			return;
	}
}

void decide__backward(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	struct event event;
	bool all_undone;
	size_t events_before;
	int i, j;

	for (i = 0; i < state->def->n_forward; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			abandon(ctx, i, decide__item(state, i, j));
	do {
		events_before = ctx->decision->n_events;
		all_undone = true;
		for (i = state->def->n_forward - 1; i >= 0; i--) {
			if (saga_state_step_is_undone(state, i))
				continue;
			if (saga_state_dependants_undone(state, i))
				undo_items(ctx, i);
			all_undone &= saga_state_step_is_undone(state, i);
		}
	} while (!all_undone && ctx->decision->n_events > events_before);
	if (!all_undone || !decide__run_steps(ctx, state->def->n_forward, state->def->n_listed))
		return;
	event = decide__event(EV_SAGA_COMPENSATED, -1, -1);
	decide__emit(ctx, &event);
}
