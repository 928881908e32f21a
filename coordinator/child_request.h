/*
 * What the start of a child is made of: input, key and fingerprint, from the request of its
 * parent's step and the definition that it names. Pure, so that whoever starts children
 * (child_start.h, the simulator) makes the same of it.
 */
#ifndef COORDINATOR_CHILD_REQUEST_H
#define COORDINATOR_CHILD_REQUEST_H

#include <jansson.h>

#include "sagas/def.h"
#include "sagas/hash.h"
#include "sagas/request.h"

struct child_request {
	json_t *input;
	char *key;                         /* the definition's over the input, or the step's */
	char fingerprint[SHA256_HEX_SIZE]; /* no other request has this */
};
void child_request_release(struct child_request *child);

/* The input is held against the schema. What it gives back is the caller's. */
int child_request_make(const struct request *request, const struct saga_def *def,
					   struct child_request *ret_child, struct err *err) MUST_CHECK;

/* How the step fails when that, or finding the definition, ends with this error; NULL: a later try
 * may succeed. */
const char *child_request_refusal(int error);

/* The bodies of the answer to the step. */
json_t *child_started_answer(const char *saga_id) MUST_CHECK;
json_t *child_refused_answer(const char *code, const char *message) MUST_CHECK;

#endif
