#include "sagas/id.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/hash.h"

static const unsigned char random_bytes[8] = {0xff, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77};

START_TEST(test_saga_id__layout_is_pinned)
{
	char id[SAGA_ID_SIZE];

	saga_id_make(0x0198c0de7a31, 0xabc, random_bytes, id);
	ck_assert_str_eq(id, "0198c0de-7a31-7abc-bf11-223344556677");
}
END_TEST

START_TEST(test_saga_id__carries_its_slot)
{
	char id[SAGA_ID_SIZE];

	for (int slot = 0; slot < SLOTS_MAX; slot += 13) {
		saga_id_make(1700000000000, slot, random_bytes, id);
		ck_assert_int_eq(saga_id_slot(id), slot);
	}
}
END_TEST

START_TEST(test_saga_id__sorts_by_time)
{
	char a[SAGA_ID_SIZE], b[SAGA_ID_SIZE];
	unsigned char zeros[8] = {0};

	saga_id_make(1700000000000, 4095, random_bytes, a);
	saga_id_make(1700000000001, 0, zeros, b);
	ck_assert_int_lt(strcmp(a, b), 0);
}
END_TEST

START_TEST(test_saga_id_slot__refuses_what_is_no_id)
{
	static const char *const wrong[] = {
		"",
		"0198c0de",
		"0198c0de-7a31-7abc-bf11-22334455667",
		"0198c0de-7a31-7abc-bf11-2233445566778",
		"0198c0de-7a31-4abc-bf11-223344556677",
		"0198c0de-7a31-7abc-cf11-223344556677",
		"0198c0de-7a31-7abc-7f11-223344556677",
		"0198C0DE-7a31-7abc-bf11-223344556677",
		"0198c0de+7a31-7abc-bf11-223344556677",
		"0198c0de-7a31-7abc-bf11-22334455667g",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(saga_id_slot(wrong[i]), -1);
}
END_TEST

START_TEST(test_saga_slot__is_pinned)
{
	/* SHA-256 of the bytes 00000001 61 00000001 62 00000001 63 begins with the 16 bits below. */
	unsigned char digest[SHA256_SIZE];
	int first16;

	hash_sha256("\0\0\0\1a\0\0\0\1b\0\0\0\1c", 15, digest);
	first16 = digest[0] << 8 | digest[1];
	ck_assert_int_eq(saga_slot("a", "b", "c", 4096), first16 >> 4);
	ck_assert_int_eq(saga_slot("a", "b", "c", 256), first16 >> 8);
	ck_assert_int_eq(saga_slot("a", "b", "c", 1), 0);
	ck_assert_int_eq(saga_slot("a", "b", "c", 3), first16 * 3 / 65536);
	ck_assert_int_eq(saga_slot("default", "order-fulfilment", "order-1", 4096), 3556);
}
END_TEST

START_TEST(test_saga_slot__lengths_keep_parts_apart)
{
	ck_assert_int_ne(saga_slot("ab", "c", "d", 4096), saga_slot("a", "bc", "d", 4096));
}
END_TEST

START_TEST(test_saga_slot__takes_texts_of_any_length)
{
	char key[2000];
	int slot;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	slot = saga_slot("default", "d", key, 4096);
	ck_assert(slot >= 0 && slot < 4096);
}
END_TEST

START_TEST(test_saga_slot__spreads_evenly)
{
	int counts[16] = {0};
	char key[32];

	for (int i = 0; i < 16000; i++) {
		snprintf(key, sizeof(key), "order-%d", i);
		counts[saga_slot("default", "order", key, 16)]++;
	}
	for (int i = 0; i < 16; i++)
		ck_assert(counts[i] > 850 && counts[i] < 1150);
}
END_TEST

START_TEST(test_namespace_check__accepts_and_refuses)
{
	char longest[NAMESPACE_MAX_BYTES + 2];
	struct err err;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[NAMESPACE_MAX_BYTES] = '\0';
	ck_assert_int_eq(namespace_check("default", &err), 0);
	ck_assert_int_eq(namespace_check("7", &err), 0);
	ck_assert_int_eq(namespace_check("a-b-0", &err), 0);
	ck_assert_int_eq(namespace_check(longest, &err), 0);
	longest[NAMESPACE_MAX_BYTES] = 'a';
	longest[NAMESPACE_MAX_BYTES + 1] = '\0';
	ck_assert_int_eq(namespace_check(longest, &err), ERR_INVALID);
	ck_assert_int_eq(namespace_check("", &err), ERR_INVALID);
	ck_assert_int_eq(namespace_check("-a", &err), ERR_INVALID);
	ck_assert_int_eq(namespace_check("A", &err), ERR_INVALID);
	ck_assert_int_eq(namespace_check("a_b", &err), ERR_INVALID);
	ck_assert_int_eq(namespace_check("a/b", NULL), ERR_INVALID);
}
END_TEST

START_TEST(test_key_check__accepts_utf8)
{
	char longest[KEY_MAX_BYTES + 1];
	struct err err;

	memset(longest, 'k', KEY_MAX_BYTES);
	longest[KEY_MAX_BYTES] = '\0';
	ck_assert_int_eq(key_check("a", &err), 0);
	ck_assert_int_eq(key_check("Bestellung 1/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", &err), 0);
	ck_assert_int_eq(key_check("\xf4\x8f\xbf\xbf", &err), 0);
	ck_assert_int_eq(key_check(longest, &err), 0);
}
END_TEST

START_TEST(test_key_check__refuses)
{
	static const char *const wrong[] = {
		"",
		"a\nb",
		"\x7f",
		"\xc2\x85",         /* a C1 control */
		"\x80",             /* a continuation alone */
		"\xc3",             /* cut off */
		"\xc0\xaf",         /* overlong */
		"\xe0\x80\xaf",     /* overlong */
		"\xed\xa0\x80",     /* a surrogate */
		"\xf4\x90\x80\x80", /* past U+10FFFF */
		"\xff",
	};
	char too_long[KEY_MAX_BYTES + 2];
	struct err err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(key_check(wrong[i], &err), ERR_INVALID);
	memset(too_long, 'k', KEY_MAX_BYTES + 1);
	too_long[KEY_MAX_BYTES + 1] = '\0';
	ck_assert_int_eq(key_check(too_long, &err), ERR_LIMIT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("id");
	TCase *tcase = tcase_create("id");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_saga_id__layout_is_pinned);
	tcase_add_test(tcase, test_saga_id__carries_its_slot);
	tcase_add_test(tcase, test_saga_id__sorts_by_time);
	tcase_add_test(tcase, test_saga_id_slot__refuses_what_is_no_id);
	tcase_add_test(tcase, test_saga_slot__is_pinned);
	tcase_add_test(tcase, test_saga_slot__lengths_keep_parts_apart);
	tcase_add_test(tcase, test_saga_slot__takes_texts_of_any_length);
	tcase_add_test(tcase, test_saga_slot__spreads_evenly);
	tcase_add_test(tcase, test_namespace_check__accepts_and_refuses);
	tcase_add_test(tcase, test_key_check__accepts_utf8);
	tcase_add_test(tcase, test_key_check__refuses);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
