/*
 * The workers of a scenario. What they poll is read from the store, as the node's hub does it; what
 * they say of a task names the latest lease that they got.
 */
#include <string.h>

#include "connectors/store_long.h"
#include "sagas/side.h"
#include "tests/support/scenario.h"

struct scenario_lease {
	struct scenario_lease *next;
	char *worker;
	char saga_id[SAGA_ID_SIZE];
	char *step;
	int item;
	enum side side;
	char nonce[TASK_NONCE_SIZE];
	int64_t attempt;
};

/* An act that waits for its answer. */
struct work {
	const json_t *act;
	char *worker;
};

static void expect(struct scenario *s, const json_t *act, const char *name, const char *got)
{
	scenario_expect(s, "a worker: ", name, got, json_object_get(act, "gets"));
}

static void expect_value(struct scenario *s, const json_t *act, const char *name, json_t *got)
{
	const json_t *expected = json_object_get(json_object_get(act, "gets"), name);
	CLEANUP(free_p) char *text = got ? json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (expected && !(json_is_null(expected) ? !got : got && json_equal(expected, got)))
		scenario_fail(s, "a worker gets %s %s", name, text ? text : "not at all");
	json_decref(got);
}

static void expect_time(struct scenario *s, const json_t *act, const char *name, wall_ms at)
{
	const json_t *expected = json_object_get(json_object_get(act, "gets"), name);

	if (expected && at - s->starts_at != scenario_duration(s, expected))
		scenario_fail(s, "a worker gets %s: %lld ms", name, (long long)(at - s->starts_at));
}

/* Polling. */

struct candidates {
	const char *route;
	bool found;
	struct task_row row;
};

static int take_first(void *ctx, const struct task_row *row)
{
	struct candidates *candidates = ctx;

	if (candidates->found ||
		(candidates->route && (!row->route || strcmp(row->route, candidates->route) != 0)))
		return 0;
	candidates->found = true;
	task_row_copy(row, &candidates->row);
	return 0;
}

static void ask(struct scenario *s, struct engine_call *call, const json_t *act, const char *worker)
{
	struct work *work = xcalloc(1, sizeof(*work));

	*work = (struct work){act, xstrdup(worker)};
	call->ctx = work;
	world_post(&s->world, POST_CALL, call);
}

static void poll(struct scenario *s, const json_t *act)
{
	const char *worker = scenario_text(act, "worker"), *gets = scenario_text(act, "gets");
	bool wants_nothing = gets && strcmp(gets, "nothing") == 0;
	struct candidates candidates = {.route = scenario_text(act, "route")};
	struct task_filter filter = {
		.ns = WORLD_NS,
		.kind = TASK_WORKER,
		.queue = scenario_text(act, "poll"),
		.state = TASK_QUEUED,
		.available_before = s->world.now + 1,
		.limit = 100,
	};
	struct engine_call *call;
	struct err err;

	if (s->world.inner->ops->tasks_list(s->world.truth, &filter, take_first, &candidates, &err) < 0)
		scenario_fail(s, "the tasks cannot be read: %s", err.text);
	if (candidates.found == wants_nothing)
		scenario_fail(s, "at %lld ms queue %s has %s", (long long)(s->world.now - s->starts_at),
					  filter.queue, candidates.found ? candidates.row.step : "nothing");
	if (!candidates.found)
		return;
	call = engine_call_for_task(WORLD_NS, candidates.row.saga_id, TASK_WORD_LEASE,
								candidates.row.step, candidates.row.item, candidates.row.side);
	call->task->worker = xstrdup(worker ? worker : "w");
	if (scenario_text(act, "build"))
		call->task->build = xstrdup(scenario_text(act, "build"));
	ask(s, call, act, call->task->worker);
	task_row_release(&candidates.row);
}

static json_t *sent_input(const struct request *request)
{
	return request->body ? json_loads(request->body, JSON_DECODE_ANY, NULL) : NULL;
}

/* "step[item]" */
static char *place_of(const struct task_call *task)
{
	return task->item >= 0 ? xasprintf("%s[%d]", task->step, task->item) : xstrdup(task->step);
}

static void leased(struct scenario *s, const struct work *work, const struct engine_call *call)
{
	const struct task_answer *answer = &call->task->answer;
	const struct request *request = answer->request;
	struct scenario_lease *lease = xcalloc(1, sizeof(*lease));
	CLEANUP(free_p) char *place = place_of(call->task);
	size_t own = strncmp(request->key, call->id, strlen(call->id)) == 0 ? strlen(call->id) + 1 : 0;

	*lease = (struct scenario_lease){
		.next = s->leases,
		.worker = xstrdup(work->worker),
		.step = xstrdup(call->task->step),
		.item = call->task->item,
		.side = call->task->side,
		.attempt = answer->attempt,
	};
	memcpy(lease->saga_id, call->id, sizeof(lease->saga_id));
	memcpy(lease->nonce, answer->nonce, sizeof(lease->nonce));
	s->leases = lease;
	expect(s, work->act, "step", place);
	expect(s, work->act, "definition", call->task->definition);
	expect(s, work->act, "side", store_side_text(call->task->side));
	expect(s, work->act, "key", request->key + own);
	expect(s, work->act, "route", request->route);
	expect_value(s, work->act, "input", sent_input(request));
	expect_value(s, work->act, "attempt", json_integer(answer->attempt));
	expect_value(s, work->act, "progress",
				 answer->progress ? json_incref(jval_json(answer->progress)) : NULL);
	expect_time(s, work->act, "until", answer->lease_until);
	expect_time(s, work->act, "deadline", answer->deadline_at);
}

