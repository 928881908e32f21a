/*
 * The metrics of Kafka, in the text form of Prometheus. Clusters are named by the configuration, so
 * their names may stand in labels.
 */
#include "coordinator/clock.h"
#include "coordinator/kafka/hub_priv.h"
#include "coordinator/metrics_text.h"

static const char *name_of(const struct hub *hub, size_t i)
{
	return hub->settings->clusters[i].name;
}

/* X(name, type, help, expression over s) of each cluster's producer */
#define PRODUCER_METRICS(X)                                                                        \
	X("skald_kafka_producer_queue_records", "gauge", "Records that wait for an acknowledgement.",  \
	  (double)s.queued)                                                                            \
	X("skald_kafka_producer_queue_bytes", "gauge", "Bytes that wait for an acknowledgement.",      \
	  (double)s.queued_bytes)                                                                      \
	X("skald_kafka_producer_bytes_total", "counter", "Bytes sent to brokers.",                     \
	  (double)s.bytes_sent)                                                                        \
	X("skald_kafka_producer_fatal_errors_total", "counter",                                        \
	  "Errors after which a new producer was made.", (double)s.fatal_errors)                       \
	X("skald_kafka_producer_brokers_up", "gauge", "Brokers that are connected.",                   \
	  (double)s.brokers_up)                                                                        \
	X("skald_kafka_producer_rtt_seconds", "gauge", "Mean round trip to brokers.",                  \
	  (double)s.rtt_us / 1e6)

/* False when the producer has ended. */
static bool producer_stats(struct hub *hub, size_t i, struct kafka_producer_stats *ret_stats)
{
	bool produces;

	pthread_mutex_lock(&hub->mutex);
	produces = hub->each[i].producer;
	if (produces)
		kafka_producer_stats(hub->each[i].producer, ret_stats);
	pthread_mutex_unlock(&hub->mutex);
	return produces;
}

static void write_producers(struct hub *hub, struct buf *out)
{
	static const char records[] = "skald_kafka_producer_records_total";
	struct kafka_producer_stats s;
	size_t n = hub->settings->n_clusters;

	metrics_write_head(out, records, "counter", "Records produced, by result.");
	for (size_t i = 0; i < n; i++) {
		if (!producer_stats(hub, i, &s))
			continue;
		buf_printf(out, "%s{cluster=\"%s\",result=\"sent\"} %lld\n", records, name_of(hub, i),
				   (long long)s.sent);
		buf_printf(out, "%s{cluster=\"%s\",result=\"not_sent\"} %lld\n", records, name_of(hub, i),
				   (long long)s.not_sent);
		buf_printf(out, "%s{cluster=\"%s\",result=\"unknown\"} %lld\n", records, name_of(hub, i),
				   (long long)s.unknown);
	}
#define X(name, type, help, value)                                                                 \
	metrics_write_head(out, name, type, help);                                                     \
	for (size_t i = 0; i < n; i++) {                                                               \
		if (producer_stats(hub, i, &s))                                                            \
			buf_printf(out, name "{cluster=\"%s\"} %.9g\n", name_of(hub, i), value);               \
	}
	PRODUCER_METRICS(X)
#undef X
}

struct consumers {
	const struct hub *hub;
	struct {
		const char *cluster, *queue;
		struct kafka_consumer_stats s;
	} list[64];
	size_t n;
	struct kafka_consumer *last;
};

static void add_consumer(struct consumers *consumers, const char *cluster, const char *queue,
						 const struct kafka_consumer_stats *stats)
{
	if (consumers->n == ARRAY_SIZE(consumers->list))
		return;
	consumers->list[consumers->n].cluster = cluster;
	consumers->list[consumers->n].queue = queue;
	consumers->list[consumers->n].s = *stats;
	consumers->n++;
}

