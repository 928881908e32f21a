/* What the brokers know of a trigger's partitions, whichever node consumes them. */
#include <string.h>

#include "coordinator/kafka/trigger_priv.h"

/* Where to ask; copies, since a trigger may go while its brokers are waited for. */
struct places {
	char *cluster, *topic, *group;
	bool brokers_down;
	struct trigger_partition here[TRIGGER_PARTITIONS_MAX];
	size_t n_here;
};

static void note(void *ctx, const struct trigger_info *info)
{
	struct places *places = ctx;

	places->cluster = xstrdup(info->cluster);
	places->topic = xstrdup(info->topic);
	places->group = xstrdup(info->group);
	places->brokers_down = info->brokers_down;
	places->n_here = info->n_partitions;
	memcpy(places->here, info->partitions, info->n_partitions * sizeof(*info->partitions));
}

static void places_free(struct places *places)
{
	free(places->cluster);
	free(places->topic);
	free(places->group);
	free(places);
}
DEFINE_CLEANUP(struct places *, places_free)

static void merge(const struct places *places, struct trigger_partition *at)
{
	for (size_t i = 0; i < places->n_here; i++) {
		const struct trigger_partition *here = &places->here[i];

		if (here->partition != at->partition)
			continue;
		at->assigned = here->assigned;
		at->paused = here->paused;
		at->in_flight = here->in_flight;
	}
}

static int64_t offset_of(const struct kafka_partition_offset *offsets, size_t n, int partition)
{
	for (size_t i = 0; i < n; i++)
		if (offsets[i].partition == partition)
			return offsets[i].offset;
	return -1;
}

int triggers_partitions(struct triggers *triggers, const char *ns, const char *name,
						int64_t timeout_ms, struct trigger_partition *partitions, size_t max,
						size_t *ret_n, struct err *err)
{
	CLEANUP(places_free_p) struct places *places = xcalloc(1, sizeof(*places));
	CLEANUP(free_p) struct kafka_partition_offset *ends = xcalloc(max, sizeof(*ends));
	CLEANUP(free_p) struct kafka_partition_offset *committed = xcalloc(max, sizeof(*committed));
	struct kafka_cluster *cluster;
	size_t n_ends = 0, n_committed = 0;
	int r;

	triggers_each(triggers, ns, name, note, places);
	if (!places->topic)
		return err_set(err, ERR_NOT_FOUND, "there is no trigger %s in namespace %s", name, ns);
	cluster = triggers->options.cluster(triggers->options.ctx, places->cluster);
	if (!cluster)
		return err_set(err, ERR_UNAVAILABLE, "no cluster `%s` is configured on this node",
					   places->cluster);
	if (places->brokers_down)
		return err_set(err, ERR_UNAVAILABLE, "no broker answers"); /* known, so nobody waits */
	r = kafka_ends(cluster, places->topic, timeout_ms, ends, max, &n_ends, err);
	if (r == 0)
		r = kafka_group_committed(cluster, places->group, places->topic, timeout_ms, committed, max,
								  &n_committed, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_ends; i++) {
		struct trigger_partition *at = &partitions[i];

		*at = (struct trigger_partition){
			.partition = ends[i].partition,
			.end = ends[i].offset,
			.committed = offset_of(committed, n_committed, ends[i].partition),
			.lag = -1,
		};
		if (at->committed >= 0)
			at->lag = at->end > at->committed ? at->end - at->committed : 0;
		merge(places, at);
	}
	*ret_n = n_ends;
	return 0;
}
