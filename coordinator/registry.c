/*
 * What was loaded is kept under "namespace\nname\nversion", and which version starts sagas under
 * "namespace\nname". With a store of one process the latter holds until it is changed here; with
 * many nodes it is believed for a moment.
 */
#include "coordinator/registry.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "connectors/yaml.h"
#include "coordinator/clock.h"
#include "coordinator/failpoint.h"
#include "coordinator/log.h"
#include "coordinator/writer.h"
#include "coordinator/zones.h"
#include "sagas/base/map.h"
#include "sagas/base/suggest.h"
#include "sagas/def_children.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/json_text.h"
#include "sagas/share.h"

enum {
	ROUTE_MS = 1000,     /* with many nodes: for so long a route is believed */
	ENTRIES_MAX = 10000, /* definitions in memory, and routes; past it all are read again */
	KEY_SIZE = NAMESPACE_MAX_BYTES + DEF_MAX_NAME + 32,
	NAMES_OFFERED = 1000,
};

struct entry {
	char key[KEY_SIZE];
	struct saga_def *def;
};

struct route_entry {
	char key[KEY_SIZE];
	struct registry_route route;
	int64_t read_us;
};

struct registry {
	struct store *store;
	struct writer *writer;
	pthread_mutex_t mutex;        /* of entries, routes and changes */
	pthread_mutex_t reader_mutex; /* of reader: whoever misses the cache reads */
	struct store_reader *reader;
	struct map entries, routes;
	uint64_t changes; /* of routes, so far: what was read before one is not kept */
	const struct surroundings *around;
};

int registry_new(struct store *store, struct writer *writer, struct registry **ret_registry,
				 struct err *err)
{
	struct registry *registry = xcalloc(1, sizeof(*registry));
	int r = store->ops->reader_open(store, &registry->reader, err);

	if (r < 0) {
		free(registry);
		return r;
	}
	registry->store = store;
	registry->writer = writer;
	CHECK(pthread_mutex_init(&registry->mutex, NULL) == 0);
	CHECK(pthread_mutex_init(&registry->reader_mutex, NULL) == 0);
	*ret_registry = registry;
	return 0;
}

void registry_surround(struct registry *registry, const struct surroundings *around)
{
	registry->around = around;
}

static void surround(struct saga_def *def, void *around)
{
	def->around = around;
}

static void forget_all(struct registry *registry)
{
	struct map_entry *at;
	size_t pos = 0;

	while ((at = map_next(&registry->entries, &pos))) {
		struct entry *entry = at->value;

		saga_def_unref(entry->def);
		free(entry);
	}
	map_release(&registry->entries);
}

static void forget_routes(struct registry *registry)
{
	struct map_entry *at;
	size_t pos = 0;

	while ((at = map_next(&registry->routes, &pos)))
		free(at->value);
	map_release(&registry->routes);
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	forget_all(registry);
	forget_routes(registry);
	registry->store->ops->reader_close(registry->reader);
	pthread_mutex_destroy(&registry->mutex);
	pthread_mutex_destroy(&registry->reader_mutex);
	free(registry);
}

/* False when the names are too long to be any definition's. */
static bool make_key(char key[KEY_SIZE], const char *ns, const char *name, int64_t version)
{
	return snprintf(key, KEY_SIZE, "%s\n%s\n%lld", ns, name, (long long)version) < KEY_SIZE;
}

/* What is there already wins: a version never changes. */
static void remember(struct registry *registry, const char *ns, const char *name, int64_t version,
					 struct saga_def *def)
{
	struct entry *entry;
	char key[KEY_SIZE];

	if (!make_key(key, ns, name, version))
		return;
	pthread_mutex_lock(&registry->mutex);
	entry = map_get(&registry->entries, key);
	if (!entry) {
		if (registry->entries.n >= ENTRIES_MAX)
			forget_all(registry);
		entry = xcalloc(1, sizeof(*entry));
		memcpy(entry->key, key, sizeof(key));
		entry->def = saga_def_ref(def);
		map_put(&registry->entries, entry->key, entry);
	}
	pthread_mutex_unlock(&registry->mutex);
}

/* Getting. */

/* Names of definitions, from which the nearest is suggested. */
struct offered {
	char names[NAMES_OFFERED][DEF_MAX_NAME + 1];
	size_t n;
};

static int note_name(void *ctx, const struct definition_row *row)
{
	struct offered *offered = ctx;

	if (offered->n == NAMES_OFFERED)
		return 0;
	snprintf(offered->names[offered->n++], DEF_MAX_NAME + 1, "%s", row->name);
	return 0;
}

static int not_found(struct registry *registry, const char *ns, const char *name, int64_t version,
					 struct err *err)
{
	CLEANUP(free_p) struct offered *offered = xcalloc(1, sizeof(*offered));
	struct suggest suggest;
	struct err ignored;
	const char *best;
	int r;

