/* What must hold when something was committed, and at the end. */
#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "tests/sim/sim.h"

static void count_statuses(struct coverage *coverage, const struct saga_state *state)
{
	int i, j;

	coverage->saga_status[state->status]++;
	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_state *step = &state->steps[i];

		coverage->step_status[step->status]++;
		for (j = 0; j < step->n_actions; j++) {
			const struct action_state *action = &step->actions[j];

			coverage->comp_status[saga_state_comp_shown(state, action)]++;
			coverage->step_status[STEP_AWAITING_REPLY] += action->run.status == EXEC_ONGOING;
			coverage->step_status[STEP_BACKING_OFF] += action->run.status == EXEC_BACKING_OFF;
			coverage->parked += action->run.status == EXEC_PARKED;
		}
	}
}

void judge_growth(struct sim *sim)
{
	struct oracle_saga *saga;
	int64_t before;
	bool grown = false;
	int i;

	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].id[0])
			oracle_saga(&sim->oracle, sim->clients[i].id);
	for (i = 0; i < TRIED_KEPT; i++)
		if (sim->tried[i][0])
			oracle_saga(&sim->oracle, sim->tried[i]);
	children_look(sim);
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		before = saga->seq;
		oracle_saga(&sim->oracle, saga->id);
		if (saga->seq == saga->checked_seq && before == saga->seq)
			continue;
		saga->checked_seq = saga->seq;
		grown = true;
		oracle_check_stored(&sim->oracle, saga);
		count_statuses(sim->options.coverage, saga->fold);
	}
	if (grown)
		families_check(sim);
	published_check(sim);
}

static const char *order_of(const struct oracle_saga *saga)
{
	const json_t *input = jval_json(saga->fold->input), *around = json_object_get(input, "input");

	/* That of a block is what stands around it. */
	return json_string_value(json_object_get(around ? around : input, "order"));
}

/* Whether the await could have ended with the record, at some place: its `when` is about n alone.
 */
static bool is_meant(const struct oracle_saga *saga, const struct step_def *step,
					 const struct sim_record *record)
{
	int n = step->act.kind == ACTION_AWAIT_KAFKA ? 1 : (int)step->act.await.n_waits;

	/* A person may have given a child another input. */
	if (!order_of(saga) || strcmp(record->order, order_of(saga)) != 0)
		return false;
	for (int i = 0; i < n; i++) {
		const struct correlate_def *on = action_subscription(&step->act, i);

		if (on && strcmp(record->topic, on->topic) == 0 && (!on->when || record->n > 0))
			return true;
	}
	return false;
}

static bool had_come(const struct step_def *step, const struct sim_record *record, wall_ms by)
{
	if (action_subscribes_kafka(&step->act))
		return record->at < by;
	return record->stored_at != 0 && record->stored_at < by;
}

/* S17: what had come when the time ran out, and did not end another await, ends this one. */
static void judge_ran_out(struct sim *sim, struct oracle_saga *saga, const struct event *event,
						  wall_ms ran_out_at)
{
	const struct step_def *step = &saga->def->steps[event->step];
	const struct sim_topic *topic = &sim->topics[TOPIC_EVENTS];
	int64_t at;

	for (at = 0; at < topic->end; at++) {
		const struct sim_record *record = topic->records[at];
		char id[64];

		snprintf(id, sizeof(id), "%s/%s/0/%lld", DEF_DEFAULT_CLUSTER, record->topic, (long long)at);
		/* Not those that were too old when it began to wait. */
		if (had_come(step, record, ran_out_at) && is_meant(saga, step, record) &&
			record->at + EVENTS_KEPT_MS > event->at && !json_object_get(saga->used, id))
			sim_fail(sim, saga->id, "S17 an await ran out although its event had come");
	}
}

static void judge_await_failed(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	const struct oracle_action *action = oracle_action(saga, event->step, event->item);
	bool several = saga->def->steps[event->step].act.kind == ACTION_AWAIT;

	if (event->code && strcmp(event->code, "timeout") == 0)
		judge_ran_out(sim, saga, event, several ? action->limit_at : action->due_at);
}

/* S17: the reply that had come when the time of a first attempt ran out is not passed over. */
static void judge_timed_out(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	const struct oracle_action *action = oracle_action(saga, event->step, event->item);
	const struct sim_topic *topic = &sim->topics[TOPIC_REPLIES];
	int64_t at;

	if (!event->code || strcmp(event->code, "timeout") != 0 || action->attempt > 1)
		return;
	for (at = 0; at < topic->end; at++) {
		const struct sim_record *record = topic->records[at];

		if (record->at < action->due_at && record->kind == CALL_DO &&
			record->flight_status == 200 && record->step == event->step &&
			record->item == event->item && strcmp(record->saga_id, saga->id) == 0 &&
			kafka_reply_is_current(saga, record))
			sim_fail(sim, saga->id, "S17 a command timed out although its reply had come");
	}
}

