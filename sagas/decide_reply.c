/*
 * What the answer to a call does. An answer that nobody waits for any more (late, or delivered
 * twice) is recorded and changes nothing; a success that comes after its undo had begun also calls
 * a person.
 */
#include "sagas/decide_priv.h"

#include "sagas/json_text.h"
#include "sagas/outcome.h"

static bool kind_is_probe(enum call_kind kind)
{
	return kind == CALL_PROBE_DO || kind == CALL_PROBE_UNDO;
}

static void ignore(struct ctx *ctx, struct target target, const struct judgement *judgement)
{
	struct event event = decide__event(EV_REPLY_IGNORED, target.step, target.item);
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);

	event.side = target.side;
	event.attempt = ctx->in->attempt;
	event.outcome = judgement->outcome;
	event.http_status = ctx->in->http_status;
	decide__emit(ctx, &event);
	if (target.side != SIDE_DO || judgement->outcome != OUTCOME_SUCCESS ||
		action->comp < COMP_RUNNING || action->run.status == EXEC_DONE)
		return;
	event = decide__event(EV_SAGA_ATTENTION, target.step, target.item);
	event.reason = xasprintf("%s: a success arrived after its compensation had begun",
							 ctx->state->def->steps[target.step].id);
	decide__emit(ctx, &event);
}

/* The output: of the probe that answered if it shapes one, else of the step, else the body. */
static int make_output(const struct ctx *ctx, struct target target, struct env *env,
					   struct jval **ret_output, struct err *err)
{
	const struct action_def *act = decide__action_def(ctx, target);
	const struct tmpl *shape = act->output;
	json_t *value = NULL;
	int r;

	if (kind_is_probe(ctx->in->kind) && act->probe->act.output)
		shape = act->probe->act.output;
	if (!shape) {
		*ret_output = jval_ref(ctx->in->body);
		return 0;
	}
	r = tmpl_eval(shape, &env->expr, &value, err);
	if (r < 0)
		return r;
	*ret_output = value ? jval_from_json(value) : NULL;
	return 0;
}

static void success(struct ctx *ctx, struct target target, struct env *env)
{
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	struct exec *exec = decide__exec(ctx, target);
	struct event event;
	struct err err;
	int r = make_output(ctx, target, env, &output, &err);

	exec->out = exec->probe_out = false;
	exec->settle_at = 0;
	if (target.side == SIDE_UNDO) {
		/* It is undone, whatever its output was to be. */
		event = decide__event(EV_COMPENSATION_COMPLETED, target.step, target.item);
		event.value = jval_ref(output);
		decide__emit(ctx, &event);
		return;
	}
	if (r < 0) {
		/* It took effect, and the saga cannot go on with it: so it is undone. */
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, true, 0, "output_error",
					   err.text, env);
		return;
	}
	decide__completed(ctx, target.step, target.item, output, env);
}

static void undo_failure(struct ctx *ctx, struct target target, const struct judgement *judgement)
{
	struct event event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);

	event.outcome = OUTCOME_FAILURE;
	event.http_status = ctx->in->http_status;
	decide__error(&event, judgement->code, judgement->message);
	decide__emit(ctx, &event);
}

static void failure(struct ctx *ctx, struct target target, const struct judgement *judgement,
					struct env *env)
{
	struct exec *exec = decide__exec(ctx, target);
	bool from_probe = kind_is_probe(ctx->in->kind);
	/* Ambiguity sticks, unless a probe, which knows, says otherwise. After `absent` this failure
	 * is what the key stands for: an earlier attempt that still arrives is told the same. */
	bool ambiguous = !from_probe && !exec->denied && exec->ambiguous;
	wall_ms settle_at = from_probe ? 0 : exec->settle_at;

	exec->out = exec->probe_out = false;
	if (target.side == SIDE_UNDO) {
		undo_failure(ctx, target, judgement);
		return;
	}
	env->failure_code = judgement->code;
	env->failure_message = judgement->message;
	if (decide__forward_only(ctx->state, target.step) &&
		!decide__tolerates(ctx, target.step, env)) {
		decide__attempt_failed(ctx, target, OUTCOME_FAILURE, true, true, judgement->code,
							   judgement->message);
		return;
	}
	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, ambiguous, settle_at,
				   judgement->code, judgement->message, env);
}

