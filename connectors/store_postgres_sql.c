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
 * All else joins `accepted`, or counts what `started` and `changed` (with what was there before)
 * come to: sagas by version and status, what began and ended in a minute, and groups of attention.
 * Most batches have nothing for the last, whose rows are found by scanning the others' in memory.
 * Every sub-statement sees the state as it was when the statement began.
 * That is enough: who holds the fence alone writes what the others read, and had committed before.
 * (A scalar sub-select and `IN (…) IS TRUE` are kept as they are by the planner: an index look-up
 * for each row, and a hash table.)
 *
 * Most batches have nothing to do with Kafka, and each sub-statement costs something though its
 * arrays are empty. So there are two statements: PG_COMMIT, and PG_COMMIT_QUEUES, which is the same
 * with more groups behind it: subscriptions that begin and end, rows for the outbox, rows of the
 * inbox that were taken in. Being one statement too, it needs no other way to know what was
 * accepted, and is fenced, bisected and settled alike.
 */
#include "connectors/store_postgres_priv.h"

/* Why a saga concerns a person, and who has taken it. Most have none of it, and one NULL in their
 * rows of a batch, instead of seven that would each be read and written. */
#define CONCERN_COLUMNS                                                                            \
	"attention_group, attention_kind, attention_step, attention_side, attention_code,"             \
	" attention_at, owner"
#define CONCERN_VALUES                                                                             \
	"(concern::text[])[1], (concern::text[])[2], (concern::text[])[3], (concern::text[])[4],"      \
	" (concern::text[])[5], (concern::text[])[6]::int8, (concern::text[])[7]"