static void judge_awaited(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	bool several = saga->def->steps[event->step].act.kind == ACTION_AWAIT;
	const struct sim_record *record;

	if (several && !event->id) {
		judge_ran_out(sim, saga, event, oracle_action(saga, event->step, event->item)->due_at);
		return;
	}
	if (several && strncmp(event->id, "signal/", 7) == 0)
		return;
	record = kafka_event(sim, event->id);
	if (!record || !is_meant(saga, &saga->def->steps[event->step], record))
		sim_fail(sim, saga->id, "S17 an await ends with an event of another");
}

void judge_event(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	enum action_kind kind = event->step >= 0 ? saga->def->steps[event->step].act.kind : ACTION_SET;

	if (event->type == EV_SAGA_CONTINUED)
		continued_stored(sim, saga, event);
	else if (event->type == EV_ACT_TAKEN)
		operator_act_stored(sim, saga, event);
	else if (oracle_by_hand(saga, event))
		return;
	else if (event->type == EV_STEP_COMPLETED &&
			 (kind == ACTION_AWAIT_KAFKA || kind == ACTION_AWAIT))
		judge_awaited(sim, saga, event);
	else if (event->type == EV_STEP_FAILED && (kind == ACTION_AWAIT_KAFKA || kind == ACTION_AWAIT))
		judge_await_failed(sim, saga, event);
	else if ((event->type == EV_STEP_FAILED || event->type == EV_STEP_ATTEMPT_FAILED) &&
			 kind == ACTION_COMMAND)
		judge_timed_out(sim, saga, event);
}

/* S14: a success that came too late has called a person. */
static void judge_late(struct sim *sim, const struct oracle_saga *saga)
{
	int i, j;

	for (i = 0; i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->steps[i].n; j++) {
			if (!saga->steps[i].actions[j].late_success)
				continue;
			sim->options.coverage->late_successes++;
			if (!saga->seen[EV_SAGA_ATTENTION])
				sim_fail(sim, saga->id, "S14 a late success is told to nobody");
		}
	}
}

static int count_inbox(void *ctx, const struct inbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int inbox_rows(struct sim *sim)
{
	int slots[WORLD_SLOTS], i, n = 0;
	struct inbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = 1000};
	struct err err;

	for (i = 0; i < WORLD_SLOTS; i++)
		slots[i] = i;
	if (sim->world.inner->ops->inbox_list(sim->world.truth, &page, count_inbox, &n, &err) < 0)
		sim_fail(sim, "", err.text);
	return n;
}

bool judge_waits_for_a_person(const struct oracle_saga *saga)
{
	return saga_state_attention(saga->fold) && saga_state_next_due(saga->fold) == 0 &&
		   saga_state_in_flight(saga->fold) == 0;
}

bool judge_is_settled(struct sim *sim)
{
	const struct oracle_saga *saga;
	int i;

	if (!sim->world.turn || sim->flights || sim->starts || sim->world.batch || sim->world.removal ||
		sim->world.mailbox.n > 0 || sim->world.reads.n > 0 || !turn_recovered(sim->world.turn) ||
		sim->draining)
		return false;
	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].at || sim->clients[i].out)
			return false;
	for (saga = sim->oracle.first; saga; saga = saga->next)
		if (!saga->ended && !families_wait(sim, saga) &&
			(!judge_waits_for_a_person(saga) || saga->fold->paused))
			return false;
	for (i = 0; i < sim->n_acts; i++)
		if (sim->acts[i].out > 0)
			return false;
	for (saga = sim->oracle.first; saga && sim->operate_at && sim->n_acts < SIM_ACTS_MAX;
		 saga = saga->next)
		if (!saga->ended && saga->repairs < SIM_REPAIRS_MAX && !families_wait(sim, saga))
			return false;
	return worker_is_idle(sim) && kafka_is_settled(sim) && inbox_rows(sim) == 0;
}

