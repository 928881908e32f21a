#include "coordinator/delivery.h"

#include <limits.h>
#include <string.h>

#include "sagas/json_text.h"

static const char *const call_names[] = {
	[CALL_DO] = "do",
	[CALL_UNDO] = "undo",
	[CALL_PROBE_DO] = "probe_do",
	[CALL_PROBE_UNDO] = "probe_undo",
};

static const char *const outcome_names[] = {
	[OUTCOME_SUCCESS] = "success", [OUTCOME_FAILURE] = "failure", [OUTCOME_ONGOING] = "ongoing",
	[OUTCOME_UNKNOWN] = "unknown", [OUTCOME_ABSENT] = "absent",   [OUTCOME_DEFAULT] = NULL,
};

static const char *const kind_names[] = {
	[DELIVERY_REPLY] = "reply",
	[DELIVERY_EVENT] = "event",
	[DELIVERY_LOCK] = "lock",
	[DELIVERY_CHILD] = "child",
};

struct delivery *delivery_new(enum delivery_kind kind)
{
	struct delivery *delivery = xcalloc(1, sizeof(*delivery));

	delivery->kind = kind;
	delivery->item = -1;
	delivery->outcome = OUTCOME_DEFAULT;
	return delivery;
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	free(delivery->code);
	free(delivery->message);
	free(delivery->type);
	free(delivery->nonce);
	free(delivery->event_id);
	jval_unref(delivery->value);
	free(delivery);
}

/* Writing. */

static void add_string(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_write_string(value, strlen(value), out);
}

static void add_int(struct buf *out, const char *name, int64_t value, int64_t unsaid)
{
	if (value != unsaid)
		buf_printf(out, ",\"%s\":%lld", name, (long long)value);
}

static void add_value(struct buf *out, const char *name, struct jval *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", name);
	jval_write(value, out);
}

void delivery_write(const struct delivery *delivery, struct buf *out)
{
	bool is_reply = delivery->kind == DELIVERY_REPLY;

	if (delivery->kind == DELIVERY_CHILD) {
		jval_write(delivery->value, out);
		return;
	}
	buf_printf(out, "{\"kind\":\"%s\"", kind_names[delivery->kind]);
	add_string(out, "step", delivery->step);
	add_int(out, "item", delivery->item, -1);
	if (is_reply) {
		add_string(out, "call", call_names[delivery->call]);
		add_int(out, "run", delivery->run > 1 ? delivery->run : 0, 0);
		add_int(out, "ask", delivery->ask, 0);
		add_string(out, "outcome", outcome_names[delivery->outcome]);
		add_string(out, "code", delivery->code);
		add_string(out, "message", delivery->message);
		add_string(out, "type", delivery->type);
		add_string(out, "nonce", delivery->nonce);
		add_value(out, "value", delivery->value);
	} else if (delivery->kind == DELIVERY_LOCK) {
		add_int(out, "token", delivery->token, 0);
	} else {
		add_int(out, "place", delivery->place, 0);
		add_string(out, "event_id", delivery->event_id);
		add_value(out, "event", delivery->value);
	}
	buf_add_char(out, '}');
}

/* Reading. */

static int read_string(const json_t *message, const char *name, char **ret, struct err *err)
{
	const json_t *value = json_object_get(message, name);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_INVALID, "%s is not a string", name);
	*ret = xstrdup(json_string_value(value));
	return 0;
}

static int read_int(const json_t *message, const char *name, json_int_t min, json_int_t max,
					json_int_t *value, struct err *err)
{
	const json_t *number = json_object_get(message, name);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < min ||
		json_integer_value(number) > max)
		return err_set(err, ERR_INVALID, "%s is not a number from %lld to %lld", name,
					   (long long)min, (long long)max);
	*value = json_integer_value(number);
	return 0;
}

