/*
 * The other side of Kafka for benchmarks, on bare librdkafka:
 *
 *     bench_kafka create  --brokers B --topic T [--partitions 12]
 *     bench_kafka produce --brokers B --topic T --records N
 *     bench_kafka consume --brokers B --topic T --records N     a fresh group, from the beginning
 *     bench_kafka answer  --brokers B --topic T                 a participant, until SIGTERM
 *
 * Records are orders as JSON, each with a key and an order number of its own. consume is the floor
 * of everything that reads the topic: it takes records in batches, copies nothing, and has its
 * offsets committed in the background. answer replies to native commands at once with success.
 *
 * produce and consume print "name value" lines: records seconds per_second cpu_seconds; the time of
 * consume begins when its partitions are assigned. answer prints "serves TOPIC"
 * once its partitions are assigned.
 */
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { BATCH = 1000, WAIT_MS = 200, GIVE_UP_S = 120, ANSWERS_FLUSH_MS = 10000 };
/* A batch waits to be full for as long: what a participant adds to each step. */
enum { BATCH_WAIT_MS = 2 };

static struct {
	const char *brokers, *topic;
	int partitions;
	int64_t records;
} options = {.brokers = "127.0.0.1:9092", .topic = "bench.orders", .partitions = 12};

static volatile sig_atomic_t stopped;
static atomic_int_least64_t n_failed;

NORETURN static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_kafka: %s: %s\n", what, why);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_results(int64_t records, double seconds, double cpu_seconds)
{
	printf("records %" PRId64 "\nseconds %.3f\nper_second %.1f\ncpu_seconds %.3f\n", records,
		   seconds, (double)records / seconds, cpu_seconds);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		die(name, text);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char text[256];
	rd_kafka_t *kafka;

	set(conf, "bootstrap.servers", options.brokers);
	kafka = rd_kafka_new(type, conf, text, sizeof(text));
	if (!kafka)
		die("a client", text);
	return kafka;
}

/* create */

static void create(void)
{
	rd_kafka_t *kafka = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new());
	rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
	char text[256];
	rd_kafka_NewTopic_t *topic =
		rd_kafka_NewTopic_new(options.topic, options.partitions, 1, text, sizeof(text));
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	size_t n;

	if (!topic)
		die(options.topic, text);
	rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, GIVE_UP_S * 1000);
	if (!event || rd_kafka_event_error(event))
		die(options.topic, event ? rd_kafka_event_error_string(event) : "no answer");
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	if (n != 1 || rd_kafka_topic_result_error(results[0]))
		die(options.topic, n == 1 ? rd_kafka_topic_result_error_string(results[0]) : "no result");
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(kafka);
}

/* produce */

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	(void)kafka;
	(void)opaque;
	if (message->err && atomic_fetch_add(&n_failed, 1) == 0)
		fprintf(stderr, "bench_kafka: a record: %s\n", rd_kafka_err2str(message->err));
}

/* Waits for room in the queue of the producer as long as there is none. */
static void send_order(rd_kafka_t *kafka, int64_t run, int64_t n)
{
	char key[64], value[256];
	rd_kafka_resp_err_t error;
	int len;

	snprintf(key, sizeof(key), "o-%" PRId64 "-%" PRId64, run, n);
	len =
		snprintf(value, sizeof(value),
				 "{\"order_id\":\"%s\",\"customer_id\":\"c-%" PRId64
				 "\",\"amount_minor\":1999,\"lines\":[{\"sku\":\"sku-%" PRId64 "\",\"count\":2}]}",
				 key, n % 1000, n % 97);
	for (;;) {
		error = rd_kafka_producev(
			kafka, RD_KAFKA_V_TOPIC(options.topic), RD_KAFKA_V_KEY(key, strlen(key)),
			RD_KAFKA_V_VALUE(value, (size_t)len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_HEADER("content-type", "application/json", -1), RD_KAFKA_V_END);
		if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(kafka, WAIT_MS);
	}
	if (error)
		die("a record", rd_kafka_err2str(error));
}

static void produce(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int64_t run = (int64_t)time(NULL);
	double begun_s = now_s();
	rd_kafka_t *kafka;

	set(conf, "linger.ms", "5");
	set(conf, "partitioner", "murmur2_random");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	kafka = client(RD_KAFKA_PRODUCER, conf);
	for (int64_t n = 0; n < options.records; n++) {
		send_order(kafka, run, n);
		if (n % BATCH == 0)
			rd_kafka_poll(kafka, 0);
	}
	if (rd_kafka_flush(kafka, GIVE_UP_S * 1000) || atomic_load(&n_failed) > 0)
		die("flush", "not all records were sent");
	rd_kafka_destroy(kafka);
	print_results(options.records, now_s() - begun_s, cpu_s());
}

/* consume, answer */

static double assigned_s, assigned_cpu_s; /* 0: not yet */

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t event,
						 rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	(void)opaque;
	if (event != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		rd_kafka_assign(kafka, NULL);
		return;
	}
	assigned_s = now_s();
	assigned_cpu_s = cpu_s();
	rd_kafka_assign(kafka, partitions);
}

