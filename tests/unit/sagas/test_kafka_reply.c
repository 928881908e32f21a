#include "sagas/reply_profile.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/json_text.h"

#define ID "0198c0de-7a31-7abc-bf11-223344556677"
#define DO "default/" ID "/hold/do"
#define PROBE "default/" ID "/hold/probe-do.3"
#define H(name, text)                                                                              \
	{                                                                                              \
		(name), (text), sizeof(text) - 1                                                           \
	}
#define V(text) (text), sizeof(text) - 1

struct sample {
	struct kafka_header headers[8];
	const char *value;
	size_t value_len;
	enum reply_profile profile;
	enum outcome outcome;
	const char *code, *message, *type; /* NULL: none */
	const char *body;
};

static const struct sample samples[] = {
	/* native: the least, and all. */
	{{H("correlation-id", DO)},
	 V("{\"hold\":\"h-1\"}"),
	 PROFILE_NATIVE,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 NULL,
	 "{\"hold\":\"h-1\"}"},
	{{H("Correlation-ID", DO), H("outcome", "success"), H("ce_type", "CreditReserved"),
	  H("content-type", "application/json")},
	 V("19.99"),
	 PROFILE_NATIVE,
	 OUTCOME_SUCCESS,
	 NULL,
	 NULL,
	 "CreditReserved",
	 "19.99"},
	{{H("correlation-id", DO), H("outcome", "failure"), H("error-code", "no_credit"),
	  H("error-message", "limit of 42 is used up")},
	 NULL,
	 0,
	 PROFILE_NATIVE,
	 OUTCOME_FAILURE,
	 "no_credit",
	 "limit of 42 is used up",
	 NULL,
	 "null"},
	{{H("correlation-id", DO), H("outcome", "Ongoing")},
	 V("null"),
	 PROFILE_NATIVE,
	 OUTCOME_ONGOING,
	 NULL,
	 NULL,
	 NULL,
	 "null"},
	{{H("correlation-id", DO), H("outcome", "unknown"), H("error-code", "db_down")},
	 V("1"),
	 PROFILE_NATIVE,
	 OUTCOME_UNKNOWN,
	 "db_down",
	 NULL,
	 NULL,
	 "1"},
	{{H("correlation-id", PROBE), H("outcome", "absent")},
	 V("1"),
	 PROFILE_NATIVE,
	 OUTCOME_ABSENT,
	 NULL,
	 NULL,
	 NULL,
	 "1"},
	/* In the style of CloudEvents' binary mode. */
	{{H("ce_specversion", "1.0"), H("ce_id", "r-1"), H("ce_source", "/credit"),
	  H("ce_type", "CreditDenied"), H("ce_correlationid", DO), H("ce_outcome", "failure"),
	  H("ce_errorcode", "no_credit"), H("ce_errormessage", "none left")},
	 V("{}"),
	 PROFILE_NATIVE,
	 OUTCOME_FAILURE,
	 "no_credit",
	 "none left",
	 "CreditDenied",
	 "{}"},
	/* … and of its structured mode, with and without the content type. */
	{{H("content-type", "application/cloudevents+json")},
	 V("{\"specversion\":\"1.0\",\"id\":\"r-1\",\"source\":\"/credit\",\"type\":\"CreditDenied\","
	   "\"correlationid\":\"" DO "\",\"outcome\":\"failure\",\"errorcode\":\"no_credit\","
	   "\"errormessage\":\"none left\",\"data\":{\"n\":1}}"),
	 PROFILE_NATIVE,
	 OUTCOME_FAILURE,
	 "no_credit",
	 "none left",
	 "CreditDenied",
	 "{\"n\":1}"},
	{{{0}},
	 V("{\"specversion\":\"1.0\",\"id\":\"r-1\",\"source\":\"/credit\",\"type\":\"Reserved\","
	   "\"correlationid\":\"" DO "\"}"),
	 PROFILE_NATIVE,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 "Reserved",
	 "null"},
	/* A header beside a structured event; what a header says counts. */
	{{H("correlation-id", DO), H("outcome", "failure")},
	 V("{\"specversion\":\"1.0\",\"id\":\"r-1\",\"source\":\"/credit\",\"type\":\"T\","
	   "\"outcome\":\"success\",\"data\":[1]}"),
	 PROFILE_NATIVE,
	 OUTCOME_FAILURE,
	 NULL,
	 NULL,
	 "T",
	 "[1]"},
	/* The word alone makes no event. */
	{{H("correlation-id", DO)},
	 V("{\"list\":[\"specversion\"]}"),
	 PROFILE_NATIVE,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 NULL,
	 "{\"list\":[\"specversion\"]}"},
	/* What is no JSON is a string, as the body of an HTTP reply is. */
	{{H("correlation-id", DO)},
	 V("h-1 \"reserved\""),
	 PROFILE_NATIVE,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 NULL,
	 "\"h-1 \\\"reserved\\\"\""},
	{{H("correlation-id", DO)},
	 V("\0\x01\xff"),
	 PROFILE_NATIVE,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 NULL,
	 "\"AAH/\""},
	/* Nonsense is an answer that says nothing. */
	{{H("correlation-id", DO), H("outcome", "banana"), H("error-code", "b")},
	 V("1"),
	 PROFILE_NATIVE,
	 OUTCOME_UNKNOWN,
	 "bad_reply",
	 "the reply says outcome `banana`; success, failure, ongoing and unknown are known",
	 NULL,
	 "1"},
	{{H("correlation-id", DO), H("outcome", "absent")}, /* only a probe may say so */
	 V("1"),
	 PROFILE_NATIVE,
	 OUTCOME_UNKNOWN,
	 "bad_reply",
	 "the reply says outcome `absent`; success, failure, ongoing and unknown are known",
	 NULL,
	 "1"},
	{{H("correlation-id", DO), H("content-type", "application/cloudevents+json")},
	 V("{\"specversion\":\"1.0\"}"),
	 PROFILE_NATIVE,
	 OUTCOME_UNKNOWN,
	 "bad_reply",
	 "a CloudEvent has a `id`, a string that is not empty",
	 NULL,
	 "null"},
	/* Text that is not UTF-8 can still be shown. */
	{{H("correlation-id", DO), H("outcome", "failure"), H("error-message", "\xff!")},
	 V("1"),
	 PROFILE_NATIVE,
	 OUTCOME_FAILURE,
	 NULL,
	 "?!",
	 NULL,
	 "1"},
	/*
	 * spring: what MessagingMessageListenerAdapter.sendReplyForMessageSource sends for a
	 * @KafkaListener with @SendTo: the correlation as it came, KafkaHeaders.CORRELATION_ID, and
	 * the type that JsonSerializer adds.
	 */
	{{H("kafka_correlationId", DO), H("__TypeId__", "com.acme.credit.CreditReserved")},
	 V("{\"hold\":\"h-1\"}"),
	 PROFILE_SPRING,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 "com.acme.credit.CreditReserved",
	 "{\"hold\":\"h-1\"}"},
	/* A listener that returns a Message<?> with headers of ours (checkHeaders adds the rest). */
	{{H("outcome", "failure"), H("error-code", "no_credit"), H("kafka_correlationId", DO),
	  H("__TypeId__", "com.acme.credit.CreditDenied")},
	 V("{\"left\":0}"),
	 PROFILE_SPRING,
	 OUTCOME_FAILURE,
	 "no_credit",
	 NULL,
	 "com.acme.credit.CreditDenied",
	 "{\"left\":0}"},
	/* The same two as spring-kafka 3.2 put them into a topic, to the byte. */
	{{H("kafka_correlationId", DO), H("__TypeId__", "java.util.ImmutableCollections$Map1"),
	  H("__ContentTypeId__", "java.lang.Object"), H("__KeyTypeId__", "java.lang.Object")},
	 V("{\"id\":\"bea76391-4374-554e-ada0-cb0f3f740252\"}"),
	 PROFILE_SPRING,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 "java.util.ImmutableCollections$Map1",
	 "{\"id\":\"bea76391-4374-554e-ada0-cb0f3f740252\"}"},
	{{H("kafka_correlationId", DO), H("error-code", "no_credit"), H("outcome", "failure"),
	  H("spring_json_header_types",
		"{\"error-code\":\"java.lang.String\",\"outcome\":\"java.lang.String\"}"),
	  H("__TypeId__", "java.util.ImmutableCollections$Map1"),
	  H("__ContentTypeId__", "java.lang.Object"), H("__KeyTypeId__", "java.lang.Object")},
	 V("{\"left\":0}"),
	 PROFILE_SPRING,
	 OUTCOME_FAILURE,
	 "no_credit",
	 NULL,
	 "java.util.ImmutableCollections$Map1",
	 "{\"left\":0}"},
	/* The same through DefaultKafkaHeaderMapper.setEncodeStrings(true). */
	{{H("outcome", "\"failure\""), H("error-message", "\"none \\u00fc left\""),
	  H("spring_json_header_types",
		"{\"outcome\":\"java.lang.String\",\"error-message\":\"java.lang.String\"}"),
	  H("kafka_correlationId", DO)},
	 V("{}"),
	 PROFILE_SPRING,
	 OUTCOME_FAILURE,
	 NULL,
	 "none ü left",
	 NULL,
	 "{}"},
	/*
	 * DeadLetterPublishingRecoverer with the reply topic as its destination: the command's record
	 * as it was, and the exception. Something may have been done.
	 */
	{{H("kafka_correlationId", DO), H("ce_type", "ReserveCredit"),
	  H("__TypeId__", "com.acme.ReserveCredit"),
	  H("kafka_dlt-exception-fqcn",
		"org.springframework.kafka.listener.ListenerExecutionFailedException"),
	  H("kafka_dlt-exception-cause-fqcn", "com.acme.credit.NoCredit"),
	  H("kafka_dlt-exception-message", "Listener failed; none left"),
	  H("kafka_dlt-original-topic", "credit.commands")},
	 V("{\"amount_minor\":4200}"),
	 PROFILE_SPRING,
	 OUTCOME_UNKNOWN,
	 "com.acme.credit.NoCredit",
	 "Listener failed; none left",
	 NULL,
	 "null"},
	{{H("kafka_correlationId", DO), H("kafka_exception-fqcn", "java.lang.IllegalStateException")},
	 V("{}"),
	 PROFILE_SPRING,
	 OUTCOME_UNKNOWN,
	 "java.lang.IllegalStateException",
	 NULL,
	 NULL,
	 "null"},
	/* KafkaNull */
	{{H("kafka_correlationId", DO)},
	 NULL,
	 0,
	 PROFILE_SPRING,
	 OUTCOME_DEFAULT,
	 NULL,
	 NULL,
	 NULL,
	 "null"},
	/*
	 * eventuate: CommandHandlerReplyBuilder.withSuccess, with the headers that
	 * CommandHandlerParams.getCorrelationHeaders takes from the command, as
	 * MessageWithDestination.toJson of its CDC service writes it.
	 */
	{{{0}},
	 V("{\"payload\":\"{\\\"hold\\\":\\\"h-1\\\"}\",\"headers\":{\"commandreply_type\":"
	   "\"com.acme.ReserveCredit\",\"commandreply_saga_id\":\"" ID "\","
	   "\"commandreply_saga_type\":\"order-fulfilment\",\"commandreply_reply_to\":"
	   "\"skald.replies\",\"commandreply__destination\":\"credit\",\"reply_to_message_id\":\"" DO
	   "\",\"reply_type\":\"com.acme.CreditReserved\",\"reply_outcome-type\":\"SUCCESS\","
	   "\"PARTITION_ID\":\"0cf1\",\"DATE\":\"Mon, 23 Nov 2026 08:05:09 GMT\",\"DESTINATION\":"
	   "\"skald.replies\",\"ID\":\"0000018f-0242ac120003\"}}"),
	 PROFILE_EVENTUATE,
	 OUTCOME_SUCCESS,
	 NULL,
	 NULL,
	 "com.acme.CreditReserved",
	 "{\"hold\":\"h-1\"}"},
	/* withFailure(): a class says what failed, and so is the code. */
	{{{0}},
	 V("{\"payload\":\"{\\\"left\\\":0}\",\"headers\":{\"reply_to_message_id\":\"" DO
	   "\",\"reply_type\":\"com.acme.NoCredit\",\"reply_outcome-type\":\"FAILURE\"}}"),
	 PROFILE_EVENTUATE,
	 OUTCOME_FAILURE,
	 "com.acme.NoCredit",
	 NULL,
	 "com.acme.NoCredit",
	 "{\"left\":0}"},
	{{{0}},
	 V("{\"payload\":\"{}\",\"headers\":{\"reply_to_message_id\":\"" DO
	   "\",\"reply_outcome-type\":\"FAILURE\",\"error-code\":\"no_credit\",\"error-message\":"
	   "\"none\"}}"),
	 PROFILE_EVENTUATE,
	 OUTCOME_FAILURE,
	 "no_credit",
	 "none",
	 NULL,
	 "{}"},
	/* CommandDispatcher.handleException: a Failure as payload, and no word of an outcome. */
	{{{0}},
	 V("{\"payload\":\"{}\",\"headers\":{\"reply_to_message_id\":\"" DO "\",\"ID\":\"1\"}}"),
	 PROFILE_EVENTUATE,
	 OUTCOME_UNKNOWN,
	 "no_outcome",
	 "the handler of the command threw an exception",
	 NULL,
	 "{}"},
};

