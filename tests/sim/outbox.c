/*
 * S18: what is published is what the history tells. Each row of the history that says that a record
 * was emitted has this record in the outbox, from the commit on until it is published; nothing else
 * is in there; and the records of a saga leave in the order of its history, each under one id.
 */
#include <string.h>

#include "tests/sim/sim.h"

static struct expected *find(const struct sim *sim, const struct outbox_row *row)
{
	struct expected *expected;

	for (expected = sim->expected; expected; expected = expected->next)
		if (expected->seq == row->seq && expected->place == row->place &&
			strcmp(expected->saga_id, row->saga_id) == 0)
			return expected;
	return NULL;
}

/* A start that was given up long ago may have landed late, and been read by nobody yet. */
static struct expected *find_or_read(struct sim *sim, const struct outbox_row *row)
{
	struct expected *expected = find(sim, row);

	if (expected || !oracle_saga(&sim->oracle, row->saga_id))
		return expected;
	return find(sim, row);
}

void published_event(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	const struct step_def *def = event->step >= 0 ? &saga->def->steps[event->step] : NULL;
	const struct action_def *act = NULL;
	struct expected *expected, *other;

	if (event->type == EV_STEP_SCHEDULED && def->act.kind == ACTION_EMIT)
		act = &def->act;
	if (event->type == EV_COMPENSATION_STARTED) {
		act = oracle_undo_def(saga, event->step, event->item);
		if (act->kind != ACTION_EMIT)
			act = NULL;
	}
	if (!act)
		return;
	expected = xcalloc(1, sizeof(*expected));
	memcpy(expected->saga_id, saga->id, sizeof(expected->saga_id));
	expected->seq = saga->seq + 1;
	expected->type = act->emit.type;
	for (other = sim->expected; other; other = other->next)
		expected->place +=
			other->seq == expected->seq && strcmp(other->saga_id, expected->saga_id) == 0;
	*sim->expected_last = expected;
	sim->expected_last = &expected->next;
}

static int look_at(void *ctx, const struct outbox_row *row)
{
	struct sim *sim = ctx;
	struct expected *expected = find_or_read(sim, row);

	sim->outbox_rows++;
	if (!expected)
		sim_fail(sim, row->saga_id, "S18 a record in the outbox that no history tells of");
	if (expected->removed)
		sim_fail(sim, row->saga_id, "S18 a record comes back into the outbox");
	if (strcmp(row->type, expected->type) != 0)
		sim_fail(sim, row->saga_id, "S18 another record than the history tells of");
	expected->seen = true;
	return 0;
}

void published_check(struct sim *sim)
{
	int slots[WORLD_SLOTS];
	struct outbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = 1000};
	struct expected *expected;
	struct err err;

	for (int i = 0; i < WORLD_SLOTS; i++)
		slots[i] = i;
	for (expected = sim->expected; expected; expected = expected->next)
		expected->seen = false;
	sim->outbox_rows = 0;
	if (sim->world.inner->ops->outbox_list(sim->world.truth, &page, look_at, sim, &err) < 0)
		sim_fail(sim, "", err.text);
	for (expected = sim->expected; expected; expected = expected->next) {
		expected->removed |= expected->maybe_removed && !expected->seen;
		if (!expected->removed && !expected->seen)
			sim_fail(sim, expected->saga_id,
					 "S18 a history tells of a record that is not in the outbox");
	}
}

int published_take(void *ctx, const struct outbox_row *row)
{
	struct published_page *page = ctx;
	struct sim *sim = page->sim;
	struct expected *expected = find_or_read(sim, row), *other;

	if (!expected)
		sim_fail(sim, row->saga_id, "S18 a record is published that no history tells of");
	if (expected->published && strcmp(expected->id, row->id) != 0)
		sim_fail(sim, row->saga_id, "S18 a record is published under two ids");
	for (other = sim->expected; other; other = other->next) {
		if (other != expected && other->published && strcmp(other->id, row->id) == 0)
			sim_fail(sim, row->saga_id, "S18 two records are published under one id");
		if (other != expected && !other->published &&
			strcmp(other->saga_id, expected->saga_id) == 0 &&
			(other->seq < expected->seq ||
			 (other->seq == expected->seq && other->place < expected->place)))
			sim_fail(sim, row->saga_id, "S18 a record is published before an earlier one");
	}
	memcpy(expected->id, row->id, sizeof(expected->id));
	expected->published = true;
	outbox_row_copy(row, &page->rows[page->n++]);
	sim->options.coverage->published++;
	return 0;
}

void published_gone(struct sim *sim, const struct published_page *page, bool certain)
{
	for (size_t i = 0; i < page->n; i++) {
		struct expected *expected = find(sim, &page->rows[i]);

		expected->removed |= certain;
		expected->maybe_removed = true;
	}
}

void published_judge(struct sim *sim)
{
	const struct expected *expected;

	published_check(sim);
	for (expected = sim->expected; expected; expected = expected->next)
		if (!expected->published)
			sim_fail(sim, expected->saga_id, "S18 a record was never published");
}

void published_release(struct sim *sim)
{
	struct expected *expected;

	while ((expected = sim->expected)) {
		sim->expected = expected->next;
		free(expected);
	}
}
