#include "tests/support/kafka_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t kafka_bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t kafka_bench_patience_ms(void)
{
	const char *text = getenv("PATIENCE_MS");

	return text ? strtol(text, NULL, 10) : KAFKA_PATIENCE_MS;
}

wall_ms kafka_bench_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (wall_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void kafka_bench_pause(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

void kafka_bench_never(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: never: %s\n", file, line, what);
	abort();
}

const char *kafka_bench_brokers(void)
{
	const char *brokers = getenv("SKALD_TEST_KAFKA");

	if (!brokers || !*brokers) {
		fprintf(stderr, "SKALD_TEST_KAFKA is not set; run this through tests/services.sh run\n");
		exit(1);
	}
	return brokers;
}

const char *kafka_bench_name(const char *what)
{
	static char names[16][80];
	static int n;
	struct timespec now;
	char *name = names[n++ % 16];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof(names[0]), "%s-%lld%03ld-%d-%d", what, (long long)now.tv_sec,
			 now.tv_nsec / 1000000, (int)getpid(), n);
	return name;
}

static void on_log(void *ctx, enum kafka_log_level level, const char *cluster, const char *text)
{
	(void)ctx;
	if (getenv("V"))
		fprintf(stderr, "%d %s %s\n", (int)level, cluster, text);
}

struct kafka_cluster *kafka_bench_cluster(const char *brokers)
{
	struct kafka_cluster *cluster;
	struct err err;

	CHECK(kafka_cluster_open(
			  &(struct kafka_cluster_options){.name = "default", .brokers = brokers, .log = on_log},
			  &cluster, &err) == 0);
	return cluster;
}

/* Sends */

static void note_end(struct kafka_send *send)
{
	__atomic_store_n((bool *)send->ctx, true, __ATOMIC_RELEASE);
}

struct kafka_send *kafka_bench_send(struct kafka_producer *producer, const char *topic,
									int partition, const char *key, const char *value)
{
	static struct kafka_send send;
	static bool over;

	over = false;
	send = (struct kafka_send){
		.record = {.topic = topic,
				   .partition = partition,
				   .key = key,
				   .key_len = key ? strlen(key) : 0,
				   .value = value,
				   .value_len = value ? strlen(value) : 0},
		.done = note_end,
		.ctx = &over,
	};
	kafka_produce(producer, &send);
	KAFKA_UNTIL(__atomic_load_n(&over, __ATOMIC_ACQUIRE));
	return &send;
}

static void count_end(struct kafka_send *send)
{
	if (send->result != KAFKA_SENT)
		fprintf(stderr, "not sent: %s\n", send->err.text);
	CHECK(send->result == KAFKA_SENT);
	__atomic_fetch_sub((int *)send->ctx, 1, __ATOMIC_ACQ_REL);
}

void kafka_bench_fill(struct kafka_producer *producer, const char *topic, int partition, int from,
					  int n)
{
	struct kafka_send *sends = xcalloc((size_t)n, sizeof(*sends));
	int left = n;
	char value[16];

	for (int i = 0; i < n; i++) {
		int len = snprintf(value, sizeof(value), "%d", from + i);

		sends[i] = (struct kafka_send){
			.record = {.topic = topic,
					   .partition = partition,
					   .key = value,
					   .key_len = (size_t)len,
					   .value = value,
					   .value_len = (size_t)len},
			.done = count_end,
			.ctx = &left,
		};
		kafka_produce(producer, &sends[i]);
	}
	KAFKA_UNTIL(__atomic_load_n(&left, __ATOMIC_ACQUIRE) == 0);
	free(sends);
}

/* The taker */

void taker_init(struct taker *taker)
{
	memset(taker, 0, sizeof(*taker));
	CHECK(pthread_mutex_init(&taker->lock, NULL) == 0);
	taker->refuse_partition = -1;
}

static int on_record(void *ctx, struct kafka_taken *taken)
{
	struct taker *taker = ctx;
	const struct kafka_record *record = &taken->record;
	struct taken_note *note;
	bool keep;

	pthread_mutex_lock(&taker->lock);
	if (record->partition == taker->refuse_partition) {
		taker->n_refused++;
		pthread_mutex_unlock(&taker->lock);
		return ERR_UNAVAILABLE;
	}
	CHECK(taker->n < TAKER_MAX);
	keep = taker->keep;
	note = &taker->notes[taker->n++];
	note->taken = keep ? taken : NULL;
	note->partition = record->partition;
	note->offset = record->offset;
	note->value = record->value ? (int)strtol(record->value, NULL, 10) : -1;
	if (keep && ++taker->n_out > taker->n_out_max)
		taker->n_out_max = taker->n_out;
	pthread_mutex_unlock(&taker->lock);
	if (!keep)
		kafka_done(taken);
	return 0;
}

static void on_assigned(void *ctx, struct kafka_assigned *partitions, size_t n)
{
	struct taker *taker = ctx;

	pthread_mutex_lock(&taker->lock);
	taker->n_assigned++;
	for (size_t i = 0; i < n && taker->start != 0; i++)
		partitions[i].start = taker->start;
	pthread_mutex_unlock(&taker->lock);
}

static void on_revoked(void *ctx, const struct kafka_assigned *partitions, size_t n)
{
	struct taker *taker = ctx;

	(void)partitions, (void)n;
	pthread_mutex_lock(&taker->lock);
	taker->n_revoked++;
	pthread_mutex_unlock(&taker->lock);
}

static void on_ran(void *ctx)
{
	struct taker *taker = ctx;

	pthread_mutex_lock(&taker->lock);
	taker->n_ran++;
	pthread_mutex_unlock(&taker->lock);
}

struct kafka_consumer_options taker_options(struct taker *taker, struct kafka_cluster *cluster,
											const char *group, const char *const *topics, size_t n)
{
	return (struct kafka_consumer_options){
		.cluster = cluster,
		.group = group,
		.topics = topics,
		.n_topics = n,
		.record = on_record,
		.assigned = on_assigned,
		.revoked = on_revoked,
		.ran = on_ran,
		.ctx = taker,
	};
}

#define LOCKED(taker, value)                                                                       \
	({                                                                                             \
		int locked_;                                                                               \
		pthread_mutex_lock(&(taker)->lock);                                                        \
		locked_ = (value);                                                                         \
		pthread_mutex_unlock(&(taker)->lock);                                                      \
		locked_;                                                                                   \
	})

int taker_count(struct taker *taker)
{
	return LOCKED(taker, taker->n);
}

int taker_refused(struct taker *taker)
{
	return LOCKED(taker, taker->n_refused);
}

int taker_out(struct taker *taker)
{
	return LOCKED(taker, taker->n_out);
}

void taker_keep(struct taker *taker, bool keep)
{
	(void)LOCKED(taker, (taker->keep = keep, 0));
}

void taker_refuse(struct taker *taker, int partition)
{
	(void)LOCKED(taker, (taker->refuse_partition = partition, 0));
}

void taker_done(struct taker *taker, int i)
{
	struct kafka_taken *taken;

	pthread_mutex_lock(&taker->lock);
	taken = TAKE(taker->notes[i].taken);
	if (taken)
		taker->n_out--;
	pthread_mutex_unlock(&taker->lock);
	if (taken)
		kafka_done(taken);
}

void taker_done_all(struct taker *taker)
{
	for (int i = 0, n = taker_count(taker); i < n; i++)
		taker_done(taker, i);
}

struct taken_note taker_note(struct taker *taker, int i)
{
	struct taken_note note;

	pthread_mutex_lock(&taker->lock);
	CHECK(i < taker->n);
	note = taker->notes[i];
	pthread_mutex_unlock(&taker->lock);
	return note;
}

int taker_missing(struct taker *taker, int n)
{
	CLEANUP(free_p) bool *seen = xcalloc((size_t)n, sizeof(*seen));

	for (int i = 0, count = taker_count(taker); i < count; i++) {
		int value = taker_note(taker, i).value;

		if (value >= 0 && value < n)
			seen[value] = true;
	}
	for (int i = 0; i < n; i++) {
		if (!seen[i])
			return i;
	}
	return -1;
}

int64_t kafka_bench_committed(struct kafka_cluster *cluster, const char *group, const char *topic,
							  int partition)
{
	struct kafka_partition_offset list[64];
	struct err err;
	size_t n;

	if (kafka_group_committed(cluster, group, topic, 5000, list, ARRAY_SIZE(list), &n, &err) < 0) {
		fprintf(stderr, "committed: %s\n", err.text);
		return -2;
	}
	CHECK((size_t)partition < n);
	return list[partition].offset;
}
