/*
 * Timestamps and durations in expressions: seconds and nanoseconds, within the years 0001 to 9999
 * and ten thousand years. Time zones are offsets; names of zones would need a database, which
 * changes with time, and an evaluation must give the same when it is replayed.
 */
#include <string.h>

#include "sagas/base/time.h"
#include "sagas/expr_priv.h"

enum { NANOS = 1000000000, DAY_SECONDS = 86400 };

/* Brings the sum of seconds and nanoseconds into form, and checks its range. */
static int make_time(struct eval *ev, const struct node *node, enum val_tag tag, int64_t seconds,
					 int64_t nanos, struct val *out)
{
	seconds += nanos / NANOS;
	nanos %= NANOS;
	if (tag == V_TIMESTAMP && nanos < 0) {
		seconds--;
		nanos += NANOS;
	} else if (tag == V_DURATION && seconds > 0 && nanos < 0) {
		seconds--;
		nanos += NANOS;
	} else if (tag == V_DURATION && seconds < 0 && nanos > 0) {
		seconds++;
		nanos -= NANOS;
	}
	if (tag == V_TIMESTAMP && (seconds < TIME_MIN_SECONDS || seconds > TIME_MAX_SECONDS))
		return expr__fail(ev, node, "this time lies outside the years 0001 to 9999");
	if (tag == V_DURATION && (seconds < -SPAN_MAX_SECONDS || seconds > SPAN_MAX_SECONDS))
		return expr__fail(ev, node, "this duration is longer than ten thousand years");
	*out = (struct val){.tag = (uint8_t)tag, .i = seconds, .nanos = (int32_t)nanos};
	return 0;
}

int expr__time_arithmetic(struct eval *ev, const struct node *node, const struct val *a,
						  const struct val *b, struct val *ret_value)
{
	/* Seconds lie below 2^39, so that neither sum nor difference overflows. sum() adds as well. */
	if (node->kind == N_ADD || node->kind == N_CALL) {
		if (a->tag == V_DURATION || b->tag == V_DURATION)
			return make_time(
				ev, node, a->tag == V_DURATION && b->tag == V_DURATION ? V_DURATION : V_TIMESTAMP,
				a->i + b->i, (int64_t)a->nanos + b->nanos, ret_value);
	} else if (node->kind == N_SUBTRACT) {
		/* CEL's durations are nanoseconds in 64 bits; what is further apart has no difference. */
		if (a->tag == V_TIMESTAMP && b->tag == V_TIMESTAMP &&
			llabs(a->i - b->i) > INT64_MAX / NANOS)
			return expr__fail(ev, node, "these times lie more than 292 years apart");
		if (b->tag == V_DURATION || a->tag == V_TIMESTAMP)
			return make_time(ev, node, a->tag == b->tag ? V_DURATION : V_TIMESTAMP, a->i - b->i,
							 (int64_t)a->nanos - b->nanos, ret_value);
	}
	return expr__fail(ev, node, "%s and %s cannot be combined in this way", val__type_text(a),
					  val__type_text(b));
}

static int parse_time(struct eval *ev, const struct node *node, const struct val *v,
					  enum val_tag tag, struct val *out)
{
	struct slice text = val__slice(v);
	struct time_span span;
	struct err err;
	int r;

	if (tag == V_TIMESTAMP)
		r = time_parse_span(text.s, text.len, &span, &err);
	else
		r = duration_parse_span(text.s, text.len, &span, &err);
	if (r < 0)
		return expr__fail(ev, node, "%s", err.text);
	*out = (struct val){.tag = (uint8_t)tag, .i = span.seconds, .nanos = span.nanos};
	return 0;
}

