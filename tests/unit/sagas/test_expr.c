/* Evaluation of expressions: values, errors with their place, the budget. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/expr.h"
#include "sagas/json_text.h"

/* What the names stand for. `previous` has no value. */
static const char world_text[] =
	"{\"input\":{\"order_id\":\"o-1\",\"amount\":1999,\"price\":19.99,\"note\":null,\"vip\":true,"
	"\"lines\":[{\"sku\":\"a\",\"n\":2},{\"sku\":\"b\",\"n\":3}],\"empty\":[],\"content-type\":"
	"\"x\","
	"\"when\":\"2026-01-31T23:59:59Z\"},"
	"\"steps\":{\"reserve\":{\"status\":\"completed\",\"output\":[{\"id\":1},null]},"
	"\"fraud\":{\"status\":\"failed\"}},"
	"\"index\":3,\"saga\":{\"id\":\"s-1\",\"failure\":{\"code\":\"declined\"}}}";

static json_t *world;

static json_t *get(void *ctx, enum expr_name name)
{
	static const char *const names[] = {
#define X(constant, text) text,
		EXPR_NAMES(X)
#undef X
	};

	(void)ctx;
	return json_object_get(world, names[name]);
}

static const struct expr_env env = {.get = get};

static void set_up(void)
{
	struct err err;

	ck_assert_int_eq(json_parse(world_text, strlen(world_text), &world, &err), 0);
}

static void tear_down(void)
{
	json_decref(world);
}

static int eval(const char *text, json_t **ret_value, struct err *err)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	int r;

	r = expr_parse(text, strlen(text), &expr, err);
	if (r < 0)
		return r;
	return expr_eval(expr, &env, ret_value, err);
}

