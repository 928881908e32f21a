/*
 * The contract of sagas that run long: tasks, messages between sagas, search values, parents, keys
 * that are used again, where a fold begins, and queues.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

struct opened {
	struct store *store;
	struct store_reader *reader;
	const struct store_ops *ops;
};

static struct opened open_kind(int kind)
{
	struct opened o = {.store = store_contract__kinds[kind].open()};
	struct err err;

	o.ops = o.store->ops;
	ck_assert_int_eq(o.ops->reader_open(o.store, &o.reader, &err), 0);
	return o;
}

static void close_kind(struct opened *o)
{
	o->ops->reader_close(o->reader);
	o->ops->close(o->store);
}

static enum store_verdict put(struct opened *o, struct store_item item)
{
	struct err err = {0};

	ck_assert_msg(o->ops->commit(o->store, &item, 1, &err) == 0, "%s", err.text);
	return item.verdict;
}

/* A task of saga n, available so many seconds after its beginning. */
static struct task_change task(int n, const char *step, const char *queue, int seconds)
{
	return (struct task_change){.row = {.ns = "default",
										.definition = "order",
										.step = step,
										.item = -1,
										.queue = queue,
										.attempt = 1,
										.queued_at = rows_time(n),
										.available_at = rows_time(n) + seconds * 1000,
										.doc = "{}",
										.doc_len = 2}};
}

static int add_task(void *ctx, const struct task_row *row)
{
	buf_printf(ctx, "%d/%s/%d/%s ", (int)strtol(row->saga_id + 32, NULL, 16), row->step, row->item,
			   row->side == SIDE_DO ? "do" : "undo");
	buf_printf(ctx, "%s:%s %s %s%s%s\n", row->ns, row->kind == TASK_WORKER ? row->queue : "(ask)",
			   task_state_text(row->state), row->worker ? row->worker : "-", row->build ? "@" : "",
			   row->build ? row->build : "");
	return 0;
}

static void expect_tasks(struct opened *o, struct task_filter filter, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	if (!filter.ns)
		filter.ns = "default";
	if (filter.limit == 0)
		filter.limit = 100;
	ck_assert_msg(o->ops->tasks_list(o->reader, &filter, add_task, &text, &err) == 0, "%s",
				  err.text);
	ck_assert_str_eq(buf_str(&text), expected);
}

static void note(struct opened *o, const char *step, int item, enum side side, int64_t attempt,
				 const char *doc)
{
	struct task_row row = task(1, step, "house", 0).row;
	struct err err;

	row.slot = 1;
	snprintf(row.saga_id, sizeof(row.saga_id), "%s", rows_id(1));
	row.item = item;
	row.side = side;
	row.attempt = attempt;
	row.doc = doc;
	row.doc_len = strlen(doc);
	ck_assert_msg(o->ops->task_note(o->store, &row, &err) == 0, "%s", err.text);
}

/* Those of saga 1, by step. */
static void expect_saga_tasks(struct opened *o, int state, int limit, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	ck_assert_msg(
		o->ops->saga_tasks(o->reader, 1, rows_id(1), state, limit, add_task, &text, &err) == 0,
		"%s", err.text);
	ck_assert_str_eq(buf_str(&text), expected);
}

static void expect_doc(struct opened *o, const char *step, int item, enum side side,
					   const char *doc)
{
	struct task_row got;

	ck_assert_int_eq(rows_task(o->reader, 1, rows_id(1), step, item, side, &got), 0);
	ck_assert_str_eq(got.doc, doc);
	task_row_release(&got);
}

