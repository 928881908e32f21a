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

#include "connectors/store_long.h"
#include "connectors/store_messages.h"
#include "connectors/store_operators.h"
#include "connectors/store_versions.h"
#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/status.h"

/* due_at of a saga that waits for a person and for no time: the end of the year 9999. */
#define STORE_DUE_NEVER (TIME_MAX_SECONDS * 1000)

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
	wall_ms updated_at; /* of the last status change */
	wall_ms ended_at;   /* 0: not terminal; a row where status and it disagree is refused */
	wall_ms due_at;     /* when a sleeping saga must be awake again; 0 (NULL in SQL): awake */
	struct attention_ref attention; /* why it concerns a person */
	wall_ms attention_at;           /* since when it does so for this group; 0: it does not */
	const char *owner;              /* the person who has taken it; NULL: nobody */
	char parent_id[SAGA_ID_SIZE];   /* the saga whose step started it; "": none; never changes */
	int64_t base_seq; /* the history row at which a fold may begin; 0: the first there ever was */
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

/* Rows of a history that another saga's history begins with. */
struct history_part {
	char saga_id[SAGA_ID_SIZE]; /* of the same slot */
	int64_t first;              /* the first row, */
	int64_t n;                  /* … and how many; 0: none */
};

/* One transition of one saga: a history row, and what it changes beside it. */
struct store_item {
	/* Filled in by the caller. */
	int slot;
	char saga_id[SAGA_ID_SIZE];
	int64_t seq; /* of the history row; 1 is the first; its predecessor must exist, itself not */
	/*
	 * With create: so many rows of another saga are copied before this one, numbered from 1, and
	 * seq is copied.n + 1; and the key, if that saga has it, goes over to this one. Unless all of
	 * them are there, the item is a conflict.
	 */
	struct history_part copied;
	wall_ms at;
	const char *events; /* JSON array of the events of the transition */
	size_t events_len;
	const struct saga_row *create; /* of the first: the saga's row, else NULL */
	const char *fingerprint;       /* with create and a key: hex SHA-256 of the start, else NULL */
	/*
	 * With create and a key: when its saga has been undone (its status is compensated), the key
	 * goes over to this one, which is accepted.
	 */
	bool reuse;
	const struct saga_row *update; /* status, updated_at, ended_at, due_at, attention,
									  attention_at and owner are written, ns (never NULL) names
									  the row with saga_id; or NULL */
	bool rebase;                   /* with update: its version and base_seq are written, too */
	/* Inserted, or updated when the row exists; each (step, item) at most once. */
	const struct compensation_row *compensations;
	size_t n_compensations;
	/*
	 * What follows may be empty, and is written or removed only if the item is accepted; a refused
	 * item leaves nothing of it. Subscriptions take effect in their order, unsubscribe_all before
	 * them. The outbox rows' slot, saga_id and seq are the item's.
	 */
	const struct subscription_row *subscriptions;
	size_t n_subscriptions;
	bool unsubscribe_all; /* of the saga, at its end */
	const struct outbox_row *outbox;
	size_t n_outbox;
	const char (*inbox)[UUID_SIZE]; /* rows of this slot that the transition took in: removed */
	size_t n_inbox;                 /* what is gone already is no reason to refuse */
	/* remove_all_tasks takes effect before them, release_all_locks before `locks`, in which
	 * changes take effect in their order. */
	const struct task_change *tasks;
	size_t n_tasks;
	bool remove_all_tasks; /* of the saga, at its end */
	const struct lock_change *locks;
	size_t n_locks;
	bool release_all_locks; /* the same */
	/* Rows of the inbox to be added, for sagas of any slot, whoever owns it; what is there under
	 * its id stays. Up to MESSAGES_MAX. */
	const struct inbox_row *messages;
	size_t n_messages;
	const struct search_value *search; /* with create; each name once */
	size_t n_search;
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
	bool canary;  /* if it is new and not the first, it takes a share of the starts */
	int percent;  /* canary: that share, 0 to 100; else a new version takes all of them */
	bool existed; /* filled in: this content was there already, under `version` */
};

