/*
 * Batches of acts: a row that is written by revision, and its items beside it in one statement.
 * (The batch that a commit travels in is another thing: store_postgres_batch.c.)
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

/* The arrays of items, in the order of the statement's parameters. */
static const enum pg_type item_types[] = {PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8};

static int fill_items(struct store_postgres *s, const struct batch_item_row *items, size_t n,
					  struct err *err)
{
	struct pg_array *arrays = s->arrays;
	struct pg_uuid id;

	if (n > BATCH_PUT_MAX)
		return err_set(err, ERR_LIMIT, "at most %d items are written at a time", BATCH_PUT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(item_types); i++)
		pg__array_reset(&arrays[i], item_types[i]);
	for (size_t i = 0; i < n; i++) {
		if (!pg__uuid_parse(items[i].saga_id, &id))
			return err_set(err, ERR_INVALID, "item %zu has no saga", i + 1);
		pg__add_uuid(&arrays[0], &id);
		pg__add_str(&arrays[1], batch_item_status_text(items[i].status));
		pg__add_str(&arrays[2], items[i].effect);
		pg__add_str(&arrays[3], items[i].error);
		pg__add_int8(&arrays[4], items[i].seq);
		pg__add_int8(&arrays[5], items[i].updated_at);
	}
	for (size_t i = 0; i < ARRAY_SIZE(item_types); i++)
		pg__array_finish(&arrays[i]);
	return 0;
}

static int write_batch(struct store_postgres *s, enum pg_statement which, struct batch_row *row,
					   bool *ret_written, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	char rate[40];
	int r;

	snprintf(rate, sizeof(rate), "%.17g", row->rate);
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->id);
	pg__arg_text(&args, row->act);
	pg__arg_text(&args, row->query);
	pg__arg_text(&args, row->by);
	pg__arg_text(&args, rate);
	pg__arg_text(&args, batch_status_text(row->status));
	pg__arg_int(&args, row->created_at);
	pg__arg_int(&args, row->updated_at);
	pg__arg_time(&args, row->ended_at);
	pg__arg_text(&args, row->cursor);
	pg__arg_text(&args, row->runner);
	pg__arg_time(&args, row->runner_seen_at);
	pg__arg_int(&args, row->revision);
	for (size_t i = 0; which != PG_BATCH_SAME && i < ARRAY_SIZE(item_types); i++)
		pg__arg_array(&args, &s->arrays[i]);
	r = pg__write(s, which, &args, &result, "cannot write a batch", err);
	if (r < 0)
		return r;
	*ret_written = PQntuples(result) > 0;
	if (!*ret_written)
		return 0;
	row->revision = pg__int(result, 0, 0);
	for (int i = 0; i < BATCH_ITEM_STATUS_COUNT; i++)
		row->n[i] = pg__int(result, 0, 1 + i);
	return 0;
}

int pg__batch_put(struct store *store, struct batch_row *row, const struct batch_item_row *items,
				  size_t n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	struct pg_uuid id;
	bool written = false;
	int r;

	if (!pg__uuid_parse(row->id, &id))
		return err_set(err, ERR_INVALID, "a batch has a UUID for its id");
	r = fill_items(s, items, n, err);
	if (r == 0)
		r = write_batch(s, row->revision ? PG_BATCH_UPDATE : PG_BATCH_PUT, row, &written, err);
	/* It may have been this call that did it, when nobody could tell; with its items then. */
	if (r == 0 && !written)
		r = write_batch(s, PG_BATCH_SAME, row, &written, err);
	if (r == 0 && !written)
		return err_set(err, ERR_CONFLICT, "batch %s was changed meanwhile", row->id);
	return r;
}

#define COLUMNS                                                                                    \
	"SELECT namespace, id, act, query, by, rate, status, created_at, updated_at, ended_at,"        \
	" cursor, runner, runner_seen_at, revision, pending, done, refused, failed FROM batches"

static int read_batch(const PGresult *result, int row, struct batch_row *ret_row, struct err *err)
{
	const char *text = PQgetvalue(result, row, 6);
	int status = batch_status_parse(text);

	*ret_row = (struct batch_row){
		.ns = pg__text(result, row, 0),
		.act = pg__text(result, row, 2),
		.query = pg__text(result, row, 3),
		.by = pg__text(result, row, 4),
		.rate = strtod(PQgetvalue(result, row, 5), NULL),
		.status = (enum batch_status)status,
		.created_at = pg__int(result, row, 7),
		.updated_at = pg__int(result, row, 8),
		.ended_at = pg__int(result, row, 9),
		.cursor = pg__text(result, row, 10),
		.runner = pg__text(result, row, 11),
		.runner_seen_at = pg__int(result, row, 12),
		.revision = pg__int(result, row, 13),
	};
	PG_COPY(result, row, 1, ret_row->id);
	for (int i = 0; i < BATCH_ITEM_STATUS_COUNT; i++)
		ret_row->n[i] = pg__int(result, row, 14 + i);
	if (status < 0)
		return err_set(err, ERR_INTERNAL, "a batch has the unknown status %s in the store", text);
	return 0;
}