/* "+05:30", "-08:00", "02:00", "UTC" or "Z" as seconds east. */
static int parse_zone(struct eval *ev, const struct node *node, const struct val *v,
					  int64_t *ret_seconds)
{
	struct slice text = val__slice(v);
	const char *s = text.s;
	int sign = 1;

	*ret_seconds = 0;
	if ((text.len == 3 && memcmp(s, "UTC", 3) == 0) || (text.len == 1 && *s == 'Z'))
		return 0;
	if (text.len == 6 && (*s == '+' || *s == '-'))
		sign = *s++ == '-' ? -1 : 1;
	else if (text.len != 5)
		goto wrong;
	for (int i = 0; i < 5; i++) {
		if (i == 2 ? s[i] != ':' : (s[i] < '0' || s[i] > '9'))
			goto wrong;
	}
	*ret_seconds = sign * (((s[0] - '0') * 10 + (s[1] - '0')) * 3600 +
						   ((s[3] - '0') * 10 + (s[4] - '0')) * 60);
	if (s[0] <= '2' && s[3] <= '5')
		return 0;
wrong:
	return expr__fail(
		ev, node,
		"\"%.*s\" is not a time zone: \"UTC\" or an offset such as \"+02:00\" (names of "
		"zones are not known)",
		(int)(text.len > 40 ? 40 : text.len), text.s);
}

static int call_duration_getter(const struct node *node, const struct val *v, struct val *out)
{
	*out = (struct val){.tag = V_INT};
	switch (node->which) {
	case FN_HOURS:
		out->i = v->i / 3600;
		break;
	case FN_MINUTES:
		out->i = v->i / 60;
		break;
	case FN_SECONDS:
		out->i = v->i;
		break;
	case FN_MILLISECONDS:
		/* As CEL has it: only what is beyond the seconds. */
		out->i = v->nanos / 1000000;
		break;
	}
	return 0;
}

static int call_getter(struct eval *ev, const struct node *node, const struct val *args,
					   struct val *out)
{
	int64_t zone = 0, seconds, days, of_day;
	struct civil_day day;
	int r;

	if (node->n == 2) {
		r = parse_zone(ev, node, &args[1], &zone);
		if (r < 0)
			return r;
	}
	seconds = args[0].i + zone;
	days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
	of_day = seconds - days * DAY_SECONDS;
	day = civil_from_days(days);
	*out = (struct val){.tag = V_INT};
	switch (node->which) {
	case FN_YEAR:
		out->i = day.year;
		break;
	case FN_MONTH:
		out->i = day.month - 1;
		break;
	case FN_DATE:
		out->i = day.day;
		break;
	case FN_DAY_OF_MONTH:
		out->i = day.day - 1;
		break;
	case FN_DAY_OF_WEEK:
		/* 1970-01-01 was a Thursday; Sunday is 0. */
		out->i = ((days + 4) % 7 + 7) % 7;
		break;
	case FN_DAY_OF_YEAR:
		out->i = days - civil_to_days(day.year, 1, 1);
		break;
	case FN_HOURS:
		out->i = of_day / 3600;
		break;
	case FN_MINUTES:
		out->i = of_day / 60 % 60;
		break;
	case FN_SECONDS:
		out->i = of_day % 60;
		break;
	case FN_MILLISECONDS:
		out->i = args[0].nanos / 1000000;
		break;
	}
	return 0;
}

int expr__call_time(struct eval *ev, const struct node *node, const struct val *args,
					struct val *ret_value)
{
	enum val_tag tag = node->which == FN_TIMESTAMP ? V_TIMESTAMP : V_DURATION;

	if (node->which != FN_TIMESTAMP && node->which != FN_DURATION) {
		if (args[0].tag == V_DURATION)
			return node->n == 1 ? call_duration_getter(node, &args[0], ret_value)
								: expr__no_overload(ev, node, args);
		return call_getter(ev, node, args, ret_value);
	}
	if (val__is_string(&args[0]))
		return parse_time(ev, node, &args[0], tag, ret_value);
	*ret_value = args[0];
	if (args[0].tag == V_INT) {
		/* Out of range before make_time could overflow. */
		if (args[0].i < TIME_MIN_SECONDS || args[0].i > TIME_MAX_SECONDS)
			return expr__fail(ev, node, "this time lies outside the years 0001 to 9999");
		return make_time(ev, node, V_TIMESTAMP, args[0].i, 0, ret_value);
	}
	return 0;
}
