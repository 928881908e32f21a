/*
 * Batches of two processes on a store in memory, with a clock that the test moves: how fast they
 * go, who has them, and what is recorded when processes die, stop, or wake up late.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/batch_runs.h"
#include "coordinator/log.h"
#include "sagas/base/macros.h"

enum { SAGAS_MAX = BATCH_ITEMS_MAX + 10, BATCHES_MAX = 4, PROCESSES = 2, LOOKS = 700 };

#define BEGAN_AT INT64_C(1700000000000)

/* The store, and the sagas themselves. */

struct saga {
	char id[SAGA_ID_SIZE];
	bool matches;
	int acted;    /* how often the act took effect */
	int refusals; /* so many times it is refused */
	int absences; /* so many times nobody is there to be asked; -1: always */
};

struct batch {
	struct batch_row row;         /* owned */
	struct batch_item_row *items; /* of each saga; without an id: none */
};

static struct {
	struct saga *sagas;
	size_t n_sagas;
	struct batch batches[BATCHES_MAX];
	size_t n_batches;
	bool down; /* nothing is written */
	int n_puts;
	int64_t now_us;
} world;

struct process {
	struct store_reader reader; /* first */
	struct batch_runs *runs;
	struct batch_act *out[BATCH_OUT_MAX * BATCHES_MAX];
	size_t n_out, n_begun;
	bool dead; /* or paused: not stepped, not answered */
	int64_t step_at_us;
	char name[8];
};

static struct process processes[PROCESSES];

static wall_ms wall(void)
{
	return BEGAN_AT + world.now_us / 1000;
}

static int find_batch(const char *id)
{
	for (size_t i = 0; i < world.n_batches; i++)
		if (strcmp(world.batches[i].row.id, id) == 0)
			return (int)i;
	return -1;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, ((const struct saga *)b)->id);
}

static size_t find_saga(const char *id)
{
	struct saga *found = bsearch(id, world.sagas, world.n_sagas, sizeof(*world.sagas), by_id);

	ck_assert_ptr_nonnull(found);
	return (size_t)(found - world.sagas);
}

static int list(struct store_reader *reader, struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	size_t i = filter->after_id[0] ? find_saga(filter->after_id) : world.n_sagas;
	int looked = 0, given = 0;

	(void)reader, (void)err;
	ck_assert_str_eq(filter->ns, "default");
	ck_assert_uint_eq(filter->status_mask, 1u << SAGA_RUNNING);
	ck_assert_int_eq(filter->started_before, world.batches[0].row.created_at + 1);
	filter->looked_to[0] = '\0';
	while (i > 0 && given < filter->limit) {
		struct saga *saga = &world.sagas[--i];
		struct saga_row found = {0};

		if (saga->matches) {
			memcpy(found.id, saga->id, sizeof(found.id));
			row(ctx, &found);
			given++;
		}
		if (++looked == LOOKS && given < filter->limit && i > 0) {
			memcpy(filter->looked_to, saga->id, SAGA_ID_SIZE);
			break;
		}
	}
	return 0;
}

static int batch_get(struct store_reader *reader, const char *ns, const char *id,
					 struct batch_row *ret_row, struct err *err)
{
	int i = find_batch(id);

	(void)reader, (void)ns;
	if (i < 0)
		return err_set(err, ERR_NOT_FOUND, "no batch");
	batch_row_copy(&world.batches[i].row, ret_row);
	return 0;
}

static int batch_open(struct store_reader *reader, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err)
{
	(void)reader, (void)limit, (void)err;
	for (size_t i = 0; i < world.n_batches; i++) {
		const struct batch_row *there = &world.batches[i].row;

		if (there->status == BATCH_SELECTING || there->status == BATCH_RUNNING)
			row(ctx, there);
	}
	return 0;
}

static int batch_items(struct store_reader *reader, const struct batch_item_filter *filter,
					   int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
					   struct err *err)
{
	const struct batch *batch = &world.batches[find_batch(filter->batch_id)];
	size_t i = filter->after_saga_id[0] ? find_saga(filter->after_saga_id) + 1 : 0;

