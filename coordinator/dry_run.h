/*
 * What an act would do to a saga: the real decision on a state of one's own, and nothing sent.
 */
#ifndef COORDINATOR_DRY_RUN_H
#define COORDINATOR_DRY_RUN_H

#include "sagas/act.h"
#include "sagas/decide.h"

/*
 * state was folded from a history, and is of no use afterwards. Appends
 *
 *   {"dry_run":true, "act":"cancel", "status":"compensating", "events":["ActTaken",…],
 *    "calls":[{"step","item","kind":"undo","via":"http","to","method","path","key","body"},
 *             {…,"via":"command","to","type","record_key","key","body"},
 *             {…,"via":"emit","cluster","topic","type","record_key","body"},…],
 *    "calls_at_resume":[…], "in_flight":[…]}
 *
 * `calls` are those that would be made, in their order, if each undo succeeds; `calls_at_resume`,
 * of a saga that is paused then, those that leave when it is resumed; `in_flight` are those that
 * were made before and are waited for. Of an act on a step, "step", "item" and "compensation": true
 * stand beside "act". ERR_CONFLICT and others of saga_decide: the act would be refused.
 */
int dry_run(struct saga_state *state, const struct act *act, wall_ms now, struct buf *out,
			struct err *err) MUST_CHECK;

/*
 * A state that was folded from a history does not know which calls are out. This marks those that
 * are, if their owner has not died since: what is asked about the state then has the answer that
 * the owner would give.
 */
void mark_calls_out(struct saga_state *state);

#endif
