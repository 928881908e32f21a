/* The records of one trigger: order by key, poison, trouble, pauses, and what is forgotten. */
#include "coordinator/kafka/trigger_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kafka/trigger_evaluate.h"
#include "coordinator/log.h"
#include "sagas/share.h"
#include "tests/support/definition.h"

enum { MANY = 64 };

static struct trigger_run *run;
static struct saga_def *def;
static int64_t now;
static uint64_t numbers;
/* What the ports were asked for. */
static struct submission *submitted[MANY];
static size_t n_submitted;
static struct run_record *buried[MANY];
static size_t n_buried;
static int64_t over[MANY];
static size_t n_over;
static char pause_reason[600];
static int n_pauses, n_ids;
static int64_t closed_until;

static void port_submit(void *ctx, struct submission *submission)
{
	(void)ctx;
	ck_assert_uint_lt(n_submitted, MANY);
	submitted[n_submitted++] = submission;
}

static void port_bury(void *ctx, struct run_record *record)
{
	(void)ctx;
	ck_assert_uint_lt(n_buried, MANY);
	buried[n_buried++] = record;
}

static void port_over(void *ctx, struct kafka_taken *taken)
{
	(void)ctx;
	ck_assert_uint_lt(n_over, MANY);
	over[n_over++] = taken->record.offset;
	free((char *)taken->record.value);
	free(taken);
}

static void port_pause(void *ctx, const char *reason)
{
	(void)ctx;
	n_pauses++;
	snprintf(pause_reason, sizeof(pause_reason), "%s", reason);
}

static void port_close_until(void *ctx, int64_t until_ms)
{
	(void)ctx;
	closed_until = until_ms;
}

static void port_make_id(void *ctx, const char *definition, const char *key, char id[SAGA_ID_SIZE])
{
	(void)ctx;
	(void)definition;
	(void)key;
	snprintf(id, SAGA_ID_SIZE, "id-%d", ++n_ids);
}

