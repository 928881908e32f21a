/*
 * Which version of a definition starts sagas: a canary's share, promotion, the way back, and
 * pauses. What is said is one row of the store, by its revision; other nodes see it within a
 * second. Running sagas stay with the version that they began with. All of it runs on the read
 * pool, where the store writer may be waited for.
 */
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/json_routing.h"
#include "coordinator/kafka/hub.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/node.h"
#include "coordinator/registry.h"
#include "coordinator/routes.h"
#include "coordinator/schedules.h"
#include "sagas/json_text.h"

enum {
	PUT_TRIES = 5, /* when others write the same row */
	VERSIONS_BODY_MAX_BYTES = 16 * 1024,
};

enum version_act_kind {
	VERSION_CANARY,
	VERSION_PROMOTE,
	VERSION_ROLLBACK,
	VERSION_PAUSE,
	VERSION_RESUME,
};

struct version_act {
	enum version_act_kind kind;
	int64_t version; /* 0: not said */
	int64_t percent; /* -1: not said */
	char *by, *reason;
};

static void act_free(void *state)
{
	struct version_act *act = state;

	free(act->by);
	free(act->reason);
	free(act);
}

/* What an act looks at, and what it leaves. */
struct routing {
	struct routing_row row;
	bool found;
	int64_t newest;
};

static int take_row(void *ctx, const struct routing_row *row)
{
	struct routing *routing = ctx;

	routing_row_copy(row, &routing->row);
	routing->found = true;
	return 0;
}

static int take_newest(void *ctx, const struct definition_row *row)
{
	int64_t *newest = ctx;

	*newest = row->version;
	return 1; /* the newest comes first */
}

static int read_routing(struct exchange *ex, struct store_reader *reader, struct routing *routing,
						struct err *err)
{
	const struct store_ops *ops = reader->store->ops;
	const char *name = ex->params[0];
	int r = ops->definition_list(reader, ex->ns, name, take_newest, &routing->newest, err);

	if (r >= 0 && routing->newest == 0)
		r = err_set(err, ERR_NOT_FOUND, "there is no definition %.100s in namespace %s", name,
					ex->ns);
	return r < 0 ? r : ops->routing_list(reader, ex->ns, name, take_row, routing, err);
}

static int conflict(struct err *err, const char *text, int64_t version)
{
	return version ? err_set(err, ERR_CONFLICT, "version %lld %s", (long long)version, text)
				   : err_set(err, ERR_CONFLICT, "%s", text);
}

/* The version becomes the current one. */
static int make_current(struct routing_row *row, int64_t current, int64_t version, struct err *err)
{
	if (version == current && !row->canary)
		return conflict(err, "is the current one already", version);
	if (version != current)
		row->previous = current;
	row->current = version;
	row->canary = 0;
	row->percent = 0;
	return 0;
}

static int give_share(const struct version_act *act, struct routing_row *row, int64_t current,
					  struct err *err)
{
	int64_t version = act->version ? act->version : row->canary;

	if (!version)
		return conflict(err, "there is no canary; `version` says which one it is to be", 0);
	if (version == current)
		return conflict(err, "is the current one, and takes what the canary leaves", version);
	row->current = current;
	row->canary = version;
	row->percent = (int)act->percent;
	return 0;
}

static int go_back(const struct version_act *act, struct routing_row *row, int64_t current,
				   struct err *err)
{
	int64_t to = act->version ? act->version : row->previous ? row->previous : current - 1;

	if (!act->version && row->canary) { /* the way back from a canary is to end it */
		row->current = current;
		row->canary = 0;
		row->percent = 0;
		return 0;
	}
	if (to == 0)
		return conflict(err, "there is no version before this one", 0);
	return make_current(row, current, to, err);
}

static int set_pause(const struct version_act *act, struct routing_row *row, struct err *err)
{
	bool pause = act->kind == VERSION_PAUSE;

	if (!pause && !row->paused)
		return conflict(err, "the definition is not paused", 0);
	row->paused = pause;
	row->reason = pause ? act->reason : NULL;
	return 0;
}

/* Strings of the row are borrowed from act and routing. */
static int change(const struct version_act *act, const struct routing *routing,
				  struct routing_row *row, struct err *err)
{
	int64_t current = row->current ? row->current : routing->newest;