/* The index of a word in a table; absent: *value stays as it is. */
static int read_word(const json_t *message, const char *name, const char *const *words, size_t n,
					 int *value, struct err *err)
{
	const json_t *word = json_object_get(message, name);

	if (!word)
		return 0;
	for (size_t i = 0; json_is_string(word) && i < n; i++) {
		if (words[i] && strcmp(words[i], json_string_value(word)) == 0) {
			*value = (int)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "%s has an unknown value", name);
}

static int read_place(const json_t *message, struct delivery *delivery, struct err *err)
{
	const json_t *step = json_object_get(message, "step");
	json_int_t item = -1, place = 0;
	int r;

	if (!json_is_string(step) || json_string_length(step) >= sizeof(delivery->step))
		return err_set(err, ERR_INVALID, "step is not the id of a step");
	memcpy(delivery->step, json_string_value(step), json_string_length(step));
	r = read_int(message, "item", -1, INT32_MAX, &item, err);
	if (r == 0)
		r = read_int(message, "place", 0, INT32_MAX, &place, err);
	delivery->item = (int)item;
	delivery->place = (int)place;
	return r;
}

static int read_reply(const json_t *message, struct delivery *delivery, struct err *err)
{
	int call = CALL_DO, outcome = OUTCOME_DEFAULT;
	json_int_t ask = 0, run = 0;
	int r;

	r = read_word(message, "call", call_names, ARRAY_SIZE(call_names), &call, err);
	if (r == 0)
		r = read_word(message, "outcome", outcome_names, ARRAY_SIZE(outcome_names), &outcome, err);
	if (r == 0)
		r = read_int(message, "run", 0, INT_MAX, &run, err);
	if (r == 0)
		r = read_int(message, "ask", 0, INT64_MAX, &ask, err);
	if (r == 0)
		r = read_string(message, "code", &delivery->code, err);
	if (r == 0)
		r = read_string(message, "message", &delivery->message, err);
	if (r == 0)
		r = read_string(message, "type", &delivery->type, err);
	if (r == 0)
		r = read_string(message, "nonce", &delivery->nonce, err);
	delivery->call = (enum call_kind)call;
	delivery->run = (int)run;
	delivery->outcome = (enum outcome)outcome;
	delivery->ask = ask;
	return r;
}

static int read_lock(const json_t *message, struct delivery *delivery, struct err *err)
{
	json_int_t token = 0;
	int r = read_int(message, "token", 1, INT64_MAX, &token, err);

	if (r == 0 && token == 0)
		return err_set(err, ERR_INVALID, "a lock without its token");
	delivery->token = token;
	return r;
}

static int read_members(const json_t *message, struct delivery *delivery, struct err *err)
{
	bool is_reply = delivery->kind == DELIVERY_REPLY;
	json_t *value = json_object_get(message, is_reply ? "value" : "event");
	int r = read_place(message, delivery, err);

	if (r == 0 && is_reply)
		r = read_reply(message, delivery, err);
	if (r == 0 && delivery->kind == DELIVERY_LOCK)
		return read_lock(message, delivery, err);
	if (r == 0 && !is_reply)
		r = read_string(message, "event_id", &delivery->event_id, err);
	if (r < 0)
		return r;
	if (value)
		delivery->value = jval_from_json(json_incref(value));
	return 0;
}

int delivery_read(const char *message, size_t len, struct delivery **ret_delivery, struct err *err)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	CLEANUP(delivery_free_p) struct delivery *delivery = NULL;
	int kind = -1, r;

	r = json_parse_stored(message, len, &json, err);
	if (r < 0)
		return r;
	r = read_word(json, "kind", kind_names, ARRAY_SIZE(kind_names), &kind, err);
	if (r < 0)
		return r;
	if (kind < 0)
		return err_set(err, ERR_INVALID, "it is no delivery: it has no kind");
	delivery = delivery_new((enum delivery_kind)kind);
	if (kind == DELIVERY_CHILD) {
		delivery->value = jval_from_json(TAKE(json));
		*ret_delivery = TAKE(delivery);
		return 0;
	}
	r = read_members(json, delivery, err);
	if (r < 0)
		return r;
	*ret_delivery = TAKE(delivery);
	return 0;
}
