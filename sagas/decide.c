/*
 * The entry of the core: one input, one decision. An input first changes what it is about (a reply
 * ends an action, a timer sends one again); then the saga is advanced as far as it goes, forward or
 * backward, until only the world can move it.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/base/text.h"

void decision_init(struct decision *decision)
{
	*decision = (struct decision){0};
}

void decision_release(struct decision *decision)
{
	size_t i;

	for (i = 0; i < decision->n_events; i++)
		event_release(&decision->events[i]);
	for (i = 0; i < decision->n_commands; i++)
		request_unref(decision->commands[i].request);
	for (i = 0; i < decision->n_emissions; i++)
		request_unref(decision->emissions[i].request);
	for (i = 0; i < decision->n_subscriptions; i++)
		free(decision->subscriptions[i].value);
	for (i = 0; i < decision->n_locks; i++)
		jval_unref(decision->locks[i].lock);
	free(decision->approvals);
	free(decision->events);
	free(decision->commands);
	free(decision->emissions);
	free(decision->subscriptions);
	free(decision->locks);
	decide__release_notes(decision);
	decision_init(decision);
}

struct event decide__event(enum event_type type, int step, int item)
{
	struct event event;

	event_init(&event, type);
	event.step = step;
	event.item = item;
	return event;
}

char *decide__clean_copy(const char *text)
{
	char *copy = text && *text ? xstrdup(text) : NULL;

	if (copy)
		text_clean_utf8(copy);
	return copy;
}

void decide__error(struct event *event, const char *code, const char *message)
{
	event->code = decide__clean_copy(code);
	event->message = decide__clean_copy(message);
}

/* What ends an attempt says which one it was, unless it was the first, or none was made. */
static void note_attempt(const struct saga_state *state, struct event *event)
{
	bool undo = event->type == EV_COMPENSATION_COMPLETED || event->type == EV_COMPENSATION_FAILED ||
				event->type == EV_COMPENSATION_SKIPPED || event->type == EV_COMPENSATION_ONGOING;
	bool run = event->type == EV_STEP_COMPLETED || event->type == EV_STEP_FAILED ||
			   event->type == EV_STEP_SKIPPED || event->type == EV_STEP_PARKED ||
			   event->type == EV_STEP_ONGOING;
	const struct action_state *action;
	int64_t attempt;

	if ((!undo && !run) ||
		state->steps[event->step].n_actions <= (event->item < 0 ? 0 : event->item))
		return;
	action = saga_state_action(state, event->step, event->item);
	attempt = undo ? action->undo.attempt : action->run.attempt;
	event->attempt = attempt > 1 ? attempt : 0;
}

static void note_who(const struct ctx *ctx, struct event *event)
{
	bool ends = event->type == EV_STEP_COMPLETED || event->type == EV_STEP_FAILED ||
				event->type == EV_STEP_SKIPPED || event->type == EV_COMPENSATION_COMPLETED ||
				event->type == EV_COMPENSATION_FAILED || event->type == EV_COMPENSATION_SKIPPED;

	if (ctx->by && ends && !event->by)
		event->by = decide__clean_copy(ctx->by);
}

void decide__emit(struct ctx *ctx, struct event *event)
{
	struct decision *decision = ctx->decision;
	bool settled = event->step >= 0 && ctx->state->steps[event->step].settled;

	if (decision->n_events == decision->cap_events) {
		decision->cap_events = decision->cap_events ? 2 * decision->cap_events : 8;
		decision->events =
			xrealloc_array(decision->events, decision->cap_events, sizeof(*decision->events));
	}
	event->at = ctx->now;
	note_attempt(ctx->state, event);
	note_who(ctx, event);
	decide__note_end(ctx, event);
	decide__note_approval(ctx, event);
	decide__note_beginning(ctx, event);
	decide__note_children(ctx, event);
	saga_state_apply(ctx->state, event);
	if (event->step >= 0 && !settled && ctx->state->steps[event->step].settled)
		decide__note_settled(ctx, event->step);
	decision->events[decision->n_events++] = *event;
}

