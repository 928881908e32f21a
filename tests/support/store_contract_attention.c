/*
 * The contract of groups of attention, of what persons say about them, of rates and of counts by
 * version. That all counts are right after any commits is in store_contract_counters.c.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

static const char group_a[] = "aaaaaaaaaaaaaaaa", group_b[] = "bbbbbbbbbbbbbbbb";

enum { MINUTE_MS = 60000 };

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

static void put(struct opened *o, struct store_item item)
{
	struct err err = {0};

	ck_assert_msg(o->ops->commit(o->store, &item, 1, &err) == 0, "%s", err.text);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
}

static struct saga_row in_group(int n, const char *group, wall_ms at)
{
	struct saga_row row = rows_saga(n);

	if (group) {
		row.attention = (struct attention_ref){.text = "the refund is refused",
											   .group = group,
											   .kind = "stuck",
											   .step = "charge",
											   .side = "undo",
											   .code = "declined"};
		row.attention_at = at;
	}
	return row;
}

static void begin(struct opened *o, int n, const char *group)
{
	struct saga_row row = in_group(n, group, rows_time(n));

	put(o, rows_create(n, &row));
}

static void move(struct opened *o, int n, int64_t seq, const char *group, wall_ms at)
{
	struct saga_row row = in_group(n, group, at);

	put(o, rows_next(n, seq, &row));
}

static struct attention_group_row get(struct opened *o, const char *ns, const char *id)
{
	struct attention_group_row row;
	struct err err = {0};

	ck_assert_msg(o->ops->attention_get(o->reader, ns, id, &row, &err) == 0, "%s", err.text);
	return row;
}

START_TEST(test_attention__a_saga_comes_back_with_its_group_and_owner)
{
	struct opened o = open_kind(_i);
	struct saga_row row = in_group(1, group_a, rows_time(7)), got;
	struct err err;

	row.owner = "ann";
	put(&o, rows_create(1, &row));
	for (int64_t seq = 2; seq <= 3; seq++) {
		ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(1), &got, &err), 0);
		ck_assert_pstr_eq(got.attention.text, row.attention.text);
		ck_assert_pstr_eq(got.attention.group, row.attention.group);
		ck_assert_pstr_eq(got.attention.kind, row.attention.kind);
		ck_assert_pstr_eq(got.attention.step, row.attention.step);
		ck_assert_pstr_eq(got.attention.side, row.attention.side);
		ck_assert_pstr_eq(got.attention.code, row.attention.code);
		ck_assert_int_eq(got.attention_at, row.attention_at);
		ck_assert_pstr_eq(got.owner, row.owner);
		saga_row_release(&got);
		row = in_group(1, group_b, rows_time(9)); /* another reason, without a place or an error */
		row.attention.step = row.attention.side = row.attention.code = NULL;
		put(&o, rows_next(1, seq, &row));
	}
	row = rows_saga(1);
	put(&o, rows_next(1, 4, &row));
	ck_assert_int_eq(o.ops->saga_get(o.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_ptr_null(got.attention.text);
	ck_assert_ptr_null(got.attention.group);
	ck_assert_ptr_null(got.attention.kind);
	ck_assert_int_eq(got.attention_at, 0);
	ck_assert_ptr_null(got.owner);
	saga_row_release(&got);
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__a_group_says_what_it_is_and_since_when)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row;

	begin(&o, 5, group_a);
	begin(&o, 3, group_a);
	begin(&o, 8, group_a);
	row = get(&o, "default", group_a);
	ck_assert_str_eq(row.ns, "default");
	ck_assert_str_eq(row.id, group_a);
	ck_assert_str_eq(row.definition, "order");
	ck_assert_str_eq(row.kind, "stuck");
	ck_assert_pstr_eq(row.step, "charge");
	ck_assert_pstr_eq(row.side, "undo");
	ck_assert_pstr_eq(row.code, "declined");
	ck_assert_pstr_eq(row.message, "the refund is refused");
	ck_assert_int_eq(row.n, 3);
	ck_assert_int_eq(row.first_seen_at, rows_time(3));
	ck_assert_int_eq(row.last_seen_at, rows_time(8));
	ck_assert_ptr_null(row.acknowledged_by);
	ck_assert_ptr_null(row.note);
	ck_assert_ptr_null(row.owner);
	ck_assert_int_eq(row.acknowledged_at, 0);
	ck_assert_int_eq(row.notified_at, 0);
	ck_assert_int_eq(row.revision, 0);
	attention_group_row_release(&row);
	close_kind(&o);
}
END_TEST

