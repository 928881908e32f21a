#include "sagas/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_hash_sha256_hex__gives_the_known_digests)
{
	char hex[SHA256_HEX_SIZE];

	hash_sha256_hex("", 0, hex);
	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256_hex("abc", 3, hex);
	ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* RFC 4231, test cases 2 and 6. */
START_TEST(test_hash_hmac_sha256__gives_the_known_digests)
{
	static const unsigned char known[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
	static const unsigned char long_key[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f};
	unsigned char digest[SHA256_SIZE];
	char key[131];

	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
	ck_assert_mem_eq(digest, known, sizeof(known));
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
					 digest);
	ck_assert_mem_eq(digest, long_key, sizeof(long_key));
	ck_assert(hash_equal(digest, long_key, 8));
	ck_assert(!hash_equal(digest, known, 8));
}
END_TEST

START_TEST(test_hash_uuid5__is_pinned)
{
	char uuid[UUID_SIZE];

	hash_uuid5("saga/charge/do", strlen("saga/charge/do"), uuid);
	ck_assert_str_eq(uuid, "0a695d9e-3253-59a3-9980-9357ae536f44");
}
END_TEST

START_TEST(test_hash_uuid5__takes_long_names)
{
	char name[1500], uuid[UUID_SIZE], other[UUID_SIZE];

	memset(name, 'n', sizeof(name));
	hash_uuid5(name, sizeof(name), uuid);
	hash_uuid5(name, sizeof(name) - 1, other);
	ck_assert_uint_eq(strlen(uuid), UUID_SIZE - 1);
	ck_assert_str_ne(uuid, other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hash");
	TCase *tcase = tcase_create("hash");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_hash_sha256_hex__gives_the_known_digests);
	tcase_add_test(tcase, test_hash_hmac_sha256__gives_the_known_digests);
	tcase_add_test(tcase, test_hash_uuid5__is_pinned);
	tcase_add_test(tcase, test_hash_uuid5__takes_long_names);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
