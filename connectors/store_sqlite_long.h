/* The statements of what runs long: tasks, search values, locks, queues; see store_sqlite_priv.h.
 */
#ifndef CONNECTORS_STORE_SQLITE_LONG_H
#define CONNECTORS_STORE_SQLITE_LONG_H

#include "connectors/store.h"

#define STORE_SQLITE_TASK_COLUMNS                                                                  \
	"slot, saga_id, namespace, definition, step, item, side, kind, queue, route, attempt, state,"  \
	" queued_at, available_at, deadline_at, leased_until, worker, build, doc"

/* A change of places in lines: of a saga, of one of its steps, or of one key. */
#define STORE_SQLITE_LOCKS_OF                                                                      \
	" WHERE saga_id = ?1 AND (?2 IS NULL OR (step = ?2 AND item = ?3)) AND (?4 IS NULL OR key = "  \
	"?4)"

/* Keys that nobody stands in line for and that were not held for long. */
#define STORE_SQLITE_KEYS_OVER                                                                     \
	" FROM lock_keys AS k WHERE held_at < ?1 AND NOT EXISTS (SELECT 1 FROM locks AS l"             \
	" WHERE l.namespace = k.namespace AND l.key = k.key)"                                          \
	" ORDER BY held_at, namespace, key LIMIT ?2"

