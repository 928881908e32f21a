/*
 * The broker's side of the campaign of Kafka's faults (tests/e2e/kafka_campaign.sh): what it shows
 * comes from the broker alone, so that nothing of what is tested is asked about itself.
 *
 *   kafka_campaign topic BROKERS TOPIC PARTITIONS      makes one, whose timestamps are the broker's
 *   kafka_campaign produce BROKERS TOPIC N RATE SEED   writes orders, duplicates and poison; ends
 *                                                      when all are acknowledged
 *   kafka_campaign sample BROKERS TOPIC GROUP MS       says every MS what the group has committed,
 *                                                      until it is ended
 *   kafka_campaign ends BROKERS TOPIC GROUP            the same once, with the ends
 *   kafka_campaign dump BROKERS TOPIC                  every record that is there
 *
 * Answers are JSON, a line each: {"t": µs, "committed": [offset of each partition, -1: none],
 * "ends": […]} and {"p", "o", "ts": ms, "key", "value", "headers": {…}}, keys and values in
 * hexadecimal.
 *
 * What is produced, by its header `kind`, with the order's id in the header `order`:
 *
 *   order         an order that was never seen; the record's key is its customer
 *   duplicate     one that was, byte for byte; in half of them under another record key, so that it
 *                 may be read before the other
 *   conflict      a known order with another amount, behind it in its partition
 *   unparsable, schema, keyless   poison of other kinds
 */
#include <inttypes.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"

enum {
	CUSTOMERS = 400,
	PARTITIONS_MAX = 256,
	REMEMBERED = 64, /* orders that may come again */
	TIMEOUT_MS = 5000,
	SAMPLE_TIMEOUT_MS = 500,
	POISON_PERCENT = 5,
	DUPLICATE_PERCENT = 10,
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "kafka_campaign: %s: %s\n", what, why);
	exit(1);
}

static int64_t now_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	if (us > 0)
		nanosleep(&ts, NULL);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		die(name, text);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *brokers)
{
	char text[256];
	rd_kafka_t *rk;

	set(conf, "bootstrap.servers", brokers);
	set(conf, "log_level", "2"); /* a broker that is away is expected here */
	rk = rd_kafka_new(type, conf, text, sizeof(text));
	if (!rk)
		die("no client", text);
	return rk;
}

static int partition_count(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t r = RD_KAFKA_RESP_ERR__TIMED_OUT;
	int n = 0;

	for (int try = 0; try < 12 && n == 0; try++) {
		r = rd_kafka_metadata(rk, 0, rkt, &metadata, TIMEOUT_MS);
		if (r != RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
		rd_kafka_metadata_destroy(metadata);
		if (n == 0)
			sleep_us(200000);
	}
	rd_kafka_topic_destroy(rkt);
	if (n < 1 || n > PARTITIONS_MAX)
		die(topic, n ? "too many partitions" : rd_kafka_err2str(r));
	return n;
}

static void make_topic(const char *brokers, const char *topic, int partitions)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	char text[256] = "";
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, 1, text, sizeof(text));
	const rd_kafka_topic_result_t *const *results;
	rd_kafka_event_t *event;
	size_t n = 0;

	if (!wanted)
		die(topic, text);
	rd_kafka_NewTopic_set_config(wanted, "message.timestamp.type", "LogAppendTime");
	rd_kafka_CreateTopics(rk, &wanted, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 30000);
	if (!event || rd_kafka_event_error(event))
		die(topic, event ? rd_kafka_event_error_string(event) : "no answer");
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	if (n != 1 || rd_kafka_topic_result_error(results[0]))
		die(topic, n == 1 ? rd_kafka_topic_result_error_string(results[0]) : "no result");
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(wanted);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

/* Records */

struct order {
	int number, customer, amount;
};

struct source {
	uint64_t random;
	struct order known[REMEMBERED];
	int n_orders, n_customers;
	int n_kinds[6];
};

static const char *const kinds[] = {"order",      "duplicate", "conflict",
									"unparsable", "schema",    "keyless"};

struct made {
	int kind;
	char key[32], order[32], value[160];
};

static uint32_t random_below(struct source *source, uint32_t n)
{
	source->random ^= source->random << 13; /* xorshift */
	source->random ^= source->random >> 7;
	source->random ^= source->random << 17;
	return (uint32_t)(source->random >> 33) % n;
}

static void make_order(const struct order *order, int amount, struct made *ret)
{
	snprintf(ret->key, sizeof(ret->key), "c-%d", order->customer);
	snprintf(ret->order, sizeof(ret->order), "o-%d", order->number);
	snprintf(ret->value, sizeof(ret->value),
			 "{\"order_id\": \"o-%d\", \"customer\": \"c-%d\", \"amount\": %d}", order->number,
			 order->customer, amount);
}

