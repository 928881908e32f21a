/*
 * The ledger of a saga: each action and, on the same row, its compensation, and what is still owed.
 */
#ifndef COORDINATOR_LEDGER_H
#define COORDINATOR_LEDGER_H

#include "sagas/state.h"

/*
 * {"id","saga","namespace","version","status","summary","owed":n,
 *  "ledger":[{"step","pivot","undo":"declared", what saga_state_json says of the action,
 *             "owed":true}]}
 *
 * Owed is an undo that should happen, or that was given up, and has not happened.
 */
void ledger_write(const struct saga_state *state, wall_ms now, struct buf *out);

#endif
