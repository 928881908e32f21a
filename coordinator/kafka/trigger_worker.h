/*
 * One trigger at work on this node: its consumer, and the thread that owns its records
 * (trigger_run.h). The consumer's thread, the engine, the writer and the producer post to that
 * thread; what it has to say to the consumer goes through kafka_done and one atomic number.
 *
 * Thread: the manager's (trigger.c), unless said otherwise.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_WORKER_H
#define COORDINATOR_KAFKA_TRIGGER_WORKER_H

#include "coordinator/kafka/trigger_run.h"
#include "coordinator/writer.h"

struct trigger_worker;

struct trigger_worker_options {
	/* Borrowed for as long as the worker. */
	const char *ns, *name, *topic, *group, *dead_letter_topic;
	struct kafka_cluster *cluster;
	struct kafka_producer *producer;
	struct submitter *submitter;
	struct writer *writer;
	int slots;
	bool from_latest;
	int in_flight;
	bool paused;
	/* The policy for poison has paused it. Thread: the worker's; must not block. */
	void (*pause)(void *ctx, const char *reason);
	void *ctx;
};

/* def: a reference is taken; trigger is one of its. ERR_INVALID, ERR_UNAVAILABLE. */
int trigger_worker_start(const struct trigger_worker_options *options, struct saga_def *def,
						 const struct trigger_def *trigger, const struct trigger_canary *canary,
						 struct trigger_worker **ret_worker, struct err *err) MUST_CHECK;
/* Other versions count from now on; its consumer is the same. */
void trigger_worker_define(struct trigger_worker *worker, struct saga_def *def,
						   const struct trigger_def *trigger, const struct trigger_canary *canary);
void trigger_worker_pause(struct trigger_worker *worker, bool paused);
/* As kafka_consumer_seek, of one partition. Waits. */
int trigger_worker_seek(struct trigger_worker *worker, int partition, int64_t offset, bool at_time,
						int64_t timeout_ms, struct err *err) MUST_CHECK;
/* Takes no more, waits for up to grace_ms for what is out, and ends the consumer. */
void trigger_worker_stop(struct trigger_worker *worker, int64_t grace_ms);
/* After trigger_worker_stop: nothing is out, so that it may be freed. */
bool trigger_worker_is_idle(struct trigger_worker *worker);
/* After trigger_worker_stop, when it is idle or nobody can answer any more. Takes NULL. */
void trigger_worker_free(struct trigger_worker *worker);

struct trigger_worker_stats {
	struct run_stats run;
	struct kafka_consumer_stats consumer;
	char bury_error[160]; /* why the last dead letter could not be sent; "" */
};
/* Thread: any. */
void trigger_worker_stats(struct trigger_worker *worker, struct trigger_worker_stats *ret_stats);
size_t trigger_worker_progress(struct trigger_worker *worker, struct kafka_progress *progress,
							   size_t max);

#endif