	(void)reader, (void)err;
	ck_assert_int_ge(filter->limit, 1);
	ck_assert_int_le(filter->limit, BATCH_PUT_MAX);
	for (int given = 0; i < world.n_sagas && given < filter->limit; i++) {
		const struct batch_item_row *item = &batch->items[i];

		if (item->saga_id[0] && (filter->status < 0 || (int)item->status == filter->status)) {
			row(ctx, item);
			given++;
		}
	}
	return 0;
}

static const struct store_ops ops = {
	.list = list,
	.batch_get = batch_get,
	.batch_open = batch_open,
	.batch_items = batch_items,
};
static struct store store = {.ops = &ops};

static void count_items(struct batch *batch)
{
	memset(batch->row.n, 0, sizeof(batch->row.n));
	for (size_t i = 0; i < world.n_sagas; i++)
		if (batch->items[i].saga_id[0])
			batch->row.n[batch->items[i].status]++;
}

static void put_item(struct batch *batch, const struct batch_item_row *item)
{
	struct batch_item_row *there = &batch->items[find_saga(item->saga_id)];

	if (there->saga_id[0])
		batch->row.n[there->status]--;
	free((char *)there->effect);
	free((char *)there->error);
	*there = *item;
	there->effect = item->effect ? xstrdup(item->effect) : NULL;
	there->error = item->error ? xstrdup(item->error) : NULL;
	batch->row.n[there->status]++;
}

static int batch_put(struct batch_row *row, const struct batch_item_row *items, size_t n,
					 struct err *err)
{
	int i = find_batch(row->id);
	struct batch *batch = &world.batches[i < 0 ? (int)world.n_batches : i];
	struct batch_row kept;

	ck_assert_uint_le(n, BATCH_PUT_MAX);
	if (world.down)
		return err_set(err, ERR_UNAVAILABLE, "the store is down");
	if (row->revision != (i < 0 ? 0 : batch->row.revision))
		return err_set(err, ERR_CONFLICT, "somebody else has written it");
	world.n_puts++;
	row->revision++;
	batch_row_copy(row, &kept);
	if (i < 0) {
		batch->items = xcalloc(world.n_sagas + 1, sizeof(*batch->items));
		world.n_batches++;
	} else {
		memcpy(kept.n, batch->row.n, sizeof(kept.n));
		batch_row_release(&batch->row);
	}
	batch->row = kept;
	for (size_t k = 0; k < n; k++)
		put_item(batch, &items[k]);
	memcpy(row->n, batch->row.n, sizeof(row->n));
	return 0;
}

static int put(void *ctx, struct batch_row *row, const struct batch_item_row *items, size_t n,
			   struct err *err)
{
	(void)ctx;
	return batch_put(row, items, n, err);
}

static void begin(void *ctx, struct batch_act *act)
{
	struct process *process = ctx;

	ck_assert_uint_lt(process->n_out, ARRAY_SIZE(process->out));
	process->out[process->n_out++] = act;
	process->n_begun++;
}

static const struct batch_ports ports = {.put = put, .act = begin};

/* A process answers what it has out. */

static void take_effect(struct batch_act *act)
{
	struct saga *saga = &world.sagas[find_saga(act->saga_id)];

	if (saga->absences != 0) {
		saga->absences -= saga->absences > 0;
		act->end = BATCH_ACT_LATER;
		act->error = xstrdup("nobody is there");
	} else if (saga->refusals > 0) {
		saga->refusals--;
		act->end = BATCH_ACT_REFUSED;
		act->error = xstrdup("it is not stuck");
	} else {
		/* It knows the id, so it does nothing the second time. */
		act->end = BATCH_ACT_DONE;
		act->effect = xstrdup(saga->acted ? "{\"events\":[]}" : "{\"events\":[\"ActTaken\"]}");
		act->seq = 7;
		saga->acted = 1;
	}
}