START_TEST(test_tasks__are_written_replaced_and_removed_by_commits)
{
	struct opened o = open_kind(_i);
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct task_change tasks[] = {task(1, "pack", "house", 0), task(1, "pack", "house", 1),
								  task(1, "sign", "", 2)};
	struct task_change leased = tasks[0],
					   gone = {.row.step = "pack", .row.item = 3, .remove = true};
	struct task_row got;
	struct err err;

	tasks[1].row.item = 3;
	tasks[1].row.side = SIDE_UNDO;
	gone.row.side = SIDE_UNDO;
	tasks[2].row.kind = TASK_APPROVAL;
	tasks[2].row.doc = "{\"title\":\"a \\\"b\\\"\"}";
	tasks[2].row.doc_len = strlen(tasks[2].row.doc);
	item.tasks = tasks;
	item.n_tasks = 3;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	expect_tasks(&o, (struct task_filter){.state = -1},
				 "1/pack/-1/do default:house queued -\n1/pack/3/undo default:house queued -\n");
	expect_tasks(&o, (struct task_filter){.kind = TASK_APPROVAL, .state = -1},
				 "1/sign/-1/do default:(ask) queued -\n");
	leased.row.state = TASK_LEASED;
	leased.row.attempt = 2;
	leased.row.worker = "w 1";
	leased.row.build = "b1";
	leased.row.route = "eu";
	leased.row.leased_until = rows_time(90);
	leased.row.deadline_at = rows_time(99);
	item = rows_next(1, 2, NULL);
	item.tasks = &leased;
	item.n_tasks = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	expect_tasks(&o, (struct task_filter){.queue = "house", .state = TASK_LEASED},
				 "1/pack/-1/do default:house leased w 1@b1\n");
	expect_tasks(&o, (struct task_filter){.queue = "house", .state = TASK_QUEUED},
				 "1/pack/3/undo default:house queued -\n");
	expect_saga_tasks(&o, TASK_LEASED, 10, "1/pack/-1/do default:house leased w 1@b1\n");
	expect_saga_tasks(&o, -1, 2,
					  "1/pack/-1/do default:house leased w 1@b1\n"
					  "1/pack/3/undo default:house queued -\n");
	ck_assert_int_eq(o.ops->saga_tasks(o.reader, 1, rows_id(1), -1, 0, add_task, NULL, &err),
					 ERR_INVALID);
	ck_assert_int_eq(o.ops->saga_tasks(o.reader, 1, rows_id(2), -1, 1, add_task, NULL, &err), 0);
	ck_assert_int_eq(rows_task(o.reader, 1, rows_id(1), "pack", -1, SIDE_DO, &got), 0);
	ck_assert_int_eq(got.slot, 1);
	ck_assert_str_eq(got.saga_id, rows_id(1));
	ck_assert_str_eq(got.definition, "order");
	ck_assert_str_eq(got.route, "eu");
	ck_assert_int_eq(got.attempt, 2);
	ck_assert_int_eq(got.queued_at, rows_time(1));
	ck_assert_int_eq(got.available_at, rows_time(1));
	ck_assert_int_eq(got.deadline_at, rows_time(99));
	ck_assert_int_eq(got.leased_until, rows_time(90));
	task_row_release(&got);
	/* What its worker says is kept; what one says that has lost it is not, nor of what waits. */
	note(&o, "pack", -1, SIDE_DO, 2, "{\"progress\":7}");
	note(&o, "pack", -1, SIDE_DO, 1, "{\"progress\":99}");
	note(&o, "pack", 3, SIDE_UNDO, 1, "{\"progress\":99}");
	note(&o, "gone", -1, SIDE_DO, 2, "{\"progress\":99}");
	expect_doc(&o, "pack", -1, SIDE_DO, "{\"progress\":7}");
	expect_doc(&o, "pack", 3, SIDE_UNDO, "{}");
	ck_assert_int_eq(rows_task(o.reader, 1, rows_id(1), "sign", -1, SIDE_DO, &got), 0);
	ck_assert_str_eq(got.doc, "{\"title\":\"a \\\"b\\\"\"}");
	ck_assert_ptr_null(got.worker);
	ck_assert_int_eq(got.deadline_at, 0);
	task_row_release(&got);
	item = rows_next(1, 3, NULL);
	item.tasks = &gone;
	item.n_tasks = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	ck_assert_int_eq(rows_task(o.reader, 1, rows_id(1), "pack", 3, SIDE_UNDO, &got), ERR_NOT_FOUND);
	/* At once all go, and one is there again. */
	item = rows_next(1, 4, NULL);
	item.remove_all_tasks = true;
	item.tasks = tasks;
	item.n_tasks = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	expect_tasks(&o, (struct task_filter){.state = -1}, "1/pack/-1/do default:house queued -\n");
	expect_tasks(&o, (struct task_filter){.kind = TASK_APPROVAL, .state = -1}, "");
	close_kind(&o);
}
END_TEST

START_TEST(test_tasks__those_of_a_refused_item_are_not_there)
{
	struct opened o = open_kind(_i);
	struct saga_row row = rows_saga(1);
	struct store_item items[] = {rows_create(1, &row), rows_next(2, 2, NULL)};
	struct task_change tasks[] = {task(1, "a", "q", 0), task(2, "b", "q", 0)};
	struct inbox_row message = {.ns = "default", .slot = 3, .message = "{}", .message_len = 2};
	struct err err = {0};

	memcpy(message.id, rows_id(40), sizeof(message.id));
	memcpy(message.saga_id, rows_id(3), sizeof(message.saga_id));
	for (int i = 0; i < 2; i++) {
		items[i].tasks = &tasks[i];
		items[i].n_tasks = 1;
	}
	items[1].messages = &message;
	items[1].n_messages = 1;
	ck_assert_int_eq(o.ops->commit(o.store, items, 2, &err), 0);
	ck_assert_int_eq(items[0].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[1].verdict, STORE_CONFLICT);
	expect_tasks(&o, (struct task_filter){.state = -1}, "1/a/-1/do default:q queued -\n");
	close_kind(&o);
}
END_TEST

