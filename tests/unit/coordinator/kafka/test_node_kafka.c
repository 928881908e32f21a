/*
 * A whole node with librdkafka's mock cluster: commands and their replies, what is emitted, events
 * that are waited for, and sagas that records start. The participant is a consumer of this program.
 * What is decided is the business of test_decide and the scenarios; here it is about what travels,
 * and about threads (run it under SAN=thread).
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/kafka_mock.h"
#include "coordinator/clock.h"
#include "coordinator/log.h"
#include "coordinator/node.h"
#include "sagas/jval.h"
#include "tests/support/temp_dir.h"

enum { WAIT_MS = 20000, SEEN_MAX = 200 };

/* A record that the participant or the listener has seen. */
struct seen {
	char topic[64], key[64], type[64], id[160], correlation[160], value[1024];
};

static struct {
	struct kafka_mock *mock;
	struct kafka_cluster *cluster;             /* the test's own */
	struct kafka_producer *producer, *replier; /* the participant's, perhaps the same */
	struct kafka_consumer *participant, *listener;
	struct node *node;
	struct node_options options;
	struct kafka_cluster_options kafka;
	char path[256];
	unsigned next_id;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct seen commands[SEEN_MAX], events[SEEN_MAX];
	int n_commands, n_events, n_produced;
	int lose;           /* so many commands are not answered */
	int answers;        /* to each command; 2: twice */
	const char *refuse; /* commands of this type fail */
	struct engine_call *answered;
} t;

static const struct kafka_participant participants[] = {
	{"credit", "default", "credit.commands", PROFILE_NATIVE},
};

/* Waiting. */

static struct timespec in_ms(int64_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += ms / 1000;
	return at;
}

/* The mutex is held. */
static void wait_until(bool (*holds)(int n), int n, const char *what)
{
	struct timespec until = in_ms(WAIT_MS);

	while (!holds(n))
		ck_assert_msg(pthread_cond_timedwait(&t.changed, &t.mutex, &until) == 0,
					  "%s (%d) did not come in time", what, n);
}

/* Records of the test. */

static void get_header(const struct kafka_record *record, const char *name, char *to, size_t size)
{
	to[0] = '\0';
	for (size_t i = 0; i < record->n_headers; i++)
		if (strcmp(record->headers[i].name, name) == 0)
			snprintf(to, size, "%.*s", (int)record->headers[i].value_len, record->headers[i].value);
}

static void see(struct seen *seen, const struct kafka_record *record)
{
	snprintf(seen->topic, sizeof(seen->topic), "%s", record->topic);
	snprintf(seen->key, sizeof(seen->key), "%.*s", (int)record->key_len,
			 record->key ? record->key : "");
	snprintf(seen->value, sizeof(seen->value), "%.*s", (int)record->value_len,
			 record->value ? record->value : "");
	get_header(record, "ce_type", seen->type, sizeof(seen->type));
	get_header(record, "ce_id", seen->id, sizeof(seen->id));
	get_header(record, "correlation-id", seen->correlation, sizeof(seen->correlation));
}

static void produced(struct kafka_send *send)
{
	pthread_mutex_lock(&t.mutex);
	t.n_produced += send->result == KAFKA_SENT;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.mutex);
	free(send);
}

static void produce_with(struct kafka_producer *producer, const char *topic, const char *key,
						 const char *value, const struct kafka_header *headers, size_t n_headers)
{
	struct kafka_send *send = xcalloc(1, sizeof(*send));

	send->record = (struct kafka_record){
		.topic = topic,
		.partition = -1,
		.key = key,
		.key_len = strlen(key),
		.value = value,
		.value_len = strlen(value),
		.headers = headers,
		.n_headers = n_headers,
	};
	send->done = produced;
	kafka_produce(producer, send);
}

static void produce(const char *topic, const char *key, const char *value)
{
	produce_with(t.producer, topic, key, value, NULL, 0);
}

