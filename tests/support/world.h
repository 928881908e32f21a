/*
 * A world for the engine to run in, without threads, clock and network: the turn, a SQLite store in
 * memory behind the one that fails on purpose, and between them what threads and sockets would
 * hold: a mailbox, one batch, reads that were asked for, calls that are out. Nothing moves by
 * itself. Who drives it (the simulator, at random; the scenarios, in order) says what happens next.
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include "connectors/store.h"
#include "connectors/store_fault.h"
#include "coordinator/turn.h"

#define WORLD_NS "default"
enum { WORLD_SLOTS = 4 };

/* A call that was handed to the HTTP client and has not ended yet. */
struct world_call {
	struct world_call *next; /* oldest first */
	uint64_t id;
	char saga_id[SAGA_ID_SIZE];
	struct command command; /* holds the request */
	wall_ms sent_at;
	bool orphan; /* the process that sent it is dead: nobody hears the reply */
};

enum world_post_type {
	POST_CALL,
	POST_REPLY,
	POST_COMMITTED,
	POST_LOADED,
	POST_LISTED,
	POST_DELIVERY,
	POST_INBOX,
	POST_REMOVED,
	POST_QUEUES_READ, /* what: a wall_ms on the heap */
	POST_POKE,        /* what: NULL */
};

struct world_post {
	enum world_post_type type;
	void *what;
};

struct world_posts {
	struct world_post *list;
	size_t n, cap;
};

struct world;

struct world_hooks {
	/* The engine sends; the call is in world->calls. */
	void (*sent)(void *ctx, struct world_call *call);
	/* The engine answers. The call is the hook's to free. lost: the process died, so nobody hears
	 * of it. */
	void (*answered)(void *ctx, struct engine_call *call, bool lost);
	/* The saga's state was folded again, for the engine to go on with. */
	void (*loaded)(void *ctx, const char *saga_id);
	uint64_t (*random)(void *ctx);
	enum store_fault (*commit_fault)(void *ctx);
	bool (*read_fault)(void *ctx);
	void *ctx;
};

struct world {
	struct world_hooks hooks;
	wall_ms now;
	struct store *store; /* the one that fails; the real one is inside */
	struct store *inner;
	struct store_reader *reader; /* as the engine has it */
	struct store_reader *truth;  /* never fails */
	struct saga_def **defs;
	size_t n_defs;
	struct turn *turn; /* NULL: the process is down */
	/* Said before world_boot: the turn is one of many, and gets its slots from the test. */
	bool many_nodes;
	/* The same: it has an inbox, and publishes lifecycle events where topic is not NULL. */
	bool queues;
	struct lifecycle_topic lifecycle;
	struct inbox_removal *removal;                   /* with the writer */
	size_t n_outbox;                                 /* rows that the turn told of */
	int released[WORLD_SLOTS], n_released, n_fenced; /* what it said of its slots */
	bool dying;
	struct world_posts mailbox;
	struct world_posts reads; /* loads, lists, pages and looks that were asked for */
	struct batch *batch;      /* with the writer */
	bool locks_changed;       /* a commit, or an earlier process, left something to grant */
	bool batch_unknown;       /* … committed with an unknown outcome, and not settled yet */
	struct world_call *calls, **calls_tail;
	uint64_t n_calls;
	size_t memory_sagas_max; /* of the engine; 0: its own */
};

void world_init(struct world *world, const struct world_hooks *hooks, wall_ms now);
void world_release(struct world *world);

/* Compiles and deploys a definition; the world keeps the reference. Exits with the findings when it
 * is wrong. */
struct saga_def *world_deploy(struct world *world, json_t *doc);
/* A definition, or a block of one ("order#paid"), borrowed; version 0: the newest. NULL: there is
 * none. */
struct saga_def *world_definition(const struct world *world, const char *name, int64_t version);

/* The process begins: what a commit left behind is settled, and the engine recovers. */
void world_boot(struct world *world);
/* The process dies: all but the store and the participants is gone. */
void world_crash(struct world *world);

/* A start; input is taken over. The key may be NULL. */
struct engine_call *world_start_call(struct world *world, struct saga_def *def, const char *key,
									 json_t *input, uint64_t random);
struct engine_call *world_act_call(enum act_kind kind, const char *id, const char *reason);
struct engine_call *world_wait_call(const char *id);
void world_post(struct world *world, enum world_post_type type, void *what);

/* How a call ends. The call is freed; the reply goes into the mailbox when the process that asked
 * is still there. body is taken over. */
void world_call_end(struct world *world, struct world_call *call, enum call_result result,
					int status, json_t *body, int64_t retry_after_ms);
/* The same reply once more; the call stays. */
void world_call_echo(struct world *world, const struct world_call *call, enum call_result result,
					 int status, json_t *body);
void world_call_free(struct world *world, struct world_call *call);

/* The topics were read up to this time. */
void world_queues_read(struct world *world, wall_ms until);
/* After a function of the store that says ERR_UNKNOWN, before anything else is written. */
void world_settle(struct world *world);

/* The engine drains up to n messages and runs. */
void world_turn(struct world *world, size_t n);
/* Something for the engine to do without waiting. */
bool world_turn_wanted(const struct world *world);
/* The writer commits or settles the batch that it has; or, with none, removes from the inbox. */
void world_write(struct world *world);
/* The reader does read i. */
void world_read(struct world *world, size_t i);

#endif
