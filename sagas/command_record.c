/*
 * Commands as records, in three profiles. The bytes of the data are the request's, made once and
 * stored; what stands around them is made for each attempt, and differs only in what tells attempts
 * apart (the span, the date).
 */
#include "sagas/reply_profile.h"

#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/message_priv.h"

static const char *const profile_texts[] = {
#define X(name, text) [name] = (text),
	REPLY_PROFILES(X)
#undef X
};

const char *reply_profile_text(enum reply_profile profile)
{
	return profile_texts[profile];
}

int reply_profile_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(profile_texts); i++) {
		if (strcmp(text, profile_texts[i]) == 0)
			return (int)i;
	}
	return -1;
}

/*
 * "Mon, 23 Nov 2026 08:05:09 GMT", as java.time's RFC_1123_DATE_TIME has it (which writes a day
 * below ten with one digit).
 */
static void format_http_date(wall_ms at, char text[40])
{
	static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
									 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int64_t seconds = (at > 0 ? at : 0) / 1000;
	int64_t day = seconds / 86400;
	int of_day = (int)(seconds % 86400);
	struct civil_day date = civil_from_days(day);

	snprintf(text, 40, "%s, %d %s %04d %02d:%02d:%02d GMT", days[day % 7], date.day,
			 months[date.month - 1], (int)date.year, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

struct envelope {
	struct buf out;
	bool any;
};

static void add_member(void *ctx, const char *name, const char *value)
{
	struct envelope *envelope = ctx;

	if (envelope->any)
		buf_add_char(&envelope->out, ',');
	envelope->any = true;
	json_write_string(name, strlen(name), &envelope->out);
	buf_add_char(&envelope->out, ':');
	json_write_string(value, strlen(value), &envelope->out);
}

/*
 * {"payload":"<the data as text>","headers":{…}}: what io.eventuate.tram.messaging.common
 * .MessageImpl is read from. Its ID comes back as reply_to_message_id, and each command_x as
 * commandreply_x.
 */
static int make_envelope(const struct request *request, const struct command_address *address,
						 struct command_record *record, struct err *err)
{
	struct envelope envelope = {0};
	char date[40];
	int r;

	format_http_date(address->at, date);
	buf_init(&envelope.out, 0);
	buf_add_lit(&envelope.out, "{\"payload\":");
	if (request->body)
		json_write_string(request->body, request->body_len, &envelope.out);
	else
		buf_add_lit(&envelope.out, "\"{}\"");
	buf_add_lit(&envelope.out, ",\"headers\":{");
	add_member(&envelope, "ID", request->correlation);
	add_member(&envelope, "DESTINATION", address->topic);
	add_member(&envelope, "DATE", date);
	add_member(&envelope, "PARTITION_ID", record->record.key);
	add_member(&envelope, "command_type", request->type);
	add_member(&envelope, "command__destination", address->topic);
	add_member(&envelope, "command_reply_to", address->reply_topic);
	add_member(&envelope, "command_saga_type", address->definition);
	add_member(&envelope, "command_saga_id", address->saga_id);
	add_member(&envelope, "idempotency-key", request->key);
	message__own(request, add_member, &envelope);
	buf_add_lit(&envelope.out, "}}");
	r = buf_check(&envelope.out, "the envelope of a command", err);
	if (r < 0) {
		buf_release(&envelope.out);
		return r;
	}
	record->value = buf_take(&envelope.out, &record->record.value_len);
	record->record.value = record->value;
	return 0;
}

static void add_headers(enum reply_profile profile, const struct request *request,
						const struct command_address *address, bool has_data,
						struct message_headers *headers)
{
	const struct message_context context = {
		.id = request->correlation,
		.type = request->type,
		.subject = address->saga_id,
		.ns = address->ns,
		.definition = address->definition,
		.saga_id = address->saga_id,
		.attempt = address->attempt,
	};

	switch (profile) {
	case PROFILE_NATIVE:
		message__add_context(headers, &context, has_data);
		message__add_str(headers, "correlation-id", request->correlation);
		message__add_str(headers, "reply-to", address->reply_topic);
		break;
	case PROFILE_SPRING:
		message__add_context(headers, &context, has_data);
		message__add_str(headers, "kafka_correlationId", request->correlation);
		message__add_str(headers, "kafka_replyTopic", address->reply_topic);
		message__add_str(headers, "__TypeId__", request->type);
		break;
	case PROFILE_EVENTUATE:
		/* The value is no event with these attributes, but an envelope: the trace is enough. */
		message__add_trace(headers, &context);
		break;
	}
	message__add_str(headers, "idempotency-key", request->key);
	if (profile != PROFILE_EVENTUATE)
		message__add_own(headers, request);
}

/* Without data a command of native has no value; the frameworks want an object to read. */
static int add_value(enum reply_profile profile, const struct request *request,
					 const struct command_address *address, struct command_record *record,
					 struct err *err)
{
	switch (profile) {
	case PROFILE_NATIVE:
		break;
	case PROFILE_SPRING:
		if (request->body)
			break;
		record->record.value = "{}";
		record->record.value_len = 2;
		return 0;
	case PROFILE_EVENTUATE:
		return make_envelope(request, address, record, err);
	}
	record->record.value = request->body;
	record->record.value_len = request->body ? request->body_len : 0;
	return 0;
}

int command_record_make(enum reply_profile profile, const struct request *request,
						const struct command_address *address, struct command_record *ret_record,
						struct err *err)
{
	struct message_headers headers;
	const char *key = request->record_key ? request->record_key : address->saga_id;
	int r;

	CHECK(request->kind == REQUEST_COMMAND && request->correlation && request->type);
	ret_record->bytes = ret_record->value = NULL;
	ret_record->record = (struct kafka_record){
		.cluster = address->cluster,
		.topic = address->topic,
		.partition = -1,
		.offset = -1,
		.at = address->at,
		.key = key,
		.key_len = strlen(key),
		.headers = ret_record->headers,
	};
	r = add_value(profile, request, address, ret_record, err);
	if (r < 0)
		return r;
	message__init(&headers);
	add_headers(profile, request, address, ret_record->record.value != NULL, &headers);
	r = message__finish(&headers, ret_record->headers, err);
	if (r < 0) {
		message__release(&headers);
		command_record_release(ret_record);
		return r;
	}
	ret_record->record.n_headers = headers.n;
	ret_record->bytes = buf_take(&headers.bytes, NULL);
	return 0;
}

void command_record_release(struct command_record *record)
{
	free(record->bytes);
	free(record->value);
	record->bytes = record->value = NULL;
}
