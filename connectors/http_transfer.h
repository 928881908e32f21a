/*
 * One exchange as a curl easy handle: private to the HTTP client. The handle and its buffers are
 * reused from exchange to exchange.
 *
 * Thread: the client's.
 */
#ifndef CONNECTORS_HTTP_TRANSFER_H
#define CONNECTORS_HTTP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/http_client.h"
#include "sagas/base/buf.h"
#include "sagas/base/err.h"

struct http_peer;
struct http_sockets;

struct http_transfer {
	struct http_transfer *prev, *next; /* among those in flight; next also among the idle */
	CURL *easy;
	struct http_request *request; /* NULL: idle */
	struct http_peer *peer;
	struct buf url;
	struct buf reply;
	size_t header_bytes;
	bool too_large;
	bool second_try; /* of curl's own; it was stopped */
	bool too_late;   /* its not_after had passed when the connection was ready */
	bool retry_after;
	char method[16]; /* what the handle is set to */
	char error[CURL_ERROR_SIZE];
	/* curl only reads the list, so its nodes can point at the strings of the request. */
	struct curl_slist headers[HTTP_REQUEST_MAX_HEADERS + 4];
};

struct http_transfer *http_transfer_new(struct http_sockets *sockets) MUST_CHECK;
void http_transfer_free(struct http_transfer *transfer);

/*
 * Sets the handle up for the request; the caller adds it to the multi handle. ERR_INVALID when the
 * request cannot be written safely as HTTP (a line break in a header, a blank in the path).
 */
int http_transfer_begin(struct http_transfer *transfer, const char *base_url,
						const char *const *peer_headers, struct http_request *request,
						int64_t left_ms, struct err *err) MUST_CHECK;

/* Whether the request may not be sent any more. */
bool http_is_past(const struct http_request *request, int64_t now_ms);

/* Fills in the result of the request and lets go of it. `ended` is what curl said. */
void http_transfer_end(struct http_transfer *transfer, CURLcode ended);

/* Fills in the result of a request whose exchange is cut off because the client stops. */
void http_transfer_cut(struct http_transfer *transfer);

/* A base address of a participant, without a slash at its end. ERR_INVALID. */
int http_base_url(const char *url, char **ret_url, struct err *err) MUST_CHECK;

#endif
