/*
 * One test: a sandbox is filled, the saga is started, and time goes on until nothing more comes.
 */
#include "coordinator/deftest_priv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/state_json.h"

enum {
	STEPS_MAX = 2000000, /* of one test */
	FAILURES_MAX = 20,   /* that are told */
};
#define UNTIL_DEFAULT_MS (INT64_C(400) * 86400000)

void deftest__fail(struct deftest *test, const char *pointer, const char *fmt, ...)
{
	struct deftest_result *result = test->result;
	CLEANUP(free_p) char *full = xasprintf("/tests/%zu%s", test->index, pointer);
	struct buf text;
	va_list args;
	char *words;

	result->passed = false;
	if (result->n_failures == FAILURES_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&words, fmt, args) < 0)
		abort();
	va_end(args);
	buf_init(&text, 0);
	buf_add_str(&text, words);
	free(words);
	result->failures =
		xrealloc_array(result->failures, result->n_failures + 1, sizeof(*result->failures));
	result->failures[result->n_failures].line = doc_places_line(test->file->places, full);
	result->failures[result->n_failures++].text = buf_take(&text, NULL);
}

void deftest_result_release(struct deftest_result *result)
{
	size_t i;

	for (i = 0; i < result->n_failures; i++)
		free(result->failures[i].text);
	free(result->failures);
	json_decref(result->sagas);
	*result = (struct deftest_result){0};
}

int64_t deftest__duration(const json_t *value, int64_t fallback)
{
	struct err err;
	int64_t ms;

	if (!json_is_string(value) || duration_parse(json_string_value(value), &ms, &err) < 0)
		return fallback;
	return ms;
}

/* ---- places ---- */

static void add_step(const struct saga_state *state, int step, int item, struct buf *out)
{
	buf_add_str(out, state->def->steps[step].id);
	if (item >= 0)
		buf_printf(out, "[%d]", item);
}

void deftest__prefix(const struct sandbox_saga *saga, struct buf *out)
{
	if (!saga->parent)
		return;
	deftest__prefix(saga->parent, out);
	add_step(saga->parent->state, saga->parent_step, saga->parent_item, out);
	buf_add_str(out, saga->parent_side == SIDE_UNDO ? ".undo/" : "/");
}

char *deftest__place(const struct sandbox_saga *saga, int step, int item, const char *suffix)
{
	struct buf out;

	buf_init(&out, 0);
	deftest__prefix(saga, &out);
	add_step(saga->state, step, item, &out);
	buf_add_str(&out, suffix);
	return buf_take(&out, NULL);
}

/* The saga whose prefix this is; the youngest, for a step may start another one. */
static struct sandbox_saga *with_prefix(const struct deftest *test, const char *prefix, size_t len)
{
	size_t i;

	for (i = sandbox_n_sagas(test->sandbox); i-- > 0;) {
		struct sandbox_saga *saga = sandbox_saga(test->sandbox, i);
		CLEANUP(buf_release) struct buf own;

		buf_init(&own, 0);
		deftest__prefix(saga, &own);
		if (own.len == len && memcmp(buf_str(&own), prefix, len) == 0)
			return saga;
	}
	return NULL;
}

struct sandbox_saga *deftest__saga(const struct deftest *test, const char *place)
{
	CLEANUP(free_p) char *prefix = NULL;

	if (!place || !*place)
		return test->root;
	prefix = xasprintf("%s/", place);
	return with_prefix(test, prefix, strlen(prefix));
}

bool deftest__find(const struct deftest *test, const char *place, struct deftest_target *ret)
{
	const char *slash = strrchr(place, '/');
	const char *name = slash ? slash + 1 : place;
	size_t len = strcspn(name, "[.");
	CLEANUP(free_p) char *id = xstrndup(name, len);

	ret->saga = with_prefix(test, place, (size_t)(name - place));
	ret->item = -1;
	if (name[len] == '[')
		ret->item = (int)strtol(name + len + 1, NULL, 10);
	ret->undo = strstr(name + len, ".undo") != NULL;
	ret->step = ret->saga ? saga_def_step(ret->saga->state->def, id) : -1;
	return ret->step >= 0;
}

/* ---- what is seen ---- */

struct seen *deftest__see(struct seen_list *list)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 16;
		list->list = xrealloc_array(list->list, list->cap, sizeof(*list->list));
	}
	list->list[list->n] = (struct seen){0};
	return &list->list[list->n++];
}

void deftest__forget(struct seen_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		struct seen *seen = &list->list[i];

		free(seen->place);
		free(seen->text);
		free(seen->key);
		free(seen->record_key);
		json_decref(seen->body);
		json_decref(seen->headers);
	}
	free(list->list);
	*list = (struct seen_list){0};
}

static void emitted(void *ctx, struct sandbox_saga *saga, const struct emission *emission)
{
	struct deftest *test = ctx;
	const struct request *request = emission->request;
	struct seen *seen = deftest__see(&test->emits);

	seen->place = deftest__place(saga, emission->step, emission->item,
								 emission->side == SIDE_UNDO ? ".undo" : "");
	seen->text = xasprintf("%s %s", request->type, request->topic);
	deftest__describe(request, saga, seen);
	seen->at = sandbox_now(test->sandbox);
}

