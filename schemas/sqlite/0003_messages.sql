-- Messages: what sagas wait for, what arrived, what is to be published, what could not be used. A
-- saga that has to do with none of them touches none of these tables.
--
-- No AUTOINCREMENT and no sequences: identities are made of what a row came from.

-- Who waits for which event; (step, item, place) is where in the saga it goes.
CREATE TABLE subscriptions (
	saga_id   TEXT NOT NULL,
	step      TEXT NOT NULL,    -- '': the saga as a whole
	item      INTEGER NOT NULL, -- -1: the step has no items
	place     INTEGER NOT NULL,
	slot      INTEGER NOT NULL,
	namespace TEXT NOT NULL,
	channel   TEXT NOT NULL,
	value     TEXT NOT NULL,
	PRIMARY KEY (saga_id, step, item, place)
) STRICT, WITHOUT ROWID;
-- By which an event finds them; the rest of the primary key follows by itself.
CREATE INDEX subscriptions_match ON subscriptions (namespace, channel, value);

-- What arrived lately, for those who do not wait for it yet. With rowids, as bodies may be large.
CREATE TABLE events (
	namespace  TEXT NOT NULL,
	channel    TEXT NOT NULL,
	value      TEXT NOT NULL,
	id         TEXT NOT NULL,    -- cluster/topic/partition/offset
	at         INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	event      TEXT NOT NULL,    -- JSON
	UNIQUE (namespace, channel, value, id)
) STRICT;
CREATE INDEX events_expiry ON events (expires_at);

-- What arrived for a saga and is in no history yet.
CREATE TABLE inbox (
	id        TEXT NOT NULL UNIQUE,
	slot      INTEGER NOT NULL,
	namespace TEXT NOT NULL,
	saga_id   TEXT NOT NULL,
	at        INTEGER NOT NULL,
	message   TEXT NOT NULL     -- JSON
) STRICT;
CREATE INDEX inbox_order ON inbox (at, id);
CREATE INDEX inbox_saga ON inbox (saga_id);

-- What the history says was published and no broker has acknowledged yet; the columns are named as
-- Debezium's outbox event router expects them. Rowids follow the order of commits.
CREATE TABLE outbox (
	id            TEXT NOT NULL,
	aggregatetype TEXT NOT NULL,    -- the topic
	aggregateid   TEXT,             -- the record's key; NULL: none
	type          TEXT NOT NULL,
	payload       TEXT,             -- NULL: a record without a value
	headers       TEXT NOT NULL,    -- JSON object of strings
	cluster       TEXT NOT NULL,
	slot          INTEGER NOT NULL,
	saga_id       TEXT NOT NULL,
	seq           INTEGER NOT NULL, -- of the history row
	place         INTEGER NOT NULL, -- in there
	created_at    INTEGER NOT NULL,
	UNIQUE (saga_id, seq, place)
) STRICT;

-- Records that started nothing, unchanged, with the reason.
CREATE TABLE dead_letters (
	id            TEXT NOT NULL UNIQUE,
	namespace     TEXT NOT NULL,
	trigger_name  TEXT NOT NULL,
	cluster       TEXT NOT NULL,
	topic         TEXT NOT NULL,
	partition_no  INTEGER NOT NULL,
	record_offset INTEGER NOT NULL,
	at            INTEGER NOT NULL, -- the record's own time
	failed_at     INTEGER NOT NULL,
	record_key    BLOB,
	record_value  BLOB,
	headers       TEXT NOT NULL,    -- JSON [[name, base64 or null], …]
	reason        TEXT NOT NULL,
	message       TEXT NOT NULL,
	attempts      INTEGER NOT NULL,
	status        TEXT NOT NULL,
	saga_id       TEXT,             -- that was started from it after all
	updated_at    INTEGER NOT NULL
) STRICT;
-- The order of lists: newest last.
CREATE INDEX dead_letters_list ON dead_letters (namespace, failed_at, id);
CREATE INDEX dead_letters_status ON dead_letters (namespace, status, failed_at, id);
CREATE INDEX dead_letters_of ON dead_letters (namespace, trigger_name, failed_at, id);
CREATE INDEX dead_letters_trigger ON dead_letters (namespace, trigger_name, status, failed_at, id);
CREATE INDEX dead_letters_over ON dead_letters (updated_at) WHERE status <> 'waiting';

-- What was said about triggers; one of which nothing was said has no row.
CREATE TABLE triggers (
	namespace  TEXT NOT NULL,
	name       TEXT NOT NULL,
	paused     INTEGER NOT NULL,
	reason     TEXT,
	seeks      TEXT,             -- JSON
	author     TEXT,
	updated_at INTEGER NOT NULL,
	revision   INTEGER NOT NULL, -- how often it was written
	PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
