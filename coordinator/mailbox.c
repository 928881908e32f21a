/*
 * A list under a mutex with a condition variable: the consumer takes the whole list at once, so it
 * holds the mutex once a turn, and producers wake it only when it sleeps.
 */
#include "coordinator/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "coordinator/clock.h"

struct mailbox {
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	struct mail *head, **tail;
	size_t length;   /* all that is in it */
	size_t capacity; /* of what mailbox_post may fill */
	bool closed;
	bool waiting; /* the consumer sleeps */
};

struct mailbox *mailbox_new(size_t capacity)
{
	struct mailbox *box = xcalloc(1, sizeof(*box));

	CHECK(pthread_mutex_init(&box->mutex, NULL) == 0);
	clock_cond_init(&box->filled);
	box->tail = &box->head;
	box->capacity = capacity;
	return box;
}

void mailbox_free(struct mailbox *box)
{
	if (!box)
		return;
	CHECK(!box->head);
	pthread_cond_destroy(&box->filled);
	pthread_mutex_destroy(&box->mutex);
	free(box);
}

/* Adds the mail, lets go of the mutex and wakes the consumer if it sleeps. */
static void add_and_unlock(struct mailbox *box, struct mail *mail)
{
	bool wake = box->waiting;

	mail->next = NULL;
	*box->tail = mail;
	box->tail = &mail->next;
	box->length++;
	box->waiting = false; /* one signal is enough for all that follows */
	pthread_mutex_unlock(&box->mutex);
	if (wake)
		pthread_cond_signal(&box->filled);
}

bool mailbox_post(struct mailbox *box, struct mail *mail)
{
	pthread_mutex_lock(&box->mutex);
	if (box->closed || box->length >= box->capacity) {
		pthread_mutex_unlock(&box->mutex);
		return false;
	}
	add_and_unlock(box, mail);
	return true;
}

void mailbox_post_reserved(struct mailbox *box, struct mail *mail)
{
	pthread_mutex_lock(&box->mutex);
	add_and_unlock(box, mail);
}

void mailbox_close(struct mailbox *box)
{
	pthread_mutex_lock(&box->mutex);
	box->closed = true;
	pthread_mutex_unlock(&box->mutex);
}

static struct timespec deadline_after(int64_t timeout_ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += timeout_ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* Waits until there is mail or the time is up. The mutex is held. */
static void wait_for_mail(struct mailbox *box, int64_t timeout_ms)
{
	struct timespec deadline;
	int r = 0;

	if (timeout_ms > 0)
		deadline = deadline_after(timeout_ms);
	while (!box->head && r != ETIMEDOUT) {
		box->waiting = true;
		if (timeout_ms < 0)
			r = pthread_cond_wait(&box->filled, &box->mutex);
		else
			r = pthread_cond_timedwait(&box->filled, &box->mutex, &deadline);
	}
	box->waiting = false;
}

struct mail *mailbox_drain(struct mailbox *box, int64_t timeout_ms)
{
	struct mail *list;

	pthread_mutex_lock(&box->mutex);
	if (!box->head && timeout_ms != 0)
		wait_for_mail(box, timeout_ms);
	list = box->head;
	box->head = NULL;
	box->tail = &box->head;
	box->length = 0;
	pthread_mutex_unlock(&box->mutex);
	return list;
}

size_t mailbox_length(struct mailbox *box)
{
	size_t length;

	pthread_mutex_lock(&box->mutex);
	length = box->length;
	pthread_mutex_unlock(&box->mutex);
	return length;
}
