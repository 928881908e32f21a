-- What operators read: why sagas concern a person, in groups that are counted; who has taken them;
-- how many there are of each version; what began and ended in each minute; and batches of acts.
-- Counters are kept within each commit, so that no page counts rows.
--
-- It adds columns and tables, and counts what is there, for which nobody may write to `sagas` until
-- it is done: seconds for each million of them. (saga_counts stays for programs of the schema before,
-- and is written by them alone: what they show as counts stands still.)
--
-- Programs of a schema before may go on meanwhile. They know nothing of these counters, so a trigger
-- counts for them, and for persons with psql, and leaves all others alone: those say which schema
-- they know. Pause, retry, skip and the like wait until the last of them has been replaced, because a
-- history in which they stand is one that they cannot read.
-- works with: 1

ALTER TABLE sagas
	ADD COLUMN attention_group text COLLATE "C", -- NULL: in no group
	ADD COLUMN attention_kind  text COLLATE "C",
	ADD COLUMN attention_step  text COLLATE "C", -- NULL: the saga as a whole
	ADD COLUMN attention_side  text COLLATE "C",
	ADD COLUMN attention_code  text COLLATE "C",
	ADD COLUMN attention_at    bigint,           -- since when, for this group
	ADD COLUMN owner           text COLLATE "C"; -- NULL: nobody

