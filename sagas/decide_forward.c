/*
 * The way forward. A step begins when all that it needs has settled; a step of items keeps up to
 * max_parallel of them going; a step of turns takes one after another. A pass over the steps is
 * repeated until it changes nothing, since a step without a call settles in the pass that begins
 * it.
 */
#include "sagas/decide_priv.h"

#include "sagas/callback.h"
#include "sagas/json_text.h"

bool decide__tolerates(struct ctx *ctx, int step, struct env *env)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct err err;

	/* Nothing depends on what only tells. */
	if (def->escalates)
		return true;
	if (!def->tolerate)
		return false;
	return tmpl_eval(def->tolerate, &env->expr, &value, &err) == 0 && json_is_true(value);
}

void decide__completed(struct ctx *ctx, int step, int item, struct jval *output, struct env *env)
{
	struct event event = decide__event(EV_STEP_COMPLETED, step, item);

	event.value = jval_ref(output);
	decide__emit(ctx, &event);
	env->output = output;
	decide__arm(ctx, step, item, env);
}

static void settle(struct ctx *ctx, int step, enum outcome outcome, json_t *output)
{
	struct event event = decide__event(EV_STEP_SETTLED, step, -1);

	event.outcome = outcome;
	event.value = output ? jval_from_json(output) : NULL;
	decide__emit(ctx, &event);
}

bool decide__pivot_may_be_done(const struct saga_state *state, int item)
{
	const struct step_state *pivot = &state->steps[state->def->pivot];
	int i;

	for (i = 0; i < pivot->n_actions; i++)
		if (i != (item < 0 ? 0 : item) && pivot->actions[i].run.status != EXEC_IDLE &&
			(pivot->actions[i].run.status != EXEC_FAILED || pivot->actions[i].run.ambiguous))
			return true;
	return false;
}

void decide__failed(struct ctx *ctx, int step, int item, enum outcome outcome, bool ambiguous,
					wall_ms settle_at, const char *code_said, const char *message_said,
					struct env *env)
{
	struct saga_state *state = ctx->state;
	/* Copies, for what was said may be the action's last error, which the event replaces. */
	CLEANUP(free_p) char *code = code_said ? xstrdup(code_said) : NULL;
	CLEANUP(free_p) char *message = message_said ? xstrdup(message_said) : NULL;
	bool after = step >= state->def->n_forward;
	struct event event;
	bool tolerated;

	env->failure_code = code;
	env->failure_message = message;
	tolerated = (after || !state->failing) && decide__tolerates(ctx, step, env);
	if (!tolerated &&
		(decide__forward_only(state, step) ||
		 (step == state->def->pivot && (ambiguous || decide__pivot_may_be_done(state, item))))) {
		decide__park(ctx, (struct target){step, item, SIDE_DO},
					 ambiguous ? OUTCOME_UNKNOWN : OUTCOME_FAILURE, code, message);
		env->failure_code = env->failure_message = NULL;
		return;
	}
	event = decide__event(EV_STEP_FAILED, step, item);
	event.outcome = outcome;
	event.ambiguous = ambiguous;
	event.tolerated = tolerated;
	event.settle_at = ambiguous ? settle_at : 0;
	event.http_status = ctx->in->type == INPUT_REPLY ? ctx->in->http_status : 0;
	decide__error(&event, code, message);
	decide__emit(ctx, &event);
	if (ambiguous)
		decide__arm(ctx, step, item, env);
	if (state->def->steps[step].escalates)
		decide__escalation_failed(ctx, step, code, message);
	if (!tolerated && !state->failing)
		decide__fail_saga(ctx, step, code, message);
	env->failure_code = env->failure_message = NULL;
}

