/*
 * Which versions start sagas, and what is known of schedules. Both rows are written as a whole, by
 * who has read the last one.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

/* Binds what a row says, in the order that its statements have. */
static void bind_routing(sqlite3_stmt *stmt, const void *from)
{
	const struct routing_row *row = from;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	sqlite3_bind_int64(stmt, 3, row->current);
	sqlite3_bind_int64(stmt, 4, row->previous);
	sqlite3_bind_int64(stmt, 5, row->canary);
	sqlite3_bind_int(stmt, 6, row->percent);
	sqlite3_bind_int(stmt, 7, row->paused);
	store_sqlite__bind_text(stmt, 8, row->reason);
	store_sqlite__bind_text(stmt, 9, row->by);
	sqlite3_bind_int64(stmt, 10, row->updated_at);
	sqlite3_bind_int64(stmt, 11, row->revision + 1);
}

static void bind_schedule(sqlite3_stmt *stmt, const void *from)
{
	const struct schedule_row *row = from;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	sqlite3_bind_int(stmt, 3, row->paused);
	store_sqlite__bind_text(stmt, 4, row->reason);
	store_sqlite__bind_text(stmt, 5, row->state);
	store_sqlite__bind_text(stmt, 6, row->by);
	sqlite3_bind_int64(stmt, 7, row->updated_at);
	sqlite3_bind_int64(stmt, 8, row->revision + 1);
}

struct said {
	enum store_sqlite_write find, put;
	void (*bind)(sqlite3_stmt *stmt, const void *row);
	const char *what;
};

/* The find statement gives the revision, and whether the rest of the row is what is put. */
static int put_in_transaction(struct store_sqlite *s, const struct said *said, const void *row,
							  const char *name, int64_t read, struct err *err)
{
	sqlite3_stmt *stmt = s->stmts[said->find];
	int64_t revision = 0;
	bool same = false;
	int rc;

	said->bind(stmt, row);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		revision = sqlite3_column_int64(stmt, 0);
		same = sqlite3_column_int(stmt, 1) != 0;
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_DONE && revision == read) {
		said->bind(s->stmts[said->put], row);
		rc = store_sqlite__run(s->stmts[said->put]);
	} else if (rc == SQLITE_DONE && !(same && revision == read + 1)) {
		return err_set(err, ERR_CONFLICT, "%s %s was changed by somebody else just now", said->what,
					   name);
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(s->db, rc, "cannot write a row", err);
}

static int put(struct store_sqlite *s, const struct said *said, const void *row, const char *name,
			   int64_t *revision, struct err *err)
{
	int r = store_sqlite__begin(s, err);

	if (r < 0)
		return r;
	r = put_in_transaction(s, said, row, name, *revision, err);
	if (r < 0) {
		store_sqlite__rollback(s);
		return r;
	}
	r = store_sqlite__end(s, err);
	if (r == 0)
		++*revision;
	return r;
}

int store_sqlite__routing_put(struct store *store, struct routing_row *row, struct err *err)
{
	static const struct said said = {W_ROUTING_FIND, W_ROUTING_PUT, bind_routing, "definition"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_routing(row, err);

	return r == 0 ? put(s, &said, row, row->name, &row->revision, err) : r;
}

int store_sqlite__schedule_put(struct store *store, struct schedule_row *row, struct err *err)
{
	static const struct said said = {W_SCHEDULE_FIND, W_SCHEDULE_PUT, bind_schedule, "schedule"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_schedule(row, err);

	return r == 0 ? put(s, &said, row, row->name, &row->revision, err) : r;
}

int store_sqlite__route_new_version(struct store_sqlite *s, const struct definition_row *row)
{
	sqlite3_stmt *stmt = s->stmts[row->canary ? W_ROUTING_CANARY : W_ROUTING_CURRENT];

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	sqlite3_bind_int64(stmt, 3, row->version);
	sqlite3_bind_int64(stmt, 4, row->deployed_at);
	if (row->canary)
		sqlite3_bind_int(stmt, 5, row->percent);
	return store_sqlite__run(stmt);
}

static struct routing_row read_routing(sqlite3_stmt *stmt)
{
	return (struct routing_row){
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.current = sqlite3_column_int64(stmt, 2),
		.previous = sqlite3_column_int64(stmt, 3),
		.canary = sqlite3_column_int64(stmt, 4),
		.percent = sqlite3_column_int(stmt, 5),
		.paused = sqlite3_column_int(stmt, 6) != 0,
		.reason = store_sqlite__text(stmt, 7),
		.by = store_sqlite__text(stmt, 8),
		.updated_at = sqlite3_column_int64(stmt, 9),
		.revision = sqlite3_column_int64(stmt, 10),
	};
}

static struct schedule_row read_schedule(sqlite3_stmt *stmt)
{
	return (struct schedule_row){
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.paused = sqlite3_column_int(stmt, 2) != 0,
		.reason = store_sqlite__text(stmt, 3),
		.state = store_sqlite__text(stmt, 4),
		.by = store_sqlite__text(stmt, 5),
		.updated_at = sqlite3_column_int64(stmt, 6),
		.revision = sqlite3_column_int64(stmt, 7),
	};
}

int store_sqlite__routing_list(struct store_reader *store_reader, const char *ns, const char *name,
							   int (*row)(void *ctx, const struct routing_row *row), void *ctx,
							   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, name ? R_ROUTING : R_ROUTINGS, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	if (name)
		store_sqlite__bind_text(stmt, 2, name);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct routing_row routing = read_routing(stmt);

		r = row(ctx, &routing);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__schedule_list(struct store_reader *store_reader, const char *ns, const char *name,
								int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
								struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, name ? R_SCHEDULE : R_SCHEDULES, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	if (name)
		store_sqlite__bind_text(stmt, 2, name);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct schedule_row schedule = read_schedule(stmt);

		r = row(ctx, &schedule);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}
