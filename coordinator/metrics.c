/*
 * /metrics: the Prometheus text format. What is counted elsewhere (engine, store, HTTP client) is
 * listed in one table; the routes have counters of their own. No label holds an id, a key or a name
 * that a client could choose.
 */
#include "coordinator/clock.h"
#include "coordinator/batches.h"
#include "coordinator/metrics_text.h"
#include "coordinator/schedules.h"
#include "coordinator/server_priv.h"
#include "coordinator/streams.h"
#include "coordinator/tally.h"
#include "coordinator/webhooks.h"
#include "coordinator/writer.h"

struct sources {
	struct engine_stats engine;
	struct store_stats store;
	struct writer_stats writer;
	struct http_client_stats http;
	const struct server *server;
	const struct node *node;
	struct member_stats member; /* zeros in a store of one process */
	struct streams_stats streams;
	struct alerts_stats alerts; /* zeros where nobody is told */
	struct webhooks_stats webhooks;
};

/* X(name, type, help, expression over `s`) */
#define METRICS(X)                                                                                 \
	X("skald_sagas_started_total", "counter", "Sagas started.", s->engine.sagas_started)           \
	X("skald_sagas_in_memory", "gauge", "Open sagas that the engine holds in memory.",             \
	  s->engine.sagas_in_memory)                                                                   \
	X("skald_steps_completed_total", "counter", "Steps completed.", s->engine.steps_completed)     \
	X("skald_steps_failed_total", "counter", "Steps failed for good.", s->engine.steps_failed)     \
	X("skald_attempts_failed_total", "counter",                                                    \
	  "Attempts at steps and compensations that failed.", s->engine.attempts_failed)               \
	X("skald_compensations_done_total", "counter", "Compensations done.",                          \
	  s->engine.compensations_done)                                                                \
	X("skald_compensations_failed_total", "counter", "Compensations that wait for a person.",      \
	  s->engine.compensations_failed)                                                              \
	X("skald_outcomes_unknown_total", "counter", "Calls that may or may not have taken effect.",   \
	  s->engine.outcomes_unknown)                                                                  \
	X("skald_calls_in_flight", "gauge", "Calls to participants that are not answered yet.",        \
	  s->engine.calls_in_flight)                                                                   \
	X("skald_late_replies_total", "counter", "Replies that came when nobody waited any more.",     \
	  s->engine.late_replies)                                                                      \
	X("skald_timers_fired_total", "counter", "Timers that took effect.", s->engine.timers_fired)   \
	X("skald_timers_held", "gauge",                                                                \
	  "Open sagas with a time-out that waits until the queues are read so far.",                   \
	  s->engine.timers_held)                                                                       \
	X("skald_queue_replies_total", "counter", "Replies through queues that took effect.",          \
	  s->engine.replies_delivered)                                                                 \
	X("skald_queue_events_total", "counter", "Events through queues that took effect.",            \
	  s->engine.events_delivered)                                                                  \
	X("skald_locks_granted_total", "counter", "Locks that were granted.", s->engine.locks_granted) \
	X("skald_queue_useless_total", "counter",                                                      \
	  "Replies and events that their saga could do nothing with.", s->engine.deliveries_useless)   \
	X("skald_queue_unrecorded_total", "counter",                                                   \
	  "Late replies past those that the history of a saga tells.", s->engine.replies_unrecorded)   \
	X("skald_subscriptions_total", "counter", "Times that a saga began to wait for an event.",     \
	  s->engine.subscriptions)                                                                     \
	X("skald_early_events_total", "counter", "Events that were there before their saga waited.",   \
	  s->engine.early_events)                                                                      \
	X("skald_inbox_rows_total", "counter", "Rows taken from the inbox.", s->engine.inbox_rows)     \
	X("skald_inbox_rows_in_memory", "gauge", "Rows taken from the inbox and not yet removed.",     \
	  s->engine.inbox_in_memory)                                                                   \
	X("skald_outbox_rows_total", "counter", "Rows written to the outbox.", s->engine.outbox_rows)  \
	X("skald_saga_messages_total", "counter", "Messages from sagas to other sagas.",               \
	  s->engine.messages_sent)                                                                     \
	X("skald_engine_inputs_total", "counter", "Inputs that the engine has taken.",                 \
	  s->engine.inputs)                                                                            \
	X("skald_engine_turns_total", "counter", "Turns of the engine.", s->engine.turns)              \
	X("skald_engine_mailbox_messages", "gauge", "Messages that wait for the engine.",              \
	  s->engine.mailbox_length)                                                                    \
	X("skald_engine_commits_total", "counter", "Batches that the engine has committed.",           \
	  s->engine.commits)                                                                           \
	X("skald_engine_commit_failures_total", "counter", "Batches whose commit failed.",             \
	  s->engine.commit_failures)                                                                   \
	X("skald_store_commits_total", "counter", "Transactions of the store.", s->store.commits)      \
	X("skald_store_items_total", "counter",                                                        \
	  "History rows written; by commits, the average size of a batch.", s->store.items)            \
	X("skald_store_size_bytes", "gauge", "Size of the store's files.", s->store.bytes)             \
	X("skald_writer_batches_total", "counter", "Batches that the store writer has committed.",     \
	  s->writer.commits)                                                                           \
	X("skald_writer_failures_total", "counter", "Commits of the store writer that failed.",        \
	  s->writer.failures)                                                                          \
	X("skald_sagas_removed_total", "counter", "Ended sagas whose retention has passed.",           \
	  s->writer.retained)                                                                          \
	X("skald_http_client_requests_in_flight", "gauge", "Requests to participants on the wire.",    \
	  s->http.in_flight)                                                                           \
	X("skald_http_client_requests_queued", "gauge",                                                \
	  "Requests to participants that wait for a connection.", s->http.queued)                      \
	X("skald_http_client_requests_total", "counter", "Requests sent to participants.",             \
	  s->http.sent)                                                                                \
	X("skald_http_client_answers_total", "counter", "Whole answers of participants.",              \
	  s->http.answered)                                                                            \
	X("skald_http_client_failures_total", "counter", "Requests that got no whole answer.",         \
	  s->http.failed)                                                                              \
	X("skald_idempotent_replays_total", "counter", "Starts answered with an existing saga.",       \
	  s->server->replays)                                                                          \
	X("skald_idempotency_key_reuses_total", "counter",                                             \
	  "Starts refused because their key has another payload.", s->server->key_reuses)              \
	X("skald_event_streams", "gauge", "Streams of events that are open.", s->streams.open)         \
	X("skald_event_streams_opened_total", "counter", "Streams of events that were begun.",         \
	  s->streams.opened)                                                                           \
	X("skald_event_streams_refused_total", "counter",                                              \
	  "Streams of events that were refused, because there were too many.", s->streams.refused)     \
	X("skald_event_stream_events_total", "counter", "Events written to streams.",                  \
	  s->streams.events)                                                                           \
	X("skald_slots_owned", "gauge", "Slots that this node owns.",                                  \
	  s->node->member ? s->member.slots_owned : s->node->store->ops->slot_count(s->node->store))   \
	X("skald_slots_taken_over_total", "counter", "Slots taken from nodes whose lease had ended.",  \
	  s->member.slots_taken_over)                                                                  \
	X("skald_slots_gained_total", "counter", "Slots that this node has gained.",                   \
	  s->member.slots_gained)                                                                      \
	X("skald_slots_lost_total", "counter", "Slots lost with a lease or to another owner.",         \
	  s->member.slots_lost)                                                                        \
	X("skald_slots_released_total", "counter", "Slots given up to other nodes.",                   \
	  s->member.slots_released)                                                                    \
	X("skald_lease_renewal_failures_total", "counter", "Renewals of the lease that failed.",       \
	  s->member.renewal_failures)                                                                  \
	X("skald_alerts_sent_total", "counter", "Alerts that the webhook has taken.", s->alerts.sent)  \
	X("skald_alerts_failed_total", "counter",                                                      \
	  "Alerts that it has not taken; they are sent again.", s->alerts.failed)                      \
	X("skald_webhook_events_total", "counter",                                                     \
	  "Events that webhooks were told, and that are kept.", s->webhooks.taken)                     \
	X("skald_webhook_rows_total", "counter",                                                       \
	  "What was kept of them: one for each expression that gave a value.", s->webhooks.kept)       \
	X("skald_webhook_refused_total", "counter",                                                    \
	  "What was posted to webhooks and refused: signature, form, or nobody waits for the source.", \
	  s->webhooks.refused)                                                                         \
	X("skald_callbacks_total", "counter", "Callbacks that fit an action, and are kept for it.",    \
	  s->webhooks.callbacks)                                                                       \
	X("skald_nodes_alive", "gauge", "Nodes whose lease holds.",                                    \
	  s->node->member ? s->member.nodes_alive : 1)                                                 \
	X("skald_ready", "gauge", "1 when the server takes work.",                                     \
	  __atomic_load_n(&s->node->ready, __ATOMIC_RELAXED) &&                                        \
		  !__atomic_load_n(&s->node->draining, __ATOMIC_RELAXED))

