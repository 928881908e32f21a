/*
 * The contract of tasks, at random: whatever is committed or refused, lists of tasks, page by page,
 * and counts of queues are what a model says; and so are the messages that commits carried.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"
#include "tests/sim/rng.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { SAGAS = 14, STEPS = 3, PLACES = SAGAS * STEPS * 2, ROUNDS = 60, BATCH = 8, CHANGES = 4 };

static const char *const steps[STEPS] = {"a", "b", "c"};
static const char *const queues[] = {"q1", "q2", "q3"};

/* One task as it ought to be: by saga, step and side. */
struct model {
	bool exists;
	struct task_row row;
};

struct run {
	struct store *store;
	struct store_reader *reader;
	const struct store_ops *ops;
	struct rng rng;
	struct model tasks[PLACES];
	int64_t seq[SAGAS];
	int messages; /* that were sent */
	int accepted, refused;
	int64_t at; /* counts up with each task */
	struct saga_row rows[SAGAS];
};

struct planned {
	struct task_change changes[CHANGES];
	struct inbox_row message;
	int saga;
	bool fits; /* its predecessor is there */
};

static struct task_change any_change(struct run *run, int saga)
{
	bool approval = rng_percent(&run->rng, 20), leased = rng_percent(&run->rng, 40);
	struct task_change change = {
		.row = {.slot = saga % ROWS_SLOTS,
				.ns = "default",
				.definition = "order",
				.step = steps[rng_below(&run->rng, STEPS)],
				.item = -1,
				.side = rng_percent(&run->rng, 50) ? SIDE_DO : SIDE_UNDO,
				.kind = approval ? TASK_APPROVAL : TASK_WORKER,
				.queue = approval ? "" : RNG_PICK(&run->rng, queues),
				.state = leased && !approval ? TASK_LEASED : TASK_QUEUED,
				.attempt = ++run->at,
				/* Few times, so that many tasks have the same. */
				.available_at = rows_time((int)rng_below(&run->rng, 5)),
				.doc = "{}",
				.doc_len = 2},
		.remove = rng_percent(&run->rng, 30),
	};

	memcpy(change.row.saga_id, rows_id(saga), sizeof(change.row.saga_id));
	return change;
}

static int place_of(int saga, const struct task_row *row)
{
	return (saga * STEPS + (row->step[0] - 'a')) * 2 + (row->side == SIDE_UNDO);
}

/* Up to CHANGES of one item, each of another place. */
static size_t plan_changes(struct run *run, struct planned *planned)
{
	size_t n = 0;

	for (int tries = (int)rng_below(&run->rng, CHANGES + 1); tries > 0; tries--) {
		struct task_change change = any_change(run, planned->saga);
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there |= place_of(0, &planned->changes[i].row) == place_of(0, &change.row);
		if (!there)
			planned->changes[n++] = change;
	}
	return n;
}

static struct store_item plan(struct run *run, struct planned *planned, int64_t seq)
{
	struct store_item item = seq == 1 ? rows_create(planned->saga, &run->rows[planned->saga])
									  : rows_next(planned->saga, seq, NULL);

	item.n_tasks = plan_changes(run, planned);
	item.tasks = planned->changes;
	item.remove_all_tasks = rng_percent(&run->rng, 15);
	if (rng_percent(&run->rng, 30)) {
		int to = (int)rng_below(&run->rng, SAGAS);

		planned->message = (struct inbox_row){
			.slot = to % ROWS_SLOTS, .ns = "default", .message = "{}", .message_len = 2};
		memcpy(planned->message.saga_id, rows_id(to), sizeof(planned->message.saga_id));
		memcpy(planned->message.id, rows_id(1000 + (int)++run->at % 3000),
			   sizeof(planned->message.id));
		item.messages = &planned->message;
		item.n_messages = 1;
	}
	return item;
}

static void apply(struct run *run, const struct planned *planned, const struct store_item *item)
{
	for (int i = 0; item->remove_all_tasks && i < STEPS * 2; i++)
		run->tasks[planned->saga * STEPS * 2 + i].exists = false;
	for (size_t i = 0; i < item->n_tasks; i++) {
		const struct task_change *change = &item->tasks[i];

		run->tasks[place_of(planned->saga, &change->row)] =
			(struct model){.exists = !change->remove, .row = change->row};
	}
	run->messages += (int)item->n_messages;
}

static void commit_some(struct run *run)
{
	struct planned planned[BATCH] = {0};
	struct store_item items[BATCH];
	int64_t seq[SAGAS];
	struct err err = {0};

	memcpy(seq, run->seq, sizeof(seq));
	for (int i = 0; i < BATCH; i++) {
		planned[i].saga = (int)rng_below(&run->rng, SAGAS);
		planned[i].fits = seq[planned[i].saga] == 0 || rng_percent(&run->rng, 85);
		items[i] = plan(run, &planned[i],
						planned[i].fits ? ++seq[planned[i].saga] : seq[planned[i].saga] + 7);
	}
	ck_assert_msg(run->ops->commit(run->store, items, BATCH, &err) == 0, "%s", err.text);
	for (int i = 0; i < BATCH; i++) {
		ck_assert_int_eq(items[i].verdict, planned[i].fits ? STORE_ACCEPTED : STORE_CONFLICT);
		if (planned[i].fits)
			apply(run, &planned[i], &items[i]);
		run->accepted += planned[i].fits;
		run->refused += !planned[i].fits;
	}
	memcpy(run->seq, seq, sizeof(seq));
}