#define COMMIT_ROWS                                                                                \
	"WITH fence AS MATERIALIZED ("                                                                 \
	" SELECT s.slot FROM slots s, unnest($1::int4[], $2::uuid[]) AS f (slot, token)"               \
	" WHERE s.slot = f.slot AND s.token = f.token ORDER BY s.slot FOR SHARE OF s"                  \
	"), begun AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($3::int4[], $4::uuid[], $5::text[], $6::text[], $7::int8[],"            \
	" $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::text[],"    \
	" $15::int4[], $16::text[], $17::bool[], $42::int8[], $43::text[]) AS b (slot, id, namespace," \
	" definition, version, status, key, started_at, updated_at, ended_at, due_at, attention,"      \
	" key_slot, fingerprint, fenced, at, concern)"                                                 \
	" WHERE (SELECT count(*) FROM fence) >= 0" /* the slots are locked first, in any case */       \
	" AND (NOT b.fenced OR (b.slot IN (SELECT slot FROM fence)) IS TRUE)"                          \
	" AND (SELECT true FROM sagas s WHERE s.slot = b.slot AND s.id = b.id) IS NULL"                \
	"), keyed AS ("                                                                                \
	" INSERT INTO idempotency (slot, namespace, definition, key, saga_id, fingerprint)"            \
	" SELECT key_slot, namespace, definition, key, id, fingerprint FROM begun"                     \
	" WHERE key IS NOT NULL ON CONFLICT DO NOTHING RETURNING saga_id"                              \
	"), started AS ("                                                                              \
	" INSERT INTO sagas (slot, id, namespace, definition, version, status, key, started_at,"       \
	" updated_at, ended_at, due_at, attention, " CONCERN_COLUMNS                                   \
	") SELECT slot, id, namespace, definition, version, status, key, started_at, updated_at,"      \
	" ended_at, due_at, attention, " CONCERN_VALUES " FROM begun"                                  \
	" WHERE key IS NULL OR (id IN (SELECT saga_id FROM keyed)) IS TRUE"                            \
	" RETURNING id, namespace, definition, version, status, updated_at, attention,"                \
	" attention_group, attention_kind, attention_step, attention_side, attention_code,"            \
	" attention_at"                                                                                \
	"), accepted AS ("                                                                             \
	" INSERT INTO history (slot, saga_id, seq, at, events)"                                        \
	" SELECT h.slot, h.id, h.seq, h.at, h.events"                                                  \
	" FROM unnest($18::int4[], $19::uuid[], $20::int4[], $21::int8[], $22::text[])"                \
	" AS h (slot, id, seq, at, events)"                                                            \
	" WHERE CASE WHEN h.seq = 1 THEN (h.id IN (SELECT id FROM started)) IS TRUE"                   \
	" ELSE (h.slot IN (SELECT slot FROM fence)) IS TRUE AND (SELECT true FROM history p"           \
	" WHERE p.slot = h.slot AND p.saga_id = h.id AND p.seq = h.seq - 1) END"                       \
	" ON CONFLICT DO NOTHING RETURNING saga_id"                                                    \
	"), armed AS ("                                                                                \
	" INSERT INTO compensations AS c (slot, saga_id, step, item, seq, place, action, status,"      \
	" attempts, updated_at, last_error, request)"                                                  \
	" SELECT * FROM unnest($23::int4[], $24::uuid[], $25::text[], $26::int4[], $27::int4[],"       \
	" $28::int4[], $29::text[], $30::text[], $31::int8[], $32::int8[], $33::text[],"               \
	" $34::text[]) AS k (slot, id) WHERE (k.id IN (SELECT saga_id FROM accepted)) IS TRUE"         \
	" ON CONFLICT (slot, saga_id, step, item) DO UPDATE SET action = excluded.action,"             \
	" status = excluded.status, attempts = excluded.attempts,"                                     \
	" updated_at = excluded.updated_at, last_error = excluded.last_error,"                         \
	" request = coalesce(excluded.request, c.request)"                                             \
	"), changed AS ("                                                                              \
	" UPDATE sagas s SET status = u.status, updated_at = u.updated_at, ended_at = u.ended_at,"     \
	" due_at = u.due_at, attention = u.attention, (" CONCERN_COLUMNS ") = ROW (" CONCERN_VALUES    \
	") FROM unnest($35::int4[], $36::uuid[], $37::text[], $38::int8[],"                            \
	" $39::int8[], $40::int8[], $41::text[], $44::int8[], $45::text[]) AS u (slot, id, status,"    \
	" updated_at, ended_at, due_at, attention, at, concern), sagas o"                              \
	" WHERE (u.id IN (SELECT saga_id FROM accepted)) IS TRUE"                                      \
	" AND o.slot = u.slot AND o.id = u.id AND s.slot = u.slot AND s.id = u.id"                     \
	" RETURNING s.id, s.namespace, s.definition, s.version, o.status AS old, s.status, u.at,"      \
	" o.ended_at IS NULL AND s.ended_at IS NOT NULL AS ended, o.attention_group AS old_group,"     \
	" s.attention, s.attention_group, s.attention_kind, s.attention_step, s.attention_side,"       \
	" s.attention_code, s.attention_at"                                                            \
	"), counted AS ("                                                                              \
	" INSERT INTO definition_counts AS c (slot, namespace, definition, version, status, n)"        \
	" SELECT $46::int4, namespace, definition, version, status, sum(n)"                            \
	" FROM (SELECT namespace, definition, version, status, 1 AS n FROM started"                    \
	" UNION ALL SELECT namespace, definition, version, status, 1 FROM changed WHERE old <> status" \
	" UNION ALL SELECT namespace, definition, version, old, -1 FROM changed WHERE old <> status)"  \
	" AS d GROUP BY namespace, definition, version, status HAVING sum(n) <> 0"                     \
	" ORDER BY namespace, definition, version, status"                                             \
	" ON CONFLICT (slot, namespace, definition, version, status)"                                  \
	" DO UPDATE SET n = c.n + excluded.n"                                                          \
	"), rated AS ("                                                                                \
	" INSERT INTO rates AS r (slot, at, namespace, started, completed, compensated, failed,"       \
	" terminated, attention)"                                                                      \
	" SELECT $46::int4, at - at % 60000, namespace, sum(started),"                                 \
	" count(*) FILTER (WHERE ended = 'completed'), count(*) FILTER (WHERE ended = 'compensated')," \
	" count(*) FILTER (WHERE ended = 'failed'), count(*) FILTER (WHERE ended = 'terminated'),"     \
	" coalesce(sum(concerns), 0) FROM (SELECT namespace, at, 1 AS started,"                        \
	" CASE WHEN ended_at IS NOT NULL THEN status END AS ended,"                                    \
	" (concern LIKE '{\"%')::int4 AS concerns FROM begun"                                          \
	" WHERE (id IN (SELECT id FROM started)) IS TRUE"                                              \
	" UNION ALL SELECT namespace, at, 0, CASE WHEN ended THEN status END,"                         \
	" (attention_group <> coalesce(old_group, ''))::int4 FROM changed"                             \
	" WHERE ended OR attention_group <> coalesce(old_group, '')) AS d"                             \
	" GROUP BY at - at % 60000, namespace ORDER BY at - at % 60000, namespace"                     \
	" ON CONFLICT (slot, at, namespace) DO UPDATE SET started = r.started + excluded.started,"     \
	" completed = r.completed + excluded.completed,"                                               \
	" compensated = r.compensated + excluded.compensated, failed = r.failed + excluded.failed,"    \
	" terminated = r.terminated + excluded.terminated,"                                            \
	" attention = r.attention + excluded.attention"                                                \
	"), grouped AS ("                                                                              \
	" INSERT INTO attention_groups AS g (slot, namespace, id, definition, kind, step, side, code," \
	" message, sample, n, first_seen_at, last_seen_at)"                                            \
	" SELECT $46::int4, namespace, attention_group, max(definition), max(attention_kind),"         \
	" max(attention_step), max(attention_side), max(attention_code),"                              \
	" (array_agg(attention ORDER BY n DESC, id DESC))[1],"                                         \
	" (array_agg(id ORDER BY n DESC, id DESC))[1], sum(n),"                                        \
	" CASE WHEN sum(n) > 0 AND coalesce((SELECT sum(o.n) FROM attention_groups o"                  \
	" WHERE o.namespace = d.namespace AND o.id = d.attention_group), 0) <= 0 THEN min(at) END,"    \
	" max(at)"                                                                                     \
	" FROM (SELECT namespace, attention_group, definition, attention_kind, attention_step,"        \
	" attention_side, attention_code, attention, id, 1 AS n, coalesce(attention_at, updated_at)"   \
	" AS at FROM started WHERE attention_group IS NOT NULL"                                        \
	" UNION ALL SELECT namespace, attention_group, definition, attention_kind, attention_step,"    \
	" attention_side, attention_code, attention, id, 1, coalesce(attention_at, at) FROM changed"   \
	" WHERE attention_group <> coalesce(old_group, '')"                                            \
	" UNION ALL SELECT namespace, old_group, NULL, NULL, NULL, NULL, NULL, NULL, NULL, -1, NULL"   \
	" FROM changed WHERE old_group <> coalesce(attention_group, '')) AS d"                         \
	" GROUP BY namespace, attention_group ORDER BY namespace, attention_group"                     \
	" ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n + excluded.n,"                       \
	" definition = coalesce(excluded.definition, g.definition),"                                   \
	" kind = coalesce(excluded.kind, g.kind), step = coalesce(excluded.step, g.step),"             \
	" side = coalesce(excluded.side, g.side), code = coalesce(excluded.code, g.code),"             \
	" message = coalesce(excluded.message, g.message),"                                            \
	" sample = coalesce(excluded.sample, g.sample),"                                               \
	" first_seen_at = greatest(g.first_seen_at, excluded.first_seen_at),"                          \
	" last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at)"

