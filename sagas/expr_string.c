/*
 * Functions over strings. Positions count characters (code points), not bytes. What is part of a
 * string is not copied but pointed into.
 */
#include <string.h>

#include "sagas/expr_priv.h"

/* What regular expressions cost, in steps of the budget. */
enum { COMPILE_STEPS = 20, MATCHES_PER_STEP = 2048 };

static bool is_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t count_chars(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += is_start(s.s[i]);
	return n;
}

/* The length in bytes of the character at s. */
static size_t char_len(const char *s, const char *end)
{
	size_t n = 1;

	while (s + n < end && !is_start(s[n]))
		n++;
	return n;
}

/* The byte where character `index` begins; false when there are fewer (the end counts). */
static bool byte_offset(struct slice s, int64_t index, size_t *ret_offset)
{
	size_t at = 0;

	if (index < 0)
		return false;
	for (; index > 0; index--) {
		if (at >= s.len)
			return false;
		at += char_len(s.s + at, s.s + s.len);
	}
	*ret_offset = at;
	return true;
}

static int fail_index(struct eval *ev, const struct node *node, int64_t index)
{
	return expr__fail(ev, node, "%s(): there is no position %lld in this string",
					  expr__functions[node->which].name, (long long)index);
}

static struct val string_val(const char *s, size_t len)
{
	return (struct val){.tag = V_STRING, .s = s, .len = (uint32_t)len};
}

static bool begins_with(struct slice s, struct slice part)
{
	return part.len <= s.len && memcmp(s.s, part.s, part.len) == 0;
}

static bool ends_with(struct slice s, struct slice part)
{
	return part.len <= s.len && memcmp(s.s + s.len - part.len, part.s, part.len) == 0;
}

static int call_matches(struct eval *ev, const struct node *node, struct slice s, struct slice text,
						bool *ret_found)
{
	CLEANUP(regex_free_p) struct regex *own = NULL;
	const struct regex *regex = node->regex;
	struct err err;
	int r;

	if (!regex) {
		char *pattern = arena__alloc(&ev->arena, text.len + 1);

		r = expr__charge(ev, node, COMPILE_STEPS);
		if (r < 0)
			return r;
		if (!pattern)
			return expr__no_memory(ev, node);
		memcpy(pattern, text.s, text.len);
		pattern[text.len] = '\0';
		r = regex_compile(pattern, &own, &err);
		if (r < 0)
			return expr__fail(ev, node, "%s", err.text);
		regex = own;
	}
	/* Matching takes time in proportion to both, and so it takes steps. */
	r = expr__charge(ev, node, regex_size(regex) * (s.len + 1) / MATCHES_PER_STEP);
	if (r < 0)
		return r;
	r = regex_search(regex, s.s, s.len, ret_found, &err);
	return r < 0 ? expr__fail(ev, node, "%s", err.text) : 0;
}

static int call_test(struct eval *ev, const struct node *node, struct slice s, struct slice part,
					 struct val *out)
{
	bool found = false;
	int r = 0;

	if (node->which == FN_CONTAINS)
		found = part.len == 0 || memmem(s.s, s.len, part.s, part.len);
	else if (node->which == FN_STARTS_WITH)
		found = begins_with(s, part);
	else if (node->which == FN_ENDS_WITH)
		found = ends_with(s, part);
	else
		r = call_matches(ev, node, s, part, &found);
	*out = (struct val){.tag = V_BOOL, .b = found};
	return r;
}

static int call_case(struct eval *ev, const struct node *node, struct slice s, struct val *out)
{
	const char first = node->which == FN_LOWER ? 'A' : 'a';
	char *text = arena__alloc(&ev->arena, s.len);

	if (!text)
		return expr__no_memory(ev, node);
	for (size_t i = 0; i < s.len; i++)
		text[i] = s.s[i] >= first && s.s[i] < first + 26 ? s.s[i] ^ 0x20 : s.s[i];
	*out = string_val(text, s.len);
	return 0;
}

static int call_reverse(struct eval *ev, const struct node *node, struct slice s, struct val *out)
{
	char *text = arena__alloc(&ev->arena, s.len), *at;

	if (!text)
		return expr__no_memory(ev, node);
	at = text + s.len;
	for (const char *p = s.s, *end = s.s + s.len; p < end;) {
		size_t n = char_len(p, end);

		at -= n;
		memcpy(at, p, n);
		p += n;
	}
	*out = string_val(text, s.len);
	return 0;
}

/* The length of the blank at s (Unicode's White_Space), or 0. */
static size_t blank_len(const char *s, size_t len)
{
	static const char *const blanks[] = {
		"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};

	if (len > 0 && (*s == ' ' || (*s >= '\t' && *s <= '\r')))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(blanks); i++) {
		size_t n = strlen(blanks[i]);

		if (n <= len && memcmp(s, blanks[i], n) == 0)
			return n;
	}
	return 0;
}