static int begin_call(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(request_unref_p) struct request *request = NULL;
	char nonce[CALLBACK_NONCE_SIZE];
	struct event event;
	int64_t deadline_ms;
	int r;

	if (act->reads_callback)
		env->nonce = decide__callback_nonce(ctx, step, item, nonce);
	r = decide__request(act, env, CALL_DO, 0, &request, err);
	env->nonce = NULL;
	if (r == 0)
		r = decide__limit(ctx, &act->deadline, env, &deadline_ms, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.id = act->reads_callback ? xstrdup(nonce) : NULL;
	event.request = TAKE(request);
	event.deadline_at = decide__at(ctx, deadline_ms >= 0 ? deadline_ms : DEADLINE_DEFAULT_MS);
	event.due_at = decide__reply_due(ctx, act, env, event.deadline_at);
	decide__emit(ctx, &event);
	decide__send(ctx, (struct target){step, item, SIDE_DO});
	return 0;
}

static int begin_timer(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	struct event event;
	int64_t ms;
	int r;

	r = decide__limit(ctx, &ctx->state->def->steps[step].act.after, env, &ms, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = decide__at(ctx, ms < 0 ? 0 : ms);
	decide__emit(ctx, &event);
	return 0;
}

static int do_set(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	json_t *value = NULL;
	int r;

	r = tmpl_eval(ctx->state->def->steps[step].act.set, &env->expr, &value, err);
	if (r < 0)
		return r;
	output = value ? jval_from_json(value) : NULL;
	decide__completed(ctx, step, item, output, env);
	return 0;
}

static int do_fail(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(buf_release) struct buf code, message;
	bool present;
	int r;

	buf_init(&code, 128);
	buf_init(&message, 4096);
	r = tmpl_write_text(act->fail_code, &env->expr, TMPL_TEXT_PLAIN, &code, &present, err);
	if (r == 0 && act->fail_message)
		r = tmpl_write_text(act->fail_message, &env->expr, TMPL_TEXT_PLAIN, &message, &present,
							err);
	if (r < 0)
		return r;
	decide__failed(ctx, step, item, OUTCOME_FAILURE, false, 0, buf_str(&code), buf_str(&message),
				   env);
	return 0;
}

void decide__begin_action(struct ctx *ctx, int step, int item)
{
	struct env env;
	struct err err;
	int r = 0;

	env_init(&env, ctx->state, step, item);
	switch (ctx->state->def->steps[step].act.kind) {
	case ACTION_HTTP:
	case ACTION_COMMAND:
		r = begin_call(ctx, step, item, &env, &err);
		break;
	case ACTION_TASK:
		r = decide__queue_task(ctx, step, item, &env, &err);
		break;
	case ACTION_CHILD:
		r = decide__begin_child(ctx, step, item, &env, &err);
		break;
	case ACTION_EMIT:
		r = decide__emit_record(ctx, step, item, &env, &err);
		break;
	case ACTION_SET:
		r = do_set(ctx, step, item, &env, &err);
		break;
	case ACTION_FAIL:
		r = do_fail(ctx, step, item, &env, &err);
		break;
	case ACTION_AWAIT_AFTER:
		r = begin_timer(ctx, step, item, &env, &err);
		break;
	case ACTION_AWAIT_SIGNAL:
		r = decide__begin_signal(ctx, step, item, &env, &err);
		break;
	case ACTION_CONTINUE:
		r = decide__begin_continue(ctx, step, item, &env, &err);
		break;
	case ACTION_LOCK:
		r = decide__begin_lock(ctx, step, item, &env, &err);
		break;
	case ACTION_AWAIT_KAFKA:
		r = decide__begin_await(ctx, step, item, &env, &err);
		break;
	case ACTION_AWAIT:
		r = decide__begin_waits(ctx, step, item, &env, &err);
		break;
	case ACTION_APPROVAL:
		r = decide__begin_approval(ctx, step, item, &env, &err);
		break;
	}
	if (r < 0)
		decide__failed(ctx, step, item, OUTCOME_FAILURE, false, 0,
					   decide__refusal_code(ctx->state, &ctx->state->def->steps[step].act),
					   err.text, &env);
	env_release(&env);
}

static int expand(struct ctx *ctx, int step, struct env *env, struct err *err)
{
	CLEANUP(json_decref_p) json_t *list = NULL;
	struct event event;
	int r;

	r = tmpl_eval(ctx->state->def->steps[step].for_each, &env->expr, &list, err);
	if (r < 0)
		return r;
	if (!json_is_array(list))
		return err_set(err, ERR_INVALID, "for_each must give a list");
	if (json_array_size(list) > DEF_MAX_ITEMS)
		return err_set(err, ERR_LIMIT, "for_each gives %zu items; at most %d are allowed",
					   json_array_size(list), DEF_MAX_ITEMS);
	event = decide__event(EV_STEP_EXPANDED, step, -1);
	event.value = jval_from_json(TAKE(list));
	decide__emit(ctx, &event);
	return 0;
}

static int eval_when(const struct step_def *def, struct env *env, bool *ret_run, struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	int r;

	*ret_run = true;
	if (!def->act.when)
		return 0;
	r = tmpl_eval(def->act.when, &env->expr, &value, err);
	if (r == 0 && !json_is_boolean(value))
		r = err_set(err, ERR_INVALID, "`when` must give true or false");
	*ret_run = json_is_true(value);
	return r;
}

static void begin_step(struct ctx *ctx, int step)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	struct event event;
	struct env env;
	struct err err;
	bool run;
	int r;

	env_init(&env, ctx->state, step, -1);
	r = eval_when(def, &env, &run, &err);
	if (r == 0 && run && def->for_each)
		r = expand(ctx, step, &env, &err);
	if (r < 0)
		decide__failed(ctx, step, decide__item(ctx->state, step, 0), OUTCOME_FAILURE, false, 0,
					   "expression_error", err.text, &env);
	env_release(&env);
	if (r < 0)
		return;
	if (!run) {
		event = decide__event(EV_STEP_SKIPPED, step, -1);
		decide__emit(ctx, &event);
	} else if (!def->for_each) {
		decide__begin_action(ctx, step, decide__item(ctx->state, step, 0));
	}
}

/* A tolerated failure whose effect may have to be undone first. True when nothing is left to do. */
static bool tolerated_is_over(struct ctx *ctx, int step, int item)
{
	struct action_state *action = saga_state_action(ctx->state, step, item);

	if (action->comp == COMP_ARMED && action->run.settle_at <= ctx->now)
		decide__start_undo(ctx, step, item);
	action = saga_state_action(ctx->state, step, item);
	return saga_state_undo_is_final(action) && action->comp != COMP_FAILED;
}

static bool action_is_busy(const struct action_state *action)
{
	return action->run.status == EXEC_RUNNING || action->run.status == EXEC_BACKING_OFF ||
		   action->run.status == EXEC_ONGOING || action->run.status == EXEC_PARKED ||
		   action->run.status == EXEC_QUEUED;
}

static void settle_items(struct ctx *ctx, int step)
{
	struct step_state *st = &ctx->state->steps[step];
	json_t *outputs = json_array();
	int i;

	for (i = 0; i < st->n_actions; i++)
		json_array_append_new(outputs, st->actions[i].output
										   ? json_incref(jval_json(st->actions[i].output))
										   : json_null());
	settle(ctx, step, OUTCOME_DEFAULT, outputs);
}

static void continue_items(struct ctx *ctx, int step)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	struct step_state *st = &ctx->state->steps[step];
	bool done = true;
	int i, busy = 0;

	for (i = 0; i < st->n_actions; i++)
		busy += action_is_busy(&st->actions[i]);
	for (i = 0; i < st->n_actions; i++) {
		if (st->actions[i].run.status == EXEC_IDLE && busy < def->max_parallel) {
			decide__begin_action(ctx, step, i);
			if (ctx->state->failing && step < ctx->state->def->n_forward)
				return;
			busy += action_is_busy(&st->actions[i]);
		}
		if (st->actions[i].tolerated)
			done &= tolerated_is_over(ctx, step, i);
		else
			done &= st->actions[i].run.status == EXEC_DONE;
	}
	if (done)
		settle_items(ctx, step);
}

