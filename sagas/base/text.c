#include "sagas/base/text.h"

#include <stddef.h>

/* The length of the UTF-8 sequence at s, or 0 when there is none. */
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
