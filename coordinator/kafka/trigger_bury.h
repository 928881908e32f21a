/*
 * The way of a record into the dead letters: first to the topic, unchanged but for headers that say
 * why, then into the store, where people browse it. Only when both have it is the record over. A
 * crash in between repeats it: twice in the topic perhaps, once in the store.
 *
 *   headers   skald-dlt-topic, -partition, -offset, -timestamp, -trigger, -reason, -message,
 *             -attempts
 *
 * A record that the topic will never take (it is larger than the topic allows) is kept in the store
 * alone, whose message then says so.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_BURY_H
#define COORDINATOR_KAFKA_TRIGGER_BURY_H

#include "connectors/kafka.h"
#include "connectors/store.h"
#include "coordinator/kafka/trigger_run.h"
#include "coordinator/writer.h"

struct burial {
	struct mail mail; /* the owner's */
	/* Filled in by the owner; borrowed until done. */
	struct run_record *record;
	const char *ns, *trigger, *topic; /* topic: of dead letters */
	struct kafka_producer *producer;
	struct writer *writer;
	/* Called once, on the producer's or writer's thread, or before bury returns; must not block. */
	void (*done)(struct burial *burial);
	void *ctx;
	/* Filled in before done. */
	int result;
	struct err err;
	/* Its own. */
	struct kafka_send send;
	struct kafka_header *headers;
	char *texts[8]; /* values of the headers that are added */
	struct buf row_headers;
	char *message;
	struct dead_letter_row row;
	struct writer_job job;
};

/* Begins; see done. */
void bury(struct burial *burial);
/* After done. */
void burial_release(struct burial *burial);

/* Appends headers as the store keeps them: [[name, base64 of the value or null], …]. */
void headers_write(const struct kafka_header *headers, size_t n, struct buf *out);

#endif
