/*
 * What the parts of the sandbox share: sandbox.c has the time line and the sagas, sandbox_wait.c
 * events and who waits for them, sandbox_lock.c the lines before locks.
 */
#ifndef SAGAS_SANDBOX_PRIV_H
#define SAGAS_SANDBOX_PRIV_H

#include "sagas/sandbox.h"

struct post {
	struct post *next;
	wall_ms at;
	void (*fn)(void *ctx);
	void (*drop)(void *ctx);
	void *ctx;
};

struct kept_event {
	char *cluster, *topic, *id; /* cluster NULL: of a webhook */
	json_t *event;
	wall_ms at;
};

struct ticket {
	struct sandbox_saga *saga;
	int step, item;
	json_t *keys;
	int64_t token; /* 0: it waits */
};

struct sandbox {
	struct sandbox_hooks hooks;
	wall_ms now;
	uint64_t random;
	struct saga_def **defs;
	size_t n_defs;
	struct sandbox_saga **sagas;
	size_t n_sagas;
	struct post *posts; /* by time */
	struct kept_event *events;
	size_t n_events;
	struct ticket *tickets; /* by when they were asked for */
	size_t n_tickets;
	int64_t last_token;
	bool locks_changed;
};

/* An input whose refusal says nothing: what it is about may be over. */
void sandbox__tell(struct sandbox_saga *saga, const struct input *in);

/* sandbox_wait.c */
void sandbox__subscribe(struct sandbox_saga *saga, const struct decision *decision);
void sandbox__forget_waits(struct sandbox_saga *saga);
void sandbox__free_events(struct sandbox *sandbox);

/* sandbox_lock.c */
void sandbox__locks(struct sandbox_saga *saga, const struct decision *decision);
void sandbox__free_locks(struct sandbox *sandbox);

#endif
