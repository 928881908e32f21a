/*
 * Commands on their way out: from a command of the core to a record of the producer. How the
 * publishing ended comes back to the engine as a reply: CALL_PUBLISHED, CALL_NOT_CONNECTED,
 * CALL_TOO_LARGE or CALL_BROKEN; what the participant says comes by another way (replies.h).
 */
#ifndef COORDINATOR_KAFKA_COMMANDS_H
#define COORDINATOR_KAFKA_COMMANDS_H

#include "coordinator/kafka/settings.h"
#include "coordinator/turn.h"

/* The producer of a cluster; NULL: there is no such cluster. */
typedef struct kafka_producer *kafka_producer_of(void *ctx, const char *cluster);

struct commands_options {
	const struct kafka_settings *settings; /* borrowed, as all */
	kafka_producer_of *producer;
	void *ctx;
};

struct commands;
struct commands *commands_new(const struct commands_options *options) MUST_CHECK;
/* When the producers have ended. Takes NULL. */
void commands_free(struct commands *commands);

/*
 * Publishes; `replied` is called once, on the producer's thread or before this returns, and takes
 * over the reply. command is borrowed. not_after_ms: on the monotonic clock in ms, read atomically;
 * past it nothing is sent; NULL: no such limit. Thread: engine.
 */
void commands_send(struct commands *commands, const char *saga_id, const char *ns,
				   const struct saga_def *def, const struct command *command,
				   const int64_t *not_after_ms,
				   void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx);

struct commands_stats {
	int64_t published, failed;
};
/* Commands to one participant. in_flight: given to the producer, and no broker has said a word. */
struct kafka_participant_stats {
	const char *name; /* borrowed from the settings */
	int64_t in_flight, published, failed;
};
/* Of every participant of the settings. Thread: any. */
void commands_participants(const struct commands *commands,
						   void (*each)(void *ctx, const struct kafka_participant_stats *stats),
						   void *ctx);
/* Thread: any. */
void commands_stats(struct commands *commands, struct commands_stats *ret_stats);

#endif
