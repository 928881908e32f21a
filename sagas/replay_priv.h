/*
 * What the parts of a replay share: replay.c goes through the rows, replay_fact.c knows what the
 * world gave, replay_compare.c says what differs.
 */
#ifndef SAGAS_REPLAY_PRIV_H
#define SAGAS_REPLAY_PRIV_H

#include "sagas/decide_priv.h"
#include "sagas/json_text.h"
#include "sagas/replay.h"

struct replay {
	const struct replay_options *options;
	struct saga_state *state; /* that decides */
	struct saga_state *fold;  /* of the history alone */
	json_t *row;
	int64_t seq;
	size_t cut; /* so many events of the row are of the run before */
	struct ctx ctx;
	struct input in;
	struct decision decision; /* of this row, so far */
	size_t matched;           /* so many of its events are those of the row */
	struct err err;
	struct replay_divergence *ret;
};

/* replay_fact.c */

/* The event of the row was given by the world, as things stand. */
bool replay__is_fact(const struct replay *replay, const struct event *event);
/* Folds it, and decides what follows at once. False: this definition takes it otherwise. */
bool replay__take_fact(struct replay *replay, const struct event *event);
/* The event of the row that says how the action ends; NULL: it does not. */
const json_t *replay__end_in_row(const struct replay *replay, int step, int item);

/* replay_compare.c */

/* False: they differ, which is said in *ret. expected may be NULL. */
bool replay__same(struct replay *replay, json_t *expected, const struct event *got);
/* Says that they differ. why: NULL, or what to say of it. */
void replay__diverges(struct replay *replay, json_t *expected, const struct event *got,
					  const char *why);

#endif
