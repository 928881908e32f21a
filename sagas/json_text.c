/*
 * Writing JSON. Doubles are printed with the fewest digits that read back as the same double, and
 * keep a point or an exponent, so that a real stays a real when it is read again.
 *
 * Reading is json_check.c.
 */
#include "sagas/json_text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Not 0 where a byte of a string must be escaped: the letter after the backslash, or 'u'. */
static const char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',      ['\n'] = 'n', [0x0b] = 'u',
	['\f'] = 'f',    ['\r'] = 'r', [14 ... 31] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

void json_write_string_body(const char *s, size_t len, struct buf *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (!escapes[c])
			continue;
		buf_add(out, s + from, i - from);
		from = i + 1;
		if (escapes[c] == 'u') {
			char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			buf_add(out, text, sizeof(text));
		} else {
			char text[2] = {'\\', escapes[c]};

			buf_add(out, text, sizeof(text));
		}
	}
	buf_add(out, s + from, len - from);
}

void json_write_string(const char *s, size_t len, struct buf *out)
{
	buf_add_char(out, '"');
	json_write_string_body(s, len, out);
	buf_add_char(out, '"');
}

size_t json_format_real(double number, char text[JSON_REAL_SIZE])
{
	size_t len = 0;

	CHECK(isfinite(number));
	/* Amounts and rates are mostly whole: no search for them. */
	if (fabs(number) < 1e15 && number == (double)(int64_t)number)
		return (size_t)snprintf(text, JSON_REAL_SIZE, "%.1f", number);
	/* Every double but the smallest keeps 15 digits; those few may be shorter. */
	for (int digits = fabs(number) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		len = (size_t)snprintf(text, JSON_REAL_SIZE, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	if (!memchr(text, '.', len) && !memchr(text, 'e', len)) {
		memcpy(text + len, ".0", 3);
		len += 2;
	}
	return len;
}

void json_write_real(double number, struct buf *out)
{
	char text[JSON_REAL_SIZE];

	buf_add(out, text, json_format_real(number, text));
}

struct member {
	const char *key;
	json_t *value;
};

static int member_compare(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Writes, and returns the depth. */
static int write_value(const json_t *value, struct buf *out, bool canonical);

static int deeper(int a, int b)
{
	return a > b ? a : b;
}

static int write_members_sorted(json_t *object, struct buf *out)
{
	CLEANUP(free_p) struct member *members = xcalloc(json_object_size(object), sizeof(*members));
	const char *key;
	json_t *value;
	size_t n = 0;
	int depth = 0;

	json_object_foreach (object, key, value) {
		members[n++] = (struct member){key, value};
	}
	qsort(members, n, sizeof(*members), member_compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		json_write_string(members[i].key, strlen(members[i].key), out);
		buf_add_char(out, ':');
		depth = deeper(depth, write_value(members[i].value, out, true));
	}
	return depth;
}

static int write_object(json_t *object, struct buf *out, bool canonical)
{
	bool first = true;
	const char *key;
	json_t *value;
	int depth = 0;

	buf_add_char(out, '{');
	if (canonical && json_object_size(object) > 1) {
		depth = write_members_sorted(object, out);
	} else {
		json_object_foreach (object, key, value) {
			if (!first)
				buf_add_char(out, ',');
			first = false;
			json_write_string(key, strlen(key), out);
			buf_add_char(out, ':');
			depth = deeper(depth, write_value(value, out, canonical));
		}
	}
	buf_add_char(out, '}');
	return depth + 1;
}

static int write_array(const json_t *array, struct buf *out, bool canonical)
{
	int depth = 0;

	buf_add_char(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			buf_add_char(out, ',');
		depth = deeper(depth, write_value(json_array_get(array, i), out, canonical));
	}
	buf_add_char(out, ']');
	return depth + 1;
}

static int write_value(const json_t *value, struct buf *out, bool canonical)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		/* Iterating needs it writable, and changes nothing. */
		return write_object((json_t *)value, out, canonical);
	case JSON_ARRAY:
		return write_array(value, out, canonical);
	case JSON_STRING:
		json_write_string(json_string_value(value), json_string_length(value), out);
		break;
	case JSON_INTEGER:
		buf_add_int(out, json_integer_value(value));
		break;
	case JSON_REAL:
		json_write_real(json_real_value(value), out);
		break;
	case JSON_TRUE:
		buf_add_lit(out, "true");
		break;
	case JSON_FALSE:
		buf_add_lit(out, "false");
		break;
	case JSON_NULL:
		buf_add_lit(out, "null");
		break;
	}
	return 0;
}

void json_write(const json_t *value, struct buf *out)
{
	write_value(value, out, false);
}

int json_write_depth(const json_t *value, struct buf *out)
{
	return write_value(value, out, false);
}

void json_write_canonical(const json_t *value, struct buf *out)
{
	write_value(value, out, true);
}

int json_depth(const json_t *value)
{
	int depth = 0;

	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			depth = deeper(depth, json_depth(json_array_get(value, i)));
		return depth + 1;
	}
	if (json_is_object(value)) {
		const char *key;
		json_t *member;

		json_object_foreach ((json_t *)value, key, member) {
			depth = deeper(depth, json_depth(member));
		}
		return depth + 1;
	}
	return 0;
}

void json_write_pointer_key(const char *key, struct buf *out)
{
	for (const char *c = key; *c; c++) {
		if (*c == '~')
			buf_add_lit(out, "~0");
		else if (*c == '/')
			buf_add_lit(out, "~1");
		else
			buf_add_char(out, *c);
	}
}
