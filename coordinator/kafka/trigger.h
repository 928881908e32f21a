/*
 * Triggers: sagas that are started by records of Kafka. Each entry of `start_on` of the newest
 * version of a definition is one trigger, with a consumer (and thus a thread) of its own on every
 * node; the consumer group shares the partitions out among the nodes.
 *
 *   record -> event -> when, input, key (sagas/trigger.h) -> durable start -> offset
 *                 |                                              ^
 *                 '-> poison: retried with back-off, then dead-lettered | skipped | paused
 *
 * A record is over, and lets the offset of its partition move, when a saga has durably been started
 * for it, when it is a duplicate of one, when `when` is false, or when it was dead-lettered: both
 * written to the topic of dead letters and kept in the store. Until then it is offered again, by
 * this node or by the next one that gets its partition. Records with the same key are started in
 * their order; a record waits until the one before it is over.
 *
 * What is no fault of the record (the store is away, the engine full) is tried again for ever and
 * is never poison.
 *
 * Who deploys tells triggers_deployed; what other nodes deploy is found by asking the store every
 * few seconds. Pauses and seeks are rows of the store, written by any node and obeyed by all.
 *
 * Thread: any, unless said otherwise.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_H
#define COORDINATOR_KAFKA_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/store.h"
#include "sagas/base/buf.h"
#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/def.h"

struct dead_letter_row;
struct engine;
struct http_client;
struct kafka_cluster;
struct kafka_producer;
struct member;
struct registry;
struct triggers;
struct writer;

enum {
	TRIGGERS_MAX = 64, /* that one node runs; those past it are shown, and stand still */
	TRIGGER_NAME_SIZE = 2 * DEF_MAX_NAME + 130, /* "<definition>/<topic>" */
	TRIGGER_PARTITIONS_MAX = 1024,              /* of one, in snapshots */
};

struct triggers_options {
	struct store *store; /* all are borrowed, and outlive the triggers */
	struct writer *writer;
	struct registry *registry;
	struct engine *engine;
	struct member *member;    /* NULL: the store is of one process */
	struct http_client *http; /* to poke the owners of sagas that were created here for them */
	/* A configured cluster, or NULL: there is none of this name. It outlives triggers_free. */
	struct kafka_cluster *(*cluster)(void *ctx, const char *name);
	/* Its producer, for dead letters; NULL as above. It works until triggers_stop has returned. */
	struct kafka_producer *(*producer)(void *ctx, const char *cluster);
	/*
	 * The commit has accepted the key for this saga (or found it there); a pointer may be left for
	 * starts over HTTP. On the engine's or writer's thread; must not block. May be NULL.
	 */
	void (*remember)(void *ctx, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint);
	void *ctx;
	const char *group_prefix; /* of groups that a trigger does not name; NULL: "skald" */
	int in_flight;            /* records of a partition that are taken and not over; 0: 1000 */
	int64_t look_every_ms;    /* how often the store is asked; 0: 2 s */
};

/*
 * Starts the thread that looks after the consumers; it begins at once. Without any cluster it may
 * be started too: triggers are then shown, with what is missing.
 */
int triggers_start(const struct triggers_options *options, struct triggers **ret_triggers,
				   struct err *err) MUST_CHECK;
/*
 * Takes no more records, waits for up to grace_ms for those that are on their way to be over, and
 * ends the consumers, which commits their offsets. What is not over then is taken again at the next
 * start. Before engine_drain, and with producers that still work.
 */
void triggers_stop(struct triggers *triggers, int64_t grace_ms);
/* After triggers_stop, engine_stop and writer_stop: nobody can answer any more. The producers end
 * before the writer, to which their acknowledgements of dead letters post. Takes NULL. */
void triggers_free(struct triggers *triggers);

/* Definitions or rows of triggers have changed here: look now. */
void triggers_deployed(struct triggers *triggers);

/* One start of a saga for a record that a person sends again. */
struct trigger_redrive {
	/* Filled in by the caller; borrowed until done. The row's key, value and headers may have been
	 * edited. */
	const struct dead_letter_row *row; /* identity: namespace, trigger, topic, partition, offset */
	/* Called once, on any thread, perhaps before trigger_redrive returns; it must not block. */
	void (*done)(struct trigger_redrive *redrive);
	void *ctx;
	/* Filled in before done. */
	int result; /* 0, or why it stays where it is: err */
	struct err err;
	const char *reason; /* with an error: as of dead letters ("key_conflict" …), "filtered",
						   "no_trigger"; NULL: it may work later */
	bool duplicate;     /* with 0: a saga was there already */
	char saga_id[SAGA_ID_SIZE];
};
/* Evaluates the record as if it came again from its topic, partition and offset, and starts. */
void trigger_redrive(struct triggers *triggers, struct trigger_redrive *redrive);

