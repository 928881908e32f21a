/*
 * The time line and the sagas of a sandbox.
 */
#include "sagas/sandbox_priv.h"

#include <stdio.h>
#include <string.h>

#include "sagas/env.h"
#include "sagas/json_text.h"

struct sandbox *sandbox_new(const struct sandbox_hooks *hooks, wall_ms now)
{
	struct sandbox *sandbox = xcalloc(1, sizeof(*sandbox));

	sandbox->hooks = *hooks;
	sandbox->now = now;
	return sandbox;
}

static void saga_free(struct sandbox_saga *saga)
{
	size_t i;

	sandbox__forget_waits(saga);
	for (i = 0; i < saga->n_rows; i++)
		free(saga->rows[i].events);
	free(saga->rows);
	free(saga->start_key);
	saga_state_free(saga->state);
	free(saga);
}

void sandbox_free(struct sandbox *sandbox)
{
	size_t i;

	if (!sandbox)
		return;
	while (sandbox->posts) {
		struct post *post = sandbox->posts;

		sandbox->posts = post->next;
		if (post->drop)
			post->drop(post->ctx);
		free(post);
	}
	for (i = 0; i < sandbox->n_sagas; i++)
		saga_free(sandbox->sagas[i]);
	for (i = 0; i < sandbox->n_defs; i++)
		saga_def_unref(sandbox->defs[i]);
	sandbox__free_events(sandbox);
	sandbox__free_locks(sandbox);
	free(sandbox->sagas);
	free(sandbox->defs);
	free(sandbox);
}

static void without_jitter(struct action_def *act)
{
	act->retry.jitter = 0;
	if (act->probe)
		act->probe->act.retry.jitter = 0;
}

static void steps_without_jitter(struct saga_def *def, void *ctx)
{
	int i;

	(void)ctx;
	for (i = 0; i < def->n_steps; i++) {
		without_jitter(&def->steps[i].act);
		without_jitter(&def->steps[i].undo);
	}
}

void sandbox_define(struct sandbox *sandbox, struct saga_def *def)
{
	saga_def_walk(def, steps_without_jitter, NULL);
	sandbox->defs = xrealloc_array(sandbox->defs, sandbox->n_defs + 1, sizeof(struct saga_def *));
	sandbox->defs[sandbox->n_defs++] = saga_def_ref(def);
}

struct saga_def *sandbox_definition(const struct sandbox *sandbox, const char *name)
{
	size_t i;

	for (i = sandbox->n_defs; i-- > 0;)
		if (strcmp(sandbox->defs[i]->name, name) == 0)
			return sandbox->defs[i];
	return NULL;
}

wall_ms sandbox_now(const struct sandbox *sandbox)
{
	return sandbox->now;
}

size_t sandbox_n_sagas(const struct sandbox *sandbox)
{
	return sandbox->n_sagas;
}

struct sandbox_saga *sandbox_saga(const struct sandbox *sandbox, size_t number)
{
	return number < sandbox->n_sagas ? sandbox->sagas[number] : NULL;
}

/* ---- the time line ---- */

void sandbox_at(struct sandbox *sandbox, wall_ms at, void (*fn)(void *ctx), void (*drop)(void *ctx),
				void *ctx)
{
	struct post *post = xcalloc(1, sizeof(*post)), **link = &sandbox->posts;

	*post = (struct post){
		.at = at < sandbox->now ? sandbox->now : at, .fn = fn, .drop = drop, .ctx = ctx};
	while (*link && (*link)->at <= post->at)
		link = &(*link)->next;
	post->next = *link;
	*link = post;
}

static void note_due(struct sandbox_saga *saga)
{
	bool over = saga_status_is_terminal(saga->state->status) || saga->state->paused;

	saga->due_at = over ? 0 : saga_state_next_due(saga->state);
}

static struct sandbox_saga *next_due(const struct sandbox *sandbox)
{
	struct sandbox_saga *next = NULL;
	size_t i;

	for (i = 0; i < sandbox->n_sagas; i++) {
		struct sandbox_saga *saga = sandbox->sagas[i];

		if (saga->due_at && (!next || saga->due_at < next->due_at))
			next = saga;
	}
	return next;
}

static void timers(struct sandbox_saga *saga)
{
	struct input in = {.type = INPUT_TIMER};
	wall_ms due_at = saga->due_at;

	sandbox__tell(saga, &in);
	/* What is due and waits for an answer is not looked at again and again. */
	if (saga->due_at == due_at)
		saga->due_at = 0;
}

