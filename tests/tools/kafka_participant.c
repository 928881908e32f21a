/*
 * Services that work off commands of Kafka, and answer as a bad network would have it:
 *
 *     kafka_participant serve BROKERS DATA SEED TOPIC…    prints "listening"; SIGTERM ends it, and
 *                                                         then it says how often it did what
 *     kafka_participant ledger DATA                       what was done, and what was answered
 *     kafka_participant send BROKERS TOPIC                records from lines "KEY VALUE" of stdin
 *
 * Each command takes effect once for its idempotency key (examples/participant/ledger.c), and of
 * each delivery the seed decides what becomes of the answer:
 *
 *     dropped     the command is lost: no effect, no answer
 *     lost        no answer
 *     late        an answer after the attempt's time-out
 *     duplicate   three answers, one of them late
 *     reordered   an answer after a moment, so that others overtake it
 *     unknown     "unknown", though it took effect
 *     at once     most of the time
 *
 * A customer that ends in 0002 has no credit, and to Atlantis nothing is shipped. What was answered
 * is written down before it is sent, in DATA/replies.jsonl: {"correlation", "outcome"}.
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "examples/participant/ledger.h"
#include "sagas/base/macros.h"

enum {
	LATE_MIN_MS = 1200,
	LATE_MAX_MS = 4000,
	REORDER_MAX_MS = 150,
	POLL_MS = 10,
	PATIENCE_MS = 30000
};

enum fault { DROPPED, LOST, LATE, DUPLICATE, REORDERED, UNSURE, AT_ONCE };
static const struct {
	const char *name;
	int percent;
} faults[] = {
	[DROPPED] = {"dropped", 5},
	[LOST] = {"lost", 8},
	[LATE] = {"late", 8},
	[DUPLICATE] = {"duplicate", 10},
	[REORDERED] = {"reordered", 20},
	[UNSURE] = {"unknown", 5},
	[AT_ONCE] = {"at_once", 44},
};
static int happened[ARRAY_SIZE(faults)];

struct reply {
	struct reply *next;
	int64_t at_ms;
	char *topic, *correlation, *outcome, *code, *body;
};
static struct reply *waiting; /* by time */

static volatile sig_atomic_t stopping;
static FILE *written; /* replies.jsonl */

static void stop(int number)
{
	(void)number;
	stopping = 1;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int between(int min, int max)
{
	return min + (int)(random() % (max - min + 1));
}

/* What is done */

static void charge(struct call *call)
{
	if (text_ends_with(call_string(call, "customer"), "0002"))
		call_refuse(call, 422, "no_credit", NULL);
	else
		call->reply = json_pack("{s:s}", "id", call->id);
}

static void ship(struct call *call)
{
	if (strcmp(call_string(call, "to"), "Atlantis") == 0)
		call_refuse(call, 422, "no_such_place", NULL);
	else
		call->reply = json_pack("{s:s}", "id", call->id);
}

static const struct operation operations[] = {
	{"command", "Reserve", "reserve", "reservation", ROLE_DO, NULL},
	{"command", "Release", "release", "reservation", ROLE_UNDO, NULL},
	{"command", "Charge", "charge", "charge", ROLE_DO, charge},
	{"command", "Refund", "refund", "charge", ROLE_UNDO, NULL},
	{"command", "Ship", "ship", "shipment", ROLE_DO, ship},
	{"command", "Unship", "unship", "shipment", ROLE_UNDO, NULL},
};

static const struct operation *operation_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].path, type) == 0)
			return &operations[i];
	}
	return NULL;
}

/* What is answered */

static const char *header(const rd_kafka_headers_t *headers, const char *name)
{
	const void *value = NULL;
	size_t len;

	if (!headers || rd_kafka_header_get_last(headers, name, &value, &len) || !value)
		return "";
	return value;
}

