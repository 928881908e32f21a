/*
 * What an act would do, and the ledger of what is owed, over sagas that are decided here and then
 * folded from the history that this gives.
 */
#include "coordinator/dry_run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/ledger.h"
#include "sagas/state_json.h"
#include "tests/support/definition.h"
#include "tests/support/openapi_schema.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"

#define TWO_UNDOABLE                                                                               \
	"saga: three\n"                                                                                \
	"participants:\n"                                                                              \
	"  svc: {timeout: 1s}\n"                                                                       \
	"steps:\n"                                                                                     \
	"  - id: a\n"                                                                                  \
	"    http: {to: svc, method: POST, path: /a}\n"                                                \
	"    compensate:\n"                                                                            \
	"      http: {to: svc, method: DELETE, path: /a, body: {why: \"${saga.failure.code}\"}}\n"     \
	"  - id: b\n"                                                                                  \
	"    http: {to: svc, method: POST, path: /b}\n"                                                \
	"    compensate:\n"                                                                            \
	"      http: {to: svc, method: DELETE, path: /b}\n"

static const char three_yaml[] = TWO_UNDOABLE "  - id: c\n"
											  "    pivot: true\n"
											  "    http: {to: svc, method: POST, path: /c}\n"
											  "  - id: d\n"
											  "    http: {to: svc, method: POST, path: /d}\n";

static const char nap_yaml[] = TWO_UNDOABLE "  - id: nap\n"
											"    await: {after: 1h}\n";

static const char kafka_yaml[] =
	"saga: kafka\n"
	"steps:\n"
	"  - id: a\n"
	"    command: {to: credit, key: k, type: Reserve, data: {n: 1}}\n"
	"    compensate: {command: {to: credit, key: k, type: Release}}\n"
	"  - id: b\n"
	"    emit: {topic: orders.placed, type: OrderPlaced}\n"
	"    compensate: {emit: {topic: orders.withdrawn, type: OrderWithdrawn}}\n"
	"  - id: c\n"
	"    await: {kafka: t, correlate: {from: '${event.data}', expect: x}}\n"
	"on_compensated:\n"
	"  - {id: d, emit: {topic: orders.rejected, type: OrderRejected}}\n";

static struct saga_def *def;
static struct buf out;
static struct err err;

static void use(const char *yaml)
{
	saga_def_unref(def);
	def = definition_must_load(yaml);
	def->version = 1;
}

static void setup(void)
{
	def = NULL;
	use(three_yaml);
	buf_init(&out, 0);
}

static void teardown(void)
{
	saga_def_unref(def);
	buf_release(&out);
}

/* Appends the events of a decision to the history, and forgets them. */
static void record(struct decision *decision, json_t *history)
{
	struct buf text;

	buf_init(&text, 0);
	for (size_t i = 0; i < decision->n_events; i++) {
		buf_clear(&text);
		event_write(&decision->events[i], def, &text);
		json_array_append_new(history, json_loads(buf_str(&text), 0, NULL));
	}
	buf_release(&text);
}

/* The saga after its first n calls have succeeded, as its history tells it. */
static struct saga_state *after(int n)
{
	struct saga_state *live = saga_state_new(def, ID), *folded = saga_state_new(def, ID);
	struct jval *input = jval_from_json(json_object());
	struct jval *body = jval_from_json(json_object());
	struct input start = {.type = INPUT_START, .ns = "default", .value = input};
	json_t *history = json_array();
	struct decision decision;
	char *text;

	decision_init(&decision);
	ck_assert_int_eq(saga_decide(live, &start, NOW, &decision, &err), 0);
	for (int i = 0; i < n; i++) {
		struct input reply = {.type = INPUT_REPLY,
							  .step = i,
							  .item = -1,
							  .kind = CALL_DO,
							  .attempt = 1,
							  .result = CALL_ANSWERED,
							  .http_status = def->steps[i].act.kind == ACTION_HTTP ? 200 : 0,
							  .said = OUTCOME_SUCCESS,
							  .body = body,
							  .retry_after_ms = -1};

		ck_assert_int_eq(saga_decide(live, &reply, NOW, &decision, &err), 0);
	}
	record(&decision, history);
	text = json_dumps(history, JSON_COMPACT);
	ck_assert_msg(saga_state_apply_row(folded, NOW, text, strlen(text), &err) == 0, "%s", err.text);
	free(text);
	json_decref(history);
	decision_release(&decision);
	saga_state_free(live);
	jval_unref(input);
	jval_unref(body);
	return folded;
}

