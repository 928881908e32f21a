/*
 * A small client for workers in C: asks a Skald server for tasks of a queue, keeps their leases,
 * and says what has become of them. It needs libcurl and jansson, and nothing else of Skald, so
 * header and library can be installed and used alone.
 *
 *   struct worker *worker = worker_new(&(struct worker_options){
 *       .server = "http://127.0.0.1:7878", .name = "packer-1", .queue = "packing"});
 *   worker_run(worker, pack, NULL, &stop);
 *
 *   static json_t *pack(struct worker *worker, const struct worker_task *task,
 *                       struct worker_failure *failure, void *ctx)
 *   {
 *       json_t *box = pack_it(task->input, task->key);   // key: the same for every attempt
 *       if (!box)
 *           *failure = (struct worker_failure){.code = "out_of_boxes", .retryable = true};
 *       return box;
 *   }
 *
 * One worker belongs to one thread; a program that works on several tasks at a time has several.
 * Every call waits for its answer. A word that the server did not hear (it is restarted, say) is
 * said again until the lease is over.
 */
#ifndef CONNECTORS_WORKER_CLIENT_H
#define CONNECTORS_WORKER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { WORKER_TOKEN_SIZE = 360, WORKER_TEXT_SIZE = 256, WORKER_ERROR_SIZE = 256 };

struct worker_options {
	const char *server; /* "http://127.0.0.1:7878" */
	const char *ns;     /* namespace; NULL: default */
	const char *name;   /* of this worker, for people */
	const char *build;  /* NULL: none */
	const char *queue;
	const char *const *routes; /* NULL-terminated; NULL: any */
	int wait_s;                /* how long one poll waits; 0: 30 */
};

/* A task that is leased to this worker. */
struct worker_task {
	char token[WORKER_TOKEN_SIZE];
	char queue[WORKER_TEXT_SIZE], saga[64], definition[WORKER_TEXT_SIZE], step[80];
	char key[WORKER_TEXT_SIZE]; /* idempotency key */
	int item;                   /* -1: none */
	bool undo;                  /* it compensates */
	int64_t attempt;
	int64_t timeout_ms, heartbeat_ms; /* heartbeat_ms -1: none is wanted */
	json_t *input, *progress;         /* owned; progress NULL: nothing was told before */
};

/* Why a task was not done. */
struct worker_failure {
	const char *code, *message; /* code NULL: it was done */
	bool retryable;             /* else it is final, and nothing was done */
	bool unknown;               /* it may have taken effect all the same */
};

enum worker_result {
	WORKER_OK = 0,
	WORKER_NOTHING = 1,  /* a poll: the time is up */
	WORKER_LOST = -1,    /* the lease is over: stop, for another may have the task by now */
	WORKER_REFUSED = -2, /* the server does not take this; see worker_error */
	WORKER_SILENT = -3,  /* the server does not answer */
};

struct worker;

/* Copies what it needs. NULL: out of memory. */
struct worker *worker_new(const struct worker_options *options);
void worker_free(struct worker *worker); /* takes NULL */
/* What went wrong last, for people. */
const char *worker_error(const struct worker *worker);

/* WORKER_OK: ret_task is to be released with worker_task_release. */
int worker_poll(struct worker *worker, struct worker_task *ret_task);
void worker_task_release(struct worker_task *task);
/* Keeps the lease. details: borrowed; NULL: nothing new. *ret_cancel: it is not wanted any more. */
int worker_heartbeat(struct worker *worker, const struct worker_task *task, const json_t *details,
					 bool *ret_cancel);
/* output: borrowed; NULL: none. */
int worker_complete(struct worker *worker, const struct worker_task *task, const json_t *output);
int worker_fail(struct worker *worker, const struct worker_task *task,
				const struct worker_failure *failure);

/*
 * Polls and works until *stop is set: `work` gives the output (the caller's reference, NULL for
 * none), or fills in failure. It calls worker_heartbeat itself where its work takes long.
 */
void worker_run(struct worker *worker,
				json_t *(*work)(struct worker *worker, const struct worker_task *task,
								struct worker_failure *failure, void *ctx),
				void *ctx, const volatile bool *stop);

#endif
