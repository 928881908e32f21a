/*
 * What a person does to a step or its compensation. ActTaken says who and why. How an action then
 * ends is told by the event with which it would end anyway, with who said so in `by`; what only
 * changes how it goes on is folded from ActTaken itself (state_act.c).
 *
 * Whatever has to be evaluated is evaluated before anything is changed: an output that cannot be
 * made from what the person gave, or a compensation that could not be made from it, refuse the act.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/act_allowed_priv.h"
#include "sagas/json_text.h"

/* Who says so, also where nobody gave a name. */
static const char *who(const struct act *act)
{
	return act->by && *act->by ? act->by : "a person";
}

static void taken(struct ctx *ctx, const struct act *act, struct target target)
{
	struct event event = decide__act_event(act, target.step);

	if (act->kind == ACT_STEP_RESOLVE)
		event.value =
			jval_from_json(json_pack("{s:s}", "outcome", resolution_text(act->resolution)));
	decide__emit(ctx, &event);
}

/* A reply that a person knows of, as if it had come. */
struct told {
	struct env env;
	struct input reply;
	struct jval *body, *output;
};

static void told_release(struct told *told)
{
	env_release(&told->env);
	jval_unref(told->body);
	jval_unref(told->output);
}

static void told_env(struct told *told, struct ctx *ctx, struct target target)
{
	env_init(&told->env, ctx->state, target.step, target.item);
	told->env.has_reply = told->body != NULL;
	told->env.reply = told->body ? &told->reply : NULL;
	told->env.reply_body = told->body;
	told->env.saga_failure |= target.side == SIDE_UNDO;
}

/* The output that the act gives, or that the definition makes from the reply. */
static int told_init(struct told *told, struct ctx *ctx, struct target target,
					 const struct act *act, struct err *err)
{
	const struct action_def *def = decide__action_def(ctx, target);
	json_t *value = NULL;
	int r;

	*told = (struct told){
		.reply = {.type = INPUT_REPLY,
				  .result = CALL_ANSWERED,
				  .http_status = def->kind == ACTION_HTTP ? 200 : 0,
				  .said = OUTCOME_SUCCESS},
		.body = decide__copy_value(act->reply),
		.output = decide__copy_value(act->output),
	};
	told->reply.body = told->body;
	told_env(told, ctx, target);
	if (!told->body)
		return 0;
	if (def->kind != ACTION_HTTP && def->kind != ACTION_COMMAND && def->kind != ACTION_TASK)
		return err_set_at(err, ERR_INVALID, "/reply", "%s has no reply: give its output",
						  ctx->state->def->steps[target.step].id);
	if (!def->output) {
		told->output = jval_ref(told->body);
		return 0;
	}
	r = tmpl_eval(def->output, &told->env.expr, &value, err);
	if (r < 0) {
		char why[sizeof(err->text)];

		memcpy(why, err->text, sizeof(why));
		return err_set_at(err, ERR_INVALID, "/reply", "its output cannot be made from this: %.400s",
						  why);
	}
	told->output = value ? jval_from_json(value) : NULL;
	return 0;
}

/*
 * Whether the compensation could be armed with what is known; it may read the output of its own
 * step, which is not in the state yet.
 */
static int check_undo(struct ctx *ctx, struct target target, struct told *told,
					  const struct act *act, struct err *err)
{
	struct step_state *step = &ctx->state->steps[target.step];
	CLEANUP(request_unref_p) struct request *request = NULL;
	struct jval *before = step->output;
	char why[sizeof(err->text)];
	struct told once = *told;
	int r;

	step->output = told->output;
	json_decref(ctx->state->steps_json);
	ctx->state->steps_json = NULL;
	told_env(&once, ctx, target);
	once.env.output = told->output;
	r = decide__undo_request(ctx, target.step, &once.env, &request, err);
	env_release(&once.env);
	step->output = before;
	json_decref(ctx->state->steps_json);
	ctx->state->steps_json = NULL;
	if (r == 0)
		return 0;
	memcpy(why, err->text, sizeof(why));
	return err_set_at(err, ERR_INVALID, act->output ? "/output" : "/reply",
					  "its compensation cannot be made from %s: %.360s",
					  act->output || act->reply ? "this" : "nothing; give its output, or the reply",
					  why);
}

