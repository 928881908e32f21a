/*
 * Rows for tests of stores: the n-th saga of a test is always the same one, and later ones are
 * newer. What is returned is valid until the program ends.
 */
#ifndef TESTS_SUPPORT_STORE_ROWS_H
#define TESTS_SUPPORT_STORE_ROWS_H

#include "connectors/store.h"

enum { ROWS_SLOTS = 16, ROWS_MAX = 4096 };

/* When saga n starts: a second after saga n - 1. */
wall_ms rows_time(int n);
const char *rows_id(int n);
const char *rows_key(int n);         /* "order-<n>" */
const char *rows_fingerprint(int n); /* 64 hex digits */

/* A running saga of definition "order" in namespace "default". */
struct saga_row rows_saga(int n);
struct compensation_row rows_compensation(const char *step, enum comp_status status);

/* The first transition of saga n; row is borrowed and outlives the item. */
struct store_item rows_create(int n, const struct saga_row *row);
/* A later transition; update may be NULL. */
struct store_item rows_next(int n, int64_t seq, const struct saga_row *update);

/* A task as the store has it, to be released; ERR_NOT_FOUND when it has none. */
int rows_task(struct store_reader *reader, int slot, const char *saga_id, const char *step,
			  int item, enum side side, struct task_row *ret_row);

/* These commit one batch of one item and return its verdict; CHECK fails when commit does. */
enum store_verdict rows_put_create(struct store *store, int n);
enum store_verdict rows_put_next(struct store *store, int n, int64_t seq);
enum store_verdict rows_put_end(struct store *store, int n, int64_t seq, enum saga_status status);

#endif
