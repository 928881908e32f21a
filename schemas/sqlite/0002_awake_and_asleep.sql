-- What is awake and what is due soon are found by index, however many sagas sleep: the first index
-- has those that are awake together, in the order of their beginnings, and after them those that
-- sleep, by their time. It takes the place of two, of which the one held awake and asleep mixed, so
-- that a start read every sleeping saga. (The tables in Postgres have had such indexes from the
-- start, so there is no migration of this number.)
DROP INDEX sagas_active;
DROP INDEX sagas_due;
CREATE INDEX sagas_open ON sagas (due_at, namespace, id) WHERE ended_at IS NULL;
-- For lists, which go by status, namespace and id.
CREATE INDEX sagas_asleep ON sagas (namespace, status, id)
	WHERE ended_at IS NULL AND due_at IS NOT NULL;
