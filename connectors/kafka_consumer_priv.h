/*
 * What the files of the consumer share.
 *
 *     kafka_consumer.c         its thread, its life, and the functions of others' threads
 *     kafka_consumer_part.c    records: handed out, held back, done
 *     kafka_consumer_assign.c  partitions: given, taken away, moved; commits
 *
 * librdkafka is called on the consumer's thread alone (but for rd_kafka_queue_yield, which wakes
 * it). `lock` guards what other threads look at or change; fields without that note are the
 * thread's own. Memory of a partition lives as long as records of it are out, and the consumer's as
 * long as partitions do, so that kafka_done may come at any time.
 */
#ifndef CONNECTORS_KAFKA_CONSUMER_PRIV_H
#define CONNECTORS_KAFKA_CONSUMER_PRIV_H

#include "connectors/kafka_offsets.h"
#include "connectors/kafka_priv.h"

enum {
	KAFKA__RUN_MAX = 256,
	KAFKA__POLL_MS = 250,
	KAFKA__QUERY_MS = 3000, /* a question to a broker on the consumer's thread */
	KAFKA__DESTROY_MS = 1000,
	KAFKA__CLOSE_MS = 5000,  /* leaving the group */
	KAFKA__OFFER_MIN_MS = 5, /* until a record is offered again; doubled each time */
	KAFKA__OFFER_MAX_MS = 500,
	KAFKA__END_INTERVAL_MS = 2000,  /* ends are asked for where nothing is fetched */
	KAFKA__PLACE_INTERVAL_MS = 500, /* a place that could not be looked up or gone to */
	/* Records between the first that is not done and the last handed out, in in_flight_max. */
	KAFKA__WINDOW_FACTOR = 16,
};

/* Why a partition is held (paused in librdkafka). */
enum kafka__hold {
	KAFKA__HOLD_OPERATOR = 1,
	KAFKA__HOLD_FULL = 2,    /* as many records out as may be */
	KAFKA__HOLD_OFFERED = 4, /* a record was not taken, and will be offered again */
	KAFKA__HOLD_BYTES = 8,   /* the consumer's records take as much memory as may be */
	KAFKA__HOLD_PLACE = 16,  /* where to go on is not known or not reached yet */
	KAFKA__HOLD_STOP = 32,
};

struct kafka__out {
	struct kafka_taken taken; /* first */
	struct kafka__part *part;
	struct kafka__out *next; /* among those held back */
	int64_t ticket;
	int64_t size;
};

/* A partition for as long as it is assigned and not moved. */
struct kafka__part {
	struct kafka_consumer *consumer;
	char topic[KAFKA_TOPIC_SIZE];
	int partition;
	unsigned hold;      /* enum kafka__hold; what should be */
	bool paused;        /* what librdkafka was told */
	int64_t place;      /* HOLD_PLACE: where to go on; may be special */
	bool place_at_time; /* place is a wall time */
	int64_t end_before; /* where it ended before a time was looked up in it; -1: not known */
	bool asked;         /* what the group has committed is known */
	/* Fetched and not taken yet, in order; with HOLD_OFFERED. */
	struct kafka__out *held_first, *held_last;
	int64_t offer_at_ms, offer_pause_ms;
	int64_t eof; /* the end that was reached behind them; -1: none */
	/* Under lock: */
	struct kafka_offsets offsets;
	bool live;    /* assigned, and not moved: done records count */
	bool leaving; /* being revoked: what is given back now may be given up, and counts no more */
	bool settled; /* it was at its place: offsets is valid */
	int refs;     /* the consumer's, and one for each record */
	int64_t committed, end;
	unsigned shown_hold; /* `hold`, for others */
};

struct kafka__request {
	struct kafka__request *next;
	char topic[KAFKA_TOPIC_SIZE];
	int partition;
	int64_t offset;
	bool at_time;
	/* Under lock: */
	bool over;
	bool abandoned; /* nobody waits: the thread frees it */
	int result;
	struct err err;
};

struct kafka__pause {
	char topic[KAFKA_TOPIC_SIZE]; /* "": all */
	int partition;                /* -1: the whole topic */
};

struct kafka_consumer {
	struct kafka_client client; /* first: librdkafka's opaque pointer */
	struct kafka_consumer_options options;
	char *group;
	pthread_t thread;
	rd_kafka_t *rk;
	int64_t committing_since_ms; /* 0: no commit is under way */
	int64_t commit_at_ms, ends_at_ms, place_at_ms;
	bool bytes_full;
	bool stopping;
	int n_run; /* calls of record since `ran` */
	int64_t missing_at_ms;

	pthread_mutex_t lock;
	pthread_cond_t over; /* a request was carried out */
	/* Under lock: */
	rd_kafka_queue_t *queue; /* to wake the thread; NULL: it has ended */
	int refs;                /* of memory: the owner's and each partition's */
	struct kafka__part **parts;
	size_t n_parts, cap_parts;
	struct kafka__request *requests;
	char **topics;
	size_t n_topics;
	bool topics_changed, pauses_changed, stop;
	int64_t stop_until_ms;
	struct kafka__pause *pauses;
	size_t n_pauses;
	enum kafka_consumer_state state;
	int64_t records, bytes, in_flight, in_flight_bytes;
	int64_t assignments, commits, commit_errors;
	char missing_topic[KAFKA_TOPIC_SIZE];
};

/* kafka_consumer.c */
void kafka__consumer_unref(struct kafka_consumer *consumer); /* under lock; unlocks */
bool kafka__operator_paused(const struct kafka_consumer *consumer, const char *topic,
							int partition); /* under lock */

/* kafka_consumer_part.c */
struct kafka__part *kafka__part_find(struct kafka_consumer *consumer, const char *topic,
									 int partition);
/* Adds one, held until its place is settled: for now, where the group has committed. */
struct kafka__part *kafka__part_add(struct kafka_consumer *consumer, const char *topic,
									int partition);
/* Removes it from the table, and forgets what is out of it. */
void kafka__part_remove(struct kafka__part *part);
/* Its place: what is handed out next. */
void kafka__part_settle(struct kafka__part *part, int64_t offset);
void kafka__part_hold(struct kafka__part *part, unsigned hold, bool on);
/* Tells librdkafka what it does not know yet of holds. */
void kafka__holds_apply(struct kafka_consumer *consumer);
/* Looks at what was done meanwhile, and at records to be offered again. */
void kafka__parts_tend(struct kafka_consumer *consumer);
/* A record, or the news that a partition's end was reached. */
void kafka__part_message(struct kafka_consumer *consumer, const rd_kafka_message_t *message);
void kafka__ran(struct kafka_consumer *consumer);

/* kafka_consumer_assign.c */
void kafka__on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
						 rd_kafka_topic_partition_list_t *list, void *opaque);
void kafka__on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
					  rd_kafka_topic_partition_list_t *list, void *opaque);
void kafka__parts_drop(struct kafka_consumer *consumer);
/* Commits what is done and not committed; waits for it for up to wait_ms, 0: not at all. */
void kafka__commit(struct kafka_consumer *consumer, int64_t wait_ms);
void kafka__ends_tend(struct kafka_consumer *consumer);
/* Goes to the places that could not be gone to yet. */
void kafka__places_tend(struct kafka_consumer *consumer);
/* Begins again at another place, which may be special; returns what replaces the part. */
struct kafka__part *kafka__part_move(struct kafka__part *part, int64_t place, bool at_time);
void kafka__seek(struct kafka_consumer *consumer, struct kafka__request *request);

#endif