	if (version > 0)
		return err_set(err, ERR_NOT_FOUND, "there is no version %lld of saga `%.128s`",
					   (long long)version, name);
	r = registry->store->ops->definition_list(registry->reader, ns, NULL, note_name, offered,
											  &ignored);
	suggest_init(&suggest, name, strlen(name));
	for (size_t i = 0; r == 0 && i < offered->n; i++)
		suggest_offer(&suggest, offered->names[i]);
	best = suggest_best(&suggest);
	if (best)
		return err_set(err, ERR_NOT_FOUND,
					   "there is no saga `%.128s` in namespace %s; did you mean `%s`?", name, ns,
					   best);
	return err_set(err, ERR_NOT_FOUND, "there is no saga `%.128s` in namespace %s", name, ns);
}

static int compile_row(const struct definition_row *row, struct saga_def **ret_def, struct err *err)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct findings findings = {0};
	struct saga_def *def = NULL;
	int r = json_parse(row->doc, row->doc_len, &doc, err);

	if (r < 0)
		return r;
	r = saga_def_load(doc, NULL, &def, &findings);
	if (r < 0)
		r = err_set(err, r, "the stored definition of `%s` cannot be used any more: %s", row->name,
					findings.n > 0 ? findings.list[0].text : "");
	findings_release(&findings);
	if (r < 0)
		return r;
	saga_def_set_version(def, row->version, row->hash);
	*ret_def = def;
	return 0;
}

static int read_row(struct registry *registry, const char *ns, const char *name, int64_t version,
					struct definition_row *ret_row, struct err *err)
{
	int r;

	pthread_mutex_lock(&registry->reader_mutex);
	r = registry->store->ops->definition_get(registry->reader, ns, name, version, ret_row, err);
	if (r == ERR_NOT_FOUND)
		r = not_found(registry, ns, name, version, err);
	pthread_mutex_unlock(&registry->reader_mutex);
	return r;
}

static int get_version(struct registry *registry, const char *ns, const char *name, int64_t version,
					   struct saga_def **ret_def, struct err *err)
{
	struct definition_row row = {0};
	struct saga_def *def = NULL;
	struct entry *entry;
	char key[KEY_SIZE];
	int r;

	if (!make_key(key, ns, name, version) || version < 0)
		return err_set(err, ERR_NOT_FOUND, "there is no saga of this name");
	pthread_mutex_lock(&registry->mutex);
	entry = map_get(&registry->entries, key);
	if (entry)
		def = saga_def_ref(entry->def);
	pthread_mutex_unlock(&registry->mutex);
	if (!def) {
		r = read_row(registry, ns, name, version, &row, err);
		if (r < 0)
			return r;
		r = compile_row(&row, &def, err);
		if (r == 0)
			saga_def_walk(def, surround, (void *)registry->around);
		definition_row_release(&row);
		if (r < 0)
			return r;
		remember(registry, ns, name, def->version, def);
	}
	*ret_def = def;
	return 0;
}

/* Routes. */

/* With a store of many nodes, others change them. */
static bool is_fresh(const struct registry *registry, const struct route_entry *entry)
{
	return !registry->store->ops->node_join ||
		   clock_mono_us() - entry->read_us < ROUTE_MS * INT64_C(1000);
}

static int take_route(void *ctx, const struct routing_row *row)
{
	struct registry_route *route = ctx;

	route->current = row->current;
	route->canary = row->canary;
	route->percent = row->percent;
	route->paused = row->paused;
	snprintf(route->reason, sizeof(route->reason), "%s", row->reason ? row->reason : "");
	return 0;
}

static int read_route(struct registry *registry, const char *ns, const char *name,
					  struct registry_route *ret, struct err *err)
{
	struct saga_def *def = NULL;
	int64_t newest = 0;
	int r = 0;

	/* Again with the newest version known: one that came between may be a canary. */
	for (int i = 0; i < 2 && r == 0; i++) {
		*ret = (struct registry_route){0};
		pthread_mutex_lock(&registry->reader_mutex);
		r = registry->store->ops->routing_list(registry->reader, ns, name, take_route, ret, err);
		pthread_mutex_unlock(&registry->reader_mutex);
		if (r < 0 || ret->current > 0)
			return r;
		ret->current = newest;
		if (newest == 0)
			r = get_version(registry, ns, name, 0, &def, err);
		if (def)
			newest = def->version;
		saga_def_unref(TAKE(def));
	}
	return r;
}

