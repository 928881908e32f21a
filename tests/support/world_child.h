/*
 * Starting children in a world: what coordinator/child_start.c does with threads and a registry, a
 * step at a time for who drives the world.
 */
#ifndef TESTS_SUPPORT_WORLD_CHILD_H
#define TESTS_SUPPORT_WORLD_CHILD_H

#include "tests/support/world.h"

/*
 * The start that a call of REQUEST_CHILD wants, to be posted; def NULL: there is no such
 * definition. random makes the id of the new saga. NULL: it never can be, and *ret_refusal is the
 * body of the answer to the parent.
 */
struct engine_call *world_child_start(struct world *world, const struct world_call *call,
									  struct saga_def *def, uint64_t random, json_t **ret_refusal);
/* The key that a definition with one gives to this input; the caller's. */
int world_child_key(const struct saga_def *def, json_t *input, char **ret_key,
					struct err *err) MUST_CHECK;

/* The body of the answer to the parent when the start was answered: {"id"}, or {"code","message"}.
 * NULL: it may or may not be there, and is to be said as CALL_BROKEN. */
json_t *world_child_answer(const struct engine_call *call);

#endif
