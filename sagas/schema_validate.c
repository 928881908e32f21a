/*
 * Validating values. All violations are reported, each with the pointer of the value that is wrong;
 * a missing or surplus key is told at its object or at itself. The branches of anyOf, oneOf, not,
 * if and contains are tried silently, and told as one violation when they fail.
 *
 * A schema may refer to itself, so depth and work are limited; what passes a limit is a violation.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/hash.h"
#include "sagas/base/time.h"
#include "sagas/json_text.h"
#include "sagas/schema_priv.h"

enum { MAX_REPORTS = 50, MAX_DEPTH = 300, MAX_WORK = 5 * 1000 * 1000 };

struct run {
	void (*report)(void *ctx, const struct err *err);
	void *ctx;
	int violations;
	int silent; /* > 0 inside a branch that is only tried */
	int depth;
	int work;
	bool gave_up;
};

/* The way to the value; on the stack. */
struct path {
	const struct path *up;
	const char *key; /* NULL: index */
	size_t index;
};

static void path_write(const struct path *path, struct buf *out)
{
	if (!path->up)
		return;
	path_write(path->up, out);
	buf_add_char(out, '/');
	if (!path->key) {
		buf_add_int(out, (int64_t)path->index);
		return;
	}
	json_write_pointer_key(path->key, out);
}

static void violation(struct run *run, const struct path *path, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void violation(struct run *run, const struct path *path, const char *fmt, ...)
{
	struct buf pointer;
	struct err err = {0};
	va_list args;

	if (run->violations++ >= MAX_REPORTS || run->silent || !run->report)
		return;
	va_start(args, fmt);
	err_vset(&err, ERR_INVALID, fmt, args);
	va_end(args);
	buf_init(&pointer, 0);
	path_write(path, &pointer);
	snprintf(err.place, sizeof(err.place), "%s", buf_str(&pointer));
	buf_release(&pointer);
	run->report(run->ctx, &err);
}

static int check(struct run *run, const struct schema_node *node, const json_t *value,
				 const struct path *path);

static bool fits(struct run *run, const struct schema_node *node, const json_t *value,
				 const struct path *path)
{
	int before = run->violations;
	int added;

	run->silent++;
	check(run, node, value, path);
	run->silent--;
	added = run->violations - before;
	run->violations = before;
	return added == 0;
}

int schema__compare_numbers(const json_t *a, const json_t *b)
{
	double x, y;

	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) < json_integer_value(b)   ? -1
			   : json_integer_value(a) > json_integer_value(b) ? 1
															   : 0;
	x = json_number_value(a);
	y = json_number_value(b);
	return x < y ? -1 : x > y ? 1 : 0;
}

/* Values are at most JSON_MAX_DEPTH deep. */
bool schema__same(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_number(a) && json_is_number(b))
		return schema__compare_numbers(a, b) == 0;
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a)) {
		if (json_array_size(a) != json_array_size(b))
			return false;
		json_array_foreach (a, i, value) {
			if (!schema__same(value, json_array_get(b, i)))
				return false;
		}
		return true;
	}
	if (!json_is_object(a))
		return json_equal(a, b);
	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach ((json_t *)a, key, value) {
		const json_t *other = json_object_get(b, key);

		if (!other || !schema__same(value, other))
			return false;
	}
	return true;
}

/* Equal for values that schema__same finds equal. */
static uint64_t value_hash(const json_t *value)
{
	uint64_t hash = FNV_1A_START, sum = 0;
	double number;
	const char *key;
	json_t *child;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_object_foreach ((json_t *)value, key, child)
			sum += fnv_1a(value_hash(child), key, strlen(key));
		return fnv_1a(hash + 1, &sum, sizeof(sum));
	case JSON_ARRAY:
		json_array_foreach (value, i, child) {
			sum = value_hash(child);
			hash = fnv_1a(hash, &sum, sizeof(sum));
		}
		return hash;
	case JSON_STRING:
		return fnv_1a(hash, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
	case JSON_REAL:
		number = json_number_value(value) + 0.0; /* no negative zero */
		return fnv_1a(hash, &number, sizeof(number));
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		return hash + 2 + json_typeof(value);
	}
	return hash;
}

