#include "sagas/trigger.h"

#include <check.h>
#include <string.h>

#include "sagas/id.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	struct err err;

	ck_assert_msg(json_parse(text, strlen(text), &value, &err) == 0, "%s in %s", err.text, text);
	return value;
}

/* A definition with one trigger, whose keys are given, and more of the document. */
static struct saga_def *with_trigger(const char *keys, const char *more)
{
	CLEANUP(buf_release) struct buf yaml;

	buf_init(&yaml, 0);
	buf_printf(&yaml, "saga: x\nstart_on: [{kafka: t%s}]\nsteps: [{id: a, set: 1}]\n%s", keys,
			   more);
	return definition_must_load(buf_str(&yaml));
}

static void run(const char *keys, const char *more, const char *event_text,
				struct trigger_result *ret)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = with_trigger(keys, more);
	CLEANUP(json_decref_p) json_t *event = parse(event_text);

	trigger_start(def, &def->triggers[0], event, ret);
}

#define SCHEMA                                                                                     \
	"input: {schema: {type: object, required: [id], properties: {id: {type: integer}}}}\n"

static const struct {
	const char *keys, *more, *event, *input, *key;
} starts[] = {
	/* Without a word it is the data, and the key is nobody's. */
	{"", "", "{\"data\":{\"id\":7}}", "{\"id\":7}", NULL},
	{"", "", "{}", "null", NULL},
	{", input: \"${event.data}\"", "", "{\"data\":{\"id\":19.99}}", "{\"id\":19.99}", NULL},
	{", input: \"${event.?data}\"", "", "{}", "null", NULL},
	{", input: {order: \"${event.data.id}\", by: \"${event.headers.by}\"}", "",
	 "{\"data\":{\"id\":7},\"headers\":{\"by\":\"web\"}}", "{\"order\":7,\"by\":\"web\"}", NULL},
	{", when: \"${event.data.n > 0}\"", "", "{\"data\":{\"n\":1}}", "{\"n\":1}", NULL},
	/* The trigger's key, else the definition's over the input. */
	{", key: \"${event.key}\"", "key: \"k:${input.id}\"\n", "{\"data\":{\"id\":7},\"key\":\"a\"}",
	 "{\"id\":7}", "a"},
	{"", "key: \"k:${input.id}\"\n", "{\"data\":{\"id\":7}}", "{\"id\":7}", "k:7"},
	{", input: {id: 5}", "key: \"${input.id}\"\n", "{\"data\":{\"id\":7}}", "{\"id\":5}", "5"},
	{"", SCHEMA, "{\"data\":{\"id\":7}}", "{\"id\":7}", NULL},
};

START_TEST(test_trigger__starts)
{
	struct trigger_result result;
	CLEANUP(buf_release) struct buf input;

	run(starts[_i].keys, starts[_i].more, starts[_i].event, &result);
	ck_assert_msg(result.verdict == TRIGGER_START, "%s: %s", result.err.place, result.err.text);
	buf_init(&input, 0);
	json_write(result.input, &input);
	ck_assert_str_eq(buf_str(&input), starts[_i].input);
	if (starts[_i].key)
		ck_assert_str_eq(result.key, starts[_i].key);
	else
		ck_assert_ptr_null(result.key);
	trigger_result_release(&result);
}
END_TEST

