/*
 * The fold of SagaContinued: a run of the saga has ended, and the next one begins. The event holds
 * all that goes over, so the state is made from it alone: a fold of everything and a fold that
 * begins here give the same. (The history before it is needed by nobody but readers.)
 *
 *   {"input":…, "run":3, "step_run":3, "started_at":ms,
 *    "carried":[{"step":"pay","item":0,"run":1,"request":{…},"settle_at":ms,
 *                "unsure":true,"scope":{…}},
 *               {"step":"book","run":1,"child":"<saga>"},
 *               {"step":"hold","run":1,"saga":"<who did it, of whom this is a new run>",…}],
 *    "had":0,
 *    "signals":[{"name","value","at","number"}], "told":7, "events":["…"], "acts":["…"],
 *    "owner":"…", "notice":"…"}
 *
 * What was carried stands in the items of the hidden step (def->carried), each as if it had just
 * been done, with its compensation armed.
 */
#include "sagas/state_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

static int check_carried(const struct saga_def *def, const json_t *entry, struct err *err)
{
	const char *id = json_string_value(json_object_get(entry, "step"));
	const json_t *stored = json_object_get(entry, "request");
	const char *child = json_string_value(json_object_get(entry, "child"));
	struct request *request = NULL;
	int step = id ? saga_def_step(def, id) : -1;

	if (step < 0 || step == def->carried ||
		(child ? saga_id_slot(child) < 0 : def->steps[step].undo_kind != UNDO_ACTION))
		return err_set(err, ERR_INVALID,
					   "a compensation of `%.64s` is carried over, which has none", id ? id : "");
	if (stored && request_from_json(stored, &request, err) < 0)
		return ERR_INVALID;
	request_unref(request);
	return 0;
}

int state__check_continued(const struct saga_state *state, const struct event *event,
						   struct err *err)
{
	const json_t *value = jval_json(event->value);
	const json_t *carried = json_object_get(value, "carried");
	size_t i;
	int r = 0;

	if (state->def->carried < 0)
		return err_set(err, ERR_INVALID, "SagaContinued, which the definition does not provide");
	if (saga_status_is_terminal(state->status) && state->n_events > 0)
		return err_set(err, ERR_INVALID, "SagaContinued after the end of the saga");
	if (!json_is_object(value) || !event->ns || json_array_size(carried) > CARRIED_MAX)
		return err_set(err, ERR_INVALID, "SagaContinued without what goes over");
	for (i = 0; i < json_array_size(carried) && r == 0; i++)
		r = check_carried(state->def, json_array_get(carried, i), err);
	return r;
}

void state__init_carried(struct saga_state *state)
{
	struct step_state *step;

	if (state->def->carried < 0)
		return;
	step = &state->steps[state->def->carried];
	step->begun = step->settled = true;
	step->status = STEP_COMPLETED;
}

static void take_carried(struct saga_state *state, json_t *carried)
{
	struct step_state *step = &state->steps[state->def->carried];
	size_t i, n = json_array_size(carried);
	struct err err;

	state__init_carried(state);
	if (n == 0)
		return;
	step->list = json_incref(carried);
	state__grow_actions(step, (int)n);
	for (i = 0; i < n; i++) {
		const json_t *entry = json_array_get(carried, i);
		const json_t *stored = json_object_get(entry, "request");
		struct action_state *action = &step->actions[i];

		action->carried_from =
			saga_def_step(state->def, json_string_value(json_object_get(entry, "step")));
		action->run.status = EXEC_DONE;
		action->run.attempt = 1;
		action->run.settle_at = json_integer_value(json_object_get(entry, "settle_at"));
		action->comp = COMP_ARMED;
		action->held = json_object_get(entry, "child") != NULL;
		state__set_string(&action->run.child, json_string_value(json_object_get(entry, "child")));
		if (stored)
			CHECK(request_from_json(stored, &action->undo.request, &err) == 0);
	}
}

int saga_state_carried_place(const struct saga_state *state, int index, char *step, size_t size,
							 int *ret_item, int *ret_run)
{
	const struct step_state *carried = &state->steps[state->def->carried];
	const json_t *entry = json_array_get(carried->list, (size_t)index);
	const json_t *item = json_object_get(entry, "item");

	*ret_item = item ? (int)json_integer_value(item) : -1;
	*ret_run = (int)json_integer_value(json_object_get(entry, "run"));
	return snprintf(step, size, "%s", state->def->steps[carried->actions[index].carried_from].id);
}

