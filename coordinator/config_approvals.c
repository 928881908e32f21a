/* Who is in which group of those that decide approvals: approvals.groups. */
#include <string.h>

#include "coordinator/config_priv.h"
#include "sagas/json_text.h"

enum {
	MAX_GROUPS = 1000,
	MAX_MEMBERS = 10000,
	NAME_MAX_BYTES = 200,
};

static void complain(const struct config_origin *origin, struct findings *findings,
					 const char *text)
{
	findings_add(findings, FINDING_ERROR, origin->line, origin->pointer, "%s", text);
}

/* The list of a group, which is emptied: the stronger source says all of it. */
static json_t *group_of(struct config *config, const char *name, const struct config_origin *origin,
						struct findings *findings)
{
	json_t *members;

	if (!*name || strlen(name) > NAME_MAX_BYTES) {
		complain(origin, findings, "the name of a group has 1 to 200 bytes");
		return NULL;
	}
	if (!config->approval_groups)
		config->approval_groups = json_object();
	if (json_object_size(config->approval_groups) >= MAX_GROUPS) {
		complain(origin, findings, "there are more than 1000 groups");
		return NULL;
	}
	members = json_array();
	if (json_object_set_new(config->approval_groups, name, members) < 0)
		return NULL;
	return members;
}

static void add_member(json_t *members, const char *name, size_t len,
					   const struct config_origin *origin, struct findings *findings)
{
	json_t *text = len > 0 && len <= NAME_MAX_BYTES ? json_stringn(name, len) : NULL;

	if (!text)
		complain(origin, findings, "the name of a person has 1 to 200 bytes of UTF-8");
	else if (json_array_size(members) >= MAX_MEMBERS)
		complain(origin, findings, "a group has more than 10000 members");
	else
		json_array_append(members, text);
	json_decref(text);
}

/* "ann, bob" */
static void add_members(json_t *members, const char *text, const struct config_origin *origin,
						struct findings *findings)
{
	while (*text) {
		size_t len = strcspn(text, ","), end = len;

		while (end > 0 && text[end - 1] == ' ')
			end--;
		add_member(members, text, end, origin, findings);
		text += len;
		text += strspn(text, ", ");
	}
}

void config__set_approval_group(struct config *config, const char *name, const json_t *said,
								const struct config_origin *origin, struct findings *findings)
{
	json_t *members = group_of(config, name, origin, findings);
	const json_t *one;
	size_t i;

	if (!members)
		return;
	if (json_is_string(said)) {
		add_members(members, json_string_value(said), origin, findings);
		return;
	}
	if (!json_is_array(said))
		complain(origin, findings, "a group is a list of names, such as [ann, bob]");
	json_array_foreach (said, i, one) {
		if (json_is_string(one))
			add_member(members, json_string_value(one), json_string_length(one), origin, findings);
		else
			complain(origin, findings, "a group is a list of names, such as [ann, bob]");
	}
}

/* A group that is known, whose `-` the environment writes as `_`; else the name as it came. */
static const char *known_group(const struct config *config, const char *name)
{
	const char *known;
	json_t *members;

	json_object_foreach (config->approval_groups, known, members) {
		size_t i = 0;

		while (known[i] && name[i] && (known[i] == name[i] || (known[i] == '-' && name[i] == '_')))
			i++;
		if (!known[i] && !name[i])
			return known;
	}
	return name;
}

bool config__approvals_variable(struct config *config, const char *key, const char *value,
								const struct config_origin *origin, struct findings *findings)
{
	CLEANUP(json_decref_p) json_t *text = json_string(value);
	CLEANUP(free_p) char *name = NULL;

	if (strncmp(key, "groups__", 8) != 0)
		return false;
	name = xstrdup(known_group(config, key + 8));
	config__set_approval_group(config, name, text, origin, findings);
	return true;
}

void config__approvals_print(const struct config *config, FILE *out)
{
	const json_t *one;
	const char *name;
	json_t *members;
	size_t i;

	if (json_object_size(config->approval_groups) == 0)
		return;
	fputs("approvals:\n  groups:\n", out);
	json_object_foreach (config->approval_groups, name, members) {
		fputs("    ", out);
		config__print_string(name, out);
		fputs(": [", out);
		json_array_foreach (members, i, one) {
			fputs(i > 0 ? ", " : "", out);
			config__print_string(json_string_value(one), out);
		}
		fputs("]\n", out);
	}
}
