/* Acts as data: words, members, and their JSON there and back. */
#include "sagas/act.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_act__words_are_read_back)
{
	for (int i = 0; i < ACT_KIND_COUNT; i++) {
		bool of_step = act_is_of_step((enum act_kind)i);

		ck_assert_int_eq(act_kind_parse(act_kind_text((enum act_kind)i), of_step), i);
	}
	ck_assert_int_eq(act_kind_parse("retry", false), ACT_RETRY);
	ck_assert_int_eq(act_kind_parse("retry", true), ACT_STEP_RETRY);
	ck_assert_int_eq(act_kind_parse("skip", false), -1);
	ck_assert_int_eq(act_kind_parse("cancel", true), -1);
}
END_TEST

static const char *const whole[] = {
	"{\"act\":\"cancel\",\"id\":\"b-1\",\"by\":\"ann\",\"reason\":\"told to\"}",
	"{\"act\":\"terminate\"}",
	"{\"act\":\"pause\",\"reason\":\"a moment\"}",
	"{\"act\":\"resume\"}",
	"{\"act\":\"compensate\"}",
	"{\"act\":\"retry\"}",
	"{\"act\":\"retry\",\"from\":\"charge\"}",
	"{\"act\":\"reset\",\"to\":12}",
	"{\"act\":\"signal\",\"signal\":\"approved\",\"value\":{\"by\":[\"bo\",null]}}",
	"{\"act\":\"signal\",\"signal\":\"go\"}",
	"{\"act\":\"note\",\"reason\":\"looked at it\"}",
	"{\"act\":\"owner\",\"owner\":\"ann\"}",
	"{\"act\":\"owner\"}",
	"{\"act\":\"retry\",\"step\":\"charge\",\"item\":0}",
	"{\"act\":\"retry\",\"step\":\"charge\",\"compensation\":true,\"request\":{\"path\":\"/x\","
	"\"headers\":{\"X-A\":\"1\"},\"body\":{\"a\":19.99}}}",
	"{\"act\":\"skip\",\"step\":\"charge\",\"output\":null}",
	"{\"act\":\"complete\",\"step\":\"charge\",\"item\":7,\"reply\":{\"id\":1}}",
	"{\"act\":\"fail\",\"step\":\"charge\",\"code\":\"gone\",\"message\":\"it is gone\"}",
	"{\"act\":\"resolve\",\"step\":\"charge\",\"output\":1,\"outcome\":\"happened\"}",
	"{\"act\":\"resolve\",\"step\":\"charge\",\"compensation\":true,\"outcome\":\"probe\"}",
};

START_TEST(test_act__goes_through_json_unchanged)
{
	json_t *json = json_loads(whole[_i], 0, NULL), *again;
	struct act act;
	struct err err;

	ck_assert_ptr_nonnull(json);
	ck_assert_msg(act_from_json(json, &act, &err) == 0, "%s: %s", err.place, err.text);
	again = act_json(&act);
	ck_assert_msg(json_equal(json, again), "%s", json_dumps(again, JSON_COMPACT));
	json_decref(again);
	json_decref(json);
	act_release(&act);
}
END_TEST

