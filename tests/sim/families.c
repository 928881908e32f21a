/* What must hold between parents and children, while they run and at the end. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static struct oracle_saga *saga_of(struct sim *sim, const char *id)
{
	return id ? oracle_saga(&sim->oracle, id) : NULL;
}

static struct oracle_saga *parent_of(struct sim *sim, const struct oracle_saga *saga)
{
	return saga->fold->parent ? saga_of(sim, saga->fold->parent->saga_id) : NULL;
}

/* It is done, its parent knows it, and has not ended. */
static bool is_held(struct sim *sim, const struct oracle_saga *saga)
{
	const struct oracle_saga *parent = parent_of(sim, saga);
	int i, j;

	if (!saga->fold->held || !parent || parent->ended)
		return false;
	for (i = 0; i < parent->def->n_steps; i++) {
		for (j = 0; j < parent->fold->steps[i].n_actions; j++) {
			const struct action_state *action = &parent->fold->steps[i].actions[j];

			if (action->held && strcmp(action->run.child, saga->id) == 0)
				return action->comp == COMP_ARMED;
		}
	}
	return false;
}

static bool is_open(struct sim *sim, const char *id)
{
	const struct oracle_saga *child = saga_of(sim, id);

	return child && !child->ended && !child->fold->held;
}

/* Some child of it has not come to its end. */
static bool waits_for_child(struct sim *sim, const struct oracle_saga *saga)
{
	int i, j;

	for (i = 0; i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->fold->steps[i].n_actions; j++) {
			const struct action_state *action = &saga->fold->steps[i].actions[j];
			const char *undo = action->held ? action->run.child : action->undo.child;

			if (saga_exec_is_open(&action->run) && is_open(sim, action->run.child))
				return true;
			if (saga_exec_is_open(&action->undo) && is_open(sim, undo))
				return true;
		}
	}
	return false;
}

bool families_wait(struct sim *sim, const struct oracle_saga *saga)
{
	return !saga->fold->paused && saga_state_next_due(saga->fold) == 0 &&
		   saga_state_in_flight(saga->fold) == 0 &&
		   (is_held(sim, saga) || waits_for_child(sim, saga));
}

/* ---- what must hold after each commit ---- */

static void fail(struct sim *sim, const struct oracle_saga *saga, int step, const char *rule)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", rule, saga->def->steps[step].id);
	sim_fail(sim, saga->id, text);
}

static bool ended_as(const struct oracle_saga *saga, enum saga_status status)
{
	return saga->ended && (saga->end == status || saga->end == SAGA_TERMINATED);
}

/* S9: it is there, and knows whose it is. */
static const struct oracle_saga *child_of(struct sim *sim, const struct oracle_saga *saga, int step,
										  const char *id, enum side side)
{
	const struct oracle_saga *child = saga_of(sim, id);
	const struct saga_parent *parent = child ? child->fold->parent : NULL;

	if (!id)
		return NULL;
	if (!child)
		fail(sim, saga, step, "S9 a child that is not stored");
	/* What an earlier run did stands at another step. */
	if (!parent || strcmp(parent->saga_id, saga->id) != 0 || parent->side != side ||
		(step != saga->def->carried && strcmp(parent->step, saga->def->steps[step].id) != 0))
		fail(sim, saga, step, "S9 a child of another");
	return child;
}

/* S12, S13: what is held stays so until the parent says what becomes of it. */
static void check_held(struct sim *sim, const struct oracle_saga *saga, int step,
					   const struct action_state *action, const struct oracle_saga *child)
{
	bool stands = child->fold->held && !child->ended && !child->compensating;

	if (!child->seen[EV_SAGA_HELD])
		fail(sim, saga, step, "S12 said to be held, and is not");
	if (action->comp == COMP_ARMED && !saga->ended && !stands && child->end != SAGA_TERMINATED)
		fail(sim, saga, step, "S13 a held child ends before its parent says so");
	if (action->comp == COMP_ARMED && saga->ended && child->compensating)
		fail(sim, saga, step, "S12 a child of a saga that stands is undone");
	if (action->comp == COMP_DONE && !(child->ended && child->end == SAGA_COMPENSATED))
		fail(sim, saga, step, "S13 said to be undone before its child is");
}

static void check_action(struct sim *sim, const struct oracle_saga *saga, int step, int item)
{
	const struct action_state *action = &saga->fold->steps[step].actions[item];
	const struct oracle_saga *child = child_of(sim, saga, step, action->run.child, SIDE_DO);
	const struct oracle_saga *undo =
		action->held ? NULL : child_of(sim, saga, step, action->undo.child, SIDE_UNDO);
	bool over = saga->ended && saga->end != SAGA_TERMINATED;

	if (oracle_action((struct oracle_saga *)saga, step, item)->by_person)
		return;
	if (child && action->run.status == EXEC_DONE && !child->seen[EV_SAGA_HELD] &&
		!ended_as(child, SAGA_COMPLETED))
		fail(sim, saga, step, "S12 completed before its child has");
	if (child && action->run.status == EXEC_FAILED && !action->held &&
		strcmp(action->run.code, "output_error") != 0 && !ended_as(child, SAGA_COMPENSATED))
		fail(sim, saga, step, "S12 failed before its child is undone");
	if (child && action->held)
		check_held(sim, saga, step, action, child);
	if (undo && action->comp == COMP_DONE && !ended_as(undo, SAGA_COMPLETED))
		fail(sim, saga, step, "S13 undone before the child that undoes it has ended");
	if (over && ((child && !child->ended && !child->fold->held) || (undo && !undo->ended)))
		fail(sim, saga, step, "S12 ended before its child has");
	if (over && saga->end == SAGA_COMPENSATED && child && !child->ended)
		fail(sim, saga, step, "S12 compensated, and its child is held");
}

