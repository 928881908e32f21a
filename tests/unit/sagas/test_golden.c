/*
 * Histories that earlier versions wrote fold into what they folded into then. tests/golden holds
 * them: definition, rows, and the state as it was shown. A later version may show more, and never
 * something else.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/def_load.h"
#include "sagas/state_json.h"

#define FOLDER "tests/golden/histories-v1"
#define NOW INT64_C(1767225600000)

static void expect_same(const json_t *golden, const json_t *shown, const char *file,
						const char *place)
{
	const char *name;
	json_t *value;
	size_t i;

	ck_assert_msg(shown && json_typeof(golden) == json_typeof(shown), "%s: %s", file, place);
	if (json_is_object(golden)) {
		json_object_foreach ((json_t *)golden, name, value)
			expect_same(value, json_object_get(shown, name), file, name);
	} else if (json_is_array(golden)) {
		ck_assert_msg(json_array_size(golden) == json_array_size(shown), "%s: %s", file, place);
		json_array_foreach (golden, i, value)
			expect_same(value, json_array_get(shown, i), file, place);
	} else {
		ck_assert_msg(json_equal(golden, shown), "%s: %s", file, place);
	}
}

static void fold(const char *file)
{
	char path[512];
	struct findings findings = {0};
	struct saga_def *def = NULL;
	struct saga_state *state;
	json_t *golden, *shown;
	const json_t *row;
	json_error_t error;
	struct err err;
	size_t i;

	snprintf(path, sizeof(path), FOLDER "/%s", file);
	golden = json_load_file(path, 0, &error);
	ck_assert_msg(golden != NULL, "%s: %s", path, error.text);
	ck_assert_int_eq(saga_def_load(json_object_get(golden, "definition"), NULL, &def, &findings),
					 0);
	def->version = 1;
	shown = json_object_get(golden, "shown");
	state = saga_state_new(def, json_string_value(json_object_get(shown, "id")));
	json_array_foreach (json_object_get(golden, "rows"), i, row) {
		wall_ms at = json_integer_value(json_array_get(json_object_get(golden, "times"), i));

		ck_assert_msg(saga_state_apply_row(state, at, json_string_value(row),
										   json_string_length(row), &err) == 0,
					  "%s: row %zu: %s", file, i + 1, err.text);
	}
	ck_assert_msg(saga_state_validate(state, &err) == 0, "%s: %s", file, err.text);
	shown = saga_state_json(state, NOW);
	expect_same(json_object_get(golden, "shown"), shown, file, "");
	json_decref(shown);
	json_decref(golden);
	findings_release(&findings);
	saga_state_free(state);
	saga_def_unref(def);
}

START_TEST(test_golden__histories_of_version_1_fold_as_they_did)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	int n = 0;

	ck_assert_msg(folder != NULL, "run from the root of the project");
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		fold(entry->d_name);
		n++;
	}
	closedir(folder);
	ck_assert_int_ge(n, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("golden");
	TCase *tc = tcase_create("golden");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_golden__histories_of_version_1_fold_as_they_did);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
