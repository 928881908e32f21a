/*
 * Errors of the API: RFC 9457 problem documents (application/problem+json). Every error answer goes
 * through here. `code` is stable and meant for programs; `type` is the same as a URI.
 *
 *   {"type":"urn:skald:problem:invalid_input","title":"…","status":422,"code":"invalid_input",
 *    "detail":"…","request_id":"…","errors":[{"pointer":"/input/total","detail":"…"}]}
 */
#ifndef COORDINATOR_PROBLEM_H
#define COORDINATOR_PROBLEM_H

#include <stdarg.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"

/* X(constant, code, status, title) */
#define PROBLEMS(X)                                                                                \
	X(PROBLEM_INVALID_JSON, "invalid_json", 400, "The body is not valid JSON")                     \
	X(PROBLEM_INVALID_REQUEST, "invalid_request", 400, "The request cannot be understood")         \
	X(PROBLEM_INVALID_QUERY, "invalid_query", 400, "A query parameter is wrong")                   \
	X(PROBLEM_BAD_SIGNATURE, "bad_signature", 401, "The signature does not fit")                   \
	X(PROBLEM_CROSS_SITE, "cross_site", 403, "A page of another site may not do this")             \
	X(PROBLEM_UNKNOWN_HOST, "unknown_host", 403, "The server does not go by this name")            \
	X(PROBLEM_ROUTE_NOT_FOUND, "route_not_found", 404, "There is nothing at this path")            \
	X(PROBLEM_NO_DASHBOARD, "dashboard_not_built", 404, "There is no dashboard in this binary")    \
	X(PROBLEM_NOT_FOUND, "not_found", 404, "Not found")                                            \
	X(PROBLEM_SAGA_NOT_FOUND, "saga_not_found", 404, "There is no such saga")                      \
	X(PROBLEM_DEFINITION_NOT_FOUND, "definition_not_found", 404, "There is no such definition")    \
	X(PROBLEM_KEY_NOT_FOUND, "key_not_found", 404, "No saga has this key")                         \
	X(PROBLEM_SCHEDULE_NOT_FOUND, "schedule_not_found", 404, "There is no such schedule")          \
	X(PROBLEM_QUEUE_NOT_FOUND, "queue_not_found", 404, "There is no such queue")                   \
	X(PROBLEM_TRIGGER_NOT_FOUND, "trigger_not_found", 404, "There is no such trigger")             \
	X(PROBLEM_DEAD_LETTER_NOT_FOUND, "dead_letter_not_found", 404, "There is no such dead letter") \
	X(PROBLEM_ATTENTION_NOT_FOUND, "attention_not_found", 404, "There is no such group")           \
	X(PROBLEM_STEP_NOT_FOUND, "step_not_found", 404, "The saga has no such action")                \
	X(PROBLEM_BATCH_NOT_FOUND, "batch_not_found", 404, "There is no such batch")                   \
	X(PROBLEM_METHOD_NOT_ALLOWED, "method_not_allowed", 405, "This path has other methods")        \
	X(PROBLEM_CONFLICT, "conflict", 409, "The state of the saga does not allow this")              \
	X(PROBLEM_DEFINITION_PAUSED, "definition_paused", 409, "The definition is paused")             \
	X(PROBLEM_VERSION_CONFLICT, "version_conflict", 409, "The versions do not allow this")         \
	X(PROBLEM_SCHEDULE_CONFLICT, "schedule_conflict", 409, "The schedule does not allow this")     \
	X(PROBLEM_ACT_REFUSED, "act_refused", 409, "The state of the saga does not allow this act")    \
	X(PROBLEM_LEASE_LOST, "lease_lost", 409, "The task is not this worker's any more")             \
	X(PROBLEM_COMPLETED_OTHERWISE, "completed_otherwise", 409, "The task has another output")      \
	X(PROBLEM_BATCH_CONFLICT, "batch_conflict", 409, "The state of the batch does not allow this") \
	X(PROBLEM_PRECONDITION_FAILED, "precondition_failed", 412, "The saga has moved on since")      \
	X(PROBLEM_TOO_LARGE, "payload_too_large", 413, "The body is too large")                        \
	X(PROBLEM_BATCH_TOO_LARGE, "batch_too_large", 413, "The filter matches too many sagas")        \
	X(PROBLEM_MEDIA_TYPE, "unsupported_media_type", 415, "The body has the wrong media type")      \
	X(PROBLEM_INVALID_BODY, "invalid_body", 422, "The body does not have the expected form")       \
	X(PROBLEM_INVALID_INPUT, "invalid_input", 422, "The input does not fit the definition")        \
	X(PROBLEM_INVALID_KEY, "invalid_key", 422, "The idempotency key cannot be used")               \
	X(PROBLEM_KEY_REUSED, "idempotency_key_reused", 422,                                           \
	  "The idempotency key was used with another payload")                                         \
	X(PROBLEM_REDRIVE_FAILED, "redrive_failed", 422, "The record still starts no saga")            \
	X(PROBLEM_INVALID_DEFINITION, "invalid_definition", 422, "The definition has errors")          \
	X(PROBLEM_NOT_BUILT, "definition_not_built", 422,                                              \
	  "The definition uses parts of the language that this version cannot run")                    \
	X(PROBLEM_OVERLOADED, "overloaded", 429, "Too much at once")                                   \
	X(PROBLEM_INTERNAL, "internal", 500, "An error of the server")                                 \
	X(PROBLEM_DRAINING, "draining", 503, "The server is about to stop")                            \
	X(PROBLEM_TOO_MANY_STREAMS, "too_many_streams", 503, "Too many streams are open")              \
	X(PROBLEM_NOT_READY, "not_ready", 503, "The server is not ready yet")                          \
	X(PROBLEM_BROKERS_UNAVAILABLE, "brokers_unavailable", 503, "The brokers do not answer")        \
	X(PROBLEM_UNAVAILABLE, "unavailable", 503, "The store does not answer")

enum problem {
#define X(name, code, status, title) name,
	PROBLEMS(X)
#undef X
		PROBLEM_COUNT
};

enum { PROBLEM_DETAIL_MAX_BYTES = 600 };

int problem_status(enum problem problem);
const char *problem_code(enum problem problem);

/* What is wrong where: all zeros is an empty list. At most 100 are kept. */
struct problem_errors {
	struct buf json; /* the members of the array */
	int n;
};
void problem_errors_release(struct problem_errors *errors);
/* pointer: a JSON pointer into the body; line: 0 when it is not known. */
void problem_errors_add(struct problem_errors *errors, const char *pointer, int line,
						const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Appends the document. errors may be NULL. */
void problem_write(enum problem problem, const char *detail, const struct problem_errors *errors,
				   const char *request_id, struct buf *out);

/*
 * Appends a text as a JSON string, and leaves out what is no UTF-8: texts of errors have a fixed
 * size, so a character may be cut anywhere in them.
 */
void problem_write_text(const char *text, struct buf *out);

#endif