static void reply_later(const rd_kafka_headers_t *headers, const struct call *call,
						const char *outcome, int64_t delay_ms)
{
	struct reply *reply = xcalloc(1, sizeof(*reply)), **at = &waiting;
	const char *code = json_string_value(json_object_get(call->reply, "code"));

	reply->at_ms = now_ms() + delay_ms;
	reply->topic = xstrdup(header(headers, "reply-to"));
	reply->correlation = xstrdup(header(headers, "correlation-id"));
	reply->outcome = xstrdup(outcome ? outcome : call->status < 300 ? "success" : "failure");
	reply->code = xstrdup(code && call->status >= 300 ? code : "");
	reply->body = json_dumps(call->reply, JSON_COMPACT | JSON_ENCODE_ANY);
	while (*at && (*at)->at_ms <= reply->at_ms)
		at = &(*at)->next;
	reply->next = *at;
	*at = reply;
}

static void send_reply(rd_kafka_t *producer, const struct reply *reply)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(3);

	fprintf(written, "{\"correlation\": \"%s\", \"outcome\": \"%s\"}\n", reply->correlation,
			reply->outcome);
	fflush(written);
	rd_kafka_header_add(headers, "correlation-id", -1, reply->correlation, -1);
	rd_kafka_header_add(headers, "outcome", -1, reply->outcome, -1);
	if (*reply->code)
		rd_kafka_header_add(headers, "error-code", -1, reply->code, -1);
	CHECK(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(reply->topic),
							RD_KAFKA_V_VALUE(reply->body, strlen(reply->body)),
							RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void send_due(rd_kafka_t *producer, bool all)
{
	while (waiting && (all || waiting->at_ms <= now_ms())) {
		struct reply *reply = waiting;

		waiting = reply->next;
		send_reply(producer, reply);
		free(reply->topic);
		free(reply->correlation);
		free(reply->outcome);
		free(reply->code);
		free(reply->body);
		free(reply);
	}
	rd_kafka_poll(producer, 0);
}

static enum fault choose(void)
{
	int at = between(0, 99), sum = 0;

	for (int i = 0; i < AT_ONCE; i++) {
		sum += faults[i].percent;
		if (at < sum)
			return (enum fault)i;
	}
	return AT_ONCE;
}

static void answer(const rd_kafka_headers_t *headers, const struct call *call, enum fault fault)
{
	switch (fault) {
	case DROPPED:
	case LOST:
		break;
	case LATE:
		reply_later(headers, call, NULL, between(LATE_MIN_MS, LATE_MAX_MS));
		break;
	case DUPLICATE:
		reply_later(headers, call, NULL, 0);
		reply_later(headers, call, NULL, 0);
		reply_later(headers, call, NULL, between(LATE_MIN_MS, LATE_MAX_MS));
		break;
	case REORDERED:
		reply_later(headers, call, NULL, between(1, REORDER_MAX_MS));
		break;
	case UNSURE:
		reply_later(headers, call, "unknown", 0);
		break;
	case AT_ONCE:
		reply_later(headers, call, NULL, 0);
		break;
	}
}

static void handle(struct ledger *ledger, const rd_kafka_message_t *command)
{
	rd_kafka_headers_t *headers = NULL;
	struct call call = {0};
	char request[2048];
	enum fault fault = choose();

	happened[fault]++;
	if (fault == DROPPED)
		return;
	rd_kafka_message_headers(command, &headers);
	call.operation = operation_of(header(headers, "ce_type"));
	call.key = header(headers, "idempotency-key");
	call.body = json_loadb(command->payload, command->len, 0, NULL);
	CHECK(call.operation && *call.key && call.body && *header(headers, "correlation-id"));
	snprintf(call.id, sizeof(call.id), "%s", call_string(&call, "id"));
	snprintf(request, sizeof(request), "%s %.*s", call.operation->path, (int)command->len,
			 (const char *)command->payload);
	call.request = request;
	ledger_call(ledger, &call, NULL);
	answer(headers, &call, fault);
	json_decref(call.body);
	json_decref(call.thing);
	json_decref(call.reply);
}

/* Clients */

static rd_kafka_t *start_client(rd_kafka_type_t type, const char *const (*properties)[2], size_t n)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client;
	char why[256];

	for (size_t i = 0; i < n; i++) {
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof(why)) !=
			RD_KAFKA_CONF_OK) {
			fprintf(stderr, "kafka_participant: %s\n", why);
			exit(2);
		}
	}
	client = rd_kafka_new(type, conf, why, sizeof(why));
	if (!client) {
		fprintf(stderr, "kafka_participant: %s\n", why);
		exit(1);
	}
	return client;
}

