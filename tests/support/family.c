#include "tests/support/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/definition.h"

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "family: %s: %s\n", what, detail);
	abort();
}

static void load_all(struct family *family, const char *yaml)
{
	while (*yaml) {
		const char *end = strstr(yaml, "---\n");
		size_t len = end ? (size_t)(end - yaml) : strlen(yaml);
		char *text = xstrndup(yaml, len);

		family->defs[family->n_defs++] = definition_must_load(text);
		free(text);
		yaml = end ? end + 4 : yaml + len;
	}
}

void family_begin(struct family *family, const char *yaml, const char *input)
{
	*family = (struct family){.n = 1, .now = PLAY_STARTS_AT};
	load_all(family, yaml);
	play_begin_def(&family->sagas[0], family->defs[0], input, false);
	family_collect(family, 0);
}

void family_end(struct family *family)
{
	for (int i = 0; i < family->n; i++) {
		play_end(&family->sagas[i]);
		free(family->keys[i]);
	}
	for (size_t i = 0; i < family->n_defs; i++)
		saga_def_unref(family->defs[i]);
	for (size_t i = 0; i < family->n_posts; i++)
		free(family->posts[i].text);
	for (size_t i = 0; i < family->n_starts; i++)
		request_unref(family->starts[i].request);
	for (size_t i = 0; i < family->n_calls; i++)
		request_unref(family->calls[i].request);
	free(family->posts);
	free(family->starts);
	free(family->calls);
}

static void want(struct family_start **list, size_t *n, int who, const struct command *command)
{
	*list = xrealloc_array(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = (struct family_start){
		.from = who,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.run = command->run,
		.request = request_ref(command->request),
	};
}

void family_collect(struct family *family, int who)
{
	struct decision *decision = &family->sagas[who].decision;

	for (size_t i = 0; i < decision->n_commands; i++) {
		struct command *command = &decision->commands[i];

		if (command->request->kind == REQUEST_CHILD)
			want(&family->starts, &family->n_starts, who, command);
		else
			want(&family->calls, &family->n_calls, who, command);
		request_unref(command->request);
	}
	decision->n_commands = 0;
	for (size_t i = 0; i < decision->n_messages; i++) {
		struct family_post *post;

		family->posts = xrealloc_array(family->posts, family->n_posts + 1, sizeof(*family->posts));
		post = &family->posts[family->n_posts++];
		memcpy(post->to, decision->messages[i].to, sizeof(post->to));
		post->text = TAKE(decision->messages[i].text);
	}
	decision->n_messages = 0;
}

static struct saga_def *find_def(const struct family *family, const char *name)
{
	for (size_t i = 0; i < family->n_defs; i++) {
		struct saga_def *found = saga_def_find_block(family->defs[i], name);

		if (found)
			return found;
	}
	return NULL;
}

static int find_saga(const struct family *family, const char *id)
{
	for (int i = 0; i < family->n; i++)
		if (strcmp(family->sagas[i].id, id) == 0)
			return i;
	fail("a message to nobody", id);
	return -1;
}

/* What has this key was started before. -1: there is no such definition. */
static int start_or_find(struct family *family, const struct request *request)
{
	struct saga_def *def = find_def(family, request->to);
	char id[SAGA_ID_SIZE];
	unsigned char random[8] = {0};

	for (int i = 1; i < family->n; i++)
		if (strcmp(family->keys[i], request->key) == 0)
			return i;
	if (!def)
		return -1;
	if (family->n == FAMILY_MAX)
		fail("too many children", request->to);
	random[7] = (unsigned char)family->n;
	saga_id_make(family->now, 7, random, id);
	family->keys[family->n] = xstrdup(request->key);
	family->sagas[family->n].now = family->now;
	play_begin_child(&family->sagas[family->n], def, id, request);
	family->sagas[family->n].now = family->now;
	family_collect(family, family->n);
	return family->n++;
}

static void answer_start(struct family *family, const struct family_start *start, int child,
						 bool known)
{
	char text[200];
	struct jval *body;
	struct input in = {
		.type = INPUT_REPLY,
		.step = start->step,
		.item = start->item,
		.kind = start->kind,
		.attempt = start->attempt,
		.run = start->run,
		.result = CALL_ANSWERED,
		.retry_after_ms = -1,
	};

	if (child >= 0)
		snprintf(text, sizeof(text), "{\"id\":\"%s\"}", family->sagas[child].id);
	else
		snprintf(text, sizeof(text), "{\"code\":\"no_definition\",\"message\":\"unknown\"}");
	body = jval_from_text(xstrdup(text), strlen(text));
	if (known)
		in.body = body;
	else
		in.result = CALL_BROKEN;
	(void)!play_give(&family->sagas[start->from], &in);
	family_collect(family, start->from);
	jval_unref(body);
}

void family_start(struct family *family, size_t at, enum family_luck luck)
{
	struct family_start start = family->starts[at];
	int child = -1;

	family->n_starts--;
	memmove(family->starts + at, family->starts + at + 1,
			(family->n_starts - at) * sizeof(*family->starts));
	if (luck != FAMILY_FAILS)
		child = start_or_find(family, start.request);
	if (luck != FAMILY_IS_LOST)
		answer_start(family, &start, child, luck == FAMILY_ANSWERS);
	request_unref(start.request);
}

void family_deliver(struct family *family, size_t at)
{
	struct family_post post = family->posts[at];
	int who = find_saga(family, post.to);
	json_t *json = json_loads(post.text, 0, NULL);
	struct child_message message;
	struct input in = {.type = INPUT_CHILD, .message = &message};
	struct err err;

	family->n_posts--;
	memmove(family->posts + at, family->posts + at + 1,
			(family->n_posts - at) * sizeof(*family->posts));
	if (!json || child_message_read(json, &message, &err) < 0)
		fail("no message", post.text);
	(void)!play_give(&family->sagas[who], &in);
	family_collect(family, who);
	child_message_release(&message);
	json_decref(json);
	free(post.text);
}

void family_run(struct family *family)
{
	while (family->n_starts > 0 || family->n_posts > 0) {
		if (family->n_starts > 0)
			family_start(family, 0, FAMILY_ANSWERS);
		else
			family_deliver(family, 0);
	}
}

void family_answer(struct family *family, int who, const char *step, int item, enum call_kind kind,
				   int http_status, const char *body)
{
	struct play *play = &family->sagas[who];
	int index = saga_def_step(play->def, step);

	if (index < 0 || saga_state_in_flight(play->state) == 0)
		fail("nothing is out of this step", step);
	play_answer(play, index, item, kind, http_status, body);
	family_collect(family, who);
	family_run(family);
}

void family_pass(struct family *family, int64_t ms)
{
	family->now += ms;
	for (int i = 0; i < family->n; i++) {
		family->sagas[i].now = family->now - ms;
		play_wait(&family->sagas[i], ms);
		family_collect(family, i);
	}
}

void family_wait(struct family *family, int64_t ms)
{
	family_pass(family, ms);
	family_run(family);
}

int family_act(struct family *family, int who, const char *json)
{
	int r = play_act(&family->sagas[who], json);

	family_collect(family, who);
	family_run(family);
	return r;
}

static void forget_of(struct family_start *list, size_t *n, int who)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (list[i].from == who)
			request_unref(list[i].request);
		else
			list[kept++] = list[i];
	}
	*n = kept;
}

