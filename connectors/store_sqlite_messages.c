/*
 * What the writer does with messages: the parts of a commit (subscriptions, outbox, inbox), events
 * and who waits for them, and what is removed when it is over.
 *
 * One process writes this store, through one connection, so an event and who waits for it are put
 * together in one transaction: a subscription is committed before it, and is found, or after it,
 * and then finds the event.
 */
#include <limits.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

enum {
	MATCHES = 256,                    /* subscriptions that are read at a time */
	PART_MAX_BYTES = 8 * 1024 * 1024, /* of messages; past it the transaction is committed */
};

static int subscribe(struct store_sqlite *s, const struct store_item *item,
					 const struct subscription_row *row)
{
	sqlite3_stmt *stmt = s->stmts[row->remove ? W_UNSUBSCRIBE : W_SUBSCRIBE];

	store_sqlite__bind_text(stmt, 1, item->saga_id);
	store_sqlite__bind_text(stmt, 2, row->step);
	sqlite3_bind_int(stmt, 3, row->item);
	sqlite3_bind_int(stmt, 4, row->place);
	if (!row->remove) {
		sqlite3_bind_int(stmt, 5, item->slot);
		store_sqlite__bind_text(stmt, 6, row->ns);
		store_sqlite__bind_text(stmt, 7, row->channel);
		store_sqlite__bind_text(stmt, 8, row->value);
	}
	return store_sqlite__run(stmt);
}

static int publish(struct store_sqlite *s, const struct store_item *item,
				   const struct outbox_row *row)
{
	sqlite3_stmt *stmt = s->stmts[W_OUTBOX_INSERT];

	store_sqlite__bind_text(stmt, 1, row->id);
	store_sqlite__bind_text(stmt, 2, row->topic);
	store_sqlite__bind_text(stmt, 3, row->key);
	store_sqlite__bind_text(stmt, 4, row->type);
	store_sqlite__bind_bytes(stmt, 5, row->payload, row->payload_len);
	store_sqlite__bind_text(stmt, 6, row->headers);
	store_sqlite__bind_text(stmt, 7, row->cluster);
	sqlite3_bind_int(stmt, 8, item->slot);
	store_sqlite__bind_text(stmt, 9, item->saga_id);
	sqlite3_bind_int64(stmt, 10, item->seq);
	sqlite3_bind_int(stmt, 11, row->place);
	sqlite3_bind_int64(stmt, 12, row->created_at);
	return store_sqlite__run(stmt);
}

static int take_in(struct store_sqlite *s, const char *id, int slot)
{
	sqlite3_stmt *stmt = s->stmts[W_INBOX_DELETE];

	store_sqlite__bind_text(stmt, 1, id);
	sqlite3_bind_int(stmt, 2, slot);
	return store_sqlite__run(stmt);
}

static int run_for_saga(struct store_sqlite *s, enum store_sqlite_write which, const char *saga_id)
{
	store_sqlite__bind_text(s->stmts[which], 1, saga_id);
	return store_sqlite__run(s->stmts[which]);
}

int store_sqlite__write_messages(struct store_sqlite *s, const struct store_item *item)
{
	int rc = SQLITE_DONE;

	if (item->unsubscribe_all)
		rc = run_for_saga(s, W_UNSUBSCRIBE_ALL, item->saga_id);
	for (size_t i = 0; i < item->n_subscriptions && rc == SQLITE_DONE; i++)
		rc = subscribe(s, item, &item->subscriptions[i]);
	for (size_t i = 0; i < item->n_outbox && rc == SQLITE_DONE; i++)
		rc = publish(s, item, &item->outbox[i]);
	for (size_t i = 0; i < item->n_inbox && rc == SQLITE_DONE; i++)
		rc = take_in(s, item->inbox[i], item->slot);
	return rc;
}

int store_sqlite__delete_messages(struct store_sqlite *s, const char *saga_id)
{
	int rc = run_for_saga(s, W_UNSUBSCRIBE_ALL, saga_id);

	return rc == SQLITE_DONE ? run_for_saga(s, W_INBOX_DELETE_ALL, saga_id) : rc;
}

