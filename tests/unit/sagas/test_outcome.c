#include "sagas/outcome.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/definition.h"

static struct saga_def *def;
static struct saga_state *state;

static void setup(void)
{
	def = definition_must_load(
		"saga: one\n"
		"participants: {svc: {outcome: {code: '${reply.body.code}', failure: [gone], unknown: "
		"[4xx]}}, other: {}}\n"
		"steps:\n"
		"  - {id: plain, http: {to: other, method: POST, path: /a}, compensate: none}\n"
		"  - id: rules\n"
		"    http: {to: svc, method: POST, path: /a}\n"
		"    compensate: {http: {to: other, method: DELETE, path: /a}}\n"
		"    outcome:\n"
		"      success: [409, 3xx]\n"
		"      ongoing: [202, \"${reply.body.state == 'busy'}\"]\n"
		"      failure: [200, weird]\n"
		"    probe: {http: {to: svc, method: GET, path: /a}, outcome: {absent: [404], failure: "
		"[lost]}}\n");
	state = saga_state_new(def, "0198c0de-7a31-7abc-bf11-223344556677");
}

static void teardown(void)
{
	saga_state_free(state);
	saga_def_unref(def);
}

static struct judgement judge(const struct action_def *act, int status, const char *body,
							  bool sent_before, bool is_probe)
{
	struct jval *value = body ? jval_from_text(xstrdup(body), strlen(body)) : NULL;
	struct input in = {
		.type = INPUT_REPLY, .result = CALL_ANSWERED, .http_status = status, .body = value};
	struct judgement judgement;
	struct env env;

	env_init(&env, state, 0, -1);
	env.has_reply = true;
	env.reply = &in;
	env.reply_body = value;
	outcome_judge(&in, act, &env, sent_before, is_probe, &judgement);
	env_release(&env);
	jval_unref(value);
	return judgement;
}

static const struct {
	int status;
	bool sent_before, is_probe;
	enum outcome outcome;
	bool answered;
} defaults[] = {
	{200, false, false, OUTCOME_SUCCESS, true},  {204, true, false, OUTCOME_SUCCESS, true},
	{299, false, true, OUTCOME_SUCCESS, true},   {301, false, false, OUTCOME_FAILURE, true},
	{400, false, false, OUTCOME_FAILURE, true},  {404, true, false, OUTCOME_FAILURE, true},
	{408, false, false, OUTCOME_UNKNOWN, false}, {409, false, false, OUTCOME_FAILURE, true},
	{409, true, false, OUTCOME_UNKNOWN, true},   {425, false, false, OUTCOME_UNKNOWN, true},
	{429, false, false, OUTCOME_UNKNOWN, true},  {500, false, false, OUTCOME_UNKNOWN, true},
	{501, false, false, OUTCOME_UNKNOWN, true},  {502, false, false, OUTCOME_UNKNOWN, false},
	{503, false, false, OUTCOME_UNKNOWN, false}, {504, false, false, OUTCOME_UNKNOWN, false},
	{404, false, true, OUTCOME_UNKNOWN, true},   {422, false, true, OUTCOME_UNKNOWN, true},
};

START_TEST(test_outcome__follows_the_built_in_rules)
{
	struct judgement judgement = judge(&def->steps[0].act, defaults[_i].status, NULL,
									   defaults[_i].sent_before, defaults[_i].is_probe);

	ck_assert_msg(judgement.outcome == defaults[_i].outcome, "status %d", defaults[_i].status);
	ck_assert(judgement.sent);
	ck_assert_msg(judgement.answered == defaults[_i].answered, "status %d", defaults[_i].status);
}
END_TEST

