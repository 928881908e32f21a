/*
 * Where a known key is looked up before anything is written: a pointer to the saga, perhaps stale,
 * perhaps wrong. A hit is believed only after that saga has been read and its namespace,
 * definition, key and fingerprint agree; the authority is the unique key in the store, which every
 * start meets.
 */
#ifndef CONNECTORS_IDEMPOTENCY_H
#define CONNECTORS_IDEMPOTENCY_H

#include "connectors/store.h"
#include "sagas/base/err.h"
#include "sagas/hash.h"
#include "sagas/id.h"

struct idempotency;

/*
 * A lookup that nobody waits for. The caller fills in the first part, which stays valid until
 * `done` is called: once, on any thread, perhaps before ask returns. It must not block.
 */
struct idempotency_lookup {
	const char *ns;
	const char *definition;
	const char *key;
	void (*done)(struct idempotency_lookup *lookup);
	void *ctx;
	/* Filled in before done. */
	int result; /* as of find */
	char id[SAGA_ID_SIZE];
	char fingerprint[SHA256_HEX_SIZE];
	int64_t expires_in_ms; /* of a pointer that was found by peek; else -1 */
};

/* What the connection to the pointers is worth now. */
enum idempotency_circuit {
	CIRCUIT_CLOSED,    /* it is used */
	CIRCUIT_HALF_OPEN, /* it is being tried */
	CIRCUIT_OPEN,      /* it failed; nobody waits for it until it is tried again */
};

/* Upper bounds of the buckets of lookup times, in microseconds: X(microseconds, seconds) */
#define IDEMPOTENCY_LATENCY_BUCKETS(X)                                                             \
	X(100, "0.0001")                                                                               \
	X(250, "0.00025")                                                                              \
	X(500, "0.0005")                                                                               \
	X(1000, "0.001")                                                                               \
	X(2500, "0.0025")                                                                              \
	X(5000, "0.005")                                                                               \
	X(10000, "0.01")                                                                               \
	X(25000, "0.025")                                                                              \
	X(50000, "0.05")                                                                               \
	X(100000, "0.1")

#define X(us, text) +1
enum { IDEMPOTENCY_N_BUCKETS = 0 IDEMPOTENCY_LATENCY_BUCKETS(X) + 1 };
#undef X

struct idempotency_stats {
	int64_t hits, misses;    /* of lookups that were answered */
	int64_t malformed;       /* answered with something that is no pointer; a miss for the caller */
	int64_t errors;          /* sent, and not answered in time or with an error */
	int64_t refused;         /* not sent: the circuit is open, or too many wait */
	int64_t writes, dropped; /* pointers written; pushed out of the queue by newer ones */
	int64_t write_errors;    /* sent, and refused or not answered */
	int64_t connects;        /* connections that were made and worked */
	int64_t lookup_us[IDEMPOTENCY_N_BUCKETS]; /* how many took so long; the last has no bound */
	int64_t lookup_us_sum;
	enum idempotency_circuit circuit;
};

struct idempotency_ops {
	const char *name; /* "store", "redis" */

	/* ERR_NOT_FOUND; ERR_UNAVAILABLE and the like when it cannot be asked: then go on without. */
	int (*find)(struct idempotency *idempotency, const char *ns, const char *definition,
				const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				struct err *err);
	/* After the commit that took the key, never before. A failure is no harm. */
	int (*remember)(struct idempotency *idempotency, const char *ns, const char *definition,
					const char *key, const char *id, const char *fingerprint, struct err *err);
	void (*close)(struct idempotency *idempotency); /* takes NULL */

	/* NULL in all that follows: there is no pointer beside the authority. Thread: any. */

	/* Whether ask is worth its while now; when it says no, that was counted as refused. */
	bool (*may_ask)(struct idempotency *idempotency);
	/* As find, without waiting; done is called after the adapter's time-out at the latest. */
	void (*ask)(struct idempotency *idempotency, struct idempotency_lookup *lookup);
	/* As find, and says when the pointer expires. */
	int (*peek)(struct idempotency *idempotency, struct idempotency_lookup *lookup,
				struct err *err);
	/* Removes the pointer, and only that. ERR_NOT_FOUND: there was none. */
	int (*forget)(struct idempotency *idempotency, const char *ns, const char *definition,
				  const char *key, struct err *err);
	void (*stats)(struct idempotency *idempotency, struct idempotency_stats *ret_stats);
};

/* Thread: each belongs to one thread at a time, unless its adapter says otherwise. */
struct idempotency {
	const struct idempotency_ops *ops;
};

/* Over the store's own table, which knows every key already. Borrows reader. */
struct idempotency *idempotency_store_new(struct store_reader *reader) MUST_CHECK;
/* Finds nothing: every start goes as far as the commit. Any thread. */
struct idempotency *idempotency_none_new(void) MUST_CHECK;

#endif
