/* The oracle compares: what is sent with what was written before, and memory, fold and rows with
 * each other. */
#include "tests/support/oracle.h"

#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_json(struct jval *a, struct jval *b)
{
	if (!a || !b)
		return a == b;
	return json_equal(jval_json(a), jval_json(b));
}

/* S10: the key belongs to this action and side alone, and never changes. */
static void check_key(struct oracle *oracle, struct oracle_saga *saga,
					  const struct world_call *call, char **key)
{
	struct oracle_saga *other;
	const char *sent = call->command.request->key;
	int i, j, found = 0;

	if (json_object_get(saga->old_keys, sent))
		oracle_fail(oracle, saga->id, "S10 the key %s was used for another request", sent);
	if (!*key)
		*key = xstrdup(sent);
	if (strcmp(*key, sent) != 0)
		oracle_fail(oracle, saga->id, "S10 the key of a call changes from %s to %s", *key, sent);
	for (other = oracle->first; other; other = other->next) {
		for (i = 0; i < other->def->n_steps; i++) {
			for (j = 0; j < other->steps[i].n; j++) {
				found += same_text(other->steps[i].actions[j].key, sent);
				found += same_text(other->steps[i].actions[j].undo_key, sent);
			}
		}
	}
	if (found != 1)
		oracle_fail(oracle, saga->id, "S10 two calls have the key %s", sent);
}

static void check_request(struct oracle *oracle, struct oracle_saga *saga,
						  const struct world_call *call, const char *stored)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	request_write(call->command.request, &text);
	if (!stored)
		oracle_fail(oracle, saga->id, "S9 sent before it is durable: %s", buf_str(&text));
	else if (strcmp(stored, buf_str(&text)) != 0)
		oracle_fail(oracle, saga->id, "S9 sent %s, stored %s", buf_str(&text), stored);
}

/* What an earlier attempt of a command published may have taken effect. */
static void note_earlier(struct oracle_action *action)
{
	if (!action->published_at)
		return;
	action->maybe_sent = true;
	if (action->published_at > action->probed_at)
		action->probed = false;
	action->published_at = 0;
}

void oracle_published(struct oracle *oracle, const struct world_call *call, enum call_result result)
{
	struct oracle_saga *saga = oracle_saga(oracle, call->saga_id);

	if (saga && call->command.kind == CALL_DO && result == CALL_NOT_CONNECTED)
		oracle_action(saga, call->command.step, call->command.item)->published_at = 0;
}

/* A command may be answered while its probe is; what says `absent` then has it sent at once,
 * whatever the other said of the next attempt. */
static bool may_be_asked_for(const struct action_def *act)
{
	return act->kind == ACTION_COMMAND && act->probe;
}

static void sent_do(struct oracle *oracle, struct oracle_saga *saga, const struct world_call *call,
					struct oracle_action *action)
{
	check_request(oracle, saga, call, action->scheduled ? action->request : NULL);
	check_key(oracle, saga, call, &action->key);
	if (action->completed || action->failed || action->skipped)
		oracle_fail(oracle, saga->id, "S15 %s is sent after it has ended",
					saga->def->steps[call->command.step].id);
	if (call->sent_at < action->next_at && call->command.attempt > action->attempt &&
		!may_be_asked_for(&saga->def->steps[call->command.step].act))
		oracle_fail(oracle, saga->id, "S16 an attempt is early: at %lld, due %lld",
					(long long)call->sent_at, (long long)action->next_at);
	if (action->started || action->undone)
		oracle_fail(oracle, saga->id, "S14 %s is sent after its undo has begun",
					saga->def->steps[call->command.step].id);
	note_earlier(action);
	if (call->command.request->kind == REQUEST_COMMAND)
		action->published_at = call->sent_at;
	action->attempt = call->command.attempt;
}

static void sent_undo(struct oracle *oracle, struct oracle_saga *saga,
					  const struct world_call *call, struct oracle_action *action)
{
	check_request(oracle, saga, call, action->started ? action->undo_request : NULL);
	check_key(oracle, saga, call, &action->undo_key);
	if (action->undone || action->undo_failed || action->undo_skipped || action->resolved)
		oracle_fail(oracle, saga->id, "S15 the undo of %s is sent after it has ended",
					saga->def->steps[call->command.step].id);
}

