/*
 * Kafka, over librdkafka: clusters, one idempotent producer a cluster, and consumers that each have
 * a thread of their own. This and the headers beside it (kafka_*.h) are all that the rest of Skald
 * knows of Kafka; librdkafka itself appears in connectors/kafka*.c alone.
 *
 *     kafka_cluster   addresses, properties, questions to the brokers (ends, committed offsets)
 *     kafka_producer  kafka_produce -> KAFKA_SENT | KAFKA_NOT_SENT | KAFKA_SENT_UNKNOWN
 *     kafka_consumer  record() -> kafka_done -> the offset is committed, never past one not done
 *     kafka_mock      brokers inside the process, for `skald dev --kafka` and for tests
 *
 * It does not know what is in a record, never retries what a caller may retry, and never logs:
 * what librdkafka has to say goes to the cluster's log function.
 *
 * No function of a caller is ever called under a lock. Memory that records take is bounded: what is
 * queued to be sent, and what consumers have handed out.
 */
#ifndef CONNECTORS_KAFKA_H
#define CONNECTORS_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"
#include "sagas/kafka_record.h"

enum {
	KAFKA_TOPIC_SIZE = 250,           /* a name has at most 249 bytes */
	KAFKA_PARTITIONS_MAX = 4096,      /* of one topic, that are looked at */
	KAFKA_CLUSTER_NAME_MAX = 64,      /* bytes */
	KAFKA_MESSAGE_TIMEOUT_MS = 10000, /* see kafka_produce */
	KAFKA_QUEUE_MAX_RECORDS = 100000, /* of a producer */
	KAFKA_QUEUE_MAX_BYTES = 256 * 1024 * 1024,
	KAFKA_IN_FLIGHT_DEFAULT = 1000,               /* records handed out, for each partition */
	KAFKA_IN_FLIGHT_MAX_BYTES = 64 * 1024 * 1024, /* handed out by one consumer */
	KAFKA_COMMIT_INTERVAL_MS = 250,
};

/* Properties: librdkafka's own names and values ("sasl.username", "compression.type"). */

struct kafka_property {
	const char *name, *value;
};

/*
 * May a user set this? ERR_INVALID: there is no such property (with the nearest that there is), its
 * value is none, or it is one that Skald sets itself (with the reason). The text never holds the
 * value of a secret. No I/O.
 */
int kafka_property_check(const char *name, const char *value, struct err *err) MUST_CHECK;
/* Is its value a password, a key or the like, never to be shown? */
bool kafka_property_is_secret(const char *name);

/* Clusters */

enum kafka_log_level { KAFKA_LOG_ERROR, KAFKA_LOG_WARNING, KAFKA_LOG_INFO, KAFKA_LOG_DEBUG };

struct kafka_cluster_options {
	const char *name;    /* "default" */
	const char *brokers; /* "host:9092,host2:9092" */
	const struct kafka_property *properties;
	size_t n_properties;
	const char *client_id; /* NULL: "skald"; a property client.id wins */
	/*
	 * What librdkafka would log. Thread: any of librdkafka's, also after the call that caused it;
	 * must not call back into this header. NULL: dropped.
	 */
	void (*log)(void *ctx, enum kafka_log_level level, const char *cluster, const char *text);
	void *log_ctx;
};

struct kafka_cluster;

/*
 * Copies the options. Checks every property, and what only a client shows (files of certificates,
 * SASL mechanisms); connects nowhere that it waits for: brokers that are away are no error.
 * ERR_INVALID. The cluster must outlive its producers and consumers.
 */
int kafka_cluster_open(const struct kafka_cluster_options *options,
					   struct kafka_cluster **ret_cluster, struct err *err) MUST_CHECK;
void kafka_cluster_close(
	struct kafka_cluster *cluster); /* takes NULL; bounded, brokers away or not */
const char *kafka_cluster_name(const struct kafka_cluster *cluster);

