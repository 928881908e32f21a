/*
 * Children: steps that are sagas of their own, and the saga that is one.
 *
 *   parent                                      child
 *   StepScheduled    --start (a command)-->     SagaStarted{parent}
 *   ChildStarted     <--its id (an answer)--
 *   StepCompleted    <--"held"--                SagaHeld: done, and can still be undone
 *     + CompensationArmed{id}
 *   SagaCompleted    --"release"-->             SagaCompleted
 *   CompensationStarted --"compensate"-->       SagaCompensating … SagaCompensated
 *   CompensationCompleted <--"compensated"--
 *
 * Only the start is a call, which is tried until it is known: its key makes that harmless. From
 * then on both sleep, and wake each other by messages that leave with the commit of the event that
 * they tell of, so that none is lost and none is told of what did not happen. What crosses on the
 * way is settled by who has the later word: a child that is held when nobody waits for it any more
 * is told to undo itself.
 *
 * A child that has passed its pivot, or has nothing that could be undone, completes at once. So
 * does one whose parent would not undo it in this way: it says how by itself (`compensate`), or its
 * own way back is closed.
 */
#include "sagas/decide_priv.h"

#include <string.h>

#include "sagas/correlation.h"
#include "sagas/json_text.h"

enum { START_TIMEOUT_MS = 30000 };

/* Starting. */

static json_t *scope_steps(const struct block_scope *scope, struct env *env)
{
	const json_t *steps = env->expr.get(env->expr.ctx, EXPR_STEPS);
	json_t *read = json_object();

	for (size_t i = 0; i < scope->n_steps; i++) {
		json_t *step = json_object_get(steps, scope->steps[i]);

		if (step)
			json_object_set_nocheck(read, scope->steps[i], step);
	}
	return read;
}

/* What a block reads of what is around it, as it is now. */
static json_t *scope_of(const struct saga_def *block, struct env *env)
{
	static const struct {
		enum expr_name name;
		const char *key;
	} names[] = {
#define X(name, text) {name, text},
		EXPR_NAMES(X)
#undef X
	};
	json_t *scope = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *value = NULL;

		if (block->scope.names & 1u << names[i].name)
			value = env->expr.get(env->expr.ctx, names[i].name);
		if (value)
			json_object_set_nocheck(scope, names[i].key, value);
	}
	if (block->scope.n_steps > 0)
		json_object_set_new_nocheck(scope, "steps", scope_steps(&block->scope, env));
	return scope;
}

static int make_input(const struct action_def *act, struct env *env, struct request *request,
					  struct err *err)
{
	CLEANUP(json_decref_p) json_t *scope = NULL;
	CLEANUP(buf_release) struct buf body;
	bool present = false;
	int r = 0;

	buf_init(&body, 2 * 1024 * 1024);
	if (act->child.block) {
		scope = scope_of(act->child.block, env);
		json_write(scope, &body);
		present = true;
	} else if (act->with) {
		r = tmpl_write(act->with, &env->expr, &body, &present, err);
	}
	if (r == 0 && !present)
		buf_add_lit(&body, "{}");
	if (r == 0)
		r = buf_check(&body, "the input of a child", err);
	if (r < 0) {
		err_prefix(err, act->child.block ? "steps" : "with");
		return r;
	}
	request->body = buf_take(&body, &request->body_len);
	request->content_type = xstrdup("application/json");
	return 0;
}

/* Whether it is the child itself that undoes what it did. */
static bool is_to_be_held(const struct saga_state *state, int step, enum call_kind kind)
{
	return kind == CALL_DO && state->def->steps[step].undo_kind == UNDO_NOT_NEEDED &&
		   step != state->def->pivot && !decide__forward_only(state, step);
}

static int64_t child_depth(const struct saga_state *state)
{
	return state->parent ? state->parent->depth + 1 : 1;
}

