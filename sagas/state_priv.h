/*
 * What the parts of the fold share: state.c folds what the engine does, state_act.c what people do.
 */
#ifndef SAGAS_STATE_PRIV_H
#define SAGAS_STATE_PRIV_H

#include "sagas/state.h"

/* Replaces the string by a copy of `from`, or by NULL. */
void state__set_string(char **to, const char *from);

/* state_act.c */

void state__apply_act(struct saga_state *state, const struct event *event);
/* An act of this id (may be NULL) was taken. */
void state__note_act_id(struct saga_state *state, const char *id);

#endif