struct kafka_partition_offset {
	int partition;
	int64_t offset; /* -1: none */
};

/*
 * Questions to the brokers. Thread: any, several at once; each waits for up to timeout_ms.
 * ERR_UNAVAILABLE (retriable) when no broker answers in time; ERR_NOT_FOUND: no such topic.
 */

/*
 * The ends of a topic's partitions: the offset that the next record will get (of what a consumer
 * may see: with open transactions, the first offset that is not settled). One round trip for each
 * leader. At most `max` entries, ascending by partition; the number of them in *ret_n. ERR_LIMIT:
 * the topic has more.
 */
int kafka_ends(struct kafka_cluster *cluster, const char *topic, int64_t timeout_ms,
			   struct kafka_partition_offset *ends, size_t max, size_t *ret_n,
			   struct err *err) MUST_CHECK;
/* What a consumer group has committed, the same way; offset -1: nothing yet. */
int kafka_group_committed(struct kafka_cluster *cluster, const char *group, const char *topic,
						  int64_t timeout_ms, struct kafka_partition_offset *committed, size_t max,
						  size_t *ret_n, struct err *err) MUST_CHECK;
/*
 * Makes a topic with that many partitions (and the cluster's default number of replicas) unless it
 * is there; *ret_partitions, which may be NULL, tells how many it has. ERR_INVALID: not a name;
 * ERR_CONFLICT: the cluster refuses (a policy, an ACL).
 */
int kafka_topic_ensure(struct kafka_cluster *cluster, const char *topic, int partitions,
					   int64_t timeout_ms, int *ret_partitions, struct err *err) MUST_CHECK;

/* Producer */

enum kafka_sent {
	KAFKA_SENT,         /* all in-sync replicas have it */
	KAFKA_NOT_SENT,     /* it is certainly not in the topic, and will not be */
	KAFKA_SENT_UNKNOWN, /* it may be */
};

struct kafka_send {
	/*
	 * Filled in by the caller. Of the record: topic, key, value, headers, and partition: negative
	 * to have it chosen by the key as Java's default does (murmur2; without a key at random).
	 * cluster, offset and at are not looked at. All bytes are copied by kafka_produce.
	 */
	struct kafka_record record;
	/*
	 * NOT_SENT when this, on the monotonic clock in ms, has passed by the time of kafka_produce;
	 * read atomically (a lease). NULL: no such limit. See kafka_produce for how late a record may
	 * leave after that.
	 */
	const int64_t *not_after_ms;
	/* Called once; it takes the send back, and may free it. Thread: see kafka_produce. */
	void (*done)(struct kafka_send *send);
	void *ctx;
	/* Filled in before done. */
	enum kafka_sent result;
	int partition;  /* SENT: where it is; else -1 */
	int64_t offset; /* SENT: there; else -1 */
	/* The connector's own, from kafka_produce to done. */
	struct kafka_send *next, *prev;
	int64_t size;
	/*
	 * Not SENT: why. retriable: another try may work. ERR_UNAVAILABLE: queue full, brokers away,
	 * timed out; ERR_FENCED: not_after_ms; ERR_LIMIT: too large for the topic; ERR_NOT_FOUND: no
	 * such topic or partition; ERR_CONFLICT: not allowed; ERR_IO: else.
	 */
	struct err err;
};

struct kafka_producer;

/* Starts its thread; connects in the background. The cluster is borrowed. */
int kafka_producer_start(struct kafka_cluster *cluster, struct kafka_producer **ret_producer,
						 struct err *err) MUST_CHECK;
/*
 * Thread: any, also from done. Never blocks. done is called in any case: on the producer's thread,
 * or, when the record is refused at once (queue full, too large, not_after_ms), on this one before
 * kafka_produce returns.
 *
 * A send is over within KAFKA_MESSAGE_TIMEOUT_MS: nothing leaves later than that after this call,
 * so that whoever waits that long beyond an attempt's end knows that no old record follows. Records
 * of one partition are in the topic in the order of the calls, unless one of them fails: those
 * behind it may then be there without it. Who needs order past a failure sends the next one when
 * the last is done.
 */
