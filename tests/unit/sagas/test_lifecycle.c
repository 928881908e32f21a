/*
 * Sagas that go every way are driven through the core, and what their transitions publish is held
 * against the schemas in schemas/events and against the history that tells of the same.
 */
#include "sagas/lifecycle.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/decide.h"
#include "sagas/json_text.h"
#include "sagas/schema.h"
#include "schemas/embedded.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"
enum { SEEDS = 300, INPUTS_MAX = 200, CALLS_MAX = 64 };

static struct schema *schemas[LIFECYCLE_TYPE_COUNT];
static struct saga_def *def;

static void set_up(void)
{
	for (int type = 0; type < LIFECYCLE_TYPE_COUNT; type++) {
		CLEANUP(free_p)
		char *path =
			xasprintf("schemas/events/%s.json", lifecycle_type_text((enum lifecycle_type)type));

		for (size_t i = 0; i < embedded_file_count; i++) {
			CLEANUP(json_decref_p) json_t *doc = NULL;
			struct err err = {0};

			if (strcmp(embedded_files[i].path, path) != 0)
				continue;
			ck_assert_msg(json_parse(embedded_files[i].data, embedded_files[i].len, &doc, &err) ==
							  0,
						  "%s: %s: %s", path, err.place, err.text);
			ck_assert_msg(schema_compile(doc, &schemas[type], &err) == 0, "%s: %s: %s", path,
						  err.place, err.text);
		}
		ck_assert_msg(schemas[type] != NULL, "there is no %s", path);
	}
	def = definition_must_load(KITCHEN_SINK);
	def->version = 3;
}

static void tear_down(void)
{
	for (int type = 0; type < LIFECYCLE_TYPE_COUNT; type++)
		schema_free(schemas[type]);
	saga_def_unref(def);
}

static void report(void *ctx, const struct err *err)
{
	buf_printf(ctx, "%s: %s\n", err->place, err->text);
}

static int type_by_text(const char *text)
{
	for (int type = 0; type < LIFECYCLE_TYPE_COUNT; type++) {
		if (strcmp(lifecycle_type_text((enum lifecycle_type)type), text) == 0)
			return type;
	}
	ck_abort_msg("no type %s", text);
	return -1;
}

/* Fits its schema, and says nothing that the schema does not describe. */
static json_t *check_event(const struct outbox_event *event)
{
	CLEANUP(buf_release) struct buf out = {0};
	const json_t *properties;
	const char *name;
	json_t *data, *value;
	struct err err = {0};
	int type = type_by_text(event->type);

	buf_init(&out, 0);
	ck_assert_msg(json_parse(event->payload, event->payload_len, &data, &err) == 0, "%s: %s",
				  event->payload, err.text);
	ck_assert_msg(schema_validate(schemas[type], data, report, &out) == 0, "%s %s\n%s", event->type,
				  event->payload, buf_str(&out));
	properties = json_object_get(schema_doc(schemas[type]), "properties");
	json_object_foreach (data, name, value)
		ck_assert_msg(json_object_get(properties, name) != NULL, "%s says `%s`: %s", event->type,
					  name, event->payload);
	ck_assert_str_eq(event->topic, "saga-events");
	ck_assert_str_eq(event->key, ID);
	return data;
}

struct run {
	struct saga_state *state;
	wall_ms now;
	int64_t seq;
	uint64_t random;
	struct command calls[CALLS_MAX];
	size_t n_calls;
	int seen[LIFECYCLE_TYPE_COUNT];
	int told[64]; /* by event type of the history */
};

static uint64_t next_random(struct run *run)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random;
}

static void publish(struct run *run, const struct decision *decision,
					const struct lifecycle_before *before)
{
	const struct outbox_origin origin = {"default", def->name, ID, ++run->seq, run->now};
	struct outbox outbox;
	struct err err;

	outbox_init(&outbox);
	ck_assert_int_eq(lifecycle_add(&outbox, &origin, "default", "saga-events", run->state, before,
								   decision->events, decision->n_events, &err),
					 0);
	for (size_t i = 0; i < outbox.n_events; i++) {
		json_t *data = check_event(&outbox.events[i]);

		ck_assert_int_eq(outbox.events[i].place, (int)i);
		ck_assert_int_eq(json_integer_value(json_object_get(data, "seq")), run->seq);
		ck_assert_str_eq(
			json_string_value(json_object_get(json_object_get(data, "saga"), "status")),
			saga_status_text(run->state->status));
		run->seen[type_by_text(outbox.events[i].type)]++;
		json_decref(data);
	}
	for (size_t i = 0; i < decision->n_events; i++)
		run->told[decision->events[i].type]++;
	outbox_release(&outbox);
}

static void decide(struct run *run, struct input *in)
{
	struct lifecycle_before before = lifecycle_before(run->state);
	struct decision decision;
	struct err err;

	decision_init(&decision);
	in->random = next_random(run);
	in->retry_after_ms = -1;
	if (saga_decide(run->state, in, run->now, &decision, &err) == 0 && decision.n_events > 0)
		publish(run, &decision, &before);
	for (size_t i = 0; i < decision.n_commands && run->n_calls < CALLS_MAX; i++)
		run->calls[run->n_calls++] = decision.commands[i];
	decision_release(&decision);
}

