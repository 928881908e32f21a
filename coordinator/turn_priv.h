/* What the files of the turn share: turn.c, turn_decide.c, turn_stage.c, turn_commit.c,
 * turn_load.c, turn_slots.c, turn_deliver.c, turn_inbox.c. */
#ifndef COORDINATOR_TURN_PRIV_H
#define COORDINATOR_TURN_PRIV_H

#include "coordinator/delivery.h"
#include "coordinator/transition.h"
#include "coordinator/tally.h"
#include "coordinator/turn.h"
#include "sagas/base/heap.h"
#include "sagas/base/map.h"

enum {
	SLEEP_AFTER_MS = 60 * 1000, /* a saga with nothing to do for longer leaves the memory */
	POLL_EVERY_MS = 20 * 1000,  /* for what sleeps and is due within SLEEP_AFTER_MS */
	LOADS_MAX = 64,             /* asked of the reader at a time */
	MEMORY_SAGAS_DEFAULT = 100000,
	MEMORY_SLACK = 1000, /* sagas beyond the limit that acts and recovery may load */
	QUEUE_MAX = 256,     /* calls that wait for one saga */
	RETRIES_MAX = 5,     /* of a commit or a load, before a caller is told 503 */
	RETRY_FIRST_MS = 50,
	RETRY_MAX_MS = 5000,
	REFUSE_FIRST_MS = 1000, /* after a failed commit no start is taken for so long, */
	REFUSE_MAX_MS = 30000,  /* and longer with each that fails after it */
	TRANSITION_MAX_BYTES = 56 * 1024 * 1024,
	INBOX_MEMORY_ROWS = 4000, /* fed and not yet durable: the inbox is not read on before */
	INBOX_AGAIN_MS = 1000,    /* after it could not be read, or not all of it be fed */
};

enum turn_mail { MAIL_CALL = 1, MAIL_REPLY, MAIL_DELIVERY };

enum slot_state { SLOT_FOREIGN, SLOT_OWNED, SLOT_RELEASING };

struct turn_slot {
	enum slot_state state;
	bool fresh;     /* gained, and its awake sagas are not listed yet */
	bool marked;    /* scratch of turn_slots.c */
	int committing; /* sagas of it in the open batch or in the one that is out */
};

enum saga_phase { PHASE_LOADING, PHASE_READY, PHASE_IDLE, PHASE_COMMITTING, PHASE_PARKED };

/* A first-in first-out list of mail. */
struct mail_list {
	struct mail *head, *tail;
};

struct waiter {
	struct heap_node timer;
	struct engine_call *call;
	struct live_saga *saga;
	struct waiter *next;
};

/* A call that was sent and has not come back. */
struct sent_call {
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int run; /* of the step: the next one begins with the first attempt again */
};

/* An action whose compensation was armed before an act that may have it forgotten. */
struct armed_action {
	int step, index;
};

/* A saga in memory. */
struct live_saga {
	struct heap_node timer; /* IDLE: when it is due; LOADING: when to ask again */
	/* IDLE: a time-out of what is answered through Kafka, which waits until the queues are read. */
	struct heap_node hold;
	/* The same of what comes through the inbox alone, which waits until that is read. */
	struct heap_node hook;
	struct live_saga *next; /* in the ready list or in the load list */
	enum saga_phase phase;
	int slot;
	char id[SAGA_ID_SIZE];
	char ns[NAMESPACE_MAX_BYTES + 1];
	struct saga_state *state; /* NULL: being loaded, not started yet, or parked */
	int64_t seq;              /* of the last row in state, which may be uncommitted */
	int64_t durable_seq;
	/* What waits for the next decision, and what was decided but is not durable. */
	struct mail_list queue, consumed;
	int n_calls, n_deliveries; /* in queue */
	struct decision decision;
	struct armed_action *armed; /* before acts of this decision */
	size_t n_armed;
	/* What the row says, and what it will say after the commit. */
	enum saga_status row_status;
	wall_ms row_due_at;
	struct attention_ref row_attention; /* owned */
	wall_ms next_due_at;
	struct attention_ref next_attention; /* owned */
	struct waiter *waiters;
	struct sent_call *sent;
	int n_sent, cap_sent;
	int failures;        /* commits or loads in a row */
	bool recover;        /* the next decision begins with saga_recover */
	wall_ms not_before;  /* its timer gave nothing: not again before this */
	bool timer_hit;      /* its time has come while it was busy */
	int64_t migrated_to; /* this decision takes it to another version; 0: it does not */
	bool row_unknown;    /* a commit of it failed: what was decided may have landed up to seq */
	uint64_t ticket;     /* LOADING: of the load that is awaited */
	/*
	 * Events that came before the saga waited for them are looked for after each commit that makes
	 * it wait, and with each load. Until this is done its row says that it is awake, so that
	 * whoever recovers it looks again; then it may sleep, and needs a row of its own to say so.
	 */
	bool may_wait;              /* its definition waits for events */
	bool look;                  /* from the first event that is there */
	uint64_t looking;           /* the ticket of the look that is out; 0: none */
	struct inbox_read *look_on; /* the next page, when what came with the last one is decided */
	wall_ms look_at;            /* not to look before, after a failure */
	wall_ms sleep_at;           /* when it is put to sleep, if nothing comes; 0: not */
};

