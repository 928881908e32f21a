/*
 * Staging: what was decided becomes one item of the open batch: the history row, and all that
 * changes beside it in the same commit.
 */
#include <string.h>

#include "coordinator/turn_priv.h"

/* An act may decide about a compensation by itself. */
static bool is_act_on_compensation(const struct saga_state *state, const struct event *event)
{
	int index = event->item < 0 ? 0 : event->item;

	return event->step >= 0 && index < state->steps[event->step].n_actions &&
		   state->steps[event->step].actions[index].comp != COMP_NOT_ARMED;
}

/* Its step may begin anew since, in the same turn: then fill_forgotten tells of it. */
static bool has_action(const struct saga_state *state, const struct event *event)
{
	return (event->item < 0 ? 0 : event->item) < state->steps[event->step].n_actions;
}

static bool is_compensation_event(const struct saga_state *state, const struct event *event)
{
	switch (event->type) {
	case EV_TASK_LEASED:
	case EV_ACT_TAKEN:
		return is_act_on_compensation(state, event);
	case EV_COMPENSATION_ARMED:
	case EV_COMPENSATION_STARTED:
	case EV_COMPENSATION_COMPLETED:
	case EV_COMPENSATION_ATTEMPT_FAILED:
	case EV_COMPENSATION_FAILED:
	case EV_COMPENSATION_SKIPPED:
	case EV_COMPENSATION_ONGOING:
		return has_action(state, event);
	case EV_SAGA_STARTED:
	case EV_STEP_SCHEDULED:
	case EV_STEP_COMPLETED:
	case EV_STEP_FAILED:
	case EV_STEP_ATTEMPT_FAILED:
	case EV_STEP_ONGOING:
	case EV_STEP_SKIPPED:
	case EV_STEP_EXPANDED:
	case EV_STEP_SETTLED:
	case EV_STEP_PARKED:
	case EV_SAGA_COMPENSATING:
	case EV_SAGA_COMPLETED:
	case EV_SAGA_COMPENSATED:
	case EV_SAGA_TERMINATED:
	case EV_SAGA_CANCEL_REQUESTED:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_REPLY_IGNORED:
	case EV_SAGA_ATTENTION:
	case EV_STEP_ABSENT:
	case EV_COMMAND_PUBLISHED:
	case EV_ESCALATED:
	case EV_SAGA_CONTINUED:
	case EV_SAGA_RESET:
	case EV_SAGA_HELD:
		return false;
	case EV_CHILD_STARTED:
	case EV_CHILD_CANCELLED:
		return event->side == SIDE_UNDO;
	}
	return false;
}

static const char *copy_text(struct batch *batch, const char *text)
{
	return text ? batch_copy(batch, text, strlen(text)) : NULL;
}

void turn__note_armed(struct live_saga *saga, const struct act *act)
{
	const struct saga_state *state = saga->state;

	if (act->kind != ACT_RESET && (act->kind != ACT_RETRY || !act->step))
		return;
	for (int i = 0; i < state->def->n_steps; i++) {
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			if (state->steps[i].actions[j].comp == COMP_NOT_ARMED)
				continue;
			saga->armed = xrealloc_array(saga->armed, saga->n_armed + 1, sizeof(*saga->armed));
			saga->armed[saga->n_armed++] = (struct armed_action){i, j};
		}
	}
}

/* What was armed before an act, and begins anew with it. */
static bool is_forgotten(const struct saga_state *state, const struct armed_action *armed)
{
	const struct step_state *step = &state->steps[armed->step];

	return armed->index >= step->n_actions || step->actions[armed->index].comp == COMP_NOT_ARMED;
}

static int item_of(const struct step_def *step, int index)
{
	return step_def_has_items(step) ? index : -1;
}

static void fill_forgotten(struct turn *turn, const struct saga_state *state,
						   const struct armed_action *armed, wall_ms now,
						   struct compensation_row *row)
{
	const struct step_def *step = &state->def->steps[armed->step];

	*row = (struct compensation_row){
		.step = copy_text(turn->open, step->id),
		.item = item_of(step, armed->index),
		.action = transition_action_text(step->undo.kind),
		.status = COMP_NOT_ARMED,
		/* The request of the run that is over must not be taken for one of the next. */
		.request = "null",
		.request_len = 4,
		.updated_at = now,
	};
}

