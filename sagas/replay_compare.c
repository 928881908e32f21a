/*
 * What differs between an event of a history and the one that is decided now, in words.
 */
#include "sagas/replay_priv.h"

#include <string.h>

static char *as_text(const json_t *json)
{
	struct buf text;

	if (!json)
		return NULL;
	buf_init(&text, 0);
	json_write(json, &text);
	return buf_take(&text, NULL);
}

static json_t *as_json(const struct replay *replay, const struct event *event)
{
	CLEANUP(buf_release) struct buf text;
	struct err err;
	json_t *json = NULL;

	buf_init(&text, 0);
	if (!event)
		return NULL;
	event_write(event, replay->state->def, &text);
	CHECK(json_parse_stored(text.data, text.len, &json, &err) == 0);
	return json;
}

/* "StepScheduled charge[2]" */
static void name(const json_t *event, struct buf *out)
{
	const char *step = json_string_value(json_object_get(event, "step"));
	const json_t *item = json_object_get(event, "item");

	buf_add_str(out, json_string_value(json_object_get(event, "type")));
	if (step)
		buf_printf(out, " %s", step);
	if (item)
		buf_printf(out, "[%d]", (int)json_integer_value(item));
}

/* Members that say nothing about the decision. */
static void leave_out(const struct replay *replay, json_t *event)
{
	const char *code = json_string_value(json_object_get(event, "code"));

	json_object_del(event, "version");
	/* Of a block: what was started stays with the version that started it. */
	json_object_del(json_object_get(event, "request"), "version");
	json_object_del(event, "status"); /* of the answer that came last */
	if (!replay->options->times) {
		json_object_del(event, "due_at");
		json_object_del(event, "deadline_at");
		json_object_del(event, "settle_at");
	}
	/* Words for people; an expression stands elsewhere in another definition. */
	if (code && strcmp(code, "expression_error") == 0)
		json_object_del(event, "message");
}

static void short_value(const json_t *value, struct buf *out)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	if (!value) {
		buf_add_str(out, "nothing");
		return;
	}
	json_write(value, &text);
	buf_printf(out, "%.80s%s", buf_str(&text), text.len > 80 ? "…" : "");
}

static bool first_difference(const json_t *a, const json_t *b, struct buf *path, struct buf *out);

static bool member_differs(const json_t *a, const json_t *b, const char *key, struct buf *path,
						   struct buf *out)
{
	size_t len = path->len;
	bool differs;

	buf_printf(path, "%s%s", path->len > 0 ? "." : "", key);
	differs = first_difference(a, b, path, out);
	if (!differs)
		buf_truncate(path, len);
	return differs;
}

/* "request.body.amount is 5 in the history, and 6 now" */
static bool first_difference(const json_t *a, const json_t *b, struct buf *path, struct buf *out)
{
	const char *key;
	json_t *value;
	size_t i;

	if (a && b && json_equal(a, b))
		return false;
	if (json_is_object(a) && json_is_object(b)) {
		json_object_foreach ((json_t *)a, key, value)
			if (member_differs(value, json_object_get(b, key), key, path, out))
				return true;
		json_object_foreach ((json_t *)b, key, value)
			if (member_differs(json_object_get(a, key), value, key, path, out))
				return true;
		return false;
	}
	if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
		for (i = 0; i < json_array_size(a); i++) {
			char index[24];

			snprintf(index, sizeof(index), "%zu", i);
			if (member_differs(json_array_get(a, i), json_array_get(b, i), index, path, out))
				return true;
		}
		return false;
	}
	buf_printf(out, "%s is ", path->len > 0 ? buf_str(path) : "it");
	short_value(a, out);
	buf_add_str(out, " in the history, and ");
	short_value(b, out);
	buf_add_str(out, " now");
	return true;
}

static bool same_name(const json_t *a, const json_t *b)
{
	CLEANUP(buf_release) struct buf left, right;

	buf_init(&left, 0);
	buf_init(&right, 0);
	name(a, &left);
	name(b, &right);
	return strcmp(buf_str(&left), buf_str(&right)) == 0;
}

static void say(const json_t *expected, const json_t *got, const char *why, struct buf *out)
{
	CLEANUP(buf_release) struct buf path;

	buf_init(&path, 0);
	if (!expected) {
		buf_add_str(out, "the history has nothing more here, and this definition goes on with ");
		name(got, out);
	} else if (!got) {
		buf_add_str(out, "the history has ");
		name(expected, out);
		if (why)
			buf_printf(out, ", and by this definition %s", why);
		else
			buf_add_str(out, ", and this definition does nothing here");
	} else if (!same_name(expected, got)) {
		buf_add_str(out, "the history has ");
		name(expected, out);
		buf_add_str(out, ", and this definition decides ");
		name(got, out);
	} else {
		name(expected, out);
		buf_add_str(out, ": ");
		first_difference(expected, got, &path, out);
	}
}

static void tell(struct replay *replay, const json_t *expected, const json_t *got, const char *why)
{
	struct buf words;

	buf_init(&words, 0);
	say(expected, got, why, &words);
	replay_divergence_release(replay->ret);
	*replay->ret = (struct replay_divergence){
		.seq = replay->seq,
		.index = (int)(replay->cut + replay->matched),
		.expected = as_text(expected),
		.got = as_text(got),
		.why = buf_take(&words, NULL),
	};
}

void replay__diverges(struct replay *replay, json_t *expected, const struct event *got,
					  const char *why)
{
	CLEANUP(json_decref_p) json_t *json = as_json(replay, got);

	tell(replay, expected, json, why);
}

bool replay__same(struct replay *replay, json_t *expected, const struct event *got)
{
	CLEANUP(json_decref_p) json_t *full = as_json(replay, got);
	CLEANUP(json_decref_p) json_t *a = expected ? json_copy(expected) : NULL;
	CLEANUP(json_decref_p) json_t *b = json_copy(full);

	if (!a) {
		tell(replay, NULL, full, NULL);
		return false;
	}
	leave_out(replay, a);
	leave_out(replay, b);
	if (json_equal(a, b))
		return true;
	tell(replay, a, b, NULL);
	return false;
}
