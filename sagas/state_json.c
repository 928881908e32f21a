#include "sagas/state_json.h"

#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/escalation_json.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

/* Written as text at once: every caller who waits for the end of a saga is sent this. */

static void add_jval(struct buf *out, const char *field, struct jval *value)
{
	json_member_name(out, field);
	if (value)
		jval_write(value, out);
	else
		buf_add_lit(out, "null");
}

/* step may be NULL: it is then left out. */
static void add_error(struct buf *out, const char *field, const char *code, const char *message,
					  const char *step)
{
	json_member_name(out, field);
	if (!code) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	json_member_text(out, "code", code);
	json_member_text(out, "message", message);
	if (step)
		json_member_text(out, "step", step);
	buf_add_char(out, '}');
}

/* Nobody holds on to who answers a command: from the beginning it is waited for. */
static bool awaits_reply(const struct exec *exec)
{
	return exec->request && exec->request->kind == REQUEST_COMMAND;
}

static enum step_status exec_step_status(const struct exec *exec)
{
	switch (exec->status) {
	case EXEC_IDLE:
		return STEP_PENDING;
	case EXEC_RUNNING:
		return awaits_reply(exec) ? STEP_AWAITING_REPLY : STEP_RUNNING;
	case EXEC_BACKING_OFF:
		return STEP_BACKING_OFF;
	case EXEC_ONGOING:
		return STEP_AWAITING_REPLY;
	case EXEC_DONE:
		return STEP_COMPLETED;
	case EXEC_FAILED:
		return STEP_FAILED;
	case EXEC_GAVE_UP:
		return STEP_OUTCOME_UNKNOWN;
	case EXEC_PARKED:
		return exec->parked_unknown ? STEP_OUTCOME_UNKNOWN : STEP_FAILED;
	case EXEC_QUEUED: /* with nobody yet, or again */
		return exec->attempt > 0 ? STEP_BACKING_OFF : STEP_AWAITING_REPLY;
	}
	return STEP_PENDING;
}

/* A task that waits for a worker, or is with one. */
static void add_task(struct buf *out, const struct exec *exec)
{
	bool leased = exec->status == EXEC_RUNNING;

	if (!exec->request || exec->request->kind != REQUEST_TASK ||
		(!leased && exec->status != EXEC_QUEUED))
		return;
	json_member_name(out, "task");
	buf_add_char(out, '{');
	json_member_text(out, "queue", exec->request->queue);
	json_member_text(out, "route", exec->request->route);
	json_member_text(out, "state", leased ? "leased" : "queued");
	json_member_time(out, "queued_at", exec->queued_at);
	json_member_time(out, "available_at", leased ? 0 : exec->due_at);
	json_member_time(out, "deadline_at", exec->deadline_at);
	json_member_text(out, "worker", leased ? exec->worker : NULL);
	json_member_text(out, "build", leased ? exec->build : NULL);
	json_member_time(out, "leased_at", leased ? exec->leased_at : 0);
	json_member_time(out, "lease_until", leased ? exec->due_at : 0);
	add_jval(out, "progress", exec->progress);
	buf_add_char(out, '}');
}

static void add_exec(struct buf *out, const struct exec *exec)
{
	json_member_int(out, "attempts", exec->attempt);
	json_member_time(out, "next_at", exec->due_at);
	add_error(out, "error", exec->code, exec->message, NULL);
	json_member_name(out, "request");
	if (exec->request)
		request_write(exec->request, out);
	else
		buf_add_lit(out, "null");
	add_task(out, exec);
	if (exec->child)
		json_member_text(out, "child", exec->child);
}

/* Takes the value over. */
static void add_json(struct buf *out, const char *field, json_t *value)
{
	json_member_name(out, field);
	json_write(value, out);
	json_decref(value);
}

/* Left out where the definition says nothing of it. */
static void add_escalations(struct buf *out, const struct saga_state *state,
							struct escalation_place place)
{
	json_t *json = escalations_json(state, place);

	if (json)
		add_json(out, "escalate", json);
}

/* Which run did what is undone here. */
static void write_carried(const struct saga_state *state, int index, struct buf *out)
{
	const struct step_state *step = &state->steps[state->def->carried];
	const json_t *entry = json_array_get(step->list, (size_t)index);
	const json_t *item = json_object_get(entry, "item");

	json_member_name(out, "carried");
	buf_add_char(out, '{');
	json_member_text(out, "step", state->def->steps[step->actions[index].carried_from].id);
	if (item)
		json_member_int(out, "item", json_integer_value(item));
	json_member_int(out, "run", json_integer_value(json_object_get(entry, "run")));
	buf_add_char(out, '}');
}

