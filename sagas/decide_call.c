/*
 * Calls: when a request is sent, and when it is sent again.
 *
 * Between two events of an action some of its attempts may go unrecorded (from the tenth on, all
 * but each doubling): then its due time is volatile, and the saga stays in memory until the next
 * event.
 */
#include "sagas/decide_priv.h"

#include <string.h>

static void command(struct ctx *ctx, struct target target, enum call_kind kind,
					struct request *request, int64_t timeout_ms)
{
	struct decision *decision = ctx->decision;

	if (decision->n_commands == decision->cap_commands) {
		decision->cap_commands = decision->cap_commands ? 2 * decision->cap_commands : 4;
		decision->commands =
			xrealloc_array(decision->commands, decision->cap_commands, sizeof(*decision->commands));
	}
	decision->commands[decision->n_commands++] = (struct command){
		.step = target.step,
		.item = target.item,
		.kind = kind,
		.attempt = decide__exec(ctx, target)->attempt,
		.run = saga_state_run(ctx->state, target.step),
		.timeout_ms = timeout_ms,
		.request = request,
	};
}

static bool is_command(const struct ctx *ctx, struct target target)
{
	return decide__action_def(ctx, target)->kind == ACTION_COMMAND;
}

/*
 * Who answers over Kafka is not held on to by a connection: the time-out is a timer of the saga. Of
 * the first attempt it is in the history from the beginning.
 */
void decide__send(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	int64_t timeout_ms = decide__timeout_left(ctx, target);

	exec->out = true;
	if (decide__action_def(ctx, target)->kind == ACTION_CHILD)
		timeout_ms = decide__child_start_timeout();
	if (is_command(ctx, target)) {
		exec->taken = exec->published = false;
		exec->rest_at = 0;
		if (exec->due_at <= ctx->now) {
			exec->due_at = ctx->now + timeout_ms;
			exec->due_is_volatile = true;
		}
		timeout_ms = exec->due_at - ctx->now;
	}
	command(ctx, target, target.side == SIDE_DO ? CALL_DO : CALL_UNDO, request_ref(exec->request),
			timeout_ms);
}

void decide__send_again(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	if (is_command(ctx, target) && exec->due_at - ctx->now < decide__timeout_left(ctx, target) / 2)
		exec->due_at = 0;
	decide__send(ctx, target);
}

/* The first nine attempts, then each doubling of ten. */
static bool attempt_is_recorded(int64_t attempt)
{
	int64_t at;

	if (attempt < 10)
		return true;
	for (at = 10; at < attempt; at *= 2)
		;
	return at == attempt;
}

/* Since a person had it tried again, or since it began. */
static int64_t attempts_made(const struct exec *exec)
{
	return exec->attempt - exec->attempts_before;
}

/* A saga that waits long for a reply may leave the memory, once the history says for what. */
static void plan_rest(struct ctx *ctx, struct exec *exec)
{
	bool running = exec->status == EXEC_RUNNING;

	/* The fold knows when a first reply of `ongoing` is late, but not what came after it. */
	if (running ? exec->published || !attempt_is_recorded(attempts_made(exec))
				: !exec->due_is_volatile)
		return;
	if (exec->due_at - ctx->now >= (running ? REST_WORTH_MS : REST_ONGOING_WORTH_MS))
		exec->rest_at = ctx->now + REST_AFTER_MS;
}

static void rest(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	struct event event = decide__event(EV_COMMAND_PUBLISHED, target.step, target.item);

	exec->rest_at = 0;
	if (exec->asked || !exec->taken)
		return;
	event.side = target.side;
	event.attempt = exec->attempt;
	event.due_at = exec->due_at;
	/* What is not sent again after a restart is not marked again either. */
	event.ambiguous = exec->ambiguous;
	event.settle_at = exec->settle_at;
	decide__emit(ctx, &event);
}

static void publish_failed(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	bool sent = in->result != CALL_NOT_CONNECTED;

	if (in->result == CALL_TOO_LARGE) {
		/* The broker will not take it another time either. */
		decide__refused(ctx, target, "command_too_large",
						in->error ? in->error : "the command is too large for the broker");
		return;
	}
	decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, sent, false,
						   sent ? "publish_unknown" : "not_published",
						   in->error ? in->error : "the command could not be published");
}

