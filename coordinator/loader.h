/*
 * The loader: a thread with a reader of its own, which reads and folds sagas for the engine, so
 * that the engine does no I/O.
 */
#ifndef COORDINATOR_LOADER_H
#define COORDINATOR_LOADER_H

#include "coordinator/registry.h"
#include "coordinator/turn.h"

struct loader;

struct loader_options {
	struct store *store;
	struct registry *registry;
	/* Where answers go, on the loader's thread; they take over what they are given. */
	void (*loaded)(void *ctx, struct loaded_saga *loaded);
	void (*listed)(void *ctx, struct saga_list *list);
	void (*inbox)(void *ctx, struct inbox_read *read);
	void *ctx;
};

int loader_start(const struct loader_options *options, struct loader **ret_loader,
				 struct err *err) MUST_CHECK;
/* Answers what was asked before, then ends. Takes NULL. */
void loader_stop(struct loader *loader);

/* Thread: any. They take over what they are given. */
void loader_load(struct loader *loader, struct loaded_saga *loaded);
void loader_list(struct loader *loader, struct saga_list *list);
void loader_inbox(struct loader *loader, struct inbox_read *read);

#endif
