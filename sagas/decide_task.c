/*
 * Tasks: work that waits in a queue until a worker leases it.
 *
 *   QUEUED --lease--> RUNNING --complete--> DONE
 *     ^                  |  '--fail-------> FAILED, or as below if it may be tried again
 *     '--------- the lease is over: the attempt's outcome is unknown
 *
 * Each lease has a number (its attempt) and a nonce; who answers must name both, so a worker whose
 * lease is over cannot end what another has by now. A heartbeat gives the lease its whole length
 * again, which the history is not told: after a fold every lease runs anew, and a worker that was
 * not heard meanwhile is not taken for dead. A saga with a leased task therefore does not sleep.
 *
 * Whoever hands out work is told of tasks with the commit of the events (decide__tell_tasks), as
 * the difference to what was told before.
 */
#include "sagas/decide_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sagas/outcome.h"

int decide__queue_task(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(request_unref_p) struct request *request = NULL;
	struct event event;
	int64_t deadline_ms;
	int r;

	r = decide__request(act, env, CALL_DO, 0, &request, err);
	if (r == 0)
		r = decide__limit(ctx, &act->deadline, env, &deadline_ms, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.request = TAKE(request);
	event.deadline_at = ctx->now + (deadline_ms >= 0 ? deadline_ms : DEADLINE_DEFAULT_MS);
	event.due_at = ctx->now;
	decide__emit(ctx, &event);
	return 0;
}

/* Leases. */

/* How long one attempt may take in all, and a lease without a word from the worker. */
static int64_t limits(struct ctx *ctx, struct target target, int64_t *ret_lease_ms)
{
	const struct action_def *act = decide__action_def(ctx, target);
	int64_t timeout_ms;
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	env.saga_failure |= target.side == SIDE_UNDO;
	timeout_ms = decide__full_timeout(act, &env, ctx);
	env_release(&env);
	if (timeout_ms < 1)
		timeout_ms = 1;
	*ret_lease_ms = act->task.heartbeat_ms >= 1 && act->task.heartbeat_ms < timeout_ms
						? act->task.heartbeat_ms
						: timeout_ms;
	return timeout_ms;
}

static wall_ms nearer(wall_ms a, wall_ms b)
{
	return b && b < a ? b : a;
}

static bool is_cancelled(const struct ctx *ctx, struct target target)
{
	return target.side == SIDE_DO && ctx->state->failing &&
		   !decide__forward_only(ctx->state, target.step);
}

static void refuse(struct task_answer *answer, const char *why)
{
	answer->refused = true;
	snprintf(answer->why, sizeof(answer->why), "%s", why);
}

static void lease(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	struct exec *exec = decide__exec(ctx, target);
	struct task_answer *answer = in->answer;
	struct event event = decide__event(EV_TASK_LEASED, target.step, target.item);
	int64_t lease_ms;

	answer->timeout_ms = limits(ctx, target, &lease_ms);
	answer->heartbeat_ms = decide__action_def(ctx, target)->task.heartbeat_ms;
	snprintf(answer->nonce, sizeof(answer->nonce), "%016" PRIx64, in->random);
	event.side = target.side;
	event.attempt = exec->attempt + 1;
	event.id = xstrdup(answer->nonce);
	event.by = decide__clean_copy(in->worker);
	event.name = decide__clean_copy(in->build);
	event.due_at = nearer(ctx->now + lease_ms, exec->deadline_at);
	decide__emit(ctx, &event);
	exec = decide__exec(ctx, target);
	answer->attempt = exec->attempt;
	answer->lease_until = exec->due_at;
	answer->deadline_at = exec->deadline_at;
	answer->request = request_ref(exec->request);
	answer->progress = decide__copy_value(exec->progress);
}

/* Which of them it is that stands against it, for people; NULL: nothing does. */
static const char *why_not_leased(const struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);

	if (exec->status == EXEC_RUNNING)
		return "another worker has it";
	if (exec->status != EXEC_QUEUED)
		return "it is not wanted any more";
	if (ctx->state->paused)
		return "its saga is paused";
	return exec->due_at > ctx->now ? "it is not to be tried again yet" : NULL;
}

static void heartbeat(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	struct exec *exec = decide__exec(ctx, target);
	struct task_answer *answer = in->answer;
	int64_t lease_ms, timeout_ms = limits(ctx, target, &lease_ms);
	wall_ms until =
		nearer(nearer(ctx->now + lease_ms, exec->leased_at + timeout_ms), exec->deadline_at);

	if (in->details) {
		jval_unref(exec->progress);
		exec->progress = decide__copy_value(in->details);
	}
	if (until > exec->due_at) {
		exec->due_at = until;
		exec->due_is_volatile = true;
	}
	answer->lease_until = exec->due_at;
	answer->cancel = ctx->state->paused || is_cancelled(ctx, target);
	if (answer->cancel)
		snprintf(answer->why, sizeof(answer->why), "%s",
				 is_cancelled(ctx, target) ? "the saga is being undone" : "the saga is paused");
}

