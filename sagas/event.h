/*
 * The events of a history. Numbers and names are stable for ever; a number is never used again for
 * another meaning. An event is written as a JSON object with its number `n`, its `type` and those
 * fields that are not at their default; the events of one transition are a JSON array, one history
 * row.
 *
 *   [{"n":3,"type":"StepCompleted","step":"charge","status":200,"value":{"id":"c-1"}},
 *    {"n":11,"type":"CompensationArmed","step":"charge","request":{…}}]
 *
 * A reader refuses an event whose version `v` (1 when absent) is above EVENT_VERSION.
 */
#ifndef SAGAS_EVENT_H
#define SAGAS_EVENT_H

#include <stdbool.h>

#include "sagas/base/time.h"
#include "sagas/def.h"
#include "sagas/jval.h"
#include "sagas/request.h"
#include "sagas/side.h"

enum { EVENT_VERSION = 1 };

/* X(constant, number, name) */
#define EVENT_TYPES(X)                                                                               \
	X(EV_SAGA_STARTED, 1, "SagaStarted")     /* name version key ns search value=input deadline;     \
												of a child: parent depth hold */                     \
	X(EV_STEP_SCHEDULED, 2, "StepScheduled") /* request id=nonce of its callback_url;                \
												or due_at of a timer; or of an await                 \
												value={cluster, topic, expect};                      \
												of a lock value={keys} */                            \
	X(EV_STEP_COMPLETED, 3, "StepCompleted") /* value=output; id of the record awaited, or the       \
												fencing token of a lock;                             \
												by a person: ambiguous settle_at */                  \
	X(EV_STEP_FAILED, 4, "StepFailed") /* code message outcome ambiguous tolerated settle_at */      \
	X(EV_STEP_ATTEMPT_FAILED, 5,                                                                     \
	  "StepAttemptFailed")               /* outcome code message due_at of the next */               \
	X(EV_STEP_ONGOING, 6, "StepOngoing") /* value=reply body; due_at of the first probe */           \
	X(EV_STEP_SKIPPED, 7, "StepSkipped")                                                             \
	X(EV_STEP_EXPANDED, 8, "StepExpanded") /* value=list of for_each */                              \
	X(EV_STEP_SETTLED, 9, "StepSettled")   /* a step of items or turns: value=output */              \
	X(EV_STEP_PARKED, 10, "StepParked")    /* waits for a person: code message settle_at */          \
	X(EV_COMPENSATION_ARMED, 11, "CompensationArmed") /* request, unless saga.failure is wanted;     \
														 id: by the child that is held */            \
	X(EV_COMPENSATION_STARTED, 12,                                                                   \
	  "CompensationStarted") /* request if it was not armed with one */                              \
	X(EV_COMPENSATION_COMPLETED, 13, "CompensationCompleted") /* value=output */                     \
	X(EV_COMPENSATION_ATTEMPT_FAILED, 14, "CompensationAttemptFailed")                               \
	X(EV_COMPENSATION_FAILED, 15, "CompensationFailed")   /* for good: waits for a person */         \
	X(EV_COMPENSATION_SKIPPED, 16, "CompensationSkipped") /* its `when` is false */                  \
	X(EV_COMPENSATION_ONGOING, 17, "CompensationOngoing")                                            \
	X(EV_SAGA_COMPENSATING, 18, "SagaCompensating") /* code message step: the way back begins */     \
	X(EV_SAGA_COMPLETED, 19, "SagaCompleted")       /* value=output */                               \
	X(EV_SAGA_COMPENSATED, 20, "SagaCompensated")                                                    \
	X(EV_SAGA_TERMINATED, 21, "SagaTerminated")            /* by reason */                           \
	X(EV_SAGA_CANCEL_REQUESTED, 22, "SagaCancelRequested") /* by reason id */                        \
	X(EV_SAGA_DEADLINE_PASSED, 23, "SagaDeadlinePassed")   /* past the pivot: an alert */            \
	X(EV_REPLY_IGNORED, 24, "ReplyIgnored")                /* late or duplicate: outcome status */   \
	X(EV_SAGA_ATTENTION, 25, "SagaAttention")              /* reason: a person should look */        \
	X(EV_STEP_ABSENT, 26, "StepAbsent") /* a probe: it never took effect; sent again */              \
	X(EV_COMMAND_PUBLISHED, 27,                                                                      \
	  "CommandPublished") /* side attempt due_at ambiguous settle_at: only of what waits long */     \
	X(EV_ACT_TAKEN, 28, "ActTaken") /* name=the act by reason id side value=its parameters, and      \
									   request deadline_at where it gives new ones */                \
	X(EV_TASK_LEASED, 29,                                                                            \
	  "TaskLeased") /* side attempt id=nonce by=worker name=its build due_at=the lease's end */      \
	X(EV_CHILD_STARTED, 30, "ChildStarted") /* side id=the child's saga */                           \
	X(EV_ESCALATED, 31, "Escalated") /* side value={entry, groups} due_at of the next entry;         \
										step -1: of the saga */                                      \
	X(EV_SAGA_HELD, 32, "SagaHeld")  /* value=output: a child is done, and waits for its parent */   \
	X(EV_SAGA_CONTINUED, 33,                                                                         \
	  "SagaContinued") /* name version key ns id deadline escalate_at value={input, run, …}: folds \
						  may begin here (state_continue.c) */                                       \
	X(EV_SAGA_RESET, 34, "SagaReset") /* a new run of a saga that has ended: id by reason deadline   \
										 escalate_at value={run_of:{id,seq}, forget:[steps]}         \
										 (state_reset.c) */                                          \
	X(EV_CHILD_CANCELLED, 39,                                                                        \
	  "ChildCancelRequested") /* side id=the child code message: it is told to turn back */

