/*
 * The HTTP client against a participant that behaves and misbehaves as it is told. What counts most
 * is what is claimed of an exchange that failed: "not connected" only when nothing was sent.
 */
#include "connectors/http_client.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sagas/base/macros.h"
#include "tests/support/http_script.h"

struct call {
	struct http_request request;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	int n_done; /* must become 1 */
};

static struct http_script *script;
static struct http_client *client;

static void on_done(struct http_request *request)
{
	struct call *call = CONTAINER_OF(request, struct call, request);

	pthread_mutex_lock(&call->mutex);
	call->n_done++;
	pthread_cond_signal(&call->ended);
	pthread_mutex_unlock(&call->mutex);
}

static struct call *call_new(const char *method, const char *path, const char *body)
{
	struct call *call = xcalloc(1, sizeof(*call));

	pthread_mutex_init(&call->mutex, NULL);
	pthread_cond_init(&call->ended, NULL);
	call->request = (struct http_request){
		.participant = "p",
		.method = method,
		.path = path,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = 30000,
		.done = on_done,
	};
	return call;
}

static void call_free(struct call *call)
{
	pthread_mutex_destroy(&call->mutex);
	pthread_cond_destroy(&call->ended);
	free(call->request.reply);
	free(call);
}
DEFINE_CLEANUP(struct call *, call_free)

static void await(struct call *call)
{
	pthread_mutex_lock(&call->mutex);
	while (call->n_done == 0)
		pthread_cond_wait(&call->ended, &call->mutex);
	ck_assert_int_eq(call->n_done, 1);
	pthread_mutex_unlock(&call->mutex);
}

static struct call *exchange(const char *method, const char *path, const char *body)
{
	struct call *call = call_new(method, path, body);

	http_client_send(client, &call->request);
	await(call);
	return call;
}

static void start(int max_connections, const char *const *headers)
{
	struct http_participant participants[] = {
		{.name = "q", .url = http_script_url(script)},
		{.name = "p",
		 .url = http_script_url(script),
		 .headers = headers,
		 .max_connections = max_connections},
	};
	struct err err = {0};

	ck_assert_msg(http_client_start(participants, 2, &client, &err) == 0, "%s", err.text);
}

static void setup(void)
{
	script = http_script_start();
	start(0, NULL);
}

static void teardown(void)
{
	if (client)
		http_client_stop(client, 0);
	client = NULL;
	http_script_stop(script);
}

static void restart(int max_connections, const char *const *headers)
{
	http_client_stop(client, 0);
	start(max_connections, headers);
}

#define EXCHANGE(name, method, path, body)                                                         \
	CLEANUP(call_free_p) struct call *name##_call = exchange(method, path, body);                  \
	struct http_request *name = &name##_call->request

START_TEST(test_http_client__gives_status_body_and_content_type)
{
	EXCHANGE(a, "POST", "/ok", "{}");

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_int_eq(a->status, 200);
	ck_assert_str_eq(a->reply, "{\"ok\":true}");
	ck_assert_uint_eq(a->reply_len, 11);
	ck_assert_str_eq(a->content_type, "application/json");
	ck_assert_int_eq(a->retry_after_ms, -1);
	ck_assert_str_eq(a->error, "");
}
END_TEST

