/*
 * Tasks and the workers that ask for them. A worker asks any node; its request (a poll) waits until
 * there is a task for it, or its time is up.
 *
 *   engine: a commit has queued tasks --.                          .--> engine: leases it
 *   another node: look ------------------+--> candidates --+--poll-+
 *   the store, page by page -------------'                 |       '--> another node: leases it
 *                                             polls -------'
 *
 * What stands in memory is only where to look: candidates. Whether a task may be had is decided by
 * the engine that owns its saga, which leases it in a commit; what it refuses is forgotten here,
 * and found again in the store if it is there. So a candidate that is stale, or twice here, or on
 * two nodes, costs a question and no more.
 *
 * Within a queue the oldest task goes to whoever has waited longest; a poll of several queues takes
 * from them in turns. Of one queue in each namespace nothing is seen by another.
 *
 * Thread: one of its own, which owns all of it; others post to it. Its numbers can be read from any
 * thread.
 */
#ifndef COORDINATOR_TASKS_H
#define COORDINATOR_TASKS_H

#include "coordinator/mailbox.h"
#include "sagas/base/buf.h"
#include "sagas/base/heap.h"
#include "sagas/decide.h"

enum {
	POLLS_MAX = 20000,    /* that wait at a time */
	POLL_QUEUES_MAX = 20, /* of one poll */
	POLL_ROUTES_MAX = 50, /* the same */
	POLL_TASKS_MAX = 100, /* that one poll may be given */
	POLL_WAIT_MAX_MS = 60000,
	QUEUE_NAME_MAX_BYTES = 255,
};

struct engine;
struct engine_call;
struct http_client;
struct member;
struct store;
struct tasks;

/* A worker's question. All texts are its own, and freed with it by poll_free. */
struct poll {
	struct mail mail;
	char *ns, *worker, *build; /* build NULL: not said */
	char **queues, **routes;
	size_t n_queues, n_routes; /* no routes: any */
	int max;                   /* tasks at a time */
	int64_t wait_ms;
	/* Called once, on any thread, when tasks are there or the time is up; it takes the poll back.
	 * Not to block. */
	void (*answer)(struct poll *poll);
	/* Whether who asked is still there; may be NULL. Thread: that of tasks. */
	bool (*is_gone)(struct poll *poll);
	void *ctx;
	/* The answer: the tasks as JSON objects, with commas between them. */
	struct buf granted;
	int n_granted;
	char **tokens; /* n_granted; so that what could not be delivered is given back */
	/* Its own. */
	struct poll_place *places;
	struct heap_node timer;
	int asked;    /* leases that are out */
	bool over;    /* the time is up */
	bool waiting; /* it stands in the lines of its queues */
	uint64_t order;
};
void poll_free(struct poll *poll); /* takes NULL */

struct tasks_options {
	struct store *store; /* all are borrowed, and outlive it */
	struct http_client *http;
	struct member *member; /* NULL: the store is of one process */
};

int tasks_start(const struct tasks_options *options, struct tasks **ret_tasks,
				struct err *err) MUST_CHECK;
/* Who leases tasks of this node's slots; before the first poll. */
void tasks_set_engine(struct tasks *tasks, struct engine *engine);
/* From now on every poll is answered at once. Takes NULL. Thread: any. */
void tasks_end(struct tasks *tasks);
/* After tasks_end, when no poll and no lease is out any more. Takes NULL. */
void tasks_stop(struct tasks *tasks);
void tasks_free(struct tasks *tasks); /* takes NULL; nobody may post any more */

/* False: too many wait, or it ends; the poll is then still the caller's. Thread: any. */
bool tasks_poll(struct tasks *tasks, struct poll *poll) MUST_CHECK;
/* For engine_options.tasks_committed; ctx is the tasks. */
void tasks_committed(void *ctx, const struct saga_state *state, const struct decision *decision);
/* Another node says that there is work; or settings were changed. Thread: any. */
void tasks_look(struct tasks *tasks);
/*
 * What a worker is told of the task that it has leased, as a JSON object; and its token apart.
 * Called with a call that was answered without being refused.
 */
void task_granted_write(const struct engine_call *call, const char *queue, struct buf *out);
void task_granted_token(const struct engine_call *call, struct buf *out);

/* What this node knows of a queue. */
struct queue_look {
	int64_t pollers;                            /* polls that wait */
	int64_t leased, completed, failed, expired; /* of this node's sagas, since it was started */
	int64_t leased_last, completed_last, failed_last; /* in the last minute */
};
/* ret_look is all zeros where nothing is known. Thread: any. */
void tasks_queue(struct tasks *tasks, const char *ns, const char *queue,
				 struct queue_look *ret_look);
/* Calls row for each queue that somebody has asked for here, or that had tasks. Thread: any; it
 * holds a lock meanwhile, so row may not call back. */
void tasks_queues(struct tasks *tasks, const char *ns,
				  void (*row)(void *ctx, const char *ns, const char *queue,
							  const struct queue_look *look),
				  void *ctx);
/* Workers that asked for tasks of this queue here within ten minutes. The same. */
void tasks_workers(struct tasks *tasks, const char *ns, const char *queue,
				   void (*row)(void *ctx, const char *worker, const char *build, wall_ms last_seen,
							   bool polls),
				   void *ctx);

#endif
