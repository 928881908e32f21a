/* What the commands of `skald saga` share. */
#ifndef COORDINATOR_CLI_CMD_SAGA_H
#define COORDINATOR_CLI_CMD_SAGA_H

#include "coordinator/cli/client.h"

/* Waits (-1: for ever), prints the saga, and returns the exit code that says how it ended. */
int saga_wait(const struct cli *cli, struct client *client, const char *id,
			  int64_t timeout_ms) MUST_CHECK;

/* All history rows after *seq, page by page; *seq becomes the last one's. 0 or an exit code. */
int saga_history_after(struct client *client, const char *id, int64_t *seq,
					   void (*page)(void *ctx, const json_t *rows), void *ctx) MUST_CHECK;

/* What it has started, and what that has, below a heading; nothing where there is none. */
int saga_children_show(struct cli *cli, struct client *client, const char *id) MUST_CHECK;

#endif