static size_t count(const struct kafka_header *headers)
{
	size_t n = 0;

	while (n < 8 && headers[n].name)
		n++;
	return n;
}

static int read_reply(const struct kafka_header *headers, const char *value, size_t len,
					  struct kafka_reply *ret, struct err *err)
{
	/* Exactly as long, so that a sanitizer sees what reads past it. */
	char *copy = value ? malloc(len ? len : 1) : NULL;
	struct kafka_record record = {
		.cluster = "default",
		.topic = "skald.replies",
		.value = copy,
		.value_len = len,
		.headers = headers,
		.n_headers = count(headers),
	};
	int r;

	if (copy)
		memcpy(copy, value, len);
	r = kafka_reply_read(&record, ret, err);
	free(copy);
	return r;
}

static void check_text(const char *what, const char *is, const char *expected)
{
	ck_assert_msg((!is && !expected) || (is && expected && strcmp(is, expected) == 0),
				  "%s is `%s` instead of `%s`", what, is ? is : "(none)",
				  expected ? expected : "(none)");
}

START_TEST(test_kafka_reply__reads_each_profile)
{
	const struct sample *sample = &samples[_i];
	struct kafka_reply reply;
	struct err err = {0};

	ck_assert_msg(read_reply(sample->headers, sample->value, sample->value_len, &reply, &err) == 0,
				  "%s", err.text);
	ck_assert_int_eq(reply.profile, sample->profile);
	ck_assert_str_eq(reply.correlation.ns, "default");
	ck_assert_str_eq(reply.correlation.saga_id, ID);
	ck_assert_str_eq(reply.correlation.step, "hold");
	ck_assert_int_eq(reply.outcome, sample->outcome);
	check_text("code", reply.code, sample->code);
	check_text("message", reply.message, sample->message);
	check_text("type", reply.type, sample->type);
	check_text("body", jval_text(reply.body, NULL), sample->body);
	kafka_reply_release(&reply);
}
END_TEST

