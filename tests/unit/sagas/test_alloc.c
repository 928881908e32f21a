/*
 * Fails each allocation once, in the parsing and evaluating of what clients send: each call must
 * end with an error, and free what it took. The allocator is replaced for this program by one that
 * counts; with a sanitizer, which has its own, there is nothing to test.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/expr.h"
#include "sagas/json_text.h"
#include "sagas/tmpl.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define OWN_ALLOCATOR 0
#else
#define OWN_ALLOCATOR 1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);
#endif

static long n_allowed = -1; /* before the one that fails; -1: all */
static bool has_failed;
static long n_live;

#if OWN_ALLOCATOR
static bool fails(void)
{
	if (n_allowed < 0)
		return false;
	if (n_allowed > 0) {
		n_allowed--;
		return false;
	}
	/* Only this one: what follows, such as making the error's text, may succeed. */
	n_allowed = -1;
	has_failed = true;
	return true;
}

void *malloc(size_t size)
{
	if (fails())
		return NULL;
	n_live++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	if (fails())
		return NULL;
	n_live++;
	return __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
	if (fails())
		return NULL;
	n_live += !ptr;
	return __libc_realloc(ptr, size);
}

void free(void *ptr)
{
	n_live -= ptr != NULL;
	__libc_free(ptr);
}
#endif

static json_t *world;

static json_t *get(void *ctx, enum expr_name name)
{
	(void)ctx;
	return name == EXPR_INPUT ? world : NULL;
}

static const struct expr_env env = {.get = get};

static int parse_json(const char *text)
{
	json_t *value = NULL;
	struct err err;
	int r = json_parse(text, strlen(text), &value, &err);

	json_decref(value);
	return r;
}

static int parse_stored(const char *text)
{
	json_t *value = NULL;
	struct err err;
	int r = json_parse_stored(text, strlen(text), &value, &err);

	json_decref(value);
	return r;
}

static int parse_and_evaluate(const char *text)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	json_t *value = NULL;
	struct err err;
	int r = expr_parse(text, strlen(text), &expr, &err);

	if (r == 0)
		r = expr_eval(expr, &env, &value, &err);
	json_decref(value);
	return r;
}

static struct tmpl *tmpl;

static int evaluate_tmpl(const char *text)
{
	json_t *value = NULL;
	struct err err;
	int r = tmpl_eval(tmpl, &env, &value, &err);

	(void)text;
	json_decref(value);
	return r;
}

static int write_tmpl(const char *text)
{
	struct buf out;
	struct err err;
	bool present;
	int r;

	(void)text;
	buf_init(&out, 0);
	r = tmpl_write(tmpl, &env, &out, &present, &err);
	buf_release(&out);
	return r;
}

/* text: the value of a record in each mode; headers say which. */
static const struct kafka_header binary_headers[] = {
	{"ce_specversion", "1.0", 3},
	{"ce_id", "an id that is longer than most", 30},
	{"ce_source", "/s", 2},
	{"ce_type", "T", 1},
	{"content-type", "application/json", 16},
	{"bytes", "\xff", 1},
};
static const struct kafka_header text_headers[] = {{"content-type", "text/plain", 10}};
static const struct kafka_header *record_headers;
static size_t n_record_headers;

static int read_event(const char *text)
{
	const struct kafka_record record = {
		.topic = "topic",
		.key = "\xff\xfe",
		.key_len = 2,
		.at = 1,
		.value = text,
		.value_len = strlen(text),
		.headers = record_headers,
		.n_headers = n_record_headers,
	};
	json_t *event = NULL;
	struct err err;
	int r = cloudevent_read(&record, &event, &err);

	json_decref(event);
	return r;
}

/* Runs it with its first allocation failing, its second, … until none is left to fail. */
static void fail_each(int (*run)(const char *text), const char *text)
{
	long before = n_live;

	for (long n = 0;; n++) {
		int r;

		ck_assert_int_lt(n, 10000);
		has_failed = false;
		n_allowed = n;
		r = run(text);
		n_allowed = -1;
		ck_assert_int_eq(n_live, before);
		if (!has_failed) {
			ck_assert_int_eq(r, 0);
			return;
		}
		ck_assert_msg(r < 0, "allocation %ld failed unnoticed in %s", n, text);
	}
}

