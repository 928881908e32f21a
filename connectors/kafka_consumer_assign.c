/*
 * Partitions: given to this consumer, taken away, moved to another place; and what is committed.
 *
 * Where to go on is always found here and never left to librdkafka, so that it is known from the
 * first moment. What cannot be found because brokers are away is asked for again later; the
 * partition is held until then.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_consumer_priv.h"

/* Commits */

static void note_code(struct kafka_consumer *consumer, rd_kafka_resp_err_t code, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, rd_kafka_err2str(code));
	kafka__note_error(&consumer->client, text);
}

/* Remembers what was committed, or that it was not. */
static void committed(struct kafka_consumer *consumer, rd_kafka_resp_err_t code,
					  const rd_kafka_topic_partition_list_t *list)
{
	pthread_mutex_lock(&consumer->lock);
	for (int i = 0; list && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *at = &list->elems[i];
		struct kafka__part *part = kafka__part_find(consumer, at->topic, at->partition);

		if (at->err && !code)
			code = at->err;
		if (part && !code && at->offset >= 0)
			part->committed = at->offset;
	}
	if (code)
		consumer->commit_errors++;
	else
		consumer->commits++;
	pthread_mutex_unlock(&consumer->lock);
	if (code)
		note_code(consumer, code, "commit of offsets");
	else
		kafka__note_life(&consumer->client);
}

void kafka__on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
					  rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_consumer *consumer = opaque;

	(void)rk;
	consumer->committing_since_ms = 0;
	if (code != RD_KAFKA_RESP_ERR__NO_OFFSET)
		committed(consumer, code, list);
}

/* NULL: there is nothing to commit. */
static rd_kafka_topic_partition_list_t *to_commit(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	pthread_mutex_lock(&consumer->lock);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];
		int64_t processed;

		if (!part->settled)
			continue;
		processed = kafka_offsets_processed(&part->offsets);
		if (processed == part->committed)
			continue;
		if (!list)
			list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
		rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset = processed;
	}
	pthread_mutex_unlock(&consumer->lock);
	return list;
}

void kafka__commit(struct kafka_consumer *consumer, int64_t wait_ms)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	int64_t now = kafka__mono_ms();

	if (wait_ms == 0 && consumer->committing_since_ms != 0 &&
		now - consumer->committing_since_ms < KAFKA__CLOSE_MS)
		return;
	/* librdkafka would keep it until the coordinator is back, and wait for that when it ends. */
	if (kafka__all_down(&consumer->client))
		return;
	list = to_commit(consumer);
	if (!list)
		return;
	if (wait_ms == 0) {
		rd_kafka_resp_err_t code = rd_kafka_commit(consumer->rk, list, 1);

		consumer->committing_since_ms = code ? 0 : now;
		if (code)
			note_code(consumer, code, "commit of offsets");
	} else {
		/* rd_kafka_commit could wait without a limit. */
		queue = rd_kafka_queue_new(consumer->rk);
		if (rd_kafka_commit_queue(consumer->rk, list, queue, NULL, NULL) ==
			RD_KAFKA_RESP_ERR_NO_ERROR) {
			event = rd_kafka_queue_poll(queue, (int)wait_ms);
			if (event)
				committed(consumer, rd_kafka_event_error(event),
						  rd_kafka_event_topic_partition_list(event));
			else
				kafka__note_error(&consumer->client, "commit of offsets: no answer in time");
			rd_kafka_event_destroy(event);
		}
		rd_kafka_queue_destroy(queue);
	}
	rd_kafka_topic_partition_list_destroy(list);
}

/* Places */

/* Asks what the group has committed, for parts of which it is not known. */
static void ask_committed(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if (part->asked)
			continue;
		if (!list)
			list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
		rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
	}
	if (!list)
		return;
	code = rd_kafka_committed(consumer->rk, list, KAFKA__QUERY_MS);
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *at = &list->elems[i];
		struct kafka__part *part = kafka__part_find(consumer, at->topic, at->partition);

		if (!code && at->err)
			code = at->err;
		if (code)
			break;
		part->asked = true;
		if (at->offset < 0)
			continue;
		pthread_mutex_lock(&consumer->lock);
		part->committed = at->offset;
		pthread_mutex_unlock(&consumer->lock);
		if (part->place == KAFKA_OFFSET_COMMITTED)
			part->place = at->offset;
	}
	if (code)
		note_code(consumer, code, "committed offsets");
	rd_kafka_topic_partition_list_destroy(list);
}

