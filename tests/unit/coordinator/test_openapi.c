/*
 * schemas/openapi.json against the code: every route is described and nothing else is, every
 * problem is listed, every schema compiles, and what the API writes fits them.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/json_batch.h"
#include "coordinator/json_row.h"
#include "coordinator/problem.h"
#include "coordinator/routes.h"
#include "tests/support/openapi_schema.h"

static const struct {
	const char *name, *method, *pattern;
	unsigned flags;
} table[] = {
#define X(name, method, pattern, flags) {#name, method, pattern, flags},
	ROUTES(X)
#undef X
};

static json_t *document;

static void setup(void)
{
	document = openapi_document();
	ck_assert_ptr_nonnull(document);
}

static void teardown(void)
{
	json_decref(document);
}

static json_t *operation(size_t i)
{
	char method[8] = "";

	for (size_t k = 0; table[i].method[k] && k < sizeof(method) - 1; k++)
		method[k] = (char)(table[i].method[k] | 0x20);
	return json_object_get(json_object_get(json_object_get(document, "paths"), table[i].pattern),
						   method);
}

START_TEST(test_openapi__describes_every_route)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *id = json_string_value(json_object_get(operation(i), "operationId"));

		ck_assert_msg(id != NULL, "%s %s is not described", table[i].method, table[i].pattern);
		ck_assert_str_eq(id, table[i].name);
	}
}
END_TEST

START_TEST(test_openapi__describes_nothing_else)
{
	const char *pattern, *method;
	json_t *path, *op;
	size_t n = 0;

	json_object_foreach (json_object_get(document, "paths"), pattern, path) {
		json_object_foreach (path, method, op)
			n++;
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(table));
}
END_TEST

START_TEST(test_openapi__says_which_routes_take_a_body)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		bool described = json_object_get(operation(i), "requestBody") != NULL;

		ck_assert_msg(described == !!(table[i].flags & (ROUTE_JSON | ROUTE_TEXT | ROUTE_ANY)), "%s",
					  table[i].name);
	}
}
END_TEST

/* Each parameter of a path is described, and each that is described stands in the path. */
START_TEST(test_openapi__describes_the_parameters_of_paths)
{
	json_t *shared = json_object_get(json_object_get(document, "components"), "parameters");

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		json_t *parameter;
		size_t k, described = 0, there = 0;

		for (const char *p = table[i].pattern; *p; p++)
			there += *p == '{';
		json_array_foreach (json_object_get(operation(i), "parameters"), k, parameter) {
			const char *ref = json_string_value(json_object_get(parameter, "$ref"));
			char braced[80];

			if (ref)
				parameter = json_object_get(shared, strrchr(ref, '/') + 1);
			ck_assert_ptr_nonnull(parameter);
			if (strcmp(json_string_value(json_object_get(parameter, "in")), "path") != 0)
				continue;
			described++;
			snprintf(braced, sizeof(braced), "{%s}",
					 json_string_value(json_object_get(parameter, "name")));
			ck_assert_msg(strstr(table[i].pattern, braced) != NULL, "%s in %s", braced,
						  table[i].pattern);
		}
		ck_assert_msg(described == there, "%s", table[i].pattern);
	}
}
END_TEST

START_TEST(test_openapi__every_schema_compiles)
{
	json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
	const char *name;
	json_t *value;

	json_object_foreach (schemas, name, value) {
		struct err err;
		struct schema *schema = openapi_schema(name, &err);

		ck_assert_msg(schema != NULL, "%s: %s: %s", name, err.place, err.text);
		schema_free(schema);
	}
}
END_TEST

static void assert_fits(const char *schema, struct buf *text)
{
	json_t *value = json_loads(buf_str(text), 0, NULL);

	ck_assert_msg(value != NULL, "no JSON: %s", buf_str(text));
	ck_assert_msg(openapi_violations(schema, value) == 0, "%s: %s", schema, buf_str(text));
	json_decref(value);
	buf_clear(text);
}