static void reply(const struct seen *command, const char *reply_to, bool fails)
{
	const struct kafka_header headers[] = {
		{"correlation-id", command->correlation, strlen(command->correlation)},
		{"outcome", fails ? "failure" : "success", 7},
		{"error-code", "NoCredit", 8},
	};

	produce_with(t.replier, reply_to, command->key, "{\"hold\":\"h-1\"}", headers, fails ? 3 : 2);
}

/* Thread: the participant's consumer. */
static int take_command(void *ctx, struct kafka_taken *taken)
{
	char reply_to[64];
	struct seen *seen;
	bool lost, fails;
	int answers;

	(void)ctx;
	get_header(&taken->record, "reply-to", reply_to, sizeof(reply_to));
	pthread_mutex_lock(&t.mutex);
	ck_assert_int_lt(t.n_commands, SEEN_MAX);
	seen = &t.commands[t.n_commands++];
	see(seen, &taken->record);
	lost = t.lose > 0;
	t.lose -= lost;
	fails = t.refuse && strcmp(seen->type, t.refuse) == 0;
	answers = t.answers;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.mutex);
	for (int i = 0; i < answers && !lost; i++)
		reply(seen, reply_to, fails);
	kafka_done(taken);
	return 0;
}

/* Thread: the listener's consumer. */
static int take_event(void *ctx, struct kafka_taken *taken)
{
	(void)ctx;
	pthread_mutex_lock(&t.mutex);
	ck_assert_int_lt(t.n_events, SEEN_MAX);
	see(&t.events[t.n_events++], &taken->record);
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.mutex);
	kafka_done(taken);
	return 0;
}

static struct kafka_consumer *consume(struct kafka_cluster *cluster, const char *group,
									  const char *const *topics, size_t n,
									  int (*record)(void *ctx, struct kafka_taken *taken))
{
	struct kafka_consumer_options options = {
		.cluster = cluster,
		.group = group,
		.topics = topics,
		.n_topics = n,
		.record = record,
	};
	struct kafka_consumer *consumer;
	struct err err;

	ck_assert_int_eq(kafka_consumer_start(&options, &consumer, &err), 0);
	return consumer;
}

/* A group takes seconds to gather; what is sent meanwhile would time out. */
static void wait_for_partitions(struct kafka_consumer *consumer, size_t n)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000000};
	int64_t until_us = clock_mono_us() + WAIT_MS * 1000;
	struct kafka_progress progress[8];

	while (kafka_consumer_progress(consumer, progress, ARRAY_SIZE(progress)) < n) {
		ck_assert_msg(clock_mono_us() < until_us, "a consumer got no partitions in time");
		nanosleep(&moment, NULL);
	}
}

/* The node. */

static void start_node(void)
{
	struct err err;
	int r = node_start(&t.options, &t.node, &err);

	ck_assert_msg(r == 0, "%s", err.text);
}

