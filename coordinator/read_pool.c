/*
 * Each thread has a mailbox of its own; a job goes to the one with the shorter queue. Two threads
 * are enough: one keeps answering point reads while the other walks through a long history.
 */
#include "coordinator/read_pool.h"

#include <pthread.h>

enum { READ_THREADS = 2, READ_QUEUE_MAX = 512 };

struct read_thread {
	pthread_t thread;
	struct mailbox *box;
	struct store_reader *reader;
	bool started;
};

struct read_pool {
	struct store *store;
	struct read_thread threads[READ_THREADS];
};

enum read_mail { READ_JOB, READ_STOP };

static void *read_main(void *arg)
{
	struct read_thread *self = arg;
	bool stop = false;

	while (!stop) {
		struct mail *next = NULL;

		for (struct mail *mail = mailbox_drain(self->box, -1); mail; mail = next) {
			next = mail->next;
			if (mail->type == READ_STOP) {
				stop = true;
				free(mail);
			} else {
				struct read_job *job = CONTAINER_OF(mail, struct read_job, mail);

				job->run(job, self->reader);
			}
		}
	}
	return NULL;
}

static int start_thread(struct read_pool *pool, struct read_thread *self, struct err *err)
{
	int r;

	self->box = mailbox_new(READ_QUEUE_MAX);
	r = pool->store->ops->reader_open(pool->store, &self->reader, err);
	if (r < 0)
		return r;
	if (pthread_create(&self->thread, NULL, read_main, self) != 0)
		return err_set(err, ERR_UNAVAILABLE, "no thread for reads can be started");
	self->started = true;
	pthread_setname_np(self->thread, "skald-read");
	return 0;
}

int read_pool_start(struct store *store, struct read_pool **ret_pool, struct err *err)
{
	struct read_pool *pool = xcalloc(1, sizeof(*pool));
	int r;

	pool->store = store;
	for (int i = 0; i < READ_THREADS; i++) {
		r = start_thread(pool, &pool->threads[i], err);
		if (r < 0) {
			read_pool_stop(pool);
			return r;
		}
	}
	*ret_pool = pool;
	return 0;
}

void read_pool_stop(struct read_pool *pool)
{
	if (!pool)
		return;
	for (int i = 0; i < READ_THREADS; i++) {
		struct read_thread *self = &pool->threads[i];

		if (self->started) {
			struct mail *stop = xcalloc(1, sizeof(*stop));

			stop->type = READ_STOP;
			mailbox_post_reserved(self->box, stop);
			pthread_join(self->thread, NULL);
		}
		if (self->reader)
			pool->store->ops->reader_close(self->reader);
		mailbox_free(self->box);
	}
	free(pool);
}

bool read_pool_post(struct read_pool *pool, struct read_job *job)
{
	struct read_thread *best = &pool->threads[0];

	for (int i = 1; i < READ_THREADS; i++) {
		if (mailbox_length(pool->threads[i].box) < mailbox_length(best->box))
			best = &pool->threads[i];
	}
	job->mail.type = READ_JOB;
	return mailbox_post(best->box, &job->mail);
}
