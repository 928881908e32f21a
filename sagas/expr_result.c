/* What leaves an evaluation: as a JSON value, as JSON text, or as plain text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sagas/base/time.h"
#include "sagas/expr_priv.h"
#include "sagas/json_text.h"

static size_t duration_text(const struct val *v, char text[VAL__TIME_SIZE])
{
	bool negative = v->i < 0 || v->nanos < 0;
	int len = snprintf(text, VAL__TIME_SIZE, "%s%lld", negative ? "-" : "",
					   (long long)(negative ? -v->i : v->i));

	if (v->nanos) {
		len += snprintf(text + len, VAL__TIME_SIZE - (size_t)len, ".%09d",
						negative ? -v->nanos : v->nanos);
		while (text[len - 1] == '0')
			len--;
	}
	text[len++] = 's';
	text[len] = '\0';
	return (size_t)len;
}

size_t val__time_text(const struct val *v, char text[VAL__TIME_SIZE])
{
	char whole[TIME_TEXT_SIZE];
	int len;

	if (v->tag == V_DURATION)
		return duration_text(v, text);
	/* The years are limited to those of four digits, so the seconds end at a fixed place. */
	time_format(v->i * 1000, whole);
	len = snprintf(text, VAL__TIME_SIZE, "%.19s", whole);
	if (v->nanos) {
		len += snprintf(text + len, VAL__TIME_SIZE - (size_t)len, ".%09d", v->nanos);
		while (text[len - 1] == '0')
			len--;
	}
	text[len++] = 'Z';
	text[len] = '\0';
	return (size_t)len;
}

static int fail_key(struct eval *ev, const struct val *key)
{
	return expr__fail(ev, ev->expr->root,
					  "the result is a map with a key of type %s; JSON has only strings as keys",
					  val__type_text(key));
}

static int fail_not_finite(struct eval *ev)
{
	return expr__fail(ev, ev->expr->root, "the result is not a finite number");
}

static int fail_type(struct eval *ev)
{
	return expr__fail(ev, ev->expr->root, "the result is a type, not a value");
}

static int to_json(struct eval *ev, const struct val *v, json_t **ret_value);

static int list_to_json(struct eval *ev, const struct val *v, json_t **ret_value)
{
	CLEANUP(json_decref_p) json_t *array = json_array();
	int r;

	for (size_t i = 0; array && i < v->list->n; i++) {
		json_t *item = NULL;

		r = to_json(ev, &v->list->items[i], &item);
		if (r < 0)
			return r;
		if (item && json_array_append_new(array, item) < 0)
			return expr__no_memory(ev, ev->expr->root);
	}
	*ret_value = TAKE(array);
	return *ret_value ? 0 : expr__no_memory(ev, ev->expr->root);
}

static int map_to_json(struct eval *ev, const struct val *v, json_t **ret_value)
{
	CLEANUP(json_decref_p) json_t *object = json_object();
	int r;

	for (size_t i = 0; object && i < v->map->n; i++) {
		const struct val *key = &v->map->entries[i].key;
		json_t *value = NULL;
		struct slice name;

		if (!val__is_string(key))
			return fail_key(ev, key);
		r = to_json(ev, &v->map->entries[i].value, &value);
		if (r < 0)
			return r;
		name = val__slice(key);
		if (value && json_object_setn_new_nocheck(object, name.s, name.len, value) < 0)
			return expr__no_memory(ev, ev->expr->root);
	}
	*ret_value = TAKE(object);
	return *ret_value ? 0 : expr__no_memory(ev, ev->expr->root);
}

static int to_json(struct eval *ev, const struct val *v, json_t **ret_value)
{
	char text[VAL__TIME_SIZE];
	json_t *value = NULL;

	switch ((enum val_tag)v->tag) {
	case V_NULL:
		value = json_null();
		break;
	case V_BOOL:
		value = json_boolean(v->b);
		break;
	case V_INT:
		value = json_integer(v->i);
		break;
	case V_DOUBLE:
		if (!isfinite(v->d))
			return fail_not_finite(ev);
		value = json_real(v->d);
		break;
	case V_STRING:
		value = json_stringn_nocheck(v->s, v->len);
		break;
	case V_JSTRING:
	case V_JLIST:
	case V_JMAP:
		value = json_incref(v->json);
		break;
	case V_LIST:
		return list_to_json(ev, v, ret_value);
	case V_MAP:
		return map_to_json(ev, v, ret_value);
	case V_TIMESTAMP:
	case V_DURATION:
		value = json_stringn_nocheck(text, val__time_text(v, text));
		break;
	case V_OPTIONAL:
		if (v->opt)
			return to_json(ev, v->opt, ret_value);
		*ret_value = NULL;
		return 0;
	case V_TYPE:
		return fail_type(ev);
	}
	if (!value)
		return expr__no_memory(ev, ev->expr->root);
	*ret_value = value;
	return 0;
}