static json_t *dry(struct saga_state *state, enum act_kind kind)
{
	struct act act = {.kind = kind, .item = -1, .by = "me", .reason = "test"};
	json_t *json;

	ck_assert_msg(dry_run(state, &act, NOW, &out, &err) == 0, "%s", err.text);
	json = json_loads(buf_str(&out), 0, NULL);
	ck_assert_msg(openapi_violations("DryRun", json) == 0, "%s", buf_str(&out));
	return json;
}

static const char *call_step(const json_t *json, const char *list, size_t i)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(json, list), i), "step"));
}

START_TEST(test_dry_run__shows_what_is_waited_for_before_the_undo)
{
	struct saga_state *state = after(1);
	json_t *json = dry(state, ACT_CANCEL);

	ck_assert_str_eq(call_step(json, "in_flight", 0), "b");
	ck_assert_str_eq(json_string_value(json_object_get(json, "act")), "cancel");
	json_decref(json);
	saga_state_free(state);
}
END_TEST

/* Nothing is in flight while the saga naps, so the whole way back comes into sight. */
START_TEST(test_dry_run__shows_every_undo_in_its_order)
{
	struct saga_state *state;
	json_t *json;

	use(nap_yaml);
	state = after(2);
	json = dry(state, ACT_CANCEL);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "in_flight")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "calls")), 2);
	ck_assert_str_eq(call_step(json, "calls", 0), "b");
	ck_assert_str_eq(call_step(json, "calls", 1), "a");
	json_decref(json);
	saga_state_free(state);
}
END_TEST

static const char *call_text(const json_t *json, const char *list, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(json, list), i), name));
}

START_TEST(test_dry_run__shows_what_goes_through_kafka)
{
	struct saga_state *state;
	json_t *json;

	use(kafka_yaml);
	state = after(1);
	json = saga_state_json(state, NOW);
	ck_assert_int_eq(openapi_violations("Saga", json), 0);
	json_decref(json);
	json = dry(state, ACT_CANCEL);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "calls")), 3);
	ck_assert_str_eq(call_text(json, "calls", 0, "via"), "emit");
	ck_assert_str_eq(call_text(json, "calls", 0, "type"), "OrderWithdrawn");
	ck_assert_str_eq(call_text(json, "calls", 1, "via"), "command");
	ck_assert_str_eq(call_text(json, "calls", 1, "record_key"), "k");
	ck_assert_str_eq(call_text(json, "calls", 1, "key"), ID "/a/undo");
	ck_assert_str_eq(call_text(json, "calls", 2, "topic"), "orders.rejected");
	json_decref(json);
	saga_state_free(state);

	/* A command that is out is waited for, published or not. */
	for (int i = 0; i < 2; i++) {
		buf_clear(&out);
		state = after(0);
		if (i == 1) {
			const char *row = "[{\"n\":27,\"step\":\"a\",\"attempt\":1,\"due_at\":1767225630000}]";

			ck_assert_int_eq(saga_state_apply_row(state, NOW, row, strlen(row), &err), 0);
		}
		json = saga_state_json(state, NOW);
		ck_assert_str_eq(json_string_value(json_object_get(
							 json_array_get(json_object_get(json, "steps"), 0), "status")),
						 "awaiting_reply");
		json_decref(json);
		json = dry(state, ACT_CANCEL);
		ck_assert_uint_eq(json_array_size(json_object_get(json, "in_flight")), 1);
		ck_assert_str_eq(call_text(json, "in_flight", 0, "type"), "Reserve");
		ck_assert_uint_eq(json_array_size(json_object_get(json, "calls")), 0);
		json_decref(json);
		saga_state_free(state);
	}
}
END_TEST

START_TEST(test_dry_run__terminate_undoes_nothing)
{
	struct saga_state *state;
	json_t *json;

	use(nap_yaml);
	state = after(2);
	json = dry(state, ACT_TERMINATE);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "calls")), 0);
	ck_assert_str_eq(json_string_value(json_object_get(json, "status")), "terminated");
	json_decref(json);
	saga_state_free(state);
}
END_TEST

