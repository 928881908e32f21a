/*
 * Records on their way: handed out, held back and offered again, done. Each is copied out of
 * librdkafka's buffers, which hold a whole answer of a broker for as long as one record of it
 * lives; so the memory that is counted is the memory that is used.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_consumer_priv.h"

/* Partitions */

struct kafka__part *kafka__part_find(struct kafka_consumer *consumer, const char *topic,
									 int partition)
{
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if (part->partition == partition && strcmp(part->topic, topic) == 0)
			return part;
	}
	return NULL;
}

struct kafka__part *kafka__part_add(struct kafka_consumer *consumer, const char *topic,
									int partition)
{
	struct kafka__part *part = xcalloc(1, sizeof(*part));

	part->consumer = consumer;
	snprintf(part->topic, sizeof(part->topic), "%s", topic);
	part->partition = partition;
	part->hold = KAFKA__HOLD_PLACE;
	part->place = KAFKA_OFFSET_COMMITTED;
	part->end_before = -1;
	part->eof = -1;
	part->live = true;
	part->refs = 1;
	part->committed = -1;
	part->end = -1;
	pthread_mutex_lock(&consumer->lock);
	if (consumer->n_parts == consumer->cap_parts) {
		consumer->cap_parts = consumer->cap_parts ? consumer->cap_parts * 2 : 16;
		consumer->parts =
			xrealloc_array(consumer->parts, consumer->cap_parts, sizeof(struct kafka__part *));
	}
	consumer->parts[consumer->n_parts++] = part;
	consumer->refs++;
	if (kafka__operator_paused(consumer, topic, partition))
		part->hold |= KAFKA__HOLD_OPERATOR;
	pthread_mutex_unlock(&consumer->lock);
	if (consumer->bytes_full)
		part->hold |= KAFKA__HOLD_BYTES;
	if (consumer->stopping)
		part->hold |= KAFKA__HOLD_STOP;
	return part;
}

void kafka__part_settle(struct kafka__part *part, int64_t offset)
{
	pthread_mutex_lock(&part->consumer->lock);
	kafka_offsets_init(&part->offsets, offset);
	part->settled = true;
	pthread_mutex_unlock(&part->consumer->lock);
	kafka__part_hold(part, KAFKA__HOLD_PLACE, false);
}

/* Under lock; unlocks. Gives a reference back. */
static void part_unref(struct kafka__part *part)
{
	struct kafka_consumer *consumer = part->consumer;

	if (--part->refs > 0) {
		pthread_mutex_unlock(&consumer->lock);
		return;
	}
	kafka_offsets_release(&part->offsets);
	free(part);
	kafka__consumer_unref(consumer);
}

void kafka__part_remove(struct kafka__part *part)
{
	struct kafka_consumer *consumer = part->consumer;
	struct kafka__out *out = part->held_first, *next;
	size_t i = 0;

	for (; out; out = next) {
		next = out->next;
		free(out);
	}
	pthread_mutex_lock(&consumer->lock);
	while (consumer->parts[i] != part)
		i++;
	consumer->parts[i] = consumer->parts[--consumer->n_parts];
	consumer->in_flight -= (int64_t)part->offsets.n_out;
	part->live = false;
	part_unref(part);
}

void kafka__part_hold(struct kafka__part *part, unsigned hold, bool on)
{
	if (on)
		part->hold |= hold;
	else
		part->hold &= ~hold;
}

void kafka__holds_apply(struct kafka_consumer *consumer)
{
	for (int pause = 0; pause <= 1; pause++) {
		rd_kafka_topic_partition_list_t *list = NULL;

		for (size_t i = 0; i < consumer->n_parts; i++) {
			struct kafka__part *part = consumer->parts[i];

			if (part->paused == (part->hold != 0) || (part->hold != 0) != pause)
				continue;
			if (!list)
				list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
			rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
			part->paused = pause;
		}
		if (!list)
			continue;
		if (pause)
			rd_kafka_pause_partitions(consumer->rk, list);
		else
			rd_kafka_resume_partitions(consumer->rk, list);
		rd_kafka_topic_partition_list_destroy(list);
	}
	pthread_mutex_lock(&consumer->lock);
	for (size_t i = 0; i < consumer->n_parts; i++)
		consumer->parts[i]->shown_hold = consumer->parts[i]->hold;
	pthread_mutex_unlock(&consumer->lock);
}

/* Records */

