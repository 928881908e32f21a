/*
 * Dead letters, and what was said about triggers: few rows, written one at a time.
 *
 * A list of dead letters is one statement made of its filter, as a list of sagas is; the filter
 * says which index gives its order.
 */
#include <limits.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

/* Runs one statement as a transaction. *ret_n: the rows it changed. */
static int write_one(struct store_sqlite *s, sqlite3_stmt *stmt, int *ret_n, const char *what,
					 struct err *err)
{
	int r = store_sqlite__begin(s, err), rc;

	if (r < 0)
		return r;
	rc = store_sqlite__run(stmt);
	*ret_n = sqlite3_changes(s->db);
	if (rc == SQLITE_DONE)
		return store_sqlite__end(s, err);
	r = store_sqlite__error(s->db, rc, what, err);
	store_sqlite__rollback(s);
	return r;
}

/* NULL is NULL; what is empty is empty. */
static void bind_blob(sqlite3_stmt *stmt, int i, const void *bytes, size_t len)
{
	if (bytes)
		sqlite3_bind_blob64(stmt, i, len ? bytes : "", len, SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, i);
}

int store_sqlite__dead_letter_put(struct store *store, const struct dead_letter_row *row,
								  struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	sqlite3_stmt *stmt = s->stmts[W_LETTER_INSERT];
	int r = store_check_dead_letter(row, err), n;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, row->id);
	store_sqlite__bind_text(stmt, 2, row->ns);
	store_sqlite__bind_text(stmt, 3, row->trigger);
	store_sqlite__bind_text(stmt, 4, row->cluster);
	store_sqlite__bind_text(stmt, 5, row->topic);
	sqlite3_bind_int(stmt, 6, row->partition);
	sqlite3_bind_int64(stmt, 7, row->offset);
	sqlite3_bind_int64(stmt, 8, row->at);
	sqlite3_bind_int64(stmt, 9, row->failed_at);
	bind_blob(stmt, 10, row->key, row->key_len);
	bind_blob(stmt, 11, row->value, row->value_len);
	store_sqlite__bind_text(stmt, 12, row->headers);
	store_sqlite__bind_text(stmt, 13, row->reason);
	store_sqlite__bind_text(stmt, 14, row->message);
	sqlite3_bind_int64(stmt, 15, row->attempts);
	store_sqlite__bind_text(stmt, 16, dead_letter_status_text(row->status));
	store_sqlite__bind_text(stmt, 17, row->saga_id);
	sqlite3_bind_int64(stmt, 18, row->updated_at);
	return write_one(s, stmt, &n, "cannot keep a dead letter", err);
}

static int no_such_letter(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no dead letter %s", id);
}

int store_sqlite__dead_letter_update(struct store *store, const char *ns, const char *id,
									 enum dead_letter_status status, const char *saga_id,
									 wall_ms at, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	sqlite3_stmt *stmt = s->stmts[W_LETTER_UPDATE];
	int r, n = 0;

	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, id);
	store_sqlite__bind_text(stmt, 3, dead_letter_status_text(status));
	store_sqlite__bind_text(stmt, 4, saga_id);
	sqlite3_bind_int64(stmt, 5, at);
	r = write_one(s, stmt, &n, "cannot write a dead letter", err);
	return r == 0 && n == 0 ? no_such_letter(id, err) : r;
}

static int read_letter(sqlite3_stmt *stmt, struct dead_letter_row *ret_row, struct err *err)
{
	const char *text = store_sqlite__text(stmt, 15);
	int status = text ? dead_letter_status_parse(text) : -1;

	*ret_row = (struct dead_letter_row){
		.ns = store_sqlite__text(stmt, 1),
		.trigger = store_sqlite__text(stmt, 2),
		.cluster = store_sqlite__text(stmt, 3),
		.topic = store_sqlite__text(stmt, 4),
		.partition = sqlite3_column_int(stmt, 5),
		.offset = sqlite3_column_int64(stmt, 6),
		.at = sqlite3_column_int64(stmt, 7),
		.failed_at = sqlite3_column_int64(stmt, 8),
		.headers = store_sqlite__text(stmt, 11),
		.reason = store_sqlite__text(stmt, 12),
		.message = store_sqlite__text(stmt, 13),
		.attempts = sqlite3_column_int64(stmt, 14),
		.saga_id = store_sqlite__text(stmt, 16),
		.updated_at = sqlite3_column_int64(stmt, 17),
	};
	STORE_SQLITE_COPY(stmt, 0, ret_row->id);
	if (status < 0)
		return err_set(err, ERR_INTERNAL, "dead letter %s has the unknown status %s in the store",
					   ret_row->id, text ? text : "NULL");
	ret_row->status = (enum dead_letter_status)status;
	return 0;
}

/* A blob of no bytes is read as NULL, which here is another thing. */
static const void *read_blob(sqlite3_stmt *stmt, int col, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(stmt, col);

	*ret_len = (size_t)sqlite3_column_bytes(stmt, col);
	return bytes || sqlite3_column_type(stmt, col) == SQLITE_NULL ? bytes : "";
}

