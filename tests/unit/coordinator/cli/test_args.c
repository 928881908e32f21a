/* Command lines: what is taken, what is refused, and what the table of commands must hold. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/config.h"

static struct cli cli;

/* Parses the words, which are separated by single spaces. */
static int parse(const char *line)
{
	static char words[1024];
	static char *argv[64];
	int argc = 0;

	snprintf(words, sizeof(words), "skald %s", line);
	for (char *word = words; word;) {
		char *space = strchr(word, ' ');

		if (space)
			*space++ = '\0';
		if (*word)
			argv[argc++] = word;
		word = space;
	}
	argv[argc] = NULL;
	cli_release(&cli);
	return cli_parse(&cli, argc, argv);
}

static void teardown(void)
{
	cli_release(&cli);
	cli = (struct cli){0};
}

START_TEST(test_args__finds_command_arguments_and_options)
{
	ck_assert_int_eq(parse("saga start order {} --key k-1 --wait -o json"), 0);
	ck_assert_str_eq(cli.command->name, "saga start");
	ck_assert_int_eq(cli.n_args, 2);
	ck_assert_str_eq(cli.args[0], "order");
	ck_assert_str_eq(cli.args[1], "{}");
	ck_assert_str_eq(cli_option(&cli, "key"), "k-1");
	ck_assert_str_eq(cli_option(&cli, "wait"), "");
	ck_assert_ptr_null(cli_option(&cli, "timeout"));
	ck_assert_int_eq(cli.format, FORMAT_JSON);
}
END_TEST

START_TEST(test_args__options_may_stand_anywhere_and_be_written_in_each_way)
{
	ck_assert_int_eq(parse("--server http://a saga --namespace=n list -l5 -oyaml status:running"),
					 0);
	ck_assert_str_eq(cli.command->name, "saga list");
	ck_assert_str_eq(cli_option(&cli, "server"), "http://a");
	ck_assert_str_eq(cli_option(&cli, "namespace"), "n");
	ck_assert_str_eq(cli_option(&cli, "limit"), "5");
	ck_assert_int_eq(cli.format, FORMAT_YAML);
	ck_assert_int_eq(cli.n_args, 1);
}
END_TEST

START_TEST(test_args__two_dashes_end_options_and_one_is_an_argument)
{
	ck_assert_int_eq(parse("saga start order -"), 0);
	ck_assert_str_eq(cli.args[1], "-");
	ck_assert_int_eq(parse("saga show -- --help"), 0);
	ck_assert_str_eq(cli.args[0], "--help");
	ck_assert_ptr_nonnull(cli.command);
}
END_TEST

START_TEST(test_args__the_last_value_wins)
{
	ck_assert_int_eq(parse("saga list --limit 1 --limit 2"), 0);
	ck_assert_str_eq(cli_option(&cli, "limit"), "2");
}
END_TEST

