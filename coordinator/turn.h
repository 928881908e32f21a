/*
 * The engine's turn: all that the engine does, as a plain object without threads, clock or I/O. The
 * engine's thread is a loop around it, and so is the deterministic simulator.
 *
 *   turn_begin(now), then what came: turn_call, turn_reply, turn_committed, turn_loaded,
 *   turn_listed; then turn_run, and turn_take_batch when the writer is free.
 *
 * It owns the state of every saga in memory. A saga has at most one uncommitted transition; what
 * arrives meanwhile waits, and is decided in one go into the next history row. Calls to
 * participants and answers are given to the ports only when the row that they follow from is
 * durable.
 *
 *            start                      batch full: stays READY
 *              |                          .--.
 *   LOADING -> READY --decided, has rows--'--> COMMITTING --ok--> IDLE (or READY, or out of memory)
 *    ^  |       ^ '--decided, no rows--> IDLE      |
 *    |  |       '----- an input, a timer --'       | commit failed or refused
 *    |  '--cannot be folded--> PARKED <--unstorable-+
 *    '---------------------------------------------'
 *
 * A failed commit throws the states away that were decided on it; the sagas are loaded again and
 * their inputs fed again, unless the history shows that the row has landed after all.
 *
 * Of many nodes each has some of the slots; a saga of a slot that is lost leaves the memory in
 * whatever phase it is (turn_slots.c).
 *
 * What came through queues is an input like others (turn_deliver.c): handed over directly, or read
 * from the inbox (turn_inbox.c).
 */
#ifndef COORDINATOR_TURN_H
#define COORDINATOR_TURN_H

#include "coordinator/batch.h"
#include "coordinator/delivery.h"
#include "coordinator/engine.h"
#include "coordinator/transition.h"
#include "sagas/decide.h"

/*
 * A participant's reply to a call, as the HTTP client (or the simulator) says it; or the end of
 * publishing a command. Owned by whoever holds it; release frees it, when it is part of something
 * larger.
 */
struct call_reply {
	struct mail mail;
	char saga_id[SAGA_ID_SIZE];
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int run;
	enum call_result result;
	int http_status;
	struct jval *body; /* owned; NULL: none */
	const char *error; /* for people; NULL: none; lives as long as the reply */
	int64_t retry_after_ms;
	/* It was not sent, because who sends stops, or not_after_ms had passed (what the call was sent
	 * with): this says nothing about the participant. */
	bool cancelled;
	const int64_t *not_after_ms;
	void (*release)(struct call_reply *reply); /* frees it, but not body; NULL: free() */
};
/* Names the command it is for; result and the like are to be filled in. */
struct call_reply *call_reply_new(const char *saga_id, const struct command *command) MUST_CHECK;
/* The same for one that is part of something larger, all zeros. */
void call_reply_name(struct call_reply *reply, const char *saga_id, const struct command *command);
void call_reply_free(struct call_reply *reply); /* with its body; takes NULL */

/* A saga read from the store and folded; see load_saga. */
struct loaded_saga {
	struct mail mail;
	char ns[NAMESPACE_MAX_BYTES + 1];
	char id[SAGA_ID_SIZE];
	/* 0; ERR_NOT_FOUND; ERR_INVALID: cannot be folded; ERR_IO …: could not be read now. */
	int result;
	struct err err;
	struct saga_state *state; /* owned; only when result is 0 */
	int64_t seq;              /* of the last row */
	enum saga_status status;  /* what the saga's row says */
	wall_ms due_at;
	struct attention_ref attention; /* owned */
	/* Deliveries: events that came before the saga waited for them; and there are more. */
	struct mail *early;
	bool more_early;
	uint64_t ticket; /* the turn's own: which of its wishes this answers */
};
struct loaded_saga *loaded_saga_new(const char *ns, const char *id) MUST_CHECK;
void loaded_saga_free(struct loaded_saga *loaded); /* takes NULL */

/* Where definitions come from (the registry, in a node). *ret_def is a reference. */
typedef int definition_source(void *ctx, const char *ns, const char *name, int64_t version,
							  struct saga_def **ret_def, struct err *err);
/* Reads the saga's row and history, folds it, and looks for events if it may wait for some. Fills
 * all of loaded. Thread: the reader's. */
void load_saga(struct store_reader *reader, definition_source *definition, void *definition_ctx,
			   struct loaded_saga *loaded);

