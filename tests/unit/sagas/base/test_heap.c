#include "sagas/base/heap.h"

#include <check.h>
#include <stdlib.h>

enum { N = 300 };

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245U + 12345U;
	return *state >> 16;
}

static void check_heap(const struct heap *heap)
{
	for (size_t i = 0; i < heap->n; i++) {
		ck_assert_uint_eq(heap->nodes[i]->pos, i + 1);
		if (i > 0)
			ck_assert_int_le(heap->nodes[(i + 1) / 2 - 1]->at, heap->nodes[i]->at);
	}
}

START_TEST(test_heap__gives_the_earliest_first)
{
	struct heap heap = {0};
	struct heap_node nodes[N] = {{0}};
	unsigned random = 7;
	int64_t last = -1;

	ck_assert_ptr_null(heap_min(&heap));
	for (int i = 0; i < N; i++)
		heap_add(&heap, &nodes[i], next_random(&random) % 100);
	for (int i = 0; i < N; i++) {
		struct heap_node *min = heap_min(&heap);

		ck_assert_int_ge(min->at, last);
		last = min->at;
		heap_remove(&heap, min);
		ck_assert(!heap_node_is_set(min));
	}
	ck_assert_ptr_null(heap_min(&heap));
	heap_release(&heap);
}
END_TEST

START_TEST(test_heap__keeps_its_order_under_any_calls)
{
	struct heap heap = {0};
	struct heap_node nodes[N] = {{0}};
	unsigned random = 3;
	size_t n = 0;

	for (int turn = 0; turn < 20000; turn++) {
		struct heap_node *node = &nodes[next_random(&random) % N];

		if (next_random(&random) % 3 == 0) {
			n -= heap_node_is_set(node);
			heap_remove(&heap, node);
			ck_assert(!heap_node_is_set(node));
		} else {
			n += !heap_node_is_set(node);
			heap_update(&heap, node, next_random(&random) % 1000);
			ck_assert(heap_node_is_set(node));
		}
		ck_assert_uint_eq(heap.n, n);
		if (turn % 100 == 0)
			check_heap(&heap);
	}
	heap_release(&heap);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tcase = tcase_create("heap");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_heap__gives_the_earliest_first);
	tcase_add_test(tcase, test_heap__keeps_its_order_under_any_calls);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
