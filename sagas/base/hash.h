/*
 * FNV-1a over 64 bits, for tables of what the program itself made. It is not seeded: no defence
 * against keys that are chosen to collide.
 */
#ifndef SAGAS_BASE_HASH_H
#define SAGAS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of nothing, with which a row of fnv_1a begins. */
#define FNV_1A_START UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is of, followed by these bytes. */
static inline uint64_t fnv_1a(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
