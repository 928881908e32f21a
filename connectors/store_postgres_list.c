/*
 * Lists of sagas: a filter becomes one statement, which walks indexes in the order of ids and
 * stops.
 *
 *   walk     along the index that leads to the fewest: of a group, an owner, those that concern a
 *            person, the asked statuses (one index walk for each, merged), or all of a namespace
 *   looked   its first `looks` rows
 *   page     those of them that match the rest, up to the page's limit
 *   mark     if that is not full: where the walk has looked to, unless it came to its end
 *
 * All in one snapshot. The walk is lazy: a page that fills early looks at little. A key has an
 * index of its own, by definition, and a saga its id; then there is no walk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { MAX_LIST = 1000, COLUMN_COUNT = 21, EARLIER_MS = 60000, LATER_MS = 2000 };

struct list {
	const struct saga_filter *filter;
	struct pg_args args;
	struct pg_array slots, names; /* of keys */
	char *definition, *key;       /* as they are asked for */
	char from_id[SAGA_ID_SIZE], before_id[SAGA_ID_SIZE];
	bool by_key;
	int looks;
	/* Numbers of the parameters; of search, of the first name: its value follows, and the rest. */
	int parent, search;
	int ns, id, definition_n, key_n, group, kind, step, owner, after, from, before, slots_n,
		names_n;
};

static void list_release(struct list *list)
{
	free(list->definition);
	free(list->key);
	pg__array_release(&list->slots);
	pg__array_release(&list->names);
}

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

/* The number of the parameter; 0: the filter has none. */
static int add_param(struct list *list, const char *text)
{
	if (!text)
		return 0;
	pg__arg_text(&list->args, text);
	return list->args.n;
}

/*
 * Ids begin with the time at which they were made, which is a moment before the saga began, or one
 * after it when the clock went back; so a span of time is a span of the walk.
 */
static void add_span(struct list *list)
{
	static const unsigned char zeros[8] = {0};
	const struct saga_filter *filter = list->filter;

	if (filter->started_from > EARLIER_MS) {
		saga_id_make(filter->started_from - EARLIER_MS, 0, zeros, list->from_id);
		list->from = add_param(list, list->from_id);
	}
	if (filter->started_before > 0) {
		saga_id_make(filter->started_before + LATER_MS, 0, zeros, list->before_id);
		list->before = add_param(list, list->before_id);
	}
}

static void add_params(struct list *list)
{
	const struct saga_filter *filter = list->filter;

	if (filter->definition)
		list->definition = has_wildcard(filter->definition) ? to_like(filter->definition)
															: xstrdup(filter->definition);
	if (filter->key)
		list->key = list->by_key ? xstrdup(filter->key) : to_like(filter->key);
	list->ns = add_param(list, filter->ns);
	list->id = add_param(list, filter->id);
	list->definition_n = add_param(list, list->definition);
	list->key_n = add_param(list, list->key);
	list->group = add_param(list, filter->group);
	list->kind = add_param(list, filter->kind);
	list->step = add_param(list, filter->step);
	list->owner = add_param(list, filter->owner);
	list->parent = add_param(list, filter->parent);
	for (size_t i = 0; i < filter->n_search; i++) {
		int name = add_param(list, filter->search[i].name);

		add_param(list, filter->search[i].value);
		if (i == 0)
			list->search = name;
	}
	list->after = add_param(list, filter->after_id[0] ? filter->after_id : NULL);
	add_span(list);
}

/* Under which names a namespace's keys are: those of the definitions that have sagas. */
static int add_keys(struct pg_conn *conn, const struct store_postgres *s, struct list *list,
					struct err *err)
{
	const struct saga_filter *filter = list->filter;
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	bool exact = filter->definition && !has_wildcard(filter->definition);
	int r = 0, n = 1;

	if (!exact) {
		pg__arg_text(&args, filter->ns);
		r = pg__ask(conn, PG_COUNTED_DEFINITIONS, &args, &result, err);
		if (r < 0)
			return r;
		n = PQntuples(result);
	}
	pg__array_reset(&list->slots, PG_INT4);
	pg__array_reset(&list->names, PG_TEXT);
	for (int i = 0; i < n; i++) {
		const char *name = exact ? filter->definition : PQgetvalue(result, i, 0);

		pg__add_int4(&list->slots, saga_slot(filter->ns, name, filter->key, s->slot_count));
		pg__add_str(&list->names, name);
	}
	pg__array_finish(&list->slots);
	pg__array_finish(&list->names);
	pg__arg_array(&list->args, &list->slots);
	list->slots_n = list->args.n;
	pg__arg_array(&list->args, &list->names);
	list->names_n = list->args.n;
	return 0;
}

/* Whether the statuses have an index: all but `completed`, of which there are too many. */
static bool walks_by_status(const struct list *list)
{
	unsigned mask = list->filter->status_mask;

	return mask && !(mask & 1U << SAGA_COMPLETED) && !list->parent && !list->group &&
		   !list->owner && !list->kind && !list->step && !list->filter->attention_only;
}

