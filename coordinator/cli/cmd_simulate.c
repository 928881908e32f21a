/*
 * `skald simulate`: what would be undone, in which order, and what would stay, if a step failed.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/def_file.h"
#include "coordinator/cli/print.h"
#include "coordinator/deftest.h"
#include "sagas/json_text.h"

/* order.test.yaml beside order.yaml, if it is there. */
static char *tests_beside(const char *path)
{
	const char *dot = strrchr(path, '.');
	CLEANUP(free_p) char *tests = dot ? xasprintf("%.*s.test.yaml", (int)(dot - path), path) : NULL;

	return tests && access(tests, R_OK) == 0 ? TAKE(tests) : NULL;
}

/* The test that the simulation varies: the one that is named, or the first. -1: there is none. */
static int find_test(const struct deftest_file *file, const char *name)
{
	for (size_t i = 0; i < deftest_file_size(file); i++)
		if (!name || strstr(deftest_name(file, i), name))
			return (int)i;
	return -1;
}

static char *joined(const json_t *list, const char *member)
{
	const json_t *entry;
	struct buf out;
	size_t i;

	buf_init(&out, 0);
	json_array_foreach (list, i, entry) {
		buf_add_str(&out, i > 0 ? ", " : "");
		buf_add_str(&out, member ? text_of(entry, member) : json_string_value(entry));
	}
	if (out.len == 0)
		buf_add_char(&out, '-');
	return buf_take(&out, NULL);
}

static bool is_complete(const json_t *base)
{
	return json_is_true(json_object_get(base, "complete"));
}

/* "hold (compensate: none)" */
static char *stays_text(const json_t *stays)
{
	const json_t *entry;
	struct buf out;
	size_t i;

	buf_init(&out, 0);
	json_array_foreach (stays, i, entry)
		buf_printf(&out, "%s%s (%s)", i > 0 ? ", " : "", text_of(entry, "place"),
				   text_of(entry, "why"));
	if (out.len == 0)
		buf_add_char(&out, '-');
	return buf_take(&out, NULL);
}

/* The run that was varied stopped before its end: why, and what was therefore not tried. */
static void print_base(const json_t *base)
{
	const char *expected = text_of(base, "expected"), *status = text_of(base, "status");
	const json_t *not_reached = json_object_get(base, "not_reached"), *why;
	CLEANUP(free_p) char *steps = joined(not_reached, NULL);
	size_t i;

	if (is_complete(base))
		return;
	if (expected && strcmp(expected, status) == 0)
		printf("incomplete: the run that is varied is not what the test says:\n");
	else
		printf("incomplete: the run that is varied is %s%s%s:\n", status,
			   expected ? ", expected " : "", expected ? expected : "");
	json_array_foreach (json_object_get(base, "why"), i, why) {
		CLEANUP(free_p) char *clean = shown_text(json_string_value(why));

		printf("  %s\n", clean);
	}
	if (json_array_size(not_reached) > 0)
		printf("  never tried: %s\n", steps);
}

static size_t n_reached(const json_t *ends)
{
	const json_t *entry;
	size_t i, n = 0;

	json_array_foreach (ends, i, entry)
		n += i > 0 && json_is_true(json_object_get(entry, "reached"));
	return n;
}

static void print_ends(const struct cli *cli, const json_t *simulation)
{
	const json_t *ends = json_object_get(simulation, "ends"), *entry;
	const json_t *base = json_object_get(simulation, "base");
	size_t i, problems = (size_t)int_of(simulation, "problems", 0);
	struct table table;

	table_init(&table, "STEP", "FAILS BY", "ENDS AS", "UNDONE, IN THIS ORDER", "STAYS",
			   (char *)NULL);
	json_array_foreach (ends, i, entry) {
		CLEANUP(free_p) char *undone = joined(json_object_get(entry, "undone"), NULL);
		CLEANUP(free_p) char *stays = stays_text(json_object_get(entry, "stays"));
		const char *way = text_of(entry, "way");
		bool reached = json_is_true(json_object_get(entry, "reached"));

		table_add(&table, text_of(entry, "step"), strcmp(way, "none") == 0 ? "-" : way,
				  reached ? text_of(entry, "status") : "not reached", reached ? undone : "-",
				  reached ? stays : "-");
	}
	table_print(&table, cli->color, stdout);
	table_release(&table);
	json_array_foreach (ends, i, entry) {
		const json_t *problem;
		size_t j;

		json_array_foreach (json_object_get(entry, "problems"), j, problem)
			printf("problem: when %s fails by %s: %s\n",
				   text_of(entry, "step") ? text_of(entry, "step") : "nothing",
				   text_of(entry, "way"), json_string_value(problem));
	}
	print_base(base);
	printf("%s: %zu ways to fail, %zu problem%s%s\n", text_of(simulation, "saga"), n_reached(ends),
		   problems, problems == 1 ? "" : "s",
		   is_complete(base) ? "" : ", and not all of it was tried");
}

static int load(struct cli *cli, struct deftest_file *file, struct err *err)
{
	const char *input = cli_option(cli, "input"), *said = cli_option(cli, "tests");
	CLEANUP(free_p) char *tests = said ? xstrdup(said) : tests_beside(cli->args[0]);
	CLEANUP(free_p) char *text = NULL;
	json_t *value = NULL;
	size_t len;
	int r;

	if (input) {
		r = client_read_argument(input, &text, &len);
		if (r)
			return r;
		if (json_parse(text, len, &value, err) < 0)
			return cli_fail(CLI_USAGE, "the input: %s", err->text);
	}
	r = tests ? deftest_file_load(file, tests, err)
			  : deftest_file_make(file, cli->args[0], value ? json_incref(value) : NULL, err);
	if (r == 0 && tests && value)
		deftest_file_set_input(file, value);
	json_decref(value);
	if (r == 0)
		return 0;
	if (file->findings.n > 0)
		findings_print(file->wrong_path ? file->wrong_path : file->path, &file->findings, stderr);
	else
		cli_fail(CLI_FAILED, "%s", err->text);
	return CLI_FAILED;
}

int cmd_simulate(struct cli *cli)
{
	CLEANUP(json_decref_p) json_t *simulation = NULL;
	struct deftest_file file = {0};
	struct err err = {0};
	int index, r = load(cli, &file, &err);

	index = r ? -1 : find_test(&file, cli_option(cli, "test"));
	if (!r && index < 0)
		r = cli_fail(CLI_NOT_FOUND, "%s has no test of that name", file.path);
	if (!r) {
		simulation = deftest_simulate(&file, (size_t)index);
		if (cli->format == FORMAT_TABLE)
			print_ends(cli, simulation);
		else
			print_value(cli, simulation);
		r = int_of(simulation, "problems", 0) > 0 ||
					!is_complete(json_object_get(simulation, "base"))
				? CLI_FAILED
				: CLI_OK;
	}
	deftest_file_release(&file);
	return r;
}
