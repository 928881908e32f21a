#include "sagas/act_allowed.h"

#include <string.h>

bool saga_act_is_known(const struct saga_state *state, const char *id)
{
	int i;

	for (i = 0; id && i < ACT_IDS_KEPT; i++)
		if (state->act_ids[i] && strcmp(state->act_ids[i], id) == 0)
			return true;
	return false;
}

int saga_cancel_allowed(const struct saga_state *state, struct err *err)
{
	if (state->failing)
		return err_set(err, ERR_CONFLICT, "the saga is being undone already: %s",
					   state->failure_code);
	if (saga_state_past_pivot(state))
		return err_set(err, ERR_CONFLICT, "the saga %s, so it can only go forward",
					   state->def->recovery_forward ? "is declared `recovery: forward`"
													: "has passed its point of no return");
	return 0;
}

static int not_built(enum act_kind kind, struct err *err)
{
	return err_set(err, ERR_NOT_BUILT, "`%s` is not built yet", act_kind_text(kind));
}

static int saga_act(const struct saga_state *state, const struct act *act, struct err *err)
{
	switch (act->kind) {
	case ACT_CANCEL:
		return saga_cancel_allowed(state, err);
	case ACT_PAUSE:
		return state->paused ? err_set(err, ERR_CONFLICT, "the saga is paused already") : 0;
	case ACT_RESUME:
		return state->paused ? 0 : err_set(err, ERR_CONFLICT, "the saga is not paused");
	case ACT_TERMINATE:
	case ACT_NOTE:
	case ACT_OWNER:
		return 0;
	case ACT_COMPENSATE:
	case ACT_RETRY:
	case ACT_RESET:
	case ACT_SIGNAL:
	case ACT_STEP_RETRY:
	case ACT_STEP_SKIP:
	case ACT_STEP_COMPLETE:
	case ACT_STEP_FAIL:
	case ACT_STEP_RESOLVE:
	case ACT_KIND_COUNT:
		break;
	}
	return not_built(act->kind, err);
}

int saga_act_allowed(const struct saga_state *state, const struct act *act, wall_ms now,
					 struct err *err)
{
	(void)now;
	if (act->kind != ACT_NOTE && act->kind != ACT_OWNER && saga_status_is_terminal(state->status))
		return err_set(err, ERR_CONFLICT, "the saga has ended already: it is %s",
					   saga_status_text(state->status));
	return saga_act(state, act, err);
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

json_t *saga_acts_allowed(const struct saga_state *state, wall_ms now)
{
	json_t *json = json_object(), *saga = json_array();
	struct act act;
	int i;

	for (i = 0; i < ACT_STEP_RETRY; i++) {
		act_init(&act, (enum act_kind)i);
		if (act.kind != ACT_RESET)
			json_array_append_new(saga, verdict(state, &act, now));
	}
	json_object_set_new_nocheck(json, "saga", saga);
	json_object_set_new_nocheck(json, "actions", json_array());
	return json;
}

char **saga_reset_steps(const struct saga_state *then)
{
	char **ids = xcalloc((size_t)then->def->n_steps + 1, sizeof(*ids));
	int i, n = 0;

	for (i = 0; i < then->def->n_steps; i++)
		if (!then->steps[i].settled)
			ids[n++] = xstrdup(then->def->steps[i].id);
	return ids;
}
