/*
 * Whether there is what a test speaks of: places with their endings (`.undo`, `.probe`, `/step` of
 * a child), whether something can be answered there, and whether anything waits for a signal, an
 * event or a decision. What nothing would ever ask for is a mistake, and passes as a test.
 */
#include "coordinator/deftest_priv.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/suggest.h"

static const char *kind_text(enum action_kind kind)
{
	switch (kind) {
	case ACTION_HTTP:
		return "a call";
	case ACTION_COMMAND:
		return "a command";
	case ACTION_TASK:
		return "a task";
	case ACTION_SET:
		return "a `set`";
	case ACTION_FAIL:
		return "a `fail`";
	case ACTION_EMIT:
		return "an `emit`";
	case ACTION_AWAIT:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
		return "an `await`";
	case ACTION_LOCK:
		return "a lock";
	case ACTION_CONTINUE:
		return "a `continue_as_new`";
	case ACTION_APPROVAL:
		return "an approval";
	case ACTION_CHILD:
		return "a saga of its own";
	}
	return "";
}

/* What would be right instead of an answer. */
static const char *instead(enum action_kind kind)
{
	switch (kind) {
	case ACTION_AWAIT:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
		return "; what it waits for is sent by `meanwhile`";
	case ACTION_APPROVAL:
		return "; `meanwhile` has `approve` and `reject`";
	case ACTION_LOCK:
		return "; `hold` in `meanwhile` lets somebody else have it";
	case ACTION_CHILD:
		return "; its own steps are answered: `step/child-step`";
	case ACTION_HTTP:
	case ACTION_COMMAND:
	case ACTION_TASK:
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_EMIT:
	case ACTION_AWAIT_AFTER:
	case ACTION_CONTINUE:
		break;
	}
	return "";
}

static bool is_answered(enum action_kind kind)
{
	return kind == ACTION_HTTP || kind == ACTION_COMMAND || kind == ACTION_TASK;
}

/* The definition of a child; NULL: the file does not name it. */
static const struct saga_def *child_of(const struct deftest_file *file,
									   const struct action_def *act)
{
	size_t i;

	if (act->kind != ACTION_CHILD)
		return NULL;
	if (act->child.block)
		return act->child.block;
	for (i = file->n_defs; i-- > 0;)
		if (strcmp(file->defs[i]->name, act->child.saga) == 0)
			return file->defs[i];
	return NULL;
}

/* The index of the step that a text begins with; -1: there is none, which is said. */
static int find_step(struct deftest_file *file, const struct saga_def *def, const char *place,
					 size_t len, const char *pointer)
{
	struct suggest suggest;
	int i;

	suggest_init(&suggest, place, len);
	for (i = 0; i < def->n_steps; i++) {
		if (strlen(def->steps[i].id) == len && memcmp(def->steps[i].id, place, len) == 0)
			return i;
		suggest_offer(&suggest, def->steps[i].id);
	}
	if (suggest_best(&suggest))
		deftest__wrong(file, pointer, "%s has no step `%.*s`; did you mean `%s`?", def->name,
					   (int)len, place, suggest_best(&suggest));
	else
		deftest__wrong(file, pointer, "%s has no step `%.*s`", def->name, (int)len, place);
	return -1;
}

/* 0: the action itself, 1: its undo, 2: its probe, 3: the probe of its undo. -1: none of these. */
static int find_ending(struct deftest_file *file, const char *ending, size_t len,
					   const char *pointer)
{
	static const char *const endings[] = {"", ".undo", ".probe", ".undo.probe"};
	struct suggest suggest;
	size_t i;

	suggest_init(&suggest, ending, len);
	for (i = 0; i < ARRAY_SIZE(endings); i++) {
		if (strlen(endings[i]) == len && memcmp(endings[i], ending, len) == 0)
			return (int)i;
		if (i > 0)
			suggest_offer(&suggest, endings[i]);
	}
	deftest__wrong(file, pointer, "`%.*s` ends no place: .undo, .probe and .undo.probe do%s%s%s",
				   (int)len, ending, suggest_best(&suggest) ? "; did you mean `" : "",
				   suggest_best(&suggest) ? suggest_best(&suggest) : "",
				   suggest_best(&suggest) ? "`?" : "");
	return -1;
}

/* What is there at an ending; NULL: nothing, which is said. */
static const struct action_def *action_at(struct deftest_file *file, const struct step_def *step,
										  int ending, const char *pointer)
{
	const struct action_def *act = &step->act;

	if (ending & 1) {
		if (step->undo_kind != UNDO_ACTION) {
			deftest__wrong(file, pointer, "%s has no `compensate`, so nothing is called to undo it",
						   step->id);
			return NULL;
		}
		act = &step->undo;
	}
	if (!(ending & 2))
		return act;
	if (!act->probe) {
		deftest__wrong(file, pointer, "%s has no `probe`%s", step->id,
					   ending & 1 ? " in its `compensate`" : "");
		return NULL;
	}
	return &act->probe->act;
}

