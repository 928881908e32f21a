/*
 * The rows of the store that have to do with sagas that run long: what waits for workers and for
 * persons, locks, the values that sagas are found by, and the settings of queues. The functions
 * that write and read them are in connectors/store.h.
 *
 *   tasks         what waits for someone outside: written in the commit of the transition that
 *                 waits, removed in that of the one that does not wait any more
 *   search        values by which a saga is found, written when it begins
 *   locks         who holds a key, and who waits for it, in line
 *   queues        what persons said about queues
 *
 * Strings and bytes are borrowed from whoever made the struct, except in rows that were copied.
 */
#ifndef CONNECTORS_STORE_LONG_H
#define CONNECTORS_STORE_LONG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/side.h"
#include "sagas/task.h"

/* Limits, the same in every store; what of an item is past them makes it STORE_UNSTORABLE. */
enum {
	TASK_DOC_MAX_BYTES = 8 * 1024 * 1024,
	SEARCH_VALUES_MAX = 20,      /* of one saga, and pairs of one filter */
	SEARCH_NAME_MAX_BYTES = 128, /* the value has STORE_VALUE_MAX_BYTES */
	LOCK_KEY_MAX_BYTES = 255,
	LOCK_KEYS_MAX = 100,    /* of one step, with one ticket */
	LOCKS_GRANT_MAX = 1000, /* keys that one call looks at */
	QUEUE_LIST_MAX = 1000,  /* queues of a page */
	QUEUE_COUNT_MAX = 10000,
	MESSAGES_MAX = 2000, /* to other sagas, of one transition */
};

/*
 * Something that waits for someone outside: a task of a worker, or an approval. There is one for
 * (slot, saga, step, item, side).
 */
struct task_row {
	int slot;                   /* when read; in a commit it is the item's */
	char saga_id[SAGA_ID_SIZE]; /* the same */
	const char *ns;
	const char *definition;
	const char *step;
	int item; /* -1: the step's only action */
	enum side side;
	enum task_kind kind;
	const char *queue; /* of an approval: "" */
	const char *route; /* NULL: none */
	int64_t attempt;   /* of the next lease, or of the present one */
	enum task_state state;
	wall_ms queued_at, available_at; /* not to be leased before available_at */
	wall_ms deadline_at;             /* 0: none */
	wall_ms leased_until; /* LEASED: as of the commit, since heartbeats are not written; else 0 */
	const char *worker, *build; /* LEASED; build may be NULL even then */
	/* JSON object: of an approval, what a list of them shows; of a task {}, or {"progress": what
	 * its worker said last} */
	const char *doc;
	size_t doc_len;
};

/* In a commit: the row is inserted, or takes the place of the one that is there, or it goes. Of the
 * row that goes only step, item and side are looked at. Each (step, item, side) at most once. */
struct task_change {
	struct task_row row;
	bool remove;
};

/*
 * In a commit: the step asks for a key, or gives keys up. All keys that a step asks for in one
 * commit stand in line under one ticket, and are granted all together or not at all; a step that
 * asks again must have given up before.
 */
struct lock_change {
	const char *ns; /* the saga's */
	const char *step;
	int item;
	const char *key; /* NULL, with release: all keys of the step and item */
	bool release;    /* held, or still waiting */
};

/* A place in the line for a key: who holds it is first. */
struct lock_row {
	const char *ns, *key;
	const char *ticket; /* a UUID that begins with the time of the commit that asked */
	char saga_id[SAGA_ID_SIZE];
	int slot;
	const char *step;
	int item;
	bool held;
	int64_t token; /* held: greater than that of everybody who held one of its keys before */
	wall_ms asked_at;
	wall_ms held_at; /* 0: it waits */
};

struct search_value {
	const char *name, *value;
};

/*
 * A page of tasks: those available first, first (by available_at, saga_id, step, item, side); of
 * both states those that are queued and leased mixed by that order.
 */
struct task_filter {
	const char *ns;
	enum task_kind kind;
	const char *queue;        /* NULL: any */
	int state;                /* enum task_state, or -1: any */
	wall_ms available_before; /* exclusive; 0: no bound */
	/* Keyset: what comes after this task; after_saga_id "": from the first. */
	wall_ms after_available_at;
	char after_saga_id[SAGA_ID_SIZE];
	const char *after_step;
	int after_item;
	enum side after_side;
	int limit; /* 1 to STORE_PUT_MAX */
};

/* How many tasks a queue has, each counted up to QUEUE_COUNT_MAX: then there are more. */
struct queue_count_row {
	const char *ns, *queue;
	int64_t queued, leased;
	bool queued_more, leased_more; /* there are more than that */
	wall_ms oldest_available_at;   /* of those queued; 0: none are */
};

/* What waits to be decided, of all namespaces: counted up to QUEUE_COUNT_MAX in each. */
struct approval_counts {
	int64_t open;
	wall_ms oldest_at; /* when the first of them was asked for; 0: none is open */
};

/* What persons said about a queue; one of which nothing was said has no row. */
struct queue_row {
	const char *ns, *name;
	const char *settings; /* JSON object */
	const char *by;       /* NULL: nobody in particular */
	wall_ms updated_at;
	int64_t revision; /* how often it was written, as of a trigger's row */
};

/* Copies with owned strings, and their release, which leaves an empty row. */
void task_row_copy(const struct task_row *from, struct task_row *ret_row);
void task_row_release(struct task_row *row);
void queue_row_copy(const struct queue_row *from, struct queue_row *ret_row);
void queue_row_release(struct queue_row *row);

/* For the stores. */

/* The ticket of what a step asks for in the commit of (saga, seq) at `at`; it is also the id of the
 * inbox row {"kind":"lock","step","item","token"} that tells the saga that it holds the keys. */
void store_lock_ticket(wall_ms at, const char *saga_id, int64_t seq, const char *step, int item,
					   char ret_ticket[UUID_SIZE]);
const char *store_side_text(enum side side); /* "do" | "undo" */
struct store_item;
/* Whether what an item of a commit carries of all this, and its messages, are within the limits;
 * else it is STORE_UNSTORABLE. */
bool store_long_fits(const struct store_item *item, int slot_count);
int store_check_task_note(const struct task_row *row, struct err *err) MUST_CHECK;
int store_check_queue(const struct queue_row *row, struct err *err) MUST_CHECK;
int store_check_task_filter(const struct task_filter *filter, struct err *err) MUST_CHECK;
/* What was counted up to one past QUEUE_COUNT_MAX. */
void store_queue_count_bound(struct queue_count_row *row);
/* Adds those of one namespace; n is counted up to one past QUEUE_COUNT_MAX. */
void store_approvals_add(struct approval_counts *counts, int64_t n, wall_ms oldest_at);
int store_check_queue_page(int limit, struct err *err) MUST_CHECK;

#endif
