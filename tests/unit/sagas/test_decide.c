/*
 * Deciding. The stories stand in tests/scenarios; here is what a story does not show: purity, what
 * is refused, and every small DAG against a model of its own (DAG_STEPS=4 for the larger one).
 */
#include "sagas/decide.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/definition.h"
#include "tests/support/kitchen_sink.h"

#define NOW INT64_C(1767225600000)
#define ID "0198c0de-7a31-7abc-bf11-223344556677"

static struct saga_state *start(struct saga_def *def, const char *input, struct decision *decision)
{
	struct saga_state *state = saga_state_new(def, ID);
	struct jval *value = jval_from_text(xstrdup(input), strlen(input));
	struct input in = {.type = INPUT_START, .ns = "default", .value = value, .random = 1};
	struct err err;

	decision_init(decision);
	ck_assert_int_eq(saga_decide(state, &in, NOW, decision, &err), 0);
	jval_unref(value);
	return state;
}

static int answer(struct saga_state *state, const struct command *command, int status,
				  struct decision *decision)
{
	struct err err;
	struct input in = {
		.type = INPUT_REPLY,
		.step = command->step,
		.item = command->item,
		.kind = command->kind,
		.attempt = command->attempt,
		.result = CALL_ANSWERED,
		.http_status = status,
		.retry_after_ms = -1,
		.random = 2,
	};

	return saga_decide(state, &in, NOW, decision, &err);
}

static int act(struct saga_state *state, enum act_kind kind, struct decision *decision)
{
	const struct act act = {.kind = kind, .item = -1, .by = "ann", .reason = "because"};
	struct input in = {.type = INPUT_ACT, .act = &act};
	struct err err;

	return saga_decide(state, &in, NOW, decision, &err);
}

static void write_events(const struct decision *decision, const struct saga_def *def,
						 struct buf *out)
{
	for (size_t i = 0; i < decision->n_events; i++)
		event_write(&decision->events[i], def, out);
}

START_TEST(test_decide__gives_the_same_for_the_same)
{
	struct saga_def *def = definition_must_load(KITCHEN_SINK);
	struct buf text[2];

	for (int i = 0; i < 2; i++) {
		struct decision decision;
		struct saga_state *state = start(def, KITCHEN_SINK_INPUT, &decision);

		for (size_t k = 0; k < 4 && k < decision.n_commands; k++) {
			struct command command = decision.commands[k];

			ck_assert_int_eq(answer(state, &command, k % 2 ? 500 : 200, &decision), 0);
		}
		buf_init(&text[i], 0);
		write_events(&decision, def, &text[i]);
		decision_release(&decision);
		saga_state_free(state);
	}
	ck_assert_uint_gt(text[0].len, 100);
	ck_assert_str_eq(buf_str(&text[0]), buf_str(&text[1]));
	buf_release(&text[0]);
	buf_release(&text[1]);
	saga_def_unref(def);
}
END_TEST

#define TWO                                                                                        \
	"saga: two\n"                                                                                  \
	"steps:\n"                                                                                     \
	"  - {id: a, http: {to: svc, method: PUT, path: /a}, compensate: {http: {to: svc, method: "    \
	"DELETE, path: /a}}}\n"                                                                        \
	"  - {id: b, http: {to: svc, method: PUT, path: /b}, compensate: none}\n"

START_TEST(test_decide__refuses_acts_without_a_trace)
{
	struct saga_def *def = definition_must_load(TWO);
	struct decision decision;
	struct saga_state *state = start(def, "{}", &decision);
	size_t events;

	ck_assert_int_eq(act(state, ACT_CANCEL, &decision), 0);
	events = decision.n_events;
	ck_assert_int_eq(act(state, ACT_CANCEL, &decision), ERR_CONFLICT);
	ck_assert_uint_eq(decision.n_events, events);
	ck_assert_int_eq(act(state, ACT_TERMINATE, &decision), 0);
	events = decision.n_events;
	ck_assert_int_eq(act(state, ACT_TERMINATE, &decision), ERR_CONFLICT);
	ck_assert_int_eq(act(state, ACT_CANCEL, &decision), ERR_CONFLICT);
	ck_assert_uint_eq(decision.n_events, events);
	decision_release(&decision);
	saga_state_free(state);
	saga_def_unref(def);
}
END_TEST

