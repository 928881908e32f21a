/*
 * What operators read: counters that the commits have kept (store_sqlite_tally.c), groups of
 * attention, and what persons said about them.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

int store_sqlite__counts(struct store_reader *store_reader, const char *ns,
						 int64_t counts[SAGA_STATUS_COUNT], struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = store_sqlite__get(reader, ns ? R_COUNTS : R_COUNTS_ALL, &stmt, err);
	if (r < 0)
		return r;
	memset(counts, 0, SAGA_STATUS_COUNT * sizeof(counts[0]));
	if (ns)
		store_sqlite__bind_text(stmt, 1, ns);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int status = saga_status_parse(store_sqlite__text(stmt, 0));

		if (status >= 0)
			counts[status] = sqlite3_column_int64(stmt, 1);
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__definition_counts(struct store_reader *store_reader, const char *ns,
									const char *definition,
									int (*row)(void *ctx, const struct definition_count_row *row),
									void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = store_sqlite__get(reader, definition ? R_DEFINITION_COUNTS_OF : R_DEFINITION_COUNTS, &stmt,
						  err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	if (definition)
		store_sqlite__bind_text(stmt, 2, definition);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int status = saga_status_parse(store_sqlite__text(stmt, 2));
		const struct definition_count_row count = {
			.definition = store_sqlite__text(stmt, 0),
			.version = sqlite3_column_int64(stmt, 1),
			.status = (enum saga_status)status,
			.n = sqlite3_column_int64(stmt, 3),
		};

		r = status >= 0 ? row(ctx, &count) : 0;
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__rates(struct store_reader *store_reader, const char *ns, wall_ms from,
						wall_ms until, int (*row)(void *ctx, const struct rate_row *row), void *ctx,
						struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, R_RATES, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	sqlite3_bind_int64(stmt, 2, from);
	sqlite3_bind_int64(stmt, 3, until);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct rate_row rate = {
			.at = sqlite3_column_int64(stmt, 0),
			.started = sqlite3_column_int64(stmt, 1),
			.completed = sqlite3_column_int64(stmt, 2),
			.compensated = sqlite3_column_int64(stmt, 3),
			.failed = sqlite3_column_int64(stmt, 4),
			.terminated = sqlite3_column_int64(stmt, 5),
			.attention = sqlite3_column_int64(stmt, 6),
		};

		r = row(ctx, &rate);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

/* Groups of attention. */

static void read_group(sqlite3_stmt *stmt, struct attention_group_row *ret_row)
{
	*ret_row = (struct attention_group_row){
		.ns = store_sqlite__text(stmt, 0),
		.id = store_sqlite__text(stmt, 1),
		.definition = store_sqlite__text(stmt, 2),
		.kind = store_sqlite__text(stmt, 3),
		.step = store_sqlite__text(stmt, 4),
		.side = store_sqlite__text(stmt, 5),
		.code = store_sqlite__text(stmt, 6),
		.message = store_sqlite__text(stmt, 7),
		.n = sqlite3_column_int64(stmt, 9),
		.first_seen_at = sqlite3_column_int64(stmt, 10),
		.last_seen_at = sqlite3_column_int64(stmt, 11),
		.acknowledged_by = store_sqlite__text(stmt, 12),
		.acknowledged_at = sqlite3_column_int64(stmt, 13),
		.note = store_sqlite__text(stmt, 14),
		.owner = store_sqlite__text(stmt, 15),
		.notified_at = sqlite3_column_int64(stmt, 16),
		.notified_n = sqlite3_column_int64(stmt, 17),
		.revision = sqlite3_column_int64(stmt, 18),
	};
	STORE_SQLITE_COPY(stmt, 8, ret_row->sample);
}

static int each_group(struct store_sqlite_reader *reader, sqlite3_stmt *stmt,
					  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					  struct err *err)
{
	struct attention_group_row group;
	int r, rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		read_group(stmt, &group);
		r = row(ctx, &group);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__attention_told(struct store_reader *store_reader,
								 int (*row)(void *ctx, const struct attention_group_row *row),
								 void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, R_GROUPS_TOLD, &stmt, err);

	return r < 0 ? r : each_group(reader, stmt, row, ctx, err);
}

int store_sqlite__attention_list(struct store_reader *store_reader, const char *ns, int limit,
								 int (*row)(void *ctx, const struct attention_group_row *row),
								 void *ctx, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r;

	if (limit < 1 || limit > ATTENTION_LIST_MAX)
		return err_set(err, ERR_INVALID, "1 to %d groups are given", ATTENTION_LIST_MAX);
	r = store_sqlite__get(reader, ns ? R_GROUPS : R_GROUPS_ALL, &stmt, err);
	if (r < 0)
		return r;
	if (ns)
		store_sqlite__bind_text(stmt, 1, ns);
	sqlite3_bind_int(stmt, 2, limit);
	return each_group(reader, stmt, row, ctx, err);
}

int store_sqlite__attention_get(struct store_reader *store_reader, const char *ns, const char *id,
								struct attention_group_row *ret_row, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct attention_group_row group;
	int r = store_sqlite__get(reader, R_GROUP, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "there is no group %s in namespace %s", id, ns);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	read_group(stmt, &group);
	attention_group_row_copy(&group, ret_row);
	return 0;
}

static void bind_said(sqlite3_stmt *stmt, const void *from)
{
	const struct attention_group_row *row = from;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->id);
	store_sqlite__bind_text(stmt, 3, row->acknowledged_by);
	store_sqlite__bind_time(stmt, 4, row->acknowledged_at);
	store_sqlite__bind_text(stmt, 5, row->note);
	store_sqlite__bind_text(stmt, 6, row->owner);
	store_sqlite__bind_time(stmt, 7, row->notified_at);
	sqlite3_bind_int64(stmt, 8, row->notified_n);
	sqlite3_bind_int64(stmt, 9, row->revision + 1);
}

int store_sqlite__attention_put(struct store *store, struct attention_group_row *row,
								struct err *err)
{
	static const struct store_sqlite_revised table = {W_GROUP_FIND, W_GROUP_SAY, bind_said,
													  "group"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);

	return store_sqlite__put_revised(s, &table, row, row->id, &row->revision, err);
}
