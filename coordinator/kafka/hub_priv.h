/* What hub.c and hub_metrics.c share. */
#ifndef COORDINATOR_KAFKA_HUB_PRIV_H
#define COORDINATOR_KAFKA_HUB_PRIV_H

#include <pthread.h>

#include "coordinator/kafka/commands.h"
#include "coordinator/kafka/events.h"
#include "coordinator/kafka/hub.h"
#include "coordinator/kafka/relay.h"
#include "coordinator/kafka/replies.h"
#include "coordinator/kafka/watermark.h"

struct hub_cluster {
	struct kafka_cluster *cluster;
	struct kafka_producer *producer;
	struct replies *replies; /* NULL: it has no participants */
};

struct hub {
	const struct kafka_settings *settings;
	struct kafka_cluster **clusters; /* the same as in `each`, for those who want an array */
	struct hub_cluster *each;        /* n_clusters */
	struct commands *commands;
	char *reply_group, *events_group;
	int64_t complain_at_ms; /* the engine's thread's own */

	/* From hub_start on. */
	struct hub_start start;
	struct engine *engine;
	struct owners owners;
	struct postbox *postbox;
	struct triggers *triggers;
	struct events *events;
	struct relay *relay;

	pthread_t keeper;
	bool keeping;
	pthread_mutex_t mutex; /* of these, and of taking producers away: */
	pthread_cond_t changed;
	bool stopping;
	struct watermark *watermark; /* the keeper's own */
	wall_ms read_until;          /* atomic, for metrics */
};

#endif
