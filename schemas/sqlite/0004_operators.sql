-- What operators read: why sagas concern a person, in groups that are counted; who has taken them;
-- how many there are of each version; what began and ended in each minute; and batches of acts.
-- Counters are kept within each commit, so no page of the dashboard counts rows.

ALTER TABLE sagas ADD COLUMN attention_group TEXT;    -- NULL: in no group
ALTER TABLE sagas ADD COLUMN attention_kind TEXT;
ALTER TABLE sagas ADD COLUMN attention_step TEXT;     -- NULL: the saga as a whole
ALTER TABLE sagas ADD COLUMN attention_side TEXT;
ALTER TABLE sagas ADD COLUMN attention_code TEXT;
ALTER TABLE sagas ADD COLUMN attention_at INTEGER;    -- since when, for this group
ALTER TABLE sagas ADD COLUMN owner TEXT;              -- NULL: nobody

-- What was said before there were groups: one for each definition, until a saga's next transition
-- tells the true one. An undo that failed is known by its status.
UPDATE sagas SET attention_at = updated_at,
	attention_kind = CASE status WHEN 'compensation_failed' THEN 'stuck' ELSE 'notice' END
	WHERE attention IS NOT NULL;
UPDATE sagas SET attention_group = g.id
	FROM (SELECT namespace, definition, kind,
			printf('%016x', row_number() OVER (ORDER BY namespace, definition, kind)) AS id
		FROM (SELECT DISTINCT namespace, definition, attention_kind AS kind FROM sagas
			WHERE attention IS NOT NULL)) AS g
	WHERE attention IS NOT NULL AND g.namespace = sagas.namespace
		AND g.definition = sagas.definition AND g.kind = sagas.attention_kind;

-- These hold few rows, and none of a saga that runs through. Those by kind and step know enough to
-- pass over what does not match without its row.
CREATE INDEX sagas_attention_kind ON sagas
	(namespace, attention_kind, id, attention_step, status, definition)
	WHERE attention_kind IS NOT NULL;
CREATE INDEX sagas_attention_step ON sagas
	(namespace, attention_step, id, attention_kind, status, definition)
	WHERE attention_step IS NOT NULL;
CREATE INDEX sagas_attention_group ON sagas (namespace, attention_group, id)
	WHERE attention_group IS NOT NULL;
CREATE INDEX sagas_owner ON sagas (namespace, owner, id) WHERE owner IS NOT NULL;

-- How many sagas of each version have each status; takes the place of the counts by
-- status alone.
DROP TABLE saga_counts;
CREATE TABLE definition_counts (
	namespace  TEXT NOT NULL,
	definition TEXT NOT NULL,
	version    INTEGER NOT NULL,
	status     TEXT NOT NULL,
	n          INTEGER NOT NULL,
	PRIMARY KEY (namespace, definition, version, status)
) STRICT, WITHOUT ROWID;
INSERT INTO definition_counts
	SELECT namespace, definition, version, status, count(*) FROM sagas GROUP BY 1, 2, 3, 4;

-- The sagas that concern a person for one reason, and what persons said about them.
CREATE TABLE attention_groups (
	namespace       TEXT NOT NULL,
	id              TEXT NOT NULL,
	definition      TEXT NOT NULL,
	kind            TEXT NOT NULL,
	step            TEXT,
	side            TEXT,
	code            TEXT,
	message         TEXT,             -- of the saga `sample`
	sample          TEXT NOT NULL,
	n               INTEGER NOT NULL, -- sagas in it now
	first_seen_at   INTEGER NOT NULL,
	last_seen_at    INTEGER NOT NULL,
	acknowledged_by TEXT,             -- from here on: said by persons, and by who tells them
	acknowledged_at INTEGER,
	note            TEXT,
	owner           TEXT,
	notified_at     INTEGER,
	notified_n      INTEGER NOT NULL DEFAULT 0,
	revision        INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
-- The order of lists, of a namespace and of all; what somebody was told of; and what is to go some
-- day.
CREATE INDEX attention_groups_of ON attention_groups (namespace, n DESC, id) WHERE n > 0;
CREATE INDEX attention_groups_all ON attention_groups (n DESC, id) WHERE n > 0;
CREATE INDEX attention_groups_told ON attention_groups (notified_at) WHERE notified_at IS NOT NULL;
CREATE INDEX attention_groups_empty ON attention_groups (last_seen_at) WHERE n <= 0;
INSERT INTO attention_groups (namespace, id, definition, kind, message, sample, n, first_seen_at,
		last_seen_at)
	SELECT namespace, attention_group, definition, attention_kind, attention, max(id), count(*),
		0, 0 FROM sagas WHERE attention_group IS NOT NULL GROUP BY namespace, attention_group;
UPDATE attention_groups SET (first_seen_at, last_seen_at) =
	(SELECT min(attention_at), max(attention_at) FROM sagas
		WHERE namespace = attention_groups.namespace AND attention_group = attention_groups.id);

-- What happened in each minute. By time first: the newest rows lie together at the end.
CREATE TABLE rates (
	at          INTEGER NOT NULL, -- the minute's beginning
	namespace   TEXT NOT NULL,
	started     INTEGER NOT NULL,
	completed   INTEGER NOT NULL,
	compensated INTEGER NOT NULL,
	failed      INTEGER NOT NULL,
	terminated  INTEGER NOT NULL,
	attention   INTEGER NOT NULL,
	PRIMARY KEY (at, namespace)
) STRICT, WITHOUT ROWID;
INSERT INTO rates
	SELECT at - at % 60000, namespace, count(*) FILTER (WHERE what = 'started'),
		count(*) FILTER (WHERE what = 'completed'), count(*) FILTER (WHERE what = 'compensated'),
		count(*) FILTER (WHERE what = 'failed'), count(*) FILTER (WHERE what = 'terminated'), 0
	FROM (SELECT namespace, started_at AS at, 'started' AS what FROM sagas
		UNION ALL SELECT namespace, ended_at, status FROM sagas WHERE ended_at IS NOT NULL)
	WHERE at > (SELECT max(started_at) FROM sagas) - 691200000
	GROUP BY 1, 2;

-- One act on many sagas. The counts are of its items.
CREATE TABLE batches (
	namespace      TEXT NOT NULL,
	id             TEXT NOT NULL,
	act            TEXT NOT NULL,    -- JSON
	query          TEXT NOT NULL,
	author         TEXT NOT NULL,
	rate           REAL NOT NULL,    -- sagas a second; 0: as fast as it goes
	status         TEXT NOT NULL,
	created_at     INTEGER NOT NULL,
	updated_at     INTEGER NOT NULL,
	ended_at       INTEGER,          -- NULL: it has not
	cursor         TEXT,
	runner         TEXT,             -- the process that does it
	runner_seen_at INTEGER,
	revision       INTEGER NOT NULL, -- how often it was written
	pending        INTEGER NOT NULL,
	done           INTEGER NOT NULL,
	refused        INTEGER NOT NULL,
	failed         INTEGER NOT NULL,
	PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_list ON batches (namespace, created_at, id);
CREATE INDEX batches_open ON batches (created_at, id) WHERE status IN ('selecting', 'running');
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE batch_items (
	namespace  TEXT NOT NULL,
	batch_id   TEXT NOT NULL,
	saga_id    TEXT NOT NULL,
	status     TEXT NOT NULL,
	effect     TEXT,             -- JSON; NULL: nothing yet
	error      TEXT,
	seq        INTEGER NOT NULL, -- the history row of the act; 0: none
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (namespace, batch_id, saga_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_items_status ON batch_items (namespace, batch_id, status, saga_id);
