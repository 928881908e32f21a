/*
 * What a transition publishes to Kafka, as the rows of the outbox: written in the commit of the
 * history row, so an event is published exactly when what it tells of has happened.
 *
 * An id is a UUIDv5 of saga id, history sequence and place, the same however often the row is made
 * or sent; consumers tell duplicates by it. The columns are those that Debezium's outbox event
 * router expects (id, aggregatetype = topic, aggregateid = key, type, payload).
 *
 * Emissions of `emit` stand before the lifecycle events (sagas/lifecycle.h) of their transition.
 */
#ifndef SAGAS_OUTBOX_H
#define SAGAS_OUTBOX_H

#include <jansson.h>

#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/kafka_record.h"
#include "sagas/request.h"

struct outbox_event {
	int place; /* within the transition, from 0 */
	char id[UUID_SIZE];
	char *cluster, *topic, *key, *type;
	char *headers; /* JSON object of strings: content-type, ce_*, traceparent, the user's own */
	char *payload; /* NULL: none */
	size_t payload_len;
};

struct outbox {
	struct outbox_event *events;
	size_t n_events, cap_events;
};

/* The transition that the events come from. All borrowed. */
struct outbox_origin {
	const char *ns, *definition, *saga_id;
	int64_t seq; /* of its history row */
	wall_ms at;
};

void outbox_init(struct outbox *outbox);
void outbox_release(struct outbox *outbox);

/*
 * Adds a request of REQUEST_EMIT. Its own headers never replace Skald's. Without a key the saga's
 * id is the record's. ERR_LIMIT, ERR_NO_MEMORY.
 */
int outbox_add_emission(struct outbox *outbox, const struct outbox_origin *origin,
						const struct request *request, struct err *err) MUST_CHECK;

/* The column `headers` as the headers of a record, for who relays it. */
enum { OUTBOX_MAX_HEADERS = 64 };
struct outbox_headers {
	json_t *object; /* what the list borrows from */
	struct kafka_header list[OUTBOX_MAX_HEADERS];
	size_t n;
};
/* ERR_INVALID; on failure nothing has to be released. */
int outbox_headers_read(const char *json, size_t len, struct outbox_headers *ret_headers,
						struct err *err) MUST_CHECK;
void outbox_headers_release(struct outbox_headers *headers);

#endif
