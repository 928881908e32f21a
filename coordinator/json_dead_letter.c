#include "coordinator/json_dead_letter.h"

#include <string.h>

#include "sagas/base/base64.h"
#include "sagas/base/text.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { HEADERS_MAX = 100 };

void json_dead_letter_open(const struct dead_letter_row *row, struct buf *out)
{
	buf_printf(out, "{\"id\":\"%s\"", row->id);
	json_member_text(out, "trigger", row->trigger);
	json_member_text(out, "cluster", row->cluster);
	json_member_text(out, "topic", row->topic);
	buf_printf(out, ",\"partition\":%d,\"offset\":%lld", row->partition, (long long)row->offset);
	json_member_time(out, "timestamp", row->at);
	json_member_time(out, "failed_at", row->failed_at);
	json_member_text(out, "reason", row->reason);
	json_member_text(out, "message", row->message);
	buf_printf(out, ",\"attempts\":%lld,\"key_bytes\":%zu,\"value_bytes\":%zu",
			   (long long)row->attempts, row->key_len, row->value_len);
	json_member_text(out, "status", dead_letter_status_text(row->status));
	json_member_text(out, "saga_id", row->saga_id);
	json_member_time(out, "updated_at", row->updated_at);
}

/* The members of {"text"} or {"base64"}. */
static void add_bytes(struct buf *out, const char *bytes, size_t len)
{
	if (text_is_utf8(bytes, len) && !memchr(bytes, '\0', len)) {
		buf_add_lit(out, "\"text\":");
		json_write_string(bytes, len, out);
	} else {
		buf_add_lit(out, "\"base64\":\"");
		base64_encode(bytes, len, out);
		buf_add_char(out, '"');
	}
}

static void add_part(struct buf *out, const char *name, const void *bytes, size_t len)
{
	buf_printf(out, ",\"%s\":", name);
	if (!bytes) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	add_bytes(out, bytes, len);
	buf_add_char(out, '}');
}

static void add_header(struct buf *out, const json_t *pair, bool first)
{
	const char *name = json_string_value(json_array_get(pair, 0));
	const json_t *value = json_array_get(pair, 1);
	struct buf bytes;

	buf_init(&bytes, 0);
	buf_add_str(out, first ? "{\"name\":" : ",{\"name\":");
	json_write_string(name ? name : "", name ? strlen(name) : 0, out);
	if (json_is_string(value) &&
		base64_decode(json_string_value(value), json_string_length(value), &bytes)) {
		buf_add_char(out, ',');
		add_bytes(out, buf_str(&bytes), bytes.len);
	}
	buf_add_char(out, '}');
	buf_release(&bytes);
}

void json_dead_letter(const struct dead_letter_row *row, struct buf *out)
{
	CLEANUP(json_decref_p) json_t *headers = NULL;
	size_t i;
	json_t *pair;

	json_dead_letter_open(row, out);
	add_part(out, "key", row->key, row->key_len);
	add_part(out, "value", row->value, row->value_len);
	buf_add_lit(out, ",\"headers\":[");
	if (!row->headers || json_parse_stored(row->headers, strlen(row->headers), &headers, NULL) < 0)
		headers = NULL;
	json_array_foreach (headers, i, pair)
		add_header(out, pair, i == 0);
	buf_add_lit(out, "]}");
}

int bytes_from_json(const json_t *value, const char *what, struct buf *out, bool *ret_none,
					struct err *err)
{
	const json_t *text = json_object_get(value, "text"), *json = json_object_get(value, "json"),
				 *base64 = json_object_get(value, "base64");

	*ret_none = json_is_null(value);
	if (*ret_none)
		return 0;
	if (json_object_size(value) != 1 ||
		!(json || (text && json_is_string(text)) || (base64 && json_is_string(base64))))
		return err_set(err, ERR_INVALID,
					   "%s must be null, or an object with one of text, base64 and json", what);
	if (json)
		json_write(json, out);
	else if (text)
		buf_add(out, json_string_value(text), json_string_length(text));
	else if (!base64_decode(json_string_value(base64), json_string_length(base64), out))
		return err_set(err, ERR_INVALID, "%s is not base64", what);
	return buf_check(out, what, err);
}

static int add_stored_header(const json_t *header, struct buf *out, struct err *err)
{
	const char *name = json_string_value(json_object_get(header, "name"));
	CLEANUP(json_decref_p) json_t *value = json_copy((json_t *)header);
	struct buf bytes;
	bool none = false;
	int r;

	if (!name || !*name)
		return err_set(err, ERR_INVALID, "each header must be an object with a name");
	buf_init(&bytes, 0);
	json_object_del(value, "name");
	if (json_object_size(value) == 0) {
		none = true;
		r = 0;
	} else {
		r = bytes_from_json(value, "a header", &bytes, &none, err);
	}
	buf_add_str(out, out->len > 1 ? ",[" : "[");
	json_write_string(name, strlen(name), out);
	if (none) {
		buf_add_lit(out, ",null]");
	} else {
		buf_add_lit(out, ",\"");
		base64_encode(buf_str(&bytes), bytes.len, out);
		buf_add_lit(out, "\"]");
	}
	buf_release(&bytes);
	return r;
}

int headers_from_json(const json_t *list, struct buf *out, struct err *err)
{
	size_t i;
	json_t *header;
	int r = 0;

	if (!json_is_array(list) || json_array_size(list) > HEADERS_MAX)
		return err_set(err, ERR_INVALID, "headers must be a list of at most %d", HEADERS_MAX);
	buf_add_char(out, '[');
	json_array_foreach (list, i, header) {
		r = add_stored_header(header, out, err);
		if (r < 0)
			return r;
	}
	buf_add_char(out, ']');
	return buf_check(out, "the headers", err);
}
