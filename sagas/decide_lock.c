/*
 * Locks. One is asked for in the commit that begins its step, and given back in the one in which it
 * fails, is forgotten, or is not needed any more. Who stands where in the lines is not known here:
 * that a lock is granted is an input, which says with which fencing token.
 *
 *   asked for --granted--> held --release_after has settled, or the saga has ended--> given back
 *       '--time-out, the way back, a person--> given back
 *
 * What is held stays held on the way back, so that an undo is as alone as what it undoes.
 */
#include "sagas/decide_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

static void wish(struct ctx *ctx, int step, int item, struct jval *lock)
{
	struct decision *decision = ctx->decision;

	if (decision->n_locks == decision->cap_locks) {
		decision->cap_locks = decision->cap_locks ? 2 * decision->cap_locks : 4;
		decision->locks =
			xrealloc_array(decision->locks, decision->cap_locks, sizeof(*decision->locks));
	}
	decision->locks[decision->n_locks++] = (struct lock_wish){
		.step = step,
		.item = item,
		.release = !lock,
		.lock = jval_ref(lock),
	};
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys as texts, sorted, each once. */
static int read_keys(const json_t *list, json_t **ret_keys, struct err *err)
{
	size_t i, n = json_array_size(list);
	CLEANUP(free_p) const char **texts = NULL;
	json_t *keys;

	if (!json_is_array(list) || n == 0)
		return err_set(err, ERR_INVALID, "`keys` must give a list of texts, with at least one");
	if (n > LOCK_MAX_KEYS)
		return err_set(err, ERR_LIMIT, "`keys` gives %zu keys; at most %d are allowed", n,
					   LOCK_MAX_KEYS);
	texts = xcalloc(n, sizeof(*texts));
	for (i = 0; i < n; i++) {
		const json_t *key = json_array_get(list, i);
		struct err why;

		if (!json_is_string(key))
			return err_set(err, ERR_INVALID, "`keys` must give texts, and key %zu is none", i);
		texts[i] = json_string_value(key);
		if (strlen(texts[i]) != json_string_length(key) || key_check(texts[i], &why) < 0)
			return err_set(err, ERR_INVALID,
						   "key %zu of `keys` must be 1 to %d bytes without control characters", i,
						   KEY_MAX_BYTES);
	}
	qsort(texts, n, sizeof(*texts), compare_texts);
	keys = json_array();
	for (i = 0; i < n; i++)
		if (i == 0 || strcmp(texts[i], texts[i - 1]) != 0)
			json_array_append_new(keys, json_string(texts[i]));
	*ret_keys = keys;
	return 0;
}

static bool has_key(const struct action_state *action, const char *key)
{
	const json_t *keys = json_object_get(jval_json(action->lock), "keys");
	size_t i;

	for (i = 0; i < json_array_size(keys); i++)
		if (strcmp(json_string_value(json_array_get(keys, i)), key) == 0)
			return true;
	return false;
}

static bool stands_in_line(const struct action_state *action)
{
	return action->lock && (action->locked || action->run.status == EXEC_RUNNING ||
							action->run.status == EXEC_PARKED);
}

/* A saga that waited for itself would wait for ever: the step that has one of these keys, or -1. */
static int own_holder(const struct saga_state *state, const json_t *keys, const char **ret_key)
{
	size_t k;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		if (state->def->steps[i].act.kind != ACTION_LOCK)
			continue;
		for (j = 0; j < state->steps[i].n_actions; j++)
			for (k = 0; stands_in_line(&state->steps[i].actions[j]) && k < json_array_size(keys);
				 k++) {
				*ret_key = json_string_value(json_array_get(keys, k));
				if (has_key(&state->steps[i].actions[j], *ret_key))
					return i;
			}
	}
	return -1;
}

