/* Which file of the dashboard a path means. */
#include "coordinator/dashboard.h"

#include <check.h>
#include <stdlib.h>

#include "sagas/base/macros.h"

static const unsigned char byte[] = "x";
static const struct dashboard_file files[] = {
	{"assets/app-1.js", "a", byte, 1, byte, 1},
	{"favicon.svg", "b", byte, 1, NULL, 0},
	{"index.html", "c", byte, 1, byte, 1},
};

static const char *find(const char *path)
{
	const struct dashboard_file *file = dashboard_find(files, ARRAY_SIZE(files), path);

	return file ? file->path : "nothing";
}

START_TEST(test_dashboard__files_and_places)
{
	ck_assert_str_eq(find("assets/app-1.js"), "assets/app-1.js");
	ck_assert_str_eq(find("favicon.svg"), "favicon.svg");
	ck_assert_str_eq(find(""), "index.html");
	ck_assert_str_eq(find("sagas"), "index.html");
	ck_assert_str_eq(find("sagas/0198c0de-7a31-7abc-bf11-223344556677"), "index.html");
	ck_assert_str_eq(find("definitions/order.v2"), "index.html");
	ck_assert_str_eq(find("keys/../x"), "index.html");
}
END_TEST

START_TEST(test_dashboard__what_is_missing_is_no_page)
{
	ck_assert_str_eq(find("assets/app-2.js"), "nothing");
	ck_assert_str_eq(find("assets/"), "nothing");
	ck_assert_str_eq(find("assets/app-1"), "nothing");
	ck_assert_str_eq(find("favicon.ico"), "nothing");
	ck_assert_str_eq(find("app-1.js"), "nothing");
	ck_assert_ptr_null(dashboard_find(files, 0, ""));
	ck_assert_ptr_null(dashboard_find(files, 0, "index.html"));
}
END_TEST

START_TEST(test_dashboard__types)
{
	ck_assert_str_eq(dashboard_media_type("index.html"), "text/html; charset=utf-8");
	ck_assert_str_eq(dashboard_media_type("assets/a.b-1.js"), "text/javascript; charset=utf-8");
	ck_assert_str_eq(dashboard_media_type("x.svg"), "image/svg+xml");
	ck_assert_str_eq(dashboard_media_type("x"), "application/octet-stream");
	ck_assert(dashboard_is_immutable("assets/app-1.js"));
	ck_assert(!dashboard_is_immutable("index.html"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dashboard");
	TCase *tc = tcase_create("dashboard");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_dashboard__files_and_places);
	tcase_add_test(tc, test_dashboard__what_is_missing_is_no_page);
	tcase_add_test(tc, test_dashboard__types);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