static void note_undone(struct deftest *test, struct sandbox_saga *saga, const struct event *event)
{
	struct seen *seen;

	if (event->type != EV_COMPENSATION_COMPLETED)
		return;
	seen = deftest__see(&test->undone);
	seen->place = deftest__place(saga, event->step, event->item, "");
	seen->text = xstrdup(seen->place);
	seen->at = sandbox_now(test->sandbox);
}

static void decided(void *ctx, struct sandbox_saga *saga, const struct event *events, size_t n)
{
	struct deftest *test = ctx;
	size_t i;

	for (i = 0; i < n; i++)
		note_undone(test, saga, &events[i]);
	/* The start of the root is decided before it is known to be the root. */
	if (!test->root && !saga->parent)
		test->root = saga;
	deftest__happened(test, saga, events, n);
	deftest__note_begun(test, saga, events, n);
}

/* ---- running ---- */

static json_t *input_of(const struct deftest *test)
{
	json_t *common = json_object_get(test->file->doc, "input");
	json_t *own = json_object_get(test->test, "input");
	json_t *input = common ? json_deep_copy(common) : json_object();

	if (!own)
		return input;
	if (json_is_object(own)) {
		json_object_update(input, own);
		return input;
	}
	json_decref(input);
	return json_deep_copy(own);
}

static const json_t *said(const struct deftest *test, const char *name)
{
	const json_t *own = json_object_get(test->test, name);

	return own ? own : json_object_get(test->file->doc, name);
}

static void go(struct deftest *test)
{
	CLEANUP(json_decref_p) json_t *input = input_of(test);
	struct saga_def *def = deftest__definition(test->file, test->test);
	wall_ms until = DEFTEST_STARTS_AT + deftest__duration(said(test, "until"), UNTIL_DEFAULT_MS);
	struct sandbox_saga *saga;
	struct err err;
	int i;

	if (sandbox_start(test->sandbox, def, json_string_value(said(test, "key")), input, &saga,
					  &err) < 0) {
		deftest__fail(test, "", "the saga does not start: %s", err.text);
		return;
	}
	for (i = 0; i < STEPS_MAX && !test->stop && sandbox_step(test->sandbox, until); i++)
		;
	if (i == STEPS_MAX)
		deftest__fail(test, "", "it does not come to an end; `until` says when to stop looking");
}

static json_t *saga_json(const struct sandbox_saga *saga)
{
	json_t *rows = json_array();
	struct buf prefix;
	json_t *json;
	size_t i;

	buf_init(&prefix, 0);
	deftest__prefix(saga, &prefix);
	for (i = 0; i < saga->n_rows; i++) {
		json_t *events = json_loads(saga->rows[i].events, JSON_DECODE_ANY, NULL);

		json_array_append_new(rows, json_pack("{s:I, s:I, s:o}", "seq", (json_int_t)i + 1, "at_ms",
											  (json_int_t)(saga->rows[i].at - DEFTEST_STARTS_AT),
											  "events", events));
	}
	json = json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", saga->id, "saga", saga->state->def->name,
					 "place", buf_str(&prefix), "status", saga_status_text(saga->state->status),
					 "history", rows);
	buf_release(&prefix);
	return json;
}

static void keep_histories(struct deftest *test)
{
	size_t i;

	test->result->sagas = json_array();
	for (i = 0; i < sandbox_n_sagas(test->sandbox); i++)
		json_array_append_new(test->result->sagas, saga_json(sandbox_saga(test->sandbox, i)));
}

static void surround(struct saga_def *def, void *around)
{
	def->around = around;
}

void deftest__run(struct deftest *test, void (*look)(struct deftest *test, void *ctx), void *ctx)
{
	struct sandbox_hooks hooks = {.call = deftest__call,
								  .emitted = emitted,
								  .task = deftest__task,
								  .decided = decided,
								  .ctx = test};
	const struct deftest_file *file = test->file;
	size_t i;

	*test->result = (struct deftest_result){.passed = true};
	test->test = json_array_get(json_object_get(file->doc, "tests"), test->index);
	test->used = json_object();
	test->sandbox = sandbox_new(&hooks, DEFTEST_STARTS_AT);
	for (i = 0; i < file->n_defs; i++) {
		saga_def_walk(file->defs[i], surround, (void *)&file->around);
		sandbox_define(test->sandbox, file->defs[i]);
	}
	deftest__plan(test);
	go(test);
	if (test->root && look)
		look(test, ctx);
	test->result->n_calls = test->calls.n;
	test->result->virtual_ms = sandbox_now(test->sandbox) - DEFTEST_STARTS_AT;
	sandbox_free(test->sandbox);
	deftest__planned_free(test);
	deftest__forget(&test->calls);
	deftest__forget(&test->emits);
	deftest__forget(&test->undone);
	json_decref(test->used);
}

static void look_at_all(struct deftest *test, void *ctx)
{
	(void)ctx;
	deftest__expect(test);
	keep_histories(test);
}

void deftest_run(const struct deftest_file *file, size_t index, struct deftest_result *result)
{
	struct deftest test = {.file = file, .index = index, .result = result};

	deftest__run(&test, look_at_all, NULL);
}
