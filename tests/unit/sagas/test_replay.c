/*
 * A history on the definition that made it is the same; on a changed one, the first event is named
 * where it would be decided otherwise. Every scenario file is replayed, too (tests/tools/scenario).
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/def_load.h"
#include "sagas/json_text.h"
#include "sagas/replay.h"
#include "sagas/surroundings.h"
#include "tests/support/definition.h"
#include "tests/support/play.h"

#define FOLDER "tests/golden/histories-v1"

static void replay_golden(const char *file)
{
	CLEANUP(free_p) char *path = xasprintf(FOLDER "/%s", file);
	CLEANUP(json_decref_p) json_t *golden = json_load_file(path, 0, NULL);
	const json_t *rows = json_object_get(golden, "rows");
	/* What the scenarios have around them, of which these histories are. */
	CLEANUP(json_decref_p) json_t *env = json_pack("{s:s}", "region", "eu");
	const struct surroundings around = {.env = env};
	struct replay_options options = {.times = true};
	struct replay_divergence where;
	struct replay_row *list;
	struct findings findings = {0};
	struct saga_def *def = NULL;
	struct err err;
	bool same;
	size_t i;

	ck_assert_int_eq(saga_def_load(json_object_get(golden, "definition"), NULL, &def, &findings),
					 0);
	def->around = &around;
	list = xcalloc(json_array_size(rows), sizeof(*list));
	for (i = 0; i < json_array_size(rows); i++)
		list[i] = (struct replay_row){
			.seq = (int64_t)i + 1,
			.at = json_integer_value(json_array_get(json_object_get(golden, "times"), i)),
			.events = json_string_value(json_array_get(rows, i)),
			.len = json_string_length(json_array_get(rows, i)),
		};
	ck_assert_int_eq(
		saga_replay(def, PLAY_ID, list, json_array_size(rows), &options, &same, &where, &err), 0);
	/* The id is in the keys of requests, so another one is seen in the first request. */
	if (strstr(list[0].events, "\"request\""))
		ck_assert_msg(!same && where.seq == 1, "%s", file);
	replay_divergence_release(&where);
	ck_assert_int_eq(
		saga_replay(def, json_string_value(json_object_get(json_object_get(golden, "shown"), "id")),
					list, json_array_size(rows), &options, &same, &where, &err),
		0);
	ck_assert_msg(same, "%s: row %lld, event %d: %s", file, (long long)where.seq, where.index,
				  where.why);
	replay_divergence_release(&where);
	free(list);
	findings_release(&findings);
	saga_def_unref(def);
}

START_TEST(test_replay__histories_of_version_1_are_decided_as_they_were)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		if (!strstr(entry->d_name, ".json"))
			continue;
		replay_golden(entry->d_name);
		n++;
	}
	closedir(folder);
	ck_assert_int_ge(n, 30);
}
END_TEST

/* What a test changes is one line of this. */
#define HEAD "saga: order\nparticipants: {svc: {}}\nsteps:\n"
#define A                                                                                          \
	"  - {id: a, http: {to: svc, method: PUT, path: /a, body: {n: 1}},"                            \
	" compensate: {http: {to: svc, method: DELETE, path: /a}}}\n"
#define B                                                                                          \
	"  - {id: b, http: {to: svc, method: PUT, path: /b}, retry: {maximum_attempts: 2},"            \
	" compensate: {http: {to: svc, method: DELETE, path: /b}}}\n"
#define C "  - {id: c, await: {after: 1h}}\n"

struct outcome_of {
	bool same;
	struct replay_divergence where;
};

/* a and b are done, b at its second attempt if it fails once; then the timer runs. */
static void make_history(struct play *play, bool b_fails)
{
	play_begin(play, HEAD A B C, "{}", false);
	play_answer(play, 0, -1, CALL_DO, 200, "{\"id\":1}");
	if (b_fails) {
		play_answer(play, 1, -1, CALL_DO, 503, NULL);
		play_wait(play, 10000);
	}
	play_answer(play, 1, -1, CALL_DO, b_fails ? 503 : 200, NULL);
	play_wait(play, 3600000);
	if (b_fails)
		play_answer(play, 1, -1, CALL_UNDO, 200, NULL);
	if (b_fails)
		play_answer(play, 0, -1, CALL_UNDO, 200, NULL);
	ck_assert_int_eq(play->state->status, b_fails ? SAGA_COMPENSATED : SAGA_COMPLETED);
}

