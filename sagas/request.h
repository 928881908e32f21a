/*
 * A call to a participant, materialised: the bytes that every attempt sends. It is made once,
 * stored in the history with the event that schedules it, and never computed again.
 *
 * Immutable after it was made; counted with atomics, because the thread that sends it holds a
 * reference while the engine goes on.
 */
#ifndef SAGAS_REQUEST_H
#define SAGAS_REQUEST_H

#include <jansson.h>
#include <stddef.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"

struct request {
	int refs;
	char *to;       /* participant */
	char *method;   /* "POST" */
	char *path;     /* with the query, encoded: "/a/b?c=d" */
	char *key;      /* idempotency key */
	char **headers; /* "Name: value", NULL-terminated; NULL: none. Without the key */
	char *body;     /* NULL: none */
	size_t body_len;
	char *content_type; /* of the body */
};

struct request *request_new(void) MUST_CHECK;
struct request *request_ref(struct request *request);
void request_unref(struct request *request);
DEFINE_CLEANUP(struct request *, request_unref)

/* {"to","method","path","key","headers":[…],"body":…|"body_text":"…","content_type"} */
void request_write(const struct request *request, struct buf *out);
int request_from_json(const json_t *json, struct request **ret_request, struct err *err) MUST_CHECK;

#endif
