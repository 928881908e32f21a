/*
 * Answers: what participants and workers say to a call, a command or a task, by the script of the
 * test, and else that it went well.
 */
#include "coordinator/deftest_priv.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 30 }; /* of an action that a person is told of already */

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* ---- what is seen ---- */

static json_t *headers_json(char **headers)
{
	json_t *json = json_object();

	for (; headers && *headers; headers++) {
		const char *colon = strchr(*headers, ':');
		CLEANUP(free_p) char *name = colon ? xstrndup(*headers, (size_t)(colon - *headers)) : NULL;

		if (colon)
			json_object_set_new_nocheck(json, name, json_string(colon + strspn(colon, ": ")));
	}
	return json;
}

void deftest__describe(const struct request *request, const struct sandbox_saga *saga,
					   struct seen *seen)
{
	size_t id = strlen(saga->id);
	struct err err;

	if (request->key)
		seen->key = xstrdup(strncmp(request->key, saga->id, id) == 0 && request->key[id] == '/'
								? request->key + id + 1
								: request->key);
	seen->record_key = request->record_key ? xstrdup(request->record_key) : NULL;
	seen->headers = headers_json(request->headers);
	if (request->body && json_parse_stored(request->body, request->body_len, &seen->body, &err) < 0)
		seen->body = json_stringn_nocheck(request->body, request->body_len);
}

static char *request_text(const struct request *request)
{
	switch (request->kind) {
	case REQUEST_HTTP:
		return xasprintf("%s %s %s", request->method, request->to, request->path);
	case REQUEST_COMMAND:
		return xasprintf("%s %s", request->type, request->to);
	case REQUEST_EMIT:
		return xasprintf("%s %s", request->type, request->topic);
	case REQUEST_TASK:
		return xasprintf("task %s", request->queue);
	case REQUEST_CHILD:
		return xasprintf("saga %s", request->to);
	}
	return xstrdup("");
}

static const char *suffix_of(enum call_kind kind)
{
	switch (kind) {
	case CALL_DO:
		return "";
	case CALL_UNDO:
		return ".undo";
	case CALL_PROBE_DO:
		return ".probe";
	case CALL_PROBE_UNDO:
		return ".undo.probe";
	}
	return "";
}

static struct seen *see(struct deftest *test, struct sandbox_saga *saga, int step, int item,
						const char *suffix, const struct request *request, int64_t attempt)
{
	struct seen *seen = deftest__see(&test->calls);

	seen->place = deftest__place(saga, step, item, suffix);
	seen->text = request_text(request);
	deftest__describe(request, saga, seen);
	seen->attempt = attempt;
	seen->at = sandbox_now(test->sandbox);
	return seen;
}

/* ---- which answer ---- */

/* The next one of an entry: one value is given every time, those of a list one after the other. */
static const json_t *take(struct deftest *test, const json_t *entry, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(test->used, name));

	if (!json_is_array(entry))
		return entry;
	if ((size_t)n >= json_array_size(entry))
		return NULL;
	json_object_set_new_nocheck(test->used, name, json_integer(n + 1));
	return json_array_get(entry, (size_t)n);
}

/* The place without its indexes. */
static char *without_items(const char *place)
{
	struct buf out;

	buf_init(&out, 0);
	for (; *place; place++) {
		if (*place == '[')
			place += strcspn(place, "]");
		else
			buf_add_char(&out, *place);
	}
	return buf_take(&out, NULL);
}

static bool named(const char *name, const char *place, const char *plain, int how)
{
	if (how == 0)
		return strcmp(name, place) == 0;
	if (how == 1)
		return strcmp(name, plain) == 0;
	return strpbrk(name, "*?") &&
		   (fnmatch(name, place, FNM_NOESCAPE) == 0 || fnmatch(name, plain, FNM_NOESCAPE) == 0);
}

/* By place: the very one first, then the step whatever its item, then patterns. */
static const json_t *by_place(struct deftest *test, const json_t *replies, const char *scope,
							  const struct seen *seen)
{
	CLEANUP(free_p) char *plain = without_items(seen->place);
	const char *name;
	json_t *entry;
	int how;

	for (how = 0; how < 3; how++) {
		json_object_foreach ((json_t *)replies, name, entry) {
			CLEANUP(free_p) char *counter = xasprintf("%s %s", scope, name);
			const json_t *reply;

			if (!named(name, seen->place, plain, how))
				continue;
			reply = take(test, entry, counter);
			if (reply)
				return reply;
		}
	}
	return NULL;
}