/*
 * Filters are joined by AND. Pages go from the newest to the oldest saga.
 *
 * A page is bounded by what it looks at, too: where no index leads to what matches, it ends after
 * STORE_LIST_LOOKS rows, perhaps with fewer rows than limit or none, and looked_to says how far it
 * has come; the next page goes on from there.
 */
struct saga_filter {
	const char *ns;
	unsigned status_mask;   /* 1 << status; 0: any */
	const char *id;         /* this saga alone, if the rest matches it; NULL: any */
	const char *definition; /* exact, or a glob with * and ?; NULL: any */
	int64_t version;        /* 0: any */
	const char *key;        /* as definition; an exact one is found by its index */
	bool key_exact;         /* * and ? in key stand for themselves */
	bool attention_only;
	const char *group, *kind, *step;   /* of attention, exact; NULL: any */
	const char *owner;                 /* exact; NULL: any */
	const char *parent;                /* a saga's id, exact, found by its index; NULL: any */
	const struct search_value *search; /* a saga that has all of these; found by index */
	size_t n_search;
	wall_ms started_from;   /* inclusive; 0: no bound */
	wall_ms started_before; /* exclusive; 0: no bound */
	bool oldest_first;
	char after_id[SAGA_ID_SIZE]; /* keyset: what comes after this saga; "": from the top */
	int limit;                   /* 1 to 1000 */
	int looks;                   /* rows a page looks at; 0: STORE_LIST_LOOKS. For tests. */
	/* Filled in: the last saga that was looked at, when that was not all; "": it was, or the page
	 * is full and its last row says where to go on. */
	char looked_to[SAGA_ID_SIZE];
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

enum { STORE_RETAIN_LOOKS = 4000, STORE_LIST_LOOKS = 20000 };

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
	/*
	 * Adds a version, or finds the one with the same hash. One that is new becomes the current one,
	 * and ends a canary; or it becomes the canary. One that was there changes nothing.
	 */
	int (*definition_put)(struct store *store, struct definition_row *row, struct err *err);
	/*
	 * Removes up to limit terminal sagas that ended before `before`, whole; *ret_n: how many. Looks
	 * at no more than STORE_RETAIN_LOOKS sagas, however many there are that have not ended; 1: when
	 * that was not all, the next call goes on there. 0: it has come to the limit or to the end.
	 * What belongs to a saga goes with it (subscriptions, inbox), but not what it has published and
	 * no broker has acknowledged yet: that is still owed (outbox_remove). And up to limit dead
	 * letters go that wait for nobody, and whose status was set before `before`; groups of
	 * attention and batches as said below, and minutes of rates that are too old.
	 */
	int (*retain)(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err);

	/*
	 * Messages. Each of these takes effect whole or not at all unless it says otherwise; errors are
	 * as of commit, and after ERR_UNKNOWN and settle it may be called again with the same rows:
	 * what took effect already is found and changes nothing. At most STORE_PUT_MAX rows a call; a
	 * row past its limits makes the call fail with ERR_LIMIT or ERR_INVALID, says which
	 * (err->place: "row 3"), and nothing takes effect. No slot is asked for but where it says so:
	 * what arrives may be written by any node.
	 */

