/*
 * One batch that this process runs; see batch_runs.h. The row is what was last written or read, so
 * its revision is what the next write is judged by.
 */
#ifndef COORDINATOR_BATCH_RUN_H
#define COORDINATOR_BATCH_RUN_H

#include "coordinator/batch_runs.h"

enum batch_entry_state { ENTRY_WAITS, ENTRY_OUT, ENTRY_ENDED };

/* An item in memory. */
struct batch_entry {
	char saga_id[SAGA_ID_SIZE];
	enum batch_entry_state state;
	int tries;
	int64_t not_before_us;         /* WAITS */
	struct batch_act *act;         /* OUT */
	struct batch_item_row outcome; /* ENDED: to be written; its texts are the entry's */
};

struct batch_run {
	const struct batch_runs_options *options;
	struct batch_runs_stats *stats;
	struct batch_row row; /* owned */
	struct batch_task *task;
	struct batch_entry *entries; /* BATCH_WINDOW */
	size_t n, n_out, n_ended;
	char read_to[SAGA_ID_SIZE]; /* items up to here are, or were, in entries */
	bool read_all;
	int64_t begin_at_us;         /* when the rate lets the next act begin */
	int64_t ended_since_us;      /* the oldest outcome that is not written */
	int64_t beat_at_us;          /* when the row is written in any case */
	int64_t store_at_us;         /* it failed; not before this */
	struct batch_select *select; /* SELECTING */
	bool leaving;                /* begin nothing, and give it up */
	bool over;                   /* it is no longer this process's; to be freed */
};

/* Copies the row, which this process has written. */
struct batch_run *batch_run_new(const struct batch_runs_options *options,
								struct batch_runs_stats *stats, const struct batch_row *row,
								int64_t now_us) MUST_CHECK;
/* What is out comes back later, and is forgotten. Takes NULL. */
void batch_run_free(struct batch_run *run);

/* As batch_runs_step. */
int64_t batch_run_step(struct batch_run *run, int64_t now_us, wall_ms now);
/* False: it is not one of this run's. Takes nothing back. */
bool batch_run_acted(struct batch_run *run, const struct batch_act *act, int64_t now_us);
/* The row was read and is another one than was last written: stopped, resumed, or taken over. */
void batch_run_adopt(struct batch_run *run, const struct batch_row *row);

void batch_act_free(struct batch_act *act);

#endif
