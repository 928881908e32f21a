/*
 * Properties, and the producer against brokers inside the process that fail on demand: what a send
 * ends with, and that each ends.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_mock.h"
#include "tests/support/kafka_bench.h"

static struct kafka_mock *mock;
static struct kafka_cluster *cluster;
static struct kafka_producer *producer;

static void setup(void)
{
	struct err err;

	ck_assert_int_eq(kafka_mock_start(3, &mock, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(mock, "orders", 4, &err), 0);
	cluster = kafka_bench_cluster(kafka_mock_brokers(mock));
	ck_assert_int_eq(kafka_producer_start(cluster, &producer, &err), 0);
}

static void teardown(void)
{
	kafka_producer_stop(producer, 0);
	kafka_cluster_close(cluster);
	kafka_mock_stop(mock);
}

START_TEST(test_send__is_there_with_its_offset)
{
	struct kafka_send *send = kafka_bench_send(producer, "orders", 2, "k", "v");
	struct kafka_partition_offset ends[8];
	struct err err;
	size_t n;

	ck_assert_int_eq(send->result, KAFKA_SENT);
	ck_assert_int_eq(send->partition, 2);
	ck_assert_int_eq(send->offset, 0);
	ck_assert_int_eq(kafka_bench_send(producer, "orders", 2, "k", "v")->offset, 1);
	ck_assert_int_eq(kafka_ends(cluster, "orders", 5000, ends, 8, &n, &err), 0);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(ends[2].offset, 2);
	ck_assert_int_eq(ends[1].offset, 0);
	ck_assert_int_eq(kafka_ends(cluster, "orders", 5000, ends, 3, &n, &err), ERR_LIMIT);
}
END_TEST

/* Values of Kafka's own tests of its hash, so that Java's and Skald's producers agree. */
START_TEST(test_send__chooses_the_partition_as_java_does)
{
	static const struct {
		const char *key;
		uint32_t murmur2;
	} cases[] = {
		{"21", (uint32_t)-973932308},
		{"foobar", (uint32_t)-790332482},
		{"a-little-bit-long-string", (uint32_t)-985981536},
		{"a-little-bit-longer-string", (uint32_t)-1486304829},
		{"abc", 479470107},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kafka_send *send = kafka_bench_send(producer, "orders", -1, cases[i].key, "v");

		ck_assert_int_eq(send->result, KAFKA_SENT);
		ck_assert_int_eq(send->partition, (int)((cases[i].murmur2 & 0x7fffffff) % 4));
	}
}
END_TEST

START_TEST(test_send__that_the_broker_refuses_is_not_sent)
{
	struct kafka_send *send;

	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->result, KAFKA_SENT);
	kafka_mock_fail(mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_TOO_LARGE, 1);
	send = kafka_bench_send(producer, "orders", 0, "k", "v");
	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_LIMIT);
	ck_assert(!send->err.retriable);
	ck_assert_int_eq(send->offset, -1);
	kafka_mock_fail(mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_NOT_ALLOWED, 1);
	send = kafka_bench_send(producer, "orders", 0, "k", "v");
	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_CONFLICT);
	/* librdkafka asks again for the topic before it believes otherwise. */
	KAFKA_UNTIL(kafka_bench_send(producer, "orders", 0, "k", "v")->result == KAFKA_SENT);
}
END_TEST

START_TEST(test_send__that_is_too_large_never_leaves)
{
	CLEANUP(free_p) char *value = xcalloc(1, 2000001);
	struct kafka_send *send;

	memset(value, 'x', 2000000);
	send = kafka_bench_send(producer, "orders", 0, "k", value);
	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_LIMIT);
	ck_assert(!send->err.retriable);
}
END_TEST

START_TEST(test_send__survives_what_passes)
{
	kafka_mock_fail(mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_DISCONNECT, 1);
	kafka_mock_fail(mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_NOT_LEADER, 1);
	kafka_mock_fail(mock, KAFKA_MOCK_INIT_PRODUCER_ID, KAFKA_MOCK_COORDINATOR_LOADING, 2);
	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->result, KAFKA_SENT);
	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->offset, 1);
}
END_TEST

START_TEST(test_send__past_its_limit_is_not_sent)
{
	int64_t limit = kafka_bench_now() - 1;
	bool over = false;
	struct kafka_send *send = kafka_bench_send(producer, "orders", 0, "k", "v");

	send->not_after_ms = &limit;
	send->result = KAFKA_SENT;
	send->ctx = &over;
	kafka_produce(producer, send);
	ck_assert(over);
	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_FENCED);
}
END_TEST

static _Atomic int n_not_sent, n_unknown, n_sent, n_full;

static void count(struct kafka_send *send)
{
	switch (send->result) {
	case KAFKA_SENT:
		n_sent++;
		break;
	case KAFKA_NOT_SENT:
		n_not_sent++;
		if (strstr(send->err.text, "full"))
			n_full++;
		ck_assert(send->err.retriable);
		break;
	case KAFKA_SENT_UNKNOWN:
		n_unknown++;
		break;
	}
	free(send);
}

