/*
 * Reset of a saga that has ended: it stays as it is, and a new run begins, another saga whose
 * history begins with that of the first up to a row. What was settled there is not done again.
 *
 * So the world must be as that row says. What was settled has to stand still, and what came after
 * it must have left nothing behind: either it never took effect, or it was undone. Whatever speaks
 * against it is said, all of it.
 */
#ifndef SAGAS_NEW_RUN_H
#define SAGAS_NEW_RUN_H

#include "sagas/decide.h"
#include "sagas/state.h"

/*
 * then: the fold up to the row; end: the fold of all, whose saga has ended. Empty: a new run may
 * begin there; else why not: [{"step"?, "reason"}]. The caller's.
 */
json_t *saga_new_run_refusals(const struct saga_state *then, const struct saga_state *end,
							  wall_ms now) MUST_CHECK;

/*
 * The id of the new run of a saga. A saga has at most one, for what the prefix did can be undone
 * only once: the id follows from that of the saga and from when it ended, and is of the same slot.
 */
void saga_new_run_id(const char *of, wall_ms ended_at, char id[SAGA_ID_SIZE]);

struct new_run {
	const char *of;                   /* the saga that has ended, */
	int64_t seq;                      /* … and the row of its history */
	const char *act_id, *by, *reason; /* act_id may be NULL */
};

/*
 * Begins it: state is the fold of the copied rows under the new id. Nothing is scheduled; who owns
 * the slot does that, by INPUT_TIMER. Whether it may has been asked before.
 */
int saga_decide_new_run(struct saga_state *state, const struct new_run *run, wall_ms now,
						struct decision *decision, struct err *err) MUST_CHECK;

#endif
