/*
 * The parts of an exchange that know nothing of libmicrohttpd: the request's target and arguments,
 * the answer, and problems.
 */
#include "coordinator/exchange.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "sagas/base/suggest.h"

void exchange_free(struct exchange *ex)
{
	if (!ex)
		return;
	if (ex->call)
		engine_call_free(ex->call);
	if (ex->free_state)
		ex->free_state(ex->state);
	free(ex->forwarding);
	buf_release(&ex->body);
	buf_release(&ex->out);
	free(ex->target);
	free(ex);
}

void exchange_parse_target(struct exchange *ex, char **ret_path)
{
	char *path = ex->target, *query, *part;

	/* The absolute form is allowed too: "GET http://host/path". */
	if (strncmp(path, "http://", 7) == 0 || strncmp(path, "https://", 8) == 0) {
		path = strstr(path, "//") + 2;
		path += strcspn(path, "/?");
	}
	query = strchr(path, '?');
	*ret_path = path;
	if (!query)
		return;
	*query++ = '\0';
	while ((part = strsep(&query, "&"))) {
		char *value = strchr(part, '=');

		if (!*part)
			continue;
		if (ex->n_args == EXCHANGE_MAX_ARGS) {
			exchange_problem(ex, PROBLEM_INVALID_QUERY, "more than %d query parameters",
							 EXCHANGE_MAX_ARGS);
			return;
		}
		if (value)
			*value++ = '\0';
		if (percent_decode(part, true) < 0 || (value && percent_decode(value, true) < 0)) {
			exchange_problem(ex, PROBLEM_INVALID_QUERY,
							 "the query holds a broken %% escape, a control character or bytes "
							 "that are not UTF-8");
			return;
		}
		ex->args[ex->n_args++] = (struct query_arg){.name = part, .value = value ? value : ""};
	}
}

const char *exchange_arg(struct exchange *ex, const char *name)
{
	for (size_t i = 0; i < ex->n_args; i++) {
		if (strcmp(ex->args[i].name, name) == 0) {
			ex->args[i].used = true;
			return ex->args[i].value;
		}
	}
	return NULL;
}

bool exchange_args_done(struct exchange *ex, const char *const *known, size_t n)
{
	for (size_t i = 0; i < ex->n_args; i++) {
		const char *name = ex->args[i].name, *meant = suggest_from(name, known, n);
		bool twice = false;

		if (ex->args[i].used)
			continue;
		for (size_t k = 0; k < i; k++)
			twice = twice || strcmp(ex->args[k].name, name) == 0;
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s query parameter %.80s%s%s%s",
						 twice ? "repeated" : "unknown", name,
						 meant && !twice ? "; did you mean " : "", meant && !twice ? meant : "",
						 meant && !twice ? "?" : "");
		return false;
	}
	return true;
}

bool exchange_arg_int(struct exchange *ex, const char *name, int64_t min, int64_t max,
					  int64_t *value)
{
	const char *text = exchange_arg(ex, name);
	int64_t number = 0;

	if (!text)
		return true;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || number > max)
			goto wrong;
		number = number * 10 + (*p - '0');
	}
	if (!*text || number < min || number > max)
		goto wrong;
	*value = number;
	return true;
wrong:
	exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s must be a number from %lld to %lld", name,
					 (long long)min, (long long)max);
	return false;
}

bool exchange_arg_bool(struct exchange *ex, const char *name, bool *value)
{
	const char *text = exchange_arg(ex, name);

	if (!text)
		return true;
	*value = !*text || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	if (*value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return true;
	exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s must be true or false", name);
	return false;
}

void exchange_add_header(struct exchange *ex, const char *name, const char *fmt, ...)
{
	struct answer_header *header;
	va_list args;
	int len;

	CHECK(ex->n_headers < EXCHANGE_MAX_HEADERS);
	header = &ex->headers[ex->n_headers++];
	header->name = name;
	va_start(args, fmt);
	len = vsnprintf(header->value, sizeof(header->value), fmt, args);
	va_end(args);
	CHECK(len >= 0 && len < (int)sizeof(header->value));
}

void exchange_answer(struct exchange *ex, int status)
{
	CHECK(!ex->status && status);
	if (ex->out.failed) {
		exchange_problem(ex, PROBLEM_INTERNAL, "the answer is larger than a server may make it");
		return;
	}
	ex->status = status;
}

PRINTF_LIKE(4, 0)
static void problem_v(struct exchange *ex, enum problem problem,
					  const struct problem_errors *errors, const char *fmt, va_list args)
	PRINTF_LIKE(4, 0);
static void problem_v(struct exchange *ex, enum problem problem,
					  const struct problem_errors *errors, const char *fmt, va_list args)
{
	char detail[PROBLEM_DETAIL_MAX_BYTES];

	vsnprintf(detail, sizeof(detail), fmt, args);
	buf_release(&ex->out);
	ex->fixed = ex->cache_control = NULL;
	ex->fixed_len = 0;
	problem_write(problem, detail, errors, ex->request_id, &ex->out);
	ex->content_type = "application/problem+json";
	ex->status = problem_status(problem);
	if (ex->status == 429 || ex->status == 503)
		exchange_add_header(ex, "Retry-After", "1");
}

void exchange_problem(struct exchange *ex, enum problem problem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	problem_v(ex, problem, NULL, fmt, args);
	va_end(args);
}

void exchange_problem_errors(struct exchange *ex, enum problem problem,
							 const struct problem_errors *errors, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	problem_v(ex, problem, errors, fmt, args);
	va_end(args);
}

void exchange_problem_err(struct exchange *ex, const struct err *err)
{
	static const struct {
		enum err_code code;
		enum problem problem;
	} map[] = {
		{ERR_INVALID, PROBLEM_INVALID_REQUEST}, {ERR_NOT_FOUND, PROBLEM_NOT_FOUND},
		{ERR_CONFLICT, PROBLEM_CONFLICT},       {ERR_LIMIT, PROBLEM_OVERLOADED},
		{ERR_UNAVAILABLE, PROBLEM_UNAVAILABLE}, {ERR_TIMEOUT, PROBLEM_UNAVAILABLE},
		{ERR_IO, PROBLEM_UNAVAILABLE},          {ERR_UNKNOWN, PROBLEM_UNAVAILABLE},
		{ERR_FENCED, PROBLEM_UNAVAILABLE},      {ERR_NOT_BUILT, PROBLEM_NOT_BUILT},
		{ERR_NO_MEMORY, PROBLEM_OVERLOADED},
	};
	enum problem problem = PROBLEM_INTERNAL;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (map[i].code == err->code)
			problem = map[i].problem;
	}
	if (problem == PROBLEM_UNAVAILABLE && ex->node->draining)
		problem = PROBLEM_DRAINING;
	exchange_problem(ex, problem, "%s", err->text);
}

static void run_read(struct read_job *job, struct store_reader *reader)
{
	struct exchange *ex = CONTAINER_OF(job, struct exchange, job);

	ex->read(ex, reader);
	exchange_resume(ex);
}

void exchange_read(struct exchange *ex,
				   void (*read)(struct exchange *ex, struct store_reader *reader))
{
	ex->read = read;
	ex->job.run = run_read;
	exchange_suspend(ex);
	if (!read_pool_post(ex->server->pool, &ex->job)) {
		exchange_problem(ex, PROBLEM_OVERLOADED, "too many reads are waiting");
		exchange_resume(ex);
	}
}