/* severity: how many of ten calls go wrong. */
static void answer(struct run *run, unsigned severity)
{
	static const int bad[] = {422, 500, 409, 503};
	size_t at = next_random(run) % run->n_calls;
	struct command call = run->calls[at];
	struct jval *body = jval_from_text(xstrdup("{\"id\":1,\"code\":\"soft\"}"), 22);
	struct input in = {
		.type = INPUT_REPLY,
		.step = call.step,
		.item = call.item,
		.kind = call.kind,
		.attempt = call.attempt,
		.result = CALL_ANSWERED,
		.http_status = next_random(run) % 10 < severity ? bad[next_random(run) % 4] : 200,
		.body = body,
	};

	run->calls[at] = run->calls[--run->n_calls];
	decide(run, &in);
	jval_unref(body);
}

static void drive(struct run *run, unsigned severity)
{
	static const char *const inputs[] = {KITCHEN_SINK_INPUT,
										 "{\"list\":[],\"flag\":false,\"turns\":0}"};
	const char *input = inputs[next_random(run) % 4 == 0];
	struct jval *value = jval_from_text(xstrdup(input), strlen(input));
	struct input start = {.type = INPUT_START, .ns = "default", .value = value};
	const struct act terminate = {.kind = ACT_TERMINATE, .item = -1, .by = "ana"};
	const struct act cancel = {.kind = ACT_CANCEL, .item = -1, .by = "ana"};
	struct input end = {.type = INPUT_ACT, .act = &terminate};

	run->state = saga_state_new(def, ID);
	if (next_random(run) % 2)
		start.key = "o-1";
	decide(run, &start);
	for (int i = 0; i < INPUTS_MAX && !saga_status_is_terminal(run->state->status); i++) {
		struct input in = {.type = INPUT_TIMER, .act = &cancel};
		wall_ms due = saga_state_next_due(run->state);

		if (run->n_calls > 0 && next_random(run) % 4) {
			answer(run, severity);
			continue;
		}
		if (next_random(run) % 100 == 0)
			in.type = INPUT_ACT;
		if (due > run->now)
			run->now = due;
		decide(run, &in);
	}
	if (!saga_status_is_terminal(run->state->status))
		decide(run, &end);
	jval_unref(value);
	saga_state_free(run->state);
}

/* Each event that matters is told exactly once, and nothing else is. */
static void check_counts(const struct run *run)
{
	ck_assert_int_eq(run->seen[LIFE_SAGA_STARTED], run->told[EV_SAGA_STARTED]);
	ck_assert_int_eq(run->seen[LIFE_SAGA_COMPLETED], run->told[EV_SAGA_COMPLETED]);
	ck_assert_int_eq(run->seen[LIFE_SAGA_COMPENSATING], run->told[EV_SAGA_COMPENSATING]);
	ck_assert_int_eq(run->seen[LIFE_SAGA_COMPENSATED], run->told[EV_SAGA_COMPENSATED]);
	ck_assert_int_eq(run->seen[LIFE_SAGA_TERMINATED], run->told[EV_SAGA_TERMINATED]);
	ck_assert_int_ge(run->seen[LIFE_STEP_COMPLETED], run->told[EV_STEP_COMPLETED]);
	ck_assert_int_le(run->seen[LIFE_STEP_COMPLETED],
					 run->told[EV_STEP_COMPLETED] + run->told[EV_STEP_SETTLED]);
	ck_assert_int_eq(run->seen[LIFE_STEP_FAILED], run->told[EV_STEP_FAILED]);
	ck_assert_int_eq(run->seen[LIFE_STEP_SKIPPED], run->told[EV_STEP_SKIPPED]);
	ck_assert_int_eq(run->seen[LIFE_STEP_PARKED], run->told[EV_STEP_PARKED]);
	ck_assert_int_eq(run->seen[LIFE_COMPENSATION_COMPLETED], run->told[EV_COMPENSATION_COMPLETED]);
	ck_assert_int_eq(run->seen[LIFE_COMPENSATION_FAILED], run->told[EV_COMPENSATION_FAILED]);
}

START_TEST(test_lifecycle__tells_of_every_way_as_the_schemas_say)
{
	int seen[LIFECYCLE_TYPE_COUNT] = {0};

	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct run run = {.now = NOW, .random = seed * UINT64_C(0x9e3779b97f4a7c15)};

		drive(&run, seed % 8);
		check_counts(&run);
		for (int type = 0; type < LIFECYCLE_TYPE_COUNT; type++)
			seen[type] += run.seen[type];
	}
	for (int type = 0; type < LIFECYCLE_TYPE_COUNT; type++) {
		if (type == LIFE_SAGA_FAILED) /* not reached by this definition, see below */
			continue;
		ck_assert_msg(seen[type] > 0, "no %s in %d sagas",
					  lifecycle_type_text((enum lifecycle_type)type), SEEDS);
	}
}
END_TEST