int decide__begin_lock(struct ctx *ctx, int step, int item, struct env *env, struct err *err)
{
	const struct action_def *act = &ctx->state->def->steps[step].act;
	CLEANUP(json_decref_p) json_t *list = NULL;
	CLEANUP(json_decref_p) json_t *keys = NULL;
	const char *key = NULL;
	struct event event;
	int64_t ms;
	int r, holder;

	r = decide__await_limit(ctx, act, env, &ms, err);
	if (r == 0)
		r = tmpl_eval(act->lock.keys, &env->expr, &list, err);
	if (r == 0)
		r = read_keys(list, &keys, err);
	if (r < 0)
		return r;
	holder = own_holder(ctx->state, keys, &key);
	if (holder >= 0) {
		char why[512];

		snprintf(why, sizeof(why), "the saga has the key `%.255s` already, by step `%.64s`", key,
				 ctx->state->def->steps[holder].id);
		decide__failed(ctx, step, item, OUTCOME_FAILURE, false, 0, "lock_held", why, env);
		return 0;
	}
	event = decide__event(EV_STEP_SCHEDULED, step, item);
	event.due_at = decide__at(ctx, ms > 0 ? ms : 1);
	event.value = jval_from_json(json_pack("{s:O}", "keys", keys));
	wish(ctx, step, item, event.value);
	decide__emit(ctx, &event);
	return 0;
}

void decide__unlock(struct ctx *ctx, int step, int item)
{
	const struct action_state *action;

	if (ctx->state->def->steps[step].act.kind != ACTION_LOCK)
		return;
	action = saga_state_action(ctx->state, step, item);
	if (stands_in_line(action))
		wish(ctx, step, item, NULL);
}

void decide__note_settled(struct ctx *ctx, int step)
{
	const struct saga_def *def = ctx->state->def;
	int i, j;

	for (i = 0; i < def->n_steps && def->locks; i++) {
		if (def->steps[i].act.kind != ACTION_LOCK || def->steps[i].act.lock.release_after != step)
			continue;
		for (j = 0; j < ctx->state->steps[i].n_actions; j++)
			if (ctx->state->steps[i].actions[j].event_id)
				wish(ctx, i, decide__item(ctx->state, i, j), NULL);
	}
}

/* {token, keys}, or what the step makes of it. */
static int granted_output(const struct action_def *act, struct env *env, struct jval **ret_output,
						  struct err *err)
{
	json_t *value = NULL;
	int r;

	if (!act->output) {
		*ret_output = jval_ref(env->event);
		return 0;
	}
	r = tmpl_eval(act->output, &env->expr, &value, err);
	if (r == 0)
		*ret_output = value ? jval_from_json(value) : NULL;
	return r;
}

void decide__lock_input(struct ctx *ctx)
{
	const struct input *in = ctx->in;
	struct saga_state *state = ctx->state;
	CLEANUP(jval_unref_p) struct jval *granted = NULL;
	CLEANUP(jval_unref_p) struct jval *output = NULL;
	const struct action_state *action;
	const struct action_def *act;
	struct event event;
	struct env env;
	struct err err;
	int r;

	if (!decide__action_exists(state, in->step, in->item))
		return;
	act = &state->def->steps[in->step].act;
	action = saga_state_action(state, in->step, in->item);
	if (act->kind != ACTION_LOCK || !action->lock ||
		(action->run.status != EXEC_RUNNING && action->run.status != EXEC_PARKED))
		return;
	granted = jval_from_json(json_pack("{s:I, s:O}", "token", (json_int_t)in->token, "keys",
									   json_object_get(jval_json(action->lock), "keys")));
	env_init(&env, state, in->step, in->item);
	env.event = granted;
	r = granted_output(act, &env, &output, &err);
	if (r < 0) {
		decide__failed(ctx, in->step, in->item, OUTCOME_FAILURE, false, 0, "output_error", err.text,
					   &env);
	} else {
		event = decide__event(EV_STEP_COMPLETED, in->step, in->item);
		event.value = jval_ref(output);
		event.id = xasprintf("%lld", (long long)in->token);
		decide__emit(ctx, &event);
		env.output = output;
		decide__arm(ctx, in->step, in->item, &env);
	}
	env_release(&env);
}
