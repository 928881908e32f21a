/*
 * A saga definition, compiled: what the loader makes of a document, and all that the core needs of
 * it. Immutable after loading and shared by threads; counted with atomics.
 *
 * Steps stand in one array: first the forward ones in document order, then those of on_compensated,
 * then those that stand for entries of `escalate`.
 * An index into it is how the core names a step; histories name it by its id.
 */
#ifndef SAGAS_DEF_H
#define SAGAS_DEF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"
#include "sagas/cron.h"
#include "sagas/expr.h"
#include "sagas/schema.h"
#include "sagas/surroundings.h"
#include "sagas/tmpl.h"

enum {
	DEF_MAX_BYTES = 1024 * 1024,
	DEF_MAX_STEPS = 500,
	DEF_MAX_ITEMS = 1000,
	DEF_MAX_NAME = 128,
	SEARCH_MAX = 20,              /* names of `search` and `labels` together */
	SEARCH_NAME_MAX = 64,         /* bytes */
	SEARCH_VALUE_MAX_BYTES = 255, /* of text */
	LOCK_MAX_KEYS = 100,          /* of one lock */
	DEF_MAX_EXPRS = 10000,        /* expressions, and outcome rules of all actions */
};

/* A time limit: a constant, or a template that gives a duration or a timestamp. */
struct limit {
	int64_t ms;        /* -1: not said (or see tmpl) */
	struct tmpl *tmpl; /* NULL: constant */
};

enum on_exhausted { ON_EXHAUSTED_DEFAULT, ON_EXHAUSTED_FAIL, ON_EXHAUSTED_PARK };

/* What was not said is already filled in from the participant, `defaults`, and the built-in values.
 */
struct retry_policy {
	int64_t initial_interval_ms;
	double backoff_coefficient;
	int64_t maximum_interval_ms;
	int64_t maximum_attempts; /* 0: without limit */
	double jitter;            /* 0 to 1: the part of an interval that is random */
	char **non_retryable;     /* error codes */
	size_t n_non_retryable;
	enum on_exhausted on_exhausted;
};

/* The four outcomes of a call, and a probe's `absent`: it never took effect. */
enum outcome {
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,
	OUTCOME_ONGOING,
	OUTCOME_UNKNOWN,
	OUTCOME_ABSENT,
	OUTCOME_DEFAULT, /* no rule matched: the built-in rules decide */
};

enum outcome_match { MATCH_EXPR, MATCH_STATUS, MATCH_CODE, MATCH_STATUS_CLASS };

struct outcome_rule {
	enum outcome_match match;
	enum outcome outcome;
	int status;        /* 409, or the class 2 for 2xx */
	char *code;        /* MATCH_CODE */
	struct expr *expr; /* MATCH_EXPR, over `reply` */
};

/*
 * In the order in which they are tried: the step's, then the participant's, then the defaults';
 * within one level expressions, exact statuses and codes, classes; within those absent, failure,
 * unknown, ongoing, success. The first match wins.
 */
struct outcome_rules {
	struct outcome_rule *rules;
	size_t n_rules;
	struct tmpl *code; /* gives the error code of a reply; NULL: none */
};

enum action_kind {
	ACTION_HTTP,
	ACTION_SET,
	ACTION_FAIL,
	ACTION_AWAIT_AFTER,
	ACTION_COMMAND,
	ACTION_EMIT,
	ACTION_AWAIT_KAFKA,
	ACTION_AWAIT_SIGNAL,
	ACTION_LOCK,
	ACTION_CONTINUE,
	ACTION_AWAIT, /* a webhook, or a list of which the first wins */
	ACTION_TASK,
	ACTION_APPROVAL,
	ACTION_CHILD, /* a saga of its own: `saga`, and `steps` with a definition that has no name */
};

/* It sends nothing, and only waits until something comes or its time is over. */
static inline bool action_only_waits(enum action_kind kind)
{
	return kind == ACTION_AWAIT_AFTER || kind == ACTION_AWAIT_KAFKA ||
		   kind == ACTION_AWAIT_SIGNAL || kind == ACTION_LOCK || kind == ACTION_AWAIT ||
		   kind == ACTION_CONTINUE || kind == ACTION_APPROVAL;
}

/* Where its due time is a limit, which a pause moves, and not a point in time. */
static inline bool action_due_is_limit(enum action_kind kind)
{
	return kind == ACTION_COMMAND || kind == ACTION_CHILD ||
		   (action_only_waits(kind) && kind != ACTION_AWAIT_AFTER && kind != ACTION_AWAIT &&
			kind != ACTION_CONTINUE);
}

/* The cluster of Kafka that is meant where none is said. */
#define DEF_DEFAULT_CLUSTER "default"

