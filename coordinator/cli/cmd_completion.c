/*
 * `skald completion`: scripts for the shells, printed from the table of commands. They complete
 * commands, options, and the values of both. What only a server knows (definitions, sagas, steps,
 * groups, batches) they ask of it by `skald completion values WHAT [SAGA]`, which says nothing when
 * the server does not answer at once.
 */
#include <string.h>

#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "sagas/act.h"
#include "sagas/attention.h"
#include "sagas/base/buf.h"
#include "sagas/status.h"

enum { ANSWER_WITHIN_MS = 1500 };

/* ---- values ---- */

static void print_words_of(const char *prefix, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%s\n", prefix, words[i]);
}

static const char *const saga_acts[] = {
#define X(name, text) text,
	SAGA_ACTS(X)
#undef X
};

static const char *const step_acts[] = {
#define X(name, text) text,
	STEP_ACTS(X)
#undef X
};

static const char *const statuses[] = {
#define X(name, text) text,
	SAGA_STATUSES(X)
#undef X
};

static const char *const kinds[] = {
#define X(name, text) text,
	ATTENTION_KINDS(X)
#undef X
};

static bool ask(const struct cli *cli, const char *path, const char *a, struct client_reply *reply)
{
	struct client_request request = {.method = "GET"};
	struct client client;
	int r;

	if (client_open(cli, &client))
		return false;
	client.timeout_ms = ANSWER_WITHIN_MS;
	client.quiet = true;
	client_path(&request, path, a);
	r = client_send(&client, &request, reply);
	client_close(&client);
	if (r)
		return false;
	if (reply->http.status == 200)
		return true;
	client_reply_release(reply);
	return false;
}

/* The member of each object in the list that the answer has under this name. */
static void print_members(const struct cli *cli, const char *path, const char *a, const char *list,
						  const char *member, const char *prefix)
{
	struct client_reply reply;
	json_t *one;
	size_t i;

	if (!ask(cli, path, a, &reply))
		return;
	json_array_foreach (json_object_get(reply.json, list), i, one) {
		const char *text = text_of(one, member);
		CLEANUP(free_p) char *shown = shown_text(text ? text : "");

		if (*shown)
			printf("%s%s\n", prefix, shown);
	}
	client_reply_release(&reply);
}

static void print_filters(const struct cli *cli)
{
	print_words_of("status:", statuses, ARRAY_SIZE(statuses));
	print_words_of("kind:", kinds, ARRAY_SIZE(kinds));
	puts("attention:true");
	puts("started>");
	puts("started<");
	print_members(cli, "/v1/definitions", "", "definitions", "name", "saga:");
	print_members(cli, "/v1/attention", "", "groups", "id", "group:");
}

/* arguments: values WHAT [SAGA]. */
static int print_values(const struct cli *cli)
{
	const char *what = cli->n_args > 1 ? cli->args[1] : "";
	const char *saga = cli->n_args > 2 ? cli->args[2] : "";

	if (strcmp(what, "definitions") == 0)
		print_members(cli, "/v1/definitions", "", "definitions", "name", "");
	else if (strcmp(what, "sagas") == 0)
		print_members(cli, "/v1/sagas?limit=100", "", "sagas", "id", "");
	else if (strcmp(what, "steps") == 0 && *saga)
		print_members(cli, "/v1/sagas/%s", saga, "steps", "id", "");
	else if (strcmp(what, "groups") == 0)
		print_members(cli, "/v1/attention", "", "groups", "id", "");
	else if (strcmp(what, "batches") == 0)
		print_members(cli, "/v1/batches", "", "batches", "id", "");
	else if (strcmp(what, "filters") == 0)
		print_filters(cli);
	else if (strcmp(what, "statuses") == 0)
		print_words_of("", statuses, ARRAY_SIZE(statuses));
	else if (strcmp(what, "acts") == 0) {
		print_words_of("", saga_acts, ARRAY_SIZE(saga_acts));
		print_words_of("", step_acts, ARRAY_SIZE(step_acts));
	}
	return CLI_OK;
}

/* ---- what all scripts need ---- */

static size_t option_tables(const struct cli_command *command, const struct cli_option *tables[4])
{
	size_t n = 0;

	if (command->options)
		tables[n++] = command->options;
	if (command->client)
		tables[n++] = cli_client_options;
	if (command->output)
		tables[n++] = cli_output_options;
	if (command->settings)
		tables[n++] = cli_setting_options();
	return n;
}

