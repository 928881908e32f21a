/* Memory that is given out piece by piece and freed as a whole. */
#include "sagas/expr_priv.h"

struct arena_chunk {
	struct arena_chunk *next;
	max_align_t memory[];
};

enum { FIRST_CHUNK = 4096 };

void arena__init(struct arena *arena, void *first, size_t first_size, size_t max)
{
	*arena = (struct arena){.at = first, .end = first, .max = max};
	if (first)
		arena->end += first_size;
}

void arena__release(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	arena->chunks = NULL;
	arena->at = arena->end = NULL;
}

void *arena__alloc_slow(struct arena *arena, size_t size)
{
	/* Chunks grow with what was used, so that there are few of them. */
	size_t chunk_size = arena->used < FIRST_CHUNK ? FIRST_CHUNK : arena->used;
	struct arena_chunk *chunk;

	if (size > arena->max || arena->used > arena->max - size) {
		arena->full = true;
		return NULL;
	}
	if (chunk_size > arena->max - arena->used)
		chunk_size = arena->max - arena->used;
	if (chunk_size < size)
		chunk_size = size;
	chunk = malloc(sizeof(*chunk) + chunk_size);
	if (!chunk)
		return NULL;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->used += chunk_size;
	arena->at = (char *)chunk->memory + size;
	arena->end = (char *)chunk->memory + chunk_size;
	return chunk->memory;
}
