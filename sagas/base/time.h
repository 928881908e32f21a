/*
 * Two kinds of time that must not be mixed: wall time is stored and shown, monotonic time is waited
 * for. Nothing below the coordinator reads a clock; both arrive from outside.
 */
#ifndef SAGAS_BASE_TIME_H
#define SAGAS_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"

typedef int64_t wall_ms; /* milliseconds since 1970-01-01T00:00:00Z */

struct mono_ms {
	int64_t ms; /* of a clock that never jumps; its zero means nothing */
};

/* "2026-01-31T23:59:59.123Z"; size of the text with its NUL. */
enum { TIME_TEXT_SIZE = 32 };
void time_format(wall_ms at, char text[TIME_TEXT_SIZE]);

/* RFC 3339 with an offset or Z. ERR_INVALID. What is finer than a millisecond is cut off. */
int time_parse(const char *text, wall_ms *ret_at, struct err *err) MUST_CHECK;

/* "200ms", "3s", "4h", "3d", "1h30m", "1.5s"; never negative. ERR_INVALID. */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err) MUST_CHECK;

/*
 * The same at full precision, for expressions: seconds and the nanoseconds beyond them. A point in
 * time has 0 <= nanos < 1e9; a span may be negative, and then both parts are zero or negative.
 */
struct time_span {
	int64_t seconds;
	int32_t nanos;
};

/* The years that RFC 3339 can say: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
#define TIME_MIN_SECONDS INT64_C(-62135596800)
#define TIME_MAX_SECONDS INT64_C(253402300799)
/* Ten thousand years, the longest span. */
#define SPAN_MAX_SECONDS INT64_C(315576000000)

int time_parse_span(const char *text, size_t len, struct time_span *ret_at,
					struct err *err) MUST_CHECK;
/* Units ns, us, ms, s, m, h, d; may begin with a sign. */
int duration_parse_span(const char *text, size_t len, struct time_span *ret_span,
						struct err *err) MUST_CHECK;

/* A day in the proleptic Gregorian calendar; days count from 1970-01-01. */
struct civil_day {
	int64_t year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
};
struct civil_day civil_from_days(int64_t days);
int64_t civil_to_days(int64_t year, int month, int day);

#endif
