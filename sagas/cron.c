#include "sagas/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	DAY = 86400,
	LOOK_DAYS = 36525, /* a hundred years */
	N_FIELDS = 5,
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
									 "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
	const char *name;
	int min, max;
	const char *const *names; /* of its numbers, from min on */
	int n_names;
};

static const struct field fields[N_FIELDS] = {
	{"minute", 0, 59, NULL, 0},           {"hour", 0, 23, NULL, 0},
	{"day of the month", 1, 31, NULL, 0}, {"month", 1, 12, months, 12},
	{"weekday", 0, 7, weekdays, 7},
};

static const struct {
	const char *word, *line;
} words[] = {
	{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

/* Parsing. */

static int wrong(const struct field *field, const char *text, size_t len, struct err *err)
{
	if (field->n_names > 0)
		return err_set(
			err, ERR_INVALID,
			"the %s `%.*s` must be * or numbers from %d to %d or names (%s, %s …), as in "
			"1-5 or */2",
			field->name, (int)(len < 60 ? len : 60), text, field->min, field->max, field->names[0],
			field->names[1]);
	return err_set(err, ERR_INVALID,
				   "the %s `%.*s` must be * or numbers from %d to %d, as in 1-5, 1,15 or */2",
				   field->name, (int)(len < 60 ? len : 60), text, field->min, field->max);
}

/* A number or a name; false: neither. */
static bool take_value(const struct field *field, const char **at, const char *end, int *ret)
{
	const char *c = *at;
	int n = 0;

	if (c < end && *c >= '0' && *c <= '9') {
		for (; c < end && *c >= '0' && *c <= '9'; c++) {
			n = n * 10 + (*c - '0');
			if (n > field->max)
				return false;
		}
		*at = c;
		*ret = n;
		return n >= field->min;
	}
	for (int i = 0; i < field->n_names; i++)
		if (end - c >= 3 && strncasecmp(c, field->names[i], 3) == 0) {
			*at = c + 3;
			*ret = field->min + i;
			return true;
		}
	return false;
}

/* One element of a list, of which nothing is left behind. */
static bool take_range(const struct field *field, const char *at, const char *end, uint64_t *bits)
{
	int from = field->min, to = field->max, step = 1;
	bool star = at < end && *at == '*', open = star;
	const struct field steps = {.min = 1, .max = field->max};

	if (star)
		at++;
	else if (!take_value(field, &at, end, &from))
		return false;
	if (!star)
		to = from;
	if (!star && at < end && *at == '-') {
		at++;
		if (!take_value(field, &at, end, &to) || to < from)
			return false;
		open = true;
	}
	if (at < end && *at == '/') {
		at++;
		if (!take_value(&steps, &at, end, &step))
			return false;
		if (!open)
			to = field->max;
	}
	for (int i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return at == end;
}

static int parse_field(const struct field *field, const char *text, size_t len, uint64_t *ret_bits,
					   struct err *err)
{
	const char *at = text, *end = text + len;

	*ret_bits = 0;
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));

		if (!take_range(field, at, comma ? comma : end, ret_bits))
			return wrong(field, text, len, err);
		if (!comma)
			return 0;
		at = comma + 1;
	}
}

static int five_fields(const char *text, struct err *err)
{
	return err_set(
		err, ERR_INVALID,
		"`%.60s` must have five fields (minute hour day month weekday), such as \"0 3 * * "
		"*\", or be one of @hourly, @daily, @weekly, @monthly, @yearly",
		text);
}

int cron_parse(const char *text, struct cron *ret_cron, struct err *err)
{
	uint64_t bits[N_FIELDS];
	bool star[N_FIELDS];
	const char *at = text;
	int n = 0;

	if (strlen(text) > CRON_MAX_BYTES)
		return err_set(err, ERR_INVALID, "a cron line has at most %d bytes", CRON_MAX_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i].word) == 0)
			at = words[i].line;
	if (*at == '@')
		return five_fields(text, err);
	for (; *(at += strspn(at, " \t")); n++) {
		size_t len = strcspn(at, " \t");
		int r;

		if (n == N_FIELDS)
			return five_fields(text, err);
		star[n] = *at == '*';
		r = parse_field(&fields[n], at, len, &bits[n], err);
		if (r < 0)
			return r;
		at += len;
	}
	if (n != N_FIELDS)
		return five_fields(text, err);
	*ret_cron = (struct cron){
		.minutes = bits[0],
		.hours = (uint32_t)bits[1],
		.days = (uint32_t)bits[2],
		.months = (uint32_t)bits[3],
		.weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
		.any_day = star[2],
		.any_weekday = star[4],
	};
	if (cron_next(ret_cron, &(struct tz){0}, 0) < 0)
		return err_set(err, ERR_INVALID, "`%.60s` is never due: its months have no such day", text);
	return 0;
}

/* When. */

static bool is_day(const struct cron *cron, int64_t day)
{
	int weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970 began with a Thursday */
	struct civil_day date = civil_from_days(day);
	bool by_day, by_weekday;

	if (!(cron->months >> date.month & 1))
		return false;
	by_day = cron->days >> date.day & 1;
	by_weekday = cron->weekdays >> weekday & 1;
	return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first of a day's times that are due after that moment; -1: none is. */
static int64_t next_of_day(const struct cron *cron, const struct tz *tz, int64_t day, int64_t after)
{
	for (int hour = 0; hour < 24; hour++) {
		if (!(cron->hours >> hour & 1))
			continue;
		/* The whole hour is over: no minute of it needs to be looked at. */
		if (tz_when(tz, day * DAY + hour * 3600 + 59 * 60) <= after)
			continue;
		for (int minute = 0; minute < 60; minute++) {
			int64_t when;

			if (!(cron->minutes >> minute & 1))
				continue;
			when = tz_when(tz, day * DAY + hour * 3600 + minute * 60);
			if (when > after)
				return when;
		}
	}
	return -1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

wall_ms cron_next(const struct cron *cron, const struct tz *tz, wall_ms after_ms)
{
	int64_t after = floor_div(after_ms, 1000);
	/* The clock may have been put back by up to a day meanwhile. */
	int64_t day = floor_div(after + tz_offset(tz, after), DAY) - 1;

	for (int i = 0; i < LOOK_DAYS; i++, day++) {
		int64_t when;

		if (!is_day(cron, day))
			continue;
		when = next_of_day(cron, tz, day, after);
		if (when >= 0)
			return when * 1000;
	}
	return -1;
}
