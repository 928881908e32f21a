/*
 * `escalate`: what takes longer than it should is told so, entry by entry, each once. When the next
 * entry is due stands in the history, so that a saga may sleep until then, and who folds it knows.
 *
 * An entry that calls, emits or queues a task has a step of its own, behind those of the document.
 * It goes on by itself like any other, and ends with what it watches: what is not out by then is
 * not sent any more.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/json_text.h"

static const struct escalate_list *list_of(const struct ctx *ctx, struct target target)
{
	return target.step < 0 ? &ctx->state->def->escalate
						   : &decide__action_def(ctx, target)->escalate;
}

static struct watch *watch_of(const struct ctx *ctx, struct target target)
{
	return target.step < 0 ? &ctx->state->watch : &decide__exec(ctx, target)->watch;
}

/* When an entry is due. One that cannot be evaluated is due at once, and a person is told why. */
static wall_ms entry_at(const struct ctx *ctx, const struct escalate_def *entry, struct env *env,
						wall_ms from)
{
	struct ctx then = *ctx;
	struct err err;
	int64_t ms;

	/* A point in time is what is left until then, counted from the beginning. */
	then.now = from;
	if (decide__limit(&then, &entry->after, env, &ms, &err) < 0 || ms < 0)
		return from;
	return from + ms;
}

static void env_of(struct env *env, const struct ctx *ctx, struct target target)
{
	env_init(env, ctx->state, target.step, target.item);
	env->saga_failure |= target.side == SIDE_UNDO;
}

/* The first entry that was not told yet; *ret_at 0 and -1: there is none. */
static int next_entry(const struct ctx *ctx, struct target target, wall_ms from, unsigned told,
					  wall_ms *ret_at)
{
	const struct escalate_list *list = list_of(ctx, target);
	struct env env;
	int found = -1;
	wall_ms at;
	size_t i;

	*ret_at = 0;
	if (list->n == 0)
		return -1;
	env_of(&env, ctx, target);
	for (i = 0; i < list->n; i++) {
		if (told >> i & 1)
			continue;
		at = entry_at(ctx, &list->entries[i], &env, from);
		if (found < 0 || at < *ret_at) {
			found = (int)i;
			*ret_at = at;
		}
	}
	env_release(&env);
	return found;
}

/* The run that begins has another input. */
static void note_next_run(struct ctx *ctx, struct event *event)
{
	struct jval *before = ctx->state->input;
	CLEANUP(jval_unref_p)
	struct jval *input =
		jval_from_json(json_incref(json_object_get(jval_json(event->value), "input")));

	ctx->state->input = input;
	(void)next_entry(ctx, (struct target){-1, -1, SIDE_DO}, ctx->now, 0, &event->escalate_at);
	ctx->state->input = before;
}

void decide__note_beginning(struct ctx *ctx, struct event *event)
{
	struct target target = {event->step, event->item, SIDE_DO};

	if (event->type == EV_COMPENSATION_STARTED)
		target.side = SIDE_UNDO;
	else if (event->type != EV_STEP_SCHEDULED && event->type != EV_SAGA_STARTED &&
			 event->type != EV_SAGA_CONTINUED && event->type != EV_SAGA_RESET)
		return;
	/* What it reads of the saga must be there before the event is folded. */
	if (event->type == EV_SAGA_STARTED && !ctx->state->input) {
		ctx->state->input = jval_ref(event->value);
		ctx->state->started_at = event->at;
	}
	if (event->type == EV_SAGA_CONTINUED)
		note_next_run(ctx, event);
	else
		(void)next_entry(ctx, target, ctx->now, 0, &event->escalate_at);
}

static void notice(struct ctx *ctx, struct target target, const char *text)
{
	struct event event = decide__event(EV_SAGA_ATTENTION, -1, -1);
	const struct saga_state *state = ctx->state;
	const char *id;

	if (target.step >= 0 && target.step == state->def->carried)
		target.step = saga_state_action(state, target.step, target.item)->carried_from;
	id = target.step < 0 ? state->def->name : state->def->steps[target.step].id;
	event.reason = xasprintf("an escalation of %s: %s", id, text);
	decide__emit(ctx, &event);
}