void oracle_sent(struct oracle *oracle, const struct world_call *call)
{
	struct oracle_saga *saga = oracle_saga(oracle, call->saga_id);
	struct oracle_action *action;

	if (!saga) {
		oracle_fail(oracle, call->saga_id, "S9 a call of a saga that is not stored");
		return;
	}
	if (saga->ended)
		oracle_fail(oracle, saga->id, "S15 a call after the end");
	if (saga->paused)
		oracle_fail(oracle, saga->id, "S20 a call of a saga that is paused");
	action = oracle_action(saga, call->command.step, call->command.item);
	switch (call->command.kind) {
	case CALL_DO:
		sent_do(oracle, saga, call, action);
		break;
	case CALL_UNDO:
		sent_undo(oracle, saga, call, action);
		break;
	case CALL_PROBE_DO:
		if (!action->scheduled)
			oracle_fail(oracle, saga->id, "S9 a probe of what was not scheduled");
		break;
	case CALL_PROBE_UNDO:
		if (!action->started)
			oracle_fail(oracle, saga->id, "S9 a probe of an undo that has not begun");
		break;
	}
}

void oracle_unknown(struct oracle *oracle, const char *id, int step, int item)
{
	struct oracle_saga *saga = oracle_saga(oracle, id);

	if (saga)
		oracle_action(saga, step, item)->maybe_sent = true;
}

void oracle_owner_lost(struct oracle *oracle, const char *id)
{
	struct oracle_saga *saga = oracle_saga(oracle, id);
	int i, j;

	for (i = 0; saga && i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->steps[i].n; j++) {
			struct oracle_action *action = &saga->steps[i].actions[j];

			if (!action->request || action->completed || action->failed || action->parked)
				continue;
			/* That the broker has it is known; then nothing was lost with the owner. */
			if (saga->fold->steps[i].actions[j].run.status == EXEC_RUNNING &&
				saga->fold->steps[i].actions[j].run.published)
				continue;
			action->maybe_sent = true;
		}
	}
}

/* Memory and fold. What is open may differ: an attempt that goes on is told when it ends. */

static bool is_open(const struct exec *exec)
{
	return exec->status == EXEC_RUNNING || exec->status == EXEC_BACKING_OFF ||
		   exec->status == EXEC_ONGOING;
}

static const char *exec_differs(const struct exec *a, const struct exec *b)
{
	if (is_open(a) != is_open(b) || (!is_open(a) && a->status != b->status))
		return "status";
	if (a->deadline_at != b->deadline_at)
		return "deadline";
	if ((a->request != NULL) != (b->request != NULL))
		return "request";
	if (a->request && a->request->kind == REQUEST_TASK &&
		(a->status != b->status || a->attempt != b->attempt || !same_text(a->nonce, b->nonce) ||
		 !same_text(a->worker, b->worker)))
		return "lease";
	if (!same_json(a->ongoing_reply, b->ongoing_reply))
		return "ongoing reply";
	if (!is_open(a) && a->status != EXEC_IDLE &&
		(!same_text(a->code, b->code) || !same_text(a->message, b->message)))
		return "error";
	if (b->ambiguous && !a->ambiguous)
		return "ambiguity";
	if (!same_text(a->child, b->child) || a->child_told != b->child_told)
		return "child";
	if (a->edits != b->edits || a->attempts_before != b->attempts_before ||
		a->parks_again != b->parks_again || a->parked_unknown != b->parked_unknown)
		return "what people did";
	return NULL;
}

static const char *action_differs(const struct action_state *a, const struct action_state *b)
{
	const char *what = exec_differs(&a->run, &b->run);

	if (!what)
		what = exec_differs(&a->undo, &b->undo);
	if (!what)
		what = oracle_people_differ(a, b);
	if (what)
		return what;
	if (a->comp != b->comp && !(a->comp == COMP_RUNNING && b->comp == COMP_BACKING_OFF) &&
		!(a->comp == COMP_BACKING_OFF && b->comp == COMP_RUNNING))
		return "compensation";
	if (a->tolerated != b->tolerated || a->skipped != b->skipped || a->held != b->held)
		return "tolerated or skipped";
	if (!same_json(a->output, b->output) || !same_json(a->undo_output, b->undo_output))
		return "output";
	if (a->locked != b->locked || a->lock_at != b->lock_at || a->lock_row != b->lock_row ||
		!same_json(a->lock, b->lock))
		return "lock";
	return NULL;
}

