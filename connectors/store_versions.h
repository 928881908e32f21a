/*
 * The rows of the store that say which version of a definition starts sagas, and what is known of
 * schedules. The functions that write and read them are in connectors/store.h.
 *
 * Strings are borrowed from whoever made the struct, except in rows that were copied.
 */
#ifndef CONNECTORS_STORE_VERSIONS_H
#define CONNECTORS_STORE_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"

/* Which versions of a definition start sagas. One of which nothing was said has no row: its newest
 * version starts all. */
struct routing_row {
	const char *ns, *name; /* of the definition */
	int64_t current;       /* the version that starts sagas; 0: the newest */
	int64_t previous;      /* that which was current before; 0: none is known */
	int64_t canary;        /* the version that takes a share of the starts; 0: none */
	int percent;           /* that share, 0 to 100 */
	bool paused;           /* nothing is started */
	const char *reason;    /* of the pause; NULL: none */
	const char *by;        /* who said it last; NULL: nobody in particular */
	wall_ms updated_at;
	int64_t revision; /* as of a trigger's row */
};

/* What is known of a schedule. One that nobody spoke of and that never was due has no row. */
struct schedule_row {
	const char *ns, *name; /* "<definition>/<entry>" */
	bool paused;
	const char *reason; /* of the pause; NULL: none */
	const char *state;  /* JSON of who runs it: how far it has come, and what is to do */
	const char *by;     /* who said something last; NULL: nobody */
	wall_ms updated_at;
	int64_t revision; /* as of a trigger's row */
};

/* Copies with owned strings, and their release, which leaves an empty row. */
void routing_row_copy(const struct routing_row *from, struct routing_row *ret_row);
void routing_row_release(struct routing_row *row);
void schedule_row_copy(const struct schedule_row *from, struct schedule_row *ret_row);
void schedule_row_release(struct schedule_row *row);

/* For the stores: whether a row is within the limits; ERR_LIMIT, ERR_INVALID. */
int store_check_routing(const struct routing_row *row, struct err *err) MUST_CHECK;
int store_check_schedule(const struct schedule_row *row, struct err *err) MUST_CHECK;

#endif
