/*
 * How a row of the outbox is added, for those who make them: emissions and lifecycle events.
 */
#ifndef SAGAS_OUTBOX_PRIV_H
#define SAGAS_OUTBOX_PRIV_H

#include "sagas/outbox.h"

/* What one row says. All borrowed; key NULL: the saga's id; payload NULL: none. */
struct outbox_message {
	const char *cluster, *topic, *key, *type;
	const char *payload;
	size_t payload_len;
	const struct request *own_headers; /* NULL: none */
};

/* ERR_LIMIT, ERR_NO_MEMORY; nothing is added then. */
int outbox__add(struct outbox *outbox, const struct outbox_origin *origin,
				const struct outbox_message *message, struct err *err) MUST_CHECK;

#endif
