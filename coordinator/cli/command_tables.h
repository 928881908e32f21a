/* The parts of the table of commands, each in a file of its own. */
#ifndef COORDINATOR_CLI_COMMAND_TABLES_H
#define COORDINATOR_CLI_COMMAND_TABLES_H

#include "coordinator/cli/cli.h"

struct cli_command_table {
	const struct cli_command *commands;
	size_t n;
};

extern const struct cli_command_table cli_commands_operators, cli_commands_messages,
	cli_commands_server;

#endif
