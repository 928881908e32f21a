/*
 * Asking for a lease: the engine of this node, or the node that owns the saga's slot. The answer
 * comes back as mail, and gives the poll a task, or says that it is not to be had.
 */
#include <stdio.h>
#include <string.h>

#include "connectors/http_client.h"
#include "coordinator/engine.h"
#include "coordinator/membership.h"
#include "coordinator/task_token.h"
#include "coordinator/tasks_priv.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { ELSEWHERE_MS = 5000 };

struct lease {
	struct mail mail;
	struct tasks *tasks;
	struct poll *poll;
	struct candidate *candidate;
	struct engine_call *call; /* NULL: it is elsewhere */
	struct http_request http;
	char address[NODE_ADDRESS_SIZE], ns_header[NAMESPACE_MAX_BYTES + 32];
	const char *headers[4];
	struct buf body;
};

static void lease_free(struct lease *lease)
{
	engine_call_free(lease->call);
	buf_release(&lease->body);
	free(lease->http.reply);
	free(lease);
}

void tasks__lease_throw_away(struct mail *mail)
{
	lease_free(CONTAINER_OF(mail, struct lease, mail));
}

static void post(struct lease *lease)
{
	lease->mail.type = TASKS_MAIL_LEASED;
	mailbox_post_reserved(lease->tasks->box, &lease->mail);
}

/* Thread: engine. */
static void engine_answered(struct engine_call *call)
{
	post(call->ctx);
}

/* Thread: HTTP client. */
static void node_answered(struct http_request *http)
{
	post(http->ctx);
}

static bool ask_here(struct tasks *tasks, struct lease *lease)
{
	const struct candidate *candidate = lease->candidate;
	struct engine_call *call =
		engine_call_for_task(candidate->queue->ns, candidate->saga_id, TASK_WORD_LEASE,
							 candidate->step, candidate->item, candidate->side);
	struct err err;

	call->task->worker = xstrdup(lease->poll->worker);
	call->task->build = lease->poll->build ? xstrdup(lease->poll->build) : NULL;
	call->answer = engine_answered;
	call->ctx = lease;
	lease->call = call;
	return engine_post(tasks->engine, call, &err) == 0;
}

static void ask_elsewhere(struct tasks *tasks, struct lease *lease)
{
	const struct candidate *candidate = lease->candidate;

	buf_init(&lease->body, 64 * 1024);
	buf_add_char(&lease->body, '{');
	json_member_text(&lease->body, "saga", candidate->saga_id);
	json_member_text(&lease->body, "step", candidate->step);
	buf_printf(&lease->body, ",\"item\":%d", candidate->item);
	json_member_text(&lease->body, "side", store_side_text(candidate->side));
	json_member_text(&lease->body, "queue", candidate->queue->name);
	json_member_text(&lease->body, "worker", lease->poll->worker);
	if (lease->poll->build)
		json_member_text(&lease->body, "build", lease->poll->build);
	buf_add_char(&lease->body, '}');
	snprintf(lease->ns_header, sizeof(lease->ns_header), "Skald-Namespace: %s",
			 candidate->queue->ns);
	lease->headers[0] = "Content-Type: application/json";
	lease->headers[1] = "Skald-Forwarded: 1";
	lease->headers[2] = lease->ns_header;
	lease->http = (struct http_request){
		.base_url = lease->address,
		.method = "POST",
		.path = "/v1/tasks/lease",
		.headers = lease->headers,
		.body = buf_str(&lease->body),
		.body_len = lease->body.len,
		.timeout_ms = ELSEWHERE_MS,
		.done = node_answered,
		.ctx = lease,
	};
	http_client_send(tasks->options.http, &lease->http);
}

void tasks__lease(struct tasks *tasks, struct poll *poll, struct candidate *candidate)
{
	struct lease *lease = xcalloc(1, sizeof(*lease));
	enum slot_place place = SLOT_HERE;
	bool asked = true;

	lease->tasks = tasks;
	lease->poll = poll;
	lease->candidate = candidate;
	if (tasks->options.member)
		place =
			member_slot(tasks->options.member, saga_id_slot(candidate->saga_id), lease->address);
	poll->asked++;
	tasks->jobs_out++;
	if (place == SLOT_HERE)
		asked = ask_here(tasks, lease);
	else if (place == SLOT_THERE)
		ask_elsewhere(tasks, lease);
	else
		asked = false;
	/* It takes the way of an answer, so that there is one way. */
	if (asked)
		return;
	if (lease->call)
		lease->call->result = ERR_UNAVAILABLE;
	lease->http.result = HTTP_NOT_CONNECTED;
	post(lease);
}

void task_granted_token(const struct engine_call *call, struct buf *out)
{
	const struct task_call *task = call->task;
	struct task_token token = {
		.item = task->item,
		.side = task->side,
		.attempt = task->answer.attempt,
	};

	snprintf(token.saga_id, sizeof(token.saga_id), "%s", call->id);
	snprintf(token.step, sizeof(token.step), "%s", task->step);
	snprintf(token.nonce, sizeof(token.nonce), "%s", task->answer.nonce);
	task_token_write(&token, out);
}