static const struct {
	const char *keys, *more, *event, *code, *place, *part;
} poisons[] = {
	{", when: \"${event.data.n > 0}\"", "", "{\"data\":{}}", "expression_error",
	 "/start_on/0/when, column 1", "n"},
	{", when: \"${event.data}\"", "", "{\"data\":1}", "expression_error", "/start_on/0/when",
	 "true or false"},
	{", when: \"${event.?data}\"", "", "{}", "expression_error", "/start_on/0/when",
	 "true or false"},
	{", input: {a: {b: \"${event.data.id}\"}}", "", "{\"data\":{}}", "expression_error",
	 "/start_on/0/input/a/b", "id"},
	{"", SCHEMA, "{\"data\":{\"id\":\"7\"}}", "invalid_input", "/input/id",
	 "schema of x in 1 place"},
	{"", SCHEMA, "{}", "invalid_input", "/input", "schema of x in 1 place"},
	{", key: \"${event.key}\"", "", "{\"key\":null}", "key_invalid", "/start_on/0/key, column 1",
	 "null"},
	{", key: \"${event.?key}\"", "", "{}", "key_invalid", "/start_on/0/key", "nothing"},
	{", key: \"${event.key}\"", "", "{\"key\":\"\"}", "key_invalid", "/start_on/0/key",
	 "not empty"},
	{", key: \"${event.key}\"", "", "{\"key\":\"a\\u0001\"}", "key_invalid", "/start_on/0/key",
	 "control characters"},
	{"", "key: \"${input.id}\"\n", "{\"data\":{}}", "key_invalid", "/key, column 1", "id"},
};

START_TEST(test_trigger__says_why_a_record_is_poison)
{
	struct trigger_result result;

	run(poisons[_i].keys, poisons[_i].more, poisons[_i].event, &result);
	ck_assert_int_eq(result.verdict, TRIGGER_POISON);
	ck_assert_str_eq(trigger_fault_code(result.fault), poisons[_i].code);
	ck_assert_str_eq(result.err.place, poisons[_i].place);
	ck_assert_msg(strstr(result.err.text, poisons[_i].part) != NULL, "%s", result.err.text);
	trigger_result_release(&result);
}
END_TEST

START_TEST(test_trigger__skips_what_it_does_not_want)
{
	struct trigger_result result;

	/* Neither the input nor its schema are looked at. */
	run(", when: \"${event.type == 'a'}\", input: \"${event.data.x.y}\"", SCHEMA,
		"{\"type\":\"b\"}", &result);
	ck_assert_int_eq(result.verdict, TRIGGER_SKIP);
	trigger_result_release(&result);
}
END_TEST

START_TEST(test_trigger__names_the_entry)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: x\nstart_on: [{kafka: t}, {kafka: u, input: \"${event.data.x}\"}]\n"
		"steps: [{id: a, set: 1}]\n");
	CLEANUP(json_decref_p) json_t *event = parse("{\"data\":{}}");
	struct trigger_result result;

	trigger_start(def, &def->triggers[1], event, &result);
	ck_assert_int_eq(result.verdict, TRIGGER_POISON);
	ck_assert_str_eq(result.err.place, "/start_on/1/input, column 1");
	trigger_result_release(&result);
}
END_TEST

START_TEST(test_trigger__limits_keys)
{
	char event[400], key[KEY_MAX_BYTES + 2];
	struct trigger_result result;

	for (int more = 0; more < 2; more++) {
		memset(key, 'k', sizeof(key));
		key[KEY_MAX_BYTES + more] = '\0';
		snprintf(event, sizeof(event), "{\"key\":\"%s\"}", key);
		run(", key: \"${event.key}\"", "", event, &result);
		ck_assert_int_eq(result.verdict, more ? TRIGGER_POISON : TRIGGER_START);
		if (more)
			ck_assert_int_eq(result.fault, TRIGGER_KEY_INVALID);
		else
			ck_assert_str_eq(result.key, key);
		trigger_result_release(&result);
	}
}
END_TEST

static const struct {
	const char *value, *text; /* NULL: none */
} values[] = {
	{"\"a b\"", "a b"}, {"\"7\"", "7"},     {"7", "7"},
	{"-7", "-7"},       {"7.0", "7"}, /* equal in an expression, so also here */
	{"-0.0", "0"},      {"19.99", "19.99"}, {"true", "true"},
	{"false", "false"}, {"null", NULL},     {"\"\"", NULL},
	{"[1]", NULL},      {"{}", NULL},       {"\"\xc3\xa9\"", "\xc3\xa9"},
};

START_TEST(test_trigger__writes_values)
{
	CLEANUP(json_decref_p) json_t *value = parse(values[_i].value);
	char text[CORRELATE_VALUE_SIZE] = "";
	struct err err;
	int r = correlate_text(value, text, &err);

	ck_assert_int_eq(r, values[_i].text ? 0 : ERR_INVALID);
	if (values[_i].text)
		ck_assert_str_eq(text, values[_i].text);
}
END_TEST