/* Until when it may still take effect, although nobody waits for it any more. */
static wall_ms settles(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);
	wall_ms at = exec->settle_at;

	if (exec->status == EXEC_ONGOING)
		return decide__later(at, decide__settles(ctx, target, true));
	/* Its worker is told with the next heartbeat, and stops with its lease at the latest. */
	if (decide__action_def(ctx, target)->kind == ACTION_TASK && exec->status == EXEC_RUNNING)
		return decide__later(at, exec->due_at + decide__settles(ctx, target, true) - ctx->now);
	if (decide__action_def(ctx, target)->kind == ACTION_COMMAND)
		return decide__later(at, decide__command_settles(ctx, target));
	return at;
}

static int complete(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	bool ambiguous =
		saga_exec_is_ambiguous(decide__exec(ctx, target), decide__action_def(ctx, target)->kind);
	CLEANUP(told_release) struct told told;
	struct event event;
	int r = told_init(&told, ctx, target, act, err);

	if (r == 0)
		r = check_undo(ctx, target, &told, act, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_COMPLETED, target.step, target.item);
	event.value = jval_ref(told.output);
	/* By other means; what was sent may still take effect beside them, and is undone after that. */
	event.ambiguous = ambiguous && act->kind == ACT_STEP_COMPLETE;
	event.settle_at = event.ambiguous ? settles(ctx, target) : 0;
	taken(ctx, act, target);
	ctx->by = who(act);
	decide__emit(ctx, &event);
	ctx->by = NULL;
	told.env.output = told.output;
	decide__arm(ctx, target.step, target.item, &told.env);
	return 0;
}

static int skip(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	bool ambiguous =
		saga_exec_is_ambiguous(decide__exec(ctx, target), decide__action_def(ctx, target)->kind);
	CLEANUP(told_release) struct told told;
	struct event event;
	int r = told_init(&told, ctx, target, act, err);

	if (r == 0 && ambiguous)
		r = check_undo(ctx, target, &told, act, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SKIPPED, target.step, target.item);
	event.ambiguous = ambiguous;
	event.settle_at = ambiguous ? settles(ctx, target) : 0;
	event.value = jval_ref(told.output);
	taken(ctx, act, target);
	ctx->by = who(act);
	decide__emit(ctx, &event);
	ctx->by = NULL;
	told.env.output = told.output;
	if (ambiguous)
		decide__arm(ctx, target.step, target.item, &told.env);
	return 0;
}

static const char *code_of(const struct act *act)
{
	return act->code && *act->code ? act->code : "declared_failed";
}

static const char *message_of(const struct act *act)
{
	if (act->message && *act->message)
		return act->message;
	return act->reason && *act->reason ? act->reason : "a person says that it has failed";
}

static int fail(struct ctx *ctx, struct target target, const struct act *act)
{
	struct env env;

	taken(ctx, act, target);
	env_init(&env, ctx->state, target.step, target.item);
	ctx->by = who(act);
	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, code_of(act),
				   message_of(act), &env);
	ctx->by = NULL;
	env_release(&env);
	return 0;
}

/* The limit of all attempts, anew. */
static wall_ms deadline_anew(struct ctx *ctx, struct target target)
{
	const struct action_def *def = decide__action_def(ctx, target);
	int64_t ms = -1;
	struct env env;
	struct err err;

	env_init(&env, ctx->state, target.step, target.item);
	env.saga_failure |= target.side == SIDE_UNDO;
	if (decide__limit(ctx, &def->deadline, &env, &ms, &err) < 0)
		ms = -1;
	env_release(&env);
	if (ms < 0 && target.side == SIDE_DO)
		ms = DEADLINE_DEFAULT_MS;
	return ms >= 0 ? ctx->now + ms : 0;
}

/* A compensation that could not be made when it was armed is made now, or the act is refused. */
static int make_missing_undo(struct ctx *ctx, struct target target, struct request **ret_request,
							 struct err *err)
{
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	struct env env;
	int r;

	if (target.side == SIDE_DO || action->comp != COMP_FAILED || action->undo.request)
		return 0;
	env_init(&env, ctx->state, target.step, target.item);
	r = decide__undo_request(ctx, target.step, &env, ret_request, err);
	env_release(&env);
	if (r < 0)
		err_prefix(err, "the compensation still cannot be evaluated (complete or skip it)");
	return r < 0 ? ERR_CONFLICT : 0;
}

