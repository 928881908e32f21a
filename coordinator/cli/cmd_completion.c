/*
 * `skald completion`: scripts for the shells, printed from the table of commands. They complete
 * commands, options and files; they never ask a server.
 */
#include <string.h>

#include "coordinator/cli/cli.h"

static void print_options_of(const struct cli_command *command, const char *separator)
{
	const struct cli_option *tables[] = {command->options,
										 command->client ? cli_client_options : NULL,
										 command->output ? cli_output_options : NULL,
										 command->settings ? cli_setting_options() : NULL};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct cli_option *o = tables[t]; o && o->name; o++)
			printf("--%s%s", o->name, separator);
	fputs("--help", stdout);
}

/* "start list show": the commands of a group, or the first words of all when group is NULL. */
static void print_words(const char *group)
{
	size_t len = group ? strlen(group) : 0;

	for (size_t i = 0; i < cli_n_commands; i++) {
		const char *name = cli_commands[i].name;

		if (group && strncmp(name, group, len) == 0 && name[len] == ' ')
			printf("%s ", name + len + 1);
		else if (!group && !strchr(name, ' '))
			printf("%s ", name);
	}
	for (size_t i = 0; !group && i < cli_n_groups; i++)
		printf("%s ", cli_groups[i].name);
}

static void bash(void)
{
	puts("# bash completion of skald; made by `skald completion bash`\n"
		 "_skald() {\n"
		 "\tlocal cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=\n"
		 "\tcase $command in");
	for (size_t i = 0; i < cli_n_groups; i++)
		printf("\t%s) command=\"$command ${COMP_WORDS[2]}\" ;;\n", cli_groups[i].name);
	puts("\tesac\n\tcase \"$COMP_CWORD $command\" in");
	fputs("\t1\\ *) words=\"", stdout);
	print_words(NULL);
	puts("\" ;;");
	for (size_t i = 0; i < cli_n_groups; i++) {
		printf("\t2\\ %s\\ *) words=\"", cli_groups[i].name);
		print_words(cli_groups[i].name);
		puts("\" ;;");
	}
	for (size_t i = 0; i < cli_n_commands; i++) {
		printf("\t*\\ \"%s\") [[ $cur == -* ]] && words=\"", cli_commands[i].name);
		print_options_of(&cli_commands[i], " ");
		puts("\" ;;");
	}
	puts("\tesac\n"
		 "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		 "}\n"
		 "complete -o default -F _skald skald");
}

/* zsh takes the bash script through its own emulation. */
static void zsh(void)
{
	puts("#compdef skald\nautoload -U +X bashcompinit && bashcompinit");
	bash();
}

static void fish(void)
{
	puts("# fish completion of skald; made by `skald completion fish`");
	for (size_t i = 0; i < cli_n_groups; i++)
		printf("complete -c skald -n __fish_use_subcommand -a %s -d '%s'\n", cli_groups[i].name,
			   cli_groups[i].summary);
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *space = strchr(c->name, ' ');
		CLEANUP(free_p) char *when = NULL;

		if (space)
			when = xasprintf("__fish_seen_subcommand_from %.*s", (int)(space - c->name), c->name);
		else
			when = xstrdup("__fish_use_subcommand");
		/* No summary holds an apostrophe. */
		printf("complete -c skald -n '%s' -a %s -d '%s'\n", when, space ? space + 1 : c->name,
			   c->summary);
		for (const struct cli_option *o = c->options; o && o->name; o++)
			printf("complete -c skald -n '__fish_seen_subcommand_from %s' -l %s%s\n",
				   space ? space + 1 : c->name, o->name, o->value ? " -r" : "");
	}
	for (const struct cli_option *o = cli_client_options; o->name; o++)
		printf("complete -c skald -l %s -r\n", o->name);
	puts("complete -c skald -s o -l output -x -a 'table json jsonl yaml'");
}

int cmd_completion(struct cli *cli)
{
	const char *shell = cli->args[0];

	if (strcmp(shell, "bash") == 0)
		bash();
	else if (strcmp(shell, "zsh") == 0)
		zsh();
	else if (strcmp(shell, "fish") == 0)
		fish();
	else
		return cli_fail(CLI_USAGE, "there are completions for bash, zsh and fish, not for `%s`",
						shell);
	return CLI_OK;
}
