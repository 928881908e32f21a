#include "coordinator/routes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct exchange *ex;

/* Parses a target and finds its route; the exchange stays for looking at. */
static const struct route *find(const char *method, const char *target)
{
	char *path = NULL;

	exchange_free(ex);
	ex = xcalloc(1, sizeof(*ex));
	ex->target = xstrdup(target);
	buf_init(&ex->out, 0);
	exchange_parse_target(ex, &path);
	return ex->status ? NULL : route_find(ex, method, path);
}

static void teardown(void)
{
	exchange_free(ex);
	ex = NULL;
}

#define assert_route(method, target, name_)                                                        \
	do {                                                                                           \
		const struct route *found_ = find(method, target);                                         \
		ck_assert_msg(found_ != NULL, "no route for %s", target);                                  \
		ck_assert_str_eq(found_->name, name_);                                                     \
	} while (0)

START_TEST(test_routes__finds_by_method_and_path)
{
	assert_route("GET", "/", "root");
	assert_route("GET", "/v1/sagas", "list_sagas");
	assert_route("HEAD", "/v1/sagas", "list_sagas");
	assert_route("POST", "/v1/sagas", "start_saga");
	assert_route("GET", "/v1/sagas?limit=3", "list_sagas");
	assert_route("GET", "http://host:80/v1/sagas?limit=3", "list_sagas");
	assert_route("GET", "/v1/sagas/abc", "get_saga");
	ck_assert_str_eq(ex->params[0], "abc");
	assert_route("GET", "/v1/definitions/a/versions/2", "get_version");
	ck_assert_str_eq(ex->params[0], "a");
	ck_assert_str_eq(ex->params[1], "2");
}
END_TEST

START_TEST(test_routes__a_literal_wins_over_a_parameter)
{
	assert_route("POST", "/v1/definitions/validate", "validate_definition");
	assert_route("GET", "/v1/definitions/validate", "get_definition");
}
END_TEST

START_TEST(test_routes__an_encoded_slash_stays_in_its_parameter)
{
	assert_route("GET", "/v1/idempotency/order/a%2Fb%20c%C3%A9", "get_key");
	ck_assert_str_eq(ex->params[1], "a/b c\xc3\xa9");
	ck_assert_ptr_null(find("GET", "/v1/idempotency/order/a/b"));
	ck_assert_int_eq(ex->status, 404);
}
END_TEST

START_TEST(test_routes__the_rest_of_a_path_is_one_parameter)
{
	assert_route("GET", "/ui/", "dashboard");
	ck_assert_str_eq(ex->params[0], "");
	assert_route("HEAD", "/ui/assets/app-12.js", "dashboard");
	ck_assert_str_eq(ex->params[0], "assets/app-12.js");
	assert_route("GET", "/ui/a/b/c/d/e/f/g/h/i/j/k/?tab=ledger", "dashboard");
	ck_assert_str_eq(ex->params[0], "a/b/c/d/e/f/g/h/i/j/k/");
	assert_route("GET", "/ui/sagas/caf%C3%A9%2F", "dashboard");
	ck_assert_str_eq(ex->params[0], "sagas/caf\xc3\xa9/");
	assert_route("GET", "/ui", "dashboard_home");
	ck_assert_ptr_null(find("GET", "/uix/"));
	ck_assert_int_eq(ex->status, 404);
	ck_assert_ptr_null(find("GET", "/ui/%zz"));
	ck_assert_int_eq(ex->status, 400);
	ck_assert_ptr_null(find("POST", "/ui/sagas"));
	ck_assert_int_eq(ex->status, 405);
	ck_assert_str_eq(ex->headers[0].value, "GET, HEAD");
}
END_TEST

START_TEST(test_routes__says_which_methods_there_are)
{
	ck_assert_ptr_null(find("DELETE", "/v1/definitions/a"));
	ck_assert_int_eq(ex->status, 405);
	ck_assert_uint_eq(ex->n_headers, 1);
	ck_assert_str_eq(ex->headers[0].name, "Allow");
	ck_assert_str_eq(ex->headers[0].value, "GET, PUT, HEAD");
}
END_TEST

