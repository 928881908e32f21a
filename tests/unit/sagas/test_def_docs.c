/* The definitions that docs/definitions.md and README.md show are true: each of them loads. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/definition.h"

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = xcalloc(1, 256 * 1024);
	size_t len;

	ck_assert_msg(file != NULL, "run from the root: no %s", path);
	len = fread(text, 1, 256 * 1024 - 1, file);
	ck_assert_uint_gt(len, 0);
	fclose(file);
	return text;
}

/* How many whole definitions stand in the fenced blocks of a page. */
static int check_page(const char *path)
{
	CLEANUP(free_p) char *text = read_file(path);
	int n = 0;

	for (char *at = text; (at = strstr(at, "```yaml\n")) != NULL;) {
		char *end;

		at += strlen("```yaml\n");
		end = strstr(at, "```");
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		if (strncmp(at, "saga:", 5) == 0) {
			CLEANUP(buf_release) struct buf found = {0};

			buf_init(&found, 0);
			definition_findings(at, &found);
			ck_assert_msg(found.len == 0, "%s: %s\n%s", path, buf_str(&found), at);
			n++;
		}
		at = end + 1;
	}
	return n;
}

START_TEST(test_docs__definitions_load)
{
	ck_assert_int_ge(check_page("docs/definitions.md"), 1);
	ck_assert_int_ge(check_page("docs/composition.md"), 1);
	ck_assert_int_ge(check_page("README.md"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("def_docs");
	TCase *tc = tcase_create("def_docs");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_docs__definitions_load);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