static void make_poison(struct source *source, struct made *ret)
{
	struct order order = {.number = 1000000 + source->n_orders,
						  .customer = (int)random_below(source, CUSTOMERS)};

	make_order(&order, 1, ret);
	ret->kind = 2 + (int)random_below(source, 4);
	switch (ret->kind) {
	case 2:
		order = source->known[random_below(source, REMEMBERED)];
		make_order(&order, order.amount + 1, ret);
		break;
	case 3:
		snprintf(ret->value, sizeof(ret->value), "{\"order_id\": \"o-%d\", ", order.number);
		break;
	case 4:
		make_order(&order, -1, ret); /* less than the schema allows */
		break;
	default:
		snprintf(ret->value, sizeof(ret->value), "{\"customer\": \"%s\", \"amount\": 1}", ret->key);
		break;
	}
}

/* Kinds come in exact shares, so that a run can say what it was: every 20th is poison, and so on.
 */
static void make_record(struct source *source, int i, struct made *ret)
{
	struct order *order = &source->known[source->n_orders % REMEMBERED];

	*ret = (struct made){0};
	if (i >= REMEMBERED && i % 100 < POISON_PERCENT) {
		make_poison(source, ret);
	} else if (i >= REMEMBERED && i % 100 < POISON_PERCENT + DUPLICATE_PERCENT) {
		order = &source->known[random_below(source, REMEMBERED)];
		make_order(order, order->amount, ret);
		ret->kind = 1;
		if (random_below(source, 2))
			snprintf(ret->key, sizeof(ret->key), "x-%d", order->customer);
	} else {
		*order = (struct order){.number = source->n_orders++,
								.customer = (int)random_below(source, CUSTOMERS),
								.amount = 1 + (int)random_below(source, 100000)};
		make_order(order, order->amount, ret);
	}
	source->n_kinds[ret->kind]++;
}

static int64_t n_lost;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
	(void)rk;
	(void)ctx;
	if (message->err) {
		fprintf(stderr, "kafka_campaign: not delivered: %s\n", rd_kafka_err2str(message->err));
		n_lost++;
	}
}

static void send_record(rd_kafka_t *rk, const char *topic, const struct made *made)
{
	rd_kafka_resp_err_t r;

	do {
		r = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
							  RD_KAFKA_V_KEY(made->key, strlen(made->key)),
							  RD_KAFKA_V_VALUE((char *)made->value, strlen(made->value)),
							  RD_KAFKA_V_HEADER("kind", kinds[made->kind], -1),
							  RD_KAFKA_V_HEADER("order", made->order, -1),
							  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (r)
			rd_kafka_poll(rk, 100);
	} while (r == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (r)
		die("cannot produce", rd_kafka_err2str(r));
}

static void produce(const char *brokers, const char *topic, int n, int rate, uint64_t seed)
{
	struct source source = {.random = seed * 2654435761U + 88172645463325252U};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int64_t start = now_us(CLOCK_MONOTONIC);
	struct made made;
	rd_kafka_t *rk;

	set(conf, "enable.idempotence", "true");
	set(conf, "partitioner", "murmur2_random");
	set(conf, "message.timeout.ms", "300000");
	set(conf, "linger.ms", "5");
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rk = client(RD_KAFKA_PRODUCER, conf, brokers);
	for (int i = 0; i < n; i++) {
		make_record(&source, i, &made);
		send_record(rk, topic, &made);
		rd_kafka_poll(rk, 0);
		sleep_us(start + (int64_t)(i + 1) * 1000000 / rate - now_us(CLOCK_MONOTONIC));
	}
	if (rd_kafka_flush(rk, 300000) != RD_KAFKA_RESP_ERR_NO_ERROR || n_lost)
		die("produce", "not everything was acknowledged");
	rd_kafka_destroy(rk);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("%s%s %d", i ? ", " : "", kinds[i], source.n_kinds[i]);
	printf("\n");
}

/* What the broker knows */

static rd_kafka_t *observer(const char *brokers, const char *group)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "group.id", group);
	set(conf, "enable.auto.commit", "false");
	return client(RD_KAFKA_CONSUMER, conf, brokers);
}

/* Asks what the group of this client, which is no member of it, has committed. NULL: no answer. */
static json_t *committed(rd_kafka_t *rk, const char *topic, int partitions, int timeout_ms)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	json_t *offsets = NULL;

	rd_kafka_topic_partition_list_add_range(list, topic, 0, partitions - 1);
	if (rd_kafka_committed(rk, list, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		offsets = json_array();
		for (int i = 0; i < list->cnt; i++)
			json_array_append_new(
				offsets, json_integer(list->elems[i].offset < 0 ? -1 : list->elems[i].offset));
	}
	rd_kafka_topic_partition_list_destroy(list);
	return offsets;
}

