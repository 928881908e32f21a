#include "coordinator/batch_run.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/batch_select.h"
#include "coordinator/log.h"

enum {
	BURST_US = 20 * 1000, /* what a late step may make up for */
	STORE_AGAIN_US = 1000 * 1000,
	CONFLICT_AGAIN_US = 20 * 1000,
	MS_US = 1000,
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Tasks and acts. */

static struct batch_task *task_new(const struct batch_row *row)
{
	struct batch_task *task = xcalloc(1, sizeof(*task));

	task->refs = 1;
	task->ns = xstrdup(row->ns);
	task->act = xstrdup(row->act);
	task->by = xstrdup(row->by);
	memcpy(task->id, row->id, sizeof(task->id));
	return task;
}

static void task_unref(struct batch_task *task)
{
	if (--task->refs > 0)
		return;
	free(task->ns);
	free(task->act);
	free(task->by);
	free(task);
}

static struct batch_act *act_new(struct batch_task *task, const char *saga_id)
{
	struct batch_act *act = xcalloc(1, sizeof(*act));

	task->refs++;
	act->task = task;
	memcpy(act->saga_id, saga_id, sizeof(act->saga_id));
	return act;
}

void batch_act_free(struct batch_act *act)
{
	task_unref((struct batch_task *)act->task);
	free(act->effect);
	free(act->error);
	free(act);
}

struct batch_run *batch_run_new(const struct batch_runs_options *options,
								struct batch_runs_stats *stats, const struct batch_row *row,
								int64_t now_us)
{
	struct batch_run *run = xcalloc(1, sizeof(*run));

	run->options = options;
	run->stats = stats;
	batch_row_copy(row, &run->row);
	run->task = task_new(row);
	run->entries = xcalloc(BATCH_WINDOW, sizeof(*run->entries));
	run->beat_at_us = now_us + BATCH_BEAT_MS * MS_US;
	return run;
}

static void outcome_release(struct batch_item_row *outcome)
{
	free((char *)outcome->effect);
	free((char *)outcome->error);
	*outcome = (struct batch_item_row){0};
}

void batch_run_free(struct batch_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->n; i++)
		outcome_release(&run->entries[i].outcome);
	run->stats->out -= (int64_t)run->n_out;
	free(run->entries);
	free(run->select);
	batch_row_release(&run->row);
	task_unref(run->task);
	free(run);
}

/* The row. */

static void keep_row(struct batch_run *run, const struct batch_row *row)
{
	struct batch_row kept;

	batch_row_copy(row, &kept);
	batch_row_release(&run->row);
	run->row = kept;
}

void batch_run_adopt(struct batch_run *run, const struct batch_row *row)
{
	bool mine = row->runner && strcmp(row->runner, run->options->runner) == 0;

	if (mine && row->status != BATCH_DONE)
		keep_row(run, row);
	else
		run->over = true;
}

/* Somebody else has written the row. */
static void read_again(struct batch_run *run)
{
	struct store_reader *reader = run->options->reader;
	struct batch_row row;
	struct err err;
	int r = reader->store->ops->batch_get(reader, run->row.ns, run->row.id, &row, &err);

	if (r == 0) {
		batch_run_adopt(run, &row);
		batch_row_release(&row);
	} else if (r == ERR_NOT_FOUND) {
		run->over = true;
	}
}

/* Writes the row as `next` has it, with items. Whatever went wrong, the next step knows what to do;
 * it comes a little later. */
static int put(struct batch_run *run, struct batch_row *next, const struct batch_item_row *items,
			   size_t n, int64_t now_us, wall_ms now)
{
	struct err err;
	int r;

	next->updated_at = now;
	next->runner_seen_at = now;
	r = run->options->ports->put(run->options->ctx, next, items, n, &err);
	if (r == 0) {
		keep_row(run, next);
		run->beat_at_us = now_us + BATCH_BEAT_MS * MS_US;
	} else if (r == ERR_CONFLICT) {
		run->store_at_us = now_us + CONFLICT_AGAIN_US;
		read_again(run);
	} else {
		run->store_at_us = now_us + STORE_AGAIN_US;
		log_warn("batches", NULL, "batch %s cannot be written now: %s", run->row.id, err.text);
	}
	return r;
}

/* Selecting. */

