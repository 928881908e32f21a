/*
 * Awaits of a webhook, and of several things of which the first wins: signals, events of Kafka and
 * of webhooks, each with a place of its own, and a time.
 *
 *   StepScheduled  due_at       the end of `after`, which completes the step; 0: none
 *                  deadline_at  the end of its time-out, which fails it; 0: none
 *                  value        what is waited for
 *
 * Both are kept, since a pause moves a limit and leaves a point in time where it is. Events come
 * through decide_kafka.c, signals through decide_signal.c.
 */
#include "sagas/decide_priv.h"

#include "sagas/json_text.h"

/* What ends the wait. */
struct ends {
	int64_t after_ms, limit_ms; /* -1: none */
};

static void nearer(int64_t *ms, int64_t other_ms)
{
	if (other_ms >= 0 && (*ms < 0 || other_ms < *ms))
		*ms = other_ms;
}

static int find_ends(struct ctx *ctx, const struct action_def *act, struct env *env,
					 struct ends *ret, struct err *err)
{
	int64_t ms;
	size_t i;
	int r;

	*ret = (struct ends){-1, -1};
	r = decide__limit(ctx, &act->timeout, env, &ret->limit_ms, err);
	if (r == 0)
		r = decide__limit(ctx, &act->deadline, env, &ms, err);
	if (r == 0)
		nearer(&ret->limit_ms, ms);
	for (i = 0; i < act->await.n_waits && r == 0; i++) {
		if (act->await.waits[i].kind != WAIT_AFTER)
			continue;
		r = decide__limit(ctx, &act->await.waits[i].after, env, &ms, err);
		if (r == 0)
			nearer(&ret->after_ms, ms);
	}
	if (r == 0 && ret->after_ms < 0 && ret->limit_ms < 0)
		ret->limit_ms = DEADLINE_DEFAULT_MS;
	return r;
}

/* One entry as the history tells it. expect: what its event must give, or NULL. */
static json_t *describe(const struct wait_def *wait, const char *expect)
{
	switch (wait->kind) {
	case WAIT_SIGNAL:
		return json_pack("{s:s}", "signal", wait->signal);
	case WAIT_KAFKA:
		return json_pack("{s:s, s:s, s:s}", "cluster", wait->on.cluster, "topic", wait->on.topic,
						 "expect", expect);
	case WAIT_WEBHOOK:
		return json_pack("{s:s, s:s}", "webhook", wait->on.topic, "expect", expect);
	case WAIT_AFTER:
		break;
	}
	return json_pack("{s:b}", "after", 1);
}

/* The values by which events are found, by place; NULL where none are. */
struct expected {
	char *values[AWAIT_MAX_WAITS];
};

static void expected_release(struct expected *expected)
{
	for (size_t i = 0; i < AWAIT_MAX_WAITS; i++)
		free(expected->values[i]);
}

static int find_expected(const struct action_def *act, struct env *env, struct expected *ret,
						 json_t *told, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < act->await.n_waits && r == 0; i++) {
		const struct correlate_def *on = action_subscription(act, (int)i);

		if (on)
			r = decide__expected_value(on, env, &ret->values[i], err);
		if (r == 0)
			json_array_append_new(told, describe(&act->await.waits[i], ret->values[i]));
	}
	return r;
}

static void subscribe(struct ctx *ctx, const struct action_def *act, int step, int item,
					  struct expected *expected)
{
	for (size_t i = 0; i < act->await.n_waits; i++) {
		struct subscription wanted = {.step = step, .item = item, .place = (int)i};

		if (!expected->values[i])
			continue;
		wanted.on = action_subscription(act, (int)i);
		wanted.value = TAKE(expected->values[i]);
		decide__subscription(ctx, &wanted);
	}
}

int decide__begin_waits(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(json_decref_p) json_t *told = json_array();
	struct expected expected = {0};
	struct event event;
	struct ends ends;
	int r;

	r = find_ends(ctx, act, env, &ends, err);
	if (r == 0)
		r = find_expected(act, env, &expected, told, err);
	if (r < 0) {
		expected_release(&expected);
		return r;
	}
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = ends.after_ms >= 0 ? decide__at(ctx, ends.after_ms) : 0;
	event.deadline_at =
		ends.limit_ms >= 0 ? decide__at(ctx, ends.limit_ms > 0 ? ends.limit_ms : 1) : 0;
	event.value = jval_from_json(act->await.list ? json_pack("{s:O}", "waits", told)
												 : json_incref(json_array_get(told, 0)));
	decide__emit(ctx, &event);
	subscribe(ctx, act, step, item, &expected);
	decide__read_signal(ctx, (struct target){step, item, SIDE_DO});
	return 0;
}

static void after_ended(struct ctx *ctx, struct target target)
{
	CLEANUP(jval_unref_p) struct jval *told = NULL;
	char at[TIME_TEXT_SIZE];
	struct env env;

	time_format(decide__exec(ctx, target)->due_at, at);
	told = jval_from_json(json_pack("{s:b, s:s, s:n}", "after", 1, "time", at, "data"));
	env_init(&env, ctx->state, target.step, target.item);
	env.event = told;
	decide__complete_await(ctx, target, "after", NULL, &env);
	env_release(&env);
}

static enum awaits where_it_comes_from(const struct action_def *act)
{
	if (action_subscribes_kafka(act))
		return AWAITS_QUEUE;
	return action_subscribes(act) ? AWAITS_INBOX : AWAITS_NOTHING;
}

void decide__waits_due(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);
	const struct exec *exec = decide__exec(ctx, target);
	bool limit = exec->deadline_at && (!exec->due_at || exec->deadline_at < exec->due_at);
	wall_ms at = limit ? exec->deadline_at : exec->due_at;

	/* An event that came in time wins, though it is read now. */
	if (at > ctx->now || !decide__is_read(ctx, where_it_comes_from(act), at))
		return;
	if (limit)
		decide__await_timed_out(ctx, target,
								act->await.list ? "nothing that it waits for came in "
												  "time"
												: "the webhook was not called in time");
	else
		after_ended(ctx, target);
}