static uint64_t port_random(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct run_ports ports = {
	.submit = port_submit,
	.bury = port_bury,
	.over = port_over,
	.pause = port_pause,
	.close_until = port_close_until,
	.make_id = port_make_id,
	.random = port_random,
};

static void setup(void)
{
	log_setup(LOG_OFF, false);
	now = 1000;
	numbers = 0;
	n_submitted = n_buried = n_over = 0;
	n_pauses = n_ids = 0;
	closed_until = 0;
	run = NULL;
	def = NULL;
}

/* poison: the value of `poison:` in the definition. */
static void begin(const char *poison)
{
	char *text = xasprintf("saga: order\n"
						   "input: {schema: {type: object, required: [id]}}\n"
						   "start_on:\n"
						   "  - kafka: orders\n"
						   "    when: ${event.data.kind != 'test'}\n"
						   "    key: ${event.data.id}\n"
						   "    poison: %s\n"
						   "participants: {svc: {}}\n"
						   "steps:\n"
						   "  - {id: a, set: {x: 1}}\n",
						   poison);

	def = definition_must_load(text);
	free(text);
	run = trigger_run_new(&ports, NULL, "default", "order/orders");
	trigger_run_define(run, def, &def->triggers[0], NULL);
}

static void teardown(void)
{
	trigger_run_free(run);
	saga_def_unref(def);
}

static void tick(void)
{
	trigger_run_tick(run, now);
}

static void take_from(int partition, int64_t offset, const char *key, const char *value)
{
	struct kafka_taken *taken = xcalloc(1, sizeof(*taken));

	taken->record = (struct kafka_record){
		.cluster = "default",
		.topic = "orders",
		.partition = partition,
		.offset = offset,
		.at = 1,
		.key = key,
		.key_len = key ? strlen(key) : 0,
		.value = xstrdup(value),
		.value_len = strlen(value),
	};
	trigger_run_record(run, run_record_new(taken, numbers++), now);
	tick();
}

static void take(int64_t offset, const char *key, const char *value)
{
	take_from(0, offset, key, value);
}

static void answer(size_t i, enum submit_result result)
{
	struct submission *submission = submitted[i];

	ck_assert_uint_lt(i, n_submitted);
	submission->result = result;
	if (result == SUBMIT_LATER)
		err_set(&submission->err, ERR_UNAVAILABLE, "the store does not answer");
	else if (result == SUBMIT_KEY_CONFLICT || result == SUBMIT_REFUSED)
		err_set(&submission->err, ERR_CONFLICT, "no");
	submission_release(submission);
	trigger_run_submitted(run, submission, now);
	tick();
}

static struct run_stats stats(void)
{
	struct run_stats s;

	trigger_run_stats(run, &s);
	return s;
}

static const char good[] = "{\"id\":\"o-1\",\"kind\":\"real\"}";
static const char bad[] = "{\"kind\":\"real\"}";

START_TEST(test_run__a_record_is_over_when_its_saga_is_durable)
{
	begin("dead_letter");
	take(5, "k", good);
	ck_assert_uint_eq(n_submitted, 1);
	ck_assert_str_eq(submitted[0]->key, "o-1");
	ck_assert_str_eq(submitted[0]->id, "id-1");
	ck_assert_uint_eq(strlen(submitted[0]->fingerprint), 64);
	ck_assert_uint_eq(n_over, 0);
	answer(0, SUBMIT_STARTED);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(over[0], 5);
	ck_assert_int_eq(stats().ends[TRIGGER_STARTED], 1);
	ck_assert_int_eq(stats().records, 0);
}
END_TEST

START_TEST(test_run__filters_and_deduplicates)
{
	begin("dead_letter");
	take(1, "k", "{\"id\":\"o-1\",\"kind\":\"test\"}");
	ck_assert_uint_eq(n_submitted, 0);
	ck_assert_uint_eq(n_over, 1);
	take(2, "k", good);
	answer(0, SUBMIT_DUPLICATE);
	ck_assert_uint_eq(n_over, 2);
	ck_assert_int_eq(stats().ends[TRIGGER_FILTERED], 1);
	ck_assert_int_eq(stats().ends[TRIGGER_DEDUPLICATED], 1);
}
END_TEST

START_TEST(test_run__records_of_a_key_begin_in_their_order)
{
	begin("dead_letter");
	take(1, "k", "{\"id\":\"a\",\"kind\":\"x\"}");
	take(2, "k", "{\"id\":\"b\",\"kind\":\"x\"}");
	take(3, "other", "{\"id\":\"c\",\"kind\":\"x\"}");
	take(4, "k", "{\"id\":\"d\",\"kind\":\"test\"}"); /* filtered, when its turn comes */
	take(5, "k", "{\"id\":\"e\",\"kind\":\"x\"}");
	take(6, NULL, "{\"id\":\"f\",\"kind\":\"x\"}");
	take(7, NULL, "{\"id\":\"g\",\"kind\":\"x\"}");        /* without a key it waits for nobody */
	take_from(1, 1, "k", "{\"id\":\"h\",\"kind\":\"x\"}"); /* nor across partitions */
	ck_assert_uint_eq(n_submitted, 5);
	ck_assert_str_eq(submitted[0]->key, "a");
	ck_assert_str_eq(submitted[1]->key, "c");
	ck_assert_str_eq(submitted[2]->key, "f");
	ck_assert_str_eq(submitted[3]->key, "g");
	ck_assert_str_eq(submitted[4]->key, "h");
	ck_assert_int_eq(stats().waiting, 3);
	answer(0, SUBMIT_STARTED);
	ck_assert_uint_eq(n_submitted, 6);
	ck_assert_str_eq(submitted[5]->key, "b");
	answer(5, SUBMIT_STARTED);
	ck_assert_uint_eq(n_submitted, 7);
	ck_assert_str_eq(submitted[6]->key, "e");
	ck_assert_int_eq(stats().waiting, 0);
	answer(6, SUBMIT_STARTED);
	ck_assert_int_eq(stats().ends[TRIGGER_FILTERED], 1);
}
END_TEST

START_TEST(test_run__poison_is_retried_with_back_off_then_buried)
{
	begin("{retry: {maximum_attempts: 3, initial_interval: 1s, backoff_coefficient: 3}}");
	take(1, "k", bad);
	take(2, "k", good);
	take(3, "other", good);
	ck_assert_uint_eq(n_submitted, 1); /* others go on, the next of the key waits */
	ck_assert_uint_eq(n_buried, 0);
	ck_assert_int_eq(stats().retrying, 1);
	ck_assert_int_eq(trigger_run_tick(run, now), 2000);
	now = 1999;
	tick();
	ck_assert_int_eq(stats().retries, 0);
	now = 2000;
	tick();
	ck_assert_int_eq(stats().retries, 1);
	ck_assert_int_eq(trigger_run_tick(run, now), 5000);
	now = 5000;
	tick();
	ck_assert_uint_eq(n_buried, 1);
	ck_assert_str_eq(buried[0]->reason, "invalid_input");
	ck_assert_int_eq(buried[0]->attempts, 3);
	ck_assert_uint_eq(n_over, 0);
	ck_assert_uint_eq(n_submitted, 1);
	trigger_run_buried(run, buried[0], NULL, now);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(over[0], 1);
	ck_assert_uint_eq(n_submitted, 2); /* its turn has come */
	ck_assert_int_eq(stats().ends[TRIGGER_DEAD_LETTERED], 1);
	ck_assert_int_eq(stats().poison, 1);
}
END_TEST

START_TEST(test_run__what_cannot_be_buried_is_buried_later)
{
	struct err err;

	begin("{retry: {maximum_attempts: 1}}");
	take(1, NULL, "{");
	ck_assert_uint_eq(n_buried, 1);
	ck_assert_str_eq(buried[0]->reason, "unparsable");
	err_set(&err, ERR_UNAVAILABLE, "brokers are away");
	trigger_run_buried(run, buried[0], &err, now);
	ck_assert_uint_eq(n_over, 0);
	ck_assert_int_eq(closed_until, 0);
	take(2, NULL, good); /* others go on */
	ck_assert_uint_eq(n_submitted, 1);
	ck_assert_int_eq(trigger_run_tick(run, now), now + RUN_TROUBLE_FIRST_MS);
	now += RUN_TROUBLE_FIRST_MS;
	tick();
	ck_assert_uint_eq(n_buried, 2);
	ck_assert_int_eq(buried[1]->attempts, 1); /* not another attempt at the record */
	trigger_run_buried(run, buried[1], &err, now);
	ck_assert_int_eq(trigger_run_tick(run, now), now + 2 * RUN_TROUBLE_FIRST_MS);
	now += 2 * RUN_TROUBLE_FIRST_MS;
	tick();
	trigger_run_buried(run, buried[2], NULL, now);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(over[0], 1);
	ck_assert_int_eq(trigger_run_tick(run, now), -1);
}
END_TEST

START_TEST(test_run__reasons_of_poison)
{
	const struct {
		const char *value, *reason;
	} cases[] = {
		{"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"time\":7}",
		 "unparsable"},
		{"{\"kind\":\"x\"}", "invalid_input"},
		{"{\"id\":{},\"kind\":\"x\"}", "key_invalid"},
		{"{\"id\":\"o-1\"}", "expression_error"},
	};

	begin("{retry: {maximum_attempts: 1}}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		take((int64_t)i, NULL, cases[i].value);
		ck_assert_uint_eq(n_buried, i + 1);
		ck_assert_str_eq(buried[i]->reason, cases[i].reason);
		ck_assert_uint_gt(strlen(buried[i]->message), 0);
	}
	take(10, NULL, good);
	answer(0, SUBMIT_KEY_CONFLICT);
	ck_assert_str_eq(buried[4]->reason, "key_conflict");
	take(11, NULL, good);
	answer(1, SUBMIT_REFUSED);
	ck_assert_str_eq(buried[5]->reason, "refused");
}
END_TEST

START_TEST(test_run__skips_poison_where_it_is_told_to)
{
	begin("skip");
	take(1, "k", bad);
	for (int i = 0; i < 10; i++) {
		now += 60000;
		tick();
	}
	ck_assert_uint_eq(n_over, 1);
	ck_assert_uint_eq(n_buried, 0);
	ck_assert_int_eq(stats().ends[TRIGGER_SKIPPED], 1);
}
END_TEST

START_TEST(test_run__pauses_at_poison_and_tries_it_again_when_resumed)
{
	begin("{retry: {maximum_attempts: 1}, then: pause}");
	take(1, "k", bad);
	ck_assert_int_eq(n_pauses, 1);
	ck_assert_ptr_nonnull(strstr(pause_reason, "partition 0, offset 1: invalid_input"));
	ck_assert_int_eq(closed_until, INT64_MAX);
	ck_assert_uint_eq(n_over, 0);
	take(2, "other", good); /* was on its way: it waits too */
	ck_assert_uint_eq(n_submitted, 0);
	ck_assert_int_eq(stats().held, 2);
	trigger_run_pause(run, true, now); /* the row says so now */
	trigger_run_pause(run, false, now);
	tick();
	ck_assert_uint_eq(n_submitted, 0); /* the poison is held again, and so is what comes behind */
	ck_assert_int_eq(n_pauses, 2);
	ck_assert_int_eq(stats().held, 2);
}
END_TEST

START_TEST(test_run__a_new_version_may_cure_poison)
{
	struct saga_def *next;

	begin("{retry: {maximum_attempts: 1}, then: pause}");
	take(1, "k", bad);
	ck_assert_int_eq(n_pauses, 1);
	next = definition_must_load("saga: order\n"
								"start_on: [{kafka: orders}]\n"
								"steps:\n"
								"  - {id: a, set: {x: 1}}\n");
	trigger_run_define(run, next, &next->triggers[0], NULL);
	saga_def_unref(next);
	trigger_run_pause(run, false, now);
	tick();
	ck_assert_int_eq(closed_until, 0);
	ck_assert_uint_eq(n_submitted, 1);
	ck_assert_str_eq(submitted[0]->key, "kafka:default/orders/0/1");
	answer(0, SUBMIT_STARTED);
	ck_assert_uint_eq(n_over, 1);
}
END_TEST

START_TEST(test_run__a_canary_takes_the_records_of_its_share)
{
	struct saga_def *next =
		definition_must_load("saga: order\n"
							 "start_on: [{kafka: orders, key: '${event.data.id}',"
							 " input: {id: '${event.data.id}', new: true}}]\n"
							 "steps:\n"
							 "  - {id: a, set: {x: 2}}\n");
	struct trigger_canary canary = {.def = next, .trigger = &next->triggers[0], .percent = 30};
	int n = 0;

	begin("dead_letter");
	def->version = 1;
	next->version = 2;
	trigger_run_define(run, def, &def->triggers[0], &canary);
	for (int i = 0; i < 20; i++) {
		char value[40], id[16];
		bool in_share;

		snprintf(id, sizeof(id), "k-%d", i);
		snprintf(value, sizeof(value), "{\"id\":\"%s\",\"kind\":\"x\"}", id);
		in_share = share_has("default", "order", 2, id, 30);
		n_submitted = 0;
		take(i, id, value);
		ck_assert_uint_eq(n_submitted, 1);
		ck_assert_int_eq(submitted[0]->def->version, in_share ? 2 : 1);
		ck_assert_int_eq(json_is_true(json_object_get(submitted[0]->input, "new")), in_share);
		answer(0, SUBMIT_STARTED);
		n += in_share;
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 20);
	trigger_run_define(run, def, &def->triggers[0], NULL); /* it has ended */
	n_submitted = 0;
	for (int i = 0; i < 20; i++) {
		char value[40];

		snprintf(value, sizeof(value), "{\"id\":\"k-%d\",\"kind\":\"x\"}", i);
		n_submitted = 0;
		take(100 + i, "x", value);
		ck_assert_int_eq(submitted[0]->def->version, 1);
		answer(0, SUBMIT_STARTED);
	}
	saga_def_unref(next);
}
END_TEST

START_TEST(test_run__trouble_closes_the_intake_for_longer_and_longer)
{
	int64_t expected[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};

	begin("dead_letter");
	take(1, "a", good);
	take(2, "b", good);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		n_submitted = i == 0 ? n_submitted : 2;
		answer(0, SUBMIT_LATER);
		answer(1, SUBMIT_LATER); /* the same trouble, not another */
		ck_assert_int_eq(closed_until - now, expected[i]);
		ck_assert_int_eq(stats().troubles, (int64_t)i + 1);
		n_submitted = 0;
		now = closed_until - 1;
		tick();
		ck_assert_uint_eq(n_submitted, 0);
		now++;
		tick();
		ck_assert_uint_eq(n_submitted, 2);
	}
	ck_assert_str_eq(submitted[0]->id, "id-1"); /* what may have started is found to be this one */
	answer(0, SUBMIT_STARTED);
	ck_assert_int_eq(closed_until, 0);
	ck_assert_int_eq(stats().troubles, 0);
	ck_assert_int_eq(stats().poison, 0); /* however often: it is no fault of the record */
	answer(1, SUBMIT_STARTED);
	ck_assert_uint_eq(n_over, 2);
}
END_TEST

