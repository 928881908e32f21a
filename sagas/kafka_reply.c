/*
 * Replies out of records. What correlates a reply is looked for where each framework puts it:
 *
 *   header correlation-id or ce_correlationid        native
 *   header kafka_correlationId                       spring
 *   value {"payload","headers"}, reply_to_message_id eventuate
 *   value {"specversion",…,"correlationid"}          native, as a structured CloudEvent
 *
 * A record that names one of our actions is an answer, also where the rest of it makes no sense: it
 * is then of unknown outcome, with a code that says why, rather than dropped until a time-out says
 * less. What an answer means beyond that (rules by code, expressions) is for the core to judge.
 */
#include "sagas/reply_profile.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/base64.h"
#include "sagas/base/text.h"
#include "sagas/cloudevent.h"
#include "sagas/json_text.h"

enum { CODE_MAX_BYTES = 127, MESSAGE_MAX_BYTES = 1000, TYPE_MAX_BYTES = 255 };

/* A copy of at most max bytes, as clean UTF-8. */
static char *copy_text(const char *text, size_t len, size_t max)
{
	char *copy = xstrndup(text, len < max ? len : max);

	text_clean_utf8(copy);
	return copy;
}

static void set_text(char **to, const char *text, size_t len, size_t max)
{
	free(*to);
	*to = len > 0 ? copy_text(text, len, max) : NULL;
}

static void set_bad(struct kafka_reply *reply, const char *code, const char *message)
{
	reply->outcome = OUTCOME_UNKNOWN;
	set_text(&reply->code, code, strlen(code), CODE_MAX_BYTES);
	set_text(&reply->message, message, strlen(message), MESSAGE_MAX_BYTES);
}

static bool is_probe(enum call_kind kind)
{
	return kind == CALL_PROBE_DO || kind == CALL_PROBE_UNDO;
}

/* Nonsense is the same as not knowing; but the reason is told. */
static void set_outcome(struct kafka_reply *reply, const char *text, size_t len)
{
	static const struct {
		const char *text;
		enum outcome outcome;
	} outcomes[] = {
		{"success", OUTCOME_SUCCESS}, {"failure", OUTCOME_FAILURE}, {"ongoing", OUTCOME_ONGOING},
		{"unknown", OUTCOME_UNKNOWN}, {"absent", OUTCOME_ABSENT},
	};
	CLEANUP(free_p) char *said = copy_text(text, len, 40);
	CLEANUP(free_p) char *message = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		if (strcasecmp(said, outcomes[i].text) == 0 &&
			(outcomes[i].outcome != OUTCOME_ABSENT || is_probe(reply->correlation.kind))) {
			reply->outcome = outcomes[i].outcome;
			return;
		}
	}
	message = xasprintf(
		"the reply says outcome `%s`; success, failure, ongoing and unknown are known", said);
	set_bad(reply, "bad_reply", message);
}

/*
 * The text of a header. Spring writes strings as JSON strings if it is asked to be compatible with
 * its older versions, and then lists them in a header of its own.
 */
static char *header_text(const struct kafka_record *record, const struct kafka_header *header,
						 size_t max)
{
	CLEANUP(json_decref_p) json_t *value = NULL;

	if (header->value_len >= 2 && header->value[0] == '"' &&
		kafka_record_header(record, "spring_json_header_types") &&
		json_parse(header->value, header->value_len, &value, NULL) == 0 && json_is_string(value))
		return copy_text(json_string_value(value), json_string_length(value), max);
	return copy_text(header->value, header->value_len, max);
}

static const struct kafka_header *first_of(const struct kafka_record *record,
										   const char *const *names)
{
	const struct kafka_header *header = NULL;

	for (; !header && *names; names++)
		header = kafka_record_header(record, *names);
	return header;
}

static bool take_header(const struct kafka_record *record, const char *const *names, size_t max,
						char **ret)
{
	const struct kafka_header *header = first_of(record, names);

	if (!header)
		return false;
	free(*ret);
	*ret = header_text(record, header, max);
	return true;
}

/* Any content as JSON: as it is, else as a string, else as base64, as bodies of HTTP replies are.
 */
static int set_body(struct kafka_reply *reply, const char *data, size_t len, struct err *err)
{
	CLEANUP(buf_release) struct buf out = {0};
	char *text;
	int r;

	buf_init(&out, 0);
	if (json_text_check(data, len, NULL) == 0) {
		buf_add(&out, data, len);
	} else if (text_is_utf8(data, len)) {
		json_write_string(data, len, &out);
	} else {
		buf_add_char(&out, '"');
		base64_encode(data, len, &out);
		buf_add_char(&out, '"');
	}
	r = buf_check(&out, "the body of a reply", err);
	if (r < 0)
		return r;
	text = buf_take(&out, &len);
	jval_unref(reply->body);
	reply->body = jval_from_text(text, len);
	return 0;
}

