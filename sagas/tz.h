/*
 * A time zone: its clock's offset from UTC at every moment. The changes that a file of the tz
 * database lists, and after the last of them a rule, as POSIX's TZ has it. Pure; reading files is
 * the business of connectors/tzfile.h. Times are seconds since 1970, without leap seconds.
 */
#ifndef SAGAS_TZ_H
#define SAGAS_TZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

enum {
	TZ_MAX_TRANSITIONS = 4096,
	TZ_MAX_OFFSET = 26 * 3600, /* from UTC, either way */
};

struct tz_transition {
	int64_t at;     /* UTC */
	int32_t offset; /* from then on, in seconds */
};

/* When in a year the rule changes the clock. */
enum tz_date_kind {
	TZ_JULIAN,   /* Jn: day 1 to 365, the 29th of February is never counted */
	TZ_YEAR_DAY, /* n: day 0 to 365, it is */
	TZ_MONTH     /* Mm.w.d: weekday d (0: Sunday) of week w (5: the last) of month m */
};
struct tz_date {
	enum tz_date_kind kind;
	int day, week, month;
	int32_t time; /* of the clock before the change; -167 to 167 hours, in seconds */
};

struct tz_rule {
	int32_t standard, summer; /* offsets */
	bool has_summer;
	struct tz_date begin, end; /* of summer time */
};

struct tz {
	struct tz_transition *transitions; /* upwards */
	size_t n_transitions;
	int32_t first_offset; /* before the first transition */
	bool has_rule;        /* after the last; else its offset stays */
	struct tz_rule rule;
};

/* UTC. */
struct tz *tz_new(void) MUST_CHECK;
void tz_free(struct tz *tz);
DEFINE_CLEANUP(struct tz *, tz_free)

int32_t tz_offset(const struct tz *tz, int64_t at);
/* When the clock changes next, after that moment; INT64_MAX: never. */
int64_t tz_next_change(const struct tz *tz, int64_t after);
/*
 * When the local clock first shows this time (seconds, as if it were UTC) or a later one: a time
 * that exists twice is the first of the two, one that is skipped is the end of the gap.
 */
int64_t tz_when(const struct tz *tz, int64_t local);

/* "CET-1CEST,M3.5.0,M10.5.0/3". ERR_INVALID. */
int tz_rule_parse(const char *text, size_t len, struct tz_rule *ret_rule,
				  struct err *err) MUST_CHECK;

#endif
