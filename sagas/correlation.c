#include "sagas/correlation.h"

#include <string.h>

enum { RUNS_MAX = 1000000000 };

static const struct {
	enum call_kind kind;
	const char *text;
	bool asks; /* a number follows */
} kinds[] = {
	{CALL_DO, "do", false},
	{CALL_UNDO, "undo", false},
	{CALL_PROBE_DO, "probe-do.", true},
	{CALL_PROBE_UNDO, "probe-undo.", true},
};

void correlation_write(const struct correlation *correlation, struct buf *out)
{
	buf_printf(out, "%s/%s/%s", correlation->ns, correlation->saga_id, correlation->step);
	if (correlation->run > 1)
		buf_printf(out, "~%d", correlation->run);
	if (correlation->item >= 0)
		buf_printf(out, "[%d]", correlation->item);
	buf_add_char(out, '/');
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].kind != correlation->kind)
			continue;
		buf_add_str(out, kinds[i].text);
		if (kinds[i].asks)
			buf_add_int(out, correlation->ask);
	}
}

struct scan {
	const char *at, *end;
};

/* Copies what stands before the next `stop` (or the end) and steps over it; false: too long. */
static bool take_until(struct scan *scan, char stop, char *ret, size_t size)
{
	const char *found = memchr(scan->at, stop, (size_t)(scan->end - scan->at));
	size_t len;

	if (!found)
		return false;
	len = (size_t)(found - scan->at);
	if (len == 0 || len >= size || memchr(scan->at, '\0', len))
		return false;
	memcpy(ret, scan->at, len);
	ret[len] = '\0';
	scan->at = found + 1;
	return true;
}

/* Digits without a sign or a zero in front, so that each number has one text. */
static bool take_number(struct scan *scan, int64_t max, int64_t *ret)
{
	const char *start = scan->at;
	int64_t n = 0;

	for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
		int digit = *scan->at - '0';

		if (n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (scan->at == start || (*start == '0' && scan->at - start > 1))
		return false;
	*ret = n;
	return true;
}

/* "step", "step[7]", "step~2" or "step~2[7]" */
static bool read_step(char *text, struct correlation *ret)
{
	char *bracket = strchr(text, '['), *tilde = strchr(text, '~');
	const char *end = text + strlen(text);
	struct scan scan;
	int64_t item, run;

	ret->item = -1;
	ret->run = 1;
	if (tilde && (!bracket || tilde < bracket)) {
		scan = (struct scan){tilde + 1, bracket ? bracket : end};
		if (!take_number(&scan, RUNS_MAX, &run) || scan.at != scan.end || run < 2)
			return false;
		ret->run = (int)run;
		*tilde = '\0';
	}
	if (bracket) {
		scan = (struct scan){bracket + 1, end};
		if (!take_number(&scan, DEF_MAX_ITEMS, &item) || strcmp(scan.at, "]") != 0)
			return false;
		ret->item = (int)item;
		*bracket = '\0';
	}
	if (!(*text >= 'a' && *text <= 'z') || strlen(text) > DEF_MAX_NAME ||
		text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return false;
	memcpy(ret->step, text, strlen(text) + 1);
	return true;
}

static bool read_kind(struct scan *scan, struct correlation *ret)
{
	size_t left = (size_t)(scan->end - scan->at);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].text);

		if (left < len || memcmp(scan->at, kinds[i].text, len) != 0)
			continue;
		ret->kind = kinds[i].kind;
		ret->ask = 0;
		if (!kinds[i].asks)
			return left == len;
		scan->at += len;
		return take_number(scan, INT64_MAX, &ret->ask) && scan->at == scan->end && ret->ask > 0;
	}
	return false;
}

bool correlation_read(const char *text, size_t len, struct correlation *ret)
{
	struct scan scan = {text, text + len};
	struct correlation read;
	char step[DEF_MAX_NAME + 32];

	memset(&read, 0, sizeof(read));
	if (len > CORRELATION_MAX_BYTES || !take_until(&scan, '/', read.ns, sizeof(read.ns)) ||
		namespace_check(read.ns, NULL) < 0 ||
		!take_until(&scan, '/', read.saga_id, sizeof(read.saga_id)) ||
		saga_id_slot(read.saga_id) < 0 || !take_until(&scan, '/', step, sizeof(step)) ||
		!read_step(step, &read) || !read_kind(&scan, &read))
		return false;
	*ret = read;
	return true;
}