START_TEST(test_run__forgets_what_another_node_has_now)
{
	begin("{retry: {maximum_attempts: 1}, then: pause}");
	take(1, "a", good);         /* is with the engine */
	take(2, "a", good);         /* waits behind it */
	take_from(1, 1, "a", good); /* another partition */
	take(3, "b", bad);          /* held */
	ck_assert_int_eq(stats().records, 4);
	trigger_run_forget(run, 0, numbers, now);
	tick();
	ck_assert_uint_eq(n_over, 2);
	ck_assert_int_eq(stats().records, 2);
	ck_assert_int_eq(stats().held, 0);
	answer(0, SUBMIT_REFUSED); /* whoever has the partition finds the same */
	ck_assert_uint_eq(n_buried, 0);
	ck_assert_int_eq(stats().records, 1);
	ck_assert_int_eq(n_pauses, 1);
}
END_TEST

START_TEST(test_run__what_came_after_a_seek_stays)
{
	uint64_t before;

	begin("{retry: {maximum_attempts: 2}}");
	take(1, "a", bad);
	before = numbers;
	take(2, "a", good); /* behind it, but of a later reading */
	trigger_run_forget(run, 0, before, now);
	tick();
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(over[0], 1);
	ck_assert_uint_eq(n_submitted, 1);
	answer(0, SUBMIT_STARTED);
	ck_assert_int_eq(over[1], 2);
}
END_TEST

