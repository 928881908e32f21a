/*
 * The producer of a cluster: one idempotent librdkafka instance and a thread that collects its
 * delivery reports. After a fatal error (a broker that lost what the sequence numbers rest on) the
 * instance is given up with what is in it, and a new one begins.
 *
 * A send that was accepted stands in a list until its report comes, so that each is answered even
 * when an instance ends without one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_priv.h"

enum {
	POLL_MS = 100,
	GIVE_UP_MS = 3000,    /* for reports of what was purged */
	RENEW_PAUSE_MS = 500, /* between two tries at a new instance */
};

struct kafka_producer {
	struct kafka_client client; /* first: librdkafka's opaque pointer */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows; kafka_produce holds it to keep the order */
	rd_kafka_t *rk;       /* NULL: there is none just now */
	struct kafka_send *first, *last;
	int64_t queued, queued_bytes;
	int64_t sent, not_sent, unknown, fatal_errors;
	int64_t bytes_sent_before; /* by instances that are gone */
	bool stopping;
	int64_t stop_until_ms;
};

static int64_t size_of(const struct kafka_record *record)
{
	size_t size = record->key_len + record->value_len;

	for (size_t i = 0; i < record->n_headers; i++)
		size += strlen(record->headers[i].name) + record->headers[i].value_len;
	return (int64_t)size;
}

static void list_add(struct kafka_producer *producer, struct kafka_send *send)
{
	send->next = NULL;
	send->prev = producer->last;
	if (producer->last)
		producer->last->next = send;
	else
		producer->first = send;
	producer->last = send;
	producer->queued++;
	producer->queued_bytes += send->size;
}

static void list_remove(struct kafka_producer *producer, struct kafka_send *send)
{
	if (send->prev)
		send->prev->next = send->next;
	else
		producer->first = send->next;
	if (send->next)
		send->next->prev = send->prev;
	else
		producer->last = send->prev;
	producer->queued--;
	producer->queued_bytes -= send->size;
}

/* Counts, and gives it back. Not under the lock. */
static void answer(struct kafka_producer *producer, struct kafka_send *send)
{
	pthread_mutex_lock(&producer->lock);
	switch (send->result) {
	case KAFKA_SENT:
		producer->sent++;
		break;
	case KAFKA_NOT_SENT:
		producer->not_sent++;
		break;
	case KAFKA_SENT_UNKNOWN:
		producer->unknown++;
		break;
	}
	pthread_mutex_unlock(&producer->lock);
	send->done(send);
}

/* Thread: the producer's, in rd_kafka_poll. */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_producer *producer = opaque;
	struct kafka_send *send = message->_private;
	rd_kafka_msg_status_t status = rd_kafka_message_status(message);

	(void)rk;
	pthread_mutex_lock(&producer->lock);
	list_remove(producer, send);
	pthread_mutex_unlock(&producer->lock);
	if (!message->err || status == RD_KAFKA_MSG_STATUS_PERSISTED) {
		send->result = KAFKA_SENT;
		send->partition = message->partition;
		send->offset = message->offset;
		kafka__note_life(&producer->client);
	} else {
		send->result =
			status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? KAFKA_NOT_SENT : KAFKA_SENT_UNKNOWN;
		kafka__err(&send->err, message->err, NULL, "topic %s", rd_kafka_topic_name(message->rkt));
	}
	answer(producer, send);
}

static int instance_make(struct kafka_producer *producer, rd_kafka_t **ret_rk, struct err *err)
{
	char timeout[24], records[24], kbytes[24];
	const struct kafka__setting own[] = {
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"partitioner", "murmur2_random"},
		{"message.timeout.ms", timeout},
		{"queue.buffering.max.messages", records},
		{"queue.buffering.max.kbytes", kbytes},
		{"statistics.interval.ms", "1000"},
	};
	rd_kafka_conf_t *conf;
	int r;

	snprintf(timeout, sizeof(timeout), "%d", KAFKA_MESSAGE_TIMEOUT_MS);
	snprintf(records, sizeof(records), "%d", KAFKA_QUEUE_MAX_RECORDS);
	snprintf(kbytes, sizeof(kbytes), "%d", KAFKA_QUEUE_MAX_BYTES / 1024);
	r = kafka__conf(producer->client.cluster, &producer->client, true, own, ARRAY_SIZE(own), &conf,
					err);
	if (r < 0)
		return r;
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	return kafka__new(RD_KAFKA_PRODUCER, conf, ret_rk, err);
}

