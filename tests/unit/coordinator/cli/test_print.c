/* Tables, YAML, and sagas in words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/yaml.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/saga_text.h"
#include "sagas/json_text.h"

static char text[65536];
static FILE *out;

static void setup(void)
{
	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text), "w");
}

static void teardown(void)
{
	if (out)
		fclose(out);
	out = NULL;
}

static const char *written(void)
{
	fclose(out);
	out = NULL;
	return text;
}

static json_t *json(const char *source)
{
	json_t *value = NULL;
	struct err err = {0};
	int r = json_parse(source, strlen(source), &value, &err);

	ck_assert_msg(r == 0, "%s: %s", source, err.text);
	return value;
}

START_TEST(test_print__table_is_aligned_by_characters)
{
	struct table table;

	table_init(&table, "A", "B", (char *)NULL);
	table_add(&table, "größer", "x");
	table_add(&table, NULL, "");
	table_print(&table, false, out);
	table_release(&table);
	ck_assert_str_eq(written(), "A       B\n"
								"größer  x\n"
								"-       -\n");
}
END_TEST

START_TEST(test_print__color_is_only_for_words_of_state)
{
	struct table table;

	table_init(&table, "STATUS", (char *)NULL);
	table_add(&table, "completed");
	table_add(&table, "o-1");
	table_print(&table, true, out);
	table_release(&table);
	ck_assert_str_eq(written(), "STATUS\n\033[32mcompleted\033[0m\no-1\n");
}
END_TEST

/* What is written reads back as the same value. */
START_TEST(test_print__yaml_reads_back)
{
	static const char *const values[] = {
		"{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":{},\"e\":[]}",
		"[[1,2],[],[[3]],{\"a\":[{\"b\":1,\"c\":2}]}]",
		"{\"s\":\"true\",\"n\":\"12\",\"e\":\"\",\"m\":\"a: b # c\",\"l\":\"x\\ny\",\"k y\":\"-\"}",
		"{\"yes\":\"no\",\"null\":\"~\",\"at\":\"2026-01-01T00:00:00Z\",\"p\":\"${a}\",\"q\":"
		"\"\\\"\"}",
		"{\"f\":19.99,\"g\":-0.5,\"h\":9007199254740993,\"t\":true,\"u\":\"ünï\"}",
		"\"text\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		CLEANUP(json_decref_p) json_t *value = json(values[i]);
		CLEANUP(json_decref_p) json_t *back = NULL;
		CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
		struct findings findings = {0};
		int r;

		if (!out)
			setup();
		yaml_write(value, out);
		written();
		r = yaml_read(text, strlen(text), &back, places, &findings);
		ck_assert_msg(r == 0, "%s became\n%s\nwhich does not read: %s", values[i], text,
					  findings.n ? findings.list[0].text : "");
		ck_assert_msg(json_equal(value, back), "%s became\n%s", values[i], text);
		findings_release(&findings);
	}
}
END_TEST

START_TEST(test_print__ledger_shows_action_and_undo_in_one_row)
{
	CLEANUP(json_decref_p)
	json_t *saga = json(
		"{\"id\":\"s-1\",\"saga\":\"order\",\"version\":2,\"status\":\"compensating\","
		"\"summary\":\"Undoing.\",\"key\":\"o-1\",\"started_at\":\"2026-01-31T23:59:59.123Z\","
		"\"steps\":[{\"id\":\"reserve\",\"status\":\"completed\",\"actions\":["
		"{\"item\":0,\"status\":\"completed\",\"attempts\":1,\"compensation\":{\"status\":\"done\","
		"\"attempts\":1}},"
		"{\"item\":1,\"status\":\"completed\",\"attempts\":2,\"compensation\":{\"status\":"
		"\"backing_off\",\"attempts\":3,\"error\":{\"code\":\"busy\",\"message\":\"later\"},"
		"\"next_at\":\"2026-02-01T00:00:09.000Z\"}}]},"
		"{\"id\":\"charge\",\"status\":\"failed\",\"actions\":[{\"status\":\"failed\","
		"\"attempts\":1,\"error\":{\"code\":\"declined\",\"message\":\"no\"},\"compensation\":{"
		"\"status\":\"not_armed\"}}]},"
		"{\"id\":\"ship\",\"status\":\"pending\",\"actions\":[]}]}");

	saga_text_ledger(saga, false, out);
	ck_assert_str_eq(
		written(),
		"order      s-1  (version 2)\n"
		"status     compensating\n"
		"           Undoing.\n"
		"key        o-1\n"
		"started    2026-01-31 23:59:59\n"
		"\n"
		"ACTION      STATUS     TRIES  COMPENSATION  TRIES  OWED  NOTE\n"
		"reserve[0]  completed  1      done          1      -     -\n"
		"reserve[1]  completed  2      backing_off   3      undo  undo: busy: later; next at "
		"2026-02-01 00:00:09\n"
		"charge      failed     1      -             -      -     declined: no\n"
		"ship        pending    -      -             -      -     -\n");
}
END_TEST

