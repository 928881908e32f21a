#include "coordinator/batch_runs.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/batch_run.h"
#include "coordinator/log.h"

/* More than there may be: who makes one looks before, and two may look at once. */
enum { RUNS_MAX = 2 * BATCHES_OPEN_MAX, MS_US = 1000 };

struct batch_runs {
	struct batch_runs_options options;
	struct batch_run *runs[RUNS_MAX];
	size_t n;
	struct batch_runs_stats stats;
	int64_t look_at_us;
	bool leaving;
};

struct batch_runs *batch_runs_new(const struct batch_runs_options *options)
{
	struct batch_runs *runs = xcalloc(1, sizeof(*runs));

	runs->options = *options;
	return runs;
}

void batch_runs_free(struct batch_runs *runs)
{
	if (!runs)
		return;
	for (size_t i = 0; i < runs->n; i++)
		batch_run_free(runs->runs[i]);
	free(runs);
}

static struct batch_run *find_run(struct batch_runs *runs, const char *id)
{
	for (size_t i = 0; i < runs->n; i++)
		if (strcmp(runs->runs[i]->row.id, id) == 0)
			return runs->runs[i];
	return NULL;
}

/* Looking. */

struct open_rows {
	struct batch_row rows[RUNS_MAX];
	size_t n;
};

static int add_row(void *ctx, const struct batch_row *row)
{
	struct open_rows *open = ctx;

	batch_row_copy(row, &open->rows[open->n++]);
	return open->n == RUNS_MAX;
}

static bool may_claim(const struct batch_runs *runs, const struct batch_row *row, wall_ms now)
{
	return runs->options.alone || !row->runner || strcmp(row->runner, runs->options.runner) == 0 ||
		   row->runner_seen_at + BATCH_ABANDONED_MS <= now;
}

static void claim(struct batch_runs *runs, struct batch_row *row, int64_t now_us, wall_ms now)
{
	struct batch_row next = *row;
	struct err err;
	int r;

	if (runs->n == RUNS_MAX || !may_claim(runs, row, now))
		return;
	next.runner = runs->options.runner;
	next.runner_seen_at = now;
	r = runs->options.ports->put(runs->options.ctx, &next, NULL, 0, &err);
	if (r < 0) {
		if (r != ERR_CONFLICT)
			log_warn("batches", NULL, "batch %s cannot be taken now: %s", row->id, err.text);
		return;
	}
	log_info("batches", NULL, "batch %s is %s here", row->id,
			 row->runner ? "taken over, and goes on" : "run");
	runs->runs[runs->n++] = batch_run_new(&runs->options, &runs->stats, &next, now_us);
}

static bool is_among(const struct open_rows *open, const struct batch_run *run)
{
	for (size_t i = 0; i < open->n; i++)
		if (strcmp(open->rows[i].id, run->row.id) == 0)
			return true;
	return false;
}

/* It was stopped, or is gone. */
static void look_at_closed(struct batch_runs *runs, struct batch_run *run)
{
	struct store_reader *reader = runs->options.reader;
	struct batch_row row;
	struct err err;
	int r = reader->store->ops->batch_get(reader, run->row.ns, run->row.id, &row, &err);

	if (r == 0) {
		if (row.revision != run->row.revision)
			batch_run_adopt(run, &row);
		batch_row_release(&row);
	} else if (r == ERR_NOT_FOUND) {
		run->over = true;
	}
}

static void look_at_rows(struct batch_runs *runs, struct open_rows *open, int64_t now_us,
						 wall_ms now)
{
	for (size_t i = 0; i < runs->n; i++)
		if (!is_among(open, runs->runs[i]))
			look_at_closed(runs, runs->runs[i]);
	for (size_t i = 0; i < open->n; i++) {
		struct batch_row *row = &open->rows[i];
		struct batch_run *run = find_run(runs, row->id);

		if (!run)
			claim(runs, row, now_us, now);
		else if (row->revision != run->row.revision)
			batch_run_adopt(run, row);
	}
}

static void look(struct batch_runs *runs, int64_t now_us, wall_ms now)
{
	struct store_reader *reader = runs->options.reader;
	CLEANUP(free_p) struct open_rows *open = xcalloc(1, sizeof(*open));
	struct err err;

	runs->look_at_us = now_us + (runs->n > 0 ? BATCH_LOOK_MS : BATCH_LOOK_IDLE_MS) * MS_US;
	if (reader->store->ops->batch_open(reader, RUNS_MAX, add_row, open, &err) < 0)
		log_warn("batches", NULL, "batches cannot be looked for now: %s", err.text);
	else
		look_at_rows(runs, open, now_us, now);
	for (size_t i = 0; i < open->n; i++)
		batch_row_release(&open->rows[i]);
}

static void remove_over(struct batch_runs *runs)
{
	size_t kept = 0;

	for (size_t i = 0; i < runs->n; i++) {
		if (runs->runs[i]->over)
			batch_run_free(runs->runs[i]);
		else
			runs->runs[kept++] = runs->runs[i];
	}
	runs->n = kept;
}

int64_t batch_runs_step(struct batch_runs *runs, int64_t now_us, wall_ms now)
{
	int64_t at_us;

	if (!runs->leaving && now_us >= runs->look_at_us)
		look(runs, now_us, now);
	at_us = runs->leaving ? INT64_MAX : runs->look_at_us;
	for (size_t i = 0; i < runs->n; i++) {
		int64_t wants_us = batch_run_step(runs->runs[i], now_us, now);

		if (wants_us < at_us && !runs->runs[i]->over)
			at_us = wants_us;
	}
	remove_over(runs);
	return at_us;
}

void batch_runs_acted(struct batch_runs *runs, struct batch_act *act, int64_t now_us)
{
	bool found = false;

	for (size_t i = 0; i < runs->n && !found; i++)
		found = batch_run_acted(runs->runs[i], act, now_us);
	batch_act_free(act);
}

void batch_runs_look(struct batch_runs *runs)
{
	runs->look_at_us = INT64_MIN;
}

void batch_runs_leave(struct batch_runs *runs)
{
	runs->leaving = true;
	for (size_t i = 0; i < runs->n; i++)
		runs->runs[i]->leaving = true;
}

void batch_runs_stats(const struct batch_runs *runs, struct batch_runs_stats *ret_stats)
{
	*ret_stats = runs->stats;
	ret_stats->open = (int64_t)runs->n;
}