int decide__item(const struct saga_state *state, int step, int index)
{
	const struct step_def *def = &state->def->steps[step];

	return step_def_has_items(def) ? index : -1;
}

bool decide__forward_only(const struct saga_state *state, int step)
{
	return state->def->recovery_forward || state->def->steps[step].after_pivot ||
		   step >= state->def->n_forward;
}

struct exec *decide__exec(const struct ctx *ctx, struct target target)
{
	struct action_state *action = saga_state_action(ctx->state, target.step, target.item);

	return target.side == SIDE_DO ? &action->run : &action->undo;
}

const struct action_def *decide__action_def(const struct ctx *ctx, struct target target)
{
	const struct step_def *def = &ctx->state->def->steps[target.step];

	return target.side == SIDE_DO ? &def->act
								  : saga_state_undo_def(ctx->state, target.step, target.item);
}

void decide__fail_saga(struct ctx *ctx, int step, const char *code, const char *message)
{
	struct event event = decide__event(EV_SAGA_COMPENSATING, step, -1);

	decide__error(&event, code, message);
	decide__emit(ctx, &event);
}

static void start(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	struct event event = decide__event(EV_SAGA_STARTED, -1, -1);
	struct env env;
	struct err err;
	int64_t deadline_ms;
	int r;

	event.name = xstrdup(state->def->name);
	event.version = state->def->version;
	event.ns = xstrdup(ctx->in->ns);
	event.id = xstrdup(state->id);
	event.key = ctx->in->key ? xstrdup(ctx->in->key) : NULL;
	event.value = jval_ref(ctx->in->value);
	event.parent = ctx->in->parent ? xstrdup(ctx->in->parent) : NULL;
	event.depth = ctx->in->depth;
	event.hold = ctx->in->hold;
	/* The deadline and others may read what the state must hold before they are evaluated. */
	state->key = ctx->in->key ? xstrdup(ctx->in->key) : NULL;
	state->input = jval_ref(ctx->in->value);
	state->started_at = ctx->now;
	env_init(&env, state, -1, -1);
	r = decide__limit(ctx, &state->def->deadline, &env, &deadline_ms, &err);
	env_release(&env);
	if (r == 0 && deadline_ms >= 0)
		event.deadline_at = decide__at(ctx, deadline_ms);
	if (r == 0)
		r = decide__search(ctx, &event.search, &err);
	decide__emit(ctx, &event);
	if (r == 0)
		r = decide__subscribe_cancel(ctx, &err);
	if (r < 0)
		decide__fail_saga(ctx, -1, "expression_error", err.text);
}

void decide__cancel(struct ctx *ctx, const char *by, const char *reason, const char *id)
{
	struct event event = decide__event(EV_SAGA_CANCEL_REQUESTED, -1, -1);

	event.by = decide__clean_copy(by);
	event.reason = decide__clean_copy(reason);
	event.id = decide__clean_copy(id);
	decide__emit(ctx, &event);
	decide__fail_saga(ctx, -1, "cancelled", reason);
}

bool decide__queues_are_read(const struct ctx *ctx, wall_ms at)
{
	return at <= ctx->in->queues_read_until;
}

bool decide__is_read(const struct ctx *ctx, enum awaits awaits, wall_ms at)
{
	switch (awaits) {
	case AWAITS_NOTHING:
		return true;
	case AWAITS_INBOX:
		return at <= ctx->in->inbox_read_until;
	case AWAITS_QUEUE:
		break;
	}
	return decide__queues_are_read(ctx, at);
}

/* A step that is answered through a queue may have been, in time. */
static bool deadline_waits(const struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (!decide__is_read(ctx, saga_state_awaits(state, i, &state->steps[i].actions[j]),
								 state->deadline_at))
				return true;
	return false;
}

