/*
 * The core as a function: a state and an input give events and commands. It reads no clock and no
 * random number; both arrive here. Nothing of the decision may leave the process before its events
 * are durable.
 *
 * Events are folded into the state as they are decided, so what is decided next sees them, and
 * state and history cannot differ. Who must look without acting (a dry run) decides on a state of
 * its own, folded from the history.
 */
#ifndef SAGAS_DECIDE_H
#define SAGAS_DECIDE_H

#include "sagas/act.h"
#include "sagas/call_kind.h"
#include "sagas/child_message.h"
#include "sagas/event.h"
#include "sagas/state.h"
#include "sagas/task.h"

enum input_type {
	INPUT_START,
	INPUT_REPLY,
	INPUT_TIMER, /* look what is due */
	INPUT_ACT,   /* what a person does */
	INPUT_EVENT, /* a record of Kafka that the saga subscribed to */
	INPUT_LOCK,  /* a lock is granted */
	INPUT_TASK,  /* a worker takes a task, or says what has become of it */
	INPUT_CHILD, /* what a child tells its parent, or a parent its child */
};

/*
 * How a call ended, as the HTTP client says it; or how the publishing of a command did, as the
 * producer says it: PUBLISHED, NOT_CONNECTED or BROKEN. The reply to a command is ANSWERED, and is
 * an input of its own, which may come before the other.
 */
enum call_result {
	CALL_ANSWERED,
	CALL_NOT_CONNECTED, /* nothing was sent */
	CALL_BROKEN,        /* it may have been sent */
	CALL_TIMED_OUT,
	CALL_TOO_LARGE, /* a status came, but too much body; or the broker refuses a command for good */
	CALL_PUBLISHED, /* the broker has the command */
};

enum task_word { TASK_WORD_LEASE, TASK_WORD_HEARTBEAT, TASK_WORD_COMPLETE, TASK_WORD_FAIL };

enum {
	TASK_NONCE_SIZE = 17, /* 64 bits in hex */
	TASK_DETAILS_MAX_BYTES = 64 * 1024,
	TASK_WORKER_MAX_BYTES = 200, /* so are a build, a queue, a route */
};

/* What a worker is told. */
struct task_answer {
	bool refused;    /* its lease is over; LEASE: the task is not to be had (any more) */
	bool otherwise;  /* … COMPLETE: it was completed with this token, and another output */
	bool cancel;     /* HEARTBEAT: it is not wanted any more */
	char why[128];   /* of refused and cancel, for people; "" */
	int64_t attempt; /* LEASE */
	char nonce[TASK_NONCE_SIZE];
	wall_ms lease_until;     /* LEASE, HEARTBEAT */
	wall_ms deadline_at;     /* LEASE; 0: none */
	int64_t timeout_ms;      /* LEASE: of the attempt as a whole */
	int64_t heartbeat_ms;    /* LEASE; -1: none is wanted */
	struct request *request; /* LEASE: a reference that is the receiver's */
	struct jval *progress;   /* LEASE: what an earlier attempt told last; so, too. NULL: nothing */
};

struct input {
	enum input_type type;
	uint64_t random; /* for jitter */
	/* START */
	const char *ns, *key; /* key may be NULL */
	struct jval *value;   /* input; borrowed */
	bool create_only;     /* nothing is scheduled: its owner does that, by INPUT_TIMER */
	/* … of a child; parent NULL: it has none. As its request says it. */
	const char *parent; /* a correlation */
	int64_t depth;
	bool hold;
	/* CHILD. Borrowed. */
	const struct child_message *message;
	/* REPLY */
	int step, item; /* item -1: the step's only action */
	enum call_kind kind;
	int64_t attempt;
	enum call_result result;
	int http_status;
	struct jval *body;      /* borrowed; NULL: none. What is not JSON arrives as a JSON string */
	const char *error;      /* for people; may be NULL */
	int64_t retry_after_ms; /* -1: none */
	/* REPLY, ANSWERED, of a command: it is for the action, whichever attempt caused it, so attempt
	 * and http_status are 0, and error is the message that it gives. */
	enum outcome said;      /* OUTCOME_DEFAULT: it does not say */
	const char *code;       /* error code; may be NULL */
	const char *reply_type; /* its ce_type; may be NULL */
	int64_t ask;            /* of a probe: the number in its correlation */
	int run;                /* of the step, as command or correlation say it; 0: the first, or not
							 * known of what is not answered over Kafka */
	/* TIMER: all that stood in the topics of replies and events at this time has been fed, or
	 * recorded by whoever read it; 0: not known. Time-outs of what is answered through Kafka that
	 * are due later wait. */
	wall_ms queues_read_until;
	/* TIMER: the same of what comes through the inbox alone: webhooks and callbacks. */
	wall_ms inbox_read_until;
	/* EVENT. step -1: for cancel_on, whose entry is `place`. */
	int place;
	struct jval *event;   /* borrowed; as cloudevent_read gives it */
	const char *event_id; /* "<cluster>/<topic>/<partition>/<offset>" */
	/* LOCK, with step and item: the fencing token. Who tells it has compared it with what the saga
	 * waits for: one that was given up may have been granted before. */
	int64_t token;
	/* ACT. Borrowed; what is kept of it is copied. */
	const struct act *act;
	/* TASK: of step, item and side. Texts and values are borrowed, and copied where they are kept.
	 */
	enum task_word word;
	enum side side;
	const char *worker, *build; /* LEASE; build NULL: not said */
	/* Of the lease, with attempt; LEASE: NULL. REPLY: of step.callback_url, if it came there. */
	const char *nonce;
	struct jval *details;       /* HEARTBEAT, FAIL; NULL: none. COMPLETE: the output is body */
	bool retryable, unknown;    /* FAIL, with code and error; unknown: it may have taken effect */
	struct task_answer *answer; /* written */
};

