/*
 * Which sagas a definition starts by name: whether they are there, and those that it does not say
 * how to undo. Both can only be judged where those sagas are known, which is no business of the
 * loader.
 */
#ifndef SAGAS_DEF_CHILDREN_H
#define SAGAS_DEF_CHILDREN_H

#include "sagas/def_load.h"

/*
 * A saga that has passed its pivot completes and cannot be undone, so a step that starts one while
 * the way back is still open needs a `compensate` of its own, or `none` on purpose. This finds an
 * error for each step, also in blocks, that has neither and starts a saga of which has_pivot says
 * that it has one; of a saga that is not known it says false. places may be NULL.
 */
void def_children_check(const struct saga_def *def, bool (*has_pivot)(void *ctx, const char *saga),
						void *ctx, const struct doc_places *places, struct findings *findings);

/*
 * Warns of each step, also in blocks and on the way back, that starts a saga of which is_there says
 * that it is not; it says why in err. A warning, for what is missing may be deployed later.
 */
void def_children_find(const struct saga_def *def,
					   bool (*is_there)(void *ctx, const char *saga, struct err *err), void *ctx,
					   const struct doc_places *places, struct findings *findings);

#endif
