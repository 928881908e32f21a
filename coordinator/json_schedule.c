#include "coordinator/json_schedule.h"

#include <string.h>

#include "connectors/tzfile.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"
#include "sagas/schedule.h"

enum { NEXT_TIMES = 5 };

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* As people write it: the largest unit that it has a whole number of. */
static void add_duration(struct buf *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (ms % units[i].ms != 0)
		i++;
	buf_printf(out, ",\"catch_up\":\"%lld%s\"", (long long)(ms / units[i].ms), units[i].unit);
}

static void add_next(struct buf *out, const struct schedule_def *schedule, const struct tz *tz,
					 wall_ms now)
{
	buf_add_lit(out, ",\"next\":[");
	for (int i = 0; tz && i < NEXT_TIMES; i++) {
		char text[TIME_TEXT_SIZE];

		now = cron_next(&schedule->cron, tz, now);
		if (now < 0)
			break;
		time_format(now, text);
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", text);
	}
	buf_add_char(out, ']');
}

static void add_last(struct buf *out, const struct schedule_state *state)
{
	if (state->last == SCHEDULE_NOTHING) {
		buf_add_lit(out, ",\"last\":null");
		return;
	}
	buf_printf(out, ",\"last\":{\"result\":\"%s\"", schedule_result_text(state->last));
	json_member_time(out, "at", state->last_at);
	json_member_time(out, "scheduled_at", state->last_planned);
	json_member_text(out, "saga", or_null(state->last_saga));
	json_member_text(out, "detail", or_null(state->last_detail));
	buf_add_char(out, '}');
}

/* The start that a person asked for last: without a result as long as it has not begun. */
static void add_triggered(struct buf *out, const struct schedule_state *state)
{
	bool waits = state->asked != 0;
	enum schedule_result result = waits ? SCHEDULE_NOTHING : state->told_result;

	if (!waits && !state->told_asked) {
		buf_add_lit(out, ",\"triggered\":null");
		return;
	}
	buf_add_lit(out, ",\"triggered\":{");
	json_member_time(out, "at", waits ? state->asked : state->told_asked);
	json_member_text(out, "result", or_null(schedule_result_text(result)));
	json_member_text(out, "saga", waits ? NULL : or_null(state->told_saga));
	json_member_text(out, "detail", waits ? NULL : or_null(state->told_detail));
	buf_add_char(out, '}');
}

static void add_state(struct buf *out, const struct schedule_state *state)
{
	add_last(out, state);
	add_triggered(out, state);
	json_member_text(out, "running", or_null(state->running));
	json_member_time(out, "queued", state->queued);
	if (state->until) {
		buf_printf(out, ",\"backfill\":{\"overlap\":\"%s\"",
				   state->side_by_side ? "start" : "queue");
		json_member_time(out, "after", state->backfill);
		json_member_time(out, "to", state->until);
		buf_add_char(out, '}');
	} else {
		buf_add_lit(out, ",\"backfill\":null");
	}
	buf_add_lit(out, ",\"counts\":{");
	for (int i = 1; i < SCHEDULE_RESULT_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 1 ? "," : "",
				   schedule_result_text((enum schedule_result)i), (long long)state->n[i]);
	buf_add_char(out, '}');
}

int json_schedule(const struct saga_def *def, const struct schedule_def *schedule,
				  const struct schedule_row *row, wall_ms now, struct buf *out, struct err *err)
{
	CLEANUP(tz_free_p) struct tz *tz = NULL;
	struct schedule_state state;
	struct err unknown = {0};
	int r = schedule_state_read(row->state, &state, err);

	if (r < 0)
		return r;
	if (tzfile_read(schedule->time_zone, &tz, &unknown) == 0)
		unknown.text[0] = '\0';
	buf_add_lit(out, "{\"definition\":");
	json_write_string(def->name, strlen(def->name), out);
	json_member_text(out, "entry", schedule->name);
	buf_printf(out, ",\"version\":%lld", (long long)def->version);
	json_member_text(out, "schedule", schedule->line);
	json_member_text(out, "time_zone", schedule->time_zone);
	json_member_text(out, "overlap", schedule_overlap_text(schedule->overlap));
	add_duration(out, schedule->catch_up_ms);
	buf_printf(out, ",\"paused\":%s", row->paused ? "true" : "false");
	json_member_text(out, "pause_reason", row->paused ? row->reason : NULL);
	json_member_text(out, "by", row->by);
	json_member_text(out, "problem", or_null(unknown.text));
	add_next(out, schedule, tz, now);
	add_state(out, &state);
	buf_add_char(out, '}');
	return 0;
}
