#include "coordinator/writer.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/failpoint.h"
#include "coordinator/log.h"

enum {
	JOBS_MAX = 256,
	IDLE_AFTER_MS = 250,         /* without a commit, the store is tended */
	RETAIN_LIMIT = 100,          /* sagas removed in one go */
	RETAIN_EVERY_MS = 60 * 1000, /* when there was nothing more to remove */
	RETAIN_AGAIN_MS = 20,        /* when there was */
	RETAIN_LOOK_MS = 1000,       /* when only a part was looked at */
	RETAIN_FIRST_MS = 2000,      /* after the start: a process that lives shortly removes, too */
	SETTLE_EVERY_MS = 200,
	GRANT_EVERY_MS = 10 * 1000, /* locks that nobody has looked at are looked at, */
	GRANT_FIRST_MS = 1000,      /* after the start, */
	GRANT_AGAIN_MS = 500,       /* also after an error, */
	GRANT_ROUNDS = 20,          /* and before the next commit so often at most */
};

enum writer_mail { WRITER_BATCH, WRITER_JOB, WRITER_STOP };

struct writer {
	pthread_t thread;
	struct mailbox *box;
	struct mail stop;
	bool stopping; /* atomic: settling gives up */
	/* The thread's own. */
	struct store *store;
	int64_t retention_ms, run_retention_ms;
	int64_t retain_at_ms; /* monotonic */
	bool untended;        /* written to since the store was last tended */
	int64_t grant_at_ms;  /* monotonic */
	bool *touched;        /* of each slot: a lock of it was granted */

	pthread_mutex_t mutex;
	struct writer_stats stats;
	void (*granted)(void *ctx, const bool *slots);
	void *granted_ctx;
};

static void wait_a_moment(int64_t ms)
{
	struct timespec moment = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&moment, NULL);
}

/* Until nothing of the last commit can land any more, or the process ends anyway. */
static void settle(struct writer *writer)
{
	const struct store_ops *ops = writer->store->ops;
	struct err err;

	while (ops->settle(writer->store, &err) < 0) {
		log_error("writer", NULL, "the last commit is not settled yet: %s", err.text);
		if (__atomic_load_n(&writer->stopping, __ATOMIC_RELAXED))
			return;
		wait_a_moment(SETTLE_EVERY_MS);
	}
}

static void count_commit(struct writer *writer, const struct batch *batch)
{
	struct writer_stats *stats = &writer->stats;

	pthread_mutex_lock(&writer->mutex);
	if (batch->result < 0) {
		stats->failures++;
	} else {
		stats->commits++;
		stats->items += (int64_t)batch->n;
		stats->commit_us_total += batch->commit_us;
		if (batch->commit_us > stats->commit_us_max)
			stats->commit_us_max = batch->commit_us;
	}
	pthread_mutex_unlock(&writer->mutex);
}

static bool changes_locks(const struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		if (batch->items[i].n_locks > 0 || batch->items[i].release_all_locks)
			return true;
	return false;
}

static void commit(struct writer *writer, struct batch *batch)
{
	const struct store_ops *ops = writer->store->ops;
	int64_t begun_us = clock_mono_us();

	failpoint(FP_COMMIT_BEFORE);
	batch->result = ops->commit(writer->store, batch->items, batch->n, &batch->err);
	batch->commit_us = clock_mono_us() - begun_us;
	failpoint(FP_COMMIT_AFTER);
	if (batch->result == ERR_UNKNOWN)
		settle(writer);
	writer->untended = true;
	count_commit(writer, batch);
	if (batch->result == 0 && changes_locks(batch))
		writer->grant_at_ms = 0;
	batch->done(batch);
	failpoint(FP_COMMIT_POSTED);
}

static void tell_granted(struct writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	if (writer->granted)
		writer->granted(writer->granted_ctx, writer->touched);
	pthread_mutex_unlock(&writer->mutex);
}

/* What is free goes to who is first in line for it. */
static void grant(struct writer *writer)
{
	const struct store_ops *ops = writer->store->ops;
	struct err err;
	int r = 1;

	memset(writer->touched, 0, SLOTS_MAX * sizeof(*writer->touched));
	for (int i = 0; i < GRANT_ROUNDS && r > 0; i++) {
		failpoint(FP_GRANT_BEFORE);
		r = ops->locks_grant(writer->store, clock_wall(), writer->touched, &err);
		failpoint(FP_GRANT_AFTER);
	}
	writer->grant_at_ms = clock_mono_ms() + (r == 0 ? GRANT_EVERY_MS : r > 0 ? 0 : GRANT_AGAIN_MS);
	if (r == ERR_UNKNOWN)
		settle(writer);
	else if (r < 0)
		log_warn("writer", NULL, "locks could not be granted now: %s", err.text);
	/* An unknown commit may have granted what is not marked; its owner reads its inbox anyway. */
	tell_granted(writer);
}

static void run_job(struct writer *writer, struct writer_job *job)
{
	writer->untended = true;
	job->tries = 0;
	while (job->run(job, writer->store) == ERR_UNKNOWN) {
		settle(writer);
		job->tries++;
	}
}

static void tend(struct writer *writer)
{
	struct err err;

	writer->untended = false;
	failpoint(FP_CHECKPOINT_BEFORE);
	if (writer->store->ops->idle(writer->store, &err) < 0)
		log_warn("writer", NULL, "the store could not be tended: %s", err.text);
	failpoint(FP_CHECKPOINT_AFTER);
}

/* What `remove` takes away of what is so old; up to RETAIN_LIMIT. */
static int retain(struct writer *writer, int64_t keep_ms,
				  int (*remove)(struct store *store, wall_ms before, int limit, int *ret_n,
								struct err *err))
{
	struct err err;
	int64_t wait_ms = RETAIN_EVERY_MS;
	int r, n = 0;

