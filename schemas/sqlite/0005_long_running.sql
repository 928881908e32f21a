-- Sagas that run long: what waits for workers and for persons, locks, values that sagas are found
-- by, which saga started which, and what was said about queues. A saga that has to do with none of
-- them touches none of these tables.

ALTER TABLE sagas ADD COLUMN parent_id TEXT;                     -- NULL: no step started it
ALTER TABLE sagas ADD COLUMN base_seq INTEGER NOT NULL DEFAULT 0; -- where a fold may begin
CREATE INDEX sagas_parent ON sagas (namespace, parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX sagas_based ON sagas (namespace, id) WHERE base_seq > 1;

-- With rowids, as what is shown of approvals may be large.
CREATE TABLE tasks (
	saga_id      TEXT NOT NULL,
	step         TEXT NOT NULL,
	item         INTEGER NOT NULL, -- -1: the step has no items
	side         TEXT NOT NULL,    -- 'do', 'undo'
	slot         INTEGER NOT NULL,
	namespace    TEXT NOT NULL,
	definition   TEXT NOT NULL,
	kind         TEXT NOT NULL,    -- 'worker', 'approval'
	queue        TEXT NOT NULL,    -- '' of approvals
	route        TEXT,
	attempt      INTEGER NOT NULL,
	state        TEXT NOT NULL,    -- 'queued', 'leased'
	queued_at    INTEGER NOT NULL,
	available_at INTEGER NOT NULL,
	deadline_at  INTEGER,          -- NULL: none
	leased_until INTEGER,          -- leased
	worker       TEXT,
	build        TEXT,
	doc          TEXT NOT NULL,    -- JSON
	UNIQUE (saga_id, step, item, side)
) STRICT;
-- The order of lists, of one queue and of all; what is due first is at the head.
CREATE INDEX tasks_queue ON tasks
	(namespace, kind, queue, state, available_at, saga_id, step, item, side);
CREATE INDEX tasks_all ON tasks (namespace, kind, state, available_at, saga_id, step, item, side);

CREATE TABLE search (
	namespace TEXT NOT NULL,
	name      TEXT NOT NULL,
	value     TEXT NOT NULL,
	saga_id   TEXT NOT NULL,
	PRIMARY KEY (namespace, name, value, saga_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX search_saga ON search (saga_id);

-- The line for each key: who holds it, and who waits, by ticket. The keys of one ticket are granted
-- together.
CREATE TABLE locks (
	namespace TEXT NOT NULL,
	key       TEXT NOT NULL,
	ticket    TEXT NOT NULL,    -- begins with its time
	saga_id   TEXT NOT NULL,
	step      TEXT NOT NULL,
	item      INTEGER NOT NULL,
	slot      INTEGER NOT NULL,
	held      INTEGER NOT NULL,
	token     INTEGER NOT NULL, -- 0: not held
	asked_at  INTEGER NOT NULL,
	held_at   INTEGER,
	PRIMARY KEY (namespace, key, ticket)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX locks_held ON locks (namespace, key) WHERE held = 1;
CREATE INDEX locks_ticket ON locks (ticket);
CREATE INDEX locks_saga ON locks (saga_id, step, item);

-- The last token of each key. A key that nobody asked for in a long time goes; then `floor` of its
-- namespace says which tokens were there, so that none is given twice.
CREATE TABLE lock_keys (
	namespace TEXT NOT NULL,
	key       TEXT NOT NULL,
	token     INTEGER NOT NULL,
	held_at   INTEGER NOT NULL,
	PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX lock_keys_age ON lock_keys (held_at);
CREATE TABLE lock_floors (
	namespace TEXT PRIMARY KEY,
	floor     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys for which something has changed since somebody looked who is next.
CREATE TABLE lock_calls (
	namespace TEXT NOT NULL,
	key       TEXT NOT NULL,
	PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;

-- What was said about queues; one of which nothing was said has no row.
CREATE TABLE queues (
	namespace  TEXT NOT NULL,
	name       TEXT NOT NULL,
	settings   TEXT NOT NULL,    -- JSON
	author     TEXT,
	updated_at INTEGER NOT NULL,
	revision   INTEGER NOT NULL, -- how often it was written
	PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