static void saga_deadline(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	struct event event;

	if (!state->deadline_at || state->deadline_at > ctx->now || state->failing || state->held ||
		state->deadline_noted)
		return;
	if (!saga_state_past_pivot(state)) {
		if (!deadline_waits(ctx))
			decide__fail_saga(ctx, -1, "deadline_exceeded", "the deadline of the saga has passed");
		return;
	}
	event = decide__event(EV_SAGA_DEADLINE_PASSED, -1, -1);
	decide__emit(ctx, &event);
}

static bool exec_is_due(const struct exec *exec, wall_ms now)
{
	if (exec->out || exec->probe_out)
		return false;
	/* From due_at on a worker may have it; only its deadline happens by itself. Of one that is
	 * leased the deadline is the end of the lease. */
	if (exec->status == EXEC_QUEUED)
		return exec->deadline_at && exec->deadline_at <= now;
	if (exec->asked && exec->probe_due_at <= now)
		return true;
	if (exec->rest_at && exec->rest_at <= now)
		return true;
	if (exec->asked && exec->status == EXEC_RUNNING)
		return false; /* recovered: the question stands in for the attempt */
	return (!exec->asked && exec->due_at && exec->due_at <= now) ||
		   (exec->deadline_at && exec->deadline_at <= now);
}

void decide__timers(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	int i, j;

	saga_deadline(ctx);
	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);
			struct action_state *action = saga_state_action(state, i, item);

			/* Time alone settles what was never answered; but a probe that is out asked before. */
			if (action->run.settle_at && action->run.settle_at <= ctx->now &&
				!action->run.probe_out && !action->run.asked)
				action->run.settle_at = 0;
			if (exec_is_due(&action->run, ctx->now))
				decide__due(ctx, (struct target){i, item, SIDE_DO});
			if (j >= state->steps[i].n_actions)
				break; /* the run has ended */
			action = saga_state_action(state, i, item);
			if (exec_is_due(&action->undo, ctx->now))
				decide__due(ctx, (struct target){i, item, SIDE_UNDO});
		}
	}
	/* What has ended now is not late any more. */
	decide__escalations(ctx);
}

void decide__advance(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;

	if (state->paused)
		return;
	if (!saga_status_is_terminal(state->status) && !state->failing)
		decide__forward(ctx);
	/* Going forward may have found the failure that turns it round. */
	if (!saga_status_is_terminal(state->status) && state->failing)
		decide__backward(ctx);
	if (!saga_status_is_terminal(state->status))
		decide__drop_escalations(ctx);
}

/* What a pause holds back is sent, or asked, when it is over. */
static void hold_back(struct exec *exec, bool probe)
{
	if (!probe)
		exec->out = false;
	else
		exec->probe_out = exec->asked = false;
}

/*
 * One decision may gather several inputs. A call that an earlier one of them wanted, and a later
 * one made needless (a recovered call whose answer was there already), must not go out behind its
 * undo; nor may any behind a pause.
 */
static void drop_stale_commands(struct ctx *ctx)
{
	struct decision *decision = ctx->decision;
	bool ended = saga_status_is_terminal(ctx->state->status);
	size_t i, kept = 0;

	for (i = 0; i < decision->n_commands; i++) {
		struct command *command = &decision->commands[i];
		bool undo = command->kind == CALL_UNDO || command->kind == CALL_PROBE_UNDO;
		bool probe = command->kind == CALL_PROBE_DO || command->kind == CALL_PROBE_UNDO;
		/* A step that begins anew has no action any more. */
		struct exec *exec = decide__action_exists(ctx->state, command->step, command->item)
								? decide__exec(ctx, (struct target){command->step, command->item,
																	undo ? SIDE_UNDO : SIDE_DO})
								: NULL;
		bool wanted = !ended && exec && (probe ? exec->probe_out : exec->out) &&
					  exec->attempt == command->attempt;

		if (wanted && ctx->state->paused)
			hold_back(exec, probe);
		if (wanted && !ctx->state->paused)
			decision->commands[kept++] = *command;
		else
			request_unref(command->request);
	}
	decision->n_commands = kept;
}

