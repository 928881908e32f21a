/*
 * A consumer's thread: polls, so that the group keeps it as a member, hands records out, commits
 * what is done every so often, and carries out what other threads ask for.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_consumer_priv.h"

/* Under lock; unlocks. */
void kafka__consumer_unref(struct kafka_consumer *consumer)
{
	bool last = --consumer->refs == 0;

	pthread_mutex_unlock(&consumer->lock);
	if (!last)
		return;
	for (size_t i = 0; i < consumer->n_topics; i++)
		free(consumer->topics[i]);
	free(consumer->topics);
	free(consumer->group);
	free(consumer->parts);
	free(consumer->pauses);
	kafka__client_release(&consumer->client);
	pthread_mutex_destroy(&consumer->lock);
	pthread_cond_destroy(&consumer->over);
	free(consumer);
}

/* Pauses of operators */

static bool pause_covers(const struct kafka__pause *pause, const char *topic, int partition)
{
	return pause->topic[0] == '\0' || (strcmp(pause->topic, topic) == 0 &&
									   (pause->partition < 0 || pause->partition == partition));
}

bool kafka__operator_paused(const struct kafka_consumer *consumer, const char *topic, int partition)
{
	for (size_t i = 0; i < consumer->n_pauses; i++) {
		if (pause_covers(&consumer->pauses[i], topic, partition))
			return true;
	}
	return false;
}

static void wake(struct kafka_consumer *consumer) /* under lock */
{
	if (consumer->queue)
		rd_kafka_queue_yield(consumer->queue);
}

void kafka_consumer_pause(struct kafka_consumer *consumer, const char *topic, int partition,
						  bool pause)
{
	struct kafka__pause wanted = {.partition = topic ? partition : -1};
	size_t i = 0;

	snprintf(wanted.topic, sizeof(wanted.topic), "%s", topic ? topic : "");
	pthread_mutex_lock(&consumer->lock);
	while (i < consumer->n_pauses && (consumer->pauses[i].partition != wanted.partition ||
									  strcmp(consumer->pauses[i].topic, wanted.topic) != 0))
		i++;
	if (pause && i == consumer->n_pauses && i < KAFKA_PARTITIONS_MAX) {
		consumer->pauses =
			xrealloc_array(consumer->pauses, consumer->n_pauses + 1, sizeof(*consumer->pauses));
		consumer->pauses[consumer->n_pauses++] = wanted;
	} else if (!pause && i < consumer->n_pauses) {
		consumer->pauses[i] = consumer->pauses[--consumer->n_pauses];
	}
	consumer->pauses_changed = true;
	wake(consumer);
	pthread_mutex_unlock(&consumer->lock);
}

/* The instance */

