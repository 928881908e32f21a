/*
 * The participant library, as a process of its own that is killed and started again: what it
 * promises is what the sagas rely on.
 */
#include "examples/participant/participant.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connectors/http_client.h"
#include "sagas/base/macros.h"

static void make(struct call *call)
{
	if (json_object_get(call->body, "refuse"))
		call_refuse(call, 422, "refused", NULL);
	else
		call->reply =
			json_pack("{s:s, s:O?}", "id", call->id, "n", json_object_get(call->body, "n"));
}

static const struct operation operations[] = {
	{"PUT", "/things/{id}", "make", "thing", ROLE_DO, make},
	{"POST", "/things/{id}/undo", "unmake", "thing", ROLE_UNDO, NULL},
	{"GET", "/things/{id}", "look", "thing", ROLE_READ, NULL},
};

static char dir[64];
static pid_t pid;
static struct http_client *client;

static void start(void)
{
	struct http_participant participant = {.name = "p"};
	struct err err = {0};
	char line[128], url[64];
	int fds[2];
	FILE *out;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		char *argv[] = {"things", "--data", dir, NULL};

		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		exit(participant_main(3, argv, "things", operations, ARRAY_SIZE(operations)));
	}
	close(fds[1]);
	out = fdopen(fds[0], "r");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), out));
	ck_assert_int_eq(sscanf(line, "things listening on %63s", url), 1);
	fclose(out);
	participant.url = url;
	ck_assert_int_eq(http_client_start(&participant, 1, &client, &err), 0);
}

static int stop(int number)
{
	int status = 0;

	http_client_stop(TAKE(client), 0);
	kill(pid, number);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/skald-participant-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	start();
}

static void teardown(void)
{
	char command[128];

	if (client)
		stop(SIGTERM);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* A request whose end can be waited for, alone or as one of several. */
struct exchange {
	struct http_request request;
	char key_header[128];
	const char *headers[2];
	bool ended; /* under mutex */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_done(struct http_request *request)
{
	struct exchange *exchange = CONTAINER_OF(request, struct exchange, request);

	pthread_mutex_lock(&mutex);
	exchange->ended = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
}

static void begin(struct exchange *exchange, const char *method, const char *path, const char *key,
				  const char *body)
{
	*exchange = (struct exchange){0};
	snprintf(exchange->key_header, sizeof(exchange->key_header), "Idempotency-Key: %s",
			 key ? key : "");
	exchange->headers[0] = key ? exchange->key_header : NULL;
	exchange->request = (struct http_request){
		.participant = "p",
		.method = method,
		.path = path,
		.headers = exchange->headers,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = 30000,
		.done = on_done,
	};
	http_client_send(client, &exchange->request);
}

static void await(struct exchange *exchange)
{
	pthread_mutex_lock(&mutex);
	while (!exchange->ended)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

/* Sends and returns the status, -1 when no answer came; the body is in `reply`. */
static char reply[65536];

static int ask(const char *method, const char *path, const char *key, const char *body)
{
	struct exchange exchange;

	begin(&exchange, method, path, key, body);
	await(&exchange);
	snprintf(reply, sizeof(reply), "%s", exchange.request.reply ? exchange.request.reply : "");
	free(exchange.request.reply);
	return exchange.request.result == HTTP_ANSWERED ? exchange.request.status : -1;
}

static void order(const char *mode)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"path\":\"/things\",\"mode\":\"%s\"}", mode);
	ck_assert_int_eq(ask("POST", "/control", NULL, body), 200);
}

/* "operation:count:requests" of the key in the ledger. */
static const char *ledger_of(const char *key)
{
	static char text[128];
	json_t *ledger, *calls, *entry;
	size_t i;

	ck_assert_int_eq(ask("GET", "/ledger", NULL, NULL), 200);
	ledger = json_loads(reply, 0, NULL);
	calls = json_object_get(ledger, "calls");
	snprintf(text, sizeof(text), "none");
	json_array_foreach (calls, i, entry) {
		if (strcmp(json_string_value(json_object_get(entry, "key")), key) == 0)
			snprintf(text, sizeof(text), "%s:%d:%d",
					 json_string_value(json_object_get(entry, "operation")),
					 (int)json_integer_value(json_object_get(entry, "count")),
					 (int)json_integer_value(json_object_get(entry, "requests")));
	}
	json_decref(ledger);
	return text;
}

START_TEST(test_participant__has_its_effect_once_for_a_key)
{
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"n\":1}"), 200);
	ck_assert_str_eq(reply, "{\"id\":\"a\",\"n\":1}");
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"n\":1}"), 200);
	ck_assert_str_eq(reply, "{\"id\":\"a\",\"n\":1}");
	ck_assert_str_eq(ledger_of("k"), "make:1:2");
}
END_TEST

