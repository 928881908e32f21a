/*
 * The fold of ActTaken: what an act changes by itself. What follows from it has events of its own
 * where there are such (a step that a person completes is StepCompleted).
 */
#include "sagas/state_priv.h"

#include <string.h>

#include "sagas/json_text.h"

/* Nothing ran out while it was paused: what limits something moves by as much. What only waits
 * until a time (a timer, the next attempt) is due then all the same. */
static void shift_exec(struct exec *exec, enum action_kind kind, int64_t by)
{
	bool limit = exec->status == EXEC_RUNNING && exec->due_at &&
				 (kind == ACTION_COMMAND || kind == ACTION_AWAIT_KAFKA);

	if (exec->deadline_at)
		exec->deadline_at += by;
	if (limit)
		exec->due_at += by;
	if (exec->probe_due_at)
		exec->probe_due_at += by;
}

static void resume(struct saga_state *state, wall_ms at)
{
	int64_t by = at - state->paused_at;
	int i, j;

	if (!state->paused)
		return;
	if (state->deadline_at)
		state->deadline_at += by;
	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			shift_exec(&state->steps[i].actions[j].run, def->act.kind, by);
			shift_exec(&state->steps[i].actions[j].undo, def->undo.kind, by);
		}
	}
	state->paused = false;
	state->paused_at = 0;
}

void state__note_act_id(struct saga_state *state, const char *id)
{
	if (!id)
		return;
	free(state->act_ids[ACT_IDS_KEPT - 1]);
	memmove(state->act_ids + 1, state->act_ids, (ACT_IDS_KEPT - 1) * sizeof(*state->act_ids));
	state->act_ids[0] = xstrdup(id);
}

static void apply_saga_act(struct saga_state *state, const struct event *event, enum act_kind kind)
{
	switch (kind) {
	case ACT_PAUSE:
		state->paused = true;
		state->paused_at = event->at;
		break;
	case ACT_RESUME:
		resume(state, event->at);
		break;
	case ACT_OWNER:
		state__set_string(&state->owner,
						  json_string_value(json_object_get(jval_json(event->value), "owner")));
		break;
	case ACT_CANCEL:
	case ACT_TERMINATE:
	case ACT_COMPENSATE:
	case ACT_RETRY:
	case ACT_RESET:
	case ACT_SIGNAL:
	case ACT_NOTE:
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_KIND_COUNT:
		break;
	}
}

void state__apply_act(struct saga_state *state, const struct event *event)
{
	int kind = event->name ? act_kind_parse(event->name, event->step >= 0) : -1;

	state__note_act_id(state, event->id);
	if (kind >= 0)
		apply_saga_act(state, event, (enum act_kind)kind);
}
