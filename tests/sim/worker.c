/*
 * Workers: they lease tasks that the stores says are queued, work, and give word; some die, some
 * are late, some say it twice. A worker honours the key: what was done under it once is not done
 * again.
 *
 * Who is late takes effect no later than the design says that it may: a lease's length after its
 * lease, at least ten seconds.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/json_text.h"
#include "tests/sim/sim.h"

enum { AGAIN_MS = 700, GRACE_MS = 10000 };

struct sim_lease {
	struct sim_lease *next;
	char saga_id[SAGA_ID_SIZE];
	int step, item;
	enum side side;
	int64_t attempt;
	char nonce[TASK_NONCE_SIZE];
	char *key, *thing;
	wall_ms until;     /* as the worker was told last */
	wall_ms effect_at; /* 0: done, or never */
	wall_ms say_at;    /* the same */
	wall_ms beat_at;
	enum task_word word;
	bool final, unknown, twice;
	bool anew;         /* the lease may last longer than the worker was told */
	wall_ms posted_at; /* when the word was first said; 0: not yet */
};

static const struct exec *exec_of(const struct action_state *action, enum side side)
{
	return side == SIDE_DO ? &action->run : &action->undo;
}

static bool is_task(const struct exec *exec, enum exec_status status)
{
	return exec->status == status && exec->request && exec->request->kind == REQUEST_TASK;
}

/* One of the tasks that the store says are queued; or, now and then, one that is leased. NULL:
 * there is none. earliest: when the first may be had, whatever the worker's pace. */
static struct oracle_saga *some_task(struct sim *sim, bool now_only, int *step, int *item,
									 enum side *side, wall_ms *earliest)
{
	struct oracle_saga *saga, *found = NULL;
	int64_t n = 0;

	*earliest = 0;
	for (saga = sim->oracle.first; saga; saga = saga->next) {
		for (int i = 0; !saga->ended && !saga->fold->paused && i < saga->def->n_steps; i++) {
			for (int j = 0; j < saga->fold->steps[i].n_actions; j++) {
				for (int k = 0; k < 2; k++) {
					const struct exec *exec =
						exec_of(&saga->fold->steps[i].actions[j], k ? SIDE_UNDO : SIDE_DO);
					bool queued = is_task(exec, EXEC_QUEUED);

					if (!queued)
						continue;
					if (!*earliest || exec->due_at < *earliest)
						*earliest = exec->due_at;
					if ((now_only && exec->due_at > sim->world.now) ||
						rng_below(&sim->rng_worker, ++n) != 0)
						continue;
					found = saga;
					*step = i;
					*item = step_def_has_items(&saga->def->steps[i]) ? j : -1;
					*side = k ? SIDE_UNDO : SIDE_DO;
				}
			}
		}
	}
	return found;
}

static void post(struct sim *sim, struct engine_call *call, void *ctx)
{
	call->ctx = ctx;
	world_post(&sim->world, POST_CALL, call);
}

static void try_lease(struct sim *sim)
{
	enum side side = SIDE_DO;
	int step = 0, item = -1;
	wall_ms earliest;
	struct oracle_saga *saga = some_task(sim, true, &step, &item, &side, &earliest);
	struct engine_call *call;

	sim->worker_at = sim->world.now + 1 + rng_below(&sim->rng_worker, 1500);
	if (!saga || !sim->world.turn)
		return;
	call = engine_call_for_task(WORLD_NS, saga->id, TASK_WORD_LEASE, saga->def->steps[step].id,
								item, side);
	call->task->worker = xstrdup("w");
	post(sim, call, NULL);
}

static void say(struct sim *sim, struct sim_lease *lease, enum task_word word)
{
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, lease->saga_id);
	struct engine_call *call;

	if (!sim->world.turn) {
		if (word == TASK_WORD_HEARTBEAT)
			lease->beat_at = sim->world.now + AGAIN_MS;
		else
			lease->say_at = sim->world.now + AGAIN_MS;
		return;
	}
	call = engine_call_for_task(WORLD_NS, lease->saga_id, word, saga->def->steps[lease->step].id,
								lease->item, lease->side);
	call->task->nonce = xstrdup(lease->nonce);
	call->task->attempt = lease->attempt;
	call->task->retryable = !lease->final;
	call->task->unknown = lease->unknown;
	if (word == TASK_WORD_FAIL)
		call->task->code = xstrdup(lease->final ? "hard" : "soft");
	if (word == TASK_WORD_COMPLETE)
		call->task->output = jval_from_json(json_pack("{s:s, s:i}", "id", "w", "n", 1));
	if (word == TASK_WORD_HEARTBEAT)
		lease->beat_at = 0;
	else
		lease->say_at = 0;
	/* What was said in time, and not answered, may have been heard; then it is no news. */
	if (word != TASK_WORD_HEARTBEAT && !lease->posted_at)
		lease->posted_at = sim->world.now;
	sim_trace(sim, "worker says %d of %s attempt %lld", (int)word, lease->key,
			  (long long)lease->attempt);
	post(sim, call, lease);
}

