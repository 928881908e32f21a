/*
 * What happens while a saga runs: signals, acts and decisions of people, events, and processes that
 * die. Each has its time: since the start (`at`), or since a step began (`once`, `after`).
 */
#include "coordinator/deftest_priv.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct happening {
	struct deftest *test;
	const json_t *json;
	size_t index;
	const char *once; /* NULL: at a time */
	bool planned;     /* it is on the time line, or over */
};

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static void complain(struct happening *happening, const char *what, const char *detail)
{
	char pointer[48];

	snprintf(pointer, sizeof(pointer), "/meanwhile/%zu", happening->index);
	deftest__fail(happening->test, pointer, "%s: %s", what, detail);
}

/* ---- acts ---- */

/* {kind: reason} of those that say no more. */
static const char *saga_act(const json_t *json, const char **ret_reason)
{
	static const char *const acts[] = {"cancel", "terminate", "pause", "resume"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		*ret_reason = text_of(json, acts[i]);
		if (*ret_reason)
			return acts[i];
	}
	return NULL;
}

/* Members that are the same in the test and in the act. */
static void copy_members(const json_t *from, json_t *to)
{
	static const char *const names[] = {"reason", "groups", "value", "data"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(from, names[i]))
			json_object_set(to, names[i], json_object_get(from, names[i]));
	json_object_update(to, json_object_get(from, "with"));
}

/* The act as the API takes it; *ret_place: of its step, or NULL. */
static json_t *act_json_of(const struct happening *happening, const char **ret_place)
{
	static const char *const decisions[] = {"approve", "reject"};
	const json_t *json = happening->json;
	json_t *act = json_object();
	const char *reason = NULL, *kind = saga_act(json, &reason);
	size_t i;

	copy_members(json, act);
	*ret_place = text_of(json, "step");
	if (kind) {
		json_object_set_new(act, "act", json_string(kind));
		json_object_set_new(act, "reason", json_string(reason));
	}
	if (text_of(json, "signal")) {
		json_object_set_new(act, "act", json_string("signal"));
		json_object_set_new(act, "signal", json_string(text_of(json, "signal")));
	}
	if (text_of(json, "act"))
		json_object_set_new(act, "act", json_string(text_of(json, "act")));
	for (i = 0; i < ARRAY_SIZE(decisions); i++) {
		if (!text_of(json, decisions[i]))
			continue;
		json_object_set_new(act, "act", json_string(decisions[i]));
		*ret_place = text_of(json, decisions[i]);
	}
	json_object_set_new(act, "by", json_string(text_of(json, "by") ? text_of(json, "by") : "ann"));
	return act;
}

static void check_answer(struct happening *happening, int r, const struct err *err)
{
	const char *refused = text_of(happening->json, "refused");

	if (r < 0 && !refused)
		complain(happening, "this is refused", err->text);
	else if (r == 0 && refused)
		complain(happening, "this is taken, but was expected to be refused", refused);
	else if (r < 0 && fnmatch(refused, err->text, FNM_NOESCAPE) != 0)
		complain(happening, "this is refused with other words", err->text);
}

static void give_act(struct happening *happening)
{
	const char *place = NULL;
	CLEANUP(json_decref_p) json_t *json = act_json_of(happening, &place);
	struct deftest *test = happening->test;
	struct deftest_target target = {.item = -1};
	struct input in = {.type = INPUT_ACT};
	struct act act;
	struct err err = {0};
	int r;

	if (place && !deftest__find(test, place, &target)) {
		complain(happening, "there is no such step yet", place);
		return;
	}
	if (place)
		json_object_set_new(json, "step",
							json_string(target.saga->state->def->steps[target.step].id));
	else
		target.saga = deftest__saga(test, text_of(happening->json, "saga"));
	if (target.item >= 0)
		json_object_set_new(json, "item", json_integer(target.item));
	if (target.undo)
		json_object_set_new(json, "compensation", json_true());
	if (!target.saga) {
		complain(happening, "there is no such saga yet", text_of(happening->json, "saga"));
		return;
	}
	r = act_from_json(json, &act, &err);
	if (r == 0) {
		in.act = &act;
		r = sandbox_give(target.saga, &in, &err);
		act_release(&act);
	}
	check_answer(happening, r, &err);
}

