/*
 * What a store alone can do: a bare loop that writes the rows of sagas with three sequential HTTP
 * steps, each with a compensation, in batches as the store writer makes them, and nothing else.
 */
#ifndef TESTS_SUPPORT_STORE_FLOOR_H
#define TESTS_SUPPORT_STORE_FLOOR_H

#include "connectors/store.h"

struct store_floor_result {
	double sagas_per_second;
	double cpu_us_per_saga; /* of the thread in commit, user and system */
	double commit_ms;       /* mean time of a commit */
	double commit_max_ms;   /* the longest, which waited for a checkpoint */
	int64_t sagas;
	int64_t items;
	int64_t commits;
};

/* Items (transitions) of a saga; their rows: 1 saga, 1 key, 4 of history, 3 compensations, 1 end.
 */
enum { STORE_FLOOR_ITEMS = 4 };

/*
 * Keeps `concurrency` sagas going, which move on one transition a turn in groups, so that each
 * commit has items_per_commit items of sagas at different places in their lives. Ends after
 * `seconds`. Aborts when a commit fails or refuses an item.
 */
double store_floor_run(struct store *store, int items_per_commit, double seconds,
					   struct store_floor_result *ret_result);

#endif
