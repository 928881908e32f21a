#include "sagas/schedule.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"

static const char *const results[] = {
#define X(name, text) [name] = text,
	SCHEDULE_RESULTS(X)
#undef X
};

const char *schedule_result_text(enum schedule_result result)
{
	return results[result];
}

/* The state as JSON. */

static void read_text(const json_t *from, const char *name, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(from, name));

	snprintf(to, size, "%s", text ? text : "");
}

static wall_ms read_time(const json_t *from, const char *name)
{
	return json_integer_value(json_object_get(from, name));
}

static enum schedule_result read_result(const json_t *from)
{
	char text[16];

	read_text(from, "result", text, sizeof(text));
	for (int i = 0; i < SCHEDULE_RESULT_COUNT; i++)
		if (strcmp(text, results[i]) == 0)
			return (enum schedule_result)i;
	return SCHEDULE_NOTHING;
}

int schedule_state_read(const char *json, struct schedule_state *ret, struct err *err)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	const json_t *last, *told, *n;
	int r;

	*ret = (struct schedule_state){0};
	if (!json || !*json)
		return 0;
	r = json_parse_stored(json, strlen(json), &doc, err);
	if (r < 0)
		return r;
	last = json_object_get(doc, "last");
	told = json_object_get(doc, "told");
	n = json_object_get(doc, "n");
	ret->done = read_time(doc, "done");
	ret->queued = read_time(doc, "queued");
	ret->asked = read_time(doc, "asked");
	ret->backfill = read_time(doc, "backfill");
	ret->until = read_time(doc, "until");
	ret->side_by_side = json_is_true(json_object_get(doc, "side_by_side"));
	read_text(doc, "running", ret->running, sizeof(ret->running));
	ret->last_planned = read_time(last, "planned");
	ret->last_at = read_time(last, "at");
	ret->last = read_result(last);
	for (int i = 0; i < SCHEDULE_RESULT_COUNT; i++)
		ret->n[i] = read_time(n, results[i]);
	read_text(last, "saga", ret->last_saga, sizeof(ret->last_saga));
	read_text(last, "detail", ret->last_detail, sizeof(ret->last_detail));
	ret->told_asked = read_time(told, "asked");
	ret->told_result = read_result(told);
	read_text(told, "saga", ret->told_saga, sizeof(ret->told_saga));
	read_text(told, "detail", ret->told_detail, sizeof(ret->told_detail));
	return 0;
}

void schedule_state_write(const struct schedule_state *state, struct buf *out)
{
	buf_printf(out, "{\"done\":%lld,\"queued\":%lld,\"asked\":%lld,\"backfill\":%lld",
			   (long long)state->done, (long long)state->queued, (long long)state->asked,
			   (long long)state->backfill);
	buf_printf(out, ",\"until\":%lld,\"side_by_side\":%s,\"running\":\"%s\",\"n\":{",
			   (long long)state->until, state->side_by_side ? "true" : "false", state->running);
	for (int i = 1; i < SCHEDULE_RESULT_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 1 ? "," : "", results[i], (long long)state->n[i]);
	buf_printf(out, "},\"last\":{\"planned\":%lld,\"at\":%lld,\"result\":\"%s\",\"saga\":\"%s\"",
			   (long long)state->last_planned, (long long)state->last_at, results[state->last],
			   state->last_saga);
	buf_add_lit(out, ",\"detail\":");
	json_write_string(state->last_detail, strlen(state->last_detail), out);
	buf_printf(out, "},\"told\":{\"asked\":%lld,\"result\":\"%s\",\"saga\":\"%s\",\"detail\":",
			   (long long)state->told_asked, results[state->told_result], state->told_saga);
	json_write_string(state->told_detail, strlen(state->told_detail), out);
	buf_add_lit(out, "}}");
}

/* Planning. */

/* What became of a time that starts nothing. */
static void note(struct schedule_state *state, wall_ms planned, wall_ms now,
				 enum schedule_result result, const char *detail)
{
	state->n[result]++;
	state->last = result;
	state->last_planned = planned;
	state->last_at = now;
	state->last_saga[0] = '\0';
	snprintf(state->last_detail, sizeof(state->last_detail), "%s", detail);
}

/* The one that waits gives its place to a newer one. */
static void put_in_queue(struct schedule_state *state, wall_ms planned, wall_ms now)
{
	if (state->queued)
		note(state, state->queued, now, SCHEDULE_SKIPPED, "a newer one has its place in the queue");
	state->queued = planned;
	note(state, planned, now, SCHEDULE_QUEUED, "");
}

