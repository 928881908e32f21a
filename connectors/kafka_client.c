/*
 * What producer, consumers and questions share: how a librdkafka instance is configured, what its
 * errors mean here, its log and its statistics.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/kafka_priv.h"

enum { STATISTICS_MAX_BYTES = 4 * 1024 * 1024 };

wall_ms kafka__wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (wall_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t kafka__mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void kafka__client_init(struct kafka_client *client, struct kafka_cluster *cluster)
{
	client->cluster = cluster;
	if (client != &cluster->asker)
		atomic_fetch_add(&cluster->refs, 1);
	CHECK(pthread_mutex_init(&client->mutex, NULL) == 0);
}

void kafka__client_release(struct kafka_client *client)
{
	struct kafka_cluster *cluster = client->cluster;

	pthread_mutex_destroy(&client->mutex);
	if (client != &cluster->asker)
		kafka__cluster_unref(cluster);
}

bool kafka__all_down(struct kafka_client *client)
{
	bool down;

	pthread_mutex_lock(&client->mutex);
	down = client->all_down;
	pthread_mutex_unlock(&client->mutex);
	return down;
}

/* The end of an instance, seen by the two who may wait for it. */
struct end {
	rd_kafka_t *rk;
	void (*over)(void *ctx);
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, abandoned;
};

static void end_free(struct end *end)
{
	pthread_mutex_destroy(&end->lock);
	pthread_cond_destroy(&end->changed);
	free(end);
}

static void *run_end(void *arg)
{
	struct end *end = arg;
	bool abandoned;

	rd_kafka_destroy_flags(end->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	pthread_mutex_lock(&end->lock);
	end->done = true;
	abandoned = end->abandoned;
	pthread_cond_signal(&end->changed);
	pthread_mutex_unlock(&end->lock);
	if (abandoned) {
		end->over(end->ctx);
		end_free(end);
	}
	return NULL;
}

bool kafka__destroy(rd_kafka_t *rk, int64_t wait_ms, void (*over)(void *ctx), void *ctx)
{
	struct end *end = xcalloc(1, sizeof(*end));
	int64_t until = kafka__mono_ms() + wait_ms;
	const struct timespec at = {until / 1000, until % 1000 * 1000000};
	pthread_condattr_t attr;
	pthread_t thread;
	int r = 0;

	*end = (struct end){.rk = rk, .over = over, .ctx = ctx};
	CHECK(pthread_mutex_init(&end->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&end->changed, &attr) == 0);
	pthread_condattr_destroy(&attr);
	CHECK(pthread_create(&thread, NULL, run_end, end) == 0);
	pthread_mutex_lock(&end->lock);
	while (!end->done && r == 0)
		r = pthread_cond_timedwait(&end->changed, &end->lock, &at);
	end->abandoned = !end->done;
	if (end->abandoned) {
		pthread_detach(thread);
		pthread_mutex_unlock(&end->lock);
		return false;
	}
	pthread_mutex_unlock(&end->lock);
	CHECK(pthread_join(thread, NULL) == 0);
	end_free(end);
	return true;
}

void kafka__note_error(struct kafka_client *client, const char *text)
{
	wall_ms now = kafka__wall_ms();

	pthread_mutex_lock(&client->mutex);
	client->errors++;
	client->last_error_at = now;
	snprintf(client->last_error, sizeof(client->last_error), "%s", text);
	pthread_mutex_unlock(&client->mutex);
}

void kafka__note_life(struct kafka_client *client)
{
	pthread_mutex_lock(&client->mutex);
	client->all_down = false;
	pthread_mutex_unlock(&client->mutex);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const struct kafka_client *client = rk ? rd_kafka_opaque(rk) : NULL;
	enum kafka_log_level ours = KAFKA_LOG_DEBUG;
	char line[700];

	if (!client || atomic_load(&client->silent) || !client->cluster->log)
		return;
	/* Each property goes to every instance; that one kind of them has no use for it is no news. */
	if (strcmp(facility, "CONFWARN") == 0 &&
		(strstr(text, "is a consumer property") || strstr(text, "is a producer property")))
		return;
	if (level <= 3)
		ours = KAFKA_LOG_ERROR;
	else if (level <= 5)
		ours = KAFKA_LOG_WARNING;
	else if (level == 6)
		ours = KAFKA_LOG_INFO;
	snprintf(line, sizeof(line), "%s: %s: %s", rd_kafka_name(rk), facility, text);
	client->cluster->log(client->cluster->log_ctx, ours, client->cluster->name, line);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka_client *client = opaque;
	char why[200], text[256];

	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, why, sizeof(why));

		snprintf(text, sizeof(text), "%s: %s", rd_kafka_err2name(cause), why);
		atomic_store(&client->fatal, true);
		reason = text;
	} else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		pthread_mutex_lock(&client->mutex);
		client->all_down = true;
		pthread_mutex_unlock(&client->mutex);
	}
	kafka__note_error(client, reason);
}