START_TEST(test_run__nothing_begins_after_a_stop)
{
	begin("dead_letter");
	take(1, "a", good);
	take(2, "a", good);
	trigger_run_stop(run);
	take(3, "b", good);
	answer(0, SUBMIT_STARTED);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_uint_eq(n_submitted, 1);
	ck_assert_int_eq(stats().out, 0);
	ck_assert_int_eq(trigger_run_tick(run, now), -1);
}
END_TEST

START_TEST(test_poison_retry__grows_to_its_maximum)
{
	struct retry_policy retry = {
		.initial_interval_ms = 1000,
		.backoff_coefficient = 2,
		.maximum_interval_ms = 5000,
		.jitter = 0.5,
	};

	ck_assert_int_eq(poison_retry_ms(&retry, 1, 0), 1000);
	ck_assert_int_eq(poison_retry_ms(&retry, 2, 0), 2000);
	ck_assert_int_eq(poison_retry_ms(&retry, 3, 0), 4000);
	ck_assert_int_eq(poison_retry_ms(&retry, 4, 0), 5000);
	ck_assert_int_eq(poison_retry_ms(&retry, 1000000, 0), 5000);
	ck_assert_int_eq(poison_retry_ms(&retry, 1, 0.5), 750);
	retry.initial_interval_ms = 0;
	ck_assert_int_eq(poison_retry_ms(&retry, 1, 0), 1);
}
END_TEST