/* The request is written when it is first known. */
static void fill_compensation(struct turn *turn, const struct saga_state *state,
							  const struct event *event, wall_ms now, struct compensation_row *row)
{
	buf_clear(&turn->scratch);
	transition_compensation(turn->open, state, event->step, event->item, event->request,
							&turn->scratch, row);
	row->updated_at = now;
}

/*
 * A transition may arm an undo and begin it, too: one row, with the state after both, and with the
 * request of the event that has one. NULL: there is none yet.
 */
static struct compensation_row *row_of(const struct step_def *step, int item,
									   const struct store_item *to)
{
	struct compensation_row *rows = (struct compensation_row *)to->compensations;

	for (size_t i = to->n_compensations; i-- > 0;)
		if (rows[i].item == item && strcmp(rows[i].step, step->id) == 0)
			return &rows[i];
	return NULL;
}

/* Where in the decision a run of the saga has begun; n_events: nowhere. */
static size_t continued_at(const struct decision *decision)
{
	size_t i = 0;

	while (i < decision->n_events && decision->events[i].type != EV_SAGA_CONTINUED)
		i++;
	return i;
}

/* How many rows carried_rows needs. */
static size_t count_carried(const struct event *continued)
{
	const json_t *value = jval_json(continued->value);

	return json_array_size(json_object_get(value, "carried")) +
		   (size_t)json_integer_value(json_object_get(value, "had")) +
		   json_array_size(json_object_get(value, "let_go"));
}

static struct compensation_row gone_row(struct batch *batch, const struct step_def *step, int item,
										wall_ms now)
{
	return (struct compensation_row){
		.step = copy_text(batch, step->id),
		.item = item,
		.action = transition_action_text(step->undo.kind),
		.status = COMP_NOT_ARMED,
		.request = "null",
		.request_len = 4,
		.updated_at = now,
	};
}

/*
 * What is carried over stands in the ledger under the hidden step, from this transition on; what it
 * was, in the run that is over, is no longer armed. Past the point of no return all is let go.
 */
static void fill_carried(struct turn *turn, const struct saga_state *state,
						 const struct event *continued, wall_ms now, struct store_item *item)
{
	struct compensation_row *rows = (struct compensation_row *)item->compensations;
	const struct step_def *steps = state->def->steps, *hidden = &steps[state->def->carried];
	const json_t *value = jval_json(continued->value);
	const json_t *let_go = json_object_get(value, "let_go");
	const json_t *carried = json_object_get(value, "carried");
	int had = (int)json_integer_value(json_object_get(value, "had"));
	size_t i;

	for (i = 0; i < json_array_size(let_go); i++) {
		const json_t *place = json_array_get(let_go, i);
		int step = saga_def_step(state->def, json_string_value(json_object_get(place, "step")));
		int at = (int)json_integer_value(json_object_get(place, "item"));

		if (!row_of(&steps[step], at, item))
			rows[item->n_compensations++] = gone_row(turn->open, &steps[step], at, now);
	}
	for (int j = (int)json_array_size(carried); j < had; j++)
		rows[item->n_compensations++] = gone_row(turn->open, hidden, j, now);
	for (int j = had; j < (int)json_array_size(carried); j++) {
		const struct action_state *action = saga_state_action(state, state->def->carried, j);
		struct event armed = {.step = hidden->index, .item = j, .request = action->undo.request};

		if (!row_of(hidden, j, item))
			fill_compensation(turn, state, &armed, now, &rows[item->n_compensations++]);
	}
}

static void fill_compensations(struct turn *turn, struct live_saga *saga, wall_ms now,
							   struct store_item *item)
{
	const struct decision *decision = &saga->decision;
	const struct step_def *steps = saga->state->def->steps;
	struct compensation_row *rows, *row;
	size_t run = continued_at(decision), n = 0;
	bool continued = run < decision->n_events;

	/* What the run that is over did with compensations is told by what is carried over. */
	if (!continued)
		run = 0;
	else
		n = count_carried(&decision->events[run]);
	for (size_t i = run; i < decision->n_events; i++)
		n += is_compensation_event(saga->state, &decision->events[i]);
	if (n + saga->n_armed == 0)
		return;
	rows = batch_alloc(turn->open, (n + saga->n_armed) * sizeof(*rows));
	item->compensations = rows;
	for (size_t i = run; i < decision->n_events; i++) {
		const struct event *event = &decision->events[i];

		if (!is_compensation_event(saga->state, event))
			continue;
		row = row_of(&steps[event->step], event->item, item);
		if (!row || event->request)
			fill_compensation(turn, saga->state, event, now,
							  row ? row : &rows[item->n_compensations++]);
	}
	for (size_t i = 0; i < saga->n_armed; i++) {
		const struct armed_action *armed = &saga->armed[i];

		if (!is_forgotten(saga->state, armed))
			continue;
		row = row_of(&steps[armed->step], item_of(&steps[armed->step], armed->index), item);
		fill_forgotten(turn, saga->state, armed, now, row ? row : &rows[item->n_compensations++]);
	}
	if (continued)
		fill_carried(turn, saga->state, &decision->events[run], now, item);
}