static void print_options_of(const struct cli_command *command, const char *separator)
{
	const struct cli_option *tables[4];
	size_t n = option_tables(command, tables);

	for (size_t t = 0; t < n; t++)
		for (const struct cli_option *o = tables[t]; o->name; o++)
			printf("--%s%s", o->name, separator);
	fputs("--help", stdout);
}

/* "start list show": the commands of a group, or the first words of all when group is NULL. */
static void print_words(const char *group)
{
	size_t len = group ? strlen(group) : 0;

	for (size_t i = 0; cli_command_at(i); i++) {
		const char *name = cli_command_at(i)->name;

		if (group && strncmp(name, group, len) == 0 && name[len] == ' ')
			printf("%s ", name + len + 1);
		else if (!group && !strchr(name, ' '))
			printf("%s ", name);
	}
	for (size_t i = 0; !group && i < cli_n_groups; i++)
		printf("%s ", cli_groups[i].name);
}

/* ---- bash ---- */

/* Words as they stand, or those that the program is asked for; $saga is there if it is known. */
static void bash_words(const char *words, int len)
{
	if (*words == '@')
		printf("words=$(skald completion values -- %.*s \"$saga\" 2> /dev/null)", len - 1,
			   words + 1);
	else
		printf("words=\"%.*s\"", len, words);
}

/* After an option that has values: they are what is wanted. */
static void bash_option_values(const struct cli_command *command)
{
	const struct cli_option *tables[4];
	size_t n = option_tables(command, tables);

	for (size_t t = 0; t < n; t++) {
		for (const struct cli_option *o = tables[t]; o->name; o++) {
			if (!o->value)
				continue;
			printf("\t*\\ \"%s --%s\"", command->name, o->name);
			if (o->letter)
				printf("|*\\ \"%s -%c\"", command->name, o->letter);
			fputs(") ", stdout);
			if (o->words)
				bash_words(o->words, (int)strlen(o->words));
			else
				fputs("words=", stdout);
			puts("; value=1 ;;");
		}
	}
}

/* Arguments by their place; the last word is for all that follow. */
static void bash_arguments(const struct cli_command *command)
{
	const char *words = command->words;
	int at = strchr(command->name, ' ') ? 3 : 2;

	while (words && *words) {
		size_t len = strcspn(words, "|");
		bool last = !words[len];

		if (last)
			printf("\t*\\ \"%s\") ", command->name);
		else
			printf("\t%d\\ \"%s\") ", at, command->name);
		bash_words(words, (int)len);
		puts(" ;;");
		words += len + !last;
		at++;
	}
}

static void bash(void)
{
	puts("# bash completion of skald; made by `skald completion bash`\n"
		 "_skald() {\n"
		 "\tlocal cur prev words= value= saga= command line at=$COMP_CWORD\n"
		 "\tlocal IFS=$' \\t\\n'\n"
		 "\tif [[ -n ${ZSH_VERSION-} ]]; then\n"
		 "\t\tline=(\"${COMP_WORDS[@]}\")\n"
		 "\telse # words of the command line, whatever else bash breaks words at\n"
		 "\t\tread -ra line <<< \"${COMP_LINE:0:COMP_POINT}\"\n"
		 "\t\t[[ ${COMP_LINE:COMP_POINT-1:1} == ' ' ]] && line+=('')\n"
		 "\t\tat=$((${#line[@]} - 1))\n"
		 "\tfi\n"
		 "\tcur=${line[at]} prev=${line[at - 1]} command=${line[1]}\n"
		 "\tcase $command in");
	for (size_t i = 0; i < cli_n_groups; i++)
		printf("\t%s) command=\"$command ${line[2]}\" saga=${line[3]} ;;\n", cli_groups[i].name);
	puts("\tesac\n\tcase \"$at $command\" in");
	fputs("\t1\\ *) words=\"", stdout);
	print_words(NULL);
	puts("\" ;;");
	for (size_t i = 0; i < cli_n_groups; i++) {
		printf("\t2\\ %s\\ *) words=\"", cli_groups[i].name);
		print_words(cli_groups[i].name);
		puts("\" ;;");
	}
	puts("\t*)\n\tcase \"$at $command $prev\" in");
	for (size_t i = 0; cli_command_at(i); i++)
		bash_option_values(cli_command_at(i));
	puts("\tesac\n\t[[ $value ]] || case \"$cur\" in\n\t-*) case \"$command\" in");
	for (size_t i = 0; cli_command_at(i); i++) {
		printf("\t\"%s\") words=\"", cli_command_at(i)->name);
		print_options_of(cli_command_at(i), " ");
		puts("\" ;;");
	}
	puts("\tesac ;;\n\t*) case \"$at $command\" in");
	for (size_t i = 0; cli_command_at(i); i++)
		bash_arguments(cli_command_at(i));
	puts("\tesac ;;\n\tesac ;;\n\tesac\n"
		 "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		 "\t[[ -n ${ZSH_VERSION-} ]] && return\n"
		 "\t# bash replaces only what stands behind the last colon or sign.\n"
		 "\tlocal keep=${cur%\"${cur##*[:<>=]}\"}\n"
		 "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$keep\"}\")\n"
		 "}\n"
		 "complete -o default -F _skald skald");
}

