-- What sagas and Kafka say to each other: whom an event concerns, what arrived for a saga of another
-- node, what is to be published, and records that could not start a saga. (There is no migration
-- 0002 here, see the one for SQLite.)
--
-- It only adds tables, which a program of the schema before leaves alone; so nodes can be replaced
-- one by one, and definitions that use Kafka deployed when the last one has been.
-- works with: 1
--
-- inbox and outbox are queues: each row is inserted, read, and soon deleted, never changed. So they
-- have as few indexes as can be, no spare room in their pages, and are vacuumed by the number of dead
-- rows instead of by a share of a table that is nearly empty, at full speed, because that is how many
-- dead entries a reader has to pass over. They cannot shrink while a transaction elsewhere, or a
-- replication slot with hot_standby_feedback, stays open for hours.

-- Who waits for which event. Here the slot is not the saga's but that of channel and value, as in
-- `events`: where tables are distributed by slot, an event and who waits for it lie together.
CREATE TABLE subscriptions (
	slot      integer NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	channel   text COLLATE "C" NOT NULL, -- cluster, topic and expression, hashed
	value     text COLLATE "C" NOT NULL,
	saga_slot integer NOT NULL,
	saga_id   uuid NOT NULL,
	step      text COLLATE "C" NOT NULL, -- '': the saga as a whole (cancel_on)
	item      integer NOT NULL,          -- -1: the step has no items
	place     integer NOT NULL,          -- with step '': which entry of cancel_on
	PRIMARY KEY (slot, namespace, channel, value, saga_id, step, item, place)
);
CREATE INDEX subscriptions_saga ON subscriptions (saga_slot, saga_id);

-- Events, kept for a while for sagas that do not wait for them yet.
CREATE TABLE events (
	slot       integer NOT NULL,
	namespace  text COLLATE "C" NOT NULL,
	channel    text COLLATE "C" NOT NULL,
	value      text COLLATE "C" NOT NULL,
	id         text COLLATE "C" NOT NULL, -- <cluster>/<topic>/<partition>/<offset>
	at         bigint NOT NULL,
	expires_at bigint NOT NULL,
	event      text NOT NULL,             -- JSON
	PRIMARY KEY (slot, namespace, channel, value, id)
);
CREATE INDEX events_expiry ON events (expires_at);

-- What arrived at any node and is for the owner of the slot. Written by all, read and removed by it.
CREATE TABLE inbox (
	slot      integer NOT NULL,
	id        uuid NOT NULL,             -- from what arrived, so that it is here once
	saga_id   uuid NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	at        bigint NOT NULL,
	message   text NOT NULL,             -- JSON
	PRIMARY KEY (slot, id)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_cost_delay = 0);

CREATE INDEX inbox_order ON inbox (slot, at, id);

-- What is to be published, written in the commit of the history row that says so. The columns up to
-- payload are those that Debezium's outbox event router expects. The key has the order in which the
-- rows of a saga have to leave.
CREATE TABLE outbox (
	id            uuid NOT NULL,             -- of the event, the same for ever
	aggregatetype text COLLATE "C" NOT NULL, -- the topic
	aggregateid   text COLLATE "C",          -- the record's key
	type          text COLLATE "C" NOT NULL,
	payload       text,                      -- JSON; NULL: a record without a value
	slot          integer NOT NULL,
	saga_id       uuid NOT NULL,
	seq           integer NOT NULL,          -- of the history row
	place         integer NOT NULL,          -- among the records of that row
	cluster       text COLLATE "C" NOT NULL,
	headers       text NOT NULL,             -- JSON object of strings
	source        text,                      -- some of them, for routers that know only columns
	traceparent   text,
	specversion   text NOT NULL DEFAULT '1.0', -- of CloudEvents
	created_at    bigint NOT NULL,
	PRIMARY KEY (slot, saga_id, seq, place)
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_age ON outbox (created_at);

-- Records that could not start a saga, as they came, for browsing and for another try.
CREATE TABLE dead_letters (
	namespace  text COLLATE "C" NOT NULL,
	id         uuid NOT NULL,
	trigger    text COLLATE "C" NOT NULL,
	cluster    text COLLATE "C" NOT NULL,
	topic      text COLLATE "C" NOT NULL,
	partition  integer NOT NULL,
	"offset"   bigint NOT NULL,
	at         bigint NOT NULL,          -- the record's time
	failed_at  bigint NOT NULL,
	key        bytea,
	value      bytea,
	headers    text NOT NULL,            -- JSON: [[name, base64 of the value], ...]
	reason     text COLLATE "C" NOT NULL,
	message    text NOT NULL,
	attempts   bigint NOT NULL,
	status     text COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'redriven', 'discarded')),
	saga_id    uuid,                     -- that was started in the end
	updated_at bigint NOT NULL,
	PRIMARY KEY (namespace, id)
);
CREATE INDEX dead_letters_list ON dead_letters (namespace, failed_at, id);
CREATE INDEX dead_letters_waiting ON dead_letters (namespace, failed_at, id) WHERE status = 'waiting';
CREATE INDEX dead_letters_trigger ON dead_letters (namespace, trigger, failed_at, id);
CREATE INDEX dead_letters_settled ON dead_letters (updated_at) WHERE status <> 'waiting';

-- What persons and policies said about triggers: each node obeys.
CREATE TABLE triggers (
	namespace  text COLLATE "C" NOT NULL,
	name       text COLLATE "C" NOT NULL, -- <definition>/<topic>
	paused     boolean NOT NULL,
	reason     text,
	seeks      text,                      -- JSON: {partition: where to go on}
	updated_at bigint NOT NULL,
	by         text,
	revision   bigint NOT NULL,           -- how often it was written
	PRIMARY KEY (namespace, name)
);
