#include "sagas/act_allowed_priv.h"

#include <string.h>

#include "sagas/decide_priv.h"

bool saga_act_is_known(const struct saga_state *state, const char *id)
{
	int i;

	for (i = 0; id && i < ACT_IDS_KEPT; i++)
		if (state->act_ids[i] && strcmp(state->act_ids[i], id) == 0)
			return true;
	return false;
}

static int refuse_held(const struct saga_state *state, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
				   "it is done, and held until saga %s has ended: it is undone with that one",
				   state->parent->saga_id);
}

/* What would move it on: it has been told to its parent that it is done. */
static bool moves_the_saga(enum act_kind kind)
{
	return kind == ACT_CANCEL || kind == ACT_COMPENSATE || kind == ACT_PAUSE || kind == ACT_RETRY ||
		   kind == ACT_RESET || kind == ACT_SIGNAL;
}

int saga_cancel_allowed(const struct saga_state *state, struct err *err)
{
	if (state->held)
		return refuse_held(state, err);
	if (state->failing)
		return err_set(err, ERR_CONFLICT, "the saga is being undone already: %s",
					   state->failure_code);
	if (saga_state_past_pivot(state))
		return err_set(err, ERR_CONFLICT, "the saga %s, so it can only go forward",
					   state->def->recovery_forward ? "is declared `recovery: forward`"
													: "has passed its point of no return");
	return 0;
}

/* Whether any action waits for a person, or for its next attempt. */
static bool any_retried(const struct saga_state *state, enum side first_side)
{
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			struct act_place place = {i, def->for_each || def->repeat_until ? j : -1, SIDE_UNDO};

			if (saga_has_undo(def, &state->steps[i].actions[j]) &&
				act_allowed__is_retried(state, place))
				return true;
			place.side = SIDE_DO;
			if (first_side == SIDE_DO && act_allowed__is_retried(state, place))
				return true;
		}
	}
	return false;
}

static int compensate_allowed(const struct saga_state *state, struct err *err)
{
	if (!state->failing)
		return saga_cancel_allowed(state, err);
	if (!any_retried(state, SIDE_UNDO))
		return err_set(err, ERR_CONFLICT,
					   "the saga is being undone, and no compensation has failed or waits for its "
					   "next attempt");
	return 0;
}

static int retry_allowed(const struct saga_state *state, const struct act *act, wall_ms now,
						 struct err *err)
{
	if (act->step)
		return act_allowed__forget(state, act, now, err);
	if (!any_retried(state, SIDE_DO))
		return err_set(err, ERR_CONFLICT,
					   "nothing of the saga is parked, has failed to be undone, or waits for its "
					   "next attempt");
	return 0;
}

static int signal_allowed(const struct saga_state *state, const struct act *act, struct err *err)
{
	size_t i, len, bytes = 0;

	if (act->value) {
		(void)jval_text(act->value, &len);
		bytes += len;
	}
	for (i = 0; i < state->n_signals; i++) {
		if (!state->signals[i].value)
			continue;
		(void)jval_text(state->signals[i].value, &len);
		bytes += len;
	}
	if (state->n_signals >= SIGNALS_MAX)
		return err_set(err, ERR_LIMIT, "%d signals wait already, and nothing has read them",
					   SIGNALS_MAX);
	if (bytes > SIGNALS_MAX_BYTES)
		return err_set(err, ERR_LIMIT,
					   "the signals that nothing has read would be %zu bytes; at "
					   "most %d are kept",
					   bytes, SIGNALS_MAX_BYTES);
	return 0;
}

/* The last fifth of a history is for its way to an end, which remarks must not use up. */
static int room_allowed(const struct saga_state *state, const struct act *act, struct err *err)
{
	bool near_full = state->n_events >= HISTORY_MAX_EVENTS / 5 * 4 ||
					 state->history_bytes >= HISTORY_MAX_BYTES / 5 * 4;
	bool full = state->n_events >= HISTORY_MAX_EVENTS || state->history_bytes >= HISTORY_MAX_BYTES;
	bool anew = act->kind == ACT_RESET || (act->kind == ACT_RETRY && act->step);
	bool remark = act->kind == ACT_NOTE || act->kind == ACT_OWNER || act->kind == ACT_SIGNAL ||
				  act->kind == ACT_PAUSE;

	if (near_full && anew)
		return err_set(err, ERR_CONFLICT,
					   "the history has reached 80 %% of its limit, so nothing can begin anew");
	if (full && remark)
		return err_set(err, ERR_LIMIT, "the history is full: %lld events",
					   (long long)state->n_events);
	return 0;
}

static int acknowledge_allowed(const struct saga_state *state, struct err *err)
{
	if (state->attention_note || saga_state_deadline_concerns(state) || saga_state_is_late(state))
		return 0;
	return err_set(
		err, ERR_CONFLICT, "%s",
		saga_state_attention(state)
			? "there is no notice to acknowledge: what waits for a person is put right by "
			  "an act on its step"
			: "there is nothing to acknowledge: the saga concerns nobody");
}