int saga_state_find_carried(const struct saga_state *state, const char *step, int item, int run)
{
	char id[DEF_MAX_NAME + 1];
	int i, of_item, of_run;

	for (i = 0; state->def->carried >= 0 && i < state->steps[state->def->carried].n_actions; i++) {
		(void)saga_state_carried_place(state, i, id, sizeof(id), &of_item, &of_run);
		if (strcmp(id, step) == 0 && of_item == item && of_run == (run > 1 ? run : 1))
			return i;
	}
	return -1;
}

static void take_signals(struct saga_state *state, const json_t *signals)
{
	size_t i, n = json_array_size(signals);

	if (n == 0)
		return;
	state->signals = xcalloc(n, sizeof(*state->signals));
	for (i = 0; i < n; i++) {
		const json_t *told = json_array_get(signals, i);
		const char *name = json_string_value(json_object_get(told, "name"));
		json_t *value = json_object_get(told, "value");

		state->signals[state->n_signals++] = (struct saga_signal){
			.name = xstrdup(name ? name : ""),
			.value = value ? jval_from_json(json_incref(value)) : NULL,
			.at = json_integer_value(json_object_get(told, "at")),
			.number = json_integer_value(json_object_get(told, "number")),
		};
	}
}

static void take_act_ids(struct saga_state *state, const json_t *ids)
{
	size_t i;

	for (i = 0; i < ACT_IDS_KEPT; i++)
		state__set_string(&state->act_ids[i], json_string_value(json_array_get(ids, i)));
}

static void take_used_events(struct saga_state *state, json_t *ids)
{
	json_t *id;
	size_t i;

	json_decref(state->used_events);
	state->used_events = NULL;
	json_array_foreach (ids, i, id) {
		if (!json_is_string(id))
			continue;
		if (!state->used_events)
			state->used_events = json_array();
		json_array_append(state->used_events, id);
	}
}

static void forget_run(struct saga_state *state)
{
	int i;

	for (i = 0; i < state->def->n_steps; i++) {
		state__step_clear(state, i);
		state->steps[i] = (struct step_state){0};
	}
	state__signals_free(state);
	state->failing = state->pivot_scheduled = false;
	state->deadline_noted = state->deadline_seen = false;
	json_decref(state->escalated_groups);
	state->escalated_groups = NULL;
	state->paused = false;
	state->paused_at = 0;
	state->ignored = 0;
	state->failure_step = state->attention_step = state->attention_item = -1;
	state__set_string(&state->failure_code, NULL);
	state__set_string(&state->failure_message, NULL);
	state__set_string(&state->refused_cancel, NULL);
	state__set_jval(&state->output, NULL);
}

void state__apply_continued(struct saga_state *state, const struct event *event)
{
	const json_t *value = jval_json(event->value);
	json_t *input = json_object_get(value, "input");
	CLEANUP(jval_unref_p) struct jval *next = input ? jval_from_json(json_incref(input)) : NULL;

	forget_run(state);
	state__set_jval(&state->input, next);
	state__set_jval(&state->search, event->search);
	state__set_string(&state->ns, event->ns);
	state__set_string(&state->key, event->key);
	state__set_string(&state->owner, json_string_value(json_object_get(value, "owner")));
	state__set_string(&state->attention_note, json_string_value(json_object_get(value, "notice")));
	state->started_at = json_integer_value(json_object_get(value, "started_at"));
	state->deadline_at = event->deadline_at;
	state->run = json_integer_value(json_object_get(value, "run"));
	state->step_run = (int)json_integer_value(json_object_get(value, "step_run"));
	state__watch_begin(&state->watch, event);
	if (event->parent)
		state__set_parent(state, event);
	take_carried(state, json_object_get(value, "carried"));
	take_signals(state, json_object_get(value, "signals"));
	state->signals_told = json_integer_value(json_object_get(value, "told"));
	take_used_events(state, json_object_get(value, "events"));
	take_act_ids(state, json_object_get(value, "acts"));
	state->status = state->status_before = SAGA_RUNNING;
	state->updated_at = state->updated_before = event->at;
	state->attention_at_before = 0;
	state->attention_group_before[0] = '\0';
	state->n_events = 1;
	state->history_bytes = 0;
	state->base_row = state->rows + 1;
}