/* After a turn has ended: another one, or the end of the step. */
static void continue_turns(struct ctx *ctx, int step)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	struct step_state *st = &ctx->state->steps[step];
	int turn = st->n_actions - 1;
	struct action_state *action = &st->actions[turn];
	struct env env;
	struct err err;
	bool until;
	int r;

	if (action->tolerated) {
		if (tolerated_is_over(ctx, step, turn))
			settle(ctx, step, OUTCOME_FAILURE, NULL);
		return;
	}
	if (action->run.status == EXEC_IDLE) {
		decide__begin_action(ctx, step, turn); /* a person had it begin anew */
		return;
	}
	if (action->run.status != EXEC_DONE)
		return;
	env_init(&env, ctx->state, step, turn);
	env.output = action->output;
	r = expr_eval_bool(def->repeat_until, &env.expr, &until, &err);
	env_release(&env);
	if (r == 0 && until) {
		settle(ctx, step, OUTCOME_DEFAULT,
			   action->output ? json_incref(jval_json(action->output)) : NULL);
	} else if (r == 0 && turn + 1 < def->repeat_max) {
		decide__begin_action(ctx, step, turn + 1);
	} else if (decide__forward_only(ctx->state, step) || step == ctx->state->def->pivot) {
		decide__park(ctx, (struct target){step, turn + 1, SIDE_DO}, OUTCOME_FAILURE,
					 r < 0 ? "expression_error" : "repeat_limit",
					 r < 0 ? err.text : "`until` did not become true");
	} else {
		decide__fail_saga(ctx, step, r < 0 ? "expression_error" : "repeat_limit",
						  r < 0 ? err.text : "`until` did not become true within `max` turns");
	}
}