/* A row of the inbox (or an early event) that was fed, and may still be read again. */
struct inbox_entry {
	char id[UUID_SIZE];
	int slot;
	bool gone; /* removed from the store, but a read that began before may bring it once more */
	struct inbox_entry *next;
};

/* Reading the inbox; see turn_inbox.c. */
struct turn_inbox {
	struct map known;             /* id -> inbox_entry */
	size_t n_fed;                 /* of known: not gone */
	struct inbox_entry *gone;     /* to be forgotten when no read is out */
	struct inbox_entry *useless;  /* to be removed by a job */
	struct inbox_removal *job;    /* that is out; its rows are entries too */
	struct inbox_entry *removing; /* those of the job */
	bool wanted;                  /* to be read from its beginning */
	bool reading;                 /* some pages are read, or one is out */
	bool out;                     /* a page is with the loader */
	bool incomplete;              /* of what is being read: not all was fed */
	wall_ms again_at;             /* the next regular reading; 0: none */
	wall_ms not_before;           /* after a failure */
	wall_ms after_at;             /* of the last row of the last page */
	char after_id[UUID_SIZE];
	int looks_out; /* for early events */
	/* How far the topics were read, as the world says it; what is proved when the pages that are
	 * being read are all fed; and what holds. */
	wall_ms told_until, reading_until, read_until;
	/* When the reading began that is under way; and the last one that was fed whole: what had come
	 * through the inbox by then has been fed. */
	wall_ms reading_since, seen_until;
};

struct turn {
	const struct turn_ports *ports;
	void *ctx;
	size_t memory_max;
	int slot_count;
	wall_ms now;
	struct map sagas;        /* id -> live_saga */
	struct heap timers;      /* of live_saga.timer */
	struct heap wait_timers; /* of waiter.timer */
	struct live_saga *ready_head, **ready_tail;
	struct live_saga *load_head, **load_tail;
	struct listed_saga *backlog; /* listed, and not yet asked for */
	size_t backlog_n, backlog_at;
	int loads_out;
	uint64_t last_ticket;
	struct turn_slot *slots; /* slot_count */
	int n_owned, n_fresh, n_releasing;
	bool many_nodes;
	bool joined; /* it was said once which slots are its own */
	bool list_out, recovering, listed_once;
	bool list_stale; /* slots were lost while the list was out */
	wall_ms poll_at;
	int64_t poll_every_ms;
	struct batch *open;  /* being filled */
	struct batch *spare; /* empty, to be used next */
	struct batch *out;   /* with the writer: only its owners may be touched; NULL: none */
	size_t n_committing; /* sagas in the open batch or in the one that is out */
	struct turn_inbox inbox;
	struct heap holds; /* of live_saga.hold */
	struct heap hooks; /* of live_saga.hook */
	struct lifecycle_topic lifecycle;
	size_t outbox_written; /* rows of the batch that has just come back */
	bool *messaged;        /* slots of others that it has sent messages to; NULL: none */
	struct buf scratch;
	int commit_failures;  /* in a row */
	wall_ms refuse_until; /* after a failed commit: then a start may try the store again */
	bool draining;
	struct engine_stats stats;
	struct tally *tally; /* NULL: nobody wants to know */
};

static inline void mail_list_push(struct mail_list *list, struct mail *mail)
{
	mail->next = NULL;
	if (list->tail)
		list->tail->next = mail;
	else
		list->head = mail;
	list->tail = mail;
}

static inline struct mail *mail_list_pop(struct mail_list *list)
{
	struct mail *mail = list->head;

	if (mail) {
		list->head = mail->next;
		if (!list->head)
			list->tail = NULL;
	}
	return mail;
}

static inline struct engine_call *mail_call(struct mail *mail)
{
	return CONTAINER_OF(mail, struct engine_call, mail);
}

static inline struct call_reply *mail_reply(struct mail *mail)
{
	return CONTAINER_OF(mail, struct call_reply, mail);
}

static inline struct delivery *mail_delivery(struct mail *mail)
{
	return CONTAINER_OF(mail, struct delivery, mail);
}

/* turn.c */
struct live_saga *turn__saga_new(struct turn *turn, const char *ns, const char *id);
void turn__saga_free(struct turn *turn, struct live_saga *saga); /* out of map, heap and memory */
void turn__make_ready(struct turn *turn, struct live_saga *saga);
void turn__answer(struct turn *turn, struct engine_call *call, struct live_saga *saga);
void turn__refuse(struct turn *turn, struct engine_call *call, enum err_code code,
				  const char *text);