void task_granted_write(const struct engine_call *call, const char *queue, struct buf *out)
{
	const struct task_call *task = call->task;
	const struct task_answer *answer = &task->answer;
	const struct request *request = answer->request;
	struct buf one;

	buf_init(&one, 0);
	buf_add_lit(&one, "{\"token\":\"");
	task_granted_token(call, &one);
	buf_add_char(&one, '"');
	json_member_text(&one, "queue", queue);
	json_member_text(&one, "saga", call->id);
	json_member_text(&one, "definition", task->definition);
	json_member_text(&one, "step", task->step);
	if (task->item >= 0)
		buf_printf(&one, ",\"item\":%d", task->item);
	json_member_text(&one, "side", store_side_text(task->side));
	buf_printf(&one, ",\"attempt\":%lld", (long long)answer->attempt);
	buf_add_lit(&one, ",\"input\":");
	if (request->body)
		buf_add(&one, request->body, request->body_len);
	else
		buf_add_lit(&one, "null");
	if (request->route)
		json_member_text(&one, "route", request->route);
	json_member_text(&one, "key", request->key);
	buf_printf(&one, ",\"timeout_ms\":%lld", (long long)answer->timeout_ms);
	if (answer->heartbeat_ms >= 0)
		buf_printf(&one, ",\"heartbeat_ms\":%lld", (long long)answer->heartbeat_ms);
	json_member_time(&one, "lease_until", answer->lease_until);
	if (answer->deadline_at)
		json_member_time(&one, "deadline_at", answer->deadline_at);
	if (answer->progress) {
		buf_add_lit(&one, ",\"progress\":");
		jval_write(answer->progress, &one);
	}
	buf_add_char(&one, '}');
	buf_add(out, one.data, one.len);
	buf_release(&one);
}

/* What came of it. */

enum lease_end { LEASE_GRANTED, LEASE_REFUSED, LEASE_FAILED };

static void add_granted(struct poll *poll, const char *task, size_t len, const char *token)
{
	if (poll->n_granted > 0)
		buf_add_char(&poll->granted, ',');
	buf_add(&poll->granted, task, len);
	poll->tokens = xrealloc_array(poll->tokens, (size_t)poll->n_granted + 1, sizeof(char *));
	poll->tokens[poll->n_granted++] = xstrdup(token);
}

static enum lease_end end_here(const struct lease *lease)
{
	const struct engine_call *call = lease->call;
	struct buf task, token;

	if (call->result == ERR_NOT_FOUND)
		return LEASE_REFUSED;
	if (call->result < 0)
		return LEASE_FAILED;
	if (call->task->answer.refused)
		return LEASE_REFUSED;
	buf_init(&task, 0);
	buf_init(&token, 0);
	task_granted_write(call, lease->candidate->queue->name, &task);
	task_granted_token(call, &token);
	add_granted(lease->poll, task.data, task.len, buf_str(&token));
	buf_release(&task);
	buf_release(&token);
	return LEASE_GRANTED;
}

static enum lease_end end_elsewhere(const struct lease *lease)
{
	const struct http_request *http = &lease->http;
	CLEANUP(json_decref_p) json_t *json = NULL;
	const char *token;
	struct err err;

	if (http->result == HTTP_ANSWERED && (http->status == 409 || http->status == 404))
		return LEASE_REFUSED;
	if (http->result != HTTP_ANSWERED || http->status != 200 || !http->reply ||
		json_parse_stored(http->reply, http->reply_len, &json, &err) < 0)
		return LEASE_FAILED;
	token = json_string_value(json_object_get(json, "token"));
	if (!token)
		return LEASE_FAILED;
	add_granted(lease->poll, http->reply, http->reply_len, token);
	return LEASE_GRANTED;
}

void tasks__leased(struct tasks *tasks, struct mail *mail)
{
	struct lease *lease = CONTAINER_OF(mail, struct lease, mail);
	struct poll *poll = lease->poll;
	struct candidate *candidate = lease->candidate;
	struct queue *queue = candidate->queue;
	enum lease_end end = lease->call ? end_here(lease) : end_elsewhere(lease);

	poll->asked--;
	tasks->jobs_out--;
	queue->leasing--;
	if (end != LEASE_GRANTED && queue->settings.max_concurrent > 0)
		queue->allowance++;
	if (end == LEASE_FAILED)
		tasks__shun(tasks, candidate);
	else
		tasks__candidate_free(tasks, candidate);
	tasks__list(tasks, queue);
	/* Another one instead, unless what there is goes to the worker now. */
	if (poll->asked == 0 && poll->n_granted == 0 && !poll->over &&
		!__atomic_load_n(&tasks->ended, __ATOMIC_ACQUIRE))
		tasks__serve_poll(tasks, poll);
	tasks__poll_settle(tasks, poll);
	lease_free(lease);
}