START_TEST(test_trigger__limits_values)
{
	char bytes[CORRELATE_VALUE_SIZE + 1], text[CORRELATE_VALUE_SIZE];
	struct err err;

	memset(bytes, 'v', sizeof(bytes));
	for (size_t len = CORRELATE_VALUE_SIZE - 1; len <= CORRELATE_VALUE_SIZE; len++) {
		CLEANUP(json_decref_p) json_t *value = json_stringn(bytes, len);
		int r = correlate_text(value, text, &err);

		ck_assert_int_eq(r, len < CORRELATE_VALUE_SIZE ? 0 : ERR_LIMIT);
	}
	ck_assert_uint_eq(strlen(text), CORRELATE_VALUE_SIZE - 1);
	ck_assert_int_eq(correlate_text(NULL, text, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_trigger__refuses_a_nul_in_a_value)
{
	CLEANUP(json_decref_p) json_t *value = json_stringn("a\0b", 3);
	char text[CORRELATE_VALUE_SIZE];
	struct err err;

	ck_assert_ptr_nonnull(value);
	ck_assert_int_eq(correlate_text(value, text, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_trigger__finds_the_value_of_an_event)
{
	CLEANUP(saga_def_unref_p)
	struct saga_def *def = definition_must_load(
		"saga: x\ncancel_on: [{kafka: t, correlate: {from: \"${event.data.id}\", expect: a}}]\n"
		"steps: [{id: a, set: 1}]\n");
	CLEANUP(json_decref_p) json_t *with = parse("{\"data\":{\"id\":5}}");
	CLEANUP(json_decref_p) json_t *null = parse("{\"data\":{\"id\":null}}");
	CLEANUP(json_decref_p) json_t *without = parse("{\"data\":{}}");
	char value[CORRELATE_VALUE_SIZE];

	ck_assert(correlate_value(&def->cancel_on[0], with, value));
	ck_assert_str_eq(value, "5");
	ck_assert(!correlate_value(&def->cancel_on[0], null, value));
	ck_assert(!correlate_value(&def->cancel_on[0], without, value));
}
END_TEST

START_TEST(test_trigger__tells_channels_apart)
{
	static const char *const parts[][3] = {
		{"default", "t", "${event.id}"}, {"eu", "t", "${event.id}"},
		{"default", "u", "${event.id}"}, {"default", "t", "${event.key}"},
		{"defaultt", "", "${event.id}"}, {"default", "t1", "1:${event.id}"},
	};
	char ids[ARRAY_SIZE(parts)][CHANNEL_SIZE], again[CHANNEL_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		correlate_channel(parts[i][0], parts[i][1], parts[i][2], ids[i]);
		ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), CHANNEL_SIZE - 1);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(ids[i], ids[k]);
	}
	correlate_channel(parts[0][0], parts[0][1], parts[0][2], again);
	ck_assert_str_eq(again, ids[0]);
	/* Rows of subscriptions hold it, so it may never change. */
	ck_assert_str_eq(again, "4760701a67f2a7ca3855b90d74fcc022");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trigger");
	TCase *tc = tcase_create("trigger");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_trigger__starts, 0, ARRAY_SIZE(starts));
	tcase_add_loop_test(tc, test_trigger__says_why_a_record_is_poison, 0, ARRAY_SIZE(poisons));
	tcase_add_test(tc, test_trigger__skips_what_it_does_not_want);
	tcase_add_test(tc, test_trigger__names_the_entry);
	tcase_add_test(tc, test_trigger__limits_keys);
	tcase_add_loop_test(tc, test_trigger__writes_values, 0, ARRAY_SIZE(values));
	tcase_add_test(tc, test_trigger__limits_values);
	tcase_add_test(tc, test_trigger__refuses_a_nul_in_a_value);
	tcase_add_test(tc, test_trigger__finds_the_value_of_an_event);
	tcase_add_test(tc, test_trigger__tells_channels_apart);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
