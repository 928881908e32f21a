/*
 * `skald test`: runs the tests of definitions, and says which of them failed, and how.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/test_report.h"
#include "coordinator/deftest.h"

enum { PATHS_MAX = 10000, DEPTH_MAX = 32 };

struct paths {
	char **list;
	size_t n;
};

static void paths_release(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->list[i]);
	free(paths->list);
}

static void paths_add(struct paths *paths, char *path)
{
	paths->list = xrealloc_array(paths->list, paths->n + 1, sizeof(*paths->list));
	paths->list[paths->n++] = path;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && strcmp(text + len - n, end) == 0;
}

static bool is_test_file(const char *name)
{
	return ends_with(name, ".test.yaml") || ends_with(name, ".test.yml") ||
		   ends_with(name, ".test.json");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* What is hidden, and what a package manager brought, is left out. */
static int is_wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "node_modules") != 0;
}

static void find(struct paths *paths, const char *folder, int depth)
{
	struct dirent **entries = NULL;
	int i, n = depth < DEPTH_MAX ? scandir(folder, &entries, is_wanted, by_name) : 0;

	for (i = 0; i < n; i++) {
		CLEANUP(free_p)
		char *path = strcmp(folder, ".") == 0 ? xstrdup(entries[i]->d_name)
											  : xasprintf("%s/%s", folder, entries[i]->d_name);
		struct stat status;

		if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
			find(paths, path, depth + 1);
		else if (is_test_file(entries[i]->d_name) && paths->n < PATHS_MAX)
			paths_add(paths, TAKE(path));
		free(entries[i]);
	}
	free(entries);
}

/* 0, or an exit code: a path does not exist, which was said. */
static int collect(const struct cli *cli, struct paths *paths)
{
	struct stat status;

	if (cli->n_args == 0)
		find(paths, ".", 0);
	for (int i = 0; i < cli->n_args; i++) {
		size_t len = strlen(cli->args[i]);
		CLEANUP(free_p) char *path = xstrdup(cli->args[i]);

		while (len > 1 && path[len - 1] == '/')
			path[--len] = '\0';
		if (stat(path, &status) < 0)
			return cli_fail(CLI_NOT_FOUND, "%s: %s", path, strerror(errno));
		if (S_ISDIR(status.st_mode))
			find(paths, path, 0);
		else
			paths_add(paths, TAKE(path));
	}
	return 0;
}

static void indent(const char *text, FILE *out)
{
	const char *end;

	for (const char *line = text; *line; line = end) {
		size_t len = strcspn(line, "\n");
		CLEANUP(free_p) char *one = xstrndup(line, len);
		CLEANUP(free_p) char *clean = shown_text(one);

		fprintf(out, "%s%s\n", *clean ? "        " : "", clean);
		end = line + len + (line[len] == '\n');
	}
}

static void print_test(const struct cli *cli, const struct deftest_file *file, size_t index,
					   const struct deftest_result *result)
{
	const char *green = cli->color ? "\033[32m" : "", *red = cli->color ? "\033[31m" : "";
	const char *end = cli->color ? "\033[0m" : "";

	if (result->passed) {
		printf("  %sok%s    %s\n", green, end, deftest_name(file, index));
		return;
	}
	printf("  %sFAIL%s  %s\n", red, end, deftest_name(file, index));
	for (size_t i = 0; i < result->n_failures; i++) {
		printf("      %s:%d:\n", file->path, result->failures[i].line);
		indent(result->failures[i].text, stdout);
		putchar('\n');
	}
}

static void run_file(const struct cli *cli, const struct deftest_file *file,
					 struct test_report *report)
{
	const char *filter = cli_option(cli, "filter");
	bool told = false;

	for (size_t i = 0; i < deftest_file_size(file); i++) {
		struct deftest_result result;

		if (filter && !strstr(deftest_name(file, i), filter))
			continue;
		if (!told && cli->format == FORMAT_TABLE)
			printf("%s\n", file->path);
		told = true;
		deftest_run(file, i, &result);
		if (cli->format == FORMAT_TABLE)
			print_test(cli, file, i, &result);
		test_report_add(report, file, i, &result);
		deftest_result_release(&result);
	}
}

/* The file itself is wrong: one failure. */
static void bad_file(const struct cli *cli, const struct deftest_file *file, const struct err *err,
					 struct test_report *report)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	if (file->findings.n > 0)
		findings_print(file->wrong_path ? file->wrong_path : file->path, &file->findings, out);
	else
		fprintf(out, "%s: error: %s\n", file->path, err->text);
	fclose(out);
	if (cli->format == FORMAT_TABLE)
		printf("%s\n  FAIL  the file cannot be used\n%s", file->path, text);
	test_report_add_error(report, file->path, text);
}

int cmd_test(struct cli *cli)
{
	CLEANUP(paths_release) struct paths paths = {0};
	CLEANUP(test_report_release) struct test_report report = {0};
	const char *junit = cli_option(cli, "junit");
	int r = collect(cli, &paths);

	if (r)
		return r;
	test_report_init(&report);
	for (size_t i = 0; i < paths.n; i++) {
		struct deftest_file file;
		struct err err = {0};

		if (deftest_file_load(&file, paths.list[i], &err) < 0)
			bad_file(cli, &file, &err, &report);
		else
			run_file(cli, &file, &report);
		deftest_file_release(&file);
	}
	if (junit) {
		r = test_report_write_junit(&report, junit);
		if (r)
			return r;
	}
	if (cli->format != FORMAT_TABLE)
		print_list(cli, report.tests);
	if (report.passed + report.failed == 0)
		return cli_fail(CLI_NOT_FOUND, "no tests were found (files named *.test.yaml)%s",
						cli_option(cli, "filter") ? " of that filter" : "");
	fprintf(cli->format == FORMAT_TABLE ? stdout : stderr, "%zu passed, %zu failed\n",
			report.passed, report.failed);
	return report.failed > 0 ? CLI_FAILED : CLI_OK;
}
