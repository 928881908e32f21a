/*
 * The person on call: looks at a saga, does what its state allows or anything at all, twice if
 * nobody answers. Mostly what is said of an outcome is true: a look into the participant's ledger
 * shows whether something stands. Where it is not, or no longer is when it takes effect, nothing is
 * demanded of that effect any more.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/act_allowed.h"
#include "sagas/json_text.h"
#include "tests/sim/sim.h"

enum { LOOK_AGAIN_MS = 9000, REPAIR_EVERY_MS = 60000 };

/* ---- what is true ---- */

/* What the action has made in this run, if it was ever sent. */
static struct resource *resource_of(struct sim *sim, const char *saga_id, int step, int item)
{
	struct resource *resource;

	for (resource = sim->resources; resource; resource = resource->next)
		if (!resource->old && resource->step == step && resource->item == item &&
			strcmp(resource->saga_id, saga_id) == 0)
			return resource;
	return NULL;
}

/* Whether a person's word about the outcome of an action is what the ledger says. */
static bool is_true(struct sim *sim, const struct oracle_saga *saga, enum act_kind kind,
					enum resolution resolution, enum side side, int step, int item)
{
	const struct resource *resource = resource_of(sim, saga->id, step, item);
	bool done =
		kind == ACT_STEP_COMPLETE || (kind == ACT_STEP_RESOLVE && resolution == RESOLVE_HAPPENED);

	if (kind == ACT_STEP_RETRY || !resource ||
		(kind == ACT_STEP_RESOLVE && resolution == RESOLVE_PROBE))
		return true;
	if (service_is_under_way(sim, resource))
		return false;
	if (side == SIDE_UNDO)
		return true; /* what is said to be undone is undone by hand */
	return done || !resource->standing;
}

/* The word became durable: from now on the world is as it says, or the word was wrong. */
static void take_word(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	struct resource *resource = resource_of(sim, saga->id, event->step, event->item);
	int kind = act_kind_parse(event->name, true), resolution = RESOLVE_PROBE, i;
	const char *outcome =
		event->value ? json_string_value(json_object_get(jval_json(event->value), "outcome")) : "";
	bool done;

	for (i = 0; outcome && i < RESOLUTION_COUNT; i++)
		if (strcmp(outcome, resolution_text((enum resolution)i)) == 0)
			resolution = i;
	done =
		kind == ACT_STEP_COMPLETE || (kind == ACT_STEP_RESOLVE && resolution == RESOLVE_HAPPENED);
	if (!resource || kind < 0)
		return;
	/* Of what was skipped, and may have taken effect, the undo is armed. */
	if (!(kind == ACT_STEP_SKIP && event->side == SIDE_DO &&
		  oracle_action(saga, event->step, event->item)->maybe_sent) &&
		!is_true(sim, saga, (enum act_kind)kind, (enum resolution)resolution, event->side,
				 event->step, event->item))
		resource->by_hand = true;
	if (done)
		resource->standing = event->side == SIDE_DO;
	/* When the participant is told of its undo then no longer matters. */
	resource->undo_by_hand |= event->side == SIDE_UNDO && kind != ACT_STEP_RETRY;
	sim_trace(sim, "  by hand: %s%s", event->name, resource->by_hand ? ", and that is not so" : "");
}

/* Steps begin anew: what their runs made is no longer looked for, and must be gone. */
static void retire(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	const json_t *ids = event->value ? json_object_get(jval_json(event->value), "forget") : NULL;
	struct resource *resource;
	size_t i;

	for (i = 0; i < json_array_size(ids); i++) {
		int step = saga_def_step(saga->def, json_string_value(json_array_get(ids, i)));

		for (resource = sim->resources; resource; resource = resource->next) {
			if (resource->old || resource->step != step || strcmp(resource->saga_id, saga->id) != 0)
				continue;
			resource->old = true;
			resource->excused = saga->def->steps[step].undo_kind != UNDO_ACTION ||
								oracle_action(saga, step, resource->item)->undo_skipped;
			sim->options.coverage->begun_anew++;
		}
	}
}

void operator_act_stored(struct sim *sim, struct oracle_saga *saga, const struct event *event)
{
	int kind = event->name ? act_kind_parse(event->name, event->step >= 0) : -1;

	if (kind < 0)
		return;
	sim->options.coverage->acts[kind]++;
	if (event->step >= 0)
		take_word(sim, saga, event);
	else
		retire(sim, saga, event);
}