void decide__published(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	struct exec *exec = decide__exec(ctx, target);
	bool probe = in->kind == CALL_PROBE_DO || in->kind == CALL_PROBE_UNDO;

	/* Its reply may have come first; then nobody waits for this. */
	if (in->attempt != exec->attempt || !(probe ? exec->probe_out : exec->out))
		return;
	if (probe) {
		exec->probe_out = false;
		if (exec->asked && in->result != CALL_PUBLISHED)
			decide__probe_unknown(ctx, target);
		return;
	}
	exec->out = false;
	if (in->result != CALL_PUBLISHED) {
		publish_failed(ctx, target);
		return;
	}
	exec->taken = exec->sent_before = true;
	plan_rest(ctx, exec);
}

/* `ongoing` without a probe is asked again with the call itself: its key makes that harmless. */
void decide__probe(struct ctx *ctx, struct target target)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	enum call_kind kind = target.side == SIDE_DO ? CALL_PROBE_DO : CALL_PROBE_UNDO;
	int64_t ask = exec->ask < ctx->now ? ctx->now : exec->ask + 1;
	struct request *request;
	struct env env;
	struct err err;
	int64_t timeout_ms = 0;
	int r;

	if (!act->probe) {
		decide__send(ctx, target);
		return;
	}
	env_init(&env, ctx->state, target.step, target.item);
	env.has_reply = exec->ongoing_reply != NULL;
	env.reply_body = exec->ongoing_reply;
	env.saga_failure = target.side == SIDE_UNDO;
	r = decide__request(&act->probe->act, &env, kind, ask, &request, &err);
	if (r == 0)
		timeout_ms = decide__full_timeout(&act->probe->act, &env, ctx);
	env_release(&env);
	if (r < 0 && exec->parks_again) {
		decide__rest_again(ctx, target, OUTCOME_UNKNOWN, "probe_failed", err.text);
		return;
	}
	if (r < 0) {
		/* A probe that reads a reply which never came cannot be asked: send the call again. */
		decide__send(ctx, target);
		return;
	}
	exec->probe_out = true;
	exec->ask = ask;
	exec->asked = act->probe->act.kind == ACTION_COMMAND;
	exec->probe_due_at = exec->asked ? ctx->now + timeout_ms : 0;
	command(ctx, target, kind, request, timeout_ms);
}

wall_ms decide__later(wall_ms a, wall_ms b)
{
	return a > b ? a : b;
}

static void timer_ended(struct ctx *ctx, struct target target)
{
	struct env env;

	env_init(&env, ctx->state, target.step, target.item);
	decide__completed(ctx, target.step, target.item, NULL, &env);
	env_release(&env);
}

static void give_up(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
					const char *message);

static void reply_timed_out(struct ctx *ctx, struct target target)
{
	decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, true, false, "timeout",
						   "no reply came in time");
}

/* The time of what was begun, and needs no further attempt to end, has come. */
static void running_is_due(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	if (decide__action_def(ctx, target)->kind == ACTION_AWAIT) {
		decide__waits_due(ctx, target);
		return;
	}
	if (!exec->due_at || exec->due_at > ctx->now)
		return;
	switch (decide__action_def(ctx, target)->kind) {
	case ACTION_AWAIT_AFTER:
		timer_ended(ctx, target);
		break;
	case ACTION_AWAIT_SIGNAL:
		decide__await_timed_out(ctx, target, "the signal did not come in time");
		break;
	case ACTION_CONTINUE:
		decide__continue_due(ctx, target);
		break;
	case ACTION_LOCK:
		decide__await_timed_out(ctx, target, "the lock was not granted in time");
		break;
	case ACTION_AWAIT_KAFKA:
		if (decide__queues_are_read(ctx, exec->due_at))
			decide__await_timed_out(ctx, target, "the event did not come in time");
		break;
	case ACTION_APPROVAL:
		decide__await_timed_out(ctx, target, "it was not decided in time");
		break;
	case ACTION_COMMAND:
		if (decide__queues_are_read(ctx, exec->due_at))
			reply_timed_out(ctx, target);
		break;
	case ACTION_TASK:
		decide__lease_over(ctx, target);
		break;
	case ACTION_CHILD:
		decide__child_is_due(ctx, target);
		break;
	case ACTION_HTTP: /* its client tells */
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_EMIT:
	case ACTION_AWAIT:
		break;
	}
}

/* What its limit has run out for may have been answered, and the answer not been read yet. */
static bool deadline_may_act(const struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);

	return decide__is_read(ctx, saga_state_awaits(ctx->state, target.step, action),
						   exec->deadline_at);
}

