/*
 * The run that a simulation varies: whether it came to the end that was meant for it, and if not,
 * what it waits for, which act was refused, and which steps were never tried. What is behind the
 * place where it stopped is not simulated, and that must not look as if all were well.
 */
#include "coordinator/deftest_priv.h"

#include <string.h>

/* The status that the test says, or is meant when it says nothing; NULL: any end. */
static const char *expected_status(const struct deftest *test)
{
	const json_t *end = json_object_get(test->test, "end");

	if (!end)
		return "completed";
	if (json_is_string(end))
		return json_string_value(end);
	return json_string_value(json_object_get(end, "status"));
}

static void add_correlated(const struct correlate_def *on, struct buf *out)
{
	buf_printf(out, on->webhook ? "an event of the webhook `%s`" : "a record of the topic `%s`",
			   on->topic);
}

static void add_waits(const struct await_def *await, struct buf *out)
{
	size_t i;

	for (i = 0; i < await->n_waits; i++) {
		const struct wait_def *wait = &await->waits[i];

		buf_add_str(out, i > 0 ? " or " : "");
		switch (wait->kind) {
		case WAIT_SIGNAL:
			buf_printf(out, "the signal `%s`", wait->signal);
			break;
		case WAIT_AFTER:
			buf_add_str(out, "a time");
			break;
		case WAIT_KAFKA:
		case WAIT_WEBHOOK:
			add_correlated(&wait->on, out);
			break;
		}
	}
}

/* What an action that began and is not over waits for. */
static void add_wait(const struct action_def *act, struct buf *out)
{
	switch (act->kind) {
	case ACTION_AWAIT_SIGNAL:
		buf_printf(out, "the signal `%s`", act->await_signal);
		break;
	case ACTION_AWAIT_KAFKA:
		add_correlated(&act->await_kafka, out);
		break;
	case ACTION_AWAIT:
		add_waits(&act->await, out);
		break;
	case ACTION_AWAIT_AFTER:
		buf_add_str(out, "a time that is later than `until`");
		break;
	case ACTION_APPROVAL:
		buf_printf(out, "people who may decide: %d must approve", act->approval.approve);
		break;
	case ACTION_LOCK:
		buf_add_str(out, "a lock that somebody else has");
		break;
	case ACTION_CHILD:
		buf_printf(out, "its saga `%s`", act->child.saga);
		break;
	case ACTION_TASK:
		buf_add_str(out, "a worker");
		break;
	case ACTION_HTTP:
	case ACTION_COMMAND:
	case ACTION_EMIT:
	case ACTION_SET:
	case ACTION_FAIL:
	case ACTION_CONTINUE:
		buf_add_str(out, "an answer");
		break;
	}
}

static bool is_over(enum exec_status status)
{
	return status == EXEC_IDLE || status == EXEC_DONE || status == EXEC_FAILED ||
		   status == EXEC_GAVE_UP;
}

bool deftest__is_open(const struct sandbox_saga *saga, int step, int item)
{
	const struct saga_state *state = saga->state;

	return !saga_status_is_terminal(state->status) &&
		   state->steps[step].n_actions > (item < 0 ? 0 : item) &&
		   !is_over(saga_state_action(state, step, item)->run.status);
}

static void tell_open(const struct sandbox_saga *saga, json_t *why)
{
	const struct saga_state *state = saga->state;
	int i, j;

	for (i = 0; i < state->def->n_steps && !saga_status_is_terminal(state->status); i++) {
		const struct step_def *def = &state->def->steps[i];

		for (j = 0; j < state->steps[i].n_actions; j++) {
			const struct exec *run = &state->steps[i].actions[j].run;
			CLEANUP(free_p) char *place = NULL;
			CLEANUP(buf_release) struct buf text;

			buf_init(&text, 0);
			if (is_over(run->status))
				continue;
			place = deftest__place(saga, i, def->for_each || def->repeat_until ? j : -1, "");
			if (run->code)
				buf_printf(&text, "%s has failed (%s) and is not given up", place, run->code);
			else
				buf_printf(&text, "%s waits for ", place);
			if (!run->code)
				add_wait(&def->act, &text);
			json_array_append_new(why, json_string(buf_str(&text)));
		}
	}
}

static void tell_end(const struct saga_state *state, json_t *why)
{
	const struct saga_def *def = state->def;
	const struct step_def *step = state->failure_step >= 0 && state->failure_step < def->n_steps
									  ? &def->steps[state->failure_step]
									  : NULL;
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	if (!state->failure_code)
		return;
	buf_printf(&text, "%s failed: %s", step ? step->id : "it", state->failure_code);
	if (state->failure_message)
		buf_printf(&text, ": %s", state->failure_message);
	if (step && action_only_waits(step->act.kind)) {
		buf_add_str(&text, " (it waited for ");
		add_wait(&step->act, &text);
		buf_add_char(&text, ')');
	}
	json_array_append_new(why, json_string(buf_str(&text)));
}

static json_t *never_begun(const struct saga_state *state)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < state->def->n_forward && i < state->def->n_steps; i++)
		if (!state->steps[i].begun && !state->def->steps[i].escalates)
			json_array_append_new(list, json_string(state->def->steps[i].id));
	return list;
}

json_t *deftest__base(struct deftest *test)
{
	const struct saga_state *state = test->root->state;
	const char *expected = expected_status(test), *status = saga_status_text(state->status);
	bool as_meant =
		expected ? strcmp(expected, status) == 0 : saga_status_is_terminal(state->status);
	json_t *why = json_array();
	size_t i;

	if (!as_meant)
		deftest__never_happened(test);
	for (i = 0; i < test->result->n_failures; i++)
		json_array_append_new(why, json_string(test->result->failures[i].text));
	for (i = 0; i < sandbox_n_sagas(test->sandbox) && !as_meant; i++)
		tell_open(sandbox_saga(test->sandbox, i), why);
	if (!as_meant)
		tell_end(state, why);
	return json_pack("{s:b, s:s, s:s?, s:o, s:o}", "complete",
					 as_meant && test->result->n_failures == 0, "status", status, "expected",
					 expected, "why", why, "not_reached",
					 as_meant ? json_array() : never_begun(state));
}
