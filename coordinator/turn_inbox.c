/*
 * The inbox: what arrived for the turn's sagas on other nodes, and events that sagas wait for. It
 * is read from its beginning, page by page, every now and then and when somebody says that there is
 * something; each row is fed once as long as it is in memory, and leaves the store with the
 * transition that consumed it, or by a job when it is of no use.
 *
 *   row --read--> fed --decided, committed--> gone
 *    ^             |'--of no use--> useless --job--> gone
 *    '-- not now --'
 *
 * A read that began before a row left may bring it once more; so who is gone is remembered until no
 * read is out.
 *
 * What proves that the topics were read up to a time, the watermark, is told from outside. It is
 * believed after a reading of the inbox that began later has been fed whole; it is read for that
 * only when some time-out waits for it. Webhooks and callbacks come through the inbox alone, so a
 * time-out of theirs waits only for a reading that began when it was due, or later.
 *
 * Early events: a saga that has begun to wait is told of the events that were there before. Who
 * keeps events looks the other way round (connectors/store.h, events_put), so one of both sees the
 * other. A load looks too, and until a look is done its saga's row is that of one awake: whoever
 * recovers the saga after a crash in between loads it, and so looks again.
 */
#include <string.h>

#include "coordinator/failpoint.h"
#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

/* What is known. */

static struct inbox_entry *entry_new(struct turn *turn, const struct delivery *delivery)
{
	struct inbox_entry *entry = xcalloc(1, sizeof(*entry));

	memcpy(entry->id, delivery->inbox_id, sizeof(entry->id));
	entry->slot = saga_id_slot(delivery->saga_id);
	CHECK(!map_put(&turn->inbox.known, entry->id, entry));
	turn->inbox.n_fed++;
	return entry;
}

static void forget(struct turn *turn, struct inbox_entry *entry)
{
	CHECK(map_remove(&turn->inbox.known, entry->id) == entry);
	if (!entry->gone)
		turn->inbox.n_fed--;
	free(entry);
}

/* Its row has left the store, or never was in it. */
static void is_gone(struct turn *turn, struct inbox_entry *entry)
{
	struct turn_inbox *inbox = &turn->inbox;

	if (!inbox->out && inbox->looks_out == 0) {
		forget(turn, entry);
		return;
	}
	entry->gone = true;
	entry->next = inbox->gone;
	inbox->gone = entry;
	inbox->n_fed--;
}

static void forget_gone(struct turn *turn)
{
	struct turn_inbox *inbox = &turn->inbox;

	while (inbox->gone && !inbox->out && inbox->looks_out == 0) {
		struct inbox_entry *entry = inbox->gone;

		inbox->gone = entry->next;
		forget(turn, entry);
	}
}

static void is_useless(struct turn *turn, struct inbox_entry *entry)
{
	entry->next = turn->inbox.useless;
	turn->inbox.useless = entry;
}

void turn__inbox_ended(struct turn *turn, const struct delivery *delivery, int result, bool removed)
{
	struct inbox_entry *entry = map_get(&turn->inbox.known, delivery->inbox_id);

	CHECK(entry && !entry->gone);
	if (result < 0 && result != ERR_NOT_FOUND)
		forget(turn, entry);
	else if (removed || delivery->early)
		is_gone(turn, entry);
	else
		is_useless(turn, entry);
}

void turn__inbox_release(struct turn *turn)
{
	struct map_entry *known;
	size_t pos = 0;

	while ((known = map_next(&turn->inbox.known, &pos)))
		free(known->value);
	map_release(&turn->inbox.known);
}

/* Removing. */

void inbox_removal_free(struct inbox_removal *removal)
{
	if (!removal)
		return;
	free(removal->rows);
	free(removal);
}

static void remove_useless(struct turn *turn)
{
	struct turn_inbox *inbox = &turn->inbox;
	struct inbox_removal *removal;
	struct inbox_entry **last;

	if (!inbox->useless || inbox->removing)
		return;
	removal = xcalloc(1, sizeof(*removal));
	removal->rows = xcalloc(STORE_PUT_MAX, sizeof(*removal->rows));
	for (last = &inbox->useless; *last && removal->n < STORE_PUT_MAX; last = &(*last)->next) {
		struct inbox_row *row = &removal->rows[removal->n++];

		row->slot = (*last)->slot;
		memcpy(row->id, (*last)->id, sizeof(row->id));
	}
	inbox->removing = inbox->useless;
	inbox->useless = *last;
	*last = NULL;
	if (turn->ports->remove_inbox(turn->ctx, removal))
		return;
	*last = inbox->useless;
	inbox->useless = TAKE(inbox->removing);
	inbox_removal_free(removal);
}

