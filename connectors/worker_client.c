/*
 * The worker's side of /v1/queues and /v1/tasks, over libcurl's easy interface. It uses nothing of
 * Skald's own libraries, so that it can be installed apart.
 */
#include "connectors/worker_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	URL_SIZE = 1024,
	WAIT_DEFAULT_S = 30,
	ANSWER_S = 15,
	REPLY_MAX_BYTES = 16 * 1024 * 1024,
	AGAIN_FIRST_MS = 100,
	AGAIN_MAX_MS = 5000,
	/* Without heartbeats a lease is as long as the time-out of the task; longer is not tried. */
	TRIES_MAX_MS = 60000,
};

struct worker {
	CURL *curl;
	struct curl_slist *headers;
	char *server, *queue;
	json_t *poll; /* the body of every poll */
	int wait_s;
	char error[WORKER_ERROR_SIZE];
};

struct reply {
	long status;
	char *text;
	size_t len;
};

static void set_error(struct worker *worker, const char *what, const char *detail)
{
	snprintf(worker->error, sizeof(worker->error), "%s%s%s", what, detail && *detail ? ": " : "",
			 detail ? detail : "");
}

static json_t *poll_body(const struct worker_options *options, int wait_s)
{
	json_t *body = json_object();
	char wait[16];

	snprintf(wait, sizeof(wait), "%ds", wait_s);
	json_object_set_new(body, "worker", json_string(options->name));
	json_object_set_new(body, "wait", json_string(wait));
	if (options->build)
		json_object_set_new(body, "build", json_string(options->build));
	if (options->routes) {
		json_t *routes = json_array();

		for (const char *const *route = options->routes; *route; route++)
			json_array_append_new(routes, json_string(*route));
		json_object_set_new(body, "routes", routes);
	}
	return body;
}

struct worker *worker_new(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	char line[128];
	char *queue;

	if (!worker)
		return NULL;
	worker->curl = curl_easy_init();
	worker->wait_s = options->wait_s > 0 ? options->wait_s : WAIT_DEFAULT_S;
	worker->server = strdup(options->server);
	worker->poll = poll_body(options, worker->wait_s);
	worker->headers = curl_slist_append(NULL, "Content-Type: application/json");
	snprintf(line, sizeof(line), "Skald-Namespace: %s", options->ns ? options->ns : "default");
	worker->headers = curl_slist_append(worker->headers, line);
	/* No "100 Continue" is waited for. */
	worker->headers = curl_slist_append(worker->headers, "Expect:");
	queue = worker->curl ? curl_easy_escape(worker->curl, options->queue, 0) : NULL;
	worker->queue = queue ? strdup(queue) : NULL;
	curl_free(queue);
	if (worker->curl && worker->server && worker->queue && worker->poll && worker->headers)
		return worker;
	worker_free(worker);
	return NULL;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	curl_slist_free_all(worker->headers);
	curl_easy_cleanup(worker->curl);
	json_decref(worker->poll);
	free(worker->server);
	free(worker->queue);
	free(worker);
}

const char *worker_error(const struct worker *worker)
{
	return worker->error;
}

/* One exchange. */

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
	struct reply *reply = ctx;
	size_t len = size * n;
	char *grown;

	if (reply->len + len > REPLY_MAX_BYTES)
		return 0;
	grown = realloc(reply->text, reply->len + len + 1);
	if (!grown)
		return 0;
	memcpy(grown + reply->len, data, len);
	reply->text = grown;
	reply->len += len;
	grown[reply->len] = '\0';
	return len;
}

/* WORKER_OK with any answer, or WORKER_SILENT. */
static int exchange(struct worker *worker, const char *path, const char *body, long timeout_s,
					struct reply *reply)
{
	char url[URL_SIZE];
	CURLcode code;

