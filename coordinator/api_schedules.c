/*
 * /v1/schedules: the schedules of the current version of each definition, with what is known of
 * them, and what a person says about one: pause, resume, start now, fill in a time that is past.
 * Such a word is written into the schedule's row; the node that runs schedules sees it within a
 * second. All of it runs on the read pool, where the store writer may be waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/tzfile.h"
#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/json_schedule.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/node.h"
#include "coordinator/registry.h"
#include "coordinator/routes.h"
#include "coordinator/schedules.h"
#include "sagas/json_text.h"
#include "sagas/schedule.h"

enum {
	PUT_TRIES = 5, /* when others write the same row */
	SCHEDULE_BODY_MAX_BYTES = 16 * 1024,
	BACKFILL_MAX = 10000, /* times of one backfill */
};

/* Reading. */

struct names {
	char **list;
	size_t n;
};

static int keep_name(void *ctx, const struct definition_row *row)
{
	struct names *names = ctx;

	names->list = xrealloc_array(names->list, names->n + 1, sizeof(*names->list));
	names->list[names->n++] = xstrdup(row->name);
	return 0;
}

static int take_row(void *ctx, const struct schedule_row *row)
{
	schedule_row_copy(row, ctx);
	return 0;
}

static int read_row(struct exchange *ex, struct store_reader *reader, const struct saga_def *def,
					const struct schedule_def *schedule, struct schedule_row *ret_row,
					struct err *err)
{
	CLEANUP(free_p) char *name = xasprintf("%s/%s", def->name, schedule->name);

	*ret_row = (struct schedule_row){.ns = NULL};
	return reader->store->ops->schedule_list(reader, ex->ns, name, take_row, ret_row, err);
}

static int write_one(struct exchange *ex, struct store_reader *reader, const struct saga_def *def,
					 const struct schedule_def *schedule, struct err *err)
{
	struct schedule_row row;
	int r = read_row(ex, reader, def, schedule, &row, err);

	if (r == 0)
		r = json_schedule(def, schedule, &row, clock_wall(), &ex->out, err);
	schedule_row_release(&row);
	return r;
}

/* A definition that this node cannot load has no schedules here. */
static int write_all_of(struct exchange *ex, struct store_reader *reader, const char *name,
						struct err *err)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	int r = registry_get(ex->node->registry, ex->ns, name, 0, &def, err);

	if (r == ERR_INVALID || r == ERR_NOT_BUILT || r == ERR_NOT_FOUND)
		return 0;
	for (size_t i = 0; r == 0 && i < def->n_schedules; i++) {
		if (ex->out.data[ex->out.len - 1] != '[')
			buf_add_char(&ex->out, ',');
		r = write_one(ex, reader, def, &def->schedules[i], err);
	}
	return r;
}

/* Thread: read pool, as all that follows. */
static void list_schedules(struct exchange *ex, struct store_reader *reader)
{
	struct names names = {.n = 0};
	struct err err;
	int r = reader->store->ops->definition_list(reader, ex->ns, NULL, keep_name, &names, &err);

	buf_add_lit(&ex->out, "{\"schedules\":[");
	for (size_t i = 0; i < names.n; i++) {
		if (r == 0)
			r = write_all_of(ex, reader, names.list[i], &err);
		free(names.list[i]);
	}
	free(names.list);
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_add_lit(&ex->out, "]}");
	exchange_answer(ex, 200);
}

void api_list_schedules(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, list_schedules);
}

/* The definition and which of its schedules the path says; false: it is answered. */
static bool find(struct exchange *ex, struct saga_def **ret_def,
				 const struct schedule_def **ret_schedule)
{
	struct err err;
	int r = registry_get(ex->node->registry, ex->ns, ex->params[0], 0, ret_def, &err);

	if (r < 0 && r != ERR_NOT_FOUND) {
		exchange_problem_err(ex, &err);
		return false;
	}
	for (size_t i = 0; r == 0 && i < (*ret_def)->n_schedules; i++)
		if (strcmp((*ret_def)->schedules[i].name, ex->params[1]) == 0) {
			*ret_schedule = &(*ret_def)->schedules[i];
			return true;
		}
	exchange_problem(
		ex, PROBLEM_SCHEDULE_NOT_FOUND,
		"the current version of no definition in namespace %s has schedule %.100s/%.100s", ex->ns,
		ex->params[0], ex->params[1]);
	return false;
}