/* Ends the transaction with what its statements gave: SQLITE_DONE, or an error, which undoes it. */
static int finish(struct store_sqlite *s, int rc, const char *what, struct err *err)
{
	int r;

	if (rc == SQLITE_DONE)
		return store_sqlite__end(s, err);
	r = store_sqlite__error(s->db, rc, what, err);
	store_sqlite__rollback(s);
	return r;
}

int store_sqlite__insert_inbox(struct store_sqlite *s, const struct inbox_row *row)
{
	sqlite3_stmt *stmt = s->stmts[W_INBOX_INSERT];

	store_sqlite__bind_text(stmt, 1, row->id);
	sqlite3_bind_int(stmt, 2, row->slot);
	store_sqlite__bind_text(stmt, 3, row->ns);
	store_sqlite__bind_text(stmt, 4, row->saga_id);
	sqlite3_bind_int64(stmt, 5, row->at);
	store_sqlite__bind_bytes(stmt, 6, row->message, row->message_len);
	return store_sqlite__run(stmt);
}

int store_sqlite__inbox_put(struct store *store, const struct inbox_row *rows, size_t n,
							struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_inbox(rows, n, err), rc = SQLITE_DONE;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (rows[i].slot >= s->slot_count)
			r = err_set(err, ERR_INVALID, "the store has no slot %d", rows[i].slot);
	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = store_sqlite__insert_inbox(s, &rows[i]);
	return finish(s, rc, "cannot write the inbox", err);
}

int store_sqlite__inbox_remove(struct store *store, const struct inbox_row *rows, size_t n,
							   struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_count(n, err), rc = SQLITE_DONE;

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = take_in(s, rows[i].id, rows[i].slot);
	return finish(s, rc, "cannot remove from the inbox", err);
}

int store_sqlite__outbox_remove(struct store *store, const struct outbox_row *rows, size_t n,
								struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	sqlite3_stmt *stmt = s->stmts[W_OUTBOX_DELETE];
	int r = store_check_count(n, err), rc = SQLITE_DONE;

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++) {
		store_sqlite__bind_text(stmt, 1, rows[i].saga_id);
		sqlite3_bind_int64(stmt, 2, rows[i].seq);
		sqlite3_bind_int(stmt, 3, rows[i].place);
		sqlite3_bind_int(stmt, 4, rows[i].slot);
		rc = store_sqlite__run(stmt);
	}
	return finish(s, rc, "cannot remove from the outbox", err);
}

/* Removes what is before a time, up to limit rows. */
static int expire(struct store_sqlite *s, enum store_sqlite_write which, wall_ms before, int limit,
				  int *ret_n, struct err *err)
{
	sqlite3_stmt *stmt = s->stmts[which];
	int r = store_check_limit(limit, err), rc, n;

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, before);
	sqlite3_bind_int(stmt, 2, limit);
	rc = store_sqlite__run(stmt);
	n = sqlite3_changes(s->db);
	r = finish(s, rc, "cannot remove what is over", err);
	if (r == 0)
		*ret_n = n;
	return r;
}

int store_sqlite__events_expire(struct store *store, wall_ms before, int limit, int *ret_n,
								struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store));

	return expire(store_sqlite__from(store), W_EVENTS_EXPIRE, before, limit, ret_n, err);
}

int store_sqlite__outbox_expire(struct store *store, wall_ms before, int limit, int *ret_n,
								struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store));

	return expire(store_sqlite__from(store), W_OUTBOX_EXPIRE, before, limit, ret_n, err);
}

/* Events. */

static int insert_event(struct store_sqlite *s, const struct event_row *row)
{
	sqlite3_stmt *stmt = s->stmts[W_EVENT_INSERT];

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->channel);
	store_sqlite__bind_text(stmt, 3, row->value);
	store_sqlite__bind_text(stmt, 4, row->id);
	sqlite3_bind_int64(stmt, 5, row->at);
	sqlite3_bind_int64(stmt, 6, row->expires_at);
	store_sqlite__bind_bytes(stmt, 7, row->event, row->event_len);
	return store_sqlite__run(stmt);
}

/* A subscription that an event matches, and the place from which to look on. */
struct match {
	char saga_id[SAGA_ID_SIZE];
	char *step;
	int item, place, slot;
};

struct matches {
	struct match list[MATCHES];
	int n;
};

