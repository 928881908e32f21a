/*
 * Acts as data: their words, and their form in JSON. What an act does is decided in decide_act.c;
 * where it is refused, act_allowed.c says.
 */
#include "sagas/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"

static const char *const act_texts[] = {
#define X(name, text) [name] = (text),
	SAGA_ACTS(X) STEP_ACTS(X)
#undef X
};

static const char *const resolution_texts[] = {
#define X(name, text) [name] = (text),
	RESOLUTIONS(X)
#undef X
};

void act_init(struct act *act, enum act_kind kind)
{
	*act = (struct act){.kind = kind, .item = -1};
}

void act_release(struct act *act)
{
	size_t i;

	free(act->id);
	free(act->by);
	free(act->reason);
	free(act->step);
	jval_unref(act->output);
	jval_unref(act->reply);
	jval_unref(act->request);
	jval_unref(act->value);
	jval_unref(act->data);
	jval_unref(act->groups);
	free(act->code);
	free(act->message);
	free(act->name);
	for (i = 0; act->forget && act->forget[i]; i++)
		free(act->forget[i]);
	free(act->forget);
	act_init(act, act->kind);
}

const char *act_kind_text(enum act_kind kind)
{
	CHECK((unsigned)kind < ACT_KIND_COUNT);
	return act_texts[kind];
}

bool act_outlives_saga(enum act_kind kind)
{
	return kind == ACT_ACKNOWLEDGE || kind == ACT_NOTE || kind == ACT_OWNER;
}

bool act_is_of_step(enum act_kind kind)
{
	return kind >= ACT_STEP_RETRY;
}

int act_kind_parse(const char *text, bool of_step)
{
	int i;

	for (i = 0; i < ACT_KIND_COUNT; i++)
		if (act_is_of_step((enum act_kind)i) == of_step && strcmp(act_texts[i], text) == 0)
			return i;
	return -1;
}

const char *resolution_text(enum resolution resolution)
{
	CHECK((unsigned)resolution < RESOLUTION_COUNT);
	return resolution_texts[resolution];
}

/* Reading. */

#define MASK(kind) (1u << (kind))
#define ANY_ACT (MASK(ACT_KIND_COUNT) - 1)
#define ANY_STEP_ACT (ANY_ACT & ~(MASK(ACT_STEP_RETRY) - 1))

/* Which acts have a member; those of whole JSON acts (act_from_json) beside those of a body. */
static const struct {
	const char *name;
	unsigned acts;
	bool whole_only;
} members[] = {
	{"reason", ANY_ACT, false},
	{"by", ANY_ACT, false},
	{"id", ANY_ACT, false},
	{"item", ANY_STEP_ACT, false},
	{"output", MASK(ACT_STEP_SKIP) | MASK(ACT_STEP_COMPLETE) | MASK(ACT_STEP_RESOLVE), false},
	{"reply", MASK(ACT_STEP_COMPLETE) | MASK(ACT_STEP_RESOLVE), false},
	{"request", MASK(ACT_STEP_RETRY), false},
	{"value", MASK(ACT_SIGNAL), false},
	{"code", MASK(ACT_STEP_FAIL), false},
	{"message", MASK(ACT_STEP_FAIL), false},
	{"owner", MASK(ACT_OWNER), false},
	{"outcome", MASK(ACT_STEP_RESOLVE), false},
	{"from", MASK(ACT_RETRY), false},
	{"to", MASK(ACT_RESET), false},
	{"version", MASK(ACT_MIGRATE), false},
	{"data", MASK(ACT_STEP_APPROVE) | MASK(ACT_STEP_REJECT), false},
	{"groups", MASK(ACT_STEP_APPROVE) | MASK(ACT_STEP_REJECT), false},
	{"act", ANY_ACT, true},
	{"step", ANY_STEP_ACT, true},
	{"compensation", ANY_STEP_ACT, true},
	{"signal", MASK(ACT_SIGNAL), true},
};

static int refuse(struct err *err, const char *name, const char *what)
{
	char place[sizeof(err->place)] = "/";
	size_t len = strnlen(name, sizeof(place) - 2);

	memcpy(place + 1, name, len);
	place[len + 1] = '\0';
	return err_set_at(err, ERR_INVALID, place, "%s", what);
}

static int check_members(const struct act *act, const json_t *json, bool whole, struct err *err)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach ((json_t *)json, name, value) {
		for (i = 0; i < ARRAY_SIZE(members); i++)
			if (strcmp(members[i].name, name) == 0 && (members[i].acts & MASK(act->kind)) &&
				(whole || !members[i].whole_only))
				break;
		if (i == ARRAY_SIZE(members)) {
			refuse(err, name, "this act has no such member");
			err_prefix(err, "%s", act_kind_text(act->kind));
			return ERR_INVALID;
		}
	}
	return 0;
}

