/*
 * Events, the inbox and the outbox, beside the commits of sagas: what arrives is written, and what
 * is done with is removed.
 *
 * An event is committed before anybody looks who waits for it, and who waits commits that before he
 * looks for events. So whichever of the two commits is later, its look sees the other; with a look
 * in the same transaction both could pass each other unseen. Any number of nodes may do either.
 *
 * Removals come from many places, each through a primary key, and in an order that is the same for
 * all, so that two that meet do not wait for each other.
 */
#include <stdlib.h>

#include "connectors/store_postgres_batch.h"
#include "sagas/base/macros.h"

enum { MAX_STATEMENT = 16 * 1024 * 1024 }; /* bytes of texts, after which another one begins */

static void reset(struct store_postgres *s, const enum pg_type *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pg__array_reset(&s->arrays[i], types[i]);
}

static void finish(struct store_postgres *s, size_t n, struct pg_args *args)
{
	*args = (struct pg_args){0};
	for (size_t i = 0; i < n; i++) {
		pg__array_finish(&s->arrays[i]);
		pg__arg_array(args, &s->arrays[i]);
	}
}

struct placed_event {
	const struct event_row *row;
	int slot;
};

static int compare_events(const void *a, const void *b)
{
	const struct placed_event *x = a, *y = b;
	int r = (x->slot > y->slot) - (x->slot < y->slot);

	if (r == 0)
		r = strcmp(x->row->ns, y->row->ns);
	if (r == 0)
		r = strcmp(x->row->channel, y->row->channel);
	if (r == 0)
		r = strcmp(x->row->value, y->row->value);
	return r ? r : strcmp(x->row->id, y->row->id);
}

/* How many of the events one statement carries. */
static size_t events_at_once(const struct placed_event *events, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += events[i].row->event_len;
		if (i > 0 && bytes > MAX_STATEMENT)
			return i;
	}
	return n;
}

static int insert_events(struct store_postgres *s, const struct placed_event *events, size_t n,
						 struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT,
										 PG_TEXT, PG_INT8, PG_INT8, PG_TEXT};
	struct pg_args args;

	reset(s, types, ARRAY_SIZE(types));
	for (size_t i = 0; i < n; i++) {
		const struct event_row *row = events[i].row;

		pg__add_int4(&s->arrays[0], events[i].slot);
		pg__add_str(&s->arrays[1], row->ns);
		pg__add_str(&s->arrays[2], row->channel);
		pg__add_str(&s->arrays[3], row->value);
		pg__add_str(&s->arrays[4], row->id);
		pg__add_int8(&s->arrays[5], row->at);
		pg__add_int8(&s->arrays[6], row->expires_at);
		pg__add_text(&s->arrays[7], row->event, row->event_len);
	}
	finish(s, ARRAY_SIZE(types), &args);
	return pg__write(s, PG_EVENTS_PUT, &args, NULL, "cannot keep events", err);
}

/* *ret_found: for each pair of an event (its place in the array) and who waits for it, a row. */
static int find_waiting(struct store_postgres *s, const struct placed_event *events, size_t n,
						PGresult **ret_found, struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT};
	struct pg_args args;

	reset(s, types, ARRAY_SIZE(types));
	for (size_t i = 0; i < n; i++) {
		const struct event_row *row = events[i].row;

		pg__add_int4(&s->arrays[0], (int32_t)i);
		pg__add_int4(&s->arrays[1], events[i].slot);
		pg__add_str(&s->arrays[2], row->ns);
		pg__add_str(&s->arrays[3], row->channel);
		pg__add_str(&s->arrays[4], row->value);
	}
	finish(s, ARRAY_SIZE(types), &args);
	return pg__write(s, PG_EVENTS_MATCH, &args, ret_found, "cannot look who waits", err);
}

static const enum pg_type inbox_types[] = {PG_INT4, PG_UUID, PG_UUID, PG_TEXT, PG_INT8, PG_TEXT};

static int add_to_inbox(struct store_postgres *s, const struct inbox_row *row, struct err *err)
{
	struct pg_uuid id, saga_id;

	if (!pg__uuid_parse(row->id, &id) || !pg__uuid_parse(row->saga_id, &saga_id))
		return err_set(err, ERR_INVALID, "an id of a row for the inbox is no UUID");
	pg__add_int4(&s->arrays[0], row->slot);
	pg__add_uuid(&s->arrays[1], &id);
	pg__add_uuid(&s->arrays[2], &saga_id);
	pg__add_str(&s->arrays[3], row->ns);
	pg__add_int8(&s->arrays[4], row->at);
	pg__add_text(&s->arrays[5], row->message, row->message_len);
	return 0;
}

static int write_inbox(struct store_postgres *s, struct err *err)
{
	struct pg_args args;

	finish(s, ARRAY_SIZE(inbox_types), &args);
	return pg__write(s, PG_INBOX_PUT, &args, NULL, "cannot write to the inbox", err);
}

/* What row i of the answer of find_waiting puts into an inbox; the message is written to text. */
static void describe(const PGresult *found, int i, const struct event_row *event, struct buf *text,
					 struct inbox_row *ret_row)
{
	const char *step = PQgetvalue(found, i, 3);
	int item = (int)pg__int(found, i, 4), place = (int)pg__int(found, i, 5);

	*ret_row =
		(struct inbox_row){.slot = (int)pg__int(found, i, 1), .ns = event->ns, .at = event->at};
	PG_COPY(found, i, 2, ret_row->saga_id);
	store_event_inbox_id(ret_row->saga_id, step, item, place, event->id, ret_row->id);
	buf_clear(text);
	store_event_message(event, step, item, place, text);
	ret_row->message = buf_str(text);
	ret_row->message_len = text->len;
}

