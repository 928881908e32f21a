/*
 * What the files of the SQLite store share, and nobody else: the connection that writes, the
 * readers, and the translation of SQLite's results.
 */
#ifndef CONNECTORS_STORE_SQLITE_PRIV_H
#define CONNECTORS_STORE_SQLITE_PRIV_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "connectors/store.h"
#include "connectors/store_sqlite_long.h"
#include "connectors/store_sqlite_operators.h"
#include "connectors/store_sqlite_versions.h"

enum {
	STORE_SQLITE_APPLICATION_ID = 0x536b6c64, /* "Skld", in the header of the file */
	STORE_SQLITE_MAX_ROW = 64 * 1024 * 1024,
	STORE_SQLITE_MAX_RETAIN = 10000,
	/* Lists: instructions of SQLite's machine between two looks at the budget, and the budget. */
	STORE_SQLITE_BUDGET_UNIT = 100000,
	STORE_SQLITE_BUDGET_UNITS = 2000, /* about ten million rows */
	STORE_SQLITE_BUSY_MS = 5000, /* only a foreign process (a shell, a backup) can be in the way */
};

/* The columns of a row of sagas and of dead letters, as they are read. */
#define STORE_SQLITE_SAGA_COLUMNS                                                                  \
	"slot, id, namespace, definition, version, status, key, started_at, updated_at, ended_at,"     \
	" due_at, attention, attention_group, attention_kind, attention_step, attention_side,"         \
	" attention_code, attention_at, owner, parent_id, base_seq"
#define STORE_SQLITE_LETTER_COLUMNS                                                                \
	"id, namespace, trigger_name, cluster, topic, partition_no, record_offset, at, failed_at,"     \
	" record_key, record_value, headers, reason, message, attempts, status, saga_id, updated_at"

/*
 * The statements of the writer, prepared once.
 *
 * A history row is inserted only where its predecessor is, so that one statement checks and writes.
 */