/* One block: the struct, the array of headers, then all bytes, each with a NUL behind it. */
static struct kafka__out *out_make(struct kafka__part *part, const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers = NULL;
	struct kafka_header *to;
	struct kafka__out *out;
	size_t n = 0, bytes = 0, size = message->key_len + message->len, value_len;
	rd_kafka_timestamp_type_t type;
	const char *name;
	const void *value;
	int64_t stamp;
	char *at;

	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		n = rd_kafka_header_cnt(headers);
		for (size_t i = 0; i < n; i++) {
			CHECK(rd_kafka_header_get_all(headers, i, &name, &value, &value_len) ==
				  RD_KAFKA_RESP_ERR_NO_ERROR);
			size += strlen(name) + value_len;
		}
	}
	bytes = sizeof(*out) + n * sizeof(*to) + size + 2 * n + 2;
	/* As large as what the broker sent, whose limit is fetch.message.max.bytes. */
	out = xcalloc(1, bytes);
	to = (struct kafka_header *)(out + 1);
	at = (char *)(to + n);
	out->part = part;
	out->size = (int64_t)size;
	out->taken.record = (struct kafka_record){
		.cluster = part->consumer->client.cluster->name,
		.topic = part->topic,
		.partition = message->partition,
		.offset = message->offset,
		.headers = to,
		.n_headers = n,
	};
	if (message->key) {
		out->taken.record.key = memcpy(at, message->key, message->key_len);
		out->taken.record.key_len = message->key_len;
		at += message->key_len + 1;
	}
	if (message->payload) {
		out->taken.record.value = memcpy(at, message->payload, message->len);
		out->taken.record.value_len = message->len;
		at += message->len + 1;
	}
	for (size_t i = 0; i < n; i++) {
		CHECK(rd_kafka_header_get_all(headers, i, &name, &value, &value_len) ==
			  RD_KAFKA_RESP_ERR_NO_ERROR);
		to[i].name = memcpy(at, name, strlen(name));
		at += strlen(name) + 1;
		if (value) {
			to[i].value = memcpy(at, value, value_len);
			to[i].value_len = value_len;
			at += value_len + 1;
		}
	}
	stamp = rd_kafka_message_timestamp(message, &type);
	out->taken.record.at = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || stamp < 0 ? 0 : stamp;
	return out;
}

/* Under lock: as many out as may be? */
static bool is_full(const struct kafka__part *part)
{
	size_t max = (size_t)part->consumer->options.in_flight_max;

	return part->offsets.n_out >= max || part->offsets.n >= max * KAFKA__WINDOW_FACTOR;
}

static bool is_roomy(const struct kafka__part *part)
{
	size_t max = (size_t)part->consumer->options.in_flight_max;

	return part->offsets.n_out <= max / 2 && part->offsets.n <= max * KAFKA__WINDOW_FACTOR / 2;
}

void kafka__ran(struct kafka_consumer *consumer)
{
	if (consumer->n_run == 0)
		return;
	consumer->n_run = 0;
	if (consumer->options.ran)
		consumer->options.ran(consumer->options.ctx);
}

/* Offers a record; false: it was not taken, and is still ours. */
static bool offer(struct kafka__out *out)
{
	struct kafka__part *part = out->part;
	struct kafka_consumer *consumer = part->consumer;
	int64_t size = out->size;
	bool full;

	/* It counts as handed out before the call, for it may be done within. */
	pthread_mutex_lock(&consumer->lock);
	CHECK(kafka_offsets_take(&part->offsets, out->taken.record.offset, &out->ticket));
	part->refs++;
	consumer->in_flight++;
	consumer->in_flight_bytes += size;
	consumer->records++;
	consumer->bytes += size;
	pthread_mutex_unlock(&consumer->lock);
	consumer->n_run++;
	if (consumer->options.record(consumer->options.ctx, &out->taken) == 0) {
		pthread_mutex_lock(&consumer->lock);
		full = is_full(part);
		if (consumer->in_flight_bytes >= consumer->options.in_flight_max_bytes)
			consumer->bytes_full = true;
		pthread_mutex_unlock(&consumer->lock);
		if (full)
			part->hold |= KAFKA__HOLD_FULL;
		for (size_t i = 0; consumer->bytes_full && i < consumer->n_parts; i++)
			consumer->parts[i]->hold |= KAFKA__HOLD_BYTES;
		return true;
	}
	pthread_mutex_lock(&consumer->lock);
	kafka_offsets_untake(&part->offsets, out->taken.record.offset);
	part->refs--; /* the consumer's own is left */
	consumer->in_flight--;
	consumer->in_flight_bytes -= size;
	consumer->records--;
	consumer->bytes -= size;
	pthread_mutex_unlock(&consumer->lock);
	return false;
}

static void hold_back(struct kafka__part *part, struct kafka__out *out)
{
	out->next = NULL;
	if (part->held_last)
		part->held_last->next = out;
	else
		part->held_first = out;
	part->held_last = out;
	if (!(part->hold & KAFKA__HOLD_OFFERED)) {
		part->hold |= KAFKA__HOLD_OFFERED;
		part->offer_pause_ms = KAFKA__OFFER_MIN_MS;
		part->offer_at_ms = kafka__mono_ms() + part->offer_pause_ms;
	}
}

static void reach(struct kafka__part *part, int64_t offset)
{
	pthread_mutex_lock(&part->consumer->lock);
	kafka_offsets_reach(&part->offsets, offset);
	if (offset > part->end)
		part->end = offset;
	pthread_mutex_unlock(&part->consumer->lock);
}

/* Records that were deleted unread, or a topic that is another by now: nobody should have to ask.
 */
