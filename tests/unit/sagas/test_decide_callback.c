/* Deciding about answers through step.callback_url, and what definitions read of their server. */
#include "sagas/decide.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/callback.h"
#include "tests/support/definition.h"
#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static struct play play;
static const char *const secret_names[] = {"token", NULL};
static struct surroundings around = {
	.public_url = "https://skald.example.com", .secrets = secret_names, .n_secrets = 1};
static char nonce[CALLBACK_NONCE_SIZE];

static void begin(const char *yaml)
{
	struct saga_def *def = definition_must_load(yaml);

	def->around = &around;
	play.random = 77;
	play_begin_def(&play, def, "{\"id\":\"o-1\"}", false);
	saga_def_unref(def);
}

static enum exec_status run_status(int step)
{
	return saga_state_action(play.state, step, -1)->run.status;
}

static bool trail_has(const char *text)
{
	return strstr(buf_str(&play.trail), text) != NULL;
}

/* What stands in the body of the call that is out, and the nonce in it. */
static void note_nonce(void)
{
	const char *url, *end;
	struct callback callback;

	ck_assert_uint_eq(play.decision.n_commands, 1);
	url = strstr(play.decision.commands[0].request->body, "https://");
	ck_assert_ptr_nonnull(url);
	ck_assert_int_eq(strncmp(url, "https://skald.example.com/v1/callbacks/", 39), 0);
	end = strchr(url, '"');
	CLEANUP(free_p) char *token = xstrndup(url + 39, (size_t)(end - url) - 39);

	ck_assert(callback_read(token, &callback));
	ck_assert_str_eq(callback.at.saga_id, PLAY_ID);
	ck_assert_str_eq(callback.at.step, "track");
	memcpy(nonce, callback.nonce, sizeof(nonce));
}

static void call_back(const char *with, const char *body)
{
	CLEANUP(jval_unref_p)
	struct jval *value = body ? jval_from_text(xstrdup(body), strlen(body)) : NULL;
	const struct input in = {
		.type = INPUT_REPLY,
		.step = 0,
		.item = -1,
		.kind = CALL_DO,
		.result = CALL_ANSWERED,
		.http_status = 200,
		.body = value,
		.retry_after_ms = -1,
		.said = OUTCOME_DEFAULT,
		.nonce = with,
		.random = 5,
	};

	ck_assert_int_eq(play_give(&play, &in), 0);
}

#define TRACK                                                                                      \
	"saga: tracked\n"                                                                              \
	"steps:\n"                                                                                     \
	"  - id: track\n"                                                                              \
	"    http: {to: carrier, method: POST, path: /tracking, body: {hook: "                         \
	"'${step.callback_url}'}}\n"                                                                   \
	"    outcome: {ongoing: [202], failure: [\"${reply.body.?lost == optional.of(true)}\"]}\n"     \
	"    retry: {initial_interval: 1s, jitter: 0}\n"                                               \
	"    compensate: {http: {to: carrier, method: DELETE, path: /tracking}}\n"                     \
	"    deadline: 14d\n"                                                                          \
	"  - {id: after, http: {to: shop, method: GET, path: /}}\n"

START_TEST(test_callback__is_the_answer_to_what_goes_on)
{
	begin(TRACK);
	note_nonce();
	play_answer(&play, 0, -1, CALL_DO, 202, "{\"id\":1}");
	ck_assert_int_eq(run_status(0), EXEC_ONGOING);
	/* It is not asked again: nobody else knows. */
	ck_assert_int_eq(saga_state_next_due(play.state), PLAY_STARTS_AT + 14 * DAY);
	ck_assert(saga_state_may_sleep(play.state));
	play_wait(&play, DAY);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	play_restart(&play);
	ck_assert_uint_eq(play.decision.n_commands, 0);
	call_back(nonce, "{\"at\":\"door\"}");
	ck_assert_int_eq(run_status(0), EXEC_DONE);
	ck_assert_str_eq(jval_text(play.state->steps[0].output, NULL), "{\"at\":\"door\"}");
	/* Only once. */
	call_back(nonce, "{\"at\":\"roof\"}");
	ck_assert(trail_has("ReplyIgnored track"));
	ck_assert_str_eq(jval_text(play.state->steps[0].output, NULL), "{\"at\":\"door\"}");
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	call_back(nonce, "{}");
	ck_assert_uint_eq(play.decision.n_events, 1); /* also of one that has ended */
	play_end(&play);
}
END_TEST

