/*
 * Server-sent events, as far as Skald's own server writes them: lines of `id:`, `event:` and one
 * `data:`, ended by an empty line; and comments, which say that it still lives.
 */
#include <string.h>

#include "coordinator/cli/client.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

enum { QUIET_MS = 45 * 1000 };

struct reading {
	struct buf line;
	char id[128], name[64];
	struct buf data;
	const char *wanted;
	bool (*event)(void *ctx, const char *id, const json_t *data);
	void *ctx;
};

/* The value of a field's line; NULL: it is another. */
static const char *field(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return *line == ' ' ? line + 1 : line;
}

static bool dispatch(struct reading *reading)
{
	CLEANUP(json_decref_p) json_t *data = NULL;
	bool goes_on = true;
	struct err err;

	if (strcmp(reading->name, reading->wanted) == 0 &&
		json_parse(buf_str(&reading->data), reading->data.len, &data, &err) == 0)
		goes_on = reading->event(reading->ctx, reading->id, data);
	reading->name[0] = '\0';
	buf_clear(&reading->data);
	return goes_on;
}

static bool take_line(struct reading *reading, const char *line)
{
	const char *value;

	if (!*line)
		return dispatch(reading);
	if ((value = field(line, "id")))
		snprintf(reading->id, sizeof(reading->id), "%s", value);
	else if ((value = field(line, "event")))
		snprintf(reading->name, sizeof(reading->name), "%s", value);
	else if ((value = field(line, "data")))
		buf_add_str(&reading->data, value);
	return true;
}

static bool take_piece(void *ctx, const char *data, size_t len)
{
	struct reading *reading = ctx;

	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;

		buf_add(&reading->line, data, n);
		data += n;
		len -= n;
		if (!end)
			break;
		data++;
		len--;
		if (!take_line(reading, buf_str(&reading->line)))
			return false;
		buf_clear(&reading->line);
	}
	return !reading->line.failed && !reading->data.failed;
}

int client_stream(struct client *client, struct client_request *request, const char *name,
				  bool (*event)(void *ctx, const char *id, const json_t *data), void *ctx)
{
	CLEANUP(free_p) char *url = xasprintf("%s%s", client->server, request->path);
	CLEANUP(free_p) char *ns = xasprintf("Skald-Namespace: %s", client->ns);
	const char *headers[] = {ns, "Accept: text/event-stream", NULL};
	struct http_sync_request http = {"GET", url, headers, NULL, 0, client->timeout_ms};
	struct reading reading = {.wanted = name, .event = event, .ctx = ctx};
	struct http_sync_reply reply;
	struct err err;
	int r;

	buf_init(&reading.line, CLIENT_INPUT_MAX_BYTES);
	buf_init(&reading.data, CLIENT_INPUT_MAX_BYTES);
	r = http_sync_stream(client->http, &http, QUIET_MS, take_piece, &reading, &reply, &err);
	buf_release(&reading.line);
	buf_release(&reading.data);
	if (r == ERR_TIMEOUT)
		return CLI_TIMED_OUT;
	if (r < 0)
		return r;
	r = reply.status == 200 ? 0 : -1;
	http_sync_reply_release(&reply);
	return r;
}