const char *oracle_state_differs(const struct saga_state *a, const struct saga_state *b,
								 int *ret_step)
{
	int i, j;

	*ret_step = -1;
	if (a->status != b->status)
		return "status";
	if (a->paused != b->paused || a->paused_at != b->paused_at || a->n_signals != b->n_signals ||
		!same_text(a->owner, b->owner) || !same_text(a->act_ids[0], b->act_ids[0]))
		return "what people did";
	if (a->failing != b->failing || a->pivot_scheduled != b->pivot_scheduled ||
		a->deadline_noted != b->deadline_noted || a->deadline_at != b->deadline_at)
		return "flags";
	if (a->n_events != b->n_events || a->last_at != b->last_at || a->ended_at != b->ended_at ||
		a->started_at != b->started_at || a->updated_at != b->updated_at)
		return "times";
	if (a->held != b->held || !a->parent != !b->parent ||
		(a->parent && (!same_text(a->parent->correlation, b->parent->correlation) ||
					   a->parent->depth != b->parent->depth || a->parent->hold != b->parent->hold)))
		return "parent";
	if (a->history_bytes != b->history_bytes)
		return "bytes of the history";
	if (!same_text(a->failure_code, b->failure_code) ||
		!same_text(a->failure_message, b->failure_message) || a->failure_step != b->failure_step)
		return "failure";
	if (!same_json(a->input, b->input) || !same_json(a->output, b->output))
		return "input or output";
	if (memcmp(&a->watch, &b->watch, sizeof(a->watch)) != 0)
		return "escalations";
	for (i = 0; i < a->def->n_steps; i++) {
		const struct step_state *sa = &a->steps[i], *sb = &b->steps[i];
		const char *what;

		*ret_step = i;
		if (sa->status != sb->status || sa->begun != sb->begun || sa->settled != sb->settled ||
			sa->n_actions != sb->n_actions || sa->run != sb->run ||
			!same_json(sa->output, sb->output))
			return "step";
		for (j = 0; j < sa->n_actions; j++) {
			what = action_differs(&sa->actions[j], &sb->actions[j]);
			if (what)
				return what;
		}
	}
	return NULL;
}

static void compare_state(void *ctx, const struct saga_state *state, int64_t seq)
{
	struct oracle *oracle = ctx;
	struct oracle_saga *saga = oracle_saga(oracle, state->id);
	const char *what;
	int step;

	saga_state_check(state);
	if (!saga) {
		oracle_fail(oracle, state->id, "S7 in memory, and not in the store");
		return;
	}
	if (saga->seq != seq) {
		oracle_fail(oracle, saga->id, "S7 memory is at row %lld, the store at %lld", (long long)seq,
					(long long)saga->seq);
		return;
	}
	what = oracle_state_differs(state, saga->fold, &step);
	if (what)
		oracle_fail(oracle, saga->id, "S7 memory and fold differ in %s of %s", what,
					step >= 0 ? saga->def->steps[step].id : "the saga");
}

void oracle_check_memory(struct oracle *oracle)
{
	if (oracle->world->turn)
		turn_each_state(oracle->world->turn, compare_state, oracle);
}

/* The rows of the store. */

/* All that groups and lists are made of. */
static void check_attention(struct oracle *oracle, struct oracle_saga *saga,
							const struct saga_row *row)
{
	const struct attention *attention = saga_state_attention_of(saga->fold);
	const char *step =
		attention && attention->step >= 0 ? saga->fold->def->steps[attention->step].id : NULL;

	if (!same_text(row->attention.group, attention ? attention->group : NULL) ||
		!same_text(row->attention.kind, attention ? attention_kind_text(attention->kind) : NULL) ||
		!same_text(row->attention.step, step) ||
		!same_text(row->attention.code, attention ? attention->code : NULL) ||
		row->attention_at != saga->fold->attention_at)
		oracle_fail(oracle, saga->id,
					"S7 attention in the row: %s of group %s since %lld; in the "
					"fold: %s of group %s since %lld",
					row->attention.kind ? row->attention.kind : "none",
					row->attention.group ? row->attention.group : "none",
					(long long)row->attention_at,
					attention ? attention_kind_text(attention->kind) : "none",
					attention ? attention->group : "none", (long long)saga->fold->attention_at);
}

static void check_row(struct oracle *oracle, struct oracle_saga *saga, const struct saga_row *row)
{
	const struct saga_state *fold = saga->fold;
	wall_ms due = saga_state_next_due(fold);

	if (row->status != fold->status)
		oracle_fail(oracle, saga->id, "S7 the row says %s, the fold %s",
					saga_status_text(row->status), saga_status_text(fold->status));
	if (!same_text(row->attention.text, saga_state_attention(fold)))
		oracle_fail(oracle, saga->id, "S7 attention in the row: %s; in the fold: %s",
					row->attention.text ? row->attention.text : "none",
					saga_state_attention(fold) ? saga_state_attention(fold) : "none");
	check_attention(oracle, saga, row);
	if (!same_text(row->owner, fold->owner))
		oracle_fail(oracle, saga->id, "S7 the owner in the row");
	if (row->ended_at != fold->ended_at || row->started_at != fold->started_at)
		oracle_fail(oracle, saga->id, "S7 times of the row");
	if (!row->due_at)
		return;
	if (saga_status_is_terminal(fold->status))
		oracle_fail(oracle, saga->id, "L2 due after the end");
	if (!saga_state_may_sleep(fold))
		oracle_fail(oracle, saga->id, "L2 asleep with a call out");
	if (due ? row->due_at != due
			: !saga_state_attention(fold) && !fold->paused && !oracle_is_woken_by_others(saga))
		oracle_fail(oracle, saga->id, "L2 due at %lld in the row, %lld in the fold",
					(long long)row->due_at, (long long)due);
}

