/*
 * Schedules: sagas that are started at times. The entries of `start_on: {schedule}` of the current
 * version of each definition are run by the owner of slot 0, by what sagas/schedule.h plans; what
 * is known of each is a row of the store, written by revision, so two nodes that both believe to be
 * the one do no harm: a start's key is made of its planned time, and the row of the slower one is
 * refused.
 *
 *   rows, definitions --> plan --> start (trigger_submit.h) --> row
 *
 * A start comes before its row, so a crash between the two is followed by the same start again, and
 * its key finds the saga. What cannot be started now is tried again until it is too late for it
 * (catch_up).
 *
 * Thread: one of its own, unless said otherwise.
 */
#ifndef COORDINATOR_SCHEDULES_H
#define COORDINATOR_SCHEDULES_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

struct engine;
struct http_client;
struct member;
struct registry;
struct schedules;
struct writer;

struct schedules_options {
	struct store *store; /* all are borrowed, and outlive it */
	struct writer *writer;
	struct registry *registry;
	struct engine *engine;
	struct http_client *http; /* to reach owners, and this node's own API */
	struct member *member;    /* NULL: the store is of one process */
	const bool *ready;        /* atomic: nothing begins before */
	const char *address;      /* of this node's API, known when it is first used */
	/* As in triggers_options; may be NULL. */
	void (*remember)(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint);
	void *ctx;
};

int schedules_start(const struct schedules_options *options, struct schedules **ret_schedules,
					struct err *err) MUST_CHECK;
/* Waits for the start that is under way; before engine_drain. Takes NULL. */
void schedules_stop(struct schedules *schedules);
/* When nobody can answer any more: after engine_stop and writer_stop. Takes NULL. */
void schedules_free(struct schedules *schedules);

/* Definitions or rows have changed here: look now. Thread: any. Takes NULL. */
void schedules_changed(struct schedules *schedules);

/* Appends the metrics. Thread: any. Takes NULL. */
void schedules_write_metrics(struct schedules *schedules, struct buf *out);

#endif
