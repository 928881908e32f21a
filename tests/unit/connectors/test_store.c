/*
 * The contract of stores, against each kind that there is; STORES=sqlite leaves out those that need
 * a server.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/store_fault.h"
#include "connectors/store_postgres.h"
#include "connectors/store_sqlite.h"
#include "sagas/base/macros.h"
#include "tests/support/postgres.h"
#include "tests/support/store_contract.h"
#include "tests/support/temp_dir.h"

static char *path;

static struct store *open_path(const char *store_path)
{
	struct store_sqlite_options options = {.path = store_path, .slot_count = 16};
	struct store *store;
	struct err err;

	ck_assert_msg(store_sqlite_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static struct store *reopen_file(void)
{
	return open_path(path);
}

static struct store *open_file(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		CLEANUP(free_p) char *file = xasprintf("%s%s", path, suffixes[i]);

		unlink(file);
	}
	return open_path(path);
}

static struct store *open_memory(void)
{
	return open_path(":memory:");
}

static enum store_fault no_fault(void *ctx)
{
	(void)ctx;
	return STORE_FAULT_NONE;
}

static struct store *open_fault(void)
{
	return store_fault_new(open_memory(), no_fault, NULL, NULL);
}

static struct store *open_url(const char *url, bool single)
{
	struct store_postgres_options options = {
		.url = url, .slot_count = 16, .exclusive = true, .single_slot_batches = single};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static struct store *open_postgres(void)
{
	return open_url(postgres_fresh("test_store"), false);
}

static struct store *reopen_postgres(void)
{
	return open_url(postgres_again("test_store"), false);
}

static struct store *open_postgres_by_slot(void)
{
	return open_url(postgres_fresh("test_store"), true);
}

/* As nodes of a cluster have it: the first has all slots, the second none. */
static struct store *open_shared(const char *url)
{
	struct store_postgres_options options = {.url = url, .slot_count = 16};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static struct store *open_postgres_first(void)
{
	struct store *store = open_shared(postgres_fresh("test_store"));
	char id[NODE_ID_SIZE];
	bool got[16];
	int slots[16];
	struct err err;

	for (int i = 0; i < 16; i++)
		slots[i] = i;
	ck_assert_int_eq(store->ops->node_join(store, "http://127.0.0.1:1", 600000, id, &err), 0);
	ck_assert_int_eq(store->ops->slots_acquire(store, slots, 16, got, &err), 0);
	return store;
}

static struct store *open_postgres_second(void)
{
	return open_shared(postgres_again("test_store"));
}

static const struct store_kind kinds[] = {
	{.name = "sqlite", .open = open_file, .reopen = reopen_file},
	{.name = "sqlite in memory", .open = open_memory},
	{.name = "postgres", .open = open_postgres, .reopen = reopen_postgres},
	{.name = "postgres, batches by slot", .open = open_postgres_by_slot},
	{.name = "postgres, two nodes", .open = open_postgres_first, .second = open_postgres_second},
	{.name = "fault, without faults", .open = open_fault},
};

int main(void)
{
	const char *stores = getenv("STORES");
	Suite *suite = suite_create("store");
	SRunner *runner;
	int failed, n = ARRAY_SIZE(kinds);

	path = xasprintf("%s/store.db", temp_dir_make());
	while (stores && strcmp(stores, "sqlite") == 0 && strncmp(kinds[n - 1].name, "sqlite", 6) != 0)
		n--;
	store_contract_add(suite, kinds, n);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	temp_dir_remove();
	free(path);
	return failed == 0 ? 0 : 1;
}
