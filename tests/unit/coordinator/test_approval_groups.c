/* Who is in which group: what the configuration says of it, and whose word is taken. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/approval_groups.h"
#include "coordinator/config.h"
#include "sagas/base/macros.h"

static struct config config;
static struct findings findings;

static void setup(void)
{
	config_init(&config);
	findings = (struct findings){0};
}

static void teardown(void)
{
	config_release(&config);
	findings_release(&findings);
}

static void read_text(const char *text)
{
	config_read_text(&config, text, strlen(text), &findings);
}

static void expect_groups(const char *person, const char *claimed, const char *expected)
{
	json_t *list = claimed ? json_loads(claimed, 0, NULL) : NULL;
	json_t *groups = approval_groups_of(config.approval_groups, person, list);
	char *text = json_dumps(groups, JSON_COMPACT);

	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(groups);
	json_decref(list);
}

START_TEST(test_approval_groups__are_those_of_the_configuration)
{
	read_text("approvals:\n  groups:\n    sales: [ann, \"zo\xc3\xab\"]\n    heads: [hal, ann]\n");
	ck_assert_uint_eq(findings.n, 0);
	ck_assert(approval_group_is_known(config.approval_groups, "sales"));
	ck_assert(!approval_group_is_known(config.approval_groups, "stock"));
	ck_assert(approval_group_has(config.approval_groups, "heads", "hal"));
	ck_assert(!approval_group_has(config.approval_groups, "sales", "hal"));
	ck_assert(!approval_group_has(config.approval_groups, "stock", "hal"));
	expect_groups("ann", NULL, "[\"sales\",\"heads\"]");
	expect_groups("zo\xc3\xab", "[]", "[\"sales\"]");
	expect_groups("eve", NULL, "[]");
}
END_TEST

/* The word of who calls is taken of groups that nobody has configured, and of no others. */
START_TEST(test_approval_groups__do_not_believe_what_they_know_better)
{
	read_text("approvals: {groups: {sales: [ann]}}\n");
	expect_groups("eve", "[\"sales\",\"north\",7]", "[\"north\"]");
	expect_groups("ann", "[\"sales\",\"north\"]", "[\"sales\",\"north\"]");
}
END_TEST

START_TEST(test_approval_groups__without_any_take_every_word)
{
	read_text("approvals:\n");
	ck_assert_uint_eq(findings.n, 0);
	expect_groups("eve", "[\"sales\"]", "[\"sales\"]");
}
END_TEST

START_TEST(test_approval_groups__of_the_environment_win)
{
	char *const environment[] = {(char *)"SKALD_APPROVALS__GROUPS__SALES=bob , cid,,dan",
								 (char *)"SKALD_APPROVALS__GROUPS__EMPTY=",
								 (char *)"SKALD_APPROVALS__GROUPS__THE_HEADS=ida", NULL};

	read_text("approvals: {groups: {sales: [ann], heads: [hal], the-heads: [hal]}}\n");
	config_read_environment(&config, environment, &findings);
	ck_assert_uint_eq(findings.n, 0);
	expect_groups("ann", NULL, "[]");
	expect_groups("bob", NULL, "[\"sales\"]");
	expect_groups("dan", NULL, "[\"sales\"]");
	expect_groups("hal", NULL, "[\"heads\"]");
	expect_groups("ida", NULL, "[\"the-heads\"]");
	/* It is known, and nobody is in it. */
	expect_groups("bob", "[\"empty\"]", "[\"sales\"]");
}
END_TEST

START_TEST(test_approval_groups__say_what_is_wrong)
{
	static const struct {
		const char *text, *pointer, *says;
	} wrong[] = {
		{"approvals: {group: {sales: [ann]}}\n", "/approvals/group", "did you mean `groups`"},
		{"approvals: {groups: [sales]}\n", "/approvals/groups", "lists of persons"},
		{"approvals: {groups: {sales: {ann: 1}}}\n", "/approvals/groups/sales", "list of names"},
		{"approvals: {groups: {sales: [7]}}\n", "/approvals/groups/sales", "list of names"},
		{"approvals: {groups: {sales: [\"\"]}}\n", "/approvals/groups/sales", "1 to 200 bytes"},
		{"approvals: 7\n", "/approvals", "keys with values"},
		{"approval: {}\n", "/approval", "did you mean `approvals`"},
	};
	char *const environment[] = {(char *)"SKALD_APPROVALS__SALES=ann", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		read_text(wrong[i].text);
		ck_assert_uint_eq(findings.n, 1);
		ck_assert_str_eq(findings.list[0].pointer, wrong[i].pointer);
		ck_assert_msg(strstr(findings.list[0].text, wrong[i].says) != NULL, "%s: %s", wrong[i].text,
					  findings.list[0].text);
		teardown();
		setup();
	}
	config_read_environment(&config, environment, &findings);
	ck_assert_uint_eq(findings.n, 1);
}
END_TEST

/* What is printed reads as the same. */
START_TEST(test_approval_groups__are_printed_as_they_are_read)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct config again;
	const char *at;

	read_text("approvals: {groups: {\"a b\": [\"x: y\", ann], c: []}}\n");
	config_print(&config, out);
	fclose(out);
	at = strstr(text, "approvals:");
	ck_assert_ptr_nonnull(at);
	config_init(&again);
	config_read_text(&again, at, strlen(at), &findings);
	ck_assert_uint_eq(findings.n, 0);
	ck_assert(json_equal(again.approval_groups, config.approval_groups));
	config_release(&again);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("approval_groups");
	TCase *tc = tcase_create("approval_groups");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_approval_groups__are_those_of_the_configuration);
	tcase_add_test(tc, test_approval_groups__do_not_believe_what_they_know_better);
	tcase_add_test(tc, test_approval_groups__without_any_take_every_word);
	tcase_add_test(tc, test_approval_groups__of_the_environment_win);
	tcase_add_test(tc, test_approval_groups__say_what_is_wrong);
	tcase_add_test(tc, test_approval_groups__are_printed_as_they_are_read);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