START_TEST(test_place_key__fits_whatever_the_topic_is_called)
{
	char topic[250], key[KEY_MAX_BYTES + 1], other[KEY_MAX_BYTES + 1];
	struct kafka_record record = {
		.cluster = "default", .topic = topic, .partition = 2147483647, .offset = INT64_MAX};

	snprintf(topic, sizeof(topic), "orders");
	trigger_place_key(&record, key);
	ck_assert_str_eq(key, "kafka:default/orders/2147483647/9223372036854775807");
	memset(topic, 't', sizeof(topic) - 1);
	topic[sizeof(topic) - 1] = '\0';
	trigger_place_key(&record, key);
	ck_assert_uint_lt(strlen(key), KEY_MAX_BYTES);
	ck_assert_int_eq(key_check(key, NULL), 0);
	topic[sizeof(topic) - 2] = 'u';
	trigger_place_key(&record, other);
	ck_assert_str_ne(key, other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trigger_run");
	TCase *tcase = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_run__a_record_is_over_when_its_saga_is_durable);
	tcase_add_test(tcase, test_run__filters_and_deduplicates);
	tcase_add_test(tcase, test_run__records_of_a_key_begin_in_their_order);
	tcase_add_test(tcase, test_run__poison_is_retried_with_back_off_then_buried);
	tcase_add_test(tcase, test_run__what_cannot_be_buried_is_buried_later);
	tcase_add_test(tcase, test_run__reasons_of_poison);
	tcase_add_test(tcase, test_run__skips_poison_where_it_is_told_to);
	tcase_add_test(tcase, test_run__pauses_at_poison_and_tries_it_again_when_resumed);
	tcase_add_test(tcase, test_run__a_new_version_may_cure_poison);
	tcase_add_test(tcase, test_run__a_canary_takes_the_records_of_its_share);
	tcase_add_test(tcase, test_run__trouble_closes_the_intake_for_longer_and_longer);
	tcase_add_test(tcase, test_run__forgets_what_another_node_has_now);
	tcase_add_test(tcase, test_run__what_came_after_a_seek_stays);
	tcase_add_test(tcase, test_run__nothing_begins_after_a_stop);
	tcase_add_test(tcase, test_poison_retry__grows_to_its_maximum);
	tcase_add_test(tcase, test_place_key__fits_whatever_the_topic_is_called);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
