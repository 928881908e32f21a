/* A schedule as JSON: what its definition says, what is known of it, and when it is due next. */
#ifndef COORDINATOR_JSON_SCHEDULE_H
#define COORDINATOR_JSON_SCHEDULE_H

#include "connectors/store.h"
#include "sagas/base/buf.h"
#include "sagas/def.h"

/* The row may be empty. Reads the time zone's file. ERR_INVALID: the row is damaged. */
int json_schedule(const struct saga_def *def, const struct schedule_def *schedule,
				  const struct schedule_row *row, wall_ms now, struct buf *out,
				  struct err *err) MUST_CHECK;

#endif
