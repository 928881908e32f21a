/*
 * What the answer to a call does. An answer that nobody waits for any more (late, or delivered
 * twice) is recorded and changes nothing; a success that comes after its undo had begun also calls
 * a person.
 *
 * An answer over HTTP belongs to the attempt that got it. A reply over Kafka, or through a
 * callback, belongs to the action: whichever attempt caused it, it counts as long as the action is
 * not over, and also for one that waits for a person, if it says what that person wants to hear.
 */
#include "sagas/decide_priv.h"

#include <stdio.h>

#include "sagas/json_text.h"
#include "sagas/outcome.h"

static bool kind_is_probe(enum call_kind kind)
{
	return kind == CALL_PROBE_DO || kind == CALL_PROBE_UNDO;
}

/* What took effect when nobody reckoned with it any more, and may stand now for ever. */
static void note_late_success(struct ctx *ctx, struct target target)
{
	const struct saga_state *state = ctx->state;
	const struct action_state *action = saga_state_action(state, target.step, target.item);
	bool undone = action->comp >= COMP_RUNNING;
	bool kept = action->run.status == EXEC_FAILED && action->comp == COMP_NOT_ARMED &&
				state->def->steps[target.step].undo_kind != UNDO_NONE;
	const char *when = NULL;
	struct event event;

	/* What has just completed is answered twice; but a person may have settled it meanwhile. */
	if (action->run.status == EXEC_DONE)
		when = action->skipped  ? "a person had skipped it"
			   : action->beside ? "a person had completed it by other means"
								: NULL;
	else if (undone)
		when = "its compensation had begun";
	else if (kept)
		when = "it had failed, and it is not undone";
	if (action->late_success || !when)
		return;
	event = decide__event(EV_SAGA_ATTENTION, target.step, target.item);
	event.reason =
		xasprintf("%s: a success arrived after %s", state->def->steps[target.step].id, when);
	decide__emit(ctx, &event);
}

void decide__ignore_reply(struct ctx *ctx, struct target target, const struct judgement *judgement)
{
	struct event event = decide__event(EV_REPLY_IGNORED, target.step, target.item);

	if (ctx->state->ignored >= IGNORED_MAX) {
		ctx->decision->unrecorded_replies++;
	} else {
		event.side = target.side;
		event.attempt = ctx->in->attempt;
		event.outcome = judgement->outcome;
		event.http_status = ctx->in->http_status;
		if (judgement->outcome != OUTCOME_SUCCESS && ctx->in->http_status == 0)
			decide__error(&event, judgement->code, NULL);
		decide__emit(ctx, &event);
	}
	if (target.side == SIDE_DO && judgement->outcome == OUTCOME_SUCCESS &&
		!kind_is_probe(ctx->in->kind))
		note_late_success(ctx, target);
}

/* The output: of the probe that answered if it shapes one, else of the step, else the body. */
int decide__output(const struct ctx *ctx, struct target target, struct env *env,
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
	int r = decide__output(ctx, target, env, &output, &err);

	exec->out = exec->probe_out = exec->asked = false;
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
	bool over_kafka = decide__action_def(ctx, target)->kind == ACTION_COMMAND;
	/* Ambiguity sticks, unless a probe, which knows, says otherwise. After `absent` this failure
	 * is what the key stands for: an earlier attempt that still arrives is told the same. But over
	 * Kafka it may be the answer to the earlier one. */
	/* Who calls back knows as much as who is asked, unless an attempt is still out. */
	bool called_back = ctx->in->nonce && ctx->in->type != INPUT_TASK;
	bool knows = from_probe || (called_back && !exec->out) ||
				 decide__is_no_child(ctx, target, OUTCOME_FAILURE);
	bool ambiguous = !knows && exec->ambiguous && (!exec->denied || over_kafka);
	wall_ms settle_at = knows ? 0 : exec->settle_at;

	/* … so the attempt that is out now may still take effect. */
	if (over_kafka && ambiguous)
		settle_at = decide__later(settle_at, decide__command_settles(ctx, target));
	else if (called_back && ambiguous)
		settle_at = decide__later(settle_at, decide__settles(ctx, target, false));

	exec->out = exec->probe_out = exec->asked = false;
	if (target.side == SIDE_UNDO) {
		undo_failure(ctx, target, judgement);
		return;
	}
	env->failure_code = judgement->code;
	env->failure_message = judgement->message;
	if (decide__forward_only(ctx->state, target.step) &&
		!decide__tolerates(ctx, target.step, env)) {
		if (exec->parks_again) {
			decide__rest_again(ctx, target, OUTCOME_FAILURE, judgement->code, judgement->message);
			return;
		}
		decide__attempt_failed(ctx, target, OUTCOME_FAILURE, true, true, judgement->code,
							   judgement->message);
		return;
	}
	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, ambiguous, settle_at,
				   judgement->code, judgement->message, env);
}