START_TEST(test_args__refuses_what_it_does_not_know)
{
	static const char *const lines[] = {
		"",
		"saga",
		"sag",
		"saga lst",
		"saga list --lmit 5",
		"saga list --limit",
		"saga list -x",
		"saga start order --wait=yes",
		"saga start",
		"saga start a b c",
		"version --server http://a",
		"--server http://a version",
		"def validate a --server x",
		"saga list -o xml",
		"serve --stroe x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		ck_assert_msg(parse(lines[i]) == CLI_USAGE, "`skald %s` was taken", lines[i]);
}
END_TEST

START_TEST(test_args__help_is_given_at_every_level)
{
	static const char *const lines[] = {"--help", "-h", "saga --help", "saga start --help",
										"saga start x --help --key k"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		ck_assert_msg(parse(lines[i]) == CLI_OK, "`skald %s`", lines[i]);
		ck_assert_ptr_null(cli.command);
	}
}
END_TEST

START_TEST(test_args__settings_are_options_of_a_server)
{
	ck_assert_int_eq(parse("serve --port 1 --participant a=http://a --participant b=http://b"), 0);
	ck_assert_int_eq(cli.n_given, 3);
	for (size_t i = 0; i < CONFIG_SETTING_COUNT; i++) {
		CLEANUP(free_p) char *line = xasprintf("serve --%s x", config_settings[i].flag);

		ck_assert_msg(parse(line) == 0, "%s", line);
	}
}
END_TEST

START_TEST(test_args__numbers_and_durations_have_bounds)
{
	int64_t n = 7;

	ck_assert_int_eq(parse("saga list --limit 12"), 0);
	ck_assert_int_eq(cli_option_int(&cli, "limit", 1, 100, &n), 0);
	ck_assert_int_eq(n, 12);
	ck_assert_int_eq(cli_option_int(&cli, "limit", 1, 10, &n), CLI_USAGE);
	ck_assert_int_eq(cli_option_int(&cli, "all", 1, 10, &n), 0); /* not given: as it was */
	ck_assert_int_eq(n, 12);
	ck_assert_int_eq(parse("saga list --limit 12x"), 0);
	ck_assert_int_eq(cli_option_int(&cli, "limit", 1, 100, &n), CLI_USAGE);
	ck_assert_int_eq(parse("saga wait x --timeout 1m30s"), 0);
	ck_assert_int_eq(cli_option_duration(&cli, "timeout", &n), 0);
	ck_assert_int_eq(n, 90000);
	ck_assert_int_eq(parse("saga wait x --timeout soon"), 0);
	ck_assert_int_eq(cli_option_duration(&cli, "timeout", &n), CLI_USAGE);
}
END_TEST

START_TEST(test_args__too_many_words_are_refused)
{
	static char *argv[CLI_MAX_WORDS + 2];

	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = (char *)"x";
	ck_assert_int_eq(cli_parse(&cli, (int)ARRAY_SIZE(argv) - 1, argv), CLI_USAGE);
}
END_TEST

/* Two options of one command with the same name or letter would hide each other. */
START_TEST(test_args__no_command_has_an_option_twice)
{
	for (size_t i = 0; cli_command_at(i); i++) {
		const struct cli_command *c = cli_command_at(i);
		const struct cli_option *tables[] = {c->options, c->client ? cli_client_options : NULL,
											 c->output ? cli_output_options : NULL,
											 c->settings ? cli_setting_options() : NULL};
		const struct cli_option *all[64];
		size_t n = 0;

		for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
			for (const struct cli_option *o = tables[t]; o && o->name; o++)
				all[n++] = o;
		for (size_t a = 0; a < n; a++)
			for (size_t b = a + 1; b < n; b++) {
				ck_assert_msg(strcmp(all[a]->name, all[b]->name) != 0, "%s: --%s", c->name,
							  all[a]->name);
				ck_assert_msg(!all[a]->letter || all[a]->letter != all[b]->letter, "%s: -%c",
							  c->name, all[a]->letter);
			}
	}
}
END_TEST

START_TEST(test_args__every_command_teaches)
{
	for (size_t i = 0; cli_command_at(i); i++) {
		const struct cli_command *c = cli_command_at(i);

		ck_assert_msg(c->run != NULL, "%s does nothing", c->name);
		ck_assert_msg(*c->summary && c->summary[strlen(c->summary) - 1] != '.', "%s", c->name);
		ck_assert_msg(!strchr(c->summary, '\''), "%s: fish wants no apostrophe", c->name);
		if (strcmp(c->name, "version") != 0)
			ck_assert_msg(strstr(c->help, "Examples:\n") != NULL, "%s has no example", c->name);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("args");
	TCase *tc = tcase_create("args");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, test_args__finds_command_arguments_and_options);
	tcase_add_test(tc, test_args__options_may_stand_anywhere_and_be_written_in_each_way);
	tcase_add_test(tc, test_args__two_dashes_end_options_and_one_is_an_argument);
	tcase_add_test(tc, test_args__the_last_value_wins);
	tcase_add_test(tc, test_args__refuses_what_it_does_not_know);
	tcase_add_test(tc, test_args__help_is_given_at_every_level);
	tcase_add_test(tc, test_args__settings_are_options_of_a_server);
	tcase_add_test(tc, test_args__numbers_and_durations_have_bounds);
	tcase_add_test(tc, test_args__too_many_words_are_refused);
	tcase_add_test(tc, test_args__no_command_has_an_option_twice);
	tcase_add_test(tc, test_args__every_command_teaches);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
