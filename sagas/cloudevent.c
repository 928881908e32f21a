/*
 * A record is poison only for a reason that its author can act on: each error says which header or
 * which line of the value it means. Nothing is guessed: a value that should be JSON and is not does
 * not become a string, since a saga started with it would fail later and further away.
 */
#include "sagas/cloudevent.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/base64.h"
#include "sagas/base/buf.h"
#include "sagas/base/text.h"
#include "sagas/json_text.h"

struct reading {
	const struct kafka_record *record;
	json_t *event;
	struct err *err;
};

/* What Skald says of the record itself; no attribute of an event takes its place. */
static const char *const own_names[] = {"key",  "topic",   "partition", "offset",
										"data", "headers", "timestamp", "data_base64"};
/* Present in every event, so that an expression may read them of any. */
static const char *const context_names[] = {"id", "source", "type", "subject", "time"};

static int no_memory(struct reading *reading)
{
	return err_set(reading->err, ERR_NO_MEMORY, "no memory for the event");
}

/* Takes over value; NULL means that there was no memory for it. */
static int set(struct reading *reading, const char *name, json_t *value)
{
	if (!value || json_object_set_new_nocheck(reading->event, name, value) < 0)
		return no_memory(reading);
	return 0;
}

const struct kafka_header *kafka_record_header(const struct kafka_record *record, const char *name)
{
	for (size_t i = record->n_headers; i > 0; i--) {
		if (strcasecmp(record->headers[i - 1].name, name) == 0)
			return record->headers[i - 1].value ? &record->headers[i - 1] : NULL;
	}
	return NULL;
}

/* Bytes as a JSON string: text as it is, all else as "base64:…". NULL: no memory. */
static json_t *bytes_to_json(const char *prefix, const char *data, size_t len)
{
	CLEANUP(buf_release) struct buf out = {0};

	if (text_is_utf8(data, len))
		return json_stringn_nocheck(data, len);
	buf_init(&out, 2 * EVENT_MAX_BYTES);
	buf_add_str(&out, prefix);
	base64_encode(data, len, &out);
	return out.failed ? NULL : json_stringn_nocheck(buf_str(&out), out.len);
}

static int read_key(struct reading *reading)
{
	const struct kafka_record *record = reading->record;

	if (record->key_len > EVENT_MAX_KEY_BYTES)
		return err_set_at(reading->err, ERR_LIMIT, "key", "the key has %zu bytes, and at most %d",
						  record->key_len, EVENT_MAX_KEY_BYTES);
	return set(reading, "key",
			   record->key ? bytes_to_json("base64:", record->key, record->key_len) : json_null());
}

static int read_headers(struct reading *reading)
{
	const struct kafka_record *record = reading->record;
	json_t *headers = json_object();
	size_t total = 0;
	int r = set(reading, "headers", headers);

	if (r < 0)
		return r;
	if (record->n_headers > EVENT_MAX_HEADERS)
		return err_set_at(reading->err, ERR_LIMIT, "headers",
						  "there are %zu headers, and at most %d", record->n_headers,
						  EVENT_MAX_HEADERS);
	for (size_t i = 0; i < record->n_headers; i++) {
		const struct kafka_header *header = &record->headers[i];
		json_t *value;

		total += strlen(header->name) + header->value_len;
		if (total > EVENT_MAX_HEADER_BYTES)
			return err_set_at(reading->err, ERR_LIMIT, "headers",
							  "the headers have more than %d bytes", EVENT_MAX_HEADER_BYTES);
		if (!text_is_utf8(header->name, strlen(header->name)))
			return err_set_at(reading->err, ERR_INVALID, "headers",
							  "the name of header %zu is not UTF-8", i + 1);
		value = header->value ? bytes_to_json("base64:", header->value, header->value_len)
							  : json_null();
		if (!value || json_object_set_new_nocheck(headers, header->name, value) < 0)
			return no_memory(reading);
	}
	return 0;
}

static int read_record(struct reading *reading)
{
	const struct kafka_record *record = reading->record;
	char at[TIME_TEXT_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(context_names); i++)
		r = set(reading, context_names[i], json_null());
	if (r == 0)
		r = set(reading, "data", json_null());
	if (r == 0)
		r = read_key(reading);
	if (r == 0)
		r = set(reading, "topic", json_string_nocheck(record->topic));
	if (r == 0)
		r = set(reading, "partition", json_integer(record->partition));
	if (r == 0)
		r = set(reading, "offset", json_integer(record->offset));
	if (r < 0)
		return r;
	if (record->at > 0)
		time_format(record->at, at);
	r = set(reading, "timestamp", record->at > 0 ? json_string_nocheck(at) : json_null());
	return r < 0 ? r : read_headers(reading);
}

