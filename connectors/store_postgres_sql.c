/*
 * The statements, in one place; that of a batch comes from store_postgres_commit_sql.h.
 */
#include "connectors/store_postgres_commit_sql.h"
#include "connectors/store_postgres_long_sql.h"
#include "connectors/store_postgres_priv.h"

/* A group's rows of all slots, added up. */
#define GROUP_SUMS                                                                                 \
	"max(definition) AS definition, max(kind) AS kind, max(step) AS step, max(side) AS side,"      \
	" max(code) AS code, (array_agg(message ORDER BY last_seen_at DESC NULLS LAST))[1] AS "        \
	"message,"                                                                                     \
	" (array_agg(sample ORDER BY last_seen_at DESC NULLS LAST))[1] AS sample,"                     \
	" coalesce(sum(n), 0)::int8 AS n, min(first_seen_at) AS first_seen_at,"                        \
	" max(last_seen_at) AS last_seen_at"
#define GROUP_COLUMNS                                                                              \
	"g.namespace, g.id, g.definition, g.kind, g.step, g.side, g.code,"                             \
	" coalesce(now.attention, g.message), coalesce(now.id, g.sample), g.n, g.first_seen_at,"       \
	" g.last_seen_at, said.acknowledged_by, said.acknowledged_at, said.note, said.owner,"          \
	" said.notified_at, said.notified_n, said.revision"
/* The sample is one that is in it now, where there is one. */
#define GROUP_JOINS                                                                                \
	" FROM g LEFT JOIN attention_said said ON said.namespace = g.namespace AND said.id = g.id"     \
	" LEFT JOIN LATERAL (SELECT s.id, s.attention FROM sagas s WHERE s.namespace = g.namespace"    \
	" AND s.attention_group = g.id ORDER BY s.id DESC LIMIT 1) AS now ON true"

/*
 * Writes a row with a revision as a whole, and gives its revision then: inserts what is new,
 * updates what was read, or finds what an earlier call has written, when nobody could tell. No row:
 * somebody else has written it. key are its two first columns, $1 and $2; read is the revision that
 * was read.
 */
#define PUT_REVISED(table, key, columns, values, read)                                             \
	"WITH added AS (INSERT INTO " table " (namespace, " key ", " columns ", revision)"             \
	" SELECT $1, $2, " values ", 1 WHERE " read " = 0 ON CONFLICT DO NOTHING RETURNING revision"   \
	"), changed AS (UPDATE " table " SET (" columns ", revision) = ROW (" values ", revision + 1)" \
	" WHERE namespace = $1 AND " key " = $2 AND revision = " read " RETURNING revision"            \
	") SELECT revision FROM added UNION ALL SELECT revision FROM changed UNION ALL"                \
	" SELECT revision FROM " table " WHERE namespace = $1 AND " key " = $2"                        \
	" AND ROW (" columns ") IS NOT DISTINCT FROM ROW (" values ") AND revision = " read " + 1"

/* The items of a batch, each saga once, as it was said last; written if the batch's row was. */
#define BATCH_ITEMS                                                                                \
	"WITH items AS MATERIALIZED (SELECT DISTINCT ON (saga_id) * FROM unnest($15::uuid[],"          \
	" $16::text[], $17::text[], $18::text[], $19::int8[], $20::int8[]) WITH ORDINALITY AS i"       \
	" (saga_id, status, effect, error, seq, updated_at, place) ORDER BY saga_id, place DESC"
#define BATCH_PUT_ITEMS                                                                            \
	"), put AS (INSERT INTO batch_items (namespace, batch_id, saga_id, status, effect, error,"     \
	" seq, updated_at) SELECT $1, $2::uuid, saga_id, status, effect, error, seq, updated_at"       \
	" FROM items WHERE EXISTS (SELECT FROM mine)"                                                  \
	" ON CONFLICT (namespace, batch_id, saga_id) DO UPDATE SET status = excluded.status,"          \
	" effect = excluded.effect, error = excluded.error, seq = excluded.seq,"                       \
	" updated_at = excluded.updated_at"                                                            \
	") SELECT * FROM mine"

