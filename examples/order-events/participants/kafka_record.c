/*
 * Writes and reads records, for those who have no tool of Kafka's at hand.
 *
 *     kafka_record --brokers HOST:PORT send TOPIC KEY [HEADER=VALUE...]   the value is stdin
 *     kafka_record --brokers HOST:PORT read TOPIC N [SECONDS]             N records, or all in
 * SECONDS
 *
 * `read` begins at the start of the topic, and prints a line for each record:
 *
 *     {"partition":0,"offset":3,"key":"o-1","headers":{…},"value":"…"}
 */
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_MAX = 1024 * 1024, SEND_MS = 30000, POLL_MS = 100, TOPICS_MAX = 64 };

static rd_kafka_resp_err_t sent_with = RD_KAFKA_RESP_ERR__TIMED_OUT;

static int fail(const char *what)
{
	fprintf(stderr, "kafka_record: %s\n", what);
	return 1;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		exit(fail(why));
}

static rd_kafka_t *start_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));

	if (!client)
		exit(fail(why));
	return client;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx)
{
	(void)producer;
	(void)ctx;
	sent_with = message->err;
}

static int send_record(rd_kafka_conf_t *conf, const char *topic, const char *key, char **headers,
					   int n_headers)
{
	static char value[VALUE_MAX];
	rd_kafka_headers_t *list = rd_kafka_headers_new((size_t)n_headers);
	size_t len = fread(value, 1, sizeof(value), stdin);
	rd_kafka_t *producer;
	rd_kafka_resp_err_t err;

	if (len > 0 && value[len - 1] == '\n')
		len--;
	for (int i = 0; i < n_headers; i++) {
		char *equals = strchr(headers[i], '=');

		if (equals)
			rd_kafka_header_add(list, headers[i], equals - headers[i], equals + 1, -1);
	}
	set(conf, "partitioner", "murmur2_random");
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	producer = start_client(RD_KAFKA_PRODUCER, conf);
	err = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, strlen(key)),
							RD_KAFKA_V_VALUE(len ? value : NULL, len), RD_KAFKA_V_HEADERS(list),
							RD_KAFKA_V_END);
	if (!err) {
		rd_kafka_flush(producer, SEND_MS);
		err = sent_with;
	} else {
		rd_kafka_headers_destroy(list);
	}
	rd_kafka_destroy(producer);
	return err ? fail(rd_kafka_err2str(err)) : 0;
}

static void print_record(const rd_kafka_message_t *message)
{
	json_t *record = json_object(), *list = json_object();
	rd_kafka_headers_t *headers = NULL;
	const char *name;
	const void *value;
	size_t len;

	json_object_set_new(record, "partition", json_integer(message->partition));
	json_object_set_new(record, "offset", json_integer(message->offset));
	json_object_set_new(record, "key",
						message->key ? json_stringn(message->key, message->key_len) : json_null());
	rd_kafka_message_headers(message, &headers);
	for (size_t i = 0; headers && rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0;
		 i++)
		json_object_set_new(list, name, value ? json_stringn(value, len) : json_null());
	json_object_set_new(record, "headers", list);
	json_object_set_new(record, "value",
						message->payload ? json_stringn(message->payload, message->len)
										 : json_null());
	json_dumpf(record, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(record);
}

static int read_records(rd_kafka_conf_t *conf, const char *topic, int n, int seconds)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	time_t end = time(NULL) + seconds;
	char group[64];
	rd_kafka_t *consumer;
	int n_read = 0;

	/* A group that nobody else is in, and that commits nothing. */
	snprintf(group, sizeof(group), "kafka_record-%lld-%p", (long long)time(NULL), (void *)&group);
	set(conf, "group.id", group);
	set(conf, "enable.auto.commit", "false");
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "allow.auto.create.topics", "true");
	consumer = start_client(RD_KAFKA_CONSUMER, conf);
	rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_subscribe(consumer, list);
	while (n_read < n && time(NULL) < end) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);

		if (!message)
			continue;
		if (!message->err) {
			print_record(message);
			n_read++;
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return n_read == n ? 0 : 3;
}

/* With four partitions, and as many replicas as the brokers have by default. */
static int make_topics(rd_kafka_conf_t *conf, char **names, int n)
{
	rd_kafka_t *client = start_client(RD_KAFKA_PRODUCER, conf);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_ANY);
	rd_kafka_NewTopic_t *topics[TOPICS_MAX];
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	char why[256];
	size_t n_results = 0;
	int bad = 0;

	if (n > TOPICS_MAX)
		return fail("that are too many topics");
	for (int i = 0; i < n; i++)
		topics[i] = rd_kafka_NewTopic_new(names[i], 4, -1, why, sizeof(why));
	rd_kafka_AdminOptions_set_request_timeout(options, SEND_MS, why, sizeof(why));
	rd_kafka_CreateTopics(client, topics, (size_t)n, options, queue);
	event = rd_kafka_queue_poll(queue, SEND_MS);
	if (!event || rd_kafka_event_error(event)) {
		bad = fail(event ? rd_kafka_event_error_string(event) : "no broker answers");
	} else {
		results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
													  &n_results);
		for (size_t i = 0; i < n_results; i++) {
			rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);

			if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
				bad = fail(rd_kafka_topic_result_error_string(results[i]));
		}
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy_array(topics, (size_t)n);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return bad;
}

int main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (argc >= 5 && strcmp(argv[1], "--brokers") == 0) {
		set(conf, "bootstrap.servers", argv[2]);
		if (strcmp(argv[3], "make") == 0)
			return make_topics(conf, argv + 4, argc - 4);
		if (argc >= 6 && strcmp(argv[3], "send") == 0)
			return send_record(conf, argv[4], argv[5], argv + 6, argc - 6);
		if (argc >= 6 && strcmp(argv[3], "read") == 0)
			return read_records(conf, argv[4], (int)strtol(argv[5], NULL, 10),
								argc > 6 ? (int)strtol(argv[6], NULL, 10) : 30);
	}
	fprintf(stderr,
			"usage: %s --brokers HOST:PORT send TOPIC KEY [HEADER=VALUE...]  (the value is stdin)\n"
			"       %s --brokers HOST:PORT read TOPIC N [SECONDS]\n"
			"       %s --brokers HOST:PORT make TOPIC...\n",
			argv[0], argv[0], argv[0]);
	return 2;
}