void deftest__check_place(struct deftest_file *file, const struct saga_def *def, const char *place,
						  bool replied, const char *pointer)
{
	size_t whole = strcspn(place, "/"), len = strcspn(place, "[./"), items;
	const struct action_def *act;
	const struct step_def *step;
	int index, ending;

	if (memchr(place, '*', whole) || memchr(place, '?', whole))
		return;
	index = find_step(file, def, place, len, pointer);
	if (index < 0)
		return;
	step = &def->steps[index];
	if (strchr(step->id, '~'))
		return; /* no step of the document: what it does is carried from a run to the next */
	items = place[len] == '[' ? strcspn(place + len, "]") + 1 : 0;
	if (len + items > whole) {
		deftest__wrong(file, pointer, "`%s`: the item has no closing ]", place);
		return;
	}
	if (items > 0 && !step->for_each && !step->repeat_until) {
		deftest__wrong(file, pointer, "%s has no items: it has no `for_each` and no `repeat`",
					   step->id);
		return;
	}
	ending = find_ending(file, place + len + items, whole - len - items, pointer);
	if (ending < 0 || (!replied && place[whole] == '\0'))
		return;
	act = action_at(file, step, ending, pointer);
	if (!act)
		return;
	if (place[whole] == '\0' && !is_answered(act->kind)) {
		deftest__wrong(file, pointer, "%s is %s, which nobody answers%s", place,
					   kind_text(act->kind), instead(act->kind));
	} else if (place[whole] == '/' && act->kind != ACTION_CHILD) {
		deftest__wrong(file, pointer, "%.*s is %s, and has no steps of its own", (int)whole, place,
					   kind_text(act->kind));
	} else if (place[whole] == '/') {
		const struct saga_def *child = child_of(file, act);

		if (child)
			deftest__check_place(file, child, place + whole + 1, replied, pointer);
	}
}

/* ---- what is sent ---- */

enum sent_kind { SENT_SIGNAL, SENT_WEBHOOK, SENT_KAFKA };

struct sent {
	enum sent_kind kind;
	const char *name;
	bool found;
	struct suggest suggest;
};

static void offer(struct sent *sent, const char *name)
{
	if (strcmp(name, sent->name) == 0)
		sent->found = true;
	suggest_offer(&sent->suggest, name);
}

static void offer_correlated(struct sent *sent, const struct correlate_def *on)
{
	if (sent->kind == (on->webhook ? SENT_WEBHOOK : SENT_KAFKA))
		offer(sent, on->topic);
}

static void offer_action(struct sent *sent, const struct action_def *act)
{
	size_t i;

	if (act->kind == ACTION_AWAIT_SIGNAL && sent->kind == SENT_SIGNAL)
		offer(sent, act->await_signal);
	if (act->kind == ACTION_AWAIT_KAFKA)
		offer_correlated(sent, &act->await_kafka);
	for (i = 0; act->kind == ACTION_AWAIT && i < act->await.n_waits; i++) {
		const struct wait_def *wait = &act->await.waits[i];

		if (wait->kind == WAIT_SIGNAL && sent->kind == SENT_SIGNAL)
			offer(sent, wait->signal);
		if (wait->kind == WAIT_KAFKA || wait->kind == WAIT_WEBHOOK)
			offer_correlated(sent, &wait->on);
	}
}

static void offer_all(struct saga_def *def, void *ctx)
{
	size_t j;
	int i;

	for (i = 0; i < def->n_steps; i++)
		offer_action(ctx, &def->steps[i].act);
	for (j = 0; j < def->n_cancel_on; j++)
		offer_correlated(ctx, &def->cancel_on[j]);
}

/* In any definition of the file, and in any block of it: whose step it is, its saga says. */
static void check_awaited(struct deftest_file *file, enum sent_kind kind, const char *name,
						  const char *pointer)
{
	static const char *const words[] = {"signal", "webhook", "topic"};
	struct sent sent = {.kind = kind, .name = name};
	size_t i;

	suggest_init(&sent.suggest, name, strlen(name));
	for (i = 0; i < file->n_defs; i++)
		saga_def_walk(file->defs[i], offer_all, &sent);
	if (sent.found)
		return;
	if (suggest_best(&sent.suggest))
		deftest__wrong(file, pointer, "no step awaits the %s `%s`; did you mean `%s`?", words[kind],
					   name, suggest_best(&sent.suggest));
	else
		deftest__wrong(file, pointer, "no step awaits the %s `%s`", words[kind], name);
}

/* Of a step of the saga itself; below it, the act says it when it is refused. */
static void check_decided(struct deftest_file *file, const struct saga_def *def,
						  const json_t *happening, const char *member, const char *pointer)
{
	const char *place = json_string_value(json_object_get(happening, member));
	CLEANUP(free_p) char *at = xasprintf("%s/%s", pointer, member);
	int step = place ? saga_def_step(def, place) : -1;

	if (step >= 0 && def->steps[step].act.kind != ACTION_APPROVAL)
		deftest__wrong(file, at, "%s is %s, and no approval", place,
					   kind_text(def->steps[step].act.kind));
}

void deftest__check_sent(struct deftest_file *file, const struct saga_def *def,
						 const json_t *happening, const char *pointer)
{
	static const struct {
		const char *member;
		enum sent_kind kind;
	} sent[] = {{"signal", SENT_SIGNAL}, {"webhook", SENT_WEBHOOK}, {"kafka", SENT_KAFKA}};
	size_t i;

	if (json_object_get(happening, "refused"))
		return;
	check_decided(file, def, happening, "approve", pointer);
	check_decided(file, def, happening, "reject", pointer);
	for (i = 0; i < ARRAY_SIZE(sent); i++) {
		CLEANUP(free_p) char *at = xasprintf("%s/%s", pointer, sent[i].member);
		const char *name = json_string_value(json_object_get(happening, sent[i].member));

		if (name)
			check_awaited(file, sent[i].kind, name, at);
	}
}
