/*
 * The state of one saga: a fold over its history, and nothing else, except for what is marked
 * `volatile` below: it is lost with the process, and made anew by saga_recover.
 *
 * Owned by one thread at a time.
 *
 *   action (one for a step; one for each item or turn of it)
 *
 *     IDLE --scheduled--> RUNNING --success--> DONE ----------------------> comp ARMED
 *                          |  ^ |--failure--> FAILED  (ambiguous: comp ARMED)
 *                  unknown |  | |--ongoing--> ONGOING --probe--> DONE | FAILED | RUNNING (absent)
 *                          v  | '--gave up--> GAVE_UP (outcome unknown: comp ARMED)
 *                       BACKING_OFF           PARKED  (waits for a person)
 *
 * A task is QUEUED where others are sent, and where they back off; TaskLeased makes it RUNNING.
 */
#ifndef SAGAS_STATE_H
#define SAGAS_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "sagas/attention.h"
#include "sagas/act.h"
#include "sagas/approval.h"
#include "sagas/def.h"
#include "sagas/event.h"
#include "sagas/id.h"
#include "sagas/status.h"

enum exec_status {
	EXEC_IDLE,
	EXEC_RUNNING, /* a call is out, or due to be sent once the commit is through; or a command waits
				   * for its reply until due_at; or a timer or an await of an event runs until then
				   */
	EXEC_BACKING_OFF, /* the next attempt is at due_at */
	EXEC_ONGOING,     /* the participant works on it; probed at due_at */
	EXEC_DONE,
	EXEC_FAILED,  /* definitely */
	EXEC_GAVE_UP, /* it may have taken effect */
	EXEC_PARKED,
	EXEC_QUEUED, /* a task waits for a worker, who may have it from due_at on */
};

/* What `escalate` watches: it has begun, and is told to be late entry by entry. */
struct watch {
	wall_ms from;    /* when it began, later by as long as the saga was paused; 0: nothing */
	wall_ms next_at; /* when the next entry is due; 0: none is left */
	unsigned told;   /* a bit for each entry that was told */
	int late;        /* the number, from 1, of the last entry that concerns a person; 0: none */
};

/* One thing being done: a forward action or an undo. */
struct exec {
	enum exec_status status;
	bool ambiguous;      /* some attempt may have taken effect without having been confirmed */
	int64_t attempt;     /* of the current or last attempt, from 1 */
	wall_ms due_at;      /* of the next attempt, probe, or end of a timer or wait; 0: none */
	wall_ms deadline_at; /* 0: none */
	char *child;         /* the saga that does it; NULL: it is not known to have started */
	bool child_told;     /* it was told to turn back; its end is waited for */
	wall_ms settle_at;   /* until then an unanswered attempt may still take effect; 0: settled */
	struct request *request;
	struct jval *ongoing_reply; /* the body that said `ongoing`, for the probe */
	char *code, *message;       /* of the last error */
	bool parked_unknown;        /* PARKED with its outcome unknown */
	bool published;             /* the history tells that the broker has this attempt's command */
	int64_t attempts_before;    /* a person had it tried again after so many: limits count anew */
	int edits;                  /* so often has a person replaced its request */
	bool parks_again;           /* a person had its probe asked, and no more than that */
	/* Of a task: attempt counts its leases. RUNNING: due_at is the end of the lease. */
	char *nonce; /* of the last lease, or of step.callback_url: only who has it may answer */
	char *worker, *build;  /* who has it, or had it last; build NULL: not said */
	wall_ms queued_at;     /* since when it waits, or waited for this lease */
	wall_ms leased_at;     /* when the lease began, or was given its whole time again */
	int64_t lease_ms;      /* what it began with */
	struct jval *progress; /* the details that a worker gave last; of the lease that is, volatile */
	struct watch watch;

