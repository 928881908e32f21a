/*
 * The schedules of a scenario: what coordinator/schedules.c does with a thread, a clock and rows of
 * the store. It asks schedule_plan, starts and cancels in the scenario's world, and tells how that
 * went. What was not told when the process died is planned again.
 */
#include <string.h>

#include "connectors/tzfile.h"
#include "sagas/json_text.h"
#include "sagas/schedule.h"
#include "sagas/trigger.h"
#include "tests/support/scenario.h"

struct scenario_schedule {
	struct scenario_schedule *next;
	struct saga_def *def; /* borrowed from the world */
	const struct schedule_def *schedule;
	struct tz *tz;
	char *row; /* the state as the store has it; NULL: it is new */
	bool paused;
	bool is_starting;
	struct schedule_plan start; /* under way */
	wall_ms look_at;            /* 0: nothing is planned */
};

static void add(struct scenario *s, struct saga_def *def, const struct schedule_def *schedule)
{
	struct scenario_schedule *one = xcalloc(1, sizeof(*one)), **link = &s->schedules;
	struct err err;

	*one = (struct scenario_schedule){.def = def, .schedule = schedule};
	if (tzfile_read(schedule->time_zone, &one->tz, &err) < 0) {
		scenario_fail(s, "the time zone: %s", err.text);
		one->tz = tz_new();
	}
	while (*link)
		link = &(*link)->next;
	*link = one;
}

void scenario_schedules_begin(struct scenario *s)
{
	for (size_t i = 0; i < s->world.n_defs; i++) {
		struct saga_def *def = s->world.defs[i];

		for (size_t k = 0; def == world_definition(&s->world, def->name, 0) && k < def->n_schedules;
			 k++)
			add(s, def, &def->schedules[k]);
	}
}

void scenario_schedules_release(struct scenario *s)
{
	while (s->schedules) {
		struct scenario_schedule *one = s->schedules;

		s->schedules = one->next;
		tz_free(one->tz);
		free(one->row);
		free(one);
	}
}

wall_ms scenario_schedules_next(const struct scenario *s)
{
	wall_ms next = 0;

	for (const struct scenario_schedule *one = s->schedules; one; one = one->next)
		if (one->look_at && (!next || one->look_at < next))
			next = one->look_at;
	return next;
}

static void read_state(struct scenario *s, const struct scenario_schedule *one,
					   struct schedule_state *state)
{
	struct err err;

	if (schedule_state_read(one->row, state, &err) < 0)
		scenario_fail(s, "the row of schedule %s: %s", one->schedule->name, err.text);
}

static void write_state(struct scenario_schedule *one, const struct schedule_state *state)
{
	struct buf text;

	buf_init(&text, 0);
	schedule_state_write(state, &text);
	free(one->row);
	one->row = buf_take(&text, NULL);
}

/* "nightly: skipped 2026-01-01T03:00:00.000Z"; "started … +60s" when it was late by that, and "…
 * x3" for the last of three. The state has the time of the latest alone. */
static void note(struct scenario *s, const struct scenario_schedule *one,
				 const struct schedule_state *before, const struct schedule_state *after)
{
	char planned[TIME_TEXT_SIZE];
	struct buf text;

	time_format(after->last_planned, planned);
	for (int i = 0; i < SCHEDULE_RESULT_COUNT; i++) {
		int64_t n = after->n[i] - before->n[i];

		if (n == 0)
			continue;
		buf_init(&text, 0);
		buf_printf(&text, "%s: %s", one->schedule->name,
				   schedule_result_text((enum schedule_result)i));
		if (i == (int)after->last)
			buf_printf(&text, " %s", planned);
		if (i == SCHEDULE_STARTED && s->world.now > after->last_planned)
			buf_printf(&text, " +%llds", (long long)(s->world.now - after->last_planned) / 1000);
		if (n > 1)
			buf_printf(&text, " x%lld", (long long)n);
		json_array_append_new(s->told, json_string(buf_str(&text)));
		buf_release(&text);
	}
}

static void tell(struct scenario *s, struct scenario_schedule *one, enum schedule_result result,
				 const char *saga_id, const char *detail)
{
	struct schedule_state before, state;

	read_state(s, one, &before);
	state = before;
	schedule_told(&state, &one->start, s->world.now, result, saga_id, detail);
	note(s, one, &before, &state);
	write_state(one, &state);
}