/* ---- what is done ---- */

struct choice {
	enum act_kind kind;
	int step, item; /* of step acts */
	enum side side;
};

struct choices {
	struct choice list[400];
	int n;
};

static void add_choices(struct choices *choices, const json_t *acts, struct choice of)
{
	json_t *one;
	size_t i;

	json_array_foreach ((json_t *)acts, i, one) {
		of.kind = (enum act_kind)act_kind_parse(json_string_value(json_object_get(one, "act")),
												of.step >= 0);
		if (json_is_true(json_object_get(one, "allowed")) &&
			choices->n < (int)ARRAY_SIZE(choices->list))
			choices->list[choices->n++] = of;
	}
}

/* What its state allows, as a look at the history shows it. */
static void find_allowed(struct sim *sim, const struct oracle_saga *saga, struct choices *choices)
{
	CLEANUP(json_decref_p) json_t *acts = saga_acts_allowed(saga->fold, sim->world.now);
	json_t *action;
	size_t i;

	choices->n = 0;
	add_choices(choices, json_object_get(acts, "saga"), (struct choice){.step = -1, .item = -1});
	json_array_foreach (json_object_get(acts, "actions"), i, action) {
		const json_t *item = json_object_get(action, "item");

		add_choices(
			choices, json_object_get(action, "acts"),
			(struct choice){
				.step =
					saga_def_step(saga->def, json_string_value(json_object_get(action, "step"))),
				.item = item ? (int)json_integer_value(item) : -1,
				.side = json_is_true(json_object_get(action, "compensation")) ? SIDE_UNDO : SIDE_DO,
			});
	}
}

static struct choice anything(struct sim *sim, const struct oracle_saga *saga)
{
	struct rng *rng = &sim->rng_operator;
	struct choice choice = {.kind = (enum act_kind)rng_below(rng, ACT_KIND_COUNT)};

	choice.step = act_is_of_step(choice.kind) ? (int)rng_below(rng, saga->def->n_steps) : -1;
	choice.item = rng_percent(rng, 30) ? (int)rng_below(rng, 3) : -1;
	choice.side = rng_percent(rng, 40) ? SIDE_UNDO : SIDE_DO;
	return choice;
}

static json_t *some_value(struct sim *sim)
{
	return json_pack("{s:s, s:s, s:i}", "id", "by-hand", "tracking", "t", "n",
					 (int)rng_below(&sim->rng_operator, 3));
}

static void set_value(struct jval **member, json_t *value)
{
	*member = jval_from_json(value);
}

/* The state that the history has at a row; the caller's. */
static struct saga_state *state_at(const struct oracle_saga *saga, int64_t to)
{
	struct saga_state *state = saga_state_new(saga->def, saga->id);
	struct err err;
	int64_t i;

	for (i = 0; i < to; i++) {
		const json_t *row = json_array_get(saga->rows, (size_t)i);

		CHECK(saga_state_apply_row(state,
								   json_integer_value(json_array_get(saga->times, (size_t)i)),
								   json_string_value(row), json_string_length(row), &err) == 0);
	}
	return state;
}

static void fill_reset(struct sim *sim, const struct oracle_saga *saga, struct act *act)
{
	struct saga_state *then;

	act->to = 1 + rng_below(&sim->rng_operator, saga->seq);
	then = state_at(saga, act->to);
	act->forget = saga_reset_steps(then);
	saga_state_free(then);
}

/* Somebody decides, who may or may not. */
static void fill_decision(struct sim *sim, struct act *act)
{
	static const char *const persons[] = {"ann", "bob", "cid", "dan"};
	static const char *const groups[] = {"sales", "sales", "sales", "heads", "stock"};
	struct rng *rng = &sim->rng_operator;

	free(act->by);
	act->by = xstrdup(RNG_PICK(rng, persons));
	set_value(&act->groups, json_pack("[s]", RNG_PICK(rng, groups)));
	if (rng_percent(rng, 80))
		set_value(&act->data, some_value(sim));
}

static void fill(struct sim *sim, const struct oracle_saga *saga, struct choice choice,
				 struct act *act)
{
	static const char *const names[] = {"approved", "told"};
	struct rng *rng = &sim->rng_operator;