/* Granted or not, from when it is asked for until it is given back. */
static void write_lock(const struct action_state *action, struct buf *out)
{
	bool waits = action->run.status == EXEC_RUNNING || action->run.status == EXEC_PARKED;

	json_member_name(out, "lock");
	if (!action->lock || (!waits && !action->event_id)) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	json_member_name(out, "keys");
	json_write(json_object_get(jval_json(action->lock), "keys"), out);
	json_member_bool(out, "held", action->locked);
	json_member_name(out, "token");
	buf_add_str(out, action->event_id ? action->event_id : "null");
	json_member_time(out, "since", action->lock_at);
	buf_add_char(out, '}');
}

static void write_action(const struct saga_state *state, int step, int index, struct buf *out)
{
	const struct step_def *def = &state->def->steps[step];
	const struct action_state *action = &state->steps[step].actions[index];

	buf_add_char(out, '{');
	if (def->for_each || def->repeat_until)
		json_member_int(out, "item", index);
	if (step == state->def->carried)
		write_carried(state, index, out);
	json_member_text(
		out, "status",
		step_status_text(action->skipped ? STEP_SKIPPED : exec_step_status(&action->run)));
	json_member_bool(out, "parked", action->run.status == EXEC_PARKED);
	json_member_bool(out, "tolerated", action->tolerated);
	json_member_bool(out, "ambiguous", action->run.ambiguous);
	add_exec(out, &action->run);
	add_jval(out, "output", action->output);
	if (action->approval)
		add_json(out, "approval", approval_json(action->approval, def->act.approval.form));
	add_escalations(out, state, (struct escalation_place){step, index, SIDE_DO});
	if (def->act.kind == ACTION_LOCK)
		write_lock(action, out);
	json_member_name(out, "compensation");
	buf_add_char(out, '{');
	json_member_text(out, "status", comp_status_text(saga_state_comp_shown(state, action)));
	add_exec(out, &action->undo);
	add_escalations(out, state, (struct escalation_place){step, index, SIDE_UNDO});
	buf_add_lit(out, "}}");
}

/* A step shows the most telling status of its actions while it runs. */
static enum step_status step_shown(const struct saga_state *state, int index)
{
	const struct step_state *step = &state->steps[index];
	int i;

	if (step->settled || step->status != STEP_RUNNING)
		return step->status;
	for (i = 0; i < step->n_actions; i++)
		if (step->actions[i].run.status == EXEC_BACKING_OFF ||
			step->actions[i].run.status == EXEC_ONGOING ||
			step->actions[i].run.status == EXEC_QUEUED ||
			(step->actions[i].run.status == EXEC_RUNNING && awaits_reply(&step->actions[i].run)))
			return exec_step_status(&step->actions[i].run);
	return STEP_RUNNING;
}

static const char *undo_kind_text(enum undo_kind kind)
{
	switch (kind) {
	case UNDO_NOT_NEEDED:
		return "not_needed";
	case UNDO_NONE:
		return "none";
	case UNDO_ACTION:
		return "declared";
	}
	return "?";
}

static void write_step(const struct saga_state *state, int index, struct buf *out)
{
	const struct step_state *step = &state->steps[index];
	const struct step_def *def = &state->def->steps[index];
	int i;

	buf_add_char(out, '{');
	json_member_text(out, "id", def->id);
	json_member_text(out, "status", step_status_text(step_shown(state, index)));
	json_member_bool(out, "pivot", def->pivot);
	json_member_bool(out, "on_compensated", index >= state->def->n_forward);
	json_member_text(out, "compensation", undo_kind_text(def->undo_kind));
	json_member_int(out, "run", saga_state_run(state, index));
	add_jval(out, "output", step->output);
	json_member_name(out, "actions");
	buf_add_char(out, '[');
	for (i = 0; i < step->n_actions; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		write_action(state, index, i, out);
	}
	buf_add_lit(out, "]}");
}

struct tally {
	int undone, owed, failed;
	int by_hand;                   /* of those that are undone */
	const struct step_def *trying; /* an undo that fails and is tried again */
	const struct exec *trying_exec;
};

