#include "sagas/base/map.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(test_map__empty)
{
	struct map map = {0};
	size_t pos = 0;

	ck_assert_ptr_null(map_get(&map, "a"));
	ck_assert_ptr_null(map_remove(&map, "a"));
	ck_assert_ptr_null(map_next(&map, &pos));
	map_release(&map);
}
END_TEST

START_TEST(test_map__put_replaces_value_and_key)
{
	struct map map = {0};
	char key1[] = "key", key2[] = "key";
	int a, b;
	size_t pos = 0;

	ck_assert_ptr_null(map_put(&map, key1, &a));
	ck_assert_ptr_eq(map_put(&map, key2, &b), &a);
	ck_assert_uint_eq(map.n, 1);
	ck_assert_ptr_eq(map_get(&map, "key"), &b);
	ck_assert_ptr_eq(map_next(&map, &pos)->key, key2);
	map_release(&map);
}
END_TEST

/* Against a plain array, under a fixed sequence of pseudo-random calls. */
START_TEST(test_map__agrees_with_an_array)
{
	enum { N = 500 };
	static char keys[N][16];
	struct map map = {0};
	void *model[N] = {NULL};
	unsigned random = 1;
	size_t n = 0;

	for (int i = 0; i < N; i++)
		snprintf(keys[i], sizeof(keys[i]), "saga-%d", i);
	for (int turn = 0; turn < 50000; turn++) {
		int i;

		random = random * 1103515245U + 12345U;
		i = (int)(random >> 16) % N;
		if (random >> 8 & 1 || turn < N) {
			ck_assert_ptr_eq(map_put(&map, keys[i], keys[i]), model[i]);
			n += !model[i];
			model[i] = keys[i];
		} else {
			ck_assert_ptr_eq(map_remove(&map, keys[i]), model[i]);
			n -= !!model[i];
			model[i] = NULL;
		}
		ck_assert_uint_eq(map.n, n);
		if (turn % 500 == 0)
			for (int k = 0; k < N; k++)
				ck_assert_ptr_eq(map_get(&map, keys[k]), model[k]);
	}
	for (size_t pos = 0; map_next(&map, &pos);)
		n--;
	ck_assert_uint_eq(n, 0);
	map_release(&map);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tcase = tcase_create("map");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_map__empty);
	tcase_add_test(tcase, test_map__put_replaces_value_and_key);
	tcase_add_test(tcase, test_map__agrees_with_an_array);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