/* ---- events ---- */

static json_t *or_null(const json_t *json, const char *name)
{
	json_t *value = json_object_get(json, name);

	return value ? json_incref(value) : json_null();
}

/* As a record of Kafka, or what came to a webhook, is shown to expressions. */
static json_t *make_event(struct happening *happening, const char *topic, bool webhook,
						  const char *id)
{
	const json_t *json = happening->json;
	const json_t *headers = json_object_get(json, "headers");
	char at[TIME_TEXT_SIZE];

	time_format(sandbox_now(happening->test->sandbox), at);
	if (webhook)
		return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o}", "id", id, "type", or_null(json, "type"),
						 "source", topic, "time", at, "data", or_null(json, "data"), "headers",
						 headers ? json_deep_copy(headers) : json_object());
	return json_pack("{s:s, s:n, s:o, s:n, s:s, s:o, s:o, s:s, s:i, s:I, s:s, s:o}", "id", id,
					 "source", "type", or_null(json, "type"), "subject", "time", at, "data",
					 or_null(json, "data"), "key", or_null(json, "key"), "topic", topic,
					 "partition", 0, "offset", (json_int_t)happening->test->n_events, "timestamp",
					 at, "headers", headers ? json_deep_copy(headers) : json_object());
}

static void give_event(struct happening *happening)
{
	struct deftest *test = happening->test;
	const char *topic = text_of(happening->json, "kafka");
	const char *cluster = text_of(happening->json, "cluster");
	bool webhook = topic == NULL;
	CLEANUP(free_p) char *id = NULL;
	CLEANUP(json_decref_p) json_t *event = NULL;

	if (webhook)
		topic = text_of(happening->json, "webhook");
	else if (!cluster)
		cluster = DEF_DEFAULT_CLUSTER;
	id = xasprintf("%s/%s/0/%lld", webhook ? "webhook" : cluster, topic,
				   (long long)test->n_events++);
	event = make_event(happening, topic, webhook, id);
	sandbox_event(test->sandbox, webhook ? NULL : cluster, topic, event, id);
}

/* What is POSTed to the callback_url of a step, by who was told of it. */
static void call_back(struct happening *happening)
{
	const char *place = text_of(happening->json, "callback");
	CLEANUP(jval_unref_p) struct jval *body = jval_from_json(or_null(happening->json, "data"));
	struct deftest_target target;
	const struct saga_state *state;
	struct input in = {
		.type = INPUT_REPLY,
		.kind = CALL_DO,
		.result = CALL_ANSWERED,
		.retry_after_ms = -1,
		.said = OUTCOME_DEFAULT,
		.http_status = 200,
		.body = body,
	};
	struct err err;

	if (!deftest__find(happening->test, place, &target)) {
		complain(happening, "there is no such step yet", place);
		return;
	}
	state = target.saga->state;
	if (state->steps[target.step].n_actions > (target.item < 0 ? 0 : target.item))
		in.nonce = saga_state_action(state, target.step, target.item)->run.nonce;
	if (!in.nonce) {
		complain(happening, "this step has given nobody a callback_url", place);
		return;
	}
	in.step = target.step;
	in.item = target.item;
	in.run = saga_state_run(state, target.step);
	(void)!sandbox_give(target.saga, &in, &err);
}

static void restart(struct happening *happening)
{
	struct sandbox_saga *saga = deftest__saga(happening->test, text_of(happening->json, "saga"));

	if (saga)
		sandbox_restart(saga);
}

/* ---- times ---- */

