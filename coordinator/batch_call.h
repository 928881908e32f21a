/*
 * The act of a batch on one saga, as it is said to whoever has the saga: to this process's engine,
 * or as a request to another node. And what their answers mean.
 */
#ifndef COORDINATOR_BATCH_CALL_H
#define COORDINATOR_BATCH_CALL_H

#include "coordinator/batch_runs.h"
#include "coordinator/engine.h"
#include "sagas/base/buf.h"

/* The act with the batch's id and who made it; released by the caller. */
int batch_call_act(const struct batch_task *task, struct act *ret_act, struct err *err) MUST_CHECK;
/* Appends path and body of the POST that is the same act. */
int batch_call_request(const struct batch_task *task, const char *saga_id, struct buf *path,
					   struct buf *body, struct err *err) MUST_CHECK;

/* Fill in how the act has ended. */
void batch_call_ended(const struct engine_call *call, struct batch_act *act);
void batch_call_answered(int status, const char *body, size_t len, struct batch_act *act);
void batch_call_failed(enum batch_act_end end, const char *error, struct batch_act *act);

/*
 * The saga took this act before, and says no more than that: its effect is looked for in the
 * history, which must be there up to act->seq. What is not found stays unknown (seq 0).
 */
bool batch_call_is_repeated(const struct batch_act *act);
void batch_call_find_effect(struct store_reader *reader, struct batch_act *act);

#endif
