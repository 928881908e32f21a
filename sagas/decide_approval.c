/*
 * Approvals: who is asked, and what follows from what they decide. Each decision is an act, told by
 * ActTaken; the one that makes the quorum ends the step. A rejection that makes its quorum is a
 * failure of the step like any other.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/json_text.h"

static int eval_title(const struct approval_action *approval, struct env *env, json_t *asked,
					  struct err *err)
{
	CLEANUP(buf_release) struct buf title;
	bool present = false;
	int r;

	buf_init(&title, APPROVAL_TITLE_MAX_BYTES);
	r = tmpl_write_text(approval->title, &env->expr, TMPL_TEXT_PLAIN, &title, &present, err);
	if (r == 0)
		r = buf_check(&title, "it", err);
	if (r < 0) {
		err_prefix(err, "title");
		return r;
	}
	json_object_set_new_nocheck(asked, "title", json_stringn(buf_str(&title), title.len));
	return 0;
}

/* A list of texts, or one text; null, and what is null in the list, is left out. */
static int eval_names(const struct tmpl *tmpl, const char *what, struct env *env, json_t *asked,
					  struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	json_t *names = json_array(), *one;
	size_t i;
	int r = 0;

	json_object_set_new_nocheck(asked, what, names);
	if (tmpl)
		r = tmpl_eval(tmpl, &env->expr, &value, err);
	if (r == 0 && json_is_string(value)) {
		one = TAKE(value);
		value = json_array();
		json_array_append_new(value, one);
	}
	if (r == 0 && value && !json_is_null(value) && !json_is_array(value))
		r = err_set(err, ERR_INVALID, "a list of names is expected");
	if (r == 0 && json_array_size(value) > APPROVAL_NAMES_MAX)
		r = err_set(err, ERR_LIMIT, "it gives %zu names; at most %d are allowed",
					json_array_size(value), APPROVAL_NAMES_MAX);
	json_array_foreach (value, i, one) {
		if (r == 0 && !json_is_null(one) &&
			(!json_is_string(one) || json_string_length(one) > APPROVAL_NAME_MAX_BYTES))
			r = err_set(err, ERR_INVALID, "a name must be a text of at most %d bytes",
						APPROVAL_NAME_MAX_BYTES);
		if (r == 0 && !json_is_null(one))
			json_array_append(names, one);
	}
	if (r < 0)
		err_prefix(err, "%s", what);
	return r;
}

static int eval_show(const struct approval_action *approval, struct env *env, json_t *asked,
					 struct err *err)
{
	CLEANUP(buf_release) struct buf text = {0};
	json_t *show = NULL;
	int r = 0;

	if (!approval->show)
		return 0;
	buf_init(&text, APPROVAL_SHOW_MAX_BYTES);
	r = tmpl_eval(approval->show, &env->expr, &show, err);
	if (r == 0 && show) {
		json_object_set_new_nocheck(asked, "show", show);
		json_write(show, &text);
		r = buf_check(&text, "what is shown", err);
	}
	if (r < 0)
		err_prefix(err, "show");
	return r;
}

int decide__begin_approval(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	const struct approval_action *approval = &act->approval;
	CLEANUP(json_decref_p) json_t *asked = json_object();
	struct event event;
	int64_t ms;
	int r;

	r = decide__await_limit(ctx, act, env, &ms, err);
	if (r == 0)
		r = eval_title(approval, env, asked, err);
	if (r == 0)
		r = eval_names(approval->groups, "groups", env, asked, err);
	if (r == 0 && json_array_size(json_object_get(asked, "groups")) == 0)
		r = err_set(err, ERR_INVALID, "groups: it names nobody who may decide");
	if (r == 0)
		r = eval_names(approval->exclude, "exclude", env, asked, err);
	if (r == 0)
		r = eval_show(approval, env, asked, err);
	if (r < 0)
		return r;
	json_object_set_new_nocheck(asked, "approve", json_integer(approval->approve));
	json_object_set_new_nocheck(asked, "reject", json_integer(approval->reject));
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = ctx->now + (ms > 0 ? ms : 1);
	event.value = jval_from_json(TAKE(asked));
	decide__emit(ctx, &event);
	return 0;
}

static void approved(struct ctx *ctx, struct target target, struct env *env)
{
	const struct action_def *act = decide__action_def(ctx, target);
	const struct approval *approval =
		saga_state_action(ctx->state, target.step, target.item)->approval;
	CLEANUP(jval_unref_p) struct jval *all = jval_from_json(approval_output(approval, true));
	CLEANUP(jval_unref_p) struct jval *shaped = NULL;
	json_t *value = NULL;
	struct err err;

	if (!act->output) {
		decide__completed(ctx, target.step, target.item, all, env);
		return;
	}
	/* As a step that awaits: what came is its `event`. */
	env->event = all;
	if (tmpl_eval(act->output, &env->expr, &value, &err) < 0) {
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "output_error",
					   err.text, env);
		return;
	}
	shaped = value ? jval_from_json(value) : NULL;
	decide__completed(ctx, target.step, target.item, shaped, env);
}

static void rejected(struct ctx *ctx, struct target target, struct env *env)
{
	const struct approval *approval =
		saga_state_action(ctx->state, target.step, target.item)->approval;
	const struct approval_decision *last = &approval->decisions[approval->n_decisions - 1];
	CLEANUP(free_p)
	char *message = xasprintf("rejected by %s%s%s", last->by, last->reason ? ": " : "",
							  last->reason ? last->reason : "");

	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "rejected", message,
				   env);
}

