#include "coordinator/saga_view.h"

enum { PAGE_ROWS = 500, STOP = 1 };

struct fold {
	struct saga_view *view;
	int64_t up_to_seq;
	int n;
	struct err *err;
};

static int fold_row(void *ctx, const struct history_row *row)
{
	struct fold *fold = ctx;
	struct saga_view *view = fold->view;
	int r;

	if (fold->up_to_seq > 0 && row->seq > fold->up_to_seq)
		return STOP;
	fold->n++;
	view->seq = row->seq;
	/* What stands before the first run that is there whole cannot be understood. */
	if (view->state->n_events == 0 && !saga_state_row_begins(row->events, row->events_len))
		return 0;
	if (view->state->n_events == 0)
		view->state->rows = row->seq - 1;
	r = saga_state_apply_row(view->state, row->at, row->events, row->events_len, fold->err);
	if (r < 0)
		return r;
	view->at = row->at;
	return 0;
}

static int fold_history(struct store_reader *reader, int64_t up_to_seq, struct saga_view *view,
						struct err *err)
{
	struct fold fold = {.view = view, .up_to_seq = up_to_seq, .err = err};
	int64_t base = view->row.base_seq;
	int r;

	if (base > 0 && (up_to_seq == 0 || up_to_seq >= base))
		view->seq = base - 1;

	do {
		fold.n = 0;
		r = reader->store->ops->history(reader, view->row.id, view->seq, PAGE_ROWS, fold_row, &fold,
										err);
	} while (r == 0 && fold.n == PAGE_ROWS);
	if (r < 0)
		return r;
	if (view->seq == 0 || (up_to_seq > 0 && view->seq < up_to_seq))
		return err_set(err, ERR_NOT_FOUND, "the history of saga %s ends at %lld", view->row.id,
					   (long long)view->seq);
	if (view->state->n_events == 0)
		return err_set(err, ERR_NOT_FOUND,
					   "the history of saga %s before row %lld has been removed, and with it the "
					   "beginning of the run that row %lld is of",
					   view->row.id, (long long)base, (long long)up_to_seq);
	return 0;
}

int saga_view_read(struct store_reader *reader, struct registry *registry, const char *ns,
				   const char *id, int64_t up_to_seq, struct saga_view *ret_view, struct err *err)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	CLEANUP(saga_view_release) struct saga_view view = {0};
	int r;

	r = reader->store->ops->saga_get(reader, ns, id, &view.row, err);
	if (r < 0)
		return r;
	r = registry_get(registry, ns, view.row.definition, view.row.version, &def, err);
	if (r < 0) {
		err_prefix(err, "the definition of saga %s cannot be read", id);
		return err->code = ERR_INTERNAL;
	}
	view.state = saga_state_new(def, id);
	r = fold_history(reader, up_to_seq, &view, err);
	if (r < 0)
		return r;
	*ret_view = view;
	view = (struct saga_view){0};
	return 0;
}

void saga_view_release(struct saga_view *view)
{
	if (view->row.definition)
		saga_row_release(&view->row);
	saga_state_free(view->state);
	view->state = NULL;
}
