/*
 * The decisions of membership: one step at a time, without a thread of its own (that is in
 * membership_thread.c), so that tests move the clock.
 */
#include "coordinator/membership.h"

#include <string.h>

#include "coordinator/log.h"
#include "coordinator/membership_priv.h"

struct member *member_new(const struct member_options *options)
{
	struct member *member = xcalloc(1, sizeof(*member));

	member->options = *options;
	member->options.address = NULL;
	member_set_address(member, options->address ? options->address : "");
	member->slot_count = options->store->ops->slot_count(options->store);
	member->slots = xcalloc((size_t)member->slot_count, sizeof(*member->slots));
	member->scratch = xcalloc((size_t)member->slot_count, sizeof(*member->scratch));
	member->got = xcalloc((size_t)member->slot_count, sizeof(*member->got));
	CHECK(pthread_mutex_init(&member->mutex, NULL) == 0);
	member__thread_init(member);
	return member;
}

void member_free(struct member *member)
{
	if (!member)
		return;
	while (member->leases) {
		struct lease *lease = member->leases;

		member->leases = lease->next;
		free(lease);
	}
	member__thread_release(member);
	pthread_mutex_destroy(&member->mutex);
	membership_release(&member->known);
	free(member->address);
	free(member->slots);
	free(member->scratch);
	free(member->got);
	free(member);
}

void member_set_address(struct member *member, const char *address)
{
	free(member->address);
	member->address = xstrdup(address);
}

static int64_t mono_ms(const struct member *member)
{
	return member->options.ports->mono_ms(member->options.ctx);
}

static bool flag(const bool *atomic)
{
	return __atomic_load_n(atomic, __ATOMIC_ACQUIRE);
}

/* Of the lease and the margin by which it ends earlier here than in the store. */
static int64_t lease_until(const struct member *member, int64_t sent_ms)
{
	return sent_ms + member->options.lease_ms - member->options.lease_ms / 10;
}

/* Gathers the slots of a state into scratch, and gives them another. */
static size_t move_slots(struct member *member, enum member_slot_state from,
						 enum member_slot_state to)
{
	size_t n = 0;

	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count; i++) {
		if (member->slots[i] != from)
			continue;
		member->slots[i] = to;
		member->scratch[n++] = i;
	}
	pthread_mutex_unlock(&member->mutex);
	return n;
}

static void lose_all(struct member *member, const char *why)
{
	size_t n = 0;

	log_warn("membership", NULL, "all slots are lost: %s", why);
	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count; i++) {
		if (member->slots[i] != NOT_MINE)
			member->scratch[n++] = i;
		member->slots[i] = NOT_MINE;
	}
	/* Never extended again: what was promised under it is not sent any more. */
	__atomic_store_n(&member->leases->until_ms, 0, __ATOMIC_RELEASE);
	member->joined = member->lapsed = false;
	member->stats.slots_lost += (int64_t)n;
	pthread_mutex_unlock(&member->mutex);
	member->options.ports->lost(member->options.ctx, member->scratch, n);
}

static bool lease_holds(const struct member *member, int64_t now)
{
	return member->joined && !__atomic_load_n(&member->lapsed, __ATOMIC_ACQUIRE) &&
		   now < member->leases->until_ms;
}

static void join(struct member *member)
{
	struct store *store = member->options.store;
	struct lease *lease;
	int64_t sent = mono_ms(member);
	struct err err;

	member->look_at = sent + member->options.lease_ms / 10;
	if (store->ops->node_join(store, member->address, member->options.lease_ms, member->id, &err) <
		0) {
		log_warn("membership", NULL, "cannot join the others: %s", err.text);
		return;
	}
	lease = xcalloc(1, sizeof(*lease));
	lease->until_ms = lease_until(member, sent);
	lease->next = member->leases;
	pthread_mutex_lock(&member->mutex);
	member->leases = lease;
	member->joined = true;
	member->lapsed = false;
	member->stats.joins++;
	pthread_mutex_unlock(&member->mutex);
	member->announced = false;
	member->renew_at = sent;
	log_info("membership", NULL, "node %s joined as %s", member->id, member->address);
}

static bool is_live(const struct node_row *node)
{
	return node->alive && !node->draining;
}

static void poke_others(struct member *member)
{
	const struct membership *known = &member->known;

	for (size_t i = 0; i < known->n_nodes && member->options.ports->poke; i++)
		if ((int)i != known->self && known->nodes[i].alive)
			member->options.ports->poke(member->options.ctx, known->nodes[i].address);
}