START_TEST(test_callback__may_come_before_the_answer_to_the_call)
{
	begin(TRACK);
	note_nonce();
	call_back(nonce, NULL);
	ck_assert_int_eq(run_status(0), EXEC_DONE);
	ck_assert_ptr_null(play.state->steps[0].output);
	play_end(&play);

	/* What it says by an outcome that is not final is noted, and waited on. */
	begin(TRACK);
	note_nonce();
	call_back(nonce, "{\"lost\":true}");
	ck_assert_int_eq(run_status(0), EXEC_FAILED);
	ck_assert(!trail_has("CompensationArmed"));
	play_end(&play);
}
END_TEST

START_TEST(test_callback__that_is_forged_changes_nothing)
{
	static const char *const forged[] = {"", "x", "00000000000000000000000000000000"};
	size_t rows;

	begin(TRACK);
	note_nonce();
	rows = play.n_rows;
	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		call_back(forged[i], "{}");
		ck_assert_int_eq(play.decision.unrecorded_replies, 1);
	}
	ck_assert_uint_eq(play.n_rows, rows);
	ck_assert_int_eq(run_status(0), EXEC_RUNNING);
	play_end(&play);

	/* A step without one takes none. */
	begin("saga: plain\nsteps:\n  - {id: a, http: {to: x, method: GET, path: /}}\n");
	call_back("00000000000000000000000000000000", "{}");
	ck_assert_int_eq(play.decision.unrecorded_replies, 1);
	play_end(&play);
}
END_TEST

START_TEST(test_callback__that_says_failure_ends_what_goes_on)
{
	begin(TRACK);
	note_nonce();
	play_answer(&play, 0, -1, CALL_DO, 202, "{}");
	call_back(nonce, "{\"lost\":true}");
	/* The participant knows: nothing is to be undone. */
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	ck_assert(!trail_has("CompensationArmed"));
	play_end(&play);

	/* But an attempt that is out may still take effect. */
	begin(TRACK);
	note_nonce();
	play_answer(&play, 0, -1, CALL_DO, 503, "{}");
	play_wait(&play, SECOND);
	ck_assert_uint_eq(play.decision.n_commands, 1);
	call_back(nonce, "{\"lost\":true}");
	ck_assert(trail_has("CompensationArmed track"));
	ck_assert_int_gt(saga_state_action(play.state, 0, -1)->run.settle_at, play.now);
	play_end(&play);
}
END_TEST

START_TEST(test_callback__has_until_the_deadline)
{
	begin(TRACK);
	note_nonce();
	play_answer(&play, 0, -1, CALL_DO, 202, "{}");
	/* What arrived wins over what ran out. */
	play_wait(&play, 15 * DAY);
	ck_assert_int_eq(run_status(0), EXEC_ONGOING);
	play.queues_read_until = play.now;
	play_wait(&play, 0);
	ck_assert_int_eq(run_status(0), EXEC_GAVE_UP);
	ck_assert(trail_has("CompensationArmed track"));
	call_back(nonce, "{}");
	ck_assert(trail_has("ReplyIgnored track"));
	play_end(&play);
}
END_TEST

START_TEST(test_callback_nonce__is_drawn_from_number_and_place)
{
	char a[CALLBACK_NONCE_SIZE], b[CALLBACK_NONCE_SIZE];

	callback_nonce(1, "saga/track/do", a);
	callback_nonce(1, "saga/track/do", b);
	ck_assert(callback_nonce_fits(a, b));
	callback_nonce(2, "saga/track/do", b);
	ck_assert(!callback_nonce_fits(a, b));
	callback_nonce(1, "saga/track~2/do", b);
	ck_assert(!callback_nonce_fits(a, b));
	ck_assert(!callback_nonce_fits(NULL, a));
	ck_assert(!callback_nonce_fits(a, NULL));
	ck_assert(!callback_nonce_fits("", ""));
}
END_TEST

START_TEST(test_callback_token__reads_what_it_writes)
{
	struct callback callback = {.at = {.ns = "default",
									   .saga_id = PLAY_ID,
									   .step = "track",
									   .item = 3,
									   .run = 2,
									   .kind = CALL_DO},
								.nonce = "0123456789abcdef0123456789abcdef"};
	CLEANUP(buf_release) struct buf token;
	struct callback got;

	buf_init(&token, 0);
	callback_write(&callback, &token);
	ck_assert_ptr_null(strpbrk(buf_str(&token), "+/="));
	ck_assert(callback_read(buf_str(&token), &got));
	ck_assert_str_eq(got.nonce, callback.nonce);
	ck_assert_int_eq(got.at.item, 3);
	ck_assert_int_eq(got.at.run, 2);
	for (size_t i = 0; i < token.len; i++) {
		CLEANUP(free_p) char *cut = xstrndup(token.data, i);

		ck_assert(!callback_read(cut, &got));
	}
	ck_assert(!callback_read("!", &got));
	callback.at.kind = CALL_UNDO;
	buf_clear(&token);
	callback_write(&callback, &token);
	ck_assert(!callback_read(buf_str(&token), &got));
}
END_TEST