/* Unless a change came between: then what was read may be from before it. */
static void keep_route(struct registry *registry, const char *key,
					   const struct registry_route *route, uint64_t changes)
{
	struct route_entry *entry;

	pthread_mutex_lock(&registry->mutex);
	entry = map_get(&registry->routes, key);
	if (registry->changes == changes) {
		if (!entry && registry->routes.n >= ENTRIES_MAX)
			forget_routes(registry);
		if (!entry) {
			entry = xcalloc(1, sizeof(*entry));
			snprintf(entry->key, sizeof(entry->key), "%s", key);
			map_put(&registry->routes, entry->key, entry);
		}
		entry->route = *route;
		entry->read_us = clock_mono_us();
	}
	pthread_mutex_unlock(&registry->mutex);
}

int registry_route(struct registry *registry, const char *ns, const char *name,
				   struct registry_route *ret, struct err *err)
{
	struct route_entry *entry;
	char key[KEY_SIZE];
	uint64_t changes;
	bool found;
	int r;

	if (snprintf(key, sizeof(key), "%s\n%s", ns, name) >= KEY_SIZE)
		return err_set(err, ERR_NOT_FOUND, "there is no saga of this name");
	pthread_mutex_lock(&registry->mutex);
	changes = registry->changes;
	entry = map_get(&registry->routes, key);
	found = entry && is_fresh(registry, entry);
	if (found)
		*ret = entry->route;
	pthread_mutex_unlock(&registry->mutex);
	if (found)
		return 0;
	r = read_route(registry, ns, name, ret, err);
	if (r == 0)
		keep_route(registry, key, ret, changes);
	return r;
}

void registry_route_changed(struct registry *registry)
{
	pthread_mutex_lock(&registry->mutex);
	registry->changes++;
	forget_routes(registry);
	pthread_mutex_unlock(&registry->mutex);
}

int64_t registry_route_pick(const struct registry_route *route, const char *ns, const char *name,
							const char *identity)
{
	return route->canary && share_has(ns, name, route->canary, identity, route->percent)
			   ? route->canary
			   : route->current;
}

int registry_start(struct registry *registry, const char *ns, const char *name,
				   const char *identity, struct saga_def **ret_def, struct err *err)
{
	struct registry_route route;
	int r = registry_route(registry, ns, name, &route, err);

	if (r < 0)
		return r;
	if (route.paused) {
		r = err_set(err, ERR_UNAVAILABLE, "definition %s is paused%s%s", name,
					*route.reason ? ": " : "", route.reason);
		if (err)
			err->retriable = true;
		return r;
	}
	return get_version(registry, ns, name, registry_route_pick(&route, ns, name, identity), ret_def,
					   err);
}

/* A block is found in what it is compiled with: "order#paid" in order. */
static int get_block(struct registry *registry, const char *ns, const char *name, int64_t version,
					 struct saga_def **ret_def, struct err *err)
{
	CLEANUP(free_p) char *around = xstrndup(name, strcspn(name, "#"));
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	struct saga_def *block;
	int r = registry_get(registry, ns, around, version, &def, err);

	if (r < 0)
		return r;
	block = saga_def_find_block(def, name);
	if (!block)
		return err_set(err, ERR_NOT_FOUND, "version %lld of `%.128s` has no block `%.128s`",
					   (long long)def->version, around, name);
	*ret_def = saga_def_ref(block);
	return 0;
}

int registry_get(struct registry *registry, const char *ns, const char *name, int64_t version,
				 struct saga_def **ret_def, struct err *err)
{
	struct registry_route route = {0};
	int r = 0;

	if (strchr(name, '#'))
		return get_block(registry, ns, name, version, ret_def, err);

	if (version == 0) {
		r = registry_route(registry, ns, name, &route, err);
		version = route.current;
	}
	return r == 0 ? get_version(registry, ns, name, version, ret_def, err) : r;
}

/* Deploying. */

struct deploy_job {
	struct writer_job job;
	struct registry *registry;
	struct deployment *deployment;
	struct saga_def *def;
	struct buf doc;
	char *ns, *source;
	size_t source_len;
};

static void deploy_job_free(struct deploy_job *job)
{
	saga_def_unref(job->def);
	buf_release(&job->doc);
	free(job->ns);
	free(job->source);
	free(job);
}

