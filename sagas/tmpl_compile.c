/*
 * Templates are compiled into a tree whose constant parts are JSON text already, so writing a
 * request body is mostly copying.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/tmpl_priv.h"

struct compiler {
	void (*report)(void *ctx, const struct err *err);
	void *report_ctx;
	size_t n_errors;
};

static struct tmpl *compile(struct compiler *c, const json_t *value, const char *pointer);

static void report(struct compiler *c, const char *pointer, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void report(struct compiler *c, const char *pointer, const char *fmt, ...)
{
	struct err err;
	va_list args;

	c->n_errors++;
	if (!c->report)
		return;
	va_start(args, fmt);
	err_vset(&err, ERR_INVALID, fmt, args);
	va_end(args);
	snprintf(err.place, sizeof(err.place), "%s", pointer);
	c->report(c->report_ctx, &err);
}

/* "/body" and "a/b" give "/body/a~1b". */
static char *pointer_join(const char *pointer, const char *key)
{
	struct buf out;

	buf_init(&out, 0);
	buf_add_str(&out, pointer);
	buf_add_char(&out, '/');
	json_write_pointer_key(key, &out);
	return buf_take(&out, NULL);
}

static struct tmpl *tmpl_new(enum tmpl_kind kind, const char *pointer)
{
	struct tmpl *tmpl = xcalloc(1, sizeof(*tmpl));

	tmpl->kind = kind;
	tmpl->pointer = xstrdup(pointer);
	return tmpl;
}

static struct tmpl *constant(const json_t *value, const char *pointer)
{
	struct tmpl *tmpl = tmpl_new(T_CONSTANT, pointer);
	struct buf out;

	tmpl->value = json_incref((json_t *)value);
	buf_init(&out, 0);
	json_write(value, &out);
	tmpl->json = buf_take(&out, &tmpl->json_len);
	return tmpl;
}

static struct segment *add_segment(struct tmpl *tmpl)
{
	if ((tmpl->n & (tmpl->n - 1)) == 0)
		tmpl->segments =
			xrealloc_array(tmpl->segments, tmpl->n ? tmpl->n * 2 : 1, sizeof(*tmpl->segments));
	tmpl->segments[tmpl->n] = (struct segment){0};
	return &tmpl->segments[tmpl->n++];
}

static void add_literal(struct tmpl *tmpl, struct buf *literal)
{
	struct segment *segment;
	struct buf json;

	if (literal->len == 0)
		return;
	segment = add_segment(tmpl);
	buf_init(&json, 0);
	json_write_string_body(literal->data, literal->len, &json);
	segment->json = buf_take(&json, &segment->json_len);
	segment->raw = buf_take(literal, &segment->raw_len);
}

/* Compiles the expression after ${ at text[at]; returns the offset after its }, or 0. */
static size_t add_expr(struct compiler *c, struct tmpl *tmpl, const char *text, size_t len,
					   size_t at)
{
	ptrdiff_t end = expr__find_end(text + at, len - at);
	size_t column, inner = 0;
	struct expr *expr;
	struct err err = {0};

	if (end < 0) {
		report(c, tmpl->pointer,
			   "column %zu: this ${ has no closing } (a literal ${ is written $${)",
			   expr__column(text, at) - 2);
		return 0;
	}
	if (expr_parse(text + at, (size_t)end, &expr, &err) < 0) {
		column = expr__column(text, at); /* only now, for it counts from the start of the text */
		if (sscanf(err.place, "column %zu", &inner) == 1 && inner > 0)
			column += inner - 1;
		report(c, tmpl->pointer, "column %zu: %s", column, err.text);
		return 0;
	}
	add_segment(tmpl)->expr = expr;
	return at + (size_t)end + 1;
}

static struct tmpl *compile_string(struct compiler *c, const json_t *value, const char *pointer)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value), at = 0;
	struct tmpl *tmpl;
	struct buf literal;

	if (!memmem(text, len, "${", 2))
		return constant(value, pointer);
	tmpl = tmpl_new(T_TEXT, pointer);
	buf_init(&literal, 0);
	while (at < len) {
		const char *dollar = memchr(text + at, '$', len - at);
		size_t next = dollar ? (size_t)(dollar - text) : len;

		buf_add(&literal, text + at, next - at);
		at = next;
		if (len - at >= 3 && memcmp(text + at, "$${", 3) == 0) {
			buf_add_lit(&literal, "${");
			at += 3;
		} else if (len - at >= 2 && text[at + 1] == '{') {
			add_literal(tmpl, &literal);
			at = add_expr(c, tmpl, text, len, at + 2);
			if (at == 0)
				break;
		} else if (at < len) {
			buf_add_char(&literal, text[at++]);
		}
	}
	add_literal(tmpl, &literal);
	buf_release(&literal);
	return tmpl;
}

/* A text of one segment is simpler: an expression, or (from $${) a constant. */
static struct tmpl *simplify(struct tmpl *tmpl)
{
	struct segment *only = tmpl->segments;
	struct tmpl *literal;
	json_t *value;