static void answer(struct process *process)
{
	struct batch_act *out[ARRAY_SIZE(process->out)];
	size_t n = process->n_out;

	memcpy(out, process->out, sizeof(out));
	process->n_out = 0;
	for (size_t i = 0; i < n; i++) {
		take_effect(out[i]);
		batch_runs_acted(process->runs, out[i], world.now_us);
		process->step_at_us = world.now_us;
	}
}

static void step(struct process *process)
{
	process->step_at_us = batch_runs_step(process->runs, world.now_us, wall());
}

static void start_as(int i, bool alone)
{
	struct process *process = &processes[i];
	struct batch_runs_options options = {
		.reader = &process->reader,
		.ports = &ports,
		.ctx = process,
		.runner = process->name,
		.alone = alone,
	};

	*process = (struct process){.reader = {.store = &store}};
	snprintf(process->name, sizeof(process->name), "p%d", i);
	process->runs = batch_runs_new(&options);
}

static void start(int i)
{
	start_as(i, false);
}

static void start_alone(int i)
{
	start_as(i, true);
}

/* Until then, everybody who lives does what is due; acts are answered after answer_ms. */
static void run_for(int64_t ms, int answer_ms)
{
	int64_t end_us = world.now_us + ms * 1000;

	for (; world.now_us < end_us; world.now_us += 1000) {
		for (int i = 0; i < PROCESSES; i++) {
			struct process *process = &processes[i];

			if (!process->runs || process->dead)
				continue;
			if (answer_ms >= 0 && world.now_us / 1000 % (answer_ms + 1) == 0)
				answer(process);
			for (int k = 0; k < 20 && process->step_at_us <= world.now_us; k++)
				step(process);
		}
	}
}

static void make_sagas(size_t n)
{
	world.n_sagas = n;
	for (size_t i = 0; i < n; i++) {
		unsigned char random[8] = {0};

		world.sagas[i] = (struct saga){.matches = true};
		saga_id_make((wall_ms)(1000 + i), (int)i % 256, random, world.sagas[i].id);
	}
}

static struct batch_row *make_batch(double rate)
{
	struct batch_row row = {
		.ns = "default",
		.id = "6ba7b810-9dad-51d1-80b4-00c04fd430c8",
		.act = "{\"act\":\"retry\"}",
		.query = "status:running",
		.by = "ana",
		.rate = rate,
		.status = BATCH_SELECTING,
		.created_at = wall(),
		.updated_at = wall(),
		.cursor = BATCH_CURSOR_SELECT,
	};
	struct err err;

	ck_assert_int_eq(batch_put(&row, NULL, 0, &err), 0);
	return &world.batches[0].row;
}

/* As the API does it, on any node. */
static void set_status(enum batch_status status)
{
	struct batch_row row;
	struct err err;

	batch_row_copy(&world.batches[0].row, &row);
	row.status = status;
	ck_assert_int_eq(batch_put(&row, NULL, 0, &err), 0);
	batch_row_release(&row);
}

static void setup(void)
{
	log_setup(LOG_OFF, false);
	memset(&world, 0, sizeof(world));
	world.sagas = xcalloc(SAGAS_MAX, sizeof(*world.sagas));
	world.now_us = 5000000;
	memset(processes, 0, sizeof(processes));
	start(0);
}

static void teardown(void)
{
	for (int i = 0; i < PROCESSES; i++) {
		if (!processes[i].runs)
			continue;
		answer(&processes[i]);
		batch_runs_free(processes[i].runs);
	}
	for (size_t i = 0; i < world.n_batches; i++) {
		for (size_t k = 0; k < world.n_sagas; k++) {
			free((char *)world.batches[i].items[k].effect);
			free((char *)world.batches[i].items[k].error);
		}
		free(world.batches[i].items);
		batch_row_release(&world.batches[i].row);
	}
	free(world.sagas);
}

static void assert_counts(int64_t pending, int64_t done, int64_t refused, int64_t failed)
{
	const struct batch_row *row = &world.batches[0].row;
	struct batch counted = world.batches[0];

	count_items(&counted);
	ck_assert_mem_eq(counted.row.n, row->n, sizeof(row->n));
	ck_assert_int_eq(row->n[BATCH_ITEM_PENDING], pending);
	ck_assert_int_eq(row->n[BATCH_ITEM_DONE], done);
	ck_assert_int_eq(row->n[BATCH_ITEM_REFUSED], refused);
	ck_assert_int_eq(row->n[BATCH_ITEM_FAILED], failed);
}