START_TEST(test_http_client__sends_the_request_as_it_is_given)
{
	static const char *const headers[] = {"Idempotency-Key: s/a/do",
										  "Content-Type: application/json", NULL};
	CLEANUP(call_free_p) struct call *call = call_new("PUT", "/echo?a=b%20c", "{\"n\":19.99}");

	call->request.headers = headers;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_ANSWERED);
	ck_assert_ptr_nonnull(strstr(call->request.reply, "PUT /echo?a=b%20c HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(call->request.reply, "\r\nIdempotency-Key: s/a/do\r\n"));
	ck_assert_ptr_nonnull(strstr(call->request.reply, "\r\nContent-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(call->request.reply, "\r\n\r\n{\"n\":19.99}"));
	ck_assert_ptr_null(strstr(call->request.reply, "Expect"));
	ck_assert_ptr_null(strstr(call->request.reply, "form-urlencoded"));
}
END_TEST

START_TEST(test_http_client__sends_a_large_body_without_asking_for_leave)
{
	size_t len = 2 * 1024 * 1024;
	CLEANUP(free_p) char *body = malloc(len + 1);
	CLEANUP(call_free_p) struct call *call = NULL;

	ck_assert_ptr_nonnull(body);
	memset(body, 'a', len);
	body[len] = '\0';
	call = exchange("POST", "/ok", body);
	ck_assert_int_eq(call->request.result, HTTP_ANSWERED);
	ck_assert_int_eq(http_script_requests(script), 1);
}
END_TEST

START_TEST(test_http_client__sends_to_an_address_of_its_own)
{
	struct http_wanted_header wanted[] = {{.name = "content-length"}, {.name = "etag"}};
	CLEANUP(call_free_p) struct call *call = call_new("POST", "/ok", "{}");

	call->request.participant = NULL;
	call->request.base_url = http_script_url(script);
	call->request.wanted = wanted;
	call->request.n_wanted = 2;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_ANSWERED);
	ck_assert_str_eq(wanted[0].value, "11");
	ck_assert_str_eq(wanted[1].value, "");
}
END_TEST

START_TEST(test_http_client__sends_nothing_after_its_time)
{
	CLEANUP(call_free_p) struct call *late = call_new("POST", "/ok", "{}");
	CLEANUP(call_free_p) struct call *soon = call_new("POST", "/ok", "{}");
	int64_t past = 1, future = INT64_MAX;

	late->request.not_after_ms = &past;
	soon->request.not_after_ms = &future;
	http_client_send(client, &late->request);
	http_client_send(client, &soon->request);
	await(late);
	await(soon);
	ck_assert_int_eq(late->request.result, HTTP_CANCELLED);
	ck_assert_int_eq(soon->request.result, HTTP_ANSWERED);
	ck_assert_int_eq(http_script_requests(script), 1);
}
END_TEST

START_TEST(test_http_client__looks_at_the_time_again_when_its_turn_comes)
{
	CLEANUP(call_free_p) struct call *first = call_new("GET", "/gate", NULL);
	CLEANUP(call_free_p) struct call *queued = call_new("GET", "/ok", NULL);
	int64_t until = INT64_MAX;

	restart(1, NULL);
	queued->request.not_after_ms = &until;
	http_client_send(client, &first->request);
	http_script_await_requests(script, 1);
	http_client_send(client, &queued->request);
	__atomic_store_n(&until, 1, __ATOMIC_RELEASE); /* the lease is lost */
	http_script_open_gate(script);
	await(first);
	await(queued);
	ck_assert_int_eq(queued->request.result, HTTP_CANCELLED);
	ck_assert_int_eq(http_script_requests(script), 1);
}
END_TEST

START_TEST(test_http_client__changes_method_and_body_on_one_connection)
{
	EXCHANGE(a, "POST", "/echo", "{}");
	EXCHANGE(b, "GET", "/echo", NULL);
	EXCHANGE(c, "DELETE", "/echo", NULL);
	EXCHANGE(d, "DELETE", "/echo", "{\"why\":1}");
	EXCHANGE(e, "POST", "/echo", NULL);
	EXCHANGE(f, "GET", "/empty", NULL);

	ck_assert_int_eq(strncmp(a->reply, "POST /echo ", 11), 0);
	ck_assert_int_eq(strncmp(b->reply, "GET /echo ", 10), 0);
	ck_assert_ptr_null(strstr(b->reply, "Content-Length"));
	ck_assert_int_eq(strncmp(c->reply, "DELETE /echo ", 13), 0);
	ck_assert_ptr_null(strstr(c->reply, "Content-Length"));
	ck_assert_ptr_nonnull(strstr(d->reply, "\r\n\r\n{\"why\":1}"));
	ck_assert_ptr_nonnull(strstr(e->reply, "Content-Length: 0\r\n"));
	ck_assert_int_eq(f->status, 204);
	ck_assert_ptr_null(f->reply);
	ck_assert_int_eq(http_script_connections(script), 1);
}
END_TEST

START_TEST(test_http_client__sends_the_participants_headers_before_the_requests)
{
	static const char *const ours[] = {"Authorization: Bearer right", NULL};
	static const char *const theirs[] = {"authorization: Bearer wrong", "X-A: b", NULL};
	CLEANUP(call_free_p) struct call *call = call_new("GET", "/echo", NULL);

	restart(0, ours);
	call->request.headers = theirs;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_ptr_nonnull(strstr(call->request.reply, "Bearer right"));
	ck_assert_ptr_null(strstr(call->request.reply, "Bearer wrong"));
	ck_assert_ptr_nonnull(strstr(call->request.reply, "\r\nX-A: b\r\n"));
}
END_TEST

START_TEST(test_http_client__calls_an_address_as_it_stands)
{
	CLEANUP(free_p) char *address = xasprintf("%s/ok", http_script_url(script));
	CLEANUP(call_free_p) struct call *call = call_new("POST", "", "{}");

	call->request.participant = NULL;
	call->request.base_url = address;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_ANSWERED);
	ck_assert_int_eq(call->request.status, 200);
}
END_TEST

