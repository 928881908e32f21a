/*
 * The vocabulary of states, one for API, events, database, metrics, dashboard and command line.
 * X(constant, text).
 */
#ifndef SAGAS_STATUS_H
#define SAGAS_STATUS_H

#include <stdbool.h>

#define SAGA_STATUSES(X)                                                                           \
	X(SAGA_RUNNING, "running")                                                                     \
	X(SAGA_WAITING, "waiting")                                                                     \
	X(SAGA_PAUSED, "paused")                                                                       \
	X(SAGA_COMPENSATING, "compensating")                                                           \
	X(SAGA_COMPLETED, "completed")                                                                 \
	X(SAGA_COMPENSATED, "compensated")                                                             \
	X(SAGA_COMPENSATION_FAILED, "compensation_failed")                                             \
	X(SAGA_FAILED, "failed")                                                                       \
	X(SAGA_TERMINATED, "terminated")

#define STEP_STATUSES(X)                                                                           \
	X(STEP_PENDING, "pending")                                                                     \
	X(STEP_RUNNING, "running")                                                                     \
	X(STEP_AWAITING_REPLY, "awaiting_reply")                                                       \
	X(STEP_BACKING_OFF, "backing_off")                                                             \
	X(STEP_COMPLETED, "completed")                                                                 \
	X(STEP_FAILED, "failed")                                                                       \
	X(STEP_OUTCOME_UNKNOWN, "outcome_unknown")                                                     \
	X(STEP_SKIPPED, "skipped")

#define COMP_STATUSES(X)                                                                           \
	X(COMP_NOT_ARMED, "not_armed")                                                                 \
	X(COMP_ARMED, "armed")                                                                         \
	X(COMP_RUNNING, "running")                                                                     \
	X(COMP_BACKING_OFF, "backing_off")                                                             \
	X(COMP_DONE, "done")                                                                           \
	X(COMP_FAILED, "failed")                                                                       \
	X(COMP_SKIPPED, "skipped")                                                                     \
	X(COMP_RESOLVED, "resolved")                                                                   \
	X(COMP_RELEASED, "released")

#define X(name, text) name,
enum saga_status { SAGA_STATUSES(X) SAGA_STATUS_COUNT };
enum step_status { STEP_STATUSES(X) STEP_STATUS_COUNT };
enum comp_status { COMP_STATUSES(X) COMP_STATUS_COUNT };
#undef X

const char *saga_status_text(enum saga_status status);
const char *step_status_text(enum step_status status);
const char *comp_status_text(enum comp_status status);
/* Return -1 for an unknown text. */
int saga_status_parse(const char *text);
int comp_status_parse(const char *text);

/* completed, compensated, failed and terminated absorb; compensation_failed waits for a person. */
bool saga_status_is_terminal(enum saga_status status);

#endif
