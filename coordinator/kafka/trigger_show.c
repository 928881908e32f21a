/*
 * Triggers as they are shown: snapshots for the API, and metrics.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/kafka/trigger_priv.h"
#include "coordinator/metrics_text.h"
#include "sagas/json_text.h"

const char *trigger_state_text(enum trigger_state state)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		TRIGGER_STATES(X)
#undef X
	};

	return texts[state];
}

const char *trigger_end_text(enum trigger_end end)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		TRIGGER_ENDS(X)
#undef X
	};

	return texts[end];
}

struct snapshot {
	struct trigger_info info;
	struct trigger_worker_stats stats;
	struct kafka_progress progress[TRIGGER_PARTITIONS_MAX];
	struct trigger_partition partitions[TRIGGER_PARTITIONS_MAX];
	char detail[400];
};

static void say(struct snapshot *snapshot, enum trigger_state state, const char *detail)
{
	snapshot->info.state = state;
	snprintf(snapshot->detail, sizeof(snapshot->detail), "%s", detail);
}

/* What keeps a trigger that runs from running well. */
static void judge(struct snapshot *snapshot, const struct trigger *trigger)
{
	const struct trigger_worker_stats *stats = &snapshot->stats;
	char text[KAFKA_TOPIC_SIZE + 40];

	if (trigger->paused || trigger->pause_wanted) {
		say(snapshot, TRIGGER_PAUSED, "");
	} else if (trigger->held) {
		say(snapshot, TRIGGER_PAUSED, "the definition is paused");
	} else if (stats->consumer.missing_topic[0]) {
		snprintf(text, sizeof(text), "topic %s does not exist", stats->consumer.missing_topic);
		say(snapshot, TRIGGER_WAITING, text);
	} else if (stats->run.troubles > 0) {
		say(snapshot, TRIGGER_WAITING, stats->run.trouble);
	} else if (stats->bury_error[0]) {
		say(snapshot, TRIGGER_WAITING, stats->bury_error);
	} else {
		switch (stats->consumer.state) {
		case KAFKA_JOINING:
			say(snapshot, TRIGGER_STARTING, stats->consumer.last_error);
			break;
		case KAFKA_BROKERS_DOWN:
			say(snapshot, TRIGGER_WAITING, stats->consumer.last_error);
			break;
		case KAFKA_CONSUMING:
		case KAFKA_STOPPED:
			say(snapshot, TRIGGER_RUNNING, "");
			break;
		}
	}
}

