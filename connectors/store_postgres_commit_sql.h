/*
 * The statement of a batch, in pieces. Its parameters are arrays, one a column, in four groups: the
 * slots that are touched, with our tokens; sagas that begin; history rows; rows of compensations;
 * changes of sagas. What comes first decides on what follows:
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
 * come to. Every sub-statement sees the state as it was when the statement began.
 * That is enough: who holds the fence alone writes what the others read, and had committed before.
 * (A scalar sub-select and `IN (…) IS TRUE` are kept as they are by the planner: an index look-up
 * for each row, and a hash table.)
 *
 * Most batches have nothing to do with Kafka, nor with sagas that concern a person, and each
 * sub-statement, parameter and column costs something though it is empty. So there are three
 * statements: PG_COMMIT, then PG_COMMIT_ALL, which is the same with more behind it: why sagas
 * concern a person and who has taken them, subscriptions that begin and end, rows for the outbox,
 * rows of the inbox that were taken in. Being one statement too, it needs no other way to know what
 * was accepted, and is fenced, bisected and settled alike. The third, PG_COMMIT_LONG, has what runs
 * long behind it: tasks, messages to other sagas, search values, locks, parents, other versions. (A
 * saga that ceases to concern anybody needs neither: PG_COMMIT says NULL, and groups are counted by
 * a trigger.)
 */
#ifndef CONNECTORS_STORE_POSTGRES_COMMIT_SQL_H
#define CONNECTORS_STORE_POSTGRES_COMMIT_SQL_H

/* Why a saga concerns a person, and who has taken it, in one text: most have none of it. */
#define CONCERN_COLUMNS                                                                            \
	"attention_group, attention_kind, attention_step, attention_side, attention_code,"             \
	" attention_at, owner"
#define CONCERN_VALUES                                                                             \
	"(concern::text[])[1], (concern::text[])[2], (concern::text[])[3], (concern::text[])[4],"      \
	" (concern::text[])[5], (concern::text[])[6]::int8, (concern::text[])[7]"

#define COMMIT_FENCE                                                                               \
	"WITH fence AS MATERIALIZED ("                                                                 \
	" SELECT s.slot FROM slots s, unnest($1::int4[], $2::uuid[]) AS f (slot, token)"               \
	" WHERE s.slot = f.slot AND s.token = f.token ORDER BY s.slot FOR SHARE OF s"

#define COMMIT_BEGUN                                                                               \
	"), begun AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($3::int4[], $4::uuid[], $5::text[], $6::text[], $7::int8[],"            \
	" $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::text[],"    \
	" $15::int4[], $16::text[], $17::bool[]) AS b (slot, id, namespace, definition, version,"      \
	" status, key, started_at, updated_at, ended_at, due_at, attention, key_slot, fingerprint,"    \
	" fenced)"                                                                                     \
	" WHERE (SELECT count(*) FROM fence) >= 0" /* the slots are locked first, in any case */       \
	" AND (NOT b.fenced OR (b.slot IN (SELECT slot FROM fence)) IS TRUE)"                          \
	" AND (SELECT true FROM sagas s WHERE s.slot = b.slot AND s.id = b.id) IS NULL"
#define COMMIT_BEGUN_MORE(parameters, columns)                                                     \
	"), begun AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($3::int4[], $4::uuid[], $5::text[], $6::text[], $7::int8[],"            \
	" $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::text[],"    \
	" $15::int4[], $16::text[], $17::bool[], $72::int8[], $73::text[]" parameters                  \
	") AS b (slot, id, namespace, definition, version,"                                            \
	" status, key, started_at, updated_at, ended_at, due_at, attention, key_slot, fingerprint,"    \
	" fenced, at, concern" columns ")"                                                             \
	" WHERE (SELECT count(*) FROM fence) >= 0" /* the slots are locked first, in any case */       \
	" AND (NOT b.fenced OR (b.slot IN (SELECT slot FROM fence)) IS TRUE)"                          \
	" AND (SELECT true FROM sagas s WHERE s.slot = b.slot AND s.id = b.id) IS NULL"
