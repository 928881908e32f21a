/* Templates: what compiles, the value and the text they give, places of errors. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/tmpl.h"

static json_t *world;

static json_t *get(void *ctx, enum expr_name name)
{
	(void)ctx;
	return name == EXPR_INPUT ? world : NULL;
}

static const struct expr_env env = {.get = get};

static void set_up(void)
{
	static const char text[] = "{\"id\":\"o/1 \xc3\xa9\",\"n\":3,\"price\":19.99,\"ok\":true,"
							   "\"note\":null,\"lines\":[1,2],\"quote\":\"a\\\"b\",\"empty\":\"\"}";
	struct err err;

	ck_assert_int_eq(json_parse(text, strlen(text), &world, &err), 0);
}

static void tear_down(void)
{
	json_decref(world);
}

/* Errors of the compiler and checker, one a line. */
static struct buf reported;

static void report(void *ctx, const struct err *err)
{
	(void)ctx;
	buf_printf(&reported, "%s|%s\n", err->place, err->text);
}

static struct tmpl *compile(const char *text)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct tmpl *tmpl = NULL;
	struct err err = {0};

	ck_assert_msg(json_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.text);
	buf_init(&reported, 0);
	if (tmpl_compile(value, report, NULL, &tmpl) < 0)
		ck_assert_ptr_null(tmpl);
	return tmpl;
}

static const struct {
	const char *text;
	const char *result; /* NULL: nothing */
} values[] = {
	{"\"${input.id}\"", "\"o/1 \xc3\xa9\""},
	{"\"${input.n}\"", "3"},
	{"\"${input.price}\"", "19.99"},
	{"\"${ input.n + 1 }\"", "4"},
	{"\"${input.?missing}\"", NULL},
	{"\"${input.note}\"", "null"},
	{"\"n=${input.n} p=${input.price} ok=${input.ok}\"", "\"n=3 p=19.99 ok=true\""},
	{"\"q=${input.quote}\\n\"", "\"q=a\\\"b\\n\""},
	{"\"[${input.?missing}]\"", "\"[]\""},
	{"\"${{'a': {'}': '}'}}['a']['}']}\"", "\"}\""},
	{"\"${'${'}x${\\\"}\\\"}\"", "\"${x}\""},
	{"\"$${input.n}\"", "\"${input.n}\""},
	{"\"$$${input.n}\"", "\"$${input.n}\""},
	{"\"$$${input.n} ${input.n}\"", "\"$${input.n} 3\""},
	{"\"costs $5 $\"", "\"costs $5 $\""},
	{"\"\"", "\"\""},
	{"{\"a\":\"${input.n}\",\"b\":[\"${input.?missing}\",1,\"${input.ok}\"],\"c\":\"${input.?"
	 "missing}\"}",
	 "{\"a\":3,\"b\":[1,true]}"},
	{"{\"x\":\"${input.?missing}\",\"y\":\"${input.n}\"}", "{\"y\":3}"},
	{"{\"a\":{\"b\":\"${input.lines}\"},\"k\\\"\":1.0}", "{\"a\":{\"b\":[1,2]},\"k\\\"\":1.0}"},
	{"{\"a\":[1,\"$${x}\",null],\"b\":true}", "{\"a\":[1,\"${x}\",null],\"b\":true}"},
	{"\"${[1, 2].map(x, {'v': x, 'w': input.?missing})}\"", "[{\"v\":1},{\"v\":2}]"},
	{"\"${timestamp(0)}\"", "\"1970-01-01T00:00:00Z\""},
	{"\"in ${duration('90s')}\"", "\"in 90s\""},
	{"[]", "[]"},
	{"19.99", "19.99"},
};

