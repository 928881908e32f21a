#include "sagas/surroundings.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sagas/def_load.h"

struct search {
	const struct surroundings *around;
	const struct doc_places *places;
	struct findings *findings;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool has_secret(const struct surroundings *around, const char *name)
{
	for (size_t i = 0; i < around->n_secrets; i++)
		if (strcmp(around->secrets[i], name) == 0)
			return true;
	return false;
}

static void miss(const struct search *search, const char *pointer, bool secret, const char *name)
{
	const struct surroundings *around = search->around;

	if (secret ? has_secret(around, name) : json_object_get(around->env, name) != NULL)
		return;
	findings_add(
		search->findings, FINDING_WARNING,
		search->places ? doc_places_line(search->places, pointer) : 0, pointer,
		"the configuration of this server has no %s `%s`; a step that reads it fails until "
		"%s.%s is there",
		secret ? "secret" : "value of env", name, secret ? "secrets" : "env", name);
}

/* Every prefix.NAME of the expressions in a text. A text in quotes may look like one; it is only
 * advice. */
static void search_text(const struct search *search, const char *pointer, const char *text,
						bool secret)
{
	const char *prefix = secret ? "secret." : "env.";
	const char *at = strstr(text, "${");
	char name[129];

	while (at && (at = strstr(at, prefix)) != NULL) {
		bool inside = at > text && (is_word(at[-1]) || at[-1] == '.');
		size_t len = 0;

		at += strlen(prefix);
		while (is_word(at[len]))
			len++;
		if (inside || len == 0 || len >= sizeof(name))
			continue;
		memcpy(name, at, len);
		name[len] = '\0';
		miss(search, pointer, secret, name);
	}
}

static void search_value(const struct search *search, const char *pointer, const json_t *value)
{
	char inner[256];
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_string(value)) {
		search_text(search, pointer, json_string_value(value), false);
		search_text(search, pointer, json_string_value(value), true);
	}
	json_object_foreach ((json_t *)value, key, child) {
		snprintf(inner, sizeof(inner), "%.150s/%.100s", pointer, key);
		search_value(search, inner, child);
	}
	json_array_foreach (value, i, child) {
		snprintf(inner, sizeof(inner), "%.150s/%zu", pointer, i);
		search_value(search, inner, child);
	}
}

void surroundings_check(const struct surroundings *around, const json_t *doc,
						const struct doc_places *places, struct findings *findings)
{
	const struct search search = {around, places, findings};

	if (around)
		search_value(&search, "", doc);
}