void decide__lease_over(struct ctx *ctx, struct target target)
{
	decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, true, false, "lease_expired",
						   "the worker did not answer before its lease was over");
}

/* What the worker says. */

/* It has said this already, and was heard. */
static bool is_repeated(const struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	const struct exec *exec = decide__exec(ctx, target);
	bool ended = exec->status == EXEC_FAILED || exec->status == EXEC_GAVE_UP ||
				 exec->status == EXEC_PARKED || exec->status == EXEC_QUEUED;

	if (exec->attempt != in->attempt || !exec->nonce || strcmp(exec->nonce, in->nonce) != 0)
		return false;
	if (in->word == TASK_WORD_COMPLETE)
		return exec->status == EXEC_DONE && !action->beside &&
			   !(target.side == SIDE_DO ? action->skipped : action->comp == COMP_RESOLVED);
	return in->word == TASK_WORD_FAIL && ended && exec->code &&
		   strcmp(exec->code, "lease_expired") != 0;
}

/* The word as the answer to a call is judged: the rules of `outcome` may read it otherwise. */
static void judge(struct ctx *ctx, struct target target, struct env *env,
				  struct judgement *judgement)
{
	const struct input *in = ctx->in;

	env_init(env, ctx->state, target.step, target.item);
	env->has_reply = true;
	env->reply = in;
	env->reply_body = in->body;
	env->saga_failure |= target.side == SIDE_UNDO;
	outcome_judge(in, decide__action_def(ctx, target), env, false, false, judgement);
	if (judgement->outcome == OUTCOME_ONGOING || judgement->outcome == OUTCOME_ABSENT)
		judgement->outcome = OUTCOME_UNKNOWN;
}

static bool is_same(struct jval *a, struct jval *b)
{
	return a && b ? json_equal(jval_json(a), jval_json(b)) == 1 : a == b;
}

/* Its output is compared as the step keeps it: what the step does not take from it is not kept. */
static bool is_repeated_otherwise(struct ctx *ctx, struct target target)
{
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	struct judgement judgement;
	struct env env;
	struct err err;
	bool same;

	if (ctx->in->word != TASK_WORD_COMPLETE)
		return false;
	judge(ctx, target, &env, &judgement);
	same = judgement.outcome == OUTCOME_SUCCESS &&
		   decide__output(ctx, target, &env, &output, &err) == 0 &&
		   is_same(output, target.side == SIDE_DO ? action->output : action->undo_output);
	env_release(&env);
	return !same;
}

static void answered(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct judgement judgement;
	struct env env;

	judge(ctx, target, &env, &judgement);
	if (judgement.outcome == OUTCOME_FAILURE && !judgement.by_rule && ctx->in->retryable &&
		!decide__non_retryable(&act->retry, judgement.code))
		decide__attempt_failed(ctx, target, OUTCOME_FAILURE, true, true, judgement.code,
							   judgement.message);
	else
		decide__act_on(ctx, target, &judgement, &env);
	env_release(&env);
}

/* What the worker did is told all the same. */
static void refuse_word(struct ctx *ctx, struct target target, const char *why)
{
	struct judgement judgement;
	struct env env;

	refuse(ctx->in->answer, why);
	if (ctx->in->word == TASK_WORD_HEARTBEAT)
		return;
	judge(ctx, target, &env, &judgement);
	decide__ignore_reply(ctx, target, &judgement);
	env_release(&env);
}

/* The lease is not the present one. */
static void lost(struct ctx *ctx, struct target target)
{
	refuse_word(ctx, target,
				saga_status_is_terminal(ctx->state->status)
					? "the saga has ended"
					: "the lease is over, and the task is not this worker's any more");
}

static void repeated(struct ctx *ctx, struct target target)
{
	if (!is_repeated_otherwise(ctx, target))
		return;
	refuse_word(ctx, target, "it was completed with another output, and that one stands");
	ctx->in->answer->otherwise = true;
}

static void word(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	const struct exec *exec = decide__exec(ctx, target);
	bool present = !saga_status_is_terminal(ctx->state->status) && exec->status == EXEC_RUNNING &&
				   exec->attempt == in->attempt && exec->nonce &&
				   strcmp(exec->nonce, in->nonce) == 0;
	/* As a reply: what decides on those decides on this. */
	struct input reply = *in;

	reply.kind = target.side == SIDE_DO ? CALL_DO : CALL_UNDO;
	reply.result = CALL_ANSWERED;
	reply.retry_after_ms = -1;
	reply.said = in->word == TASK_WORD_COMPLETE ? OUTCOME_SUCCESS
				 : in->unknown                  ? OUTCOME_UNKNOWN
												: OUTCOME_FAILURE;
	if (in->word == TASK_WORD_FAIL)
		reply.body = in->details;
	ctx->in = &reply;
	if (present && in->word == TASK_WORD_HEARTBEAT)
		heartbeat(ctx, target);
	else if (present)
		answered(ctx, target);
	else if (is_repeated(ctx, target))
		repeated(ctx, target);
	else
		lost(ctx, target);
	ctx->in = in;
}