	/* volatile */
	bool out;       /* the call is with the HTTP client, the command with the producer */
	bool probe_out; /* a probe is */
	bool taken;     /* the broker has this attempt's command */
	bool asked;     /* a probe over Kafka waits for its reply, until probe_due_at */
	int64_t ask; /* when a probe was last asked, in ms; over Kafka its number, too, which no later
				  * owner uses again */
	wall_ms probe_due_at;
	wall_ms rest_at;  /* then the history is told what is published, so that the saga may sleep */
	bool sent_before; /* an earlier attempt, or an earlier owner, may have sent it */
	bool due_is_volatile; /* due_at is later than the history says: must not go to sleep */
	bool probe_first;     /* the next thing to do at due_at is a probe */
	bool denied;          /* a probe said `absent` before settle_at, and the call was sent again */
	/* What the last commit told of a task to whoever hands out work. */
	struct {
		enum exec_status status; /* IDLE: nothing; QUEUED; RUNNING: leased */
		int64_t attempt;
		wall_ms available_at;
	} told;
};

struct action_state {
	struct exec run;
	struct exec undo;
	enum comp_status comp;
	bool tolerated;    /* run ended badly, and the saga goes on */
	bool skipped;      /* DONE, because a person said that it is not needed */
	bool held;         /* what undoes it is its child, which waits for the end of this saga */
	bool beside;       /* DONE by other means, while an attempt may still have taken effect */
	bool late_success; /* one came that nobody waited for any more, and a person was told */
	char *event_id; /* of the record that ended an await of Kafka; of a lock, its fencing token */
	struct approval *approval; /* who was asked, and what they decided; NULL: it is none */
	struct jval *output;
	struct jval *undo_output;
	/* Of a lock: {keys}, and when it was asked for, and in which row; NULL: it was not. */
	struct jval *lock;
	wall_ms lock_at;
	int64_t lock_row;
	bool locked;      /* it is granted, and not given back */
	int carried_from; /* of def->carried: the step that did what is undone here */
};

struct step_state {
	enum step_status status;
	bool begun;   /* scheduled, expanded or skipped: no longer to be considered */
	bool settled; /* its dependants may go on */
	int n_actions, cap_actions;
	struct action_state *actions; /* items of for_each, turns of repeat, else one */
	json_t *list;                 /* of for_each; NULL otherwise */
	struct jval *output;
	json_t *failures; /* of for_each: [{index, code, message}]; NULL: none */
	/* A person had the step begin anew: from 2 on its keys and correlations name the run. */
	int run;         /* 0: the first one */
	bool run_failed; /* an action of an earlier run had ended badly */
	/* The saga that did it, whose keys it has: this one is a new run of that. NULL: this one. */
	char *keys_of;
};

/* Whose step a saga is. */
struct saga_parent {
	char *correlation; /* of the step; what follows is read from it */
	char saga_id[SAGA_ID_SIZE];
	char step[DEF_MAX_NAME + 1];
	int item, run;
	enum side side;
	int64_t depth; /* sagas that stand above it */
	bool hold;     /* what can be undone stays so until the parent's end */
};

/* Which saga this one is a new run of, up to which row of its history, and by which act. */
struct saga_run_of {
	char saga_id[SAGA_ID_SIZE];
	int64_t seq;
	int64_t row;  /* of this history, which says so */
	char *act_id; /* NULL: it had none */
};

/* What somebody told the saga before it asked. */
struct saga_signal {
	char *name;
	struct jval *value; /* NULL: none */
	wall_ms at;
	int64_t number; /* of all that it was ever told, from 1 */
};

/* What StepCompleted of an await says it has read. */
enum { SIGNAL_ID_SIZE = 32 };
void signal_id(const struct saga_signal *signal, char id[SIGNAL_ID_SIZE]);

enum {
	USED_EVENTS_KEPT = 1000,                /* ids of records, of earlier runs */
	CARRIED_MAX = 1000,                     /* compensations, */
	CONTINUE_INPUT_MAX_BYTES = 1024 * 1024, /* and the input, that go over into the next run, */
	CONTINUE_MAX_BYTES = 8 * 1024 * 1024,   /* and all of it */
};

enum { SIGNALS_MAX = 100, SIGNALS_MAX_BYTES = 4 * 1024 * 1024 };