static const json_t *by_match(struct deftest *test, const json_t *replies, const char *scope,
							  const struct seen *seen)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (replies, i, entry) {
		CLEANUP(free_p) char *counter = xasprintf("%s %zu", scope, i);
		CLEANUP(json_decref_p) json_t *wanted = json_copy((json_t *)entry);
		const json_t *reply;

		json_object_del(wanted, "reply");
		if (!deftest__matches(wanted, seen, NULL))
			continue;
		reply = take(test, json_object_get(entry, "reply"), counter);
		if (reply)
			return reply;
	}
	return NULL;
}

static const json_t *reply_from(struct deftest *test, const json_t *replies, const char *scope,
								const struct seen *seen)
{
	return json_is_array(replies) ? by_match(test, replies, scope, seen)
								  : by_place(test, replies, scope, seen);
}

const json_t *deftest__reply(struct deftest *test, const struct seen *seen)
{
	const json_t *reply = deftest__fault_reply(test, seen);

	if (!reply)
		reply = reply_from(test, json_object_get(test->test, "replies"), "test", seen);
	if (!reply)
		reply = reply_from(test, json_object_get(test->file->doc, "replies"), "file", seen);
	return reply;
}

/* ---- giving it ---- */

/* What will be said, and to whom. */
struct answer {
	struct deftest *test;
	struct sandbox_saga *saga;
	unsigned life;
	struct input in;
	struct jval *body;
	char *code, *message, *type, *nonce, *worker;
	/* A task. */
	wall_ms done_at;
	int64_t heartbeat_ms;
	struct task_answer told;
};

static void answer_free(void *ctx)
{
	struct answer *answer = ctx;

	jval_unref(answer->body);
	free(answer->code);
	free(answer->message);
	free(answer->type);
	free(answer->nonce);
	free(answer->worker);
	free(answer);
}

static void give(struct answer *answer)
{
	struct err err;

	answer->in.body = answer->body;
	answer->in.code = answer->code;
	answer->in.error = answer->message;
	answer->in.reply_type = answer->type;
	(void)!sandbox_give(answer->saga, &answer->in, &err);
}

static void arrive(void *ctx)
{
	struct answer *answer = ctx;

	/* A connection dies with its process; what comes by a queue or a worker finds the next one. */
	if (answer->life == answer->saga->life || answer->in.type == INPUT_TASK ||
		answer->in.http_status == 0)
		give(answer);
	answer_free(answer);
}

static void crash(void *ctx)
{
	struct answer *answer = ctx;

	if (answer->life == answer->saga->life)
		sandbox_restart(answer->saga);
	answer_free(answer);
}

/* The word of a scripted answer; NULL: it has none, but a status or an outcome. */
static const char *word_of(const json_t *reply)
{
	return json_is_string(reply) ? json_string_value(reply) : text_of(reply, "reply");
}

static bool is_word(const json_t *reply, const char *word)
{
	const char *said = word_of(reply);

	return said && strcmp(said, word) == 0;
}

/* An outcome as a word, whichever way it was written; "success" is the default. */
static const char *outcome_of(const json_t *reply)
{
	const char *word = word_of(reply), *outcome = text_of(reply, "outcome");

	if (outcome)
		return outcome;
	if (word && strcmp(word, "ok") != 0)
		return word;
	/* Who gives a code and nothing else means a failure. */
	return text_of(reply, "code") && !json_object_get(reply, "status") ? "failure" : "success";
}

static json_t *value_of(const json_t *reply, const struct seen *seen)
{
	static const char *const names[] = {"body", "data", "output"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(reply, names[i]))
			return json_deep_copy(json_object_get(reply, names[i]));
	if (text_of(reply, "code"))
		return json_pack("{s:s, s:s}", "code", text_of(reply, "code"), "message",
						 text_of(reply, "message") ? text_of(reply, "message") : "");
	return json_pack("{s:s}", "id", seen->place);
}

static int http_status(const json_t *reply)
{
	const char *outcome = outcome_of(reply);

	if (json_is_integer(reply))
		return (int)json_integer_value(reply);
	if (json_object_get(reply, "status"))
		return (int)json_integer_value(json_object_get(reply, "status"));
	if (strcmp(outcome, "failure") == 0)
		return 422;
	return strcmp(outcome, "ongoing") == 0 ? 202 : 200;
}

static enum outcome outcome_parse(const char *text)
{
	int i;

	for (i = 0; i < OUTCOME_DEFAULT; i++)
		if (strcmp(text, outcome_text((enum outcome)i)) == 0)
			return (enum outcome)i;
	return OUTCOME_DEFAULT;
}

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static struct answer *answer_new(struct deftest *test, struct sandbox_saga *saga,
								 const struct command *command)
{
	struct answer *answer = xcalloc(1, sizeof(*answer));

	answer->test = test;
	answer->saga = saga;
	answer->life = saga->life;
	answer->in = (struct input){
		.type = INPUT_REPLY,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.run = command->run,
		.retry_after_ms = -1,
	};
	return answer;
}