START_TEST(test_tasks__what_is_too_large_is_unstorable_alone)
{
	struct opened o = open_kind(_i);
	struct saga_row rows[] = {rows_saga(1), rows_saga(2)};
	struct store_item items[] = {rows_create(1, &rows[0]), rows_create(2, &rows[1])};
	struct task_change tasks[] = {task(1, "a", "q", 0), task(2, "b", "q", 0)};
	CLEANUP(free_p) char *queue = xcalloc(STORE_NAME_MAX_BYTES + 2, 1);
	struct err err = {0};

	memset(queue, 'q', STORE_NAME_MAX_BYTES + 1);
	tasks[0].row.queue = queue;
	for (int i = 0; i < 2; i++) {
		items[i].tasks = &tasks[i];
		items[i].n_tasks = 1;
	}
	ck_assert_int_eq(o.ops->commit(o.store, items, 2, &err), 0);
	ck_assert_int_eq(items[0].verdict, STORE_UNSTORABLE);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	close_kind(&o);
}
END_TEST

/* Tasks of ten sagas: by turns of queue a and b, each a second later than the one before. */
static void put_ten(struct opened *o)
{
	for (int n = 0; n < 10; n++) {
		struct saga_row row = rows_saga(n);
		struct store_item item = rows_create(n, &row);
		struct task_change change = task(0, "pack", n % 2 ? "b" : "a", 10 - n);

		change.row.state = n % 5 == 4 ? TASK_LEASED : TASK_QUEUED;
		change.row.ns = row.ns = n == 9 ? "other" : "default";
		item.tasks = &change;
		item.n_tasks = 1;
		ck_assert_int_eq(put(o, item), STORE_ACCEPTED);
	}
}

START_TEST(test_tasks__lists_give_first_what_was_available_first)
{
	struct opened o = open_kind(_i);
	struct task_filter page = {.state = -1, .limit = 2, .after_step = "pack", .after_item = -1};
	struct task_filter bad = {.ns = "default", .state = 7, .limit = 1};
	struct err err;

	put_ten(&o);
	expect_tasks(&o, (struct task_filter){.queue = "a", .state = TASK_QUEUED},
				 "8/pack/-1/do default:a queued -\n6/pack/-1/do default:a queued -\n"
				 "2/pack/-1/do default:a queued -\n0/pack/-1/do default:a queued -\n");
	expect_tasks(&o, (struct task_filter){.queue = "a", .state = -1, .limit = 3},
				 "8/pack/-1/do default:a queued -\n6/pack/-1/do default:a queued -\n"
				 "4/pack/-1/do default:a leased -\n");
	expect_tasks(
		&o, (struct task_filter){.state = TASK_QUEUED, .available_before = rows_time(0) + 4000},
		"8/pack/-1/do default:a queued -\n7/pack/-1/do default:b queued -\n");
	expect_tasks(&o, (struct task_filter){.ns = "other", .state = -1},
				 "9/pack/-1/do other:b leased -\n");
	page.after_available_at = rows_time(0) + 5000;
	memcpy(page.after_saga_id, rows_id(5), sizeof(page.after_saga_id));
	expect_tasks(&o, page, "4/pack/-1/do default:a leased -\n3/pack/-1/do default:b queued -\n");
	page.after_item = -2; /* before that task itself */
	page.limit = 1;
	expect_tasks(&o, page, "5/pack/-1/do default:b queued -\n");
	ck_assert_int_eq(o.ops->tasks_list(o.reader, &bad, add_task, NULL, &err), ERR_INVALID);
	bad.state = -1;
	bad.limit = 0;
	ck_assert_int_eq(o.ops->tasks_list(o.reader, &bad, add_task, NULL, &err), ERR_INVALID);
	close_kind(&o);
}
END_TEST

static int add_count(void *ctx, const struct queue_count_row *row)
{
	buf_printf(ctx, "%s/%s %lld%s %lld%s since %lld\n", row->ns, row->queue, (long long)row->queued,
			   row->queued_more ? "+" : "", (long long)row->leased, row->leased_more ? "+" : "",
			   row->oldest_available_at ? (long long)(row->oldest_available_at - rows_time(0)) : 0);
	return 0;
}

static void expect_counts(struct opened *o, const char *ns, const char *after_ns, const char *after,
						  int limit, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	ck_assert_msg(
		o->ops->queue_counts(o->reader, ns, after_ns, after, limit, add_count, &text, &err) == 0,
		"%s", err.text);
	ck_assert_str_eq(buf_str(&text), expected);
}

