/*
 * Whether this machine knows the time zones that a definition names: a warning where it does not,
 * since the one that runs it may.
 */
#ifndef COORDINATOR_ZONES_H
#define COORDINATOR_ZONES_H

#include "sagas/def_load.h"

/* places may be NULL. */
void zones_check(const struct saga_def *def, const struct doc_places *places,
				 struct findings *findings);

#endif
