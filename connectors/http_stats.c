/*
 * The fine buckets are logarithmic, as in an HDR histogram: below 8 µs one for each, and then eight
 * for each doubling, so that a quantile read from them is off by a sixteenth at most. A slice that
 * is taken into use again is emptied by the writer; a reader beside it may miss what it holds.
 */
#include "connectors/http_stats.h"

#include <stdlib.h>

#include "sagas/base/macros.h"

#define load(counter) atomic_load_explicit(counter, memory_order_relaxed)
#define store(counter, value) atomic_store_explicit(counter, value, memory_order_relaxed)

void http_stats_release(struct http_stats *stats)
{
	free(load(&stats->slices));
}

void http_stats_add(_Atomic int64_t *counter, int64_t by)
{
	store(counter, load(counter) + by);
}

static int fine_bucket(int64_t us)
{
	int octave;

	if (us < 8)
		return us < 0 ? 0 : (int)us;
	if (us > UINT32_MAX)
		return HTTP_STATS_FINE - 1;
	octave = 63 - __builtin_clzll((unsigned long long)us);
	return (octave - 2) * 8 + (int)(us >> (octave - 3) & 7);
}

/* The middle of a bucket. */
static double fine_value_us(int bucket)
{
	int shift = bucket / 8 - 1;

	if (bucket < 8)
		return bucket;
	return (double)((int64_t)(8 + bucket % 8) << shift) + (double)(INT64_C(1) << shift) / 2;
}

static struct http_stats_slice *slice_for(struct http_stats *stats, int64_t now_ms)
{
	struct http_stats_slice *slices = load(&stats->slices), *slice;
	int64_t number = now_ms / HTTP_STATS_SLICE_MS;

	if (!slices) {
		slices = xcalloc(HTTP_STATS_SLICES, sizeof(*slices));
		for (int i = 0; i < HTTP_STATS_SLICES; i++)
			slices[i].number = -1;
		atomic_store_explicit(&stats->slices, slices, memory_order_release);
	}
	slice = &slices[number % HTTP_STATS_SLICES];
	if (load(&slice->number) != number) {
		for (int i = 0; i < HTTP_STATS_FINE; i++)
			store(&slice->n[i], 0);
		store(&slice->number, number);
	}
	return slice;
}

static int coarse_bucket(int64_t us)
{
	static const int64_t bounds[] = {
#define X(us_, text) us_,
		HTTP_LATENCY_BUCKETS(X)
#undef X
	};
	int bucket = 0;

	while (bucket < (int)ARRAY_SIZE(bounds) && us > bounds[bucket])
		bucket++;
	return bucket;
}

void http_stats_ended(struct http_stats *stats, const struct http_request *request, int64_t took_us,
					  int64_t now_ms)
{
	struct http_stats_slice *slice;
	int class = request->status / 100;

	http_stats_add(&stats->results[request->result], 1);
	if (request->result == HTTP_ANSWERED && class > 0 && class < HTTP_STATUS_CLASSES)
		http_stats_add(&stats->answers[class], 1);
	if (took_us < 0)
		return;
	http_stats_add(&stats->buckets[coarse_bucket(took_us)], 1);
	http_stats_add(&stats->sum_us, took_us);
	slice = slice_for(stats, now_ms);
	store(&slice->n[fine_bucket(took_us)], load(&slice->n[fine_bucket(took_us)]) + 1);
}

static double quantile_ms(const int64_t *n, int64_t all, double q)
{
	double wanted = q * (double)all;
	int64_t seen = 0;

	for (int i = 0; i < HTTP_STATS_FINE; i++) {
		seen += n[i];
		if (seen > 0 && (double)seen >= wanted)
			return fine_value_us(i) / 1000;
	}
	return fine_value_us(HTTP_STATS_FINE - 1) / 1000;
}

static void read_quantiles(const struct http_stats *stats, int64_t now_ms,
						   struct http_participant_stats *ret)
{
	const struct http_stats_slice *slices =
		atomic_load_explicit(&stats->slices, memory_order_acquire);
	int64_t n[HTTP_STATS_FINE] = {0}, all = 0, newest = now_ms / HTTP_STATS_SLICE_MS;

	for (int i = 0; slices && i < HTTP_STATS_SLICES; i++) {
		int64_t number = load(&slices[i].number);

		if (number < 0 || number > newest || number <= newest - HTTP_STATS_SLICES)
			continue;
		for (int k = 0; k < HTTP_STATS_FINE; k++) {
			n[k] += load(&slices[i].n[k]);
			all += load(&slices[i].n[k]);
		}
	}
	ret->recent = all;
	ret->p50_ms = all > 0 ? quantile_ms(n, all, 0.5) : 0;
	ret->p95_ms = all > 0 ? quantile_ms(n, all, 0.95) : 0;
	ret->p99_ms = all > 0 ? quantile_ms(n, all, 0.99) : 0;
}

void http_stats_read(const struct http_stats *stats, int64_t now_ms,
					 struct http_participant_stats *ret)
{
	ret->in_flight = load(&stats->in_flight);
	ret->queued = load(&stats->queued);
	ret->requests = load(&stats->requests);
	for (int i = 0; i < HTTP_STATUS_CLASSES; i++)
		ret->answers[i] = load(&stats->answers[i]);
	for (int i = 0; i < HTTP_RESULT_COUNT; i++)
		ret->results[i] = load(&stats->results[i]);
	for (int i = 0; i < HTTP_LATENCY_N_BUCKETS; i++)
		ret->buckets[i] = load(&stats->buckets[i]);
	ret->sum_us = load(&stats->sum_us);
	read_quantiles(stats, now_ms, ret);
}
