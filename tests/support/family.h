/*
 * Several sagas played on the core alone, that start each other and tell each other: what the
 * coordinator does between sagas, done by hand, one step at a time or as far as it goes. Calls over
 * HTTP wait for the test.
 */
#ifndef TESTS_SUPPORT_FAMILY_H
#define TESTS_SUPPORT_FAMILY_H

#include "tests/support/play.h"

enum { FAMILY_MAX = 256 };

struct family_post {
	char to[SAGA_ID_SIZE];
	char *text;
};

/* A start that is wanted, and not carried out; or a call. */
struct family_start {
	int from, step, item;
	enum call_kind kind;
	int64_t attempt;
	int run;
	struct request *request;
};

struct family {
	struct play sagas[FAMILY_MAX]; /* the first one has no parent */
	char *keys[FAMILY_MAX];        /* of the others, with which they were started */
	int n;
	struct saga_def *defs[8];
	size_t n_defs;
	struct family_post *posts; /* in their order */
	size_t n_posts;
	struct family_start *starts;
	size_t n_starts;
	struct family_start *calls; /* over HTTP, that are out */
	size_t n_calls;
	wall_ms now;
};

/* yaml: definitions, separated by lines "---"; the first one is started with input (JSON). */
void family_begin(struct family *family, const char *yaml, const char *input);
void family_end(struct family *family);

/* Takes over what the saga's last decision wants. After each input that is given to it directly. */
void family_collect(struct family *family, int who);
/* Carries out a start, or delivers a message. */
enum family_luck {
	FAMILY_ANSWERS,
	FAMILY_IS_LOST,   /* it starts, and the answer never comes */
	FAMILY_IS_BROKEN, /* it starts, and nobody knows */
	FAMILY_FAILS,     /* it does not, and nobody knows */
};
void family_start(struct family *family, size_t at, enum family_luck luck);
void family_deliver(struct family *family, size_t at);
/* A call is answered: result, and with CALL_ANSWERED a status. */
void family_call(struct family *family, size_t at, enum call_result result, int http_status);
/* All of starts and messages, as far as it goes. */
void family_run(struct family *family);

/* The call of a saga is answered with a status, and then all that follows happens. */
void family_answer(struct family *family, int who, const char *step, int item, enum call_kind kind,
				   int http_status, const char *body);
/* Time passes for all; and nothing more, or all that follows. */
void family_pass(struct family *family, int64_t ms);
void family_wait(struct family *family, int64_t ms);
int family_act(struct family *family, int who, const char *json);
void family_restart(struct family *family, int who);

/* "name: status, name: status" of all sagas, in the order in which they were started. */
const char *family_text(const struct family *family);

#endif
