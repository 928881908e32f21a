#include "sagas/attention.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/text.h"
#include "sagas/hash.h"

#define X(name, text) [name] = text,
static const char *const kinds[] = {ATTENTION_KINDS(X)};
#undef X

void attention_release(struct attention *attention)
{
	free(attention->code);
	free(attention->text);
	*attention = (struct attention){0};
}

const char *attention_kind_text(enum attention_kind kind)
{
	return kinds[kind];
}

int attention_kind_parse(const char *text)
{
	int i;

	for (i = 0; i < ATTENTION_KIND_COUNT; i++)
		if (strcmp(kinds[i], text) == 0)
			return i;
	return -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* What a word of a message may be made of; ids like o-17 and 0198c0de-7a31-… are one. */
static bool is_of_word(char c)
{
	return is_digit(c) || is_letter(c) || c == '-' || c == '_';
}

/* The end of a text in quotes that begins here, or NULL: an apostrophe has no end, and stays. */
static const char *quoted_end(const char *text)
{
	const char *end = strchr(text + 1, *text);

	return end && (*text == '"' || *text == '`' || !is_of_word(end[1])) ? end + 1 : NULL;
}

/*
 * A message without what differs from saga to saga: a quoted text, and a word with a digit in it,
 * become one mark each. A status of HTTP is the error's code already, so no number is lost that
 * would tell two troubles apart.
 */
static void add_shape(const char *message, struct buf *out)
{
	const char *p = message, *end;
	bool in_word = false;

	while (*p) {
		if ((*p == '"' || *p == '`' || (*p == '\'' && !in_word)) && (end = quoted_end(p))) {
			buf_add_char(out, '~');
			p = end;
		} else if (is_of_word(*p)) {
			bool digit = false;

			for (end = p; is_of_word(*end); end++)
				digit |= is_digit(*end);
			if (digit)
				buf_add_char(out, '~');
			else
				buf_add(out, p, (size_t)(end - p));
			p = end;
			in_word = true;
			continue;
		} else {
			buf_add_char(out, *p++);
		}
		in_word = false;
	}
}

/* A part of what is hashed: no part can be mistaken for another. */
static void add_part(const char *text, struct buf *out)
{
	buf_add_str(out, text ? text : "");
	buf_add_char(out, '\n');
}

void attention_group(const char *definition, enum attention_kind kind, const char *step,
					 enum side side, const char *code, const char *message,
					 char ret_group[ATTENTION_GROUP_DIGITS + 1])
{
	CLEANUP(buf_release) struct buf text;
	char hex[SHA256_HEX_SIZE];

	buf_init(&text, 0);
	add_part(definition, &text);
	add_part(kinds[kind], &text);
	add_part(step, &text);
	add_part(!step ? NULL : side == SIDE_DO ? "do" : "undo", &text);
	add_part(code, &text);
	if (message)
		add_shape(message, &text);
	hash_sha256_hex(text.data, text.len, hex);
	memcpy(ret_group, hex, ATTENTION_GROUP_DIGITS);
	ret_group[ATTENTION_GROUP_DIGITS] = '\0';
}
