/*
 * All that a node has to do with Kafka, composed: a producer for each cluster; commands and the
 * outbox out; replies, events and triggers in; and a thread that looks after them and says how far
 * the queues are read.
 *
 *   hub_new    clusters and producers; commands may be sent
 *   hub_start  consumers, relay: when the engine is there
 *   hub_stop   intake first; what is under way ends
 *   hub_end    when the engine has drained: the outbox's rest, the producers
 *   hub_free   when engine and writer have stopped
 *
 * Without a cluster it is there too, for those who ask what triggers are missing; it then consumes
 * and publishes nothing.
 */
#ifndef COORDINATOR_KAFKA_HUB_H
#define COORDINATOR_KAFKA_HUB_H

#include "coordinator/kafka/commands.h"
#include "coordinator/kafka/owners.h"
#include "coordinator/kafka/settings.h"
#include "coordinator/kafka/trigger.h"
#include "coordinator/registry.h"

struct hub;
struct engine_options;

/* ERR_INVALID: a cluster's properties. settings are borrowed. */
int hub_new(const struct kafka_settings *settings, struct hub **ret_hub,
			struct err *err) MUST_CHECK;

/* Says to the engine where commands go, and that rows of the outbox are waited for. */
void hub_engine_options(struct hub *hub, struct engine_options *options);

struct hub_start {
	struct store *store; /* all are borrowed */
	struct writer *writer;
	struct registry *registry;
	struct engine *engine;
	struct member *member; /* NULL: the store is of one process */
	struct http_client *http;
	/* See triggers_options. */
	void (*remember)(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint);
	void *ctx;
};
int hub_start(struct hub *hub, const struct hub_start *start, struct err *err) MUST_CHECK;
void hub_stop(struct hub *hub, int64_t grace_ms);
void hub_end(struct hub *hub, int64_t grace_ms);
void hub_free(struct hub *hub); /* takes NULL */

/* A definition was deployed here. Thread: any. */
void hub_deployed(struct hub *hub);
/* NULL before hub_start. */
struct triggers *hub_triggers(struct hub *hub);
/* Appends the metrics, in the text form of Prometheus. Thread: any. */
void hub_write_metrics(struct hub *hub, struct buf *out);
/* Of every participant that takes commands; see commands.h. Thread: any. */
void hub_participants(struct hub *hub,
					  void (*each)(void *ctx, const struct kafka_participant_stats *stats),
					  void *ctx);

#endif
