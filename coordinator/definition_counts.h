/*
 * How many sagas there are of each definition and version, by status: what the store counts, put
 * together so that a list of definitions can show it.
 */
#ifndef COORDINATOR_DEFINITION_COUNTS_H
#define COORDINATOR_DEFINITION_COUNTS_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

struct definition_count {
	char *definition;
	int64_t version;
	int64_t n[SAGA_STATUS_COUNT];
};

struct definition_counts {
	struct definition_count *list; /* by definition and version */
	size_t n;
};

/* definition NULL: of all. On failure nothing has to be released. */
int definition_counts_read(struct store_reader *reader, const char *ns, const char *definition,
						   struct definition_counts *ret_counts, struct err *err) MUST_CHECK;
void definition_counts_release(struct definition_counts *counts);

/* Appends {status:n…} of a version, or with 0 of all versions; all statuses, zeros too. */
void definition_counts_write(const struct definition_counts *counts, const char *definition,
							 int64_t version, struct buf *out);

#endif
