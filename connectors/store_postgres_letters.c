/*
 * Dead letters, which hold records as they came, and what was said about triggers.
 */
#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

/* Adds a condition on a parameter: the text before it, its value, and the text behind it. */
static void add_condition(struct pg_args *args, struct buf *sql, const char *before,
						  const char *value, const char *behind)
{
	pg__arg_text(args, value);
	buf_printf(sql, "%s$%d%s", before, args->n, behind);
}

int pg__dead_letter_put(struct store *store, const struct dead_letter_row *row, struct err *err)
{
	struct pg_args args = {0};
	int r = store_check_dead_letter(row, err);

	if (r < 0)
		return r;
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->id);
	pg__arg_text(&args, row->trigger);
	pg__arg_text(&args, row->cluster);
	pg__arg_text(&args, row->topic);
	pg__arg_int(&args, row->partition);
	pg__arg_int(&args, row->offset);
	pg__arg_int(&args, row->at);
	pg__arg_int(&args, row->failed_at);
	pg__arg_bytes(&args, row->key, row->key_len);
	pg__arg_bytes(&args, row->value, row->value_len);
	pg__arg_text(&args, row->headers);
	pg__arg_text(&args, row->reason);
	pg__arg_text(&args, row->message);
	pg__arg_int(&args, row->attempts);
	pg__arg_text(&args, dead_letter_status_text(row->status));
	pg__arg_text(&args, row->saga_id);
	pg__arg_int(&args, row->updated_at);
	return pg__write(pg__from(store), PG_DEAD_LETTER_PUT, &args, NULL, "cannot keep a dead letter",
					 err);
}

int pg__dead_letter_update(struct store *store, const char *ns, const char *id,
						   enum dead_letter_status status, const char *saga_id, wall_ms at,
						   struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct pg_uuid uuid;
	int r;

	if (!pg__uuid_parse(id, &uuid))
		return err_set(err, ERR_NOT_FOUND, "there is no dead letter %.36s", id);
	pg__arg_text(&args, ns);
	pg__arg_text(&args, id);
	pg__arg_text(&args, dead_letter_status_text(status));
	pg__arg_text(&args, saga_id);
	pg__arg_int(&args, at);
	r = pg__write(pg__from(store), PG_DEAD_LETTER_UPDATE, &args, &result,
				  "cannot change a dead letter", err);
	if (r == 0 && PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no dead letter %s", id);
	return r;
}

int pg__dead_letters_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err)
{
	struct pg_args args = {0};

	pg__arg_int(&args, before);
	pg__arg_int(&args, limit);
	return pg__write(s, PG_DEAD_LETTERS_RETAIN, &args, NULL, "cannot remove old dead letters", err);
}

DEFINE_CLEANUP(unsigned char *, PQfreemem)

/* A bytea, which comes as text; NULL: it is NULL, or was not asked for. */
static unsigned char *read_bytes(const PGresult *result, int row, int col, size_t *len)
{
	if (col >= PQnfields(result) || PQgetisnull(result, row, col))
		return NULL;
	return PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, col), len);
}

/* The columns, without key and value. */
static int read_letter(const PGresult *result, int row, struct dead_letter_row *ret_row,
					   struct err *err)
{
	const char *text = PQgetvalue(result, row, 12);
	int status = dead_letter_status_parse(text);

	*ret_row = (struct dead_letter_row){
		.ns = pg__text(result, row, 1),
		.trigger = pg__text(result, row, 2),
		.cluster = pg__text(result, row, 3),
		.topic = pg__text(result, row, 4),
		.partition = (int)pg__int(result, row, 5),
		.offset = pg__int(result, row, 6),
		.at = pg__int(result, row, 7),
		.failed_at = pg__int(result, row, 8),
		.reason = pg__text(result, row, 9),
		.message = pg__text(result, row, 10),
		.attempts = pg__int(result, row, 11),
		.status = (enum dead_letter_status)status,
		.saga_id = pg__text(result, row, 13),
		.updated_at = pg__int(result, row, 14),
		.key_len = (size_t)pg__int(result, row, 15),
		.value_len = (size_t)pg__int(result, row, 16),
		.headers = PQnfields(result) > 19 ? pg__text(result, row, 19) : NULL,
	};
	PG_COPY(result, row, 0, ret_row->id);
	if (status < 0)
		return err_set(err, ERR_INTERNAL, "a dead letter has the unknown status %s in the store",
					   text);
	return 0;
}

