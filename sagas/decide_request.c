/*
 * Requests: how what is sent for an action is made from the definition. That happens once; what
 * comes of it is stored, and every attempt sends those bytes.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/correlation.h"
#include "sagas/json_text.h"

/*
 * Where secrets are placeholders, nothing else may look like one: with the secrets left empty, none
 * may be there.
 */
static int check_placeholders(const struct http_action *http, const struct tmpl *tmpl,
							  struct env *env, enum tmpl_text_use use, struct err *err)
{
	const char *mark = use == TMPL_TEXT_QUERY ? REQUEST_PLACEHOLDER_QUERY : REQUEST_PLACEHOLDER;
	CLEANUP(buf_release) struct buf text;
	bool present;
	int r;

	buf_init(&text, 64 * 1024);
	if (!http->secrets)
		return 0;
	json_decref(env->made[EXPR_SECRET]);
	env->made[EXPR_SECRET] = NULL;
	env->blank_secrets = true;
	r = tmpl_write_text(tmpl, &env->expr, use, &text, &present, err);
	json_decref(env->made[EXPR_SECRET]);
	env->made[EXPR_SECRET] = NULL;
	env->blank_secrets = false;
	if (r == 0 && present && strstr(buf_str(&text), mark))
		r = err_set(err, ERR_INVALID, "its text looks like the placeholder of a secret");
	return r;
}

static int write_query(const struct http_action *http, struct env *env, struct buf *path,
					   struct err *err)
{
	CLEANUP(buf_release) struct buf value;
	char separator = strchr(buf_str(path), '?') ? '&' : '?';
	bool present;
	size_t i;
	int r;

	buf_init(&value, 64 * 1024);
	for (i = 0; i < http->n_query; i++) {
		buf_clear(&value);
		r = tmpl_write_text(http->query[i].value, &env->expr, TMPL_TEXT_QUERY, &value, &present,
							err);
		if (r == 0)
			r = check_placeholders(http, http->query[i].value, env, TMPL_TEXT_QUERY, err);
		if (r < 0) {
			err_prefix(err, "query `%s`", http->query[i].name);
			return r;
		}
		if (!present)
			continue;
		buf_add_char(path, separator);
		buf_add_str(path, http->query[i].name);
		buf_add_char(path, '=');
		buf_add(path, value.data, value.len);
		separator = '&';
	}
	return 0;
}

static int make_path(const struct http_action *http, struct env *env, struct request *request,
					 struct err *err)
{
	CLEANUP(buf_release) struct buf path;
	bool present = false;
	int r;

	buf_init(&path, 64 * 1024);
	r = tmpl_write_text(http->path, &env->expr, TMPL_TEXT_PATH, &path, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	if (r < 0) {
		err_prefix(err, "path");
		return r;
	}
	r = write_query(http, env, &path, err);
	if (r < 0)
		return r;
	r = buf_check(&path, "the path of a request", err);
	if (r == 0)
		request->path = buf_take(&path, NULL);
	return r;
}

static int make_headers(const struct http_action *http, struct env *env, struct request *request,
						struct err *err)
{
	CLEANUP(buf_release) struct buf line = {0};
	bool present;
	size_t i, n = 0;
	int r;