static int migrate_allowed(const struct saga_state *state, const struct act *act, struct err *err)
{
	if (act->version == state->def->version)
		return err_set(err, ERR_CONFLICT, "the saga is of version %lld already",
					   (long long)act->version);
	if (!act->replayed)
		return err_set(err, ERR_CONFLICT,
					   "nobody has played the history again on version %lld: the act is for "
					   "POST /v1/sagas/{id}/migrate",
					   (long long)act->version);
	return 0;
}

int saga_act_allowed(const struct saga_state *state, const struct act *act, wall_ms now,
					 struct err *err)
{
	int r = room_allowed(state, act, err);

	if (r < 0)
		return r;
	if (!act_outlives_saga(act->kind) && saga_status_is_terminal(state->status))
		return err_set(err, ERR_CONFLICT, "the saga has ended already: it is %s",
					   saga_status_text(state->status));
	if (state->held && moves_the_saga(act->kind))
		return refuse_held(state, err);
	switch (act->kind) {
	case ACT_CANCEL:
		return saga_cancel_allowed(state, err);
	case ACT_COMPENSATE:
		return compensate_allowed(state, err);
	case ACT_PAUSE:
		return state->paused ? err_set(err, ERR_CONFLICT, "the saga is paused already") : 0;
	case ACT_RESUME:
		return state->paused ? 0 : err_set(err, ERR_CONFLICT, "the saga is not paused");
	case ACT_RETRY:
		return retry_allowed(state, act, now, err);
	case ACT_RESET:
		return act_allowed__forget(state, act, now, err);
	case ACT_SIGNAL:
		return signal_allowed(state, act, err);
	case ACT_ACKNOWLEDGE:
		return acknowledge_allowed(state, err);
	case ACT_MIGRATE:
		return migrate_allowed(state, act, err);
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_STEP_APPROVE:
	case ACT_STEP_REJECT:
		return act_allowed__step(state, act, now, err);
	case ACT_TERMINATE:
	case ACT_NOTE:
	case ACT_OWNER:
	case ACT_KIND_COUNT:
		break;
	}
	return 0;
}

static json_t *verdict(const struct saga_state *state, const struct act *act, wall_ms now)
{
	json_t *json = json_object();
	struct err err;
	bool allowed = saga_act_allowed(state, act, now, &err) == 0;

	json_object_set_new_nocheck(json, "act", json_string(act_kind_text(act->kind)));
	json_object_set_new_nocheck(json, "allowed", json_boolean(allowed));
	if (!allowed)
		json_object_set_new_nocheck(json, "why", json_string(err.text));
	return json;
}

static json_t *place_json(const struct saga_state *state, struct act_place place, wall_ms now)
{
	const struct step_def *def = &state->def->steps[place.step];
	json_t *json = json_object(), *acts = json_array();
	struct act act;
	int i;

	json_object_set_new_nocheck(json, "step", json_string(def->id));
	if (place.item >= 0)
		json_object_set_new_nocheck(json, "item", json_integer(place.item));
	json_object_set_new_nocheck(json, "compensation", json_boolean(place.side == SIDE_UNDO));
	for (i = ACT_STEP_RETRY; i < ACT_KIND_COUNT; i++) {
		/* Only an approval is decided. */
		if ((i == ACT_STEP_APPROVE || i == ACT_STEP_REJECT) &&
			(place.side == SIDE_UNDO || def->act.kind != ACTION_APPROVAL))
			continue;
		act_init(&act, (enum act_kind)i);
		act.step = def->id;
		act.item = place.item;
		act.side = place.side;
		json_array_append_new(acts, verdict(state, &act, now));
	}
	json_object_set_new_nocheck(json, "acts", acts);
	return json;
}

static json_t *actions_json(const struct saga_state *state, wall_ms now)
{
	json_t *list = json_array();
	int i, j;

	for (i = 0; i < state->def->n_listed; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			struct act_place place = {i, def->for_each || def->repeat_until ? j : -1, SIDE_DO};

			if (action->run.status != EXEC_IDLE)
				json_array_append_new(list, place_json(state, place, now));
			place.side = SIDE_UNDO;
			if (action->comp != COMP_NOT_ARMED)
				json_array_append_new(list, place_json(state, place, now));
		}
	}
	return list;
}

json_t *saga_acts_allowed(const struct saga_state *state, wall_ms now)
{
	json_t *json = json_object(), *saga = json_array();
	struct act act;
	int i;

	for (i = 0; i < ACT_STEP_RETRY; i++) {
		act_init(&act, (enum act_kind)i);
		if (act.kind != ACT_RESET && act.kind != ACT_MIGRATE)
			json_array_append_new(saga, verdict(state, &act, now));
	}
	json_object_set_new_nocheck(json, "saga", saga);
	json_object_set_new_nocheck(json, "actions", actions_json(state, now));
	return json;
}

char **saga_reset_steps(const struct saga_state *then)
{
	char **ids = xcalloc((size_t)then->def->n_steps + 1, sizeof(*ids));
	int i, n = 0;

	for (i = 0; i < then->def->n_listed; i++)
		if (!then->steps[i].settled)
			ids[n++] = xstrdup(then->def->steps[i].id);
	return ids;
}
