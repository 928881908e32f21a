/*
 * What has happened to sagas, by definition and step: for /metrics, where an operator sees which
 * step of which definition begins to fail. Counted when a transition is durable, by the node that
 * made it; from the start of the process.
 *
 * The number of series is bounded: what comes after TALLY_MAX definitions, or steps of definitions,
 * is counted together as "other". Names of definitions are an operator's, and not a client's.
 *
 * Thread: the engine's writes, any reads.
 */
#ifndef COORDINATOR_TALLY_H
#define COORDINATOR_TALLY_H

#include <stdint.h>

#include "sagas/act.h"
#include "sagas/attention.h"
#include "sagas/base/buf.h"
#include "sagas/event.h"
#include "sagas/status.h"

enum { TALLY_MAX = 1000 };

struct tally;

struct tally *tally_new(void) MUST_CHECK;
void tally_free(struct tally *tally); /* takes NULL */

/* The events of a transition that is durable. Takes NULL, as all that follow. */
void tally_events(struct tally *tally, const char *ns, const struct saga_def *def,
				  const struct event *events, size_t n);
/* A saga has come to this terminal status. */
void tally_ended(struct tally *tally, const char *ns, const struct saga_def *def,
				 enum saga_status status);
/* A saga begins to concern a person, or does so for another reason. */
void tally_attention(struct tally *tally, const char *kind);

/* Appends all as text for Prometheus. Thread: any. */
void tally_write(struct tally *tally, struct buf *out);

#endif
