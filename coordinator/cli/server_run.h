/*
 * What `serve` and `dev` share: the configuration from all its sources, the signals, and the life
 * of a node from start to drain.
 */
#ifndef COORDINATOR_CLI_SERVER_RUN_H
#define COORDINATOR_CLI_SERVER_RUN_H

#include "coordinator/cli/cli.h"
#include "coordinator/config.h"

/* File, environment and flags over the defaults. 0, or an exit code: what is wrong was said. */
int server_config(const struct cli *cli, struct config *ret_config) MUST_CHECK;

/*
 * Blocks SIGTERM, SIGINT and SIGCHLD in this thread and those that it makes; they are taken by
 * server_wait. Call it before anything else is started.
 */
void server_block_signals(void);

/* Log, failpoints, then the node. 0 or an exit code, said. */
int server_start_node(struct config *config, struct node **ret_node) MUST_CHECK;

/*
 * Sleeps until SIGTERM or SIGINT. A child that ended meanwhile is given to child_ended, which may
 * be NULL.
 */
void server_wait(void (*child_ended)(void *ctx, int pid, int status), void *ctx);

/* Drains. A second signal meanwhile ends the process at once: the history makes that safe. */
void server_stop_node(struct node *node);

#endif