/* A time that is due, while an earlier saga is open. True: it is to be started all the same. */
static bool overlaps(struct schedule_state *state, const struct schedule_def *def, wall_ms planned,
					 wall_ms now, struct schedule_plan *plan)
{
	static const char open[] = "an earlier saga is open";

	switch (def->overlap) {
	case OVERLAP_SKIP:
		note(state, planned, now, SCHEDULE_SKIPPED, open);
		return false;
	case OVERLAP_QUEUE:
		if (state->queued)
			note(state, planned, now, SCHEDULE_SKIPPED, "another waits for the open saga's end");
		else
			put_in_queue(state, planned, now);
		return false;
	case OVERLAP_START:
		return true;
	case OVERLAP_CANCEL:
		put_in_queue(state, planned, now);
		plan->step = SCHEDULE_CANCEL;
		return false;
	}
	return false;
}

/* Looks at the planned times that are due, up to one that is to be started. */
static struct schedule_plan plan_due(struct schedule_state *state, const struct schedule_def *def,
									 const struct tz *tz, const struct schedule_now *now,
									 bool *ret_changed)
{
	for (int i = 0; i < SCHEDULE_LOOKS; i++) {
		wall_ms due = cron_next(&def->cron, tz, state->done);
		struct schedule_plan plan = {.step = SCHEDULE_SLEEP, .at = due};

		if (due < 0 || due > now->now)
			return plan;
		plan.step = SCHEDULE_START;
		if (now->paused || now->held)
			note(state, due, now->now, SCHEDULE_SKIPPED,
				 now->paused ? "the schedule is paused" : "the definition is paused");
		else if (now->now - due > def->catch_up_ms)
			note(state, due, now->now, SCHEDULE_MISSED, "nobody could start it in time");
		else if (!now->is_running || overlaps(state, def, due, now->now, &plan))
			return plan;
		state->done = due;
		*ret_changed = true;
		if (plan.step == SCHEDULE_CANCEL)
			return plan;
	}
	return (struct schedule_plan){.step = SCHEDULE_AGAIN};
}

static struct schedule_plan plan_backfill(struct schedule_state *state,
										  const struct schedule_def *def, const struct tz *tz,
										  const struct schedule_now *now, wall_ms due,
										  bool *ret_changed)
{
	struct schedule_plan plan = {.step = SCHEDULE_START, .source = SOURCE_BACKFILL};

	plan.at = cron_next(&def->cron, tz, state->backfill);
	if (plan.at < 0 || plan.at > state->until) {
		state->backfill = state->until = 0;
		*ret_changed = true;
		return (struct schedule_plan){.step = SCHEDULE_AGAIN};
	}
	if (now->is_running && !state->side_by_side)
		return (struct schedule_plan){.step = SCHEDULE_SLEEP, .at = due};
	return plan;
}

struct schedule_plan schedule_plan(struct schedule_state *state, const struct schedule_def *def,
								   const struct tz *tz, const struct schedule_now *now,
								   bool *ret_changed)
{
	struct schedule_plan plan;

	if (!state->done) {
		state->done = now->now; /* what was planned before it was there is nobody's */
		*ret_changed = true;
	}
	if (state->running[0] && !now->is_running) {
		state->running[0] = '\0';
		*ret_changed = true;
	}
	plan = plan_due(state, def, tz, now, ret_changed);
	if (plan.step == SCHEDULE_AGAIN || plan.step == SCHEDULE_CANCEL || now->held)
		return plan;
	if (state->asked)
		return (struct schedule_plan){SCHEDULE_START, SOURCE_ASKED, state->asked};
	if (state->queued && !now->is_running)
		return (struct schedule_plan){SCHEDULE_START, SOURCE_QUEUED, state->queued};
	if (plan.step == SCHEDULE_SLEEP && state->until)
		return plan_backfill(state, def, tz, now, plan.at, ret_changed);
	return plan;
}

void schedule_told(struct schedule_state *state, const struct schedule_plan *plan, wall_ms now,
				   enum schedule_result result, const char *saga_id, const char *detail)
{
	note(state, plan->at, now, result, detail ? detail : "");
	switch (plan->source) {
	case SOURCE_PLANNED:
		state->done = plan->at;
		break;
	case SOURCE_QUEUED:
		state->queued = 0;
		break;
	case SOURCE_BACKFILL:
		state->backfill = plan->at;
		break;
	case SOURCE_ASKED:
		state->asked = 0;
		state->told_asked = plan->at;
		state->told_result = result;
		snprintf(state->told_saga, sizeof(state->told_saga), "%s", saga_id ? saga_id : "");
		snprintf(state->told_detail, sizeof(state->told_detail), "%s", detail ? detail : "");
		break;
	}
	if (!saga_id)
		return;
	snprintf(state->last_saga, sizeof(state->last_saga), "%s", saga_id);
	snprintf(state->running, sizeof(state->running), "%s", saga_id);
}

void schedule_key(const char *definition, const char *entry, const struct schedule_plan *plan,
				  char key[KEY_MAX_BYTES + 1])
{
	char at[TIME_TEXT_SIZE];

	time_format(plan->at, at);
	snprintf(key, KEY_MAX_BYTES + 1, "%.128s/%.64s/%s%s", definition, entry,
			 plan->source == SOURCE_ASKED ? "asked/" : "", at);
}
