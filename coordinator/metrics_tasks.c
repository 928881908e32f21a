/*
 * Metrics of tasks. How many wait is counted in the store with each scrape, up to 10,000 a queue;
 * all else is of this node. A queue's name comes from definitions, so there are not many.
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/metrics_text.h"
#include "coordinator/server_priv.h"
#include "coordinator/tasks.h"

struct series {
	struct buf *out;
	const char *name;
	int64_t (*value)(const struct queue_look *look);
};

static void write_label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_add_char(out, '\\');
		if (*text == '\n')
			buf_add_lit(out, "\\n");
		else
			buf_add_char(out, *text);
	}
}

static void write_labels(struct buf *out, const char *name, const char *ns, const char *queue)
{
	buf_printf(out, "%s{namespace=\"%s\",queue=\"", name, ns);
	write_label(out, queue);
	buf_add_lit(out, "\"} ");
}

static void write_one(void *ctx, const char *ns, const char *queue, const struct queue_look *look)
{
	struct series *series = ctx;

	write_labels(series->out, series->name, ns, queue);
	buf_printf(series->out, "%lld\n", (long long)series->value(look));
}

#define VALUE(member)                                                                              \
	static int64_t value_##member(const struct queue_look *look)                                   \
	{                                                                                              \
		return look->member;                                                                       \
	}
VALUE(pollers)
VALUE(leased)
VALUE(completed)
VALUE(failed)
VALUE(expired)

static void write_depths(const struct store_counts *counts, struct buf *out)
{
	wall_ms now = clock_wall();

	metrics_write_head(out, "skald_task_queue_depth", "gauge",
					   "Tasks that wait for a worker, of all nodes; at most 10000 are counted.");
	for (size_t i = 0; i < counts->n_queues; i++) {
		const struct queue_depth *depth = &counts->queues[i];

		write_labels(out, "skald_task_queue_depth", depth->ns, depth->queue);
		buf_printf(out, "%lld\n", (long long)depth->queued);
	}
	metrics_write_head(out, "skald_task_queue_leased", "gauge",
					   "Tasks that workers have, of all nodes; at most 10000 are counted.");
	for (size_t i = 0; i < counts->n_queues; i++) {
		const struct queue_depth *depth = &counts->queues[i];

		write_labels(out, "skald_task_queue_leased", depth->ns, depth->queue);
		buf_printf(out, "%lld\n", (long long)depth->leased);
	}
	metrics_write_head(out, "skald_task_queue_oldest_seconds", "gauge",
					   "For how long the oldest task could have been had.");
	for (size_t i = 0; i < counts->n_queues; i++) {
		const struct queue_depth *depth = &counts->queues[i];
		wall_ms since = depth->oldest_at;

		write_labels(out, "skald_task_queue_oldest_seconds", depth->ns, depth->queue);
		buf_printf(out, "%.3f\n", since && since < now ? (double)(now - since) / 1000 : 0.0);
	}
}

void tasks_write_metrics(const struct node *node, const struct store_counts *counts,
						 struct buf *out)
{
	static const struct {
		const char *name, *type, *help;
		int64_t (*value)(const struct queue_look *look);
	} all[] = {
		{"skald_task_pollers", "gauge", "Polls of workers that wait at this node.", value_pollers},
		{"skald_task_leases_total", "counter", "Tasks that workers were given.", value_leased},
		{"skald_tasks_completed_total", "counter", "Tasks that workers completed.",
		 value_completed},
		{"skald_tasks_failed_total", "counter", "Attempts that workers said had failed.",
		 value_failed},
		{"skald_task_lease_expiries_total", "counter", "Leases that were over without an answer.",
		 value_expired},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct series series = {out, all[i].name, all[i].value};

		metrics_write_head(out, all[i].name, all[i].type, all[i].help);
		tasks_queues(node->tasks, NULL, write_one, &series);
	}
	if (counts)
		write_depths(counts, out);
}

void store_counts_free(void *state)
{
	struct store_counts *counts = state;

	for (size_t i = 0; i < counts->n_queues; i++) {
		free(counts->queues[i].ns);
		free(counts->queues[i].queue);
	}
	free(counts->queues);
	free(counts);
}
