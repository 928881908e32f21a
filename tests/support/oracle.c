/* The books of the oracle: what each event of a history may follow. Comparing stands in
 * oracle_compare.c. */
#include "tests/support/oracle.h"

#include <stdio.h>
#include <string.h>

#include "sagas/act.h"
#include "sagas/json_text.h"

void oracle_init(struct oracle *oracle, struct world *world)
{
	*oracle = (struct oracle){.world = world};
	oracle->last = &oracle->first;
}

void oracle_action_clear(struct oracle_saga *saga, struct oracle_action *action)
{
	if (action->key)
		json_object_set_new(saga->old_keys, action->key, json_true());
	if (action->undo_key)
		json_object_set_new(saga->old_keys, action->undo_key, json_true());
	free(action->key);
	free(action->undo_key);
	free(action->request);
	free(action->undo_request);
	oracle_people_clear(action);
	*action = (struct oracle_action){0};
}

static void saga_free(struct oracle_saga *saga)
{
	int i, j;

	for (i = 0; i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->steps[i].n; j++)
			oracle_action_clear(saga, &saga->steps[i].actions[j]);
		free(saga->steps[i].actions);
	}
	json_decref(saga->act_ids);
	json_decref(saga->old_keys);
	free(saga->steps);
	free(saga->seen);
	saga_state_free(saga->fold);
	saga_def_unref(saga->def);
	json_decref(saga->rows);
	json_decref(saga->times);
	json_decref(saga->trail);
	json_decref(saga->used);
	free(saga);
}

void oracle_release(struct oracle *oracle)
{
	struct oracle_saga *saga;

	while ((saga = oracle->first)) {
		oracle->first = saga->next;
		saga_free(saga);
	}
	map_release(&oracle->sagas);
}

void oracle_fail(struct oracle *oracle, const char *saga_id, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	oracle->violation(oracle->ctx, saga_id, text);
}

struct oracle_action *oracle_action(struct oracle_saga *saga, int step, int item)
{
	struct oracle_step *st = &saga->steps[step];
	int at = item < 0 ? 0 : item;

	if (at >= st->n) {
		st->actions = xrealloc_array(st->actions, (size_t)at + 1, sizeof(*st->actions));
		memset(&st->actions[st->n], 0, (size_t)(at + 1 - st->n) * sizeof(*st->actions));
		st->n = at + 1;
	}
	return &st->actions[at];
}

const struct action_def *oracle_undo_def(struct oracle_saga *saga, int step, int item)
{
	if (step == saga->def->carried)
		step = oracle_action(saga, step, item)->carried_from;
	return &saga->def->steps[step].undo;
}

static char *request_text(const struct request *request)
{
	struct buf text;

	buf_init(&text, 0);
	request_write(request, &text);
	return buf_take(&text, NULL);
}

/* One event being looked at. */
struct look {
	struct oracle *oracle;
	struct oracle_saga *saga;
	const struct event *event;
	struct oracle_step *step;
	struct oracle_action *action;
};

#define EXPECT(look, cond, rule)                                                                   \
	do {                                                                                           \
		if (!(cond))                                                                               \
			oracle_fail(                                                                           \
				(look)->oracle, (look)->saga->id, "%s: %s %s[%d] at row %lld", rule,               \
				event_type_text((look)->event->type),                                              \
				(look)->event->step >= 0 ? (look)->saga->def->steps[(look)->event->step].id : "",  \
				(look)->event->item, (long long)(look)->saga->seq + 1);                            \
	} while (0)

static bool is_forward(const struct look *look)
{
	return look->event->step < look->saga->def->n_forward;
}

/* S11; and nothing new begins once the way back has begun. */
static void look_begins(struct look *look)
{
	const struct step_def *def = &look->saga->def->steps[look->event->step];
	size_t i;

	if (def->escalates) {
		oracle_escalation_begins(look->oracle, look->saga, look->event);
		return;
	}
	for (i = 0; i < def->n_needs; i++)
		EXPECT(look, look->saga->steps[def->needs[i]].settled, "S11 begun before what it needs");
	EXPECT(look, !look->step->settled, "S11 begun after it has settled");
	if (is_forward(look))
		EXPECT(look, !look->saga->compensating, "S12 begun on the way back");
	else
		EXPECT(look, look->saga->compensating, "S12 on_compensated without a way back");
	look->step->begun = true;
}

