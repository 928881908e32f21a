/*
 * Continuing as new: the run has ended, and the next one of the same saga begins in the same
 * commit. All other steps have settled by then. What goes over: the input that the step says, the
 * compensations that are armed (unless the point of no return was passed: then they are let go),
 * signals that nothing has read, ids of acts. Locks are given back.
 *
 * A compensation is carried as its stored request. What of it is only evaluated when it runs (its
 * `when`, saga.failure …) sees the run that it belongs to: that much of it is kept beside it.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/json_text.h"

/* Another run may begin so much later when one has begun in the same decision: a saga that has
 * nothing to wait for must not go round for ever. */
enum { CONTINUE_AGAIN_MS = 1000 };

/* What of its run an expression reads. */
static const enum expr_name of_run[] = {EXPR_INPUT, EXPR_STEPS, EXPR_OUTPUT,
										EXPR_ITEM,  EXPR_INDEX, EXPR_PREVIOUS};
static const char *const of_run_names[] = {"input", "steps", "output", "item", "index", "previous"};

static bool tmpl_reads_run(const struct tmpl *tmpl)
{
	size_t i;

	for (i = 0; tmpl && i < ARRAY_SIZE(of_run); i++)
		if (tmpl_reads(tmpl, of_run[i], NULL))
			return true;
	return false;
}

static bool outcome_reads_run(const struct outcome_rules *outcome)
{
	size_t i, k;

	for (i = 0; i < outcome->n_rules; i++)
		for (k = 0; outcome->rules[i].expr && k < ARRAY_SIZE(of_run); k++)
			if (expr_reads(outcome->rules[i].expr, of_run[k], NULL))
				return true;
	return tmpl_reads_run(outcome->code);
}

/* What is told of it then sees what it did. */
static bool escalate_reads_run(const struct escalate_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->entries[i].kind == ESCALATE_STEP || tmpl_reads_run(list->entries[i].after.tmpl) ||
			tmpl_reads_run(list->entries[i].groups))
			return true;
	return false;
}

static bool needs_scope(const struct action_def *undo, const struct request *request)
{
	return (!request && undo->kind != ACTION_SET) || undo->probe || tmpl_reads_run(undo->set) ||
		   tmpl_reads_run(undo->when) || tmpl_reads_run(undo->output) ||
		   tmpl_reads_run(undo->timeout.tmpl) || tmpl_reads_run(undo->deadline.tmpl) ||
		   tmpl_reads_run(undo->idempotency_key) || outcome_reads_run(&undo->outcome) ||
		   escalate_reads_run(&undo->escalate);
}

static json_t *scope_of(struct ctx *ctx, int step, int item)
{
	json_t *scope = json_object();
	struct env env;
	size_t i;

	env_init(&env, ctx->state, step, item);
	for (i = 0; i < ARRAY_SIZE(of_run); i++) {
		json_t *value = env.expr.get(env.expr.ctx, of_run[i]);

		/* A copy, for the state's own changes with the steps. */
		if (value)
			json_object_set_new_nocheck(scope, of_run_names[i], json_deep_copy(value));
	}
	env_release(&env);
	return scope;
}

static json_t *request_json(const struct request *request)
{
	CLEANUP(buf_release) struct buf text;
	json_t *json = NULL;

	buf_init(&text, 0);
	request_write(request, &text);
	CHECK(json_parse_stored(buf_str(&text), text.len, &json, NULL) == 0);
	return json;
}

