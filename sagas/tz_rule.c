/*
 * POSIX's TZ, as the files of the tz database end with: std offset [dst [offset] , begin , end],
 * where hours may be up to 167 and negative (RFC 8536, 3.3.1).
 */
#include <string.h>

#include "sagas/tz.h"

enum { HOUR = 3600, NAME_MIN = 3 };

struct text {
	const char *at, *end;
};

static bool take(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool is_digit(const struct text *text)
{
	return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take_number(struct text *text, int min, int max, int *ret)
{
	int n = 0;

	if (!is_digit(text))
		return false;
	while (is_digit(text)) {
		n = n * 10 + (*text->at++ - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return n >= min;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "CET", "<+0330>". */
static bool take_name(struct text *text)
{
	const char *from;

	if (take(text, '<')) {
		from = text->at;
		while (text->at < text->end &&
			   (is_letter(*text->at) || is_digit(text) || *text->at == '+' || *text->at == '-'))
			text->at++;
		return text->at - from >= NAME_MIN && take(text, '>');
	}
	from = text->at;
	while (text->at < text->end && is_letter(*text->at))
		text->at++;
	return text->at - from >= NAME_MIN;
}

/* "[+-]h[h[h]][:mm[:ss]]" in seconds. */
static bool take_time(struct text *text, int max_hours, int32_t *ret)
{
	bool negative = take(text, '-');
	int hours, minutes = 0, seconds = 0;

	if (!negative)
		take(text, '+');
	if (!take_number(text, 0, max_hours, &hours))
		return false;
	if (take(text, ':')) {
		if (!take_number(text, 0, 59, &minutes))
			return false;
		if (take(text, ':') && !take_number(text, 0, 59, &seconds))
			return false;
	}
	*ret = hours * HOUR + minutes * 60 + seconds;
	if (negative)
		*ret = -*ret;
	return true;
}

static bool take_date(struct text *text, struct tz_date *ret)
{
	bool taken;

	*ret = (struct tz_date){.time = 2 * HOUR};
	if (take(text, 'J')) {
		ret->kind = TZ_JULIAN;
		taken = take_number(text, 1, 365, &ret->day);
	} else if (take(text, 'M')) {
		ret->kind = TZ_MONTH;
		taken = take_number(text, 1, 12, &ret->month) && take(text, '.') &&
				take_number(text, 1, 5, &ret->week) && take(text, '.') &&
				take_number(text, 0, 6, &ret->day);
	} else {
		ret->kind = TZ_YEAR_DAY;
		taken = take_number(text, 0, 365, &ret->day);
	}
	return taken && (!take(text, '/') || take_time(text, 167, &ret->time));
}

static bool take_rule(struct text *text, struct tz_rule *ret)
{
	int32_t west;

	*ret = (struct tz_rule){0};
	if (!take_name(text) || !take_time(text, 24, &west))
		return false;
	ret->standard = -west; /* POSIX counts to the west */
	if (text->at == text->end)
		return true;
	ret->has_summer = true;
	ret->summer = ret->standard + HOUR;
	if (!take_name(text))
		return false;
	if (text->at < text->end && *text->at != ',') {
		if (!take_time(text, 24, &west))
			return false;
		ret->summer = -west;
	}
	return take(text, ',') && take_date(text, &ret->begin) && take(text, ',') &&
		   take_date(text, &ret->end) && text->at == text->end;
}

int tz_rule_parse(const char *text, size_t len, struct tz_rule *ret_rule, struct err *err)
{
	struct text at = {text, text + len};

	if (!take_rule(&at, ret_rule))
		return err_set(err, ERR_INVALID, "`%.*s` is no rule of a time zone",
					   (int)(len < 80 ? len : 80), text);
	return 0;
}
