#include "sagas/base/text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/base64.h"

static const struct {
	const char *text;
	size_t len;
	bool is_utf8;
} texts[] = {
	{"", 0, true},
	{"a", 1, true},
	{"eight by", 8, true},
	{"more than eight bytes", 21, true},
	{"gr\xc3\xbc\xc3\x9f", 6, true},
	{"1234567\xc3\xbc", 9, true}, /* over the border of a word */
	{"\xf0\x9f\xa6\x8a", 4, true},
	{"\xef\xbf\xbf", 3, true},
	{"a\0b", 3, false},
	{"12345678\0", 9, false},
	{"1234\0"
	 "678",
	 8, false},
	{"\0", 1, false},
	{"\x80", 1, false},
	{"12345678\x80", 9, false},
	{"\xc3", 1, false},
	{"1234567\xc3", 8, false},
	{"\xc3\xbc", 1, false}, /* what follows is not part of it */
	{"\xf0\x9f\xa6\x8a", 3, false},
	{"\xc0\x80", 2, false},
	{"\xe0\x80\x80", 3, false},
	{"\xed\xa0\x80", 3, false},
	{"\xf4\x90\x80\x80", 4, false},
	{"\xff", 1, false},
};

START_TEST(test_text__knows_utf8)
{
	/* A copy of exactly that length, so that a sanitizer sees what reads past it. */
	char *copy = malloc(texts[_i].len ? texts[_i].len : 1);

	memcpy(copy, texts[_i].text, texts[_i].len);
	ck_assert_int_eq(text_is_utf8(copy, texts[_i].len), texts[_i].is_utf8);
	free(copy);
}
END_TEST

/* The test vectors of RFC 4648, and bytes that are no text. */
static const struct {
	const char *data;
	size_t len;
	const char *text;
} pairs[] = {
	{"", 0, ""},
	{"f", 1, "Zg=="},
	{"fo", 2, "Zm8="},
	{"foo", 3, "Zm9v"},
	{"foob", 4, "Zm9vYg=="},
	{"fooba", 5, "Zm9vYmE="},
	{"foobar", 6, "Zm9vYmFy"},
	{"\0\xff\xfe\xfb", 4, "AP/++w=="},
};

START_TEST(test_base64__encodes_and_decodes)
{
	struct buf out;

	buf_init(&out, 0);
	base64_encode(pairs[_i].data, pairs[_i].len, &out);
	ck_assert_str_eq(buf_str(&out), pairs[_i].text);
	buf_clear(&out);
	ck_assert(base64_decode(pairs[_i].text, strlen(pairs[_i].text), &out));
	ck_assert_uint_eq(out.len, pairs[_i].len);
	ck_assert_mem_eq(buf_str(&out), pairs[_i].data, pairs[_i].len);
	buf_release(&out);
}
END_TEST

static const char *const no_base64[] = {
	"Z",    "Zg",   "Zg=",      "Zm9v\n",   "Zm9-", "Zm9_", "====",
	"=m9v", "Z===", "Zg==Zg==", "Zm=vZm9v", "Zh==", "Zm9=", " Zg=",
};

START_TEST(test_base64__refuses_what_is_none)
{
	struct buf out;

	buf_init(&out, 0);
	ck_assert(!base64_decode(no_base64[_i], strlen(no_base64[_i]), &out));
	buf_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tc = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_text__knows_utf8, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_loop_test(tc, test_base64__encodes_and_decodes, 0, ARRAY_SIZE(pairs));
	tcase_add_loop_test(tc, test_base64__refuses_what_is_none, 0, ARRAY_SIZE(no_base64));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