static const struct {
	struct kafka_header headers[8];
	const char *value;
	size_t value_len;
	enum err_code code;
} refused[] = {
	{{{0}}, NULL, 0, ERR_NOT_FOUND},
	{{{0}}, V("{}"), ERR_NOT_FOUND},
	{{{0}}, V("{broken"), ERR_NOT_FOUND},
	{{{0}}, V("[]"), ERR_NOT_FOUND},
	{{H("correlation-id", "5f0c7a6a")}, V("{}"), ERR_NOT_FOUND},
	{{H("correlation-id", "")}, V("{}"), ERR_NOT_FOUND},
	{{{"correlation-id", NULL, 0}}, V("{}"), ERR_NOT_FOUND},
	{{H("kafka_correlationId", "\x01\x02\x03\x04")}, V("{}"), ERR_NOT_FOUND},
	{{{0}}, V("{\"payload\":\"{}\",\"headers\":{}}"), ERR_NOT_FOUND},
	{{{0}}, V("{\"payload\":\"{}\",\"headers\":{\"reply_to_message_id\":7}}"), ERR_NOT_FOUND},
	{{{0}}, V("{\"payload\":\"{}\",\"headers\":{\"reply_to_message_id\":\"x\"}}"), ERR_NOT_FOUND},
	{{{0}}, V("{\"payload\":\"{}\",\"headers\":[]}"), ERR_NOT_FOUND},
	{{{0}},
	 V("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\"}"),
	 ERR_NOT_FOUND},
	{{{0}},
	 V("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\","
	   "\"correlationid\":\"x\"}"),
	 ERR_NOT_FOUND},
	{{{0}}, V("{\"specversion\":\"1.0\",\"correlationid\":\"" DO "\"}"), ERR_NOT_FOUND},
	/* EventuateKafkaMultiMessageConverter.MAGIC_ID */
	{{{0}}, V("a8c79db675e14c4cbf1eb77d0d6d0f00\x01\x02\x03"), ERR_INVALID},
};

