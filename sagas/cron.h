/*
 * Cron lines: minute, hour, day of the month, month, weekday; and when one is due next. Each field
 * is a list of numbers, ranges and steps: "*", "5", "1-5", "*" "/15", "8-18/2", "mon-fri",
 * "jan,jul"; "10/20" is from 10 to the end in steps. Weekdays are 0 to 7, and 0 and 7 are Sunday.
 * Where both days are said, either will do, as in every cron. @hourly, @daily (@midnight), @weekly,
 * @monthly, @yearly
 * (@annually) stand for lines.
 *
 * A line speaks of the clock of a time zone. A time that the clock skips is due in the first moment
 * after the gap; one that it shows twice is due once, the first time.
 */
#ifndef SAGAS_CRON_H
#define SAGAS_CRON_H

#include "sagas/base/time.h"
#include "sagas/tz.h"

enum { CRON_MAX_BYTES = 255 };

struct cron {
	uint64_t minutes;
	uint32_t hours, days, months; /* bits; days and months from 1 */
	uint32_t weekdays;            /* 0: Sunday */
	bool any_day, any_weekday;    /* the field is a star (or begins with one) */
};

/* ERR_INVALID, with what would be right; also for a line that is never due. */
int cron_parse(const char *text, struct cron *ret_cron, struct err *err) MUST_CHECK;

/* When it is due first after that moment; -1: not within a hundred years. */
wall_ms cron_next(const struct cron *cron, const struct tz *tz, wall_ms after);

#endif
