#include "sagas/state_json.h"

#include <stdio.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

static void set_text(json_t *to, const char *name, const char *text)
{
	json_object_set_new_nocheck(to, name, text ? json_string(text) : json_null());
}

static void set_time(json_t *to, const char *name, wall_ms at)
{
	char text[TIME_TEXT_SIZE];

	time_format(at, text);
	set_text(to, name, at ? text : NULL);
}

static void set_jval(json_t *to, const char *name, struct jval *value)
{
	json_object_set_new_nocheck(to, name, value ? json_incref(jval_json(value)) : json_null());
}

static json_t *error_json(const char *code, const char *message)
{
	json_t *error;

	if (!code)
		return json_null();
	error = json_object();
	set_text(error, "code", code);
	set_text(error, "message", message);
	return error;
}

static json_t *request_json(const struct request *request)
{
	CLEANUP(buf_release) struct buf text = {0};
	json_t *json = NULL;

	if (!request)
		return json_null();
	buf_init(&text, 0);
	request_write(request, &text);
	if (json_parse_stored(buf_str(&text), text.len, &json, NULL) < 0)
		return json_null();
	return json;
}

static enum step_status exec_step_status(const struct exec *exec)
{
	switch (exec->status) {
	case EXEC_IDLE:
		return STEP_PENDING;
	case EXEC_RUNNING:
		return STEP_RUNNING;
	case EXEC_BACKING_OFF:
		return STEP_BACKING_OFF;
	case EXEC_ONGOING:
		return STEP_AWAITING_REPLY;
	case EXEC_DONE:
		return STEP_COMPLETED;
	case EXEC_FAILED:
		return STEP_FAILED;
	case EXEC_GAVE_UP:
		return STEP_OUTCOME_UNKNOWN;
	case EXEC_PARKED:
		return exec->parked_unknown ? STEP_OUTCOME_UNKNOWN : STEP_FAILED;
	}
	return STEP_PENDING;
}

static void set_exec(json_t *to, const struct exec *exec)
{
	json_object_set_new_nocheck(to, "attempts", json_integer(exec->attempt));
	set_time(to, "next_at", exec->due_at);
	json_object_set_new_nocheck(to, "error", error_json(exec->code, exec->message));
	json_object_set_new_nocheck(to, "request", request_json(exec->request));
}

static json_t *action_json(const struct saga_state *state, int step, int index)
{
	const struct step_def *def = &state->def->steps[step];
	const struct action_state *action = &state->steps[step].actions[index];
	enum comp_status comp = saga_state_comp_shown(state, action);
	json_t *json = json_object();
	json_t *undo = json_object();

	if (def->for_each || def->repeat_until)
		json_object_set_new_nocheck(json, "item", json_integer(index));
	set_text(json, "status", step_status_text(exec_step_status(&action->run)));
	json_object_set_new_nocheck(json, "parked", json_boolean(action->run.status == EXEC_PARKED));
	json_object_set_new_nocheck(json, "tolerated", json_boolean(action->tolerated));
	json_object_set_new_nocheck(json, "ambiguous", json_boolean(action->run.ambiguous));
	set_exec(json, &action->run);
	set_jval(json, "output", action->output);
	set_text(undo, "status", comp_status_text(comp));
	set_exec(undo, &action->undo);
	json_object_set_new_nocheck(json, "compensation", undo);
	return json;
}

/* A step shows the most telling status of its actions while it runs. */
static enum step_status step_shown(const struct saga_state *state, int index)
{
	const struct step_state *step = &state->steps[index];
	int i;

	if (step->settled || step->status != STEP_RUNNING)
		return step->status;
	for (i = 0; i < step->n_actions; i++)
		if (step->actions[i].run.status == EXEC_BACKING_OFF ||
			step->actions[i].run.status == EXEC_ONGOING)
			return exec_step_status(&step->actions[i].run);
	return STEP_RUNNING;
}

static const char *undo_kind_text(enum undo_kind kind)
{
	switch (kind) {
	case UNDO_NOT_NEEDED:
		return "not_needed";
	case UNDO_NONE:
		return "none";
	case UNDO_ACTION:
		return "declared";
	}
	return "?";
}

static json_t *step_json(const struct saga_state *state, int index)
{
	const struct step_state *step = &state->steps[index];
	const struct step_def *def = &state->def->steps[index];
	json_t *json = json_object();
	json_t *actions = json_array();
	int i;

	set_text(json, "id", def->id);
	set_text(json, "status", step_status_text(step_shown(state, index)));
	json_object_set_new_nocheck(json, "pivot", json_boolean(def->pivot));
	json_object_set_new_nocheck(json, "on_compensated",
								json_boolean(index >= state->def->n_forward));
	set_text(json, "compensation", undo_kind_text(def->undo_kind));
	set_jval(json, "output", step->output);
	for (i = 0; i < step->n_actions; i++)
		json_array_append_new(actions, action_json(state, index, i));
	json_object_set_new_nocheck(json, "actions", actions);
	return json;
}

