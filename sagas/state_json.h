/*
 * A saga as it is shown: in answers of the API, by the command line, in the dashboard.
 */
#ifndef SAGAS_STATE_JSON_H
#define SAGAS_STATE_JSON_H

#include "sagas/state.h"

/*
 * {id, saga, namespace, version, status, key, summary (a sentence), started_at, updated_at,
 * ended_at, deadline_at, next_due_at, attention, failure: {code, message, step}, input, output,
 *  steps: [{id, status, pivot, attempts, error, output, actions: [{item, status, attempts, next_at,
 *  error, request, output, compensation: {status, attempts, next_at, error, request}}]}]}
 * Times are RFC 3339. The caller's.
 */
json_t *saga_state_json(const struct saga_state *state, wall_ms now) MUST_CHECK;

/* The short form of lists and of 202 answers: without steps, input and output. */
json_t *saga_state_json_brief(const struct saga_state *state) MUST_CHECK;

#endif
