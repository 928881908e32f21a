/*
 * After the commit: what was decided may leave now. Or after its failure: what was decided is
 * forgotten, and the saga is loaded again.
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/failpoint.h"
#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

/* A call whose effect is durable: answered, or it waits for the end. */
static void finish_call(struct turn *turn, struct live_saga *saga, struct engine_call *call)
{
	bool waits = call->act == ENGINE_START || call->act == ENGINE_WAIT;

	if (waits && call->result == 0 && call->wait_ms > 0 && !turn->draining && saga->state &&
		turn_owns_slot(turn, saga->slot) && !saga_status_is_terminal(saga->state->status)) {
		jval_unref(call->input);
		call->input = NULL;
		turn__add_waiter(turn, saga, call);
		return;
	}
	turn__answer(turn, call, saga);
}

void turn__finish_consumed(struct turn *turn, struct live_saga *saga, bool committed)
{
	struct mail *mail;

	while ((mail = mail_list_pop(&saga->consumed))) {
		switch ((enum turn_mail)mail->type) {
		case MAIL_CALL:
			finish_call(turn, saga, mail_call(mail));
			break;
		case MAIL_REPLY:
			call_reply_free(mail_reply(mail));
			break;
		case MAIL_DELIVERY:
			turn__end_delivery(turn, mail_delivery(mail), mail_delivery(mail)->result, committed);
			break;
		}
	}
}

/* A reason that is new: the same one, said again, is not. */
static bool begins_to_concern(const struct live_saga *saga)
{
	const struct attention_ref *before = &saga->row_attention, *now = &saga->next_attention;

	return now->text && (!before->text || !before->group || !now->group ||
						 strcmp(before->group, now->group) != 0);
}

/* The transition is durable; what the row said before is still known. */
static void count_transition(struct turn *turn, const struct live_saga *saga)
{
	const struct decision *decision = &saga->decision;
	const struct saga_def *def = saga->state->def;
	struct engine_stats *stats = &turn->stats;
	enum saga_status status = saga->state->status;

	tally_events(turn->tally, saga->ns, def, decision->events, decision->n_events);
	if (begins_to_concern(saga))
		tally_attention(turn->tally, saga->next_attention.kind);
	if (saga_status_is_terminal(status) && !saga_status_is_terminal(saga->row_status)) {
		tally_ended(turn->tally, saga->ns, def, status);
		stats->sagas_completed += status == SAGA_COMPLETED;
		stats->sagas_compensated += status == SAGA_COMPENSATED;
		stats->sagas_failed += status == SAGA_FAILED;
		stats->sagas_terminated += status == SAGA_TERMINATED;
	}
	for (size_t i = 0; i < decision->n_events; i++) {
		const struct event *event = &decision->events[i];

		stats->sagas_started += event->type == EV_SAGA_STARTED;
		stats->steps_completed += event->type == EV_STEP_COMPLETED;
		stats->steps_failed += event->type == EV_STEP_FAILED;
		stats->attempts_failed +=
			event->type == EV_STEP_ATTEMPT_FAILED || event->type == EV_COMPENSATION_ATTEMPT_FAILED;
		stats->compensations_done += event->type == EV_COMPENSATION_COMPLETED;
		stats->compensations_failed += event->type == EV_COMPENSATION_FAILED;
		stats->outcomes_unknown +=
			(event->type == EV_STEP_FAILED || event->type == EV_STEP_PARKED) &&
			event->outcome == OUTCOME_UNKNOWN;
		stats->late_replies += event->type == EV_REPLY_IGNORED;
	}
}

/*
 * After a failed commit the saga is loaded again, and recovery wants every call that may be out
 * sent again. Those of this process are known to be out: their replies will come.
 */
static bool note_sent(struct live_saga *saga, const struct command *command)
{
	for (int i = 0; i < saga->n_sent; i++) {
		const struct sent_call *sent = &saga->sent[i];

		if (sent->step == command->step && sent->item == command->item &&
			sent->kind == command->kind && sent->attempt == command->attempt &&
			sent->run == command->run)
			return false;
	}
	if (saga->n_sent == saga->cap_sent) {
		saga->cap_sent = saga->cap_sent ? saga->cap_sent * 2 : 4;
		saga->sent = xrealloc_array(saga->sent, (size_t)saga->cap_sent, sizeof(*saga->sent));
	}
	saga->sent[saga->n_sent++] = (struct sent_call){
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.run = command->run,
	};
	return true;
}

