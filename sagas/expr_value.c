/*
 * Values while evaluating: JSON that is lent, or parts that an expression made. Both forms of lists
 * and maps are read through the same few functions.
 */
#include <math.h>
#include <string.h>

#include "sagas/expr_priv.h"

struct val val__from_json(json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return (struct val){.tag = V_JMAP, .json = json};
	case JSON_ARRAY:
		return (struct val){.tag = V_JLIST, .json = json};
	case JSON_STRING:
		return (struct val){.tag = V_JSTRING, .json = json};
	case JSON_INTEGER:
		return (struct val){.tag = V_INT, .i = json_integer_value(json)};
	case JSON_REAL:
		return (struct val){.tag = V_DOUBLE, .d = json_real_value(json)};
	case JSON_TRUE:
		return (struct val){.tag = V_BOOL, .b = true};
	case JSON_FALSE:
		return (struct val){.tag = V_BOOL, .b = false};
	case JSON_NULL:
		break;
	}
	return (struct val){.tag = V_NULL};
}

bool val__is_list(const struct val *v)
{
	return v->tag == V_LIST || v->tag == V_JLIST;
}

bool val__is_map(const struct val *v)
{
	return v->tag == V_MAP || v->tag == V_JMAP;
}

size_t val__size(const struct val *v)
{
	switch (v->tag) {
	case V_LIST:
		return v->list->n;
	case V_JLIST:
		return json_array_size(v->json);
	case V_MAP:
		return v->map->n;
	case V_JMAP:
		return json_object_size(v->json);
	}
	return 0;
}

struct val val__list_get(const struct val *v, size_t i)
{
	if (v->tag == V_LIST)
		return v->list->items[i];
	return val__from_json(json_array_get(v->json, i));
}

/* Keys are strings, integers and booleans; a double that is whole finds an integer. */
static bool key_equal(const struct val *key, const struct val *wanted)
{
	if (val__is_string(key) && val__is_string(wanted)) {
		struct slice a = val__slice(key), b = val__slice(wanted);

		return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
	}
	if (key->tag == V_INT && wanted->tag == V_INT)
		return key->i == wanted->i;
	if (key->tag == V_INT && wanted->tag == V_DOUBLE)
		return val__compare(key, wanted) == 0;
	return key->tag == V_BOOL && wanted->tag == V_BOOL && key->b == wanted->b;
}

bool val__map_get(const struct val *v, const struct val *key, struct val *ret_value)
{
	if (v->tag == V_JMAP) {
		struct slice name;

		if (!val__is_string(key))
			return false;
		name = val__slice(key);
		return val__map_get_field(v, name.s, name.len, ret_value);
	}
	for (size_t i = 0; i < v->map->n; i++) {
		if (key_equal(&v->map->entries[i].key, key)) {
			*ret_value = v->map->entries[i].value;
			return true;
		}
	}
	return false;
}

bool val__map_get_field(const struct val *v, const char *name, size_t len, struct val *ret_value)
{
	const struct val key = {.tag = V_STRING, .s = name, .len = (uint32_t)len};
	json_t *found;

	if (v->tag == V_MAP)
		return val__map_get(v, &key, ret_value);
	found = json_object_getn(v->json, name, len);
	if (!found)
		return false;
	*ret_value = val__from_json(found);
	return true;
}

enum expr_type val__type(const struct val *v)
{
	switch ((enum val_tag)v->tag) {
	case V_NULL:
		return EXPR_T_NULL;
	case V_BOOL:
		return EXPR_T_BOOL;
	case V_INT:
		return EXPR_T_INT;
	case V_DOUBLE:
		return EXPR_T_DOUBLE;
	case V_STRING:
	case V_JSTRING:
		return EXPR_T_STRING;
	case V_LIST:
	case V_JLIST:
		return EXPR_T_LIST;
	case V_MAP:
	case V_JMAP:
		return EXPR_T_MAP;
	case V_TIMESTAMP:
		return EXPR_T_TIMESTAMP;
	case V_DURATION:
		return EXPR_T_DURATION;
	case V_OPTIONAL:
	case V_TYPE:
		break;
	}
	return EXPR_T_ANY;
}

const char *val__type_text(const struct val *v)
{
	if (v->tag == V_OPTIONAL)
		return "optional";
	if (v->tag == V_TYPE)
		return "type";
	return expr_type_text(val__type(v));
}