#define STORE_SQLITE_WRITES(X)                                                                     \
	X(W_BEGIN, "BEGIN IMMEDIATE")                                                                  \
	X(W_COMMIT, "COMMIT")                                                                          \
	X(W_ROLLBACK, "ROLLBACK")                                                                      \
	X(W_KEY_INSERT, "INSERT INTO idempotency"                                                      \
					" (namespace, definition, key, saga_id, fingerprint)"                          \
					" VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")                         \
	X(W_KEY_FIND, "SELECT saga_id, fingerprint FROM idempotency"                                   \
				  " WHERE namespace = ?1 AND definition = ?2 AND key = ?3")                        \
	X(W_KEY_DELETE, "DELETE FROM idempotency WHERE namespace = ?1 AND definition = ?2"             \
					" AND key = ?3 AND saga_id = ?4")                                              \
	X(W_SAGA_INSERT, "INSERT INTO sagas (namespace, id, slot, definition, version,"                \
					 " status, key, started_at, updated_at, ended_at, due_at, attention,"          \
					 " attention_group, attention_kind, attention_step, attention_side,"           \
					 " attention_code, attention_at, owner, parent_id, base_seq)"                  \
					 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"  \
					 " ?16, ?17, ?18, ?19, ?20, ?21)"                                              \
					 " ON CONFLICT DO NOTHING")                                                    \
	X(W_SAGA_BEFORE,                                                                               \
	  "SELECT definition, version, status, attention IS NOT NULL OR owner IS NOT NULL,"            \
	  " attention_group FROM sagas WHERE namespace = ?1 AND id = ?2")                              \
	X(W_SAGA_UPDATE, "UPDATE sagas SET status = ?3, updated_at = ?4, ended_at = ?5, due_at = ?6"   \
					 " WHERE namespace = ?1 AND id = ?2")                                          \
	X(W_SAGA_UPDATE_MARKED,                                                                        \
	  "UPDATE sagas SET status = ?3, updated_at = ?4, ended_at = ?5, due_at = ?6, attention = ?7," \
	  " attention_group = ?8, attention_kind = ?9, attention_step = ?10, attention_side = ?11,"    \
	  " attention_code = ?12, attention_at = ?13, owner = ?14 WHERE namespace = ?1 AND id = ?2")   \
	X(W_SAGA_DELETE, "DELETE FROM sagas WHERE namespace = ?1 AND id = ?2")                         \
	X(W_HISTORY_FIRST, "INSERT INTO history (saga_id, seq, at, events)"                            \
					   " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")                          \
	X(W_HISTORY_NEXT,                                                                              \
	  "INSERT INTO history (saga_id, seq, at, events)"                                             \
	  " SELECT ?1, ?2, ?3, ?4 WHERE EXISTS"                                                        \
	  " (SELECT 1 FROM history WHERE saga_id = ?1 AND seq = ?2 - 1) ON CONFLICT DO NOTHING")       \
	X(W_HISTORY_COUNT,                                                                             \
	  "SELECT count(*) FROM history WHERE saga_id = ?1 AND seq >= ?2 AND seq < ?2 + ?3")           \
	X(W_HISTORY_COPY, "INSERT INTO history (saga_id, seq, at, events)"                             \
					  " SELECT ?1, seq - ?3 + 1, at, events FROM history"                          \
					  " WHERE saga_id = ?2 AND seq >= ?3 AND seq < ?3 + ?4")                       \
	X(W_HISTORY_DELETE, "DELETE FROM history WHERE saga_id = ?1")                                  \
	X(W_COMP_PUT, "INSERT INTO compensations (saga_id, step, item, action, status, attempts,"      \
				  " updated_at, last_error, request) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"  \
				  " ON CONFLICT (saga_id, step, item) DO UPDATE SET action = excluded.action,"     \
				  " status = excluded.status, attempts = excluded.attempts,"                       \
				  " updated_at = excluded.updated_at, last_error = excluded.last_error,"           \
				  " request = coalesce(excluded.request, request)")                                \
	X(W_COMP_DELETE, "DELETE FROM compensations WHERE saga_id = ?1")                               \
	X(W_FENCE, "UPDATE meta SET value = value + 1 WHERE name = 'settled'")                         \
	X(W_DEF_FIND, "SELECT version FROM definitions"                                                \
				  " WHERE namespace = ?1 AND name = ?2 AND hash = ?3")                             \
	X(W_DEF_INSERT, "INSERT INTO definitions"                                                      \
					" (namespace, name, version, hash, deployed_at, doc, source)"                  \
					" SELECT ?1, ?2, coalesce(max(version), 0) + 1, ?3, ?4, ?5, ?6"                \
					" FROM definitions WHERE namespace = ?1 AND name = ?2 RETURNING version")      \
	X(W_RETAIN_NAMESPACE, "SELECT min(namespace) FROM definition_counts WHERE namespace > ?1")     \
	X(W_RETAIN_FIND, "SELECT id, definition, key, status, ended_at < ?4, version,"                 \
					 " attention_group FROM sagas"                                                 \
					 " WHERE namespace = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?5")         \
	X(W_SUBSCRIBE, "INSERT INTO subscriptions"                                                     \
				   " (saga_id, step, item, place, slot, namespace, channel, value)"                \
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"            \
				   " namespace = excluded.namespace, channel = excluded.channel,"                  \
				   " value = excluded.value")                                                      \
	X(W_UNSUBSCRIBE, "DELETE FROM subscriptions WHERE saga_id = ?1 AND step = ?2 AND item = ?3"    \
					 " AND place = ?4")                                                            \
	X(W_UNSUBSCRIBE_ALL, "DELETE FROM subscriptions WHERE saga_id = ?1")                           \
	X(W_SUBSCRIBERS, "SELECT saga_id, step, item, place, slot FROM subscriptions"                  \
					 " WHERE namespace = ?1 AND channel = ?2 AND value = ?3"                       \
					 " AND (saga_id, step, item, place) > (?4, ?5, ?6, ?7)"                        \
					 " ORDER BY saga_id, step, item, place LIMIT ?8")                              \
	X(W_EVENT_INSERT, "INSERT INTO events (namespace, channel, value, id, at, expires_at, event)"  \
					  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING")               \
	X(W_EVENTS_EXPIRE, "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events"               \
					   " WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)")                     \
	X(W_INBOX_INSERT, "INSERT INTO inbox (id, slot, namespace, saga_id, at, message)"              \
					  " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")                   \
	X(W_INBOX_DELETE, "DELETE FROM inbox WHERE id = ?1 AND slot = ?2")                             \
	X(W_INBOX_DELETE_ALL, "DELETE FROM inbox WHERE saga_id = ?1")                                  \
	X(W_OUTBOX_INSERT, "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload,"        \
					   " headers, cluster, slot, saga_id, seq, place, created_at)"                 \
					   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")              \
	X(W_OUTBOX_DELETE, "DELETE FROM outbox WHERE saga_id = ?1 AND seq = ?2 AND place = ?3"         \
					   " AND slot = ?4")                                                           \
	X(W_OUTBOX_EXPIRE, "DELETE FROM outbox WHERE rowid IN"                                         \
					   " (SELECT rowid FROM outbox ORDER BY rowid LIMIT ?2) AND created_at < ?1")  \
	X(W_LETTER_INSERT, "INSERT INTO dead_letters (" STORE_SQLITE_LETTER_COLUMNS ") VALUES (?1,"    \
					   " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"  \
					   " ?18) ON CONFLICT DO NOTHING")                                             \
	X(W_LETTER_UPDATE, "UPDATE dead_letters SET status = ?3, saga_id = ?4, updated_at = ?5"        \
					   " WHERE id = ?2 AND namespace = ?1")                                        \
	X(W_LETTERS_EXPIRE, "DELETE FROM dead_letters WHERE rowid IN (SELECT rowid FROM dead_letters"  \
						" WHERE status <> 'waiting' AND updated_at < ?1 LIMIT ?2)")                \
	X(W_TRIGGER_FIND, "SELECT revision, (paused, reason, seeks, author, updated_at, revision)"     \
					  " IS (?3, ?4, ?5, ?6, ?7, ?8) FROM triggers"                                 \
					  " WHERE namespace = ?1 AND name = ?2")                                       \
	X(W_TRIGGER_PUT,                                                                               \
	  "INSERT INTO triggers (namespace, name, paused, reason, seeks, author,"                      \
	  " updated_at, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"                             \
	  " ON CONFLICT DO UPDATE SET paused = excluded.paused,"                                       \
	  " reason = excluded.reason, seeks = excluded.seeks, author = excluded.author,"               \
	  " updated_at = excluded.updated_at, revision = excluded.revision")                           \
	STORE_SQLITE_OPERATOR_WRITES(X)                                                                \
	STORE_SQLITE_VERSION_WRITES(X)                                                                 \
	STORE_SQLITE_LONG_WRITES(X)