START_TEST(test_openapi__problems_fit)
{
	struct problem_errors errors = {0};
	struct buf out;

	buf_init(&out, 0);
	problem_errors_add(&errors, "/a", 3, "b");
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		problem_write(i, "d", i % 2 ? &errors : NULL, "r", &out);
		assert_fits("Problem", &out);
	}
	problem_errors_release(&errors);
	buf_release(&out);
}
END_TEST

START_TEST(test_openapi__rows_fit)
{
	struct saga_row row = {.id = "0198c0de-7a31-7abc-bf11-223344556677",
						   .ns = "default",
						   .definition = "order",
						   .version = 3,
						   .started_at = 1767225600000,
						   .updated_at = 1767225600001};
	struct definition_row definition = {
		.name = "order", .version = 1, .hash = "ab", .deployed_at = 1767225600000};
	struct buf out;

	buf_init(&out, 0);
	for (int i = 0; i < SAGA_STATUS_COUNT; i++) {
		row.status = i;
		json_row_saga(&row, &out);
		assert_fits("SagaRow", &out);
	}
	row.key = "o\"1";
	row.ended_at = row.due_at = 1767225600002;
	row.attention.text = "undo fails";
	json_row_saga(&row, &out);
	assert_fits("SagaRow", &out);
	row.attention = (struct attention_ref){
		"refund: undo fails", "0123456789abcdef", "stuck", "refund", "undo", "http_500"};
	row.attention_at = 1767225600003;
	row.owner = "ana";
	row.due_at = STORE_DUE_NEVER;
	json_row_saga(&row, &out);
	/* It waits for a person, and for no time. */
	ck_assert_ptr_nonnull(strstr(buf_str(&out), "\"next_due_at\":null"));
	assert_fits("SagaRow", &out);
	json_row_definition_open(&definition, &out);
	buf_add_char(&out, '}');
	assert_fits("DefinitionRow", &out);
	buf_release(&out);
}
END_TEST

START_TEST(test_openapi__batches_fit)
{
	struct batch_row batch = {
		.ns = "default",
		.id = "6ba7b810-9dad-51d1-80b4-00c04fd430c8",
		.act = "{\"act\":\"retry\",\"reason\":\"they are back\"}",
		.query = "group:0123456789abcdef",
		.by = "ana",
		.created_at = 1767225600000,
		.updated_at = 1767225600001,
		.n = {1, 2, 3, 4},
	};
	struct batch_item_row item = {.saga_id = "0198c0de-7a31-7abc-bf11-223344556677",
								  .updated_at = 1767225600000};
	struct saga_row saga = {.status = SAGA_COMPENSATING};
	struct buf out;

	buf_init(&out, 0);
	for (int i = 0; i < BATCH_STATUS_COUNT; i++) {
		batch.status = (enum batch_status)i;
		json_batch(&batch, &out);
		assert_fits("Batch", &out);
		batch.rate = 0.5;
		batch.ended_at = 1767225600002;
	}
	for (int i = 0; i < BATCH_ITEM_STATUS_COUNT; i++) {
		item.status = (enum batch_item_status)i;
		json_batch_item(&item, i % 2 ? &saga : NULL, &out);
		assert_fits("BatchItem", &out);
	}
	item.effect = "{\"events\":[\"ActTaken\"],\"seq\":9,\"status_before\":\"running\","
				  "\"status_after\":\"completed\"}";
	item.error = "it \"was\" not \xe2\x82"; /* cut within a character */
	item.seq = 9;
	saga.attention.text = "undo fails";
	json_batch_item(&item, &saga, &out);
	assert_fits("BatchItem", &out);
	buf_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("openapi");
	TCase *tc = tcase_create("openapi");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60); /* each schema is compiled with all that it refers to */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_openapi__describes_every_route);
	tcase_add_test(tc, test_openapi__describes_nothing_else);
	tcase_add_test(tc, test_openapi__says_which_routes_take_a_body);
	tcase_add_test(tc, test_openapi__describes_the_parameters_of_paths);
	tcase_add_test(tc, test_openapi__every_schema_compiles);
	tcase_add_test(tc, test_openapi__problems_fit);
	tcase_add_test(tc, test_openapi__rows_fit);
	tcase_add_test(tc, test_openapi__batches_fit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
