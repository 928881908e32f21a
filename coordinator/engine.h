/*
 * The engine: the thread that owns the state of sagas. It drains its mailbox, reads the clock once
 * a turn, decides (turn.h), and gives batches to the store writer. It does no I/O.
 *
 * Everything else asks it through an engine_call, and is answered when what it asked for is
 * durable.
 */
#ifndef COORDINATOR_ENGINE_H
#define COORDINATOR_ENGINE_H

#include "coordinator/mailbox.h"
#include "sagas/act.h"
#include "sagas/decide.h"
#include "sagas/def.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/jval.h"
#include "sagas/status.h"

enum engine_act {
	ENGINE_START,
	ENGINE_ACT,  /* what a person does to a saga */
	ENGINE_WAIT, /* for the end of a saga that was started before */
	ENGINE_TASK, /* a worker takes a task of a saga, or says what has become of it */
};

/* What a worker wants of a task, and what it is told; freed with its call. */
struct task_call {
	enum task_word word;
	char *step;
	int item;
	enum side side;
	char *worker, *build; /* LEASE; build may be NULL */
	char *nonce;          /* not of LEASE, with attempt */
	int64_t attempt;
	struct jval *output, *details; /* handed over, gone with the answer; NULL: none */
	char *details_text;            /* details as JSON, which stays; NULL: none */
	char *code, *message;          /* FAIL; may be NULL */
	bool retryable, unknown;
	/* Filled in. What is refused is refused in answer: the call's result is then 0. */
	struct task_answer answer;
	char *definition; /* LEASE */
};

struct engine_call {
	struct mail mail;
	enum engine_act act;
	/* Filled in by the caller; strings and references are the call's, freed by engine_call_free. */
	char *ns;
	char id[SAGA_ID_SIZE];             /* START: the new saga's, made by the caller */
	struct saga_def *def;              /* START */
	char *key;                         /* START; NULL: none */
	char fingerprint[SHA256_HEX_SIZE]; /* START */
	struct jval *input;                /* START; handed over */
	/* START of a child; parent NULL: it is none. As its request says it. */
	char *parent;
	int64_t depth;
	bool hold;
	struct act *doing;      /* ACT; on the heap, handed over, gone with the answer */
	struct task_call *task; /* TASK; on the heap */
	int64_t if_match;       /* ACT: expected history sequence; -1: any */
	int64_t wait_ms;        /* START, WAIT: answer when terminal or after this long; 0: at once */
	/* Called once on the engine's thread; it must not block, and it takes the call back. */
	void (*answer)(struct engine_call *call);
	void *ctx;
	/* Filled in before answer. */
	int result; /* 0 or ERR_*: NOT_FOUND, CONFLICT, UNAVAILABLE (draining, no store), FENCED … */
	struct err err;
	bool duplicate; /* START: the key belongs to existing_id already */
	char existing_id[SAGA_ID_SIZE];
	char existing_fingerprint[SHA256_HEX_SIZE];
	enum saga_status status;
	bool ended;      /* the saga is terminal, and saga_json shows its end */
	int64_t seq;     /* of the last durable history row: the ETag */
	char *saga_json; /* of saga_state_write when ended, else saga_state_write_brief; may be NULL */
	size_t saga_json_len;
	/*
	 * ACT: what became durable with it, by type; none when the saga had taken this act before. seq
	 * is the row that they are in, or without any the last one.
	 */
	struct act_effect {
		enum act_kind kind;      /* of the act, also when it is refused */
		enum event_type *events; /* owned */
		size_t n_events;
		int64_t seq;
		enum saga_status status_before, status_after;
	} effect;
};

struct engine_call *engine_call_new(enum engine_act act) MUST_CHECK;
/* An act on a saga; the call takes over what act holds, and leaves nothing there. */
struct engine_call *engine_call_for_act(const char *ns, const char *id, struct act *act) MUST_CHECK;
/* About a task, whose other members the caller fills in. */
struct engine_call *engine_call_for_task(const char *ns, const char *id, enum task_word word,
										 const char *step, int item, enum side side) MUST_CHECK;
void engine_call_free(struct engine_call *call);

/* Appends {"events":[types…],"seq":n,"status_before":…,"status_after":…}. */
void act_effect_write(const struct act_effect *effect, struct buf *out);

struct call_reply;
struct delivery;
struct engine;
struct http_client;
struct lifecycle_topic;
struct registry;
struct store;
struct tally;
struct writer;