START_TEST(test_kafka_reply__refuses_what_answers_nothing)
{
	struct kafka_reply reply;
	struct err err = {0};

	ck_assert_int_eq(
		read_reply(refused[_i].headers, refused[_i].value, refused[_i].value_len, &reply, &err),
		refused[_i].code);
	ck_assert_int_ne(err.text[0], '\0');
}
END_TEST

START_TEST(test_kafka_reply__bounds_what_it_keeps)
{
	static char large[EVENT_MAX_BYTES + 1];
	struct kafka_header headers[8] = {H("correlation-id", DO),
									  H("outcome", "failure"),
									  {"error-code", large, 5000},
									  {"error-message", large, 5000},
									  {"ce_type", large, 5000}};
	struct kafka_reply reply;
	struct err err;

	memset(large, '1', sizeof(large));
	ck_assert_int_eq(read_reply(headers, "1", 1, &reply, &err), 0);
	ck_assert_uint_eq(strlen(reply.code), 127);
	ck_assert_uint_eq(strlen(reply.message), 1000);
	ck_assert_uint_eq(strlen(reply.type), 255);
	kafka_reply_release(&reply);
	/* A character that is cut at the end. */
	memcpy(large + 126, "\xc3\xbc", 2);
	ck_assert_int_eq(read_reply(headers, "1", 1, &reply, &err), 0);
	ck_assert_str_eq(reply.code + 125, "1?");
	kafka_reply_release(&reply);

	memset(large, ' ', sizeof(large));
	large[0] = '1';
	headers[2].name = NULL;
	ck_assert_int_eq(read_reply(headers, large, EVENT_MAX_BYTES, &reply, &err), 0);
	ck_assert_int_eq(reply.outcome, OUTCOME_FAILURE);
	kafka_reply_release(&reply);
	ck_assert_int_eq(read_reply(headers, large, EVENT_MAX_BYTES + 1, &reply, &err), 0);
	ck_assert_int_eq(reply.outcome, OUTCOME_UNKNOWN);
	ck_assert_str_eq(reply.code, "reply_too_large");
	ck_assert_str_eq(jval_text(reply.body, NULL), "null");
	kafka_reply_release(&reply);
	headers[0].name = NULL;
	ck_assert_int_eq(read_reply(headers, large, EVENT_MAX_BYTES + 1, &reply, &err), ERR_NOT_FOUND);
}
END_TEST