struct ledger {
	struct oracle *oracle;
	struct oracle_saga *saga;
	int n;
};

static int check_compensation(void *ctx, const struct compensation_row *row)
{
	struct ledger *ledger = ctx;
	struct oracle_saga *saga = ledger->saga;
	int step = saga_def_step(saga->def, row->step);
	const struct action_state *action;
	const struct oracle_action *books;

	/* Its run is over, and nothing of the next is armed yet. */
	if (row->status == COMP_NOT_ARMED) {
		if (step < 0 || ((row->item < 0 ? 0 : row->item) < saga->fold->steps[step].n_actions &&
						 saga_state_action(saga->fold, step, row->item)->comp != COMP_NOT_ARMED))
			oracle_fail(ledger->oracle, saga->id, "S7 %s: its compensation is armed", row->step);
		return 0;
	}
	ledger->n++;
	if (step < 0 || (row->item < 0 ? 0 : row->item) >= saga->fold->steps[step].n_actions) {
		oracle_fail(ledger->oracle, saga->id, "S7 a compensation of nothing: %s", row->step);
		return 0;
	}
	action = saga_state_action(saga->fold, step, row->item);
	books = oracle_action(saga, step, row->item);
	if (row->status != action->comp)
		oracle_fail(ledger->oracle, saga->id, "S7 %s: its compensation is %s in the row, %s folded",
					row->step, comp_status_text(row->status), comp_status_text(action->comp));
	if (!same_text(row->request && strcmp(row->request, "null") == 0 ? NULL : row->request,
				   books->undo_request))
		oracle_fail(ledger->oracle, saga->id, "S7 %s: the request of its compensation differs",
					row->step);
	return 0;
}

static int count_compensations(const struct saga_state *state)
{
	int i, j, n = 0;

	for (i = 0; i < state->def->n_steps; i++)
		for (j = 0; j < state->steps[i].n_actions; j++)
			n += state->steps[i].actions[j].comp != COMP_NOT_ARMED;
	return n;
}

void oracle_check_stored(struct oracle *oracle, struct oracle_saga *saga)
{
	struct world *world = oracle->world;
	struct ledger ledger = {.oracle = oracle, .saga = saga};
	struct saga_row row = {0};
	struct err err;

	if (world->inner->ops->saga_get(world->truth, WORLD_NS, saga->id, &row, &err) < 0) {
		oracle_fail(oracle, saga->id, "S1 the row is gone: %s", err.text);
		return;
	}
	check_row(oracle, saga, &row);
	saga_row_release(&row);
	if (world->inner->ops->compensations(world->truth, saga->id, check_compensation, &ledger,
										 &err) < 0)
		oracle_fail(oracle, saga->id, "S7 compensations cannot be read: %s", err.text);
	if (ledger.n != count_compensations(saga->fold))
		oracle_fail(oracle, saga->id, "S7 %d compensations in rows, %d in the fold", ledger.n,
					count_compensations(saga->fold));
}

struct again {
	struct oracle *oracle;
	struct oracle_saga *saga;
	int64_t seq;
};

static int compare_row(void *ctx, const struct history_row *row)
{
	struct again *again = ctx;
	const json_t *first = json_array_get(again->saga->rows, (size_t)row->seq - 1);

	if (row->seq != ++again->seq || !first || json_string_length(first) != row->events_len ||
		memcmp(json_string_value(first), row->events, row->events_len) != 0)
		oracle_fail(again->oracle, again->saga->id, "S6 row %lld has changed", (long long)row->seq);
	return 0;
}

void oracle_check_history(struct oracle *oracle, struct oracle_saga *saga)
{
	struct again again = {.oracle = oracle, .saga = saga};
	struct world *world = oracle->world;
	struct err err;

	if (world->inner->ops->history(world->truth, saga->id, 0, 10000, compare_row, &again, &err) <
			0 ||
		again.seq != saga->seq)
		oracle_fail(oracle, saga->id, "S6 the history has %lld rows, and had %lld",
					(long long)again.seq, (long long)saga->seq);
}