START_TEST(test_decide__absorbs_what_comes_after_the_end)
{
	struct saga_def *def = definition_must_load(TWO);
	struct decision decision;
	struct saga_state *state = start(def, "{}", &decision);
	struct command command = decision.commands[0];
	struct input timer = {.type = INPUT_TIMER};
	struct err err;
	size_t events;

	request_ref(command.request);
	ck_assert_int_eq(act(state, ACT_TERMINATE, &decision), 0);
	/* The call of the start was not made yet, and is not made any more. */
	ck_assert_uint_eq(decision.n_commands, 0);
	events = decision.n_events;
	ck_assert_int_eq(answer(state, &command, 200, &decision), 0);
	ck_assert_int_eq(saga_decide(state, &timer, NOW, &decision, &err), 0);
	ck_assert_uint_eq(decision.n_events, events);
	ck_assert_int_eq(state->status, SAGA_TERMINATED);
	request_unref(command.request);
	decision_release(&decision);
	saga_state_free(state);
	saga_def_unref(def);
}
END_TEST

START_TEST(test_decide__records_a_second_answer_and_nothing_more)
{
	struct saga_def *def = definition_must_load(TWO);
	struct decision decision;
	struct saga_state *state = start(def, "{}", &decision);
	struct command command = decision.commands[0];
	size_t events;

	request_ref(command.request);
	ck_assert_int_eq(answer(state, &command, 200, &decision), 0);
	events = decision.n_events;
	ck_assert_int_eq(answer(state, &command, 422, &decision), 0);
	ck_assert_uint_eq(decision.n_events, events + 1);
	ck_assert_int_eq(decision.events[events].type, EV_REPLY_IGNORED);
	ck_assert(!state->failing);
	request_unref(command.request);
	decision_release(&decision);
	saga_state_free(state);
	saga_def_unref(def);
}
END_TEST

START_TEST(test_decide__time_never_goes_back)
{
	struct saga_def *def = definition_must_load(TWO);
	struct decision decision;
	struct saga_state *state = start(def, "{}", &decision);
	const struct act cancel = {.kind = ACT_CANCEL, .item = -1, .by = "ann", .reason = "because"};
	struct input in = {.type = INPUT_ACT, .act = &cancel};
	struct err err;

	ck_assert_int_eq(saga_decide(state, &in, NOW - 5000, &decision, &err), 0);
	ck_assert_int_eq(decision.events[decision.n_events - 1].at, NOW);
	decision_release(&decision);
	saga_state_free(state);
	saga_def_unref(def);
}
END_TEST

/* Every small DAG. */

enum { STEPS_MAX = 4 };
enum answer_kind { ANSWER_SUCCESS, ANSWER_FAILURE, ANSWER_UNKNOWN, ANSWER_KINDS };

struct story {
	int n, pivot;                     /* pivot -1: none */
	bool needs[STEPS_MAX][STEPS_MAX]; /* [i][k]: i needs k */
	bool before[STEPS_MAX][STEPS_MAX];
	bool undo[STEPS_MAX];
	enum answer_kind answers[STEPS_MAX];
	int cancel_after; /* so many answers; -1: never */
};

/* What the model says. */
struct ending {
	enum saga_status status;
	bool undone[STEPS_MAX];
};

static void close_over(struct story *story)
{
	memcpy(story->before, story->needs, sizeof(story->before));
	for (int k = 0; k < story->n; k++)
		for (int i = 0; i < story->n; i++)
			for (int j = 0; j < story->n; j++)
				story->before[i][j] |= story->before[i][k] && story->before[k][j];
}

