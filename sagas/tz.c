#include "sagas/tz.h"

#include <stdlib.h>

#include "sagas/base/time.h"

enum { DAY = 86400 };

struct tz *tz_new(void)
{
	return xcalloc(1, sizeof(struct tz));
}

void tz_free(struct tz *tz)
{
	if (tz)
		free(tz->transitions);
	free(tz);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The rule. */

/* The day that is meant in a year, since 1970. */
static int64_t day_in_year(const struct tz_date *date, int64_t year)
{
	int64_t first = civil_to_days(year, 1, 1), day;

	switch (date->kind) {
	case TZ_JULIAN:
		return first + date->day - 1 + (is_leap(year) && date->day >= 60);
	case TZ_YEAR_DAY:
		return first + date->day;
	case TZ_MONTH:
		break;
	}
	first = civil_to_days(year, date->month, 1);
	day =
		first + (date->day - (first + 4) % 7 + 7) % 7 + (date->week - 1) * 7; /* 1970: a Thursday */
	while (day >= (date->month == 12 ? civil_to_days(year + 1, 1, 1)
									 : civil_to_days(year, date->month + 1, 1)))
		day -= 7;
	return day;
}

enum { RULE_YEARS = 3, RULE_CHANGES = 2 * RULE_YEARS };

/* The changes of the year of this moment and of those beside it, in their order. */
static void rule_changes(const struct tz_rule *rule, int64_t at,
						 struct tz_transition changes[RULE_CHANGES])
{
	int64_t year = civil_from_days(floor_div(at, DAY)).year;

	for (int i = 0; i < RULE_YEARS; i++) {
		int64_t y = year - 1 + i;

		/* Where summer time ends in the moment in which it begins again, it goes on. */
		changes[2 * i] = (struct tz_transition){
			day_in_year(&rule->end, y) * DAY + rule->end.time - rule->summer, rule->standard};
		changes[2 * i + 1] = (struct tz_transition){
			day_in_year(&rule->begin, y) * DAY + rule->begin.time - rule->standard, rule->summer};
	}
	for (int i = 1; i < RULE_CHANGES; i++)
		for (int k = i; k > 0 && changes[k - 1].at > changes[k].at; k--) {
			struct tz_transition swap = changes[k];

			changes[k] = changes[k - 1];
			changes[k - 1] = swap;
		}
	/* Of two in one moment the one that begins summer time counts, and stands last. */
	for (int i = 1; i < RULE_CHANGES; i++)
		if (changes[i - 1].at == changes[i].at)
			changes[i - 1].offset = changes[i].offset = rule->summer;
}

static int32_t rule_offset(const struct tz_rule *rule, int64_t at)
{
	struct tz_transition changes[RULE_CHANGES];
	int32_t offset = rule->standard;

	if (!rule->has_summer)
		return rule->standard;
	rule_changes(rule, at, changes);
	for (int i = 0; i < RULE_CHANGES; i++)
		if (changes[i].at <= at)
			offset = changes[i].offset;
	return offset;
}

static int64_t rule_next_change(const struct tz_rule *rule, int64_t after)
{
	struct tz_transition changes[RULE_CHANGES];

	if (!rule->has_summer)
		return INT64_MAX;
	rule_changes(rule, after, changes);
	for (int i = 0; i < RULE_CHANGES; i++)
		if (changes[i].at > after)
			return changes[i].at;
	return INT64_MAX; /* there is always one in the year after */
}

/* The zone. */

/* How many transitions were at or before the moment. */
static size_t count_until(const struct tz *tz, int64_t at)
{
	size_t low = 0, high = tz->n_transitions;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (tz->transitions[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int32_t tz_offset(const struct tz *tz, int64_t at)
{
	size_t n = count_until(tz, at);

	if (n == tz->n_transitions && tz->has_rule)
		return rule_offset(&tz->rule, at);
	return n > 0 ? tz->transitions[n - 1].offset : tz->first_offset;
}

int64_t tz_next_change(const struct tz *tz, int64_t after)
{
	size_t n = count_until(tz, after);

	if (n < tz->n_transitions)
		return tz->transitions[n].at;
	return tz->has_rule ? rule_next_change(&tz->rule, after) : INT64_MAX;
}

int64_t tz_when(const struct tz *tz, int64_t local)
{
	int64_t at = local - TZ_MAX_OFFSET - 1; /* the clock has not come so far, wherever it is */

	for (;;) {
		int64_t next = tz_next_change(tz, at), when = local - tz_offset(tz, at);

		if (when < at)
			when = at;
		if (when < next)
			return when;
		at = next;
	}
}
