/*
 * Reading JSON. One pass over the text decides whether it is valid and whether every number in it
 * can be kept; it builds nothing, so the body of a reply can be checked and then embedded as it
 * came. json_parse lets jansson build what has passed.
 *
 * Refused, beside bad syntax: integers beyond 64 bits, decimals that a double does not keep, the
 * character NUL (most programs that will see the text end strings there), unpaired surrogates, and
 * nesting deeper than JSON_MAX_DEPTH.
 */
#include "sagas/json_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct scan {
	const unsigned char *at;
	const unsigned char *end;
	const unsigned char *text;
	struct err *err;
};

/* Lines and columns are counted only when there is something to report; columns in characters. */
static int fail(const struct scan *s, const unsigned char *where, enum err_code code,
				const char *fmt, ...) PRINTF_LIKE(4, 5);
static int fail(const struct scan *s, const unsigned char *where, enum err_code code,
				const char *fmt, ...)
{
	size_t line = 1, column = 1;
	va_list args;

	if (!s->err)
		return code;
	for (const unsigned char *p = s->text; p < where; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if ((*p & 0xc0) != 0x80) {
			column++;
		}
	}
	va_start(args, fmt);
	err_vset(s->err, code, fmt, args);
	va_end(args);
	snprintf(s->err->place, sizeof(s->err->place), "line %zu, column %zu", line, column);
	return code;
}

static int fail_unexpected(const struct scan *s, const char *wanted)
{
	if (s->at == s->end)
		return fail(s, s->at, ERR_INVALID, "the text ends where %s should follow", wanted);
	if (*s->at > 0x20 && *s->at < 0x7f)
		return fail(s, s->at, ERR_INVALID, "'%c' where %s should follow", *s->at, wanted);
	return fail(s, s->at, ERR_INVALID, "byte 0x%02x where %s should follow", *s->at, wanted);
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
		s->at++;
}

