-- The store of sagas. Each migration runs once, in a transaction of its own, in the order of the
-- numbers; the same number means the same step for every kind of store.
--
-- Times are milliseconds since 1970 in UTC. Statuses are the words of the API.
--
-- No key here leads with the slot, as it does where a store is split over machines: saga ids are
-- UUIDv7 and begin with their time, so the rows of new sagas lie together at the end of each tree,
-- and slots in front would spread each batch over as many pages as there are slots (measured: 16 of
-- them cost the writer half as much again).

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value ANY
) STRICT, WITHOUT ROWID;

-- Immutable: a saga stays on the version it was started with.
CREATE TABLE definitions (
	namespace   TEXT NOT NULL,
	name        TEXT NOT NULL,
	version     INTEGER NOT NULL,
	hash        TEXT NOT NULL,    -- SHA-256 of doc, in hex
	deployed_at INTEGER NOT NULL,
	doc         TEXT NOT NULL,    -- canonical JSON
	source      TEXT NOT NULL,    -- as deployed
	PRIMARY KEY (namespace, name, version),
	UNIQUE (namespace, name, hash)
) STRICT, WITHOUT ROWID;

-- Written at the start, at changes of status, when the saga goes to sleep or wakes, and at the end;
-- not for each step. The key is also the order of lists: newest last, by namespace.
CREATE TABLE sagas (
	namespace  TEXT NOT NULL,
	id         TEXT NOT NULL,
	slot       INTEGER NOT NULL,
	definition TEXT NOT NULL,
	version    INTEGER NOT NULL,
	status     TEXT NOT NULL,
	key        TEXT,
	started_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	ended_at   INTEGER,          -- NULL: not terminal
	due_at     INTEGER,          -- NULL: awake
	attention  TEXT,             -- NULL: concerns no person
	PRIMARY KEY (namespace, id),
	CHECK ((ended_at IS NOT NULL) = (status IN ('completed', 'compensated', 'failed', 'terminated')))
) STRICT, WITHOUT ROWID;

-- Each index on sagas holds only a part of them. Of these, only the first is touched by a saga that
-- runs through without sleep or failure.
CREATE INDEX sagas_active ON sagas (namespace, id) WHERE ended_at IS NULL;
CREATE INDEX sagas_due ON sagas (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sagas_attention ON sagas (namespace, id) WHERE attention IS NOT NULL;
CREATE INDEX sagas_not_completed ON sagas (namespace, id)
	WHERE status IN ('compensated', 'failed', 'terminated');

-- Append-only: one row is the events of one transition. A table with rowids and an index, because
-- rows are then appended to the last page, while sagas that run side by side would otherwise each
-- keep a page of their own busy.
CREATE TABLE history (
	saga_id TEXT NOT NULL,
	seq     INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	events  TEXT NOT NULL,       -- JSON array
	UNIQUE (saga_id, seq)
) STRICT;

-- The ledger of what would be, is being, or was undone.
CREATE TABLE compensations (
	saga_id    TEXT NOT NULL,
	step       TEXT NOT NULL,
	item       INTEGER NOT NULL, -- -1: the step has no items
	action     TEXT NOT NULL,
	status     TEXT NOT NULL,
	attempts   INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	last_error TEXT,
	request    TEXT,             -- JSON, as it will be sent
	UNIQUE (saga_id, step, item)
) STRICT;

-- The authority on which saga a key belongs to. A row lives as long as its saga.
CREATE TABLE idempotency (
	namespace   TEXT NOT NULL,
	definition  TEXT NOT NULL,
	key         TEXT NOT NULL,
	saga_id     TEXT NOT NULL,
	fingerprint TEXT NOT NULL,   -- SHA-256 of the start, in hex
	PRIMARY KEY (namespace, definition, key)
) STRICT, WITHOUT ROWID;

-- How many sagas have each status; kept within each commit.
CREATE TABLE saga_counts (
	namespace TEXT NOT NULL,
	status    TEXT NOT NULL,
	n         INTEGER NOT NULL,
	PRIMARY KEY (namespace, status)
) STRICT, WITHOUT ROWID;
