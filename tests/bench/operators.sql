-- A million sagas in a minute or two: copies of a few that ran (key "template"), with other ids, keys, times and
-- statuses, over thirty days. One in ten has its history and its ledger, all have their keys. What is
-- open sleeps for a month, so a server that is started on it leaves it alone: what its history says
-- is not what its row says.
--
--   psql -v n=1000000 -f tests/bench/operators.sql
--
-- Nine in ten are completed; one in fifty needs attention, in some two hundred groups.
SET client_min_messages = warning;
SET work_mem = '256MB';
SET synchronous_commit = off;

CREATE TEMP TABLE templates AS
	SELECT row_number() OVER (ORDER BY definition) - 1 AS place, slot, id, definition, started_at
	FROM sagas WHERE key = 'template';

CREATE TEMP TABLE mass AS
	WITH dice AS (
		SELECT i, hashint8(i) & 1048575 AS a, hashint8(i + 7777777) & 1048575 AS b,
			(extract(epoch FROM now()) * 1000)::int8 - 30::int8 * 86400000
				+ i * 30 * 86400000 / :n::int8 AS at
		FROM generate_series(1, :n::int8) AS g (i)
	), made AS (
		SELECT d.*, t.id AS template, t.slot AS template_slot, t.definition, t.started_at AS template_at,
			least(3, 1 + (i * 3 + b % :n::int8) / :n::int8) AS version, 'order-' || i AS key,
			CASE WHEN a % 1000 < 900 THEN 'completed' WHEN a % 1000 < 920 THEN 'compensated'
				WHEN a % 1000 < 935 THEN 'failed' WHEN a % 1000 < 940 THEN 'terminated'
				WHEN a % 1000 < 950 THEN 'running' WHEN a % 1000 < 975 THEN 'waiting'
				WHEN a % 1000 < 980 THEN 'paused' WHEN a % 1000 < 990 THEN 'compensating'
				ELSE 'compensation_failed' END AS status
		FROM dice d JOIN templates t ON t.place = (d.b % 100) * (d.b % 100)
			* (SELECT count(*) FROM templates) / 10000
	)
	SELECT *, (get_byte(h, 0) * 256 + get_byte(h, 1)) * 256 / 65536 AS slot,
		status IN ('running', 'compensation_failed') AS concerns,
		status NOT IN ('completed', 'compensated', 'failed', 'terminated') AS open
	FROM made, LATERAL (SELECT sha256(
		int4send(7) || 'default' || int4send(length(definition)) || definition::bytea
		|| int4send(length(key)) || key::bytea) AS h) AS hashed;

ALTER TABLE mass ADD COLUMN id uuid;
UPDATE mass SET id = (substr(lpad(to_hex(at), 12, '0'), 1, 8) || '-' || substr(lpad(to_hex(at), 12, '0'), 9)
	|| '-7' || lpad(to_hex(slot), 3, '0') || '-8' || substr(md5(key), 1, 3) || '-' || substr(md5(key), 4, 12))::uuid;

ALTER TABLE sagas DISABLE TRIGGER USER; -- what they count is counted at the end
INSERT INTO sagas (slot, id, namespace, definition, version, status, key, started_at, updated_at,
		ended_at, due_at, attention, attention_group, attention_kind, attention_step, attention_side,
		attention_code, attention_at, owner)
	SELECT slot, id, 'default', definition, version, status, key, at, at + 1500,
		CASE WHEN NOT open THEN at + 1500 END,
		CASE WHEN open THEN (extract(epoch FROM now()) * 1000)::int8 + 30::int8 * 86400000 END,
		CASE WHEN concerns THEN kind || ' at ' || step || ': ' || code || ' (' || key || ')' END,
		CASE WHEN concerns THEN left(md5(concat_ws(' ', definition, kind, step, code)), 16) END,
		CASE WHEN concerns THEN kind END, CASE WHEN concerns THEN step END,
		CASE WHEN concerns THEN CASE status WHEN 'running' THEN 'do' ELSE 'undo' END END,
		CASE WHEN concerns THEN code END, CASE WHEN concerns THEN at + 1500 END,
		CASE WHEN concerns AND b % 50 = 0 THEN (ARRAY['ann', 'bob', 'carla'])[1 + b % 3] END
	FROM mass, LATERAL (SELECT CASE status WHEN 'running' THEN 'unknown' ELSE 'stuck' END AS kind,
		(ARRAY['reserve', 'charge', 'ship'])[1 + b % 3] AS step,
		(ARRAY['timeout', 'connection_refused', 'http_500', 'http_503'])[1 + b / 3 % 4] AS code) AS c
	ORDER BY i;
