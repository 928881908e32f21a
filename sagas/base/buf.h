/*
 * A growing byte string with a maximum. Appending past the maximum, or when memory is gone, sets
 * `failed` and changes nothing more; the caller looks once, at the end, with buf_finish or
 * buf_failed. The bytes are always followed by a NUL that does not count.
 */
#ifndef SAGAS_BASE_BUF_H
#define SAGAS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
};

/* max is in bytes; 0 means 64 MiB, so that no buffer is without a limit. */
void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);
void buf_clear(struct buf *buf); /* empties, keeps the memory, forgets a failure */

void buf_grow(struct buf *buf, size_t more);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_add_int(struct buf *buf, int64_t n);

static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (buf->len + len + 1 > buf->cap || buf->failed) {
		buf_grow(buf, len);
		if (buf->failed)
			return;
	}
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

static inline void buf_add_str(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

static inline void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

/* Takes back what was added after the length was `len`. */
static inline void buf_truncate(struct buf *buf, size_t len)
{
	if (len < buf->len) {
		buf->len = len;
		buf->data[len] = '\0';
	}
}

/* A string literal, whose length the compiler knows. */
#define buf_add_lit(buf, lit) buf_add((buf), "" lit "", sizeof(lit) - 1)

/* Never NULL: an empty buffer gives "". */
const char *buf_str(const struct buf *buf);

/* ERR_LIMIT or ERR_NO_MEMORY when something did not fit; `what` names the thing in the text. */
int buf_check(const struct buf *buf, const char *what, struct err *err) MUST_CHECK;

/* Hands the bytes over (the caller frees them) and leaves the buffer empty. */
char *buf_take(struct buf *buf, size_t *ret_len) MUST_CHECK;

#endif
