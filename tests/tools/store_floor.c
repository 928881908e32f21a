/*
 * Measures the store alone: store_floor [FILE|URL [SECONDS [ITEMS…]]]. One JSON line for each size
 * of batch. The file is made for it, and is to be removed by the caller.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "tests/support/store_floor.h"

int main(int argc, char **argv)
{
	static const int sizes[] = {1, 8, 32, 128};
	const char *address = argc > 1 ? argv[1] : "/tmp/store-floor.db";
	struct store_sqlite_options sqlite = {.path = address, .no_sync = getenv("NO_SYNC") != NULL};
	struct store_postgres_options postgres = {.url = address, .exclusive = true};
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
	int n = argc > 3 ? argc - 3 : (int)(sizeof(sizes) / sizeof(sizes[0]));
	struct store *store;
	struct err err;

	if ((store_postgres_is_url(address) ? store_postgres_open(&postgres, &store, &err)
										: store_sqlite_open(&sqlite, &store, &err)) < 0) {
		fprintf(stderr, "store_floor: %s\n", err.text);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		int items = argc > 3 ? (int)strtol(argv[3 + i], NULL, 10) : sizes[i];
		struct store_floor_result result;
		struct store_stats before, after;

		store->ops->stats(store, &before);
		store_floor_run(store, items, seconds, &result);
		store->ops->stats(store, &after);
		printf("{\"store\":\"%s\",\"items_per_commit\":%d,\"sagas_per_second\":%.0f,"
			   "\"cpu_us_per_saga\":%.1f,\"commit_ms\":%.3f,\"commit_max_ms\":%.1f,\"bytes_per_"
			   "saga\":%.0f}\n",
			   store->ops->name, items, result.sagas_per_second, result.cpu_us_per_saga,
			   result.commit_ms, result.commit_max_ms,
			   (double)(after.bytes - before.bytes) * STORE_FLOOR_ITEMS / (double)result.items);
		fflush(stdout);
	}
	store->ops->close(store);
	return 0;
}