static void begin_select(struct batch_run *run)
{
	static const size_t prefix = sizeof(BATCH_CURSOR_SELECT) - 1;
	const char *cursor = run->row.cursor;

	run->select = xcalloc(1, sizeof(*run->select));
	if (cursor && strncmp(cursor, BATCH_CURSOR_SELECT, prefix) == 0 &&
		strlen(cursor + prefix) == SAGA_ID_SIZE - 1)
		memcpy(run->select->after, cursor + prefix, SAGA_ID_SIZE);
}

static int64_t total(const struct batch_row *row)
{
	int64_t sum = 0;

	for (int i = 0; i < BATCH_ITEM_STATUS_COUNT; i++)
		sum += row->n[i];
	return sum;
}

/* The query was checked when the batch was made; a later version may know other words. */
static void select_failed(struct batch_run *run, const struct err *err, int64_t now_us, wall_ms now)
{
	struct batch_row next = run->row;

	log_warn("batches", NULL, "the sagas of batch %s cannot be found now: %s", run->row.id,
			 err->text);
	run->store_at_us = now_us + STORE_AGAIN_US;
	if (err->code != ERR_INVALID)
		return;
	next.status = BATCH_STOPPED;
	next.ended_at = now;
	put(run, &next, NULL, 0, now_us, now);
}

/* One page. The items are written with how far it has come, so a page is there once. */
static int64_t select_page(struct batch_run *run, int64_t now_us, wall_ms now)
{
	CLEANUP(free_p) struct batch_item_row *items = NULL;
	CLEANUP(free_p) char *cursor = NULL;
	struct batch_row next = run->row;
	int64_t room = BATCH_ITEMS_MAX - total(&run->row);
	struct batch_select *select;
	struct err err;

	if (!run->select)
		begin_select(run);
	select = run->select;
	select->ns = run->row.ns;
	select->query = run->row.query;
	select->made_at = run->row.created_at;
	if (batch_select_page(select, run->options->reader, BATCH_SELECT_MAX, &err) < 0) {
		select_failed(run, &err, now_us, now);
		return run->store_at_us;
	}
	if (room < (int64_t)select->n) {
		/* When it was made there were not so many. */
		log_warn("batches", NULL, "batch %s has come to %d sagas, and leaves the others out",
				 run->row.id, BATCH_ITEMS_MAX);
		select->n = (size_t)room;
		select->all = true;
	}
	items = xcalloc(select->n + 1, sizeof(*items));
	for (size_t i = 0; i < select->n; i++) {
		memcpy(items[i].saga_id, select->ids[i], SAGA_ID_SIZE);
		items[i].updated_at = now;
	}
	cursor = xasprintf(BATCH_CURSOR_SELECT "%s", select->after);
	next.cursor = select->all ? NULL : cursor;
	next.status = select->all ? BATCH_RUNNING : BATCH_SELECTING;
	if (put(run, &next, items, select->n, now_us, now) < 0) {
		/* Where the row says that it stands. */
		free(TAKE(run->select));
		return run->store_at_us;
	}
	if (select->all)
		free(TAKE(run->select));
	return now_us;
}

/* Outcomes. */

static bool drop_outcome(struct batch_run *run, struct batch_entry *entry)
{
	if (entry->state != ENTRY_ENDED)
		return false;
	run->stats->items[entry->outcome.status]++;
	outcome_release(&entry->outcome);
	return true;
}

static void drop_outcomes(struct batch_run *run)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->n; i++)
		if (!drop_outcome(run, &run->entries[i]))
			run->entries[kept++] = run->entries[i];
	run->n = kept;
	run->n_ended = 0;
}

/* Writes what has ended, and the row as `next` has it. */
static int write_outcomes(struct batch_run *run, struct batch_row *next, int64_t now_us,
						  wall_ms now)
{
	CLEANUP(free_p) struct batch_item_row *items = xcalloc(run->n_ended + 1, sizeof(*items));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < run->n; i++) {
		if (run->entries[i].state != ENTRY_ENDED)
			continue;
		items[n] = run->entries[i].outcome;
		items[n++].updated_at = now;
	}
	CHECK(n == run->n_ended);
	r = put(run, next, items, n, now_us, now);
	if (r == 0)
		drop_outcomes(run);
	return r;
}

