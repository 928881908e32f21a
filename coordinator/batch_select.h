/*
 * The sagas that a batch is of: what a filter matches, page by page, each page bounded by what it
 * looks at. Sagas that began after the batch was made are not among them.
 */
#ifndef COORDINATOR_BATCH_SELECT_H
#define COORDINATOR_BATCH_SELECT_H

#include <stdbool.h>

#include "connectors/store.h"

enum { BATCH_SELECT_MAX = 500 /* sagas of one page */ };

struct batch_select {
	const char *ns, *query;
	wall_ms made_at;
	char after[SAGA_ID_SIZE]; /* how far it has come; "": from the top */
	bool all;                 /* it has come to the end */
	char ids[BATCH_SELECT_MAX][SAGA_ID_SIZE];
	size_t n;
};

/* The next page, of up to limit sagas; perhaps of none, though it is not the last. ERR_INVALID: the
 * query cannot be read. Thread: the reader's. */
int batch_select_page(struct batch_select *select, struct store_reader *reader, size_t limit,
					  struct err *err) MUST_CHECK;

#endif
