/*
 * What the writer writes. A batch is one transaction, and each item is judged before it leaves a
 * row: what can be refused (the key, the predecessor, the saga's row) is asked or inserted first,
 * so a refusal seldom has anything to undo and needs no savepoint.
 *
 * A statement that fails fails the batch, unless the fault lies in the item itself (a row too
 * large, a constraint): then the batch is rolled back, the item is marked, and the rest is written
 * again.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

int store_sqlite__run(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return rc;
}

/* All that follows returns SQLITE_DONE, with the verdict in the item, or SQLite's error. */

/* From a saga that was undone, or of which this is a new run. (Not for a saga that is there
 * already: the key would go with it.) */
static int key_take(struct store_sqlite *s, const struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_KEY_TAKE];

	store_sqlite__bind_text(stmt, 1, item->create->ns);
	store_sqlite__bind_text(stmt, 2, item->create->definition);
	store_sqlite__bind_text(stmt, 3, item->create->key);
	store_sqlite__bind_text(stmt, 4, item->saga_id);
	store_sqlite__bind_text(stmt, 5, item->fingerprint ? item->fingerprint : "");
	store_sqlite__bind_text(stmt, 6, item->copied.n ? item->copied.saga_id : "");
	sqlite3_bind_int(stmt, 7, item->reuse);
	return store_sqlite__run(stmt);
}

static int key_insert(struct store_sqlite *s, struct store_item *item)
{
	const struct saga_row *row = item->create;
	sqlite3_stmt *stmt = s->stmts[W_KEY_INSERT];
	int rc;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->definition);
	store_sqlite__bind_text(stmt, 3, row->key);
	store_sqlite__bind_text(stmt, 4, item->saga_id);
	store_sqlite__bind_text(stmt, 5, item->fingerprint ? item->fingerprint : "");
	rc = store_sqlite__run(stmt);
	if (rc != SQLITE_DONE || sqlite3_changes(s->db) > 0)
		return rc;
	if (item->reuse || item->copied.n) {
		rc = key_take(s, item);
		if (rc != SQLITE_DONE || sqlite3_changes(s->db) > 0)
			return rc;
	}
	stmt = s->stmts[W_KEY_FIND];
	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->definition);
	store_sqlite__bind_text(stmt, 3, row->key);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		item->verdict = STORE_DUPLICATE;
		STORE_SQLITE_COPY(stmt, 0, item->existing_id);
		STORE_SQLITE_COPY(stmt, 1, item->existing_fingerprint);
		rc = SQLITE_DONE;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CONSTRAINT; /* not the key but another rule refused the row */
	}
	sqlite3_reset(stmt);
	return rc;
}

static int key_delete(struct store_sqlite *s, const struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_KEY_DELETE];

	if (!item->create->key)
		return SQLITE_DONE;
	store_sqlite__bind_text(stmt, 1, item->create->ns);
	store_sqlite__bind_text(stmt, 2, item->create->definition);
	store_sqlite__bind_text(stmt, 3, item->create->key);
	store_sqlite__bind_text(stmt, 4, item->saga_id);
	return store_sqlite__run(stmt);
}

/* Why a saga concerns a person, and who has taken it: eight parameters. */
static void bind_marks(sqlite3_stmt *stmt, int i, const struct saga_row *row)
{
	store_sqlite__bind_text(stmt, i, row->attention.text);
	store_sqlite__bind_text(stmt, i + 1, row->attention.group);
	store_sqlite__bind_text(stmt, i + 2, row->attention.kind);
	store_sqlite__bind_text(stmt, i + 3, row->attention.step);
	store_sqlite__bind_text(stmt, i + 4, row->attention.side);
	store_sqlite__bind_text(stmt, i + 5, row->attention.code);
	store_sqlite__bind_time(stmt, i + 6, row->attention_at);
	store_sqlite__bind_text(stmt, i + 7, row->owner);
}

static int saga_insert(struct store_sqlite *s, struct store_item *item)
{
	const struct saga_row *row = item->create;
	sqlite3_stmt *stmt = s->stmts[W_SAGA_INSERT];
	int rc;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, item->saga_id);
	sqlite3_bind_int(stmt, 3, item->slot);
	store_sqlite__bind_text(stmt, 4, row->definition);
	sqlite3_bind_int64(stmt, 5, row->version);
	store_sqlite__bind_text(stmt, 6, saga_status_text(row->status));
	store_sqlite__bind_text(stmt, 7, row->key);
	sqlite3_bind_int64(stmt, 8, row->started_at);
	sqlite3_bind_int64(stmt, 9, row->updated_at);
	store_sqlite__bind_time(stmt, 10, row->ended_at);
	store_sqlite__bind_time(stmt, 11, row->due_at);
	bind_marks(stmt, 12, row);
	store_sqlite__bind_text(stmt, 20, row->parent_id[0] ? row->parent_id : NULL);
	sqlite3_bind_int64(stmt, 21, row->base_seq);
	rc = store_sqlite__run(stmt);
	if (rc == SQLITE_DONE && sqlite3_changes(s->db) == 0)
		item->verdict = STORE_CONFLICT;
	return rc;
}

