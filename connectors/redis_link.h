/*
 * One connection to Redis, pipelined and without waiting, over hiredis: the one file that knows it.
 * Private to the adapters over Redis.
 *
 * What it does not do: connect again, keep account of what was asked, or judge answers.
 *
 * Thread: one at a time.
 */
#ifndef CONNECTORS_REDIS_LINK_H
#define CONNECTORS_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/redis_url.h"

struct redis_link;

enum redis_answer_type {
	ANSWER_NIL,
	ANSWER_TEXT,
	ANSWER_INTEGER,
	ANSWER_ERROR, /* text says which: "READONLY You can't write…" */
	ANSWER_OTHER,
};

struct redis_answer {
	enum redis_answer_type type;
	const char *text; /* of TEXT and ERROR */
	size_t len;
	int64_t integer;
	void *reply; /* the link's own */
};

/*
 * Connects, asks the sentinels first if there are any, logs in, chooses the database, and reads
 * probe_key, because only what was tried works. Waits for up to timeout_ms at each step, and for
 * the resolver as long as that takes. ERR_UNAVAILABLE; the text never holds a password.
 */
int redis_link_open(const struct redis_url *url, const char *probe_key, int64_t timeout_ms,
					struct redis_link **ret_link, struct err *err) MUST_CHECK;
void redis_link_close(struct redis_link *link); /* takes NULL */

int redis_link_fd(const struct redis_link *link);
/* Adds a command to what will be sent. */
void redis_link_add(struct redis_link *link, int n, const char *const *words, const size_t *lens);
/* Sends as much as the socket takes; *ret_pending: there is more. */
int redis_link_flush(struct redis_link *link, bool *ret_pending, struct err *err) MUST_CHECK;
/* Reads what is there. ERR_UNAVAILABLE: the connection is gone, or sends what is no answer. */
int redis_link_read(struct redis_link *link, struct err *err) MUST_CHECK;
/* The next answer, in the order of the commands: 1, or 0: there is none yet. */
int redis_link_next(struct redis_link *link, struct redis_answer *ret_answer,
					struct err *err) MUST_CHECK;
void redis_answer_release(struct redis_answer *answer);

#endif