void turn__add_waiter(struct turn *turn, struct live_saga *saga, struct engine_call *call);
/* Answers all waiters of the saga with what its state says now. */
void turn__answer_waiters(struct turn *turn, struct live_saga *saga);
/* Answers those whose time was up while the commit was out. */
void turn__answer_overdue(struct turn *turn, struct live_saga *saga);
/* Refuses every call that waits for the saga, in its queue, consumed, or for its end. */
void turn__refuse_calls(struct turn *turn, struct live_saga *saga, enum err_code code,
						const char *text);
/* Nothing is to be decided: the saga sleeps, ends, or waits in memory. May free it. */
void turn__rest(struct turn *turn, struct live_saga *saga);
/* Out of the heaps of times. */
void turn__stop_timers(struct turn *turn, struct live_saga *saga);
/* When something is due, and when what has to wait until the queues are read; 0: never. */
struct saga_due turn__due_times(const struct turn *turn, const struct live_saga *saga);

/* turn_decide.c */
void turn__decide(struct turn *turn, struct live_saga *saga);

/* turn_stage.c */
/* Before an act is decided: of what it has forgotten, the rows must say so. */
void turn__note_armed(struct live_saga *saga, const struct act *act);
/* When the saga's row is to say that it sleeps: until then; 0: it is awake. */
wall_ms turn__sleep_until(const struct live_saga *saga, wall_ms now);
/* What was decided becomes an item of the open batch; or the saga is parked. */
void turn__stage(struct turn *turn, struct live_saga *saga, const struct lifecycle_before *before,
				 wall_ms now);

/* turn_commit.c */
/* What was decided is durable (committed), or there was nothing to make durable: calls go out,
 * callers are answered, the saga goes on. May free it. */
void turn__release(struct turn *turn, struct live_saga *saga, bool committed);
/* The inputs that were consumed have taken effect: callers are answered, replies freed. */
void turn__finish_consumed(struct turn *turn, struct live_saga *saga, bool committed);
void turn__forget_sent(struct live_saga *saga, const struct call_reply *reply);

/* turn_deliver.c */
void turn__queue_delivery(struct turn *turn, struct live_saga *saga, struct delivery *delivery);
/* Feeds it to the core. */
void turn__feed_delivery(struct turn *turn, struct live_saga *saga, struct delivery *delivery,
						 wall_ms now);
/* Gives it back: 0, with `removed` if its row of the inbox has left with a transition; or why
 * not. */
void turn__end_delivery(struct turn *turn, struct delivery *delivery, int result, bool removed);
/* Gives back all that wait for the saga or were consumed; calls and replies stay. */
void turn__end_deliveries(struct turn *turn, struct live_saga *saga, int result);
/* The saga that takes it, in memory or to be loaded; or NULL, and *ret_result says why not. */
struct live_saga *turn__saga_for_delivery(struct turn *turn, const struct delivery *delivery,
										  int *ret_result);

/* turn_inbox.c */
void turn__inbox_release(struct turn *turn);
/* Reads, removes and looks, as far as something is to be done. */
void turn__inbox_run(struct turn *turn);
/* Has it read from its beginning. */
void turn__inbox_want(struct turn *turn);
/* Slots were gained: what was proved does not hold for their sagas. */
void turn__inbox_slots_gained(struct turn *turn);
/* When something is to be done without any input; 0: never. */
wall_ms turn__inbox_next_at(const struct turn *turn);
/* Feeds early events that came with a load. */
void turn__inbox_feed_early(struct turn *turn, struct live_saga *saga, struct mail *deliveries);
/* A delivery of the inbox is over. */
void turn__inbox_ended(struct turn *turn, const struct delivery *delivery, int result,
					   bool removed);
/* Asks for the early events of the saga, if there is something to ask for. */
void turn__look(struct turn *turn, struct live_saga *saga);
bool turn__looks(const struct live_saga *saga);
/* What was to be looked for is forgotten: the saga is loaded again, or dropped. */
void turn__look_no_more(struct live_saga *saga);

/* turn_load.c */
/* After a failure: drops the state, and asks for the saga later. Callers are told after a few. */
void turn__load_later(struct turn *turn, struct live_saga *saga);
void turn__load_now(struct turn *turn, struct live_saga *saga);
void turn__load_some(struct turn *turn); /* as many as may be out */
void turn__poll(struct turn *turn);

/* turn_slots.c */
/* The saga's transition is no longer under way: it ended, or the saga is dropped. */
void turn__uncommit(struct turn *turn, const struct live_saga *saga);
/* After a batch: slots that the store refused are dropped, those to be released may be quiet. */
void turn__slots_settle(struct turn *turn);
/* The ranges of slots that a list is to cover: those that are fresh, or all. */
void turn__add_ranges(const struct turn *turn, struct saga_list *list, bool fresh_only);

void turn__park(struct turn *turn, struct live_saga *saga, const char *why);
int64_t turn__backoff_ms(int failures, int64_t first_ms, int64_t max_ms);

#endif