/* What the worker says. */

static const struct scenario_lease *lease_of(const struct scenario *s, const char *worker)
{
	const struct scenario_lease *lease = s->leases;

	while (lease && strcmp(lease->worker, worker) != 0)
		lease = lease->next;
	return lease;
}

static struct jval *value_of(const json_t *act, const char *name)
{
	json_t *value = json_object_get(act, name);

	return value ? jval_from_json(json_deep_copy(value)) : NULL;
}

static char *text_copy(const json_t *act, const char *name)
{
	return scenario_text(act, name) ? xstrdup(scenario_text(act, name)) : NULL;
}

static void say(struct scenario *s, const json_t *act, enum task_word word, const char *worker)
{
	const struct scenario_lease *lease = lease_of(s, worker);
	const json_t *retryable = json_object_get(act, "retryable");
	struct engine_call *call;

	if (!lease) {
		scenario_fail(s, "%s has no lease", worker);
		return;
	}
	call =
		engine_call_for_task(WORLD_NS, lease->saga_id, word, lease->step, lease->item, lease->side);
	call->task->nonce = xstrdup(lease->nonce);
	call->task->attempt = lease->attempt;
	call->task->output = value_of(act, "output");
	call->task->details = value_of(act, "details");
	call->task->code = text_copy(act, "code");
	call->task->message = text_copy(act, "message");
	call->task->retryable = !json_is_false(retryable);
	call->task->unknown = json_is_true(json_object_get(act, "unknown"));
	ask(s, call, act, worker);
}

bool scenario_work(struct scenario *s, const json_t *act)
{
	static const struct {
		const char *name;
		enum task_word word;
	} words[] = {{"heartbeat", TASK_WORD_HEARTBEAT},
				 {"complete", TASK_WORD_COMPLETE},
				 {"fail", TASK_WORD_FAIL}};

	if (scenario_text(act, "poll")) {
		poll(s, act);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!scenario_text(act, words[i].name))
			continue;
		say(s, act, words[i].word, scenario_text(act, words[i].name));
		return true;
	}
	return false;
}

/* A worker that is refused, or told to stop, without the file saying so is a failure. */
static void heard(struct scenario *s, const struct work *work, const struct engine_call *call)
{
	const json_t *gets = json_object_get(work->act, "gets");
	const struct task_answer *answer = &call->task->answer;

	if (answer->refused && !json_object_get(gets, "refused"))
		scenario_fail(s, "%s is refused: %s", work->worker, answer->why);
	if (answer->cancel && !json_object_get(gets, "cancel"))
		scenario_fail(s, "%s is told to stop: %s", work->worker, answer->why);
	expect(s, work->act, "refused", answer->refused ? answer->why : NULL);
	expect(s, work->act, "cancel", answer->cancel ? answer->why : NULL);
	if (answer->refused)
		return;
	if (call->task->word == TASK_WORD_LEASE)
		leased(s, work, call);
	else if (call->task->word == TASK_WORD_HEARTBEAT)
		expect_time(s, work->act, "until", answer->lease_until);
}

void scenario_worked(struct scenario *s, struct engine_call *call, bool lost)
{
	struct work *work = call->ctx;

	if (!lost && call->result < 0)
		scenario_fail(s, "%s gets %s", work->worker, call->err.text);
	else if (!lost)
		heard(s, work, call);
	free(work->worker);
	free(work);
	engine_call_free(call);
}

struct left {
	const char *saga_id;
	struct scenario *s;
};

static int judge_left(void *ctx, const struct task_row *row)
{
	struct left *left = ctx;

	if (strcmp(row->saga_id, left->saga_id) == 0)
		scenario_fail(left->s, "it has ended, and the task of %s is still there", row->step);
	return 0;
}

void scenario_expect_no_task(struct scenario *s, const char *saga_id)
{
	struct task_filter filter = {.ns = WORLD_NS, .kind = TASK_WORKER, .state = -1, .limit = 500};
	struct left left = {saga_id, s};
	struct err err;

	for (int kind = 0; kind < TASK_KIND_COUNT; kind++) {
		filter.kind = (enum task_kind)kind;
		if (s->world.inner->ops->tasks_list(s->world.truth, &filter, judge_left, &left, &err) < 0)
			scenario_fail(s, "the tasks cannot be read: %s", err.text);
	}
}

void scenario_work_release(struct scenario *s)
{
	while (s->leases) {
		struct scenario_lease *lease = s->leases;

		s->leases = lease->next;
		free(lease->worker);
		free(lease->step);
		free(lease);
	}
}
