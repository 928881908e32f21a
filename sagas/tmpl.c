/*
 * Templates are compiled into a tree whose constant parts are JSON text already, so writing a
 * request body is mostly copying.
 */
#include "sagas/tmpl.h"

#include <stdio.h>
#include <string.h>

#include "sagas/expr_priv.h"
#include "sagas/json_text.h"

enum tmpl_kind {
	T_CONSTANT, /* value and json */
	T_EXPR,     /* the whole string is one ${}: expr */
	T_TEXT,     /* segments */
	T_LIST,     /* items */
	T_MAP,      /* items and their keys */
};

/* A piece of text: an expression, or text as it stands (raw) and as part of a JSON string. */
struct segment {
	struct expr *expr;
	char *raw, *json;
	size_t raw_len, json_len;
};

struct tmpl {
	enum tmpl_kind kind;
	char *pointer; /* JSON pointer to here, for messages */
	json_t *value;
	char *json;
	size_t json_len;
	struct expr *expr;
	struct segment *segments;
	size_t n; /* of segments or items */
	struct tmpl **items;
	struct slice *keys; /* "key": as JSON text */
	char **names;       /* and as they are */
};

/* ---- compiling ---- */

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
	for (; *key; key++) {
		if (*key == '~')
			buf_add_lit(&out, "~0");
		else if (*key == '/')
			buf_add_lit(&out, "~1");
		else
			buf_add_char(&out, *key);
	}
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
	size_t column = expr__column(text, at), inner = 0;
	struct expr *expr;
	struct err err = {0};

	if (end < 0) {
		report(c, tmpl->pointer,
			   "column %zu: this ${ has no closing } (a literal ${ is written $${)", column - 2);
		return 0;
	}
	if (expr_parse(text + at, (size_t)end, &expr, &err) < 0) {
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

/* ---- what is known before evaluating ---- */

bool tmpl_is_constant(const struct tmpl *tmpl)
{
	return tmpl->kind == T_CONSTANT;
}

const struct expr *tmpl_as_expr(const struct tmpl *tmpl)
{
	return tmpl->kind == T_EXPR ? tmpl->expr : NULL;
}

const char *tmpl_as_string(const struct tmpl *tmpl)
{
	return tmpl->kind == T_CONSTANT ? json_string_value(tmpl->value) : NULL;
}

bool tmpl_reads(const struct tmpl *tmpl, enum expr_name name, const char *field)
{
	if (tmpl->kind == T_EXPR)
		return expr_reads(tmpl->expr, name, field);
	for (size_t i = 0; i < tmpl->n; i++) {
		if (tmpl->kind == T_TEXT
				? tmpl->segments[i].expr && expr_reads(tmpl->segments[i].expr, name, field)
				: tmpl_reads(tmpl->items[i], name, field))
			return true;
	}
	return false;
}

struct checker {
	void (*report)(void *ctx, const struct err *err);
	void *report_ctx;
	const char *pointer;
};

static void report_at_pointer(void *ctx, const struct err *err)
{
	struct checker *checker = ctx;
	struct err placed = *err;

	snprintf(placed.place, sizeof(placed.place), "%s", checker->pointer);
	if (checker->report)
		checker->report(checker->report_ctx, &placed);
}

static enum expr_type type_of_json(const json_t *value)
{
	struct val v = val__from_json((json_t *)value);

	return val__type(&v);
}

int tmpl_check(const struct tmpl *tmpl, const struct expr_scope *scope,
			   void (*report_to)(void *ctx, const struct err *err), void *report_ctx,
			   enum expr_type *ret_type)
{
	struct checker checker = {report_to, report_ctx, tmpl->pointer};
	enum expr_type type = EXPR_T_ANY;
	int n = 0;

	switch (tmpl->kind) {
	case T_CONSTANT:
		type = type_of_json(tmpl->value);
		break;
	case T_EXPR:
		n = expr_check(tmpl->expr, scope, report_at_pointer, &checker, &type);
		break;
	case T_TEXT:
		for (size_t i = 0; i < tmpl->n; i++) {
			if (tmpl->segments[i].expr)
				n += expr_check(tmpl->segments[i].expr, scope, report_at_pointer, &checker, NULL);
		}
		type = EXPR_T_STRING;
		break;
	case T_LIST:
	case T_MAP:
		for (size_t i = 0; i < tmpl->n; i++)
			n += tmpl_check(tmpl->items[i], scope, report_to, report_ctx, NULL);
		type = tmpl->kind == T_LIST ? EXPR_T_LIST : EXPR_T_MAP;
		break;
	}
	if (ret_type)
		*ret_type = type;
	return n;
}

/* ---- evaluating ---- */

/* Says in an error of an expression which one it was, and where. */
static int place_error(const struct tmpl *tmpl, const struct expr *expr, int r, struct err *err)
{
	if (!err)
		return r;
	err_prefix(err, "${%.80s}", expr_text(expr));
	if (*tmpl->pointer)
		snprintf(err->place, sizeof(err->place), "%s", tmpl->pointer);
	return r;
}

/* Writes one expression as text. *ret_present: whether it gave something. */
static int write_text_expr(const struct tmpl *tmpl, const struct expr *expr,
						   const struct expr_env *env, struct buf *out, bool *ret_present,
						   struct err *err)
{
	struct eval ev;
	struct val v;
	int r;

	*ret_present = true;
	r = expr__eval_begin(&ev, expr, env, &v, err);
	if (r == 0 && v.tag == V_OPTIONAL) {
		*ret_present = v.opt != NULL;
		if (v.opt)
			v = *v.opt;
	}
	if (r == 0 && *ret_present)
		r = expr__write_text(&ev, &v, out);
	expr__eval_end(&ev);
	return r < 0 ? place_error(tmpl, expr, r, err) : 0;
}

/* Inside text, what gives nothing is empty. */
static int eval_text(const struct tmpl *tmpl, const struct expr_env *env, json_t **ret_value,
					 struct err *err)
{
	struct buf out;
	bool present;
	int r = 0;

	buf_init(&out, 0);
	for (size_t i = 0; i < tmpl->n && r == 0; i++) {
		const struct segment *segment = &tmpl->segments[i];

		if (segment->expr)
			r = write_text_expr(tmpl, segment->expr, env, &out, &present, err);
		else
			buf_add(&out, segment->raw, segment->raw_len);
	}
	if (r == 0)
		r = buf_check(&out, "the text of a template", err);
	if (r == 0) {
		*ret_value = json_stringn_nocheck(buf_str(&out), out.len);
		if (!*ret_value)
			r = err_set(err, ERR_NO_MEMORY, "no memory for the text of a template");
	}
	buf_release(&out);
	return r;
}

static int eval_parts(const struct tmpl *tmpl, const struct expr_env *env, json_t **ret_value,
					  struct err *err)
{
	bool is_list = tmpl->kind == T_LIST;
	CLEANUP(json_decref_p) json_t *whole = is_list ? json_array() : json_object();
	int r;

	for (size_t i = 0; whole && i < tmpl->n; i++) {
		json_t *part = NULL;

		r = tmpl_eval(tmpl->items[i], env, &part, err);
		if (r < 0)
			return r;
		if (!part)
			continue;
		if (is_list ? json_array_append_new(whole, part) < 0
					: json_object_set_new_nocheck(whole, tmpl->names[i], part) < 0)
			return err_set(err, ERR_NO_MEMORY, "no memory for the value of a template");
	}
	if (!whole)
		return err_set(err, ERR_NO_MEMORY, "no memory for the value of a template");
	*ret_value = TAKE(whole);
	return 0;
}

int tmpl_eval(const struct tmpl *tmpl, const struct expr_env *env, json_t **ret_value,
			  struct err *err)
{
	json_t *value = NULL;
	int r = 0;

	switch (tmpl->kind) {
	case T_CONSTANT:
		value = json_incref(tmpl->value);
		break;
	case T_EXPR:
		r = expr_eval(tmpl->expr, env, &value, err);
		if (r < 0)
			return place_error(tmpl, tmpl->expr, r, err);
		break;
	case T_TEXT:
		r = eval_text(tmpl, env, &value, err);
		break;
	case T_LIST:
	case T_MAP:
		r = eval_parts(tmpl, env, &value, err);
		/* The whole is checked once, at the top. */
		if (r == 0 && !*tmpl->pointer && json_depth(value) > JSON_MAX_DEPTH) {
			json_decref(value);
			r = expr__too_deep(err);
		}
		break;
	}
	if (r == 0)
		*ret_value = value;
	return r;
}

/* *ret_depth as in expr__write. */
static int write_json(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
					  int *ret_depth, struct err *err);

static int write_expr(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
					  int *ret_depth, struct err *err)
{
	struct eval ev;
	struct val v;
	int r;

	r = expr__eval_begin(&ev, tmpl->expr, env, &v, err);
	if (r == 0)
		r = expr__write(&ev, &v, out, ret_depth);
	expr__eval_end(&ev);
	return r < 0 ? place_error(tmpl, tmpl->expr, r, err) : 0;
}

static int write_text_json(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
						   struct err *err)
{
	struct buf text;
	bool present;
	int r = 0;

	buf_init(&text, out->max);
	buf_add_char(out, '"');
	for (size_t i = 0; i < tmpl->n && r == 0; i++) {
		const struct segment *segment = &tmpl->segments[i];

		if (!segment->expr) {
			buf_add(out, segment->json, segment->json_len);
			continue;
		}
		buf_clear(&text);
		r = write_text_expr(tmpl, segment->expr, env, &text, &present, err);
		if (r == 0)
			r = buf_check(&text, "the text of a template", err);
		if (r == 0 && text.len > 0)
			json_write_string_body(text.data, text.len, out);
	}
	buf_add_char(out, '"');
	buf_release(&text);
	return r;
}

static int write_parts(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
					   int *ret_depth, struct err *err)
{
	int deepest = 0, depth, r;
	bool first = true;

	buf_add_char(out, tmpl->kind == T_LIST ? '[' : '{');
	for (size_t i = 0; i < tmpl->n; i++) {
		size_t mark = out->len;

		if (!first)
			buf_add_char(out, ',');
		if (tmpl->kind == T_MAP)
			buf_add(out, tmpl->keys[i].s, tmpl->keys[i].len);
		r = write_json(tmpl->items[i], env, out, &depth, err);
		if (r < 0)
			return r;
		if (depth < 0)
			buf_truncate(out, mark);
		first &= depth < 0;
		deepest = depth > deepest ? depth : deepest;
	}
	buf_add_char(out, tmpl->kind == T_LIST ? ']' : '}');
	*ret_depth = deepest + 1;
	return 0;
}

static int write_json(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
					  int *ret_depth, struct err *err)
{
	*ret_depth = 0;
	switch (tmpl->kind) {
	case T_CONSTANT:
		buf_add(out, tmpl->json, tmpl->json_len);
		return 0;
	case T_EXPR:
		return write_expr(tmpl, env, out, ret_depth, err);
	case T_TEXT:
		return write_text_json(tmpl, env, out, err);
	case T_LIST:
	case T_MAP:
		break;
	}
	return write_parts(tmpl, env, out, ret_depth, err);
}

int tmpl_write(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
			   bool *ret_present, struct err *err)
{
	int depth, r;

	r = write_json(tmpl, env, out, &depth, err);
	if (r < 0)
		return r;
	if (depth > JSON_MAX_DEPTH)
		return expr__too_deep(err);
	*ret_present = depth >= 0;
	return buf_check(out, "the value of a template", err);
}

/* ---- plain text ---- */

static void add_percent_encoded(const char *s, size_t len, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		char encoded[3] = {'%', hex[c >> 4], hex[c & 15]};

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~", c)))
			buf_add(out, s + i, 1);
		else
			buf_add(out, encoded, sizeof(encoded));
	}
}

