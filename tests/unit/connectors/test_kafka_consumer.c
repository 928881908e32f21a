/*
 * Consumers against brokers inside the process: what is committed, what is held back, what comes
 * again, and that trouble with brokers passes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_mock.h"
#include "tests/support/kafka_bench.h"

static struct kafka_mock *mock;
static struct kafka_cluster *cluster;
static struct kafka_producer *producer;
static struct taker taker, other;
static struct kafka_consumer *consumer;
static const char *orders[1], *group;

static void begin(const char *brokers)
{
	struct err err;

	cluster = kafka_bench_cluster(brokers);
	ck_assert_int_eq(kafka_producer_start(cluster, &producer, &err), 0);
	taker_init(&taker);
	taker_init(&other);
	consumer = NULL;
}

/* The real broker: what matters is how it goes about groups. */
static void setup(void)
{
	struct err err;

	begin(kafka_bench_brokers());
	orders[0] = kafka_bench_name("orders");
	group = kafka_bench_name("group");
	ck_assert_int_eq(kafka_topic_ensure(cluster, orders[0], 2, KAFKA_PATIENCE_MS, NULL, &err), 0);
}

/* Brokers inside the process, which fail on demand. */
static void setup_mock(void)
{
	struct err err;

	ck_assert_int_eq(kafka_mock_start(2, &mock, &err), 0);
	orders[0] = "orders";
	group = "g";
	ck_assert_int_eq(kafka_mock_topic(mock, orders[0], 2, &err), 0);
	begin(kafka_mock_brokers(mock));
}

static void teardown(void)
{
	kafka_consumer_stop(consumer, 0);
	kafka_producer_stop(producer, 0);
	kafka_cluster_close(cluster);
	kafka_mock_stop(TAKE(mock));
	taker_done_all(&taker);
	taker_done_all(&other);
}

static struct kafka_consumer *start_with(const struct kafka_consumer_options *options)
{
	struct kafka_consumer *ret;
	struct err err;

	ck_assert_msg(kafka_consumer_start(options, &ret, &err) == 0, "%s", err.text);
	return ret;
}

static struct kafka_consumer *start(struct taker *with)
{
	struct kafka_consumer_options options = taker_options(with, cluster, group, orders, 1);

	return start_with(&options);
}

/* The progress of a partition of orders[0]; all -1 while it is not assigned. */
static struct kafka_progress progress(int partition)
{
	struct kafka_progress list[8];
	size_t n = kafka_consumer_progress(consumer, list, ARRAY_SIZE(list));

	for (size_t i = 0; i < n; i++) {
		if (list[i].partition == partition && strcmp(list[i].topic, orders[0]) == 0)
			return list[i];
	}
	return (struct kafka_progress){.position = -1, .processed = -1, .committed = -1, .end = -1};
}

static struct kafka_consumer_stats stats(void)
{
	struct kafka_consumer_stats ret;

	kafka_consumer_stats(consumer, &ret);
	return ret;
}

static int64_t committed(int partition)
{
	return kafka_bench_committed(cluster, group, orders[0], partition);
}

/* Of this partition the i-th that came. */
static struct taken_note of_partition(int partition, int i)
{
	for (int at = 0; at < taker_count(&taker); at++) {
		struct taken_note note = taker_note(&taker, at);

		if (note.partition == partition && i-- == 0)
			return note;
	}
	return (struct taken_note){.offset = -1};
}

START_TEST(test_records__come_in_order_and_are_committed)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 300);
	kafka_bench_fill(producer, orders[0], 1, 300, 200);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 500);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(of_partition(0, i).offset, i);
	ck_assert_int_eq(taker_missing(&taker, 500), -1);
	KAFKA_UNTIL(progress(0).committed == 300 && progress(1).committed == 200);
	ck_assert_int_eq(committed(0), 300);
	ck_assert_int_eq(committed(1), 200);
	KAFKA_UNTIL(progress(0).lag == 0 && progress(0).end == 300);
	ck_assert_int_eq(taker.n_assigned, 1);
	ck_assert_int_gt(taker.n_ran, 0);
	ck_assert_int_eq(stats().state, KAFKA_CONSUMING);
	ck_assert_int_eq(stats().records, 500);
	KAFKA_UNTIL(stats().brokers_up > 0);
}
END_TEST

