/*
 * Other versions of the definitions, and sagas that are taken to them. A version differs in what
 * one step sends, or has a step more at the end, so it is known without replaying anything whether
 * it would have decided as the history says: unless the step has been scheduled in this run.
 */
#include <string.h>

#include "coordinator/migrate.h"
#include "sagas/json_text.h"
#include "tests/sim/sim.h"

#define LAST_STEP "last"

static void set(json_t *object, const char *name, json_t *value)
{
	CHECK(json_object_set_new(object, name, value) == 0);
}

/* A step that sends something, and how: {"http":…}, {"command":…} or {"emit":…}; NULL: none. */
static json_t *find_sender(struct rng *rng, const json_t *steps, const char **ret_id)
{
	static const char *const kinds[] = {"http", "command", "emit"};
	json_t *step, *found = NULL;
	int64_t n = 0;
	size_t i, k;

	json_array_foreach ((json_t *)steps, i, step) {
		for (k = 0; k < ARRAY_SIZE(kinds); k++) {
			json_t *action = json_object_get(step, kinds[k]);

			if (!action || rng_below(rng, ++n) != 0)
				continue;
			found = action;
			*ret_id = json_string_value(json_object_get(step, "id"));
		}
	}
	return found;
}

static bool continues(const json_t *steps)
{
	const json_t *last = json_array_get(steps, json_array_size(steps) - 1);

	return json_object_get(last, "continue_as_new") != NULL;
}

/* It needs all the others. */
static void add_last(json_t *steps)
{
	json_t *needs = json_array(), *step;
	size_t i;

	json_array_foreach (steps, i, step)
		json_array_append(needs, json_object_get(step, "id"));
	json_array_append_new(steps, json_pack("{s:s, s:o, s:{s:s}}", "id", LAST_STEP, "needs", needs,
										   "await", "after", "20s"));
}

void versions_deploy(struct sim *sim, const json_t *doc)
{
	CLEANUP(json_decref_p) json_t *other = json_deep_copy(doc);
	json_t *steps = json_object_get(other, "steps"), *action;
	struct rng *rng = &sim->rng_gen;
	const char *id = LAST_STEP;

	/* The clients here give examples what their schemas do not take. */
	if (json_object_get(doc, "input"))
		return;
	if (rng_percent(rng, 40) && !continues(steps)) {
		add_last(steps);
	} else {
		action = find_sender(rng, steps, &id);
		if (!action)
			return;
		set(action, "headers", json_pack("{s:s}", "x-version", "2"));
	}
	snprintf(sim->changed[sim->world.n_defs], sizeof(sim->changed[0]), "%s", id);
	world_deploy(&sim->world, other);
}

/* The other version of its definition; *ret_changed: the step in which they differ. */
static struct saga_def *other_of(const struct sim *sim, const struct oracle_saga *saga,
								 const char **ret_changed)
{
	const struct world *world = &sim->world;

	for (size_t i = 0; i < world->n_defs; i++) {
		if (!sim->changed[i][0] || strcmp(world->defs[i]->name, saga->def->name) != 0)
			continue;
		*ret_changed = sim->changed[i];
		return world->defs[i]->version == saga->def->version ? world->defs[i - 1] : world->defs[i];
	}
	return NULL;
}

/* The history of this run tells of an event of the step. */
static bool was_scheduled(const struct oracle_saga *saga, const char *step)
{
	bool scheduled = false;
	const json_t *entry;
	size_t i, len = strlen(step);

	json_array_foreach (saga->trail, i, entry) {
		const char *text = json_string_value(entry);

		if (strcmp(text, "SagaContinued") == 0)
			scheduled = false;
		if (strncmp(text, "StepScheduled ", 14) == 0 && strncmp(text + 14, step, len) == 0 &&
			(text[14 + len] == '\0' || text[14 + len] == '['))
			scheduled = true;
	}
	return scheduled;
}

/* A step that has begun stands at another place, as those of escalations behind a new one. */
static bool is_moved(const struct oracle_saga *saga, const struct saga_def *def)
{
	for (int i = 0; i < saga->def->n_steps; i++)
		if (saga->fold->steps[i].n_actions > 0 && saga_def_step(def, saga->def->steps[i].id) != i)
			return true;
	return false;
}

bool versions_differ(const struct sim *sim, const struct oracle_saga *saga)
{
	const char *changed;

	return other_of(sim, saga, &changed) != NULL;
}

void versions_fill(struct sim *sim, const struct oracle_saga *saga, struct act *act)
{
	const char *changed;
	struct saga_def *def = other_of(sim, saga, &changed);
	struct saga_view view = {.state = saga->fold, .seq = saga->seq};
	bool is_other;
	struct err err;
	int r;

	act->version = def->version;
	if (saga->ended)
		return;
	if (sim->world.inner->ops->saga_get(sim->world.truth, WORLD_NS, saga->id, &view.row, &err) < 0)
		sim_fail(sim, saga->id, err.text);
	r = migrate_check_def(sim->world.truth, &view, def, &err);
	saga_row_release(&view.row);
	act->replayed = r == 0;
	is_other = was_scheduled(saga, changed) || is_moved(saga, def);
	sim_trace(sim, "operator: %s may %sgo on by version %lld%s%s", saga->id + 24,
			  r == 0 ? "" : "not ", (long long)def->version, r == 0 ? "" : ": ",
			  r == 0 ? "" : err.text);
	if (r < 0 && r != ERR_CONFLICT)
		sim_fail(sim, saga->id, err.text);
	if (r == 0 && is_other)
		sim_fail(sim, saga->id, "S7 a version that would have decided otherwise is accepted");
	if (r < 0 && !is_other)
		sim_fail(sim, saga->id, "S7 a version that would have decided the same is refused");
	sim->options.coverage->migrations_refused += r < 0;
}