	if (http->n_headers == 0)
		return 0;
	request->headers = xcalloc(http->n_headers + 1, sizeof(*request->headers));
	buf_init(&line, 16 * 1024);
	for (i = 0; i < http->n_headers; i++) {
		buf_clear(&line);
		buf_printf(&line, "%s: ", http->headers[i].name);
		r = tmpl_write_text(http->headers[i].value, &env->expr, TMPL_TEXT_PLAIN, &line, &present,
							err);
		if (r == 0)
			r = check_placeholders(http, http->headers[i].value, env, TMPL_TEXT_PLAIN, err);
		if (r == 0)
			r = buf_check(&line, "a header", err);
		if (r == 0 && present && strpbrk(line.data, "\r\n"))
			r = err_set(err, ERR_INVALID, "a line break is not allowed there");
		if (r < 0) {
			err_prefix(err, "header `%s`", http->headers[i].name);
			return r;
		}
		if (present)
			request->headers[n++] = buf_take(&line, NULL);
	}
	return 0;
}

static void percent_encode(const char *s, size_t len, struct buf *out)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* application/x-www-form-urlencoded from an object of plain values. */
static int make_form(const json_t *body, struct buf *out, struct err *err)
{
	CLEANUP(buf_release) struct buf text = {0};
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		return err_set(err, ERR_INVALID, "a form must be an object of plain values");
	buf_init(&text, 0);
	json_object_foreach ((json_t *)body, name, value) {
		if (json_is_object(value) || json_is_array(value))
			return err_set(err, ERR_INVALID, "`%s` of a form must be a plain value", name);
		if (out->len > 0)
			buf_add_char(out, '&');
		percent_encode(name, strlen(name), out);
		buf_add_char(out, '=');
		if (json_is_string(value)) {
			percent_encode(json_string_value(value), json_string_length(value), out);
		} else if (!json_is_null(value)) {
			buf_clear(&text);
			json_write(value, &text);
			percent_encode(buf_str(&text), text.len, out);
		}
	}
	return 0;
}

static int make_body(const struct http_action *http, struct env *env, struct request *request,
					 struct err *err)
{
	CLEANUP(json_decref_p) json_t *form = NULL;
	CLEANUP(buf_release) struct buf body = {0};
	bool present = false;
	int r;

	if (!http->body)
		return 0;
	buf_init(&body, 2 * 1024 * 1024);
	if (http->form) {
		r = tmpl_eval(http->body, &env->expr, &form, err);
		present = form != NULL;
		if (r == 0 && present)
			r = make_form(form, &body, err);
	} else {
		r = tmpl_write(http->body, &env->expr, &body, &present, err);
	}
	if (r == 0)
		r = buf_check(&body, "the body of a request", err);
	if (r < 0) {
		err_prefix(err, "body");
		return r;
	}
	if (!present)
		return 0;
	request->body = buf_take(&body, &request->body_len);
	request->content_type = xstrdup(http->content_type ? http->content_type
									: http->form       ? "application/x-www-form-urlencoded"
													   : "application/json");
	return 0;
}

static const char *what_text(enum call_kind kind)
{
	switch (kind) {
	case CALL_DO:
		return "do";
	case CALL_UNDO:
		return "undo";
	case CALL_PROBE_DO:
	case CALL_PROBE_UNDO:
		return "probe";
	}
	return "?";
}

static int make_key(const struct action_def *act, struct env *env, enum call_kind kind,
					struct request *request, struct err *err)
{
	CLEANUP(buf_release) struct buf text = {0};
	char key[STEP_KEY_SIZE];
	bool present = false;
	int r;

	if (!act->idempotency_key) {
		step_key(env->state, env->step, env->item, what_text(kind), key);
		request->key = xstrdup(key);
		return 0;
	}
	buf_init(&text, KEY_MAX_BYTES);
	r = tmpl_write_text(act->idempotency_key, &env->expr, TMPL_TEXT_PLAIN, &text, &present, err);
	if (r == 0)
		r = buf_check(&text, "the key", err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	/* A key of one's own says nothing of the run, which a participant must tell from the first. */
	if (r == 0 && saga_state_run(env->state, env->step) > 1)
		buf_printf(&text, "~run%d", saga_state_run(env->state, env->step));
	if (r == 0)
		r = key_check(buf_str(&text), err);
	if (r < 0) {
		err_prefix(err, "idempotency_key");
		return r;
	}
	request->key = buf_take(&text, NULL);
	return 0;
}

static void copy_secrets(const struct http_action *http, struct request *request)
{
	size_t n = 0;

	while (http->secrets && http->secrets[n])
		n++;
	if (n > 0)
		request->secrets = xcalloc(n + 1, sizeof(*request->secrets));
	while (n-- > 0)
		request->secrets[n] = xstrdup(http->secrets[n]);
}

static int make_http(const struct http_action *http, struct env *env, struct request *request,
					 struct err *err)
{
	int r;

