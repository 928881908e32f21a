/* librdkafka's mock cluster; see the header. */
#include "connectors/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct kafka_mock {
	rd_kafka_t *rk; /* its brokers run as threads of this instance */
	rd_kafka_mock_cluster_t *cluster;
	int n_brokers;
};

/* The numbers of requests in Kafka's protocol. */
static const int16_t api_keys[] = {
	[KAFKA_MOCK_PRODUCE] = 0,           [KAFKA_MOCK_FETCH] = 1,
	[KAFKA_MOCK_LIST_OFFSETS] = 2,      [KAFKA_MOCK_METADATA] = 3,
	[KAFKA_MOCK_OFFSET_COMMIT] = 8,     [KAFKA_MOCK_OFFSET_FETCH] = 9,
	[KAFKA_MOCK_FIND_COORDINATOR] = 10, [KAFKA_MOCK_JOIN_GROUP] = 11,
	[KAFKA_MOCK_HEARTBEAT] = 12,        [KAFKA_MOCK_INIT_PRODUCER_ID] = 22,
};

static const rd_kafka_resp_err_t errors[] = {
	[KAFKA_MOCK_DISCONNECT] = RD_KAFKA_RESP_ERR__TRANSPORT,
	[KAFKA_MOCK_NOT_LEADER] = RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
	[KAFKA_MOCK_TIMED_OUT] = RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
	[KAFKA_MOCK_TOO_LARGE] = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
	[KAFKA_MOCK_NOT_ALLOWED] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
	[KAFKA_MOCK_NOT_COORDINATOR] = RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
	[KAFKA_MOCK_COORDINATOR_LOADING] = RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
	[KAFKA_MOCK_REBALANCING] = RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
	[KAFKA_MOCK_UNKNOWN_MEMBER] = RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
	[KAFKA_MOCK_OUT_OF_ORDER_SEQUENCE] = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk, (void)level, (void)facility, (void)text; /* its clients say what they see */
}

int kafka_mock_start(int n_brokers, struct kafka_mock **ret_mock, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct kafka_mock *mock;
	char text[400];
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, on_log);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		return err_set(err, ERR_UNAVAILABLE, "Kafka inside the process: %s", text);
	}
	mock = xcalloc(1, sizeof(*mock));
	mock->rk = rk;
	mock->n_brokers = n_brokers;
	mock->cluster = rd_kafka_mock_cluster_new(rk, n_brokers);
	if (!mock->cluster) {
		kafka_mock_stop(mock);
		return err_set(err, ERR_UNAVAILABLE, "Kafka inside the process could not be started");
	}
	*ret_mock = mock;
	return 0;
}

void kafka_mock_stop(struct kafka_mock *mock)
{
	if (!mock)
		return;
	if (mock->cluster)
		rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(mock->rk);
	free(mock);
}

const char *kafka_mock_brokers(const struct kafka_mock *mock)
{
	return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

int kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1);

	if (code)
		return err_set(err, ERR_CONFLICT, "topic %s: %s", topic, rd_kafka_err2str(code));
	return 0;
}

void kafka_mock_fail(struct kafka_mock *mock, enum kafka_mock_request request,
					 enum kafka_mock_error error, int n)
{
	rd_kafka_resp_err_t *list = xcalloc((size_t)n, sizeof(*list));

	for (int i = 0; i < n; i++)
		list[i] = errors[error];
	rd_kafka_mock_push_request_errors_array(mock->cluster, api_keys[request], (size_t)n, list);
	free(list);
}

void kafka_mock_fail_clear(struct kafka_mock *mock, enum kafka_mock_request request)
{
	rd_kafka_mock_clear_request_errors(mock->cluster, api_keys[request]);
}

static void each_broker(struct kafka_mock *mock, int broker,
						void (*act)(struct kafka_mock *mock, int broker, int64_t arg), int64_t arg)
{
	for (int i = 1; i <= mock->n_brokers; i++) {
		if (broker == 0 || broker == i)
			act(mock, i, arg);
	}
}

static void set_down(struct kafka_mock *mock, int broker, int64_t arg)
{
	(void)arg;
	rd_kafka_mock_broker_set_down(mock->cluster, broker);
}

static void set_up(struct kafka_mock *mock, int broker, int64_t arg)
{
	(void)arg;
	rd_kafka_mock_broker_set_up(mock->cluster, broker);
}

static void set_rtt(struct kafka_mock *mock, int broker, int64_t arg)
{
	rd_kafka_mock_broker_set_rtt(mock->cluster, broker, (int)arg);
}

void kafka_mock_broker_down(struct kafka_mock *mock, int broker)
{
	each_broker(mock, broker, set_down, 0);
}

void kafka_mock_broker_up(struct kafka_mock *mock, int broker)
{
	each_broker(mock, broker, set_up, 0);
}

void kafka_mock_broker_delay(struct kafka_mock *mock, int broker, int64_t rtt_ms)
{
	each_broker(mock, broker, set_rtt, rtt_ms);
}
