/*
 * What a node is told of Kafka. Everything is borrowed from whoever made it, for as long as the
 * node runs.
 */
#ifndef COORDINATOR_KAFKA_SETTINGS_H
#define COORDINATOR_KAFKA_SETTINGS_H

#include "connectors/kafka.h"
#include "sagas/reply_profile.h"

/* A service that is reached by commands. */
struct kafka_participant {
	const char *name;
	const char *cluster;
	const char *topic; /* of its commands */
	enum reply_profile profile;
};

struct kafka_settings {
	const struct kafka_cluster_options *clusters; /* by name; none: no Kafka */
	size_t n_clusters;
	const struct kafka_participant *participants;
	size_t n_participants;
	const char *group_prefix; /* "skald" */
	const char *reply_topic;  /* on each cluster that has participants */
	int reply_partitions;     /* when it is made */
	const char *events_topic; /* of lifecycle events, on the cluster `default`; NULL: none */
	bool cdc;                 /* the outbox is read by someone else */
	int64_t early_events_ms;  /* how long an event is kept for who does not await it yet */
	int in_flight;            /* records of a partition that are worked on at a time */
};

#endif