static void look_settles(struct look *look)
{
	EXPECT(look, !look->step->settled, "S11 settled twice");
	look->step->settled = true;
}

static bool is_one_action(const struct look *look)
{
	const struct step_def *def = &look->saga->def->steps[look->event->step];

	return !step_def_has_items(def);
}

static bool action_is_over(const struct oracle_action *action)
{
	if (!action->scheduled && !action->completed && !action->failed && !action->skipped)
		return !action->parked;
	return action->completed || action->failed || action->skipped;
}

static bool action_is_undone(const struct oracle_action *action)
{
	return action_is_over(action) &&
		   (!action->armed || action->undone || action->undo_skipped || action->resolved);
}

static bool step_is_undone(const struct oracle_step *step)
{
	int i;

	for (i = 0; i < step->n; i++)
		if (!action_is_undone(&step->actions[i]))
			return false;
	return true;
}

/* S13: all that came after it is undone. S14: nothing of it can still take effect. */
static void look_undo_starts(struct look *look)
{
	const struct saga_def *def = look->saga->def;
	int i;

	EXPECT(look, look->action->armed, "S12 undone without being armed");
	EXPECT(look, !look->action->started && !look->action->undone && !look->action->resolved,
		   "S12 undone twice");
	EXPECT(look, look->event->at >= look->action->settle_at, "S14 undone before it has settled");
	EXPECT(look, look->saga->compensating || look->action->tolerated, "S12 undone on the way on");
	if (!look->saga->compensating)
		return;
	for (i = 0; i < def->n_forward; i++)
		if (step_def_has_ancestor(&def->steps[i], look->event->step))
			EXPECT(look, step_is_undone(&look->saga->steps[i]), "S13 undone before what followed");
	for (i = 0; (def->steps[look->event->step].repeat_until || look->event->step == def->carried) &&
				i < look->step->n;
		 i++)
		if (i > look->event->item)
			EXPECT(look, action_is_undone(&look->step->actions[i]), "S13 a later turn stands");
}

/* What the history owes at the end of the way back: S12. */
static void look_compensated(struct look *look)
{
	const struct saga_def *def = look->saga->def;
	int i, j;

	EXPECT(look, look->saga->compensating, "S15 compensated without a way back");
	for (i = 0; i < def->n_steps; i++) {
		const struct oracle_step *step = &look->saga->steps[i];

		for (j = 0; j < step->n && i < def->n_forward; j++) {
			const struct oracle_action *action = &step->actions[j];
			/* A child that is held; and of what a person skipped, what was armed: it may have taken
			 * effect. */
			bool owed = (def->steps[i].undo_kind == UNDO_ACTION &&
						 (action->completed || (action->failed && action->ambiguous) ||
						  (action->skipped && action->armed))) ||
						(def->steps[i].undo_kind == UNDO_NOT_NEEDED && action->armed);
			bool is_done = action->undone || action->undo_skipped || action->resolved;

			if (!action_is_over(action) || owed != is_done)
				oracle_fail(look->oracle, look->saga->id, "S12 compensated while %s[%d] is %s",
							def->steps[i].id, j, owed ? "not undone" : "undone or not over");
		}
		if (i >= def->n_forward && i < def->n_listed)
			EXPECT(look, step->settled, "S12 compensated before on_compensated has ended");
	}
}

static void look_completed_saga(struct look *look)
{
	int i;

	EXPECT(look, !look->saga->compensating, "S15 completed on the way back");
	for (i = 0; i < look->saga->def->n_forward; i++)
		EXPECT(look, look->saga->steps[i].settled, "S11 completed with a step open");
}

static void look_scheduled(struct look *look)
{
	struct oracle_action *action = look->action;

	look_begins(look);
	EXPECT(look, !action->scheduled && !action->completed && !action->failed, "S9 scheduled twice");
	action->scheduled = true;
	action->due_at = look->event->due_at;
	action->limit_at = look->event->deadline_at;
	action->began = look->event->at;
	oracle_asked(look->oracle, look->saga, look->event);
	if (look->event->step == look->saga->def->pivot)
		look->saga->pivot_closed = true;
	if (look->event->request)
		action->request = request_text(look->event->request);
}

static enum action_kind kind_of(const struct look *look)
{
	return look->saga->def->steps[look->event->step].act.kind;
}