static void get_schedule(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	const struct schedule_def *schedule = NULL;
	struct err err;

	if (!find(ex, &def, &schedule))
		return;
	if (write_one(ex, reader, def, schedule, &err) < 0)
		exchange_problem_err(ex, &err);
	else
		exchange_answer(ex, 200);
}

void api_get_schedule(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, get_schedule);
}

/* Acts. */

enum schedule_act_kind { SCHEDULE_PAUSE, SCHEDULE_RESUME, SCHEDULE_TRIGGER, SCHEDULE_BACKFILL };

struct schedule_act {
	enum schedule_act_kind kind;
	char *by, *reason;
	wall_ms from, to;
	bool side_by_side;
};

static void act_free(void *state)
{
	struct schedule_act *act = state;

	free(act->by);
	free(act->reason);
	free(act);
}

static int check_backfill(const struct schedule_act *act, const struct schedule_def *schedule,
						  struct err *err)
{
	CLEANUP(tz_free_p) struct tz *tz = NULL;
	wall_ms at = act->from - 1;
	int r = tzfile_read(schedule->time_zone, &tz, err), n = 0;

	if (r < 0)
		return err->code = ERR_CONFLICT;
	while ((at = cron_next(&schedule->cron, tz, at)) >= 0 && at <= act->to)
		if (++n > BACKFILL_MAX)
			return err_set(err, ERR_CONFLICT,
						   "more than %d times are planned between the two; fill in less at once",
						   BACKFILL_MAX);
	return n > 0 ? 0 : err_set(err, ERR_CONFLICT, "no time is planned between the two");
}

/* What an act does to the state and the row; ERR_CONFLICT: they do not allow it. */
static int change(const struct schedule_act *act, const struct schedule_def *schedule,
				  struct schedule_row *row, struct schedule_state *state, struct err *err)
{
	int r;

	row->by = act->by;
	row->updated_at = clock_wall();
	switch (act->kind) {
	case SCHEDULE_PAUSE:
	case SCHEDULE_RESUME:
		if (act->kind == SCHEDULE_RESUME && !row->paused)
			return err_set(err, ERR_CONFLICT, "the schedule is not paused");
		row->paused = act->kind == SCHEDULE_PAUSE;
		row->reason = row->paused ? act->reason : NULL;
		return 0;
	case SCHEDULE_TRIGGER:
		if (state->asked)
			return err_set(err, ERR_CONFLICT, "a start that was asked for is about to begin");
		/* Its time is its name, to whoever asks what became of it, and in the saga's key. */
		state->asked =
			row->updated_at > state->told_asked ? row->updated_at : state->told_asked + 1;
		return 0;
	case SCHEDULE_BACKFILL:
		break;
	}
	if (state->until)
		return err_set(err, ERR_CONFLICT, "another backfill is under way");
	r = check_backfill(act, schedule, err);
	if (r == 0) {
		state->backfill = act->from - 1;
		state->until = act->to;
		state->side_by_side = act->side_by_side;
	}
	return r;
}

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->schedule_put(store, ctx, err);
}

/* Reads the row, changes it, writes it; *ret_refused: the act, and not the writing of it. */
static int try_act(struct exchange *ex, struct store_reader *reader, const struct saga_def *def,
				   const struct schedule_def *schedule, bool *ret_refused, struct err *err)
{
	const struct schedule_act *act = ex->state;
	CLEANUP(free_p) char *name = xasprintf("%s/%s", def->name, schedule->name);
	CLEANUP(buf_release) struct buf text;
	struct schedule_state state;
	struct schedule_row before, row;
	int r = read_row(ex, reader, def, schedule, &before, err);

	buf_init(&text, 0);
	row = before;
	row.ns = ex->ns;
	row.name = name;
	if (r == 0)
		r = schedule_state_read(before.state, &state, err);
	if (r == 0) {
		r = change(act, schedule, &row, &state, err);
		*ret_refused = r < 0;
	}
	if (r == 0) {
		schedule_state_write(&state, &text);
		row.state = buf_str(&text);
		r = store_job_run(ex->node->writer, put_row, &row, err);
	}
	if (r == 0)
		r = json_schedule(def, schedule, &row, clock_wall(), &ex->out, err);
	if (r == 0)
		exchange_answer(ex, act->kind == SCHEDULE_TRIGGER ? 202 : 200);
	schedule_row_release(&before);
	return r;
}