static struct val call_trim(struct slice s)
{
	size_t n;

	while ((n = blank_len(s.s, s.len)) > 0) {
		s.s += n;
		s.len -= n;
	}
	while (s.len > 0) {
		size_t last = 1;

		while (last < s.len && !is_start(s.s[s.len - last]))
			last++;
		if (blank_len(s.s + s.len - last, last) != last)
			break;
		s.len -= last;
	}
	return string_val(s.s, s.len);
}

static int call_substring(struct eval *ev, const struct node *node, const struct val *args,
						  struct val *out)
{
	struct slice s = val__slice(&args[0]);
	size_t from, to = s.len;

	if (!byte_offset(s, args[1].i, &from))
		return fail_index(ev, node, args[1].i);
	if (node->n == 3 && (!byte_offset(s, args[2].i, &to) || to < from))
		return fail_index(ev, node, args[2].i);
	*out = string_val(s.s + from, to - from);
	return 0;
}

static int call_char_at(struct eval *ev, const struct node *node, const struct val *args,
						struct val *out)
{
	struct slice s = val__slice(&args[0]);
	size_t at;

	if (!byte_offset(s, args[1].i, &at))
		return fail_index(ev, node, args[1].i);
	*out = string_val(s.s + at, at < s.len ? char_len(s.s + at, s.s + s.len) : 0);
	return 0;
}

static int call_index_of(struct eval *ev, const struct node *node, const struct val *args,
						 struct val *out)
{
	struct slice s = val__slice(&args[0]), part = val__slice(&args[1]);
	bool last = node->which == FN_LAST_INDEX_OF;
	ptrdiff_t found = -1;
	size_t from = last ? s.len : 0;
	int r;

	if (node->n == 3 && !byte_offset(s, args[2].i, &from))
		return fail_index(ev, node, args[2].i);
	if (last) {
		/* From the back there is no search in libc that is always linear. */
		r = expr__charge_bytes(ev, node, s.len / 64 * part.len);
		if (r < 0)
			return r;
		for (ptrdiff_t at = (ptrdiff_t)from; at >= 0 && found < 0; at--) {
			struct slice rest = {s.s + at, s.len - (size_t)at};

			if (begins_with(rest, part))
				found = at;
		}
	} else if (part.len == 0) {
		found = (ptrdiff_t)from;
	} else {
		const char *at = memmem(s.s + from, s.len - from, part.s, part.len);

		found = at ? at - s.s : -1;
	}
	*out = (struct val){.tag = V_INT, .i = -1};
	if (found >= 0)
		out->i = (int64_t)count_chars((struct slice){s.s, (size_t)found});
	return 0;
}

/*
 * Steps to the next place where `part` occurs at or after `at`; an empty part occurs before each
 * character and at the end. Returns the offset, or -1.
 */
static ptrdiff_t next_occurrence(struct slice s, size_t at, struct slice part)
{
	const char *found;

	if (at > s.len)
		return -1;
	if (part.len == 0)
		return (ptrdiff_t)at;
	found = memmem(s.s + at, s.len - at, part.s, part.len);
	return found ? found - s.s : -1;
}

/* How often `part` occurs in s, without overlaps, at most `limit` times (negative: any number). */
static size_t count_occurrences(struct slice s, struct slice part, int64_t limit)
{
	size_t n = 0, at = 0;
	ptrdiff_t found;

	while ((limit < 0 || n < (uint64_t)limit) && (found = next_occurrence(s, at, part)) >= 0) {
		n++;
		at = (size_t)found + part.len;
		if (part.len == 0)
			at += at < s.len ? char_len(s.s + at, s.s + s.len) : 1;
	}
	return n;
}

static int call_replace(struct eval *ev, const struct node *node, const struct val *args,
						struct val *out)
{
	struct slice s = val__slice(&args[0]), old = val__slice(&args[1]);
	struct slice new = val__slice(&args[2]);
	size_t n = count_occurrences(s, old, node->n == 4 ? args[3].i : -1), len, at = 0;
	char *text, *to;
	int r;