struct seen {
	char ids[8][ATTENTION_GROUP_SIZE];
	int64_t n[8];
	int total;
};

static int see_group(void *ctx, const struct attention_group_row *row)
{
	struct seen *seen = ctx;

	snprintf(seen->ids[seen->total], sizeof(seen->ids[0]), "%s", row->id);
	seen->n[seen->total++] = row->n;
	return 0;
}

static struct seen list(struct opened *o, const char *ns, int limit)
{
	struct seen seen = {0};
	struct err err = {0};

	ck_assert_msg(o->ops->attention_list(o->reader, ns, limit, see_group, &seen, &err) == 0, "%s",
				  err.text);
	return seen;
}

static struct seen told(struct opened *o)
{
	struct seen seen = {0};
	struct err err = {0};

	ck_assert_msg(o->ops->attention_told(o->reader, see_group, &seen, &err) == 0, "%s", err.text);
	return seen;
}

START_TEST(test_attention__lists_the_largest_groups_first_and_no_empty_ones)
{
	struct opened o = open_kind(_i);
	struct saga_row other = in_group(9, group_b, rows_time(9));
	struct attention_group_row row;
	struct seen seen;
	struct err err;

	begin(&o, 1, group_a);
	begin(&o, 2, group_b);
	begin(&o, 3, group_b);
	other.ns = "other";
	put(&o, rows_create(9, &other));
	seen = list(&o, "default", 10);
	ck_assert_int_eq(seen.total, 2);
	ck_assert_str_eq(seen.ids[0], group_b);
	ck_assert_int_eq(seen.n[0], 2);
	ck_assert_str_eq(seen.ids[1], group_a);
	ck_assert_int_eq(list(&o, NULL, 10).total, 3);
	ck_assert_int_eq(list(&o, "default", 1).total, 1);
	move(&o, 2, 2, group_a, rows_time(20));
	move(&o, 3, 2, NULL, 0);
	seen = list(&o, "default", 10);
	ck_assert_int_eq(seen.total, 1);
	ck_assert_str_eq(seen.ids[0], group_a);
	ck_assert_int_eq(seen.n[0], 2);
	row = get(&o, "default", group_b); /* known, all the same */
	ck_assert_int_eq(row.n, 0);
	attention_group_row_release(&row);
	ck_assert_int_eq(o.ops->attention_get(o.reader, "third", group_b, &row, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(o.ops->attention_list(o.reader, NULL, 0, see_group, &seen, &err), ERR_INVALID);
	ck_assert_int_eq(
		o.ops->attention_list(o.reader, NULL, ATTENTION_LIST_MAX + 1, see_group, &seen, &err),
		ERR_INVALID);
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__what_persons_say_is_kept_whoever_comes_and_goes)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row, stale;
	struct err err = {0};

	begin(&o, 1, group_a);
	row = get(&o, "default", group_a);
	attention_group_row_copy(&row, &stale);
	attention_group_row_release(&row);
	row = (struct attention_group_row){.ns = "default",
									   .id = group_a,
									   .acknowledged_by = "ann",
									   .acknowledged_at = rows_time(11),
									   .note = "the bank is away",
									   .owner = "bob",
									   .notified_at = rows_time(12),
									   .notified_n = 1};
	ck_assert_msg(o.ops->attention_put(o.store, &row, &err) == 0, "%s", err.text);
	ck_assert_int_eq(row.revision, 1);
	stale.note = "another word";
	ck_assert_int_eq(o.ops->attention_put(o.store, &stale, &err), ERR_CONFLICT);
	stale.note = NULL;
	attention_group_row_release(&stale);
	row.revision = 0; /* as when nobody knows whether it took effect */
	ck_assert_int_eq(o.ops->attention_put(o.store, &row, &err), 0);
	ck_assert_int_eq(row.revision, 1);
	begin(&o, 2, group_a);
	move(&o, 1, 2, NULL, 0);
	row = get(&o, "default", group_a);
	ck_assert_int_eq(row.n, 1);
	ck_assert_str_eq(row.definition, "order");
	ck_assert_pstr_eq(row.acknowledged_by, "ann");
	ck_assert_int_eq(row.acknowledged_at, rows_time(11));
	ck_assert_pstr_eq(row.note, "the bank is away");
	ck_assert_pstr_eq(row.owner, "bob");
	ck_assert_int_eq(row.notified_at, rows_time(12));
	ck_assert_int_eq(row.notified_n, 1);
	ck_assert_int_eq(row.revision, 1);
	attention_group_row_release(&row);
	row = (struct attention_group_row){.ns = "default", .id = group_a, .revision = 1};
	ck_assert_int_eq(o.ops->attention_put(o.store, &row, &err), 0); /* all is taken back */
	row = get(&o, "default", group_a);
	ck_assert_ptr_null(row.acknowledged_by);
	ck_assert_ptr_null(row.owner);
	ck_assert_int_eq(row.n, 1);
	ck_assert_int_eq(row.revision, 2);
	attention_group_row_release(&row);
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__something_may_be_said_before_there_is_a_saga)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row = {.ns = "default", .id = group_b, .note = "soon"};
	struct err err = {0};

	ck_assert_msg(o.ops->attention_put(o.store, &row, &err) == 0, "%s", err.text);
	ck_assert_int_eq(list(&o, NULL, 10).total, 0);
	begin(&o, 1, group_b);
	row = get(&o, "default", group_b);
	ck_assert_pstr_eq(row.note, "soon");
	ck_assert_str_eq(row.definition, "order");
	ck_assert_str_eq(row.kind, "stuck");
	ck_assert_int_eq(row.first_seen_at, rows_time(1));
	ck_assert_int_eq(row.n, 1);
	attention_group_row_release(&row);
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__retention_takes_old_groups_without_sagas)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row;
	struct err err = {0};
	int n;

	begin(&o, 1, group_a);
	begin(&o, 2, group_b);
	move(&o, 1, 2, NULL, 0);
	ck_assert_int_eq(o.ops->retain(o.store, rows_time(1), 100, &n, &err), 0);
	row = get(&o, "default", group_a);
	attention_group_row_release(&row);
	ck_assert_int_eq(o.ops->retain(o.store, rows_time(3000), 100, &n, &err), 0);
	ck_assert_int_eq(o.ops->attention_get(o.reader, "default", group_a, &row, &err), ERR_NOT_FOUND);
	row = get(&o, "default", group_b); /* it has a saga */
	ck_assert_int_eq(row.n, 1);
	attention_group_row_release(&row);
	row = (struct attention_group_row){
		.ns = "default", .id = group_b, .notified_at = rows_time(3), .notified_n = 1};
	ck_assert_int_eq(o.ops->attention_put(o.store, &row, &err), 0);
	move(&o, 2, 2, NULL, 0);
	ck_assert_int_eq(o.ops->retain(o.store, rows_time(3000), 100, &n, &err), 0);
	ck_assert_int_eq(told(&o).total, 1); /* that it is repaired is still to be told */
	row.notified_at = row.notified_n = 0;
	ck_assert_int_eq(o.ops->attention_put(o.store, &row, &err), 0);
	ck_assert_int_eq(o.ops->retain(o.store, rows_time(3000), 100, &n, &err), 0);
	ck_assert_int_eq(o.ops->attention_get(o.reader, "default", group_b, &row, &err), ERR_NOT_FOUND);
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__who_tells_persons_sees_what_was_told_and_what_there_is)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row = {
		.ns = "default", .id = group_b, .notified_at = rows_time(3), .notified_n = 1};
	struct saga_row other = in_group(3, group_b, rows_time(3));
	struct err err = {0};

	ck_assert_int_eq(told(&o).total, 0);
	begin(&o, 1, group_a);
	begin(&o, 2, group_b);
	other.ns = "other";
	put(&o, rows_create(3, &other));
	ck_assert_int_eq(told(&o).total, 3);
	ck_assert_msg(o.ops->attention_put(o.store, &row, &err) == 0, "%s", err.text);
	ck_assert_int_eq(told(&o).total, 3); /* each once */
	move(&o, 1, 2, NULL, 0);
	move(&o, 2, 2, NULL, 0);
	ck_assert_int_eq(told(&o).total, 2); /* the told one, and the other namespace's */
	close_kind(&o);
}
END_TEST

