#include "sagas/outbox.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/id.h"
#include "sagas/json_text.h"

#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static const struct outbox_origin origin = {
	.ns = "default",
	.definition = "order",
	.saga_id = ID,
	.seq = 7,
	.at = INT64_C(1767225600123),
};

static struct request *make_request(const char *body)
{
	struct request *request = request_new();

	request->kind = REQUEST_EMIT;
	request->cluster = xstrdup("eu");
	request->topic = xstrdup("orders.confirmed");
	request->type = xstrdup("OrderConfirmed");
	request->record_key = xstrdup("o-1");
	if (body) {
		request->body = xstrdup(body);
		request->body_len = strlen(body);
	}
	return request;
}

/* What the relay makes of a row. */
static void read_headers(const struct outbox_event *event, struct outbox_headers *ret)
{
	struct err err = {0};

	ck_assert_msg(outbox_headers_read(event->headers, strlen(event->headers), ret, &err) == 0, "%s",
				  err.text);
}

START_TEST(test_outbox__emits_a_cloudevent)
{
	CLEANUP(request_unref_p) struct request *request = make_request("{\"n\":1}");
	struct outbox_headers headers;
	struct kafka_record record;
	struct outbox outbox;
	json_t *event;
	struct err err;

	request->headers = xcalloc(4, sizeof(*request->headers));
	request->headers[0] = xstrdup("tenant: \xc3\xbc");
	request->headers[1] = xstrdup("ce_id: mine");
	request->headers[2] = xstrdup("Content-Type: text/plain");
	outbox_init(&outbox);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), 0);
	ck_assert_uint_eq(outbox.n_events, 1);
	ck_assert_str_eq(outbox.events[0].cluster, "eu");
	ck_assert_str_eq(outbox.events[0].topic, "orders.confirmed");
	ck_assert_str_eq(outbox.events[0].key, "o-1");
	ck_assert_str_eq(outbox.events[0].type, "OrderConfirmed");
	ck_assert_uint_eq(outbox.events[0].payload_len, 7);
	ck_assert_str_eq(outbox.events[0].payload, "{\"n\":1}");

	read_headers(&outbox.events[0], &headers);
	record = (struct kafka_record){
		.cluster = "eu",
		.topic = outbox.events[0].topic,
		.value = outbox.events[0].payload,
		.value_len = outbox.events[0].payload_len,
		.headers = headers.list,
		.n_headers = headers.n,
	};
	ck_assert_int_eq(cloudevent_read(&record, &event, &err), 0);
	ck_assert_str_eq(json_string_value(json_object_get(event, "id")), outbox.events[0].id);
	ck_assert_str_eq(json_string_value(json_object_get(event, "source")), "/skald/default/order");
	ck_assert_str_eq(json_string_value(json_object_get(event, "type")), "OrderConfirmed");
	ck_assert_str_eq(json_string_value(json_object_get(event, "subject")), ID);
	ck_assert_str_eq(json_string_value(json_object_get(event, "time")), "2026-01-01T00:00:00.123Z");
	ck_assert_str_eq(json_string_value(json_object_get(event, "datacontenttype")),
					 "application/json");
	ck_assert_mem_eq(kafka_record_header(&record, "tenant")->value, "\xc3\xbc", 2);
	ck_assert_ptr_nonnull(kafka_record_header(&record, "traceparent"));
	json_decref(event);
	outbox_headers_release(&headers);
	outbox_release(&outbox);
}
END_TEST

