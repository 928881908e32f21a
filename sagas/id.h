/*
 * Identities: of a saga (a UUIDv7 that carries its slot), and of the slot that owns a key.
 *
 *   0198c0de-7a31-7SSS-vrrr-rrrrrrrrrrrr
 *   |--- ms since 1970 ---| |  |  random
 *                 slot (12 bits) and the version digit 7
 *
 * Time-ordered ids keep inserts at the end of an index.
 */
#ifndef SAGAS_ID_H
#define SAGAS_ID_H

#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"

enum {
	SAGA_ID_SIZE = 37, /* 36 characters and the NUL */
	SLOTS_MAX = 4096,
	KEY_MAX_BYTES = 255,
	NAMESPACE_MAX_BYTES = 63,
};

/* random: 8 bytes from outside. */
void saga_id_make(wall_ms now, int slot, const unsigned char random[8], char id[SAGA_ID_SIZE]);
/* The slot in an id, or -1 when it is not an id of ours. */
int saga_id_slot(const char *id);

/*
 * The first 16 bits of SHA-256 over namespace, definition and key (length-prefixed), scaled to
 * slot_count, which must be 1 to SLOTS_MAX.
 */
int saga_slot(const char *ns, const char *definition, const char *key, int slot_count);

/* [a-z0-9][a-z0-9-]*, at most 63 bytes. ERR_INVALID. */
int namespace_check(const char *ns, struct err *err) MUST_CHECK;
/* 1 to 255 bytes of UTF-8 without control characters. ERR_INVALID, ERR_LIMIT. */
int key_check(const char *key, struct err *err) MUST_CHECK;

#endif
