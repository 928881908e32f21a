/*
 * Expressions: a documented subset of CEL over JSON values. An expression cannot loop, call out or
 * read a clock, and its evaluation has a budget, so it always ends and always gives the same.
 *
 * A compiled expression is immutable and may be shared by threads.
 */
#ifndef SAGAS_EXPR_H
#define SAGAS_EXPR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

/* The names an expression may begin with; X(constant, text). */
#define EXPR_NAMES(X)                                                                              \
	X(EXPR_INPUT, "input")                                                                         \
	X(EXPR_STEPS, "steps")                                                                         \
	X(EXPR_REPLY, "reply")                                                                         \
	X(EXPR_FAILURE, "failure")                                                                     \
	X(EXPR_FAILURES, "failures")                                                                   \
	X(EXPR_OUTPUT, "output")                                                                       \
	X(EXPR_ITEM, "item")                                                                           \
	X(EXPR_INDEX, "index")                                                                         \
	X(EXPR_PREVIOUS, "previous")                                                                   \
	X(EXPR_STEP, "step")                                                                           \
	X(EXPR_EVENT, "event")                                                                         \
	X(EXPR_SAGA, "saga")                                                                           \
	X(EXPR_ENV, "env")                                                                             \
	X(EXPR_SECRET, "secret")

enum expr_name {
#define X(name, text) name,
	EXPR_NAMES(X)
#undef X
		EXPR_NAME_COUNT
};

enum { EXPR_BUDGET = 10000, EXPR_MAX_LENGTH = 8192 };

struct expr;

/* ERR_INVALID with place "column N" (1-based, within text). text needs no NUL. */
int expr_parse(const char *text, size_t len, struct expr **ret_expr, struct err *err) MUST_CHECK;
void expr_free(struct expr *expr);
DEFINE_CLEANUP(struct expr *, expr_free)

const char *expr_text(const struct expr *expr); /* the source, borrowed */

/* Where values come from while evaluating. */
struct expr_env {
	/* Borrowed, valid until the evaluation ends; NULL when there is no such value now. */
	json_t *(*get)(void *ctx, enum expr_name name);
	void *ctx;
	unsigned budget; /* 0: EXPR_BUDGET */
	/* Gives values to names beyond EXPR_NAMES (which expr_check would refuse); NULL: none. */
	json_t *(*other)(void *ctx, const char *name);
};

/*
 * *ret_value is the caller's, or NULL when the expression gives nothing (an absent optional). A
 * timestamp or duration result becomes its string. ERR_INVALID when evaluation fails (no such
 * field, wrong types, overflow), ERR_LIMIT when the budget is spent.
 */
int expr_eval(const struct expr *expr, const struct expr_env *env, json_t **ret_value,
			  struct err *err) MUST_CHECK;
/* The same for a condition: ERR_INVALID unless it gives true or false. */
int expr_eval_bool(const struct expr *expr, const struct expr_env *env, bool *ret_value,
				   struct err *err) MUST_CHECK;

/* True when the expression reads the name, for `field` "failure" of EXPR_SAGA: saga.failure. */
bool expr_reads(const struct expr *expr, enum expr_name name, const char *field);

/* Static types, as far as they are known. */
enum expr_type {
	EXPR_T_ANY,
	EXPR_T_NULL,
	EXPR_T_BOOL,
	EXPR_T_INT,
	EXPR_T_DOUBLE,
	EXPR_T_STRING,
	EXPR_T_LIST,
	EXPR_T_MAP,
	EXPR_T_TIMESTAMP,
	EXPR_T_DURATION,
};
const char *expr_type_text(enum expr_type type);

/* What may be named at one place of a definition. */
struct expr_scope {
	bool allowed[EXPR_NAME_COUNT];
	const json_t *input_schema; /* JSON Schema for `input`, or NULL */
	/* Says whether steps.<id> may be read here: 0, or fills err with what would be right. */
	int (*step)(void *ctx, const char *id, struct err *err);
	/* Says whether env.<name> is declared; NULL: any. */
	int (*env)(void *ctx, const char *name, struct err *err);
	void *ctx;
};

/*
 * Checks names and, as far as known, types. Every error is reported through `report` (place is
 * "column N"); the return value is the number of errors. *ret_type may be NULL; what is an int or a
 * double, one cannot know which, is EXPR_T_DOUBLE.
 */
int expr_check(const struct expr *expr, const struct expr_scope *scope,
			   void (*report)(void *ctx, const struct err *err), void *report_ctx,
			   enum expr_type *ret_type);

#endif
