/*
 * The embedded store: SQLite in WAL mode with synchronous=FULL, so that a commit that was reported
 * is on disk. One process at a time owns the file.
 */
#ifndef CONNECTORS_STORE_SQLITE_H
#define CONNECTORS_STORE_SQLITE_H

#include "connectors/store.h"

struct store_sqlite_options {
	const char *path; /* ":memory:" is allowed, for tests */
	int slot_count;   /* for a new file; 0: 16. An existing file keeps its own */
	bool no_sync;     /* for tests and floors only */
};

/*
 * Opens or creates the file, and brings its schema up to date. ERR_CONFLICT when another process
 * has it, ERR_INVALID when it is of a newer Skald or not one of Skald's.
 */
int store_sqlite_open(const struct store_sqlite_options *options, struct store **ret_store,
					  struct err *err) MUST_CHECK;

#endif
