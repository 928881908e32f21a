/*
 * The token of a lease: what a worker gives with each word about its task. It names the task, the
 * attempt and the nonce of the lease; to the worker it is opaque. It is no secret beyond the nonce,
 * which nobody can guess.
 */
#ifndef COORDINATOR_TASK_TOKEN_H
#define COORDINATOR_TASK_TOKEN_H

#include "sagas/decide.h"
#include "sagas/id.h"

enum { TASK_STEP_SIZE = 65, TASK_TOKEN_MAX_BYTES = 256 };

struct task_token {
	char saga_id[SAGA_ID_SIZE];
	char step[TASK_STEP_SIZE];
	int item; /* -1: the step's only action */
	enum side side;
	int64_t attempt;
	char nonce[TASK_NONCE_SIZE];
};

/* Appends it. */
void task_token_write(const struct task_token *token, struct buf *out);
/* ERR_INVALID: it is not one of ours. */
int task_token_read(const char *text, struct task_token *ret_token, struct err *err) MUST_CHECK;

#endif
