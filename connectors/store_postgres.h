/*
 * The store for many nodes: Postgres 13 or newer, through libpq. What was reported as committed is
 * as durable as synchronous_commit of the server says; it is never turned off here.
 *
 * A batch is one statement, sent in pipeline mode. It checks the token of each slot it touches, so
 * a node that lost a slot writes nothing to it any more, whatever it believes.
 */
#ifndef CONNECTORS_STORE_POSTGRES_H
#define CONNECTORS_STORE_POSTGRES_H

#include "connectors/store.h"

struct store_postgres_options {
	const char *url; /* libpq's own: postgresql://… or key=value pairs, TLS options and all */
	int slot_count;  /* for an empty database; 0: 256. Any other keeps its own */
	bool single_slot_batches; /* one transaction a slot, for a Postgres distributed by slot */
	bool exclusive;           /* this process takes all slots at once, from whoever has them, and
								 needs no lease; membership is not for it */
};

/*
 * Connects and checks the schema; an empty database gets one. ERR_INVALID when the schema is older
 * than this version's, or newer and does not allow it, ERR_UNAVAILABLE when the server cannot be
 * reached.
 */
int store_postgres_open(const struct store_postgres_options *options, struct store **ret_store,
						struct err *err) MUST_CHECK;

/* Whether a store's address is one for here, and not the path of a file. */
bool store_postgres_is_url(const char *address);

struct store_postgres_schema {
	int64_t version;    /* of the database; 0: empty */
	int64_t newest;     /* that this program knows */
	int64_t works_with; /* the oldest schema whose programs may work with the database */
};

/* What the database has, for `skald migrate status`. */
int store_postgres_migrate_status(const char *url, struct store_postgres_schema *ret_schema,
								  struct err *err) MUST_CHECK;
/* Calls step for each migration that is missing, with what `up` would run, and runs none. */
int store_postgres_migrate_plan(const char *url, int slot_count,
								int (*step)(void *ctx, const char *path, const char *sql),
								void *ctx, struct err *err) MUST_CHECK;
/* Runs what is missing, each in a transaction, while no other node does; slot_count as above. */
int store_postgres_migrate_up(const char *url, int slot_count,
							  struct store_postgres_schema *ret_schema, struct err *err) MUST_CHECK;

#endif