START_TEST(test_tmpl__gives)
{
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = compile(values[_i].text);
	json_t *value = NULL;
	struct err err = {0};
	struct buf out;
	bool present;

	ck_assert_msg(tmpl != NULL, "%s: %s", values[_i].text, buf_str(&reported));
	buf_init(&out, 0);
	ck_assert_msg(tmpl_eval(tmpl, &env, &value, &err) == 0, "%s", err.text);
	ck_assert_int_eq(value != NULL, values[_i].result != NULL);
	if (value) {
		json_write(value, &out);
		ck_assert_str_eq(buf_str(&out), values[_i].result);
	}
	buf_clear(&out);
	ck_assert_int_eq(tmpl_write(tmpl, &env, &out, &present, &err), 0);
	ck_assert_int_eq(present, values[_i].result != NULL);
	ck_assert_str_eq(buf_str(&out), values[_i].result ? values[_i].result : "");
	json_decref(value);
	buf_release(&out);
}
END_TEST

static const struct {
	const char *text;
	const char *errors;
} wrong[] = {
	{"\"${b'.x}\"", "|column 1: this ${ has no closing }"},
	{"\"${input.n\"", "|column 1: this ${ has no closing }"},
	{"\"a ${1 + }\"", "|column 9: the expression ends"},
	{"\"${b'x'}\"", "|column 3: bytes"},
	{"\"${}\"", "|column 3: the expression ends"},
	{"\"\xc3\xa9 ${1 $ 2}\"", "|column 7: this character"},
	{"{\"a/b\":[1,\"${)}\"]}", "/a~1b/1|column 3: `)`"},
	{"{\"${x}\":1}", "/${x}|a key cannot hold"},
};

START_TEST(test_tmpl__refuses_with_pointer_and_column)
{
	struct tmpl *tmpl = compile(wrong[_i].text);

	ck_assert_ptr_null(tmpl);
	ck_assert_msg(strncmp(buf_str(&reported), wrong[_i].errors, strlen(wrong[_i].errors)) == 0,
				  "%s", buf_str(&reported));
	buf_release(&reported);
}
END_TEST

START_TEST(test_tmpl__reports_all_errors)
{
	ck_assert_ptr_null(compile("{\"a\":\"${1 +}\",\"b\":\"${)}\",\"c\":[\"${x\"]}"));
	ck_assert(strstr(buf_str(&reported), "/a|"));
	ck_assert(strstr(buf_str(&reported), "/b|"));
	ck_assert(strstr(buf_str(&reported), "/c/0|"));
	buf_release(&reported);
}
END_TEST

static const struct {
	const char *text;
	enum tmpl_text_use use;
	const char *result; /* NULL: nothing; begins with !: an error that says the rest */
} texts[] = {
	{"\"/orders/${input.id}/x\"", TMPL_TEXT_PATH, "/orders/o%2F1%20%C3%A9/x"},
	{"\"/orders/${input.id}/x\"", TMPL_TEXT_PLAIN, "/orders/o/1 \xc3\xa9/x"},
	{"\"/a/${input.n}/${input.price}/${input.ok}\"", TMPL_TEXT_PATH, "/a/3/19.99/true"},
	{"\"/plain path\"", TMPL_TEXT_PATH, "/plain path"},
	{"\"${'-._~aZ09'}\"", TMPL_TEXT_PATH, "-._~aZ09"},
	{"\"${input.?missing}\"", TMPL_TEXT_PATH, NULL},
	{"\"${input.?missing}\"", TMPL_TEXT_PLAIN, NULL},
	{"\"a${input.?missing}\"", TMPL_TEXT_PLAIN, "a"},
	{"\"a${input.?missing}\"", TMPL_TEXT_PATH, "!gives nothing"},
	{"\"a${input.empty}\"", TMPL_TEXT_PATH, "!empty"},
	{"\"${input.empty}\"", TMPL_TEXT_PATH, "!empty"},
	{"\"a${input.empty}\"", TMPL_TEXT_PLAIN, "a"},
	{"\"a${input.note}\"", TMPL_TEXT_PATH, "!null"},
	{"\"${input.id}\"", TMPL_TEXT_QUERY, "o%2F1%20%C3%A9"},
	{"\"${input.empty}\"", TMPL_TEXT_QUERY, ""},
	{"\"a${input.empty}\"", TMPL_TEXT_QUERY, "a"},
	{"\"${input.?missing}\"", TMPL_TEXT_QUERY, NULL},
	{"\"a${input.?missing}\"", TMPL_TEXT_QUERY, "a"},
	{"\"a${input.note}\"", TMPL_TEXT_QUERY, "!null"},
	{"\"a${input.note}\"", TMPL_TEXT_PLAIN, "!null"},
	{"\"${input.lines}\"", TMPL_TEXT_PLAIN, "!list"},
	{"\"${input.nope}\"", TMPL_TEXT_PLAIN, "!${input.nope}: `input` has no field `nope`"},
	{"5", TMPL_TEXT_PATH, "5"},
	{"true", TMPL_TEXT_PATH, "true"},
	{"null", TMPL_TEXT_PATH, "!null"},
	{"[1]", TMPL_TEXT_PLAIN, "!list"},
	{"{\"a\":\"${input.n}\"}", TMPL_TEXT_PLAIN, "!map"},
};