	/* The sum cannot overflow before it is too large: all three lie far below 2^32. */
	len = s.len + n * new.len - n *old.len;
	r = expr__charge_bytes(ev, node, len);
	if (r < 0)
		return r;
	to = text = arena__alloc(&ev->arena, len);
	if (!text)
		return expr__no_memory(ev, node);
	for (; n > 0; n--) {
		size_t found = (size_t)next_occurrence(s, at, old), step = old.len;

		memcpy(to, s.s + at, found - at);
		to += found - at;
		memcpy(to, new.s, new.len);
		to += new.len;
		at = found + step;
		/* Past the character that follows an empty occurrence, or the same would be found again. */
		if (step == 0 && at < s.len) {
			step = char_len(s.s + at, s.s + s.len);
			memcpy(to, s.s + at, step);
			to += step;
			at += step;
		}
	}
	if (at < s.len)
		memcpy(to, s.s + at, s.len - at);
	*out = string_val(text, len);
	return 0;
}

static int call_split(struct eval *ev, const struct node *node, const struct val *args,
					  struct val *out)
{
	struct slice s = val__slice(&args[0]), separator = val__slice(&args[1]);
	int64_t limit = node->n == 3 ? args[2].i : -1;
	size_t most, at = 0;
	struct val_list *list;
	int r;

	if (separator.len == 0)
		most = count_chars(s);
	else
		most = count_occurrences(s, separator, -1) + 1;
	if (limit >= 0 && most > (uint64_t)limit)
		most = (size_t)limit;
	r = expr__charge(ev, node, most / 16);
	if (r < 0)
		return r;
	list = arena__alloc(&ev->arena, sizeof(*list) + most * sizeof(struct val));
	if (!list)
		return expr__no_memory(ev, node);
	for (list->n = 0; list->n < most; list->n++) {
		size_t len = s.len - at;

		if (list->n + 1 < most && separator.len == 0)
			len = char_len(s.s + at, s.s + s.len);
		else if (list->n + 1 < most)
			len = (size_t)next_occurrence(s, at, separator) - at;
		list->items[list->n] = string_val(s.s + at, len);
		at += len + separator.len;
	}
	*out = (struct val){.tag = V_LIST, .list = list};
	return 0;
}

static int call_join(struct eval *ev, const struct node *node, const struct val *args,
					 struct val *out)
{
	struct slice separator = node->n == 2 ? val__slice(&args[1]) : (struct slice){"", 0};
	size_t n = val__size(&args[0]), len = 0;
	char *text, *to;
	int r;

	for (size_t i = 0; i < n; i++) {
		struct val v = val__list_get(&args[0], i);

		if (!val__is_string(&v))
			return expr__fail(ev, node, "join() wants strings, and element %zu is of type %s", i,
							  val__type_text(&v));
		len += val__slice(&v).len + (i > 0 ? separator.len : 0);
	}
	r = expr__charge(ev, node, n / 16);
	if (r == 0)
		r = expr__charge_bytes(ev, node, len);
	if (r < 0)
		return r;
	if (len > EXPR__MAX_MEMORY || !(text = arena__alloc(&ev->arena, len)))
		return expr__no_memory(ev, node);
	to = text;
	for (size_t i = 0; i < n; i++) {
		struct val v = val__list_get(&args[0], i);
		struct slice s = val__slice(&v);

		if (i > 0)
			to = (char *)memcpy(to, separator.s, separator.len) + separator.len;
		to = (char *)memcpy(to, s.s, s.len) + s.len;
	}
	*out = string_val(text, len);
	return 0;
}

int expr__call_string(struct eval *ev, const struct node *node, const struct val *args,
					  struct val *ret_value)
{
	struct slice s = {"", 0};
	int r;

	if (val__is_string(&args[0])) {
		s = val__slice(&args[0]);
		r = expr__charge_bytes(ev, node, s.len);
		if (r < 0)
			return r;
	}
	switch (node->which) {
	case FN_SIZE:
		*ret_value = (struct val){.tag = V_INT, .i = (int64_t)count_chars(s)};
		return 0;
	case FN_CONTAINS:
	case FN_STARTS_WITH:
	case FN_ENDS_WITH:
	case FN_MATCHES:
		return call_test(ev, node, s, val__slice(&args[1]), ret_value);
	case FN_LOWER:
	case FN_UPPER:
		return call_case(ev, node, s, ret_value);
	case FN_TRIM:
		*ret_value = call_trim(s);
		return 0;
	case FN_REVERSE:
		return call_reverse(ev, node, s, ret_value);
	case FN_REPLACE:
		return call_replace(ev, node, args, ret_value);
	case FN_SPLIT:
		return call_split(ev, node, args, ret_value);
	case FN_JOIN:
		return call_join(ev, node, args, ret_value);
	case FN_SUBSTRING:
		return call_substring(ev, node, args, ret_value);
	case FN_INDEX_OF:
	case FN_LAST_INDEX_OF:
		return call_index_of(ev, node, args, ret_value);
	case FN_CHAR_AT:
		return call_char_at(ev, node, args, ret_value);
	}
	return expr__no_overload(ev, node, args);
}
