/*
 * What the server's files share: the server itself, and the counters of its routes. All of it
 * belongs to the server's thread, unless said otherwise.
 */
#ifndef COORDINATOR_SERVER_PRIV_H
#define COORDINATOR_SERVER_PRIV_H

#include <pthread.h>

#include "connectors/idempotency.h"
#include "coordinator/http_text.h"
#include "coordinator/node.h"
#include "coordinator/read_pool.h"
#include "coordinator/routes.h"
#include "coordinator/server.h"
#include "sagas/attention.h"

/* Upper bounds in microseconds; the last bucket has none. X(microseconds, seconds as text) */
#define LATENCY_BUCKETS(X)                                                                         \
	X(500, "0.0005")                                                                               \
	X(1000, "0.001")                                                                               \
	X(2500, "0.0025")                                                                              \
	X(5000, "0.005")                                                                               \
	X(10000, "0.01")                                                                               \
	X(25000, "0.025")                                                                              \
	X(50000, "0.05")                                                                               \
	X(100000, "0.1")                                                                               \
	X(250000, "0.25")                                                                              \
	X(1000000, "1")                                                                                \
	X(5000000, "5")                                                                                \
	X(30000000, "30")

#define X(us, text) +1
enum { N_LATENCY_BUCKETS = 0 LATENCY_BUCKETS(X) };
#undef X

struct route_metrics {
	int64_t answers[6]; /* by status / 100; 0: the client went away first */
	int64_t buckets[N_LATENCY_BUCKETS + 1];
	int64_t sum_us;
};

struct server {
	struct node *node;
	void *daemon;
	int listen_fd;
	struct read_pool *pool;
	/* The server thread's own, for the point read before a start. */
	struct store_reader *reader;
	struct idempotency *idempotency; /* over it, or in Redis */
	char id_prefix[17];              /* of request ids: random, one for each process */
	uint64_t n_requests;
	size_t body_max;
	struct http_origins origins;
	struct overview *overview;
	struct route_metrics metrics[ROUTE_COUNT + 1]; /* the last: no route */
	int64_t replays, key_reuses, stale_pointers;

	/* Shared with whoever stops the server. */
	pthread_mutex_t lock; /* of these: */
	pthread_cond_t idle;
	int in_flight;            /* requests from their first line to their end */
	int busy;                 /* of these, those that may be suspended */
	bool closed;              /* nothing becomes busy any more */
	pthread_mutex_t resuming; /* see exchange_resume */
};

/*
 * server_check.c: the one check that every request to a route passes: who asks, in which namespace,
 * and whether it may be done now. False: it is answered.
 */
bool server_check(struct exchange *ex) MUST_CHECK;

/* server_stream.c */
struct MHD_Response;
struct stream_source;
int server_start_streams(struct server *server, struct err *err) MUST_CHECK;
/* A stream for the connection of the exchange; NULL: see stream_open. Thread: server. */
struct stream *server_stream_open(struct exchange *ex,
								  const struct stream_source *source) MUST_CHECK;
/* The answer that sends ex->stream. */
struct MHD_Response *server_stream_response(struct exchange *ex) MUST_CHECK;

void server_count(struct server *server, const struct exchange *ex, bool answered);
/* What the store counts, in all namespaces. */
struct store_counts {
	int64_t sagas[SAGA_STATUS_COUNT];
	int64_t attention[ATTENTION_KIND_COUNT];
	int64_t attention_groups;
	struct approval_counts approvals;
	struct queue_depth {
		char *ns, *queue;
		int64_t queued, leased;
		wall_ms oldest_at; /* 0: none waits */
	} * queues;            /* owned */
	size_t n_queues;
};
void store_counts_free(void *counts);
/* Appends the text form of all metrics. counts: NULL when they are unknown. */
void server_write_metrics(struct server *server, const struct store_counts *counts,
						  struct buf *out);
/* metrics_participants.c */
void participants_write_metrics(const struct node *node, struct buf *out);
/* metrics_tasks.c; counts may be NULL. */
void tasks_write_metrics(const struct node *node, const struct store_counts *counts,
						 struct buf *out);

#endif