/* A version that takes a share of the starts beside the current one. */
struct trigger_canary {
	struct saga_def *def; /* NULL: there is none, or it has no such trigger */
	const struct trigger_def *trigger;
	int percent;
};

/* Snapshots. */

/* X(constant, text) */
#define TRIGGER_STATES(X)                                                                          \
	X(TRIGGER_RUNNING, "running")                                                                  \
	X(TRIGGER_PAUSED, "paused")     /* by a person, or by its policy for poison */                 \
	X(TRIGGER_STARTING, "starting") /* its consumer joins the group */                             \
	X(TRIGGER_WAITING, "waiting")   /* for a broker, a topic, the store: see detail */             \
	X(TRIGGER_FAILED, "failed")     /* cluster not configured, consumer refused …: see detail */ \
	X(TRIGGER_REFUSED, "refused")   /* past TRIGGERS_MAX */

enum trigger_state {
#define X(name, text) name,
	TRIGGER_STATES(X)
#undef X
		TRIGGER_STATE_COUNT
};
const char *trigger_state_text(enum trigger_state state);

/* How records are over, for counters: X(constant, text) */
#define TRIGGER_ENDS(X)                                                                            \
	X(TRIGGER_STARTED, "started")                                                                  \
	X(TRIGGER_DEDUPLICATED, "deduplicated")                                                        \
	X(TRIGGER_FILTERED, "filtered")           /* `when` was false */                               \
	X(TRIGGER_DEAD_LETTERED, "dead_lettered") /* poison */                                         \
	X(TRIGGER_SKIPPED, "skipped")             /* poison, by policy */

enum trigger_end {
#define X(name, text) name,
	TRIGGER_ENDS(X)
#undef X
		TRIGGER_END_COUNT
};
const char *trigger_end_text(enum trigger_end end);

struct trigger_partition {
	int partition;
	bool assigned;     /* to this node */
	bool paused;       /* by back-pressure or a pause */
	int64_t committed; /* next offset that the group would read; -1: none yet */
	int64_t end;       /* -1: not known */
	int64_t lag;       /* -1: not known */
	int64_t in_flight; /* here */
};

struct trigger_info {
	const char *ns, *name, *definition, *cluster, *topic, *group, *dead_letter_topic;
	int64_t version;
	enum trigger_state state;
	const char *detail;       /* of a state that needs one; "" */
	bool brokers_down;        /* none of them answers now */
	const char *pause_reason; /* "" */
	const char *paused_by;    /* "" */
	wall_ms paused_at;        /* 0: not paused */
	int64_t ends[TRIGGER_END_COUNT];
	const char *seeks; /* that are not made yet, as JSON; NULL: none */
	int64_t poison;    /* records that were poison at their first attempt */
	int64_t retries;   /* further attempts at them */
	int64_t retrying;  /* of them, those that wait for the next */
	int64_t held;      /* wait for the trigger to be resumed */
	int64_t waiting;   /* records behind one with the same key */
	int64_t in_flight; /* taken and not over */
	int64_t lag;       /* of this node's partitions; -1: not known */
	const struct trigger_partition *partitions; /* of this node, in their order */
	size_t n_partitions;
};
/* Borrowed until the callback returns. ns, name NULL: all. In the order of namespace and name. */
void triggers_each(struct triggers *triggers, const char *ns, const char *name,
				   void (*each)(void *ctx, const struct trigger_info *info), void *ctx);

/*
 * All partitions of a trigger's topic, as the brokers tell them: ends, and what its group has
 * committed, on whatever node; with what this node has of them in flight. Waits for up to
 * timeout_ms a few times. ERR_NOT_FOUND: no such trigger, or topic; ERR_UNAVAILABLE.
 */
int triggers_partitions(struct triggers *triggers, const char *ns, const char *name,
						int64_t timeout_ms, struct trigger_partition *partitions, size_t max,
						size_t *ret_n, struct err *err) MUST_CHECK;

/* Appends the metrics, in the text form of Prometheus. */
void triggers_write_metrics(struct triggers *triggers, struct buf *out);

#endif