static void say_gone(const struct kafka__part *part)
{
	const struct kafka_consumer *consumer = part->consumer;
	const struct kafka_cluster *cluster = consumer->client.cluster;
	char text[KAFKA_TOPIC_SIZE + 256];

	if (!cluster->log)
		return;
	snprintf(text, sizeof(text),
			 "group %.128s: offset %lld of %s, partition %d, is not there any more; it goes on at "
			 "the earliest record",
			 consumer->group, (long long)part->offsets.position, part->topic, part->partition);
	cluster->log(cluster->log_ctx, KAFKA_LOG_WARNING, cluster->name, text);
}

void kafka__part_message(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
	struct kafka__part *part =
		kafka__part_find(consumer, rd_kafka_topic_name(message->rkt), message->partition);
	struct kafka__out *out;
	bool again;

	/* What was fetched before the partition was taken away or moved. */
	if (!part || (part->hold & KAFKA__HOLD_PLACE))
		return;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		if (part->held_first)
			part->eof = message->offset;
		else
			reach(part, message->offset);
		return;
	}
	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		/* Its records were deleted, or the topic is another by now. */
		kafka__note_error(&consumer->client, rd_kafka_message_errstr(message));
		say_gone(part);
		kafka__part_move(part, KAFKA_OFFSET_EARLIEST, false);
		return;
	}
	again = part->held_last ? message->offset <= part->held_last->taken.record.offset
							: message->offset < part->offsets.position;
	if (again)
		return;
	out = out_make(part, message);
	if (part->held_first || !offer(out))
		hold_back(part, out);
	if (part->hold && !part->paused)
		kafka__holds_apply(consumer);
}

/* Offers again what was not taken. */
static void offer_again(struct kafka__part *part, int64_t now)
{
	while (part->held_first && !part->consumer->bytes_full &&
		   !(part->hold & (KAFKA__HOLD_FULL | KAFKA__HOLD_STOP))) {
		struct kafka__out *out = part->held_first;

		/* Out of the list before, for it may be freed within. */
		part->held_first = out->next;
		if (!part->held_first)
			part->held_last = NULL;
		if (offer(out)) {
			part->offer_pause_ms = KAFKA__OFFER_MIN_MS;
			continue;
		}
		out->next = part->held_first;
		part->held_first = out;
		if (!part->held_last)
			part->held_last = out;
		part->offer_pause_ms *= 2;
		if (part->offer_pause_ms > KAFKA__OFFER_MAX_MS)
			part->offer_pause_ms = KAFKA__OFFER_MAX_MS;
		part->offer_at_ms = now + part->offer_pause_ms;
		return;
	}
	if (part->held_first)
		return;
	part->hold &= ~KAFKA__HOLD_OFFERED;
	if (part->eof >= 0)
		reach(part, part->eof);
	part->eof = -1;
}

void kafka__parts_tend(struct kafka_consumer *consumer)
{
	int64_t now = kafka__mono_ms();
	bool bytes_full, pauses_changed;

	pthread_mutex_lock(&consumer->lock);
	if (consumer->bytes_full &&
		consumer->in_flight_bytes <= consumer->options.in_flight_max_bytes / 2)
		consumer->bytes_full = false;
	bytes_full = consumer->bytes_full;
	pauses_changed = consumer->pauses_changed;
	consumer->pauses_changed = false;
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if (pauses_changed)
			kafka__part_hold(part, KAFKA__HOLD_OPERATOR,
							 kafka__operator_paused(consumer, part->topic, part->partition));
		if ((part->hold & KAFKA__HOLD_FULL) && is_roomy(part))
			part->hold &= ~KAFKA__HOLD_FULL;
		kafka__part_hold(part, KAFKA__HOLD_BYTES, bytes_full);
		kafka__part_hold(part, KAFKA__HOLD_STOP, consumer->stopping);
	}
	pthread_mutex_unlock(&consumer->lock);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if ((part->hold & KAFKA__HOLD_OFFERED) && !(part->hold & KAFKA__HOLD_OPERATOR) &&
			now >= part->offer_at_ms)
			offer_again(part, now);
	}
	kafka__ran(consumer);
}

void kafka_done(struct kafka_taken *taken)
{
	struct kafka__out *out = (struct kafka__out *)taken;
	struct kafka__part *part = out->part;
	struct kafka_consumer *consumer = part->consumer;

	pthread_mutex_lock(&consumer->lock);
	consumer->in_flight_bytes -= out->size;
	if (part->live && !part->leaving) {
		consumer->in_flight--;
		kafka_offsets_done(&part->offsets, out->ticket);
		/* Only when it waits for room, or for the last record, is there something to do at once. */
		if (consumer->queue &&
			(part->offsets.n_out == (size_t)consumer->options.in_flight_max / 2 ||
			 consumer->bytes_full || (consumer->stop && consumer->in_flight == 0)))
			rd_kafka_queue_yield(consumer->queue);
	}
	part_unref(part);
	free(out);
}