static struct outcome_of replayed(const struct play *play, const char *yaml, bool times)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(yaml);
	struct replay_row *rows = xcalloc(play->n_rows, sizeof(*rows));
	struct replay_options options = {.times = times};
	struct outcome_of outcome;
	struct err err;
	size_t i;

	def->version = 2; /* not that of the history */
	for (i = 0; i < play->n_rows; i++)
		rows[i] = (struct replay_row){(int64_t)i + 1, play->rows[i].at, play->rows[i].text,
									  strlen(play->rows[i].text)};
	ck_assert_int_eq(saga_replay(def, PLAY_ID, rows, play->n_rows, &options, &outcome.same,
								 &outcome.where, &err),
					 0);
	free(rows);
	return outcome;
}

static void expect(bool b_fails, const char *yaml, int64_t seq, int index, const char *why)
{
	struct outcome_of outcome;
	struct play play;

	make_history(&play, b_fails);
	outcome = replayed(&play, yaml, false);
	if (seq == 0) {
		ck_assert_msg(outcome.same, "%s", outcome.where.why);
	} else {
		ck_assert(!outcome.same);
		ck_assert_str_eq(outcome.where.why, why);
		ck_assert_int_eq(outcome.where.seq, seq);
		ck_assert_int_eq(outcome.where.index, index);
	}
	replay_divergence_release(&outcome.where);
	play_end(&play);
}

START_TEST(test_replay__the_same_definition_decides_the_same)
{
	expect(false, HEAD A B C, 0, 0, NULL);
	expect(true, HEAD A B C, 0, 0, NULL);
}
END_TEST

START_TEST(test_replay__what_was_not_reached_may_change)
{
	expect(true, HEAD A B "  - {id: other, set: {x: 1}}\n", 0, 0, NULL);
}
END_TEST

START_TEST(test_replay__another_request_is_seen)
{
	expect(false,
		   HEAD "  - {id: a, http: {to: svc, method: PUT, path: /a, body: {n: 2}},"
				" compensate: {http: {to: svc, method: DELETE, path: /a}}}\n" B C,
		   1, 1, "StepScheduled a: request.body.n is 1 in the history, and 2 now");
}
END_TEST

START_TEST(test_replay__another_undo_is_seen)
{
	expect(false,
		   HEAD "  - {id: a, http: {to: svc, method: PUT, path: /a, body: {n: 1}},"
				" compensate: {http: {to: svc, method: DELETE, path: /a2}}}\n" B C,
		   2, 1, "CompensationArmed a: request.path is \"/a\" in the history, and \"/a2\" now");
}
END_TEST

START_TEST(test_replay__an_undo_that_is_gone_is_seen)
{
	expect(
		false,
		HEAD
		"  - {id: a, http: {to: svc, method: PUT, path: /a, body: {n: 1}}, compensate: none}\n" B C,
		2, 1, "the history has CompensationArmed a, and this definition decides StepScheduled b");
}
END_TEST

START_TEST(test_replay__a_step_between_is_seen)
{
	expect(false, HEAD A "  - {id: x, set: {y: 1}}\n" B C, 2, 2,
		   "the history has StepScheduled b, and this definition decides StepCompleted x");
}
END_TEST

START_TEST(test_replay__a_step_that_is_gone_is_seen)
{
	struct outcome_of outcome;
	struct play play;

	make_history(&play, false);
	outcome = replayed(&play, HEAD A C, false);
	ck_assert(!outcome.same);
	ck_assert_int_eq(outcome.where.seq, 2);
	ck_assert_int_eq(outcome.where.index, 2);
	ck_assert_ptr_nonnull(strstr(outcome.where.expected, "\"step\":\"b\""));
	ck_assert_ptr_nonnull(strstr(outcome.where.got, "\"step\":\"c\""));
	replay_divergence_release(&outcome.where);
	play_end(&play);
}
END_TEST

START_TEST(test_replay__a_step_more_at_the_end_is_seen)
{
	expect(false, HEAD A B C "  - {id: d, set: {y: 1}}\n", 4, 1,
		   "the history has SagaCompleted, and this definition decides StepCompleted d");
}
END_TEST

