/*
 * Requests that a person edits before they are tried again. The parts that are given replace those
 * that there were; all else stays, also the correlation of a command, whose answer is to the action
 * whatever was asked. The key gets a number, since a participant that honours keys refuses another
 * payload under one that it knows.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/id.h"
#include "sagas/json_text.h"

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static struct request *copy_of(const struct request *from)
{
	struct request *request = request_new();
	size_t n = 0;

	request->kind = from->kind;
	request->to = copy_or_null(from->to);
	request->method = copy_or_null(from->method);
	request->path = copy_or_null(from->path);
	request->type = copy_or_null(from->type);
	request->record_key = copy_or_null(from->record_key);
	request->correlation = copy_or_null(from->correlation);
	request->content_type = copy_or_null(from->content_type);
	request->queue = copy_or_null(from->queue);
	request->route = copy_or_null(from->route);
	request->version = from->version;
	request->depth = from->depth;
	request->hold = from->hold;
	if (from->body) {
		request->body = xstrndup(from->body, from->body_len);
		request->body_len = from->body_len;
	}
	while (from->headers && from->headers[n])
		n++;
	if (n > 0)
		request->headers = xcalloc(n + 1, sizeof(*request->headers));
	while (n-- > 0)
		request->headers[n] = xstrdup(from->headers[n]);
	for (n = 0; from->secrets && from->secrets[n];)
		n++;
	if (n > 0)
		request->secrets = xcalloc(n + 1, sizeof(*request->secrets));
	while (n-- > 0)
		request->secrets[n] = xstrdup(from->secrets[n]);
	return request;
}

static int refuse(struct err *err, const char *what)
{
	return err_set_at(err, ERR_INVALID, "/request", "%s", what);
}

static int edit_path(struct request *request, const char *path, struct err *err)
{
	const char *c;

	if (request->kind != REQUEST_HTTP)
		return refuse(err, request->kind == REQUEST_TASK ? "a task has no path"
														 : "a command has no path");
	if (*path != '/')
		return refuse(err, "a path begins with /");
	for (c = path; *c; c++)
		if (*c <= ' ' || *c > '~')
			return refuse(err, "a path is encoded: no spaces, and nothing beyond ASCII");
	free(request->path);
	request->path = xstrdup(path);
	return 0;
}

static int edit_headers(struct request *request, const json_t *headers, struct err *err)
{
	char **lines = xcalloc(json_object_size(headers) + 1, sizeof(*lines));
	char **old = request->headers;
	const char *name;
	json_t *value;
	size_t i, n = 0;

	json_object_foreach ((json_t *)headers, name, value)
		lines[n++] = xasprintf("%s: %s", name, json_string_value(value));
	request->headers = lines;
	for (i = 0; old && old[i]; i++)
		free(old[i]);
	free(old);
	return n <= RECORD_MAX_HEADERS ? 0 : refuse(err, "so many headers are not allowed");
}

static int edit_body(struct request *request, const json_t *body, struct err *err)
{
	CLEANUP(buf_release) struct buf text;
	bool as_it_is = json_is_string(body) && request->kind == REQUEST_HTTP &&
					request->content_type && strcmp(request->content_type, "application/json") != 0;
	int r;

	buf_init(&text, 2 * 1024 * 1024);
	if (as_it_is)
		buf_add(&text, json_string_value(body), json_string_length(body));
	else
		json_write(body, &text);
	r = buf_check(&text, "the body", err);
	if (r < 0)
		return r;
	free(request->body);
	request->body = buf_take(&text, &request->body_len);
	if (!as_it_is) {
		free(request->content_type);
		request->content_type = xstrdup("application/json");
	}
	return 0;
}

int decide__edit_request(const struct request *from, const json_t *edit, int n,
						 struct request **ret_request, struct err *err)
{
	CLEANUP(request_unref_p) struct request *request = copy_of(from);
	const char *path = json_string_value(json_object_get(edit, "path"));
	const char *record_key = json_string_value(json_object_get(edit, "record_key"));
	const json_t *headers = json_object_get(edit, "headers");
	const json_t *body = json_object_get(edit, "body");
	/* An earlier edit is replaced, and so is its number. */
	const char *tilde = n > 2 ? strrchr(from->key, '~') : NULL;
	int r = 0;

	request->key = xasprintf(
		"%.*s~%d", (int)(tilde ? tilde - from->key : (ptrdiff_t)strlen(from->key)), from->key, n);
	r = key_check(request->key, err);
	if (r == 0 && path)
		r = edit_path(request, path, err);
	if (r == 0 && headers && request->kind == REQUEST_TASK)
		r = refuse(err, "a task has no headers");
	if (r == 0 && headers)
		r = edit_headers(request, headers, err);
	if (r == 0 && body)
		r = edit_body(request, body, err);
	if (r == 0 && record_key && request->kind != REQUEST_COMMAND)
		r = refuse(err, "only a command has a record_key");
	if (r < 0)
		return r;
	if (record_key) {
		free(request->record_key);
		request->record_key = xstrdup(record_key);
	}
	*ret_request = TAKE(request);
	return 0;
}