	/*
	 * Keeps events, and puts each into the inbox of every saga that waits for it. A row that is
	 * there under (ns, channel, value, id) stays as it is, but who waits for it is looked for
	 * again.
	 *
	 * First the events are committed, then subscriptions are looked for, and what matches is
	 * committed, in parts where there is much. Who waits does it the other way round (commits the
	 * subscription, then looks with early_events), so one of both sees the other; both may, and
	 * then the saga is told twice. When a later part fails the events are there; the caller has to
	 * call again, or inboxes are missing what was announced.
	 *
	 * touched[slot] is set to true where an inbox got something or had it already, so that their
	 * owners can be woken; it has slot_count entries, and other entries are left as they are.
	 */
	int (*events_put)(struct store *store, const struct event_row *rows, size_t n, bool *touched,
					  struct err *err);
	/* Removes up to limit events with expires_at < before; *ret_n: how many. */
	int (*events_expire)(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err);
	/* Adds rows; one whose id is there in this slot stays as it was. */
	int (*inbox_put)(struct store *store, const struct inbox_row *rows, size_t n, struct err *err);
	/*
	 * Removes rows by slot and id, where their slot is this process's: another owner decides by
	 * what it knows. What is missing or not ours is passed over.
	 */
	int (*inbox_remove)(struct store *store, const struct inbox_row *rows, size_t n,
						struct err *err);
	/* Removes rows by slot, saga_id, seq and place: a broker has acknowledged them. */
	int (*outbox_remove)(struct store *store, const struct outbox_row *rows, size_t n,
						 struct err *err);
	/*
	 * Removes rows with created_at < before, of all slots, oldest first: up to limit; *ret_n: how
	 * many. For stores whose outbox is read by others (change data capture).
	 */
	int (*outbox_expire)(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err);
	/* Adds a dead letter; when its id is there the row stays as it was. */
	int (*dead_letter_put)(struct store *store, const struct dead_letter_row *row, struct err *err);
	/*
	 * Sets status, saga_id (NULL: none) and updated_at of a dead letter, whatever they were.
	 * ERR_NOT_FOUND.
	 */
	int (*dead_letter_update)(struct store *store, const char *ns, const char *id,
							  enum dead_letter_status status, const char *saga_id, wall_ms at,
							  struct err *err);
	/*
	 * Writes the row as a whole if nobody has since row->revision was read, and sets row->revision
	 * to its new one; the row that is there already with the content and the next revision is taken
	 * for this call's own. ERR_CONFLICT: somebody has; read it again.
	 */
	int (*trigger_put)(struct store *store, struct trigger_row *row, struct err *err);

	/* Both write the row as trigger_put does. ERR_CONFLICT. */
	int (*routing_put)(struct store *store, struct routing_row *row, struct err *err);
	int (*schedule_put)(struct store *store, struct schedule_row *row, struct err *err);

	/*
	 * Writes what persons said about a group (from acknowledged_by on), and sets row->revision, as
	 * trigger_put does. Whether the group has sagas does not matter. ERR_CONFLICT.
	 */
	int (*attention_put)(struct store *store, struct attention_group_row *row, struct err *err);
	/*
	 * Writes the batch as trigger_put does (revision 0: it is new), and in the same transaction
	 * adds the items, or replaces those that are there; up to BATCH_PUT_MAX. row->n is counted by
	 * the store, and filled in. ERR_CONFLICT: somebody else has written it, and nothing took
	 * effect. `retain` removes batches that ended before its time, whole.
	 */
	int (*batch_put)(struct store *store, struct batch_row *row, const struct batch_item_row *items,
					 size_t n, struct err *err);

