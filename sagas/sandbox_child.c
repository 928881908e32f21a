/*
 * Sagas that start sagas, and what they tell each other.
 */
#include "sagas/sandbox_priv.h"

#include <string.h>

#include "sagas/json_text.h"

/* ---- starting ---- */

struct beginning {
	struct sandbox_saga *parent;
	unsigned life;
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int run;
	struct request *request;
};

static void beginning_free(void *ctx)
{
	struct beginning *beginning = ctx;

	request_unref(beginning->request);
	free(beginning);
}

/* The answer of the start: {"id"} or {"code","message"}. */
static void answer(const struct beginning *beginning, json_t *body)
{
	struct jval *value = jval_from_json(body);
	struct input in = {
		.type = INPUT_REPLY,
		.step = beginning->step,
		.item = beginning->item,
		.kind = beginning->kind,
		.attempt = beginning->attempt,
		.run = beginning->run,
		.result = CALL_ANSWERED,
		.retry_after_ms = -1,
		.body = value,
	};

	if (beginning->life == beginning->parent->life)
		sandbox__tell(beginning->parent, &in);
	jval_unref(value);
}

static struct sandbox_saga *started_before(const struct beginning *beginning)
{
	const struct sandbox *sandbox = beginning->parent->sandbox;
	size_t i;

	for (i = 0; i < sandbox->n_sagas; i++)
		if (sandbox->sagas[i]->start_key &&
			strcmp(sandbox->sagas[i]->start_key, beginning->request->key) == 0)
			return sandbox->sagas[i];
	return NULL;
}

/* "order#paid" is a block of "order". */
static struct saga_def *definition_of(const struct beginning *beginning)
{
	const char *name = beginning->request->to, *mark = strchr(name, '#');
	CLEANUP(free_p) char *outer = mark ? xstrndup(name, (size_t)(mark - name)) : NULL;
	struct saga_def *def = sandbox_definition(beginning->parent->sandbox, outer ? outer : name);

	return def && mark ? saga_def_find_block(def, name) : def;
}

static void begin(void *ctx)
{
	struct beginning *beginning = ctx;
	const struct request *request = beginning->request;
	struct sandbox_saga *child = started_before(beginning);
	struct saga_def *def = definition_of(beginning);
	struct input in = {
		.type = INPUT_START,
		.ns = SANDBOX_NS,
		.parent = request->correlation,
		.depth = request->depth,
		.hold = request->hold,
	};
	CLEANUP(json_decref_p) json_t *input = NULL;
	struct err err = {0};
	int r = 0;

	if (!child && !def) {
		answer(beginning, json_pack("{s:s, s:o}", "code", "no_such_definition", "message",
									json_sprintf("there is no definition %s here; `with` names "
												 "the files of further definitions",
												 request->to)));
		beginning_free(beginning);
		return;
	}
	if (!child)
		r = json_parse_stored(request->body, request->body_len, &input, &err);
	if (!child && r == 0)
		r = sandbox__start(beginning->parent->sandbox, def, request->key, input, &in, beginning,
						   &child, &err);
	if (r < 0)
		answer(beginning,
			   json_pack("{s:s, s:s}", "code", r == ERR_CONFLICT ? "key_taken" : "invalid_input",
						 "message", err.text));
	else
		answer(beginning, json_pack("{s:s}", "id", child->id));
	beginning_free(beginning);
}

void sandbox__child_of(struct sandbox_saga *child, const struct beginning *beginning)
{
	child->parent = beginning->parent;
	child->parent_step = beginning->step;
	child->parent_item = beginning->item;
	child->parent_side = beginning->kind == CALL_UNDO ? SIDE_UNDO : SIDE_DO;
	child->start_key = xstrdup(beginning->request->key);
}

void sandbox__begin_child(struct sandbox_saga *parent, const struct command *command)
{
	struct beginning *beginning = xcalloc(1, sizeof(*beginning));

	*beginning = (struct beginning){
		.parent = parent,
		.life = parent->life,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.run = command->run,
		.request = request_ref(command->request),
	};
	sandbox_at(parent->sandbox, parent->sandbox->now, begin, beginning_free, beginning);
}

/* ---- messages ---- */

struct letter {
	struct sandbox_saga *to;
	struct child_message message;
};

static void letter_free(void *ctx)
{
	struct letter *letter = ctx;

	child_message_release(&letter->message);
	free(letter);
}

static void deliver(void *ctx)
{
	struct letter *letter = ctx;
	struct input in = {.type = INPUT_CHILD, .message = &letter->message};

	sandbox__tell(letter->to, &in);
	letter_free(letter);
}

void sandbox__send(struct sandbox *sandbox, const struct saga_message *message)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	struct letter *letter;
	struct err err;
	size_t i;

	for (i = 0; i < sandbox->n_sagas; i++) {
		if (strcmp(sandbox->sagas[i]->id, message->to) != 0)
			continue;
		letter = xcalloc(1, sizeof(*letter));
		letter->to = sandbox->sagas[i];
		CHECK(json_parse_stored(message->text, strlen(message->text), &json, &err) == 0);
		CHECK(child_message_read(json, &letter->message, &err) == 0);
		sandbox_at(sandbox, sandbox->now, deliver, letter_free, letter);
		return;
	}
}
