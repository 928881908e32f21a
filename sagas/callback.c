#include "sagas/callback.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sagas/base/base64.h"

void callback_write(const struct callback *callback, struct buf *out)
{
	CLEANUP(buf_release) struct buf plain;
	size_t start = out->len;

	buf_init(&plain, 0);
	correlation_write(&callback->at, &plain);
	buf_printf(&plain, "/%s", callback->nonce);
	base64_encode(plain.data, plain.len, out);
	/* base64url, without padding */
	while (out->len > start && out->data[out->len - 1] == '=')
		out->data[--out->len] = '\0';
	for (char *c = out->data + start; *c; c++)
		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
}

static bool decode(const char *token, struct buf *out)
{
	CLEANUP(buf_release) struct buf text;
	size_t len = strlen(token);

	buf_init(&text, 0);
	if (len == 0 || len > CALLBACK_TOKEN_MAX_BYTES || strpbrk(token, "+/="))
		return false;
	for (const char *c = token; *c; c++)
		buf_add_char(&text, (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c));
	while (text.len % 4 != 0)
		buf_add_char(&text, '=');
	return base64_decode(text.data, text.len, out);
}

static bool is_nonce(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	return len == CALLBACK_NONCE_SIZE - 1;
}

bool callback_read(const char *token, struct callback *ret)
{
	CLEANUP(buf_release) struct buf plain;
	const char *slash;
	size_t len;

	buf_init(&plain, 0);
	if (!decode(token, &plain) || plain.len < CALLBACK_NONCE_SIZE)
		return false;
	len = plain.len - CALLBACK_NONCE_SIZE;
	slash = plain.data + len;
	if (*slash != '/' || !is_nonce(slash + 1, plain.len - len - 1) ||
		!correlation_read(plain.data, len, &ret->at) || ret->at.kind != CALL_DO)
		return false;
	memcpy(ret->nonce, slash + 1, CALLBACK_NONCE_SIZE - 1);
	ret->nonce[CALLBACK_NONCE_SIZE - 1] = '\0';
	return true;
}

void callback_nonce(uint64_t random, const char *place, char ret[CALLBACK_NONCE_SIZE])
{
	CLEANUP(buf_release) struct buf text;
	char hex[SHA256_HEX_SIZE];

	buf_init(&text, 0);
	buf_printf(&text, "callback/%016" PRIx64 "/%s", random, place);
	hash_sha256_hex(text.data, text.len, hex);
	memcpy(ret, hex, CALLBACK_NONCE_SIZE - 1);
	ret[CALLBACK_NONCE_SIZE - 1] = '\0';
}

bool callback_nonce_fits(const char *known, const char *given)
{
	return known && given && strlen(known) == CALLBACK_NONCE_SIZE - 1 &&
		   strlen(given) == CALLBACK_NONCE_SIZE - 1 &&
		   hash_equal(known, given, CALLBACK_NONCE_SIZE - 1);
}
