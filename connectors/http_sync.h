/*
 * One HTTP exchange after another, each waited for: for the command line and for tests. The
 * connection is kept open between them. What a coordinator does beside other work goes through
 * http_client.h instead.
 *
 * It follows no redirect and interprets nothing.
 */
#ifndef CONNECTORS_HTTP_SYNC_H
#define CONNECTORS_HTTP_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"

/* A page of a thousand sagas or a long history; far more than any one answer of a participant. */
enum { HTTP_SYNC_MAX_BYTES = 256 * 1024 * 1024, HTTP_SYNC_MAX_HEADERS = 16 };

struct http_sync; /* belongs to one thread at a time */

struct http_sync_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const char *body;           /* NULL: none */
	size_t body_len;
	int64_t timeout_ms; /* in total */
};

struct http_sync_reply {
	int status;
	char *body; /* NUL-terminated, never NULL */
	size_t body_len;
	char content_type[128];
	char etag[128];
	char location[512];
	int64_t retry_after_s; /* -1: not said */
};

int http_sync_new(struct http_sync **ret_sync, struct err *err) MUST_CHECK;
void http_sync_free(struct http_sync *sync);
DEFINE_CLEANUP(struct http_sync *, http_sync_free)

/*
 * 0: an answer came, whatever its status. ERR_UNAVAILABLE: nothing was sent (no such host, nobody
 * listens); ERR_UNKNOWN: it may have been carried out; ERR_TIMEOUT; ERR_LIMIT; ERR_INVALID: the
 * url.
 */
int http_sync_send(struct http_sync *sync, const struct http_sync_request *request,
				   struct http_sync_reply *ret_reply, struct err *err) MUST_CHECK;
/*
 * For an answer that goes on and on (text/event-stream): of one with status 200, each piece of the
 * body is given to `piece` as it comes, until that returns false, which is success; so is the end
 * of the answer. *ret_reply then has an empty body. Any other answer comes as from http_sync_send.
 * timeout_ms 0: none; but when nothing at all comes for quiet_ms, it ends with ERR_TIMEOUT.
 */
int http_sync_stream(struct http_sync *sync, const struct http_sync_request *request,
					 int64_t quiet_ms, bool (*piece)(void *ctx, const char *data, size_t len),
					 void *ctx, struct http_sync_reply *ret_reply, struct err *err) MUST_CHECK;
void http_sync_reply_release(struct http_sync_reply *reply);

/* Percent-encodes what stands in a path segment or a query value. The caller's. */
char *http_sync_escape(const char *text) MUST_CHECK;

#endif
