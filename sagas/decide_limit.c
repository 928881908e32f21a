/*
 * How long an attempt may take, and when what it did is known to be settled.
 */
#include "sagas/decide_priv.h"
#include "sagas/json_text.h"

int decide__limit(const struct ctx *ctx, const struct limit *limit, struct env *env,
				  int64_t *ret_ms, struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	wall_ms at;
	int r;

	*ret_ms = limit->ms;
	if (!limit->tmpl)
		return 0;
	r = tmpl_eval(limit->tmpl, &env->expr, &value, err);
	if (r < 0)
		return r;
	if (!json_is_string(value))
		return err_set(err, ERR_INVALID, "a time limit must be a duration or a timestamp");
	if (duration_parse(json_string_value(value), ret_ms, err) == 0)
		return 0;
	r = time_parse(json_string_value(value), &at, err);
	if (r < 0)
		return err_set(err, ERR_INVALID, "`%s` is neither a duration nor a timestamp",
					   json_string_value(value));
	*ret_ms = at > ctx->now ? at - ctx->now : 0;
	return 0;
}

wall_ms decide__at(const struct ctx *ctx, int64_t ms)
{
	const wall_ms last = TIME_MAX_SECONDS * 1000;

	return ctx->now < last && ms < last - ctx->now ? ctx->now + ms : last;
}

int64_t decide__full_timeout(const struct action_def *act, struct env *env, const struct ctx *ctx)
{
	struct err err;
	int64_t ms;

	if (decide__limit(ctx, &act->timeout, env, &ms, &err) < 0 || ms < 0)
		ms = 30000;
	return ms;
}

wall_ms decide__reply_due(const struct ctx *ctx, const struct action_def *act, struct env *env,
						  wall_ms deadline_at)
{
	wall_ms due_at;

	if (act->kind != ACTION_COMMAND)
		return 0;
	due_at = ctx->now + decide__full_timeout(act, env, ctx);
	if (deadline_at && deadline_at < due_at)
		due_at = deadline_at;
	return due_at > ctx->now ? due_at : ctx->now + 1;
}

static int64_t full_timeout(struct ctx *ctx, struct target target)
{
	struct env env;
	int64_t ms;

	env_init(&env, ctx->state, target.step, target.item);
	ms = decide__full_timeout(decide__action_def(ctx, target), &env, ctx);
	env_release(&env);
	return ms;
}

static int64_t grace_of(int64_t timeout_ms)
{
	return timeout_ms < GRACE_MIN_MS ? GRACE_MIN_MS : timeout_ms;
}

/*
 * The attempt's time-out and after it the grace: its time-out again, at least ten seconds. A
 * connection that breaks early does not shorten this: what was sent may still be on its way.
 */
wall_ms decide__settles(struct ctx *ctx, struct target target, bool attempt_is_over)
{
	const struct exec *exec = decide__exec(ctx, target);
	bool task = decide__action_def(ctx, target)->kind == ACTION_TASK;
	/* A worker knows how long its lease lasts, and stops with it. */
	int64_t timeout_ms = task && exec->lease_ms ? exec->lease_ms : full_timeout(ctx, target);

	return ctx->now + (attempt_is_over ? 0 : timeout_ms) + grace_of(timeout_ms);
}

wall_ms decide__command_settles(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);

	/* Its time may be over while what was written before that is not read yet. */
	if (exec->status != EXEC_RUNNING || exec->due_at == 0)
		return 0;
	return exec->due_at + grace_of(full_timeout(ctx, target));
}

int64_t decide__timeout_left(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);
	int64_t ms = full_timeout(ctx, target);

	if (exec->deadline_at && exec->deadline_at - ctx->now < ms)
		ms = exec->deadline_at - ctx->now;
	return ms < 1 ? 1 : ms;
}