static void write_plain(const struct sources *s, struct buf *out)
{
#define X(name, type, help, value)                                                                 \
	metrics_write_head(out, name, type, help);                                                     \
	buf_printf(out, name " %lld\n", (long long)(value));
	METRICS(X)
#undef X
}

static void write_approvals(const struct store_counts *counts, struct buf *out)
{
	wall_ms now = clock_wall(), oldest_at = counts->approvals.oldest_at;

	metrics_write_head(out, "skald_approvals_open", "gauge",
					   "Approvals that wait to be decided, up to 10000 of a namespace.");
	buf_printf(out, "skald_approvals_open %lld\n", (long long)counts->approvals.open);
	metrics_write_head(out, "skald_approvals_oldest_seconds", "gauge",
					   "How long the first of them has waited; 0: none does.");
	buf_printf(out, "skald_approvals_oldest_seconds %.3f\n",
			   oldest_at && now > oldest_at ? (double)(now - oldest_at) / 1000 : 0.0);
}

static void write_counts(const struct store_counts *counts, struct buf *out)
{
	metrics_write_head(out, "skald_sagas", "gauge", "Sagas in the store, by status.");
	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		buf_printf(out, "skald_sagas{status=\"%s\"} %lld\n", saga_status_text(i),
				   (long long)counts->sagas[i]);
	metrics_write_head(out, "skald_attention_sagas", "gauge",
					   "Sagas that concern a person, by why; of the 500 largest groups.");
	for (int i = 0; i < ATTENTION_KIND_COUNT; i++)
		buf_printf(out, "skald_attention_sagas{kind=\"%s\"} %lld\n", attention_kind_text(i),
				   (long long)counts->attention[i]);
	metrics_write_head(out, "skald_attention_groups", "gauge",
					   "Groups of sagas that concern a person for the same reason, up to 500.");
	buf_printf(out, "skald_attention_groups %lld\n", (long long)counts->attention_groups);
	write_approvals(counts, out);
}