int decide__retry(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	struct exec *exec = decide__exec(ctx, target);
	CLEANUP(request_unref_p) struct request *request = NULL;
	struct event event;
	int r = 0;

	if (act->request)
		r = decide__edit_request(exec->request, jval_json(act->request), exec->edits + 2, &request,
								 err);
	else if (exec->request && exec->request->kind == REQUEST_CHILD && exec->child)
		/* Its child has ended: another one is started, which has another key. */
		r = decide__edit_request(exec->request, NULL, exec->edits + 2, &request, err);
	else
		r = make_missing_undo(ctx, target, &request, err);
	if (r < 0)
		return r;
	if (target.side == SIDE_DO)
		decide__unlock(ctx, target.step, target.item); /* it asks again, at the end of the line */
	event = decide__act_event(act, target.step);
	event.request = TAKE(request);
	event.deadline_at = deadline_anew(ctx, target);
	decide__emit(ctx, &event);
	/* One that never got so far as to be sent begins anew, when the saga is advanced. */
	if (!ctx->state->paused && decide__action_exists(ctx->state, target.step, target.item))
		decide__due(ctx, target);
	return 0;
}

static int resolve(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	struct event event;

	if (act->resolution == RESOLVE_HAPPENED && !saga_state_run_is_over(action))
		return complete(ctx, target, act, err);
	if (act->resolution != RESOLVE_PROBE) {
		taken(ctx, act, target);
		return 0;
	}
	event = decide__act_event(act, target.step);
	event.value = jval_from_json(json_pack("{s:s}", "outcome", resolution_text(RESOLVE_PROBE)));
	event.deadline_at = deadline_anew(ctx, target);
	decide__emit(ctx, &event);
	decide__due(ctx, target);
	return 0;
}

static int step_act(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	switch (act->kind) {
	case ACT_STEP_RETRY:
		return decide__retry(ctx, target, act, err);
	case ACT_STEP_SKIP:
		return skip(ctx, target, act, err);
	case ACT_STEP_COMPLETE:
		return complete(ctx, target, act, err);
	case ACT_STEP_FAIL:
		return fail(ctx, target, act);
	case ACT_STEP_RESOLVE:
		return resolve(ctx, target, act, err);
	case ACT_STEP_APPROVE:
	case ACT_STEP_REJECT:
		return decide__decision(ctx, target, act, err);
	case ACT_CANCEL:
	case ACT_TERMINATE:
	case ACT_PAUSE:
	case ACT_RESUME:
	case ACT_COMPENSATE:
	case ACT_RETRY:
	case ACT_RESET:
	case ACT_SIGNAL:
	case ACT_ACKNOWLEDGE:
	case ACT_NOTE:
	case ACT_OWNER:
	case ACT_MIGRATE:
	case ACT_KIND_COUNT:
		break;
	}
	return 0;
}

/* Compensations. */

static void undo_ends(struct ctx *ctx, struct target target, const struct act *act,
					  enum event_type type, struct jval *output)
{
	const struct exec *undo = decide__exec(ctx, target);
	bool ambiguous = saga_exec_is_ambiguous(undo, decide__action_def(ctx, target)->kind);
	struct event event = decide__event(type, target.step, target.item);

	event.value = jval_ref(output);
	if (type == EV_COMPENSATION_FAILED) {
		event.outcome = ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE;
		decide__error(&event, code_of(act), message_of(act));
	}
	taken(ctx, act, target);
	ctx->by = who(act);
	decide__emit(ctx, &event);
	ctx->by = NULL;
}

static int undo_complete(struct ctx *ctx, struct target target, const struct act *act,
						 struct err *err)
{
	CLEANUP(told_release) struct told told;
	int r = told_init(&told, ctx, target, act, err);

	if (r == 0)
		undo_ends(ctx, target, act, EV_COMPENSATION_COMPLETED, told.output);
	return r;
}

static int undo_act(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	if (act->kind == ACT_STEP_RETRY)
		return decide__retry(ctx, target, act, err);
	if (act->kind == ACT_STEP_RESOLVE && act->resolution != RESOLVE_HAPPENED)
		return resolve(ctx, target, act, err);
	if (act->kind == ACT_STEP_COMPLETE || act->kind == ACT_STEP_RESOLVE)
		return undo_complete(ctx, target, act, err);
	undo_ends(ctx, target, act,
			  act->kind == ACT_STEP_SKIP ? EV_COMPENSATION_SKIPPED : EV_COMPENSATION_FAILED, NULL);
	return 0;
}

int decide__step_act(struct ctx *ctx, const struct act *act, struct err *err)
{
	struct act_place place;
	struct target target;
	int r = act_place_find(ctx->state, act, &place, err);

	if (r < 0)
		return r;
	target = (struct target){place.step, place.item, place.side};
	return target.side == SIDE_DO ? step_act(ctx, target, act, err)
								  : undo_act(ctx, target, act, err);
}
