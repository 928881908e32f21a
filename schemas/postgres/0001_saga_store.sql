-- The store of sagas. Each migration runs once, in a transaction of its own, in the order of the
-- numbers; the same number means the same step for every kind of store.
--
-- Times are milliseconds since 1970 in UTC. Statuses are the words of the API.
--
-- Every key leads with the slot, and nothing uses a sequence, so the tables can be distributed by
-- it; definitions, slots, nodes and meta are small and the same everywhere. What is written once is
-- kept as text, because each reader and writer of it checks it: `events::json` costs the operator
-- six characters, a column of type json costs each commit a parse.

CREATE TABLE meta (
	name  text COLLATE "C" PRIMARY KEY,
	value text NOT NULL
);

-- Which node owns a slot. The token is random and new for each process and acquisition; every commit
-- checks it. (Locked by each commit and never read through an index scan of many rows: few rows a
-- page, so that a lock seldom meets another's page.)
CREATE TABLE slots (
	slot  integer PRIMARY KEY,
	owner uuid,                  -- NULL: free
	token uuid NOT NULL,
	epoch bigint NOT NULL        -- how often it moved
) WITH (fillfactor = 50);

-- One lease row a node, by the database's clock. Its connections are named skald:<id>:….
CREATE TABLE nodes (
	id          uuid PRIMARY KEY,
	address     text NOT NULL,
	version     text NOT NULL,
	started_at  timestamptz NOT NULL,
	renewed_at  timestamptz NOT NULL,
	lease_until timestamptz NOT NULL,
	lease       interval NOT NULL,
	draining    boolean NOT NULL
) WITH (fillfactor = 50);

-- Immutable: a saga stays on the version it was started with.
CREATE TABLE definitions (
	namespace   text COLLATE "C" NOT NULL,
	name        text COLLATE "C" NOT NULL,
	version     bigint NOT NULL,
	hash        text COLLATE "C" NOT NULL, -- SHA-256 of doc, in hex
	deployed_at bigint NOT NULL,
	doc         text NOT NULL,             -- canonical JSON
	source      text NOT NULL,             -- as deployed
	PRIMARY KEY (namespace, name, version),
	UNIQUE (namespace, name, hash)
);

-- Written at the start, at changes of status, when the saga goes to sleep or wakes, and at the end;
-- not for each step.
CREATE TABLE sagas (
	slot       integer NOT NULL,
	id         uuid NOT NULL,
	namespace  text COLLATE "C" NOT NULL,
	definition text COLLATE "C" NOT NULL,
	version    bigint NOT NULL,
	status     text COLLATE "C" NOT NULL,
	key        text COLLATE "C",
	started_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	ended_at   bigint,           -- NULL: not terminal
	due_at     bigint,           -- NULL: awake; else when it has to be, or is not adopted yet
	attention  text,             -- NULL: concerns no person
	PRIMARY KEY (slot, id),
	CHECK ((ended_at IS NOT NULL) = (status IN ('completed', 'compensated', 'failed', 'terminated')))
) WITH (fillfactor = 80);

-- The order of lists: newest last, by namespace.
CREATE INDEX sagas_list ON sagas (namespace, id);
CREATE INDEX sagas_active ON sagas (namespace, status, id) WHERE ended_at IS NULL;
CREATE INDEX sagas_awake ON sagas (slot, id) WHERE ended_at IS NULL AND due_at IS NULL;
CREATE INDEX sagas_due ON sagas (slot, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sagas_attention ON sagas (namespace, id) WHERE attention IS NOT NULL;
CREATE INDEX sagas_not_completed ON sagas (namespace, status, id)
	WHERE status IN ('compensated', 'failed', 'terminated');

-- Append-only: one row is the events of one transition.
CREATE TABLE history (
	slot    integer NOT NULL,
	saga_id uuid NOT NULL,
	seq     integer NOT NULL,
	at      bigint NOT NULL,
	events  text NOT NULL,       -- JSON array
	PRIMARY KEY (slot, saga_id, seq)
);

-- The ledger of what would be, is being, or was undone.
CREATE TABLE compensations (
	slot       integer NOT NULL,
	saga_id    uuid NOT NULL,
	step       text COLLATE "C" NOT NULL,
	item       integer NOT NULL, -- -1: the step has no items
	seq        integer NOT NULL, -- the history row that armed it, and its place in there
	place      integer NOT NULL,
	action     text COLLATE "C" NOT NULL,
	status     text COLLATE "C" NOT NULL,
	attempts   bigint NOT NULL,
	updated_at bigint NOT NULL,
	last_error text,
	request    text,             -- JSON, as it will be sent
	PRIMARY KEY (slot, saga_id, step, item)
);

-- The authority on which saga a key belongs to. A row lives as long as its saga.
CREATE TABLE idempotency (
	slot        integer NOT NULL,
	namespace   text COLLATE "C" NOT NULL,
	definition  text COLLATE "C" NOT NULL,
	key         text COLLATE "C" NOT NULL,
	saga_id     uuid NOT NULL,
	fingerprint text COLLATE "C" NOT NULL, -- SHA-256 of the start, in hex
	PRIMARY KEY (slot, namespace, definition, key)
);

-- How many sagas have each status; kept within each commit, by which all is added to the rows of one
-- of its slots: a writer does not meet another's, and a batch writes few of them. Only the sum over
-- all slots means something.
CREATE TABLE saga_counts (
	slot      integer NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	status    text COLLATE "C" NOT NULL,
	n         bigint NOT NULL,
	PRIMARY KEY (slot, namespace, status)
) WITH (fillfactor = 20);