static const char *text_at(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* A structured CloudEvent: its extensions say what headers would. */
static void read_structured(json_t *event, struct kafka_reply *reply)
{
	const char *outcome = text_at(event, "outcome"), *code = text_at(event, "errorcode");
	const char *message = text_at(event, "errormessage"), *type = text_at(event, "type");
	json_t *data = json_object_get(event, "data");

	if (code)
		set_text(&reply->code, code, strlen(code), CODE_MAX_BYTES);
	if (message)
		set_text(&reply->message, message, strlen(message), MESSAGE_MAX_BYTES);
	if (type)
		set_text(&reply->type, type, strlen(type), TYPE_MAX_BYTES);
	if (outcome)
		set_outcome(reply, outcome, strlen(outcome));
	if (json_object_get(event, "data_base64"))
		data = json_object_get(event, "data_base64");
	jval_unref(reply->body);
	reply->body = jval_from_json(json_incref(data));
}

/* Whether the value is worth being read as a structured CloudEvent. */
static bool may_be_structured(const struct kafka_record *record)
{
	const struct kafka_header *type = kafka_record_header(record, "content-type");

	if (!record->value || kafka_record_header(record, "ce_specversion"))
		return false;
	if (type && type->value_len >= 23 &&
		strncasecmp(type->value, "application/cloudevents", 23) == 0)
		return true;
	return memmem(record->value, record->value_len, "\"specversion\"", 13) != NULL;
}

/* What Spring's DeadLetterPublishingRecoverer says, when it is told to send to the reply topic. */
static bool read_spring_exception(const struct kafka_record *record, struct kafka_reply *reply)
{
	static const char *const causes[] = {"kafka_dlt-exception-cause-fqcn",
										 "kafka_exception-cause-fqcn", NULL};
	static const char *const classes[] = {"kafka_dlt-exception-fqcn", "kafka_exception-fqcn", NULL};
	static const char *const messages[] = {"kafka_dlt-exception-message", "kafka_exception-message",
										   NULL};

	if (!first_of(record, classes) && !first_of(record, causes) && !first_of(record, messages))
		return false;
	if (!take_header(record, causes, CODE_MAX_BYTES, &reply->code))
		take_header(record, classes, CODE_MAX_BYTES, &reply->code);
	take_header(record, messages, MESSAGE_MAX_BYTES, &reply->message);
	reply->outcome = OUTCOME_UNKNOWN;
	return true;
}

/* Outcome, code, message and type, as headers say them. */
static void read_said(const struct kafka_record *record, struct kafka_reply *reply)
{
	static const char *const outcomes[] = {"outcome", "ce_outcome", NULL};
	static const char *const codes[] = {"error-code", "ce_errorcode", NULL};
	static const char *const messages[] = {"error-message", "ce_errormessage", NULL};
	static const char *const types[] = {"ce_type", NULL}, *const classes[] = {"__TypeId__", NULL};
	CLEANUP(free_p) char *outcome = NULL;

	if (reply->profile == PROFILE_SPRING)
		take_header(record, classes, TYPE_MAX_BYTES, &reply->type);
	if (!reply->type)
		take_header(record, types, TYPE_MAX_BYTES, &reply->type);
	take_header(record, codes, CODE_MAX_BYTES, &reply->code);
	take_header(record, messages, MESSAGE_MAX_BYTES, &reply->message);
	if (take_header(record, outcomes, 40, &outcome))
		set_outcome(reply, outcome, strlen(outcome));
}

/* What is no event after all is a body like any other. */
static int read_value(const struct kafka_record *record, struct kafka_reply *reply, struct err *err)
{
	CLEANUP(json_decref_p) json_t *event = NULL;
	struct err why = {0};
	int r;

	if (!record->value)
		return 0;
	if (!may_be_structured(record))
		return set_body(reply, record->value, record->value_len, err);
	r = cloudevent_read(record, &event, &why);
	if (r == ERR_NO_MEMORY)
		return err_set(err, ERR_NO_MEMORY, "%s", why.text);
	if (r < 0) {
		set_bad(reply, "bad_reply", why.text);
		return 0;
	}
	if (json_is_string(json_object_get(event, "source"))) {
		read_structured(event, reply);
		return 0;
	}
	return set_body(reply, record->value, record->value_len, err);
}

/* The correlation stands in a header, so whatever the value is, this is an answer. */
static int read_with_headers(const struct kafka_record *record, struct kafka_reply *reply,
							 struct err *err)
{
	int r;

	/* The value and all else of such a record is still the command's. */
	if (reply->profile == PROFILE_SPRING && !kafka_record_header(record, "outcome") &&
		read_spring_exception(record, reply))
		return 0;
	if (record->value_len > EVENT_MAX_BYTES) {
		read_said(record, reply);
		set_bad(reply, "reply_too_large", "the reply has more than 2 MiB");
		return 0;
	}
	r = read_value(record, reply, err);
	if (r == 0)
		read_said(record, reply);
	return r;
}

static int read_correlation(const char *text, size_t len, struct kafka_reply *reply,
							struct err *err)
{
	if (correlation_read(text, len, &reply->correlation))
		return 0;
	return err_set(err, ERR_NOT_FOUND, "it is not correlated with a saga");
}

/*
 * An envelope of Eventuate. Without an outcome it is what CommandDispatcher answers when the
 * handler threw: something may have been done, so that is no definite failure.
 */
static int read_envelope(json_t *value, struct kafka_reply *reply, struct err *err)
{
	const json_t *headers = json_object_get(value, "headers");
	const json_t *payload = json_object_get(value, "payload");
	const json_t *in_reply_to = json_object_get(headers, "reply_to_message_id");
	const char *outcome = text_at(headers, "reply_outcome-type");
	const char *type = text_at(headers, "reply_type");
	const char *code = text_at(headers, "error-code"), *message = text_at(headers, "error-message");
	int r;

	if (!json_is_string(in_reply_to))
		return err_set(err, ERR_NOT_FOUND, "it is not correlated with a saga");
	reply->profile = PROFILE_EVENTUATE;
	r = read_correlation(json_string_value(in_reply_to), json_string_length(in_reply_to), reply,
						 err);
	if (r < 0)
		return r;
	if (type)
		set_text(&reply->type, type, strlen(type), TYPE_MAX_BYTES);
	if (outcome)
		set_outcome(reply, outcome, strlen(outcome));
	else
		set_bad(reply, "no_outcome", "the handler of the command threw an exception");
	if (code)
		set_text(&reply->code, code, strlen(code), CODE_MAX_BYTES);
	else if (reply->outcome == OUTCOME_FAILURE && type)
		set_text(&reply->code, type, strlen(type), CODE_MAX_BYTES);
	if (message)
		set_text(&reply->message, message, strlen(message), MESSAGE_MAX_BYTES);
	if (!json_is_string(payload))
		return 0;
	return set_body(reply, json_string_value(payload), json_string_length(payload), err);
}

/* An EventuateKafkaMultiMessage, which its CDC service makes when told to batch. */
static bool is_batch(const struct kafka_record *record)
{
	static const char magic[] = "a8c79db675e14c4cbf1eb77d0d6d0f00";

	return record->value_len > 32 && memcmp(record->value, magic, 32) == 0;
}

/* No header correlates it, so only the value can. */
static int read_without_headers(const struct kafka_record *record, struct kafka_reply *reply,
								struct err *err)
{
	CLEANUP(json_decref_p) json_t *value = NULL, *event = NULL;
	const json_t *id;
	int r;

	if (!record->value || record->value_len > EVENT_MAX_BYTES)
		return err_set(err, ERR_NOT_FOUND, "it is not correlated with a saga");
	if (is_batch(record))
		return err_set(err, ERR_INVALID,
					   "a batch of messages of Eventuate cannot be read: its CDC service must send "
					   "them one by one (eventuateLocal.cdc.enableBatchProcessing=false)");
	if (may_be_structured(record)) {
		r = cloudevent_read(record, &event, err);
		id = r == 0 ? json_object_get(event, "correlationid") : NULL;
		if (r == ERR_NO_MEMORY)
			return r;
		if (!json_is_string(id))
			return err_set(err, ERR_NOT_FOUND, "it is not correlated with a saga");
		r = read_correlation(json_string_value(id), json_string_length(id), reply, err);
		if (r == 0)
			read_structured(event, reply);
		return r;
	}
	r = json_parse(record->value, record->value_len, &value, err);
	if (r == ERR_NO_MEMORY)
		return r;
	if (r < 0 || !json_is_object(json_object_get(value, "headers")))
		return err_set(err, ERR_NOT_FOUND, "it is not correlated with a saga");
	return read_envelope(value, reply, err);
}

int kafka_reply_read(const struct kafka_record *record, struct kafka_reply *ret_reply,
					 struct err *err)
{
	static const char *const native[] = {"correlation-id", "ce_correlationid", NULL};
	static const char *const spring[] = {"kafka_correlationId", NULL};
	struct kafka_reply reply = {.profile = PROFILE_NATIVE, .outcome = OUTCOME_DEFAULT};
	const struct kafka_header *header = first_of(record, native);
	int r;

	reply.body = jval_from_json(json_null());
	if (!header) {
		header = first_of(record, spring);
		if (header)
			reply.profile = PROFILE_SPRING;
	}
	if (header)
		r = read_correlation(header->value, header->value_len, &reply, err);
	else
		r = read_without_headers(record, &reply, err);
	if (r == 0 && header)
		r = read_with_headers(record, &reply, err);
	if (r < 0) {
		kafka_reply_release(&reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

void kafka_reply_release(struct kafka_reply *reply)
{
	free(reply->code);
	free(reply->message);
	free(reply->type);
	jval_unref(reply->body);
	*reply = (struct kafka_reply){0};
}
