/*
 * A thread around an unsorted list: waits are as many as there are connections that wait at a node
 * that does not own their sagas, which is few, and each wakes a few times a second.
 */
#include "coordinator/waits.h"

#include <pthread.h>
#include <time.h>

#include "coordinator/clock.h"

struct waits {
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	struct wait *first;
	bool ended, stop;
};

static void unlink_wait(struct waits *waits, struct wait *wait)
{
	if (wait->prev)
		wait->prev->next = wait->next;
	else
		waits->first = wait->next;
	if (wait->next)
		wait->next->prev = wait->prev;
	wait->in = false;
}

/* Moves what is over to a list of its own; it may be freed as soon as its over was called. */
static struct wait *take_over(struct waits *waits, int64_t now_us, bool all, int64_t *ret_next_us)
{
	struct wait *over = NULL, *next;

	*ret_next_us = 0;
	for (struct wait *wait = waits->first; wait; wait = next) {
		next = wait->next;
		if (all || (wait->until_us > 0 && wait->until_us <= now_us)) {
			unlink_wait(waits, wait);
			wait->next = over;
			over = wait;
		} else if (wait->until_us > 0 && (*ret_next_us == 0 || wait->until_us < *ret_next_us)) {
			*ret_next_us = wait->until_us;
		}
	}
	return over;
}

static void call_over(struct wait *over)
{
	struct wait *next;

	for (; over; over = next) {
		next = over->next;
		over->over(over);
	}
}

static void *waits_main(void *arg)
{
	struct waits *waits = arg;
	int64_t next_us;

	pthread_mutex_lock(&waits->lock);
	while (!waits->stop) {
		struct wait *over = take_over(waits, clock_mono_us(), false, &next_us);

		if (over) {
			pthread_mutex_unlock(&waits->lock);
			call_over(over);
			pthread_mutex_lock(&waits->lock);
		} else if (next_us > 0) {
			struct timespec until = {.tv_sec = next_us / 1000000,
									 .tv_nsec = next_us % 1000000 * 1000};

			pthread_cond_timedwait(&waits->changed, &waits->lock, &until);
		} else {
			pthread_cond_wait(&waits->changed, &waits->lock);
		}
	}
	pthread_mutex_unlock(&waits->lock);
	return NULL;
}

int waits_start(struct waits **ret_waits, struct err *err)
{
	struct waits *waits = xcalloc(1, sizeof(*waits));

	CHECK(pthread_mutex_init(&waits->lock, NULL) == 0);
	clock_cond_init(&waits->changed);
	if (pthread_create(&waits->thread, NULL, waits_main, waits) != 0) {
		pthread_cond_destroy(&waits->changed);
		pthread_mutex_destroy(&waits->lock);
		free(waits);
		return err_set(err, ERR_UNAVAILABLE, "no thread for waits can be started");
	}
	pthread_setname_np(waits->thread, "skald-waits");
	*ret_waits = waits;
	return 0;
}

bool waits_add(struct waits *waits, struct wait *wait)
{
	bool taken;

	pthread_mutex_lock(&waits->lock);
	taken = !waits->ended;
	if (taken) {
		wait->prev = NULL;
		wait->next = waits->first;
		if (wait->next)
			wait->next->prev = wait;
		waits->first = wait;
		wait->in = true;
		if (wait->until_us > 0)
			pthread_cond_signal(&waits->changed);
	}
	pthread_mutex_unlock(&waits->lock);
	return taken;
}

bool waits_remove(struct waits *waits, struct wait *wait)
{
	bool was_in;

	pthread_mutex_lock(&waits->lock);
	was_in = wait->in;
	if (was_in)
		unlink_wait(waits, wait);
	pthread_mutex_unlock(&waits->lock);
	return was_in;
}

void waits_end(struct waits *waits)
{
	struct wait *over;
	int64_t next_us;

	if (!waits)
		return;
	pthread_mutex_lock(&waits->lock);
	waits->ended = true;
	over = take_over(waits, 0, true, &next_us);
	pthread_mutex_unlock(&waits->lock);
	call_over(over);
}

void waits_stop(struct waits *waits)
{
	if (!waits)
		return;
	pthread_mutex_lock(&waits->lock);
	CHECK(!waits->first);
	waits->stop = true;
	pthread_cond_signal(&waits->changed);
	pthread_mutex_unlock(&waits->lock);
	pthread_join(waits->thread, NULL);
	pthread_cond_destroy(&waits->changed);
	pthread_mutex_destroy(&waits->lock);
	free(waits);
}