/* What is owed depends on where the saga stands. */
START_TEST(test_print__ledger_says_what_is_owed)
{
	static const struct {
		const char *saga, *undo, *owed;
	} cases[] = {
		{"running", "armed", "undo, if it fails"},
		{"compensating", "armed", "undo"},
		{"compensating", "running", "undo"},
		{"compensation_failed", "failed", "a person's decision"},
		{"terminated", "armed", "not undone"},
		{"completed", "released", "-"},
		{"compensated", "done", "-"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_p)
		char *source = xasprintf("{\"id\":\"s\",\"status\":\"%s\",\"steps\":[{\"id\":\"a\","
								 "\"actions\":[{\"status\":\"completed\",\"attempts\":1,"
								 "\"compensation\":{\"status\":\"%s\"}}]}]}",
								 cases[i].saga, cases[i].undo);
		CLEANUP(free_p) char *expected = xasprintf("  %-4s  -\n", cases[i].owed);
		CLEANUP(json_decref_p) json_t *saga = json(source);

		if (!out)
			setup();
		saga_text_ledger(saga, false, out);
		ck_assert_msg(strstr(written(), expected) != NULL, "%s, %s:\n%s", cases[i].saga,
					  cases[i].undo, text);
	}
}
END_TEST

START_TEST(test_print__events_are_one_line_each)
{
	static const struct {
		const char *event, *line;
	} cases[] = {
		{"{\"type\":\"StepScheduled\",\"step\":\"reserve\",\"item\":2,\"request\":{\"to\":"
		 "\"stock\","
		 "\"method\":\"PUT\",\"path\":\"/a\"},\"deadline_at\":1}",
		 "   3  23:59:59.123  StepScheduled              reserve[2]      PUT stock /a\n"},
		{"{\"type\":\"StepFailed\",\"step\":\"charge\",\"status\":422,\"code\":\"declined\","
		 "\"message\":\"no\",\"ambiguous\":true}",
		 "   3  23:59:59.123  StepFailed                 charge          status 422, declined: no, "
		 "it may have taken effect\n"},
		{"{\"type\":\"SagaCancelRequested\",\"by\":\"ada\",\"reason\":\"why not\"}",
		 "   3  23:59:59.123  SagaCancelRequested                        by ada, why not\n"},
		{"{\"type\":\"StepScheduled\",\"step\":\"hold\",\"request\":{\"kind\":\"command\",\"to\":"
		 "\"credit\",\"type\":\"Reserve\"}}",
		 "   3  23:59:59.123  StepScheduled              hold            command Reserve to "
		 "credit\n"},
		{"{\"type\":\"StepScheduled\",\"step\":\"tell\",\"request\":{\"kind\":\"emit\",\"topic\":"
		 "\"orders\",\"type\":\"OrderPlaced\"}}",
		 "   3  23:59:59.123  StepScheduled              tell            emit OrderPlaced to "
		 "orders\n"},
		{"{\"type\":\"StepScheduled\",\"step\":\"paid\",\"value\":{\"topic\":\"payments\","
		 "\"expect\":"
		 "\"o-1\"}}",
		 "   3  23:59:59.123  StepScheduled              paid            awaits payments with "
		 "o-1\n"},
		{"{\"type\":\"StepScheduled\",\"step\":\"pack\",\"request\":{\"kind\":\"task\","
		 "\"queue\":\"packing\"}}",
		 "   3  23:59:59.123  StepScheduled              pack            task in packing\n"},
		{"{\"type\":\"StepScheduled\",\"step\":\"ship\",\"request\":{\"kind\":\"child\",\"to\":"
		 "\"shipment\"}}",
		 "   3  23:59:59.123  StepScheduled              ship            saga shipment\n"},
		{"{\"type\":\"ActTaken\",\"name\":\"signal\",\"by\":\"ann\",\"value\":{\"signal\":\"paid\"}"
		 "}",
		 "   3  23:59:59.123  ActTaken                                   signal, paid, by ann\n"},
		{"{\"type\":\"SagaCompleted\"}", "   3  23:59:59.123  SagaCompleted\n"},
		{"{\"type\":\"StepSettled\",\"step\":\"reserve\"}",
		 "   3  23:59:59.123  StepSettled                reserve\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(json_decref_p) json_t *event = json(cases[i].event);

		if (!out)
			setup();
		saga_text_event(event, "2026-01-31T23:59:59.123Z", 3, false, out);
		ck_assert_str_eq(written(), cases[i].line);
	}
}
END_TEST

START_TEST(test_print__what_a_participant_says_cannot_steer_the_terminal)
{
	CLEANUP(json_decref_p)
	json_t *event = json("{\"type\":\"StepFailed\",\"step\":\"a\",\"code\":\"x\","
						 "\"message\":\"\\u001b]0;owned\\u0007\\nnew line\\u009b2J\"}");

	saga_text_event(event, "2026-01-31T23:59:59.123Z", 3, false, out);
	written();
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_null(strchr(text, '\a'));
	ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(test_print__a_word_is_quoted_for_the_shell_where_it_must_be)
{
	static const char *const words[][2] = {
		{"skald", "skald"},   {"/opt/a-b_1.2/skald", "/opt/a-b_1.2/skald"},
		{"", "''"},           {"/a b/skald", "'/a b/skald'"},
		{"a'b", "'a'\\''b'"}, {"$(x);~*", "'$(x);~*'"}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		CLEANUP(free_p) char *word = shell_text(words[i][0]);

		ck_assert_str_eq(word, words[i][1]);
	}
}
END_TEST

START_TEST(test_print__history_rows_become_flat_events)
{
	CLEANUP(json_decref_p)
	json_t *rows = json("[{\"seq\":1,\"at\":\"t1\",\"events\":[{\"type\":\"A\"},{\"type\":\"B\"}]},"
						"{\"seq\":2,\"at\":\"t2\",\"events\":[{\"type\":\"C\"}]}]");
	CLEANUP(json_decref_p) json_t *flat = saga_text_flatten(rows);
	CLEANUP(json_decref_p)
	json_t *expected = json("[{\"seq\":1,\"at\":\"t1\",\"type\":\"A\"},"
							"{\"seq\":1,\"at\":\"t1\",\"type\":\"B\"},"
							"{\"seq\":2,\"at\":\"t2\",\"type\":\"C\"}]");

	ck_assert(json_equal(flat, expected));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("print");
	TCase *tc = tcase_create("print");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_print__table_is_aligned_by_characters);
	tcase_add_test(tc, test_print__color_is_only_for_words_of_state);
	tcase_add_test(tc, test_print__yaml_reads_back);
	tcase_add_test(tc, test_print__ledger_shows_action_and_undo_in_one_row);
	tcase_add_test(tc, test_print__ledger_says_what_is_owed);
	tcase_add_test(tc, test_print__events_are_one_line_each);
	tcase_add_test(tc, test_print__what_a_participant_says_cannot_steer_the_terminal);
	tcase_add_test(tc, test_print__a_word_is_quoted_for_the_shell_where_it_must_be);
	tcase_add_test(tc, test_print__history_rows_become_flat_events);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
