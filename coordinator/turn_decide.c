/*
 * Deciding: all that waits for a saga is fed to the core in one go, and what follows becomes one
 * item of the open batch.
 */
#include <string.h>

#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

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
	};

	if (saga->state)
		return; /* a commit of unknown outcome has landed: it is this saga */
	saga->state = saga_state_new(call->def, saga->id);
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
	if (call->if_match >= 0 && (call->if_match != saga->seq || saga->decision.n_events > 0))
		return err_set(err, ERR_CONFLICT, "the saga has moved on from sequence %lld",
					   (long long)call->if_match);
	if (saga_status_is_terminal(saga->state->status))
		return err_set(err, ERR_CONFLICT, "the saga has ended: it is %s",
					   saga_status_text(saga->state->status));
	return 0;
}

static void feed_act(struct turn *turn, struct live_saga *saga, struct engine_call *call,
					 wall_ms now)
{
	struct input in = {
		.type = call->act == ENGINE_CANCEL ? INPUT_CANCEL : INPUT_TERMINATE,
		.random = turn->ports->random(turn->ctx),
		.by = call->by,
		.reason = call->reason,
	};

	call->result = check_act(saga, call, &call->err);
	if (call->result == 0)
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
	case ENGINE_CANCEL:
	case ENGINE_TERMINATE:
		feed_act(turn, saga, call, now);
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
	struct input in = {.type = INPUT_TIMER, .random = turn->ports->random(turn->ctx)};
	wall_ms due = saga_state_next_due(saga->state);
	size_t before = saga->decision.n_events + saga->decision.n_commands;
	struct err err;

	if (due == 0 || due > now)
		return;
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "a timer was refused: %s", err.text);
	/* Should the core leave something due without doing anything, this must not spin. */
	due = saga_state_next_due(saga->state);
	if (due != 0 && due <= now && saga->decision.n_events + saga->decision.n_commands == before)
		saga->not_before = now + 1000;
}

/*
 * The first row may be a creation only, by a node that did not own the slot: then nothing is
 * scheduled and no time is awaited, and only this moves the saga.
 */
static void feed_adoption(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct input in = {.type = INPUT_TIMER, .random = turn->ports->random(turn->ctx)};
	struct err err;

	if (!saga->state || saga->durable_seq != 1 || saga_status_is_terminal(saga->state->status))
		return;
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "it cannot be advanced: %s", err.text);
}

/* The item of a batch. */

static bool is_compensation_event(const struct event *event)
{
	switch (event->type) {
	case EV_COMPENSATION_ARMED:
	case EV_COMPENSATION_STARTED:
	case EV_COMPENSATION_COMPLETED:
	case EV_COMPENSATION_ATTEMPT_FAILED:
	case EV_COMPENSATION_FAILED:
	case EV_COMPENSATION_SKIPPED:
	case EV_COMPENSATION_ONGOING:
		return true;
	case EV_SAGA_STARTED:
	case EV_STEP_SCHEDULED:
	case EV_STEP_COMPLETED:
	case EV_STEP_FAILED:
	case EV_STEP_ATTEMPT_FAILED:
	case EV_STEP_ONGOING:
	case EV_STEP_SKIPPED:
	case EV_STEP_EXPANDED:
	case EV_STEP_SETTLED:
	case EV_STEP_PARKED:
	case EV_SAGA_COMPENSATING:
	case EV_SAGA_COMPLETED:
	case EV_SAGA_COMPENSATED:
	case EV_SAGA_TERMINATED:
	case EV_SAGA_CANCEL_REQUESTED:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_REPLY_IGNORED:
	case EV_SAGA_ATTENTION:
	case EV_STEP_ABSENT:
	case EV_COMMAND_PUBLISHED:
		return false;
	}
	return false;
}

static const char *action_text(enum action_kind kind)
{
	switch (kind) {
	case ACTION_HTTP:
		return "http";
	case ACTION_SET:
		return "set";
	case ACTION_FAIL:
		return "fail";
	case ACTION_COMMAND:
		return "command";
	case ACTION_EMIT:
		return "emit";
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
		return "await";
	}
	return "";
}

static const char *copy_text(struct batch *batch, const char *text)
{
	return text ? batch_copy(batch, text, strlen(text)) : NULL;
}

/* The row of the ledger, as the state now says it; the request is written when it is first known.
 */
static void fill_compensation(struct turn *turn, const struct saga_state *state,
							  const struct event *event, wall_ms now, struct compensation_row *row)
{
	const struct action_state *action = saga_state_action(state, event->step, event->item);
	const struct step_def *step = &state->def->steps[event->step];
	const struct exec *undo = &action->undo;
	struct batch *batch = turn->open;

	*row = (struct compensation_row){
		.step = copy_text(batch, step->id),
		.item = event->item,
		.action = action_text(step->undo.kind),
		.status = action->comp,
		.attempts = undo->attempt,
		.last_error = copy_text(batch, undo->message ? undo->message : undo->code),
		.updated_at = now,
	};
	if (!event->request)
		return;
	buf_clear(&turn->scratch);
	request_write(event->request, &turn->scratch);
	row->request_len = turn->scratch.len;
	row->request = batch_copy(batch, buf_str(&turn->scratch), turn->scratch.len);
}

static void fill_compensations(struct turn *turn, struct live_saga *saga, wall_ms now,
							   struct store_item *item)
{
	const struct decision *decision = &saga->decision;
	struct compensation_row *rows;
	size_t n = 0;

