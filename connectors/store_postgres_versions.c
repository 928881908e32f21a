/*
 * Which versions start sagas, and what is known of schedules. Both rows are written as a whole, by
 * who has read the last one.
 */
#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

int pg__routing_put(struct store *store, struct routing_row *row, struct err *err)
{
	struct pg_args args = {0};
	int r = store_check_routing(row, err);

	if (r < 0)
		return r;
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->name);
	pg__arg_int(&args, row->current);
	pg__arg_int(&args, row->previous);
	pg__arg_int(&args, row->canary);
	pg__arg_int(&args, row->percent);
	pg__arg_text(&args, row->paused ? "t" : "f");
	pg__arg_text(&args, row->reason);
	pg__arg_text(&args, row->by);
	pg__arg_int(&args, row->updated_at);
	pg__arg_int(&args, row->revision);
	return pg__put_revised(pg__from(store), PG_ROUTING_PUT, &args, "definition", row->name,
						   &row->revision, err);
}

int pg__schedule_put(struct store *store, struct schedule_row *row, struct err *err)
{
	struct pg_args args = {0};
	int r = store_check_schedule(row, err);

	if (r < 0)
		return r;
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->name);
	pg__arg_text(&args, row->paused ? "t" : "f");
	pg__arg_text(&args, row->reason);
	pg__arg_text(&args, row->state);
	pg__arg_text(&args, row->by);
	pg__arg_int(&args, row->updated_at);
	pg__arg_int(&args, row->revision);
	return pg__put_revised(pg__from(store), PG_SCHEDULE_PUT, &args, "schedule", row->name,
						   &row->revision, err);
}

/* All of a namespace (NULL: of all), or the one with the name. */
static int ask_named(struct store_reader *reader, enum pg_statement one, enum pg_statement all,
					 const char *ns, const char *name, PGresult **ret_result, struct err *err)
{
	struct pg_args args = {0};

	pg__arg_text(&args, ns);
	if (name)
		pg__arg_text(&args, name);
	return pg__ask(pg__reader_conn(reader), name ? one : all, &args, ret_result, err);
}

int pg__routing_list(struct store_reader *reader, const char *ns, const char *name,
					 int (*row)(void *ctx, const struct routing_row *row), void *ctx,
					 struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	int r = ask_named(reader, PG_ROUTING, PG_ROUTINGS, ns, name, &result, err);

	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		const struct routing_row routing = {
			.ns = pg__text(result, i, 0),
			.name = pg__text(result, i, 1),
			.current = pg__int(result, i, 2),
			.previous = pg__int(result, i, 3),
			.canary = pg__int(result, i, 4),
			.percent = (int)pg__int(result, i, 5),
			.paused = pg__int(result, i, 6) != 0,
			.reason = pg__text(result, i, 7),
			.by = pg__text(result, i, 8),
			.updated_at = pg__int(result, i, 9),
			.revision = pg__int(result, i, 10),
		};

		r = row(ctx, &routing);
	}
	return r;
}

int pg__schedule_list(struct store_reader *reader, const char *ns, const char *name,
					  int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
					  struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	int r = ask_named(reader, PG_SCHEDULE, PG_SCHEDULES, ns, name, &result, err);

	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		const struct schedule_row schedule = {
			.ns = pg__text(result, i, 0),
			.name = pg__text(result, i, 1),
			.paused = pg__int(result, i, 2) != 0,
			.reason = pg__text(result, i, 3),
			.state = pg__text(result, i, 4),
			.by = pg__text(result, i, 5),
			.updated_at = pg__int(result, i, 6),
			.revision = pg__int(result, i, 7),
		};

		r = row(ctx, &schedule);
	}
	return r;
}
