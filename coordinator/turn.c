/*
 * The turn: what comes in, who is ready, who waits, and when something has to happen without any
 * input. Deciding stands in turn_decide.c, what follows a commit in turn_commit.c, reading from
 * the store in turn_load.c.
 */
#include "coordinator/turn.h"

#include <string.h>

#include "coordinator/log.h"
#include "coordinator/turn_priv.h"
#include "sagas/state_json.h"

struct turn *turn_new(const struct turn_options *options)
{
	struct turn *turn = xcalloc(1, sizeof(*turn));

	turn->ports = options->ports;
	turn->ctx = options->ctx;
	turn->slot_count = options->slot_count;
	turn->slots = xcalloc((size_t)options->slot_count, sizeof(*turn->slots));
	turn->many_nodes = turn->recovering = options->many_nodes;
	for (int i = 0; i < options->slot_count && !options->many_nodes; i++) {
		turn->slots[i].state = SLOT_OWNED;
		turn->n_owned++;
	}
	turn->lifecycle = options->lifecycle;
	turn->tally = options->tally;
	turn->poll_every_ms = options->poll_every_ms ? options->poll_every_ms : POLL_EVERY_MS;
	turn->memory_max = options->memory_sagas_max ? options->memory_sagas_max : MEMORY_SAGAS_DEFAULT;
	turn->ready_tail = &turn->ready_head;
	turn->load_tail = &turn->load_head;
	turn->open = batch_new();
	buf_init(&turn->scratch, TRANSITION_MAX_BYTES);
	return turn;
}

void turn_free(struct turn *turn)
{
	struct map_entry *entry;
	size_t pos = 0;

	if (!turn)
		return;
	while ((entry = map_next(&turn->sagas, &pos))) {
		turn__saga_free(turn, entry->value);
		pos = 0; /* the map has changed */
	}
	turn__inbox_release(turn);
	map_release(&turn->sagas);
	heap_release(&turn->timers);
	heap_release(&turn->holds);
	heap_release(&turn->hooks);
	heap_release(&turn->wait_timers);
	batch_free(turn->open);
	batch_free(turn->spare);
	free(turn->backlog);
	free(turn->slots);
	buf_release(&turn->scratch);
	free(turn);
}

struct live_saga *turn__saga_new(struct turn *turn, const char *ns, const char *id)
{
	struct live_saga *saga = xcalloc(1, sizeof(*saga));

	memcpy(saga->id, id, strnlen(id, sizeof(saga->id) - 1));
	memcpy(saga->ns, ns, strnlen(ns, sizeof(saga->ns) - 1));
	saga->slot = saga_id_slot(id);
	saga->phase = PHASE_IDLE;
	CHECK(!map_put(&turn->sagas, saga->id, saga));
	return saga;
}

static void list_remove(struct live_saga **head, struct live_saga ***tail, struct live_saga *saga)
{
	struct live_saga **link = head;

	while (*link && *link != saga)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = saga->next;
	if (*tail == &saga->next)
		*tail = link;
	saga->next = NULL;
}

void turn__saga_free(struct turn *turn, struct live_saga *saga)
{
	struct mail *mail;

	turn__refuse_calls(turn, saga, ERR_UNAVAILABLE, "the server stops");
	turn__end_deliveries(turn, saga, ERR_UNAVAILABLE);
	turn__look_no_more(saga);
	while ((mail = mail_list_pop(&saga->consumed)) || (mail = mail_list_pop(&saga->queue)))
		call_reply_free(mail_reply(mail));
	if (saga->phase == PHASE_READY)
		list_remove(&turn->ready_head, &turn->ready_tail, saga);
	if (saga->phase == PHASE_LOADING)
		list_remove(&turn->load_head, &turn->load_tail, saga);
	if (saga->phase == PHASE_COMMITTING)
		decision_release(&saga->decision);
	turn__stop_timers(turn, saga);
	CHECK(map_remove(&turn->sagas, saga->id) == saga);
	saga_state_free(saga->state);
	attention_ref_release(&saga->row_attention);
	attention_ref_release(&saga->next_attention);
	free(saga->sent);
	free(saga->armed);
	free(saga);
}