enum store_sqlite_write {
#define X(name, sql) name,
	STORE_SQLITE_WRITES(X)
#undef X
		W_STATEMENT_COUNT
};

struct store_sqlite {
	struct store store;
	char *path;
	bool memory;
	bool no_sync;
	int lock_fd; /* -1: none */
	int slot_count;

	/* Thread: writer. */
	sqlite3 *db;
	sqlite3_stmt *stmts[W_STATEMENT_COUNT];
	struct store_sqlite_tally tally;
	int wal_frames;   /* in the log after the last commit */
	int checkpointed; /* wal_frames at the last checkpoint; 0: the log began again since */
	bool unsettled;   /* a commit's outcome is unknown until the next one has succeeded */
	char *retain_ns;  /* where the next retain goes on; NULL: from the start */
	char retain_id[SAGA_ID_SIZE];
	char trim_ns[NAMESPACE_MAX_BYTES + 1]; /* the same for history_trim */
	char trim_id[SAGA_ID_SIZE];

	/*
	 * A store in memory has one connection, which its readers share; the mutex makes each call one
	 * step for the others. A file has a connection for each reader and does not use it.
	 */
	pthread_mutex_t mutex; /* recursive: a callback may read on */

	/* Thread: any. */
	_Atomic int64_t n_commits, n_items;
};

static inline struct store_sqlite *store_sqlite__from(const struct store *store)
{
	return (struct store_sqlite *)store;
}

