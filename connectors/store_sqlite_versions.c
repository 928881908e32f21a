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

int store_sqlite__routing_put(struct store *store, struct routing_row *row, struct err *err)
{
	static const struct store_sqlite_revised table = {W_ROUTING_FIND, W_ROUTING_PUT, bind_routing,
													  "definition"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_routing(row, err);

	return r == 0 ? store_sqlite__put_revised(s, &table, row, row->name, &row->revision, err) : r;
}

int store_sqlite__schedule_put(struct store *store, struct schedule_row *row, struct err *err)
{
	static const struct store_sqlite_revised table = {W_SCHEDULE_FIND, W_SCHEDULE_PUT,
													  bind_schedule, "schedule"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_schedule(row, err);

	return r == 0 ? store_sqlite__put_revised(s, &table, row, row->name, &row->revision, err) : r;
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

struct routing_call {
	int (*row)(void *ctx, const struct routing_row *row);
	void *ctx;
};

static int give_routing(sqlite3_stmt *stmt, void *to)
{
	const struct routing_call *call = to;
	const struct routing_row routing = {
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

	return call->row(call->ctx, &routing);
}

int store_sqlite__routing_list(struct store_reader *reader, const char *ns, const char *name,
							   int (*row)(void *ctx, const struct routing_row *row), void *ctx,
							   struct err *err)
{
	struct routing_call call = {row, ctx};

	return store_sqlite__list_revised(reader, name ? R_ROUTING : R_ROUTINGS, ns, name, give_routing,
									  &call, err);
}

struct schedule_call {
	int (*row)(void *ctx, const struct schedule_row *row);
	void *ctx;
};

static int give_schedule(sqlite3_stmt *stmt, void *to)
{
	const struct schedule_call *call = to;
	const struct schedule_row schedule = {
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.paused = sqlite3_column_int(stmt, 2) != 0,
		.reason = store_sqlite__text(stmt, 3),
		.state = store_sqlite__text(stmt, 4),
		.by = store_sqlite__text(stmt, 5),
		.updated_at = sqlite3_column_int64(stmt, 6),
		.revision = sqlite3_column_int64(stmt, 7),
	};

	return call->row(call->ctx, &schedule);
}

int store_sqlite__schedule_list(struct store_reader *reader, const char *ns, const char *name,
								int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
								struct err *err)
{
	struct schedule_call call = {row, ctx};

	return store_sqlite__list_revised(reader, name ? R_SCHEDULE : R_SCHEDULES, ns, name,
									  give_schedule, &call, err);
}