START_TEST(test_commit__never_passes_what_is_out)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	taker_keep(&taker, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 10);
	for (int i = 9; i > 3; i--)
		taker_done(&taker, i);
	taker_done(&taker, 0);
	taker_done(&taker, 1);
	KAFKA_UNTIL(progress(0).committed == 2);
	ck_assert_int_eq(progress(0).in_flight, 2);
	ck_assert_int_eq(progress(0).processed, 2);
	KAFKA_UNTIL(progress(0).lag == 8);
	/* Stopped without them: they come again, and only what is behind the first of them. */
	kafka_consumer_stop(TAKE(consumer), 0);
	ck_assert_int_eq(committed(0), 2);
	consumer = start(&other);
	KAFKA_UNTIL(taker_count(&other) == 8);
	ck_assert_int_eq(taker_note(&other, 0).offset, 2);
	/* Late: another has them by now. */
	taker_done_all(&taker);
	KAFKA_UNTIL(progress(0).committed == 10);
}
END_TEST

static void give_up(void *ctx, const struct kafka_assigned *partitions, size_t n)
{
	(void)partitions;
	(void)n;
	taker_done_all(ctx);
}

/* Who is told that partitions go gives up what he has not finished: that is not done. */
START_TEST(test_revoked__what_is_given_up_does_not_count)
{
	struct kafka_consumer_options options = taker_options(&taker, cluster, group, orders, 1);

	options.revoked = give_up;
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	taker_keep(&taker, true);
	consumer = start_with(&options);
	KAFKA_UNTIL(taker_count(&taker) == 10);
	taker_done(&taker, 0);
	taker_done(&taker, 1);
	kafka_consumer_stop(TAKE(consumer), 0);
	ck_assert_int_eq(committed(0), 2);
	consumer = start(&other);
	KAFKA_UNTIL(taker_count(&other) == 8);
	ck_assert_int_eq(taker_note(&other, 0).offset, 2);
}
END_TEST

START_TEST(test_stop__waits_for_what_is_out)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 5);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 5);
	kafka_consumer_stop(TAKE(consumer), KAFKA_PATIENCE_MS);
	ck_assert_int_eq(taker.n_revoked, 1);
	ck_assert_int_eq(committed(0), 5);
}
END_TEST

START_TEST(test_flight__is_limited_for_each_partition)
{
	struct kafka_consumer_options options = taker_options(&taker, cluster, group, orders, 1);

	options.in_flight_max = 10;
	kafka_bench_fill(producer, orders[0], 0, 0, 200);
	kafka_bench_fill(producer, orders[0], 1, 200, 3);
	taker_keep(&taker, true);
	consumer = start_with(&options);
	KAFKA_UNTIL(taker_out(&taker) == 13 && progress(0).held);
	ck_assert(!progress(1).held);
	while (taker_count(&taker) < 203) {
		int before = taker_count(&taker);

		taker_done_all(&taker);
		KAFKA_UNTIL(taker_count(&taker) > before || before == 203);
	}
	ck_assert_int_le(taker.n_out_max, 20);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(of_partition(0, i).offset, i);
	taker_done_all(&taker);
	KAFKA_UNTIL(progress(0).committed == 200);
}
END_TEST

START_TEST(test_flight__is_limited_in_bytes)
{
	struct kafka_consumer_options options = taker_options(&taker, cluster, group, orders, 1);

	/* A value and a key of two digits each: four bytes a record. */
	options.in_flight_max_bytes = 40;
	kafka_bench_fill(producer, orders[0], 0, 10, 80);
	taker_keep(&taker, true);
	consumer = start_with(&options);
	KAFKA_UNTIL(taker_out(&taker) == 10 && progress(0).held && progress(1).held);
	ck_assert_int_eq(stats().in_flight_bytes, 40);
	while (taker_count(&taker) < 80) {
		int before = taker_count(&taker);

		taker_done_all(&taker);
		KAFKA_UNTIL(taker_count(&taker) > before);
	}
	ck_assert_int_le(taker.n_out_max, 10);
	taker_done_all(&taker);
	KAFKA_UNTIL(progress(0).committed == 80);
	ck_assert_int_eq(stats().in_flight_bytes, 0);
}
END_TEST