static json_t *ends_of(rd_kafka_t *rk, const char *topic, int partitions)
{
	json_t *ends = json_array();

	for (int p = 0; p < partitions; p++) {
		int64_t low, high;
		rd_kafka_resp_err_t r =
			rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, TIMEOUT_MS);

		if (r)
			die("cannot ask for an end", rd_kafka_err2str(r));
		json_array_append_new(ends, json_integer(high));
	}
	return ends;
}

static void print(json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void sample(const char *brokers, const char *topic, const char *group, int every_ms)
{
	rd_kafka_t *rk = observer(brokers, group);
	int partitions = partition_count(rk, topic);

	signal(SIGTERM, on_signal);
	while (!stopped) {
		json_t *offsets = committed(rk, topic, partitions, SAMPLE_TIMEOUT_MS);

		/* The time is taken behind the answer: what it says was so before. */
		if (offsets)
			print(json_pack("{s:I, s:o}", "t", (json_int_t)now_us(CLOCK_REALTIME), "committed",
							offsets));
		sleep_us((int64_t)every_ms * 1000);
	}
	rd_kafka_destroy(rk);
}

static void print_ends(const char *brokers, const char *topic, const char *group)
{
	rd_kafka_t *rk = observer(brokers, group);
	int partitions = partition_count(rk, topic);
	json_t *offsets = committed(rk, topic, partitions, TIMEOUT_MS);

	if (!offsets)
		die(group, "no answer");
	print(json_pack("{s:I, s:o, s:o}", "t", (json_int_t)now_us(CLOCK_REALTIME), "committed",
					offsets, "ends", ends_of(rk, topic, partitions)));
	rd_kafka_destroy(rk);
}

static json_t *hex(const void *bytes, size_t len)
{
	CLEANUP(free_p) char *text = NULL;

	if (!bytes)
		return json_null();
	text = xcalloc(len * 2 + 1, 1);
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
	return json_string(text);
}

static json_t *headers_of(const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers = NULL;
	json_t *object = json_object();
	const char *name;
	const void *value;
	size_t len;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return object;
	for (size_t i = 0;
		 rd_kafka_header_get_all(headers, i, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR;
		 i++)
		json_object_set_new(object, name, value ? json_stringn_nocheck(value, len) : json_null());
	return object;
}

static void print_record(const rd_kafka_message_t *message)
{
	json_t *line = json_object();

	json_object_set_new(line, "p", json_integer(message->partition));
	json_object_set_new(line, "o", json_integer(message->offset));
	json_object_set_new(line, "ts", json_integer(rd_kafka_message_timestamp(message, NULL)));
	json_object_set_new(line, "key", hex(message->key, message->key_len));
	json_object_set_new(line, "value", hex(message->payload, message->len));
	json_object_set_new(line, "text", json_stringn_nocheck(message->payload, message->len));
	json_object_set_new(line, "headers", headers_of(message));
	print(line);
}

static void dump(const char *brokers, const char *topic)
{
	rd_kafka_t *rk = observer(brokers, "kafka_campaign.dump");
	int partitions = partition_count(rk, topic);
	json_t *ends = ends_of(rk, topic, partitions);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	int64_t left = 0;

	for (int p = 0; p < partitions; p++) {
		int64_t end = json_integer_value(json_array_get(ends, (size_t)p));

		rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
		left += end;
	}
	rd_kafka_assign(rk, list);
	while (left > 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 30000);

		if (!message)
			die(topic, "nothing more comes, before its end");
		if (!message->err && message->offset < json_integer_value(json_array_get(
												   ends, (size_t)message->partition))) {
			print_record(message);
			left--;
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	json_decref(ends);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

static int number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1 || n > 1000000000)
		die("not a number", text);
	return (int)n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "topic") == 0 && argc == 5)
		make_topic(argv[2], argv[3], number(argv[4]));
	else if (strcmp(what, "produce") == 0 && argc == 7)
		produce(argv[2], argv[3], number(argv[4]), number(argv[5]), (uint64_t)number(argv[6]));
	else if (strcmp(what, "sample") == 0 && argc == 6)
		sample(argv[2], argv[3], argv[4], number(argv[5]));
	else if (strcmp(what, "ends") == 0 && argc == 5)
		print_ends(argv[2], argv[3], argv[4]);
	else if (strcmp(what, "dump") == 0 && argc == 4)
		dump(argv[2], argv[3]);
	else
		die("usage", "topic | produce | sample | ends | dump, see its source");
	return 0;
}