/*
 * A call to make once the events are durable; what kind of call, request->kind says: REQUEST_HTTP,
 * REQUEST_COMMAND, or REQUEST_CHILD, which is answered (CALL_ANSWERED) with a body {"id"}, the
 * child's, whether it was started now or before, or {"code","message"}, why it never will be. The
 * time-out of a command over Kafka is kept by the core: timeout_ms limits how long the producer may
 * try to publish it.
 */
struct command {
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int run; /* of the step; its reply says it again */
	int64_t timeout_ms;
	struct request *request; /* the command holds a reference */
};

/* A record to be written through the outbox, in the commit of the events. */
struct emission {
	int step, item;
	enum side side;
	struct request *request; /* REQUEST_EMIT; the emission holds a reference */
};

/*
 * Which events of Kafka and of webhooks the saga waits for from now on, or no longer, with the
 * commit of the events. One place of a step and item has at most one entry of a decision.
 */
struct subscription {
	int step, item; /* step -1: cancel_on */
	int place;      /* which of the step's waits; of cancel_on: which of its entries */
	bool remove;
	const struct correlate_def *on; /* borrowed from the definition */
	char *value;                    /* what `expect` gave; NULL when it is removed */
};

/*
 * What waits for someone outside from now on, as it now stands, or no longer: a row of the store's
 * tasks, written in the commit of the events. Strings are owned; limits are the store's
 * (connectors/store_long.h). Of one step, item and side the last one counts.
 */
struct task_note {
	int step, item;
	enum side side;
	bool remove; /* then what follows does not matter */
	enum task_kind kind;
	char *queue, *route; /* NULL: none */
	int64_t attempt;     /* of the next lease, or of the present one */
	enum task_state state;
	wall_ms queued_at, available_at, deadline_at, leased_until; /* 0: none */
	char *worker, *build;
	char *doc; /* JSON object; NULL: {} */
};

/* What another saga is told by an inbox row, in the commit of the events. */
struct saga_message {
	char to[SAGA_ID_SIZE];
	char *text; /* JSON, as delivery.h reads it; owned */
};

/*
 * A lock that is asked for with the commit of the events, or given back, which is also done when it
 * was never granted. In their order: what is given back may be asked for again in one decision.
 */
struct lock_wish {
	int step, item;
	bool release;
	struct jval *lock; /* {keys}; NULL of one that is given back. A reference. */
};

/* An approval that was asked for, decided or has ended in this decision. */
struct approval_ref {
	int step, item;
};

struct decision {
	struct event *events;
	size_t n_events, cap_events;
	struct command *commands;
	size_t n_commands, cap_commands;
	struct emission *emissions;
	size_t n_emissions, cap_emissions;
	struct subscription *subscriptions;
	size_t n_subscriptions, cap_subscriptions;
	bool unsubscribe_all; /* the saga has ended: none of its subscriptions is wanted any more */
	struct task_note *tasks;
	size_t n_tasks, cap_tasks;
	bool remove_all_tasks; /* takes effect before `tasks` */
	struct saga_message *messages;
	size_t n_messages, cap_messages;
	struct lock_wish *locks;
	size_t n_locks, cap_locks;
	bool release_all_locks;         /* before those of `locks` */
	struct approval_ref *approvals; /* each at most once; none once `tasks` tells of them */
	size_t n_approvals, cap_approvals;
	/* Replies that nobody waited for and that the history does not tell, since it tells enough of
	 * them already. */
	int64_t unrecorded_replies;
};

void decision_init(struct decision *decision);
void decision_release(struct decision *decision);

/*
 * Adds to decision, which may hold what earlier inputs of the same transition gave.
 *
 * 0: decision holds what follows, which may be nothing. ERR_CONFLICT, ERR_NOT_FOUND, ERR_INVALID,
 * ERR_LIMIT: the act is refused as act_allowed.h says; nothing changed. An act whose id is that of
 * one of the last acts changes nothing, and is no error. Inputs that no longer matter are no error.
 * A late or duplicate reply to a command is recorded, also by a saga that has ended; this, a note
 * and an owner alone add events after its end.
 */
int saga_decide(struct saga_state *state, const struct input *in, wall_ms now,
				struct decision *decision, struct err *err) MUST_CHECK;

/*
 * After a fold: what has to be sent again, since nobody knows whether it was. Marks these calls as
 * perhaps sent, so that a later failure is not taken as proof that nothing happened. A command that
 * the history tells to be published is not sent again before it is due.
 */
void saga_recover(struct saga_state *state, wall_ms now, struct decision *decision);

#endif
