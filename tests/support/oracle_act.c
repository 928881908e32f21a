/*
 * The books of the oracle on what persons do: what an act may follow, and what it makes of them.
 * What follows in the same row from an act on a step is that person's word (oracle_by_hand), and is
 * not held to what only the world could have said.
 */
#include <string.h>

#include "tests/support/oracle.h"

bool oracle_by_hand(const struct oracle_saga *saga, const struct event *event)
{
	return saga->hand_row == saga->seq + 1 && saga->hand_step == event->step &&
		   saga->hand_item == event->item;
}

static bool has_undo(const struct oracle_saga *saga, int step)
{
	return saga->def->steps[step].undo_kind == UNDO_ACTION;
}

static void fail(struct oracle *oracle, const struct oracle_saga *saga, const struct event *event,
				 const char *rule)
{
	oracle_fail(oracle, saga->id, "%s: %s %s[%d] at row %lld", rule, event->name,
				event->step >= 0 ? saga->def->steps[event->step].id : "", event->item,
				(long long)saga->seq + 1);
}

static const char *text_in(const struct event *event, const char *name)
{
	return event->value ? json_string_value(json_object_get(jval_json(event->value), name)) : NULL;
}

/* Another request goes out under another key: neither was used before. */
static void edit(struct oracle *oracle, struct oracle_saga *saga, const struct event *event,
				 struct oracle_action *action)
{
	bool undo = event->side == SIDE_UNDO;
	char **key = undo ? &action->undo_key : &action->key;
	char **request = undo ? &action->undo_request : &action->request;
	struct buf text;

	/* Of commands these books are more careful than they must be: see note_earlier. */
	if (!undo && action->maybe_sent && !action->probed &&
		saga->def->steps[event->step].act.kind == ACTION_HTTP)
		fail(oracle, saga, event, "S10 edited while an attempt may have taken effect");
	if (*key)
		json_object_set_new(saga->old_keys, *key, json_true());
	free(*key);
	*key = NULL;
	free(*request);
	buf_init(&text, 0);
	request_write(event->request, &text);
	*request = buf_take(&text, NULL);
	*(undo ? &action->undo_edits : &action->edits) += 1;
}

static void retry_step(struct oracle *oracle, struct oracle_saga *saga, const struct event *event,
					   struct oracle_action *action)
{
	if (event->side == SIDE_DO && (action->completed || action->failed || action->skipped))
		fail(oracle, saga, event, "S15 retried after it has ended");
	if (event->side == SIDE_UNDO && (action->undone || action->undo_skipped || action->resolved))
		fail(oracle, saga, event, "S15 its undo is retried after it has ended");
	if (event->request)
		edit(oracle, saga, event, action);
	if (event->side == SIDE_UNDO) {
		/* What no worker ever had begins once more. */
		if (action->undo_failed && action->undo_leases == 0 &&
			oracle_undo_def(saga, event->step, event->item)->kind == ACTION_TASK) {
			action->started = false;
			action->undo_told = 0;
			oracle_people_forget(saga, event->step, event->item);
		}
		action->undo_failed = false;
		action->undo_next_at = 0;
		/* The child is told once more. */
		action->started &= !action->held;
		return;
	}
	/* What was parked before it was ever sent, or leased, is scheduled once more. */
	if (action->parked &&
		(!action->request ||
		 (saga->def->steps[event->step].act.kind == ACTION_TASK && action->leases == 0))) {
		oracle_action_clear(saga, action);
		saga->steps[event->step].begun = false;
		oracle_people_forget(saga, event->step, event->item);
		return;
	}
	action->parked = false;
	action->next_at = 0;
}

static void clear_doubt(struct oracle_action *action)
{
	action->maybe_sent = action->probed = false;
	action->published_at = action->next_at = 0;
}

static void resolve(struct oracle *oracle, struct oracle_saga *saga, const struct event *event,
					struct oracle_action *action)
{
	const char *outcome = text_in(event, "outcome");

