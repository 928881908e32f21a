/*
 * The core as a function: a state and an input give events and commands. It reads no clock and no
 * random number; both arrive here. Nothing of the decision may leave the process before its events
 * are durable.
 *
 * Events are folded into the state as they are decided, so what is decided next sees them, and
 * state and history cannot differ. Who must look without acting (a dry run) decides on a state of
 * its own, folded from the history.
 */
#ifndef SAGAS_DECIDE_H
#define SAGAS_DECIDE_H

#include "sagas/event.h"
#include "sagas/state.h"

enum input_type {
	INPUT_START,
	INPUT_REPLY,
	INPUT_TIMER, /* look what is due */
	INPUT_CANCEL,
	INPUT_TERMINATE,
};

/* How a call ended, as the HTTP client says it. */
enum call_result {
	CALL_ANSWERED,
	CALL_NOT_CONNECTED, /* nothing was sent */
	CALL_BROKEN,        /* it may have been sent */
	CALL_TIMED_OUT,
	CALL_TOO_LARGE, /* a status came, but too much body */
};

enum call_kind { CALL_DO, CALL_UNDO, CALL_PROBE_DO, CALL_PROBE_UNDO };

struct input {
	enum input_type type;
	uint64_t random; /* for jitter */
	/* START */
	const char *ns, *key; /* key may be NULL */
	struct jval *value;   /* input; borrowed */
	bool create_only;     /* nothing is scheduled: its owner does that, by INPUT_TIMER */
	/* REPLY */
	int step, item; /* item -1: the step's only action */
	enum call_kind kind;
	int64_t attempt;
	enum call_result result;
	int http_status;
	struct jval *body;      /* borrowed; NULL: none. What is not JSON arrives as a JSON string */
	const char *error;      /* for people; may be NULL */
	int64_t retry_after_ms; /* -1: none */
	/* CANCEL, TERMINATE */
	const char *by, *reason;
};

/* A call to make once the events are durable. */
struct command {
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int64_t timeout_ms;
	struct request *request; /* the command holds a reference */
};

struct decision {
	struct event *events;
	size_t n_events, cap_events;
	struct command *commands;
	size_t n_commands, cap_commands;
};

void decision_init(struct decision *decision);
void decision_release(struct decision *decision);

/*
 * Adds to decision, which may hold what earlier inputs of the same transition gave.
 *
 * 0: decision holds what follows, which may be nothing. ERR_CONFLICT: the act is refused in this
 * state; nothing changed. Inputs that no longer matter (a late reply, a terminal saga) are no
 * error.
 */
int saga_decide(struct saga_state *state, const struct input *in, wall_ms now,
				struct decision *decision, struct err *err) MUST_CHECK;

/*
 * After a fold: what has to be sent again, since nobody knows whether it was. Marks these calls as
 * perhaps sent, so that a later failure is not taken as proof that nothing happened.
 */
void saga_recover(struct saga_state *state, wall_ms now, struct decision *decision);

#endif