	request->kind = REQUEST_HTTP;
	request->to = xstrdup(http->to);
	request->method = xstrdup(http->method);
	copy_secrets(http, request);
	env->secrets = http->secrets;
	r = make_path(http, env, request, err);
	if (r == 0)
		r = make_headers(http, env, request, err);
	if (r == 0)
		r = make_body(http, env, request, err);
	env->secrets = NULL;
	return r;
}

/* One header of a record: its value is a plain one, and null leaves it out. */
static int make_record_header(const char *name, const json_t *value, struct request *request,
							  size_t *n, struct err *err)
{
	CLEANUP(buf_release) struct buf line;
	const char *text = json_string_value(value);
	int r;

	buf_init(&line, RECORD_HEADER_MAX_BYTES);
	if (json_is_null(value))
		return 0;
	if (!*name || strpbrk(name, ": \r\n"))
		return err_set(err, ERR_INVALID, "a header cannot be called `%.64s`", name);
	if (json_is_object(value) || json_is_array(value))
		return err_set(err, ERR_INVALID, "header `%.64s` must be a plain value", name);
	buf_printf(&line, "%s: ", name);
	if (text)
		buf_add(&line, text, json_string_length(value));
	else
		json_write(value, &line);
	r = buf_check(&line, "a header", err);
	if (r == 0 && (memchr(line.data, '\0', line.len) || strpbrk(line.data, "\r\n")))
		r = err_set(err, ERR_INVALID, "header `%.64s` may not hold a line break", name);
	if (r == 0)
		request->headers[(*n)++] = buf_take(&line, NULL);
	return r;
}

static int make_record_headers(const struct tmpl *headers, struct env *env, struct request *request,
							   struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	const char *name;
	json_t *one;
	size_t n = 0;
	int r;

	if (!headers)
		return 0;
	r = tmpl_eval(headers, &env->expr, &value, err);
	if (r == 0 && value && !json_is_null(value) && !json_is_object(value))
		r = err_set(err, ERR_INVALID, "it must give an object of names and plain values");
	if (r == 0 && json_object_size(value) > RECORD_MAX_HEADERS)
		r = err_set(err, ERR_LIMIT, "%zu headers; at most %d are allowed", json_object_size(value),
					RECORD_MAX_HEADERS);
	if (r == 0 && json_object_size(value) > 0)
		request->headers = xcalloc(json_object_size(value) + 1, sizeof(*request->headers));
	json_object_foreach (value, name, one) {
		if (r == 0)
			r = make_record_header(name, one, request, &n, err);
	}
	if (r < 0)
		err_prefix(err, "headers");
	return r;
}

/* The key decides the partition, and so what stays in order: by default all of a saga does. */
static int make_record_key(const struct tmpl *key, struct env *env, struct request *request,
						   struct err *err)
{
	CLEANUP(buf_release) struct buf text;
	bool present = false;
	int r = 0;

	buf_init(&text, RECORD_KEY_MAX_BYTES);
	if (key)
		r = tmpl_write_text(key, &env->expr, TMPL_TEXT_PLAIN, &text, &present, err);
	if (r == 0)
		r = buf_check(&text, "the key of a record", err);
	if (r == 0 && text.len > 0 && memchr(text.data, '\0', text.len))
		r = err_set(err, ERR_INVALID, "it may not hold a NUL");
	if (r < 0) {
		err_prefix(err, "key");
		return r;
	}
	request->record_key = present ? buf_take(&text, NULL) : xstrdup(env->state->id);
	return 0;
}

static int make_data(const struct tmpl *data, struct env *env, struct request *request,
					 struct err *err)
{
	CLEANUP(buf_release) struct buf body = {0};
	bool present = false;
	int r;

	if (!data)
		return 0;
	buf_init(&body, 2 * 1024 * 1024);
	r = tmpl_write(data, &env->expr, &body, &present, err);
	if (r == 0)
		r = buf_check(
			&body, request->kind == REQUEST_TASK ? "the input of a task" : "the data of a record",
			err);
	if (r < 0) {
		err_prefix(err, request->kind == REQUEST_TASK ? "with" : "data");
		return r;
	}
	if (!present)
		return 0;
	request->body = buf_take(&body, &request->body_len);
	request->content_type = xstrdup("application/json");
	return 0;
}

void decide__make_correlation(const struct env *env, enum call_kind kind, int64_t ask,
							  struct request *request)
{
	struct correlation correlation = {
		.item = env->item, .run = saga_state_run(env->state, env->step), .kind = kind, .ask = ask};
	struct buf text;

