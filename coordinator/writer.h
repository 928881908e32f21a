/*
 * The store writer: the one thread that writes. It takes a batch when its last commit has ended, so
 * batches grow with load by themselves; between batches it runs jobs (a deployment), removes ended
 * sagas whose retention has passed, a few at a time, and tends the store when it is idle.
 *
 * A commit of unknown outcome is settled before its result is told: after that nothing of it can
 * still land, and reading shows what is true.
 */
#ifndef COORDINATOR_WRITER_H
#define COORDINATOR_WRITER_H

#include "connectors/store.h"
#include "coordinator/batch.h"

struct writer;

struct writer_options {
	struct store *store;      /* borrowed; all its writing is the writer's from now on */
	int64_t retention_ms;     /* of ended sagas; 0: for ever */
	int64_t run_retention_ms; /* of history that no fold needs; 0: for ever */
};

int writer_start(const struct writer_options *options, struct writer **ret_writer,
				 struct err *err) MUST_CHECK;
/* Does what was handed over before, then ends. Takes NULL. */
void writer_stop(struct writer *writer);

/*
 * Locks: after a commit that asks for some or gives some back, and every now and then for what an
 * earlier process left, those that are free are granted. `granted` is told in whose slots (an entry
 * each), on the writer's thread; it must not block. NULL: nobody wants to know any more, which is
 * so when this returns. Thread: any but the writer's.
 */
void writer_on_granted(struct writer *writer, void (*granted)(void *ctx, const bool *slots),
					   void *ctx);

/* Hands a batch over; batch->done is called on the writer's thread. Thread: any. */
void writer_commit(struct writer *writer, struct batch *batch);

enum { WRITER_JOB_TRIES = 3 };

struct writer_job {
	struct mail mail;
	/*
	 * On the writer's thread; it takes the job back, unless it returns ERR_UNKNOWN: then the store
	 * is settled, and it is called again, up to WRITER_JOB_TRIES times in all (see tries).
	 */
	int (*run)(struct writer_job *job, struct store *store);
	int tries; /* the writer's: how often run was called before */
};
/* False when too many jobs wait, or the writer stops. Thread: any. */
bool writer_post(struct writer *writer, struct writer_job *job) MUST_CHECK;

struct writer_stats {
	int64_t commits, items, failures, commit_us_total, commit_us_max, retained;
};
/* Thread: any. */
void writer_stats(struct writer *writer, struct writer_stats *ret_stats);

#endif