static void expect_approvals(struct opened *o, int64_t open, wall_ms oldest_at)
{
	struct approval_counts counts = {7, 7};
	struct err err = {0};

	ck_assert_msg(o->ops->approval_counts(o->reader, &counts, &err) == 0, "%s", err.text);
	ck_assert_int_eq(counts.open, open);
	ck_assert_int_eq(counts.oldest_at, oldest_at);
}

START_TEST(test_queues__are_counted)
{
	struct opened o = open_kind(_i);
	struct saga_row row = rows_saga(20);
	struct store_item item = rows_create(20, &row);
	struct task_change ask = task(20, "sign", "", 0);

	expect_counts(&o, NULL, "", "", 10, "");
	expect_approvals(&o, 0, 0);
	put_ten(&o);
	expect_approvals(&o, 0, 0);
	ask.row.kind = TASK_APPROVAL;
	item.tasks = &ask;
	item.n_tasks = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	expect_approvals(&o, 1, ask.row.available_at);
	expect_counts(&o, "default", "", "", 10,
				  "default/a 4 1 since 2000\ndefault/b 4 0 since 3000\n");
	expect_counts(&o, NULL, "", "", 10,
				  "default/a 4 1 since 2000\ndefault/b 4 0 since 3000\nother/b 0 1 since 0\n");
	expect_counts(&o, NULL, "default", "a", 1, "default/b 4 0 since 3000\n");
	expect_counts(&o, NULL, "default", "b", 5, "other/b 0 1 since 0\n");
	expect_counts(&o, NULL, "other", "b", 5, "");
	close_kind(&o);
}
END_TEST

START_TEST(test_queues__are_counted_up_to_a_bound)
{
	enum { AT_ONCE = 1000 };
	struct opened o = open_kind(_i);
	struct task_change *tasks = xcalloc(AT_ONCE, sizeof(*tasks));
	struct saga_row row = rows_saga(1);

	for (int i = 0; i < AT_ONCE; i++)
		tasks[i] = task(1, "pack", "a", 1);
	for (int n = 0; n <= QUEUE_COUNT_MAX / AT_ONCE; n++) {
		struct store_item item = n == 0 ? rows_create(1, &row) : rows_next(1, n + 1, NULL);

		for (int i = 0; i < AT_ONCE; i++)
			tasks[i].row.item = n * AT_ONCE + i;
		item.tasks = tasks;
		item.n_tasks = n * AT_ONCE == QUEUE_COUNT_MAX ? 1 : AT_ONCE;
		if (n * AT_ONCE == QUEUE_COUNT_MAX)
			expect_counts(&o, "default", "", "", 10, "default/a 10000 0 since 2000\n");
		ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	}
	expect_counts(&o, "default", "", "", 10, "default/a 10000+ 0 since 2000\n");
	free(tasks);
	close_kind(&o);
}
END_TEST

static int add_queue(void *ctx, const struct queue_row *row)
{
	buf_printf(ctx, "%s/%s %s by %s r%lld\n", row->ns, row->name, row->settings,
			   row->by ? row->by : "-", (long long)row->revision);
	return 0;
}

START_TEST(test_queues__settings_are_written_by_who_has_read_them)
{
	struct opened o = open_kind(_i);
	struct queue_row row = {
		.ns = "default", .name = "b", .settings = "{\"n\":1}", .by = "ann", .updated_at = 5};
	struct queue_row lost = row, other = row,
					 first = {.ns = "default", .name = "a", .settings = "{}"};
	struct queue_row elsewhere = {.ns = "other", .name = "a", .settings = "{}"}, got;
	CLEANUP(buf_release) struct buf text;
	struct err err;

	buf_init(&text, 0);
	ck_assert_int_eq(o.ops->queue_put(o.store, &row, &err), 0);
	ck_assert_int_eq(row.revision, 1);
	ck_assert_int_eq(o.ops->queue_put(o.store, &lost, &err), 0); /* its answer was lost */
	ck_assert_int_eq(lost.revision, 1);
	other.settings = "{\"n\":2}";
	ck_assert_int_eq(o.ops->queue_put(o.store, &other, &err), ERR_CONFLICT);
	other.revision = 1;
	other.by = NULL;
	ck_assert_int_eq(o.ops->queue_put(o.store, &other, &err), 0);
	ck_assert_int_eq(o.ops->queue_put(o.store, &first, &err), 0);
	ck_assert_int_eq(o.ops->queue_put(o.store, &elsewhere, &err), 0);
	ck_assert_int_eq(o.ops->queue_list(o.reader, "default", add_queue, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text), "default/a {} by - r1\ndefault/b {\"n\":2} by - r2\n");
	buf_clear(&text);
	ck_assert_int_eq(o.ops->queue_list(o.reader, NULL, add_queue, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text),
					 "default/a {} by - r1\ndefault/b {\"n\":2} by - r2\nother/a {} by - r1\n");
	ck_assert_int_eq(o.ops->queue_get(o.reader, "default", "b", &got, &err), 0);
	ck_assert_str_eq(got.settings, "{\"n\":2}");
	queue_row_release(&got);
	ck_assert_int_eq(o.ops->queue_get(o.reader, "default", "c", &got, &err), ERR_NOT_FOUND);
	first.settings = NULL;
	ck_assert_int_eq(o.ops->queue_put(o.store, &first, &err), ERR_INVALID);
	close_kind(&o);
}
END_TEST

