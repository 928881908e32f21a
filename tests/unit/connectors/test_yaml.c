#include "connectors/yaml.h"

#include <check.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* The document as canonical JSON, or its findings, one a line: "line pointer: text". */
static char *read_text(const char *name, const char *text, size_t len, struct doc_places *places)
{
	struct findings findings = {0};
	json_t *doc = NULL;
	struct buf out;

	buf_init(&out, 0);
	if (definition_read(name, text, len, &doc, places, &findings) < 0) {
		ck_assert_ptr_null(doc);
		ck_assert_uint_gt(findings.n_errors, 0);
	}
	if (findings.n == 0) {
		json_write_canonical(doc, &out);
	} else {
		for (size_t i = 0; i < findings.n; i++)
			buf_printf(&out, "%d %s: %s\n", findings.list[i].line, findings.list[i].pointer,
					   findings.list[i].text);
	}
	findings_release(&findings);
	json_decref(doc);
	return buf_take(&out, NULL);
}

static const struct {
	const char *text, *json;
} accepted[] = {
	{"a: 1\nb: [x, \"y\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\"]}"},
	{"a: 19.99\nb: -1\nc: 1e3\nd: 0\ne: 9223372036854775807\n",
	 "{\"a\":19.99,\"b\":-1,\"c\":1000.0,\"d\":0,\"e\":9223372036854775807}"},
	{"a: no\nb: yes\nc: on\nd: off\ne: y\n",
	 "{\"a\":\"no\",\"b\":\"yes\",\"c\":\"on\",\"d\":\"off\",\"e\":\"y\"}"},
	{"a: true\nb: false\nc: null\nd: ~\ne:\n",
	 "{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":null}"},
	{"a: \"true\"\nb: '1'\n", "{\"a\":\"true\",\"b\":\"1\"}"},
	{"a: 2xx\nb: 1.2.3\nc: 2026-01-31\nd: 12:30\ne: 1_000\nf: 3d\n",
	 "{\"a\":\"2xx\",\"b\":\"1.2.3\",\"c\":\"2026-01-31\",\"d\":\"12:30\",\"e\":\"1_000\",\"f\":"
	 "\"3d\"}"},
	{"key: ${input.order_id}   # one saga\n", "{\"key\":\"${input.order_id}\"}"},
	{"key: pay:${input.reference}\n", "{\"key\":\"pay:${input.reference}\"}"},
	{"when: ${steps.a.output.filter(r, r != null)}\n",
	 "{\"when\":\"${steps.a.output.filter(r, r != null)}\"}"},
	{"when: ${'}' == x} # ok\n", "{\"when\":\"${'}' == x}\"}"},
	{"a: $${literal\n", "{\"a\":\"$${literal\"}"},
	{"a: {b: \"${x}\"}\n", "{\"a\":{\"b\":\"${x}\"}}"},
	{"a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}"},
	{"--- \na: 1\n...\n", "{\"a\":1}"},
	{"404: x\ntrue: y\n", "{\"404\":\"x\",\"true\":\"y\"}"},
	{"  {\"a\": [1, {}]}", "{\"a\":[1,{}]}"},
	{"\xef\xbb\xbf"
	 "a: 1\r\nb: [x,\r\n  y]\r\n",
	 "{\"a\":1,\"b\":[\"x\",\"y\"]}"},
};

START_TEST(test_yaml__reads)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = accepted[_i].text;
	CLEANUP(free_p) char *json = read_text("a.yaml", text, strlen(text), places);

	ck_assert_str_eq(json, accepted[_i].json);
}
END_TEST

