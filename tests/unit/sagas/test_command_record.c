#include "sagas/reply_profile.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/decide_priv.h"
#include "sagas/json_text.h"

#define ID "0198c0de-7a31-7abc-bf11-223344556677"
#define DO "default/" ID "/hold/do"

static const struct command_address address = {
	.ns = "default",
	.definition = "order-fulfilment",
	.saga_id = ID,
	.cluster = "default",
	.topic = "credit.commands",
	.reply_topic = "skald.replies",
	.attempt = 2,
	.at = INT64_C(1795421109000), /* 2026-11-23T08:05:09Z */
};

static struct request *make_request(const char *body)
{
	struct request *request = request_new();

	request->kind = REQUEST_COMMAND;
	request->to = xstrdup("credit");
	request->key = xstrdup(ID "/hold/do");
	request->type = xstrdup("ReserveCredit");
	request->record_key = xstrdup("c-7");
	request->correlation = xstrdup(DO);
	if (body) {
		request->body = xstrdup(body);
		request->body_len = strlen(body);
		request->content_type = xstrdup("application/json");
	}
	return request;
}

static void add_headers(struct request *request, const char *const *headers, size_t n)
{
	request->headers = xcalloc(n + 1, sizeof(*request->headers));
	for (size_t i = 0; i < n; i++)
		request->headers[i] = xstrdup(headers[i]);
}

static const char *header(const struct command_record *command, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < command->record.n_headers; i++) {
		if (strcmp(command->headers[i].name, name) != 0)
			continue;
		ck_assert_ptr_null(found); /* once */
		found = command->headers[i].value;
		ck_assert_uint_eq(strlen(found), command->headers[i].value_len);
	}
	return found;
}

static void make(enum reply_profile profile, const struct request *request,
				 struct command_record *ret)
{
	struct err err = {0};

	ck_assert_msg(command_record_make(profile, request, &address, ret, &err) == 0, "%s", err.text);
	ck_assert_ptr_eq(ret->record.headers, ret->headers);
	ck_assert_str_eq(ret->record.topic, "credit.commands");
	ck_assert_str_eq(ret->record.cluster, "default");
	ck_assert_int_eq(ret->record.partition, -1);
}

START_TEST(test_command_record__native_is_a_cloudevent)
{
	CLEANUP(request_unref_p) struct request *request = make_request("{\"amount_minor\":4200}");
	struct command_record command;
	json_t *event;
	struct err err;

	make(PROFILE_NATIVE, request, &command);
	ck_assert_str_eq(header(&command, "ce_specversion"), "1.0");
	ck_assert_str_eq(header(&command, "ce_id"), DO);
	ck_assert_str_eq(header(&command, "ce_source"), "/skald/default/order-fulfilment");
	ck_assert_str_eq(header(&command, "ce_type"), "ReserveCredit");
	ck_assert_str_eq(header(&command, "ce_subject"), ID);
	ck_assert_str_eq(header(&command, "content-type"), "application/json");
	ck_assert_str_eq(header(&command, "correlation-id"), DO);
	ck_assert_str_eq(header(&command, "reply-to"), "skald.replies");
	ck_assert_str_eq(header(&command, "idempotency-key"), ID "/hold/do");
	ck_assert_uint_eq(command.record.n_headers, 10); /* and traceparent */
	ck_assert_mem_eq(command.record.key, "c-7", 3);
	ck_assert_uint_eq(command.record.key_len, 3);
	ck_assert_uint_eq(command.record.value_len, strlen("{\"amount_minor\":4200}"));
	ck_assert_mem_eq(command.record.value, "{\"amount_minor\":4200}", command.record.value_len);
	/* And we read it as what it is. */
	ck_assert_int_eq(cloudevent_read(&command.record, &event, &err), 0);
	ck_assert_str_eq(json_string_value(json_object_get(event, "id")), DO);
	json_decref(event);
	command_record_release(&command);
}
END_TEST

