/*
 * A warehouse and a credit department that work off commands from Kafka, in Skald's native profile
 * (docs/kafka.md).
 *
 *     order_handlers --brokers HOST:PORT --data DIR
 *     order_handlers --data DIR --ledger             prints what was done, and ends
 *
 *     topic warehouse.commands   ReserveStock, ReleaseStock
 *     topic credit.commands      ChargeCredit, RefundCredit
 *
 * Values that make it refuse or stumble:
 *
 *     a sku that ends in NONE          failure out_of_stock
 *     a customer that ends in 0002     failure no_credit
 *     a customer that ends in 0005     charged, but the first answer is never sent
 *
 * What a handler has to do is in handle() and in the loop of main(): the work and its key in one
 * transaction (examples/participant/ledger.c), the same answer each time, and the offset committed
 * only when the answer is with the broker.
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/participant/ledger.h"

enum { POLL_MS = 200, FLUSH_MS = 15000, BATCH_MAX = 500 };

static volatile sig_atomic_t stopping;
static int n_lost; /* answers that the broker did not take */

static void stop(int number)
{
	(void)number;
	stopping = 1;
}

static void reserve(struct call *call)
{
	if (text_ends_with(call_string(call, "sku"), "NONE")) {
		call_refuse(call, 422, "out_of_stock", "there is none left");
		return;
	}
	call->reply =
		json_pack("{s:s, s:O?, s:O?}", "id", call->id, "sku", json_object_get(call->body, "sku"),
				  "quantity", json_object_get(call->body, "quantity"));
}

static void charge(struct call *call)
{
	const char *customer = call_string(call, "customer_id");

	if (text_ends_with(customer, "0002")) {
		call_refuse(call, 422, "no_credit", "the credit is used up");
		return;
	}
	call->lose_reply = text_ends_with(customer, "0005");
	call->reply = json_pack("{s:s, s:O?}", "id", call->id, "amount_minor",
							json_object_get(call->body, "amount_minor"));
}

/* `path` is the type of the command here. */
static const struct operation operations[] = {
	{"command", "ReserveStock", "reserve", "reservation", ROLE_DO, reserve},
	{"command", "ReleaseStock", "release", "reservation", ROLE_UNDO, NULL},
	{"command", "ChargeCredit", "charge", "charge", ROLE_DO, charge},
	{"command", "RefundCredit", "refund", "charge", ROLE_UNDO, NULL},
};

static const struct operation *operation_of(const char *type)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].path, type) == 0)
			return &operations[i];
	}
	return NULL;
}

/* A header as text; "" when it is not there. librdkafka puts a NUL behind each. */
static const char *header(const rd_kafka_headers_t *headers, const char *name)
{
	const void *value = NULL;
	size_t len;

	if (!headers || rd_kafka_header_get_last(headers, name, &value, &len) || !value)
		return "";
	return value;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx)
{
	(void)producer;
	(void)ctx;
	if (message->err)
		n_lost++;
}

static void answer(rd_kafka_t *producer, const rd_kafka_message_t *command,
				   const rd_kafka_headers_t *headers, const struct call *call)
{
	const char *outcome = call->status < 300   ? "success"
						  : call->status < 500 ? "failure"
											   : "unknown";
	const char *code = json_string_value(json_object_get(call->reply, "code"));
	const char *message = json_string_value(json_object_get(call->reply, "message"));
	char *value = json_dumps(call->reply, JSON_COMPACT | JSON_ENCODE_ANY);
	rd_kafka_headers_t *reply = rd_kafka_headers_new(4);
	rd_kafka_resp_err_t err;

	rd_kafka_header_add(reply, "correlation-id", -1, header(headers, "correlation-id"), -1);
	rd_kafka_header_add(reply, "outcome", -1, outcome, -1);
	if (code && call->status >= 300)
		rd_kafka_header_add(reply, "error-code", -1, code, -1);
	if (message && call->status >= 300)
		rd_kafka_header_add(reply, "error-message", -1, message, -1);
	err = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(header(headers, "reply-to")),
							RD_KAFKA_V_KEY(command->key, command->key_len),
							RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_HEADERS(reply),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (err) {
		rd_kafka_headers_destroy(reply);
		n_lost++;
	}
	free(value);
}

