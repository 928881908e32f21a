/*
 * Triggers with all their threads: librdkafka's mock cluster, a store on disk that fails on demand,
 * writer, registry and engine (run it under SAN=thread). What becomes of one record is the business
 * of test_trigger_run, and a real broker that of tests/e2e/kafka_triggers.sh.
 */
#include "coordinator/kafka/trigger.h"

#include <check.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/http_client.h"
#include "connectors/kafka.h"
#include "connectors/kafka_mock.h"
#include "connectors/store_fault.h"
#include "connectors/store_sqlite.h"
#include "coordinator/clock.h"
#include "coordinator/engine.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "coordinator/registry.h"
#include "coordinator/writer.h"
#include "tests/support/temp_dir.h"

enum { PARTITIONS = 3, PATIENCE_MS = 30000, LOOK_MS = 20 };

static struct {
	struct kafka_mock *mock;
	struct kafka_cluster *cluster;
	struct kafka_producer *producer;
	struct store *store;
	struct writer *writer;
	struct registry *registry;
	struct http_client *http;
	struct engine *engine;
	struct triggers *triggers;
	struct store_reader *reader;
	bool ready;
	char path[256];
	int faults; /* atomic: how much of what is written fails, in percent */
	uint64_t random;
	int n_remembered; /* atomic */
} t;