struct engine_options {
	struct store *store; /* all are borrowed, and outlive the engine */
	struct writer *writer;
	struct http_client *http;
	const struct secrets *secrets; /* that requests to participants name; NULL: none */
	struct registry *registry;
	size_t intake_limit;     /* calls that may wait for it; 0: 10,000 */
	size_t memory_sagas_max; /* 0: 100,000 */
	bool *ready; /* atomic, written by the engine: recovery is done, and the store takes commits */
	/*
	 * One of many nodes: it owns no slot until engine_slots_gained says so. On the engine's thread,
	 * not blocking: a slot that was to be released is quiet; the store refused a slot; the lease
	 * ran out, and all slots were dropped.
	 */
	bool many_nodes;
	void (*slot_released)(void *ctx, int slot);
	void (*slot_fenced)(void *ctx, int slot);
	void (*lease_ended)(void *ctx, const int64_t *lease_until_ms);
	void *slots_ctx;
	/*
	 * Sends a command (a request of REQUEST_COMMAND) to the topic of its participant; NULL: there
	 * is no Kafka, and commands end as not connected. It is called on the engine's thread when the
	 * row that schedules the command is durable; it must not block, and borrows what it is given.
	 * The end of sending is told once, on any thread, by replied(reply_ctx, reply) with a reply of
	 * call_reply_new(saga_id, command):
	 *
	 *   CALL_PUBLISHED      the broker has it
	 *   CALL_NOT_CONNECTED  it was certainly not sent; with `cancelled`, because the producer stops
	 *                       or not_after_ms (monotonic, read atomically; NULL: none) has passed
	 *   CALL_BROKEN         it may have been sent
	 */
	void (*send_command)(void *ctx, const char *saga_id, const char *ns, const struct saga_def *def,
						 const struct command *command, const int64_t *not_after_ms,
						 void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx);
	/*
	 * Starts a child (a request of REQUEST_CHILD); NULL: they end as not connected. Called and
	 * answered as send_command is; the reply's body is as decide.h says it.
	 */
	void (*start_child)(void *ctx, const char *saga_id, const char *ns,
						const struct command *command,
						void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx);
	void *children_ctx;
	struct tally *tally; /* of what is committed; NULL: nobody wants to know */
	/* A row of the saga is durable. Thread: engine; not blocking. May be NULL. */
	void (*committed)(void *ctx, const char *saga_id);
	/* A commit has put messages into the inboxes of these slots, which other nodes own. */
	void (*messages_sent)(void *ctx, const bool *slots);
	void *committed_ctx;
	/* A transition of it that has to do with tasks is durable; both are borrowed. Thread: engine;
	 * not blocking. May be NULL. */
	void (*tasks_committed)(void *ctx, const struct saga_state *state,
							const struct decision *decision);
	void *tasks_ctx;
	/* A commit with rows for the outbox is through. Thread: engine; not blocking. May be NULL. */
	void (*outbox_written)(void *ctx, size_t rows);
	void *kafka_ctx; /* of the two */
	/* Where lifecycle events go, by way of the outbox; NULL: they are not published. Both outlive
	 * the engine. */
	const char *events_cluster, *events_topic;
};

/* Starts the engine's and the loader's threads; they begin with recovery. */
int engine_start(const struct engine_options *options, struct engine **ret_engine,
				 struct err *err) MUST_CHECK;
/*
 * Closes intake, answers who waits, and sends nothing more; returns when no call is out and all is
 * durable, or after grace_ms.
 */
void engine_drain(struct engine *engine, int64_t grace_ms);
/*
 * Ends the threads. After engine_drain, and when the HTTP client is stopped; the writer must still
 * run. What did not end is in the history.
 */
void engine_stop(struct engine *engine);
/* After engine_stop, and when nobody can post any more: the writer has ended too. Takes NULL. */
void engine_free(struct engine *engine);

/*
 * Hands a call to the engine that owns the saga. ERR_UNAVAILABLE when its mailbox is full or it
 * drains; the call is then still the caller's. Thread: any.
 */
int engine_post(struct engine *engine, struct engine_call *call, struct err *err) MUST_CHECK;

/*
 * Hands over what came through a queue (delivery.h); delivery->done is called once when it has
 * taken effect or never will. ERR_UNAVAILABLE when the mailbox is full or the engine drains: the
 * delivery is then still the caller's, done is not called, and it may be offered again. Thread:
 * any.
 */
int engine_deliver(struct engine *engine, struct delivery *delivery, struct err *err) MUST_CHECK;
/*
 * All that stood in the topics of replies and events at `until` has been processed: it is in a
 * history, or in the inbox. The engine reads the inbox once more before it believes it; then the
 * time-outs of commands and of awaited events that were due by `until` take effect. A time that is
 * not later than the one before says nothing. Thread: any.
 */
void engine_queues_read(struct engine *engine, wall_ms until);

/*
 * What the node's membership says; see turn_slots_gained and the like. No call leaves, and no slot
 * is held, past the lease: a number on the monotonic clock that is read atomically, and stays valid
 * until the engine is freed. Thread: any.
 */
void engine_slots_gained(struct engine *engine, const int *slots, size_t n,
						 const int64_t *lease_until_ms);
void engine_slots_lost(struct engine *engine, const int *slots, size_t n);
void engine_slots_release(struct engine *engine, const int *slots, size_t n);
/* Where lifecycle events go, for who creates sagas beside the engine. Never changes. Thread: any.
 */
const struct lifecycle_topic *engine_lifecycle(const struct engine *engine);

/* Looks now for sagas that are due, perhaps created by another node, and into the inbox. Thread:
 * any. */
void engine_poke(struct engine *engine);

struct engine_stats {
	int64_t sagas_in_memory, sagas_started, sagas_completed, sagas_compensated, sagas_failed,
		sagas_terminated, steps_completed, steps_failed, attempts_failed, compensations_done,
		compensations_failed, outcomes_unknown, calls_in_flight, inputs, turns, mailbox_length,
		commits, commit_failures, late_replies, timers_fired, timer_lateness_ms_max,
		sagas_parked; /* could not be folded or stored; kept out of memory */
	/* Of what goes through queues. */
	int64_t commands_published;
	int64_t replies_delivered, events_delivered, locks_granted,
		deliveries_useless;     /* … of no use to their saga */
	int64_t replies_unrecorded; /* late ones past those that a history tells */
	int64_t inbox_rows;         /* fed from the inbox */
	int64_t early_events;       /* fed after their saga began to wait */
	int64_t inbox_in_memory, outbox_rows, subscriptions;
	int64_t messages_sent;     /* to other sagas */
	int64_t timers_held;       /* time-outs that wait until the queues are read */
	int64_t queues_read_until; /* wall time in ms; 0: not known */
};
/* A snapshot of counters that the engine publishes once a turn. Thread: any. */
void engine_stats(struct engine *engine, struct engine_stats *ret_stats);

#endif
