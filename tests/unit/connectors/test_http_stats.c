/* What is counted of calls, with a clock of the test's own. */
#include "connectors/http_stats.h"

#include <check.h>
#include <stdlib.h>

static struct http_stats stats;

static void setup(void)
{
	stats = (struct http_stats){0};
}

static void teardown(void)
{
	http_stats_release(&stats);
}

static void answered(int status, int64_t took_us, int64_t now_ms)
{
	const struct http_request request = {.result = HTTP_ANSWERED, .status = status};

	http_stats_ended(&stats, &request, took_us, now_ms);
}

static struct http_participant_stats at(int64_t now_ms)
{
	struct http_participant_stats read = {0};

	http_stats_read(&stats, now_ms, &read);
	return read;
}

START_TEST(test_http_stats__classes_and_results)
{
	struct http_participant_stats read;
	struct http_request broken = {.result = HTTP_BROKEN}, odd = {.result = HTTP_ANSWERED};

	answered(200, 10, 0);
	answered(204, 10, 0);
	answered(404, 10, 0);
	answered(503, 10, 0);
	http_stats_ended(&stats, &broken, 5, 0);
	broken.result = HTTP_TIMED_OUT;
	broken.status = 200; /* of an answer that never became whole */
	http_stats_ended(&stats, &broken, 5, 0);
	broken.result = HTTP_NOT_CONNECTED;
	http_stats_ended(&stats, &broken, -1, 0);
	odd.status = 999;
	http_stats_ended(&stats, &odd, 5, 0);
	read = at(0);
	ck_assert_int_eq(read.answers[2], 2);
	ck_assert_int_eq(read.answers[4], 1);
	ck_assert_int_eq(read.answers[5], 1);
	ck_assert_int_eq(read.results[HTTP_ANSWERED], 5);
	ck_assert_int_eq(read.results[HTTP_BROKEN], 1);
	ck_assert_int_eq(read.results[HTTP_TIMED_OUT], 1);
	ck_assert_int_eq(read.results[HTTP_NOT_CONNECTED], 1);
	/* What was never on its way took no time. */
	ck_assert_int_eq(read.recent, 7);
}
END_TEST

START_TEST(test_http_stats__buckets_are_by_upper_bounds)
{
	struct http_participant_stats read;
	int64_t sum = 0;

	answered(200, 0, 0);
	answered(200, 1000, 0);
	answered(200, 1001, 0);
	answered(200, 60000000, 0);
	answered(200, 60000001, 0);
	read = at(0);
	ck_assert_int_eq(read.buckets[0], 2);
	ck_assert_int_eq(read.buckets[1], 1);
	ck_assert_int_eq(read.buckets[HTTP_LATENCY_N_BUCKETS - 2], 1);
	ck_assert_int_eq(read.buckets[HTTP_LATENCY_N_BUCKETS - 1], 1);
	for (int i = 0; i < HTTP_LATENCY_N_BUCKETS; i++)
		sum += read.buckets[i];
	ck_assert_int_eq(sum, 5);
	ck_assert_int_eq(read.sum_us, 120002002);
}
END_TEST

static void assert_near(double value, double expected)
{
	ck_assert_msg(value > expected * 0.93 && value < expected * 1.07, "%f is not near %f", value,
				  expected);
}

START_TEST(test_http_stats__quantiles_are_near)
{
	struct http_participant_stats read;

	for (int i = 1; i <= 1000; i++)
		answered(200, i * 100, 0);
	read = at(0);
	ck_assert_int_eq(read.recent, 1000);
	assert_near(read.p50_ms, 50);
	assert_near(read.p95_ms, 95);
	assert_near(read.p99_ms, 99);
}
END_TEST

/* Each power of two and its neighbours, to the largest time that is told apart. */
START_TEST(test_http_stats__every_time_has_its_bucket)
{
	for (int64_t us = 1; us <= UINT32_MAX; us *= 2) {
		for (int64_t off = -1; off <= 1; off++) {
			teardown();
			setup();
			answered(200, us + off, 0);
			if (us + off >= 8)
				assert_near(at(0).p50_ms * 1000, (double)(us + off));
			else
				ck_assert_double_eq_tol(at(0).p50_ms * 1000, (double)(us + off), 1e-9);
		}
	}
	answered(200, INT64_C(1) << 40, 0);
	ck_assert_int_eq(at(0).recent, 2);
}
END_TEST

START_TEST(test_http_stats__quantiles_forget)
{
	answered(200, 1000, 0);
	answered(200, 500000, 30000);
	assert_near(at(30000).p99_ms, 500);
	assert_near(at(30000).p50_ms, 1);
	/* The first has left, though nothing was written since. */
	ck_assert_int_eq(at(70000).recent, 1);
	assert_near(at(70000).p50_ms, 500);
	ck_assert_int_eq(at(200000).recent, 0);
	ck_assert_double_eq(at(200000).p99_ms, 0);
	/* Its slice is used again. */
	answered(200, 2000, 70001);
	ck_assert_int_eq(at(70001).recent, 2);
	ck_assert_int_eq(at(70001).results[HTTP_ANSWERED], 3);
}
END_TEST

START_TEST(test_http_stats__nothing_is_nothing)
{
	struct http_participant_stats read = at(12345);

	ck_assert_int_eq(read.recent, 0);
	ck_assert_double_eq(read.p50_ms, 0);
	ck_assert_int_eq(read.requests, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_stats");
	TCase *tc = tcase_create("http_stats");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_http_stats__classes_and_results);
	tcase_add_test(tc, test_http_stats__buckets_are_by_upper_bounds);
	tcase_add_test(tc, test_http_stats__quantiles_are_near);
	tcase_add_test(tc, test_http_stats__every_time_has_its_bucket);
	tcase_add_test(tc, test_http_stats__quantiles_forget);
	tcase_add_test(tc, test_http_stats__nothing_is_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
