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
		{"stp:charge", "unknown filter stp; did you mean step?"},
		{"urn:order:17", "a key with such a sign is written in quotes"},
		{"a b", "b would be a second key"},
		{"key:a b", "a second key"},
		{"\"\"", "quoted is empty"},
		{"0198c0de-7a31-7abc-bf11-223344556677 0198c0de-7a31-7abc-bf11-223344556678", "two ids"},
		{"version:0", "is no version"},
		{"version:1.2", "is no version"},
		{"version:1 version:2", "twice"},
		{"group:abc", "16 hexadecimal digits"},
		{"group:00C31122334455667", "is no group"},
		{"kind:stuk", "did you mean stuck?"},
		{"owner:", "owner has no value"},
		{"step:a step:b", "twice"},
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
		{"search.:42", "search. names nothing"},
		{"serch.customer:42", "unknown filter serch.customer"},
		{"label.:x", "label. names nothing"},
		{"search.customer>42", "write search.customer:value"},
		{"search.customer:", "write search.customer:value"},
		{"search.customer:1 search.customer:2", "search.customer is there twice"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(parse(wrong[i].text) < 0, "%s is taken", wrong[i].text);
		ck_assert_msg(strstr(err.text, wrong[i].says) != NULL, "%s: %s", wrong[i].text, err.text);
	}
}
END_TEST

START_TEST(test_api_query__finds_by_values_and_labels)
{
	CLEANUP(buf_release) struct buf out;

	ck_assert_int_eq(parse("search.region:\"eu west\" label.team:order-3 search.customer:42"), 0);
	ck_assert_uint_eq(query.filter.n_search, 3);
	ck_assert_str_eq(query.filter.search[0].name, "customer");
	ck_assert_str_eq(query.filter.search[0].value, "42");
	ck_assert_str_eq(query.filter.search[1].name, "label.team");
	ck_assert_str_eq(query.filter.search[1].value, "order-3");
	ck_assert_str_eq(query.filter.search[2].name, "region");
	/* Two texts that mean the same are written alike. */
	buf_init(&out, 0);
	saga_query_write(&query, &out);
	ck_assert_str_eq(buf_str(&out),
					 "search.customer:42 label.team:order-3 search.region:\"eu west\"");
	/* Elsewhere a dot is a part of a key. */
	ck_assert_int_eq(parse("search"), 0);
	ck_assert_str_eq(query.filter.key, "search");
	ck_assert_int_eq(parse("labels.team"), 0);
	ck_assert_str_eq(query.filter.key, "labels.team");
}
END_TEST

START_TEST(test_api_query__reads_what_operators_ask)
{
	ck_assert_int_eq(parse("version:3 group:00c3112233445566 kind:stuck step:charge owner:\"a b\""),
					 0);
	ck_assert_int_eq(query.filter.version, 3);
	ck_assert_str_eq(query.filter.group, "00c3112233445566");
	ck_assert_str_eq(query.filter.kind, "stuck");
	ck_assert_str_eq(query.filter.step, "charge");
	ck_assert_str_eq(query.filter.owner, "a b");
	ck_assert(!query.filter.attention_only);
}
END_TEST

START_TEST(test_api_query__a_word_alone_is_a_key_or_an_id)
{
	static const struct {
		const char *text, *key;
		bool exact;
	} cases[] = {
		{"ORDER-17", "ORDER-17", true},
		{"o*17", "o*17", true},
		{"\"order 17\"", "order 17", true},
		{"running", "running", true},
		{"17", "17", true},
		{"key:o*", "o*", false},
		{"key:\"o*\"", "o*", true},
		{"\"urn:order\"", "urn:order", true},
		{"\xc3\xa4", "\xc3\xa4", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_msg(parse(cases[i].text) == 0, "%s: %s", cases[i].text, err.text);
		ck_assert_pstr_eq(query.filter.key, cases[i].key);
		ck_assert_int_eq(query.filter.key_exact, cases[i].exact);
		ck_assert_ptr_null(query.filter.id);
	}
	ck_assert_int_eq(parse("0198c0de-7a31-7abc-bf11-223344556677 kind:stuck"), 0);
	ck_assert_pstr_eq(query.filter.id, "0198c0de-7a31-7abc-bf11-223344556677");
	ck_assert_ptr_null(query.filter.key);
	ck_assert_int_eq(parse("key:0198c0de-7a31-7abc-bf11-223344556677"), 0);
	ck_assert_ptr_null(query.filter.id);
}
END_TEST

START_TEST(test_api_query__says_where_it_is_wrong)
{
	ck_assert_int_lt(parse("status:running  kind:stuk"), 0);
	ck_assert_str_eq(err.place, "character 17");
	ck_assert_int_lt(parse("\"a"), 0);
	ck_assert_str_eq(err.place, "character 1");
}
END_TEST

static char *written(void)
{
	struct buf out;
	size_t len;

	buf_init(&out, 0);
	saga_query_write(&query, &out);
	return buf_take(&out, &len);
}

START_TEST(test_api_query__is_written_as_it_is_read)
{
	static const struct {
		const char *text, *normal;
	} cases[] = {
		{"", ""},
		{"started>2026-01-01  kind:stuck status:running,waiting",
		 "status:running,waiting kind:stuck started>=2026-01-01T00:00:00.001Z"},
		{"status:waiting,running,running", "status:running,waiting"},
		{"o-17", "key:o-17"},
		{"\"o 17\"", "key:\"o 17\""},
		{"key:o*", "key:o*"},
		{"\"o*\"", "key:\"o*\""},
		{"key:\"a\\\"b \\\\\"", "key:\"a\\\"b \\\\\""},
		{"key:a\"b\\", "key:a\"b\\"},
		{"\"\\\"x\"", "key:\"\\\"x\""},
		{"owner:\"ann b\" step:charge group:00c3112233445566 version:3 saga:order-* attention:true",
		 "saga:order-* version:3 attention:true group:00c3112233445566 step:charge "
		 "owner:\"ann b\""},
		{"started<=2026-01-31T12:00:00Z 0198c0de-7a31-7abc-bf11-223344556677",
		 "0198c0de-7a31-7abc-bf11-223344556677 started<2026-01-31T12:00:00.001Z"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(free_p) char *text = NULL, *again = NULL;

		ck_assert_msg(parse(cases[i].text) == 0, "%s: %s", cases[i].text, err.text);
		text = written();
		ck_assert_str_eq(text, cases[i].normal);
		ck_assert_msg(parse(text) == 0, "%s: %s", text, err.text);
		again = written();
		ck_assert_str_eq(again, text);
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
	tcase_add_test(tc, test_api_query__finds_by_values_and_labels);
	tcase_add_test(tc, test_api_query__reads_what_operators_ask);
	tcase_add_test(tc, test_api_query__a_word_alone_is_a_key_or_an_id);
	tcase_add_test(tc, test_api_query__says_where_it_is_wrong);
	tcase_add_test(tc, test_api_query__is_written_as_it_is_read);
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
