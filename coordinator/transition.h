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

/* Whether sagas of the definition may wait for events. */
bool transition_may_wait(const struct saga_def *def);

#endif
