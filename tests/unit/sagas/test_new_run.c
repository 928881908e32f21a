/*
 * A new run of a saga that has ended: where it may begin and where not, and what its history gives
 * when it is folded: what was settled stays, with the keys that it was done with; all else is sent
 * with keys that nobody has seen.
 */
#include "sagas/new_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/env.h"
#include "sagas/json_text.h"
#include "tests/support/definition.h"
#include "tests/support/play.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { RESERVE, LOOK, ASK, SHIP };

static struct play play;

#define STEP(id, method, more)                                                                     \
	"  - {id: " id ", http: {to: svc, method: " method ", path: /" id "}" more "}\n"
#define UNDO(id) ", compensate: {http: {to: svc, method: DELETE, path: /" id "}}"

/* Something to undo, something without an effect, somebody to wait for, and the rest. */
#define ORDER                                                                                      \
	"saga: order\ndeadline: 10d\nsteps:\n" STEP("reserve", "POST", UNDO("reserve"))                \
		STEP("look", "GET", "") "  - {id: ask, await: {signal: go}, timeout: 5d}\n" STEP(          \
			"ship", "POST", UNDO("ship"))

static void give(const char *act)
{
	ck_assert_msg(play_act(&play, act) == 0, "%s: %s", act, play.err.text);
}

static struct saga_state *fold(size_t n_rows, const char *id)
{
	struct saga_state *state = saga_state_new(play.def, id);
	struct err err;

	for (size_t i = 0; i < n_rows; i++)
		ck_assert_msg(saga_state_apply_row(state, play.rows[i].at, play.rows[i].text,
										   strlen(play.rows[i].text), &err) == 0,
					  "%s", err.text);
	return state;
}

/* All that speaks against it, as "step: reason; …". */
static char *refusals(size_t to)
{
	struct saga_state *then = fold(to, PLAY_ID), *end = fold(play.n_rows, PLAY_ID);
	json_t *reasons = saga_new_run_refusals(then, end, play.now), *reason;
	struct buf text;
	size_t i;

	buf_init(&text, 0);
	json_array_foreach (reasons, i, reason) {
		const char *step = json_string_value(json_object_get(reason, "step"));

		buf_printf(&text, "%s%s: %s", i ? "; " : "", step ? step : "saga",
				   json_string_value(json_object_get(reason, "reason")));
	}
	json_decref(reasons);
	saga_state_free(then);
	saga_state_free(end);
	return buf_take(&text, NULL);
}

static void may(size_t to)
{
	char *why = refusals(to);

	ck_assert_msg(!*why, "row %zu: %s", to, why);
	free(why);
}

/* Each of the texts is said. */
static void may_not(size_t to, const char *const *says)
{
	char *why = refusals(to);

	ck_assert_msg(*why, "row %zu: nothing speaks against it", to);
	for (; *says; says++)
		ck_assert_msg(strstr(why, *says), "row %zu: `%s` is not said in: %s", to, *says, why);
	free(why);
}
#define MAY_NOT(to, ...) may_not(to, (const char *const[]){__VA_ARGS__, NULL})

static size_t row_with(const char *type, const char *step)
{
	char text[128];

	snprintf(text, sizeof(text), step ? "\"type\":\"%s\",\"step\":\"%s\"" : "\"type\":\"%s\"", type,
			 step);
	for (size_t i = 0; i < play.n_rows; i++)
		if (strstr(play.rows[i].text, text))
			return i + 1;
	ck_abort_msg("no %s", text);
	return 0;
}

/* Up to where it waits for the signal. */
static void begin(void)
{
	play_begin(&play, ORDER, "{}", false);
	play_answer(&play, RESERVE, -1, CALL_DO, 200, "{\"id\": 1}");
	play_answer(&play, LOOK, -1, CALL_DO, 200, "{}");
}

/* A process of its own has the new run: only what the rows say is known. */
static struct saga_state *new_run(size_t to, char id[SAGA_ID_SIZE], struct decision *decision)
{
	struct new_run run = {
		.of = PLAY_ID, .seq = (int64_t)to, .act_id = "again-1", .by = "ann", .reason = "fixed"};
	struct saga_state *state, *read;
	struct input in = {.type = INPUT_TIMER};
	struct decision made;
	struct buf row;
	struct err err;

