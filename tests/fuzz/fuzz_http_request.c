/*
 * What the API makes of a request before it asks anybody: target, route, arguments, filters,
 * headers, body. libmicrohttpd is not part of it: this file stands in for server.c.
 *
 *   GET /v1/sagas?q=status:running
 *   Idempotency-Key: "k"
 *
 *   {"saga":"order"}
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "coordinator/api_body.h"
#include "coordinator/api_query.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 8 };

static struct {
	const char *name, *value;
} headers[HEADERS_MAX];
static size_t n_headers;

const char *exchange_header(struct exchange *ex, const char *name)
{
	(void)ex;
	for (size_t i = 0; i < n_headers; i++) {
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	}
	return NULL;
}

void exchange_suspend(struct exchange *ex)
{
	(void)ex;
	CHECK(!"nothing here may wait");
}

void exchange_resume(struct exchange *ex)
{
	(void)ex;
	CHECK(!"nothing here may wait");
}

bool exchange_is_gone(struct exchange *ex)
{
	(void)ex;
	CHECK(!"nothing here may wait");
	return true;
}

/* Cuts a line off; NULL at the empty line before the body, or at the end. */
static char *take_line(char **text)
{
	char *line = *text, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	*text = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return *line ? line : NULL;
}

static void check_problem(struct exchange *ex)
{
	CLEANUP(json_decref_p) json_t *problem = NULL;
	struct err err;

	if (!ex->status)
		return;
	CHECK(ex->status >= 400 && ex->status < 600);
	CHECK(json_parse(buf_str(&ex->out), ex->out.len, &problem, &err) == 0);
	CHECK(json_integer_value(json_object_get(problem, "status")) == ex->status);
	CHECK(json_is_string(json_object_get(problem, "code")));
	/* As if the exchange were new. */
	ex->status = 0;
	ex->n_headers = 0;
	buf_clear(&ex->out);
}

/* What was read is written so that it reads as the same. */
static void check_query(const struct saga_query *query)
{
	struct saga_query again;
	struct buf text, twice;
	struct err err;

	CHECK(query->filter.status_mask < 1u << SAGA_STATUS_COUNT);
	buf_init(&text, 0);
	buf_init(&twice, 0);
	saga_query_write(query, &text);
	saga_query_init(&again, "default");
	if (text.len <= QUERY_MAX_BYTES) { /* quotes may have made it longer */
		CHECK(saga_query_parse(&again, buf_str(&text), &err) == 0);
		saga_query_write(&again, &twice);
		CHECK(strcmp(buf_str(&text), buf_str(&twice)) == 0);
	}
	saga_query_release(&again);
	buf_release(&text);
	buf_release(&twice);
}

static void read_target(struct exchange *ex, const char *method)
{
	static const char *const known[] = {"q", "limit", "cursor"};
	struct saga_query query;
	char cursor[CURSOR_SIZE];
	int64_t limit = 50;
	const char *text;
	struct err err;
	bool dry;
	char *path;

	exchange_parse_target(ex, &path);
	if (!ex->status) {
		ex->route = route_find(ex, method, path);
		CHECK(ex->route || ex->status == 404 || ex->status == 405 || ex->status == 400);
	}
	check_problem(ex);
	saga_query_init(&query, "default");
	text = exchange_arg(ex, "q");
	if (text && saga_query_parse(&query, text, &err) == 0)
		check_query(&query);
	text = exchange_arg(ex, "cursor");
	if (text && cursor_read(text, query.filter.after_id, &err) == 0) {
		cursor_make(query.filter.after_id, cursor);
		CHECK(strcmp(cursor, text) == 0);
	}
	saga_query_release(&query);
	if (exchange_arg_int(ex, "limit", 1, 500, &limit))
		CHECK(limit >= 1 && limit <= 500);
	check_problem(ex);
	if (!exchange_arg_bool(ex, "dry_run", &dry) || !exchange_args_done(ex, known, 3))
		check_problem(ex);
}

static void read_headers(struct exchange *ex)
{
	CLEANUP(free_p) char *key = NULL;
	int64_t seq, wait_ms = prefer_wait_ms(ex);
	struct err err;

	CHECK(wait_ms >= 0 && wait_ms <= 60000);
	if (idempotency_key(ex, &key) && key)
		CHECK(key_check(key, &err) == 0);
	check_problem(ex);
	if (if_match(ex, &seq))
		CHECK(seq == -1 || seq > 0);
	check_problem(ex);
}

static void read_body(struct exchange *ex)
{
	static const struct body_member members[] = {
		{"saga", BODY_STRING, true, 128},
		{"version", BODY_NUMBER, false, 0},
		{"input", BODY_ANY, false, 0},
		{"key", BODY_STRING, false, 255},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;

	if (body_read(ex, members, ARRAY_SIZE(members), ex->body.len % 2, &body))
		CHECK(json_is_object(body) && (ex->body.len == 0 || json_object_get(body, "saga")));
	check_problem(ex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) char *copy = xstrndup((const char *)data, size);
	char *rest = copy, *line = take_line(&rest), *target;
	struct exchange *ex;

	target = line ? strchr(line, ' ') : NULL;
	if (!target)
		return 0;
	*target++ = '\0';
	ex = xcalloc(1, sizeof(*ex));
	ex->target = xstrdup(target);
	buf_init(&ex->body, 0);
	buf_init(&ex->out, 0);
	for (n_headers = 0; n_headers < HEADERS_MAX && (line = take_line(&rest));) {
		char *value = strchr(line, ':');

		if (!value)
			continue;
		*value++ = '\0';
		headers[n_headers].name = line;
		headers[n_headers++].value = value + strspn(value, " ");
	}
	if (rest)
		buf_add(&ex->body, rest, strlen(rest));
	read_target(ex, copy);
	read_headers(ex);
	read_body(ex);
	exchange_free(ex);
	return 0;
}
