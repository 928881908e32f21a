/*
 * What is posted to webhooks, as events of sagas that wait for them: each expression over a source
 * gives a value, by which the store finds who waits, as for records of Kafka (kafka/events.h).
 *
 *   POST -> event -> each channel of its source gives a value -> events_put -> 202
 *                                              '-> inboxes of who waits -> owners woken
 *
 * A thread removes events whose time is over; all else runs on the thread of who calls.
 */
#ifndef COORDINATOR_WEBHOOKS_H
#define COORDINATOR_WEBHOOKS_H

#include <jansson.h>

#include "coordinator/kafka/owners.h"
#include "coordinator/registry.h"
#include "coordinator/webhook_check.h"
#include "coordinator/writer.h"

struct webhooks_options {
	struct store *store; /* all are borrowed */
	struct writer *writer;
	struct registry *registry;
	struct owners owners;
	int64_t keep_ms;                    /* for those who do not wait for it yet */
	const struct webhook_check *checks; /* of the sources that are checked */
	size_t n_checks;
};

struct webhooks;
int webhooks_start(const struct webhooks_options *options, struct webhooks **ret_webhooks,
				   struct err *err) MUST_CHECK;
void webhooks_stop(struct webhooks *webhooks); /* takes NULL */
void webhooks_free(struct webhooks *webhooks); /* after webhooks_stop; takes NULL */

/* How the source is checked; NULL: it is not. */
const struct webhook_check *webhooks_check(const struct webhooks *webhooks, const char *source);

struct webhook_event {
	const char *ns, *source;
	const char *id; /* of the event, for one source */
	json_t *event;
};
/*
 * Keeps the event and gives it to those who wait for it. reader: of the calling thread.
 * ERR_NOT_FOUND: no definition of the namespace waits for the source. Else errors are the store's.
 * Blocks; thread: any but the writer's and the engine's.
 */
int webhooks_take(struct webhooks *webhooks, struct store_reader *reader,
				  const struct webhook_event *event, struct err *err) MUST_CHECK;

/* A callback was put into an inbox of the slot. Thread: any. */
void webhooks_called_back(struct webhooks *webhooks, int slot);

struct webhooks_stats {
	int64_t taken;   /* events */
	int64_t kept;    /* rows, one for each channel that gave a value */
	int64_t refused; /* a wrong signature; no JSON; nobody waits for the source */
	int64_t expired; /* rows */
	int64_t callbacks;
};
/* Thread: any. */
void webhooks_stats(struct webhooks *webhooks, struct webhooks_stats *ret_stats);
void webhooks_note_refused(struct webhooks *webhooks);

#endif
