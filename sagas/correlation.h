/*
 * What a reply over Kafka is the answer to, as the text that travels with a command and comes back:
 *
 *   <namespace>/<saga id>/<step>[~<run>][<item>]/<do|undo|probe-do.N|probe-undo.N>
 *   default/0198c0de-7a31-7abc-bf11-223344556677/reserve[3]/do
 *
 * It names the action and not the attempt: the answer to any attempt is the answer to the action.
 * Only a probe is numbered, since an old answer says nothing about now. The item stands there only
 * where a step has items; the run only where a person had the step begin anew, from 2 on, since an
 * answer to an earlier run is none to this one.
 */
#ifndef SAGAS_CORRELATION_H
#define SAGAS_CORRELATION_H

#include <stdbool.h>
#include <stdint.h>

#include "sagas/base/buf.h"
#include "sagas/call_kind.h"
#include "sagas/def.h"
#include "sagas/id.h"

struct correlation {
	char ns[NAMESPACE_MAX_BYTES + 1];
	char saga_id[SAGA_ID_SIZE];
	char step[DEF_MAX_NAME + 1];
	int item; /* -1: none */
	int run;  /* from 2; 1 or 0: the first */
	enum call_kind kind;
	int64_t ask; /* of a probe, from 1; 0 otherwise */
};

enum { CORRELATION_MAX_BYTES = NAMESPACE_MAX_BYTES + SAGA_ID_SIZE + DEF_MAX_NAME + 64 };

/* Appends the text. */
void correlation_write(const struct correlation *correlation, struct buf *out);

/*
 * Reads exactly what correlation_write gives; false for anything else, such as what another
 * program left in the same topic. text may hold any bytes.
 */
bool correlation_read(const char *text, size_t len, struct correlation *ret) MUST_CHECK;

#endif