/* version 00, the saga's id as trace, a span, sampled (W3C Trace Context). */
START_TEST(test_command_record__traces_saga_and_attempt)
{
	CLEANUP(request_unref_p) struct request *request = make_request("1");
	struct command_address again = address;
	struct command_record first, second, other;
	struct err err;

	make(PROFILE_NATIVE, request, &first);
	ck_assert_uint_eq(strlen(header(&first, "traceparent")), 55);
	ck_assert_mem_eq(header(&first, "traceparent"), "00-0198c0de7a317abcbf11223344556677-", 36);
	ck_assert_str_eq(header(&first, "traceparent") + 52, "-01");
	ck_assert_uint_eq(strspn(header(&first, "traceparent") + 36, "0123456789abcdef"), 16);

	ck_assert_int_eq(command_record_make(PROFILE_SPRING, request, &again, &second, &err), 0);
	ck_assert_str_eq(header(&first, "traceparent"), header(&second, "traceparent"));
	command_record_release(&second);
	again.attempt++;
	ck_assert_int_eq(command_record_make(PROFILE_NATIVE, request, &again, &second, &err), 0);
	ck_assert_str_ne(header(&first, "traceparent"), header(&second, "traceparent"));
	/* What deduplicates is the same for every attempt. */
	ck_assert_str_eq(header(&first, "ce_id"), header(&second, "ce_id"));
	ck_assert_str_eq(header(&first, "idempotency-key"), header(&second, "idempotency-key"));
	free(request->correlation);
	request->correlation = xstrdup("default/" ID "/hold/undo");
	make(PROFILE_NATIVE, request, &other);
	ck_assert_str_ne(header(&first, "traceparent"), header(&other, "traceparent"));
	command_record_release(&first);
	command_record_release(&second);
	command_record_release(&other);
}
END_TEST

/*
 * What org.springframework.kafka.requestreply.ReplyingKafkaTemplate adds (KafkaHeaders
 * .CORRELATION_ID and .REPLY_TOPIC, as bytes), and JsonSerializer's type
 * (AbstractJavaTypeMapper.DEFAULT_CLASSID_FIELD_NAME), by which JsonDeserializer finds the class.
 */
START_TEST(test_command_record__spring_is_a_request_of_its_template)
{
	CLEANUP(request_unref_p) struct request *request = make_request("{\"a\":1}");
	CLEANUP(request_unref_p) struct request *empty = make_request(NULL);
	struct command_record command;

	make(PROFILE_SPRING, request, &command);
	ck_assert_str_eq(header(&command, "kafka_correlationId"), DO);
	ck_assert_str_eq(header(&command, "kafka_replyTopic"), "skald.replies");
	ck_assert_str_eq(header(&command, "__TypeId__"), "ReserveCredit");
	ck_assert_str_eq(header(&command, "idempotency-key"), ID "/hold/do");
	ck_assert_str_eq(header(&command, "ce_type"), "ReserveCredit");
	ck_assert_ptr_null(header(&command, "kafka_replyPartition")); /* any will do */
	ck_assert_mem_eq(command.record.value, "{\"a\":1}", command.record.value_len);
	command_record_release(&command);
	/* No value would be a KafkaNull, which a listener refuses by default. */
	make(PROFILE_SPRING, empty, &command);
	ck_assert_uint_eq(command.record.value_len, 2);
	ck_assert_mem_eq(command.record.value, "{}", 2);
	command_record_release(&command);
}
END_TEST

/*
 * The value that io.eventuate.tram.consumer.kafka.EventuateTramKafkaMessageConsumer reads as a
 * MessageImpl, with the headers of MessageHeaderUtils.prepareMessageHeaders,
 * CommandMessageFactory.makeMessage and (of the sagas framework) SagaCommandHeaders.
 */
