/*
 * What a transition carries into its commit beside the history: rows of the outbox (records that it
 * publishes) and of the subscriptions (events that it waits for, or no longer), tasks that wait for
 * somebody outside, messages to other sagas, and locks. Made alike by the
 * engine's turn and by creations for other nodes.
 */
#ifndef COORDINATOR_TRANSITION_H
#define COORDINATOR_TRANSITION_H

#include "coordinator/batch.h"
#include "sagas/decide.h"
#include "sagas/lifecycle.h"

/* How the labels of definitions are named among the search values of their sagas. */
#define SEARCH_LABEL_PREFIX "label."

/* Where lifecycle events go; topic NULL: they are not published. */
struct lifecycle_topic {
	const char *cluster, *topic;
};

/*
 * Fills in the rows of item, whose saga, seq and time are set, with memory of arena. state is the
 * one after the transition; before is looked at only when lifecycle events are published. An error
 * (ERR_LIMIT, ERR_NO_MEMORY) means that the transition cannot be stored.
 */
int transition_add_messages(struct batch *arena, const struct saga_state *state,
							const struct decision *decision, const struct lifecycle_topic *topic,
							const struct lifecycle_before *before, struct store_item *item,
							struct err *err) MUST_CHECK;

/* What the saga is found by, for the item that creates it; and whether it may take a key over. */
void transition_add_search(struct batch *arena, const struct saga_state *state,
						   struct store_item *item);
/* Whether there is any. */
bool transition_has_search(const struct saga_state *state);

/*
 * The row of the ledger for the compensation of an action, as the state now says it, with memory of
 * arena; item -1: the step's only one. request: NULL where it is not known yet, or stands in the
 * row already; it is written into scratch, which is empty, on its way.
 */
void transition_compensation(struct batch *arena, const struct saga_state *state, int step,
							 int item, const struct request *request, struct buf *scratch,
							 struct compensation_row *row);
/* The word of the ledger: "http", "saga" … */
const char *transition_action_text(enum action_kind kind);

/* Whether sagas of the definition may wait for events. */
bool transition_may_wait(const struct saga_def *def);

#endif