static void lower(const char *text, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++)
		ret[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
	ret[len] = '\0';
}

/* Copies the media type, in lower case and without its parameters. */
static void media_type(const char *text, size_t len, char ret[128])
{
	size_t n = 0;

	while (len > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (n < len && n < 127 && text[n] != ';' && text[n] != ' ' && text[n] != '\t')
		n++;
	lower(text, n, ret);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Nothing said means JSON too. */
static bool is_json_type(const char *type)
{
	return type[0] == '\0' || ends_with(type, "/json") || ends_with(type, "+json");
}

static int parse_value(struct reading *reading, const char *text, size_t len, json_t **ret)
{
	int r = json_parse(text, len, ret, reading->err);

	if (r == ERR_INVALID && reading->err) {
		char place[sizeof(reading->err->place)];

		snprintf(place, sizeof(place), "value, %.140s", reading->err->place);
		memcpy(reading->err->place, place, sizeof(place));
	}
	return r;
}

/* The bytes of the data, as its content type has them read. */
static int set_data(struct reading *reading, const char *type, const char *data, size_t len)
{
	json_t *value;
	int r;

	if (is_json_type(type)) {
		r = parse_value(reading, data, len, &value);
		return r < 0 ? r : set(reading, "data", value);
	}
	if (text_is_utf8(data, len))
		return set(reading, "data", json_stringn_nocheck(data, len));
	return set(reading, "data_base64", bytes_to_json("", data, len));
}

static bool in_list(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

/* Whether an attribute of a CloudEvent stands in the event under its name. */
static bool is_shown(const char *name)
{
	return !in_list(name, own_names, ARRAY_SIZE(own_names)) && strcmp(name, "specversion") != 0;
}

static int check_attributes(struct reading *reading, const char *where, const char *version)
{
	struct err *err = reading->err;
	const char *text;

	if (strcmp(version, "1.0") != 0)
		return err_set_at(err, ERR_INVALID, where,
						  "specversion %.20s of CloudEvents is not known; 1.0 is", version);
	for (size_t i = 0; i < ARRAY_SIZE(context_names); i++) {
		const char *name = context_names[i];
		const json_t *value = json_object_get(reading->event, name);
		bool required = i < 3;

		if (json_is_null(value) && !required)
			continue;
		if (!json_is_string(value) || json_string_length(value) == 0)
			return err_set_at(err, ERR_INVALID, where,
							  required ? "a CloudEvent has a `%s`, a string that is not empty"
									   : "`%s` of a CloudEvent is a string that is not empty",
							  name);
		if (json_string_length(value) > EVENT_MAX_ATTRIBUTE_BYTES)
			return err_set_at(err, ERR_LIMIT, where, "`%s` has more than %d bytes", name,
							  EVENT_MAX_ATTRIBUTE_BYTES);
	}
	text = json_string_value(json_object_get(reading->event, "time"));
	if (text) {
		wall_ms at;
		int r = time_parse(text, &at, err);

		if (r < 0) {
			err_prefix(err, "`time` of a CloudEvent");
			if (err)
				snprintf(err->place, sizeof(err->place), "%s", where);
			return r;
		}
	}
	return 0;
}

static int read_binary(struct reading *reading, const struct kafka_header *version,
					   const char *type)
{
	const struct kafka_record *record = reading->record;
	char text[32], name[128];
	int r;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct kafka_header *header = &record->headers[i];

		if (strncasecmp(header->name, "ce_", 3) != 0 || !header->name[3] || !header->value)
			continue;
		if (strlen(header->name + 3) >= sizeof(name))
			return err_set_at(reading->err, ERR_LIMIT, "headers",
							  "the name %.64s… has more than %zu bytes", header->name,
							  sizeof(name) + 2);
		lower(header->name + 3, strlen(header->name + 3), name);
		if (!is_shown(name))
			continue;
		if (!text_is_utf8(header->value, header->value_len))
			return err_set_at(reading->err, ERR_INVALID, "headers", "header %.64s is not UTF-8",
							  header->name);
		r = set(reading, name, json_stringn_nocheck(header->value, header->value_len));
		if (r < 0)
			return r;
	}
	if (*type) {
		r = set(reading, "datacontenttype", json_string_nocheck(type));
		if (r < 0)
			return r;
	}
	snprintf(text, sizeof(text), "%.*s",
			 (int)(version->value_len < sizeof(text) ? version->value_len : sizeof(text) - 1),
			 version->value);
	text_clean_utf8(text);
	r = check_attributes(reading, "headers", text);
	if (r < 0 || !record->value)
		return r;
	return set_data(reading, type, record->value, record->value_len);
}

static int read_structured_data(struct reading *reading, const json_t *body)
{
	CLEANUP(buf_release) struct buf bytes = {0};
	json_t *data = json_object_get(body, "data");
	const json_t *base64 = json_object_get(body, "data_base64");
	const char *said = json_string_value(json_object_get(body, "datacontenttype"));
	char type[128];
	int r;

	if (data && base64)
		return err_set_at(reading->err, ERR_INVALID, "value",
						  "a CloudEvent has `data` or `data_base64`, and not both");
	if (!base64)
		return data ? set(reading, "data", json_incref(data)) : 0;
	buf_init(&bytes, EVENT_MAX_BYTES);
	if (!json_is_string(base64) ||
		!base64_decode(json_string_value(base64), json_string_length(base64), &bytes))
		return err_set_at(reading->err, ERR_INVALID, "value", "`data_base64` is not base64");
	r = buf_check(&bytes, "the data of an event", reading->err);
	if (r < 0)
		return r;
	media_type(said ? said : "", said ? strlen(said) : 0, type);
	r = set_data(reading, type, buf_str(&bytes), bytes.len);
	if (r < 0)
		err_prefix(reading->err, "inside `data_base64`");
	return r;
}

static int read_structured(struct reading *reading, json_t *body)
{
	const char *version = json_string_value(json_object_get(body, "specversion"));
	const char *name;
	json_t *value;
	int r;

	if (!version)
		return err_set_at(reading->err, ERR_INVALID, "value",
						  "a CloudEvent has a `specversion`, a string");
	json_object_foreach (body, name, value) {
		/* null is how an attribute that is not there may be written. */
		if (!is_shown(name) || json_is_null(value))
			continue;
		r = set(reading, name, json_incref(value));
		if (r < 0)
			return r;
	}
	r = check_attributes(reading, "value", version);
	return r < 0 ? r : read_structured_data(reading, body);
}

/* type: the media type that the headers say, or "". */
static int read_unsaid(struct reading *reading, const char *type)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	const struct kafka_record *record = reading->record;
	bool structured = strncmp(type, "application/cloudevents", 23) == 0;
	int r;

	if (structured && strcmp(type, "application/cloudevents+json") != 0)
		return err_set_at(reading->err, ERR_INVALID, "header content-type",
						  "%.64s cannot be read; one event as application/cloudevents+json can",
						  type);
	if (!record->value)
		return structured ? err_set_at(reading->err, ERR_INVALID, "value",
									   "there is no value, and content-type says it is an event")
						  : 0;
	if (!structured && !is_json_type(type))
		return set_data(reading, type, record->value, record->value_len);
	r = parse_value(reading, record->value, record->value_len, &body);
	if (r < 0)
		return r;
	if (structured && !json_is_object(body))
		return err_set_at(reading->err, ERR_INVALID, "value", "a CloudEvent is a JSON object");
	if (structured || json_is_string(json_object_get(body, "specversion")))
		return read_structured(reading, body);
	return set(reading, "data", TAKE(body));
}

int cloudevent_read(const struct kafka_record *record, json_t **ret_event, struct err *err)
{
	CLEANUP(json_decref_p) json_t *event = json_object();
	struct reading reading = {.record = record, .event = event, .err = err};
	const struct kafka_header *content_type = kafka_record_header(record, "content-type");
	const struct kafka_header *version = kafka_record_header(record, "ce_specversion");
	char type[128];
	int r;

	if (!event)
		return no_memory(&reading);
	if (record->value_len > EVENT_MAX_BYTES)
		return err_set_at(err, ERR_LIMIT, "value", "the value has %zu bytes, and at most %d",
						  record->value_len, EVENT_MAX_BYTES);
	r = read_record(&reading);
	if (r < 0)
		return r;
	media_type(content_type ? content_type->value : "", content_type ? content_type->value_len : 0,
			   type);
	if (!text_is_utf8(type, strlen(type)))
		return err_set_at(err, ERR_INVALID, "header content-type", "it is not UTF-8");
	if (version && strncmp(type, "application/cloudevents", 23) != 0)
		r = read_binary(&reading, version, type);
	else
		r = read_unsaid(&reading, type);
	if (r < 0)
		return r;
	*ret_event = TAKE(event);
	return 0;
}
