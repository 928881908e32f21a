/*
 * Reads a command line against the table of commands. Options may stand anywhere after the
 * program's name; `--` ends them. A word that is not known gets the nearest one as a suggestion,
 * and exit code 2.
 */
#include "coordinator/cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "sagas/base/suggest.h"
#include "sagas/base/time.h"

enum { OPTION_TABLES = 5 };

static const struct cli_option global_options[] = {
	{"help", 'h', NULL, "shows help"},
	{NULL},
};

int cli_fail(int code, const char *fmt, ...)
{
	va_list args;

	fputs("skald: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cli_fail_err(const struct err *err)
{
	int code = CLI_FAILED;

	if (err->code == ERR_NOT_FOUND)
		code = CLI_NOT_FOUND;
	else if (err->code == ERR_CONFLICT)
		code = CLI_CONFLICT;
	else if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT)
		code = CLI_UNREACHABLE;
	if (err->place[0])
		return cli_fail(code, "%s: %s", err->place, err->text);
	return cli_fail(code, "%s", err->text);
}

void cli_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

const struct cli_command *cli_find_command(const char *name)
{
	for (size_t i = 0; cli_command_at(i); i++)
		if (strcmp(cli_command_at(i)->name, name) == 0)
			return cli_command_at(i);
	return NULL;
}

static bool is_group(const char *name)
{
	for (size_t i = 0; i < cli_n_groups; i++)
		if (strcmp(cli_groups[i].name, name) == 0)
			return true;
	return false;
}

/* Which tables apply: before the command is known, what any client takes may come already. */
static size_t option_tables(const struct cli *cli, const struct cli_option *tables[OPTION_TABLES])
{
	size_t n = 0;

	/* Its own first: what --output means is the command's to say. */
	if (cli->command && cli->command->options)
		tables[n++] = cli->command->options;
	tables[n++] = global_options;
	if (!cli->command || cli->command->client)
		tables[n++] = cli_client_options;
	if (!cli->command || cli->command->output)
		tables[n++] = cli_output_options;
	if (cli->command && cli->command->settings)
		tables[n++] = cli_setting_options();
	return n;
}

/* By name (of that length), or by letter when name is NULL. */
static const struct cli_option *find_option(const struct cli *cli, const char *name, size_t len,
											char letter)
{
	const struct cli_option *tables[OPTION_TABLES];
	size_t n = option_tables(cli, tables);

	for (size_t t = 0; t < n; t++) {
		for (const struct cli_option *o = tables[t]; o->name; o++) {
			if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
					 : o->letter == letter)
				return o;
		}
	}
	return NULL;
}

static int unknown_option(const struct cli *cli, const char *word, const char *name)
{
	const struct cli_option *tables[OPTION_TABLES];
	size_t n = option_tables(cli, tables);
	struct suggest suggest;
	const char *where = cli->command ? cli->command->name : "";
	const char *best;

	suggest_init(&suggest, name, strlen(name));
	for (size_t t = 0; t < n; t++)
		for (const struct cli_option *o = tables[t]; o->name; o++)
			suggest_offer(&suggest, o->name);
	best = suggest_best(&suggest);
	if (best)
		cli_fail(CLI_USAGE, "unknown option %s; did you mean --%s?", word, best);
	else
		cli_fail(CLI_USAGE, "unknown option %s", word);
	cli_note("See `skald %s%s--help`.", where, *where ? " " : "");
	return CLI_USAGE;
}

static void give(struct cli *cli, const struct cli_option *option, const char *value)
{
	cli->given[cli->n_given++] = (struct cli_given){option->name, value};
}

/* Takes the option at argv[*i], and its value. */
static int take_option(struct cli *cli, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *value = NULL;
	const struct cli_option *option;

	if (word[1] == '-') {
		const char *name = word + 2;
		size_t len = strcspn(name, "=");
		CLEANUP(free_p) char *alone = xstrndup(name, len);

		option = find_option(cli, name, len, 0);
		if (!option)
			return unknown_option(cli, word, alone);
		if (name[len] == '=')
			value = name + len + 1;
		if (value && !option->value)
			return cli_fail(CLI_USAGE, "option --%s takes no value", option->name);
	} else {
		option = find_option(cli, NULL, 0, word[1]);
		if (!option)
			return unknown_option(cli, word, word + 1);
		if (word[2] && !option->value)
			return cli_fail(CLI_USAGE, "option -%c takes no value", option->letter);
		if (word[2])
			value = word + 2;
	}
	if (option->value && !value) {
		if (*i + 1 >= argc)
			return cli_fail(CLI_USAGE, "option %s needs a value: %s", word, option->value);
		value = argv[++*i];
	}
	give(cli, option, value ? value : "");
	return 0;
}

static int unknown_command(const char *group, const char *word)
{
	size_t group_len = group ? strlen(group) : 0;
	struct suggest suggest;
	const char *best;

	suggest_init(&suggest, word, strlen(word));
	for (size_t i = 0; cli_command_at(i); i++) {
		const char *name = cli_command_at(i)->name;

		if (!group && !strchr(name, ' '))
			suggest_offer(&suggest, name);
		if (group && strncmp(name, group, group_len) == 0 && name[group_len] == ' ')
			suggest_offer(&suggest, name + group_len + 1);
	}
	for (size_t i = 0; !group && i < cli_n_groups; i++)
		suggest_offer(&suggest, cli_groups[i].name);
	best = suggest_best(&suggest);
	if (best)
		cli_fail(CLI_USAGE, "unknown command `%s%s%s`; did you mean `%s%s%s`?", group ? group : "",
				 group ? " " : "", word, group ? group : "", group ? " " : "", best);
	else
		cli_fail(CLI_USAGE, "unknown command `%s%s%s`", group ? group : "", group ? " " : "", word);
	cli_note("See `skald %s%s--help`.", group ? group : "", group ? " " : "");
	return CLI_USAGE;
}

