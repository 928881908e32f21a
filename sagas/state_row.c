/*
 * Rows of a history are read: what a store holds may come from another version, or from a broken
 * disk, so each event is looked at before it is folded.
 */
#include "sagas/state_priv.h"

#include "sagas/json_text.h"

/* A history may come from another version or from a broken disk: refuse what cannot be folded. */
static int event_fits(const struct saga_state *state, const struct event *event, struct err *err)
{
	const char *type = event_type_text(event->type);
	const struct step_state *step = event->step < 0 ? NULL : &state->steps[event->step];
	bool of_step = (event->type >= EV_STEP_SCHEDULED && event->type <= EV_COMPENSATION_ONGOING) ||
				   event->type == EV_STEP_ABSENT || event->type == EV_COMMAND_PUBLISHED ||
				   event->type == EV_TASK_LEASED;
	bool escalates = step && state->def->steps[event->step].escalates;
	bool late = event->type == EV_REPLY_IGNORED || event->type == EV_SAGA_ATTENTION ||
				event->type == EV_ACT_TAKEN;

	if ((state->n_events == 0) != (event->type == EV_SAGA_STARTED) &&
		event->type != EV_SAGA_CONTINUED)
		return err_set(err, ERR_INVALID, "a history begins with SagaStarted, once; found %s", type);
	if (event->type == EV_SAGA_CONTINUED)
		return state__check_continued(state, event, err);
	if (event->type == EV_SAGA_RESET)
		return state__check_reset(state, event, err);
	if (saga_status_is_terminal(state->status) && !late)
		return err_set(err, ERR_INVALID, "%s after the end of the saga", type);
	if (of_step && !step)
		return err_set(err, ERR_INVALID, "%s without a step", type);
	if (step && !escalates && event->item > step->n_actions)
		return err_set(err, ERR_INVALID, "%s for item %d of %s, which has %d", type, event->item,
					   state->def->steps[event->step].id, step->n_actions);
	if (event->type == EV_STEP_EXPANDED && !json_is_array(jval_json(event->value)))
		return err_set(err, ERR_INVALID, "StepExpanded without its list");
	return 0;
}

/* Where in a row a run begins: what stands before is the end of the run before. 0: nowhere. */
static size_t continued_at(const json_t *list)
{
	const json_t *json;
	size_t i, at = 0;

	json_array_foreach (list, i, json) {
		if (json_integer_value(json_object_get(json, "n")) == EV_SAGA_CONTINUED)
			at = i;
	}
	return at;
}

bool saga_state_row_begins(const char *events, size_t len)
{
	CLEANUP(json_decref_p) json_t *list = NULL;
	const json_t *json;
	size_t i;

	if (json_parse_stored(events, len, &list, NULL) < 0)
		return false;
	json_array_foreach (list, i, json) {
		json_int_t number = json_integer_value(json_object_get(json, "n"));

		if (number == EV_SAGA_CONTINUED || (i == 0 && number == EV_SAGA_STARTED))
			return true;
	}
	return false;
}

int saga_state_apply_row(struct saga_state *state, wall_ms at, const char *events, size_t len,
						 struct err *err)
{
	CLEANUP(json_decref_p) json_t *list = NULL;
	const json_t *json;
	struct event event;
	size_t i, first;
	int r;

	r = json_parse_stored(events, len, &list, err);
	if (r < 0)
		return r;
	if (!json_is_array(list))
		return err_set(err, ERR_INVALID, "a history row must be a list of events");
	first = state->n_events == 0 ? continued_at(list) : 0;
	json_array_foreach (list, i, json) {
		if (i < first)
			continue;
		r = event_from_json(json, state->def, at, &event, err);
		if (r < 0)
			return r;
		r = event_fits(state, &event, err);
		if (r == 0)
			saga_state_apply(state, &event);
		event_release(&event);
		if (r < 0)
			return r;
	}
	state->history_bytes += (int64_t)len;
	state->rows++;
	saga_state_derive(state);
	return 0;
}
