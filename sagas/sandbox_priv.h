/*
 * What the parts of the sandbox share: sandbox.c has the time line and the sagas, sandbox_wait.c
 * events and who waits for them, sandbox_lock.c the lines before locks, sandbox_child.c children.
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

struct beginning; /* sandbox_child.c */

/* Starts a saga; of: NULL, or the beginning of a child, for which `in` says its parent. */
int sandbox__start(struct sandbox *sandbox, struct saga_def *def, const char *key, json_t *input,
				   const struct input *in, const struct beginning *of,
				   struct sandbox_saga **ret_saga, struct err *err) MUST_CHECK;

/* sandbox_child.c */
void sandbox__begin_child(struct sandbox_saga *parent, const struct command *command);
void sandbox__child_of(struct sandbox_saga *child, const struct beginning *beginning);
void sandbox__send(struct sandbox *sandbox, const struct saga_message *message);

/* sandbox_wait.c */
void sandbox__subscribe(struct sandbox_saga *saga, const struct decision *decision);
void sandbox__forget_waits(struct sandbox_saga *saga);
void sandbox__free_events(struct sandbox *sandbox);

/* sandbox_lock.c */
void sandbox__locks(struct sandbox_saga *saga, const struct decision *decision);
void sandbox__free_locks(struct sandbox *sandbox);

#endif
