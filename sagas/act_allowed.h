/*
 * Which acts a saga takes in its state, and why not the others. One function answers the core
 * (which refuses by it), the API (which shows it) and the tests (which go through all of it).
 *
 * It looks at what is in the process, too: a state that was folded from the history alone does not
 * know that a call is out, so it may allow what the owner of the saga then refuses.
 */
#ifndef SAGAS_ACT_ALLOWED_H
#define SAGAS_ACT_ALLOWED_H

#include "sagas/act.h"
#include "sagas/state.h"

/*
 * 0: the act is taken. Otherwise err->text says why not, and what would work instead:
 *
 *   ERR_CONFLICT   the state does not allow it
 *   ERR_NOT_FOUND  the saga has no such step or item, or it has not begun
 *   ERR_INVALID    what was given with the act does not fit; err->place: the JSON pointer
 *   ERR_LIMIT      too many signals wait to be read
 *
 * The parameters of an act that have to be evaluated (`reply`, an edited request) are looked at
 * when it is decided; then it may be refused in the same ways all the same.
 */
int saga_act_allowed(const struct saga_state *state, const struct act *act, wall_ms now,
					 struct err *err) MUST_CHECK;

/*
 * {"saga":[{"act","allowed":bool,"why"?}],
 *  "actions":[{"step","item"?,"compensation":bool,"acts":[{"act","allowed","why"?}]}]}
 *
 * The acts of the saga (retry without `from`, reset left out: their parameters decide), and those
 * of each action that has begun, and of each compensation that was armed. The caller's.
 */
json_t *saga_acts_allowed(const struct saga_state *state, wall_ms now) MUST_CHECK;

/* The part of it that events of Kafka (`cancel_on`) are held to as well. ERR_CONFLICT. */
int saga_cancel_allowed(const struct saga_state *state, struct err *err) MUST_CHECK;

/* An act of this id was taken already (one of the last ACT_IDS_KEPT). id may be NULL. */
bool saga_act_is_known(const struct saga_state *state, const char *id);

/*
 * What a reset to this place forgets: the ids of the steps that were not settled in `then`, the
 * state as it was there. NULL-terminated; the caller's, as act.forget is.
 */
char **saga_reset_steps(const struct saga_state *then) MUST_CHECK;

#endif
