/*
 * What a schedule has to do now: pure, from what is known of it (a row of the store) and the time.
 * Whoever runs schedules asks schedule_plan, does what it says, tells it how that went, and writes
 * the row, each time before the next question.
 *
 *   planned times --> due --+-- later than catch_up allows ------> missed
 *                           +-- paused --------------------------> skipped
 *                           +-- an earlier saga is open: overlap -> skipped | queued | cancelled
 *                           '-- start -----------------------------> started | failed
 *
 * A start has a key made of its planned time, so whoever repeats it, here or on another node,
 * starts nothing twice. Beside the planned times there are those of a backfill, one after the
 * other, and one that a person asked for.
 */
#ifndef SAGAS_SCHEDULE_H
#define SAGAS_SCHEDULE_H

#include "sagas/base/buf.h"
#include "sagas/def.h"
#include "sagas/id.h"

enum { SCHEDULE_DETAIL_SIZE = 240, SCHEDULE_LOOKS = 5000 };

/* X(constant, text) */
#define SCHEDULE_RESULTS(X)                                                                        \
	X(SCHEDULE_NOTHING, "")                                                                        \
	X(SCHEDULE_STARTED, "started")                                                                 \
	X(SCHEDULE_DUPLICATE, "duplicate") /* its saga was there already */                            \
	X(SCHEDULE_SKIPPED, "skipped")     /* by the overlap policy, or a pause */                     \
	X(SCHEDULE_QUEUED, "queued")                                                                   \
	X(SCHEDULE_MISSED, "missed") /* nobody was there in time */                                    \
	X(SCHEDULE_FAILED, "failed") /* the start itself: see detail */

enum schedule_result {
#define X(name, text) name,
	SCHEDULE_RESULTS(X)
#undef X
		SCHEDULE_RESULT_COUNT
};
const char *schedule_result_text(enum schedule_result result);

struct schedule_state {
	wall_ms done;            /* planned times up to here have been seen to; 0: it is new */
	wall_ms queued;          /* a planned time that waits for what runs; 0: none */
	wall_ms asked;           /* a person wants a start: when he said so; 0: none */
	wall_ms backfill, until; /* planned times after `backfill`, up to `until`; 0: none */
	bool side_by_side;       /* of a backfill: they do not wait for each other */
	char
		running[SAGA_ID_SIZE]; /* the last one that was started, unless it is known to have ended */
	int64_t n[SCHEDULE_RESULT_COUNT];
	/* The last time that was seen to. */
	wall_ms last_planned, last_at;
	enum schedule_result last;
	char last_saga[SAGA_ID_SIZE];
	char last_detail[SCHEDULE_DETAIL_SIZE]; /* "" */
	/* What became of the last start that a person asked for; it stands until the next is seen to,
	 * whatever else is due meanwhile. */
	wall_ms told_asked; /* the `asked` that it was; 0: none was asked for yet */
	enum schedule_result told_result;
	char told_saga[SAGA_ID_SIZE];
	char told_detail[SCHEDULE_DETAIL_SIZE]; /* "" */
};

/* As the row has it. NULL or "": new. ERR_INVALID. */
int schedule_state_read(const char *json, struct schedule_state *ret, struct err *err) MUST_CHECK;
void schedule_state_write(const struct schedule_state *state, struct buf *out);

enum schedule_step {
	SCHEDULE_SLEEP,  /* until `at` (-1: for ever), unless something is said or ends */
	SCHEDULE_AGAIN,  /* the state has changed, and there may be more to do */
	SCHEDULE_START,  /* the start that was planned for `at` */
	SCHEDULE_CANCEL, /* the saga that runs is to be cancelled; the state has changed */
};
enum schedule_source { SOURCE_PLANNED, SOURCE_QUEUED, SOURCE_BACKFILL, SOURCE_ASKED };

struct schedule_plan {
	enum schedule_step step;
	enum schedule_source source;
	wall_ms at;
};

struct schedule_now {
	wall_ms now;
	bool paused;     /* the schedule is: planned times are skipped */
	bool held;       /* its definition is: nothing is started at all, planned times are skipped */
	bool is_running; /* the saga `running` is open */
};

/* May change the state: it is to be written when it did (*ret_changed). */
struct schedule_plan schedule_plan(struct schedule_state *state, const struct schedule_def *def,
								   const struct tz *tz, const struct schedule_now *now,
								   bool *ret_changed);
/* How the start that a plan said went. saga_id, detail: NULL: none. */
void schedule_told(struct schedule_state *state, const struct schedule_plan *plan, wall_ms now,
				   enum schedule_result result, const char *saga_id, const char *detail);

/* The key of a start: "<definition>/<entry>/2026-03-01T08:00:00.000Z". */
void schedule_key(const char *definition, const char *entry, const struct schedule_plan *plan,
				  char key[KEY_MAX_BYTES + 1]);

#endif
