/*
 * What arrived at this node for sagas of others: written into the inbox of the store, many in one
 * commit, and their owners are woken.
 */
#ifndef COORDINATOR_KAFKA_POSTBOX_H
#define COORDINATOR_KAFKA_POSTBOX_H

#include "coordinator/kafka/owners.h"
#include "coordinator/writer.h"
#include "sagas/base/buf.h"

/* One row on its way. */
struct parcel {
	struct parcel *next;
	struct inbox_row row; /* message borrows from `message`, ns from the caller until done */
	struct buf message;
	/* Called once, on the writer's thread or from within postbox_put; must not block. 0: it is in
	 * the inbox; else it is not, or nobody knows, and it may be put again. */
	void (*done)(struct parcel *parcel, int result);
};

struct postbox;
/* Everything is borrowed, and outlives it. */
struct postbox *postbox_new(struct writer *writer, const struct owners *owners) MUST_CHECK;
/* When the writer has stopped. Takes NULL. */
void postbox_free(struct postbox *postbox);
/* Thread: any. */
void postbox_put(struct postbox *postbox, struct parcel *parcel);

#endif