struct hashed {
	uint64_t hash;
	size_t index;
};

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void check_unique(struct run *run, const json_t *value, const struct path *path)
{
	size_t n = json_array_size(value);
	CLEANUP(free_p) struct hashed *items = xcalloc(n, sizeof(*items));

	for (size_t i = 0; i < n; i++)
		items[i] = (struct hashed){value_hash(json_array_get(value, i)), i};
	qsort(items, n, sizeof(*items), compare_hashed);
	for (size_t i = 1; i < n; i++) {
		if (items[i].hash == items[i - 1].hash &&
			schema__same(json_array_get(value, items[i].index),
						 json_array_get(value, items[i - 1].index))) {
			violation(run, path, "items %zu and %zu are the same", items[i - 1].index,
					  items[i].index);
			return;
		}
	}
}

static unsigned value_types(const json_t *value)
{
	double real;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return SCHEMA_OBJECT;
	case JSON_ARRAY:
		return SCHEMA_ARRAY;
	case JSON_STRING:
		return SCHEMA_STRING;
	case JSON_INTEGER:
		return SCHEMA_NUMBER | SCHEMA_INTEGER;
	case JSON_REAL:
		real = json_real_value(value);
		return real == floor(real) ? SCHEMA_NUMBER | SCHEMA_INTEGER : SCHEMA_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return SCHEMA_BOOLEAN;
	case JSON_NULL:
		return SCHEMA_NULL;
	}
	return 0;
}

static const char *value_type_text(const json_t *value)
{
	unsigned types = value_types(value);

	return types & SCHEMA_OBJECT    ? "an object"
		   : types & SCHEMA_ARRAY   ? "an array"
		   : types & SCHEMA_STRING  ? "a string"
		   : types & SCHEMA_INTEGER ? "an integer"
		   : types & SCHEMA_NUMBER  ? "a number"
		   : types & SCHEMA_BOOLEAN ? "a boolean"
									: "null";
}

static void check_type(struct run *run, const struct schema_node *node, const json_t *value,
					   const struct path *path)
{
	static const char *const texts[] = {"null",     "a boolean", "an object", "an array",
										"a number", "a string",  "an integer"};
	struct buf all;

	if (!node->types || node->types & value_types(value))
		return;
	buf_init(&all, 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		/* A number may be an integer: that need not be said. */
		if (!(node->types >> i & 1) || (1u << i == SCHEMA_INTEGER && node->types & SCHEMA_NUMBER))
			continue;
		buf_printf(&all, "%s%s", all.len ? " or " : "", texts[i]);
	}
	violation(run, path, "must be %s, not %s", buf_str(&all), value_type_text(value));
	buf_release(&all);
}

static void text_of(const json_t *value, char *text, size_t size)
{
	struct buf out;

	buf_init(&out, 0);
	json_write(value, &out);
	if (out.len < size)
		snprintf(text, size, "%s", buf_str(&out));
	else
		snprintf(text, size, "%.*s...", (int)size - 4, buf_str(&out));
	buf_release(&out);
}

static void check_values(struct run *run, const struct schema_node *node, const json_t *value,
						 const struct path *path)
{
	char text[200];
	size_t i;
	json_t *allowed;

	if (node->constant && !schema__same(node->constant, value)) {
		text_of(node->constant, text, sizeof(text));
		violation(run, path, "must be %s", text);
	}
	if (!node->allowed)
		return;
	json_array_foreach (node->allowed, i, allowed) {
		if (schema__same(allowed, value))
			return;
	}
	text_of(node->allowed, text, sizeof(text));
	violation(run, path, "must be one of %s", text);
}

static void check_bound(struct run *run, const json_t *bound, const json_t *value, int sign,
						bool exclusive, const struct path *path)
{
	char text[64];
	int order;

	if (!bound)
		return;
	order = schema__compare_numbers(value, bound) * sign;
	if (order > 0 || (order == 0 && !exclusive))
		return;
	text_of(bound, text, sizeof(text));
	violation(run, path, "must be %s %s",
			  exclusive  ? sign > 0 ? "above" : "below"
			  : sign > 0 ? "at least"
						 : "at most",
			  text);
}

/* Decimal fractions have no exact binary form: 19.99 is a multiple of 0.01 within rounding. */
static bool is_multiple(const json_t *value, const json_t *of)
{
	double quotient;

	if (json_is_integer(value) && json_is_integer(of))
		return json_integer_value(value) % json_integer_value(of) == 0;
	quotient = json_number_value(value) / json_number_value(of);
	if (!isfinite(quotient))
		return false;
	return fabs(quotient - round(quotient)) <= 4 * DBL_EPSILON * fmax(1, fabs(quotient));
}