	/*
	 * Looks at keys that commits have asked for or given up since they were last looked at, up to
	 * LOCKS_GRANT_MAX of them, and gives each ticket whose keys are all free, and which is first in
	 * line for all of them, its keys: a token greater than all before goes into each of its rows,
	 * and an inbox row {"kind":"lock","step","item","token"} to its saga, in the same transaction.
	 * touched[slot] is set to true where an inbox got one. 1: there may be more to look at, so call
	 * it again; 0: there was nothing more. It may be called by any node at any time, and has to be
	 * after each commit with changes of locks; what was committed and not looked at yet is looked
	 * at by whoever calls next. now: what held_at and the inbox rows' `at` become.
	 */
	int (*locks_grant)(struct store *store, wall_ms now, bool *touched, struct err *err);
	/*
	 * Sets the doc of a task, named by slot, saga_id, step, item and side, if it is leased and this
	 * is its attempt; else it is passed over, as what was meant is over. What a worker says of its
	 * progress: only the last word is kept, and nothing follows from it.
	 */
	int (*task_note)(struct store *store, const struct task_row *row, struct err *err);
	/* Writes the row as trigger_put does. ERR_CONFLICT. */
	int (*queue_put)(struct store *store, struct queue_row *row, struct err *err);
	/*
	 * Removes history rows that no fold needs any more (seq below their saga's base_seq) and that
	 * were written before `before`: up to limit; *ret_n: how many. Looks at a bounded number of
	 * sagas; 1: when that was not all, the next call goes on there.
	 */
	int (*history_trim)(struct store *store, wall_ms before, int limit, int *ret_n,
						struct err *err);

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
	int (*list)(struct store_reader *reader, struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err);
	/* Sagas that are not terminal and awake, or due before `due_before`, of slots first..last. */
	int (*load_due)(struct store_reader *reader, int first_slot, int last_slot, wall_ms due_before,
					bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					void *ctx, struct err *err);
	/* The same for any slots, in one question. NULL: the store is better asked range by range. */
	int (*load_due_slots)(struct store_reader *reader, const int *slots, size_t n,
						  wall_ms due_before, bool awake_too, int limit,
						  int (*row)(void *ctx, const struct saga_row *row), void *ctx,
						  struct err *err);
	int (*find_key)(struct store_reader *reader, const char *ns, const char *definition,
					const char *key, char ret_id[SAGA_ID_SIZE],
					char ret_fingerprint[SHA256_HEX_SIZE], struct err *err);
	/* version 0: the newest. */
	int (*definition_get)(struct store_reader *reader, const char *ns, const char *name,
						  int64_t version, struct definition_row *ret_row, struct err *err);
	/* Without docs and sources. name NULL: the newest version of each; else all of that name.
	 * ns NULL, with name NULL: of all namespaces. */
	int (*definition_list)(struct store_reader *reader, const char *ns, const char *name,
						   int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						   struct err *err);

	/* Messages: rows are borrowed until the callback returns, as above. */

	/* ERR_LIMIT, ERR_INVALID: the page's limit, or a slot that is none. */
	int (*inbox_list)(struct store_reader *reader, const struct inbox_page *page,
					  int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
					  struct err *err);
	/*
	 * Events that are kept and that the saga's subscriptions of now match, as the inbox rows that
	 * they would be (id: the same; at: when the event came), oldest first by (at, event_id), after
	 * the row with after_at and after_event_id ("": from the oldest). limit is 1 to STORE_PUT_MAX;
	 * a page ends with the last row of an event that several subscriptions match, so it may have a
	 * few rows more; one with fewer rows is the last.
	 */
	int (*early_events)(struct store_reader *reader, int slot, const char *saga_id,
						wall_ms after_at, const char *after_event_id, int limit,
						int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
						struct err *err);
	int (*outbox_list)(struct store_reader *reader, const struct outbox_page *page,
					   int (*row)(void *ctx, const struct outbox_row *row), void *ctx,
					   struct err *err);
	/* Released with dead_letter_row_release. ERR_NOT_FOUND. */
	int (*dead_letter_get)(struct store_reader *reader, const char *ns, const char *id,
						   struct dead_letter_row *ret_row, struct err *err);
	/* ERR_LIMIT: it had to look at too many rows; the filter is to be narrowed. */
	int (*dead_letter_list)(struct store_reader *reader, const struct dead_letter_filter *filter,
							int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
							struct err *err);
	/* All rows of a namespace (NULL: of all), by namespace and name. */
	int (*trigger_list)(struct store_reader *reader, const char *ns,
						int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
						struct err *err);
	/* The rows of a namespace (NULL: of all), by namespace and name; name NULL: any, else that one
	 * (with ns). */
	int (*routing_list)(struct store_reader *reader, const char *ns, const char *name,
						int (*row)(void *ctx, const struct routing_row *row), void *ctx,
						struct err *err);
	int (*schedule_list)(struct store_reader *reader, const char *ns, const char *name,
						 int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
						 struct err *err);
	/* How many sagas have each status, from an index or kept counters, not from a full scan.
	 * ns NULL: of all namespaces. */
	int (*counts)(struct store_reader *reader, const char *ns, int64_t counts[SAGA_STATUS_COUNT],
				  struct err *err);