/* Slots of ours that the store gives to another: our lease had run out there. */
static void drop_taken(struct member *member)
{
	const struct membership *known = &member->known;
	size_t n = 0;

	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count; i++) {
		if (member->slots[i] == NOT_MINE || known->slot_owner[i] == known->self)
			continue;
		member->slots[i] = NOT_MINE;
		member->scratch[n++] = i;
	}
	member->stats.slots_lost += (int64_t)n;
	pthread_mutex_unlock(&member->mutex);
	if (n == 0)
		return;
	log_warn("membership", NULL, "%zu slots have another owner", n);
	member->options.ports->lost(member->options.ctx, member->scratch, n);
}

static void count_renewal(struct member *member, bool ok)
{
	pthread_mutex_lock(&member->mutex);
	member->stats.renewals += ok;
	member->stats.renewal_failures += !ok;
	pthread_mutex_unlock(&member->mutex);
}

/* True when the lease is renewed and what is known is fresh. */
static bool renew(struct member *member)
{
	struct store *store = member->options.store;
	const struct member_ports *ports = member->options.ports;
	struct membership fresh = {0};
	int64_t sent = mono_ms(member), now;
	struct err err;
	int r;

	r = store->ops->node_renew(store, flag(&member->draining), &fresh, &err);
	now = mono_ms(member);
	count_renewal(member, r == 0);
	member->renew_at = r < 0 ? now + member->options.lease_ms / 10
							 : sent + member->options.lease_ms / RENEWALS_A_LEASE;
	if (r < 0)
		log_warn("membership", NULL, "the lease was not renewed: %s", err.text);
	/* Renewed or not: what was answered too late may be too late for those who took the slots. */
	if (!lease_holds(member, now)) {
		membership_release(&fresh);
		lose_all(member, "the lease ran out before it was renewed");
		return false;
	}
	if (r < 0)
		return false;
	if (fresh.self < 0) {
		membership_release(&fresh);
		lose_all(member, "the store has forgotten this node");
		return false;
	}
	__atomic_store_n(&member->leases->until_ms, lease_until(member, sent), __ATOMIC_RELEASE);
	if (ports->store_clock)
		ports->store_clock(member->options.ctx, fresh.nodes[fresh.self].renewed_at,
						   sent + (now - sent) / 2);
	pthread_mutex_lock(&member->mutex);
	membership_release(&member->known);
	member->known = fresh;
	pthread_mutex_unlock(&member->mutex);
	drop_taken(member);
	return true;
}

/* Balance. */

static int count_live(const struct membership *known)
{
	int n = 0;

	for (size_t i = 0; i < known->n_nodes; i++)
		n += is_live(&known->nodes[i]) || (int)i == known->self;
	return n;
}

static size_t count_mine(struct member *member)
{
	size_t n = 0;

	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count; i++)
		n += member->slots[i] == MINE;
	pthread_mutex_unlock(&member->mutex);
	return n;
}

/* Nobody's, a dead node's, or ours in the store but not here (an answer was lost). */
static bool is_free(const struct member *member, int slot)
{
	int owner = member->known.slot_owner[slot];

	if (member->slots[slot] != NOT_MINE)
		return false;
	return owner < 0 || owner == member->known.self || !member->known.nodes[owner].alive;
}

/*
 * Up to `most` of the free slots into scratch. Several nodes look at the same free slots at the
 * same time: each begins at its own place among them.
 */
static size_t choose_free(struct member *member, size_t most, size_t n_live)
{
	const struct membership *known = &member->known;
	size_t n_free = 0, rank = 0, begin;

	for (int i = 0; i < known->self; i++)
		rank += is_live(&known->nodes[i]);
	pthread_mutex_lock(&member->mutex);
	for (int i = 0; i < member->slot_count; i++)
		if (is_free(member, i))
			member->scratch[n_free++] = i;
	pthread_mutex_unlock(&member->mutex);
	if (n_free == 0)
		return 0;
	begin = rank * n_free / n_live;
	/* Rotate so that ours come first; the rest stays behind them. */
	for (size_t i = 0; i < begin; i++) {
		int first = member->scratch[0];

		memmove(member->scratch, member->scratch + 1, (n_free - 1) * sizeof(int));
		member->scratch[n_free - 1] = first;
	}
	return n_free < most ? n_free : most;
}