/* Topics of one consumer come one after the other. */
static void add_events(void *ctx, size_t cluster, struct kafka_consumer *consumer,
					   const char *topic)
{
	struct consumers *consumers = ctx;
	struct kafka_consumer_stats stats;

	(void)topic;
	if (!consumer || consumer == consumers->last)
		return;
	consumers->last = consumer;
	kafka_consumer_stats(consumer, &stats);
	add_consumer(consumers, name_of(consumers->hub, cluster), "events", &stats);
}

/* X(name, type, help, expression over s) of each consumer of replies and events */
#define CONSUMER_METRICS(X)                                                                        \
	X("skald_kafka_consumer_records_total", "counter", "Records taken.", (double)s->records)       \
	X("skald_kafka_consumer_lag_records", "gauge",                                                 \
	  "Records in this node's partitions that are not processed.", (double)s->lag)                 \
	X("skald_kafka_consumer_in_flight_records", "gauge", "Records taken and not done.",            \
	  (double)s->in_flight)                                                                        \
	X("skald_kafka_consumer_partitions", "gauge", "Partitions of this node.",                      \
	  (double)s->partitions)                                                                       \
	X("skald_kafka_consumer_assignments_total", "counter", "Rebalances that gave partitions.",     \
	  (double)s->assignments)                                                                      \
	X("skald_kafka_consumer_commit_errors_total", "counter", "Commits of offsets that failed.",    \
	  (double)s->commit_errors)                                                                    \
	X("skald_kafka_consumer_errors_total", "counter", "Errors.", (double)s->errors)                \
	X("skald_kafka_consumer_brokers_up", "gauge", "Brokers that are connected.",                   \
	  (double)s->brokers_up)

/* NULL: the cluster has no participants, or the hub is about to start. */
static struct replies *replies_of(const struct hub *hub, size_t i)
{
	return __atomic_load_n(&hub->each[i].replies, __ATOMIC_ACQUIRE);
}

static void write_consumers(const struct hub *hub, struct buf *out)
{
	CLEANUP(free_p) struct consumers *consumers = xcalloc(1, sizeof(*consumers));
	struct events *events = __atomic_load_n(&hub->events, __ATOMIC_ACQUIRE);
	struct kafka_consumer_stats stats;

	consumers->hub = hub;
	for (size_t i = 0; i < hub->settings->n_clusters; i++) {
		struct replies *replies = replies_of(hub, i);

		if (replies && replies_consumer_stats(replies, &stats))
			add_consumer(consumers, name_of(hub, i), "replies", &stats);
	}
	if (events)
		events_topics(events, add_events, consumers);
#define X(name, type, help, value)                                                                 \
	metrics_write_head(out, name, type, help);                                                     \
	for (size_t i = 0; i < consumers->n; i++) {                                                    \
		const struct kafka_consumer_stats *s = &consumers->list[i].s;                              \
                                                                                                   \
		buf_printf(out, name "{cluster=\"%s\",queue=\"%s\"} %.9g\n", consumers->list[i].cluster,   \
				   consumers->list[i].queue, value);                                               \
	}
	CONSUMER_METRICS(X)
#undef X
}

static void write_replies(const struct hub *hub, struct buf *out)
{
	static const char name[] = "skald_kafka_replies_total";
	struct replies_stats s, all = {0};

	for (size_t i = 0; i < hub->settings->n_clusters; i++) {
		if (!replies_of(hub, i))
			continue;
		replies_stats(replies_of(hub, i), &s);
		all.taken += s.taken;
		all.posted += s.posted;
		all.foreign += s.foreign;
		all.unreadable += s.unreadable;
		all.lost += s.lost;
	}
	metrics_write_head(
		out, name, "counter",
		"Records of the reply topic: taken by the engine; of these, put into the inbox of another "
		"node's saga, or for a saga that does not exist; not ours; not readable.");
	buf_printf(out, "%s{result=\"taken\"} %lld\n", name, (long long)all.taken);
	buf_printf(out, "%s{result=\"posted\"} %lld\n", name, (long long)all.posted);
	buf_printf(out, "%s{result=\"no_saga\"} %lld\n", name, (long long)all.lost);
	buf_printf(out, "%s{result=\"foreign\"} %lld\n", name, (long long)all.foreign);
	buf_printf(out, "%s{result=\"unreadable\"} %lld\n", name, (long long)all.unreadable);
}

