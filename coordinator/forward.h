/*
 * Requests to other nodes: what only the owner of a saga's slot can do is sent on to it, as it came
 * in, and its answer relayed; once only, so that two nodes that disagree do not play ball.
 */
#ifndef COORDINATOR_FORWARD_H
#define COORDINATOR_FORWARD_H

#include "coordinator/exchange.h"
#include "connectors/http_client.h"

/* Says that another node should look at the store now. Best effort. Thread: any. */
void node_poke(struct http_client *http, const char *address);

/* The request came from another node. */
bool exchange_was_forwarded(struct exchange *ex);
/* The id that the other node has chosen for the new saga; NULL: none. */
const char *exchange_forwarded_id(struct exchange *ex);

/* How the other node was not heard: it was not reached or refused, or nobody knows. */
enum forward_failure { FORWARD_REFUSED, FORWARD_UNKNOWN };

enum { FORWARD_PATH_SIZE = 1024 };

struct forward {
	const char *address; /* borrowed until the function returns, as path and saga_id */
	const char *path;
	const char *saga_id; /* of a new saga; NULL: none */
	int64_t wait_ms;     /* how long the other node may take beside its work */
	/* Called on the server's thread when there is no answer to relay. */
	void (*failed)(struct exchange *ex, enum forward_failure failure);
};
/* Suspends. The exchange is answered, or failed is called. Thread: server. */
void exchange_forward(struct exchange *ex, const struct forward *forward);

#endif