START_TEST(test_refused__is_offered_again_and_others_go_on)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 50);
	taker_refuse(&taker, 0);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).held);
	kafka_bench_fill(producer, orders[0], 1, 50, 50);
	KAFKA_UNTIL(taker_count(&taker) == 50);
	KAFKA_UNTIL(taker_refused(&taker) > 3);
	ck_assert_int_eq(progress(0).in_flight, 0);
	ck_assert_int_eq(progress(0).processed, 0);
	taker_refuse(&taker, -1);
	KAFKA_UNTIL(taker_count(&taker) == 100);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(of_partition(0, i).offset, i);
	KAFKA_UNTIL(progress(0).committed == 50);
	ck_assert(!progress(0).held);
}
END_TEST

START_TEST(test_pause__of_a_partition_stays_over_a_rebalance)
{
	const char *const both[] = {orders[0], kafka_bench_name("more")};
	struct err err;

	ck_assert_int_eq(kafka_topic_ensure(cluster, both[1], 1, KAFKA_PATIENCE_MS, NULL, &err), 0);
	consumer = start(&taker);
	kafka_consumer_pause(consumer, orders[0], 0, true);
	KAFKA_UNTIL(progress(0).paused);
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	kafka_bench_fill(producer, orders[0], 1, 10, 10);
	KAFKA_UNTIL(taker_count(&taker) == 10);
	ck_assert_int_eq(of_partition(0, 0).offset, -1);
	/* The lag of what is paused is seen to grow. */
	KAFKA_UNTIL(progress(0).lag == 10);
	ck_assert_int_eq(kafka_consumer_topics(consumer, both, 2, &err), 0);
	KAFKA_UNTIL(stats().partitions == 3);
	kafka_bench_fill(producer, both[1], 0, 20, 5);
	KAFKA_UNTIL(taker_count(&taker) == 15);
	ck_assert(progress(0).paused);
	ck_assert_int_eq(progress(0).position, 0);
	/* A pause of all is another one. */
	kafka_consumer_pause(consumer, NULL, -1, true);
	kafka_consumer_pause(consumer, orders[0], 0, false);
	KAFKA_UNTIL(progress(1).paused);
	ck_assert(progress(0).paused);
	kafka_consumer_pause(consumer, NULL, -1, false);
	KAFKA_UNTIL(taker_count(&taker) == 25);
	ck_assert_int_eq(taker_missing(&taker, 25), -1);
}
END_TEST

START_TEST(test_seek__goes_back_and_forgets_what_is_out)
{
	struct err err;

	kafka_bench_fill(producer, orders[0], 0, 0, 20);
	taker_keep(&taker, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 20);
	ck_assert_int_eq(kafka_consumer_seek(consumer, orders[0], 0, 5, false, KAFKA_PATIENCE_MS, &err),
					 0);
	ck_assert_int_eq(committed(0), 5);
	KAFKA_UNTIL(taker_count(&taker) == 35);
	ck_assert_int_eq(taker_note(&taker, 20).offset, 5);
	/* Those of before count no more. */
	for (int i = 0; i < 20; i++)
		taker_done(&taker, i);
	ck_assert_int_eq(progress(0).in_flight, 15);
	ck_assert_int_eq(progress(0).processed, 5);
	taker_done_all(&taker);
	KAFKA_UNTIL(progress(0).committed == 20);
}
END_TEST

