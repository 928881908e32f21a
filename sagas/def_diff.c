#include "sagas/def_diff.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "sagas/json_text.h"

enum { WORDS_MAX_BYTES = 120 }; /* of a value, in words */

struct diff {
	json_t *steps, *members;
	size_t n;
};

static bool is_full(struct diff *diff)
{
	return diff->n >= DEF_DIFF_MAX;
}

/* Members. */

/* A key as RFC 6901 has it in a pointer. */
static char *pointer_to(const char *pointer, const char *key)
{
	struct buf out;
	char *text;

	buf_init(&out, 0);
	buf_add_str(&out, pointer);
	buf_add_char(&out, '/');
	for (const char *c = key; *c; c++) {
		if (*c == '~')
			buf_add_lit(&out, "~0");
		else if (*c == '/')
			buf_add_lit(&out, "~1");
		else
			buf_add_char(&out, *c);
	}
	text = buf_take(&out, NULL);
	buf_release(&out);
	return text;
}

static void add_member(struct diff *diff, json_t *list, const char *pointer, const json_t *from,
					   const json_t *to)
{
	json_t *member;

	if (is_full(diff))
		return;
	diff->n++;
	member = json_pack("{s:s, s:s}", "pointer", pointer, "change",
					   !from ? "added" : (!to ? "removed" : "changed"));
	if (from)
		json_object_set(member, "from", (json_t *)from);
	if (to)
		json_object_set(member, "to", (json_t *)to);
	json_array_append_new(list, member);
}

/* Objects are looked into; all else is compared as a whole. skip: keys that are looked at
 * elsewhere. Recursion is as deep as the loader allows. */
static void diff_members(struct diff *diff, json_t *list, const char *pointer, const json_t *from,
						 const json_t *to, const char *const *skip)
{
	const char *key;
	json_t *value;

	if (json_equal(from, to) && from)
		return;
	if (!json_is_object(from) || !json_is_object(to)) {
		add_member(diff, list, pointer, from, to);
		return;
	}
	json_object_foreach ((json_t *)from, key, value) {
		CLEANUP(free_p) char *below = pointer_to(pointer, key);
		bool skipped = false;

		for (size_t i = 0; skip && skip[i]; i++)
			skipped |= strcmp(skip[i], key) == 0;
		if (!skipped)
			diff_members(diff, list, below, value, json_object_get(to, key), NULL);
	}
	json_object_foreach ((json_t *)to, key, value) {
		CLEANUP(free_p) char *below = pointer_to(pointer, key);
		bool skipped = json_object_get(from, key) != NULL;

		for (size_t i = 0; skip && skip[i]; i++)
			skipped |= strcmp(skip[i], key) == 0;
		if (!skipped)
			add_member(diff, list, below, NULL, value);
	}
}

/* Steps. */

static const char *id_of(const json_t *step)
{
	const char *id = json_string_value(json_object_get(step, "id"));

	return id ? id : "";
}

/* Where the step with this id stands, or -1. */
static int place_of(const json_t *steps, const char *id)
{
	const json_t *step;
	size_t i;

	json_array_foreach (steps, i, step)
		if (strcmp(id_of(step), id) == 0)
			return (int)i;
	return -1;
}

static json_t *add_step(struct diff *diff, const char *list, const char *prefix, const char *id,
						const char *change)
{
	CLEANUP(free_p) char *name = xasprintf("%s%s", prefix, id);
	json_t *step = json_pack("{s:s, s:s, s:s}", "step", name, "list", list, "change", change);

	diff->n++;
	json_array_append_new(diff->steps, step);
	return step;
}

/*
 * Of the steps that are in both, the longest run that kept its order stays; what is not in it has
 * moved. was[i] is where the i-th of them stood; ret_moved[i]: it is not in that run.
 */
static void find_moved(const int *was, int n, bool *ret_moved)
{
	CLEANUP(free_p) int *length = xcalloc((size_t)n + 1, sizeof(int));
	CLEANUP(free_p) int *before = xcalloc((size_t)n + 1, sizeof(int));
	int best = -1;

	for (int i = 0; i < n; i++) {
		length[i] = 1;
		before[i] = -1;
		ret_moved[i] = true;
		for (int k = 0; k < i; k++)
			if (was[k] < was[i] && length[k] + 1 > length[i]) {
				length[i] = length[k] + 1;
				before[i] = k;
			}
		if (best < 0 || length[i] > length[best])
			best = i;
	}
	for (int i = best; i >= 0; i = before[i])
		ret_moved[i] = false;
}

static void diff_steps(struct diff *diff, const char *list, const char *prefix, const json_t *from,
					   const json_t *to);

/* A step that is in both: what of it has changed, and what of its block. */
static void diff_step(struct diff *diff, const char *list, const char *prefix, const json_t *from,
					  const json_t *to)
{
	static const char *const block[] = {"steps", NULL};
	const json_t *inner_from = json_object_get(from, "steps"),
				 *inner_to = json_object_get(to, "steps");
	bool blocks = json_is_array(inner_from) && json_is_array(inner_to);
	CLEANUP(free_p) char *inner = xasprintf("%s%s/", prefix, id_of(to));
	json_t *members = json_array();

	diff_members(diff, members, "", from, to, blocks ? block : NULL);
	if (json_array_size(members) > 0)
		json_object_set(add_step(diff, list, prefix, id_of(to), "changed"), "members", members);
	json_decref(members);
	if (blocks)
		diff_steps(diff, list, inner, inner_from, inner_to);
}