static void handle(rd_kafka_t *producer, struct ledger *ledger, const rd_kafka_message_t *command)
{
	rd_kafka_headers_t *headers = NULL;
	struct call call = {0};
	char request[4096];

	rd_kafka_message_headers(command, &headers);
	call.operation = operation_of(header(headers, "ce_type"));
	call.key = header(headers, "idempotency-key");
	call.body = json_loadb(command->payload ? command->payload : "{}",
						   command->payload ? command->len : 2, 0, NULL);
	if (!call.operation || !*call.key || !*header(headers, "correlation-id") || !call.body) {
		fprintf(stderr, "order_handlers: record %lld of %s is no command of ours\n",
				(long long)command->offset, rd_kafka_topic_name(command->rkt));
		json_decref(call.body);
		return;
	}
	snprintf(call.id, sizeof(call.id), "%s", call_string(&call, "id"));
	snprintf(request, sizeof(request), "%s %.*s", call.operation->path, (int)command->len,
			 command->payload ? (const char *)command->payload : "");
	call.request = request;
	ledger_call(ledger, &call, NULL);
	if (!call.lose_reply || call.replayed)
		answer(producer, command, headers, &call);
	json_decref(call.body);
	json_decref(call.thing);
	json_decref(call.reply);
}

static rd_kafka_conf_t *configure(const char *brokers, const char *const (*properties)[2], size_t n)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	for (size_t i = 0; i <= n; i++) {
		const char *name = i < n ? properties[i][0] : "bootstrap.servers";
		const char *value = i < n ? properties[i][1] : brokers;

		if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
			fprintf(stderr, "order_handlers: %s\n", why);
			exit(2);
		}
	}
	return conf;
}

static rd_kafka_t *start_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));

	if (!client) {
		fprintf(stderr, "order_handlers: %s\n", why);
		exit(1);
	}
	return client;
}

static rd_kafka_t *start_consumer(const char *brokers)
{
	static const char *const properties[][2] = {{"group.id", "order-handlers"},
												{"enable.auto.commit", "false"},
												{"auto.offset.reset", "earliest"},
												{"allow.auto.create.topics", "true"}};
	static const char *const topics[] = {"warehouse.commands", "credit.commands"};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2);
	rd_kafka_t *consumer = start_client(RD_KAFKA_CONSUMER, configure(brokers, properties, 4));

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_subscribe(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	return consumer;
}

static rd_kafka_t *start_producer(const char *brokers)
{
	/* An answer that is sent twice does no harm, so this producer need not be idempotent. */
	static const char *const properties[][2] = {{"acks", "all"}, {"message.timeout.ms", "10000"}};
	rd_kafka_conf_t *conf = configure(brokers, properties, 2);

	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	return start_client(RD_KAFKA_PRODUCER, conf);
}

/*
 * Works off a run of commands, and commits it when every answer is with the broker. Until then a
 * crash makes them come again, which the ledger knows how to answer.
 */
static int serve(const char *brokers, struct ledger *ledger)
{
	rd_kafka_t *consumer = start_consumer(brokers), *producer = start_producer(brokers);
	int n = 0;

	printf("order_handlers listening on kafka://%s\n", brokers);
	fflush(stdout);
	while (!stopping && n_lost == 0) {
		rd_kafka_message_t *command = rd_kafka_consumer_poll(consumer, n > 0 ? 5 : POLL_MS);

		if (command && !command->err) {
			handle(producer, ledger, command);
			n++;
		}
		if (n > 0 && (!command || n == BATCH_MAX)) {
			if (rd_kafka_flush(producer, FLUSH_MS) || n_lost > 0)
				break;
			rd_kafka_commit(consumer, NULL, 0);
			n = 0;
		}
		if (command)
			rd_kafka_message_destroy(command);
	}
	if (n_lost > 0)
		fprintf(stderr, "order_handlers: %d answers did not reach the broker\n", n_lost);
	else if (n > 0 && rd_kafka_flush(producer, FLUSH_MS) == 0 && n_lost == 0)
		rd_kafka_commit(consumer, NULL, 0);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	rd_kafka_destroy(producer);
	return n_lost > 0;
}

static void print_ledger(struct ledger *ledger)
{
	json_t *list = ledger_list(ledger);

	json_dumpf(list, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(list);
}

int main(int argc, char **argv)
{
	const char *brokers = NULL, *data = NULL;
	struct ledger *ledger;
	int list = 0, status = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--ledger") == 0)
			list = 1;
		else if (strcmp(argv[i], "--brokers") == 0 && i + 1 < argc)
			brokers = argv[++i];
		else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
			data = argv[++i];
		else
			data = brokers = NULL, i = argc;
	}
	if (!data || (!brokers && !list)) {
		fprintf(stderr, "usage: %s --brokers HOST:PORT --data DIR\n       %s --data DIR --ledger\n",
				argv[0], argv[0]);
		return 2;
	}
	ledger = ledger_open(data);
	if (!ledger)
		return 1;
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (list)
		print_ledger(ledger);
	else
		status = serve(brokers, ledger);
	ledger_close(ledger);
	return status;
}