	saga_new_run_id(PLAY_ID, play.now, id);
	state = fold(to, id);
	decision_init(&made);
	ck_assert_int_eq(saga_decide_new_run(state, &run, play.now + HOUR, &made, &err), 0);
	ck_assert_uint_eq(made.n_events, 1);
	ck_assert_uint_eq(made.n_commands, 0);
	buf_init(&row, 0);
	buf_add_char(&row, '[');
	event_write(&made.events[0], play.def, &row);
	buf_add_char(&row, ']');
	read = fold(to, id);
	ck_assert_msg(saga_state_apply_row(read, play.now + HOUR, buf_str(&row), row.len, &err) == 0,
				  "%s", err.text);
	ck_assert_msg(saga_state_validate(read, &err) == 0, "%s", err.text);
	ck_assert_int_eq(read->deadline_at, state->deadline_at);
	decision_init(decision);
	ck_assert_int_eq(saga_decide(read, &in, play.now + HOUR, decision, &err), 0);
	decision_release(&made);
	buf_release(&row);
	saga_state_free(state);
	return read;
}

START_TEST(test_new_run__begins_where_nothing_was_left_behind)
{
	begin();
	give("{\"act\": \"terminate\"}");
	may(row_with("StepCompleted", "reserve"));
	may(row_with("StepCompleted", "look"));
	MAY_NOT(1, "reserve: it has taken effect after that row, and is not undone");
	MAY_NOT(play.n_rows, "saga: the saga had ended at that row");
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__does_not_begin_where_what_came_after_stands)
{
	size_t looked;

	begin();
	looked = row_with("StepCompleted", "look");
	give("{\"act\": \"signal\", \"signal\": \"go\"}");
	play_answer(&play, SHIP, -1, CALL_DO, 200, "{}");
	ck_assert_int_eq(play.state->status, SAGA_COMPLETED);
	MAY_NOT(looked, "ship: it has taken effect after that row, and is not undone");
	MAY_NOT(1, "reserve: it has taken effect", "ship: it has taken effect");
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__does_not_begin_while_an_outcome_is_unknown)
{
	size_t looked;

	begin();
	looked = row_with("StepCompleted", "look");
	give("{\"act\": \"signal\", \"signal\": \"go\"}");
	give("{\"act\": \"terminate\"}");
	MAY_NOT(looked, "ship: it was under way when the saga ended, and may take effect");
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__does_not_begin_where_what_is_kept_was_undone)
{
	size_t looked;

	begin();
	looked = row_with("StepCompleted", "look");
	give("{\"act\": \"signal\", \"signal\": \"go\"}");
	play_answer(&play, SHIP, -1, CALL_DO, 409, "{}");
	play_answer(&play, RESERVE, -1, CALL_UNDO, 200, "{}");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	MAY_NOT(looked, "reserve: it was undone after that row: its effect is gone");
	/* All of it is undone: it may begin from the very beginning, and from where only that is kept
	 * which has no effect there is nothing. */
	may(1);
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__does_not_begin_where_an_undo_is_owed)
{
	size_t looked;

	begin();
	looked = row_with("StepCompleted", "look");
	give("{\"act\": \"signal\", \"signal\": \"go\"}");
	play_answer(&play, SHIP, -1, CALL_DO, 409, "{}");
	play_answer(&play, RESERVE, -1, CALL_UNDO, 503, NULL);
	give("{\"act\": \"fail\", \"step\": \"reserve\", \"compensation\": true}");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATION_FAILED);
	give("{\"act\": \"terminate\"}");
	MAY_NOT(looked, "reserve: its undo was begun after that row, and did not end well");
	MAY_NOT(1, "reserve: its undo has failed: nobody knows what is left of it");
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__keeps_keys_of_what_was_done_and_sends_the_rest_with_others)
{
	char id[SAGA_ID_SIZE], key[128];
	struct decision decision;
	struct saga_state *state;
	struct input in = {.type = INPUT_ACT};
	struct act act;
	struct err err;
	size_t to;

	begin();
	to = row_with("StepCompleted", "reserve"); /* before `look` had been answered */
	give("{\"act\": \"terminate\"}");
	state = new_run(to, id, &decision);
	ck_assert_str_ne(id, PLAY_ID);
	ck_assert_int_eq(saga_id_slot(id), saga_id_slot(PLAY_ID));
	ck_assert_int_eq(state->status, SAGA_RUNNING);
	ck_assert_str_eq(state->run_of->saga_id, PLAY_ID);
	ck_assert_int_eq(state->run_of->seq, (int64_t)to);
	ck_assert_str_eq(state->run_of->act_id, "again-1");
	ck_assert_int_eq(state->started_at, play.now + HOUR);
	ck_assert_int_eq(state->deadline_at, play.now + HOUR + INT64_C(10) * 24 * HOUR);
	ck_assert(state->steps[RESERVE].settled);
	/* What had begun and not settled is sent, by its own key. */
	ck_assert_uint_eq(decision.n_commands, 1);
	ck_assert_int_eq(decision.commands[0].step, LOOK);
	snprintf(key, sizeof(key), "%s/look~2/do", id);
	ck_assert_str_eq(decision.commands[0].request->key, key);
	decision_release(&decision);
	/* What the first one did is undone as it had said. */
	decision_init(&decision);
	act_init(&act, ACT_CANCEL);
	in.act = &act;
	ck_assert_int_eq(saga_decide(state, &in, play.now + HOUR, &decision, &err), 0);
	act_release(&act);
	decision_release(&decision);
	decision_init(&decision);
	in = (struct input){.type = INPUT_REPLY, .step = LOOK, .item = -1, .kind = CALL_DO};
	in.attempt = 1;
	in.result = CALL_ANSWERED;
	in.http_status = 409;
	in.retry_after_ms = -1;
	ck_assert_int_eq(saga_decide(state, &in, play.now + HOUR, &decision, &err), 0);
	ck_assert_uint_eq(decision.n_commands, 1);
	ck_assert_int_eq(decision.commands[0].kind, CALL_UNDO);
	ck_assert_str_eq(decision.commands[0].request->key, PLAY_ID "/reserve/undo");
	decision_release(&decision);
	saga_state_free(state);
	play_end(&play);
}
END_TEST

