/*
 * A saga as it stands in the store, for reading: its row, and the fold of its history, or of the
 * first part of it. Nothing here is shared with the engine, so what is not durable cannot be seen.
 */
#ifndef COORDINATOR_SAGA_VIEW_H
#define COORDINATOR_SAGA_VIEW_H

#include "connectors/store.h"
#include "coordinator/registry.h"
#include "sagas/state.h"

struct saga_view {
	struct saga_row row; /* as of now, whatever was folded */
	struct saga_state *state;
	int64_t seq; /* of the last row that was folded */
	wall_ms at;  /* its time */
};

/*
 * up_to_seq 0: the whole history. ERR_NOT_FOUND: no such saga in this namespace, or no row up to
 * there. Thread: the reader's.
 */
int saga_view_read(struct store_reader *reader, struct registry *registry, const char *ns,
				   const char *id, int64_t up_to_seq, struct saga_view *ret_view,
				   struct err *err) MUST_CHECK;
void saga_view_release(struct saga_view *view); /* takes all zeros */

#endif