int expr__too_deep(struct err *err)
{
	return err_set(err, ERR_LIMIT, "the result is nested more than %d levels deep", JSON_MAX_DEPTH);
}

/*
 * What is lent was limited when it came in; only what was put together here can be deeper, and
 * would then be refused wherever it is sent or read again.
 */
int expr__to_json(struct eval *ev, const struct val *v, json_t **ret_value)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	int r;

	r = to_json(ev, v, &value);
	if (r < 0)
		return r;
	if ((v->tag == V_LIST || v->tag == V_MAP) && json_depth(value) > JSON_MAX_DEPTH)
		return expr__too_deep(ev->err);
	*ret_value = TAKE(value);
	return 0;
}

/* ---- as text ---- */

static int write_list(struct eval *ev, const struct val *v, struct buf *out, int *ret_depth)
{
	int deepest = 0, depth, r;
	bool first = true;

	buf_add_char(out, '[');
	for (size_t i = 0; i < v->list->n; i++) {
		size_t mark = out->len;

		if (!first)
			buf_add_char(out, ',');
		r = expr__write(ev, &v->list->items[i], out, &depth);
		if (r < 0)
			return r;
		if (depth < 0)
			buf_truncate(out, mark);
		first &= depth < 0;
		deepest = depth > deepest ? depth : deepest;
	}
	buf_add_char(out, ']');
	*ret_depth = deepest + 1;
	return 0;
}

static int write_map(struct eval *ev, const struct val *v, struct buf *out, int *ret_depth)
{
	int deepest = 0, depth, r;
	bool first = true;

	buf_add_char(out, '{');
	for (size_t i = 0; i < v->map->n; i++) {
		const struct val *key = &v->map->entries[i].key;
		size_t mark = out->len;
		struct slice name;

		if (!val__is_string(key))
			return fail_key(ev, key);
		if (!first)
			buf_add_char(out, ',');
		name = val__slice(key);
		json_write_string(name.s, name.len, out);
		buf_add_char(out, ':');
		r = expr__write(ev, &v->map->entries[i].value, out, &depth);
		if (r < 0)
			return r;
		if (depth < 0)
			buf_truncate(out, mark);
		first &= depth < 0;
		deepest = depth > deepest ? depth : deepest;
	}
	buf_add_char(out, '}');
	*ret_depth = deepest + 1;
	return 0;
}

int expr__write(struct eval *ev, const struct val *v, struct buf *out, int *ret_depth)
{
	char text[VAL__TIME_SIZE];

	*ret_depth = 0;
	switch ((enum val_tag)v->tag) {
	case V_NULL:
		buf_add_lit(out, "null");
		return 0;
	case V_BOOL:
		buf_add_str(out, v->b ? "true" : "false");
		return 0;
	case V_INT:
		buf_add_int(out, v->i);
		return 0;
	case V_DOUBLE:
		if (!isfinite(v->d))
			return fail_not_finite(ev);
		json_write_real(v->d, out);
		return 0;
	case V_STRING:
		json_write_string(v->s, v->len, out);
		return 0;
	case V_JSTRING:
	case V_JLIST:
	case V_JMAP:
		*ret_depth = json_write_depth(v->json, out);
		return 0;
	case V_LIST:
		return write_list(ev, v, out, ret_depth);
	case V_MAP:
		return write_map(ev, v, out, ret_depth);
	case V_TIMESTAMP:
	case V_DURATION:
		json_write_string(text, val__time_text(v, text), out);
		return 0;
	case V_OPTIONAL:
		if (v->opt)
			return expr__write(ev, v->opt, out, ret_depth);
		*ret_depth = -1;
		return 0;
	case V_TYPE:
		break;
	}
	return fail_type(ev);
}

int expr__write_text(struct eval *ev, const struct val *v, struct buf *out)
{
	char text[VAL__TIME_SIZE];
	struct slice s;
	int depth;

	switch ((enum val_tag)v->tag) {
	case V_STRING:
	case V_JSTRING:
		s = val__slice(v);
		buf_add(out, s.s, s.len);
		return 0;
	case V_BOOL:
	case V_INT:
	case V_DOUBLE:
		return expr__write(ev, v, out, &depth);
	case V_TIMESTAMP:
	case V_DURATION:
		buf_add(out, text, val__time_text(v, text));
		return 0;
	case V_NULL:
	case V_LIST:
	case V_JLIST:
	case V_MAP:
	case V_JMAP:
	case V_OPTIONAL:
	case V_TYPE:
		break;
	}
	return expr__fail(ev, ev->expr->root,
					  "inside text stands a string, number or bool, and this gives %s",
					  val__type_text(v));
}