static void look_awaited(struct look *look)
{
	const char *id = look->event->id;

	EXPECT(look, id != NULL, "S17 an await ends without an event");
	EXPECT(look, !json_object_get(look->saga->used, id ? id : ""), "S17 an event ends two awaits");
	json_object_set_new(look->saga->used, id ? id : "", json_integer(look->event->step));
}

static void look_step_completed(struct look *look)
{
	bool by_hand = oracle_by_hand(look->saga, look->event);

	oracle_approval_ends(look->oracle, look->saga, look->event);
	if (!look->action->scheduled && !by_hand)
		look_begins(look); /* set */
	EXPECT(look, !look->action->completed && !look->action->failed && !look->action->skipped,
		   "S15 an action ends twice");
	if (kind_of(look) == ACTION_AWAIT_AFTER && !by_hand)
		EXPECT(look, look->event->at >= look->action->due_at, "S16 a timer is early");
	if (kind_of(look) == ACTION_AWAIT && !look->event->id && !by_hand)
		EXPECT(look, look->action->due_at && look->event->at >= look->action->due_at,
			   "S16 `after` is early");
	if (kind_of(look) == ACTION_AWAIT && !look->event->id && !by_hand)
		EXPECT(look, !look->action->limit_at || look->action->due_at <= look->action->limit_at,
			   "S16 `after` wins over a time-out that came first");
	if ((kind_of(look) == ACTION_AWAIT_KAFKA ||
		 (kind_of(look) == ACTION_AWAIT && look->event->id)) &&
		!by_hand)
		look_awaited(look);
	look->action->completed = true;
	if (is_one_action(look))
		look_settles(look);
}

static void look_ambiguity(struct look *look)
{
	const struct oracle_action *action = look->action;
	const char *code = look->event->code ? look->event->code : "";
	bool command = kind_of(look) == ACTION_COMMAND, timed_out = strcmp(code, "timeout") == 0;

	if (action->maybe_sent && !action->probed && (kind_of(look) == ACTION_HTTP || command))
		EXPECT(look, action->ambiguous, "S12 an ambiguous failure is taken as definite");
	if (command && timed_out)
		EXPECT(look, action->ambiguous, "S12 what was published is taken as not done");
	if ((command && timed_out && action->attempt <= 1) || kind_of(look) == ACTION_AWAIT_KAFKA)
		EXPECT(look, !timed_out || look->event->at >= action->due_at, "S16 a time-out is early");
	if (kind_of(look) == ACTION_AWAIT && timed_out)
		EXPECT(look, action->limit_at && look->event->at >= action->limit_at,
			   "S16 a time-out is early");
	if (action->ambiguous && strcmp(code, "output_error") != 0)
		EXPECT(look, action->maybe_sent || action->probed || action->published_at,
			   "S12 ambiguous without a reason");
}

/* What may still come once the saga has ended: word of a reply that nobody waited for. */
static bool is_afterword(const struct event *event)
{
	return event->type == EV_REPLY_IGNORED || event->type == EV_SAGA_ATTENTION ||
		   (event->type == EV_ACT_TAKEN && event->name && act_kind_parse(event->name, false) >= 0 &&
			act_outlives_saga((enum act_kind)act_kind_parse(event->name, false)));
}

static void look_step_failed(struct look *look)
{
	struct oracle_action *action = look->action;
	int i;

	oracle_approval_ends(look->oracle, look->saga, look->event);
	if (!action->scheduled && !oracle_by_hand(look->saga, look->event))
		look_begins(look);
	EXPECT(look, !action->completed && !action->failed && !action->skipped,
		   "S15 an action ends twice");
	EXPECT(look, look->event->tolerated || !look->saga->def->recovery_forward,
		   "S15 failed, only forward");
	EXPECT(look, look->event->code != NULL, "S17 failed without a code");
	action->failed = true;
	action->ambiguous = look->event->ambiguous;
	action->tolerated = look->event->tolerated;
	action->settle_at = look->event->settle_at;
	if (oracle_by_hand(look->saga, look->event))
		action->maybe_sent = false; /* without effect, as a person says */
	else
		look_ambiguity(look);
	if (look->event->step == look->saga->def->pivot && !action->ambiguous && !action->tolerated) {
		look->saga->pivot_closed = false;
		for (i = 0; i < look->step->n; i++)
			EXPECT(look, !look->step->actions[i].completed && !look->step->actions[i].ambiguous,
				   "S15 the way back opens while a part of the pivot may be done");
	}
}