struct tally {
	int undone, owed, failed;
	const struct step_def *trying; /* an undo that fails and is tried again */
	const struct exec *trying_exec;
};

static void tally(const struct saga_state *state, struct tally *ret)
{
	int i, j;

	*ret = (struct tally){0};
	for (i = 0; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];

			ret->undone += action->comp == COMP_DONE || action->comp == COMP_SKIPPED;
			ret->owed += action->comp == COMP_ARMED || action->comp == COMP_RUNNING ||
						 action->comp == COMP_BACKING_OFF || action->comp == COMP_FAILED;
			ret->failed += action->comp == COMP_FAILED;
			if (action->comp == COMP_BACKING_OFF) {
				ret->trying = &state->def->steps[i];
				ret->trying_exec = &action->undo;
			}
		}
	}
}

/* Where the saga stands, in a sentence. */
static void write_summary(const struct saga_state *state, wall_ms now, struct buf *out)
{
	struct tally sum;
	int i;

	tally(state, &sum);
	switch (state->status) {
	case SAGA_COMPLETED:
		buf_printf(out, "Completed.");
		return;
	case SAGA_TERMINATED:
		buf_printf(out, "Terminated by a person; %d undone, %d still owed.", sum.undone, sum.owed);
		return;
	case SAGA_COMPENSATED:
		buf_printf(out, "Undone after %s: %d undone, nothing owed.", state->failure_code,
				   sum.undone);
		return;
	case SAGA_FAILED:
		buf_printf(out, "Failed: %s.", state->failure_code ? state->failure_code : "");
		return;
	case SAGA_COMPENSATING:
	case SAGA_COMPENSATION_FAILED:
		buf_printf(out, "%s after %s: %d of %d undone",
				   state->status == SAGA_COMPENSATING ? "Compensating" : "Compensation failed",
				   state->failure_code, sum.undone, sum.undone + sum.owed);
		if (sum.trying && sum.trying_exec->due_at > now)
			buf_printf(out, "; the undo of %s fails (%s), attempt %lld, next try in %lld s",
					   sum.trying->id, sum.trying_exec->code, (long long)sum.trying_exec->attempt,
					   (long long)(sum.trying_exec->due_at - now + 999) / 1000);
		if (sum.failed)
			buf_printf(out, "; %d failed and wait for a person", sum.failed);
		buf_add_char(out, '.');
		return;
	case SAGA_RUNNING:
	case SAGA_WAITING:
	case SAGA_PAUSED:
	case SAGA_STATUS_COUNT:
		break;
	}
	buf_printf(out, "%s", state->status == SAGA_WAITING ? "Waiting" : "Running");
	for (i = 0; i < state->def->n_steps; i++) {
		if (!state->steps[i].begun || state->steps[i].settled)
			continue;
		buf_printf(out, ": %s is %s", state->def->steps[i].id,
				   step_status_text(step_shown(state, i)));
		break;
	}
	buf_add_char(out, '.');
}

json_t *saga_state_json_brief(const struct saga_state *state)
{
	json_t *json = json_object();
	json_t *failure;

	set_text(json, "id", state->id);
	set_text(json, "saga", state->def->name);
	set_text(json, "namespace", state->ns);
	json_object_set_new_nocheck(json, "version", json_integer(state->def->version));
	set_text(json, "status", saga_status_text(state->status));
	set_text(json, "key", state->key);
	set_time(json, "started_at", state->started_at);
	set_time(json, "updated_at", state->updated_at);
	set_time(json, "ended_at", state->ended_at);
	set_text(json, "attention", state->attention);
	failure =
		state->failing ? error_json(state->failure_code, state->failure_message) : json_null();
	if (state->failing && state->failure_step >= 0)
		set_text(failure, "step", state->def->steps[state->failure_step].id);
	json_object_set_new_nocheck(json, "failure", failure);
	return json;
}

json_t *saga_state_json(const struct saga_state *state, wall_ms now)
{
	CLEANUP(buf_release) struct buf summary;
	json_t *json = saga_state_json_brief(state);
	json_t *steps = json_array();
	int i;

	buf_init(&summary, 1024);
	write_summary(state, now, &summary);
	set_text(json, "summary", buf_str(&summary));
	set_time(json, "deadline_at", state->deadline_at);
	set_time(json, "next_due_at", saga_state_next_due(state));
	set_jval(json, "input", state->input);
	set_jval(json, "output", state->output);
	for (i = 0; i < state->def->n_steps; i++)
		json_array_append_new(steps, step_json(state, i));
	json_object_set_new_nocheck(json, "steps", steps);
	return json;
}