#define STORE_SQLITE_LONG_WRITES(X)                                                                \
	X(W_KEY_TAKE, "UPDATE idempotency SET saga_id = ?4, fingerprint = ?5"                          \
				  " WHERE namespace = ?1 AND definition = ?2 AND key = ?3"                         \
				  " AND (saga_id = ?6 OR (?7 AND EXISTS"                                           \
				  " (SELECT 1 FROM sagas WHERE namespace = ?1 AND id = idempotency.saga_id"        \
				  " AND status = 'compensated'))) AND NOT EXISTS"                                  \
				  " (SELECT 1 FROM sagas WHERE namespace = ?1 AND id = ?4)")                       \
	X(W_SAGA_REBASE, "UPDATE sagas SET version = ?3, base_seq = ?4"                                \
					 " WHERE namespace = ?1 AND id = ?2")                                          \
	X(W_TASK_PUT,                                                                                  \
	  "INSERT INTO tasks (" STORE_SQLITE_TASK_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"  \
	  " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"                                     \
	  " ON CONFLICT (saga_id, step, item, side) DO UPDATE SET kind = excluded.kind,"               \
	  " queue = excluded.queue, route = excluded.route, attempt = excluded.attempt,"               \
	  " state = excluded.state, queued_at = excluded.queued_at,"                                   \
	  " available_at = excluded.available_at, deadline_at = excluded.deadline_at,"                 \
	  " leased_until = excluded.leased_until, worker = excluded.worker, build = excluded.build,"   \
	  " doc = excluded.doc")                                                                       \
	X(W_TASK_DELETE,                                                                               \
	  "DELETE FROM tasks WHERE saga_id = ?1 AND step = ?2 AND item = ?3 AND side = ?4")            \
	X(W_TASK_NOTE,                                                                                 \
	  "UPDATE tasks SET doc = ?7 WHERE saga_id = ?1 AND step = ?2 AND item = ?3 AND side = ?4"     \
	  " AND slot = ?5 AND state = 'leased' AND attempt = ?6")                                      \
	X(W_TASKS_DELETE_ALL, "DELETE FROM tasks WHERE saga_id = ?1")                                  \
	X(W_SEARCH_PUT, "INSERT INTO search (namespace, name, value, saga_id) VALUES (?1, ?2, ?3, ?4)" \
					" ON CONFLICT DO NOTHING")                                                     \
	X(W_SEARCH_DELETE_ALL, "DELETE FROM search WHERE saga_id = ?1")                                \
	X(W_LOCK_ASK, "INSERT INTO locks (namespace, key, ticket, saga_id, step, item, slot, held,"    \
				  " token, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8)"                \
				  " ON CONFLICT DO NOTHING")                                                       \
	X(W_LOCK_CALL, "INSERT INTO lock_calls (namespace, key) VALUES (?1, ?2)"                       \
				   " ON CONFLICT DO NOTHING")                                                      \
	X(W_LOCK_CALL_OF, "INSERT INTO lock_calls (namespace, key) SELECT namespace, key FROM locks"   \
					  " INDEXED BY locks_saga" STORE_SQLITE_LOCKS_OF " ON CONFLICT DO NOTHING")    \
	X(W_LOCK_RELEASE, "DELETE FROM locks INDEXED BY locks_saga" STORE_SQLITE_LOCKS_OF)             \
	X(W_LOCK_CALLS, "SELECT namespace, key FROM lock_calls WHERE namespace > ''"                   \
					" ORDER BY namespace, key LIMIT ?1")                                           \
	X(W_LOCK_CALLED, "DELETE FROM lock_calls WHERE namespace = ?1 AND key = ?2")                   \
	X(W_LOCK_HEAD, "SELECT ticket FROM locks WHERE namespace = ?1 AND key = ?2 AND NOT EXISTS"     \
				   " (SELECT 1 FROM locks WHERE namespace = ?1 AND key = ?2 AND held = 1)"         \
				   " ORDER BY ticket LIMIT 1")                                                     \
	X(W_LOCK_BLOCKED,                                                                              \
	  "SELECT 1 FROM locks AS mine WHERE mine.ticket = ?1 AND (EXISTS (SELECT 1 FROM locks AS o"   \
	  " WHERE o.namespace = mine.namespace AND o.key = mine.key AND o.held = 1) OR EXISTS"         \
	  " (SELECT 1 FROM locks AS o WHERE o.namespace = mine.namespace AND o.key = mine.key"         \
	  " AND o.ticket < ?1)) LIMIT 1")                                                              \
	X(W_LOCK_TOKEN,                                                                                \
	  "SELECT 1 + max(coalesce((SELECT max(k.token) FROM locks AS l CROSS JOIN lock_keys AS k"     \
	  " ON k.namespace = l.namespace AND k.key = l.key WHERE l.ticket = ?1), 0),"                  \
	  " coalesce((SELECT floor FROM lock_floors WHERE namespace = ?2), 0))")                       \
	X(W_LOCK_GRANT, "UPDATE locks SET held = 1, token = ?2, held_at = ?3 WHERE ticket = ?1")       \
	X(W_LOCK_KEYS,                                                                                 \
	  "INSERT INTO lock_keys (namespace, key, token, held_at)"                                     \
	  " SELECT namespace, key, ?2, ?3 FROM locks WHERE ticket = ?1"                                \
	  " ON CONFLICT DO UPDATE SET token = excluded.token, held_at = excluded.held_at")             \
	X(W_LOCK_TELL,                                                                                 \
	  "INSERT INTO inbox (id, slot, namespace, saga_id, at, message)"                              \
	  " SELECT ticket, slot, namespace, saga_id, ?2,"                                              \
	  " printf('{\"kind\":\"lock\",\"step\":%s,\"item\":%d,\"token\":%d}', json_quote(step),"      \
	  " item, token) FROM locks WHERE ticket = ?1 LIMIT 1"                                         \
	  " ON CONFLICT DO NOTHING RETURNING slot")                                                    \
	X(W_LOCK_FLOOR, "INSERT INTO lock_floors (namespace, floor)"                                   \
					" SELECT namespace, token" STORE_SQLITE_KEYS_OVER                              \
					" ON CONFLICT DO UPDATE SET floor = max(floor, excluded.floor)")               \
	X(W_LOCK_KEYS_EXPIRE, "DELETE FROM lock_keys WHERE (namespace, key) IN"                        \
						  " (SELECT namespace, key" STORE_SQLITE_KEYS_OVER ")")                    \
	X(W_QUEUE_FIND,                                                                                \
	  "SELECT revision, (settings, author, updated_at, revision) IS (?3, ?4, ?5, ?6) FROM queues"  \
	  " WHERE namespace = ?1 AND name = ?2")                                                       \
	X(W_QUEUE_PUT,                                                                                 \
	  "INSERT INTO queues (namespace, name, settings, author, updated_at, revision)"               \
	  " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET settings = excluded.settings,"   \
	  " author = excluded.author, updated_at = excluded.updated_at, revision = excluded.revision") \
	X(W_TRIM_FIND, "SELECT namespace, id, base_seq FROM sagas INDEXED BY sagas_based"              \
				   " WHERE base_seq > 1 AND (namespace, id) > (?1, ?2)"                            \
				   " ORDER BY namespace, id LIMIT 1")                                              \
	X(W_TRIM_OLDEST, "SELECT at FROM history WHERE saga_id = ?1 ORDER BY seq LIMIT 1")             \
	X(W_TRIM, "DELETE FROM history WHERE rowid IN (SELECT rowid FROM history"                      \
			  " WHERE saga_id = ?1 AND seq < ?2 AND at < ?3 ORDER BY seq LIMIT ?4)")

/* A page of tasks, of one state; of both they are merged. */
#define STORE_SQLITE_TASKS(index, queue, state)                                                    \
	"SELECT " STORE_SQLITE_TASK_COLUMNS " FROM tasks INDEXED BY " index                            \
	" WHERE namespace = ?1 AND kind = ?2" queue " AND state = " state " AND available_at < ?5"     \
	" AND (available_at, saga_id, step, item, side) > (?6, ?7, ?8, ?9, ?10)"
#define STORE_SQLITE_TASKS_END " ORDER BY available_at, saga_id, step, item, side LIMIT ?11"

#define STORE_SQLITE_LOCK_COLUMNS                                                                  \
	"namespace, key, ticket, saga_id, slot, step, item, held, token, asked_at, held_at"

/* A count that ends one past its bound. */
#define STORE_SQLITE_QUEUE_COUNT(state)                                                            \
	"(SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_queue WHERE namespace = ?1"       \
	" AND kind = 'worker' AND queue = q.queue AND state = '" state "' LIMIT ?4))"

#define STORE_SQLITE_LONG_READS(X)                                                                 \
	X(R_TASKS_QUEUE,                                                                               \
	  STORE_SQLITE_TASKS("tasks_queue", " AND queue = ?3", "?4") STORE_SQLITE_TASKS_END)           \
	X(R_TASKS_QUEUE_ANY,                                                                           \
	  STORE_SQLITE_TASKS(                                                                          \
		  "tasks_queue", " AND queue = ?3",                                                        \
		  "'queued'") " UNION ALL " STORE_SQLITE_TASKS("tasks_queue", " AND queue = ?3",           \
													   "'leased'") STORE_SQLITE_TASKS_END)         \
	X(R_TASKS_ALL, STORE_SQLITE_TASKS("tasks_all", "", "?4") STORE_SQLITE_TASKS_END)               \
	X(R_TASKS_ALL_ANY,                                                                             \
	  STORE_SQLITE_TASKS("tasks_all", "", "'queued'") " UNION ALL " STORE_SQLITE_TASKS(            \
		  "tasks_all", "", "'leased'") STORE_SQLITE_TASKS_END)                                     \
	X(R_SAGA_TASKS, "SELECT " STORE_SQLITE_TASK_COLUMNS " FROM tasks"                              \
					" WHERE saga_id = ?1 AND slot = ?2 AND (?3 IS NULL OR state = ?3)"             \
					" ORDER BY step, item, side LIMIT ?4")                                         \
	X(R_QUEUE_NAMESPACE, "SELECT min(namespace) FROM tasks WHERE namespace >= ?1")                 \
	X(R_APPROVALS,                                                                                 \
	  "SELECT (SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_queue WHERE namespace "  \
	  "= ?1"                                                                                       \
	  " AND kind = 'approval' AND queue = '' AND state = 'queued' LIMIT ?2)),"                     \
	  " (SELECT min(available_at) FROM tasks INDEXED BY tasks_queue WHERE namespace = ?1"          \
	  " AND kind = 'approval' AND queue = '' AND state = 'queued')")                               \
	X(R_QUEUES,                                                                                    \
	  "WITH RECURSIVE q (queue) AS (SELECT min(queue) FROM tasks INDEXED BY tasks_queue"           \
	  " WHERE namespace = ?1 AND kind = 'worker' AND queue > ?2 UNION ALL SELECT"                  \
	  " (SELECT min(queue) FROM tasks INDEXED BY tasks_queue WHERE namespace = ?1"                 \
	  " AND kind = 'worker' AND queue > q.queue) FROM q WHERE queue IS NOT NULL)"                  \
	  " SELECT queue, " STORE_SQLITE_QUEUE_COUNT("queued") ", " STORE_SQLITE_QUEUE_COUNT(          \
		  "leased") ", (SELECT min(available_at) FROM tasks INDEXED BY tasks_queue"                \
					" WHERE namespace = ?1 AND kind = 'worker' AND queue = q.queue"                \
					" AND state = 'queued') FROM q WHERE queue IS NOT NULL LIMIT ?3")              \
	X(R_QUEUE, "SELECT namespace, name, settings, author, updated_at, revision FROM queues"        \
			   " WHERE namespace = ?1 AND name = ?2")                                              \
	X(R_QUEUE_ROWS, "SELECT namespace, name, settings, author, updated_at, revision FROM queues"   \
					" WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name")                \
	X(R_LOCK_HOLDER, "SELECT " STORE_SQLITE_LOCK_COLUMNS " FROM locks WHERE namespace = ?1"        \
					 " AND key = ?2 AND held = 1 LIMIT ?3")                                        \
	X(R_LOCK_LINE, "SELECT " STORE_SQLITE_LOCK_COLUMNS " FROM locks WHERE namespace = ?1"          \
				   " AND key = ?2 AND held = 0 ORDER BY ticket LIMIT ?3")                          \
	X(R_LOCKS_OF, "SELECT " STORE_SQLITE_LOCK_COLUMNS " FROM locks WHERE saga_id = ?2"             \
				  " ORDER BY ticket, key LIMIT ?3")

struct store_sqlite;

/*
 * Within a transaction: what an accepted item carries of all this, and the messages that it sends.
 * SQLITE_DONE, or SQLite's error.
 */
int store_sqlite__write_long(struct store_sqlite *s, const struct store_item *item);
/* What belongs to a saga that goes. */
int store_sqlite__delete_long(struct store_sqlite *s, const char *saga_id);
/* What of locks is too old, up to limit. */
int store_sqlite__retain_locks(struct store_sqlite *s, wall_ms before, int limit);

/* The functions of store_ops. */
int store_sqlite__locks_grant(struct store *store, wall_ms now, bool *touched, struct err *err);
int store_sqlite__task_note(struct store *store, const struct task_row *row, struct err *err);
int store_sqlite__queue_put(struct store *store, struct queue_row *row, struct err *err);
int store_sqlite__history_trim(struct store *store, wall_ms before, int limit, int *ret_n,
							   struct err *err);
int store_sqlite__tasks_list(struct store_reader *reader, const struct task_filter *filter,
							 int (*row)(void *ctx, const struct task_row *row), void *ctx,
							 struct err *err);
int store_sqlite__saga_tasks(struct store_reader *reader, int slot, const char *saga_id, int state,
							 int limit, int (*row)(void *ctx, const struct task_row *row),
							 void *ctx, struct err *err);
int store_sqlite__approval_counts(struct store_reader *store_reader,
								  struct approval_counts *ret_counts, struct err *err);
int store_sqlite__queue_counts(struct store_reader *reader, const char *ns, const char *after_ns,
							   const char *after_queue, int limit,
							   int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
							   struct err *err);
int store_sqlite__queue_get(struct store_reader *reader, const char *ns, const char *name,
							struct queue_row *ret_row, struct err *err);
int store_sqlite__queue_list(struct store_reader *reader, const char *ns,
							 int (*row)(void *ctx, const struct queue_row *row), void *ctx,
							 struct err *err);
int store_sqlite__locks_list(struct store_reader *reader, const char *ns, const char *key,
							 const char *saga_id, int limit,
							 int (*row)(void *ctx, const struct lock_row *row), void *ctx,
							 struct err *err);

#endif
