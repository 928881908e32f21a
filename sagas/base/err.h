/*
 * What a failed call tells its caller. Functions return 0 or a negative enum err_code and fill the
 * caller's struct err; ranks 0 to 2 never log.
 */
#ifndef SAGAS_BASE_ERR_H
#define SAGAS_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "sagas/base/macros.h"

/* X(name, value, text): the values are negative and appear nowhere outside the process. */
#define ERR_CODES(X)                                                                               \
	X(ERR_INVALID, -1, "invalid") /* wrong input: say where, and what would be right */            \
	X(ERR_NOT_FOUND, -2, "not_found")                                                              \
	X(ERR_CONFLICT, -3, "conflict")       /* the state does not allow it, or a key is taken */     \
	X(ERR_LIMIT, -4, "limit")             /* too large, too many, too deep */                      \
	X(ERR_UNAVAILABLE, -5, "unavailable") /* not now: a queue is full, a server is away */         \
	X(ERR_TIMEOUT, -6, "timeout")                                                                  \
	X(ERR_IO, -7, "io")                                                                            \
	X(ERR_UNKNOWN, -8, "unknown")      /* it may have taken effect (a commit, a call) */           \
	X(ERR_FENCED, -9, "fenced")        /* another owner has taken over */                          \
	X(ERR_NOT_BUILT, -10, "not_built") /* known grammar that this version does not run */          \
	X(ERR_NO_MEMORY, -11, "no_memory")                                                             \
	X(ERR_INTERNAL, -12, "internal")

enum err_code {
#define X(name, value, text) name = (value),
	ERR_CODES(X)
#undef X
};

struct err {
	enum err_code code;
	bool retriable;
	char place[160]; /* file:line:column, JSON pointer or the like; may be empty */
	char text[480];
};

/* Fills err (which may be NULL) and returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_set_at(struct err *err, enum err_code code, const char *place, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
int err_vset(struct err *err, enum err_code code, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

/* Puts "what: " before the text that is there. */
void err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_code_text(enum err_code code);

#endif