/* The sagas that are due, or awake. */
struct listed_saga {
	char ns[NAMESPACE_MAX_BYTES + 1];
	char id[SAGA_ID_SIZE];
};
struct slot_range {
	int first, last; /* inclusive */
};
struct saga_list {
	struct mail mail;
	/* Asked for. */
	wall_ms due_before;
	bool awake_too;
	int limit;
	struct slot_range *ranges; /* owned */
	size_t n_ranges;
	/* Answered. */
	int result;
	struct err err;
	struct listed_saga *sagas;
	size_t n, cap;
};
/* Without ranges. */
struct saga_list *saga_list_new(wall_ms due_before, bool awake_too, int limit) MUST_CHECK;
void saga_list_add_range(struct saga_list *list, int first, int last);
void saga_list_free(struct saga_list *list); /* takes NULL */
void load_list(struct store_reader *reader, struct saga_list *list);

/* A page of the inbox; or events that came before a saga waited for them. */
struct inbox_read {
	struct mail mail;
	/* Asked for. */
	int *slots; /* owned; of the inbox */
	size_t n_slots;
	bool early; /* not of the inbox: of the saga */
	char ns[NAMESPACE_MAX_BYTES + 1];
	char saga_id[SAGA_ID_SIZE];
	uint64_t ticket; /* the turn's own */
	/* What comes after this; "": all. When it is answered: the last that was read. */
	wall_ms after_at;
	char *after_id; /* owned; NULL as "" */
	/* Answered. */
	int result;
	struct err err;
	struct mail *deliveries; /* owned, oldest first; one with a result cannot be read */
	bool more;
};
struct inbox_read *inbox_read_new(void) MUST_CHECK;
/* Forgets what was answered, except for where to go on. */
void inbox_read_clear(struct inbox_read *read);
void inbox_read_free(struct inbox_read *read); /* takes NULL */
void load_inbox(struct store_reader *reader, struct inbox_read *read);

/* Rows of the inbox that are of no use to their sagas. */
struct inbox_removal {
	struct mail mail;
	struct inbox_row *rows; /* owned; their slots and ids only */
	size_t n;
	int result;
	struct err err;
};
void inbox_removal_free(struct inbox_removal *removal); /* takes NULL */

/* What the turn asks of the world. A port may not call back into the turn. */
struct turn_ports {
	/* Sends a call; its end comes back through turn_reply, once. command is borrowed. */
	void (*call)(void *ctx, const char *saga_id, const struct command *command);
	/* The same for a command over Kafka: what comes back says whether it was published. NULL: it is
	 * a call like others. */
	void (*publish)(void *ctx, const char *saga_id, const char *ns, const struct saga_def *def,
					const struct command *command);
	/* Starts a child; what comes back says whether it was started. NULL: it is a call like others.
	 */
	void (*start_child)(void *ctx, const char *saga_id, const char *ns,
						const struct command *command);
	/* A commit with so many rows for the outbox is through. NULL: nobody wants to know. */
	void (*outbox_written)(void *ctx, size_t rows);
	/* A row of the saga is durable. NULL: nobody wants to know. */
	void (*committed)(void *ctx, const char *saga_id);
	/* A commit has put messages into the inboxes of these slots (slot_count entries), which are not
	 * this turn's: their owners should look. NULL: nobody else is there. */
	void (*messages_sent)(void *ctx, const bool *slots);
	/* A transition that has to do with tasks is durable. NULL: nobody wants to know. */
	void (*tasks)(void *ctx, const struct saga_state *state, const struct decision *decision);
	/* Wants load_inbox done; comes back through turn_inbox_read, once. Takes over read. NULL: there
	 * is no inbox, and then no removal either. */
	void (*read_inbox)(void *ctx, struct inbox_read *read);
	/* Wants the rows removed; comes back through turn_inbox_removed, once. False: not now, and it
	 * is still the turn's. */
	bool (*remove_inbox)(void *ctx, struct inbox_removal *removal);
	/* Wants load_saga done; comes back through turn_loaded, once. Takes over loaded. */
	void (*load)(void *ctx, struct loaded_saga *loaded);
	/* Wants load_list done; comes back through turn_listed, once. Takes over list. */
	void (*list)(void *ctx, struct saga_list *list);
	/* The call is answered, and no longer the turn's. */
	void (*answer)(void *ctx, struct engine_call *call);
	uint64_t (*random)(void *ctx);
	/* Both only of a turn of many_nodes. The slot that was to be released is quiet: nothing of it
	 * is uncommitted, nothing will begin. */
	void (*released)(void *ctx, int slot);
	/* The store refused the slot, so another owner has it, and it was dropped. */
	void (*fenced)(void *ctx, int slot);
};

