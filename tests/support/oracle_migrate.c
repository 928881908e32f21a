/*
 * The oracle on migration: the saga goes on by another version of its definition. Its books move to
 * the steps of the same names, and its history has to fold by the other version, too.
 */
#include "tests/support/oracle.h"

#include <string.h>

#include "sagas/json_text.h"

static void move_books(struct oracle *oracle, struct oracle_saga *saga, struct saga_def *def)
{
	struct oracle_step *steps = xcalloc((size_t)def->n_steps, sizeof(*steps));
	int i, j;

	for (i = 0; i < saga->def->n_steps; i++) {
		struct oracle_step *from = &saga->steps[i];
		int to = saga_def_step(def, saga->def->steps[i].id);

		if (to >= 0) {
			steps[to] = *from;
			continue;
		}
		if (from->begun && from->n > 0)
			oracle_fail(oracle, saga->id, "S7 it goes on by a version that has no step %s",
						saga->def->steps[i].id);
		for (j = 0; j < from->n; j++)
			oracle_action_clear(saga, &from->actions[j]);
		free(from->actions);
	}
	free(saga->steps);
	saga->steps = steps;
}

static void fold_again(struct oracle *oracle, struct oracle_saga *saga, struct saga_def *def)
{
	struct saga_state *fold = saga_state_new(def, saga->id);
	const json_t *row;
	struct err err;
	size_t i;

	json_array_foreach (saga->rows, i, row) {
		if (saga_state_apply_row(fold, json_integer_value(json_array_get(saga->times, i)),
								 json_string_value(row), json_string_length(row), &err) < 0) {
			oracle_fail(oracle, saga->id, "S7 row %zu does not fold by version %lld: %s", i + 1,
						(long long)def->version, err.text);
			break;
		}
	}
	saga_state_free(saga->fold);
	saga->fold = fold;
}

/* The steps that have begun, for what is out is known by their places. */
static void check_places(struct oracle *oracle, struct oracle_saga *saga,
						 const struct saga_def *def)
{
	int i;

	for (i = 0; i < saga->def->n_steps; i++)
		if (saga->fold->steps[i].n_actions > 0 &&
			(i >= def->n_steps || strcmp(def->steps[i].id, saga->def->steps[i].id) != 0))
			oracle_fail(oracle, saga->id, "S7 step %s has begun, and is moved",
						saga->def->steps[i].id);
}

void oracle_migrated(struct oracle *oracle, struct oracle_saga *saga, int64_t version)
{
	struct saga_def *def = world_definition(oracle->world, saga->def->name, version);

	if (!def) {
		oracle_fail(oracle, saga->id, "S7 it goes on by version %lld, which there is not",
					(long long)version);
		return;
	}
	check_places(oracle, saga, def);
	move_books(oracle, saga, def);
	fold_again(oracle, saga, def);
	saga_def_unref(saga->def);
	saga->def = saga_def_ref(def);
}
