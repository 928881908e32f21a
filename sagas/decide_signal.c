/*
 * Signals: what somebody tells a saga by name, and the awaits that read it.
 *
 * A signal is kept in the state until an await of its name reads it, so it may come before. Each is
 * read once, the first one first; one for which the `when` of an await does not hold stays for
 * another. While the saga is paused nothing is read.
 *
 * One that `cancel_on` names cancels the saga when it is told, as a person would, also in a pause;
 * where it is too late for that, the refusal is told, and it is a signal as others are.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/json_text.h"

int decide__begin_signal(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	struct event event;
	int64_t ms;
	int r;

	r = decide__await_limit(ctx, act, env, &ms, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = decide__at(ctx, ms > 0 ? ms : 1);
	event.value = jval_from_json(json_pack("{s:s}", "signal", act->await_signal));
	decide__emit(ctx, &event);
	decide__read_signal(ctx, (struct target){step, item, SIDE_DO});
	return 0;
}

/* {signal, data, time}, as `event` shows it. */
static struct jval *as_event(const struct saga_signal *signal)
{
	json_t *json = json_object();
	char at[TIME_TEXT_SIZE];

	time_format(signal->at, at);
	json_object_set_new_nocheck(json, "signal", json_string(signal->name));
	json_object_set_new_nocheck(
		json, "data", signal->value ? json_incref(jval_json(signal->value)) : json_null());
	json_object_set_new_nocheck(json, "time", json_string(at));
	return jval_from_json(json);
}

/* What waits for a signal of this name at a place; NULL: nothing does. */
static const struct correlate_def *wait_for(const struct action_def *act, size_t place,
											const char *name)
{
	const struct wait_def *wait;

	if (act->kind == ACTION_AWAIT_SIGNAL)
		return strcmp(name, act->await_signal) == 0 ? &act->await_kafka : NULL;
	wait = &act->await.waits[place];
	return wait->kind == WAIT_SIGNAL && strcmp(name, wait->signal) == 0 ? &wait->on : NULL;
}

static bool read_one(struct ctx *ctx, struct target target, const struct saga_signal *signal)
{
	const struct action_def *act = &ctx->state->def->steps[target.step].act;
	size_t n = act->kind == ACTION_AWAIT_SIGNAL ? 1 : act->await.n_waits;
	CLEANUP(jval_unref_p) struct jval *told = as_event(signal);
	/* Copies, for the signal is gone when it is read. */
	CLEANUP(free_p) char *name = xstrdup(signal->name);
	char id[SIGNAL_ID_SIZE];
	bool read = false;
	size_t i;

	signal_id(signal, id);
	for (i = 0; i < n && !read; i++) {
		const struct correlate_def *on = wait_for(act, i, name);
		struct env env;

		if (!on)
			continue;
		env_init(&env, ctx->state, target.step, target.item);
		env.event = told;
		read = decide__event_matches(on, &env);
		if (read)
			decide__complete_await(ctx, target, act->await.list ? name : NULL, id, &env);
		env_release(&env);
	}
	return read;
}

void decide__read_signal(struct ctx *ctx, struct target target)
{
	const struct saga_state *state = ctx->state;
	const struct action_def *act = &state->def->steps[target.step].act;
	const struct exec *run = &saga_state_action(state, target.step, target.item)->run;
	size_t i;

	if (target.side != SIDE_DO || (act->kind != ACTION_AWAIT_SIGNAL && act->kind != ACTION_AWAIT) ||
		(run->status != EXEC_RUNNING && run->status != EXEC_PARKED))
		return;
	for (i = 0; i < state->n_signals; i++)
		if (read_one(ctx, target, &state->signals[i]))
			return;
}

/* Whether an entry of cancel_on means this signal. */
static bool cancels(const struct ctx *ctx, const struct saga_signal *signal)
{
	const struct saga_def *def = ctx->state->def;
	CLEANUP(jval_unref_p) struct jval *told = as_event(signal);
	bool found = false;
	size_t i;

	for (i = 0; i < def->n_cancel_signals && !found; i++) {
		const struct correlate_def on = {.when = def->cancel_signals[i].when};
		struct env env;

		if (strcmp(def->cancel_signals[i].name, signal->name) != 0)
			continue;
		env_init(&env, ctx->state, -1, -1);
		env.event = told;
		found = decide__event_matches(&on, &env);
		env_release(&env);
	}
	return found;
}

bool decide__signal_cancels(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	const struct saga_signal *signal;
	CLEANUP(free_p) char *name = NULL;
	bool before = state->failing;
	char id[SIGNAL_ID_SIZE];

	if (state->n_signals == 0)
		return false;
	signal = &state->signals[state->n_signals - 1];
	if (!cancels(ctx, signal))
		return false;
	name = xstrdup(signal->name);
	signal_id(signal, id);
	decide__cancel_by(ctx, &(struct cancelling){"signal", name, id});
	return state->failing && !before;
}