	for (size_t i = 0; i < decision->n_events; i++)
		n += is_compensation_event(&decision->events[i]);
	if (n == 0)
		return;
	rows = batch_alloc(turn->open, n * sizeof(*rows));
	item->compensations = rows;
	for (size_t i = 0; i < decision->n_events; i++)
		if (is_compensation_event(&decision->events[i]))
			fill_compensation(turn, saga->state, &decision->events[i], now,
							  &rows[item->n_compensations++]);
}

/* When the row is to say that the saga sleeps: until then; 0: it is awake. */
static wall_ms sleep_until(const struct live_saga *saga, wall_ms now)
{
	const struct saga_state *state = saga->state;
	wall_ms due;

	if (saga->decision.n_commands > 0 || saga_status_is_terminal(state->status) ||
		saga_state_in_flight(state) > 0 || !saga_state_may_sleep(state))
		return 0;
	due = saga_state_next_due(state);
	if (due == 0)
		return saga_state_attention(state) ? DUE_NEVER : 0;
	return due > now + SLEEP_AFTER_MS ? due : 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The row of the saga: whole when it begins, and what has changed later. */
static void fill_row(struct turn *turn, struct live_saga *saga, struct store_item *item)
{
	const struct saga_state *state = saga->state;
	const char *attention = saga_state_attention(state);
	struct batch *batch = turn->open;
	struct saga_row *row;

	saga->next_due_at = sleep_until(saga, item->at);
	if (!same_text(attention, saga->next_attention)) {
		free(saga->next_attention);
		saga->next_attention = attention ? xstrdup(attention) : NULL;
	}
	if (item->seq > 1 && state->status == saga->row_status &&
		saga->next_due_at == saga->row_due_at &&
		same_text(saga->next_attention, saga->row_attention))
		return;
	row = batch_alloc(batch, sizeof(*row));
	row->slot = saga->slot;
	memcpy(row->id, saga->id, sizeof(row->id));
	row->ns = copy_text(batch, saga->ns);
	row->definition = copy_text(batch, state->def->name);
	row->version = state->def->version;
	row->status = state->status;
	row->key = copy_text(batch, state->key);
	row->started_at = state->started_at;
	row->updated_at = state->updated_at;
	row->ended_at = state->ended_at;
	row->due_at = saga->next_due_at;
	row->attention = copy_text(batch, saga->next_attention);
	if (item->seq == 1)
		item->create = row;
	else
		item->update = row;
}

/* The events as text in turn->scratch; false when they are too large to be stored. */
static bool write_events(struct turn *turn, const struct live_saga *saga)
{
	const struct decision *decision = &saga->decision;
	struct buf *text = &turn->scratch;

	if (text->cap > 1024 * 1024) {
		buf_release(text);
		buf_init(text, TRANSITION_MAX_BYTES);
	}
	buf_clear(text);
	buf_add_char(text, '[');
	for (size_t i = 0; i < decision->n_events; i++) {
		if (i > 0)
			buf_add_char(text, ',');
		event_write(&decision->events[i], saga->state->def, text);
	}
	buf_add_char(text, ']');
	return !text->failed;
}

static void stage(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct store_item *item;

	if (!write_events(turn, saga)) {
		decision_release(&saga->decision);
		turn__park(turn, saga, "a transition is too large to be stored");
		return;
	}
	item = batch_add(turn->open, saga);
	item->slot = saga->slot;
	memcpy(item->saga_id, saga->id, sizeof(item->saga_id));
	item->seq = ++saga->seq;
	item->at = now;
	item->events_len = turn->scratch.len;
	item->events = batch_copy(turn->open, buf_str(&turn->scratch), turn->scratch.len);
	saga->state->history_bytes += (int64_t)item->events_len;
	fill_compensations(turn, saga, now, item);
	fill_row(turn, saga, item);
	if (item->create && saga->state->key)
		item->fingerprint = copy_text(turn->open, mail_call(saga->consumed.head)->fingerprint);
	saga->phase = PHASE_COMMITTING;
	heap_remove(&turn->timers, &saga->timer);
	turn->n_committing++;
	turn->slots[saga->slot].committing++;
}

static void feed_all(struct turn *turn, struct live_saga *saga, wall_ms now)
{
	struct mail *mail;

	while ((mail = mail_list_pop(&saga->queue))) {
		if (mail->type == MAIL_CALL)
			feed_call(turn, saga, mail_call(mail), now);
		else
			feed_reply(turn, saga, mail_reply(mail), now);
		mail_list_push(&saga->consumed, mail);
	}
	saga->n_calls = 0;
	if (!saga->state || saga_status_is_terminal(saga->state->status))
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
	if (state->status == before)
		state->updated_at = updated_before;
}

void turn__decide(struct turn *turn, struct live_saga *saga)
{
	bool begun = saga->state != NULL;
	enum saga_status before = begun ? saga->state->status : SAGA_RUNNING;
	wall_ms updated_before = begun ? saga->state->updated_at : 0;
	wall_ms now = turn->now;
	bool adopted = saga->recover;

	if (begun && saga->state->last_at > now)
		now = saga->state->last_at;
	decision_init(&saga->decision);
	if (saga->recover && saga->state && !saga_status_is_terminal(saga->state->status))
		saga_recover(saga->state, now, &saga->decision);
	saga->recover = false;
	feed_all(turn, saga, now);
	if (adopted)
		feed_adoption(turn, saga, now);
	if (begun)
		forget_passing_status(saga->state, before, updated_before);
	saga->timer_hit = false;
	if (saga->decision.n_events > 0)
		stage(turn, saga, now);
	else
		turn__release(turn, saga);
}