/* A transition of a state that is made up; what it publishes. */
static void add_one(struct saga_state *state, const struct lifecycle_before *before,
					const struct event *events, size_t n, struct outbox *ret)
{
	const struct outbox_origin origin = {"default", def->name, ID, 2, NOW};
	struct err err;

	outbox_init(ret);
	ck_assert_int_eq(
		lifecycle_add(ret, &origin, "default", "saga-events", state, before, events, n, &err), 0);
}

START_TEST(test_lifecycle__keeps_the_order_of_the_history)
{
	static const enum event_type types[] = {EV_SAGA_STARTED,       EV_STEP_SCHEDULED,
											EV_STEP_SKIPPED,       EV_STEP_COMPLETED,
											EV_COMPENSATION_ARMED, EV_SAGA_COMPENSATING};
	static const char *const expected[] = {"skald.saga.started", "skald.step.skipped",
										   "skald.step.completed", "skald.saga.compensating"};
	struct saga_state *state = saga_state_new(def, ID);
	const struct lifecycle_before before = lifecycle_before(state);
	struct event events[ARRAY_SIZE(types)];
	struct outbox outbox;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		event_init(&events[i], types[i]);
		events[i].step = i == 0 ? -1 : 1;
	}
	events[5].code = xstrdup("no");
	add_one(state, &before, events, ARRAY_SIZE(events), &outbox);
	ck_assert_uint_eq(outbox.n_events, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		ck_assert_str_eq(outbox.events[i].type, expected[i]);
		json_decref(check_event(&outbox.events[i]));
	}
	outbox_release(&outbox);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		event_release(&events[i]);
	saga_state_free(state);
}
END_TEST

/* Not again for each line of the same trouble; but that undo is stuck is told in any case. */
START_TEST(test_lifecycle__asks_for_attention_once)
{
	struct saga_state *state = saga_state_new(def, ID);
	struct lifecycle_before before = lifecycle_before(state);
	struct outbox outbox;
	json_t *data;

	state->attention.text = xstrdup("step charge: \"declined\"");
	add_one(state, &before, NULL, 0, &outbox);
	ck_assert_uint_eq(outbox.n_events, 1);
	ck_assert_str_eq(outbox.events[0].type, "skald.saga.attention");
	data = check_event(&outbox.events[0]);
	ck_assert_str_eq(json_string_value(json_object_get(data, "reason")),
					 "step charge: \"declined\"");
	json_decref(data);
	outbox_release(&outbox);

	before = lifecycle_before(state);
	add_one(state, &before, NULL, 0, &outbox);
	ck_assert_uint_eq(outbox.n_events, 0);
	outbox_release(&outbox);

	state->status = SAGA_COMPENSATION_FAILED;
	add_one(state, &before, NULL, 0, &outbox);
	ck_assert_uint_eq(outbox.n_events, 1);
	ck_assert_str_eq(outbox.events[0].type, "skald.saga.attention");
	outbox_release(&outbox);
	saga_state_free(state);
}
END_TEST

START_TEST(test_lifecycle__tells_of_a_failed_saga)
{
	struct saga_state *state = saga_state_new(def, ID);
	struct lifecycle_before before = lifecycle_before(state);
	struct outbox outbox;

	state->status = SAGA_FAILED;
	state->failure_code = xstrdup("no");
	add_one(state, &before, NULL, 0, &outbox);
	ck_assert_uint_eq(outbox.n_events, 1);
	ck_assert_str_eq(outbox.events[0].type, "skald.saga.failed");
	json_decref(check_event(&outbox.events[0]));
	outbox_release(&outbox);
	before = lifecycle_before(state);
	add_one(state, &before, NULL, 0, &outbox);
	ck_assert_uint_eq(outbox.n_events, 0);
	outbox_release(&outbox);
	saga_state_free(state);
}
END_TEST

/* Inputs, outputs and requests are the saga's own business. */
START_TEST(test_lifecycle__carries_no_payloads)
{
	struct saga_state *state = saga_state_new(def, ID);
	struct lifecycle_before before = lifecycle_before(state);
	struct event events[2];
	struct outbox outbox;

	event_init(&events[0], EV_SAGA_STARTED);
	event_init(&events[1], EV_STEP_COMPLETED);
	events[1].step = 1;
	for (int i = 0; i < 2; i++)
		events[i].value = jval_from_text(xstrdup("\"PAYLOAD\""), 9);
	add_one(state, &before, events, 2, &outbox);
	ck_assert_uint_eq(outbox.n_events, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_ptr_null(strstr(outbox.events[i].payload, "PAYLOAD"));
		event_release(&events[i]);
	}
	outbox_release(&outbox);
	saga_state_free(state);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lifecycle");
	TCase *tc = tcase_create("lifecycle");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_lifecycle__tells_of_every_way_as_the_schemas_say);
	tcase_add_test(tc, test_lifecycle__keeps_the_order_of_the_history);
	tcase_add_test(tc, test_lifecycle__asks_for_attention_once);
	tcase_add_test(tc, test_lifecycle__tells_of_a_failed_saga);
	tcase_add_test(tc, test_lifecycle__carries_no_payloads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
