/*
 * Lists of sagas: a filter becomes one statement, newest or oldest first. The table is ordered by
 * (namespace, id), and an id begins with its time, so a page is a walk from where the last one
 * ended. What is rare (active, in need of a person, taken by one, ended otherwise than completed)
 * has small indexes of its own; the statement names the one to use, because SQLite cannot know how
 * rare each is. What is active is awake or asleep, of one status or another; these walks are
 * merged.
 *
 * What no index knows is not in the statement's conditions but a column of its own, so that every
 * row that is looked at is seen here and counted: a walk that finds too little ends, and says
 * where, instead of holding up its thread. It gives ids only, so that an index that knows enough is
 * all that is read of what does not match; rows are read when they do.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

enum { MAX_LIST = 1000, COL_ID = 0, COL_HIT = 1, SEARCH_PARAMETER = 16 };

/*
 * An id is made before its saga starts, by a node's clock: a little before as a rule, and long
 * before when the store was away meanwhile. Ids bound a walk by time no closer than this.
 */
#define ID_EARLIER_MS ((wall_ms)24 * 3600 * 1000)
#define ID_LATER_MS ((wall_ms)3600 * 1000)

#define MASK(status) (1U << (status))

static const unsigned ended_otherwise =
	MASK(SAGA_COMPENSATED) | MASK(SAGA_FAILED) | MASK(SAGA_TERMINATED);

static bool is_glob(const char *text)
{
	return text && strpbrk(text, "*?");
}

static bool has_exact_key(const struct saga_filter *filter)
{
	return filter->key && (filter->key_exact || !is_glob(filter->key));
}

/* Our globs know * and ? only; SQLite's know [ too, which here stands for itself. */
static char *to_sqlite_glob(const char *glob)
{
	struct buf text;
	size_t len;

	buf_init(&text, 0);
	for (; *glob; glob++) {
		if (*glob == '[')
			buf_add_lit(&text, "[[]");
		else
			buf_add_char(&text, *glob);
	}
	return buf_take(&text, &len);
}

/* How the rows are found. */
enum walk {
	WALK_LOOK_UP, /* few ids */
	WALK_PARENT,
	WALK_SEARCH, /* by the first pair */
	WALK_GROUP,
	WALK_OWNER,
	WALK_KIND,
	WALK_STEP,
	WALK_ATTENTION,
	WALK_ACTIVE, /* awake and asleep, merged */
	WALK_ENDED_OTHERWISE,
	WALK_ALL
};

static enum walk choose_walk(const struct saga_filter *filter)
{
	unsigned mask = filter->status_mask;

	if (filter->id || has_exact_key(filter))
		return WALK_LOOK_UP;
	if (filter->parent)
		return WALK_PARENT;
	if (filter->n_search > 0)
		return WALK_SEARCH;
	if (filter->group)
		return WALK_GROUP;
	if (filter->owner)
		return WALK_OWNER;
	if (filter->kind)
		return WALK_KIND;
	if (filter->step)
		return WALK_STEP;
	if (filter->attention_only)
		return WALK_ATTENTION;
	if (mask && !(mask & (MASK(SAGA_COMPLETED) | ended_otherwise)))
		return WALK_ACTIVE;
	if (mask && !(mask & ~ended_otherwise))
		return WALK_ENDED_OTHERWISE;
	return WALK_ALL;
}

static void add_statuses(unsigned mask, struct buf *sql)
{
	const char *separator = "";

	buf_add_lit(sql, " AND status IN (");
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(mask & MASK(status)))
			continue;
		buf_printf(sql, "%s'%s'", separator, saga_status_text((enum saga_status)status));
		separator = ", ";
	}
	buf_add_char(sql, ')');
}

/* Whether a row that was looked at is one that was asked for. */
static void add_hit(const struct saga_filter *filter, struct buf *sql)
{
	buf_add_char(sql, '1');
	if (filter->status_mask)
		add_statuses(filter->status_mask, sql);
	if (filter->definition)
		buf_add_str(sql, is_glob(filter->definition) ? " AND definition GLOB ?3"
													 : " AND definition = ?3");
	if (filter->version)
		buf_add_lit(sql, " AND version = ?9");
	if (filter->key)
		buf_add_str(sql, has_exact_key(filter) ? " AND key IS ?4"
											   : " AND key IS NOT NULL AND key GLOB ?4");
	/* Whatever has a group, a kind or a step concerns a person. */
	if (filter->attention_only && !filter->group && !filter->kind && !filter->step)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	if (filter->group)
		buf_add_lit(sql, " AND attention_group IS ?10");
	if (filter->kind)
		buf_add_lit(sql, " AND attention_kind IS ?11");
	if (filter->step)
		buf_add_lit(sql, " AND attention_step IS ?12");
	if (filter->owner)
		buf_add_lit(sql, " AND owner IS ?13");
	if (filter->parent)
		buf_add_lit(sql, " AND parent_id IS ?15");
	for (size_t i = 0; i < filter->n_search; i++)
		buf_printf(sql,
				   " AND EXISTS (SELECT 1 FROM search WHERE namespace = ?1 AND name = ?%zu"
				   " AND value = ?%zu AND saga_id = id)",
				   SEARCH_PARAMETER + 2 * i, SEARCH_PARAMETER + 2 * i + 1);
	if (filter->started_from)
		buf_add_lit(sql, " AND started_at >= ?5");
	if (filter->started_before)
		buf_add_lit(sql, " AND started_at < ?6");
}

