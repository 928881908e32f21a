/*
 * The act of a batch as a request and as an act of the engine, and what the answers mean.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/batch_call.h"
#include "sagas/act.h"
#include "sagas/base/text.h"
#include "sagas/json_text.h"

#define SAGA "0198c0de-7a31-7abc-bf11-223344556677"
#define BATCH "6ba7b810-9dad-51d1-80b4-00c04fd430c8"

static struct batch_task task_of(const char *act)
{
	return (struct batch_task){.ns = "default", .act = (char *)act, .by = "ana", .id = BATCH};
}

static void assert_request(const char *act, const char *path, const char *body)
{
	struct batch_task task = task_of(act);
	struct buf path_out, body_out;
	json_t *got, *wanted;
	struct err err;

	buf_init(&path_out, 0);
	buf_init(&body_out, 0);
	ck_assert_int_eq(batch_call_request(&task, SAGA, &path_out, &body_out, &err), 0);
	ck_assert_str_eq(buf_str(&path_out), path);
	got = json_loads(buf_str(&body_out), 0, NULL);
	wanted = json_loads(body, 0, NULL);
	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(got, wanted), "%s", buf_str(&body_out));
	json_decref(got);
	json_decref(wanted);
	buf_release(&path_out);
	buf_release(&body_out);
}

START_TEST(test_batch_call__is_the_route_of_the_act)
{
	assert_request("{\"act\":\"retry\",\"reason\":\"r\"}", "/v1/sagas/" SAGA "/retry",
				   "{\"reason\":\"r\",\"id\":\"" BATCH "\",\"by\":\"ana\"}");
	assert_request("{\"act\":\"skip\",\"step\":\"a b\",\"item\":3,\"output\":null}",
				   "/v1/sagas/" SAGA "/steps/a%20b/skip",
				   "{\"item\":3,\"output\":null,\"id\":\"" BATCH "\",\"by\":\"ana\"}");
	assert_request("{\"act\":\"resolve\",\"step\":\"charge\",\"compensation\":true,"
				   "\"outcome\":\"happened\"}",
				   "/v1/sagas/" SAGA "/steps/charge/compensation/resolve",
				   "{\"outcome\":\"happened\",\"id\":\"" BATCH "\",\"by\":\"ana\"}");
	assert_request("{\"act\":\"signal\",\"signal\":\"go/on\",\"value\":{\"signal\":1}}",
				   "/v1/sagas/" SAGA "/signals/go%2Fon",
				   "{\"value\":{\"signal\":1},\"id\":\"" BATCH "\",\"by\":\"ana\"}");
}
END_TEST

/* What is sent to another node is what it reads as a body of its route, and the same act. */
START_TEST(test_batch_call__says_the_same_to_both)
{
	static const char *const acts[] = {
		"{\"act\":\"cancel\",\"reason\":\"r\"}",
		"{\"act\":\"retry\",\"from\":\"a\"}",
		"{\"act\":\"owner\",\"owner\":\"bob\"}",
		"{\"act\":\"complete\",\"step\":\"a\",\"item\":2,\"reply\":{\"body\":1}}",
		"{\"act\":\"fail\",\"step\":\"a\",\"compensation\":true,\"code\":\"c\",\"message\":\"m\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		struct batch_task task = task_of(acts[i]);
		struct act here, there;
		struct buf path, body;
		json_t *json, *mine, *theirs;
		struct err err;

		buf_init(&path, 0);
		buf_init(&body, 0);
		ck_assert_int_eq(batch_call_act(&task, &here, &err), 0);
		ck_assert_str_eq(here.id, BATCH);
		ck_assert_str_eq(here.by, "ana");
		ck_assert_int_eq(batch_call_request(&task, SAGA, &path, &body, &err), 0);
		json = json_loads(buf_str(&body), 0, NULL);
		act_init(&there, here.kind);
		there.side = here.side;
		if (act_is_of_step(here.kind))
			there.step = xstrdup(here.step);
		ck_assert_msg(act_read(&there, json, &err) == 0, "%s", err.text);
		mine = act_json(&here);
		theirs = act_json(&there);
		ck_assert(json_equal(mine, theirs));
		json_decref(mine);
		json_decref(theirs);
		json_decref(json);
		act_release(&here);
		act_release(&there);
		buf_release(&path);
		buf_release(&body);
	}
}
END_TEST