/* Steps over one character beyond ASCII; false when it is not valid UTF-8. */
static bool skip_utf8(struct scan *s)
{
	const unsigned char *p = s->at;
	size_t left = (size_t)(s->end - p);
	size_t n;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return false;
	if (left < n)
		return false;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
	}
	/* Overlong forms, surrogates, and what lies past the last code point. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return false;
	s->at += n;
	return true;
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits after \u, or -1. */
static int read_hex4(struct scan *s)
{
	int value = 0;

	if (s->end - s->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(s->at[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	s->at += 4;
	return value;
}

static int check_escape(struct scan *s)
{
	const unsigned char *start = s->at++;
	int unit;

	if (s->at == s->end)
		return fail_unexpected(s, "an escape");
	if (*s->at != 'u') {
		if (!memchr("\"\\/bfnrt", *s->at, 8))
			return fail(s, start, ERR_INVALID, "a backslash that begins no escape of JSON");
		s->at++;
		return 0;
	}
	s->at++;
	unit = read_hex4(s);
	if (unit < 0)
		return fail(s, start, ERR_INVALID, "\\u needs four hexadecimal digits");
	if (unit == 0)
		return fail(s, start, ERR_INVALID, "\\u0000 (the character NUL) is not allowed in strings");
	if (unit < 0xd800 || unit > 0xdfff)
		return 0;
	if (unit <= 0xdbff && s->end - s->at >= 2 && s->at[0] == '\\' && s->at[1] == 'u') {
		s->at += 2;
		unit = read_hex4(s);
		if (unit >= 0xdc00 && unit <= 0xdfff)
			return 0;
	}
	return fail(s, start, ERR_INVALID, "half of a surrogate pair alone is not a character");
}

/* True when all eight bytes are printable ASCII other than quote and backslash. */
static bool plain8(const unsigned char *p)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
	uint64_t w, quote, backslash;

	memcpy(&w, p, sizeof(w));
	quote = w ^ (ones * '"');
	backslash = w ^ (ones * '\\');
	return !((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & highs);
}

static int check_string(struct scan *s)
{
	int r;

	if (s->at == s->end || *s->at != '"')
		return fail_unexpected(s, "a string in double quotes");
	s->at++;
	for (;;) {
		while (s->end - s->at >= 8 && plain8(s->at))
			s->at += 8;
		if (s->at == s->end)
			return fail(s, s->at, ERR_INVALID, "the text ends inside a string");
		if (*s->at == '"') {
			s->at++;
			return 0;
		}
		if (*s->at == '\\') {
			r = check_escape(s);
			if (r < 0)
				return r;
		} else if (*s->at < 0x20) {
			return fail(s, s->at, ERR_INVALID,
						"control character 0x%02x inside a string; it must be escaped", *s->at);
		} else if (*s->at < 0x80) {
			s->at++;
		} else if (!skip_utf8(s)) {
			return fail(s, s->at, ERR_INVALID, "byte 0x%02x is not valid UTF-8", *s->at);
		}
	}
}

/* A decimal as 0.DIGITS times ten to `exponent`, without zeros at either end. */
struct decimal {
	char digits[18];
	int n_digits; /* all there are, even where they were not kept */
	int64_t exponent;
};

/* Reads what the grammar of JSON allows; text must end in something that is no part of it. */
static struct decimal decimal_read(const unsigned char *p, const unsigned char *end)
{
	struct decimal dec = {0};
	int64_t exponent = 0;
	bool point = false, negative = false;
	int zeros = 0;

	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '-')
			continue;
		if (*p == '.') {
			point = true;
			continue;
		}
		if (*p == '0') {
			/* Counts only if another digit follows; before the first it moves the point. */
			if (dec.n_digits > 0)
				zeros++;
			else if (point)
				dec.exponent--;
			if (!point && dec.n_digits > 0)
				dec.exponent++;
			continue;
		}
		for (; zeros > 0; zeros--) {
			if (dec.n_digits < (int)sizeof(dec.digits))
				dec.digits[dec.n_digits] = '0';
			dec.n_digits++;
		}
		if (dec.n_digits < (int)sizeof(dec.digits))
			dec.digits[dec.n_digits] = (char)*p;
		dec.n_digits++;
		if (!point)
			dec.exponent++;
	}
	if (p < end) {
		p++;
		negative = *p == '-';
		for (; p < end; p++) {
			if (*p >= '0' && *p <= '9' && exponent < 100000000)
				exponent = exponent * 10 + (*p - '0');
		}
	}
	dec.exponent += negative ? -exponent : exponent;
	return dec;
}

/*
 * Whether a double keeps the decimal: printed with as many digits as the text has, it is the text
 * again. Up to 15 digits that is so for every double of full precision.
 */
static bool keeps(const unsigned char *text, size_t len)
{
	struct decimal dec = decimal_read(text, text + len), again;
	char copy[512], printed[40];
	double number;

	if (dec.n_digits == 0)
		return true;
	if (dec.n_digits <= 15 && dec.exponent > -300 && dec.exponent < 300)
		return true;
	if (dec.n_digits > 17 || dec.exponent > 400 || dec.exponent < -400)
		return false;
	/* Longer than this only by zeros that mean nothing. */
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	number = strtod(copy, NULL);
	if (!isfinite(number) || number == 0)
		return false;
	snprintf(printed, sizeof(printed), "%.*e", dec.n_digits - 1, number);
	again = decimal_read((unsigned char *)printed, (unsigned char *)printed + strlen(printed));
	return again.n_digits == dec.n_digits && again.exponent == dec.exponent &&
		   memcmp(again.digits, dec.digits, (size_t)dec.n_digits) == 0;
}

static bool fits_int64(const unsigned char *p, size_t len)
{
	bool negative = *p == '-';
	uint64_t value = 0;

	if (len <= 18)
		return true;
	if (len > 20)
		return false;
	for (size_t i = negative; i < len; i++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, p[i] - '0', &value))
			return false;
	}
	return value <= (uint64_t)INT64_MAX + negative;
}

static size_t skip_digits(struct scan *s)
{
	const unsigned char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - start);
}

