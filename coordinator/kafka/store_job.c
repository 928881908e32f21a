#include "coordinator/kafka/store_job.h"

#include <pthread.h>

struct waited_job {
	struct writer_job job;
	int (*run)(void *ctx, struct store *store, struct err *err);
	void *ctx;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	bool over;
	int result;
	struct err err;
};

/* Thread: writer. */
static int run_waited(struct writer_job *job, struct store *store)
{
	struct waited_job *waited = CONTAINER_OF(job, struct waited_job, job);
	int r = waited->run(waited->ctx, store, &waited->err);

	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	pthread_mutex_lock(&waited->mutex);
	waited->result = r;
	waited->over = true;
	pthread_cond_signal(&waited->ended);
	pthread_mutex_unlock(&waited->mutex);
	return 0;
}

int store_job_run(struct writer *writer,
				  int (*run)(void *ctx, struct store *store, struct err *err), void *ctx,
				  struct err *err)
{
	struct waited_job waited = {
		.job = {.run = run_waited},
		.run = run,
		.ctx = ctx,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
	};

	if (!writer_post(writer, &waited.job))
		return err_set(err, ERR_UNAVAILABLE, "the store writer takes no more work now");
	pthread_mutex_lock(&waited.mutex);
	while (!waited.over)
		pthread_cond_wait(&waited.ended, &waited.mutex);
	pthread_mutex_unlock(&waited.mutex);
	pthread_cond_destroy(&waited.ended);
	pthread_mutex_destroy(&waited.mutex);
	if (waited.result < 0 && err)
		*err = waited.err;
	return waited.result;
}
