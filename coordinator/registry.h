/*
 * Definitions by name and version, compiled once and shared. What is not known yet is read from the
 * store; what is deployed goes through the store writer.
 *
 * Thread: any; one mutex inside, never held while a definition is compiled or written.
 */
#ifndef COORDINATOR_REGISTRY_H
#define COORDINATOR_REGISTRY_H

#include "connectors/store.h"
#include "sagas/def.h"
#include "sagas/def_load.h"

struct registry;
struct writer;

int registry_new(struct store *store, struct writer *writer, struct registry **ret_registry,
				 struct err *err) MUST_CHECK;
void registry_free(struct registry *registry);
/* What is compiled from now on is given these, which outlive the registry. Before it is used. */
void registry_surround(struct registry *registry, const struct surroundings *around);

/* version 0: the current one. name may be that of a `steps` block. *ret_def is a reference.
 * ERR_NOT_FOUND (text has a suggestion). */
int registry_get(struct registry *registry, const char *ns, const char *name, int64_t version,
				 struct saga_def **ret_def, struct err *err) MUST_CHECK;

/* Which versions of a definition start sagas. */
struct registry_route {
	int64_t current;  /* never 0 */
	int64_t canary;   /* 0: none */
	int percent;      /* of the starts, for the canary */
	bool paused;      /* nothing is started */
	char reason[256]; /* of the pause; "" */
};
/* ERR_NOT_FOUND as above. What another node has changed is seen within a second. */
int registry_route(struct registry *registry, const char *ns, const char *name,
				   struct registry_route *ret, struct err *err) MUST_CHECK;
/* Routes were written by this process. */
void registry_route_changed(struct registry *registry);
/* The version that a start with this identity (its key, else its id) uses. */
int64_t registry_route_pick(const struct registry_route *route, const char *ns, const char *name,
							const char *identity) MUST_CHECK;
/* For whoever starts a saga: the definition by its route. ERR_UNAVAILABLE, retriable: it is paused.
 */
int registry_start(struct registry *registry, const char *ns, const char *name,
				   const char *identity, struct saga_def **ret_def, struct err *err) MUST_CHECK;

struct deployment {
	bool canary; /* filled in by the caller: if it is new and not the first, it is the canary */
	int percent; /* with canary: of the starts */
	/* Filled in before done. */
	int result; /* 0 or ERR_INVALID, ERR_NOT_BUILT (see findings), ERR_UNAVAILABLE … */
	struct err err;
	struct findings findings;
	char *name;
	char hash[65];
	int64_t version;
	bool existed;
	void (*done)(struct deployment *deployment); /* on the writer's thread or the caller's */
	void *ctx;
};

/*
 * Compiles the text (YAML or JSON) and writes it as a version; the same content again gives the
 * same version. expected_name: NULL or the name that it must have. dry_run: only validates.
 */
void registry_deploy(struct registry *registry, const char *ns, const char *text, size_t len,
					 const char *expected_name, bool dry_run, struct deployment *deployment);
void deployment_release(struct deployment *deployment);

#endif