START_TEST(test_batch_call__knows_an_act_that_cannot_be_read)
{
	struct batch_task task = task_of("{\"act\":\"fly\"}");
	struct act act;
	struct err err;

	ck_assert_int_eq(batch_call_act(&task, &act, &err), ERR_INVALID);
}
END_TEST

static void release(struct batch_act *act)
{
	free(act->effect);
	free(act->error);
	*act = (struct batch_act){0};
}

static void assert_answer(int status, const char *body, enum batch_act_end end, const char *error)
{
	struct batch_act act = {0};

	batch_call_answered(status, body, body ? strlen(body) : 0, &act);
	ck_assert_int_eq(act.end, end);
	ck_assert_ptr_null(act.effect);
	ck_assert_str_eq(act.error, error);
	release(&act);
}

START_TEST(test_batch_call__reads_what_another_node_answers)
{
	static const char done[] = "{\"id\":\"x\",\"effect\":{\"events\":[\"ActTaken\"],\"seq\":9}}";
	struct batch_act act = {0};

	batch_call_answered(202, done, strlen(done), &act);
	ck_assert_int_eq(act.end, BATCH_ACT_DONE);
	ck_assert_str_eq(act.effect, "{\"events\":[\"ActTaken\"],\"seq\":9}");
	ck_assert_int_eq(act.seq, 9);
	ck_assert_ptr_null(act.error);
	release(&act);

	assert_answer(409, "{\"code\":\"act_refused\",\"detail\":\"it is done\"}", BATCH_ACT_REFUSED,
				  "it is done");
	assert_answer(404, "{\"code\":\"saga_not_found\",\"detail\":\"no\"}", BATCH_ACT_REFUSED, "no");
	assert_answer(422, "{\"detail\":\"no\"}", BATCH_ACT_REFUSED, "no");
	/* An older version, a stop, an owner that is gone, something between. */
	assert_answer(404, "{\"code\":\"route_not_found\",\"detail\":\"no\"}", BATCH_ACT_LATER, "no");
	assert_answer(404, "<html>", BATCH_ACT_LATER, "the node that has the saga answered 404");
	assert_answer(503, "{\"code\":\"unavailable\",\"detail\":\"no\"}", BATCH_ACT_LATER, "no");
	assert_answer(429, NULL, BATCH_ACT_LATER, "the node that has the saga answered 429");
	assert_answer(500, "", BATCH_ACT_LATER, "the node that has the saga answered 500");
}
END_TEST

START_TEST(test_batch_call__reads_what_the_engine_answers)
{
	static const struct {
		int result;
		enum batch_act_end end;
	} cases[] = {
		{ERR_CONFLICT, BATCH_ACT_REFUSED},  {ERR_NOT_FOUND, BATCH_ACT_REFUSED},
		{ERR_INVALID, BATCH_ACT_REFUSED},   {ERR_FENCED, BATCH_ACT_LATER},
		{ERR_UNAVAILABLE, BATCH_ACT_LATER}, {ERR_UNKNOWN, BATCH_ACT_LATER},
	};
	enum event_type events[] = {EV_ACT_TAKEN};
	struct engine_call call = {
		.effect = {.events = events, .n_events = 1, .seq = 4, .status_after = SAGA_PAUSED},
	};
	struct batch_act act = {0};

	batch_call_ended(&call, &act);
	ck_assert_int_eq(act.end, BATCH_ACT_DONE);
	ck_assert_str_eq(act.effect, "{\"events\":[\"ActTaken\"],\"seq\":4,\"status_before\":"
								 "\"running\",\"status_after\":\"paused\"}");
	ck_assert_int_eq(act.seq, 4);
	ck_assert(!batch_call_is_repeated(&act));
	release(&act);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		call.result = err_set(&call.err, (enum err_code)cases[i].result, "why");
		batch_call_ended(&call, &act);
		ck_assert_int_eq(act.end, cases[i].end);
		ck_assert_uint_gt(strlen(act.error), 0);
		release(&act);
	}
}
END_TEST

