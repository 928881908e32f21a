#include "sagas/base/text.h"

#include <stdint.h>
#include <string.h>

/* The length of the UTF-8 sequence at s, or 0 when there is none. What follows is read only as far
 * as it belongs to the sequence, so a NUL behind the text is enough to stop at. */
static size_t sequence(const unsigned char *s)
{
	size_t len = s[0] < 0x80                   ? 1
				 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
				 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
				 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
											   : 0;
	size_t i;

	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies above U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void text_clean_utf8(char *text)
{
	unsigned char *at = (unsigned char *)text;
	size_t len;

	while (*at) {
		len = sequence(at);
		if (len == 0) {
			*at = '?';
			len = 1;
		}
		at += len;
	}
}

bool text_is_utf8(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + len;
	unsigned char tail[8] = {0};
	size_t n;

	while (at < end) {
		uint64_t word;

		if (end - at >= 8) {
			memcpy(&word, at, 8);
			/* All ASCII, and no NUL among it. */
			if (!(word & 0x8080808080808080u) &&
				!((word - 0x0101010101010101u) & ~word & 0x8080808080808080u)) {
				at += 8;
				continue;
			}
			n = sequence(at);
		} else {
			/* The bytes need not be followed by anything. */
			memcpy(tail, at, (size_t)(end - at));
			tail[end - at] = 0;
			n = sequence(tail);
		}
		if (n == 0 || *at == 0 || n > (size_t)(end - at))
			return false;
		at += n;
	}
	return true;
}
