/*
 * The store: what must survive. One table of functions, one adapter a file behind it; adapters are
 * plain synchronous code. All writing is done by one thread (the store writer), through one
 * connection; readers have connections of their own.
 *
 * A commit carries the transitions of many sagas. It is atomic as a whole, but judges each saga
 * alone: a duplicate key, a missing predecessor or a lost slot refuses that saga's rows and lets
 * the others pass.
 *
 * What it does not do: decide anything about sagas, keep caches, or retry.
 */
#ifndef CONNECTORS_STORE_H
#define CONNECTORS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/status.h"

/* The row of a saga. Strings are borrowed from whoever made the struct. */
struct saga_row {
	int slot;
	char id[SAGA_ID_SIZE];
	const char *ns;
	const char *definition;
	int64_t version;
	enum saga_status status;
	const char *key; /* NULL: started without one */
	wall_ms started_at;
	wall_ms updated_at;    /* of the last status change */
	wall_ms ended_at;      /* 0: not terminal; a row where status and it disagree is refused */
	wall_ms due_at;        /* when a sleeping saga must be awake again; 0 (NULL in SQL): awake */
	const char *attention; /* why it concerns a person; NULL: it does not */
};

/* A row of the compensation ledger, keyed by (slot, saga, step, item). */
struct compensation_row {
	const char *step;
	int item;           /* -1: the step has no items */
	const char *action; /* "http" … */
	enum comp_status status;
	const char *request; /* JSON; NULL on update: as it was */
	size_t request_len;
	int64_t attempts;
	const char *last_error; /* NULL: none */
	wall_ms updated_at;
};

/* What the store says of one item of a batch. */
enum store_verdict {
	STORE_ACCEPTED,
	STORE_DUPLICATE,  /* the key belongs to existing_id */
	STORE_CONFLICT,   /* predecessor missing, or the row is there already: load it again */
	STORE_FENCED,     /* the slot has another owner */
	STORE_UNSTORABLE, /* this item alone makes the statement fail: park the saga */
};

/* One transition of one saga: a history row, and what it changes beside it. */
struct store_item {
	/* Filled in by the caller. */
	int slot;
	char saga_id[SAGA_ID_SIZE];
	int64_t seq; /* of the history row; 1 is the first; its predecessor must exist, itself not */
	wall_ms at;
	const char *events; /* JSON array of the events of the transition */
	size_t events_len;
	const struct saga_row *create; /* seq 1 only: the saga's row, else NULL */
	const char *fingerprint;       /* with create and a key: hex SHA-256 of the start, else NULL */
	const struct saga_row *update; /* status, updated_at, ended_at, due_at, attention are written,
									  ns (never NULL) names the row with saga_id; or NULL */
	const struct compensation_row *compensations; /* inserted, or updated when the row exists */
	size_t n_compensations;
	/* Filled in by commit. */
	enum store_verdict verdict;
	char existing_id[SAGA_ID_SIZE];
	char existing_fingerprint[SHA256_HEX_SIZE];
};

struct history_row {
	int64_t seq;
	wall_ms at;
	const char *events;
	size_t events_len;
};

struct definition_row {
	const char *ns;
	const char *name;
	int64_t version; /* filled in by definition_put */
	const char *hash;
	const char *doc; /* canonical JSON */
	size_t doc_len;
	const char *source; /* the text as deployed */
	size_t source_len;
	wall_ms deployed_at;
	bool existed; /* filled in: this content was there already, under `version` */
};

/* Filters are joined by AND. Pages go from the newest to the oldest saga. */
struct saga_filter {
	const char *ns;
	unsigned status_mask;   /* 1 << status; 0: any */
	const char *definition; /* exact, or a glob with * and ?; NULL: any */
	const char *key;        /* the same; NULL: any */
	bool attention_only;
	wall_ms started_from;        /* inclusive; 0: no bound */
	wall_ms started_before;      /* exclusive; 0: no bound */
	char after_id[SAGA_ID_SIZE]; /* keyset: what comes after this saga; "": from the top */
	int limit;                   /* 1 to 1000 */
};

/*
 * Slots and nodes. A saga belongs to a slot, a slot to one node at a time; the store knows which,
 * and checks it in every commit. A node holds its slots as long as it renews its lease.
 */
enum { NODE_ID_SIZE = 37, NODE_ADDRESS_SIZE = 128 };

struct node_row {
	char id[NODE_ID_SIZE];
	char address[NODE_ADDRESS_SIZE]; /* "http://10.0.0.7:7878", where its API is reached */
	char version[32];
	wall_ms started_at, renewed_at;
	bool alive;    /* its lease has not run out, by the store's clock */
	bool draining; /* gives its slots away and takes no new ones */
	int n_slots;
};

/* What a renewal brings back. slot_owner has slot_count entries: an index into nodes, or -1. */
struct membership {
	struct node_row *nodes;
	size_t n_nodes;
	int *slot_owner;
	int self; /* index of this node in nodes; -1: its row is gone, it has to join again */
};
void membership_release(struct membership *membership);

enum { STORE_RETAIN_LOOKS = 4000 };

struct store_stats {
	int64_t commits;
	int64_t items;
	int64_t bytes; /* of the store's files or relations */
};

