/* The statements of versions and schedules; see store_sqlite_priv.h. */
#ifndef CONNECTORS_STORE_SQLITE_VERSIONS_H
#define CONNECTORS_STORE_SQLITE_VERSIONS_H

#include "connectors/store.h"

#define STORE_SQLITE_ROUTING_COLUMNS                                                               \
	"namespace, name, current, previous, canary, percent, paused, reason, author, updated_at,"     \
	" revision"
#define STORE_SQLITE_SCHEDULE_COLUMNS                                                              \
	"namespace, name, paused, reason, state, author, updated_at, revision"

#define STORE_SQLITE_VERSION_WRITES(X)                                                             \
	X(W_ROUTING_FIND,                                                                              \
	  "SELECT revision, (current, previous, canary, percent, paused, reason, author, updated_at,"  \
	  " revision) IS (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) FROM definition_routes"                \
	  " WHERE namespace = ?1 AND name = ?2")                                                       \
	X(W_ROUTING_PUT,                                                                               \
	  "INSERT INTO definition_routes (" STORE_SQLITE_ROUTING_COLUMNS ") VALUES (?1, ?2, ?3, ?4,"   \
	  " ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET current = excluded.current,"       \
	  " previous = excluded.previous, canary = excluded.canary, percent = excluded.percent,"       \
	  " paused = excluded.paused, reason = excluded.reason, author = excluded.author,"             \
	  " updated_at = excluded.updated_at, revision = excluded.revision")                           \
	X(W_ROUTING_CURRENT,                                                                           \
	  "UPDATE definition_routes SET previous = iif(current = 0, ?3 - 1, current), current = ?3,"   \
	  " canary = 0, percent = 0, author = NULL, updated_at = ?4, revision = revision + 1"          \
	  " WHERE namespace = ?1 AND name = ?2")                                                       \
	X(W_ROUTING_CANARY,                                                                            \
	  "INSERT INTO definition_routes (" STORE_SQLITE_ROUTING_COLUMNS ")"                           \
	  " SELECT ?1, ?2, ?3 - 1, 0, ?3, ?5, 0, NULL, NULL, ?4, 1 WHERE ?3 > 1"                       \
	  " ON CONFLICT DO UPDATE SET current = iif(current = 0, ?3 - 1, current), canary = ?3,"       \
	  " percent = ?5, author = NULL, updated_at = ?4, revision = revision + 1")                    \
	X(W_SCHEDULE_FIND, "SELECT revision, (paused, reason, state, author, updated_at, revision)"    \
					   " IS (?3, ?4, ?5, ?6, ?7, ?8) FROM schedules"                               \
					   " WHERE namespace = ?1 AND name = ?2")                                      \
	X(W_SCHEDULE_PUT,                                                                              \
	  "INSERT INTO schedules (" STORE_SQLITE_SCHEDULE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6,"  \
	  " ?7, ?8) ON CONFLICT DO UPDATE SET paused = excluded.paused, reason = excluded.reason,"     \
	  " state = excluded.state, author = excluded.author, updated_at = excluded.updated_at,"       \
	  " revision = excluded.revision")

#define STORE_SQLITE_VERSION_READS(X)                                                              \
	X(R_ROUTING, "SELECT " STORE_SQLITE_ROUTING_COLUMNS " FROM definition_routes"                  \
				 " WHERE namespace = ?1 AND name = ?2")                                            \
	X(R_ROUTINGS, "SELECT " STORE_SQLITE_ROUTING_COLUMNS " FROM definition_routes"                 \
				  " WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name")                  \
	X(R_SCHEDULE, "SELECT " STORE_SQLITE_SCHEDULE_COLUMNS " FROM schedules"                        \
				  " WHERE namespace = ?1 AND name = ?2")                                           \
	X(R_SCHEDULES, "SELECT " STORE_SQLITE_SCHEDULE_COLUMNS " FROM schedules"                       \
				   " WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name")

struct store_sqlite;

int store_sqlite__routing_put(struct store *store, struct routing_row *row, struct err *err);
int store_sqlite__routing_list(struct store_reader *reader, const char *ns, const char *name,
							   int (*row)(void *ctx, const struct routing_row *row), void *ctx,
							   struct err *err);
int store_sqlite__schedule_put(struct store *store, struct schedule_row *row, struct err *err);
int store_sqlite__schedule_list(struct store_reader *reader, const char *ns, const char *name,
								int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
								struct err *err);
/* In the transaction that has added the version: what it does to the starts. A result of SQLite. */
int store_sqlite__route_new_version(struct store_sqlite *s, const struct definition_row *row);

#endif
