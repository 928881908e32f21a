/*
 * The fold of SagaReset: a new run of a saga that has ended. What stands before it in the history
 * was copied from there, row by row, up to where the new run begins:
 *
 *   {"run_of":{"id":"<saga>","seq":4}, "forget":["ship"]}
 *
 * What was settled there stays as it is, with its compensations as they were armed: the keys that
 * it was done with are those of the saga that did it, and it is undone with them. All else has not
 * begun, and the saga has its whole time again. (A new run has an id of its own, so whatever it
 * sends has keys that nobody has seen.)
 */
#include "sagas/state_priv.h"

#include <string.h>

#include "sagas/correlation.h"
#include "sagas/json_text.h"

static const json_t *run_of(const struct event *event)
{
	return json_object_get(jval_json(event->value), "run_of");
}

int state__check_reset(const struct saga_state *state, const struct event *event, struct err *err)
{
	const json_t *forget = json_object_get(jval_json(event->value), "forget");
	const char *id = json_string_value(json_object_get(run_of(event), "id"));
	size_t i;

	if (saga_status_is_terminal(state->status))
		return err_set(err, ERR_INVALID, "SagaReset after the end of the saga");
	if (!id || saga_id_slot(id) < 0 ||
		json_integer_value(json_object_get(run_of(event), "seq")) < 1)
		return err_set(err, ERR_INVALID, "SagaReset does not say of which saga it is a new run");
	for (i = 0; i < json_array_size(forget); i++) {
		const char *step = json_string_value(json_array_get(forget, i));

		if (!step || saga_def_step(state->def, step) < 0)
			return err_set(err, ERR_INVALID, "SagaReset forgets `%.64s`, which is no step",
						   step ? step : "");
	}
	return 0;
}

/* It is answered to this saga, with the key that it was given. NULL: nobody answers it. */
static struct request *readdress(const struct request *request, const char *saga_id)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	CLEANUP(buf_release) struct buf text = {0};
	struct correlation correlation;
	struct request *copy;
	struct err err;

	if (!request || !request->correlation ||
		!correlation_read(request->correlation, strlen(request->correlation), &correlation))
		return NULL;
	buf_init(&text, 0);
	request_write(request, &text);
	json = json_loadb(buf_str(&text), text.len, 0, NULL);
	CHECK(json && request_from_json(json, &copy, &err) == 0);
	memcpy(correlation.saga_id, saga_id, sizeof(correlation.saga_id));
	text.len = 0;
	correlation_write(&correlation, &text);
	free(copy->correlation);
	copy->correlation = buf_take(&text, NULL);
	return copy;
}

static void keep_step(struct saga_state *state, struct step_state *step, const char *of)
{
	int i;

	if (!step->keys_of)
		step->keys_of = xstrdup(of);
	for (i = 0; i < step->n_actions; i++) {
		struct exec *undo = &step->actions[i].undo;
		struct request *request = readdress(undo->request, state->id);

		if (!request)
			continue;
		request_unref(undo->request);
		undo->request = request;
	}
}

static void forget_steps(struct saga_state *state, const json_t *ids)
{
	const struct saga_def *def = state->def;
	size_t i;
	int step;

	for (i = 0; i < json_array_size(ids); i++) {
		step = saga_def_step(def, json_string_value(json_array_get(ids, i)));
		if (state->steps[step].begun)
			state__forget_step(state, step);
	}
	/* What was told of what took too long is told again. */
	for (step = -1; step < def->n_listed; step++)
		state__forget_escalations(state, step, -1);
}

/* What the saga that ended was, and this one is not. */
static void begin_again(struct saga_state *state)
{
	int i;

	state->failing = state->held = state->paused = false;
	state->deadline_noted = state->deadline_seen = false;
	state->paused_at = 0;
	state->failure_step = state->attention_step = state->attention_item = -1;
	state__set_string(&state->failure_code, NULL);
	state__set_string(&state->failure_message, NULL);
	state__set_string(&state->attention_note, NULL);
	state__set_string(&state->refused_cancel, NULL);
	state__set_jval(&state->output, NULL);
	json_decref(state->escalated_groups);
	state->escalated_groups = NULL;
	for (i = 0; i < ACT_IDS_KEPT; i++)
		state__set_string(&state->act_ids[i], NULL);
}

static void note_origin(struct saga_state *state, const struct event *event)
{
	const char *id = json_string_value(json_object_get(run_of(event), "id"));

	if (!state->run_of)
		state->run_of = xcalloc(1, sizeof(*state->run_of));
	memcpy(state->run_of->saga_id, id, SAGA_ID_SIZE);
	state->run_of->seq = json_integer_value(json_object_get(run_of(event), "seq"));
	state->run_of->row = state->rows + 1;
	state__set_string(&state->run_of->act_id, event->id);
}

void state__apply_reset(struct saga_state *state, const struct event *event)
{
	int i;

	note_origin(state, event);
	forget_steps(state, json_object_get(jval_json(event->value), "forget"));
	for (i = 0; i < state->def->n_listed; i++)
		if (state->steps[i].begun)
			keep_step(state, &state->steps[i], state->run_of->saga_id);
	begin_again(state);
	state__watch_begin(&state->watch, event);
	state__note_act_id(state, event->id);
	state->deadline_at = event->deadline_at;
	state->started_at = state->updated_at = state->updated_before = event->at;
	state->status = state->status_before = SAGA_RUNNING;
	state->attention_at_before = 0;
	state->attention_group_before[0] = '\0';
}