START_TEST(test_attention__a_group_that_was_empty_is_first_seen_anew)
{
	struct opened o = open_kind(_i);
	struct attention_group_row row;

	begin(&o, 1, group_a);
	move(&o, 1, 2, NULL, 0);
	move(&o, 1, 3, group_a, rows_time(40));
	begin(&o, 50, group_a);
	row = get(&o, "default", group_a);
	ck_assert_int_eq(row.first_seen_at, rows_time(40));
	ck_assert_int_eq(row.last_seen_at, rows_time(50));
	ck_assert_int_eq(row.n, 2);
	attention_group_row_release(&row);
	close_kind(&o);
}
END_TEST

/* Rates. */

struct rates {
	struct rate_row rows[8];
	int n;
};

static int see_rate(void *ctx, const struct rate_row *row)
{
	struct rates *rates = ctx;

	rates->rows[rates->n++] = *row;
	return 0;
}

static struct rates read_rates(struct opened *o, const char *ns, wall_ms from, wall_ms until)
{
	struct rates rates = {0};
	struct err err = {0};

	ck_assert_msg(o->ops->rates(o->reader, ns, from, until, see_rate, &rates, &err) == 0, "%s",
				  err.text);
	return rates;
}

static void begin_at(struct opened *o, int n, const char *ns, wall_ms at)
{
	struct saga_row row = rows_saga(n);
	struct store_item item;

	row.ns = ns;
	item = rows_create(n, &row);
	item.at = at;
	put(o, item);
}