void kafka_produce(struct kafka_producer *producer, struct kafka_send *send);
/* Waits for what is queued for up to grace_ms, then gives it up (done is called for each); joins
 * the thread. No kafka_produce may run or follow. Takes NULL. */
void kafka_producer_stop(struct kafka_producer *producer, int64_t grace_ms);

/* Since the start, over all instances; gauges as of the last statistics (once a second). */
struct kafka_producer_stats {
	int64_t sent, not_sent, unknown; /* records, by result */
	int64_t queued;                  /* records: accepted and not done */
	int64_t queued_bytes;            /* of keys, values and headers */
	int64_t bytes_sent;              /* to brokers, with protocol */
	int64_t rtt_us;                  /* mean over brokers; 0: not known */
	int brokers_up;                  /* connections that stand */
	int64_t fatal_errors;            /* each made a new instance */
	bool all_brokers_down;
	char last_error[256]; /* "": none yet */
	wall_ms last_error_at;
};
void kafka_producer_stats(struct kafka_producer *producer, struct kafka_producer_stats *ret_stats);

/* Consumer */

enum kafka_from { KAFKA_FROM_EARLIEST, KAFKA_FROM_LATEST, KAFKA_FROM_TIME };

/* A record that was handed out. */
struct kafka_taken {
	struct kafka_record record; /* valid until kafka_done; keys and values are NUL-terminated */
};

/* Special offsets, for `start` and kafka_consumer_seek. */
#define KAFKA_OFFSET_EARLIEST INT64_C(-2)
#define KAFKA_OFFSET_LATEST INT64_C(-1)
#define KAFKA_OFFSET_COMMITTED INT64_C(-1000) /* and where there is none, by `from` */

struct kafka_assigned {
	const char *topic;
	int partition;
	int64_t start; /* where it will go on; may be changed to an offset or one of the above */
};

struct kafka_consumer_options {
	struct kafka_cluster *cluster; /* borrowed */
	const char *group;
	const char *const *topics;
	size_t n_topics;
	/* Where a group starts in a partition of which it has committed nothing. LATEST and TIME are
	 * looked up once, and committed at once. An offset that is gone goes on at the earliest. */
	enum kafka_from from;
	wall_ms from_time;
	int in_flight_max;           /* records a partition; 0: KAFKA_IN_FLIGHT_DEFAULT */
	int64_t in_flight_max_bytes; /* 0: KAFKA_IN_FLIGHT_MAX_BYTES */

	/*
	 * All functions are called on the consumer's thread; they must not wait long: the group's
	 * membership hangs on it (max.poll.interval.ms, 5 min).
	 *
	 * record: in the order of offsets for each partition. 0: taken; kafka_done(taken) will follow
	 * once, from any thread, perhaps from within. Any error (ERR_UNAVAILABLE): it is not taken and
	 * will be offered again, soon and then less often, its partition paused meanwhile.
	 */
	int (*record)(void *ctx, struct kafka_taken *taken);
	/* After a run of calls of record, when nothing more is at hand or 256 have been made: to close
	 * a batch. NULL: not wanted. */
	void (*ran)(void *ctx);
	/* Partitions were given to this consumer; n may be 0. NULL: not wanted. */
	void (*assigned)(void *ctx, struct kafka_assigned *partitions, size_t n);
	/*
	 * Partitions are taken away; what was done before this call is committed right after it
	 * returns. Records of them that are still out must still be given to kafka_done, which from
	 * this call on does nothing more: another consumer gets them again, done or given up. NULL: not
	 * wanted.
	 */
	void (*revoked)(void *ctx, const struct kafka_assigned *partitions, size_t n);
	void *ctx;
};

struct kafka_consumer;