	if (!outcome) {
		fail(oracle, saga, event, "S20 resolved without an outcome");
		return;
	}
	if (event->side == SIDE_UNDO) {
		action->undo_failed &= strcmp(outcome, "probe") != 0;
		action->undo_next_at = 0;
		return;
	}
	if (strcmp(outcome, "probe") == 0) {
		action->parked = false;
		action->next_at = 0;
		return;
	}
	if ((action->completed || action->failed) && (action->started || action->undone))
		fail(oracle, saga, event, "S15 resolved although its undo has begun");
	action->settle_at = 0;
	if (strcmp(outcome, "did_not_happen") != 0)
		return;
	clear_doubt(action);
	if ((action->failed || action->skipped) && action->armed)
		action->resolved = true;
}

static void act_on_step(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	struct oracle_action *action = oracle_action(saga, event->step, event->item);
	int kind = act_kind_parse(event->name, true);

	/* Who decides an approval does not say how it ends: the quorum does. */
	if (kind == ACT_STEP_APPROVE || kind == ACT_STEP_REJECT) {
		oracle_decided(oracle, saga, event);
		return;
	}
	saga->hand_row = saga->seq + 1;
	saga->hand_step = event->step;
	saga->hand_item = event->item;
	action->by_person |= kind != ACT_STEP_RETRY;
	if (event->side == SIDE_UNDO && !action->armed)
		fail(oracle, saga, event, "S12 an act on a compensation that is not armed");
	if (kind == ACT_STEP_RETRY)
		retry_step(oracle, saga, event, action);
	else if (kind == ACT_STEP_RESOLVE)
		resolve(oracle, saga, event, action);
	else if (kind < 0)
		fail(oracle, saga, event, "S20 an act that nobody knows");
}

/* Beginning anew. */

static bool is_over(const struct oracle_action *action)
{
	return !action->scheduled || action->completed || action->failed || action->skipped ||
		   action->parked;
}

/* S12: nothing of it may stand, or still take effect. */
static void check_forgotten(struct oracle *oracle, struct oracle_saga *saga,
							const struct event *event, int step)
{
	struct oracle_step *st = &saga->steps[step];
	enum action_kind kind = saga->def->steps[step].act.kind;
	bool waits = action_only_waits(kind);
	int i;

	for (i = 0; i < st->n; i++) {
		const struct oracle_action *action = &st->actions[i];
		bool is_done = action->undone || action->resolved;

		if (!is_over(action) && !waits)
			oracle_fail(oracle, saga->id, "S12 %s[%d] begins anew while it is under way",
						saga->def->steps[step].id, i);
		if ((has_undo(saga, step) || action->held) && action->armed && !is_done)
			oracle_fail(oracle, saga->id, "S12 %s[%d] begins anew, and its effect stands",
						saga->def->steps[step].id, i);
		/* Of commands these books are more careful than they must be: see note_earlier. */
		if (kind == ACTION_HTTP && !action->completed && action->maybe_sent && !action->probed &&
			!is_done)
			oracle_fail(oracle, saga->id, "S12 %s[%d] begins anew, and may have taken effect",
						saga->def->steps[step].id, i);
	}
	(void)event;
}

/* An await that begins anew may end with the event that it ended with. */
static void forget_used(struct oracle_saga *saga, int step)
{
	const char *id;
	json_t *by;
	void *next;

	json_object_foreach_safe(saga->used, next, id, by)
	{
		if (json_integer_value(by) == step)
			json_object_del(saga->used, id);
	}
}

static void forget_step(struct oracle *oracle, struct oracle_saga *saga, const struct event *event,
						int step)
{
	struct oracle_step *st = &saga->steps[step];
	int i;

	check_forgotten(oracle, saga, event, step);
	forget_used(saga, step);
	for (i = 0; i < st->n; i++)
		oracle_action_clear(saga, &st->actions[i]);
	free(st->actions);
	*st = (struct oracle_step){.run = (st->run ? st->run : 1) + 1};
	oracle_people_forget(saga, step, -1);
	if (step == saga->def->pivot)
		saga->pivot_closed = false;
}

