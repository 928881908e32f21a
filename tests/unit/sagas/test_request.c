#include "sagas/request.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"

/* Reads, writes, and compares with `expected` (NULL: the same text). */
static void round_trip(const char *text, const char *expected)
{
	struct request *request;
	struct buf out;
	struct err err;
	json_t *json;

	ck_assert_int_eq(json_parse(text, strlen(text), &json, &err), 0);
	ck_assert_msg(request_from_json(json, &request, &err) == 0, "%s", err.text);
	buf_init(&out, 0);
	request_write(request, &out);
	ck_assert_str_eq(buf_str(&out), expected ? expected : text);
	buf_release(&out);
	request_unref(request);
	json_decref(json);
}

START_TEST(test_request__keeps_its_bytes)
{
	round_trip("{\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/x?y=%2F\",\"key\":\"s/a/do\"}",
			   NULL);
	round_trip("{\"to\":\"pay\",\"method\":\"POST\",\"path\":\"/\",\"key\":\"k\",\"headers\":"
			   "[\"X-A: 1\",\"X-B: \xc3\xa9\"],\"body\":{\"b\":19.99,\"a\":[1,null]}}",
			   NULL);
	round_trip("{\"to\":\"pay\",\"method\":\"POST\",\"path\":\"/\",\"key\":\"k\",\"body\":null}",
			   NULL);
}
END_TEST

START_TEST(test_request__keeps_a_body_that_is_not_json)
{
	round_trip("{\"to\":\"pay\",\"method\":\"POST\",\"path\":\"/\",\"key\":\"k\",\"content_type\":"
			   "\"application/x-www-form-urlencoded\",\"body_text\":\"a=1&b=%20\"}",
			   NULL);
}
END_TEST

START_TEST(test_request__keeps_what_goes_through_kafka)
{
	round_trip(
		"{\"kind\":\"command\",\"to\":\"credit\",\"type\":\"Reserve\",\"record_key\":\"c-7\","
		"\"key\":\"s/a/do\",\"correlation\":\"default/s/a/do\",\"headers\":[\"x-a: 1\"],"
		"\"body\":{\"amount\":19.99}}",
		NULL);
	round_trip(
		"{\"kind\":\"emit\",\"cluster\":\"default\",\"topic\":\"orders\",\"type\":\"Placed\","
		"\"record_key\":\"o-1\",\"body\":null}",
		NULL);
	round_trip(
		"{\"kind\":\"emit\",\"cluster\":\"default\",\"topic\":\"orders\",\"type\":\"Placed\","
		"\"record_key\":\"o-1\"}",
		NULL);
}
END_TEST

START_TEST(test_request__is_shared_by_counting)
{
	struct request *request = request_new();

	request->to = xstrdup("pay");
	ck_assert_ptr_eq(request_ref(request), request);
	request_unref(request);
	ck_assert_str_eq(request->to, "pay");
	request_unref(request);
	request_unref(NULL);
	ck_assert_ptr_null(request_ref(NULL));
}
END_TEST

static const char *const wrong[] = {
	"{\"kind\":\"letter\",\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/\",\"key\":\"k\"}",
	"{\"kind\":\"command\",\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/\",\"key\":\"k\"}",
	"{\"kind\":\"command\",\"to\":\"pay\",\"type\":\"T\",\"record_key\":\"k\",\"key\":\"k\"}",
	"{\"kind\":\"emit\",\"topic\":\"t\",\"type\":\"T\",\"record_key\":\"k\"}",
	"{}",
	"[]",
	"\"x\"",
	"{\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/\"}",
	"{\"to\":1,\"method\":\"GET\",\"path\":\"/\",\"key\":\"k\"}",
	"{\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/\",\"key\":\"k\",\"headers\":{}}",
	"{\"to\":\"pay\",\"method\":\"GET\",\"path\":\"/\",\"key\":\"k\",\"headers\":[null]}",
};

START_TEST(test_request__refuses_what_is_not_one)
{
	struct request *request = NULL;
	struct err err;
	json_t *json;

	ck_assert_int_eq(json_parse(wrong[_i], strlen(wrong[_i]), &json, &err), 0);
	ck_assert_int_eq(request_from_json(json, &request, &err), ERR_INVALID);
	ck_assert_ptr_null(request);
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tc = tcase_create("request");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_request__keeps_its_bytes);
	tcase_add_test(tc, test_request__keeps_a_body_that_is_not_json);
	tcase_add_test(tc, test_request__keeps_what_goes_through_kafka);
	tcase_add_test(tc, test_request__is_shared_by_counting);
	tcase_add_loop_test(tc, test_request__refuses_what_is_not_one, 0, ARRAY_SIZE(wrong));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