static int check_number(struct scan *s)
{
	const unsigned char *start = s->at;
	bool real = false;
	size_t len;

	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0') {
		s->at++;
		if (s->at < s->end && *s->at >= '0' && *s->at <= '9')
			return fail(s, start, ERR_INVALID, "a number cannot begin with a zero");
	} else if (skip_digits(s) == 0) {
		return fail_unexpected(s, "a digit");
	}
	if (s->at < s->end && *s->at == '.') {
		real = true;
		s->at++;
		if (skip_digits(s) == 0)
			return fail_unexpected(s, "a digit");
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		real = true;
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		if (skip_digits(s) == 0)
			return fail_unexpected(s, "a digit");
	}
	len = (size_t)(s->at - start);
	if (real && !keeps(start, len))
		return fail(
			s, start, ERR_INVALID,
			"the number %.*s cannot be kept: a decimal has at most 17 digits that read back "
			"(send it as a string)",
			(int)(len < 40 ? len : 40), start);
	if (!real && !fits_int64(start, len))
		return fail(s, start, ERR_INVALID,
					"the number %.*s cannot be kept: an integer has at most 64 bits (send it as a "
					"string)",
					(int)(len < 40 ? len : 40), start);
	return 0;
}

static int check_value(struct scan *s, int depth);

static int check_word(struct scan *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return fail_unexpected(s, "a JSON value");
	s->at += len;
	return 0;
}

/* The rest of an object or array after its opening bracket. */
static int check_members(struct scan *s, unsigned char close, int depth)
{
	int r;

	if (depth > JSON_MAX_DEPTH)
		return fail(s, s->at, ERR_INVALID, "nested more than %d levels deep", JSON_MAX_DEPTH);
	s->at++;
	skip_space(s);
	if (s->at < s->end && *s->at == close) {
		s->at++;
		return 0;
	}
	for (;;) {
		if (close == '}') {
			skip_space(s);
			r = check_string(s);
			if (r < 0)
				return r;
			skip_space(s);
			if (s->at == s->end || *s->at != ':')
				return fail_unexpected(s, "':'");
			s->at++;
		}
		r = check_value(s, depth);
		if (r < 0)
			return r;
		skip_space(s);
		if (s->at < s->end && *s->at == ',') {
			s->at++;
			continue;
		}
		if (s->at == s->end || *s->at != close)
			return fail_unexpected(s, close == '}' ? "',' or '}'" : "',' or ']'");
		s->at++;
		return 0;
	}
}

static int check_value(struct scan *s, int depth)
{
	skip_space(s);
	if (s->at == s->end)
		return fail_unexpected(s, "a JSON value");
	switch (*s->at) {
	case '{':
		return check_members(s, '}', depth + 1);
	case '[':
		return check_members(s, ']', depth + 1);
	case '"':
		return check_string(s);
	case 't':
		return check_word(s, "true", 4);
	case 'f':
		return check_word(s, "false", 5);
	case 'n':
		return check_word(s, "null", 4);
	case '-':
	case '0' ... '9':
		return check_number(s);
	default:
		return fail_unexpected(s, "a JSON value");
	}
}

int json_text_check(const char *text, size_t len, struct err *err)
{
	struct scan s = {
		.at = (const unsigned char *)text,
		.end = (const unsigned char *)text + len,
		.text = (const unsigned char *)text,
		.err = err,
	};
	int r;

	r = check_value(&s, 0);
	if (r < 0)
		return r;
	skip_space(&s);
	if (s.at != s.end)
		return fail(&s, s.at, ERR_INVALID, "something follows after the JSON value");
	return 0;
}

int json_parse(const char *text, size_t len, json_t **ret_value, struct err *err)
{
	json_error_t why;
	json_t *value;
	int r;

	r = json_text_check(text, len, err);
	if (r < 0)
		return r;
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!value) {
		const struct scan s = {.text = (const unsigned char *)text, .err = err};
		const unsigned char *where = s.text + (why.position > 0 ? why.position - 1 : 0);

		if (json_error_code(&why) == json_error_duplicate_key)
			return fail(&s, where, ERR_INVALID, "%s", why.text);
		return err_set(err, ERR_NO_MEMORY, "no memory for the JSON text");
	}
	*ret_value = value;
	return 0;
}

int json_parse_stored(const char *text, size_t len, json_t **ret_value, struct err *err)
{
	json_error_t why;
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	if (!value)
		return err_set(err, ERR_INVALID, "line %d: %s", why.line, why.text);
	*ret_value = value;
	return 0;
}