/* The line, the pointer, and a part of the text of the only finding. */
static const struct {
	const char *text, *place, *part;
} refused[] = {
	{"a: 1\nb: 2\na: 3\n", "3 /a: ", "stands here twice"},
	{"x:\n  - {a: 1, a: 2}\n", "2 /x/0/a: ", "stands here twice"},
	{"a: ${x == ' #'}\n", "1 /a: ", "\" #\" begins a comment; quote"},
	{"é: [\"é\"]\na: ${é # y}\n", "2 /a: ", "\" #\" begins a comment; quote"},
	{"a: !has(input.x)\n", "1 /a: ", "write \"${!has(input.x)}\""},
	{"a: !!str 5\n", "1 /a: ", "!!str are not used"},
	{"a: &x 1\n", "1 /a: ", "anchors"},
	{"a: *x\n", "1 /a: ", "aliases"},
	{"<<: {a: 1}\n", "1 /<<: ", "merge keys"},
	{"a: 1\n---\nb: 2\n", "2 : ", "second document"},
	{"a:\n\tb: 1\n", "2 : ", "not with tabs"},
	{"a: {b: ${x}}\n", "1 : ", "quote text that holds ${...}"},
	{"a: [${x}]\n", "1 : ", "quote text that holds ${...}"},
	{"steps:\n  - when: ${a ? b : c}\n", "2 : ", "quote text that holds ${...}"},
	{"a: {b: 1\n", "2 : ", "not YAML"},
	{"a: 007\n", "1 /a: ", "quote it"},
	{"a: +5\n", "1 /a: ", "quote it"},
	{"a: .5\n", "1 /a: ", "quote it"},
	{"a: 0x1f\n", "1 /a: ", "quote it"},
	{"a: .inf\n", "1 /a: ", "no number of JSON"},
	{"a: True\n", "1 /a: ", "small letters"},
	{"a: 9223372036854775808\n", "1 /a: ", "number 9223372036854775808"},
	{"a: 0.1234567890123456789012\n", "1 /a: ", "number 0.1234"},
	{"{a: 1}: b\n", "1 : ", "a key must be text"},
	{"a: \"x\\0y\"\n", "1 /a: ", "NUL"},
	{"", "0 : ", "empty"},
	{"# nothing\n", "0 : ", "empty"},
};

START_TEST(test_yaml__refuses_what_yaml_swallows)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = refused[_i].text;
	CLEANUP(free_p) char *found = read_text("a.yml", text, strlen(text), places);

	ck_assert_msg(strncmp(found, refused[_i].place, strlen(refused[_i].place)) == 0, "%s", found);
	ck_assert_msg(strstr(found, refused[_i].part) != NULL, "%s", found);
	ck_assert_ptr_eq(strchr(found, '\n'), found + strlen(found) - 1);
}
END_TEST

START_TEST(test_yaml__reports_all_at_once)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = "a: 007\nb: !x 1\nc: &y 2\na: 3\n";
	CLEANUP(free_p) char *found = read_text(NULL, text, strlen(text), places);
	int lines = 0;

	for (const char *c = found; *c; c++)
		lines += *c == '\n';
	ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(test_yaml__knows_the_lines)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = "# head\nsaga: x\nsteps:\n  - id: a\n    http: {to: b,\n      path: /c}\n";
	CLEANUP(free_p) char *json = read_text(NULL, text, strlen(text), places);

	ck_assert_ptr_nonnull(json);

	ck_assert_int_eq(doc_places_line(places, ""), 2);
	ck_assert_int_eq(doc_places_line(places, "/steps"), 3);
	ck_assert_int_eq(doc_places_line(places, "/steps/0"), 4);
	ck_assert_int_eq(doc_places_line(places, "/steps/0/http/path"), 6);
	/* What is not there is told at its nearest parent. */
	ck_assert_int_eq(doc_places_line(places, "/steps/0/http/method/x"), 5);
	ck_assert_int_eq(doc_places_line(NULL, "/steps"), 0);
}
END_TEST