enum event_type {
#define X(name, number, text) name = (number),
	EVENT_TYPES(X)
#undef X
};

/*
 * One struct for all types; what a type uses stands beside it above. Step and side are by index in
 * memory, by id in JSON. Strings and values are owned.
 */
struct event {
	enum event_type type;
	int step;       /* -1: none */
	int item;       /* -1: none */
	enum side side; /* of EV_REPLY_IGNORED, EV_COMMAND_PUBLISHED, EV_ACT_TAKEN, EV_TASK_LEASED,
					 * EV_ESCALATED, EV_CHILD_… */
	bool ambiguous;
	bool tolerated;
	bool hold;            /* SagaStarted: the parent may want it undone after it is done */
	enum outcome outcome; /* OUTCOME_DEFAULT: not said */
	int http_status;      /* 0: none */
	int64_t attempt;
	int64_t version;
	int64_t depth;  /* SagaStarted: parents that stand above it */
	wall_ms at;     /* of the transition; the row's, not written in the event */
	wall_ms due_at; /* 0: none; so the other times */
	wall_ms deadline_at;
	wall_ms settle_at;
	wall_ms escalate_at; /* of what begins: when the first entry of its `escalate` is due */
	char *name, *ns, *id, *key, *code, *message, *by, *reason;
	char *parent; /* SagaStarted: whose step it is, as a correlation (correlation.h) */
	struct request *request;
	struct jval *value;
	struct jval *search; /* of what begins a history: the values that the saga is found by */
};

void event_init(struct event *event, enum event_type type);
void event_release(struct event *event);
const char *event_type_text(enum event_type type);
/* NULL for OUTCOME_DEFAULT. */
const char *outcome_text(enum outcome outcome);

/* Appends the event as a JSON object. */
void event_write(const struct event *event, const struct saga_def *def, struct buf *out);

/*
 * Reads one event. ERR_INVALID when it is not one, or names a step that def does not have.
 * On failure nothing has to be released.
 */
int event_from_json(const json_t *json, const struct saga_def *def, wall_ms at,
					struct event *ret_event, struct err *err) MUST_CHECK;

#endif