const char *decide__refusal_code(const struct saga_state *state, const struct action_def *act)
{
	return act->kind == ACTION_CHILD && child_depth(state) > CHILD_DEPTH_MAX ? "nesting_limit"
																			 : "expression_error";
}

int decide__make_child(const struct action_def *act, struct env *env, enum call_kind kind,
					   struct request *request, struct err *err)
{
	const struct saga_state *state = env->state;
	int64_t depth = child_depth(state);

	if (depth > CHILD_DEPTH_MAX)
		return err_set(
			err, ERR_LIMIT,
			"step `%s` would start saga `%s` %lld levels below the first one; sagas nest "
			"at most %d deep",
			state->def->steps[env->step].id, act->child.saga, (long long)depth, CHILD_DEPTH_MAX);
	request->kind = REQUEST_CHILD;
	request->to = xstrdup(act->child.saga);
	request->version = act->child.block ? state->def->version : 0;
	request->depth = depth;
	request->hold = is_to_be_held(state, env->step, kind);
	decide__make_correlation(env, kind, 0, request);
	return make_input(act, env, request, err);
}

/* Of all of it: whichever limit is nearer; 0: none. */
static int limit_of(const struct ctx *ctx, const struct action_def *act, struct env *env,
					wall_ms *ret_at, struct err *err)
{
	int64_t timeout_ms, deadline_ms;
	int r = decide__limit(ctx, &act->timeout, env, &timeout_ms, err);

	if (r == 0)
		r = decide__limit(ctx, &act->deadline, env, &deadline_ms, err);
	if (r < 0)
		return r;
	if (timeout_ms < 0 || (deadline_ms >= 0 && deadline_ms < timeout_ms))
		timeout_ms = deadline_ms;
	*ret_at = timeout_ms < 0 ? 0 : ctx->now + (timeout_ms > 0 ? timeout_ms : 1);
	return 0;
}

int decide__begin_child(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(request_unref_p) struct request *request = NULL;
	struct event event;
	wall_ms limit_at;
	int r = decide__request(act, env, CALL_DO, 0, &request, err);

	if (r == 0)
		r = limit_of(ctx, act, env, &limit_at, err);
	if (r < 0)
		return r;
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.request = TAKE(request);
	event.deadline_at = limit_at;
	decide__emit(ctx, &event);
	decide__send(ctx, (struct target){step, item, SIDE_DO});
	return 0;
}

int64_t decide__child_start_timeout(void)
{
	return START_TIMEOUT_MS;
}

/* Telling. */

static void tell(struct ctx *ctx, const char *to, const struct child_message *message)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	child_message_write(message, &text);
	decide__message(ctx->decision, to, buf_str(&text));
}

static void tell_child(struct ctx *ctx, struct target target, const char *child,
					   enum child_word word, char *code, char *text)
{
	struct child_message message = {
		.word = word,
		.item = target.item,
		.run = saga_state_run(ctx->state, target.step),
		.side = target.side,
		.code = code,
		.message = text,
	};

	memcpy(message.child, child, strnlen(child, SAGA_ID_SIZE - 1));
	snprintf(message.step, sizeof(message.step), "%s", ctx->state->def->steps[target.step].id);
	tell(ctx, child, &message);
}

static void tell_parent(struct ctx *ctx, enum child_word word, struct jval *value)
{
	const struct saga_state *state = ctx->state;
	const struct saga_parent *parent = state->parent;
	bool failed = word == CHILD_COMPENSATED;
	struct child_message message = {
		.word = word,
		.item = parent->item,
		.run = parent->run,
		.side = parent->side,
		.value = value,
		.code = failed ? state->failure_code : NULL,
		.message = failed ? state->failure_message : NULL,
	};

	memcpy(message.child, state->id, SAGA_ID_SIZE);
	memcpy(message.step, parent->step, sizeof(message.step));
	tell(ctx, parent->saga_id, &message);
}