START_TEST(test_participant__refuses_a_key_with_another_request)
{
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"n\":1}"), 200);
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"n\":2}"), 422);
	ck_assert_str_eq(reply, "{\"code\":\"idempotency_key_reused\"}");
	ck_assert_int_eq(ask("GET", "/things/a", NULL, NULL), 200);
	ck_assert_str_eq(reply, "{\"id\":\"a\",\"n\":1}");
}
END_TEST

START_TEST(test_participant__wants_a_key)
{
	ck_assert_int_eq(ask("PUT", "/things/a", NULL, "{}"), 400);
	ck_assert_int_eq(ask("GET", "/things/a", NULL, NULL), 404);
}
END_TEST

START_TEST(test_participant__keeps_its_refusal)
{
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"refuse\":1}"), 422);
	ck_assert_int_eq(ask("PUT", "/things/a", "k", "{\"refuse\":1}"), 422);
	order("decline");
	ck_assert_int_eq(ask("PUT", "/things/b", "l", "{}"), 422);
	ck_assert_int_eq(ask("PUT", "/things/b", "l", "{}"), 422);
	ck_assert_str_eq(ledger_of("k"), "make:0:2");
	ck_assert_str_eq(ledger_of("l"), "make:0:2");
	ck_assert_int_eq(ask("GET", "/things/b", NULL, NULL), 404);
}
END_TEST

START_TEST(test_participant__says_409_while_the_first_is_in_progress)
{
	struct exchange one, two, *first, *second;

	/* Whichever comes first hangs, and the other is told so. */
	order("hang");
	begin(&one, "PUT", "/things/a", "k", "{}");
	begin(&two, "PUT", "/things/a", "k", "{}");
	pthread_mutex_lock(&mutex);
	while (!one.ended && !two.ended)
		pthread_cond_wait(&changed, &mutex);
	first = one.ended ? &one : &two;
	pthread_mutex_unlock(&mutex);
	second = first == &one ? &two : &one;
	ck_assert_int_eq(first->request.status, 409);
	ck_assert_str_eq(first->request.reply, "{\"code\":\"in_progress\"}");
	free(first->request.reply);
	stop(SIGKILL);
	await(second);
	ck_assert_int_eq(second->request.result, HTTP_BROKEN);
}
END_TEST

START_TEST(test_participant__undoes_once)
{
	ck_assert_int_eq(ask("PUT", "/things/a", "do", "{}"), 200);
	ck_assert_int_eq(ask("POST", "/things/a/undo", "undo", "{}"), 200);
	ck_assert_int_eq(ask("POST", "/things/a/undo", "undo", "{}"), 200);
	ck_assert_int_eq(ask("POST", "/things/a/undo", "other", "{}"), 200);
	ck_assert_int_eq(ask("GET", "/things/a", NULL, NULL), 404);
	ck_assert_str_eq(ledger_of("undo"), "unmake:1:2");
	ck_assert_str_eq(ledger_of("other"), "unmake:0:1");
}
END_TEST

START_TEST(test_participant__gives_no_effect_to_a_request_that_its_undo_overtook)
{
	ck_assert_int_eq(ask("POST", "/things/a/undo", "undo", "{}"), 200);
	ck_assert_str_eq(reply, "{\"id\":\"a\",\"nothing_to_undo\":true}");
	ck_assert_int_eq(ask("PUT", "/things/a", "do", "{}"), 422);
	ck_assert_str_eq(reply, "{\"code\":\"already_undone\"}");
	ck_assert_int_eq(ask("GET", "/things/a", NULL, NULL), 404);
	ck_assert_str_eq(ledger_of("undo"), "unmake:0:1");
	ck_assert_str_eq(ledger_of("do"), "make:0:1");
}
END_TEST

