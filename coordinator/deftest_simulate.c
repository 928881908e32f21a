/*
 * Simulation: what would be undone if a step failed, for each step that a run goes through and each
 * way to fail.
 */
#include "coordinator/deftest_priv.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 300 };

/* ---- faults ---- */

/* How a place that began can be failed. */
static const char *kind_text(enum action_kind kind)
{
	switch (kind) {
	case ACTION_HTTP:
	case ACTION_COMMAND:
	case ACTION_TASK:
		return "call";
	case ACTION_AWAIT:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_APPROVAL:
		return "wait";
	case ACTION_LOCK:
		return "lock";
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_EMIT:
	case ACTION_CHILD:
	case ACTION_CONTINUE:
		break;
	}
	return NULL;
}

struct strike {
	struct deftest *test;
	enum fault_kind kind;
	struct sandbox_saga *saga; /* whose step it is that runs then */
	int step, item;
};

static void strike(void *ctx)
{
	struct strike *strike = ctx;
	struct sandbox_saga *root = strike->test->root;
	struct act act;
	struct input in = {.type = INPUT_ACT, .act = &act};
	struct err err;

	if (!deftest__is_open(strike->saga, strike->step, strike->item)) {
		free(strike); /* it was over at once, as a lock is that nobody else has */
		return;
	}
	strike->test->struck = true;
	if (strike->kind == FAULT_DEADLINE) {
		sandbox_expire(root);
	} else {
		act_init(&act, ACT_CANCEL);
		act.by = xstrdup("simulate");
		act.reason = xstrdup("simulated");
		(void)!sandbox_give(root, &in, &err);
		act_release(&act);
	}
	free(strike);
}

static void note_place(struct deftest *test, struct sandbox_saga *saga, const struct event *event,
					   const char *kind)
{
	CLEANUP(free_p) char *place = deftest__place(saga, event->step, event->item, "");
	json_t *known;
	size_t i;

	json_array_foreach (test->begun, i, known)
		if (strcmp(json_string_value(json_array_get(known, 0)), place) == 0)
			return;
	if (json_array_size(test->begun) < PLACES_MAX)
		json_array_append_new(test->begun, json_pack("[s, s]", place, kind));
}

static void strike_at(struct deftest *test, struct sandbox_saga *saga, const struct event *event)
{
	CLEANUP(free_p) char *place = deftest__place(saga, event->step, event->item, "");
	struct strike *planned;

	if ((test->fault->kind != FAULT_CANCEL && test->fault->kind != FAULT_DEADLINE) ||
		strcmp(place, test->fault->place) != 0)
		return;
	planned = xcalloc(1, sizeof(*planned));
	*planned = (struct strike){test, test->fault->kind, saga, event->step, event->item};
	sandbox_at(test->sandbox, sandbox_now(test->sandbox) + 1, strike, free, planned);
}

void deftest__note_begun(struct deftest *test, struct sandbox_saga *saga,
						 const struct event *events, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *kind;

		if (events[i].type != EV_STEP_SCHEDULED)
			continue;
		kind = kind_text(saga->state->def->steps[events[i].step].act.kind);
		if (test->begun && kind)
			note_place(test, saga, &events[i], kind);
		if (test->fault)
			strike_at(test, saga, &events[i]);
	}
}

const json_t *deftest__fault_reply(struct deftest *test, const struct seen *seen)
{
	const struct fault *fault = test->fault;

	if (!fault || strcmp(fault->place, seen->place) != 0)
		return NULL;
	if (fault->kind == FAULT_REPLY && !(fault->once && test->fault_reply)) {
		json_decref(test->fault_reply);
		test->fault_reply = json_string(fault->reply);
		return test->fault_reply;
	}
	/* It runs when it is struck, and is answered after that, once and for all. */
	if ((fault->kind == FAULT_CANCEL || fault->kind == FAULT_DEADLINE) && !test->slow_reply) {
		test->slow_reply = json_pack("{s:s}", "after", "1s");
		return test->slow_reply;
	}
	return NULL;
}