static void setup(void)
{
	static const char *const topics[] = {"credit.commands", "orders.confirmed", "skald.replies",
										 "orders.placed",   "payments",         "orders.cancelled",
										 "lifecycle"};
	static const char *const listened[] = {"orders.confirmed", "lifecycle"};
	struct err err;

	memset(&t, 0, sizeof(t));
	t.answers = 1;
	log_setup(getenv("SKALD_TEST_LOG") ? LOG_DEBUG : LOG_OFF, false);
	clock_start();
	pthread_mutex_init(&t.mutex, NULL);
	pthread_cond_init(&t.changed, NULL);
	ck_assert_int_eq(kafka_mock_start(1, &t.mock, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		ck_assert_int_eq(kafka_mock_topic(t.mock, topics[i], 2, &err), 0);
	t.kafka =
		(struct kafka_cluster_options){.name = "default", .brokers = kafka_mock_brokers(t.mock)};
	ck_assert_int_eq(kafka_cluster_open(&t.kafka, &t.cluster, &err), 0);
	ck_assert_int_eq(kafka_producer_start(t.cluster, &t.producer, &err), 0);
	t.replier = t.producer;
	t.participant = consume(t.cluster, "credit", &topics[0], 1, take_command);
	t.listener = consume(t.cluster, "listener", listened, ARRAY_SIZE(listened), take_event);
	wait_for_partitions(t.participant, 2);
	wait_for_partitions(t.listener, 4);
	snprintf(t.path, sizeof(t.path), "%s/node.db", temp_dir_make());
	t.options = (struct node_options){
		.store_path = t.path,
		.listen_address = "127.0.0.1",
		.drain_ms = 2000,
		.payload_max = 1024 * 1024,
		.kafka =
			{
				.clusters = &t.kafka,
				.n_clusters = 1,
				.participants = participants,
				.n_participants = ARRAY_SIZE(participants),
				.group_prefix = "skald",
				.reply_topic = "skald.replies",
				.reply_partitions = 2,
				.early_events_ms = 3600000,
				.in_flight = 100,
			},
	};
}

/* What a failure needs to be understood: SKALD_TEST_LOG=1 CK_FORK=no. */
static void print_what_was_seen(void)
{
	struct buf text;

	if (!getenv("SKALD_TEST_LOG"))
		return;
	buf_init(&text, 0);
	hub_write_metrics(t.node->kafka, &text);
	fputs(buf_str(&text), stderr);
	buf_release(&text);
	for (int i = 0; i < t.n_commands; i++)
		fprintf(stderr, "%s %s\n", t.commands[i].type, t.commands[i].id);
}

static void teardown(void)
{
	if (t.node) {
		print_what_was_seen();
		node_stop(t.node);
	}
	kafka_consumer_stop(t.participant, 1000);
	kafka_consumer_stop(t.listener, 1000);
	kafka_producer_stop(t.producer, 1000);
	kafka_cluster_close(t.cluster);
	kafka_mock_stop(t.mock);
	engine_call_free(t.answered);
	temp_dir_remove();
	pthread_cond_destroy(&t.changed);
	pthread_mutex_destroy(&t.mutex);
}

/* The mock knows no times of records: a group begins at the end, wherever it was told to. So it has
 * to be there before the records are. */
static void wait_for_metric(const char *line)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000000};
	int64_t until_us = clock_mono_us() + WAIT_MS * 1000;
	bool seen = false;

	while (!seen) {
		struct buf text;

		buf_init(&text, 0);
		hub_write_metrics(t.node->kafka, &text);
		seen = strstr(buf_str(&text), line) != NULL;
		buf_release(&text);
		ck_assert_msg(seen || clock_mono_us() < until_us, "%s was not reached in time", line);
		if (!seen)
			nanosleep(&moment, NULL);
	}
}

static const char events_ready[] =
	"skald_kafka_consumer_partitions{cluster=\"default\",queue=\"events\"} 4\n";

struct deploying {
	struct deployment deployment;
	bool over;
};

static void deployed(struct deployment *deployment)
{
	pthread_mutex_lock(&t.mutex);
	CONTAINER_OF(deployment, struct deploying, deployment)->over = true;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.mutex);
}

static void deploy(const char *text)
{
	struct deploying deploying = {.deployment = {.done = deployed}};
	struct deployment *deployment = &deploying.deployment;

	registry_deploy(t.node->registry, "default", text, strlen(text), NULL, false, deployment);
	pthread_mutex_lock(&t.mutex);
	while (!deploying.over)
		pthread_cond_wait(&t.changed, &t.mutex);
	pthread_mutex_unlock(&t.mutex);
	ck_assert_msg(deployment->result == 0, "%s: %s", deployment->err.text,
				  deployment->findings.n > 0 ? deployment->findings.list[0].text : "");
	deployment_release(deployment);
	hub_deployed(t.node->kafka);
}

static void answered(struct engine_call *call)
{
	pthread_mutex_lock(&t.mutex);
	engine_call_free(t.answered);
	t.answered = call;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.mutex);
}

