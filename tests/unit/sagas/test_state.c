/* The fold: what a history may say, and what is made of one that says something else. */
#include "sagas/state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/decide.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"
#define STARTED                                                                                    \
	"[{\"n\":1,\"type\":\"SagaStarted\",\"version\":1,\"name\":\"sink\",\"ns\":\"default\"}]"
#define REQUEST "\"request\":{\"to\":\"svc\",\"method\":\"POST\",\"path\":\"/\",\"key\":\"k\"}"

static struct saga_def *def;
static struct saga_state *state;

static void setup(void)
{
	def = definition_must_load(KITCHEN_SINK);
	state = saga_state_new(def, ID);
}

static void teardown(void)
{
	saga_state_free(state);
	saga_def_unref(def);
}

static int apply(wall_ms at, const char *row, struct err *err)
{
	return saga_state_apply_row(state, at, row, strlen(row), err);
}

/* Rows that cannot be folded after SagaStarted, or leave what nothing can go on with. */
static const struct {
	const char *row, *error;
} wrong[] = {
	{"", "1"},
	{"{}", "list of events"},
	{"[1]", "number `n`"},
	{"[{\"n\":1}]", "begins with SagaStarted, once"},
	{"[{\"n\":3}]", "without a step"},
	{"[{\"n\":3,\"step\":\"asked\",\"item\":4}]", "for item 4"},
	{"[{\"n\":8,\"step\":\"many\"}]", "without its list"},
	{"[{\"n\":8,\"step\":\"many\",\"value\":3}]", "without its list"},
	{"[{\"n\":20},{\"n\":23}]", "after the end"},
	{"[{\"n\":8,\"step\":\"turns\",\"value\":[1]}]", "no for_each"},
	{"[{\"n\":8,\"step\":\"many\",\"value\":[1]},{\"n\":3,\"step\":\"many\",\"item\":1}]",
	 "not those of its list"},
	{"[{\"n\":2,\"step\":\"turns\",\"item\":0}]", "without a request"},
	{"[{\"n\":7,\"step\":\"many\"},{\"n\":2,\"step\":\"nap\"}]", "without a request or a time"},
	{"[{\"n\":7,\"step\":\"many\"},{\"n\":7,\"step\":\"turns\"},{\"n\":7,\"step\":\"nap\"},"
	 "{\"n\":7,\"step\":\"asked\"},{\"n\":2,\"step\":\"both\"," REQUEST "}]",
	 "takes time"},
	{"[{\"n\":2,\"step\":\"pivot\"," REQUEST "}]", "before what it needs"},
	{"[{\"n\":5,\"step\":\"turns\",\"item\":0,\"attempt\":1,\"due_at\":9}]", "never began"},
	{"[{\"n\":2,\"step\":\"turns\",\"item\":0," REQUEST "},"
	 "{\"n\":5,\"step\":\"turns\",\"item\":0,\"attempt\":1}]",
	 "nothing will wake it"},
	{"[{\"n\":2,\"step\":\"turns\",\"item\":0," REQUEST
	 "},{\"n\":11,\"step\":\"turns\",\"item\":0}]",
	 "before it is over"},
	{"[{\"n\":7,\"step\":\"many\"},{\"n\":3,\"step\":\"nap\"},{\"n\":11,\"step\":\"nap\"," REQUEST
	 "}]",
	 "declares no undo"},
	{"[{\"n\":3,\"step\":\"many\",\"item\":0},{\"n\":12,\"step\":\"many\",\"item\":0}]",
	 "without a request"},
	{"[{\"n\":18}]", "without a reason"},
	{"[{\"n\":9,\"step\":\"turns\"}]", "never began"},
};

START_TEST(test_state__refuses_a_history_that_does_not_fit)
{
	struct err err = {0};
	int r;

	ck_assert_int_eq(apply(NOW, STARTED, &err), 0);
	r = apply(NOW, wrong[_i].row, &err);
	if (r == 0)
		r = saga_state_validate(state, &err);
	ck_assert_msg(r == ERR_INVALID, "%s is taken", wrong[_i].row);
	ck_assert_msg(strstr(err.text, wrong[_i].error) || strstr(err.place, wrong[_i].error), "%s: %s",
				  wrong[_i].row, err.text);
}
END_TEST

START_TEST(test_state__must_begin_with_its_start)
{
	struct err err;

	ck_assert_int_eq(apply(NOW, "[{\"n\":23}]", &err), ERR_INVALID);
}
END_TEST

START_TEST(test_state__changes_its_time_with_its_status_only)
{
	struct err err;

	ck_assert_int_eq(apply(NOW, STARTED, &err), 0);
	ck_assert_int_eq(state->status, SAGA_WAITING);
	ck_assert_int_eq(state->updated_at, NOW);
	ck_assert_int_eq(apply(NOW + 5, "[{\"n\":2,\"step\":\"turns\",\"item\":0," REQUEST "}]", &err),
					 0);
	ck_assert_int_eq(state->status, SAGA_RUNNING);
	ck_assert_int_eq(state->updated_at, NOW + 5);
	ck_assert_int_eq(apply(NOW + 9,
						   "[{\"n\":3,\"step\":\"turns\",\"item\":0},{\"n\":2,\"step\":\"turns\","
						   "\"item\":1," REQUEST "}]",
						   &err),
					 0);
	ck_assert_int_eq(state->updated_at, NOW + 5);
	ck_assert_int_eq(state->last_at, NOW + 9);
}
END_TEST

START_TEST(test_state__counts_the_bytes_of_its_history_once)
{
	struct err err;

	ck_assert_int_eq(apply(NOW, STARTED, &err), 0);
	ck_assert_int_eq(state->history_bytes, strlen(STARTED));
}
END_TEST

START_TEST(test_state__is_due_for_what_time_does)
{
	struct err err;

	ck_assert_int_eq(apply(NOW, STARTED, &err), 0);
	ck_assert_int_eq(saga_state_next_due(state), 0);
	ck_assert_int_eq(apply(NOW, "[{\"n\":2,\"step\":\"turns\",\"item\":0," REQUEST "}]", &err), 0);
	ck_assert_int_eq(saga_state_next_due(state), 0);
	ck_assert(!saga_state_may_sleep(state));
	ck_assert_int_eq(
		apply(NOW,
			  "[{\"n\":5,\"step\":\"turns\",\"item\":0,\"attempt\":1,\"due_at\":1767225999000}]",
			  &err),
		0);
	ck_assert_int_eq(saga_state_next_due(state), INT64_C(1767225999000));
	ck_assert(saga_state_may_sleep(state));
	ck_assert_int_eq(apply(NOW, "[{\"n\":21,\"by\":\"ann\"}]", &err), 0);
	ck_assert_int_eq(saga_state_next_due(state), 0);
	ck_assert_int_eq(state->ended_at, NOW);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tc = tcase_create("state");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_state__refuses_a_history_that_does_not_fit, 0, ARRAY_SIZE(wrong));
	tcase_add_test(tc, test_state__must_begin_with_its_start);
	tcase_add_test(tc, test_state__changes_its_time_with_its_status_only);
	tcase_add_test(tc, test_state__counts_the_bytes_of_its_history_once);
	tcase_add_test(tc, test_state__is_due_for_what_time_does);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
