/*
 * `escalate` of a step, an undo or the saga. An entry that calls, emits or queues a task becomes a
 * step of its own behind those of the document: it has their keys, retries and answers, and sees
 * the names of the step that it watches, but nothing waits for it and its failure fails nothing.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"

struct escalate_read {
	struct escalate_def *entry;
	enum action action; /* ACT_NOT_SAID: none, or groups */
	bool approval;      /* people may have something to decide */
};

static void read_after(const struct node *at, void *to)
{
	read_limit(at, &((struct escalate_read *)to)->entry->after);
}

static struct action_def *action_of(struct escalate_read *read, enum action action)
{
	struct escalate_def *entry = read->entry;

	if (entry->act)
		return NULL; /* the second action, which is reported */
	read->action = action;
	entry->kind = ESCALATE_STEP;
	entry->act = xcalloc(1, sizeof(*entry->act));
	return entry->act;
}

static void read_entry_http(const struct node *at, void *to)
{
	struct action_def *act = action_of(to, ACT_HTTP);
	bool safe;

	if (!act)
		return;
	act->kind = ACTION_HTTP;
	read_http(at, &act->http, &safe);
}

static void read_entry_emit(const struct node *at, void *to)
{
	struct action_def *act = action_of(to, ACT_EMIT);

	if (!act)
		return;
	act->kind = ACTION_EMIT;
	read_emit(at, &act->emit);
}

static void read_entry_task(const struct node *at, void *to)
{
	struct action_def *act = action_of(to, ACT_TASK);

	if (!act)
		return;
	act->kind = ACTION_TASK;
	read_task(at, &act->task);
}

static void read_entry_groups(const struct node *at, void *to)
{
	struct escalate_read *read = to;

	if (!read->approval)
		find_at(at, FINDING_ERROR,
				"`groups` are for an `approval`: nobody else is asked to decide something; `emit` "
				"or `http` tell others");
	read->entry->kind = ESCALATE_GROUPS;
	read_tmpl(at, WANT_LIST, &read->entry->groups);
}

static void read_entry_with(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct escalate_read *)to)->entry->with);
}

static const struct key_rule entry_keys[] = {
	{"after", read_after},     {"http", read_entry_http},     {"emit", read_entry_emit},
	{"task", read_entry_task}, {"groups", read_entry_groups}, {"with", read_entry_with},
};

static void check_said(const struct node *at)
{
	static const char *const actions[] = {"http", "emit", "task", "groups"};
	struct node with = node_child(at, "with");
	int said = 0;

	for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
		said += json_object_get(at->value, actions[k]) != NULL;
	if (said > 1)
		find_at(at, FINDING_ERROR, "one entry of `escalate` does one thing; write two entries");
	if (with.value && !json_object_get(at->value, "task"))
		find_at(&with, FINDING_ERROR, "`with` is what a `task` is given, and there is none");
}

static void read_entry(const struct node *at, bool approval, struct escalate_def *entry)
{
	struct escalate_read read = {.entry = entry, .action = ACT_NOT_SAID, .approval = approval};
	const char *to = NULL;

	entry->after.ms = -1;
	entry->step = entry->carried_step = -1;
	if (!read_object(at, "escalate", entry_keys, ARRAY_SIZE(entry_keys), &read))
		return;
	need_key(at, "after", "how long to wait before it");
	check_said(at);
	if (!entry->act)
		return;
	if (read.action == ACT_HTTP)
		to = entry->act->http.to ? entry->act->http.to : "";
	else if (read.action == ACT_TASK)
		to = "";
	read_rules(at, to, entry->act, RULES_OF_STEP);
	if (read.action == ACT_TASK)
		finish_task(at, entry->act);
}

void read_escalate(const struct node *at, bool approval, struct escalate_list *list)
{
	if (!want_list(at, "[{after: 4h, groups: [sales-heads]}]"))
		return;
	if (json_array_size(at->value) > DEF_MAX_ESCALATE) {
		find_at(at, FINDING_ERROR, "`escalate` has more than %d entries", DEF_MAX_ESCALATE);
		return;
	}
	list->entries = xcalloc(json_array_size(at->value), sizeof(*list->entries));
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);

		read_entry(&item, approval, &list->entries[list->n++]);
	}
}

int escalate_steps(const struct escalate_list *list)
{
	int n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->entries[i].kind == ESCALATE_STEP;
	return n;
}

/* The step of an entry; its id cannot be one of the document, which has no `~` in its ids. */
static void make_step(struct saga_def *def, int index, int watches, bool undo, size_t entry,
					  struct escalate_def *from)
{
	struct step_def *step = &def->steps[index];

	*step = (struct step_def){
		.id = xasprintf("%s%s~escalate%zu", watches < 0 ? "" : def->steps[watches].id,
						undo ? "~undo" : "", entry + 1),
		.index = index,
		.ancestors = xcalloc(((size_t)def->n_steps + 63) / 64, sizeof(uint64_t)),
		.max_parallel = 1,
		.escalates = true,
		.watches = watches,
		.watches_undo = undo,
		.watches_items = watches >= 0 && step_def_has_items(&def->steps[watches]),
		.entry = (int)entry,
		.said_by = watches,
		.act = *from->act,
	};
	step->act.with = TAKE(from->with);
	free(TAKE(from->act));
	from->step = index;
}

/* The undo of a step is told of for each run that it was carried from, also if that of this run
 * was told of: so many actions as are carried, with keys of their own. */
static void make_carried_step(struct saga_def *def, int index, int of, struct escalate_def *from)
{
	const struct step_def *present = &def->steps[from->step];
	struct step_def *step = &def->steps[index];

	*step = *present;
	step->id = xasprintf("%s~carried", present->id);
	step->index = index;
	step->ancestors = xcalloc(((size_t)def->n_steps + 63) / 64, sizeof(uint64_t));
	step->watches = def->carried;
	step->watches_items = true;
	step->said_by = of;
	step->act_borrowed = true;
	from->carried_step = index;
}

static void make_carried_steps(struct saga_def *def, int *next)
{
	for (int i = 0; def->carried >= 0 && i < def->n_forward; i++) {
		struct escalate_list *list = &def->steps[i].undo.escalate;

		for (size_t k = 0; k < list->n; k++)
			if (list->entries[k].kind == ESCALATE_STEP)
				make_carried_step(def, (*next)++, i, &list->entries[k]);
	}
}

static void make_steps(struct saga_def *def, int *next, int watches, bool undo,
					   struct escalate_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->entries[i].kind == ESCALATE_STEP)
			make_step(def, (*next)++, watches, undo, i, &list->entries[i]);
}

void assemble_escalations(struct saga_def *def)
{
	int next = def->n_listed;

	for (int i = 0; i < def->n_listed; i++) {
		make_steps(def, &next, i, false, &def->steps[i].act.escalate);
		make_steps(def, &next, i, true, &def->steps[i].undo.escalate);
	}
	make_steps(def, &next, -1, false, &def->escalate);
	make_carried_steps(def, &next);
	CHECK(next == def->n_steps);
}
