/*
 * What has to do with Kafka and is no call: records that are emitted with the commit, events that a
 * step waits for, and events that cancel the saga; those of webhooks are treated alike.
 *
 * An await is subscribed in the commit that begins it, and no longer in the one that ends it. Which
 * saga a record is for was found outside, by topic and correlation value; whether it is what the
 * step waits for (`when`) is decided here, since only here the saga is seen.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/act_allowed.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

/* Emitting. */

void decide__add_emission(struct ctx *ctx, struct target target, struct request *request)
{
	struct decision *decision = ctx->decision;

	if (decision->n_emissions == decision->cap_emissions) {
		decision->cap_emissions = decision->cap_emissions ? 2 * decision->cap_emissions : 4;
		decision->emissions = xrealloc_array(decision->emissions, decision->cap_emissions,
											 sizeof(*decision->emissions));
	}
	decision->emissions[decision->n_emissions++] = (struct emission){
		.step = target.step,
		.item = target.item,
		.side = target.side,
		.request = request_ref(request),
	};
}

int decide__emit_record(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(request_unref_p) struct request *request = NULL;
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	json_t *value = NULL;
	struct event event;
	int r;

	r = decide__request(act, env, CALL_DO, 0, &request, err);
	if (r == 0 && act->output)
		r = tmpl_eval(act->output, &env->expr, &value, err);
	if (r < 0)
		return r;
	output = value ? jval_from_json(value) : NULL;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.request = request_ref(request);
	decide__emit(ctx, &event);
	decide__add_emission(ctx, (struct target){step, item, SIDE_DO}, request);
	decide__completed(ctx, step, item, output, env);
	return 0;
}

/* Subscriptions. */

void decide__subscription(struct ctx *ctx, const struct subscription *from)
{
	struct decision *decision = ctx->decision;
	size_t i;

	for (i = 0; i < decision->n_subscriptions; i++) {
		struct subscription *had = &decision->subscriptions[i];

		if (had->step != from->step || had->item != from->item || had->place != from->place)
			continue;
		/* It begins and ends in one commit; removing what is not there does no harm. */
		free(had->value);
		*had = *from;
		return;
	}
	if (decision->n_subscriptions == decision->cap_subscriptions) {
		decision->cap_subscriptions =
			decision->cap_subscriptions ? 2 * decision->cap_subscriptions : 4;
		decision->subscriptions = xrealloc_array(
			decision->subscriptions, decision->cap_subscriptions, sizeof(*decision->subscriptions));
	}
	decision->subscriptions[decision->n_subscriptions++] = *from;
}

int decide__expected_value(const struct correlate_def *on, struct env *env, char **ret_value,
						   struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	char text[CORRELATE_VALUE_SIZE];
	int r;

	r = tmpl_eval(on->expect, &env->expr, &value, err);
	if (r == 0)
		r = correlate_text(value, text, err);
	if (r < 0) {
		err_prefix(err, "correlate.expect");
		return r;
	}
	*ret_value = xstrdup(text);
	return 0;
}

int decide__subscribe_cancel(struct ctx *ctx, struct err *err)
{
	const struct saga_def *def = ctx->state->def;
	struct env env;
	size_t i;
	int r = 0;

	for (i = 0; i < def->n_cancel_on && r == 0; i++) {
		struct subscription wanted = {
			.step = -1, .item = -1, .place = (int)i, .on = &def->cancel_on[i]};

		env_init(&env, ctx->state, -1, -1);
		r = decide__expected_value(&def->cancel_on[i], &env, &wanted.value, err);
		env_release(&env);
		if (r == 0)
			decide__subscription(ctx, &wanted);
		else
			err_prefix(err, "cancel_on %zu", i);
	}
	return r;
}

static bool def_subscribes(const struct saga_def *def)
{
	int i;

	for (i = 0; i < def->n_steps; i++)
		if (action_subscribes(&def->steps[i].act))
			return true;
	return def->n_cancel_on > 0;
}

