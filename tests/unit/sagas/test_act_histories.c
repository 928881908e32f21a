/*
 * Random histories of sagas whose participants fail, and whose operators do whatever comes to their
 * mind, allowed or not. After every input, memory and fold agree (play.c); beside that:
 *
 *   - an act is taken exactly where act_allowed.h says so, and what is refused changes nothing;
 *   - the end absorbs, and behind the point of no return there is no way back;
 *   - a key belongs to one action, side, run and edit, for ever;
 *   - nothing is sent or begun while it is paused;
 *   - nothing is undone before it has settled; what is compensated owes nothing;
 *   - each prefix of the history can be recovered;
 *   - however it was left, people can bring it to its end.
 *
 * ACT_HISTORIES=n for more of them, ACT_SEED=n for one.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/act_allowed.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"
#include "tests/support/play.h"

enum { INPUTS_MAX = 120, KEYS_MAX = 2000, REPAIRS_MAX = 600 };

/* Not restarted alone: what goes on with one attempt after another, and what can turn round. */
static const char plain[] =
	"saga: plain\n"
	"deadline: 2h\n"
	"participants: {svc: {timeout: 2s}}\n"
	"defaults: {retry: {initial_interval: 1s, maximum_attempts: 2}}\n"
	"steps:\n"
	"  - {id: r, approval: {title: t, groups: [g], approve: 2, exclude: [eve]}, timeout: 30m, "
	"tolerate: true, escalate: [{after: 5m, http: {to: svc, method: POST, path: /late}}]}\n"
	"  - {id: a, needs: [], http: {to: svc, method: PUT, path: /a}, "
	"compensate: {http: {to: svc, method: DELETE, path: '/a/${step.uuid}'}}}\n"
	"  - {id: b, command: {to: svc, type: B}, retry: {on_exhausted: park}, probe: {command: {to: "
	"svc, type: Look}, every: 5s, outcome: {absent: [NotFound]}}, compensate: {command: {to: svc, "
	"type: UnB}, probe: {command: {to: svc, type: LookUn}, every: 5s}}}\n"
	"  - {id: c, http: {to: svc, method: PUT, path: /c}, compensate: none}\n"
	"  - {id: w, await: {signal: go, when: '${event.data != 7}'}, timeout: 30m, escalate: [{after: "
	"10m}]}\n"
	"  - {id: d, pivot: true, http: {to: svc, method: POST, path: /d}, idempotency_key: "
	"'own-${input.turns}'}\n"
	"  - {id: e, command: {to: svc, type: E}}\n";

struct known_key {
	char *key;
	int step, item, run, edits;
	enum side side;
};

struct history {
	struct play play;
	uint64_t random, seed;
	struct known_key keys[KEYS_MAX];
	size_t n_keys;
	unsigned taken[ACT_KIND_COUNT], refused[ACT_KIND_COUNT];
	char what[256];
};

