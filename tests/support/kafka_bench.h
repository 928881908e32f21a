/*
 * What tests of Kafka have in common: a cluster, sends that are waited for, and a taker of records
 * that keeps, finishes or refuses what a consumer offers. Waits are for something to have happened,
 * and fail the program when it never does.
 */
#ifndef TESTS_SUPPORT_KAFKA_BENCH_H
#define TESTS_SUPPORT_KAFKA_BENCH_H

#include <pthread.h>

#include "connectors/kafka.h"

enum { KAFKA_PATIENCE_MS = 60000, /* or PATIENCE_MS= of the environment */ TAKER_MAX = 32768 };

#define KAFKA_UNTIL(cond)                                                                          \
	do {                                                                                           \
		int64_t until_ = kafka_bench_now() + kafka_bench_patience_ms();                            \
		while (!(cond)) {                                                                          \
			if (kafka_bench_now() > until_)                                                        \
				kafka_bench_never(#cond, __FILE__, __LINE__);                                      \
			kafka_bench_pause();                                                                   \
		}                                                                                          \
	} while (0)

int64_t kafka_bench_now(void);
int64_t kafka_bench_patience_ms(void);
wall_ms kafka_bench_wall(void);
void kafka_bench_pause(void); /* a millisecond */
NORETURN void kafka_bench_never(const char *what, const char *file, int line);

/* The broker of tests/services.sh; ends the program with a clear line when there is none. */
const char *kafka_bench_brokers(void);
/* A name that no test has used yet on this broker: "<what>-<time>-<n>". Valid for 16 calls. */
const char *kafka_bench_name(const char *what);
struct kafka_cluster *kafka_bench_cluster(const char *brokers);

/* Sends one record and waits for its end; the send is valid until the next call. */
struct kafka_send *kafka_bench_send(struct kafka_producer *producer, const char *topic,
									int partition, const char *key, const char *value);
/* Sends n with values "<from>" …, to one partition, and waits until all are there. */
void kafka_bench_fill(struct kafka_producer *producer, const char *topic, int partition, int from,
					  int n);

/* Keeps all that comes in the order of its coming. */
struct taken_note {
	struct kafka_taken *taken; /* NULL: it was given back */
	int partition;
	int64_t offset;
	int value; /* the record's value as a number */
};
struct taker {
	pthread_mutex_t lock;
	bool keep;               /* otherwise each is done at once */
	int refuse_partition;    /* refuses what comes of it; -1: none */
	int n, n_out, n_out_max; /* notes; kept and not given back, now and at most */
	int n_refused, n_assigned, n_revoked, n_ran;
	int64_t start; /* in `assigned`, for all partitions; 0: is left alone */
	struct taken_note notes[TAKER_MAX];
};
void taker_init(struct taker *taker);
struct kafka_consumer_options taker_options(struct taker *taker, struct kafka_cluster *cluster,
											const char *group, const char *const *topics, size_t n);
int taker_count(struct taker *taker);   /* notes */
int taker_refused(struct taker *taker); /* how often it refused */
int taker_out(struct taker *taker);     /* not given back */
void taker_keep(struct taker *taker, bool keep);
void taker_refuse(struct taker *taker, int partition);
void taker_done(struct taker *taker, int i); /* gives a note's record back */
void taker_done_all(struct taker *taker);
/* The i-th note; a copy. */
struct taken_note taker_note(struct taker *taker, int i);
/* Which values from 0 to n-1 were never taken: the first of them, or -1. */
int taker_missing(struct taker *taker, int n);

/* The committed offset of a group by the broker's own word; -1: none. */
int64_t kafka_bench_committed(struct kafka_cluster *cluster, const char *group, const char *topic,
							  int partition);

#endif