/* Absent and null leave *ret as it is. */
static int read_text(const json_t *json, const char *name, size_t max, char **ret, struct err *err)
{
	const json_t *value = json_object_get(json, name);
	char what[64];

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || json_string_length(value) > max) {
		snprintf(what, sizeof(what), "a text of at most %zu bytes is expected", max);
		return refuse(err, name, what);
	}
	free(*ret);
	*ret = xstrdup(json_string_value(value));
	return 0;
}

/* A value of its own: null is one, too. */
static int read_value(const json_t *json, const char *name, struct jval **ret, struct err *err)
{
	const json_t *value = json_object_get(json, name);
	CLEANUP(buf_release) struct buf text = {0};
	char *bytes;
	size_t len;
	int r;

	if (!value)
		return 0;
	buf_init(&text, ACT_BODY_MAX_BYTES);
	json_write(value, &text);
	r = buf_check(&text, name, err);
	if (r < 0)
		return r;
	bytes = buf_take(&text, &len);
	jval_unref(*ret);
	*ret = jval_from_text(bytes, len);
	return 0;
}

static int read_integer(const json_t *json, const char *name, int64_t max, int64_t *ret,
						struct err *err)
{
	const json_t *value = json_object_get(json, name);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
		return refuse(err, name, "a number that counts is expected");
	*ret = json_integer_value(value);
	return 0;
}

/* The names of groups, of a size that a person can be in. */
static int check_groups(const json_t *groups, struct err *err)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(groups) || json_array_size(groups) > ACT_GROUPS_MAX)
		return refuse(err, "groups", "a list of at most 1000 names of groups is expected");
	json_array_foreach (groups, i, one)
		if (!json_is_string(one) || json_string_length(one) > ACT_NAME_MAX_BYTES)
			return refuse(err, "groups", "the name of a group is a text of at most 200 bytes");
	return 0;
}

static int read_resolution(struct act *act, const json_t *body, struct err *err)
{
	const char *text = json_string_value(json_object_get(body, "outcome"));
	int i;

	for (i = 0; text && i < RESOLUTION_COUNT; i++) {
		if (strcmp(resolution_texts[i], text) == 0) {
			act->resolution = (enum resolution)i;
			return 0;
		}
	}
	return refuse(err, "outcome", "happened, did_not_happen or probe is expected");
}

/* {path?, headers?, body?, record_key?} */
static int check_request(const json_t *request, struct err *err)
{
	static const char place[] = "request";
	const char *name, *header;
	json_t *value, *text;

	if (!json_is_object(request) || json_object_size(request) == 0)
		return refuse(err, place, "an object of path, headers, body or record_key is expected");
	json_object_foreach ((json_t *)request, name, value) {
		if (strcmp(name, "body") == 0)
			continue;
		if (strcmp(name, "path") == 0 || strcmp(name, "record_key") == 0) {
			if (!json_is_string(value) || json_string_length(value) == 0)
				return refuse(err, place, "path and record_key are texts");
			continue;
		}
		if (strcmp(name, "headers") != 0)
			return refuse(err, place, "only path, headers, body and record_key can be replaced");
		if (!json_is_object(value))
			return refuse(err, place, "headers are an object of texts");
		json_object_foreach (value, header, text) {
			if (!json_is_string(text) || !*header || strpbrk(header, ": \r\n") ||
				strpbrk(json_string_value(text), "\r\n"))
				return refuse(err, place, "headers are an object of texts of one line");
		}
	}
	return 0;
}

/* What an act cannot do without, or cannot have together. */
static int check_act(const struct act *act, struct err *err)
{
	if (act->kind == ACT_NOTE && (!act->reason || !*act->reason))
		return refuse(err, "reason", "the note is missing");
	if ((act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT) && (!act->by || !*act->by))
		return refuse(err, "by", "who decides is missing");
	if (act->kind == ACT_MIGRATE && act->version <= 0)
		return refuse(err, "version", "a version of the definition is expected, from 1");
	if (act->kind == ACT_RESET && act->to <= 0)
		return refuse(err, "to", "the sequence of a history row is expected");
	if (act->output && act->reply)
		return refuse(err, "reply", "either the output or the reply is given");
	if (act->kind == ACT_STEP_RESOLVE && act->resolution != RESOLVE_HAPPENED &&
		(act->output || act->reply))
		return refuse(err, act->output ? "output" : "reply",
					  "only what happened has an output or a reply");
	return 0;
}

