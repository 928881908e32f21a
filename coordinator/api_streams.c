/*
 * GET /v1/events and /v1/sagas/{id}/events: what happens, as server-sent events. Where to go on
 * stands in the header Last-Event-ID, which a browser sends when it connects again, or in an
 * argument, since it sends none at first.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_saga.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "coordinator/streams.h"

static void close_stream(void *state)
{
	stream_close(state);
}

static void begin(struct exchange *ex, const struct stream_source *source)
{
	struct stream *stream = server_stream_open(ex, source);

	if (!stream) {
		exchange_problem(ex, PROBLEM_TOO_MANY_STREAMS,
						 "%d streams are open already (server.streams_max)",
						 ex->node->options.streams_max);
		return;
	}
	if (ex->free_state)
		ex->free_state(ex->state);
	ex->state = ex->stream = stream;
	ex->free_state = close_stream;
	ex->content_type = "text/event-stream";
	/* Proxies are asked not to collect before they pass on. */
	exchange_add_header(ex, "X-Accel-Buffering", "no");
	exchange_answer(ex, 200);
}

/* The event that the client has seen last; NULL: none. */
static const char *last_event_id(struct exchange *ex)
{
	const char *argument = exchange_arg(ex, "last_event_id");
	const char *header = exchange_header(ex, "Last-Event-ID");

	/* The argument is of the first connection, and a browser repeats it for ever. */
	return header && *header ? header : argument && *argument ? argument : NULL;
}

/* GET /v1/sagas/{id}/events */

static void begin_saga(struct exchange *ex)
{
	const int64_t *after = ex->state;
	struct stream_source source = {.ns = ex->ns, .saga_id = ex->params[0], .after = *after};

	begin(ex, &source);
}

/* Whether the saga is there, and of this namespace. Thread: read pool. */
static void find_saga(struct exchange *ex, struct store_reader *reader)
{
	struct saga_row row;
	struct err err;

	if (reader->store->ops->saga_get(reader, ex->ns, ex->params[0], &row, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	saga_row_release(&row);
	ex->next = begin_saga;
}

static bool read_sequence(struct exchange *ex, const char *text, int64_t *ret)
{
	int64_t n = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > INT32_MAX) {
			exchange_problem(ex, PROBLEM_INVALID_QUERY,
							 "the last event of a saga is the number of a history row, not %.40s",
							 text);
			return false;
		}
		n = n * 10 + (*p - '0');
	}
	*ret = n;
	return true;
}

void api_saga_events(struct exchange *ex)
{
	static const char *const known[] = {"after", "last_event_id", "namespace"};
	int64_t *after = xcalloc(1, sizeof(*after));
	const char *last = last_event_id(ex);

	ex->state = after;
	ex->free_state = free;
	if (!exchange_arg_int(ex, "after", 0, INT32_MAX, after) ||
		(last && !read_sequence(ex, last, after)) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)) || !saga_id_param(ex))
		return;
	exchange_read(ex, find_saga);
}

/* GET /v1/events */

void api_events(struct exchange *ex)
{
	static const char *const known[] = {"minutes", "last_event_id", "namespace"};
	struct stream_source source = {.ns = ex->ns};
	const char *last = last_event_id(ex);
	int64_t minutes = OVERVIEW_MINUTES;

	if (!exchange_arg_int(ex, "minutes", 1, OVERVIEW_MINUTES_MAX, &minutes) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	source.minutes = (int)minutes;
	/* Of another form than ours it is of none that we know. */
	if (last)
		snprintf(source.tag, sizeof(source.tag), "%s", last);
	begin(ex, &source);
}