/* The pivot waits for all that does not depend on it. */
static void add_pivot_needs(struct story *story)
{
	close_over(story);
	for (int i = 0; i < story->n && story->pivot >= 0; i++)
		if (i != story->pivot && !story->before[i][story->pivot])
			story->needs[story->pivot][i] = true;
	close_over(story);
}

struct model {
	const struct story *story;
	bool begun[STEPS_MAX], done[STEPS_MAX], unknown[STEPS_MAX];
	int queue[STEPS_MAX], head, tail;
	bool failing, parked, pivot_closed;
};

static void model_begin(struct model *model)
{
	const struct story *story = model->story;

	for (int i = 0; i < story->n && !model->failing; i++) {
		bool ready = !model->begun[i];

		for (int k = 0; k < story->n; k++)
			ready &= !story->needs[i][k] || model->done[k];
		if (!ready)
			continue;
		model->begun[i] = true;
		model->pivot_closed |= i == story->pivot;
		model->queue[model->tail++] = i;
	}
}

static void model_answer(struct model *model)
{
	const struct story *story = model->story;
	int step = model->queue[model->head++];
	bool forward_only = story->pivot >= 0 && story->before[step][story->pivot];

	if (story->answers[step] == ANSWER_SUCCESS) {
		model->done[step] = true;
	} else if (forward_only || (step == story->pivot && story->answers[step] == ANSWER_UNKNOWN)) {
		model->parked = true;
	} else {
		model->unknown[step] = story->answers[step] == ANSWER_UNKNOWN;
		model->failing = true;
		model->pivot_closed &= step != story->pivot;
	}
	model_begin(model);
}

static struct ending model_run(const struct story *story)
{
	struct model model = {.story = story};
	struct ending ending = {.status = SAGA_COMPLETED};
	int answers = 0;

	model_begin(&model);
	for (;;) {
		if (answers == story->cancel_after && !model.pivot_closed && model.head < model.tail)
			model.failing = true;
		if (model.head == model.tail)
			break;
		model_answer(&model);
		answers++;
	}
	if (model.parked)
		ending.status = SAGA_WAITING;
	if (!model.failing)
		return ending;
	ending.status = SAGA_COMPENSATED;
	for (int i = 0; i < story->n; i++)
		ending.undone[i] = story->undo[i] && (model.done[i] || model.unknown[i]);
	return ending;
}

static json_t *story_document(const struct story *story)
{
	json_t *steps = json_array();

	for (int i = 0; i < story->n; i++) {
		char id[] = {'s', (char)('0' + i), '\0'}, need[] = "s0";
		bool after = story->pivot >= 0 && story->before[i][story->pivot];
		json_t *needs = json_array();
		json_t *step =
			json_pack("{s:s, s:o, s:{s:s, s:s, s:s}, s:{s:i}}", "id", id, "needs", needs, "http",
					  "to", "svc", "method", "PUT", "path", "/do", "retry", "maximum_attempts", 1);

		for (int k = 0; k < i; k++) {
			need[1] = (char)('0' + k);
			if (story->needs[i][k])
				json_array_append_new(needs, json_string(need));
		}
		if (i == story->pivot)
			json_object_set_new(step, "pivot", json_true());
		else if (!after)
			json_object_set_new(step, "compensate",
								story->undo[i]
									? json_pack("{s:{s:s, s:s, s:s}}", "http", "to", "svc",
												"method", "DELETE", "path", "/undo")
									: json_string("none"));
		json_array_append_new(steps, step);
	}
	return json_pack("{s:s, s:o}", "saga", "story", "steps", steps);
}

struct telling {
	const struct story *story;
	struct saga_state *state;
	struct decision decision;
	size_t next; /* command to answer */
	bool undone[STEPS_MAX];
};

/* What depends on it is undone before it, if it has to be. */
static void check_undo(struct telling *telling, int step, const struct ending *ending)
{
	for (int i = 0; i < telling->story->n; i++)
		if (telling->story->before[i][step] && ending->undone[i])
			ck_assert_msg(telling->undone[i], "s%d is undone before s%d", step, i);
	ck_assert_msg(!telling->undone[step], "s%d is undone twice", step);
}

