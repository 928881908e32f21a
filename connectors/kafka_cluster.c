/*
 * Clusters, and questions to their brokers: ends of partitions, making topics. What groups have
 * committed is asked in kafka_committed.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/kafka_priv.h"

void kafka__cluster_unref(struct kafka_cluster *cluster)
{
	if (atomic_fetch_sub(&cluster->refs, 1) > 1)
		return;
	for (size_t i = 0; i < cluster->n_properties; i++) {
		free((char *)cluster->properties[i].name);
		free((char *)cluster->properties[i].value);
	}
	free(cluster->properties);
	free(cluster->name);
	free(cluster->brokers);
	free(cluster->client_id);
	kafka__client_release(&cluster->asker);
	free(cluster);
}

void kafka_cluster_close(struct kafka_cluster *cluster)
{
	if (!cluster)
		return;
	if (cluster->ask)
		rd_kafka_destroy_flags(cluster->ask, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	kafka__group_askers_release(cluster);
	kafka__cluster_unref(cluster);
}
DEFINE_CLEANUP(struct kafka_cluster *, kafka_cluster_close)

int kafka_cluster_open(const struct kafka_cluster_options *options,
					   struct kafka_cluster **ret_cluster, struct err *err)
{
	CLEANUP(kafka_cluster_close_p) struct kafka_cluster *cluster = NULL;
	rd_kafka_conf_t *conf;
	int r;

	if (!options->brokers || !*options->brokers)
		return err_set(err, ERR_INVALID, "cluster %s: no brokers are named", options->name);
	if (strlen(options->name) > KAFKA_CLUSTER_NAME_MAX)
		return err_set(err, ERR_LIMIT, "the name of a cluster has at most %d bytes",
					   KAFKA_CLUSTER_NAME_MAX);
	cluster = xcalloc(1, sizeof(*cluster));
	cluster->refs = 1;
	CHECK(pthread_mutex_init(&cluster->group_askers_lock, NULL) == 0);
	kafka__client_init(&cluster->asker, cluster);
	cluster->name = xstrdup(options->name);
	cluster->brokers = xstrdup(options->brokers);
	cluster->client_id = xstrdup(options->client_id ? options->client_id : "skald");
	cluster->log = options->log;
	cluster->log_ctx = options->log_ctx;
	cluster->properties = xcalloc(options->n_properties + 1, sizeof(*cluster->properties));
	for (size_t i = 0; i < options->n_properties; i++) {
		const struct kafka_property *property = &options->properties[i];

		r = kafka_property_check(property->name, property->value, err);
		if (r < 0) {
			err_prefix(err, "cluster %s", cluster->name);
			return r;
		}
		cluster->properties[i].name = xstrdup(property->name);
		cluster->properties[i].value = xstrdup(property->value);
		cluster->n_properties++;
	}
	/* A consumer, for it never makes a topic by asking for it. */
	r = kafka__conf(cluster, &cluster->asker, false, NULL, 0, &conf, err);
	if (r < 0)
		return r;
	r = kafka__new(RD_KAFKA_CONSUMER, conf, &cluster->ask, err);
	if (r < 0) {
		err_prefix(err, "cluster %s", cluster->name);
		return r;
	}
	*ret_cluster = TAKE(cluster);
	return 0;
}

const char *kafka_cluster_name(const struct kafka_cluster *cluster)
{
	return cluster->name;
}

int kafka__count_partitions(struct kafka_cluster *cluster, const char *topic, int64_t timeout_ms,
							int *ret_n, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(cluster->ask, topic, NULL);
	rd_kafka_resp_err_t code;

	if (!handle)
		return kafka__err(err, rd_kafka_last_error(), NULL, "topic %s", topic);
	code = rd_kafka_metadata(cluster->ask, 0, handle, &metadata, (int)timeout_ms);
	rd_kafka_topic_destroy(handle);
	if (code)
		return kafka__err(err, code, NULL, "topic %s", topic);
	code = metadata->topic_cnt == 1 ? metadata->topics[0].err
									: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	*ret_n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	if (code)
		return kafka__err(err, code, NULL, "topic %s", topic);
	if (*ret_n == 0)
		return err_set(err, ERR_UNAVAILABLE, "topic %s has no partitions yet", topic);
	return 0;
}

