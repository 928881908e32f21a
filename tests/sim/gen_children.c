/*
 * Definitions of families: steps of a definition that was made at random become blocks, or sagas of
 * another definition that is there already, so that none contains itself. Blocks stand in blocks.
 * What they hold comes from the step that they take the place of.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { CHILDREN_A_DEFINITION = 2, BLOCKS_DEEP = 3 };

struct weave {
	struct rng *rng;
	const struct world *world;
	bool has_child; /* of the definition: so it is no leaf */
};

static void set(json_t *to, const char *name, json_t *value)
{
	json_object_set_new(to, name, value);
}

static void move(json_t *from, json_t *to, const char *name)
{
	json_t *value = json_object_get(from, name);

	if (!value)
		return;
	json_object_set(to, name, value);
	json_object_del(from, name);
}

/* Steps that stand for themselves: nothing else names what is in them. */
static bool may_be_inside(const json_t *step)
{
	static const char *const kinds[] = {"http", "command", "task", "emit",
										"set",  "fail",    "lock", "approval"};
	size_t i;

	if (json_object_get(json_object_get(step, "lock"), "release_after"))
		return false;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (json_object_get(step, kinds[i]))
			return true;
	return json_object_get(json_object_get(step, "await"), "after") != NULL;
}

static bool has_children(const struct saga_def *def)
{
	int i;

	for (i = 0; i < def->n_steps; i++)
		if (def->steps[i].act.kind == ACTION_CHILD || def->steps[i].undo.kind == ACTION_CHILD ||
			def->steps[i].act.kind == ACTION_CONTINUE)
			return true;
	return false;
}

/* One that was made before; of many are only such as have no children. NULL: there is none. */
static const struct saga_def *pick(const struct weave *weave, bool leaf)
{
	const struct world *world = weave->world;
	const struct saga_def *def;

	if (world->n_defs == 0)
		return NULL;
	def = world->defs[rng_below(weave->rng, (int64_t)world->n_defs)];
	return def->carried >= 0 || (leaf && has_children(def)) ? NULL : def;
}

static json_t *saga_of(const struct saga_def *def)
{
	return json_pack("{s:s, s:s}", "saga", def->name, "with", "${input}");
}

static void add_limit(const struct weave *weave, json_t *step)
{
	static const char *const limits[] = {"2s", "20s", "2m", "20m"};

	if (rng_percent(weave->rng, 30))
		set(step, rng_percent(weave->rng, 50) ? "timeout" : "deadline",
			json_string(RNG_PICK(weave->rng, limits)));
}

/* Where nothing may fail, what fails each time is parked, for a person. */
static void add_retry(json_t *step, bool must)
{
	if (must)
		set(step, "retry",
			json_pack("{s:s, s:i}", "initial_interval", "1s", "maximum_attempts", 2));
}

/* Another saga undoes it, or nothing does. */
static void add_undo(const struct weave *weave, json_t *step, bool must, bool closed)
{
	const struct saga_def *def = pick(weave, true);

	if (closed || json_object_get(step, "pivot") || (!must && !rng_percent(weave->rng, 20)))
		return;
	if (def && rng_percent(weave->rng, 70))
		set(step, "compensate", saga_of(def));
	else
		set(step, "compensate", json_string("none"));
}

static json_t *make_step(const json_t *step, const char *id)
{
	json_t *made = json_object();

	set(made, "id", json_string(id));
	json_object_update(made, (json_t *)step);
	return made;
}

/* The step is another saga; false: there is none that suits. */
static bool become_child(const struct weave *weave, json_t *step, bool closed)
{
	bool many = json_object_get(step, "for_each") || json_object_get(step, "repeat");
	const struct saga_def *def = pick(weave, many);
	json_t *made;

	if (!def)
		return false;
	made = saga_of(def);
	move(step, made, "id");
	move(step, made, "needs");
	move(step, made, "when");
	move(step, made, "pivot");
	move(step, made, "for_each");
	move(step, made, "max_parallel");
	move(step, made, "repeat");
	move(step, made, "tolerate");
	add_limit(weave, made);
	add_retry(made, closed || json_object_get(made, "pivot"));
	/* What cannot undo itself has to be undone by its parent. */
	add_undo(weave, made, def->pivot >= 0 || def->recovery_forward, closed);
	json_object_clear(step);
	json_object_update(step, made);
	json_decref(made);
	return true;
}

