/* What waits for a moment, or until all are told to end. */
#include "coordinator/waits.h"

#include <check.h>
#include <semaphore.h>
#include <stdlib.h>

#include "coordinator/clock.h"

struct probe {
	struct wait wait;
	int overs; /* atomic */
	sem_t over;
};

static struct waits *waits;

static void count(struct wait *wait)
{
	struct probe *probe = CONTAINER_OF(wait, struct probe, wait);

	__atomic_add_fetch(&probe->overs, 1, __ATOMIC_RELAXED);
	sem_post(&probe->over);
}

static void init(struct probe *probe, int64_t until_us)
{
	*probe = (struct probe){.wait = {.until_us = until_us, .over = count}};
	sem_init(&probe->over, 0, 0);
}

static int overs(struct probe *probe)
{
	return __atomic_load_n(&probe->overs, __ATOMIC_RELAXED);
}

static void setup(void)
{
	struct err err;

	ck_assert_int_eq(waits_start(&waits, &err), 0);
}

static void teardown(void)
{
	waits_end(waits);
	waits_stop(waits);
}

START_TEST(test_waits__ends_what_is_due)
{
	struct probe endless, now, soon;

	init(&endless, 0);
	init(&now, 1);
	init(&soon, clock_mono_us() + 1000);
	ck_assert(waits_add(waits, &endless.wait));
	ck_assert(waits_add(waits, &soon.wait));
	ck_assert(waits_add(waits, &now.wait));
	sem_wait(&now.over);
	sem_wait(&soon.over);
	ck_assert(!waits_remove(waits, &soon.wait));
	ck_assert_int_eq(overs(&endless), 0);
	ck_assert(waits_remove(waits, &endless.wait));
	waits_end(waits);
	ck_assert_int_eq(overs(&endless), 0);
	ck_assert_int_eq(overs(&now), 1);
	ck_assert_int_eq(overs(&soon), 1);
}
END_TEST

START_TEST(test_waits__end_all_and_take_no_more)
{
	struct probe probes[3], late;

	for (int i = 0; i < 3; i++) {
		init(&probes[i], i == 0 ? 0 : INT64_MAX);
		ck_assert(waits_add(waits, &probes[i].wait));
	}
	ck_assert(waits_remove(waits, &probes[1].wait));
	waits_end(waits);
	ck_assert_int_eq(overs(&probes[0]), 1);
	ck_assert_int_eq(overs(&probes[1]), 0);
	ck_assert_int_eq(overs(&probes[2]), 1);
	init(&late, 1);
	ck_assert(!waits_add(waits, &late.wait));
	ck_assert_int_eq(overs(&late), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waits");
	TCase *tc = tcase_create("waits");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_waits__ends_what_is_due);
	tcase_add_test(tc, test_waits__end_all_and_take_no_more);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