void turn__make_ready(struct turn *turn, struct live_saga *saga)
{
	if (saga->phase != PHASE_IDLE)
		return;
	saga->phase = PHASE_READY;
	saga->next = NULL;
	*turn->ready_tail = saga;
	turn->ready_tail = &saga->next;
}

/* Answers and waiters. */

/* The saga as JSON text: whole when it has ended, brief otherwise. */
static void fill_json(struct turn *turn, struct engine_call *call, const struct saga_state *state)
{
	struct buf text;

	buf_init(&text, 0);
	if (call->ended)
		saga_state_write(state, turn->now, &text);
	else
		saga_state_write_brief(state, &text);
	if (!text.failed)
		call->saga_json = buf_take(&text, &call->saga_json_len);
	buf_release(&text);
}

void turn__answer(struct turn *turn, struct engine_call *call, struct live_saga *saga)
{
	if (saga) {
		call->seq = saga->durable_seq;
		call->status = saga->row_status;
	}
	if (saga && saga->state && saga->phase != PHASE_COMMITTING) {
		call->status = call->effect.status_after = saga->state->status;
		call->ended = saga_status_is_terminal(call->status);
		if (call->result == 0 && call->act != ENGINE_TASK)
			fill_json(turn, call, saga->state);
	}
	/* Values are not counted with atomics: they stay on this side. */
	jval_unref(call->input);
	call->input = NULL;
	if (call->task) {
		jval_unref(TAKE(call->task->output));
		jval_unref(TAKE(call->task->details));
	}
	if (call->doing)
		act_release(call->doing);
	free(TAKE(call->doing));
	turn->ports->answer(turn->ctx, call);
}

void turn__refuse(struct turn *turn, struct engine_call *call, enum err_code code, const char *text)
{
	call->result = err_set(&call->err, code, "%s", text);
	call->err.retriable = code == ERR_UNAVAILABLE || code == ERR_LIMIT;
	turn__answer(turn, call, NULL);
}

void turn__add_waiter(struct turn *turn, struct live_saga *saga, struct engine_call *call)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));

	waiter->call = call;
	waiter->saga = saga;
	waiter->next = saga->waiters;
	saga->waiters = waiter;
	heap_add(&turn->wait_timers, &waiter->timer, turn->now + call->wait_ms);
}

/* Takes the waiter at *link out of its saga, and gives its call. */
static struct engine_call *waiter_take(struct turn *turn, struct waiter **link)
{
	struct waiter *waiter = *link;
	struct engine_call *call = waiter->call;

	*link = waiter->next;
	heap_remove(&turn->wait_timers, &waiter->timer);
	free(waiter);
	return call;
}

void turn__answer_waiters(struct turn *turn, struct live_saga *saga)
{
	while (saga->waiters)
		turn__answer(turn, waiter_take(turn, &saga->waiters), saga);
}

void turn__answer_overdue(struct turn *turn, struct live_saga *saga)
{
	struct waiter **link = &saga->waiters;

	while (*link) {
		if ((*link)->call->wait_ms == 0)
			turn__answer(turn, waiter_take(turn, link), saga);
		else
			link = &(*link)->next;
	}
}

/* Takes the calls out of a list, and leaves all else. */
static void refuse_list(struct turn *turn, struct mail_list *list, enum err_code code,
						const char *text)
{
	struct mail_list kept = {0};
	struct mail *mail;

	while ((mail = mail_list_pop(list))) {
		if (mail->type == MAIL_CALL)
			turn__refuse(turn, mail_call(mail), code, text);
		else
			mail_list_push(&kept, mail);
	}
	*list = kept;
}

void turn__refuse_calls(struct turn *turn, struct live_saga *saga, enum err_code code,
						const char *text)
{
	refuse_list(turn, &saga->consumed, code, text);
	refuse_list(turn, &saga->queue, code, text);
	saga->n_calls = 0;
	while (saga->waiters)
		turn__refuse(turn, waiter_take(turn, &saga->waiters), code, text);
}

/*
 * The time of a wait is up. While the saga has an uncommitted transition its state may not be
 * shown: the call is then answered with the commit.
 */
