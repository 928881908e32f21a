/*
 * What scenarios need of Kafka, without one: replies and events as deliveries and rows of the
 * store, the outbox as what was published, and until when the queues were read.
 */
#ifndef TESTS_SUPPORT_SCENARIO_KAFKA_H
#define TESTS_SUPPORT_SCENARIO_KAFKA_H

#include "tests/support/world.h"

/* The definition has something to do with Kafka, so that the world needs its queues. */
bool scenario_uses_kafka(const struct saga_def *def);

/* "success" and so on; OUTCOME_DEFAULT for NULL. */
enum outcome scenario_outcome(const char *text);

/*
 * A record in the reply topic is read: {data, outcome, code, message, type}, or a word for the
 * outcome alone.
 */
void scenario_reply(struct world *world, const struct world_call *to, const json_t *reply);

/* A record of a topic is read, {topic, data, type}, or comes to a webhook, {webhook, data, type}.
 * It is the n-th: its offset. */
void scenario_event(struct world *world, const struct saga_def *def, const json_t *record, int n);

/* The participant answers at the step.callback_url that it was given: {step, body, forged}. */
void scenario_callback(struct world *world, const char *saga_id, const json_t *said);

/* The earliest time-out that waits for the queues to be read; 0: none. */
wall_ms scenario_queued_due(const struct world *world);

/* "TYPE TOPIC" of the rows of the outbox that were written so far, in order; the bodies beside. The
 * caller's. */
json_t *scenario_outbox(struct world *world);

#endif