	*reply = (struct reply){0};
	if (snprintf(url, sizeof(url), "%s%s", worker->server, path) >= (int)sizeof(url)) {
		set_error(worker, "the address is too long", NULL);
		return WORKER_REFUSED;
	}
	curl_easy_reset(worker->curl);
	curl_easy_setopt(worker->curl, CURLOPT_URL, url);
	curl_easy_setopt(worker->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(worker->curl, CURLOPT_HTTPHEADER, worker->headers);
	curl_easy_setopt(worker->curl, CURLOPT_TIMEOUT, timeout_s);
	curl_easy_setopt(worker->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(worker->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(worker->curl, CURLOPT_WRITEDATA, reply);
	code = curl_easy_perform(worker->curl);
	if (code != CURLE_OK) {
		set_error(worker, "the server does not answer", curl_easy_strerror(code));
		free(reply->text);
		*reply = (struct reply){0};
		return WORKER_SILENT;
	}
	curl_easy_getinfo(worker->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	return WORKER_OK;
}

/* What an answer other than a success means. */
static int judge(struct worker *worker, const struct reply *reply)
{
	json_t *problem = reply->text ? json_loads(reply->text, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	int result = reply->status == 409                           ? WORKER_LOST
				 : reply->status >= 500 || reply->status == 429 ? WORKER_SILENT
																: WORKER_REFUSED;
	char what[48];

	snprintf(what, sizeof(what), "the server answers %ld", reply->status);
	set_error(worker, what, detail);
	json_decref(problem);
	return result;
}

static void pause_ms(int ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&pause, NULL);
}

/* ---- Polling ---- */

static void copy_text(const json_t *task, const char *name, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(task, name));

	snprintf(to, size, "%s", text ? text : "");
}

static int64_t number(const json_t *task, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(task, name);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

static int read_task(struct worker *worker, const struct reply *reply, struct worker_task *task)
{
	json_t *answer = json_loads(reply->text ? reply->text : "", 0, NULL);
	const json_t *first = json_array_get(json_object_get(answer, "tasks"), 0);
	const char *side = json_string_value(json_object_get(first, "side"));

	*task = (struct worker_task){0};
	if (!first) {
		json_decref(answer);
		set_error(worker, "the server's answer has no task", NULL);
		return WORKER_REFUSED;
	}
	copy_text(first, "token", task->token, sizeof(task->token));
	copy_text(first, "queue", task->queue, sizeof(task->queue));
	copy_text(first, "saga", task->saga, sizeof(task->saga));
	copy_text(first, "definition", task->definition, sizeof(task->definition));
	copy_text(first, "step", task->step, sizeof(task->step));
	copy_text(first, "key", task->key, sizeof(task->key));
	task->item = (int)number(first, "item", -1);
	task->undo = side && strcmp(side, "undo") == 0;
	task->attempt = number(first, "attempt", 1);
	task->timeout_ms = number(first, "timeout_ms", 0);
	task->heartbeat_ms = number(first, "heartbeat_ms", -1);
	task->input = json_incref(json_object_get(first, "input"));
	task->progress = json_incref(json_object_get(first, "progress"));
	json_decref(answer);
	return WORKER_OK;
}

int worker_poll(struct worker *worker, struct worker_task *ret_task)
{
	char path[URL_SIZE];
	struct reply reply;
	char *body;
	int r;

	if (snprintf(path, sizeof(path), "/v1/queues/%s/poll", worker->queue) >= (int)sizeof(path)) {
		set_error(worker, "the name of the queue is too long", NULL);
		return WORKER_REFUSED;
	}
	body = json_dumps(worker->poll, JSON_COMPACT);
	r = exchange(worker, path, body, worker->wait_s + ANSWER_S, &reply);
	free(body);
	if (r == WORKER_OK && reply.status == 204)
		r = WORKER_NOTHING;
	else if (r == WORKER_OK && reply.status == 200)
		r = read_task(worker, &reply, ret_task);
	else if (r == WORKER_OK)
		r = judge(worker, &reply);
	free(reply.text);
	return r;
}

void worker_task_release(struct worker_task *task)
{
	json_decref(task->input);
	json_decref(task->progress);
	*task = (struct worker_task){0};
}

/* ---- Words ---- */

/* Takes over body. The word may be said again: its token makes that harmless. */
static int say(struct worker *worker, const struct worker_task *task, const char *verb,
			   json_t *body, bool again, json_t **ret_answer)
{
	char path[URL_SIZE];
	struct reply reply;
	char *text = json_dumps(body, JSON_COMPACT);
	int r, waited_ms = 0, pause = AGAIN_FIRST_MS;

	json_decref(body);
	snprintf(path, sizeof(path), "/v1/tasks/%s/%s", task->token, verb);
	for (;;) {
		r = exchange(worker, path, text ? text : "{}", ANSWER_S, &reply);
		if (r == WORKER_OK && reply.status != 200)
			r = judge(worker, &reply);
		else if (r == WORKER_OK && ret_answer)
			*ret_answer = json_loads(reply.text ? reply.text : "", 0, NULL);
		free(reply.text);
		if (r != WORKER_SILENT || !again || waited_ms >= TRIES_MAX_MS)
			break;
		pause_ms(pause);
		waited_ms += pause;
		pause = pause * 2 < AGAIN_MAX_MS ? pause * 2 : AGAIN_MAX_MS;
	}
	free(text);
	return r;
}

int worker_heartbeat(struct worker *worker, const struct worker_task *task, const json_t *details,
					 bool *ret_cancel)
{
	json_t *body = json_object(), *answer = NULL;
	int r;

	if (details)
		json_object_set_new(body, "details", json_deep_copy(details));
	r = say(worker, task, "heartbeat", body, false, &answer);
	if (ret_cancel)
		*ret_cancel = json_is_true(json_object_get(answer, "cancel"));
	json_decref(answer);
	return r;
}

int worker_complete(struct worker *worker, const struct worker_task *task, const json_t *output)
{
	json_t *body = json_object();

	if (output)
		json_object_set_new(body, "output", json_deep_copy(output));
	return say(worker, task, "complete", body, true, NULL);
}

int worker_fail(struct worker *worker, const struct worker_task *task,
				const struct worker_failure *failure)
{
	json_t *body = json_object();

	json_object_set_new(body, "code", json_string(failure->code ? failure->code : "failed"));
	if (failure->message)
		json_object_set_new(body, "message", json_string(failure->message));
	json_object_set_new(body, "retryable", json_boolean(failure->retryable));
	if (failure->unknown)
		json_object_set_new(body, "unknown", json_true());
	return say(worker, task, "fail", body, true, NULL);
}

static void do_one(struct worker *worker, const struct worker_task *task,
				   json_t *(*work)(struct worker *worker, const struct worker_task *task,
								   struct worker_failure *failure, void *ctx),
				   void *ctx)
{
	struct worker_failure failure = {0};
	json_t *output = work(worker, task, &failure, ctx);

	if (failure.code)
		(void)worker_fail(worker, task, &failure);
	else
		(void)worker_complete(worker, task, output);
	json_decref(output);
}

void worker_run(struct worker *worker,
				json_t *(*work)(struct worker *worker, const struct worker_task *task,
								struct worker_failure *failure, void *ctx),
				void *ctx, const volatile bool *stop)
{
	int pause = AGAIN_FIRST_MS;

	while (!*stop) {
		struct worker_task task;
		int r = worker_poll(worker, &task);

		if (r == WORKER_OK) {
			do_one(worker, &task, work, ctx);
			worker_task_release(&task);
		}
		if (r >= 0) {
			pause = AGAIN_FIRST_MS;
			continue;
		}
		/* The server is away; it will be back. */
		pause_ms(pause);
		pause = pause * 2 < AGAIN_MAX_MS ? pause * 2 : AGAIN_MAX_MS;
	}
}