/* Texts of errors have a fixed size, and a store refuses what is no UTF-8. */
START_TEST(test_batch_call__cuts_no_character)
{
	struct batch_act act = {0};
	char error[1201];

	for (size_t i = 0; i < 1200; i += 3)
		memcpy(error + i, "\xe2\x82\xac", 3);
	error[1200] = '\0';
	for (int i = 0; i < 3; i++) {
		batch_call_failed(BATCH_ACT_REFUSED, error + i, &act);
		ck_assert(text_is_utf8(act.error, strlen(act.error)));
		ck_assert_uint_gt(strlen(act.error), 500);
	}
	release(&act);
}
END_TEST

/* The history of a saga that took the act before. */

static const char *const rows[] = {
	"[{\"type\":\"SagaStarted\"}]",
	"[{\"type\":\"SignalReceived\",\"value\":{\"id\":\"" BATCH "\"}}]",
	"[{\"type\":\"ActTaken\",\"name\":\"retry\",\"id\":\"" BATCH "\"},{\"type\":\"StepStarted\"}]",
	"[{\"type\":\"StepCompleted\"}]",
};

static int history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				   int (*row)(void *ctx, const struct history_row *row), void *ctx, struct err *err)
{
	(void)reader, (void)limit, (void)err;
	ck_assert_str_eq(id, SAGA);
	for (size_t i = (size_t)after_seq; i < ARRAY_SIZE(rows); i++) {
		struct history_row there = {
			.seq = (int64_t)i + 1, .events = rows[i], .events_len = strlen(rows[i])};
		int r = row(ctx, &there);

		if (r)
			return r;
	}
	return 0;
}

START_TEST(test_batch_call__finds_the_effect_of_what_was_done_before)
{
	static const struct store_ops ops = {.history = history};
	struct store store = {.ops = &ops};
	struct store_reader reader = {&store};
	struct batch_task task = task_of("{\"act\":\"retry\"}");
	struct engine_call call = {.effect = {.seq = 4}};
	struct batch_act act = {.task = &task, .saga_id = SAGA};

	batch_call_ended(&call, &act);
	ck_assert(batch_call_is_repeated(&act));
	batch_call_find_effect(&reader, &act);
	ck_assert_int_eq(act.seq, 3);
	ck_assert_str_eq(act.effect, "{\"events\":[\"ActTaken\",\"StepStarted\"],\"seq\":3}");
	release(&act);

	/* Of another batch nothing is found. */
	act = (struct batch_act){.task = &task, .saga_id = SAGA};
	memset(task.id, '0', 8);
	batch_call_ended(&call, &act);
	batch_call_find_effect(&reader, &act);
	ck_assert_int_eq(act.seq, 0);
	ck_assert_int_eq(act.end, BATCH_ACT_DONE);
	release(&act);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch_call");
	TCase *tc = tcase_create("batch_call");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_batch_call__is_the_route_of_the_act);
	tcase_add_test(tc, test_batch_call__says_the_same_to_both);
	tcase_add_test(tc, test_batch_call__knows_an_act_that_cannot_be_read);
	tcase_add_test(tc, test_batch_call__reads_what_another_node_answers);
	tcase_add_test(tc, test_batch_call__reads_what_the_engine_answers);
	tcase_add_test(tc, test_batch_call__cuts_no_character);
	tcase_add_test(tc, test_batch_call__finds_the_effect_of_what_was_done_before);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