/* A definition that gives the key itself reads it; a request that is made late has the old one. */
START_TEST(test_new_run__undoes_late_with_the_key_that_it_was_done_with)
{
	char id[SAGA_ID_SIZE], key[STEP_KEY_SIZE];
	struct decision decision;
	struct saga_state *state;

	begin();
	give("{\"act\": \"terminate\"}");
	state = new_run(play.n_rows - 1, id, &decision);
	step_key(state, RESERVE, -1, "undo", key);
	ck_assert_str_eq(key, PLAY_ID "/reserve/undo");
	step_key(state, SHIP, -1, "undo", key);
	ck_assert_msg(strncmp(key, id, SAGA_ID_SIZE - 1) == 0, "%s", key);
	decision_release(&decision);
	saga_state_free(state);
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__of_a_command_is_answered_to_the_new_run)
{
	char id[SAGA_ID_SIZE], prefix[128];
	struct decision decision;
	struct saga_state *state;
	const struct request *undo;

	play_begin(&play,
			   "saga: book\nsteps:\n"
			   "  - {id: hold, command: {to: hotel, type: Hold, data: {}}, compensate: {command: "
			   "{to: hotel, type: Drop, data: {}}}}\n"
			   "  - {id: ask, await: {signal: go}, timeout: 5d}\n",
			   "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_SUCCESS, NULL, NULL, "{}");
	give("{\"act\": \"terminate\"}");
	may(play.n_rows - 1);
	state = new_run(play.n_rows - 1, id, &decision);
	undo = state->steps[0].actions[0].undo.request;
	snprintf(prefix, sizeof(prefix), "default/%s/hold/undo", id);
	ck_assert_str_eq(undo->correlation, prefix);
	ck_assert_str_eq(undo->key, PLAY_ID "/hold/undo");
	decision_release(&decision);
	saga_state_free(state);
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__asks_for_a_lock_again_unless_something_was_done_under_it)
{
	struct input in = {.type = INPUT_LOCK, .step = 0, .item = -1, .token = 7};
	size_t locked;

	play_begin(&play,
			   "saga: locked\nsteps:\n  - {id: lock, lock: {keys: [a]}, timeout: 1d}\n" STEP(
				   "pay", "POST", UNDO("pay")) "  - {id: ask, await: {signal: go}, timeout: 5d}\n",
			   "{}", false);
	ck_assert_int_eq(play_give(&play, &in), 0);
	locked = play.n_rows;
	play_answer(&play, 1, -1, CALL_DO, 200, "{}");
	give("{\"act\": \"cancel\"}");
	play_answer(&play, 1, -1, CALL_UNDO, 200, "{}");
	ck_assert_int_eq(play.state->status, SAGA_COMPENSATED);
	may(locked);
	MAY_NOT(row_with("StepCompleted", "pay"), "lock: pay was done while this lock was held",
			"pay: it was undone after that row");
	play_end(&play);
}
END_TEST

START_TEST(test_new_run__has_one_id)
{
	char a[SAGA_ID_SIZE], b[SAGA_ID_SIZE], c[SAGA_ID_SIZE];

	saga_new_run_id(PLAY_ID, PLAY_STARTS_AT, a);
	saga_new_run_id(PLAY_ID, PLAY_STARTS_AT, b);
	ck_assert_str_eq(a, b);
	ck_assert_str_ne(a, PLAY_ID);
	saga_new_run_id(a, PLAY_STARTS_AT, c);
	ck_assert_str_ne(a, c);
}
END_TEST

/* A history that cannot be, and does not fit. */
START_TEST(test_new_run__is_refused_in_a_history_that_it_does_not_fit)
{
	static const char *const rows[] = {
		"[{\"n\":34,\"type\":\"SagaReset\",\"value\":{}}]",
		"[{\"n\":34,\"type\":\"SagaReset\",\"value\":{\"run_of\":{\"id\":\"x\",\"seq\":1}}}]",
		"[{\"n\":34,\"type\":\"SagaReset\",\"value\":{\"run_of\":{\"id\":\"" PLAY_ID
		"\",\"seq\":0}}}]",
		"[{\"n\":34,\"type\":\"SagaReset\",\"value\":{\"run_of\":{\"id\":\"" PLAY_ID
		"\",\"seq\":1},\"forget\":[\"none\"]}}]",
	};
	struct saga_state *state;
	struct err err;

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		state = fold(1, PLAY_ID);
		ck_assert_int_eq(saga_state_apply_row(state, play.now, rows[i], strlen(rows[i]), &err),
						 ERR_INVALID);
		saga_state_free(state);
	}
	play_end(&play);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("new_run");
	TCase *tc = tcase_create("new_run");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_new_run__begins_where_nothing_was_left_behind);
	tcase_add_test(tc, test_new_run__does_not_begin_where_what_came_after_stands);
	tcase_add_test(tc, test_new_run__does_not_begin_while_an_outcome_is_unknown);
	tcase_add_test(tc, test_new_run__does_not_begin_where_what_is_kept_was_undone);
	tcase_add_test(tc, test_new_run__does_not_begin_where_an_undo_is_owed);
	tcase_add_test(tc, test_new_run__keeps_keys_of_what_was_done_and_sends_the_rest_with_others);
	tcase_add_test(tc, test_new_run__undoes_late_with_the_key_that_it_was_done_with);
	tcase_add_test(tc, test_new_run__of_a_command_is_answered_to_the_new_run);
	tcase_add_test(tc, test_new_run__asks_for_a_lock_again_unless_something_was_done_under_it);
	tcase_add_test(tc, test_new_run__has_one_id);
	tcase_add_test(tc, test_new_run__is_refused_in_a_history_that_it_does_not_fit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
