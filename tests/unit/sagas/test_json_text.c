/* JSON as text: number rules, places of errors, canonical form, and jval. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/jval.h"

static const char *const kept[] = {
	"null",
	"true",
	"false",
	"0",
	"-1",
	"9223372036854775807",
	"-9223372036854775808",
	"19.99",
	"0.1",
	"1.0",
	"-0.0",
	"1e+300",
	"2.2250738585072014e-308",
	"5e-324",
	"0.30000000000000004",
	"123456789012345680.0",
	"\"\"",
	"\"a\\\"b\\\\c\\n\\t\\u0001\"",
	"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb1\"",
	"[]",
	"{}",
	"[1,[2,{}],\"x\"]",
	"{\"b\":1,\"a\":{\"c\":[null,19.99]}}",
};

START_TEST(test_json_text__reads_back_what_it_writes)
{
	json_t *value;
	struct buf out;
	struct err err;

	buf_init(&out, 0);
	ck_assert_int_eq(json_text_check(kept[_i], strlen(kept[_i]), &err), 0);
	ck_assert_int_eq(json_parse(kept[_i], strlen(kept[_i]), &value, &err), 0);
	json_write(value, &out);
	if (strcmp(kept[_i], "123456789012345680.0") == 0)
		ck_assert_str_eq(buf_str(&out), "1.2345678901234568e+17");
	else
		ck_assert_str_eq(buf_str(&out), kept[_i]);
	json_decref(value);
	buf_release(&out);
}
END_TEST

static const char *const accepted[] = {
	" [ 1 , 2 ] \n",
	"1.10",
	"1e3",
	"0e999",
	"0.10000000000000001",
	"19.989999999999998",
	"100.000000000000000000000000",
	"1E+2",
	"\"\\u00e9\\ud83d\\udc31\\/\"",
	"-0",
	"1.7976931348623157e308",
	"0.000000000000000000000000000012",
};

START_TEST(test_json_text__accepts)
{
	struct err err = {0};

	ck_assert_msg(json_text_check(accepted[_i], strlen(accepted[_i]), &err) == 0, "%s: %s",
				  accepted[_i], err.text);
}
END_TEST

static const struct {
	const char *text;
	const char *place;
	const char *says;
} refused[] = {
	{"", "line 1, column 1", "ends"},
	{"{\"a\":1e400}", "line 1, column 6", "1e400"},
	{"[\n  9223372036854775808]", "line 2, column 3", "64 bits"},
	{"-9223372036854775809", "line 1, column 1", "64 bits"},
	{"0.12345678901234567890123", "line 1, column 1", "17 digits"},
	{"9007199254740993.0", "line 1, column 1", "read back"},
	{"1e-400", "line 1, column 1", "cannot be kept"},
	{"1.7976931348623159e308", "line 1, column 1", "cannot be kept"},
	{"[\"\xc3\xa9\",x]", "line 1, column 6", "'x'"},
	{"[1,]", "line 1, column 4", "']'"},
	{"[1 2]", "line 1, column 4", "'2'"},
	{"{\"a\" 1}", "line 1, column 6", "':'"},
	{"{a:1}", "line 1, column 2", "double quotes"},
	{"{\"a\":1,}", "line 1, column 8", "double quotes"},
	{"\"abc", "line 1, column 5", "inside a string"},
	{"\"a\nb\"", "line 1, column 3", "control character"},
	{"\"\\u0000\"", "line 1, column 2", "NUL"},
	{"\"\\ud800\"", "line 1, column 2", "surrogate"},
	{"\"\\udc00\\ud800\"", "line 1, column 2", "surrogate"},
	{"\"\\ud800\\u0041\"", "line 1, column 2", "surrogate"},
	{"\"\\x41\"", "line 1, column 2", "backslash"},
	{"\"\\u12g4\"", "line 1, column 2", "hexadecimal"},
	{"\"\xc0\x80\"", "line 1, column 2", "UTF-8"},
	{"\"\xed\xa0\x80\"", "line 1, column 2", "UTF-8"},
	{"\"\xf4\x90\x80\x80\"", "line 1, column 2", "UTF-8"},
	{"\"abcdefgh\xff\"", "line 1, column 10", "UTF-8"},
	{"01", "line 1, column 1", "zero"},
	{"1.", "line 1, column 3", "digit"},
	{".5", "line 1, column 1", "'.'"},
	{"-", "line 1, column 2", "digit"},
	{"1e", "line 1, column 3", "digit"},
	{"NaN", "line 1, column 1", "'N'"},
	{"nul", "line 1, column 1", "'n'"},
	{"1 2", "line 1, column 3", "follows"},
	{"\xef\xbb\xbf{}", "line 1, column 1", "0xef"},
	{"{\"a\":1,\"a\":2}", "", "duplicate"},
	{"{\"a\":{\"b\":1,\n\"b\":2}}", "", "duplicate"},
};

START_TEST(test_json_text__refuses_with_the_place)
{
	struct err err = {0};
	json_t *value = NULL;

	ck_assert_int_eq(json_parse(refused[_i].text, strlen(refused[_i].text), &value, &err),
					 ERR_INVALID);
	ck_assert_ptr_null(value);
	if (*refused[_i].place)
		ck_assert_str_eq(err.place, refused[_i].place);
	ck_assert_msg(strstr(err.text, refused[_i].says), "%s", err.text);
}
END_TEST

START_TEST(test_json_text__limits_depth)
{
	char text[2 * JSON_MAX_DEPTH + 3];
	struct err err;

	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	ck_assert_int_eq(json_text_check(text, 2 * JSON_MAX_DEPTH, &err), 0);
	memset(text, '[', JSON_MAX_DEPTH + 1);
	memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	ck_assert_int_eq(json_text_check(text, 2 * JSON_MAX_DEPTH + 2, &err), ERR_INVALID);
	ck_assert(strstr(err.text, "deep"));
}
END_TEST

START_TEST(test_json_text__writes_the_shortest_double)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{19.99, "19.99"},   {0.1 + 0.2, "0.30000000000000004"},
		{1.0, "1.0"},       {-3.0, "-3.0"},
		{1e15, "1e+15"},    {123456789012345.0, "123456789012345.0"},
		{1e22, "1e+22"},    {1.0 / 3, "0.3333333333333333"},
		{5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
		{-0.0, "-0.0"},
	};
	char text[JSON_REAL_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_uint_eq(json_format_real(cases[i].number, text), strlen(cases[i].text));
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(test_json_text__canonical_form_sorts_keys)
{
	static const char text[] = "{\"b\":1,\"a\":[{\"z\":1,\"y\":2}],\"aa\":{},\"\xc3\xa9\":0}";
	json_t *value;
	struct buf out;
	struct err err;

	buf_init(&out, 0);
	ck_assert_int_eq(json_parse(text, strlen(text), &value, &err), 0);
	json_write_canonical(value, &out);
	ck_assert_str_eq(buf_str(&out), "{\"a\":[{\"y\":2,\"z\":1}],\"aa\":{},\"b\":1,\"\xc3\xa9\":0}");
	json_decref(value);
	buf_release(&out);
}
END_TEST

START_TEST(test_jval__makes_each_form_from_the_other)
{
	struct jval *jv = jval_from_text(xstrdup("{\"a\":19.99}"), 10 + 1);
	struct jval *other;
	struct buf out;
	size_t len;

	buf_init(&out, 0);
	ck_assert(json_real_value(json_object_get(jval_json(jv), "a")) == 19.99);
	ck_assert_str_eq(jval_text(jv, &len), "{\"a\":19.99}");
	ck_assert_uint_eq(len, 11);
	other = jval_from_json(json_incref(jval_json(jv)));
	jval_write(other, &out);
	ck_assert_ptr_null(other->text);
	ck_assert_str_eq(buf_str(&out), "{\"a\":19.99}");
	ck_assert_str_eq(jval_text(other, NULL), "{\"a\":19.99}");
	ck_assert_ptr_eq(jval_ref(other), other);
	jval_unref(other);
	jval_unref(other);
	jval_unref(jv);
	buf_release(&out);
}
END_TEST

START_TEST(test_jval__null_is_null)
{
	struct buf out;
	size_t len;

	buf_init(&out, 0);
	ck_assert_ptr_null(jval_ref(NULL));
	ck_assert_ptr_null(jval_json(NULL));
	ck_assert_str_eq(jval_text(NULL, &len), "null");
	ck_assert_uint_eq(len, 4);
	jval_write(NULL, &out);
	ck_assert_str_eq(buf_str(&out), "null");
	jval_unref(NULL);
	buf_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_text");
	TCase *tc = tcase_create("json_text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_json_text__reads_back_what_it_writes, 0, ARRAY_SIZE(kept));
	tcase_add_loop_test(tc, test_json_text__accepts, 0, ARRAY_SIZE(accepted));
	tcase_add_loop_test(tc, test_json_text__refuses_with_the_place, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, test_json_text__limits_depth);
	tcase_add_test(tc, test_json_text__writes_the_shortest_double);
	tcase_add_test(tc, test_json_text__canonical_form_sorts_keys);
	tcase_add_test(tc, test_jval__makes_each_form_from_the_other);
	tcase_add_test(tc, test_jval__null_is_null);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
