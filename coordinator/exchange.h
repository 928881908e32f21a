/*
 * One HTTP request and its answer, as the handlers of routes see it; libmicrohttpd stays behind it
 * (server.c).
 *
 * A handler either answers, or suspends the exchange and hands it to another thread, which sets
 * `next` and resumes it; `next` then runs on the server's thread, and again answers or suspends.
 * From exchange_suspend on, the handler must not touch the exchange any more, once it is handed
 * over.
 *
 *      handler --> answer                                   (thread: server)
 *         '------> suspend, post --> work --> resume        (threads: server, other)
 *                                                '--> next  (thread: server)
 */
#ifndef COORDINATOR_EXCHANGE_H
#define COORDINATOR_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/problem.h"
#include "coordinator/read_pool.h"
#include "sagas/base/buf.h"
#include "sagas/base/macros.h"
#include "sagas/id.h"

enum {
	EXCHANGE_MAX_PARAMS = 3,
	EXCHANGE_MAX_ARGS = 16,
	EXCHANGE_MAX_HEADERS = 8,
	EXCHANGE_HEADER_MAX_BYTES = 256,
	REQUEST_ID_MAX_BYTES = 64,
};

struct engine_call;
struct exchange;
struct node;
struct route;
struct server;
struct stream;

typedef void exchange_step(struct exchange *ex);

struct query_arg {
	const char *name, *value;
	bool used;
};

struct answer_header {
	const char *name; /* a literal */
	char value[EXCHANGE_HEADER_MAX_BYTES];
};

struct exchange {
	struct node *node;
	struct server *server;
	const struct route *route; /* NULL: no such path or method */

	/* The request. Strings are decoded, and live as long as the exchange. */
	char *target; /* as sent; path and arguments are cut out of it */
	const char *params[EXCHANGE_MAX_PARAMS];
	struct query_arg args[EXCHANGE_MAX_ARGS];
	size_t n_args;
	char ns[NAMESPACE_MAX_BYTES + 1];
	char request_id[REQUEST_ID_MAX_BYTES + 1];
	struct buf body;

	/* The answer: complete when status is not 0. */
	int status;
	struct buf out;
	/* Instead of out: bytes that are never freed. NULL: none. */
	const void *fixed;
	size_t fixed_len;
	struct stream *stream;     /* instead of both: an answer without an end (streams.h) */
	const char *content_type;  /* "application/json" unless a handler says otherwise */
	const char *cache_control; /* "no-store" unless a handler says otherwise */
	struct answer_header headers[EXCHANGE_MAX_HEADERS];
	size_t n_headers;

	/* What a handler keeps over its suspensions. */
	exchange_step *next;
	struct read_job job;
	void (*read)(struct exchange *ex, struct store_reader *reader); /* see exchange_read */
	struct engine_call *call;                                       /* see exchange_post */
	/* The client was gone before it had the whole answer; may be NULL. Thread: server. */
	void (*undelivered)(struct exchange *ex);
	struct forwarding *forwarding; /* see forward.h */
	void *state;
	void (*free_state)(void *state);

	/* The server's own. */
	void *connection;
	int64_t started_us;
	size_t received; /* bytes of the body, kept or not */
	bool begun, discard, suspended, busy;
};

/* Thread of all these: whoever has the exchange, unless said otherwise. */

/* A header of the request, or NULL. Borrowed until the exchange ends. */
const char *exchange_header(struct exchange *ex, const char *name);
/* A query argument, or NULL; "" when it has no value. */
const char *exchange_arg(struct exchange *ex, const char *name);
/*
 * Call it after the last exchange_arg: false when the request has arguments that nobody asked for,
 * or one twice; it is then answered. known: those that exist, for the suggestion.
 */
bool exchange_args_done(struct exchange *ex, const char *const *known, size_t n) MUST_CHECK;
/* As exchange_arg, as a number; false: it is none or out of range, and the request is answered. */
bool exchange_arg_int(struct exchange *ex, const char *name, int64_t min, int64_t max,
					  int64_t *value) MUST_CHECK;
/* "true", "1" or "" mean true. */
bool exchange_arg_bool(struct exchange *ex, const char *name, bool *value) MUST_CHECK;

void exchange_add_header(struct exchange *ex, const char *name, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The answer is what stands in ex->out. */
void exchange_answer(struct exchange *ex, int status);
/* Any error. What was written to ex->out before is dropped. */
void exchange_problem(struct exchange *ex, enum problem problem, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void exchange_problem_errors(struct exchange *ex, enum problem problem,
							 const struct problem_errors *errors, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* The problem that fits the error of a lower rank. */
void exchange_problem_err(struct exchange *ex, const struct err *err);

/* Before the exchange is handed to another thread. Thread: server. */
void exchange_suspend(struct exchange *ex);
/* Gives it back: `next` runs if it is not answered. Thread: any. */
void exchange_resume(struct exchange *ex);

/* Whether the client has closed the connection. Thread: whoever has the exchange, which is
 * suspended. */
bool exchange_is_gone(struct exchange *ex);

/*
 * Thread: server. Suspends, and runs `read` on a thread of the read pool; it answers, or sets
 * `next`. When the pool's mailbox is full the answer is 429.
 */
void exchange_read(struct exchange *ex,
				   void (*read)(struct exchange *ex, struct store_reader *reader));

/* The server's: splits target into path and arguments; answers when it cannot be read. */
void exchange_parse_target(struct exchange *ex, char **ret_path);
void exchange_free(struct exchange *ex);

#endif
