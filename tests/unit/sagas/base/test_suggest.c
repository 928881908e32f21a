/* Suggestions for words that are not known. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "sagas/base/suggest.h"

static const char *const words[] = {"charge", "reserve", "ship", "confirm", "input", "id"};

static const struct {
	const char *word;
	const char *best;
} cases[] = {
	{"chrage", "charge"},    {"charg", "charge"}, {"Ship", "ship"}, {"inptu", "input"},
	{"reserves", "reserve"}, {"ie", "id"},        {"xyz", NULL},    {"", NULL},
	{"refund", NULL},        {"conf", "confirm"},
};

START_TEST(test_suggest__finds_the_nearest_word_or_none)
{
	const char *best = suggest_from(cases[_i].word, words, ARRAY_SIZE(words));

	if (cases[_i].best)
		ck_assert_str_eq(best, cases[_i].best);
	else
		ck_assert_ptr_null(best);
}
END_TEST

START_TEST(test_suggest__survives_long_words)
{
	char word[300];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ck_assert_ptr_null(suggest_from(word, words, ARRAY_SIZE(words)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suggest");
	TCase *tc = tcase_create("suggest");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_suggest__finds_the_nearest_word_or_none, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, test_suggest__survives_long_words);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
