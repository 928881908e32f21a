/*
 * The command line. One table of commands (commands.c) says of each its name, arguments, options,
 * help and function; parsing, help, completion and "did you mean" all read that table.
 *
 * Data goes to stdout, everything else to stderr; the exit code says how it ended.
 */
#ifndef COORDINATOR_CLI_CLI_H
#define COORDINATOR_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

/* X(constant, number, meaning): documented in `skald help exit-codes` and docs/cli.md. */
#define CLI_EXIT_CODES(X)                                                                          \
	X(CLI_OK, 0, "done; for `saga wait`: completed")                                               \
	X(CLI_FAILED, 1, "failed: the request was refused, a file is wrong, ...")                      \
	X(CLI_USAGE, 2, "the command line itself is wrong")                                            \
	X(CLI_NOT_FOUND, 3, "there is no such saga or definition")                                     \
	X(CLI_AUTH, 4, "not authenticated, or not allowed")                                            \
	X(CLI_CONFLICT, 5, "conflict: the state does not allow it, or a key is taken")                 \
	X(CLI_UNREACHABLE, 6, "the server cannot be reached, or cannot work now")                      \
	X(CLI_PARTLY, 7, "part of a batch failed")                                                     \
	X(CLI_COMPENSATED, 20, "`saga wait`: the saga was undone (compensated)")                       \
	X(CLI_COMPENSATION_FAILED, 21, "`saga wait`: an undo failed; a person is needed")              \
	X(CLI_ENDED_BADLY, 22, "`saga wait`: failed or terminated")                                    \
	X(CLI_TIMED_OUT, 124, "`saga wait`: the time ran out first")

enum cli_exit {
#define X(name, number, text) name = (number),
	CLI_EXIT_CODES(X)
#undef X
};

struct cli_option {
	const char *name;  /* "timeout", without dashes; NULL ends a table */
	char letter;       /* 'o'; 0: none */
	const char *value; /* what its value is called in the help; NULL: a flag */
	const char *help;
	/* For completion: words that may be given; or one that begins with @, which the program itself
	 * is asked for (`skald completion values`). NULL: anything, or a file. */
	const char *words;
};

struct cli;

struct cli_command {
	const char *name; /* "saga start" */
	const char *args; /* as shown: "NAME [INPUT]" */
	int min_args, max_args;
	const char *summary;              /* one line */
	const char *help;                 /* teaches, with examples */
	const struct cli_option *options; /* NULL: none of its own */
	bool output;                      /* prints data: takes -o */
	bool client;                      /* talks to a server: takes --server and --namespace, too */
	bool settings;                    /* takes every setting of the configuration as an option */
	int (*run)(struct cli *cli);
	/* For completion, of the arguments, one after the other with | between; the last one is for all
	 * that follow. As an option's. */
	const char *words;
};

struct cli_group {
	const char *name;
	const char *summary;
};

enum { CLI_MAX_WORDS = 1000 };

struct cli_given {
	const char *name; /* of the option */
	const char *value;
};

enum cli_format { FORMAT_TABLE, FORMAT_JSON, FORMAT_JSONL, FORMAT_YAML };

/* A parsed command line. */
struct cli {
	const char *program; /* as it was called */
	const struct cli_command *command;
	const char **args;
	int n_args;
	struct cli_given *given;
	int n_given;
	enum cli_format format;
	bool color; /* on stdout */
};

/* The commands in the order of the documentation; NULL: there are no more. */
const struct cli_command *cli_command_at(size_t i);
extern const struct cli_group cli_groups[];
extern const size_t cli_n_groups;
extern const struct cli_option cli_client_options[]; /* of every command with `client` */
extern const struct cli_option cli_output_options[]; /* of those with `output` or `client` */
/* One option for each setting: --server-port for server.port. Made on first use. Thread: main. */
const struct cli_option *cli_setting_options(void);

/* Runs the program; returns its exit code. */
int cli_main(int argc, char **argv);

const struct cli_command *cli_find_command(const char *name);

/*
 * The command and everything else on the line. 0, or an exit code: the line was wrong, which was
 * said on stderr, or it asked for help, which was given (CLI_OK with command NULL).
 */