static int each_batch(const PGresult *result, int (*row)(void *ctx, const struct batch_row *row),
					  void *ctx, struct err *err)
{
	struct batch_row batch;

	for (int i = 0; i < PQntuples(result); i++) {
		int r = read_batch(result, i, &batch, err);

		if (r == 0)
			r = row(ctx, &batch);
		if (r != 0)
			return r;
	}
	return 0;
}

static int copy_batch(void *ctx, const struct batch_row *row)
{
	batch_row_copy(row, ctx);
	return 0;
}

int pg__batch_get(struct store_reader *reader, const char *ns, const char *id,
				  struct batch_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct pg_uuid uuid;
	int r;

	if (!pg__uuid_parse(id, &uuid))
		return err_set(err, ERR_NOT_FOUND, "there is no batch %.36s", id);
	pg__arg_text(&args, ns);
	pg__arg_text(&args, id);
	r = pg__ask_sql(pg__reader_conn(reader), COLUMNS " WHERE namespace = $1 AND id = $2::uuid",
					&args, &result, err);
	if (r == 0 && PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no batch %s", id);
	return r < 0 ? r : each_batch(result, copy_batch, ret_row, err);
}

int pg__batch_list(struct store_reader *reader, const char *ns, const char *after_id, int limit,
				   int (*row)(void *ctx, const struct batch_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	struct pg_args args = {0};
	struct pg_uuid uuid;
	int r = store_check_limit(limit, err);

	buf_init(&sql, 0);
	if (r == 0 && after_id[0] && !pg__uuid_parse(after_id, &uuid))
		r = err_set(err, ERR_INVALID, "a page goes on after the id of a batch");
	if (r < 0)
		return r;
	pg__arg_text(&args, ns);
	buf_add_lit(&sql, COLUMNS " WHERE namespace = $1");
	if (after_id[0]) {
		pg__arg_text(&args, after_id);
		buf_add_lit(&sql, " AND (created_at, id) < (SELECT created_at, id FROM batches"
						  " WHERE namespace = $1 AND id = $2::uuid)");
	}
	buf_printf(&sql, " ORDER BY created_at DESC, id DESC LIMIT %d", limit);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &args, &result, err);
	return r < 0 ? r : each_batch(result, row, ctx, err);
}

int pg__batch_open(struct store_reader *reader, int limit,
				   int (*row)(void *ctx, const struct batch_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	int r = store_check_limit(limit, err);

	buf_init(&sql, 0);
	if (r < 0)
		return r;
	/* In words, so that the planner sees the condition of the index. */
	buf_printf(&sql,
			   COLUMNS " WHERE status IN ('selecting', 'running') ORDER BY created_at, id LIMIT %d",
			   limit);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), NULL, &result, err);
	return r < 0 ? r : each_batch(result, row, ctx, err);
}

static int read_item(const PGresult *result, int row, struct batch_item_row *ret_row,
					 struct err *err)
{
	const char *text = PQgetvalue(result, row, 1);
	int status = batch_item_status_parse(text);

	*ret_row = (struct batch_item_row){
		.status = (enum batch_item_status)status,
		.effect = pg__text(result, row, 2),
		.error = pg__text(result, row, 3),
		.seq = pg__int(result, row, 4),
		.updated_at = pg__int(result, row, 5),
	};
	PG_COPY(result, row, 0, ret_row->saga_id);
	if (status < 0)
		return err_set(err, ERR_INTERNAL, "an item of a batch has the unknown status %s", text);
	return 0;
}

int pg__batch_items(struct store_reader *reader, const struct batch_item_filter *filter,
					int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
					struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	struct batch_item_row item;
	struct pg_args args = {0};
	struct pg_uuid uuid;
	int r = store_check_limit(filter->limit, err);

	buf_init(&sql, 0);
	if (r == 0 && filter->after_saga_id[0] && !pg__uuid_parse(filter->after_saga_id, &uuid))
		r = err_set(err, ERR_INVALID, "a page goes on after the id of a saga");
	if (r < 0 || !pg__uuid_parse(filter->batch_id, &uuid))
		return r;
	pg__arg_text(&args, filter->ns);
	pg__arg_text(&args, filter->batch_id);
	buf_add_lit(&sql, "SELECT saga_id, status, effect, error, seq, updated_at FROM batch_items"
					  " WHERE namespace = $1 AND batch_id = $2::uuid");
	if (filter->status >= 0 && filter->status < BATCH_ITEM_STATUS_COUNT)
		buf_printf(&sql, " AND status = '%s'",
				   batch_item_status_text((enum batch_item_status)filter->status));
	if (filter->after_saga_id[0]) {
		pg__arg_text(&args, filter->after_saga_id);
		buf_add_lit(&sql, " AND saga_id > $3::uuid");
	}
	buf_printf(&sql, " ORDER BY saga_id LIMIT %d", filter->limit);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		r = read_item(result, i, &item, err);
		if (r == 0)
			r = row(ctx, &item);
	}
	return r;
}
