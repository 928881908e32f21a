/*
 * Why a saga concerns a person, in a form that can be counted: sagas of one group have the same
 * trouble in the same place, and are repaired in the same way.
 */
#ifndef SAGAS_ATTENTION_H
#define SAGAS_ATTENTION_H

#include "sagas/event.h"

#define ATTENTION_KINDS(X)                                                                         \
	X(ATTENTION_STUCK, "stuck")       /* a compensation failed for good */                         \
	X(ATTENTION_UNKNOWN, "unknown")   /* parked, and nobody knows whether it took effect */        \
	X(ATTENTION_PARKED, "parked")     /* parked after a definite failure */                        \
	X(ATTENTION_FAILING, "failing")   /* tried again and again without success */                  \
	X(ATTENTION_DEADLINE, "deadline") /* the saga's deadline has passed, and it goes on */         \
	X(ATTENTION_NOTICE, "notice")     /* something a person should know, all the same */           \
	X(ATTENTION_LATE, "late")         /* it takes longer than its `escalate` says it should */

#define X(name, text) name,
enum attention_kind { ATTENTION_KINDS(X) ATTENTION_KIND_COUNT };
#undef X

enum { ATTENTION_GROUP_DIGITS = 16 };

struct attention {
	enum attention_kind kind;
	int step, item; /* step -1: the saga as a whole */
	enum side side; /* with step */
	char *code;     /* of the error; NULL: none */
	char *text;     /* a line for people */
	char group[ATTENTION_GROUP_DIGITS + 1];
};

/* Frees what it has, and makes it all zeros. */
void attention_release(struct attention *attention);

const char *attention_kind_text(enum attention_kind kind);
/* -1 for an unknown text. */
int attention_kind_parse(const char *text);

/*
 * The group: a hash of definition, kind, step, side, code, and of the message without what differs
 * from saga to saga (numbers, ids, quoted texts). step is an id or NULL; code and message may be
 * NULL.
 */
void attention_group(const char *definition, enum attention_kind kind, const char *step,
					 enum side side, const char *code, const char *message,
					 char ret_group[ATTENTION_GROUP_DIGITS + 1]);

#endif