START_TEST(test_routes__refuses_what_is_no_path)
{
	static const struct {
		const char *target;
		int status;
	} wrong[] = {
		{"", 404},
		{"*", 404},
		{"v1/sagas", 404},
		{"/v1/sagas/", 404},
		{"//v1/sagas", 404},
		{"/v1//sagas", 404},
		{"/v1/sagas/x/", 404},
		{"/1/2/3/4/5/6/7/8/9/10/11", 404},
		{"/v1/sagas/%", 400},
		{"/v1/sagas/%4", 400},
		{"/v1/sagas/%zz", 400},
		{"/v1/sagas/%00", 400},
		{"/v1/sagas/%ff", 400},
		{"/v1/sagas/%0a", 400},
		{"/v1/sagas?a=%ff", 400},
		{"/v1/sagas?%00=1", 400},
		{"http://host", 404},
		{"/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", 400},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(!find("GET", wrong[i].target), "%s is found", wrong[i].target);
		ck_assert_msg(ex->status == wrong[i].status, "%s: %d", wrong[i].target, ex->status);
	}
}
END_TEST

START_TEST(test_exchange__reads_arguments)
{
	static const char *const known[] = {"limit", "q", "deep"};
	int64_t limit = 7;
	bool deep = false;

	assert_route("GET", "/v1/sagas?q=a%20b+c&limit=12&deep&&", "list_sagas");
	ck_assert_str_eq(exchange_arg(ex, "q"), "a b c");
	ck_assert(exchange_arg_int(ex, "limit", 1, 100, &limit));
	ck_assert_int_eq(limit, 12);
	ck_assert(exchange_arg_int(ex, "absent", 1, 100, &limit));
	ck_assert_int_eq(limit, 12);
	ck_assert(exchange_arg_bool(ex, "deep", &deep));
	ck_assert(deep);
	ck_assert(exchange_args_done(ex, known, 3));
}
END_TEST

START_TEST(test_exchange__refuses_arguments_that_nobody_knows)
{
	static const char *const known[] = {"limit"};
	int64_t limit = 0;

	assert_route("GET", "/v1/sagas?limt=1", "list_sagas");
	ck_assert(!exchange_args_done(ex, known, 1));
	ck_assert_ptr_nonnull(strstr(buf_str(&ex->out), "did you mean limit?"));
	assert_route("GET", "/v1/sagas?limit=1&limit=2", "list_sagas");
	ck_assert(exchange_arg_int(ex, "limit", 1, 100, &limit));
	ck_assert(!exchange_args_done(ex, known, 1));
	ck_assert_ptr_nonnull(strstr(buf_str(&ex->out), "repeated"));
}
END_TEST

START_TEST(test_exchange__refuses_numbers_out_of_range)
{
	static const char *const wrong[] = {"0", "101", "-1",  "1x",
										"",  "1 ",  "1e1", "99999999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(free_p) char *target = xasprintf("/v1/sagas?limit=%s", wrong[i]);
		int64_t limit = 0;

		assert_route("GET", target, "list_sagas");
		ck_assert_msg(!exchange_arg_int(ex, "limit", 1, 100, &limit), "%s", wrong[i]);
		ck_assert_int_eq(ex->status, 400);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("routes");
	TCase *tc = tcase_create("routes");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, test_routes__finds_by_method_and_path);
	tcase_add_test(tc, test_routes__a_literal_wins_over_a_parameter);
	tcase_add_test(tc, test_routes__an_encoded_slash_stays_in_its_parameter);
	tcase_add_test(tc, test_routes__the_rest_of_a_path_is_one_parameter);
	tcase_add_test(tc, test_routes__says_which_methods_there_are);
	tcase_add_test(tc, test_routes__refuses_what_is_no_path);
	tcase_add_test(tc, test_exchange__reads_arguments);
	tcase_add_test(tc, test_exchange__refuses_arguments_that_nobody_knows);
	tcase_add_test(tc, test_exchange__refuses_numbers_out_of_range);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