static inline void store_sqlite__unlock(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

static inline pthread_mutex_t *store_sqlite__lock(struct store_sqlite *s)
{
	if (!s->memory)
		return NULL;
	pthread_mutex_lock(&s->mutex);
	return &s->mutex;
}

/* Until the end of the scope, no other thread is in a store in memory. */
#define STORE_SQLITE_GUARD(s)                                                                      \
	CLEANUP(store_sqlite__unlock) UNUSED pthread_mutex_t *guard_ = store_sqlite__lock(s)

/* The statements of the readers, prepared when they are first needed, and kept. */
#define STORE_SQLITE_READS(X)                                                                      \
	X(R_SAGA_GET,                                                                                  \
	  "SELECT " STORE_SQLITE_SAGA_COLUMNS " FROM sagas WHERE namespace = ?1 AND id = ?2")          \
	X(R_LIST_ROW,                                                                                  \
	  "SELECT " STORE_SQLITE_SAGA_COLUMNS " FROM sagas WHERE namespace = ?1 AND id = ?2")          \
	X(R_HISTORY, "SELECT seq, at, events FROM history WHERE saga_id = ?1 AND seq > ?2"             \
				 " ORDER BY seq LIMIT ?3")                                                         \
	X(R_COMPENSATIONS, "SELECT step, item, action, status, request, attempts, last_error,"         \
					   " updated_at FROM compensations WHERE saga_id = ?1 ORDER BY rowid")         \
	X(R_AWAKE, "SELECT " STORE_SQLITE_SAGA_COLUMNS " FROM sagas INDEXED BY sagas_open"             \
			   " WHERE ended_at IS NULL AND due_at IS NULL AND slot BETWEEN ?1 AND ?2"             \
			   " ORDER BY namespace, id LIMIT ?3")                                                 \
	X(R_DUE, "SELECT " STORE_SQLITE_SAGA_COLUMNS " FROM sagas INDEXED BY sagas_open"               \
			 " WHERE ended_at IS NULL AND due_at < ?4 AND slot BETWEEN ?1 AND ?2 ORDER BY due_at " \
			 "LIMIT ?3")                                                                           \
	X(R_KEY, "SELECT saga_id, fingerprint FROM idempotency"                                        \
			 " WHERE namespace = ?1 AND definition = ?2 AND key = ?3")                             \
	X(R_DEF_GET, "SELECT namespace, name, version, hash, deployed_at, doc, source"                 \
				 " FROM definitions WHERE namespace = ?1 AND name = ?2"                            \
				 " AND (?3 = 0 OR version = ?3) ORDER BY version DESC LIMIT 1")                    \
	X(R_DEF_VERSIONS, "SELECT namespace, name, version, hash, deployed_at FROM definitions"        \
					  " WHERE namespace = ?1 AND name = ?2 ORDER BY version DESC")                 \
	X(R_DEF_NEWEST, "SELECT namespace, name, version, hash, deployed_at FROM definitions AS d"     \
					" WHERE (?1 IS NULL OR namespace = ?1) AND version = (SELECT max(version)"     \
					" FROM definitions WHERE namespace = d.namespace AND name = d.name)"           \
					" ORDER BY namespace, name")                                                   \
	X(R_INBOX, "SELECT id, slot, namespace, saga_id, at, message FROM inbox"                       \
			   " WHERE (at, id) > (?1, ?2) ORDER BY at, id")                                       \
	X(R_EARLY, "SELECT s.step, s.item, s.place, s.slot, e.namespace, e.id, e.at, e.event"          \
			   " FROM subscriptions AS s CROSS JOIN events AS e"                                   \
			   " ON e.namespace = s.namespace AND e.channel = s.channel AND e.value = s.value"     \
			   " WHERE s.saga_id = ?1 AND (e.at, e.id) > (?2, ?3) ORDER BY e.at, e.id")            \
	X(R_OUTBOX, "SELECT slot, saga_id, seq, place, id, cluster, aggregatetype, aggregateid, type," \
				" headers, payload, created_at FROM outbox"                                        \
				" WHERE (saga_id, seq, place) > (?1, ?2, ?3) ORDER BY saga_id, seq, place")        \
	X(R_LETTER_GET, "SELECT " STORE_SQLITE_LETTER_COLUMNS " FROM dead_letters"                     \
					" WHERE id = ?2 AND namespace = ?1")                                           \
	X(R_TRIGGERS, "SELECT namespace, name, paused, reason, seeks, author, updated_at, revision"    \
				  " FROM triggers WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name")    \
	STORE_SQLITE_OPERATOR_READS(X)                                                                 \
	STORE_SQLITE_VERSION_READS(X)                                                                  \
	STORE_SQLITE_LONG_READS(X)

enum store_sqlite_read {
#define X(name, sql) name,
	STORE_SQLITE_READS(X)
#undef X
		R_STATEMENT_COUNT
};

struct store_sqlite_reader {
	struct store_reader reader;
	sqlite3 *db; /* the writer's, when the store is in memory */
	sqlite3_stmt *stmts[R_STATEMENT_COUNT];
};

static inline struct store_sqlite_reader *store_sqlite__reader(struct store_reader *reader)
{
	return (struct store_sqlite_reader *)reader;
}

static inline void store_sqlite__reset_p(sqlite3_stmt **stmt)
{
	sqlite3_reset(*stmt);
}

/* The statement, ready to bind. A callback must not enter the function that called it again. */
int store_sqlite__get(struct store_sqlite_reader *reader, enum store_sqlite_read which,
					  sqlite3_stmt **ret_stmt, struct err *err) MUST_CHECK;
int store_sqlite__read_error(struct store_sqlite_reader *reader, int rc, struct err *err);

/* Opens a connection with all settings of ours; flags are SQLite's. */
int store_sqlite__connect(struct store_sqlite *s, int flags, sqlite3 **ret_db,
						  struct err *err) MUST_CHECK;
int store_sqlite__exec(sqlite3 *db, const char *sql, const char *what, struct err *err) MUST_CHECK;
int store_sqlite__prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt,
						  struct err *err) MUST_CHECK;
