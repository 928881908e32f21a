#include "sagas/new_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sagas/act_allowed_priv.h"
#include "sagas/decide_priv.h"
#include "sagas/hash.h"

struct rule {
	const struct saga_state *then, *end;
	wall_ms now;
	json_t *reasons;
};

/* step -1: of the saga. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct rule *rule, int step, const char *fmt, ...)
{
	const char *id = step < 0 ? NULL : rule->then->def->steps[step].id;
	json_t *reason = json_object();
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (id && step != rule->then->def->carried)
		json_object_set_new_nocheck(reason, "step", json_string(id));
	json_object_set_new_nocheck(reason, "reason", json_string(text));
	json_array_append_new(rule->reasons, reason);
}

static bool is_settled(const struct saga_state *state, int step)
{
	return state->steps[step].begun && state->steps[step].settled;
}

/* A lock that is held there was given back with the end. It is asked for again, unless something
 * that stays was done under it. */
static bool holds_lock(const struct saga_state *then, int step)
{
	const struct step_state *state = &then->steps[step];
	int i;

	for (i = 0; i < state->n_actions; i++)
		if (state->actions[i].locked)
			return true;
	return false;
}

static int done_under(const struct saga_state *then, int lock)
{
	const struct saga_def *def = then->def;
	int i;

	for (i = 0; i < def->n_forward; i++)
		if (is_settled(then, i) && step_def_has_ancestor(&def->steps[i], lock))
			return i;
	return -1;
}

static bool is_kept(const struct saga_state *then, int step)
{
	return is_settled(then, step) && !(holds_lock(then, step) && done_under(then, step) < 0);
}

static bool is_undone(const struct action_state *action)
{
	return action->comp == COMP_DONE || action->comp == COMP_RESOLVED;
}

static bool is_being_undone(const struct action_state *action)
{
	return action->comp == COMP_RUNNING || action->comp == COMP_BACKING_OFF;
}

/* What is kept. */

static void check_kept_action(struct rule *rule, int step, const struct action_state *then,
							  const struct action_state *end)
{
	const char *what = step == rule->then->def->carried ? "what an earlier run did" : "it";

	if (then->comp != COMP_NOT_ARMED && then->comp != COMP_ARMED && !then->tolerated)
		refuse(rule, step, "%s was undone, or being undone, at that row", what);
	else if (then->held || end->held)
		refuse(rule, step,
			   "%s was done by saga %s, which was held for this one and is let go since it has "
			   "ended, so that it could not be undone any more",
			   what, then->run.child ? then->run.child : "?");
	else if (is_undone(end) && !is_undone(then))
		refuse(rule, step, "%s was undone after that row: its effect is gone", what);
	else if (end->comp == COMP_FAILED || is_being_undone(end))
		refuse(
			rule, step,
			"its undo was begun after that row, and did not end well: nobody knows what is left");
	else if (end->comp == COMP_SKIPPED && then->comp != COMP_SKIPPED)
		refuse(rule, step, "its undo was skipped after that row, so it is written off");
	else if (end->run.status != then->run.status || end->skipped != then->skipped ||
			 end->late_success != then->late_success || end->comp != then->comp)
		refuse(rule, step, "what is known of it has changed after that row");
}

static void check_kept(struct rule *rule, int step)
{
	const struct step_state *then = &rule->then->steps[step], *end = &rule->end->steps[step];
	int i;

	if (holds_lock(rule->then, step)) {
		i = done_under(rule->then, step);
		refuse(rule, step, "%s was done while this lock was held, which was given back since",
			   rule->then->def->steps[i].id);
		return;
	}
	if (step >= rule->then->def->n_forward) {
		refuse(rule, step, "it had begun at that row, and runs once all is undone");
		return;
	}
	if (!end->begun || end->run != then->run || end->n_actions != then->n_actions) {
		refuse(rule, step, "it began anew after that row, so what it had done there is undone");
		return;
	}
	for (i = 0; i < then->n_actions; i++)
		check_kept_action(rule, step, &then->actions[i], &end->actions[i]);
}

/* What begins anew, or for the first time. */

static const char *not_undone(const struct step_def *def, const struct action_state *action)
{
	if (!saga_has_undo(def, action))
		return "it has taken effect after that row, and cannot be undone";
	return "it has taken effect after that row, and is not undone";
}

