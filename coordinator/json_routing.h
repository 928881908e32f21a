/*
 * Which versions of a definition start sagas, as JSON.
 */
#ifndef COORDINATOR_JSON_ROUTING_H
#define COORDINATOR_JSON_ROUTING_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

/* Members `current`, `canary`, `paused` and `pause_reason`, each with its comma. row NULL: nothing
 * was said of it, and its newest version starts all. */
void json_routing_members(const struct routing_row *row, int64_t newest, struct buf *out);
/* The share of the starts that a version takes, in percent. */
int json_routing_share(const struct routing_row *row, int64_t newest, int64_t version);
/* The row as an object. */
void json_routing(const struct routing_row *row, int64_t newest, struct buf *out);

#endif