static void carry(struct ctx *ctx, int step, int index, json_t *carried)
{
	const struct saga_state *state = ctx->state;
	int item = decide__item(state, step, index);
	const struct action_state *action = saga_state_action(state, step, item);
	json_t *entry;

	if (action->comp != COMP_ARMED)
		return;
	entry = json_object();
	json_object_set_new_nocheck(entry, "step", json_string(state->def->steps[step].id));
	if (item >= 0)
		json_object_set_new_nocheck(entry, "item", json_integer(item));
	json_object_set_new_nocheck(entry, "run", json_integer(saga_state_run(state, step)));
	if (state->steps[step].keys_of)
		json_object_set_new_nocheck(entry, "saga", json_string(state->steps[step].keys_of));
	/* Its success would be news. */
	if (action->run.status != EXEC_DONE || action->skipped)
		json_object_set_new_nocheck(entry, "unsure", json_true());
	if (action->run.settle_at > ctx->now)
		json_object_set_new_nocheck(entry, "settle_at", json_integer(action->run.settle_at));
	if (action->undo.request)
		json_object_set_new_nocheck(entry, "request", request_json(action->undo.request));
	if (action->held)
		json_object_set_new_nocheck(entry, "child", json_string(action->run.child));
	else if (needs_scope(saga_state_undo_def(state, step, item), action->undo.request))
		json_object_set_new_nocheck(entry, "scope", scope_of(ctx, step, item));
	json_array_append_new(carried, entry);
}

/* Before each step stand those that it comes after, so that the last one is undone first. */
static void carry_steps(struct ctx *ctx, json_t *carried)
{
	const struct saga_def *def = ctx->state->def;
	CLEANUP(free_p) bool *done = xcalloc((size_t)def->n_steps, sizeof(*done));
	int left = def->n_forward - 1, i, j;

	done[def->carried] = true;
	while (left > 0) {
		for (i = 0; i < def->n_forward; i++) {
			bool ready = !done[i];

			for (j = 0; j < def->n_forward && ready; j++)
				ready = done[j] || !step_def_has_ancestor(&def->steps[i], j);
			if (!ready)
				continue;
			for (j = 0; j < ctx->state->steps[i].n_actions; j++)
				carry(ctx, i, j, carried);
			done[i] = true;
			left--;
		}
	}
}

/* What earlier runs did keeps its keys: in a new run of a saga that has ended, those of that one.
 */
static void keep_keys(json_t *carried, const char *saga)
{
	size_t i;

	for (i = 0; i < json_array_size(carried); i++) {
		json_t *entry = json_copy(json_array_get(carried, i));

		if (!json_object_get(entry, "saga"))
			json_object_set_new_nocheck(entry, "saga", json_string(saga));
		json_array_set_new(carried, i, entry);
	}
}

static json_t *carried_json(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	const struct step_state *step = &state->steps[state->def->carried];
	json_t *carried = step->list ? json_copy(step->list) : json_array();

	if (step->keys_of)
		keep_keys(carried, step->keys_of);
	carry_steps(ctx, carried);
	return carried;
}

/* What was armed in this run, for the ledger: it is no longer where it was. */
static json_t *let_go_json(const struct saga_state *state)
{
	json_t *list = json_array();
	int i, j;

	for (i = 0; i < state->def->n_forward; i++)
		for (j = 0; i != state->def->carried && j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].comp != COMP_NOT_ARMED)
				json_array_append_new(list, json_pack("{s:s, s:i}", "step", state->def->steps[i].id,
													  "item", decide__item(state, i, j)));
	return list;
}

static json_t *signals_json(const struct saga_state *state)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < state->n_signals; i++) {
		const struct saga_signal *signal = &state->signals[i];
		json_t *told = json_pack("{s:s, s:I, s:I}", "name", signal->name, "at",
								 (json_int_t)signal->at, "number", (json_int_t)signal->number);

		if (signal->value)
			json_object_set_nocheck(told, "value", jval_json(signal->value));
		json_array_append_new(list, told);
	}
	return list;
}

static json_t *act_ids_json(const struct saga_state *state)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < ACT_IDS_KEPT && state->act_ids[i]; i++)
		json_array_append_new(list, json_string(state->act_ids[i]));
	return list;
}

/* The records that ended an await of this run, and those of earlier runs, the oldest first: what is
 * delivered again ends no second one. Only so many, for a broker delivers again what is recent. */