START_TEST(test_participant__has_its_effect_though_the_reply_is_lost)
{
	static const char *const modes[] = {"lose_reply", "garbage", "huge"};
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(path, sizeof(path), "/things/%s", modes[i]);
		order(modes[i]);
		ck_assert_int_eq(ask("PUT", path, modes[i], "{}"), -1);
		ck_assert_str_eq(ledger_of(modes[i]), "make:1:1");
		ck_assert_int_eq(ask("PUT", path, modes[i], "{}"), 200);
		ck_assert_str_eq(ledger_of(modes[i]), "make:1:2");
	}
}
END_TEST

START_TEST(test_participant__leaves_no_trace_of_a_failure)
{
	static const char *const modes[] = {"fail", "redirect"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		order(modes[i]);
		ck_assert_int_eq(ask("PUT", "/things/a", modes[i], "{}"), i == 0 ? 503 : 302);
		ck_assert_str_eq(ledger_of(modes[i]), "none");
	}
	ck_assert_int_eq(ask("PUT", "/things/a", "fail", "{}"), 200);
}
END_TEST

START_TEST(test_participant__misbehaves_only_where_it_is_told)
{
	ck_assert_int_eq(ask("POST", "/control", NULL,
						 "{\"path\":\"/things\",\"mode\":\"fail\",\"times\":2,"
						 "\"match\":{\"n\":7}}"),
					 200);
	ck_assert_int_eq(ask("PUT", "/things/a", "a", "{\"n\":1}"), 200);
	ck_assert_int_eq(ask("PUT", "/things/b", "b", "{\"n\":7}"), 503);
	ck_assert_int_eq(ask("PUT", "/things/b", "b", "{\"n\":7}"), 503);
	ck_assert_int_eq(ask("PUT", "/things/b", "b", "{\"n\":7}"), 200);
	ck_assert_int_eq(ask("POST", "/control", NULL, "{\"path\":\"/things\",\"mode\":\"fly\"}"), 400);
	ck_assert_int_eq(ask("POST", "/control", NULL, "{}"), 400);
	ck_assert_int_eq(ask("POST", "/control", NULL, "[]"), 400);
	ck_assert_int_eq(
		ask("POST", "/control", NULL, "{\"path\":\"/things\",\"mode\":\"fail\",\"times\":0}"), 200);
	ck_assert_int_eq(ask("PUT", "/things/c", "c", "{}"), 503);
	ck_assert_int_eq(ask("PUT", "/things/c", "c", "{}"), 503);
	ck_assert_int_eq(
		ask("POST", "/control", NULL, "{\"path\":\"/things\",\"mode\":\"none\",\"times\":0}"), 200);
	ck_assert_int_eq(ask("PUT", "/things/c", "c", "{}"), 200);
}
END_TEST

START_TEST(test_participant__remembers_over_a_kill)
{
	ck_assert_int_eq(ask("PUT", "/things/a", "do", "{\"n\":1}"), 200);
	ck_assert_int_eq(ask("POST", "/things/b/undo", "undo", "{}"), 200);
	stop(SIGKILL);
	start();
	ck_assert_int_eq(ask("PUT", "/things/a", "do", "{\"n\":1}"), 200);
	ck_assert_str_eq(ledger_of("do"), "make:1:2");
	ck_assert_int_eq(ask("PUT", "/things/b", "late", "{}"), 422);
}
END_TEST

START_TEST(test_participant__stops_cleanly_while_a_request_hangs)
{
	struct exchange exchange;
	int status;

	order("hang");
	begin(&exchange, "PUT", "/things/a", "k", "{}");
	status = stop(SIGTERM);
	await(&exchange);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("participant");
	TCase *tc = tcase_create("participant");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_participant__has_its_effect_once_for_a_key);
	tcase_add_test(tc, test_participant__refuses_a_key_with_another_request);
	tcase_add_test(tc, test_participant__wants_a_key);
	tcase_add_test(tc, test_participant__keeps_its_refusal);
	tcase_add_test(tc, test_participant__says_409_while_the_first_is_in_progress);
	tcase_add_test(tc, test_participant__undoes_once);
	tcase_add_test(tc, test_participant__gives_no_effect_to_a_request_that_its_undo_overtook);
	tcase_add_test(tc, test_participant__has_its_effect_though_the_reply_is_lost);
	tcase_add_test(tc, test_participant__leaves_no_trace_of_a_failure);
	tcase_add_test(tc, test_participant__misbehaves_only_where_it_is_told);
	tcase_add_test(tc, test_participant__remembers_over_a_kill);
	tcase_add_test(tc, test_participant__stops_cleanly_while_a_request_hangs);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
