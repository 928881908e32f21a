#include "coordinator/participant_call.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/failpoint.h"
#include "sagas/base/text.h"
#include "sagas/json_text.h"

/* Beside the request's own headers: the key, the type of the body, and the NULL at the end. */
enum { OWN_HEADERS = 3 };

struct participant_call {
	struct call_reply reply;
	struct http_request http;
	struct request *request;
	const struct secrets *secrets;
	struct buf *resolved; /* the headers, and then the path, of a request with secrets; else NULL */
	size_t n_resolved;
	void (*replied)(void *ctx, struct call_reply *reply);
	void *ctx;
	const char *headers[]; /* and behind them the text of our own */
};

static void release(struct call_reply *reply)
{
	struct participant_call *call = CONTAINER_OF(reply, struct participant_call, reply);

	/* They hold secrets. */
	for (size_t i = 0; i < call->n_resolved; i++) {
		if (call->resolved[i].data)
			explicit_bzero(call->resolved[i].data, call->resolved[i].len);
		buf_release(&call->resolved[i]);
	}
	free(call->resolved);
	request_unref(call->request);
	free(call->http.reply);
	free(call);
}

/* Bytes that are UTF-8 as a JSON string; NULL when they are not text. */
static struct jval *text_value(const char *text, size_t len)
{
	json_t *string = memchr(text, '\0', len) ? NULL : json_stringn(text, len);

	return string ? jval_from_json(string) : NULL;
}

/*
 * What a participant answered, as a value, whatever type it claims: JSON as it came, other text as
 * a string. What is neither is dropped (text with NUL bytes is no text): nothing in a definition
 * could read it, and the history holds JSON.
 */
static struct jval *body_value(struct http_request *http)
{
	const struct participant_call *call = http->ctx;
	struct err err;

	if (!http->reply || http->reply_len == 0)
		return NULL;
	/* Who sends a secret back does not put it into the history. */
	if (call->resolved)
		secrets_mask(call->secrets, call->request->secrets, http->reply, http->reply_len);
	if (json_text_check(http->reply, http->reply_len, &err) == 0)
		return jval_from_text(TAKE(http->reply), http->reply_len);
	return text_value(http->reply, http->reply_len);
}

static enum call_result result_of(enum http_result result)
{
	switch (result) {
	case HTTP_ANSWERED:
		return CALL_ANSWERED;
	case HTTP_NOT_CONNECTED:
	case HTTP_CANCELLED:
		return CALL_NOT_CONNECTED;
	case HTTP_BROKEN:
		return CALL_BROKEN;
	case HTTP_TIMED_OUT:
		return CALL_TIMED_OUT;
	case HTTP_TOO_LARGE:
		return CALL_TOO_LARGE;
	}
	return CALL_BROKEN;
}

/* Thread: HTTP client. */
static void done(struct http_request *http)
{
	struct participant_call *call = http->ctx;
	struct call_reply *reply = &call->reply;

	reply->result = result_of(http->result);
	reply->cancelled = http->result == HTTP_CANCELLED;
	reply->not_after_ms = http->not_after_ms;
	if (http->result == HTTP_ANSWERED || http->result == HTTP_TOO_LARGE)
		reply->http_status = http->status;
	reply->retry_after_ms = http->retry_after_ms;
	if (http->result == HTTP_ANSWERED)
		reply->body = body_value(http);
	if (http->error[0]) {
		text_clean_utf8(http->error);
		reply->error = http->error;
	}
	failpoint(FP_REPLY_BEFORE);
	call->replied(call->ctx, reply);
	failpoint(FP_REPLY_POSTED);
}

/* Fills call->headers; text has room for our own, whose lengths were counted before. */
static void fill_headers(struct participant_call *call, size_t n, char *text, size_t size)
{
	const struct request *request = call->request;
	int used;

	for (size_t i = 0; i < n; i++)
		call->headers[i] = request->headers[i];
	used = snprintf(text, size, "Idempotency-Key: %s", request->key);
	call->headers[n++] = text;
	if (request->body) {
		call->headers[n++] = text + used + 1;
		snprintf(text + used + 1, size - (size_t)used - 1, "Content-Type: %s",
				 request->content_type ? request->content_type : "application/json");
	}
	call->headers[n] = NULL;
}

