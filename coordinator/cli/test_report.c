#include "coordinator/cli/test_report.h"

#include <errno.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"

void test_report_init(struct test_report *report)
{
	*report = (struct test_report){.tests = json_array()};
}

void test_report_release(struct test_report *report)
{
	json_decref(report->tests);
}

void test_report_add(struct test_report *report, const struct deftest_file *file, size_t index,
					 const struct deftest_result *result)
{
	json_t *failures = json_array();

	for (size_t i = 0; i < result->n_failures; i++)
		json_array_append_new(failures, json_pack("{s:i, s:s}", "line", result->failures[i].line,
												  "text", result->failures[i].text));
	json_array_append_new(report->tests,
						  json_pack("{s:s, s:i, s:s, s:b, s:o, s:I, s:I}", "file", file->path,
									"line", deftest_line(file, index), "test",
									deftest_name(file, index), "passed", result->passed, "failures",
									failures, "virtual_ms", (json_int_t)result->virtual_ms, "calls",
									(json_int_t)result->n_calls));
	if (result->passed)
		report->passed++;
	else
		report->failed++;
}

void test_report_add_error(struct test_report *report, const char *path, const char *text)
{
	json_array_append_new(
		report->tests, json_pack("{s:s, s:i, s:s, s:b, s:[{s:i, s:s}], s:i, s:i}", "file", path,
								 "line", 1, "test", "the file can be used", "passed", 0, "failures",
								 "line", 1, "text", text, "virtual_ms", 0, "calls", 0));
	report->failed++;
}

/* Text and attributes of XML 1.0, which knows few control characters. */
static void write_xml(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c < 0x20 && c != '\n' && c != '\t')
			fputc('?', out);
		else
			fputc(c, out);
	}
}

static void attribute(const char *name, const char *value, FILE *out)
{
	fprintf(out, " %s=\"", name);
	write_xml(value, out);
	fputc('"', out);
}

static void write_case(const json_t *test, FILE *out)
{
	const json_t *failure;
	size_t i;

	fputs("    <testcase", out);
	attribute("classname", text_of(test, "file"), out);
	attribute("name", text_of(test, "test"), out);
	attribute("file", text_of(test, "file"), out);
	fprintf(out, " line=\"%d\" time=\"0\"", (int)int_of(test, "line", 0));
	if (json_is_true(json_object_get(test, "passed"))) {
		fputs("/>\n", out);
		return;
	}
	fputs(">\n", out);
	json_array_foreach (json_object_get(test, "failures"), i, failure) {
		const char *text = text_of(failure, "text");
		CLEANUP(free_p) char *first = xstrndup(text, strcspn(text, "\n"));

		fputs("      <failure", out);
		attribute("message", first, out);
		fputc('>', out);
		fprintf(out, "%s:%d:\n", text_of(test, "file"), (int)int_of(failure, "line", 0));
		write_xml(text, out);
		fputs("</failure>\n", out);
	}
	fputs("    </testcase>\n", out);
}

/* The tests of one file stand one after the other. */
static size_t write_suite(const json_t *tests, size_t from, FILE *out)
{
	const char *file = text_of(json_array_get(tests, from), "file");
	size_t i, to = from, failed = 0;

	for (; to < json_array_size(tests) &&
		   strcmp(text_of(json_array_get(tests, to), "file"), file) == 0;
		 to++)
		failed += !json_is_true(json_object_get(json_array_get(tests, to), "passed"));
	fputs("  <testsuite", out);
	attribute("name", file, out);
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"0\">\n",
			to - from, failed);
	for (i = from; i < to; i++)
		write_case(json_array_get(tests, i), out);
	fputs("  </testsuite>\n", out);
	return to;
}

int test_report_write_junit(const struct test_report *report, const char *path)
{
	FILE *out = fopen(path, "we");
	size_t i;

	if (!out)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	fprintf(out,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			"<testsuites name=\"skald\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"0\">\n",
			report->passed + report->failed, report->failed);
	for (i = 0; i < json_array_size(report->tests);)
		i = write_suite(report->tests, i, out);
	fputs("</testsuites>\n", out);
	if (fclose(out) != 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	return 0;
}
