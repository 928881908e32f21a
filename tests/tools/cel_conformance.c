/*
 * Runs cases of the public CEL conformance suite against Skald's expressions:
 *
 *     cel_conformance [-v] FILE.jsonl…
 *
 * A line is a JSON object: "expr", optional "bindings" (name -> JSON value), and either "value"
 * (the expected JSON value; {"$double": "inf" | "-inf" | "nan"} for what JSON lacks) or "error":
 * true (parsing or evaluating must fail). Optional "file", "section" and "name" say which case it
 * is.
 *
 * Cases outside the documented subset (docs/expressions.md) are skipped by the rules below, each
 * with its reason; a skipped case never counts as passed. Exit code 1 when a case fails.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/expr.h"
#include "sagas/json_text.h"

/* NULL matches anything; `expr` is a part of the expression. The first rule that matches counts. */
static const struct rule {
	const char *section;
	const char *name;
	const char *expr;
	const char *reason;
} rules[] = {
	{"qualified_identifier_resolution", "qualified_ident", NULL, "names have no points in them"},
	{"qualified_identifier_resolution", "map_field_select", NULL, "names have no points in them"},
	{"qualified_identifier_resolution", "qualified_identifier_resolution_unchecked", NULL,
	 "names have no points in them"},
	{"qualified_identifier_resolution", "ident_with_longest_prefix_check", NULL,
	 "names have no points in them"},
	{"qualified", "self_eval_qualified_lookup", NULL, "names have no points in them"},
	{NULL, "map_null_entry_no_such_key", NULL, "after .? null counts as absent"},
	{"string_literals", NULL, "\\000", "text cannot hold the character NUL"},
	{"string_literals", NULL, "\\x00", "text cannot hold the character NUL"},
	{"string_literals", NULL, "\\X00", "text cannot hold the character NUL"},
	{"string_literals", NULL, "\\u0000", "text cannot hold the character NUL"},
	{"string_literals", NULL, "\\U00000000", "text cannot hold the character NUL"},
	{"timestamp_selectors_tz", NULL, "Australia/", "zones are offsets; names need a database"},
	{"timestamp_selectors_tz", NULL, "US/", "zones are offsets; names need a database"},
	{"timestamp_selectors_tz", NULL, "America/", "zones are offsets; names need a database"},
	{"timestamp_selectors_tz", NULL, "Asia/", "zones are offsets; names need a database"},
	{NULL, NULL, "uint(", "no unsigned integers"},
	{NULL, NULL, "bytes(", "no bytes"},
	{NULL, NULL, "TestAllTypes", "no protocol buffers"},
	{NULL, NULL, "google.protobuf", "no protocol buffers"},
	{NULL, NULL, ".format(", "no format()"},
	{NULL, NULL, "strings.quote(", "no strings.quote()"},
	{NULL, NULL, "cel.bind(", "no bindings extension"},
	{NULL, NULL, "math.", "no math extension"},
};

struct totals {
	unsigned passed, failed, skipped;
	bool verbose;
};

static const char *text_of(const json_t *test, const char *key)
{
	const char *text = json_string_value(json_object_get(test, key));

	return text ? text : "";
}

static const char *skip_reason(const json_t *test)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];

		if ((!rule->section || strcmp(rule->section, text_of(test, "section")) == 0) &&
			(!rule->name || strcmp(rule->name, text_of(test, "name")) == 0) &&
			(!rule->expr || strstr(text_of(test, "expr"), rule->expr)))
			return rule->reason;
	}
	return NULL;
}

static json_t *binding(void *ctx, const char *name)
{
	return json_object_get(ctx, name);
}

/* Numbers by value within their type, for 1.0 and 1 are different results; the rest by equality. */
static bool same(const json_t *a, const json_t *b)
{
	struct buf x, y;
	bool equal;

	buf_init(&x, 0);
	buf_init(&y, 0);
	json_write_canonical(a, &x);
	json_write_canonical(b, &y);
	equal = strcmp(buf_str(&x), buf_str(&y)) == 0;
	buf_release(&x);
	buf_release(&y);
	return equal;
}

static int evaluate(const char *text, json_t *bindings, json_t **ret_value, struct err *err)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	const struct expr_env env = {.ctx = bindings, .other = binding};
	int r;

	r = expr_parse(text, strlen(text), &expr, err);
	if (r < 0)
		return r;
	return expr_eval(expr, &env, ret_value, err);
}

/* What JSON cannot hold is compared inside the language. */
static const char *wrap(const char *text, const json_t *expected, struct buf *out)
{
	const char *special = text_of(expected, "$double");

	if (strcmp(special, "nan") == 0)
		buf_printf(out, "(%s) != (%s)", text, text);
	else
		buf_printf(out, "(%s) == %s1.0/0.0", text, *special == '-' ? "-" : "");
	return buf_str(out);
}

static bool run(const json_t *test, struct buf *why)
{
	const char *text = text_of(test, "expr");
	json_t *bindings = json_object_get(test, "bindings");
	const json_t *expected = json_object_get(test, "value");
	CLEANUP(json_decref_p) json_t *value = NULL;
	bool special = json_object_get(expected, "$double") != NULL;
	struct err err = {0};
	struct buf wrapped;
	int r;

	buf_init(&wrapped, 0);
	r = evaluate(special ? wrap(text, expected, &wrapped) : text, bindings, &value, &err);
	buf_release(&wrapped);
	if (!expected) {
		if (r < 0)
			return true;
		buf_add_str(why, "an error was expected, and it gave ");
	} else {
		if (r < 0) {
			buf_printf(why, "%s: %s", err.place, err.text);
			return false;
		}
		if (special ? json_is_true(value) : value && same(value, expected))
			return true;
		json_write(expected, why);
		buf_add_str(why, " was expected, and it gave ");
	}
	if (value)
		json_write(value, why);
	else
		buf_add_str(why, "nothing");
	return false;
}

static void run_line(const char *line, struct totals *totals)
{
	CLEANUP(json_decref_p) json_t *test = json_loads(line, JSON_ALLOW_NUL, NULL);
	const char *reason;
	struct buf why;
	bool passed;

	if (!test) {
		printf("FAIL  a line is not JSON: %.60s\n", line);
		totals->failed++;
		return;
	}
	buf_init(&why, 0);
	reason = skip_reason(test);
	if (reason) {
		totals->skipped++;
		printf("skip  %s/%s/%s: %s\n", text_of(test, "file"), text_of(test, "section"),
			   text_of(test, "name"), reason);
	} else {
		passed = run(test, &why);
		totals->passed += passed;
		totals->failed += !passed;
		if (!passed || totals->verbose)
			printf("%s  %s/%s/%s: %s\n      %s\n", passed ? "pass" : "FAIL", text_of(test, "file"),
				   text_of(test, "section"), text_of(test, "name"), text_of(test, "expr"),
				   buf_str(&why));
	}
	buf_release(&why);
}

int main(int argc, char **argv)
{
	struct totals totals = {0};
	CLEANUP(free_p) char *line = NULL;
	size_t size = 0;

	for (int i = 1; i < argc; i++) {
		FILE *file;

		if (strcmp(argv[i], "-v") == 0) {
			totals.verbose = true;
			continue;
		}
		file = fopen(argv[i], "r");
		if (!file) {
			perror(argv[i]);
			return 2;
		}
		while (getline(&line, &size, file) > 0)
			run_line(line, &totals);
		fclose(file);
	}
	printf("%u passed, %u failed, %u skipped\n", totals.passed, totals.failed, totals.skipped);
	return totals.failed ? 1 : 0;
}