struct store;
struct store_reader;

struct store_ops {
	const char *name; /* "sqlite" */

	/* Thread: writer. */

	/*
	 * Writes the batch in one transaction. 0: committed, every item has its verdict. Negative:
	 * nothing took effect (ERR_IO, ERR_UNAVAILABLE …), except ERR_UNKNOWN: it may have taken
	 * effect; the caller calls settle before it reads what it touched.
	 */
	int (*commit)(struct store *store, struct store_item *items, size_t n, struct err *err);
	/* Returns 0 once no commit of this process can still land. */
	int (*settle)(struct store *store, struct err *err);
	/* Adds a version, or finds the one with the same hash. */
	int (*definition_put)(struct store *store, struct definition_row *row, struct err *err);
	/*
	 * Removes up to limit terminal sagas that ended before `before`, whole; *ret_n: how many. Looks
	 * at no more than STORE_RETAIN_LOOKS sagas, however many there are that have not ended; 1: when
	 * that was not all, the next call goes on there. 0: it has come to the limit or to the end.
	 */
	int (*retain)(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);
	/* What is best done when idle (a WAL checkpoint). */
	int (*idle)(struct store *store, struct err *err);
	/* Thread: any. */
	void (*stats)(struct store *store, struct store_stats *ret_stats);
	int (*slot_count)(const struct store *store);
	/* Frees the store; its readers must be gone. Takes NULL. */
	void (*close)(struct store *store);

	/*
	 * Membership. Thread: one, the membership thread, which may run beside the writer. A store of
	 * one process (SQLite) has NULL here: it owns all slots for as long as it is open.
	 */

	/* Adds this process as a node without slots, with a fresh random id. */
	int (*node_join)(struct store *store, const char *address, int64_t lease_ms,
					 char ret_id[NODE_ID_SIZE], struct err *err);
	/* Renews the lease, and says who is there and who owns what. */
	int (*node_renew)(struct store *store, bool draining, struct membership *ret_membership,
					  struct err *err);
	/*
	 * Takes those of the wanted slots that have no owner or an owner whose lease has run out; ends
	 * the old owner's connections first. Each gets a new random token, against which every commit
	 * of this process is checked from now on. ret_got[i]: whether slots[i] is ours.
	 */
	int (*slots_acquire)(struct store *store, const int *slots, size_t n, bool *ret_got,
						 struct err *err);
	/* Gives slots up; commits for them are fenced from now on. */
	int (*slots_release)(struct store *store, const int *slots, size_t n, struct err *err);
	/* Removes the node's row and its slots. */
	int (*node_leave)(struct store *store, struct err *err);
	/* Who is there, for `skald node list`. Thread: a reader's. */
	int (*nodes)(struct store_reader *reader, struct membership *ret_membership, struct err *err);

	/* Readers. Thread: each reader belongs to one thread at a time. */

	int (*reader_open)(struct store *store, struct store_reader **ret_reader, struct err *err);
	void (*reader_close)(struct store_reader *reader);
	/* In all that follows rows are borrowed until the callback returns; a callback that returns
	 * non-zero stops, and its value is returned. Strings of *_get are freed by the caller through
	 * saga_row_release / definition_row_release. Missing: ERR_NOT_FOUND. */
	int (*saga_get)(struct store_reader *reader, const char *ns, const char *id,
					struct saga_row *ret_row, struct err *err);
	int (*history)(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				   int (*row)(void *ctx, const struct history_row *row), void *ctx,
				   struct err *err);
	int (*compensations)(struct store_reader *reader, const char *id,
						 int (*row)(void *ctx, const struct compensation_row *row), void *ctx,
						 struct err *err);
	int (*list)(struct store_reader *reader, const struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err);
	/* Sagas that are not terminal and awake, or due before `due_before`, of slots first..last. */
	int (*load_due)(struct store_reader *reader, int first_slot, int last_slot, wall_ms due_before,
					bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					void *ctx, struct err *err);
	int (*find_key)(struct store_reader *reader, const char *ns, const char *definition,
					const char *key, char ret_id[SAGA_ID_SIZE],
					char ret_fingerprint[SHA256_HEX_SIZE], struct err *err);
	/* version 0: the newest. */
	int (*definition_get)(struct store_reader *reader, const char *ns, const char *name,
						  int64_t version, struct definition_row *ret_row, struct err *err);
	/* Without docs and sources. name NULL: the newest version of each; else all of that name. */
	int (*definition_list)(struct store_reader *reader, const char *ns, const char *name,
						   int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						   struct err *err);
	/* How many sagas have each status, from an index or kept counters, not from a full scan.
	 * ns NULL: of all namespaces. */
	int (*counts)(struct store_reader *reader, const char *ns, int64_t counts[SAGA_STATUS_COUNT],
				  struct err *err);
};

struct store {
	const struct store_ops *ops;
};

struct store_reader {
	struct store *store;
};

/* Copies with owned strings, and their release. */
void saga_row_copy(const struct saga_row *from, struct saga_row *ret_row);
void saga_row_release(struct saga_row *row);
void definition_row_release(struct definition_row *row);

#endif