START_TEST(test_tmpl__writes_text)
{
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = compile(texts[_i].text);
	const char *result = texts[_i].result;
	struct err err = {0};
	bool present = false;
	struct buf out;
	int r;

	buf_init(&out, 0);
	r = tmpl_write_text(tmpl, &env, texts[_i].use, &out, &present, &err);
	if (result && *result == '!') {
		ck_assert_int_eq(r, ERR_INVALID);
		ck_assert_msg(strstr(err.text, result + 1), "%s", err.text);
	} else {
		ck_assert_msg(r == 0, "%s: %s", texts[_i].text, err.text);
		ck_assert_int_eq(present, result != NULL);
		ck_assert_str_eq(buf_str(&out), result ? result : "");
	}
	buf_release(&out);
}
END_TEST

START_TEST(test_tmpl__errors_say_where_and_which)
{
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = compile("{\"a\":[\"${input.nope}\"]}");
	json_t *value = NULL;
	struct err err = {0};
	struct buf out;
	bool present;

	buf_init(&out, 0);
	ck_assert_int_eq(tmpl_eval(tmpl, &env, &value, &err), ERR_INVALID);
	ck_assert_str_eq(err.place, "/a/0");
	ck_assert_str_eq(err.text, "${input.nope}: `input` has no field `nope`");
	ck_assert_int_eq(tmpl_write(tmpl, &env, &out, &present, &err), ERR_INVALID);
	ck_assert_str_eq(err.place, "/a/0");
	buf_release(&out);
}
END_TEST

START_TEST(test_tmpl__knows_its_shape)
{
	struct tmpl *tmpl = compile("\"/health\"");

	ck_assert(tmpl_is_constant(tmpl));
	ck_assert_str_eq(tmpl_as_string(tmpl), "/health");
	ck_assert_ptr_null(tmpl_as_expr(tmpl));
	tmpl_free(tmpl);
	tmpl = compile("\"${input.n}\"");
	ck_assert(!tmpl_is_constant(tmpl));
	ck_assert_ptr_null(tmpl_as_string(tmpl));
	ck_assert_str_eq(expr_text(tmpl_as_expr(tmpl)), "input.n");
	tmpl_free(tmpl);
	tmpl = compile("{\"a\":[\"x ${saga.failure.code}\"],\"b\":1}");
	ck_assert(!tmpl_is_constant(tmpl));
	ck_assert_ptr_null(tmpl_as_expr(tmpl));
	ck_assert(tmpl_reads(tmpl, EXPR_SAGA, "failure"));
	ck_assert(!tmpl_reads(tmpl, EXPR_SAGA, "id"));
	ck_assert(!tmpl_reads(tmpl, EXPR_INPUT, NULL));
	tmpl_free(tmpl);
	tmpl = compile("{\"a\":[1,{\"b\":null}]}");
	ck_assert(tmpl_is_constant(tmpl));
	tmpl_free(tmpl);
	tmpl_free(NULL);
}
END_TEST

