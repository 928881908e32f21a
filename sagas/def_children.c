#include "sagas/def_children.h"

#include <stdio.h>
#include <string.h>

struct children_check {
	bool (*has_pivot)(void *ctx, const char *saga);
	void *ctx;
	const struct doc_places *places;
	struct findings *findings;
	char pointer[256]; /* of the step that is looked at */
};

static void check_steps(struct children_check *check, const struct saga_def *def);

static void check_step(struct children_check *check, const struct step_def *step)
{
	const struct child_action *child = &step->act.child;

	/* What it says itself answers for all that is in it; behind the pivot nothing is undone. */
	if (step->act.kind != ACTION_CHILD || step->undo_kind != UNDO_NOT_NEEDED || step->pivot ||
		step->after_pivot)
		return;
	if (child->block)
		check_steps(check, child->block);
	else if (check->has_pivot(check->ctx, child->saga))
		findings_add(check->findings, FINDING_ERROR,
					 check->places ? doc_places_line(check->places, check->pointer) : 0,
					 check->pointer,
					 "step `%s` has no `compensate`: saga `%s` has a pivot, and what has passed it "
					 "cannot undo itself; before the pivot, say how it is undone, such as "
					 "compensate: {saga: ...}, or `compensate: none` on purpose",
					 step->id, child->saga);
}

/* The forward steps stand in the order of the document, and come first. */
static void check_steps(struct children_check *check, const struct saga_def *def)
{
	size_t len = strlen(check->pointer);

	if (def->recovery_forward)
		return;
	for (int i = 0; i < def->n_forward; i++) {
		if (i == def->carried)
			continue;
		snprintf(check->pointer + len, sizeof(check->pointer) - len, "/steps/%d", i);
		check_step(check, &def->steps[i]);
		check->pointer[len] = '\0';
	}
}

void def_children_check(const struct saga_def *def, bool (*has_pivot)(void *ctx, const char *saga),
						void *ctx, const struct doc_places *places, struct findings *findings)
{
	struct children_check check = {
		.has_pivot = has_pivot, .ctx = ctx, .places = places, .findings = findings};

	check_steps(&check, def);
}

/* Whether they are there. */

struct children_search {
	bool (*is_there)(void *ctx, const char *saga, struct err *err);
	void *ctx;
	const struct doc_places *places;
	struct findings *findings;
	char pointer[256];
};

static void search_steps(struct children_search *search, const struct saga_def *def);

static void search_action(struct children_search *search, const struct action_def *act)
{
	size_t len = strlen(search->pointer);
	struct err err;

	if (act->kind != ACTION_CHILD)
		return;
	if (act->child.block) {
		search_steps(search, act->child.block);
		return;
	}
	if (search->is_there(search->ctx, act->child.saga, &err))
		return;
	snprintf(search->pointer + len, sizeof(search->pointer) - len, "/saga");
	findings_add(search->findings, FINDING_WARNING,
				 search->places ? doc_places_line(search->places, search->pointer) : 0,
				 search->pointer,
				 "until saga `%s` is deployed, this step fails with `definition_not_found`: %s",
				 act->child.saga, err.text);
	search->pointer[len] = '\0';
}

static void search_steps(struct children_search *search, const struct saga_def *def)
{
	size_t len = strlen(search->pointer);

	for (int i = 0; i < def->n_listed; i++) {
		bool forward = i < def->n_forward;

		if (i == def->carried)
			continue;
		snprintf(search->pointer + len, sizeof(search->pointer) - len, "/%s/%d",
				 forward ? "steps" : "on_compensated", forward ? i : i - def->n_forward);
		search_action(search, &def->steps[i].act);
		if (def->steps[i].undo_kind == UNDO_ACTION) {
			size_t end = strlen(search->pointer);

			snprintf(search->pointer + end, sizeof(search->pointer) - end, "/compensate");
			search_action(search, &def->steps[i].undo);
		}
		search->pointer[len] = '\0';
	}
}

void def_children_find(const struct saga_def *def,
					   bool (*is_there)(void *ctx, const char *saga, struct err *err), void *ctx,
					   const struct doc_places *places, struct findings *findings)
{
	struct children_search search = {
		.is_there = is_there, .ctx = ctx, .places = places, .findings = findings};

	search_steps(&search, def);
}
