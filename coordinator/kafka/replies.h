/*
 * Replies to commands: one consumer of the reply topic for each cluster that has participants. A
 * reply goes to the engine if this node owns the saga's slot, else into the inbox of the store;
 * only when it is in a history or in the inbox does its offset move.
 *
 * A record that is no reply to a command of ours, or that cannot be read as one, is counted and
 * passed over: the command's time-out finds the answer out.
 */
#ifndef COORDINATOR_KAFKA_REPLIES_H
#define COORDINATOR_KAFKA_REPLIES_H

#include "connectors/kafka.h"
#include "coordinator/kafka/postbox.h"

struct replies_options {
	struct kafka_cluster *cluster; /* all are borrowed */
	const char *group;
	const char *topic;
	int partitions; /* of the topic, when it has to be made */
	int in_flight;
	struct engine *engine;
	struct postbox *postbox;
};

struct replies;
int replies_start(const struct replies_options *options, struct replies **ret_replies,
				  struct err *err) MUST_CHECK;
/* Offers again what the engine could not take a moment ago; makes the topic when it is missing.
 * To be called a few times a second. Thread: one. */
void replies_tick(struct replies *replies);
/* Takes no more, and commits what is done within grace_ms. After it replies_tick must not be
 * called. */
void replies_stop(struct replies *replies, int64_t grace_ms);
/* When the engine and the writer have stopped. Takes NULL. */
void replies_free(struct replies *replies);

/* Until replies_stop. Thread: that of replies_tick. */
struct kafka_consumer *replies_consumer(struct replies *replies);
/* False after replies_stop. Thread: any. */
bool replies_consumer_stats(struct replies *replies, struct kafka_consumer_stats *ret_stats);

struct replies_stats {
	int64_t taken, posted; /* into the inbox of another node's saga */
	int64_t foreign;       /* no correlation of ours */
	int64_t unreadable;
	int64_t lost; /* their saga does not exist (any more) */
};
/* Thread: any. */
void replies_stats(struct replies *replies, struct replies_stats *ret_stats);

#endif