static json_t *used_events_json(const struct saga_state *state)
{
	json_t *list = state->used_events ? json_copy(state->used_events) : json_array();
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		enum action_kind kind = state->def->steps[i].act.kind;

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const char *id = state->steps[i].actions[j].event_id;

			/* Signals are told by their number, which goes on. */
			if ((kind == ACTION_AWAIT_KAFKA || kind == ACTION_AWAIT) && id &&
				strncmp(id, "signal/", 7) != 0)
				json_array_append_new(list, json_string(id));
		}
	}
	while (json_array_size(list) > USED_EVENTS_KEPT)
		json_array_remove(list, 0);
	return list;
}

/* One more than that of any step, so that no key is used again. */
static int next_step_run(const struct saga_state *state)
{
	int i, most = 1;

	for (i = 0; i < state->def->n_steps; i++)
		if (saga_state_run(state, i) > most)
			most = saga_state_run(state, i);
	return most + 1;
}

static void note_first(void *ctx, const struct err *err)
{
	struct err *first = ctx;

	if (first->code == 0)
		*first = *err;
}

/* ERR_INVALID: it is not what the definition takes; err says where. */
static int check_input(const struct saga_def *def, const json_t *input, struct err *err)
{
	struct err first = {0};

	if (!def->input_schema || schema_validate(def->input_schema, input, note_first, &first) == 0)
		return 0;
	return err_set(err, ERR_INVALID,
				   "the next run cannot begin with this input: %.300s (at %.100s)", first.text,
				   *first.place ? first.place : "/");
}

static json_t *value_json(struct ctx *ctx, json_t *input)
{
	const struct saga_state *state = ctx->state;
	const json_t *before = state->steps[state->def->carried].list;
	CLEANUP(json_decref_p) json_t *used = used_events_json(state);
	bool passed = saga_state_past_pivot(state);
	json_t *value = json_object();

	json_object_set_nocheck(value, "input", input);
	json_object_set_new_nocheck(value, "run", json_integer(state->run + 1));
	json_object_set_new_nocheck(value, "step_run", json_integer(next_step_run(state)));
	json_object_set_new_nocheck(value, "started_at", json_integer(state->started_at));
	json_object_set_new_nocheck(value, "carried", passed ? json_array() : carried_json(ctx));
	json_object_set_new_nocheck(value, "had", json_integer((json_int_t)json_array_size(before)));
	json_object_set_new_nocheck(value, "let_go", let_go_json(state));
	json_object_set_new_nocheck(value, "signals", signals_json(state));
	json_object_set_new_nocheck(value, "told", json_integer(state->signals_told));
	if (json_array_size(used) > 0)
		json_object_set_nocheck(value, "events", used);
	json_object_set_new_nocheck(value, "acts", act_ids_json(state));
	if (state->owner)
		json_object_set_new_nocheck(value, "owner", json_string(state->owner));
	if (state->attention_note)
		json_object_set_new_nocheck(value, "notice", json_string(state->attention_note));
	return value;
}

/* ERR_LIMIT: it is more than may go over. */
static int make_value(struct ctx *ctx, json_t *input, struct jval **ret_value, struct err *err)
{
	CLEANUP(jval_unref_p) struct jval *value = NULL;
	CLEANUP(jval_unref_p) struct jval *alone = jval_from_json(json_incref(input));
	size_t len;

	(void)jval_text(alone, &len);
	if (len > CONTINUE_INPUT_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "the input of the next run has %zu bytes; at most %d may be",
					   len, CONTINUE_INPUT_MAX_BYTES);
	value = jval_from_json(value_json(ctx, input));
	len = json_array_size(json_object_get(jval_json(value), "carried"));
	if (len > CARRIED_MAX)
		return err_set(err, ERR_LIMIT,
					   "%zu compensations would be carried into the next run; at most %d may be",
					   len, CARRIED_MAX);
	(void)jval_text(value, &len);
	if (len > CONTINUE_MAX_BYTES)
		return err_set(err, ERR_LIMIT,
					   "%zu bytes would be carried into the next run; at most %d may be", len,
					   CONTINUE_MAX_BYTES);
	*ret_value = TAKE(value);
	return 0;
}