START_TEST(test_tmpl__check_gives_pointers_and_type)
{
	CLEANUP(tmpl_free_p)
	struct tmpl *tmpl = compile("{\"a\":\"${input.n}\",\"b\":[\"x ${reply.body} ${nope}\"]}");
	struct expr_scope scope = {.allowed = {[EXPR_INPUT] = true}};
	enum expr_type type;

	ck_assert_int_eq(tmpl_check(tmpl, &scope, report, NULL, &type), 2);
	ck_assert_int_eq(type, EXPR_T_MAP);
	ck_assert(strstr(buf_str(&reported), "/b/0|"));
	ck_assert(strstr(buf_str(&reported), "`reply` is not available here"));
	ck_assert(strstr(buf_str(&reported), "no name `nope`"));
	buf_release(&reported);
	tmpl_free(tmpl);
	tmpl = compile("\"${input.n > 1}\"");
	ck_assert_int_eq(tmpl_check(tmpl, &scope, report, NULL, &type), 0);
	ck_assert_int_eq(type, EXPR_T_BOOL);
	tmpl_free(tmpl);
	tmpl = compile("\"x ${input.n}\"");
	ck_assert_int_eq(tmpl_check(tmpl, &scope, report, NULL, &type), 0);
	ck_assert_int_eq(type, EXPR_T_STRING);
	tmpl_free(tmpl);
	tmpl = compile("5");
	ck_assert_int_eq(tmpl_check(tmpl, &scope, report, NULL, &type), 0);
	ck_assert_int_eq(type, EXPR_T_INT);
}
END_TEST

START_TEST(test_tmpl__output_is_limited)
{
	CLEANUP(tmpl_free_p)
	struct tmpl *tmpl = compile("{\"a\":\"${input.id}\",\"b\":\"x ${input.id}\"}");
	struct err err = {0};
	struct buf out;
	bool present;

	buf_init(&out, 12);
	ck_assert_int_eq(tmpl_write(tmpl, &env, &out, &present, &err), ERR_LIMIT);
	buf_release(&out);
}
END_TEST

START_TEST(test_tmpl__refuses_results_nested_too_deeply)
{
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = compile("{\"a\":{\"b\":\"${input}\"}}");
	json_t *deep = json_array(), *value = NULL;
	struct err err;
	struct buf out;
	bool present;

	for (int i = 1; i < JSON_MAX_DEPTH - 1; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, deep);
		deep = outer;
	}
	json_decref(world);
	world = deep;
	buf_init(&out, 0);
	ck_assert_int_eq(tmpl_write(tmpl, &env, &out, &present, &err), ERR_LIMIT);
	ck_assert_int_eq(tmpl_eval(tmpl, &env, &value, &err), ERR_LIMIT);
	ck_assert_ptr_null(value);
	world = json_incref(json_array_get(deep, 0));
	json_decref(deep);
	buf_clear(&out);
	ck_assert_int_eq(tmpl_write(tmpl, &env, &out, &present, &err), 0);
	ck_assert_int_eq(json_text_check(out.data, out.len, &err), 0);
	ck_assert_int_eq(tmpl_eval(tmpl, &env, &value, &err), 0);
	json_decref(value);
	buf_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tmpl");
	TCase *tc = tcase_create("tmpl");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_tmpl__gives, 0, ARRAY_SIZE(values));
	tcase_add_loop_test(tc, test_tmpl__refuses_with_pointer_and_column, 0, ARRAY_SIZE(wrong));
	tcase_add_test(tc, test_tmpl__reports_all_errors);
	tcase_add_loop_test(tc, test_tmpl__writes_text, 0, ARRAY_SIZE(texts));
	tcase_add_test(tc, test_tmpl__errors_say_where_and_which);
	tcase_add_test(tc, test_tmpl__knows_its_shape);
	tcase_add_test(tc, test_tmpl__check_gives_pointers_and_type);
	tcase_add_test(tc, test_tmpl__output_is_limited);
	tcase_add_test(tc, test_tmpl__refuses_results_nested_too_deeply);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