START_TEST(test_http_client__does_not_send_what_would_break_out_of_its_place)
{
	static const char *const headers[] = {"X-A: b\r\nX-Evil: yes", NULL};
	static const char *const paths[] = {"/a b", "a", "/a\r\nX: y", "/a#b"};
	CLEANUP(call_free_p) struct call *call = call_new("GET", "/echo", NULL);
	size_t i;

	call->request.headers = headers;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_NOT_CONNECTED);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		EXCHANGE(a, "GET", paths[i], NULL);
		ck_assert_int_eq(a->result, HTTP_NOT_CONNECTED);
		ck_assert_str_ne(a->error, "");
	}
	EXCHANGE(b, "GET /x", "/ok", NULL);
	ck_assert_int_eq(b->result, HTTP_NOT_CONNECTED);
	ck_assert_int_eq(http_script_requests(script), 0);
}
END_TEST

START_TEST(test_http_client__reports_a_failure_status_as_an_answer)
{
	EXCHANGE(a, "POST", "/status/422", "{}");
	EXCHANGE(b, "POST", "/status/503", "{}");
	EXCHANGE(c, "POST", "/status/401", "{}");
	EXCHANGE(d, "POST", "/status/417", "{}");

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_int_eq(a->status, 422);
	ck_assert_str_eq(a->reply, "{\"code\":\"declined\"}");
	ck_assert_int_eq(b->status, 503);
	ck_assert_int_eq(c->status, 401);
	ck_assert_int_eq(d->status, 417);
	ck_assert_int_eq(http_script_requests(script), 4);
}
END_TEST

START_TEST(test_http_client__does_not_follow_a_redirect)
{
	EXCHANGE(a, "POST", "/redirect", "{}");

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_int_eq(a->status, 302);
	ck_assert_int_eq(http_script_requests(script), 1);
}
END_TEST

START_TEST(test_http_client__tells_retry_after_of_the_final_answer)
{
	EXCHANGE(a, "POST", "/retry-after", "{}");
	EXCHANGE(b, "POST", "/interim", "{}");

	ck_assert_int_eq(a->status, 429);
	ck_assert_int_eq(a->retry_after_ms, 7000);
	ck_assert_int_eq(b->status, 200);
	ck_assert_int_eq(b->retry_after_ms, -1);
	ck_assert_str_eq(b->content_type, "application/json");
}
END_TEST

START_TEST(test_http_client__reads_a_chunked_answer)
{
	EXCHANGE(a, "POST", "/chunked", "{}");

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_str_eq(a->reply, "{\"ok\":true}");
	ck_assert_str_eq(a->content_type, "");
}
END_TEST

START_TEST(test_http_client__reads_up_to_the_limit)
{
	char path[64];

	snprintf(path, sizeof(path), "/length/%d", HTTP_REPLY_MAX_BYTES);
	EXCHANGE(a, "GET", path, NULL);
	snprintf(path, sizeof(path), "/length/%d", HTTP_REPLY_MAX_BYTES + 1);
	EXCHANGE(b, "GET", path, NULL);

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_uint_eq(a->reply_len, HTTP_REPLY_MAX_BYTES);
	ck_assert_int_eq(b->result, HTTP_TOO_LARGE);
	ck_assert_int_eq(b->status, 200);
	ck_assert_ptr_null(b->reply);
}
END_TEST

