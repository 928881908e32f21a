#include "coordinator/kafka/replies.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/delivery.h"
#include "coordinator/log.h"
#include "sagas/hash.h"
#include "sagas/reply_profile.h"

enum { ENSURE_EVERY_MS = 5000, ENSURE_TIMEOUT_MS = 2000 };

struct replies {
	struct replies_options options;
	struct kafka_consumer *consumer;
	int64_t ensure_at_ms;       /* monotonic; 0: the topic is there */
	struct replies_stats stats; /* atomics */

	pthread_mutex_t mutex; /* of these, and of taking the consumer away: */
	struct reply *again;   /* to be offered again */
};

/* A record of the reply topic on its way. */
struct reply {
	struct reply *next;
	struct replies *replies;
	struct kafka_taken *taken;
	struct delivery *delivery;
	struct parcel parcel;
};

static void count(int64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void reply_free(struct reply *reply)
{
	delivery_free(reply->delivery);
	buf_release(&reply->parcel.message);
	free(reply);
}

static void over(struct reply *reply)
{
	kafka_done(reply->taken);
	reply_free(reply);
}

static void later(struct reply *reply)
{
	struct replies *replies = reply->replies;

	pthread_mutex_lock(&replies->mutex);
	reply->next = replies->again;
	replies->again = reply;
	pthread_mutex_unlock(&replies->mutex);
}

/* Thread: writer. */
static void parcel_done(struct parcel *parcel, int result)
{
	struct reply *reply = CONTAINER_OF(parcel, struct reply, parcel);

	buf_release(&parcel->message);
	if (result < 0) {
		later(reply);
		return;
	}
	count(&reply->replies->stats.posted);
	over(reply);
}

static void post(struct reply *reply)
{
	const struct kafka_record *record = &reply->taken->record;
	const struct delivery *delivery = reply->delivery;
	struct parcel *parcel = &reply->parcel;
	CLEANUP(buf_release) struct buf name;

	buf_init(&name, 0);
	buf_printf(&name, "%s/%s/%d/%lld", record->cluster, record->topic, record->partition,
			   (long long)record->offset);
	buf_init(&parcel->message, 0);
	delivery_write(delivery, &parcel->message);
	parcel->row = (struct inbox_row){
		.slot = saga_id_slot(delivery->saga_id),
		.ns = delivery->ns,
		.at = clock_wall(),
		.message = buf_str(&parcel->message),
		.message_len = parcel->message.len,
	};
	hash_uuid5(buf_str(&name), name.len, parcel->row.id);
	memcpy(parcel->row.saga_id, delivery->saga_id, sizeof(parcel->row.saga_id));
	parcel->done = parcel_done;
	postbox_put(reply->replies->options.postbox, parcel);
}

/* Thread: engine. */
static void delivered(struct delivery *delivery)
{
	struct reply *reply = delivery->ctx;

	switch (delivery->result) {
	case ERR_NOT_FOUND:
		count(&reply->replies->stats.lost);
		log_info("kafka", delivery->saga_id, "a reply came for a saga that does not exist");
		over(reply);
		break;
	case 0:
		over(reply);
		break;
	case ERR_FENCED:
		post(reply);
		break;
	default:
		later(reply);
		break;
	}
}

static struct delivery *make_delivery(struct kafka_reply *from, struct reply *reply)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);

	memcpy(delivery->ns, from->correlation.ns, sizeof(delivery->ns));
	memcpy(delivery->saga_id, from->correlation.saga_id, sizeof(delivery->saga_id));
	memcpy(delivery->step, from->correlation.step, sizeof(delivery->step));
	delivery->item = from->correlation.item;
	delivery->call = from->correlation.kind;
	delivery->ask = from->correlation.ask;
	delivery->run = from->correlation.run;
	delivery->outcome = from->outcome;
	delivery->code = TAKE(from->code);
	delivery->message = TAKE(from->message);
	delivery->type = TAKE(from->type);
	delivery->value = TAKE(from->body);
	delivery->done = delivered;
	delivery->ctx = reply;
	return delivery;
}

static struct delivery *read_reply(struct replies *replies, const struct kafka_record *record,
								   struct reply *reply)
{
	struct kafka_reply from;
	struct delivery *delivery;
	struct err err;
	int r = kafka_reply_read(record, &from, &err);

	if (r == ERR_NOT_FOUND) {
		count(&replies->stats.foreign);
		return NULL;
	}
	if (r < 0 || saga_id_slot(from.correlation.saga_id) < 0) {
		count(&replies->stats.unreadable);
		log_warn("kafka", NULL, "the reply %s/%d/%lld cannot be read: %s", record->topic,
				 record->partition, (long long)record->offset,
				 r < 0 ? err.text : "its saga id is none");
		if (r == 0)
			kafka_reply_release(&from);
		return NULL;
	}
	delivery = make_delivery(&from, reply);
	kafka_reply_release(&from);
	return delivery;
}