/* What the run that ends wanted of the world within this decision is of no use any more. */
static void drop_wishes(struct ctx *ctx)
{
	const struct saga_state *state = ctx->state;
	struct decision *decision = ctx->decision;
	size_t i;
	int step, j;

	for (step = 0; step < state->def->n_steps; step++) {
		for (j = 0; j < state->steps[step].n_actions; j++) {
			int item = decide__item(state, step, j);

			decide__forget_task(ctx, (struct target){step, item, SIDE_DO});
			decide__forget_task(ctx, (struct target){step, item, SIDE_UNDO});
		}
	}
	for (i = 0; i < decision->n_commands; i++)
		request_unref(decision->commands[i].request);
	for (i = 0; i < decision->n_locks; i++)
		jval_unref(decision->locks[i].lock);
	decision->n_commands = decision->n_locks = 0;
	decision->release_all_locks |= ctx->state->def->locks;
}

static void emit_continued(struct ctx *ctx, struct jval *value, int64_t deadline_ms)
{
	const struct saga_state *state = ctx->state;
	struct event event = decide__event(EV_SAGA_CONTINUED, -1, -1);

	event.name = xstrdup(state->def->name);
	event.version = state->def->version;
	event.ns = xstrdup(state->ns);
	event.id = xstrdup(state->id);
	event.key = state->key ? xstrdup(state->key) : NULL;
	event.value = jval_ref(value);
	event.search = jval_ref(state->search);
	event.parent = state->parent ? xstrdup(state->parent->correlation) : NULL;
	event.depth = state->parent ? state->parent->depth : 0;
	event.hold = state->parent && state->parent->hold;
	event.deadline_at = deadline_ms >= 0 ? decide__at(ctx, deadline_ms) : 0;
	drop_wishes(ctx);
	decide__emit(ctx, &event);
}

/* The saga's limit, for the next run; it may read its input. */
static int next_deadline(struct ctx *ctx, json_t *input, int64_t *ret_ms, struct err *err)
{
	struct saga_state *state = ctx->state;
	struct jval *before = state->input;
	CLEANUP(jval_unref_p) struct jval *next = jval_from_json(json_incref(input));
	struct env env;
	int r;

	state->input = next;
	env_init(&env, state, -1, -1);
	r = decide__limit(ctx, &state->def->deadline, &env, ret_ms, err);
	env_release(&env);
	state->input = before;
	return r;
}

static int continue_now(struct ctx *ctx, struct target target, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[target.step].act;
	CLEANUP(json_decref_p) json_t *input = NULL;
	CLEANUP(jval_unref_p) struct jval *value = NULL;
	int64_t deadline_ms;
	int r;

	r = tmpl_eval(act->next_input, &env->expr, &input, err);
	if (r < 0)
		return r;
	if (!input)
		input = json_null();
	r = check_input(ctx->state->def, input, err);
	if (r < 0) {
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "invalid_input",
					   err->text, env);
		return 0;
	}
	r = next_deadline(ctx, input, &deadline_ms, err);
	if (r == 0)
		r = make_value(ctx, input, &value, err);
	if (r == ERR_LIMIT) {
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "continue_limit",
					   err->text, env);
		return 0;
	}
	if (r == 0)
		emit_continued(ctx, value, deadline_ms);
	return r;
}

static bool has_continued(const struct decision *decision)
{
	size_t i;

	for (i = 0; i < decision->n_events; i++)
		if (decision->events[i].type == EV_SAGA_CONTINUED)
			return true;
	return false;
}

int decide__begin_continue(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	struct event event;

	if (!has_continued(ctx->decision))
		return continue_now(ctx, (struct target){step, item, SIDE_DO}, env, err);
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = ctx->now + CONTINUE_AGAIN_MS;
	decide__emit(ctx, &event);
	return 0;
}

void decide__continue_due(struct ctx *ctx, struct target target)
{
	struct env env;
	struct err err;

	/* Whose time has run out at the same moment goes back, and not on. */
	if (ctx->state->failing || has_continued(ctx->decision))
		return;
	env_init(&env, ctx->state, target.step, target.item);
	if (continue_now(ctx, target, &env, &err) < 0)
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, "expression_error",
					   err.text, &env);
	env_release(&env);
}