static void wait_is_over(struct turn *turn, struct waiter *waiter)
{
	struct live_saga *saga = waiter->saga;
	struct waiter **link = &saga->waiters;

	heap_remove(&turn->wait_timers, &waiter->timer);
	if (saga->phase == PHASE_COMMITTING) {
		waiter->call->wait_ms = 0;
		return;
	}
	while (*link != waiter)
		link = &(*link)->next;
	turn__answer(turn, waiter_take(turn, link), saga);
	if (saga->phase == PHASE_IDLE)
		turn__rest(turn, saga);
}

/* Rest: what a saga does when there is nothing to decide. */

/* A call may be out though its step has ended, by a callback or an act: its answer is to be
 * recorded, so the saga stays in memory until it has come. */
static bool sleeps_well(const struct turn *turn, const struct live_saga *saga)
{
	return saga->n_sent == 0 && saga->row_due_at > turn->now + SLEEP_AFTER_MS &&
		   saga_state_in_flight(saga->state) == 0 && saga_state_may_sleep(saga->state) &&
		   !turn__looks(saga);
}

static void earlier(wall_ms *due, wall_ms at)
{
	if (at != 0 && (*due == 0 || at < *due))
		*due = at;
}

void turn__stop_timers(struct turn *turn, struct live_saga *saga)
{
	heap_remove(&turn->timers, &saga->timer);
	heap_remove(&turn->holds, &saga->hold);
	heap_remove(&turn->hooks, &saga->hook);
}

struct saga_due turn__due_times(const struct turn *turn, const struct live_saga *saga)
{
	struct saga_due due = saga_state_due(saga->state, turn->now);

	/* What was there before it began to wait may still end it, however far the queues are read. */
	if (turn__looks(saga))
		return due;
	/* For what the queues are read far enough is a time like others. */
	if (due.queued_at != 0 && due.queued_at <= turn->inbox.read_until) {
		earlier(&due.at, due.queued_at);
		due.queued_at = 0;
	}
	if (due.inbox_at != 0 && due.inbox_at <= turn->inbox.seen_until) {
		earlier(&due.at, due.inbox_at);
		due.inbox_at = 0;
	}
	return due;
}

/* When it must be looked at again without any input. */
static void set_timers(struct turn *turn, struct live_saga *saga)
{
	struct saga_due due = turn__due_times(turn, saga);
	wall_ms until =
		saga->may_wait && saga->row_due_at == 0 ? turn__sleep_until(saga, turn->now) : 0;

	if (due.at != 0 && due.at < saga->not_before)
		due.at = saga->not_before;
	if (until == 0)
		saga->sleep_at = 0;
	else if (saga->sleep_at == 0)
		saga->sleep_at = turn->now + SLEEP_AFTER_MS;
	earlier(&due.at, saga->sleep_at);
	if (saga->look)
		earlier(&due.at, saga->look_at);
	if (due.at != 0)
		heap_update(&turn->timers, &saga->timer, due.at);
	else
		heap_remove(&turn->timers, &saga->timer);
	if (due.queued_at != 0 && !turn__looks(saga))
		heap_update(&turn->holds, &saga->hold, due.queued_at);
	else
		heap_remove(&turn->holds, &saga->hold);
	if (due.inbox_at != 0 && !turn__looks(saga))
		heap_update(&turn->hooks, &saga->hook, due.inbox_at);
	else
		heap_remove(&turn->hooks, &saga->hook);
}

void turn__rest(struct turn *turn, struct live_saga *saga)
{
	if (!saga->state) {
		turn__saga_free(turn, saga);
		return;
	}
	if (saga_status_is_terminal(saga->state->status) ||
		(!saga->waiters && sleeps_well(turn, saga))) {
		turn__answer_waiters(turn, saga);
		turn__saga_free(turn, saga);
		return;
	}
	saga->phase = PHASE_IDLE;
	turn__look(turn, saga);
	set_timers(turn, saga);
}

/* Inputs. */

void turn_begin(struct turn *turn, wall_ms now)
{
	if (now > turn->now)
		turn->now = now;
}

/*
 * A saga stays in memory while the start of its child is tried. If the memory were full of such, no
 * child would ever start; so there is room for each depth that no other can take: the deepest come
 * to their end by themselves.
 */
