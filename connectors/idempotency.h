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

struct idempotency_ops {
	const char *name; /* "store" */

	/* ERR_NOT_FOUND; ERR_UNAVAILABLE and the like when it cannot be asked: then go on without. */
	int (*find)(struct idempotency *idempotency, const char *ns, const char *definition,
				const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				struct err *err);
	/* After the commit that took the key, never before. A failure is no harm. */
	int (*remember)(struct idempotency *idempotency, const char *ns, const char *definition,
					const char *key, const char *id, const char *fingerprint, struct err *err);
	void (*close)(struct idempotency *idempotency); /* takes NULL */
};

/* Thread: each belongs to one thread at a time. */
struct idempotency {
	const struct idempotency_ops *ops;
};

/* Over the store's own table, which knows every key already. Borrows reader. */
struct idempotency *idempotency_store_new(struct store_reader *reader) MUST_CHECK;

#endif
