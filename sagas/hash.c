/*
 * Plain one-shots of libcrypto: half a microsecond each. A fetched EVP_MD would halve that, but it
 * would be a global with a life of its own, for less than a hundredth of what a saga costs.
 */
#include "sagas/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <limits.h>
#include <string.h>

#include "sagas/base/macros.h"

static const char hex_digits[] = "0123456789abcdef";

void hash_sha256(const void *data, size_t len, unsigned char digest[SHA256_SIZE])
{
	CHECK(SHA256(data, len, digest));
}

void hash_sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE])
{
	unsigned char digest[SHA256_SIZE];

	hash_sha256(data, len, digest);
	for (int i = 0; i < SHA256_SIZE; i++) {
		hex[2 * i] = hex_digits[digest[i] >> 4];
		hex[2 * i + 1] = hex_digits[digest[i] & 15];
	}
	hex[SHA256_HEX_SIZE - 1] = '\0';
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
					  unsigned char digest[SHA256_SIZE])
{
	unsigned int size = SHA256_SIZE;

	CHECK(key_len <= INT_MAX);
	CHECK(HMAC(EVP_sha256(), key, (int)key_len, data, len, digest, &size));
	CHECK(size == SHA256_SIZE);
}

bool hash_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

/* Participants see what is made of it, so it may never change. */
static const unsigned char uuid_namespace[16] = {0x2f, 0x1d, 0x8a, 0x6c, 0x94, 0x37, 0x4b, 0x5e,
												 0xa1, 0x0e, 0x5c, 0xd7, 0x63, 0xf2, 0x08, 0xb9};

void hash_uuid5(const char *name, size_t len, char uuid[UUID_SIZE])
{
	unsigned char digest[SHA_DIGEST_LENGTH], small[512], *data = small;
	CLEANUP(free_p) unsigned char *large = NULL;
	char *out = uuid;

	if (sizeof(uuid_namespace) + len > sizeof(small))
		data = large = xcalloc(sizeof(uuid_namespace) + len, 1);
	memcpy(data, uuid_namespace, sizeof(uuid_namespace));
	memcpy(data + sizeof(uuid_namespace), name, len);
	CHECK(SHA1(data, sizeof(uuid_namespace) + len, digest));
	digest[6] = (unsigned char)((digest[6] & 0x0f) | 0x50);
	digest[8] = (unsigned char)((digest[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex_digits[digest[i] >> 4];
		*out++ = hex_digits[digest[i] & 15];
	}
	*out = '\0';
}
