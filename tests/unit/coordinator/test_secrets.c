/* Secrets in the place of what stands for them, and out of what comes back. */
#include "coordinator/secrets.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct secret list[] = {
	{"token", "tok/7f3a 9c"}, {"pin", "42"}, {"dollar", "${secret.pin}"}};
static const struct secrets secrets = {list, 3};
static char token[] = "token", pin[] = "pin", dollar[] = "dollar", gone[] = "gone";

static void expect(char *const *names, const char *text, bool query, const char *expected)
{
	CLEANUP(buf_release) struct buf out;
	struct err err;

	buf_init(&out, 0);
	ck_assert_int_eq(secrets_resolve(&secrets, names, text, query, &out, &err), 0);
	ck_assert_str_eq(buf_str(&out), expected);
}

START_TEST(test_secrets_resolve__takes_only_the_names_that_are_listed)
{
	char *names[] = {token, NULL}, *both[] = {pin, token, NULL}, *tricky[] = {dollar, pin, NULL};

	expect(names, "Authorization: Bearer ${secret.token}", false,
		   "Authorization: Bearer tok/7f3a 9c");
	expect(names, "${secret.pin}${secret.token2}${secret.token", false,
		   "${secret.pin}${secret.token2}${secret.token");
	expect(both, "${secret.pin}:${secret.token}", false, "42:tok/7f3a 9c");
	expect(names, "?a=1&t=%24%7Bsecret.token%7D", true, "?a=1&t=tok%2F7f3a%209c");
	expect(names, "?t=${secret.token}", true, "?t=${secret.token}");
	/* What a secret says is not looked at again. */
	expect(tricky, "${secret.dollar}", false, "${secret.pin}");
}
END_TEST

START_TEST(test_secrets_resolve__says_which_one_is_missing)
{
	char *names[] = {gone, NULL};
	CLEANUP(buf_release) struct buf out;
	struct err err;

	buf_init(&out, 0);
	ck_assert_int_eq(secrets_resolve(&secrets, names, "x: ${secret.gone}", false, &out, &err),
					 ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "no secret `gone`"));
}
END_TEST

START_TEST(test_secrets_mask__writes_over_what_came_back)
{
	char *names[] = {token, pin, gone, NULL};
	char text[] = "tok/7f3a 9c, 42, tok%2F7f3a%209c tok/7f3a 9";

	secrets_mask(&secrets, names, text, strlen(text));
	ck_assert_str_eq(text, "***********, **, *************** tok/7f3a 9");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secrets");
	TCase *tc = tcase_create("secrets");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_secrets_resolve__takes_only_the_names_that_are_listed);
	tcase_add_test(tc, test_secrets_resolve__says_which_one_is_missing);
	tcase_add_test(tc, test_secrets_mask__writes_over_what_came_back);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
