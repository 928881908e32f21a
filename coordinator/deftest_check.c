/*
 * What the schema of test files cannot say: names of steps that the saga does not have, and
 * happenings that are none or several at once.
 */
#include "coordinator/deftest_priv.h"

#include <string.h>

#include "sagas/base/suggest.h"

static void wrong(struct deftest_file *file, const char *pointer, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void wrong(struct deftest_file *file, const char *pointer, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	findings_add(&file->findings, FINDING_ERROR, doc_places_line(file->places, pointer), pointer,
				 "%s", text);
}

/* The first step that a place names; what comes below it belongs to other definitions. */
static void check_place(struct deftest_file *file, const struct saga_def *def, const char *place,
						const char *pointer)
{
	size_t len = strcspn(place, "[./");
	struct suggest suggest;
	int i;

	if (memchr(place, '*', len) || memchr(place, '?', len))
		return;
	suggest_init(&suggest, place, len);
	for (i = 0; i < def->n_steps; i++) {
		if (strlen(def->steps[i].id) == len && memcmp(def->steps[i].id, place, len) == 0)
			return;
		suggest_offer(&suggest, def->steps[i].id);
	}
	if (suggest_best(&suggest))
		wrong(file, pointer, "%s has no step `%.*s`; did you mean `%s`?", def->name, (int)len,
			  place, suggest_best(&suggest));
	else
		wrong(file, pointer, "%s has no step `%.*s`", def->name, (int)len, place);
}

static void check_member(struct deftest_file *file, const struct saga_def *def,
						 const json_t *object, const char *name, const char *base)
{
	const char *place = json_string_value(json_object_get(object, name));
	CLEANUP(free_p) char *pointer = xasprintf("%s/%s", base, name);

	if (place)
		check_place(file, def, place, pointer);
}

static void check_keys(struct deftest_file *file, const struct saga_def *def, const json_t *object,
					   const char *base)
{
	const char *place;
	json_t *value;

	json_object_foreach ((json_t *)object, place, value) {
		CLEANUP(buf_release) struct buf pointer;

		buf_init(&pointer, 0);
		buf_printf(&pointer, "%s/", base);
		json_write_pointer_key(place, &pointer);
		check_place(file, def, place, buf_str(&pointer));
	}
}

static void check_replies(struct deftest_file *file, const struct saga_def *def,
						  const json_t *replies, const char *base)
{
	const json_t *entry;
	size_t i;

	if (json_is_object(replies))
		check_keys(file, def, replies, base);
	json_array_foreach (replies, i, entry) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%zu", base, i);

		check_member(file, def, entry, "step", pointer);
	}
}

/* A line of calls: a place, unless it has a blank. */
static void check_calls(struct deftest_file *file, const struct saga_def *def, const json_t *calls,
						const char *base)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (calls, i, entry) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%zu", base, i);
		const char *text = json_string_value(entry);

		if (text && !strchr(text, ' '))
			check_place(file, def, text, pointer);
		check_member(file, def, entry, "step", pointer);
	}
}

static void check_happening(struct deftest_file *file, const struct saga_def *def,
							const json_t *happening, const char *pointer)
{
	static const char *const kinds[] = {"signal",   "cancel",  "terminate", "pause", "resume",
										"approve",  "reject",  "act",       "kafka", "webhook",
										"callback", "restart", "hold"};
	static const char *const places[] = {"once", "approve", "reject", "step", "callback", "saga"};
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		n += json_object_get(happening, kinds[i]) != NULL;
	if (n != 1)
		wrong(file, pointer,
			  "one of signal, cancel, terminate, pause, resume, approve, reject, act, kafka, "
			  "webhook, callback, hold, restart must be given; here %s",
			  n == 0 ? "is none" : "are several");
	if (json_object_get(happening, "at") && json_object_get(happening, "once"))
		wrong(file, pointer, "`at` and `once` say two times: `once` goes with `after`");
	for (i = 0; i < ARRAY_SIZE(places); i++)
		check_member(file, def, happening, places[i], pointer);
}

void deftest__check(struct deftest_file *file, size_t index)
{
	static const char *const calls[] = {"calls", "calls_include", "no_calls", "emits", "undone"};
	const json_t *test = json_array_get(json_object_get(file->doc, "tests"), index);
	const struct saga_def *def = deftest__definition(file, test);
	const json_t *end = json_object_get(test, "end"), *entry;
	char base[48], pointer[128];
	size_t i;

	snprintf(base, sizeof(base), "/tests/%zu", index);
	if (index == 0)
		check_replies(file, def, json_object_get(file->doc, "replies"), "/replies");
	snprintf(pointer, sizeof(pointer), "%s/replies", base);
	check_replies(file, def, json_object_get(test, "replies"), pointer);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		snprintf(pointer, sizeof(pointer), "%s/%s", base, calls[i]);
		check_calls(file, def, json_object_get(test, calls[i]), pointer);
	}
	json_array_foreach (json_object_get(test, "meanwhile"), i, entry) {
		snprintf(pointer, sizeof(pointer), "%s/meanwhile/%zu", base, i);
		check_happening(file, def, entry, pointer);
	}
	snprintf(pointer, sizeof(pointer), "%s/end/steps", base);
	check_keys(file, def, json_object_get(end, "steps"), pointer);
	snprintf(pointer, sizeof(pointer), "%s/end/outputs", base);
	check_keys(file, def, json_object_get(end, "outputs"), pointer);
	snprintf(pointer, sizeof(pointer), "%s/end/undo", base);
	check_keys(file, def, json_object_get(end, "undo"), pointer);
}
