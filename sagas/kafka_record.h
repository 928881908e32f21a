/*
 * A record of Kafka as a plain struct: what the core and the connector say to each other about one.
 *
 * Everything is borrowed from whoever took the record from the broker, and nothing but the names of
 * topic, cluster and headers ends in a NUL: keys, values and the values of headers are bytes.
 */
#ifndef SAGAS_KAFKA_RECORD_H
#define SAGAS_KAFKA_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "sagas/base/time.h"

struct kafka_header {
	const char *name;
	const char *value; /* NULL: a header without a value */
	size_t value_len;
};

struct kafka_record {
	const char *cluster;
	const char *topic;
	int partition;   /* -1: the producer's partitioner chooses */
	int64_t offset;  /* -1: not yet known */
	wall_ms at;      /* the broker's or the producer's timestamp; 0: none */
	const char *key; /* NULL: none */
	size_t key_len;
	const char *value; /* NULL: none (a tombstone) */
	size_t value_len;
	const struct kafka_header *headers; /* in the order of the record; names may repeat */
	size_t n_headers;
};

#endif
