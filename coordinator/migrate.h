/*
 * Whether a saga may go on by another version of its definition: where that version would have
 * decided the same, from the beginning of its run up to now.
 */
#ifndef COORDINATOR_MIGRATE_H
#define COORDINATOR_MIGRATE_H

#include "coordinator/saga_view.h"
#include "sagas/act.h"

/*
 * def is another version of the definition of view's saga. ERR_CONFLICT: its history or its input
 * forbid that it goes on by def, with the first event that would be another.
 */
int migrate_check_def(struct store_reader *reader, const struct saga_view *view,
					  struct saga_def *def, struct err *err) MUST_CHECK;
/*
 * Fills in act->replayed, for an ACT_MIGRATE to act->version. view is the saga as it stands.
 * ERR_CONFLICT: its history or its input forbid it, with the first event that would be another;
 * ERR_INVALID (place "/version"): there is no such version. Thread: the reader's.
 */
int migrate_check(struct store_reader *reader, struct registry *registry,
				  const struct saga_view *view, struct act *act, struct err *err) MUST_CHECK;

#endif
