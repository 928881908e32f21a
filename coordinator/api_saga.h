/*
 * What the handlers of sagas share.
 */
#ifndef COORDINATOR_API_SAGA_H
#define COORDINATOR_API_SAGA_H

#include "coordinator/engine.h"
#include "coordinator/exchange.h"
#include "coordinator/saga_view.h"

/*
 * Suspends, and posts the call to the engine; its answer makes `next` run with ex->call filled in.
 * When the engine takes nothing in, the answer is 429, or 503 while it drains. Takes over call.
 */
void exchange_post(struct exchange *ex, struct engine_call *call, exchange_step *next);
/* The call that was answered; the caller's. Thread: server. */
struct engine_call *exchange_take_call(struct exchange *ex) MUST_CHECK;

/* False: the saga's id in the path cannot be one; answered with 404. */
bool saga_id_param(struct exchange *ex) MUST_CHECK;

/* Answers with the problem of a failed read: saga_not_found, or what the error says. */
void saga_read_failed(struct exchange *ex, const char *id, const struct err *err);

/* Answers with the saga: whole when it has ended, else in brief. */
void answer_view(struct exchange *ex, int status, const struct saga_view *view);
/* The same from the engine's answer; of an act with its effect. */
void answer_call(struct exchange *ex, int status, const struct engine_call *call);

#endif
