/*
 * A hash map from string keys to pointers: open addressing, linear probing, no tombstones. Keys and
 * values are borrowed; the usual key is a field of the value.
 *
 * The hash is not seeded, so keys are to be what the program made (ids, names of definitions) and
 * not what a client may choose freely.
 */
#ifndef SAGAS_BASE_MAP_H
#define SAGAS_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	const char *key; /* NULL: free */
	void *value;
	uint64_t hash;
};

/* All zeros is an empty map. */
struct map {
	struct map_entry *entries;
	size_t cap; /* 0 or a power of two */
	size_t n;
};

void map_release(struct map *map);

/* The value, or NULL. */
void *map_get(const struct map *map, const char *key);

/*
 * Adds or replaces, and returns the value that was there before, or NULL. The key must live until
 * it is removed (a replacement takes the new key). value is not NULL.
 */
void *map_put(struct map *map, const char *key, void *value);

/* Returns the value that was there, or NULL. */
void *map_remove(struct map *map, const char *key);

/*
 * Walks over the entries in no particular order: begin with *pos = 0; NULL at the end. The map must
 * not change meanwhile.
 */
struct map_entry *map_next(const struct map *map, size_t *pos);

#endif