static int add_inbox(void *ctx, const struct inbox_row *row)
{
	buf_printf(ctx, "%d@%d %.*s\n", (int)strtol(row->saga_id + 32, NULL, 16), row->slot,
			   (int)row->message_len, row->message);
	return 0;
}

START_TEST(test_messages__go_to_inboxes_of_any_slot_with_the_commit)
{
	struct opened o = open_kind(_i);
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct inbox_row messages[2] = {
		{.slot = 2, .ns = "default", .at = 5, .message = "{\"a\":1}", .message_len = 7},
		{.slot = 3, .ns = "default", .at = 6, .message = "{\"b\":1}", .message_len = 7}};
	int slots[] = {2, 3};
	struct inbox_page page = {.slots = slots, .n_slots = 2, .limit = 10};
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	for (int i = 0; i < 2; i++) {
		memcpy(messages[i].id, rows_id(50 + i), sizeof(messages[i].id));
		memcpy(messages[i].saga_id, rows_id(2 + i), sizeof(messages[i].saga_id));
	}
	item.messages = messages;
	item.n_messages = 2;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	item = rows_next(1, 2, NULL); /* one that is there stays as it was */
	messages[0].message = "{\"c\":1}";
	item.messages = messages;
	item.n_messages = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	ck_assert_int_eq(o.ops->inbox_list(o.reader, &page, add_inbox, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text), "2@2 {\"a\":1}\n3@3 {\"b\":1}\n");
	item = rows_next(1, 3, NULL);
	messages[0].slot = ROWS_SLOTS;
	item.messages = messages;
	item.n_messages = 1;
	ck_assert_int_eq(put(&o, item), STORE_UNSTORABLE);
	close_kind(&o);
}
END_TEST

static int last; /* saga that was listed */

static int add_saga(void *ctx, const struct saga_row *row)
{
	last = (int)strtol(row->id + 32, NULL, 16);
	buf_printf(ctx, "%d ", last);
	return 0;
}

/* Lists in pages of 2, as well as in one. */
static void expect_list(struct opened *o, struct saga_filter filter, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	for (int limit = 100; limit > 0; limit = limit == 100 ? 2 : 0) {
		struct saga_filter page = filter;
		size_t before = 0;

		buf_init(&text, 0);
		page.ns = "default";
		page.limit = limit;
		do {
			before = text.len;
			ck_assert_msg(o->ops->list(o->reader, &page, add_saga, &text, &err) == 0, "%s",
						  err.text);
			if (text.len > before)
				memcpy(page.after_id, rows_id(last), sizeof(page.after_id));
		} while (limit == 2 && text.len > before);
		ck_assert_str_eq(buf_str(&text), expected);
		buf_release(&text);
	}
	buf_init(&text, 0);
}

START_TEST(test_search__finds_sagas_by_their_values)
{
	struct opened o = open_kind(_i);
	struct search_value both[] = {{"customer", "7"}, {"even", "yes"}}, none[] = {{"even", "no"}};

	for (int n = 0; n < 12; n++) {
		CLEANUP(free_p) char *customer = xasprintf("%d", n < 3 ? 1 : 7);
		struct saga_row row = rows_saga(n);
		struct store_item item = rows_create(n, &row);
		struct search_value values[] = {{"customer", customer}, {"even", "yes"}, {"x'y", "a b"}};

		row.ns = n == 11 ? "other" : "default";
		item.search = values;
		item.n_search = n % 2 ? 1 : 3;
		ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	}
	ck_assert_int_eq(rows_put_end(o.store, 6, 2, SAGA_FAILED), STORE_ACCEPTED);
	expect_list(&o, (struct saga_filter){.search = both, .n_search = 1}, "10 9 8 7 6 5 4 3 ");
	expect_list(&o, (struct saga_filter){.search = both, .n_search = 2}, "10 8 6 4 ");
	expect_list(&o, (struct saga_filter){.search = both, .n_search = 2, .oldest_first = true},
				"4 6 8 10 ");
	expect_list(
		&o, (struct saga_filter){.search = both, .n_search = 1, .status_mask = 1U << SAGA_FAILED},
		"6 ");
	expect_list(&o,
				(struct saga_filter){.search = both, .n_search = 2, .started_from = rows_time(8)},
				"10 8 ");
	expect_list(&o, (struct saga_filter){.search = both + 1, .n_search = 1, .id = rows_id(2)},
				"2 ");
	expect_list(&o, (struct saga_filter){.search = none, .n_search = 1}, "");
	close_kind(&o);
}
END_TEST

