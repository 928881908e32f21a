/*
 * A saga as it is shown: in answers of the API, by the command line, in the dashboard.
 */
#ifndef SAGAS_STATE_JSON_H
#define SAGAS_STATE_JSON_H

#include "sagas/state.h"

/*
 * Appends
 * {id, saga, namespace, version, status, key, started_at, updated_at, ended_at, attention,
 *  attention_at, attention_detail: {kind, group, step, item, side, code},
 *  failure: {code, message, step}, summary (a sentence), owner, paused,
 *  signals: [{name, at, value}], deadline_at, next_due_at, input, output,
 *  steps: [{id, status, pivot, on_compensated, compensation, run, output, actions: [{item, status,
 *  parked, tolerated, ambiguous, attempts, next_at, error, request, output,
 *  compensation: {status, attempts, next_at, error, request}}]}]}
 * Times are RFC 3339.
 */
void saga_state_write(const struct saga_state *state, wall_ms now, struct buf *out);

/* The short form of lists and of 202 answers: up to failure. */
void saga_state_write_brief(const struct saga_state *state, struct buf *out);

/* The same as a value, for those who take it apart. The caller's. */
json_t *saga_state_json(const struct saga_state *state, wall_ms now) MUST_CHECK;

#endif