/* Finds what the counters must know of the row as it is; a saga that is gone is a conflict. */
static int saga_before(struct store_sqlite *s, struct store_item *item,
					   struct store_sqlite_before *ret_before)
{
	sqlite3_stmt *stmt = s->stmts[W_SAGA_BEFORE];
	int rc, status;

	store_sqlite__bind_text(stmt, 1, item->update->ns);
	store_sqlite__bind_text(stmt, 2, item->saga_id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		status = saga_status_parse(store_sqlite__text(stmt, 2));
		rc = status >= 0 ? SQLITE_DONE : SQLITE_MISMATCH;
		*ret_before = (struct store_sqlite_before){
			.count = store_sqlite__tally_version(&s->tally, item->update->ns,
												 store_sqlite__text(stmt, 0),
												 sqlite3_column_int64(stmt, 1)),
			.status = (enum saga_status)status,
			.marked = sqlite3_column_int(stmt, 3) != 0,
		};
		STORE_SQLITE_COPY(stmt, 4, ret_before->group);
	} else if (rc == SQLITE_DONE) {
		item->verdict = STORE_CONFLICT;
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Most updates leave the marks of a saga alone, and the indexes on them. */
static int saga_update(struct store_sqlite *s, const struct store_item *item,
					   const struct store_sqlite_before *before)
{
	const struct saga_row *row = item->update;
	bool marked = before->marked || row->attention.text || row->owner;
	sqlite3_stmt *stmt = s->stmts[marked ? W_SAGA_UPDATE_MARKED : W_SAGA_UPDATE];

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, item->saga_id);
	store_sqlite__bind_text(stmt, 3, saga_status_text(row->status));
	sqlite3_bind_int64(stmt, 4, row->updated_at);
	store_sqlite__bind_time(stmt, 5, row->ended_at);
	store_sqlite__bind_time(stmt, 6, row->ended_at ? 0 : row->due_at);
	if (marked)
		bind_marks(stmt, 7, row);
	return store_sqlite__run(stmt);
}

/* Few updates change where a saga's fold begins, or its version. */
static int saga_rebase(struct store_sqlite *s, const struct store_item *item)
{
	const struct saga_row *row = item->update;
	sqlite3_stmt *stmt = s->stmts[W_SAGA_REBASE];

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, item->saga_id);
	sqlite3_bind_int64(stmt, 3, row->version);
	sqlite3_bind_int64(stmt, 4, row->base_seq);
	return store_sqlite__run(stmt);
}

static int history_insert(struct store_sqlite *s, struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[item->create ? W_HISTORY_FIRST : W_HISTORY_NEXT];
	int rc;

	store_sqlite__bind_text(stmt, 1, item->saga_id);
	sqlite3_bind_int64(stmt, 2, item->seq);
	sqlite3_bind_int64(stmt, 3, item->at);
	store_sqlite__bind_bytes(stmt, 4, item->events, item->events_len);
	rc = store_sqlite__run(stmt);
	if (rc == SQLITE_DONE && sqlite3_changes(s->db) == 0)
		item->verdict = STORE_CONFLICT;
	return rc;
}

/* Whether all of what its history is to begin with is there. */
static int history_find(struct store_sqlite *s, struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_HISTORY_COUNT];
	int rc;

	if (item->copied.n == 0)
		return SQLITE_DONE;
	store_sqlite__bind_text(stmt, 1, item->copied.saga_id);
	sqlite3_bind_int64(stmt, 2, item->copied.first);
	sqlite3_bind_int64(stmt, 3, item->copied.n);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		if (sqlite3_column_int64(stmt, 0) != item->copied.n)
			item->verdict = STORE_CONFLICT;
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc;
}

static int history_copy(struct store_sqlite *s, const struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_HISTORY_COPY];

	if (item->copied.n == 0)
		return SQLITE_DONE;
	store_sqlite__bind_text(stmt, 1, item->saga_id);
	store_sqlite__bind_text(stmt, 2, item->copied.saga_id);
	sqlite3_bind_int64(stmt, 3, item->copied.first);
	sqlite3_bind_int64(stmt, 4, item->copied.n);
	return store_sqlite__run(stmt);
}

