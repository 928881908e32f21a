/*
 * What workers say: they ask for tasks of queues (a long poll), and give word about those they
 * have, by the token of the lease.
 *
 * A poll is suspended until there is something for it; so many may wait that their tasks are not
 * looked for by them, but by tasks.h. A word goes to the engine of the node that owns the saga.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/api_saga.h"
#include "coordinator/forward.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "coordinator/task_progress.h"
#include "coordinator/task_token.h"
#include "coordinator/tasks.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { POLL_WAIT_MS = 30000, MESSAGE_MAX_BYTES = 4096, CODE_MAX_BYTES = 200 };

/* ---- Polling ---- */

/* A list of names, or nothing. */
static bool read_names(struct exchange *ex, const json_t *body, const char *name, size_t most,
					   char ***list, size_t *n)
{
	const json_t *value = json_object_get(body, name), *one;
	char pointer[64];
	size_t i;

	snprintf(pointer, sizeof(pointer), "/%s", name);
	if (!value)
		return true;
	if (!json_is_array(value) || json_array_size(value) > most)
		return body_error(ex, pointer, "must be a list of names, and not too many");
	*list = xrealloc_array(*list, *n + json_array_size(value), sizeof(char *));
	json_array_foreach (value, i, one) {
		if (!json_is_string(one) || json_string_length(one) == 0 ||
			json_string_length(one) > QUEUE_NAME_MAX_BYTES)
			return body_error(ex, pointer, "each is text of 1 to 255 bytes");
		(*list)[(*n)++] = xstrdup(json_string_value(one));
	}
	return true;
}

static void drop_doubles(struct poll *poll)
{
	size_t kept = 0;

	for (size_t i = 0; i < poll->n_queues; i++) {
		bool twice = false;

		for (size_t k = 0; k < kept; k++)
			twice |= strcmp(poll->queues[k], poll->queues[i]) == 0;
		if (twice)
			free(poll->queues[i]);
		else
			poll->queues[kept++] = poll->queues[i];
	}
	poll->n_queues = kept;
}

static bool read_wait(struct exchange *ex, const json_t *body, struct poll *poll)
{
	const char *text = json_string_value(json_object_get(body, "wait"));
	struct err err;

	poll->wait_ms = POLL_WAIT_MS;
	if (!text)
		return true;
	if (duration_parse(text, &poll->wait_ms, &err) < 0)
		return body_error(ex, "/wait", "must be a duration such as 30s");
	if (poll->wait_ms > POLL_WAIT_MAX_MS)
		poll->wait_ms = POLL_WAIT_MAX_MS;
	return true;
}

static bool read_poll(struct exchange *ex, struct poll *poll)
{
	static const struct body_member members[] = {
		{"worker", BODY_STRING, true, TASK_WORKER_MAX_BYTES},
		{"build", BODY_STRING, false, TASK_WORKER_MAX_BYTES},
		{"wait", BODY_STRING, false, 32},
		{"max", BODY_NUMBER, false, 0},
		{"routes", BODY_ANY, false, 0},
		{"queues", BODY_ANY, false, 0},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	json_int_t max;

	if (strlen(ex->params[0]) > QUEUE_NAME_MAX_BYTES || !*ex->params[0]) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST, "a queue's name has 1 to 255 bytes");
		return false;
	}
	if (!body_read(ex, members, ARRAY_SIZE(members), false, &body))
		return false;
	poll->ns = xstrdup(ex->ns);
	poll->worker = body_member_text(body, "worker");
	poll->build = body_member_text(body, "build");
	if (!*poll->worker)
		return body_error(ex, "/worker", "must say who asks");
	max = json_object_get(body, "max") ? json_integer_value(json_object_get(body, "max")) : 1;
	if (max > POLL_TASKS_MAX)
		return body_error(ex, "/max", "is at most 100");
	poll->max = (int)max;
	poll->queues = xcalloc(1, sizeof(char *));
	poll->queues[poll->n_queues++] = xstrdup(ex->params[0]);
	if (!read_wait(ex, body, poll) ||
		!read_names(ex, body, "queues", POLL_QUEUES_MAX - 1, &poll->queues, &poll->n_queues) ||
		!read_names(ex, body, "routes", POLL_ROUTES_MAX, &poll->routes, &poll->n_routes))
		return false;
	drop_doubles(poll);
	return true;
}

static void given_back(struct engine_call *call)
{
	engine_call_free(call);
}

/* Who asked was not there any more: others need not wait until the lease is over. Where the owner
 * is another node they do. Thread: server. */
