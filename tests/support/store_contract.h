/*
 * What every store must do, as tests that run against each kind of store that a program names.
 * Every check runs in a process of its own, with a fresh store.
 */
#ifndef TESTS_SUPPORT_STORE_CONTRACT_H
#define TESTS_SUPPORT_STORE_CONTRACT_H

#include <check.h>

#include "connectors/store.h"

struct store_kind {
	const char *name;
	/* A fresh, empty store with 16 slots, in place of what was there. */
	struct store *(*open)(void);
	/* Opens again what open made, after it was closed or its process died; NULL: nothing is kept.
	 */
	struct store *(*reopen)(void);
	/*
	 * Opens what open made once more, beside it, as another node would, and without slots of its
	 * own; NULL: it has one process only.
	 */
	struct store *(*second)(void);
};

/* kinds must outlive the run. */
void store_contract_add(Suite *suite, const struct store_kind *kinds, int n_kinds);

/* For the files of the contract: each adds its tests. */
extern const struct store_kind *store_contract__kinds;
void store_contract__add_commit(TCase *tcase, int n_kinds);
void store_contract__add_read(TCase *tcase, int n_kinds);
void store_contract__add_list(TCase *tcase, int n_kinds);
void store_contract__add_life(TCase *tcase, int n_kinds);
void store_contract__add_messages(TCase *tcase, int n_kinds);
void store_contract__add_events(TCase *tcase, int n_kinds);
void store_contract__add_letters(TCase *tcase, int n_kinds);
void store_contract__add_counters(TCase *tcase, int n_kinds);
void store_contract__add_attention(TCase *tcase, int n_kinds);
void store_contract__add_batches(TCase *tcase, int n_kinds);
void store_contract__add_versions(TCase *tcase, int n_kinds);
void store_contract__add_long(TCase *tcase, int n_kinds);
void store_contract__add_locks(TCase *tcase, int n_kinds);
void store_contract__add_tasks(TCase *tcase, int n_kinds);
void store_contract__add_filters(TCase *tcase, int n_kinds);

#endif
