/*
 * The readers. Each has a read-only connection of its own, and each call is one statement, so it
 * sees one committed state. Statements are prepared when they are first needed, and kept.
 *
 * A store in memory cannot be opened twice: its readers share the writer's connection, one call at
 * a time.
 */
#include <limits.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

static const char *const statement_texts[] = {
#define X(name, sql) sql,
	STORE_SQLITE_READS(X)
#undef X
};

int store_sqlite__reader_open(struct store *store, struct store_reader **ret_reader,
							  struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	struct store_sqlite_reader *reader = xcalloc(1, sizeof(*reader));
	int r = 0;

	reader->reader.store = store;
	if (s->memory)
		reader->db = s->db;
	else
		r = store_sqlite__connect(s, SQLITE_OPEN_READONLY, &reader->db, err);
	if (r < 0) {
		free(reader);
		return r;
	}
	*ret_reader = &reader->reader;
	return 0;
}

void store_sqlite__reader_close(struct store_reader *store_reader)
{
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	struct store_sqlite *s;

	if (!reader)
		return;
	s = store_sqlite__from(reader->reader.store);
	for (int i = 0; i < R_STATEMENT_COUNT; i++)
		sqlite3_finalize(reader->stmts[i]);
	if (!s->memory)
		CHECK(sqlite3_close(reader->db) == SQLITE_OK);
	free(reader);
}

int store_sqlite__get(struct store_sqlite_reader *reader, enum store_sqlite_read which,
					  sqlite3_stmt **ret_stmt, struct err *err)
{
	sqlite3_stmt **stmt = &reader->stmts[which];
	int r;

	if (!*stmt) {
		r = store_sqlite__prepare(reader->db, statement_texts[which], stmt, err);
		if (r < 0)
			return r;
	}
	CHECK(!sqlite3_stmt_busy(*stmt));
	*ret_stmt = *stmt;
	return 0;
}

int store_sqlite__read_error(struct store_sqlite_reader *reader, int rc, struct err *err)
{
	return store_sqlite__error(reader->db, rc, "cannot read the store", err);
}

int store_sqlite__read_saga(sqlite3_stmt *stmt, struct saga_row *ret_row, struct err *err)
{
	const char *status = store_sqlite__text(stmt, 5);
	int status_number = status ? saga_status_parse(status) : -1;

	*ret_row = (struct saga_row){
		.slot = sqlite3_column_int(stmt, 0),
		.ns = store_sqlite__text(stmt, 2),
		.definition = store_sqlite__text(stmt, 3),
		.version = sqlite3_column_int64(stmt, 4),
		.key = store_sqlite__text(stmt, 6),
		.started_at = sqlite3_column_int64(stmt, 7),
		.updated_at = sqlite3_column_int64(stmt, 8),
		.ended_at = sqlite3_column_int64(stmt, 9),
		.due_at = sqlite3_column_int64(stmt, 10),
		.attention = {.text = store_sqlite__text(stmt, 11),
					  .group = store_sqlite__text(stmt, 12),
					  .kind = store_sqlite__text(stmt, 13),
					  .step = store_sqlite__text(stmt, 14),
					  .side = store_sqlite__text(stmt, 15),
					  .code = store_sqlite__text(stmt, 16)},
		.attention_at = sqlite3_column_int64(stmt, 17),
		.owner = store_sqlite__text(stmt, 18),
		.base_seq = sqlite3_column_int64(stmt, 20),
	};
	STORE_SQLITE_COPY(stmt, 1, ret_row->id);
	STORE_SQLITE_COPY(stmt, 19, ret_row->parent_id);
	if (status_number < 0)
		return err_set(err, ERR_INTERNAL, "saga %s has the unknown status %s in the store",
					   ret_row->id, status ? status : "NULL");
	ret_row->status = (enum saga_status)status_number;
	return 0;
}

/* Steps to the end; 0, an error, or what the callback returned. *n: rows, may be NULL. */
int store_sqlite__each_saga(sqlite3 *db, sqlite3_stmt *stmt,
							int (*row)(void *ctx, const struct saga_row *row), void *ctx, int *n,
							struct err *err)
{
	struct saga_row saga;
	int rc, r;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = store_sqlite__read_saga(stmt, &saga, err);
		if (r == 0)
			r = row(ctx, &saga);
		if (r != 0)
			return r;
		if (n)
			++*n;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(db, rc, "cannot read the store", err);
}

int store_sqlite__saga_get(struct store_reader *store_reader, const char *ns, const char *id,
						   struct saga_row *ret_row, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct saga_row row;
	int rc, r;

	r = store_sqlite__get(reader, R_SAGA_GET, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "there is no saga %s in namespace %s", id, ns);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	r = store_sqlite__read_saga(stmt, &row, err);
	if (r == 0)
		saga_row_copy(&row, ret_row);
	return r;
}

