/* The check of expressions at load time: names, fields against the input's schema, types. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/expr.h"
#include "sagas/json_text.h"

static const char schema_text[] =
	"{\"type\":\"object\",\"required\":[\"order_id\"],\"additionalProperties\":false,"
	"\"properties\":{"
	"\"order_id\":{\"type\":\"string\"},"
	"\"amount\":{\"type\":\"integer\"},"
	"\"price\":{\"type\":\"number\"},"
	"\"vip\":{\"type\":\"boolean\"},"
	"\"note\":{\"type\":[\"string\",\"null\"]},"
	"\"size\":{\"enum\":[\"S\",\"M\"]},"
	"\"any\":{},"
	"\"open\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}},"
	"\"map\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}},"
	"\"to\":{\"$ref\":\"#/$defs/address\"},"
	"\"never\":false,"
	"\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}},"
	"\"pair\":{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"}]}},"
	"\"$defs\":{"
	"\"address\":{\"type\":\"object\",\"additionalProperties\":false,"
	"\"properties\":{\"street\":{\"type\":\"string\"}}},"
	"\"line\":{\"type\":\"object\",\"additionalProperties\":false,"
	"\"properties\":{\"sku\":{\"type\":\"string\"},\"quantity\":{\"type\":\"integer\"}}}}}";

static json_t *schema;

static int step(void *ctx, const char *id, struct err *err)
{
	(void)ctx;
	if (strcmp(id, "charge") == 0 || strcmp(id, "reserve") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "unknown step `%s`", id);
}

static int declared(void *ctx, const char *name, struct err *err)
{
	(void)ctx;
	if (strcmp(name, "REGION") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "`%s` is not declared", name);
}

static struct expr_scope scope;

static void set_up(void)
{
	struct err err = {0};

	ck_assert_msg(json_parse(schema_text, strlen(schema_text), &schema, &err) == 0, "%s %s",
				  err.place, err.text);
	scope = (struct expr_scope){.input_schema = schema, .step = step, .env = declared};
	for (int i = 0; i < EXPR_NAME_COUNT; i++)
		scope.allowed[i] = i != EXPR_REPLY && i != EXPR_EVENT;
}

static void tear_down(void)
{
	json_decref(schema);
}

static struct buf reported;

static void report(void *ctx, const struct err *err)
{
	(void)ctx;
	buf_printf(&reported, "%s: %s\n", err->place, err->text);
}

static int check(const char *text, enum expr_type *ret_type)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	struct err err = {0};

	ck_assert_msg(expr_parse(text, strlen(text), &expr, &err) == 0, "%s: %s", text, err.text);
	buf_release(&reported);
	return expr_check(expr, &scope, report, NULL, ret_type);
}

static const struct {
	const char *text;
	enum expr_type type;
} good[] = {
	{"input", EXPR_T_MAP},
	{"input.order_id", EXPR_T_STRING},
	{"input['order_id']", EXPR_T_STRING},
	{"input.amount + 1", EXPR_T_INT},
	{"input.amount + 1.5", EXPR_T_DOUBLE},
	{"input.price * input.amount", EXPR_T_DOUBLE},
	{"input.vip && input.amount > 5", EXPR_T_BOOL},
	{"input.note == null ? 'x' : input.note", EXPR_T_ANY},
	{"input.note + 'x'", EXPR_T_STRING},
	{"input.size == 'S'", EXPR_T_BOOL},
	{"input.any.what.ever + 1", EXPR_T_DOUBLE},
	{"input.open.y + input.open.x", EXPR_T_STRING},
	{"input.map.a + 1", EXPR_T_INT},
	{"input.to.street", EXPR_T_STRING},
	{"input.lines[0].quantity", EXPR_T_INT},
	{"input.lines.map(l, l.quantity).sum()", EXPR_T_ANY},
	{"input.lines.filter(l, l.sku != 'x')[0].sku", EXPR_T_STRING},
	{"input.lines.all(l, l.quantity > 0)", EXPR_T_BOOL},
	{"input.lines.map(l, l.sku).join(',')", EXPR_T_STRING},
	{"input.pair[0].x", EXPR_T_ANY},
	{"input.map.exists(k, k.startsWith('a'))", EXPR_T_BOOL},
	{"input.?note", EXPR_T_ANY},
	{"input.?order_id.orValue('x') + 'y'", EXPR_T_STRING},
	{"input.?order_id.hasValue()", EXPR_T_BOOL},
	{"input.?any.score.or(steps.charge.?output.score)", EXPR_T_ANY},
	{"previous.orValue(0) == 0", EXPR_T_BOOL},
	{"has(input.note)", EXPR_T_BOOL},
	{"steps.charge.output.id", EXPR_T_ANY},
	{"steps.?charge.output.id", EXPR_T_ANY},
	{"steps['charge'].status == 'failed'", EXPR_T_BOOL},
	{"steps.reserve.failures.map(f, input.lines[f.index].sku)", EXPR_T_LIST},
	{"steps.reserve.undo.output", EXPR_T_ANY},
	{"step.key + step.uuid", EXPR_T_STRING},
	{"saga.failure.code", EXPR_T_ANY},
	{"timestamp(saga.started_at) + duration('1h')", EXPR_T_TIMESTAMP},
	{"timestamp(saga.started_at) - timestamp('2026-01-01T00:00:00Z')", EXPR_T_DURATION},
	{"env.REGION + secret.TOKEN", EXPR_T_STRING},
	{"index + 1", EXPR_T_INT},
	{"size(failures) <= 5", EXPR_T_BOOL},
	{"item.lines", EXPR_T_ANY},
	{"[1].map(reply, reply + 1)", EXPR_T_LIST},
	{"{'a': 1}.a", EXPR_T_ANY},
	{"true ? 1 : 2", EXPR_T_INT},
	{"dyn(1) - dyn('a')", EXPR_T_ANY},
	{"type(1) == int", EXPR_T_BOOL},
	{"null", EXPR_T_NULL},
};

START_TEST(test_expr_check__accepts)
{
	enum expr_type type;
	int n = check(good[_i].text, &type);

	ck_assert_msg(n == 0, "%s: %s", good[_i].text, buf_str(&reported));
	ck_assert_msg(type == good[_i].type, "%s is %s", good[_i].text, expr_type_text(type));
}
END_TEST

static const struct {
	const char *text;
	const char *says;
} bad[] = {
	{"nope", "column 1: there is no name `nope`\n"},
	{"1 + inptu.x", "column 5: there is no name `inptu` (did you mean `input`?)"},
	{"charge.output", "(did you mean `steps.charge`?)"},
	{"reply.body", "column 1: `reply` is not available here"},
	{"steps.chrage.output", "column 1: unknown step `chrage`"},
	{"steps.charge.outptu", "no field `outptu` (did you mean `output`?)"},
	{"steps.charge.body", "it has output, status, failures, undo"},
	{"steps", "`steps` is read by the name"},
	{"steps[input.order_id]", "`steps` is read by the name"},
	{"saga.naem", "(did you mean `name`?)"},
	{"step.url", "it has key, uuid, callback_url"},
	{"env.OTHER", "`OTHER` is not declared"},
	{"env", "`env` is read by the name"},
	{"input.oder_id", "`input` has no field `oder_id` (did you mean `order_id`?)"},
	{"input.?oder_id", "no field `oder_id`"},
	{"has(input.oder_id)", "no field `oder_id`"},
	{"input['oder_id']", "no field `oder_id`"},
	{"input.never", "no field `never`"},
	{"input.to.stret", "`input.to` has no field `stret` (did you mean `street`?)"},
	{"input.lines[0].skus", "`input.lines[0]` has no field `skus`"},
	{"input.lines.map(l, l.skus)", "column 20: `l` has no field `skus`"},
	{"input.lines.filter(l, true)[0].skus", "no field `skus`"},
	{"input.lines.sku", "of type list and has no field `sku`"},
	{"input.order_id.x", "of type string and has no field"},
	{"input.order_id[0]", "has no elements"},
	{"input.lines['a']", "of type list and has no field"},
	{"input.lines[true]", "index"},
	{"input.order_id - input.amount", "string - int is not defined"},
	{"input.note - 1", "null or string - int"},
	{"input.order_id + 1", "string + int"},
	{"input.order_id < 5", "string < int"},
	{"input.amount == '5'", "never equal"},
	{"input.size == 5", "never equal"},
	{"input.amount && true", "&&: `input.amount` is of type int, and bool is wanted"},
	{"!input.amount", "!: `input.amount`"},
	{"-input.order_id", "-: `input.order_id`"},
	{"input.amount ? 1 : 2", "condition"},
	{"1 in input.amount", "list or map"},
	{"input.amount.map(x, x)", "list or map is wanted"},
	{"input.lines.filter(l, l.sku)", "condition"},
	{"input.amount.startsWith('a')", "startsWith(): `input.amount` is of type int"},
	{"size(input.amount)", "string or list or map is wanted"},
	{"input.?amount + 1", "add .orValue"},
	{"input.?vip && true", "optional"},
	{"input.amount.orValue(1)", "belongs to an optional"},
	{"input.?amount.or(5)", "goes into orValue()"},
	{"startwith('a', 'b')", "there is no function startwith() (did you mean x.startsWith()?)"},
	{"'a'.startWith('b')", "did you mean x.startsWith()?"},
	{"input.lines.exist(l, true)", "did you mean x.exists()?"},
	{"startsWith('a', 'b')", "is called on a value"},
	{"'a'.int()", "is not called on a value"},
};

START_TEST(test_expr_check__refuses)
{
	int n = check(bad[_i].text, NULL);

	ck_assert_msg(n >= 1, "%s was accepted", bad[_i].text);
	ck_assert_msg(strstr(buf_str(&reported), bad[_i].says), "%s: %s", bad[_i].text,
				  buf_str(&reported));
}
END_TEST

START_TEST(test_expr_check__reports_every_error_once)
{
	ck_assert_int_eq(check("nope + reply.x + input.bad + steps.gone.output", NULL), 4);
	ck_assert_int_eq(check("nope.a.b.c[0].map(x, x)", NULL), 1);
}
END_TEST

START_TEST(test_expr_check__needs_no_schema_and_no_report)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	struct err err;

	scope.input_schema = NULL;
	ck_assert_int_eq(check("input.whatever.x - 1", NULL), 0);
	ck_assert_int_eq(expr_parse("nope", 4, &expr, &err), 0);
	ck_assert_int_eq(expr_check(expr, &scope, NULL, NULL, NULL), 1);
}
END_TEST

START_TEST(test_expr_check__ends_on_schemas_that_refer_to_themselves)
{
	CLEANUP(json_decref_p) json_t *loop = json_pack("{s:s}", "$ref", "#");

	scope.input_schema = loop;
	ck_assert_int_eq(check("input.a.b", NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expr_check");
	TCase *tc = tcase_create("expr_check");
	SRunner *runner;
	int failed;

	buf_init(&reported, 0);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_expr_check__accepts, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tc, test_expr_check__refuses, 0, ARRAY_SIZE(bad));
	tcase_add_test(tc, test_expr_check__reports_every_error_once);
	tcase_add_test(tc, test_expr_check__needs_no_schema_and_no_report);
	tcase_add_test(tc, test_expr_check__ends_on_schemas_that_refer_to_themselves);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	buf_release(&reported);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
