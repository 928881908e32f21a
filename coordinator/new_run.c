#include "coordinator/new_run.h"

#include <string.h>

#include "sagas/json_text.h"
#include "sagas/new_run.h"

void new_run_found_release(struct new_run_found *found)
{
	json_decref(found->refusals);
	saga_state_free(found->state);
	*found = (struct new_run_found){0};
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* One that was made before, by this act or by another. */
static int find_made(struct store_reader *reader, struct registry *registry,
					 const struct saga_view *view, const struct act *act,
					 struct new_run_found *found, struct err *err)
{
	CLEANUP(saga_view_release) struct saga_view made = {0};
	int r = saga_view_read(reader, registry, view->row.ns, found->id, 0, &made, err);
	const struct saga_run_of *run_of = r == 0 ? made.state->run_of : NULL;

	if (r == ERR_NOT_FOUND)
		return 0;
	found->exists = r == 0;
	found->same = run_of && strcmp(run_of->saga_id, view->row.id) == 0 && run_of->seq == act->to &&
				  same_text(run_of->act_id, act->id);
	return r;
}

static void refuse(struct new_run_found *found, char *text)
{
	json_array_append_new(found->refusals, json_pack("{s:s}", "reason", text));
	free(text);
}

/* The key goes over from the saga that has ended, and from no other. */
static int check_key(struct store_reader *reader, const struct saga_row *row,
					 struct new_run_found *found, struct err *err)
{
	char id[SAGA_ID_SIZE];
	int r;

	if (!row->key)
		return 0;
	r = reader->store->ops->find_key(reader, row->ns, row->definition, row->key, id,
									 found->fingerprint, err);
	if (r == ERR_NOT_FOUND)
		return 0;
	if (r == 0 && strcmp(id, row->id) != 0)
		refuse(found, xasprintf("its key is that of saga %s since", id));
	return r;
}

/* The fold is that of the new run from here on. */
static void take_state(struct saga_view *then, const struct saga_view *view, const struct act *act,
					   struct new_run_found *found)
{
	int64_t base = view->state->base_row;

	found->first = base > 0 ? base : 1;
	found->n = act->to - found->first + 1;
	found->state = TAKE(then->state);
	memcpy(found->state->id, found->id, SAGA_ID_SIZE);
	found->state->rows = found->n;
	found->state->base_row = base > 0;
}

int new_run_find(struct store_reader *reader, struct registry *registry,
				 const struct saga_view *view, const struct act *act, wall_ms now,
				 struct new_run_found *ret_found, struct err *err)
{
	CLEANUP(new_run_found_release) struct new_run_found found = {0};
	CLEANUP(saga_view_release) struct saga_view then = {0};
	int r;

	saga_new_run_id(view->row.id, view->state->ended_at, found.id);
	r = find_made(reader, registry, view, act, &found, err);
	if (r < 0)
		return r;
	if (!found.exists) {
		if (act->to < view->state->base_row)
			return err_set_at(err, ERR_INVALID, "/to",
							  "row %lld is of an earlier run, which has ended: the saga continued "
							  "as new with row %lld",
							  (long long)act->to, (long long)view->state->base_row);
		r = saga_view_read(reader, registry, view->row.ns, view->row.id, act->to, &then, err);
		if (r == ERR_NOT_FOUND)
			return err_set_at(err, ERR_INVALID, "/to", "the history ends at row %lld",
							  (long long)view->seq);
		if (r < 0)
			return r;
		found.refusals = saga_new_run_refusals(then.state, view->state, now);
		r = check_key(reader, &view->row, &found, err);
		if (r < 0)
			return r;
		if (json_array_size(found.refusals) == 0)
			take_state(&then, view, act, &found);
	}
	*ret_found = found;
	found = (struct new_run_found){0};
	return 0;
}

bool new_run_exists(struct store_reader *reader, const struct saga_row *row,
					char ret_id[SAGA_ID_SIZE])
{
	struct saga_row made = {0};
	struct err err;

	if (!row->ended_at)
		return false;
	saga_new_run_id(row->id, row->ended_at, ret_id);
	if (reader->store->ops->saga_get(reader, row->ns, ret_id, &made, &err) < 0)
		return false;
	saga_row_release(&made);
	return true;
}

int new_run_creation(struct new_run_found *found, const struct act *act, const char *of,
					 const struct lifecycle_topic *lifecycle, wall_ms now,
					 struct creation **ret_creation, struct err *err)
{
	struct history_part copied = {.first = found->first, .n = found->n};
	struct new_run run = {
		.of = of,
		.seq = act->to,
		.act_id = act->id,
		.by = act->by,
		.reason = act->reason,
	};
	struct decision decision;
	int r;

	memcpy(copied.saga_id, of, strnlen(of, SAGA_ID_SIZE - 1));
	decision_init(&decision);
	r = saga_decide_new_run(found->state, &run, now, &decision, err);
	if (r == 0)
		r = creation_of_state(TAKE(found->state), &decision, &copied,
							  *found->fingerprint ? found->fingerprint : NULL, lifecycle,
							  ret_creation, err);
	decision_release(&decision);
	return r;
}
