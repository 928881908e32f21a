/*
 * Whether a saga concerns a person, and why. It follows from the state without being stored.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/state_priv.h"

enum {
	UNDO_ATTEMPTS_ALERT = 5,    /* an undo that failed so often concerns a person */
	FORWARD_ATTEMPTS_ALERT = 10 /* so does a step that can only go forward */
};

/* One that is under way is not told by the history until it ends. */
static int64_t failed_attempts(const struct exec *exec)
{
	/* Its child runs: the starts that failed no longer matter. */
	if (exec->status == EXEC_RUNNING && exec->child)
		return 0;
	return exec->status == EXEC_RUNNING || exec->status == EXEC_ONGOING ? exec->attempt - 1
																		: exec->attempt;
}

/* Why one action concerns a person: the words, or NULL; and which of its sides. */
static const char *action_trouble(const struct saga_state *state, int index, int item,
								  struct attention *attention)
{
	const struct step_def *def = &state->def->steps[index];
	const struct action_state *action = &state->steps[index].actions[item];
	const struct exec *run = &action->run, *undo = &action->undo;
	bool forward_only = def->pivot || def->after_pivot || state->def->recovery_forward ||
						index >= state->def->n_forward;

	attention->step = index;
	attention->item = step_def_has_items(def) ? item : -1;
	attention->side = SIDE_UNDO;
	if (action->comp == COMP_FAILED) {
		attention->kind = ATTENTION_STUCK;
		return "the compensation failed";
	}
	attention->side = SIDE_DO;
	if (run->status == EXEC_PARKED) {
		attention->kind = run->parked_unknown ? ATTENTION_UNKNOWN : ATTENTION_PARKED;
		return run->parked_unknown ? "parked with its outcome unknown" : "parked";
	}
	attention->kind = ATTENTION_FAILING;
	if (undo->status != EXEC_DONE && failed_attempts(undo) >= UNDO_ATTEMPTS_ALERT) {
		attention->side = SIDE_UNDO;
		return "the compensation keeps failing";
	}
	if (forward_only && run->status != EXEC_DONE && failed_attempts(run) >= FORWARD_ATTEMPTS_ALERT)
		return "keeps failing";
	return NULL;
}

/* One line about one action. The number of an attempt is left out, so that the line stays. */
static bool action_attention(const struct saga_state *state, int index, int item,
							 struct attention *attention)
{
	const char *id = state->def->steps[index].id;
	const char *why = action_trouble(state, index, item, attention);
	const struct action_state *action = &state->steps[index].actions[item];
	const struct exec *exec = attention->side == SIDE_DO ? &action->run : &action->undo;

	if (!why)
		return false;
	attention->code = exec->code ? xstrdup(exec->code) : NULL;
	attention->text =
		xasprintf("%s: %s%s%s%s%s", id, why, exec->code ? ": " : "", exec->code ? exec->code : "",
				  exec->message ? ": " : "", exec->message ? exec->message : "");
	attention_group(state->def->name, attention->kind, id, attention->side, exec->code,
					exec->message, attention->group);
	return true;
}

/* What was noted concerns the saga, or one of its steps. */
static void note_attention(const struct saga_state *state, enum attention_kind kind,
						   const char *text, struct attention *attention)
{
	bool of_step = kind == ATTENTION_NOTICE && state->attention_step >= 0;
	const char *id = of_step ? state->def->steps[state->attention_step].id : NULL;

	*attention = (struct attention){
		.kind = kind,
		.step = of_step ? state->attention_step : -1,
		.item = of_step ? state->attention_item : -1,
		.text = xstrdup(text),
	};
	attention_group(state->def->name, kind, id, SIDE_DO, NULL, text, attention->group);
}

bool saga_state_deadline_concerns(const struct saga_state *state)
{
	return state->deadline_noted && !state->deadline_seen &&
		   !saga_status_is_terminal(state->status);
}