/* ---- what has become of it ---- */

static bool has_effect(const struct action_def *act)
{
	switch (act->kind) {
	case ACTION_HTTP:
		return strcmp(act->http.method, "GET") != 0;
	case ACTION_COMMAND:
	case ACTION_EMIT:
	case ACTION_TASK:
		return true;
	case ACTION_CHILD: /* what its own steps did is looked at there */
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_LOCK:
	case ACTION_AWAIT:
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_APPROVAL:
	case ACTION_CONTINUE:
		break;
	}
	return false;
}

static bool may_be_done(const struct exec *run)
{
	return run->status == EXEC_DONE || run->status == EXEC_GAVE_UP ||
		   (run->status == EXEC_FAILED && run->ambiguous) ||
		   (run->status == EXEC_PARKED && run->parked_unknown);
}

/* A parent undoes what the child did by a step of its own. */
static bool undone_by_parent(const struct sandbox_saga *saga)
{
	const struct sandbox_saga *parent = saga->parent;
	const struct step_state *step;

	if (!parent || saga->parent_side == SIDE_UNDO)
		return false;
	step = &parent->state->steps[saga->parent_step];
	if (step->n_actions <= (saga->parent_item < 0 ? 0 : saga->parent_item))
		return false;
	return saga_state_action(parent->state, saga->parent_step, saga->parent_item)->comp ==
			   COMP_DONE ||
		   undone_by_parent(parent);
}

/* Why something stays, and whether nobody has said that it should. */
static const char *why_it_stays(const struct sandbox_saga *saga, const struct step_def *def,
								const struct action_state *action, bool *ret_problem)
{
	const struct saga_state *state = saga->state;

	*ret_problem = false;
	if (action->comp == COMP_DONE || action->comp == COMP_RESOLVED || undone_by_parent(saga))
		return NULL;
	if (saga->parent_side == SIDE_UNDO && saga->parent)
		return NULL; /* it is an undo itself */
	if (action->comp == COMP_FAILED) {
		*ret_problem = true;
		return action->undo.message ? action->undo.message : "its undo fails";
	}
	if (action->comp == COMP_SKIPPED)
		return "the `when` of its undo is false";
	if (def->undo_kind == UNDO_NONE)
		return "compensate: none";
	if (state->def->recovery_forward)
		return "recovery: forward";
	if (def->after_pivot || def->pivot || saga_state_past_pivot(state))
		return "past the pivot";
	if (def->index >= state->def->n_forward)
		return NULL; /* on_compensated: meant to stay */
	if (state->status == SAGA_RUNNING || state->status == SAGA_WAITING ||
		state->status == SAGA_PAUSED)
		return "the saga goes on"; /* it may be undone yet, whatever it is now */
	if (action->comp == COMP_ARMED)
		return "its undo waits for a person";
	*ret_problem = true;
	return "it has no compensate, and `none` is not said";
}

static void look_at_saga(const struct sandbox_saga *saga, json_t *stays, json_t *problems)
{
	const struct saga_state *state = saga->state;
	int i, j;

	for (i = 0; i < state->def->n_steps; i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct action_state *action = &state->steps[i].actions[j];
			int item = def->for_each || def->repeat_until ? j : -1;
			CLEANUP(free_p) char *place = NULL;
			const char *why;
			bool problem;

			if (!has_effect(&def->act) || !may_be_done(&action->run))
				continue;
			why = why_it_stays(saga, def, action, &problem);
			if (!why)
				continue;
			place = deftest__place(saga, i, item, "");
			json_array_append_new(stays, json_pack("{s:s, s:s}", "place", place, "why", why));
			if (problem)
				json_array_append_new(problems, json_sprintf("%s: %s", place, why));
		}
	}
}

struct look {
	json_t *ends;
	const char *way;
	const char *place;
	size_t problems;
	json_t *base; /* of the run as it is */
};