static const struct {
	int status;
	const char *body;
	enum outcome outcome;
	const char *code;
} rules[] = {
	{202, "{}", OUTCOME_ONGOING, "http_202"},
	{200, "{\"state\":\"busy\"}", OUTCOME_ONGOING, "http_200"}, /* expressions come first */
	{200, "{}", OUTCOME_FAILURE, "http_200"},
	{201, "{}", OUTCOME_SUCCESS, "http_201"}, /* no rule: the built-in one */
	{409, "{}", OUTCOME_SUCCESS, "http_409"},
	{302, "{}", OUTCOME_SUCCESS, "http_302"},
	{418, "{\"code\":\"weird\"}", OUTCOME_FAILURE, "weird"},
	{418, "{\"code\":\"gone\"}", OUTCOME_FAILURE, "gone"},   /* the participant's, and exact */
	{418, "{\"code\":\"other\"}", OUTCOME_UNKNOWN, "other"}, /* its class */
	{418, "{\"code\":17}", OUTCOME_UNKNOWN, "17"},
	{418, "{\"code\":\"\"}", OUTCOME_UNKNOWN, "http_418"},
	{418, "\"<html>\"", OUTCOME_UNKNOWN, "http_418"},
	{500, NULL, OUTCOME_UNKNOWN, "http_500"},
};

START_TEST(test_outcome__follows_the_rules_of_the_definition)
{
	struct judgement judgement =
		judge(&def->steps[1].act, rules[_i].status, rules[_i].body, false, false);

	ck_assert_msg(judgement.outcome == rules[_i].outcome, "%d %s gives %d", rules[_i].status,
				  rules[_i].body, judgement.outcome);
	ck_assert_str_eq(judgement.code, rules[_i].code);
}
END_TEST

START_TEST(test_outcome__of_a_probe_has_rules_of_its_own)
{
	const struct action_def *probe = &def->steps[1].act.probe->act;

	ck_assert_int_eq(judge(probe, 404, "{}", false, true).outcome, OUTCOME_ABSENT);
	ck_assert_int_eq(judge(probe, 400, "{\"code\":\"lost\"}", false, true).outcome,
					 OUTCOME_FAILURE);
	ck_assert_int_eq(judge(probe, 200, "{}", false, true).outcome, OUTCOME_SUCCESS);
	ck_assert_int_eq(judge(probe, 403, "{}", false, true).outcome, OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(test_outcome__of_an_undo_takes_gone_for_done)
{
	const struct action_def *undo = &def->steps[1].undo;

	ck_assert_int_eq(judge(undo, 404, NULL, false, false).outcome, OUTCOME_SUCCESS);
	ck_assert_int_eq(judge(undo, 410, NULL, false, false).outcome, OUTCOME_SUCCESS);
	ck_assert_int_eq(judge(undo, 403, NULL, false, false).outcome, OUTCOME_FAILURE);
}
END_TEST

START_TEST(test_outcome__of_what_was_not_answered_is_unknown)
{
	static const struct {
		enum call_result result;
		bool sent;
		const char *code;
	} cases[] = {
		{CALL_NOT_CONNECTED, false, "not_connected"},
		{CALL_BROKEN, true, "connection_broken"},
		{CALL_TIMED_OUT, true, "timeout"},
		{CALL_TOO_LARGE, true, "reply_too_large"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct input in = {.type = INPUT_REPLY, .result = cases[i].result, .error = "why"};
		struct judgement judgement;
		struct env env;

		env_init(&env, state, 0, -1);
		outcome_judge(&in, &def->steps[0].act, &env, false, false, &judgement);
		env_release(&env);
		ck_assert_int_eq(judgement.outcome, OUTCOME_UNKNOWN);
		ck_assert(judgement.sent == cases[i].sent && !judgement.answered);
		ck_assert_str_eq(judgement.code, cases[i].code);
		ck_assert_str_eq(judgement.message, "why");
	}
}
END_TEST

START_TEST(test_outcome__tells_the_participants_message)
{
	struct judgement judgement =
		judge(&def->steps[0].act, 400, "{\"message\":\"no such card\"}", false, false);

	ck_assert_str_eq(judgement.message, "answered with status 400: no such card");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outcome");
	TCase *tc = tcase_create("outcome");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_outcome__follows_the_built_in_rules, 0, ARRAY_SIZE(defaults));
	tcase_add_loop_test(tc, test_outcome__follows_the_rules_of_the_definition, 0,
						ARRAY_SIZE(rules));
	tcase_add_test(tc, test_outcome__of_a_probe_has_rules_of_its_own);
	tcase_add_test(tc, test_outcome__of_an_undo_takes_gone_for_done);
	tcase_add_test(tc, test_outcome__of_what_was_not_answered_is_unknown);
	tcase_add_test(tc, test_outcome__tells_the_participants_message);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
