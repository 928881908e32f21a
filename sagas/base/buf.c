#include "sagas/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEFAULT_MAX = 64 * 1024 * 1024, FIRST_CAP = 128 };

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max ? max : DEFAULT_MAX};
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_grow(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : FIRST_CAP;
	char *data;

	if (buf->failed)
		return;
	if (more > buf->max || buf->len > buf->max - more) {
		buf->failed = true;
		return;
	}
	while (cap < buf->len + more + 1)
		cap *= 2;
	/* Never more room than the maximum, or buf_add would fill it without asking. */
	if (cap > buf->max + 1)
		cap = buf->max + 1;
	data = realloc(buf->data, cap);
	if (!data) {
		buf->failed = true;
		return;
	}
	buf->data = data;
	buf->cap = cap;
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	CHECK(len >= 0);
	buf_grow(buf, (size_t)len);
	if (buf->failed)
		return;
	va_start(args, fmt);
	vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

void buf_add_int(struct buf *buf, int64_t n)
{
	char digits[24];
	char *at = digits + sizeof(digits);
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (n < 0)
		*--at = '-';
	buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

const char *buf_str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
	if (!buf->failed)
		return 0;
	return err_set(err, ERR_LIMIT, "%s does not fit into %zu bytes", what, buf->max);
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
	char *data = buf->data ? TAKE(buf->data) : xstrdup("");

	if (ret_len)
		*ret_len = buf->len;
	buf_init(buf, buf->max);
	return data;
}
