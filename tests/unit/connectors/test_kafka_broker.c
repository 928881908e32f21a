/*
 * The wrapper against what only a real broker does: transactions and their markers, compression,
 * topics that appear, records that are deleted, members that come and go, and a kill -9.
 */
#include <check.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kafka_bench.h"

static struct kafka_cluster *cluster;
static struct kafka_producer *producer;
static struct taker taker, other;
static struct kafka_consumer *consumer;
static const char *topics[1], *group;

static void make_topic(int partitions)
{
	struct err err;

	ck_assert_msg(
		kafka_topic_ensure(cluster, topics[0], partitions, KAFKA_PATIENCE_MS, NULL, &err) == 0,
		"%s", err.text);
}

static void setup(void)
{
	struct err err;

	cluster = kafka_bench_cluster(kafka_bench_brokers());
	ck_assert_int_eq(kafka_producer_start(cluster, &producer, &err), 0);
	taker_init(&taker);
	taker_init(&other);
	consumer = NULL;
	topics[0] = kafka_bench_name("topic");
	group = kafka_bench_name("group");
}

static void teardown(void)
{
	kafka_consumer_stop(consumer, 0);
	kafka_producer_stop(producer, 0);
	kafka_cluster_close(cluster);
	taker_done_all(&taker);
	taker_done_all(&other);
}

static struct kafka_consumer *start(struct taker *with)
{
	struct kafka_consumer_options options = taker_options(with, cluster, group, topics, 1);
	struct kafka_consumer *ret;
	struct err err;

	ck_assert_msg(kafka_consumer_start(&options, &ret, &err) == 0, "%s", err.text);
	return ret;
}

static struct kafka_consumer_stats stats(void)
{
	struct kafka_consumer_stats ret;

	kafka_consumer_stats(consumer, &ret);
	return ret;
}

static int64_t end_of(int partition)
{
	struct kafka_partition_offset ends[64];
	struct err err;
	size_t n;

	ck_assert_msg(kafka_ends(cluster, topics[0], KAFKA_PATIENCE_MS, ends, 64, &n, &err) == 0, "%s",
				  err.text);
	ck_assert_int_lt(partition, n);
	return ends[partition].offset;
}

static struct kafka_progress progress_of_zero(void)
{
	struct kafka_progress progress = {.processed = -1, .committed = -1};

	kafka_consumer_progress(consumer, &progress, 1);
	return progress;
}

