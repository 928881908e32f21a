/* What headers of requests say. */
#include "coordinator/http_text.h"

#include <check.h>
#include <stdlib.h>

#include "sagas/base/macros.h"

START_TEST(test_http_text__who_takes_gzip)
{
	static const struct {
		const char *header;
		bool takes;
	} cases[] = {
		{NULL, false},
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"x-gzip", true},
		{"br, deflate", false},
		{"br,gzip , deflate", true},
		{"br;q=1.0, gzip;q=0.8", true},
		{"gzip;q=0", false},
		{"gzip; q=0.000, br", false},
		{"gzip;q=0.001", true},
		{"*", true},
		{"*;q=0", false},
		{"gzip;q=0, *", false},
		{"*;q=0, gzip", true},
		{"gzipped", false},
		{"identity", false},
		{",,", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(http_accepts_gzip(cases[i].header) == cases[i].takes, "%s", cases[i].header);
}
END_TEST

START_TEST(test_http_text__tags)
{
	ck_assert(http_etag_matches("\"a\"", "\"a\""));
	ck_assert(http_etag_matches("W/\"a\"", "\"a\""));
	ck_assert(http_etag_matches("\"b\", \"a\"", "\"a\""));
	ck_assert(http_etag_matches("*", "\"a\""));
	ck_assert(!http_etag_matches("\"b\"", "\"a\""));
	ck_assert(!http_etag_matches("\"A\"", "\"a\""));
	ck_assert(!http_etag_matches("\"ab\"", "\"a\""));
	ck_assert(!http_etag_matches("a", "\"a\""));
	ck_assert(!http_etag_matches("", "\"a\""));
}
END_TEST

static const struct http_origins local = {.loopback = true, .listen = "127.0.0.1"};
static const struct http_origins open_to_all = {
	.listen = "0.0.0.0",
	.advertise = "http://node-1.internal:7878",
	.allowed = "https://skald.example.com, http://ops:8080",
};

START_TEST(test_http_text__hosts_on_loopback)
{
	static const char *const served[] = {
		"127.0.0.1:7878", "127.0.0.1", "[::1]:7878",           "localhost",
		"LOCALHOST:7878", "10.1.2.3",  "skald.localhost:7878", "",
	};
	static const char *const not_served[] = {
		"evil.example",      "evil.example:7878", "localhost.evil.example", "127.0.0.1.nip.io:80",
		"evillocalhost",     ".localhost",        "[evil.example]:7878",    ":7878",
		"skald.example.com",
	};
	struct http_origins named = local;

	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		ck_assert_msg(http_host_is_served(&local, served[i]), "%s", served[i]);
	ck_assert(http_host_is_served(&local, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(not_served); i++)
		ck_assert_msg(!http_host_is_served(&local, not_served[i]), "%s", not_served[i]);
	named.allowed = open_to_all.allowed;
	ck_assert(http_host_is_served(&named, "skald.example.com"));
	ck_assert(http_host_is_served(&named, "ops:9"));
	ck_assert(!http_host_is_served(&named, "evil.example"));
	/* Other services know it by whatever name they were given. */
	ck_assert(http_host_is_served(&open_to_all, "evil.example"));
}
END_TEST

START_TEST(test_http_text__origins)
{
	static const struct {
		const struct http_origins *origins;
		const char *origin, *host;
		bool own;
	} cases[] = {
		{&local, "http://127.0.0.1:7878", "127.0.0.1:7878", true},
		{&local, "http://localhost:7878", "localhost:7878", true},
		{&local, "http://[::1]:7878", "[::1]:7878", true},
		{&local, "http://LocalHost:7878", "localhost:7878", true},
		{&local, "http://localhost:3000", "localhost:7878", false}, /* the same site, even */
		{&local, "http://localhost", "localhost:7878", false},
		{&local, "http://127.0.0.1:7878", "localhost:7878", false},
		{&local, "http://evil.example", "127.0.0.1:7878", false},
		{&local, "http://evil.example:7878", "evil.example:7878", false}, /* rebound */
		{&local, "http://evil.example@127.0.0.1:7878", "127.0.0.1:7878", false},
		{&local, "null", "127.0.0.1:7878", false},
		{&local, "", "127.0.0.1:7878", false},
		{&local, "http://", "", false},
		{&local, "file://", "127.0.0.1:7878", false},
		{&local, "http://127.0.0.1:7878", NULL, false},
		{&open_to_all, "https://skald.example.com", "10.0.0.7:7878", true},
		{&open_to_all, "https://skald.example.com", NULL, true},
		{&open_to_all, "http://ops:8080", "skald:7878", true},
		{&open_to_all, "http://ops:8081", "skald:7878", false},
		{&open_to_all, "http://skald.example.com", "10.0.0.7:7878", false},
		{&open_to_all, "https://skald.example.com.evil.example", "10.0.0.7:7878", false},
		{&open_to_all, "http://node-1.internal:7878", "node-1.internal:7878", true},
		{&open_to_all, "http://evil.example:7878", "evil.example:7878", false},
		{&open_to_all, "http://10.0.0.7:7878", "10.0.0.7:7878", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(http_origin_is_own(cases[i].origins, cases[i].origin, cases[i].host) ==
						  cases[i].own,
					  "%zu: %s", i, cases[i].origin);
}
END_TEST

START_TEST(test_http_text__lists_of_origins)
{
	ck_assert(http_origins_are_valid("https://a.example"));
	ck_assert(http_origins_are_valid("https://a.example,http://[::1]:8080 , http://b:1"));
	ck_assert(!http_origins_are_valid("a.example"));
	ck_assert(!http_origins_are_valid("https://a.example/"));
	ck_assert(!http_origins_are_valid("https://a.example/path"));
	ck_assert(!http_origins_are_valid("https://"));
	ck_assert(!http_origins_are_valid("https://u@a.example"));
	ck_assert(!http_origins_are_valid("https://a.example,,https://b"));
	ck_assert(!http_origins_are_valid("*"));
	ck_assert(!http_origins_are_valid(""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_text");
	TCase *tc = tcase_create("http_text");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_http_text__who_takes_gzip);
	tcase_add_test(tc, test_http_text__tags);
	tcase_add_test(tc, test_http_text__hosts_on_loopback);
	tcase_add_test(tc, test_http_text__origins);
	tcase_add_test(tc, test_http_text__lists_of_origins);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