/* 128 bits of a SHA-256 in hex, and the NUL. */
enum { CHANNEL_SIZE = 33 };

struct http_field {
	char *name;
	struct tmpl *value;
};

struct http_action {
	char *to; /* participant */
	char *method;
	struct tmpl *path; /* string; begins with / */
	struct http_field *query, *headers;
	size_t n_query, n_headers;
	struct tmpl *body;  /* NULL: none */
	bool form;          /* application/x-www-form-urlencoded instead of JSON */
	char *content_type; /* NULL: what `form` says */
	char **secrets;     /* named in headers and query, each once, NULL-terminated; NULL: none */
};

/* A Kafka record that a participant answers with another; its topic is configuration. */
struct command_action {
	char *to;             /* participant */
	char *type;           /* of the command, constant */
	struct tmpl *key;     /* of the record, a scalar; NULL: the saga's id */
	struct tmpl *data;    /* NULL: none */
	struct tmpl *headers; /* gives an object of names and scalars; NULL: none */
};

/* A Kafka record that nobody answers; written through the outbox. */
struct emit_action {
	char *cluster, *topic, *type; /* constant */
	struct tmpl *key, *data, *headers;
};

/* Work that waits in a queue for a worker, who leases it. Its input is `with`. */
struct task_action {
	char *queue;          /* constant */
	struct tmpl *route;   /* a scalar; which workers of the queue are meant; NULL: any */
	int64_t heartbeat_ms; /* so long does a lease last without a word from the worker; -1: `timeout`
						   */
};

/*
 * Which records of a topic are meant: those where `from` gives the text that `expect` gave, and for
 * which `when` holds. All that have the same channel give the same `from` for a record, so that it
 * is worked out once for a channel, whoever waits in it.
 */
struct correlate_def {
	char channel[CHANNEL_SIZE]; /* of cluster, topic and the source of `from` */
	bool webhook;          /* not of Kafka: no cluster, and the topic is the webhook's source */
	char *cluster, *topic; /* constant */
	struct tmpl *from;     /* over event, env */
	struct tmpl *expect;   /* over the saga, when it begins to wait */
	struct tmpl *when;     /* over event and the saga; NULL: always */
};

/*
 * What the saga alone may touch from the time that it is granted: until its end, also on the way
 * back, or until the step release_after has settled.
 */
struct lock_action {
	struct tmpl *keys; /* gives a list of texts */
	int release_after; /* index of a step that comes after this one; -1: the end of the saga */
};

/* One thing that an await waits for. */
enum wait_kind { WAIT_SIGNAL, WAIT_KAFKA, WAIT_WEBHOOK, WAIT_AFTER };
struct wait_def {
	enum wait_kind kind;
	char *signal;            /* SIGNAL: its name */
	struct limit after;      /* AFTER */
	struct correlate_def on; /* KAFKA, WEBHOOK; of a signal, only its `when` */
};

/* What a step waits for; its index among the waits is the place of a subscription. */
struct await_def {
	struct wait_def *waits;
	size_t n_waits;
	bool list; /* it was said as a list: the output says which one came */
};
enum { AWAIT_MAX_WAITS = 16 };

/* People decide: so many who may, and none of whom did before. */
struct approval_action {
	struct tmpl *title;   /* text */
	struct tmpl *groups;  /* a list of texts */
	struct tmpl *exclude; /* who may not decide, a name or a list of names; NULL: nobody */
	struct tmpl *show;    /* what they see of it; NULL: nothing */
	struct schema *form;  /* what they fill in; NULL: anything */
	int approve, reject;  /* so many decide it, at least 1 each */
};

/* What one entry of `escalate` does when its time has come. */
enum escalate_kind {
	ESCALATE_ALERT,  /* the saga concerns a person */
	ESCALATE_GROUPS, /* further groups may decide */
	ESCALATE_STEP,   /* http, emit or task: a step of its own, behind those of the document */
};

enum { DEF_MAX_ESCALATE = 16 }; /* entries of one list */

/*
 * What is told, or done, when something takes longer than it should: entries of a step, an undo or
 * the saga, each told once, counted from when that began.
 */
struct escalate_def {
	struct limit after;
	enum escalate_kind kind;
	struct tmpl *groups;    /* ESCALATE_GROUPS: a list of texts */
	int step;               /* ESCALATE_STEP: index of the step that does it */
	int carried_step;       /* … where the undo was carried from an earlier run; -1: never is */
	struct action_def *act; /* while it is loaded: what that step does, */
	struct tmpl *with;      /* … and with what, of a task */
};

struct escalate_list {
	struct escalate_def *entries;
	size_t n;
};

