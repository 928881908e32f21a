/*
 * What a group has committed, asked without being a member. librdkafka's ListConsumerGroupOffsets
 * would be the request for this, but up to 2.0 at least it crashes the process when a coordinator
 * answers that it is still loading; so an instance that has the group's name and subscribes to
 * nothing asks rd_kafka_committed, which waits for coordinators.
 *
 * A few such instances are kept, since the same groups are asked for again and again.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka_priv.h"

static void asker_free(struct kafka__group_asker *asker)
{
	if (asker->rk)
		rd_kafka_destroy_flags(asker->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	free(asker->group);
	*asker = (struct kafka__group_asker){0};
}

void kafka__group_askers_release(struct kafka_cluster *cluster)
{
	for (size_t i = 0; i < ARRAY_SIZE(cluster->group_askers); i++)
		asker_free(&cluster->group_askers[i]);
	pthread_mutex_destroy(&cluster->group_askers_lock);
}

static int asker_new(struct kafka_cluster *cluster, const char *group,
					 struct kafka__group_asker *ret_asker, struct err *err)
{
	const struct kafka__setting own[] = {
		{"group.id", group},
		{"enable.auto.commit", "false"},
	};
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	int r = kafka__conf(cluster, &cluster->asker, false, own, ARRAY_SIZE(own), &conf, err);

	if (r == 0)
		r = kafka__new(RD_KAFKA_CONSUMER, conf, &rk, err);
	if (r == 0)
		*ret_asker = (struct kafka__group_asker){.group = xstrdup(group), .rk = rk};
	return r;
}

/* That of the group, or the place for it: an empty one, else the idle one that was used least
 * lately. NULL: all are busy. Under the lock. */
static struct kafka__group_asker *find(struct kafka_cluster *cluster, const char *group)
{
	struct kafka__group_asker *best = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cluster->group_askers); i++) {
		struct kafka__group_asker *at = &cluster->group_askers[i];

		if (at->group && strcmp(at->group, group) == 0)
			return at;
		if (at->busy == 0 && (!best || at->used < best->used))
			best = at;
	}
	return best;
}

static int take(struct kafka_cluster *cluster, const char *group,
				struct kafka__group_asker **ret_asker, struct err *err)
{
	struct kafka__group_asker *asker = NULL;
	int r = 0;

	pthread_mutex_lock(&cluster->group_askers_lock);
	asker = find(cluster, group);
	if (!asker) {
		r = err_set(err, ERR_UNAVAILABLE, "too many groups are asked for at once");
	} else if (!asker->group || strcmp(asker->group, group) != 0) {
		asker_free(asker);
		r = asker_new(cluster, group, asker, err);
	}
	if (r == 0) {
		asker->busy++;
		asker->used = ++cluster->group_askers_used;
		*ret_asker = asker;
	}
	pthread_mutex_unlock(&cluster->group_askers_lock);
	return r;
}

static void give_back(struct kafka_cluster *cluster, struct kafka__group_asker *asker)
{
	pthread_mutex_lock(&cluster->group_askers_lock);
	asker->busy--;
	pthread_mutex_unlock(&cluster->group_askers_lock);
}

static int ask(rd_kafka_t *rk, const char *group, const char *topic, int64_t timeout_ms,
			   struct kafka_partition_offset *committed, int n, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	rd_kafka_resp_err_t code;

	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topic, i);
	code = rd_kafka_committed(rk, list, timeout_ms > 1 ? (int)timeout_ms : 1);
	for (int i = 0; i < n && !code; i++) {
		code = list->elems[i].err;
		committed[i] = (struct kafka_partition_offset){
			i, list->elems[i].offset >= 0 ? list->elems[i].offset : -1};
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka__err(err, code, NULL, "group %s", group) : 0;
}

int kafka_group_committed(struct kafka_cluster *cluster, const char *group, const char *topic,
						  int64_t timeout_ms, struct kafka_partition_offset *committed, size_t max,
						  size_t *ret_n, struct err *err)
{
	int64_t until = kafka__mono_ms() + timeout_ms;
	struct kafka__group_asker *asker = NULL;
	int n, r;

	r = kafka__count_partitions(cluster, topic, timeout_ms, &n, err);
	if (r < 0)
		return r;
	if ((size_t)n > max)
		return err_set(err, ERR_LIMIT, "topic %s has %d partitions, more than %zu", topic, n, max);
	r = take(cluster, group, &asker, err);
	if (r < 0)
		return r;
	r = ask(asker->rk, group, topic, until - kafka__mono_ms(), committed, n, err);
	give_back(cluster, asker);
	if (r == 0)
		*ret_n = (size_t)n;
	return r;
}