START_TEST(test_yaml__limits_size_depth_and_nodes)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	size_t size = DEF_MAX_BYTES + 1;
	CLEANUP(free_p) char *text = xcalloc(1, size + 1);
	char *found;

	memset(text, 'a', size);
	found = read_text(NULL, text, size, places);
	ck_assert_msg(strstr(found, "bytes") != NULL, "%s", found);
	free(found);
	memset(text, '[', 1000);
	found = read_text(NULL, text, 1000, places);
	ck_assert_msg(strstr(found, "deeper") != NULL, "%s", found);
	free(found);
	text[0] = '[';
	for (size_t i = 1; i + 1 < size; i += 2) {
		text[i] = '1';
		text[i + 1] = ',';
	}
	text[400000] = ']';
	found = read_text(NULL, text, 400001, places);
	ck_assert_msg(strstr(found, "values") != NULL, "%s", found);
	free(found);
}
END_TEST

static const struct {
	const char *text, *found;
} json_refused[] = {
	{"{\"a\": 1,\n \"a\": 2,\n \"b\": {\"c\": 1, \"c\": 2}}",
	 "2 /a: the key `a` stands here twice\n3 /b/c: the key `c` stands here twice\n"},
	{"{\"a\": [{}, {\"b/\": 1, \"b/\": \"}]\"}]}", "1 /a/1/b~1: the key `b/` stands here twice\n"},
};

START_TEST(test_json__reports_duplicate_keys)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = json_refused[_i].text;
	CLEANUP(free_p) char *found = read_text(NULL, text, strlen(text), places);

	ck_assert_str_eq(found, json_refused[_i].found);
}
END_TEST

START_TEST(test_json__tells_the_line_of_an_error)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text = "{\"a\": 1,\n\"b\": }";
	CLEANUP(free_p) char *found = read_text(NULL, text, strlen(text), places);

	ck_assert_msg(strncmp(found, "2 : not JSON", 12) == 0, "%s", found);
}
END_TEST

START_TEST(test_json__knows_the_lines)
{
	CLEANUP(doc_places_free_p) struct doc_places *places = doc_places_new();
	const char *text =
		"\n{\"a\\n\": [1,\n  {\"b\": \"\\\"]\",\n\"c\": null}, -1.5e3]\n,\"d\":true}";
	CLEANUP(free_p) char *json = read_text(NULL, text, strlen(text), places);

	ck_assert_ptr_nonnull(json);

	ck_assert_str_eq(json, "{\"a\\n\":[1,{\"b\":\"\\\"]\",\"c\":null},-1500.0],\"d\":true}");
	ck_assert_int_eq(doc_places_line(places, "/a\n"), 2);
	ck_assert_int_eq(doc_places_line(places, "/a\n/1"), 3);
	ck_assert_int_eq(doc_places_line(places, "/a\n/1/c"), 4);
	ck_assert_int_eq(doc_places_line(places, "/d"), 5);
}
END_TEST

START_TEST(test_findings__stop_at_a_hundred_and_say_so)
{
	struct findings findings = {0};

	for (int i = 0; i < 120; i++)
		findings_add(&findings, FINDING_ERROR, i, "/x", "number %d", i);
	ck_assert_uint_eq(findings.n, 100);
	ck_assert_uint_eq(findings.n_errors, 120);
	ck_assert(findings.truncated);
	findings_release(&findings);
	ck_assert_uint_eq(findings.n, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tc = tcase_create("yaml");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_yaml__reads, 0, ARRAY_SIZE(accepted));
	tcase_add_loop_test(tc, test_yaml__refuses_what_yaml_swallows, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, test_yaml__reports_all_at_once);
	tcase_add_test(tc, test_yaml__knows_the_lines);
	tcase_add_test(tc, test_yaml__limits_size_depth_and_nodes);
	tcase_add_loop_test(tc, test_json__reports_duplicate_keys, 0, ARRAY_SIZE(json_refused));
	tcase_add_test(tc, test_json__tells_the_line_of_an_error);
	tcase_add_test(tc, test_json__knows_the_lines);
	tcase_add_test(tc, test_findings__stop_at_a_hundred_and_say_so);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