/* Thread: writer. */
static int put(struct writer_job *base, struct store *store)
{
	struct deploy_job *job = CONTAINER_OF(base, struct deploy_job, job);
	struct deployment *deployment = job->deployment;
	struct definition_row row = {
		.ns = job->ns,
		.name = job->def->name,
		.hash = job->def->hash,
		.doc = buf_str(&job->doc),
		.doc_len = job->doc.len,
		.source = job->source,
		.source_len = job->source_len,
		.deployed_at = clock_wall(),
		.canary = deployment->canary,
		.percent = deployment->percent,
	};

	failpoint(FP_DEPLOY_BEFORE);
	deployment->result = store->ops->definition_put(store, &row, &deployment->err);
	failpoint(FP_DEPLOY_AFTER);
	if (deployment->result == ERR_UNKNOWN && job->job.tries + 1 < WRITER_JOB_TRIES)
		return ERR_UNKNOWN; /* once it is settled, the same content finds its version */
	if (deployment->result == 0) {
		deployment->version = row.version;
		saga_def_set_version(job->def, row.version, deployment->hash);
		deployment->existed = row.existed;
		remember(job->registry, job->ns, job->def->name, row.version, job->def);
		registry_route_changed(job->registry);
		if (!row.existed)
			log_info("registry", NULL, "%s version %lld was deployed in namespace %s",
					 job->def->name, (long long)row.version, job->ns);
	}
	deploy_job_free(job);
	deployment->done(deployment);
	return 0;
}

static int compile_text(const struct registry *registry, const char *text, size_t len,
						const char *expected_name, struct doc_places *places,
						struct saga_def **ret_def, struct findings *findings)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	int r = definition_read("", text, len, &doc, places, findings);

	if (r < 0)
		return r;
	r = saga_def_load(doc, places, &def, findings);
	if (r < 0)
		return r;
	zones_check(def, places, findings);
	if (expected_name && strcmp(def->name, expected_name) != 0) {
		findings_add(findings, FINDING_ERROR, doc_places_line(places, "/saga"), "/saga",
					 "the saga is called `%s`, but is deployed as `%s`", def->name, expected_name);
		return ERR_INVALID;
	}
	surroundings_check(registry->around, doc, places, findings);
	saga_def_walk(def, surround, (void *)registry->around);
	*ret_def = TAKE(def);
	return 0;
}

/* A saga that is deployed with a child of its own name is what it starts from now on. */
static bool child_has_pivot(void *ctx, const char *saga)
{
	const struct deploy_job *job = ctx;
	CLEANUP(saga_def_unref_p) struct saga_def *child = NULL;
	struct err ignored;

	if (strcmp(saga, job->def->name) == 0)
		return job->def->pivot >= 0;
	return registry_get(job->registry, job->ns, saga, 0, &child, &ignored) == 0 &&
		   child->pivot >= 0;
}

/* What cannot be read now, or not be loaded here, is no reason for a warning. */
static bool child_is_there(void *ctx, const char *saga, struct err *err)
{
	const struct deploy_job *job = ctx;
	CLEANUP(saga_def_unref_p) struct saga_def *child = NULL;

	return strcmp(saga, job->def->name) == 0 ||
		   registry_get(job->registry, job->ns, saga, 0, &child, err) != ERR_NOT_FOUND;
}

static int prepare(struct deploy_job *job, const char *text, size_t len, const char *expected_name)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	struct deployment *deployment = job->deployment;
	int r = compile_text(job->registry, text, len, expected_name, places, &job->def,
						 &deployment->findings);

	if (r == 0) {
		def_children_check(job->def, child_has_pivot, job, places, &deployment->findings);
		def_children_find(job->def, child_is_there, job, places, &deployment->findings);
		r = deployment->findings.n_errors > 0 ? ERR_INVALID : 0;
	}
	if (r < 0)
		return err_set(&deployment->err, r, "%s",
					   r == ERR_NOT_BUILT ? "the definition uses what this version does not run"
										  : "the definition has errors");
	json_write_canonical(job->def->doc, &job->doc);
	r = buf_check(&job->doc, "the definition", &deployment->err);
	if (r < 0)
		return r;
	hash_sha256_hex(job->doc.data, job->doc.len, job->def->hash);
	deployment->name = xstrdup(job->def->name);
	memcpy(deployment->hash, job->def->hash, sizeof(deployment->hash));
	return 0;
}

void registry_deploy(struct registry *registry, const char *ns, const char *text, size_t len,
					 const char *expected_name, bool dry_run, struct deployment *deployment)
{
	struct deploy_job *job = xcalloc(1, sizeof(*job));

	job->registry = registry;
	job->deployment = deployment;
	job->ns = xstrdup(ns);
	buf_init(&job->doc, 2 * DEF_MAX_BYTES);
	deployment->result = prepare(job, text, len, expected_name);
	if (deployment->result == 0 && !dry_run) {
		job->job.run = put;
		job->source = xstrndup(text, len);
		job->source_len = len;
		if (writer_post(registry->writer, &job->job))
			return;
		deployment->result = err_set(&deployment->err, ERR_UNAVAILABLE,
									 "too many deployments are waiting, or the server stops");
		deployment->err.retriable = true;
	}
	deploy_job_free(job);
	deployment->done(deployment);
}

void deployment_release(struct deployment *deployment)
{
	findings_release(&deployment->findings);
	free(deployment->name);
	*deployment = (struct deployment){0};
}