static size_t note_gained(struct member *member, size_t n)
{
	size_t kept = 0;

	pthread_mutex_lock(&member->mutex);
	for (size_t i = 0; i < n; i++) {
		int slot = member->scratch[i], owner = member->known.slot_owner[slot];

		if (!member->got[i])
			continue;
		member->stats.slots_taken_over += owner >= 0 && owner != member->known.self;
		member->known.slot_owner[slot] = member->known.self;
		member->slots[slot] = MINE;
		member->scratch[kept++] = slot;
	}
	member->stats.slots_gained += (int64_t)kept;
	pthread_mutex_unlock(&member->mutex);
	return kept;
}

static void gain(struct member *member, size_t most, size_t n_live)
{
	struct store *store = member->options.store;
	size_t wanted = choose_free(member, most, n_live), n = 0;
	struct err err;

	if (wanted > 0) {
		memset(member->got, 0, wanted * sizeof(*member->got));
		if (store->ops->slots_acquire(store, member->scratch, wanted, member->got, &err) < 0) {
			log_warn("membership", NULL, "cannot take %zu slots: %s", wanted, err.text);
			memset(member->got, 0, wanted * sizeof(*member->got));
		}
		n = note_gained(member, wanted);
		if (n < wanted)
			member->renew_at = mono_ms(member) + member->options.lease_ms / 10;
	}
	if (n == 0 && member->announced)
		return;
	member->announced = true;
	if (n > 0)
		log_info("membership", NULL, "%zu slots gained", n);
	member->options.ports->gained(member->options.ctx, member->scratch, n,
								  &member->leases->until_ms);
	/* So that they know where these slots are, and give some up to one that is new. */
	poke_others(member);
}

static void give_up(struct member *member, size_t n_surplus)
{
	size_t n = 0;

	pthread_mutex_lock(&member->mutex);
	for (int i = member->slot_count - 1; i >= 0 && n < n_surplus; i--) {
		if (member->slots[i] != MINE)
			continue;
		member->slots[i] = GIVING_UP;
		member->scratch[n++] = i;
	}
	pthread_mutex_unlock(&member->mutex);
	log_info("membership", NULL, "%zu slots are given up", n);
	member->options.ports->release(member->options.ctx, member->scratch, n);
}

static void balance(struct member *member)
{
	size_t n_live = (size_t)count_live(&member->known);
	size_t share = ((size_t)member->slot_count + n_live - 1) / n_live;
	size_t mine = count_mine(member);

	if (flag(&member->giving_all))
		share = 0;
	if (mine > share)
		give_up(member, mine - share);
	else if (!flag(&member->draining))
		gain(member, share - mine, n_live);
}

/* What the engine has ended is another's to take. */
static void release_quiet(struct member *member)
{
	struct store *store = member->options.store;
	size_t n = move_slots(member, QUIET, NOT_MINE);
	struct err err;

	if (n == 0)
		return;
	member->release_failed = false;
	if (store->ops->slots_release(store, member->scratch, n, &err) < 0) {
		log_warn("membership", NULL, "cannot give up %zu slots: %s", n, err.text);
		pthread_mutex_lock(&member->mutex);
		for (size_t i = 0; i < n; i++)
			member->slots[member->scratch[i]] = QUIET;
		member->release_failed = true;
		pthread_mutex_unlock(&member->mutex);
		member->look_at = mono_ms(member) + member->options.lease_ms / 10;
		return;
	}
	pthread_mutex_lock(&member->mutex);
	for (size_t i = 0; i < n && member->known.slot_owner; i++)
		member->known.slot_owner[member->scratch[i]] = -1;
	member->stats.slots_released += (int64_t)n;
	pthread_mutex_unlock(&member->mutex);
	poke_others(member);
}

int64_t member_step(struct member *member)
{
	int64_t now = mono_ms(member), at;
	bool poked = __atomic_exchange_n(&member->poked, false, __ATOMIC_ACQ_REL);

	member->look_at = INT64_MAX;
	if (member->joined && !lease_holds(member, now))
		lose_all(member, "the lease ran out");
	if (!member->joined && flag(&member->giving_all))
		return INT64_MAX; /* there is nothing left to do */
	if (!member->joined)
		join(member);
	if (!member->joined)
		return member->look_at;
	release_quiet(member);
	if (poked || mono_ms(member) >= member->renew_at) {
		if (renew(member))
			balance(member);
		release_quiet(member);
	}
	if (!member->joined)
		return mono_ms(member); /* lost meanwhile: join again, at once */
	at = member->renew_at < member->leases->until_ms ? member->renew_at : member->leases->until_ms;
	return member->look_at < at ? member->look_at : at;
}
