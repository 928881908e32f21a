/*
 * Starting children: a command of the core becomes a start like any other. The definition is found
 * (a block in what it was compiled with), the input is held against its schema, the key is the
 * definition's or else that of the step, and the saga is created where its slot is. Whoever comes
 * again with the same request finds the saga that it started before, by its key and by a
 * fingerprint that no other request has.
 *
 *   engine --start--> thread --> submitter (kafka/trigger_submit.h) --> engine or writer
 *      ^                                                                     |
 *      '------------------- reply {"id"} or {"code","message"} --------------'
 */
#ifndef COORDINATOR_CHILD_START_H
#define COORDINATOR_CHILD_START_H

#include "coordinator/kafka/trigger.h"
#include "coordinator/turn.h"

struct child_starter;
/* What is added before it was started waits for that. */
struct child_starter *child_starter_new(void) MUST_CHECK;

/* Of these options store, writer, registry, engine, member, http, remember and ctx are used. */
int child_starter_start(struct child_starter *starter, const struct triggers_options *options,
						struct err *err) MUST_CHECK;
/* Ends the thread; what is not started then is answered as not connected. Before engine_stop. Takes
 * NULL. */
void child_starter_stop(struct child_starter *starter);
/* After engine_stop and writer_stop. Takes NULL. */
void child_starter_free(struct child_starter *starter);

/*
 * `replied` is called once, on any thread, perhaps before this returns, and takes over the reply.
 * command is borrowed. Thread: engine; it does not block.
 */
void child_starter_add(struct child_starter *starter, const char *saga_id, const char *ns,
					   const struct command *command,
					   void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx);

#endif
