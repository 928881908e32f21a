/*
 * What the files of the loader share: def.c, def_load*.c and lint*.c.
 *
 * Loading has three phases. (1) Reading walks the document once, checks its structure against the
 * grammar and compiles what it can; every template is noted as a `use` with what may be named at
 * its place. (2) Ordering turns `needs` into a graph, block by block, and applies the pivot rule.
 * (3) Linting looks at the whole: names and types of every use, compensations, the pivot. A phase
 * goes on after errors, so that all of them are found at once; a part that could not be read is
 * left out of what the later phases check.
 */
#ifndef SAGAS_DEF_PRIV_H
#define SAGAS_DEF_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/def.h"
#include "sagas/def_load.h"

enum { ID_MAX = 64 };

/* X(constant, key): all actions of the language. */
#define ACTIONS(X)                                                                                 \
	X(ACT_HTTP, "http")                                                                            \
	X(ACT_COMMAND, "command")                                                                      \
	X(ACT_EMIT, "emit")                                                                            \
	X(ACT_TASK, "task")                                                                            \
	X(ACT_SAGA, "saga")                                                                            \
	X(ACT_AWAIT, "await")                                                                          \
	X(ACT_APPROVAL, "approval")                                                                    \
	X(ACT_STEPS, "steps")                                                                          \
	X(ACT_SET, "set")                                                                              \
	X(ACT_FAIL, "fail")                                                                            \
	X(ACT_LOCK, "lock")                                                                            \
	X(ACT_CONTINUE, "continue_as_new")

enum action {
#define X(name, key) name,
	ACTIONS(X)
#undef X
		ACT_COUNT,
	ACT_NOT_SAID = ACT_COUNT,
};

#define BIT(n) (1u << (n))

struct load;
struct block;
struct lstep;

/* What may be named at a place of the document; inherited downwards. */
struct place {
	unsigned names;    /* BIT(enum expr_name) */
	bool saga_failure; /* saga.failure exists here */
	const struct block
		*block;               /* whose steps may be read, and those of the blocks around; or NULL */
	const struct lstep *step; /* only what comes before this one; NULL: every step of the block */
	bool own;                 /* and the step itself: inside its undo */
	bool callback;            /* step.callback_url exists here */
	bool undo;                /* the request of an undo, where `reply` is the forward call's */
};

/* A node of the document on its way down; lives on the stack. */
struct node {
	struct load *load;
	const struct node *up;
	const char *key; /* NULL: an element of a list, at index */
	size_t index;
	json_t *value;
	const struct place *place;
};

/* What a template must give. */
enum want { WANT_ANY, WANT_BOOL, WANT_LIST, WANT_OBJECT, WANT_SCALAR, WANT_STRING, WANT_TIME };

/* A template and where it stands; checked when the order of the steps is known. */
struct use {
	struct tmpl *tmpl;
	bool owned; /* kept for the check only, else it is part of the definition */
	char *pointer;
	const json_t *source;
	struct place place;
	enum want want;
};

/* One list of steps: the saga's, on_compensated, or a `steps` block. */
struct block {
	struct block *next; /* all blocks of a load */
	const struct block *up;
	struct lstep *owner; /* the step whose action it is; NULL at the top */
	struct lstep *steps;
	size_t n;
	bool on_compensated; /* it, or a block around it */
	bool in_undo;        /* it, or a block around it, is the action of an undo */
	int depth;
	int pivot; /* index, or -1 */
};

/* A step while it is loaded. */
struct lstep {
	struct block *block;
	int index;
	const char *id; /* borrowed from the document; NULL when it is missing or wrong */
	const json_t *value;
	char *pointer;
	enum action action;
	struct block *inner;      /* ACT_STEPS */
	struct block *undo_inner; /* its undo is a block */
	bool http_safe;           /* GET or HEAD */
	bool for_each, repeat;
	bool loose;       /* its needs could not be read, so what comes before it is unknown */
	bool after_pivot; /* of its block */
	struct step_def def;
	uint64_t *before; /* bit set over the block: all that come before */
};

