/*
 * The statements, in one place.
 *
 * The batch. Its parameters are arrays, one a column, in four groups: the slots that are touched,
 * with our tokens; sagas that begin; history rows; rows of compensations; changes of sagas. What
 * comes first decides on what follows:
 *
 *   fence     the slots that are ours, locked until the commit, in their order. A take-over that is
 *             under way is waited for, and its token is then seen.
 *   begun     beginnings that may go on: those that claim to be awake need their slot, the others
 *             anyone may write; an id that is there already is a conflict
 *   keyed     their keys, in an order that is the same for every writer; a key that is there,
 *             committed or not yet, stays as it is
 *   started   the sagas whose keys were free
 *   accepted  history rows of those, and of sagas of ours whose predecessor is there
 *
 * All else joins `accepted`. Every sub-statement sees the state as it was when the statement began.
 * That is enough: who holds the fence alone writes what the others read, and had committed before.
 * (A scalar sub-select and `IN (…) IS TRUE` are kept as they are by the planner: an index look-up
 * for each row, and a hash table.)
 */
#include "connectors/store_postgres_priv.h"

#define ACCEPTED(id) "(" id " IN (SELECT saga_id FROM accepted)) IS TRUE"

const char *const pg__sql[PG_STATEMENT_COUNT] = {
	[PG_COMMIT] =
		"WITH fence AS MATERIALIZED ("
		" SELECT s.slot FROM slots s, unnest($1::int4[], $2::uuid[]) AS f (slot, token)"
		" WHERE s.slot = f.slot AND s.token = f.token ORDER BY s.slot FOR SHARE OF s"
		"), begun AS MATERIALIZED ("
		" SELECT * FROM unnest($3::int4[], $4::uuid[], $5::text[], $6::text[], $7::int8[],"
		" $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::text[],"
		" $15::int4[], $16::text[], $17::bool[]) AS b (slot, id, namespace, definition, version,"
		" status, key, started_at, updated_at, ended_at, due_at, attention, key_slot, fingerprint,"
		" fenced)"
		" WHERE (SELECT count(*) FROM fence) >= 0" /* the slots are locked first, in any case */
		" AND (NOT b.fenced OR (b.slot IN (SELECT slot FROM fence)) IS TRUE)"
		" AND (SELECT true FROM sagas s WHERE s.slot = b.slot AND s.id = b.id) IS NULL"
		"), keyed AS ("
		" INSERT INTO idempotency (slot, namespace, definition, key, saga_id, fingerprint)"
		" SELECT key_slot, namespace, definition, key, id, fingerprint FROM begun"
		" WHERE key IS NOT NULL ON CONFLICT DO NOTHING RETURNING saga_id"
		"), started AS ("
		" INSERT INTO sagas (slot, id, namespace, definition, version, status, key, started_at,"
		" updated_at, ended_at, due_at, attention)"
		" SELECT slot, id, namespace, definition, version, status, key, started_at, updated_at,"
		" ended_at, due_at, attention FROM begun"
		" WHERE key IS NULL OR (id IN (SELECT saga_id FROM keyed)) IS TRUE"
		" RETURNING id, namespace, status"
		"), accepted AS ("
		" INSERT INTO history (slot, saga_id, seq, at, events)"
		" SELECT h.slot, h.id, h.seq, h.at, h.events"
		" FROM unnest($18::int4[], $19::uuid[], $20::int4[], $21::int8[], $22::text[])"
		" AS h (slot, id, seq, at, events)"
		" WHERE CASE WHEN h.seq = 1 THEN (h.id IN (SELECT id FROM started)) IS TRUE"
		" ELSE (h.slot IN (SELECT slot FROM fence)) IS TRUE AND (SELECT true FROM history p"
		" WHERE p.slot = h.slot AND p.saga_id = h.id AND p.seq = h.seq - 1) END"
		" ON CONFLICT DO NOTHING RETURNING saga_id"
		"), armed AS ("
		" INSERT INTO compensations AS c (slot, saga_id, step, item, seq, place, action, status,"
		" attempts, updated_at, last_error, request)"
		" SELECT * FROM unnest($23::int4[], $24::uuid[], $25::text[], $26::int4[], $27::int4[],"
		" $28::int4[], $29::text[], $30::text[], $31::int8[], $32::int8[], $33::text[],"
		" $34::text[]) AS k (slot, id) WHERE " ACCEPTED("k.id") //
	" ON CONFLICT (slot, saga_id, step, item) DO UPDATE SET action = excluded.action,"
	" status = excluded.status, attempts = excluded.attempts,"
	" updated_at = excluded.updated_at, last_error = excluded.last_error,"
	" request = coalesce(excluded.request, c.request)"
	"), changed AS ("
	" UPDATE sagas s SET status = u.status, updated_at = u.updated_at, ended_at = u.ended_at,"
	" due_at = u.due_at, attention = u.attention"
	" FROM unnest($35::int4[], $36::uuid[], $37::text[], $38::int8[], $39::int8[],"
	" $40::int8[], $41::text[]) AS u (slot, id, status, updated_at, ended_at, due_at,"
	" attention), sagas o WHERE " ACCEPTED("u.id") //
	" AND o.slot = u.slot AND o.id = u.id AND s.slot = u.slot AND s.id = u.id"
	" RETURNING s.namespace, o.status AS old, s.status"
	"), counted AS ("
	" INSERT INTO saga_counts AS c (slot, namespace, status, n)"
	" SELECT $42::int4, namespace, status, sum(n)"
	" FROM (SELECT namespace, status, 1 AS n FROM started"
	" UNION ALL SELECT namespace, status, 1 FROM changed WHERE old <> status"
	" UNION ALL SELECT namespace, old, -1 FROM changed WHERE old <> status) AS d"
	" GROUP BY namespace, status HAVING sum(n) <> 0 ORDER BY namespace, status"
	" ON CONFLICT (slot, namespace, status) DO UPDATE SET n = c.n + excluded.n"
	") SELECT ARRAY(SELECT saga_id FROM accepted), ARRAY(SELECT slot FROM fence)",

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
		"), d4 AS (DELETE FROM sagas t USING doomed d WHERE t.slot = d.slot AND t.id = d.id"
		" RETURNING t.status"
		"), counted AS ("
		" INSERT INTO saga_counts AS c (slot, namespace, status, n)"
		" SELECT (SELECT min(slot) FROM doomed), $6, status, -count(*) FROM d4"
		" GROUP BY status ORDER BY status"
		" ON CONFLICT (slot, namespace, status) DO UPDATE SET n = c.n + excluded.n"
		") SELECT",
	[PG_SIZE] = "SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c"
				" WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class"
				" WHERE oid = 'sagas'::regclass)",

	[PG_SAGA_GET] = "SELECT " PG_SAGA_COLUMNS " FROM sagas"
					" WHERE slot = $1::int4 AND id = $2::uuid AND namespace = $3",
	[PG_HISTORY] = "SELECT seq, at, events FROM history WHERE slot = $1::int4"
				   " AND saga_id = $2::uuid AND seq > $3::int4 ORDER BY slot, saga_id, seq"
				   " LIMIT $4::int8",
	[PG_COMPENSATIONS] = "SELECT step, item, action, status, request, attempts, last_error,"
						 " updated_at FROM compensations WHERE slot = $1::int4"
						 " AND saga_id = $2::uuid ORDER BY seq, place",
	[PG_AWAKE] = "SELECT " PG_SAGA_COLUMNS " FROM sagas WHERE ended_at IS NULL AND due_at IS NULL"
				 " AND slot BETWEEN $1::int4 AND $2::int4 ORDER BY slot, id LIMIT $3::int8",
	/* Slot by slot, each in the order of its index; then the earliest of all. */
	[PG_DUE] = "SELECT " PG_SAGA_COLUMNS " FROM (SELECT d.*"
			   " FROM generate_series($1::int4, $2::int4) AS g (s), LATERAL (SELECT * FROM sagas"
			   " WHERE slot = g.s AND due_at < $4::int8 ORDER BY slot, due_at LIMIT $3::int8) AS d)"
			   " AS due ORDER BY due_at LIMIT $3::int8",
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
	[PG_COUNTS] = "SELECT status, sum(n)::int8 FROM saga_counts"
				  " WHERE $1::text IS NULL OR namespace = $1 GROUP BY status",

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
