/*
 * Batches and their items as JSON, in the words of the API.
 */
#ifndef COORDINATOR_JSON_BATCH_H
#define COORDINATOR_JSON_BATCH_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

/*
 * {"id","act":{…},"q","by","rate","status","created_at","updated_at","ended_at",
 *  "counts":{"pending","done","refused","failed"},"total"}
 */
void json_batch(const struct batch_row *row, struct buf *out);
/*
 * {"saga","status","effect","error","seq","updated_at","now":{"status","attention"}}; now: the
 * saga's row of this moment, NULL when there is none any more.
 */
void json_batch_item(const struct batch_item_row *item, const struct saga_row *now,
					 struct buf *out);

#endif