/* One walk: of one status, or (-1) of none in particular. Says the conditions of an index, too, so
 * that the planner sees that they hold. */
static void add_walk(const struct list *list, int status, const char *columns, struct buf *sql)
{
	const struct saga_filter *filter = list->filter;

	buf_printf(sql, "SELECT %s FROM sagas WHERE namespace = $%d", columns, list->ns);
	if (status >= 0 && !saga_status_is_terminal((enum saga_status)status))
		buf_add_lit(sql, " AND ended_at IS NULL");
	if (status >= 0)
		buf_printf(sql, " AND status = '%s'", saga_status_text((enum saga_status)status));
	if (list->parent)
		buf_printf(sql, " AND parent_id = $%d::uuid", list->parent);
	else if (list->group)
		buf_printf(sql, " AND attention_group = $%d", list->group);
	else if (list->owner)
		buf_printf(sql, " AND owner = $%d", list->owner);
	else if (filter->attention_only || list->kind || list->step)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	if (list->after)
		buf_printf(sql, " AND id %s $%d::uuid", filter->oldest_first ? ">" : "<", list->after);
	if (list->from)
		buf_printf(sql, " AND id >= $%d::uuid", list->from);
	if (list->before)
		buf_printf(sql, " AND id < $%d::uuid", list->before);
}

static bool walks_by_search(const struct list *list)
{
	return list->search && !list->parent;
}

/* Along the values of the first name, in the order of ids; each is looked up where sagas are. */
static void add_search(const struct list *list, const char *columns, struct buf *sql)
{
	const char *before = list->filter->oldest_first ? ">" : "<";

	buf_printf(sql,
			   "SELECT %s FROM (SELECT slot AS found_slot, saga_id FROM search"
			   " WHERE namespace = $%d AND name = $%d AND value = $%d",
			   columns, list->ns, list->search, list->search + 1);
	if (list->after)
		buf_printf(sql, " AND saga_id %s $%d::uuid", before, list->after);
	if (list->from)
		buf_printf(sql, " AND saga_id >= $%d::uuid", list->from);
	if (list->before)
		buf_printf(sql, " AND saga_id < $%d::uuid", list->before);
	buf_printf(sql,
			   " ORDER BY saga_id%s LIMIT %d) AS found, LATERAL (SELECT * FROM sagas s"
			   " WHERE s.slot = found_slot AND s.id = found.saga_id OFFSET 0) AS sagas",
			   list->filter->oldest_first ? "" : " DESC", list->looks);
}

/*
 * The walks together, in the order of ids; what follows bounds them. Each walk has an order and a
 * bound of its own, or the planner would not know that it comes in the order of ids, and would read
 * all of them to sort them.
 */
static void add_walks(const struct list *list, const char *columns, struct buf *sql)
{
	const char *order = list->filter->oldest_first ? "" : " DESC", *separator = "";

	if (walks_by_search(list)) {
		add_search(list, columns, sql);
		buf_printf(sql, " ORDER BY found.saga_id%s", order);
		return;
	}
	if (!walks_by_status(list)) {
		add_walk(list, -1, columns, sql);
		buf_printf(sql, " ORDER BY id%s", order);
		return;
	}
	buf_add_lit(sql, "SELECT * FROM (");
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(list->filter->status_mask & 1U << status))
			continue;
		buf_printf(sql, "%s(", separator);
		add_walk(list, status, columns, sql);
		buf_printf(sql, " ORDER BY id%s LIMIT %d)", order, list->looks);
		separator = " UNION ALL ";
	}
	buf_printf(sql, ") AS walks ORDER BY id%s", order);
}

static void add_equal(struct buf *sql, const char *column, int param)
{
	if (param)
		buf_printf(sql, " AND %s = $%d", column, param);
}

