/*
 * What waits for someone outside, as the core, the store and the API name it: a task for a worker,
 * or an approval for persons.
 */
#ifndef SAGAS_TASK_H
#define SAGAS_TASK_H

/* X(constant, text) */
#define TASK_KINDS(X)                                                                              \
	X(TASK_WORKER, "worker")                                                                       \
	X(TASK_APPROVAL, "approval")

#define TASK_STATES(X)                                                                             \
	X(TASK_QUEUED, "queued") /* waits for a worker, or for persons */                              \
	X(TASK_LEASED, "leased") /* a worker has it */

#define X(name, text) name,
enum task_kind { TASK_KINDS(X) TASK_KIND_COUNT };
enum task_state { TASK_STATES(X) TASK_STATE_COUNT };
#undef X

const char *task_kind_text(enum task_kind kind);
const char *task_state_text(enum task_state state);
/* Return -1 for an unknown text. */
int task_kind_parse(const char *text);
int task_state_parse(const char *text);

#endif
