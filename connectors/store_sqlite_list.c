/*
 * Lists of sagas: a filter becomes one statement, newest first. The table is ordered by (namespace,
 * id), and an id begins with its time, so a page is a walk down from where the last one ended. What
 * is rare (active, in need of a person, ended otherwise than completed) has small indexes of its
 * own; the statement names the one to use, because SQLite cannot know how rare each is. What is
 * active is awake or asleep, of one status or another; these walks are merged.
 *
 * A walk that finds too little ends with an error instead of holding up its thread.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

enum { MAX_LIST = 1000 };

#define MASK(status) (1U << (status))

static const unsigned ended_otherwise =
	MASK(SAGA_COMPENSATED) | MASK(SAGA_FAILED) | MASK(SAGA_TERMINATED);

static bool has_wildcard(const char *glob)
{
	return strpbrk(glob, "*?") != NULL;
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

/* Only what has not ended is asked for. */
static bool wants_active(const struct saga_filter *filter)
{
	return filter->status_mask && !filter->attention_only &&
		   !(filter->status_mask & (MASK(SAGA_COMPLETED) | ended_otherwise));
}

static const char *choose_index(const struct saga_filter *filter)
{
	unsigned mask = filter->status_mask;

	if (filter->attention_only)
		return " INDEXED BY sagas_attention";
	if (mask && !(mask & ~ended_otherwise))
		return " INDEXED BY sagas_not_completed";
	return "";
}

static void add_statuses(unsigned mask, struct buf *sql)
{
	const char *separator = "";

	/* The texts of the indexes' conditions, so that SQLite sees that they hold. */
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

static void add_select(const struct saga_filter *filter, unsigned mask, const char *index,
					   struct buf *sql)
{
	buf_add_lit(sql, "SELECT " STORE_SQLITE_SAGA_COLUMNS " FROM sagas");
	buf_add_str(sql, index);
	buf_add_lit(sql, " WHERE namespace = ?1");
	if (filter->after_id[0])
		buf_add_lit(sql, " AND id < ?2");
	if (filter->attention_only)
		buf_add_lit(sql, " AND attention IS NOT NULL");
	if (mask)
		add_statuses(mask, sql);
	if (filter->definition)
		buf_add_str(sql, has_wildcard(filter->definition) ? " AND definition GLOB ?3"
														  : " AND definition = ?3");
	if (filter->key && has_wildcard(filter->key))
		buf_add_lit(sql, " AND key GLOB ?4");
	else if (filter->key)
		/* Through the table of keys, definition by definition: each is one look-up. */
		buf_add_lit(sql, " AND key = ?4 AND id IN (WITH RECURSIVE names (name) AS ("
						 "SELECT min(definition) FROM idempotency WHERE namespace = ?1"
						 " UNION ALL SELECT (SELECT min(definition) FROM idempotency"
						 " WHERE namespace = ?1 AND definition > name) FROM names"
						 " WHERE name IS NOT NULL) SELECT saga_id FROM names CROSS JOIN idempotency"
						 " WHERE namespace = ?1 AND definition = name AND key = ?4)");
	if (filter->started_from)
		buf_add_lit(sql, " AND started_at >= ?5");
	if (filter->started_before)
		buf_add_lit(sql, " AND started_at < ?6");
}

static void build(const struct saga_filter *filter, struct buf *sql)
{
	unsigned mask = filter->status_mask;

	if (!wants_active(filter)) {
		add_select(filter, mask, choose_index(filter), sql);
	} else {
		add_select(filter, mask, " INDEXED BY sagas_open", sql);
		buf_add_lit(sql, " AND due_at IS NULL");
		for (int status = 0; status < SAGA_STATUS_COUNT; status++) {
			if (!(mask & MASK(status)))
				continue;
			buf_add_lit(sql, " UNION ALL ");
			add_select(filter, MASK(status), " INDEXED BY sagas_asleep", sql);
			buf_add_lit(sql, " AND due_at IS NOT NULL");
		}
	}
	buf_add_lit(sql, " ORDER BY id DESC LIMIT ?7");
}

int store_sqlite__spend_budget(void *ctx)
{
	int *units = ctx;

	return --*units <= 0;
}

static void finalize_p(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

int store_sqlite__list_on(sqlite3 *db, struct saga_filter *filter,
						  int (*row)(void *ctx, const struct saga_row *row), void *ctx,
						  struct err *err)
{
	CLEANUP(free_p) char *definition = NULL, *key = NULL;
	CLEANUP(finalize_p) sqlite3_stmt *stmt = NULL;
	CLEANUP(buf_release) struct buf sql;
	int units = STORE_SQLITE_BUDGET_UNITS, r;

	buf_init(&sql, 0);
	if (filter->limit < 1 || filter->limit > MAX_LIST)
		return err_set(err, ERR_INVALID, "a page has 1 to %d sagas", MAX_LIST);
	build(filter, &sql);
	r = store_sqlite__prepare(db, buf_str(&sql), &stmt, err);
	if (r < 0)
		return r;
	if (filter->definition)
		definition = has_wildcard(filter->definition) ? to_sqlite_glob(filter->definition)
													  : xstrdup(filter->definition);
	if (filter->key)
		key = has_wildcard(filter->key) ? to_sqlite_glob(filter->key) : xstrdup(filter->key);
	store_sqlite__bind_text(stmt, 1, filter->ns);
	store_sqlite__bind_text(stmt, 2, filter->after_id);
	store_sqlite__bind_text(stmt, 3, definition);
	store_sqlite__bind_text(stmt, 4, key);
	sqlite3_bind_int64(stmt, 5, filter->started_from);
	sqlite3_bind_int64(stmt, 6, filter->started_before);
	sqlite3_bind_int(stmt, 7, filter->limit);
	sqlite3_progress_handler(db, STORE_SQLITE_BUDGET_UNIT, store_sqlite__spend_budget, &units);
	r = store_sqlite__each_saga(db, stmt, row, ctx, NULL, err);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	if (r < 0 && units <= 0)
		return err_set(err, ERR_LIMIT,
					   "the list had to look at too many sagas; narrow it by time, status or key");
	return r;
}