static void look_at_end(struct deftest *test, void *ctx)
{
	struct look *look = ctx;
	const struct saga_state *state = test->root->state;
	json_t *undone = json_array(), *stays = json_array(), *problems = json_array();
	bool went_through = state->status == SAGA_COMPLETED;
	bool reached = !test->fault || test->struck ||
				   (test->fault->kind != FAULT_CANCEL && test->fault->kind != FAULT_DEADLINE);
	size_t i;

	for (i = 0; i < test->undone.n; i++)
		json_array_append_new(undone, json_string(test->undone.list[i].place));
	if (!test->fault)
		look->base = deftest__base(test);
	for (i = 0; i < sandbox_n_sagas(test->sandbox) && !went_through; i++)
		look_at_saga(sandbox_saga(test->sandbox, i), stays, problems);
	look->problems += json_array_size(problems);
	json_array_append_new(look->ends,
						  json_pack("{s:s?, s:s, s:b, s:s, s:s?, s:s?, s:o, s:o, s:o}", "step",
									look->place, "way", look->way, "reached", reached, "status",
									saga_status_text(state->status), "failure", state->failure_code,
									"attention", saga_state_attention(state), "undone", undone,
									"stays", stays, "problems", problems));
}

/* ---- all of it ---- */

static const struct {
	const char *way, *of;
	struct fault fault;
} ways[] = {
	{"failure", "call", {.kind = FAULT_REPLY, .reply = "failure"}},
	{"unknown", "call", {.kind = FAULT_REPLY, .reply = "unknown"}},
	{"timeout", "call", {.kind = FAULT_REPLY, .reply = "timeout"}},
	{"crash", "call", {.kind = FAULT_REPLY, .reply = "crash", .once = true}},
	{"timeout", "wait", {.kind = FAULT_SILENCE}},
	{"deadline", NULL, {.kind = FAULT_DEADLINE}},
	{"cancel", NULL, {.kind = FAULT_CANCEL}},
};

static void run_once(const struct deftest_file *file, size_t index, const struct fault *fault,
					 json_t *begun, struct look *look)
{
	struct deftest_result result;
	struct deftest test = {
		.file = file, .index = index, .result = &result, .fault = fault, .begun = begun};

	deftest__run(&test, look_at_end, look);
	if (!test.root && result.n_failures > 0)
		json_array_append_new(look->ends,
							  json_pack("{s:n, s:s, s:b, s:s, s:s, s:[], s:[], s:[s]}", "step",
										"way", look->way, "reached", true, "status", "failed",
										"failure", "not_started", "undone", "stays", "problems",
										result.failures[0].text));
	look->problems += !test.root;
	json_decref(test.fault_reply);
	json_decref(test.slow_reply);
	deftest_result_release(&result);
}

json_t *deftest_simulate(const struct deftest_file *file, size_t index)
{
	const json_t *test = json_array_get(json_object_get(file->doc, "tests"), index);
	const struct saga_def *def = deftest__definition(file, test);
	CLEANUP(json_decref_p) json_t *begun = json_array();
	struct look look = {.ends = json_array(), .way = "none"};
	json_t *place;
	size_t i, j;

	run_once(file, index, NULL, begun, &look);
	json_array_foreach (begun, i, place) {
		const char *kind = json_string_value(json_array_get(place, 1));

		look.place = json_string_value(json_array_get(place, 0));
		for (j = 0; j < ARRAY_SIZE(ways); j++) {
			struct fault fault = ways[j].fault;
			bool limited = def->deadline.ms >= 0 || def->deadline.tmpl;

			if ((ways[j].of && strcmp(ways[j].of, kind) != 0) ||
				(fault.kind == FAULT_DEADLINE && !limited))
				continue;
			fault.place = look.place;
			look.way = ways[j].way;
			run_once(file, index, &fault, NULL, &look);
		}
	}
	if (!look.base) /* it did not start, which its end says */
		look.base = json_pack("{s:b, s:s, s:n, s:[], s:[]}", "complete", false, "status", "failed",
							  "expected", "why", "not_reached");
	return json_pack("{s:s, s:o, s:o, s:I}", "saga", def->name, "base", look.base, "ends",
					 look.ends, "problems", (json_int_t)look.problems);
}