START_TEST(test_http_client__stops_reading_a_huge_answer)
{
	static const char *const paths[] = {"/huge", "/huge-chunked", "/headers"};
	struct rusage before, after;
	size_t i;

	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		EXCHANGE(a, "GET", paths[i], NULL);
		ck_assert_int_eq(a->result, HTTP_TOO_LARGE);
		ck_assert_int_eq(a->status, 200);
		ck_assert_ptr_null(a->reply);
		ck_assert_str_ne(a->error, "");
	}
	getrusage(RUSAGE_SELF, &after);
	/* Sanitizers have memory of their own, which is why this is generous. */
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 50 * 1024);
}
END_TEST

START_TEST(test_http_client__calls_garbage_and_cut_answers_broken)
{
	static const char *const paths[] = {"/garbage", "/short", "/close"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		EXCHANGE(a, "POST", paths[i], "{}");
		ck_assert_int_eq(a->result, HTTP_BROKEN);
		ck_assert_ptr_null(a->reply);
		ck_assert_str_ne(a->error, "");
	}
}
END_TEST

START_TEST(test_http_client__calls_a_refused_connection_not_connected)
{
	http_script_refuse(script);
	EXCHANGE(a, "POST", "/ok", "{}");

	ck_assert_int_eq(a->result, HTTP_NOT_CONNECTED);
	ck_assert_str_ne(a->error, "");
}
END_TEST

START_TEST(test_http_client__calls_an_unknown_participant_not_connected)
{
	CLEANUP(call_free_p) struct call *call = call_new("GET", "/ok", NULL);

	call->request.participant = "nobody";
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_NOT_CONNECTED);
	ck_assert_ptr_nonnull(strstr(call->request.error, "nobody"));
}
END_TEST

/*
 * A reused connection that ends without an answer: the request may have been carried out, so it is
 * neither sent again behind the engine's back nor called "not connected" when that would fail.
 */
START_TEST(test_http_client__sends_once_when_a_reused_connection_ends)
{
	EXCHANGE(a, "POST", "/ok", "{}");
	EXCHANGE(b, "POST", "/close", "{}");
	EXCHANGE(c, "DELETE", "/ok", NULL);
	EXCHANGE(d, "DELETE", "/close", NULL);

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_int_eq(b->result, HTTP_BROKEN);
	ck_assert_str_eq(b->error, "the connection ended before an answer came");
	ck_assert_int_eq(c->result, HTTP_ANSWERED);
	ck_assert_int_eq(d->result, HTTP_BROKEN);
	ck_assert_int_eq(http_script_requests(script), 4);
}
END_TEST

START_TEST(test_http_client__does_not_hide_a_first_try_behind_a_refused_second)
{
	EXCHANGE(a, "POST", "/ok", "{}");
	http_script_refuse(script);
	EXCHANGE(b, "POST", "/close", "{}");

	ck_assert_int_eq(a->result, HTTP_ANSWERED);
	ck_assert_int_eq(http_script_connections(script), 1);
	ck_assert_int_eq(http_script_requests(script), 2);
	ck_assert_int_eq(b->result, HTTP_BROKEN);
}
END_TEST

START_TEST(test_http_client__calls_an_unanswered_request_timed_out)
{
	static const char *const paths[] = {"/hang", "/drip"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		CLEANUP(call_free_p) struct call *call = call_new("POST", paths[i], "{}");

		call->request.timeout_ms = 100;
		http_client_send(client, &call->request);
		await(call);
		ck_assert_int_eq(call->request.result, HTTP_TIMED_OUT);
		ck_assert_ptr_null(call->request.reply);
	}
}
END_TEST

/* A listener that accepts nothing and whose backlog is full: connecting hangs. */
START_TEST(test_http_client__calls_a_deadline_while_connecting_not_connected)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fds[16], i, listener = socket(AF_INET, SOCK_STREAM, 0);
	CLEANUP(call_free_p) struct call *call = call_new("GET", "/ok", NULL);
	socklen_t len = sizeof(address);
	struct http_participant participant = {.name = "p"};
	struct err err = {0};
	char url[64];

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 0), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	for (i = 0; i < (int)ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (struct sockaddr *)&address, len);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	participant.url = url;
	http_client_stop(client, 0);
	ck_assert_int_eq(http_client_start(&participant, 1, &client, &err), 0);
	call->request.timeout_ms = 100;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_NOT_CONNECTED);
	for (i = 0; i < (int)ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(listener);
}
END_TEST

