/*
 * What a person does to the saga as a whole. An act is refused (act_allowed.h) before anything is
 * changed; one that is taken opens with ActTaken, which says who and why, and goes on with the
 * events that such things have anyway. Cancelling and terminating have events of their own, which
 * are older.
 */
#include "sagas/decide_priv.h"

#include "sagas/act_allowed.h"

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

/* An owner is in the parameters, null for nobody. */
static void take(struct ctx *ctx, const struct act *act)
{
	struct event event = decide__act_event(act, -1);

	if (act->kind == ACT_OWNER)
		event.value = jval_from_json(json_pack("{s:s?}", "owner", act->name));
	decide__emit(ctx, &event);
}

static void resume(struct ctx *ctx, const struct act *act)
{
	struct saga_state *state = ctx->state;
	int i, j;

	take(ctx, act);
	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);

			decide__send_held_back(ctx, (struct target){i, item, SIDE_DO});
			decide__send_held_back(ctx, (struct target){i, item, SIDE_UNDO});
		}
	}
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
	case ACT_NOTE:
	case ACT_OWNER:
		take(ctx, act);
		break;
	case ACT_RESUME:
		resume(ctx, act);
		break;
	case ACT_COMPENSATE:
	case ACT_RETRY:
	case ACT_RESET:
	case ACT_SIGNAL:
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_KIND_COUNT:
		CHECK(!"an act that is allowed is built");
	}
	return 0;
}
