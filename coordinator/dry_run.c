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

static const char *via_text(enum request_kind kind)
{
	switch (kind) {
	case REQUEST_HTTP:
		return "http";
	case REQUEST_COMMAND:
		return "command";
	case REQUEST_EMIT:
		return "emit";
	case REQUEST_TASK:
		return "task";
	case REQUEST_CHILD:
		return "saga";
	}
	return "?";
}

/* What a kind of request does not have is NULL, and left out. */
static void add_member(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
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
	add_member(out, "via", via_text(request->kind));
	add_member(out, "to", request->to);
	add_member(out, "method", request->method);
	add_member(out, "path", request->path);
	add_member(out, "cluster", request->cluster);
	add_member(out, "topic", request->topic);
	add_member(out, "type", request->type);
	add_member(out, "record_key", request->record_key);
	add_member(out, "key", request->key);
	if (request->body && json_text_check(request->body, request->body_len, NULL) == 0) {
		buf_add_lit(out, ",\"body\":");
		buf_add(out, request->body, request->body_len);
	} else if (request->body) {
		add_member(out, "body", request->body);
	}
	buf_add_char(out, '}');
}

/* Calls in the order in which they would be made; they hold their requests. A record that is
 * emitted stands among them, as a call that nobody answers. */
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

static void queue_push(struct queue *queue, const struct command *command)
{
	if (queue->n >= CALLS_MAX)
		return;
	queue->commands = xrealloc_array(queue->commands, queue->n + 1, sizeof(*queue->commands));
	queue->commands[queue->n] = *command;
	request_ref(queue->commands[queue->n++].request);
}

static void queue_add(struct queue *queue, const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_emissions; i++) {
		const struct emission *emission = &decision->emissions[i];

		queue_push(queue, &(struct command){
							  .step = emission->step,
							  .item = emission->item,
							  .kind = emission->side == SIDE_DO ? CALL_DO : CALL_UNDO,
							  .attempt = 1,
							  .request = emission->request,
						  });
	}
	for (size_t i = 0; i < decision->n_commands; i++)
		queue_push(queue, &decision->commands[i]);
}

/* Whether the fold says that somebody is asked: a call that is out, or a command. */
static bool is_asked(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING && exec->request &&
		   (exec->request->kind == REQUEST_HTTP || exec->request->kind == REQUEST_COMMAND);
}

static void mark_exec(struct exec *exec)
{
	if (is_asked(exec) && !exec->published)
		exec->out = true;
}

void mark_calls_out(struct saga_state *state)
{
	for (int i = 0; i < state->def->n_steps; i++) {
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			mark_exec(&state->steps[i].actions[j].run);
			mark_exec(&state->steps[i].actions[j].undo);
		}
	}
}

static void queue_add_asked(struct queue *queue, const struct exec *exec, struct command command)
{
	if (!is_asked(exec))
		return;
	command.attempt = exec->attempt;
	command.request = exec->request;
	queue_push(queue, &command);
}

/* What was sent and is waited for. */
static void queue_add_in_flight(const struct saga_state *state, struct queue *queue)
{
	for (int i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			int item = step_def_has_items(def) ? j : -1;

			queue_add_asked(queue, &action->run,
							(struct command){.step = i, .item = item, .kind = CALL_DO});
			queue_add_asked(queue, &action->undo,
							(struct command){.step = i, .item = item, .kind = CALL_UNDO});
		}
	}
}

/* Tells the saga that the call has succeeded; what follows goes to the end of the queue. */
static int succeed(struct saga_state *state, const struct command *command, wall_ms now,
				   struct queue *queue, struct err *err)
{
	CLEANUP(jval_unref_p) struct jval *body = jval_from_json(json_object());
	bool http = command->request->kind == REQUEST_HTTP;
	struct input reply = {
		.type = INPUT_REPLY,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = http ? command->attempt : 0,
		.result = CALL_ANSWERED,
		.http_status = http ? 200 : 0,
		.said = OUTCOME_SUCCESS,
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
		if (command.kind != CALL_UNDO || command.request->kind == REQUEST_EMIT)
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

/* Which act, and on what. */
static void write_act(const struct act *act, struct buf *out)
{
	buf_printf(out, "\"act\":\"%s\"", act_kind_text(act->kind));
	if (!act_is_of_step(act->kind))
		return;
	add_member(out, "step", act->step);
	if (act->item >= 0)
		buf_printf(out, ",\"item\":%d", act->item);
	buf_printf(out, ",\"compensation\":%s", act->side == SIDE_UNDO ? "true" : "false");
}

/* A saga that is paused sends nothing; what the act leads to leaves when it is resumed. */
static int play_resume(struct saga_state *state, wall_ms now, struct buf *out, struct err *err)
{
	struct act resume;
	const struct input input = {.type = INPUT_ACT, .act = &resume};
	struct decision decision;
	int r;

	act_init(&resume, ACT_RESUME);
	decision_init(&decision);
	r = saga_decide(state, &input, now, &decision, err);
	if (r == 0)
		r = play_undos(state, &decision, now, out, err);
	decision_release(&decision);
	act_release(&resume);
	return r;
}

static int dry_run_on(struct saga_state *state, const struct act *act, wall_ms now,
					  struct decision *decision, struct buf *out, struct err *err)
{
	CLEANUP(queue_release) struct queue waited_for = {0};
	struct input input = {.type = INPUT_ACT, .act = act};
	int r;

	queue_add_in_flight(state, &waited_for);
	mark_calls_out(state);
	r = saga_decide(state, &input, now, decision, err);
	if (r < 0)
		return r;
	buf_add_lit(out, "{\"dry_run\":true,");
	write_act(act, out);
	buf_printf(out, ",\"status\":\"%s\"", saga_status_text(state->status));
	write_events(decision, out);
	buf_add_lit(out, ",\"in_flight\":[");
	for (size_t i = 0; i < waited_for.n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		write_call(state, &waited_for.commands[i], out);
	}
	buf_add_lit(out, "],\"calls\":[");
	r = play_undos(state, decision, now, out, err);
	buf_add_lit(out, "],\"calls_at_resume\":[");
	if (r == 0 && state->paused)
		r = play_resume(state, now, out, err);
	buf_add_lit(out, "]}");
	return r;
}

int dry_run(struct saga_state *state, const struct act *act, wall_ms now, struct buf *out,
			struct err *err)
{
	struct decision decision;
	int r;

	decision_init(&decision);
	r = dry_run_on(state, act, now, &decision, out, err);
	decision_release(&decision);
	return r;
}