/* What is kept must stand: nobody would do it again. */
static void check_kept(struct oracle *oracle, struct oracle_saga *saga)
{
	int i, j;

	for (i = 0; i < saga->def->n_forward; i++) {
		for (j = 0; j < saga->steps[i].n; j++) {
			const struct oracle_action *action = &saga->steps[i].actions[j];

			if ((action->undone || action->started) && !action->tolerated)
				oracle_fail(oracle, saga->id, "S12 %s[%d] is kept, and was undone",
							saga->def->steps[i].id, j);
		}
	}
}

static void begin_anew(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	const json_t *ids = event->value ? json_object_get(jval_json(event->value), "forget") : NULL;
	size_t i;
	int step;

	if (json_array_size(ids) == 0)
		return;
	if (saga->pivot_closed)
		for (i = 0; i < json_array_size(ids); i++)
			if (saga_def_step(saga->def, json_string_value(json_array_get(ids, i))) ==
				saga->def->pivot)
				fail(oracle, saga, event, "S15 the point of no return begins anew");
	for (i = 0; i < json_array_size(ids); i++) {
		step = saga_def_step(saga->def, json_string_value(json_array_get(ids, i)));
		if (step < 0)
			fail(oracle, saga, event, "S20 a step that there is not begins anew");
		else
			forget_step(oracle, saga, event, step);
	}
	check_kept(oracle, saga);
	saga->compensating = false;
	saga->runs++;
}

/* Limits that ran while it was paused run that much longer. */
static void resume(struct oracle_saga *saga, const struct event *event)
{
	int64_t by = event->at - saga->paused_at;
	int i, j;

	for (i = 0; i < saga->def->n_steps; i++) {
		enum action_kind kind = saga->def->steps[i].act.kind;

		for (j = 0; j < saga->steps[i].n; j++) {
			struct oracle_action *action = &saga->steps[i].actions[j];

			if (action->due_at && action_due_is_limit(kind))
				action->due_at += by;
			if (action->limit_at && kind == ACTION_AWAIT)
				action->limit_at += by;
		}
	}
	oracle_people_paused(saga, by);
	saga->paused = false;
}

static void act_on_saga(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	int kind = act_kind_parse(event->name, false);

	if (kind == ACT_PAUSE) {
		if (saga->paused)
			fail(oracle, saga, event, "S20 paused twice");
		saga->paused = true;
		saga->paused_at = event->at;
	} else if (kind == ACT_RESUME) {
		if (!saga->paused)
			fail(oracle, saga, event, "S20 resumed, and was not paused");
		resume(saga, event);
	} else if (kind == ACT_RETRY || kind == ACT_RESET) {
		begin_anew(oracle, saga, event);
	} else if (kind < 0) {
		fail(oracle, saga, event, "S20 an act that nobody knows");
	}
}

void oracle_act_taken(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	oracle_act_id(oracle, saga, event);
	if (!event->name) {
		oracle_fail(oracle, saga->id, "S20 an act without a name");
		return;
	}
	/* What follows in its row from an act on the saga is that person's. */
	if ((!event->by || !*event->by) && (event->step < 0 || saga->act_row != saga->seq + 1))
		fail(oracle, saga, event, "S20 nobody did it");
	if (event->step < 0)
		saga->act_row = saga->seq + 1;
	if (event->step >= 0)
		act_on_step(oracle, saga, event);
	else
		act_on_saga(oracle, saga, event);
}

void oracle_act_id(struct oracle *oracle, struct oracle_saga *saga, const struct event *event)
{
	if (!event->id)
		return;
	if (json_object_get(saga->act_ids, event->id))
		oracle_fail(oracle, saga->id, "S20 the act %s is taken twice", event->id);
	json_object_set_new(saga->act_ids, event->id, json_true());
}
