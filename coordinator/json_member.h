/*
 * Members of a JSON object that is written as text: each begins with its comma, so something must
 * stand before it. Names are literals and are not escaped.
 */
#ifndef COORDINATOR_JSON_MEMBER_H
#define COORDINATOR_JSON_MEMBER_H

#include "sagas/base/buf.h"
#include "sagas/base/time.h"

/* text NULL: null. */
void json_member_text(struct buf *out, const char *name, const char *text);
/* As RFC 3339; 0: null. */
void json_member_time(struct buf *out, const char *name, wall_ms at);

#endif
