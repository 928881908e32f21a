/*
 * Clients: each starts one saga, tries again under the same key when it hears nothing, and may
 * cancel or terminate it. Some use the key of another, with the same payload or another one.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

static void client_new(struct sim *sim, int i)
{
	struct client *client = &sim->clients[i];
	struct rng *rng = &sim->rng_client;
	int original = (int)rng_below(rng, i + 1);
	bool duplicate = rng_percent(rng, 20) && i > 0, keyed = rng_percent(rng, 70);

	client->def = sim->world.defs[rng_below(rng, (int64_t)sim->world.n_defs)];
	client->input = gen_input(rng, client->def, i);
	client->at = sim->world.now + rng_below(rng, 5000);
	client->original = i;
	if (keyed)
		snprintf(client->key, sizeof(client->key), "key-%d", i);
	if (!duplicate || !sim_fault(sim, FAULT_DUPLICATE, original < i) ||
		!(sim->options.sagas >> original & 1) || !sim->clients[original].key[0])
		return;
	client->original = sim->clients[original].original;
	client->def = sim->clients[original].def;
	memcpy(client->key, sim->clients[original].key, sizeof(client->key));
	if (rng_percent(rng, 60)) {
		json_decref(client->input);
		client->input = json_incref(sim->clients[original].input);
	}
}

void client_init(struct sim *sim)
{
	int i, n = 1 + (int)rng_below(&sim->rng_client, SAGAS_MAX);

	sim->n_clients = n;
	for (i = 0; i < n; i++) {
		client_new(sim, i);
		if (!(sim->options.sagas >> i & 1))
			sim->clients[i].at = 0;
	}
}

static void start(struct sim *sim, struct client *client)
{
	struct engine_call *call =
		world_start_call(&sim->world, client->def, client->key[0] ? client->key : NULL,
						 json_incref(client->input), rng_next(&sim->rng_client));

	if (client->id[0])
		memcpy(sim->tried[sim->n_tried++ % TRIED_KEPT], client->id, sizeof(client->id));
	memcpy(client->id, call->id, sizeof(client->id));
	memcpy(client->fingerprint, call->fingerprint, sizeof(client->fingerprint));
	call->ctx = client;
	client->out = true;
	client->tries++;
	if (rng_percent(&sim->rng_client, 20))
		call->wait_ms = 1 + rng_below(&sim->rng_client, 20000);
	sim_trace(sim, "client %td starts %s as %s key %s", client - sim->clients, client->def->name,
			  call->id, client->key);
	world_post(&sim->world, POST_CALL, call);
}

static void act(struct sim *sim, struct client *client, enum act_kind kind)
{
	struct engine_call *call = world_act_call(kind, client->acked, "because");

	call->ctx = client;
	client->maybe_cancelled |= kind == ACT_CANCEL;
	client->maybe_terminated |= kind == ACT_TERMINATE;
	sim_trace(sim, "client %td does %s to %s", client - sim->clients, act_kind_text(kind),
			  client->acked);
	world_post(&sim->world, POST_CALL, call);
}

static void wait_for(struct sim *sim, struct client *client)
{
	struct engine_call *call = world_wait_call(client->acked);

	call->ctx = client;
	call->wait_ms = 1 + rng_below(&sim->rng_client, 100000);
	sim_trace(sim, "client %td waits for %s", client - sim->clients, client->acked);
	world_post(&sim->world, POST_CALL, call);
}

void client_act(struct sim *sim, struct client *client)
{
	int what = (int)rng_below(&sim->rng_client, 100);

	client->at = 0;
	if (!client->acked[0]) {
		if (!client->out)
			start(sim, client);
		return;
	}
	if (what < 40)
		wait_for(sim, client);
	else if (what < 80 && sim_fault(sim, FAULT_CANCEL, true))
		act(sim, client, ACT_CANCEL);
	else if (what >= 92 && sim_fault(sim, FAULT_TERMINATE, true))
		act(sim, client, ACT_TERMINATE);
}

static bool is_act(const struct engine_call *call, enum act_kind kind)
{
	return call->act == ENGINE_ACT && call->effect.kind == kind;
}

/* S2, S3: what a start is told must agree with what others were told of the same key. */
static void check_start(struct sim *sim, const struct client *client,
						const struct engine_call *call)
{
	int i;

	for (i = 0; i < sim->n_clients; i++) {
		const struct client *other = &sim->clients[i];

		if (other == client || !other->acked[0] || !client->key[0] ||
			strcmp(other->key, client->key) != 0)
			continue;
		if (strcmp(other->acked, client->acked) != 0)
			sim_fail(sim, client->acked, "S2 two sagas for one key");
		if (!call->duplicate && strcmp(client->id, client->acked) == 0 &&
			strcmp(other->fingerprint, client->fingerprint) != 0)
			sim_fail(sim, client->acked, "S2 two payloads for one key");
	}
	if (call->duplicate && !client->refused &&
		strcmp(call->existing_fingerprint, client->fingerprint) != 0)
		sim_fail(sim, client->acked, "S3 a duplicate of another payload");
}