static int instance_make(struct kafka_consumer *consumer, struct err *err)
{
	const struct kafka__setting own[] = {
		{"group.id", consumer->group},
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		/* Where to go on is found by Skald; an offset that is gone must be seen here. */
		{"auto.offset.reset", "error"},
		{"partition.assignment.strategy", "range"},
		{"enable.partition.eof", "true"},
		{"statistics.interval.ms", "1000"},
	};
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	int r;

	r = kafka__conf(consumer->client.cluster, &consumer->client, true, own, ARRAY_SIZE(own), &conf,
					err);
	if (r < 0)
		return r;
	rd_kafka_conf_set_rebalance_cb(conf, kafka__on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(conf, kafka__on_commit);
	r = kafka__new(RD_KAFKA_CONSUMER, conf, &rk, err);
	if (r < 0)
		return r;
	atomic_store(&consumer->client.silent, false);
	rd_kafka_poll_set_consumer(rk);
	consumer->rk = rk;
	pthread_mutex_lock(&consumer->lock);
	consumer->queue = rd_kafka_queue_get_consumer(rk);
	consumer->topics_changed = true;
	pthread_mutex_unlock(&consumer->lock);
	return 0;
}

static void instance_over(void *ctx)
{
	struct kafka_consumer *consumer = ctx;

	pthread_mutex_lock(&consumer->lock);
	kafka__consumer_unref(consumer);
}

/* Leaves the group, within a limit, and ends the instance. */
static void instance_end(struct kafka_consumer *consumer)
{
	int64_t until = kafka__mono_ms() + KAFKA__CLOSE_MS;
	rd_kafka_queue_t *queue;
	rd_kafka_error_t *error;

	if (!consumer->rk)
		return;
	queue = rd_kafka_queue_get_consumer(consumer->rk);
	error = rd_kafka_consumer_close_queue(consumer->rk, queue);
	while (!error && !rd_kafka_consumer_closed(consumer->rk) && kafka__mono_ms() < until) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, 50);

		if (message)
			rd_kafka_message_destroy(message);
		/* Nobody can be told that it leaves. */
		if (kafka__all_down(&consumer->client) && consumer->n_parts == 0)
			break;
	}
	rd_kafka_error_destroy(error);
	rd_kafka_queue_destroy(queue);
	/* When brokers are away, it may have been given up before its partitions were revoked. */
	kafka__parts_drop(consumer);
	pthread_mutex_lock(&consumer->lock);
	queue = consumer->queue;
	consumer->queue = NULL;
	pthread_mutex_unlock(&consumer->lock);
	rd_kafka_queue_destroy(queue);
	pthread_mutex_lock(&consumer->lock);
	consumer->refs++;
	pthread_mutex_unlock(&consumer->lock);
	atomic_store(&consumer->client.silent, true);
	if (kafka__destroy(consumer->rk, KAFKA__DESTROY_MS, instance_over, consumer))
		instance_over(consumer);
	consumer->rk = NULL;
}

/* The thread */

static void subscribe(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t code;

	pthread_mutex_lock(&consumer->lock);
	if (consumer->topics_changed) {
		consumer->topics_changed = false;
		list = rd_kafka_topic_partition_list_new((int)consumer->n_topics + 1);
		for (size_t i = 0; i < consumer->n_topics; i++)
			rd_kafka_topic_partition_list_add(list, consumer->topics[i], RD_KAFKA_PARTITION_UA);
		consumer->missing_topic[0] = '\0';
	}
	pthread_mutex_unlock(&consumer->lock);
	if (!list)
		return;
	code =
		list->cnt > 0 ? rd_kafka_subscribe(consumer->rk, list) : rd_kafka_unsubscribe(consumer->rk);
	if (code)
		kafka__note_error(&consumer->client, rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(list);
}

static void serve_requests(struct kafka_consumer *consumer)
{
	for (;;) {
		struct kafka__request *request;

		pthread_mutex_lock(&consumer->lock);
		request = consumer->requests;
		if (request)
			consumer->requests = request->next;
		pthread_mutex_unlock(&consumer->lock);
		if (!request)
			return;
		kafka__seek(consumer, request);
		pthread_mutex_lock(&consumer->lock);
		request->over = true;
		if (request->abandoned)
			free(request);
		else
			pthread_cond_broadcast(&consumer->over);
		pthread_mutex_unlock(&consumer->lock);
	}
}

/* What came instead of a record, and is of no partition. */
static void on_trouble(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";

	if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
		pthread_mutex_lock(&consumer->lock);
		snprintf(consumer->missing_topic, sizeof(consumer->missing_topic), "%s", topic);
		pthread_mutex_unlock(&consumer->lock);
		consumer->missing_at_ms = kafka__mono_ms();
	}
	kafka__note_error(&consumer->client, rd_kafka_message_errstr(message));
}