START_TEST(test_replay__a_failure_that_would_be_tolerated_is_seen)
{
	expect(true,
		   HEAD A "  - {id: b, tolerate: true, http: {to: svc, method: PUT, path: /b},"
				  " retry: {maximum_attempts: 2},"
				  " compensate: {http: {to: svc, method: DELETE, path: /b}}}\n" C,
		   4, 0, "StepFailed b: tolerated is nothing in the history, and true now");
}
END_TEST

START_TEST(test_replay__other_numbers_of_attempts_are_seen)
{
	expect(true,
		   HEAD A
		   "  - {id: b, http: {to: svc, method: PUT, path: /b}, retry: {maximum_attempts: 1},"
		   " compensate: {http: {to: svc, method: DELETE, path: /b}}}\n" C,
		   3, 0,
		   "the history has StepAttemptFailed b, and by this definition its attempts are used up: "
		   "it is given up");
	expect(
		true,
		HEAD A "  - {id: b, http: {to: svc, method: PUT, path: /b}, retry: {maximum_attempts: 3},"
			   " compensate: {http: {to: svc, method: DELETE, path: /b}}}\n" C,
		4, 0,
		"the history has StepFailed b, and by this definition more attempts are left: it is tried "
		"again");
}
END_TEST

START_TEST(test_replay__another_order_of_the_way_back_is_seen)
{
	/* b no longer needs a, so both are undone at once. */
	expect(true,
		   HEAD A "  - {id: b, needs: [], http: {to: svc, method: PUT, path: /b},"
				  " compensate: {http: {to: svc, method: DELETE, path: /b}}}\n" C,
		   1, 2,
		   "the history has nothing more here, and this definition goes on with StepScheduled b");
}
END_TEST

START_TEST(test_replay__times_count_if_they_are_to)
{
	const char *later = HEAD A B "  - {id: c, await: {after: 2h}}\n";
	struct outcome_of outcome;
	struct play play;

	expect(false, later, 0, 0, NULL);
	make_history(&play, false);
	outcome = replayed(&play, later, true);
	ck_assert(!outcome.same);
	ck_assert_int_eq(outcome.where.seq, 3);
	ck_assert_ptr_nonnull(strstr(outcome.where.why, "due_at"));
	replay_divergence_release(&outcome.where);
	play_end(&play);
}
END_TEST

#define LOOP(path)                                                                                 \
	"saga: order\nparticipants: {svc: {}}\n"                                                       \
	"escalate: [{after: '${input.late}', emit: {topic: late, type: Late}}]\nsteps:\n"              \
	"  - {id: a, http: {to: svc, method: PUT, path: /a}, compensate: {http: {to: svc, method: "    \
	"DELETE, path: /a}}}\n"                                                                        \
	"  - {id: b, compensate: none, http: {to: svc, method: PUT, path: " path "}}\n"                \
	"  - {id: again, continue_as_new: {input: {late: 2h}}}\n"

/* The rows of the present run, of which the first tells of the end of the run before, too. */
START_TEST(test_replay__begins_with_the_present_run)
{
	static const struct {
		const char *yaml, *why;
	} to[] = {
		{LOOP("/b"), NULL},
		/* What earlier runs sent does not matter; what they left to be undone does. */
		{LOOP("/other"), NULL},
		{"saga: order\nparticipants: {svc: {}}\nsteps:\n  - {id: b, set: 1}\n"
		 "  - {id: again, continue_as_new: {input: 1}}\n",
		 "a compensation of `a` is carried over, which has none"},
		{"saga: order\nparticipants: {svc: {}}\nsteps:\n  - {id: b, set: 1}\n",
		 "SagaContinued, which the definition does not provide"},
	};
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(to[_i].yaml);
	struct replay_options options = {.times = true};
	struct replay_divergence where;
	struct replay_row rows[2];
	struct play play;
	struct err err;
	bool same;

	play_begin(&play, LOOP("/b"), "{\"late\":\"1h\"}", false);
	ck_assert_int_eq(play.state->watch.next_at, play.now + 3600000);
	play_answer(&play, 0, -1, CALL_DO, 200, NULL);
	play_answer(&play, 1, -1, CALL_DO, 200, NULL);
	ck_assert_int_eq(play.state->run, 2);
	/* By the input of the run that begins. */
	ck_assert_int_eq(play.state->watch.next_at, play.now + 2 * 3600000);
	play_answer(&play, 0, -1, CALL_DO, 503, NULL);
	ck_assert_uint_eq(play.n_rows, 4);
	for (int i = 0; i < 2; i++)
		rows[i] = (struct replay_row){play.state->base_row + i, play.rows[i + 2].at,
									  play.rows[i + 2].text, strlen(play.rows[i + 2].text)};
	ck_assert_int_eq(saga_replay(def, PLAY_ID, rows, 2, &options, &same, &where, &err), 0);
	ck_assert_msg(same == !to[_i].why, "%s", where.why);
	if (to[_i].why) {
		ck_assert_ptr_nonnull(strstr(where.why, to[_i].why));
		ck_assert_int_eq(where.seq, 3);
		ck_assert_int_eq(where.index, 1);
	}
	replay_divergence_release(&where);
	play_end(&play);
}
END_TEST

