/*
 * Facts: which events of a history the world gave, and what they mean to a definition.
 */
#include "sagas/replay_priv.h"

#include <string.h>

#include "sagas/state_priv.h"

static bool is_decided_at_once(enum action_kind kind)
{
	return kind == ACTION_SET || kind == ACTION_FAIL || kind == ACTION_EMIT;
}

static bool is_open(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING || exec->status == EXEC_BACKING_OFF ||
		   exec->status == EXEC_ONGOING || exec->status == EXEC_QUEUED;
}

/* The end of an action that has begun. One that was parked is ended by a person, or given up by the
 * way back, which is decided. */
static bool ends_run(const struct replay *replay, const struct event *event)
{
	const struct saga_state *state = replay->state;
	const struct exec *run;

	if (event->by)
		return true;
	if (!decide__action_exists(state, event->step, event->item) ||
		is_decided_at_once(state->def->steps[event->step].act.kind))
		return false;
	run = &saga_state_action(state, event->step, event->item)->run;
	if (event->type == EV_STEP_COMPLETED || event->type == EV_STEP_PARKED)
		return is_open(run) || run->status == EXEC_PARKED;
	return is_open(run);
}

static bool ends_undo(const struct replay *replay, const struct event *event)
{
	const struct saga_state *state = replay->state;
	const struct exec *undo;

	if (event->by)
		return true;
	if (!decide__action_exists(state, event->step, event->item) ||
		is_decided_at_once(saga_state_undo_def(state, event->step, event->item)->kind))
		return false;
	undo = &saga_state_action(state, event->step, event->item)->undo;
	/* The answer to a command may come late, and is taken. */
	return is_open(undo) ||
		   (event->type == EV_COMPENSATION_COMPLETED && undo->status == EXEC_FAILED);
}

bool replay__is_fact(const struct replay *replay, const struct event *event)
{
	switch (event->type) {
	case EV_SAGA_STARTED:
	case EV_STEP_ATTEMPT_FAILED:
	case EV_STEP_ONGOING:
	case EV_STEP_ABSENT:
	case EV_COMMAND_PUBLISHED:
	case EV_TASK_LEASED:
	case EV_CHILD_STARTED:
	case EV_SAGA_TERMINATED:
	case EV_SAGA_CANCEL_REQUESTED:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_REPLY_IGNORED:
	case EV_ACT_TAKEN:
	case EV_ESCALATED: /* its time had come */
	case EV_SAGA_RESET:
		return true;
	case EV_CHILD_CANCELLED: /* its time is over; or the way back, which is decided */
		return event->code && strcmp(event->code, "timeout") == 0;
	case EV_COMPENSATION_ARMED: /* the child says that it is held */
		return event->id != NULL;
	case EV_SAGA_COMPLETED: /* the parent says so */
		return replay->state->held;
	case EV_SAGA_ATTENTION:
		/* This one is said with the end. */
		return strncmp(event->reason ? event->reason : "", "the output could", 16) != 0;
	case EV_SAGA_COMPENSATING: /* a cancel, or a deadline */
		return event->step < 0 && (!event->code || strcmp(event->code, "history_limit") != 0);
	case EV_STEP_COMPLETED:
	case EV_STEP_FAILED:
	case EV_STEP_PARKED:
		return ends_run(replay, event);
	case EV_STEP_SKIPPED:
		return event->by != NULL;
	case EV_COMPENSATION_COMPLETED:
	case EV_COMPENSATION_ATTEMPT_FAILED:
	case EV_COMPENSATION_FAILED:
	case EV_COMPENSATION_SKIPPED:
	case EV_COMPENSATION_ONGOING:
		return ends_undo(replay, event);
	case EV_STEP_SCHEDULED:
	case EV_STEP_EXPANDED:
	case EV_STEP_SETTLED:
	case EV_COMPENSATION_STARTED:
	case EV_SAGA_HELD:
	case EV_SAGA_COMPENSATED:
		break;
	case EV_SAGA_CONTINUED: /* where the replay begins with this run */
		return replay->state->n_events == 0;
	}
	return false;
}

/* The event as it stands in the history. */
static void emit_as_it_is(struct replay *replay, size_t index)
{
	struct event copy;

	CHECK(event_from_json(json_array_get(replay->row, index), replay->state->def, replay->ctx.now,
						  &copy, &replay->err) == 0);
	decide__emit(&replay->ctx, &copy);
}

