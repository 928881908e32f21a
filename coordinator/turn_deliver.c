/*
 * Deliveries as inputs of the turn: what came through a queue for a saga, offered directly or read
 * from the inbox. Whoever offers one gets it back once, when the transition that consumed it is
 * durable, when it is known to be of no use for ever, or when it cannot be taken here.
 *
 * A delivery is for an action, by the step's id: what names a step, an item or a saga that is not
 * there is of no use. A saga that is not in memory is loaded, also one that has ended: then its
 * history tells of the late reply, and it leaves the memory again.
 */
#include <string.h>

#include "coordinator/failpoint.h"
#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

/* Giving back. */

static const char *text_of(int result)
{
	switch (result) {
	case ERR_NOT_FOUND:
		return "no such saga";
	case ERR_FENCED:
		return "another node has the saga's slot, or the saga is parked";
	default:
		return "it cannot be taken now";
	}
}

/* The state may still refer to parts of the value, and stays with this thread. */
static void make_value_whole(struct delivery *delivery)
{
	struct jval *value = delivery->value;
	const char *text;
	char *copy;
	size_t len;

	if (!value)
		return;
	text = jval_text(value, &len);
	copy = xcalloc(1, len + 1);
	memcpy(copy, text, len);
	delivery->value = jval_from_text(copy, len);
	jval_unref(value);
}

void turn__end_delivery(struct turn *turn, struct delivery *delivery, int result, bool removed)
{
	if (delivery->inbox_id[0])
		turn__inbox_ended(turn, delivery, result, removed);
	if (result == 0 && delivery->useless)
		turn->stats.deliveries_useless++;
	else if (result == 0 && delivery->kind == DELIVERY_REPLY)
		turn->stats.replies_delivered++;
	else if (result == 0 && delivery->kind == DELIVERY_LOCK)
		turn->stats.locks_granted++;
	else if (result == 0)
		turn->stats.events_delivered++;
	if (!delivery->done) {
		delivery_free(delivery);
		return;
	}
	if (result == 0 || result == ERR_NOT_FOUND) {
		jval_unref(delivery->value);
		delivery->value = NULL;
	} else {
		make_value_whole(delivery);
	}
	delivery->result =
		result == 0 ? 0 : err_set(&delivery->err, (enum err_code)result, "%s", text_of(result));
	delivery->err.retriable = result == ERR_UNAVAILABLE || result == ERR_FENCED;
	failpoint(FP_DELIVERY_DONE);
	delivery->done(delivery);
}

static void end_list(struct turn *turn, struct mail_list *list, int result)
{
	struct mail_list all = *list;
	struct mail *mail;

	*list = (struct mail_list){0};
	while ((mail = mail_list_pop(&all))) {
		if (mail->type == MAIL_DELIVERY)
			turn__end_delivery(turn, mail_delivery(mail), result, false);
		else
			mail_list_push(list, mail);
	}
}

void turn__end_deliveries(struct turn *turn, struct live_saga *saga, int result)
{
	end_list(turn, &saga->consumed, result);
	end_list(turn, &saga->queue, result);
	saga->n_deliveries = 0;
}

/* Taking. */

struct live_saga *turn__saga_for_delivery(struct turn *turn, const struct delivery *delivery,
										  int *ret_result)
{
	int slot = saga_id_slot(delivery->saga_id);
	struct live_saga *saga = map_get(&turn->sagas, delivery->saga_id);
	bool other_ns = saga && strcmp(saga->ns, delivery->ns) != 0;

	*ret_result = 0;
	if (slot < 0 || slot >= turn->slot_count || (other_ns && saga->state))
		*ret_result = ERR_NOT_FOUND;
	else if (!turn_owns_slot(turn, slot) || (saga && saga->phase == PHASE_PARKED))
		*ret_result = ERR_FENCED;
	else if (other_ns || (saga && saga->n_deliveries >= QUEUE_MAX) ||
			 (!saga && turn->sagas.n >= turn->memory_max + MEMORY_SLACK))
		*ret_result = ERR_UNAVAILABLE;
	if (*ret_result < 0)
		return NULL;
	if (!saga) {
		saga = turn__saga_new(turn, delivery->ns, delivery->saga_id);
		turn__load_now(turn, saga);
	}
	return saga;
}

void turn__queue_delivery(struct turn *turn, struct live_saga *saga, struct delivery *delivery)
{
	delivery->mail.type = MAIL_DELIVERY;
	delivery->useless = false;
	saga->n_deliveries++;
	mail_list_push(&saga->queue, &delivery->mail);
	turn__make_ready(turn, saga);
}

void turn_deliver(struct turn *turn, struct delivery *delivery)
{
	struct live_saga *saga = NULL;
	int result = ERR_UNAVAILABLE;

	turn->stats.inputs++;
	failpoint(FP_DELIVERY_TAKEN);
	if (!turn->draining)
		saga = turn__saga_for_delivery(turn, delivery, &result);
	if (saga)
		turn__queue_delivery(turn, saga, delivery);
	else
		turn__end_delivery(turn, delivery, result, false);
}

/* Feeding. */

