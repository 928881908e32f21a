/* What differs between two versions of a definition. */
#include "sagas/def_diff.h"

#include <check.h>
#include <stdlib.h>

#include "sagas/base/macros.h"
#include "sagas/json_text.h"
#include "sagas/share.h"

static json_t *parse(const char *text)
{
	json_t *doc = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(doc);
	return doc;
}

static void expect_words(const char *from_text, const char *to_text, const char *expected)
{
	CLEANUP(json_decref_p) json_t *from = parse(from_text);
	CLEANUP(json_decref_p) json_t *to = parse(to_text);
	CLEANUP(json_decref_p) json_t *diff = def_diff(from, to);
	CLEANUP(buf_release) struct buf words;

	buf_init(&words, 0);
	def_diff_words(diff, &words);
	ck_assert_str_eq(buf_str(&words), expected);
	ck_assert_int_eq(json_is_true(json_object_get(diff, "same")), *expected == '\0');
}

START_TEST(test_def_diff__says_nothing_of_the_same)
{
	expect_words("{\"saga\":\"a\",\"steps\":[{\"id\":\"x\",\"set\":1}]}",
				 "{\"steps\":[{\"set\":1,\"id\":\"x\"}],\"saga\":\"a\"}", "");
}
END_TEST

START_TEST(test_def_diff__tells_steps_that_are_new_gone_and_changed)
{
	expect_words(
		"{\"steps\":[{\"id\":\"a\",\"set\":1},{\"id\":\"b\",\"http\":{\"path\":\"/"
		"1\",\"to\":\"s\"},"
		"\"timeout\":\"3s\"}]}",
		"{\"steps\":[{\"id\":\"b\",\"http\":{\"path\":\"/2\",\"to\":\"s\"},\"pivot\":true},"
		"{\"id\":\"c\",\"set\":1}]}",
		"- step a is gone\n"
		"+ step c is new, number 2\n"
		"~ step b\n"
		"    http.path: \"/1\" -> \"/2\"\n"
		"    timeout is gone, was \"3s\"\n"
		"    pivot is new: true\n");
}
END_TEST

START_TEST(test_def_diff__tells_as_few_moves_as_there_are)
{
	expect_words("{\"steps\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":\"d\"}]}",
				 "{\"steps\":[{\"id\":\"d\"},{\"id\":\"a\"},{\"id\":\"x\"},{\"id\":\"b\"},"
				 "{\"id\":\"c\"}]}",
				 "+ step x is new, number 3\n"
				 "~ step d is number 1, was number 4\n");
}
END_TEST

START_TEST(test_def_diff__looks_into_blocks_and_other_lists)
{
	expect_words("{\"steps\":[{\"id\":\"a\",\"steps\":[{\"id\":\"x\",\"set\":1}]}],"
				 "\"on_compensated\":[{\"id\":\"n\",\"set\":1}]}",
				 "{\"steps\":[{\"id\":\"a\",\"steps\":[{\"id\":\"x\",\"set\":2},{\"id\":\"y\"}]}],"
				 "\"on_compensated\":[{\"id\":\"m\",\"set\":1}]}",
				 "+ step a/y is new, number 2\n"
				 "~ step a/x\n"
				 "    set: 1 -> 2\n"
				 "- step n of on_compensated is gone\n"
				 "+ step m of on_compensated is new, number 1\n");
}
END_TEST

START_TEST(test_def_diff__tells_all_other_keys)
{
	expect_words(
		"{\"saga\":\"a\",\"deadline\":\"1d\",\"participants\":{\"s/t\":{\"timeout\":\"1s\"}}}",
		"{\"saga\":\"a\",\"key\":\"${input.id}\",\"participants\":{\"s/t\":{\"timeout\":\"2s\"}}}",
		"~ deadline is gone, was \"1d\"\n"
		"~ participants.s~1t.timeout: \"1s\" -> \"2s\"\n"
		"~ key is new: \"${input.id}\"\n");
}
END_TEST

START_TEST(test_def_diff__ends_somewhere)
{
	CLEANUP(json_decref_p) json_t *from = json_object();
	CLEANUP(json_decref_p) json_t *to = json_object();
	CLEANUP(json_decref_p) json_t *diff = NULL;

	for (int i = 0; i < DEF_DIFF_MAX + 5; i++) {
		CLEANUP(free_p) char *key = xasprintf("k%d", i);

		json_object_set_new(to, key, json_true());
	}
	diff = def_diff(from, to);
	ck_assert(json_is_true(json_object_get(diff, "truncated")));
	ck_assert_uint_eq(json_array_size(json_object_get(diff, "members")), DEF_DIFF_MAX);
}
END_TEST

START_TEST(test_share__is_stable_grows_and_is_about_right)
{
	int n[101] = {0}, other = 0;

	for (int i = 0; i < 10000; i++) {
		CLEANUP(free_p) char *key = xasprintf("order-%d", i);

		ck_assert(!share_has("default", "order", 2, key, 0));
		ck_assert(share_has("default", "order", 2, key, 100));
		ck_assert_int_eq(share_has("default", "order", 2, key, 10),
						 share_has("default", "order", 2, key, 10));
		if (share_has("default", "order", 2, key, 10))
			ck_assert(share_has("default", "order", 2, key, 30));
		n[10] += share_has("default", "order", 2, key, 10);
		n[30] += share_has("default", "order", 2, key, 30);
		other +=
			share_has("default", "order", 2, key, 10) && share_has("default", "order", 3, key, 10);
	}
	ck_assert_int_gt(n[10], 850);
	ck_assert_int_lt(n[10], 1150);
	ck_assert_int_gt(n[30], 2750);
	ck_assert_int_lt(n[30], 3250);
	ck_assert_int_lt(other, 200); /* another version's share is another selection */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("def_diff");
	TCase *tcase = tcase_create("def_diff");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_def_diff__says_nothing_of_the_same);
	tcase_add_test(tcase, test_def_diff__tells_steps_that_are_new_gone_and_changed);
	tcase_add_test(tcase, test_def_diff__tells_as_few_moves_as_there_are);
	tcase_add_test(tcase, test_def_diff__looks_into_blocks_and_other_lists);
	tcase_add_test(tcase, test_def_diff__tells_all_other_keys);
	tcase_add_test(tcase, test_def_diff__ends_somewhere);
	tcase_add_test(tcase, test_share__is_stable_grows_and_is_about_right);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
