/*
 * Kafka from a shell, for tests, over the wrapper that Skald itself uses:
 *
 *   kafka_records BROKERS topic NAME PARTITIONS     makes a topic
 *   kafka_records BROKERS produce TOPIC             a record a line of stdin, in their order:
 *                     {"partition": 0, "key": "k", "value": "text" or JSON or null, "headers": {}}
 *   kafka_records BROKERS ends TOPIC                "PARTITION OFFSET" lines
 *   kafka_records BROKERS committed TOPIC GROUP     the same; -1: nothing
 *   kafka_records BROKERS read TOPIC N              N records as JSON lines, from the beginning
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/kafka.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

enum { TIMEOUT_MS = 10000, LINE_MAX_BYTES = 8 * 1024 * 1024, HEADERS_MAX = 32, WINDOW = 1000 };

static struct kafka_cluster *cluster;

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "kafka_records: %s: %s\n", what, err->text);
	exit(1);
}

/* Producing. */

static sem_t room; /* for records that are not acknowledged yet */

/* Thread: the producer's. */
static void sent(struct kafka_send *send)
{
	if (send->result != KAFKA_SENT)
		die("a record", &send->err);
	free(send);
	sem_post(&room);
}

static void fill_headers(const json_t *from, struct kafka_header *headers, size_t *ret_n)
{
	const char *name;
	json_t *value;

	*ret_n = 0;
	json_object_foreach ((json_t *)from, name, value)
		if (*ret_n < HEADERS_MAX)
			headers[(*ret_n)++] =
				(struct kafka_header){name, json_string_value(value), json_string_length(value)};
}

static void produce_line(struct kafka_producer *producer, const char *topic, const char *line)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct kafka_header headers[HEADERS_MAX];
	struct kafka_send *send = xcalloc(1, sizeof(*send));
	struct kafka_record *record = &send->record;
	const json_t *value;
	struct buf text;
	struct err err;

	if (json_parse(line, strlen(line), &doc, &err) < 0)
		die(line, &err);
	value = json_object_get(doc, "value");
	send->done = sent;
	record->topic = topic;
	record->partition = -1;
	if (json_object_get(doc, "partition"))
		record->partition = (int)json_integer_value(json_object_get(doc, "partition"));
	record->key = json_string_value(json_object_get(doc, "key"));
	record->key_len = json_string_length(json_object_get(doc, "key"));
	buf_init(&text, 0);
	if (json_is_string(value))
		buf_add(&text, json_string_value(value), json_string_length(value));
	else if (value && !json_is_null(value))
		json_write(value, &text);
	record->value = value && !json_is_null(value) ? buf_str(&text) : NULL;
	record->value_len = text.len;
	fill_headers(json_object_get(doc, "headers"), headers, &record->n_headers);
	record->headers = headers;
	while (sem_wait(&room) < 0)
		;
	kafka_produce(producer, send);
	buf_release(&text);
}

static void produce(const char *topic)
{
	struct kafka_producer *producer;
	char *line = malloc(LINE_MAX_BYTES);
	struct err err;

	if (kafka_producer_start(cluster, &producer, &err) < 0)
		die("producer", &err);
	sem_init(&room, 0, WINDOW);
	while (fgets(line, LINE_MAX_BYTES, stdin))
		produce_line(producer, topic, line);
	for (int i = 0; i < WINDOW; i++)
		while (sem_wait(&room) < 0)
			;
	kafka_producer_stop(producer, TIMEOUT_MS);
	free(line);
}

/* Reading. */

struct reading {
	int left;
	sem_t done;
};

static void write_record(const struct kafka_record *record)
{
	json_t *headers = json_object(), *doc;

	for (size_t i = 0; i < record->n_headers; i++)
		json_object_set_new(headers, record->headers[i].name,
							json_stringn(record->headers[i].value, record->headers[i].value_len));
	doc = json_pack("{s:i, s:I, s:o, s:o, s:o}", "partition", record->partition, "offset",
					(json_int_t)record->offset, "key",
					record->key ? json_stringn(record->key, record->key_len) : json_null(), "value",
					record->value ? json_stringn(record->value, record->value_len) : json_null(),
					"headers", headers);
	json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

/* Thread: the consumer's. */
static int take(void *ctx, struct kafka_taken *taken)
{
	struct reading *reading = ctx;

	if (reading->left > 0) {
		write_record(&taken->record);
		if (--reading->left == 0)
			sem_post(&reading->done);
	}
	kafka_done(taken);
	return 0;
}

static void read_records(const char *topic, int n)
{
	struct reading reading = {.left = n};
	char group[64];
	struct kafka_consumer_options options = {
		.cluster = cluster,
		.group = group,
		.topics = &topic,
		.n_topics = 1,
		.record = take,
		.ctx = &reading,
	};
	struct kafka_consumer *consumer;
	struct err err;

	snprintf(group, sizeof(group), "kafka_records.%d", (int)getpid());
	sem_init(&reading.done, 0, 0);
	if (kafka_consumer_start(&options, &consumer, &err) < 0)
		die("consumer", &err);
	while (n > 0 && sem_wait(&reading.done) < 0)
		;
	kafka_consumer_stop(consumer, 0);
}

static void offsets(const char *topic, const char *group)
{
	static struct kafka_partition_offset list[KAFKA_PARTITIONS_MAX];
	struct err err;
	size_t n = 0;
	int r = group ? kafka_group_committed(cluster, group, topic, TIMEOUT_MS, list,
										  KAFKA_PARTITIONS_MAX, &n, &err)
				  : kafka_ends(cluster, topic, TIMEOUT_MS, list, KAFKA_PARTITIONS_MAX, &n, &err);

	if (r < 0)
		die(topic, &err);
	for (size_t i = 0; i < n; i++)
		printf("%d %lld\n", list[i].partition, (long long)list[i].offset);
}

int main(int argc, char **argv)
{
	struct kafka_cluster_options options = {.name = "default"};
	const char *what = argc > 3 ? argv[2] : "";
	struct err err;

	options.brokers = argc > 1 ? argv[1] : "";
	if (kafka_cluster_open(&options, &cluster, &err) < 0)
		die("cluster", &err);
	if (strcmp(what, "topic") == 0 && argc == 5) {
		if (kafka_topic_ensure(cluster, argv[3], (int)strtol(argv[4], NULL, 10), TIMEOUT_MS, NULL,
							   &err) < 0)
			die(argv[3], &err);
	} else if (strcmp(what, "produce") == 0 && argc == 4) {
		produce(argv[3]);
	} else if (strcmp(what, "ends") == 0 && argc == 4) {
		offsets(argv[3], NULL);
	} else if (strcmp(what, "committed") == 0 && argc == 5) {
		offsets(argv[3], argv[4]);
	} else if (strcmp(what, "read") == 0 && argc == 5) {
		read_records(argv[3], (int)strtol(argv[4], NULL, 10));
	} else {
		fprintf(stderr, "see the head of tests/tools/kafka_records.c\n");
		return 2;
	}
	kafka_cluster_close(cluster);
	return 0;
}
