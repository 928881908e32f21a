/*
 * Commits. A batch is one transaction (or one for each slot), and all of it leaves in one go: the
 * statements of a transaction, then a Sync, which commits it. Nothing counts as committed before
 * the server has answered the Sync, because it answers a statement earlier than it commits.
 *
 *   all accepted or refused            done
 *   serialisation, deadlock, 23505     the transaction again, a few times
 *   data that cannot be stored         the transaction in two halves, until the item is found
 *   the server will not                ERR_UNAVAILABLE
 *   the connection broke, or WARNING   ERR_UNKNOWN, and settle has to find out
 *
 * When a part was committed and another failed, the whole is ERR_UNKNOWN too: the caller reads what
 * became of each.
 */
#include <stdlib.h>
#include <time.h>

#include "connectors/store_postgres_batch.h"
#include "sagas/base/macros.h"

enum { ROUNDS_AGAIN = 6, PAUSE_MS = 5 };

/* Items order[from] to order[to - 1] are one transaction. */
struct range {
	size_t from, to;
	int tries;
	/* After it was sent. */
	size_t first_part, n_parts;
	enum pg_fault fault;
	bool unique;
};

struct commit {
	struct store_postgres *s;
	struct store_item *items;
	size_t n_items;
	struct store_item **order;
	struct range *ranges, *next; /* of this round, and of the one that follows */
	size_t n_ranges, n_next;
	struct store_item **placed; /* the items of the parts, part by part */
	struct pg_part *parts;
	size_t n_parts, n_placed;
	bool committed; /* some range is */
	struct pg_failure failure;
};

static void commit_release(struct commit *c)
{
	free(c->order);
	free(c->ranges);
	free(c->next);
	free(c->placed);
	free(c->parts);
}

void pg__note_lost(struct store_postgres *s, const char *name, const struct store_item *items,
				   size_t n)
{
	memcpy(s->lost.name, name, sizeof(s->lost.name));
	free(s->lost.slots);
	s->lost.slots = xcalloc(n + 1, sizeof(*s->lost.slots));
	s->lost.n_slots = n;
	for (size_t i = 0; i < n; i++)
		s->lost.slots[i] = items[i].slot;
}

static int compare_slots(const void *a, const void *b)
{
	const struct store_item *x = *(struct store_item *const *)a,
							*y = *(struct store_item *const *)b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x > y) - (x < y); /* the batch's own order within a slot */
}

/* Marks what cannot be sent at all, orders the rest, and makes the first ranges. */
static void prepare(struct commit *c)
{
	size_t n = 0, row, from = 0, bytes = 0;

	c->order = xcalloc(c->n_items + 1, sizeof(struct store_item *));
	c->placed = xcalloc(c->n_items + 1, sizeof(struct store_item *));
	c->parts = xcalloc(c->n_items + 1, sizeof(*c->parts));
	c->ranges = xcalloc(c->n_items + 1, sizeof(*c->ranges));
	c->next = xcalloc(c->n_items + 1, sizeof(*c->next));
	for (size_t i = 0; i < c->n_items; i++) {
		struct store_item *item = &c->items[i];

		item->verdict = STORE_ACCEPTED;
		item->existing_id[0] = '\0';
		item->existing_fingerprint[0] = '\0';
		pg__item_bytes(item, &row);
		if (row > PG_MAX_ROW || item->slot < 0 || item->slot >= c->s->slot_count ||
			!pg__queues_fit(item) || !pg__long_fits(c->s, item))
			item->verdict = STORE_UNSTORABLE;
		else
			c->order[n++] = item;
	}
	if (c->s->single_slot_batches)
		qsort(c->order, n, sizeof(struct store_item *), compare_slots);
	for (size_t i = 0; i < n; i++) {
		size_t more = pg__item_bytes(c->order[i], &row);

		if (i > from &&
			(bytes + more > PG_MAX_BATCH ||
			 (c->s->single_slot_batches && c->order[i]->slot != c->order[from]->slot))) {
			c->ranges[c->n_ranges++] = (struct range){.from = from, .to = i};
			from = i;
			bytes = 0;
		}
		bytes += more;
	}
	if (n > from)
		c->ranges[c->n_ranges++] = (struct range){.from = from, .to = n};
}

/* The random end of an id. */
static uint32_t hash_id(const char *id)
{
	uint32_t hash = 2166136261U;

	for (int i = 19; i < 36; i++)
		hash = (hash ^ (unsigned char)id[i]) * 16777619U;
	return hash;
}

