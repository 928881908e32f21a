/*
 * The thread that does batches (batch_runs.h): one act on each of many sagas. It asks this
 * process's engine where the saga's slot is here, and its owner over HTTP where it is not.
 */
#ifndef COORDINATOR_BATCHES_H
#define COORDINATOR_BATCHES_H

#include <stdbool.h>

#include "connectors/store.h"
#include "sagas/base/buf.h"

struct batches;
struct engine;
struct http_client;
struct member;
struct writer;

struct batches_options {
	struct store *store; /* all are borrowed, and outlive it */
	struct writer *writer;
	struct engine *engine;
	struct http_client *http;
	struct member *member; /* NULL: the store is of one process */
	const bool *ready;     /* atomic: nothing is done before it is true */
	const char *address;   /* of this node's API, for what it alone can do */
};

int batches_start(const struct batches_options *options, struct batches **ret_batches,
				  struct err *err) MUST_CHECK;
/* Somebody has made, stopped or resumed a batch: look now. Takes NULL. Thread: any. */
void batches_wake(struct batches *batches);
/* Begins nothing more, waits for what is out for up to grace_ms, leaves the batches to other
 * processes or to the next start, and ends the thread. Takes NULL. */
void batches_stop(struct batches *batches, int64_t grace_ms);
/* When engine and HTTP client have ended. Takes NULL. */
void batches_free(struct batches *batches);

/* Thread: any. */
void batches_write_metrics(struct batches *batches, struct buf *out);

#endif