/* How long it should have taken, as its definition says it; NULL: that is worked out. */
static const char *said_after(const struct escalate_list *list, int late, char text[32])
{
	const struct limit *after = &list->entries[late - 1].after;
	int64_t ms = after->ms;

	if (after->tmpl || ms < 0)
		return NULL;
	if (ms % 86400000 == 0)
		snprintf(text, 32, "%lldd", (long long)(ms / 86400000));
	else if (ms % 3600000 == 0)
		snprintf(text, 32, "%lldh", (long long)(ms / 3600000));
	else if (ms % 60000 == 0)
		snprintf(text, 32, "%lldm", (long long)(ms / 60000));
	else if (ms % 1000 == 0)
		snprintf(text, 32, "%llds", (long long)(ms / 1000));
	else
		snprintf(text, 32, "%lldms", (long long)ms);
	return text;
}

static void late_text(const struct saga_state *state, const char *what,
					  const struct escalate_list *list, int late, struct attention *attention)
{
	const char *id = attention->step >= 0 ? state->def->steps[attention->step].id : NULL;
	const char *after;
	char text[32];

	if ((size_t)late > list->n)
		return;
	after = said_after(list, late, text);
	attention->kind = ATTENTION_LATE;
	attention->text = xasprintf("%s%s%s%s", what, " has not ended in time",
								after ? ": it has taken more than " : "", after ? after : "");
	attention_group(state->def->name, ATTENTION_LATE, id, attention->side, NULL, attention->text,
					attention->group);
}

/* What takes longer than its `escalate` says, and no person has acknowledged. */
static void find_late(const struct saga_state *state, struct attention *attention)
{
	CLEANUP(free_p) char *what = NULL;
	int i, j;

	for (i = 0; i < state->def->n_listed; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			bool undo = action->undo.watch.late && saga_state_is_watched(action, SIDE_UNDO);
			bool run = action->run.watch.late && saga_state_is_watched(action, SIDE_DO);

			if (!undo && !run)
				continue;
			*attention = (struct attention){.step = i,
											.item = step_def_has_items(def) ? j : -1,
											.side = undo ? SIDE_UNDO : SIDE_DO};
			what = xasprintf("%s%s", undo ? "the compensation of " : "", def->id);
			late_text(state, what, undo ? &def->undo.escalate : &def->act.escalate,
					  undo ? action->undo.watch.late : action->run.watch.late, attention);
			return;
		}
	}
	*attention = (struct attention){.step = -1, .item = -1};
	if (state->watch.late)
		late_text(state, "the saga", &state->def->escalate, state->watch.late, attention);
}

static void find_attention(const struct saga_state *state, struct attention *attention)
{
	int i, j;

	*attention = (struct attention){0};
	if (!saga_status_is_terminal(state->status))
		for (i = 0; i < state->def->n_steps; i++)
			for (j = 0; j < state->steps[i].n_actions; j++)
				if (action_attention(state, i, j, attention))
					return;
	*attention = (struct attention){0};
	if (state->attention_note)
		note_attention(state, ATTENTION_NOTICE, state->attention_note, attention);
	else if (saga_state_deadline_concerns(state))
		note_attention(state, ATTENTION_DEADLINE, "the deadline of the saga has passed", attention);
	else if (!saga_status_is_terminal(state->status))
		find_late(state, attention);
}

const char *saga_state_attention(const struct saga_state *state)
{
	return state->attention.text;
}

const struct attention *saga_state_attention_of(const struct saga_state *state)
{
	return state->attention.text ? &state->attention : NULL;
}

/* Since when it has been this reason: what it was for a moment within a transition does not count.
 */
void state__derive_attention(struct saga_state *state)
{
	bool same;

	attention_release(&state->attention);
	find_attention(state, &state->attention);
	same = strcmp(state->attention.group, state->attention_group_before) == 0;
	state->attention_at = !state->attention.text ? 0
						  : same                 ? state->attention_at_before
												 : state->last_at;
}
