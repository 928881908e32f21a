/*
 * What waits outside of the engine and the store: for a moment, or for another node's answer. A
 * stop of the process does not wait with it: waits_end ends all of them early.
 */
#ifndef COORDINATOR_WAITS_H
#define COORDINATOR_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

struct wait {
	int64_t until_us; /* on the monotonic clock; 0: until it is taken out, or all are ended */
	/* Called once, unless it is taken out before. Thread: that of waits, or who ends all. */
	void (*over)(struct wait *wait);
	/* The waits' own. */
	struct wait *prev, *next;
	bool in;
};

struct waits;

int waits_start(struct waits **ret_waits, struct err *err) MUST_CHECK;
/* False once all were ended: it is not taken in, and over is not called. Thread: any. */
bool waits_add(struct waits *waits, struct wait *wait) MUST_CHECK;
/* False: over was called, or is about to be; the wait is whose who gets that call. Thread: any. */
bool waits_remove(struct waits *waits, struct wait *wait) MUST_CHECK;
/* All are over now, and no more are taken in. Takes NULL. Thread: any. */
void waits_end(struct waits *waits);
/* After waits_end, or when there are none. Takes NULL. */
void waits_stop(struct waits *waits);

#endif