/* A server that never answers the greeting of TLS. */
START_TEST(test_http_client__calls_a_deadline_in_the_tls_handshake_not_connected)
{
	CLEANUP(call_free_p) struct call *call = call_new("POST", "/ok", "{}");
	struct http_participant participant = {.name = "p"};
	struct err err = {0};
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d", http_script_port(script));
	participant.url = url;
	http_client_stop(client, 0);
	ck_assert_int_eq(http_client_start(&participant, 1, &client, &err), 0);
	call->request.timeout_ms = 200;
	http_client_send(client, &call->request);
	await(call);
	ck_assert_int_eq(call->request.result, HTTP_NOT_CONNECTED);
	ck_assert_int_eq(http_script_requests(script), 0);
}
END_TEST

START_TEST(test_http_client__reuses_connections)
{
	int i;

	for (i = 0; i < 50; i++) {
		EXCHANGE(a, "POST", "/ok", "{}");
		ck_assert_int_eq(a->result, HTTP_ANSWERED);
	}
	ck_assert_int_eq(http_script_connections(script), 1);
}
END_TEST

START_TEST(test_http_client__limits_connections_and_queues_in_order)
{
	struct call *calls[20];
	CLEANUP(call_free_p) struct call *other = call_new("GET", "/ok", NULL);
	struct http_client_stats stats;
	char path[2][16] = {"/gate", "/status/200"};
	int i;

	restart(3, NULL);
	for (i = 0; i < 20; i++) {
		calls[i] = call_new("POST", i < 3 ? path[0] : path[1], "{}");
		http_client_send(client, &calls[i]->request);
	}
	http_script_await_requests(script, 3);
	/* A participant whose connections are all busy does not hold up another. */
	other->request.participant = "q";
	http_client_send(client, &other->request);
	await(other);
	ck_assert_int_eq(other->request.result, HTTP_ANSWERED);
	http_client_stats(client, &stats);
	ck_assert_int_eq(stats.in_flight, 3);
	ck_assert_int_eq(stats.queued, 17);
	ck_assert_int_eq(stats.answered, 1);
	ck_assert_int_eq(http_script_requests(script), 4);
	http_script_open_gate(script);
	for (i = 0; i < 20; i++) {
		await(calls[i]);
		ck_assert_int_eq(calls[i]->request.result, HTTP_ANSWERED);
		call_free(calls[i]);
	}
	http_client_stats(client, &stats);
	ck_assert_int_eq(stats.sent, 21);
	ck_assert_int_eq(stats.answered, 21);
	ck_assert_int_eq(stats.queued, 0);
	ck_assert_int_le(http_script_most_open(script), 4);
}
END_TEST

START_TEST(test_http_client__counts_queueing_into_the_deadline)
{
	CLEANUP(call_free_p) struct call *first = call_new("POST", "/gate", "{}");
	CLEANUP(call_free_p) struct call *second = call_new("POST", "/ok", "{}");

	restart(1, NULL);
	second->request.timeout_ms = 50;
	http_client_send(client, &first->request);
	http_client_send(client, &second->request);
	await(second);
	ck_assert_int_eq(second->request.result, HTTP_NOT_CONNECTED);
	http_script_open_gate(script);
	await(first);
	ck_assert_int_eq(first->request.result, HTTP_ANSWERED);
	ck_assert_int_eq(http_script_requests(script), 1);
}
END_TEST

START_TEST(test_http_client__refuses_what_does_not_fit_into_the_queue)
{
	enum { N = 1 + HTTP_QUEUE_MAX_REQUESTS + 1 };
	struct call **calls = xcalloc(N, sizeof(struct call *));
	struct http_client_stats stats;
	int i, counts[HTTP_CANCELLED + 1] = {0};

	restart(1, NULL);
	for (i = 0; i < N; i++) {
		calls[i] = call_new("POST", "/hang", "{}");
		http_client_send(client, &calls[i]->request);
	}
	await(calls[N - 1]);
	ck_assert_int_eq(calls[N - 1]->request.result, HTTP_NOT_CONNECTED);
	ck_assert_ptr_nonnull(strstr(calls[N - 1]->request.error, "wait for participant p already"));
	http_script_await_requests(script, 1);
	http_client_stats(client, &stats);
	ck_assert_int_eq(stats.queued, HTTP_QUEUE_MAX_REQUESTS);
	http_client_stop(TAKE(client), 0);
	for (i = 0; i < N; i++) {
		ck_assert_int_eq(calls[i]->n_done, 1);
		counts[calls[i]->request.result]++;
		call_free(calls[i]);
	}
	ck_assert_int_eq(counts[HTTP_BROKEN], 1);
	ck_assert_int_eq(counts[HTTP_CANCELLED], HTTP_QUEUE_MAX_REQUESTS);
	free(calls);
}
END_TEST