static void continue_step(struct ctx *ctx, int step)
{
	const struct step_def *def = &ctx->state->def->steps[step];
	struct step_state *st = &ctx->state->steps[step];

	if (def->for_each)
		continue_items(ctx, step);
	else if (def->repeat_until)
		continue_turns(ctx, step);
	else if (st->actions[0].tolerated && tolerated_is_over(ctx, step, -1))
		settle(ctx, step, OUTCOME_FAILURE, NULL);
}

static bool needs_are_settled(const struct saga_state *state, int step)
{
	const struct step_def *def = &state->def->steps[step];
	size_t i;

	for (i = 0; i < def->n_needs; i++)
		if (!state->steps[def->needs[i]].settled)
			return false;
	return true;
}

bool decide__run_steps(struct ctx *ctx, int first, int last)
{
	struct saga_state *state = ctx->state;
	size_t events_before;
	bool all_settled;
	int i;

	do {
		events_before = ctx->decision->n_events;
		all_settled = true;
		for (i = first; i < last; i++) {
			if (!state->steps[i].begun && needs_are_settled(state, i))
				begin_step(ctx, i);
			if (state->failing && first == 0)
				return false;
			if (state->steps[i].begun && !state->steps[i].settled &&
				state->steps[i].n_actions + (state->steps[i].list != NULL) > 0)
				continue_step(ctx, i);
			if (state->failing && first == 0)
				return false;
			all_settled &= state->steps[i].settled;
		}
	} while (!all_settled && ctx->decision->n_events > events_before);
	return all_settled;
}

static bool history_is_full(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;

	if (state->n_events < HISTORY_MAX_EVENTS / 5 * 4 &&
		state->history_bytes < HISTORY_MAX_BYTES / 5 * 4)
		return false;
	/* What only goes forward has no other way: its rest fits into the last fifth. */
	if (saga_state_past_pivot(state))
		return false;
	decide__fail_saga(ctx, -1, "history_limit", "the history has reached 80 % of its limit");
	return true;
}

static void complete(struct ctx *ctx)
{
	const struct tmpl *output = ctx->state->def->output;
	struct event event = decide__event(decide__end_type(ctx->state), -1, -1);
	struct event attention;
	json_t *value = NULL;
	struct env env;
	struct err err;
	int r = 0;

	if (output) {
		env_init(&env, ctx->state, -1, -1);
		r = tmpl_eval(output, &env.expr, &value, &err);
		env_release(&env);
	}
	if (r < 0) {
		/* All is done; only its summary is missing. */
		attention = decide__event(EV_SAGA_ATTENTION, -1, -1);
		attention.reason = xasprintf("the output could not be evaluated: %s", err.text);
		decide__emit(ctx, &attention);
	}
	event.value = value ? jval_from_json(value) : NULL;
	decide__emit(ctx, &event);
}

void decide__forward(struct ctx *ctx)
{
	if (ctx->state->held || saga_state_is_stuck(ctx->state) || history_is_full(ctx))
		return;
	if (decide__run_steps(ctx, 0, ctx->state->def->n_forward))
		complete(ctx);
}