static int write_encoded_expr(const struct tmpl *tmpl, const struct expr *expr,
							  const struct expr_env *env, struct buf *out, bool *ret_present,
							  struct err *err)
{
	struct buf text;
	int r;

	buf_init(&text, out->max);
	r = write_text_expr(tmpl, expr, env, &text, ret_present, err);
	if (r == 0)
		r = buf_check(&text, "the text of a template", err);
	if (r == 0 && *ret_present && text.len == 0) {
		r = err_set(err, ERR_INVALID, "it is empty, and cannot be part of a URL");
		r = place_error(tmpl, expr, r, err);
	}
	if (r == 0 && *ret_present)
		add_percent_encoded(text.data, text.len, out);
	buf_release(&text);
	return r;
}

static int write_constant_text(const struct tmpl *tmpl, struct buf *out, struct err *err)
{
	if (json_is_string(tmpl->value))
		buf_add(out, json_string_value(tmpl->value), json_string_length(tmpl->value));
	else if (json_is_number(tmpl->value) || json_is_boolean(tmpl->value))
		buf_add(out, tmpl->json, tmpl->json_len);
	else
		return err_set_at(err, ERR_INVALID, tmpl->pointer,
						  "a string, number or bool is wanted here, and this is %s",
						  expr_type_text(type_of_json(tmpl->value)));
	return 0;
}