int cli_parse(struct cli *cli, int argc, char **argv) MUST_CHECK;
void cli_release(struct cli *cli);

/* The (last) value given for an option; "" for a flag; NULL: not given. */
const char *cli_option(const struct cli *cli, const char *name);
/* Numbers and durations of options; fallback when not given. Negative: an exit code, said. */
int cli_option_int(const struct cli *cli, const char *name, int64_t min, int64_t max,
				   int64_t *value) MUST_CHECK;
int cli_option_duration(const struct cli *cli, const char *name, int64_t *ms) MUST_CHECK;

/* "skald: ..." on stderr; returns code. */
int cli_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
int cli_fail_err(const struct err *err);
/* A note for people on stderr. */
void cli_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

void cli_help_top(FILE *out);
void cli_help_group(const char *group, FILE *out);
void cli_help_command(const struct cli_command *command, FILE *out);
void cli_help_exit_codes(FILE *out);

/* What commands.c names. */
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_serve(struct cli *cli);
int cmd_dev(struct cli *cli);
int cmd_bench(struct cli *cli);
int cmd_test(struct cli *cli);
int cmd_simulate(struct cli *cli);
int cmd_replay(struct cli *cli);
int cmd_saga_export(struct cli *cli);
int cmd_saga_import(struct cli *cli);
int cmd_def_validate(struct cli *cli);
int cmd_def_lint(struct cli *cli);
int cmd_def_deploy(struct cli *cli);
int cmd_def_list(struct cli *cli);
int cmd_def_graph(struct cli *cli);
int cmd_schedule_list(struct cli *cli);
int cmd_schedule_show(struct cli *cli);
int cmd_schedule_pause(struct cli *cli);
int cmd_schedule_resume(struct cli *cli);
int cmd_schedule_trigger(struct cli *cli);
int cmd_schedule_backfill(struct cli *cli);
int cmd_def_show(struct cli *cli);
int cmd_def_diff(struct cli *cli);
int cmd_def_canary(struct cli *cli);
int cmd_def_promote(struct cli *cli);
int cmd_def_rollback(struct cli *cli);
int cmd_def_pause(struct cli *cli);
int cmd_def_resume(struct cli *cli);
int cmd_node_list(struct cli *cli);
int cmd_saga_start(struct cli *cli);
int cmd_saga_list(struct cli *cli);
int cmd_saga_show(struct cli *cli);
int cmd_saga_history(struct cli *cli);
int cmd_saga_children(struct cli *cli);
int cmd_saga_watch(struct cli *cli);
int cmd_saga_wait(struct cli *cli);
int cmd_saga_acts(struct cli *cli);
int cmd_saga_act(struct cli *cli);
int cmd_step_act(struct cli *cli);
int cmd_approval_list(struct cli *cli);
int cmd_lock_list(struct cli *cli);
int cmd_lock_show(struct cli *cli);
int cmd_approval_show(struct cli *cli);
int cmd_attention_list(struct cli *cli);
int cmd_attention_show(struct cli *cli);
int cmd_attention_say(struct cli *cli);
int cmd_batch_start(struct cli *cli);
int cmd_batch_list(struct cli *cli);
int cmd_batch_show(struct cli *cli);
int cmd_batch_items(struct cli *cli);
int cmd_batch_steer(struct cli *cli);
int cmd_batch_watch(struct cli *cli);
int cmd_migrate_status(struct cli *cli);
int cmd_migrate_plan(struct cli *cli);
int cmd_migrate_up(struct cli *cli);
int cmd_idempotency_show(struct cli *cli);
int cmd_idempotency_expire(struct cli *cli);
int cmd_trigger_list(struct cli *cli);
int cmd_trigger_show(struct cli *cli);
int cmd_trigger_pause(struct cli *cli);
int cmd_trigger_resume(struct cli *cli);
int cmd_trigger_seek(struct cli *cli);
int cmd_queue_list(struct cli *cli);
int cmd_queue_show(struct cli *cli);
int cmd_queue_set(struct cli *cli);
int cmd_worker_list(struct cli *cli);
int cmd_dlq_list(struct cli *cli);
int cmd_dlq_show(struct cli *cli);
int cmd_dlq_redrive(struct cli *cli);
int cmd_dlq_discard(struct cli *cli);

#endif
