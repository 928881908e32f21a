#include "sagas/message_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sagas/hash.h"
#include "sagas/id.h"

/* What a definition's headers cannot say, in any profile: a command would reach somebody else's
 * handler, or its reply would not find home. */
static const char *const reserved[] = {
	"ce_specversion",
	"ce_id",
	"ce_source",
	"ce_type",
	"ce_subject",
	"ce_time",
	"ce_datacontenttype",
	"content-type",
	"correlation-id",
	"reply-to",
	"idempotency-key",
	"traceparent",
	"kafka_correlationId",
	"kafka_replyTopic",
	"kafka_replyPartition",
	"__TypeId__",
	"ID",
	"DESTINATION",
	"DATE",
	"PARTITION_ID",
	"command_type",
	"command__destination",
	"command_reply_to",
	"command_saga_type",
	"command_saga_id",
};

void message__init(struct message_headers *headers)
{
	*headers = (struct message_headers){0};
	buf_init(&headers->bytes, MESSAGE_MAX_HEADER_BYTES);
}

void message__release(struct message_headers *headers)
{
	buf_release(&headers->bytes);
}

void message__add(struct message_headers *headers, const char *name, const char *value, size_t len)
{
	size_t i = headers->n;

	if (i == MESSAGE_MAX_HEADERS) {
		headers->too_many = true;
		return;
	}
	headers->places[i].name = headers->bytes.len;
	buf_add(&headers->bytes, name, strlen(name) + 1);
	headers->places[i].value = headers->bytes.len;
	headers->places[i].value_len = len;
	buf_add(&headers->bytes, value, len);
	buf_add_char(&headers->bytes, '\0');
	headers->n++;
}

void message__add_str(struct message_headers *headers, const char *name, const char *value)
{
	message__add(headers, name, value, strlen(value));
}

/*
 * One trace for a saga, whose id is as good as random; a span for each attempt, so that what a
 * participant did for one attempt is told from what it did for another.
 */
void message__add_trace(struct message_headers *headers, const struct message_context *context)
{
	CLEANUP(buf_release) struct buf name = {0};
	char text[64], hex[SHA256_HEX_SIZE];
	size_t n = 0;

	if (saga_id_slot(context->saga_id) < 0)
		return;
	buf_init(&name, 0);
	buf_printf(&name, "%s#%lld", context->id, (long long)context->attempt);
	hash_sha256_hex(buf_str(&name), name.len, hex);
	n += (size_t)snprintf(text, sizeof(text), "00-");
	for (const char *c = context->saga_id; *c; c++) {
		if (*c != '-')
			text[n++] = *c;
	}
	snprintf(text + n, sizeof(text) - n, "-%.16s-01", hex);
	message__add_str(headers, "traceparent", text);
}

void message__add_context(struct message_headers *headers, const struct message_context *context,
						  bool has_data)
{
	CLEANUP(free_p) char *source = xasprintf("/skald/%s/%s", context->ns, context->definition);
	char at[TIME_TEXT_SIZE];

	message__add_str(headers, "ce_specversion", "1.0");
	message__add_str(headers, "ce_id", context->id);
	message__add_str(headers, "ce_source", source);
	message__add_str(headers, "ce_type", context->type);
	if (context->subject)
		message__add_str(headers, "ce_subject", context->subject);
	if (context->at) {
		time_format(context->at, at);
		message__add_str(headers, "ce_time", at);
	}
	if (has_data)
		message__add_str(headers, "content-type", "application/json");
	message__add_trace(headers, context);
}

static bool is_reserved(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (strcasecmp(name, reserved[i]) == 0)
			return true;
	}
	return false;
}

void message__own(const struct request *request,
				  void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	for (char **header = request->headers; header && *header; header++) {
		const char *colon = strstr(*header, ": ");
		CLEANUP(free_p) char *name = NULL;

		if (!colon || colon == *header)
			continue;
		name = xstrndup(*header, (size_t)(colon - *header));
		if (!is_reserved(name))
			each(ctx, name, colon + 2);
	}
}

static void add_one(void *ctx, const char *name, const char *value)
{
	message__add_str(ctx, name, value);
}

void message__add_own(struct message_headers *headers, const struct request *request)
{
	message__own(request, add_one, headers);
}

int message__finish(const struct message_headers *headers, struct kafka_header *list,
					struct err *err)
{
	const char *bytes = buf_str(&headers->bytes);
	int r = buf_check(&headers->bytes, "the headers of a record", err);

	if (r < 0)
		return r;
	if (headers->too_many)
		return err_set(err, ERR_LIMIT, "a record has at most %d headers", MESSAGE_MAX_HEADERS);
	for (size_t i = 0; i < headers->n; i++)
		list[i] = (struct kafka_header){
			.name = bytes + headers->places[i].name,
			.value = bytes + headers->places[i].value,
			.value_len = headers->places[i].value_len,
		};
	return 0;
}
