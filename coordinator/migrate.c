/*
 * Three things must hold: the history plays again on the other version without a difference; the
 * input fits its schema, since its expressions were checked against that; and what outlives a fold
 * (calls that are out, subscriptions of cancel_on) means the same: steps that have begun keep their
 * places, and cancel_on is the same.
 */
#include "coordinator/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/replay.h"

enum { PAGE_ROWS = 500 };

/* The rows of the present run. */
struct rows {
	struct replay_row *list;
	size_t n, cap;
	int64_t first, last; /* of the rows that are wanted */
	int n_page;
	int64_t seq;
};

static int keep_row(void *ctx, const struct history_row *row)
{
	struct rows *rows = ctx;

	rows->n_page++;
	rows->seq = row->seq;
	if (row->seq < rows->first || row->seq > rows->last)
		return 0;
	if (rows->n == rows->cap) {
		rows->cap = rows->cap ? 2 * rows->cap : 64;
		rows->list = xrealloc_array(rows->list, rows->cap, sizeof(*rows->list));
	}
	rows->list[rows->n++] = (struct replay_row){
		.seq = row->seq,
		.at = row->at,
		.events = xstrndup(row->events, row->events_len),
		.len = row->events_len,
	};
	return 0;
}

static void rows_release(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free((char *)rows->list[i].events);
	free(rows->list);
}

static int read_rows(struct store_reader *reader, const struct saga_view *view, struct rows *rows,
					 struct err *err)
{
	int r;

	rows->first = view->state->base_row > 0 ? view->state->base_row : 1;
	rows->last = view->seq;
	rows->seq = rows->first - 1;
	do {
		rows->n_page = 0;
		r = reader->store->ops->history(reader, view->row.id, rows->seq, PAGE_ROWS, keep_row, rows,
										err);
	} while (r == 0 && rows->n_page == PAGE_ROWS && rows->seq < rows->last);
	return r;
}

static int replays(struct store_reader *reader, const struct saga_view *view, struct saga_def *def,
				   struct err *err)
{
	CLEANUP(rows_release) struct rows rows = {.n = 0};
	const struct replay_options options = {.times = false};
	struct replay_divergence divergence = {0};
	bool same = false;
	int r = read_rows(reader, view, &rows, err);

	if (r == 0)
		r = saga_replay(def, view->row.id, rows.list, rows.n, &options, &same, &divergence, err);
	if (r == 0 && !same)
		r = err_set(err, ERR_CONFLICT,
					"version %lld would decide otherwise from row %lld, event %d on: %.300s",
					(long long)def->version, (long long)divergence.seq, divergence.index,
					divergence.why ? divergence.why : "");
	replay_divergence_release(&divergence);
	return r;
}

static void keep_first(void *ctx, const struct err *err)
{
	struct err *first = ctx;

	if (first->code == 0)
		*first = *err;
}

static int input_fits(const struct saga_view *view, const struct saga_def *def, struct err *err)
{
	struct err first = {0};

	if (!def->input_schema ||
		schema_validate(def->input_schema, jval_json(view->state->input), keep_first, &first) == 0)
		return 0;
	return err_set(err, ERR_CONFLICT,
				   "the saga's input does not fit the schema of version %lld: /input%s: %.300s",
				   (long long)def->version, first.place, first.text);
}

static int places_agree(const struct saga_view *view, const struct saga_def *def, struct err *err)
{
	const struct saga_state *state = view->state;

	for (int i = 0; i < state->def->n_steps; i++) {
		const char *id = state->def->steps[i].id;

		if (state->steps[i].n_actions == 0)
			continue;
		if (i >= def->n_steps || strcmp(def->steps[i].id, id) != 0)
			return err_set(err, ERR_CONFLICT,
						   "step %s has begun, and stands at another place in version %lld", id,
						   (long long)def->version);
	}
	if (!json_equal(json_object_get(state->def->doc, "cancel_on"),
					json_object_get(def->doc, "cancel_on")) &&
		state->def->n_cancel_on + def->n_cancel_on > 0)
		return err_set(
			err, ERR_CONFLICT,
			"`cancel_on` of version %lld is another, and what the saga waits for was said "
			"when it began",
			(long long)def->version);
	return 0;
}

int migrate_check_def(struct store_reader *reader, const struct saga_view *view,
					  struct saga_def *def, struct err *err)
{
	int r = input_fits(view, def, err);

	if (r == 0)
		r = places_agree(view, def, err);
	return r == 0 ? replays(reader, view, def, err) : r;
}

int migrate_check(struct store_reader *reader, struct registry *registry,
				  const struct saga_view *view, struct act *act, struct err *err)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	int r = registry_get(registry, view->row.ns, view->row.definition, act->version, &def, err);

	if (r == ERR_NOT_FOUND)
		return err_set_at(err, ERR_INVALID, "/version", "there is no version %lld of %s",
						  (long long)act->version, view->row.definition);
	if (r < 0)
		return r;
	act->replayed = true;
	/* What the state itself forbids is said by the engine. */
	if (saga_status_is_terminal(view->state->status) || act->version == view->row.version)
		return 0;
	return migrate_check_def(reader, view, def, err);
}
