/*
 * Deciding: all that waits for a saga is fed to the core in one go, and what follows becomes one
 * item of the open batch (turn_stage.c).
 */
#include <string.h>

#include "coordinator/log.h"
#include "coordinator/turn_priv.h"
#include "sagas/act_allowed.h"

/* Feeding. */

static void feed_start(struct turn *turn, struct live_saga *saga, struct engine_call *call,
					   wall_ms now)
{
	struct input in = {
		.type = INPUT_START,
		.random = turn->ports->random(turn->ctx),
		.ns = saga->ns,
		.key = call->key,
		.value = call->input,
		.parent = call->parent,
		.depth = call->depth,
		.hold = call->hold,
	};

	if (saga->state)
		return; /* a commit of unknown outcome has landed: it is this saga */
	saga->state = saga_state_new(call->def, saga->id);
	saga->may_wait = transition_may_wait(call->def);
	call->result = saga_decide(saga->state, &in, now, &saga->decision, &call->err);
	if (call->result < 0) {
		saga_state_free(saga->state);
		saga->state = NULL;
	}
}

static int check_act(const struct live_saga *saga, const struct engine_call *call, struct err *err)
{
	if (!saga->state)
		return err_set(err, ERR_NOT_FOUND, "no such saga");
	/* One that was taken already is told so, whatever has become of the saga since. */
	if (call->doing && saga_act_is_known(saga->state, call->doing->id))
		return 0;
	if (call->if_match >= 0 && (call->if_match != saga->seq || saga->decision.n_events > 0))
		return err_set(err, ERR_CONFLICT, "the saga has moved on from sequence %lld",
					   (long long)call->if_match);
	return 0;
}

/* What of the decision is the act's: the events from the first on. */
static void note_effect(const struct live_saga *saga, struct engine_call *call, size_t first,
						enum saga_status before)
{
	struct act_effect *effect = &call->effect;

	/* It may be fed again, after a commit that failed. */
	free(effect->events);
	effect->n_events = saga->decision.n_events - first;
	effect->events = xcalloc(effect->n_events + 1, sizeof(*effect->events));
	for (size_t i = 0; i < effect->n_events; i++)
		effect->events[i] = saga->decision.events[first + i].type;
	effect->seq = saga->seq + (effect->n_events > 0);
	effect->status_before = before;
}

static struct input timer_input(const struct turn *turn, const struct live_saga *saga)
{
	return (struct input){
		.type = INPUT_TIMER,
		.random = turn->ports->random(turn->ctx),
		.queues_read_until = turn__looks(saga) ? 0 : turn->inbox.read_until,
		.inbox_read_until = turn__looks(saga) ? 0 : turn->inbox.seen_until,
	};
}

/* Of a new run the first row of its own stands behind those that were copied. */
static bool was_only_created(const struct live_saga *saga)
{
	return saga->durable_seq == 1 ||
		   (saga->state->run_of && saga->durable_seq == saga->state->run_of->row);
}

/*
 * The first row may be a creation only, by a node that did not own the slot: then nothing is
 * scheduled and no time is awaited, and only this moves the saga.
 */
static void feed_adoption(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct input in = timer_input(turn, saga);
	struct err err;

	if (!saga->state || !was_only_created(saga) || saga_status_is_terminal(saga->state->status))
		return;
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "it cannot be advanced: %s", err.text);
}

static void feed_act(struct turn *turn, struct live_saga *saga, struct engine_call *call,
					 wall_ms now)
{
	struct input in = {
		.type = INPUT_ACT,
		.random = turn->ports->random(turn->ctx),
		.act = call->doing,
	};
	enum saga_status before;
	size_t first;

	/* What may only have been created goes on before, and then is no longer what was replayed. */
	if (call->doing->kind == ACT_MIGRATE)
		feed_adoption(turn, saga, now);
	first = saga->decision.n_events;
	call->result = check_act(saga, call, &call->err);
	if (call->result < 0)
		return;
	before = saga->state->status;
	turn__note_armed(saga, call->doing);
	call->result = saga_decide(saga->state, &in, now, &saga->decision, &call->err);
	if (call->result < 0)
		return;
	note_effect(saga, call, first, before);
	if (call->doing->kind == ACT_MIGRATE && saga->decision.n_events > first)
		saga->migrated_to = call->doing->version;
}

static void feed_task(struct turn *turn, struct live_saga *saga, struct engine_call *call,
					  wall_ms now)
{
	struct task_call *task = call->task;
	struct input in = {
		.type = INPUT_TASK,
		.random = turn->ports->random(turn->ctx),
		.item = task->item,
		.side = task->side,
		.word = task->word,
		.worker = task->worker,
		.build = task->build,
		.nonce = task->nonce,
		.attempt = task->attempt,
		.body = task->output,
		.details = task->details,
		.code = task->code,
		.error = task->message,
		.retryable = task->retryable,
		.unknown = task->unknown,
		.answer = &task->answer,
	};

	if (!saga->state) {
		call->result = err_set(&call->err, ERR_NOT_FOUND, "no such saga");
		return;
	}
	/* It may be fed again, after a commit that failed. */
	request_unref(TAKE(task->answer.request));
	jval_unref(TAKE(task->answer.progress));
	free(task->definition);
	task->definition = xstrdup(saga->state->def->name);
	in.step = saga_def_step(saga->state->def, task->step);
	call->result = saga_decide(saga->state, &in, now, &saga->decision, &call->err);
}