static void look_compensating(struct look *look)
{
	EXPECT(look, !look->saga->compensating, "S15 two ways back");
	EXPECT(look, !look->saga->pivot_closed, "S15 a way back past the pivot");
	EXPECT(look, !look->saga->def->recovery_forward, "S15 a way back where there is none");
	/* Who is held is undone for the reasons of its parent. */
	if (look->event->code && strcmp(look->event->code, "deadline_exceeded") == 0 &&
		look->event->step < 0 && !look->saga->fold->held)
		EXPECT(look, look->event->at >= look->saga->fold->deadline_at, "S16 a deadline is early");
	look->saga->compensating = true;
}

static void look_armed(struct look *look)
{
	EXPECT(look, look->action->completed || look->action->ambiguous || look->action->skipped,
		   "S12 armed without an effect");
	EXPECT(look, !look->action->armed, "S12 armed twice");
	look->action->armed = true;
	look->action->held = look->event->id != NULL;
	if (look->event->request)
		look->action->undo_request = request_text(look->event->request);
}

static void look_undo_started(struct look *look)
{
	look_undo_starts(look);
	look->action->started = true;
	look->action->undo_began = look->event->at;
	look->action->undo_told = 0;
	if (look->event->request) {
		EXPECT(look, !look->action->undo_request, "S10 the undo request is computed twice");
		free(look->action->undo_request);
		look->action->undo_request = request_text(look->event->request);
	}
}

/* What took effect after its undo had begun needs a person. The success of a late probe only tells
 * of the time when it was asked; where there are probes, the history does not tell which it was. */
static void look_ignored(struct look *look)
{
	const struct step_def *step = &look->saga->def->steps[look->event->step];
	struct oracle_action *action = look->action;

	/* These books are of the present run. */
	if (look->event->code && strcmp(look->event->code, "earlier_run") == 0)
		return;
	if (look->event->outcome == OUTCOME_SUCCESS && look->event->side == SIDE_DO &&
		!step->act.probe && action->failed && (action->started || action->undone))
		action->late_success = true;
}

static void look_end(struct look *look, enum saga_status end)
{
	look->saga->ended = true;
	look->saga->end = end;
}

/* Of the whole step, because of its `when`; or of an action, by a person. */
static void look_skipped(struct look *look)
{
	if (!oracle_by_hand(look->saga, look->event)) {
		look_begins(look);
		look_settles(look);
		look->step->skipped = true;
		return;
	}
	EXPECT(look, !look->action->completed && !look->action->failed && !look->action->skipped,
		   "S15 an action ends twice");
	look->action->skipped = true;
	look->action->settle_at = look->event->settle_at;
	/* A turn that is skipped is the last one. */
	if (!look->step->expanded)
		look_settles(look);
}

/* It is over, and what it undid is gone; or it is said to be not needed. */
static void look_undo_ends(struct look *look, bool *what)
{
	if (!look->action->started && !oracle_by_hand(look->saga, look->event))
		look_undo_starts(look);
	EXPECT(look, !look->action->undone && !look->action->undo_skipped && !look->action->resolved,
		   "S12 undone twice");
	*what = true;
}

/* S19: one worker at a time, and each lease a number of its own. */
static void look_leased(struct look *look)
{
	bool undo = look->event->side == SIDE_UNDO;
	struct oracle_action *action = look->action;

	EXPECT(look, undo ? action->started : action->scheduled, "S9 leased before it was scheduled");
	EXPECT(look, !(undo ? action->undo_leased : action->leased), "S19 two workers have one task");
	EXPECT(look, look->event->attempt == (undo ? action->undo_leases : action->leases) + 1,
		   "S19 two leases with one number");
	EXPECT(look, !look->saga->paused, "S20 leased while the saga is paused");
	*(undo ? &action->undo_leased : &action->leased) = true;
	*(undo ? &action->undo_leases : &action->leases) = look->event->attempt;
	if (!undo)
		action->maybe_sent = true;
}

/* Whatever ends an attempt ends its lease. */
static void look_lease_ends(struct look *look)
{
	enum event_type type = look->event->type;

	if (look->event->step < 0 || !look->action)
		return;
	if (type == EV_STEP_COMPLETED || type == EV_STEP_FAILED || type == EV_STEP_ATTEMPT_FAILED ||
		type == EV_STEP_PARKED || type == EV_STEP_SKIPPED)
		look->action->leased = false;
	if (type == EV_COMPENSATION_COMPLETED || type == EV_COMPENSATION_ATTEMPT_FAILED ||
		type == EV_COMPENSATION_FAILED || type == EV_COMPENSATION_SKIPPED)
		look->action->undo_leased = false;
}

