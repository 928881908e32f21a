-- Sagas that run long: what waits for workers and for persons, locks, values that sagas are found by,
-- which saga started which, and what was said about queues. A saga that has to do with none of them
-- touches none of these tables.
--
-- Programs of a schema before may go on meanwhile: they know nothing of what is here, so definitions
-- that use it are deployed when the last of them has been replaced. (What they remove when its
-- retention has passed may leave rows of `tasks` and `search` behind, of which nothing is read.)
-- works with: 1

ALTER TABLE sagas
	ADD COLUMN parent_id uuid,                     -- NULL: no step started it
	ADD COLUMN base_seq  integer NOT NULL DEFAULT 0; -- the history row at which a fold may begin
CREATE INDEX sagas_parent ON sagas (namespace, parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX sagas_based ON sagas (namespace, id) WHERE base_seq > 1;

-- Each row is inserted, replaced at a lease, and soon deleted, so it is vacuumed by the number of dead
-- rows, as the inbox is.
CREATE TABLE tasks (
	slot         integer NOT NULL,
	saga_id      uuid NOT NULL,
	step         text COLLATE "C" NOT NULL,
	item         integer NOT NULL,          -- -1: the step has no items
	side         text COLLATE "C" NOT NULL, -- 'do', 'undo'
	namespace    text COLLATE "C" NOT NULL,
	definition   text COLLATE "C" NOT NULL,
	kind         text COLLATE "C" NOT NULL, -- 'worker', 'approval'
	queue        text COLLATE "C" NOT NULL, -- '' of approvals
	route        text COLLATE "C",
	attempt      bigint NOT NULL,
	state        text COLLATE "C" NOT NULL, -- 'queued', 'leased'
	queued_at    bigint NOT NULL,
	available_at bigint NOT NULL,
	deadline_at  bigint,                    -- NULL: none
	leased_until bigint,                    -- leased
	worker       text,
	build        text,
	doc          text NOT NULL,             -- JSON
	PRIMARY KEY (slot, saga_id, step, item, side)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_cost_delay = 0);
-- The order of lists, of one queue and of all; what is due first is at the head.
CREATE INDEX tasks_queue ON tasks
	(namespace, kind, queue, state, available_at, saga_id, step, item, side);
CREATE INDEX tasks_all ON tasks (namespace, kind, state, available_at, saga_id, step, item, side);

CREATE TABLE search (
	slot      integer NOT NULL,
	saga_id   uuid NOT NULL,
	name      text COLLATE "C" NOT NULL,
	value     text COLLATE "C" NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	PRIMARY KEY (slot, saga_id, name)
);
CREATE INDEX search_value ON search (namespace, name, value, saga_id);

-- The line for each key: who holds it, and who waits, by ticket. The keys of one ticket are granted
-- together. (No slot leads here: the keys of a ticket lie anywhere.)
CREATE TABLE locks (
	namespace text COLLATE "C" NOT NULL,
	key       text COLLATE "C" NOT NULL,
	ticket    uuid NOT NULL,             -- begins with its time
	slot      integer NOT NULL,          -- of the saga
	saga_id   uuid NOT NULL,
	step      text COLLATE "C" NOT NULL,
	item      integer NOT NULL,
	held      boolean NOT NULL,
	token     bigint NOT NULL,           -- 0: not held
	asked_at  bigint NOT NULL,
	held_at   bigint,
	PRIMARY KEY (namespace, key, ticket)
);
CREATE UNIQUE INDEX locks_held ON locks (namespace, key) WHERE held;
CREATE INDEX locks_ticket ON locks (ticket);
CREATE INDEX locks_saga ON locks (slot, saga_id);

-- The last token of each key. A key that nobody asked for in a long time goes; then `floor` of its
-- namespace says which tokens were there, so that none is given twice.
CREATE TABLE lock_keys (
	namespace text COLLATE "C" NOT NULL,
	key       text COLLATE "C" NOT NULL,
	token     bigint NOT NULL,
	held_at   bigint NOT NULL,
	PRIMARY KEY (namespace, key)
);
CREATE INDEX lock_keys_age ON lock_keys (held_at);
CREATE TABLE lock_floors (
	namespace text COLLATE "C" PRIMARY KEY,
	floor     bigint NOT NULL
);

-- Keys for which something has changed since somebody looked who is next: a row for each transition
-- that changed something, so that commits do not wait for each other here.
CREATE TABLE lock_calls (
	namespace text COLLATE "C" NOT NULL,
	key       text COLLATE "C" NOT NULL,
	saga_id   uuid NOT NULL,
	seq       integer NOT NULL,          -- of the history row
	PRIMARY KEY (namespace, key, saga_id, seq)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_cost_delay = 0);

-- Who looks goes through here, one at a time; all that it reads was committed before.
CREATE TABLE lock_gate (
	id integer PRIMARY KEY CHECK (id = 1)
);
INSERT INTO lock_gate VALUES (1);

-- What was said about queues; one of which nothing was said has no row.
CREATE TABLE queues (
	namespace  text COLLATE "C" NOT NULL,
	name       text COLLATE "C" NOT NULL,
	settings   text NOT NULL,             -- JSON
	by         text,
	updated_at bigint NOT NULL,
	revision   bigint NOT NULL,           -- how often it was written
	PRIMARY KEY (namespace, name)
);

-- Who gets which lock, of up to `most` calls. A ticket gets its keys when nobody holds one of them and
-- nobody is before it in the line for one. Gives how many calls there were, and the slots whose inbox
-- got something. A function, because it is two statements, of which the second must see what was
-- committed until the first has got through the gate, and nobody is to be stopped between them.
CREATE FUNCTION grant_locks(at bigint, most integer)
RETURNS TABLE (calls bigint, slots integer[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	PERFORM 1 FROM lock_gate WHERE id = 1 FOR UPDATE;
	RETURN QUERY WITH calls AS MATERIALIZED (
		SELECT namespace, key, saga_id, seq FROM lock_calls
		ORDER BY namespace, key, saga_id, seq LIMIT most
	), heads AS MATERIALIZED (
		SELECT DISTINCT k.namespace, h.ticket
		FROM (SELECT DISTINCT namespace, key FROM calls) AS k, LATERAL (
			SELECT l.ticket FROM locks l WHERE l.namespace = k.namespace AND l.key = k.key
			ORDER BY l.namespace, l.key, l.ticket LIMIT 1) AS h
	), free AS MATERIALIZED (
		SELECT h.namespace, h.ticket FROM heads h WHERE NOT EXISTS (
			SELECT FROM locks m WHERE m.ticket = h.ticket AND (
				EXISTS (SELECT FROM locks o
					WHERE o.namespace = m.namespace AND o.key = m.key AND o.held)
				OR EXISTS (SELECT FROM locks o
					WHERE o.namespace = m.namespace AND o.key = m.key AND o.ticket < m.ticket)))
	), tokens AS MATERIALIZED (
		SELECT f.ticket, 1 + greatest(coalesce(max(k.token), 0), coalesce(
			(SELECT floor FROM lock_floors WHERE namespace = f.namespace), 0)) AS token
		FROM free f JOIN locks m ON m.ticket = f.ticket
			LEFT JOIN lock_keys k ON k.namespace = m.namespace AND k.key = m.key
		GROUP BY f.namespace, f.ticket
	), granted AS (
		UPDATE locks l SET held = true, token = t.token, held_at = at FROM tokens t
		WHERE l.ticket = t.ticket
		RETURNING l.namespace, l.key, l.ticket, l.slot, l.saga_id, l.step, l.item, l.token
	), noted AS (
		INSERT INTO lock_keys AS k (namespace, key, token, held_at)
		SELECT namespace, key, token, at FROM granted
		ON CONFLICT (namespace, key) DO UPDATE SET token = excluded.token, held_at = excluded.held_at
	), told AS (
		INSERT INTO inbox (slot, id, saga_id, namespace, at, message)
		SELECT DISTINCT ON (ticket) slot, ticket, saga_id, namespace, at,
			'{"kind":"lock","step":' || to_json(step)::text || ',"item":' || item || ',"token":'
				|| token || '}'
		FROM granted ORDER BY ticket ON CONFLICT DO NOTHING RETURNING slot
	), answered AS (
		DELETE FROM lock_calls c USING calls a WHERE c.namespace = a.namespace AND c.key = a.key
			AND c.saga_id = a.saga_id AND c.seq = a.seq
	) SELECT (SELECT count(*) FROM calls), ARRAY(SELECT DISTINCT slot FROM told);
END
$$;

-- Keys that nobody stands in line for and that were not held since `before` are forgotten, up to
-- `most`; through the same gate, so that no token is given meanwhile.
CREATE FUNCTION forget_lock_keys(before bigint, most integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM lock_gate WHERE id = 1 FOR UPDATE;
	WITH old AS MATERIALIZED (
		SELECT namespace, key, token FROM lock_keys k WHERE held_at < before AND NOT EXISTS (
			SELECT FROM locks l WHERE l.namespace = k.namespace AND l.key = k.key)
		ORDER BY held_at LIMIT most
	), gone AS (
		DELETE FROM lock_keys k USING old o WHERE k.namespace = o.namespace AND k.key = o.key
	) INSERT INTO lock_floors AS f (namespace, floor)
		SELECT namespace, max(token) FROM old GROUP BY namespace
		ON CONFLICT (namespace) DO UPDATE SET floor = greatest(f.floor, excluded.floor);
END
$$;