static bool begins_to_wait(const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_subscriptions; i++)
		if (!decision->subscriptions[i].remove)
			return true;
	return false;
}

wall_ms turn__sleep_until(const struct live_saga *saga, wall_ms now)
{
	const struct saga_state *state = saga->state;
	wall_ms due;

	/* What has to be looked for is looked for again by whoever finds it awake. */
	if (turn__looks(saga) || begins_to_wait(&saga->decision))
		return 0;
	if (saga->decision.n_commands > 0 || saga_status_is_terminal(state->status) ||
		saga_state_in_flight(state) > 0 || !saga_state_may_sleep(state))
		return 0;
	due = saga_state_next_due(state);
	if (due == 0)
		return saga_state_attention(state) || state->paused || saga_state_awaits_saga(state)
				   ? STORE_DUE_NEVER
				   : 0;
	return due > now + SLEEP_AFTER_MS ? due : 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_attention(const struct attention_ref *a, const struct attention_ref *b)
{
	return same_text(a->text, b->text) && same_text(a->group, b->group);
}

/* As the row will say it. */
static struct attention_ref attention_ref(const struct saga_state *state)
{
	const struct attention *attention = saga_state_attention_of(state);
	bool of_step = attention && attention->step >= 0;

	if (!attention)
		return (struct attention_ref){0};
	return (struct attention_ref){
		.text = attention->text,
		.group = attention->group,
		.kind = attention_kind_text(attention->kind),
		.step = of_step ? state->def->steps[attention->step].id : NULL,
		.side = !of_step                     ? NULL
				: attention->side == SIDE_DO ? "do"
											 : "undo",
		.code = attention->code,
	};
}

static struct attention_ref copy_attention(struct batch *batch, const struct attention_ref *from)
{
	return (struct attention_ref){
		.text = copy_text(batch, from->text),
		.group = copy_text(batch, from->group),
		.kind = copy_text(batch, from->kind),
		.step = copy_text(batch, from->step),
		.side = copy_text(batch, from->side),
		.code = copy_text(batch, from->code),
	};
}

static bool has_new_owner(const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_events; i++)
		if (decision->events[i].type == EV_ACT_TAKEN && decision->events[i].step < 0 &&
			strcmp(decision->events[i].name, act_kind_text(ACT_OWNER)) == 0)
			return true;
	return false;
}

static bool has_continued(const struct decision *decision)
{
	return continued_at(decision) < decision->n_events;
}

/* A person has taken the saga to another version of its definition. */
static bool has_migrated(const struct decision *decision)
{
	for (size_t i = 0; i < decision->n_events; i++)
		if (decision->events[i].type == EV_ACT_TAKEN && decision->events[i].step < 0 &&
			strcmp(decision->events[i].name, "migrate") == 0)
			return true;
	return false;
}

/* The row of the saga: whole when it begins, and what has changed later. */
static void fill_row(struct turn *turn, struct live_saga *saga, struct store_item *item)
{
	const struct saga_state *state = saga->state;
	struct attention_ref attention = attention_ref(state);
	struct batch *batch = turn->open;
	struct saga_row *row;

	saga->next_due_at = turn__sleep_until(saga, item->at);
	if (!same_attention(&attention, &saga->next_attention)) {
		attention_ref_release(&saga->next_attention);
		attention_ref_copy(&attention, &saga->next_attention);
	}
	item->rebase =
		item->seq > 1 && (has_continued(&saga->decision) || has_migrated(&saga->decision));
	if (item->seq > 1 && state->status == saga->row_status &&
		saga->next_due_at == saga->row_due_at &&
		same_attention(&saga->next_attention, &saga->row_attention) &&
		!has_new_owner(&saga->decision) && !item->rebase)
		return;
	row = batch_alloc(batch, sizeof(*row));
	row->slot = saga->slot;
	memcpy(row->id, saga->id, sizeof(row->id));
	row->ns = copy_text(batch, saga->ns);
	row->definition = copy_text(batch, state->def->name);
	row->version = saga->migrated_to ? saga->migrated_to : state->def->version;
	row->status = state->status;
	row->key = copy_text(batch, state->key);
	row->started_at = state->started_at;
	row->updated_at = state->updated_at;
	row->ended_at = state->ended_at;
	row->due_at = saga->next_due_at;
	row->attention = copy_attention(batch, &saga->next_attention);
	row->attention_at = state->attention_at;
	row->owner = copy_text(batch, state->owner);
	if (state->parent)
		memcpy(row->parent_id, state->parent->saga_id, sizeof(row->parent_id));
	row->base_seq = state->base_row;
	if (item->seq == 1)
		item->create = row;
	else
		item->update = row;
}