/* A child that may have started is asked after until that is known. */
static bool start_is_in_doubt(const struct ctx *ctx, struct target target)
{
	return decide__action_def(ctx, target)->kind == ACTION_CHILD &&
		   decide__exec(ctx, target)->ambiguous;
}

void decide__due(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	if (exec->rest_at && exec->rest_at <= ctx->now)
		rest(ctx, target);
	if (exec->asked && exec->probe_due_at <= ctx->now &&
		decide__queues_are_read(ctx, exec->probe_due_at))
		decide__probe_unknown(ctx, target);
	switch (exec->status) {
	case EXEC_RUNNING:
		if (!exec->asked)
			running_is_due(ctx, target);
		break;
	case EXEC_BACKING_OFF:
	case EXEC_ONGOING:
		if (exec->deadline_at && exec->deadline_at <= ctx->now && !start_is_in_doubt(ctx, target)) {
			if (!deadline_may_act(ctx, target))
				break;
			if (exec->status == EXEC_ONGOING)
				exec->settle_at =
					decide__later(exec->settle_at, decide__settles(ctx, target, true));
			give_up(ctx, target, exec->ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE,
					"deadline_exceeded", exec->message);
			break;
		}
		if (exec->asked || exec->due_at > ctx->now)
			break;
		if (exec->status == EXEC_ONGOING || exec->probe_first) {
			decide__probe(ctx, target);
			break;
		}
		/* The next attempt. The history learns of it when it ends. */
		exec->status = EXEC_RUNNING;
		exec->due_at = 0;
		exec->attempt++;
		decide__send(ctx, target);
		break;
	case EXEC_QUEUED:
		if (exec->deadline_at && exec->deadline_at <= ctx->now)
			give_up(ctx, target, exec->ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE,
					"deadline_exceeded",
					exec->message ? exec->message : "no worker took the task in time");
		break;
	case EXEC_IDLE:
	case EXEC_DONE:
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
	case EXEC_PARKED:
		break;
	}
}