static void write_sagas(const struct sources *s, struct buf *out)
{
	const struct {
		const char *status;
		int64_t n;
	} ended[] = {{"completed", s->engine.sagas_completed},
				 {"compensated", s->engine.sagas_compensated},
				 {"failed", s->engine.sagas_failed},
				 {"terminated", s->engine.sagas_terminated}};

	metrics_write_head(out, "skald_sagas_ended_total", "counter", "Sagas that ended, by how.");
	for (size_t i = 0; i < ARRAY_SIZE(ended); i++)
		buf_printf(out, "skald_sagas_ended_total{status=\"%s\"} %lld\n", ended[i].status,
				   (long long)ended[i].n);
	metrics_write_head(out, "skald_timer_lateness_seconds_max", "gauge",
					   "By how much a timer was late at most.");
	buf_printf(out, "skald_timer_lateness_seconds_max %.3f\n",
			   (double)s->engine.timer_lateness_ms_max / 1000);
	metrics_write_head(out, "skald_lease_left_seconds", "gauge",
					   "What is left of this node's lease.");
	buf_printf(out, "skald_lease_left_seconds %.3f\n", (double)s->member.lease_left_ms / 1000);
	metrics_write_head(out, "skald_writer_commit_seconds_total", "counter",
					   "Time spent in commits.");
	buf_printf(out, "skald_writer_commit_seconds_total %.6f\n",
			   (double)s->writer.commit_us_total / 1e6);
	metrics_write_head(out, "skald_writer_commit_seconds_max", "gauge",
					   "The longest commit so far.");
	buf_printf(out, "skald_writer_commit_seconds_max %.6f\n",
			   (double)s->writer.commit_us_max / 1e6);
}

static const char *route_name(size_t i)
{
	return i < ROUTE_COUNT ? routes[i].name : "none";
}

static void write_answers(const struct server *server, struct buf *out)
{
	static const char *const classes[] = {"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"};

	metrics_write_head(out, "skald_http_requests_total", "counter", "Requests answered, by route.");
	for (size_t i = 0; i <= ROUTE_COUNT; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(classes); k++) {
			if (server->metrics[i].answers[k] > 0)
				buf_printf(out, "skald_http_requests_total{route=\"%s\",status=\"%s\"} %lld\n",
						   route_name(i), classes[k], (long long)server->metrics[i].answers[k]);
		}
	}
}