static void look_event(struct look *look)
{
	look_lease_ends(look);
	EXPECT(look, !look->saga->ended || is_afterword(look->event), "S15 an event after the end");
	switch (look->event->type) {
	case EV_STEP_SCHEDULED:
		look_scheduled(look);
		break;
	case EV_STEP_COMPLETED:
		look_step_completed(look);
		break;
	case EV_STEP_FAILED:
		look_step_failed(look);
		break;
	case EV_STEP_SKIPPED:
		look_skipped(look);
		break;
	case EV_STEP_EXPANDED:
		look_begins(look);
		look->step->expanded = true;
		break;
	case EV_STEP_SETTLED:
		look_settles(look);
		break;
	case EV_STEP_PARKED:
		look->action->parked = true;
		break;
	case EV_TASK_LEASED:
		look_leased(look);
		break;
	case EV_STEP_ATTEMPT_FAILED:
		look->action->next_at = look->event->due_at;
		break;
	case EV_STEP_ABSENT:
		look->action->maybe_sent = look->action->probed = false;
		look->action->next_at = look->action->published_at = 0;
		break;
	case EV_COMPENSATION_ARMED:
		look_armed(look);
		break;
	case EV_COMPENSATION_STARTED:
		look_undo_started(look);
		break;
	case EV_COMPENSATION_COMPLETED:
		look_undo_ends(look, &look->action->undone);
		break;
	case EV_COMPENSATION_FAILED:
		look->action->undo_failed = look->action->armed = true;
		break;
	case EV_COMPENSATION_SKIPPED:
		look_undo_ends(look, &look->action->undo_skipped);
		break;
	case EV_COMPENSATION_ATTEMPT_FAILED:
		look->action->undo_next_at = look->event->due_at;
		break;
	case EV_SAGA_COMPENSATING:
		look_compensating(look);
		break;
	case EV_SAGA_COMPLETED:
		look_completed_saga(look);
		look_end(look, SAGA_COMPLETED);
		break;
	case EV_SAGA_COMPENSATED:
		look_compensated(look);
		look_end(look, SAGA_COMPENSATED);
		break;
	case EV_SAGA_TERMINATED:
		oracle_act_id(look->oracle, look->saga, look->event);
		look_end(look, SAGA_TERMINATED);
		break;
	case EV_SAGA_CANCEL_REQUESTED:
		/* An event that asks for it may come again. */
		if (look->event->by && strcmp(look->event->by, "event") != 0)
			oracle_act_id(look->oracle, look->saga, look->event);
		break;
	case EV_ACT_TAKEN:
		oracle_act_taken(look->oracle, look->saga, look->event);
		break;
	case EV_SAGA_CONTINUED:
		oracle_continued(look->oracle, look->saga, look->event);
		break;
	case EV_REPLY_IGNORED:
		look_ignored(look);
		break;
	case EV_ESCALATED:
		oracle_escalated(look->oracle, look->saga, look->event);
		break;
	case EV_SAGA_STARTED:
		look->saga->watched_from = look->event->at;
		break;
	case EV_STEP_ONGOING:
	case EV_COMPENSATION_ONGOING:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_COMMAND_PUBLISHED:
	case EV_CHILD_STARTED:
	case EV_CHILD_CANCELLED:
	case EV_SAGA_HELD:
	case EV_SAGA_ATTENTION:
	case EV_SAGA_RESET: /* of sagas that nobody watched before */
		break;
	}
}

static void note_trail(struct oracle_saga *saga, const struct event *event)
{
	const char *type = event_type_text(event->type);
	char text[256];

	if (event->step < 0)
		snprintf(text, sizeof(text), "%s", type);
	else if (event->item < 0)
		snprintf(text, sizeof(text), "%s %s", type, saga->def->steps[event->step].id);
	else
		snprintf(text, sizeof(text), "%s %s[%d]", type, saga->def->steps[event->step].id,
				 event->item);
	json_array_append_new(saga->trail, json_string(text));
	if (saga->seen[event->type] < 255)
		saga->seen[event->type]++;
}

struct reading {
	struct oracle *oracle;
	struct oracle_saga *saga;
	bool broken;
};