void turn__forget_sent(struct live_saga *saga, const struct call_reply *reply)
{
	for (int i = 0; i < saga->n_sent; i++) {
		struct sent_call *sent = &saga->sent[i];

		if (sent->step == reply->step && sent->item == reply->item && sent->kind == reply->kind &&
			sent->attempt == reply->attempt && sent->run == reply->run) {
			*sent = saga->sent[--saga->n_sent];
			return;
		}
	}
}

static void send_commands(struct turn *turn, struct live_saga *saga)
{
	/* While draining, or when the slot is on its way to another node, they stay unsent; they are in
	 * the history, and recovery sends them. */
	if (turn->draining || !turn_owns_slot(turn, saga->slot))
		return;
	for (size_t i = 0; i < saga->decision.n_commands; i++) {
		const struct command *command = &saga->decision.commands[i];

		if (!note_sent(saga, command))
			continue;
		turn->stats.calls_in_flight++;
		if (command->request->kind == REQUEST_COMMAND && turn->ports->publish)
			turn->ports->publish(turn->ctx, saga->id, saga->ns, saga->state->def, command);
		else if (command->request->kind == REQUEST_CHILD && turn->ports->start_child)
			turn->ports->start_child(turn->ctx, saga->id, saga->ns, command);
		else
			turn->ports->call(turn->ctx, saga->id, command);
	}
}

/* What the saga waits for from now on may have come before. */
static void look_for_early(struct turn *turn, struct live_saga *saga)
{
	for (size_t i = 0; i < saga->decision.n_subscriptions; i++) {
		if (saga->decision.subscriptions[i].remove)
			continue;
		turn->stats.subscriptions++;
		saga->look = true;
	}
	turn__look(turn, saga);
}

void turn__release(struct turn *turn, struct live_saga *saga, bool committed)
{
	bool ended;

	saga->phase = PHASE_IDLE;
	saga->durable_seq = saga->seq;
	if (committed) {
		count_transition(turn, saga);
		saga->row_status = saga->state->status;
		saga->row_due_at = saga->next_due_at;
		attention_ref_release(&saga->row_attention);
		attention_ref_copy(&saga->next_attention, &saga->row_attention);
		if (turn->ports->committed)
			turn->ports->committed(turn->ctx, saga->id);
		if (turn->ports->tasks && (saga->decision.n_tasks > 0 || saga->decision.remove_all_tasks))
			turn->ports->tasks(turn->ctx, saga->state, &saga->decision);
	}
	/* Calls first: what participants do takes longer than what callers do. */
	send_commands(turn, saga);
	if (saga->decision.n_subscriptions > 0)
		look_for_early(turn, saga);
	turn->stats.replies_unrecorded += saga->decision.unrecorded_replies;
	decision_release(&saga->decision);
	turn__finish_consumed(turn, saga, committed);
	ended = saga->state && saga_status_is_terminal(saga->state->status);
	if (ended)
		turn__answer_waiters(turn, saga);
	else if (saga->waiters)
		turn__answer_overdue(turn, saga);
	if (committed && saga->migrated_to) {
		/* Its state was folded by the version before. What is out stays out: the steps that have
		 * begun have the same places in both. */
		saga->migrated_to = 0;
		turn__load_later(turn, saga);
	} else if (saga->queue.head) {
		turn__make_ready(turn, saga);
	} else {
		turn__rest(turn, saga);
	}
}

/* The commit did not take effect, or nobody knows: back to what the history says. */
static void commit_failed(struct turn *turn, struct live_saga *saga, bool unknown)
{
	decision_release(&saga->decision);
	saga->row_unknown = unknown;
	turn__load_later(turn, saga);
}