/* It is told to turn back; whatever becomes of that, its end is waited for. */
static void cancel(struct ctx *ctx, struct target target, const char *code, const char *message)
{
	struct event event = decide__event(EV_CHILD_CANCELLED, target.step, target.item);

	event.side = target.side;
	event.id = xstrdup(decide__exec(ctx, target)->child);
	decide__error(&event, code, message);
	tell_child(ctx, target, event.id, CHILD_CANCEL, event.code, event.message);
	decide__emit(ctx, &event);
}

void decide__abandon_child(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);

	if (exec->status == EXEC_RUNNING && exec->child && !exec->child_told)
		cancel(ctx, target, "abandoned", "the saga around it is being undone");
}

void decide__child_is_due(struct ctx *ctx, struct target target)
{
	const struct exec *exec = decide__exec(ctx, target);

	if (exec->child && !exec->child_told)
		cancel(ctx, target, "timeout", "it has not ended in time");
}

/* Ends of this saga, and what becomes of the others. */

static void each_child(struct ctx *ctx,
					   void (*fn)(struct ctx *ctx, struct target target, bool undoes))
{
	const struct saga_state *state = ctx->state;

	for (int i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (int j = 0; j < state->steps[i].n_actions; j++) {
			struct target target = {i, decide__item(state, i, j), SIDE_DO};

			if (def->act.kind == ACTION_CHILD || state->steps[i].actions[j].held)
				fn(ctx, target, false);
			target.side = SIDE_UNDO;
			if (saga_state_undo_def(state, i, j)->kind == ACTION_CHILD)
				fn(ctx, target, true);
		}
	}
}

static void release_child(struct ctx *ctx, struct target target, bool undoes)
{
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);

	if (!undoes && action->held && action->comp == COMP_ARMED)
		tell_child(ctx, target, action->run.child, CHILD_RELEASE, NULL, NULL);
}

/* What is done stays as it is; what runs turns back, for nobody waits for it. */
static void drop_child(struct ctx *ctx, struct target target, bool undoes)
{
	const struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	const struct exec *exec = decide__exec(ctx, target);

	release_child(ctx, target, undoes);
	if (exec->status == EXEC_RUNNING && exec->child && !exec->child_told &&
		!(undoes && action->held))
		tell_child(ctx, target, exec->child, CHILD_CANCEL, "terminated", NULL);
}

static void saga_ends(struct ctx *ctx, const struct event *event)
{
	const struct saga_state *state = ctx->state;

	if (event->type == EV_SAGA_HELD)
		tell_parent(ctx, CHILD_HELD, event->value);
	else if (event->type == EV_SAGA_COMPLETED && state->parent && !state->held)
		tell_parent(ctx, CHILD_COMPLETED, event->value);
	else if (event->type == EV_SAGA_COMPENSATED && state->parent)
		tell_parent(ctx, CHILD_COMPENSATED, NULL);
	else if (event->type == EV_SAGA_TERMINATED && state->parent)
		tell_parent(ctx, CHILD_TERMINATED, NULL);
	/* Past the pivot nothing is carried into the next run. */
	if (event->type == EV_SAGA_COMPLETED ||
		(event->type == EV_SAGA_CONTINUED && saga_state_past_pivot(state)))
		each_child(ctx, release_child);
	else if (event->type == EV_SAGA_TERMINATED)
		each_child(ctx, drop_child);
}

/* A person ends what a child does, or how it is undone: then the child is not waited for. */
static void person_ends(struct ctx *ctx, const struct event *event)
{
	bool undo = event->type == EV_COMPENSATION_COMPLETED || event->type == EV_COMPENSATION_SKIPPED;
	struct target target = {event->step, event->item, undo ? SIDE_UNDO : SIDE_DO};
	const struct action_state *action;
	const struct exec *exec;

	if (!decide__action_exists(ctx->state, event->step, event->item))
		return;
	action = saga_state_action(ctx->state, event->step, event->item);
	exec = undo ? &action->undo : &action->run;
	if (undo && action->held) {
		release_child(ctx, target, false);
		return;
	}
	if (exec->status == EXEC_RUNNING && exec->child && !exec->child_told)
		tell_child(ctx, target, exec->child, CHILD_CANCEL, "resolved", NULL);
}

