/*
 * Filling a store with sagas for benches: rows are what the core decides, so they are those of real
 * sagas, only that their times were made up; they go through the store's own commit, hundreds at a
 * time. No server may run on the store meanwhile: a store in Postgres is taken over.
 *
 * Whatever fails ends the program with a message.
 */
#ifndef TESTS_SUPPORT_STORE_FILL_H
#define TESTS_SUPPORT_STORE_FILL_H

#include "connectors/store.h"
#include "coordinator/batch.h"
#include "sagas/decide.h"

enum { FILL_CHUNK = BATCH_MAX_ITEMS / 2 };

struct fill {
	struct store *store;
	struct batch *batch;
	struct saga_state *states[FILL_CHUNK]; /* that were begun, of this chunk */
	size_t n;
	int64_t n_filled; /* makes keys */
	uint64_t run;     /* and makes them differ from those of another run */
	struct jval *input;
	struct buf text;
};

void fill_must(int r, const struct err *err);
wall_ms fill_now(void);
/* A number of the command line, up to 100,000,000. */
int64_t fill_number(const char *text);

void fill_open(struct fill *fill, const char *address);
void fill_close(struct fill *fill);

/* Deploys a definition in JSON, in namespace "default"; the caller's. */
struct saga_def *fill_deploy(struct fill *fill, const char *text);
/* A saga that begins: its first item is added to the batch. At most FILL_CHUNK until fill_clear. */
struct saga_state *fill_begin(struct fill *fill, struct saga_def *def, wall_ms started_at,
							  struct saga_row **ret_row);
/* The next item of the batch: what the input does to the saga. It must cause no call. */
struct store_item *fill_decide(struct fill *fill, struct saga_state *state, const struct input *in,
							   wall_ms at, int64_t seq);
/* The saga's row as it is now; of the batch's memory. */
struct saga_row *fill_row(struct fill *fill, const struct saga_state *state);
/* Writes the batch; every item has to be accepted. */
void fill_commit(struct fill *fill);
/* Frees the states. */
void fill_clear(struct fill *fill);

#endif
