/*
 * The oracle: what must hold of every saga, whatever happens. It reads the stored history row by
 * row as it grows, keeps books of its own about it (not those of sagas/state.c), and compares both
 * with what the engine holds in memory and sends.
 *
 * The names S1 … L2 are those of the design's list of guarantees.
 */
#ifndef TESTS_SUPPORT_ORACLE_H
#define TESTS_SUPPORT_ORACLE_H

#include "sagas/base/map.h"
#include "tests/support/world.h"

/* What the history says of one action: that of a step, of an item, or of a turn. */
struct oracle_action {
	bool scheduled, completed, failed, parked, ambiguous, tolerated;
	bool armed, started, undone, undo_failed, undo_skipped;
	bool held;             /* its child undoes itself */
	bool by_person;        /* somebody said what became of it, or of its undo */
	bool skipped;          /* a person said that it is not needed */
	bool resolved;         /* … or that it never happened, so that there is nothing to undo */
	int edits, undo_edits; /* so often was the request replaced */
	bool maybe_sent;       /* some attempt ended unknown, or an owner died while it was out */
	bool probed;           /* a probe has spoken about it */
	bool late_success;     /* one was ignored although its undo had begun */
	wall_ms limit_at;      /* of an await of several; due_at is the end of `after` then */
	wall_ms due_at, settle_at, next_at, undo_next_at, probed_at;
	wall_ms published_at;         /* when a command was sent that may be published; 0: none was */
	char *key, *undo_key;         /* of the requests */
	char *request, *undo_request; /* as text */
	int64_t attempt;              /* the latest sent */
	wall_ms began, undo_began;    /* later by as long as it was paused since */
	unsigned told, undo_told;     /* a bit for each entry of `escalate` */
	json_t *asked, *decided;      /* of an approval: what StepScheduled says; {by: word} */
	int carried_from;             /* of what was carried: the step of an earlier run that did it */
	/* A worker has the task, or its undo; and its attempts. */
	bool leased, undo_leased;
	int64_t leases, undo_leases;
};

struct oracle_step {
	bool begun, settled, skipped, expanded;
	int run; /* 0: the first; from 2 on it was begun anew */
	int n;
	struct oracle_action *actions;
};

struct oracle_saga {
	struct oracle_saga *next; /* in the order in which they were seen */
	char id[SAGA_ID_SIZE];
	struct saga_def *def;
	struct saga_state *fold; /* of the stored rows */
	int64_t seq;
	int64_t checked_seq; /* for who compares after each growth */
	int acts, repairs;   /* for who acts on it: how often that was */
	wall_ms loaded_at;   /* for who simulates: when an engine took it in last */
	struct oracle_step *steps;
	bool compensating, pivot_closed, ended;
	bool paused;
	wall_ms paused_at;
	int runs;         /* so often did a person turn it round */
	int64_t act_row;  /* of the latest act on the saga */
	int64_t hand_row; /* of the latest act on a step, */
	int hand_step, hand_item;
	wall_ms watched_from; /* by the `escalate` of the saga */
	unsigned told;        /* a bit for each of its entries */
	int64_t told_row;     /* of the latest escalation, */
	int told_step;        /* and the step that does it */
	json_t *act_ids;      /* of acts that were taken */
	json_t *old_keys;     /* of runs that are over, and of requests that were replaced */
	enum saga_status end;
	json_t *rows;        /* of text, as first read */
	json_t *times;       /* of the rows */
	json_t *trail;       /* "Type step[item]" of every event */
	json_t *used;        /* the ids of records that ended an await */
	unsigned char *seen; /* by event number: how often, at most 255 */
};

struct oracle {
	struct world *world;
	struct map sagas;
	struct oracle_saga *first, **last;
	void (*violation)(void *ctx, const char *saga_id, const char *text);
	void (*event)(void *ctx, struct oracle_saga *saga, const struct event *event); /* or NULL */
	void *ctx;
};

void oracle_init(struct oracle *oracle, struct world *world);
void oracle_release(struct oracle *oracle);

/* Reads what the store has of the saga and was not read yet; NULL when it does not have it. */
struct oracle_saga *oracle_saga(struct oracle *oracle, const char *id);
struct oracle_action *oracle_action(struct oracle_saga *saga, int step, int item);
/* What undoes it: of what was carried, that of the step of an earlier run. */
const struct action_def *oracle_undo_def(struct oracle_saga *saga, int step, int item);

/* A call leaves the engine: S9, S10, S13–S16. */
void oracle_sent(struct oracle *oracle, const struct world_call *call);
/* The producer has said what became of a command. */
void oracle_published(struct oracle *oracle, const struct world_call *call,
					  enum call_result result);
/* An attempt ended without a definite answer. */
void oracle_unknown(struct oracle *oracle, const char *id, int step, int item);
/* The saga's state was lost and is folded again: what was out may have been sent. */
void oracle_owner_lost(struct oracle *oracle, const char *id);
/* Memory, fold, saga row and compensation rows agree: S7, L2. */
void oracle_check_memory(struct oracle *oracle);
void oracle_check_stored(struct oracle *oracle, struct oracle_saga *saga);
/* The whole history is what was read row by row: S6. */
void oracle_check_history(struct oracle *oracle, struct oracle_saga *saga);

/* A person has acted: S12, S15, S20. */
void oracle_act_taken(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
/* … which one that is, also of acts that have events of their own. */
void oracle_act_id(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
/* The event is the word of a person: of an act on this action, in the row that is being read. */
bool oracle_by_hand(const struct oracle_saga *saga, const struct event *event);
/* The saga continues as new: S10 to S12. */
void oracle_continued(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
/* Its last row took it to another version of its definition. */
void oracle_migrated(struct oracle *oracle, struct oracle_saga *saga, int64_t version);
/* Its run is over: all is forgotten but the keys, which are never used again. */
void oracle_action_clear(struct oracle_saga *saga, struct oracle_action *action);

/* oracle_people.c: approvals and escalations, S22 and S23. */
void oracle_people_clear(struct oracle_action *action);
void oracle_asked(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
void oracle_decided(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
/* Before the end is booked. */
void oracle_approval_ends(struct oracle *oracle, struct oracle_saga *saga,
						  const struct event *event);
void oracle_escalated(struct oracle *oracle, struct oracle_saga *saga, const struct event *event);
void oracle_escalation_begins(struct oracle *oracle, struct oracle_saga *saga,
							  const struct event *event);
void oracle_people_paused(struct oracle_saga *saga, int64_t by);
void oracle_people_forget(struct oracle_saga *saga, int step, int item); /* -1: all of it */
const char *oracle_people_differ(const struct action_state *a, const struct action_state *b);

/* oracle_children.c: parents and children, S12 and S13. */

/* Nothing needs to be due: a child or the parent will say something. */
bool oracle_is_woken_by_others(const struct oracle_saga *saga);

/* What differs between a state in memory and a fold of its history; NULL: nothing that may not. */
const char *oracle_state_differs(const struct saga_state *memory, const struct saga_state *fold,
								 int *ret_step);

void oracle_fail(struct oracle *oracle, const char *saga_id, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
