/*
 * The batches that this process does. Of each open batch in the store one process is the runner: it
 * writes itself and the time into the row, which is written by its revision, so of two that want it
 * one gets it. Who has not written for BATCH_ABANDONED_MS has lost it to the next that looks.
 *
 *   selecting --> running --> done
 *       |  ^       |  ^         |
 *       v  |       v  |         |  retry (with failed or refused items as pending again)
 *      stopped <------'---------'
 *
 * The id of an act is that of its batch, and a saga that knows it does nothing; so nothing is lost
 * or done twice when a runner dies between an act and its record, or when two believe that they are
 * the runner: the next one tells the saga once more.
 *
 * No thread and no clock of its own: somebody steps it, at the time it wants. What takes time (an
 * act) is begun through a port, and its end is told with batch_runs_acted. Thread: one.
 */
#ifndef COORDINATOR_BATCH_RUNS_H
#define COORDINATOR_BATCH_RUNS_H

#include "connectors/store.h"
#include "coordinator/mailbox.h"

enum {
	BATCHES_OPEN_MAX = 100, /* selecting or running, of all namespaces */
	BATCH_OUT_MAX = 64,     /* acts of one batch at once */
	BATCH_WINDOW = 512,     /* items of one batch in memory */
	BATCH_ACT_TRIES = 15,   /* about 50 s: a slot has found its next owner by then */
	BATCH_BACKOFF_MS = 100,
	BATCH_BACKOFF_MAX_MS = 5000,
	BATCH_WRITE_MS = 250, /* results are written when they are so old, or so many */
	BATCH_WRITE_ITEMS = 200,
	BATCH_BEAT_MS = 5000, /* the row is written when there are none */
	BATCH_ABANDONED_MS = 30000,
	BATCH_LOOK_MS = 500,       /* who has stopped one, and what is new */
	BATCH_LOOK_IDLE_MS = 1000, /* when there is none */
	BATCH_RATE_MAX = 10000,
};

/* What all acts of one batch have in common. Counted by the thread of batch_runs alone. */
struct batch_task {
	int refs;
	char *ns, *act, *by; /* act: as the row has it */
	char id[UUID_SIZE];
};

enum batch_act_end {
	BATCH_ACT_DONE,
	BATCH_ACT_REFUSED, /* the saga does not allow it */
	BATCH_ACT_FAILED,  /* it makes no sense to try again */
	BATCH_ACT_LATER,   /* nobody could be asked, or nobody knows */
};

/* The act on one saga. */
struct batch_act {
	struct mail mail; /* the port's */
	const struct batch_task *task;
	char saga_id[SAGA_ID_SIZE];
	/* Filled in by the port; the texts are the act's. */
	enum batch_act_end end;
	char *effect; /* JSON; NULL: none */
	char *error;  /* NULL: none */
	int64_t seq;  /* of the act's history row; 0: not known */
};

struct batch_ports {
	/* As batch_put; what is not known may be tried again within. */
	int (*put)(void *ctx, struct batch_row *row, const struct batch_item_row *items, size_t n,
			   struct err *err);
	/* Begins the act. It is handed back with batch_runs_acted, in any case, but not from within. */
	void (*act)(void *ctx, struct batch_act *act);
};

struct batch_runs_options {
	struct store_reader *reader; /* borrowed, as all */
	const struct batch_ports *ports;
	void *ctx;
	const char *runner; /* names this process */
	bool alone;         /* the store is of one process: what others had, they have lost */
};

struct batch_runs;

struct batch_runs *batch_runs_new(const struct batch_runs_options *options) MUST_CHECK;
/* All acts must have come back. Takes NULL. */
void batch_runs_free(struct batch_runs *runs);

/* Does what is due. Returns when it wants to be called again at the latest, on the clock of now_us,
 * which is monotonic. */
int64_t batch_runs_step(struct batch_runs *runs, int64_t now_us, wall_ms now);
/* An act has ended; takes it back. */
void batch_runs_acted(struct batch_runs *runs, struct batch_act *act, int64_t now_us);
/* The next step looks into the store: somebody has made or stopped a batch. */
void batch_runs_look(struct batch_runs *runs);
/* Begins nothing more, and gives up each batch whose acts have come back, for others to go on. */
void batch_runs_leave(struct batch_runs *runs);

struct batch_runs_stats {
	int64_t open;                           /* batches that this process runs */
	int64_t out;                            /* acts */
	int64_t items[BATCH_ITEM_STATUS_COUNT]; /* recorded by this process */
};
void batch_runs_stats(const struct batch_runs *runs, struct batch_runs_stats *ret_stats);

/* The cursor of a batch whose sagas are still to be found begins with this. */
#define BATCH_CURSOR_SELECT "select:"

#endif
