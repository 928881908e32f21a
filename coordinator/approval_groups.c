#include "coordinator/approval_groups.h"

#include <string.h>

bool approval_group_is_known(const json_t *groups, const char *group)
{
	return json_object_get(groups, group) != NULL;
}

bool approval_group_has(const json_t *groups, const char *group, const char *person)
{
	const json_t *members = json_object_get(groups, group), *one;
	size_t i;

	json_array_foreach (members, i, one)
		if (strcmp(json_string_value(one), person) == 0)
			return true;
	return false;
}

json_t *approval_groups_of(const json_t *groups, const char *person, const json_t *claimed)
{
	json_t *list = json_array(), *members;
	const json_t *one;
	const char *group;
	size_t i;

	json_object_foreach ((json_t *)groups, group, members)
		if (approval_group_has(groups, group, person))
			json_array_append_new(list, json_string(group));
	json_array_foreach (claimed, i, one)
		if (json_is_string(one) && !approval_group_is_known(groups, json_string_value(one)))
			json_array_append_new(list, json_string(json_string_value(one)));
	return list;
}