START_TEST(test_seek__goes_to_beginning_end_and_time)
{
	struct err err;

	kafka_bench_fill(producer, orders[0], 0, 0, 20);
	kafka_bench_fill(producer, orders[0], 1, 20, 20);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 40);
	ck_assert_int_eq(kafka_consumer_seek(consumer, orders[0], -1, KAFKA_OFFSET_EARLIEST, false,
										 KAFKA_PATIENCE_MS, &err),
					 0);
	KAFKA_UNTIL(taker_count(&taker) == 80);
	kafka_consumer_pause(consumer, orders[0], -1, true);
	KAFKA_UNTIL(progress(0).paused && progress(1).paused);
	kafka_bench_fill(producer, orders[0], 0, 40, 5);
	ck_assert_int_eq(kafka_consumer_seek(consumer, orders[0], -1, KAFKA_OFFSET_LATEST, false,
										 KAFKA_PATIENCE_MS, &err),
					 0);
	ck_assert_int_eq(progress(0).position, 25);
	ck_assert_int_eq(committed(0), 25);
	kafka_consumer_pause(consumer, orders[0], -1, false);
	kafka_bench_fill(producer, orders[0], 0, 45, 1);
	KAFKA_UNTIL(taker_count(&taker) == 81);
	ck_assert_int_eq(taker_note(&taker, 80).value, 45);
	ck_assert_int_eq(kafka_consumer_seek(consumer, orders[0], 7, 0, false, 5000, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(kafka_consumer_seek(consumer, orders[0], 0, -1000, false, 5000, &err),
					 ERR_INVALID);
}
END_TEST

START_TEST(test_assigned__may_choose_the_place)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 20);
	taker.start = 15;
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 5);
	ck_assert_int_eq(taker_note(&taker, 0).offset, 15);
}
END_TEST

START_TEST(test_latest__begins_at_the_end_and_keeps_that_place)
{
	struct kafka_consumer_options options = taker_options(&taker, cluster, group, orders, 1);

	options.from = KAFKA_FROM_LATEST;
	kafka_bench_fill(producer, orders[0], 0, 0, 20);
	consumer = start_with(&options);
	KAFKA_UNTIL(progress(0).committed == 20);
	kafka_consumer_stop(TAKE(consumer), 0);
	/* What came in between is not skipped: the end was looked up once. */
	kafka_bench_fill(producer, orders[0], 0, 20, 5);
	consumer = start_with(&options);
	KAFKA_UNTIL(taker_count(&taker) == 5);
	ck_assert_int_eq(taker_note(&taker, 0).value, 20);
}
END_TEST

START_TEST(test_rebalance__loses_nothing_and_late_ends_count_for_nobody)
{
	struct kafka_consumer *second;

	kafka_bench_fill(producer, orders[0], 0, 0, 100);
	kafka_bench_fill(producer, orders[0], 1, 100, 100);
	taker_keep(&taker, true);
	taker_keep(&other, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 200);
	/* It keeps its own too: what it ends would be committed, and rightly so. */
	taker_keep(&other, true);
	second = start(&other);
	/* One of the partitions goes to the second, the other comes back. Nothing of them was done. */
	KAFKA_UNTIL(taker_count(&other) == 100 && taker_count(&taker) == 300);
	ck_assert_int_eq(taker.n_revoked, 1);
	for (int i = 0; i < 200; i++)
		taker_done(&taker, i);
	ck_assert_int_eq(stats().in_flight, 100);
	ck_assert_int_lt(committed(0), 100);
	ck_assert_int_lt(committed(1), 100);
	taker_done_all(&taker);
	taker_done_all(&other);
	KAFKA_UNTIL(committed(0) == 100 && committed(1) == 100);
	/* The second leaves, and the first goes on with both. */
	kafka_consumer_stop(second, 0);
	KAFKA_UNTIL(stats().partitions == 2);
	taker_keep(&taker, false);
	kafka_bench_fill(producer, orders[0], 0, 200, 10);
	kafka_bench_fill(producer, orders[0], 1, 210, 10);
	KAFKA_UNTIL(taker_count(&taker) == 320);
	ck_assert_int_eq(taker_missing(&taker, 220), -1);
}
END_TEST

START_TEST(test_commit__is_tried_again)
{
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 0);
	kafka_mock_fail(mock, KAFKA_MOCK_OFFSET_COMMIT, KAFKA_MOCK_NOT_ALLOWED, 2);
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	KAFKA_UNTIL(stats().commit_errors >= 2);
	ck_assert_str_ne(stats().last_error, "");
	KAFKA_UNTIL(progress(0).committed == 10);
	ck_assert_int_eq(committed(0), 10);
}
END_TEST

