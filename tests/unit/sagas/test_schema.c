#include "sagas/schema.h"

#include <check.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/json_text.h"

static json_t *parse(const char *text)
{
	struct err err = {0};
	json_t *value = NULL;

	ck_assert_msg(json_parse(text, strlen(text), &value, &err) == 0, "%s: %s", text, err.text);
	return value;
}

static void collect(void *ctx, const struct err *err)
{
	buf_printf(ctx, "%s: %s\n", err->place, err->text);
}

/* What a schema finds in a value, one violation a line; "" when it fits. */
static const struct {
	const char *schema, *value, *found;
} cases[] = {
	{"true", "1", ""},
	{"false", "1", ": nothing is allowed here\n"},
	{"{}", "[{}]", ""},
	{"{\"type\":\"object\"}", "[]", ": must be an object, not an array\n"},
	{"{\"type\":\"integer\"}", "1.0", ""},
	{"{\"type\":\"integer\"}", "1.5", ": must be an integer, not a number\n"},
	{"{\"type\":[\"string\",\"null\"]}", "7", ": must be null or a string, not an integer\n"},
	{"{\"type\":\"number\"}", "\"7\"", ": must be a number, not a string\n"},
	{"{\"enum\":[1,\"a\"]}", "1.0", ""},
	{"{\"enum\":[1,\"a\"]}", "2", ": must be one of [1,\"a\"]\n"},
	{"{\"const\":{\"a\":[1]}}", "{\"a\":[1.0]}", ""},
	{"{\"minimum\":1}", "0", ": must be at least 1\n"},
	{"{\"exclusiveMaximum\":2.5}", "2.5", ": must be below 2.5\n"},
	{"{\"minimum\":9007199254740993}", "9007199254740992", ": must be at least 9007199254740993\n"},
	{"{\"multipleOf\":0.01}", "19.99", ""},
	{"{\"multipleOf\":0.01}", "19.995", ": must be a multiple of 0.01\n"},
	{"{\"minLength\":2}", "\"\xc3\xa9\"", ": must have at least 2 characters\n"},
	{"{\"maxLength\":1}", "\"\xc3\xa9\"", ""},
	{"{\"pattern\":\"^[A-Z]+$\"}", "\"ab\"", ": must match ^[A-Z]+$\n"},
	{"{\"format\":\"date-time\"}", "\"2026-02-30T00:00:00Z\"",
	 ": must be a time such as 2026-01-31T23:59:59Z\n"},
	{"{\"format\":\"date\"}", "\"2026-02-28\"", ""},
	{"{\"format\":\"date\"}", "\"2026-2-8\"", ": must be a date such as 2026-01-31\n"},
	{"{\"format\":\"uuid\"}", "\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"", ""},
	{"{\"format\":\"uuid\"}", "\"f81d4fae\"", ": must be a UUID\n"},
	{"{\"format\":\"email\"}", "\"a@example.org\"", ""},
	{"{\"format\":\"email\"}", "\"a@@b\"", ": must be an e-mail address\n"},
	{"{\"format\":\"uri\"}", "\"not checked\"", ""},
	{"{\"required\":[\"a\",\"b\"],\"properties\":{\"c\":{\"type\":\"string\"}}}", "{\"c\":1}",
	 ": `a` is missing\n: `b` is missing\n/c: must be a string, not an integer\n"},
	{"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b/~\":2}",
	 "/b~1~0: `b/~` is not known here\n"},
	{"{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"x\":\"1\"}",
	 "/x: must be an integer, not a string\n"},
	{"{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}",
	 "/ab: `ab` is not allowed as a name here\n"},
	{"{\"minProperties\":1}", "{}", ": must have at least 1 entries\n"},
	{"{\"items\":{\"required\":[\"sku\"]}}", "[{\"sku\":1},{}]", "/1: `sku` is missing\n"},
	{"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
	 "/1: nothing is allowed here\n"},
	{"{\"maxItems\":1}", "[1,2]", ": must have at most 1 items\n"},
	{"{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]",
	 ": items 1 and 2 are the same\n"},
	{"{\"uniqueItems\":true}", "[[1],[2],1,\"1\",true]", ""},
	{"{\"contains\":{\"type\":\"string\"}}", "[1]",
	 ": must hold at least 1 items of the right form\n"},
	{"{\"contains\":{\"type\":\"string\"},\"maxContains\":1}", "[\"a\",\"b\"]",
	 ": must hold at most 1 items of this form\n"},
	{"{\"allOf\":[{\"minimum\":3},{\"maximum\":1}]}", "2",
	 ": must be at least 3\n: must be at most 1\n"},
	{"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1",
	 ": matches none of the 2 forms that are allowed here\n"},
	{"{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "3",
	 ": must match exactly one of 2 forms, and matches 2\n"},
	{"{\"not\":{\"type\":\"string\"}}", "\"a\"", ": has a form that is not allowed here\n"},
	{"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},"
	 "\"else\":{\"required\":[\"c\"]}}",
	 "{\"a\":1}", ": `b` is missing\n"},
	{"{\"$defs\":{\"tree\":{\"properties\":{\"kids\":{\"items\":{\"$ref\":\"#/$defs/tree\"}},"
	 "\"name\":{\"type\":\"string\"}}}},\"$ref\":\"#/$defs/tree\"}",
	 "{\"kids\":[{\"kids\":[{\"name\":1}]}]}",
	 "/kids/0/kids/0/name: must be a string, not an integer\n"},
	{"{\"$ref\":\"#\"}", "1", ": is too much to be checked with its schema\n"},
	{"{\"not\":{\"not\":{\"$ref\":\"#\"}}}", "1", ": is too much to be checked with its schema\n"},
};

START_TEST(test_schema__reports_each_violation_with_its_pointer)
{
	CLEANUP(json_decref_p) json_t *doc = parse(cases[_i].schema);
	CLEANUP(json_decref_p) json_t *value = parse(cases[_i].value);
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	CLEANUP(buf_release) struct buf found = {0};
	struct err err = {0};
	int n = 0, lines = 0;

	buf_init(&found, 0);
	ck_assert_msg(schema_compile(doc, &schema, &err) == 0, "%s: %s", cases[_i].schema, err.text);
	n = schema_validate(schema, value, collect, &found);
	ck_assert_str_eq(buf_str(&found), cases[_i].found);
	for (const char *c = cases[_i].found; *c; c++)
		lines += *c == '\n';
	ck_assert_int_eq(n, lines);
	ck_assert_int_eq(schema_validate(schema, value, NULL, NULL), lines);
}
END_TEST

static const struct {
	const char *schema, *place, *text;
} refused[] = {
	{"1", "", "must be an object"},
	{"{\"type\":\"strnig\"}", "/type", "did you mean `string`?"},
	{"{\"requierd\":[]}", "/requierd", "did you mean `required`?"},
	{"{\"properties\":{\"a/b\":{\"unevaluatedProperties\":false}}}",
	 "/properties/a~1b/unevaluatedProperties", "not supported"},
	{"{\"properties\":{\"a\":[]}}", "/properties/a", "must be an object"},
	{"{\"items\":{\"minLength\":-1}}", "/items/minLength", "whole number"},
	{"{\"pattern\":\"(\"}", "/pattern", "has no )"},
	{"{\"$ref\":\"#/$defs/none\"}", "/$ref", "leads to nothing"},
	{"{\"$ref\":\"http://example.org/other\"}", "/$ref", "into this schema"},
	{"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "/$schema", "2020-12"},
	{"{\"$defs\":{\"unused\":{\"enum\":[]}}}", "/$defs/unused/enum", "list"},
	{"{\"anyOf\":[]}", "/anyOf", "list of schemas"},
	{"{\"oneOf\":[true,{\"multipleOf\":0}]}", "/oneOf/1/multipleOf", "above 0"},
};

START_TEST(test_schema__refuses_what_it_would_have_to_ignore)
{
	CLEANUP(json_decref_p) json_t *doc = parse(refused[_i].schema);
	struct schema *schema;
	struct err err = {0};

	ck_assert_int_eq(schema_compile(doc, &schema, &err), ERR_INVALID);
	ck_assert_str_eq(err.place, refused[_i].place);
	ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_schema__check_reports_every_error)
{
	CLEANUP(json_decref_p)
	json_t *doc =
		parse("{\"type\":\"objekt\",\"requierd\":[],\"properties\":{\"a\":{\"pattern\":\"(\"},"
			  "\"b\":[],\"c\":{\"type\":\"string\"}},\"$ref\":\"#/x\"}");
	CLEANUP(buf_release) struct buf found = {0};

	buf_init(&found, 0);
	ck_assert_int_eq(schema_check(doc, collect, &found), 5);
	ck_assert_str_eq(buf_str(&found), "/type: unknown type `objekt`; did you mean `object`?\n"
									  "/requierd: unknown keyword `requierd`; did you mean "
									  "`required`?\n"
									  "/properties/a/pattern: a ( has no )\n"
									  "/properties/b: a schema must be an object, true or false\n"
									  "/$ref: $ref leads to nothing: #/x\n");
	ck_assert_int_eq(schema_check(json_true(), collect, &found), 0);
}
END_TEST

START_TEST(test_schema__accepts_annotations)
{
	CLEANUP(json_decref_p)
	json_t *doc = parse("{\"title\":\"t\",\"description\":\"d\",\"default\":1,\"examples\":[1],"
						"\"$id\":\"https://example.org/s\",\"x-team\":\"a\","
						"\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}");
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	struct err err = {0};

	ck_assert_int_eq(schema_compile(doc, &schema, &err), 0);
	ck_assert_ptr_eq(schema_doc(schema), doc);
}
END_TEST

START_TEST(test_schema__stops_reporting_at_fifty)
{
	CLEANUP(json_decref_p) json_t *doc = parse("{\"items\":{\"type\":\"string\"}}");
	CLEANUP(json_decref_p) json_t *value = json_array();
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	CLEANUP(buf_release) struct buf found = {0};
	struct err err = {0};
	int lines = 0;

	buf_init(&found, 0);
	for (int i = 0; i < 60; i++)
		json_array_append_new(value, json_integer(i));
	ck_assert_int_eq(schema_compile(doc, &schema, &err), 0);
	ck_assert_int_eq(schema_validate(schema, value, collect, &found), 60);
	for (const char *c = buf_str(&found); *c; c++)
		lines += *c == '\n';
	ck_assert_int_eq(lines, 50);
}
END_TEST

/* Each level doubles the work of the one below. */
START_TEST(test_schema__ends_when_a_schema_explodes)
{
	CLEANUP(json_decref_p) json_t *doc = json_object();
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	json_t *defs = json_object();
	struct err err = {0};
	char name[16], ref[32];

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(ref, sizeof(ref), "#/$defs/d%d", i + 1);
		json_object_set_new(defs, name,
							json_pack("{s:[{s:s},{s:s}]}", "allOf", "$ref", ref, "$ref", ref));
	}
	json_object_set_new(defs, "d30", json_object());
	json_object_set_new(doc, "$defs", defs);
	json_object_set_new(doc, "$ref", json_string("#/$defs/d0"));
	ck_assert_int_eq(schema_compile(doc, &schema, &err), 0);
	ck_assert_int_gt(schema_validate(schema, doc, NULL, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schema");
	TCase *tc = tcase_create("schema");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_schema__reports_each_violation_with_its_pointer, 0,
						ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, test_schema__refuses_what_it_would_have_to_ignore, 0,
						ARRAY_SIZE(refused));
	tcase_add_test(tc, test_schema__check_reports_every_error);
	tcase_add_test(tc, test_schema__accepts_annotations);
	tcase_add_test(tc, test_schema__stops_reporting_at_fifty);
	tcase_add_test(tc, test_schema__ends_when_a_schema_explodes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