/* env */

START_TEST(test_env__gives_what_the_server_has)
{
	around.env = json_pack("{s:s}", "region", "eu");
	begin("saga: regional\nsteps:\n  - {id: a, set: {at: '${env.region}', no: '${env.?gone}'}}\n"
		  "  - {id: b, set: '${env.gone}', tolerate: true}\n");
	ck_assert_str_eq(jval_text(play.state->steps[0].output, NULL), "{\"at\":\"eu\"}");
	ck_assert_int_eq(run_status(1), EXEC_FAILED);
	ck_assert_str_eq(saga_state_action(play.state, 1, -1)->run.code, "expression_error");
	ck_assert_ptr_nonnull(strstr(saga_state_action(play.state, 1, -1)->run.message, "gone"));
	play_end(&play);
	json_decref(TAKE(around.env));
}
END_TEST

/* secret */

START_TEST(test_secret__is_a_placeholder_in_the_request)
{
	const struct request *request;
	CLEANUP(buf_release) struct buf text;

	begin(
		"saga: secretive\nsteps:\n  - id: a\n    compensate: none\n"
		"    http: {to: x, method: POST, path: '/p/${input.id}', headers: {Authorization: 'Bearer "
		"${secret.token}', x-id: '${input.id}'}, query: {key: '${secret.token}', n: 1}}\n");
	request = play.decision.commands[0].request;
	ck_assert_str_eq(request->headers[0], "Authorization: Bearer ${secret.token}");
	ck_assert_str_eq(request->headers[1], "x-id: o-1");
	ck_assert_str_eq(request->path, "/p/o-1?key=%24%7Bsecret.token%7D&n=1");
	ck_assert_str_eq(request->secrets[0], "token");
	ck_assert_ptr_null(request->secrets[1]);
	buf_init(&text, 0);
	request_write(request, &text);
	ck_assert_ptr_nonnull(strstr(buf_str(&text), "\"secrets\":[\"token\"]"));
	play_end(&play);
}
END_TEST

/* What a caller sends must not be taken for the name of a secret. */
START_TEST(test_secret__no_data_is_taken_for_one)
{
	static const char *const fields[] = {
		"headers: {Authorization: '${secret.token}', x-note: \"${'$' + '{secret.token}'}\"}",
		"headers: {Authorization: \"${secret.token} ${'$' + '{secret.token}'}\"}",
		"query: {k: '${secret.token}', note: \"${'$' + '{secret.token}'}\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		CLEANUP(free_p)
		char *yaml = xasprintf("saga: sly\nsteps:\n  - id: a\n    compensate: none\n"
							   "    http: {to: x, method: POST, path: /, %s}\n",
							   fields[i]);

		begin(yaml);
		ck_assert_str_eq(play.state->failure_code, "expression_error");
		ck_assert_ptr_nonnull(strstr(play.state->failure_message, "placeholder"));
		play_end(&play);
	}
	/* Where no secret is named, it is text like any other. */
	begin(
		"saga: plain\nsteps:\n  - id: a\n    compensate: none\n"
		"    http: {to: x, method: POST, path: /, headers: {x: \"${'$' + '{secret.token}'}\"}}\n");
	ck_assert_str_eq(play.decision.commands[0].request->headers[0], "x: ${secret.token}");
	ck_assert_ptr_null(play.decision.commands[0].request->secrets);
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide_callback");
	TCase *tc = tcase_create("decide_callback");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_callback__is_the_answer_to_what_goes_on);
	tcase_add_test(tc, test_callback__may_come_before_the_answer_to_the_call);
	tcase_add_test(tc, test_callback__that_is_forged_changes_nothing);
	tcase_add_test(tc, test_callback__that_says_failure_ends_what_goes_on);
	tcase_add_test(tc, test_callback__has_until_the_deadline);
	tcase_add_test(tc, test_callback_nonce__is_drawn_from_number_and_place);
	tcase_add_test(tc, test_callback_token__reads_what_it_writes);
	tcase_add_test(tc, test_env__gives_what_the_server_has);
	tcase_add_test(tc, test_secret__is_a_placeholder_in_the_request);
	tcase_add_test(tc, test_secret__no_data_is_taken_for_one);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
