/*
 * What a person does to the saga as a whole. An act is refused (act_allowed.h) before anything is
 * changed; one that is taken opens with ActTaken, which says who and why, and goes on with the
 * events that such things have anyway. Cancelling and terminating have events of their own, which
 * are older.
 */
#include "sagas/decide_priv.h"

#include "sagas/act_allowed_priv.h"

static void say_who(struct event *event, const struct act *act)
{
	event->by = decide__clean_copy(act->by);
	event->reason = decide__clean_copy(act->reason);
	event->id = decide__clean_copy(act->id);
}

struct event decide__act_event(const struct act *act, int step)
{
	struct event event = decide__event(EV_ACT_TAKEN, step, step < 0 ? -1 : act->item);

	event.name = xstrdup(act_kind_text(act->kind));
	event.side = step < 0 ? SIDE_DO : act->side;
	say_who(&event, act);
	return event;
}

static void terminate(struct ctx *ctx, const struct act *act)
{
	struct event event = decide__event(EV_SAGA_TERMINATED, -1, -1);

	say_who(&event, act);
	decide__emit(ctx, &event);
}

struct jval *decide__copy_value(struct jval *value)
{
	const char *text;
	size_t len;

	if (!value)
		return NULL;
	text = jval_text(value, &len);
	return jval_from_text(xstrndup(text, len), len);
}

/* The parameters of an act, where it has any. */
static json_t *parameters(const struct act *act)
{
	json_t *json = json_object();
	struct jval *value;

	if (act->kind == ACT_OWNER)
		json_object_set_new_nocheck(json, "owner",
									act->name ? json_string(act->name) : json_null());
	if (act->kind == ACT_SIGNAL)
		json_object_set_new_nocheck(json, "signal", json_string(act->name));
	if (act->kind == ACT_SIGNAL && act->value) {
		value = decide__copy_value(act->value);
		json_object_set_nocheck(json, "value", jval_json(value));
		jval_unref(value);
	}
	if (act->kind == ACT_RETRY && act->step)
		json_object_set_new_nocheck(json, "from", json_string(act->step));
	if (act->kind == ACT_RESET)
		json_object_set_new_nocheck(json, "to", json_integer(act->to));
	if (act->kind == ACT_MIGRATE)
		json_object_set_new_nocheck(json, "version", json_integer(act->version));
	return json;
}

static void take_with(struct ctx *ctx, const struct act *act, json_t *json, wall_ms deadline_at)
{
	struct event event = decide__act_event(act, -1);

	event.deadline_at = deadline_at;
	if (json_object_size(json) > 0)
		event.value = jval_from_json(json);
	else
		json_decref(json);
	decide__emit(ctx, &event);
}

static void take(struct ctx *ctx, const struct act *act)
{
	take_with(ctx, act, parameters(act), 0);
}

/* Both sides of each action. */
static void each_target(struct ctx *ctx, void (*each)(struct ctx *ctx, struct target target))
{
	const struct saga_state *state = ctx->state;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);

			each(ctx, (struct target){i, item, SIDE_DO});
			/* A step that begins anew has no actions for now. */
			if (j < state->steps[i].n_actions)
				each(ctx, (struct target){i, item, SIDE_UNDO});
		}
	}
}

static void resume(struct ctx *ctx, const struct act *act)
{
	take(ctx, act);
	/* What arrived wins over what ran out. */
	each_target(ctx, decide__read_signal);
	each_target(ctx, decide__send_held_back);
	decide__timers(ctx);
}

/* Why stands in the act of the saga. */
static void retry_target(struct ctx *ctx, struct target target)
{
	const struct step_def *def = &ctx->state->def->steps[target.step];
	const struct act act = {
		.kind = ACT_STEP_RETRY,
		.item = target.item,
		.side = target.side,
		.by = ctx->in->act->by,
	};
	struct act_place place = {target.step, target.item, target.side};
	struct err err;

	if (target.side == SIDE_UNDO &&
		!saga_has_undo(def, saga_state_action(ctx->state, target.step, target.item)))
		return;
	/* What cannot be tried stays as it is. */
	if (act_allowed__is_retried(ctx->state, place))
		(void)!decide__retry(ctx, target, &act, &err);
}

static void retry_undo(struct ctx *ctx, struct target target)
{
	if (target.side == SIDE_UNDO)
		retry_target(ctx, target);
}

static void compensate(struct ctx *ctx, const struct act *act)
{
	take(ctx, act);
	if (ctx->state->failing)
		each_target(ctx, retry_undo);
	else
		decide__fail_saga(ctx, -1, "cancelled", act->reason);
}

/* Steps begin anew; what they had subscribed goes with them. The saga has its whole time
 * again. */
static int begin_anew(struct ctx *ctx, const struct act *act, struct err *err)
{
	const struct saga_state *state = ctx->state;
	CLEANUP(free_p) bool *set = act_forget_set(state, act, err);
	json_t *ids, *json;
	int64_t deadline_ms;
	struct env env;
	int i, j, r;

	if (!set)
		return err->code;
	env_init(&env, ctx->state, -1, -1);
	r = decide__limit(ctx, &state->def->deadline, &env, &deadline_ms, err);
	env_release(&env);
	if (r < 0)
		return r;
	ids = json_array();
	for (i = 0; i < state->def->n_steps; i++) {
		if (!set[i])
			continue;
		json_array_append_new(ids, json_string(state->def->steps[i].id));
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);

			decide__unsubscribe(ctx, i, item);
			decide__unlock(ctx, i, item);
			decide__forget_task(ctx, (struct target){i, item, SIDE_DO});
			decide__forget_task(ctx, (struct target){i, item, SIDE_UNDO});
			decide__touch_approval(ctx, i, item);
		}
	}
	json = parameters(act);
	json_object_set_new_nocheck(json, "forget", ids);
	take_with(ctx, act, json, deadline_ms >= 0 ? ctx->now + deadline_ms : 0);
	return 0;
}

int decide__act(struct ctx *ctx, struct err *err)
{
	const struct act *act = ctx->in->act;
	int r;

	if (saga_act_is_known(ctx->state, act->id))
		return 0;
	r = saga_act_allowed(ctx->state, act, ctx->now, err);
	if (r < 0)
		return r;
	switch (act->kind) {
	case ACT_CANCEL:
		decide__cancel(ctx, act->by, act->reason, act->id);
		break;
	case ACT_TERMINATE:
		terminate(ctx, act);
		break;
	case ACT_PAUSE:
	case ACT_ACKNOWLEDGE:
	case ACT_NOTE:
	case ACT_OWNER:
	case ACT_MIGRATE: /* whoever folds the history does so by the row's version */
		take(ctx, act);
		break;
	case ACT_SIGNAL:
		take(ctx, act);
		if (!decide__signal_cancels(ctx) && !ctx->state->paused)
			each_target(ctx, decide__read_signal);
		break;
	case ACT_RESUME:
		resume(ctx, act);
		break;
	case ACT_COMPENSATE:
		compensate(ctx, act);
		break;
	case ACT_RETRY:
		if (act->step)
			return begin_anew(ctx, act, err);
		take(ctx, act);
		each_target(ctx, retry_target);
		break;
	case ACT_RESET:
		return begin_anew(ctx, act, err);
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_STEP_APPROVE:
	case ACT_STEP_REJECT:
		return decide__step_act(ctx, act, err);
	case ACT_KIND_COUNT:
		break;
	}
	return 0;
}