/* The result is compared as JSON text, so that 1 and 1.0 differ; NULL: nothing. */
static const struct {
	const char *text;
	const char *result;
} values[] = {
	/* names, fields, elements */
	{"input.order_id", "\"o-1\""},
	{"input['order_id']", "\"o-1\""},
	{"input.`content-type`", "\"x\""},
	{"input.lines[1].sku", "\"b\""},
	{"input.lines[1.0].sku", "\"b\""},
	{"saga.failure.code", "\"declined\""},
	{"input.lines", "[{\"sku\":\"a\",\"n\":2},{\"sku\":\"b\",\"n\":3}]"},
	{"{'a': input.note, 'b': [index]}", "{\"a\":null,\"b\":[3]}"},
	/* numbers */
	{"input.price", "19.99"},
	{"input.amount / 100", "19"},
	{"input.amount / 100.0", "19.99"},
	{"1 + 2.5", "3.5"},
	{"2 * 3 + 4 % 3 - -1", "8"},
	{"-7 / 2", "-3"},
	{"-7 % 2", "-1"},
	{"-(-7)", "7"},
	{"0x1F", "31"},
	{"1.5e3", "1500.0"},
	{"-9223372036854775808", "-9223372036854775808"},
	/* comparison */
	{"1 == 1.0 && 2 > 1.5 && 1.5 < 2", "true"},
	{"9007199254740993 == 9007199254740992", "false"},
	{"9007199254740993 == 9007199254740992.0", "true"},
	{"'a' < 'b' && false < true", "true"},
	{"input.lines[0] == {'n': 2, 'sku': 'a'}", "true"},
	{"{'n': 2.0, 'sku': 'a'} == input.lines[0]", "true"},
	{"1 == '1'", "false"},
	{"null != 0", "true"},
	/* logic */
	{"true || 1 / 0 == 1", "true"},
	{"1 / 0 == 1 || true", "true"},
	{"false && missing", "false"},
	{"missing && false", "false"},
	{"!input.vip ? 'no' : input.amount > 1000 ? 'big' : 'small'", "\"big\""},
	{"'b' in ['a', 'b'] && 'sku' in input.lines[0] && !(3 in [])", "true"},
	/* optionals */
	{"input.?order_id", "\"o-1\""},
	{"input.?missing", NULL},
	{"input.?missing.deeper.still", NULL},
	{"input.?note", "null"},
	{"input.?note.deeper", NULL},
	{"input.?missing.orValue(5)", "5"},
	{"input.?amount.orValue(1 / 0)", "1999"},
	{"steps.fraud.?output.score.or(steps.reserve.?output[0].id)", "1"},
	{"steps.fraud.?output.score.orValue(1.0) > 0.8", "true"},
	{"previous.?next", NULL},
	{"previous.?bad.orValue(0) + 1", "1"},
	{"previous.orValue({'a': 1}).a", "1"},
	{"input.orValue(1).amount", "1999"},
	{"has(previous.x)", "false"},
	{"has(input.note) && !has(input.missing)", "true"},
	{"input.lines[?5]", NULL},
	{"input.lines[?0].sku.value()", "\"a\""},
	{"input.?missing.hasValue()", "false"},
	{"[?input.?missing, ?input.?amount]", "[1999]"},
	{"{?'a': input.?missing, ?'b': input.?amount}", "{\"b\":1999}"},
	{"{'a': input.?missing, 'b': input.?amount}", "{\"b\":1999}"},
	{"optional.of(1).optMap(x, x + 1)", "2"},
	{"optional.none()", NULL},
	/* macros */
	{"input.lines.map(l, l.n * 2)", "[4,6]"},
	{"input.lines.map(l, l.n > 2, l.sku)", "[\"b\"]"},
	{"input.lines.filter(l, l.n > 2)", "[{\"sku\":\"b\",\"n\":3}]"},
	{"steps.reserve.output.filter(r, r != null)", "[{\"id\":1}]"},
	{"steps.reserve.output.all(r, r == null)", "false"},
	{"input.lines.exists(l, l.sku == 'b') && input.lines.exists_one(l, l.n > 2)", "true"},
	{"input.lines[0].map(k, k)", "[\"sku\",\"n\"]"},
	{"[1, 2].map(x, [3, 4].map(y, x * y))", "[[3,4],[6,8]]"},
	{"[1, 2].map(index, index + 10)", "[11,12]"},
	{"[1].map(x, [2].map(x, x)[0] + x)", "[3]"},
	{"sum(input.lines.map(l, l.n)) + [1.5, 2].sum()", "8.5"},
	{"sum([])", "0"},
	/* strings */
	{"size('\xc3\xa9\xf0\x9f\x90\xb1') + size(input.lines) + size(input)", "13"},
	{"'x' + string(1.0) + string(2.5) + string(true) + string(-3)", "\"x12.5true-3\""},
	{"'a,b,,c'.split(',')", "[\"a\",\"b\",\"\",\"c\"]"},
	{"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
	{"'\xc3\xa9\xf0\x9f\x90\xb1'.split('')", "[\"\xc3\xa9\",\"\xf0\x9f\x90\xb1\"]"},
	{"['a', 'b'].join('-') + ['c'].join()", "\"a-bc\""},
	{"'h\xc3\xa9llo'.substring(1, 3) + 'x'.charAt(0) + 'x'.charAt(1)", "\"\xc3\xa9lx\""},
	{"'h\xc3\xa9llo'.indexOf('l') + 'h\xc3\xa9llo'.lastIndexOf('l')", "5"},
	{"'aXbX'.replace('X', '--') + 'ab'.replace('', '.')", "\"a--b--.a.b.\""},
	{"'aaa'.replace('a', 'b', 2)", "\"bba\""},
	{"' \\t\xe2\x80\x83x y '.trim() + 'AbC'.lowerAscii() + 'AbC'.upperAscii()", "\"x yabcABC\""},
	{"'ab\xc3\xa9'.reverse()", "\"\xc3\xa9"
							   "ba\""},
	{"'ORD-12'.matches('^[A-Z]+-\\\\d+$')", "true"},
	{"r'a\\d' + '''tri'ple''' + \"\\u00e9\\x41\\101\"", "\"a\\\\dtri'ple\xc3\xa9"
														"AA\""},
	/* conversions */
	{"int('42') + int(3.99) + int(-3.99)", "42"},
	{"double('1e3')", "1000.0"},
	{"bool('true')", "true"},
	/* time */
	{"timestamp(input.when) + duration('1s')", "\"2026-02-01T00:00:00Z\""},
	{"timestamp('2026-03-01T00:00:00Z') - timestamp('2026-02-01T00:00:00Z')", "\"2419200s\""},
	{"duration('1h30m') > duration('89m')", "true"},
	{"-duration('1.5s')", "\"-1.5s\""},
	{"timestamp(input.when).getDayOfWeek()", "6"},
	{"timestamp(input.when).getHours('+01:00')", "0"},
	{"timestamp(0)", "\"1970-01-01T00:00:00Z\""},
	{"[duration('1m'), duration('30s')].sum()", "\"90s\""},
	{"// a comment\n1 // another", "1"},
};

START_TEST(test_expr__gives)
{
	json_t *value = NULL;
	struct err err = {0};
	struct buf out;
	int r;

	buf_init(&out, 0);
	r = eval(values[_i].text, &value, &err);
	ck_assert_msg(r == 0, "%s: %s", values[_i].text, err.text);
	if (values[_i].result) {
		ck_assert_msg(value != NULL, "%s gave nothing", values[_i].text);
		json_write(value, &out);
		ck_assert_str_eq(buf_str(&out), values[_i].result);
	} else {
		ck_assert_ptr_null(value);
	}
	json_decref(value);
	buf_release(&out);
}
END_TEST

static const struct {
	const char *text;
	const char *place;
	const char *says;
} errors[] = {
	/* parsing */
	{"", "column 1", "ends where a value"},
	{"1 +", "column 4", "ends"},
	{"input.", "column 7", "field"},
	{"(1", "column 3", "')'"},
	{"[1, 2", "column 6", "']'"},
	{"{'a' 1}", "column 6", "':'"},
	{"'abc", "column 1", "closing quote"},
	{"'\xc3\xa9' = 'b'", "column 5", "=="},
	{"a & b", "column 3", "&&"},
	{"a and b", "column 3", "&&"},
	{"not a", "column 1", "!"},
	{"1u", "column 1", "unsigned"},
	{"b'x'", "column 1", "bytes"},
	{"2a", "column 2", "letter"},
	{"9223372036854775808", "column 1", "64 bits"},
	{"1e400", "column 1", "too large"},
	{"'\\q'", "column 2", "escape"},
	{"'\\u0000'", "column 2", "character"},
	{"x.map(1, 2)", "column 7", "name"},
	{"has(x)", "column 5", "field"},
	{"for + 1", "column 1", "reserved"},
	{"size()", "column 1", "size() takes 1 argument"},
	{"'a'.substring()", "column 5", "1 or more, at most 2"},
	{"'a'.matches('(')", "column 13", "a ( has no )"},
	{"1 2", "column 3", "`2`"},
	{"#", "column 1", "no meaning"},
	/* evaluating */
	{"input.missing", "column 1", "`input` has no field `missing`"},
	{"1 + input.lines[2]", "column 5", "2 elements"},
	{"input.lines.sku", "column 1", "is a list"},
	{"input.amount.x", "column 1", "of type int"},
	{"input.note.x", "column 1", "of type null"},
	{"previous", "column 1", "no value here"},
	{"previous.x", "column 1", "no value here"},
	{"unknown", "column 1", "no value here"},
	{"nope(1)", "column 1", "no function nope()"},
	{"1 + 'a'", "column 1", "int + string"},
	{"'a' - 'b'", "column 1", "string - string"},
	{"9223372036854775807 + 1", "column 1", "overflow"},
	{"-9223372036854775808 / -1", "column 1", "overflow"},
	{"1 / 0", "column 1", "zero"},
	{"1.0 / 0", "column 1", "finite"},
	{"1 < 'a'", "column 1", "compared"},
	{"1 ? 2 : 3", "column 1", "bool"},
	{"true && 1", "column 9", "int"},
	{"!1", "column 1", "int"},
	{"{'a': 1, 'a': 2}", "column 10", "twice"},
	{"{1: 2}", "column 1", "strings as keys"},
	{"{1.5: 2}", "column 2", "double"},
	{"1 in 2", "column 1", "list or a map"},
	{"size(1)", "column 1", "not defined for int"},
	{"int('x')", "column 1", "not an integer"},
	{"int('99999999999999999999')", "column 1", "64 bits"},
	{"int(1e30)", "column 1", "64 bits"},
	{"[1].join()", "column 1", "join()"},
	{"'abc'.substring(2, 1)", "column 1", "position"},
	{"timestamp('x')", "column 1", "RFC 3339"},
	{"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "column 1", "years"},
	{"timestamp(0).getHours('Europe/Berlin')", "column 1", "time zone"},
	{"input.amount.orValue(1)", "column 1", "optional"},
	{"input.?missing.value()", "column 1", "nothing"},
	{"input.?missing + 1", "column 1", "optional + int"},
	{"[1, 2].map(x, x / 0)", "column 15", "zero"},
	{"[1, 2].exists(x, 1)", "column 18", "bool"},
	{"int", "column 1", "type"},
};

START_TEST(test_expr__refuses)
{
	json_t *value = NULL;
	struct err err = {0};
	int r;

	r = eval(errors[_i].text, &value, &err);
	ck_assert_msg(r == ERR_INVALID, "%s gave %d", errors[_i].text, r);
	ck_assert_ptr_null(value);
	ck_assert_msg(strstr(err.text, errors[_i].says), "%s: %s", errors[_i].text, err.text);
	ck_assert_str_eq(err.place, errors[_i].place);
	/* Nobody has to want the error's text. */
	ck_assert_int_eq(eval(errors[_i].text, &value, NULL), ERR_INVALID);
}
END_TEST

START_TEST(test_expr__references_lent_values_without_copying)
{
	json_t *value = NULL;
	struct err err;

	ck_assert_int_eq(eval("input.lines", &value, &err), 0);
	ck_assert_ptr_eq(value, json_object_get(json_object_get(world, "input"), "lines"));
	json_decref(value);
	ck_assert_int_eq(eval("[input.order_id][0]", &value, &err), 0);
	ck_assert_ptr_eq(value, json_object_get(json_object_get(world, "input"), "order_id"));
	json_decref(value);
}
END_TEST

static const char *const expensive[] = {
	"[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, "
	"[1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, a))))",
	/* The budget is not an error that || absorbs. */
	"[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, "
	"[1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, true)))) || true",
	/* A large pattern over a text is dear, each time. */
	"[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, "
	"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaa'"
	".matches('(a{0,30}){0,30}b')))",
	/* Doubling a text thirty times would fill the memory. */
	"['0123456789'].map(x, x+x+x+x+x+x+x+x+x+x).map(x, x+x+x+x+x+x+x+x+x+x)"
	".map(x, x+x+x+x+x+x+x+x+x+x).map(x, x+x+x+x+x+x+x+x+x+x).map(x, x+x+x+x+x+x+x+x+x+x)"
	".map(x, x+x+x+x+x+x+x+x+x+x).map(x, x+x+x+x+x+x+x+x+x+x)",
};

START_TEST(test_expr__ends_when_the_budget_is_spent)
{
	json_t *value = NULL;
	struct err err = {0};

	ck_assert_int_eq(eval(expensive[_i], &value, &err), ERR_LIMIT);
	ck_assert_ptr_null(value);
}
END_TEST

START_TEST(test_expr__budget_can_be_set)
{
	const struct expr_env small = {.get = get, .budget = 3};
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	json_t *value = NULL;
	struct err err;

	ck_assert_int_eq(expr_parse("1 + 1", 5, &expr, &err), 0);
	ck_assert_int_eq(expr_eval(expr, &small, &value, &err), 0);
	json_decref(value);
	expr_free(expr);
	ck_assert_int_eq(expr_parse("1 + 1 + 1", 9, &expr, &err), 0);
	ck_assert_int_eq(expr_eval(expr, &small, &value, &err), ERR_LIMIT);
	ck_assert(strstr(err.text, "3 steps"));
}
END_TEST

/* Builds open…open middle close…close. */
static char *nest(const char *open, const char *middle, const char *close, int n)
{
	struct buf out;

	buf_init(&out, 0);
	for (int i = 0; i < n; i++)
		buf_add_str(&out, open);
	buf_add_str(&out, middle);
	for (int i = 0; i < n; i++)
		buf_add_str(&out, close);
	return buf_take(&out, NULL);
}

START_TEST(test_expr__limits_nesting)
{
	static const struct {
		const char *open, *middle, *close;
	} shapes[] = {
		{"(", "1", ")"}, {"[", "1", "]"},      {"!", "true", ""},
		{"-", "x", ""},  {"", "1", "+1"},      {"{'a':", "1", "}"},
		{"", "x", ".a"}, {"true?1:", "1", ""}, {"[1].map(x,", "1", ")"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		char *small = nest(shapes[i].open, shapes[i].middle, shapes[i].close, 12);
		char *large = nest(shapes[i].open, shapes[i].middle, shapes[i].close, 1000);
		struct expr *expr = NULL;
		struct err err = {0};

		ck_assert_msg(expr_parse(small, strlen(small), &expr, &err) == 0, "%s: %s", small,
					  err.text);
		expr_free(expr);
		ck_assert_int_eq(expr_parse(large, strlen(large), &expr, &err), ERR_INVALID);
		ck_assert_msg(strstr(err.text, "deep") || strstr(err.text, "longer"), "%s", err.text);
		free(small);
		free(large);
	}
}
END_TEST

START_TEST(test_expr__limits_length)
{
	char *text = nest("", "1", " ", EXPR_MAX_LENGTH);
	struct expr *expr = NULL;
	struct err err = {0};

	ck_assert_int_eq(expr_parse(text, EXPR_MAX_LENGTH, &expr, &err), 0);
	expr_free(expr);
	ck_assert_int_eq(expr_parse(text, EXPR_MAX_LENGTH + 1, &expr, &err), ERR_INVALID);
	free(text);
}
END_TEST

START_TEST(test_expr__condition_wants_a_bool)
{
	static const struct {
		const char *text;
		int result; /* 0, 1 or an error */
	} cases[] = {
		{"input.vip", 1},
		{"input.amount > 5000", 0},
		{"input.?vip", 1},
		{"input.amount", ERR_INVALID},
		{"input.?missing", ERR_INVALID},
		{"null", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(expr_free_p) struct expr *expr = NULL;
		bool value = false;
		struct err err;
		int r;

		ck_assert_int_eq(expr_parse(cases[i].text, strlen(cases[i].text), &expr, &err), 0);
		ck_assert_str_eq(expr_text(expr), cases[i].text);
		r = expr_eval_bool(expr, &env, &value, &err);
		ck_assert_int_eq(r < 0 ? r : value, cases[i].result);
	}
}
END_TEST

START_TEST(test_expr__knows_what_it_reads)
{
	static const struct {
		const char *text;
		enum expr_name name;
		const char *field;
		bool reads;
	} cases[] = {
		{"saga.failure.code", EXPR_SAGA, "failure", true},
		{"saga.?failure.code", EXPR_SAGA, "failure", true},
		{"saga['failure'].code", EXPR_SAGA, "failure", true},
		{"saga[input.x]", EXPR_SAGA, "failure", true},
		{"has(saga.failure)", EXPR_SAGA, "failure", true},
		{"[1].map(x, [saga.failure])", EXPR_SAGA, "failure", true},
		{"[saga]", EXPR_SAGA, "failure", true},
		{"saga", EXPR_SAGA, "failure", true},
		{"saga.id", EXPR_SAGA, "failure", false},
		{"saga.id", EXPR_SAGA, NULL, true},
		{"input.saga.failure", EXPR_SAGA, "failure", false},
		{"[1].map(saga, saga.failure)", EXPR_SAGA, "failure", false},
		{"'saga.failure'", EXPR_SAGA, NULL, false},
		{"reply.body", EXPR_REPLY, NULL, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(expr_free_p) struct expr *expr = NULL;
		struct err err;

		ck_assert_int_eq(expr_parse(cases[i].text, strlen(cases[i].text), &expr, &err), 0);
		ck_assert_msg(expr_reads(expr, cases[i].name, cases[i].field) == cases[i].reads, "%s",
					  cases[i].text);
	}
}
END_TEST

START_TEST(test_expr__refuses_results_nested_too_deeply)
{
	json_t *deep = json_array(), *value = NULL;
	struct err err;

	for (int i = 1; i < JSON_MAX_DEPTH; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, deep);
		deep = outer;
	}
	json_object_set_new(world, "item", deep);
	ck_assert_int_eq(eval("item", &value, &err), 0);
	json_decref(value);
	value = NULL;
	ck_assert_int_eq(eval("[item]", &value, &err), ERR_LIMIT);
	ck_assert_int_eq(eval("{'a': item}", &value, &err), ERR_LIMIT);
	ck_assert_ptr_null(value);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expr");
	TCase *tc = tcase_create("expr");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_expr__gives, 0, ARRAY_SIZE(values));
	tcase_add_loop_test(tc, test_expr__refuses, 0, ARRAY_SIZE(errors));
	tcase_add_test(tc, test_expr__references_lent_values_without_copying);
	tcase_add_loop_test(tc, test_expr__ends_when_the_budget_is_spent, 0, ARRAY_SIZE(expensive));
	tcase_add_test(tc, test_expr__budget_can_be_set);
	tcase_add_test(tc, test_expr__limits_nesting);
	tcase_add_test(tc, test_expr__limits_length);
	tcase_add_test(tc, test_expr__condition_wants_a_bool);
	tcase_add_test(tc, test_expr__knows_what_it_reads);
	tcase_add_test(tc, test_expr__refuses_results_nested_too_deeply);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
