/* The thread around member_step, and what other threads say to it and ask of it. */
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/log.h"
#include "coordinator/membership_priv.h"

void member__thread_init(struct member *member)
{
	clock_cond_init(&member->wake);
}

void member__thread_release(struct member *member)
{
	CHECK(!member->running);
	pthread_cond_destroy(&member->wake);
}

static bool has_quiet(const struct member *member)
{
	for (int i = 0; i < member->slot_count && !member->release_failed; i++)
		if (member->slots[i] == QUIET)
			return true;
	return false;
}

/* Until the time, or until somebody has something to say. */
static void wait_until(struct member *member, int64_t at_ms)
{
	struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	int r = 0;

	if (at_ms > clock_mono_ms() + 3600 * 1000)
		until.tv_sec = clock_mono_us() / 1000000 + 3600;
	pthread_mutex_lock(&member->mutex);
	while (r == 0 && !member->stopping && !member->lapsed &&
		   !__atomic_load_n(&member->poked, __ATOMIC_ACQUIRE) && !has_quiet(member))
		r = pthread_cond_timedwait(&member->wake, &member->mutex, &until);
	pthread_mutex_unlock(&member->mutex);
}

/* Thread: membership. */
static void *member_main(void *arg)
{
	struct member *member = arg;

	while (!__atomic_load_n(&member->stopping, __ATOMIC_ACQUIRE))
		wait_until(member, member_step(member));
	return NULL;
}

int member_start(struct member *member, struct err *err)
{
	if (pthread_create(&member->thread, NULL, member_main, member) != 0)
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of membership");
	pthread_setname_np(member->thread, "skald-member");
	member->running = true;
	return 0;
}

static void wake(struct member *member)
{
	pthread_mutex_lock(&member->mutex);
	pthread_cond_broadcast(&member->wake);
	pthread_mutex_unlock(&member->mutex);
}

void member_poke(struct member *member)
{
	__atomic_store_n(&member->poked, true, __ATOMIC_RELEASE);
	wake(member);
}

void member_announce_drain(struct member *member)
{
	__atomic_store_n(&member->draining, true, __ATOMIC_RELEASE);
	member_poke(member);
}

void member_drain(struct member *member)
{
	__atomic_store_n(&member->draining, true, __ATOMIC_RELEASE);
	__atomic_store_n(&member->giving_all, true, __ATOMIC_RELEASE);
	member_poke(member);
}

static bool holds_any(struct member *member)
{
	bool any = false;

	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count && member->joined; i++)
		any |= member->slots[i] != NOT_MINE;
	pthread_mutex_unlock(&member->mutex);
	return any;
}

static void leave(struct member *member)
{
	struct store *store = member->options.store;
	struct err err;

	if (member->joined && store->ops->node_leave(store, &err) < 0)
		log_warn("membership", NULL, "the store did not hear that this node leaves: %s", err.text);
	member->joined = false;
}

void member_stop(struct member *member, int64_t timeout_ms)
{
	int64_t give_up_us = clock_mono_us() + timeout_ms * 1000;
	struct timespec moment = {.tv_nsec = 2 * 1000000};

	if (!member->running)
		return;
	member_drain(member);
	while (holds_any(member) && clock_mono_us() < give_up_us)
		nanosleep(&moment, NULL);
	pthread_mutex_lock(&member->mutex);
	__atomic_store_n(&member->stopping, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&member->wake);
	pthread_mutex_unlock(&member->mutex);
	pthread_join(member->thread, NULL);
	member->running = false;
	leave(member);
}

void member_released(struct member *member, int slot)
{
	pthread_mutex_lock(&member->mutex);
	if (member->slots[slot] == GIVING_UP)
		member->slots[slot] = QUIET;
	pthread_cond_broadcast(&member->wake);
	pthread_mutex_unlock(&member->mutex);
}

void member_fenced(struct member *member, int slot)
{
	pthread_mutex_lock(&member->mutex);
	member->slots[slot] = NOT_MINE;
	member->stats.slots_lost++;
	pthread_mutex_unlock(&member->mutex);
	member_poke(member);
}

void member_lapsed(struct member *member, const int64_t *lease_until_ms)
{
	pthread_mutex_lock(&member->mutex);
	if (member->joined && &member->leases->until_ms == lease_until_ms)
		__atomic_store_n(&member->lapsed, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&member->wake);
	pthread_mutex_unlock(&member->mutex);
}

enum slot_place member_slot(struct member *member, int slot, char ret_address[NODE_ADDRESS_SIZE])
{
	enum slot_place place = SLOT_UNKNOWN;
	const struct membership *known = &member->known;

	if (slot < 0 || slot >= member->slot_count)
		return SLOT_UNKNOWN;
	pthread_mutex_lock(&member->mutex);
	if (member->joined && member->slots[slot] == MINE) {
		place = SLOT_HERE;
	} else if (known->slot_owner && known->slot_owner[slot] >= 0 &&
			   known->slot_owner[slot] != known->self &&
			   known->nodes[known->slot_owner[slot]].alive) {
		place = SLOT_THERE;
		memcpy(ret_address, known->nodes[known->slot_owner[slot]].address, NODE_ADDRESS_SIZE);
	}
	pthread_mutex_unlock(&member->mutex);
	return place;
}

void member_stats(struct member *member, struct member_stats *ret_stats)
{
	int64_t now = member->options.ports->mono_ms(member->options.ctx);

	pthread_mutex_lock(&member->mutex);
	*ret_stats = member->stats;
	for (int i = 0; i < member->slot_count; i++)
		ret_stats->slots_owned += member->slots[i] == MINE || member->slots[i] == GIVING_UP;
	for (size_t i = 0; i < member->known.n_nodes; i++)
		ret_stats->nodes_alive += member->known.nodes[i].alive;
	if (member->joined)
		ret_stats->lease_left_ms = member->leases->until_ms - now;
	pthread_mutex_unlock(&member->mutex);
	if (ret_stats->lease_left_ms < 0)
		ret_stats->lease_left_ms = 0;
}
