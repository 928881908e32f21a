/*
 * Problem documents are put together as text: an answer of a few hundred bytes, made often when a
 * client is wrong in a loop.
 */
#include "coordinator/problem.h"

#include <stdio.h>

#include "sagas/json_text.h"

enum { ERRORS_MAX = 100 };

static const struct {
	int status;
	const char *code, *title;
} problems[] = {
#define X(name, code, status, title) [name] = {status, code, title},
	PROBLEMS(X)
#undef X
};

int problem_status(enum problem problem)
{
	CHECK((unsigned)problem < PROBLEM_COUNT);
	return problems[problem].status;
}

const char *problem_code(enum problem problem)
{
	CHECK((unsigned)problem < PROBLEM_COUNT);
	return problems[problem].code;
}

void problem_errors_release(struct problem_errors *errors)
{
	buf_release(&errors->json);
	errors->n = 0;
}

/* The length of the character at p, or 0 when its bytes are no UTF-8 (or it is cut off). */
static size_t character(const char *p)
{
	unsigned char lead = (unsigned char)*p;
	size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

void problem_write_text(const char *text, struct buf *out)
{
	buf_add_char(out, '"');
	while (*text) {
		size_t len = 0, n;

		while (text[len] && (n = character(text + len)) > 0)
			len += n;
		json_write_string_body(text, len, out);
		text += len;
		while (*text && character(text) == 0)
			text++;
	}
	buf_add_char(out, '"');
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_add_char(out, '"');
	buf_add_str(out, name);
	buf_add_lit(out, "\":");
	problem_write_text(text, out);
}

void problem_errors_add(struct problem_errors *errors, const char *pointer, int line,
						const char *fmt, ...)
{
	struct buf *out = &errors->json;
	char detail[PROBLEM_DETAIL_MAX_BYTES];
	va_list args;

	if (errors->n++ >= ERRORS_MAX)
		return;
	if (errors->n == 1)
		buf_init(out, 0);
	else
		buf_add_char(out, ',');
	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	buf_add_char(out, '{');
	add_member(out, "pointer", pointer);
	buf_add_char(out, ',');
	add_member(out, "detail", detail);
	if (line > 0)
		buf_printf(out, ",\"line\":%d", line);
	buf_add_char(out, '}');
}

void problem_write(enum problem problem, const char *detail, const struct problem_errors *errors,
				   const char *request_id, struct buf *out)
{
	CHECK((unsigned)problem < PROBLEM_COUNT);
	buf_printf(out, "{\"type\":\"urn:skald:problem:%s\",", problems[problem].code);
	add_member(out, "title", problems[problem].title);
	buf_printf(out, ",\"status\":%d,\"code\":\"%s\",", problems[problem].status,
			   problems[problem].code);
	add_member(out, "detail", detail);
	buf_add_char(out, ',');
	add_member(out, "request_id", request_id);
	if (errors && errors->n > 0) {
		buf_add_lit(out, ",\"errors\":[");
		buf_add(out, errors->json.data, errors->json.len);
		buf_add_char(out, ']');
	}
	buf_add_char(out, '}');
}