static void answer_http(struct deftest *test, struct sandbox_saga *saga,
						const struct command *command, const struct seen *seen, const json_t *reply)
{
	struct answer *answer = answer_new(test, saga, command);
	int64_t after = deftest__duration(json_object_get(reply, "after"), 0);
	const char *outcome = outcome_of(reply);

	answer->in.result = CALL_ANSWERED;
	if (is_word(reply, "timeout") || is_word(reply, "none") || after > command->timeout_ms) {
		answer->in.result = CALL_TIMED_OUT;
		after = command->timeout_ms;
	} else if (is_word(reply, "not_connected") || is_word(reply, "not_published")) {
		answer->in.result = CALL_NOT_CONNECTED;
	} else if (is_word(reply, "broken") || is_word(reply, "lost") ||
			   strcmp(outcome, "unknown") == 0) {
		answer->in.result = CALL_BROKEN;
	} else if (is_word(reply, "too_large")) {
		answer->in.result = CALL_TOO_LARGE;
	}
	answer->in.retry_after_ms = deftest__duration(json_object_get(reply, "retry_after"), -1);
	if (answer->in.result == CALL_ANSWERED || answer->in.result == CALL_TOO_LARGE)
		answer->in.http_status = http_status(reply);
	if (answer->in.result == CALL_ANSWERED)
		answer->body = jval_from_json(value_of(reply, seen));
	sandbox_at(test->sandbox, sandbox_now(test->sandbox) + after,
			   is_word(reply, "crash") ? crash : arrive, answer_free, answer);
}

/* The number in "…/probe-do.1767225600000", and that in "…/charge~2/do". */
static void read_correlation(const char *correlation, enum call_kind kind, struct input *in)
{
	const char *dot = strrchr(correlation, '.'), *tilde = strchr(correlation, '~');
	bool probe = kind == CALL_PROBE_DO || kind == CALL_PROBE_UNDO;

	in->ask = probe && dot ? strtoll(dot + 1, NULL, 10) : 0;
	in->run = tilde ? (int)strtol(tilde + 1, NULL, 10) : 0;
}

static void answer_command(struct deftest *test, struct sandbox_saga *saga,
						   const struct command *command, const struct seen *seen,
						   const json_t *reply)
{
	struct answer *published = answer_new(test, saga, command), *answer;
	int64_t after = deftest__duration(json_object_get(reply, "after"), 0);
	const char *outcome = outcome_of(reply);
	wall_ms now = sandbox_now(test->sandbox);

	published->in.result = CALL_PUBLISHED;
	if (is_word(reply, "not_published") || is_word(reply, "not_connected"))
		published->in.result = CALL_NOT_CONNECTED;
	else if (is_word(reply, "broken"))
		published->in.result = CALL_BROKEN;
	else if (is_word(reply, "too_large"))
		published->in.result = CALL_TOO_LARGE;
	sandbox_at(test->sandbox, now, arrive, answer_free, published);
	if (published->in.result != CALL_PUBLISHED || is_word(reply, "none") ||
		is_word(reply, "timeout") || is_word(reply, "lost"))
		return;
	answer = answer_new(test, saga, command);
	answer->in.result = CALL_ANSWERED;
	answer->in.attempt = 0;
	answer->in.said = outcome_parse(outcome);
	if (answer->in.said == OUTCOME_DEFAULT)
		answer->in.said = OUTCOME_SUCCESS;
	answer->code = copy_or_null(text_of(reply, "code"));
	answer->message = copy_or_null(text_of(reply, "message"));
	answer->type = copy_or_null(text_of(reply, "type"));
	answer->body = jval_from_json(value_of(reply, seen));
	read_correlation(command->request->correlation, command->kind, &answer->in);
	sandbox_at(test->sandbox, now + after, is_word(reply, "crash") ? crash : arrive, answer_free,
			   answer);
}

/* It would go on like this for ever, and a person is told. */
static void look_for_an_end(struct deftest *test, const struct sandbox_saga *saga, int64_t attempt)
{
	if (attempt > TRIES_MAX && test->n_pending == 0 && saga_state_attention(saga->state))
		test->stop = true;
}

