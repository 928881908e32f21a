/*
 * The secrets that definitions name as secret.NAME. What the core makes and stores of a request
 * holds placeholders (sagas/request.h); only here, where it is about to be sent, they become
 * values.
 */
#ifndef COORDINATOR_SECRETS_H
#define COORDINATOR_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"

/* The configuration takes no shorter one. */
enum { SECRET_LEAST_BYTES = 8 };

struct secret {
	const char *name, *value;
};

/* Borrowed, and constant from then on. */
struct secrets {
	const struct secret *list;
	size_t n;
};

const char *secrets_find(const struct secrets *secrets, const char *name); /* NULL: none */

/*
 * Appends text with the placeholders of these names (NULL-terminated) resolved; in a query their
 * values are percent-encoded. ERR_NOT_FOUND: the configuration has no such secret.
 */
int secrets_resolve(const struct secrets *secrets, char *const *names, const char *text, bool query,
					struct buf *out, struct err *err) MUST_CHECK;

/*
 * What a participant sends back of them is masked in place: each value is written over, as it is
 * and percent-encoded. Very short ones would be found in anything, so there are none.
 */
void secrets_mask(const struct secrets *secrets, char *const *names, char *text, size_t len);

#endif