static void set_up(void)
{
	static const char text[] =
		"{\"id\":\"o-1\",\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":\"b\",\"n\":2}]}";
	static const char body[] =
		"{\"id\":\"${input.id}\",\"text\":\"order ${input.id}: ${size(input.lines)}\","
		"\"skus\":\"${input.lines.map(l, {'s': l.sku + '!'})}\",\"c\":[1,\"${1.5}\"]}";
	json_t *value;
	struct err err;

	/* A seed that jansson makes when it is first needed is not part of what is tested. */
	json_object_seed(1);
	ck_assert_int_eq(json_parse(text, strlen(text), &world, &err), 0);
	ck_assert_int_eq(json_parse(body, strlen(body), &value, &err), 0);
	ck_assert_int_eq(tmpl_compile(value, NULL, NULL, &tmpl), 0);
	json_decref(value);
}

static void tear_down(void)
{
	json_decref(world);
	tmpl_free(tmpl);
}

/*
 * No string of more than 16 bytes: past that, jansson's parser loses a character when memory is
 * gone, and says nothing (the binary has it abort instead, see main.c).
 */
static const char *const jsons[] = {
	"{\"a\":[1,2.5,\"x\\u00e9\",null,{\"b\":{}}],\"c\":\"a string\"}",
	"\"x\"",
	"[[],[1],[[2]]]",
};

START_TEST(test_alloc__json)
{
	fail_each(parse_json, jsons[_i]);
	fail_each(parse_stored, jsons[_i]);
}
END_TEST

static const char *const exprs[] = {
	"input.lines.filter(l, l.n > 1).map(l, {'sku': l.sku, ?'x': l.?x})",
	"input.id + '-' + string(1.5) + ['a', 'b'].join(',')",
	"'a,b,c'.split(',').map(x, x.upperAscii() + x.replace('a', 'bb').reverse())",
	"input.lines.exists(l, l.sku == 'b') && size(input.lines[0].sku + 'x') == 2",
	"timestamp('2026-01-31T23:59:59Z') + duration('1h')",
	"optional.of([1]).optMap(x, x + [2]).orValue([])",
};

START_TEST(test_alloc__expressions)
{
	fail_each(parse_and_evaluate, exprs[_i]);
}
END_TEST

START_TEST(test_alloc__templates)
{
	fail_each(evaluate_tmpl, "the template");
	fail_each(write_tmpl, "the template");
}
END_TEST

START_TEST(test_alloc__events)
{
	record_headers = NULL;
	n_record_headers = 0;
	fail_each(read_event, "{\"n\":[1,\"x\",{}]}");
	fail_each(read_event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\","
						  "\"data\":{\"n\":1},\"ext\":7}");
	fail_each(read_event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\","
						  "\"data_base64\":\"eyJuIjoxfQ==\"}");
	record_headers = binary_headers;
	n_record_headers = ARRAY_SIZE(binary_headers);
	fail_each(read_event, "{\"n\":1}");
	record_headers = text_headers;
	n_record_headers = ARRAY_SIZE(text_headers);
	fail_each(read_event, "some text");
	fail_each(read_event, "no text: \xff");
}
END_TEST

int main(void)
{
	Suite *suite;
	TCase *tc;
	SRunner *runner;
	int failed;

	if (!OWN_ALLOCATOR)
		return EXIT_SUCCESS;
	suite = suite_create("alloc");
	tc = tcase_create("alloc");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_alloc__json, 0, ARRAY_SIZE(jsons));
	tcase_add_loop_test(tc, test_alloc__expressions, 0, ARRAY_SIZE(exprs));
	tcase_add_test(tc, test_alloc__templates);
	tcase_add_test(tc, test_alloc__events);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
