/*
 * The books of the oracle on what people are asked and told: approvals are decided by those who
 * may, each once, and by enough of them (S22); an escalation is told once, not before its time, and
 * of something that is not over (S23).
 */
#include <string.h>

#include "tests/support/oracle.h"

static void fail(struct oracle *oracle, const struct oracle_saga *saga, const struct event *event,
				 const char *rule)
{
	oracle_fail(oracle, saga->id, "%s: %s %s[%d] at row %lld", rule, event_type_text(event->type),
				event->step >= 0 ? saga->def->steps[event->step].id : "", event->item,
				(long long)saga->seq + 1);
}

void oracle_people_clear(struct oracle_action *action)
{
	json_decref(action->asked);
	json_decref(action->decided);
	action->asked = action->decided = NULL;
}

void oracle_asked(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	struct oracle_action *action = oracle_action(saga, event->step, event->item);
	const json_t *value = event->value ? jval_json(event->value) : NULL;

	if (saga->def->steps[event->step].act.kind != ACTION_APPROVAL)
		return;
	if (json_array_size(json_object_get(value, "groups")) == 0)
		fail(oracle, saga, event, "S22 an approval that nobody may decide");
	oracle_people_clear(action);
	action->asked = json_deep_copy(value);
	action->decided = json_object();
}

static bool lists(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (strcmp(json_string_value(one), name) == 0)
			return true;
	return false;
}

void oracle_decided(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	struct oracle_action *action = oracle_action(saga, event->step, event->item);

	if (!action->asked || action->completed || action->failed || action->skipped) {
		fail(oracle, saga, event, "S22 decided, and nobody is asked");
		return;
	}
	if (!event->by || json_object_get(action->decided, event->by))
		fail(oracle, saga, event, "S22 decided twice by the same person, or by nobody");
	if (event->by && lists(json_object_get(action->asked, "exclude"), event->by))
		fail(oracle, saga, event, "S22 decided by who is excluded");
	json_object_set_new(action->decided, event->by ? event->by : "", json_string(event->name));
}

static int count(const struct oracle_action *action, const char *word)
{
	const char *by;
	json_t *had;
	int n = 0;

	json_object_foreach (action->decided, by, had)
		n += strcmp(json_string_value(had), word) == 0;
	return n;
}

static int quorum(const struct oracle_action *action, const char *word)
{
	return (int)json_integer_value(json_object_get(action->asked, word));
}

void oracle_approval_ends(struct oracle *oracle, struct oracle_saga *saga,
						  const struct event *event)
{
	const struct oracle_action *action = oracle_action(saga, event->step, event->item);
	const char *code = event->code ? event->code : "";

	if (saga->def->steps[event->step].act.kind != ACTION_APPROVAL || oracle_by_hand(saga, event) ||
		!action->asked)
		return;
	if (event->type == EV_STEP_COMPLETED && count(action, "approve") < quorum(action, "approve"))
		fail(oracle, saga, event, "S22 approved by too few");
	if (event->type == EV_STEP_FAILED && strcmp(code, "rejected") == 0 &&
		count(action, "reject") < quorum(action, "reject"))
		fail(oracle, saga, event, "S22 rejected by too few");
	if (event->type == EV_STEP_FAILED && strcmp(code, "timeout") == 0 && event->at < action->due_at)
		fail(oracle, saga, event, "S16 an approval times out early");
}

/* Escalations. */

static bool is_watched(const struct oracle_action *action, bool undo)
{
	if (undo)
		return action->started && !action->undone && !action->undo_skipped && !action->resolved;
	return action->scheduled && !action->completed && !action->failed && !action->skipped;
}

void oracle_escalated(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	bool undo = event->side == SIDE_UNDO, of_saga = event->step < 0;
	const struct escalate_list *list =
		of_saga ? &saga->def->escalate
		: undo  ? &oracle_undo_def(saga, event->step, event->item)->escalate
				: &saga->def->steps[event->step].act.escalate;
	json_int_t n = json_integer_value(json_object_get(jval_json(event->value), "entry"));
	struct oracle_action *action = of_saga ? NULL : oracle_action(saga, event->step, event->item);
	unsigned *told = of_saga ? &saga->told : undo ? &action->undo_told : &action->told;
	wall_ms from = of_saga ? saga->watched_from : undo ? action->undo_began : action->began;

	if (n < 0 || (size_t)n >= list->n) {
		fail(oracle, saga, event, "S23 an entry that there is not");
		return;
	}
	if (*told >> n & 1)
		fail(oracle, saga, event, "S23 told twice");
	*told |= 1u << n;
	if (!of_saga && !is_watched(action, undo))
		fail(oracle, saga, event, "S23 told of what is over, or never began");
	if (!list->entries[n].after.tmpl && event->at < from + list->entries[n].after.ms)
		fail(oracle, saga, event, "S23 told too early");
	saga->told_row = saga->seq + 1;
	saga->told_step = escalate_step(saga->def, event->step, &list->entries[n]);
}

void oracle_escalation_begins(struct oracle *oracle, struct oracle_saga *saga,
							  const struct event *event)
{
	if (saga->told_row != saga->seq + 1 || saga->told_step != event->step)
		fail(oracle, saga, event, "S23 begun without being told");
}

void oracle_people_paused(struct oracle_saga *saga, int64_t by)
{
	int i, j;

	saga->watched_from += by;
	for (i = 0; i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->steps[i].n; j++) {
			struct oracle_action *action = &saga->steps[i].actions[j];

			action->began += action->began ? by : 0;
			action->undo_began += action->undo_began ? by : 0;
		}
	}
}

void oracle_people_forget(struct oracle_saga *saga, int step, int item)
{
	int i, j;

	for (i = saga->def->n_listed; i < saga->def->n_steps; i++) {
		struct oracle_step *st = &saga->steps[i];

		if (!saga->def->steps[i].escalates || saga->def->steps[i].watches != step)
			continue;
		for (j = 0; j < st->n; j++)
			if (item < 0 || item == j)
				oracle_action_clear(saga, &st->actions[j]);
		if (item >= 0) {
			st->run = (st->run ? st->run : 1) + 1;
			continue;
		}
		free(st->actions);
		*st = (struct oracle_step){.run = (st->run ? st->run : 1) + 1};
	}
}

const char *oracle_people_differ(const struct action_state *a, const struct action_state *b)
{
	size_t na = a->approval ? a->approval->n_decisions : 0;
	size_t nb = b->approval ? b->approval->n_decisions : 0;

	if ((a->approval != NULL) != (b->approval != NULL) || na != nb)
		return "decisions";
	if (memcmp(&a->run.watch, &b->run.watch, sizeof(a->run.watch)) != 0 ||
		memcmp(&a->undo.watch, &b->undo.watch, sizeof(a->undo.watch)) != 0)
		return "escalations";
	return NULL;
}