static int compensations_put(struct store_sqlite *s, const struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_COMP_PUT];

	for (size_t i = 0; i < item->n_compensations; i++) {
		const struct compensation_row *comp = &item->compensations[i];
		int rc;

		store_sqlite__bind_text(stmt, 1, item->saga_id);
		store_sqlite__bind_text(stmt, 2, comp->step);
		sqlite3_bind_int(stmt, 3, comp->item);
		store_sqlite__bind_text(stmt, 4, comp->action);
		store_sqlite__bind_text(stmt, 5, comp_status_text(comp->status));
		sqlite3_bind_int64(stmt, 6, comp->attempts);
		sqlite3_bind_int64(stmt, 7, comp->updated_at);
		store_sqlite__bind_text(stmt, 8, comp->last_error);
		store_sqlite__bind_bytes(stmt, 9, comp->request, comp->request_len);
		rc = store_sqlite__run(stmt);
		if (rc != SQLITE_DONE)
			return rc;
	}
	return SQLITE_DONE;
}

static int write_create(struct store_sqlite *s, struct store_item *item)
{
	sqlite3_stmt *stmt = s->stmts[W_SAGA_DELETE];
	int rc = history_find(s, item);

	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED && item->create->key)
		rc = key_insert(s, item);
	if (rc != SQLITE_DONE || item->verdict != STORE_ACCEPTED)
		return rc;
	rc = saga_insert(s, item);
	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED) {
		rc = history_copy(s, item);
		if (rc == SQLITE_DONE)
			rc = history_insert(s, item);
		if (rc != SQLITE_DONE || item->verdict == STORE_ACCEPTED)
			return rc;
		store_sqlite__bind_text(stmt, 1, item->create->ns);
		store_sqlite__bind_text(stmt, 2, item->saga_id);
		rc = store_sqlite__run(stmt);
	}
	return rc == SQLITE_DONE ? key_delete(s, item) : rc; /* a conflict leaves nothing behind */
}

static int write_item(struct store_sqlite *s, struct store_item *item)
{
	struct store_sqlite_before before;
	int rc;

	CHECK(item->create ? item->seq == item->copied.n + 1 : item->seq > 1);
	CHECK(!(item->create && item->update));
	if (item->create) {
		rc = write_create(s, item);
	} else {
		rc = item->update ? saga_before(s, item, &before) : SQLITE_DONE;
		if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED)
			rc = history_insert(s, item);
		if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED && item->update)
			rc = saga_update(s, item, &before);
		if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED && item->update && item->rebase)
			rc = saga_rebase(s, item);
	}
	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED)
		rc = compensations_put(s, item);
	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED)
		rc = store_sqlite__write_messages(s, item);
	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED)
		rc = store_sqlite__write_long(s, item);
	if (rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED && (item->create || item->update))
		store_sqlite__tally_item(&s->tally, item, item->create ? NULL : &before);
	return rc;
}

/* Whether the item, and not the store, is why a statement failed. */
static bool is_items_fault(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return true;
	default:
		return false;
	}
}

/* What is known before: most of what is too large never costs the others a second try. */
static bool fits(const struct store_sqlite *s, const struct store_item *item)
{
	const size_t max = STORE_SQLITE_MAX_ROW - 4096;

	if (item->events_len > max)
		return false;
	for (size_t i = 0; i < item->n_compensations; i++)
		if (item->compensations[i].request_len > max)
			return false;
	return store_long_fits(item, s->slot_count) &&
		   store_messages_fit(item->subscriptions, item->n_subscriptions, item->outbox,
							  item->n_outbox);
}

/* Writes what is not refused yet. 0, an error, or 1: an item was marked, and all was undone. */
static int try_batch(struct store_sqlite *s, struct store_item *items, size_t n, struct err *err)
{
	int r = store_sqlite__begin(s, err), rc;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (items[i].verdict == STORE_UNSTORABLE)
			continue;
		items[i].verdict = STORE_ACCEPTED;
		rc = write_item(s, &items[i]);
		if (rc == SQLITE_DONE)
			continue;
		if (is_items_fault(rc)) {
			items[i].verdict = STORE_UNSTORABLE;
			r = 1;
		} else {
			r = store_sqlite__error(s->db, rc, "cannot write a saga", err);
		}
		store_sqlite__rollback(s);
		return r;
	}
	rc = store_sqlite__tally_write(&s->tally, s->stmts);
	if (rc != SQLITE_DONE) {
		r = store_sqlite__error(s->db, rc, "cannot write the counts", err);
		store_sqlite__rollback(s);
		return r;
	}
	return store_sqlite__end(s, err);
}

int store_sqlite__commit(struct store *store, struct store_item *items, size_t n, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r;

	for (size_t i = 0; i < n; i++) {
		items[i].verdict = fits(s, &items[i]) ? STORE_ACCEPTED : STORE_UNSTORABLE;
		items[i].existing_id[0] = '\0';
		items[i].existing_fingerprint[0] = '\0';
	}
	do
		r = try_batch(s, items, n, err);
	while (r == 1); /* each turn refuses one item more, so it ends */
	if (r < 0)
		return r;
	atomic_fetch_add_explicit(&s->n_commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->n_items, (int64_t)n, memory_order_relaxed);
	return 0;
}