static rd_kafka_t *start_producer(const char *brokers)
{
	const char *const properties[][2] = {
		{"bootstrap.servers", brokers}, {"enable.idempotence", "true"}, {"linger.ms", "1"}};

	return start_client(RD_KAFKA_PRODUCER, properties, ARRAY_SIZE(properties));
}

static int serve(const char *brokers, const char *data, char **topics, int n)
{
	const char *const properties[][2] = {{"bootstrap.servers", brokers},
										 {"group.id", "kafka_participant"},
										 {"enable.auto.commit", "false"},
										 {"topic.metadata.refresh.interval.ms", "1000"},
										 {"auto.offset.reset", "earliest"}};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	rd_kafka_t *consumer, *producer = start_producer(brokers);
	struct ledger *ledger = ledger_open(data);
	char path[512];

	CHECK(ledger);
	snprintf(path, sizeof(path), "%s/replies.jsonl", data);
	written = fopen(path, "a");
	CHECK(written);
	consumer = start_client(RD_KAFKA_CONSUMER, properties, ARRAY_SIZE(properties));
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_poll_set_consumer(consumer);
	CHECK(rd_kafka_subscribe(consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(list);
	printf("listening\n");
	fflush(stdout);
	while (!stopping) {
		rd_kafka_message_t *command = rd_kafka_consumer_poll(consumer, POLL_MS);

		if (command && !command->err) {
			handle(ledger, command);
			rd_kafka_commit_message(consumer, command, 1);
		}
		if (command)
			rd_kafka_message_destroy(command);
		send_due(producer, false);
	}
	send_due(producer, true);
	rd_kafka_flush(producer, PATIENCE_MS);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_destroy(producer);
	ledger_close(ledger);
	fclose(written);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		printf("%s %d\n", faults[i].name, happened[i]);
	return 0;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx)
{
	(void)producer, (void)ctx;
	CHECK(!message->err);
}

static int send_lines(const char *brokers, const char *topic)
{
	rd_kafka_t *producer;
	char why[256], line[2048];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	CHECK(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)) ==
		  RD_KAFKA_CONF_OK);
	CHECK(rd_kafka_conf_set(conf, "enable.idempotence", "true", why, sizeof(why)) ==
		  RD_KAFKA_CONF_OK);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	CHECK(producer);
	while (fgets(line, sizeof(line), stdin)) {
		size_t key_len = strcspn(line, " "), len = strcspn(line, "\n");

		CHECK(line[key_len] == ' ');
		CHECK(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(line, key_len),
								RD_KAFKA_V_VALUE(line + key_len + 1, len - key_len - 1),
								RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
								RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
		rd_kafka_poll(producer, 0);
	}
	CHECK(rd_kafka_flush(producer, PATIENCE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(producer);
	return 0;
}

static int print_ledger(const char *data)
{
	struct ledger *ledger = ledger_open(data);
	json_t *list;

	CHECK(ledger);
	list = ledger_list(ledger);
	json_dumpf(list, stdout, JSON_COMPACT);
	json_decref(list);
	ledger_close(ledger);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (argc > 5 && strcmp(argv[1], "serve") == 0) {
		srandom((unsigned)strtoul(argv[4], NULL, 10));
		return serve(argv[2], argv[3], argv + 5, argc - 5);
	}
	if (argc == 3 && strcmp(argv[1], "ledger") == 0)
		return print_ledger(argv[2]);
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		return send_lines(argv[2], argv[3]);
	fprintf(stderr,
			"usage: %s serve BROKERS DATA SEED TOPIC... | ledger DATA | send BROKERS TOPIC\n",
			argv[0]);
	return 2;
}
