/* The fold of locks: what was asked for, and that it is given back with the step it is for. */
#include "sagas/state_priv.h"

void state__lock_asked(struct action_state *action, const struct event *event, int64_t row)
{
	state__set_jval(&action->lock, event->value);
	action->lock_at = event->at;
	action->lock_row = row;
}

void state__release_locks(struct saga_state *state, int settled)
{
	const struct saga_def *def = state->def;
	int i, j;

	for (i = 0; i < def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions && def->steps[i].act.kind == ACTION_LOCK; j++)
			if (def->steps[i].act.lock.release_after == settled)
				state->steps[i].actions[j].locked = false;
}
