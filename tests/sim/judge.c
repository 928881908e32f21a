/* What must hold when something was committed, and at the end. */
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
	int i;

	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].id[0])
			oracle_saga(&sim->oracle, sim->clients[i].id);
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		before = saga->seq;
		oracle_saga(&sim->oracle, saga->id);
		if (saga->seq == saga->checked_seq && before == saga->seq)
			continue;
		saga->checked_seq = saga->seq;
		oracle_check_stored(&sim->oracle, saga);
		count_statuses(sim->options.coverage, saga->fold);
	}
}

/* A person has to do something, and nothing happens until then. */
static bool waits_for_a_person(const struct oracle_saga *saga)
{
	return saga_state_attention(saga->fold) && saga_state_next_due(saga->fold) == 0 &&
		   saga_state_in_flight(saga->fold) == 0;
}

bool judge_is_settled(struct sim *sim)
{
	const struct oracle_saga *saga;
	int i;

	if (!sim->world.turn || sim->flights || sim->world.batch || sim->world.mailbox.n > 0 ||
		sim->world.reads.n > 0 || !turn_recovered(sim->world.turn) || sim->draining)
		return false;
	for (i = 0; i < sim->n_clients; i++)
		if (sim->clients[i].at || sim->clients[i].out)
			return false;
	for (saga = sim->oracle.first; saga; saga = saga->next)
		if (!saga->ended && !waits_for_a_person(saga))
			return false;
	return true;
}

/* S12: after the way back no effect stands that can be undone. */
static void judge_ledger(struct sim *sim, const struct resource *resource)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, resource->saga_id);
	const struct step_def *step = &saga->def->steps[resource->step];
	const struct oracle_action *action = oracle_action(saga, resource->step, resource->item);

	if (resource->effects > 1)
		sim_fail(sim, saga->id, "S10 an effect happened twice");
	if (!saga->ended || resource->step >= saga->def->n_forward)
		return;
	if (saga->end == SAGA_COMPENSATED && step->undo_kind == UNDO_ACTION && !action->undo_skipped &&
		resource->standing)
		sim_fail(sim, saga->id, "S12 an effect stands after the saga was undone");
	if (saga->end == SAGA_COMPLETED && action->completed && !resource->standing)
		sim_fail(sim, saga->id, "S12 a completed saga lacks an effect");
	if (saga->end == SAGA_COMPLETED && action->tolerated && step->undo_kind == UNDO_ACTION &&
		!action->undo_skipped && resource->standing)
		sim_fail(sim, saga->id, "S12 an effect of a tolerated failure stands");
	sim->options.coverage->effects_checked++;
}

/* S13, as the participants saw it. */
static void judge_order(struct sim *sim, const struct resource *first)
{
	struct oracle_saga *saga = oracle_saga(&sim->oracle, first->saga_id);
	const struct resource *later;

	if (!saga->compensating || !first->undone_at ||
		oracle_action(saga, first->step, first->item)->tolerated)
		return;
	for (later = sim->resources; later; later = later->next) {
		if (strcmp(later->saga_id, first->saga_id) != 0 || !later->undone_at ||
			!step_def_has_ancestor(&saga->def->steps[later->step], first->step))
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
			if (a->fold->key && b->fold->key && a->def == b->def &&
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
	oracle_check_memory(&sim->oracle);
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		sim->options.coverage->sagas++;
		oracle_check_stored(&sim->oracle, saga);
		oracle_check_history(&sim->oracle, saga);
	}
	for (resource = sim->resources; resource; resource = resource->next) {
		judge_ledger(sim, resource);
		judge_order(sim, resource);
	}
	for (i = 0; i < sim->n_clients; i++)
		judge_client(sim, &sim->clients[i]);
	judge_keys(sim);
	if (sim->world.inner->ops->list(sim->world.truth, &filter, count_saga, &counting, &err) < 0)
		sim_fail(sim, "", err.text);
}
