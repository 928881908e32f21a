/* What may be committed of a partition, against a slow and obvious model of the same. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/kafka_offsets.h"
#include "sagas/base/macros.h"

static struct kafka_offsets offsets;

static void setup(void)
{
	kafka_offsets_init(&offsets, 40);
}

static void teardown(void)
{
	kafka_offsets_release(&offsets);
}

static int64_t take(int64_t offset)
{
	int64_t ticket = -1;

	ck_assert(kafka_offsets_take(&offsets, offset, &ticket));
	return ticket;
}

static int64_t processed(void)
{
	return kafka_offsets_processed(&offsets);
}

START_TEST(test_offsets__begin_with_all_below_done)
{
	ck_assert_int_eq(processed(), 40);
	ck_assert_int_eq(offsets.position, 40);
}
END_TEST

START_TEST(test_offsets__never_pass_what_is_out)
{
	int64_t a = take(40), b = take(41), c = take(42);

	ck_assert_int_eq(processed(), 40);
	ck_assert(!kafka_offsets_done(&offsets, b));
	ck_assert(!kafka_offsets_done(&offsets, c));
	ck_assert_int_eq(processed(), 40);
	ck_assert_uint_eq(offsets.n_out, 1);
	ck_assert(kafka_offsets_done(&offsets, a));
	ck_assert_int_eq(processed(), 43);
}
END_TEST

START_TEST(test_offsets__gaps_count_as_done)
{
	int64_t a = take(45), b;

	/* 40 to 44 were compacted away. */
	ck_assert_int_eq(processed(), 45);
	b = take(50);
	kafka_offsets_done(&offsets, a);
	ck_assert_int_eq(processed(), 50);
	kafka_offsets_done(&offsets, b);
	/* 51 is the marker of a transaction, and the end is behind it. */
	ck_assert_int_eq(processed(), 51);
	kafka_offsets_reach(&offsets, 52);
	ck_assert_int_eq(processed(), 52);
	kafka_offsets_reach(&offsets, 47);
	ck_assert_int_eq(processed(), 52);
}
END_TEST

START_TEST(test_offsets__the_end_does_not_pass_what_is_out)
{
	int64_t a = take(40);

	kafka_offsets_reach(&offsets, 60);
	ck_assert_int_eq(processed(), 40);
	kafka_offsets_done(&offsets, a);
	ck_assert_int_eq(processed(), 60);
}
END_TEST

START_TEST(test_offsets__are_handed_out_once)
{
	int64_t ticket;

	take(40);
	take(44);
	ck_assert(!kafka_offsets_take(&offsets, 44, &ticket));
	ck_assert(!kafka_offsets_take(&offsets, 40, &ticket));
	ck_assert(!kafka_offsets_take(&offsets, 42, &ticket));
	ck_assert_uint_eq(offsets.n_out, 2);
}
END_TEST

START_TEST(test_offsets__take_back_the_last)
{
	int64_t a = take(40), b;

	take(43);
	kafka_offsets_untake(&offsets, 43);
	ck_assert_int_eq(offsets.position, 43);
	kafka_offsets_done(&offsets, a);
	ck_assert_int_eq(processed(), 43);
	b = take(43);
	ck_assert_int_eq(processed(), 43);
	kafka_offsets_done(&offsets, b);
	ck_assert_int_eq(processed(), 44);
}
END_TEST

/* The model: each offset below `position` is done, out, or was never there. */
enum { SPACE = 4000 };

START_TEST(test_offsets__agree_with_a_model)
{
	unsigned seed = (unsigned)time(NULL);
	static char is_out[SPACE];
	static int64_t tickets[SPACE];
	int64_t position = 0, expected;

	printf("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 20; round++) {
		kafka_offsets_release(&offsets);
		kafka_offsets_init(&offsets, 0);
		memset(is_out, 0, sizeof(is_out));
		position = 0;
		while (position < SPACE - 10) {
			int64_t at = position + (random() % 4 == 0 ? random() % 5 : 0);

			switch (random() % 5) {
			case 0:
			case 1:
				tickets[at] = take(at);
				is_out[at] = 1;
				position = at + 1;
				break;
			case 2:
				kafka_offsets_reach(&offsets, at);
				position = at;
				break;
			default:
				/* One of the latest hundred, so that much is out of order. */
				at = position - 1 - random() % 100;
				if (at >= 0 && is_out[at]) {
					is_out[at] = 0;
					kafka_offsets_done(&offsets, tickets[at]);
				}
			}
			for (expected = 0; expected < position && !is_out[expected]; expected++)
				;
			ck_assert_int_eq(processed(), expected);
			ck_assert_int_eq(offsets.position, position);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_offsets");
	TCase *tcase = tcase_create("kafka_offsets");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_offsets__begin_with_all_below_done);
	tcase_add_test(tcase, test_offsets__never_pass_what_is_out);
	tcase_add_test(tcase, test_offsets__gaps_count_as_done);
	tcase_add_test(tcase, test_offsets__the_end_does_not_pass_what_is_out);
	tcase_add_test(tcase, test_offsets__are_handed_out_once);
	tcase_add_test(tcase, test_offsets__take_back_the_last);
	tcase_add_test(tcase, test_offsets__agree_with_a_model);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