START_TEST(test_rates__are_by_the_minute_of_the_transition)
{
	wall_ms first = rows_time(0) - rows_time(0) % MINUTE_MS, last = first + 3 * MINUTE_MS;
	struct opened o = open_kind(_i);
	struct saga_row end = rows_saga(1);
	struct store_item item;
	struct rates rates;

	begin_at(&o, 1, "default", first + MINUTE_MS - 1);
	begin_at(&o, 2, "other", first);
	begin_at(&o, 3, "default", last);
	end.status = SAGA_COMPLETED;
	end.ended_at = last;
	item = rows_next(1, 2, &end);
	item.at = last + 5;
	put(&o, item);
	rates = read_rates(&o, "default", first, last + 1);
	ck_assert_int_eq(rates.n, 2);
	ck_assert_int_eq(rates.rows[0].at, first);
	ck_assert_int_eq(rates.rows[0].started, 1);
	ck_assert_int_eq(rates.rows[0].completed, 0);
	ck_assert_int_eq(rates.rows[1].at, last);
	ck_assert_int_eq(rates.rows[1].started, 1);
	ck_assert_int_eq(rates.rows[1].completed, 1);
	rates = read_rates(&o, NULL, first, last); /* without the last */
	ck_assert_int_eq(rates.n, 1);
	ck_assert_int_eq(rates.rows[0].started, 2);
	ck_assert_int_eq(read_rates(&o, "default", first + 1, last).n, 0);
	close_kind(&o);
}
END_TEST

