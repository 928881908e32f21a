/*
 * A JSON value that may be known as text, as a jansson value, or both; either form is made from the
 * other when it is first asked for. A reply's body thus goes from the socket into the history
 * without being built up and printed again.
 *
 * Counted references, without atomics: a jval belongs to one thread at a time and is handed over
 * whole. The text is always valid JSON that was checked by json_text_check.
 */
#ifndef SAGAS_JVAL_H
#define SAGAS_JVAL_H

#include <jansson.h>
#include <stddef.h>

#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

struct jval {
	unsigned refs;
	char *text; /* NULL until asked for */
	size_t len;
	json_t *value; /* NULL until asked for */
};

/* Takes over text, which must have passed json_text_check. */
struct jval *jval_from_text(char *text, size_t len) MUST_CHECK;
/* Takes over the reference to value. */
struct jval *jval_from_json(json_t *value) MUST_CHECK;
struct jval *jval_ref(struct jval *jv); /* NULL stays NULL */
void jval_unref(struct jval *jv);       /* NULL is allowed */
DEFINE_CLEANUP(struct jval *, jval_unref)

json_t *jval_json(struct jval *jv);                      /* borrowed; NULL only for NULL */
const char *jval_text(struct jval *jv, size_t *ret_len); /* borrowed; "null" for NULL */
void jval_write(struct jval *jv, struct buf *out);       /* appends the text */

#endif
