/*
 * Skald, server and command line in one binary. What it can do is one table, in cli/commands.c; how
 * a server is put together is node.c, started by `serve` and `dev`.
 */
#include "coordinator/cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
