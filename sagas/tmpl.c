/* What compiled templates give: values, JSON text, plain text; and what is known of them before. */
#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/tmpl_priv.h"

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

static int write_used_expr(const struct tmpl *tmpl, const struct expr *expr,
						   const struct expr_env *env, enum tmpl_text_use use, struct buf *out,
						   bool *ret_present, struct err *err)
{
	struct buf text;
	int r;

	if (use == TMPL_TEXT_PLAIN)
		return write_text_expr(tmpl, expr, env, out, ret_present, err);
	buf_init(&text, out->max);
	r = write_text_expr(tmpl, expr, env, &text, ret_present, err);
	if (r == 0)
		r = buf_check(&text, "the text of a template", err);
	if (r == 0 && *ret_present && text.len == 0 && use == TMPL_TEXT_PATH) {
		r = err_set(err, ERR_INVALID, "it is empty, and cannot be part of a path");
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

int tmpl_write_text(const struct tmpl *tmpl, const struct expr_env *env, enum tmpl_text_use use,
					struct buf *out, bool *ret_present, struct err *err)
{
	bool present = true;
	int r = 0;

	switch (tmpl->kind) {
	case T_CONSTANT:
		r = write_constant_text(tmpl, out, err);
		break;
	case T_EXPR:
		r = write_used_expr(tmpl, tmpl->expr, env, use, out, &present, err);
		break;
	case T_TEXT:
		for (size_t i = 0; i < tmpl->n && r == 0; i++) {
			const struct segment *segment = &tmpl->segments[i];

			if (!segment->expr)
				buf_add(out, segment->raw, segment->raw_len);
			else
				r = write_used_expr(tmpl, segment->expr, env, use, out, &present, err);
			if (r == 0 && !present && use == TMPL_TEXT_PATH) {
				r = err_set(err, ERR_INVALID, "it gives nothing, and cannot be part of a path");
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