/* What the process would know besides: nothing is out any more, and so many attempts were made. */
static void answered(struct replay *replay, const struct event *event)
{
	bool undo = event->side == SIDE_UNDO ||
				(event->type >= EV_COMPENSATION_ARMED && event->type <= EV_COMPENSATION_ONGOING);
	struct exec *exec;

	/* What is waited for is still out when another answer was ignored. */
	if (event->type == EV_REPLY_IGNORED)
		return;
	if (event->step < 0 || !decide__action_exists(replay->state, event->step, event->item))
		return;
	exec = decide__exec(&replay->ctx,
						(struct target){event->step, event->item, undo ? SIDE_UNDO : SIDE_DO});
	exec->out = exec->probe_out = exec->asked = false;
	if (event->attempt > exec->attempt)
		exec->attempt = event->attempt;
}

/* A request reads the answer, which is not there any more: its undo is taken as it is. */
static bool undo_reads_reply(const struct action_def *undo)
{
	const struct tmpl *parts[] = {undo->http.path,    undo->http.body,       undo->command.key,
								  undo->command.data, undo->command.headers, undo->emit.key,
								  undo->emit.data,    undo->emit.headers};
	bool reads = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		reads |= parts[i] && tmpl_reads(parts[i], EXPR_REPLY, NULL);
	for (i = 0; i < undo->http.n_query; i++)
		reads |= tmpl_reads(undo->http.query[i].value, EXPR_REPLY, NULL);
	for (i = 0; i < undo->http.n_headers; i++)
		reads |= tmpl_reads(undo->http.headers[i].value, EXPR_REPLY, NULL);
	return reads;
}

/* The next event of the row is of this type, and of the same action. */
static bool next_is(const struct replay *replay, enum event_type type, const struct event *of)
{
	struct event next;
	struct err err;
	bool same;

	if (event_from_json(json_array_get(replay->row, replay->decision.n_events), replay->state->def,
						replay->ctx.now, &next, &err) < 0)
		return false;
	same = next.type == type && next.step == of->step && next.item == of->item;
	event_release(&next);
	return same;
}

static void arm(struct replay *replay, const struct event *event)
{
	const struct step_def *def = &replay->state->def->steps[event->step];
	struct env env;

	if (def->undo_kind == UNDO_ACTION && undo_reads_reply(&def->undo) &&
		next_is(replay, EV_COMPENSATION_ARMED, event)) {
		emit_as_it_is(replay, replay->decision.n_events);
		return;
	}
	env_init(&env, replay->state, event->step, event->item);
	env.output = event->value;
	decide__arm(&replay->ctx, event->step, event->item, &env);
	env_release(&env);
}

static void failed(struct replay *replay, const struct event *event)
{
	struct env env;

	replay->in.type = INPUT_REPLY;
	replay->in.http_status = event->http_status;
	replay->ctx.by = event->by;
	env_init(&env, replay->state, event->step, event->item);
	decide__failed(&replay->ctx, event->step, event->item, event->outcome, event->ambiguous,
				   event->settle_at, event->code, event->message, &env);
	env_release(&env);
	replay->ctx.by = NULL;
	replay->in.type = INPUT_TIMER;
}

static bool says_not_retryable(const struct retry_policy *retry, const char *code)
{
	size_t i;

	for (i = 0; code && i < retry->n_non_retryable; i++)
		if (strcmp(retry->non_retryable[i], code) == 0)
			return true;
	return false;
}

/* So many attempts are all that this definition makes. */
static bool is_exhausted(const struct replay *replay, const struct event *event)
{
	const struct retry_policy *retry = &replay->state->def->steps[event->step].act.retry;
	const struct exec *run = &saga_state_action(replay->state, event->step, event->item)->run;

	return says_not_retryable(retry, event->code) ||
		   (retry->maximum_attempts &&
			run->attempt - run->attempts_before >= retry->maximum_attempts);
}

/* It was tried again then; would it be? */
static bool attempt_failed(struct replay *replay, const struct event *event)
{
	bool forward_only = decide__forward_only(replay->state, event->step);
	json_t *expected = json_array_get(replay->row, replay->matched);

	if (!decide__action_exists(replay->state, event->step, event->item)) {
		replay__diverges(replay, expected, NULL, "the step has not begun");
		return false;
	}
	/* A worker may say that a failure is worth another try. */
	if (event->outcome == OUTCOME_FAILURE && !forward_only &&
		replay->state->def->steps[event->step].act.kind != ACTION_TASK) {
		replay__diverges(replay, expected, NULL,
						 "a definite failure is not tried again: the step fails");
		return false;
	}
	if (is_exhausted(replay, event)) {
		replay__diverges(replay, expected, NULL, "its attempts are used up: it is given up");
		return false;
	}
	emit_as_it_is(replay, replay->matched);
	return true;
}

