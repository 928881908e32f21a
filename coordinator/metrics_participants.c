/* The metrics of participants: as many series as the configuration names participants. */
#include <string.h>

#include "coordinator/metrics_text.h"
#include "coordinator/server_priv.h"

struct calls {
	struct http_participant_stats *list;
	size_t n, cap;
};

static void add_calls(void *ctx, const struct http_participant_stats *stats)
{
	struct calls *calls = ctx;

	if (calls->n == calls->cap) {
		calls->cap = calls->cap ? calls->cap * 2 : 16;
		calls->list = xrealloc_array(calls->list, calls->cap, sizeof(*calls->list));
	}
	calls->list[calls->n++] = *stats;
}

/* X(name, type, help, value of `s`) */
#define PARTICIPANT_METRICS(X)                                                                     \
	X("skald_participant_requests_in_flight", "gauge", "Requests on the wire, by participant.",    \
	  s->in_flight)                                                                                \
	X("skald_participant_requests_queued", "gauge",                                                \
	  "Requests that wait for a connection, by participant.", s->queued)                           \
	X("skald_participant_requests_total", "counter", "Requests sent, by participant.", s->requests)

static void write_plain(const struct calls *calls, struct buf *out)
{
#define X(metric, type, help, value)                                                               \
	metrics_write_head(out, metric, type, help);                                                   \
	for (size_t i = 0; i < calls->n; i++) {                                                        \
		const struct http_participant_stats *s = &calls->list[i];                                  \
                                                                                                   \
		buf_printf(out, metric "{participant=\"%s\"} %lld\n", s->name, (long long)(value));        \
	}
	PARTICIPANT_METRICS(X)
#undef X
}

static void write_answers(const struct calls *calls, struct buf *out)
{
	static const char name[] = "skald_participant_answers_total";

	metrics_write_head(out, name, "counter", "Whole answers, by participant and class of status.");
	for (size_t i = 0; i < calls->n; i++) {
		for (int k = 1; k < HTTP_STATUS_CLASSES; k++) {
			if (calls->list[i].answers[k] > 0)
				buf_printf(out, "%s{participant=\"%s\",status=\"%dxx\"} %lld\n", name,
						   calls->list[i].name, k, (long long)calls->list[i].answers[k]);
		}
	}
}

static void write_failures(const struct calls *calls, struct buf *out)
{
	static const struct {
		enum http_result result;
		const char *reason;
	} reasons[] = {
		{HTTP_NOT_CONNECTED, "not_connected"},
		{HTTP_BROKEN, "broken"},
		{HTTP_TIMED_OUT, "timeout"},
		{HTTP_TOO_LARGE, "too_large"},
	};
	static const char name[] = "skald_participant_failures_total";

	metrics_write_head(out, name, "counter",
					   "Requests without a whole answer, by participant and reason.");
	for (size_t i = 0; i < calls->n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++)
			buf_printf(out, "%s{participant=\"%s\",reason=\"%s\"} %lld\n", name,
					   calls->list[i].name, reasons[k].reason,
					   (long long)calls->list[i].results[reasons[k].result]);
	}
}

static void write_durations(const struct calls *calls, struct buf *out)
{
	static const char name[] = "skald_participant_request_duration_seconds";
	static const char *const bounds[] = {
#define X(us, text) text,
		HTTP_LATENCY_BUCKETS(X)
#undef X
			"+Inf"
	};

	metrics_write_head(out, name, "histogram",
					   "Time from sending a request to its end, however it ended.");
	for (size_t i = 0; i < calls->n; i++) {
		const struct http_participant_stats *s = &calls->list[i];
		int64_t sum = 0;

		for (int k = 0; k < HTTP_LATENCY_N_BUCKETS; k++) {
			sum += s->buckets[k];
			buf_printf(out, "%s_bucket{participant=\"%s\",le=\"%s\"} %lld\n", name, s->name,
					   bounds[k], (long long)sum);
		}
		buf_printf(out, "%s_sum{participant=\"%s\"} %.6f\n", name, s->name,
				   (double)s->sum_us / 1e6);
		buf_printf(out, "%s_count{participant=\"%s\"} %lld\n", name, s->name, (long long)sum);
	}
}

static void add_commands(void *ctx, const struct kafka_participant_stats *s)
{
	static const char name[] = "skald_participant_commands_total";
	struct buf *out = ctx;

	buf_printf(out, "%s{participant=\"%s\",result=\"published\"} %lld\n", name, s->name,
			   (long long)s->published);
	buf_printf(out, "%s{participant=\"%s\",result=\"failed\"} %lld\n", name, s->name,
			   (long long)s->failed);
}

void participants_write_metrics(const struct node *node, struct buf *out)
{
	struct calls calls = {0};

	http_client_participants(node->http, add_calls, &calls);
	if (calls.n > 0) {
		write_plain(&calls, out);
		write_answers(&calls, out);
		write_failures(&calls, out);
		write_durations(&calls, out);
	}
	free(calls.list);
	if (node->options.kafka.n_participants > 0) {
		metrics_write_head(out, "skald_participant_commands_total", "counter",
						   "Commands over Kafka, by participant and result.");
		hub_participants(node->kafka, add_commands, out);
	}
}