static int64_t write_at_us(const struct batch_run *run, int64_t now_us)
{
	if (run->n_ended >= BATCH_WRITE_ITEMS)
		return now_us;
	if (run->n_ended > 0)
		return earlier(run->ended_since_us + BATCH_WRITE_MS * MS_US, run->beat_at_us);
	return run->beat_at_us;
}

static int write_if_due(struct batch_run *run, int64_t now_us, wall_ms now)
{
	struct batch_row next = run->row;

	return write_at_us(run, now_us) <= now_us ? write_outcomes(run, &next, now_us, now) : 0;
}

static void entry_ended(struct batch_run *run, struct batch_entry *entry,
						enum batch_item_status status, const struct batch_act *act, int64_t now_us)
{
	entry->state = ENTRY_ENDED;
	entry->outcome = (struct batch_item_row){
		.status = status,
		.effect = act->effect ? xstrdup(act->effect) : NULL,
		.error = act->error ? xstrdup(act->error) : NULL,
		.seq = act->seq,
	};
	memcpy(entry->outcome.saga_id, entry->saga_id, SAGA_ID_SIZE);
	if (run->n_ended++ == 0)
		run->ended_since_us = now_us;
}

static void entry_later(struct batch_run *run, struct batch_entry *entry,
						const struct batch_act *act, int64_t now_us)
{
	int64_t backoff_ms = BATCH_BACKOFF_MS;

	if (++entry->tries >= BATCH_ACT_TRIES) {
		entry_ended(run, entry, BATCH_ITEM_FAILED, act, now_us);
		return;
	}
	for (int i = 1; i < entry->tries && backoff_ms < BATCH_BACKOFF_MAX_MS; i++)
		backoff_ms *= 2;
	entry->state = ENTRY_WAITS;
	entry->not_before_us = now_us + earlier(backoff_ms, BATCH_BACKOFF_MAX_MS) * MS_US;
}

bool batch_run_acted(struct batch_run *run, const struct batch_act *act, int64_t now_us)
{
	struct batch_entry *entry = NULL;

	for (size_t i = 0; i < run->n && !entry; i++)
		if (run->entries[i].act == act)
			entry = &run->entries[i];
	if (!entry)
		return false;
	entry->act = NULL;
	run->n_out--;
	run->stats->out--;
	switch (act->end) {
	case BATCH_ACT_DONE:
		entry_ended(run, entry, BATCH_ITEM_DONE, act, now_us);
		break;
	case BATCH_ACT_REFUSED:
		entry_ended(run, entry, BATCH_ITEM_REFUSED, act, now_us);
		break;
	case BATCH_ACT_FAILED:
		entry_ended(run, entry, BATCH_ITEM_FAILED, act, now_us);
		break;
	case BATCH_ACT_LATER:
		entry_later(run, entry, act, now_us);
		break;
	}
	return true;
}

/* Acting. */

static int add_item(void *ctx, const struct batch_item_row *row)
{
	struct batch_run *run = ctx;

	CHECK(run->n < BATCH_WINDOW);
	run->entries[run->n] = (struct batch_entry){.state = ENTRY_WAITS};
	memcpy(run->entries[run->n++].saga_id, row->saga_id, SAGA_ID_SIZE);
	return 0;
}

/* Reads on where half of the window is free, so that those who wait for another try hold up no
 * others. */
static int refill(struct batch_run *run, int64_t now_us)
{
	struct store_reader *reader = run->options->reader;
	struct batch_item_filter filter = {
		.ns = run->row.ns,
		.batch_id = run->row.id,
		.status = BATCH_ITEM_PENDING,
		.limit = BATCH_WINDOW - (int)run->n,
	};
	size_t before = run->n;
	struct err err;
	int r;

	if (run->read_all || run->n > BATCH_WINDOW / 2)
		return 0;
	memcpy(filter.after_saga_id, run->read_to, SAGA_ID_SIZE);
	r = reader->store->ops->batch_items(reader, &filter, add_item, run, &err);
	if (r < 0) {
		run->n = before;
		run->store_at_us = now_us + STORE_AGAIN_US;
		log_warn("batches", NULL, "the items of batch %s cannot be read now: %s", run->row.id,
				 err.text);
		return r;
	}
	run->read_all = run->n - before < (size_t)filter.limit;
	if (run->n > before)
		memcpy(run->read_to, run->entries[run->n - 1].saga_id, SAGA_ID_SIZE);
	return 0;
}

