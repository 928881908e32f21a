/*
 * Batches: one act on many sagas. The row of a batch says how far it is and counts its items; both
 * change in one transaction, which is refused when somebody else has written the row since.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

/* Batches leave whole; one call of retain removes about so many items, and the rest later. */
enum { EXPIRE_ITEMS = 20000, MAX_LIST = 1000 };

static int read_batch(sqlite3_stmt *stmt, struct batch_row *ret_row, struct err *err)
{
	const char *text = store_sqlite__text(stmt, 6);
	int status = text ? batch_status_parse(text) : -1;

	*ret_row = (struct batch_row){
		.ns = store_sqlite__text(stmt, 0),
		.act = store_sqlite__text(stmt, 2),
		.query = store_sqlite__text(stmt, 3),
		.by = store_sqlite__text(stmt, 4),
		.rate = sqlite3_column_double(stmt, 5),
		.created_at = sqlite3_column_int64(stmt, 7),
		.updated_at = sqlite3_column_int64(stmt, 8),
		.ended_at = sqlite3_column_int64(stmt, 9),
		.cursor = store_sqlite__text(stmt, 10),
		.runner = store_sqlite__text(stmt, 11),
		.runner_seen_at = sqlite3_column_int64(stmt, 12),
		.revision = sqlite3_column_int64(stmt, 13),
		.n = {[BATCH_ITEM_PENDING] = sqlite3_column_int64(stmt, 14),
			  [BATCH_ITEM_DONE] = sqlite3_column_int64(stmt, 15),
			  [BATCH_ITEM_REFUSED] = sqlite3_column_int64(stmt, 16),
			  [BATCH_ITEM_FAILED] = sqlite3_column_int64(stmt, 17)},
	};
	STORE_SQLITE_COPY(stmt, 1, ret_row->id);
	if (status < 0)
		return err_set(err, ERR_INTERNAL, "batch %s has the unknown status %s in the store",
					   ret_row->id, text ? text : "NULL");
	ret_row->status = (enum batch_status)status;
	return 0;
}

static bool same_batch(const struct batch_row *a, const struct batch_row *b)
{
	return store_sqlite__same_text(a->act, b->act) && store_sqlite__same_text(a->query, b->query) &&
		   store_sqlite__same_text(a->by, b->by) && !(a->rate < b->rate || a->rate > b->rate) &&
		   a->status == b->status && a->created_at == b->created_at &&
		   a->updated_at == b->updated_at && a->ended_at == b->ended_at &&
		   store_sqlite__same_text(a->cursor, b->cursor) &&
		   store_sqlite__same_text(a->runner, b->runner) && a->runner_seen_at == b->runner_seen_at;
}

struct stored {
	int64_t revision; /* 0: there is no row */
	bool same;        /* it says what the caller's says */
	int64_t n[BATCH_ITEM_STATUS_COUNT];
};

static int find_batch(struct store_sqlite *s, const struct batch_row *row, struct stored *stored,
					  struct err *err)
{
	sqlite3_stmt *stmt = s->stmts[W_BATCH_FIND];
	struct batch_row found;
	int rc, r = 0;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		r = read_batch(stmt, &found, err);
		if (r == 0) {
			stored->revision = found.revision;
			stored->same = same_batch(&found, row);
			memcpy(stored->n, found.n, sizeof(stored->n));
		}
	} else if (rc != SQLITE_DONE) {
		r = store_sqlite__error(s->db, rc, "cannot read a batch", err);
	}
	sqlite3_reset(stmt);
	return r;
}

static int put_item(struct store_sqlite *s, const struct batch_row *row,
					const struct batch_item_row *item, int64_t n[BATCH_ITEM_STATUS_COUNT])
{
	sqlite3_stmt *stmt = s->stmts[W_BATCH_ITEM_FIND];
	int rc, was = -1;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->id);
	store_sqlite__bind_text(stmt, 3, item->saga_id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		was = batch_item_status_parse(store_sqlite__text(stmt, 0));
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	if (rc != SQLITE_DONE)
		return rc;
	stmt = s->stmts[W_BATCH_ITEM_PUT];
	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->id);
	store_sqlite__bind_text(stmt, 3, item->saga_id);
	store_sqlite__bind_text(stmt, 4, batch_item_status_text(item->status));
	store_sqlite__bind_text(stmt, 5, item->effect);
	store_sqlite__bind_text(stmt, 6, item->error);
	sqlite3_bind_int64(stmt, 7, item->seq);
	sqlite3_bind_int64(stmt, 8, item->updated_at);
	if (was >= 0)
		n[was]--;
	n[item->status]++;
	return store_sqlite__run(stmt);
}