static void tell(const struct story *story, struct saga_def *def)
{
	static const int statuses[ANSWER_KINDS] = {200, 422, 500};
	struct ending ending = model_run(story);
	struct telling telling = {.story = story};
	struct saga_state *state = start(def, "{}", &telling.decision);
	int answers = 0;

	telling.state = state;
	for (;;) {
		struct command command;
		bool undo;

		if (answers == story->cancel_after && !saga_status_is_terminal(state->status))
			(void)!act(state, ACT_CANCEL, &telling.decision);
		if (telling.next == telling.decision.n_commands)
			break;
		command = telling.decision.commands[telling.next++];
		undo = command.kind == CALL_UNDO;
		if (undo)
			check_undo(&telling, command.step, &ending);
		else
			answers++;
		/* So that no call is dropped as answered while its command still stands in the list. */
		request_ref(command.request);
		ck_assert_int_eq(answer(state, &command,
								undo ? 200 : statuses[story->answers[command.step]],
								&telling.decision),
						 0);
		request_unref(command.request);
		telling.next = 0;
		telling.undone[command.step] |= undo;
		saga_state_check(state);
	}
	ck_assert_msg(state->status == ending.status, "%s, expected %s",
				  saga_status_text(state->status), saga_status_text(ending.status));
	for (int i = 0; i < story->n; i++)
		ck_assert_msg(telling.undone[i] == ending.undone[i], "s%d", i);
	decision_release(&telling.decision);
	saga_state_free(state);
}

static void all_answers(struct story *story, struct saga_def *def)
{
	int cases = 1;

	for (int i = 0; i < story->n; i++)
		cases *= ANSWER_KINDS;
	for (int c = 0; c < cases; c++) {
		for (int i = 0, rest = c; i < story->n; i++, rest /= ANSWER_KINDS)
			story->answers[i] = (enum answer_kind)(rest % ANSWER_KINDS);
		for (story->cancel_after = -1; story->cancel_after <= story->n; story->cancel_after++)
			tell(story, def);
	}
}

static void all_of_dag(int n, unsigned edges)
{
	for (int pivot = -1; pivot < n; pivot++) {
		for (unsigned undo = 0; undo < 1U << n; undo++) {
			struct findings findings = {0};
			struct story story = {.n = n, .pivot = pivot};
			struct saga_def *def = NULL;
			json_t *doc;
			int bit = 0;

			for (int i = 0; i < n; i++)
				for (int k = 0; k < i; k++)
					story.needs[i][k] = edges >> bit++ & 1;
			add_pivot_needs(&story);
			for (int i = 0; i < n; i++)
				story.undo[i] =
					(undo >> i & 1) && i != pivot && !(pivot >= 0 && story.before[i][pivot]);
			/* The same again, for who has no undo there. */
			if (pivot >= 0 && (undo >> pivot & 1))
				continue;
			doc = story_document(&story);
			ck_assert_int_eq(saga_def_load(doc, NULL, &def, &findings), 0);
			all_answers(&story, def);
			findings_release(&findings);
			saga_def_unref(def);
			json_decref(doc);
		}
	}
}

START_TEST(test_decide__ends_every_small_dag_as_the_model_says)
{
	const char *said = getenv("DAG_STEPS");
	int most = said && *said == '4' ? 4 : 3;

	for (int n = 1; n <= most; n++)
		for (unsigned edges = 0; edges < 1U << (n * (n - 1) / 2); edges++)
			all_of_dag(n, edges);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tc = tcase_create("decide");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, test_decide__gives_the_same_for_the_same);
	tcase_add_test(tc, test_decide__refuses_acts_without_a_trace);
	tcase_add_test(tc, test_decide__absorbs_what_comes_after_the_end);
	tcase_add_test(tc, test_decide__records_a_second_answer_and_nothing_more);
	tcase_add_test(tc, test_decide__time_never_goes_back);
	tcase_add_test(tc, test_decide__ends_every_small_dag_as_the_model_says);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