/* Fills err with what SQLite says and returns our code for it, which is never 0. */
int store_sqlite__error(sqlite3 *db, int rc, const char *what, struct err *err);

/* Checks that the file is one of ours and brings its schema up to date. */
int store_sqlite__migrate(struct store_sqlite *s, int slot_count, struct err *err) MUST_CHECK;

/* The functions of store_ops, where they are not in store_sqlite.c itself. */
int store_sqlite__commit(struct store *store, struct store_item *items, size_t n, struct err *err);
int store_sqlite__settle(struct store *store, struct err *err);
int store_sqlite__definition_put(struct store *store, struct definition_row *row, struct err *err);
int store_sqlite__retain(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err);
int store_sqlite__idle(struct store *store, struct err *err);
int store_sqlite__events_put(struct store *store, const struct event_row *rows, size_t n,
							 bool *touched, struct err *err);
int store_sqlite__events_expire(struct store *store, wall_ms before, int limit, int *ret_n,
								struct err *err);
int store_sqlite__inbox_put(struct store *store, const struct inbox_row *rows, size_t n,
							struct err *err);
int store_sqlite__inbox_remove(struct store *store, const struct inbox_row *rows, size_t n,
							   struct err *err);
int store_sqlite__outbox_remove(struct store *store, const struct outbox_row *rows, size_t n,
								struct err *err);
int store_sqlite__outbox_expire(struct store *store, wall_ms before, int limit, int *ret_n,
								struct err *err);
int store_sqlite__dead_letter_put(struct store *store, const struct dead_letter_row *row,
								  struct err *err);
int store_sqlite__dead_letter_update(struct store *store, const char *ns, const char *id,
									 enum dead_letter_status status, const char *saga_id,
									 wall_ms at, struct err *err);
int store_sqlite__trigger_put(struct store *store, struct trigger_row *row, struct err *err);

int store_sqlite__reader_open(struct store *store, struct store_reader **ret_reader,
							  struct err *err);
void store_sqlite__reader_close(struct store_reader *reader);
int store_sqlite__saga_get(struct store_reader *reader, const char *ns, const char *id,
						   struct saga_row *ret_row, struct err *err);
int store_sqlite__history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
						  int (*row)(void *ctx, const struct history_row *row), void *ctx,
						  struct err *err);
int store_sqlite__compensations(struct store_reader *reader, const char *id,
								int (*row)(void *ctx, const struct compensation_row *row),
								void *ctx, struct err *err);
int store_sqlite__list(struct store_reader *reader, struct saga_filter *filter,
					   int (*row)(void *ctx, const struct saga_row *row), void *ctx,
					   struct err *err);
int store_sqlite__load_due(struct store_reader *reader, int first_slot, int last_slot,
						   wall_ms due_before, bool awake_too, int limit,
						   int (*row)(void *ctx, const struct saga_row *row), void *ctx,
						   struct err *err);
int store_sqlite__find_key(struct store_reader *reader, const char *ns, const char *definition,
						   const char *key, char ret_id[SAGA_ID_SIZE],
						   char ret_fingerprint[SHA256_HEX_SIZE], struct err *err);
int store_sqlite__definition_get(struct store_reader *reader, const char *ns, const char *name,
								 int64_t version, struct definition_row *ret_row, struct err *err);
int store_sqlite__definition_list(struct store_reader *reader, const char *ns, const char *name,
								  int (*row)(void *ctx, const struct definition_row *row),
								  void *ctx, struct err *err);
int store_sqlite__inbox_list(struct store_reader *reader, const struct inbox_page *page,
							 int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
							 struct err *err);
int store_sqlite__early_events(struct store_reader *reader, int slot, const char *saga_id,
							   wall_ms after_at, const char *after_event_id, int limit,
							   int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
							   struct err *err);
int store_sqlite__outbox_list(struct store_reader *reader, const struct outbox_page *page,
							  int (*row)(void *ctx, const struct outbox_row *row), void *ctx,
							  struct err *err);