struct load {
	json_t *doc;
	const struct doc_places *places;
	struct findings *findings;
	size_t n_of_reading; /* findings that were there before */
	struct saga_def *def;
	struct use *uses;
	size_t n_uses, cap_uses;
	struct block *blocks;
	struct block *forward, *on_compensated;
	const json_t *participants, *defaults, *input_schema;
	size_t n_steps;          /* with those in blocks */
	size_t n_rules;          /* of outcomes; past DEF_MAX_EXPRS they are only counted */
	struct action_def *kept; /* scratch that uses borrow from */
	size_t n_kept;
	int muted; /* inherited parts are read again for each step; their errors are known */
};

/* def_load_node.c: nodes, findings and values. */
struct node node_child(const struct node *at, const char *key); /* value NULL when absent */
struct node node_item(const struct node *at, size_t index);
struct node node_placed(const struct node *at, const struct place *place);
void node_pointer(const struct node *at, char *text, size_t size);
void find_at(const struct node *at, enum finding_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void find_pointer(struct load *load, const char *pointer, enum finding_level level, const char *fmt,
				  ...) PRINTF_LIKE(4, 5);
void not_built(const struct node *at, const char *what);
const char *type_text(const json_t *value);

/* One key of an object, and who reads it. */
struct key_rule {
	const char *key;
	void (*read)(const struct node *at, void *to);
};
/* Calls the readers in the order of the document; unknown keys are errors. False: not an object. */
bool read_object(const struct node *at, const char *what, const struct key_rule *rules, size_t n,
				 void *to);
/* Whether a key that is not there was meant by one that is reported as misspelled. */
bool is_misspelled(const json_t *object, const char *key);
/* Reports a missing key. */
bool need_key(const struct node *at, const char *key, const char *why);
bool want_list(const struct node *at, const char *example);
const char *read_string(const struct node *at); /* NULL: reported */
bool read_int(const struct node *at, int64_t least, int64_t most, int64_t *ret);
bool read_bool(const struct node *at, bool *ret);
/* The index in words, or -1 when it was reported. */
int read_word(const struct node *at, const char *const *words, size_t n);
/* Names: [a-z][a-z0-9_]*, with `dash` also - inside. */
const char *read_name(const struct node *at, const char *what, size_t max, bool dash);

/* Compiles and notes a template. ret may be NULL: only checked. */
void read_tmpl(const struct node *at, enum want want, struct tmpl **ret);
/* A duration or a template that gives one. */
void read_limit(const struct node *at, struct limit *ret);
bool read_duration(const struct node *at, int64_t *ret_ms);
bool is_whole_expr(const char *text);

/* Keeps what uses borrow from until the load ends. */
void load_keep(struct load *load, const struct action_def *scratch);

/* def_load_rules.c: what is inherited from participants and defaults. */
void check_inherited(const struct node *at, const char *what);
/* Fills timeout, deadline, retry and outcome of act; at holds them, `to` names the participant. */
enum rules_of { RULES_OF_STEP, RULES_OF_UNDO, RULES_OF_PROBE };
void read_rules(const struct node *at, const char *to, struct action_def *act, enum rules_of of);
void read_probe(const struct node *at, struct probe_def **ret_probe);

/* def_load_action.c, def_load_kafka.c, def_load_await.c, def_load_unbuilt.c: the actions. */
void read_http(const struct node *at, struct http_action *http, bool *ret_safe);
void read_set(const struct node *at, struct action_def *act);
void read_fail(const struct node *at, struct action_def *act);
void read_command(const struct node *at, struct command_action *command);
void read_emit(const struct node *at, struct emit_action *emit);
void read_await(const struct node *at, struct action_def *act);
/* def_load_task.c */
void read_task(const struct node *at, struct task_action *task);
/* The modifiers of a task: what is not said is filled in. at: the step or undo. */
void read_heartbeat(const struct node *at, struct task_action *task);
void finish_task(const struct node *at, struct action_def *act);
void read_lock(const struct node *at, const struct lstep *step, struct action_def *act);
void read_continue(const struct node *at, const struct lstep *step, struct action_def *act);
/* The run ends there: it waits for all other steps, and none may wait for it. */
void order_continue(struct load *load, struct block *block);
void lint_lock(struct load *load, const struct lstep *step);
/* def_load_search.c */
void read_labels(const struct node *at, void *to);
void read_search(const struct node *at, void *to);
void read_key_reuse(const struct node *at, void *to);
void lint_search(struct load *load);
/* def_load_schedule.c: an entry of start_on that is a schedule. */
void read_schedule(const struct node *at, struct saga_def *def);
/* def_load_approval.c */
void read_approval(const struct node *at, struct action_def *act);
/* def_load_escalate.c. approval: of an approval, or of a saga, so that groups have something to
 * decide. */
void read_escalate(const struct node *at, bool approval, struct escalate_list *list);
/* How many steps stand for entries of a list. */
int escalate_steps(const struct escalate_list *list);
/* Makes the steps that stand for entries, behind the n_listed of the document. */
void assemble_escalations(struct saga_def *def);
/* Whether what an undo asks for can only be known when it begins. */
bool request_reads_failure(const struct action_def *act);
bool request_reads_callback(const struct action_def *act);
/* The participant; NULL when it was reported. The caller's. */
char *read_participant(const struct node *at);
/* Names that any list of fields or headers may have at most. */
enum { MAX_FIELDS = 100 };
bool is_header_name(const char *name);

/* def_load_kafka.c */
enum { MAX_CONSTANT = 255 };
/* Constant text: who listens to what can be told from a definition alone. The caller's, or NULL. */
char *read_constant(const struct node *at);
char *read_topic(const struct node *at);
char *read_cluster(const struct node *at);
/* The cluster that is meant where none is said. */
char *default_cluster(void);
/* Of an outcome: replies over Kafka have no status that could match. */
void warn_statuses(const struct node *at);

/* def_load_block.c: sagas of their own. */
void read_child(const struct node *at, struct action_def *act);
/* Gives the step, which was moved to `to`, the definitions of its blocks; name: of the definition
 * that it stands in. */
void compile_blocks(struct load *load, const char *name, struct lstep *from, struct step_def *to);
/* Something in it reads saga.failure. */
bool block_reads_failure(const struct load *load, const struct block *block);
void lint_blocks(struct load *load);
/* def_load.c: gives the definition the steps of a block, and of on_compensated where there is one.
 */
void assemble_steps(struct load *load, struct saga_def *def, struct block *forward,
					struct block *on_compensated);

/* def_load_await.c: what is waited for; start_on is def_load_trigger.c. */
void read_start_on(const struct node *at);
void read_cancel_on(const struct node *at);

/* def_load_step.c */
/* The steps of at, a list; at->place says what the blocks around allow. Never NULL. */
struct block *read_block(const struct node *at, const struct block *up, struct lstep *owner);
void block_free(struct block *block);

/* lint.c: phase 2 and the checks over steps; lint_names.c: the uses. */
void order_block(struct load *load, struct block *block);
/* The index of a step in its block, or -1. */
int block_find(const struct block *block, const char *id);
static inline bool lstep_has_before(const struct lstep *step, int index)
{
	return step->before[index / 64] >> (index % 64) & 1;
}
void step_def__add_need(struct step_def *def, int index);
void lint_steps(struct load *load);
/* Whether the way back is closed when a step runs: nothing is undone any more. */
bool way_back_closed(const struct load *load, const struct lstep *step);
void lint_uses(struct load *load);
/* Everything that waits should have a limit; told once, at the first step that has none. */
void lint_limits(struct load *load);
const char *action_text(enum action action);

/* def.c */
void outcome_rules__release(struct outcome_rules *outcome);
void escalate_list__release(struct escalate_list *list);
void action_def__release(struct action_def *act);
void step_def__release(struct step_def *step);

#endif
