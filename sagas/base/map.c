#include "sagas/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/hash.h"
#include "sagas/base/macros.h"

/* A last mix, because the low bits choose the place. */
static uint64_t hash_text(const char *s)
{
	uint64_t h = fnv_1a(FNV_1A_START, s, strlen(s));

	h ^= h >> 32;
	h *= 0x9fb21c651e98df25U;
	return h ^ h >> 28;
}

void map_release(struct map *map)
{
	free(map->entries);
	*map = (struct map){0};
}

/* The place of the key, or the free place where it belongs. */
static size_t find(const struct map *map, const char *key, uint64_t hash)
{
	size_t i = hash & (map->cap - 1);

	while (map->entries[i].key &&
		   (map->entries[i].hash != hash || strcmp(map->entries[i].key, key) != 0))
		i = (i + 1) & (map->cap - 1);
	return i;
}

static void grow(struct map *map)
{
	struct map old = *map;

	map->cap = old.cap ? old.cap * 2 : 16;
	map->entries = xcalloc(map->cap, sizeof(*map->entries));
	for (size_t i = 0; i < old.cap; i++)
		if (old.entries[i].key)
			map->entries[find(map, old.entries[i].key, old.entries[i].hash)] = old.entries[i];
	free(old.entries);
}

void *map_get(const struct map *map, const char *key)
{
	struct map_entry *entry;

	if (map->n == 0)
		return NULL;
	entry = &map->entries[find(map, key, hash_text(key))];
	return entry->key ? entry->value : NULL;
}

void *map_put(struct map *map, const char *key, void *value)
{
	uint64_t hash = hash_text(key);
	struct map_entry *entry;
	void *before = NULL;

	CHECK(value);
	if ((map->n + 1) * 4 > map->cap * 3)
		grow(map);
	entry = &map->entries[find(map, key, hash)];
	if (entry->key)
		before = entry->value;
	else
		map->n++;
	*entry = (struct map_entry){.key = key, .value = value, .hash = hash};
	return before;
}

void *map_remove(struct map *map, const char *key)
{
	size_t hole, i, mask = map->cap - 1;
	void *value;

	if (map->n == 0)
		return NULL;
	hole = find(map, key, hash_text(key));
	if (!map->entries[hole].key)
		return NULL;
	value = map->entries[hole].value;
	map->n--;
	/* Move up what was pushed past the hole, so that no probe ends at it too early. */
	for (i = (hole + 1) & mask; map->entries[i].key; i = (i + 1) & mask) {
		size_t home = map->entries[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			map->entries[hole] = map->entries[i];
			hole = i;
		}
	}
	map->entries[hole] = (struct map_entry){0};
	return value;
}

struct map_entry *map_next(const struct map *map, size_t *pos)
{
	while (*pos < map->cap) {
		struct map_entry *entry = &map->entries[(*pos)++];

		if (entry->key)
			return entry;
	}
	return NULL;
}