/*
 * A saga that is started, and waited for. A `steps` block is one, too: its definition is compiled
 * with the one around it, and is named after the step: "parent#step", "parent#step~undo" in an
 * undo. What its expressions read of what is around it is its input (block_scope).
 */
struct child_action {
	char *saga;             /* the definition's name; of a block, in full */
	struct saga_def *block; /* `steps`: a reference; NULL: found by its name when it starts */
};

struct probe_def;

/* Something that is done: a step's forward action, or its undo. */
struct action_def {
	enum action_kind kind;
	struct tmpl *when; /* NULL: always */
	struct http_action http;
	struct tmpl *set;                      /* ACTION_SET */
	struct tmpl *fail_code, *fail_message; /* ACTION_FAIL */
	struct limit after;                    /* ACTION_AWAIT_AFTER */
	struct command_action command;         /* ACTION_COMMAND */
	struct emit_action emit;               /* ACTION_EMIT */
	struct correlate_def await_kafka;      /* ACTION_AWAIT_KAFKA; of a signal, only its `when` */
	char *await_signal;                    /* ACTION_AWAIT_SIGNAL: its name */
	struct lock_action lock;               /* ACTION_LOCK */
	struct tmpl *next_input;               /* ACTION_CONTINUE */
	struct await_def await;                /* ACTION_AWAIT */
	struct task_action task;               /* ACTION_TASK */
	struct tmpl *with;                     /* what a task or a child is given; NULL: nothing */
	struct child_action child;             /* ACTION_CHILD */
	struct limit timeout;                  /* of one attempt */
	struct limit deadline;                 /* of all attempts */
	struct approval_action approval;       /* ACTION_APPROVAL */
	struct escalate_list escalate;
	struct retry_policy retry;
	struct outcome_rules outcome;
	struct probe_def *probe; /* NULL: none */
	struct tmpl *output;     /* NULL: the reply's body, the event's data */
	struct tmpl *idempotency_key;
	bool reads_callback; /* the request reads step.callback_url */
	bool reads_failure;  /* the request reads saga.failure, so it is completed when undo begins */
};

struct probe_def {
	struct action_def act; /* http or command, with its own outcome (absent allowed) and output */
	int64_t every_ms;
};

enum undo_kind { UNDO_NOT_NEEDED, UNDO_NONE, UNDO_ACTION }; /* not said, `none`, an action */

struct step_def {
	char *id;
	int index;
	int *needs; /* direct, as the document says, and those that the pivot rule adds */
	size_t n_needs;
	int *dependants; /* the steps that need this one */
	size_t n_dependants;
	uint64_t *ancestors;       /* bit set over step indexes: all that come before this one */
	struct tmpl *for_each;     /* NULL: one action */
	int max_parallel;          /* of for_each; at least 1 */
	struct expr *repeat_until; /* NULL: once */
	int repeat_max;
	struct tmpl *tolerate; /* NULL: never; else gives a bool */
	struct action_def act;
	enum undo_kind undo_kind;
	struct action_def undo; /* UNDO_ACTION */
	/* It stands for an entry of `escalate`, and is in no list of the document. */
	bool escalates;
	int watches;        /* … of this step, whose names it sees; -1: of the saga */
	bool watches_undo;  /* … of its undo */
	bool watches_items; /* … which has an action for each item or turn */
	int entry;          /* … the how-manieth, from 0 */
	int said_by;        /* … of this step; watches, unless that is what was carried */
	bool act_borrowed;  /* `act` belongs to the step of the same entry in the present run */
	bool pivot;
	bool after_pivot; /* the pivot is an ancestor: retries and parks, cannot fail the saga */
};

/* What becomes of a record that gives no saga, when its attempts are used up. */
enum poison_then { POISON_DEAD_LETTER, POISON_PAUSE, POISON_SKIP };

/* An entry of start_on: each record of a topic starts a saga. One a topic in a definition. */
struct trigger_def {
	char *cluster, *topic;     /* constant */
	char *group;               /* NULL: the one that follows from namespace and definition */
	char *dead_letter_topic;   /* said, or made of the topic */
	bool from_latest;          /* where a new group begins; else at the earliest */
	struct tmpl *when;         /* over event, env; NULL: always */
	struct tmpl *input;        /* NULL: the event's data */
	struct tmpl *key;          /* NULL: the definition's, else the record's place */
	struct retry_policy retry; /* of a poison record; maximum_attempts is at least 1 */
	enum poison_then then;
};

/* What a `steps` block reads of its surroundings: a bit for each enum expr_name, and of `steps` the
 * ids. */
struct block_scope {
	unsigned names;
	char **steps;
	size_t n_steps;
};

/* A value that each saga is found by, worked out when it starts; and one that all of them have. */
struct search_def {
	char *name;
	struct tmpl *value;
};
struct label_def {
	char *name, *value;
};