START_TEST(test_topic__is_made_once)
{
	struct kafka_partition_offset ends[8];
	struct err err;
	size_t n;
	int has = 0;

	ck_assert_int_eq(kafka_ends(cluster, topics[0], 5000, ends, 8, &n, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(kafka_topic_ensure(cluster, topics[0], 5, KAFKA_PATIENCE_MS, &has, &err), 0);
	ck_assert_int_eq(has, 5);
	ck_assert_int_eq(kafka_topic_ensure(cluster, topics[0], 3, KAFKA_PATIENCE_MS, &has, &err), 0);
	ck_assert_int_eq(has, 5);
	ck_assert_int_eq(kafka_ends(cluster, topics[0], KAFKA_PATIENCE_MS, ends, 8, &n, &err), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(ends[4].offset, 0);
	ck_assert_int_eq(kafka_topic_ensure(cluster, "no topic", 1, KAFKA_PATIENCE_MS, &has, &err),
					 ERR_INVALID);
	ck_assert_int_eq(
		kafka_group_committed(cluster, group, topics[0], KAFKA_PATIENCE_MS, ends, 8, &n, &err), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(ends[0].offset, -1);
}
END_TEST

START_TEST(test_topic__that_is_missing_is_reported_and_picked_up)
{
	consumer = start(&taker);
	KAFKA_UNTIL(strcmp(stats().missing_topic, topics[0]) == 0);
	ck_assert_ptr_nonnull(strstr(stats().last_error, topics[0]));
	ck_assert_int_eq(stats().state, KAFKA_JOINING);
	make_topic(2);
	kafka_bench_fill(producer, topics[0], 1, 0, 5);
	KAFKA_UNTIL(taker_count(&taker) == 5);
	ck_assert_str_eq(stats().missing_topic, "");
}
END_TEST

START_TEST(test_send__to_a_missing_topic_is_not_sent)
{
	struct kafka_send *send = kafka_bench_send(producer, topics[0], -1, "k", "v");

	ck_assert_int_eq(send->result, KAFKA_NOT_SENT);
	ck_assert_int_eq(send->err.code, ERR_NOT_FOUND);
	ck_assert(send->err.retriable);
}
END_TEST

START_TEST(test_compression__of_each_kind)
{
	static const char *const kinds[] = {"gzip", "snappy", "lz4", "zstd"};
	struct err err;

	make_topic(1);
	consumer = start(&taker);
	for (int i = 0; i < (int)ARRAY_SIZE(kinds); i++) {
		const struct kafka_property property = {"compression.type", kinds[i]};
		const struct kafka_cluster_options options = {.name = "packed",
													  .brokers = kafka_bench_brokers(),
													  .properties = &property,
													  .n_properties = 1};
		struct kafka_cluster *packed;
		struct kafka_producer *packer;

		ck_assert_msg(kafka_cluster_open(&options, &packed, &err) == 0, "%s", err.text);
		ck_assert_int_eq(kafka_producer_start(packed, &packer, &err), 0);
		kafka_bench_fill(packer, topics[0], 0, i * 100, 100);
		kafka_producer_stop(packer, 0);
		kafka_cluster_close(packed);
	}
	KAFKA_UNTIL(taker_count(&taker) == 400);
	ck_assert_int_eq(taker_missing(&taker, 400), -1);
}
END_TEST

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[200];

	ck_assert_msg(rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK,
				  "%s", text);
}

static void ok(rd_kafka_error_t *error)
{
	ck_assert_msg(!error, "%s", rd_kafka_error_string(error));
}

/* Three records, then three more that are aborted; each transaction leaves a marker. */
static void write_transactions(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	rd_kafka_t *rk;

	set(conf, "bootstrap.servers", kafka_bench_brokers());
	set(conf, "transactional.id", topics[0]);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	ck_assert_ptr_nonnull(rk);
	ok(rd_kafka_init_transactions(rk, KAFKA_PATIENCE_MS));
	for (int aborted = 0; aborted <= 1; aborted++) {
		ok(rd_kafka_begin_transaction(rk));
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topics[0]),
											   RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE("7", 1),
											   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
											   RD_KAFKA_V_END),
							 0);
		rd_kafka_flush(rk, KAFKA_PATIENCE_MS);
		ok(aborted ? rd_kafka_abort_transaction(rk, KAFKA_PATIENCE_MS)
				   : rd_kafka_commit_transaction(rk, KAFKA_PATIENCE_MS));
	}
	rd_kafka_destroy(rk);
}

START_TEST(test_processed__passes_markers_and_what_was_aborted)
{
	make_topic(1);
	write_transactions();
	consumer = start(&taker);
	KAFKA_UNTIL(progress_of_zero().committed == 8);
	ck_assert_int_eq(taker_count(&taker), 3);
	ck_assert_int_eq(end_of(0), 8);
	KAFKA_UNTIL(progress_of_zero().lag == 0);
	ck_assert_int_eq(kafka_bench_committed(cluster, group, topics[0], 0), 8);
}
END_TEST

/* As retention does. */
static void delete_records(int64_t below)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_DeleteRecords_t *request;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	char text[200];
	rd_kafka_t *rk;

	set(conf, "bootstrap.servers", kafka_bench_brokers());
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	rd_kafka_topic_partition_list_add(list, topics[0], 0)->offset = below;
	request = rd_kafka_DeleteRecords_new(list);
	queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, KAFKA_PATIENCE_MS);
	ck_assert(event && !rd_kafka_event_error(event));
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
}

START_TEST(test_place__that_retention_took_goes_on_at_the_earliest)
{
	make_topic(1);
	kafka_bench_fill(producer, topics[0], 0, 0, 100);
	delete_records(60);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 40);
	ck_assert_int_eq(taker_note(&taker, 0).offset, 60);
	KAFKA_UNTIL(progress_of_zero().committed == 100);
	kafka_consumer_stop(TAKE(consumer), 0);
	/* A committed offset that retention has passed. */
	kafka_bench_fill(producer, topics[0], 0, 100, 100);
	delete_records(150);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 90);
	ck_assert_int_eq(taker_note(&taker, 40).offset, 150);
	KAFKA_UNTIL(progress_of_zero().committed == 200);
}
END_TEST