/* ordinal[i]: how many items of the same saga stand before the i-th. Returns the greatest + 1. */
static int count_ordinals(struct store_item *const *items, size_t n, int *ordinals)
{
	CLEANUP(free_p) size_t *table = NULL; /* 1 + the last item of a saga */
	size_t size = 16;
	int most = 0;

	while (size < n * 2)
		size *= 2;
	table = xcalloc(size, sizeof(*table));
	for (size_t i = 0; i < n; i++) {
		size_t at = hash_id(items[i]->saga_id) & (size - 1);

		while (table[at] && strcmp(items[table[at] - 1]->saga_id, items[i]->saga_id) != 0)
			at = (at + 1) & (size - 1);
		ordinals[i] = table[at] ? ordinals[table[at] - 1] + 1 : 0;
		table[at] = i + 1;
		if (ordinals[i] > most)
			most = ordinals[i];
	}
	return most + 1;
}

/* Cuts a range into statements, in none of which a saga occurs twice. */
static void make_parts(struct commit *c, struct range *range)
{
	size_t n = range->to - range->from;
	CLEANUP(free_p) int *ordinals = xcalloc(n, sizeof(*ordinals));
	int n_parts = count_ordinals(c->order + range->from, n, ordinals);

	range->first_part = c->n_parts;
	range->n_parts = (size_t)n_parts;
	for (int ordinal = 0; ordinal < n_parts; ordinal++) {
		struct pg_part *part = &c->parts[c->n_parts++];

		*part = (struct pg_part){.items = c->placed + c->n_placed};
		for (size_t i = 0; i < n; i++)
			if (ordinals[i] == ordinal)
				part->items[part->n++] = c->order[range->from + i];
		c->n_placed += part->n;
	}
}

/* Queues every statement, and a Sync behind each range; false: the connection is lost. */
static bool send_ranges(struct commit *c)
{
	PGconn *pg = c->s->writer.pg;
	struct pg_args args;
	char name[24];

	c->n_parts = c->n_placed = 0;
	for (size_t i = 0; i < c->n_ranges; i++) {
		struct range *range = &c->ranges[i];

		make_parts(c, range);
		for (size_t p = 0; p < range->n_parts; p++) {
			enum pg_statement which = pg__batch_fill(c->s, &c->parts[range->first_part + p], &args);

			snprintf(name, sizeof(name), "skald_%d", (int)which);
			if (!PQsendQueryPrepared(pg, name, args.n, args.values, args.lengths, args.formats, 1))
				return false;
		}
		if (!PQpipelineSync(pg))
			return false;
	}
	return true;
}

/* Reads the answers to one range, up to and with that to its Sync. */
static bool read_range(struct commit *c, struct range *range, int64_t deadline, struct err *err)
{
	size_t part = 0;
	PGresult *result;

	range->fault = PG_FAULT_NONE;
	for (;;) {
		CLEANUP(PQclear_p) PGresult *owned = NULL;
		bool alive = pg__next_result(&c->s->writer, deadline, &result);
		ExecStatusType status = result ? PQresultStatus(result) : PGRES_EMPTY_QUERY;

		owned = result;
		if (status == PGRES_FATAL_ERROR && range->fault == PG_FAULT_NONE) {
			pg__judge(result, &c->failure);
			range->fault = c->failure.fault;
			range->unique = c->failure.unique;
		}
		if (!alive)
			return false;
		if (status == PGRES_PIPELINE_SYNC)
			return true;
		if (status != PGRES_TUPLES_OK || range->fault != PG_FAULT_NONE)
			continue; /* the end of a statement, or one that was skipped after a failure */
		if (part == range->n_parts ||
			pg__batch_read(c->s, &c->parts[range->first_part + part], result, err) < 0) {
			range->fault = PG_FAULT_INTERNAL;
			snprintf(c->failure.text, sizeof(c->failure.text), "%s", err ? err->text : "");
		}
		part++;
	}
}

static void mark_lost(struct commit *c, const char *name)
{
	pg__note_lost(c->s, name, c->items, c->n_items);
	c->failure.fault = PG_FAULT_LOST;
	if (!c->failure.text[0])
		snprintf(c->failure.text, sizeof(c->failure.text), "the connection to Postgres broke");
	pg__disconnect(&c->s->writer);
}