/* Consumers tell duplicates by them, so they are the same in every release. */
START_TEST(test_outbox__has_stable_ids)
{
	CLEANUP(request_unref_p) struct request *request = make_request("1");
	struct outbox_origin later = origin;
	struct outbox outbox;
	struct err err;

	outbox_init(&outbox);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), 0);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), 0);
	ck_assert_int_eq(outbox.events[0].place, 0);
	ck_assert_int_eq(outbox.events[1].place, 1);
	ck_assert_str_eq(outbox.events[0].id, "39c0d530-2dce-59bb-a938-1a4c3bd70dc0");
	ck_assert_str_eq(outbox.events[1].id, "3b807144-2ae8-5fa4-bce2-2ab2f921449a");
	outbox_release(&outbox);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), 0);
	ck_assert_str_eq(outbox.events[0].id, "39c0d530-2dce-59bb-a938-1a4c3bd70dc0");
	outbox_release(&outbox);
	later.seq++;
	ck_assert_int_eq(outbox_add_emission(&outbox, &later, request, &err), 0);
	ck_assert_str_ne(outbox.events[0].id, "39c0d530-2dce-59bb-a938-1a4c3bd70dc0");
	outbox_release(&outbox);
}
END_TEST

START_TEST(test_outbox__without_data_is_a_tombstone)
{
	CLEANUP(request_unref_p) struct request *request = make_request(NULL);
	struct outbox outbox;
	struct err err;

	free(request->record_key);
	free(request->cluster);
	request->record_key = request->cluster = NULL;
	outbox_init(&outbox);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), 0);
	ck_assert_ptr_null(outbox.events[0].payload);
	ck_assert_str_eq(outbox.events[0].key, ID);
	ck_assert_str_eq(outbox.events[0].cluster, "default");
	ck_assert_ptr_null(strstr(outbox.events[0].headers, "content-type"));
	outbox_release(&outbox);
}
END_TEST

START_TEST(test_outbox__bounds_headers)
{
	CLEANUP(request_unref_p) struct request *request = make_request("1");
	struct outbox outbox;
	struct err err;

	request->headers = xcalloc(OUTBOX_MAX_HEADERS + 1, sizeof(*request->headers));
	for (int i = 0; i < OUTBOX_MAX_HEADERS; i++)
		request->headers[i] = xasprintf("h%d: v", i);
	outbox_init(&outbox);
	ck_assert_int_eq(outbox_add_emission(&outbox, &origin, request, &err), ERR_LIMIT);
	ck_assert_uint_eq(outbox.n_events, 0);
	outbox_release(&outbox);
}
END_TEST

static const char *const no_headers[] = {"", "[]", "{\"a\":1}", "{\"a\":null}", "{", "7"};

START_TEST(test_outbox__refuses_headers_that_are_none)
{
	struct outbox_headers headers;
	struct err err;

	ck_assert_int_eq(outbox_headers_read(no_headers[_i], strlen(no_headers[_i]), &headers, &err),
					 ERR_INVALID);
}
END_TEST

START_TEST(test_outbox__refuses_too_many_headers)
{
	CLEANUP(json_decref_p) json_t *object = json_object();
	CLEANUP(free_p) char *text = NULL;
	struct outbox_headers headers;
	struct err err;
	char name[16];

	for (int i = 0; i < OUTBOX_MAX_HEADERS; i++) {
		snprintf(name, sizeof(name), "h%d", i);
		json_object_set_new(object, name, json_string("v"));
	}
	text = json_dumps(object, 0);
	ck_assert_int_eq(outbox_headers_read(text, strlen(text), &headers, &err), 0);
	ck_assert_uint_eq(headers.n, OUTBOX_MAX_HEADERS);
	outbox_headers_release(&headers);
	json_object_set_new(object, "more", json_string("v"));
	free(text);
	text = json_dumps(object, 0);
	ck_assert_int_eq(outbox_headers_read(text, strlen(text), &headers, &err), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outbox");
	TCase *tc = tcase_create("outbox");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_outbox__emits_a_cloudevent);
	tcase_add_test(tc, test_outbox__has_stable_ids);
	tcase_add_test(tc, test_outbox__without_data_is_a_tombstone);
	tcase_add_test(tc, test_outbox__bounds_headers);
	tcase_add_loop_test(tc, test_outbox__refuses_headers_that_are_none, 0, ARRAY_SIZE(no_headers));
	tcase_add_test(tc, test_outbox__refuses_too_many_headers);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
