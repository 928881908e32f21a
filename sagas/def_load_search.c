/*
 * What sagas of a definition are found by: `search`, values of each saga, and `labels`, which are
 * the same for all of them; and whether a key may be used again.
 */
#include <string.h>

#include "sagas/def_priv.h"

static bool check_name(const struct node *at, const char *what)
{
	json_t *text = json_string(at->key);
	struct node as_name = *at;
	const char *name;

	as_name.value = text;
	name = read_name(&as_name, what, SEARCH_NAME_MAX, true);
	json_decref(text);
	return name != NULL;
}

static bool has_room(const struct node *at, const char *what)
{
	if (json_object_size(at->value) <= SEARCH_MAX)
		return true;
	find_at(at, FINDING_ERROR, "`%s` has more than %d names", what, SEARCH_MAX);
	return false;
}

/* As it is compared with: 3 and "3" are the same label. */
static char *label_text(const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	if (json_is_integer(value))
		return xasprintf("%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return xstrdup(json_is_true(value) ? "true" : "false");
	return xasprintf("%.17g", json_real_value(value));
}

static void read_label(const struct node *at, struct saga_def *def)
{
	CLEANUP(free_p) char *text = NULL;

	if (!json_is_string(at->value) && !json_is_number(at->value) && !json_is_boolean(at->value)) {
		find_at(at, FINDING_ERROR, "a label must be text, not %s", type_text(at->value));
		return;
	}
	if (!check_name(at, "the label"))
		return;
	text = label_text(at->value);
	if (!*text || strlen(text) > SEARCH_VALUE_MAX_BYTES) {
		find_at(at, FINDING_ERROR, "a label has 1 to %d bytes", SEARCH_VALUE_MAX_BYTES);
		return;
	}
	def->labels = xrealloc_array(def->labels, def->n_labels + 1, sizeof(*def->labels));
	def->labels[def->n_labels++] = (struct label_def){xstrdup(at->key), TAKE(text)};
}

void read_labels(const struct node *at, void *to)
{
	const char *name;
	json_t *value;

	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR, "`labels` must be an object of names and texts, not %s",
				type_text(at->value));
		return;
	}
	if (!has_room(at, "labels"))
		return;
	json_object_foreach (at->value, name, value) {
		struct node child = node_child(at, name);

		read_label(&child, to);
	}
}

void read_search(const struct node *at, void *to)
{
	const struct place place = {.names = BIT(EXPR_INPUT) | BIT(EXPR_SAGA)};
	struct saga_def *def = to;
	const char *name;
	json_t *value;

	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR, "`search` must be an object of names and values, not %s",
				type_text(at->value));
		return;
	}
	if (!has_room(at, "search"))
		return;
	json_object_foreach (at->value, name, value) {
		struct node child = node_child(at, name);
		struct tmpl *tmpl = NULL;

		child.place = &place;
		if (!check_name(&child, "the name"))
			continue;
		read_tmpl(&child, WANT_SCALAR, &tmpl);
		if (!tmpl)
			continue;
		def->search = xrealloc_array(def->search, def->n_search + 1, sizeof(*def->search));
		def->search[def->n_search++] = (struct search_def){xstrdup(name), tmpl};
	}
}

void read_key_reuse(const struct node *at, void *to)
{
	static const char *const words[] = {"never", "after_undo"};

	((struct saga_def *)to)->reuse_after_undo = read_word(at, words, ARRAY_SIZE(words)) == 1;
}

/* Labels are found in the same way, and stand beside the values of each saga. */
void lint_search(struct load *load)
{
	if (load->def->n_search + load->def->n_labels > SEARCH_MAX)
		find_pointer(load, "/labels", FINDING_ERROR,
					 "`search` and `labels` have more than %d names together", SEARCH_MAX);
	if (load->def->reuse_after_undo && load->def->recovery_forward)
		find_pointer(load, "/key_reuse", FINDING_WARNING,
					 "with `recovery: forward` nothing is undone, so no key is used again");
}
