/*
 * Which slots are the turn's, and how their sagas leave the memory when they are lost or given up.
 *
 * A slot that is lost has another owner already, so nothing of it may be decided, sent or answered
 * as done any more; a slot that is given up waits until what is uncommitted has ended, so that its
 * next owner reads all of it. In both cases the history is the truth, and calls that are owed are
 * made by who has the slot next.
 */
#include <string.h>

#include "coordinator/log.h"
#include "coordinator/turn_priv.h"

static const char moved_text[] = "the saga's slot has moved to another node";
static const char moved_midway_text[] =
	"the saga's slot moved to another node while this was written: look, or ask again";

static struct turn_slot *slot_of(struct turn *turn, int slot)
{
	CHECK(slot >= 0 && slot < turn->slot_count);
	return &turn->slots[slot];
}

bool turn_owns_slot(const struct turn *turn, int slot)
{
	return slot >= 0 && slot < turn->slot_count && turn->slots[slot].state == SLOT_OWNED;
}

int turn_slots_owned(const struct turn *turn)
{
	return turn->n_owned;
}

void turn__uncommit(struct turn *turn, const struct live_saga *saga)
{
	struct turn_slot *slot = slot_of(turn, saga->slot);

	CHECK(slot->committing > 0);
	slot->committing--;
}

void turn__add_ranges(const struct turn *turn, struct saga_list *list, bool fresh_only)
{
	int first = -1;

	for (int i = 0; i <= turn->slot_count; i++) {
		bool in = turn_owns_slot(turn, i) && (!fresh_only || turn->slots[i].fresh);

		if (in && first < 0)
			first = i;
		if (!in && first >= 0) {
			saga_list_add_range(list, first, i - 1);
			first = -1;
		}
	}
}

/* Gaining. */

static void gain(struct turn *turn, int slot_index)
{
	struct turn_slot *slot = slot_of(turn, slot_index);

	if (slot->state != SLOT_FOREIGN)
		return;
	slot->state = SLOT_OWNED;
	slot->fresh = true;
	turn->n_owned++;
	turn->n_fresh++;
}

void turn_slots_gained(struct turn *turn, const int *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		gain(turn, slots[i]);
	turn->joined = true;
	if (turn->n_fresh > 0)
		turn->poll_at = 1; /* at once */
	turn__inbox_slots_gained(turn);
}

void turn_recover(struct turn *turn)
{
	CHECK(!turn->many_nodes);
	turn->recovering = turn->joined = true;
	for (int i = 0; i < turn->slot_count; i++)
		turn->slots[i].fresh = true;
	turn->n_fresh = turn->slot_count;
	turn->poll_at = 1;
	turn__inbox_slots_gained(turn);
}

/* Dropping: the sagas of all slots that are marked. */

static bool is_marked(const struct turn *turn, const struct live_saga *saga)
{
	return turn->slots[saga->slot].marked;
}

/* Takes them out of a list in one walk; they are no longer in a phase that is in a list. */
static void unlink_marked(struct turn *turn, struct live_saga **head, struct live_saga ***tail)
{
	struct live_saga **link = head;

	while (*link) {
		struct live_saga *saga = *link;

		if (is_marked(turn, saga)) {
			*link = saga->next;
			saga->next = NULL;
			saga->phase = PHASE_IDLE;
		} else {
			link = &saga->next;
		}
	}
	*tail = link;
}

/* What is not handed over yet never will be. */
static void remove_from_open_batch(struct turn *turn)
{
	struct batch *batch = turn->open;
	size_t kept = 0;

	for (size_t i = 0; i < batch->n; i++) {
		struct live_saga *saga = batch->owners[i];

		if (is_marked(turn, saga))
			continue;
		batch->items[kept] = batch->items[i];
		batch->owners[kept++] = saga;
	}
	turn->n_committing -= batch->n - kept;
	batch->n = kept;
}

/* What is handed over may or may not land; nobody here cares any more. */
static void disown_batch_out(struct turn *turn)
{
	for (size_t i = 0; turn->out && i < turn->out->n; i++) {
		struct live_saga *saga = turn->out->owners[i];

		if (saga && is_marked(turn, saga))
			turn->out->owners[i] = NULL;
	}
}

static void end_calls(struct turn *turn, struct mail_list *list, enum err_code code,
					  const char *text)
{
	struct mail *mail;

	while ((mail = mail_list_pop(list))) {
		switch ((enum turn_mail)mail->type) {
		case MAIL_CALL:
			turn__refuse(turn, mail_call(mail), code, text);
			break;
		case MAIL_REPLY:
			call_reply_free(mail_reply(mail));
			break;
		case MAIL_DELIVERY:
			/* Landed or not: its next owner takes it, or finds that it was taken. */
			turn__end_delivery(turn, mail_delivery(mail), ERR_FENCED, false);
			break;
		}
	}
}

