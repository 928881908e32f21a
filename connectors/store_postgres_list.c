/*
 * Lists of sagas: a filter becomes one statement, newest first. An index by (namespace, id) gives a
 * page as a walk down from where the last one ended; what is rare (active, in need of a person,
 * ended otherwise than completed) has small indexes of its own, whose conditions are repeated here
 * so that the planner sees that they hold. The server ends a walk that finds too little.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { MAX_LIST = 1000 };

#define MASK(status) (1U << (status))

static const unsigned ended_otherwise =
	MASK(SAGA_COMPENSATED) | MASK(SAGA_FAILED) | MASK(SAGA_TERMINATED);

static bool has_wildcard(const char *glob)
{
	return strpbrk(glob, "*?") != NULL;
}

/* Our * and ? are % and _ of LIKE, which here stand for themselves. */
static char *to_like(const char *glob)
{
	struct buf text;
	size_t len;

	buf_init(&text, 0);
	for (; *glob; glob++) {
		if (*glob == '*')
			buf_add_char(&text, '%');
		else if (*glob == '?')
			buf_add_char(&text, '_');
		else {
			if (strchr("%_\\", *glob))
				buf_add_char(&text, '\\');
			buf_add_char(&text, *glob);
		}
	}
	return buf_take(&text, &len);
}

static void add_statuses(unsigned mask, struct buf *sql)
{
	const char *separator = "";

	if (!(mask & (MASK(SAGA_COMPLETED) | ended_otherwise)))
		buf_add_lit(sql, " AND ended_at IS NULL");
	else if (!(mask & ~ended_otherwise))
		buf_add_lit(sql, " AND status IN ('compensated', 'failed', 'terminated')");
	buf_add_lit(sql, " AND status IN (");
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(mask & MASK(status)))
			continue;
		buf_printf(sql, "%s'%s'", separator, saga_status_text((enum saga_status)status));
		separator = ", ";
	}
	buf_add_char(sql, ')');
}

/* The next parameter's "$n". */
static void add_param(struct buf *sql, struct pg_args *args, const char *text)
{
	pg__arg_text(args, text);
	buf_printf(sql, "$%d", args->n);
}

/*
 * By exact key, through the table of keys: its slots are known where the definition is; else slot
 * by slot, definition by definition, each a look-up.
 */
static void add_key(const struct store_postgres *s, const struct saga_filter *filter,
					struct buf *sql, struct pg_args *args)
{
	buf_add_lit(sql, " AND key = ");
	add_param(sql, args, filter->key);
	if (filter->definition && !has_wildcard(filter->definition)) {
		int slot = saga_slot(filter->ns, filter->definition, filter->key, s->slot_count);

		buf_printf(sql,
				   " AND id IN (SELECT saga_id FROM idempotency WHERE slot = %d"
				   " AND namespace = $1 AND definition = ",
				   slot);
		add_param(sql, args, filter->definition);
		buf_add_lit(sql, " AND key = ");
		add_param(sql, args, filter->key);
		buf_add_char(sql, ')');
		return;
	}
	buf_printf(sql,
			   " AND id = ANY (ARRAY(WITH RECURSIVE names (slot, name) AS ("
			   "SELECT g.slot, (SELECT min(definition) FROM idempotency k WHERE k.slot = g.slot"
			   " AND namespace = $1) FROM generate_series(0, %d) AS g (slot)"
			   " UNION ALL SELECT n.slot, (SELECT min(definition) FROM idempotency k"
			   " WHERE k.slot = n.slot AND namespace = $1 AND definition > n.name)"
			   " FROM names n WHERE n.name IS NOT NULL)"
			   " SELECT k.saga_id FROM names n, LATERAL (SELECT saga_id FROM idempotency"
			   " WHERE slot = n.slot AND namespace = $1 AND definition = n.name AND key = ",
			   s->slot_count - 1);
	add_param(sql, args, filter->key);
	buf_add_lit(sql, ") AS k WHERE n.name IS NOT NULL))");
}

static void add_glob(struct buf *sql, struct pg_args *args, const char *column, const char *like)
{
	buf_printf(sql, " AND %s LIKE ", column);
	add_param(sql, args, like);
}

static void build(const struct store_postgres *s, const struct saga_filter *filter,
				  const char *definition_like, const char *key_like, struct buf *sql,
				  struct pg_args *args)
{
	buf_add_lit(sql, "SELECT " PG_SAGA_COLUMNS " FROM sagas WHERE namespace = ");
	add_param(sql, args, filter->ns);
	if (filter->after_id[0]) {
		buf_add_lit(sql, " AND id < ");
		add_param(sql, args, filter->after_id);
		buf_add_lit(sql, "::uuid");
	}
	if (filter->attention_only)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	if (filter->status_mask)
		add_statuses(filter->status_mask, sql);
	if (definition_like) {
		add_glob(sql, args, "definition", definition_like);
	} else if (filter->definition) {
		buf_add_lit(sql, " AND definition = ");
		add_param(sql, args, filter->definition);
	}
	if (key_like)
		add_glob(sql, args, "key", key_like);
	else if (filter->key)
		add_key(s, filter, sql, args);
	if (filter->started_from)
		buf_printf(sql, " AND started_at >= %lld", (long long)filter->started_from);
	if (filter->started_before)
		buf_printf(sql, " AND started_at < %lld", (long long)filter->started_before);
	buf_printf(sql, " ORDER BY namespace DESC, id DESC LIMIT %d", filter->limit);
}

int pg__list(struct store_reader *reader, const struct saga_filter *filter,
			 int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(free_p) char *definition_like = NULL, *key_like = NULL;
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	struct pg_args args = {0};
	int r;

	buf_init(&sql, 0);
	if (filter->limit < 1 || filter->limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d sagas", MAX_LIST);
	if (filter->after_id[0] && saga_id_slot(filter->after_id) < 0)
		return err_set(err, ERR_INVALID, "a page goes on after the id of a saga");
	if (filter->definition && has_wildcard(filter->definition))
		definition_like = to_like(filter->definition);
	if (filter->key && has_wildcard(filter->key))
		key_like = to_like(filter->key);
	build(pg__from(reader->store), filter, definition_like, key_like, &sql, &args);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &args, &result, err);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT,
					   "the list had to look at too many sagas; narrow it by time, status or key");
	return r < 0 ? r : pg__each_saga(result, row, ctx, NULL, err);
}
