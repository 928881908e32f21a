/* Help and version, from the table of commands. */
#include "coordinator/cli/cli.h"

#include <string.h>

#include "coordinator/config.h"

static void print_commands(const char *group, FILE *out)
{
	size_t len = group ? strlen(group) : 0;

	for (size_t i = 0; cli_command_at(i); i++) {
		const struct cli_command *c = cli_command_at(i);
		bool in_group = strchr(c->name, ' ') != NULL;

		if (group ? strncmp(c->name, group, len) != 0 || c->name[len] != ' ' : in_group)
			continue;
		fprintf(out, "  %-23s %s\n", c->name, c->summary);
	}
}

void cli_help_top(FILE *out)
{
	fputs("Skald runs business transactions that span services, and undoes them when they fail.\n\n"
		  "Usage: skald COMMAND [OPTION...] [ARGUMENT...]\n\n",
		  out);
	print_commands(NULL, out);
	for (size_t i = 0; i < cli_n_groups; i++) {
		fprintf(out, "\n%s\n", cli_groups[i].summary);
		print_commands(cli_groups[i].name, out);
	}
	fputs("\n`skald COMMAND --help` tells more. To begin: skald dev\n", out);
}

void cli_help_group(const char *group, FILE *out)
{
	for (size_t i = 0; i < cli_n_groups; i++)
		if (strcmp(cli_groups[i].name, group) == 0)
			fprintf(out, "skald %s - %s\n\n", group, cli_groups[i].summary);
	print_commands(group, out);
	fprintf(out, "\n`skald %s COMMAND --help` tells more.\n", group);
}

/* A long help text goes on in lines of its own. */
static void print_wrapped(const char *text, int indent, FILE *out)
{
	int width = 96 - indent, column = 0;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + word > width) {
			fprintf(out, "\n%*s", indent, "");
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : "", word, text);
		text += word;
		while (*text == ' ')
			text++;
	}
	fputc('\n', out);
}

static const char *setting_default(const char *flag)
{
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++)
		if (strcmp(config_settings[i].flag, flag) == 0)
			return config_settings[i].fallback;
	return NULL;
}

static void print_options(const struct cli_option *options, bool settings, FILE *out)
{
	for (const struct cli_option *o = options; o && o->name; o++) {
		const char *fallback = settings ? setting_default(o->name) : NULL;
		CLEANUP(free_p)
		char *help = fallback ? xasprintf("%s (default %s)", o->help, fallback) : xstrdup(o->help);
		char left[48];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
				 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->value ? " " : "",
				 o->value ? o->value : "");
		fprintf(out, "  %-28s ", left);
		print_wrapped(help, 31, out);
	}
}

void cli_help_command(const struct cli_command *command, FILE *out)
{
	fprintf(out, "skald %s - %s\n\nUsage: skald %s%s%s\n", command->name, command->summary,
			command->name, *command->args ? " " : "", command->args);
	if (*command->help)
		fprintf(out, "\n%s", command->help);
	if (command->options || command->output || command->settings)
		fputs("\nOptions:\n", out);
	print_options(command->options, false, out);
	if (command->settings)
		print_options(cli_setting_options(), true, out);
	if (command->client)
		print_options(cli_client_options, false, out);
	if (command->output)
		print_options(cli_output_options, false, out);
	if (command->client)
		fputs("\nExit codes: `skald help exit-codes`.\n", out);
}

void cli_help_exit_codes(FILE *out)
{
#define X(name, number, text) fprintf(out, "%4d  %s\n", number, text);
	CLI_EXIT_CODES(X)
#undef X
}

int cmd_help(struct cli *cli)
{
	const struct cli_command *command;

	if (cli->n_args == 0) {
		cli_help_top(stdout);
		return CLI_OK;
	}
	if (cli->n_args == 1 && strcmp(cli->args[0], "exit-codes") == 0) {
		cli_help_exit_codes(stdout);
		return CLI_OK;
	}
	for (size_t i = 0; cli->n_args == 1 && i < cli_n_groups; i++) {
		if (strcmp(cli_groups[i].name, cli->args[0]) == 0) {
			cli_help_group(cli->args[0], stdout);
			return CLI_OK;
		}
	}
	CLEANUP(free_p)
	char *name =
		cli->n_args == 1 ? xstrdup(cli->args[0]) : xasprintf("%s %s", cli->args[0], cli->args[1]);

	command = cli_find_command(name);
	if (!command)
		return cli_fail(CLI_USAGE, "there is no command `%s`; `skald help` lists them", name);
	cli_help_command(command, stdout);
	return CLI_OK;
}

int cmd_version(struct cli *cli UNUSED)
{
	puts("skald " SKALD_VERSION);
	return CLI_OK;
}