static void drop_saga(struct turn *turn, struct live_saga *saga)
{
	/* A transition that was refused had no effect; of others nobody here will know. */
	bool midway = saga->phase == PHASE_COMMITTING || saga->row_unknown;

	turn__answer_waiters(turn, saga);
	end_calls(turn, &saga->consumed, midway ? ERR_UNAVAILABLE : ERR_FENCED,
			  midway ? moved_midway_text : moved_text);
	end_calls(turn, &saga->queue, ERR_FENCED, moved_text);
	if (saga->phase == PHASE_COMMITTING)
		turn__uncommit(turn, saga);
	turn__saga_free(turn, saga);
}

/* Drops the sagas of marked slots; those with an uncommitted transition only when `all`. */
static size_t drop_marked(struct turn *turn, bool all)
{
	struct live_saga **sagas;
	struct map_entry *entry;
	size_t pos = 0, n = 0;

	/* They are gathered first, since the map changes under the walk. */
	sagas = xcalloc(turn->sagas.n + 1, sizeof(struct live_saga *));
	while ((entry = map_next(&turn->sagas, &pos))) {
		struct live_saga *saga = entry->value;

		if (is_marked(turn, saga) && (all || saga->phase != PHASE_COMMITTING))
			sagas[n++] = saga;
	}
	unlink_marked(turn, &turn->ready_head, &turn->ready_tail);
	unlink_marked(turn, &turn->load_head, &turn->load_tail);
	if (all) {
		remove_from_open_batch(turn);
		disown_batch_out(turn);
	}
	for (size_t i = 0; i < n; i++)
		drop_saga(turn, sagas[i]);
	free(sagas);
	return n;
}

static void set_state(struct turn *turn, struct turn_slot *slot, enum slot_state state)
{
	turn->n_owned += (state == SLOT_OWNED) - (slot->state == SLOT_OWNED);
	turn->n_releasing += (state == SLOT_RELEASING) - (slot->state == SLOT_RELEASING);
	turn->n_fresh -= slot->fresh;
	slot->fresh = false;
	slot->state = state;
}

static void unmark(struct turn *turn)
{
	for (int i = 0; i < turn->slot_count; i++)
		turn->slots[i].marked = false;
}

static void lose_marked(struct turn *turn)
{
	size_t n = drop_marked(turn, true);

	for (int i = 0; i < turn->slot_count; i++)
		if (turn->slots[i].marked)
			set_state(turn, &turn->slots[i], SLOT_FOREIGN);
	turn->list_stale = turn->list_out;
	if (n > 0)
		log_info("engine", NULL, "%zu sagas left the memory with their slots", n);
}

void turn_slots_lost(struct turn *turn, const int *slots, size_t n)
{
	bool any = false;

	CHECK(turn->many_nodes);
	for (size_t i = 0; i < n; i++) {
		struct turn_slot *slot = slot_of(turn, slots[i]);

		slot->marked = slot->state != SLOT_FOREIGN;
		any |= slot->marked;
	}
	if (any)
		lose_marked(turn);
	unmark(turn);
}

void turn_slots_lost_all(struct turn *turn)
{
	int *all = xcalloc((size_t)turn->slot_count, sizeof(*all));

	for (int i = 0; i < turn->slot_count; i++)
		all[i] = i;
	turn_slots_lost(turn, all, (size_t)turn->slot_count);
	free(all);
}

/* Slots to be released of which nothing is uncommitted any more. */
static void report_quiet(struct turn *turn)
{
	for (int i = 0; i < turn->slot_count; i++) {
		struct turn_slot *slot = &turn->slots[i];

		if (slot->state != SLOT_RELEASING || slot->committing > 0)
			continue;
		set_state(turn, slot, SLOT_FOREIGN);
		turn->ports->released(turn->ctx, i);
	}
}

void turn_slots_release(struct turn *turn, const int *slots, size_t n)
{
	CHECK(turn->many_nodes);
	for (size_t i = 0; i < n; i++) {
		struct turn_slot *slot = slot_of(turn, slots[i]);

		set_state(turn, slot, SLOT_RELEASING);
		slot->marked = true;
	}
	drop_marked(turn, false);
	turn->list_stale = turn->list_out;
	unmark(turn);
	report_quiet(turn);
}

void turn__slots_settle(struct turn *turn)
{
	int refused = 0;

	for (int i = 0; i < turn->slot_count; i++)
		refused += turn->slots[i].marked;
	if (refused > 0) {
		log_warn("engine", NULL, "the store refused %d slots: another node has them", refused);
		lose_marked(turn);
		for (int i = 0; i < turn->slot_count; i++)
			if (turn->slots[i].marked)
				turn->ports->fenced(turn->ctx, i);
		unmark(turn);
	}
	if (turn->n_releasing == 0)
		return;
	for (int i = 0; i < turn->slot_count; i++)
		turn->slots[i].marked = turn->slots[i].state == SLOT_RELEASING;
	drop_marked(turn, false);
	unmark(turn);
	report_quiet(turn);
}