/* What would be started now is not, while the definition is paused. */
static bool may_start(struct exchange *ex, const struct schedule_act *act)
{
	struct registry_route route = {0};
	struct err err;

	if (act->kind != SCHEDULE_TRIGGER && act->kind != SCHEDULE_BACKFILL)
		return true;
	if (registry_route(ex->node->registry, ex->ns, ex->params[0], &route, &err) < 0) {
		exchange_problem_err(ex, &err);
		return false;
	}
	if (!route.paused)
		return true;
	exchange_problem(ex, PROBLEM_DEFINITION_PAUSED, "definition %s is paused%s%s", ex->params[0],
					 *route.reason ? ": " : "", route.reason);
	return false;
}

static void do_act(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	const struct schedule_def *schedule = NULL;
	bool refused = false;
	struct err err;
	int r = ERR_CONFLICT;

	if (!find(ex, &def, &schedule) || !may_start(ex, ex->state))
		return;
	for (int i = 0; i < PUT_TRIES && r == ERR_CONFLICT && !refused; i++)
		r = try_act(ex, reader, def, schedule, &refused, &err);
	if (r == 0)
		schedules_changed(ex->node->schedules);
	else if (refused)
		exchange_problem(ex, PROBLEM_SCHEDULE_CONFLICT, "%s", err.text);
	else
		exchange_problem_err(ex, &err);
}

static bool read_backfill(struct exchange *ex, const json_t *body, struct schedule_act *act)
{
	const char *overlap = json_string_value(json_object_get(body, "overlap"));
	struct problem_errors errors = {0};

	if (time_parse(json_string_value(json_object_get(body, "from")), &act->from, NULL) < 0)
		problem_errors_add(&errors, "/from", 0, "must be a time as in 2026-01-31T12:00:00Z");
	if (time_parse(json_string_value(json_object_get(body, "to")), &act->to, NULL) < 0)
		problem_errors_add(&errors, "/to", 0, "must be a time as in 2026-01-31T12:00:00Z");
	if (errors.n == 0 && (act->from > act->to || act->to > clock_wall() || act->from <= 0))
		problem_errors_add(&errors, "/to", 0,
						   "must not be before `from`, nor in the future, which comes by itself");
	if (overlap && strcmp(overlap, "queue") != 0 && strcmp(overlap, "start") != 0)
		problem_errors_add(&errors, "/overlap", 0,
						   "must be queue (one after the other) or start (beside each other)");
	act->side_by_side = overlap && strcmp(overlap, "start") == 0;
	if (errors.n == 0)
		return true;
	exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors,
							"the body does not say what is to be filled in");
	problem_errors_release(&errors);
	return false;
}

static void take_act(struct exchange *ex, enum schedule_act_kind kind)
{
	static const struct body_member members[] = {
		{"reason", BODY_STRING, false, 1000}, {"by", BODY_STRING, false, 200},
		{"from", BODY_STRING, true, 40},      {"to", BODY_STRING, true, 40},
		{"overlap", BODY_STRING, false, 10},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct schedule_act *act = xcalloc(1, sizeof(*act));
	bool backfill = kind == SCHEDULE_BACKFILL;

	ex->state = act;
	ex->free_state = act_free;
	act->kind = kind;
	if (ex->body.len > SCHEDULE_BODY_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body has at most %d bytes",
						 SCHEDULE_BODY_MAX_BYTES);
		return;
	}
	if (!exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, backfill ? ARRAY_SIZE(members) : 2, !backfill, &body) ||
		(backfill && !read_backfill(ex, body, act)))
		return;
	act->by = body_member_text(body, "by");
	act->reason = body_member_text(body, "reason");
	exchange_read(ex, do_act);
}

void api_pause_schedule(struct exchange *ex)
{
	take_act(ex, SCHEDULE_PAUSE);
}

void api_resume_schedule(struct exchange *ex)
{
	take_act(ex, SCHEDULE_RESUME);
}

void api_trigger_schedule(struct exchange *ex)
{
	take_act(ex, SCHEDULE_TRIGGER);
}

void api_backfill_schedule(struct exchange *ex)
{
	take_act(ex, SCHEDULE_BACKFILL);
}
