/*
 * This node's membership: its lease in the store, its share of the slots, and what it knows of the
 * other nodes. A store of one process has none of this.
 *
 *              join             renew every lease/3
 *   outside ----------> member ---------------------.
 *      ^                  |  ^______________________|
 *      '--- lease ran out, or the store says that it is gone: all slots are lost at once
 *
 * Each renewal brings the list of nodes. The fair share is the slots by the live nodes that do not
 * drain, rounded up: below it a node takes slots that are free or whose owner is dead, above it it
 * gives some up, after the engine has ended what is uncommitted in them.
 *
 * The lease counts from before a renewal was sent, on the monotonic clock, less a margin: so it
 * ends here before it ends in the store. Whoever acts on it (the engine, the HTTP client) looks at
 * the same number, and not whether this thread has found the time to say so.
 *
 * What it does not do: elect anybody. Who has a slot is decided by the store, in each commit.
 */
#ifndef COORDINATOR_MEMBERSHIP_H
#define COORDINATOR_MEMBERSHIP_H

#include "connectors/store.h"

struct member;

struct member_ports {
	int64_t (*mono_ms)(void *ctx);
	/* The slots are ours as long as the lease, which may be read atomically at any time; its
	 * address stays valid until member_free. Called once after each joining, perhaps with n 0. */
	void (*gained)(void *ctx, const int *slots, size_t n, const int64_t *lease_until_ms);
	void (*lost)(void *ctx, const int *slots, size_t n);
	/* They are to be given up: member_released is called for each when it is quiet. */
	void (*release)(void *ctx, const int *slots, size_t n);
	/* The other node should look at the store now. Best effort; may be NULL. */
	void (*poke)(void *ctx, const char *address);
	/* What the store's clock said at this moment of the monotonic one; may be NULL. */
	void (*store_clock)(void *ctx, wall_ms at, int64_t mono_ms);
};

struct member_options {
	struct store *store; /* borrowed; has node_join and the like */
	const char *address; /* where other nodes reach this one's API */
	int64_t lease_ms;
	const struct member_ports *ports;
	void *ctx;
};

struct member *member_new(const struct member_options *options) MUST_CHECK;
void member_free(struct member *member); /* takes NULL */
/* Known when the server listens, which is after member_new; before the first step. */
void member_set_address(struct member *member, const char *address);

/*
 * Looks: whether the lease still holds, whether it is to be renewed, who has which slot. Returns
 * when it wants to look again at the latest, on the monotonic clock. Thread: one.
 */
int64_t member_step(struct member *member);
/* Gives all slots up, takes no more, and tells the others so. Thread: any. */
void member_drain(struct member *member);

/* A thread that steps. */
int member_start(struct member *member, struct err *err) MUST_CHECK;
/* Takes no more slots from now on, and says so to the others; keeps what it has. Thread: any. */
void member_announce_drain(struct member *member);
/* Gives all slots up, for at most timeout_ms; leaves; ends the thread. */
void member_stop(struct member *member, int64_t timeout_ms);

/* What the engine has to say. Thread: any. */
void member_released(struct member *member, int slot);
void member_fenced(struct member *member, int slot);
/* The lease ran out, and the engine has dropped all. */
void member_lapsed(struct member *member, const int64_t *lease_until_ms);
/* Look at the store now. */
void member_poke(struct member *member);

enum slot_place { SLOT_HERE, SLOT_THERE, SLOT_UNKNOWN };
/* Who has the slot, as of the last renewal. THERE: ret_address is its owner's. Thread: any. */
enum slot_place member_slot(struct member *member, int slot, char ret_address[NODE_ADDRESS_SIZE]);

struct member_stats {
	int64_t slots_owned, lease_left_ms, nodes_alive;
	int64_t joins, renewals, renewal_failures, slots_gained, slots_lost, slots_released,
		slots_taken_over; /* … of these gained, from an owner whose lease had run out */
};
/* Thread: any. */
void member_stats(struct member *member, struct member_stats *ret_stats);

#endif