static bool is_answered(int n)
{
	(void)n;
	return t.answered != NULL;
}

/* Starts a saga, and waits for its end or for wait_ms. */
static void start(const char *name, const char *input, int64_t wait_ms, char id[SAGA_ID_SIZE])
{
	struct engine_call *call = engine_call_new(ENGINE_START);
	unsigned char random[8] = {0};
	struct err err;

	t.next_id++;
	memcpy(random + 4, &t.next_id, sizeof(t.next_id));
	saga_id_make(clock_wall(), (int)(t.next_id % 16), random, call->id);
	memcpy(id, call->id, SAGA_ID_SIZE);
	call->ns = xstrdup("default");
	ck_assert_int_eq(registry_get(t.node->registry, "default", name, 0, &call->def, &err), 0);
	call->input = jval_from_json(json_loads(input, 0, NULL));
	call->wait_ms = wait_ms;
	call->answer = answered;
	pthread_mutex_lock(&t.mutex);
	engine_call_free(TAKE(t.answered));
	pthread_mutex_unlock(&t.mutex);
	ck_assert_int_eq(engine_post(t.node->engine, call, &err), 0);
	pthread_mutex_lock(&t.mutex);
	wait_until(is_answered, 0, "the answer to a start");
	pthread_mutex_unlock(&t.mutex);
	ck_assert_msg(t.answered->result == 0, "%s", t.answered->err.text);
}

static void wait_for_end(const char *id, enum saga_status status)
{
	struct engine_call *call = engine_call_new(ENGINE_WAIT);
	struct err err;

	memcpy(call->id, id, SAGA_ID_SIZE);
	call->ns = xstrdup("default");
	call->wait_ms = WAIT_MS;
	call->answer = answered;
	pthread_mutex_lock(&t.mutex);
	engine_call_free(TAKE(t.answered));
	pthread_mutex_unlock(&t.mutex);
	ck_assert_int_eq(engine_post(t.node->engine, call, &err), 0);
	pthread_mutex_lock(&t.mutex);
	wait_until(is_answered, 0, "the end of a saga");
	pthread_mutex_unlock(&t.mutex);
	ck_assert_msg(t.answered->result == 0, "%s", t.answered->err.text);
	ck_assert_str_eq(saga_status_text(t.answered->status), saga_status_text(status));
}

static bool has_commands(int n)
{
	return t.n_commands >= n;
}

static bool has_events(int n)
{
	return t.n_events >= n;
}

static bool has_produced(int n)
{
	return t.n_produced >= n;
}

static void wait_for_commands(int n)
{
	pthread_mutex_lock(&t.mutex);
	wait_until(has_commands, n, "a command");
	pthread_mutex_unlock(&t.mutex);
}

static void wait_for_events(int n)
{
	pthread_mutex_lock(&t.mutex);
	wait_until(has_events, n, "an event");
	pthread_mutex_unlock(&t.mutex);
}

static int each_saga(void *ctx, const struct saga_row *row)
{
	char *id = ctx;

	ck_assert_msg(*id == '\0', "more than one saga was started");
	memcpy(id, row->id, SAGA_ID_SIZE);
	return 0;
}

/* The only saga of a definition, as soon as it is there. */
static void find_saga(const char *definition, char id[SAGA_ID_SIZE])
{
	struct saga_filter filter = {.ns = "default", .definition = definition, .limit = 10};
	const struct store_ops *ops = t.node->store->ops;
	const struct timespec moment = {.tv_nsec = 10 * 1000000};
	int64_t until_us = clock_mono_us() + WAIT_MS * 1000;
	struct store_reader *reader;
	struct err err;

	ck_assert_int_eq(ops->reader_open(t.node->store, &reader, &err), 0);
	id[0] = '\0';
	while (!id[0] && clock_mono_us() < until_us) {
		ck_assert_int_eq(ops->list(reader, &filter, each_saga, id, &err), 0);
		if (!id[0])
			nanosleep(&moment, NULL);
	}
	ops->reader_close(reader);
	ck_assert_msg(id[0], "no saga of %s was started", definition);
}

