/*
 * Which versions of definitions start sagas, as the triggers' manager knows them: the current one
 * of each, and its canary. What has changed is loaded.
 */
#include <string.h>

#include "coordinator/kafka/trigger_priv.h"
#include "coordinator/log.h"
#include "coordinator/registry.h"

static int compare_names(const char *ns_a, const char *name_a, const char *ns_b, const char *name_b)
{
	int c = strcmp(ns_a, ns_b);

	return c ? c : strcmp(name_a, name_b);
}

static struct trigger_version *version_of(struct triggers *triggers, const char *ns,
										  const char *name)
{
	struct trigger_version *at;
	size_t low = 0, high = triggers->n_versions;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = compare_names(triggers->versions[mid].ns, triggers->versions[mid].name, ns, name);

		if (c == 0)
			return &triggers->versions[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (triggers->n_versions == triggers->cap_versions) {
		triggers->cap_versions = triggers->cap_versions ? 2 * triggers->cap_versions : 64;
		triggers->versions =
			xrealloc_array(triggers->versions, triggers->cap_versions, sizeof(*at));
	}
	at = &triggers->versions[low];
	memmove(at + 1, at, (triggers->n_versions++ - low) * sizeof(*at));
	*at = (struct trigger_version){.ns = xstrdup(ns), .name = xstrdup(name)};
	return at;
}

/* A definition that cannot be loaded has no triggers until there is another version. */
static int load_version(struct triggers *triggers, const struct trigger_version *at,
						int64_t version, struct saga_def **to)
{
	struct saga_def *def = NULL;
	struct err err;
	int r = registry_get(triggers->options.registry, at->ns, at->name, version, &def, &err);

	if (r < 0 && r != ERR_INVALID && r != ERR_NOT_BUILT && r != ERR_NOT_FOUND)
		return r;
	if (r < 0)
		log_warn("kafka", NULL, "version %lld of saga %s in namespace %s has no triggers: %s",
				 (long long)version, at->name, at->ns, err.text);
	/* Triggers of the version before hold references of their own. */
	saga_def_unref(*to);
	*to = NULL;
	if (r == 0 && def->n_triggers > 0)
		*to = saga_def_ref(def);
	saga_def_unref(def);
	return 0;
}

static int note_definition(void *ctx, const struct definition_row *row)
{
	struct trigger_version *at = version_of(ctx, row->ns, row->name);

	at->seen = true;
	at->newest = row->version;
	return 0;
}

static int note_routing(void *ctx, const struct routing_row *row)
{
	struct trigger_version *at = version_of(ctx, row->ns, row->name);

	at->current = row->current;
	at->canary = row->canary;
	at->percent = row->percent;
	at->paused = row->paused;
	return 0;
}

static int load(struct triggers *triggers, struct trigger_version *at)
{
	int64_t version = at->current ? at->current : at->newest;
	int r = 0;

	if (at->version != version) {
		r = load_version(triggers, at, version, &at->def);
		if (r == 0)
			at->version = version;
	}
	if (r == 0 && at->canary_version != at->canary) {
		if (at->canary)
			r = load_version(triggers, at, at->canary, &at->canary_def);
		else
			saga_def_unref(TAKE(at->canary_def));
		if (r == 0)
			at->canary_version = at->canary;
	}
	return r;
}

int triggers__read_versions(struct triggers *triggers, struct err *err)
{
	const struct store_ops *ops = triggers->options.store->ops;
	int r;

	for (size_t i = 0; i < triggers->n_versions; i++)
		triggers->versions[i].seen = false;
	r = ops->definition_list(triggers->reader, NULL, NULL, note_definition, triggers, err);
	/* A row stays for as long as its definition. */
	if (r == 0)
		r = ops->routing_list(triggers->reader, NULL, NULL, note_routing, triggers, err);
	for (size_t i = 0; r == 0 && i < triggers->n_versions; i++)
		if (triggers->versions[i].seen)
			r = load(triggers, &triggers->versions[i]);
	return r;
}