/* Where a page begins and ends, by a column that is the id. */
static void add_bounds(const struct saga_filter *filter, const char *id, struct buf *sql)
{
	if (filter->after_id[0])
		buf_printf(sql, " AND %s %s ?2", id, filter->oldest_first ? ">" : "<");
	if (filter->started_from)
		buf_printf(sql, " AND %s >= ?7", id);
	if (filter->started_before)
		buf_printf(sql, " AND %s < ?8", id);
}

static void add_walk(const struct saga_filter *filter, const char *index, const char *condition,
					 struct buf *sql)
{
	buf_add_lit(sql, "SELECT id, ");
	add_hit(filter, sql);
	buf_add_lit(sql, " FROM sagas ");
	buf_add_str(sql, index);
	buf_add_lit(sql, " WHERE namespace = ?1");
	add_bounds(filter, "id", sql);
	buf_add_str(sql, condition);
}

/* Along the values of one name, in the order of the ids. */
static void add_search(const struct saga_filter *filter, struct buf *sql)
{
	buf_add_lit(sql, "SELECT id, ");
	add_hit(filter, sql);
	buf_add_lit(sql, " FROM (SELECT saga_id AS found FROM search WHERE namespace = ?1"
					 " AND name = ?16 AND value = ?17");
	add_bounds(filter, "saga_id", sql);
	buf_add_lit(sql, ") CROSS JOIN sagas NOT INDEXED ON namespace = ?1 AND id = found");
}

/* By the table of keys, definition by definition: each is one look-up. */
static const char by_key[] =
	" AND id IN (WITH RECURSIVE names (name) AS (SELECT min(definition) FROM idempotency"
	" WHERE namespace = ?1 UNION ALL SELECT (SELECT min(definition) FROM idempotency"
	" WHERE namespace = ?1 AND definition > name) FROM names WHERE name IS NOT NULL)"
	" SELECT saga_id FROM names CROSS JOIN idempotency"
	" WHERE namespace = ?1 AND definition = name AND key = ?4)";

static void add_active(const struct saga_filter *filter, struct buf *sql)
{
	char asleep[100];

	add_walk(filter, "INDEXED BY sagas_open", " AND ended_at IS NULL AND due_at IS NULL", sql);
	for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
		if (!(filter->status_mask & MASK(status)))
			continue;
		snprintf(asleep, sizeof(asleep),
				 " AND ended_at IS NULL AND due_at IS NOT NULL AND status = '%s'",
				 saga_status_text((enum saga_status)status));
		buf_add_lit(sql, " UNION ALL ");
		add_walk(filter, "INDEXED BY sagas_asleep", asleep, sql);
	}
}

static void build(const struct saga_filter *filter, struct buf *sql)
{
	switch (choose_walk(filter)) {
	case WALK_LOOK_UP:
		add_walk(filter, "NOT INDEXED", filter->id ? " AND id = ?14" : by_key, sql);
		break;
	case WALK_PARENT:
		add_walk(filter, "INDEXED BY sagas_parent", " AND parent_id = ?15", sql);
		break;
	case WALK_SEARCH:
		add_search(filter, sql);
		buf_add_str(sql, filter->oldest_first ? " ORDER BY found" : " ORDER BY found DESC");
		return;
	case WALK_GROUP:
		add_walk(filter, "INDEXED BY sagas_attention_group", " AND attention_group = ?10", sql);
		break;
	case WALK_OWNER:
		add_walk(filter, "INDEXED BY sagas_owner", " AND owner = ?13", sql);
		break;
	case WALK_KIND:
		add_walk(filter, "INDEXED BY sagas_attention_kind", " AND attention_kind = ?11", sql);
		break;
	case WALK_STEP:
		add_walk(filter, "INDEXED BY sagas_attention_step", " AND attention_step = ?12", sql);
		break;
	case WALK_ATTENTION:
		add_walk(filter, "INDEXED BY sagas_attention", " AND attention IS NOT NULL", sql);
		break;
	case WALK_ACTIVE:
		add_active(filter, sql);
		break;
	case WALK_ENDED_OTHERWISE:
		add_walk(filter, "INDEXED BY sagas_not_completed",
				 " AND status IN ('compensated', 'failed', 'terminated')", sql);
		break;
	case WALK_ALL:
		add_walk(filter, "NOT INDEXED", "", sql);
		break;
	}
	buf_add_str(sql, filter->oldest_first ? " ORDER BY id" : " ORDER BY id DESC");
}

