#include "coordinator/kafka/watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked {
	char cluster[KAFKA_CLUSTER_NAME_MAX + 1];
	char topic[KAFKA_TOPIC_SIZE];
	struct kafka_partition_offset *ends;
	size_t n;
	bool missing; /* there was no such topic, so nothing stood in it */
	bool passed;
};

struct watermark {
	wall_ms at; /* of what is asked; 0: nothing is */
	wall_ms reached;
	struct asked *asked;
	size_t n;
};

struct watermark *watermark_new(void)
{
	return xcalloc(1, sizeof(struct watermark));
}

static void forget(struct watermark *watermark)
{
	for (size_t i = 0; i < watermark->n; i++)
		free(watermark->asked[i].ends);
	free(watermark->asked);
	watermark->asked = NULL;
	watermark->n = 0;
	watermark->at = 0;
}

void watermark_free(struct watermark *watermark)
{
	if (!watermark)
		return;
	forget(watermark);
	free(watermark);
}

static bool ask_ends(const struct watermark_queue *queue, struct asked *asked)
{
	struct err err;
	int r;

	snprintf(asked->cluster, sizeof(asked->cluster), "%s", kafka_cluster_name(queue->cluster));
	memcpy(asked->topic, queue->topic, sizeof(asked->topic));
	asked->ends = xcalloc(KAFKA_PARTITIONS_MAX, sizeof(*asked->ends));
	r = kafka_ends(queue->cluster, queue->topic, WATERMARK_ASK_MS, asked->ends,
				   KAFKA_PARTITIONS_MAX, &asked->n, &err);
	asked->missing = r == ERR_NOT_FOUND;
	return r == 0 || asked->missing;
}

static void ask(struct watermark *watermark, const struct watermark_queue *queues, size_t n,
				wall_ms now)
{
	watermark->asked = xcalloc(n, sizeof(*watermark->asked));
	watermark->n = n;
	watermark->at = now;
	for (size_t i = 0; i < n; i++) {
		if (ask_ends(&queues[i], &watermark->asked[i]))
			continue;
		forget(watermark);
		return;
	}
}

static void pass(struct asked *asked, int partition, int64_t offset)
{
	for (size_t i = 0; i < asked->n; i++)
		if (asked->ends[i].partition == partition && offset >= asked->ends[i].offset)
			asked->ends[i].offset = 0;
}

static bool all_passed(const struct asked *asked)
{
	for (size_t i = 0; i < asked->n; i++)
		if (asked->ends[i].offset > 0)
			return false;
	return true;
}

/* An end that was passed is set to 0. */
static bool look(const struct watermark_queue *queue, struct asked *asked)
{
	CLEANUP(free_p) struct kafka_progress *progress = NULL;
	CLEANUP(free_p) struct kafka_partition_offset *committed = NULL;
	struct err err;
	size_t n;

	if (queue->consumer) {
		progress = xcalloc(KAFKA_PARTITIONS_MAX, sizeof(*progress));
		n = kafka_consumer_progress(queue->consumer, progress, KAFKA_PARTITIONS_MAX);
		for (size_t i = 0; i < n && i < KAFKA_PARTITIONS_MAX; i++)
			if (strcmp(progress[i].topic, queue->topic) == 0)
				pass(asked, progress[i].partition, progress[i].processed);
	}
	if (all_passed(asked))
		return true;
	committed = xcalloc(KAFKA_PARTITIONS_MAX, sizeof(*committed));
	if (kafka_group_committed(queue->cluster, queue->group, queue->topic, WATERMARK_ASK_MS,
							  committed, KAFKA_PARTITIONS_MAX, &n, &err) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		pass(asked, committed[i].partition, committed[i].offset);
	return all_passed(asked);
}

static const struct watermark_queue *find(const struct asked *asked,
										  const struct watermark_queue *queues, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(queues[i].topic, asked->topic) == 0 &&
			strcmp(kafka_cluster_name(queues[i].cluster), asked->cluster) == 0)
			return &queues[i];
	return NULL;
}

wall_ms watermark_step(struct watermark *watermark, const struct watermark_queue *queues, size_t n,
					   wall_ms now)
{
	bool passed = true;

	if (n == 0) {
		forget(watermark);
		watermark->reached = now;
		return now;
	}
	/* A queue that has come since might hold something that stood there at the time. */
	if (watermark->at != 0 && n != watermark->n)
		forget(watermark);
	if (watermark->at == 0)
		ask(watermark, queues, n, now);
	if (watermark->at == 0)
		return watermark->reached;
	for (size_t i = 0; i < n; i++) {
		struct asked *asked = &watermark->asked[i];
		const struct watermark_queue *queue = find(asked, queues, n);

		if (!asked->passed)
			asked->passed = asked->missing || (queue && look(queue, asked));
		passed &= asked->passed;
	}
	if (passed) {
		watermark->reached = watermark->at;
		forget(watermark);
	}
	return watermark->reached;
}