INSERT INTO idempotency
	SELECT slot, 'default', definition, key, id, repeat('0', 64) FROM mass ORDER BY i;
INSERT INTO history
	SELECT m.slot, m.id, h.seq, h.at - m.template_at + m.at, replace(h.events, m.template::text, m.id::text)
	FROM mass m JOIN history h ON h.slot = m.template_slot AND h.saga_id = m.template WHERE m.i % 10 = 0
	ORDER BY m.i, h.seq;
INSERT INTO compensations
	SELECT m.slot, m.id, c.step, c.item, c.seq, c.place, c.action, c.status, c.attempts,
		c.updated_at - m.template_at + m.at, c.last_error, replace(c.request, m.template::text, m.id::text)
	FROM mass m JOIN compensations c ON c.slot = m.template_slot AND c.saga_id = m.template
	WHERE m.i % 10 = 0 ORDER BY m.i, c.seq, c.place;

INSERT INTO dead_letters
	SELECT 'default', md5('letter' || i)::uuid, 'invoice/orders', 'default', 'orders', i % 12, i, at, at + 20,
		NULL, 'not json', '[]', 'unparsable', 'the record is not JSON', 1,
		CASE WHEN i % 3 = 0 THEN 'waiting' ELSE 'discarded' END, NULL, at + 40
	FROM mass WHERE i % 50 = 0;
INSERT INTO batches
	SELECT 'default', md5('batch' || i)::uuid, '{"act":"retry","step":"charge","reason":"the bank is back"}',
		'attention:true', 'ann', 100, 'done', at, at + 60000, at + 60000, NULL, NULL, NULL, 9, 0,
		CASE WHEN i = :n::int8 THEN (SELECT count(*) FROM mass WHERE i % 10 = 0 AND open) ELSE 0 END,
		0, 0
	FROM mass WHERE i % (1 + :n::int8 / 100) = 0 OR i = :n::int8;
INSERT INTO batch_items
	SELECT 'default', md5('batch' || :n::int8)::uuid, id, 'done', '{"events":["ActTaken"]}', NULL, 9, at
	FROM mass WHERE i % 10 = 0 AND open;

-- As migration 0004 counts.
TRUNCATE counters;
INSERT INTO counters
	SELECT 0, namespace, definition, version, status, count(*) FROM sagas
	GROUP BY namespace, definition, version, status;
INSERT INTO counters
	SELECT 0, namespace, '', at - at % 60000, what, count(*)
	FROM (SELECT namespace, started_at AS at, 'started' AS what FROM sagas
		UNION ALL SELECT namespace, ended_at, status FROM sagas WHERE ended_at IS NOT NULL) AS t
	WHERE at > (SELECT max(updated_at) FROM sagas) - 691200000
	GROUP BY at - at % 60000, namespace, what;
INSERT INTO attention_groups
	SELECT 0, namespace, attention_group, min(definition), min(attention_kind), min(attention_step),
		min(attention_side), min(attention_code), min(attention), (array_agg(id ORDER BY id DESC))[1],
		count(*), min(attention_at), max(attention_at)
	FROM sagas WHERE attention_group IS NOT NULL GROUP BY namespace, attention_group;
ALTER TABLE sagas ENABLE TRIGGER USER;
VACUUM ANALYZE;