/* It was given up then, after so many attempts; would it be? */
static bool given_up(struct replay *replay, const struct event *event)
{
	const struct exec *run = &saga_state_action(replay->state, event->step, event->item)->run;
	bool by_time = (run->deadline_at && run->deadline_at <= replay->ctx.now) ||
				   (event->code && strcmp(event->code, "deadline_exceeded") == 0);
	enum action_kind kind = replay->state->def->steps[event->step].act.kind;

	if (event->outcome != OUTCOME_UNKNOWN || event->by || replay->state->failing || by_time ||
		replay->state->def->steps[event->step].escalates ||
		(kind != ACTION_HTTP && kind != ACTION_COMMAND) || run->status == EXEC_ONGOING ||
		is_exhausted(replay, event))
		return true;
	/* The next attempt would have come after the deadline. */
	if (run->deadline_at &&
		run->deadline_at - replay->ctx.now <=
			replay->state->def->steps[event->step].act.retry.maximum_interval_ms)
		return true;
	replay__diverges(replay, json_array_get(replay->row, replay->matched), NULL,
					 "more attempts are left: it is tried again");
	return false;
}

static bool parked(struct replay *replay, const struct event *event)
{
	const struct saga_def *def = replay->state->def;
	bool parks = decide__forward_only(replay->state, event->step) || event->step == def->pivot ||
				 def->steps[event->step].act.retry.on_exhausted == ON_EXHAUSTED_PARK;

	if (!parks && !event->by) {
		replay__diverges(replay, json_array_get(replay->row, replay->matched), NULL,
						 "it does not wait for a person: the step fails");
		return false;
	}
	emit_as_it_is(replay, replay->matched);
	return true;
}

/* What was told then; the step that does it begins at once. */
static bool escalated(struct replay *replay, const struct event *event)
{
	json_int_t entry = json_integer_value(json_object_get(jval_json(event->value), "entry"));

	if (event->step >= 0 && !decide__action_exists(replay->state, event->step, event->item)) {
		replay__diverges(replay, json_array_get(replay->row, replay->matched), NULL,
						 "the step has not begun");
		return false;
	}
	emit_as_it_is(replay, replay->matched);
	decide__begin_escalation(&replay->ctx, (struct target){event->step, event->item, event->side},
							 (int)entry);
	return true;
}

/* What was carried must be of steps that this definition has, too. */
static bool continued(struct replay *replay, const struct event *event)
{
	if (state__check_continued(replay->state, event, &replay->err) < 0) {
		replay__diverges(replay, json_array_get(replay->row, replay->matched), NULL,
						 replay->err.text);
		return false;
	}
	emit_as_it_is(replay, replay->matched);
	return true;
}

bool replay__take_fact(struct replay *replay, const struct event *event)
{
	answered(replay, event);
	switch ((int)event->type) {
	case EV_STEP_COMPLETED:
		emit_as_it_is(replay, replay->matched);
		arm(replay, event);
		return true;
	case EV_STEP_SKIPPED:
		emit_as_it_is(replay, replay->matched);
		if (event->ambiguous)
			arm(replay, event);
		return true;
	case EV_STEP_FAILED:
		if (!given_up(replay, event))
			return false;
		failed(replay, event);
		return true;
	case EV_STEP_PARKED:
		return parked(replay, event);
	case EV_SAGA_CONTINUED:
		return continued(replay, event);
	case EV_ESCALATED:
		return escalated(replay, event);
	case EV_STEP_ATTEMPT_FAILED:
		return attempt_failed(replay, event);
	default:
		emit_as_it_is(replay, replay->matched);
		return true;
	}
}

const json_t *replay__end_in_row(const struct replay *replay, int step, int item)
{
	const char *id = replay->state->def->steps[step].id;
	json_t *event;
	size_t i;

	json_array_foreach (replay->row, i, event) {
		const char *type = json_string_value(json_object_get(event, "type"));
		const char *of = json_string_value(json_object_get(event, "step"));
		const json_t *which = json_object_get(event, "item");

		if (type && of && strcmp(of, id) == 0 && (which ? json_integer_value(which) : -1) == item &&
			(strcmp(type, "StepFailed") == 0 || strcmp(type, "StepParked") == 0))
			return event;
	}
	return NULL;
}