START_TEST(test_command_record__eventuate_is_a_message)
{
	CLEANUP(request_unref_p) struct request *request = make_request("{\"a\":\"\xc3\xbc\\n\"}");
	static const char *const own[] = {"command_resource: /customers/7", "ID: mine",
									  "command_type: mine"};
	struct command_record command;
	json_t *value, *expected;
	struct err err;

	add_headers(request, own, ARRAY_SIZE(own));
	make(PROFILE_EVENTUATE, request, &command);
	ck_assert_msg(json_parse(command.record.value, command.record.value_len, &value, &err) == 0,
				  "%s", err.text);
	expected =
		json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}", "payload",
				  "{\"a\":\"\xc3\xbc\\n\"}", "headers", "ID", DO, "DESTINATION", "credit.commands",
				  "DATE", "Mon, 23 Nov 2026 08:05:09 GMT", "PARTITION_ID", "c-7", "command_type",
				  "ReserveCredit", "command__destination", "credit.commands", "command_reply_to",
				  "skald.replies", "command_saga_type", "order-fulfilment", "command_saga_id", ID,
				  "idempotency-key", ID "/hold/do", "command_resource", "/customers/7");
	ck_assert(json_equal(value, expected));
	json_decref(value);
	json_decref(expected);
	/* MessageWithDestinationPublishingStrategy: the key is the PARTITION_ID. */
	ck_assert_mem_eq(command.record.key, "c-7", 3);
	ck_assert_ptr_nonnull(header(&command, "traceparent"));
	ck_assert_ptr_null(header(&command, "ce_specversion")); /* the value is no such event */
	command_record_release(&command);
}
END_TEST

START_TEST(test_command_record__eventuate_without_data)
{
	CLEANUP(request_unref_p) struct request *request = make_request(NULL);
	struct command_address early = address;
	struct command_record command;
	struct err err;

	early.at = INT64_C(1772352000000); /* the first of a month has one digit in java.time */
	free(request->record_key);
	request->record_key = NULL;
	ck_assert_int_eq(command_record_make(PROFILE_EVENTUATE, request, &early, &command, &err), 0);
	/* An envelope ends in a NUL. */
	ck_assert_uint_eq(strlen(command.record.value), command.record.value_len);
	ck_assert_ptr_nonnull(strstr(command.record.value, "\"payload\":\"{}\""));
	ck_assert_ptr_nonnull(
		strstr(command.record.value, "\"DATE\":\"Sun, 1 Mar 2026 08:00:00 GMT\""));
	ck_assert_ptr_nonnull(strstr(command.record.value, "\"PARTITION_ID\":\"" ID "\""));
	command_record_release(&command);
}
END_TEST

START_TEST(test_command_record__without_key_is_keyed_by_the_saga)
{
	CLEANUP(request_unref_p) struct request *request = make_request(NULL);
	struct command_record command;

	free(request->record_key);
	request->record_key = NULL;
	make(PROFILE_NATIVE, request, &command);
	ck_assert_uint_eq(command.record.key_len, strlen(ID));
	ck_assert_mem_eq(command.record.key, ID, strlen(ID));
	ck_assert_ptr_null(command.record.value);
	ck_assert_ptr_null(header(&command, "content-type"));
	command_record_release(&command);
}
END_TEST

/* The definition's own headers stand beside Skald's, and never in their place. */
START_TEST(test_command_record__own_headers_win_nowhere)
{
	static const char *const own[] = {"tenant: a: b",       "ce_tenant: t",    "Correlation-Id: x",
									  "ce_id: x",           "REPLY-TO: x",     "idempotency-key: x",
									  "traceparent: x",     "content-type: x", "__typeid__: x",
									  "kafka_replyTopic: x"};
	CLEANUP(request_unref_p) struct request *request = make_request("1");

	add_headers(request, own, ARRAY_SIZE(own));
	for (int profile = PROFILE_NATIVE; profile <= PROFILE_SPRING; profile++) {
		struct command_record command;

		make((enum reply_profile)profile, request, &command);
		ck_assert_str_eq(header(&command, "tenant"), "a: b");
		ck_assert_str_eq(header(&command, "ce_tenant"), "t");
		for (size_t i = 0; i < command.record.n_headers; i++)
			ck_assert_str_ne(command.headers[i].value, "x");
		command_record_release(&command);
	}
}
END_TEST

