#include "sagas/webhook_event.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *const webhook_headers[] = {
	"webhook-id",     "webhook-timestamp", "idempotency-key", "user-agent",
	"x-github-event", "x-github-delivery", "ce-id",           "ce-type",
	"ce-source",      "ce-subject",        "x-request-id",    NULL,
};

static const char *header_of(const struct webhook_post *post, const char *name)
{
	const char *value = post->header(post->ctx, name);

	return value && *value ? value : NULL;
}

/* It stands in ids that have slashes around it. */
static bool may_be_id(const char *text)
{
	size_t len =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+=");

	return len > 0 && len < WEBHOOK_ID_SIZE && !text[len];
}

void webhook_event_id(const struct webhook_post *post, char ret[WEBHOOK_ID_SIZE])
{
	static const char *const names[] = {"webhook-id", "idempotency-key", "x-github-delivery",
										"ce-id"};
	const char *said = NULL;
	char hex[SHA256_HEX_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !said; i++)
		said = header_of(post, names[i]);
	if (said && may_be_id(said)) {
		snprintf(ret, WEBHOOK_ID_SIZE, "%s", said);
		return;
	}
	if (said)
		hash_sha256_hex(said, strlen(said), hex);
	else
		hash_sha256_hex(post->text, post->len, hex);
	snprintf(ret, WEBHOOK_ID_SIZE, "sha256-%s", hex);
}

static bool is_envelope(const json_t *body)
{
	return json_is_string(json_object_get(body, "type")) && json_object_get(body, "data");
}

/* All of it but its data. */
static json_t *envelope_of(json_t *body)
{
	json_t *rest = json_copy(body);

	json_object_del(rest, "data");
	return rest;
}

static json_t *type_of(const struct webhook_post *post)
{
	json_t *type = json_object_get(post->body, "type");
	const char *said = header_of(post, "ce-type");

	if (json_is_string(type))
		return json_incref(type);
	if (!said)
		said = header_of(post, "x-github-event");
	type = said ? json_string(said) : NULL;
	return type ? type : json_null();
}

/* When it happened, if it says so as RFC 3339. */
static json_t *time_of(const struct webhook_post *post)
{
	static const char *const names[] = {"time", "timestamp"};
	char text[TIME_TEXT_SIZE];
	wall_ms at = post->now;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *said = json_string_value(json_object_get(post->body, names[i]));

		if (said && time_parse(said, &at, NULL) == 0)
			break;
		at = post->now;
	}
	time_format(at, text);
	return json_string(text);
}

static json_t *headers_of(const struct webhook_post *post)
{
	json_t *headers = json_object();

	for (const char *const *name = webhook_headers; *name; name++) {
		const char *value = header_of(post, *name);

		if (value) /* what is no UTF-8 is left out */
			json_object_set_new(headers, *name, json_string(value));
	}
	return headers;
}

json_t *webhook_event(const struct webhook_post *post, const char *id)
{
	bool envelope = is_envelope(post->body);
	json_t *event = json_object();

	json_object_set_new_nocheck(event, "id", json_string(id));
	json_object_set_new_nocheck(event, "type", type_of(post));
	json_object_set_new_nocheck(event, "source", json_string(post->source));
	json_object_set_new_nocheck(event, "time", time_of(post));
	json_object_set_nocheck(event, "data",
							envelope ? json_object_get(post->body, "data") : post->body);
	json_object_set_new_nocheck(event, "headers", headers_of(post));
	if (envelope)
		json_object_set_new_nocheck(event, "envelope", envelope_of(post->body));
	return event;
}
