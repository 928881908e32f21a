/* The definitions of the examples and of the benchmark load, and the linter has nothing to say. */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/yaml.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, DEF_MAX_BYTES);

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(text);
	*ret_len = fread(text, 1, DEF_MAX_BYTES - 1, file);
	fclose(file);
	return text;
}

static void check_loads(const char *path)
{
	CLEANUP(findings_release) struct findings findings = {0};
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	CLEANUP(free_p) char *text = NULL;
	size_t i, len;
	int r;

	text = read_file(path, &len);
	r = definition_read(path, text, len, &doc, places, &findings);
	if (r == 0)
		r = saga_def_load(doc, places, &def, &findings);
	for (i = 0; i < findings.n; i++)
		fprintf(stderr, "%s:%d: %s: %s\n", path, findings.list[i].line, findings.list[i].pointer,
				findings.list[i].text);
	ck_assert_msg(r == 0 && findings.n == 0, "%s does not load cleanly", path);
}

START_TEST(test_definitions__load_without_findings)
{
	static const char *const patterns[] = {"examples/*/*.yaml", "tests/bench/*.yaml"};
	glob_t found;
	size_t i, j, n = 0;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		ck_assert_int_eq(glob(patterns[i], 0, NULL, &found), 0);
		for (j = 0; j < found.gl_pathc; j++) {
			if (strstr(found.gl_pathv[j], ".test.yaml")) /* tests of the definition beside it */
				continue;
			check_loads(found.gl_pathv[j]);
			n++;
		}
		globfree(&found);
	}
	ck_assert_uint_ge(n, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("definitions");
	TCase *tc = tcase_create("definitions");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_definitions__load_without_findings);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