START_TEST(test_command_record__bounds_headers)
{
	CLEANUP(request_unref_p) struct request *many = make_request("1");
	CLEANUP(request_unref_p) struct request *large = make_request("1");
	static char long_header[COMMAND_MAX_HEADER_BYTES + 16];
	const char *names[COMMAND_MAX_HEADERS];
	char text[COMMAND_MAX_HEADERS][16];
	const char *one = long_header;
	struct command_record command;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text[i], sizeof(text[i]), "h%zu: v", i);
		names[i] = text[i];
	}
	/* Ten are Skald's. */
	add_headers(many, names, COMMAND_MAX_HEADERS - 10);
	make(PROFILE_NATIVE, many, &command);
	ck_assert_uint_eq(command.record.n_headers, COMMAND_MAX_HEADERS);
	command_record_release(&command);
	many->headers = xrealloc_array(many->headers, COMMAND_MAX_HEADERS, sizeof(*many->headers));
	many->headers[COMMAND_MAX_HEADERS - 10] = xstrdup("one: more");
	many->headers[COMMAND_MAX_HEADERS - 9] = NULL;
	for (int profile = PROFILE_NATIVE; profile <= PROFILE_SPRING; profile++)
		ck_assert_int_eq(
			command_record_make((enum reply_profile)profile, many, &address, &command, &err),
			ERR_LIMIT);

	memset(long_header, 'x', sizeof(long_header));
	memcpy(long_header, "h: ", 3);
	long_header[sizeof(long_header) - 1] = '\0';
	add_headers(large, &one, 1);
	ck_assert_int_eq(command_record_make(PROFILE_NATIVE, large, &address, &command, &err),
					 ERR_LIMIT);
}
END_TEST

/* What the core lets a definition say always fits, in every profile: else a command that is in the
 * history could never be sent. */
START_TEST(test_command_record__takes_all_that_a_request_may_bring)
{
	CLEANUP(request_unref_p) struct request *request = make_request("1");
	static char value[RECORD_HEADER_MAX_BYTES];

	memset(value, 'x', sizeof(value) - 1);
	request->headers = xcalloc(RECORD_MAX_HEADERS + 1, sizeof(*request->headers));
	for (int i = 0; i < RECORD_MAX_HEADERS; i++) {
		request->headers[i] = xasprintf("h%02d: %s", i, value);
		request->headers[i][RECORD_HEADER_MAX_BYTES] = '\0';
	}
	for (int profile = PROFILE_NATIVE; profile <= PROFILE_EVENTUATE; profile++) {
		struct command_record command;

		make((enum reply_profile)profile, request, &command);
		command_record_release(&command);
	}
}
END_TEST

START_TEST(test_command_record__knows_profiles_by_name)
{
	ck_assert_int_eq(reply_profile_parse("native"), PROFILE_NATIVE);
	ck_assert_int_eq(reply_profile_parse("spring"), PROFILE_SPRING);
	ck_assert_int_eq(reply_profile_parse("eventuate"), PROFILE_EVENTUATE);
	ck_assert_int_eq(reply_profile_parse("Spring"), -1);
	ck_assert_str_eq(reply_profile_text(PROFILE_EVENTUATE), "eventuate");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command_record");
	TCase *tc = tcase_create("command_record");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_command_record__native_is_a_cloudevent);
	tcase_add_test(tc, test_command_record__traces_saga_and_attempt);
	tcase_add_test(tc, test_command_record__spring_is_a_request_of_its_template);
	tcase_add_test(tc, test_command_record__eventuate_is_a_message);
	tcase_add_test(tc, test_command_record__eventuate_without_data);
	tcase_add_test(tc, test_command_record__without_key_is_keyed_by_the_saga);
	tcase_add_test(tc, test_command_record__own_headers_win_nowhere);
	tcase_add_test(tc, test_command_record__bounds_headers);
	tcase_add_test(tc, test_command_record__takes_all_that_a_request_may_bring);
	tcase_add_test(tc, test_command_record__knows_profiles_by_name);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
