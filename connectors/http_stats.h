/*
 * What is known of the calls to one participant: how many, how they ended, how long they took.
 *
 * Counts begin with the process. Latencies are kept twice: in a few buckets for ever, for those who
 * collect them, and finely over the last minute, for who looks now.
 *
 * Thread: one writes (the client's), any reads; all is atomic, and a reader may see a call half.
 */
#ifndef CONNECTORS_HTTP_STATS_H
#define CONNECTORS_HTTP_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "connectors/http_client.h"

enum {
	HTTP_STATS_SLICES = 7, /* of the last minute; the one more is being filled */
	HTTP_STATS_SLICE_MS = 10000,
	HTTP_STATS_FINE = 240, /* eight buckets for each doubling, up to 2^32 microseconds */
};

struct http_stats_slice {
	_Atomic int64_t number; /* since the clock's zero */
	_Atomic uint32_t n[HTTP_STATS_FINE];
};

struct http_stats {
	_Atomic int64_t in_flight, queued, requests;
	_Atomic int64_t answers[HTTP_STATUS_CLASSES];
	_Atomic int64_t results[HTTP_RESULT_COUNT];
	_Atomic int64_t buckets[HTTP_LATENCY_N_BUCKETS];
	_Atomic int64_t sum_us;
	struct http_stats_slice *_Atomic slices; /* HTTP_STATS_SLICES; NULL: no call has ended */
};

void http_stats_release(struct http_stats *stats);

/* Thread: the one that writes. */
void http_stats_add(_Atomic int64_t *counter, int64_t by);
/* A request has ended; took_us -1: it was never on its way. */
void http_stats_ended(struct http_stats *stats, const struct http_request *request, int64_t took_us,
					  int64_t now_ms);

/* Everything but the name. Thread: any. */
void http_stats_read(const struct http_stats *stats, int64_t now_ms,
					 struct http_participant_stats *ret_stats);

#endif