START_TEST(test_time__is_where_a_group_begins)
{
	struct kafka_consumer_options options = taker_options(&taker, cluster, group, topics, 1);
	struct err err;

	make_topic(1);
	kafka_bench_fill(producer, topics[0], 0, 0, 10);
	taker_keep(&taker, true);
	consumer = start(&taker);
	KAFKA_UNTIL(taker_count(&taker) == 10);
	options.from = KAFKA_FROM_TIME;
	options.from_time = taker_note(&taker, 9).taken->record.at + 1;
	options.group = kafka_bench_name("group");
	kafka_consumer_stop(TAKE(consumer), 0);
	KAFKA_UNTIL(kafka_bench_wall() > options.from_time);
	kafka_bench_fill(producer, topics[0], 0, 10, 5);
	options.ctx = &other;
	ck_assert_int_eq(kafka_consumer_start(&options, &consumer, &err), 0);
	KAFKA_UNTIL(taker_count(&other) == 5);
	ck_assert_int_eq(taker_note(&other, 0).value, 10);
	/* A time that has not come yet is the end. */
	ck_assert_int_eq(kafka_consumer_seek(consumer, topics[0], 0, kafka_bench_wall() + 3600000, true,
										 KAFKA_PATIENCE_MS, &err),
					 0);
	KAFKA_UNTIL(progress_of_zero().position == 15);
	ck_assert_int_eq(kafka_consumer_seek(consumer, topics[0], 0, 1, true, KAFKA_PATIENCE_MS, &err),
					 0);
	KAFKA_UNTIL(taker_count(&other) == 20);
}
END_TEST

static void restart_broker(void)
{
	char command[400];
	const char *folder = getenv("SKALD_TEST_SERVICES");

	ck_assert_msg(folder, "SKALD_TEST_SERVICES is not set");
	snprintf(command, sizeof(command), "tests/services.sh restart-kafka '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static _Atomic int n_unsure;

static void again(struct kafka_send *send)
{
	if (send->result == KAFKA_SENT) {
		__atomic_fetch_sub((int *)send->ctx, 1, __ATOMIC_ACQ_REL);
		free(send);
		return;
	}
	if (send->result == KAFKA_SENT_UNKNOWN)
		n_unsure++;
	kafka_produce(producer, send);
}

/* Two consumers, a producer that does not stop, and a broker that dies with kill -9 on the way. */
START_TEST(test_restart__of_the_broker_loses_nothing)
{
	enum { N = 6000, PARTITIONS = 4 };
	struct kafka_consumer *second;
	static char values[N][8];
	int left = N;

	make_topic(PARTITIONS);
	consumer = start(&taker);
	second = start(&other);
	for (int i = 0; i < N; i++) {
		struct kafka_send *send = xcalloc(1, sizeof(*send));
		int len = snprintf(values[i], sizeof(values[i]), "%d", i);

		send->record = (struct kafka_record){.topic = topics[0],
											 .partition = i % PARTITIONS,
											 .value = values[i],
											 .value_len = (size_t)len};
		send->done = again;
		send->ctx = &left;
		kafka_produce(producer, send);
		if (i == N / 2)
			restart_broker();
		if (i % 100 == 0)
			kafka_bench_pause();
	}
	KAFKA_UNTIL(__atomic_load_n(&left, __ATOMIC_ACQUIRE) == 0);
	for (int i = 0; i < PARTITIONS; i++)
		KAFKA_UNTIL(kafka_bench_committed(cluster, group, topics[0], i) == end_of(i));
	/* Every value came to one of the two, perhaps more than once. */
	for (int i = 0, n = taker_count(&other); i < n; i++) {
		pthread_mutex_lock(&taker.lock);
		ck_assert_int_lt(taker.n, TAKER_MAX);
		taker.notes[taker.n++] = taker_note(&other, i);
		pthread_mutex_unlock(&taker.lock);
	}
	ck_assert_int_eq(taker_missing(&taker, N), -1);
	/* An idempotent producer writes once what it did not have to give up. */
	if (n_unsure == 0) {
		int64_t sum = 0;

		for (int i = 0; i < PARTITIONS; i++)
			sum += end_of(i);
		ck_assert_int_eq(sum, N);
	}
	kafka_consumer_stop(second, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_broker");
	TCase *tcase = tcase_create("broker");
	SRunner *runner;
	int failed;

	kafka_bench_brokers();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, test_topic__is_made_once);
	tcase_add_test(tcase, test_topic__that_is_missing_is_reported_and_picked_up);
	tcase_add_test(tcase, test_send__to_a_missing_topic_is_not_sent);
	tcase_add_test(tcase, test_compression__of_each_kind);
	tcase_add_test(tcase, test_processed__passes_markers_and_what_was_aborted);
	tcase_add_test(tcase, test_place__that_retention_took_goes_on_at_the_earliest);
	tcase_add_test(tcase, test_time__is_where_a_group_begins);
	tcase_add_test(tcase, test_restart__of_the_broker_loses_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