#define UNTIL(condition)                                                                           \
	do {                                                                                           \
		int64_t until_ = clock_mono_us() / 1000 + PATIENCE_MS;                                     \
		while (!(condition)) {                                                                     \
			ck_assert_msg(clock_mono_us() / 1000 < until_, "never: %s", #condition);               \
			usleep(LOOK_MS * 1000);                                                                \
		}                                                                                          \
	} while (0)

static enum store_fault choose(void *ctx)
{
	static const enum store_fault faults[] = {STORE_FAULT_BEFORE, STORE_FAULT_UNKNOWN_DROPPED,
											  STORE_FAULT_UNKNOWN_LANDED, STORE_FAULT_UNKNOWN_LATE};
	(void)ctx;
	t.random = t.random * 6364136223846793005u + 1442695040888963407u;
	if ((int)((t.random >> 33) % 100) >= __atomic_load_n(&t.faults, __ATOMIC_RELAXED))
		return STORE_FAULT_NONE;
	return faults[(t.random >> 50) % 4];
}

static struct kafka_cluster *cluster_of(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0 ? t.cluster : NULL;
}

static struct kafka_producer *producer_of(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0 ? t.producer : NULL;
}

static void remember(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint)
{
	(void)ctx;
	if (*ns && *definition && *key && strlen(saga_id) == 36 && strlen(fingerprint) == 64)
		__atomic_add_fetch(&t.n_remembered, 1, __ATOMIC_RELAXED);
}

static void start_triggers(void)
{
	struct triggers_options options = {
		.store = t.store,
		.writer = t.writer,
		.registry = t.registry,
		.engine = t.engine,
		.http = t.http,
		.cluster = cluster_of,
		.producer = producer_of,
		.remember = remember,
		.in_flight = 50,
		.look_every_ms = 50,
	};
	struct err err;

	ck_assert_int_eq(triggers_start(&options, &t.triggers, &err), 0);
}

static void setup(void)
{
	struct store_sqlite_options sqlite = {.no_sync = true, .path = t.path};
	struct kafka_cluster_options kafka = {.name = "default"};
	struct engine_options engine = {.ready = &t.ready};
	struct writer_options writer = {0};
	struct store *inner;
	struct err err;

	memset(&t, 0, sizeof(t));
	log_setup(getenv("SKALD_TEST_LOG") ? LOG_DEBUG : LOG_OFF, false);
	clock_start();
	t.random = 4711;
	ck_assert_int_eq(kafka_mock_start(1, &t.mock, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(t.mock, "orders", PARTITIONS, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(t.mock, "orders-dlt", 1, &err), 0);
	kafka.brokers = kafka_mock_brokers(t.mock);
	ck_assert_int_eq(kafka_cluster_open(&kafka, &t.cluster, &err), 0);
	ck_assert_int_eq(kafka_producer_start(t.cluster, &t.producer, &err), 0);
	snprintf(t.path, sizeof(t.path), "%s/triggers.db", temp_dir_make());
	ck_assert_int_eq(store_sqlite_open(&sqlite, &inner, &err), 0);
	t.store = store_fault_new(inner, choose, NULL, NULL);
	writer.store = engine.store = t.store;
	ck_assert_int_eq(writer_start(&writer, &t.writer, &err), 0);
	ck_assert_int_eq(registry_new(t.store, t.writer, &t.registry, &err), 0);
	ck_assert_int_eq(http_client_start(NULL, 0, &t.http, &err), 0);
	engine.writer = t.writer;
	engine.registry = t.registry;
	engine.http = t.http;
	ck_assert_int_eq(engine_start(&engine, &t.engine, &err), 0);
	ck_assert_int_eq(t.store->ops->reader_open(t.store, &t.reader, &err), 0);
	UNTIL(__atomic_load_n(&t.ready, __ATOMIC_RELAXED));
	start_triggers();
}

static void teardown(void)
{
	triggers_stop(t.triggers, 2000);
	engine_drain(t.engine, 1000);
	kafka_producer_stop(t.producer, 1000);
	http_client_stop(t.http, 0);
	engine_stop(t.engine);
	writer_stop(t.writer);
	engine_free(t.engine);
	triggers_free(t.triggers);
	registry_free(t.registry);
	t.store->ops->reader_close(t.reader);
	t.store->ops->close(t.store);
	kafka_cluster_close(t.cluster);
	kafka_mock_stop(t.mock);
	temp_dir_remove();
}

/* Definitions. */

static void deployed(struct deployment *deployment)
{
	sem_post(deployment->ctx);
}

static void deploy(const char *text)
{
	sem_t done;
	struct deployment deployment = {.done = deployed, .ctx = &done};

	sem_init(&done, 0, 0);
	registry_deploy(t.registry, "default", text, strlen(text), NULL, false, &deployment);
	while (sem_wait(&done) < 0)
		;
	ck_assert_msg(deployment.result == 0, "%s: %s", deployment.err.text,
				  deployment.findings.n > 0 ? deployment.findings.list[0].text : "");
	deployment_release(&deployment);
	triggers_deployed(t.triggers);
}

static void deploy_order(const char *poison)
{
	char *text = xasprintf("saga: order\n"
						   "key: ${input.id}\n"
						   "input: {schema: {type: object, required: [id]}}\n"
						   "start_on: [{kafka: orders, poison: %s}]\n"
						   "steps:\n"
						   "  - {id: a, set: {x: 1}}\n",
						   poison);

	deploy(text);
	free(text);
}

/* Looking. */

struct look {
	int n;
	enum trigger_state state;
	char detail[400], pause_reason[400];
	int64_t ends[TRIGGER_END_COUNT], in_flight, version, lag;
	size_t n_partitions;
};

static void note(void *ctx, const struct trigger_info *info)
{
	struct look *look = ctx;

	look->n++;
	look->state = info->state;
	snprintf(look->detail, sizeof(look->detail), "%s", info->detail);
	snprintf(look->pause_reason, sizeof(look->pause_reason), "%s", info->pause_reason);
	memcpy(look->ends, info->ends, sizeof(look->ends));
	look->in_flight = info->in_flight;
	look->version = info->version;
	look->lag = info->lag;
	look->n_partitions = info->n_partitions;
}

static struct look look(const char *name)
{
	struct look result = {0};

	triggers_each(t.triggers, "default", name, note, &result);
	return result;
}

static struct look order(void)
{
	return look("order/orders");
}

/* The mock's groups begin at the end; so they have to have begun before there are records. */
static void await_running(void)
{
	UNTIL(order().state == TRIGGER_RUNNING && order().n_partitions == PARTITIONS);
}

static int count(void *ctx, const struct saga_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int n_sagas(void)
{
	struct saga_filter filter = {.ns = "default", .limit = 1000};
	struct err err;
	int n = 0;

	ck_assert_int_eq(t.store->ops->list(t.reader, &filter, count, &n, &err), 0);
	return n;
}

static struct dead_letter_row first_letter;

static int count_letters(void *ctx, const struct dead_letter_row *row)
{
	if (++*(int *)ctx == 1)
		dead_letter_row_copy(row, &first_letter);
	return 0;
}

static int n_letters(void)
{
	struct dead_letter_filter filter = {.ns = "default", .status = -1, .limit = 1000};
	struct err err;
	int n = 0;

	dead_letter_row_release(&first_letter);
	ck_assert_int_eq(t.store->ops->dead_letter_list(t.reader, &filter, count_letters, &n, &err), 0);
	return n;
}

static bool all_committed(void)
{
	struct trigger_partition at[PARTITIONS];
	struct err err;
	size_t n = 0;

	if (triggers_partitions(t.triggers, "default", "order/orders", 5000, at, PARTITIONS, &n, &err))
		return false;
	for (size_t i = 0; i < n; i++)
		if (at[i].lag > 0 || (at[i].lag < 0 && at[i].end > 0))
			return false;
	return n == PARTITIONS;
}

/* Producing. */

static void sent(struct kafka_send *send)
{
	ck_assert_int_eq(send->result, KAFKA_SENT);
	sem_post(send->ctx);
	free(send);
}

static void produce(int partition, const char *key, const char *value)
{
	struct kafka_send *send = xcalloc(1, sizeof(*send));
	sem_t done;

	sem_init(&done, 0, 0);
	send->record = (struct kafka_record){
		.topic = "orders",
		.partition = partition,
		.key = key,
		.key_len = key ? strlen(key) : 0,
		.value = value,
		.value_len = strlen(value),
	};
	send->done = sent;
	send->ctx = &done;
	kafka_produce(t.producer, send);
	while (sem_wait(&done) < 0)
		;
}

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->trigger_put(store, ctx, err);
}

static int64_t revision;

static void pause_trigger(bool paused)
{
	struct trigger_row row = {
		.ns = "default",
		.name = "order/orders",
		.paused = paused,
		.updated_at = 1,
		.revision = paused ? 0 : revision,
	};
	struct err err;

	ck_assert_int_eq(store_job_run(t.writer, put_row, &row, &err), 0);
	revision = row.revision;
	UNTIL((order().state == TRIGGER_PAUSED) == paused);
}

START_TEST(test_triggers__every_record_is_over_once_while_the_store_fails)
{
	enum { N = 200, EVERY_BAD = 20, EVERY_TWICE = 10 };
	int good = 0, bad = 0, twice = 0;
	char value[64], key[16];

	deploy_order("{retry: {maximum_attempts: 1}}");
	await_running();
	__atomic_store_n(&t.faults, 20, __ATOMIC_RELAXED);
	for (int i = 0; i < N; i++) {
		bool is_bad = i % EVERY_BAD == EVERY_BAD - 1, again = i % EVERY_TWICE == 5;

		snprintf(key, sizeof(key), "k%d", i % 13);
		snprintf(value, sizeof(value), is_bad ? "{\"no\":%d}" : "{\"id\":\"o-%d\"}",
				 again ? i - 1 : i);
		produce(i % PARTITIONS, key, value);
		bad += is_bad;
		twice += again;
		good += !is_bad && !again;
	}
	UNTIL(n_sagas() == good);
	UNTIL(order().in_flight == 0);
	__atomic_store_n(&t.faults, 0, __ATOMIC_RELAXED);
	UNTIL(all_committed());
	ck_assert_int_eq(n_sagas(), good);
	ck_assert_int_eq(n_letters(), bad);
	ck_assert_int_eq(order().ends[TRIGGER_DEAD_LETTERED], bad);
	ck_assert_int_eq(order().ends[TRIGGER_STARTED] + order().ends[TRIGGER_DEDUPLICATED],
					 good + twice);
	ck_assert_int_ge(__atomic_load_n(&t.n_remembered, __ATOMIC_RELAXED), good + twice);
	ck_assert_str_eq(first_letter.reason, "invalid_input");
	ck_assert_str_eq(first_letter.trigger, "order/orders");
}
END_TEST

START_TEST(test_triggers__a_dead_letter_that_cannot_be_sent_holds_the_offset)
{
	deploy_order("{retry: {maximum_attempts: 1}}");
	await_running();
	produce(0, "k", "{\"none\":1}");
	UNTIL(n_letters() == 1); /* the topic is known from here on */
	UNTIL(all_committed());
	/* The next produced records are not taken: the bad record itself would be one. It is on its way
	 * already when they begin to be refused, and waits in the topic while the trigger is paused. */
	pause_trigger(true);
	produce(0, "k", "{\"none\":2}");
	produce(0, "k", "{\"id\":\"o-1\"}");
	kafka_mock_fail(t.mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_NOT_ALLOWED, 1000);
	pause_trigger(false);
	UNTIL(order().state == TRIGGER_WAITING);
	ck_assert_ptr_nonnull(strstr(order().detail, "orders-dlt"));
	ck_assert(!all_committed());
	ck_assert_int_eq(n_letters(), 1);
	ck_assert_int_eq(n_sagas(), 0); /* it has the same key, and waits behind it */
	kafka_mock_fail_clear(t.mock, KAFKA_MOCK_PRODUCE);
	UNTIL(n_letters() == 2);
	UNTIL(n_sagas() == 1);
	UNTIL(all_committed());
	ck_assert_int_eq(order().state, TRIGGER_RUNNING);
}
END_TEST

static void redriven(struct trigger_redrive *redrive)
{
	sem_post(redrive->ctx);
}

START_TEST(test_triggers__redrive_starts_and_says_why_not)
{
	struct trigger_redrive redrive = {0};
	struct dead_letter_row edited;
	sem_t done;

	deploy_order("{retry: {maximum_attempts: 1}}");
	await_running();
	produce(2, NULL, "{\"none\":1}");
	UNTIL(n_letters() == 1);
	sem_init(&done, 0, 0);
	redrive.row = &first_letter;
	redrive.done = redriven;
	redrive.ctx = &done;
	trigger_redrive(t.triggers, &redrive);
	while (sem_wait(&done) < 0)
		;
	ck_assert_int_eq(redrive.result, ERR_INVALID);
	ck_assert_str_eq(redrive.reason, "invalid_input");
	ck_assert_int_eq(n_sagas(), 0);
	edited = first_letter;
	edited.value = "{\"id\":\"o-1\"}";
	edited.value_len = strlen(edited.value);
	redrive.row = &edited;
	for (int i = 0; i < 2; i++) {
		trigger_redrive(t.triggers, &redrive);
		while (sem_wait(&done) < 0)
			;
		ck_assert_int_eq(redrive.result, 0);
		ck_assert_int_eq(redrive.duplicate, i == 1);
		ck_assert_int_eq(n_sagas(), 1);
	}
	edited.trigger = "order/elsewhere";
	trigger_redrive(t.triggers, &redrive);
	while (sem_wait(&done) < 0)
		;
	ck_assert_int_eq(redrive.result, ERR_NOT_FOUND);
	ck_assert_str_eq(redrive.reason, "no_trigger");
}
END_TEST

START_TEST(test_triggers__obey_rows_of_the_store)
{
	struct trigger_row row = {.ns = "default",
							  .name = "order/orders",
							  .paused = true,
							  .reason = "because",
							  .by = "ann",
							  .updated_at = 1};
	struct err err;

	deploy_order("skip");
	await_running();
	ck_assert_int_eq(store_job_run(t.writer, put_row, &row, &err), 0);
	UNTIL(order().state == TRIGGER_PAUSED);
	ck_assert_str_eq(order().pause_reason, "because");
	produce(0, "k", "{\"id\":\"o-1\"}");
	produce(0, "k", "{\"id\":\"o-2\"}");
	row.paused = false;
	row.seeks = "{\"0\":1,\"7\":0}"; /* there is no partition 7: that one stays */
	ck_assert_int_eq(store_job_run(t.writer, put_row, &row, &err), 0);
	UNTIL(n_sagas() >= 1);
	UNTIL(all_committed());
	UNTIL(order().in_flight == 0);
	ck_assert_int_le(n_sagas(), 2);
}
END_TEST

static int put_routing(void *ctx, struct store *store, struct err *err)
{
	return store->ops->routing_put(store, ctx, err);
}

START_TEST(test_triggers__follow_what_is_said_of_the_definition)
{
	struct routing_row row = {.ns = "default", .name = "order", .paused = true};
	struct err err;

	deploy_order("skip");
	await_running();
	ck_assert_int_eq(store_job_run(t.writer, put_routing, &row, &err), 0);
	UNTIL(order().state == TRIGGER_PAUSED);
	ck_assert_str_eq(order().detail, "the definition is paused");
	produce(0, "k", "{\"id\":\"o-1\"}");
	row.paused = false;
	ck_assert_int_eq(store_job_run(t.writer, put_routing, &row, &err), 0);
	UNTIL(n_sagas() == 1); /* it was left where it is, and comes now */
	deploy_order("dead_letter");
	UNTIL(order().version == 2);
	row.revision++; /* the deployment has written the row */
	row.current = 1;
	ck_assert_int_eq(store_job_run(t.writer, put_routing, &row, &err), 0);
	UNTIL(order().version == 1);
	produce(0, "k", "{\"id\":\"o-2\"}");
	UNTIL(n_sagas() == 2);
	UNTIL(order().in_flight == 0);
}
END_TEST

START_TEST(test_triggers__past_the_limit_are_refused_and_those_gone_make_room)
{
	char *text;
	struct look one;
	int refused = 0;

	for (int i = 0; i <= TRIGGERS_MAX; i++) {
		text = xasprintf("saga: s%02d\nstart_on: [{kafka: orders, cluster: away}]\n"
						 "steps: [{id: a, set: {x: 1}}]\n",
						 i);
		deploy(text);
		free(text);
	}
	UNTIL(look(NULL).n == TRIGGERS_MAX + 1);
	UNTIL(look("s00/orders").state == TRIGGER_FAILED);
	ck_assert_str_eq(look("s00/orders").detail, "no cluster `away` is configured on this node");
	UNTIL(look("s64/orders").state == TRIGGER_REFUSED);
	for (int i = 0; i <= TRIGGERS_MAX; i++) {
		text = xasprintf("s%02d/orders", i);
		one = look(text);
		refused += one.state == TRIGGER_REFUSED;
		free(text);
	}
	ck_assert_int_eq(refused, 1);
	deploy("saga: s03\nsteps: [{id: a, set: {x: 1}}]\n");
	UNTIL(look("s64/orders").state == TRIGGER_FAILED);
	ck_assert_int_eq(look(NULL).n, TRIGGERS_MAX);
}
END_TEST

START_TEST(test_triggers__a_new_version_takes_over_and_a_vanished_trigger_ends)
{
	struct buf metrics;

	deploy_order("dead_letter");
	await_running();
	produce(0, "k", "{\"id\":\"o-1\"}");
	UNTIL(n_sagas() == 1);
	deploy_order("skip");
	UNTIL(order().version == 2);
	ck_assert_int_eq(order().state, TRIGGER_RUNNING); /* with the consumer that it had */
	produce(0, "k", "{\"id\":\"o-2\"}");
	UNTIL(n_sagas() == 2);
	ck_assert_int_eq(order().ends[TRIGGER_STARTED], 2);
	buf_init(&metrics, 0);
	triggers_write_metrics(t.triggers, &metrics);
	ck_assert_ptr_nonnull(strstr(buf_str(&metrics),
								 "skald_kafka_trigger_records_total{namespace=\"default\",trigger="
								 "\"order/orders\",result=\"started\"} 2\n"));
	buf_release(&metrics);
	deploy("saga: order\nsteps: [{id: a, set: {x: 1}}]\n");
	UNTIL(look(NULL).n == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("triggers");
	TCase *tcase = tcase_create("triggers");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_triggers__every_record_is_over_once_while_the_store_fails);
	tcase_add_test(tcase, test_triggers__a_dead_letter_that_cannot_be_sent_holds_the_offset);
	tcase_add_test(tcase, test_triggers__redrive_starts_and_says_why_not);
	tcase_add_test(tcase, test_triggers__obey_rows_of_the_store);
	tcase_add_test(tcase, test_triggers__follow_what_is_said_of_the_definition);
	tcase_add_test(tcase, test_triggers__past_the_limit_are_refused_and_those_gone_make_room);
	tcase_add_test(tcase, test_triggers__a_new_version_takes_over_and_a_vanished_trigger_ends);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