/* What the worker will do with what it was given. */
static void plan(struct sim *sim, struct sim_lease *lease)
{
	struct rng *rng = &sim->rng_worker;
	int64_t length = lease->until - sim->world.now;
	int64_t grace = length > GRACE_MS ? length : GRACE_MS;
	wall_ms takes = sim->world.now + rng_below(rng, length > 4 ? length / 2 : 1);

	lease->word = TASK_WORD_COMPLETE;
	lease->effect_at = lease->say_at = takes > 0 ? takes : 1;
	if (sim_fault(sim, FAULT_WORKER_DIES, rng_percent(rng, 12))) {
		lease->say_at = 0;
		if (rng_percent(rng, 50))
			lease->effect_at = 0;
		else if (rng_percent(rng, 50))
			lease->effect_at = lease->until + rng_below(rng, grace - 1);
	} else if (sim_fault(sim, FAULT_WORKER_LATE, rng_percent(rng, 12))) {
		lease->effect_at = lease->say_at = lease->until + rng_below(rng, grace - 1);
	} else if (sim_fault(sim, FAULT_WORKER_FAILS, rng_percent(rng, 15))) {
		lease->word = TASK_WORD_FAIL;
		lease->final = rng_percent(rng, 35);
		lease->unknown = !lease->final && rng_percent(rng, 40);
		if (!lease->unknown || rng_percent(rng, 50))
			lease->effect_at = 0;
	} else {
		lease->twice = sim_fault(sim, FAULT_WORKER_TWICE, rng_percent(rng, 15));
	}
	if (lease->say_at && rng_percent(rng, 50))
		lease->beat_at = sim->world.now + rng_below(rng, length);
}

static void granted(struct sim *sim, const struct engine_call *call)
{
	const struct task_call *task = call->task;
	struct sim_lease *lease = xcalloc(1, sizeof(*lease));
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, call->id);
	CLEANUP(json_decref_p) json_t *input = NULL;
	const char *thing;

	memcpy(lease->saga_id, call->id, sizeof(lease->saga_id));
	lease->step = saga_def_step(saga->def, task->step);
	lease->item = task->item;
	lease->side = task->side;
	lease->attempt = task->answer.attempt;
	memcpy(lease->nonce, task->answer.nonce, sizeof(lease->nonce));
	lease->key = xstrdup(task->answer.request->key);
	lease->until = task->answer.lease_until;
	/* It may have been loaded between the commit of the lease and this answer. */
	lease->anew = saga->loaded_at >= lease->until - task->answer.timeout_ms;
	input = json_loads(task->answer.request->body, 0, NULL);
	thing = json_string_value(json_object_get(input, "thing"));
	lease->thing = thing ? xstrdup(thing) : NULL;
	lease->next = sim->leases;
	sim->leases = lease;
	service_leased(sim, lease->saga_id, lease->step, lease->item, lease->thing);
	plan(sim, lease);
}

static void heard(struct sim *sim, struct sim_lease *lease, const struct engine_call *call)
{
	const struct task_call *task = call->task;
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, lease->saga_id);
	const struct action_state *action =
		saga->fold->steps[lease->step].n_actions > (lease->item < 0 ? 0 : lease->item)
			? saga_state_action(saga->fold, lease->step, lease->item)
			: NULL;
	const struct exec *exec = action ? exec_of(action, lease->side) : NULL;

	if (task->answer.refused) {
		sim->options.coverage->leases_lost++;
		return;
	}
	if (task->word == TASK_WORD_HEARTBEAT) {
		lease->until = task->answer.lease_until;
		return;
	}
	/* S19. What the worker was told is less than what holds after a new owner, or a pause. */
	if (lease->posted_at >= lease->until && !lease->anew)
		sim_fail(sim, lease->saga_id, "S19 a worker is heard whose lease is over");
	/* A failure that is told again is heard after the next lease, too. */
	if (task->word == TASK_WORD_COMPLETE && exec && exec->nonce &&
		strcmp(exec->nonce, lease->nonce) != 0)
		sim_fail(sim, lease->saga_id, "S19 a worker is heard while another has the task");
	if (lease->twice)
		lease->say_at = sim->world.now + 1 + rng_below(&sim->rng_worker, 3000);
	lease->twice = false;
}

