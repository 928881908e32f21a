-- Which version of a definition starts sagas, and what is known of schedules. Both are written as a
-- whole and by revision, as triggers are.

-- A definition of which nothing was said has no row: its newest version starts all.
CREATE TABLE definition_routes (
	namespace  TEXT NOT NULL,
	name       TEXT NOT NULL,
	current    INTEGER NOT NULL,  -- the version that starts sagas; 0: the newest
	previous   INTEGER NOT NULL,  -- that which was current before; 0: none
	canary     INTEGER NOT NULL,  -- the version that takes a share of the starts; 0: none
	percent    INTEGER NOT NULL,  -- that share
	paused     INTEGER NOT NULL,  -- nothing is started
	reason     TEXT,              -- of the pause
	author     TEXT,
	updated_at INTEGER NOT NULL,
	revision   INTEGER NOT NULL,  -- how often it was written
	PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

-- A schedule of which nothing was said, and that never was due, has no row.
CREATE TABLE schedules (
	namespace  TEXT NOT NULL,
	name       TEXT NOT NULL,     -- <definition>/<entry>
	paused     INTEGER NOT NULL,
	reason     TEXT,
	state      TEXT NOT NULL,     -- JSON: how far it has come, the last start, what is still to do
	author     TEXT,
	updated_at INTEGER NOT NULL,
	revision   INTEGER NOT NULL,
	PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
