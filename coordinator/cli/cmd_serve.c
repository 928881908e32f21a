/* `skald serve`: a node with the configuration that was given, until it is told to stop. */
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/server_run.h"

/* There is no authentication yet: whoever opens the door should know it. */
static void warn_beyond_loopback(const char *address)
{
	if (strncmp(address, "127.", 4) != 0 && strcmp(address, "::1") != 0 &&
		strcmp(address, "localhost") != 0)
		cli_note("skald: warning: listening on %s, beyond this machine, and there is no "
				 "authentication yet",
				 address);
}

int cmd_serve(struct cli *cli)
{
	struct config config;
	struct node *node = NULL;
	int r = server_config(cli, &config);

	if (r)
		return r;
	if (cli_option(cli, "print-config")) {
		config_print(&config, stdout);
		config_release(&config);
		return CLI_OK;
	}
	server_block_signals();
	warn_beyond_loopback(config.server_listen);
	r = server_start_node(&config, &node);
	if (!r) {
		server_wait(NULL, NULL);
		server_stop_node(node);
	}
	config_release(&config);
	return r;
}