START_TEST(test_parent__lists_what_a_saga_has_started)
{
	struct opened o = open_kind(_i);
	struct search_value even = {"even", "yes"};
	struct saga_row got;
	struct err err;

	for (int n = 1; n < 9; n++) {
		struct saga_row row = rows_saga(n);
		struct store_item item = rows_create(n, &row);

		if (n > 2)
			memcpy(row.parent_id, rows_id(n < 5 ? 1 : 2), sizeof(row.parent_id));
		item.search = &even;
		item.n_search = n % 2 == 0;
		ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	}
	ck_assert_int_eq(rows_put_end(o.store, 6, 2, SAGA_COMPLETED), STORE_ACCEPTED);
	expect_list(&o, (struct saga_filter){.parent = rows_id(2)}, "8 7 6 5 ");
	expect_list(&o, (struct saga_filter){.parent = rows_id(2), .oldest_first = true}, "5 6 7 8 ");
	expect_list(&o, (struct saga_filter){.parent = rows_id(2), .search = &even, .n_search = 1},
				"8 6 ");
	expect_list(&o, (struct saga_filter){.parent = rows_id(2), .status_mask = 1U << SAGA_RUNNING},
				"8 7 5 ");
	expect_list(&o, (struct saga_filter){.parent = rows_id(8)}, "");
	expect_list(&o, (struct saga_filter){.parent = "no id"}, "");
	ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(6), &got, &err), 0);
	ck_assert_str_eq(got.parent_id, rows_id(2)); /* an update leaves it alone */
	saga_row_release(&got);
	ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_str_eq(got.parent_id, "");
	saga_row_release(&got);
	close_kind(&o);
}
END_TEST

/* Starts saga n with the key of saga 1. */
static struct store_item start_again(int n, struct saga_row *row)
{
	struct store_item item;

	*row = rows_saga(n);
	row->key = rows_key(1);
	item = rows_create(n, row);
	item.fingerprint = rows_fingerprint(n);
	return item;
}

START_TEST(test_key__of_a_saga_that_was_undone_may_be_used_again)
{
	static const enum saga_status ends[] = {SAGA_COMPLETED, SAGA_FAILED, SAGA_TERMINATED,
											SAGA_COMPENSATED};
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct opened o = open_kind(_i);
		bool may = ends[i] == SAGA_COMPENSATED;
		struct saga_row row;
		struct store_item item;

		ck_assert_int_eq(rows_put_create(o.store, 1), STORE_ACCEPTED);
		item = start_again(17, &row);
		item.reuse = true;
		ck_assert_int_eq(put(&o, item), STORE_DUPLICATE); /* it runs still */
		ck_assert_int_eq(rows_put_end(o.store, 1, 2, ends[i]), STORE_ACCEPTED);
		item.reuse = false;
		ck_assert_int_eq(put(&o, item), STORE_DUPLICATE); /* nobody said that it may */
		item.reuse = true;
		ck_assert_int_eq(put(&o, item), may ? STORE_ACCEPTED : STORE_DUPLICATE);
		ck_assert_int_eq(
			o.ops->find_key(o.reader, "default", "order", rows_key(1), id, fingerprint, &err), 0);
		ck_assert_str_eq(id, rows_id(may ? 17 : 1));
		ck_assert_str_eq(fingerprint, rows_fingerprint(may ? 17 : 1));
		close_kind(&o);
	}
}
END_TEST

/* A new run of saga 1, from rows first to first + n - 1. */
static struct store_item new_run(int saga, struct saga_row *row, int64_t first, int64_t n)
{
	struct store_item item = start_again(saga, row);

	memcpy(item.copied.saga_id, rows_id(1), SAGA_ID_SIZE);
	item.copied.first = first;
	item.copied.n = n;
	item.seq = n + 1;
	return item;
}

static int add_row(void *ctx, const struct history_row *row)
{
	buf_printf(ctx, "%lld@%lld %.*s\n", (long long)row->seq, (long long)row->at,
			   (int)row->events_len, row->events);
	return 0;
}

static char *history_of(const struct opened *o, int saga)
{
	struct buf text;
	struct err err;

	buf_init(&text, 0);
	ck_assert_int_eq(o->ops->history(o->reader, rows_id(saga), 0, 100, add_row, &text, &err), 0);
	return buf_take(&text, NULL);
}

