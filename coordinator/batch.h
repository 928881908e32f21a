/*
 * A batch: the transitions of many sagas that go to the store in one commit. It owns all the memory
 * that its items point to, so the engine goes on while the writer writes; only strings that cannot
 * change or go away before the result (a definition's, a saga's names) are borrowed.
 *
 * The engine fills it (open), hands it to the writer, and gets the same batch back with verdicts.
 * Memory is kept from one use to the next.
 */
#ifndef COORDINATOR_BATCH_H
#define COORDINATOR_BATCH_H

#include "connectors/store.h"
#include "coordinator/mailbox.h"

/* A batch that has reached one of these takes no further item. */
enum { BATCH_MAX_ITEMS = 1000, BATCH_MAX_BYTES = 8 * 1024 * 1024 };

struct batch_chunk;

struct batch {
	struct mail mail; /* on its way to the writer and back */
	struct store_item *items;
	void **owners; /* of each item: the engine's */
	size_t n, cap;
	size_t bytes; /* what its items hold */
	struct batch_chunk *chunks, *chunk;
	size_t chunk_bytes;

	/* Filled in by the writer. */
	int result; /* of the commit: 0, or ERR_*: nothing took effect, or ERR_UNKNOWN and settled */
	struct err err;
	int64_t commit_us; /* how long it took */

	/* Of whoever hands it over: called on the writer's thread when result is there. */
	void (*done)(struct batch *batch);
	void *ctx;
};

struct batch *batch_new(void) MUST_CHECK;
/* For a few rows only: its memory grows in small pieces, and is not kept by batch_clear. */
struct batch *batch_new_small(void) MUST_CHECK;
void batch_free(struct batch *batch); /* takes NULL */
void batch_clear(struct batch *batch);

static inline bool batch_is_full(const struct batch *batch)
{
	return batch->n >= BATCH_MAX_ITEMS || batch->bytes >= BATCH_MAX_BYTES;
}

/* A new item, all zeros. The pointer is valid until the next call. */
struct store_item *batch_add(struct batch *batch, void *owner);
/* Memory that lives as long as what the batch holds; zeroed, aligned for any struct. */
void *batch_alloc(struct batch *batch, size_t size) MUST_CHECK;
/* A copy of the bytes, with a NUL behind them. */
char *batch_copy(struct batch *batch, const char *data, size_t len) MUST_CHECK;

#endif