/* A lease that is over is over, whether a timer has said so by now or not. */
static void settle_overdue(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);

	if (ctx->state->paused || saga_status_is_terminal(ctx->state->status))
		return;
	if ((exec->status == EXEC_RUNNING && exec->due_at <= ctx->now) ||
		(exec->status == EXEC_QUEUED && exec->deadline_at && exec->deadline_at <= ctx->now))
		decide__due(ctx, target);
}

void decide__task_input(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct target target = {in->step, in->item, in->side};
	const char *why;

	*in->answer = (struct task_answer){.heartbeat_ms = -1};
	if (!decide__action_exists(ctx->state, in->step, in->item) ||
		decide__action_def(ctx, target)->kind != ACTION_TASK) {
		refuse(in->answer, "the saga has no such task any more");
		return;
	}
	settle_overdue(ctx, target);
	if (in->word != TASK_WORD_LEASE) {
		word(ctx, target);
		return;
	}
	why = saga_status_is_terminal(ctx->state->status) ? "its saga has ended"
													  : why_not_leased(ctx, target);
	if (why)
		refuse(in->answer, why);
	else
		lease(ctx, target);
}

/* Telling. */

/* As whom it is told; a paused saga gives nobody work. */
static enum exec_status told_status(const struct ctx *ctx, const struct exec *exec)
{
	if (saga_status_is_terminal(ctx->state->status) || !exec->request ||
		exec->request->kind != REQUEST_TASK)
		return EXEC_IDLE;
	if (exec->status == EXEC_QUEUED)
		return ctx->state->paused ? EXEC_IDLE : EXEC_QUEUED;
	return exec->status == EXEC_RUNNING ? EXEC_RUNNING : EXEC_IDLE;
}

static bool note_told(const struct ctx *ctx, struct exec *exec)
{
	enum exec_status status = told_status(ctx, exec);
	wall_ms available_at = status == EXEC_QUEUED ? exec->due_at : 0;
	bool news = status != exec->told.status ||
				(status != EXEC_IDLE &&
				 (exec->told.attempt != exec->attempt || exec->told.available_at != available_at));

	exec->told.status = status;
	exec->told.attempt = exec->attempt;
	exec->told.available_at = available_at;
	return news;
}

static void tell_target(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	struct task_note note = {
		.step = target.step,
		.item = target.item,
		.side = target.side,
		.kind = TASK_WORKER,
	};
	bool leased;

	if (!note_told(ctx, exec))
		return;
	if (exec->told.status == EXEC_IDLE) {
		decide__task_gone(ctx->decision, target.step, target.item, target.side);
		return;
	}
	leased = exec->told.status == EXEC_RUNNING;
	note.queue = exec->request->queue;
	note.route = exec->request->route;
	note.state = leased ? TASK_LEASED : TASK_QUEUED;
	note.attempt = exec->attempt + !leased;
	note.queued_at = exec->queued_at;
	note.available_at = leased ? exec->leased_at : exec->due_at;
	note.deadline_at = exec->deadline_at;
	if (leased) {
		note.leased_until = exec->due_at;
		note.worker = exec->worker;
		note.build = exec->build;
	}
	decide__task(ctx->decision, &note);
}

void decide__forget_task(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	if (exec->told.status != EXEC_IDLE)
		decide__task_gone(ctx->decision, target.step, target.item, target.side);
	exec->told.status = EXEC_IDLE;
}

void decide__recover_task(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	(void)note_told(ctx, exec);
	if (exec->status != EXEC_RUNNING)
		return;
	exec->leased_at = ctx->now;
	exec->due_at = ctx->now + exec->lease_ms;
	exec->due_is_volatile = true;
}

void decide__tell_tasks(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	bool ended = saga_status_is_terminal(state->status), any = false;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			struct target target = {i, decide__item(state, i, j), SIDE_DO};
			struct action_state *action = &state->steps[i].actions[j];

			if (ended) {
				any |= def->act.kind == ACTION_TASK && note_told(ctx, &action->run);
				any |= saga_state_undo_def(state, i, j)->kind == ACTION_TASK &&
					   note_told(ctx, &action->undo);
				continue;
			}
			if (def->act.kind == ACTION_TASK)
				tell_target(ctx, target);
			target.side = SIDE_UNDO;
			if (saga_state_undo_def(state, i, j)->kind == ACTION_TASK)
				tell_target(ctx, target);
		}
	}
	/* One word for all, where there may be a thousand. */
	ctx->decision->remove_all_tasks |= any;
}
