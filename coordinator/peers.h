/*
 * What the other nodes know of their calls to participants: each node counts its own, and who looks
 * at one node wants to see all.
 *
 * Nobody waits for another node. Whoever wants to know gets what was answered last, and has the
 * others asked again, once a second at most; an answer that is older than a few seconds is
 * forgotten with its node.
 */
#ifndef COORDINATOR_PEERS_H
#define COORDINATOR_PEERS_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

enum { PEERS_MAX = 64 };

struct http_client;
struct peers;

/* http is borrowed, and stopped before peers_free. */
struct peers *peers_new(struct http_client *http) MUST_CHECK;
void peers_free(struct peers *peers); /* takes NULL */

/*
 * Appends the participants of other nodes to an open array. nodes: those that there are; ret_asked:
 * how many of them are alive and others than self; ret_answered: whose are appended. Thread: any.
 */
void peers_participants(struct peers *peers, const struct membership *nodes, const char *self,
						struct buf *out, int *ret_asked, int *ret_answered);

#endif
