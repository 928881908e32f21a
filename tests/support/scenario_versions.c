/*
 * Which version of a definition starts a saga, whether one may go on by another, and what sagas are
 * found by: as the server has it, by its registry over the world's store.
 */
#include <string.h>

#include "connectors/store_versions.h"
#include "coordinator/api_query.h"
#include "coordinator/migrate.h"
#include "sagas/json_text.h"
#include "tests/support/scenario.h"

struct saga_def *scenario_route(struct scenario *s, const char *name, const char *identity,
								struct err *err)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;

	if (registry_start(s->registry, WORLD_NS, name, identity, &def, err) < 0)
		return NULL;
	/* As the world has compiled it. */
	return world_definition(&s->world, name, def->version);
}

static int take_revision(void *ctx, const struct routing_row *row)
{
	*(int64_t *)ctx = row->revision;
	return 0;
}

void scenario_set_route(struct scenario *s, const json_t *route)
{
	const struct store_ops *ops = s->world.inner->ops;
	const char *name = scenario_text(route, "saga");
	struct routing_row row = {
		.ns = WORLD_NS,
		.name = name ? name : s->world.defs[0]->name,
		.current = json_integer_value(json_object_get(route, "current")),
		.canary = json_integer_value(json_object_get(route, "canary")),
		.percent = (int)json_integer_value(json_object_get(route, "percent")),
		.reason = scenario_text(route, "paused"),
		.updated_at = s->world.now,
	};
	struct err err;

	row.paused = row.reason != NULL;
	if (ops->routing_list(s->world.truth, WORLD_NS, row.name, take_revision, &row.revision, &err) <
			0 ||
		ops->routing_put(s->world.inner, &row, &err) < 0)
		scenario_fail(s, "the route cannot be written: %s", err.text);
	registry_route_changed(s->registry);
}

bool scenario_may_migrate(struct scenario *s, const char *id, struct act *act)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	struct err err;
	int r = saga_view_read(s->world.truth, s->registry, WORLD_NS, id, 0, &view, &err);

	if (r == 0)
		r = migrate_check(s->world.truth, s->registry, &view, act, &err);
	if (r < 0)
		scenario_answer(s, err.text);
	return r == 0;
}

/* Finding. */

struct found {
	struct scenario *s;
	json_t *numbers;
};

static int note_found(void *ctx, const struct saga_row *row)
{
	struct found *found = ctx;
	const struct oracle_saga *saga;

	for (size_t i = 0; (saga = scenario_saga(found->s, i)); i++)
		if (strcmp(saga->id, row->id) == 0)
			json_array_append_new(found->numbers, json_integer((json_int_t)i));
	return 0;
}

static void expect_found(struct scenario *s, const char *text, const json_t *expected)
{
	CLEANUP(json_decref_p) json_t *numbers = json_array();
	CLEANUP(free_p) char *got = NULL;
	struct found found = {s, numbers};
	struct saga_query query;
	struct err err;

	saga_query_init(&query, WORLD_NS);
	query.filter.oldest_first = true;
	query.filter.limit = 1000;
	if (saga_query_parse(&query, text, &err) < 0 ||
		s->world.inner->ops->list(s->world.truth, &query.filter, note_found, &found, &err) < 0)
		scenario_fail(s, "%s: %s", text, err.text);
	saga_query_release(&query);
	got = json_dumps(numbers, JSON_COMPACT);
	if (!json_equal(numbers, expected))
		scenario_fail(s, "%s finds %s", text, got);
}

void scenario_expect_found(struct scenario *s, const json_t *finds)
{
	const json_t *expected;
	const char *text;

	json_object_foreach ((json_t *)finds, text, expected)
		expect_found(s, text, expected);
}