static struct participant_call *make(const char *saga_id, const struct command *command)
{
	const struct request *request = command->request;
	const char *type = request->content_type ? request->content_type : "application/json";
	size_t text_size = sizeof("Idempotency-Key: ") + strlen(request->key) +
					   sizeof("Content-Type: ") + strlen(type);
	struct participant_call *call;
	size_t n = 0;

	while (request->headers && request->headers[n])
		n++;
	call = xcalloc(1, sizeof(*call) + (n + OWN_HEADERS) * sizeof(call->headers[0]) + text_size);
	call->request = request_ref(command->request);
	fill_headers(call, n, (char *)&call->headers[n + OWN_HEADERS], text_size);
	call_reply_name(&call->reply, saga_id, command);
	call->reply.release = release;
	return call;
}

static int resolve(struct participant_call *call, const char *text, bool query, const char **ret,
				   struct err *err)
{
	static const struct secrets none = {0};
	struct buf *out = &call->resolved[call->n_resolved++];
	int r;

	buf_init(out, 256 * 1024);
	r = secrets_resolve(call->secrets ? call->secrets : &none, call->request->secrets, text, query,
						out, err);
	if (r == 0)
		r = buf_check(out, "a header or the query with its secrets", err);
	if (r == 0)
		*ret = buf_str(out);
	return r;
}

/* Only behind the path itself is the query. */
static int resolve_path(struct participant_call *call, const char **path, struct err *err)
{
	const char *query = strchr(*path, '?'), *resolved;
	size_t len = query ? (size_t)(query - *path) : 0;
	struct buf *whole = &call->resolved[call->n_resolved++];
	int r;

	buf_init(whole, 256 * 1024);
	if (!query)
		return 0;
	r = resolve(call, query, true, &resolved, err);
	if (r < 0)
		return r;
	buf_add(whole, *path, len);
	buf_add_str(whole, resolved);
	*path = buf_str(whole);
	return 0;
}

/* The secrets in place of what stands for them. */
static int resolve_secrets(struct participant_call *call, struct err *err)
{
	const struct request *request = call->request;
	size_t n = 0;
	int r = 0;

	if (!request->secrets)
		return 0;
	while (request->headers && request->headers[n])
		n++;
	call->resolved = xcalloc(n + 2, sizeof(*call->resolved));
	for (size_t i = 0; i < n && r == 0; i++)
		r = resolve(call, request->headers[i], false, &call->headers[i], err);
	if (r == 0)
		r = resolve_path(call, &call->http.path, err);
	return r;
}

void participant_call_send(struct http_client *client, const char *saga_id,
						   const struct command *command, const struct secrets *secrets,
						   const int64_t *not_after_ms,
						   void (*replied)(void *ctx, struct call_reply *reply), void *ctx)
{
	struct participant_call *call = make(saga_id, command);
	const struct request *request = call->request;
	struct err err;

	call->replied = replied;
	call->secrets = secrets;
	call->ctx = ctx;
	call->http = (struct http_request){
		.participant = request->to,
		.method = request->method,
		.path = request->path,
		.headers = call->headers,
		.body = request->body,
		.body_len = request->body_len,
		.timeout_ms = command->timeout_ms,
		.not_after_ms = not_after_ms,
		.done = done,
		.ctx = call,
		.retry_after_ms = -1,
	};
	if (resolve_secrets(call, &err) == 0) {
		http_client_send(client, &call->http);
		return;
	}
	/* Nothing was sent, and the next attempt may find another configuration. */
	call->http.result = HTTP_NOT_CONNECTED;
	snprintf(call->http.error, sizeof(call->http.error), "%.150s", err.text);
	done(&call->http);
}
