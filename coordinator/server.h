/*
 * The HTTP server: libmicrohttpd on one epoll thread, connections suspended while the engine works
 * on their call. Every route goes through one table (routes.h) and one check.
 */
#ifndef COORDINATOR_SERVER_H
#define COORDINATOR_SERVER_H

#include "sagas/base/err.h"

struct node;
struct server;

/* Listens on node->options; fills node->port. */
int server_start(struct node *node, struct server **ret_server, struct err *err) MUST_CHECK;
/*
 * Leaves a pointer to a saga that was started elsewhere than here, once the commit has accepted its
 * key. Best effort. Thread: any, before server_stop.
 */
void server_remember(struct server *server, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint);
/* No new connections; lets suspended ones be answered; joins. */
void server_stop(struct server *server);

#endif