/* Puts the events into the inboxes of those who wait for them. */
static int announce(struct store_postgres *s, const struct placed_event *events, size_t n,
					bool *touched, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *found = NULL;
	CLEANUP(buf_release) struct buf text;
	struct inbox_row row;
	int r = find_waiting(s, events, n, &found, err), last = r < 0 ? -1 : PQntuples(found) - 1;

	buf_init(&text, 0);
	for (int i = 0, rows = 0; r == 0 && i <= last; i++) {
		int64_t which = pg__int(found, i, 0);

		CHECK(which >= 0 && (size_t)which < n);
		if (rows == 0)
			reset(s, inbox_types, ARRAY_SIZE(inbox_types));
		describe(found, i, events[which].row, &text, &row);
		if (row.slot >= 0 && row.slot < s->slot_count)
			touched[row.slot] = true;
		r = add_to_inbox(s, &row, err);
		if (r == 0 &&
			(++rows == STORE_PUT_MAX || s->arrays[5].buf.len > MAX_STATEMENT || i == last)) {
			r = write_inbox(s, err);
			rows = 0;
		}
	}
	return r;
}

int pg__events_put(struct store *store, const struct event_row *rows, size_t n, bool *touched,
				   struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(free_p) struct placed_event *events = xcalloc(n + 1, sizeof(*events));
	int r = store_check_events(rows, n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		events[i] = (struct placed_event){
			.row = &rows[i],
			.slot = pg__event_slot(s, rows[i].ns, rows[i].channel, rows[i].value),
		};
	if (r < 0)
		return r;
	qsort(events, n, sizeof(*events), compare_events);
	/* Large ones need several statements; what came of some of them is found when it is repeated.
	 */
	for (size_t from = 0, some; r == 0 && from < n; from += some) {
		some = events_at_once(events + from, n - from);
		r = insert_events(s, events + from, some, err);
		if (r == 0)
			r = announce(s, events + from, some, touched, err);
	}
	return r;
}

int pg__inbox_put(struct store *store, const struct inbox_row *rows, size_t n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	int r = store_check_inbox(rows, n, err);
	size_t bytes = 0;

	reset(s, inbox_types, ARRAY_SIZE(inbox_types));
	for (size_t i = 0; r == 0 && i < n; i++) {
		bytes += rows[i].message_len;
		if (bytes > PG_MAX_BATCH)
			return err_set(err, ERR_LIMIT, "the rows of a call have more than %d bytes",
						   PG_MAX_BATCH);
		if (rows[i].slot >= s->slot_count)
			return err_set(err, ERR_INVALID, "there is no slot %d", rows[i].slot);
		r = add_to_inbox(s, &rows[i], err);
	}
	return r < 0 || n == 0 ? r : write_inbox(s, err);
}

int pg__inbox_remove(struct store *store, const struct inbox_row *rows, size_t n, struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_UUID, PG_INT4, PG_UUID};
	struct store_postgres *s = pg__from(store);
	bool needed[SLOTS_MAX] = {false};
	struct pg_args args;
	struct pg_uuid id;
	int r = store_check_count(n, err);

	if (r < 0 || n == 0)
		return r;
	reset(s, types, ARRAY_SIZE(types));
	for (size_t i = 0; i < n; i++) {
		if (rows[i].slot < 0 || rows[i].slot >= s->slot_count || !pg__uuid_parse(rows[i].id, &id))
			continue; /* which is not there */
		needed[rows[i].slot] = true;
		pg__add_int4(&s->arrays[2], rows[i].slot);
		pg__add_uuid(&s->arrays[3], &id);
	}
	pg__add_fences(s, needed, &s->arrays[0], &s->arrays[1]);
	finish(s, ARRAY_SIZE(types), &args);
	return pg__write(s, PG_INBOX_REMOVE, &args, NULL, "cannot remove from the inbox", err);
}

int pg__outbox_remove(struct store *store, const struct outbox_row *rows, size_t n, struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_UUID, PG_INT4, PG_INT4};
	struct store_postgres *s = pg__from(store);
	struct pg_args args;
	struct pg_uuid id;
	int r = store_check_count(n, err);

	if (r < 0 || n == 0)
		return r;
	reset(s, types, ARRAY_SIZE(types));
	for (size_t i = 0; i < n; i++) {
		if (!pg__uuid_parse(rows[i].saga_id, &id) || rows[i].seq < 1 || rows[i].seq > INT32_MAX)
			continue;
		pg__add_int4(&s->arrays[0], rows[i].slot);
		pg__add_uuid(&s->arrays[1], &id);
		pg__add_int4(&s->arrays[2], (int32_t)rows[i].seq);
		pg__add_int4(&s->arrays[3], rows[i].place);
	}
	finish(s, ARRAY_SIZE(types), &args);
	return pg__write(s, PG_OUTBOX_REMOVE, &args, NULL, "cannot remove from the outbox", err);
}

static int expire(struct store_postgres *s, enum pg_statement which, wall_ms before, int limit,
				  int *ret_n, const char *what, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r = store_check_limit(limit, err);

	if (r < 0)
		return r;
	pg__arg_int(&args, before);
	pg__arg_int(&args, limit);
	r = pg__write(s, which, &args, &result, what, err);
	if (r == 0)
		*ret_n = (int)pg__int(result, 0, 0);
	return r;
}

int pg__events_expire(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	return expire(pg__from(store), PG_EVENTS_EXPIRE, before, limit, ret_n,
				  "cannot remove old events", err);
}

int pg__outbox_expire(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	return expire(pg__from(store), PG_OUTBOX_EXPIRE, before, limit, ret_n,
				  "cannot remove from the outbox", err);
}
