/* The oracle on runs: what goes over into the next one is what stood, in its order, and no more. */
#include "tests/support/oracle.h"

#include <string.h>

#include "sagas/json_text.h"

static char *text_of_request(const json_t *stored)
{
	struct request *request = NULL;
	struct buf text;
	struct err err;

	if (!stored || request_from_json(stored, &request, &err) < 0)
		return NULL;
	buf_init(&text, 0);
	request_write(request, &text);
	request_unref(request);
	return buf_take(&text, NULL);
}

static bool stands(const struct oracle_action *action)
{
	return action->armed && !action->undone && !action->undo_skipped && !action->resolved;
}

/* Each entry is something that stands, with the request that was stored when it was armed. */
static void check_entry(struct oracle *oracle, struct oracle_saga *saga, const json_t *entry,
						size_t i)
{
	const char *id = json_string_value(json_object_get(entry, "step"));
	const json_t *item = json_object_get(entry, "item");
	CLEANUP(free_p) char *request = text_of_request(json_object_get(entry, "request"));
	int step = id ? saga_def_step(saga->def, id) : -1;
	int at = item ? (int)json_integer_value(item) : 0;
	const struct oracle_step *before = &saga->steps[saga->def->carried];
	const struct oracle_action *action = NULL;

	if ((int)i < before->n)
		action = &before->actions[i];
	else if (step >= 0 && at < saga->steps[step].n)
		action = &saga->steps[step].actions[at];
	if (!action || !stands(action))
		oracle_fail(oracle, saga->id, "S12 carried over, and is not armed: entry %zu", i);
	else if ((request != NULL) != (action->undo_request != NULL) ||
			 (request && strcmp(request, action->undo_request) != 0))
		oracle_fail(oracle, saga->id, "S10 carried over with another request: entry %zu", i);
}

static size_t count_standing(struct oracle *oracle, struct oracle_saga *saga)
{
	const struct saga_def *def = saga->def;
	size_t n = 0;

	for (int i = 0; i < def->n_forward; i++) {
		if (!saga->steps[i].settled && def->steps[i].act.kind != ACTION_CONTINUE)
			oracle_fail(oracle, saga->id, "S11 a run ends while %s is open", def->steps[i].id);
		for (int j = 0; j < saga->steps[i].n; j++)
			n += stands(&saga->steps[i].actions[j]);
	}
	return n;
}

static void forget_run(struct oracle_saga *saga, int run)
{
	for (int i = 0; i < saga->def->n_steps; i++) {
		struct oracle_step *step = &saga->steps[i];

		for (int j = 0; j < step->n; j++)
			oracle_action_clear(saga, &step->actions[j]);
		free(step->actions);
		*step = (struct oracle_step){.run = run};
	}
	saga->pivot_closed = false;
}

void oracle_continued(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	const json_t *value = jval_json(event->value);
	const json_t *carried = json_object_get(value, "carried"), *entry;
	size_t i, standing = count_standing(oracle, saga);
	/* One that was skipped is passed, too. */
	bool passed =
		saga->pivot_closed || (saga->def->pivot >= 0 && saga->steps[saga->def->pivot].settled);

	if (saga->compensating)
		oracle_fail(oracle, saga->id, "S15 a run begins on the way back");
	if (json_array_size(carried) != (passed ? 0 : standing))
		oracle_fail(oracle, saga->id, "S12 %zu compensations are carried over, and %zu stand%s",
					json_array_size(carried), standing, passed ? " behind the pivot" : "");
	json_array_foreach (carried, i, entry)
		check_entry(oracle, saga, entry, i);
	forget_run(saga, (int)json_integer_value(json_object_get(value, "step_run")));
	saga->told = 0;
	saga->watched_from = event->at;
	saga->steps[saga->def->carried].begun = saga->steps[saga->def->carried].settled = true;
	json_array_foreach (carried, i, entry) {
		struct oracle_action *action = oracle_action(saga, saga->def->carried, (int)i);

		action->carried_from =
			saga_def_step(saga->def, json_string_value(json_object_get(entry, "step")));
		action->scheduled = action->completed = action->armed = true;
		action->settle_at = json_integer_value(json_object_get(entry, "settle_at"));
		action->undo_request = text_of_request(json_object_get(entry, "request"));
	}
}
