/*
 * One call to a participant on its way: from a command of the core to a request of the HTTP client,
 * and from what came back to a reply for the engine. One allocation holds all of it.
 */
#ifndef COORDINATOR_PARTICIPANT_CALL_H
#define COORDINATOR_PARTICIPANT_CALL_H

#include "connectors/http_client.h"
#include "coordinator/secrets.h"
#include "coordinator/turn.h"

struct participant_call;

/*
 * Makes the call and sends it. `replied` is called once, on the client's thread (perhaps before
 * this returns), and takes over the reply. command is borrowed; its request is referenced.
 * not_after_ms: as in http_request. secrets: what placeholders in the request stand for; NULL:
 * none. Thread: engine.
 */
void participant_call_send(struct http_client *client, const char *saga_id,
						   const struct command *command, const struct secrets *secrets,
						   const int64_t *not_after_ms,
						   void (*replied)(void *ctx, struct call_reply *reply), void *ctx);

#endif
