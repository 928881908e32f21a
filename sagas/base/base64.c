#include "sagas/base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct buf *out)
{
	const unsigned char *at = data;
	char quad[4];

	for (; len > 0; at += 3, len -= len < 3 ? len : 3) {
		uint32_t bits = (uint32_t)at[0] << 16;

		if (len > 1)
			bits |= (uint32_t)at[1] << 8;
		if (len > 2)
			bits |= at[2];
		quad[0] = alphabet[bits >> 18];
		quad[1] = alphabet[bits >> 12 & 63];
		quad[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
		quad[3] = len > 2 ? alphabet[bits & 63] : '=';
		buf_add(out, quad, sizeof(quad));
	}
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t len, struct buf *out)
{
	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		bool last = i + 4 == len;
		int n_pad = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
		uint32_t bits = 0;

		for (int j = 0; j < 4; j++) {
			int value = j >= 4 - n_pad ? 0 : digit(text[i + (size_t)j]);

			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t)value;
		}
		if ((n_pad == 1 && bits & 0xff) || (n_pad == 2 && bits & 0xffff))
			return false;
		buf_add_char(out, (char)(bits >> 16));
		if (n_pad < 2)
			buf_add_char(out, (char)(bits >> 8));
		if (n_pad < 1)
			buf_add_char(out, (char)bits);
	}
	return true;
}