static uint64_t draw(struct history *h)
{
	uint64_t z = (h->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned pick(struct history *h, unsigned n)
{
	return (unsigned)(draw(h) % n);
}

static void trouble(struct history *h, const char *what)
{
	fprintf(stderr, "ACT_SEED=%llu: %s after %s\n  %s\n", (unsigned long long)h->seed, what,
			h->what, buf_str(&h->play.trail));
	for (size_t i = 0; i < h->play.n_rows; i++)
		fprintf(stderr, "  %lld %s\n", (long long)(h->play.rows[i].at - PLAY_STARTS_AT),
				h->play.rows[i].text);
	ck_abort_msg("%s", what);
}

/* What holds of what was decided. */

static void check_key(struct history *h, const struct command *command)
{
	const struct saga_state *state = h->play.state;
	enum side side = command->kind == CALL_UNDO ? SIDE_UNDO : SIDE_DO;
	const struct action_state *action = saga_state_action(state, command->step, command->item);
	struct known_key key = {
		.key = command->request->key,
		.step = command->step,
		.item = command->item,
		.side = side,
		.run = saga_state_run(state, command->step),
		.edits = side == SIDE_DO ? action->run.edits : action->undo.edits,
	};

	if (command->kind != CALL_DO && command->kind != CALL_UNDO)
		return;
	for (size_t i = 0; i < h->n_keys; i++) {
		const struct known_key *known = &h->keys[i];
		bool same = known->step == key.step && known->item == key.item && known->side == side &&
					known->run == key.run && known->edits == key.edits;

		if (same != (strcmp(known->key, key.key) == 0))
			trouble(h, "a key changes, or is used twice");
		if (same)
			return;
	}
	if (h->n_keys < KEYS_MAX) {
		key.key = xstrdup(key.key);
		h->keys[h->n_keys++] = key;
	}
}

static void check_owed(struct history *h)
{
	const struct saga_state *state = h->play.state;

	for (int i = 0; i < state->def->n_forward; i++) {
		for (int j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			bool effect = (action->run.status == EXEC_DONE && !action->skipped) ||
						  action->run.status == EXEC_GAVE_UP;

			if (saga_exec_is_open(&action->run))
				trouble(h, "compensated with something open");
			if (effect && state->def->steps[i].undo_kind == UNDO_ACTION &&
				action->comp != COMP_DONE && action->comp != COMP_SKIPPED &&
				action->comp != COMP_RESOLVED)
				trouble(h, "compensated, and something is owed");
		}
	}
}

static void check_events(struct history *h, bool was_paused)
{
	const struct saga_state *state = h->play.state;

	for (size_t i = 0; i < h->play.decision.n_events; i++) {
		const struct event *event = &h->play.decision.events[i];
		bool begins = event->type == EV_STEP_SCHEDULED || event->type == EV_COMPENSATION_STARTED;

		if (begins && was_paused && state->paused)
			trouble(h, "something begins in a pause");
		if (event->type == EV_COMPENSATION_STARTED &&
			saga_state_action(state, event->step, event->item)->run.settle_at > event->at)
			trouble(h, "undone before it has settled");
		if (event->type == EV_SAGA_COMPENSATED)
			check_owed(h);
	}
}

struct before {
	bool past_pivot, failing, paused, ended;
	int64_t n_events;
};

static struct before look(const struct history *h)
{
	const struct saga_state *state = h->play.state;

	return (struct before){
		.past_pivot = saga_state_past_pivot(state),
		.failing = state->failing,
		.paused = state->paused,
		.ended = saga_status_is_terminal(state->status),
		.n_events = state->n_events,
	};
}

static void check(struct history *h, const struct before *before)
{
	const struct saga_state *state = h->play.state;
	const struct decision *decision = &h->play.decision;
	bool opened = false;

	for (size_t i = 0; i < decision->n_events; i++)
		opened |= decision->events[i].type == EV_STEP_FAILED &&
				  decision->events[i].step == state->def->pivot && !decision->events[i].ambiguous;
	if (before->past_pivot && !before->failing && state->failing && !opened)
		trouble(h, "a way back behind the point of no return");
	if (before->failing && !state->failing && saga_state_past_pivot(state) && !before->past_pivot &&
		!state->pivot_scheduled)
		trouble(h, "turned round to where it never was");
	if (state->paused && decision->n_commands > 0)
		trouble(h, "something is sent in a pause");
	if (before->ended && decision->n_commands + decision->n_emissions > 0)
		trouble(h, "something is sent after the end");
	for (size_t i = 0; i < decision->n_commands; i++)
		check_key(h, &decision->commands[i]);
	check_events(h, before->paused);
}

/* Inputs. */

static void give(struct history *h, const struct input *in, const char *what)
{
	struct before before = look(h);

	snprintf(h->what, sizeof(h->what), "%s %d[%d] kind %d", what, in->step, in->item, in->kind);
	(void)!play_give(&h->play, in);
	check(h, &before);
}

/* Something that is out or waits for its reply; false: nothing. */
static bool find_call(struct history *h, int *ret_step, int *ret_item, enum call_kind *ret_kind)
{
	const struct saga_state *state = h->play.state;
	unsigned n = 0;

	for (int i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (int j = 0; j < state->steps[i].n_actions * 2; j++) {
			const struct action_state *action = &state->steps[i].actions[j / 2];
			const struct exec *exec = j % 2 ? &action->undo : &action->run;
			bool probe = exec->probe_out || exec->asked;
			bool call = exec->out || exec->taken || exec->published ||
						(exec->status == EXEC_ONGOING && exec->request &&
						 exec->request->kind == REQUEST_COMMAND);

			if ((!probe && !call) || pick(h, ++n) != 0)
				continue;
			*ret_step = i;
			*ret_item = step_def_has_items(def) ? j / 2 : -1;
			*ret_kind =
				probe ? (j % 2 ? CALL_PROBE_UNDO : CALL_PROBE_DO) : (j % 2 ? CALL_UNDO : CALL_DO);
		}
	}
	return n > 0;
}

static void answer(struct history *h, bool well)
{
	static const int statuses[] = {200, 422, 500, 409, 202, 404, 200, 503};
	static const enum outcome said[] = {OUTCOME_SUCCESS, OUTCOME_FAILURE, OUTCOME_UNKNOWN,
										OUTCOME_ONGOING, OUTCOME_ABSENT,  OUTCOME_SUCCESS};
	CLEANUP(jval_unref_p) struct jval *body = jval_from_json(json_pack("{s:s}", "id", "x-1"));
	struct input in = {.type = INPUT_REPLY, .retry_after_ms = -1};
	const struct exec *exec;
	const struct action_state *action;
	const struct step_def *def;
	bool command;

	if (!find_call(h, &in.step, &in.item, &in.kind))
		return;
	def = &h->play.def->steps[in.step];
	action = saga_state_action(h->play.state, in.step, in.item);
	exec = in.kind == CALL_UNDO || in.kind == CALL_PROBE_UNDO ? &action->undo : &action->run;
	command = (exec == &action->run ? &def->act : &def->undo)->kind == ACTION_COMMAND;
	in.attempt = exec->attempt;
	in.ask = exec->ask;
	in.run = saga_state_run(h->play.state, in.step);
	if (command &&
		(in.kind == CALL_PROBE_DO || in.kind == CALL_PROBE_UNDO ? exec->probe_out : exec->out)) {
		in.result = well || pick(h, 4) ? CALL_PUBLISHED : CALL_NOT_CONNECTED;
	} else if (command) {
		in.attempt = 0;
		in.said = well ? OUTCOME_SUCCESS : said[pick(h, ARRAY_SIZE(said))];
		in.code = pick(h, 2) ? "NotFound" : "Other";
		in.body = body;
		if (!well && in.run > 1 && pick(h, 4) == 0)
			in.run--;
	} else if (well || pick(h, 5)) {
		in.http_status = well ? 200 : statuses[pick(h, ARRAY_SIZE(statuses))];
		in.body = pick(h, 8) || well ? body : NULL;
	} else {
		in.result = pick(h, 2) ? CALL_TIMED_OUT : CALL_NOT_CONNECTED;
	}
	give(h, &in, "an answer");
}

static void pass_time(struct history *h)
{
	struct input in = {.type = INPUT_TIMER};
	wall_ms due = saga_state_next_due(h->play.state);

	h->play.now += due > h->play.now ? due - h->play.now : pick(h, 5000);
	h->play.queues_read_until = h->play.now;
	give(h, &in, "time");
}

static void event(struct history *h)
{
	const struct saga_state *state = h->play.state;
	CLEANUP(jval_unref_p)
	struct jval *value = jval_from_json(json_pack("{s:s, s:i}", "data", "x", "n", 2));
	char id[64];
	struct input in = {.type = INPUT_EVENT, .item = -1, .event = value, .event_id = id};

	snprintf(id, sizeof(id), "default/t/0/%u", pick(h, 1000));
	for (in.step = 0; in.step < state->def->n_steps; in.step++)
		if (state->def->steps[in.step].act.kind == ACTION_AWAIT_KAFKA &&
			state->steps[in.step].n_actions > 0)
			give(h, &in, "an event");
}

/* Acts. */

static void random_act(struct history *h, struct act *act)
{
	static const char *const edits[] = {"{\"path\":\"/new\"}", "{\"body\":{\"a\":1}}",
										"{\"headers\":{\"X-A\":\"1\"}}"};
	static const char *const names[] = {"ann", "bob", "eve"};
	const struct saga_def *def = h->play.def;
	unsigned step = pick(h, (unsigned)def->n_steps);

	act_init(act, (enum act_kind)pick(h, ACT_KIND_COUNT));
	if (act->kind == ACT_TERMINATE && pick(h, 4))
		act->kind = ACT_RESUME;
	act->by = pick(h, 4) ? xstrdup(names[pick(h, ARRAY_SIZE(names))]) : NULL;
	if (act_is_of_step(act->kind) || (act->kind == ACT_RETRY && pick(h, 2)))
		act->step = xstrdup(def->steps[step].id);
	if (act_is_of_step(act->kind)) {
		int n = h->play.state->steps[step].n_actions;

		if (def->steps[step].for_each || def->steps[step].repeat_until)
			act->item = n > 0 ? (int)pick(h, (unsigned)n) : 0;
		act->side = pick(h, 2) ? SIDE_UNDO : SIDE_DO;
	}
	act->resolution = (enum resolution)pick(h, RESOLUTION_COUNT);
	if (act->kind == ACT_STEP_COMPLETE && pick(h, 2))
		act->reply = jval_from_json(json_pack("{s:s}", "id", "told"));
	else if (act_is_of_step(act->kind) && act->kind != ACT_STEP_RETRY && pick(h, 2))
		act->output = jval_from_json(json_pack("{s:s}", "id", "told"));
	if (act->kind == ACT_STEP_RETRY && pick(h, 3) == 0) {
		const char *edit = edits[pick(h, ARRAY_SIZE(edits))];

		act->request = jval_from_text(xstrdup(edit), strlen(edit));
	}
	if (act->kind == ACT_SIGNAL)
		act->name = xstrdup("go");
	if (act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT)
		act->groups = jval_from_json(json_pack("[s]", pick(h, 4) ? "g" : "other"));
	if (act->kind == ACT_NOTE)
		act->reason = xstrdup("a note");
	if (act->kind == ACT_MIGRATE) {
		act->version = (int64_t)pick(h, 3); /* 0: that which it has */
		act->replayed = true;
	}
	if (act->kind == ACT_RESET) {
		act->to = 1;
		act->forget = saga_reset_steps(h->play.state);
	}
}

static void do_act(struct history *h, const struct act *act)
{
	struct before before = look(h);
	struct input in = {.type = INPUT_ACT, .act = act};
	CLEANUP(json_decref_p) json_t *json = act_json(act);
	CLEANUP(free_p) char *text = json_dumps(json, JSON_COMPACT);
	struct err why;
	int allowed = saga_act_allowed(h->play.state, act, h->play.now, &why);
	int r;

	snprintf(h->what, sizeof(h->what), "%s", text);
	r = play_give(&h->play, &in);
	if (allowed < 0 && (r != allowed || !why.text[0]))
		trouble(h, "taken, although it is not allowed");
	if (allowed == 0 && r < 0 && r != ERR_INVALID && act->kind != ACT_STEP_RETRY)
		trouble(h, "refused, although it is allowed");
	if (r < 0 && (h->play.decision.n_commands > 0 || h->play.state->n_events != before.n_events))
		trouble(h, "refused, and something has changed");
	if (before.ended && r == 0 && !act_outlives_saga(act->kind))
		trouble(h, "taken after the end");
	if (r == 0)
		h->taken[act->kind]++;
	else
		h->refused[act->kind]++;
	check(h, &before);
}

/* One of a step or compensation that takes it, as the state says; false: there is none. */
static bool choose(struct history *h, struct act *act)
{
	CLEANUP(json_decref_p) json_t *acts = saga_acts_allowed(h->play.state, h->play.now);
	const json_t *place, *one, *chosen = NULL;
	unsigned n = 0;
	size_t i, j;

	json_array_foreach (json_object_get(acts, "actions"), i, place) {
		json_array_foreach (json_object_get(place, "acts"), j, one) {
			if (!json_is_true(json_object_get(one, "allowed")) || pick(h, ++n) != 0)
				continue;
			chosen = place;
			act->kind =
				(enum act_kind)act_kind_parse(json_string_value(json_object_get(one, "act")), true);
		}
	}
	if (!chosen)
		return false;
	free(act->step);
	act->step = xstrdup(json_string_value(json_object_get(chosen, "step")));
	act->item = json_object_get(chosen, "item")
					? (int)json_integer_value(json_object_get(chosen, "item"))
					: -1;
	act->side = json_is_true(json_object_get(chosen, "compensation")) ? SIDE_UNDO : SIDE_DO;
	return true;
}

static void act(struct history *h)
{
	struct act act;

	random_act(h, &act);
	if (act_is_of_step(act.kind))
		(void)choose(h, &act);
	do_act(h, &act);
	act_release(&act);
}

/* Repair: whatever is stuck is taken care of, until the saga has ended. */

static bool repair_place(struct history *h, const char *step, const json_t *place)
{
	static const enum act_kind kinds[] = {ACT_STEP_SKIP, ACT_STEP_RESOLVE, ACT_STEP_COMPLETE};
	const json_t *acts = json_object_get(place, "acts"), *one;
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		json_array_foreach (acts, i, one) {
			struct act act;

			if (strcmp(json_string_value(json_object_get(one, "act")), act_kind_text(kinds[k])) !=
					0 ||
				!json_is_true(json_object_get(one, "allowed")))
				continue;
			act_init(&act, kinds[k]);
			act.step = xstrdup(step);
			if (json_object_get(place, "item"))
				act.item = (int)json_integer_value(json_object_get(place, "item"));
			act.side = json_is_true(json_object_get(place, "compensation")) ? SIDE_UNDO : SIDE_DO;
			act.resolution = RESOLVE_DID_NOT_HAPPEN;
			act.output = k == 1 ? NULL : jval_from_json(json_pack("{s:s}", "id", "told"));
			do_act(h, &act);
			act_release(&act);
			return true;
		}
	}
	return false;
}

static void repair(struct history *h)
{
	CLEANUP(json_decref_p) json_t *acts = saga_acts_allowed(h->play.state, h->play.now);
	const json_t *places = json_object_get(acts, "actions"), *place;
	size_t i;

	json_array_foreach (places, i, place)
		if (repair_place(h, json_string_value(json_object_get(place, "step")), place))
			return;
	pass_time(h);
}

static void bring_to_its_end(struct history *h)
{
	const struct act resume = {.kind = ACT_RESUME, .item = -1};
	int step, item;
	enum call_kind kind;

	if (h->play.state->paused)
		do_act(h, &resume);
	for (int i = 0; i < REPAIRS_MAX && !saga_status_is_terminal(h->play.state->status); i++) {
		if (find_call(h, &step, &item, &kind))
			answer(h, true);
		else if (saga_state_next_due(h->play.state) > 0)
			pass_time(h);
		else if (saga_state_attention(h->play.state))
			repair(h);
		else
			trouble(h, "nothing will wake it, and it concerns nobody");
		if (i % 7 == 6)
			event(h);
	}
	if (!saga_status_is_terminal(h->play.state->status))
		trouble(h, "it cannot be brought to its end");
}

/* Another process takes it over at each of its rows, and does what is due. */
static void recover_prefixes(struct history *h)
{
	struct play *play = &h->play;

	for (size_t n = 1; n <= play->n_rows; n++) {
		CLEANUP(saga_state_free_p) struct saga_state *state = saga_state_new(play->def, PLAY_ID);
		struct input in = {.type = INPUT_TIMER, .random = n};
		struct decision decision;
		struct err err;

		for (size_t i = 0; i < n; i++)
			if (saga_state_apply_row(state, play->rows[i].at, play->rows[i].text,
									 strlen(play->rows[i].text), &err) < 0)
				trouble(h, err.text);
		decision_init(&decision);
		saga_recover(state, state->last_at, &decision);
		if (state->paused && decision.n_commands > 0)
			trouble(h, "recovery sends something in a pause");
		in.queues_read_until = state->last_at + 1000;
		if (saga_decide(state, &in, state->last_at + 1000, &decision, &err) < 0)
			trouble(h, err.text);
		if (saga_state_validate(state, &err) < 0)
			trouble(h, err.text);
		decision_release(&decision);
	}
}

static void one_history(struct history *h, struct saga_def *def, uint64_t seed)
{
	unsigned acts = 1 + (unsigned)(seed % 5), inputs;

	h->seed = seed;
	h->random = seed * 77;
	h->n_keys = 0;
	play_begin_def(&h->play, def, KITCHEN_SINK_INPUT, seed % 7 == 0);
	inputs = 5 + pick(h, INPUTS_MAX);
	for (unsigned i = 0; i < inputs; i++) {
		unsigned what = pick(h, 20);

		if (what < 10)
			answer(h, pick(h, 3) > 0);
		else if (what < 13)
			pass_time(h);
		else if (what < 14)
			event(h);
		else if (what < 15)
			play_restart(&h->play);
		else if (what < 15 + acts)
			act(h);
	}
	bring_to_its_end(h);
	act(h);
	if (seed % 8 == 0)
		recover_prefixes(h);
	for (size_t i = 0; i < h->n_keys; i++)
		free(h->keys[i].key);
	play_end(&h->play);
}

START_TEST(test_act_histories__hold_whatever_people_do)
{
	const char *wanted = getenv("ACT_HISTORIES"), *only = getenv("ACT_SEED");
	uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 3000;
	struct saga_def *defs[] = {definition_must_load(KITCHEN_SINK),
							   definition_must_load(KITCHEN_SINK_KAFKA),
							   definition_must_load(plain)};
	struct history *h = xcalloc(1, sizeof(*h));

	for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= (only ? seed : n); seed++) {
		fprintf(stderr, only ? "seed %llu\n" : "", (unsigned long long)seed);
		one_history(h, defs[seed % 3], seed);
		if (only)
			break;
	}
	for (int i = 0; i < ACT_KIND_COUNT && !only; i++) {
		printf("%s: %u taken, %u refused\n", act_kind_text((enum act_kind)i), h->taken[i],
			   h->refused[i]);
		ck_assert_msg(h->taken[i] > 0, "%s was never taken", act_kind_text((enum act_kind)i));
		ck_assert(h->refused[i] > 0 || i == ACT_NOTE || i == ACT_OWNER);
	}
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		saga_def_unref(defs[i]);
	free(h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("act_histories");
	TCase *tc = tcase_create("act_histories");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_act_histories__hold_whatever_people_do);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