/* A topic that was missing may be there by now, its partitions with other members of the group. */
static void missing_tend(struct kafka_consumer *consumer)
{
	const struct rd_kafka_metadata *metadata;
	char topic[KAFKA_TOPIC_SIZE];
	rd_kafka_topic_t *handle;

	pthread_mutex_lock(&consumer->lock);
	snprintf(topic, sizeof(topic), "%s", consumer->missing_topic);
	pthread_mutex_unlock(&consumer->lock);
	if (!*topic || kafka__mono_ms() - consumer->missing_at_ms < KAFKA__END_INTERVAL_MS)
		return;
	consumer->missing_at_ms = kafka__mono_ms();
	handle = rd_kafka_topic_new(consumer->rk, topic, NULL);
	if (!handle)
		return;
	if (rd_kafka_metadata(consumer->rk, 0, handle, &metadata, KAFKA__QUERY_MS / 3) ==
		RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (metadata->topic_cnt == 1 && !metadata->topics[0].err) {
			pthread_mutex_lock(&consumer->lock);
			consumer->missing_topic[0] = '\0';
			pthread_mutex_unlock(&consumer->lock);
		}
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(handle);
}

/* When there is something to do without anything coming. */
static int64_t wait_ms(const struct kafka_consumer *consumer)
{
	int64_t now = kafka__mono_ms(), at = now + KAFKA__POLL_MS;

	if (consumer->commit_at_ms < at)
		at = consumer->commit_at_ms;
	for (size_t i = 0; i < consumer->n_parts; i++) {
		const struct kafka__part *part = consumer->parts[i];

		if ((part->hold & KAFKA__HOLD_OFFERED) && part->offer_at_ms < at)
			at = part->offer_at_ms;
	}
	return at > now ? at - now : 0;
}

static void poll_some(struct kafka_consumer *consumer)
{
	int64_t wait = wait_ms(consumer);

	for (int i = 0; i < KAFKA__RUN_MAX; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, (int)wait);

		if (!message)
			break;
		wait = 0;
		if (!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
			message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
			kafka__part_message(consumer, message);
		else
			on_trouble(consumer, message);
		rd_kafka_message_destroy(message);
	}
	kafka__ran(consumer);
}

static void renew(struct kafka_consumer *consumer)
{
	const struct timespec pause = {.tv_nsec = 500 * 1000 * 1000};
	struct err err;

	kafka__ran(consumer);
	instance_end(consumer);
	atomic_store(&consumer->client.fatal, false);
	if (instance_make(consumer, &err) < 0) {
		kafka__note_error(&consumer->client, err.text);
		nanosleep(&pause, NULL);
	}
}

static void tend(struct kafka_consumer *consumer)
{
	int64_t now = kafka__mono_ms();

	subscribe(consumer);
	serve_requests(consumer);
	kafka__parts_tend(consumer);
	if (now >= consumer->place_at_ms)
		kafka__places_tend(consumer);
	kafka__holds_apply(consumer);
	if (now >= consumer->commit_at_ms) {
		consumer->commit_at_ms = now + KAFKA_COMMIT_INTERVAL_MS;
		kafka__commit(consumer, 0);
	}
	if (now >= consumer->ends_at_ms)
		kafka__ends_tend(consumer);
	missing_tend(consumer);
}

/* Nothing more is handed out, and what is out may end. True: the thread may end. */
static bool stop_now(struct kafka_consumer *consumer)
{
	bool stop, over;

	pthread_mutex_lock(&consumer->lock);
	stop = consumer->stop;
	over = consumer->in_flight == 0 || kafka__mono_ms() >= consumer->stop_until_ms;
	pthread_mutex_unlock(&consumer->lock);
	consumer->stopping = stop;
	return stop && over;
}

static void *run(void *arg)
{
	struct kafka_consumer *consumer = arg;

	while (!stop_now(consumer)) {
		if (!consumer->rk || atomic_load(&consumer->client.fatal)) {
			if (consumer->stopping)
				break;
			renew(consumer);
			continue;
		}
		tend(consumer);
		poll_some(consumer);
	}
	if (consumer->rk)
		kafka__commit(consumer, KAFKA__QUERY_MS);
	instance_end(consumer);
	pthread_mutex_lock(&consumer->lock);
	consumer->state = KAFKA_STOPPED;
	/* Nobody is left to carry them out. */
	while (consumer->requests) {
		struct kafka__request *request = consumer->requests;

		consumer->requests = request->next;
		request->result = err_set(&request->err, ERR_UNAVAILABLE, "the consumer was stopped");
		request->over = true;
		if (request->abandoned)
			free(request);
	}
	pthread_cond_broadcast(&consumer->over);
	pthread_mutex_unlock(&consumer->lock);
	return NULL;
}

/* Functions of other threads */

static int topics_check(const char *const *topics, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!*topics[i] || strlen(topics[i]) >= KAFKA_TOPIC_SIZE)
			return err_set(err, ERR_INVALID, "the name of a topic has 1 to %d bytes",
						   KAFKA_TOPIC_SIZE - 1);
		/* librdkafka would take it for a pattern. */
		if (topics[i][0] == '^')
			return err_set(err, ERR_INVALID, "`%s` is not the name of a topic", topics[i]);
	}
	return 0;
}