-- What programs of a schema before say has no group: one for each definition and kind, until the
-- saga's next transition tells the true one. An undo that failed is known by its status.
CREATE FUNCTION older_attention_kind(status text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE status WHEN 'compensation_failed' THEN 'stuck' ELSE 'notice' END
$$;
CREATE FUNCTION older_attention_group(definition text, kind text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT left(md5(definition || ' ' || kind), 16)
$$;

UPDATE sagas SET attention_at = updated_at, attention_kind = older_attention_kind(status),
	attention_group = older_attention_group(definition, older_attention_kind(status))
	WHERE attention IS NOT NULL;

-- Of lists the rest is answered by walks along sagas_list and the partial indexes there are, which
-- end after so many rows: each index on every saga is written twice in its life. So there is none by
-- definition, by key, by kind of attention, or of the completed ones. These two hold few rows, and
-- none of a saga that runs through.
CREATE INDEX sagas_attention_group ON sagas (namespace, attention_group, id)
	WHERE attention_group IS NOT NULL;
CREATE INDEX sagas_owner ON sagas (namespace, owner, id) WHERE owner IS NOT NULL;

-- Counters. Each commit adds all of its own to the rows of one slot, of its node's where it can, so a
-- writer does not meet another's; only the sum over all slots means something.

-- How many sagas of each version have each status.
CREATE TABLE definition_counts (
	slot       integer NOT NULL,
	namespace  text COLLATE "C" NOT NULL,
	definition text COLLATE "C" NOT NULL,
	version    bigint NOT NULL,
	status     text COLLATE "C" NOT NULL,
	n          bigint NOT NULL,
	PRIMARY KEY (slot, namespace, definition, version, status)
) WITH (fillfactor = 20);

-- How many sagas concern a person for one reason. A row that has only seen sagas leave says nothing
-- of why they were in it.
CREATE TABLE attention_groups (
	slot          integer NOT NULL,
	namespace     text COLLATE "C" NOT NULL,
	id            text COLLATE "C" NOT NULL,
	definition    text COLLATE "C",
	kind          text COLLATE "C",
	step          text COLLATE "C",
	side          text COLLATE "C",
	code          text COLLATE "C",
	message       text,             -- of the saga `sample`
	sample        uuid,             -- that came in last
	n             bigint NOT NULL,
	first_seen_at bigint,           -- when it began anew: the latest of its rows is the group's
	last_seen_at  bigint,
	PRIMARY KEY (slot, namespace, id)
) WITH (fillfactor = 50);
CREATE INDEX attention_groups_id ON attention_groups (namespace, id);

-- What happened in each minute. The rows of the present one are written by each commit.
CREATE TABLE rates (
	slot        integer NOT NULL,
	at          bigint NOT NULL,    -- the minute's beginning
	namespace   text COLLATE "C" NOT NULL,
	started     bigint NOT NULL,
	completed   bigint NOT NULL,
	compensated bigint NOT NULL,
	failed      bigint NOT NULL,
	terminated  bigint NOT NULL,
	attention   bigint NOT NULL,
	PRIMARY KEY (slot, at, namespace)
) WITH (fillfactor = 50);
CREATE INDEX rates_at ON rates (at, namespace);

-- What persons said about a group, and who was told of it: one row, written by revision.
CREATE TABLE attention_said (
	namespace       text COLLATE "C" NOT NULL,
	id              text COLLATE "C" NOT NULL,
	acknowledged_by text,
	acknowledged_at bigint,
	note            text,
	owner           text,
	notified_at     bigint,
	notified_n      bigint NOT NULL,
	revision        bigint NOT NULL,
	PRIMARY KEY (namespace, id)
);

-- One act on many sagas. The counts are of its items.
CREATE TABLE batches (
	namespace      text COLLATE "C" NOT NULL,
	id             uuid NOT NULL,
	act            text NOT NULL,             -- JSON
	query          text NOT NULL,
	by             text NOT NULL,
	rate           double precision NOT NULL, -- sagas a second; 0: as fast as it goes
	status         text COLLATE "C" NOT NULL,
	created_at     bigint NOT NULL,
	updated_at     bigint NOT NULL,
	ended_at       bigint,                    -- NULL: it has not
	cursor         text,
	runner         text,                      -- the process that does it
	runner_seen_at bigint,
	revision       bigint NOT NULL,           -- how often it was written
	pending        bigint NOT NULL,
	done           bigint NOT NULL,
	refused        bigint NOT NULL,
	failed         bigint NOT NULL,
	PRIMARY KEY (namespace, id)
);
CREATE INDEX batches_list ON batches (namespace, created_at, id);
CREATE INDEX batches_open ON batches (created_at, id) WHERE status IN ('selecting', 'running');
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE batch_items (
	namespace  text COLLATE "C" NOT NULL,
	batch_id   uuid NOT NULL,
	saga_id    uuid NOT NULL,
	status     text COLLATE "C" NOT NULL,
	effect     text,             -- JSON; NULL: nothing yet
	error      text,
	seq        bigint NOT NULL,  -- the history row of the act; 0: none
	updated_at bigint NOT NULL,
	PRIMARY KEY (namespace, batch_id, saga_id)
);
-- The next ones to do, and the few that failed, of a hundred thousand.
CREATE INDEX batch_items_status ON batch_items (namespace, batch_id, status, saga_id);

-- What is there is counted. Of rates, what their keeping allows, by the times that sagas carry.
INSERT INTO definition_counts
	SELECT 0, namespace, definition, version, status, count(*) FROM sagas
	GROUP BY namespace, definition, version, status;
INSERT INTO attention_groups
	SELECT 0, namespace, attention_group, min(definition), min(attention_kind), NULL, NULL, NULL,
		(array_agg(attention ORDER BY id DESC))[1], (array_agg(id ORDER BY id DESC))[1], count(*),
		min(attention_at), max(attention_at)
	FROM sagas WHERE attention_group IS NOT NULL GROUP BY namespace, attention_group;
INSERT INTO rates
	SELECT 0, at - at % 60000, namespace, count(*) FILTER (WHERE what = 'started'),
		count(*) FILTER (WHERE what = 'completed'), count(*) FILTER (WHERE what = 'compensated'),
		count(*) FILTER (WHERE what = 'failed'), count(*) FILTER (WHERE what = 'terminated'), 0
	FROM (SELECT namespace, started_at AS at, 'started' AS what FROM sagas
		UNION ALL SELECT namespace, ended_at, status FROM sagas WHERE ended_at IS NOT NULL) AS t
	WHERE at > (SELECT max(updated_at) FROM sagas) - 691200000
	GROUP BY at - at % 60000, namespace;

-- Counts what a program of a schema before does to a saga, and says what its row lacks.
CREATE FUNCTION count_for_older() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	was text := CASE WHEN TG_OP <> 'INSERT' THEN OLD.attention_group END;
	minute bigint;
BEGIN
	IF TG_OP <> 'INSERT' THEN
		INSERT INTO definition_counts AS c
			VALUES (OLD.slot, OLD.namespace, OLD.definition, OLD.version, OLD.status, -1)
			ON CONFLICT (slot, namespace, definition, version, status) DO UPDATE SET n = c.n - 1;
	END IF;
	IF TG_OP = 'DELETE' THEN
		IF was IS NOT NULL THEN
			INSERT INTO attention_groups AS g (slot, namespace, id, n)
				VALUES (OLD.slot, OLD.namespace, was, -1)
				ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n - 1;
		END IF;
		RETURN OLD;
	END IF;
	INSERT INTO definition_counts AS c
		VALUES (NEW.slot, NEW.namespace, NEW.definition, NEW.version, NEW.status, 1)
		ON CONFLICT (slot, namespace, definition, version, status) DO UPDATE SET n = c.n + 1;
	IF NEW.attention IS NULL THEN
		NEW.attention_group := NULL;
		NEW.attention_kind := NULL;
		NEW.attention_step := NULL;
		NEW.attention_side := NULL;
		NEW.attention_code := NULL;
		NEW.attention_at := NULL;
	ELSIF TG_OP = 'INSERT' OR NEW.attention IS DISTINCT FROM OLD.attention THEN
		NEW.attention_kind := older_attention_kind(NEW.status);
		NEW.attention_group := older_attention_group(NEW.definition, NEW.attention_kind);
		NEW.attention_step := NULL;
		NEW.attention_side := NULL;
		NEW.attention_code := NULL;
		NEW.attention_at := NEW.updated_at;
	END IF;
	IF was IS NOT NULL AND was IS DISTINCT FROM NEW.attention_group THEN
		INSERT INTO attention_groups AS g (slot, namespace, id, n)
			VALUES (NEW.slot, NEW.namespace, was, -1)
			ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n - 1;
	END IF;
	IF NEW.attention_group IS NOT NULL AND was IS DISTINCT FROM NEW.attention_group THEN
		INSERT INTO attention_groups AS g
			VALUES (NEW.slot, NEW.namespace, NEW.attention_group, NEW.definition,
				NEW.attention_kind, NULL, NULL, NULL, NEW.attention, NEW.id, 1,
				CASE WHEN coalesce((SELECT sum(n) FROM attention_groups
					WHERE namespace = NEW.namespace AND id = NEW.attention_group), 0) <= 0
					THEN NEW.attention_at END,
				NEW.attention_at)
			ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n + 1,
				definition = excluded.definition, kind = excluded.kind, message = excluded.message,
				sample = excluded.sample,
				first_seen_at = greatest(g.first_seen_at, excluded.first_seen_at),
				last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at);
		minute := NEW.updated_at - NEW.updated_at % 60000;
		INSERT INTO rates AS r VALUES (NEW.slot, minute, NEW.namespace, 0, 0, 0, 0, 0, 1)
			ON CONFLICT (slot, at, namespace) DO UPDATE SET attention = r.attention + 1;
	END IF;
	IF TG_OP = 'INSERT' THEN
		minute := NEW.started_at - NEW.started_at % 60000;
		INSERT INTO rates AS r VALUES (NEW.slot, minute, NEW.namespace, 1, 0, 0, 0, 0, 0)
			ON CONFLICT (slot, at, namespace) DO UPDATE SET started = r.started + 1;
	END IF;
	IF NEW.ended_at IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.ended_at IS NULL) THEN
		minute := NEW.ended_at - NEW.ended_at % 60000;
		INSERT INTO rates AS r
			VALUES (NEW.slot, minute, NEW.namespace, 0, (NEW.status = 'completed')::int,
				(NEW.status = 'compensated')::int, (NEW.status = 'failed')::int,
				(NEW.status = 'terminated')::int, 0)
			ON CONFLICT (slot, at, namespace) DO UPDATE SET
				completed = r.completed + excluded.completed,
				compensated = r.compensated + excluded.compensated,
				failed = r.failed + excluded.failed,
				terminated = r.terminated + excluded.terminated;
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER sagas_count_for_older BEFORE INSERT OR UPDATE OR DELETE ON sagas FOR EACH ROW
	WHEN (coalesce(current_setting('skald.schema', true), '') = '')
	EXECUTE FUNCTION count_for_older();
