/*
 * Sagas that continue as new: what their runs made. It goes over with its compensation, or nothing
 * is to be undone of it any more, and it may only stand when that is what was wanted.
 */
#include <string.h>

#include "sagas/json_text.h"
#include "tests/sim/sim.h"

bool continued_is_past(const struct oracle_saga *saga, int step, int run)
{
	return step != saga->def->carried && saga->fold->run > 1 &&
		   (run > 1 ? run : 1) < saga->fold->step_run;
}

/* Its place in what is carried; -1: it is not. Those of earlier runs stand first, as they did. */
static int place_of(const struct saga_def *def, const json_t *value,
					const struct resource *resource)
{
	const json_t *carried = json_object_get(value, "carried"), *entry;
	int had = (int)json_integer_value(json_object_get(value, "had"));
	size_t i;

	if (resource->step == def->carried)
		return resource->item < (int)json_array_size(carried) ? resource->item : -1;
	json_array_foreach ((json_t *)carried, i, entry) {
		const json_t *item = json_object_get(entry, "item");

		if ((int)i >= had &&
			strcmp(json_string_value(json_object_get(entry, "step")),
				   def->steps[resource->step].id) == 0 &&
			(item ? (int)json_integer_value(item) : -1) == resource->item)
			return (int)i;
	}
	return -1;
}

static bool past_pivot(const struct oracle_saga *saga)
{
	return saga->pivot_closed || saga->def->recovery_forward ||
		   (saga->def->pivot >= 0 && saga->steps[saga->def->pivot].settled);
}

void continued_stored(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	const struct saga_def *def = saga->def;
	struct resource *resource;

	for (resource = sim->resources; resource; resource = resource->next) {
		int place;

		if (resource->old || strcmp(resource->saga_id, saga->id) != 0)
			continue;
		if (resource->step < def->n_forward && resource->step != def->carried &&
			!resource->by_hand && !resource->standing &&
			oracle_action(saga, resource->step, resource->item)->completed)
			sim_fail(sim, saga->id, "S12 a run that is over lacks an effect");
		place = place_of(def, jval_json(event->value), resource);
		if (place >= 0) {
			resource->step = def->carried;
			resource->item = place;
			continue;
		}
		resource->old = true;
		resource->excused = past_pivot(saga) ||
							(resource->step != def->carried &&
							 def->steps[resource->step].undo_kind != UNDO_ACTION) ||
							oracle_action(saga, resource->step, resource->item)->undo_skipped;
	}
}