/* The step's index; -1: the saga as a whole; -2: there is none of this name, or no such action. */
static int step_of(const struct saga_state *state, const struct delivery *delivery)
{
	const struct saga_def *def = state->def;

	if (delivery->kind == DELIVERY_EVENT && !delivery->step[0])
		return delivery->place < (int)def->n_cancel_on ? -1 : -2;
	for (int i = 0; i < def->n_steps; i++) {
		const struct step_def *step = &def->steps[i];
		bool has_items = step->for_each || step->repeat_until;

		if (strcmp(step->id, delivery->step) != 0)
			continue;
		if (has_items != (delivery->item >= 0))
			return -2;
		/* To a run that is over: it is recorded, whatever there is of the next one. */
		if (delivery->kind == DELIVERY_REPLY &&
			(delivery->run > 1 ? delivery->run : 1) < saga_state_run(state, i))
			return i;
		return delivery->item < state->steps[i].n_actions && state->steps[i].n_actions > 0 ? i : -2;
	}
	return -2;
}

/* The answer to an undo of an earlier run is that of what was carried over. */
static void find_place(const struct saga_state *state, const struct delivery *delivery,
					   struct input *in)
{
	bool undo = delivery->kind == DELIVERY_REPLY &&
				(delivery->call == CALL_UNDO || delivery->call == CALL_PROBE_UNDO);
	int carried =
		undo ? saga_state_find_carried(state, delivery->step, delivery->item, delivery->run) : -1;

	in->step = carried >= 0 ? state->def->carried : step_of(state, delivery);
	in->item = carried >= 0 ? carried : delivery->item;
}

static void fill_reply(const struct delivery *delivery, struct input *in)
{
	in->type = INPUT_REPLY;
	in->kind = delivery->call;
	in->result = CALL_ANSWERED;
	in->body = delivery->value;
	in->error = delivery->message;
	in->retry_after_ms = -1;
	in->said = delivery->outcome;
	in->code = delivery->code;
	in->reply_type = delivery->type;
	in->ask = delivery->ask;
	in->run = delivery->run;
	in->nonce = delivery->nonce;
	if (in->nonce)
		in->http_status = 200;
}

static void fill_event(const struct delivery *delivery, struct input *in)
{
	in->type = INPUT_EVENT;
	in->place = delivery->place;
	in->event = delivery->value;
	in->event_id = delivery->event_id;
}

/* A lock that is told is the one that the step asks for now, and not one that it gave up before. */
static bool is_asked_for(const struct saga_state *state, int step, const struct delivery *delivery)
{
	const struct action_state *action;
	char ticket[UUID_SIZE];

	if (state->def->steps[step].act.kind != ACTION_LOCK)
		return false;
	action = saga_state_action(state, step, delivery->item);
	store_lock_ticket(action->lock_at, state->id, action->lock_row, delivery->step, delivery->item,
					  ticket);
	return action->lock && strcmp(ticket, delivery->inbox_id) == 0;
}

static void fill_input(const struct delivery *delivery, struct input *in)
{
	switch (delivery->kind) {
	case DELIVERY_REPLY:
		fill_reply(delivery, in);
		break;
	case DELIVERY_EVENT:
		fill_event(delivery, in);
		break;
	case DELIVERY_LOCK:
		in->type = INPUT_LOCK;
		in->token = delivery->token;
		break;
	case DELIVERY_CHILD: /* feed_child */
		break;
	}
}

/* From a child, or from the parent; which step it is about, the core finds out. */
static void feed_child(struct live_saga *saga, const struct delivery *delivery, struct input *in,
					   wall_ms now)
{
	CLEANUP(child_message_release) struct child_message message = {0};
	struct err err;

	in->type = INPUT_CHILD;
	in->message = &message;
	if (child_message_read(jval_json(delivery->value), &message, &err) < 0 ||
		saga_decide(saga->state, in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "a message of another saga was refused: %s", err.text);
}

void turn__feed_delivery(struct turn *turn, struct live_saga *saga, struct delivery *delivery,
						 wall_ms now)
{
	size_t before = saga->decision.n_events + saga->decision.n_commands;
	struct input in = {.random = turn->ports->random(turn->ctx)};
	struct err err;

	delivery->result = saga->state ? 0 : ERR_NOT_FOUND;
	delivery->useless = true;
	if (!saga->state)
		return;
	if (delivery->kind == DELIVERY_CHILD) {
		feed_child(saga, delivery, &in, now);
		delivery->useless = saga->decision.n_events + saga->decision.n_commands == before;
		return;
	}
	find_place(saga->state, delivery, &in);
	if (in.step < -1 || (delivery->kind == DELIVERY_EVENT && !delivery->event_id)) {
		log_info("engine", saga->id,
				 "a delivery is of no use: nothing in the saga waits for \"%s\"", delivery->step);
		return;
	}
	if (delivery->kind == DELIVERY_LOCK && !is_asked_for(saga->state, in.step, delivery))
		return;
	fill_input(delivery, &in);
	if (in.step >= 0 && in.step == saga->state->def->carried)
		in.run = saga_state_run(saga->state, in.step);
	if (saga_decide(saga->state, &in, now, &saga->decision, &err) < 0)
		log_warn("engine", saga->id, "a delivery was refused: %s", err.text);
	delivery->useless = saga->decision.n_events + saga->decision.n_commands == before;
}