static void give_back(struct exchange *ex)
{
	struct poll *poll = ex->state;

	for (int i = 0; poll && i < poll->n_granted; i++) {
		struct task_token token;
		struct engine_call *call;
		struct err err;

		if (task_token_read(poll->tokens[i], &token, &err) < 0)
			continue;
		call = engine_call_for_task(ex->ns, token.saga_id, TASK_WORD_FAIL, token.step, token.item,
									token.side);
		call->task->nonce = xstrdup(token.nonce);
		call->task->attempt = token.attempt;
		call->task->retryable = true;
		call->task->code = xstrdup("not_delivered");
		call->task->message = xstrdup("the worker was gone before it was given the task");
		call->answer = given_back;
		if (engine_post(ex->node->engine, call, &err) < 0)
			engine_call_free(call);
	}
}

/* Thread: that of tasks. */
static void poll_answered(struct poll *poll)
{
	struct exchange *ex = poll->ctx;

	ex->state = poll;
	if (poll->n_granted == 0) {
		exchange_answer(ex, 204);
	} else {
		buf_add_lit(&ex->out, "{\"tasks\":[");
		buf_add(&ex->out, poll->granted.data, poll->granted.len);
		buf_add_lit(&ex->out, "]}");
		ex->undelivered = give_back;
		exchange_answer(ex, 200);
	}
	exchange_resume(ex);
}

static bool poll_is_gone(struct poll *poll)
{
	return exchange_is_gone(poll->ctx);
}

static void free_poll(void *state)
{
	poll_free(state);
}

void api_poll_tasks(struct exchange *ex)
{
	struct poll *poll = xcalloc(1, sizeof(*poll));

	if (!exchange_args_done(ex, NULL, 0) || !read_poll(ex, poll)) {
		poll_free(poll);
		return;
	}
	buf_init(&poll->granted, 0);
	poll->answer = poll_answered;
	poll->is_gone = poll_is_gone;
	poll->ctx = ex;
	ex->free_state = free_poll;
	exchange_suspend(ex);
	if (tasks_poll(ex->node->tasks, poll))
		return;
	poll_free(poll);
	exchange_problem(ex, PROBLEM_OVERLOADED, "too many workers wait for tasks here");
	exchange_resume(ex);
}

/* ---- Words ---- */

static void lost(struct exchange *ex, const char *why)
{
	exchange_problem(ex, PROBLEM_LEASE_LOST, "%s", why);
}

static void owner_failed(struct exchange *ex, enum forward_failure failure)
{
	exchange_problem(ex, PROBLEM_UNAVAILABLE,
					 failure == FORWARD_REFUSED
						 ? "the node that has this saga cannot be reached; say it again"
						 : "the node that has this saga did not answer; say it again");
}

static void say_elsewhere(struct exchange *ex, const char *saga_id)
{
	char owner[NODE_ADDRESS_SIZE] = "", path[FORWARD_PATH_SIZE];
	const char *verb = strrchr(ex->route->pattern, '/');
	struct forward forward = {.address = owner, .path = path, .failed = owner_failed};

	snprintf(path, sizeof(path), "/v1/tasks/%s%s", ex->params[0], verb);
	if (!exchange_was_forwarded(ex) && ex->node->member &&
		member_slot(ex->node->member, saga_id_slot(saga_id), owner) == SLOT_THERE)
		exchange_forward(ex, &forward);
	else
		owner_failed(ex, FORWARD_REFUSED);
}

static void answer_heartbeat(struct exchange *ex, const struct task_answer *answer)
{
	buf_add_char(&ex->out, '{');
	json_member_bool(&ex->out, "cancel", answer->cancel);
	if (answer->cancel)
		json_member_text(&ex->out, "reason", answer->why);
	json_member_time(&ex->out, "lease_until", answer->lease_until);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 200);
}

static void said(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);
	const struct task_call *task = call->task;

	if (call->result == ERR_FENCED)
		say_elsewhere(ex, call->id);
	else if (call->result == ERR_NOT_FOUND)
		lost(ex, "the saga is not there any more");
	else if (call->result < 0)
		exchange_problem_err(ex, &call->err);
	else if (task->answer.otherwise)
		exchange_problem(ex, PROBLEM_COMPLETED_OTHERWISE, "%s", task->answer.why);
	else if (task->answer.refused)
		lost(ex, task->answer.why);
	else if (task->word == TASK_WORD_HEARTBEAT) {
		task_progress_told(ex->node->progress, call);
		answer_heartbeat(ex, &task->answer);
	} else {
		buf_printf(&ex->out, "{\"status\":\"%s\"}",
				   task->word == TASK_WORD_COMPLETE ? "completed" : "failed");
		exchange_answer(ex, 200);
	}
	engine_call_free(call);
}

/* A value that shares nothing with the body that it was read from. */
static struct jval *value_of(const json_t *value)
{
	struct buf text;
	size_t len;
	char *copy;

	if (!value || json_is_null(value))
		return NULL;
	buf_init(&text, 0);
	json_write(value, &text);
	copy = buf_take(&text, &len);
	return jval_from_text(copy, len);
}

