/*
 * What the schema of test files cannot say: names of steps that the saga does not have, and
 * happenings that are none or several at once.
 */
#include "coordinator/deftest_priv.h"

#include <string.h>

void deftest__wrong(struct deftest_file *file, const char *pointer, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	findings_add(&file->findings, FINDING_ERROR, doc_places_line(file->places, pointer), pointer,
				 "%s", text);
}

static void check_member(struct deftest_file *file, const struct saga_def *def,
						 const json_t *object, const char *name, const char *base)
{
	const char *place = json_string_value(json_object_get(object, name));
	CLEANUP(free_p) char *pointer = xasprintf("%s/%s", base, name);

	if (place)
		deftest__check_place(file, def, place, false, pointer);
}

/* replied: they are answered, and not only looked at. */
static void check_keys(struct deftest_file *file, const struct saga_def *def, const json_t *object,
					   bool replied, const char *base)
{
	const char *place;
	json_t *value;

	json_object_foreach ((json_t *)object, place, value) {
		CLEANUP(buf_release) struct buf pointer;

		buf_init(&pointer, 0);
		buf_printf(&pointer, "%s/", base);
		json_write_pointer_key(place, &pointer);
		deftest__check_place(file, def, place, replied, buf_str(&pointer));
	}
}

static void check_replies(struct deftest_file *file, const struct saga_def *def,
						  const json_t *replies, const char *base)
{
	const json_t *entry;
	size_t i;

	if (json_is_object(replies))
		check_keys(file, def, replies, true, base);
	json_array_foreach (replies, i, entry) {
		CLEANUP(free_p) char *pointer = xasprintf("%s/%zu/step", base, i);
		const char *place = json_string_value(json_object_get(entry, "step"));

		if (place)
			deftest__check_place(file, def, place, true, pointer);
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
			deftest__check_place(file, def, text, false, pointer);
		check_member(file, def, entry, "step", pointer);
	}
}

/* What can stand beside what happens; a member that nothing would read is a mistake. */
static const struct {
	const char *kind, *members;
} happenings[] = {
	{"signal", " value by reason saga with refused "},
	{"cancel", " by saga with refused "},
	{"terminate", " by saga with refused "},
	{"pause", " by saga with refused "},
	{"resume", " by saga with refused "},
	{"approve", " by groups data reason with refused "},
	{"reject", " by groups data reason with refused "},
	{"act", " step by groups data value reason saga with refused "},
	{"kafka", " cluster data type key headers "},
	{"webhook", " data type headers "},
	{"callback", " data "},
	{"hold", " for "},
	{"restart", " saga "},
};

static void check_beside(struct deftest_file *file, const json_t *happening, const char *pointer,
						 size_t kind)
{
	static const char times[] = " at once after ";
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)happening, name, value) {
		CLEANUP(free_p) char *word = xasprintf(" %s ", name);
		CLEANUP(free_p) char *at = xasprintf("%s/%s", pointer, name);

		if (strcmp(name, happenings[kind].kind) != 0 && !strstr(times, word) &&
			!strstr(happenings[kind].members, word))
			deftest__wrong(file, at,
						   "`%s` means nothing beside `%s`; what does is: at once after%s", name,
						   happenings[kind].kind, happenings[kind].members);
	}
}

static void check_happening(struct deftest_file *file, const struct saga_def *def,
							const json_t *happening, const char *pointer)
{
	static const char *const places[] = {"once", "approve", "reject", "step", "callback", "saga"};
	size_t i, kind = 0, n = 0;

	for (i = 0; i < ARRAY_SIZE(happenings); i++) {
		if (!json_object_get(happening, happenings[i].kind))
			continue;
		kind = i;
		n++;
	}
	if (n != 1)
		deftest__wrong(
			file, pointer,
			"one of signal, cancel, terminate, pause, resume, approve, reject, act, kafka, "
			"webhook, callback, hold, restart must be given; here %s",
			n == 0 ? "is none" : "are several");
	if (json_object_get(happening, "at") && json_object_get(happening, "once"))
		deftest__wrong(file, pointer, "`at` and `once` say two times: `once` goes with `after`");
	for (i = 0; i < ARRAY_SIZE(places); i++)
		check_member(file, def, happening, places[i], pointer);
	if (n != 1)
		return;
	check_beside(file, happening, pointer, kind);
	deftest__check_sent(file, def, happening, pointer);
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
	check_keys(file, def, json_object_get(end, "steps"), false, pointer);
	snprintf(pointer, sizeof(pointer), "%s/end/outputs", base);
	check_keys(file, def, json_object_get(end, "outputs"), false, pointer);
	snprintf(pointer, sizeof(pointer), "%s/end/undo", base);
	check_keys(file, def, json_object_get(end, "undo"), false, pointer);
}
