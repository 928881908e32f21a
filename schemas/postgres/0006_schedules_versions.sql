-- Which version of a definition starts sagas, and what is known of schedules. Both are written as a
-- whole and by revision, as triggers are.
--
-- Programs of a schema before may go on with it: they start the newest version of every definition,
-- and run no schedules.
-- works with: 1

-- A definition of which nothing was said has no row: its newest version starts all.
CREATE TABLE definition_routes (
	namespace  text COLLATE "C" NOT NULL,
	name       text COLLATE "C" NOT NULL,
	current    bigint NOT NULL,           -- the version that starts sagas; 0: the newest
	previous   bigint NOT NULL,           -- that which was current before; 0: none
	canary     bigint NOT NULL,           -- the version that takes a share of the starts; 0: none
	percent    integer NOT NULL,          -- that share
	paused     boolean NOT NULL,          -- nothing is started
	reason     text,                      -- of the pause
	updated_at bigint NOT NULL,
	by         text,
	revision   bigint NOT NULL,           -- how often it was written
	PRIMARY KEY (namespace, name)
);

-- A schedule of which nothing was said, and that never was due, has no row.
CREATE TABLE schedules (
	namespace  text COLLATE "C" NOT NULL,
	name       text COLLATE "C" NOT NULL, -- <definition>/<entry>
	paused     boolean NOT NULL,
	reason     text,
	state      text NOT NULL,             -- JSON: how far it has come, the last start, what is to do
	updated_at bigint NOT NULL,
	by         text,
	revision   bigint NOT NULL,
	PRIMARY KEY (namespace, name)
);