static void diff_kept(struct diff *diff, const char *list, const char *prefix, const json_t *from,
					  const json_t *to)
{
	size_t size = json_array_size(to), i;
	CLEANUP(free_p) int *was = xcalloc(size + 1, sizeof(int));
	CLEANUP(free_p) int *at = xcalloc(size + 1, sizeof(int));
	CLEANUP(free_p) bool *moved = xcalloc(size + 1, sizeof(bool));
	const json_t *step;
	int n = 0;

	json_array_foreach (to, i, step) {
		was[n] = place_of(from, id_of(step));
		at[n] = (int)i;
		n += was[n] >= 0;
	}
	find_moved(was, n, moved);
	for (int k = 0; k < n && !is_full(diff); k++) {
		step = json_array_get(to, (size_t)at[k]);
		if (moved[k]) {
			json_t *told = add_step(diff, list, prefix, id_of(step), "moved");

			json_object_set_new(told, "was_at", json_integer(was[k] + 1));
			json_object_set_new(told, "at", json_integer(at[k] + 1));
		}
		diff_step(diff, list, prefix, json_array_get(from, (size_t)was[k]), step);
	}
}

static void diff_steps(struct diff *diff, const char *list, const char *prefix, const json_t *from,
					   const json_t *to)
{
	const json_t *step;
	size_t i;

	json_array_foreach (from, i, step) {
		if (place_of(to, id_of(step)) < 0 && !is_full(diff))
			json_object_set_new(add_step(diff, list, prefix, id_of(step), "removed"), "was_at",
								json_integer((json_int_t)i + 1));
	}
	json_array_foreach (to, i, step) {
		if (place_of(from, id_of(step)) < 0 && !is_full(diff))
			json_object_set_new(add_step(diff, list, prefix, id_of(step), "added"), "at",
								json_integer((json_int_t)i + 1));
	}
	diff_kept(diff, list, prefix, from, to);
}

json_t *def_diff(const json_t *from, const json_t *to)
{
	static const char *const lists[] = {"steps", "on_compensated", NULL};
	struct diff diff = {.steps = json_array(), .members = json_array()};

	for (size_t i = 0; lists[i]; i++)
		diff_steps(&diff, lists[i], "", json_object_get(from, lists[i]),
				   json_object_get(to, lists[i]));
	diff_members(&diff, diff.members, "", from, to, lists);
	return json_pack("{s:b, s:b, s:o, s:o}", "same", diff.n == 0, "truncated", is_full(&diff),
					 "steps", diff.steps, "members", diff.members);
}

/* Words. */

static void add_value(const json_t *value, struct buf *out)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	json_write(value, &text);
	if (text.len <= WORDS_MAX_BYTES)
		buf_add(out, text.data, text.len);
	else
		buf_printf(out, "(%zu bytes)", text.len);
}

/* "/http/path" as http.path, as people write it. */
static void add_path(const char *pointer, struct buf *out)
{
	for (const char *c = *pointer ? pointer + 1 : pointer; *c; c++)
		buf_add_char(out, *c == '/' ? '.' : *c);
}

static void add_member_words(const json_t *member, struct buf *out)
{
	const json_t *from = json_object_get(member, "from"), *to = json_object_get(member, "to");

	add_path(json_string_value(json_object_get(member, "pointer")), out);
	if (!from) {
		buf_add_lit(out, " is new: ");
		add_value(to, out);
	} else if (!to) {
		buf_add_lit(out, " is gone, was ");
		add_value(from, out);
	} else {
		buf_add_lit(out, ": ");
		add_value(from, out);
		buf_add_lit(out, " -> ");
		add_value(to, out);
	}
	buf_add_char(out, '\n');
}

static void add_step_words(const json_t *step, struct buf *out)
{
	const char *change = json_string_value(json_object_get(step, "change"));
	const char *list = json_string_value(json_object_get(step, "list"));
	const json_t *member;
	size_t i;

	buf_add_char(out, strcmp(change, "added") == 0     ? '+'
					  : strcmp(change, "removed") == 0 ? '-'
													   : '~');
	buf_printf(out, " step %s", json_string_value(json_object_get(step, "step")));
	if (strcmp(list, "steps") != 0)
		buf_printf(out, " of %s", list);
	if (strcmp(change, "moved") == 0)
		buf_printf(out, " is number %lld, was number %lld",
				   (long long)json_integer_value(json_object_get(step, "at")),
				   (long long)json_integer_value(json_object_get(step, "was_at")));
	else if (strcmp(change, "added") == 0)
		buf_printf(out, " is new, number %lld",
				   (long long)json_integer_value(json_object_get(step, "at")));
	else if (strcmp(change, "removed") == 0)
		buf_add_lit(out, " is gone");
	buf_add_char(out, '\n');
	json_array_foreach (json_object_get(step, "members"), i, member) {
		buf_add_lit(out, "    ");
		add_member_words(member, out);
	}
}

void def_diff_words(const json_t *diff, struct buf *out)
{
	const json_t *at;
	size_t i;

	json_array_foreach (json_object_get(diff, "steps"), i, at)
		add_step_words(at, out);
	json_array_foreach (json_object_get(diff, "members"), i, at) {
		buf_add_lit(out, "~ ");
		add_member_words(at, out);
	}
	if (json_is_true(json_object_get(diff, "truncated")))
		buf_add_lit(out, "... and more, which is not told\n");
}