struct saga_state {
	struct saga_def *def;
	char id[SAGA_ID_SIZE];
	char *ns, *key;
	enum saga_status status; /* derived by saga_state_derive, unless terminal */
	wall_ms started_at, updated_at, ended_at, last_at, deadline_at;
	/* As of the time before last_at: a transition may pass through several statuses, and only the
	 * one that it ends with is a change. */
	enum saga_status status_before;
	wall_ms updated_before;
	int64_t n_events;
	int64_t history_bytes; /* kept by who reads and writes rows, */
	int64_t rows;          /* and so is this: the sequence number of the last row */
	int64_t base_row;      /* the row that a fold may begin with; 0: the first */
	int64_t run;           /* from 1: how often it has continued as new, and one */
	int step_run;          /* of the steps when this run of the saga began; 0: the first */
	bool failing;          /* SagaCompensating was written */
	bool pivot_scheduled;
	struct watch watch;
	json_t *escalated_groups;           /* may decide all its approvals; NULL: none */
	bool deadline_noted, deadline_seen; /* seen: a person has acknowledged it */
	char *failure_code, *failure_message;
	int failure_step;
	int64_t ignored; /* replies and events that the history tells of, and that changed nothing */
	char *refused_cancel; /* the event that asked to cancel when there was no way back, the last */
	bool paused;          /* nothing begins and nothing is sent until it is resumed */
	wall_ms paused_at;    /* 0: it is not */
	char *owner;          /* who takes care of it; NULL: nobody */
	struct saga_signal *signals; /* that nothing has read yet, in their order */
	size_t n_signals;
	int64_t signals_told;
	struct saga_run_of *run_of;  /* NULL: it was started as any other */
	struct saga_parent *parent;  /* NULL: it has none */
	bool held;                   /* all is done; the parent may still want it undone */
	json_t *used_events;         /* texts: records that ended awaits of earlier runs; NULL: none */
	char *act_ids[ACT_IDS_KEPT]; /* of the last acts that had one, the latest first; or NULL */
	char *attention_note;        /* of SagaAttention, */
	int attention_step, attention_item; /* and what it is about; step -1: the saga */
	/* Derived: why it concerns a person (text NULL: it does not), and since when for this reason;
	 * and both as of the time before last_at, like the status. */
	struct attention attention;
	wall_ms attention_at, attention_at_before;
	char attention_group_before[ATTENTION_GROUP_DIGITS + 1];
	struct jval *input, *output;
	struct jval *search;      /* {name: text}: what it is found by; NULL: nothing */
	struct step_state *steps; /* def->n_steps */
	json_t *steps_json;       /* cache for expressions: {id: {status, output, failures}} */
};

/* Takes a reference to def. */
struct saga_state *saga_state_new(struct saga_def *def, const char *id) MUST_CHECK;
void saga_state_free(struct saga_state *state);
DEFINE_CLEANUP(struct saga_state *, saga_state_free)

/*
 * Folds one event, sharing its values. CHECKs what decide guarantees; rows from a store go through
 * saga_state_apply_row.
 */
void saga_state_apply(struct saga_state *state, const struct event *event);

/* Brings status and attention up to date; after the last event of a transition. */
void saga_state_derive(struct saga_state *state);

/*
 * Decodes a history row and folds its events. ERR_INVALID when the history does not fit the
 * definition or itself; the state is then of no more use.
 */
int saga_state_apply_row(struct saga_state *state, wall_ms at, const char *events, size_t len,
						 struct err *err) MUST_CHECK;

/* Whether a fold may begin with this row. */
bool saga_state_row_begins(const char *events, size_t len);

/* The action, which must exist (item -1: the step's only one). */
struct action_state *saga_state_action(const struct saga_state *state, int step, int item);

/* Of def->carried: which step, item (-1: its only one) and run did what is undone there. */
int saga_state_carried_place(const struct saga_state *state, int index, char *step, size_t size,
							 int *ret_item, int *ret_run);
/* … and back: where it stands; -1: it was not carried over. */
int saga_state_find_carried(const struct saga_state *state, const char *step, int item, int run);

