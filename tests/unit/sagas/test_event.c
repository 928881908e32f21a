/* Events keep their bytes: what version 1 wrote is written so for ever, and read back whole. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/event.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"

#define GOLDEN "tests/golden/events-v1.jsonl"

static struct saga_def *def;

static void setup(void)
{
	def = definition_must_load(
		"saga: one\n"
		"steps:\n"
		"  - {id: a, http: {to: svc, method: POST, path: /a}, compensate: none}\n"
		"  - {id: b, await: {after: 5s}}\n");
}

static void teardown(void)
{
	saga_def_unref(def);
}

/* An event in which every field that a type may have is set. */
static void make_event(enum event_type type, struct event *event)
{
	struct request *request;
	struct err err;
	json_t *json;

	event_init(event, type);
	event->at = 1000;
	if (type == EV_SAGA_STARTED) {
		event->name = xstrdup("one");
		event->version = 3;
		event->ns = xstrdup("default");
		event->id = xstrdup("0198c0de-7a31-7abc-bf11-223344556677");
		event->key = xstrdup("k \"1\" \xc3\xa9\n");
		event->deadline_at = 1767225600000;
		event->value = jval_from_json(json_pack("{s:f, s:I, s:n}", "price", 19.99, "n",
												(json_int_t)9223372036854775807, "none"));
		return;
	}
	event->step = type % 2;
	event->item = type % 3 - 1;
	event->outcome = (enum outcome)(type % (OUTCOME_DEFAULT + 1));
	event->side = type == EV_REPLY_IGNORED ? SIDE_UNDO : SIDE_DO;
	event->ambiguous = type % 2;
	event->tolerated = type == EV_STEP_FAILED;
	event->http_status = 200 + type;
	event->attempt = type;
	event->due_at = 1767225600000 + type;
	event->settle_at = 1767225700000;
	event->code = xstrdup("out_of_stock");
	event->message = xstrdup("none left \xf0\x9f\x8d\xb5");
	event->by = xstrdup("ann");
	event->reason = xstrdup("because");
	if (type == EV_ESCALATED)
		event->escalate_at = 1700000005;
	if (type != EV_STEP_SCHEDULED && type != EV_COMPENSATION_ARMED)
		return;
	json = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:{s:f}}", "to", "svc", "method", "POST", "path",
					 "/a?x=%20", "key", "k/a/do", "headers", "X-A: 1", "body", "p", 0.1);
	ck_assert_int_eq(request_from_json(json, &request, &err), 0);
	json_decref(json);
	event->request = request;
}

static void write_all(struct buf *out)
{
	static const enum event_type types[] = {
#define X(name, number, text) name,
		EVENT_TYPES(X)
#undef X
	};
	struct event event;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		make_event(types[i], &event);
		event_write(&event, def, out);
		buf_add_char(out, '\n');
		event_release(&event);
	}
}

START_TEST(test_event__is_written_as_version_1_wrote_it)
{
	static char golden[65536];
	struct buf out;
	FILE *file;
	size_t len;

	buf_init(&out, 0);
	write_all(&out);
	if (getenv("RECORD")) {
		file = fopen(GOLDEN, "w");
		ck_assert_ptr_nonnull(file);
		ck_assert_uint_eq(fwrite(out.data, 1, out.len, file), out.len);
		fclose(file);
	}
	file = fopen(GOLDEN, "r");
	ck_assert_msg(file != NULL, "run from the root of the project");
	len = fread(golden, 1, sizeof(golden) - 1, file);
	fclose(file);
	golden[len] = '\0';
	ck_assert_str_eq(buf_str(&out), golden);
	buf_release(&out);
}
END_TEST

START_TEST(test_event__is_read_back_whole)
{
	struct buf first, second;
	char *line, *save = NULL;

	buf_init(&first, 0);
	buf_init(&second, 0);
	write_all(&first);
	for (line = strtok_r(first.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct event event;
		json_t *json;
		struct err err;

		ck_assert_int_eq(json_parse(line, strlen(line), &json, &err), 0);
		ck_assert_int_eq(event_from_json(json, def, 1000, &event, &err), 0);
		ck_assert_int_eq(event.at, 1000);
		buf_clear(&second);
		event_write(&event, def, &second);
		ck_assert_str_eq(buf_str(&second), line);
		event_release(&event);
		json_decref(json);
	}
	buf_release(&first);
	buf_release(&second);
}
END_TEST

START_TEST(test_event__numbers_are_never_given_twice)
{
	static const int numbers[] = {
#define X(name, number, text) number,
		EVENT_TYPES(X)
#undef X
	};

	for (size_t i = 1; i < ARRAY_SIZE(numbers); i++)
		ck_assert_int_gt(numbers[i], numbers[i - 1]);
	ck_assert_int_eq(EV_ACT_TAKEN, 28);
	ck_assert_int_eq(EV_ESCALATED, 31);
	ck_assert_int_eq(EV_CHILD_STARTED, 30);
	ck_assert_str_eq(event_type_text(EV_STEP_COMPLETED), "StepCompleted");
}
END_TEST

static const struct {
	const char *json, *error;
} wrong[] = {
	{"[]", "number `n`"},
	{"null", "number `n`"},
	{"{}", "number `n`"},
	{"{\"n\":\"3\"}", "number `n`"},
	{"{\"n\":0}", "unknown event number 0"},
	{"{\"n\":-1}", "unknown event number -1"},
	{"{\"n\":99999999999}", "unknown event number"},
	{"{\"n\":3,\"v\":2}", "newer"},
	{"{\"n\":3,\"step\":\"zzz\"}", "no step `zzz`"},
	{"{\"n\":3,\"step\":\"a\",\"item\":-1}", "`item`"},
	{"{\"n\":3,\"step\":\"a\",\"item\":1000}", "`item`"},
	{"{\"n\":3,\"step\":\"a\",\"item\":\"0\"}", "`item`"},
	{"{\"n\":4,\"step\":\"a\",\"outcome\":\"perhaps\"}", "unknown outcome"},
	{"{\"n\":2,\"step\":\"a\",\"request\":{}}", "a request needs"},
	{"{\"n\":2,\"step\":\"a\",\"request\":[1]}", "a request needs"},
	{"{\"n\":2,\"step\":\"a\",\"request\":{\"to\":\"a\",\"method\":\"b\",\"path\":\"/"
	 "\",\"key\":\"k\","
	 "\"headers\":[1]}}",
	 "must be a string"},
};

START_TEST(test_event__refuses_what_is_not_one)
{
	struct event event;
	struct err err;
	json_t *json;

	ck_assert_int_eq(json_parse(wrong[_i].json, strlen(wrong[_i].json), &json, &err), 0);
	ck_assert_int_eq(event_from_json(json, def, 1, &event, &err), ERR_INVALID);
	ck_assert_msg(strstr(err.text, wrong[_i].error) != NULL, "%s: %s", wrong[_i].json, err.text);
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tc = tcase_create("event");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_event__is_written_as_version_1_wrote_it);
	tcase_add_test(tc, test_event__is_read_back_whole);
	tcase_add_test(tc, test_event__numbers_are_never_given_twice);
	tcase_add_loop_test(tc, test_event__refuses_what_is_not_one, 0, ARRAY_SIZE(wrong));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