/* S12: after the way back no effect stands that can be undone. */
static void judge_ledger(struct sim *sim, const struct resource *resource)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, resource->saga_id);
	const struct step_def *step;
	const struct oracle_action *action;
	bool can_undo;

	if (resource->by_hand)
		return;
	if (resource->old && resource->standing && !resource->excused)
		sim_fail(sim, saga->id, "S12 a step began anew, and its effect stands");
	if (resource->old)
		return;
	action = oracle_action(saga, resource->step, resource->item);
	step = &saga->def->steps[resource->step];
	can_undo = resource->step == saga->def->carried || step->undo_kind == UNDO_ACTION;
	if (resource->effects > 1)
		sim_fail(sim, saga->id, "S10 an effect happened twice");
	if (!saga->ended || resource->step >= saga->def->n_forward)
		return;
	if (saga->end == SAGA_COMPENSATED && can_undo && !action->undo_skipped && resource->standing)
		sim_fail(sim, saga->id, "S12 an effect stands after the saga was undone");
	/* What an earlier run made was looked at when that ended. */
	if (saga->end == SAGA_COMPLETED && resource->step != saga->def->carried && action->completed &&
		!resource->standing)
		sim_fail(sim, saga->id, "S12 a completed saga lacks an effect");
	if (saga->end == SAGA_COMPLETED && action->tolerated && step->undo_kind == UNDO_ACTION &&
		!action->undo_skipped && resource->standing)
		sim_fail(sim, saga->id, "S12 an effect of a tolerated failure stands");
	sim->options.coverage->effects_checked++;
}

/* Those of the present run before those of earlier ones, and of these the last one first. */
static bool must_go_first(const struct saga_def *def, const struct resource *later,
						  const struct resource *first)
{
	if (first->step == def->carried)
		return later->step != def->carried || later->item > first->item;
	return later->step != def->carried &&
		   step_def_has_ancestor(&def->steps[later->step], first->step);
}

/* S13, as the participants saw it. */
static void judge_order(struct sim *sim, const struct resource *first)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, first->saga_id);
	const struct resource *later;

	if (!saga->compensating || !first->undone_at || first->old || first->undo_by_hand ||
		oracle_action(saga, first->step, first->item)->tolerated)
		return;
	for (later = sim->resources; later; later = later->next) {
		if (strcmp(later->saga_id, first->saga_id) != 0 || !later->undone_at || later->old ||
			later->undo_by_hand || oracle_action(saga, later->step, later->item)->tolerated ||
			!must_go_first(saga->def, later, first))
			continue;
		sim->options.coverage->undos_checked++;
		if (later->undo_order > first->undo_order)
			sim_fail(sim, saga->id, "S13 undone before what depends on it");
	}
}

static void judge_client(struct sim *sim, const struct client *client)
{
	struct oracle_saga *saga;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	if (!client->acked[0])
		return;
	saga = oracle_saga(&sim->oracle, client->acked);
	if (!saga)
		sim_fail(sim, client->acked, "S1 an acknowledged start is lost");
	if (client->cancel_acked && !saga->seen[EV_SAGA_CANCEL_REQUESTED])
		sim_fail(sim, client->acked, "S1 an acknowledged cancel is lost");
	if (client->terminate_acked && saga->end != SAGA_TERMINATED)
		sim_fail(sim, client->acked, "S1 an acknowledged end is lost");
	if (!client->key[0])
		return;
	if (sim->world.inner->ops->find_key(sim->world.truth, WORLD_NS, client->def->name, client->key,
										id, fingerprint, &err) < 0 ||
		strcmp(id, client->acked) != 0)
		sim_fail(sim, client->acked, "S2 the key leads to another saga");
}

struct counting {
	struct sim *sim;
	int n;
};

/* Whatever is in the store was asked for. */
static int count_saga(void *ctx, const struct saga_row *row)
{
	struct counting *counting = ctx;

	counting->n++;
	if (!map_get(&counting->sim->oracle.sagas, row->id))
		sim_fail(counting->sim, row->id, "S2 a saga that nobody has heard of");
	return 0;
}

static void judge_keys(struct sim *sim)
{
	const struct oracle_saga *a, *b;

	for (a = sim->oracle.first; a; a = a->next)
		for (b = a->next; b; b = b->next)
			if (a->fold->key && b->fold->key && strcmp(a->def->name, b->def->name) == 0 &&
				strcmp(a->fold->key, b->fold->key) == 0)
				sim_fail(sim, a->id, "S2 two sagas with one key");
}

void judge_end(struct sim *sim)
{
	struct counting counting = {.sim = sim};
	struct saga_filter filter = {.ns = WORLD_NS, .limit = 1000};
	const struct resource *resource;
	struct oracle_saga *saga;
	struct err err;
	int i;

	judge_growth(sim);
	operator_judge(sim);
	oracle_check_memory(&sim->oracle);
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		sim->options.coverage->sagas++;
		oracle_check_stored(&sim->oracle, saga);
		oracle_check_history(&sim->oracle, saga);
		judge_late(sim, saga);
	}
	published_judge(sim);
	for (resource = sim->resources; resource; resource = resource->next) {
		judge_ledger(sim, resource);
		judge_order(sim, resource);
	}
	for (i = 0; i < sim->n_clients; i++)
		judge_client(sim, &sim->clients[i]);
	judge_keys(sim);
	families_judge(sim);
	if (sim->world.inner->ops->list(sim->world.truth, &filter, count_saga, &counting, &err) < 0)
		sim_fail(sim, "", err.text);
}
