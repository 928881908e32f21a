/*
 * The life of sagas as CloudEvents, for whoever wants to follow it: what a transition's events tell
 * to the world outside. Every event is described by a JSON Schema in schemas/events/.
 *
 *   skald.saga.started | completed | compensating | compensated | failed | terminated | attention
 *   skald.step.completed | failed | skipped | parked
 *   skald.compensation.completed | failed
 *
 * They tell what happened, and carry no payloads: inputs and outputs may be large, or secret. The
 * key is the saga's id, so the events of one saga stay in order.
 */
#ifndef SAGAS_LIFECYCLE_H
#define SAGAS_LIFECYCLE_H

#include "sagas/outbox.h"
#include "sagas/state.h"

/* X(constant, type) */
#define LIFECYCLE_TYPES(X)                                                                         \
	X(LIFE_SAGA_STARTED, "skald.saga.started")                                                     \
	X(LIFE_SAGA_COMPLETED, "skald.saga.completed")                                                 \
	X(LIFE_SAGA_COMPENSATING, "skald.saga.compensating")                                           \
	X(LIFE_SAGA_COMPENSATED, "skald.saga.compensated")                                             \
	X(LIFE_SAGA_FAILED, "skald.saga.failed")                                                       \
	X(LIFE_SAGA_TERMINATED, "skald.saga.terminated")                                               \
	X(LIFE_SAGA_ATTENTION, "skald.saga.attention")                                                 \
	X(LIFE_STEP_COMPLETED, "skald.step.completed")                                                 \
	X(LIFE_STEP_FAILED, "skald.step.failed")                                                       \
	X(LIFE_STEP_SKIPPED, "skald.step.skipped")                                                     \
	X(LIFE_STEP_PARKED, "skald.step.parked")                                                       \
	X(LIFE_COMPENSATION_COMPLETED, "skald.compensation.completed")                                 \
	X(LIFE_COMPENSATION_FAILED, "skald.compensation.failed")

enum lifecycle_type {
#define X(name, text) name,
	LIFECYCLE_TYPES(X)
#undef X
		LIFECYCLE_TYPE_COUNT
};

const char *lifecycle_type_text(enum lifecycle_type type);

/* What has to be remembered of a state before a transition, since the state itself moves on. */
struct lifecycle_before {
	enum saga_status status;
	bool attention; /* it concerned a person already */
};
struct lifecycle_before lifecycle_before(const struct saga_state *state);

/*
 * Adds the lifecycle events of a transition, in the order of its events; what follows from the
 * state as a whole (attention) comes last. state is the one after the transition, derived.
 * ERR_NO_MEMORY.
 */
int lifecycle_add(struct outbox *outbox, const struct outbox_origin *origin, const char *cluster,
				  const char *topic, const struct saga_state *state,
				  const struct lifecycle_before *before, const struct event *events,
				  size_t n_events, struct err *err) MUST_CHECK;

#endif
