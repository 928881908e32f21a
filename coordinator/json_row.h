/*
 * Rows of the store as JSON, in the words of the API.
 */
#ifndef COORDINATOR_JSON_ROW_H
#define COORDINATOR_JSON_ROW_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

/* As saga_state_write_brief, as far as a row knows it. */
void json_row_saga(const struct saga_row *row, struct buf *out);
/* {name, version, hash, deployed_at} without the closing brace, so that more can be added. */
void json_row_definition_open(const struct definition_row *row, struct buf *out);

#endif