void turn_inbox_removed(struct turn *turn, struct inbox_removal *removal)
{
	struct turn_inbox *inbox = &turn->inbox;

	if (removal->result < 0)
		log_warn("engine", NULL, "%zu rows of no use cannot be removed from the inbox: %s",
				 removal->n, removal->err.text);
	while (inbox->removing) {
		struct inbox_entry *entry = inbox->removing;

		inbox->removing = entry->next;
		/* What could not be removed is read again, and is of no use again. */
		is_gone(turn, entry);
	}
	inbox_removal_free(removal);
}

/* Reading. */

/* It could not be read, or not all of it could be fed. */
static void try_again_later(struct turn *turn)
{
	turn->inbox.incomplete = turn->inbox.wanted = true;
	turn->inbox.not_before = turn->now + INBOX_AGAIN_MS;
}

void turn__inbox_want(struct turn *turn)
{
	turn->inbox.wanted = true;
}

void turn__inbox_slots_gained(struct turn *turn)
{
	turn->inbox.wanted = true;
	turn->inbox.incomplete = true; /* of what is being read, if anything is */
	turn->inbox.read_until = 0;
	turn->inbox.seen_until = 0;
}

static void add_slots(const struct turn *turn, struct inbox_read *read)
{
	read->slots = xcalloc((size_t)turn->n_owned, sizeof(*read->slots));
	for (int i = 0; i < turn->slot_count; i++)
		if (turn_owns_slot(turn, i))
			read->slots[read->n_slots++] = i;
}

static void ask_for_page(struct turn *turn)
{
	struct turn_inbox *inbox = &turn->inbox;
	struct inbox_read *read = inbox_read_new();

	add_slots(turn, read);
	read->after_at = inbox->after_at;
	read->after_id = xstrdup(inbox->after_id);
	inbox->out = true;
	turn->ports->read_inbox(turn->ctx, read);
}

/* Some time-out has passed that would take effect if the inbox were read now. */
static bool is_held_up(const struct turn *turn)
{
	const struct turn_inbox *inbox = &turn->inbox;
	const struct heap_node *node = heap_min(&turn->hooks);

	if (node && node->at <= turn->now)
		return true;
	node = heap_min(&turn->holds);
	return node && node->at <= inbox->told_until && inbox->told_until > inbox->read_until &&
		   !(inbox->reading && inbox->reading_until >= inbox->told_until);
}

void turn__inbox_run(struct turn *turn)
{
	struct turn_inbox *inbox = &turn->inbox;

	if (!turn->ports->read_inbox)
		return;
	remove_useless(turn);
	if (inbox->again_at != 0 && turn->now >= inbox->again_at) {
		inbox->again_at = 0;
		inbox->wanted = true;
	}
	if (inbox->out || turn->n_owned == 0)
		return;
	if (!inbox->reading && turn->now >= inbox->not_before && (inbox->wanted || is_held_up(turn))) {
		inbox->wanted = inbox->incomplete = false;
		inbox->reading = true;
		inbox->reading_until = inbox->told_until;
		inbox->reading_since = turn->now;
		inbox->after_at = 0;
		inbox->after_id[0] = '\0';
		inbox->again_at = turn->now + turn->poll_every_ms;
	}
	if (inbox->reading && inbox->n_fed < INBOX_MEMORY_ROWS)
		ask_for_page(turn);
}

wall_ms turn__inbox_next_at(const struct turn *turn)
{
	const struct turn_inbox *inbox = &turn->inbox;

	const struct heap_node *node = heap_min(&turn->hooks);
	wall_ms at = inbox->again_at;

	if (inbox->out || inbox->reading || turn->n_owned == 0)
		return 0;
	if (inbox->not_before > turn->now && (inbox->wanted || node))
		return inbox->not_before;
	return node && (at == 0 || node->at < at) ? node->at : at;
}

/* Time-outs that waited for it take effect. */
static void believe(struct turn *turn, wall_ms until)
{
	struct heap_node *node;

	if (until <= turn->inbox.read_until)
		return;
	turn->inbox.read_until = until;
	while ((node = heap_min(&turn->holds)) && node->at <= until) {
		struct live_saga *saga = CONTAINER_OF(node, struct live_saga, hold);

		heap_remove(&turn->holds, node);
		saga->timer_hit = true;
		turn__make_ready(turn, saga);
	}
}

/* The same of what comes through the inbox alone. */
static void has_seen(struct turn *turn, wall_ms until)
{
	struct heap_node *node;

	turn->inbox.seen_until = until;
	while ((node = heap_min(&turn->hooks)) && node->at <= until) {
		struct live_saga *saga = CONTAINER_OF(node, struct live_saga, hook);

		heap_remove(&turn->hooks, node);
		saga->timer_hit = true;
		turn__make_ready(turn, saga);
	}
}

void turn_queues_read(struct turn *turn, wall_ms until)
{
	if (until > turn->inbox.told_until)
		turn->inbox.told_until = until;
}