/* A participant that answers with what it got, as each framework's echo does, is understood. */
START_TEST(test_kafka_reply__comes_back_from_an_echo)
{
	static const struct command_address address = {
		.ns = "default",
		.definition = "order",
		.saga_id = ID,
		.cluster = "default",
		.topic = "credit",
		.reply_topic = "skald.replies",
	};
	CLEANUP(request_unref_p) struct request *request = request_new();

	request->kind = REQUEST_COMMAND;
	request->to = xstrdup("credit");
	request->key = xstrdup("key");
	request->type = xstrdup("ReserveCredit");
	request->correlation = xstrdup("default/" ID "/hold[4]/probe-undo.12");
	for (int profile = PROFILE_NATIVE; profile <= PROFILE_EVENTUATE; profile++) {
		static const char *const echoed[] = {"correlation-id", "kafka_correlationId"};
		struct kafka_header headers[8] = {{0}};
		struct command_record command;
		struct kafka_reply reply;
		char value[2048] = "{}";
		struct err err;

		ck_assert_int_eq(
			command_record_make((enum reply_profile)profile, request, &address, &command, &err), 0);
		if (profile == PROFILE_EVENTUATE) {
			json_t *in, *out;

			ck_assert_int_eq(json_parse(command.record.value, command.record.value_len, &in, &err),
							 0);
			out = json_pack("{s:s, s:{s:O}}", "payload", "{}", "headers", "reply_to_message_id",
							json_object_get(json_object_get(in, "headers"), "ID"));
			value[json_dumpb(out, value, sizeof(value) - 1, 0)] = '\0';
			json_decref(in);
			json_decref(out);
		} else {
			headers[0] = *kafka_record_header(&command.record, echoed[profile]);
		}
		ck_assert_int_eq(read_reply(headers, value, strlen(value), &reply, &err), 0);
		ck_assert_int_eq((int)reply.profile, profile);
		ck_assert_int_eq(reply.correlation.item, 4);
		ck_assert_int_eq(reply.correlation.kind, CALL_PROBE_UNDO);
		ck_assert_int_eq(reply.correlation.ask, 12);
		kafka_reply_release(&reply);
		command_record_release(&command);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_reply");
	TCase *tc = tcase_create("kafka_reply");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_kafka_reply__reads_each_profile, 0, ARRAY_SIZE(samples));
	tcase_add_loop_test(tc, test_kafka_reply__refuses_what_answers_nothing, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, test_kafka_reply__bounds_what_it_keeps);
	tcase_add_test(tc, test_kafka_reply__comes_back_from_an_echo);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