static size_t memory_for(const struct turn *turn, const struct engine_call *call)
{
	return turn->memory_max + (call->parent ? (size_t)call->depth * MEMORY_SLACK : 0);
}

/* A start is refused before anything is done, when it is known that it cannot be carried out. */
static bool refuse_start(struct turn *turn, struct engine_call *call)
{
	if (!turn_owns_slot(turn, saga_id_slot(call->id))) {
		turn__refuse(turn, call, ERR_FENCED, "another node has the saga's slot");
		return true;
	}
	if (!turn_store_answers(turn)) {
		turn__refuse(turn, call, ERR_UNAVAILABLE, "the store does not answer");
		return true;
	}
	if (turn->sagas.n >= memory_for(turn, call)) {
		turn__refuse(turn, call, ERR_LIMIT, "too many sagas are open");
		return true;
	}
	if (map_get(&turn->sagas, call->id)) {
		turn__refuse(turn, call, ERR_CONFLICT, "the id is taken");
		return true;
	}
	return false;
}

/* The saga that an act is for, in memory or to be loaded; NULL when the call was refused. */
static struct live_saga *saga_for_act(struct turn *turn, struct engine_call *call)
{
	struct live_saga *saga = map_get(&turn->sagas, call->id);

	if (saga && strcmp(saga->ns, call->ns) == 0 && turn_owns_slot(turn, saga->slot)) {
		if (saga->phase == PHASE_PARKED)
			turn__refuse(turn, call, ERR_CONFLICT,
						 "the saga is kept out of memory: its history cannot be used");
		else if (saga->n_calls >= QUEUE_MAX)
			turn__refuse(turn, call, ERR_LIMIT, "too many calls wait for this saga");
		else
			return saga;
		return NULL;
	}
	if ((saga && strcmp(saga->ns, call->ns) != 0) || saga_id_slot(call->id) < 0 ||
		saga_id_slot(call->id) >= turn->slot_count) {
		turn__refuse(turn, call, ERR_NOT_FOUND, "no such saga");
		return NULL;
	}
	if (!turn_owns_slot(turn, saga_id_slot(call->id))) {
		turn__refuse(turn, call, ERR_FENCED, "another node has the saga's slot");
		return NULL;
	}
	if (turn->sagas.n >= turn->memory_max + MEMORY_SLACK) {
		turn__refuse(turn, call, ERR_LIMIT, "too many sagas are open");
		return NULL;
	}
	saga = turn__saga_new(turn, call->ns, call->id);
	turn__load_now(turn, saga);
	return saga;
}

void turn_call(struct turn *turn, struct engine_call *call)
{
	struct live_saga *saga;

	turn->stats.inputs++;
	call->mail.type = MAIL_CALL;
	if (turn->draining) {
		turn__refuse(turn, call, ERR_UNAVAILABLE, "the server stops");
		return;
	}
	if (call->act != ENGINE_START)
		saga = saga_for_act(turn, call);
	else
		saga = refuse_start(turn, call) ? NULL : turn__saga_new(turn, call->ns, call->id);
	if (!saga)
		return;
	saga->n_calls++;
	mail_list_push(&saga->queue, &call->mail);
	turn__make_ready(turn, saga);
}

void turn_reply(struct turn *turn, struct call_reply *reply)
{
	struct live_saga *saga = map_get(&turn->sagas, reply->saga_id);

	turn->stats.inputs++;
	turn->stats.calls_in_flight--;
	reply->mail.type = MAIL_REPLY;
	turn->stats.commands_published += reply->result == CALL_PUBLISHED;
	if (saga)
		turn__forget_sent(saga, reply);
	if (!saga || saga->phase == PHASE_PARKED) {
		turn->stats.late_replies += reply->result != CALL_PUBLISHED;
		log_debug("engine", reply->saga_id, "a reply came after the saga had ended");
		call_reply_free(reply);
		return;
	}
	mail_list_push(&saga->queue, &reply->mail);
	turn__make_ready(turn, saga);
}

void turn_reply_void(struct turn *turn, struct call_reply *reply)
{
	turn->stats.calls_in_flight--;
	call_reply_free(reply);
}

/* The turn itself. */

