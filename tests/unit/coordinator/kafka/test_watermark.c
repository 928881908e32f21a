/*
 * How far the queues are read: a time holds only when all that stood in them then is over, by
 * whoever; and while brokers are away no new time does. On brokers inside the process.
 */
#include "coordinator/kafka/watermark.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_mock.h"
#include "tests/support/kafka_bench.h"

static struct kafka_mock *mock;
static struct kafka_cluster *cluster;
static struct kafka_producer *producer;
static struct kafka_consumer *consumer;
static struct watermark *watermark;
static struct watermark_queue queue;
static struct taker taker;
static const char *const topics[] = {"replies"};

static void setup(void)
{
	struct kafka_consumer_options options;
	struct kafka_progress progress[2];
	struct err err;

	ck_assert_int_eq(kafka_mock_start(1, &mock, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(mock, topics[0], 2, &err), 0);
	cluster = kafka_bench_cluster(kafka_mock_brokers(mock));
	ck_assert_int_eq(kafka_producer_start(cluster, &producer, &err), 0);
	taker_init(&taker);
	taker_keep(&taker, true);
	options = taker_options(&taker, cluster, "g", topics, 1);
	ck_assert_int_eq(kafka_consumer_start(&options, &consumer, &err), 0);
	KAFKA_UNTIL(kafka_consumer_progress(consumer, progress, 2) == 2);
	watermark = watermark_new();
	queue = (struct watermark_queue){.cluster = cluster, .consumer = consumer, .group = "g"};
	snprintf(queue.topic, sizeof(queue.topic), "%s", topics[0]);
}

static void teardown(void)
{
	taker_done_all(&taker);
	kafka_consumer_stop(consumer, 1000);
	kafka_producer_stop(producer, 0);
	kafka_cluster_close(cluster);
	kafka_mock_stop(mock);
	watermark_free(watermark);
}

static wall_ms step(wall_ms now)
{
	return watermark_step(watermark, &queue, 1, now);
}

START_TEST(test_watermark__holds_at_once_where_nothing_is_read)
{
	ck_assert_int_eq(watermark_step(watermark, NULL, 0, 1000), 1000);
	ck_assert_int_eq(watermark_step(watermark, NULL, 0, 2000), 2000);
}
END_TEST

START_TEST(test_watermark__waits_for_what_stood_there_and_not_for_what_came_later)
{
	kafka_bench_fill(producer, topics[0], 0, 0, 3);
	KAFKA_UNTIL(taker_count(&taker) == 3);
	ck_assert_int_eq(step(1000), 0);
	taker_done(&taker, 0);
	taker_done(&taker, 2);
	ck_assert_int_eq(step(1500), 0);
	kafka_bench_fill(producer, topics[0], 1, 3, 1);
	KAFKA_UNTIL(taker_count(&taker) == 4);
	taker_done(&taker, 1);
	/* It was asked at 1000, whatever the time is when it is found. */
	ck_assert_int_eq(step(2000), 1000);
	ck_assert_int_eq(step(3000), 1000);
	taker_done(&taker, 3);
	ck_assert_int_eq(step(4000), 3000);
}
END_TEST

START_TEST(test_watermark__takes_the_groups_word_where_another_node_reads)
{
	queue.consumer = NULL;
	kafka_bench_fill(producer, topics[0], 0, 0, 2);
	KAFKA_UNTIL(taker_count(&taker) == 2);
	ck_assert_int_eq(step(1000), 0);
	taker_done_all(&taker);
	KAFKA_UNTIL(step(2000) == 1000);
}
END_TEST

START_TEST(test_watermark__stands_still_while_brokers_are_away)
{
	ck_assert_int_eq(step(1000), 1000);
	kafka_mock_broker_down(mock, 0);
	ck_assert_int_eq(step(2000), 1000);
	ck_assert_int_eq(step(3000), 1000);
	kafka_mock_broker_up(mock, 0);
	KAFKA_UNTIL(step(4000) == 4000);
}
END_TEST

START_TEST(test_watermark__asks_again_when_a_queue_has_come)
{
	struct watermark_queue both[2] = {queue, queue};
	struct err err;

	ck_assert_int_eq(kafka_mock_topic(mock, "events", 1, &err), 0);
	snprintf(both[1].topic, sizeof(both[1].topic), "events");
	kafka_bench_fill(producer, topics[0], 0, 0, 1);
	KAFKA_UNTIL(taker_count(&taker) == 1);
	ck_assert_int_eq(step(1000), 0);
	/* At 1000 nobody asked about the second. */
	taker_done_all(&taker);
	ck_assert_int_eq(watermark_step(watermark, both, 2, 2000), 2000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watermark");
	TCase *tc = tcase_create("watermark");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_watermark__holds_at_once_where_nothing_is_read);
	tcase_add_test(tc, test_watermark__waits_for_what_stood_there_and_not_for_what_came_later);
	tcase_add_test(tc, test_watermark__takes_the_groups_word_where_another_node_reads);
	tcase_add_test(tc, test_watermark__stands_still_while_brokers_are_away);
	tcase_add_test(tc, test_watermark__asks_again_when_a_queue_has_come);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