#define COMMIT_BEGUN_CONCERN COMMIT_BEGUN_MORE("", "")
#define COMMIT_BEGUN_LONG                                                                          \
	COMMIT_BEGUN_MORE(", $76::uuid[], $77::int4[], $78::bool[], $132::uuid[], $133::int4[],"       \
					  " $134::int4[]",                                                             \
					  ", parent_id, base_seq, reuse, copied_of, copied_first, copied_n")           \
	" AND (b.copied_of IS NULL OR b.copied_n = (SELECT count(*) FROM history h"                    \
	" WHERE h.slot = b.slot AND h.saga_id = b.copied_of AND h.seq >= b.copied_first"               \
	" AND h.seq < b.copied_first + b.copied_n))"

#define COMMIT_KEYED                                                                               \
	"), keyed AS ("                                                                                \
	" INSERT INTO idempotency (slot, namespace, definition, key, saga_id, fingerprint)"            \
	" SELECT key_slot, namespace, definition, key, id, fingerprint FROM begun"                     \
	" WHERE key IS NOT NULL ON CONFLICT DO NOTHING RETURNING saga_id"

#define COMMIT_STARTED                                                                             \
	"), started AS ("                                                                              \
	" INSERT INTO sagas (slot, id, namespace, definition, version, status, key, started_at,"       \
	" updated_at, ended_at, due_at, attention)"                                                    \
	" SELECT slot, id, namespace, definition, version, status, key, started_at, updated_at,"       \
	" ended_at, due_at, attention FROM begun"                                                      \
	" WHERE key IS NULL OR (id IN (SELECT saga_id FROM keyed)) IS TRUE"                            \
	" RETURNING id, namespace, definition, version, status, started_at, ended_at"
#define COMMIT_STARTED_MORE(columns, taken)                                                        \
	"), started AS ("                                                                              \
	" INSERT INTO sagas (slot, id, namespace, definition, version, status, key, started_at,"       \
	" updated_at, ended_at, due_at, attention, " CONCERN_COLUMNS columns                           \
	") SELECT slot, id, namespace, definition, version, status, key, started_at, updated_at,"      \
	" ended_at, due_at, attention, " CONCERN_VALUES columns " FROM begun"                          \
	" WHERE key IS NULL OR (id IN (SELECT saga_id FROM keyed" taken ")) IS TRUE"                   \
	" RETURNING id, namespace, definition, version, status"
#define COMMIT_STARTED_CONCERN COMMIT_STARTED_MORE("", "")
/* A key whose saga has been undone may go over to another; and that of a saga to its new run. */
#define COMMIT_STARTED_LONG                                                                        \
	"), taken AS ("                                                                                \
	" UPDATE idempotency k SET saga_id = b.id, fingerprint = b.fingerprint FROM begun b, sagas o"  \
	" WHERE (b.reuse OR k.saga_id = b.copied_of) AND k.slot = b.key_slot AND k.namespace = "       \
	"b.namespace"                                                                                  \
	" AND k.definition = b.definition AND k.key = b.key AND o.namespace = k.namespace"             \
	" AND o.id = k.saga_id AND (o.status = 'compensated' OR o.id = b.copied_of)"                   \
	" RETURNING k.saga_id" COMMIT_STARTED_MORE(", parent_id, base_seq",                            \
											   " UNION ALL SELECT saga_id FROM taken")

#define COMMIT_ACCEPTED_IF(first)                                                                  \
	"), accepted AS ("                                                                             \
	" INSERT INTO history (slot, saga_id, seq, at, events)"                                        \
	" SELECT h.slot, h.id, h.seq, h.at, h.events"                                                  \
	" FROM unnest($18::int4[], $19::uuid[], $20::int4[], $21::int8[], $22::text[])"                \
	" AS h (slot, id, seq, at, events)"                                                            \
	" WHERE CASE WHEN " first " THEN (h.id IN (SELECT id FROM started)) IS TRUE"                   \
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
	" request = coalesce(excluded.request, c.request)"
#define COMMIT_ACCEPTED COMMIT_ACCEPTED_IF("h.seq = 1")
/* What is copied stands before the first row of a new run. */
#define COMMIT_ACCEPTED_LONG                                                                       \
	COMMIT_ACCEPTED_IF("h.seq = 1 OR h.id = ANY ($4::uuid[])")                                     \
	"), copied AS ("                                                                               \
	" INSERT INTO history (slot, saga_id, seq, at, events)"                                        \
	" SELECT h.slot, b.id, h.seq - b.copied_first + 1, h.at, h.events FROM begun b, history h"     \
	" WHERE (b.id IN (SELECT saga_id FROM accepted)) IS TRUE AND h.slot = b.slot"                  \
	" AND h.saga_id = b.copied_of AND h.seq >= b.copied_first"                                     \
	" AND h.seq < b.copied_first + b.copied_n"

