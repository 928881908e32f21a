/*
 * What machines ask of the server itself: is it alive, is it ready, how much does it do, what can
 * it do.
 */
#include <string.h>

#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "schemas/embedded.h"

void api_livez(struct exchange *ex)
{
	buf_add_lit(&ex->out, "{\"status\":\"ok\"}");
	exchange_answer(ex, 200);
}

void api_readyz(struct exchange *ex)
{
	bool draining = __atomic_load_n(&ex->node->draining, __ATOMIC_RELAXED);
	bool ready = __atomic_load_n(&ex->node->ready, __ATOMIC_RELAXED);

	if (draining) {
		exchange_problem(ex, PROBLEM_DRAINING, "the server is about to stop");
	} else if (!ready) {
		exchange_problem(ex, PROBLEM_NOT_READY,
						 "the server still recovers what its last run left, or its store does not "
						 "answer");
	} else {
		buf_printf(&ex->out,
				   "{\"status\":\"ready\",\"version\":\"" SKALD_VERSION "\",\"store\":\"%s\"}",
				   ex->node->store->ops->name);
		exchange_answer(ex, 200);
	}
}

static void write_metrics(struct exchange *ex)
{
	server_write_metrics(ex->server, ex->state, &ex->out);
	ex->content_type = "text/plain; version=0.0.4; charset=utf-8";
	exchange_answer(ex, 200);
}

static int add_group(void *ctx, const struct attention_group_row *row)
{
	struct store_counts *counts = ctx;
	int kind = attention_kind_parse(row->kind);

	counts->attention_groups++;
	if (kind >= 0)
		counts->attention[kind] += row->n;
	return 0;
}

static int add_queue(void *ctx, const struct queue_count_row *row)
{
	struct store_counts *counts = ctx;

	counts->queues = xrealloc_array(counts->queues, counts->n_queues + 1, sizeof(*counts->queues));
	counts->queues[counts->n_queues++] = (struct queue_depth){
		.ns = xstrdup(row->ns),
		.queue = xstrdup(row->queue),
		.queued = row->queued,
		.leased = row->leased,
		.oldest_at = row->oldest_available_at,
	};
	return 0;
}

/* Thread: read pool. The server's own counters may only be read on its thread. */
static void read_counts(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	struct store_counts *counts = xcalloc(1, sizeof(*counts));
	struct err err;

	if (ops->counts(reader, NULL, counts->sagas, &err) == 0 &&
		ops->attention_list(reader, NULL, ATTENTION_LIST_MAX, add_group, counts, &err) == 0 &&
		ops->approval_counts(reader, &counts->approvals, &err) == 0 &&
		ops->queue_counts(reader, NULL, "", "", QUEUE_LIST_MAX, add_queue, counts, &err) == 0) {
		ex->state = counts;
		ex->free_state = store_counts_free;
	} else {
		store_counts_free(counts);
	}
	ex->next = write_metrics;
}

void api_metrics(struct exchange *ex)
{
	exchange_read(ex, read_counts);
}

void api_openapi(struct exchange *ex)
{
	for (size_t i = 0; i < embedded_file_count; i++) {
		if (strcmp(embedded_files[i].path, "schemas/openapi.json") == 0)
			buf_add(&ex->out, embedded_files[i].data, embedded_files[i].len);
	}
	exchange_answer(ex, 200);
}