static void matches_clear(struct matches *matches)
{
	for (int i = 0; i < matches->n; i++)
		free(matches->list[i].step);
	matches->n = 0;
}

static void matches_free(struct matches *matches)
{
	if (matches)
		matches_clear(matches);
	free(matches);
}
DEFINE_CLEANUP(struct matches *, matches_free)

/* The next subscriptions after the last one of those that were read before. */
static int read_matches(struct store_sqlite *s, const struct event_row *event,
						struct matches *matches)
{
	sqlite3_stmt *stmt = s->stmts[W_SUBSCRIBERS];
	struct match last = {.item = INT_MIN};
	int rc;

	if (matches->n > 0) {
		last = matches->list[matches->n - 1];
		matches->list[matches->n - 1].step = NULL;
	}
	matches_clear(matches);
	store_sqlite__bind_text(stmt, 1, event->ns);
	store_sqlite__bind_text(stmt, 2, event->channel);
	store_sqlite__bind_text(stmt, 3, event->value);
	store_sqlite__bind_text(stmt, 4, last.saga_id);
	store_sqlite__bind_text(stmt, 5, last.step ? last.step : "");
	sqlite3_bind_int(stmt, 6, last.item);
	sqlite3_bind_int(stmt, 7, last.place);
	sqlite3_bind_int(stmt, 8, MATCHES);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct match *match = &matches->list[matches->n++];

		STORE_SQLITE_COPY(stmt, 0, match->saga_id);
		match->step = xstrdup(store_sqlite__text(stmt, 1));
		match->item = sqlite3_column_int(stmt, 2);
		match->place = sqlite3_column_int(stmt, 3);
		match->slot = sqlite3_column_int(stmt, 4);
	}
	sqlite3_reset(stmt);
	free(last.step);
	return rc;
}

static int tell(struct store_sqlite *s, const struct event_row *event, const struct match *match,
				struct buf *message, bool *touched)
{
	struct inbox_row row = {.slot = match->slot, .ns = event->ns, .at = event->at};

	memcpy(row.saga_id, match->saga_id, sizeof(row.saga_id));
	store_event_inbox_id(match->saga_id, match->step, match->item, match->place, event->id, row.id);
	buf_clear(message);
	store_event_message(event, match->step, match->item, match->place, message);
	if (message->failed)
		return SQLITE_TOOBIG;
	row.message = buf_str(message);
	row.message_len = message->len;
	if (match->slot >= 0 && match->slot < s->slot_count)
		touched[match->slot] = true;
	return store_sqlite__insert_inbox(s, &row);
}

/* Puts one event into the inboxes of all that wait for it; *bytes counts those of a transaction. */
static int tell_all(struct store_sqlite *s, const struct event_row *event, size_t *bytes,
					bool *touched, struct err *err)
{
	CLEANUP(matches_free_p) struct matches *matches = xcalloc(1, sizeof(*matches));
	CLEANUP(buf_release) struct buf message;
	int rc, r;

	buf_init(&message, 0);
	do {
		rc = read_matches(s, event, matches);
		for (int i = 0; i < matches->n && rc == SQLITE_DONE; i++) {
			rc = tell(s, event, &matches->list[i], &message, touched);
			*bytes += message.len;
		}
		if (rc != SQLITE_DONE) {
			r = store_sqlite__error(s->db, rc, "cannot tell of an event", err);
			store_sqlite__rollback(s);
			return r;
		}
		if (*bytes > PART_MAX_BYTES) {
			*bytes = 0;
			r = store_sqlite__end(s, err);
			if (r == 0)
				r = store_sqlite__begin(s, err);
			if (r < 0)
				return r;
		}
	} while (matches->n == MATCHES);
	return 0;
}

int store_sqlite__events_put(struct store *store, const struct event_row *rows, size_t n,
							 bool *touched, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_events(rows, n, err), rc = SQLITE_DONE;
	size_t bytes = 0;

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = insert_event(s, &rows[i]);
	if (rc != SQLITE_DONE)
		return finish(s, rc, "cannot keep an event", err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = tell_all(s, &rows[i], &bytes, touched, err);
	return r < 0 ? r : store_sqlite__end(s, err);
}
