/*
 * The log: one line on stderr a message, as logfmt or as JSON, written with one write(2) so that
 * lines of threads do not mix. Each line says its component, and which saga it is about.
 *
 *   2026-01-31T23:59:59.123Z warn engine saga="0198…" msg="cannot be loaded now: disk error"
 *
 * Never goes into it: payloads, credentials, or anything else that a participant or a caller sent,
 * except names and ids that were checked.
 *
 * Thread: any. Only coordinator/ logs.
 */
#ifndef COORDINATOR_LOG_H
#define COORDINATOR_LOG_H

#include <stdbool.h>

#include "sagas/base/macros.h"

#define LOG_LEVELS(X)                                                                              \
	X(LOG_ERROR, "error")                                                                          \
	X(LOG_WARN, "warn")                                                                            \
	X(LOG_INFO, "info")                                                                            \
	X(LOG_DEBUG, "debug")

enum log_level {
#define X(name, text) name,
	LOG_LEVELS(X)
#undef X
		LOG_OFF = -1
};

/* What is said until log_setup is called: info, logfmt. */
void log_setup(enum log_level level, bool json);
/* LOG_OFF for "off"; returns -2 for an unknown text. */
int log_level_parse(const char *text);
bool log_enabled(enum log_level level);

/* component: "engine"; saga_id may be NULL. */
void log_write(enum log_level level, const char *component, const char *saga_id, const char *fmt,
			   ...) PRINTF_LIKE(4, 5);

#define log_error(component, saga_id, ...) log_write(LOG_ERROR, component, saga_id, __VA_ARGS__)
#define log_warn(component, saga_id, ...) log_write(LOG_WARN, component, saga_id, __VA_ARGS__)
#define log_info(component, saga_id, ...) log_write(LOG_INFO, component, saga_id, __VA_ARGS__)
#define log_debug(component, saga_id, ...)                                                         \
	do {                                                                                           \
		if (log_enabled(LOG_DEBUG))                                                                \
			log_write(LOG_DEBUG, component, saga_id, __VA_ARGS__);                                 \
	} while (0)

#endif
