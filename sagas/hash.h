/*
 * Hashes, over libcrypto's one-shot functions: pure, so the core may use them.
 */
#ifndef SAGAS_HASH_H
#define SAGAS_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65, UUID_SIZE = 37 };

void hash_sha256(const void *data, size_t len, unsigned char digest[SHA256_SIZE]);
void hash_sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
					  unsigned char digest[SHA256_SIZE]);
/* Whether two secrets are the same, in a time that does not tell where they differ. */
bool hash_equal(const void *a, const void *b, size_t len);
/* A UUIDv5 (SHA-1) of name in Skald's namespace: the same name always gives the same. */
void hash_uuid5(const char *name, size_t len, char uuid[UUID_SIZE]);

#endif
