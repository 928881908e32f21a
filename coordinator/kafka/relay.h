/*
 * The relay: publishes the outbox of this node's slots, and removes what the brokers have
 * acknowledged. At least once, each row under its own id; those of one saga in the order of its
 * history, since the next is sent when the one before it is acknowledged.
 *
 * With change data capture somebody else publishes; then it only removes rows after a while.
 */
#ifndef COORDINATOR_KAFKA_RELAY_H
#define COORDINATOR_KAFKA_RELAY_H

#include "coordinator/kafka/commands.h"
#include "coordinator/kafka/owners.h"
#include "coordinator/writer.h"

struct relay_options {
	struct store *store; /* all are borrowed */
	struct writer *writer;
	const struct owners *owners;
	kafka_producer_of *producer;
	void *ctx;
	bool cdc;
};

struct relay;
int relay_start(const struct relay_options *options, struct relay **ret_relay,
				struct err *err) MUST_CHECK;
/* There are new rows. Thread: any; never blocks. */
void relay_wake(struct relay *relay);
/* Publishes what is there, for up to grace_ms, and ends. */
void relay_stop(struct relay *relay, int64_t grace_ms);
void relay_free(struct relay *relay); /* when the producers have ended; takes NULL */

struct relay_stats {
	int64_t published, failed; /* records, attempts */
	int64_t stuck;             /* rows that were last refused */
	int64_t oldest_ms;         /* age of the oldest row at the last look; 0: none */
};
/* Thread: any. */
void relay_stats(struct relay *relay, struct relay_stats *ret_stats);

#endif
