/*
 * What every store does the same way with the rows of messages: copies, limits, and the identities
 * that make writing twice harmless.
 */
#include "connectors/store_messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "sagas/json_text.h"

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static char *copy_bytes(const void *bytes, size_t len)
{
	char *copy;

	if (!bytes)
		return NULL;
	copy = xcalloc(len + 1, 1);
	memcpy(copy, bytes, len);
	return copy;
}

void outbox_row_copy(const struct outbox_row *from, struct outbox_row *ret_row)
{
	*ret_row = *from;
	ret_row->cluster = copy_text(from->cluster);
	ret_row->topic = copy_text(from->topic);
	ret_row->key = copy_text(from->key);
	ret_row->type = copy_text(from->type);
	ret_row->headers = copy_text(from->headers);
	ret_row->payload = copy_bytes(from->payload, from->payload_len);
}

void outbox_row_release(struct outbox_row *row)
{
	free((char *)row->cluster);
	free((char *)row->topic);
	free((char *)row->key);
	free((char *)row->type);
	free((char *)row->headers);
	free((char *)row->payload);
	*row = (struct outbox_row){0};
}

void dead_letter_row_copy(const struct dead_letter_row *from, struct dead_letter_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->trigger = copy_text(from->trigger);
	ret_row->cluster = copy_text(from->cluster);
	ret_row->topic = copy_text(from->topic);
	ret_row->key = copy_bytes(from->key, from->key_len);
	ret_row->value = copy_bytes(from->value, from->value_len);
	ret_row->headers = copy_text(from->headers);
	ret_row->reason = copy_text(from->reason);
	ret_row->message = copy_text(from->message);
	ret_row->saga_id = copy_text(from->saga_id);
}

void dead_letter_row_release(struct dead_letter_row *row)
{
	free((char *)row->ns);
	free((char *)row->trigger);
	free((char *)row->cluster);
	free((char *)row->topic);
	free((void *)row->key);
	free((void *)row->value);
	free((char *)row->headers);
	free((char *)row->reason);
	free((char *)row->message);
	free((char *)row->saga_id);
	*row = (struct dead_letter_row){0};
}

void trigger_row_copy(const struct trigger_row *from, struct trigger_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->name = copy_text(from->name);
	ret_row->reason = copy_text(from->reason);
	ret_row->seeks = copy_text(from->seeks);
	ret_row->by = copy_text(from->by);
}

void trigger_row_release(struct trigger_row *row)
{
	free((char *)row->ns);
	free((char *)row->name);
	free((char *)row->reason);
	free((char *)row->seeks);
	free((char *)row->by);
	*row = (struct trigger_row){0};
}

static const char *const dead_letter_statuses[] = {
#define X(name, text) text,
	DEAD_LETTER_STATUSES(X)
#undef X
};

const char *dead_letter_status_text(enum dead_letter_status status)
{
	return dead_letter_statuses[status];
}

int dead_letter_status_parse(const char *text)
{
	for (int i = 0; i < DEAD_LETTER_STATUS_COUNT; i++)
		if (strcmp(text, dead_letter_statuses[i]) == 0)
			return i;
	return -1;
}

/* Each part with its length before it, so that no two lists of parts give the same text. */
static void add_part(struct buf *text, const char *part)
{
	buf_printf(text, "%zu:", strlen(part));
	buf_add_str(text, part);
}

void dead_letter_id(struct dead_letter_row *row)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_add_lit(&text, "dead-letter:");
	add_part(&text, row->ns);
	add_part(&text, row->trigger);
	add_part(&text, row->cluster);
	add_part(&text, row->topic);
	buf_printf(&text, "%d/%lld/%lld", row->partition, (long long)row->offset, (long long)row->at);
	hash_uuid5(buf_str(&text), text.len, row->id);
}