static void topics_set(struct kafka_consumer *consumer, const char *const *topics, size_t n)
{
	for (size_t i = 0; i < consumer->n_topics; i++)
		free(consumer->topics[i]);
	free(consumer->topics);
	consumer->topics = xcalloc(n + 1, sizeof(*consumer->topics));
	for (size_t i = 0; i < n; i++)
		consumer->topics[i] = xstrdup(topics[i]);
	consumer->n_topics = n;
	consumer->topics_changed = true;
}

int kafka_consumer_start(const struct kafka_consumer_options *options,
						 struct kafka_consumer **ret_consumer, struct err *err)
{
	struct kafka_consumer *consumer;
	pthread_condattr_t attr;
	int r;

	if (!options->group || !*options->group)
		return err_set(err, ERR_INVALID, "a consumer needs a group");
	r = topics_check(options->topics, options->n_topics, err);
	if (r < 0)
		return r;
	consumer = xcalloc(1, sizeof(*consumer));
	kafka__client_init(&consumer->client, options->cluster);
	CHECK(pthread_mutex_init(&consumer->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&consumer->over, &attr) == 0);
	pthread_condattr_destroy(&attr);
	consumer->refs = 1;
	consumer->options = *options;
	consumer->options.topics = NULL;
	consumer->group = xstrdup(options->group);
	consumer->options.group = consumer->group;
	if (consumer->options.in_flight_max <= 0)
		consumer->options.in_flight_max = KAFKA_IN_FLIGHT_DEFAULT;
	if (consumer->options.in_flight_max_bytes <= 0)
		consumer->options.in_flight_max_bytes = KAFKA_IN_FLIGHT_MAX_BYTES;
	topics_set(consumer, options->topics, options->n_topics);
	r = instance_make(consumer, err);
	if (r < 0) {
		pthread_mutex_lock(&consumer->lock);
		kafka__consumer_unref(consumer);
		return r;
	}
	CHECK(pthread_create(&consumer->thread, NULL, run, consumer) == 0);
	*ret_consumer = consumer;
	return 0;
}

void kafka_consumer_stop(struct kafka_consumer *consumer, int64_t grace_ms)
{
	if (!consumer)
		return;
	pthread_mutex_lock(&consumer->lock);
	consumer->stop = true;
	consumer->stop_until_ms = kafka__mono_ms() + grace_ms;
	wake(consumer);
	pthread_mutex_unlock(&consumer->lock);
	CHECK(pthread_join(consumer->thread, NULL) == 0);
	pthread_mutex_lock(&consumer->lock);
	kafka__consumer_unref(consumer);
}

int kafka_consumer_topics(struct kafka_consumer *consumer, const char *const *topics, size_t n,
						  struct err *err)
{
	int r = topics_check(topics, n, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&consumer->lock);
	topics_set(consumer, topics, n);
	wake(consumer);
	pthread_mutex_unlock(&consumer->lock);
	return 0;
}