/* Sends all ranges of this round and reads what became of them. 0, or -1 when it is lost. */
static int run_round(struct commit *c, struct err *err)
{
	struct pg_conn *conn = &c->s->writer;
	int64_t deadline = pg__mono_ms() + PG_ANSWER_MS;
	bool alive;

	conn->warned = false;
	c->failure = (struct pg_failure){0};
	alive = PQenterPipelineMode(conn->pg) && send_ranges(c) && pg__flush(conn, deadline);
	for (size_t i = 0; alive && i < c->n_ranges; i++) {
		alive = read_range(c, &c->ranges[i], deadline, err);
		if (alive && c->ranges[i].fault == PG_FAULT_LOST)
			alive = false; /* it was ended; what follows would not be answered */
	}
	if (alive && conn->warned)
		snprintf(c->failure.text, sizeof(c->failure.text),
				 "Postgres committed with a warning; a standby may not have it");
	if (!alive || conn->warned || !PQexitPipelineMode(conn->pg)) {
		if (!c->failure.text[0])
			pg__copy_line(PQerrorMessage(conn->pg), c->failure.text, sizeof(c->failure.text));
		mark_lost(c, conn->name);
		return -1;
	}
	return 0;
}

static void again(struct commit *c, const struct range *range)
{
	c->next[c->n_next] = *range;
	c->next[c->n_next++].tries++;
}

/* Looks for the item that cannot be stored: alone it is found, otherwise one of the halves has it.
 */
static void halve(struct commit *c, const struct range *range)
{
	size_t middle = range->from + (range->to - range->from) / 2;

	if (range->to - range->from == 1) {
		c->order[range->from]->verdict = STORE_UNSTORABLE;
		return;
	}
	c->next[c->n_next++] = (struct range){.from = range->from, .to = middle};
	c->next[c->n_next++] = (struct range){.from = middle, .to = range->to};
}

/* Decides what the next round has to do. 0, or -1 when the server will not. */
static int judge_round(struct commit *c)
{
	bool failed = false;

	c->n_next = 0;
	for (size_t i = 0; i < c->n_ranges; i++) {
		struct range *range = &c->ranges[i];

		switch (range->fault) {
		case PG_FAULT_NONE:
			c->committed = true;
			break;
		case PG_FAULT_AGAIN:
			failed |= range->tries == ROUNDS_AGAIN;
			again(c, range);
			break;
		case PG_FAULT_DATA:
			/* A key of an index that was free when the statement began is seen the next time. */
			if (range->unique && range->tries == 0)
				again(c, range);
			else
				halve(c, range);
			break;
		case PG_FAULT_SERVER:
		case PG_FAULT_INTERNAL:
		case PG_FAULT_LOST:
			failed = true;
			break;
		}
	}
	return failed ? -1 : 0;
}

static void swap_rounds(struct commit *c)
{
	struct range *ranges = c->ranges;
	struct timespec moment = {.tv_nsec = PAUSE_MS * 1000000L};

	c->ranges = c->next;
	c->n_ranges = c->n_next;
	c->next = ranges;
	for (size_t i = 0; i < c->n_ranges; i++)
		if (c->ranges[i].tries > 1) {
			nanosleep(&moment, NULL);
			return;
		}
}

static bool is_refused_beginning(const struct store_item *item)
{
	return item->verdict == STORE_CONFLICT && item->create && item->create->key;
}

/* A beginning was refused: for its key, whose saga is then named, or for something else. */
static int name_duplicates(struct store_postgres *s, struct store_item *items, size_t n,
						   struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT};
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	bool any = false;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		pg__array_reset(&s->arrays[i], types[i]);
	for (size_t i = 0; i < n; i++) {
		if (!is_refused_beginning(&items[i]))
			continue;
		any = true;
		pg__add_int4(&s->arrays[0], (int32_t)i);
		pg__add_int4(&s->arrays[1], pg__key_slot(s, items[i].create));
		pg__add_str(&s->arrays[2], items[i].create->ns);
		pg__add_str(&s->arrays[3], items[i].create->definition);
		pg__add_str(&s->arrays[4], items[i].create->key);
	}
	if (!any)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		pg__array_finish(&s->arrays[i]);
		pg__arg_array(&args, &s->arrays[i]);
	}
	r = pg__ask(&s->writer, PG_KEYS_FIND, &args, &result, err);
	for (int row = 0; r == 0 && row < PQntuples(result); row++) {
		struct store_item *item = &items[pg__int(result, row, 0)];

		item->verdict = STORE_DUPLICATE;
		PG_COPY(result, row, 1, item->existing_id);
		PG_COPY(result, row, 2, item->existing_fingerprint);
	}
	return r;
}