	r = remove(writer->store, clock_wall() - keep_ms, RETAIN_LIMIT, &n, &err);
	if (r == ERR_UNKNOWN)
		settle(writer);
	if (r < 0) {
		log_warn("writer", NULL, "what is too old could not be removed: %s", err.text);
		return 0;
	}
	if (n > 0)
		writer->untended = true;
	if (n >= RETAIN_LIMIT)
		wait_ms = RETAIN_AGAIN_MS;
	else if (r > 0)
		wait_ms = RETAIN_LOOK_MS;
	if (clock_mono_ms() + wait_ms < writer->retain_at_ms)
		writer->retain_at_ms = clock_mono_ms() + wait_ms;
	return n;
}

/* Sagas that have ended, and the parts of histories that no fold needs any more. */
static void retain_all(struct writer *writer)
{
	const struct store_ops *ops = writer->store->ops;
	int n = 0;

	failpoint(FP_RETAIN_BEFORE);
	writer->retain_at_ms = clock_mono_ms() + RETAIN_EVERY_MS;
	if (writer->retention_ms > 0)
		n = retain(writer, writer->retention_ms, ops->retain);
	if (writer->run_retention_ms > 0)
		retain(writer, writer->run_retention_ms, ops->history_trim);
	pthread_mutex_lock(&writer->mutex);
	writer->stats.retained += n;
	pthread_mutex_unlock(&writer->mutex);
}

static bool retains(const struct writer *writer)
{
	return writer->retention_ms > 0 || writer->run_retention_ms > 0;
}

/* How long to wait for mail before something is to be done without any. */
static int64_t patience_ms(const struct writer *writer)
{
	int64_t patience = writer->untended ? IDLE_AFTER_MS : -1;
	int64_t grant = writer->grant_at_ms - clock_mono_ms();

	if (retains(writer)) {
		int64_t left = writer->retain_at_ms - clock_mono_ms();

		if (left < 0)
			left = 0;
		if (patience < 0 || left < patience)
			patience = left;
	}
	if (grant < 0)
		grant = 0;
	if (patience < 0 || grant < patience)
		patience = grant;
	return patience;
}

static bool handle(struct writer *writer, struct mail *mail)
{
	switch ((enum writer_mail)mail->type) {
	case WRITER_BATCH:
		commit(writer, CONTAINER_OF(mail, struct batch, mail));
		return true;
	case WRITER_JOB:
		run_job(writer, CONTAINER_OF(mail, struct writer_job, mail));
		return true;
	case WRITER_STOP:
		return false;
	}
	return false;
}

/* Thread: writer. */
static void *writer_main(void *arg)
{
	struct writer *writer = arg;
	bool going = true;

	while (going) {
		int64_t patience = patience_ms(writer);
		struct mail *mail = mailbox_drain(writer->box, patience);

		if (!mail && patience == IDLE_AFTER_MS)
			tend(writer);
		while (mail) {
			struct mail *next = mail->next;

			going &= handle(writer, mail);
			mail = next;
		}
		if (going && clock_mono_ms() >= writer->grant_at_ms)
			grant(writer);
		if (going && retains(writer) && clock_mono_ms() >= writer->retain_at_ms)
			retain_all(writer);
	}
	return NULL;
}

int writer_start(const struct writer_options *options, struct writer **ret_writer, struct err *err)
{
	struct writer *writer = xcalloc(1, sizeof(*writer));

	clock_start();
	writer->store = options->store;
	writer->retention_ms = options->retention_ms;
	writer->run_retention_ms = options->run_retention_ms;
	writer->retain_at_ms = clock_mono_ms() + RETAIN_FIRST_MS;
	writer->grant_at_ms = clock_mono_ms() + GRANT_FIRST_MS;
	writer->box = mailbox_new(JOBS_MAX);
	writer->touched = xcalloc(SLOTS_MAX, sizeof(*writer->touched));
	CHECK(pthread_mutex_init(&writer->mutex, NULL) == 0);
	if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
		pthread_mutex_destroy(&writer->mutex);
		mailbox_free(writer->box);
		free(writer->touched);
		free(writer);
		return err_set(err, ERR_UNAVAILABLE, "cannot start the writer's thread");
	}
	pthread_setname_np(writer->thread, "skald-writer");
	*ret_writer = writer;
	return 0;
}

void writer_stop(struct writer *writer)
{
	if (!writer)
		return;
	__atomic_store_n(&writer->stopping, true, __ATOMIC_RELAXED);
	mailbox_close(writer->box);
	writer->stop.type = WRITER_STOP;
	mailbox_post_reserved(writer->box, &writer->stop);
	pthread_join(writer->thread, NULL);
	mailbox_free(writer->box);
	pthread_mutex_destroy(&writer->mutex);
	free(writer->touched);
	free(writer);
}

void writer_on_granted(struct writer *writer, void (*granted)(void *ctx, const bool *slots),
					   void *ctx)
{
	pthread_mutex_lock(&writer->mutex);
	writer->granted = granted;
	writer->granted_ctx = ctx;
	pthread_mutex_unlock(&writer->mutex);
}

void writer_commit(struct writer *writer, struct batch *batch)
{
	batch->mail.type = WRITER_BATCH;
	mailbox_post_reserved(writer->box, &batch->mail);
}

bool writer_post(struct writer *writer, struct writer_job *job)
{
	job->mail.type = WRITER_JOB;
	return mailbox_post(writer->box, &job->mail);
}

void writer_stats(struct writer *writer, struct writer_stats *ret_stats)
{
	pthread_mutex_lock(&writer->mutex);
	*ret_stats = writer->stats;
	pthread_mutex_unlock(&writer->mutex);
}
