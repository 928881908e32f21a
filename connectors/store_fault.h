/*
 * A store around a store that fails on purpose: before the effect (nothing happened) or after it
 * (it happened and was reported as unknown). For the simulator and for failpoints.
 */
#ifndef CONNECTORS_STORE_FAULT_H
#define CONNECTORS_STORE_FAULT_H

#include "connectors/store.h"

enum store_fault {
	STORE_FAULT_NONE,
	STORE_FAULT_BEFORE,          /* ERR_UNAVAILABLE, nothing took effect */
	STORE_FAULT_UNKNOWN_DROPPED, /* ERR_UNKNOWN, nothing took effect */
	STORE_FAULT_UNKNOWN_LANDED,  /* ERR_UNKNOWN, it took effect */
	STORE_FAULT_UNKNOWN_LATE,    /* ERR_UNKNOWN, and it takes effect when settle is called */
};

/*
 * Takes over inner. choose is asked at each commit, and at each function that writes messages,
 * where what lands late lands at once. Reads pass through, unless choose_read (which may be NULL)
 * says that one fails.
 */
struct store *store_fault_new(struct store *inner, enum store_fault (*choose)(void *ctx),
							  bool (*choose_read)(void *ctx), void *ctx) MUST_CHECK;

#endif
