/*
 * Which starts a canary takes: a stable share of them, by what identifies a start (its key, else
 * its id), so that a start that is sent again goes to the same version.
 */
#ifndef SAGAS_SHARE_H
#define SAGAS_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the start belongs to the share of this version. Whoever is in a share stays in it when it
 * grows; another version's share is another selection.
 */
bool share_has(const char *ns, const char *definition, int64_t version, const char *identity,
			   int percent);

#endif