static void begin_act(struct batch_run *run, struct batch_entry *entry)
{
	entry->state = ENTRY_OUT;
	entry->act = act_new(run->task, entry->saga_id);
	run->n_out++;
	run->stats->out++;
	run->options->ports->act(run->options->ctx, entry->act);
}

/* Returns when the next may begin. */
static int64_t begin_acts(struct batch_run *run, int64_t now_us)
{
	double rate = run->row.rate;
	int64_t at_us = INT64_MAX;

	if (run->begin_at_us < now_us - BURST_US)
		run->begin_at_us = now_us - BURST_US;
	for (size_t i = 0; i < run->n && run->n_out < BATCH_OUT_MAX; i++) {
		struct batch_entry *entry = &run->entries[i];

		if (entry->state != ENTRY_WAITS)
			continue;
		if (entry->not_before_us > now_us) {
			at_us = earlier(at_us, entry->not_before_us);
			continue;
		}
		if (rate > 0 && run->begin_at_us > now_us)
			return earlier(at_us, run->begin_at_us);
		if (rate > 0)
			run->begin_at_us += (int64_t)(1e6 / rate);
		begin_act(run, entry);
	}
	return at_us;
}

/* All items that were read are written. */
static int64_t finish(struct batch_run *run, int64_t now_us, wall_ms now)
{
	struct batch_row next = run->row;

	if (run->row.n[BATCH_ITEM_PENDING] > 0) {
		run->read_to[0] = '\0';
		run->read_all = false;
		run->store_at_us = now_us + STORE_AGAIN_US;
		return run->store_at_us;
	}
	next.status = BATCH_DONE;
	next.ended_at = now;
	next.runner = NULL;
	if (put(run, &next, NULL, 0, now_us, now) < 0)
		return run->store_at_us;
	log_info("batches", NULL, "batch %s is done: %lld done, %lld refused, %lld failed", run->row.id,
			 (long long)run->row.n[BATCH_ITEM_DONE], (long long)run->row.n[BATCH_ITEM_REFUSED],
			 (long long)run->row.n[BATCH_ITEM_FAILED]);
	run->over = true;
	return now_us;
}

static int64_t act_on(struct batch_run *run, int64_t now_us, wall_ms now)
{
	int64_t begin_us;

	if (write_if_due(run, now_us, now) < 0 || refill(run, now_us) < 0)
		return run->store_at_us;
	begin_us = begin_acts(run, now_us);
	if (run->read_all && run->n == run->n_ended) {
		struct batch_row next = run->row;

		if (run->n_ended > 0 && write_outcomes(run, &next, now_us, now) < 0)
			return run->store_at_us;
		return finish(run, now_us, now);
	}
	return earlier(begin_us, write_at_us(run, now_us));
}

/* Nothing more is begun; what is out comes back and is written, and then it is nobody's. */
static int64_t wind_up(struct batch_run *run, int64_t now_us, wall_ms now)
{
	struct batch_row next;

	if (run->n_out > 0)
		return write_if_due(run, now_us, now) < 0 ? run->store_at_us : write_at_us(run, now_us);
	next = run->row;
	next.runner = NULL;
	if (write_outcomes(run, &next, now_us, now) < 0)
		return run->store_at_us;
	log_info("batches", NULL, "batch %s was left with %lld sagas to go", run->row.id,
			 (long long)run->row.n[BATCH_ITEM_PENDING]);
	run->over = true;
	return now_us;
}

int64_t batch_run_step(struct batch_run *run, int64_t now_us, wall_ms now)
{
	if (run->over)
		return now_us;
	if (now_us < run->store_at_us)
		return run->store_at_us;
	if (run->leaving)
		return wind_up(run, now_us, now);
	switch (run->row.status) {
	case BATCH_SELECTING:
		return select_page(run, now_us, now);
	case BATCH_RUNNING:
		return act_on(run, now_us, now);
	case BATCH_STOPPED:
		return wind_up(run, now_us, now);
	case BATCH_DONE:
	case BATCH_STATUS_COUNT:
		break;
	}
	run->over = true;
	return now_us;
}