static int ends_once(struct kafka_cluster *cluster, const char *topic, int64_t timeout_ms,
					 struct kafka_partition_offset *ends, size_t max, size_t *ret_n,
					 struct err *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	int64_t until = kafka__mono_ms() + timeout_ms, left;
	int n, r;

	r = kafka__count_partitions(cluster, topic, timeout_ms, &n, err);
	if (r < 0)
		return r;
	if ((size_t)n > max)
		return err_set(err, ERR_LIMIT, "topic %s has %d partitions, more than %zu", topic, n, max);
	list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_END;
	left = until - kafka__mono_ms();
	/* Asked for "the end" as a time, brokers answer with the end. */
	code = rd_kafka_offsets_for_times(cluster->ask, list, left > 1 ? (int)left : 1);
	for (int i = 0; i < n && !code; i++) {
		code = list->elems[i].err;
		ends[i] = (struct kafka_partition_offset){i, list->elems[i].offset};
		if (!code && ends[i].offset < 0)
			code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (code)
		return kafka__err(err, code, NULL, "ends of topic %s", topic);
	*ret_n = (size_t)n;
	return 0;
}

int kafka_ends(struct kafka_cluster *cluster, const char *topic, int64_t timeout_ms,
			   struct kafka_partition_offset *ends, size_t max, size_t *ret_n, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	int64_t until = kafka__mono_ms() + timeout_ms, left = timeout_ms;
	int r;

	/* A new topic, or one whose leader moves, has nobody to ask for a moment. */
	for (;;) {
		r = ends_once(cluster, topic, left, ends, max, ret_n, err);
		left = until - kafka__mono_ms();
		if (r != ERR_UNAVAILABLE || left < 100)
			return r;
		nanosleep(&pause, NULL);
	}
}

/* Waits for the answer to a request of the Admin API. */
static int admin_wait(rd_kafka_queue_t *queue, int64_t timeout_ms, const char *what,
					  rd_kafka_event_t **ret_event, struct err *err)
{
	/* The request has a limit of its own; a little more lets it say what went wrong. */
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms + 500);
	int r;

	if (!event)
		return err_set(err, ERR_UNAVAILABLE, "%s: no broker answered in %lld ms", what,
					   (long long)timeout_ms);
	if (rd_kafka_event_error(event)) {
		r = kafka__err(err, rd_kafka_event_error(event), rd_kafka_event_error_string(event), "%s",
					   what);
		rd_kafka_event_destroy(event);
		return r;
	}
	*ret_event = event;
	return 0;
}

static rd_kafka_AdminOptions_t *admin_options(struct kafka_cluster *cluster, rd_kafka_admin_op_t op,
											  int64_t timeout_ms)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(cluster->ask, op);
	char text[200];

	CHECK(rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, text, sizeof(text)) ==
		  RD_KAFKA_RESP_ERR_NO_ERROR);
	return options;
}

/* Asks for a topic to be made; that it is there already is no error. */
static int topic_make(struct kafka_cluster *cluster, const char *topic, int partitions,
					  int64_t timeout_ms, struct err *err)
{
	char text[400];
	rd_kafka_NewTopic_t *request = rd_kafka_NewTopic_new(topic, partitions, -1, text, sizeof(text));
	rd_kafka_AdminOptions_t *options;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event = NULL;
	const rd_kafka_topic_result_t **topics;
	size_t n_topics;
	int r;

	if (!request)
		return err_set(err, ERR_INVALID, "topic %s: %s", topic, text);
	options = admin_options(cluster, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
	/* Return when the brokers know it, not when it was only asked for. */
	CHECK(rd_kafka_AdminOptions_set_operation_timeout(options, (int)timeout_ms, text,
													  sizeof(text)) == RD_KAFKA_RESP_ERR_NO_ERROR);
	queue = rd_kafka_queue_new(cluster->ask);
	rd_kafka_CreateTopics(cluster->ask, &request, 1, options, queue);
	r = admin_wait(queue, timeout_ms, "making a topic", &event, err);
	if (r == 0) {
		rd_kafka_resp_err_t code;

		topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
													 &n_topics);
		CHECK(n_topics == 1);
		code = rd_kafka_topic_result_error(topics[0]);
		if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			r = kafka__err(err, code, rd_kafka_topic_result_error_string(topics[0]), "topic %s",
						   topic);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(request);
	return r;
}

/* A broker may hear a moment later of a topic that was just made. */
static int count_again(struct kafka_cluster *cluster, const char *topic, int64_t until, int *ret_n,
					   struct err *err)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	int64_t left;
	int r;

	for (;;) {
		left = until - kafka__mono_ms();
		r = kafka__count_partitions(cluster, topic, left > 100 ? left : 100, ret_n, err);
		if (r == 0 || left <= 0 || (r != ERR_NOT_FOUND && r != ERR_UNAVAILABLE))
			return r;
		nanosleep(&pause, NULL);
	}
}

int kafka_topic_ensure(struct kafka_cluster *cluster, const char *topic, int partitions,
					   int64_t timeout_ms, int *ret_partitions, struct err *err)
{
	int64_t until = kafka__mono_ms() + timeout_ms, left;
	int n = 0, r;

	if (!*topic || strlen(topic) >= KAFKA_TOPIC_SIZE)
		return err_set(err, ERR_INVALID, "the name of a topic has 1 to %d bytes",
					   KAFKA_TOPIC_SIZE - 1);
	r = kafka__count_partitions(cluster, topic, timeout_ms, &n, err);
	if (r == ERR_NOT_FOUND) {
		left = until - kafka__mono_ms();
		r = topic_make(cluster, topic, partitions, left > 1 ? left : 1, err);
		/* It may have been there already, with another number. */
		if (r == 0)
			r = count_again(cluster, topic, until, &n, err);
	}
	if (r == 0 && ret_partitions)
		*ret_partitions = n;
	return r;
}
