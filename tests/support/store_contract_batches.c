/*
 * The contract of batches: written by revision together with their items, counted, read in pages,
 * and removed whole.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { ITEMS = 25, PAGE = 10 };

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

/* The n-th batch; later ones are newer. */
static struct batch_row batch(int n)
{
	struct batch_row row = {
		.ns = "default",
		.act = "{\"act\":\"retry\",\"reason\":\"the bank is back\"}",
		.query = "kind:stuck",
		.by = "ann",
		.rate = 2.5,
		.status = BATCH_SELECTING,
		.created_at = rows_time(n),
		.updated_at = rows_time(n),
	};

	snprintf(row.id, sizeof(row.id), "0190aaaa-0000-7000-8000-%012d", n);
	return row;
}

static struct batch_item_row batch_item(int n)
{
	struct batch_item_row item = {.updated_at = rows_time(n)};

	memcpy(item.saga_id, rows_id(n), sizeof(item.saga_id));
	return item;
}

static void must_put(struct opened *o, struct batch_row *row, const struct batch_item_row *items,
					 size_t n)
{
	struct err err = {0};

	ck_assert_msg(o->ops->batch_put(o->store, row, items, n, &err) == 0, "%s", err.text);
}

static void put_items(struct opened *o, struct batch_row *row)
{
	struct batch_item_row items[ITEMS];

	for (int n = 0; n < ITEMS; n++)
		items[n] = batch_item(n);
	must_put(o, row, items, ITEMS);
}

START_TEST(test_batch__comes_back_as_it_was_written)
{
	struct opened o = open_kind(_i);
	struct batch_row row = batch(1), got;
	struct err err;

	must_put(&o, &row, NULL, 0);
	ck_assert_int_eq(row.revision, 1);
	row.status = BATCH_RUNNING;
	row.updated_at = rows_time(5);
	row.cursor = "page 2";
	row.runner = "node-1";
	row.runner_seen_at = rows_time(6);
	put_items(&o, &row);
	ck_assert_int_eq(row.revision, 2);
	ck_assert_int_eq(row.n[BATCH_ITEM_PENDING], ITEMS);
	ck_assert_int_eq(o.ops->batch_get(o.reader, "default", row.id, &got, &err), 0);
	ck_assert_str_eq(got.ns, "default");
	ck_assert_str_eq(got.id, row.id);
	ck_assert_str_eq(got.act, row.act);
	ck_assert_str_eq(got.query, row.query);
	ck_assert_str_eq(got.by, "ann");
	ck_assert_double_eq(got.rate, 2.5);
	ck_assert_int_eq(got.status, BATCH_RUNNING);
	ck_assert_int_eq(got.created_at, rows_time(1));
	ck_assert_int_eq(got.updated_at, rows_time(5));
	ck_assert_int_eq(got.ended_at, 0);
	ck_assert_pstr_eq(got.cursor, "page 2");
	ck_assert_pstr_eq(got.runner, "node-1");
	ck_assert_int_eq(got.runner_seen_at, rows_time(6));
	ck_assert_int_eq(got.revision, 2);
	ck_assert_int_eq(got.n[BATCH_ITEM_PENDING], ITEMS);
	ck_assert_int_eq(got.n[BATCH_ITEM_DONE], 0);
	batch_row_release(&got);
	ck_assert_int_eq(o.ops->batch_get(o.reader, "other", row.id, &got, &err), ERR_NOT_FOUND);
	row.status = BATCH_DONE;
	row.ended_at = rows_time(9);
	row.cursor = row.runner = NULL;
	row.runner_seen_at = 0;
	must_put(&o, &row, NULL, 0);
	ck_assert_int_eq(row.n[BATCH_ITEM_PENDING], ITEMS); /* counted, not taken from the caller */
	ck_assert_int_eq(o.ops->batch_get(o.reader, "default", row.id, &got, &err), 0);
	ck_assert_int_eq(got.ended_at, rows_time(9));
	ck_assert_ptr_null(got.cursor);
	ck_assert_ptr_null(got.runner);
	batch_row_release(&got);
	close_kind(&o);
}
END_TEST

struct items {
	struct batch_item_row rows[2 * ITEMS];
	char effects[2 * ITEMS][40], errors[2 * ITEMS][40];
	int n;
};

static int see_item(void *ctx, const struct batch_item_row *row)
{
	struct items *items = ctx;

	snprintf(items->effects[items->n], sizeof(items->effects[0]), "%s",
			 row->effect ? row->effect : "none");
	snprintf(items->errors[items->n], sizeof(items->errors[0]), "%s",
			 row->error ? row->error : "none");
	items->rows[items->n++] = *row;
	return 0;
}

static struct items read_items(struct opened *o, const struct batch_row *row, int status)
{
	struct batch_item_filter filter = {
		.ns = row->ns, .batch_id = row->id, .status = status, .limit = PAGE};
	struct items items = {0};
	struct err err = {0};
	int before;