void decide__unsubscribe(struct ctx *ctx, int step, int item)
{
	const struct saga_state *state = ctx->state;
	const struct action_def *act = &state->def->steps[step].act;
	struct subscription gone = {.step = step, .item = item, .remove = true};
	enum exec_status status;

	if (!action_subscribes(act))
		return;
	status = saga_state_action(state, step, item)->run.status;
	if (status != EXEC_RUNNING && status != EXEC_PARKED)
		return;
	do {
		gone.on = action_subscription(act, gone.place);
		if (gone.on)
			decide__subscription(ctx, &gone);
	} while (++gone.place < (int)act->await.n_waits);
}

void decide__note_end(struct ctx *ctx, const struct event *event)
{
	const struct saga_state *state = ctx->state;

	if (event->type == EV_SAGA_COMPLETED || event->type == EV_SAGA_COMPENSATED ||
		event->type == EV_SAGA_TERMINATED) {
		ctx->decision->unsubscribe_all |= def_subscribes(state->def);
		ctx->decision->release_all_locks |= state->def->locks;
	}
	if ((event->type == EV_STEP_COMPLETED || event->type == EV_STEP_FAILED ||
		 event->type == EV_STEP_SKIPPED) &&
		decide__action_exists(state, event->step, event->item))
		decide__unsubscribe(ctx, event->step, event->item);
	/* What a person says to be done by other means is not held. */
	if ((event->type == EV_STEP_COMPLETED || event->type == EV_STEP_FAILED ||
		 event->type == EV_STEP_SKIPPED) &&
		!event->id && decide__action_exists(state, event->step, event->item))
		decide__unlock(ctx, event->step, event->item);
}

/* Awaiting. */

int decide__await_limit(struct ctx *ctx, const struct action_def *act, struct env *env,
						int64_t *ret_ms, struct err *err)
{
	int64_t timeout_ms, deadline_ms;
	int r;

	r = decide__limit(ctx, &act->timeout, env, &timeout_ms, err);
	if (r == 0)
		r = decide__limit(ctx, &act->deadline, env, &deadline_ms, err);
	if (r < 0)
		return r;
	*ret_ms = timeout_ms >= 0 ? timeout_ms : deadline_ms >= 0 ? deadline_ms : DEADLINE_DEFAULT_MS;
	if (deadline_ms >= 0 && deadline_ms < *ret_ms)
		*ret_ms = deadline_ms;
	return 0;
}

int decide__begin_await(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	struct subscription wanted = {.step = step, .item = item, .on = &act->await_kafka};
	struct event event;
	int64_t ms;
	int r;

	r = decide__await_limit(ctx, act, env, &ms, err);
	if (r == 0)
		r = decide__expected_value(&act->await_kafka, env, &wanted.value, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = decide__at(ctx, ms > 0 ? ms : 1);
	event.value =
		jval_from_json(json_pack("{s:s, s:s, s:s}", "cluster", act->await_kafka.cluster, "topic",
								 act->await_kafka.topic, "expect", wanted.value));
	decide__emit(ctx, &event);
	decide__subscription(ctx, &wanted);
	return 0;
}

void decide__await_timed_out(struct ctx *ctx, struct target target, const char *why)
{
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "timeout", why, &env);
	env_release(&env);
}

/* One record ends only one await of a saga, also when it is delivered again. */
static bool is_used_up(const struct saga_state *state, const char *id)
{
	const json_t *before;
	size_t k;
	int i, j;

	json_array_foreach (state->used_events, k, before)
		if (strcmp(json_string_value(before), id) == 0)
			return true;
	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			const char *used = state->steps[i].actions[j].event_id;

			if (used && strcmp(used, id) == 0)
				return true;
		}
	}
	return false;
}

bool decide__event_matches(const struct correlate_def *on, struct env *env)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct err err;

	if (!on->when)
		return true;
	return tmpl_eval(on->when, &env->expr, &value, &err) == 0 && json_is_true(value);
}

