/*
 * The part of the SQLite store that is for operators: its statements, and what is counted while a
 * transaction is written. Included by store_sqlite_priv.h alone.
 *
 * Nothing is counted by reading: what a transaction adds is summed up here, and each counter that
 * changed is written once, at the transaction's end.
 */
#ifndef CONNECTORS_STORE_SQLITE_OPERATORS_H
#define CONNECTORS_STORE_SQLITE_OPERATORS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "connectors/store.h"

#define STORE_SQLITE_GROUP_COLUMNS                                                                 \
	"namespace, id, definition, kind, step, side, code, message, sample, n, first_seen_at,"        \
	" last_seen_at, acknowledged_by, acknowledged_at, note, owner, notified_at, notified_n,"       \
	" revision"
#define STORE_SQLITE_BATCH_COLUMNS                                                                 \
	"namespace, id, act, query, author, rate, status, created_at, updated_at, ended_at, cursor,"   \
	" runner, runner_seen_at, revision, pending, done, refused, failed"

#define STORE_SQLITE_OPERATOR_WRITES(X)                                                            \
	X(W_COUNT_ADD, "INSERT INTO definition_counts (namespace, definition, version, status, n)"     \
				   " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n")    \
	X(W_COUNTS_EMPTY, "DELETE FROM definition_counts WHERE n = 0")                                 \
	X(W_RATE_ADD,                                                                                  \
	  "INSERT INTO rates (at, namespace, started, completed, compensated, failed, terminated,"     \
	  " attention) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"              \
	  " started = started + excluded.started, completed = completed + excluded.completed,"         \
	  " compensated = compensated + excluded.compensated, failed = failed + excluded.failed,"      \
	  " terminated = terminated + excluded.terminated, attention = attention + "                   \
	  "excluded.attention")                                                                        \
	X(W_RATES_EXPIRE, "DELETE FROM rates WHERE at < (SELECT max(at) FROM rates) - ?1")             \
	X(W_GROUP_JOIN,                                                                                \
	  "INSERT INTO attention_groups (namespace, id, definition, kind, step, side, code, message,"  \
	  " sample, n, first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"  \
	  " ?11, ?12) ON CONFLICT DO UPDATE SET definition = excluded.definition,"                     \
	  " kind = excluded.kind, step = excluded.step, side = excluded.side, code = excluded.code,"   \
	  " message = excluded.message, sample = excluded.sample, n = n + excluded.n,"                 \
	  " first_seen_at = CASE WHEN n <= 0 THEN excluded.first_seen_at"                              \
	  " ELSE min(first_seen_at, excluded.first_seen_at) END,"                                      \
	  " last_seen_at = max(last_seen_at, excluded.last_seen_at)")                                  \
	X(W_GROUP_LEAVE, "UPDATE attention_groups SET n = n - ?3 WHERE namespace = ?1 AND id = ?2")    \
	X(W_GROUP_SAMPLE,                                                                              \
	  "UPDATE attention_groups AS g SET (sample, message) = (SELECT id, attention FROM sagas"      \
	  " INDEXED BY sagas_attention_group WHERE namespace = ?1 AND attention_group = ?2"            \
	  " ORDER BY id DESC LIMIT 1) WHERE namespace = ?1 AND id = ?2 AND n > 0 AND NOT EXISTS"       \
	  " (SELECT 1 FROM sagas WHERE namespace = ?1 AND id = g.sample AND attention_group = ?2)")    \
	X(W_GROUPS_EXPIRE,                                                                             \
	  "DELETE FROM attention_groups WHERE (namespace, id) IN (SELECT namespace, id"                \
	  " FROM attention_groups WHERE n <= 0 AND last_seen_at < ?1 AND notified_at IS NULL"          \
	  " LIMIT ?2)")                                                                                \
	X(W_GROUP_FIND,                                                                                \
	  "SELECT revision, (acknowledged_by, acknowledged_at, note, owner, notified_at, notified_n,"  \
	  " revision) IS (?3, ?4, ?5, ?6, ?7, ?8, ?9) FROM attention_groups"                           \
	  " WHERE namespace = ?1 AND id = ?2")                                                         \
	X(W_GROUP_SAY,                                                                                 \
	  "INSERT INTO attention_groups (namespace, id, definition, kind, sample, n, first_seen_at,"   \
	  " last_seen_at, acknowledged_by, acknowledged_at, note, owner, notified_at, notified_n,"     \
	  " revision) VALUES (?1, ?2, '', '', '', 0, 0, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                \
	  " ON CONFLICT DO UPDATE SET acknowledged_by = excluded.acknowledged_by,"                     \
	  " acknowledged_at = excluded.acknowledged_at, note = excluded.note, owner = excluded.owner," \
	  " notified_at = excluded.notified_at, notified_n = excluded.notified_n,"                     \
	  " revision = excluded.revision")                                                             \
	X(W_BATCH_FIND, "SELECT " STORE_SQLITE_BATCH_COLUMNS " FROM batches"                           \
					" WHERE namespace = ?1 AND id = ?2")                                           \
	X(W_BATCH_PUT,                                                                                 \
	  "INSERT INTO batches (" STORE_SQLITE_BATCH_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"   \
	  " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) ON CONFLICT DO UPDATE SET"            \
	  " act = excluded.act, query = excluded.query, author = excluded.author,"                     \
	  " rate = excluded.rate, status = excluded.status, created_at = excluded.created_at,"         \
	  " updated_at = excluded.updated_at, ended_at = excluded.ended_at, cursor = excluded.cursor," \
	  " runner = excluded.runner, runner_seen_at = excluded.runner_seen_at,"                       \
	  " revision = excluded.revision, pending = excluded.pending, done = excluded.done,"           \
	  " refused = excluded.refused, failed = excluded.failed")                                     \
	X(W_BATCH_ITEM_FIND, "SELECT status FROM batch_items"                                          \
						 " WHERE namespace = ?1 AND batch_id = ?2 AND saga_id = ?3")               \
	X(W_BATCH_ITEM_PUT,                                                                            \
	  "INSERT INTO batch_items (namespace, batch_id, saga_id, status, effect, error, seq,"         \
	  " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"             \
	  " status = excluded.status, effect = excluded.effect, error = excluded.error,"               \
	  " seq = excluded.seq, updated_at = excluded.updated_at")                                     \
	X(W_BATCH_EXPIRED, "SELECT namespace, id, pending + done + refused + failed FROM batches"      \
					   " WHERE ended_at < ?1 ORDER BY ended_at LIMIT 1")                           \
	X(W_BATCH_ITEMS_DELETE, "DELETE FROM batch_items WHERE namespace = ?1 AND batch_id = ?2")      \
	X(W_BATCH_DELETE, "DELETE FROM batches WHERE namespace = ?1 AND id = ?2")

#define STORE_SQLITE_OPERATOR_READS(X)                                                             \
	X(R_COUNTS, "SELECT status, sum(n) FROM definition_counts"                                     \
				" WHERE namespace = ?1 GROUP BY status")                                           \
	X(R_COUNTS_ALL, "SELECT status, sum(n) FROM definition_counts GROUP BY status")                \
	X(R_DEFINITION_COUNTS, "SELECT definition, version, status, n FROM definition_counts"          \
						   " WHERE namespace = ?1 AND n <> 0")                                     \
	X(R_DEFINITION_COUNTS_OF, "SELECT definition, version, status, n FROM definition_counts"       \
							  " WHERE namespace = ?1 AND definition = ?2 AND n <> 0")              \
	X(R_GROUPS, "SELECT " STORE_SQLITE_GROUP_COLUMNS " FROM attention_groups"                      \
				" INDEXED BY attention_groups_of WHERE namespace = ?1 AND n > 0"                   \
				" ORDER BY n DESC, id LIMIT ?2")                                                   \
	X(R_GROUPS_TOLD,                                                                               \
	  "SELECT " STORE_SQLITE_GROUP_COLUMNS " FROM attention_groups"                                \
	  " INDEXED BY attention_groups_all WHERE n > 0 UNION ALL SELECT " STORE_SQLITE_GROUP_COLUMNS  \
	  " FROM attention_groups INDEXED BY attention_groups_told WHERE notified_at > 0 AND n <= 0")  \
	X(R_GROUPS_ALL, "SELECT " STORE_SQLITE_GROUP_COLUMNS " FROM attention_groups"                  \
					" INDEXED BY attention_groups_all WHERE n > 0 ORDER BY n DESC, id LIMIT ?2")   \
	X(R_GROUP, "SELECT " STORE_SQLITE_GROUP_COLUMNS " FROM attention_groups"                       \
			   " WHERE namespace = ?1 AND id = ?2")                                                \
	X(R_RATES, "SELECT at, sum(started), sum(completed), sum(compensated), sum(failed),"           \
			   " sum(terminated), sum(attention) FROM rates WHERE at >= ?2 AND at < ?3"            \
			   " AND (?1 IS NULL OR namespace = ?1) GROUP BY at ORDER BY at")                      \
	X(R_BATCH, "SELECT " STORE_SQLITE_BATCH_COLUMNS " FROM batches"                                \
			   " WHERE namespace = ?1 AND id = ?2")                                                \
	X(R_BATCHES, "SELECT " STORE_SQLITE_BATCH_COLUMNS " FROM batches WHERE namespace = ?1"         \
				 " ORDER BY created_at DESC, id DESC LIMIT ?3")                                    \
	X(R_BATCHES_AFTER, "SELECT " STORE_SQLITE_BATCH_COLUMNS " FROM batches WHERE namespace = ?1"   \
					   " AND (created_at, id) < (SELECT created_at, id FROM batches"               \
					   " WHERE namespace = ?1 AND id = ?2)"                                        \
					   " ORDER BY created_at DESC, id DESC LIMIT ?3")                              \
	X(R_BATCHES_OPEN,                                                                              \
	  "SELECT " STORE_SQLITE_BATCH_COLUMNS " FROM batches"                                         \
	  " WHERE status IN ('selecting', 'running') ORDER BY created_at, id LIMIT ?3")                \
	X(R_BATCH_ITEMS, "SELECT saga_id, status, effect, error, seq, updated_at FROM batch_items"     \
					 " WHERE namespace = ?1 AND batch_id = ?2 AND saga_id > ?3"                    \
					 " ORDER BY saga_id LIMIT ?5")                                                 \
	X(R_BATCH_ITEMS_WITH,                                                                          \
	  "SELECT saga_id, status, effect, error, seq, updated_at FROM batch_items"                    \
	  " WHERE namespace = ?1 AND batch_id = ?2 AND status = ?4 AND saga_id > ?3"                   \
	  " ORDER BY saga_id LIMIT ?5")

/* What a transaction adds to definition_counts, for one version; entries are kept for the next one.
 */
struct store_sqlite_count {
	char ns[NAMESPACE_MAX_BYTES + 1];
	char *definition;
	int64_t version;
	bool touched;
	int64_t add[SAGA_STATUS_COUNT];
};

/* What it adds to a minute. */
struct store_sqlite_rate {
	char ns[NAMESPACE_MAX_BYTES + 1];
	struct rate_row row;
};

/* What it does to a group of attention. */
struct store_sqlite_group {
	char ns[NAMESPACE_MAX_BYTES + 1], id[ATTENTION_GROUP_SIZE];
	int64_t joined, left;
	char *definition;                /* as ref, sample and the times: of who joined */
	const struct attention_ref *ref; /* borrowed from the item; NULL: nobody joined */
	char sample[SAGA_ID_SIZE];
	wall_ms first_at, last_at;
};

struct store_sqlite_tally {
	struct store_sqlite_count *counts;
	size_t n_counts, cap_counts;
	struct store_sqlite_rate *rates;
	size_t n_rates, cap_rates;
	struct store_sqlite_group *groups;
	size_t n_groups, cap_groups;
};

/* The saga's row, before the transaction's item changed it. */
struct store_sqlite_before {
	size_t count; /* of its version, in the tally */
	enum saga_status status;
	bool marked; /* it concerns a person, or one has taken it */
	char group[ATTENTION_GROUP_SIZE];
};

/* At a transaction's begin: nothing is counted yet. */
void store_sqlite__tally_reset(struct store_sqlite_tally *tally);
void store_sqlite__tally_release(struct store_sqlite_tally *tally);
/* The counter of a version; valid until the tally is reset. */
size_t store_sqlite__tally_version(struct store_sqlite_tally *tally, const char *ns,
								   const char *definition, int64_t version);
/* Counts an accepted item; before is NULL for a new saga. */
void store_sqlite__tally_item(struct store_sqlite_tally *tally, const struct store_item *item,
							  const struct store_sqlite_before *before);
/* A saga is removed; group is "" or the one it was in. */
void store_sqlite__tally_gone(struct store_sqlite_tally *tally, const char *ns,
							  const char *definition, int64_t version, enum saga_status status,
							  const char *group);
/* Writes what was counted; SQLITE_DONE, or SQLite's error. stmts are the writer's. */
int store_sqlite__tally_write(const struct store_sqlite_tally *tally, sqlite3_stmt *const *stmts);

/* Within a transaction of retain: what is too old, up to limit. SQLITE_DONE, or SQLite's error. */
int store_sqlite__retain_operators(sqlite3_stmt *const *stmts, wall_ms before, int limit);

/* The functions of store_ops. */
int store_sqlite__counts(struct store_reader *reader, const char *ns,
						 int64_t counts[SAGA_STATUS_COUNT], struct err *err);
int store_sqlite__definition_counts(struct store_reader *reader, const char *ns,
									const char *definition,
									int (*row)(void *ctx, const struct definition_count_row *row),
									void *ctx, struct err *err);
int store_sqlite__attention_list(struct store_reader *reader, const char *ns, int limit,
								 int (*row)(void *ctx, const struct attention_group_row *row),
								 void *ctx, struct err *err);
int store_sqlite__attention_told(struct store_reader *reader,
								 int (*row)(void *ctx, const struct attention_group_row *row),
								 void *ctx, struct err *err);
int store_sqlite__attention_get(struct store_reader *reader, const char *ns, const char *id,
								struct attention_group_row *ret_row, struct err *err);
int store_sqlite__attention_put(struct store *store, struct attention_group_row *row,
								struct err *err);
int store_sqlite__rates(struct store_reader *reader, const char *ns, wall_ms from, wall_ms until,
						int (*row)(void *ctx, const struct rate_row *row), void *ctx,
						struct err *err);
int store_sqlite__batch_put(struct store *store, struct batch_row *row,
							const struct batch_item_row *items, size_t n, struct err *err);
int store_sqlite__batch_get(struct store_reader *reader, const char *ns, const char *id,
							struct batch_row *ret_row, struct err *err);
int store_sqlite__batch_list(struct store_reader *reader, const char *ns, const char *after_id,
							 int limit, int (*row)(void *ctx, const struct batch_row *row),
							 void *ctx, struct err *err);
int store_sqlite__batch_open(struct store_reader *reader, int limit,
							 int (*row)(void *ctx, const struct batch_row *row), void *ctx,
							 struct err *err);
int store_sqlite__batch_items(struct store_reader *reader, const struct batch_item_filter *filter,
							  int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
							  struct err *err);

#endif
