#include "connectors/idempotency.h"

#include <stdlib.h>

#include "sagas/base/macros.h"

struct idempotency_store {
	struct idempotency idempotency;
	struct store_reader *reader;
};

static int find(struct idempotency *idempotency, const char *ns, const char *definition,
				const char *key, char ret_id[SAGA_ID_SIZE], char ret_fingerprint[SHA256_HEX_SIZE],
				struct err *err)
{
	struct store_reader *reader = ((struct idempotency_store *)idempotency)->reader;

	return reader->store->ops->find_key(reader, ns, definition, key, ret_id, ret_fingerprint, err);
}

/* The commit that took the key has written it. */
static int remember(struct idempotency *idempotency, const char *ns, const char *definition,
					const char *key, const char *id, const char *fingerprint, struct err *err)
{
	(void)idempotency;
	(void)ns;
	(void)definition;
	(void)key;
	(void)id;
	(void)fingerprint;
	(void)err;
	return 0;
}

static int find_nothing(struct idempotency *idempotency, const char *ns, const char *definition,
						const char *key, char ret_id[SAGA_ID_SIZE],
						char ret_fingerprint[SHA256_HEX_SIZE], struct err *err)
{
	(void)idempotency;
	(void)ns;
	(void)definition;
	(void)key;
	(void)ret_id;
	(void)ret_fingerprint;
	return err_set(err, ERR_NOT_FOUND, "nobody keeps pointers");
}

static void close_store(struct idempotency *idempotency)
{
	free(idempotency);
}

static const struct idempotency_ops ops = {
	.name = "store",
	.find = find,
	.remember = remember,
	.close = close_store,
};

struct idempotency *idempotency_store_new(struct store_reader *reader)
{
	struct idempotency_store *store = xcalloc(1, sizeof(*store));

	store->idempotency.ops = &ops;
	store->reader = reader;
	return &store->idempotency;
}

static const struct idempotency_ops none_ops = {
	.name = "none",
	.find = find_nothing,
	.remember = remember,
	.close = close_store,
};

struct idempotency *idempotency_none_new(void)
{
	struct idempotency *none = xcalloc(1, sizeof(*none));

	none->ops = &none_ops;
	return none;
}