void deftest__call(void *ctx, struct sandbox_saga *saga, const struct command *command)
{
	struct deftest *test = ctx;
	struct seen *seen = see(test, saga, command->step, command->item, suffix_of(command->kind),
							command->request, command->attempt);
	const json_t *reply = deftest__reply(test, seen);

	look_for_an_end(test, saga, command->attempt);
	switch (command->request->kind) {
	case REQUEST_HTTP:
		answer_http(test, saga, command, seen, reply);
		break;
	case REQUEST_COMMAND:
		answer_command(test, saga, command, seen, reply);
		break;
	case REQUEST_EMIT:
	case REQUEST_TASK:
	case REQUEST_CHILD:
		break;
	}
}

/* ---- workers ---- */

static void worker_says(struct answer *answer, enum task_word word)
{
	struct task_answer told;
	struct jval *body = answer->body;
	struct err err;

	answer->in.word = word;
	answer->in.answer = &told;
	answer->in.nonce = answer->nonce;
	answer->in.worker = answer->worker;
	answer->in.code = answer->code;
	answer->in.error = answer->message;
	answer->in.body = word == TASK_WORD_COMPLETE ? body : NULL;
	(void)!sandbox_give(answer->saga, &answer->in, &err);
	answer->told = told;
	answer->in.answer = NULL;
}

static void work(void *ctx);

static void work_on(struct answer *answer)
{
	wall_ms now = sandbox_now(answer->test->sandbox), next = answer->done_at;

	if (answer->heartbeat_ms > 0 && now + answer->heartbeat_ms / 2 < next)
		next = now + answer->heartbeat_ms / 2 + 1;
	sandbox_at(answer->test->sandbox, next, work, answer_free, answer);
}

/* The worker is done, or says that it is still there; what is not wanted any more it gives up. */
static void work(void *ctx)
{
	struct answer *answer = ctx;

	if (sandbox_now(answer->test->sandbox) < answer->done_at) {
		worker_says(answer, TASK_WORD_HEARTBEAT);
		if (!answer->told.refused && !answer->told.cancel) {
			work_on(answer);
			return;
		}
		if (answer->told.cancel) {
			free(answer->code);
			answer->code = xstrdup("cancelled");
			answer->in.unknown = false;
			worker_says(answer, TASK_WORD_FAIL);
		}
	} else {
		worker_says(answer,
					answer->code || answer->in.unknown ? TASK_WORD_FAIL : TASK_WORD_COMPLETE);
	}
	answer_free(answer);
}

static void lease(void *ctx)
{
	struct answer *answer = ctx;
	struct deftest *test = answer->test;
	const struct seen *seen;
	const json_t *reply;
	const char *outcome;

	worker_says(answer, TASK_WORD_LEASE);
	if (answer->told.refused) {
		answer_free(answer);
		return;
	}
	seen = see(test, answer->saga, answer->in.step, answer->in.item,
			   answer->in.side == SIDE_UNDO ? ".undo" : "", answer->told.request,
			   answer->told.attempt);
	request_unref(answer->told.request);
	jval_unref(answer->told.progress);
	look_for_an_end(test, answer->saga, answer->told.attempt);
	reply = deftest__reply(test, seen);
	outcome = outcome_of(reply);
	if (is_word(reply, "lost") || is_word(reply, "timeout") || is_word(reply, "none") ||
		is_word(reply, "broken")) {
		answer_free(answer); /* nothing is heard of it again */
		return;
	}
	answer->nonce = xstrdup(answer->told.nonce);
	answer->in.attempt = answer->told.attempt;
	answer->heartbeat_ms = answer->told.heartbeat_ms;
	answer->in.unknown = strcmp(outcome, "unknown") == 0;
	answer->in.retryable = json_is_true(json_object_get(reply, "retryable"));
	if (strcmp(outcome, "failure") == 0 || text_of(reply, "code"))
		answer->code = xstrdup(text_of(reply, "code") ? text_of(reply, "code") : "failure");
	answer->message = copy_or_null(text_of(reply, "message"));
	answer->body = jval_from_json(value_of(reply, seen));
	answer->done_at =
		sandbox_now(test->sandbox) + deftest__duration(json_object_get(reply, "after"), 0);
	work_on(answer);
}

void deftest__task(void *ctx, struct sandbox_saga *saga, const struct task_note *note)
{
	struct deftest *test = ctx;
	struct answer *answer;

	if (note->remove || note->kind != TASK_WORKER || note->state != TASK_QUEUED)
		return;
	answer = xcalloc(1, sizeof(*answer));
	answer->test = test;
	answer->saga = saga;
	answer->worker = xstrdup("worker-1");
	answer->in = (struct input){
		.type = INPUT_TASK, .step = note->step, .item = note->item, .side = note->side};
	sandbox_at(test->sandbox, note->available_at, lease, answer_free, answer);
}