/* Tells the triggers that count to which slot's rows it is done; a round trip when that changes. */
static int say_slot(struct store_postgres *s, struct err *err)
{
	int slot = s->single_slot_batches ? -1 : pg__first_slot(s);
	struct pg_failure failure;
	char sql[48];

	if (s->writer.counting_slot == slot)
		return 0;
	snprintf(sql, sizeof(sql), slot < 0 ? "SET skald.slot = ''" : "SET skald.slot = '%d'", slot);
	if (pg__run_sql(&s->writer, sql, NULL, NULL, &failure) < 0)
		return err_set(err, ERR_UNAVAILABLE, "Postgres: %s", failure.text);
	s->writer.counting_slot = slot;
	return 0;
}

static int connect_writer(struct store_postgres *s, const struct store_item *items, size_t n,
						  struct err *err)
{
	struct pg_conn *conn = &s->writer;
	struct pg_failure failure;
	enum pg_statement most = PG_COMMIT;
	int r;

	pg__notice_hangup(conn); /* a connection that died while it was idle loses nothing */
	r = pg__connect(conn, err);
	if (r < 0)
		return r;
	/* Beforehand, so that what fails here cannot have begun a transaction. */
	for (size_t i = 0; i < n; i++)
		if (pg__statement_for(&items[i]) > most)
			most = pg__statement_for(&items[i]);
	for (enum pg_statement which = PG_COMMIT; which <= most; which++)
		if (pg__prepare_now(conn, which, &failure) < 0)
			return err_set(err, ERR_UNAVAILABLE, "Postgres: %s", failure.text);
	return say_slot(s, err);
}

/* After some ranges were committed the caller must read what became of the rest. */
static int fail_commit(struct commit *c, struct err *err)
{
	int r;

	if (c->failure.fault == PG_FAULT_NONE)
		c->failure.fault = PG_FAULT_INTERNAL;
	r = pg__fail(&c->failure, "cannot commit", err);
	if (c->failure.stale)
		pg__disconnect(&c->s->writer);
	if (r == ERR_UNKNOWN || !c->committed)
		return r == ERR_INVALID ? err_set(err, ERR_INTERNAL, "%s", c->failure.text) : r;
	return err_set(err, ERR_UNKNOWN, "only a part was committed: %s", c->failure.text);
}

int pg__commit(struct store *store, struct store_item *items, size_t n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(commit_release) struct commit c = {.s = s, .items = items, .n_items = n};
	int r;

	if (s->lost.name[0]) /* the caller has not settled, or could not */
		return err_set(err, ERR_UNAVAILABLE, "the last commit is not settled yet");
	r = connect_writer(s, items, n, err);
	if (r < 0)
		return r;
	prepare(&c);
	while (c.n_ranges > 0) {
		if (run_round(&c, err) < 0 || judge_round(&c) < 0)
			return fail_commit(&c, err);
		swap_rounds(&c);
	}
	r = name_duplicates(s, items, n, err);
	if (r < 0)
		return err_set(err, ERR_UNKNOWN, "committed, but the answer could not be read");
	atomic_fetch_add_explicit(&s->n_commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->n_items, (int64_t)n, memory_order_relaxed);
	return 0;
}

/* Ends the backend that had the lost commit, waits until it is gone, then waits for its locks. */
int pg__settle(struct store *store, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	struct pg_args args = {0};
	int r;

	if (!s->lost.name[0])
		return 0;
	for (int try = 0; try < PG_TRIES; try++) {
		CLEANUP(PQclear_p) PGresult *result = NULL;

		args = (struct pg_args){0};
		pg__arg_text(&args, s->lost.name);
		r = pg__ask(&s->writer, PG_TERMINATE, &args, &result, err);
		if (r < 0)
			return r;
		if (PQntuples(result) == 0)
			break; /* no such backend, so nothing of it can land */
		if (try == PG_TRIES - 1)
			return err_set(err, ERR_UNAVAILABLE, "Postgres still works on the lost commit");
	}
	pg__array_reset(&s->arrays[0], PG_INT4);
	for (size_t i = 0; i < s->lost.n_slots; i++)
		pg__add_int4(&s->arrays[0], s->lost.slots[i]);
	pg__array_finish(&s->arrays[0]);
	args = (struct pg_args){0};
	pg__arg_array(&args, &s->arrays[0]);
	r = pg__ask(&s->writer, PG_SETTLE, &args, NULL, err);
	if (r < 0)
		return r;
	s->lost.name[0] = '\0';
	return 0;
}