static int read_body(struct act *act, const json_t *body, struct err *err)
{
	int64_t item = -1;
	int r;

	r = read_text(body, "reason", ACT_REASON_MAX_BYTES, &act->reason, err);
	if (r == 0)
		r = read_text(body, "by", ACT_BY_MAX_BYTES, &act->by, err);
	if (r == 0)
		r = read_text(body, "id", ACT_ID_MAX_BYTES, &act->id, err);
	if (r == 0)
		r = read_text(body, "code", ACT_NAME_MAX_BYTES, &act->code, err);
	if (r == 0)
		r = read_text(body, "message", ACT_REASON_MAX_BYTES, &act->message, err);
	if (r == 0)
		r = read_text(body, "owner", ACT_NAME_MAX_BYTES, &act->name, err);
	if (r == 0)
		r = read_text(body, "from", DEF_MAX_NAME, &act->step, err);
	if (r == 0)
		r = read_integer(body, "item", DEF_MAX_ITEMS - 1, &item, err);
	if (r == 0)
		r = read_integer(body, "to", INT64_MAX, &act->to, err);
	if (r == 0)
		r = read_integer(body, "version", INT32_MAX, &act->version, err);
	if (r == 0)
		r = read_value(body, "output", &act->output, err);
	if (r == 0)
		r = read_value(body, "reply", &act->reply, err);
	if (r == 0)
		r = read_value(body, "request", &act->request, err);
	if (r == 0)
		r = read_value(body, "value", &act->value, err);
	if (r == 0)
		r = read_value(body, "data", &act->data, err);
	if (r == 0)
		r = read_value(body, "groups", &act->groups, err);
	if (r == 0 && act->groups)
		r = check_groups(jval_json(act->groups), err);
	if (r == 0 && act->request)
		r = check_request(jval_json(act->request), err);
	if (r == 0 && act->kind == ACT_STEP_RESOLVE)
		r = read_resolution(act, body, err);
	if (item >= 0)
		act->item = (int)item;
	return r;
}

static int read_act(struct act *act, const json_t *json, bool whole, struct err *err)
{
	int r;

	if (json && !json_is_object(json))
		return err_set(err, ERR_INVALID, "an act is a JSON object");
	r = check_members(act, json, whole, err);
	if (r == 0)
		r = read_body(act, json, err);
	return r == 0 ? check_act(act, err) : r;
}

int act_read(struct act *act, const json_t *body, struct err *err)
{
	return read_act(act, body, false, err);
}

/* Writing. */

static void set_text(json_t *json, const char *name, const char *text)
{
	if (text)
		json_object_set_new_nocheck(json, name, json_string(text));
}

static void set_value(json_t *json, const char *name, struct jval *value)
{
	/* A copy, since the two may go to different threads. */
	if (value)
		json_object_set_new_nocheck(json, name, json_deep_copy(jval_json(value)));
}

json_t *act_json(const struct act *act)
{
	json_t *json = json_object();

	set_text(json, "act", act_kind_text(act->kind));
	set_text(json, act->kind == ACT_RETRY ? "from" : "step", act->step);
	if (act_is_of_step(act->kind) && act->item >= 0)
		json_object_set_new_nocheck(json, "item", json_integer(act->item));
	if (act_is_of_step(act->kind) && act->side == SIDE_UNDO)
		json_object_set_new_nocheck(json, "compensation", json_true());
	set_text(json, "id", act->id);
	set_text(json, "by", act->by);
	set_text(json, "reason", act->reason);
	set_value(json, "output", act->output);
	set_value(json, "reply", act->reply);
	set_value(json, "request", act->request);
	set_value(json, "value", act->value);
	set_value(json, "data", act->data);
	set_value(json, "groups", act->groups);
	set_text(json, "code", act->code);
	set_text(json, "message", act->message);
	set_text(json, act->kind == ACT_SIGNAL ? "signal" : "owner", act->name);
	if (act->kind == ACT_STEP_RESOLVE)
		set_text(json, "outcome", resolution_text(act->resolution));
	if (act->kind == ACT_RESET)
		json_object_set_new_nocheck(json, "to", json_integer(act->to));
	if (act->kind == ACT_MIGRATE)
		json_object_set_new_nocheck(json, "version", json_integer(act->version));
	return json;
}

int act_from_json(const json_t *json, struct act *ret_act, struct err *err)
{
	const char *word = json_string_value(json_object_get(json, "act"));
	const json_t *compensation = json_object_get(json, "compensation");
	bool of_step = json_object_get(json, "step") != NULL;
	struct act act;
	int kind, r;

	if (!word)
		return refuse(err, "act", "an act is missing, such as retry");
	kind = act_kind_parse(word, of_step);
	if (kind < 0)
		return refuse(err, "act",
					  act_kind_parse(word, !of_step) < 0 ? "there is no such act"
					  : of_step                          ? "this act is of a whole saga"
														 : "this act needs a step");
	act_init(&act, (enum act_kind)kind);
	act.side = json_is_true(compensation) ? SIDE_UNDO : SIDE_DO;
	r = read_act(&act, json, true, err);
	if (r == 0 && compensation && !json_is_boolean(compensation))
		r = refuse(err, "compensation", "true or false is expected");
	if (r == 0)
		r = read_text(json, "step", DEF_MAX_NAME, &act.step, err);
	if (r == 0)
		r = read_text(json, "signal", ACT_NAME_MAX_BYTES, &act.name, err);
	if (r == 0 && of_step && !act.step)
		r = refuse(err, "step", "the id of a step is expected");
	if (r == 0 && act.kind == ACT_SIGNAL && !act.name)
		r = refuse(err, "signal", "the name of the signal is missing");
	if (r < 0) {
		act_release(&act);
		return r;
	}
	*ret_act = act;
	return 0;
}