static void assert_ended(const struct batch_row *row)
{
	ck_assert_str_eq(batch_status_text(row->status), "done");
	ck_assert_int_ge(row->ended_at, row->created_at);
	ck_assert_ptr_null(row->runner);
	ck_assert_ptr_null(row->cursor);
}

START_TEST(test_batch_runs__acts_on_each_saga_that_matches)
{
	struct batch_runs_stats stats;
	struct batch_row *row;

	make_sagas(2000);
	for (size_t i = 0; i < 2000; i += 4)
		world.sagas[i].matches = false;
	row = make_batch(0);
	run_for(3000, 1);
	assert_ended(row);
	assert_counts(0, 1500, 0, 0);
	for (size_t i = 0; i < 2000; i++)
		ck_assert_int_eq(world.sagas[i].acted, i % 4 != 0);
	ck_assert_str_eq(world.batches[0].items[1].effect, "{\"events\":[\"ActTaken\"]}");
	ck_assert_int_eq(world.batches[0].items[1].seq, 7);
	ck_assert_uint_eq(processes[0].n_begun, 1500);
	batch_runs_stats(processes[0].runs, &stats);
	ck_assert_int_eq(stats.open, 0);
	ck_assert_int_eq(stats.items[BATCH_ITEM_DONE], 1500);
}
END_TEST

START_TEST(test_batch_runs__finds_nothing_and_is_done)
{
	struct batch_row *row;

	make_sagas(10);
	for (size_t i = 0; i < 10; i++)
		world.sagas[i].matches = false;
	row = make_batch(0);
	run_for(1000, 1);
	assert_ended(row);
	assert_counts(0, 0, 0, 0);
}
END_TEST

/* Where no index leads to what matches, pages are empty and still not the last. */
START_TEST(test_batch_runs__goes_on_after_pages_without_a_match)
{
	struct batch_row *row;

	make_sagas(3 * LOOKS);
	for (size_t i = 1; i < world.n_sagas; i++)
		world.sagas[i].matches = false;
	row = make_batch(0);
	run_for(1000, 1);
	assert_ended(row);
	assert_counts(0, 1, 0, 0);
}
END_TEST

START_TEST(test_batch_runs__writes_outcomes_in_groups)
{
	make_sagas(2000);
	make_batch(0);
	run_for(5000, 1);
	assert_ended(&world.batches[0].row);
	/* Made, claimed, 5 pages, outcomes of at least BATCH_WRITE_ITEMS, the last and the end. */
	ck_assert_int_le(world.n_puts, 2 + 5 + 2000 / BATCH_WRITE_ITEMS + 3);
}
END_TEST

START_TEST(test_batch_runs__keeps_to_its_rate)
{
	make_sagas(1000);
	make_batch(50);
	run_for(100, 1);
	ck_assert_uint_le(processes[0].n_begun, 7);
	run_for(9900, 1);
	ck_assert_uint_ge(processes[0].n_begun, 495);
	ck_assert_uint_le(processes[0].n_begun, 502);
	/* Outcomes are seen soon, though there are few. */
	ck_assert_int_ge(world.batches[0].row.n[BATCH_ITEM_DONE], (int64_t)processes[0].n_begun - 14);
}
END_TEST

/* What was late does not come in one go. */
START_TEST(test_batch_runs__does_not_make_up_for_a_pause)
{
	size_t before;

	make_sagas(1000);
	make_batch(100);
	run_for(1000, 1);
	processes[0].dead = true;
	run_for(5000, 1);
	processes[0].dead = false;
	before = processes[0].n_begun;
	run_for(100, 1);
	ck_assert_uint_le(processes[0].n_begun - before, 14);
}
END_TEST