static int put_row(struct store_sqlite *s, const struct batch_row *row,
				   const int64_t n[BATCH_ITEM_STATUS_COUNT])
{
	sqlite3_stmt *stmt = s->stmts[W_BATCH_PUT];

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->id);
	store_sqlite__bind_text(stmt, 3, row->act);
	store_sqlite__bind_text(stmt, 4, row->query);
	store_sqlite__bind_text(stmt, 5, row->by);
	sqlite3_bind_double(stmt, 6, row->rate);
	store_sqlite__bind_text(stmt, 7, batch_status_text(row->status));
	sqlite3_bind_int64(stmt, 8, row->created_at);
	sqlite3_bind_int64(stmt, 9, row->updated_at);
	store_sqlite__bind_time(stmt, 10, row->ended_at);
	store_sqlite__bind_text(stmt, 11, row->cursor);
	store_sqlite__bind_text(stmt, 12, row->runner);
	store_sqlite__bind_time(stmt, 13, row->runner_seen_at);
	sqlite3_bind_int64(stmt, 14, row->revision + 1);
	sqlite3_bind_int64(stmt, 15, n[BATCH_ITEM_PENDING]);
	sqlite3_bind_int64(stmt, 16, n[BATCH_ITEM_DONE]);
	sqlite3_bind_int64(stmt, 17, n[BATCH_ITEM_REFUSED]);
	sqlite3_bind_int64(stmt, 18, n[BATCH_ITEM_FAILED]);
	return store_sqlite__run(stmt);
}

static int put_in_transaction(struct store_sqlite *s, const struct batch_row *row,
							  const struct batch_item_row *items, size_t n, struct stored *stored,
							  struct err *err)
{
	int r = find_batch(s, row, stored, err), rc = SQLITE_DONE;