/* The key belongs to another saga: this one never was. */
static void is_duplicate(struct turn *turn, struct live_saga *saga, const struct store_item *item)
{
	struct mail *mail = mail_list_pop(&saga->consumed);
	struct engine_call *call = mail_call(mail);

	CHECK(mail->type == MAIL_CALL && call->act == ENGINE_START);
	decision_release(&saga->decision);
	saga->phase = PHASE_IDLE;
	call->duplicate = true;
	memcpy(call->existing_id, item->existing_id, sizeof(call->existing_id));
	memcpy(call->existing_fingerprint, item->existing_fingerprint,
		   sizeof(call->existing_fingerprint));
	turn__answer(turn, call, NULL);
	turn__refuse_calls(turn, saga, ERR_NOT_FOUND, "no such saga");
	turn__end_deliveries(turn, saga, ERR_NOT_FOUND);
	turn__saga_free(turn, saga);
}

/* Sagas of ours read their inbox; the owners of others are told once, after the batch. */
static void note_messages(struct turn *turn, const struct store_item *item)
{
	for (size_t i = 0; i < item->n_messages; i++) {
		int slot = item->messages[i].slot;

		turn->stats.messages_sent++;
		if (turn_owns_slot(turn, slot)) {
			turn__inbox_want(turn);
		} else {
			if (!turn->messaged)
				turn->messaged = xcalloc((size_t)turn->slot_count, sizeof(*turn->messaged));
			turn->messaged[slot] = true;
		}
	}
}

static void tell_of_messages(struct turn *turn)
{
	if (turn->messaged && turn->ports->messages_sent)
		turn->ports->messages_sent(turn->ctx, turn->messaged);
	free(TAKE(turn->messaged));
}

static void item_ended(struct turn *turn, struct live_saga *saga, const struct store_item *item)
{
	switch (item->verdict) {
	case STORE_ACCEPTED:
		saga->failures = 0;
		turn->outbox_written += item->n_outbox;
		note_messages(turn, item);
		turn__release(turn, saga, true);
		break;
	case STORE_DUPLICATE:
		is_duplicate(turn, saga, item);
		break;
	case STORE_FENCED:
		if (turn->many_nodes) {
			/* Dropped with all others of the slot, behind this batch; it had no effect. */
			turn->slots[saga->slot].marked = true;
			commit_failed(turn, saga, false);
			break;
		}
		/* fallthrough */
	case STORE_CONFLICT:
		log_warn("engine", saga->id, "the store refused sequence %lld: it is loaded again",
				 (long long)item->seq);
		commit_failed(turn, saga, false);
		break;
	case STORE_UNSTORABLE:
		decision_release(&saga->decision);
		turn__park(turn, saga, "the store cannot take its transition");
		break;
	}
}

static void tell_of_outbox(struct turn *turn)
{
	size_t rows = turn->outbox_written;

	turn->outbox_written = 0;
	turn->stats.outbox_rows += (int64_t)rows;
	if (rows > 0 && turn->ports->outbox_written)
		turn->ports->outbox_written(turn->ctx, rows);
}

void turn_committed(struct turn *turn, struct batch *batch)
{
	turn->out = NULL;
	turn->n_committing -= batch->n;
	if (batch->result < 0) {
		turn->stats.commit_failures++;
		turn->commit_failures++;
		turn->refuse_until =
			turn->now + turn__backoff_ms(turn->commit_failures, REFUSE_FIRST_MS, REFUSE_MAX_MS);
		log_error("engine", NULL, "a commit of %zu sagas failed (%s): %s", batch->n,
				  err_code_text(batch->result), batch->err.text);
	} else {
		turn->stats.commits++;
		turn->commit_failures = 0;
		failpoint(FP_COMMIT_RELEASE);
	}
	for (size_t i = 0; i < batch->n; i++) {
		struct live_saga *saga = batch->owners[i];

		if (!saga)
			continue; /* its slot was lost meanwhile, and what becomes of it is another's */
		CHECK(saga->phase == PHASE_COMMITTING);
		turn__uncommit(turn, saga);
		if (batch->result < 0)
			commit_failed(turn, saga, batch->result == ERR_UNKNOWN);
		else
			item_ended(turn, saga, &batch->items[i]);
	}
	if (turn->many_nodes)
		turn__slots_settle(turn);
	tell_of_outbox(turn);
	tell_of_messages(turn);
	failpoint(FP_COMMIT_RELEASED);
	if (turn->spare) {
		batch_free(batch);
		return;
	}
	batch_clear(batch);
	turn->spare = batch;
}