START_TEST(test_batch_runs__has_so_many_acts_out_at_once)
{
	make_sagas(1000);
	make_batch(0);
	run_for(1000, -1);
	ck_assert_uint_eq(processes[0].n_out, BATCH_OUT_MAX);
	ck_assert_uint_eq(processes[0].n_begun, BATCH_OUT_MAX);
}
END_TEST

START_TEST(test_batch_runs__records_what_is_refused)
{
	make_sagas(3);
	world.sagas[1].refusals = 1;
	make_batch(0);
	run_for(1000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 2, 1, 0);
	ck_assert_str_eq(world.batches[0].items[1].error, "it is not stuck");
	ck_assert_ptr_null(world.batches[0].items[1].effect);
}
END_TEST

/* The saga's slot has no owner for a while. */
START_TEST(test_batch_runs__tries_again_later)
{
	make_sagas(2000);
	world.sagas[0].absences = 8;
	make_batch(0);
	run_for(5000, 1);
	/* Nobody waits for it. */
	assert_counts(1, 1999, 0, 0);
	run_for(30000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 2000, 0, 0);
	ck_assert_uint_eq(processes[0].n_begun, 2008);
}
END_TEST

START_TEST(test_batch_runs__fails_after_so_many_tries)
{
	make_sagas(2);
	world.sagas[0].absences = -1;
	make_batch(0);
	run_for(20000, 1);
	assert_counts(1, 1, 0, 0);
	run_for(60000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 1, 0, 1);
	ck_assert_uint_eq(processes[0].n_begun, 1 + BATCH_ACT_TRIES);
	ck_assert_str_eq(world.batches[0].items[0].error, "nobody is there");
}
END_TEST

START_TEST(test_batch_runs__stops_within_a_second)
{
	size_t begun;

	make_sagas(1000);
	make_batch(100);
	run_for(2000, 1);
	set_status(BATCH_STOPPED);
	run_for(BATCH_LOOK_MS + 10, 1);
	begun = processes[0].n_begun;
	ck_assert_uint_gt(begun, 190);
	run_for(5000, 1);
	ck_assert_uint_eq(processes[0].n_begun, begun);
	/* What was out is recorded, and nobody has the batch. */
	assert_counts(1000 - (int64_t)begun, (int64_t)begun, 0, 0);
	ck_assert_str_eq(batch_status_text(world.batches[0].row.status), "stopped");
	ck_assert_ptr_null(world.batches[0].row.runner);

	/* Resumed, another process goes on. */
	batch_runs_free(TAKE(processes[0].runs));
	start(1);
	set_status(BATCH_RUNNING);
	run_for(15000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 1000, 0, 0);
	ck_assert_uint_eq(begun + processes[1].n_begun, 1000);
}
END_TEST

/* Nothing is lost of acts that come back long after the stop. */
START_TEST(test_batch_runs__waits_for_what_is_out_when_it_stops)
{
	make_sagas(100);
	make_batch(0);
	run_for(1000, -1);
	set_status(BATCH_STOPPED);
	run_for(3000, -1);
	ck_assert_ptr_nonnull(world.batches[0].row.runner);
	answer(&processes[0]);
	run_for(1000, -1);
	ck_assert_ptr_null(world.batches[0].row.runner);
	assert_counts(36, 64, 0, 0);
}
END_TEST

START_TEST(test_batch_runs__goes_on_when_resumed_before_it_has_stopped)
{
	make_sagas(500);
	make_batch(100);
	run_for(1000, 1);
	set_status(BATCH_STOPPED);
	set_status(BATCH_RUNNING);
	run_for(6000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 500, 0, 0);
	ck_assert_uint_eq(processes[0].n_begun, 500);
}
END_TEST

/* Stopped, retried and resumed before the runner has seen any of it: an item that it has passed
 * begins anew. */
