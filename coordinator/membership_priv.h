/* What membership.c and membership_thread.c share. */
#ifndef COORDINATOR_MEMBERSHIP_PRIV_H
#define COORDINATOR_MEMBERSHIP_PRIV_H

#include <pthread.h>

#include "coordinator/membership.h"
#include "sagas/base/macros.h"

enum { RENEWALS_A_LEASE = 3 };

/*
 *   NOT_MINE --acquired--> MINE --above the share--> GIVING_UP --engine--> QUIET --store-->
 * NOT_MINE
 */
enum member_slot_state { NOT_MINE, MINE, GIVING_UP, QUIET };

/* One for each time that the node joined; who acts under an old one finds that it has ended. */
struct lease {
	struct lease *next;
	int64_t until_ms; /* atomic, on the monotonic clock */
};

struct member {
	struct member_options options;
	char *address;
	int slot_count;

	/* Of the thread that steps. */
	char id[NODE_ID_SIZE];
	bool announced; /* the engine was told of slots since the node joined */
	int64_t renew_at, look_at;
	bool release_failed; /* it is tried again at look_at, not at once */
	int *scratch;        /* slot_count, as got */
	bool *got;

	/* Atomic. */
	bool poked, draining, giving_all;

	/* The thread that steps writes these under the mutex, and reads them without. */
	pthread_mutex_t mutex;
	bool joined;
	bool lapsed;          /* the engine says so */
	struct lease *leases; /* the newest first */
	struct membership known;
	unsigned char *slots; /* enum member_slot_state; GIVING_UP ends by others */
	struct member_stats stats;

	/* membership_thread.c */
	pthread_t thread;
	pthread_cond_t wake;
	bool running, stopping;
};

void member__thread_init(struct member *member);
void member__thread_release(struct member *member);

#endif
