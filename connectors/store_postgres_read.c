/*
 * The readers. Each has a connection of its own, made at its first question, and each call is one
 * statement, whose whole answer is here before the first callback: a callback may read on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

int pg__reader_open(struct store *store, struct store_reader **ret_reader, struct err *err)
{
	struct pg_reader *reader = xcalloc(1, sizeof(*reader));

	(void)err;
	reader->reader.store = store;
	pg__conn_init(&reader->conn, pg__from(store), PG_READER);
	*ret_reader = &reader->reader;
	return 0;
}

void pg__reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	pg__disconnect(pg__reader_conn(reader));
	free(reader);
}

static int read_saga(const PGresult *result, int row, struct saga_row *ret_row, struct err *err)
{
	const char *status = PQgetvalue(result, row, 5);
	int number = saga_status_parse(status);

	*ret_row = (struct saga_row){
		.slot = (int)pg__int(result, row, 0),
		.ns = pg__text(result, row, 2),
		.definition = pg__text(result, row, 3),
		.version = pg__int(result, row, 4),
		.key = pg__text(result, row, 6),
		.started_at = pg__int(result, row, 7),
		.updated_at = pg__int(result, row, 8),
		.ended_at = pg__int(result, row, 9),
		.due_at = pg__int(result, row, 10),
		.attention = {.text = pg__text(result, row, 11),
					  .group = pg__text(result, row, 12),
					  .kind = pg__text(result, row, 13),
					  .step = pg__text(result, row, 14),
					  .side = pg__text(result, row, 15),
					  .code = pg__text(result, row, 16)},
		.attention_at = pg__int(result, row, 17),
		.owner = pg__text(result, row, 18),
		.base_seq = pg__int(result, row, 20),
	};
	PG_COPY(result, row, 1, ret_row->id);
	PG_COPY(result, row, 19, ret_row->parent_id);
	if (number < 0)
		return err_set(err, ERR_INTERNAL, "saga %s has the unknown status %s in the store",
					   ret_row->id, status);
	ret_row->status = (enum saga_status)number;
	return 0;
}

int pg__each_saga(const PGresult *result, int n_rows,
				  int (*row)(void *ctx, const struct saga_row *row), void *ctx, int *n,
				  struct err *err)
{
	struct saga_row saga;

	for (int i = 0; i < n_rows; i++) {
		int r = read_saga(result, i, &saga, err);

		if (n)
			++*n;
		if (r == 0)
			r = row(ctx, &saga);
		if (r != 0)
			return r;
	}
	return 0;
}

int pg__saga_get(struct store_reader *reader, const char *ns, const char *id,
				 struct saga_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct saga_row row;
	int slot = saga_id_slot(id), r;

	if (slot < 0)
		return err_set(err, ERR_NOT_FOUND, "there is no saga %.*s", SAGA_ID_SIZE, id);
	pg__arg_int(&args, slot);
	pg__arg_text(&args, id);
	pg__arg_text(&args, ns);
	r = pg__ask(pg__reader_conn(reader), PG_SAGA_GET, &args, &result, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no saga %s", id);
	r = read_saga(result, 0, &row, err);
	if (r == 0)
		saga_row_copy(&row, ret_row);
	return r;
}

int pg__history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				int (*row)(void *ctx, const struct history_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct history_row history;
	int slot = saga_id_slot(id), r;

	if (slot < 0 || after_seq >= INT32_MAX)
		return 0;
	pg__arg_int(&args, slot);
	pg__arg_text(&args, id);
	pg__arg_int(&args, after_seq);
	pg__arg_int(&args, limit > 0 ? limit : INT32_MAX);
	r = pg__ask(pg__reader_conn(reader), PG_HISTORY, &args, &result, err);
	if (r < 0)
		return r;
	for (int i = 0; i < PQntuples(result); i++) {
		history = (struct history_row){
			.seq = pg__int(result, i, 0),
			.at = pg__int(result, i, 1),
			.events = PQgetvalue(result, i, 2),
			.events_len = (size_t)PQgetlength(result, i, 2),
		};
		r = row(ctx, &history);
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_compensation(const PGresult *result, int row, struct compensation_row *ret_row,
							 struct err *err)
{
	const char *text = PQgetvalue(result, row, 3);
	int status = comp_status_parse(text);

	if (status < 0)
		return err_set(err, ERR_INTERNAL, "a compensation has the unknown status %s in the store",
					   text);
	*ret_row = (struct compensation_row){
		.step = pg__text(result, row, 0),
		.item = (int)pg__int(result, row, 1),
		.action = pg__text(result, row, 2),
		.status = (enum comp_status)status,
		.request = pg__text(result, row, 4),
		.request_len = (size_t)PQgetlength(result, row, 4),
		.attempts = pg__int(result, row, 5),
		.last_error = pg__text(result, row, 6),
		.updated_at = pg__int(result, row, 7),
	};
	return 0;
}

int pg__compensations(struct store_reader *reader, const char *id,
					  int (*row)(void *ctx, const struct compensation_row *row), void *ctx,
					  struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct compensation_row comp;
	int slot = saga_id_slot(id), r;

	if (slot < 0)
		return 0;
	pg__arg_int(&args, slot);
	pg__arg_text(&args, id);
	r = pg__ask(pg__reader_conn(reader), PG_COMPENSATIONS, &args, &result, err);
	if (r < 0)
		return r;
	for (int i = 0; i < PQntuples(result); i++) {
		r = read_compensation(result, i, &comp, err);
		if (r == 0)
			r = row(ctx, &comp);
		if (r != 0)
			return r;
	}
	return 0;
}

static int load(struct pg_conn *conn, enum pg_statement which, const struct pg_array *slots,
				wall_ms due_before, int64_t limit, int *n,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_array(&args, slots);
	pg__arg_int(&args, limit);
	if (which == PG_DUE)
		pg__arg_int(&args, due_before);
	r = pg__ask(conn, which, &args, &result, err);
	return r < 0 ? r : pg__each_saga(result, PQntuples(result), row, ctx, n, err);
}

static int load_slots(struct pg_conn *conn, struct pg_array *slots, wall_ms due_before,
					  bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					  void *ctx, struct err *err)
{
	int64_t left = limit > 0 ? limit : INT32_MAX;
	int n = 0, r = 0;

	pg__array_finish(slots);
	if (awake_too)
		r = load(conn, PG_AWAKE, slots, due_before, left, &n, row, ctx, err);
	if (r == 0 && n < left)
		r = load(conn, PG_DUE, slots, due_before, left - n, &n, row, ctx, err);
	return r;
}

int pg__load_due(struct store_reader *reader, int first_slot, int last_slot, wall_ms due_before,
				 bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
				 void *ctx, struct err *err)
{
	CLEANUP(pg__array_release) struct pg_array slots = {0};

	pg__array_reset(&slots, PG_INT4);
	for (int slot = first_slot; slot <= last_slot; slot++)
		pg__add_int4(&slots, slot);
	return load_slots(pg__reader_conn(reader), &slots, due_before, awake_too, limit, row, ctx, err);
}

int pg__load_due_slots(struct store_reader *reader, const int *slots, size_t n, wall_ms due_before,
					   bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					   void *ctx, struct err *err)
{
	CLEANUP(pg__array_release) struct pg_array array = {0};

	pg__array_reset(&array, PG_INT4);
	for (size_t i = 0; i < n; i++)
		pg__add_int4(&array, slots[i]);
	return load_slots(pg__reader_conn(reader), &array, due_before, awake_too, limit, row, ctx, err);
}

int pg__find_key(struct store_reader *reader, const char *ns, const char *definition,
				 const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				 struct err *err)
{
	struct store_postgres *s = pg__from(reader->store);
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_int(&args, saga_slot(ns, definition, key, s->slot_count));
	pg__arg_text(&args, ns);
	pg__arg_text(&args, definition);
	pg__arg_text(&args, key);
	r = pg__ask(pg__reader_conn(reader), PG_KEY_FIND, &args, &result, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "no saga of %s has this key", definition);
	pg__copy(result, 0, 0, ret_id, SAGA_ID_SIZE);
	pg__copy(result, 0, 1, ret_fingerprint, SHA256_HEX_SIZE);
	return 0;
}

static void read_definition(const PGresult *result, int row, struct definition_row *ret_row)
{
	*ret_row = (struct definition_row){
		.ns = pg__text(result, row, 0),
		.name = pg__text(result, row, 1),
		.version = pg__int(result, row, 2),
		.hash = pg__text(result, row, 3),
		.deployed_at = pg__int(result, row, 4),
	};
}

static char *copy_bytes(const PGresult *result, int col, size_t *ret_len)
{
	*ret_len = (size_t)PQgetlength(result, 0, col);
	return xstrndup(PQgetvalue(result, 0, col), *ret_len);
}

int pg__definition_get(struct store_reader *reader, const char *ns, const char *name,
					   int64_t version, struct definition_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct definition_row row;
	int r;

	pg__arg_text(&args, ns);
	pg__arg_text(&args, name);
	pg__arg_int(&args, version);
	r = pg__ask(pg__reader_conn(reader), PG_DEF_GET, &args, &result, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0 && version)
		return err_set(err, ERR_NOT_FOUND, "there is no version %lld of definition %s",
					   (long long)version, name);
	if (PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no definition %s", name);
	read_definition(result, 0, &row);
	row.ns = xstrdup(row.ns);
	row.name = xstrdup(row.name);
	row.hash = xstrdup(row.hash);
	row.doc = copy_bytes(result, 5, &row.doc_len);
	row.source = copy_bytes(result, 6, &row.source_len);
	*ret_row = row;
	return 0;
}

int pg__definition_list(struct store_reader *reader, const char *ns, const char *name,
						int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct definition_row definition;
	int r;

	pg__arg_text(&args, ns);
	if (name)
		pg__arg_text(&args, name);
	r = pg__ask(pg__reader_conn(reader), name ? PG_DEF_VERSIONS : PG_DEF_NEWEST, &args, &result,
				err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		read_definition(result, i, &definition);
		r = row(ctx, &definition);
	}
	return r;
}

int pg__counts(struct store_reader *reader, const char *ns, int64_t counts[SAGA_STATUS_COUNT],
			   struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	r = pg__ask(pg__reader_conn(reader), PG_COUNTS, &args, &result, err);
	if (r < 0)
		return r;
	memset(counts, 0, SAGA_STATUS_COUNT * sizeof(counts[0]));
	for (int i = 0; i < PQntuples(result); i++) {
		int status = saga_status_parse(PQgetvalue(result, i, 0));

		if (status >= 0)
			counts[status] = pg__int(result, i, 1);
	}
	return 0;
}