/* No id may be that of a step around it. */
static const char *const inside[] = {"", "b1", "b2", "b3"}, *const beside[] = {"", "c1", "c2",
																			   "c3"};
static const char *const inside_status[] = {"", "${steps.b1.status}", "${steps.b2.status}",
											"${steps.b3.status}"};

/* What comes before or after it in the block. */
static void add_beside(const struct weave *weave, json_t *steps, bool closed, int deep)
{
	const struct saga_def *def = rng_percent(weave->rng, 25) ? pick(weave, true) : NULL;
	json_t *step = gen_block_step(weave->rng, closed);

	if (def && !(def->pivot >= 0 || def->recovery_forward)) {
		json_decref(step);
		step = saga_of(def);
		add_retry(step, closed);
	} else if (!closed && rng_percent(weave->rng, 15)) {
		json_decref(step);
		step = json_pack("{s:{s:s}}", "fail", "code", "soft");
	}
	json_array_append_new(steps, make_step(step, beside[deep]));
	json_decref(step);
}

static void become_block(const struct weave *weave, json_t *step, bool closed, int deep)
{
	json_t *steps = json_array(), *made = json_object(), *inner;

	move(step, made, "id");
	move(step, made, "needs");
	move(step, made, "when");
	move(step, made, "pivot");
	move(step, made, "for_each");
	move(step, made, "max_parallel");
	move(step, made, "repeat");
	if (rng_percent(weave->rng, 50))
		move(step, made, "tolerate");
	/* Its words are about the saga around it, and about steps that are not seen from here. */
	json_object_del(step, "idempotency_key");
	inner = make_step(step, inside[deep]);
	json_array_append_new(steps, inner);
	if (rng_percent(weave->rng, 60))
		add_beside(weave, steps, closed, deep);
	if (deep < BLOCKS_DEEP && rng_percent(weave->rng, 30))
		become_block(weave, inner, closed, deep + 1);
	set(made, "steps", steps);
	add_limit(weave, made);
	add_undo(weave, made, false, closed);
	if (rng_percent(weave->rng, 30))
		set(made, "output", json_pack("{s:s}", "first", inside_status[deep]));
	json_object_clear(step);
	json_object_update(step, made);
	json_decref(made);
}

/* The steps behind the pivot cannot fail. */
static size_t pivot_of(json_t *steps)
{
	json_t *step;
	size_t i;

	json_array_foreach (steps, i, step)
		if (json_object_get(step, "pivot"))
			return i;
	return json_array_size(steps);
}

void gen_children(struct rng *rng, const struct world *world, json_t *doc)
{
	struct weave weave = {.rng = rng, .world = world};
	json_t *steps = json_object_get(doc, "steps"), *step;
	bool forward = json_object_get(doc, "recovery") != NULL;
	size_t i, pivot = pivot_of(steps);
	int made = 0;

	/* The examples are as they are. */
	if (json_string_value(json_object_get(doc, "saga"))[0] != 'g' || !rng_percent(rng, 45))
		return;
	json_array_foreach (steps, i, step)
		if (json_object_get(step, "continue_as_new"))
			return;
	json_array_foreach (steps, i, step) {
		bool closed = forward || i > pivot;

		if (made == CHILDREN_A_DEFINITION || !may_be_inside(step) || !rng_percent(rng, 45))
			continue;
		if (!rng_percent(rng, 40) || !become_child(&weave, step, closed))
			become_block(&weave, step, closed, 1);
		made++;
	}
}