static void tally(const struct saga_state *state, struct tally *ret)
{
	int i, j;

	*ret = (struct tally){0};
	for (i = 0; i < state->def->n_listed; i++) {
		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];

			ret->undone += action->comp == COMP_DONE || action->comp == COMP_SKIPPED ||
						   action->comp == COMP_RESOLVED;
			ret->by_hand += action->comp == COMP_RESOLVED;
			ret->owed += action->comp == COMP_ARMED || action->comp == COMP_RUNNING ||
						 action->comp == COMP_BACKING_OFF || action->comp == COMP_FAILED;
			ret->failed += action->comp == COMP_FAILED;
			if (action->comp == COMP_BACKING_OFF) {
				ret->trying = &state->def->steps[i];
				ret->trying_exec = &action->undo;
			}
		}
	}
}

static void write_by_hand(const struct tally *sum, struct buf *out)
{
	if (sum->by_hand)
		buf_printf(out, " (%d by hand)", sum->by_hand);
}

static void write_way_back(const struct saga_state *state, const struct tally *sum, wall_ms now,
						   struct buf *out)
{
	buf_printf(out, "%s after %s: %d of %d undone",
			   state->status == SAGA_COMPENSATION_FAILED ? "Compensation failed" : "Compensating",
			   state->failure_code, sum->undone, sum->undone + sum->owed);
	write_by_hand(sum, out);
	if (sum->trying && sum->trying_exec->due_at > now)
		buf_printf(out, "; the undo of %s fails (%s), attempt %lld, next try in %lld s",
				   sum->trying->id, sum->trying_exec->code, (long long)sum->trying_exec->attempt,
				   (long long)(sum->trying_exec->due_at - now + 999) / 1000);
	if (sum->failed)
		buf_printf(out, "; %d failed and wait for a person", sum->failed);
	buf_add_char(out, '.');
}

/* Where the saga stands, in a sentence; if it is paused, after saying so. */
static void write_summary(const struct saga_state *state, wall_ms now, struct buf *out)
{
	struct tally sum;
	int i;

	tally(state, &sum);
	if (state->status == SAGA_PAUSED)
		buf_printf(out, "Paused by a person. ");
	switch (state->status) {
	case SAGA_COMPLETED:
		buf_printf(out, "Completed.");
		return;
	case SAGA_TERMINATED:
		buf_printf(out, "Terminated by a person; %d undone", sum.undone);
		write_by_hand(&sum, out);
		buf_printf(out, ", %d still owed.", sum.owed);
		return;
	case SAGA_COMPENSATED:
		buf_printf(out, "Undone after %s: %d undone", state->failure_code, sum.undone);
		write_by_hand(&sum, out);
		buf_printf(out, ", nothing owed.");
		return;
	case SAGA_FAILED:
		buf_printf(out, "Failed: %s.", state->failure_code ? state->failure_code : "");
		return;
	case SAGA_COMPENSATING:
	case SAGA_COMPENSATION_FAILED:
		write_way_back(state, &sum, now, out);
		return;
	case SAGA_RUNNING:
	case SAGA_WAITING:
	case SAGA_PAUSED:
	case SAGA_STATUS_COUNT:
		break;
	}
	if (state->failing) {
		write_way_back(state, &sum, now, out);
		return;
	}
	if (state->held) {
		buf_printf(out, "Done, and held until saga %s has ended.", state->parent->saga_id);
		return;
	}
	buf_printf(out, "%s", state->status == SAGA_WAITING ? "Waiting" : "Running");
	for (i = 0; i < state->def->n_listed; i++) {
		if (!state->steps[i].begun || state->steps[i].settled)
			continue;
		buf_printf(out, ": %s is %s", state->def->steps[i].id,
				   step_status_text(step_shown(state, i)));
		break;
	}
	buf_add_char(out, '.');
}

/* The same members as a row of a list has (json_row_saga). */
static void add_attention(struct buf *out, const struct saga_state *state)
{
	const struct attention *attention = saga_state_attention_of(state);

	json_member_text(out, "attention", saga_state_attention(state));
	json_member_time(out, "attention_at", state->attention_at);
	json_member_name(out, "attention_detail");
	if (!attention) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	json_member_text(out, "kind", attention_kind_text(attention->kind));
	json_member_text(out, "group", attention->group);
	json_member_text(out, "step",
					 attention->step >= 0 ? state->def->steps[attention->step].id : NULL);
	if (attention->item >= 0)
		json_member_int(out, "item", attention->item);
	json_member_text(out, "side",
					 attention->step < 0          ? NULL
					 : attention->side == SIDE_DO ? "do"
												  : "undo");
	json_member_text(out, "code", attention->code);
	buf_add_char(out, '}');
}