/* Which action of its parent knows it; NULL: none does. */
static const struct action_state *known_by(struct sim *sim, const struct oracle_saga *child,
										   int *ret_step, int *ret_item)
{
	const struct oracle_saga *parent = parent_of(sim, child);
	int i, j;

	for (i = 0; parent && i < parent->def->n_steps; i++) {
		for (j = 0; j < parent->fold->steps[i].n_actions; j++) {
			const struct action_state *action = &parent->fold->steps[i].actions[j];
			const char *id =
				child->fold->parent->side == SIDE_DO ? action->run.child : action->undo.child;

			if (!id || strcmp(id, child->id) != 0)
				continue;
			*ret_step = i;
			*ret_item = j;
			return action;
		}
	}
	return NULL;
}

/* S12: only who has ended lets go of what is held, or a person who said what became of it. */
static void check_release(struct sim *sim, const struct oracle_saga *child)
{
	struct oracle_saga *parent = parent_of(sim, child);
	const struct action_state *action;
	int step, item;

	if (!child->seen[EV_SAGA_HELD] || !child->ended || child->end != SAGA_COMPLETED)
		return;
	action = known_by(sim, child, &step, &item);
	/* Where a person said what became of it, the step may have begun anew since. */
	if (!action && parent && parent->seen[EV_ACT_TAKEN])
		return;
	if (!action)
		sim_fail(sim, child->id, "S12 released, and nobody knows it");
	if (!oracle_action(parent, step, item)->by_person &&
		!(parent->ended && parent->end != SAGA_COMPENSATED))
		sim_fail(sim, child->id, "S12 released before its parent has ended");
}

static void check_child(struct sim *sim, const struct oracle_saga *child)
{
	const struct saga_parent *parent = child->fold->parent;

	if (!parent) {
		if (child->seen[EV_SAGA_HELD])
			sim_fail(sim, child->id, "S12 held, and nobody's child");
		return;
	}
	if (child->seen[EV_SAGA_HELD] && !parent->hold)
		sim_fail(sim, child->id, "S12 held, and not told to be");
	if (child->fold->held && child->pivot_closed)
		sim_fail(sim, child->id, "S15 held past its pivot");
	check_release(sim, child);
}

void families_check(struct sim *sim)
{
	const struct oracle_saga *saga;
	int i, j;

	for (saga = sim->oracle.first; saga; saga = saga->next) {
		for (i = 0; i < saga->def->n_steps; i++)
			for (j = 0; j < saga->fold->steps[i].n_actions; j++)
				if (saga->fold->steps[i].actions[j].run.child ||
					saga->fold->steps[i].actions[j].undo.child)
					check_action(sim, saga, i, j);
		check_child(sim, saga);
	}
}

/* ---- at the end ---- */

/* S2: each start of a step gives one child, until a person has it tried again. */
static void judge_starts(struct sim *sim, const struct oracle_saga *child)
{
	const struct oracle_saga *other, *parent = parent_of(sim, child);

	if (!parent)
		sim_fail(sim, child->id, "S9 a child of nobody");
	for (other = child->next; other; other = other->next)
		if (other->fold->parent && !parent->seen[EV_ACT_TAKEN] &&
			!parent->seen[EV_STEP_ATTEMPT_FAILED] &&
			!parent->seen[EV_COMPENSATION_ATTEMPT_FAILED] &&
			strcmp(other->fold->parent->correlation, child->fold->parent->correlation) == 0)
			sim_fail(sim, child->id, "S2 a step has started two children");
}

void families_judge(struct sim *sim)
{
	const struct oracle_saga *saga, *root;
	int step, item;

	families_check(sim);
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		if (!saga->fold->parent)
			continue;
		judge_starts(sim, saga);
		for (root = saga; root->fold->parent; root = parent_of(sim, root))
			;
		/* What runs may wait for a person, when another has ended who waited for it. */
		if (root->ended && saga->fold->held && !saga->ended)
			sim_fail(sim, saga->id, "S12 left behind by a saga that has ended");
		/* Nobody will ever undo it, nor wants it. */
		if (saga->seen[EV_SAGA_HELD] && !known_by(sim, saga, &step, &item) &&
			!parent_of(sim, saga)->seen[EV_ACT_TAKEN] && !ended_as(saga, SAGA_COMPENSATED))
			sim_fail(sim, saga->id, "S12 nobody knows it, and it stands");
		sim->options.coverage->kids++;
		sim->options.coverage->kids_undone +=
			saga->seen[EV_SAGA_HELD] && saga->end == SAGA_COMPENSATED;
	}
}
