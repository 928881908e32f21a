/*
 * The loader's ground: nodes that know their JSON pointer, findings, and the reading of plain
 * values. Everything here reports what is wrong and what would be right, and goes on.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/suggest.h"
#include "sagas/base/time.h"
#include "sagas/def_priv.h"
#include "sagas/json_text.h"

static const int64_t MAX_DURATION_MS = INT64_C(36600) * 24 * 3600 * 1000;

struct node node_child(const struct node *at, const char *key)
{
	return (struct node){.load = at->load,
						 .up = at,
						 .key = key,
						 .value = json_object_get(at->value, key),
						 .place = at->place};
}

struct node node_item(const struct node *at, size_t index)
{
	return (struct node){.load = at->load,
						 .up = at,
						 .index = index,
						 .value = json_array_get(at->value, index),
						 .place = at->place};
}

struct node node_placed(const struct node *at, const struct place *place)
{
	struct node copy = *at;

	copy.place = place;
	return copy;
}

/* Recursion is as deep as the grammar, whose blocks read_block limits. */
static void add_pointer(const struct node *at, struct buf *out)
{
	if (!at->up)
		return;
	add_pointer(at->up, out);
	buf_add_char(out, '/');
	if (!at->key) {
		buf_add_int(out, (int64_t)at->index);
		return;
	}
	json_write_pointer_key(at->key, out);
}

void node_pointer(const struct node *at, char *text, size_t size)
{
	struct buf out;

	buf_init(&out, 0);
	add_pointer(at, &out);
	snprintf(text, size, "%s", buf_str(&out));
	buf_release(&out);
}

/* What could not be read as it stands is no reason to complain about what was made of it. */
static bool known_from_reading(const struct load *load, const char *pointer)
{
	for (size_t i = 0; i < load->n_of_reading; i++) {
		const char *wrong = load->findings->list[i].pointer;
		size_t len = strlen(wrong);

		if (len > 0 && strncmp(pointer, wrong, len) == 0 && strchr("/", pointer[len]))
			return true;
	}
	return false;
}

PRINTF_LIKE(4, 0)
static void find_v(struct load *load, const char *pointer, enum finding_level level,
				   const char *fmt, va_list args)
{
	CLEANUP(free_p) char *text = NULL;

	if (load->muted || known_from_reading(load, pointer))
		return;
	if (vasprintf(&text, fmt, args) < 0)
		text = xstrdup("(no memory for the text)");
	findings_add(load->findings, level, doc_places_line(load->places, pointer), pointer, "%s",
				 text);
}

void find_at(const struct node *at, enum finding_level level, const char *fmt, ...)
{
	char pointer[256];
	va_list args;

	node_pointer(at, pointer, sizeof(pointer));
	va_start(args, fmt);
	find_v(at->load, pointer, level, fmt, args);
	va_end(args);
}

void find_pointer(struct load *load, const char *pointer, enum finding_level level, const char *fmt,
				  ...)
{
	va_list args;

	va_start(args, fmt);
	find_v(load, pointer, level, fmt, args);
	va_end(args);
}

void not_built(const struct node *at, const char *what)
{
	find_at(at, FINDING_NOT_BUILT, "%s is known but not built yet in this version", what);
}

const char *type_text(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static const struct key_rule *find_rule(const struct key_rule *rules, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rules[i].key, key) == 0)
			return &rules[i];
	}
	return NULL;
}

static void unknown_key(const struct node *at, const char *what, const struct key_rule *rules,
						size_t n)
{
	struct suggest suggest;
	struct buf all;

	suggest_init(&suggest, at->key, strlen(at->key));
	for (size_t i = 0; !at->load->findings->truncated && i < n; i++)
		suggest_offer(&suggest, rules[i].key);
	if (suggest_best(&suggest)) {
		find_at(at, FINDING_ERROR, "unknown key `%.64s` in %s; did you mean `%s`?", at->key, what,
				suggest_best(&suggest));
		return;
	}
	buf_init(&all, 1024);
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", rules[i].key);
	find_at(at, FINDING_ERROR, "unknown key `%.64s` in %s; it may have: %s", at->key, what,
			buf_str(&all));
	buf_release(&all);
}

bool read_object(const struct node *at, const char *what, const struct key_rule *rules, size_t n,
				 void *to)
{
	const char *key;
	json_t *value;

	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR, "%s must be an object, not %s", what, type_text(at->value));
		return false;
	}
	json_object_foreach (at->value, key, value) {
		const struct key_rule *rule = find_rule(rules, n, key);
		struct node child = node_child(at, key);

		if (!rule)
			unknown_key(&child, what, rules, n);
		else if (rule->read)
			rule->read(&child, to);
	}
	return true;
}