/* What to ask the broker for: a wall time, or -1 and -2 for the end and the beginning. */
static int64_t question_of(const struct kafka__part *part)
{
	const struct kafka_consumer_options *options = &part->consumer->options;

	if (part->place != KAFKA_OFFSET_COMMITTED || part->place_at_time)
		return part->place;
	switch (options->from) {
	case KAFKA_FROM_EARLIEST:
		return KAFKA_OFFSET_EARLIEST;
	case KAFKA_FROM_LATEST:
		return KAFKA_OFFSET_LATEST;
	case KAFKA_FROM_TIME:
		return options->from_time;
	}
	return KAFKA_OFFSET_EARLIEST;
}

static bool is_looked_for(const struct kafka__part *part)
{
	return (part->hold & KAFKA__HOLD_PLACE) && (part->place < 0 || part->place_at_time) &&
		   (part->place != KAFKA_OFFSET_COMMITTED || part->asked);
}

static void found_end(struct kafka__part *part, int64_t offset)
{
	part->end_before = offset;
}

static void found_place(struct kafka__part *part, int64_t offset)
{
	/* Nothing was as late as that time; what has come since the end was asked for is later. */
	part->place = offset >= 0 ? offset : part->end_before;
	part->place_at_time = false;
}

/* Asks where parts end, or where special places and times are. */
static void ask_places(struct kafka_consumer *consumer, bool ends)
{
	void (*found)(struct kafka__part * part, int64_t offset) = ends ? found_end : found_place;
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if (!is_looked_for(part))
			continue;
		if (ends != (question_of(part) >= 0 && part->end_before < 0))
			continue;
		if (!list)
			list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
		rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset =
			ends ? KAFKA_OFFSET_LATEST : question_of(part);
	}
	if (!list)
		return;
	code = rd_kafka_offsets_for_times(consumer->rk, list, KAFKA__QUERY_MS);
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *at = &list->elems[i];

		if (code || at->err)
			code = code ? code : at->err;
		else
			found(kafka__part_find(consumer, at->topic, at->partition), at->offset);
	}
	if (code)
		note_code(consumer, code, "where to go on in a partition");
	rd_kafka_topic_partition_list_destroy(list);
}

static bool is_found(const struct kafka__part *part)
{
	return part->place >= 0 && !part->place_at_time;
}

/*
 * Finds the places of all that are held for it. Where a time is looked for, the end is asked for
 * before: a record that comes in between, or while brokers do not answer, is not passed over.
 */
static void places_find(struct kafka_consumer *consumer)
{
	ask_committed(consumer);
	for (int try = 0; try < 2; try++) { /* a leader may just have moved */
		ask_places(consumer, true);
		ask_places(consumer, false);
	}
}

/* Where librdkafka is to read on in a partition that is not held for its place. */
static int64_t next_of(const struct kafka__part *part)
{
	return part->held_last ? part->held_last->taken.record.offset + 1 : part->offsets.position;
}

/*
 * Begins all over with the same partitions. librdkafka does not seek in a partition whose offset it
 * found to be gone, and others lose no more than what was fetched ahead.
 */
static void reassign(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)consumer->n_parts);

	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];
		bool held = part->hold & KAFKA__HOLD_PLACE;
		int64_t offset = held ? part->place : next_of(part);

		if (held && is_found(part))
			kafka__part_settle(part, part->place);
		else if (held)
			offset = RD_KAFKA_OFFSET_BEGINNING;
		rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset = offset;
		part->paused = part->hold == 0;
	}
	rd_kafka_assign(consumer->rk, list);
	kafka__holds_apply(consumer);
	rd_kafka_topic_partition_list_destroy(list);
}

