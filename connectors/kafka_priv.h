/*
 * What the files of the Kafka wrapper share. Third-party: librdkafka.
 */
#ifndef CONNECTORS_KAFKA_PRIV_H
#define CONNECTORS_KAFKA_PRIV_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "connectors/kafka.h"

/*
 * What a producer and a consumer have in common: the first member of both, and librdkafka's opaque
 * pointer. The mutex guards what follows it, and is held for moments only.
 */
struct kafka_client {
	struct kafka_cluster *cluster;
	_Atomic bool fatal;  /* the instance is of no more use */
	_Atomic bool silent; /* what it still logs is not wanted: its end was not waited for */
	pthread_mutex_t mutex;
	bool all_down;
	int brokers_up;
	int64_t rtt_us;
	int64_t bytes_sent; /* of this instance */
	int64_t errors;
	char last_error[256];
	wall_ms last_error_at;
};

/* An instance that asks what a group has committed (kafka_committed.c). */
struct kafka__group_asker {
	char *group; /* NULL: none */
	rd_kafka_t *rk;
	int busy;      /* who asks it now */
	uint64_t used; /* when it was last used: a count */
};

struct kafka_cluster {
	_Atomic int refs; /* the owner's, and one for each client but the asker */
	char *name, *brokers, *client_id;
	struct kafka_property *properties; /* copies */
	size_t n_properties;
	void (*log)(void *ctx, enum kafka_log_level level, const char *cluster, const char *text);
	void *log_ctx;
	/* For questions; has no group and is never polled, so it has no functions but the log's. */
	struct kafka_client asker;
	rd_kafka_t *ask;
	pthread_mutex_t group_askers_lock; /* of these: */
	struct kafka__group_asker group_askers[8];
	uint64_t group_askers_used;
};

/* A setting of Skald's own; wins over the user's. */
struct kafka__setting {
	const char *name, *value;
};

/*
 * A librdkafka instance with Skald's defaults, the user's properties, and then `own`; with log,
 * error and statistics functions when `client` is polled. ERR_INVALID.
 */
int kafka__conf(const struct kafka_cluster *cluster, struct kafka_client *client, bool polled,
				const struct kafka__setting *own, size_t n, rd_kafka_conf_t **ret_conf,
				struct err *err) MUST_CHECK;
/* Takes the conf, also on failure. */
int kafka__new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk,
			   struct err *err) MUST_CHECK;

/*
 * Destroys an instance. librdkafka may wait for long in it: for a coordinator that is away, as long
 * as a session lasts. True: it is gone. False: after wait_ms it is left to a thread of its own,
 * which calls over(ctx) at the end.
 */
bool kafka__destroy(rd_kafka_t *rk, int64_t wait_ms, void (*over)(void *ctx), void *ctx);
bool kafka__all_down(struct kafka_client *client);
void kafka__cluster_unref(struct kafka_cluster *cluster);
/* The number of partitions of a topic. */
int kafka__count_partitions(struct kafka_cluster *cluster, const char *topic, int64_t timeout_ms,
							int *ret_n, struct err *err) MUST_CHECK;
void kafka__group_askers_release(struct kafka_cluster *cluster);

void kafka__client_init(struct kafka_client *client, struct kafka_cluster *cluster);
void kafka__client_release(struct kafka_client *client);
/* Something went wrong; the latest is kept for people. */
void kafka__note_error(struct kafka_client *client, const char *text);
/* The brokers answered. */
void kafka__note_life(struct kafka_client *client);
/* Reads librdkafka's statistics into the client; what does not parse changes nothing. */
void kafka__stats_read(struct kafka_client *client, const char *json, size_t len);

/* Fills err by librdkafka's code and returns the code of ours; text: "<what>: <why>". */
int kafka__err(struct err *err, rd_kafka_resp_err_t code, const char *why, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

wall_ms kafka__wall_ms(void);
int64_t kafka__mono_ms(void);

#endif