/* Tests. */

static const char ordering[] =
	"saga: ordering\n"
	"participants: {credit: {timeout: '${input.patience}'}}\n"
	"defaults: {retry: {initial_interval: 10ms}}\n"
	"steps:\n"
	"  - id: hold\n"
	"    command: {to: credit, key: '${input.customer}', type: Reserve, data: {n: 1}}\n"
	"    compensate: {command: {to: credit, key: '${input.customer}', type: Release, data: {}}}\n"
	"  - id: settle\n"
	"    command: {to: credit, key: '${input.customer}', type: Settle,\n"
	"              data: {hold: '${steps.hold.output.hold}'}}\n"
	"    compensate: none\n"
	"  - id: confirm\n"
	"    emit: {topic: orders.confirmed, key: '${input.customer}', type: Confirmed, data: {ok: "
	"true}}\n"
	"    compensate: none\n"
	"on_compensated:\n"
	"  - id: reject\n"
	"    emit: {topic: orders.confirmed, key: '${input.customer}', type: Rejected,\n"
	"           data: {code: '${saga.failure.code}'}}\n";

START_TEST(test_node_kafka__commands_are_answered_and_an_event_is_emitted)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(ordering);
	start("ordering", "{\"customer\":\"c-1\",\"patience\":\"30s\"}", WAIT_MS, id);
	ck_assert_str_eq(saga_status_text(t.answered->status), "completed");
	ck_assert_int_eq(t.n_commands, 2);
	ck_assert_str_eq(t.commands[0].type, "Reserve");
	ck_assert_str_eq(t.commands[0].key, "c-1");
	ck_assert_str_eq(t.commands[0].value, "{\"n\":1}");
	ck_assert_str_eq(t.commands[1].value, "{\"hold\":\"h-1\"}");
	ck_assert_ptr_nonnull(strstr(t.commands[0].correlation, id));
	wait_for_events(1);
	ck_assert_str_eq(t.events[0].type, "Confirmed");
	ck_assert_str_eq(t.events[0].value, "{\"ok\":true}");
	ck_assert_uint_gt(strlen(t.events[0].id), 0);
}
END_TEST