void kafka__places_tend(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;
	bool any = false, stuck = false;

	for (size_t i = 0; i < consumer->n_parts; i++)
		any = any || (consumer->parts[i]->hold & KAFKA__HOLD_PLACE);
	consumer->place_at_ms = kafka__mono_ms() + KAFKA__PLACE_INTERVAL_MS;
	if (!any)
		return;
	places_find(consumer);
	/* librdkafka goes there while the partition is paused, so that nothing comes from elsewhere. */
	kafka__holds_apply(consumer);
	list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if ((part->hold & KAFKA__HOLD_PLACE) && is_found(part))
			rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset =
				part->place;
	}
	if (list->cnt > 0) {
		error = rd_kafka_seek_partitions(consumer->rk, list, KAFKA__QUERY_MS);
		for (int i = 0; i < list->cnt; i++) {
			const rd_kafka_topic_partition_t *at = &list->elems[i];

			if (error || at->err) {
				stuck = stuck || at->err == RD_KAFKA_RESP_ERR__STATE;
				continue;
			}
			kafka__part_settle(kafka__part_find(consumer, at->topic, at->partition), at->offset);
		}
		rd_kafka_error_destroy(error);
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (stuck)
		reassign(consumer);
}

struct kafka__part *kafka__part_move(struct kafka__part *part, int64_t place, bool at_time)
{
	struct kafka_consumer *consumer = part->consumer;
	struct kafka__part *next;
	char topic[KAFKA_TOPIC_SIZE];
	int partition = part->partition;
	bool paused = part->paused, asked = part->asked;
	int64_t was_committed;

	snprintf(topic, sizeof(topic), "%s", part->topic);
	pthread_mutex_lock(&consumer->lock);
	was_committed = part->committed;
	pthread_mutex_unlock(&consumer->lock);
	kafka__part_remove(part);
	next = kafka__part_add(consumer, topic, partition);
	next->paused = paused;
	next->asked = asked;
	next->place = place;
	next->place_at_time = at_time;
	pthread_mutex_lock(&consumer->lock);
	next->committed = was_committed;
	pthread_mutex_unlock(&consumer->lock);
	return next;
}

void kafka__seek(struct kafka_consumer *consumer, struct kafka__request *request)
{
	size_t n = consumer->n_parts, moved = 0, reached = 0;

	/* A part that moves goes from its place in the table to the end of it; hence from the end. */
	for (size_t i = n; i-- > 0;) {
		struct kafka__part *part = consumer->parts[i];

		if (strcmp(part->topic, request->topic) == 0 &&
			(request->partition < 0 || request->partition == part->partition)) {
			kafka__part_move(part, request->offset, request->at_time);
			moved++;
		}
	}
	if (moved == 0) {
		request->result = err_set(&request->err, ERR_NOT_FOUND,
								  "no such partition of %s is assigned here", request->topic);
		return;
	}
	kafka__places_tend(consumer);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		if (strcmp(part->topic, request->topic) == 0 &&
			(request->partition < 0 || request->partition == part->partition) &&
			!(part->hold & KAFKA__HOLD_PLACE))
			reached++;
	}
	if (reached < moved)
		request->result =
			err_set(&request->err, ERR_TIMEOUT,
					"the place in %s could not be reached yet; it is tried again", request->topic);
	kafka__commit(consumer, KAFKA__QUERY_MS);
}

/* Rebalances */

/* What the caller's functions are told: an entry for each. */
static struct kafka_assigned *assigned_of(struct kafka_consumer *consumer)
{
	struct kafka_assigned *list = xcalloc(consumer->n_parts + 1, sizeof(*list));

	for (size_t i = 0; i < consumer->n_parts; i++) {
		const struct kafka__part *part = consumer->parts[i];

		list[i] = (struct kafka_assigned){part->topic, part->partition, part->place};
	}
	return list;
}

