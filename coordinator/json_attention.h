/* A group of sagas that concern a person for the same reason, as JSON: in the API and in alerts. */
#ifndef COORDINATOR_JSON_ATTENTION_H
#define COORDINATOR_JSON_ATTENTION_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

/*
 * Appends {id, saga, kind, step, side, code, message, count, first_seen_at, last_seen_at, sample,
 * owner, acknowledged: null | {by, at, note}}.
 */
void json_attention(const struct attention_group_row *row, struct buf *out);

#endif