START_TEST(test_node_kafka__a_participant_may_live_in_another_cluster)
{
	static const char *const topics[] = {"credit.commands"};
	static const struct kafka_participant elsewhere[] = {
		{"credit", "second", "credit.commands", PROFILE_NATIVE},
	};
	struct kafka_cluster_options clusters[] = {t.kafka, {.name = "second"}};
	struct kafka_cluster *second;
	struct kafka_mock *mock;
	char id[SAGA_ID_SIZE];
	struct err err;

	ck_assert_int_eq(kafka_mock_start(1, &mock, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(mock, "credit.commands", 2, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(mock, "skald.replies", 2, &err), 0);
	clusters[1].brokers = kafka_mock_brokers(mock);
	ck_assert_int_eq(kafka_cluster_open(&clusters[1], &second, &err), 0);
	ck_assert_int_eq(kafka_producer_start(second, &t.replier, &err), 0);
	kafka_consumer_stop(t.participant, 1000);
	t.participant = consume(second, "credit", topics, 1, take_command);
	wait_for_partitions(t.participant, 2);
	t.options.kafka.clusters = clusters;
	t.options.kafka.n_clusters = 2;
	t.options.kafka.participants = elsewhere;
	start_node();
	deploy(ordering);
	start("ordering", "{\"customer\":\"c-5\",\"patience\":\"30s\"}", WAIT_MS, id);
	ck_assert_str_eq(saga_status_text(t.answered->status), "completed");
	ck_assert_int_eq(t.n_commands, 2);
	/* What it emits goes to the first one. */
	wait_for_events(1);
	wait_for_metric("skald_kafka_producer_records_total{cluster=\"second\",result=\"sent\"} 2\n");
	wait_for_metric("skald_kafka_producer_records_total{cluster=\"default\",result=\"sent\"} 1\n");
	node_stop(TAKE(t.node));
	kafka_consumer_stop(TAKE(t.participant), 1000);
	kafka_producer_stop(t.replier, 1000);
	kafka_cluster_close(second);
	kafka_mock_stop(mock);
}
END_TEST

START_TEST(test_node_kafka__a_refused_command_undoes_over_kafka)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(ordering);
	t.refuse = "Settle";
	start("ordering", "{\"customer\":\"c-2\",\"patience\":\"30s\"}", WAIT_MS, id);
	ck_assert_str_eq(saga_status_text(t.answered->status), "compensated");
	ck_assert_int_eq(t.n_commands, 3);
	ck_assert_str_eq(t.commands[2].type, "Release");
	wait_for_events(1);
	ck_assert_str_eq(t.events[0].type, "Rejected");
	ck_assert_str_eq(t.events[0].value, "{\"code\":\"NoCredit\"}");
}
END_TEST

START_TEST(test_node_kafka__a_lost_reply_sends_the_same_command_again)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(ordering);
	t.lose = 2;
	t.answers = 2;
	start("ordering", "{\"customer\":\"c-3\",\"patience\":\"300ms\"}", WAIT_MS, id);
	ck_assert_str_eq(saga_status_text(t.answered->status), "completed");
	/* The mock may be slower than the saga is patient, so there may be more. */
	ck_assert_int_ge(t.n_commands, 4);
	for (int i = 0; i < t.n_commands; i++) {
		bool first = strcmp(t.commands[i].type, "Reserve") == 0;
		const struct seen *same = &t.commands[first ? 0 : t.n_commands - 1];

		ck_assert_str_eq(t.commands[i].id, same->id);
		ck_assert_str_eq(t.commands[i].correlation, same->correlation);
	}
}
END_TEST

START_TEST(test_node_kafka__a_restart_goes_on_with_commands_that_are_out)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(ordering);
	t.lose = 1;
	start("ordering", "{\"customer\":\"c-4\",\"patience\":\"30s\"}", 0, id);
	wait_for_commands(1);
	node_stop(t.node);
	/* The mock takes long to let a member go; so the group is another. */
	t.options.kafka.group_prefix = "again";
	start_node();
	wait_for_end(id, SAGA_COMPLETED);
}
END_TEST

static const char waiting[] =
	"saga: waiting\n"
	"cancel_on:\n"
	"  - {kafka: orders.cancelled, correlate: {from: '${event.data.order}', expect: "
	"'${input.order}'}}\n"
	"steps:\n"
	"  - id: paid\n"
	"    await: {kafka: payments, when: '${event.data.amount >= input.amount}',\n"
	"            correlate: {from: '${event.data.order}', expect: '${input.order}'}}\n"
	"    timeout: 30s\n"
	"output: {amount: '${steps.paid.output.amount}'}\n";

START_TEST(test_node_kafka__an_awaited_event_is_found_before_and_after_the_wait)
{
	char early[SAGA_ID_SIZE], late[SAGA_ID_SIZE];

	start_node();
	deploy(waiting);
	wait_for_metric(events_ready);
	produce("payments", "o-1", "{\"order\":\"o-1\",\"amount\":5}");
	produce("payments", "o-1", "{\"order\":\"o-1\",\"amount\":9}");
	pthread_mutex_lock(&t.mutex);
	wait_until(has_produced, 2, "an acknowledgement");
	pthread_mutex_unlock(&t.mutex);
	start("waiting", "{\"order\":\"o-1\",\"amount\":7}", WAIT_MS, early);
	ck_assert_str_eq(saga_status_text(t.answered->status), "completed");
	ck_assert_ptr_nonnull(strstr(t.answered->saga_json, "{\"amount\":9}"));
	start("waiting", "{\"order\":\"o-2\",\"amount\":7}", 0, late);
	produce("payments", "o-2", "{\"order\":\"o-2\",\"amount\":8}");
	wait_for_end(late, SAGA_COMPLETED);
}
END_TEST