	snprintf(correlation.ns, sizeof(correlation.ns), "%s", env->state->ns);
	memcpy(correlation.saga_id, env->state->id, sizeof(correlation.saga_id));
	snprintf(correlation.step, sizeof(correlation.step), "%s",
			 env->state->def->steps[env->step].id);
	buf_init(&text, 0);
	/* An undo that was carried over is answered as what it was in its own run. */
	if (env->step == env->state->def->carried && env->item >= 0)
		(void)saga_state_carried_place(env->state, env->item, correlation.step,
									   sizeof(correlation.step), &correlation.item,
									   &correlation.run);
	correlation_write(&correlation, &text);
	request->correlation = buf_take(&text, NULL);
}

static int make_command(const struct command_action *command, struct env *env, enum call_kind kind,
						int64_t ask, struct request *request, struct err *err)
{
	int r;

	request->kind = REQUEST_COMMAND;
	request->to = xstrdup(command->to);
	request->type = xstrdup(command->type);
	decide__make_correlation(env, kind, ask, request);
	r = make_record_key(command->key, env, request, err);
	if (r == 0)
		r = make_record_headers(command->headers, env, request, err);
	if (r == 0)
		r = make_data(command->data, env, request, err);
	return r;
}

static int make_emit(const struct emit_action *emit, struct env *env, struct request *request,
					 struct err *err)
{
	int r;

	request->kind = REQUEST_EMIT;
	request->cluster = xstrdup(emit->cluster);
	request->topic = xstrdup(emit->topic);
	request->type = xstrdup(emit->type);
	r = make_record_key(emit->key, env, request, err);
	if (r == 0)
		r = make_record_headers(emit->headers, env, request, err);
	if (r == 0)
		r = make_data(emit->data, env, request, err);
	return r;
}

/* Which workers of a queue are meant. */
static int make_route(const struct task_action *task, struct env *env, struct request *request,
					  struct err *err)
{
	CLEANUP(buf_release) struct buf route = {0};
	bool present = false;
	int r;

	if (!task->route)
		return 0;
	buf_init(&route, TASK_WORKER_MAX_BYTES);
	r = tmpl_write_text(task->route, &env->expr, TMPL_TEXT_PLAIN, &route, &present, err);
	if (r == 0)
		r = buf_check(&route, "the route of a task", err);
	if (r == 0 && route.len > 0 && memchr(route.data, '\0', route.len))
		r = err_set(err, ERR_INVALID, "it may not hold a NUL");
	if (r < 0)
		err_prefix(err, "route");
	else if (present && route.len > 0)
		request->route = buf_take(&route, NULL);
	return r;
}

static int make_task(const struct action_def *act, struct env *env, struct request *request,
					 struct err *err)
{
	int r;

	request->kind = REQUEST_TASK;
	request->queue = xstrdup(act->task.queue);
	r = make_route(&act->task, env, request, err);
	if (r == 0)
		r = make_data(act->with, env, request, err);
	return r;
}

int decide__request(const struct action_def *act, struct env *env, enum call_kind kind, int64_t ask,
					struct request **ret_request, struct err *err)
{
	CLEANUP(request_unref_p) struct request *request = request_new();
	int r = 0;

	switch (act->kind) {
	case ACTION_HTTP:
		r = make_http(&act->http, env, request, err);
		break;
	case ACTION_COMMAND:
		r = make_command(&act->command, env, kind, ask, request, err);
		break;
	case ACTION_EMIT:
		r = make_emit(&act->emit, env, request, err);
		break;
	case ACTION_TASK:
		r = make_task(act, env, request, err);
		break;
	case ACTION_CHILD:
		r = decide__make_child(act, env, kind, request, err);
		break;
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_LOCK:
	case ACTION_CONTINUE:
	case ACTION_AWAIT:
	case ACTION_APPROVAL:
		CHECK(!"it sends something");
	}
	/* What is emitted is known by the id of its row, which a commit gives just once. */
	if (r == 0 && act->kind != ACTION_EMIT)
		r = make_key(act, env, kind, request, err);
	if (r < 0)
		return r;
	*ret_request = TAKE(request);
	return 0;
}
