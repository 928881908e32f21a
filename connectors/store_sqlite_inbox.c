/*
 * Reading messages: pages of the inbox and the outbox, and what came before its saga waited.
 *
 * The one process of this store owns all slots, so pages walk an index over all of them, and pass
 * over the slots that were not asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

/* Which slots a page is about. */
static int mark_slots(const struct store_sqlite *s, const int *slots, size_t n,
					  bool wanted[SLOTS_MAX], struct err *err)
{
	memset(wanted, 0, SLOTS_MAX * sizeof(wanted[0]));
	for (size_t i = 0; i < n; i++) {
		if (slots[i] < 0 || slots[i] >= s->slot_count)
			return err_set(err, ERR_INVALID, "the store has no slot %d", slots[i]);
		wanted[slots[i]] = true;
	}
	return 0;
}

static bool is_wanted(const bool wanted[SLOTS_MAX], int slot)
{
	return slot >= 0 && slot < SLOTS_MAX && wanted[slot];
}

static const char *bytes_of(sqlite3_stmt *stmt, int col, size_t *ret_len)
{
	const char *text = store_sqlite__text(stmt, col);

	*ret_len = (size_t)sqlite3_column_bytes(stmt, col);
	return text;
}

int store_sqlite__inbox_list(struct store_reader *store_reader, const struct inbox_page *page,
							 int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	bool wanted[SLOTS_MAX];
	int r = store_check_limit(page->limit, err), rc = SQLITE_DONE, n = 0;

	if (r == 0)
		r = mark_slots(store_sqlite__from(store_reader->store), page->slots, page->n_slots, wanted,
					   err);
	if (r == 0)
		r = store_sqlite__get(reader, R_INBOX, &stmt, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, page->after_id[0] ? page->after_at : INT64_MIN);
	store_sqlite__bind_text(stmt, 2, page->after_id);
	while (n < page->limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct inbox_row inbox = {
			.slot = sqlite3_column_int(stmt, 1),
			.ns = store_sqlite__text(stmt, 2),
			.at = sqlite3_column_int64(stmt, 4),
		};

		if (!is_wanted(wanted, inbox.slot))
			continue;
		STORE_SQLITE_COPY(stmt, 0, inbox.id);
		STORE_SQLITE_COPY(stmt, 3, inbox.saga_id);
		inbox.message = bytes_of(stmt, 5, &inbox.message_len);
		n++;
		r = row(ctx, &inbox);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_sqlite__read_error(reader, rc, err);
}

/* One event for one subscription, as the inbox row that it would be. */
static int tell(sqlite3_stmt *stmt, const char *saga_id, struct buf *message,
				int (*row)(void *ctx, const struct inbox_row *row), void *ctx, struct err *err)
{
	const char *step = store_sqlite__text(stmt, 0);
	int item = sqlite3_column_int(stmt, 1), place = sqlite3_column_int(stmt, 2), r;
	struct event_row event = {.ns = store_sqlite__text(stmt, 4), .id = store_sqlite__text(stmt, 5)};
	struct inbox_row inbox = {
		.slot = sqlite3_column_int(stmt, 3),
		.ns = event.ns,
		.at = sqlite3_column_int64(stmt, 6),
		.event_id = event.id,
	};

	event.event = bytes_of(stmt, 7, &event.event_len);
	store_event_inbox_id(saga_id, step, item, place, event.id, inbox.id);
	memcpy(inbox.saga_id, saga_id, sizeof(inbox.saga_id));
	buf_clear(message);
	store_event_message(&event, step, item, place, message);
	r = buf_check(message, "an event", err);
	if (r < 0)
		return r;
	inbox.message = buf_str(message);
	inbox.message_len = message->len;
	return row(ctx, &inbox);
}

int store_sqlite__early_events(struct store_reader *store_reader, int slot, const char *saga_id,
							   wall_ms after_at, const char *after_event_id, int limit,
							   int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
							   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	CLEANUP(buf_release) struct buf message;
	CLEANUP(free_p) char *last_id = NULL;
	char id[SAGA_ID_SIZE];
	int r = store_check_limit(limit, err), rc, n = 0;

	(void)slot; /* the saga's id is enough to find it here */
	buf_init(&message, 0);
	if (r == 0)
		r = store_sqlite__get(reader, R_EARLY, &stmt, err);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "%s", saga_id);
	store_sqlite__bind_text(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, after_event_id[0] ? after_at : INT64_MIN);
	store_sqlite__bind_text(stmt, 3, after_event_id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		/* A page does not end within an event. */
		if (n >= limit && strcmp(last_id, store_sqlite__text(stmt, 5)) != 0)
			return 0;
		if (++n >= limit && !last_id)
			last_id = xstrdup(store_sqlite__text(stmt, 5));
		r = tell(stmt, id, &message, row, ctx, err);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__outbox_list(struct store_reader *store_reader, const struct outbox_page *page,
							  int (*row)(void *ctx, const struct outbox_row *row), void *ctx,
							  struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	bool wanted[SLOTS_MAX];
	int r = store_check_limit(page->limit, err), rc = SQLITE_DONE, n = 0;

	if (r == 0)
		r = mark_slots(store_sqlite__from(store_reader->store), page->slots, page->n_slots, wanted,
					   err);
	if (r == 0)
		r = store_sqlite__get(reader, R_OUTBOX, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, page->after_saga_id);
	sqlite3_bind_int64(stmt, 2, page->after_seq);
	sqlite3_bind_int(stmt, 3, page->after_place);
	while (n < page->limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct outbox_row outbox = {
			.slot = sqlite3_column_int(stmt, 0),
			.seq = sqlite3_column_int64(stmt, 2),
			.place = sqlite3_column_int(stmt, 3),
			.cluster = store_sqlite__text(stmt, 5),
			.topic = store_sqlite__text(stmt, 6),
			.key = store_sqlite__text(stmt, 7),
			.type = store_sqlite__text(stmt, 8),
			.headers = store_sqlite__text(stmt, 9),
			.created_at = sqlite3_column_int64(stmt, 11),
		};

		if (!is_wanted(wanted, outbox.slot))
			continue;
		STORE_SQLITE_COPY(stmt, 1, outbox.saga_id);
		STORE_SQLITE_COPY(stmt, 4, outbox.id);
		outbox.payload = bytes_of(stmt, 10, &outbox.payload_len);
		n++;
		r = row(ctx, &outbox);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_sqlite__read_error(reader, rc, err);
}
