/*
 * A history played again on a definition: would this definition have decided the same?
 *
 * What the world said stands in the history and is taken from there: answers with their outputs,
 * failures, signals, acts, time. What Skald decided upon it (which step begins and with which
 * request, what is skipped, repeated or expanded, what a failure means, how each step will be
 * undone, how the saga ends) is decided anew, and compared event by event.
 *
 * So it is not seen when a definition shapes an output otherwise, or judges the same answer
 * otherwise: the history has the output and the verdict, not the answer. Times are not compared
 * unless it is said: what was scheduled keeps the limits that it was given.
 */
#ifndef SAGAS_REPLAY_H
#define SAGAS_REPLAY_H

#include "sagas/base/time.h"
#include "sagas/def.h"

/* A row of a history, as the store has it: a JSON list of events. Borrowed. */
struct replay_row {
	int64_t seq;
	wall_ms at;
	const char *events;
	size_t len;
};

struct replay_options {
	bool times; /* deadlines and due times of what is scheduled must be the same, too */
};

/* The first event where the definition decides otherwise. */
struct replay_divergence {
	int64_t seq;
	int index;      /* within the row, from 0; its length: the row would go on */
	char *expected; /* the event of the history, as JSON; NULL: there is none */
	char *got;      /* what is decided now; NULL: nothing */
	char *why;      /* in words */
};
void replay_divergence_release(struct replay_divergence *divergence);

/*
 * rows is the whole history (or, of a saga that was continued, that of its present run), in order.
 * *ret_same false: *ret says where. ERR_INVALID: it is no history.
 * The cost is that of the fold and the decisions together.
 */
int saga_replay(struct saga_def *def, const char *saga_id, const struct replay_row *rows, size_t n,
				const struct replay_options *options, bool *ret_same, struct replay_divergence *ret,
				struct err *err) MUST_CHECK;

#endif