/* What is kept of it: what the step shapes, else its data; of a list with the name of what came. */
static int event_output(const struct action_def *act, const char *name, struct env *env,
						struct jval **ret_output, struct err *err)
{
	json_t *data = json_object_get(jval_json(env->event), "data"), *value = NULL;
	int r = 0;

	if (act->output)
		r = tmpl_eval(act->output, &env->expr, &value, err);
	else if (name)
		value = json_pack("{s:s, s:O?}", "event", name, "data", data);
	else
		value = json_incref(data);
	if (r == 0)
		*ret_output = value ? jval_from_json(value) : NULL;
	return r;
}

void decide__complete_await(struct ctx *ctx, struct target target, const char *name, const char *id,
							struct env *env)
{
	const struct action_def *act = &ctx->state->def->steps[target.step].act;
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	struct event event;
	struct err err;

	if (event_output(act, name, env, &output, &err) < 0) {
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "output_error",
					   err.text, env);
		return;
	}
	event = decide__event(EV_STEP_COMPLETED, target.step, target.item);
	event.value = jval_ref(output);
	event.id = id ? xstrdup(id) : NULL;
	decide__emit(ctx, &event);
	env->output = output;
	decide__arm(ctx, target.step, target.item, env);
}

static void awaited_event(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct saga_state *state = ctx->state;
	const struct correlate_def *on;
	const struct action_def *act;
	const struct exec *run;
	struct env env;

	if (!decide__action_exists(state, in->step, in->item))
		return;
	act = &state->def->steps[in->step].act;
	on = action_subscription(act, in->place);
	run = &saga_state_action(state, in->step, in->item)->run;
	if (!on || (run->status != EXEC_RUNNING && run->status != EXEC_PARKED) ||
		is_used_up(state, in->event_id))
		return;
	env_init(&env, state, in->step, in->item);
	env.event = in->event;
	if (decide__event_matches(on, &env))
		decide__complete_await(ctx, (struct target){in->step, in->item, SIDE_DO},
							   act->await.list ? on->topic : NULL, in->event_id, &env);
	env_release(&env);
}

/* Cancelling. */

static void refuse_cancel(struct ctx *ctx, const struct cancelling *by, const struct err *why)
{
	const struct saga_state *state = ctx->state;
	struct event event;

	/* It is on its way back anyway; or this was told before, or enough of the kind. */
	if (state->failing || state->ignored >= IGNORED_MAX ||
		(state->refused_cancel && strcmp(state->refused_cancel, by->id) == 0))
		return;
	event = decide__event(EV_SAGA_CANCEL_REQUESTED, -1, -1);
	event.by = xstrdup(by->by);
	event.reason = xstrdup(by->reason);
	event.id = xstrdup(by->id);
	decide__error(&event, "refused", why->text);
	decide__emit(ctx, &event);
}

void decide__cancel_by(struct ctx *ctx, const struct cancelling *by)
{
	struct err err;

	if (saga_cancel_allowed(ctx->state, &err) < 0)
		refuse_cancel(ctx, by, &err);
	else
		decide__cancel(ctx, by->by, by->reason, by->id);
}

static void cancelling_event(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct saga_state *state = ctx->state;
	CLEANUP(free_p) char *reason = NULL;
	const char *slash;
	struct env env;
	bool wanted;

	if (in->place < 0 || (size_t)in->place >= state->def->n_cancel_on)
		return;
	env_init(&env, state, -1, -1);
	env.event = in->event;
	wanted = decide__event_matches(&state->def->cancel_on[in->place], &env);
	env_release(&env);
	if (!wanted)
		return;
	/* The cluster is left out: "orders.cancelled/3/17". */
	slash = strchr(in->event_id, '/');
	reason = xstrdup(slash ? slash + 1 : in->event_id);
	decide__cancel_by(ctx, &(struct cancelling){"event", reason, in->event_id});
}

void decide__event_input(struct ctx *ctx)
{
	if (ctx->in->step < 0)
		cancelling_event(ctx);
	else
		awaited_event(ctx);
}
