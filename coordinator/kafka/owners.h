/*
 * Who owns slots, and waking them: what was written into the store for sagas of a slot is found by
 * its owner at its next poll, and sooner when it is told.
 */
#ifndef COORDINATOR_KAFKA_OWNERS_H
#define COORDINATOR_KAFKA_OWNERS_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/engine.h"
#include "coordinator/membership.h"

struct http_client;

struct owners {
	struct engine *engine;
	struct member *member; /* NULL: the store is of one process */
	struct http_client *http;
	int slot_count;
};

/* Wakes the owner of each slot that is true, this node or another, each once. Best effort. Thread:
 * any. */
void owners_wake(const struct owners *owners, const bool *slots);
/* The slots of this node, as of the last renewal: up to slot_count entries. Thread: any. */
size_t owners_here(const struct owners *owners, int *ret_slots);

#endif
