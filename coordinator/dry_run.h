/*
 * What an act would do to a saga: the real decision on a state of one's own, and nothing sent.
 */
#ifndef COORDINATOR_DRY_RUN_H
#define COORDINATOR_DRY_RUN_H

#include "sagas/decide.h"

/*
 * state was folded from a history, and is of no use afterwards. Appends
 *
 *   {"dry_run":true, "act":"cancel", "status":"compensating", "events":["SagaCancelRequested",…],
 *    "calls":[{"step","item","kind":"undo","via":"http","to","method","path","key","body"},
 *             {…,"via":"command","to","type","record_key","key","body"},
 *             {…,"via":"emit","cluster","topic","type","record_key","body"},…],
 *    "in_flight":[…]}
 *
 * `calls` are those that would be made, in their order, if each undo succeeds; `in_flight` are
 * those that were made before and are waited for. An error of saga_decide: the act would be
 * refused.
 */
int dry_run(struct saga_state *state, const struct act *act, wall_ms now, struct buf *out,
			struct err *err) MUST_CHECK;

#endif