	do {
		before = items.n;
		ck_assert_msg(o->ops->batch_items(o->reader, &filter, see_item, &items, &err) == 0, "%s",
					  err.text);
		ck_assert_int_le(items.n - before, PAGE);
		if (items.n > 0)
			memcpy(filter.after_saga_id, items.rows[items.n - 1].saga_id,
				   sizeof(filter.after_saga_id));
	} while (items.n - before == PAGE);
	return items;
}

START_TEST(test_batch__items_are_replaced_counted_and_read_by_status)
{
	struct opened o = open_kind(_i);
	struct batch_row row = batch(1);
	struct batch_item_row some[3];
	struct items items;

	put_items(&o, &row);
	items = read_items(&o, &row, -1);
	ck_assert_int_eq(items.n, ITEMS);
	for (int n = 0; n < ITEMS; n++) {
		ck_assert_str_eq(items.rows[n].saga_id, rows_id(n)); /* upwards, each once */
		ck_assert_int_eq(items.rows[n].status, BATCH_ITEM_PENDING);
		ck_assert_int_eq(items.rows[n].updated_at, rows_time(n));
		ck_assert_str_eq(items.effects[n], "none");
	}
	some[0] = batch_item(3);
	some[0].status = BATCH_ITEM_DONE;
	some[0].effect = "{\"events\":[\"ActTaken\"]}";
	some[0].seq = 12;
	some[1] = batch_item(4);
	some[1].status = BATCH_ITEM_REFUSED;
	some[1].error = "it has ended";
	some[2] = batch_item(ITEMS); /* a new one */
	some[2].status = BATCH_ITEM_FAILED;
	must_put(&o, &row, some, 3);
	ck_assert_int_eq(row.n[BATCH_ITEM_PENDING], ITEMS - 2);
	ck_assert_int_eq(row.n[BATCH_ITEM_DONE], 1);
	ck_assert_int_eq(row.n[BATCH_ITEM_REFUSED], 1);
	ck_assert_int_eq(row.n[BATCH_ITEM_FAILED], 1);
	items = read_items(&o, &row, BATCH_ITEM_DONE);
	ck_assert_int_eq(items.n, 1);
	ck_assert_str_eq(items.rows[0].saga_id, rows_id(3));
	ck_assert_str_eq(items.effects[0], some[0].effect);
	ck_assert_int_eq(items.rows[0].seq, 12);
	items = read_items(&o, &row, BATCH_ITEM_REFUSED);
	ck_assert_int_eq(items.n, 1);
	ck_assert_str_eq(items.errors[0], "it has ended");
	ck_assert_int_eq(read_items(&o, &row, BATCH_ITEM_PENDING).n, ITEMS - 2);
	some[0] = batch_item(3); /* back again: nothing of what was stays */
	must_put(&o, &row, some, 1);
	ck_assert_int_eq(row.n[BATCH_ITEM_PENDING], ITEMS - 1);
	ck_assert_int_eq(row.n[BATCH_ITEM_DONE], 0);
	items = read_items(&o, &row, -1);
	ck_assert_int_eq(items.n, ITEMS + 1);
	ck_assert_str_eq(items.effects[3], "none");
	ck_assert_int_eq(items.rows[3].seq, 0);
	close_kind(&o);
}
END_TEST

START_TEST(test_batch__who_did_not_read_the_last_word_writes_nothing)
{
	struct opened o = open_kind(_i);
	struct batch_row row = batch(1), stale, twice;
	struct batch_item_row item = batch_item(7);
	struct err err;

	put_items(&o, &row);
	stale = twice = row;
	row.status = BATCH_RUNNING;
	must_put(&o, &row, NULL, 0);
	stale.status = BATCH_STOPPED;
	item.status = BATCH_ITEM_DONE;
	ck_assert_int_eq(o.ops->batch_put(o.store, &stale, &item, 1, &err), ERR_CONFLICT);
	ck_assert_int_eq(read_items(&o, &row, BATCH_ITEM_DONE).n, 0);
	stale.revision = 0; /* as if it were new */
	ck_assert_int_eq(o.ops->batch_put(o.store, &stale, NULL, 0, &err), ERR_CONFLICT);
	twice.status = BATCH_RUNNING; /* the same again is one's own, of which nobody knew */
	must_put(&o, &twice, NULL, 0);
	ck_assert_int_eq(twice.revision, row.revision);
	ck_assert_int_eq(twice.n[BATCH_ITEM_PENDING], ITEMS);
	close_kind(&o);
}
END_TEST

