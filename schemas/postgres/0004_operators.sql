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

-- How many sagas of each version have each status, and what happened in each minute: one table,
-- because what a commit adds to then costs it one sub-statement and not two.
CREATE TABLE counters (
	slot       integer NOT NULL,
	namespace  text COLLATE "C" NOT NULL,
	definition text COLLATE "C" NOT NULL, -- '': all, in one minute
	number     bigint NOT NULL,           -- the version; or the minute's beginning
	what       text COLLATE "C" NOT NULL, -- a status: that sagas have, or with which they ended in
	                                      -- that minute; 'started', 'attention'
	n          bigint NOT NULL,
	PRIMARY KEY (slot, namespace, definition, number, what)
) WITH (fillfactor = 30);
CREATE INDEX counters_of ON counters (definition, number);

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
	first_seen_at bigint,           -- since it had none last
	last_seen_at  bigint,
	PRIMARY KEY (slot, namespace, id)
) WITH (fillfactor = 50);
CREATE INDEX attention_groups_id ON attention_groups (namespace, id);

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

-- What is there is counted. Of minutes, those that are kept, by the times that sagas carry.
INSERT INTO counters
	SELECT 0, namespace, definition, version, status, count(*) FROM sagas
	GROUP BY namespace, definition, version, status;
INSERT INTO counters
	SELECT 0, namespace, '', at - at % 60000, what, count(*)
	FROM (SELECT namespace, started_at AS at, 'started' AS what FROM sagas
		UNION ALL SELECT namespace, ended_at, status FROM sagas WHERE ended_at IS NOT NULL) AS t
	WHERE at > (SELECT max(updated_at) FROM sagas) - 691200000
	GROUP BY at - at % 60000, namespace, what;
INSERT INTO attention_groups
	SELECT 0, namespace, attention_group, min(definition), min(attention_kind), NULL, NULL, NULL,
		(array_agg(attention ORDER BY id DESC))[1], (array_agg(id ORDER BY id DESC))[1], count(*),
		min(attention_at), max(attention_at)
	FROM sagas WHERE attention_group IS NOT NULL GROUP BY namespace, attention_group;

-- Groups are counted by triggers: few commits bring a saga into one or out of it, and to all others a
-- trigger is nearer to nothing than a sub-statement. The writer says to which slot's rows it counts.
CREATE FUNCTION count_attention() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	counting integer := nullif(current_setting('skald.slot', true), '')::integer;
	had bigint;
BEGIN
	IF TG_OP <> 'INSERT' AND OLD.attention_group IS NOT NULL THEN
		INSERT INTO attention_groups AS g (slot, namespace, id, n)
			VALUES (coalesce(counting, OLD.slot), OLD.namespace, OLD.attention_group, -1)
			ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n - 1;
	END IF;
	IF TG_OP <> 'DELETE' AND NEW.attention_group IS NOT NULL THEN
		SELECT sum(n) INTO had FROM attention_groups
			WHERE namespace = NEW.namespace AND id = NEW.attention_group;
		IF had <= 0 THEN -- it begins anew
			UPDATE attention_groups SET first_seen_at = NULL
				WHERE namespace = NEW.namespace AND id = NEW.attention_group;
		END IF;
		INSERT INTO attention_groups AS g
			VALUES (coalesce(counting, NEW.slot), NEW.namespace, NEW.attention_group, NEW.definition,
				NEW.attention_kind, NEW.attention_step, NEW.attention_side, NEW.attention_code,
				NEW.attention, NEW.id, 1, NEW.attention_at, NEW.attention_at)
			ON CONFLICT (slot, namespace, id) DO UPDATE SET n = g.n + 1,
				definition = excluded.definition, kind = excluded.kind, step = excluded.step,
				side = excluded.side, code = excluded.code, message = excluded.message,
				sample = excluded.sample,
				first_seen_at = least(g.first_seen_at, excluded.first_seen_at),
				last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER sagas_attention_begins AFTER INSERT ON sagas FOR EACH ROW
	WHEN (NEW.attention_group IS NOT NULL) EXECUTE FUNCTION count_attention();
CREATE TRIGGER sagas_attention_changes AFTER UPDATE ON sagas FOR EACH ROW
	WHEN (OLD.attention_group IS DISTINCT FROM NEW.attention_group)
	EXECUTE FUNCTION count_attention();
CREATE TRIGGER sagas_attention_ends AFTER DELETE ON sagas FOR EACH ROW
	WHEN (OLD.attention_group IS NOT NULL) EXECUTE FUNCTION count_attention();

-- What a program of a schema before does to a saga is counted, and what its row lacks is said. (Not
-- by a trigger before the row is written: that would lock each row once more, for all programs.)
CREATE FUNCTION count_one(slot integer, namespace text, definition text, number bigint, what text,
	n integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO counters AS c VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (slot, namespace, definition, number, what) DO UPDATE SET n = c.n + excluded.n
$$;
CREATE FUNCTION count_for_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' AND OLD.status = NEW.status THEN
		NULL;
	ELSE
		IF TG_OP <> 'INSERT' THEN
			PERFORM count_one(OLD.slot, OLD.namespace, OLD.definition, OLD.version, OLD.status, -1);
		END IF;
		IF TG_OP <> 'DELETE' THEN
			PERFORM count_one(NEW.slot, NEW.namespace, NEW.definition, NEW.version, NEW.status, 1);
		END IF;
	END IF;
	IF TG_OP = 'DELETE' THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'INSERT' THEN
		PERFORM count_one(NEW.slot, NEW.namespace, '', NEW.started_at - NEW.started_at % 60000,
			'started', 1);
	END IF;
	IF NEW.ended_at IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.ended_at IS NULL) THEN
		PERFORM count_one(NEW.slot, NEW.namespace, '', NEW.ended_at - NEW.ended_at % 60000,
			NEW.status, 1);
	END IF;
	-- The same again, with what its row lacks; then it has all, and this is not done any more.
	IF NEW.attention IS NULL AND NEW.attention_group IS NOT NULL THEN
		UPDATE sagas SET attention_group = NULL, attention_kind = NULL, attention_step = NULL,
			attention_side = NULL, attention_code = NULL, attention_at = NULL
			WHERE slot = NEW.slot AND id = NEW.id;
	ELSIF NEW.attention IS NOT NULL AND (NEW.attention_group IS NULL OR TG_OP = 'UPDATE'
			AND NEW.attention <> OLD.attention AND NEW.attention_group = OLD.attention_group) THEN
		PERFORM count_one(NEW.slot, NEW.namespace, '', NEW.updated_at - NEW.updated_at % 60000,
			'attention', 1);
		UPDATE sagas SET attention_kind = older_attention_kind(status),
			attention_group = older_attention_group(definition, older_attention_kind(status)),
			attention_step = NULL, attention_side = NULL, attention_code = NULL,
			attention_at = updated_at
			WHERE slot = NEW.slot AND id = NEW.id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER sagas_count_for_older AFTER INSERT OR UPDATE OR DELETE ON sagas FOR EACH ROW
	WHEN (coalesce(current_setting('skald.schema', true), '') = '')
	EXECUTE FUNCTION count_for_older();
