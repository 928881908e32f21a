/*
 * Lists of sagas: a filter becomes one statement, newest first. An index by (namespace, id) gives a
 * page as a walk down from where the last one ended; what is rarer has indexes of its own, by
 * status, so a filter by statuses is a walk for each of them, of which the newest are taken. The
 * server ends a walk that finds too little.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { MAX_LIST = 1000 };

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

/* The numbers of the parameters; 0: the filter has none. */
struct params {
	int ns, after, definition, key;
};

static int add_param(struct pg_args *args, const char *text)
{
	pg__arg_text(args, text);
	return args->n;
}

/*
 * By exact key, through the table of keys: its slot is known where the definition is; else slot by
 * slot, definition by definition, each a look-up.
 */
static void add_key(const struct store_postgres *s, const struct saga_filter *filter,
					const struct params *params, struct buf *sql)
{
	buf_printf(sql, " AND key = $%d AND id = ANY (ARRAY(", params->key);
	if (filter->definition && !has_wildcard(filter->definition)) {
		buf_printf(sql,
				   "SELECT saga_id FROM idempotency WHERE slot = %d AND namespace = $%d"
				   " AND definition = $%d AND key = $%d))",
				   saga_slot(filter->ns, filter->definition, filter->key, s->slot_count),
				   params->ns, params->definition, params->key);
		return;
	}
	buf_printf(sql,
			   "WITH RECURSIVE names (slot, name) AS ("
			   "SELECT g.slot, (SELECT min(definition) FROM idempotency k WHERE k.slot = g.slot"
			   " AND namespace = $%d) FROM generate_series(0, %d) AS g (slot)"
			   " UNION ALL SELECT n.slot, (SELECT min(definition) FROM idempotency k"
			   " WHERE k.slot = n.slot AND namespace = $%d AND definition > n.name)"
			   " FROM names n WHERE n.name IS NOT NULL)",
			   params->ns, s->slot_count - 1, params->ns);
	buf_printf(
		sql,
		" SELECT k.saga_id FROM names n, LATERAL (SELECT saga_id FROM idempotency"
		" WHERE slot = n.slot AND namespace = $%d AND definition = n.name AND key = $%d) AS k"
		" WHERE n.name IS NOT NULL))",
		params->ns, params->key);
}

/* One walk: of one status, or (-1) of all. */
static void add_walk(const struct store_postgres *s, const struct saga_filter *filter,
					 const struct params *params, int status, struct buf *sql)
{
	buf_printf(sql, "(SELECT " PG_SAGA_COLUMNS " FROM sagas WHERE namespace = $%d", params->ns);
	/* The conditions of the indexes, so that the planner sees that they hold. */
	if (status >= 0 && !saga_status_is_terminal((enum saga_status)status))
		buf_add_lit(sql, " AND ended_at IS NULL");
	if (status >= 0)
		buf_printf(sql, " AND status = '%s'", saga_status_text((enum saga_status)status));
	if (filter->attention_only)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	if (params->after)
		buf_printf(sql, " AND id < $%d::uuid", params->after);
	if (params->definition)
		buf_printf(sql, " AND definition %s $%d", has_wildcard(filter->definition) ? "LIKE" : "=",
				   params->definition);
	if (params->key && has_wildcard(filter->key))
		buf_printf(sql, " AND key LIKE $%d", params->key);
	else if (params->key)
		add_key(s, filter, params, sql);
	if (filter->started_from)
		buf_printf(sql, " AND started_at >= %lld", (long long)filter->started_from);
	if (filter->started_before)
		buf_printf(sql, " AND started_at < %lld", (long long)filter->started_before);
	buf_printf(sql, " ORDER BY id DESC LIMIT %d)", filter->limit);
}

static void build(const struct store_postgres *s, const struct saga_filter *filter,
				  const struct params *params, struct buf *sql)
{
	const char *separator = "";

	if (!filter->status_mask) {
		add_walk(s, filter, params, -1, sql);
		return;
	}
	buf_add_lit(sql, "SELECT * FROM (");
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(filter->status_mask & 1U << status))
			continue;
		buf_add_str(sql, separator);
		add_walk(s, filter, params, status, sql);
		separator = " UNION ALL ";
	}
	buf_printf(sql, ") AS walks ORDER BY id DESC LIMIT %d", filter->limit);
}

int pg__list(struct store_reader *reader, struct saga_filter *filter,
			 int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(free_p) char *definition = NULL, *key = NULL;
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	struct pg_args args = {0};
	struct params params = {0};
	int r;

	buf_init(&sql, 0);
	if (filter->limit < 1 || filter->limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d sagas", MAX_LIST);
	if (filter->after_id[0] && saga_id_slot(filter->after_id) < 0)
		return err_set(err, ERR_INVALID, "a page goes on after the id of a saga");
	if (filter->definition)
		definition = has_wildcard(filter->definition) ? to_like(filter->definition)
													  : xstrdup(filter->definition);
	if (filter->key)
		key = has_wildcard(filter->key) ? to_like(filter->key) : xstrdup(filter->key);
	params.ns = add_param(&args, filter->ns);
	params.after = filter->after_id[0] ? add_param(&args, filter->after_id) : 0;
	params.definition = definition ? add_param(&args, definition) : 0;
	params.key = key ? add_param(&args, key) : 0;
	build(pg__from(reader->store), filter, &params, &sql);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &args, &result, err);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT,
					   "the list had to look at too many sagas; narrow it by time, status or key");
	return r < 0 ? r : pg__each_saga(result, row, ctx, NULL, err);
}
