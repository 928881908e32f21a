/*
 * Reset of a saga that has ended: its new run is a saga of its own, made here and committed like
 * any creation on a node that need not own the slot (create.h): whoever owns it finds it due.
 */
#ifndef COORDINATOR_NEW_RUN_H
#define COORDINATOR_NEW_RUN_H

#include "coordinator/create.h"
#include "coordinator/saga_view.h"
#include "sagas/act.h"

struct new_run_found {
	char id[SAGA_ID_SIZE]; /* of the new run */
	bool exists;           /* it was made before, */
	bool same;             /* … by the same act, to the same row */
	json_t *refusals; /* why it may not be made: [{"step"?, "reason"}]; NULL or empty: it may */
	struct saga_state *state; /* the fold of its history, up to where it begins; NULL: refused */
	int64_t first;            /* the row that the history begins with, */
	int64_t n;                /* … and how many of them it has */
	char fingerprint[SHA256_HEX_SIZE]; /* of the start, to which the key belongs; "": no key */
};
void new_run_found_release(struct new_run_found *found);

/*
 * What a reset of this saga, which has ended, to act->to means. ERR_INVALID: there is no such row,
 * or it is of an earlier run. Thread: the reader's.
 */
int new_run_find(struct store_reader *reader, struct registry *registry,
				 const struct saga_view *view, const struct act *act, wall_ms now,
				 struct new_run_found *ret_found, struct err *err) MUST_CHECK;

/* The new run of a saga that has ended, if there is one. False: there is none, or it cannot be
 * read. Thread: the reader's. */
bool new_run_exists(struct store_reader *reader, const struct saga_row *row,
					char ret_id[SAGA_ID_SIZE]);

/* Makes what is to be committed, of what was found without refusals; takes over its state. of: the
 * saga that has ended. */
int new_run_creation(struct new_run_found *found, const struct act *act, const char *of,
					 const struct lifecycle_topic *lifecycle, wall_ms now,
					 struct creation **ret_creation, struct err *err) MUST_CHECK;

#endif
