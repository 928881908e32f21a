/* A job of the store writer that somebody waits for. */
#ifndef COORDINATOR_KAFKA_STORE_JOB_H
#define COORDINATOR_KAFKA_STORE_JOB_H

#include "coordinator/writer.h"

/*
 * Runs `run` on the writer's thread, and returns what it returned. After ERR_UNKNOWN the store is
 * settled and it is run again, so it must be repeatable. ERR_UNAVAILABLE: too many jobs wait, or
 * the writer stops. Thread: any but the writer's and the engine's.
 */
int store_job_run(struct writer *writer,
				  int (*run)(void *ctx, struct store *store, struct err *err), void *ctx,
				  struct err *err) MUST_CHECK;

#endif