/* zsh takes the bash script through its own emulation. */
static void zsh(void)
{
	puts("#compdef skald\nautoload -U +X bashcompinit && bashcompinit");
	bash();
}

/* ---- fish ---- */

static void fish_words(const char *words, int len)
{
	if (*words == '@')
		printf("(skald completion values -- %.*s (__skald_saga) 2> /dev/null)", len - 1, words + 1);
	else
		printf("%.*s", len, words);
}

static void fish_options(const struct cli_command *command)
{
	for (const struct cli_option *o = command->options; o && o->name; o++) {
		printf("complete -c skald -n '__skald_is %s' -l %s", command->name, o->name);
		if (o->letter)
			printf(" -s %c", o->letter);
		if (o->words) {
			fputs(" -x -a '", stdout);
			fish_words(o->words, (int)strlen(o->words));
			fputs("'", stdout);
		} else if (o->value) {
			fputs(" -r", stdout);
		}
		putchar('\n');
	}
}

static void fish_arguments(const struct cli_command *command)
{
	const char *words = command->words;
	int at = 0;

	while (words && *words) {
		size_t len = strcspn(words, "|");
		bool last = !words[len];

		printf("complete -c skald -n '__skald_is %s; and __skald_at %s %d' -f -a '", command->name,
			   last ? "-ge" : "-eq", at++);
		fish_words(words, (int)len);
		puts("'");
		words += len + !last;
	}
}

static void fish(void)
{
	puts("# fish completion of skald; made by `skald completion fish`\n"
		 "function __skald_words\n"
		 "\tstring match -v -- '-*' (commandline -opc)[2..-1]\n"
		 "end\n"
		 "function __skald_is\n"
		 "\tset -l words (__skald_words)\n"
		 "\ttest (count $words) -ge (count $argv); and test \"$words[1..(count $argv)]\" = "
		 "\"$argv\"\n"
		 "end\n"
		 "function __skald_in\n"
		 "\tset -l words (__skald_words)\n"
		 "\ttest (count $words) -eq 1; and test \"$words[1]\" = $argv[1]\n"
		 "end\n"
		 "# How many arguments stand before the word: behind a command of two words.\n"
		 "function __skald_at\n"
		 "\ttest (math (count (__skald_words)) - 2) $argv\n"
		 "end\n"
		 "function __skald_saga\n"
		 "\tset -l words (__skald_words)\n"
		 "\techo $words[3]\n"
		 "end");
	for (size_t i = 0; i < cli_n_groups; i++)
		printf("complete -c skald -n __fish_use_subcommand -f -a %s -d '%s'\n", cli_groups[i].name,
			   cli_groups[i].summary);
	for (size_t i = 0; cli_command_at(i); i++) {
		const struct cli_command *c = cli_command_at(i);
		const char *space = strchr(c->name, ' ');
		CLEANUP(free_p) char *when = NULL;

		if (space)
			when = xasprintf("__skald_in %.*s", (int)(space - c->name), c->name);
		else
			when = xstrdup("__fish_use_subcommand");
		/* No summary holds an apostrophe. */
		printf("complete -c skald -n '%s' -f -a %s -d '%s'\n", when, space ? space + 1 : c->name,
			   c->summary);
		fish_options(c);
		if (space)
			fish_arguments(c);
	}
	for (const struct cli_option *o = cli_client_options; o->name; o++)
		printf("complete -c skald -l %s -r\n", o->name);
	puts("complete -c skald -s o -l output -x -a 'table json jsonl yaml'");
}

int cmd_completion(struct cli *cli)
{
	const char *shell = cli->args[0];

	if (strcmp(shell, "values") == 0)
		return print_values(cli);
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