#define COMMIT_CHANGED                                                                             \
	"), changed AS ("                                                                              \
	" UPDATE sagas s SET status = u.status, updated_at = u.updated_at, ended_at = u.ended_at,"     \
	" due_at = u.due_at, attention = u.attention, (" CONCERN_COLUMNS                               \
	") = ROW (NULL, NULL, NULL, NULL, NULL, NULL, NULL)"                                           \
	" FROM unnest($35::int4[], $36::uuid[], $37::text[], $38::int8[], $39::int8[],"                \
	" $40::int8[], $41::text[]) AS u (slot, id, status, updated_at, ended_at, due_at,"             \
	" attention), sagas o WHERE (u.id IN (SELECT saga_id FROM accepted)) IS TRUE"                  \
	" AND o.slot = u.slot AND o.id = u.id AND s.slot = u.slot AND s.id = u.id"                     \
	" RETURNING s.namespace, s.definition, s.version, o.status AS old, s.status, s.ended_at,"      \
	" o.ended_at IS NULL AND s.ended_at IS NOT NULL AS ended"
#define COMMIT_CHANGED_MORE(columns, parameters, names)                                            \
	"), changed AS ("                                                                              \
	" UPDATE sagas s SET status = u.status, updated_at = u.updated_at, ended_at = u.ended_at,"     \
	" due_at = u.due_at, attention = u.attention, (" CONCERN_COLUMNS ") = ROW (" CONCERN_VALUES    \
	")" columns " FROM unnest($35::int4[], $36::uuid[], $37::text[], $38::int8[], $39::int8[],"    \
	" $40::int8[], $41::text[], $74::int8[], $75::text[]" parameters                               \
	") AS u (slot, id, status, updated_at,"                                                        \
	" ended_at, due_at, attention, at, concern" names "), sagas o"                                 \
	" WHERE (u.id IN (SELECT saga_id FROM accepted)) IS TRUE"                                      \
	" AND o.slot = u.slot AND o.id = u.id AND s.slot = u.slot AND s.id = u.id"                     \
	" RETURNING s.namespace, s.definition, s.version, o.status AS old, s.status, u.at,"            \
	" o.ended_at IS NULL AND s.ended_at IS NOT NULL AS ended,"                                     \
	" s.attention_group <> coalesce(o.attention_group, '') AS concerns, o.version AS old_version"
#define COMMIT_CHANGED_CONCERN COMMIT_CHANGED_MORE("", "", "")
#define COMMIT_CHANGED_LONG                                                                        \
	COMMIT_CHANGED_MORE(", version = coalesce(u.version, s.version),"                              \
						" base_seq = coalesce(u.base_seq, s.base_seq)",                            \
						", $79::int8[], $80::int4[]", ", version, base_seq")

/* A minute is that of the history row: also of the times in the row, or it goes by
 * PG_COMMIT_ALL. */
#define COMMIT_COUNTED                                                                             \
	"), counted AS ("                                                                              \
	" INSERT INTO counters AS c (slot, namespace, definition, number, what, n)"                    \
	" SELECT $42::int4, namespace, definition, version, status, sum(n)"                            \
	" FROM (SELECT namespace, definition, version, status, 1 AS n FROM started"                    \
	" UNION ALL SELECT namespace, definition, version, status, 1 FROM changed WHERE old <> status" \
	" UNION ALL SELECT namespace, definition, version, old, -1 FROM changed WHERE old <> status"
#define COMMIT_COUNTED_LONG                                                                        \
	"), counted AS ("                                                                              \
	" INSERT INTO counters AS c (slot, namespace, definition, number, what, n)"                    \
	" SELECT $42::int4, namespace, definition, version, status, sum(n)"                            \
	" FROM (SELECT namespace, definition, version, status, 1 AS n FROM started"                    \
	" UNION ALL SELECT namespace, definition, version, status, 1 FROM changed"                     \
	" UNION ALL SELECT namespace, definition, old_version, old, -1 FROM changed"
#define COMMIT_MINUTES                                                                             \
	" UNION ALL SELECT namespace, '', started_at - started_at % 60000, 'started', 1 FROM started"  \
	" UNION ALL SELECT namespace, '', ended_at - ended_at % 60000, status, 1 FROM started"         \
	" WHERE ended_at IS NOT NULL"                                                                  \
	" UNION ALL SELECT namespace, '', ended_at - ended_at % 60000, status, 1 FROM changed"         \
	" WHERE ended"