void decide__note_children(struct ctx *ctx, const struct event *event)
{
	saga_ends(ctx, event);
	if (ctx->by && (event->type == EV_STEP_COMPLETED || event->type == EV_STEP_FAILED ||
					event->type == EV_STEP_SKIPPED || event->type == EV_COMPENSATION_COMPLETED ||
					event->type == EV_COMPENSATION_SKIPPED))
		person_ends(ctx, event);
}

/* Something is armed, and the parent may want it. */
static bool stays_held(const struct saga_state *state)
{
	if (!state->parent || !state->parent->hold || saga_state_past_pivot(state))
		return false;
	for (int i = 0; i < state->def->n_forward; i++)
		for (int j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].comp == COMP_ARMED)
				return true;
	return false;
}

enum event_type decide__end_type(const struct saga_state *state)
{
	return stays_held(state) ? EV_SAGA_HELD : EV_SAGA_COMPLETED;
}

/* Undoing. */

void decide__arm_child(struct ctx *ctx, int step, int item)
{
	struct event event = decide__event(EV_COMPENSATION_ARMED, step, item);

	event.id = xstrdup(ctx->holds);
	decide__emit(ctx, &event);
}

/* Why stands in the saga, or in what failed and was tolerated. */
void decide__undo_by_child(struct ctx *ctx, int step, int item)
{
	const struct saga_state *state = ctx->state;
	const struct action_state *action = saga_state_action(state, step, item);
	struct target target = {step, item, SIDE_DO};
	struct event event = decide__event(EV_COMPENSATION_STARTED, step, item);

	tell_child(ctx, target, action->run.child, CHILD_COMPENSATE,
			   state->failing ? state->failure_code : action->run.code,
			   state->failing ? state->failure_message : action->run.message);
	event.id = xstrdup(action->run.child);
	decide__emit(ctx, &event);
}

int decide__undo_with_child(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *undo = saga_state_undo_def(ctx->state, step, item);
	const struct action_state *action = saga_state_action(ctx->state, step, item);
	CLEANUP(request_unref_p) struct request *late = NULL;
	struct event event;
	wall_ms limit_at;
	int r = 0;

	if (!action->undo.request)
		r = decide__request(undo, env, CALL_UNDO, 0, &late, err);
	if (r == 0)
		r = limit_of(ctx, undo, env, &limit_at, err);
	if (r < 0)
		return r;
	event = decide__event(EV_COMPENSATION_STARTED, step, item);
	event.request = TAKE(late);
	event.deadline_at = limit_at;
	decide__emit(ctx, &event);
	decide__send(ctx, (struct target){step, item, SIDE_UNDO});
	return 0;
}

/* The answer to the start. */

bool decide__is_no_child(const struct ctx *ctx, struct target target, enum outcome outcome)
{
	return outcome == OUTCOME_FAILURE && decide__action_def(ctx, target)->kind == ACTION_CHILD;
}

static void started(struct ctx *ctx, struct target target, const char *id)
{
	struct event event = decide__event(EV_CHILD_STARTED, target.step, target.item);

	event.side = target.side;
	event.id = xstrdup(id);
	decide__emit(ctx, &event);
}

/* What nobody knows of is known to nobody else: it turns back. */
static void started_in_vain(struct ctx *ctx, struct target target, const char *id)
{
	struct event event = decide__event(EV_REPLY_IGNORED, target.step, target.item);

	event.side = target.side;
	event.id = xstrdup(id);
	tell_child(ctx, target, id, CHILD_CANCEL, "abandoned", NULL);
	decide__emit(ctx, &event);
}

static void refused(struct ctx *ctx, struct target target, const char *code, const char *message)
{
	decide__refused(ctx, target, code ? code : "child_refused",
					message ? message : "the child cannot be started");
}

