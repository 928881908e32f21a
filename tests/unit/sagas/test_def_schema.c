/*
 * schemas/saga.schema.json serves editors: it must find wrong what the loader finds wrong about the
 * structure of a document, and nothing else.
 */
#include <check.h>
#include <string.h>

#include "connectors/yaml.h"
#include "sagas/json_text.h"
#include "sagas/schema.h"
#include "schemas/embedded.h"
#include "tests/support/definition.h"
#include "tests/support/definition_cases.h"

static struct schema *schema;

static void setup(void)
{
	for (size_t i = 0; i < embedded_file_count; i++) {
		CLEANUP(json_decref_p) json_t *doc = NULL;
		struct err err = {0};

		if (strcmp(embedded_files[i].path, "schemas/saga.schema.json") != 0)
			continue;
		ck_assert_msg(json_parse(embedded_files[i].data, embedded_files[i].len, &doc, &err) == 0,
					  "%s: %s", err.place, err.text);
		ck_assert_msg(schema_compile(doc, &schema, &err) == 0, "%s: %s", err.place, err.text);
	}
	ck_assert_ptr_nonnull(schema);
}

static void teardown(void)
{
	schema_free(schema);
	schema = NULL;
}

static void collect(void *ctx, const struct err *err)
{
	buf_printf(ctx, "%s: %s\n", err->place, err->text);
}

static int violations(const char *yaml, struct buf *out)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct findings findings = {0};
	int n;

	ck_assert_int_eq(definition_read("a.yaml", yaml, strlen(yaml), &doc, places, &findings), 0);
	n = schema_validate(schema, doc, collect, out);
	findings_release(&findings);
	return n;
}

START_TEST(test_def_schema__refuses_what_the_loader_refuses)
{
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&out, 0);
	ck_assert_msg(violations(refused_structure[_i].yaml, &out) > 0, "accepted:\n%s",
				  refused_structure[_i].yaml);
}
END_TEST

START_TEST(test_def_schema__leaves_the_meaning_to_the_loader)
{
	CLEANUP(buf_release) struct buf out = {0};

	buf_init(&out, 0);
	ck_assert_msg(violations(refused_meaning[_i].yaml, &out) == 0, "%s\n%s",
				  refused_meaning[_i].yaml, buf_str(&out));
}
END_TEST

static const char *const accepted[] = {
	whole_language,
	"saga: small\nsteps: [{id: a, set: null}]\n",
	"saga: small\nkey_reuse: never\nlabels: {a: 1, b: true, c: x}\n"
	"input: {schema: true}\nparticipants: {a-b_1: {}}\n"
	"steps: [{id: a, needs: [], set: 1}, {id: b, needs: [a], fail: {code: \"${input.c}\"}, when: "
	"false}]\n"
	"output: null\n",
	"saga: on\nrecovery: forward\nsteps: [{id: a, http: {to: p, method: POST, path: \"/a$b\"}}]\n",
	"saga: calls\n"
	"defaults: {timeout: 1.5s, deadline: \"${input.d}\", retry: {initial_interval: 1h30m, "
	"backoff_coefficient: 1,\n"
	"  maximum_interval: 3d, maximum_attempts: 0, jitter: 0, non_retryable: [], on_exhausted: "
	"fail},\n"
	"  outcome: {success: [2xx, 404, \"410\", Code, \"${reply.status == 1}\"], failure: [], "
	"ongoing: [202],\n"
	"            unknown: [423], code: \"${reply.body.code}\"}}\n"
	"steps:\n"
	"  - id: a\n"
	"    for_each: [1, 2]\n"
	"    max_parallel: 1000\n"
	"    tolerate: false\n"
	"    http: {to: p, method: OPTIONS, path: \"/${item}\", query: {a: 1, b: true, c: x}, headers: "
	"{},\n"
	"           content_type: application/merge-patch+json; charset=utf-8, body: null}\n"
	"    probe: {http: {to: p, method: HEAD, path: /}, every: 1ms, timeout: 1s, output: 1,\n"
	"            outcome: {absent: [404], success: [2xx]}}\n"
	"    compensate: none\n"
	"  - id: b\n"
	"    repeat: {until: \"${output.x}\", max: 1}\n"
	"    http: {to: p, method: GET, path: /}\n"
	"  - {id: c, await: {after: \"${duration('3s')}\"}}\n",
};

START_TEST(test_def_schema__accepts_what_the_loader_accepts)
{
	CLEANUP(buf_release) struct buf out = {0};
	struct findings findings = {0};
	struct saga_def *def = NULL;

	buf_init(&out, 0);
	ck_assert_msg(violations(accepted[_i], &out) == 0, "%s", buf_str(&out));
	definition_findings(accepted[_i], &out);
	if (definition_load(accepted[_i], &def, &findings) == 0)
		saga_def_unref(def);
	ck_assert_msg(findings.n_errors == 0, "%s", buf_str(&out));
	findings_release(&findings);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("def_schema");
	TCase *tc = tcase_create("def_schema");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_def_schema__refuses_what_the_loader_refuses, 0,
						ARRAY_SIZE(refused_structure));
	tcase_add_loop_test(tc, test_def_schema__leaves_the_meaning_to_the_loader, 0,
						ARRAY_SIZE(refused_meaning));
	tcase_add_loop_test(tc, test_def_schema__accepts_what_the_loader_accepts, 0,
						ARRAY_SIZE(accepted));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