static void check_number(struct run *run, const struct schema_node *node, const json_t *value,
						 const struct path *path)
{
	check_bound(run, node->minimum, value, 1, false, path);
	check_bound(run, node->exclusive_minimum, value, 1, true, path);
	check_bound(run, node->maximum, value, -1, false, path);
	check_bound(run, node->exclusive_maximum, value, -1, true, path);
	if (node->multiple_of && !is_multiple(value, node->multiple_of)) {
		char text[64];

		text_of(node->multiple_of, text, sizeof(text));
		violation(run, path, "must be a multiple of %s", text);
	}
}

static bool digits_at(const char *text, const char *shape)
{
	for (; *shape; shape++, text++) {
		bool hex = (*text >= '0' && *text <= '9') || ((*text | 32) >= 'a' && (*text | 32) <= 'f');

		if (*shape == '0' ? *text < '0' || *text > '9' : *shape == 'x' ? !hex : *text != *shape)
			return false;
	}
	return *text == '\0';
}

/* What mail servers mostly accept; the standard's quoted forms are left out on purpose. */
static bool is_email(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t len = strlen(text);

	return at && at > text && at - text <= 64 && at[1] && at[1] != '.' && len <= 254 &&
		   text[len - 1] != '.' && !strpbrk(text, " \t\r\n<>()[],;:\\\"") &&
		   strchr(text, '@') == at && !strstr(text, "..");
}

static bool is_format(enum schema_format format, const char *text)
{
	char at[TIME_TEXT_SIZE];
	struct err err;
	wall_ms time;

	switch (format) {
	case FORMAT_NONE:
		return true;
	case FORMAT_DATE_TIME:
		return time_parse(text, &time, &err) == 0;
	case FORMAT_DATE:
		if (!digits_at(text, "0000-00-00"))
			return false;
		snprintf(at, sizeof(at), "%sT00:00:00Z", text);
		return time_parse(at, &time, &err) == 0;
	case FORMAT_UUID:
		return digits_at(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
	case FORMAT_EMAIL:
		return is_email(text);
	}
	return true;
}

static void check_string(struct run *run, const struct schema_node *node, const json_t *value,
						 const struct path *path)
{
	static const char *const shapes[] = {
		[FORMAT_NONE] = "",
		[FORMAT_DATE_TIME] = "a time such as 2026-01-31T23:59:59Z",
		[FORMAT_DATE] = "a date such as 2026-01-31",
		[FORMAT_UUID] = "a UUID",
		[FORMAT_EMAIL] = "an e-mail address",
	};
	const char *text = json_string_value(value);
	size_t bytes = json_string_length(value);
	struct err err;
	int64_t len = 0;
	bool found;

	for (size_t i = 0; i < bytes; i++)
		len += (text[i] & 0xc0) != 0x80;
	if (node->min_length >= 0 && len < node->min_length)
		violation(run, path, "must have at least %lld characters", (long long)node->min_length);
	if (node->max_length >= 0 && len > node->max_length)
		violation(run, path, "must have at most %lld characters", (long long)node->max_length);
	if (node->pattern) {
		if (regex_search(node->pattern, text, bytes, &found, &err) < 0)
			violation(run, path, "%s", err.text);
		else if (!found)
			violation(run, path, "must match %.200s", node->pattern_text);
	}
	if (!is_format(node->format, text))
		violation(run, path, "must be %s", shapes[node->format]);
}

static void check_contains(struct run *run, const struct schema_node *node, const json_t *value,
						   const struct path *path)
{
	int64_t least = node->min_contains >= 0 ? node->min_contains : 1, found = 0;
	size_t i;
	json_t *item;

	json_array_foreach (value, i, item) {
		struct path below = {path, NULL, i};

		found += fits(run, node->contains, item, &below);
	}
	if (found < least)
		violation(run, path, "must hold at least %lld items of the right form", (long long)least);
	if (node->max_contains >= 0 && found > node->max_contains)
		violation(run, path, "must hold at most %lld items of this form",
				  (long long)node->max_contains);
}

static void check_array(struct run *run, const struct schema_node *node, const json_t *value,
						const struct path *path)
{
	int64_t n = (int64_t)json_array_size(value);
	size_t i;
	json_t *item;

	if (node->min_items >= 0 && n < node->min_items)
		violation(run, path, "must have at least %lld items", (long long)node->min_items);
	if (node->max_items >= 0 && n > node->max_items)
		violation(run, path, "must have at most %lld items", (long long)node->max_items);
	json_array_foreach (value, i, item) {
		const struct schema_node *form = i < node->prefix.n ? node->prefix.nodes[i] : node->items;
		struct path below = {path, NULL, i};

		if (form)
			check(run, form, item, &below);
	}
	if (node->contains)
		check_contains(run, node, value, path);
	if (node->unique_items)
		check_unique(run, value, path);
}

static const struct schema_node *find_prop(const struct schema_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_props; i++) {
		if (strcmp(node->props[i].name, name) == 0)
			return node->props[i].node;
	}
	return NULL;
}

