/*
 * The engine: the thread that owns the state of sagas. It drains its mailbox, reads the clock once
 * a turn, decides (turn.h), and gives batches to the store writer. It does no I/O.
 *
 * Everything else asks it through an engine_call, and is answered when what it asked for is
 * durable.
 */
#ifndef COORDINATOR_ENGINE_H
#define COORDINATOR_ENGINE_H

#include "coordinator/mailbox.h"
#include "sagas/def.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/jval.h"
#include "sagas/status.h"

enum engine_act {
	ENGINE_START,
	ENGINE_CANCEL,
	ENGINE_TERMINATE,
	ENGINE_WAIT, /* for the end of a saga that was started before */
};

struct engine_call {
	struct mail mail;
	enum engine_act act;
	/* Filled in by the caller; strings and references are the call's, freed by engine_call_free. */
	char *ns;
	char id[SAGA_ID_SIZE];             /* START: the new saga's, made by the caller */
	struct saga_def *def;              /* START */
	char *key;                         /* START; NULL: none */
	char fingerprint[SHA256_HEX_SIZE]; /* START */
	struct jval *input;                /* START; handed over */
	char *by, *reason;                 /* CANCEL, TERMINATE */
	int64_t if_match;                  /* CANCEL, TERMINATE: expected history sequence; -1: any */
	int64_t wait_ms; /* START, WAIT: answer when terminal or after this long; 0: at once */
	/* Called once on the engine's thread; it must not block, and it takes the call back. */
	void (*answer)(struct engine_call *call);
	void *ctx;
	/* Filled in before answer. */
	int result; /* 0 or ERR_*: NOT_FOUND, CONFLICT, UNAVAILABLE (draining, no store), FENCED … */
	struct err err;
	bool duplicate; /* START: the key belongs to existing_id already */
	char existing_id[SAGA_ID_SIZE];
	char existing_fingerprint[SHA256_HEX_SIZE];
	enum saga_status status;
	bool ended;  /* the saga is terminal, and saga_json shows its end */
	int64_t seq; /* of the last durable history row: the ETag */
	char *
		saga_json; /* saga_state_json as text when ended, else saga_state_json_brief; may be NULL */
	size_t saga_json_len;
};

struct engine_call *engine_call_new(enum engine_act act) MUST_CHECK;
void engine_call_free(struct engine_call *call);

struct engine;

/*
 * Hands a call to the engine that owns the saga. ERR_UNAVAILABLE when its mailbox is full or it
 * drains; the call is then still the caller's. Thread: any.
 */
int engine_post(struct engine *engine, struct engine_call *call, struct err *err) MUST_CHECK;

struct engine_stats {
	int64_t sagas_in_memory, sagas_started, sagas_completed, sagas_compensated, sagas_failed,
		sagas_terminated, steps_completed, steps_failed, attempts_failed, compensations_done,
		compensations_failed, outcomes_unknown, calls_in_flight, inputs, turns, mailbox_length,
		commits, commit_failures, late_replies, timers_fired, timer_lateness_ms_max;
};
/* A snapshot of counters that the engine publishes once a turn. Thread: any. */
void engine_stats(struct engine *engine, struct engine_stats *ret_stats);

#endif
