/*
 * Who is in which group, as far as the configuration says it (approvals.groups). Of a group that
 * it does not know the word of whoever calls is taken.
 */
#ifndef COORDINATOR_APPROVAL_GROUPS_H
#define COORDINATOR_APPROVAL_GROUPS_H

#include <jansson.h>
#include <stdbool.h>

/* groups: {name: [persons]}, NULL: none; only read, so several threads may. */

bool approval_group_is_known(const json_t *groups, const char *group);
bool approval_group_has(const json_t *groups, const char *group, const char *person);

/*
 * The groups that a person is in: those that the configuration says, and those of `claimed` (a
 * list; NULL: none) that it does not know. The caller's.
 */
json_t *approval_groups_of(const json_t *groups, const char *person, const json_t *claimed);

#endif