#define COMMIT_MINUTES_CONCERN                                                                     \
	" UNION ALL SELECT namespace, '', at - at % 60000, unnest(ARRAY['started',"                    \
	" CASE WHEN ended_at IS NOT NULL THEN status END,"                                             \
	" CASE WHEN (concern::text[])[1] IS NOT NULL THEN 'attention' END]), 1 FROM begun"             \
	" WHERE (id IN (SELECT id FROM started)) IS TRUE"                                              \
	" UNION ALL SELECT namespace, '', at - at % 60000, status, 1 FROM changed WHERE ended"         \
	" UNION ALL SELECT namespace, '', at - at % 60000, 'attention', 1 FROM changed WHERE concerns"
#define COMMIT_COUNTED_END                                                                         \
	") AS d WHERE status IS NOT NULL"                                                              \
	" GROUP BY namespace, definition, version, status HAVING sum(n) <> 0"                          \
	" ORDER BY namespace, definition, version, status"                                             \
	" ON CONFLICT (slot, namespace, definition, number, what) DO UPDATE SET n = c.n + excluded.n"

#define COMMIT_ANSWER ") SELECT ARRAY(SELECT saga_id FROM accepted), ARRAY(SELECT slot FROM fence)"

/* Of subscriptions those named (saga, step, item, place) are dropped, or, with step NULL, all of
 * the saga; but not what is to be there again just as it is. */
