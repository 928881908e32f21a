/*
 * What the parts of act_allowed share, and decide asks, too:
 *
 *   act_allowed.c         acts of the saga; the table of what is allowed
 *   act_allowed_step.c    acts of a step or its compensation
 *   act_allowed_forget.c  which steps can begin anew
 */
#ifndef SAGAS_ACT_ALLOWED_PRIV_H
#define SAGAS_ACT_ALLOWED_PRIV_H

#include "sagas/act_allowed.h"

/* One action or its compensation. */
struct act_place {
	int step, item;
	enum side side;
};

/* act_allowed_step.c */

/* Where a step act is to be done. ERR_NOT_FOUND, ERR_INVALID, ERR_CONFLICT (it has not begun). */
int act_place_find(const struct saga_state *state, const struct act *act,
				   struct act_place *ret_place, struct err *err) MUST_CHECK;
int act_allowed__step(const struct saga_state *state, const struct act *act, wall_ms now,
					  struct err *err) MUST_CHECK;
/* It is parked, has failed or backs off: a retry of the saga tries it now. */
bool act_allowed__is_retried(const struct saga_state *state, struct act_place place);

/* act_allowed_forget.c */

/* The steps that a retry `from`, or a reset, lets begin anew: one flag for each step; the caller's.
 * NULL: what was named is not known, or has not begun. */
bool *act_forget_set(const struct saga_state *state, const struct act *act,
					 struct err *err) MUST_CHECK;
/* Whatever became of it, the world is as it was. */
bool act_has_no_effect(const struct step_def *def);
int act_allowed__forget(const struct saga_state *state, const struct act *act, wall_ms now,
						struct err *err) MUST_CHECK;

#endif
