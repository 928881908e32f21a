/*
 * What "back to row N of the history" means: which steps begin anew.
 */
#ifndef COORDINATOR_RESET_H
#define COORDINATOR_RESET_H

#include "coordinator/saga_view.h"
#include "sagas/act.h"

/*
 * Fills in act->forget, for an ACT_RESET to act->to. view is the saga as it stands. ERR_INVALID:
 * the history has no such row. Thread: the reader's.
 */
int reset_find(struct store_reader *reader, struct registry *registry, const struct saga_view *view,
			   struct act *act, struct err *err) MUST_CHECK;

#endif
