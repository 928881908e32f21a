/* Dead letters as JSON, and what is edited of one as bytes again. */
#include "coordinator/json_dead_letter.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"

static struct buf out;

static void setup(void)
{
	buf_init(&out, 0);
}

static void teardown(void)
{
	buf_release(&out);
}

static json_t *parse(const char *text)
{
	json_t *doc = NULL;
	struct err err;

	ck_assert_msg(json_parse(text, strlen(text), &doc, &err) == 0, "%s: %s", err.text, text);
	return doc;
}

static void write_row(const char *key, size_t key_len, const void *value, size_t value_len,
					  const char *headers)
{
	struct dead_letter_row row = {
		.id = "00000000-0000-5000-8000-000000000001",
		.ns = "default",
		.trigger = "order/orders",
		.cluster = "default",
		.topic = "orders",
		.partition = 3,
		.offset = 17,
		.at = 1,
		.failed_at = 2,
		.key = key,
		.key_len = key_len,
		.value = value,
		.value_len = value_len,
		.headers = headers,
		.reason = "unparsable",
		.message = "line 1: \"x\"",
		.attempts = 3,
		.status = DEAD_LETTER_WAITING,
		.updated_at = 2,
	};

	buf_clear(&out);
	json_dead_letter(&row, &out);
}

static void check(const char *member, const char *expected)
{
	json_t *doc = parse(buf_str(&out));
	char *text = json_dumps(json_object_get(doc, member), JSON_ENCODE_ANY | JSON_COMPACT);

	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(doc);
}

START_TEST(test_json__shows_bytes_as_what_they_are)
{
	write_row("k", 1, "{\"a\":1}", 7, "[[\"h\",\"djE=\"],[\"none\",null],[\"bin\",\"/w==\"]]");
	check("key", "{\"text\":\"k\"}");
	check("value", "{\"text\":\"{\\\"a\\\":1}\"}");
	check("headers", "[{\"name\":\"h\",\"text\":\"v1\"},{\"name\":\"none\"},"
					 "{\"name\":\"bin\",\"base64\":\"/w==\"}]");
	check("value_bytes", "7");
	check("message", "\"line 1: \\\"x\\\"\"");
	write_row(NULL, 0, "\xff\0x", 3, "[]");
	check("key", "null");
	check("value", "{\"base64\":\"/wB4\"}");
	check("headers", "[]");
	write_row("", 0, "", 0, "[]"); /* nothing is something else than none */
	check("key", "{\"text\":\"\"}");
}
END_TEST

static int edit(const char *json, bool *ret_none)
{
	json_t *doc = NULL;
	struct err err;
	int r;

	buf_clear(&out);
	doc = json_loads(json, JSON_DECODE_ANY, NULL);
	ck_assert_ptr_nonnull(doc);
	r = bytes_from_json(doc, "value", &out, ret_none, &err);
	json_decref(doc);
	return r;
}

START_TEST(test_json__reads_what_was_edited)
{
	bool none;

	ck_assert_int_eq(edit("null", &none), 0);
	ck_assert(none);
	ck_assert_int_eq(edit("{\"text\": \"{\\\"a\\\": 1}\"}", &none), 0);
	ck_assert(!none);
	ck_assert_str_eq(buf_str(&out), "{\"a\": 1}");
	ck_assert_int_eq(edit("{\"json\": {\"a\": [1, null]}}", &none), 0);
	ck_assert_str_eq(buf_str(&out), "{\"a\":[1,null]}");
	ck_assert_int_eq(edit("{\"base64\": \"/wB4\"}", &none), 0);
	ck_assert_uint_eq(out.len, 3);
	ck_assert_int_eq(memcmp(out.data, "\xff\0x", 3), 0);
	ck_assert_int_eq(edit("{\"base64\": \"?\"}", &none), ERR_INVALID);
	ck_assert_int_eq(edit("{\"text\": 1}", &none), ERR_INVALID);
	ck_assert_int_eq(edit("{\"text\": \"a\", \"json\": 1}", &none), ERR_INVALID);
	ck_assert_int_eq(edit("{}", &none), ERR_INVALID);
	ck_assert_int_eq(edit("\"text\"", &none), ERR_INVALID);
}
END_TEST

START_TEST(test_json__reads_edited_headers_as_rows_keep_them)
{
	json_t *list = parse("[{\"name\": \"h\", \"text\": \"v1\"}, {\"name\": \"none\"},"
						 " {\"name\": \"j\", \"json\": {\"a\": 1}}]");
	struct err err;

	ck_assert_int_eq(headers_from_json(list, &out, &err), 0);
	ck_assert_str_eq(buf_str(&out), "[[\"h\",\"djE=\"],[\"none\",null],[\"j\",\"eyJhIjoxfQ==\"]]");
	json_decref(list);
	buf_clear(&out);
	list = parse("[{\"text\": \"nameless\"}]");
	ck_assert_int_eq(headers_from_json(list, &out, &err), ERR_INVALID);
	json_decref(list);
	buf_clear(&out);
	list = parse("{\"h\": \"v\"}");
	ck_assert_int_eq(headers_from_json(list, &out, &err), ERR_INVALID);
	json_decref(list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_dead_letter");
	TCase *tcase = tcase_create("json");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_json__shows_bytes_as_what_they_are);
	tcase_add_test(tcase, test_json__reads_what_was_edited);
	tcase_add_test(tcase, test_json__reads_edited_headers_as_rows_keep_them);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