static void finalize_p(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

/* A text that is bound: a glob in SQLite's form. */
static char *bound_text(const char *text, bool exact)
{
	return text && !exact && is_glob(text) ? to_sqlite_glob(text) : text ? xstrdup(text) : NULL;
}

static void bind_time_id(sqlite3_stmt *stmt, int i, wall_ms at)
{
	static const unsigned char zeros[8] = {0};
	char id[SAGA_ID_SIZE];

	saga_id_make(at > 0 ? at : 0, 0, zeros, id);
	sqlite3_bind_text(stmt, i, id, -1, SQLITE_TRANSIENT);
}

static void bind(sqlite3_stmt *stmt, const struct saga_filter *filter, const char *definition,
				 const char *key)
{
	store_sqlite__bind_text(stmt, 1, filter->ns);
	store_sqlite__bind_text(stmt, 2, filter->after_id);
	store_sqlite__bind_text(stmt, 3, definition);
	store_sqlite__bind_text(stmt, 4, key);
	sqlite3_bind_int64(stmt, 5, filter->started_from);
	sqlite3_bind_int64(stmt, 6, filter->started_before);
	bind_time_id(stmt, 7, filter->started_from - ID_EARLIER_MS);
	bind_time_id(stmt, 8, filter->started_before + ID_LATER_MS);
	sqlite3_bind_int64(stmt, 9, filter->version);
	store_sqlite__bind_text(stmt, 10, filter->group);
	store_sqlite__bind_text(stmt, 11, filter->kind);
	store_sqlite__bind_text(stmt, 12, filter->step);
	store_sqlite__bind_text(stmt, 13, filter->owner);
	store_sqlite__bind_text(stmt, 14, filter->id);
	store_sqlite__bind_text(stmt, 15, filter->parent);
	for (size_t i = 0; i < filter->n_search; i++) {
		int place = SEARCH_PARAMETER + 2 * (int)i;

		store_sqlite__bind_text(stmt, place, filter->search[i].name);
		store_sqlite__bind_text(stmt, place + 1, filter->search[i].value);
	}
}

/* Within the statement of the walk, so that both see one state of the store. */
static int give_row(struct store_sqlite_reader *reader, const char *ns, sqlite3_stmt *walk,
					int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct saga_row saga;
	int r = store_sqlite__get(reader, R_LIST_ROW, &stmt, err);

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	sqlite3_bind_value(stmt, 2, sqlite3_column_value(walk, COL_ID));
	if (sqlite3_step(stmt) != SQLITE_ROW)
		return store_sqlite__read_error(reader, sqlite3_errcode(reader->db), err);
	r = store_sqlite__read_saga(stmt, &saga, err);
	return r < 0 ? r : row(ctx, &saga);
}

/* Walks until the page is full, all was looked at, or enough. */
static int walk(struct store_sqlite_reader *reader, sqlite3_stmt *stmt, struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	int looks = filter->looks > 0 ? filter->looks : STORE_LIST_LOOKS, rc = SQLITE_ROW, n = 0, r;

	while (n < filter->limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (looks-- == 0) /* of this row nothing is known yet; looked_to is the last one */
			return 0;
		if (sqlite3_column_int(stmt, COL_HIT)) {
			r = give_row(reader, filter->ns, stmt, row, ctx, err);
			if (r != 0)
				return r;
			n++;
		}
		if (looks == 0)
			STORE_SQLITE_COPY(stmt, COL_ID, filter->looked_to);
	}
	filter->looked_to[0] = '\0';
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__list(struct store_reader *store_reader, struct saga_filter *filter,
					   int (*row)(void *ctx, const struct saga_row *row), void *ctx,
					   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(free_p) char *definition = NULL, *key = NULL;
	CLEANUP(finalize_p) sqlite3_stmt *stmt = NULL;
	CLEANUP(buf_release) struct buf sql;
	int r;

	buf_init(&sql, 0);
	filter->looked_to[0] = '\0';
	if (filter->limit < 1 || filter->limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d sagas", MAX_LIST);
	if (filter->n_search > SEARCH_VALUES_MAX)
		return err_set(err, ERR_LIMIT, "a list is searched by at most %d values",
					   SEARCH_VALUES_MAX);
	build(filter, &sql);
	r = store_sqlite__prepare(reader->db, buf_str(&sql), &stmt, err);
	if (r < 0)
		return r;
	definition = bound_text(filter->definition, false);
	key = bound_text(filter->key, filter->key_exact);
	bind(stmt, filter, definition, key);
	return walk(reader, stmt, filter, row, ctx, err);
}