static void check_key(struct run *run, const struct schema_node *node, const char *key,
					  const json_t *value, const struct path *path)
{
	const struct schema_node *form = find_prop(node, key);

	if (node->property_names) {
		json_t *name = json_string(key);

		if (!fits(run, node->property_names, name, path))
			violation(run, path, "`%.64s` is not allowed as a name here", key);
		json_decref(name);
	}
	if (form)
		check(run, form, value, path);
	else if (node->additional && node->additional->never)
		violation(run, path, "`%.64s` is not known here", key);
	else if (node->additional)
		check(run, node->additional, value, path);
}

static void check_object(struct run *run, const struct schema_node *node, const json_t *value,
						 const struct path *path)
{
	int64_t n = (int64_t)json_object_size(value);
	const char *key;
	json_t *item;
	size_t i;

	if (node->min_properties >= 0 && n < node->min_properties)
		violation(run, path, "must have at least %lld entries", (long long)node->min_properties);
	if (node->max_properties >= 0 && n > node->max_properties)
		violation(run, path, "must have at most %lld entries", (long long)node->max_properties);
	json_array_foreach (node->required, i, item) {
		if (!json_object_get(value, json_string_value(item)))
			violation(run, path, "`%.64s` is missing", json_string_value(item));
	}
	if (node->n_props == 0 && !node->additional && !node->property_names)
		return;
	json_object_foreach ((json_t *)value, key, item) {
		struct path below = {path, key, 0};

		check_key(run, node, key, item, &below);
	}
}

static void check_branches(struct run *run, const struct schema_node *node, const json_t *value,
						   const struct path *path)
{
	size_t matched = 0;

	for (size_t i = 0; i < node->all_of.n; i++)
		check(run, node->all_of.nodes[i], value, path);
	for (size_t i = 0; i < node->any_of.n && matched == 0; i++)
		matched += fits(run, node->any_of.nodes[i], value, path);
	if (node->any_of.n > 0 && matched == 0) {
		if (node->any_of.n == 1)
			check(run, node->any_of.nodes[0], value, path);
		else
			violation(run, path, "matches none of the %zu forms that are allowed here",
					  node->any_of.n);
	}
	matched = 0;
	for (size_t i = 0; i < node->one_of.n; i++)
		matched += fits(run, node->one_of.nodes[i], value, path);
	if (node->one_of.n > 0 && matched != 1)
		violation(run, path, "must match exactly one of %zu forms, and matches %zu", node->one_of.n,
				  matched);
	if (node->negated && fits(run, node->negated, value, path))
		violation(run, path, "has a form that is not allowed here");
	if (node->condition) {
		const struct schema_node *then =
			fits(run, node->condition, value, path) ? node->consequence : node->alternative;

		if (then)
			check(run, then, value, path);
	}
}

static int check(struct run *run, const struct schema_node *node, const json_t *value,
				 const struct path *path)
{
	int before = run->violations;

	if (run->gave_up || ++run->work > MAX_WORK || run->depth >= MAX_DEPTH) {
		/* Told once, at the end: what a branch that was given up would say counts for nothing. */
		run->gave_up = true;
		return 0;
	}
	run->depth++;
	if (node->never)
		violation(run, path, "nothing is allowed here");
	check_type(run, node, value, path);
	check_values(run, node, value, path);
	if (json_is_number(value))
		check_number(run, node, value, path);
	else if (json_is_string(value))
		check_string(run, node, value, path);
	else if (json_is_array(value))
		check_array(run, node, value, path);
	else if (json_is_object(value))
		check_object(run, node, value, path);
	check_branches(run, node, value, path);
	if (node->ref)
		check(run, node->ref, value, path);
	run->depth--;
	return run->violations - before;
}

int schema_validate(const struct schema *schema, const json_t *value,
					void (*report)(void *ctx, const struct err *err), void *report_ctx)
{
	struct run run = {.report = report, .ctx = report_ctx};
	const struct path root = {NULL, NULL, 0};

	check(&run, schema->nodes[0], value, &root);
	if (run.gave_up)
		violation(&run, &root, "is too much to be checked with its schema");
	return run.violations;
}
