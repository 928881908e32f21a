#include "coordinator/dry_run.h"

#include "sagas/json_text.h"

/* A saga has at most 500 steps of 1,000 items; nobody reads so many calls. */
enum { CALLS_MAX = 1000 };

static const char *kind_text(enum call_kind kind)
{
	switch (kind) {
	case CALL_DO:
		return "do";
	case CALL_UNDO:
		return "undo";
	case CALL_PROBE_DO:
		return "probe";
	case CALL_PROBE_UNDO:
		return "probe_undo";
	}
	return "?";
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ",\"%s\":", name);
	json_write_string(text, strlen(text), out);
}

static void write_call(const struct saga_state *state, const struct command *command,
					   struct buf *out)
{
	const struct request *request = command->request;

	buf_printf(out, "{\"kind\":\"%s\"", kind_text(command->kind));
	add_member(out, "step", state->def->steps[command->step].id);
	if (command->item >= 0)
		buf_printf(out, ",\"item\":%d", command->item);
	buf_printf(out, ",\"attempt\":%lld", (long long)command->attempt);
	add_member(out, "to", request->to);
	add_member(out, "method", request->method);
	add_member(out, "path", request->path);
	if (request->key)
		add_member(out, "key", request->key);
	if (request->body && json_text_check(request->body, request->body_len, NULL) == 0) {
		buf_add_lit(out, ",\"body\":");
		buf_add(out, request->body, request->body_len);
	} else if (request->body) {
		add_member(out, "body", request->body);
	}
	buf_add_char(out, '}');
}

/* Calls in the order in which they would be made; they hold their requests. */
struct queue {
	struct command *commands;
	size_t n;
};

static void queue_release(struct queue *queue)
{
	for (size_t i = 0; i < queue->n; i++)
		request_unref(queue->commands[i].request);
	free(queue->commands);
}

static void queue_add(struct queue *queue, const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_commands && queue->n < CALLS_MAX; i++) {
		queue->commands = xrealloc_array(queue->commands, queue->n + 1, sizeof(*queue->commands));
		queue->commands[queue->n] = decision->commands[i];
		request_ref(queue->commands[queue->n++].request);
	}
}

/* Tells the saga that the call has succeeded; what follows goes to the end of the queue. */
static int succeed(struct saga_state *state, const struct command *command, wall_ms now,
				   struct queue *queue, struct err *err)
{
	CLEANUP(jval_unref_p) struct jval *body = jval_from_json(json_object());
	struct input reply = {
		.type = INPUT_REPLY,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.result = CALL_ANSWERED,
		.http_status = 200,
		.body = body,
		.retry_after_ms = -1,
	};
	struct decision decision;
	int r;

	decision_init(&decision);
	r = saga_decide(state, &reply, now, &decision, err);
	if (r == 0)
		queue_add(queue, &decision);
	decision_release(&decision);
	return r;
}

/* Each undo succeeds, so that those after it come into sight. */
static int play_undos(struct saga_state *state, const struct decision *decision, wall_ms now,
					  struct buf *out, struct err *err)
{
	CLEANUP(queue_release) struct queue queue = {0};
	int r;

	queue_add(&queue, decision);
	for (size_t i = 0; i < queue.n; i++) {
		struct command command = queue.commands[i];

		if (i > 0)
			buf_add_char(out, ',');
		write_call(state, &command, out);
		if (command.kind != CALL_UNDO)
			continue;
		r = succeed(state, &command, now, &queue, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void write_events(const struct decision *decision, struct buf *out)
{
	buf_add_lit(out, ",\"events\":[");
	for (size_t i = 0; i < decision->n_events; i++) {
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", event_type_text(decision->events[i].type));
	}
	buf_add_char(out, ']');
}

static int dry_run_on(struct saga_state *state, const struct input *act, wall_ms now,
					  struct decision *outstanding, struct decision *decision, struct buf *out,
					  struct err *err)
{
	int r;

	saga_recover(state, now, outstanding);
	r = saga_decide(state, act, now, decision, err);
	if (r < 0)
		return r;
	buf_printf(out, "{\"dry_run\":true,\"act\":\"%s\",\"status\":\"%s\"",
			   act->type == INPUT_CANCEL ? "cancel" : "terminate", saga_status_text(state->status));
	write_events(decision, out);
	buf_add_lit(out, ",\"in_flight\":[");
	for (size_t i = 0; i < outstanding->n_commands && i < CALLS_MAX; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		write_call(state, &outstanding->commands[i], out);
	}
	buf_add_lit(out, "],\"calls\":[");
	r = play_undos(state, decision, now, out, err);
	buf_add_lit(out, "]}");
	return r;
}

int dry_run(struct saga_state *state, const struct input *act, wall_ms now, struct buf *out,
			struct err *err)
{
	struct decision outstanding, decision;
	int r;

	decision_init(&outstanding);
	decision_init(&decision);
	r = dry_run_on(state, act, now, &outstanding, &decision, out, err);
	decision_release(&outstanding);
	decision_release(&decision);
	return r;
}
