/*
 * What the turn reads from the store: sagas that have an input but are not in memory, those whose
 * commit failed, those that sleep and are due soon, and after a start all that are awake.
 */
#include <string.h>

#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

int64_t turn__backoff_ms(int failures, int64_t first_ms, int64_t max_ms)
{
	int64_t ms = first_ms;

	for (int i = 1; i < failures && ms < max_ms; i++)
		ms *= 2;
	return ms < max_ms ? ms : max_ms;
}

/* For a saga that is to be loaded after a failure. */
void turn__load_later(struct turn *turn, struct live_saga *saga)
{
	saga->failures++;
	if (saga->failures > RETRIES_MAX || turn->draining) {
		turn__refuse_calls(turn, saga, ERR_UNAVAILABLE, "the store does not answer");
		turn__end_deliveries(turn, saga, ERR_UNAVAILABLE);
	}
	saga_state_free(saga->state);
	saga->state = NULL;
	saga->phase = PHASE_LOADING;
	turn__look_no_more(saga);
	heap_remove(&turn->holds, &saga->hold);
	heap_remove(&turn->hooks, &saga->hook);
	heap_update(&turn->timers, &saga->timer,
				turn->now + turn__backoff_ms(saga->failures, RETRY_FIRST_MS, RETRY_MAX_MS));
}

void turn__load_now(struct turn *turn, struct live_saga *saga)
{
	saga->phase = PHASE_LOADING;
	saga->next = NULL;
	*turn->load_tail = saga;
	turn->load_tail = &saga->next;
}

static void ask(struct turn *turn, struct live_saga *saga)
{
	struct loaded_saga *loaded = loaded_saga_new(saga->ns, saga->id);

	turn->loads_out++;
	loaded->ticket = saga->ticket = ++turn->last_ticket;
	turn->ports->load(turn->ctx, loaded);
}

/* The next saga of the last list that is not in memory; NULL: none, or there is no room. */
static struct live_saga *next_of_backlog(struct turn *turn)
{
	while (turn->backlog_at < turn->backlog_n && turn->sagas.n < turn->memory_max) {
		const struct listed_saga *listed = &turn->backlog[turn->backlog_at++];

		if (turn_owns_slot(turn, saga_id_slot(listed->id)) && !map_get(&turn->sagas, listed->id)) {
			struct live_saga *saga = turn__saga_new(turn, listed->ns, listed->id);

			saga->phase = PHASE_LOADING;
			return saga;
		}
	}
	return NULL;
}

static void look_whether_recovered(struct turn *turn)
{
	bool listed = turn->listed_once || (turn->joined && turn->n_fresh == 0);

	if (turn->recovering && listed && turn->loads_out == 0) {
		turn->recovering = false;
		log_info("engine", NULL, "recovered: %zu sagas in memory", turn->sagas.n);
	}
}

void turn__load_some(struct turn *turn)
{
	while (turn->loads_out < LOADS_MAX) {
		struct live_saga *saga = turn->load_head;

		if (saga) {
			turn->load_head = saga->next;
			if (!turn->load_head)
				turn->load_tail = &turn->load_head;
			saga->next = NULL;
		} else {
			saga = next_of_backlog(turn);
		}
		if (!saga)
			break;
		ask(turn, saga);
	}
	look_whether_recovered(turn);
}

void turn__poll(struct turn *turn)
{
	bool awake_too = turn->n_fresh > 0;
	struct saga_list *list;
	/* Whatever of it is in memory already takes the place of what is not: ask for more. */
	size_t limit = turn->memory_max * 2 + MEMORY_SLACK;

	if (turn->poll_at == 0 || turn->now < turn->poll_at || turn->list_out || turn->n_owned == 0 ||
		turn->backlog_at < turn->backlog_n)
		return;
	turn->list_out = true;
	turn->poll_at = turn->now + turn->poll_every_ms;
	list = saga_list_new(turn->now + SLEEP_AFTER_MS, awake_too, (int)limit);
	turn__add_ranges(turn, list, awake_too);
	turn->ports->list(turn->ctx, list);
}

bool turn_recovered(const struct turn *turn)
{
	return !turn->recovering;
}

/* All that was awake in these slots is known now; what else there is comes by its due time. */
static void no_longer_fresh(struct turn *turn, const struct saga_list *list)
{
	for (size_t i = 0; i < list->n_ranges; i++) {
		for (int slot = list->ranges[i].first; slot <= list->ranges[i].last; slot++) {
			turn->n_fresh -= turn->slots[slot].fresh;
			turn->slots[slot].fresh = false;
		}
	}
	if (turn->n_fresh > 0)
		turn->poll_at = 1; /* slots came while the list was out */
}

void turn_poke(struct turn *turn)
{
	if (turn->poll_at != 0)
		turn->poll_at = 1;
	turn__inbox_want(turn);
}