static void fire_timers(struct turn *turn)
{
	struct heap_node *node;

	while ((node = heap_min(&turn->timers)) && node->at <= turn->now) {
		struct live_saga *saga = CONTAINER_OF(node, struct live_saga, timer);
		int64_t late = turn->now - node->at;

		heap_remove(&turn->timers, node);
		if (saga->phase == PHASE_LOADING) {
			turn__load_now(turn, saga);
			continue;
		}
		turn->stats.timers_fired++;
		if (late > turn->stats.timer_lateness_ms_max)
			turn->stats.timer_lateness_ms_max = late;
		saga->timer_hit = true;
		turn__make_ready(turn, saga);
	}
}

void turn_run(struct turn *turn, bool timers)
{
	struct heap_node *node;
	struct live_saga *saga;

	while ((node = heap_min(&turn->wait_timers)) && node->at <= turn->now)
		wait_is_over(turn, CONTAINER_OF(node, struct waiter, timer));
	if (timers && !turn->draining)
		fire_timers(turn);
	while ((saga = turn->ready_head) && !batch_is_full(turn->open)) {
		turn->ready_head = saga->next;
		if (!turn->ready_head)
			turn->ready_tail = &turn->ready_head;
		saga->next = NULL;
		turn__decide(turn, saga);
	}
	if (!turn->draining) {
		turn__poll(turn);
		turn__inbox_run(turn);
	}
	turn__load_some(turn);
}

struct batch *turn_take_batch(struct turn *turn)
{
	struct batch *batch = turn->open;

	if (turn->out || batch->n == 0)
		return NULL;
	turn->out = batch;
	turn->open = turn->spare ? TAKE(turn->spare) : batch_new();
	return batch;
}

wall_ms turn_next_at(const struct turn *turn)
{
	const struct heap_node *node = heap_min(&turn->wait_timers);
	wall_ms at = node ? node->at : 0;

	if (turn->draining)
		return at;
	node = heap_min(&turn->timers);
	if (node && (at == 0 || node->at < at))
		at = node->at;
	if (!turn_store_answers(turn) && (at == 0 || turn->refuse_until < at))
		at = turn->refuse_until;
	if (turn->poll_at != 0 && turn->n_owned > 0 && !turn->list_out &&
		turn->backlog_at == turn->backlog_n && (at == 0 || turn->poll_at < at))
		at = turn->poll_at;
	earlier(&at, turn__inbox_next_at(turn));
	return at;
}

void turn_drain(struct turn *turn)
{
	struct map_entry *entry;
	struct heap_node *node;
	size_t pos = 0;

	turn->draining = true;
	while ((node = heap_min(&turn->wait_timers)))
		wait_is_over(turn, CONTAINER_OF(node, struct waiter, timer));
	while ((entry = map_next(&turn->sagas, &pos))) {
		struct live_saga *saga = entry->value;

		if (saga->phase == PHASE_LOADING) {
			turn__refuse_calls(turn, saga, ERR_UNAVAILABLE, "the server stops");
			turn__end_deliveries(turn, saga, ERR_UNAVAILABLE);
		}
	}
}

bool turn_is_quiet(const struct turn *turn)
{
	return turn->stats.calls_in_flight == 0 && turn->n_committing == 0 && !turn->ready_head;
}

bool turn_store_answers(const struct turn *turn)
{
	return turn->commit_failures == 0 || turn->now >= turn->refuse_until;
}

const struct engine_stats *turn_stats(struct turn *turn)
{
	turn->stats.sagas_in_memory = (int64_t)turn->sagas.n;
	turn->stats.inbox_in_memory = (int64_t)turn->inbox.n_fed;
	turn->stats.timers_held = (int64_t)turn->holds.n;
	turn->stats.queues_read_until = turn->inbox.read_until;
	return &turn->stats;
}

void turn_each_state(const struct turn *turn,
					 void (*each)(void *ctx, const struct saga_state *state, int64_t seq),
					 void *ctx)
{
	struct map_entry *entry;
	size_t pos = 0;

	while ((entry = map_next(&turn->sagas, &pos))) {
		const struct live_saga *saga = entry->value;

		if (saga->state && saga->phase != PHASE_COMMITTING)
			each(ctx, saga->state, saga->durable_seq);
	}
}