START_TEST(test_http_client__stop_cancels_what_waits_and_breaks_what_hangs)
{
	CLEANUP(call_free_p) struct call *first = call_new("POST", "/hang", "{}");
	CLEANUP(call_free_p) struct call *second = call_new("POST", "/ok", "{}");

	restart(1, NULL);
	http_client_send(client, &first->request);
	http_script_await_requests(script, 1);
	http_client_send(client, &second->request);
	http_client_stop(TAKE(client), 20);
	ck_assert_int_eq(first->n_done, 1);
	ck_assert_int_eq(first->request.result, HTTP_BROKEN);
	ck_assert_int_eq(second->n_done, 1);
	ck_assert_int_eq(second->request.result, HTTP_CANCELLED);
}
END_TEST

START_TEST(test_http_client__stop_lets_what_is_in_flight_end)
{
	CLEANUP(call_free_p) struct call *call = call_new("POST", "/gate", "{}");

	http_client_send(client, &call->request);
	http_script_await_requests(script, 1);
	http_script_open_gate(script);
	http_client_stop(TAKE(client), 30000);
	ck_assert_int_eq(call->n_done, 1);
	ck_assert_int_eq(call->request.result, HTTP_ANSWERED);
}
END_TEST

static void *send_many(void *arg)
{
	struct call **calls = arg;
	int i;

	for (i = 0; i < 500; i++)
		http_client_send(client, &calls[i]->request);
	return NULL;
}

START_TEST(test_http_client__takes_requests_from_many_threads)
{
	static struct call *calls[4][500];
	pthread_t threads[4];
	int i, j;

	for (i = 0; i < 4; i++) {
		for (j = 0; j < 500; j++)
			calls[i][j] = call_new("POST", j % 50 == 7 ? "/close" : "/ok", "{}");
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, calls[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		for (j = 0; j < 500; j++) {
			await(calls[i][j]);
			ck_assert_int_eq(calls[i][j]->request.result,
							 j % 50 == 7 ? HTTP_BROKEN : HTTP_ANSWERED);
			call_free(calls[i][j]);
		}
	}
}
END_TEST

START_TEST(test_http_client__refuses_a_base_address_that_is_none)
{
	static const char *const urls[] = {"ftp://a/",      "file:///etc/passwd", "http://u:p@a/",
									   "http://a/?q=1", "http://a/#f",        ""};
	struct http_participant participant = {.name = "p"};
	struct http_client *none = NULL;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(urls); i++) {
		participant.url = urls[i];
		ck_assert_int_eq(http_client_start(&participant, 1, &none, &err), ERR_INVALID);
		ck_assert_ptr_nonnull(strstr(err.text, "participant p"));
		ck_assert_ptr_null(none);
	}
}
END_TEST

static void copy_stats(void *ctx, const struct http_participant_stats *stats)
{
	struct http_participant_stats *copies = ctx;

	ck_assert_msg(strcmp(stats->name, "p") == 0 || strcmp(stats->name, "q") == 0, "%s",
				  stats->name);
	copies[*stats->name - 'p'] = *stats;
}