static void write_events(const struct hub *hub, struct buf *out)
{
	static const char name[] = "skald_kafka_events_total";
	struct events *events = __atomic_load_n(&hub->events, __ATOMIC_ACQUIRE);
	struct events_stats s = {0};

	if (events)
		events_stats(events, &s);
	metrics_write_head(
		out, name, "counter",
		"Records of topics that sagas wait at: taken; and rows for expressions that found a value "
		"in them: kept, refused by the store, expired. Unreadable: records that are no event.");
	buf_printf(out, "%s{result=\"taken\"} %lld\n", name, (long long)s.taken);
	buf_printf(out, "%s{result=\"kept\"} %lld\n", name, (long long)s.kept);
	buf_printf(out, "%s{result=\"refused\"} %lld\n", name, (long long)s.refused);
	buf_printf(out, "%s{result=\"expired\"} %lld\n", name, (long long)s.expired);
	buf_printf(out, "%s{result=\"unreadable\"} %lld\n", name, (long long)s.unreadable);
}

static void write_outbox(struct relay *relay, struct buf *out)
{
	struct relay_stats s;

	relay_stats(relay, &s);
	metrics_write_head(out, "skald_outbox_published_total", "counter",
					   "Rows of the outbox published.");
	buf_printf(out, "skald_outbox_published_total %lld\n", (long long)s.published);
	metrics_write_head(out, "skald_outbox_failures_total", "counter",
					   "Rows that could not be published, by try.");
	buf_printf(out, "skald_outbox_failures_total %lld\n", (long long)s.failed);
	metrics_write_head(out, "skald_outbox_stuck_rows", "gauge",
					   "Rows of this node's slots that could not be published at the last try.");
	buf_printf(out, "skald_outbox_stuck_rows %lld\n", (long long)s.stuck);
	metrics_write_head(out, "skald_outbox_age_seconds", "gauge",
					   "Age of the oldest row of this node's slots, at the last look.");
	buf_printf(out, "skald_outbox_age_seconds %.3f\n", (double)s.oldest_ms / 1000);
}

void hub_write_metrics(struct hub *hub, struct buf *out)
{
	struct relay *relay = __atomic_load_n(&hub->relay, __ATOMIC_ACQUIRE);
	struct commands_stats commands;
	wall_ms read_until = __atomic_load_n(&hub->read_until, __ATOMIC_RELAXED);

	if (hub->settings->n_clusters > 0) {
		commands_stats(hub->commands, &commands);
		metrics_write_head(out, "skald_kafka_commands_total", "counter",
						   "Commands to participants, by result.");
		buf_printf(out, "skald_kafka_commands_total{result=\"published\"} %lld\n",
				   (long long)commands.published);
		buf_printf(out, "skald_kafka_commands_total{result=\"failed\"} %lld\n",
				   (long long)commands.failed);
		write_producers(hub, out);
		write_consumers(hub, out);
		write_replies(hub, out);
		write_events(hub, out);
		metrics_write_head(
			out, "skald_kafka_queues_read_age_seconds", "gauge",
			"How long ago all that stood in the topics of replies and events was processed; what "
			"ran out since then does not take effect yet.");
		if (read_until > 0)
			buf_printf(out, "skald_kafka_queues_read_age_seconds %.3f\n",
					   (double)(clock_wall() - read_until) / 1000);
	}
	if (relay)
		write_outbox(relay, out);
	if (hub_triggers(hub))
		triggers_write_metrics(hub_triggers(hub), out);
}

void hub_participants(struct hub *hub,
					  void (*each)(void *ctx, const struct kafka_participant_stats *stats),
					  void *ctx)
{
	commands_participants(hub->commands, each, ctx);
}