	if (act->version > routing->newest)
		return err_set(err, ERR_NOT_FOUND, "there is no version %lld; the newest is %lld",
					   (long long)act->version, (long long)routing->newest);
	row->by = act->by;
	row->updated_at = clock_wall();
	switch (act->kind) {
	case VERSION_CANARY:
		return give_share(act, row, current, err);
	case VERSION_PROMOTE:
		if (!act->version && !row->canary)
			return conflict(err, "there is no canary; `version` says which one is to be current",
							0);
		return make_current(row, current, act->version ? act->version : row->canary, err);
	case VERSION_ROLLBACK:
		return go_back(act, row, current, err);
	case VERSION_PAUSE:
	case VERSION_RESUME:
		return set_pause(act, row, err);
	}
	return 0;
}

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->routing_put(store, ctx, err);
}

/* Reads the row, changes it, writes it; *ret_refused: the act, and not the writing of it. */
static int try_act(struct exchange *ex, struct store_reader *reader, bool *ret_refused,
				   struct err *err)
{
	struct routing routing = {.found = false};
	struct routing_row row;
	int r = read_routing(ex, reader, &routing, err);

	if (r < 0)
		return r;
	row = routing.row;
	if (!routing.found) {
		row.ns = ex->ns;
		row.name = ex->params[0];
	}
	r = change(ex->state, &routing, &row, err);
	*ret_refused = r < 0;
	if (r == 0)
		r = store_job_run(ex->node->writer, put_row, &row, err);
	if (r == 0) {
		json_routing(&row, routing.newest, &ex->out);
		exchange_answer(ex, 200);
	}
	routing_row_release(&routing.row);
	return r;
}

/* Thread: read pool. */
static void do_act(struct exchange *ex, struct store_reader *reader)
{
	struct err err;
	bool refused = false;
	int r = ERR_CONFLICT;

	for (int i = 0; i < PUT_TRIES && r == ERR_CONFLICT && !refused; i++)
		r = try_act(ex, reader, &refused, &err);
	if (r == 0) {
		registry_route_changed(ex->node->registry);
		hub_deployed(ex->node->kafka);
		schedules_changed(ex->node->schedules);
	} else if (refused && r == ERR_CONFLICT) {
		exchange_problem(ex, PROBLEM_VERSION_CONFLICT, "%s", err.text);
	} else if (r == ERR_NOT_FOUND) {
		exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "%s", err.text);
	} else {
		exchange_problem_err(ex, &err);
	}
}

static bool read_percent(struct exchange *ex, const json_t *body, int64_t *ret_percent)
{
	const json_t *percent = json_object_get(body, "percent");
	struct problem_errors errors = {0};

	*ret_percent = json_integer_value(percent);
	if (json_is_integer(percent) && *ret_percent >= 0 && *ret_percent <= 100)
		return true;
	problem_errors_add(&errors, "/percent", 0, "must be a whole number from 0 to 100");
	exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors, "the body does not say which share");
	problem_errors_release(&errors);
	return false;
}

static void take_act(struct exchange *ex, enum version_act_kind kind)
{
	static const struct body_member members[] = {
		{"reason", BODY_STRING, false, 250},
		{"by", BODY_STRING, false, 200},
		{"version", BODY_NUMBER, false, 0},
		{"percent", BODY_ANY, true, 0},
	};
	static const size_t n_members[] = {
		[VERSION_CANARY] = 4, [VERSION_PROMOTE] = 3, [VERSION_ROLLBACK] = 3,
		[VERSION_PAUSE] = 2,  [VERSION_RESUME] = 2,
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct version_act *act = xcalloc(1, sizeof(*act));

	ex->state = act;
	ex->free_state = act_free;
	act->kind = kind;
	if (ex->body.len > VERSIONS_BODY_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body has at most %d bytes",
						 VERSIONS_BODY_MAX_BYTES);
		return;
	}
	if (!exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, n_members[kind], kind != VERSION_CANARY, &body) ||
		(kind == VERSION_CANARY && !read_percent(ex, body, &act->percent)))
		return;
	act->by = body_member_text(body, "by");
	act->reason = body_member_text(body, "reason");
	act->version = json_integer_value(json_object_get(body, "version"));
	exchange_read(ex, do_act);
}

void api_canary_definition(struct exchange *ex)
{
	take_act(ex, VERSION_CANARY);
}

void api_promote_definition(struct exchange *ex)
{
	take_act(ex, VERSION_PROMOTE);
}

void api_rollback_definition(struct exchange *ex)
{
	take_act(ex, VERSION_ROLLBACK);
}

void api_pause_definition(struct exchange *ex)
{
	take_act(ex, VERSION_PAUSE);
}

void api_resume_definition(struct exchange *ex)
{
	take_act(ex, VERSION_RESUME);
}