static int compare(const void *a, const void *b)
{
	const struct task_row *x = *(const struct task_row *const *)a,
						  *y = *(const struct task_row *const *)b;
	int r = (x->available_at > y->available_at) - (x->available_at < y->available_at);

	if (r == 0)
		r = strcmp(x->saga_id, y->saga_id);
	if (r == 0)
		r = strcmp(x->step, y->step);
	return r ? r : (int)x->side - (int)y->side;
}

static bool matches(const struct model *task, const struct task_filter *filter)
{
	const struct task_row *row = &task->row;

	return task->exists && row->kind == filter->kind &&
		   (!filter->queue || strcmp(filter->queue, row->queue) == 0) &&
		   (filter->state < 0 || row->state == (enum task_state)filter->state) &&
		   (!filter->available_before || row->available_at < filter->available_before);
}

static int expected(const struct run *run, const struct task_filter *filter,
					const struct task_row *list[PLACES])
{
	int n = 0;

	for (int i = 0; i < PLACES; i++)
		if (matches(&run->tasks[i], filter))
			list[n++] = &run->tasks[i].row;
	qsort(list, (size_t)n, sizeof(list[0]), compare);
	return n;
}

struct seen {
	const struct task_row **list;
	int n, total, page;
	struct task_filter *filter;
};

static int see(void *ctx, const struct task_row *row)
{
	struct seen *seen = ctx;
	const struct task_row *want;

	ck_assert_int_lt(seen->n, seen->total);
	want = seen->list[seen->n++];
	ck_assert_str_eq(row->saga_id, want->saga_id);
	ck_assert_str_eq(row->step, want->step);
	ck_assert_int_eq(row->side, want->side);
	ck_assert_int_eq(row->state, want->state);
	ck_assert_str_eq(row->queue, want->queue);
	ck_assert_int_eq(row->attempt, want->attempt);
	ck_assert_int_eq(row->slot, want->slot);
	seen->page++;
	seen->filter->after_available_at = want->available_at;
	memcpy(seen->filter->after_saga_id, want->saga_id, sizeof(want->saga_id));
	seen->filter->after_step = want->step;
	seen->filter->after_item = want->item;
	seen->filter->after_side = want->side;
	return 0;
}

/* A list, in pages of a random size. */
static void check_list(struct run *run, struct task_filter filter)
{
	const struct task_row *list[PLACES];
	struct seen seen = {.list = list, .filter = &filter};
	struct err err = {0};

	seen.total = expected(run, &filter, list);
	do {
		seen.page = 0;
		filter.limit = 1 + (int)rng_below(&run->rng, 9);
		ck_assert_msg(run->ops->tasks_list(run->reader, &filter, see, &seen, &err) == 0, "%s",
					  err.text);
	} while (seen.page == filter.limit);
	ck_assert_int_eq(seen.n, seen.total);
}

static int see_count(void *ctx, const struct queue_count_row *row)
{
	struct run *run = ctx;
	const struct task_row *list[PLACES];
	struct task_filter filter = {.ns = "default", .queue = row->queue, .state = TASK_LEASED};

	ck_assert_int_eq(row->leased, expected(run, &filter, list));
	filter.state = TASK_QUEUED;
	ck_assert_int_eq(row->queued, expected(run, &filter, list));
	ck_assert_int_eq(row->oldest_available_at, row->queued ? list[0]->available_at : 0);
	return 0;
}

static int count_row(void *ctx, const struct inbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static void check(struct run *run)
{
	int slots[ROWS_SLOTS], n = 0;
	struct inbox_page page = {.slots = slots, .n_slots = ROWS_SLOTS, .limit = STORE_PUT_MAX};
	struct err err = {0};

	for (int state = -1; state < TASK_STATE_COUNT; state++) {
		for (size_t i = 0; i <= ARRAY_SIZE(queues); i++)
			check_list(run, (struct task_filter){.ns = "default",
												 .state = state,
												 .queue = i ? queues[i - 1] : NULL,
												 .available_before = i % 2 ? 0 : rows_time(3)});
		check_list(run,
				   (struct task_filter){.ns = "default", .kind = TASK_APPROVAL, .state = state});
	}
	ck_assert_msg(
		run->ops->queue_counts(run->reader, "default", "", "", 10, see_count, run, &err) == 0, "%s",
		err.text);
	for (int i = 0; i < ROWS_SLOTS; i++)
		slots[i] = i;
	ck_assert_int_eq(run->ops->inbox_list(run->reader, &page, count_row, &n, &err), 0);
	ck_assert_int_eq(n, run->messages);
}

/* A seed that fails is printed with the assertion's place; SEED=… repeats it. */
START_TEST(test_tasks__equal_a_model_whatever_was_committed)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	struct run *run = xcalloc(1, sizeof(*run));
	struct err err;

	fprintf(stderr, "%s: SEED=%llu\n", store_contract__kinds[_i].name, (unsigned long long)seed);
	rng_init(&run->rng, seed, 0);
	run->store = store_contract__kinds[_i].open();
	run->ops = run->store->ops;
	ck_assert_int_eq(run->ops->reader_open(run->store, &run->reader, &err), 0);
	for (int n = 0; n < SAGAS; n++)
		run->rows[n] = rows_saga(n);
	for (int round = 0; round < ROUNDS; round++) {
		commit_some(run);
		if (round % 3 == 0)
			check(run);
	}
	check(run);
	ck_assert_int_gt(run->accepted, ROUNDS); /* all of it did happen */
	ck_assert_int_gt(run->refused, 0);
	ck_assert_int_gt(run->messages, 0);
	run->ops->reader_close(run->reader);
	run->ops->close(run->store);
	free(run);
}
END_TEST

void store_contract__add_tasks(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_tasks__equal_a_model_whatever_was_committed, 0, n);
}
