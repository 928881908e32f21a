/*
 * Bodies and headers that several handlers read in the same way.
 */
#ifndef COORDINATOR_API_BODY_H
#define COORDINATOR_API_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "coordinator/exchange.h"

enum body_type { BODY_ANY, BODY_STRING, BODY_NUMBER /* a whole one, from 1 */ };

struct body_member {
	const char *name;
	enum body_type type;
	bool required;
	size_t max_bytes; /* of a string; 0: no limit beside the body's */
};

/*
 * The body as a JSON object with these members and no others. False: it is answered, with the place
 * of a syntax error or with every member that is wrong. may_be_empty: no body is an empty object.
 */
bool body_read(struct exchange *ex, const struct body_member *members, size_t n, bool may_be_empty,
			   json_t **ret_body) MUST_CHECK;

/*
 * Answers that the body is wrong in one place ("": the body as a whole). Always false, for those
 * who then have nothing to go on with.
 */
bool body_error(struct exchange *ex, const char *pointer, const char *what);

/* A copy of a member that is text, perhaps empty; NULL: it is not there, or none. The caller's. */
char *body_member_text(const json_t *body, const char *name) MUST_CHECK;

/* Appends "/name" with what RFC 6901 wants escaped. */
void pointer_add(char *pointer, size_t size, const char *name);

/* Milliseconds of `Prefer: wait=N`, at most a minute; 0: not said. */
int64_t prefer_wait_ms(struct exchange *ex);

/*
 * The header Idempotency-Key, bare or quoted as RFC 8941 has it. *ret_key is the caller's, NULL
 * when there is none. False: it is answered.
 */
bool idempotency_key(struct exchange *ex, char **ret_key) MUST_CHECK;

/* Stands behind the sequence in the ETag of a saga that has a new run. */
#define ETAG_CONTINUED "-continued"

/* If-Match as a history sequence; -1: any. False: it is answered. */
bool if_match(struct exchange *ex, int64_t *ret_seq) MUST_CHECK;

#endif
