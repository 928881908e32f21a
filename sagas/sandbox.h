/*
 * Sagas in memory: the real core with a clock that jumps, and without network, store or threads.
 * This is where definitions are tested (`skald test`) and tried (`skald simulate`).
 *
 * Nothing answers by itself. Who drives it is told of every call, record and task by hooks, and
 * puts what shall come of them on the time line: sandbox_at. Then sandbox_step takes whatever comes
 * next: what was put there, or what is due in a saga; what arrives at a time wins over what runs
 * out then. Locks are granted, events find who waits for them, and each decision becomes a row of a
 * history, as in a node.
 *
 * Two things are simpler than in a node: each input is a row of its own, and intervals between
 * attempts have no jitter, so that times can be told beforehand.
 */
#ifndef SAGAS_SANDBOX_H
#define SAGAS_SANDBOX_H

#include "sagas/decide.h"

#define SANDBOX_NS "default"

enum {
	SANDBOX_SAGAS_MAX = 20000,
	SANDBOX_ROWS_MAX = 100000,        /* of one saga */
	SANDBOX_EVENTS_KEPT_MS = 3600000, /* an event that nobody waits for yet */
};

struct sandbox;

struct sandbox_row {
	wall_ms at;
	char *events; /* JSON */
};

/* What a saga waits for; see struct subscription. */
struct sandbox_wait {
	int step, item, place;
	const struct correlate_def *on;
	char *value;
};

struct sandbox_saga {
	struct sandbox *sandbox;
	char id[SAGA_ID_SIZE];
	int number; /* from 0, in the order of their starts */
	struct saga_state *state;
	unsigned life; /* how often its process died: answers to an earlier life are lost */
	struct sandbox_row *rows;
	size_t n_rows;
	struct sandbox_wait *waits;
	size_t n_waits;
	/* A child: who started it. */
	struct sandbox_saga *parent;
	int parent_step, parent_item;
	enum side parent_side;
	char *start_key; /* of the call that started it */
	wall_ms due_at;  /* when something takes effect by itself; 0: never */
};

struct sandbox_hooks {
	/* A call leaves. Its answer is the driver's to give. */
	void (*call)(void *ctx, struct sandbox_saga *saga, const struct command *command);
	/* A record is published. */
	void (*emitted)(void *ctx, struct sandbox_saga *saga, const struct emission *emission);
	/* Something waits for a worker or for persons. */
	void (*task)(void *ctx, struct sandbox_saga *saga, const struct task_note *note);
	/* Events were folded, after all that they cause was told. */
	void (*decided)(void *ctx, struct sandbox_saga *saga, const struct event *events, size_t n);
	void *ctx;
};

struct sandbox *sandbox_new(const struct sandbox_hooks *hooks, wall_ms now) MUST_CHECK;
void sandbox_free(struct sandbox *sandbox); /* takes NULL */
DEFINE_CLEANUP(struct sandbox *, sandbox_free)

/* Takes a reference, and the jitter out of its retries. The last one of a name counts. */
void sandbox_define(struct sandbox *sandbox, struct saga_def *def);
/* NULL: there is none. */
struct saga_def *sandbox_definition(const struct sandbox *sandbox, const char *name);

wall_ms sandbox_now(const struct sandbox *sandbox);
size_t sandbox_n_sagas(const struct sandbox *sandbox);
struct sandbox_saga *sandbox_saga(const struct sandbox *sandbox, size_t number);

/*
 * Starts a saga. key NULL: the definition's, if it has one. ERR_INVALID: the input does not fit the
 * schema, or gives no key; ERR_LIMIT. input is borrowed.
 */
int sandbox_start(struct sandbox *sandbox, struct saga_def *def, const char *key, json_t *input,
				  struct sandbox_saga **ret_saga, struct err *err) MUST_CHECK;

/* One input to a saga; what saga_decide returns. random and queues_read_until are filled in. */
int sandbox_give(struct sandbox_saga *saga, const struct input *in, struct err *err);

/* On the time line: fn is called once, at that time (now, if it has passed), in the order in which
 * it was put there; or drop instead, when the sandbox is freed first. */
void sandbox_at(struct sandbox *sandbox, wall_ms at, void (*fn)(void *ctx), void (*drop)(void *ctx),
				void *ctx);

/*
 * A record of Kafka, or with cluster NULL an event of the webhook `topic`. It goes to who waits for
 * it, now or within the hour. event is borrowed. Returns how many it found now.
 */
size_t sandbox_event(struct sandbox *sandbox, const char *cluster, const char *topic, json_t *event,
					 const char *id);

/* Somebody else has these locks until then. keys: a list of texts, borrowed. */
void sandbox_hold(struct sandbox *sandbox, json_t *keys, wall_ms until);

/* The process dies, and another one goes on with what the history says. */
void sandbox_restart(struct sandbox_saga *saga);

/* The deadline of the saga is now: for those who want to see what follows. */
void sandbox_expire(struct sandbox_saga *saga);

/* Takes what comes next, unless it is later than `until`. False: nothing comes before. */
bool sandbox_step(struct sandbox *sandbox, wall_ms until);

#endif