/* A word that is no option: part of the command's name, or an argument. */
static int take_word(struct cli *cli, const char *word, const char **group)
{
	if (cli->command) {
		cli->args[cli->n_args++] = word;
		return 0;
	}
	if (!*group && is_group(word)) {
		*group = word;
		return 0;
	}
	if (*group) {
		CLEANUP(free_p) char *name = xasprintf("%s %s", *group, word);

		cli->command = cli_find_command(name);
	} else {
		cli->command = cli_find_command(word);
	}
	return cli->command ? 0 : unknown_command(*group, word);
}

static int check_args(const struct cli *cli)
{
	const struct cli_command *command = cli->command;
	const char *space = *command->args ? " " : "";

	if (cli->n_args >= command->min_args && cli->n_args <= command->max_args)
		return 0;
	if (cli->n_args < command->min_args)
		cli_fail(CLI_USAGE, "`skald %s` needs %s", command->name, command->args);
	else
		cli_fail(CLI_USAGE, "unexpected argument `%s`", cli->args[command->max_args]);
	cli_note("Usage: skald %s%s%s\nSee `skald %s --help`.", command->name, space, command->args,
			 command->name);
	return CLI_USAGE;
}

static int read_format(struct cli *cli)
{
	static const char *const names[] = {"table", "json", "jsonl", "yaml"};
	/* Where --output is something else, the form of the data is --format, and -o as ever. */
	const char *given = cli_option(cli, cli->command->output ? "output" : "format");
	const char *no_color = getenv("NO_COLOR");

	cli->color = isatty(STDOUT_FILENO) && (!no_color || !*no_color);
	if (!given)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(given, names[i]) == 0) {
			cli->format = (enum cli_format)i;
			return 0;
		}
	}
	return cli_fail(CLI_USAGE, "--output is table, json, jsonl or yaml, not `%s`", given);
}

static int read_words(struct cli *cli, int argc, char **argv, const char **group)
{
	bool options = true;
	int r;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && !cli->command && !*group && strcmp(argv[i], "--version") == 0)
			r = take_word(cli, "version", group);
		else if (options && argv[i][0] == '-' && argv[i][1])
			r = take_option(cli, argc, argv, &i);
		else
			r = take_word(cli, argv[i], group);
		if (r)
			return r;
	}
	return 0;
}

/* An option that came before the command's name must be one of the command's. */
static int check_given(const struct cli *cli)
{
	for (int i = 0; i < cli->n_given; i++) {
		const char *name = cli->given[i].name;

		if (!find_option(cli, name, strlen(name), 0))
			return cli_fail(CLI_USAGE, "`skald %s` takes no option --%s", cli->command->name, name);
	}
	return 0;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
	const char *group = NULL;
	int r;

	*cli = (struct cli){.program = argc > 0 ? argv[0] : "skald"};
	if (argc > CLI_MAX_WORDS)
		return cli_fail(CLI_USAGE, "more than %d words on the command line", CLI_MAX_WORDS);
	cli->args = xcalloc((size_t)argc + 1, sizeof(*cli->args));
	cli->given = xcalloc((size_t)argc + 1, sizeof(*cli->given));
	r = read_words(cli, argc, argv, &group);
	if (r)
		return r;
	if (cli_option(cli, "help")) {
		if (cli->command)
			cli_help_command(cli->command, stdout);
		else if (group)
			cli_help_group(group, stdout);
		else
			cli_help_top(stdout);
		cli->command = NULL;
		return CLI_OK;
	}
	if (!cli->command) {
		if (group)
			cli_help_group(group, stderr);
		else
			cli_help_top(stderr);
		return CLI_USAGE;
	}
	r = check_given(cli);
	if (!r)
		r = check_args(cli);
	if (!r)
		r = read_format(cli);
	return r;
}

void cli_release(struct cli *cli)
{
	free(cli->args);
	free(cli->given);
}

const char *cli_option(const struct cli *cli, const char *name)
{
	for (int i = cli->n_given - 1; i >= 0; i--)
		if (strcmp(cli->given[i].name, name) == 0)
			return cli->given[i].value;
	return NULL;
}

int cli_option_int(const struct cli *cli, const char *name, int64_t min, int64_t max,
				   int64_t *value)
{
	const char *text = cli_option(cli, name);
	char *end;
	long long n;

	if (!text)
		return 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end || n < min || n > max)
		return cli_fail(CLI_USAGE, "--%s is a number from %lld to %lld, not `%s`", name,
						(long long)min, (long long)max, text);
	*value = n;
	return 0;
}

int cli_option_duration(const struct cli *cli, const char *name, int64_t *ms)
{
	const char *text = cli_option(cli, name);
	struct err err = {0};

	if (!text)
		return 0;
	if (duration_parse(text, ms, &err) < 0)
		return cli_fail(CLI_USAGE, "--%s: %s", name, err.text);
	return 0;
}

int cli_main(int argc, char **argv)
{
	struct cli cli;
	int r = cli_parse(&cli, argc, argv);

	if (!r && cli.command)
		r = cli.command->run(&cli);
	/* What could not be written was not said: a full disk or a closed pipe is a failure. */
	if (fflush(stdout) != 0 && r == 0)
		r = cli_fail(CLI_FAILED, "cannot write to stdout");
	cli_release(&cli);
	return r;
}