static int64_t queued(struct kafka_producer *producer)
{
	int64_t n;

	pthread_mutex_lock(&producer->lock);
	n = producer->queued;
	pthread_mutex_unlock(&producer->lock);
	return n;
}

/* Ends the instance, and answers all that is in it. Sends that come meanwhile are refused. */
static void instance_give_up(struct kafka_producer *producer)
{
	int64_t until = kafka__mono_ms() + GIVE_UP_MS;
	rd_kafka_t *rk;
	struct kafka_send *send;

	pthread_mutex_lock(&producer->lock);
	rk = producer->rk;
	producer->rk = NULL;
	pthread_mutex_unlock(&producer->lock);
	if (!rk)
		return;
	if (queued(producer) > 0)
		rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (queued(producer) > 0 && kafka__mono_ms() < until)
		rd_kafka_poll(rk, 20);
	rd_kafka_destroy(rk);
	pthread_mutex_lock(&producer->client.mutex);
	producer->bytes_sent_before += producer->client.bytes_sent;
	producer->client.bytes_sent = 0;
	pthread_mutex_unlock(&producer->client.mutex);
	/* No report came, and none will: it may have been sent. */
	for (;;) {
		pthread_mutex_lock(&producer->lock);
		send = producer->first;
		if (send)
			list_remove(producer, send);
		pthread_mutex_unlock(&producer->lock);
		if (!send)
			return;
		send->result = KAFKA_SENT_UNKNOWN;
		err_set(&send->err, ERR_UNAVAILABLE, "the producer ended before the broker answered");
		answer(producer, send);
	}
}

static void instance_renew(struct kafka_producer *producer)
{
	const struct timespec pause = {.tv_nsec = RENEW_PAUSE_MS * 1000L * 1000L};
	rd_kafka_t *rk = NULL;
	struct err err;

	instance_give_up(producer);
	atomic_store(&producer->client.fatal, false);
	if (instance_make(producer, &rk, &err) < 0) {
		kafka__note_error(&producer->client, err.text);
		nanosleep(&pause, NULL);
		return;
	}
	pthread_mutex_lock(&producer->lock);
	producer->rk = rk;
	producer->fatal_errors++;
	pthread_mutex_unlock(&producer->lock);
}

static void *run(void *arg)
{
	struct kafka_producer *producer = arg;
	bool stopping = false;
	int64_t until = 0;
	rd_kafka_t *rk;

	while (!stopping || (queued(producer) > 0 && kafka__mono_ms() < until)) {
		pthread_mutex_lock(&producer->lock);
		rk = producer->rk; /* only this thread changes it */
		stopping = producer->stopping;
		until = producer->stop_until_ms;
		pthread_mutex_unlock(&producer->lock);
		if (rk)
			rd_kafka_poll(rk, stopping ? 10 : POLL_MS);
		if (!rk || atomic_load(&producer->client.fatal)) {
			if (stopping)
				break;
			instance_renew(producer);
		}
	}
	instance_give_up(producer);
	return NULL;
}

int kafka_producer_start(struct kafka_cluster *cluster, struct kafka_producer **ret_producer,
						 struct err *err)
{
	struct kafka_producer *producer = xcalloc(1, sizeof(*producer));
	int r;

	kafka__client_init(&producer->client, cluster);
	CHECK(pthread_mutex_init(&producer->lock, NULL) == 0);
	r = instance_make(producer, &producer->rk, err);
	if (r < 0) {
		kafka__client_release(&producer->client);
		pthread_mutex_destroy(&producer->lock);
		free(producer);
		return r;
	}
	CHECK(pthread_create(&producer->thread, NULL, run, producer) == 0);
	*ret_producer = producer;
	return 0;
}

