#include "coordinator/batch.h"

#include <string.h>

/* What is kept from one use to the next; a batch that was larger gives the rest back. */
enum { CHUNK_BYTES = 128 * 1024, SMALL_CHUNK_BYTES = 4000, KEEP_CHUNKS = 8, ALIGNMENT = 16 };

struct batch_chunk {
	struct batch_chunk *next;
	size_t used, cap;
	_Alignas(ALIGNMENT) char data[];
};

struct batch *batch_new(void)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));

	batch->chunk_bytes = CHUNK_BYTES;
	return batch;
}

struct batch *batch_new_small(void)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));

	batch->chunk_bytes = SMALL_CHUNK_BYTES;
	return batch;
}

static void chunks_free(struct batch_chunk *chunk)
{
	while (chunk) {
		struct batch_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	chunks_free(batch->chunks);
	free(batch->items);
	free(batch->owners);
	free(batch);
}

/* Keeps the first chunks, if they are of the usual size, and empties them. */
void batch_clear(struct batch *batch)
{
	struct batch_chunk **link = &batch->chunks;
	int kept = 0;

	while (*link) {
		struct batch_chunk *chunk = *link;

		if (chunk->cap == CHUNK_BYTES && kept < KEEP_CHUNKS) {
			chunk->used = 0;
			kept++;
			link = &chunk->next;
		} else {
			*link = chunk->next;
			free(chunk);
		}
	}
	batch->chunk = batch->chunks;
	batch->n = batch->bytes = 0;
	batch->result = 0;
}

struct store_item *batch_add(struct batch *batch, void *owner)
{
	if (batch->n == batch->cap) {
		batch->cap = batch->cap ? batch->cap * 2 : 64;
		batch->items = xrealloc_array(batch->items, batch->cap, sizeof(*batch->items));
		batch->owners = xrealloc_array(batch->owners, batch->cap, sizeof(*batch->owners));
	}
	batch->owners[batch->n] = owner;
	memset(&batch->items[batch->n], 0, sizeof(*batch->items));
	return &batch->items[batch->n++];
}

static struct batch_chunk *chunk_new(size_t cap)
{
	struct batch_chunk *chunk = malloc(sizeof(*chunk) + cap);

	CHECK(chunk);
	chunk->next = NULL;
	chunk->used = 0;
	chunk->cap = cap;
	return chunk;
}

/* Room for size bytes in the current chunk, in the next one that was kept, or in a new one. */
static void make_room(struct batch *batch, size_t size)
{
	struct batch_chunk *chunk = batch->chunk;

	while (chunk && chunk->cap - chunk->used < size && chunk->next)
		chunk = chunk->next;
	if (!chunk || chunk->cap - chunk->used < size) {
		struct batch_chunk *added =
			chunk_new(size > batch->chunk_bytes ? size : batch->chunk_bytes);

		if (chunk)
			chunk->next = added;
		else
			batch->chunks = added;
		chunk = added;
	}
	batch->chunk = chunk;
}

static void *take(struct batch *batch, size_t size)
{
	void *place;

	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!batch->chunk || batch->chunk->cap - batch->chunk->used < size)
		make_room(batch, size);
	place = batch->chunk->data + batch->chunk->used;
	batch->chunk->used += size;
	batch->bytes += size;
	return place;
}

void *batch_alloc(struct batch *batch, size_t size)
{
	return memset(take(batch, size), 0, size);
}

char *batch_copy(struct batch *batch, const char *data, size_t len)
{
	char *copy = take(batch, len + 1);

	memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}
