/*
 * What is posted to a webhook, as `event` of expressions. Pure.
 *
 *   {"id","type","source","time","data","headers","envelope"}
 *
 * A body with a text `type` and a member `data` is an envelope, as Standard Webhooks and
 * CloudEvents have it: then `data` is its data, and `envelope` holds its other members. Any other
 * body is the data itself. What gives no type or time has none, or the time at which it came.
 */
#ifndef SAGAS_WEBHOOK_EVENT_H
#define SAGAS_WEBHOOK_EVENT_H

#include <jansson.h>

#include "sagas/base/time.h"
#include "sagas/hash.h"

/* The headers that `event.headers` shows, in small letters; NULL ends them. */
extern const char *const webhook_headers[];

struct webhook_post {
	const char *source;
	json_t *body; /* as it was read; borrowed */
	const char *text;
	size_t len;
	const char *(*header)(void *ctx, const char *name); /* NULL: it has none */
	void *ctx;
	wall_ms now;
};

enum { WEBHOOK_ID_SIZE = 129 };

/*
 * The id that tells a delivery from its repetition: webhook-id, Idempotency-Key,
 * X-GitHub-Delivery, or a hash of the body. What could not stand in an id is hashed.
 */
void webhook_event_id(const struct webhook_post *post, char ret[WEBHOOK_ID_SIZE]);
/* The caller's. */
json_t *webhook_event(const struct webhook_post *post, const char *id);

#endif
