/*
 * A reset of a saga that has ended, over HTTP: it makes a new saga, and is answered with that.
 */
#ifndef COORDINATOR_API_NEW_RUN_H
#define COORDINATOR_API_NEW_RUN_H

#include "coordinator/exchange.h"
#include "coordinator/saga_view.h"
#include "sagas/act.h"

struct new_run_request;

/*
 * Of the saga as it stands, which has ended. Answers, or sets ex->next. act is borrowed as long as
 * the exchange lives. *request is the exchange's state for it, to be freed with the exchange; it
 * must be NULL, or what an earlier call for the same act gave. Thread: read pool.
 */
void api_new_run(struct exchange *ex, struct store_reader *reader, const struct saga_view *view,
				 const struct act *act, bool dry, struct new_run_request **request);
void new_run_request_free(struct new_run_request *request); /* takes NULL */

#endif
