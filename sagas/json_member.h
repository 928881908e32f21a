/*
 * Members of a JSON object that is written as text. A member begins with a comma, unless it is the
 * first one after the object's brace. Names are literals and are not escaped.
 */
#ifndef SAGAS_JSON_MEMBER_H
#define SAGAS_JSON_MEMBER_H

#include <stdbool.h>

#include "sagas/base/buf.h"
#include "sagas/base/time.h"

/* The name alone; who calls it writes the value. */
void json_member_name(struct buf *out, const char *name);
/* text NULL: null. */
void json_member_text(struct buf *out, const char *name, const char *text);
/* As RFC 3339; 0: null. */
void json_member_time(struct buf *out, const char *name, wall_ms at);
void json_member_int(struct buf *out, const char *name, int64_t n);
void json_member_bool(struct buf *out, const char *name, bool is);

#endif