START_TEST(test_coordinator__may_move_and_load)
{
	kafka_mock_fail(mock, KAFKA_MOCK_FIND_COORDINATOR, KAFKA_MOCK_COORDINATOR_LOADING, 2);
	kafka_mock_fail(mock, KAFKA_MOCK_JOIN_GROUP, KAFKA_MOCK_NOT_COORDINATOR, 1);
	kafka_mock_fail(mock, KAFKA_MOCK_OFFSET_FETCH, KAFKA_MOCK_COORDINATOR_LOADING, 2);
	kafka_mock_fail(mock, KAFKA_MOCK_LIST_OFFSETS, KAFKA_MOCK_NOT_LEADER, 1);
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 10);
	ck_assert_int_eq(committed(0), 10);
	kafka_mock_fail(mock, KAFKA_MOCK_HEARTBEAT, KAFKA_MOCK_UNKNOWN_MEMBER, 1);
	kafka_mock_fail(mock, KAFKA_MOCK_OFFSET_COMMIT, KAFKA_MOCK_NOT_COORDINATOR, 1);
	kafka_bench_fill(producer, orders[0], 0, 10, 10);
	KAFKA_UNTIL(progress(0).committed == 20);
	ck_assert_int_eq(committed(0), 20);
	ck_assert_int_eq(taker_missing(&taker, 20), -1);
}
END_TEST

START_TEST(test_place__that_cannot_be_looked_up_is_asked_for_again)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	kafka_mock_fail(mock, KAFKA_MOCK_LIST_OFFSETS, KAFKA_MOCK_NOT_ALLOWED, 4);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 10);
	ck_assert_int_eq(taker_count(&taker), 10);
	ck_assert_int_gt(stats().errors, 0);
}
END_TEST

START_TEST(test_place__that_is_gone_goes_on_at_the_earliest)
{
	struct err err;

	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 10);
	/* As when the topic was made anew, and its records are others with the same offsets. */
	ck_assert_int_eq(
		kafka_consumer_seek(consumer, orders[0], 0, 1000, false, KAFKA_PATIENCE_MS, &err), 0);
	KAFKA_UNTIL(taker_count(&taker) == 20);
	ck_assert_int_eq(taker_note(&taker, 10).offset, 0);
	ck_assert_str_ne(stats().last_error, "");
	KAFKA_UNTIL(progress(0).committed == 10 && progress(0).in_flight == 0);
}
END_TEST

START_TEST(test_brokers__may_go_and_come)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	consumer = start(&taker);
	KAFKA_UNTIL(progress(0).committed == 10);
	ck_assert_int_eq(committed(0), 10);
	kafka_mock_broker_down(mock, 0);
	KAFKA_UNTIL(stats().state == KAFKA_BROKERS_DOWN);
	ck_assert_str_ne(stats().last_error, "");
	ck_assert_int_gt(stats().last_error_at, 0);
	kafka_mock_broker_up(mock, 0);
	kafka_bench_fill(producer, orders[0], 0, 10, 10);
	KAFKA_UNTIL(taker_missing(&taker, 20) == -1);
	KAFKA_UNTIL(stats().state == KAFKA_CONSUMING);
	KAFKA_UNTIL(progress(0).committed == 20);
	ck_assert_int_eq(committed(0), 20);
}
END_TEST

/* What it takes is limited by what this waits for on the way: a commit, and leaving the group. */
START_TEST(test_stop__ends_while_brokers_are_away)
{
	kafka_bench_fill(producer, orders[0], 0, 0, 10);
	taker_keep(&taker, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 10);
	kafka_mock_broker_down(mock, 0);
	taker_done(&taker, 0);
	kafka_consumer_stop(TAKE(consumer), 100);
	/* What is out outlives the consumer. */
	taker_done_all(&taker);
}
END_TEST