bool sandbox_step(struct sandbox *sandbox, wall_ms until)
{
	struct sandbox_saga *saga = next_due(sandbox);
	struct post *post = sandbox->posts;
	wall_ms due_at = 0;

	if (saga)
		due_at = saga->due_at < sandbox->now ? sandbox->now : saga->due_at;
	if (post && (!saga || post->at <= due_at)) {
		if (post->at > until)
			return false;
		sandbox->now = post->at;
		sandbox->posts = post->next;
		post->fn(post->ctx);
		free(post);
		return true;
	}
	if (!saga || due_at > until)
		return false;
	sandbox->now = due_at;
	timers(saga);
	return true;
}

/* ---- deciding ---- */

static void keep_row(struct sandbox_saga *saga, const struct decision *decision)
{
	struct sandbox_row *row;
	struct buf text;
	size_t i;

	if (decision->n_events == 0)
		return;
	CHECK(saga->n_rows < SANDBOX_ROWS_MAX);
	buf_init(&text, 0);
	for (i = 0; i < decision->n_events; i++) {
		buf_add_char(&text, i > 0 ? ',' : '[');
		event_write(&decision->events[i], saga->state->def, &text);
	}
	buf_add_char(&text, ']');
	saga->state->history_bytes += (int64_t)text.len;
	saga->rows = xrealloc_array(saga->rows, saga->n_rows + 1, sizeof(*saga->rows));
	row = &saga->rows[saga->n_rows++];
	row->at = decision->events[0].at;
	row->events = buf_take(&text, NULL);
}

/* What follows from a decision, once it is durable. */
static void carry_out(struct sandbox_saga *saga, const struct decision *decision)
{
	const struct sandbox_hooks *hooks = &saga->sandbox->hooks;
	size_t i;

	keep_row(saga, decision);
	sandbox__subscribe(saga, decision);
	sandbox__locks(saga, decision);
	for (i = 0; i < decision->n_emissions; i++)
		hooks->emitted(hooks->ctx, saga, &decision->emissions[i]);
	for (i = 0; i < decision->n_commands; i++) {
		if (decision->commands[i].request->kind == REQUEST_CHILD)
			sandbox__begin_child(saga, &decision->commands[i]);
		else
			hooks->call(hooks->ctx, saga, &decision->commands[i]);
	}
	for (i = 0; i < decision->n_messages; i++)
		sandbox__send(saga->sandbox, &decision->messages[i]);
	for (i = 0; i < decision->n_tasks; i++)
		hooks->task(hooks->ctx, saga, &decision->tasks[i]);
	hooks->decided(hooks->ctx, saga, decision->events, decision->n_events);
	note_due(saga);
}

int sandbox_give(struct sandbox_saga *saga, const struct input *given, struct err *err)
{
	struct sandbox *sandbox = saga->sandbox;
	struct input in = *given;
	struct decision decision;
	int r;

	in.random = ++sandbox->random;
	in.queues_read_until = in.inbox_read_until = sandbox->now;
	decision_init(&decision);
	r = saga_decide(saga->state, &in, sandbox->now, &decision, err);
	if (r == 0)
		carry_out(saga, &decision);
	decision_release(&decision);
	return r;
}

void sandbox__tell(struct sandbox_saga *saga, const struct input *in)
{
	struct err err;

	(void)!sandbox_give(saga, in, &err);
}

void sandbox_restart(struct sandbox_saga *saga)
{
	struct sandbox *sandbox = saga->sandbox;
	struct saga_state *state = saga_state_new(saga->state->def, saga->id);
	struct decision decision;
	struct err err;
	size_t i;

	for (i = 0; i < saga->n_rows; i++)
		CHECK(saga_state_apply_row(state, saga->rows[i].at, saga->rows[i].events,
								   strlen(saga->rows[i].events), &err) == 0);
	saga_state_free(saga->state);
	saga->state = state;
	saga->life++;
	decision_init(&decision);
	saga_recover(state, sandbox->now, &decision);
	carry_out(saga, &decision);
	decision_release(&decision);
}

void sandbox_expire(struct sandbox_saga *saga)
{
	struct input in = {.type = INPUT_TIMER};

	saga->state->deadline_at = saga->sandbox->now;
	sandbox__tell(saga, &in);
}