/* A signal that cancels the saga that it is told. */
struct cancel_signal {
	char *name;
	struct tmpl *when; /* over event and the saga; NULL: always */
};

/* What becomes of a planned start while the saga of an earlier one is open. */
enum schedule_overlap {
	OVERLAP_SKIP,   /* there is none */
	OVERLAP_QUEUE,  /* one waits for its end; more are skipped */
	OVERLAP_START,  /* it starts beside it */
	OVERLAP_CANCEL, /* it is cancelled, and the newest one waits for its end */
};
const char *schedule_overlap_text(enum schedule_overlap overlap);
/* -1: no such word. */
int schedule_overlap_parse(const char *text);

/* An entry of start_on: a saga is started at times. */
struct schedule_def {
	char *name; /* said, or its number among the schedules: "1" */
	char *line; /* as it stands in the document */
	struct cron cron;
	char *time_zone; /* "UTC" unless said */
	enum schedule_overlap overlap;
	int64_t catch_up_ms; /* by so much a start may be late */
	struct tmpl *input;  /* over event, env; NULL: {} */
	int index;           /* in start_on */
};

struct saga_def {
	int refs; /* atomic */
	char *name;
	bool is_block;            /* a `steps` block; its input is its scope */
	struct block_scope scope; /* of a block */
	char hash[65];            /* SHA-256 of the canonical JSON, in hex; filled in by who deploys */
	int64_t version;          /* 0: not deployed */
	json_t *doc;              /* the document as JSON */
	/* Of the server; set by who deploys, and outlives the definition. NULL: there is none. */
	const struct surroundings *around;
	struct tmpl *key; /* NULL: the caller's */
	struct limit deadline;
	bool recovery_forward;
	struct schema *input_schema; /* NULL: anything */
	struct step_def *steps;
	int n_steps;   /* all */
	int n_forward; /* the first n_forward are the forward path */
	int n_listed;  /* those up to here stand in the document; behind them are those of `escalate` */
	int pivot;     /* index, or -1 */
	struct tmpl *output;
	struct trigger_def *triggers;
	size_t n_triggers;
	struct schedule_def *schedules;
	size_t n_schedules;
	struct correlate_def *cancel_on;
	size_t n_cancel_on;
	struct cancel_signal *cancel_signals; /* of cancel_on, too */
	size_t n_cancel_signals;
	struct search_def *search;
	size_t n_search;
	struct label_def *labels;
	size_t n_labels;
	bool reuse_after_undo; /* the key of a saga that was undone may be used again */
	bool locks;            /* one of the steps is a lock */
	struct escalate_list escalate;
	/*
	 * The last of the forward steps, of a saga that may continue as new; -1: it does not. It is not
	 * in the document: its items are what earlier runs did and can still undo. All other forward
	 * steps come after it, so it is undone last.
	 */
	int carried;
};

/* It waits for events that come through the store, with a subscription for each place. */
bool action_subscribes(const struct action_def *act);
/* … and one of them is of Kafka. */
bool action_subscribes_kafka(const struct action_def *act);
/* What the action waits for at a place; NULL: no event that it subscribes to. */
const struct correlate_def *action_subscription(const struct action_def *act, int place);

static inline bool step_def_has_ancestor(const struct step_def *step, int index)
{
	return step->ancestors[index / 64] >> (index % 64) & 1;
}

/* It has an action for each item or turn. */
static inline bool step_def_has_items(const struct step_def *step)
{
	return step->for_each || step->repeat_until || step->watches_items;
}

/* The step of an entry that watches `watched`; ESCALATE_STEP. */
static inline int escalate_step(const struct saga_def *def, int watched,
								const struct escalate_def *entry)
{
	return watched >= 0 && watched == def->carried ? entry->carried_step : entry->step;
}

#define CARRIED_STEP_ID "~carried"

/* The index of a step by its id, or -1. */
int saga_def_step(const struct saga_def *def, const char *id);

/*
 * The definition of a block, borrowed, by its full name: "order" gives def itself, "order#paid" the
 * block of its step `paid`, and so on downwards. NULL: def has none of this name.
 */
struct saga_def *saga_def_find_block(struct saga_def *def, const char *name);
/* Its version and hash are those of what was deployed; so are those of its blocks. */
void saga_def_set_version(struct saga_def *def, int64_t version, const char hash[65]);
/* Calls fn for def and for all blocks in it, the outer ones first. */
void saga_def_walk(struct saga_def *def, void (*fn)(struct saga_def *def, void *ctx), void *ctx);

struct saga_def *saga_def_ref(struct saga_def *def);
void saga_def_unref(struct saga_def *def);
DEFINE_CLEANUP(struct saga_def *, saga_def_unref)

#endif