static bool read_flag(struct exchange *ex, const json_t *body, const char *name, bool *ret)
{
	const json_t *value = json_object_get(body, name);
	char pointer[32];

	snprintf(pointer, sizeof(pointer), "/%s", name);
	if (value && !json_is_boolean(value))
		return body_error(ex, pointer, "must be true or false");
	if (value)
		*ret = json_is_true(value);
	return true;
}

static bool read_details(struct exchange *ex, const json_t *details, struct task_call *task)
{
	struct buf text;

	if (!details)
		return true;
	buf_init(&text, TASK_DETAILS_MAX_BYTES);
	json_write(details, &text);
	if (text.failed) {
		buf_release(&text);
		return body_error(ex, "/details", "has at most 65536 bytes");
	}
	task->details_text = buf_take(&text, NULL);
	return true;
}

static bool read_word(struct exchange *ex, struct task_call *task)
{
	static const struct body_member of_heartbeat[] = {{"details", BODY_ANY, false, 0}};
	static const struct body_member of_complete[] = {{"output", BODY_ANY, false, 0}};
	static const struct body_member of_fail[] = {
		{"code", BODY_STRING, true, CODE_MAX_BYTES},
		{"message", BODY_STRING, false, MESSAGE_MAX_BYTES},
		{"retryable", BODY_ANY, false, 0},
		{"unknown", BODY_ANY, false, 0},
		{"details", BODY_ANY, false, 0},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	bool fail = task->word == TASK_WORD_FAIL;

	if (!body_read(ex,
				   fail                               ? of_fail
				   : task->word == TASK_WORD_COMPLETE ? of_complete
													  : of_heartbeat,
				   fail ? ARRAY_SIZE(of_fail) : 1, !fail, &body))
		return false;
	task->retryable = true;
	task->code = body_member_text(body, "code");
	task->message = body_member_text(body, "message");
	if (!read_flag(ex, body, "retryable", &task->retryable) ||
		!read_flag(ex, body, "unknown", &task->unknown) ||
		!read_details(ex, json_object_get(body, "details"), task))
		return false;
	task->details = value_of(json_object_get(body, "details"));
	task->output = value_of(json_object_get(body, "output"));
	return true;
}

static void say(struct exchange *ex, enum task_word word)
{
	struct task_token token;
	struct engine_call *call;
	struct err err;

	if (!exchange_args_done(ex, NULL, 0))
		return;
	if (task_token_read(ex->params[0], &token, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST, "%s", err.text);
		return;
	}
	call = engine_call_for_task(ex->ns, token.saga_id, word, token.step, token.item, token.side);
	call->task->nonce = xstrdup(token.nonce);
	call->task->attempt = token.attempt;
	if (read_word(ex, call->task))
		exchange_post(ex, call, said);
	else
		engine_call_free(call);
}

void api_heartbeat_task(struct exchange *ex)
{
	say(ex, TASK_WORD_HEARTBEAT);
}

void api_complete_task(struct exchange *ex)
{
	say(ex, TASK_WORD_COMPLETE);
}

void api_fail_task(struct exchange *ex)
{
	say(ex, TASK_WORD_FAIL);
}

/* ---- Leasing for another node ---- */

static void leased(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);

	if (call->result == ERR_NOT_FOUND)
		lost(ex, "the saga is not there any more");
	else if (call->result < 0)
		exchange_problem_err(ex, &call->err);
	else if (call->task->answer.refused)
		lost(ex, call->task->answer.why);
	else {
		task_granted_write(call, ex->state, &ex->out);
		exchange_answer(ex, 200);
	}
	engine_call_free(call);
}

void api_lease_task(struct exchange *ex)
{
	static const struct body_member members[] = {
		{"saga", BODY_STRING, true, SAGA_ID_SIZE},
		{"step", BODY_STRING, true, TASK_STEP_SIZE},
		{"item", BODY_ANY, true, 0},
		{"side", BODY_STRING, true, 8},
		{"queue", BODY_STRING, true, QUEUE_NAME_MAX_BYTES},
		{"worker", BODY_STRING, true, TASK_WORKER_MAX_BYTES},
		{"build", BODY_STRING, false, TASK_WORKER_MAX_BYTES},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	const char *saga, *side;
	struct engine_call *call;

	if (!exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, ARRAY_SIZE(members), false, &body))
		return;
	saga = json_string_value(json_object_get(body, "saga"));
	side = json_string_value(json_object_get(body, "side"));
	if (saga_id_slot(saga) < 0) {
		body_error(ex, "/saga", "is not the id of a saga");
		return;
	}
	call = engine_call_for_task(ex->ns, saga, TASK_WORD_LEASE,
								json_string_value(json_object_get(body, "step")),
								(int)json_integer_value(json_object_get(body, "item")),
								strcmp(side, "undo") == 0 ? SIDE_UNDO : SIDE_DO);
	call->task->worker = body_member_text(body, "worker");
	call->task->build = body_member_text(body, "build");
	ex->state = body_member_text(body, "queue");
	ex->free_state = free;
	exchange_post(ex, call, leased);
}
