#include "coordinator/kafka/events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/channels.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "sagas/cloudevent.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

enum {
	LOOK_EVERY_MS = 500, /* for what other nodes deployed, when no record comes */
	EXPIRE_EVERY_MS = 10000,
	EXPIRE_AGAIN_MS = 50,
	EXPIRE_LIMIT = 1000,
	BATCH_RECORDS = 256,
	BATCH_BYTES = 8 * 1024 * 1024,
	RETRY_FIRST_MS = 50,
	RETRY_MAX_MS = 5000,
};

/* The consumer of one cluster. */
struct source {
	struct events *events;
	size_t cluster;
	struct kafka_consumer *consumer; /* NULL: no topic yet */
	char **topics;
	size_t n_topics;
};

struct waiting {
	struct waiting *next;
	struct kafka_taken *taken;
};

struct events {
	struct events_options options;
	pthread_t thread;
	struct source *sources;    /* n_clusters */
	struct events_stats stats; /* atomics */
	wall_ms looked_at;         /* atomic */

	/* The thread's own. */
	struct store_reader *reader;
	struct channels channels;
	int64_t look_at_ms, expire_at_ms; /* monotonic */
	char **unknown;                   /* clusters that were complained of */
	size_t n_unknown;

	pthread_mutex_t mutex; /* of all that follows, and of the sources' topics */
	pthread_cond_t news;
	struct waiting *head, **tail;
	bool deployed, stopping;
};