static rd_kafka_t *subscribe(const char *group, const char *reset)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *kafka;

	set(conf, "group.id", group);
	set(conf, "auto.offset.reset", reset);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	kafka = client(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(kafka);
	rd_kafka_topic_partition_list_add(topics, options.topic, RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(kafka, topics))
		die(options.topic, "cannot subscribe");
	rd_kafka_topic_partition_list_destroy(topics);
	return kafka;
}

static void consume(void)
{
	char group[64];
	rd_kafka_message_t *messages[BATCH];
	rd_kafka_queue_t *queue;
	rd_kafka_t *kafka;
	int64_t n = 0;
	double deadline_s = now_s() + GIVE_UP_S;

	snprintf(group, sizeof(group), "bench-%ld-%ld", (long)time(NULL), (long)getpid());
	kafka = subscribe(group, "earliest");
	queue = rd_kafka_queue_get_consumer(kafka);
	while (n < options.records) {
		ssize_t got = rd_kafka_consume_batch_queue(queue, BATCH_WAIT_MS, messages, BATCH);

		for (ssize_t i = 0; i < got; i++) {
			n += !messages[i]->err;
			rd_kafka_message_destroy(messages[i]);
		}
		if (now_s() > deadline_s)
			die(options.topic, "the records did not come in time");
	}
	print_results(n, now_s() - assigned_s, cpu_s() - assigned_cpu_s);
	rd_kafka_queue_destroy(queue);
	rd_kafka_consumer_close(kafka);
	rd_kafka_destroy(kafka);
}

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void answer_one(rd_kafka_t *producer, const rd_kafka_message_t *command)
{
	const void *topic, *correlation;
	size_t topic_len, correlation_len;
	rd_kafka_headers_t *headers;
	char name[256];

	if (rd_kafka_message_headers(command, &headers) ||
		rd_kafka_header_get_last(headers, "reply-to", &topic, &topic_len) ||
		rd_kafka_header_get_last(headers, "correlation-id", &correlation, &correlation_len) ||
		topic_len >= sizeof(name))
		die("a command", "it says not where to reply");
	memcpy(name, topic, topic_len);
	name[topic_len] = '\0';
	while (rd_kafka_producev(
			   producer, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_KEY(command->key, command->key_len),
			   RD_KAFKA_V_VALUE((void *)"{\"ok\":true}", 11),
			   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			   RD_KAFKA_V_HEADER("correlation-id", correlation, (ssize_t)correlation_len),
			   RD_KAFKA_V_HEADER("outcome", "success", 7),
			   RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(producer, WAIT_MS);
}

static void answer(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *producer, *consumer;
	rd_kafka_queue_t *queue;
	rd_kafka_message_t *messages[BATCH];
	bool said = false;

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	set(conf, "linger.ms", "1");
	set(conf, "partitioner", "murmur2_random");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	producer = client(RD_KAFKA_PRODUCER, conf);
	consumer = subscribe("bench-answer", "earliest");
	queue = rd_kafka_queue_get_consumer(consumer);
	while (!stopped) {
		ssize_t got = rd_kafka_consume_batch_queue(queue, BATCH_WAIT_MS, messages, BATCH);

		for (ssize_t i = 0; i < got; i++) {
			if (!messages[i]->err)
				answer_one(producer, messages[i]);
			rd_kafka_message_destroy(messages[i]);
		}
		rd_kafka_poll(producer, 0);
		if (!said && assigned_s > 0) {
			said = true;
			printf("serves %s\n", options.topic);
			fflush(stdout);
		}
	}
	rd_kafka_flush(producer, ANSWERS_FLUSH_MS);
	rd_kafka_queue_destroy(queue);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_destroy(producer);
	if (atomic_load(&n_failed) > 0)
		die("answers", "some were not sent");
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {{"brokers", required_argument, NULL, 'b'},
										  {"topic", required_argument, NULL, 't'},
										  {"partitions", required_argument, NULL, 'p'},
										  {"records", required_argument, NULL, 'n'},
										  {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (c) {
		case 'b':
			options.brokers = optarg;
			break;
		case 't':
			options.topic = optarg;
			break;
		case 'p':
			options.partitions = (int)strtol(optarg, NULL, 10);
			break;
		case 'n':
			options.records = strtoll(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{"create", create}, {"produce", produce}, {"consume", consume}, {"answer", answer}};

	parse_options(argc, argv);
	for (size_t i = 0; optind < argc && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(argv[optind], modes[i].name) != 0)
			continue;
		modes[i].run();
		return 0;
	}
	fprintf(stderr, "bench_kafka: create, produce, consume or answer\n");
	return 2;
}
