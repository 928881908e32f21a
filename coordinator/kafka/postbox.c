/*
 * One job of the writer is out at a time, and takes all that has come meanwhile, up to what the
 * store takes in one call.
 */
#include "coordinator/kafka/postbox.h"

#include <pthread.h>
#include <stdlib.h>

enum { PUT_MAX_BYTES = 8 * 1024 * 1024 };

struct postbox {
	struct writer *writer;
	const struct owners *owners;
	struct writer_job job;
	/* Of the job that is out. */
	struct parcel *going[STORE_PUT_MAX];
	struct inbox_row rows[STORE_PUT_MAX];
	size_t n;
	bool touched[SLOTS_MAX];

	pthread_mutex_t mutex; /* of all that follows */
	struct parcel *head, **tail;
	bool out;
};

static int run(struct writer_job *job, struct store *store);

struct postbox *postbox_new(struct writer *writer, const struct owners *owners)
{
	struct postbox *postbox = xcalloc(1, sizeof(*postbox));

	postbox->writer = writer;
	postbox->owners = owners;
	postbox->job.run = run;
	postbox->tail = &postbox->head;
	CHECK(pthread_mutex_init(&postbox->mutex, NULL) == 0);
	return postbox;
}

void postbox_free(struct postbox *postbox)
{
	if (!postbox)
		return;
	CHECK(!postbox->head);
	pthread_mutex_destroy(&postbox->mutex);
	free(postbox);
}

/* Takes what goes with the next job; false when nothing waits. */
static bool take(struct postbox *postbox)
{
	size_t bytes = 0;

	pthread_mutex_lock(&postbox->mutex);
	postbox->n = 0;
	while (postbox->head && postbox->n < STORE_PUT_MAX && bytes < PUT_MAX_BYTES) {
		struct parcel *parcel = postbox->head;

		postbox->head = parcel->next;
		bytes += parcel->row.message_len;
		postbox->rows[postbox->n] = parcel->row;
		postbox->going[postbox->n++] = parcel;
	}
	if (!postbox->head)
		postbox->tail = &postbox->head;
	postbox->out = postbox->n > 0;
	pthread_mutex_unlock(&postbox->mutex);
	return postbox->n > 0;
}

static void end(struct postbox *postbox, int result)
{
	for (int slot = 0; slot < postbox->owners->slot_count; slot++)
		postbox->touched[slot] = false;
	for (size_t i = 0; i < postbox->n; i++) {
		postbox->touched[postbox->rows[i].slot] = true;
		postbox->going[i]->done(postbox->going[i], result);
	}
	if (result == 0)
		owners_wake(postbox->owners, postbox->touched);
}

static void go_on(struct postbox *postbox)
{
	while (take(postbox)) {
		postbox->job.tries = 0;
		if (writer_post(postbox->writer, &postbox->job))
			return;
		end(postbox, ERR_UNAVAILABLE);
	}
}

/* Thread: writer. */
static int run(struct writer_job *job, struct store *store)
{
	struct postbox *postbox = CONTAINER_OF(job, struct postbox, job);
	struct err err;
	int r = store->ops->inbox_put(store, postbox->rows, postbox->n, &err);

	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	end(postbox, r);
	go_on(postbox);
	return 0;
}

void postbox_put(struct postbox *postbox, struct parcel *parcel)
{
	bool out;

	parcel->next = NULL;
	pthread_mutex_lock(&postbox->mutex);
	*postbox->tail = parcel;
	postbox->tail = &parcel->next;
	out = postbox->out;
	postbox->out = true;
	pthread_mutex_unlock(&postbox->mutex);
	if (!out)
		go_on(postbox);
}