void decide__child_answered(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	const json_t *body = in->body ? jval_json(in->body) : NULL;
	const char *id = json_string_value(json_object_get(body, "id"));
	struct exec *exec = decide__exec(ctx, target);
	bool answered = in->result == CALL_ANSWERED;
	bool waits = exec->status == EXEC_RUNNING && !exec->child && in->attempt == exec->attempt &&
				 !saga_status_is_terminal(ctx->state->status);

	if (!waits) {
		if (answered && id && (!exec->child || strcmp(exec->child, id) != 0))
			started_in_vain(ctx, target, id);
		else
			ctx->decision->unrecorded_replies++;
		return;
	}
	exec->out = false;
	if (answered && id)
		started(ctx, target, id);
	else if (answered)
		refused(ctx, target, json_string_value(json_object_get(body, "code")),
				json_string_value(json_object_get(body, "message")));
	else
		decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, in->result != CALL_NOT_CONNECTED,
							   false, "child_not_started",
							   in->error ? in->error : "the child could not be started now");
}

static bool is_carried(const struct saga_state *state, const char *child)
{
	const json_t *list = state->def->carried >= 0 ? state->steps[state->def->carried].list : NULL,
				 *entry;
	size_t i;

	json_array_foreach ((json_t *)list, i, entry) {
		const char *id = json_string_value(json_object_get(entry, "child"));

		if (id && strcmp(id, child) == 0)
			return true;
	}
	return false;
}

void decide__child_answered_late(struct ctx *ctx, struct target target)
{
	const struct input *in = ctx->in;
	const json_t *body = in->body ? jval_json(in->body) : NULL;
	const char *id = json_string_value(json_object_get(body, "id"));

	target.item = -1;
	if (in->result == CALL_ANSWERED && id && !is_carried(ctx->state, id))
		started_in_vain(ctx, target, id);
	else
		ctx->decision->unrecorded_replies++;
}

/* What the child says of its end. */

static int shape_output(const struct action_def *act, struct env *env, struct jval *value,
						struct jval **ret_output, struct err *err)
{
	json_t *shaped = NULL;
	int r;

	if (!act->output) {
		*ret_output = jval_ref(value);
		return 0;
	}
	env->has_reply = true;
	env->reply_body = value;
	r = tmpl_eval(act->output, &env->expr, &shaped, err);
	if (r == 0)
		*ret_output = shaped ? jval_from_json(shaped) : NULL;
	return r;
}

static void child_done(struct ctx *ctx, struct target target, const struct child_message *message)
{
	const struct action_def *act = decide__action_def(ctx, target);
	CLEANUP(jval_unref_p) struct jval *value = decide__copy_value(message->value);
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	struct event event;
	struct env env;
	struct err err;
	int r;

	env_init(&env, ctx->state, target.step, target.item);
	env.saga_failure |= target.side == SIDE_UNDO;
	r = shape_output(act, &env, value, &output, &err);
	ctx->holds = message->word == CHILD_HELD ? message->child : NULL;
	if (target.side == SIDE_UNDO) {
		event = decide__event(EV_COMPENSATION_COMPLETED, target.step, target.item);
		event.value = jval_ref(output);
		decide__emit(ctx, &event);
	} else if (r < 0) {
		/* It took effect, and the saga cannot go on with it: so it is undone. */
		decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, true, 0, "output_error",
					   err.text, &env);
	} else {
		decide__completed(ctx, target.step, target.item, output, &env);
	}
	ctx->holds = NULL;
	env_release(&env);
}

/* What it did stands, as a person wanted; somebody should know. */
static void note_terminated(struct ctx *ctx, struct target target,
							const struct child_message *message)
{
	struct event event = decide__event(EV_SAGA_ATTENTION, -1, -1);

	event.reason = xasprintf("%s: its child %s was terminated, and what it did stands",
							 ctx->state->def->steps[target.step].id, message->child);
	decide__emit(ctx, &event);
}