bool is_misspelled(const json_t *object, const char *key)
{
	const char *other;
	json_t *value;

	json_object_foreach ((json_t *)object, other, value) {
		struct suggest suggest;

		suggest_init(&suggest, other, strlen(other));
		suggest_offer(&suggest, key);
		if (suggest_best(&suggest))
			return true;
	}
	return false;
}

bool need_key(const struct node *at, const char *key, const char *why)
{
	if (!json_is_object(at->value) || json_object_get(at->value, key))
		return true;
	if (!is_misspelled(at->value, key))
		find_at(at, FINDING_ERROR, "`%s` is missing: %s", key, why);
	return false;
}

bool want_list(const struct node *at, const char *example)
{
	if (json_is_array(at->value))
		return true;
	find_at(at, FINDING_ERROR, "`%s` must be a list such as %s, not %s", at->key ? at->key : "this",
			example, type_text(at->value));
	return false;
}

/* How a node is called in a finding. */
static const char *node_name(const struct node *at)
{
	while (!at->key && at->up)
		at = at->up;
	return at->key ? at->key : "the document";
}

const char *read_string(const struct node *at)
{
	if (!json_is_string(at->value)) {
		find_at(at, FINDING_ERROR, "`%s` must be text, not %s", node_name(at),
				type_text(at->value));
		return NULL;
	}
	if (!*json_string_value(at->value)) {
		find_at(at, FINDING_ERROR, "`%s` is empty", node_name(at));
		return NULL;
	}
	return json_string_value(at->value);
}

bool read_int(const struct node *at, int64_t least, int64_t most, int64_t *ret)
{
	json_int_t n = json_integer_value(at->value);

	if (json_is_integer(at->value) && n >= least && n <= most) {
		*ret = n;
		return true;
	}
	if (most == INT64_MAX)
		find_at(at, FINDING_ERROR, "`%s` must be a whole number of at least %lld", node_name(at),
				(long long)least);
	else
		find_at(at, FINDING_ERROR, "`%s` must be a whole number from %lld to %lld", node_name(at),
				(long long)least, (long long)most);
	return false;
}

bool read_bool(const struct node *at, bool *ret)
{
	if (json_is_boolean(at->value)) {
		*ret = json_is_true(at->value);
		return true;
	}
	find_at(at, FINDING_ERROR, "`%s` must be true or false, not %s", node_name(at),
			type_text(at->value));
	return false;
}

int read_word(const struct node *at, const char *const *words, size_t n)
{
	const char *word = json_string_value(at->value);
	struct suggest suggest;
	struct buf all;

	for (size_t i = 0; word && i < n; i++) {
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	}
	buf_init(&all, 1024);
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
	suggest_init(&suggest, word ? word : "", word ? strlen(word) : 0);
	for (size_t i = 0; i < n; i++)
		suggest_offer(&suggest, words[i]);
	if (word && suggest_best(&suggest))
		find_at(at, FINDING_ERROR, "`%s` must be %s; did you mean `%s`?", node_name(at),
				buf_str(&all), suggest_best(&suggest));
	else
		find_at(at, FINDING_ERROR, "`%s` must be %s", node_name(at), buf_str(&all));
	buf_release(&all);
	return -1;
}

const char *read_name(const struct node *at, const char *what, size_t max, bool dash)
{
	const char *name = read_string(at);
	size_t i;

	if (!name)
		return NULL;
	for (i = 0; name[i]; i++) {
		bool letter = name[i] >= 'a' && name[i] <= 'z';
		bool later =
			(name[i] >= '0' && name[i] <= '9') || name[i] == '_' || (dash && name[i] == '-');

		if (!letter && !(later && i > 0)) {
			find_at(at, FINDING_ERROR, "%s `%.64s` must match [a-z][a-z0-9_%s]*", what, name,
					dash ? "-" : "");
			return NULL;
		}
	}
	if (i > max) {
		find_at(at, FINDING_ERROR, "%s has %zu characters; at most %zu are allowed", what, i, max);
		return NULL;
	}
	return name;
}

bool is_whole_expr(const char *text)
{
	size_t len = strlen(text);

	return len > 3 && strncmp(text, "${", 2) == 0 && text[len - 1] == '}';
}

