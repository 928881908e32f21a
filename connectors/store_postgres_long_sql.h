/* The statements of what runs long; part of store_postgres_sql.c. */
#ifndef CONNECTORS_STORE_POSTGRES_LONG_SQL_H
#define CONNECTORS_STORE_POSTGRES_LONG_SQL_H

#define TASK_COLUMNS                                                                               \
	"slot, saga_id, namespace, definition, step, item, side, kind, queue, route, attempt, state,"  \
	" queued_at, available_at, deadline_at, leased_until, worker, build, doc"
#define TASKS_ORDER "available_at, saga_id, step, item, side LIMIT $11::int8"

/* A walk along one index, of tasks of one state. All of them have the same parameters. */
#define TASKS(queue, state)                                                                        \
	"SELECT " TASK_COLUMNS " FROM tasks WHERE namespace = $1 AND kind = $2" queue                  \
	" AND state = " state " AND $3::text IS NOT NULL AND $4::text IS NOT NULL"                     \
	" AND available_at < $5::int8 AND (available_at, saga_id, step, item, side)"                   \
	" > ($6::int8, $7::uuid, $8::text, $9::int4, $10::text) ORDER BY " TASKS_ORDER

/* Both states, merged. */
#define TASKS_ANY(queue)                                                                           \
	"SELECT * FROM ((" TASKS(queue, "'queued'") ") UNION ALL (" TASKS(                             \
		queue, "'leased'") ")) AS t ORDER BY " TASKS_ORDER

#define LOCK_COLUMNS                                                                               \
	"namespace, key, ticket, saga_id, slot, step, item, held::int4, token, asked_at, held_at"

/* Up to one past the bound. */
#define QUEUE_COUNT(state)                                                                         \
	"(SELECT count(*) FROM (SELECT FROM tasks t WHERE t.namespace = $1 AND t.kind = 'worker'"      \
	" AND t.queue = q.queue AND t.state = '" state "' LIMIT $4::int8) AS c)"

#define LONG_STATEMENTS                                                                            \
	[PG_LOCKS_GRANT] = "SELECT g.calls, s.slot FROM grant_locks($1::int8, $2::int4) AS g"          \
					   " LEFT JOIN LATERAL unnest(g.slots) AS s (slot) ON true",                   \
	[PG_LOCK_KEYS_FORGET] = "SELECT forget_lock_keys($1::int8, $2::int4)",                         \
	[PG_TASK_NOTE] =                                                                               \
		"UPDATE tasks SET doc = $7::json WHERE slot = $1::int4 AND saga_id = $2::uuid AND step = " \
		"$3"                                                                                       \
		" AND item = $4::int4 AND side = $5 AND state = 'leased' AND attempt = $6::int8",          \
	[PG_QUEUE_PUT] = PUT_REVISED("queues", "name", "settings, by, updated_at",                     \
								 "$3::text, $4::text, $5::int8", "$6::int8"),                      \
	[PG_HISTORY_TRIM] =                                                                            \
		"WITH looked AS MATERIALIZED (SELECT slot, id, namespace, base_seq FROM sagas"             \
		" WHERE base_seq > 1 AND (namespace, id) > ($1, $2::uuid) ORDER BY namespace, id"          \
		" LIMIT $5::int8"                                                                          \
		"), old AS MATERIALIZED (SELECT h.slot, h.saga_id, h.seq FROM looked l, LATERAL"           \
		" (SELECT slot, saga_id, seq FROM history WHERE slot = l.slot AND saga_id = l.id"          \
		" AND seq < l.base_seq AND at < $3::int8 AND (SELECT o.at FROM history o"                  \
		" WHERE o.slot = l.slot AND o.saga_id = l.id ORDER BY o.slot, o.saga_id, o.seq LIMIT 1)"   \
		" < $3::int8 ORDER BY slot, saga_id, seq LIMIT $4::int8) AS h LIMIT $4::int8"              \
		"), gone AS (DELETE FROM history h USING old o WHERE h.slot = o.slot"                      \
		" AND h.saga_id = o.saga_id AND h.seq = o.seq RETURNING 1"                                 \
		") SELECT (SELECT count(*) FROM gone), count(*), max(namespace),"                          \
		" (array_agg(id ORDER BY namespace DESC, id DESC))[1] FROM looked",                        \
	[PG_TASKS_QUEUE] = TASKS(" AND queue = $3", "$4"),                                             \
	[PG_TASKS_QUEUE_ANY] = TASKS_ANY(" AND queue = $3"), [PG_TASKS_ALL] = TASKS("", "$4"),         \
	[PG_TASKS_ALL_ANY] = TASKS_ANY(""),                                                            \
	[PG_SAGA_TASKS] = "SELECT " TASK_COLUMNS " FROM tasks WHERE slot = $1::int4"                   \
					  " AND saga_id = $2::uuid AND ($3::text IS NULL OR state = $3)"               \
					  " ORDER BY step, item, side LIMIT $4::int8",                                 \
	[PG_QUEUE_NAMESPACE] = "SELECT min(namespace) FROM tasks WHERE namespace >= $1",               \
	[PG_APPROVALS] =                                                                               \
		"SELECT (SELECT count(*) FROM (SELECT FROM tasks WHERE namespace = $1 AND kind = "         \
		"'approval'"                                                                               \
		" AND queue = '' AND state = 'queued' LIMIT $2::int8) AS c), (SELECT min(available_at)"    \
		" FROM tasks WHERE namespace = $1 AND kind = 'approval' AND queue = '' AND state = "       \
		"'queued')",                                                                               \
	[PG_QUEUE_COUNTS] =                                                                            \
		"WITH RECURSIVE q (queue) AS (SELECT min(queue) FROM tasks WHERE namespace = $1"           \
		" AND kind = 'worker' AND queue > $2 UNION ALL SELECT (SELECT min(t.queue) FROM tasks t"   \
		" WHERE t.namespace = $1 AND t.kind = 'worker' AND t.queue > q.queue) FROM q"              \
		" WHERE q.queue IS NOT NULL"                                                               \
		") SELECT queue, " QUEUE_COUNT("queued") ", " QUEUE_COUNT(                                 \
			"leased") ","                                                                          \
					  " (SELECT min(t.available_at) FROM tasks t WHERE t.namespace = $1"           \
					  " AND t.kind = 'worker' AND t.queue = q.queue AND t.state = 'queued')"       \
					  " FROM q WHERE queue IS NOT NULL LIMIT $3::int8",                            \
	[PG_QUEUE] = "SELECT namespace, name, settings, by, updated_at, revision FROM queues"          \
				 " WHERE namespace = $1 AND name = $2",                                            \
	[PG_QUEUES] = "SELECT namespace, name, settings, by, updated_at, revision FROM queues"         \
				  " WHERE $1::text IS NULL OR namespace = $1 ORDER BY namespace, name",            \
	[PG_LOCK_LINE] =                                                                               \
		"SELECT * FROM ((SELECT " LOCK_COLUMNS " FROM locks WHERE namespace = $1 AND key = $2"     \
		" AND held) UNION ALL (SELECT " LOCK_COLUMNS " FROM locks WHERE namespace = $1"            \
		" AND key = $2 AND NOT held ORDER BY namespace, key, ticket LIMIT $3::int8)) AS l"         \
		" ORDER BY held DESC, ticket LIMIT $3::int8",                                              \
	[PG_LOCKS_OF] = "SELECT " LOCK_COLUMNS " FROM locks WHERE slot = $1::int4"                     \
					" AND saga_id = $2::uuid ORDER BY slot, saga_id LIMIT $3::int8"

#endif