START_TEST(test_history__of_a_new_run_begins_with_a_part_of_another)
{
	struct opened o = open_kind(_i);
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	int again = 1 + ROWS_SLOTS;
	struct saga_row row, got = {0};
	struct store_item item;
	char *first, *made, *rest;
	struct err err;

	ck_assert_int_eq(rows_put_create(o.store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(o.store, 1, 2, SAGA_TERMINATED), STORE_ACCEPTED);
	/* A part that is not there is none. */
	item = new_run(again, &row, 1, 3);
	ck_assert_int_ne(put(&o, item), STORE_ACCEPTED);
	ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(again), &got, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(
		o.ops->find_key(o.reader, "default", "order", rows_key(1), id, fingerprint, &err), 0);
	ck_assert_str_eq(id, rows_id(1));
	item = new_run(again, &row, 1, 2);
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	first = history_of(&o, 1);
	made = history_of(&o, again);
	ck_assert_msg(strncmp(made, first, strlen(first)) == 0, "%s\n%s", first, made);
	rest = made + strlen(first);
	ck_assert_msg(strncmp(rest, "3@", 2) == 0 && strchr(rest, '\n')[1] == '\0', "%s", made);
	/* The key has gone over. */
	ck_assert_int_eq(
		o.ops->find_key(o.reader, "default", "order", rows_key(1), id, fingerprint, &err), 0);
	ck_assert_str_eq(id, rows_id(again));
	ck_assert_str_eq(fingerprint, rows_fingerprint(again));
	/* Again, as after a commit of unknown outcome; and to another row. */
	item = new_run(again, &row, 1, 2);
	ck_assert_int_ne(put(&o, item), STORE_ACCEPTED);
	item = new_run(again, &row, 1, 1);
	ck_assert_int_ne(put(&o, item), STORE_ACCEPTED);
	free(made);
	made = history_of(&o, again);
	ck_assert_msg(strncmp(made, first, strlen(first)) == 0, "%s\n%s", first, made);
	/* What follows is a row like any other. */
	ck_assert_int_eq(rows_put_end(o.store, again, 4, SAGA_COMPLETED), STORE_ACCEPTED);
	/* The key of another saga stays where it is. */
	item = new_run(1 + 2 * ROWS_SLOTS, &row, 1, 2);
	ck_assert_int_eq(put(&o, item), STORE_DUPLICATE);
	free(first);
	free(made);
	close_kind(&o);
}
END_TEST

START_TEST(test_key__goes_over_to_one_of_two_only)
{
	struct opened o = open_kind(_i);
	struct saga_row rows[2];
	struct store_item items[2];
	struct err err;
	int n = 0;

	ck_assert_int_eq(rows_put_create(o.store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(o.store, 1, 2, SAGA_COMPENSATED), STORE_ACCEPTED);
	for (int i = 0; i < 2; i++) {
		items[i] = start_again(17 + i * ROWS_SLOTS, &rows[i]);
		items[i].reuse = true;
	}
	ck_assert_int_eq(o.ops->commit(o.store, items, 2, &err), 0);
	for (int i = 0; i < 2; i++) {
		n += items[i].verdict == STORE_ACCEPTED;
		ck_assert(items[i].verdict == STORE_ACCEPTED || items[i].verdict == STORE_DUPLICATE);
		if (items[i].verdict == STORE_DUPLICATE)
			ck_assert_str_eq(items[i].existing_id, items[!i].saga_id);
	}
	ck_assert_int_eq(n, 1);
	close_kind(&o);
}
END_TEST

static int add_seq(void *ctx, const struct history_row *row)
{
	buf_printf(ctx, "%lld ", (long long)row->seq);
	return 0;
}

static int add_version(void *ctx, const struct definition_count_row *row)
{
	buf_printf(ctx, "v%lld %s %lld\n", (long long)row->version, saga_status_text(row->status),
			   (long long)row->n);
	return 0;
}

START_TEST(test_rebase__writes_the_version_and_where_a_fold_begins)
{
	struct opened o = open_kind(_i);
	struct saga_row row = rows_saga(1), got;
	struct store_item item = rows_create(1, &row);
	CLEANUP(buf_release) struct buf text;
	struct err err;
	int n = 0;

	buf_init(&text, 0);
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_create(o.store, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(o.store, 1, 2), STORE_ACCEPTED);
	row.version = 3;
	row.base_seq = 3;
	item = rows_next(1, 3, &row);
	item.rebase = true;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	row.version = 9; /* not without saying so */
	row.base_seq = 1;
	ck_assert_int_eq(put(&o, rows_next(1, 4, &row)), STORE_ACCEPTED);
	ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_int_eq(got.version, 3);
	ck_assert_int_eq(got.base_seq, 3);
	saga_row_release(&got);
	ck_assert_int_eq(
		o.ops->definition_counts(o.reader, "default", "order", add_version, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text), "v1 running 1\nv3 running 1\n");
	/* What is before is removed when it is old enough, and nothing else. */
	ck_assert_int_eq(o.ops->history_trim(o.store, rows_time(1) + 1, 10, &n, &err), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(o.ops->history_trim(o.store, rows_time(1) + 2, 10, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(o.ops->history_trim(o.store, rows_time(99), 10, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	buf_clear(&text);
	ck_assert_int_eq(o.ops->history(o.reader, rows_id(1), 0, 10, add_seq, &text, &err), 0);
	ck_assert_str_eq(buf_str(&text), "3 4 ");
	ck_assert_int_eq(rows_put_next(o.store, 1, 5), STORE_ACCEPTED);
	close_kind(&o);
}
END_TEST

START_TEST(test_trim__goes_on_where_it_stopped)
{
	enum { SAGAS = 30, ROWS = 4 };
	struct opened o = open_kind(_i);
	int n = 0, calls = 0, removed = 0, r;
	struct err err;

	for (int i = 0; i < SAGAS; i++) {
		struct saga_row row = rows_saga(i);

		ck_assert_int_eq(put(&o, rows_create(i, &row)), STORE_ACCEPTED);
		for (int seq = 2; seq <= ROWS; seq++) {
			struct store_item item = rows_next(i, seq, &row);

			row.base_seq = seq;
			item.rebase = true;
			ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
		}
	}
	do {
		r = o.ops->history_trim(o.store, rows_time(SAGAS + 10), 7, &n, &err);
		ck_assert_int_ge(r, 0);
		removed += n;
		ck_assert_int_lt(calls++, 100);
	} while (r > 0);
	ck_assert_int_eq(removed, SAGAS * (ROWS - 1));
	close_kind(&o);
}
END_TEST

START_TEST(test_retain__takes_along_what_belongs_to_a_saga)
{
	struct opened o = open_kind(_i);
	struct search_value value = {"customer", "7"};
	struct lock_change lock = {.ns = "default", .step = "s", .item = -1, .key = "k"};
	struct task_change change = task(1, "pack", "q", 0);
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct err err;
	int n;

	item.tasks = &change;
	item.n_tasks = 1;
	item.search = &value;
	item.n_search = 1;
	item.locks = &lock;
	item.n_locks = 1;
	ck_assert_int_eq(put(&o, item), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(o.store, 1, 2, SAGA_COMPLETED), STORE_ACCEPTED);
	ck_assert_int_ge(o.ops->retain(o.store, rows_time(100), 10, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	expect_tasks(&o, (struct task_filter){.state = -1}, "");
	expect_list(&o, (struct saga_filter){.search = &value, .n_search = 1}, "");
	close_kind(&o);
}
END_TEST

void store_contract__add_long(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_tasks__are_written_replaced_and_removed_by_commits, 0, n);
	tcase_add_loop_test(tcase, test_tasks__those_of_a_refused_item_are_not_there, 0, n);
	tcase_add_loop_test(tcase, test_tasks__what_is_too_large_is_unstorable_alone, 0, n);
	tcase_add_loop_test(tcase, test_tasks__lists_give_first_what_was_available_first, 0, n);
	tcase_add_loop_test(tcase, test_queues__are_counted, 0, n);
	tcase_add_loop_test(tcase, test_queues__are_counted_up_to_a_bound, 0, n);
	tcase_add_loop_test(tcase, test_queues__settings_are_written_by_who_has_read_them, 0, n);
	tcase_add_loop_test(tcase, test_messages__go_to_inboxes_of_any_slot_with_the_commit, 0, n);
	tcase_add_loop_test(tcase, test_search__finds_sagas_by_their_values, 0, n);
	tcase_add_loop_test(tcase, test_parent__lists_what_a_saga_has_started, 0, n);
	tcase_add_loop_test(tcase, test_key__of_a_saga_that_was_undone_may_be_used_again, 0, n);
	tcase_add_loop_test(tcase, test_history__of_a_new_run_begins_with_a_part_of_another, 0, n);
	tcase_add_loop_test(tcase, test_key__goes_over_to_one_of_two_only, 0, n);
	tcase_add_loop_test(tcase, test_rebase__writes_the_version_and_where_a_fold_begins, 0, n);
	tcase_add_loop_test(tcase, test_trim__goes_on_where_it_stopped, 0, n);
	tcase_add_loop_test(tcase, test_retain__takes_along_what_belongs_to_a_saga, 0, n);
}