static void send_counted(void)
{
	struct kafka_send *send = xcalloc(1, sizeof(*send));

	send->record =
		(struct kafka_record){.topic = "orders", .partition = 1, .value = "v", .value_len = 1};
	send->done = count;
	kafka_produce(producer, send);
}

START_TEST(test_stop__answers_all_that_was_queued)
{
	kafka_mock_broker_down(mock, 0);
	for (int i = 0; i < 100; i++)
		send_counted();
	kafka_producer_stop(TAKE(producer), 0);
	ck_assert_int_eq(n_not_sent, 100);
}
END_TEST

START_TEST(test_stop__does_not_know_of_what_was_under_way)
{
	struct kafka_producer_stats stats;

	ck_assert_int_eq(kafka_bench_send(producer, "orders", 1, "k", "v")->result, KAFKA_SENT);
	kafka_mock_broker_delay(mock, 0, 30000);
	kafka_producer_stats(producer, &stats);
	send_counted();
	/* The request has left when more bytes than before were sent. */
	{
		struct kafka_producer_stats now;

		KAFKA_UNTIL((kafka_producer_stats(producer, &now), now.bytes_sent > stats.bytes_sent + 50));
	}
	kafka_producer_stop(TAKE(producer), 0);
	ck_assert_int_eq(n_not_sent, 0);
	ck_assert_int_eq(n_unknown, 1);
}
END_TEST

START_TEST(test_stop__waits_for_what_can_still_be_sent)
{
	for (int i = 0; i < 1000; i++)
		send_counted();
	kafka_producer_stop(TAKE(producer), KAFKA_PATIENCE_MS);
	ck_assert_int_eq(n_sent, 1000);
}
END_TEST

START_TEST(test_queue__has_a_limit)
{
	struct kafka_producer_stats stats;

	kafka_mock_broker_down(mock, 0);
	for (int i = 0; i < KAFKA_QUEUE_MAX_RECORDS + 10; i++)
		send_counted();
	kafka_producer_stats(producer, &stats);
	ck_assert_int_eq(n_full, 10);
	ck_assert_int_eq(stats.queued, KAFKA_QUEUE_MAX_RECORDS);
	ck_assert_int_eq(stats.queued_bytes, KAFKA_QUEUE_MAX_RECORDS);
}
END_TEST

START_TEST(test_send__is_over_in_time_while_brokers_are_away)
{
	struct kafka_producer_stats stats;
	struct kafka_send *send;

	kafka_mock_broker_down(mock, 0);
	send = kafka_bench_send(producer, "orders", 0, "k", "v");
	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_UNAVAILABLE);
	ck_assert(send->err.retriable);
	kafka_producer_stats(producer, &stats);
	ck_assert(stats.all_brokers_down);
	ck_assert_str_ne(stats.last_error, "");
	ck_assert_int_eq(stats.not_sent, 1);
	kafka_mock_broker_up(mock, 0);
	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->result, KAFKA_SENT);
	KAFKA_UNTIL((kafka_producer_stats(producer, &stats), !stats.all_brokers_down));
	KAFKA_UNTIL((kafka_producer_stats(producer, &stats), stats.brokers_up > 0));
}
END_TEST

START_TEST(test_fatal__begins_a_new_instance)
{
	struct kafka_producer_stats stats;

	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->result, KAFKA_SENT);
	/* A sequence number that nothing out can explain: the broker has lost records. */
	kafka_mock_fail(mock, KAFKA_MOCK_PRODUCE, KAFKA_MOCK_OUT_OF_ORDER_SEQUENCE, 1);
	kafka_bench_send(producer, "orders", 0, "k", "v");
	KAFKA_UNTIL((kafka_producer_stats(producer, &stats), stats.fatal_errors == 1));
	ck_assert_str_ne(stats.last_error, "");
	ck_assert_int_eq(kafka_bench_send(producer, "orders", 0, "k", "v")->result, KAFKA_SENT);
}
END_TEST

START_TEST(test_questions__fail_when_nobody_answers)
{
	struct kafka_partition_offset ends[8];
	struct err err;
	size_t n;

	kafka_mock_broker_down(mock, 0);
	ck_assert_int_eq(kafka_ends(cluster, "orders", 200, ends, 8, &n, &err), ERR_UNAVAILABLE);
	ck_assert(err.retriable);
	ck_assert_int_eq(kafka_group_committed(cluster, "g", "orders", 200, ends, 8, &n, &err),
					 ERR_UNAVAILABLE);
	ck_assert_int_eq(kafka_topic_ensure(cluster, "new", 3, 200, NULL, &err), ERR_UNAVAILABLE);
}
END_TEST

/* Properties */

static const char *refusal(const char *name, const char *value)
{
	static struct err err;

	ck_assert_int_eq(kafka_property_check(name, value, &err), ERR_INVALID);
	return err.text;
}

