/*
 * The headers of a record while they are put together: shared by those who lay out commands and
 * those who fill the outbox, so that both say the same things in the same words.
 */
#ifndef SAGAS_MESSAGE_PRIV_H
#define SAGAS_MESSAGE_PRIV_H

#include <stdbool.h>

#include "sagas/kafka_record.h"
#include "sagas/request.h"

/* More than what requests may bring (RECORD_MAX_HEADERS of RECORD_HEADER_MAX_BYTES, which say so
 * where a definition's author is told) and what Skald adds to them. */
enum { MESSAGE_MAX_HEADERS = 64, MESSAGE_MAX_HEADER_BYTES = 512 * 1024 };

/* Names and values stand in `bytes`, each with a NUL behind it; the places are offsets, because the
 * bytes move while they grow. */
struct message_headers {
	struct buf bytes;
	struct {
		size_t name, value, value_len;
	} places[MESSAGE_MAX_HEADERS];
	size_t n;
	bool too_many;
};

/* What a CloudEvent of ours says of itself. All borrowed; subject and at may be NULL and 0. */
struct message_context {
	const char *id, *type, *subject;
	const char *ns, *definition; /* give the source */
	const char *saga_id;         /* gives the trace */
	int64_t attempt;
	wall_ms at;
};

void message__init(struct message_headers *headers);
void message__release(struct message_headers *headers);
void message__add(struct message_headers *headers, const char *name, const char *value, size_t len);
void message__add_str(struct message_headers *headers, const char *name, const char *value);
/* ce_*, content-type where there is data, traceparent. */
void message__add_context(struct message_headers *headers, const struct message_context *context,
						  bool has_data);
/* traceparent alone */
void message__add_trace(struct message_headers *headers, const struct message_context *context);
/* The request's own, except what Skald says, or would say in another profile. */
void message__add_own(struct message_headers *headers, const struct request *request);
/* Calls each for the request's own headers that may stand beside Skald's. */
void message__own(const struct request *request,
				  void (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* Fills list, which borrows from headers; ERR_LIMIT, ERR_NO_MEMORY. */
int message__finish(const struct message_headers *headers, struct kafka_header *list,
					struct err *err) MUST_CHECK;

#endif
