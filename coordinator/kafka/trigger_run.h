/*
 * The records of one trigger on one node: what each waits for, in which order, and when it is over.
 * Plain functions from what happened and *now* to calls of its ports; no thread, no clock, no I/O
 * (trigger_worker.h has those).
 *
 *                    .-- BEHIND: one with the same key is not over yet
 *                    v
 *   taken ------> begins --- when: false ---------------------------------> over
 *                 ^  |  '--- start --> SUBMITTED --- durable --------------> over
 *                 |  |                    |  '------ not now -> LATER --.
 *                 |  '---- poison --------'                             |
 *                 |            '--> RETRY (back-off)                    |
 *                 |            '--> BURYING --- kept and sent ---------------> over
 *                 |            '--> skipped ---------------------------------> over
 *                 |            '--> HELD: the trigger is paused         |
 *                 '-------------- timers, resumed ----------------------'
 *
 * Records of one partition with the same key begin in their order, each when the one before is
 * over; those without a key wait for nobody.
 *
 * Trouble that is no fault of a record (LATER) closes the intake until the next try, which comes
 * later each time; the first success opens it. A dead letter that cannot be sent waits alone.
 *
 * Thread: one, the trigger's.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_RUN_H
#define COORDINATOR_KAFKA_TRIGGER_RUN_H

#include "connectors/kafka.h"
#include "coordinator/kafka/trigger.h"
#include "coordinator/kafka/trigger_submit.h"
#include "sagas/base/heap.h"
#include "sagas/base/map.h"

enum { RUN_TROUBLE_FIRST_MS = 100, RUN_TROUBLE_MAX_MS = 5000 };

enum run_record_state {
	RECORD_BEHIND,
	RECORD_SUBMITTED,
	RECORD_RETRY,
	RECORD_LATER,
	RECORD_BURYING,
	RECORD_HELD, /* begins when the trigger is resumed */
};

struct run_lane;

struct run_record {
	struct mail mail; /* on its way from the consumer */
	struct kafka_taken *taken;
	uint64_t number; /* of intake: which came before which */
	enum run_record_state state;
	bool forgotten; /* its partition went elsewhere while it was with others */
	int64_t attempts;
	const char *reason; /* of the last poison; a literal */
	char *message;
	char *key; /* of the submission's id; NULL: none was made */
	struct heap_node timer;
	struct run_lane *lane;          /* NULL: it has no key */
	struct run_record *lane_next;   /* the next with the same key */
	struct run_record *prev, *next; /* all of the run, in the order of intake */
	struct submission submission;
};

/* Takes over taken; number is the record's, growing. */
struct run_record *run_record_new(struct kafka_taken *taken, uint64_t number) MUST_CHECK;

struct run_ports {
	/* trigger_run_submitted follows, once. */
	void (*submit)(void *ctx, struct submission *submission);
	/* The record goes to the dead letters; trigger_run_buried follows, once. */
	void (*bury)(void *ctx, struct run_record *record);
	/* The record is over, or not this node's any more: kafka_done. */
	void (*over)(void *ctx, struct kafka_taken *taken);
	/* The policy for poison pauses the trigger, on all nodes; until resumed it stays paused here
	 * whatever becomes of that. */
	void (*pause)(void *ctx, const char *reason);
	/* No record is taken before then; 0: the intake is open. INT64_MAX: until told. */
	void (*close_until)(void *ctx, int64_t until_ms);
	void (*make_id)(void *ctx, const char *definition, const char *key, char id[SAGA_ID_SIZE]);
	uint64_t (*random)(void *ctx);
};

struct run_stats {
	int64_t ends[TRIGGER_END_COUNT];
	int64_t poison;    /* records that were poison at least once */
	int64_t retries;   /* further attempts at them */
	int64_t retrying;  /* wait for the next */
	int64_t held;      /* wait for the trigger to be resumed */
	int64_t waiting;   /* behind one with the same key */
	int64_t out;       /* with the engine, the writer, the producer */
	int64_t records;   /* all that are not over */
	int64_t troubles;  /* tries in a row that failed by no fault of a record; 0: none */
	char trouble[160]; /* the last such failure */
};

struct trigger_run;

/* cluster, topic, ns are for messages and submissions; all is borrowed. */
struct trigger_run *trigger_run_new(const struct run_ports *ports, void *ctx, const char *ns,
									const char *name) MUST_CHECK;
/* The consumer has been stopped, so that `over`, which is called for all that is left, moves no
 * offset; and nobody has anything of it any more. Takes NULL. */
void trigger_run_free(struct trigger_run *run);

/* The definition (a reference is taken) and which of its triggers this is. Before all else, and
 * again when a new version counts. canary (whose definition a reference is taken of): it takes a
 * share of the records that the current version starts a saga for; NULL: there is none. */
void trigger_run_define(struct trigger_run *run, struct saga_def *def,
						const struct trigger_def *trigger, const struct trigger_canary *canary);

/* Takes over the record. now_ms is monotonic, here and in all that follows. */
void trigger_run_record(struct trigger_run *run, struct run_record *record, int64_t now_ms);
void trigger_run_submitted(struct trigger_run *run, struct submission *submission, int64_t now_ms);
/* err NULL: it is kept and sent. */
void trigger_run_buried(struct trigger_run *run, struct run_record *record, const struct err *err,
						int64_t now_ms);
/* By a person, or as another node has found it. A tick is due at once. */
void trigger_run_pause(struct trigger_run *run, bool paused, int64_t now_ms);
/* The consumer has forgotten what it handed out of this partition (-1: of all) before this number:
 * nobody waits for it any more. A tick is due at once. */
void trigger_run_forget(struct trigger_run *run, int partition, uint64_t before, int64_t now_ms);
/* Nothing new begins from now on. */
void trigger_run_stop(struct trigger_run *run);
/* Does what is due; when the next is: on the same clock; -1: nothing is. */
int64_t trigger_run_tick(struct trigger_run *run, int64_t now_ms);

void trigger_run_stats(const struct trigger_run *run, struct run_stats *ret_stats);

/* How long after the n-th failure (from 1) the next attempt is made; draw is in [0, 1). */
int64_t poison_retry_ms(const struct retry_policy *retry, int64_t n, double draw);

#endif