static int each_letter(const PGresult *result,
					   int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
					   struct err *err)
{
	struct dead_letter_row letter;

	for (int i = 0; i < PQntuples(result); i++) {
		CLEANUP(PQfreemem_p) unsigned char *key = NULL, *value = NULL;
		int r = read_letter(result, i, &letter, err);

		if (r < 0)
			return r;
		key = read_bytes(result, i, 17, &letter.key_len);
		value = read_bytes(result, i, 18, &letter.value_len);
		letter.key = key;
		letter.value = value;
		r = row(ctx, &letter);
		if (r != 0)
			return r;
	}
	return 0;
}

static int copy_letter(void *ctx, const struct dead_letter_row *row)
{
	dead_letter_row_copy(row, ctx);
	return 0;
}

int pg__dead_letter_get(struct store_reader *reader, const char *ns, const char *id,
						struct dead_letter_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct pg_uuid uuid;
	int r;

	if (!pg__uuid_parse(id, &uuid))
		return err_set(err, ERR_NOT_FOUND, "there is no dead letter %.36s", id);
	pg__arg_text(&args, ns);
	pg__arg_text(&args, id);
	r = pg__ask(pg__reader_conn(reader), PG_DEAD_LETTER_GET, &args, &result, err);
	if (r == 0 && PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no dead letter %s", id);
	return r < 0 ? r : each_letter(result, copy_letter, ret_row, err);
}

int pg__dead_letter_list(struct store_reader *reader, const struct dead_letter_filter *filter,
						 int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
						 struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	struct pg_args args = {0};
	int r = store_check_limit(filter->limit, err);

	buf_init(&sql, 0);
	if (r < 0)
		return r;
	buf_printf(&sql, "SELECT " PG_DEAD_LETTER_COLUMNS "%s FROM dead_letters",
			   filter->without_record ? "" : PG_DEAD_LETTER_RECORD);
	add_condition(&args, &sql, " WHERE namespace = ", filter->ns, "");
	if (filter->trigger)
		add_condition(&args, &sql, " AND trigger = ", filter->trigger, "");
	if (filter->reason)
		add_condition(&args, &sql, " AND reason = ", filter->reason, "");
	/* In words, so that the planner sees the condition of an index. */
	if (filter->status >= 0 && filter->status < DEAD_LETTER_STATUS_COUNT)
		buf_printf(&sql, " AND status = '%s'",
				   dead_letter_status_text((enum dead_letter_status)filter->status));
	if (filter->after_id[0]) {
		buf_printf(&sql, " AND (failed_at, id) < (%lld", (long long)filter->after_failed_at);
		add_condition(&args, &sql, ", ", filter->after_id, "::uuid)");
	}
	buf_printf(&sql, " ORDER BY failed_at DESC, id DESC LIMIT %d", filter->limit);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &args, &result, err);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT,
					   "the list had to look at too many dead letters; narrow it by trigger");
	return r < 0 ? r : each_letter(result, row, ctx, err);
}

int pg__trigger_put(struct store *store, struct trigger_row *row, struct err *err)
{
	struct pg_args args = {0};
	int r = store_check_trigger(row, err);

	if (r < 0)
		return r;
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->name);
	pg__arg_text(&args, row->paused ? "t" : "f");
	pg__arg_text(&args, row->reason);
	pg__arg_text(&args, row->seeks);
	pg__arg_int(&args, row->updated_at);
	pg__arg_text(&args, row->by);
	pg__arg_int(&args, row->revision);
	return pg__put_revised(pg__from(store), PG_TRIGGER_PUT, &args, "trigger", row->name,
						   &row->revision, err);
}

int pg__trigger_list(struct store_reader *reader, const char *ns,
					 int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
					 struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	r = pg__ask(pg__reader_conn(reader), PG_TRIGGER_LIST, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		const struct trigger_row trigger = {
			.ns = pg__text(result, i, 0),
			.name = pg__text(result, i, 1),
			.paused = pg__int(result, i, 2) != 0,
			.reason = pg__text(result, i, 3),
			.seeks = pg__text(result, i, 4),
			.updated_at = pg__int(result, i, 5),
			.by = pg__text(result, i, 6),
			.revision = pg__int(result, i, 7),
		};

		r = row(ctx, &trigger);
	}
	return r;
}