START_TEST(test_rates__minutes_long_before_the_newest_are_removed)
{
	const wall_ms keep = (wall_ms)RATE_KEEP_DAYS * 24 * 60 * MINUTE_MS;
	wall_ms first = rows_time(0) - rows_time(0) % MINUTE_MS;
	struct opened o = open_kind(_i);
	struct rates rates;
	struct err err = {0};
	int n;

	begin_at(&o, 1, "default", first);
	begin_at(&o, 2, "default", first + MINUTE_MS);
	begin_at(&o, 3, "other", first + MINUTE_MS + keep);
	ck_assert_int_eq(o.ops->retain(o.store, 1, 100, &n, &err), 0);
	rates = read_rates(&o, NULL, 0, first * 2);
	ck_assert_int_eq(rates.n, 2);
	ck_assert_int_eq(rates.rows[0].at, first + MINUTE_MS);
	close_kind(&o);
}
END_TEST

/* Counts by version. */

struct versions {
	int64_t n[3][SAGA_STATUS_COUNT]; /* of order 1, order 2, and the rest */
};

static int see_version(void *ctx, const struct definition_count_row *row)
{
	struct versions *versions = ctx;
	int of = strcmp(row->definition, "order") != 0 ? 2 : row->version == 2;

	versions->n[of][row->status] += row->n;
	return 0;
}

START_TEST(test_definition_counts__tell_versions_apart)
{
	struct opened o = open_kind(_i);
	struct versions all = {0}, one = {0}, none = {0};
	struct saga_row row;
	struct err err;

	for (int n = 0; n < 9; n++) {
		row = rows_saga(n);
		row.version = n % 3 == 1 ? 2 : 1;
		row.definition = n % 3 == 2 ? "payment" : "order";
		row.ns = n == 8 ? "other" : "default";
		put(&o, rows_create(n, &row));
	}
	row = rows_saga(4);
	row.version = 7; /* not written: a saga stays on its version */
	row.status = SAGA_WAITING;
	put(&o, rows_next(4, 2, &row));
	ck_assert_int_eq(o.ops->definition_counts(o.reader, "default", NULL, see_version, &all, &err),
					 0);
	ck_assert_int_eq(all.n[0][SAGA_RUNNING], 3);
	ck_assert_int_eq(all.n[1][SAGA_RUNNING], 2);
	ck_assert_int_eq(all.n[1][SAGA_WAITING], 1);
	ck_assert_int_eq(all.n[2][SAGA_RUNNING], 2);
	ck_assert_int_eq(
		o.ops->definition_counts(o.reader, "default", "payment", see_version, &one, &err), 0);
	ck_assert_int_eq(one.n[0][SAGA_RUNNING] + one.n[1][SAGA_RUNNING], 0);
	ck_assert_int_eq(one.n[2][SAGA_RUNNING], 2);
	ck_assert_int_eq(
		o.ops->definition_counts(o.reader, "default", "ship", see_version, &none, &err), 0);
	ck_assert_int_eq(none.n[2][SAGA_RUNNING], 0);
	close_kind(&o);
}
END_TEST

void store_contract__add_attention(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_attention__a_saga_comes_back_with_its_group_and_owner, 0, n);
	tcase_add_loop_test(tcase, test_attention__a_group_says_what_it_is_and_since_when, 0, n);
	tcase_add_loop_test(tcase, test_attention__lists_the_largest_groups_first_and_no_empty_ones, 0,
						n);
	tcase_add_loop_test(tcase, test_attention__what_persons_say_is_kept_whoever_comes_and_goes, 0,
						n);
	tcase_add_loop_test(tcase, test_attention__something_may_be_said_before_there_is_a_saga, 0, n);
	tcase_add_loop_test(tcase, test_attention__retention_takes_old_groups_without_sagas, 0, n);
	tcase_add_loop_test(
		tcase, test_attention__who_tells_persons_sees_what_was_told_and_what_there_is, 0, n);
	tcase_add_loop_test(tcase, test_attention__a_group_that_was_empty_is_first_seen_anew, 0, n);
	tcase_add_loop_test(tcase, test_rates__are_by_the_minute_of_the_transition, 0, n);
	tcase_add_loop_test(tcase, test_rates__minutes_long_before_the_newest_are_removed, 0, n);
	tcase_add_loop_test(tcase, test_definition_counts__tell_versions_apart, 0, n);
}