static void write_latencies(const struct server *server, struct buf *out)
{
	static const char *const bounds[] = {
#define X(us, text) text,
		LATENCY_BUCKETS(X)
#undef X
			"+Inf"
	};
	static const char name[] = "skald_http_request_duration_seconds";

	metrics_write_head(out, name, "histogram", "Time from a request's headers to its sent answer.");
	for (size_t i = 0; i <= ROUTE_COUNT; i++) {
		const struct route_metrics *m = &server->metrics[i];
		int64_t sum = 0;

		for (size_t k = 0; k < ARRAY_SIZE(m->buckets); k++)
			sum += m->buckets[k];
		if (sum == 0)
			continue;
		sum = 0;
		for (size_t k = 0; k < ARRAY_SIZE(m->buckets); k++) {
			sum += m->buckets[k];
			buf_printf(out, "%s_bucket{route=\"%s\",le=\"%s\"} %lld\n", name, route_name(i),
					   bounds[k], (long long)sum);
		}
		buf_printf(out, "%s_sum{route=\"%s\"} %.6f\n", name, route_name(i),
				   (double)m->sum_us / 1e6);
		buf_printf(out, "%s_count{route=\"%s\"} %lld\n", name, route_name(i), (long long)sum);
	}
}

/* Of the pointers to known keys. A pointer that led nowhere was a hit until the saga was read. */
static void write_pointers(const struct server *server, struct buf *out)
{
	static const char lookups[] = "skald_idempotency_lookups_total",
					  took[] = "skald_idempotency_lookup_duration_seconds";
	static const char *const bounds[] = {
#define X(us, text) text,
		IDEMPOTENCY_LATENCY_BUCKETS(X)
#undef X
			"+Inf"
	};
	struct idempotency_stats s;
	int64_t sum = 0;

	if (!server->idempotency->ops->stats)
		return;
	server->idempotency->ops->stats(server->idempotency, &s);
	metrics_write_head(out, lookups, "counter", "Lookups of keys in Redis, by result.");
	buf_printf(out, "%s{result=\"hit\"} %lld\n", lookups,
			   (long long)(s.hits - server->stale_pointers));
	buf_printf(out, "%s{result=\"stale_hit\"} %lld\n", lookups,
			   (long long)(s.malformed + server->stale_pointers));
	buf_printf(out, "%s{result=\"miss\"} %lld\n", lookups, (long long)s.misses);
	buf_printf(out, "%s{result=\"error\"} %lld\n", lookups, (long long)s.errors);
	buf_printf(out, "%s{result=\"open_circuit\"} %lld\n", lookups, (long long)s.refused);
	metrics_write_head(out, "skald_idempotency_writes_total", "counter",
					   "Pointers written to Redis, by result.");
	buf_printf(out, "skald_idempotency_writes_total{result=\"done\"} %lld\n", (long long)s.writes);
	buf_printf(out, "skald_idempotency_writes_total{result=\"error\"} %lld\n",
			   (long long)s.write_errors);
	metrics_write_head(out, "skald_idempotency_writes_dropped_total", "counter",
					   "Pointers that were not written, because too many waited.");
	buf_printf(out, "skald_idempotency_writes_dropped_total %lld\n", (long long)s.dropped);
	metrics_write_head(out, "skald_idempotency_connections_total", "counter",
					   "Connections to Redis that were made and worked.");
	buf_printf(out, "skald_idempotency_connections_total %lld\n", (long long)s.connects);
	metrics_write_head(out, "skald_idempotency_circuit_state", "gauge",
					   "0: Redis is asked; 1: it is being tried; 2: it is left alone for a while.");
	buf_printf(out, "skald_idempotency_circuit_state %d\n", (int)s.circuit);
	metrics_write_head(out, took, "histogram", "Time from the question to Redis to its answer.");
	for (size_t i = 0; i < IDEMPOTENCY_N_BUCKETS; i++) {
		sum += s.lookup_us[i];
		buf_printf(out, "%s_bucket{le=\"%s\"} %lld\n", took, bounds[i], (long long)sum);
	}
	buf_printf(out, "%s_sum %.6f\n", took, (double)s.lookup_us_sum / 1e6);
	buf_printf(out, "%s_count %lld\n", took, (long long)sum);
}

void server_write_metrics(struct server *server, const struct store_counts *counts, struct buf *out)
{
	struct node *node = server->node;
	struct sources s = {.server = server, .node = node};

	engine_stats(node->engine, &s.engine);
	node->store->ops->stats(node->store, &s.store);
	writer_stats(node->writer, &s.writer);
	http_client_stats(node->http, &s.http);
	streams_stats(node->streams, &s.streams);
	if (node->member)
		member_stats(node->member, &s.member);
	if (node->alerts)
		alerts_stats(node->alerts, &s.alerts);
	webhooks_stats(node->webhooks, &s.webhooks);
	write_plain(&s, out);
	write_sagas(&s, out);
	if (counts)
		write_counts(counts, out);
	tally_write(node->tally, out);
	participants_write_metrics(node, out);
	tasks_write_metrics(node, counts, out);
	write_pointers(server, out);
	hub_write_metrics(node->kafka, out);
	batches_write_metrics(node->batches, out);
	schedules_write_metrics(node->schedules, out);
	write_answers(server, out);
	write_latencies(server, out);
}