void kafka__stats_read(struct kafka_client *client, const char *json, size_t len)
{
	json_t *doc, *broker;
	const char *name;
	int64_t rtt_sum = 0, rtt_n = 0;
	int up = 0;

	if (len > STATISTICS_MAX_BYTES)
		return;
	doc = json_loadb(json, len, 0, NULL);
	if (!doc)
		return;
	json_object_foreach (json_object_get(doc, "brokers"), name, broker) {
		const char *state = json_string_value(json_object_get(broker, "state"));
		json_t *rtt = json_object_get(broker, "rtt");

		if (state && strcmp(state, "UP") == 0)
			up++;
		if (json_integer_value(json_object_get(rtt, "cnt")) > 0) {
			rtt_sum += json_integer_value(json_object_get(rtt, "avg"));
			rtt_n++;
		}
	}
	pthread_mutex_lock(&client->mutex);
	client->brokers_up = up;
	client->rtt_us = rtt_n > 0 ? rtt_sum / rtt_n : 0;
	client->bytes_sent = json_integer_value(json_object_get(doc, "tx_bytes"));
	if (up > 0)
		client->all_down = false;
	pthread_mutex_unlock(&client->mutex);
	json_decref(doc);
}

static int on_stats(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	(void)rk;
	kafka__stats_read(opaque, json, len);
	return 0; /* librdkafka frees it */
}

/* What suits Skald better than librdkafka's defaults; the user's properties win over these. */
static const struct kafka__setting defaults[] = {
	{"linger.ms", "1"},
	{"request.timeout.ms", "5000"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{"topic.metadata.propagation.max.ms", "5000"},
	{"reconnect.backoff.max.ms", "2000"},
	{"socket.connection.setup.timeout.ms", "10000"},
	{"socket.keepalive.enable", "true"},
	/* How long the partitions of a node that was killed are nobody's: about as long as its slots.
	 */
	{"session.timeout.ms", "10000"},
	{"heartbeat.interval.ms", "2000"},
	{"log.connection.close", "false"},
	{"queued.min.messages", "10000"},
	{"queued.max.messages.kbytes", "16384"},
	{"fetch.error.backoff.ms", "200"},
};

int kafka__conf(const struct kafka_cluster *cluster, struct kafka_client *client, bool polled,
				const struct kafka__setting *own, size_t n, rd_kafka_conf_t **ret_conf,
				struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[400];

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		CHECK(rd_kafka_conf_set(conf, defaults[i].name, defaults[i].value, text, sizeof(text)) ==
			  RD_KAFKA_CONF_OK);
	CHECK(rd_kafka_conf_set(conf, "client.id", cluster->client_id, text, sizeof(text)) ==
		  RD_KAFKA_CONF_OK);
	for (size_t i = 0; i < cluster->n_properties; i++) {
		const struct kafka_property *property = &cluster->properties[i];

		/* Each was checked by itself, but some are refused beside others. */
		if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) !=
			RD_KAFKA_CONF_OK) {
			rd_kafka_conf_destroy(conf);
			return err_set(err, ERR_INVALID, "cluster %s: property `%s` is refused", cluster->name,
						   property->name);
		}
	}
	if (rd_kafka_conf_set(conf, "bootstrap.servers", cluster->brokers, text, sizeof(text)) !=
		RD_KAFKA_CONF_OK) {
		rd_kafka_conf_destroy(conf);
		return err_set(err, ERR_INVALID, "cluster %s: brokers: %s", cluster->name, text);
	}
	for (size_t i = 0; i < n; i++) {
		if (rd_kafka_conf_set(conf, own[i].name, own[i].value, text, sizeof(text)) !=
			RD_KAFKA_CONF_OK) {
			rd_kafka_conf_destroy(conf);
			return err_set(err, ERR_INVALID, "cluster %s: %s", cluster->name, text);
		}
	}
	rd_kafka_conf_set_opaque(conf, client);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (polled) {
		rd_kafka_conf_set_error_cb(conf, on_error);
		rd_kafka_conf_set_stats_cb(conf, on_stats);
	}
	*ret_conf = conf;
	return 0;
}

int kafka__new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk, struct err *err)
{
	char text[400];
	rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));

	if (!rk) {
		rd_kafka_conf_destroy(conf);
		return err_set(err, ERR_INVALID, "%s", text);
	}
	*ret_rk = rk;
	return 0;
}

/* Of several hundred codes, those that mean something of their own here; others are ERR_IO. */
static const struct {
	rd_kafka_resp_err_t code;
	enum err_code ours;
	bool retriable;
} known_errors[] = {
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_LIMIT, false},
	{RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, ERR_LIMIT, false},
	{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERR_LIMIT, false},
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_NOT_FOUND, true},
	{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_NOT_FOUND, true},
	{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_NOT_FOUND, true},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_CONFLICT, false},
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR__INVALID_ARG, ERR_INVALID, false},
	{RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__TRANSPORT, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__RESOLVE, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__WAIT_COORD, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__FATAL, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ERR_UNAVAILABLE, true},
	{RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ERR_UNAVAILABLE, true},
};

int kafka__err(struct err *err, rd_kafka_resp_err_t code, const char *why, const char *fmt, ...)
{
	enum err_code ours = ERR_IO;
	bool retriable = true;
	char what[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	for (size_t i = 0; i < ARRAY_SIZE(known_errors); i++) {
		if (known_errors[i].code == code) {
			ours = known_errors[i].ours;
			retriable = known_errors[i].retriable;
			break;
		}
	}
	err_set(err, ours, "%s: %s", what, why && *why ? why : rd_kafka_err2str(code));
	if (err)
		err->retriable = retriable;
	return ours;
}
