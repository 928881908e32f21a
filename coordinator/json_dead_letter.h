/*
 * Dead letters as JSON, and what a person has edited of one back into bytes. Bytes are shown as
 * what they are: {"text": "…"} where they are text, {"base64": "…"} else, null where there are
 * none; {"json": …} may be given too.
 */
#ifndef COORDINATOR_JSON_DEAD_LETTER_H
#define COORDINATOR_JSON_DEAD_LETTER_H

#include <jansson.h>

#include "connectors/store_messages.h"
#include "sagas/base/buf.h"
#include "sagas/base/err.h"

/* Without what the record holds, and without the closing brace. */
void json_dead_letter_open(const struct dead_letter_row *row, struct buf *out);
/* With key, value and headers. */
void json_dead_letter(const struct dead_letter_row *row, struct buf *out);

/*
 * The bytes that {"text"}, {"base64"} or {"json"} mean; *ret_none: null, there are none. `what` is
 * for the message. ERR_INVALID, ERR_LIMIT.
 */
int bytes_from_json(const json_t *value, const char *what, struct buf *out, bool *ret_none,
					struct err *err) MUST_CHECK;
/* [{"name", "text"|"base64"|"json"}, …] as a row keeps headers. ERR_INVALID. */
int headers_from_json(const json_t *list, struct buf *out, struct err *err) MUST_CHECK;

#endif