	if (tmpl->kind != T_TEXT || tmpl->n != 1)
		return tmpl;
	if (only->expr) {
		tmpl->kind = T_EXPR;
		tmpl->expr = TAKE(only->expr);
		tmpl->n = 0;
		return tmpl;
	}
	value = json_stringn_nocheck(only->raw, only->raw_len);
	CHECK(value);
	literal = constant(value, tmpl->pointer);
	json_decref(value);
	tmpl_free(tmpl);
	return literal;
}

static struct tmpl *compile_list(struct compiler *c, const json_t *value, const char *pointer)
{
	struct tmpl *tmpl = tmpl_new(T_LIST, pointer);
	char index[24];

	tmpl->items = xcalloc(json_array_size(value) + 1, sizeof(struct tmpl *));
	for (; tmpl->n < json_array_size(value); tmpl->n++) {
		CLEANUP(free_p) char *place = NULL;

		snprintf(index, sizeof(index), "%zu", tmpl->n);
		place = pointer_join(pointer, index);
		tmpl->items[tmpl->n] = compile(c, json_array_get(value, tmpl->n), place);
	}
	return tmpl;
}

static struct tmpl *compile_map(struct compiler *c, const json_t *value, const char *pointer)
{
	size_t size = json_object_size(value) + 1;
	struct tmpl *tmpl = tmpl_new(T_MAP, pointer);
	const char *key;
	json_t *item;

	tmpl->items = xcalloc(size, sizeof(struct tmpl *));
	tmpl->keys = xcalloc(size, sizeof(struct slice));
	tmpl->names = xcalloc(size, sizeof(char *));
	json_object_foreach ((json_t *)value, key, item) {
		CLEANUP(free_p) char *place = pointer_join(pointer, key);
		size_t len;
		struct buf out;

		if (strstr(key, "${"))
			report(c, place, "a key cannot hold an expression; only values can");
		buf_init(&out, 0);
		json_write_string(key, strlen(key), &out);
		buf_add_char(&out, ':');
		tmpl->keys[tmpl->n].s = buf_take(&out, &len);
		tmpl->keys[tmpl->n].len = len;
		tmpl->names[tmpl->n] = xstrdup(key);
		tmpl->items[tmpl->n++] = compile(c, item, place);
	}
	return tmpl;
}

static bool all_constant(const struct tmpl *tmpl)
{
	for (size_t i = 0; i < tmpl->n; i++) {
		if (tmpl->items[i]->kind != T_CONSTANT)
			return false;
	}
	return true;
}

static struct tmpl *compile(struct compiler *c, const json_t *value, const char *pointer)
{
	struct tmpl *tmpl;

	if (json_is_string(value))
		return simplify(compile_string(c, value, pointer));
	if (json_is_array(value))
		tmpl = compile_list(c, value, pointer);
	else if (json_is_object(value))
		tmpl = compile_map(c, value, pointer);
	else
		return constant(value, pointer);
	if (all_constant(tmpl)) {
		/* Put together from its parts again, for in their texts $${ has become ${. */
		struct tmpl *whole;
		json_t *built = NULL;

		CHECK(tmpl_eval(tmpl, NULL, &built, NULL) == 0 && built);
		whole = constant(built, pointer);
		json_decref(built);
		tmpl_free(tmpl);
		return whole;
	}
	return tmpl;
}

int tmpl_compile(const json_t *value, void (*report_to)(void *ctx, const struct err *err),
				 void *report_ctx, struct tmpl **ret_tmpl)
{
	struct compiler c = {.report = report_to, .report_ctx = report_ctx};
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = NULL;

	if (json_depth(value) > JSON_MAX_DEPTH) {
		report(&c, "", "nested more than %d levels deep", JSON_MAX_DEPTH);
		return ERR_INVALID;
	}
	tmpl = compile(&c, value, "");
	if (c.n_errors > 0)
		return ERR_INVALID;
	*ret_tmpl = TAKE(tmpl);
	return 0;
}

void tmpl_free(struct tmpl *tmpl)
{
	if (!tmpl)
		return;
	for (size_t i = 0; tmpl->segments && i < tmpl->n; i++) {
		expr_free(tmpl->segments[i].expr);
		free(tmpl->segments[i].raw);
		free(tmpl->segments[i].json);
	}
	for (size_t i = 0; tmpl->items && i < tmpl->n; i++) {
		tmpl_free(tmpl->items[i]);
		if (tmpl->keys) {
			free((char *)tmpl->keys[i].s);
			free(tmpl->names[i]);
		}
	}
	free(tmpl->segments);
	free(tmpl->items);
	free(tmpl->keys);
	free(tmpl->names);
	free(tmpl->pointer);
	free(tmpl->json);
	json_decref(tmpl->value);
	expr_free(tmpl->expr);
	free(tmpl);
}