START_TEST(test_http_client__counts_for_each_participant)
{
	struct http_participant_stats stats[2] = {0};
	CLEANUP(call_free_p) struct call *gate = NULL, *queued = NULL, *other = NULL, *slow = NULL;

	restart(1, NULL);
	call_free(exchange("GET", "/ok", NULL));
	call_free(exchange("GET", "/status/422", NULL));
	call_free(exchange("GET", "/close", NULL));
	slow = call_new("GET", "/hang", NULL);
	slow->request.timeout_ms = 100;
	http_client_send(client, &slow->request);
	await(slow);
	gate = call_new("GET", "/gate", NULL);
	queued = call_new("GET", "/ok", NULL);
	http_client_send(client, &gate->request);
	http_client_send(client, &queued->request);
	other = call_new("GET", "/ok", NULL);
	other->request.participant = "q";
	http_client_send(client, &other->request);
	await(other); /* those before it are in their places, then */
	http_client_participants(client, copy_stats, stats);
	ck_assert_int_eq(stats[0].in_flight, 1);
	ck_assert_int_eq(stats[0].queued, 1);
	ck_assert_int_eq(stats[0].requests, 5);
	ck_assert_int_eq(stats[0].answers[2], 1);
	ck_assert_int_eq(stats[0].answers[4], 1);
	ck_assert_int_eq(stats[0].results[HTTP_BROKEN], 1);
	ck_assert_int_eq(stats[0].results[HTTP_TIMED_OUT], 1);
	ck_assert_int_eq(stats[0].recent, 4);
	ck_assert_double_ge(stats[0].p99_ms, 80);
	ck_assert_double_le(stats[0].p50_ms, stats[0].p99_ms);
	ck_assert_int_eq(stats[1].requests, 1);
	ck_assert_int_eq(stats[1].in_flight, 0);
	http_script_open_gate(script);
	await(gate);
	await(queued);
	http_client_participants(client, copy_stats, stats);
	ck_assert_int_eq(stats[0].in_flight, 0);
	ck_assert_int_eq(stats[0].queued, 0);
	ck_assert_int_eq(stats[0].answers[2], 3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http_client");
	TCase *tc = tcase_create("http_client");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_http_client__gives_status_body_and_content_type);
	tcase_add_test(tc, test_http_client__counts_for_each_participant);
	tcase_add_test(tc, test_http_client__sends_the_request_as_it_is_given);
	tcase_add_test(tc, test_http_client__sends_a_large_body_without_asking_for_leave);
	tcase_add_test(tc, test_http_client__sends_to_an_address_of_its_own);
	tcase_add_test(tc, test_http_client__sends_nothing_after_its_time);
	tcase_add_test(tc, test_http_client__looks_at_the_time_again_when_its_turn_comes);
	tcase_add_test(tc, test_http_client__changes_method_and_body_on_one_connection);
	tcase_add_test(tc, test_http_client__sends_the_participants_headers_before_the_requests);
	tcase_add_test(tc, test_http_client__calls_an_address_as_it_stands);
	tcase_add_test(tc, test_http_client__does_not_send_what_would_break_out_of_its_place);
	tcase_add_test(tc, test_http_client__reports_a_failure_status_as_an_answer);
	tcase_add_test(tc, test_http_client__does_not_follow_a_redirect);
	tcase_add_test(tc, test_http_client__tells_retry_after_of_the_final_answer);
	tcase_add_test(tc, test_http_client__reads_a_chunked_answer);
	tcase_add_test(tc, test_http_client__reads_up_to_the_limit);
	tcase_add_test(tc, test_http_client__stops_reading_a_huge_answer);
	tcase_add_test(tc, test_http_client__calls_garbage_and_cut_answers_broken);
	tcase_add_test(tc, test_http_client__calls_a_refused_connection_not_connected);
	tcase_add_test(tc, test_http_client__calls_an_unknown_participant_not_connected);
	tcase_add_test(tc, test_http_client__sends_once_when_a_reused_connection_ends);
	tcase_add_test(tc, test_http_client__does_not_hide_a_first_try_behind_a_refused_second);
	tcase_add_test(tc, test_http_client__calls_an_unanswered_request_timed_out);
	tcase_add_test(tc, test_http_client__calls_a_deadline_while_connecting_not_connected);
	tcase_add_test(tc, test_http_client__calls_a_deadline_in_the_tls_handshake_not_connected);
	tcase_add_test(tc, test_http_client__reuses_connections);
	tcase_add_test(tc, test_http_client__limits_connections_and_queues_in_order);
	tcase_add_test(tc, test_http_client__counts_queueing_into_the_deadline);
	tcase_add_test(tc, test_http_client__refuses_what_does_not_fit_into_the_queue);
	tcase_add_test(tc, test_http_client__stop_cancels_what_waits_and_breaks_what_hangs);
	tcase_add_test(tc, test_http_client__stop_lets_what_is_in_flight_end);
	tcase_add_test(tc, test_http_client__takes_requests_from_many_threads);
	tcase_add_test(tc, test_http_client__refuses_a_base_address_that_is_none);
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