const char *const pg__sql[PG_STATEMENT_COUNT] = {
	[PG_COMMIT] = COMMIT_FENCE COMMIT_BEGUN COMMIT_KEYED COMMIT_STARTED COMMIT_ACCEPTED
		COMMIT_CHANGED COMMIT_COUNTED COMMIT_MINUTES COMMIT_COUNTED_END COMMIT_ANSWER,
	[PG_COMMIT_ALL] = COMMIT_FENCE COMMIT_BEGUN_CONCERN COMMIT_KEYED COMMIT_STARTED_CONCERN
		COMMIT_ACCEPTED COMMIT_CHANGED_CONCERN COMMIT_COUNTED COMMIT_MINUTES_CONCERN
			COMMIT_COUNTED_END COMMIT_QUEUES COMMIT_ANSWER,
	[PG_COMMIT_LONG] = COMMIT_FENCE COMMIT_BEGUN_LONG COMMIT_KEYED COMMIT_STARTED_LONG
		COMMIT_ACCEPTED_LONG COMMIT_CHANGED_LONG COMMIT_COUNTED_LONG COMMIT_MINUTES_CONCERN
			COMMIT_COUNTED_END COMMIT_QUEUES COMMIT_LONG_ROWS COMMIT_ANSWER,
	LONG_STATEMENTS,

	[PG_KEYS_FIND] =
		"SELECT a.i, k.saga_id, k.fingerprint"
		" FROM unnest($1::int4[], $2::int4[], $3::text[], $4::text[], $5::text[])"
		" AS a (i, slot, namespace, definition, key), idempotency k"
		" WHERE k.slot = a.slot AND k.namespace = a.namespace AND k.definition = a.definition"
		" AND k.key = a.key",

	[PG_SETTLE] = "SELECT slot FROM slots WHERE slot = ANY($1::int4[]) ORDER BY slot FOR UPDATE",

	[PG_DEF_PUT] =
		"WITH found AS (SELECT version FROM definitions"
		" WHERE namespace = $1 AND name = $2 AND hash = $3"
		"), added AS ("
		" INSERT INTO definitions (namespace, name, version, hash, deployed_at, doc, source)"
		" SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4::int8, $5, $6 FROM definitions"
		" WHERE namespace = $1 AND name = $2 HAVING NOT EXISTS (SELECT FROM found)"
		" ON CONFLICT DO NOTHING RETURNING version"
		"), routed AS ("
		" UPDATE definition_routes r SET current = a.version, canary = 0, percent = 0, by = NULL,"
		" previous = CASE r.current WHEN 0 THEN a.version - 1 ELSE r.current END,"
		" updated_at = $4::int8, revision = r.revision + 1 FROM added a"
		" WHERE r.namespace = $1 AND r.name = $2 AND $7::int4 IS NULL"
		"), shared AS ("
		" INSERT INTO definition_routes AS r (namespace, name, current, previous, canary, percent,"
		" paused, updated_at, revision)"
		" SELECT $1, $2, version - 1, 0, version, $7::int4, false, $4::int8, 1 FROM added"
		" WHERE version > 1 AND $7::int4 IS NOT NULL ON CONFLICT (namespace, name) DO UPDATE SET"
		" current = CASE r.current WHEN 0 THEN excluded.current ELSE r.current END,"
		" canary = excluded.canary, percent = excluded.percent, by = NULL,"
		" updated_at = excluded.updated_at, revision = r.revision + 1"
		") SELECT version, 1 FROM found UNION ALL SELECT version, 0 FROM added",

	[PG_RETAIN_NAMESPACE] = "SELECT min(namespace) FROM sagas WHERE namespace > $1",
	/* First a row that says how many were looked at and which was the last; then what is to go. */
	[PG_RETAIN_FIND] =
		"WITH seen AS MATERIALIZED (SELECT slot, id, definition, key, ended_at FROM sagas"
		" WHERE namespace = $1 AND id > $2::uuid AND id < $3::uuid ORDER BY namespace, id"
		" LIMIT $6::int8"
		") SELECT count(*), (array_agg(id ORDER BY id DESC))[1], NULL, NULL FROM seen"
		" UNION ALL (SELECT slot, id, definition, key FROM seen WHERE ended_at < $4::int8"
		" ORDER BY id LIMIT $5::int8)",
	/* Another node may remove the same ones: what it was faster with is not counted again. */
	[PG_RETAIN_DELETE] =
		"WITH doomed AS MATERIALIZED ("
		" SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::text[], $5::text[])"
		" AS d (slot, id, key_slot, definition, key)"
		"), d1 AS (DELETE FROM history t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d2 AS (DELETE FROM compensations t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d3 AS (DELETE FROM idempotency t USING doomed d"
		" WHERE t.slot = d.key_slot AND t.namespace = $6 AND t.definition = d.definition"
		" AND t.key = d.key AND t.saga_id = d.id"
		"), d5 AS (DELETE FROM subscriptions t USING doomed d"
		" WHERE t.saga_slot = d.slot AND t.saga_id = d.id"
		"), d6 AS (DELETE FROM inbox t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d7 AS (DELETE FROM tasks t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d8 AS (DELETE FROM search t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d9 AS (DELETE FROM locks t USING doomed d WHERE t.slot = d.slot AND t.saga_id = d.id"
		" RETURNING t.namespace, t.key, t.saga_id"
		"), called AS (INSERT INTO lock_calls (namespace, key, saga_id, seq)"
		" SELECT DISTINCT namespace, key, saga_id, 0 FROM d9 ON CONFLICT DO NOTHING"
		"), d4 AS (DELETE FROM sagas t USING doomed d WHERE t.slot = d.slot AND t.id = d.id"
		" RETURNING t.definition, t.version, t.status"
		"), counted AS ("
		" INSERT INTO counters AS c (slot, namespace, definition, number, what, n)"
		" SELECT $7::int4, $6, definition, version, status, -count(*) FROM d4"
		" GROUP BY definition, version, status ORDER BY definition, version, status"
		" ON CONFLICT (slot, namespace, definition, number, what)"
		" DO UPDATE SET n = c.n + excluded.n"
		") SELECT",
	[PG_SIZE] = "SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c"
				" WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class"
				" WHERE oid = 'sagas'::regclass)",

	/* First these are committed, then who waits for them is looked for: see events_put. */
	[PG_EVENTS_PUT] =
		"INSERT INTO events (slot, namespace, channel, value, id, at, expires_at, event)"
		" SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[],"
		" $6::int8[], $7::int8[], $8::text[]) ON CONFLICT DO NOTHING",
	[PG_EVENTS_MATCH] =
		"SELECT e.i, s.saga_slot, s.saga_id, s.step, s.item, s.place FROM unnest($1::int4[],"
		" $2::int4[], $3::text[], $4::text[], $5::text[]) AS e (i, slot, namespace, channel, "
		"value),"
		" subscriptions s WHERE s.slot = e.slot AND s.namespace = e.namespace"
		" AND s.channel = e.channel AND s.value = e.value",
	[PG_EVENTS_EXPIRE] =
		"WITH old AS MATERIALIZED (SELECT slot, namespace, channel, value, id FROM events"
		" WHERE expires_at < $1::int8 ORDER BY expires_at LIMIT $2::int8 FOR UPDATE SKIP LOCKED"
		"), gone AS (DELETE FROM events e USING old o WHERE e.slot = o.slot"
		" AND e.namespace = o.namespace AND e.channel = o.channel AND e.value = o.value"
		" AND e.id = o.id RETURNING 1"
		") SELECT count(*) FROM gone",
	[PG_INBOX_PUT] =
		"INSERT INTO inbox (slot, id, saga_id, namespace, at, message)"
		" SELECT * FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::text[], $5::int8[],"
		" $6::text[]) ON CONFLICT DO NOTHING",
	[PG_INBOX_REMOVE] =
		"WITH fence AS MATERIALIZED ("
		" SELECT s.slot FROM slots s, unnest($1::int4[], $2::uuid[]) AS f (slot, token)"
		" WHERE s.slot = f.slot AND s.token = f.token ORDER BY s.slot FOR SHARE OF s"
		") DELETE FROM inbox t USING unnest($3::int4[], $4::uuid[]) AS r (slot, id)"
		" WHERE (SELECT count(*) FROM fence) >= 0 AND (r.slot IN (SELECT slot FROM fence)) IS TRUE"
		" AND t.slot = r.slot AND t.id = r.id",
	[PG_OUTBOX_REMOVE] =
		"DELETE FROM outbox t USING unnest($1::int4[], $2::uuid[], $3::int4[], $4::int4[])"
		" AS r (slot, saga_id, seq, place) WHERE t.slot = r.slot AND t.saga_id = r.saga_id"
		" AND t.seq = r.seq AND t.place = r.place",
	[PG_OUTBOX_EXPIRE] =
		"WITH old AS MATERIALIZED (SELECT slot, saga_id, seq, place FROM outbox"
		" WHERE created_at < $1::int8 ORDER BY created_at LIMIT $2::int8 FOR UPDATE SKIP LOCKED"
		"), gone AS (DELETE FROM outbox t USING old o WHERE t.slot = o.slot"
		" AND t.saga_id = o.saga_id AND t.seq = o.seq AND t.place = o.place RETURNING 1"
		") SELECT count(*) FROM gone",
	[PG_DEAD_LETTER_PUT] =
		"INSERT INTO dead_letters (namespace, id, trigger, cluster, topic, partition, \"offset\","
		" at, failed_at, key, value, headers, reason, message, attempts, status, saga_id, "
		"updated_at)"
		" VALUES ($1, $2::uuid, $3, $4, $5, $6::int4, $7::int8, $8::int8, $9::int8, $10::bytea,"
		" $11::bytea, $12, $13, $14, $15::int8, $16, $17::uuid, $18::int8) ON CONFLICT DO NOTHING",
	[PG_DEAD_LETTER_UPDATE] =
		"UPDATE dead_letters SET status = $3, saga_id = $4::uuid, updated_at = $5::int8"
		" WHERE namespace = $1 AND id = $2::uuid RETURNING 1",
	[PG_DEAD_LETTERS_RETAIN] =
		"WITH old AS MATERIALIZED (SELECT namespace, id FROM dead_letters"
		" WHERE status <> 'waiting' AND updated_at < $1::int8 ORDER BY updated_at LIMIT $2::int8"
		" FOR UPDATE SKIP LOCKED"
		") DELETE FROM dead_letters d USING old o WHERE d.namespace = o.namespace AND d.id = o.id"
		" AND d.status <> 'waiting'",
	[PG_ROUTING_PUT] =
		PUT_REVISED("definition_routes", "name",
					"current, previous, canary, percent, paused, reason, by, updated_at",
					"$3::int8, $4::int8, $5::int8, $6::int4, $7::bool, $8::text, $9::text,"
					" $10::int8",
					"$11::int8"),
	[PG_ROUTING] = "SELECT namespace, name, current, previous, canary, percent, paused::int4,"
				   " reason, by, updated_at, revision FROM definition_routes"
				   " WHERE namespace = $1 AND name = $2",
	[PG_ROUTINGS] = "SELECT namespace, name, current, previous, canary, percent, paused::int4,"
					" reason, by, updated_at, revision FROM definition_routes"
					" WHERE $1::text IS NULL OR namespace = $1 ORDER BY namespace, name",
	[PG_SCHEDULE_PUT] = PUT_REVISED("schedules", "name", "paused, reason, state, by, updated_at",
									"$3::bool, $4::text, $5::text, $6::text, $7::int8", "$8::int8"),
	[PG_SCHEDULE] = "SELECT namespace, name, paused::int4, reason, state, by, updated_at, revision"
					" FROM schedules WHERE namespace = $1 AND name = $2",
	[PG_SCHEDULES] = "SELECT namespace, name, paused::int4, reason, state, by, updated_at, revision"
					 " FROM schedules WHERE $1::text IS NULL OR namespace = $1"
					 " ORDER BY namespace, name",
	[PG_TRIGGER_PUT] = PUT_REVISED("triggers", "name", "paused, reason, seeks, updated_at, by",
								   "$3::bool, $4::text, $5::text, $6::int8, $7::text", "$8::int8"),
	/* Slot by slot, each in the order of its index, keys only; then the first of all. */
	[PG_INBOX_LIST] =
		"SELECT i.id, i.slot, i.namespace, i.saga_id, i.at, i.message FROM ("
		"SELECT k.* FROM unnest($1::int4[]) AS g (s), LATERAL (SELECT slot, at, id FROM inbox"
		" WHERE slot = g.s AND (at, id) > ($2::int8, $3::uuid) ORDER BY slot, at, id"
		" LIMIT $4::int8) AS k ORDER BY k.at, k.id LIMIT $4::int8) AS k, inbox i"
		" WHERE i.slot = k.slot AND i.id = k.id ORDER BY i.at, i.id",
	[PG_EARLY_EVENTS] =
		"SELECT s.namespace, s.step, s.item, s.place, e.id, e.at, e.event"
		" FROM subscriptions s, events e WHERE s.saga_slot = $1::int4 AND s.saga_id = $2::uuid"
		" AND e.slot = s.slot AND e.namespace = s.namespace AND e.channel = s.channel"
		" AND e.value = s.value AND (e.at, e.id) > ($3::int8, $4::text)"
		" ORDER BY e.at, e.id FETCH FIRST ($5::int8) ROWS WITH TIES",
	[PG_OUTBOX_LIST] =
		"SELECT o.slot, o.saga_id, o.seq, o.place, o.id, o.cluster, o.aggregatetype, o.aggregateid,"
		" o.type, o.headers, o.payload, o.created_at FROM ("
		"SELECT k.* FROM unnest($1::int4[]) AS g (s), LATERAL (SELECT slot, saga_id, seq, place"
		" FROM outbox WHERE slot = g.s AND (saga_id, seq, place) > ($2::uuid, $3::int4, $4::int4)"
		" ORDER BY slot, saga_id, seq, place LIMIT $5::int8) AS k"
		" ORDER BY k.saga_id, k.seq, k.place LIMIT $5::int8) AS k, outbox o"
		" WHERE o.slot = k.slot AND o.saga_id = k.saga_id AND o.seq = k.seq AND o.place = k.place"
		" ORDER BY o.saga_id, o.seq, o.place",
	[PG_DEAD_LETTER_GET] = "SELECT " PG_DEAD_LETTER_COLUMNS PG_DEAD_LETTER_RECORD
						   " FROM dead_letters WHERE namespace = $1 AND id = $2::uuid",
	[PG_TRIGGER_LIST] = "SELECT namespace, name, paused::int4, reason, seeks, updated_at, by,"
						" revision FROM triggers WHERE $1::text IS NULL OR namespace = $1"
						" ORDER BY namespace, name",

	[PG_SAGA_GET] = "SELECT " PG_SAGA_COLUMNS " FROM sagas"
					" WHERE slot = $1::int4 AND id = $2::uuid AND namespace = $3",
	[PG_HISTORY] = "SELECT seq, at, events FROM history WHERE slot = $1::int4"
				   " AND saga_id = $2::uuid AND seq > $3::int4 ORDER BY slot, saga_id, seq"
				   " LIMIT $4::int8",
	[PG_COMPENSATIONS] = "SELECT step, item, action, status, request, attempts, last_error,"
						 " updated_at FROM compensations WHERE slot = $1::int4"
						 " AND saga_id = $2::uuid ORDER BY seq, place",
	[PG_AWAKE] = "SELECT " PG_SAGA_COLUMNS " FROM sagas WHERE ended_at IS NULL AND due_at IS NULL"
				 " AND slot = ANY($1::int4[]) ORDER BY slot, id LIMIT $2::int8",
	/* Slot by slot, each in the order of its index; then the earliest of all. */
	[PG_DUE] = "SELECT " PG_SAGA_COLUMNS " FROM (SELECT d.*"
			   " FROM unnest($1::int4[]) AS g (s), LATERAL (SELECT * FROM sagas"
			   " WHERE slot = g.s AND due_at < $3::int8 ORDER BY slot, due_at LIMIT $2::int8) AS d)"
			   " AS due ORDER BY due_at LIMIT $2::int8",
	[PG_KEY_FIND] = "SELECT saga_id, fingerprint FROM idempotency WHERE slot = $1::int4"
					" AND namespace = $2 AND definition = $3 AND key = $4",
	[PG_DEF_GET] = "SELECT namespace, name, version, hash, deployed_at, doc, source"
				   " FROM definitions WHERE namespace = $1 AND name = $2"
				   " AND ($3::int8 = 0 OR version = $3::int8) ORDER BY version DESC LIMIT 1",
	[PG_DEF_VERSIONS] = "SELECT namespace, name, version, hash, deployed_at FROM definitions"
						" WHERE namespace = $1 AND name = $2 ORDER BY version DESC",
	[PG_DEF_NEWEST] = "SELECT DISTINCT ON (namespace, name) namespace, name, version, hash,"
					  " deployed_at FROM definitions WHERE $1::text IS NULL OR namespace = $1"
					  " ORDER BY namespace, name, version DESC",
	[PG_COUNTS] = "SELECT what, sum(n)::int8 FROM counters WHERE definition > ''"
				  " AND ($1::text IS NULL OR namespace = $1) GROUP BY what",
	[PG_COUNTED_DEFINITIONS] = "SELECT DISTINCT definition FROM counters"
							   " WHERE definition > '' AND namespace = $1",
	[PG_DEFINITION_COUNTS] =
		"SELECT definition, number, what, sum(n)::int8 FROM counters WHERE definition > ''"
		" AND namespace = $1 AND ($2::text IS NULL OR definition = $2)"
		" GROUP BY definition, number, what HAVING sum(n) <> 0 ORDER BY definition, number, what",
	[PG_RATES] = "SELECT number, what, sum(n)::int8 FROM counters WHERE definition = ''"
				 " AND number >= $2::int8 AND number < $3::int8"
				 " AND ($1::text IS NULL OR namespace = $1) GROUP BY number, what ORDER BY number",
	[PG_ATTENTION_LIST] =
		"WITH g AS MATERIALIZED (SELECT namespace, id, " GROUP_SUMS " FROM attention_groups"
		" WHERE $1::text IS NULL OR namespace = $1 GROUP BY namespace, id HAVING sum(n) > 0"
		" ORDER BY sum(n) DESC, id, namespace LIMIT $2::int8"
		") SELECT " GROUP_COLUMNS GROUP_JOINS " ORDER BY g.n DESC, g.id, g.namespace",
	[PG_ATTENTION_TOLD] =
		"WITH g AS MATERIALIZED (SELECT namespace, id, " GROUP_SUMS " FROM attention_groups"
		" GROUP BY namespace, id"
		") SELECT " GROUP_COLUMNS GROUP_JOINS " WHERE g.n > 0 OR said.notified_at IS NOT NULL",
	[PG_ATTENTION_GET] =
		"WITH g AS MATERIALIZED (SELECT $1::text AS namespace, $2::text AS id, count(*) AS slots,"
		" " GROUP_SUMS " FROM attention_groups WHERE namespace = $1 AND id = $2"
		") SELECT " GROUP_COLUMNS GROUP_JOINS " WHERE g.slots > 0 OR said.id IS NOT NULL",
	[PG_ATTENTION_PUT] =
		PUT_REVISED("attention_said", "id",
					"acknowledged_by, acknowledged_at, note, owner, notified_at, notified_n",
					"$3::text, $4::int8, $5::text, $6::text, $7::int8, $8::int8", "$9::int8"),
	/* Counters that add up to nothing, of which rows may be locked and looked at again: who adds to
	 * them waits, and then finds no row. What is added to a new row meanwhile stays. */
	[PG_ATTENTION_RETAIN] =
		"WITH empty AS MATERIALIZED (SELECT namespace, id FROM attention_groups g"
		" WHERE NOT EXISTS (SELECT FROM attention_said s WHERE s.namespace = g.namespace"
		" AND s.id = g.id AND s.notified_at IS NOT NULL)" /* somebody is still to be told */
		" GROUP BY namespace, id HAVING sum(n) = 0 AND coalesce(max(last_seen_at), 0) < $1::int8"
		" LIMIT $2::int8"
		"), locked AS MATERIALIZED (SELECT g.slot, g.namespace, g.id, g.n, g.last_seen_at"
		" FROM empty e JOIN attention_groups g ON g.namespace = e.namespace AND g.id = e.id"
		" ORDER BY g.slot, g.namespace, g.id FOR UPDATE OF g"
		"), gone AS (SELECT namespace, id FROM locked GROUP BY namespace, id"
		" HAVING sum(n) = 0 AND coalesce(max(last_seen_at), 0) < $1::int8"
		"), d1 AS (DELETE FROM attention_said s USING gone"
		" WHERE s.namespace = gone.namespace AND s.id = gone.id"
		") DELETE FROM attention_groups g USING gone, locked l WHERE g.namespace = gone.namespace"
		" AND g.id = gone.id AND l.slot = g.slot AND l.namespace = g.namespace AND l.id = g.id",
	/* Of groups that never were, or are gone. */
	[PG_SAID_RETAIN] =
		"WITH old AS MATERIALIZED (SELECT namespace, id FROM attention_said s"
		" WHERE notified_at IS NULL AND coalesce(acknowledged_at, 0) < $1::int8 AND NOT EXISTS"
		" (SELECT FROM attention_groups g WHERE g.namespace = s.namespace AND g.id = s.id)"
		" LIMIT $2::int8 FOR UPDATE"
		") DELETE FROM attention_said s USING old"
		" WHERE s.namespace = old.namespace AND s.id = old.id",
	[PG_COUNTS_RETAIN] =
		"WITH empty AS MATERIALIZED (SELECT namespace, definition, number FROM counters"
		" WHERE definition > '' GROUP BY namespace, definition, number HAVING sum(n) = 0 LIMIT 100"
		"), locked AS MATERIALIZED (SELECT c.* FROM empty e JOIN counters c"
		" ON c.namespace = e.namespace AND c.definition = e.definition AND c.number = e.number"
		" ORDER BY c.slot, c.namespace, c.definition, c.number, c.what FOR UPDATE OF c"
		"), gone AS (SELECT namespace, definition, number, what FROM locked"
		" GROUP BY namespace, definition, number, what HAVING sum(n) = 0"
		") DELETE FROM counters c USING gone g, locked l"
		" WHERE c.namespace = g.namespace AND c.definition = g.definition"
		" AND c.number = g.number AND c.what = g.what AND l.slot = c.slot"
		" AND l.namespace = c.namespace AND l.definition = c.definition AND l.number = c.number"
		" AND l.what = c.what",
	[PG_RATES_RETAIN] =
		"WITH old AS MATERIALIZED (SELECT slot, namespace, number, what FROM counters"
		" WHERE definition = '' AND number < (SELECT max(number) FROM counters"
		" WHERE definition = '') - $1::int8 ORDER BY number LIMIT $2::int8 FOR UPDATE SKIP LOCKED"
		") DELETE FROM counters c USING old o WHERE c.slot = o.slot AND c.namespace = o.namespace"
		" AND c.definition = '' AND c.number = o.number AND c.what = o.what",

	[PG_BATCH_PUT] = BATCH_ITEMS
	"), mine AS (INSERT INTO batches (namespace, id, act, query, by, rate, status, created_at,"
	" updated_at, ended_at, cursor, runner, runner_seen_at, revision, pending, done, refused,"
	" failed) SELECT $1, $2::uuid, $3, $4, $5, $6::float8, $7, $8::int8, $9::int8, $10::int8,"
	" $11, $12, $13::int8, $14::int8 + 1, count(*) FILTER (WHERE status = 'pending'),"
	" count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'refused'),"
	" count(*) FILTER (WHERE status = 'failed') FROM items ON CONFLICT DO NOTHING"
	" RETURNING revision, pending, done, refused, failed" BATCH_PUT_ITEMS,
	[PG_BATCH_UPDATE] = BATCH_ITEMS
	"), added AS MATERIALIZED ("
	" SELECT count(*) FILTER (WHERE status = 'pending') AS pending,"
	" count(*) FILTER (WHERE status = 'done') AS done,"
	" count(*) FILTER (WHERE status = 'refused') AS refused,"
	" count(*) FILTER (WHERE status = 'failed') AS failed FROM items"
	"), taken AS MATERIALIZED ("
	" SELECT count(*) FILTER (WHERE b.status = 'pending') AS pending,"
	" count(*) FILTER (WHERE b.status = 'done') AS done,"
	" count(*) FILTER (WHERE b.status = 'refused') AS refused,"
	" count(*) FILTER (WHERE b.status = 'failed') AS failed"
	/* The first one from there on, so that it is one step of the primary key, whatever the planner
	 * knows of the table: of an empty one, it would read the whole batch for each item. */
	" FROM items i CROSS JOIN LATERAL (SELECT o.* FROM batch_items o"
	" WHERE (o.namespace, o.batch_id, o.saga_id) >= ($1, $2::uuid, i.saga_id)"
	" ORDER BY o.namespace, o.batch_id, o.saga_id LIMIT 1) b"
	" WHERE b.namespace = $1 AND b.batch_id = $2::uuid AND b.saga_id = i.saga_id"
	"), mine AS (UPDATE batches b SET act = $3, query = $4, by = $5, rate = $6::float8,"
	" status = $7, created_at = $8::int8, updated_at = $9::int8, ended_at = $10::int8,"
	" cursor = $11, runner = $12, runner_seen_at = $13::int8, revision = revision + 1,"
	" pending = b.pending + a.pending - t.pending, done = b.done + a.done - t.done,"
	" refused = b.refused + a.refused - t.refused, failed = b.failed + a.failed - t.failed"
	" FROM added a, taken t WHERE b.namespace = $1 AND b.id = $2::uuid"
	" AND b.revision = $14::int8"
	" RETURNING b.revision, b.pending, b.done, b.refused, b.failed" BATCH_PUT_ITEMS,
	[PG_BATCH_SAME] =
		"SELECT revision, pending, done, refused, failed FROM batches WHERE namespace = $1"
		" AND id = $2::uuid AND act = $3 AND query = $4 AND by = $5 AND rate = $6::float8"
		" AND status = $7 AND created_at = $8::int8 AND updated_at = $9::int8"
		" AND ended_at IS NOT DISTINCT FROM $10::int8 AND cursor IS NOT DISTINCT FROM $11"
		" AND runner IS NOT DISTINCT FROM $12 AND runner_seen_at IS NOT DISTINCT FROM $13::int8"
		" AND revision = $14::int8 + 1",
	[PG_BATCHES_RETAIN] =
		"WITH old AS MATERIALIZED (SELECT namespace, id FROM batches WHERE ended_at < $1::int8"
		" ORDER BY ended_at LIMIT 1 FOR UPDATE SKIP LOCKED"
		"), few AS MATERIALIZED (SELECT i.namespace, i.batch_id, i.saga_id FROM old o, batch_items"
		" i WHERE i.namespace = o.namespace AND i.batch_id = o.id LIMIT $2::int8"
		"), d1 AS (DELETE FROM batch_items i USING few s WHERE i.namespace = s.namespace"
		" AND i.batch_id = s.batch_id AND i.saga_id = s.saga_id"
		"), d2 AS (DELETE FROM batches b USING old o WHERE b.namespace = o.namespace"
		" AND b.id = o.id AND (SELECT count(*) FROM few) < $2::int8 RETURNING 1"
		") SELECT (SELECT count(*) FROM few), (SELECT count(*) FROM d2)",

	/* What a name like this still does on the server; ends it, and waits until it is gone. */
	[PG_TERMINATE] = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
					 " WHERE application_name = $1 AND pid <> pg_backend_pid()",
	[PG_TAKE_ALL] = "WITH ended AS MATERIALIZED ("
					" SELECT pg_terminate_backend(a.pid, 5000) AS done FROM pg_stat_activity a"
					" WHERE a.pid <> pg_backend_pid() AND starts_with(a.application_name, 'skald:')"
					" AND split_part(a.application_name, ':', 2) IN ("
					" SELECT owner::text FROM slots WHERE owner <> $1::uuid)"
					"), mine AS MATERIALIZED ("
					" SELECT slot FROM slots WHERE (SELECT count(*) FROM ended) >= 0"
					" ORDER BY slot FOR UPDATE"
					") UPDATE slots s SET owner = $1::uuid, token = gen_random_uuid(),"
					" epoch = s.epoch + 1 FROM mine WHERE s.slot = mine.slot"
					" RETURNING s.slot, s.token",

	[PG_JOIN] = "INSERT INTO nodes (id, address, version, started_at, renewed_at, lease_until,"
				" lease, draining) SELECT $1::uuid, $2, $3, now, now, now + lease, lease, false"
				" FROM (SELECT clock_timestamp() AS now, $4::int8 * interval '1 ms' AS lease) AS t"
				" ON CONFLICT DO NOTHING",
	/* Rows of nodes that are gone for long and own nothing any more. */
	[PG_SWEEP] = "DELETE FROM nodes n WHERE lease_until < clock_timestamp() - interval '1 hour'"
				 " AND NOT EXISTS (SELECT FROM slots WHERE owner = n.id)",
	[PG_RENEW] = "UPDATE nodes SET renewed_at = clock_timestamp(),"
				 " lease_until = clock_timestamp() + lease, draining = $2::bool"
				 " WHERE id = $1::uuid",
	[PG_NODES] = "SELECT id, address, version, (extract(epoch FROM started_at) * 1000)::int8,"
				 " (extract(epoch FROM renewed_at) * 1000)::int8,"
				 " (lease_until > clock_timestamp())::int4, draining::int4 FROM nodes ORDER BY id",
	[PG_OWNERS] = "SELECT slot, owner FROM slots WHERE owner IS NOT NULL",
	[PG_TERMINATE_EXPIRED] =
		"SELECT pg_terminate_backend(a.pid, 3000) FROM pg_stat_activity a"
		" WHERE a.pid <> pg_backend_pid() AND starts_with(a.application_name, 'skald:')"
		" AND split_part(a.application_name, ':', 2) IN ("
		" SELECT s.owner::text FROM slots s LEFT JOIN nodes n ON n.id = s.owner"
		" WHERE s.slot = ANY($1::int4[]) AND s.owner IS NOT NULL AND s.owner <> $2::uuid"
		" AND (n.id IS NULL OR n.lease_until < clock_timestamp()))",
	[PG_ACQUIRE] = "WITH free AS MATERIALIZED ("
				   " SELECT s.slot FROM slots s LEFT JOIN nodes n ON n.id = s.owner"
				   " WHERE s.slot = ANY($1::int4[]) AND (s.owner IS NULL OR s.owner = $2::uuid"
				   " OR n.id IS NULL OR n.lease_until < clock_timestamp())"
				   " AND EXISTS (SELECT FROM nodes WHERE id = $2::uuid)"
				   " ORDER BY s.slot FOR UPDATE OF s SKIP LOCKED"
				   ") UPDATE slots s SET owner = $2::uuid, token = gen_random_uuid(),"
				   " epoch = s.epoch + 1 FROM free WHERE s.slot = free.slot"
				   " RETURNING s.slot, s.token",
	[PG_RELEASE] = "UPDATE slots SET owner = NULL, token = gen_random_uuid()"
				   " WHERE slot = ANY($1::int4[]) AND owner = $2::uuid",
	[PG_RELEASE_ALL] = "UPDATE slots SET owner = NULL, token = gen_random_uuid()"
					   " WHERE owner = $1::uuid",
	[PG_LEAVE] = "DELETE FROM nodes WHERE id = $1::uuid",
};
