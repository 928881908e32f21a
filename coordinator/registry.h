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

/* version 0: the newest. *ret_def is a reference. ERR_NOT_FOUND (text has a suggestion). */
int registry_get(struct registry *registry, const char *ns, const char *name, int64_t version,
				 struct saga_def **ret_def, struct err *err) MUST_CHECK;

struct deployment {
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