/* What has failed has undone itself: nothing of it is in doubt. */
static void child_has_failed(struct ctx *ctx, struct target target, const char *code,
							 const char *text)
{
	struct event event;
	struct env env;

	if (target.side == SIDE_UNDO) {
		event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);
		event.outcome = OUTCOME_FAILURE;
		decide__error(&event, code, text);
		decide__emit(ctx, &event);
		return;
	}
	env_init(&env, ctx->state, target.step, target.item);
	decide__failed(ctx, target.step, target.item, OUTCOME_FAILURE, false, 0, code, text, &env);
	env_release(&env);
}

static void child_failed(struct ctx *ctx, struct target target, const struct child_message *message)
{
	bool terminated = message->word == CHILD_TERMINATED;
	const char *code = terminated ? "child_terminated" : message->code;
	const char *text = terminated ? "its saga was terminated" : message->message;
	const struct exec *exec = decide__exec(ctx, target);

	/* It was this saga that told it to turn back, since its time was over. */
	if (!terminated && exec->child_told && !ctx->state->failing)
		code = "timeout";
	if (terminated && target.side == SIDE_DO)
		note_terminated(ctx, target, message);
	child_has_failed(ctx, target, code ? code : "child_failed", text);
}

static void undone_by_child(struct ctx *ctx, struct target target,
							const struct child_message *message)
{
	struct event event;

	if (message->word == CHILD_COMPENSATED) {
		event = decide__event(EV_COMPENSATION_COMPLETED, target.step, target.item);
	} else {
		event = decide__event(EV_COMPENSATION_FAILED, target.step, target.item);
		event.outcome = OUTCOME_FAILURE;
		decide__error(&event, "child_terminated",
					  "its saga was terminated, and what it did stands");
	}
	decide__emit(ctx, &event);
}

/* Whoever is held when nobody waits for it undoes itself; so does who was told to, and was turned
 * round by a person. */
static void answer_stray(struct ctx *ctx, struct target target, const struct child_message *message)
{
	struct event event;

	if (message->word != CHILD_HELD)
		return;
	event = decide__event(EV_REPLY_IGNORED, target.step, target.item);
	event.side = message->side;
	event.id = xstrdup(message->child);
	tell_child(ctx, target, message->child, CHILD_COMPENSATE, "abandoned",
			   "the saga around it does not wait for it any more");
	decide__emit(ctx, &event);
}

static void end_of_action(struct ctx *ctx, struct target target,
						  const struct child_message *message)
{
	struct action_state *action = saga_state_action(ctx->state, target.step, target.item);
	struct exec *exec = decide__exec(ctx, target);
	bool known = exec->child && strcmp(exec->child, message->child) == 0;
	bool ended = saga_status_is_terminal(ctx->state->status);
	bool waits = !ended && (exec->status == EXEC_RUNNING || exec->status == EXEC_BACKING_OFF) &&
				 (known || !exec->child);

	if (waits) {
		/* Its end is faster than the answer to its start. */
		if (!known)
			started(ctx, target, message->child);
		if (message->word == CHILD_COMPLETED || message->word == CHILD_HELD)
			child_done(ctx, target, message);
		else
			child_failed(ctx, target, message);
		return;
	}
	if (target.side == SIDE_DO && known && action->held && action->comp == COMP_RUNNING && !ended) {
		if (message->word == CHILD_COMPENSATED || message->word == CHILD_TERMINATED)
			undone_by_child(ctx, (struct target){target.step, target.item, SIDE_UNDO}, message);
		else
			answer_stray(ctx, target, message);
	} else if (known && action->held && action->comp == COMP_ARMED) {
		if (message->word == CHILD_TERMINATED)
			note_terminated(ctx, target, message);
	} else {
		answer_stray(ctx, target, message);
	}
}