int saga_decide(struct saga_state *state, const struct input *in, wall_ms now,
				struct decision *decision, struct err *err)
{
	struct ctx ctx = {
		.state = state,
		.in = in,
		.random = in->random,
		.now = now < state->last_at ? state->last_at : now,
		.decision = decision,
	};
	int r = 0;

	CHECK((in->type == INPUT_START) == (state->n_events == 0));
	if (saga_status_is_terminal(state->status) && in->type != INPUT_ACT &&
		in->type != INPUT_REPLY && in->type != INPUT_TASK && in->type != INPUT_CHILD)
		return 0;
	switch (in->type) {
	case INPUT_START:
		start(&ctx);
		break;
	case INPUT_REPLY:
		decide__reply(&ctx);
		break;
	case INPUT_TIMER:
		if (!state->paused)
			decide__timers(&ctx);
		break;
	case INPUT_EVENT:
		decide__event_input(&ctx);
		break;
	case INPUT_LOCK:
		decide__lock_input(&ctx);
		break;
	case INPUT_CHILD:
		decide__child_input(&ctx);
		break;
	case INPUT_ACT:
		r = decide__act(&ctx, err);
		break;
	case INPUT_TASK:
		decide__task_input(&ctx);
		break;
	}
	if (r == 0 && (in->type != INPUT_START || !in->create_only))
		decide__advance(&ctx);
	decide__tell_approvals(&ctx);
	if (r < 0)
		return r;
	drop_stale_commands(&ctx);
	decide__tell_tasks(&ctx);
	saga_state_derive(state);
	return 0;
}

void decide__send_held_back(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	const struct action_def *def = decide__action_def(ctx, target);

	bool call = def->kind == ACTION_HTTP || def->kind == ACTION_COMMAND ||
				(def->kind == ACTION_CHILD && !exec->child);

	if (exec->status != EXEC_RUNNING || !call || exec->out || exec->probe_out || exec->asked ||
		exec->taken || exec->published)
		return;
	if (def->probe && exec->sent_before)
		decide__probe(ctx, target);
	else
		decide__send_again(ctx, target);
}

/* Until it is known to have started, it is started again. */
static void recover_child(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);

	if (exec->child)
		return;
	exec->sent_before = exec->ambiguous = true;
	if (!ctx->state->paused)
		decide__send_held_back(ctx, target);
}

static void recover_exec(struct ctx *ctx, struct target target)
{
	struct exec *exec = decide__exec(ctx, target);
	const struct action_def *def = decide__action_def(ctx, target);
	wall_ms settles;

	if (def->kind == ACTION_TASK)
		decide__recover_task(ctx, target);
	if (exec->status != EXEC_RUNNING && exec->status != EXEC_BACKING_OFF &&
		exec->status != EXEC_ONGOING)
		return;
	if (def->kind == ACTION_CHILD)
		recover_child(ctx, target);
	if (def->kind != ACTION_HTTP && def->kind != ACTION_COMMAND)
		return;
	/* The broker has it, and its time-out is known: nothing was lost with the earlier owner. */
	if (exec->status == EXEC_RUNNING && exec->published) {
		exec->sent_before = true;
		return;
	}
	/* An earlier owner may have sent it just before it died. */
	exec->sent_before = exec->ambiguous = true;
	settles = decide__settles(ctx, target, false);
	if (exec->settle_at < settles)
		exec->settle_at = settles;
	exec->probe_first = def->probe != NULL;
	if (!ctx->state->paused)
		decide__send_held_back(ctx, target);
}

void saga_recover(struct saga_state *state, wall_ms now, struct decision *decision)
{
	struct input in = {.type = INPUT_TIMER};
	struct ctx ctx = {.state = state, .in = &in, .now = now, .decision = decision};
	int i, j;

	if (ctx.now < state->last_at)
		ctx.now = state->last_at;
	if (saga_status_is_terminal(state->status))
		return;
	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);

			recover_exec(&ctx, (struct target){i, item, SIDE_DO});
			recover_exec(&ctx, (struct target){i, item, SIDE_UNDO});
		}
	}
	CHECK(decision->n_events == 0);
}