	/* For operators: rows are borrowed as above, counts come from kept counters. */

	/* From kept counters; definition NULL: of all. Rows whose n is 0 are not given. */
	int (*definition_counts)(struct store_reader *reader, const char *ns, const char *definition,
							 int (*row)(void *ctx, const struct definition_count_row *row),
							 void *ctx, struct err *err);
	/* Groups with sagas, the one with the most first, then by id; ns NULL: of all namespaces;
	 * limit is 1 to ATTENTION_LIST_MAX. */
	int (*attention_list)(struct store_reader *reader, const char *ns, int limit,
						  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
						  struct err *err);
	/* Those that have sagas or a notified_at, of all namespaces, in any order: what whoever tells
	 * persons has to look at. */
	int (*attention_told)(struct store_reader *reader,
						  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
						  struct err *err);
	/* Also one without sagas. Released with attention_group_row_release. ERR_NOT_FOUND. */
	int (*attention_get)(struct store_reader *reader, const char *ns, const char *id,
						 struct attention_group_row *ret_row, struct err *err);
	/* Minutes with at >= from and < until in which something happened, upwards. ns NULL: all. */
	int (*rates)(struct store_reader *reader, const char *ns, wall_ms from, wall_ms until,
				 int (*row)(void *ctx, const struct rate_row *row), void *ctx, struct err *err);
	/* Released with batch_row_release. ERR_NOT_FOUND. */
	int (*batch_get)(struct store_reader *reader, const char *ns, const char *id,
					 struct batch_row *ret_row, struct err *err);
	/* The newest first (by created_at, id), after the batch with after_id ("": from the top). */
	int (*batch_list)(struct store_reader *reader, const char *ns, const char *after_id, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err);
	/* Those that are selecting or running, of all namespaces, the oldest first; up to limit. */
	int (*batch_open)(struct store_reader *reader, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err);
	int (*batch_items)(struct store_reader *reader, const struct batch_item_filter *filter,
					   int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
					   struct err *err);

	/* For sagas that run long: rows are borrowed as above. */

	int (*tasks_list)(struct store_reader *reader, const struct task_filter *filter,
					  int (*row)(void *ctx, const struct task_row *row), void *ctx,
					  struct err *err);
	/* Those of one saga, by step, item and side; state -1: of any. limit is 1 to STORE_PUT_MAX. */
	int (*saga_tasks)(struct store_reader *reader, int slot, const char *saga_id, int state,
					  int limit, int (*row)(void *ctx, const struct task_row *row), void *ctx,
					  struct err *err);
	/*
	 * Queues that have tasks, by namespace and name, after (after_ns, after_queue) ("", "": from
	 * the first), up to limit (1 to QUEUE_LIST_MAX); ns NULL: of all namespaces, else after_ns does
	 * not matter.
	 */
	int (*queue_counts)(struct store_reader *reader, const char *ns, const char *after_ns,
						const char *after_queue, int limit,
						int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
						struct err *err);
	int (*approval_counts)(struct store_reader *reader, struct approval_counts *ret_counts,
						   struct err *err);
	/* Released with queue_row_release. ERR_NOT_FOUND. */
	int (*queue_get)(struct store_reader *reader, const char *ns, const char *name,
					 struct queue_row *ret_row, struct err *err);
	/* All rows of a namespace (NULL: of all), by namespace and name. */
	int (*queue_list)(struct store_reader *reader, const char *ns,
					  int (*row)(void *ctx, const struct queue_row *row), void *ctx,
					  struct err *err);
	/* The line for a key, from its head on, up to limit; or, with key NULL, all places of a saga.
	 * ns is that of the key, and not NULL with one; saga_id is NULL with a key. */
	int (*locks_list)(struct store_reader *reader, const char *ns, const char *key,
					  const char *saga_id, int limit,
					  int (*row)(void *ctx, const struct lock_row *row), void *ctx,
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