static void count(int64_t *counter, int64_t n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

/* Thread: consumer. */
static int take_record(void *ctx, struct kafka_taken *taken)
{
	struct events *events = ((struct source *)ctx)->events;
	struct waiting *waiting;
	bool stopping;

	pthread_mutex_lock(&events->mutex);
	stopping = events->stopping;
	if (!stopping) {
		waiting = xcalloc(1, sizeof(*waiting));
		waiting->taken = taken;
		*events->tail = waiting;
		events->tail = &waiting->next;
		pthread_cond_signal(&events->news);
	}
	pthread_mutex_unlock(&events->mutex);
	if (stopping)
		return ERR_UNAVAILABLE;
	count(&events->stats.taken, 1);
	return 0;
}

/* Topics. */

static int cluster_index(const struct events *events, const char *name)
{
	for (size_t i = 0; i < events->options.n_clusters; i++)
		if (strcmp(kafka_cluster_name(events->options.clusters[i]), name) == 0)
			return (int)i;
	return -1;
}

static void complain_of_cluster(struct events *events, const struct channel *channel)
{
	for (size_t i = 0; i < events->n_unknown; i++)
		if (strcmp(events->unknown[i], channel->on->cluster) == 0)
			return;
	events->unknown =
		xrealloc_array(events->unknown, events->n_unknown + 1, sizeof(*events->unknown));
	events->unknown[events->n_unknown++] = xstrdup(channel->on->cluster);
	log_warn("kafka", NULL,
			 "%s waits for events of topic %s, and there is no Kafka cluster `%s` in the "
			 "configuration",
			 channel->def->name, channel->on->topic, channel->on->cluster);
}

/* True when it is new. */
static bool add_topic(struct events *events, struct source *source, const char *topic)
{
	bool known = false;

	for (size_t i = 0; i < source->n_topics && !known; i++)
		known = strcmp(source->topics[i], topic) == 0;
	if (known)
		return false;
	pthread_mutex_lock(&events->mutex);
	source->topics = xrealloc_array(source->topics, source->n_topics + 1, sizeof(*source->topics));
	source->topics[source->n_topics++] = xstrdup(topic);
	pthread_mutex_unlock(&events->mutex);
	return true;
}

static void start_consumer(struct events *events, struct source *source)
{
	struct kafka_consumer_options options = {
		.cluster = events->options.clusters[source->cluster],
		.group = events->options.group,
		.topics = (const char *const *)source->topics,
		.n_topics = source->n_topics,
		.from = KAFKA_FROM_TIME,
		.from_time = clock_wall() - events->options.keep_ms,
		.in_flight_max = events->options.in_flight,
		.record = take_record,
		.ctx = source,
	};
	struct kafka_consumer *consumer = NULL;
	struct err err;

	if (kafka_consumer_start(&options, &consumer, &err) < 0) {
		log_error("kafka", NULL, "events of cluster %s cannot be consumed: %s",
				  kafka_cluster_name(options.cluster), err.text);
		return;
	}
	pthread_mutex_lock(&events->mutex);
	source->consumer = consumer;
	pthread_mutex_unlock(&events->mutex);
}

static void follow_topics(struct events *events)
{
	CLEANUP(free_p) bool *changed = xcalloc(events->options.n_clusters + 1, sizeof(*changed));
	struct err err;

	for (size_t i = 0; i < events->channels.n; i++) {
		const struct channel *channel = &events->channels.channels[i];
		int cluster = cluster_index(events, channel->on->cluster);

		if (cluster < 0)
			complain_of_cluster(events, channel);
		else if (add_topic(events, &events->sources[cluster], channel->on->topic))
			changed[cluster] = true;
	}
	for (size_t i = 0; i < events->options.n_clusters; i++) {
		struct source *source = &events->sources[i];

		if (source->n_topics > 0 && !source->consumer)
			start_consumer(events, source);
		else if (changed[i] &&
				 kafka_consumer_topics(source->consumer, (const char *const *)source->topics,
									   source->n_topics, &err) < 0)
			log_error("kafka", NULL, "events of cluster %s cannot be consumed: %s",
					  kafka_cluster_name(events->options.clusters[i]), err.text);
	}
}

static int look(struct events *events, struct err *err)
{
	wall_ms now = clock_wall();
	bool changed = false;
	int r = channels_refresh(&events->channels, events->reader, events->options.registry, &changed,
							 err);

	if (changed)
		follow_topics(events);
	if (r == 0)
		__atomic_store_n(&events->looked_at, now, __ATOMIC_RELEASE);
	events->look_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	return r;
}

/* Rows. */

struct rows {
	struct event_row rows[STORE_PUT_MAX];
	char (*values)[STORE_VALUE_MAX_BYTES + 1];
	size_t n;
	/* What they borrow from. */
	struct buf texts[BATCH_RECORDS], ids[BATCH_RECORDS];
	size_t n_records;
	bool *touched;
};

static void rows_clear(struct rows *rows)
{
	for (size_t i = 0; i < rows->n_records; i++) {
		buf_release(&rows->texts[i]);
		buf_release(&rows->ids[i]);
	}
	rows->n = rows->n_records = 0;
}

static bool channel_is_for(const struct channel *channel, const struct kafka_record *record)
{
	return strcmp(channel->on->topic, record->topic) == 0 &&
		   strcmp(channel->on->cluster, record->cluster) == 0;
}

static void add_row(struct events *events, struct rows *rows, const struct channel *channel,
					size_t place, wall_ms now)
{
	rows->rows[rows->n] = (struct event_row){
		.ns = channel->ns,
		.channel = channel->on->channel,
		.value = rows->values[rows->n],
		.id = buf_str(&rows->ids[place]),
		.at = now,
		.expires_at = now + events->options.keep_ms,
		.event = buf_str(&rows->texts[place]),
		.event_len = rows->texts[place].len,
	};
	rows->n++;
}

static size_t channels_for(const struct events *events, const struct kafka_record *record)
{
	size_t n = 0;

	for (size_t i = 0; i < events->channels.n; i++)
		n += channel_is_for(&events->channels.channels[i], record);
	return n;
}

static void add_record(struct events *events, struct rows *rows, const struct kafka_record *record)
{
	CLEANUP(json_decref_p) json_t *event = NULL;
	size_t place = rows->n_records;
	wall_ms now = clock_wall();
	struct err err;

	if (channels_for(events, record) == 0)
		return;
	if (cloudevent_read(record, &event, &err) < 0) {
		count(&events->stats.unreadable, 1);
		log_warn("kafka", NULL, "%s/%d/%lld is no event: %s", record->topic, record->partition,
				 (long long)record->offset, err.text);
		return;
	}
	rows->n_records++;
	buf_init(&rows->texts[place], 0);
	buf_init(&rows->ids[place], 0);
	json_write(event, &rows->texts[place]);
	buf_printf(&rows->ids[place], "%s/%s/%d/%lld", record->cluster, record->topic,
			   record->partition, (long long)record->offset);
	for (size_t i = 0; i < events->channels.n && rows->n < STORE_PUT_MAX; i++) {
		const struct channel *channel = &events->channels.channels[i];

		if (channel_is_for(channel, record) &&
			correlate_value_in(channel->def->around, channel->on, event, rows->values[rows->n]))
			add_row(events, rows, channel, place, now);
	}
}

static int put(void *ctx, struct store *store, struct err *err)
{
	struct rows *rows = ctx;

	return store->ops->events_put(store, rows->rows, rows->n, rows->touched, err);
}

static bool is_stopping(struct events *events)
{
	bool stopping;

	pthread_mutex_lock(&events->mutex);
	stopping = events->stopping;
	pthread_mutex_unlock(&events->mutex);
	return stopping;
}

/* Waits, unless it is to stop; then it returns false. */
static bool pause_ms(struct events *events, int64_t ms)
{
	int64_t until_ms = clock_mono_ms() + ms, left;

	while (!is_stopping(events)) {
		struct timespec moment = {.tv_nsec = 20 * 1000000};

		left = until_ms - clock_mono_ms();
		if (left <= 0)
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

/* A row that the store does not take is left out, and the others are put again. */
static bool leave_out(struct events *events, struct rows *rows, const struct err *err)
{
	size_t i;

	if ((err->code != ERR_LIMIT && err->code != ERR_INVALID) ||
		sscanf(err->place, "row %zu", &i) != 1 || i >= rows->n)
		return false;
	log_warn("kafka", NULL, "the event %s is not kept: %s", rows->rows[i].id, err->text);
	count(&events->stats.refused, 1);
	memmove(&rows->rows[i], &rows->rows[i + 1], (--rows->n - i) * sizeof(rows->rows[0]));
	return true;
}

/* Until they are kept; false when it is to stop. */
static bool keep(struct events *events, struct rows *rows)
{
	int64_t delay_ms = RETRY_FIRST_MS;
	struct err err;

	memset(rows->touched, 0, SLOTS_MAX * sizeof(*rows->touched));
	while (rows->n > 0) {
		int r = store_job_run(events->options.writer, put, rows, &err);

		if (r == 0) {
			count(&events->stats.kept, (int64_t)rows->n);
			owners_wake(events->options.owners, rows->touched);
			return true;
		}
		if (leave_out(events, rows, &err))
			continue;
		log_warn("kafka", NULL, "events cannot be kept now: %s", err.text);
		if (!pause_ms(events, delay_ms))
			return false;
		delay_ms = delay_ms * 2 < RETRY_MAX_MS ? delay_ms * 2 : RETRY_MAX_MS;
	}
	return true;
}

/* What is deployed at this moment counts for all records that are there already. */
static bool look_now(struct events *events)
{
	int64_t delay_ms = RETRY_FIRST_MS;
	struct err err;

	while (look(events, &err) < 0) {
		log_warn("kafka", NULL, "definitions cannot be read now: %s", err.text);
		if (!pause_ms(events, delay_ms))
			return false;
		delay_ms = delay_ms * 2 < RETRY_MAX_MS ? delay_ms * 2 : RETRY_MAX_MS;
	}
	return true;
}

static void free_waiting(struct waiting *waiting)
{
	struct waiting *next;

	for (; waiting; waiting = next) {
		next = waiting->next;
		kafka_done(waiting->taken);
		free(waiting);
	}
}

/* As many as make a batch, from the front of the list. */
static struct waiting *process(struct events *events, struct rows *rows, struct waiting *waiting)
{
	struct waiting *first = waiting, *last = NULL;
	size_t bytes = 0;

	/* A record gives at most one row for each channel. */
	while (waiting && rows->n_records < BATCH_RECORDS && bytes < BATCH_BYTES &&
		   (rows->n == 0 ||
			rows->n + channels_for(events, &waiting->taken->record) <= STORE_PUT_MAX)) {
		add_record(events, rows, &waiting->taken->record);
		bytes += waiting->taken->record.value_len;
		last = waiting;
		waiting = waiting->next;
	}
	last->next = NULL;
	if (!keep(events, rows)) {
		last->next = waiting;
		rows_clear(rows);
		return first;
	}
	rows_clear(rows);
	free_waiting(first);
	return waiting;
}

struct expiry {
	wall_ms before;
	int n;
};

static int expire(void *ctx, struct store *store, struct err *err)
{
	struct expiry *expiry = ctx;

	return store->ops->events_expire(store, expiry->before, EXPIRE_LIMIT, &expiry->n, err);
}

static void expire_some(struct events *events)
{
	struct expiry expiry = {.before = clock_wall()};
	struct err err;

	events->expire_at_ms = clock_mono_ms() + EXPIRE_EVERY_MS;
	if (store_job_run(events->options.writer, expire, &expiry, &err) < 0)
		return; /* the next time */
	count(&events->stats.expired, expiry.n);
	if (expiry.n == EXPIRE_LIMIT)
		events->expire_at_ms = clock_mono_ms() + EXPIRE_AGAIN_MS;
}

/* Waits for records, a deployment, or the time to look. */
static struct waiting *wait_for_news(struct events *events)
{
	int64_t at_ms =
		events->look_at_ms < events->expire_at_ms ? events->look_at_ms : events->expire_at_ms;
	struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	struct waiting *waiting;
	int r = 0;

	pthread_mutex_lock(&events->mutex);
	while (!events->head && !events->stopping && !events->deployed && r == 0)
		r = pthread_cond_timedwait(&events->news, &events->mutex, &until);
	events->deployed = false;
	waiting = TAKE(events->head);
	events->tail = &events->head;
	pthread_mutex_unlock(&events->mutex);
	return waiting;
}

/* It is to stop, and they are not over: they come again. */
static void put_back(struct events *events, struct waiting *waiting)
{
	struct waiting **end = &waiting->next;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&events->mutex);
	*end = events->head;
	if (!*end)
		events->tail = end;
	events->head = waiting;
	pthread_mutex_unlock(&events->mutex);
}

static void *events_main(void *arg)
{
	struct events *events = arg;
	struct rows *rows = xcalloc(1, sizeof(*rows));

	rows->values = xcalloc(STORE_PUT_MAX, sizeof(*rows->values));
	rows->touched = xcalloc(SLOTS_MAX, sizeof(*rows->touched));
	while (!is_stopping(events)) {
		struct waiting *waiting = wait_for_news(events);

		if (look_now(events))
			while (waiting && !is_stopping(events))
				waiting = process(events, rows, waiting);
		if (waiting)
			put_back(events, waiting);
		if (clock_mono_ms() >= events->expire_at_ms)
			expire_some(events);
	}
	free(rows->values);
	free(rows->touched);
	free(rows);
	return NULL;
}

/* Starting and stopping. */

int events_start(const struct events_options *options, struct events **ret_events, struct err *err)
{
	struct events *events = xcalloc(1, sizeof(*events));
	int r;

	events->options = *options;
	events->tail = &events->head;
	events->sources = xcalloc(options->n_clusters + 1, sizeof(*events->sources));
	for (size_t i = 0; i < options->n_clusters; i++)
		events->sources[i] = (struct source){.events = events, .cluster = i};
	CHECK(pthread_mutex_init(&events->mutex, NULL) == 0);
	clock_cond_init(&events->news);
	r = options->store->ops->reader_open(options->store, &events->reader, err);
	if (r == 0 && pthread_create(&events->thread, NULL, events_main, events) != 0)
		r = err_set(err, ERR_UNAVAILABLE, "cannot start the thread of events");
	if (r < 0) {
		events_free(events);
		return r;
	}
	pthread_setname_np(events->thread, "skald-events");
	*ret_events = events;
	return 0;
}

void events_deployed(struct events *events)
{
	pthread_mutex_lock(&events->mutex);
	events->deployed = true;
	pthread_cond_signal(&events->news);
	pthread_mutex_unlock(&events->mutex);
}

void events_stop(struct events *events, int64_t grace_ms)
{
	pthread_mutex_lock(&events->mutex);
	events->stopping = true;
	pthread_cond_signal(&events->news);
	pthread_mutex_unlock(&events->mutex);
	pthread_join(events->thread, NULL);
	for (size_t i = 0; i < events->options.n_clusters; i++) {
		struct kafka_consumer *consumer;
		bool left;

		pthread_mutex_lock(&events->mutex);
		consumer = TAKE(events->sources[i].consumer);
		left = events->head != NULL;
		pthread_mutex_unlock(&events->mutex);
		/* Nobody ends what is left now. */
		kafka_consumer_stop(consumer, left ? 0 : grace_ms);
	}
	free_waiting(TAKE(events->head));
}

void events_free(struct events *events)
{
	if (!events)
		return;
	if (events->reader)
		events->options.store->ops->reader_close(events->reader);
	for (size_t i = 0; i < events->options.n_clusters; i++) {
		for (size_t k = 0; k < events->sources[i].n_topics; k++)
			free(events->sources[i].topics[k]);
		free(events->sources[i].topics);
	}
	for (size_t i = 0; i < events->n_unknown; i++)
		free(events->unknown[i]);
	free(events->unknown);
	free(events->sources);
	channels_release(&events->channels);
	pthread_cond_destroy(&events->news);
	pthread_mutex_destroy(&events->mutex);
	free(events);
}

void events_topics(struct events *events,
				   void (*each)(void *ctx, size_t cluster, struct kafka_consumer *consumer,
								const char *topic),
				   void *ctx)
{
	pthread_mutex_lock(&events->mutex);
	for (size_t i = 0; i < events->options.n_clusters; i++)
		for (size_t k = 0; k < events->sources[i].n_topics; k++)
			each(ctx, i, events->sources[i].consumer, events->sources[i].topics[k]);
	pthread_mutex_unlock(&events->mutex);
}

wall_ms events_looked_at(struct events *events)
{
	return __atomic_load_n(&events->looked_at, __ATOMIC_ACQUIRE);
}

void events_stats(struct events *events, struct events_stats *ret_stats)
{
	ret_stats->taken = __atomic_load_n(&events->stats.taken, __ATOMIC_RELAXED);
	ret_stats->kept = __atomic_load_n(&events->stats.kept, __ATOMIC_RELAXED);
	ret_stats->unreadable = __atomic_load_n(&events->stats.unreadable, __ATOMIC_RELAXED);
	ret_stats->refused = __atomic_load_n(&events->stats.refused, __ATOMIC_RELAXED);
	ret_stats->expired = __atomic_load_n(&events->stats.expired, __ATOMIC_RELAXED);
}