void decide__refused(struct ctx *ctx, struct target target, const char *code, const char *message)
{
	struct judgement judgement = {.outcome = OUTCOME_FAILURE};
	struct env env;

	snprintf(judgement.code, sizeof(judgement.code), "%s", code);
	snprintf(judgement.message, sizeof(judgement.message), "%s", message);
	env_init(&env, ctx->state, target.step, target.item);
	failure(ctx, target, &judgement, &env);
	env_release(&env);
}

/* Who answers over Kafka says by itself when it is done: only after a time-out is it asked again.
 */
static int64_t ask_again_after(const struct ctx *ctx, struct target target, struct env *env)
{
	const struct action_def *act = decide__action_def(ctx, target);

	if (act->probe)
		return act->probe->every_ms;
	return act->kind == ACTION_COMMAND ? decide__full_timeout(act, env, ctx)
									   : act->retry.initial_interval_ms;
}

static void ongoing(struct ctx *ctx, struct target target, struct env *env)
{
	struct exec *exec = decide__exec(ctx, target);
	wall_ms due_at = ctx->now + ask_again_after(ctx, target, env);
	struct event event;

	if (target.side == SIDE_DO && decide__calls_back(exec, decide__action_def(ctx, target)))
		due_at = exec->deadline_at ? exec->deadline_at : decide__at(ctx, INT64_MAX);
	exec->out = exec->probe_out = exec->asked = exec->probe_first = false;
	exec->rest_at = 0;
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

void decide__probe_unknown(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	exec->probe_out = exec->asked = false;
	if (exec->parks_again) {
		decide__rest_again(ctx, target, OUTCOME_UNKNOWN, "probe_unknown",
						   "the probe says nothing definite");
		return;
	}
	if (exec->status == EXEC_RUNNING)
		exec->status = EXEC_BACKING_OFF; /* recovered, and not yet known to be with anyone */
	exec->due_at = ctx->now + decide__action_def(ctx, target)->probe->every_ms;
	exec->due_is_volatile = true;
}

/* A person only asked, so nothing is sent again. */
static void absent_after_all(struct ctx *ctx, struct target target, bool settled)
{
	struct event event = decide__event(EV_STEP_ABSENT, target.step, target.item);

	if (target.side == SIDE_DO && settled) {
		event.due_at = ctx->now;
		decide__emit(ctx, &event);
	}
	decide__rest_again(ctx, target, settled ? OUTCOME_FAILURE : OUTCOME_UNKNOWN, "absent",
					   settled ? "the probe says that it never took effect"
							   : "the probe says that it never took effect, but an attempt may "
								 "still be on its way");
}

/*
 * It never took effect. But if an attempt may still have been on its way when the probe was asked
 * (the answer may be old by now), this is no proof: then the call may be sent again, since its key
 * makes that harmless, and its outcome stays open until then.
 */
static void absent(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	bool settled = exec->settle_at <= exec->ask;
	struct event event;

	exec->probe_out = exec->asked = false;
	if (exec->parks_again) {
		absent_after_all(ctx, target, settled);
		return;
	}
	if (target.side == SIDE_DO && ctx->state->failing &&
		!decide__forward_only(ctx->state, target.step)) {
		struct env env;

		if (!settled) {
			decide__probe_unknown(ctx, target);
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
	exec->probe_first = false;
	if (ctx->state->paused) {
		exec->status = EXEC_BACKING_OFF;
		exec->due_at = ctx->now;
		exec->due_is_volatile = true;
		return;
	}
	exec->status = EXEC_RUNNING;
	exec->due_at = 0;
	exec->attempt++;
	decide__send(ctx, target);
}

bool decide__action_exists(const struct saga_state *state, int step, int item)
{
	const struct step_def *def;

	if (step < 0 || step >= state->def->n_steps)
		return false;
	def = &state->def->steps[step];
	return (step_def_has_items(def) ? item >= 0 : item == -1) &&
		   (item < 0 ? 0 : item) < state->steps[step].n_actions;
}

const struct action_def *decide__answered_def(const struct ctx *ctx, struct target target,
											  enum call_kind kind)
{
	const struct action_def *act = decide__action_def(ctx, target);

	return kind_is_probe(kind) && act->probe ? &act->probe->act : act;
}

/*
 * A reply over Kafka. What says nothing final is of no use to an action that is going to be tried
 * again anyway: what was delivered twice would burn its attempts, or put the next one off.
 */
static bool reply_is_awaited(const struct ctx *ctx, struct target target,
							 const struct judgement *judgement)
{
	const struct input *in = ctx->in;
	const struct exec *exec = decide__exec(ctx, target);
	bool final = judgement->outcome == OUTCOME_SUCCESS ||
				 (judgement->outcome == OUTCOME_FAILURE &&
				  (target.side == SIDE_UNDO || !decide__forward_only(ctx->state, target.step)));

	if (kind_is_probe(in->kind))
		return exec->asked && in->ask == exec->ask;
	/* What is called back later says how it ended, and that alone is waited for. */
	if (in->nonce && judgement->outcome != OUTCOME_SUCCESS && judgement->outcome != OUTCOME_FAILURE)
		return false;
	switch (exec->status) {
	case EXEC_RUNNING:
	case EXEC_ONGOING:
		return true;
	case EXEC_BACKING_OFF:
		return final || judgement->outcome == OUTCOME_ONGOING;
	case EXEC_PARKED:
		return judgement->outcome == OUTCOME_SUCCESS && exec->request;
	case EXEC_FAILED:
		return judgement->outcome == OUTCOME_SUCCESS && exec->request && exec->attempt >= 1 &&
			   target.side == SIDE_UNDO;
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_GAVE_UP:
	case EXEC_QUEUED: /* a worker has no topic */
		break;
	}
	return false;
}

/* What is answered has been asked for by this state, and not been answered yet. */
static bool is_awaited(const struct ctx *ctx, struct target target,
					   const struct judgement *judgement, bool of_action)
{
	const struct input *in = ctx->in;
	const struct exec *exec = decide__exec(ctx, target);

	if (saga_status_is_terminal(ctx->state->status))
		return false;
	if (of_action)
		return reply_is_awaited(ctx, target, judgement);
	return (kind_is_probe(in->kind) ? exec->probe_out : exec->out) && in->attempt == exec->attempt;
}

/*
 * Whether what was sent last has been answered, so that nothing of it is still to come. A reply
 * over Kafka does not say which attempt it answers: of several, an earlier one may be meant, and
 * the latest still be on its way.
 */
static bool answers_the_latest(const struct ctx *ctx, struct target target,
							   const struct judgement *judgement)
{
	const struct exec *exec = decide__exec(ctx, target);
	bool over_kafka = decide__action_def(ctx, target)->kind == ACTION_COMMAND;

	return judgement->answered && !(over_kafka && (exec->attempt > 1 || exec->ambiguous));
}

void decide__act_on(struct ctx *ctx, struct target target, const struct judgement *judgement,
					struct env *env)
{
	bool probe = kind_is_probe(ctx->in->kind);

	switch (judgement->outcome) {
	case OUTCOME_SUCCESS:
		success(ctx, target, env);
		break;
	case OUTCOME_FAILURE:
		failure(ctx, target, judgement, env);
		break;
	case OUTCOME_ONGOING:
		ongoing(ctx, target, env);
		break;
	case OUTCOME_ABSENT:
		if (probe) {
			absent(ctx, target);
			break;
		}
		__attribute__((fallthrough));
	case OUTCOME_UNKNOWN:
	case OUTCOME_DEFAULT:
		if (probe)
			decide__probe_unknown(ctx, target);
		else
			decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, judgement->sent,
								   answers_the_latest(ctx, target, judgement), judgement->code,
								   judgement->message);
		break;
	}
}

void decide__judge(struct ctx *ctx, struct target target, bool of_action)
{
	const struct input *in = ctx->in;
	const struct exec *exec = decide__exec(ctx, target);
	const struct action_def *act = decide__answered_def(ctx, target, in->kind);
	struct judgement judgement;
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	env.has_reply = in->result == CALL_ANSWERED;
	env.reply = in;
	env.reply_body = in->body;
	env.saga_failure = target.side == SIDE_UNDO;
	outcome_judge(in, act, &env, exec->sent_before, kind_is_probe(in->kind), &judgement);
	if (is_awaited(ctx, target, &judgement, of_action))
		decide__act_on(ctx, target, &judgement, &env);
	else
		decide__ignore_reply(ctx, target, &judgement);
	env_release(&env);
}

/* Of either side; the action itself may have gone with its run. */
static bool is_child(const struct saga_state *state, int step, enum call_kind kind)
{
	const struct step_def *def = &state->def->steps[step];

	return (kind == CALL_UNDO ? def->undo.kind : def->act.kind) == ACTION_CHILD;
}

static bool is_of_earlier_run(const struct saga_state *state, const struct input *in)
{
	int run;

	if (in->step < 0 || in->step >= state->def->n_steps)
		return false;
	run = saga_state_run(state, in->step);
	if (in->run > 0)
		return in->run < run;
	/* A correlation that names none is of the first. */
	return run > 1 && in->result == CALL_ANSWERED && in->http_status == 0 &&
		   !is_child(state, in->step, in->kind);
}

/* It was carried as something that may have happened, and its undo has begun. */
static bool is_undone_unsure(const struct saga_state *state, const struct input *in)
{
	int carried =
		saga_state_find_carried(state, state->def->steps[in->step].id, in->item, (int)in->run);
	const json_t *entry;

	if (carried < 0)
		return false;
	entry = json_array_get(state->steps[state->def->carried].list, (size_t)carried);
	return json_is_true(json_object_get(entry, "unsure")) &&
		   saga_state_action(state, state->def->carried, carried)->comp >= COMP_RUNNING;
}

/* The step has begun anew since, so this is told and no more; but what had failed then, and took
 * effect all the same, is undone by nobody. */
static void reply_to_earlier_run(struct ctx *ctx, struct target target)
{
	struct saga_state *state = ctx->state;
	const struct input *in = ctx->in;
	struct event event = decide__event(EV_REPLY_IGNORED, target.step, -1);
	enum outcome said = in->said == OUTCOME_DEFAULT ? OUTCOME_SUCCESS : in->said;
	bool success;

	if (is_child(state, target.step, in->kind)) {
		decide__child_answered_late(ctx, target);
		return;
	}
	if (in->result != CALL_ANSWERED || state->ignored >= IGNORED_MAX) {
		ctx->decision->unrecorded_replies++;
		return;
	}
	/* By which rules an answer over HTTP would have been judged may have gone with its run. */
	if (in->http_status != 0 && !(in->http_status >= 200 && in->http_status < 300))
		said = OUTCOME_UNKNOWN;
	success = said == OUTCOME_SUCCESS;
	event.side = target.side;
	event.http_status = in->http_status;
	event.outcome = said;
	decide__error(&event, "earlier_run", NULL);
	decide__emit(ctx, &event);
	if (!success || in->kind != CALL_DO ||
		(!state->steps[target.step].run_failed && !is_undone_unsure(state, in)))
		return;
	event = decide__event(EV_SAGA_ATTENTION, target.step, -1);
	event.reason = xasprintf("%s: a success arrived for an earlier run of it, which had failed",
							 state->def->steps[target.step].id);
	decide__emit(ctx, &event);
}

void decide__reply(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct target target = {
		in->step,
		in->item,
		in->kind == CALL_DO || in->kind == CALL_PROBE_DO ? SIDE_DO : SIDE_UNDO,
	};
	bool ended = saga_status_is_terminal(ctx->state->status);
	bool over_kafka;

	if (is_of_earlier_run(ctx->state, in)) {
		reply_to_earlier_run(ctx, target);
		return;
	}
	/* Whoever can write to the topic of replies can name anything. */
	if (!decide__action_exists(ctx->state, in->step, in->item)) {
		ctx->decision->unrecorded_replies++;
		return;
	}
	if (decide__action_def(ctx, target)->kind == ACTION_CHILD) {
		decide__child_answered(ctx, target);
		return;
	}
	if (in->nonce) {
		decide__callback(ctx, target);
		return;
	}
	over_kafka = decide__answered_def(ctx, target, in->kind)->kind == ACTION_COMMAND;
	if (over_kafka && in->result != CALL_ANSWERED) {
		if (!ended)
			decide__published(ctx, target);
	} else if (over_kafka || (in->attempt > 0 && !ended)) {
		decide__judge(ctx, target, over_kafka);
	} else {
		ctx->decision->unrecorded_replies++;
	}
}