bool val__is_zero(const struct val *v)
{
	switch ((enum val_tag)v->tag) {
	case V_NULL:
		return true;
	case V_BOOL:
		return !v->b;
	case V_INT:
		return v->i == 0;
	case V_DOUBLE:
		return v->d == 0;
	case V_STRING:
	case V_JSTRING:
		return val__slice(v).len == 0;
	case V_LIST:
	case V_JLIST:
	case V_MAP:
	case V_JMAP:
		return val__size(v) == 0;
	case V_TIMESTAMP:
	case V_DURATION:
		return v->i == 0 && v->nanos == 0;
	case V_OPTIONAL:
		return !v->opt;
	case V_TYPE:
		break;
	}
	return false;
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_doubles(double a, double b)
{
	if (isnan(a) || isnan(b))
		return VAL__NAN;
	return (a > b) - (a < b);
}

int val__compare(const struct val *a, const struct val *b)
{
	int order;

	if (a->tag == V_INT && b->tag == V_INT)
		return compare_i64(a->i, b->i);
	if (a->tag == V_DOUBLE && b->tag == V_DOUBLE)
		return compare_doubles(a->d, b->d);
	/* An integer beside a double is promoted, as in arithmetic and in CEL. */
	if (a->tag == V_INT && b->tag == V_DOUBLE)
		return compare_doubles((double)a->i, b->d);
	if (a->tag == V_DOUBLE && b->tag == V_INT)
		return compare_doubles(a->d, (double)b->i);
	if (val__is_string(a) && val__is_string(b)) {
		struct slice x = val__slice(a), y = val__slice(b);

		/* The order of bytes in UTF-8 is the order of code points. */
		order = memcmp(x.s, y.s, x.len < y.len ? x.len : y.len);
		return order ? (order > 0) - (order < 0) : compare_i64((int64_t)x.len, (int64_t)y.len);
	}
	if (a->tag != b->tag)
		return VAL__UNORDERED;
	if (a->tag == V_BOOL)
		return a->b - b->b;
	if (a->tag == V_TIMESTAMP || a->tag == V_DURATION) {
		order = compare_i64(a->i, b->i);
		return order ? order : compare_i64(a->nanos, b->nanos);
	}
	return VAL__UNORDERED;
}

/* ---- equality ---- */

static int lists_equal(struct eval *ev, const struct node *node, const struct val *a,
					   const struct val *b, bool *ret_equal)
{
	size_t n = val__size(a);
	int r;

	*ret_equal = n == val__size(b);
	for (size_t i = 0; i < n && *ret_equal; i++) {
		struct val x = val__list_get(a, i), y = val__list_get(b, i);

		r = expr__equal(ev, node, &x, &y, ret_equal);
		if (r < 0)
			return r;
	}
	return 0;
}

static int maps_equal(struct eval *ev, const struct node *node, const struct val *a,
					  const struct val *b, bool *ret_equal)
{
	struct val other;
	int r = 0;

	*ret_equal = val__size(a) == val__size(b);
	if (!*ret_equal)
		return 0;
	if (a->tag == V_JMAP) {
		const char *key;
		json_t *value;

		json_object_foreach (a->json, key, value) {
			struct val mine = val__from_json(value);

			*ret_equal = val__map_get_field(b, key, strlen(key), &other);
			if (*ret_equal)
				r = expr__equal(ev, node, &mine, &other, ret_equal);
			if (r < 0 || !*ret_equal)
				return r;
		}
		return 0;
	}
	for (size_t i = 0; i < a->map->n && *ret_equal && r == 0; i++) {
		*ret_equal = val__map_get(b, &a->map->entries[i].key, &other);
		if (*ret_equal)
			r = expr__equal(ev, node, &a->map->entries[i].value, &other, ret_equal);
	}
	return r;
}

int expr__equal(struct eval *ev, const struct node *node, const struct val *a, const struct val *b,
				bool *ret_equal)
{
	int r;

	r = expr__charge(ev, node, 1);
	if (r < 0)
		return r;
	if (val__is_list(a) && val__is_list(b))
		return lists_equal(ev, node, a, b, ret_equal);
	if (val__is_map(a) && val__is_map(b))
		return maps_equal(ev, node, a, b, ret_equal);
	if (a->tag == V_OPTIONAL && b->tag == V_OPTIONAL) {
		*ret_equal = !a->opt && !b->opt;
		return a->opt && b->opt ? expr__equal(ev, node, a->opt, b->opt, ret_equal) : 0;
	}
	if (a->tag == V_NULL || a->tag == V_TYPE)
		*ret_equal = a->tag == b->tag && (a->tag == V_NULL || a->i == b->i);
	else
		*ret_equal = val__compare(a, b) == 0;
	return 0;
}