/* What librdkafka is to copy, as its array of arguments wants it. */
static rd_kafka_resp_err_t produce(rd_kafka_t *rk, struct kafka_send *send)
{
	const struct kafka_record *record = &send->record;
	rd_kafka_headers_t *headers = NULL;
	rd_kafka_resp_err_t code;

	if (record->n_headers > 0) {
		headers = rd_kafka_headers_new(record->n_headers);
		for (size_t i = 0; i < record->n_headers; i++)
			CHECK(rd_kafka_header_add(
					  headers, record->headers[i].name, -1, record->headers[i].value,
					  (ssize_t)record->headers[i].value_len) == RD_KAFKA_RESP_ERR_NO_ERROR);
	}
	code = rd_kafka_producev(
		rk, RD_KAFKA_V_TOPIC(record->topic),
		RD_KAFKA_V_PARTITION(record->partition < 0 ? RD_KAFKA_PARTITION_UA : record->partition),
		RD_KAFKA_V_KEY(record->key, record->key_len),
		RD_KAFKA_V_VALUE((void *)record->value, record->value_len), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(send), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (code && headers)
		rd_kafka_headers_destroy(headers);
	return code;
}

void kafka_produce(struct kafka_producer *producer, struct kafka_send *send)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	send->partition = -1;
	send->offset = -1;
	send->size = size_of(&send->record);
	send->err = (struct err){0};
	send->result = KAFKA_NOT_SENT;
	if (send->not_after_ms &&
		kafka__mono_ms() > __atomic_load_n(send->not_after_ms, __ATOMIC_ACQUIRE)) {
		err_set(&send->err, ERR_FENCED, "topic %s: too late to be sent", send->record.topic);
		answer(producer, send);
		return;
	}
	pthread_mutex_lock(&producer->lock);
	if (!producer->rk || producer->stopping) {
		code = RD_KAFKA_RESP_ERR__FATAL;
	} else {
		list_add(producer, send);
		code = produce(producer->rk, send);
		if (code)
			list_remove(producer, send);
	}
	pthread_mutex_unlock(&producer->lock);
	if (code) {
		kafka__err(&send->err, code, NULL, "topic %s", send->record.topic);
		answer(producer, send);
	}
}

void kafka_producer_stop(struct kafka_producer *producer, int64_t grace_ms)
{
	if (!producer)
		return;
	pthread_mutex_lock(&producer->lock);
	producer->stopping = true;
	producer->stop_until_ms = kafka__mono_ms() + grace_ms;
	pthread_mutex_unlock(&producer->lock);
	CHECK(pthread_join(producer->thread, NULL) == 0);
	kafka__client_release(&producer->client);
	pthread_mutex_destroy(&producer->lock);
	free(producer);
}

void kafka_producer_stats(struct kafka_producer *producer, struct kafka_producer_stats *ret_stats)
{
	struct kafka_producer_stats stats;

	pthread_mutex_lock(&producer->lock);
	stats = (struct kafka_producer_stats){
		.sent = producer->sent,
		.not_sent = producer->not_sent,
		.unknown = producer->unknown,
		.queued = producer->queued,
		.queued_bytes = producer->queued_bytes,
		.fatal_errors = producer->fatal_errors,
	};
	pthread_mutex_unlock(&producer->lock);
	pthread_mutex_lock(&producer->client.mutex);
	stats.bytes_sent = producer->bytes_sent_before + producer->client.bytes_sent;
	stats.rtt_us = producer->client.rtt_us;
	stats.brokers_up = producer->client.brokers_up;
	stats.all_brokers_down = producer->client.all_down;
	snprintf(stats.last_error, sizeof(stats.last_error), "%s", producer->client.last_error);
	stats.last_error_at = producer->client.last_error_at;
	pthread_mutex_unlock(&producer->client.mutex);
	*ret_stats = stats;
}