START_TEST(test_batch_runs__does_again_what_it_has_passed)
{
	struct batch_item_row again = {.status = BATCH_ITEM_PENDING};
	struct batch_row row;
	struct err err;

	make_sagas(500);
	world.sagas[0].refusals = 1;
	make_batch(100);
	run_for(1000, 1);
	ck_assert_int_eq(world.batches[0].row.n[BATCH_ITEM_REFUSED], 1);
	batch_row_copy(&world.batches[0].row, &row);
	memcpy(again.saga_id, world.sagas[0].id, SAGA_ID_SIZE);
	ck_assert_int_eq(batch_put(&row, &again, 1, &err), 0);
	batch_row_release(&row);
	run_for(8000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 500, 0, 0);
	ck_assert_uint_eq(processes[0].n_begun, 501);
}
END_TEST

START_TEST(test_batch_runs__stops_while_it_selects)
{
	make_sagas(3000);
	make_batch(0);
	step(&processes[0]);
	set_status(BATCH_STOPPED);
	run_for(1000, 1);
	ck_assert_uint_eq(processes[0].n_begun, 0);
	ck_assert_ptr_null(world.batches[0].row.runner);
	ck_assert_int_eq(strncmp(world.batches[0].row.cursor, BATCH_CURSOR_SELECT, 7), 0);
	set_status(BATCH_SELECTING);
	run_for(4000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 3000, 0, 0);
}
END_TEST

/* What it did and could not record any more is found to be done. */
START_TEST(test_batch_runs__is_taken_over_from_who_has_died)
{
	int acted = 0;

	make_sagas(2000);
	make_batch(100);
	start(1);
	run_for(3000, 1);
	ck_assert_uint_eq(processes[1].n_begun, 0);
	for (size_t i = 0; i < processes[0].n_out; i++)
		take_effect(processes[0].out[i]);
	processes[0].dead = true;
	run_for(BATCH_ABANDONED_MS - 3000, 1);
	ck_assert_uint_eq(processes[1].n_begun, 0);
	run_for(4000, 1);
	ck_assert_uint_gt(processes[1].n_begun, 0);
	ck_assert_str_eq(world.batches[0].row.runner, "p1");
	run_for(20000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 2000, 0, 0);
	for (size_t i = 0; i < 2000; i++)
		acted += world.sagas[i].acted;
	ck_assert_int_eq(acted, 2000);
	ck_assert_uint_ge(processes[0].n_begun + processes[1].n_begun, 2000);
	for (size_t i = 0; i < processes[0].n_out; i++) {
		free(TAKE(processes[0].out[i]->effect));
		free(TAKE(processes[0].out[i]->error));
	}
}
END_TEST

/* Nobody else can have the store open. */
START_TEST(test_batch_runs__goes_on_at_once_in_a_store_of_one_process)
{
	make_sagas(1000);
	make_batch(100);
	run_for(2000, 1);
	processes[0].dead = true;
	start_alone(1);
	run_for(1000, 1);
	ck_assert_str_eq(world.batches[0].row.runner, "p1");
	run_for(10000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 1000, 0, 0);
}
END_TEST

/* It was paused, and another has the batch: what it knows is no longer written. */
START_TEST(test_batch_runs__lets_go_of_what_another_has_taken)
{
	size_t begun;

	make_sagas(2000);
	make_batch(20);
	run_for(2010, 1);
	processes[0].dead = true;
	start(1);
	run_for(BATCH_ABANDONED_MS + 2000, 1);
	ck_assert_str_eq(world.batches[0].row.runner, "p1");
	begun = processes[0].n_begun;
	processes[0].dead = false;
	run_for(120000, 1);
	ck_assert_uint_le(processes[0].n_begun - begun, 2);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 2000, 0, 0);
}
END_TEST

START_TEST(test_batch_runs__two_that_look_at_once_do_not_both_get_it)
{
	make_sagas(500);
	start(1);
	make_batch(100);
	run_for(10000, 1);
	assert_ended(&world.batches[0].row);
	ck_assert(processes[0].n_begun == 0 || processes[1].n_begun == 0);
	ck_assert_uint_eq(processes[0].n_begun + processes[1].n_begun, 500);
}
END_TEST

