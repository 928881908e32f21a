/* What decide wrote into a history is read back, whatever a participant answered. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/decide.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static struct saga_def *def;

static void setup(void)
{
	def = definition_must_load("saga: one\n"
							   "participants: {svc: {timeout: 1s}}\n"
							   "steps:\n"
							   "  - id: a\n"
							   "    http: {to: svc, method: POST, path: /a}\n"
							   "    compensate: none\n");
	def->version = 1;
}

static void teardown(void)
{
	saga_def_unref(def);
}

/* The history row of a decision, as the engine writes it. */
static void write_row(const struct decision *decision, struct buf *out)
{
	for (size_t i = 0; i < decision->n_events; i++) {
		buf_add_char(out, i == 0 ? '[' : ',');
		event_write(&decision->events[i], def, out);
	}
	buf_add_char(out, ']');
}

/* Runs the saga with this answer, folds its history anew, and returns the output of its step. */
static char *output_after(const char *answer)
{
	CLEANUP(saga_state_free_p) struct saga_state *live = saga_state_new(def, ID);
	CLEANUP(saga_state_free_p) struct saga_state *folded = saga_state_new(def, ID);
	struct jval *input = jval_from_json(json_object());
	struct jval *body = jval_from_text(xstrdup(answer), strlen(answer));
	struct input start = {.type = INPUT_START, .ns = "default", .value = input};
	struct input reply = {.type = INPUT_REPLY,
						  .step = 0,
						  .item = -1,
						  .kind = CALL_DO,
						  .attempt = 1,
						  .result = CALL_ANSWERED,
						  .http_status = 200,
						  .body = body,
						  .retry_after_ms = -1};
	struct decision decision;
	struct err err = {0};
	struct buf row;
	char *output;

	buf_init(&row, 0);
	decision_init(&decision);
	ck_assert_int_eq(saga_decide(live, &start, NOW, &decision, &err), 0);
	ck_assert_int_eq(saga_decide(live, &reply, NOW, &decision, &err), 0);
	write_row(&decision, &row);
	ck_assert_msg(saga_state_apply_row(folded, NOW, row.data, row.len, &err) == 0, "%s: %s",
				  err.place, err.text);
	ck_assert_int_eq(folded->status, SAGA_COMPLETED);
	output = xstrdup(jval_text(folded->steps[0].output, NULL));
	decision_release(&decision);
	buf_release(&row);
	jval_unref(input);
	jval_unref(body);
	return output;
}

START_TEST(test_history__keeps_numbers)
{
	char *output = output_after("{\"price\":19.99,\"n\":9223372036854775807}");

	ck_assert_str_eq(output, "{\"price\":19.99,\"n\":9223372036854775807}");
	free(output);
}
END_TEST

START_TEST(test_history__is_readable_when_a_reply_has_a_key_twice)
{
	char *output = output_after("{\"a\":1,\"a\":2}");

	ck_assert_str_eq(output, "{\"a\":2}");
	free(output);
}
END_TEST

START_TEST(test_history__is_readable_when_a_reply_is_nested_to_the_limit)
{
	char answer[2 * JSON_MAX_DEPTH + 1] = "", *output;

	memset(answer, '[', JSON_MAX_DEPTH);
	memset(answer + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	output = output_after(answer);
	ck_assert_str_eq(output, answer);
	free(output);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tc = tcase_create("history");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_history__keeps_numbers);
	tcase_add_test(tc, test_history__is_readable_when_a_reply_has_a_key_twice);
	tcase_add_test(tc, test_history__is_readable_when_a_reply_is_nested_to_the_limit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
