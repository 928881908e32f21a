/*
 * What the two halves of the adapter over Redis share: what callers post (idempotency_redis.c), and
 * the thread that carries it out (idempotency_redis_thread.c).
 */
#ifndef CONNECTORS_IDEMPOTENCY_REDIS_PRIV_H
#define CONNECTORS_IDEMPOTENCY_REDIS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "connectors/idempotency_redis.h"
#include "connectors/redis_link.h"

enum {
	SENT_MAX = 1024,       /* requests whose answers are out at a time */
	RENEW_AFTER_MS = 5000, /* between two looks for a master, when this one is read-only */
	DEFAULT_TIMEOUT_MS = 50,
	DEFAULT_TTL_MS = 24 * 60 * 60 * 1000,
	DEFAULT_FAILURES = 3,
	DEFAULT_OPEN_MIN_MS = 200,
	DEFAULT_OPEN_MAX_MS = 10000,
	VALUE_BYTES = 2 + (SAGA_ID_SIZE - 1) + 1 + (SHA256_HEX_SIZE - 1),
	KEY_SIZE = REDIS_KEY_PREFIX_MAX + SHA256_HEX_SIZE,
};

enum request_kind { REQUEST_FIND, REQUEST_PEEK, REQUEST_REMEMBER, REQUEST_FORGET };

struct request {
	struct request *next;
	enum request_kind kind;
	int n_answers; /* that are still due */
	int64_t started_us, deadline_us;
	struct idempotency_lookup *lookup; /* not of REMEMBER */
	char key[KEY_SIZE];
	char value[VALUE_BYTES + 1]; /* of REMEMBER */
};

struct request_list {
	struct request *first, **last;
	size_t n;
};

typedef _Atomic int64_t counter;

struct idempotency_redis {
	struct idempotency idempotency;
	struct redis_url url;
	char prefix[REDIS_KEY_PREFIX_MAX + 1];
	char probe_key[REDIS_KEY_PREFIX_MAX + sizeof("probe")];
	char ttl_text[24];
	struct idempotency_redis_options options; /* its texts are gone */
	pthread_t thread;
	int wake_fd;

	pthread_mutex_t mutex;
	struct request_list lookups, writes; /* under mutex */
	bool sleeping, stop;                 /* under mutex */
	_Atomic int circuit;                 /* written under mutex */

	/* The thread's own. */
	struct redis_link *link;
	struct request_list sent;
	bool unsent;  /* some bytes did not fit into the socket */
	int failures; /* in a row */
	int64_t open_ms, open_until_us, renewed_us;
	bool said_open;

	counter hits, misses, malformed, errors, refused, written, dropped, write_errors, connects;
	counter lookup_us[IDEMPOTENCY_N_BUCKETS], lookup_us_sum;
};

static inline int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline void count(counter *n, int64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static inline void list_init(struct request_list *list)
{
	*list = (struct request_list){.last = &list->first};
}

static inline void list_push(struct request_list *list, struct request *request)
{
	request->next = NULL;
	*list->last = request;
	list->last = &request->next;
	list->n++;
}

static inline struct request *list_pop(struct request_list *list)
{
	struct request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->last = &list->first;
	list->n--;
	return request;
}

/* The thread; arg is the adapter. */
void *redis__run(void *arg);

#endif
