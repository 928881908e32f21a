#include "sagas/regex.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *pattern, *text;
	bool found;
} searches[] = {
	{"^a+b*$", "aab", true},
	{"^a+b*$", "b", false},
	{"^(a|bc)*$", "abcbca", true},
	{"^(a|bc)*$", "abcb", false},
	{"^\\d{3}-\\d{4}$", "555-1234", true},
	{"^\\d{3}-\\d{4}$", "555-123", false},
	{"^[^a-c]+$", "xyz", true},
	{"^[^a-c]+$", "xbz", false},
	{"b", "abc", true},
	{"^$", "", true},
	{"", "abc", true},
	{"^(a|b|c|d)$", "d", true},
	{"^(a|b|c|d)$", "e", false},
	{"^(?:x{2,3})$", "xx", true},
	{"^(?:x{2,3})$", "xxxx", false},
	{"^x{2,}$", "xxxxx", true},
	{"^(?<year>[0-9]{4})$", "2026", true},
	{"^.$", "\xc3\xa9", true},
	{"^\\u00e9$", "\xc3\xa9", true},
	{"^[\\w.-]+$", "a-b.c_d", true},
	{"^\\D+$", "ab1", false},
	{"\\S", "  ", false},
	{"^x{0}$", "", true},
	{"^(ab){2}$", "aba", false},
	{"(^a|b$)", "xxb", true},
	{"(^a|b$)", "bx", false},
	{"^[\\]\\-a]+$", "]-a", true},
	/* The classic that takes a backtracking matcher for ever. */
	{"^(a*)*$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
};

START_TEST(test_regex__finds)
{
	CLEANUP(regex_free_p) struct regex *regex = NULL;
	struct err err;
	bool found;

	ck_assert_int_eq(regex_compile(searches[_i].pattern, &regex, &err), 0);
	ck_assert_int_eq(
		regex_search(regex, searches[_i].text, strlen(searches[_i].text), &found, &err), 0);
	ck_assert_msg(found == searches[_i].found, "%s in %s", searches[_i].pattern, searches[_i].text);
}
END_TEST

static const char *const refused[] = {
	"(",
	"a)",
	"[a",
	"*a",
	"a{2",
	"a{3,2}",
	"(?=a)",
	"(?<!a)",
	"\\1",
	"\\bword",
	"\\",
	"[z-a]",
	"(((a{1000}){1000}))",
	"^*",
	"\\x1",
	"a{2000}",
};

START_TEST(test_regex__refuses)
{
	struct regex *regex;
	struct err err;

	ck_assert_int_lt(regex_compile(refused[_i], &regex, &err), 0);
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(test_regex__limits_the_work)
{
	CLEANUP(regex_free_p) struct regex *regex = NULL;
	CLEANUP(free_p) char *text = xcalloc(1, 1000 * 1000 + 1);
	struct err err;
	bool found;

	memset(text, 'a', 1000 * 1000);
	ck_assert_int_eq(regex_compile("^(a{1,500})+$", &regex, &err), 0);
	ck_assert_int_eq(regex_search(regex, text, 1000 * 1000, &found, &err), ERR_LIMIT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("regex");
	TCase *tc = tcase_create("regex");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_regex__finds, 0, ARRAY_SIZE(searches));
	tcase_add_loop_test(tc, test_regex__refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, test_regex__limits_the_work);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