/* The groups that an entry adds, or NULL: it adds none, or they cannot be told. */
static json_t *entry_groups(struct ctx *ctx, struct target target, const struct escalate_def *entry)
{
	json_t *groups = NULL;
	struct env env;
	struct err err;
	int r;

	if (entry->kind != ESCALATE_GROUPS)
		return NULL;
	env_of(&env, ctx, target);
	r = tmpl_eval(entry->groups, &env.expr, &groups, &err);
	env_release(&env);
	if (r == 0 && (!json_is_array(groups) || json_array_size(groups) > APPROVAL_NAMES_MAX))
		r = err_set(&err, ERR_INVALID, "`groups` must give a list of at most %d names",
					APPROVAL_NAMES_MAX);
	if (r == 0)
		return groups;
	json_decref(groups);
	notice(ctx, target, err.text);
	return NULL;
}

void decide__begin_escalation(struct ctx *ctx, struct target target, int n)
{
	const struct escalate_list *list = list_of(ctx, target);
	const struct saga_def *def = ctx->state->def;
	int step;

	if (n < 0 || (size_t)n >= list->n || list->entries[n].kind != ESCALATE_STEP)
		return;
	step = escalate_step(def, target.step, &list->entries[n]);
	decide__begin_action(ctx, step, def->steps[step].watches_items ? target.item : -1);
}

static void tell(struct ctx *ctx, struct target target, int n)
{
	const struct escalate_def *entry = &list_of(ctx, target)->entries[n];
	const struct watch *watch = watch_of(ctx, target);
	json_t *groups = entry_groups(ctx, target, entry);
	struct event event = decide__event(EV_ESCALATED, target.step, target.item);

	event.side = target.side;
	event.value = jval_from_json(json_pack("{s:i}", "entry", n));
	if (groups)
		json_object_set_new_nocheck(jval_json(event.value), "groups", groups);
	(void)next_entry(ctx, target, watch->from, watch->told | 1u << n, &event.due_at);
	decide__emit(ctx, &event);
	decide__begin_escalation(ctx, target, n);
}

void decide__escalate(struct ctx *ctx, struct target target)
{
	wall_ms at;
	int n;

	/* One after another, in the order of their times. */
	while (watch_of(ctx, target)->next_at && watch_of(ctx, target)->next_at <= ctx->now) {
		n = next_entry(ctx, target, watch_of(ctx, target)->from, watch_of(ctx, target)->told, &at);
		if (n < 0)
			return;
		tell(ctx, target, n);
	}
}

void decide__escalations(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	int i, j;

	for (i = 0; i < state->def->n_listed; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			int item = decide__item(state, i, j);

			if (saga_state_is_watched(saga_state_action(state, i, item), SIDE_DO))
				decide__escalate(ctx, (struct target){i, item, SIDE_DO});
			if (saga_state_is_watched(saga_state_action(state, i, item), SIDE_UNDO))
				decide__escalate(ctx, (struct target){i, item, SIDE_UNDO});
		}
	}
	if (!saga_status_is_terminal(state->status))
		decide__escalate(ctx, (struct target){-1, -1, SIDE_DO});
}

static bool is_watched(const struct saga_state *state, const struct step_def *def, int item)
{
	int at = item < 0 ? 0 : item;

	if (def->watches < 0)
		return true;
	return at < state->steps[def->watches].n_actions &&
		   saga_state_is_watched(&state->steps[def->watches].actions[at],
								 def->watches_undo ? SIDE_UNDO : SIDE_DO);
}

void decide__drop_escalations(struct ctx *ctx)
{
	struct saga_state *state = ctx->state;
	int i, j;

	for (i = state->def->n_listed; i < state->def->n_steps; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct step_def *def = &state->def->steps[i];
			int item = decide__item(state, i, j);
			const struct exec *run = &saga_state_action(state, i, item)->run;
			struct event event;

			if (!def->escalates || run->out || is_watched(state, def, item) ||
				(run->status != EXEC_BACKING_OFF && run->status != EXEC_QUEUED))
				continue;
			event = decide__event(EV_STEP_FAILED, i, item);
			event.ambiguous = run->ambiguous;
			event.outcome = run->ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE;
			event.tolerated = true;
			decide__error(&event, "abandoned", "what it escalates has ended");
			decide__emit(ctx, &event);
		}
	}
}

void decide__escalation_failed(struct ctx *ctx, int step, const char *code, const char *message)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	CLEANUP(free_p)
	char *text = xasprintf("%s%s%s", code, message && *message ? ": " : "", message ? message : "");

	/* Nobody has to know that nobody has to know any more. */
	if (strcmp(code, "abandoned") != 0)
		notice(ctx, (struct target){def->said_by, -1, SIDE_DO}, text);
}
