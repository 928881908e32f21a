/*
 * Locks: one holder a key, who asked first first; who thinks that it holds one does; and who has
 * ended holds none.
 */
#include <string.h>

#include "tests/sim/sim.h"

enum {
	KEYS = 5,
	TICKET_TIME = 13, /* characters that tell the millisecond */
};

static void fail(struct sim *sim, const char *saga_id, const char *where, const char *what)
{
	CLEANUP(free_p) char *text = xasprintf("%s: %s", where, what);

	sim_fail(sim, saga_id, text);
}

struct line {
	struct sim *sim;
	char key[8];
	int n;
	bool held;            /* by the last */
	char last[UUID_SIZE]; /* ticket */
};

static int look_at_place(void *ctx, const struct lock_row *row)
{
	struct line *line = ctx;
	struct oracle_saga *saga = oracle_saga(&line->sim->oracle, row->saga_id);

	if (row->held && line->n > 0)
		fail(line->sim, row->saga_id, row->key, "it is held by one that is not first in line");
	/* It may have been granted before another asked in the same millisecond. */
	if (line->n > 0 && (line->held ? memcmp(row->ticket, line->last, TICKET_TIME) < 0
								   : strcmp(row->ticket, line->last) <= 0))
		fail(line->sim, row->saga_id, row->key,
			 "the line for the key is not in the order of tickets");
	if (saga && saga_status_is_terminal(saga->fold->status))
		fail(line->sim, row->saga_id, row->key, "it has ended, and stands in line for the key");
	line->held = row->held;
	memcpy(line->last, row->ticket, sizeof(line->last));
	line->n++;
	return 0;
}

struct holder {
	const struct oracle_saga *saga;
	int step, item;
	int n, held;
};

static int count_held(void *ctx, const struct lock_row *row)
{
	struct holder *holder = ctx;

	if (strcmp(row->step, holder->saga->def->steps[holder->step].id) != 0 ||
		(row->item < 0 ? 0 : row->item) != holder->item)
		return 0;
	holder->n++;
	holder->held += row->held;
	return 0;
}

/* What the history says to be held is held, all of it, whatever happened since. */
static void check_holder(struct sim *sim, const struct oracle_saga *saga, int step, int item)
{
	const struct action_state *action = &saga->fold->steps[step].actions[item];
	struct holder holder = {.saga = saga, .step = step, .item = item};
	struct world *world = &sim->world;
	size_t keys;
	struct err err;

	if (!action->locked || saga_status_is_terminal(saga->fold->status))
		return;
	keys = json_array_size(json_object_get(jval_json(action->lock), "keys"));
	if (world->inner->ops->locks_list(world->truth, NULL, NULL, saga->id, 1000, count_held, &holder,
									  &err) < 0)
		fail(sim, saga->id, err.text, "the locks cannot be read");
	if (holder.held != (int)keys || holder.n != (int)keys)
		fail(sim, saga->id, saga->def->steps[step].id,
			 "it holds its keys by its history, and not in the store");
}

void locks_check(struct sim *sim)
{
	struct world *world = &sim->world;
	struct err err;

	/* Rows that are committed, and not read by the oracle yet, would be found to differ. */
	for (int i = 0; i < KEYS; i++) {
		struct line line = {.sim = sim};

		snprintf(line.key, sizeof(line.key), "k%d", i);
		if (world->inner->ops->locks_list(world->truth, WORLD_NS, line.key, NULL, 1000,
										  look_at_place, &line, &err) < 0)
			fail(sim, "", err.text, "the locks cannot be read");
	}
	for (struct oracle_saga *saga = sim->oracle.first; saga; saga = saga->next)
		for (int i = 0; saga->def->locks && i < saga->def->n_steps; i++)
			for (int j = 0; j < saga->fold->steps[i].n_actions; j++)
				check_holder(sim, saga, i, j);
}