static int64_t ask_again_after(const struct action_def *act)
{
	return act->probe ? act->probe->every_ms : act->retry.initial_interval_ms;
}

static void ongoing(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	wall_ms due_at = ctx->now + ask_again_after(decide__action_def(ctx, target));
	struct event event;

	exec->out = exec->probe_out = exec->probe_first = false;
	if (exec->status == EXEC_ONGOING) {
		/* Nothing new: the history need not know each time that it was asked. */
		exec->due_at = due_at;
		exec->due_is_volatile = true;
		return;
	}
	event = decide__event(target.side == SIDE_DO ? EV_STEP_ONGOING : EV_COMPENSATION_ONGOING,
						  target.step, target.item);
	event.due_at = due_at;
	event.http_status = ctx->in->http_status;
	event.value =
		kind_is_probe(ctx->in->kind) ? jval_ref(exec->ongoing_reply) : jval_ref(ctx->in->body);
	decide__emit(ctx, &event);
}

/* The probe itself got no answer, or says nothing: it is asked again later. */
static void probe_unknown(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	exec->probe_out = false;
	if (exec->status == EXEC_RUNNING)
		exec->status = EXEC_BACKING_OFF; /* recovered, and not yet known to be with anyone */
	exec->due_at = ctx->now + decide__action_def(ctx, target)->probe->every_ms;
	exec->due_is_volatile = true;
}

/*
 * It never took effect. But while an attempt may still be on its way this is no proof: then the
 * call may be sent again, since its key makes that harmless, and its outcome stays open until then.
 */
static void absent(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	bool settled = exec->settle_at <= ctx->now;
	struct event event;

	exec->probe_out = false;
	if (target.side == SIDE_DO && ctx->state->failing &&
		!decide__forward_only(ctx->state, target.step)) {
		struct env env;

		if (!settled) {
			probe_unknown(ctx, target);
			return;
		}
		env_init(&env, ctx->state, target.step, target.item);
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "absent",
					   "the probe says that it never took effect", &env);
		env_release(&env);
		return;
	}
	exec->denied = !settled;
	if (target.side == SIDE_DO && settled) {
		event = decide__event(EV_STEP_ABSENT, target.step, target.item);
		event.due_at = ctx->now;
		decide__emit(ctx, &event);
	}
	exec->status = EXEC_RUNNING;
	exec->due_at = 0;
	exec->probe_first = false;
	exec->attempt++;
	decide__send(ctx, target);
}

/* What is answered has been asked for by this state, and not been answered yet. */
static bool is_awaited(const struct input *in, const struct exec *exec)
{
	if (kind_is_probe(in->kind))
		return exec->probe_out && in->attempt == exec->attempt;
	return exec->out && in->attempt == exec->attempt;
}

void decide__reply(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct target target = {
		in->step,
		in->item,
		in->kind == CALL_DO || in->kind == CALL_PROBE_DO ? SIDE_DO : SIDE_UNDO,
	};
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	struct judgement judgement;
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	env.has_reply = in->result == CALL_ANSWERED;
	env.reply_status = in->http_status;
	env.reply_body = in->body;
	env.saga_failure = target.side == SIDE_UNDO;
	if (kind_is_probe(in->kind) && act->probe)
		act = &act->probe->act;
	outcome_judge(in, act, &env, exec->sent_before, kind_is_probe(in->kind), &judgement);
	if (!is_awaited(in, exec)) {
		ignore(ctx, target, &judgement);
		env_release(&env);
		return;
	}
	switch (judgement.outcome) {
	case OUTCOME_SUCCESS:
		success(ctx, target, &env);
		break;
	case OUTCOME_FAILURE:
		failure(ctx, target, &judgement, &env);
		break;
	case OUTCOME_ONGOING:
		ongoing(ctx, target);
		break;
	case OUTCOME_ABSENT:
		if (kind_is_probe(in->kind)) {
			absent(ctx, target);
			break;
		}
		__attribute__((fallthrough));
	case OUTCOME_UNKNOWN:
	case OUTCOME_DEFAULT:
		if (kind_is_probe(in->kind))
			probe_unknown(ctx, target);
		else
			decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, judgement.sent, judgement.answered,
								   judgement.code, judgement.message);
		break;
	}
	env_release(&env);
}
