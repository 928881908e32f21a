/*
 * Calls to participants over HTTP: one thread around a curl multi handle, fed through
 * http_client_send, answering through the request's own function.
 *
 * It knows where participants live and what credentials they want; it never interprets an answer,
 * retries or follows a redirect. Each request has a total deadline and a limit on what is read.
 */
#ifndef CONNECTORS_HTTP_CLIENT_H
#define CONNECTORS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"

enum {
	HTTP_REPLY_MAX_BYTES = 2 * 1024 * 1024,
	HTTP_REPLY_HEADERS_MAX_BYTES = 128 * 1024,
	HTTP_REQUEST_MAX_HEADERS = 64,   /* the participant's and the request's together */
	HTTP_QUEUE_MAX_REQUESTS = 16384, /* waiting for a connection, for each participant */
	HTTP_DEFAULT_CONNECTIONS = 64,
};

struct http_participant {
	const char *name;
	const char *url;            /* base: "http://127.0.0.1:9001/api"; the request's path is added */
	const char *const *headers; /* "Authorization: Bearer …", NULL-terminated; may be NULL */
	int max_connections;        /* also: requests in flight; 0: HTTP_DEFAULT_CONNECTIONS */
};

/* How an exchange ended. */
enum http_result {
	HTTP_ANSWERED,      /* a whole answer; status and body are valid */
	HTTP_NOT_CONNECTED, /* nothing was sent: resolving, connecting, TLS; or no such participant */
	HTTP_BROKEN,        /* it may have been sent, and no whole answer came */
	HTTP_TIMED_OUT, /* sent or not, the deadline passed (not connected by then: NOT_CONNECTED) */
	HTTP_TOO_LARGE, /* a status came, and more body than is read */
	HTTP_CANCELLED, /* the client was stopped, or not_after had passed, before it was sent */
};
enum { HTTP_RESULT_COUNT = HTTP_CANCELLED + 1 };

/* A header of the answer that the caller wants to see. */
struct http_wanted_header {
	const char *name;
	char value[256]; /* filled in; "" when it did not come, or was longer */
};

struct http_request {
	/* Filled in by the caller, valid until done. */
	const char *participant;
	const char *base_url; /* instead of a participant: "http://10.0.0.7:7878"; NULL: none */
	const char *method;
	const char *path;           /* "/a/b?c=d", already encoded; "": the base address itself */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const char *body;           /* NULL: none */
	size_t body_len;
	int64_t timeout_ms; /* total, from now on */
	/*
	 * Not sent when this, on the monotonic clock in ms, has passed by then; read atomically, just
	 * before it would be sent, so that it may be moved on meanwhile (a lease). NULL: no such limit.
	 */
	const int64_t *not_after_ms;
	struct http_wanted_header *wanted; /* n_wanted of them; NULL: none */
	size_t n_wanted;
	/* Called once, on the client's thread; it takes the request back. */
	void (*done)(struct http_request *request);
	void *ctx;
	/* Filled in before done. */
	enum http_result result;
	int status;
	char *reply; /* freed by the caller; NUL-terminated; NULL: none */
	size_t reply_len;
	char content_type[64];
	int64_t retry_after_ms; /* of the answer; -1: none */
	char error[160];        /* for people; never holds a credential */
	/* The client's own. */
	struct http_request *next;
	int64_t deadline_ms; /* on the monotonic clock */
};

struct http_client;

/*
 * Copies what it needs of participants. Starts its thread. ERR_INVALID when a base address is not
 * http or https, has no host, or holds a password, a query or a fragment.
 */
int http_client_start(const struct http_participant *participants, size_t n,
					  struct http_client **ret_client, struct err *err) MUST_CHECK;
/*
 * Thread: any, also from done. Never blocks; done is called in any case, perhaps before this
 * returns. A participant's own headers win over the request's of the same name. Not after
 * http_client_stop.
 */
void http_client_send(struct http_client *client, struct http_request *request);
/* Lets what is in flight end for up to grace_ms, then ends it as BROKEN; joins the thread. */
void http_client_stop(struct http_client *client, int64_t grace_ms);

struct http_client_stats {
	int64_t in_flight, queued, sent, answered, failed;
};
void http_client_stats(struct http_client *client, struct http_client_stats *ret_stats);

/* Upper bounds in microseconds; the last bucket has none. X(microseconds, seconds as text) */
#define HTTP_LATENCY_BUCKETS(X)                                                                    \
	X(1000, "0.001")                                                                               \
	X(2500, "0.0025")                                                                              \
	X(5000, "0.005")                                                                               \
	X(10000, "0.01")                                                                               \
	X(25000, "0.025")                                                                              \
	X(50000, "0.05")                                                                               \
	X(100000, "0.1")                                                                               \
	X(250000, "0.25")                                                                              \
	X(500000, "0.5")                                                                               \
	X(1000000, "1")                                                                                \
	X(2500000, "2.5")                                                                              \
	X(10000000, "10")                                                                              \
	X(60000000, "60")

#define X(us, text) +1
enum { HTTP_LATENCY_N_BUCKETS = 1 HTTP_LATENCY_BUCKETS(X), HTTP_STATUS_CLASSES = 6 };
#undef X

/* Calls to one participant. in_flight and queued are of now, quantiles of the last minute or so,
 * all else since the client was started. */
struct http_participant_stats {
	const char *name; /* borrowed from the client */
	int64_t in_flight, queued;
	int64_t requests;                        /* sent */
	int64_t answers[HTTP_STATUS_CLASSES];    /* whole ones, by status / 100 */
	int64_t results[HTTP_RESULT_COUNT];      /* of all that ended, sent or not */
	int64_t buckets[HTTP_LATENCY_N_BUCKETS]; /* from sending to the end, however it ended */
	int64_t sum_us;
	int64_t recent; /* calls that the quantiles are of; 0: they say nothing */
	double p50_ms, p95_ms, p99_ms;
};
/* Of every participant, by name. Thread: any. */
void http_client_participants(struct http_client *client,
							  void (*each)(void *ctx, const struct http_participant_stats *stats),
							  void *ctx);

#endif