void family_restart(struct family *family, int who)
{
	forget_of(family->starts, &family->n_starts, who);
	forget_of(family->calls, &family->n_calls, who);
	play_restart(&family->sagas[who]);
	family_collect(family, who);
}

void family_call(struct family *family, size_t at, enum call_result result, int http_status)
{
	struct family_start call = family->calls[at];
	struct jval *body = jval_from_text(xstrdup("{\"n\":1}"), 7);
	struct input in = {
		.type = INPUT_REPLY,
		.step = call.step,
		.item = call.item,
		.kind = call.kind,
		.attempt = call.attempt,
		.run = call.run,
		.result = result,
		.http_status = result == CALL_ANSWERED ? http_status : 0,
		.body = result == CALL_ANSWERED ? body : NULL,
		.error = "scripted",
		.retry_after_ms = -1,
	};

	family->n_calls--;
	memmove(family->calls + at, family->calls + at + 1,
			(family->n_calls - at) * sizeof(*family->calls));
	(void)!play_give(&family->sagas[call.from], &in);
	family_collect(family, call.from);
	request_unref(call.request);
	jval_unref(body);
}

const char *family_text(const struct family *family)
{
	static char text[4096];
	size_t len = 0;

	for (int i = 0; i < family->n; i++) {
		const struct saga_state *state = family->sagas[i].state;

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s: %s", i > 0 ? ", " : "",
								state->def->name,
								state->held ? "held" : saga_status_text(state->status));
	}
	return text;
}