START_TEST(test_topics__none_is_allowed)
{
	struct err err;

	consumer = start(&taker);
	KAFKA_UNTIL(stats().partitions == 2);
	ck_assert_int_eq(kafka_consumer_topics(consumer, NULL, 0, &err), 0);
	KAFKA_UNTIL(stats().partitions == 0);
	ck_assert_int_eq(kafka_consumer_topics(consumer, orders, 1, &err), 0);
	KAFKA_UNTIL(stats().partitions == 2);
	ck_assert_int_eq(kafka_consumer_topics(consumer, (const char *const[]){"^o.*"}, 1, &err),
					 ERR_INVALID);
}
END_TEST

START_TEST(test_record__is_whole)
{
	const struct kafka_header headers[] = {
		{"ce_id", "1-2", 3}, {"empty", "", 0}, {"none", NULL, 0}, {"ce_id", "again", 5}};
	const char binary[] = {'a', 0, 'b', (char)0xff};
	struct kafka_send *send = kafka_bench_send(producer, orders[0], 1, "first", "1");
	const struct kafka_record *record;
	bool over = false;

	send->record = (struct kafka_record){.topic = orders[0],
										 .partition = 0,
										 .key = binary,
										 .key_len = 4,
										 .headers = headers,
										 .n_headers = 4};
	send->ctx = &over;
	kafka_produce(producer, send);
	KAFKA_UNTIL(__atomic_load_n(&over, __ATOMIC_ACQUIRE));
	taker_keep(&taker, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 2);
	record = &taker_note(&taker, taker_note(&taker, 0).partition == 0 ? 0 : 1).taken->record;
	ck_assert_str_eq(record->cluster, "default");
	ck_assert_str_eq(record->topic, orders[0]);
	ck_assert_int_eq(record->offset, 0);
	ck_assert_int_gt(record->at, 1600000000000);
	ck_assert_mem_eq(record->key, binary, 4);
	ck_assert_uint_eq(record->key_len, 4);
	ck_assert_ptr_null(record->value);
	ck_assert_uint_eq(record->n_headers, 4);
	ck_assert_str_eq(record->headers[0].name, "ce_id");
	ck_assert_mem_eq(record->headers[0].value, "1-2", 4);
	ck_assert_uint_eq(record->headers[1].value_len, 0);
	ck_assert_ptr_null(record->headers[2].value);
	ck_assert_mem_eq(record->headers[3].value, "again", 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_consumer");
	TCase *tcase = tcase_create("consumer"), *faults = tcase_create("faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 180);
	tcase_add_checked_fixture(faults, setup_mock, teardown);
	tcase_set_timeout(faults, 180);
	tcase_add_test(tcase, test_records__come_in_order_and_are_committed);
	tcase_add_test(tcase, test_commit__never_passes_what_is_out);
	tcase_add_test(tcase, test_revoked__what_is_given_up_does_not_count);
	tcase_add_test(tcase, test_stop__waits_for_what_is_out);
	tcase_add_test(tcase, test_flight__is_limited_for_each_partition);
	tcase_add_test(tcase, test_flight__is_limited_in_bytes);
	tcase_add_test(tcase, test_refused__is_offered_again_and_others_go_on);
	tcase_add_test(tcase, test_pause__of_a_partition_stays_over_a_rebalance);
	tcase_add_test(tcase, test_seek__goes_back_and_forgets_what_is_out);
	tcase_add_test(tcase, test_seek__goes_to_beginning_end_and_time);
	tcase_add_test(tcase, test_assigned__may_choose_the_place);
	tcase_add_test(tcase, test_latest__begins_at_the_end_and_keeps_that_place);
	tcase_add_test(tcase, test_rebalance__loses_nothing_and_late_ends_count_for_nobody);
	tcase_add_test(faults, test_commit__is_tried_again);
	tcase_add_test(faults, test_coordinator__may_move_and_load);
	tcase_add_test(faults, test_place__that_cannot_be_looked_up_is_asked_for_again);
	tcase_add_test(tcase, test_place__that_is_gone_goes_on_at_the_earliest);
	tcase_add_test(faults, test_brokers__may_go_and_come);
	tcase_add_test(faults, test_stop__ends_while_brokers_are_away);
	tcase_add_test(tcase, test_topics__none_is_allowed);
	tcase_add_test(tcase, test_record__is_whole);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, faults);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