static void assign(struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
	struct kafka_assigned *told;

	kafka__parts_drop(consumer);
	for (int i = 0; i < list->cnt; i++)
		kafka__part_add(consumer, list->elems[i].topic, list->elems[i].partition);
	ask_committed(consumer);
	if (consumer->options.assigned) {
		told = assigned_of(consumer);
		consumer->options.assigned(consumer->options.ctx, told, consumer->n_parts);
		for (size_t i = 0; i < consumer->n_parts; i++)
			consumer->parts[i]->place = told[i].start;
		free(told);
	}
	places_find(consumer);
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];
		rd_kafka_topic_partition_t *at =
			rd_kafka_topic_partition_list_find(list, part->topic, part->partition);

		at->offset = is_found(part) ? part->place : RD_KAFKA_OFFSET_BEGINNING;
		if (is_found(part))
			kafka__part_settle(part, part->place);
		/* What librdkafka believes from an earlier assignment is not known: tell it. */
		part->paused = part->hold == 0;
	}
	rd_kafka_assign(consumer->rk, list);
	kafka__holds_apply(consumer);
	pthread_mutex_lock(&consumer->lock);
	consumer->state = KAFKA_CONSUMING;
	consumer->assignments++;
	for (size_t i = 0; i < consumer->n_parts; i++) {
		if (strcmp(consumer->parts[i]->topic, consumer->missing_topic) == 0)
			consumer->missing_topic[0] = '\0';
	}
	pthread_mutex_unlock(&consumer->lock);
	kafka__note_life(&consumer->client);
}

void kafka__parts_drop(struct kafka_consumer *consumer)
{
	while (consumer->n_parts > 0)
		kafka__part_remove(consumer->parts[consumer->n_parts - 1]);
}

static void revoke(struct kafka_consumer *consumer)
{
	struct kafka_assigned *told;

	kafka__ran(consumer);
	/* Before anybody is told: who is told gives back what he will not work on any more, perhaps on
	 * another thread and before the commit below. */
	pthread_mutex_lock(&consumer->lock);
	for (size_t i = 0; i < consumer->n_parts; i++)
		consumer->parts[i]->leaving = true;
	pthread_mutex_unlock(&consumer->lock);
	if (consumer->options.revoked) {
		told = assigned_of(consumer);
		consumer->options.revoked(consumer->options.ctx, told, consumer->n_parts);
		free(told);
	}
	/* Past the session it would be refused: another has the partitions. */
	if (!rd_kafka_assignment_lost(consumer->rk))
		kafka__commit(consumer, KAFKA__QUERY_MS);
	kafka__parts_drop(consumer);
	rd_kafka_assign(consumer->rk, NULL);
	pthread_mutex_lock(&consumer->lock);
	if (consumer->state == KAFKA_CONSUMING)
		consumer->state = KAFKA_JOINING;
	pthread_mutex_unlock(&consumer->lock);
}

void kafka__on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
						 rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_consumer *consumer = opaque;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		assign(consumer, list);
		return;
	}
	if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
		note_code(consumer, code, "rebalance");
	revoke(consumer);
	(void)rk;
}

/* Ends */

void kafka__ends_tend(struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	int64_t low, high;

	consumer->ends_at_ms = kafka__mono_ms() + KAFKA__END_INTERVAL_MS;
	for (size_t i = 0; i < consumer->n_parts; i++) {
		struct kafka__part *part = consumer->parts[i];

		/* What fetching tells is new while something is fetched. */
		if (part->hold == 0 &&
			rd_kafka_get_watermark_offsets(consumer->rk, part->topic, part->partition, &low,
										   &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
			high >= 0) {
			pthread_mutex_lock(&consumer->lock);
			part->end = high;
			pthread_mutex_unlock(&consumer->lock);
			continue;
		}
		if (!list)
			list = rd_kafka_topic_partition_list_new((int)consumer->n_parts);
		rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset =
			RD_KAFKA_OFFSET_END;
	}
	if (!list)
		return;
	if (rd_kafka_offsets_for_times(consumer->rk, list, KAFKA__QUERY_MS / 3) ==
		RD_KAFKA_RESP_ERR_NO_ERROR) {
		pthread_mutex_lock(&consumer->lock);
		for (int i = 0; i < list->cnt; i++) {
			const rd_kafka_topic_partition_t *at = &list->elems[i];

			if (!at->err && at->offset >= 0)
				kafka__part_find(consumer, at->topic, at->partition)->end = at->offset;
		}
		pthread_mutex_unlock(&consumer->lock);
	}
	rd_kafka_topic_partition_list_destroy(list);
}