/* The events as text in turn->scratch; false when they are too large to be stored. */
static bool write_events(struct turn *turn, const struct live_saga *saga)
{
	const struct decision *decision = &saga->decision;
	struct buf *text = &turn->scratch;

	if (text->cap > 1024 * 1024) {
		buf_release(text);
		buf_init(text, TRANSITION_MAX_BYTES);
	}
	buf_clear(text);
	buf_add_char(text, '[');
	for (size_t i = 0; i < decision->n_events; i++) {
		if (i > 0)
			buf_add_char(text, ',');
		event_write(&decision->events[i], saga->state->def, text);
	}
	buf_add_char(text, ']');
	return !text->failed;
}

/* The rows of the inbox that the transition consumes. */
static void fill_inbox(struct turn *turn, const struct live_saga *saga, struct store_item *item)
{
	char(*ids)[UUID_SIZE];
	size_t n = 0;

	for (const struct mail *mail = saga->consumed.head; mail; mail = mail->next)
		n += mail->type == MAIL_DELIVERY &&
			 CONTAINER_OF(mail, const struct delivery, mail)->inbox_id[0];
	if (n == 0)
		return;
	ids = batch_alloc(turn->open, n * sizeof(*ids));
	item->inbox = (const char(*)[UUID_SIZE])ids;
	for (const struct mail *mail = saga->consumed.head; mail; mail = mail->next) {
		const struct delivery *delivery = CONTAINER_OF(mail, const struct delivery, mail);

		if (mail->type == MAIL_DELIVERY && delivery->inbox_id[0])
			memcpy(ids[item->n_inbox++], delivery->inbox_id, sizeof(ids[0]));
	}
}

static const char *start_fingerprint(const struct live_saga *saga)
{
	struct mail *mail = saga->consumed.head;

	while (mail->type != MAIL_CALL || mail_call(mail)->act != ENGINE_START)
		mail = mail->next;
	return mail_call(mail)->fingerprint;
}

static void fill_item(struct turn *turn, struct live_saga *saga, wall_ms now,
					  struct store_item *item)
{
	item->slot = saga->slot;
	memcpy(item->saga_id, saga->id, sizeof(item->saga_id));
	item->seq = saga->seq + 1;
	item->at = now;
	item->events_len = turn->scratch.len;
	item->events = batch_copy(turn->open, buf_str(&turn->scratch), turn->scratch.len);
	fill_compensations(turn, saga, now, item);
	fill_inbox(turn, saga, item);
	fill_row(turn, saga, item);
	if (item->create)
		transition_add_search(turn->open, saga->state, item);
	if (item->create && saga->state->key)
		item->fingerprint = copy_text(turn->open, start_fingerprint(saga));
}

void turn__stage(struct turn *turn, struct live_saga *saga, const struct lifecycle_before *before,
				 wall_ms now)
{
	struct store_item *item;
	struct err err;

	if (!write_events(turn, saga)) {
		decision_release(&saga->decision);
		turn__park(turn, saga, "a transition is too large to be stored");
		return;
	}
	item = batch_add(turn->open, saga);
	fill_item(turn, saga, now, item);
	if (transition_add_messages(turn->open, saga->state, &saga->decision, &turn->lifecycle, before,
								item, &err) < 0) {
		turn->open->n--; /* what it has in memory goes with the batch */
		decision_release(&saga->decision);
		turn__park(turn, saga, err.text);
		return;
	}
	saga->seq++;
	saga->state->history_bytes += (int64_t)item->events_len;
	saga->state->rows++;
	saga->phase = PHASE_COMMITTING;
	turn__stop_timers(turn, saga);
	turn->n_committing++;
	turn->slots[saga->slot].committing++;
}
