/* What the handlers of batches share. Thread: read pool, unless said otherwise. */
#ifndef COORDINATOR_API_BATCHES_PRIV_H
#define COORDINATOR_API_BATCHES_PRIV_H

#include "coordinator/exchange.h"

struct batch_row;
struct batch_item_row;

/* False: it cannot be the id of a batch; answered with 404. Thread: any. */
bool batch_id_param(struct exchange *ex) MUST_CHECK;
/* Of the batch in the path; false: it is answered. */
bool batch_read(struct exchange *ex, struct store_reader *reader,
				struct batch_row *ret_row) MUST_CHECK;
/* batch_put on the store writer. */
int batch_write(struct exchange *ex, struct batch_row *row, const struct batch_item_row *items,
				size_t n, struct err *err) MUST_CHECK;
void batch_answer(struct exchange *ex, int status, const struct batch_row *row);

#endif
