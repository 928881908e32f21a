/*
 * The fold of `escalate`: since when something is watched, what was told of it, and whether it
 * concerns a person that it is late.
 */
#include "sagas/state_priv.h"

#include "sagas/json_text.h"

void state__watch_begin(struct watch *watch, const struct event *event)
{
	*watch = (struct watch){.from = event->at, .next_at = event->escalate_at};
}

void state__watch_shift(struct watch *watch, int64_t by)
{
	if (watch->from)
		watch->from += by;
	if (watch->next_at)
		watch->next_at += by;
}

bool saga_state_is_watched(const struct action_state *action, enum side side)
{
	const struct exec *exec = side == SIDE_DO ? &action->run : &action->undo;

	return exec->watch.from &&
		   (saga_exec_is_open(exec) || (side == SIDE_UNDO && action->comp == COMP_FAILED));
}

/* Who reads a damaged history may find anything. */
static struct watch *watch_of(struct saga_state *state, const struct event *event)
{
	int at = event->item < 0 ? 0 : event->item;
	struct action_state *action;

	if (event->step < 0)
		return &state->watch;
	if (at >= state->steps[event->step].n_actions)
		return NULL;
	action = saga_state_action(state, event->step, event->item);
	return event->side == SIDE_DO ? &action->run.watch : &action->undo.watch;
}

static const struct escalate_list *list_of(const struct saga_state *state,
										   const struct event *event)
{
	if (event->step < 0)
		return &state->def->escalate;
	if (event->side == SIDE_DO)
		return &state->def->steps[event->step].act.escalate;
	/* Of what was carried, it is that of a step of an earlier run. */
	return &saga_state_undo_def(state, event->step, event->item)->escalate;
}

/* Of the saga: they may decide what waits now, and what will. */
static void add_groups_everywhere(struct saga_state *state, const json_t *groups)
{
	int i, j;

	if (!state->escalated_groups)
		state->escalated_groups = json_array();
	json_array_extend(state->escalated_groups, (json_t *)groups);
	for (i = 0; i < state->def->n_listed; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].approval)
				approval_add_groups(state->steps[i].actions[j].approval, groups);
}

void state__apply_escalated(struct saga_state *state, const struct event *event)
{
	const json_t *value = jval_json(event->value);
	const json_t *groups = json_object_get(value, "groups");
	json_int_t entry = json_integer_value(json_object_get(value, "entry"));
	struct watch *watch = watch_of(state, event);
	const struct escalate_list *list = watch ? list_of(state, event) : NULL;
	struct action_state *action;

	if (!list || entry < 0 || (size_t)entry >= list->n)
		return;
	watch->told |= 1u << entry;
	watch->next_at = event->due_at;
	if (list->entries[entry].kind == ESCALATE_ALERT)
		watch->late = (int)entry + 1;
	if (groups && event->step < 0)
		add_groups_everywhere(state, groups);
	if (!groups || event->step < 0)
		return;
	action = saga_state_action(state, event->step, event->item);
	if (action->approval)
		approval_add_groups(action->approval, groups);
}

static bool action_is_late(const struct action_state *action)
{
	return (action->run.watch.late && saga_state_is_watched(action, SIDE_DO)) ||
		   (action->undo.watch.late && saga_state_is_watched(action, SIDE_UNDO));
}

bool saga_state_is_late(const struct saga_state *state)
{
	int i, j;

	if (saga_status_is_terminal(state->status))
		return false;
	for (i = 0; i < state->def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (action_is_late(&state->steps[i].actions[j]))
				return true;
	return state->watch.late != 0;
}

void state__late_seen(struct saga_state *state)
{
	int i, j;

	state->watch.late = 0;
	for (i = 0; i < state->def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			state->steps[i].actions[j].run.watch.late = state->steps[i].actions[j].undo.watch.late =
				0;
}

void state__forget_escalations(struct saga_state *state, int step, int item)
{
	int i;

	for (i = state->def->n_listed; i < state->def->n_steps; i++) {
		if (!state->def->steps[i].escalates || state->def->steps[i].watches != step)
			continue;
		/* What is told again has other keys, also of one item among several. */
		state->steps[i].run = saga_state_run(state, i) + 1;
		if (item < 0)
			state__step_clear(state, i);
		else if (item < state->steps[i].n_actions)
			state__action_clear(saga_state_action(state, i, item));
	}
}
