/*
 * Commands on their way out, to brokers inside the process: what the engine is told of each.
 */
#include "coordinator/kafka/commands.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_mock.h"
#include "tests/support/definition.h"
#include "tests/support/kafka_bench.h"

#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static struct kafka_mock *mock;
static struct kafka_cluster *cluster;
static struct kafka_producer *producer;
static struct commands *commands;
static struct saga_def *def;
static struct call_reply *told; /* atomic */

static struct kafka_producer *producer_of(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0 ? producer : NULL;
}

static const struct kafka_participant participants[] = {
	{"credit", "default", "credit.commands", PROFILE_NATIVE},
	{"lost", "elsewhere", "lost.commands", PROFILE_NATIVE},
};
static const struct kafka_settings settings = {
	.participants = participants,
	.n_participants = ARRAY_SIZE(participants),
	.reply_topic = "skald.replies",
};

static void setup(void)
{
	struct commands_options options = {.settings = &settings, .producer = producer_of};
	struct err err;

	told = NULL;
	ck_assert_int_eq(kafka_mock_start(1, &mock, &err), 0);
	ck_assert_int_eq(kafka_mock_topic(mock, "credit.commands", 1, &err), 0);
	cluster = kafka_bench_cluster(kafka_mock_brokers(mock));
	ck_assert_int_eq(kafka_producer_start(cluster, &producer, &err), 0);
	commands = commands_new(&options);
	def = definition_must_load(
		"saga: s\nsteps:\n  - {id: a, command: {to: credit, type: T}, compensate: none}\n");
}

static void teardown(void)
{
	kafka_producer_stop(producer, 0);
	commands_free(commands);
	kafka_cluster_close(cluster);
	kafka_mock_stop(mock);
	saga_def_unref(def);
}

static void replied(void *ctx, struct call_reply *reply)
{
	(void)ctx;
	__atomic_store_n(&told, reply, __ATOMIC_RELEASE);
}

static struct call_reply *send_to(const char *to, size_t body_len, const int64_t *not_after_ms)
{
	CLEANUP(request_unref_p) struct request *request = request_new();
	struct command command = {.item = -1, .attempt = 2, .request = request};

	request->kind = REQUEST_COMMAND;
	request->to = xstrdup(to);
	request->type = xstrdup("T");
	request->key = xstrdup(ID "/a/do");
	request->record_key = xstrdup("k");
	request->correlation = xstrdup("default/" ID "/a/do");
	request->body = xcalloc(1, body_len + 3);
	memset(request->body, 'x', body_len + 2);
	request->body[0] = request->body[body_len + 1] = '"';
	request->body_len = body_len + 2;
	request->content_type = xstrdup("application/json");
	told = NULL;
	commands_send(commands, ID, "default", def, &command, not_after_ms, replied, NULL);
	KAFKA_UNTIL(__atomic_load_n(&told, __ATOMIC_ACQUIRE) != NULL);
	ck_assert_str_eq(told->saga_id, ID);
	ck_assert_int_eq(told->attempt, 2);
	ck_assert_int_eq(told->item, -1);
	return told;
}

START_TEST(test_commands__tell_what_became_of_them)
{
	static const int64_t past = 1;
	static const struct {
		const char *to;
		size_t body_len;
		const int64_t *not_after_ms;
		enum call_result result;
		bool cancelled;
		const char *error;
	} cases[] = {
		{"credit", 10, NULL, CALL_PUBLISHED, false, NULL},
		{"credit", 1500000, NULL, CALL_TOO_LARGE, false, "credit.commands"},
		{"credit", 10, &past, CALL_NOT_CONNECTED, true, "too late"},
		{"nobody", 10, NULL, CALL_NOT_CONNECTED, false, "participants.nobody.topic"},
		{"lost", 10, NULL, CALL_NOT_CONNECTED, false, "no Kafka cluster `elsewhere`"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_reply *reply = send_to(cases[i].to, cases[i].body_len, cases[i].not_after_ms);

		ck_assert_msg(reply->result == cases[i].result, "case %zu: %d", i, reply->result);
		ck_assert_int_eq(reply->cancelled, cases[i].cancelled);
		if (cases[i].error)
			ck_assert_msg(strstr(reply->error, cases[i].error) != NULL, "%s", reply->error);
		else
			ck_assert_ptr_null(reply->error);
		call_reply_free(reply);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("producer");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_commands__tell_what_became_of_them);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