START_TEST(test_property__of_librdkafka_is_taken)
{
	static const char *const good[][2] = {
		{"security.protocol", "SASL_SSL"},
		{"sasl.mechanism", "SCRAM-SHA-512"},
		{"sasl.username", "skald"},
		{"sasl.password", "s3cret"},
		{"ssl.ca.location", "/etc/ssl/ca.pem"},
		{"compression.type", "zstd"},
		{"compression.codec", "lz4"},
		{"client.id", "skald-eu"},
		{"linger.ms", "20"},
		{"message.max.bytes", "3000000"},
		{"session.timeout.ms", "10000"},
		{"isolation.level", "read_uncommitted"},
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(kafka_property_check(good[i][0], good[i][1], &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(test_property__of_skald_is_refused_with_the_reason)
{
	ck_assert_ptr_nonnull(strstr(refusal("enable.auto.commit", "true"), "durable"));
	ck_assert_ptr_nonnull(strstr(refusal("acks", "1"), "idempotent"));
	ck_assert_ptr_nonnull(strstr(refusal("bootstrap.servers", "x:1"), "brokers"));
	ck_assert_ptr_nonnull(strstr(refusal("plugin.library.paths", "x.so"), "foreign code"));
	ck_assert_ptr_nonnull(strstr(refusal("rebalance_cb", "1"), "set by Skald"));
	ck_assert_ptr_nonnull(strstr(refusal("message.timeout.ms", "1"), "undo"));
}
END_TEST

START_TEST(test_property__unknown_is_refused_with_the_nearest)
{
	ck_assert_ptr_nonnull(strstr(refusal("sasl.usrname", "x"), "did you mean `sasl.username`?"));
	ck_assert_ptr_nonnull(strstr(refusal("compresion.type", "x"), "`compression.type`"));
	ck_assert_ptr_null(strstr(refusal("nothing.like.it.at.all", "x"), "did you mean"));
	/* What Skald would refuse is not suggested. */
	ck_assert_ptr_null(strstr(refusal("ack", "x"), "`acks`"));
}
END_TEST

START_TEST(test_property__with_a_wrong_value_is_refused)
{
	ck_assert_ptr_nonnull(strstr(refusal("compression.type", "zip"), "compression.type"));
	ck_assert_ptr_nonnull(strstr(refusal("linger.ms", "soon"), "linger.ms"));
}
END_TEST

START_TEST(test_property__secrets_are_known)
{
	ck_assert(kafka_property_is_secret("sasl.password"));
	ck_assert(kafka_property_is_secret("ssl.key.password"));
	ck_assert(kafka_property_is_secret("ssl.key.pem"));
	ck_assert(kafka_property_is_secret("sasl.oauthbearer.client.secret"));
	ck_assert(!kafka_property_is_secret("sasl.username"));
	ck_assert(!kafka_property_is_secret("ssl.key.location"));
}
END_TEST

START_TEST(test_cluster__says_what_is_wrong_with_it)
{
	const struct kafka_property none = {"sasl.mechanims", "PLAIN"};
	const struct kafka_property lost[] = {{"security.protocol", "ssl"},
										  {"ssl.ca.location", "/nowhere/ca.pem"}};
	struct kafka_cluster_options options = {.name = "eu", .brokers = "127.0.0.1:1"};
	struct kafka_cluster *ret;
	struct err err;

	options.properties = &none;
	options.n_properties = 1;
	ck_assert_int_eq(kafka_cluster_open(&options, &ret, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "eu"));
	ck_assert_ptr_nonnull(strstr(err.text, "sasl.mechanism"));
	options.properties = lost;
	options.n_properties = 2;
	ck_assert_int_eq(kafka_cluster_open(&options, &ret, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "ssl.ca.location"));
	options.brokers = "";
	ck_assert_int_eq(kafka_cluster_open(&options, &ret, &err), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_producer");
	TCase *tcase = tcase_create("producer"), *pure = tcase_create("properties");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_send__is_there_with_its_offset);
	tcase_add_test(tcase, test_send__chooses_the_partition_as_java_does);
	tcase_add_test(tcase, test_send__that_the_broker_refuses_is_not_sent);
	tcase_add_test(tcase, test_send__that_is_too_large_never_leaves);
	tcase_add_test(tcase, test_send__survives_what_passes);
	tcase_add_test(tcase, test_send__past_its_limit_is_not_sent);
	tcase_add_test(tcase, test_stop__answers_all_that_was_queued);
	tcase_add_test(tcase, test_stop__does_not_know_of_what_was_under_way);
	tcase_add_test(tcase, test_stop__waits_for_what_can_still_be_sent);
	tcase_add_test(tcase, test_queue__has_a_limit);
	tcase_add_test(tcase, test_send__is_over_in_time_while_brokers_are_away);
	tcase_add_test(tcase, test_fatal__begins_a_new_instance);
	tcase_add_test(tcase, test_questions__fail_when_nobody_answers);
	suite_add_tcase(suite, tcase);
	tcase_add_test(pure, test_property__of_librdkafka_is_taken);
	tcase_add_test(pure, test_property__of_skald_is_refused_with_the_reason);
	tcase_add_test(pure, test_property__unknown_is_refused_with_the_nearest);
	tcase_add_test(pure, test_property__with_a_wrong_value_is_refused);
	tcase_add_test(pure, test_property__secrets_are_known);
	tcase_add_test(pure, test_cluster__says_what_is_wrong_with_it);
	suite_add_tcase(suite, pure);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
