#include "coordinator/api_query.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define DAY_2026_01_01 INT64_C(1767225600000)

static struct saga_query query;
static struct err err;

static int parse(const char *text)
{
	saga_query_release(&query);
	saga_query_init(&query, "default");
	err = (struct err){0};
	return saga_query_parse(&query, text, &err);
}

static void release(void)
{
	saga_query_release(&query);
}

START_TEST(test_api_query__reads_all_filters)
{
	ck_assert_int_eq(parse("  status:compensation_failed,running saga:order-* key:\"a b\\\"c\" "
						   "attention:true started>=2026-01-01 started<2026-01-02T03:04:05.006Z "),
					 0);
	ck_assert_uint_eq(query.filter.status_mask,
					  1u << SAGA_COMPENSATION_FAILED | 1u << SAGA_RUNNING);
	ck_assert_str_eq(query.filter.definition, "order-*");
	ck_assert_str_eq(query.filter.key, "a b\"c");
	ck_assert(query.filter.attention_only);
	ck_assert_int_eq(query.filter.started_from, DAY_2026_01_01);
	ck_assert_int_eq(query.filter.started_before, DAY_2026_01_01 + 86400000 + 11045006);
}
END_TEST

START_TEST(test_api_query__an_empty_filter_asks_for_all)
{
	ck_assert_int_eq(parse(""), 0);
	ck_assert_uint_eq(query.filter.status_mask, 0);
	ck_assert_ptr_null(query.filter.definition);
	ck_assert_int_eq(query.filter.started_from, 0);
	ck_assert_str_eq(query.filter.ns, "default");
}
END_TEST

/* The store's bounds are from (inclusive) and before (exclusive). */
START_TEST(test_api_query__bounds_include_what_they_say)
{
	ck_assert_int_eq(parse("started>2026-01-01"), 0);
	ck_assert_int_eq(query.filter.started_from, DAY_2026_01_01 + 1);
	ck_assert_int_eq(parse("started<=2026-01-01"), 0);
	ck_assert_int_eq(query.filter.started_before, DAY_2026_01_01 + 1);
	ck_assert_int_eq(parse("started<2026-01-01"), 0);
	ck_assert_int_eq(query.filter.started_before, DAY_2026_01_01);
}
END_TEST

START_TEST(test_api_query__says_what_would_be_right)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"status:compensatoin_failed", "did you mean compensation_failed?"},
		{"statuss:running", "did you mean status?"},
		{"step:charge", "unknown filter step"},
		{"running", "write name:value"},
		{"status:", "status has no value"},
		{"status:running status:failed", "status is there twice; write status:a,b"},
		{"saga:a saga:b", "twice"},
		{"started>=2026-01-01 started>2026-01-02", "twice"},
		{"started:2026-01-01", "write started>"},
		{"key>a", "with a colon"},
		{"started>yesterday", "is no time"},
		{"started>2026-02-31", "is no time"},
		{"attention:false", "attention:true"},
		{"key:\"a b", "not closed"},
		{"key:\"a\"b", "space must follow"},
		{":x", "is no filter"},
		{"status:running,", "unknown status"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(parse(wrong[i].text) < 0, "%s is taken", wrong[i].text);
		ck_assert_msg(strstr(err.text, wrong[i].says) != NULL, "%s: %s", wrong[i].text, err.text);
	}
}
END_TEST

START_TEST(test_api_query__has_a_limit)
{
	char text[QUERY_MAX_BYTES + 10];

	memset(text, 'a', sizeof(text));
	memcpy(text, "key:", 4);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(parse(text), ERR_LIMIT);
	text[QUERY_MAX_BYTES] = '\0';
	ck_assert_int_eq(parse(text), 0);
}
END_TEST

START_TEST(test_cursor__comes_back)
{
	static const char id[] = "0198c0de-7a31-7abc-bf11-223344556677";
	char cursor[CURSOR_SIZE], again[SAGA_ID_SIZE];

	cursor_make(id, cursor);
	ck_assert_int_eq(cursor_read(cursor, again, &err), 0);
	ck_assert_str_eq(again, id);
}
END_TEST

START_TEST(test_cursor__refuses_what_a_list_did_not_give)
{
	static const char *const wrong[] = {
		"",
		"s",
		"x0198c0de7a317abcbf11223344556677",
		"s0198c0de7a317abcbf1122334455667",
		"s0198c0de7a317abcbf112233445566777",
		"s0198c0de7a314abcbf11223344556677",
		"szzzzzzzz7a317abcbf11223344556677",
	};
	char id[SAGA_ID_SIZE] = "kept";

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_int_eq(cursor_read(wrong[i], id, &err), ERR_INVALID);
		ck_assert_str_eq(id, "kept");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_query");
	TCase *tc = tcase_create("api_query");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, release);
	tcase_add_test(tc, test_api_query__reads_all_filters);
	tcase_add_test(tc, test_api_query__an_empty_filter_asks_for_all);
	tcase_add_test(tc, test_api_query__bounds_include_what_they_say);
	tcase_add_test(tc, test_api_query__says_what_would_be_right);
	tcase_add_test(tc, test_api_query__has_a_limit);
	tcase_add_test(tc, test_cursor__comes_back);
	tcase_add_test(tc, test_cursor__refuses_what_a_list_did_not_give);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