/* Of an undo whose start is not answered yet: whether this child is the one that it asks for. */
static bool is_asked_for(const struct exec *undo, const struct child_message *message)
{
	const char *text = undo->request ? undo->request->correlation : NULL;
	struct correlation asked;

	return undo->status != EXEC_IDLE && !undo->child && text &&
		   correlation_read(text, strlen(text), &asked) && message->side == SIDE_UNDO &&
		   strcmp(asked.step, message->step) == 0 && asked.item == message->item &&
		   (asked.run > 1 ? asked.run : 1) == message->run;
}

/* What is carried from run to run stands where its step does not. */
static bool find_undo(const struct saga_state *state, const struct child_message *message,
					  struct target *ret_target)
{
	for (int i = 0; i < state->def->n_steps; i++)
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			bool held = action->held && strcmp(action->run.child, message->child) == 0;
			bool undone = !action->held && action->undo.child &&
						  strcmp(action->undo.child, message->child) == 0;

			if (!held && !undone && !is_asked_for(&action->undo, message))
				continue;
			*ret_target = (struct target){i, decide__item(state, i, j), held ? SIDE_DO : SIDE_UNDO};
			return true;
		}
	return false;
}

static void child_says(struct ctx *ctx, const struct child_message *message)
{
	const struct saga_state *state = ctx->state;
	struct target target = {saga_def_step(state->def, message->step), message->item, message->side};
	const struct action_def *act;

	if (find_undo(state, message, &target)) {
		end_of_action(ctx, target, message);
		return;
	}
	if (target.step < 0)
		return;
	act = message->side == SIDE_DO ? &state->def->steps[target.step].act
								   : &state->def->steps[target.step].undo;
	if (act->kind != ACTION_CHILD)
		return;
	if (!decide__action_exists(state, target.step, target.item) ||
		message->run < saga_state_run(state, target.step))
		answer_stray(ctx, (struct target){target.step, -1, SIDE_DO}, message);
	else
		end_of_action(ctx, target, message);
}

/* What the parent says. */

static void tell_end_again(struct ctx *ctx)
{
	struct event event = decide__event(EV_REPLY_IGNORED, -1, -1);
	enum child_word word = CHILD_COMPLETED;

	if (ctx->state->status == SAGA_COMPENSATED)
		word = CHILD_COMPENSATED;
	else if (ctx->state->status == SAGA_TERMINATED)
		word = CHILD_TERMINATED;
	tell_parent(ctx, word, NULL);
	decide__emit(ctx, &event);
}

static void turn_back(struct ctx *ctx, const struct child_message *message)
{
	const struct saga_state *state = ctx->state;

	if (!state->failing && !saga_state_past_pivot(state))
		decide__cancel(ctx, "parent", message->message, NULL);
}

static void parent_says(struct ctx *ctx, const struct child_message *message)
{
	struct saga_state *state = ctx->state;
	bool ended = saga_status_is_terminal(state->status);
	struct event event;

	if (!state->parent || strcmp(message->child, state->id) != 0)
		return;
	switch (message->word) {
	case CHILD_CANCEL:
		/* Held, it has told so: the parent has the next word. */
		if (!ended && !state->held)
			turn_back(ctx, message);
		break;
	case CHILD_COMPENSATE:
		if (ended)
			tell_end_again(ctx);
		else if (state->held)
			decide__fail_saga(ctx, -1, message->code ? message->code : "cancelled",
							  message->message);
		else
			turn_back(ctx, message);
		break;
	case CHILD_RELEASE:
		if (ended || !state->held)
			break;
		event = decide__event(EV_SAGA_COMPLETED, -1, -1);
		event.value = jval_ref(state->output);
		decide__emit(ctx, &event);
		break;
	case CHILD_COMPLETED:
	case CHILD_HELD:
	case CHILD_COMPENSATED:
	case CHILD_TERMINATED:
	case CHILD_WORD_COUNT:
		break;
	}
}

void decide__child_input(struct ctx *ctx)
{
	if (child_word_is_end(ctx->in->message->word))
		child_says(ctx, ctx->in->message);
	else
		parent_says(ctx, ctx->in->message);
}