START_TEST(test_dry_run__refuses_what_would_be_refused)
{
	struct saga_state *state = after(3);
	struct act act = {.kind = ACT_CANCEL, .item = -1, .by = "me", .reason = "test"};

	ck_assert_int_eq(dry_run(state, &act, NOW, &out, &err), ERR_CONFLICT);
	saga_state_free(state);
}
END_TEST

/* As its owner would say it: b is with its participant, though the history does not tell. */
START_TEST(test_dry_run__knows_which_calls_are_out)
{
	struct saga_state *state = after(1);
	struct act act;

	act_init(&act, ACT_STEP_COMPLETE);
	act.step = (char *)"b";
	ck_assert_int_eq(dry_run(state, &act, NOW, &out, &err), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(err.text, "is out"));
	saga_state_free(state);
}
END_TEST

START_TEST(test_dry_run__shows_an_act_on_a_step)
{
	struct saga_state *state;
	struct act act;
	json_t *json;

	use(nap_yaml);
	state = after(2);
	act_init(&act, ACT_STEP_COMPLETE);
	act.step = (char *)"nap";
	ck_assert_msg(dry_run(state, &act, NOW, &out, &err) == 0, "%s", err.text);
	json = json_loads(buf_str(&out), 0, NULL);
	ck_assert_int_eq(openapi_violations("DryRun", json), 0);
	ck_assert_str_eq(json_string_value(json_object_get(json, "act")), "complete");
	ck_assert_str_eq(json_string_value(json_object_get(json, "step")), "nap");
	ck_assert(json_is_false(json_object_get(json, "compensation")));
	ck_assert_str_eq(json_string_value(json_object_get(json, "status")), "completed");
	json_decref(json);
	saga_state_free(state);
}
END_TEST

static json_t *ledger(struct saga_state *state)
{
	json_t *json;

	buf_clear(&out);
	ledger_write(state, NOW, &out);
	json = json_loads(buf_str(&out), 0, NULL);
	ck_assert_msg(openapi_violations("Ledger", json) == 0, "%s", buf_str(&out));
	return json;
}

static json_int_t owed(const json_t *json)
{
	return json_integer_value(json_object_get(json, "owed"));
}

START_TEST(test_ledger__owes_nothing_while_all_goes_well)
{
	for (int n = 0; n <= 4; n++) {
		struct saga_state *state = after(n);
		json_t *json = ledger(state), *whole = saga_state_json(state, NOW);

		ck_assert_int_eq(owed(json), 0);
		ck_assert_uint_eq(json_array_size(json_object_get(json, "ledger")), n < 4 ? n + 1 : 4);
		ck_assert_int_eq(openapi_violations("Saga", whole), 0);
		json_decref(whole);
		json_decref(json);
		saga_state_free(state);
	}
}
END_TEST

START_TEST(test_ledger__owes_what_a_terminated_saga_left_undone)
{
	struct saga_state *state = after(2);
	struct act act = {.kind = ACT_TERMINATE, .item = -1, .by = "me", .reason = "test"};
	struct input in = {.type = INPUT_ACT, .act = &act};
	struct decision decision;
	json_t *json, *row;

	decision_init(&decision);
	ck_assert_int_eq(saga_decide(state, &in, NOW, &decision, &err), 0);
	decision_release(&decision);
	json = ledger(state);
	ck_assert_int_ge(owed(json), 2);
	row = json_array_get(json_object_get(json, "ledger"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(row, "step")), "a");
	ck_assert(json_is_true(json_object_get(row, "owed")));
	json_decref(json);
	saga_state_free(state);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dry_run");
	TCase *tc = tcase_create("dry_run");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_dry_run__shows_what_is_waited_for_before_the_undo);
	tcase_add_test(tc, test_dry_run__shows_every_undo_in_its_order);
	tcase_add_test(tc, test_dry_run__shows_what_goes_through_kafka);
	tcase_add_test(tc, test_dry_run__terminate_undoes_nothing);
	tcase_add_test(tc, test_dry_run__refuses_what_would_be_refused);
	tcase_add_test(tc, test_dry_run__knows_which_calls_are_out);
	tcase_add_test(tc, test_dry_run__shows_an_act_on_a_step);
	tcase_add_test(tc, test_ledger__owes_nothing_while_all_goes_well);
	tcase_add_test(tc, test_ledger__owes_what_a_terminated_saga_left_undone);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