	if (r < 0)
		return r;
	if (stored->same && stored->revision == row->revision + 1)
		return 0; /* this call's own, of which nobody knew whether it took effect */
	if (stored->revision != row->revision)
		return err_set(err, ERR_CONFLICT, "batch %s was changed by somebody else just now",
					   row->id);
	for (size_t i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = put_item(s, row, &items[i], stored->n);
	if (rc == SQLITE_DONE)
		rc = put_row(s, row, stored->n);
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(s->db, rc, "cannot write a batch", err);
}

int store_sqlite__batch_put(struct store *store, struct batch_row *row,
							const struct batch_item_row *items, size_t n, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	struct stored stored = {0};
	int r;

	if (n > BATCH_PUT_MAX)
		return err_set(err, ERR_LIMIT, "at most %d items of a batch are written at once",
					   BATCH_PUT_MAX);
	r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	r = put_in_transaction(s, row, items, n, &stored, err);
	if (r < 0) {
		store_sqlite__rollback(s);
		return r;
	}
	r = store_sqlite__end(s, err);
	if (r < 0)
		return r;
	row->revision++;
	memcpy(row->n, stored.n, sizeof(row->n));
	return 0;
}

int store_sqlite__batch_get(struct store_reader *store_reader, const char *ns, const char *id,
							struct batch_row *ret_row, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct batch_row batch;
	int r = store_sqlite__get(reader, R_BATCH, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "there is no batch %s in namespace %s", id, ns);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	r = read_batch(stmt, &batch, err);
	if (r == 0)
		batch_row_copy(&batch, ret_row);
	return r;
}

/* ns NULL: of all, with a statement that asks for no namespace. */
static int each_batch(struct store_sqlite_reader *reader, enum store_sqlite_read which,
					  const char *ns, const char *after_id, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct batch_row batch;
	int r, rc;

	if (limit < 1 || limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d batches", MAX_LIST);
	r = store_sqlite__get(reader, which, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, after_id);
	sqlite3_bind_int(stmt, 3, limit);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = read_batch(stmt, &batch, err);
		if (r == 0)
			r = row(ctx, &batch);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__batch_list(struct store_reader *store_reader, const char *ns,
							 const char *after_id, int limit,
							 int (*row)(void *ctx, const struct batch_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));

	return each_batch(store_sqlite__reader(store_reader), *after_id ? R_BATCHES_AFTER : R_BATCHES,
					  ns, after_id, limit, row, ctx, err);
}

int store_sqlite__batch_open(struct store_reader *store_reader, int limit,
							 int (*row)(void *ctx, const struct batch_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));

	return each_batch(store_sqlite__reader(store_reader), R_BATCHES_OPEN, NULL, NULL, limit, row,
					  ctx, err);
}

int store_sqlite__batch_items(struct store_reader *store_reader,
							  const struct batch_item_filter *filter,
							  int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
							  struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r, rc;

	if (filter->limit < 1 || filter->limit > BATCH_PUT_MAX)
		return err_set(err, ERR_INVALID, "a page has 1 to %d items", BATCH_PUT_MAX);
	r = store_sqlite__get(reader, filter->status < 0 ? R_BATCH_ITEMS : R_BATCH_ITEMS_WITH, &stmt,
						  err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, filter->ns);
	store_sqlite__bind_text(stmt, 2, filter->batch_id);
	store_sqlite__bind_text(stmt, 3, filter->after_saga_id);
	if (filter->status >= 0)
		store_sqlite__bind_text(stmt, 4,
								batch_item_status_text((enum batch_item_status)filter->status));
	sqlite3_bind_int(stmt, 5, filter->limit);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int status = batch_item_status_parse(store_sqlite__text(stmt, 1));
		struct batch_item_row item = {
			.status = (enum batch_item_status)status,
			.effect = store_sqlite__text(stmt, 2),
			.error = store_sqlite__text(stmt, 3),
			.seq = sqlite3_column_int64(stmt, 4),
			.updated_at = sqlite3_column_int64(stmt, 5),
		};

		STORE_SQLITE_COPY(stmt, 0, item.saga_id);
		if (status < 0)
			return err_set(err, ERR_INTERNAL, "an item of batch %s has an unknown status",
						   filter->batch_id);
		r = row(ctx, &item);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

/* Removes the batch that ended first, if it did before that time. *ret_items: -1 when none did. */
static int expire_batch(sqlite3_stmt *const *stmts, wall_ms before, int64_t *ret_items)
{
	static const enum store_sqlite_write deletes[] = {W_BATCH_ITEMS_DELETE, W_BATCH_DELETE};
	sqlite3_stmt *stmt = stmts[W_BATCH_EXPIRED];
	char ns[NAMESPACE_MAX_BYTES + 1], id[UUID_SIZE];
	int rc;

	sqlite3_bind_int64(stmt, 1, before);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		STORE_SQLITE_COPY(stmt, 0, ns);
		STORE_SQLITE_COPY(stmt, 1, id);
		*ret_items = sqlite3_column_int64(stmt, 2);
	}
	sqlite3_reset(stmt);
	if (rc != SQLITE_ROW) {
		*ret_items = -1;
		return rc;
	}
	rc = SQLITE_DONE;
	for (size_t i = 0; i < ARRAY_SIZE(deletes) && rc == SQLITE_DONE; i++) {
		stmt = stmts[deletes[i]];
		store_sqlite__bind_text(stmt, 1, ns);
		store_sqlite__bind_text(stmt, 2, id);
		rc = store_sqlite__run(stmt);
	}
	return rc;
}

int store_sqlite__retain_operators(sqlite3_stmt *const *stmts, wall_ms before, int limit)
{
	static const int64_t keep_ms = (int64_t)RATE_KEEP_DAYS * 24 * 3600 * 1000;
	int64_t items = 0, some = 0;
	int rc;

	sqlite3_bind_int64(stmts[W_RATES_EXPIRE], 1, keep_ms);
	rc = store_sqlite__run(stmts[W_RATES_EXPIRE]);
	if (rc == SQLITE_DONE) {
		sqlite3_bind_int64(stmts[W_GROUPS_EXPIRE], 1, before);
		sqlite3_bind_int(stmts[W_GROUPS_EXPIRE], 2, limit);
		rc = store_sqlite__run(stmts[W_GROUPS_EXPIRE]);
	}
	while (rc == SQLITE_DONE && some >= 0 && items < EXPIRE_ITEMS) {
		rc = expire_batch(stmts, before, &some);
		items += some + 1; /* and the row */
	}
	return rc;
}