void turn_listed(struct turn *turn, struct saga_list *list)
{
	turn->list_out = false;
	if (turn->list_stale) {
		/* A slot that was lost and came back meanwhile would be taken for known. */
		turn->list_stale = false;
		turn->poll_at = 1;
		saga_list_free(list);
		return;
	}
	if (list->result < 0) {
		log_warn("engine", NULL, "cannot list what is due: %s", list->err.text);
		turn->poll_at = turn->now + 1000;
		saga_list_free(list);
		return;
	}
	if (list->awake_too) {
		turn->listed_once = true;
		/* When there was more than fits, the rest is asked for when there is room again. */
		if (list->n < (size_t)list->limit)
			no_longer_fresh(turn, list);
	}
	free(turn->backlog);
	turn->backlog = TAKE(list->sagas);
	turn->backlog_n = list->n;
	turn->backlog_at = 0;
	saga_list_free(list);
}

void turn__park(struct turn *turn, struct live_saga *saga, const char *why)
{
	struct mail *mail;

	log_error("engine", saga->id, "parked: %s", why);
	turn->stats.sagas_parked++;
	turn__refuse_calls(turn, saga, ERR_CONFLICT,
					   "the saga is kept out of memory: its history cannot be used");
	turn__end_deliveries(turn, saga, ERR_FENCED);
	while ((mail = mail_list_pop(&saga->consumed)) || (mail = mail_list_pop(&saga->queue)))
		call_reply_free(mail_reply(mail));
	turn__stop_timers(turn, saga);
	turn__look_no_more(saga);
	saga_state_free(saga->state);
	saga->state = NULL;
	saga->phase = PHASE_PARKED;
}

/* What was decided on a state that is gone is decided again, before what came later. */
static void requeue_consumed(struct live_saga *saga)
{
	if (!saga->consumed.head)
		return;
	saga->consumed.tail->next = saga->queue.head;
	if (!saga->queue.tail)
		saga->queue.tail = saga->consumed.tail;
	saga->queue.head = saga->consumed.head;
	saga->consumed = (struct mail_list){0};
}

static void adopt(struct turn *turn, struct live_saga *saga, struct loaded_saga *loaded)
{
	bool landed = saga->row_unknown && loaded->seq >= saga->seq;

	saga->state = TAKE(loaded->state);
	saga->seq = saga->durable_seq = loaded->seq;
	saga->row_status = loaded->status;
	saga->row_due_at = loaded->due_at;
	attention_ref_release(&saga->row_attention);
	saga->row_attention = loaded->attention;
	loaded->attention = (struct attention_ref){0};
	saga->row_unknown = false;
	saga->phase = PHASE_IDLE;
	saga->recover = true;
	saga->may_wait = transition_may_wait(saga->state->def);
	if (landed)
		turn__finish_consumed(turn, saga, true);
	else
		requeue_consumed(saga);
	/* The load has looked for them. */
	saga->look = loaded->more_early;
	turn__inbox_feed_early(turn, saga, TAKE(loaded->early));
	turn__make_ready(turn, saga);
}

/* It is not in the store: a start that did not take effect is made again. */
static void was_not_found(struct turn *turn, struct live_saga *saga)
{
	requeue_consumed(saga);
	if (saga->queue.head && saga->queue.head->type == MAIL_CALL &&
		mail_call(saga->queue.head)->act == ENGINE_START) {
		saga->seq = saga->durable_seq = 0;
		saga->row_unknown = false;
		saga->phase = PHASE_IDLE;
		turn__make_ready(turn, saga);
		return;
	}
	turn__refuse_calls(turn, saga, ERR_NOT_FOUND, "no such saga");
	turn__end_deliveries(turn, saga, ERR_NOT_FOUND);
	turn__saga_free(turn, saga);
}

static void was_not_read(struct turn *turn, struct live_saga *saga,
						 const struct loaded_saga *loaded)
{
	log_warn("engine", saga->id, "cannot be loaded now: %s", loaded->err.text);
	turn__load_later(turn, saga);
}

void turn_loaded(struct turn *turn, struct loaded_saga *loaded)
{
	struct live_saga *saga = map_get(&turn->sagas, loaded->id);

	turn->loads_out--;
	if (!saga || saga->phase != PHASE_LOADING || saga->ticket != loaded->ticket) {
		/* Its slot was lost meanwhile, and perhaps gained again: this may be older than that. */
		CHECK(turn->many_nodes);
		loaded_saga_free(loaded);
		return;
	}
	if (loaded->result == 0)
		adopt(turn, saga, loaded);
	else if (loaded->result == ERR_NOT_FOUND)
		was_not_found(turn, saga);
	else if (loaded->result == ERR_INVALID || loaded->result == ERR_NOT_BUILT)
		turn__park(turn, saga, loaded->err.text);
	else
		was_not_read(turn, saga, loaded);
	loaded_saga_free(loaded);
}
