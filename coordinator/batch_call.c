#include "coordinator/batch_call.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/problem.h"
#include "sagas/act.h"
#include "sagas/base/text.h"
#include "sagas/json_text.h"

enum {
	EFFECT_MAX_BYTES = 16 * 1024,
	ERROR_MAX_BYTES = PROBLEM_DETAIL_MAX_BYTES,
	FIND_ROWS = 200, /* back from the end: a saga that knows an act has taken few since */
};

static int read_task(const struct batch_task *task, json_t **ret_json, struct err *err)
{
	int r = json_parse_stored(task->act, strlen(task->act), ret_json, err);

	if (r < 0)
		return r;
	json_object_set_new(*ret_json, "id", json_string(task->id));
	json_object_set_new(*ret_json, "by", json_string(task->by));
	return 0;
}

int batch_call_act(const struct batch_task *task, struct act *ret_act, struct err *err)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	int r = read_task(task, &json, err);

	return r < 0 ? r : act_from_json(json, ret_act, err);
}

/* As RFC 3986 has it. */
static void add_segment(const char *text, struct buf *path)
{
	buf_add_char(path, '/');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr("-._~", c))
			buf_add_char(path, (char)c);
		else
			buf_printf(path, "%%%02X", c);
	}
}

/* What the path says does not stand in the body. */
static void split_request(json_t *json, struct buf *path)
{
	const char *word = json_string_value(json_object_get(json, "act"));
	const char *step = json_string_value(json_object_get(json, "step"));
	const char *signal = json_string_value(json_object_get(json, "signal"));

	if (signal) {
		buf_add_lit(path, "/signals");
		add_segment(signal, path);
	} else {
		if (step) {
			buf_add_lit(path, "/steps");
			add_segment(step, path);
		}
		if (json_is_true(json_object_get(json, "compensation")))
			buf_add_lit(path, "/compensation");
		add_segment(word ? word : "", path);
	}
	json_object_del(json, "act");
	json_object_del(json, "step");
	json_object_del(json, "compensation");
	json_object_del(json, "signal");
}

int batch_call_request(const struct batch_task *task, const char *saga_id, struct buf *path,
					   struct buf *body, struct err *err)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	int r = read_task(task, &json, err);

	if (r < 0)
		return r;
	buf_printf(path, "/v1/sagas/%s", saga_id);
	split_request(json, path);
	json_write(json, body);
	r = buf_check(path, "the path of an act", err);
	return r < 0 ? r : buf_check(body, "an act", err);
}

/* Answers. */

void batch_call_failed(enum batch_act_end end, const char *error, struct batch_act *act)
{
	size_t len = strlen(error);

	act->end = end;
	free(act->error);
	act->error = xstrndup(error, len < ERROR_MAX_BYTES ? len : ERROR_MAX_BYTES);
	/* Cut within a character, here or before, it is nothing that every store takes. */
	text_clean_utf8(act->error);
}

static void done(struct batch_act *act, const char *effect, int64_t seq)
{
	act->end = BATCH_ACT_DONE;
	free(act->effect);
	act->effect = effect && strlen(effect) <= EFFECT_MAX_BYTES ? xstrdup(effect) : NULL;
	act->seq = seq;
}

void batch_call_ended(const struct engine_call *call, struct batch_act *act)
{
	struct buf effect;

	switch (call->result) {
	case 0:
		buf_init(&effect, 0);
		act_effect_write(&call->effect, &effect);
		done(act, buf_str(&effect), call->effect.seq);
		buf_release(&effect);
		break;
	case ERR_CONFLICT:
	case ERR_NOT_FOUND:
	case ERR_INVALID:
	case ERR_NOT_BUILT:
		batch_call_failed(BATCH_ACT_REFUSED, call->err.text, act);
		break;
	default:
		batch_call_failed(
			BATCH_ACT_LATER,
			call->result == ERR_FENCED ? "the saga was between two owners" : call->err.text, act);
	}
}

static void accepted(const json_t *json, struct batch_act *act)
{
	const json_t *effect = json_object_get(json, "effect");
	struct buf text;

	buf_init(&text, 0);
	if (effect)
		json_write(effect, &text);
	done(act, effect ? buf_str(&text) : NULL, json_integer_value(json_object_get(effect, "seq")));
	buf_release(&text);
}

/* A node of an older version does not know the act. */
static bool is_of_saga(int status, const json_t *json)
{
	const char *code = json_string_value(json_object_get(json, "code"));

	return status == 409 || status == 413 || status == 422 ||
		   (status == 404 && code && strcmp(code, "route_not_found") != 0);
}

void batch_call_answered(int status, const char *body, size_t len, struct batch_act *act)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	const char *detail = NULL;
	char text[64];

	if (body && json_parse_stored(body, len, &json, NULL) == 0)
		detail = json_string_value(json_object_get(json, "detail"));
	snprintf(text, sizeof(text), "the node that has the saga answered %d", status);
	if (status == 200 || status == 202)
		accepted(json, act);
	else
		batch_call_failed(is_of_saga(status, json) ? BATCH_ACT_REFUSED : BATCH_ACT_LATER,
						  detail ? detail : text, act);
}

/* Repeated acts. */

bool batch_call_is_repeated(const struct batch_act *act)
{
	static const char none[] = "{\"events\":[]";

	return act->end == BATCH_ACT_DONE && act->effect &&
		   strncmp(act->effect, none, sizeof(none) - 1) == 0;
}

struct finding {
	const char *id;
	char *effect;
	int64_t seq;
};

static bool is_the_act(const json_t *events, const char *id)
{
	const char *there;
	json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		there = json_string_value(json_object_get(event, "id"));
		if (there && strcmp(there, id) == 0)
			return true;
	}
	return false;
}

static char *effect_of(const json_t *events, int64_t seq)
{
	struct buf out;
	json_t *event;
	size_t i;

	buf_init(&out, 0);
	buf_add_lit(&out, "{\"events\":[");
	json_array_foreach (events, i, event) {
		const char *type = json_string_value(json_object_get(event, "type"));

		if (i > 0)
			buf_add_char(&out, ',');
		problem_write_text(type ? type : "", &out);
	}
	buf_printf(&out, "],\"seq\":%lld}", (long long)seq);
	return buf_take(&out, NULL);
}

static int look_at_row(void *ctx, const struct history_row *row)
{
	CLEANUP(json_decref_p) json_t *events = NULL;
	struct finding *finding = ctx;

	if (!memmem(row->events, row->events_len, finding->id, strlen(finding->id)) ||
		json_parse_stored(row->events, row->events_len, &events, NULL) < 0 ||
		!is_the_act(events, finding->id))
		return 0;
	finding->effect = effect_of(events, row->seq);
	finding->seq = row->seq;
	return 1;
}

void batch_call_find_effect(struct store_reader *reader, struct batch_act *act)
{
	struct finding finding = {.id = act->task->id};
	int64_t after = act->seq > FIND_ROWS ? act->seq - FIND_ROWS : 0;
	struct err err;

	act->seq = 0;
	if (reader->store->ops->history(reader, act->saga_id, after, FIND_ROWS, look_at_row, &finding,
									&err) < 0 ||
		!finding.effect)
		return;
	done(act, finding.effect, finding.seq);
	free(finding.effect);
}
