/*
 * Encoding and decoding of events. Fields are written only when they are not at their default, in
 * one fixed order, so that the same event always gives the same bytes.
 */
#include "sagas/event.h"

#include <string.h>

#include "sagas/json_text.h"

static const char *const OUTCOME_TEXTS[] = {
	[OUTCOME_SUCCESS] = "success", [OUTCOME_FAILURE] = "failure", [OUTCOME_ONGOING] = "ongoing",
	[OUTCOME_UNKNOWN] = "unknown", [OUTCOME_ABSENT] = "absent",
};

/* X(JSON name, member) for the plain members; step, item, side, outcome and values are apart. */
#define EVENT_INTS(X)                                                                              \
	X("status", http_status)                                                                       \
	X("attempt", attempt)                                                                          \
	X("version", version)                                                                          \
	X("depth", depth)                                                                              \
	X("due_at", due_at)                                                                            \
	X("deadline_at", deadline_at)                                                                  \
	X("settle_at", settle_at)                                                                      \
	X("escalate_at", escalate_at)

#define EVENT_STRINGS(X)                                                                           \
	X("name", name)                                                                                \
	X("ns", ns)                                                                                    \
	X("id", id)                                                                                    \
	X("key", key)                                                                                  \
	X("code", code)                                                                                \
	X("message", message)                                                                          \
	X("by", by)                                                                                    \
	X("reason", reason)                                                                            \
	X("parent", parent)

void event_init(struct event *event, enum event_type type)
{
	*event = (struct event){.type = type, .step = -1, .item = -1, .outcome = OUTCOME_DEFAULT};
}

void event_release(struct event *event)
{
#define X(json_name, member) free(event->member);
	EVENT_STRINGS(X)
#undef X
	request_unref(event->request);
	jval_unref(event->value);
	jval_unref(event->search);
	event_init(event, event->type);
}

const char *event_type_text(enum event_type type)
{
	switch (type) {
#define X(name, number, text)                                                                      \
	case name:                                                                                     \
		return text;
		EVENT_TYPES(X)
#undef X
	}
	return "?";
}

const char *outcome_text(enum outcome outcome)
{
	return outcome == OUTCOME_DEFAULT ? NULL : OUTCOME_TEXTS[outcome];
}

static void write_string_field(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_lit(out, ",\"");
	buf_add_str(out, name);
	buf_add_lit(out, "\":");
	json_write_string(value, strlen(value), out);
}

static void write_int_field(struct buf *out, const char *name, int64_t value)
{
	if (!value)
		return;
	buf_add_lit(out, ",\"");
	buf_add_str(out, name);
	buf_add_lit(out, "\":");
	buf_add_int(out, value);
}

void event_write(const struct event *event, const struct saga_def *def, struct buf *out)
{
	buf_add_lit(out, "{\"n\":");
	buf_add_int(out, event->type);
	write_string_field(out, "type", event_type_text(event->type));
	if (event->step >= 0)
		write_string_field(out, "step", def->steps[event->step].id);
	if (event->item >= 0) {
		buf_add_lit(out, ",\"item\":");
		buf_add_int(out, event->item);
	}
	if (event->side == SIDE_UNDO)
		buf_add_lit(out, ",\"side\":\"undo\"");
	write_string_field(out, "outcome", outcome_text(event->outcome));
	if (event->ambiguous)
		buf_add_lit(out, ",\"ambiguous\":true");
	if (event->tolerated)
		buf_add_lit(out, ",\"tolerated\":true");
	if (event->hold)
		buf_add_lit(out, ",\"hold\":true");
#define X(json_name, member) write_int_field(out, json_name, event->member);
	EVENT_INTS(X)
#undef X
#define X(json_name, member) write_string_field(out, json_name, event->member);
	EVENT_STRINGS(X)
#undef X
	if (event->search) {
		buf_add_lit(out, ",\"search\":");
		jval_write(event->search, out);
	}
	if (event->request) {
		buf_add_lit(out, ",\"request\":");
		request_write(event->request, out);
	}
	if (event->value) {
		buf_add_lit(out, ",\"value\":");
		jval_write(event->value, out);
	}
	buf_add_char(out, '}');
}