struct turn_options {
	const struct turn_ports *ports;
	void *ctx;
	int slot_count;
	size_t memory_sagas_max; /* 0: 100,000; past it starts are refused (ERR_LIMIT) */
	/* It owns no slot until turn_slots_gained says so; else turn_recover gives it all. */
	bool many_nodes;
	int64_t poll_every_ms; /* for sagas that are due, and of the inbox; 0: 20 s */
	struct lifecycle_topic lifecycle;
	struct tally *tally; /* of what is committed; NULL: nobody wants to know */
};

struct turn;
struct turn *turn_new(const struct turn_options *options) MUST_CHECK;
/* Every call that is still open is answered with ERR_UNAVAILABLE. A batch that is out is not freed,
 * and has to be given back or cleared by whoever has it. */
void turn_free(struct turn *turn);

/* Loads what is awake or due; until this is done turn_recovered says false. Call it once, and not
 * with many_nodes. */
void turn_recover(struct turn *turn);
/* With many_nodes: false until turn_slots_gained was called, perhaps with no slot, and what it gave
 * is loaded. */
bool turn_recovered(const struct turn *turn);

/*
 * Which slots are the turn's, as the node's membership says. What is asked of a saga of another
 * slot is refused with ERR_FENCED: another node may be asked.
 *
 *               gained                     release
 *   foreign -------------------> owned ---------------> releasing
 *      ^   (lists and loads it)   |                         |
 *      '--- lost, or fenced ------+---- quiet: released ----'
 */
/* Slots that another one may just have had: loads what is awake or due in them. */
void turn_slots_gained(struct turn *turn, const int *slots, size_t n);
/*
 * They are another's already. Their sagas leave the memory at once; who waits for an end is told
 * that it has not come, other calls get ERR_FENCED, or ERR_UNAVAILABLE when what they asked for may
 * have been committed. Results of batches, loads and replies that were under way are ignored.
 */
void turn_slots_lost(struct turn *turn, const int *slots, size_t n);
void turn_slots_lost_all(struct turn *turn);
/* They are to be given up: as lost, but what is uncommitted may end first; then ports->released. */
void turn_slots_release(struct turn *turn, const int *slots, size_t n);
bool turn_owns_slot(const struct turn *turn, int slot);
int turn_slots_owned(const struct turn *turn);

/* Time for all that follows; it never goes backwards. */
void turn_begin(struct turn *turn, wall_ms now);
/* All of these take over what they are given. */
void turn_call(struct turn *turn, struct engine_call *call);
void turn_reply(struct turn *turn, struct call_reply *reply);
/* The call has ended without saying anything: it was not sent, or nobody knows. */
void turn_reply_void(struct turn *turn, struct call_reply *reply);
/* What came through a queue; see delivery.h. */
void turn_deliver(struct turn *turn, struct delivery *delivery);
/* The topics of replies and events were read up to this time; see engine_queues_read. */
void turn_queues_read(struct turn *turn, wall_ms until);
/* Lists what is due, and reads the inbox, without waiting for the next poll. */
void turn_poke(struct turn *turn);
void turn_committed(struct turn *turn, struct batch *batch);
void turn_loaded(struct turn *turn, struct loaded_saga *loaded);
void turn_listed(struct turn *turn, struct saga_list *list);
void turn_inbox_read(struct turn *turn, struct inbox_read *read);
void turn_inbox_removed(struct turn *turn, struct inbox_removal *removal);

/*
 * Decides all that is ready. timers: what is due takes effect too; to be said only when nothing
 * that has arrived is still unread, because what arrived wins over what ran out.
 */
void turn_run(struct turn *turn, bool timers);
/* The open batch, unless it is empty or the last one is still out; comes back by turn_committed. */
struct batch *turn_take_batch(struct turn *turn);
/* When turn_run(true) must be called at the latest without any input; 0: never. */
wall_ms turn_next_at(const struct turn *turn);

/* From now on starts are refused, no call is sent and no timer takes effect; waiters are answered.
 */
void turn_drain(struct turn *turn);
/* No call is out, nothing is uncommitted: the process may end. */
bool turn_is_quiet(const struct turn *turn);
/*
 * The store has taken the last commit, or none was made yet, or so much time has passed since one
 * failed that it may be tried again. When it says no, turn_next_at says until when.
 */
bool turn_store_answers(const struct turn *turn);

/* Borrowed; of the engine's own fields mailbox_length and turns are left 0. */
const struct engine_stats *turn_stats(struct turn *turn);

/* For the simulator's checks: walks over the states in memory without an uncommitted transition. */
void turn_each_state(const struct turn *turn,
					 void (*each)(void *ctx, const struct saga_state *state, int64_t seq),
					 void *ctx);

#endif
