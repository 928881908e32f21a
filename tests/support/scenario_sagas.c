/*
 * The sagas of a scenario: that which it is about, those that acts start, and children.
 */
#include <string.h>

#include "tests/support/scenario.h"
#include "tests/support/world_child.h"

/* Who waits for the answer to a start: an act, or a parent. */
struct start {
	struct world_call *call; /* of the parent; NULL: an act, or a schedule */
	const json_t *entry;
	struct scenario_schedule *schedule;
};

static void note_id(struct scenario *s, const char *id)
{
	for (size_t i = 0; i < s->n_ids; i++)
		if (strcmp(s->ids[i], id) == 0)
			return;
	s->ids = xrealloc_array(s->ids, s->n_ids + 1, sizeof(*s->ids));
	memcpy(s->ids[s->n_ids++], id, SAGA_ID_SIZE);
}

struct oracle_saga *scenario_saga(struct scenario *s, size_t n)
{
	for (size_t i = 0; i < s->n_ids; i++) {
		struct oracle_saga *saga = oracle_saga(&s->oracle, s->ids[i]);

		if (saga && n-- == 0)
			return saga;
	}
	return NULL;
}

const char *scenario_saga_of(struct scenario *s, const json_t *act)
{
	json_int_t n = json_integer_value(json_object_get(act, "saga"));
	const struct oracle_saga *saga = scenario_saga(s, (size_t)n);

	if (saga)
		return saga->id;
	scenario_fail(s, "there is no saga %lld", (long long)n);
	return "";
}

static void post(struct scenario *s, struct engine_call *call, struct world_call *of,
				 const json_t *entry, struct scenario_schedule *schedule)
{
	struct start *start = xcalloc(1, sizeof(*start));

	*start = (struct start){of, entry, schedule};
	call->ctx = start;
	note_id(s, call->id);
	world_post(&s->world, POST_CALL, call);
}

/* The key of the definition over the input, or what the caller says. NULL: it has none. */
static char *key_of(struct scenario *s, const char *name, const json_t *act)
{
	const struct saga_def *def = world_definition(&s->world, name, 0);
	const char *said = scenario_text(act, "key");
	CLEANUP(free_p) char *key = NULL;
	struct err err;

	if (!def || !def->key)
		return said ? xstrdup(said) : NULL;
	if (world_child_key(def, json_object_get(act, "input"), &key, &err) < 0)
		scenario_fail(s, "the key of %s: %s", name, err.text);
	return TAKE(key);
}

/* NULL: there is none; it was answered why. */
static struct saga_def *definition_of(struct scenario *s, const json_t *act, const char *name,
									  const char *key)
{
	json_int_t version = json_integer_value(json_object_get(act, "version"));
	struct saga_def *def = NULL;
	struct err err;

	err_set(&err, ERR_NOT_FOUND, "there is no definition %s", name);
	if (version)
		def = world_definition(&s->world, name, version);
	else
		def = scenario_route(s, name, key ? key : "", &err);
	if (!def)
		scenario_answer(s, err.text);
	return def;
}

static struct engine_call *make_start(struct scenario *s, const json_t *act)
{
	const char *said = scenario_text(act, "start");
	const char *name = said ? said : s->world.defs[0]->name;
	CLEANUP(free_p) char *key = key_of(s, name, act);
	struct saga_def *def = definition_of(s, act, name, key);
	json_t *input = json_object_get(act, "input");

	if (!def)
		return NULL;
	return world_start_call(&s->world, def, key, input ? json_incref(input) : json_object(),
							++s->n_starts);
}

void scenario_start(struct scenario *s, const json_t *act)
{
	struct engine_call *call = make_start(s, act);

	if (!call)
		return;
	if (scenario_text(act, "start")) {
		post(s, call, NULL, NULL, NULL);
		return;
	}
	note_id(s, call->id);
	world_post(&s->world, POST_CALL, call);
}

bool scenario_start_for(struct scenario *s, const json_t *act, struct scenario_schedule *schedule)
{
	struct engine_call *call = make_start(s, act);

	if (call)
		post(s, call, NULL, NULL, schedule);
	return call != NULL;
}

static bool says(const json_t *entry, const char *word)
{
	const char *reply = scenario_text(entry, "reply");

	return reply && strcmp(reply, word) == 0;
}

void scenario_start_child(struct scenario *s, struct world_call *call, const json_t *entry)
{
	const struct request *request = call->command.request;
	json_t *refusal = NULL;
	struct engine_call *start;
	struct saga_def *def;
	struct err err = {0};

	if (call->orphan) {
		world_call_free(&s->world, call);
		return;
	}
	if (says(entry, "not_connected")) {
		world_call_end(&s->world, call, CALL_NOT_CONNECTED, 0, NULL, -1);
		return;
	}
	def = request->version ? world_definition(&s->world, request->to, request->version)
						   : scenario_route(s, request->to, request->key, &err);
	if (!def && err.retriable) { /* the definition is paused */
		world_call_end(&s->world, call, CALL_NOT_CONNECTED, 0, NULL, -1);
		return;
	}
	start = world_child_start(&s->world, call, def, ++s->n_starts, &refusal);
	if (start)
		post(s, start, call, entry, NULL);
	else
		world_call_end(&s->world, call, CALL_ANSWERED, 0, refusal, -1);
}

static void answer_parent(struct scenario *s, const struct start *start,
						  const struct engine_call *call, bool lost)
{
	json_t *body = lost || says(start->entry, "broken") ? NULL : world_child_answer(call);
	const struct command *command = &start->call->command;

	if (!lost && !body && command->kind == CALL_DO)
		oracle_unknown(&s->oracle, start->call->saga_id, command->step, command->item);

	if (!lost && call->result == 0 && call->duplicate)
		note_id(s, call->existing_id);
	if (lost || says(start->entry, "lost"))
		json_decref(body);
	else
		world_call_end(&s->world, start->call, body ? CALL_ANSWERED : CALL_BROKEN, 0, body, -1);
	if (lost)
		world_call_free(&s->world, start->call);
}

static size_t number_of(struct scenario *s, const char *id)
{
	const struct oracle_saga *saga;
	size_t n = 0;

	while ((saga = scenario_saga(s, n)) && strcmp(saga->id, id) != 0)
		n++;
	return n;
}

/* "ok", "duplicate of 0", "the key is that of 0", or why not. */
static void answer_act(struct scenario *s, const struct engine_call *call)
{
	CLEANUP(free_p) char *text = NULL;

	if (call->result < 0) {
		scenario_answer(s, call->err.text);
		return;
	}
	if (!call->duplicate)
		text = xstrdup("ok");
	else if (strcmp(call->existing_fingerprint, call->fingerprint) == 0)
		text = xasprintf("duplicate of %zu", number_of(s, call->existing_id));
	else
		text = xasprintf("the key is that of %zu", number_of(s, call->existing_id));
	scenario_answer(s, text);
}

void scenario_started(struct scenario *s, struct engine_call *call, bool lost)
{
	struct start *start = call->ctx;

	if (start && start->call)
		answer_parent(s, start, call, lost);
	else if (start && start->schedule)
		scenario_schedule_started(s, start->schedule, call, lost);
	else if (start && !lost)
		answer_act(s, call);
	else if (!lost && call->result < 0)
		scenario_fail(s, "the start is refused: %s", call->err.text);
	free(start);
	engine_call_free(call);
}
