/*
 * A few threads, each with its own reader, for reads that may take long (lists, histories): the
 * server's thread must never wait for a disk.
 */
#ifndef COORDINATOR_READ_POOL_H
#define COORDINATOR_READ_POOL_H

#include "connectors/store.h"
#include "coordinator/mailbox.h"

struct read_job {
	struct mail mail;
	/* Runs on a thread of the pool, which gives the job back by calling it. */
	void (*run)(struct read_job *job, struct store_reader *reader);
};

struct read_pool;

int read_pool_start(struct store *store, struct read_pool **ret_pool, struct err *err) MUST_CHECK;
/* Runs what was posted, then ends the threads. Takes NULL. */
void read_pool_stop(struct read_pool *pool);

/* False when too much waits already; the job is then still the caller's. Thread: any. */
bool read_pool_post(struct read_pool *pool, struct read_job *job) MUST_CHECK;

#endif