/* ---- starting ---- */

static void first_fault(void *ctx, const struct err *fault)
{
	struct err *err = ctx;

	if (!err->text[0])
		err_set_at(err, ERR_INVALID, fault->place, "the input does not fit the schema: %s: %.300s",
				   fault->place, fault->text);
}

static int check_input(const struct saga_def *def, const json_t *input, struct err *err)
{
	if (!def->input_schema)
		return 0;
	err->text[0] = '\0';
	return schema_validate(def->input_schema, input, first_fault, err) > 0 ? ERR_INVALID : 0;
}

static json_t *get_input(void *ctx, enum expr_name name)
{
	return name == EXPR_INPUT ? ctx : NULL;
}

static int make_key(const struct saga_def *def, const char *key, json_t *input, char **ret_key,
					struct err *err)
{
	CLEANUP(buf_release) struct buf text;
	struct expr_env env = {.get = get_input, .ctx = input};
	bool present = true;
	int r;

	buf_init(&text, 0);
	if (!def->key) {
		*ret_key = key ? xstrdup(key) : NULL;
		return 0;
	}
	r = tmpl_write_text(def->key, &env, TMPL_TEXT_PLAIN, &text, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "the key is empty");
	if (r == 0)
		r = key_check(buf_str(&text), err);
	if (r < 0) {
		err_prefix(err, "the key");
		return r;
	}
	*ret_key = xstrdup(buf_str(&text));
	return 0;
}

static struct sandbox_saga *saga_new(struct sandbox *sandbox, struct saga_def *def)
{
	struct sandbox_saga *saga = xcalloc(1, sizeof(*saga));

	saga->sandbox = sandbox;
	saga->number = (int)sandbox->n_sagas;
	snprintf(saga->id, sizeof(saga->id), "01980000-0000-7000-8000-%012d", saga->number + 1);
	saga->state = saga_state_new(def, saga->id);
	sandbox->sagas =
		xrealloc_array(sandbox->sagas, sandbox->n_sagas + 1, sizeof(struct sandbox_saga *));
	sandbox->sagas[sandbox->n_sagas++] = saga;
	return saga;
}

/* A key names one saga of a definition; where it may be used again, once that is undone. */
static int check_key(const struct sandbox *sandbox, const struct saga_def *def, const char *key,
					 struct err *err)
{
	const char *reuse = json_string_value(json_object_get(def->doc, "key_reuse"));
	bool after_undo = reuse && strcmp(reuse, "after_undo") == 0;
	size_t i;

	for (i = 0; key && i < sandbox->n_sagas; i++) {
		const struct saga_state *other = sandbox->sagas[i]->state;

		if (!other->key || strcmp(other->key, key) != 0 || strcmp(other->def->name, def->name) != 0)
			continue;
		if (!after_undo || other->status != SAGA_COMPENSATED)
			return err_set(err, ERR_CONFLICT, "the key %.200s belongs to another saga", key);
	}
	return 0;
}

int sandbox__start(struct sandbox *sandbox, struct saga_def *def, const char *key_said,
				   json_t *input, const struct input *given, const struct beginning *of,
				   struct sandbox_saga **ret_saga, struct err *err)
{
	CLEANUP(free_p) char *key = NULL;
	CLEANUP(jval_unref_p) struct jval *value = NULL;
	struct input in = *given;
	struct sandbox_saga *saga;
	int r;

	if (sandbox->n_sagas >= SANDBOX_SAGAS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d sagas", SANDBOX_SAGAS_MAX);
	r = check_input(def, input, err);
	if (r == 0)
		r = make_key(def, key_said, input, &key, err);
	if (r == 0)
		r = check_key(sandbox, def, key, err);
	if (r < 0)
		return r;
	value = jval_from_json(json_deep_copy(input));
	in.value = value;
	in.key = key;
	saga = saga_new(sandbox, def);
	if (of)
		sandbox__child_of(saga, of);
	*ret_saga = saga;
	return sandbox_give(saga, &in, err);
}

int sandbox_start(struct sandbox *sandbox, struct saga_def *def, const char *key, json_t *input,
				  struct sandbox_saga **ret_saga, struct err *err)
{
	struct input in = {.type = INPUT_START, .ns = SANDBOX_NS};

	return sandbox__start(sandbox, def, key, input, &in, NULL, ret_saga, err);
}