START_TEST(test_batch_runs__leaves_its_batches_to_others)
{
	make_sagas(1000);
	make_batch(100);
	run_for(3000, 1);
	batch_runs_leave(processes[0].runs);
	processes[0].step_at_us = 0;
	start(1);
	run_for(2000, 1);
	ck_assert_str_eq(world.batches[0].row.runner, "p1");
	run_for(10000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 1000, 0, 0);
	ck_assert_uint_eq(processes[0].n_begun + processes[1].n_begun, 1000);
}
END_TEST

START_TEST(test_batch_runs__goes_on_when_the_store_is_back)
{
	size_t begun;

	make_sagas(2000);
	make_batch(500);
	run_for(1000, 1);
	world.down = true;
	run_for(10000, 1);
	begun = processes[0].n_begun;
	ck_assert_uint_lt(begun, 2000);
	run_for(10000, 1);
	/* It does not act on without end while nothing of it can be recorded. */
	ck_assert_uint_eq(processes[0].n_begun, begun);
	world.down = false;
	run_for(10000, 1);
	assert_ended(&world.batches[0].row);
	assert_counts(0, 2000, 0, 0);
	ck_assert_uint_eq(processes[0].n_begun, 2000);
}
END_TEST

START_TEST(test_batch_runs__takes_no_more_sagas_than_its_limit)
{
	make_sagas(BATCH_ITEMS_MAX + 5);
	make_batch(1);
	run_for(2000, 1);
	ck_assert_int_eq(world.batches[0].row.status, BATCH_RUNNING);
	ck_assert_int_eq(world.batches[0].row.n[BATCH_ITEM_PENDING] +
						 world.batches[0].row.n[BATCH_ITEM_DONE],
					 BATCH_ITEMS_MAX);
}
END_TEST

START_TEST(test_batch_runs__forgets_a_batch_that_is_gone)
{
	struct batch_runs_stats stats;

	make_sagas(1000);
	make_batch(10);
	run_for(2000, 1);
	world.batches[0].row.id[0] = 'x';
	world.batches[0].row.status = BATCH_DONE;
	run_for(6000, 1);
	batch_runs_stats(processes[0].runs, &stats);
	ck_assert_int_eq(stats.open, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch_runs");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_batch_runs__acts_on_each_saga_that_matches);
	tcase_add_test(tcase, test_batch_runs__finds_nothing_and_is_done);
	tcase_add_test(tcase, test_batch_runs__goes_on_after_pages_without_a_match);
	tcase_add_test(tcase, test_batch_runs__writes_outcomes_in_groups);
	tcase_add_test(tcase, test_batch_runs__keeps_to_its_rate);
	tcase_add_test(tcase, test_batch_runs__does_not_make_up_for_a_pause);
	tcase_add_test(tcase, test_batch_runs__has_so_many_acts_out_at_once);
	tcase_add_test(tcase, test_batch_runs__records_what_is_refused);
	tcase_add_test(tcase, test_batch_runs__tries_again_later);
	tcase_add_test(tcase, test_batch_runs__fails_after_so_many_tries);
	tcase_add_test(tcase, test_batch_runs__stops_within_a_second);
	tcase_add_test(tcase, test_batch_runs__waits_for_what_is_out_when_it_stops);
	tcase_add_test(tcase, test_batch_runs__goes_on_when_resumed_before_it_has_stopped);
	tcase_add_test(tcase, test_batch_runs__does_again_what_it_has_passed);
	tcase_add_test(tcase, test_batch_runs__stops_while_it_selects);
	tcase_add_test(tcase, test_batch_runs__is_taken_over_from_who_has_died);
	tcase_add_test(tcase, test_batch_runs__goes_on_at_once_in_a_store_of_one_process);
	tcase_add_test(tcase, test_batch_runs__lets_go_of_what_another_has_taken);
	tcase_add_test(tcase, test_batch_runs__two_that_look_at_once_do_not_both_get_it);
	tcase_add_test(tcase, test_batch_runs__leaves_its_batches_to_others);
	tcase_add_test(tcase, test_batch_runs__goes_on_when_the_store_is_back);
	tcase_add_test(tcase, test_batch_runs__takes_no_more_sagas_than_its_limit);
	tcase_add_test(tcase, test_batch_runs__forgets_a_batch_that_is_gone);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