static struct jval *parameters(const struct act *act)
{
	CLEANUP(jval_unref_p) struct jval *data = decide__copy_value(act->data);
	json_t *json;

	if (!data)
		return NULL;
	json = json_object();
	json_object_set_nocheck(json, "data", jval_json(data));
	return jval_from_json(json);
}

int decide__decision(struct ctx *ctx, struct target target, const struct act *act, struct err *err)
{
	struct event event;
	struct env env;
	int verdict;

	if (!act->by || !*act->by)
		return err_set_at(err, ERR_INVALID, "/by", "who decides is missing");
	event = decide__act_event(act, target.step);
	event.value = parameters(act);
	decide__emit(ctx, &event);
	verdict = approval_verdict(saga_state_action(ctx->state, target.step, target.item)->approval);
	env_init(&env, ctx->state, target.step, target.item);
	if (verdict > 0)
		approved(ctx, target, &env);
	else if (verdict < 0)
		rejected(ctx, target, &env);
	env_release(&env);
	return 0;
}

/* What others are told. */

static void touch(struct ctx *ctx, int step, int item)
{
	struct decision *decision = ctx->decision;
	size_t i;

	for (i = 0; i < decision->n_approvals; i++)
		if (decision->approvals[i].step == step && decision->approvals[i].item == item)
			return;
	if (decision->n_approvals == decision->cap_approvals) {
		decision->cap_approvals = decision->cap_approvals ? 2 * decision->cap_approvals : 4;
		decision->approvals = xrealloc_array(decision->approvals, decision->cap_approvals,
											 sizeof(*decision->approvals));
	}
	decision->approvals[decision->n_approvals++] = (struct approval_ref){step, item};
}

void decide__touch_approval(struct ctx *ctx, int step, int item)
{
	if (ctx->state->def->steps[step].act.kind == ACTION_APPROVAL)
		touch(ctx, step, item);
}

static bool is_resume(const struct event *event)
{
	return event->type == EV_ACT_TAKEN && strcmp(event->name, act_kind_text(ACT_RESUME)) == 0;
}

/* A pause moves when they end; the saga's escalation may be about all of them. */
static void touch_all(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	int i, j;

	for (i = 0; i < state->def->n_listed; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (saga_exec_is_open(&state->steps[i].actions[j].run))
				decide__touch_approval(ctx, i, decide__item(state, i, j));
}

void decide__note_approval(struct ctx *ctx, const struct event *event)
{
	bool of_action = event->step >= 0 && event->type != EV_STEP_EXPANDED &&
					 event->type != EV_STEP_SETTLED &&
					 step_def_has_items(&ctx->state->def->steps[event->step]) == (event->item >= 0);

	if (of_action)
		decide__touch_approval(ctx, event->step, event->item);
	else if (event->step < 0 && (event->type == EV_ESCALATED || is_resume(event)))
		touch_all(ctx);
}

static bool has_ended(const struct event *event)
{
	return event->type == EV_SAGA_COMPLETED || event->type == EV_SAGA_COMPENSATED ||
		   event->type == EV_SAGA_TERMINATED;
}

/* What is still to be decided; NULL: nothing. */
static const struct action_state *open_approval(const struct saga_state *state,
												struct approval_ref ref)
{
	int at = ref.item < 0 ? 0 : ref.item;
	const struct action_state *action;

	if (at >= state->steps[ref.step].n_actions)
		return NULL;
	action = &state->steps[ref.step].actions[at];
	return action->approval && saga_exec_is_open(&action->run) ? action : NULL;
}

static void tell(struct ctx *ctx, struct approval_ref ref)
{
	const struct action_state *action = open_approval(ctx->state, ref);
	CLEANUP(json_decref_p) json_t *json = NULL;
	CLEANUP(buf_release) struct buf doc = {0};

	if (!action) {
		decide__task_gone(ctx->decision, ref.step, ref.item, SIDE_DO);
		return;
	}
	json = approval_json(action->approval, ctx->state->def->steps[ref.step].act.approval.form);
	buf_init(&doc, 0);
	json_write(json, &doc);
	decide__task(ctx->decision, &(struct task_note){
									.step = ref.step,
									.item = ref.item,
									.side = SIDE_DO,
									.kind = TASK_APPROVAL,
									.state = TASK_QUEUED,
									.queued_at = action->approval->since,
									.available_at = action->approval->since,
									.deadline_at = action->run.due_at,
									.doc = (char *)buf_str(&doc),
								});
}

/* A saga that is terminated may leave some undecided. */
static void drop_open(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	int i, j;

	for (i = 0; i < state->def->n_listed; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].approval)
				decide__task_gone(ctx->decision, i, decide__item(state, i, j), SIDE_DO);
}

void decide__tell_approvals(struct ctx *ctx)
{
	struct decision *decision = ctx->decision;
	size_t i;

	for (i = 0; i < decision->n_approvals; i++)
		tell(ctx, decision->approvals[i]);
	if (decision->n_events > 0 && has_ended(&decision->events[decision->n_events - 1]))
		drop_open(ctx);
	decision->n_approvals = 0;
}