#define COMMIT_QUEUES                                                                              \
	"), added AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($43::int4[], $44::text[], $45::text[], $46::text[], $47::int4[],"       \
	" $48::uuid[], $49::text[], $50::int4[], $51::int4[]) AS a (slot, namespace, channel, value,"  \
	" saga_slot, saga_id, step, item, place)"                                                      \
	" WHERE (a.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	"), subscribed AS ("                                                                           \
	" INSERT INTO subscriptions (slot, namespace, channel, value, saga_slot, saga_id, step,"       \
	" item, place) SELECT * FROM added ON CONFLICT DO NOTHING"                                     \
	"), unsubscribed AS ("                                                                         \
	" DELETE FROM subscriptions t USING unnest($52::int4[], $53::uuid[], $54::text[],"             \
	" $55::int4[], $56::int4[]) AS d (saga_slot, saga_id, step, item, place)"                      \
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
	" o.payload, o.created_at FROM unnest($57::int4[], $58::uuid[], $59::int4[], $60::int4[],"     \
	" $61::uuid[], $62::text[], $63::text[], $64::text[], $65::text[], $66::text[],"               \
	" $67::text[], $68::int8[]) AS o (slot, saga_id, seq, place, id, cluster, topic, key,"         \
	" type, headers, payload, created_at)"                                                         \
	" WHERE (o.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	"), consumed AS ("                                                                             \
	" DELETE FROM inbox t USING unnest($69::int4[], $70::uuid[], $71::uuid[])"                     \
	" AS i (slot, id, saga_id)"                                                                    \
	" WHERE (i.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE"                                 \
	" AND t.slot = i.slot AND t.id = i.id"

/*
 * What runs long. Of tasks those named, or, with step NULL, all of the saga go, but not what is to
 * be there in the end; the same of places in lines. Messages go to the inbox of any slot.
 */
#define COMMIT_LONG_ROWS                                                                           \
	"), put AS MATERIALIZED ("                                                                     \
	" SELECT * FROM unnest($81::int4[], $82::uuid[], $83::text[], $84::int4[],"                    \
	" $85::text[], $86::text[], $87::text[], $88::text[], $89::text[], $90::text[],"               \
	" $91::int8[], $92::text[], $93::int8[], $94::int8[], $95::int8[], $96::int8[],"               \
	" $97::text[], $98::text[], $99::text[]) AS p (slot, saga_id, step, item, side,"               \
	" namespace, definition, kind, queue, route, attempt, state, queued_at, available_at,"         \
	" deadline_at, leased_until, worker, build, doc) WHERE (p.saga_id IN (SELECT saga_id"          \
	" FROM accepted)) IS TRUE"                                                                     \
	"), placed AS ("                                                                               \
	" INSERT INTO tasks AS t (slot, saga_id, step, item, side, namespace, definition,"             \
	" kind, queue, route, attempt, state, queued_at, available_at, deadline_at,"                   \
	" leased_until, worker, build, doc) SELECT * FROM put ON CONFLICT (slot, saga_id,"             \
	" step, item, side) DO UPDATE SET kind = excluded.kind, queue = excluded.queue, route"         \
	" = excluded.route, attempt = excluded.attempt, state = excluded.state, queued_at ="           \
	" excluded.queued_at, available_at = excluded.available_at, deadline_at ="                     \
	" excluded.deadline_at, leased_until = excluded.leased_until, worker ="                        \
	" excluded.worker, build = excluded.build, doc = excluded.doc"                                 \
	"), settled AS ("                                                                              \
	" DELETE FROM tasks t USING unnest($100::int4[], $101::uuid[], $102::text[],"                  \
	" $103::int4[], $104::text[]) AS g (slot, saga_id, step, item, side) WHERE (g.saga_id"         \
	" IN (SELECT saga_id FROM accepted)) IS TRUE AND t.slot = g.slot AND t.saga_id ="              \
	" g.saga_id AND (g.step IS NULL OR (t.step = g.step AND t.item = g.item AND t.side ="          \
	" g.side)) AND NOT EXISTS (SELECT FROM put p WHERE p.slot = t.slot AND p.saga_id ="            \
	" t.saga_id AND p.step = t.step AND p.item = t.item AND p.side = t.side)"                      \
	"), told AS ("                                                                                 \
	" INSERT INTO inbox (slot, id, saga_id, namespace, at, message) SELECT slot, id,"              \
	" saga_id, namespace, at, message FROM unnest($105::int4[], $106::uuid[],"                     \
	" $107::uuid[], $108::text[], $109::int8[], $110::text[], $111::uuid[]) AS m (slot,"           \
	" id, saga_id, namespace, at, message, sender) WHERE (m.sender IN (SELECT saga_id"             \
	" FROM accepted)) IS TRUE ON CONFLICT DO NOTHING"                                              \
	"), valued AS ("                                                                               \
	" INSERT INTO search (slot, saga_id, name, value, namespace) SELECT * FROM"                    \
	" unnest($112::int4[], $113::uuid[], $114::text[], $115::text[], $116::text[]) AS v"           \
	" (slot, saga_id, name, value, namespace) WHERE (v.saga_id IN (SELECT saga_id FROM"            \
	" accepted)) IS TRUE ON CONFLICT DO NOTHING"                                                   \
	"), asked AS MATERIALIZED ("                                                                   \
	" SELECT * FROM unnest($117::text[], $118::text[], $119::uuid[], $120::int4[],"                \
	" $121::uuid[], $122::text[], $123::int4[], $124::int8[], $125::int4[]) AS a"                  \
	" (namespace, key, ticket, slot, saga_id, step, item, asked_at, seq) WHERE (a.saga_id"         \
	" IN (SELECT saga_id FROM accepted)) IS TRUE"                                                  \
	"), lined AS ("                                                                                \
	" INSERT INTO locks (namespace, key, ticket, slot, saga_id, step, item, asked_at,"             \
	" held, token) SELECT namespace, key, ticket, slot, saga_id, step, item, asked_at,"            \
	" false, 0 FROM asked ON CONFLICT DO NOTHING"                                                  \
	"), left_line AS ("                                                                            \
	" DELETE FROM locks l USING unnest($126::int4[], $127::uuid[], $128::text[],"                  \
	" $129::int4[], $130::text[], $131::int4[]) AS r (slot, saga_id, step, item, key,"             \
	" seq) WHERE (r.saga_id IN (SELECT saga_id FROM accepted)) IS TRUE AND l.slot ="               \
	" r.slot AND l.saga_id = r.saga_id AND (r.step IS NULL OR (l.step = r.step AND l.item"         \
	" = r.item)) AND (r.key IS NULL OR l.key = r.key) RETURNING l.namespace, l.key,"               \
	" l.saga_id, r.seq"                                                                            \
	"), called AS ("                                                                               \
	" INSERT INTO lock_calls (namespace, key, saga_id, seq) SELECT namespace, key,"                \
	" saga_id, seq FROM asked UNION SELECT namespace, key, saga_id, seq FROM left_line ON"         \
	" CONFLICT DO NOTHING"

#endif