static void feed_call(struct turn *turn, struct live_saga *saga, struct engine_call *call,
					  wall_ms now)
{
	call->result = 0;
	switch (call->act) {
	case ENGINE_START:
		feed_start(turn, saga, call, now);
		break;
	case ENGINE_ACT:
		feed_act(turn, saga, call, now);
		break;
	case ENGINE_TASK:
		feed_task(turn, saga, call, now);
		break;
	case ENGINE_WAIT:
		if (!saga->state)
			call->result = err_set(&call->err, ERR_NOT_FOUND, "no such saga");
		break;
	}
}

static void feed_reply(struct turn *turn, struct live_saga *saga, const struct call_reply *reply,
					   wall_ms now)
{
	struct input in = {
		.type = INPUT_REPLY,
		.random = turn->ports->random(turn->ctx),
		.step = reply->step,
		.item = reply->item,
		.kind = reply->kind,
		.attempt = reply->attempt,
		.run = reply->run,
		.result = reply->result,
		.http_status = reply->http_status,
		.body = reply->body,
		.error = reply->error,
		.retry_after_ms = reply->retry_after_ms,
	};
	struct err err;

	if (!saga->state)
		return;
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "a reply was refused: %s", err.text);
}

static void feed_timer(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct input in = timer_input(turn, saga);
	wall_ms due = turn__due_times(turn, saga).at;
	size_t before = saga->decision.n_events + saga->decision.n_commands;
	struct err err;

	if (due == 0 || due > now)
		return;
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "a timer was refused: %s", err.text);
	/* Should the core leave something due without doing anything, this must not spin. */
	due = turn__due_times(turn, saga).at;
	if (due != 0 && due <= now && saga->decision.n_events + saga->decision.n_commands == before)
		saga->not_before = now + 1000;
}

static void feed_mail(struct turn *turn, struct live_saga *saga, struct mail *mail, wall_ms now)
{
	switch ((enum turn_mail)mail->type) {
	case MAIL_CALL:
		feed_call(turn, saga, mail_call(mail), now);
		break;
	case MAIL_REPLY:
		feed_reply(turn, saga, mail_reply(mail), now);
		break;
	case MAIL_DELIVERY:
		turn__feed_delivery(turn, saga, mail_delivery(mail), now);
		break;
	}
}

/* What arrived first, then what ran out. */
static void feed_all(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct mail *mail;

	while (!saga->migrated_to && (mail = mail_list_pop(&saga->queue))) {
		feed_mail(turn, saga, mail, now);
		mail_list_push(&saga->consumed, mail);
	}
	saga->n_calls = saga->n_deliveries = 0;
	/* The rest is for the other version, when the saga was folded by it. */
	for (mail = saga->queue.head; mail; mail = mail->next) {
		saga->n_calls += mail->type == MAIL_CALL;
		saga->n_deliveries += mail->type == MAIL_DELIVERY;
	}
	if (saga->migrated_to || !saga->state || saga_status_is_terminal(saga->state->status))
		return;
	if (saga->timer_hit)
		feed_timer(turn, saga, now);
}

/*
 * The fold looks at the status once a row. What it was between two inputs of one row was never to
 * be seen, so it is no change.
 */
static void forget_passing_status(struct saga_state *state, enum saga_status before,
								  wall_ms updated_before)
{
	/* A run that begins is one, whatever the status. */
	if (state->status == before && state->base_row != state->rows + 1)
		state->updated_at = updated_before;
}

/* It has been awake until its early events were looked for, and nothing has come since. */
static bool goes_to_sleep(const struct live_saga *saga, wall_ms now)
{
	return saga->sleep_at != 0 && now >= saga->sleep_at && saga->row_due_at == 0 && saga->state &&
		   !saga_status_is_terminal(saga->state->status) && turn__sleep_until(saga, now) > 0;
}

void turn__decide(struct turn *turn, struct live_saga *saga)
{
	struct lifecycle_before lifecycle = {.status = SAGA_RUNNING};
	bool begun = saga->state != NULL;
	enum saga_status before = begun ? saga->state->status : SAGA_RUNNING;
	wall_ms updated_before = begun ? saga->state->updated_at : 0;
	wall_ms now = turn->now;
	bool adopted = saga->recover;

	if (begun && saga->state->last_at > now)
		now = saga->state->last_at;
	if (turn->lifecycle.topic && begun)
		lifecycle = lifecycle_before(saga->state);
	decision_init(&saga->decision);
	saga->n_armed = 0;
	saga->migrated_to = 0;
	if (saga->recover && saga->state && !saga_status_is_terminal(saga->state->status))
		saga_recover(saga->state, now, &saga->decision);
	saga->recover = false;
	feed_all(turn, saga, now);
	if (adopted && !saga->migrated_to)
		feed_adoption(turn, saga, now);
	if (begun)
		forget_passing_status(saga->state, before, updated_before);
	saga->timer_hit = false;
	if (saga->decision.n_events > 0 || goes_to_sleep(saga, now))
		turn__stage(turn, saga, &lifecycle, now);
	else
		turn__release(turn, saga, false);
}