static bool event_type_known(json_int_t number)
{
	switch (number) {
#define X(name, value, text)                                                                       \
	case value:                                                                                    \
		return true;
		EVENT_TYPES(X)
#undef X
	default:
		return false;
	}
}

static int read_outcome(const json_t *json, struct event *event, struct err *err)
{
	const char *text = json_string_value(json_object_get(json, "outcome"));
	size_t i;

	if (!text)
		return 0;
	for (i = 0; i < ARRAY_SIZE(OUTCOME_TEXTS); i++) {
		if (strcmp(text, OUTCOME_TEXTS[i]) == 0) {
			event->outcome = (enum outcome)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "unknown outcome `%s`", text);
}

static int read_step(const json_t *json, const struct saga_def *def, struct event *event,
					 struct err *err)
{
	const char *id = json_string_value(json_object_get(json, "step"));
	const json_t *item = json_object_get(json, "item");
	const char *side = json_string_value(json_object_get(json, "side"));

	if (id) {
		event->step = saga_def_step(def, id);
		if (event->step < 0)
			return err_set(err, ERR_INVALID, "the definition has no step `%s`", id);
	}
	if (item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0 ||
			json_integer_value(item) >= DEF_MAX_ITEMS)
			return err_set(err, ERR_INVALID, "`item` must be 0 to %d", DEF_MAX_ITEMS - 1);
		event->item = (int)json_integer_value(item);
	}
	event->side = side && strcmp(side, "undo") == 0 ? SIDE_UNDO : SIDE_DO;
	return 0;
}

static int read_fields(const json_t *json, const struct saga_def *def, struct event *event,
					   struct err *err)
{
	const json_t *field;
	const char *text;
	int r;

	r = read_step(json, def, event, err);
	if (r == 0)
		r = read_outcome(json, event, err);
	if (r < 0)
		return r;
	event->ambiguous = json_is_true(json_object_get(json, "ambiguous"));
	event->tolerated = json_is_true(json_object_get(json, "tolerated"));
	event->hold = json_is_true(json_object_get(json, "hold"));
#define X(json_name, member)                                                                       \
	event->member = (__typeof__(event->member))json_integer_value(json_object_get(json, json_name));
	EVENT_INTS(X)
#undef X
#define X(json_name, member)                                                                       \
	text = json_string_value(json_object_get(json, json_name));                                    \
	if (text)                                                                                      \
		event->member = xstrdup(text);
	EVENT_STRINGS(X)
#undef X
	field = json_object_get(json, "value");
	if (field)
		event->value = jval_from_json(json_incref((json_t *)field));
	field = json_object_get(json, "search");
	if (field)
		event->search = jval_from_json(json_incref((json_t *)field));
	field = json_object_get(json, "request");
	if (field)
		return request_from_json(field, &event->request, err);
	return 0;
}

int event_from_json(const json_t *json, const struct saga_def *def, wall_ms at,
					struct event *ret_event, struct err *err)
{
	const json_t *number = json_object_get(json, "n");
	const json_t *version = json_object_get(json, "v");
	struct event event;
	int r;

	if (!json_is_integer(number))
		return err_set(err, ERR_INVALID, "an event must be an object with its number `n`");
	if (version && json_integer_value(version) > EVENT_VERSION)
		return err_set(err, ERR_INVALID, "event version %lld is newer than this Skald (%d)",
					   (long long)json_integer_value(version), EVENT_VERSION);
	if (!event_type_known(json_integer_value(number)))
		return err_set(err, ERR_INVALID, "unknown event number %lld",
					   (long long)json_integer_value(number));
	event_init(&event, (enum event_type)json_integer_value(number));
	event.at = at;
	r = read_fields(json, def, &event, err);
	if (r < 0) {
		event_release(&event);
		return r;
	}
	*ret_event = event;
	return 0;
}
