/*
 * Which schedules there are: the entries of the current version of each definition, with their
 * rows.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/tzfile.h"
#include "coordinator/log.h"
#include "coordinator/registry.h"
#include "coordinator/schedules_priv.h"

static int compare(const char *ns_a, const char *name_a, const char *ns_b, const char *name_b)
{
	int c = strcmp(ns_a, ns_b);

	return c ? c : strcmp(name_a, name_b);
}

static struct scheduled_version *version_of(struct schedules *schedules, const char *ns,
											const char *name)
{
	struct scheduled_version *at;
	size_t low = 0, high = schedules->n_versions;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = compare(schedules->versions[mid].ns, schedules->versions[mid].name, ns, name);

		if (c == 0)
			return &schedules->versions[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (schedules->n_versions == schedules->cap_versions) {
		schedules->cap_versions = schedules->cap_versions ? 2 * schedules->cap_versions : 64;
		schedules->versions =
			xrealloc_array(schedules->versions, schedules->cap_versions, sizeof(*at));
	}
	at = &schedules->versions[low];
	memmove(at + 1, at, (schedules->n_versions++ - low) * sizeof(*at));
	*at = (struct scheduled_version){.ns = xstrdup(ns), .name = xstrdup(name)};
	return at;
}

static int note_definition(void *ctx, const struct definition_row *row)
{
	struct scheduled_version *at = version_of(ctx, row->ns, row->name);

	at->seen = true;
	at->newest = row->version;
	return 0;
}

static int note_routing(void *ctx, const struct routing_row *row)
{
	struct scheduled_version *at = version_of(ctx, row->ns, row->name);

	at->current = row->current;
	at->paused = row->paused;
	return 0;
}

/* Entries. */

static void release(struct scheduled *at)
{
	free(at->ns);
	free(at->name);
	saga_def_unref(at->def);
	tz_free(at->tz);
	schedule_row_release(&at->row);
	*at = (struct scheduled){0};
}

static void remove_entries(struct schedules *schedules, const struct scheduled_version *version)
{
	size_t n = 0;

	for (size_t i = 0; i < schedules->n; i++) {
		struct scheduled *at = &schedules->list[i];

		if (at->def == version->def)
			release(at);
		else
			schedules->list[n++] = *at;
	}
	schedules->n = n;
}

static void add_entry(struct schedules *schedules, const struct scheduled_version *version,
					  const struct schedule_def *schedule)
{
	struct scheduled *at;
	struct err err;

	if (schedules->n == schedules->cap) {
		schedules->cap = schedules->cap ? 2 * schedules->cap : 16;
		schedules->list = xrealloc_array(schedules->list, schedules->cap, sizeof(*at));
	}
	at = &schedules->list[schedules->n++];
	*at = (struct scheduled){
		.ns = xstrdup(version->ns),
		.name = xasprintf("%s/%s", version->name, schedule->name),
		.def = saga_def_ref(version->def),
		.schedule = schedule,
	};
	if (tzfile_read(schedule->time_zone, &at->tz, &err) < 0)
		log_error("schedules", NULL, "schedule %s of namespace %s does not run: %s", at->name,
				  at->ns, err.text);
}

/* A definition that cannot be loaded has no schedules until there is another version. */
static int load(struct schedules *schedules, struct scheduled_version *at, struct err *err)
{
	int64_t version = at->current ? at->current : at->newest;
	struct saga_def *def = NULL;
	int r;

	if (at->loaded == version)
		return 0;
	r = registry_get(schedules->options.registry, at->ns, at->name, version, &def, err);
	if (r < 0 && r != ERR_INVALID && r != ERR_NOT_BUILT && r != ERR_NOT_FOUND)
		return r;
	if (at->def)
		remove_entries(schedules, at);
	saga_def_unref(TAKE(at->def));
	at->loaded = version;
	if (r == 0 && def->n_schedules > 0) {
		at->def = saga_def_ref(def);
		for (size_t i = 0; i < def->n_schedules; i++)
			add_entry(schedules, at, &def->schedules[i]);
	}
	saga_def_unref(def);
	return 0;
}

/* Rows. */

static void take_row(struct scheduled *at, const struct schedule_row *row)
{
	struct err err;

	if (row->revision == at->row.revision)
		return;
	schedule_row_release(&at->row);
	schedule_row_copy(row, &at->row);
	at->look_at = 0;
	if (schedule_state_read(row->state, &at->state, &err) < 0) {
		log_error("schedules", NULL, "the row of schedule %s is damaged, it begins anew: %s",
				  at->name, err.text);
		at->state = (struct schedule_state){0};
	}
}

static int note_row(void *ctx, const struct schedule_row *row)
{
	struct schedules *schedules = ctx;

	for (size_t i = 0; i < schedules->n; i++)
		if (compare(schedules->list[i].ns, schedules->list[i].name, row->ns, row->name) == 0)
			take_row(&schedules->list[i], row);
	return 0;
}

int schedules__read(struct schedules *schedules, struct err *err)
{
	const struct store_ops *ops = schedules->options.store->ops;
	int r;

	for (size_t i = 0; i < schedules->n_versions; i++)
		schedules->versions[i].seen = false;
	r = ops->definition_list(schedules->reader, NULL, NULL, note_definition, schedules, err);
	if (r == 0)
		r = ops->routing_list(schedules->reader, NULL, NULL, note_routing, schedules, err);
	for (size_t i = 0; r == 0 && i < schedules->n_versions; i++)
		if (schedules->versions[i].seen)
			r = load(schedules, &schedules->versions[i], err);
	for (size_t i = 0; r == 0 && i < schedules->n; i++) {
		struct scheduled *at = &schedules->list[i];

		for (size_t k = 0; k < schedules->n_versions; k++)
			if (schedules->versions[k].def == at->def &&
				at->held != schedules->versions[k].paused) {
				at->held = schedules->versions[k].paused;
				at->look_at = 0;
			}
	}
	return r == 0 ? ops->schedule_list(schedules->reader, NULL, NULL, note_row, schedules, err) : r;
}

void schedules__forget(struct schedules *schedules)
{
	for (size_t i = 0; i < schedules->n; i++)
		release(&schedules->list[i]);
	for (size_t i = 0; i < schedules->n_versions; i++) {
		saga_def_unref(schedules->versions[i].def);
		free(schedules->versions[i].ns);
		free(schedules->versions[i].name);
	}
	schedules->n = schedules->n_versions = 0;
}
