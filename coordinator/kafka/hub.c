#include "coordinator/kafka/hub.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/hub_priv.h"
#include "coordinator/log.h"

enum { TICK_MS = 250, EVENTS_IN_FLIGHT = 500, COMPLAIN_EVERY_MS = 60 * 1000 };

static void take_log(void *ctx, enum kafka_log_level level, const char *cluster, const char *text)
{
	(void)ctx;
	switch (level) {
	case KAFKA_LOG_ERROR:
	case KAFKA_LOG_WARNING:
		log_warn("kafka", NULL, "cluster %s: %s", cluster, text);
		break;
	case KAFKA_LOG_INFO:
	case KAFKA_LOG_DEBUG:
		log_debug("kafka", NULL, "cluster %s: %s", cluster, text);
		break;
	}
}

static struct hub_cluster *find_cluster(struct hub *hub, const char *name)
{
	for (size_t i = 0; i < hub->settings->n_clusters; i++)
		if (strcmp(hub->settings->clusters[i].name, name) == 0)
			return &hub->each[i];
	return NULL;
}

static struct kafka_producer *producer_of(void *ctx, const char *cluster)
{
	struct hub_cluster *found = find_cluster(ctx, cluster);

	return found ? found->producer : NULL;
}

static struct kafka_cluster *cluster_of(void *ctx, const char *name)
{
	struct hub_cluster *found = find_cluster(ctx, name);

	return found ? found->cluster : NULL;
}

static int open_clusters(struct hub *hub, struct err *err)
{
	for (size_t i = 0; i < hub->settings->n_clusters; i++) {
		struct kafka_cluster_options options = hub->settings->clusters[i];
		struct hub_cluster *cluster = &hub->each[i];
		int r;

		options.log = take_log;
		r = kafka_cluster_open(&options, &cluster->cluster, err);
		if (r == 0)
			r = kafka_producer_start(cluster->cluster, &cluster->producer, err);
		if (r < 0) {
			err_prefix(err, "Kafka cluster %s", options.name);
			return r;
		}
		hub->clusters[i] = cluster->cluster;
	}
	return 0;
}

int hub_new(const struct kafka_settings *settings, struct hub **ret_hub, struct err *err)
{
	struct hub *hub = xcalloc(1, sizeof(*hub));
	struct commands_options commands = {.settings = settings, .producer = producer_of, .ctx = hub};
	const char *prefix = settings->group_prefix ? settings->group_prefix : "skald";
	int r;

	hub->settings = settings;
	hub->each = xcalloc(settings->n_clusters + 1, sizeof(*hub->each));
	hub->clusters = xcalloc(settings->n_clusters + 1, sizeof(*hub->clusters));
	hub->reply_group = xasprintf("%s.replies", prefix);
	hub->events_group = xasprintf("%s.events", prefix);
	hub->watermark = watermark_new();
	CHECK(pthread_mutex_init(&hub->mutex, NULL) == 0);
	clock_cond_init(&hub->changed);
	hub->commands = commands_new(&commands);
	r = open_clusters(hub, err);
	if (r < 0) {
		hub_end(hub, 0);
		hub_free(hub);
		return r;
	}
	*ret_hub = hub;
	return 0;
}

/* Thread: engine. */
static void send_command(void *ctx, const char *saga_id, const char *ns, const struct saga_def *def,
						 const struct command *command, const int64_t *not_after_ms,
						 void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx)
{
	commands_send(((struct hub *)ctx)->commands, saga_id, ns, def, command, not_after_ms, replied,
				  reply_ctx);
}

/* They stay there until some cluster is configured. */
static void complain_of_outbox(struct hub *hub)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms < hub->complain_at_ms)
		return;
	hub->complain_at_ms = now_ms + COMPLAIN_EVERY_MS;
	log_warn("kafka", NULL,
			 "sagas publish events, and there is no Kafka cluster in the configuration "
			 "(kafka.brokers): they wait in the outbox");
}

/* Thread: engine; it may run before the relay does. */
static void outbox_written(void *ctx, size_t rows)
{
	struct hub *hub = ctx;
	struct relay *relay = __atomic_load_n(&hub->relay, __ATOMIC_ACQUIRE);

	if (relay && rows > 0)
		relay_wake(relay);
	else if (rows > 0 && hub->settings->n_clusters == 0 && !hub->settings->cdc)
		complain_of_outbox(hub);
}

void hub_engine_options(struct hub *hub, struct engine_options *options)
{
	options->send_command = send_command;
	options->outbox_written = outbox_written;
	options->kafka_ctx = hub;
	options->events_cluster = "default";
	options->events_topic = hub->settings->events_topic;
}

/* The keeper. */

