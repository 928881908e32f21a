#include "sagas/request.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

static const char *const KIND_TEXTS[] = {
	[REQUEST_HTTP] = NULL, /* not said, as in the histories from before there were others */
	[REQUEST_COMMAND] = "command", [REQUEST_EMIT] = "emit",
	[REQUEST_TASK] = "task",       [REQUEST_CHILD] = "child",
};

void request_placeholder(const char *name, bool query, char ret[REQUEST_PLACEHOLDER_SIZE])
{
	if (query)
		snprintf(ret, REQUEST_PLACEHOLDER_SIZE, "%s%s%%7D", REQUEST_PLACEHOLDER_QUERY, name);
	else
		snprintf(ret, REQUEST_PLACEHOLDER_SIZE, "%s%s}", REQUEST_PLACEHOLDER, name);
}

struct request *request_new(void)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->refs = 1;
	return request;
}

struct request *request_ref(struct request *request)
{
	if (request)
		__atomic_add_fetch(&request->refs, 1, __ATOMIC_RELAXED);
	return request;
}

void request_unref(struct request *request)
{
	char **header;

	if (!request || __atomic_sub_fetch(&request->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (header = request->headers; header && *header; header++)
		free(*header);
	free(request->headers);
	for (char **name = request->secrets; name && *name; name++)
		free(*name);
	free(request->secrets);
	free(request->to);
	free(request->key);
	free(request->body);
	free(request->content_type);
	free(request->method);
	free(request->path);
	free(request->type);
	free(request->record_key);
	free(request->correlation);
	free(request->cluster);
	free(request->topic);
	free(request->queue);
	free(request->route);
	free(request);
}

/* Text members other than the body, in the order in which they are written. */
#define REQUEST_STRINGS(X)                                                                         \
	X("to", to)                                                                                    \
	X("cluster", cluster)                                                                          \
	X("topic", topic)                                                                              \
	X("queue", queue)                                                                              \
	X("route", route)                                                                              \
	X("method", method)                                                                            \
	X("path", path)                                                                                \
	X("type", type)                                                                                \
	X("record_key", record_key)                                                                    \
	X("key", key)                                                                                  \
	X("correlation", correlation)

static void write_field(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_str(out, out->len > 0 && out->data[out->len - 1] == '{' ? "\"" : ",\"");
	buf_add_str(out, name);
	buf_add_lit(out, "\":");
	json_write_string(value, strlen(value), out);
}

static void write_list(struct buf *out, const char *name, char *const *list)
{
	if (!list)
		return;
	buf_printf(out, ",\"%s\":[", name);
	for (char *const *text = list; *text; text++) {
		if (text != list)
			buf_add_char(out, ',');
		json_write_string(*text, strlen(*text), out);
	}
	buf_add_char(out, ']');
}

static bool body_is_json(const struct request *request)
{
	return request->content_type && strcmp(request->content_type, "application/json") == 0;
}

void request_write(const struct request *request, struct buf *out)
{
	buf_add_char(out, '{');
	write_field(out, "kind", KIND_TEXTS[request->kind]);
#define X(name, member) write_field(out, name, request->member);
	REQUEST_STRINGS(X)
#undef X
	if (request->kind == REQUEST_CHILD)
		buf_printf(out, ",\"version\":%lld,\"depth\":%lld,\"hold\":%s", (long long)request->version,
				   (long long)request->depth, request->hold ? "true" : "false");
	write_list(out, "headers", request->headers);
	write_list(out, "secrets", request->secrets);
	if (request->body && body_is_json(request)) {
		buf_add_lit(out, ",\"body\":");
		buf_add(out, request->body, request->body_len);
	} else if (request->body) {
		write_field(out, "content_type", request->content_type);
		buf_add_lit(out, ",\"body_text\":");
		json_write_string(request->body, request->body_len, out);
	}
	buf_add_char(out, '}');
}

/* A list of texts; *ret stays NULL where there is none. */
static int read_list(const json_t *json, const char *name, char ***ret, struct err *err)
{
	const json_t *list = json_object_get(json, name), *text;
	size_t i;

	if (!json_is_array(list))
		return list ? err_set(err, ERR_INVALID, "`%s` of a request must be a list", name) : 0;
	*ret = xcalloc(json_array_size(list) + 1, sizeof(**ret));
	json_array_foreach (list, i, text) {
		if (!json_is_string(text))
			return err_set(err, ERR_INVALID, "a text in `%s` of a request must be a string", name);
		(*ret)[i] = xstrdup(json_string_value(text));
	}
	return 0;
}

static int read_body(const json_t *json, struct request *request, struct err *err)
{
	const json_t *body = json_object_get(json, "body");
	const json_t *text = json_object_get(json, "body_text");
	const char *content_type = json_string_value(json_object_get(json, "content_type"));
	struct buf out;
	int r;

	if (body) {
		buf_init(&out, 0);
		json_write(body, &out);
		r = buf_check(&out, "the body of a request", err);
		if (r < 0) {
			buf_release(&out);
			return r;
		}
		request->body = buf_take(&out, &request->body_len);
		request->content_type = xstrdup("application/json");
	} else if (json_is_string(text)) {
		request->body_len = json_string_length(text);
		request->body = xstrndup(json_string_value(text), request->body_len);
		if (content_type)
			request->content_type = xstrdup(content_type);
	}
	return 0;
}

static int read_kind(const json_t *json, enum request_kind *ret_kind, struct err *err)
{
	const char *text = json_string_value(json_object_get(json, "kind"));
	size_t i;

	*ret_kind = REQUEST_HTTP;
	for (i = 0; text && i < ARRAY_SIZE(KIND_TEXTS); i++) {
		if (KIND_TEXTS[i] && strcmp(text, KIND_TEXTS[i]) == 0) {
			*ret_kind = (enum request_kind)i;
			return 0;
		}
	}
	return text ? err_set(err, ERR_INVALID, "unknown kind of request `%.64s`", text) : 0;
}

static int check_members(const struct request *request, struct err *err)
{
	switch (request->kind) {
	case REQUEST_HTTP:
		if (!request->to || !request->method || !request->path || !request->key)
			return err_set(err, ERR_INVALID, "a request needs `to`, `method`, `path` and `key`");
		break;
	case REQUEST_COMMAND:
		if (!request->to || !request->type || !request->record_key || !request->key ||
			!request->correlation)
			return err_set(err, ERR_INVALID,
						   "a command needs `to`, `type`, `record_key`, `key` "
						   "and `correlation`");
		break;
	case REQUEST_EMIT:
		if (!request->cluster || !request->topic || !request->type || !request->record_key)
			return err_set(err, ERR_INVALID,
						   "a record to emit needs `cluster`, `topic`, `type` "
						   "and `record_key`");
		break;
	case REQUEST_TASK:
		if (!request->queue || !request->key)
			return err_set(err, ERR_INVALID, "a task needs `queue` and `key`");
		break;
	case REQUEST_CHILD:
		if (!request->to || !request->key || !request->correlation)
			return err_set(err, ERR_INVALID, "a child needs `to`, `key` and `correlation`");
		break;
	}
	return 0;
}

int request_from_json(const json_t *json, struct request **ret_request, struct err *err)
{
	CLEANUP(request_unref_p) struct request *request = request_new();
	const char *text;
	int r;

	r = read_kind(json, &request->kind, err);
	if (r < 0)
		return r;
#define X(name, member)                                                                            \
	text = json_string_value(json_object_get(json, name));                                         \
	request->member = text ? xstrdup(text) : NULL;
	REQUEST_STRINGS(X)
#undef X
	request->version = json_integer_value(json_object_get(json, "version"));
	request->depth = json_integer_value(json_object_get(json, "depth"));
	request->hold = json_is_true(json_object_get(json, "hold"));
	r = check_members(request, err);
	if (r == 0)
		r = read_list(json, "headers", &request->headers, err);
	if (r == 0)
		r = read_list(json, "secrets", &request->secrets, err);
	if (r == 0)
		r = read_body(json, request, err);
	if (r < 0)
		return r;
	*ret_request = TAKE(request);
	return 0;
}
