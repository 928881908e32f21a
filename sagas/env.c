#include "sagas/env.h"

#include <stdio.h>
#include <string.h>

#include "sagas/callback.h"
#include "sagas/decide.h"
#include "sagas/hash.h"

/* "<saga>/<step>[<item>]/escalate<n>", "…/undo-escalate<n>", "<saga>/escalate<n>"; of what was
 * carried from an earlier run "<saga>/<step>~carried[<its place>]/undo-escalate<n>". */
static void escalation_key(const struct saga_state *state, int step, const char *run,
						   const char *index, char key[STEP_KEY_SIZE])
{
	const struct step_def *def = &state->def->steps[step];
	bool carried = def->said_by != def->watches;

	snprintf(key, STEP_KEY_SIZE, "%s/%s%s%s%s%s%sescalate%d", state->id,
			 def->said_by < 0 ? "" : state->def->steps[def->said_by].id,
			 carried ? CARRIED_STEP_ID : "", run, index, def->said_by < 0 ? "" : "/",
			 def->watches_undo ? "undo-" : "", def->entry + 1);
}

void step_key(const struct saga_state *state, int step, int item, const char *what,
			  char key[STEP_KEY_SIZE])
{
	char run[16] = "", index[16] = "";
	const char *saga = state->steps[step].keys_of ? state->steps[step].keys_of : state->id;
	int of = step, n = saga_state_run(state, step);

	/* What an earlier run did keeps the keys that it was done with. */
	if (step == state->def->carried && item >= 0) {
		const json_t *entry = json_array_get(state->steps[step].list, (size_t)item);
		const json_t *of_item = json_object_get(entry, "item");
		const char *did = json_string_value(json_object_get(entry, "saga"));

		saga = did ? did : saga;

		of = state->steps[step].actions[item].carried_from;
		n = (int)json_integer_value(json_object_get(entry, "run"));
		item = of_item ? (int)json_integer_value(of_item) : -1;
	}
	if (n > 1)
		snprintf(run, sizeof(run), "~%d", n);
	if (item >= 0)
		snprintf(index, sizeof(index), "[%d]", item);
	if (state->def->steps[step].escalates) {
		escalation_key(state, step, run, index, key);
		return;
	}
	snprintf(key, STEP_KEY_SIZE, "%s/%s%s%s/%s", saga, state->def->steps[of].id, run, index, what);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* {status, body} over HTTP; {type, outcome, code, message, body, data} over Kafka, where body and
 * data are the same, and what was not said is null. Later only the body is known. */
static json_t *make_reply(const struct env *env)
{
	const struct input *in = env->reply;
	json_t *reply = json_object();
	json_t *body = env->reply_body ? json_incref(jval_json(env->reply_body)) : json_null();

	json_object_set_new_nocheck(reply, "body", body);
	if (!in || in->http_status)
		json_object_set_new_nocheck(reply, "status", json_integer(in ? in->http_status : 0));
	if (in && in->http_status)
		return reply;
	json_object_set_nocheck(reply, "data", body);
	if (!in)
		return reply;
	json_object_set_new_nocheck(reply, "type", text_or_null(in->reply_type));
	json_object_set_new_nocheck(reply, "outcome", text_or_null(outcome_text(in->said)));
	json_object_set_new_nocheck(reply, "code", text_or_null(in->code));
	json_object_set_new_nocheck(reply, "message", text_or_null(in->error));
	return reply;
}

static json_t *make_error(const char *code, const char *message)
{
	json_t *error = json_object();

	json_object_set_new_nocheck(error, "code", json_string(code ? code : ""));
	json_object_set_new_nocheck(error, "message", json_string(message ? message : ""));
	return error;
}

/* What a block's input holds of what is around it; NULL: nothing, or it is no block. */
static json_t *scope_get(const struct env *env, const char *name)
{
	const struct saga_state *state = env->state;

	return state->def->is_block && state->input ? json_object_get(jval_json(state->input), name)
												: NULL;
}

/* A block is known by what is around it; but its failure is its own. */
static json_t *around_saga(const struct env *env)
{
	json_t *around = scope_get(env, "saga");
	json_t *saga = around ? json_copy(around) : NULL;

	if (saga && (env->saga_failure && (env->state->failing || env->failure_code)))
		json_object_del(saga, "failure");
	return saga;
}

static json_t *make_saga(const struct env *env)
{
	const struct saga_state *state = env->state;
	json_t *saga = around_saga(env);
	char at[TIME_TEXT_SIZE];

	if (!saga) {
		saga = json_object();
		time_format(state->started_at, at);
		json_object_set_new_nocheck(saga, "id", json_string(state->id));
		json_object_set_new_nocheck(saga, "name", json_string(state->def->name));
		json_object_set_new_nocheck(saga, "key",
									state->key ? json_string(state->key) : json_null());
		json_object_set_new_nocheck(saga, "started_at", json_string(at));
	}
	if (env->stub_saga_failure)
		json_object_set_new_nocheck(saga, "failure", make_error("pending", "pending"));
	else if (env->saga_failure && state->failing)
		json_object_set_new_nocheck(saga, "failure",
									make_error(state->failure_code, state->failure_message));
	else if (env->saga_failure && env->failure_code)
		json_object_set_new_nocheck(saga, "failure",
									make_error(env->failure_code, env->failure_message));
	return saga;
}

/* Those of a block, and those around it that it reads; no id is in both. */
static json_t *make_steps(const struct env *env)
{
	json_t *steps = json_copy(saga_state_steps_json(env->state));

	json_object_update(steps, scope_get(env, "steps"));
	return steps;
}

static json_t *make_callback_url(const struct env *env)
{
	const struct surroundings *around = env->state->def->around;
	struct callback callback = {
		.at = {.item = env->item, .run = saga_state_run(env->state, env->step), .kind = CALL_DO}};
	CLEANUP(buf_release) struct buf url;

	snprintf(callback.at.ns, sizeof(callback.at.ns), "%s", env->state->ns);
	memcpy(callback.at.saga_id, env->state->id, sizeof(callback.at.saga_id));
	snprintf(callback.at.step, sizeof(callback.at.step), "%s",
			 env->state->def->steps[env->step].id);
	snprintf(callback.nonce, sizeof(callback.nonce), "%s", env->nonce);
	buf_init(&url, 0);
	buf_add_str(&url, around && around->public_url ? around->public_url : "");
	buf_add_lit(&url, "/v1/callbacks/");
	callback_write(&callback, &url);
	return json_string(buf_str(&url));
}

static json_t *make_step(const struct env *env)
{
	json_t *step = json_object();
	char key[STEP_KEY_SIZE], uuid[UUID_SIZE];

	step_key(env->state, env->scope, env->item, "do", key);
	hash_uuid5(key, strlen(key), uuid);
	json_object_set_new_nocheck(step, "key", json_string(key));
	json_object_set_new_nocheck(step, "uuid", json_string(uuid));
	if (env->nonce)
		json_object_set_new_nocheck(step, "callback_url", make_callback_url(env));
	return step;
}

/* A copy, for what is made of it stays in the state, which one thread owns. */
static json_t *make_env(const struct env *env)
{
	const struct surroundings *around = env->state->def->around;

	return around && around->env ? json_deep_copy(around->env) : json_object();
}

/* Placeholders, which are resolved where the request is sent. */
static json_t *make_secret(const struct env *env)
{
	json_t *secret = json_object();
	char placeholder[REQUEST_PLACEHOLDER_SIZE] = "";

	for (char *const *name = env->secrets; name && *name; name++) {
		if (!env->blank_secrets)
			request_placeholder(*name, false, placeholder);
		json_object_set_new(secret, *name, json_string(placeholder));
	}
	return secret;
}

static json_t *make_item(const struct env *env)
{
	return json_incref(json_array_get(env->state->steps[env->scope].list, (size_t)env->item));
}

/* The output of the turn before this one; null in the first. */
static json_t *make_previous(const struct env *env)
{
	const struct step_state *step = &env->state->steps[env->scope];

	if (env->item < 1 || !step->actions[env->item - 1].output)
		return json_null();
	return json_incref(jval_json(step->actions[env->item - 1].output));
}

static json_t *make_failures(const struct env *env)
{
	const struct step_state *step = &env->state->steps[env->step];
	json_t *failures = json_array();
	int i;

	for (i = 0; i < step->n_actions; i++) {
		const struct exec *run = &step->actions[i].run;

		if (i == env->item)
			json_array_append_new(failures, make_error(env->failure_code, env->failure_message));
		else if (run->status == EXEC_FAILED || run->status == EXEC_GAVE_UP)
			json_array_append_new(failures, make_error(run->code, run->message));
	}
	return failures;
}

/* In an undo that begins long after its step ended, the output is that of the state. */
static json_t *make_output(const struct env *env)
{
	const struct step_state *step = &env->state->steps[env->step];
	int item = env->item < 0 ? 0 : env->item;

	if (env->output)
		return json_incref(jval_json(env->output));
	if (item >= step->n_actions || !step->actions[item].output)
		return NULL;
	return json_incref(jval_json(step->actions[item].output));
}

static json_t *make(const struct env *env, enum expr_name name)
{
	bool in_step = env->scope >= 0;
	const struct step_def *def = in_step ? &env->state->def->steps[env->scope] : NULL;

	switch (name) {
	case EXPR_REPLY:
		return env->has_reply ? make_reply(env) : NULL;
	case EXPR_FAILURE:
		return env->failure_code ? make_error(env->failure_code, env->failure_message) : NULL;
	case EXPR_FAILURES:
		return in_step ? make_failures(env) : NULL;
	case EXPR_OUTPUT:
		return in_step ? make_output(env) : NULL;
	case EXPR_ITEM:
		return in_step && def->for_each && env->item >= 0 ? make_item(env) : NULL;
	case EXPR_INDEX:
		return in_step && env->item >= 0 ? json_integer(env->item) : NULL;
	case EXPR_PREVIOUS:
		return in_step && def->repeat_until ? make_previous(env) : NULL;
	case EXPR_STEP:
		return in_step ? make_step(env) : NULL;
	case EXPR_SAGA:
		return make_saga(env);
	case EXPR_EVENT:
		return env->event ? json_incref(jval_json(env->event)) : NULL;
	case EXPR_ENV:
		return make_env(env);
	case EXPR_SECRET:
		return make_secret(env);
	case EXPR_INPUT:
	case EXPR_STEPS:
	case EXPR_NAME_COUNT:
		break;
	}
	return NULL;
}

/* These are of the run that did what is undone; the saga is the same. */
static bool is_of_run(enum expr_name name)
{
	return name == EXPR_INPUT || name == EXPR_STEPS || name == EXPR_OUTPUT || name == EXPR_ITEM ||
		   name == EXPR_INDEX || name == EXPR_PREVIOUS;
}

static const char *const scope_names[EXPR_NAME_COUNT] = {
#define X(name, text) [name] = text,
	EXPR_NAMES(X)
#undef X
};

static json_t *env_get(void *ctx, enum expr_name name)
{
	struct env *env = ctx;

	if (env->scope >= 0 && env->scope == env->state->def->carried && is_of_run(name))
		return json_object_get(env->carried, scope_names[name]);
	if (name == EXPR_INPUT && env->state->def->is_block)
		return scope_get(env, "input");
	if (name == EXPR_INPUT)
		return env->state->input ? jval_json(env->state->input) : NULL;
	if (name == EXPR_STEPS && !scope_get(env, "steps"))
		return saga_state_steps_json(env->state);
	if (!env->made[name])
		env->made[name] = name == EXPR_STEPS ? make_steps(env) : make(env, name);
	/* What a block may take over from around it, where it has none of its own. */
	if (!env->made[name] && (name == EXPR_ITEM || name == EXPR_INDEX || name == EXPR_PREVIOUS))
		return scope_get(env, scope_names[name]);
	return env->made[name];
}

void env_init(struct env *env, struct saga_state *state, int step, int item)
{
	bool escalates = step >= 0 && state->def->steps[step].escalates;

	*env = (struct env){.state = state, .step = step, .item = item};
	env->scope = escalates ? state->def->steps[step].watches : step;
	env->expr.get = env_get;
	env->expr.ctx = env;
	if (env->scope >= 0 && env->scope == state->def->carried && item >= 0)
		env->carried =
			json_object_get(json_array_get(state->steps[env->scope].list, (size_t)item), "scope");
	/* The steps of on_compensated run because of it. */
	env->saga_failure = step >= state->def->n_forward;
}

void env_release(struct env *env)
{
	int i;

	for (i = 0; i < EXPR_NAME_COUNT; i++)
		json_decref(env->made[i]);
}