static void start(struct scenario *s, struct scenario_schedule *one,
				  const struct schedule_plan *plan)
{
	char key[KEY_MAX_BYTES + 1], text[TIME_TEXT_SIZE];
	CLEANUP(json_decref_p) json_t *event = NULL;
	CLEANUP(json_decref_p) json_t *act = NULL;
	struct trigger_result result = {0};

	one->start = *plan;
	schedule_key(one->def->name, one->schedule->name, plan, key);
	time_format(plan->at, text);
	event = json_pack("{s:s, s:s, s:{}}", "scheduled_at", text, "schedule", one->schedule->name,
					  "data");
	schedule_start(one->def, one->schedule, event, &result);
	if (result.verdict == TRIGGER_POISON) {
		tell(s, one, SCHEDULE_FAILED, NULL, result.err.text);
	} else {
		act = json_pack("{s:s, s:s, s:O}", "start", one->def->name, "key",
						result.key ? result.key : key, "input", result.input);
		one->is_starting = scenario_start_for(s, act, one);
	}
	trigger_result_release(&result);
}

void scenario_schedule_started(struct scenario *s, struct scenario_schedule *one,
							   const struct engine_call *call, bool lost)
{
	one->is_starting = false;
	if (lost)
		return;
	if (call->result < 0)
		tell(s, one, SCHEDULE_FAILED, NULL, call->err.text);
	else
		tell(s, one, call->duplicate ? SCHEDULE_DUPLICATE : SCHEDULE_STARTED,
			 call->duplicate ? call->existing_id : call->id, NULL);
}

static bool is_open(struct scenario *s, const char *id)
{
	const struct oracle_saga *saga = *id ? oracle_saga(&s->oracle, id) : NULL;

	return saga && !saga->ended;
}

static bool run_one(struct scenario *s, struct scenario_schedule *one)
{
	struct registry_route route = {0};
	struct schedule_state before, state;
	struct schedule_plan plan;
	struct schedule_now now = {.now = s->world.now, .paused = one->paused};
	bool changed = false;
	struct err err;

	if (one->is_starting)
		return false;
	if (registry_route(s->registry, WORLD_NS, one->def->name, &route, &err) < 0)
		scenario_fail(s, "the route: %s", err.text);
	read_state(s, one, &before);
	state = before;
	now.held = route.paused;
	now.is_running = is_open(s, state.running);
	plan = schedule_plan(&state, one->schedule, one->tz, &now, &changed);
	if (changed) {
		note(s, one, &before, &state);
		write_state(one, &state);
	}
	one->look_at = plan.step == SCHEDULE_SLEEP && plan.at > 0 ? plan.at : s->world.now;
	if (plan.step == SCHEDULE_START)
		start(s, one, &plan);
	if (plan.step == SCHEDULE_CANCEL)
		world_post(&s->world, POST_CALL,
				   world_act_call(ACT_CANCEL, state.running, "the next one is due"));
	return plan.step != SCHEDULE_SLEEP;
}

bool scenario_schedules_run(struct scenario *s)
{
	bool any = false;

	for (struct scenario_schedule *one = s->schedules; one && s->world.turn && !s->failures;
		 one = one->next)
		any |= run_one(s, one);
	return any;
}

static wall_ms moment(struct scenario *s, const json_t *act, const char *name)
{
	const char *text = scenario_text(act, name);
	wall_ms at = 0;
	struct err err;

	if (!text || time_parse(text, &at, &err) < 0)
		scenario_fail(s, "`%s` of a backfill is no time", name);
	return at;
}

static void change(struct scenario *s, struct scenario_schedule *one, const json_t *act)
{
	const char *what = scenario_text(act, "do");
	struct schedule_state state;

	read_state(s, one, &state);
	if (what && strcmp(what, "pause") == 0)
		one->paused = true;
	else if (what && strcmp(what, "resume") == 0)
		one->paused = false;
	else if (what && strcmp(what, "trigger") == 0)
		state.asked = s->world.now;
	else if (what && strcmp(what, "backfill") == 0) {
		state.backfill = moment(s, act, "from") - 1;
		state.until = moment(s, act, "to");
		state.side_by_side = json_is_true(json_object_get(act, "side_by_side"));
	} else {
		scenario_fail(s, "a schedule is told to pause, resume, trigger or backfill");
	}
	write_state(one, &state);
}

bool scenario_schedule_act(struct scenario *s, const json_t *act)
{
	const char *name = scenario_text(act, "schedule");
	struct scenario_schedule *one = s->schedules;

	if (!name)
		return false;
	while (one && strcmp(one->schedule->name, name) != 0)
		one = one->next;
	if (one)
		change(s, one, act);
	else
		scenario_fail(s, "there is no schedule %s", name);
	return true;
}