static const struct {
	const char *json, *place;
} wrong[] = {
	{"[]", "/act"},
	{"{}", "/act"},
	{"{\"act\":7}", "/act"},
	{"{\"act\":\"dance\"}", "/act"},
	{"{\"act\":\"skip\"}", "/act"},
	{"{\"act\":\"cancel\",\"step\":\"a\"}", "/act"},
	{"{\"act\":\"cancel\",\"output\":1}", "/output"},
	{"{\"act\":\"pause\",\"reason\":7}", "/reason"},
	{"{\"act\":\"pause\",\"to\":7}", "/to"},
	{"{\"act\":\"note\"}", "/reason"},
	{"{\"act\":\"note\",\"reason\":\"\"}", "/reason"},
	{"{\"act\":\"reset\"}", "/to"},
	{"{\"act\":\"reset\",\"to\":0}", "/to"},
	{"{\"act\":\"reset\",\"to\":\"3\"}", "/to"},
	{"{\"act\":\"signal\"}", "/signal"},
	{"{\"act\":\"retry\",\"step\":\"\\u0000\"}", NULL},
	{"{\"act\":\"retry\",\"step\":7}", "/step"},
	{"{\"act\":\"retry\",\"step\":null}", "/step"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"item\":-1}", "/item"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"item\":1000}", "/item"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"from\":\"b\"}", "/from"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"compensation\":1}", "/compensation"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{}}", "/request"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"method\":\"GET\"}}", "/request"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"path\":\"\"}}", "/request"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"headers\":[\"a\"]}}", "/request"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"headers\":{\"a:\":\"b\"}}}", "/request"},
	{"{\"act\":\"retry\",\"step\":\"a\",\"request\":{\"headers\":{\"a\":\"b\\r\\nc: d\"}}}",
	 "/request"},
	{"{\"act\":\"complete\",\"step\":\"a\",\"output\":1,\"reply\":1}", "/reply"},
	{"{\"act\":\"skip\",\"step\":\"a\",\"reply\":1}", "/reply"},
	{"{\"act\":\"resolve\",\"step\":\"a\"}", "/outcome"},
	{"{\"act\":\"resolve\",\"step\":\"a\",\"outcome\":\"maybe\"}", "/outcome"},
	{"{\"act\":\"resolve\",\"step\":\"a\",\"outcome\":\"probe\",\"output\":1}", "/output"},
	{"{\"act\":\"owner\",\"signal\":\"x\"}", "/signal"},
};

START_TEST(test_act__refuses_what_is_none_and_says_where)
{
	json_t *json = json_loads(wrong[_i].json, JSON_ALLOW_NUL, NULL);
	struct act act;
	struct err err = {0};

	ck_assert_ptr_nonnull(json);
	if (!wrong[_i].place) {
		/* A NUL ends the text; such a step does not exist. */
		ck_assert_int_eq(act_from_json(json, &act, &err), 0);
		act_release(&act);
	} else {
		ck_assert_int_eq(act_from_json(json, &act, &err), ERR_INVALID);
		ck_assert_str_eq(err.place, wrong[_i].place);
		ck_assert_int_ne(err.text[0], '\0');
	}
	json_decref(json);
}
END_TEST

START_TEST(test_act__has_limits)
{
	CLEANUP(free_p) char *text = xcalloc(ACT_BODY_MAX_BYTES + 2, 1);
	json_t *body = json_object();
	struct act act;
	struct err err;

	memset(text, 'x', ACT_REASON_MAX_BYTES + 1);
	json_object_set_new(body, "reason", json_string(text));
	act_init(&act, ACT_SIGNAL);
	ck_assert_int_eq(act_read(&act, body, &err), ERR_INVALID);
	json_object_set_new(body, "reason", json_string(text + 1));
	ck_assert_int_eq(act_read(&act, body, &err), 0);
	memset(text, 'x', ACT_BODY_MAX_BYTES + 1);
	json_object_set_new(body, "value", json_string(text));
	ck_assert_int_eq(act_read(&act, body, &err), ERR_LIMIT);
	json_decref(body);
	act_release(&act);
}
END_TEST

START_TEST(test_act__a_body_has_not_what_its_path_says)
{
	json_t *body = json_pack("{s:s}", "step", "a");
	struct act act;
	struct err err;

	act_init(&act, ACT_STEP_SKIP);
	act.step = xstrdup("b");
	ck_assert_int_eq(act_read(&act, body, &err), ERR_INVALID);
	ck_assert_str_eq(err.place, "/step");
	ck_assert_int_eq(act_read(&act, NULL, &err), 0);
	ck_assert_str_eq(act.step, "b");
	act_release(&act);
	json_decref(body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("act");
	TCase *tc = tcase_create("act");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_act__words_are_read_back);
	tcase_add_loop_test(tc, test_act__goes_through_json_unchanged, 0, ARRAY_SIZE(whole));
	tcase_add_loop_test(tc, test_act__refuses_what_is_none_and_says_where, 0, ARRAY_SIZE(wrong));
	tcase_add_test(tc, test_act__has_limits);
	tcase_add_test(tc, test_act__a_body_has_not_what_its_path_says);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
