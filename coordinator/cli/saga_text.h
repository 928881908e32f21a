/* A saga in words, for a terminal: its ledger, and its history one line an event. */
#ifndef COORDINATOR_CLI_SAGA_TEXT_H
#define COORDINATOR_CLI_SAGA_TEXT_H

#include <jansson.h>

#include "coordinator/cli/cli.h"

/* The saga as GET /v1/sagas/{id} gives it. */
void saga_text_ledger(const json_t *saga, bool color, FILE *out);
/* One line: id, status, and the sentence. */
void saga_text_line(const json_t *saga, bool color, FILE *out);

/* One event of a history row; at and seq are the row's. */
void saga_text_event(const json_t *event, const char *at, int64_t seq, bool color, FILE *out);

/* What a history row's events become in -o jsonl: the event with at and seq. The caller's. */
json_t *saga_text_flatten(const json_t *rows) MUST_CHECK;

#endif
