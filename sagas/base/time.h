/*
 * Two kinds of time that must not be mixed: wall time is stored and shown, monotonic time is waited
 * for. Nothing below the coordinator reads a clock; both arrive from outside.
 */
#ifndef SAGAS_BASE_TIME_H
#define SAGAS_BASE_TIME_H

#include <stdint.h>

#include "sagas/base/err.h"

typedef int64_t wall_ms; /* milliseconds since 1970-01-01T00:00:00Z */

struct mono_ms {
	int64_t ms; /* of a clock that never jumps; its zero means nothing */
};

/* "2026-01-31T23:59:59.123Z"; size of the text with its NUL. */
enum { TIME_TEXT_SIZE = 32 };
void time_format(wall_ms at, char text[TIME_TEXT_SIZE]);

/* RFC 3339 with an offset or Z. ERR_INVALID. */
int time_parse(const char *text, wall_ms *ret_at, struct err *err) MUST_CHECK;

/* "200ms", "3s", "4h", "3d", "1h30m", "1.5s"; never negative. ERR_INVALID. */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err) MUST_CHECK;

#endif