/* Why something of it is left in the world; NULL: nothing is. */
static const char *left_behind(const struct step_def *def, const struct action_state *action,
							   wall_ms now)
{
	const struct exec *run = &action->run;

	if (action->late_success)
		return "it was said to have succeeded when nobody waited for it any more";
	if (action->comp == COMP_FAILED)
		return "its undo has failed: nobody knows what is left of it";
	if (is_being_undone(action))
		return "it was being undone when the saga ended";
	if (run->settle_at > now)
		return "it may still take effect: wait until it has settled";
	if (act_has_no_effect(def) || is_undone(action))
		return NULL;
	switch (run->status) {
	case EXEC_IDLE:
		return NULL;
	case EXEC_RUNNING:
	case EXEC_ONGOING:
		return "it was under way when the saga ended, and may take effect";
	case EXEC_BACKING_OFF:
	case EXEC_QUEUED:
		return run->ambiguous || run->child
				   ? "it was being tried when the saga ended, and may have "
					 "taken effect"
				   : NULL;
	case EXEC_DONE:
		return action->skipped && !run->ambiguous ? NULL : not_undone(def, action);
	case EXEC_PARKED:
		return run->parked_unknown ? "it may have taken effect: its outcome is unknown" : NULL;
	case EXEC_FAILED:
	case EXEC_GAVE_UP:
		break;
	}
	if (run->status == EXEC_FAILED && !run->ambiguous)
		return NULL;
	return "it may have taken effect after that row, and is not undone";
}

static void check_anew(struct rule *rule, int step)
{
	const struct step_state *end = &rule->end->steps[step];
	const char *why = NULL;
	int i;

	for (i = 0; i < end->n_actions && !why; i++)
		why = left_behind(&rule->end->def->steps[step], &end->actions[i], rule->now);
	if (why)
		refuse(rule, step, "%s", why);
}

json_t *saga_new_run_refusals(const struct saga_state *then, const struct saga_state *end,
							  wall_ms now)
{
	struct rule rule = {.then = then, .end = end, .now = now, .reasons = json_array()};
	int i;

	CHECK(saga_status_is_terminal(end->status));
	if (end->parent)
		refuse(&rule, -1, "it is a step of saga %s, which has its answer: reset that one",
			   end->parent->saga_id);
	if (saga_status_is_terminal(then->status))
		refuse(&rule, -1, "the saga had ended at that row: nothing is left to be done");
	if (then->n_events >= HISTORY_MAX_EVENTS / 5 * 4 ||
		then->history_bytes >= HISTORY_MAX_BYTES / 5 * 4)
		refuse(&rule, -1,
			   "the history has reached 80 %% of its limit at that row, so nothing can begin anew");
	for (i = 0; i < then->def->n_listed; i++) {
		if (is_kept(then, i))
			check_kept(&rule, i);
		else
			check_anew(&rule, i);
	}
	return rule.reasons;
}

void saga_new_run_id(const char *of, wall_ms ended_at, char id[SAGA_ID_SIZE])
{
	unsigned char digest[SHA256_SIZE];
	char text[SAGA_ID_SIZE + 16];

	snprintf(text, sizeof(text), "new run of %.36s", of);
	hash_sha256(text, strlen(text), digest);
	saga_id_make(ended_at, saga_id_slot(of), digest, id);
}

static json_t *forgotten(const struct saga_state *state)
{
	json_t *ids = json_array();
	int i;

	for (i = 0; i < state->def->n_listed; i++)
		if (state->steps[i].begun && !is_kept(state, i))
			json_array_append_new(ids, json_string(state->def->steps[i].id));
	return ids;
}

int saga_decide_new_run(struct saga_state *state, const struct new_run *run, wall_ms now,
						struct decision *decision, struct err *err)
{
	struct input in = {.type = INPUT_TIMER};
	struct ctx ctx = {
		.state = state,
		.in = &in,
		.now = now < state->last_at ? state->last_at : now,
		.decision = decision,
	};
	struct event event = decide__event(EV_SAGA_RESET, -1, -1);
	wall_ms before = state->started_at;
	int64_t deadline_ms;
	struct env env;
	int r;

	state->started_at = ctx.now;
	env_init(&env, state, -1, -1);
	r = decide__limit(&ctx, &state->def->deadline, &env, &deadline_ms, err);
	env_release(&env);
	state->started_at = before;
	if (r < 0)
		return r;
	event.id = decide__clean_copy(run->act_id);
	event.by = decide__clean_copy(run->by);
	event.reason = decide__clean_copy(run->reason);
	event.deadline_at = deadline_ms >= 0 ? decide__at(&ctx, deadline_ms) : 0;
	event.value = jval_from_json(json_pack("{s:{s:s,s:I},s:o}", "run_of", "id", run->of, "seq",
										   (json_int_t)run->seq, "forget", forgotten(state)));
	decide__emit(&ctx, &event);
	r = decide__subscribe_cancel(&ctx, err);
	if (r < 0)
		decide__fail_saga(&ctx, -1, "expression_error", err->text);
	saga_state_derive(state);
	return 0;
}
