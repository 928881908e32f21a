#include "sagas/escalation_json.h"

static const char *does_text(const struct saga_def *def, const struct escalate_def *entry)
{
	switch (entry->kind) {
	case ESCALATE_ALERT:
		return "alert";
	case ESCALATE_GROUPS:
		return "groups";
	case ESCALATE_STEP:
		break;
	}
	if (def->steps[entry->step].act.kind == ACTION_HTTP)
		return "http";
	return def->steps[entry->step].act.kind == ACTION_EMIT ? "emit" : "task";
}

static const char *status_text(const struct exec *run)
{
	switch (run->status) {
	case EXEC_IDLE:
		return "pending";
	case EXEC_RUNNING:
	case EXEC_ONGOING:
		return "running";
	case EXEC_BACKING_OFF:
		return "backing_off";
	case EXEC_QUEUED:
		return "queued";
	case EXEC_DONE:
		return "completed";
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
	case EXEC_PARKED:
		return "failed";
	}
	return "";
}

static void add_step(const struct saga_state *state, int step, int index, json_t *json)
{
	const struct exec *run;
	int at = state->def->steps[step].watches_items ? index : 0;

	if (at >= state->steps[step].n_actions)
		return;
	run = &state->steps[step].actions[at].run;
	if (run->status == EXEC_IDLE)
		return;
	json_object_set_new_nocheck(json, "status", json_string(status_text(run)));
	json_object_set_new_nocheck(json, "attempts", json_integer(run->attempt));
	if (run->code)
		json_object_set_new_nocheck(
			json, "error", json_pack("{s:s, s:s?}", "code", run->code, "message", run->message));
}

json_t *escalations_json(const struct saga_state *state, struct escalation_place place)
{
	const struct step_def *def = place.step < 0 ? NULL : &state->def->steps[place.step];
	const struct action_state *action = def ? &state->steps[place.step].actions[place.index] : NULL;
	const struct escalate_list *list =
		!def                    ? &state->def->escalate
		: place.side == SIDE_DO ? &def->act.escalate
								: &saga_state_undo_def(state, place.step, place.index)->escalate;
	const struct watch *watch = !action                 ? &state->watch
								: place.side == SIDE_DO ? &action->run.watch
														: &action->undo.watch;
	bool watched = action ? saga_state_is_watched(action, place.side)
						  : !saga_status_is_terminal(state->status);
	char next[TIME_TEXT_SIZE];
	json_t *json, *entries;
	size_t i;

	if (list->n == 0)
		return NULL;
	json = json_object();
	entries = json_array();
	if (watched && watch->next_at)
		time_format(watch->next_at, next);
	json_object_set_new_nocheck(json, "next_at",
								watched && watch->next_at ? json_string(next) : json_null());
	for (i = 0; i < list->n; i++) {
		json_t *entry = json_object();

		json_object_set_new_nocheck(entry, "entry", json_integer((json_int_t)i + 1));
		json_object_set_new_nocheck(entry, "does",
									json_string(does_text(state->def, &list->entries[i])));
		json_object_set_new_nocheck(entry, "told", json_boolean(watch->told >> i & 1));
		if (list->entries[i].kind == ESCALATE_STEP)
			add_step(state, escalate_step(state->def, place.step, &list->entries[i]), place.index,
					 entry);
		json_array_append_new(entries, entry);
	}
	json_object_set_new_nocheck(json, "entries", entries);
	return json;
}