int store_sqlite__dead_letter_get(struct store_reader *store_reader, const char *ns, const char *id,
								  struct dead_letter_row *ret_row, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct dead_letter_row row;
	int r = store_sqlite__get(reader, R_LETTER_GET, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return no_such_letter(id, err);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	r = read_letter(stmt, &row, err);
	row.key = read_blob(stmt, 9, &row.key_len);
	row.value = read_blob(stmt, 10, &row.value_len);
	if (r == 0)
		dead_letter_row_copy(&row, ret_row);
	return r;
}

/* Names the index, because SQLite cannot know how few rows wait, nor how many a trigger has. */
static const char *choose_index(const struct dead_letter_filter *filter)
{
	if (filter->trigger && filter->status >= 0)
		return " INDEXED BY dead_letters_trigger";
	if (filter->status >= 0)
		return " INDEXED BY dead_letters_status";
	return filter->trigger ? " INDEXED BY dead_letters_of" : " INDEXED BY dead_letters_list";
}

static void build(const struct dead_letter_filter *filter, struct buf *sql)
{
	if (filter->without_record)
		buf_add_lit(sql, "SELECT id, namespace, trigger_name, cluster, topic, partition_no,"
						 " record_offset, at, failed_at, length(record_key), length(record_value),"
						 " NULL, reason, message, attempts, status, saga_id, updated_at");
	else
		buf_add_lit(sql, "SELECT " STORE_SQLITE_LETTER_COLUMNS);
	buf_add_lit(sql, " FROM dead_letters");
	buf_add_str(sql, choose_index(filter));
	buf_add_lit(sql, " WHERE namespace = ?1");
	if (filter->trigger)
		buf_add_lit(sql, " AND trigger_name = ?2");
	if (filter->status >= 0)
		buf_add_lit(sql, " AND status = ?3");
	if (filter->reason)
		buf_add_lit(sql, " AND reason = ?4");
	if (filter->after_id[0])
		buf_add_lit(sql, " AND (failed_at, id) < (?5, ?6)");
	buf_add_lit(sql, " ORDER BY failed_at DESC, id DESC LIMIT ?7");
}

/* A progress handler: stops the statement when the int that ctx points to comes to 0. */
static int spend_budget(void *ctx)
{
	int *units = ctx;

	return --*units <= 0;
}

static void finalize_p(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int each_letter(sqlite3 *db, sqlite3_stmt *stmt, bool without_record,
					   int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
					   struct err *err)
{
	struct dead_letter_row letter;
	int rc, r;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = read_letter(stmt, &letter, err);
		if (without_record) {
			letter.key_len = (size_t)sqlite3_column_int64(stmt, 9);
			letter.value_len = (size_t)sqlite3_column_int64(stmt, 10);
		} else {
			letter.key = read_blob(stmt, 9, &letter.key_len);
			letter.value = read_blob(stmt, 10, &letter.value_len);
		}
		if (r == 0)
			r = row(ctx, &letter);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(db, rc, "cannot read the store", err);
}

int store_sqlite__dead_letter_list(struct store_reader *store_reader,
								   const struct dead_letter_filter *filter,
								   int (*row)(void *ctx, const struct dead_letter_row *row),
								   void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	sqlite3 *db = store_sqlite__reader(store_reader)->db;
	CLEANUP(finalize_p) sqlite3_stmt *stmt = NULL;
	CLEANUP(buf_release) struct buf sql;
	int units = STORE_SQLITE_BUDGET_UNITS, r = store_check_limit(filter->limit, err);

	buf_init(&sql, 0);
	if (r < 0)
		return r;
	build(filter, &sql);
	r = store_sqlite__prepare(db, buf_str(&sql), &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, filter->ns);
	store_sqlite__bind_text(stmt, 2, filter->trigger);
	if (filter->status >= 0)
		store_sqlite__bind_text(stmt, 3,
								dead_letter_status_text((enum dead_letter_status)filter->status));
	store_sqlite__bind_text(stmt, 4, filter->reason);
	sqlite3_bind_int64(stmt, 5, filter->after_failed_at);
	store_sqlite__bind_text(stmt, 6, filter->after_id);
	sqlite3_bind_int(stmt, 7, filter->limit);
	sqlite3_progress_handler(db, STORE_SQLITE_BUDGET_UNIT, spend_budget, &units);
	r = each_letter(db, stmt, filter->without_record, row, ctx, err);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	if (r < 0 && units <= 0)
		return err_set(err, ERR_LIMIT,
					   "the list had to look at too many dead letters; narrow it by trigger or "
					   "status");
	return r;
}

/* Triggers. */

static void bind_trigger(sqlite3_stmt *stmt, const void *from)
{
	const struct trigger_row *row = from;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	sqlite3_bind_int(stmt, 3, row->paused);
	store_sqlite__bind_text(stmt, 4, row->reason);
	store_sqlite__bind_text(stmt, 5, row->seeks);
	store_sqlite__bind_text(stmt, 6, row->by);
	sqlite3_bind_int64(stmt, 7, row->updated_at);
	sqlite3_bind_int64(stmt, 8, row->revision + 1);
}

int store_sqlite__trigger_put(struct store *store, struct trigger_row *row, struct err *err)
{
	static const struct store_sqlite_revised table = {W_TRIGGER_FIND, W_TRIGGER_PUT, bind_trigger,
													  "trigger"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_trigger(row, err);

	return r == 0 ? store_sqlite__put_revised(s, &table, row, row->name, &row->revision, err) : r;
}

struct trigger_call {
	int (*row)(void *ctx, const struct trigger_row *row);
	void *ctx;
};

static int give_trigger(sqlite3_stmt *stmt, void *to)
{
	const struct trigger_call *call = to;
	const struct trigger_row trigger = {
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.paused = sqlite3_column_int(stmt, 2) != 0,
		.reason = store_sqlite__text(stmt, 3),
		.seeks = store_sqlite__text(stmt, 4),
		.by = store_sqlite__text(stmt, 5),
		.updated_at = sqlite3_column_int64(stmt, 6),
		.revision = sqlite3_column_int64(stmt, 7),
	};

	return call->row(call->ctx, &trigger);
}

int store_sqlite__trigger_list(struct store_reader *reader, const char *ns,
							   int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
							   struct err *err)
{
	struct trigger_call call = {row, ctx};

	return store_sqlite__list_revised(reader, R_TRIGGERS, ns, NULL, give_trigger, &call, err);
}
