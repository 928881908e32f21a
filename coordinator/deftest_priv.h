/* What the parts of the tests of definitions share. */
#ifndef COORDINATOR_DEFTEST_PRIV_H
#define COORDINATOR_DEFTEST_PRIV_H

#include "coordinator/deftest.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

#define DEFTEST_STARTS_AT INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

/* A call, a record or an undo that was seen. */
struct seen {
	char *place;      /* "reserve[0].undo", "pay/authorise" */
	char *text;       /* "PUT stock /r/1", "Reserve stock", "task picking" */
	char *key;        /* idempotency key, without the saga's id; NULL: none */
	char *record_key; /* of Kafka */
	json_t *body, *headers;
	int64_t attempt;
	wall_ms at;
};

struct seen_list {
	struct seen *list;
	size_t n, cap;
};

struct happening; /* deftest_meanwhile.c */

/* Something that goes wrong in a simulation, at one place. */
enum fault_kind {
	FAULT_NONE,
	FAULT_REPLY,    /* it is answered in this way */
	FAULT_CANCEL,   /* the saga is cancelled while it runs */
	FAULT_DEADLINE, /* its deadline passes while it runs */
	FAULT_SILENCE,  /* what it waits for never comes */
};
struct fault {
	enum fault_kind kind;
	const char *place;
	const char *reply; /* a word, or NULL */
	bool once;         /* only the first answer */
};

struct deftest {
	const struct deftest_file *file;
	const json_t *test;
	size_t index;
	struct deftest_result *result;
	struct sandbox *sandbox;
	struct sandbox_saga *root;
	struct seen_list calls, emits, undone;
	json_t *used; /* how often each scripted answer was given */
	struct happening *happenings;
	size_t n_happenings;
	size_t n_pending; /* of those, so many are still to come */
	int64_t n_events; /* of Kafka and webhooks, for their ids */
	bool stop;        /* it would only be tried again and again */
	/* Of a simulation. */
	const struct fault *fault; /* NULL: none */
	json_t *fault_reply, *slow_reply;
	json_t *begun; /* [[place, what it is]] of what began; NULL: not wanted */
	bool struck;   /* the cancel or the deadline came while the place of the fault ran */
};

/* Notes a failure; pointer is below the test: "/calls/2", or "" for the test. */
void deftest__fail(struct deftest *test, const char *pointer, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* deftest_file.c */

/* NULL: the file names one that it does not have. Borrowed. */
struct saga_def *deftest__definition(const struct deftest_file *file, const json_t *test);

/* deftest_check.c: what a schema cannot say, as findings; above all, names of steps. */
void deftest__check(struct deftest_file *file, size_t index);
void deftest__wrong(struct deftest_file *file, const char *pointer, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* deftest_place.c: whether the definitions have what a test speaks of, as findings. */

/* replied: it is answered, which only a call, a command, a task or a probe of them can be. */
void deftest__check_place(struct deftest_file *file, const struct saga_def *def, const char *place,
						  bool replied, const char *pointer);
/* A signal, an event, or a decision: something has to wait for it. */
void deftest__check_sent(struct deftest_file *file, const struct saga_def *def,
						 const json_t *happening, const char *pointer);

/* deftest_run.c */

/* "ship[0]/" of a child, "" of the root. Appends. */
void deftest__prefix(const struct sandbox_saga *saga, struct buf *out);
/* The place of an action: "ship[0]/label.undo". The caller's. */
char *deftest__place(const struct sandbox_saga *saga, int step, int item, const char *suffix);
struct deftest_target {
	struct sandbox_saga *saga;
	int step, item;
	bool undo;
};
/* The action of a place; false: there is none yet. */
bool deftest__find(const struct deftest *test, const char *place, struct deftest_target *ret);
/* The youngest saga of a place: "" is the root. NULL: none yet. */
struct sandbox_saga *deftest__saga(const struct deftest *test, const char *place);
struct seen *deftest__see(struct seen_list *list);
void deftest__forget(struct seen_list *list);
int64_t deftest__duration(const json_t *value, int64_t fallback);

/* Runs it, and then calls look, if it is not NULL, before all is taken down. */
void deftest__run(struct deftest *test, void (*look)(struct deftest *test, void *ctx), void *ctx);

/* deftest_simulate.c */
void deftest__note_begun(struct deftest *test, struct sandbox_saga *saga,
						 const struct event *events, size_t n);
/* What the fault gives as the answer; NULL: nothing. */
const json_t *deftest__fault_reply(struct deftest *test, const struct seen *seen);

/* deftest_base.c */

/* {complete, status, expected, why: […], not_reached: [steps]}. The caller's. */
json_t *deftest__base(struct deftest *test);
/* Whether an action began, and is not over. */
bool deftest__is_open(const struct sandbox_saga *saga, int step, int item);

/* deftest_reply.c */

/* What is sent, without place, text and time. */
void deftest__describe(const struct request *request, const struct sandbox_saga *saga,
					   struct seen *seen);
void deftest__call(void *ctx, struct sandbox_saga *saga, const struct command *command);
void deftest__task(void *ctx, struct sandbox_saga *saga, const struct task_note *note);
/* The scripted answer for what was seen; NULL: none is left. Borrowed. */
const json_t *deftest__reply(struct deftest *test, const struct seen *seen);

/* deftest_meanwhile.c */

void deftest__plan(struct deftest *test);
void deftest__planned_free(struct deftest *test);
/* Events were decided: what waits for one of them is put on the time line. */
void deftest__happened(struct deftest *test, struct sandbox_saga *saga, const struct event *events,
					   size_t n);

/* What was planned and waits for a step that never began is a failure. */
void deftest__never_happened(struct deftest *test);

/* deftest_expect.c */

void deftest__expect(struct deftest *test);
/* Whether what was expected holds of what was seen; else *ret_why (may be NULL) says in words. */
bool deftest__matches(const json_t *expected, const struct seen *seen, char **ret_why);
/* Every member of expected is in got with that value; path says where not. */
bool deftest__contains(const json_t *expected, const json_t *got, struct buf *path,
					   struct buf *why);

/* deftest_show.c */

/* Two columns, the first difference marked. `at` is the row that differs, from 0. */
char *deftest__side_by_side(const json_t *expected, const struct seen_list *seen, size_t at);
/* How an expected entry is written in one line. The caller's. */
char *deftest__expected_text(const json_t *expected);

#endif