START_TEST(test_batch__items_are_bounded)
{
	static struct batch_item_row items[BATCH_PUT_MAX + 1];
	struct opened o = open_kind(_i);
	struct batch_row row = batch(1);
	struct batch_item_filter filter = {.ns = "default", .batch_id = row.id, .status = -1};
	struct items got = {0};
	struct err err;

	for (int n = 0; n <= BATCH_PUT_MAX; n++)
		items[n] = batch_item(n);
	ck_assert_int_lt(o.ops->batch_put(o.store, &row, items, BATCH_PUT_MAX + 1, &err), 0);
	must_put(&o, &row, items, BATCH_PUT_MAX);
	ck_assert_int_eq(row.n[BATCH_ITEM_PENDING], BATCH_PUT_MAX);
	ck_assert_int_eq(o.ops->batch_items(o.reader, &filter, see_item, &got, &err), ERR_INVALID);
	filter.limit = BATCH_PUT_MAX + 1;
	ck_assert_int_eq(o.ops->batch_items(o.reader, &filter, see_item, &got, &err), ERR_INVALID);
	close_kind(&o);
}
END_TEST

struct batches {
	char ids[8][UUID_SIZE];
	int n;
};

static int see_batch(void *ctx, const struct batch_row *row)
{
	struct batches *batches = ctx;

	snprintf(batches->ids[batches->n++], sizeof(batches->ids[0]), "%s", row->id);
	return 0;
}

START_TEST(test_batch__lists_go_by_age)
{
	static const enum batch_status statuses[] = {BATCH_DONE, BATCH_RUNNING, BATCH_STOPPED,
												 BATCH_SELECTING, BATCH_RUNNING};
	struct opened o = open_kind(_i);
	struct batch_row rows[5];
	struct batches seen = {0};
	struct err err;

	for (int n = 4; n >= 0; n--) { /* their ages, not when they were written, count */
		rows[n] = batch(n);
		rows[n].status = statuses[n];
		rows[n].ended_at = n == 0 ? rows_time(9) : 0;
		rows[n].ns = n == 1 ? "other" : "default";
		must_put(&o, &rows[n], NULL, 0);
	}
	ck_assert_int_eq(o.ops->batch_list(o.reader, "default", "", 3, see_batch, &seen, &err), 0);
	ck_assert_int_eq(seen.n, 3);
	ck_assert_str_eq(seen.ids[0], rows[4].id);
	ck_assert_str_eq(seen.ids[1], rows[3].id);
	ck_assert_str_eq(seen.ids[2], rows[2].id);
	ck_assert_int_eq(o.ops->batch_list(o.reader, "default", rows[2].id, 3, see_batch, &seen, &err),
					 0);
	ck_assert_int_eq(seen.n, 4);
	ck_assert_str_eq(seen.ids[3], rows[0].id);
	seen.n = 0;
	ck_assert_int_eq(o.ops->batch_open(o.reader, 10, see_batch, &seen, &err), 0);
	ck_assert_int_eq(seen.n, 3);
	ck_assert_str_eq(seen.ids[0], rows[1].id);
	ck_assert_str_eq(seen.ids[1], rows[3].id);
	ck_assert_str_eq(seen.ids[2], rows[4].id);
	seen.n = 0;
	ck_assert_int_eq(o.ops->batch_open(o.reader, 2, see_batch, &seen, &err), 0);
	ck_assert_int_eq(seen.n, 2);
	close_kind(&o);
}
END_TEST

START_TEST(test_batch__retention_takes_what_ended_long_ago_whole)
{
	struct opened o = open_kind(_i);
	struct batch_row rows[3], got;
	struct err err = {0};
	int n;

	for (int i = 0; i < 3; i++) {
		rows[i] = batch(i);
		rows[i].status = i < 2 ? BATCH_DONE : BATCH_RUNNING;
		rows[i].ended_at = i < 2 ? rows_time(10 + i) : 0;
		put_items(&o, &rows[i]);
	}
	ck_assert_int_ge(o.ops->retain(o.store, rows_time(11), 100, &n, &err), 0);
	ck_assert_int_eq(o.ops->batch_get(o.reader, "default", rows[0].id, &got, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(read_items(&o, &rows[0], -1).n, 0);
	for (int i = 1; i < 3; i++) {
		ck_assert_int_eq(o.ops->batch_get(o.reader, "default", rows[i].id, &got, &err), 0);
		batch_row_release(&got);
		ck_assert_int_eq(read_items(&o, &rows[i], -1).n, ITEMS);
	}
	ck_assert_int_ge(o.ops->retain(o.store, rows_time(3000), 100, &n, &err), 0);
	ck_assert_int_eq(o.ops->batch_get(o.reader, "default", rows[1].id, &got, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(o.ops->batch_get(o.reader, "default", rows[2].id, &got, &err), 0);
	batch_row_release(&got);
	close_kind(&o);
}
END_TEST

void store_contract__add_batches(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_batch__comes_back_as_it_was_written, 0, n);
	tcase_add_loop_test(tcase, test_batch__items_are_replaced_counted_and_read_by_status, 0, n);
	tcase_add_loop_test(tcase, test_batch__who_did_not_read_the_last_word_writes_nothing, 0, n);
	tcase_add_loop_test(tcase, test_batch__items_are_bounded, 0, n);
	tcase_add_loop_test(tcase, test_batch__lists_go_by_age, 0, n);
	tcase_add_loop_test(tcase, test_batch__retention_takes_what_ended_long_ago_whole, 0, n);
}