#define COMMIT_ANSWER ") SELECT ARRAY(SELECT saga_id FROM accepted), ARRAY(SELECT slot FROM fence)"

/* Of subscriptions those named (saga, step, item, place) are dropped, or, with step NULL, all of
 * the saga; but not what is to be there again just as it is. */
#define COMMIT_QUEUES                                                                              \
	"), added AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($47::int4[], $48::text[], $49::text[], $50::text[], $51::int4[],"       \
	" $52::uuid[], $53::text[], $54::int4[], $55::int4[]) AS a (slot, namespace, channel, value,"  \
	" saga_slot, saga_id, step, item, place)"                                                      \
	" WHERE (a.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	"), subscribed AS ("                                                                           \
	" INSERT INTO subscriptions (slot, namespace, channel, value, saga_slot, saga_id, step,"       \
	" item, place) SELECT * FROM added ON CONFLICT DO NOTHING"                                     \
	"), unsubscribed AS ("                                                                         \
	" DELETE FROM subscriptions t USING unnest($56::int4[], $57::uuid[], $58::text[],"             \
	" $59::int4[], $60::int4[]) AS d (saga_slot, saga_id, step, item, place)"                      \
	" WHERE (d.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	" AND t.saga_slot = d.saga_slot AND t.saga_id = d.saga_id"                                     \
	" AND (d.step IS NULL OR (t.step = d.step AND t.item = d.item AND t.place = d.place))"         \
	" AND NOT EXISTS (SELECT FROM added a WHERE a.slot = t.slot AND a.namespace = t.namespace"     \
	" AND a.channel = t.channel AND a.value = t.value AND a.saga_id = t.saga_id"                   \
	" AND a.step = t.step AND a.item = t.item AND a.place = t.place)"                              \
	"), published AS ("                                                                            \
	" INSERT INTO outbox (slot, saga_id, seq, place, id, cluster, aggregatetype, aggregateid,"     \
	" type, headers, source, traceparent, payload, created_at)"                                    \
	" SELECT o.slot, o.saga_id, o.seq, o.place, o.id, o.cluster, o.topic, o.key, o.type,"          \
	" o.headers, o.headers::json ->> 'ce_source', o.headers::json ->> 'traceparent',"              \
	" o.payload, o.created_at FROM unnest($61::int4[], $62::uuid[], $63::int4[], $64::int4[],"     \
	" $65::uuid[], $66::text[], $67::text[], $68::text[], $69::text[], $70::text[],"               \
	" $71::text[], $72::int8[]) AS o (slot, saga_id, seq, place, id, cluster, topic, key,"         \
	" type, headers, payload, created_at)"                                                         \
	" WHERE (o.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	"), consumed AS ("                                                                             \
	" DELETE FROM inbox t USING unnest($73::int4[], $74::uuid[], $75::uuid[])"                     \
	" AS i (slot, id, saga_id)"                                                                    \
	" WHERE (i.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	" AND t.slot = i.slot AND t.id = i.id"

/* A group's rows of all slots, added up. */
#define GROUP_SUMS                                                                                 \
	"max(definition) AS definition, max(kind) AS kind, max(step) AS step, max(side) AS side,"      \
	" max(code) AS code, (array_agg(message ORDER BY last_seen_at DESC NULLS LAST))[1] AS "        \
	"message,"                                                                                     \
	" (array_agg(sample ORDER BY last_seen_at DESC NULLS LAST))[1] AS sample,"                     \
	" coalesce(sum(n), 0)::int8 AS n, max(first_seen_at) AS first_seen_at,"                        \
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
	[PG_COMMIT] = COMMIT_ROWS COMMIT_ANSWER,
	[PG_COMMIT_QUEUES] = COMMIT_ROWS COMMIT_QUEUES COMMIT_ANSWER,

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
		"), d5 AS (DELETE FROM subscriptions t USING doomed d"
		" WHERE t.saga_slot = d.slot AND t.saga_id = d.id"
		"), d6 AS (DELETE FROM inbox t USING doomed d"
		" WHERE t.slot = d.slot AND t.saga_id = d.id"
		"), d4 AS (DELETE FROM sagas t USING doomed d WHERE t.slot = d.slot AND t.id = d.id"
		" RETURNING t.definition, t.version, t.status, t.attention_group"
		"), counted AS ("
		" INSERT INTO definition_counts AS c (slot, namespace, definition, version, status, n)"
		" SELECT $7::int4, $6, definition, version, status, -count(*) FROM d4"
		" GROUP BY definition, version, status ORDER BY definition, version, status"
		" ON CONFLICT (slot, namespace, definition, version, status)"
		" DO UPDATE SET n = c.n + excluded.n"
		"), grouped AS ("
		" INSERT INTO attention_groups AS g (slot, namespace, id, n)"
		" SELECT $7::int4, $6, attention_group, -count(*) FROM d4 WHERE attention_group IS NOT NULL"
		" GROUP BY attention_group ORDER BY attention_group"
		" ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n + excluded.n"
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
	[PG_TRIGGER_PUT] =
		"INSERT INTO triggers (namespace, name, paused, reason, seeks, updated_at, by, revision)"
		" VALUES ($1, $2, $3::bool, $4, $5, $6::int8, $7, 1) ON CONFLICT DO NOTHING"
		" RETURNING revision",
	[PG_TRIGGER_UPDATE] =
		"UPDATE triggers SET paused = $3::bool, reason = $4, seeks = $5, updated_at = $6::int8,"
		" by = $7, revision = revision + 1 WHERE namespace = $1 AND name = $2"
		" AND revision = $8::int8 RETURNING revision",
	[PG_TRIGGER_SAME] =
		"SELECT revision FROM triggers WHERE namespace = $1 AND name = $2 AND paused = $3::bool"
		" AND reason IS NOT DISTINCT FROM $4 AND seeks IS NOT DISTINCT FROM $5"
		" AND updated_at = $6::int8 AND by IS NOT DISTINCT FROM $7 AND revision = $8::int8 + 1",
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
	[PG_COUNTS] = "SELECT status, sum(n)::int8 FROM definition_counts"
				  " WHERE $1::text IS NULL OR namespace = $1 GROUP BY status",

	[PG_COUNTED_DEFINITIONS] = "SELECT DISTINCT definition FROM definition_counts"
							   " WHERE namespace = $1",
	[PG_DEFINITION_COUNTS] =
		"SELECT definition, version, status, sum(n)::int8 FROM definition_counts"
		" WHERE namespace = $1 AND ($2::text IS NULL OR definition = $2)"
		" GROUP BY definition, version, status HAVING sum(n) <> 0"
		" ORDER BY definition, version, status",
	[PG_RATES] = "SELECT at, sum(started)::int8, sum(completed)::int8, sum(compensated)::int8,"
				 " sum(failed)::int8, sum(terminated)::int8, sum(attention)::int8 FROM rates"
				 " WHERE at >= $2::int8 AND at < $3::int8"
				 " AND ($1::text IS NULL OR namespace = $1) GROUP BY at ORDER BY at",
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
		"INSERT INTO attention_said (namespace, id, acknowledged_by, acknowledged_at, note,"
		" owner, notified_at, notified_n, revision) VALUES ($1, $2, $3, $4::int8, $5, $6,"
		" $7::int8, $8::int8, 1) ON CONFLICT DO NOTHING RETURNING revision",
	[PG_ATTENTION_UPDATE] =
		"UPDATE attention_said SET acknowledged_by = $3, acknowledged_at = $4::int8, note = $5,"
		" owner = $6, notified_at = $7::int8, notified_n = $8::int8, revision = revision + 1"
		" WHERE namespace = $1 AND id = $2 AND revision = $9::int8 RETURNING revision",
	[PG_ATTENTION_SAME] =
		"SELECT revision FROM attention_said WHERE namespace = $1 AND id = $2"
		" AND acknowledged_by IS NOT DISTINCT FROM $3"
		" AND acknowledged_at IS NOT DISTINCT FROM $4::int8 AND note IS NOT DISTINCT FROM $5"
		" AND owner IS NOT DISTINCT FROM $6 AND notified_at IS NOT DISTINCT FROM $7::int8"
		" AND notified_n = $8::int8 AND revision = $9::int8 + 1",
	/* Counters that add up to nothing, of which rows may be locked and looked at again: who adds to
	 * them waits, and then finds no row. What is added to a new row meanwhile stays. */
	[PG_ATTENTION_RETAIN] =
		"WITH empty AS MATERIALIZED (SELECT namespace, id FROM attention_groups"
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
		" WHERE coalesce(greatest(acknowledged_at, notified_at), 0) < $1::int8 AND NOT EXISTS"
		" (SELECT FROM attention_groups g WHERE g.namespace = s.namespace AND g.id = s.id)"
		" LIMIT $2::int8 FOR UPDATE"
		") DELETE FROM attention_said s USING old"
		" WHERE s.namespace = old.namespace AND s.id = old.id",
	[PG_COUNTS_RETAIN] =
		"WITH empty AS MATERIALIZED (SELECT namespace, definition, version FROM definition_counts"
		" GROUP BY namespace, definition, version HAVING sum(n) = 0 LIMIT 100"
		"), locked AS MATERIALIZED (SELECT c.* FROM empty e JOIN definition_counts c"
		" ON c.namespace = e.namespace AND c.definition = e.definition AND c.version = e.version"
		" ORDER BY c.slot, c.namespace, c.definition, c.version, c.status FOR UPDATE OF c"
		"), gone AS (SELECT namespace, definition, version, status FROM locked"
		" GROUP BY namespace, definition, version, status HAVING sum(n) = 0"
		") DELETE FROM definition_counts c USING gone g, locked l"
		" WHERE c.namespace = g.namespace AND c.definition = g.definition"
		" AND c.version = g.version AND c.status = g.status AND l.slot = c.slot"
		" AND l.namespace = c.namespace AND l.definition = c.definition AND l.version = c.version"
		" AND l.status = c.status",
	[PG_RATES_RETAIN] = "WITH old AS MATERIALIZED (SELECT slot, at, namespace FROM rates"
						" WHERE at < (SELECT max(at) FROM rates) - $1::int8 ORDER BY at"
						" LIMIT $2::int8 FOR UPDATE SKIP LOCKED"
						") DELETE FROM rates r USING old o WHERE r.slot = o.slot AND r.at = o.at"
						" AND r.namespace = o.namespace",

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