static void start_answered(struct sim *sim, struct client *client, const struct engine_call *call,
						   bool lost)
{
	client->out = false;
	if (lost || call->result == ERR_UNAVAILABLE || call->result == ERR_LIMIT) {
		/* Who has no key cannot know; who has one asks again. */
		if (client->key[0] || !lost)
			client->at = sim->world.now + 200 + rng_below(&sim->rng_client, 2000);
		return;
	}
	if (call->result < 0) {
		sim_fail(sim, call->id, call->err.text);
		return;
	}
	client->refused =
		call->duplicate && strcmp(call->existing_fingerprint, client->fingerprint) != 0;
	if (client->refused)
		return; /* 422: this client has no saga */
	memcpy(client->acked, call->duplicate ? call->existing_id : call->id, sizeof(client->acked));
	check_start(sim, client, call);
	if (!oracle_saga(&sim->oracle, client->acked))
		sim_fail(sim, client->acked, "S1 a start is acknowledged before it is stored");
	if (rng_percent(&sim->rng_client, 35))
		client->at = sim->world.now + rng_below(&sim->rng_client, 15000);
}

/* What is shown is durable: the status and the end, up to the row that the answer names. */
static void check_shown(struct sim *sim, const struct engine_call *call)
{
	const struct oracle_saga *saga =
		oracle_saga(&sim->oracle, call->duplicate ? call->existing_id : call->id);

	if (call->result < 0 || call->duplicate)
		return;
	if (!saga || call->seq > saga->seq)
		sim_fail(sim, call->id, "S1 an answer shows what is not stored");
	if (call->seq == saga->seq && call->status != saga->fold->status)
		sim_fail(sim, call->id, "S7 an answer shows another status than the history");
	if (call->ended && (!saga->ended || saga->end != call->status))
		sim_fail(sim, call->id, "S1 an answer shows an end that is not stored");
	if (is_act(call, ACT_TERMINATE) && saga->end != SAGA_TERMINATED)
		sim_fail(sim, call->id, "S1 a terminate is acknowledged before it is stored");
	if (is_act(call, ACT_CANCEL) && !saga->seen[EV_SAGA_CANCEL_REQUESTED])
		sim_fail(sim, call->id, "S1 a cancel is acknowledged before it is stored");
}

/* S1, the other way round: an end that its call brought about is not refused to its caller. */
static void check_refused(struct sim *sim, const struct client *client,
						  const struct engine_call *call)
{
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, call->id);
	int i;

	if (!is_act(call, ACT_TERMINATE) || call->result != ERR_CONFLICT || !saga || !saga->ended ||
		saga->end != SAGA_TERMINATED)
		return;
	for (i = 0; i < sim->n_clients; i++)
		if (&sim->clients[i] != client && sim->clients[i].maybe_terminated &&
			strcmp(sim->clients[i].acked, call->id) == 0)
			return;
	for (i = 0; i < sim->n_acts; i++)
		if (sim->acts[i].act.kind == ACT_TERMINATE && strcmp(sim->acts[i].saga_id, call->id) == 0)
			return;
	sim_fail(sim, call->id, "S1 a terminate is refused that took effect");
}

void client_answered(struct sim *sim, struct engine_call *call, bool lost)
{
	struct client *client = call->ctx;

	sim_trace(sim, "client %td is told: %s%s%s", client - sim->clients,
			  lost                ? "nothing"
			  : call->result == 0 ? "ok"
								  : call->err.text,
			  call->duplicate ? ", a duplicate of " : "", call->existing_id);
	if (!lost) {
		check_shown(sim, call);
		check_refused(sim, client, call);
	}
	if (call->act == ENGINE_START)
		start_answered(sim, client, call, lost);
	else if (!lost && call->result == 0) {
		client->cancel_acked |= is_act(call, ACT_CANCEL);
		client->terminate_acked |= is_act(call, ACT_TERMINATE);
	}
	engine_call_free(call);
}

void client_release(struct sim *sim)
{
	int i;

	for (i = 0; i < sim->n_clients; i++)
		json_decref(sim->clients[i].input);
}