/* A number in [0, 1) from the input's randomness (splitmix64). */
static double draw(struct ctx *ctx)
{
	uint64_t z = (ctx->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static int64_t retry_delay(struct ctx *ctx, const struct retry_policy *retry, int64_t attempt)
{
	double delay = (double)retry->initial_interval_ms;
	double most = (double)retry->maximum_interval_ms;
	int64_t i;

	for (i = 1; i < attempt && delay < most; i++)
		delay *= retry->backoff_coefficient;
	if (delay > most)
		delay = most;
	delay *= 1.0 - retry->jitter * draw(ctx);
	/* Retry-After is the participant's word, within an hour. */
	if (ctx->in->type == INPUT_REPLY && ctx->in->retry_after_ms > (int64_t)delay)
		return ctx->in->retry_after_ms < 3600000 ? ctx->in->retry_after_ms : 3600000;
	return delay < 1 ? 1 : (int64_t)delay;
}

bool decide__non_retryable(const struct retry_policy *retry, const char *code)
{
	size_t i;

	for (i = 0; i < retry->n_non_retryable; i++)
		if (strcmp(retry->non_retryable[i], code) == 0)
			return true;
	return false;
}

void decide__park(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
				  const char *message)
{
	struct event event = decide__event(EV_STEP_PARKED, target.step, target.item);

	event.outcome = outcome;
	/* A turn that was never begun has nothing that could take effect. */
	if (outcome == OUTCOME_UNKNOWN)
		event.settle_at = decide__exec(ctx, target)->settle_at;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

void decide__rest_again(struct ctx *ctx, struct target target, enum outcome outcome,
						const char *code_said, const char *message_said)
{
	/* Copies, for what was said may be the action's last error, which the event replaces. */
	CLEANUP(free_p) char *code = code_said ? xstrdup(code_said) : NULL;
	CLEANUP(free_p) char *message = message_said ? xstrdup(message_said) : NULL;
	struct event event;

	if (target.side == SIDE_DO) {
		decide__park(ctx, target, outcome, code, message);
		return;
	}
	event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);
	event.outcome = outcome;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

/* No further attempt. outcome: OUTCOME_UNKNOWN, or OUTCOME_FAILURE when nothing can have happened.
 */
static void give_up(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
					const char *message)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	bool forward_only = decide__forward_only(ctx->state, target.step);
	bool unknown_pivot = target.step == ctx->state->def->pivot && outcome == OUTCOME_UNKNOWN;
	struct event event;
	struct env env;

	if (target.side == SIDE_UNDO) {
		event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);
		event.outcome = outcome;
		decide__error(&event, code, message);
		decide__emit(ctx, &event);
		return;
	}
	if (!ctx->state->failing && !forward_only && !unknown_pivot &&
		act->retry.on_exhausted == ON_EXHAUSTED_PARK) {
		decide__park(ctx, target, outcome, code, message);
		return;
	}
	env_init(&env, ctx->state, target.step, target.item);
	decide__failed(ctx, target.step, target.item, outcome,
				   outcome == OUTCOME_UNKNOWN ||
					   (exec->ambiguous && !decide__is_no_child(ctx, target, outcome)),
				   exec->settle_at, code, message, &env);
	env_release(&env);
}

static void back_off(struct ctx *ctx, struct target target, enum outcome outcome, bool ambiguous,
					 wall_ms settle_at, int64_t delay, const char *code, const char *message)
{
	struct exec *exec = decide__exec(ctx, target);
	bool news = ambiguous != exec->ambiguous || exec->status == EXEC_ONGOING;
	bool task = decide__action_def(ctx, target)->kind == ACTION_TASK;
	struct event event;

	/* Of a task each lease is recorded, and so is its end. */
	if (!news && !task && !attempt_is_recorded(attempts_made(exec))) {
		exec->status = EXEC_BACKING_OFF;
		exec->due_at = ctx->now + delay;
		exec->due_is_volatile = true;
		exec->settle_at = settle_at;
		return;
	}
	event = decide__event(target.side == SIDE_DO ? EV_STEP_ATTEMPT_FAILED
												 : EV_COMPENSATION_ATTEMPT_FAILED,
						  target.step, target.item);
	event.attempt = exec->attempt;
	event.outcome = outcome;
	event.ambiguous = ambiguous;
	event.settle_at = settle_at;
	event.due_at = ctx->now + delay;
	event.http_status = ctx->in->type == INPUT_REPLY ? ctx->in->http_status : 0;
	event.value = task ? jval_ref(exec->progress) : NULL;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

/* A command that was answered with `unknown` settles when its attempt would have. */
static wall_ms unanswered_settles(struct ctx *ctx, struct target target, bool timed_out)
{
	bool command = is_command(ctx, target) && ctx->in->type == INPUT_REPLY;
	wall_ms at = command ? decide__command_settles(ctx, target) : 0;

	return at ? at : decide__settles(ctx, target, timed_out);
}

void decide__attempt_failed(struct ctx *ctx, struct target target, enum outcome outcome, bool sent,
							bool answered, const char *code, const char *message)
{
	const struct action_def *act = decide__action_def(ctx, target);
	struct exec *exec = decide__exec(ctx, target);
	bool forward_only = decide__forward_only(ctx->state, target.step);
	bool ambiguous = (exec->ambiguous && !decide__is_no_child(ctx, target, outcome)) ||
					 (sent && outcome == OUTCOME_UNKNOWN);
	/* The way back has begun, so a sibling is not tried again; the pivot and an undo are. */
	bool stops = ctx->state->failing && target.side == SIDE_DO && !forward_only;
	wall_ms settle_at = exec->settle_at;
	int64_t delay = retry_delay(ctx, &act->retry, attempts_made(exec));
	bool timed_out = ctx->in->type == INPUT_TIMER || ctx->in->result == CALL_TIMED_OUT ||
					 act->kind == ACTION_TASK;
	bool exhausted;

	exec->out = exec->taken = false;
	exec->rest_at = 0;
	exec->sent_before |= sent;
	if (sent && outcome == OUTCOME_UNKNOWN)
		exec->denied = false;
	/* What the participant said to go on goes on, whatever became of this question. */
	if (act->kind != ACTION_CHILD &&
		((sent && !answered && outcome == OUTCOME_UNKNOWN) || exec->status == EXEC_ONGOING))
		settle_at = decide__later(settle_at, unanswered_settles(ctx, target, timed_out));
	exec->settle_at = settle_at;
	exhausted =
		stops || decide__non_retryable(&act->retry, code) ||
		(act->retry.maximum_attempts && attempts_made(exec) >= act->retry.maximum_attempts) ||
		(exec->deadline_at && ctx->now + delay >= exec->deadline_at);
	if (act->kind == ACTION_CHILD && ambiguous)
		exhausted = false;
	exec->probe_first = act->probe && ambiguous && outcome == OUTCOME_UNKNOWN;
	if (exhausted)
		give_up(ctx, target, ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE, code, message);
	else
		back_off(ctx, target, outcome, ambiguous, settle_at, delay, code, message);
}
