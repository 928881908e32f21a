/*
 * Pointers to sagas in Redis: the fast gate before the store. A known key costs one round trip,
 * shared with whatever else is asked at the same moment, and no write.
 *
 *   key    <prefix><hex SHA-256 over namespace, definition and key, each length-prefixed>
 *   value  1 <saga id> <fingerprint>
 *
 * The hash keeps identities apart whatever they hold, gives every key the same size, and keeps
 * business keys out of Redis. The value expires `ttl_ms` after it was written; a lookup does not
 * prolong it (that would make every hit a write), and a duplicate that the store has answered
 * writes it anew.
 *
 * Redis may be absent, slow, flushed, stale, lying or read-only: it then costs at most `timeout_ms`
 * a few times, until the circuit opens, and after that nothing. What it says is never believed
 * here; that is the caller's to check.
 */
#ifndef CONNECTORS_IDEMPOTENCY_REDIS_H
#define CONNECTORS_IDEMPOTENCY_REDIS_H

#include "connectors/idempotency.h"

enum {
	REDIS_LOOKUPS_MAX = 4096, /* that wait for Redis at a time; more are refused */
	REDIS_WRITES_MAX = 4096,  /* that wait; the oldest is dropped for a new one */
	REDIS_KEY_PREFIX_MAX = 64,
};

struct idempotency_redis_options {
	/*
	 * redis://[[user]:password@]host[:port][/db], unix:///path[?db=n], or
	 * redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/master[/db]
	 */
	const char *url;
	const char *prefix;  /* of every key; NULL: "skald:" */
	int64_t ttl_ms;      /* of a pointer; 0: a day */
	int64_t timeout_ms;  /* of a lookup and of a connection; 0: 50 */
	int failures_max;    /* in a row, before the circuit opens; 0: 3 */
	int64_t open_min_ms; /* how long it stays open at first, doubled each time; 0: 200 */
	int64_t open_max_ms; /* and at most; 0: 10,000 */
	/* Called when the circuit opens or closes, with why, on the adapter's thread. May be NULL. */
	void (*changed)(void *ctx, enum idempotency_circuit circuit, const char *why);
	void *ctx;
};

/*
 * Starts its thread, which connects; Redis need not be there. ERR_INVALID: the URL cannot be used.
 * Its functions may be called on any thread. close answers what still waits.
 */
int idempotency_redis_open(const struct idempotency_redis_options *options,
						   struct idempotency **ret_idempotency, struct err *err) MUST_CHECK;

/* Only checks the URL. ERR_INVALID; the text never holds a password. */
int idempotency_redis_check_url(const char *url, struct err *err) MUST_CHECK;

#endif