	act->by = xstrdup("ann");
	act->reason = xstrdup("because");
	act->item = choice.item;
	act->side = choice.side;
	if (choice.step >= 0)
		act->step = xstrdup(saga->def->steps[choice.step].id);
	if ((act->kind == ACT_STEP_COMPLETE || act->kind == ACT_STEP_SKIP) && rng_percent(rng, 50))
		set_value(&act->output, some_value(sim));
	else if (act->kind == ACT_STEP_COMPLETE && rng_percent(rng, 60))
		set_value(&act->reply, some_value(sim));
	/* What a worker makes is said in the body. */
	if (act->kind == ACT_STEP_RETRY && rng_percent(rng, 30) &&
		saga->def->steps[choice.step].act.kind != ACTION_TASK)
		set_value(&act->request, json_pack("{s:{s:s}}", "body", "edited", "yes"));
	if (act->kind == ACT_STEP_RESOLVE)
		act->resolution = (enum resolution)rng_below(rng, RESOLUTION_COUNT);
	if (act->kind == ACT_STEP_FAIL && rng_percent(rng, 50))
		act->code = xstrdup("soft");
	if (act->kind == ACT_RETRY && rng_percent(rng, 50))
		act->step = xstrdup(saga->def->steps[rng_below(rng, saga->def->n_forward)].id);
	if (act->kind == ACT_SIGNAL) {
		act->name = xstrdup(RNG_PICK(rng, names));
		set_value(&act->value, some_value(sim));
	}
	if (act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT)
		fill_decision(sim, act);
	if (act->kind == ACT_OWNER && rng_percent(rng, 70))
		act->name = xstrdup("bea");
	if (act->kind == ACT_MIGRATE)
		versions_fill(sim, saga, act);
	if (act->kind == ACT_RESET)
		fill_reset(sim, saga, act);
}

/* An act told again is the same in all of it, so that it does not matter which one is taken. */
static struct jval *copy_value(struct jval *value)
{
	return value ? jval_from_json(json_deep_copy(jval_json(value))) : NULL;
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void copy_act(const struct act *from, struct act *act)
{
	size_t i, n = 0;

	*act = *from;
	act->id = copy_text(from->id);
	act->by = copy_text(from->by);
	act->reason = copy_text(from->reason);
	act->step = copy_text(from->step);
	act->code = copy_text(from->code);
	act->message = copy_text(from->message);
	act->name = copy_text(from->name);
	act->output = copy_value(from->output);
	act->reply = copy_value(from->reply);
	act->request = copy_value(from->request);
	act->value = copy_value(from->value);
	act->data = copy_value(from->data);
	act->groups = copy_value(from->groups);
	if (!from->forget)
		return;
	while (from->forget[n])
		n++;
	act->forget = xcalloc(n + 1, sizeof(*act->forget));
	for (i = 0; i < n; i++)
		act->forget[i] = xstrdup(from->forget[i]);
}

static void send(struct sim *sim, struct sim_act *told, int64_t if_match)
{
	struct engine_call *call;
	struct act act;

	copy_act(&told->act, &act);
	call = engine_call_for_act(WORLD_NS, told->saga_id, &act);
	call->if_match = if_match;
	call->ctx = told;
	told->out++;
	sim_trace(sim, "operator: %s (%s) to %s%s%s[%d]%s if %lld", act_kind_text(told->act.kind),
			  told->act.id, told->saga_id + 24, told->act.step ? " " : "",
			  told->act.step ? told->act.step : "", told->act.item,
			  told->act.side == SIDE_UNDO ? " undo" : "", (long long)if_match);
	world_post(&sim->world, POST_CALL, call);
}

static struct sim_act *act_new(struct sim *sim, struct oracle_saga *saga, struct choice choice)
{
	struct sim_act *told = &sim->acts[sim->n_acts];

	act_init(&told->act, choice.kind);
	fill(sim, saga, choice, &told->act);
	if (act_is_of_step(choice.kind) && sim->careful &&
		!is_true(sim, saga, choice.kind, told->act.resolution, choice.side, choice.step,
				 choice.item)) {
		act_release(&told->act);
		return NULL;
	}
	told->act.id = xasprintf("act-%d", sim->n_acts);
	memcpy(told->saga_id, saga->id, sizeof(told->saga_id));
	sim->n_acts++;
	saga->acts++;
	return told;
}

static struct oracle_saga *some_saga(struct sim *sim)
{
	struct oracle_saga *saga, *found = NULL;
	int64_t n = 0;

	bool ended = rng_percent(&sim->rng_operator, 5);