int tmpl_write_text(const struct tmpl *tmpl, const struct expr_env *env, bool percent_encode,
					struct buf *out, bool *ret_present, struct err *err)
{
	bool present = true;
	int r = 0;

	switch (tmpl->kind) {
	case T_CONSTANT:
		r = write_constant_text(tmpl, out, err);
		break;
	case T_EXPR:
		if (percent_encode)
			r = write_encoded_expr(tmpl, tmpl->expr, env, out, &present, err);
		else
			r = write_text_expr(tmpl, tmpl->expr, env, out, &present, err);
		break;
	case T_TEXT:
		for (size_t i = 0; i < tmpl->n && r == 0; i++) {
			const struct segment *segment = &tmpl->segments[i];

			if (!segment->expr)
				buf_add(out, segment->raw, segment->raw_len);
			else if (!percent_encode)
				r = write_text_expr(tmpl, segment->expr, env, out, &present, err);
			else
				r = write_encoded_expr(tmpl, segment->expr, env, out, &present, err);
			if (r == 0 && !present && percent_encode) {
				r = err_set(err, ERR_INVALID, "it gives nothing, and cannot be part of a URL");
				r = place_error(tmpl, segment->expr, r, err);
			}
			present = true;
		}
		break;
	case T_LIST:
	case T_MAP:
		r = err_set_at(err, ERR_INVALID, tmpl->pointer,
					   "a string, number or bool is wanted here, and this is a %s",
					   tmpl->kind == T_LIST ? "list" : "map");
		break;
	}
	if (r < 0)
		return r;
	*ret_present = present;
	return buf_check(out, "the text of a template", err);
}
