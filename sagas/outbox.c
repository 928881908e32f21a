#include "sagas/outbox_priv.h"

#include <string.h>

#include "sagas/json_text.h"
#include "sagas/message_priv.h"

void outbox_init(struct outbox *outbox)
{
	*outbox = (struct outbox){0};
}

void outbox_release(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n_events; i++) {
		struct outbox_event *event = &outbox->events[i];

		free(event->cluster);
		free(event->topic);
		free(event->key);
		free(event->type);
		free(event->headers);
		free(event->payload);
	}
	free(outbox->events);
	outbox_init(outbox);
}

/* Consumers keep ids for as long as they deduplicate: how one is made may never change. */
static void make_id(const struct outbox_origin *origin, int place, char id[UUID_SIZE])
{
	CLEANUP(buf_release) struct buf name = {0};

	buf_init(&name, 0);
	buf_printf(&name, "outbox/%s/%lld/%d", origin->saga_id, (long long)origin->seq, place);
	hash_uuid5(buf_str(&name), name.len, id);
}

static int make_headers(const struct outbox_origin *origin, const struct outbox_message *message,
						const char *id, char **ret_json, struct err *err)
{
	const struct message_context context = {
		.id = id,
		.type = message->type,
		.subject = origin->saga_id,
		.ns = origin->ns,
		.definition = origin->definition,
		.saga_id = origin->saga_id,
		.at = origin->at,
	};
	struct kafka_header list[MESSAGE_MAX_HEADERS];
	CLEANUP(buf_release) struct buf json = {0};
	struct message_headers headers;
	int r;

	message__init(&headers);
	message__add_context(&headers, &context, message->payload != NULL);
	if (message->own_headers)
		message__add_own(&headers, message->own_headers);
	r = message__finish(&headers, list, err);
	buf_init(&json, 0);
	for (size_t i = 0; r == 0 && i < headers.n; i++) {
		buf_add_char(&json, i ? ',' : '{');
		json_write_string(list[i].name, strlen(list[i].name), &json);
		buf_add_char(&json, ':');
		json_write_string(list[i].value, list[i].value_len, &json);
	}
	buf_add_char(&json, '}');
	message__release(&headers);
	if (r == 0)
		r = buf_check(&json, "the headers of an event", err);
	if (r == 0)
		*ret_json = buf_take(&json, NULL);
	return r;
}

int outbox__add(struct outbox *outbox, const struct outbox_origin *origin,
				const struct outbox_message *message, struct err *err)
{
	struct outbox_event event = {.place = (int)outbox->n_events};
	int r;

	make_id(origin, event.place, event.id);
	r = make_headers(origin, message, event.id, &event.headers, err);
	if (r < 0)
		return r;
	if (outbox->n_events == outbox->cap_events) {
		outbox->cap_events = outbox->cap_events ? 2 * outbox->cap_events : 4;
		outbox->events =
			xrealloc_array(outbox->events, outbox->cap_events, sizeof(*outbox->events));
	}
	event.cluster = xstrdup(message->cluster);
	event.topic = xstrdup(message->topic);
	event.key = xstrdup(message->key ? message->key : origin->saga_id);
	event.type = xstrdup(message->type);
	if (message->payload) {
		event.payload = xstrndup(message->payload, message->payload_len);
		event.payload_len = message->payload_len;
	}
	outbox->events[outbox->n_events++] = event;
	return 0;
}

int outbox_add_emission(struct outbox *outbox, const struct outbox_origin *origin,
						const struct request *request, struct err *err)
{
	const struct outbox_message message = {
		.cluster = request->cluster ? request->cluster : "default",
		.topic = request->topic,
		.key = request->record_key,
		.type = request->type,
		.payload = request->body,
		.payload_len = request->body_len,
		.own_headers = request,
	};

	CHECK(request->kind == REQUEST_EMIT && request->topic && request->type);
	return outbox__add(outbox, origin, &message, err);
}

int outbox_headers_read(const char *json, size_t len, struct outbox_headers *ret_headers,
						struct err *err)
{
	CLEANUP(json_decref_p) json_t *object = NULL;
	const char *name;
	json_t *value;
	size_t n = 0;
	int r = json_parse_stored(json, len, &object, err);

	if (r < 0)
		return r;
	if (!json_is_object(object) || json_object_size(object) > OUTBOX_MAX_HEADERS)
		return err_set(err, ERR_INVALID, "headers of an event are an object of at most %d",
					   OUTBOX_MAX_HEADERS);
	json_object_foreach (object, name, value) {
		if (!json_is_string(value))
			return err_set(err, ERR_INVALID, "header %.64s of an event is no string", name);
		ret_headers->list[n++] = (struct kafka_header){
			.name = name,
			.value = json_string_value(value),
			.value_len = json_string_length(value),
		};
	}
	ret_headers->n = n;
	ret_headers->object = TAKE(object);
	return 0;
}

void outbox_headers_release(struct outbox_headers *headers)
{
	json_decref(headers->object);
	headers->object = NULL;
	headers->n = 0;
}