/* Starts its thread; joins the group in the background. ERR_INVALID. */
int kafka_consumer_start(const struct kafka_consumer_options *options,
						 struct kafka_consumer **ret_consumer, struct err *err) MUST_CHECK;
/*
 * Hands out nothing more, waits for up to grace_ms for what is out, commits, leaves the group, and
 * joins the thread; takes up to ten seconds more when brokers are away. Records that are still
 * out may be given to kafka_done later. Takes NULL. Thread: any but the consumer's.
 */
void kafka_consumer_stop(struct kafka_consumer *consumer, int64_t grace_ms);

/*
 * This record needs no more: its offset may be committed as soon as all before it are done. Frees
 * it. Thread: any, and at any time, also after kafka_consumer_stop.
 */
void kafka_done(struct kafka_taken *taken);

/*
 * An operator's pause; it stays until it is taken back, over rebalances, for a partition or
 * (partition -1) a whole topic, or (topic NULL) all. They are kept apart: resuming a topic does not
 * resume a partition that was paused by itself. Thread: any; takes effect soon.
 */
void kafka_consumer_pause(struct kafka_consumer *consumer, const char *topic, int partition,
						  bool pause);
/*
 * Goes on from another place in a partition, or in all that are assigned here (-1), and commits
 * that place at once; records that are out are forgotten, as at a revocation. `offset` may be
 * special (not COMMITTED); with at_time it is a wall time in ms: the first record from then on.
 * Waits for up to timeout_ms. ERR_NOT_FOUND: not assigned here. ERR_TIMEOUT: it may still be done.
 * Thread: any but the consumer's; in `assigned`, set `start` instead.
 */
int kafka_consumer_seek(struct kafka_consumer *consumer, const char *topic, int partition,
						int64_t offset, bool at_time, int64_t timeout_ms,
						struct err *err) MUST_CHECK;
/* Changes what it is subscribed to; none is allowed. Thread: any; takes effect soon. */
int kafka_consumer_topics(struct kafka_consumer *consumer, const char *const *topics, size_t n,
						  struct err *err) MUST_CHECK;

/* Of each partition that is assigned here. Offsets are -1 where not known. */
struct kafka_progress {
	char topic[KAFKA_TOPIC_SIZE];
	int partition;
	int64_t position;  /* the next to be handed out */
	int64_t processed; /* all below are done (or were never there) */
	int64_t committed; /* what the broker has acknowledged */
	int64_t end;       /* of the partition, as last heard */
	int64_t lag;       /* end - processed */
	int64_t in_flight; /* records handed out and not done */
	bool paused;       /* by an operator */
	bool held;         /* by back-pressure */
};
/* Copies up to max entries, and returns how many there are. Thread: any. */
size_t kafka_consumer_progress(struct kafka_consumer *consumer, struct kafka_progress *progress,
							   size_t max);

enum kafka_consumer_state {
	KAFKA_JOINING, /* not (yet) in the group, or nothing assigned yet */
	KAFKA_CONSUMING,
	KAFKA_BROKERS_DOWN,
	KAFKA_STOPPED,
};

struct kafka_consumer_stats {
	enum kafka_consumer_state state;
	int64_t records;         /* taken */
	int64_t bytes;           /* of keys, values and headers taken */
	int64_t in_flight;       /* records */
	int64_t in_flight_bytes; /* of them */
	int64_t lag;             /* of all partitions whose end is known */
	int64_t assignments;     /* rebalances that gave partitions */
	int64_t commits, commit_errors;
	int64_t errors;
	int64_t rtt_us; /* mean over brokers; 0: not known */
	int brokers_up;
	int partitions; /* assigned */
	/* Missing topics among what it is subscribed to: the first of them, or "". It is picked up when
	 * it appears. */
	char missing_topic[KAFKA_TOPIC_SIZE];
	char last_error[256]; /* "": none yet */
	wall_ms last_error_at;
};
void kafka_consumer_stats(struct kafka_consumer *consumer, struct kafka_consumer_stats *ret_stats);

#endif
