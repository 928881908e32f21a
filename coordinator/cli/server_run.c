#include "connectors/store_postgres.h"
#include "coordinator/cli/server_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/failpoint.h"
#include "coordinator/log.h"

static void read_flags(const struct cli *cli, struct config *config, struct findings *findings)
{
	for (int i = 0; i < cli->n_given; i++) {
		const struct cli_given *given = &cli->given[i];

		if (strcmp(given->name, "participant") == 0)
			config_set_participant_flag(config, given->value, findings);
		else
			config_set_flag(config, given->name, given->value, findings);
	}
}

/* Settings of the environment and of flags are named by their pointer. */
static void print_findings(const char *path, const struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->list[i];

		if (*f->pointer == '/' || !*f->pointer)
			fprintf(stderr, "%s:%d: error: %s\n", path ? path : "configuration", f->line, f->text);
		else
			fprintf(stderr, "%s: error: %s\n", f->pointer, f->text);
	}
}

int server_config(const struct cli *cli, struct config *ret_config)
{
	const char *path = cli_option(cli, "config");
	struct findings findings = {0};
	struct err err = {0};
	int r = 0;

	if (!path)
		path = getenv("SKALD_CONFIG");
	if (path && !*path)
		path = NULL;
	config_init(ret_config);
	if (path)
		r = config_read_file(ret_config, path, &findings, &err);
	if (r < 0) {
		config_release(ret_config);
		return cli_fail(CLI_USAGE, "%s", err.text);
	}
	config_read_environment(ret_config, environ, &findings);
	read_flags(cli, ret_config, &findings);
	config_read_secrets(ret_config, &findings);
	config_check(ret_config, &findings);
	if (findings.n_errors > 0) {
		print_findings(path, &findings);
		config_release(ret_config);
		r = CLI_USAGE;
	}
	findings_release(&findings);
	return r;
}

void server_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* A client that hangs up is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
}

/* Makes the folder in which the store lies, and those above it. */
static int make_folder_of(const char *path, struct err *err)
{
	CLEANUP(free_p) char *folder = xstrdup(path);
	char *slash = folder;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return err_set(err, ERR_IO, "cannot make the folder %s: %s", folder, strerror(errno));
		*slash = '/';
	}
	return 0;
}

int server_start_node(struct config *config, struct node **ret_node)
{
	struct node_options options;
	struct err err = {0};
	int r;

	r = failpoints_arm(getenv("SKALD_FAILPOINTS"), &err);
	if (r < 0)
		return cli_fail(CLI_USAGE, "SKALD_FAILPOINTS: %s", err.text);
	log_setup((enum log_level)log_level_parse(config->log_level),
			  strcmp(config->log_format, "json") == 0);
	config_node_options(config, &options);
	r = store_postgres_is_url(config->store_path) ? 0 : make_folder_of(config->store_path, &err);
	if (!r)
		r = node_start(&options, ret_node, &err);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s%s%s", err.place, *err.place ? ": " : "", err.text);
	return 0;
}

void server_wait(void (*child_ended)(void *ctx, int pid, int status), void *ctx)
{
	siginfo_t info;
	sigset_t set;
	int pid, status;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int signal_number = sigwaitinfo(&set, &info);

		if (signal_number == SIGTERM || signal_number == SIGINT)
			return;
		while (child_ended && (pid = waitpid(-1, &status, WNOHANG)) > 0)
			child_ended(ctx, pid, status);
	}
}

void server_stop_node(struct node *node)
{
	sigset_t set;

	cli_note("skald: stopping; what is out may end (a second signal stops at once)");
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	node_stop(node);
}