/* All that the filter says, whatever the walk took care of; `of` names the rows. */
static void add_conditions(const struct list *list, const char *of, struct buf *sql)
{
	const struct saga_filter *filter = list->filter;
	const char *separator = "";

	buf_add_lit(sql, " WHERE true");
	if (filter->status_mask) {
		buf_add_lit(sql, " AND status IN (");
		for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
			if (!(filter->status_mask & 1U << status))
				continue;
			buf_printf(sql, "%s'%s'", separator, saga_status_text((enum saga_status)status));
			separator = ", ";
		}
		buf_add_char(sql, ')');
	}
	if (list->definition_n)
		buf_printf(sql, " AND definition %s $%d", has_wildcard(filter->definition) ? "LIKE" : "=",
				   list->definition_n);
	if (filter->version)
		buf_printf(sql, " AND version = %lld", (long long)filter->version);
	if (list->key_n)
		buf_printf(sql, " AND key %s $%d", list->by_key ? "=" : "LIKE", list->key_n);
	if (filter->attention_only)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	add_equal(sql, "attention_group", list->group);
	add_equal(sql, "attention_kind", list->kind);
	add_equal(sql, "attention_step", list->step);
	add_equal(sql, "owner", list->owner);
	if (list->parent)
		buf_printf(sql, " AND parent_id = $%d::uuid", list->parent);
	for (size_t i = 0; i < filter->n_search; i++)
		buf_printf(sql,
				   " AND EXISTS (SELECT FROM search v WHERE v.slot = %s.slot"
				   " AND v.saga_id = %s.id AND v.name = $%d AND v.value = $%d)",
				   of, of, list->search + 2 * (int)i, list->search + 2 * (int)i + 1);
	if (filter->started_from)
		buf_printf(sql, " AND started_at >= %lld", (long long)filter->started_from);
	if (filter->started_before)
		buf_printf(sql, " AND started_at < %lld", (long long)filter->started_before);
	buf_printf(sql, " ORDER BY id%s LIMIT %d", filter->oldest_first ? "" : " DESC", filter->limit);
}

/* Few are found by what they are; OFFSET 0 keeps the planner from walking to them in order. */
static void build_found(const struct list *list, struct buf *sql)
{
	buf_add_lit(sql, "SELECT * FROM (");
	add_walk(list, -1, PG_SAGA_COLUMNS, sql);
	if (list->id)
		buf_printf(sql, " AND slot = %d AND id = $%d::uuid", saga_id_slot(list->filter->id),
				   list->id);
	if (list->by_key)
		buf_printf(sql,
				   " AND id = ANY (ARRAY(SELECT k.saga_id FROM unnest($%d::int4[], $%d::text[])"
				   " AS d (slot, name), idempotency k WHERE k.slot = d.slot AND k.namespace = $%d"
				   " AND k.definition = d.name AND k.key = $%d))",
				   list->slots_n, list->names_n, list->ns, list->key_n);
	buf_add_lit(sql, " OFFSET 0) AS found");
	add_conditions(list, "found", sql);
}

static void build_walked(const struct list *list, struct buf *sql)
{
	buf_add_lit(sql, "WITH page AS MATERIALIZED (SELECT * FROM (");
	add_walks(list, PG_SAGA_COLUMNS, sql);
	buf_printf(sql, " LIMIT %d) AS looked", list->looks);
	add_conditions(list, "looked", sql);
	buf_add_lit(sql, ") SELECT *, false FROM page UNION ALL SELECT NULL, id");
	for (int i = 2; i < COLUMN_COUNT; i++)
		buf_add_lit(sql, ", NULL");
	buf_add_lit(sql, ", true FROM (");
	add_walks(list, "id", sql);
	buf_printf(sql, " LIMIT 1 OFFSET %d) AS mark WHERE (SELECT count(*) FROM page) < %d",
			   list->looks - 1, list->filter->limit);
}

static int check(const struct saga_filter *filter, struct err *err)
{
	if (filter->limit < 1 || filter->limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d sagas", MAX_LIST);
	if (filter->after_id[0] && saga_id_slot(filter->after_id) < 0)
		return err_set(err, ERR_INVALID, "a page goes on after the id of a saga");
	if (filter->n_search > SEARCH_VALUES_MAX)
		return err_set(err, ERR_LIMIT, "a list is searched by at most %d values",
					   SEARCH_VALUES_MAX);
	return 0;
}

int pg__list(struct store_reader *reader, struct saga_filter *filter,
			 int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(list_release) struct list list = {.filter = filter};
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf sql;
	int r = check(filter, err), n;

	list.looks = filter->looks > 0 ? filter->looks : STORE_LIST_LOOKS;
	buf_init(&sql, 0);
	filter->looked_to[0] = '\0';
	if (r == 0 && ((filter->id && saga_id_slot(filter->id) < 0) ||
				   (filter->parent && saga_id_slot(filter->parent) < 0)))
		return 0; /* no saga has such an id */
	list.by_key = filter->key && (filter->key_exact || !has_wildcard(filter->key));
	if (r == 0)
		add_params(&list);
	if (r == 0 && list.by_key)
		r = add_keys(pg__reader_conn(reader), pg__from(reader->store), &list, err);
	if (r < 0)
		return r;
	if (list.by_key || list.id)
		build_found(&list, &sql);
	else
		build_walked(&list, &sql);
	r = pg__ask_sql(pg__reader_conn(reader), buf_str(&sql), &list.args, &result, err);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "the list took too long; narrow it by time, status or key");
	if (r < 0)
		return r;
	n = PQntuples(result);
	if (n > 0 && PQnfields(result) > COLUMN_COUNT &&
		strcmp(PQgetvalue(result, n - 1, COLUMN_COUNT), "t") == 0)
		PG_COPY(result, --n, 1, filter->looked_to);
	return pg__each_saga(result, n, row, ctx, NULL, err);
}