void store_event_inbox_id(const char *saga_id, const char *step, int item, int place,
						  const char *event_id, char ret_id[UUID_SIZE])
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_add_lit(&text, "event:");
	add_part(&text, saga_id);
	add_part(&text, step);
	add_part(&text, event_id);
	buf_printf(&text, "%d/%d", item, place);
	hash_uuid5(buf_str(&text), text.len, ret_id);
}

void store_event_message(const struct event_row *event, const char *step, int item, int place,
						 struct buf *out)
{
	buf_add_lit(out, "{\"kind\":\"event\",\"step\":");
	json_write_string(step, strlen(step), out);
	buf_printf(out, ",\"item\":%d,\"place\":%d,\"event_id\":", item, place);
	json_write_string(event->id, strlen(event->id), out);
	buf_add_lit(out, ",\"event\":");
	buf_add(out, event->event, event->event_len);
	buf_add_char(out, '}');
}

/* Limits. What is checked is named for the text; a part that must be there is none when NULL. */

struct part {
	const char *name;
	const char *text;
	size_t max;
	bool optional;
};

static PRINTF_LIKE(4, 5) int refuse(struct err *err, size_t row, enum err_code code,
									const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = err_vset(err, code, fmt, args);
	va_end(args);
	if (err)
		snprintf(err->place, sizeof(err->place), "row %zu", row);
	return r;
}

static int check_parts(const struct part *parts, size_t n, size_t row, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct part *part = &parts[i];

		if (!part->text && !part->optional)
			return refuse(err, row, ERR_INVALID, "a row has no %s", part->name);
		if (part->text && strnlen(part->text, part->max + 1) > part->max)
			return refuse(err, row, ERR_LIMIT, "the %s of a row is longer than %zu bytes",
						  part->name, part->max);
	}
	return 0;
}

static int check_body(const void *body, size_t len, size_t row, const char *name, struct err *err)
{
	if (!body)
		return refuse(err, row, ERR_INVALID, "a row has no %s", name);
	if (len > STORE_BODY_MAX_BYTES)
		return refuse(err, row, ERR_LIMIT, "the %s of a row has %zu bytes; at most %d fit", name,
					  len, STORE_BODY_MAX_BYTES);
	return 0;
}

static int check_slot(int slot, size_t row, struct err *err)
{
	if (slot < 0 || slot >= SLOTS_MAX)
		return refuse(err, row, ERR_INVALID, "a row has the slot %d", slot);
	return 0;
}

static int check_uuid(const char *id, size_t row, const char *name, struct err *err)
{
	if (strnlen(id, UUID_SIZE) != UUID_SIZE - 1)
		return refuse(err, row, ERR_INVALID, "the %s of a row is no UUID", name);
	return 0;
}

int store_check_count(size_t n, struct err *err)
{
	if (n > STORE_PUT_MAX)
		return err_set(err, ERR_LIMIT, "a call writes at most %d rows", STORE_PUT_MAX);
	return 0;
}

int store_check_limit(int limit, struct err *err)
{
	if (limit < 1 || limit > STORE_PUT_MAX)
		return err_set(err, ERR_INVALID, "a page has 1 to %d rows", STORE_PUT_MAX);
	return 0;
}

int store_check_events(const struct event_row *rows, size_t n, struct err *err)
{
	int r = store_check_count(n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct part parts[] = {
			{"namespace", rows[i].ns, NAMESPACE_MAX_BYTES, false},
			{"channel", rows[i].channel, STORE_CHANNEL_MAX_BYTES, false},
			{"value", rows[i].value, STORE_VALUE_MAX_BYTES, false},
			{"id", rows[i].id, STORE_NAME_MAX_BYTES, false},
		};

		r = check_parts(parts, ARRAY_SIZE(parts), i, err);
		if (r == 0)
			r = check_body(rows[i].event, rows[i].event_len, i, "event", err);
	}
	return r;
}

