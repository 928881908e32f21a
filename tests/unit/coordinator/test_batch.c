/* A batch keeps what it was given at its place, however much follows. */
#include "coordinator/batch.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_batch__moves_nothing_that_it_was_given)
{
	struct batch *batch = batch_new();
	char *texts[3000];
	char text[64];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3000; i++) {
			struct store_item *item = batch_add(batch, texts);
			size_t len = (size_t)snprintf(text, sizeof(text), "text %d of %d", i, round);

			ck_assert_int_eq(item->seq, 0);
			item->seq = i;
			texts[i] = batch_copy(batch, text, len);
		}
		for (int i = 0; i < 3000; i++) {
			snprintf(text, sizeof(text), "text %d of %d", i, round);
			ck_assert_str_eq(texts[i], text);
			ck_assert_int_eq(batch->items[i].seq, i);
		}
		ck_assert_uint_eq(batch->n, 3000);
		batch_clear(batch);
		ck_assert_uint_eq(batch->n, 0);
	}
	batch_free(batch);
}
END_TEST

START_TEST(test_batch__gives_zeroed_aligned_memory)
{
	struct batch *batch = batch_new();

	for (int round = 0; round < 2; round++) {
		for (size_t size = 1; size < 400; size += 7) {
			char *memory = batch_alloc(batch, size);

			ck_assert_uint_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < size; i++)
				ck_assert_int_eq(memory[i], 0);
			memset(memory, 'x', size);
		}
		batch_clear(batch);
	}
	batch_free(batch);
}
END_TEST

START_TEST(test_batch__is_full_by_number_and_by_size)
{
	struct batch *batch = batch_new();
	char *large = xcalloc(1, BATCH_MAX_BYTES);

	memset(large, 'x', BATCH_MAX_BYTES - 1);
	for (int i = 0; i < BATCH_MAX_ITEMS; i++) {
		ck_assert(!batch_is_full(batch));
		batch_add(batch, NULL);
	}
	ck_assert(batch_is_full(batch));
	batch_clear(batch);
	ck_assert(!batch_is_full(batch));
	ck_assert_uint_eq(strlen(batch_copy(batch, large, BATCH_MAX_BYTES - 1)), BATCH_MAX_BYTES - 1);
	ck_assert(batch_is_full(batch));
	batch_clear(batch);
	ck_assert(!batch_is_full(batch));
	free(large);
	batch_free(batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tc = tcase_create("batch");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_batch__moves_nothing_that_it_was_given);
	tcase_add_test(tc, test_batch__gives_zeroed_aligned_memory);
	tcase_add_test(tc, test_batch__is_full_by_number_and_by_size);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
