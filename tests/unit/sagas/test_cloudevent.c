#include "sagas/cloudevent.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"

/* A header of text; a record of text. */
#define H(name, text)                                                                              \
	{                                                                                              \
		(name), (text), sizeof(text) - 1                                                           \
	}
#define V(text) .value = (text), .value_len = sizeof(text) - 1

static struct kafka_record record_of(const struct kafka_header *headers, size_t n)
{
	return (struct kafka_record){
		.cluster = "default",
		.topic = "orders.placed",
		.partition = 3,
		.offset = 42,
		.at = INT64_C(1767225600123),
		.key = "o-1",
		.key_len = 3,
		.headers = headers,
		.n_headers = n,
	};
}

struct sample {
	struct kafka_header headers[8];
	const char *value;
	size_t value_len;
	/* What the event says beside topic, partition, offset and timestamp; key and headers only
	 * where they are what is tested. */
	const char *expected;
};

static size_t count(const struct kafka_header *headers)
{
	size_t n = 0;

	while (n < 8 && headers[n].name)
		n++;
	return n;
}

static int read_sample(const struct sample *sample, json_t **ret, struct err *err)
{
	struct kafka_record record = record_of(sample->headers, count(sample->headers));

	record.value = sample->value;
	record.value_len = sample->value_len;
	memset(err, 0, sizeof(*err));
	return cloudevent_read(&record, ret, err);
}

#define PLAIN "\"id\":null,\"source\":null,\"type\":null,\"subject\":null,\"time\":null,"
#define PLACED "\"id\":\"e-1\",\"source\":\"/shop\",\"type\":\"OrderPlaced\","
#define BINARY                                                                                     \
	H("ce_specversion", "1.0"), H("ce_id", "e-1"), H("ce_source", "/shop"),                        \
		H("ce_type", "OrderPlaced")

