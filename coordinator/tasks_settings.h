/* What may be said about a queue; see tasks_limit.c. */
#ifndef COORDINATOR_TASKS_SETTINGS_H
#define COORDINATOR_TASKS_SETTINGS_H

#include <stddef.h>

#include "sagas/base/err.h"

/* ERR_INVALID, err->place: the JSON pointer. */
int queue_settings_check(const char *text, size_t len, struct err *err) MUST_CHECK;

#endif