static void show_partitions(struct snapshot *snapshot, struct trigger_worker *worker)
{
	struct trigger_info *info = &snapshot->info;
	size_t n = trigger_worker_progress(worker, snapshot->progress, TRIGGER_PARTITIONS_MAX);

	info->n_partitions = n < TRIGGER_PARTITIONS_MAX ? n : TRIGGER_PARTITIONS_MAX;
	info->lag = n > 0 ? 0 : -1;
	for (size_t i = 0; i < info->n_partitions; i++) {
		const struct kafka_progress *from = &snapshot->progress[i];

		snapshot->partitions[i] = (struct trigger_partition){
			.partition = from->partition,
			.assigned = true,
			.paused = from->paused || from->held,
			.committed = from->committed,
			.end = from->end,
			.lag = from->lag,
			.in_flight = from->in_flight,
		};
		if (from->lag > 0)
			info->lag += from->lag;
	}
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static void fill(struct snapshot *snapshot, const struct trigger *trigger)
{
	struct trigger_info *info = &snapshot->info;
	struct run_stats *run = &snapshot->stats.run;

	memset(&snapshot->stats, 0, sizeof(snapshot->stats));
	*info = (struct trigger_info){
		.ns = trigger->ns,
		.name = trigger->name,
		.definition = trigger->def->name,
		.cluster = trigger->cluster,
		.topic = trigger->topic,
		.group = trigger->group,
		.dead_letter_topic = trigger->dead_letter_topic,
		.version = trigger->def->version,
		.state = trigger->state,
		.detail = snapshot->detail,
		.pause_reason =
			trigger->pause_wanted ? trigger->pause_wanted : text_or_empty(trigger->pause_reason),
		.paused_by = text_or_empty(trigger->paused_by),
		.paused_at = trigger->paused_at,
		.seeks = trigger->seeks,
		.lag = -1,
		.partitions = snapshot->partitions,
	};
	snprintf(snapshot->detail, sizeof(snapshot->detail), "%s", trigger->detail);
	if (trigger->worker) {
		trigger_worker_stats(trigger->worker, &snapshot->stats);
		show_partitions(snapshot, trigger->worker);
		info->brokers_down = snapshot->stats.consumer.state == KAFKA_BROKERS_DOWN;
		judge(snapshot, trigger);
	}
	for (int i = 0; i < TRIGGER_END_COUNT; i++)
		info->ends[i] = run->ends[i] + trigger->past.ends[i];
	info->poison = run->poison + trigger->past.poison;
	info->retries = run->retries + trigger->past.retries;
	info->retrying = run->retrying;
	info->waiting = run->waiting;
	info->held = run->held;
	info->in_flight = run->records;
}

void triggers_each(struct triggers *triggers, const char *ns, const char *name,
				   void (*each)(void *ctx, const struct trigger_info *info), void *ctx)
{
	CLEANUP(free_p) struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

	pthread_mutex_lock(&triggers->lock);
	for (size_t i = 0; i < triggers->n; i++) {
		const struct trigger *trigger = triggers->list[i];

		if ((ns && strcmp(trigger->ns, ns) != 0) || (name && strcmp(trigger->name, name) != 0))
			continue;
		fill(snapshot, trigger);
		each(ctx, &snapshot->info);
	}
	pthread_mutex_unlock(&triggers->lock);
}

/* Metrics. Labels are names of definitions and topics, of which there are few. */

struct metrics {
	struct buf *out;
	const char *name;
	int64_t (*value)(const struct trigger_info *info);
};

static void write_labels(struct buf *out, const struct trigger_info *info)
{
	buf_add_lit(out, "{namespace=");
	json_write_string(info->ns, strlen(info->ns), out);
	buf_add_lit(out, ",trigger=");
	json_write_string(info->name, strlen(info->name), out);
}

static void write_ends(void *ctx, const struct trigger_info *info)
{
	struct metrics *metrics = ctx;

	for (int i = 0; i < TRIGGER_END_COUNT; i++) {
		buf_add_lit(metrics->out, "skald_kafka_trigger_records_total");
		write_labels(metrics->out, info);
		buf_printf(metrics->out, ",result=\"%s\"} %lld\n", trigger_end_text((enum trigger_end)i),
				   (long long)info->ends[i]);
	}
}

static void write_value(void *ctx, const struct trigger_info *info)
{
	struct metrics *metrics = ctx;

	buf_add_str(metrics->out, metrics->name);
	write_labels(metrics->out, info);
	buf_printf(metrics->out, "} %lld\n", (long long)metrics->value(info));
}

/* X(function, name, type, help, expression over `info`) */
#define TRIGGER_METRICS(X)                                                                         \
	X(poison, "skald_kafka_trigger_poison_total", "counter",                                       \
	  "Records that could not be used at their first attempt.", info->poison)                      \
	X(retries, "skald_kafka_trigger_retries_total", "counter",                                     \
	  "Further attempts at records that could not be used.", info->retries)                        \
	X(retrying, "skald_kafka_trigger_retrying", "gauge",                                           \
	  "Records that could not be used and wait for their next attempt.", info->retrying)           \
	X(waiting, "skald_kafka_trigger_waiting", "gauge",                                             \
	  "Records that wait behind one with the same key.", info->waiting)                            \
	X(in_flight, "skald_kafka_trigger_in_flight", "gauge",                                         \
	  "Records that were taken and are not over.", info->in_flight)                                \
	X(lag, "skald_kafka_trigger_lag", "gauge",                                                     \
	  "Records that this node's partitions hold and that are not over.",                           \
	  info->lag > 0 ? info->lag : 0)                                                               \
	X(paused, "skald_kafka_trigger_paused", "gauge",                                               \
	  "1 when the trigger is paused, by a person or by its policy.",                               \
	  info->state == TRIGGER_PAUSED)                                                               \
	X(up, "skald_kafka_trigger_up", "gauge", "1 when the trigger runs, and is not in trouble.",    \
	  info->state == TRIGGER_RUNNING)

#define X(function, name, type, help, expression)                                                  \
	static int64_t function##_of(const struct trigger_info *info)                                  \
	{                                                                                              \
		return expression;                                                                         \
	}
TRIGGER_METRICS(X)
#undef X

void triggers_write_metrics(struct triggers *triggers, struct buf *out)
{
	struct metrics metrics = {.out = out};
	int64_t refused;

	pthread_mutex_lock(&triggers->lock);
	refused = triggers->refused;
	pthread_mutex_unlock(&triggers->lock);
	metrics_write_head(out, "skald_kafka_triggers_refused", "gauge",
					   "Triggers past the number that a node runs.");
	buf_printf(out, "skald_kafka_triggers_refused %lld\n", (long long)refused);
	metrics_write_head(out, "skald_kafka_trigger_records_total", "counter",
					   "Records of triggers that are over, by how.");
	triggers_each(triggers, NULL, NULL, write_ends, &metrics);
#define X(function, name_, type, help, expression)                                                 \
	metrics_write_head(out, name_, type, help);                                                    \
	metrics.name = name_;                                                                          \
	metrics.value = function##_of;                                                                 \
	triggers_each(triggers, NULL, NULL, write_value, &metrics);
	TRIGGER_METRICS(X)
#undef X
}