static const struct sample samples[] = {
	/* Plain JSON. */
	{{{0}},
	 V("{\"order\":{\"id\":\"o-1\",\"total\":19.99}}"),
	 "{" PLAIN "\"data\":{\"order\":{\"id\":\"o-1\",\"total\":19.99}}}"},
	{{{0}}, V(" [1,2.50,null] "), "{" PLAIN "\"data\":[1,2.5,null]}"},
	{{{0}}, V("\"text\""), "{" PLAIN "\"data\":\"text\"}"},
	{{H("content-type", "application/json; charset=utf-8")}, V("7"), "{" PLAIN "\"data\":7}"},
	{{H("Content-Type", "application/vnd.shop.order+json")}, V("{}"), "{" PLAIN "\"data\":{}}"},
	/* Other content types are text, or bytes. */
	{{H("content-type", "text/plain")}, V("{no json"), "{" PLAIN "\"data\":\"{no json\"}"},
	{{H("content-type", "text/csv")}, V("a;b\n1;\xc3\xbc"), "{" PLAIN "\"data\":\"a;b\\n1;ü\"}"},
	{{H("content-type", "application/avro")},
	 V("\0\x01\xff"),
	 "{" PLAIN "\"data\":null,\"data_base64\":\"AAH/\"}"},
	/* A tombstone. */
	{{{0}}, NULL, 0, "{" PLAIN "\"data\":null}"},
	{{H("content-type", "application/json")}, NULL, 0, "{" PLAIN "\"data\":null}"},
	/* Binary mode. */
	{{BINARY, H("content-type", "application/json")},
	 V("{\"n\":1}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":{\"n\":1},"
	 "\"datacontenttype\":\"application/json\"}"},
	{{BINARY, H("ce_subject", "o-1"), H("ce_time", "2026-01-01T12:00:00.5+02:00"),
	  H("ce_traceid", "t1"), H("ce_dataschema", "https://x.test/s")},
	 V("{}"),
	 "{" PLACED "\"subject\":\"o-1\",\"time\":\"2026-01-01T12:00:00.5+02:00\",\"data\":{},"
	 "\"traceid\":\"t1\",\"dataschema\":\"https://x.test/s\"}"},
	{{BINARY}, NULL, 0, "{" PLACED "\"subject\":null,\"time\":null,\"data\":null}"},
	/* In the value, `specversion` is then data as any other. */
	{{BINARY},
	 V("{\"specversion\":\"1.0\"}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":{\"specversion\":\"1.0\"}}"},
	{{BINARY, H("content-type", "text/xml")},
	 V("<a/>"),
	 "{" PLACED
	 "\"subject\":null,\"time\":null,\"data\":\"<a/>\",\"datacontenttype\":\"text/xml\"}"},
	/* Extensions cannot take the place of what Skald says. */
	{{BINARY, H("ce_topic", "other"), H("ce_headers", "x"), H("ce_OFFSET", "7"), H("ce_Data", "x")},
	 V("1"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":1}"},
	/* Structured mode, said by the header or by the value. */
	{{H("content-type", "application/cloudevents+json; charset=UTF-8")},
	 V("{\"specversion\":\"1.0\"," PLACED "\"subject\":\"o-1\",\"data\":{\"n\":1},\"partnerid\":7,"
	   "\"datacontenttype\":\"application/json\",\"time\":null}"),
	 "{" PLACED "\"subject\":\"o-1\",\"time\":null,\"data\":{\"n\":1},\"partnerid\":7,"
	 "\"datacontenttype\":\"application/json\"}"},
	{{H("content-type", "application/cloudevents+json"), H("ce_specversion", "1.0"),
	  H("ce_id", "another")},
	 V("{\"specversion\":\"1.0\"," PLACED "\"data\":1}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":1}"},
	{{{0}},
	 V("{" PLACED "\"data\":[1],\"specversion\":\"1.0\",\"key\":\"k\",\"headers\":{}}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":[1]}"},
	{{H("content-type", "application/json")},
	 V("{\"specversion\":\"1.0\"," PLACED "\"x\":1}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":null,\"x\":1}"},
	{{{0}},
	 V("{\"specversion\":\"1.0\"," PLACED "\"data_base64\":\"eyJuIjoxfQ==\"}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":{\"n\":1}}"},
	{{{0}},
	 V("{\"specversion\":\"1.0\"," PLACED
	   "\"data_base64\":\"AAH/\",\"datacontenttype\":\"image/png\"}"),
	 "{" PLACED "\"subject\":null,\"time\":null,\"data\":null,\"data_base64\":\"AAH/\","
	 "\"datacontenttype\":\"image/png\"}"},
	{{{0}},
	 V("{\"specversion\":\"1.0\"," PLACED
	   "\"data_base64\":\"YWI=\",\"datacontenttype\":\"text/plain\"}"),
	 "{" PLACED
	 "\"subject\":null,\"time\":null,\"data\":\"ab\",\"datacontenttype\":\"text/plain\"}"},
	/* A number by that name is nothing of CloudEvents. */
	{{{0}}, V("{\"specversion\":1}"), "{" PLAIN "\"data\":{\"specversion\":1}}"},
};

START_TEST(test_cloudevent__reads_each_mode)
{
	const struct sample *sample = &samples[_i];
	json_t *event = NULL, *expected = NULL;
	struct err err;

	ck_assert_int_eq(json_parse(sample->expected, strlen(sample->expected), &expected, &err), 0);
	json_object_set_new(expected, "topic", json_string("orders.placed"));
	json_object_set_new(expected, "partition", json_integer(3));
	json_object_set_new(expected, "offset", json_integer(42));
	json_object_set_new(expected, "timestamp", json_string("2026-01-01T00:00:00.123Z"));
	json_object_set_new(expected, "key", json_string("o-1"));
	ck_assert_msg(read_sample(sample, &event, &err) == 0, "%s: %s", err.place, err.text);
	ck_assert_uint_eq(json_object_size(json_object_get(event, "headers")), count(sample->headers));
	json_object_set(expected, "headers", json_object_get(event, "headers"));
	if (!json_equal(event, expected)) {
		struct buf out;

		buf_init(&out, 0);
		json_write(event, &out);
		ck_abort_msg("%s\ninstead of %s", buf_str(&out), sample->expected);
	}
	json_decref(event);
	json_decref(expected);
}
END_TEST

static const struct {
	struct sample sample; /* expected: the place */
	enum err_code code;
	const char *text; /* part of it */
} refused[] = {
	{{{{0}}, V(""), "value, line 1, column 1"}, ERR_INVALID, "the text ends"},
	{{{{0}}, V("{\"a\":1,\n \"b\"}"), "value, line 2, column 5"}, ERR_INVALID, "':'"},
	{{{{0}}, V("{\"a\":1,\"a\":2}"), "value, line 1, column 10"}, ERR_INVALID, "duplicate"},
	{{{{0}}, V("{\"a\":0.1234567890123456789}"), "value, line 1, column 6"}, ERR_INVALID, "kept"},
	{{{{0}}, V("\xff\xfe"), "value, line 1, column 1"}, ERR_INVALID, "byte 0xff"},
	{{{H("content-type", "application/json")}, V("nul"), "value, line 1, column 1"},
	 ERR_INVALID,
	 "JSON value"},
	{{{BINARY}, V("{"), "value, line 1, column 2"}, ERR_INVALID, "the text ends"},
	{{{H("ce_specversion", "1.0"), H("ce_source", "/s"), H("ce_type", "T")}, V("1"), "headers"},
	 ERR_INVALID,
	 "`id`"},
	{{{H("ce_specversion", "1.0"), H("ce_id", ""), H("ce_source", "/s"), H("ce_type", "T")},
	  V("1"),
	  "headers"},
	 ERR_INVALID,
	 "`id`"},
	{{{H("ce_specversion", "1.0"), H("ce_id", "1"), H("ce_type", "T")}, V("1"), "headers"},
	 ERR_INVALID,
	 "`source`"},
	{{{H("ce_specversion", "1.0"), H("ce_id", "1"), H("ce_source", "/s")}, V("1"), "headers"},
	 ERR_INVALID,
	 "`type`"},
	{{{BINARY, H("ce_time", "yesterday")}, V("1"), "headers"}, ERR_INVALID, "`time`"},
	{{{BINARY, H("ce_subject", "\xff")}, V("1"), "headers"}, ERR_INVALID, "ce_subject"},
	{{{H("ce_specversion", "0.3"), H("ce_id", "1"), H("ce_source", "/s"), H("ce_type", "T")},
	  V("1"),
	  "headers"},
	 ERR_INVALID,
	 "0.3"},
	{{{H("ce_specversion", "\xff\0 and more than thirty-two bytes of it")}, V("1"), "headers"},
	 ERR_INVALID,
	 "specversion ?"},
	{{{H("content-type", "application/cloudevents+json")}, V("[]"), "value"},
	 ERR_INVALID,
	 "a JSON object"},
	{{{H("content-type", "application/cloudevents+json")}, V("{\"id\":\"1\"}"), "value"},
	 ERR_INVALID,
	 "`specversion`"},
	{{{H("content-type", "application/cloudevents+json")}, NULL, 0, "value"},
	 ERR_INVALID,
	 "no value"},
	{{{H("content-type", "application/cloudevents-batch+json")}, V("[]"), "header content-type"},
	 ERR_INVALID,
	 "cannot be read"},
	{{{H("content-type", "application/cloudevents+avro")}, V("x"), "header content-type"},
	 ERR_INVALID,
	 "cannot be read"},
	{{{H("content-type", "\xff\xfe")}, V("x"), "header content-type"}, ERR_INVALID, "UTF-8"},
	{{{{0}}, V("{\"specversion\":\"1.0\",\"id\":7,\"source\":\"/s\",\"type\":\"T\"}"), "value"},
	 ERR_INVALID,
	 "`id`"},
	{{{{0}}, V("{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"T\"}"), "value"},
	 ERR_INVALID,
	 "`source`"},
	{{{{0}}, V("{\"specversion\":\"1.0\"," PLACED "\"subject\":1}"), "value"},
	 ERR_INVALID,
	 "`subject`"},
	{{{{0}}, V("{\"specversion\":\"1.0\"," PLACED "\"time\":\"x\"}"), "value"},
	 ERR_INVALID,
	 "`time`"},
	{{{{0}}, V("{\"specversion\":\"1.0\"," PLACED "\"data\":1,\"data_base64\":\"\"}"), "value"},
	 ERR_INVALID,
	 "not both"},
	{{{{0}}, V("{\"specversion\":\"1.0\"," PLACED "\"data_base64\":\"!\"}"), "value"},
	 ERR_INVALID,
	 "base64"},
	{{{{0}},
	  V("{\"specversion\":\"1.0\"," PLACED "\"data_base64\":\"ew==\"}"),
	  "value, line 1, column 2"},
	 ERR_INVALID,
	 "data_base64"},
	{{{H("\xff", "x")}, V("1"), "headers"}, ERR_INVALID, "header 1"},
};

START_TEST(test_cloudevent__says_where_a_record_is_wrong)
{
	json_t *event = (json_t *)&samples;
	struct err err;

	ck_assert_int_eq(read_sample(&refused[_i].sample, &event, &err), refused[_i].code);
	ck_assert_str_eq(err.place, refused[_i].sample.expected);
	ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s", err.text);
	ck_assert_ptr_eq(event, (json_t *)&samples);
	/* Who does not want to know need not ask. */
	{
		const struct sample *sample = &refused[_i].sample;
		struct kafka_record record = record_of(sample->headers, count(sample->headers));

		record.value = sample->value;
		record.value_len = sample->value_len;
		ck_assert_int_eq(cloudevent_read(&record, &event, NULL), refused[_i].code);
	}
}
END_TEST

static const char *text_of(json_t *event, const char *name)
{
	return json_string_value(json_object_get(json_object_get(event, "headers"), name));
}

START_TEST(test_cloudevent__shows_headers_and_key)
{
	static const struct kafka_header headers[] = {
		H("tenant", "a"), H("tenant", "b"), H("raw", "\0\x01"), {"none", NULL, 0}, H("empty", ""),
	};
	struct kafka_record record = record_of(headers, ARRAY_SIZE(headers));
	json_t *event;
	struct err err;

	record.key = "\xff\xff";
	record.key_len = 2;
	record.at = 0;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	ck_assert_uint_eq(json_object_size(json_object_get(event, "headers")), 4);
	ck_assert_str_eq(text_of(event, "tenant"), "b");
	ck_assert_str_eq(text_of(event, "raw"), "base64:AAE=");
	ck_assert_str_eq(text_of(event, "empty"), "");
	ck_assert(json_is_null(json_object_get(json_object_get(event, "headers"), "none")));
	ck_assert_str_eq(json_string_value(json_object_get(event, "key")), "base64://8=");
	ck_assert(json_is_null(json_object_get(event, "timestamp")));
	json_decref(event);

	record.key = NULL;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	ck_assert(json_is_null(json_object_get(event, "key")));
	json_decref(event);
	/* An empty key is one. */
	record.key = "";
	record.key_len = 0;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	ck_assert_str_eq(json_string_value(json_object_get(event, "key")), "");
	json_decref(event);
}
END_TEST

START_TEST(test_cloudevent__finds_the_last_header)
{
	static const struct kafka_header headers[] = {
		H("a", "1"), H("A", "2"), H("b", "3"), {"b", NULL, 0}};
	const struct kafka_record record = record_of(headers, ARRAY_SIZE(headers));

	ck_assert_ptr_eq(kafka_record_header(&record, "a"), &headers[1]);
	ck_assert_ptr_null(kafka_record_header(&record, "b"));
	ck_assert_ptr_null(kafka_record_header(&record, "c"));
}
END_TEST

/* Exactly at each limit, and one past it. */
START_TEST(test_cloudevent__has_limits)
{
	static struct kafka_header headers[EVENT_MAX_HEADERS + 1];
	static char large[EVENT_MAX_BYTES + 1], names[EVENT_MAX_HEADERS + 1][16];
	struct kafka_record record = record_of(headers, 0);
	json_t *event;
	struct err err;

	memset(large, ' ', sizeof(large));
	large[0] = '1';
	record.value = large;
	record.value_len = EVENT_MAX_BYTES;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	record.value_len++;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "value");
	record.value_len = 1;

	record.key = large;
	record.key_len = EVENT_MAX_KEY_BYTES;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	record.key_len++;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "key");
	record.key_len = 1;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu", i);
		headers[i] = (struct kafka_header){names[i], "", 0};
	}
	record.n_headers = EVENT_MAX_HEADERS;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	record.n_headers++;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "headers");

	record.n_headers = 1;
	headers[0] = (struct kafka_header){"h", large, EVENT_MAX_HEADER_BYTES - 1};
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	headers[0].value_len++;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "headers");
}
END_TEST

START_TEST(test_cloudevent__bounds_attributes)
{
	static char large[EVENT_MAX_ATTRIBUTE_BYTES + 1], name[3 + 128 + 1];
	struct kafka_header headers[] = {BINARY, {"ce_subject", large, EVENT_MAX_ATTRIBUTE_BYTES}};
	struct kafka_record record = record_of(headers, ARRAY_SIZE(headers));
	json_t *event;
	struct err err;

	memset(large, 'x', sizeof(large));
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	headers[4].value_len++;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "`subject`"));

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "ce_", 3);
	headers[4] = (struct kafka_header){name, "", 0};
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_LIMIT);
	name[sizeof(name) - 2] = '\0';
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
}
END_TEST

START_TEST(test_cloudevent__bounds_depth)
{
	char deep[2 * (JSON_MAX_DEPTH + 1)];
	struct kafka_record record = record_of(NULL, 0);
	json_t *event;
	struct err err;

	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	record.value = deep;
	record.value_len = (size_t)2 * JSON_MAX_DEPTH;
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	json_decref(event);
	memset(deep, '[', JSON_MAX_DEPTH + 1);
	memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	record.value_len = sizeof(deep);
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "levels"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cloudevent");
	TCase *tc = tcase_create("cloudevent");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_cloudevent__reads_each_mode, 0, ARRAY_SIZE(samples));
	tcase_add_loop_test(tc, test_cloudevent__says_where_a_record_is_wrong, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, test_cloudevent__shows_headers_and_key);
	tcase_add_test(tc, test_cloudevent__finds_the_last_header);
	tcase_add_test(tc, test_cloudevent__has_limits);
	tcase_add_test(tc, test_cloudevent__bounds_attributes);
	tcase_add_test(tc, test_cloudevent__bounds_depth);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
