/*
 * A Kafka cluster inside the process (librdkafka's mock): for `skald dev --kafka` and for tests
 * that want broken brokers. It keeps records in memory, and a limited number of them; topics appear
 * when they are first named, with 4 partitions unless kafka_mock_topic said otherwise.
 *
 * Thread: any.
 */
#ifndef CONNECTORS_KAFKA_MOCK_H
#define CONNECTORS_KAFKA_MOCK_H

#include <stdint.h>

#include "sagas/base/err.h"

struct kafka_mock;

int kafka_mock_start(int n_brokers, struct kafka_mock **ret_mock, struct err *err) MUST_CHECK;
void kafka_mock_stop(struct kafka_mock *mock); /* takes NULL */
/* "127.0.0.1:41245,…"; other processes may use it too. Lives as long as the mock. */
const char *kafka_mock_brokers(const struct kafka_mock *mock);
/* Makes a topic; ERR_CONFLICT when it is there. */
int kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions,
					 struct err *err) MUST_CHECK;

/* What goes wrong. Requests of one kind fail `n` times with an error. */
enum kafka_mock_request {
	KAFKA_MOCK_PRODUCE,
	KAFKA_MOCK_FETCH,
	KAFKA_MOCK_LIST_OFFSETS,
	KAFKA_MOCK_OFFSET_COMMIT,
	KAFKA_MOCK_OFFSET_FETCH,
	KAFKA_MOCK_JOIN_GROUP,
	KAFKA_MOCK_HEARTBEAT,
	KAFKA_MOCK_FIND_COORDINATOR,
	KAFKA_MOCK_INIT_PRODUCER_ID,
	KAFKA_MOCK_METADATA,
};
enum kafka_mock_error {
	KAFKA_MOCK_DISCONNECT, /* the connection is closed instead of an answer */
	KAFKA_MOCK_NOT_LEADER,
	KAFKA_MOCK_TIMED_OUT,
	KAFKA_MOCK_TOO_LARGE,
	KAFKA_MOCK_NOT_ALLOWED, /* topic authorization failed */
	KAFKA_MOCK_NOT_COORDINATOR,
	KAFKA_MOCK_COORDINATOR_LOADING,
	KAFKA_MOCK_REBALANCING,
	KAFKA_MOCK_UNKNOWN_MEMBER,
	KAFKA_MOCK_OUT_OF_ORDER_SEQUENCE,
};
void kafka_mock_fail(struct kafka_mock *mock, enum kafka_mock_request request,
					 enum kafka_mock_error error, int n);
void kafka_mock_fail_clear(struct kafka_mock *mock, enum kafka_mock_request request);
/* broker: 1 … n_brokers; 0: all. */
void kafka_mock_broker_down(struct kafka_mock *mock, int broker);
void kafka_mock_broker_up(struct kafka_mock *mock, int broker);
void kafka_mock_broker_delay(struct kafka_mock *mock, int broker, int64_t rtt_ms);

#endif