int store_check_inbox(const struct inbox_row *rows, size_t n, struct err *err)
{
	int r = store_check_count(n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct part ns = {"namespace", rows[i].ns, NAMESPACE_MAX_BYTES, false};

		r = check_parts(&ns, 1, i, err);
		if (r == 0)
			r = check_slot(rows[i].slot, i, err);
		if (r == 0)
			r = check_uuid(rows[i].id, i, "id", err);
		if (r == 0)
			r = check_uuid(rows[i].saga_id, i, "saga", err);
		if (r == 0)
			r = check_body(rows[i].message, rows[i].message_len, i, "message", err);
	}
	return r;
}

int store_check_dead_letter(const struct dead_letter_row *row, struct err *err)
{
	const struct part parts[] = {
		{"namespace", row->ns, NAMESPACE_MAX_BYTES, false},
		{"trigger", row->trigger, STORE_NAME_MAX_BYTES, false},
		{"cluster", row->cluster, STORE_NAME_MAX_BYTES, false},
		{"topic", row->topic, STORE_NAME_MAX_BYTES, false},
		{"headers", row->headers, STORE_BODY_MAX_BYTES / 4, false},
		{"reason", row->reason, STORE_NAME_MAX_BYTES, false},
		{"message", row->message, STORE_TEXT_MAX_BYTES, false},
	};
	int r = check_parts(parts, ARRAY_SIZE(parts), 0, err);

	if (r == 0)
		r = check_uuid(row->id, 0, "id", err);
	if (r == 0 && row->saga_id)
		r = check_uuid(row->saga_id, 0, "saga", err);
	if (r == 0 && row->key)
		r = check_body(row->key, row->key_len, 0, "key", err);
	if (r == 0 && row->value)
		r = check_body(row->value, row->value_len, 0, "value", err);
	return r;
}

int store_check_trigger(const struct trigger_row *row, struct err *err)
{
	const struct part parts[] = {
		{"namespace", row->ns, NAMESPACE_MAX_BYTES, false},
		{"name", row->name, STORE_NAME_MAX_BYTES, false},
		{"reason", row->reason, STORE_TEXT_MAX_BYTES, true},
		{"list of seeks", row->seeks, STORE_TEXT_MAX_BYTES, true},
		{"author", row->by, STORE_NAME_MAX_BYTES, true},
	};

	return check_parts(parts, ARRAY_SIZE(parts), 0, err);
}

bool store_messages_fit(const struct subscription_row *subscriptions, size_t n_subscriptions,
						const struct outbox_row *outbox, size_t n_outbox)
{
	for (size_t i = 0; i < n_subscriptions; i++) {
		const struct subscription_row *row = &subscriptions[i];
		const struct part parts[] = {
			{"step", row->step, STORE_NAME_MAX_BYTES, false},
			{"namespace", row->ns, NAMESPACE_MAX_BYTES, row->remove},
			{"channel", row->channel, STORE_CHANNEL_MAX_BYTES, row->remove},
			{"value", row->value, STORE_VALUE_MAX_BYTES, row->remove},
		};

		if (check_parts(parts, ARRAY_SIZE(parts), i, NULL) < 0)
			return false;
	}
	for (size_t i = 0; i < n_outbox; i++) {
		const struct outbox_row *row = &outbox[i];
		const struct part parts[] = {
			{"cluster", row->cluster, STORE_NAME_MAX_BYTES, false},
			{"topic", row->topic, STORE_NAME_MAX_BYTES, false},
			{"key", row->key, STORE_TEXT_MAX_BYTES, true},
			{"type", row->type, STORE_NAME_MAX_BYTES, false},
			{"headers", row->headers, STORE_BODY_MAX_BYTES / 4, false},
		};

		if (check_parts(parts, ARRAY_SIZE(parts), i, NULL) < 0 ||
			check_uuid(row->id, i, "id", NULL) < 0 ||
			(row->payload && check_body(row->payload, row->payload_len, i, "payload", NULL) < 0))
			return false;
	}
	return true;
}