int store_sqlite__dead_letter_get(struct store_reader *reader, const char *ns, const char *id,
								  struct dead_letter_row *ret_row, struct err *err);
int store_sqlite__dead_letter_list(struct store_reader *reader,
								   const struct dead_letter_filter *filter,
								   int (*row)(void *ctx, const struct dead_letter_row *row),
								   void *ctx, struct err *err);
int store_sqlite__trigger_list(struct store_reader *reader, const char *ns,
							   int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
							   struct err *err);

/* A row of sagas; texts are borrowed from the statement. */
int store_sqlite__read_saga(sqlite3_stmt *stmt, struct saga_row *ret_row,
							struct err *err) MUST_CHECK;
/* Steps to the end. 0, an error, or what the callback returned; *n counts rows, and may be NULL. */
int store_sqlite__each_saga(sqlite3 *db, sqlite3_stmt *stmt,
							int (*row)(void *ctx, const struct saga_row *row), void *ctx, int *n,
							struct err *err) MUST_CHECK;

/*
 * Within a transaction: what an accepted item carries beside its saga. SQLITE_DONE, or SQLite's
 * error.
 */
int store_sqlite__write_messages(struct store_sqlite *s, const struct store_item *item);
int store_sqlite__insert_inbox(struct store_sqlite *s, const struct inbox_row *row);
/* What belongs to a saga that goes. */
int store_sqlite__delete_messages(struct store_sqlite *s, const char *saga_id);

/*
 * How a row with a revision is written. Its first two columns are its key, its last one is the
 * revision, and both statements have the columns as parameters, in that order, which bind fills
 * with the row and the revision after the one that was read. find gives the revision that is
 * stored, and whether all columns say the same.
 */
struct store_sqlite_revised {
	enum store_sqlite_write find, put;
	void (*bind)(sqlite3_stmt *stmt, const void *row);
	const char *what; /* one of them, for a person */
};

/*
 * Writes the row if the stored one has the revision that was read (0: there is none), and counts
 * the revision up; ERR_CONFLICT otherwise. What an earlier call has written, when nobody could
 * tell, is taken for written.
 */
int store_sqlite__put_revised(struct store_sqlite *s, const struct store_sqlite_revised *table,
							  const void *row, const char *name, int64_t *revision,
							  struct err *err) MUST_CHECK;
/* All rows of a namespace (NULL: of all), or the one with the name, where that is not NULL. 0, an
 * error, or what row returned. */
int store_sqlite__list_revised(struct store_reader *reader, enum store_sqlite_read which,
							   const char *ns, const char *name,
							   int (*row)(sqlite3_stmt *stmt, void *ctx), void *ctx,
							   struct err *err) MUST_CHECK;

/* Transactions of the writer. A failed one has been rolled back when these return. */
int store_sqlite__begin(struct store_sqlite *s, struct err *err) MUST_CHECK;
int store_sqlite__end(struct store_sqlite *s, struct err *err) MUST_CHECK;
void store_sqlite__rollback(struct store_sqlite *s);
/* Runs a statement that gives no rows and resets it; SQLITE_DONE or an error. */
int store_sqlite__run(sqlite3_stmt *stmt);
static inline bool store_sqlite__same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Binding. Texts are borrowed until the statement is reset; NULL is NULL. */
static inline void store_sqlite__bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	if (text)
		sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, i);
}

static inline void store_sqlite__bind_bytes(sqlite3_stmt *stmt, int i, const char *text, size_t len)
{
	if (text)
		sqlite3_bind_text64(stmt, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
	else
		sqlite3_bind_null(stmt, i);
}

/* 0 is NULL. */
static inline void store_sqlite__bind_time(sqlite3_stmt *stmt, int i, wall_ms at)
{
	if (at)
		sqlite3_bind_int64(stmt, i, at);
	else
		sqlite3_bind_null(stmt, i);
}

static inline const char *store_sqlite__text(sqlite3_stmt *stmt, int col)
{
	return (const char *)sqlite3_column_text(stmt, col);
}

/* Copies a text column into a fixed array; what does not fit is cut, NULL is "". */
#define STORE_SQLITE_COPY(stmt, col, array)                                                        \
	store_sqlite__copy((stmt), (col), (array), sizeof(array))

static inline void store_sqlite__copy(sqlite3_stmt *stmt, int col, char *to, size_t size)
{
	const char *text = store_sqlite__text(stmt, col);
	size_t len = text ? strnlen(text, size - 1) : 0;

	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
}

#endif