struct queue_list {
	struct hub *hub;
	struct watermark_queue queues[WATERMARK_QUEUES_MAX];
	size_t n;
	bool too_many;
};

static void add_queue(struct queue_list *list, struct kafka_cluster *cluster,
					  struct kafka_consumer *consumer, const char *group, const char *topic)
{
	struct watermark_queue *queue = &list->queues[list->n];

	if (list->n == WATERMARK_QUEUES_MAX) {
		list->too_many = true;
		return;
	}
	list->n++;
	*queue = (struct watermark_queue){.cluster = cluster, .consumer = consumer, .group = group};
	snprintf(queue->topic, sizeof(queue->topic), "%s", topic);
}

static void add_events_topic(void *ctx, size_t cluster, struct kafka_consumer *consumer,
							 const char *topic)
{
	struct queue_list *list = ctx;

	add_queue(list, list->hub->clusters[cluster], consumer, list->hub->events_group, topic);
}

static void list_queues(struct hub *hub, struct queue_list *list)
{
	list->hub = hub;
	for (size_t i = 0; i < hub->settings->n_clusters; i++)
		if (hub->each[i].replies)
			add_queue(list, hub->clusters[i], replies_consumer(hub->each[i].replies),
					  hub->reply_group, hub->settings->reply_topic);
	events_topics(hub->events, add_events_topic, list);
}

/* Past so many topics nothing is told, and time-outs stand still: better than an undo too many. */
static void tell_watermark(struct hub *hub, struct queue_list *list)
{
	wall_ms now = events_looked_at(hub->events), until;

	if (now == 0)
		return;
	*list = (struct queue_list){0};
	list_queues(hub, list);
	if (list->too_many) {
		log_error("kafka", NULL, "more than %d topics are waited at: time-outs stand still",
				  WATERMARK_QUEUES_MAX);
		return;
	}
	until = watermark_step(hub->watermark, list->queues, list->n, now);
	if (until > 0 && until != hub->read_until) {
		__atomic_store_n(&hub->read_until, until, __ATOMIC_RELAXED);
		engine_queues_read(hub->engine, until);
	}
}

/* False when it is to stop. */
static bool wait_for_tick(struct hub *hub)
{
	int64_t at_ms = clock_mono_ms() + TICK_MS;
	struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	bool go_on;
	int r = 0;

	pthread_mutex_lock(&hub->mutex);
	while (!hub->stopping && r == 0)
		r = pthread_cond_timedwait(&hub->changed, &hub->mutex, &until);
	go_on = !hub->stopping;
	pthread_mutex_unlock(&hub->mutex);
	return go_on;
}

static void *keeper_main(void *arg)
{
	struct hub *hub = arg;
	struct queue_list *list = xcalloc(1, sizeof(*list));

	while (wait_for_tick(hub)) {
		for (size_t i = 0; i < hub->settings->n_clusters; i++)
			if (hub->each[i].replies)
				replies_tick(hub->each[i].replies);
		tell_watermark(hub, list);
	}
	free(list);
	return NULL;
}

/* Starting. */

static bool has_participants(const struct hub *hub, const char *cluster)
{
	for (size_t i = 0; i < hub->settings->n_participants; i++)
		if (strcmp(hub->settings->participants[i].cluster, cluster) == 0)
			return true;
	return false;
}

static int start_replies(struct hub *hub, struct err *err)
{
	const struct kafka_settings *settings = hub->settings;
	int r = 0;

	for (size_t i = 0; i < settings->n_clusters && r == 0; i++) {
		struct replies_options options = {
			.cluster = hub->clusters[i],
			.group = hub->reply_group,
			.topic = settings->reply_topic,
			.partitions = settings->reply_partitions,
			.in_flight = settings->in_flight,
			.engine = hub->engine,
			.postbox = hub->postbox,
		};
		struct replies *started = NULL;

		if (has_participants(hub, settings->clusters[i].name))
			r = replies_start(&options, &started, err);
		/* The server runs already, and asks for it. */
		__atomic_store_n(&hub->each[i].replies, started, __ATOMIC_RELEASE);
	}
	return r;
}

static void remember(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint)
{
	const struct hub_start *start = &((struct hub *)ctx)->start;

	start->remember(start->ctx, ns, definition, key, saga_id, fingerprint);
}

