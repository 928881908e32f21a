/*
 * Times and durations as text. The calendar is computed here and not asked of libc, so that it is
 * the same everywhere, knows no time zone but the offset that stands in the text, and reads no
 * file.
 */
#include "sagas/base/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DAY_SECONDS = 86400, NANOS_PER_MS = 1000000, NANOS_PER_SECOND = 1000000000 };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Years begin in March here, so that the leap day is the last of its year; eras have 400 years,
 * which always have the same number of days.
 */
struct civil_day civil_from_days(int64_t days)
{
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era = floor_div(shifted, 146097);
	int day_of_era = (int)(shifted - era * 146097);
	int year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int shifted_month = (5 * day_of_year + 2) / 153;
	int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;

	return (struct civil_day){
		.year = year_of_era + era * 400 + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * shifted_month + 2) / 5 + 1,
	};
}

int64_t civil_to_days(int64_t year, int month, int day)
{
	int64_t shifted_year = year - (month <= 2);
	int64_t era = floor_div(shifted_year, 400);
	int year_of_era = (int)(shifted_year - era * 400);
	int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static char *put_digits(char *at, int n, int64_t value)
{
	for (int i = n - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return at + n;
}

void time_format(wall_ms at, char text[TIME_TEXT_SIZE])
{
	int64_t seconds = floor_div(at, 1000);
	int64_t days = floor_div(seconds, DAY_SECONDS);
	int second_of_day = (int)(seconds - days * DAY_SECONDS);
	struct civil_day day = civil_from_days(days);

	if (day.year < 0 || day.year > 9999) {
		/* Far outside what is ever stored, yet the text must stay unambiguous. */
		snprintf(text, TIME_TEXT_SIZE, "%lldms", (long long)at);
		return;
	}
	text = put_digits(text, 4, day.year);
	*text++ = '-';
	text = put_digits(text, 2, day.month);
	*text++ = '-';
	text = put_digits(text, 2, day.day);
	*text++ = 'T';
	text = put_digits(text, 2, second_of_day / 3600);
	*text++ = ':';
	text = put_digits(text, 2, second_of_day / 60 % 60);
	*text++ = ':';
	text = put_digits(text, 2, second_of_day % 60);
	*text++ = '.';
	text = put_digits(text, 3, at - seconds * 1000);
	*text++ = 'Z';
	*text = '\0';
}

/* A text that is read from left to right; `at` stops at `end`. */
struct reader {
	const char *at;
	const char *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_char(struct reader *in, const char *any_of)
{
	if (in->at == in->end || !*in->at || !strchr(any_of, *in->at))
		return false;
	in->at++;
	return true;
}

static bool read_digits(struct reader *in, int n, int min, int max, int *ret_value)
{
	int value = 0;

	if (in->end - in->at < n)
		return false;
	for (int i = 0; i < n; i++) {
		if (!is_digit(in->at[i]))
			return false;
		value = value * 10 + (in->at[i] - '0');
	}
	if (value < min || value > max)
		return false;
	in->at += n;
	*ret_value = value;
	return true;
}

/* The digits after a decimal point, as billionths; what is finer is cut off. */
static bool read_fraction(struct reader *in, int32_t *ret_nanos)
{
	int32_t nanos = 0;
	int n = 0;

	for (; in->at < in->end && is_digit(*in->at); in->at++, n++) {
		if (n < 9)
			nanos = nanos * 10 + (*in->at - '0');
	}
	if (n == 0)
		return false;
	for (; n < 9; n++)
		nanos *= 10;
	*ret_nanos = nanos;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static bool read_date(struct reader *in, int64_t *ret_days)
{
	int year, month, day;

	if (!read_digits(in, 4, 0, 9999, &year) || !read_char(in, "-") ||
		!read_digits(in, 2, 1, 12, &month) || !read_char(in, "-") ||
		!read_digits(in, 2, 1, days_in_month(year, month), &day))
		return false;
	*ret_days = civil_to_days(year, month, day);
	return true;
}

static bool read_offset(struct reader *in, int *ret_seconds)
{
	int hours, minutes;
	bool negative;

	*ret_seconds = 0;
	if (read_char(in, "Zz"))
		return true;
	negative = in->at < in->end && *in->at == '-';
	if (!read_char(in, "+-") || !read_digits(in, 2, 0, 23, &hours) || !read_char(in, ":") ||
		!read_digits(in, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
	return true;
}

int time_parse_span(const char *text, size_t len, struct time_span *ret_at, struct err *err)
{
	struct reader in = {text, text + len};
	int hour, minute, second, offset;
	struct time_span at = {0};
	int64_t days;

	/* A leap second is read as the second after it, which is what every clock here shows. */
	if (!read_date(&in, &days) || !read_char(&in, "Tt ") || !read_digits(&in, 2, 0, 23, &hour) ||
		!read_char(&in, ":") || !read_digits(&in, 2, 0, 59, &minute) || !read_char(&in, ":") ||
		!read_digits(&in, 2, 0, 60, &second) ||
		(read_char(&in, ".") && !read_fraction(&in, &at.nanos)) || !read_offset(&in, &offset) ||
		in.at != in.end)
		return err_set(err, ERR_INVALID,
					   "\"%.*s\" is not a time as in 2026-01-31T23:59:59Z (RFC 3339)",
					   (int)(len < 64 ? len : 64), text);
	at.seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
	if (at.seconds < TIME_MIN_SECONDS || at.seconds > TIME_MAX_SECONDS)
		return err_set(err, ERR_INVALID, "\"%.*s\" lies outside the years 0001 to 9999",
					   (int)(len < 64 ? len : 64), text);
	*ret_at = at;
	return 0;
}

int time_parse(const char *text, wall_ms *ret_at, struct err *err)
{
	struct time_span at;
	int r;

	r = time_parse_span(text, strlen(text), &at, err);
	if (r < 0)
		return r;
	*ret_at = at.seconds * 1000 + at.nanos / NANOS_PER_MS;
	return 0;
}

/* Longer units first where one begins with another. */
static const struct unit {
	const char *text;
	int64_t nanos;
} units[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", NANOS_PER_MS},
	{"s", NANOS_PER_SECOND},
	{"m", INT64_C(60) * NANOS_PER_SECOND},
	{"h", INT64_C(3600) * NANOS_PER_SECOND},
	{"d", INT64_C(86400) * NANOS_PER_SECOND},
};

static const struct unit *read_unit(struct reader *in)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].text);

		if ((size_t)(in->end - in->at) >= len && memcmp(in->at, units[i].text, len) == 0) {
			in->at += len;
			return &units[i];
		}
	}
	return NULL;
}

/* Reads one part such as 1.5h and adds it to the sum. */
static bool read_part(struct reader *in, __int128 *sum)
{
	const __int128 limit = (__int128)SPAN_MAX_SECONDS * NANOS_PER_SECOND;
	const struct unit *unit;
	int64_t whole = 0;
	int32_t billionths = 0;
	bool digits = false;

	for (; in->at < in->end && is_digit(*in->at); in->at++) {
		if (whole > INT64_MAX / 10 - 9)
			return false;
		whole = whole * 10 + (*in->at - '0');
		digits = true;
	}
	if (read_char(in, ".")) {
		/* As in Go, 1.s and .5s are numbers, a lone point is not. */
		if (!read_fraction(in, &billionths) && !digits)
			return false;
	} else if (!digits) {
		return false;
	}
	unit = read_unit(in);
	if (!unit)
		return false;
	*sum += (__int128)whole * unit->nanos + (__int128)billionths * unit->nanos / NANOS_PER_SECOND;
	return *sum <= limit;
}

int duration_parse_span(const char *text, size_t len, struct time_span *ret_span, struct err *err)
{
	struct reader in = {text, text + len};
	__int128 sum = 0;
	bool negative = len > 0 && *text == '-';

	read_char(&in, "+-");
	if (in.end - in.at == 1 && *in.at == '0') {
		*ret_span = (struct time_span){0};
		return 0;
	}
	do {
		if (!read_part(&in, &sum))
			return err_set(err, ERR_INVALID,
						   "\"%.*s\" is not a duration as in 200ms, 3s, 4h, 3d or 1h30m",
						   (int)(len < 64 ? len : 64), text);
	} while (in.at < in.end);
	if (negative)
		sum = -sum;
	ret_span->seconds = (int64_t)(sum / NANOS_PER_SECOND);
	ret_span->nanos = (int32_t)(sum % NANOS_PER_SECOND);
	return 0;
}

int duration_parse(const char *text, int64_t *ret_ms, struct err *err)
{
	struct time_span span;
	int r;

	r = duration_parse_span(text, strlen(text), &span, err);
	if (r < 0)
		return r;
	if (*text == '-')
		return err_set(err, ERR_INVALID, "\"%.64s\" is negative; a duration cannot be", text);
	*ret_ms = span.seconds * 1000 + span.nanos / NANOS_PER_MS;
	return 0;
}