void worker_answered(struct sim *sim, struct engine_call *call, bool lost)
{
	struct sim_lease *lease = call->ctx;
	bool unheard = lost || call->result == ERR_UNAVAILABLE || call->result == ERR_LIMIT;

	if (!lease) {
		if (!lost && call->result == 0 && !call->task->answer.refused)
			granted(sim, call);
		else if (!lost)
			sim_trace(sim, "a worker is not given %s of %s: %s", call->task->step, call->id + 24,
					  call->result < 0 ? call->err.text : call->task->answer.why);
	} else if (unheard && call->task->word != TASK_WORD_HEARTBEAT) {
		lease->say_at = sim->world.now + AGAIN_MS;
	} else if (!unheard && call->result == 0) {
		heard(sim, lease, call);
	}
	engine_call_free(call);
}

/* What it was told does not hold any more: it may be longer. */
void worker_anew(struct sim *sim, const char *saga_id)
{
	for (struct sim_lease *lease = sim->leases; lease; lease = lease->next)
		if (strcmp(lease->saga_id, saga_id) == 0)
			lease->anew = true;
}

static bool was_completed(const struct sim *sim, const struct oracle_saga *saga,
						  const struct event *event)
{
	for (const struct sim_lease *lease = sim->leases; lease; lease = lease->next)
		if (strcmp(lease->saga_id, saga->id) == 0 && lease->step == event->step &&
			lease->item == event->item && lease->side == SIDE_DO && lease->posted_at &&
			lease->word == TASK_WORD_COMPLETE &&
			lease->attempt == (event->attempt ? event->attempt : 1))
			return true;
	return false;
}

void worker_event(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	if (event->type == EV_ACT_TAKEN && event->name &&
		(strcmp(event->name, "pause") == 0 || strcmp(event->name, "resume") == 0))
		worker_anew(sim, saga->id);
	if (event->type == EV_STEP_COMPLETED && !oracle_by_hand(saga, event) &&
		saga->def->steps[event->step].act.kind == ACTION_TASK && !was_completed(sim, saga, event))
		sim_fail(sim, saga->id, "S17 a task is completed that no worker has completed");
}

bool worker_may_make(const struct sim *sim, const struct resource *resource)
{
	for (const struct sim_lease *lease = sim->leases; lease; lease = lease->next)
		if (lease->effect_at && lease->side == SIDE_DO && lease->thing &&
			strstr(lease->thing, resource->id))
			return true;
	return false;
}

static void earlier(wall_ms *at, wall_ms other)
{
	if (other && (!*at || other < *at))
		*at = other;
}

wall_ms worker_next_at(struct sim *sim)
{
	enum side side;
	int step, item;
	wall_ms at = 0, earliest;

	for (const struct sim_lease *lease = sim->leases; lease; lease = lease->next) {
		earlier(&at, lease->effect_at);
		earlier(&at, lease->say_at);
		earlier(&at, lease->beat_at);
	}
	if (sim->world.turn && some_task(sim, false, &step, &item, &side, &earliest))
		earlier(&at, earliest > sim->worker_at ? earliest : sim->worker_at);
	return at;
}

bool worker_is_idle(const struct sim *sim)
{
	for (const struct sim_lease *lease = sim->leases; lease; lease = lease->next)
		if (lease->effect_at || lease->say_at)
			return false;
	return true;
}

void worker_step(struct sim *sim)
{
	wall_ms now = sim->world.now;

	for (struct sim_lease *lease = sim->leases; lease; lease = lease->next) {
		if (lease->effect_at && lease->effect_at <= now) {
			lease->effect_at = 0;
			service_work(sim, lease->key, lease->thing, lease->side == SIDE_UNDO);
			return;
		}
		if (lease->beat_at && lease->beat_at <= now) {
			say(sim, lease, TASK_WORD_HEARTBEAT);
			return;
		}
		if (lease->say_at && lease->say_at <= now) {
			say(sim, lease, lease->word);
			return;
		}
	}
	try_lease(sim);
}

void worker_release(struct sim *sim)
{
	while (sim->leases) {
		struct sim_lease *lease = sim->leases;

		sim->leases = lease->next;
		free(lease->key);
		free(lease->thing);
		free(lease);
	}
}
