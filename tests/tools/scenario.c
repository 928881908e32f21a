/*
 * Runs scenario files (tests/scenarios/README.md says how they are written): a definition, the
 * calls that are expected in order with the reply to each, acts at their times, and the end. The
 * engine is the real one, the store too; time is skipped to whatever comes next. The oracle
 * watches.
 *
 *   scenario [-v] file...
 *   scenario --record FOLDER file...    also writes each history there (tests/golden)
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "connectors/yaml.h"
#include "coordinator/log.h"
#include "sagas/json_text.h"
#include "sagas/replay.h"
#include "sagas/state_json.h"
#include "tests/support/scenario.h"
#include "tests/support/scenario_kafka.h"

enum { STEPS_MAX = 200000, FILE_MAX = 1024 * 1024 };
#define STARTS_AT INT64_C(1767225600000) /* 2026-01-01T00:00:00Z, unless `now` is said */

/* The end of a call that was scripted and is under way; its echo; or a record in the topic of
 * replies, which waits there while nobody reads. */
struct coming {
	struct coming *next;
	wall_ms at;
	struct world_call *call; /* NULL: an echo of `copy`, or a record */
	struct world_call copy;  /* of a record, the request is held too */
	bool record;
	const json_t *reply;
};

void scenario_fail(struct scenario *s, const char *fmt, ...)
{
	va_list args;

	if (s->failures++ == 0)
		printf("FAIL  %s: %s\n", s->file, json_string_value(json_object_get(s->doc, "about")));
	va_start(args, fmt);
	printf("      %s%s", s->whose ? s->whose : "", s->whose ? ": " : "");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

static void violation(void *ctx, const char *saga_id, const char *text)
{
	(void)saga_id;
	scenario_fail(ctx, "%s", text);
}

int64_t scenario_duration(struct scenario *s, const json_t *value)
{
	struct err err;
	int64_t ms;

	if (!value)
		return 0;
	if (!json_is_string(value) || duration_parse(json_string_value(value), &ms, &err) < 0) {
		scenario_fail(s, "a duration is expected, such as 5s");
		return 0;
	}
	return ms;
}

const char *scenario_text(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* Replies. */

static enum call_result result_of(const json_t *reply)
{
	static const struct {
		const char *word;
		enum call_result result;
	} words[] = {{"not_connected", CALL_NOT_CONNECTED},
				 {"broken", CALL_BROKEN},
				 {"timeout", CALL_TIMED_OUT},
				 {"too_large", CALL_TOO_LARGE},
				 {"not_published", CALL_NOT_CONNECTED}};
	size_t i;

	for (i = 0; json_is_string(reply) && i < ARRAY_SIZE(words); i++)
		if (strcmp(json_string_value(reply), words[i].word) == 0)
			return words[i].result;
	return CALL_ANSWERED;
}

static int status_of(const json_t *reply)
{
	return (int)json_integer_value(json_is_integer(reply) ? reply
														  : json_object_get(reply, "status"));
}

static json_t *body_of(const json_t *reply)
{
	return json_is_object(reply) ? json_incref(json_object_get(reply, "body")) : NULL;
}

/* What the built-in rules say of it, for the oracle's books; `unknown` says it where the
 * definition has rules of its own. */
static void tell_oracle(struct scenario *s, const struct world_call *call, const json_t *reply,
						const json_t *entry)
{
	const json_t *said = json_object_get(entry, "unknown");
	enum call_result result = result_of(reply);
	struct oracle_saga *saga = oracle_saga(&s->oracle, call->saga_id);
	struct oracle_action *action = oracle_action(saga, call->command.step, call->command.item);
	int status = status_of(reply);
	bool unknown = result == CALL_ANSWERED
					   ? status >= 500 || status == 408 || status == 425 || status == 429 ||
							 (status == 409 && action->maybe_sent)
					   : result != CALL_NOT_CONNECTED;

	if (call->command.kind == CALL_PROBE_DO && result == CALL_ANSWERED && status < 500)
		action->probed = true;
	if (call->command.kind == CALL_DO && (said ? json_is_true(said) : unknown))
		oracle_unknown(&s->oracle, call->saga_id, call->command.step, call->command.item);
}

static void come(struct scenario *s, const struct coming *from)
{
	struct coming *coming = xcalloc(1, sizeof(*coming));
	struct coming **link = &s->coming;

	*coming = *from;
	while (*link && (*link)->at <= coming->at)
		link = &(*link)->next;
	coming->next = *link;
	*link = coming;
}

static void expect_key(struct scenario *s, const struct world_call *call, const char *expected)
{
	const char *key = call->command.request->key;
	size_t len = strlen(call->saga_id);

	if (strcmp(key, expected) == 0)
		return;
	if (strncmp(key, call->saga_id, len) != 0 || key[len] != '/' ||
		strcmp(key + len + 1, expected) != 0)
		scenario_fail(s, "call %zu has the key %s, expected %s", s->n_calls, key, expected);
}

/* "PUT stock /r/1", or "Reserve credit" for a command. */
static char *call_line(const struct request *request)
{
	if (request->kind == REQUEST_COMMAND)
		return xasprintf("%s %s", request->type, request->to);
	if (request->kind == REQUEST_CHILD)
		return xstrdup(request->to);
	return xasprintf("%s %s %s", request->method, request->to, request->path);
}

static void expect_call(struct scenario *s, const struct world_call *call, const json_t *entry)
{
	const struct request *request = call->command.request;
	CLEANUP(free_p) char *line = call_line(request);
	const json_t *attempt = json_object_get(entry, "attempt");
	const json_t *body = json_object_get(entry, "body");
	const json_t *header = json_object_get(entry, "header");
	const char *expected = scenario_text(entry, request->kind == REQUEST_COMMAND ? "command"
												: request->kind == REQUEST_CHILD ? "start"
																				 : "call");
	int64_t at = call->sent_at - s->starts_at;

	if (!expected || fnmatch(expected, line, FNM_NOESCAPE) != 0)
		scenario_fail(s, "call %zu is %s, expected %s", s->n_calls, line,
					  expected ? expected : "nothing");
	if (scenario_text(entry, "key"))
		expect_key(s, call, scenario_text(entry, "key"));
	if (scenario_text(entry, "record_key") &&
		strcmp(scenario_text(entry, "record_key"), request->record_key) != 0)
		scenario_fail(s, "call %zu (%s) has the record key %s", s->n_calls, line,
					  request->record_key);
	if (json_object_get(entry, "at") && at != scenario_duration(s, json_object_get(entry, "at")))
		scenario_fail(s, "call %zu (%s) comes at %lld ms, expected %s", s->n_calls, line,
					  (long long)at, scenario_text(entry, "at"));
	if (attempt && call->command.attempt != json_integer_value(attempt))
		scenario_fail(s, "call %zu (%s) is attempt %lld", s->n_calls, line,
					  (long long)call->command.attempt);
	if (header && (!request->headers || !request->headers[0] ||
				   strcmp(request->headers[0], json_string_value(header)) != 0))
		scenario_fail(s, "call %zu (%s) lacks the header %s", s->n_calls, line,
					  json_string_value(header));
	if (body) {
		CLEANUP(json_decref_p) json_t *sent = NULL;
		struct err err;

		if (request->body && request->content_type &&
			strcmp(request->content_type, "application/json") != 0)
			sent = json_stringn(request->body, request->body_len);
		else if (request->body && json_parse(request->body, request->body_len, &sent, &err) < 0)
			scenario_fail(s, "call %zu has a body that is not JSON: %s", s->n_calls, request->body);
		if (!json_equal(sent, body))
			scenario_fail(s, "call %zu (%s) has the body %s", s->n_calls, line,
						  request->body ? request->body : "(none)");
	}
}

/* A record is produced into the topic of replies. */
static void come_record(struct scenario *s, const struct world_call *call, const json_t *reply,
						int64_t after)
{
	struct coming coming = {.copy = *call, .record = true, .reply = reply};

	coming.at = call->sent_at + after;
	request_ref(call->command.request);
	come(s, &coming);
}

/* The producer says at once what became of it; the replies come as records, or never. */
static void sent_command(struct scenario *s, struct world_call *call, const json_t *entry)
{
	const json_t *reply = json_object_get(entry, "reply");
	const json_t *late = json_object_get(entry, "late");
	const json_t *one;
	struct coming end = {.call = call, .copy = *call, .at = call->sent_at};
	size_t i;

	end.reply = json_object_get(entry, "publish");
	come(s, &end);
	if (reply)
		come_record(s, call, reply, scenario_duration(s, json_object_get(entry, "after")));
	if (json_is_object(late))
		come_record(s, call, late, scenario_duration(s, json_object_get(late, "after")));
	json_array_foreach (late, i, one)
		come_record(s, call, one, scenario_duration(s, json_object_get(one, "after")));
}

static void sent(void *ctx, struct world_call *call)
{
	struct scenario *s = ctx;
	const json_t *entry = json_array_get(json_object_get(s->doc, "calls"), s->n_calls++);
	const json_t *reply = json_object_get(entry, "reply");
	const json_t *late = json_object_get(entry, "late");
	struct coming coming = {.call = call, .reply = reply, .copy = *call};
	int64_t after = scenario_duration(s, json_object_get(entry, "after"));

	CLEANUP(free_p) char *line = call_line(call->command.request);

	buf_printf(&s->log, "      %6lld ms  %s  key %s\n", (long long)(call->sent_at - s->starts_at),
			   line, call->command.request->key);
	oracle_sent(&s->oracle, call);
	expect_call(s, call, entry);
	if (call->command.request->kind == REQUEST_COMMAND) {
		sent_command(s, call, entry);
		return;
	}
	if (call->command.request->kind == REQUEST_CHILD) {
		coming.at = call->sent_at + after;
		come(s, &coming);
		return;
	}
	/* A call that is answered later than it waits times out. */
	if (!reply || result_of(reply) == CALL_TIMED_OUT || after >= call->command.timeout_ms) {
		coming.reply = NULL;
		after = call->command.timeout_ms;
	}
	coming.at = call->sent_at + after;
	come(s, &coming);
	if (late) {
		coming.call = NULL;
		coming.reply = late;
		coming.at = call->sent_at + scenario_duration(s, json_object_get(late, "after"));
		come(s, &coming);
	}
}

/* What nobody holds back; NULL: nothing. */
static struct coming **next_coming(struct scenario *s)
{
	struct coming **link = &s->coming;

	while (*link && (*link)->record && (s->down || s->queues_stuck))
		link = &(*link)->next;
	return link;
}

/* All that was produced before this has been read. */
static wall_ms read_until(const struct scenario *s)
{
	const struct coming *coming;

	for (coming = s->coming; coming; coming = coming->next)
		if (coming->record && coming->at <= s->world.now)
			return coming->at - 1;
	return s->world.now;
}

static void free_coming(struct coming *coming)
{
	if (coming->record)
		request_unref(coming->copy.command.request);
	free(coming);
}

/* The reply to a command is read. */
static void arrive_record(struct scenario *s, struct coming *coming)
{
	const struct world_call *call = &coming->copy;
	const char *outcome = json_is_string(coming->reply) ? json_string_value(coming->reply)
														: scenario_text(coming->reply, "outcome");
	const json_t *said = json_object_get(coming->reply, "unknown");

	if (call->command.kind == CALL_DO &&
		(said ? json_is_true(said) : scenario_outcome(outcome) == OUTCOME_UNKNOWN))
		oracle_unknown(&s->oracle, call->saga_id, call->command.step, call->command.item);
	scenario_reply(&s->world, call, coming->reply);
	free_coming(coming);
}

/* The producer is done with a command. */
static void arrive_published(struct scenario *s, struct coming *coming)
{
	enum call_result result = result_of(coming->reply);

	if (result == CALL_ANSWERED)
		result = CALL_PUBLISHED;
	if (result == CALL_BROKEN && coming->call->command.kind == CALL_DO)
		oracle_unknown(&s->oracle, coming->call->saga_id, coming->call->command.step,
					   coming->call->command.item);
	oracle_published(&s->oracle, coming->call, result);
	world_call_end(&s->world, coming->call, result, 0, NULL, -1);
	free_coming(coming);
}

static void arrive(struct scenario *s, struct coming **link)
{
	struct coming *coming = *link;
	const json_t *entry = NULL;
	CLEANUP(json_decref_p) json_t *timeout = json_string("timeout");
	const json_t *reply = coming->reply ? coming->reply : timeout;
	const json_t *after = json_object_get(reply, "retry_after");

	*link = coming->next;
	if (coming->record) {
		arrive_record(s, coming);
		return;
	}
	if (coming->call && coming->call->command.request->kind == REQUEST_COMMAND) {
		arrive_published(s, coming);
		return;
	}
	entry = json_array_get(json_object_get(s->doc, "calls"), (size_t)coming->copy.id - 1);
	if (coming->call && coming->call->command.request->kind == REQUEST_CHILD) {
		scenario_start_child(s, coming->call, entry);
		free(coming);
		return;
	}
	if (!coming->call) {
		world_call_echo(&s->world, &coming->copy, result_of(reply), status_of(reply),
						body_of(reply));
	} else {
		tell_oracle(s, coming->call, reply, entry);
		world_call_end(&s->world, coming->call, result_of(reply), status_of(reply), body_of(reply),
					   after ? scenario_duration(s, after) : -1);
	}
	free(coming);
}

/* The other hooks. */

void scenario_answer(struct scenario *s, const char *text)
{
	free(s->answer);
	s->answer = xstrdup(text);
	json_array_append_new(s->answers, json_string(text));
}

static void answered(void *ctx, struct engine_call *call, bool lost)
{
	struct scenario *s = ctx;

	if (call->act == ENGINE_START) {
		scenario_started(s, call, lost);
		return;
	}
	if (call->act == ENGINE_TASK) {
		scenario_worked(s, call, lost);
		return;
	}
	if (!lost)
		scenario_answer(s, call->result == 0 ? "ok" : call->err.text);
	engine_call_free(call);
}

static void loaded(void *ctx, const char *saga_id)
{
	oracle_owner_lost(&((struct scenario *)ctx)->oracle, saga_id);
}

static uint64_t no_random(void *ctx)
{
	(void)ctx;
	return 0;
}

/* Acts. */

/* Any act, as the API takes it; `forget` of a reset is what its history would say. */
static void person(struct scenario *s, const char *id, const json_t *json)
{
	CLEANUP(json_decref_p) json_t *copy = json_copy((json_t *)json);
	const json_t *forget = json_object_get(json, "forget");
	struct act act;
	struct err err;
	size_t i;

	json_object_del(copy, "forget");
	if (act_from_json(copy, &act, &err) < 0) {
		scenario_fail(s, "an act: %s: %s", err.place, err.text);
		return;
	}
	if (forget)
		act.forget = xcalloc(json_array_size(forget) + 1, sizeof(*act.forget));
	for (i = 0; i < json_array_size(forget); i++)
		act.forget[i] = xstrdup(json_string_value(json_array_get(forget, i)));
	if (!act.by)
		act.by = xstrdup("ann");
	if (act.kind == ACT_MIGRATE && !scenario_may_migrate(s, id, &act)) {
		act_release(&act);
		return;
	}
	world_post(&s->world, POST_CALL, engine_call_for_act(WORLD_NS, id, &act));
}

static void perform(struct scenario *s, const json_t *act)
{
	const char *reason = scenario_text(act, "cancel");
	const json_t *restart = json_object_get(act, "restart");
	const char *queues = scenario_text(act, "queues");

	if (queues) {
		s->queues_stuck = strcmp(queues, "stuck") == 0;
		return;
	}
	if (json_object_get(act, "event")) {
		scenario_event(&s->world, s->world.defs[0], json_object_get(act, "event"), s->n_events++);
		return;
	}
	if (json_object_get(act, "callback")) {
		scenario_callback(&s->world, scenario_saga_of(s, act), json_object_get(act, "callback"));
		return;
	}
	if (json_object_get(act, "act")) {
		person(s, scenario_saga_of(s, act), json_object_get(act, "act"));
		return;
	}
	if (scenario_work(s, act) || scenario_schedule_act(s, act))
		return;
	if (json_object_get(act, "route")) {
		scenario_set_route(s, json_object_get(act, "route"));
		return;
	}
	if (json_object_get(act, "start")) {
		scenario_start(s, act);
		return;
	}
	if (restart) {
		world_crash(&s->world);
		s->down = true;
		s->up_at = s->world.now + (json_is_string(restart) ? scenario_duration(s, restart) : 0);
		return;
	}
	if (reason)
		world_post(&s->world, POST_CALL,
				   world_act_call(ACT_CANCEL, scenario_saga_of(s, act), reason));
	else
		world_post(&s->world, POST_CALL,
				   world_act_call(ACT_TERMINATE, scenario_saga_of(s, act),
								  scenario_text(act, "terminate")));
}

/* The first act whose time has come or comes next; -1: none is left. */
static int next_act(struct scenario *s, wall_ms *ret_at)
{
	const json_t *acts = json_object_get(s->doc, "acts");
	size_t i;
	int next = -1;

	for (i = 0; i < json_array_size(acts); i++) {
		const json_t *act = json_array_get(acts, i);
		const json_t *call = json_object_get(act, "after_call");
		wall_ms at = s->starts_at + scenario_duration(s, json_object_get(act, "at"));

		if (s->acted[i] || (call && s->n_calls < (size_t)json_integer_value(call)))
			continue;
		if (call)
			at = s->world.now;
		if (next < 0 || at < *ret_at) {
			next = (int)i;
			*ret_at = at;
		}
	}
	return next;
}

/* What has been read by now lets time-outs take effect. */
static void tell_read_until(struct scenario *s)
{
	wall_ms queued = s->world.turn ? scenario_queued_due(&s->world) : 0;

	if (!s->kafka || s->queues_stuck || !queued || queued > read_until(s))
		return;
	turn_queues_read(s->world.turn, read_until(s));
	world_turn(&s->world, 0);
}

/* Lets engine, writer and reader work until there is nothing left to do now. */
static void quiesce(struct scenario *s)
{
	struct world *world = &s->world;
	int i;

	for (i = 0; i < 1000 && world->turn; i++) {
		if (world->batch || world->removal)
			world_write(world);
		else if (world->reads.n > 0)
			world_read(world, 0);
		else if (world_turn_wanted(world))
			world_turn(world, 100);
		else
			break;
		oracle_check_memory(&s->oracle);
	}
}

static bool something_is_due(struct scenario *s)
{
	const struct oracle_saga *saga;
	size_t i;

	for (i = 0; (saga = scenario_saga(s, i)); i++)
		if (!saga->ended && saga_state_next_due(saga->fold))
			return true;
	return false;
}

/* Takes one step; false when nothing more will come. */
static bool step(struct scenario *s)
{
	struct coming **coming;
	wall_ms at = 0, act_at = 0, due, queued, planned;
	int act;

	quiesce(s);
	tell_read_until(s);
	quiesce(s);
	while (scenario_schedules_run(s))
		quiesce(s);
	coming = next_coming(s);
	act = next_act(s, &act_at);
	if (act >= 0)
		at = act_at;
	if (*coming && (!at || (*coming)->at < at))
		at = (*coming)->at;
	if (s->down && (!at || s->up_at < at))
		at = s->up_at;
	queued = s->kafka && !s->queues_stuck ? scenario_queued_due(&s->world) : 0;
	if (queued > s->world.now && (!at || queued < at))
		at = queued;
	due = s->world.turn ? turn_next_at(s->world.turn) : 0;
	planned = s->down ? 0 : scenario_schedules_next(s);
	if (planned > s->world.now && (!at || planned < at))
		at = planned;
	/* The engine looks into the store every so often; this alone is no reason to go on. */
	if (!at && !something_is_due(s))
		return false;
	if (due && (!at || due < at))
		at = due;
	if (at > s->world.now)
		s->world.now = at;
	if (s->down && s->up_at <= s->world.now) {
		s->down = false;
		world_boot(&s->world);
	} else if (*coming && (*coming)->at <= s->world.now) {
		arrive(s, coming);
	} else if (act >= 0 && act_at <= s->world.now) {
		s->acted[act] = true;
		perform(s, json_array_get(json_object_get(s->doc, "acts"), (size_t)act));
	}
	return true;
}

/* The end. */

static bool fits(const json_t *expected, const char *got)
{
	const char *pattern = json_string_value(expected);

	if (!pattern)
		return !got;
	/* "a[0]" is no pattern for itself. */
	return got && (strcmp(pattern, got) == 0 || fnmatch(pattern, got, 0) == 0);
}

void scenario_expect(struct scenario *s, const char *what, const char *name, const char *got,
					 const json_t *end)
{
	const json_t *expected = json_object_get(end, name);

	if (!expected)
		return;
	if (!json_is_null(expected) && !json_is_string(expected))
		scenario_fail(s, "%s%s: a text is expected", what, name);
	else if (!fits(expected, got))
		scenario_fail(s, "%s%s is %s, expected %s", what, name, got ? got : "none",
					  json_is_null(expected) ? "none" : json_string_value(expected));
}

static void expect_text(struct scenario *s, const char *what, const char *got, const json_t *end)
{
	scenario_expect(s, "", what, got, end);
}

static void expect_steps(struct scenario *s, struct oracle_saga *saga, const json_t *end)
{
	CLEANUP(json_decref_p) json_t *shown = saga_state_json(saga->fold, s->world.now);
	const json_t *expected;
	const char *name;
	int step;

	json_object_foreach (json_object_get(end, "steps"), name, expected) {
		step = saga_def_step(saga->def, name);
		expect_text(
			s, name,
			step < 0 ? "no such step"
					 : scenario_text(json_array_get(json_object_get(shown, "steps"), (size_t)step),
									 "status"),
			json_object_get(end, "steps"));
	}
	json_object_foreach (json_object_get(end, "undo"), name, expected) {
		char id[64];
		int item = -1, n = sscanf(name, "%63[^[][%d]", id, &item);

		step = n >= 1 ? saga_def_step(saga->def, id) : -1;
		if (step < 0 || (item < 0 ? 0 : item) >= saga->fold->steps[step].n_actions)
			scenario_fail(s, "%s never began", name);
		else
			expect_text(s, name,
						comp_status_text(saga_state_comp_shown(
							saga->fold, saga_state_action(saga->fold, step, item))),
						json_object_get(end, "undo"));
	}
}

static void expect_history(struct scenario *s, const json_t *said, const json_t *trail)
{
	const json_t *expected = json_object_get(said, "history");
	const json_t *has = json_object_get(said, "history_has");
	const json_t *lacks = json_object_get(said, "history_lacks");
	const json_t *line;
	size_t i, j, at = 0;

	if (expected && !json_equal(expected, trail))
		scenario_fail(s, "the history differs");
	json_array_foreach (has, i, line) {
		while (at < json_array_size(trail) && !json_equal(json_array_get(trail, at), line))
			at++;
		if (at++ >= json_array_size(trail))
			scenario_fail(s, "the history lacks, in this order, %s", json_string_value(line));
	}
	json_array_foreach (lacks, i, line)
		for (j = 0; j < json_array_size(trail); j++)
			if (json_equal(json_array_get(trail, j), line))
				scenario_fail(s, "the history has %s", json_string_value(line));
}

/* What was published, in order; what an entry leaves out is not looked at. */
static void expect_emits(struct scenario *s, const json_t *expected)
{
	CLEANUP(json_decref_p) json_t *rows = scenario_outbox(&s->world);
	CLEANUP(free_p) char *all = json_dumps(rows, JSON_COMPACT);
	const json_t *entry, *value;
	const char *name;
	size_t i;

	if (json_array_size(expected) != json_array_size(rows))
		scenario_fail(s, "%zu records are published, expected %zu: %s", json_array_size(rows),
					  json_array_size(expected), all);
	json_array_foreach (expected, i, entry)
		json_object_foreach ((json_t *)entry, name, value)
			if (!json_equal(value, json_object_get(json_array_get(rows, i), name)))
				scenario_fail(s, "record %zu has another %s: %s", i + 1, name, all);
}

/* What people were told, one pattern for each act. */
static void expect_answers(struct scenario *s, const json_t *expected)
{
	const char *pattern, *said;
	size_t i;

	for (i = 0; expected && i < json_array_size(expected); i++) {
		pattern = json_string_value(json_array_get(expected, i));
		said = json_string_value(json_array_get(s->answers, i));
		if (!said || fnmatch(pattern, said, FNM_NOESCAPE) != 0)
			scenario_fail(s, "the answer to act %zu is `%s`, expected `%s`", i + 1,
						  said ? said : "none", pattern);
	}
	if (expected && json_array_size(expected) != json_array_size(s->answers))
		scenario_fail(s, "%zu acts are answered", json_array_size(s->answers));
}

/* The definition that made the history decides it all again in the same way. */
static void expect_replay(struct scenario *s, const struct oracle_saga *saga)
{
	size_t i, n = json_array_size(saga->rows);
	struct replay_row *rows = xcalloc(n + 1, sizeof(*rows));
	struct replay_options options = {.times = true};
	struct replay_divergence where;
	struct err err = {0};
	bool same = false;

	for (i = 0; i < n; i++)
		rows[i] = (struct replay_row){
			.seq = (int64_t)i + 1,
			.at = json_integer_value(json_array_get(saga->times, i)),
			.events = json_string_value(json_array_get(saga->rows, i)),
			.len = json_string_length(json_array_get(saga->rows, i)),
		};
	if (saga_replay(saga->def, saga->id, rows, n, &options, &same, &where, &err) < 0)
		scenario_fail(s, "the replay: %s", err.text);
	else if (!same)
		scenario_fail(s, "the replay differs in row %lld at %d: %s\n  %s\n  %s",
					  (long long)where.seq, where.index, where.why,
					  where.expected ? where.expected : "nothing",
					  where.got ? where.got : "nothing");
	replay_divergence_release(&where);
	free(rows);
}

/* end: of a saga. said: what has the lines about its history. */
static void expect_saga(struct scenario *s, struct oracle_saga *saga, const json_t *end,
						const json_t *said)
{
	const json_t *output = json_object_get(end, "output");
	const json_t *version = json_object_get(end, "version");

	expect_text(s, "definition", saga->def->name, end);
	expect_text(s, "status", saga->fold->held ? "held" : saga_status_text(saga->fold->status), end);
	expect_text(s, "failure", saga->fold->failure_code, end);
	expect_text(s, "key", saga->fold->key, end);
	if (version && saga->def->version != json_integer_value(version))
		scenario_fail(s, "its version is %lld", (long long)saga->def->version);
	expect_text(s, "failure_message", saga->fold->failure_message, end);
	expect_text(s, "attention", saga_state_attention(saga->fold), end);
	if (json_object_get(end, "at") &&
		saga->fold->ended_at - s->starts_at != scenario_duration(s, json_object_get(end, "at")))
		scenario_fail(s, "it ends at %lld ms, expected %s",
					  (long long)(saga->fold->ended_at - s->starts_at), scenario_text(end, "at"));
	if (output && !json_equal(output, saga->fold->output ? jval_json(saga->fold->output) : NULL))
		scenario_fail(s, "the output is %s",
					  saga->fold->output ? jval_text(saga->fold->output, NULL) : "none");
	expect_steps(s, saga, end);
	expect_history(s, said, saga->trail);
	oracle_check_stored(&s->oracle, saga);
	oracle_check_history(&s->oracle, saga);
	expect_replay(s, saga);
	if (saga->ended)
		scenario_expect_no_task(s, saga->id);
}

/* Every saga beside the first is listed, as every call is. */
static void expect_others(struct scenario *s, size_t first)
{
	const json_t *list = json_object_get(s->doc, "sagas");
	struct oracle_saga *saga;
	size_t n;

	for (n = first; (saga = scenario_saga(s, n)); n++) {
		const json_t *expected = json_array_get(list, n - first);

		s->whose = saga->def->name;
		if (!expected)
			scenario_fail(s, "it was started, too, and has the status %s",
						  saga->fold->held ? "held" : saga_status_text(saga->fold->status));
		else
			expect_saga(s, saga, expected, expected);
	}
	s->whose = NULL;
	if (json_array_size(list) > n - first)
		scenario_fail(s, "%zu sagas beside it were started, expected %zu", n - first,
					  json_array_size(list));
}

/* What became of all planned times. */
static void expect_told(struct scenario *s)
{
	CLEANUP(free_p) char *got = json_dumps(s->told, JSON_COMPACT);

	if (!json_equal(s->told, json_object_get(s->doc, "told")))
		scenario_fail(s, "the schedules have %s", got);
}

static void expect_end(struct scenario *s)
{
	const json_t *end = json_object_get(s->doc, "end"), *calls = json_object_get(s->doc, "calls");
	const json_t *next = json_array_get(calls, s->n_calls);
	struct oracle_saga *saga = scenario_saga(s, 0);

	if (next)
		scenario_fail(s, "%zu calls, expected %zu; missing: %s", s->n_calls, json_array_size(calls),
					  scenario_text(next, scenario_text(next, "start") ? "start" : "call"));
	if (s->schedules) {
		expect_told(s);
	} else if (!saga) {
		scenario_fail(s, "the saga is not in the store");
		return;
	} else {
		expect_saga(s, saga, end, s->doc);
	}
	expect_text(s, "answer", s->answer, end);
	expect_answers(s, json_object_get(end, "answers"));
	if (s->kafka)
		expect_emits(s, json_object_get(s->doc, "emits"));
	expect_others(s, s->schedules ? 0 : 1);
	scenario_expect_found(s, json_object_get(s->doc, "finds"));
}

/* Running. */

static json_t *read_yaml(const char *file)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	struct findings findings = {0};
	char *text = xcalloc(1, FILE_MAX);
	FILE *in = fopen(file, "r");
	json_t *doc = NULL;
	size_t len = in ? fread(text, 1, FILE_MAX, in) : 0;

	if (in)
		fclose(in);
	if (len == 0)
		printf("%s: cannot be read\n", file);
	else if (yaml_read(text, len, &doc, places, &findings) < 0)
		printf("%s:%d: %s\n", file, findings.list[0].line, findings.list[0].text);
	findings_release(&findings);
	free(text);
	return doc;
}

static void print_run(struct scenario *s)
{
	const struct oracle_saga *saga;
	size_t i, n;

	printf("%s", buf_str(&s->log));
	for (n = 0; (saga = scenario_saga(s, n)); n++)
		for (i = 0; i < json_array_size(saga->rows); i++)
			printf("      %s row %zu: %s\n", saga->def->name, i + 1,
				   json_string_value(json_array_get(saga->rows, i)));
}

static void deploy(struct scenario *s, json_t *definition)
{
	struct saga_def *def = world_deploy(&s->world, definition);

	def->around = &s->around;
	s->kafka |= scenario_uses_kafka(def);
}

static void begin(struct scenario *s, json_t *definition)
{
	struct world_hooks hooks = {sent, answered, loaded, no_random, NULL, NULL, s};
	const char *now = scenario_text(s->doc, "now");
	json_t *first, *more;
	struct err err;
	size_t i;

	s->starts_at = STARTS_AT;
	if (now && time_parse(now, &s->starts_at, &err) < 0)
		scenario_fail(s, "now: %s", err.text);
	world_init(&s->world, &hooks, s->starts_at);
	oracle_init(&s->oracle, &s->world);
	s->oracle.violation = violation;
	s->oracle.ctx = s;
	s->around = (struct surroundings){.env = json_object_get(s->doc, "env")};
	deploy(s, definition);
	json_array_foreach (json_object_get(s->doc, "definitions"), i, more)
		deploy(s, more);
	if (registry_new(s->world.inner, NULL, &s->registry, &err) < 0)
		scenario_fail(s, "%s", err.text);
	registry_surround(s->registry, &s->around);
	if (json_object_get(s->doc, "route"))
		scenario_set_route(s, json_object_get(s->doc, "route"));
	s->world.queues = true;
	world_boot(&s->world);
	s->told = json_array();
	scenario_schedules_begin(s);
	if (s->schedules)
		return; /* which start what there is */
	first = json_pack("{s:O?, s:O?}", "key", json_object_get(s->doc, "key"), "input",
					  json_object_get(s->doc, "input"));
	scenario_start(s, first);
	json_decref(first);
}

/* The history, and what it folds into, for later versions to read. */
static void record(const struct scenario *s, const char *folder, const json_t *definition,
				   const struct oracle_saga *saga)
{
	json_t *shown = saga_state_json(saga->fold, s->starts_at);
	const char *name = strrchr(s->file, '/') ? strrchr(s->file, '/') + 1 : s->file;
	CLEANUP(free_p) char *path = xasprintf("%s/%.*s.json", folder, (int)strcspn(name, "."), name);
	CLEANUP(json_decref_p) json_t *golden = NULL;

	json_object_del(shown, "summary"); /* words for people, which may change */
	golden = json_pack("{s:O?, s:O, s:O, s:O, s:o}", "about", json_object_get(s->doc, "about"),
					   "definition", definition, "times", saga->times, "rows", saga->rows, "shown",
					   shown);
	if (json_dump_file(golden, path, JSON_INDENT(1)) < 0)
		printf("%s cannot be written\n", path);
}

static bool run(const char *file, bool verbose, const char *folder)
{
	struct scenario s = {.file = file, .doc = read_yaml(file)};
	json_t *definition = json_incref(json_object_get(s.doc, "definition"));
	wall_ms until;
	int i;

	if (s.doc && !definition && scenario_text(s.doc, "definition_file"))
		definition = read_yaml(scenario_text(s.doc, "definition_file"));
	if (!definition) {
		printf("FAIL  %s: no definition\n", file);
		json_decref(s.doc);
		return false;
	}
	buf_init(&s.log, 0);
	s.answers = json_array();
	s.acted = xcalloc(json_array_size(json_object_get(s.doc, "acts")) + 1, sizeof(bool));
	begin(&s, definition);
	until = s.starts_at + (json_object_get(s.doc, "until")
							   ? scenario_duration(&s, json_object_get(s.doc, "until"))
							   : INT64_C(366) * 86400000);
	for (i = 0; i < STEPS_MAX && s.world.now < until && s.failures == 0 && step(&s); i++)
		;
	if (i == STEPS_MAX)
		scenario_fail(&s, "it does not come to an end");
	expect_end(&s);
	if (s.failures || verbose)
		print_run(&s);
	if (s.failures == 0 && folder)
		record(&s, folder, definition, scenario_saga(&s, 0));
	if (s.failures == 0)
		printf("ok    %s: %s\n", file, scenario_text(s.doc, "about"));
	oracle_release(&s.oracle);
	while (s.coming) {
		struct coming *coming = s.coming;

		s.coming = coming->next;
		free_coming(coming);
	}
	registry_free(s.registry);
	world_release(&s.world);
	buf_release(&s.log);
	scenario_work_release(&s);
	scenario_schedules_release(&s);
	json_decref(s.told);
	free(s.ids);
	free(s.acted);
	free(s.answer);
	json_decref(s.answers);
	json_decref(definition);
	json_decref(s.doc);
	return s.failures == 0;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	const char *folder = argc > 2 && strcmp(argv[1], "--record") == 0 ? argv[2] : NULL;
	int i, failed = 0, passed = 0;

	log_setup(LOG_OFF, false);
	for (i = folder ? 3 : verbose ? 2 : 1; i < argc; i++) {
		if (run(argv[i], verbose, folder))
			passed++;
		else
			failed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
