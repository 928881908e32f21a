/*
 * Events that sagas wait for (`await: {kafka}`) or are cancelled by (`cancel_on`): one consumer for
 * each cluster, of all topics that a definition names, and one thread for all of them.
 *
 *   record -> event -> each channel of its topic gives a value -> events_put -> offset
 *                                                     '-> inboxes of who waits -> owners woken
 *
 * A batch of records is looked at with what is deployed when the batch is there, so no saga can
 * wait for an event that was passed over for want of its definition.
 */
#ifndef COORDINATOR_KAFKA_EVENTS_H
#define COORDINATOR_KAFKA_EVENTS_H

#include "connectors/kafka.h"
#include "coordinator/kafka/owners.h"
#include "coordinator/registry.h"

struct events_options {
	struct store *store; /* all are borrowed */
	struct writer *writer;
	struct registry *registry;
	const struct owners *owners;
	struct kafka_cluster *const *clusters;
	size_t n_clusters;
	const char *group;
	int64_t keep_ms; /* how long an event is kept for who does not wait for it yet */
	int in_flight;
};

struct events;
int events_start(const struct events_options *options, struct events **ret_events,
				 struct err *err) MUST_CHECK;
/* Definitions were deployed here: look now. Thread: any. */
void events_deployed(struct events *events);
/* Takes no more, and ends the thread; what is not over comes again. */
void events_stop(struct events *events, int64_t grace_ms);
void events_free(struct events *events); /* after events_stop; takes NULL */

/*
 * Calls each with every topic that is consumed, under a lock: each may not block nor call back. The
 * consumer is borrowed, and valid until events_stop. Thread: any.
 */
void events_topics(struct events *events,
				   void (*each)(void *ctx, size_t cluster, struct kafka_consumer *consumer,
								const char *topic),
				   void *ctx);
/* Since then all versions that were deployed are listened to. Wall ms; 0: not yet. Thread: any. */
wall_ms events_looked_at(struct events *events);

struct events_stats {
	int64_t taken;      /* records */
	int64_t kept;       /* rows, one for each channel that gave a value */
	int64_t unreadable; /* records that are no event */
	int64_t refused;    /* rows that the store does not take */
	int64_t expired;    /* rows */
};
/* Thread: any. */
void events_stats(struct events *events, struct events_stats *ret_stats);

#endif