START_TEST(test_node_kafka__an_event_cancels)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(waiting);
	wait_for_metric(events_ready);
	start("waiting", "{\"order\":\"o-3\",\"amount\":7}", 0, id);
	produce("orders.cancelled", "o-3", "{\"order\":\"o-3\"}");
	wait_for_end(id, SAGA_COMPENSATED);
}
END_TEST

START_TEST(test_node_kafka__a_record_starts_one_saga)
{
	char id[SAGA_ID_SIZE];

	start_node();
	deploy(
		"saga: triggered\nkey: ${input.order}\n"
		"start_on: [{kafka: orders.placed, when: '${event.data.n > 0}', input: '${event.data}'}]\n"
		"steps: [{id: a, set: {n: '${input.n}'}}]\n");
	produce("orders.placed", "o-1", "{\"order\":\"o-1\",\"n\":0}");
	produce("orders.placed", "o-2", "{\"order\":\"o-2\",\"n\":1}");
	produce("orders.placed", "o-2", "{\"order\":\"o-2\",\"n\":1}");
	find_saga("triggered", id);
	wait_for_end(id, SAGA_COMPLETED);
}
END_TEST

START_TEST(test_node_kafka__what_happens_is_published_in_order)
{
	static const char *const types[] = {"skald.saga.started", "skald.step.completed",
										"skald.step.completed", "skald.saga.completed"};
	char id[SAGA_ID_SIZE];

	t.options.kafka.events_topic = "lifecycle";
	start_node();
	deploy("saga: told\nsteps: [{id: a, set: {n: 1}}, {id: b, set: {n: 2}}]\n");
	start("told", "{}", WAIT_MS, id);
	wait_for_events(ARRAY_SIZE(types));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		ck_assert_str_eq(t.events[i].type, types[i]);
		ck_assert_str_eq(t.events[i].key, id);
	}
}
END_TEST

/* The server is asked for metrics until it stops, which is after the producers have ended. */
START_TEST(test_node_kafka__metrics_are_shown_when_all_has_ended)
{
	struct hub *hub = NULL;
	struct buf before, after;
	struct err err;

	buf_init(&before, 0);
	buf_init(&after, 0);
	ck_assert_int_eq(hub_new(&t.options.kafka, &hub, &err), 0);
	hub_write_metrics(hub, &before);
	hub_stop(hub, 1000);
	hub_end(hub, 1000);
	hub_write_metrics(hub, &after);
	ck_assert_ptr_nonnull(strstr(buf_str(&before), "skald_kafka_producer_brokers_up{"));
	ck_assert_ptr_null(strstr(buf_str(&after), "skald_kafka_producer_brokers_up{"));
	ck_assert_ptr_nonnull(strstr(buf_str(&after), "skald_kafka_commands_total{"));
	buf_release(&before);
	buf_release(&after);
	hub_free(hub);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("node_kafka");
	TCase *tc = tcase_create("node_kafka");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_node_kafka__commands_are_answered_and_an_event_is_emitted);
	tcase_add_test(tc, test_node_kafka__a_participant_may_live_in_another_cluster);
	tcase_add_test(tc, test_node_kafka__a_refused_command_undoes_over_kafka);
	tcase_add_test(tc, test_node_kafka__a_lost_reply_sends_the_same_command_again);
	tcase_add_test(tc, test_node_kafka__a_restart_goes_on_with_commands_that_are_out);
	tcase_add_test(tc, test_node_kafka__an_awaited_event_is_found_before_and_after_the_wait);
	tcase_add_test(tc, test_node_kafka__an_event_cancels);
	tcase_add_test(tc, test_node_kafka__a_record_starts_one_saga);
	tcase_add_test(tc, test_node_kafka__what_happens_is_published_in_order);
	tcase_add_test(tc, test_node_kafka__metrics_are_shown_when_all_has_ended);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