int kafka_consumer_seek(struct kafka_consumer *consumer, const char *topic, int partition,
						int64_t offset, bool at_time, int64_t timeout_ms, struct err *err)
{
	struct kafka__request *request, **last;
	int64_t until = kafka__mono_ms() + timeout_ms;
	const struct timespec at = {until / 1000, until % 1000 * 1000000};
	int r = 0;

	if (offset < 0 &&
		(at_time || (offset != KAFKA_OFFSET_EARLIEST && offset != KAFKA_OFFSET_LATEST)))
		return err_set(err, ERR_INVALID, "%lld is no place in a partition", (long long)offset);
	request = xcalloc(1, sizeof(*request));
	snprintf(request->topic, sizeof(request->topic), "%s", topic);
	request->partition = partition;
	request->offset = offset;
	request->at_time = at_time;
	pthread_mutex_lock(&consumer->lock);
	if (!consumer->queue && consumer->stop) {
		pthread_mutex_unlock(&consumer->lock);
		free(request);
		return err_set(err, ERR_UNAVAILABLE, "the consumer was stopped");
	}
	for (last = &consumer->requests; *last; last = &(*last)->next)
		;
	*last = request;
	wake(consumer);
	while (!request->over && r == 0)
		r = pthread_cond_timedwait(&consumer->over, &consumer->lock, &at);
	if (!request->over) {
		request->abandoned = true;
		pthread_mutex_unlock(&consumer->lock);
		return err_set(err, ERR_TIMEOUT, "the consumer did not get there in %lld ms",
					   (long long)timeout_ms);
	}
	pthread_mutex_unlock(&consumer->lock);
	r = request->result;
	if (r < 0 && err)
		*err = request->err;
	free(request);
	return r;
}

/* Under lock. */
static void progress_of(const struct kafka__part *part, struct kafka_progress *progress)
{
	*progress = (struct kafka_progress){
		.partition = part->partition,
		.position = part->settled ? part->offsets.position : -1,
		.processed = part->settled ? kafka_offsets_processed(&part->offsets) : -1,
		.committed = part->committed,
		.end = part->end,
		.lag = -1,
		.in_flight = (int64_t)part->offsets.n_out,
		.paused = part->shown_hold & KAFKA__HOLD_OPERATOR,
		.held = part->shown_hold & ~(unsigned)KAFKA__HOLD_OPERATOR,
	};
	snprintf(progress->topic, sizeof(progress->topic), "%s", part->topic);
	/* The end is older than the position at times. */
	if (progress->processed >= 0 && progress->end < progress->position && part->end >= 0)
		progress->end = progress->position;
	if (progress->processed >= 0 && progress->end >= 0)
		progress->lag = progress->end - progress->processed;
}

size_t kafka_consumer_progress(struct kafka_consumer *consumer, struct kafka_progress *progress,
							   size_t max)
{
	size_t n;

	pthread_mutex_lock(&consumer->lock);
	n = consumer->n_parts;
	for (size_t i = 0; i < n && i < max; i++)
		progress_of(consumer->parts[i], &progress[i]);
	pthread_mutex_unlock(&consumer->lock);
	return n;
}

void kafka_consumer_stats(struct kafka_consumer *consumer, struct kafka_consumer_stats *ret_stats)
{
	struct kafka_consumer_stats stats = {0};
	struct kafka_progress progress;

	pthread_mutex_lock(&consumer->lock);
	stats.state = consumer->state;
	stats.records = consumer->records;
	stats.bytes = consumer->bytes;
	stats.in_flight = consumer->in_flight;
	stats.in_flight_bytes = consumer->in_flight_bytes;
	stats.assignments = consumer->assignments;
	stats.commits = consumer->commits;
	stats.commit_errors = consumer->commit_errors;
	stats.partitions = (int)consumer->n_parts;
	snprintf(stats.missing_topic, sizeof(stats.missing_topic), "%s", consumer->missing_topic);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		progress_of(consumer->parts[i], &progress);
		if (progress.lag > 0)
			stats.lag += progress.lag;
	}
	pthread_mutex_unlock(&consumer->lock);
	pthread_mutex_lock(&consumer->client.mutex);
	if (consumer->client.all_down && stats.state != KAFKA_STOPPED)
		stats.state = KAFKA_BROKERS_DOWN;
	stats.errors = consumer->client.errors;
	stats.rtt_us = consumer->client.rtt_us;
	stats.brokers_up = consumer->client.brokers_up;
	snprintf(stats.last_error, sizeof(stats.last_error), "%s", consumer->client.last_error);
	stats.last_error_at = consumer->client.last_error_at;
	pthread_mutex_unlock(&consumer->client.mutex);
	*ret_stats = stats;
}
