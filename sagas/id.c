/*
 * Identities. The layout of an id and the hash that gives a slot are stored for ever: neither may
 * change, and the tests pin both.
 */
#include "sagas/id.h"

#include <stdbool.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "sagas/hash.h"

static const char hex_digits[] = "0123456789abcdef";

/* Writes the low `digits` hex digits of n, most significant first. */
static char *put_hex(char *out, uint64_t n, int digits)
{
	for (int i = digits - 1; i >= 0; i--)
		*out++ = hex_digits[n >> (4 * i) & 15];
	return out;
}

void saga_id_make(wall_ms now, int slot, const unsigned char random[8], char id[SAGA_ID_SIZE])
{
	uint64_t ms = now > 0 ? (uint64_t)now & 0xffffffffffffU : 0;
	uint64_t bits = 0;
	char *out = id;

	CHECK(slot >= 0 && slot < SLOTS_MAX);
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | random[i];
	bits = (bits & 0x3fffffffffffffffU) | 0x8000000000000000U; /* the variant of RFC 9562 */
	out = put_hex(out, ms >> 16, 8);
	*out++ = '-';
	out = put_hex(out, ms, 4);
	*out++ = '-';
	*out++ = '7';
	out = put_hex(out, (uint64_t)slot, 3);
	*out++ = '-';
	out = put_hex(out, bits >> 48, 4);
	*out++ = '-';
	out = put_hex(out, bits, 12);
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int saga_id_slot(const char *id)
{
	int slot = 0;

	for (int i = 0; i < SAGA_ID_SIZE - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (id[i] != '-')
				return -1;
		} else if (hex_value(id[i]) < 0) { /* also the NUL of a short text */
			return -1;
		}
	}
	if (id[SAGA_ID_SIZE - 1] != '\0' || id[14] != '7' || (hex_value(id[19]) & 12) != 8)
		return -1;
	for (int i = 15; i < 18; i++)
		slot = slot * 16 + hex_value(id[i]);
	return slot;
}

static unsigned char *put_prefixed(unsigned char *out, const char *s, size_t len)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*out++ = (unsigned char)(len >> shift);
	memcpy(out, s, len);
	return out + len;
}

int saga_slot(const char *ns, const char *definition, const char *key, int slot_count)
{
	size_t ns_len = strlen(ns), definition_len = strlen(definition), key_len = strlen(key);
	size_t len = 12 + ns_len + definition_len + key_len;
	unsigned char small[512], digest[SHA256_SIZE], *data = small, *end;
	CLEANUP(free_p) unsigned char *large = NULL;

	CHECK(slot_count >= 1 && slot_count <= SLOTS_MAX);
	if (len > sizeof(small)) /* only for texts that key_check and the like would refuse */
		data = large = xcalloc(len, 1);
	end = put_prefixed(data, ns, ns_len);
	end = put_prefixed(end, definition, definition_len);
	end = put_prefixed(end, key, key_len);
	hash_sha256(data, (size_t)(end - data), digest);
	return (digest[0] << 8 | digest[1]) * slot_count >> 16;
}

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int namespace_check(const char *ns, struct err *err)
{
	if (!is_lower_or_digit(ns[0]))
		return err_set(err, ERR_INVALID, "a namespace begins with a-z or 0-9");
	for (size_t i = 0; ns[i]; i++) {
		if (i >= NAMESPACE_MAX_BYTES)
			return err_set(err, ERR_INVALID, "a namespace has at most %d characters",
						   NAMESPACE_MAX_BYTES);
		if (!is_lower_or_digit(ns[i]) && ns[i] != '-')
			return err_set(err, ERR_INVALID, "a namespace consists of a-z, 0-9 and -");
	}
	return 0;
}

/*
 * Decodes one character of UTF-8 and returns its length, or 0 when it is none (overlong forms,
 * surrogates and what lies past U+10FFFF included).
 */
static int utf8_decode(const unsigned char *s, uint32_t *ret_char)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	int len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (len <= 1) {
		*ret_char = s[0];
		return len;
	}
	c = s[0] & (0x7fU >> len);
	for (int i = 1; i < len; i++) {
		if (s[i] >> 6 != 2) /* also the NUL */
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return len;
}

int key_check(const char *key, struct err *err)
{
	size_t len = strnlen(key, KEY_MAX_BYTES + 1);
	uint32_t c;
	int n;

	if (len == 0)
		return err_set(err, ERR_INVALID, "a key is not empty");
	if (len > KEY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a key has at most %d bytes", KEY_MAX_BYTES);
	for (size_t i = 0; i < len; i += (size_t)n) {
		n = utf8_decode((const unsigned char *)key + i, &c);
		if (n == 0)
			return err_set(err, ERR_INVALID, "a key is UTF-8; byte %zu is not", i + 1);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return err_set(err, ERR_INVALID,
						   "a key has no control characters; there is one at byte %zu", i + 1);
	}
	return 0;
}
