/*
 * What differs between two versions of a definition: steps that are new, gone, elsewhere or
 * changed, and all other keys. Pure, over the documents as JSON; a step is known by its id, one in
 * a block as "block/step".
 *
 *   {"same":false,"truncated":false,
 *    "steps":[{"step":"pay","list":"steps","change":"added","at":3},
 *             {"step":"log","list":"steps","change":"removed","was_at":1},
 *             {"step":"ship","list":"steps","change":"moved","was_at":1,"at":4},
 *             {"step":"hold","list":"steps","change":"changed",
 *              "members":[{"pointer":"/http/path","change":"changed","from":"/a","to":"/b"}]}],
 *    "members":[{"pointer":"/deadline","change":"added","to":"3d"}]}
 *
 * Places count from 1, in their list.
 */
#ifndef SAGAS_DEF_DIFF_H
#define SAGAS_DEF_DIFF_H

#include <jansson.h>

#include "sagas/base/buf.h"

enum { DEF_DIFF_MAX = 2000 }; /* changes that are told; past them `truncated` is true */

/* The caller's. */
json_t *def_diff(const json_t *from, const json_t *to) MUST_CHECK;

/* The same in words, a line for each change; nothing when there is none. */
void def_diff_words(const json_t *diff, struct buf *out);

#endif