static void feed_row(struct turn *turn, struct delivery *delivery)
{
	struct live_saga *saga = NULL;
	int result = 0;

	if (map_get(&turn->inbox.known, delivery->inbox_id) || turn->draining) {
		/* Who stops feeds nothing more, so nothing is proved either. */
		turn->inbox.incomplete |= turn->draining;
		delivery_free(delivery);
		return;
	}
	if (delivery->result < 0)
		log_error("engine", delivery->saga_id, "a row of the inbox cannot be read: %s",
				  delivery->err.text);
	else
		saga = turn__saga_for_delivery(turn, delivery, &result);
	if (saga) {
		entry_new(turn, delivery);
		turn->stats.inbox_rows++;
		turn__queue_delivery(turn, saga, delivery);
		return;
	}
	if (result == ERR_UNAVAILABLE)
		try_again_later(turn);
	if (result == 0 || result == ERR_NOT_FOUND) /* cannot be read, or nobody is there */
		is_useless(turn, entry_new(turn, delivery));
	delivery_free(delivery);
}

static void page_read(struct turn *turn, struct inbox_read *read)
{
	struct turn_inbox *inbox = &turn->inbox;
	struct mail *mail, *next;

	inbox->out = false;
	if (read->result < 0) {
		log_warn("engine", NULL, "the inbox cannot be read: %s", read->err.text);
		inbox->reading = false;
		try_again_later(turn);
		return;
	}
	for (mail = TAKE(read->deliveries); mail; mail = next) {
		next = mail->next;
		feed_row(turn, mail_delivery(mail));
	}
	if (read->more) {
		inbox->after_at = read->after_at;
		memcpy(inbox->after_id, read->after_id, strnlen(read->after_id, UUID_SIZE - 1) + 1);
		return;
	}
	inbox->reading = false;
	if (inbox->incomplete)
		return;
	believe(turn, inbox->reading_until);
	has_seen(turn, inbox->reading_since);
}

/* Early events. */

bool turn__looks(const struct live_saga *saga)
{
	return saga->look || saga->looking || saga->look_on;
}

void turn__look_no_more(struct live_saga *saga)
{
	saga->look = false;
	saga->looking = 0;
	saga->look_at = 0;
	inbox_read_free(TAKE(saga->look_on));
}

void turn__look(struct turn *turn, struct live_saga *saga)
{
	struct inbox_read *read;

	if (saga->looking || (!saga->look && (!saga->look_on || saga->n_deliveries > 0)) ||
		turn->now < saga->look_at || turn->draining)
		return;
	if (!turn->ports->read_inbox) {
		turn__look_no_more(saga);
		return;
	}
	read = TAKE(saga->look_on);
	if (saga->look) {
		inbox_read_free(read);
		read = inbox_read_new();
		read->early = true;
		memcpy(read->ns, saga->ns, sizeof(read->ns));
		memcpy(read->saga_id, saga->id, sizeof(read->saga_id));
	}
	saga->look = false;
	read->ticket = saga->looking = ++turn->last_ticket;
	turn->inbox.looks_out++;
	failpoint(FP_LOOK_BEFORE);
	turn->ports->read_inbox(turn->ctx, read);
}

void turn__inbox_feed_early(struct turn *turn, struct live_saga *saga, struct mail *deliveries)
{
	struct mail *mail, *next;

	for (mail = deliveries; mail; mail = next) {
		struct delivery *delivery = mail_delivery(mail);

		next = mail->next;
		if (delivery->result < 0)
			log_error("engine", saga->id, "an event cannot be read: %s", delivery->err.text);
		if (delivery->result < 0 || map_get(&turn->inbox.known, delivery->inbox_id)) {
			delivery_free(delivery);
			continue;
		}
		delivery->early = true;
		entry_new(turn, delivery);
		turn->stats.early_events++;
		turn__queue_delivery(turn, saga, delivery);
	}
}

static void looked(struct turn *turn, struct inbox_read *read)
{
	struct live_saga *saga = map_get(&turn->sagas, read->saga_id);

	turn->inbox.looks_out--;
	if (!saga || saga->looking != read->ticket) {
		inbox_read_free(read);
		return;
	}
	saga->looking = 0;
	if (read->result < 0) {
		log_warn("engine", saga->id, "cannot look for events now: %s", read->err.text);
		saga->look = true;
		saga->look_at = turn->now + INBOX_AGAIN_MS;
	} else {
		turn__inbox_feed_early(turn, saga, TAKE(read->deliveries));
	}
	if (read->result == 0 && read->more) {
		inbox_read_clear(read);
		saga->look_on = TAKE(read);
	}
	inbox_read_free(read);
	if (saga->phase == PHASE_IDLE)
		turn__rest(turn, saga);
}

void turn_inbox_read(struct turn *turn, struct inbox_read *read)
{
	if (read->early) {
		looked(turn, read);
	} else {
		page_read(turn, read);
		inbox_read_free(read);
	}
	forget_gone(turn);
}