static int start_intake(struct hub *hub, const struct hub_start *start, struct err *err)
{
	struct triggers_options triggers = {
		.store = start->store,
		.writer = start->writer,
		.registry = start->registry,
		.engine = start->engine,
		.member = start->member,
		.http = start->http,
		.cluster = cluster_of,
		.producer = producer_of,
		.remember = start->remember ? remember : NULL,
		.ctx = hub,
		.group_prefix = hub->settings->group_prefix,
		.in_flight = hub->settings->in_flight,
	};
	struct events_options events = {
		.store = start->store,
		.writer = start->writer,
		.registry = start->registry,
		.owners = &hub->owners,
		.clusters = hub->clusters,
		.n_clusters = hub->settings->n_clusters,
		.group = hub->events_group,
		.keep_ms = hub->settings->early_events_ms,
		.in_flight = EVENTS_IN_FLIGHT,
	};
	struct triggers *started_triggers = NULL;
	struct events *started_events = NULL;
	int r = start_replies(hub, err);

	/* The server runs already, and asks for them. */
	if (r == 0 && hub->settings->n_clusters > 0)
		r = events_start(&events, &started_events, err);
	__atomic_store_n(&hub->events, started_events, __ATOMIC_RELEASE);
	if (r == 0)
		r = triggers_start(&triggers, &started_triggers, err);
	__atomic_store_n(&hub->triggers, started_triggers, __ATOMIC_RELEASE);
	return r;
}

int hub_start(struct hub *hub, const struct hub_start *start, struct err *err)
{
	struct relay_options relay_options = {
		.store = start->store,
		.writer = start->writer,
		.owners = &hub->owners,
		.producer = producer_of,
		.ctx = hub,
		.cdc = hub->settings->cdc,
	};
	struct relay *relay;
	int r;

	hub->start = *start;
	hub->engine = start->engine;
	hub->owners = (struct owners){
		.engine = start->engine,
		.member = start->member,
		.http = start->http,
		.slot_count = start->store->ops->slot_count(start->store),
	};
	hub->postbox = postbox_new(start->writer, &hub->owners);
	if (hub->settings->n_clusters > 0 || hub->settings->cdc) {
		r = relay_start(&relay_options, &relay, err);
		if (r < 0)
			return r;
		__atomic_store_n(&hub->relay, relay, __ATOMIC_RELEASE);
	}
	r = start_intake(hub, start, err);
	if (r < 0)
		return r;
	if (hub->settings->n_clusters == 0) {
		/* Nothing can come, so nothing is waited for. */
		engine_queues_read(hub->engine, TIME_MAX_SECONDS * 1000);
		return 0;
	}
	if (pthread_create(&hub->keeper, NULL, keeper_main, hub) != 0)
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of Kafka");
	pthread_setname_np(hub->keeper, "skald-kafka");
	hub->keeping = true;
	return 0;
}

/* Stopping. */

void hub_stop(struct hub *hub, int64_t grace_ms)
{
	pthread_mutex_lock(&hub->mutex);
	hub->stopping = true;
	pthread_cond_signal(&hub->changed);
	pthread_mutex_unlock(&hub->mutex);
	if (hub->keeping)
		pthread_join(hub->keeper, NULL);
	hub->keeping = false;
	if (hub->triggers)
		triggers_stop(hub->triggers, grace_ms);
	if (hub->events)
		events_stop(hub->events, grace_ms);
	for (size_t i = 0; i < hub->settings->n_clusters; i++)
		if (hub->each[i].replies)
			replies_stop(hub->each[i].replies, grace_ms);
}

void hub_end(struct hub *hub, int64_t grace_ms)
{
	if (hub->relay)
		relay_stop(hub->relay, grace_ms);
	for (size_t i = 0; i < hub->settings->n_clusters; i++) {
		struct kafka_producer *producer;

		/* The server still shows metrics. */
		pthread_mutex_lock(&hub->mutex);
		producer = TAKE(hub->each[i].producer);
		pthread_mutex_unlock(&hub->mutex);
		kafka_producer_stop(producer, grace_ms);
	}
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	triggers_free(hub->triggers);
	events_free(hub->events);
	relay_free(hub->relay);
	for (size_t i = 0; i < hub->settings->n_clusters; i++)
		replies_free(hub->each[i].replies);
	postbox_free(hub->postbox);
	for (size_t i = 0; i < hub->settings->n_clusters; i++)
		kafka_cluster_close(hub->each[i].cluster);
	commands_free(hub->commands);
	watermark_free(hub->watermark);
	pthread_cond_destroy(&hub->changed);
	pthread_mutex_destroy(&hub->mutex);
	free(hub->reply_group);
	free(hub->events_group);
	free(hub->clusters);
	free(hub->each);
	free(hub);
}

void hub_deployed(struct hub *hub)
{
	struct events *events = __atomic_load_n(&hub->events, __ATOMIC_ACQUIRE);
	struct triggers *triggers = hub_triggers(hub);

	if (events)
		events_deployed(events);
	if (triggers)
		triggers_deployed(triggers);
}

struct triggers *hub_triggers(struct hub *hub)
{
	return __atomic_load_n(&hub->triggers, __ATOMIC_ACQUIRE);
}