int store_sqlite__history(struct store_reader *store_reader, const char *id, int64_t after_seq,
						  int limit, int (*row)(void *ctx, const struct history_row *row),
						  void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct history_row history;
	int rc, r;

	r = store_sqlite__get(reader, R_HISTORY, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, after_seq);
	sqlite3_bind_int(stmt, 3, limit > 0 ? limit : -1);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		history.seq = sqlite3_column_int64(stmt, 0);
		history.at = sqlite3_column_int64(stmt, 1);
		history.events = store_sqlite__text(stmt, 2);
		history.events_len = (size_t)sqlite3_column_bytes(stmt, 2);
		r = row(ctx, &history);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

static int read_compensation(sqlite3_stmt *stmt, struct compensation_row *ret_row, struct err *err)
{
	const char *text = store_sqlite__text(stmt, 3);
	int status = text ? comp_status_parse(text) : -1;

	if (status < 0)
		return err_set(err, ERR_INTERNAL, "a compensation has the unknown status %s in the store",
					   text ? text : "NULL");
	*ret_row = (struct compensation_row){
		.step = store_sqlite__text(stmt, 0),
		.item = sqlite3_column_int(stmt, 1),
		.action = store_sqlite__text(stmt, 2),
		.status = (enum comp_status)status,
		.request = store_sqlite__text(stmt, 4),
		.request_len = (size_t)sqlite3_column_bytes(stmt, 4),
		.attempts = sqlite3_column_int64(stmt, 5),
		.last_error = store_sqlite__text(stmt, 6),
		.updated_at = sqlite3_column_int64(stmt, 7),
	};
	return 0;
}

int store_sqlite__compensations(struct store_reader *store_reader, const char *id,
								int (*row)(void *ctx, const struct compensation_row *row),
								void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct compensation_row comp;
	int rc, r;

	r = store_sqlite__get(reader, R_COMPENSATIONS, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = read_compensation(stmt, &comp, err);
		if (r == 0)
			r = row(ctx, &comp);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

static int load(struct store_sqlite_reader *reader, enum store_sqlite_read which, int first_slot,
				int last_slot, wall_ms due_before, int limit, int *n,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, which, &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, first_slot);
	sqlite3_bind_int(stmt, 2, last_slot);
	sqlite3_bind_int(stmt, 3, limit > 0 ? limit - *n : -1);
	if (which == R_DUE)
		sqlite3_bind_int64(stmt, 4, due_before);
	return store_sqlite__each_saga(reader->db, stmt, row, ctx, n, err);
}

int store_sqlite__load_due(struct store_reader *store_reader, int first_slot, int last_slot,
						   wall_ms due_before, bool awake_too, int limit,
						   int (*row)(void *ctx, const struct saga_row *row), void *ctx,
						   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	int n = 0, r = 0;

	if (awake_too)
		r = load(reader, R_AWAKE, first_slot, last_slot, due_before, limit, &n, row, ctx, err);
	if (r == 0 && (limit <= 0 || n < limit))
		r = load(reader, R_DUE, first_slot, last_slot, due_before, limit, &n, row, ctx, err);
	return r;
}

int store_sqlite__find_key(struct store_reader *store_reader, const char *ns,
						   const char *definition, const char *key, char ret_id[SAGA_ID_SIZE],
						   char ret_fingerprint[SHA256_HEX_SIZE], struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = store_sqlite__get(reader, R_KEY, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, definition);
	store_sqlite__bind_text(stmt, 3, key);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "no saga of %s has this key", definition);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	store_sqlite__copy(stmt, 0, ret_id, SAGA_ID_SIZE);
	store_sqlite__copy(stmt, 1, ret_fingerprint, SHA256_HEX_SIZE);
	return 0;
}

static void read_definition(sqlite3_stmt *stmt, struct definition_row *ret_row)
{
	*ret_row = (struct definition_row){
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.version = sqlite3_column_int64(stmt, 2),
		.hash = store_sqlite__text(stmt, 3),
		.deployed_at = sqlite3_column_int64(stmt, 4),
	};
}

static char *copy_bytes(sqlite3_stmt *stmt, int col, size_t *ret_len)
{
	const char *text = store_sqlite__text(stmt, col);

	*ret_len = (size_t)sqlite3_column_bytes(stmt, col);
	return xstrndup(text ? text : "", *ret_len);
}

int store_sqlite__definition_get(struct store_reader *store_reader, const char *ns,
								 const char *name, int64_t version, struct definition_row *ret_row,
								 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct definition_row row;
	int rc, r;

	r = store_sqlite__get(reader, R_DEF_GET, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, name);
	sqlite3_bind_int64(stmt, 3, version);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE && version)
		return err_set(err, ERR_NOT_FOUND, "there is no version %lld of definition %s",
					   (long long)version, name);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "there is no definition %s", name);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	read_definition(stmt, &row);
	row.ns = xstrdup(row.ns);
	row.name = xstrdup(row.name);
	row.hash = xstrdup(row.hash);
	row.doc = copy_bytes(stmt, 5, &row.doc_len);
	row.source = copy_bytes(stmt, 6, &row.source_len);
	*ret_row = row;
	return 0;
}

int store_sqlite__definition_list(struct store_reader *store_reader, const char *ns,
								  const char *name,
								  int (*row)(void *ctx, const struct definition_row *row),
								  void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct definition_row definition;
	int rc, r;

	r = store_sqlite__get(reader, name ? R_DEF_VERSIONS : R_DEF_NEWEST, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	if (name)
		store_sqlite__bind_text(stmt, 2, name);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		read_definition(stmt, &definition);
		r = row(ctx, &definition);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}