/* How the action is undone: what was carried over, as the step that did it says. */
const struct action_def *saga_state_undo_def(const struct saga_state *state, int step, int item);

/* The run that a step is in, from 1. */
int saga_state_run(const struct saga_state *state, int step);
/* An attempt of it may have taken effect, and nobody knows. kind: of its definition. */
bool saga_exec_is_ambiguous(const struct exec *exec, enum action_kind kind);
/* It can be undone, or could. */
bool saga_has_undo(const struct step_def *def, const struct action_state *action);
/* It has begun and is not over: something can still come of it, or be said of it. */
bool saga_exec_is_open(const struct exec *exec);

/* It is not over, so its `escalate` may still be told: also of an undo that waits for a person. */
bool saga_state_is_watched(const struct action_state *action, enum side side);
/* Something is late, and no person has acknowledged it. */
bool saga_state_is_late(const struct saga_state *state);

/* The way back is closed: the pivot is scheduled and has not failed definitely. */
bool saga_state_past_pivot(const struct saga_state *state);
/* The way forward rests: an undo of a tolerated failure has failed, and waits for a person. */
bool saga_state_is_stuck(const struct saga_state *state);
/* The undo is over: nothing more will come of it by itself. */
bool saga_state_undo_is_final(const struct action_state *action);
bool saga_state_run_is_over(const struct action_state *action);
/* Nothing of the step is left to wait for on the way back. */
bool saga_state_step_is_undone(const struct saga_state *state, int step);
/* Nor of what depends on it: it may be undone itself. */
bool saga_state_dependants_undone(const struct saga_state *state, int step);
/* How many calls are out or about to be; a command that the broker has is not. */
int saga_state_in_flight(const struct saga_state *state);
/*
 * Where something may still come from that ends what an action waits for: its time-outs take effect
 * when that has been read so far. What waits for both waits for Kafka, which may be away.
 */
enum awaits {
	AWAITS_NOTHING, /* that would have to be read */
	AWAITS_INBOX,   /* webhooks, callbacks */
	AWAITS_QUEUE,   /* Kafka */
};
enum awaits saga_state_awaits(const struct saga_state *state, int step,
							  const struct action_state *action);
/* Its deadline has passed beyond the pivot, and no person has acknowledged it. */
bool saga_state_deadline_concerns(const struct saga_state *state);
/* When something must happen without further input (it may be in the past); 0: never. */
wall_ms saga_state_next_due(const struct saga_state *state);
/* The same apart, as of now: what takes effect by itself, and the time-outs of what comes through
 * the inbox and through Kafka, which take effect when these are read so far. */
struct saga_due {
	wall_ms at, inbox_at, queued_at; /* 0: never */
};
struct saga_due saga_state_due(const struct saga_state *state, wall_ms now);
/* Nothing is out, and a fold of the history knows as much. */
bool saga_state_may_sleep(const struct saga_state *state);
/* It waits for a child, or for its parent, and for no time: they wake it. */
bool saga_state_awaits_saga(const struct saga_state *state);
/* Why it concerns a person, in one line; NULL: it does not. Borrowed until the state changes. */
const char *saga_state_attention(const struct saga_state *state);
/* The same with where and what; NULL: it does not. */
const struct attention *saga_state_attention_of(const struct saga_state *state);

/* {id: {status, output, failures, undo}} for expressions; borrowed until the state changes. */
json_t *saga_state_steps_json(struct saga_state *state);

/* The compensation of an action as it is shown (`released` after a completed saga). */
enum comp_status saga_state_comp_shown(const struct saga_state *state,
									   const struct action_state *action);

/*
 * Whether the engine can go on with the state: ERR_INVALID says which invariant does not hold. A
 * history that was changed or damaged may fold, and still leave something that cannot be.
 * O(actions).
 */
int saga_state_validate(const struct saga_state *state, struct err *err) MUST_CHECK;
/* The same for a state that is ours: aborts. */
void saga_state_check(const struct saga_state *state);

#endif
