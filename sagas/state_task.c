/* The fold of what is special to tasks: they wait in a queue, and are leased. */
#include "sagas/state_priv.h"

bool state__is_task(const struct exec *exec)
{
	return exec->request && exec->request->kind == REQUEST_TASK;
}

/* What the worker of an earlier lease told last is kept until this one tells something. */
void state__apply_task_leased(struct action_state *action, const struct event *event)
{
	struct exec *exec = event->side == SIDE_DO ? &action->run : &action->undo;

	exec->status = EXEC_RUNNING;
	exec->attempt = event->attempt;
	exec->due_at = event->due_at;
	exec->due_is_volatile = false;
	exec->leased_at = event->at;
	exec->lease_ms = event->due_at > event->at ? event->due_at - event->at : 1;
	state__set_string(&exec->nonce, event->id);
	state__set_string(&exec->worker, event->by);
	state__set_string(&exec->build, event->name);
	if (event->side == SIDE_UNDO)
		action->comp = COMP_RUNNING;
}
