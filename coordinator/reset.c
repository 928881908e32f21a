#include "coordinator/reset.h"

#include "sagas/act_allowed.h"

int reset_find(struct store_reader *reader, struct registry *registry, const struct saga_view *view,
			   struct act *act, struct err *err)
{
	CLEANUP(saga_view_release) struct saga_view then = {0};
	int r;

	CHECK(act->kind == ACT_RESET && !act->forget);
	if (act->to < view->state->base_row)
		return err_set_at(
			err, ERR_INVALID, "/to",
			"row %lld is of an earlier run, which has ended: the saga continued as new "
			"with row %lld",
			(long long)act->to, (long long)view->state->base_row);
	r = saga_view_read(reader, registry, view->row.ns, view->row.id, act->to, &then, err);
	if (r == ERR_NOT_FOUND)
		return err_set_at(err, ERR_INVALID, "/to", "the history ends at row %lld",
						  (long long)view->seq);
	if (r == 0)
		act->forget = saga_reset_steps(then.state);
	return r;
}