/* The short form, without the brace that ends it. */
static void write_head(const struct saga_state *state, struct buf *out)
{
	const char *step = state->failing && state->failure_step >= 0
						   ? state->def->steps[state->failure_step].id
						   : NULL;

	buf_add_char(out, '{');
	json_member_text(out, "id", state->id);
	json_member_text(out, "saga", state->def->name);
	json_member_text(out, "namespace", state->ns);
	json_member_int(out, "version", state->def->version);
	json_member_text(out, "status", saga_status_text(state->status));
	json_member_text(out, "key", state->key);
	json_member_time(out, "started_at", state->started_at);
	json_member_time(out, "updated_at", state->updated_at);
	json_member_time(out, "ended_at", state->ended_at);
	add_attention(out, state);
	add_error(out, "failure", state->failing ? state->failure_code : NULL, state->failure_message,
			  step);
}

void saga_state_write_brief(const struct saga_state *state, struct buf *out)
{
	write_head(state, out);
	buf_add_char(out, '}');
}

static void add_signals(struct buf *out, const struct saga_state *state)
{
	size_t i;

	json_member_name(out, "signals");
	buf_add_char(out, '[');
	for (i = 0; i < state->n_signals; i++) {
		buf_add_str(out, i > 0 ? ",{" : "{");
		json_member_text(out, "name", state->signals[i].name);
		json_member_time(out, "at", state->signals[i].at);
		add_jval(out, "value", state->signals[i].value);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

static void write_found_by(const struct saga_state *state, struct buf *out)
{
	const struct saga_def *def = state->def;

	json_member_name(out, "search");
	if (state->search)
		jval_write(state->search, out);
	else
		buf_add_lit(out, "{}");
	json_member_name(out, "labels");
	buf_add_char(out, '{');
	for (size_t i = 0; i < def->n_labels; i++)
		json_member_text(out, def->labels[i].name, def->labels[i].value);
	buf_add_char(out, '}');
}

/* Of which saga that has ended it is a new run, and from which row of its history on. */
static void add_run_of(struct buf *out, const struct saga_state *state)
{
	json_member_name(out, "run_of");
	if (!state->run_of) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	json_member_text(out, "id", state->run_of->saga_id);
	json_member_int(out, "seq", state->run_of->seq);
	buf_add_char(out, '}');
}

/* Whose step it is. */
static void add_parent(struct buf *out, const struct saga_state *state)
{
	const struct saga_parent *parent = state->parent;

	json_member_name(out, "parent");
	if (!parent) {
		buf_add_lit(out, "null");
		return;
	}
	buf_add_char(out, '{');
	json_member_text(out, "id", parent->saga_id);
	json_member_text(out, "step", parent->step);
	if (parent->item >= 0)
		json_member_int(out, "item", parent->item);
	json_member_text(out, "side", parent->side == SIDE_UNDO ? "undo" : "do");
	json_member_int(out, "run", parent->run);
	buf_add_char(out, '}');
}

void saga_state_write(const struct saga_state *state, wall_ms now, struct buf *out)
{
	CLEANUP(buf_release) struct buf summary;
	int i;

	buf_init(&summary, 1024);
	write_summary(state, now, &summary);
	write_head(state, out);
	json_member_text(out, "summary", buf_str(&summary));
	json_member_text(out, "owner", state->owner);
	json_member_bool(out, "paused", state->paused);
	add_parent(out, state);
	add_run_of(out, state);
	json_member_bool(out, "held", state->held);
	json_member_int(out, "run", state->run);
	write_found_by(state, out);
	add_signals(out, state);
	json_member_time(out, "deadline_at", state->deadline_at);
	add_escalations(out, state, (struct escalation_place){-1, -1, SIDE_DO});
	json_member_time(out, "next_due_at", saga_state_next_due(state));
	add_jval(out, "input", state->input);
	add_jval(out, "output", state->output);
	json_member_name(out, "steps");
	buf_add_char(out, '[');
	for (i = 0; i < state->def->n_listed; i++) {
		if (i == state->def->carried && state->steps[i].n_actions == 0)
			continue;
		if (i > 0)
			buf_add_char(out, ',');
		write_step(state, i, out);
	}
	buf_add_lit(out, "]}");
}

json_t *saga_state_json(const struct saga_state *state, wall_ms now)
{
	CLEANUP(buf_release) struct buf text;
	json_t *json = NULL;

	buf_init(&text, 0);
	saga_state_write(state, now, &text);
	if (text.failed || json_parse_stored(buf_str(&text), text.len, &json, NULL) < 0)
		return json_object(); /* larger than 64 MiB */
	return json;
}
