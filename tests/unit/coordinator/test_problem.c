#include "coordinator/problem.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *written(enum problem problem, const char *detail,
					   const struct problem_errors *errors)
{
	struct buf out;
	json_t *json;

	buf_init(&out, 0);
	problem_write(problem, detail, errors, "r-1", &out);
	json = json_loads(buf_str(&out), 0, NULL);
	buf_release(&out);
	ck_assert_ptr_nonnull(json);
	return json;
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

START_TEST(test_problem__has_the_members_of_rfc_9457)
{
	json_t *json = written(PROBLEM_KEY_REUSED, "it \"was\" used", NULL);

	ck_assert_str_eq(text_of(json, "type"), "urn:skald:problem:idempotency_key_reused");
	ck_assert_str_eq(text_of(json, "code"), "idempotency_key_reused");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "status")), 422);
	ck_assert_str_eq(text_of(json, "detail"), "it \"was\" used");
	ck_assert_str_eq(text_of(json, "request_id"), "r-1");
	ck_assert_ptr_nonnull(text_of(json, "title"));
	ck_assert_ptr_null(json_object_get(json, "errors"));
	json_decref(json);
}
END_TEST

START_TEST(test_problem__lists_each_place)
{
	struct problem_errors errors = {0};
	json_t *json, *list;

	problem_errors_add(&errors, "/input/total", 0, "must be a %s", "number");
	problem_errors_add(&errors, "/steps/0", 7, "is wrong");
	json = written(PROBLEM_INVALID_INPUT, "no", &errors);
	list = json_object_get(json, "errors");
	ck_assert_int_eq(json_array_size(list), 2);
	ck_assert_str_eq(text_of(json_array_get(list, 0), "pointer"), "/input/total");
	ck_assert_str_eq(text_of(json_array_get(list, 0), "detail"), "must be a number");
	ck_assert_ptr_null(json_object_get(json_array_get(list, 0), "line"));
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 1), "line")), 7);
	json_decref(json);
	problem_errors_release(&errors);
}
END_TEST

START_TEST(test_problem__keeps_at_most_a_hundred_places)
{
	struct problem_errors errors = {0};
	json_t *json;

	for (int i = 0; i < 1000; i++)
		problem_errors_add(&errors, "/x", 0, "no");
	json = written(PROBLEM_INVALID_BODY, "no", &errors);
	ck_assert_int_eq(json_array_size(json_object_get(json, "errors")), 100);
	json_decref(json);
	problem_errors_release(&errors);
}
END_TEST

/* Texts of errors have a fixed size, so a character may be cut anywhere in them. */
START_TEST(test_problem__drops_half_a_character)
{
	static const char *const cut[][2] = {
		{"a\xe2\x82\xac", "a\xe2\x82\xac"},
		{"a\xe2\x82", "a"},
		{"a\xe2", "a"},
		{"a\xf0\x9f\x98", "a"},
		{"a\xc3", "a"},
		{"\xc3", ""},
		{"a\xc3\xa9", "a\xc3\xa9"},
		{"a\xe2\x82; b", "a; b"},
		{"\xff\x80 b\xc3", " b"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		json_t *json = written(PROBLEM_INTERNAL, cut[i][0], NULL);

		ck_assert_str_eq(text_of(json, "detail"), cut[i][1]);
		json_decref(json);
	}
}
END_TEST

START_TEST(test_problem__statuses_and_codes_are_unique_and_sane)
{
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		ck_assert_int_ge(problem_status(i), 400);
		ck_assert_int_lt(problem_status(i), 600);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(problem_code(i), problem_code(k));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("problem");
	TCase *tc = tcase_create("problem");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_problem__has_the_members_of_rfc_9457);
	tcase_add_test(tc, test_problem__lists_each_place);
	tcase_add_test(tc, test_problem__keeps_at_most_a_hundred_places);
	tcase_add_test(tc, test_problem__drops_half_a_character);
	tcase_add_test(tc, test_problem__statuses_and_codes_are_unique_and_sane);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
