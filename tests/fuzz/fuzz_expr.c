/*
 * Expressions: parse, check and evaluate whatever comes; all must end. Evaluating gives the same
 * twice, and as text the same as as a value.
 */
#include <stdint.h>

#include "sagas/expr.h"
#include "sagas/json_text.h"
#include "sagas/tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static const struct expr_env env = {.get = get, .budget = 2000};

static void set_up(void)
{
	static const char text[] =
		"{\"input\":{\"id\":\"o-1\",\"n\":3,\"price\":19.99,\"note\":null,\"ok\":true,"
		"\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":\"b\\u00e9\",\"n\":2}],"
		"\"when\":\"2026-01-31T23:59:59Z\"},\"steps\":{\"a\":{\"status\":\"completed\","
		"\"output\":{\"x\":[1,2.5,null]}}},\"item\":\"i\",\"index\":0,\"saga\":{\"id\":\"s\"}}";
	struct err err;

	CHECK(json_parse(text, sizeof(text) - 1, &world, &err) == 0);
}

static int any_step(void *ctx, const char *id, struct err *err)
{
	(void)ctx;
	return *id == 'a' ? 0 : err_set(err, ERR_INVALID, "unknown step");
}

static void fuzz_check(const struct expr *expr)
{
	struct expr_scope scope = {
		.input_schema = json_object_get(world, "schema"),
		.step = any_step,
	};

	for (int i = 0; i < EXPR_NAME_COUNT; i++) {
		scope.allowed[i] = i % 4 != 2;
		(void)expr_reads(expr, (enum expr_name)i, "failure");
	}
	CHECK(expr_check(expr, &scope, NULL, NULL, NULL) >= 0);
}

static void fuzz_eval(const struct expr *expr)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	CLEANUP(json_decref_p) json_t *again = NULL;
	struct err err;
	int r = expr_eval(expr, &env, &value, &err);

	CHECK(expr_eval(expr, &env, &again, NULL) == r);
	if (r < 0) {
		CHECK(err.text[0] && !value);
		return;
	}
	CHECK(!value == !again && (!value || json_equal(value, again)));
}

/* The same text as a template, where ${} may stand anywhere. */
static void fuzz_tmpl(const char *text, size_t size)
{
	CLEANUP(json_decref_p) json_t *string = json_stringn(text, size);
	CLEANUP(json_decref_p) json_t *value = NULL;
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = NULL;
	struct buf out, expected;
	bool present;
	int r;

	if (!string || tmpl_compile(string, NULL, NULL, &tmpl) < 0)
		return;
	buf_init(&out, 1024 * 1024);
	buf_init(&expected, 1024 * 1024);
	r = tmpl_eval(tmpl, &env, &value, NULL);
	if (r == 0 && tmpl_write(tmpl, &env, &out, &present, NULL) == 0) {
		CHECK(present == (value != NULL));
		if (value)
			json_write(value, &expected);
		CHECK(out.len == expected.len && memcmp(buf_str(&out), buf_str(&expected), out.len) == 0);
	}
	buf_clear(&out);
	(void)!tmpl_write_text(tmpl, &env, TMPL_TEXT_PATH, &out, &present, NULL);
	buf_clear(&out);
	(void)!tmpl_write_text(tmpl, &env, TMPL_TEXT_QUERY, &out, &present, NULL);
	buf_release(&out);
	buf_release(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	struct err err;

	if (!world)
		set_up();
	/* Definitions are JSON or YAML, so the text is UTF-8 without NUL. */
	if (memchr(text, 0, size))
		return 0;
	fuzz_tmpl(text, size);
	if (expr_parse(text, size, &expr, &err) < 0) {
		CHECK(err.text[0] && err.place[0]);
		return 0;
	}
	fuzz_check(expr);
	fuzz_eval(expr);
	return 0;
}