static void happen(void *ctx)
{
	struct happening *happening = ctx;
	const json_t *json = happening->json;
	struct sandbox *sandbox = happening->test->sandbox;

	happening->test->n_pending--;
	if (json_object_get(json, "kafka") || json_object_get(json, "webhook"))
		give_event(happening);
	else if (json_object_get(json, "hold"))
		sandbox_hold(sandbox, json_object_get(json, "hold"),
					 sandbox_now(sandbox) +
						 deftest__duration(json_object_get(json, "for"), INT64_C(86400000)));
	else if (json_object_get(json, "restart"))
		restart(happening);
	else if (json_object_get(json, "callback"))
		call_back(happening);
	else
		give_act(happening);
}

static void plan_at(struct happening *happening, wall_ms at)
{
	happening->planned = true;
	sandbox_at(happening->test->sandbox, at, happen, NULL, happening);
}

/* Decisions and callbacks wait for their step, unless a time is said. */
static const char *once_of(const json_t *json)
{
	static const char *const steps[] = {"once", "approve", "reject", "callback"};
	size_t i;

	if (json_object_get(json, "at"))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (text_of(json, steps[i]))
			return text_of(json, steps[i]);
	return NULL;
}

/* "ship" stands for the first item that begins, "ship[2]" for that one. */
static bool is_meant(const char *once, const char *place)
{
	size_t len = strlen(once);

	return strcmp(once, place) == 0 || (strncmp(once, place, len) == 0 && place[len] == '[' &&
										strcspn(place + len, "]") + 1 == strlen(place + len));
}

void deftest__plan(struct deftest *test)
{
	const json_t *list = json_object_get(test->test, "meanwhile"), *json;
	size_t i;

	test->n_happenings = test->n_pending = json_array_size(list);
	test->happenings = xcalloc(test->n_happenings + 1, sizeof(*test->happenings));
	json_array_foreach (list, i, json) {
		struct happening *happening = &test->happenings[i];

		*happening =
			(struct happening){.test = test, .json = json, .index = i, .once = once_of(json)};
		if (test->fault && test->fault->kind == FAULT_SILENCE && happening->once &&
			is_meant(happening->once, test->fault->place)) {
			happening->planned = true;
			test->n_pending--;
			continue;
		}
		/* What somebody else has from the start was taken before. */
		if (!happening->once && json_object_get(json, "hold") &&
			deftest__duration(json_object_get(json, "at"), 0) == 0) {
			happening->planned = true;
			happen(happening);
		} else if (!happening->once)
			plan_at(happening,
					DEFTEST_STARTS_AT + deftest__duration(json_object_get(json, "at"), 0));
	}
}

void deftest__planned_free(struct deftest *test)
{
	free(test->happenings);
}

static const char *begins(const struct event *event)
{
	if (event->type == EV_STEP_SCHEDULED)
		return "";
	return event->type == EV_COMPENSATION_STARTED ? ".undo" : NULL;
}

void deftest__happened(struct deftest *test, struct sandbox_saga *saga, const struct event *events,
					   size_t n)
{
	wall_ms now = sandbox_now(test->sandbox);
	size_t i, j;

	for (i = 0; i < n; i++) {
		CLEANUP(free_p)
		char *place = begins(&events[i])
						  ? deftest__place(saga, events[i].step, events[i].item, begins(&events[i]))
						  : NULL;

		for (j = 0; place && j < test->n_happenings; j++) {
			struct happening *happening = &test->happenings[j];

			if (!happening->planned && happening->once && is_meant(happening->once, place))
				plan_at(happening,
						now + deftest__duration(json_object_get(happening->json, "after"), 0));
		}
	}
}

void deftest__never_happened(struct deftest *test)
{
	size_t i;

	for (i = 0; i < test->n_happenings; i++)
		if (!test->happenings[i].planned)
			complain(&test->happenings[i],
					 "this never happened, for it waits for a step that did not begin",
					 test->happenings[i].once);
}