static int64_t migrated_to(const struct event *event)
{
	if (event->type != EV_ACT_TAKEN || !event->name || strcmp(event->name, "migrate") != 0)
		return 0;
	return json_integer_value(json_object_get(jval_json(event->value), "version"));
}

static int read_row(void *ctx, const struct history_row *row)
{
	struct reading *reading = ctx;
	struct oracle_saga *saga = reading->saga;
	int64_t version = 0;
	CLEANUP(json_decref_p) json_t *list = NULL;
	const json_t *json;
	struct event event;
	struct err err;
	size_t i;

	if (row->seq != saga->seq + 1 || row->at < saga->fold->last_at)
		oracle_fail(reading->oracle, saga->id, "S6 row %lld at %lld follows row %lld at %lld",
					(long long)row->seq, (long long)row->at, (long long)saga->seq,
					(long long)saga->fold->last_at);
	if (json_parse(row->events, row->events_len, &list, &err) < 0)
		oracle_fail(reading->oracle, saga->id, "S6 row %lld: %s", (long long)row->seq, err.text);
	json_array_foreach (list, i, json) {
		struct look look = {.oracle = reading->oracle, .saga = saga, .event = &event};
		bool before;

		if (event_from_json(json, saga->def, row->at, &event, &err) < 0) {
			oracle_fail(reading->oracle, saga->id, "S6 row %lld: %s", (long long)row->seq,
						err.text);
			continue;
		}
		if (event.step >= 0) {
			look.step = &saga->steps[event.step];
			look.action = oracle_action(saga, event.step, event.item);
		}
		/* Who is told of an act, or of another run, wants to know what it found. */
		before = event.type == EV_ACT_TAKEN || event.type == EV_SAGA_CONTINUED;
		if (reading->oracle->event && before)
			reading->oracle->event(reading->oracle->ctx, saga, &event);
		look_event(&look);
		version += migrated_to(&event);
		note_trail(saga, &event);
		if (reading->oracle->event && !before)
			reading->oracle->event(reading->oracle->ctx, saga, &event);
		event_release(&event);
	}
	if (saga_state_apply_row(saga->fold, row->at, row->events, row->events_len, &err) < 0)
		oracle_fail(reading->oracle, saga->id, "S7 row %lld does not fold: %s", (long long)row->seq,
					err.text);
	saga_state_check(saga->fold);
	json_array_append_new(saga->rows, json_stringn(row->events, row->events_len));
	json_array_append_new(saga->times, json_integer(row->at));
	saga->seq = row->seq;
	if (version)
		oracle_migrated(reading->oracle, saga, version);
	return 0;
}

static struct oracle_saga *saga_new(struct oracle *oracle, const char *id)
{
	struct world *world = oracle->world;
	struct oracle_saga *saga;
	struct saga_row row = {0};
	struct saga_def *def;
	struct err err;

	if (world->inner->ops->saga_get(world->truth, WORLD_NS, id, &row, &err) < 0)
		return NULL;
	def = world_definition(world, row.definition, row.version);
	saga_row_release(&row);
	saga = xcalloc(1, sizeof(*saga));
	memcpy(saga->id, id, sizeof(saga->id));
	saga->def = saga_def_ref(def);
	saga->fold = saga_state_new(def, id);
	saga->steps = xcalloc((size_t)def->n_steps, sizeof(*saga->steps));
	if (def->carried >= 0)
		saga->steps[def->carried].begun = saga->steps[def->carried].settled = true;
	saga->seen = xcalloc(64, 1);
	saga->rows = json_array();
	saga->times = json_array();
	saga->trail = json_array();
	saga->used = json_object();
	saga->act_ids = json_object();
	saga->old_keys = json_object();
	*oracle->last = saga;
	oracle->last = &saga->next;
	map_put(&oracle->sagas, saga->id, saga);
	return saga;
}

struct oracle_saga *oracle_saga(struct oracle *oracle, const char *id)
{
	struct oracle_saga *saga = map_get(&oracle->sagas, id);
	struct world *world = oracle->world;
	struct reading reading = {.oracle = oracle};
	struct err err;

	if (!saga)
		saga = saga_new(oracle, id);
	if (!saga)
		return NULL;
	reading.saga = saga;
	if (world->inner->ops->history(world->truth, id, saga->seq, 1000, read_row, &reading, &err) < 0)
		oracle_fail(oracle, id, "S6 the history cannot be read: %s", err.text);
	return saga;
}