/* Constants are checked at once; what expressions give is checked with their types. */
static bool constant_fits(const struct node *at, enum want want)
{
	const json_t *value = at->value;
	bool text = json_is_string(value);

	switch (want) {
	case WANT_ANY:
		return true;
	case WANT_BOOL:
		if (json_is_boolean(value) || (text && is_whole_expr(json_string_value(value))))
			return true;
		if (text)
			find_at(at, FINDING_ERROR,
					"`%s` must be true, false or one expression; write \"${%.100s}\"",
					node_name(at), json_string_value(value));
		else
			find_at(at, FINDING_ERROR, "`%s` must be true, false or one ${expression}, not %s",
					node_name(at), type_text(value));
		return false;
	case WANT_LIST:
		if (json_is_array(value) || (text && is_whole_expr(json_string_value(value))))
			return true;
		find_at(at, FINDING_ERROR, "`%s` must be a list or one ${expression} that gives a list",
				node_name(at));
		return false;
	case WANT_OBJECT:
		if (json_is_object(value) || (text && is_whole_expr(json_string_value(value))))
			return true;
		find_at(
			at, FINDING_ERROR,
			"`%s` must be an object such as {order: \"${input.id}\"}, or one ${expression} that "
			"gives one, not %s",
			node_name(at), type_text(value));
		return false;
	case WANT_SCALAR:
		if (text || json_is_number(value) || json_is_boolean(value))
			return true;
		find_at(at, FINDING_ERROR, "`%s` must be text or a number, not %s", node_name(at),
				type_text(value));
		return false;
	case WANT_STRING:
		if (text && *json_string_value(value))
			return true;
		find_at(at, FINDING_ERROR, "`%s` must be text, not %s", node_name(at),
				text ? "empty" : type_text(value));
		return false;
	case WANT_TIME:
		return true;
	}
	return true;
}

static void report_tmpl(void *ctx, const struct err *err)
{
	const struct node *at = ctx;
	char pointer[256];
	size_t len;

	node_pointer(at, pointer, sizeof(pointer));
	len = strlen(pointer);
	snprintf(pointer + len, sizeof(pointer) - len, "%s", err->place);
	find_pointer(at->load, pointer, FINDING_ERROR, "%s", err->text);
}

static void note_use(const struct node *at, enum want want, struct tmpl *tmpl, bool owned)
{
	struct load *load = at->load;
	char pointer[256];

	if (load->n_uses == load->cap_uses) {
		load->cap_uses = load->cap_uses ? load->cap_uses * 2 : 64;
		load->uses = xrealloc_array(load->uses, load->cap_uses, sizeof(*load->uses));
	}
	node_pointer(at, pointer, sizeof(pointer));
	load->uses[load->n_uses++] = (struct use){.tmpl = tmpl,
											  .owned = owned,
											  .pointer = xstrdup(pointer),
											  .source = at->value,
											  .place = *at->place,
											  .want = want};
}

void read_tmpl(const struct node *at, enum want want, struct tmpl **ret)
{
	struct tmpl *tmpl;

	if (!constant_fits(at, want))
		return;
	if (tmpl_compile(at->value, report_tmpl, (void *)at, &tmpl) < 0)
		return;
	if ((want == WANT_BOOL || want == WANT_LIST || want == WANT_OBJECT) &&
		json_is_string(at->value) && !tmpl_as_expr(tmpl)) {
		find_at(at, FINDING_ERROR, "`%s` must be one ${expression}, not text with several",
				node_name(at));
		tmpl_free(tmpl);
		return;
	}
	if (!at->load->muted)
		note_use(at, want, tmpl, !ret);
	else if (!ret)
		tmpl_free(tmpl);
	if (ret) {
		CHECK(!*ret);
		*ret = tmpl;
	}
}

bool read_duration(const struct node *at, int64_t *ret_ms)
{
	const char *text = json_string_value(at->value);
	struct err err;

	if (!text) {
		find_at(at, FINDING_ERROR, "`%s` must be a duration such as 200ms, 3s, 4h or 3d, not %s",
				node_name(at), type_text(at->value));
		return false;
	}
	if (duration_parse(text, ret_ms, &err) < 0) {
		find_at(at, FINDING_ERROR, "`%s`: %s", node_name(at), err.text);
		return false;
	}
	if (*ret_ms > MAX_DURATION_MS) {
		find_at(at, FINDING_ERROR, "`%s` must be at most 36600d, a hundred years", node_name(at));
		return false;
	}
	if (*ret_ms == 0) {
		find_at(at, FINDING_ERROR, "`%s` must be longer than nothing", node_name(at));
		return false;
	}
	return true;
}

void read_limit(const struct node *at, struct limit *ret)
{
	const char *text = json_string_value(at->value);
	int64_t ms;

	if (text && strstr(text, "${")) {
		read_tmpl(at, WANT_TIME, &ret->tmpl);
		ret->ms = -1;
	} else if (read_duration(at, &ms)) {
		ret->ms = ms;
	}
}

void load_keep(struct load *load, const struct action_def *scratch)
{
	load->kept = xrealloc_array(load->kept, load->n_kept + 1, sizeof(*load->kept));
	load->kept[load->n_kept++] = *scratch;
}
