/*
 * How far the queues are read: the time t such that all that stood in the topics of replies and
 * events at t has been processed, by whichever node. What ran out then may take effect; what
 * arrived wins.
 *
 *   t: the brokers are asked for the ends ----> all partitions processed up to there ----> t is
 * told
 *
 * Of partitions that this node has, its own consumer says how far it is; of others, what their
 * group has committed. While the brokers do not answer nothing is told, so an outage holds the
 * time-outs back until what came in it is read.
 */
#ifndef COORDINATOR_KAFKA_WATERMARK_H
#define COORDINATOR_KAFKA_WATERMARK_H

#include "connectors/kafka.h"

enum { WATERMARK_QUEUES_MAX = 256, WATERMARK_ASK_MS = 2000 };

/* One topic that is read. */
struct watermark_queue {
	struct kafka_cluster *cluster;
	struct kafka_consumer *consumer; /* this node's; NULL: none yet */
	const char *group;
	char topic[KAFKA_TOPIC_SIZE];
};

struct watermark;
struct watermark *watermark_new(void) MUST_CHECK;
void watermark_free(struct watermark *watermark); /* takes NULL */

/*
 * Asks and looks; queues are all that are read now, and `now` was read before they were listed.
 * Returns the newest time that holds for all of them, 0 as long as there is none. May wait for
 * brokers, WATERMARK_ASK_MS for each queue. Thread: one.
 */
wall_ms watermark_step(struct watermark *watermark, const struct watermark_queue *queues, size_t n,
					   wall_ms now);

#endif