/* In one row: an answer is ignored while the probe is awaited, and the saga turns round. */
START_TEST(test_replay__what_is_out_stays_out_when_another_answer_is_ignored)
{
	static const char *const yaml =
		"saga: order\nparticipants: {svc: {}}\nsteps:\n"
		"  - {id: a, command: {to: svc, type: A}, timeout: 1m, retry: {initial_interval: 1s},"
		" probe: {command: {to: svc, type: AskA}}, compensate: {command: {to: svc, type: UnA}}}\n";
	CLEANUP(free_p) char *merged = NULL;
	struct outcome_of outcome;
	struct play play;
	char *first, *second;

	play_begin(&play, yaml, "{}", false);
	play_published(&play, 0, -1, CALL_DO, CALL_PUBLISHED);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_UNKNOWN, NULL, NULL, NULL);
	play_wait(&play, 10000);
	ck_assert(saga_state_action(play.state, 0, -1)->run.asked);
	play_reply(&play, 0, -1, CALL_DO, 0, OUTCOME_UNKNOWN, NULL, NULL, NULL);
	ck_assert_int_eq(play_act(&play, "{\"act\":\"cancel\",\"reason\":\"no\"}"), 0);
	ck_assert(play.state->failing);
	ck_assert(saga_state_action(play.state, 0, -1)->run.asked);
	first = play.rows[play.n_rows - 2].text;
	second = play.rows[play.n_rows - 1].text;
	ck_assert_ptr_nonnull(strstr(first, "ReplyIgnored"));
	merged = xasprintf("%.*s,%s", (int)strlen(first) - 1, first, second + 1);
	play.rows[play.n_rows - 2].text = merged;
	play.n_rows--;
	outcome = replayed(&play, yaml, false);
	ck_assert_msg(outcome.same, "%s", outcome.where.why);
	replay_divergence_release(&outcome.where);
	play.rows[play.n_rows - 1].text = first;
	play.n_rows++;
	play_end(&play);
}
END_TEST

/* After a restart its probe did not know, which the history does not tell: it is not asked again.
 */
START_TEST(test_replay__what_was_asked_after_a_restart_is_given_up)
{
	static const char *const yaml =
		"saga: order\nparticipants: {svc: {}}\nsteps:\n"
		"  - {id: a, needs: [], http: {to: svc, method: PUT, path: /a},"
		" probe: {http: {to: svc, method: GET, path: /a}},"
		" compensate: {http: {to: svc, method: DELETE, path: /a}}}\n"
		"  - {id: b, needs: [], repeat: {until: '${output.done}', max: 1},"
		" http: {to: svc, method: PUT, path: /b},"
		" compensate: {http: {to: svc, method: DELETE, path: /b}}}\n";
	struct outcome_of outcome;
	struct play play;

	play_begin(&play, yaml, "{}", false);
	play_restart(&play);
	play_answer(&play, 0, -1, CALL_PROBE_DO, 503, NULL);
	/* It turns round by itself, and the undo of a has to wait. */
	play_answer(&play, 1, 0, CALL_DO, 200, "{\"done\":false}");
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.status, EXEC_GAVE_UP);
	ck_assert_int_eq(saga_state_action(play.state, 0, -1)->comp, COMP_ARMED);
	outcome = replayed(&play, yaml, false);
	ck_assert_msg(outcome.same, "%s", outcome.where.why);
	replay_divergence_release(&outcome.where);
	play_end(&play);
}
END_TEST