	for (saga = sim->oracle.first; saga; saga = saga->next)
		if (saga->acts < SIM_ACTS_OF_SAGA && (ended || !saga->ended) &&
			rng_below(&sim->rng_operator, ++n) == 0)
			found = saga;
	return found;
}

/* Told again: the same act, perhaps long after; but not when it may be forgotten. */
static void again(struct sim *sim)
{
	struct sim_act *told = &sim->acts[rng_below(&sim->rng_operator, sim->n_acts)];
	const struct oracle_saga *saga = oracle_saga(&sim->oracle, told->saga_id);
	size_t others = json_object_size(saga->act_ids);
	int i;

	for (i = 0; i < sim->n_acts; i++)
		others += sim->acts[i].out > 0 && strcmp(sim->acts[i].saga_id, told->saga_id) == 0;
	if (told->act.kind == ACT_MIGRATE && !json_object_get(saga->act_ids, told->act.id))
		return;
	if (others < ACT_IDS_KEPT && sim_fault(sim, FAULT_ACT_TWICE, true))
		send(sim, told, -1);
}

static bool waits_for_signal(const struct saga_def *def)
{
	for (int i = 0; i < def->n_steps; i++) {
		const struct action_def *act = &def->steps[i].act;

		if (act->kind == ACTION_AWAIT_SIGNAL)
			return true;
		for (size_t k = 0; k < act->await.n_waits; k++)
			if (act->await.waits[k].kind == WAIT_SIGNAL)
				return true;
	}
	return false;
}

static void act(struct sim *sim, struct oracle_saga *saga, bool allowed_only)
{
	struct rng *rng = &sim->rng_operator;
	struct choices choices;
	struct sim_act *told;
	struct choice choice;
	bool exact;

	find_allowed(sim, saga, &choices);
	if (allowed_only || (choices.n > 0 && rng_percent(rng, 75))) {
		if (choices.n == 0)
			return;
		choice = choices.list[rng_below(rng, choices.n)];
	} else {
		choice = anything(sim, saga);
	}
	/* It may turn round. */
	if (saga->fold->failing && rng_percent(rng, 30))
		choice = (struct choice){rng_percent(rng, 60) ? ACT_RETRY : ACT_RESET, -1, -1, SIDE_DO};
	if (versions_differ(sim, saga) && rng_percent(rng, 25))
		choice = (struct choice){ACT_MIGRATE, -1, -1, SIDE_DO};
	else if (choice.kind == ACT_MIGRATE)
		return;
	/* Ends are rare, or there would be nothing left to act on; and words change nothing. */
	if (choice.kind == ACT_TERMINATE && !rng_percent(rng, 10))
		return;
	if ((choice.kind == ACT_NOTE || choice.kind == ACT_OWNER) && !rng_percent(rng, 15))
		return;
	if (choice.kind == ACT_SIGNAL && !rng_percent(rng, waits_for_signal(saga->def) ? 80 : 15))
		return;
	told = act_new(sim, saga, choice);
	if (!told)
		return;
	/* What was found out holds of the history that it was found out of. */
	exact = choice.kind == ACT_RESET || choice.kind == ACT_MIGRATE || rng_percent(rng, 30);
	send(sim, told, exact ? saga->seq : -1);
}

/* Somebody has an inbox, and decides something in it. */
static bool decide(struct sim *sim)
{
	struct rng *rng = &sim->rng_operator;
	struct oracle_saga *saga, *found = NULL;
	struct choice choice = {.kind = rng_percent(rng, 65) ? ACT_STEP_APPROVE : ACT_STEP_REJECT};
	struct sim_act *told;
	int64_t n = 0;
	int i, j;

	for (saga = sim->oracle.first; saga; saga = saga->next) {
		for (i = 0; saga->acts < SIM_ACTS_OF_SAGA && !saga->ended && i < saga->def->n_listed; i++) {
			for (j = 0; j < saga->fold->steps[i].n_actions; j++) {
				const struct action_state *action = &saga->fold->steps[i].actions[j];

				if (!action->approval || !saga_exec_is_open(&action->run) ||
					rng_below(rng, ++n) != 0)
					continue;
				found = saga;
				choice.step = i;
				choice.item = step_def_has_items(&saga->def->steps[i]) ? j : -1;
			}
		}
	}
	if (!found)
		return false;
	told = act_new(sim, found, choice);
	if (told)
		send(sim, told, -1);
	return told != NULL;
}

static bool waits_for_answer(const struct sim *sim, const struct oracle_saga *saga)
{
	int i;

	for (i = 0; i < sim->n_acts; i++)
		if (sim->acts[i].out > 0 && strcmp(sim->acts[i].saga_id, saga->id) == 0)
			return true;
	return false;
}

/* When the faults have stopped: what was paused goes on, and what waits for a person is helped. */
static void repair(struct sim *sim)
{
	struct oracle_saga *saga;
	struct sim_act *told;

	for (saga = sim->oracle.first; saga; saga = saga->next) {
		if (saga->ended || sim->n_acts >= SIM_ACTS_MAX || waits_for_answer(sim, saga))
			continue;
		if (saga->fold->paused) {
			told = act_new(sim, saga, (struct choice){ACT_RESUME, -1, -1, SIDE_DO});
			send(sim, told, saga->seq);
		} else if (saga->repairs < SIM_REPAIRS_MAX && judge_waits_for_a_person(saga)) {
			saga->repairs++;
			act(sim, saga, true);
		}
	}
}

void operator_act(struct sim *sim)
{
	struct oracle_saga *saga = some_saga(sim);

	sim->operate_at = sim->world.now + 1 + rng_below(&sim->rng_operator, LOOK_AGAIN_MS);
	sim->careful = rng_percent(&sim->rng_operator, 85);
	if (!sim->faults_on) {
		/* Some wait for days now, and nothing is to be done but to help. */
		sim->operate_at += REPAIR_EVERY_MS;
		sim->careful = true;
		if (sim->world.turn)
			repair(sim);
		return;
	}
	if (sim->n_acts < SIM_ACTS_MAX / 2 && rng_percent(&sim->rng_operator, 50) && decide(sim))
		return;
	if (sim->n_acts > 0 && rng_percent(&sim->rng_operator, 15))
		again(sim);
	else if (saga && sim->n_acts < SIM_ACTS_MAX / 2 && sim_fault(sim, FAULT_ACT, true))
		act(sim, saga, false);
}

/* ---- what is answered ---- */

bool operator_owns(const struct sim *sim, const struct engine_call *call)
{
	const struct sim_act *told = call->ctx;

	return told >= sim->acts && told < sim->acts + SIM_ACTS_MAX;
}

/* S1, S20: what is acknowledged is stored, and what is refused left nothing. */
void operator_answered(struct sim *sim, struct engine_call *call, bool lost)
{
	struct sim_act *told = call->ctx;
	struct oracle_saga *saga = oracle_saga(&sim->oracle, told->saga_id);
	bool taken = json_object_get(saga->act_ids, told->act.id) != NULL;

	told->out--;
	sim_trace(sim, "operator is told of %s: %s", told->act.id,
			  lost                ? "nothing"
			  : call->result == 0 ? "ok"
								  : call->err.text);
	if (lost || call->result == ERR_UNAVAILABLE) {
		told->unknown = true;
	} else if (call->result == 0) {
		told->taken = true;
		if (!taken)
			sim_fail(sim, saga->id, "S1 an act is acknowledged before it is stored");
		if (call->effect.seq > saga->seq || call->seq > saga->seq)
			sim_fail(sim, saga->id, "S1 an act shows what is not stored");
		if (call->effect.n_events > 0 && call->seq == saga->seq &&
			call->effect.status_after != saga->fold->status)
			sim_fail(sim, saga->id, "S7 an act shows another status than the history");
	} else {
		sim->options.coverage->acts_refused++;
		if (taken && !told->taken && !told->unknown && told->out == 0)
			sim_fail(sim, saga->id, "S20 an act that was refused is in the history");
	}
	engine_call_free(call);
}

void operator_judge(struct sim *sim)
{
	int i;

	for (i = 0; i < sim->n_acts; i++) {
		const struct sim_act *told = &sim->acts[i];
		struct oracle_saga *saga = oracle_saga(&sim->oracle, told->saga_id);
		bool taken = json_object_get(saga->act_ids, told->act.id) != NULL;

		if (told->taken && !taken)
			sim_fail(sim, saga->id, "S1 an acknowledged act is lost");
		if (taken && !told->taken && !told->unknown)
			sim_fail(sim, saga->id, "S20 an act that was refused is in the history");
	}
}

void operator_release(struct sim *sim)
{
	int i;

	for (i = 0; i < sim->n_acts; i++)
		act_release(&sim->acts[i].act);
}