/* Thread: consumer. */
static int take_record(void *ctx, struct kafka_taken *taken)
{
	struct replies *replies = ctx;
	struct reply *reply = xcalloc(1, sizeof(*reply));
	struct err err;

	reply->replies = replies;
	reply->taken = taken;
	reply->delivery = read_reply(replies, &taken->record, reply);
	if (!reply->delivery) {
		over(reply);
		return 0;
	}
	if (engine_deliver(replies->options.engine, reply->delivery, &err) < 0) {
		reply_free(reply);
		return ERR_UNAVAILABLE;
	}
	count(&replies->stats.taken);
	return 0;
}

int replies_start(const struct replies_options *options, struct replies **ret_replies,
				  struct err *err)
{
	struct replies *replies = xcalloc(1, sizeof(*replies));
	struct kafka_consumer_options consumer = {
		.cluster = options->cluster,
		.group = options->group,
		.topics = &replies->options.topic,
		.n_topics = 1,
		.from = KAFKA_FROM_EARLIEST,
		.in_flight_max = options->in_flight,
		.record = take_record,
		.ctx = replies,
	};
	int r;

	replies->options = *options;
	replies->ensure_at_ms = 1;
	CHECK(pthread_mutex_init(&replies->mutex, NULL) == 0);
	r = kafka_consumer_start(&consumer, &replies->consumer, err);
	if (r < 0) {
		replies_free(replies);
		return r;
	}
	*ret_replies = replies;
	return 0;
}

static void ensure_topic(struct replies *replies)
{
	const struct replies_options *options = &replies->options;
	int64_t now_ms = clock_mono_ms();
	struct err err;

	if (replies->ensure_at_ms == 0 || now_ms < replies->ensure_at_ms)
		return;
	if (kafka_topic_ensure(options->cluster, options->topic, options->partitions, ENSURE_TIMEOUT_MS,
						   NULL, &err) == 0) {
		replies->ensure_at_ms = 0;
		return;
	}
	if (err.code != ERR_UNAVAILABLE)
		log_warn("kafka", NULL, "the reply topic %s of cluster %s: %s", options->topic,
				 kafka_cluster_name(options->cluster), err.text);
	replies->ensure_at_ms = now_ms + ENSURE_EVERY_MS;
}

static struct reply *take_again(struct replies *replies)
{
	struct reply *again;

	pthread_mutex_lock(&replies->mutex);
	again = TAKE(replies->again);
	pthread_mutex_unlock(&replies->mutex);
	return again;
}

void replies_tick(struct replies *replies)
{
	struct reply *next;
	struct err err;

	ensure_topic(replies);
	for (struct reply *reply = take_again(replies); reply; reply = next) {
		next = reply->next;
		if (engine_deliver(replies->options.engine, reply->delivery, &err) < 0)
			later(reply);
	}
}

void replies_stop(struct replies *replies, int64_t grace_ms)
{
	struct kafka_consumer *consumer;

	pthread_mutex_lock(&replies->mutex);
	consumer = TAKE(replies->consumer);
	pthread_mutex_unlock(&replies->mutex);
	kafka_consumer_stop(consumer, grace_ms);
}

void replies_free(struct replies *replies)
{
	struct reply *next;

	if (!replies)
		return;
	CHECK(!replies->consumer);
	for (struct reply *reply = take_again(replies); reply; reply = next) {
		next = reply->next;
		over(reply);
	}
	pthread_mutex_destroy(&replies->mutex);
	free(replies);
}

struct kafka_consumer *replies_consumer(struct replies *replies)
{
	return replies->consumer;
}

bool replies_consumer_stats(struct replies *replies, struct kafka_consumer_stats *ret_stats)
{
	bool consumes;

	pthread_mutex_lock(&replies->mutex);
	consumes = replies->consumer;
	if (consumes)
		kafka_consumer_stats(replies->consumer, ret_stats);
	pthread_mutex_unlock(&replies->mutex);
	return consumes;
}

void replies_stats(struct replies *replies, struct replies_stats *ret_stats)
{
	ret_stats->taken = __atomic_load_n(&replies->stats.taken, __ATOMIC_RELAXED);
	ret_stats->posted = __atomic_load_n(&replies->stats.posted, __ATOMIC_RELAXED);
	ret_stats->foreign = __atomic_load_n(&replies->stats.foreign, __ATOMIC_RELAXED);
	ret_stats->unreadable = __atomic_load_n(&replies->stats.unreadable, __ATOMIC_RELAXED);
	ret_stats->lost = __atomic_load_n(&replies->stats.lost, __ATOMIC_RELAXED);
}