/* Its request names the version of its parent. */
START_TEST(test_replay__a_block_stays_with_the_version_that_started_it)
{
	static const char yaml[] = HEAD "  - {id: block, steps: [{id: a, set: 1}]}\n" C;
	struct outcome_of outcome;
	struct play play;

	play_begin(&play, yaml, "{}", false);
	outcome = replayed(&play, yaml, false);
	ck_assert_msg(outcome.same, "%s", outcome.where.why);
	replay_divergence_release(&outcome.where);
	play_end(&play);
}
END_TEST

/* A start that was never sent is in doubt after a restart, and is not given up with the saga. */
START_TEST(test_replay__a_child_whose_start_is_in_doubt_after_a_restart)
{
	static const char yaml[] = HEAD "  - {id: block, steps: [{id: a, set: 1}]}\n" C;

	for (int restarts = 0; restarts < 2; restarts++) {
		struct outcome_of outcome;
		struct play play;

		play_begin(&play, yaml, "{}", false);
		play_published(&play, 0, -1, CALL_DO, CALL_NOT_CONNECTED);
		ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.status, EXEC_BACKING_OFF);
		if (restarts)
			play_restart(&play);
		ck_assert_int_eq(play_act(&play, "{\"act\":\"compensate\",\"reason\":\"no\"}"), 0);
		ck_assert(play.state->failing);
		ck_assert_int_eq(saga_state_action(play.state, 0, -1)->run.status,
						 restarts ? EXEC_BACKING_OFF : EXEC_FAILED);
		outcome = replayed(&play, yaml, false);
		ck_assert_msg(outcome.same, "%s", outcome.where.why);
		replay_divergence_release(&outcome.where);
		play_end(&play);
	}
}
END_TEST

START_TEST(test_replay__what_is_no_history_is_refused)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = definition_must_load(HEAD A);
	struct replay_row row = {7, PLAY_STARTS_AT, "{}", 2};
	struct replay_options options = {0};
	struct replay_divergence where;
	struct err err;
	bool same;

	ck_assert_int_eq(saga_replay(def, PLAY_ID, &row, 1, &options, &same, &where, &err),
					 ERR_INVALID);
	ck_assert_str_eq(err.text, "row 7: a history row must be a list of events");
	row.events = "[{\"n\":3,\"type\":\"StepCompleted\",\"step\":\"a\"}]";
	row.len = strlen(row.events);
	ck_assert_int_eq(saga_replay(def, PLAY_ID, &row, 1, &options, &same, &where, &err),
					 ERR_INVALID);
	ck_assert_str_eq(err.text, "row 7: a history begins with SagaStarted, once");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tcase = tcase_create("replay");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_replay__histories_of_version_1_are_decided_as_they_were);
	tcase_add_test(tcase, test_replay__the_same_definition_decides_the_same);
	tcase_add_test(tcase, test_replay__what_was_not_reached_may_change);
	tcase_add_test(tcase, test_replay__another_request_is_seen);
	tcase_add_test(tcase, test_replay__another_undo_is_seen);
	tcase_add_test(tcase, test_replay__an_undo_that_is_gone_is_seen);
	tcase_add_test(tcase, test_replay__a_step_between_is_seen);
	tcase_add_test(tcase, test_replay__a_step_that_is_gone_is_seen);
	tcase_add_test(tcase, test_replay__a_step_more_at_the_end_is_seen);
	tcase_add_test(tcase, test_replay__a_failure_that_would_be_tolerated_is_seen);
	tcase_add_test(tcase, test_replay__other_numbers_of_attempts_are_seen);
	tcase_add_test(tcase, test_replay__another_order_of_the_way_back_is_seen);
	tcase_add_test(tcase, test_replay__times_count_if_they_are_to);
	tcase_add_loop_test(tcase, test_replay__begins_with_the_present_run, 0, 4);
	tcase_add_test(tcase, test_replay__what_is_out_stays_out_when_another_answer_is_ignored);
	tcase_add_test(tcase, test_replay__what_was_asked_after_a_restart_is_given_up);
	tcase_add_test(tcase, test_replay__a_block_stays_with_the_version_that_started_it);
	tcase_add_test(tcase, test_replay__a_child_whose_start_is_in_doubt_after_a_restart);
	tcase_add_test(tcase, test_replay__what_is_no_history_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
