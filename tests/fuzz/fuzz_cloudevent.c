/*
 * Records of Kafka, as anybody may write them: lines "name: value" as headers, an empty line, and
 * the value; a first line "key: …" is the key, and a record without an empty line has no value.
 * Read as an event and as a reply; what is refused is refused with a reason, and what is read can
 * be written, read again and stored.
 */
#include <stdint.h>
#include <string.h>

#include "sagas/cloudevent.h"
#include "sagas/json_text.h"
#include "sagas/reply_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 120 };

struct parsed {
	struct kafka_record record;
	struct kafka_header headers[HEADERS_MAX];
	char *lines; /* with a NUL behind each name */
};

static void parse(const uint8_t *data, size_t size, struct parsed *parsed)
{
	char *at, *end, *line_end, *colon;

	*parsed = (struct parsed){.record = {.cluster = "c", .topic = "t", .at = 1767225600000}};
	parsed->lines = xcalloc(size + 1, 1);
	memcpy(parsed->lines, data, size);
	at = parsed->lines;
	end = at + size;
	for (; at < end; at = line_end + 1) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (line_end == at) {
			parsed->record.value = at + 1;
			parsed->record.value_len = (size_t)(end - at - 1);
			break;
		}
		if (!line_end)
			line_end = end;
		colon = memmem(at, (size_t)(line_end - at), ": ", 2);
		if (!colon || memchr(at, '\0', (size_t)(colon - at)))
			continue;
		*colon = '\0';
		if (at == parsed->lines && strcmp(at, "key") == 0) {
			parsed->record.key = colon + 2;
			parsed->record.key_len = (size_t)(line_end - colon - 2);
		} else if (parsed->record.n_headers < HEADERS_MAX) {
			parsed->headers[parsed->record.n_headers++] =
				(struct kafka_header){at, colon + 2, (size_t)(line_end - colon - 2)};
		}
	}
	parsed->record.headers = parsed->headers;
}

static void read_event(const struct kafka_record *record)
{
	CLEANUP(json_decref_p) json_t *event = NULL, *again = NULL;
	struct buf out;
	struct err err = {0};

	if (cloudevent_read(record, &event, &err) < 0) {
		CHECK(err.text[0] && err.place[0]);
		return;
	}
	buf_init(&out, 0);
	json_write(event, &out);
	CHECK(!out.failed);
	CHECK(json_parse_stored(buf_str(&out), out.len, &again, &err) == 0);
	CHECK(json_equal(event, again));
	buf_release(&out);
	CHECK(json_is_string(json_object_get(event, "topic")));
	CHECK(json_is_object(json_object_get(event, "headers")));
	CHECK(json_object_get(event, "data"));
}

static void read_reply(const struct kafka_record *record)
{
	struct kafka_reply reply;
	struct buf out;
	struct err err = {0};
	const char *text;
	size_t len;

	if (kafka_reply_read(record, &reply, &err) < 0) {
		CHECK(err.text[0]);
		return;
	}
	text = jval_text(reply.body, &len);
	CHECK(json_text_check(text, len, &err) == 0);
	CHECK(!reply.code || strlen(reply.code) < 128);
	/* What it correlates with is read from what is written of it. */
	buf_init(&out, 0);
	correlation_write(&reply.correlation, &out);
	CHECK(correlation_read(buf_str(&out), out.len, &reply.correlation));
	buf_release(&out);
	kafka_reply_release(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parsed parsed;

	parse(data, size, &parsed);
	read_event(&parsed.record);
	read_reply(&parsed.record);
	free(parsed.lines);
	return 0;
}
