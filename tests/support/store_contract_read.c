/*
 * The contract of readers: single sagas, histories, compensations, keys, what is due, counts.
 */
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

struct both {
	struct store *store;
	struct store_reader *reader;
	const struct store_ops *ops;
};

static struct both open_both(int kind)
{
	struct both both = {.store = store_contract__kinds[kind].open()};
	struct err err;

	both.ops = both.store->ops;
	ck_assert_int_eq(both.ops->reader_open(both.store, &both.reader, &err), 0);
	return both;
}

static void close_both(struct both *both)
{
	both->ops->reader_close(both->reader);
	both->ops->close(both->store);
}

static void put(struct both *both, struct store_item item)
{
	struct err err = {0};

	ck_assert_msg(both->ops->commit(both->store, &item, 1, &err) == 0, "%s", err.text);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
}

START_TEST(test_read__a_saga_comes_back_as_it_was_written)
{
	struct both both = open_both(_i);
	struct saga_row row = rows_saga(1), got;
	struct err err;

	row.version = 7;
	row.status = SAGA_WAITING;
	row.due_at = rows_time(50);
	row.attention.text = "refund fails: \xe2\x82\xac 12";
	put(&both, rows_create(1, &row));
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_int_eq(got.slot, row.slot);
	ck_assert_str_eq(got.id, rows_id(1));
	ck_assert_str_eq(got.ns, "default");
	ck_assert_str_eq(got.definition, "order");
	ck_assert_int_eq(got.version, 7);
	ck_assert_int_eq(got.status, SAGA_WAITING);
	ck_assert_str_eq(got.key, rows_key(1));
	ck_assert_int_eq(got.started_at, row.started_at);
	ck_assert_int_eq(got.updated_at, row.updated_at);
	ck_assert_int_eq(got.ended_at, 0);
	ck_assert_int_eq(got.due_at, row.due_at);
	ck_assert_str_eq(got.attention.text, row.attention.text);
	saga_row_release(&got);

	row = rows_saga(2); /* what may be absent is */
	row.key = NULL;
	put(&both, rows_create(2, &row));
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(2), &got, &err), 0);
	ck_assert_ptr_null(got.key);
	ck_assert_ptr_null(got.attention.text);
	ck_assert_int_eq(got.due_at, 0);
	saga_row_release(&got);
	close_both(&both);
}
END_TEST

START_TEST(test_read__a_namespace_sees_only_its_own)
{
	struct both both = open_both(_i);
	struct saga_row row = rows_saga(1), got;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	put(&both, rows_create(1, &row));
	ck_assert_int_eq(both.ops->saga_get(both.reader, "other", rows_id(1), &got, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(2), &got, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(
		both.ops->find_key(both.reader, "other", "order", rows_key(1), id, fingerprint, &err),
		ERR_NOT_FOUND);
	ck_assert_int_eq(
		both.ops->find_key(both.reader, "default", "order", rows_key(1), id, fingerprint, &err), 0);
	ck_assert_str_eq(id, rows_id(1));
	ck_assert_str_eq(fingerprint, rows_fingerprint(1));
	close_both(&both);
}
END_TEST

START_TEST(test_read__an_update_changes_what_it_says)
{
	struct both both = open_both(_i);
	struct saga_row row = rows_saga(1), update = {.ns = "default"}, got;
	struct err err;

	put(&both, rows_create(1, &row));
	update.status = SAGA_WAITING;
	update.updated_at = rows_time(3);
	update.due_at = rows_time(4);
	update.attention.text = "look";
	put(&both, rows_next(1, 2, &update));
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_int_eq(got.status, SAGA_WAITING);
	ck_assert_int_eq(got.updated_at, rows_time(3));
	ck_assert_int_eq(got.due_at, rows_time(4));
	ck_assert_str_eq(got.attention.text, "look");
	ck_assert_str_eq(got.definition, "order");
	ck_assert_int_eq(got.started_at, rows_time(1));
	saga_row_release(&got);
	update.status = SAGA_COMPLETED;
	update.ended_at = rows_time(5);
	update.due_at = 0;
	update.attention.text = NULL;
	put(&both, rows_next(1, 3, &update));
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(1), &got, &err), 0);
	ck_assert_int_eq(got.ended_at, rows_time(5));
	ck_assert_int_eq(got.due_at, 0);
	ck_assert_ptr_null(got.attention.text);
	saga_row_release(&got);
	close_both(&both);
}
END_TEST

struct seqs {
	int64_t first, last;
	int n;
	int stop_at; /* 0: never */
};

static int see_seq(void *ctx, const struct history_row *row)
{
	struct seqs *seqs = ctx;

	if (seqs->n++ == 0)
		seqs->first = row->seq;
	seqs->last = row->seq;
	return seqs->n == seqs->stop_at ? 77 : 0;
}

START_TEST(test_history__pages)
{
	struct both both = open_both(_i);
	struct saga_row row = rows_saga(1);
	struct seqs seqs = {0};
	struct err err;

	put(&both, rows_create(1, &row));
	for (int64_t seq = 2; seq <= 25; seq++)
		put(&both, rows_next(1, seq, NULL));
	ck_assert_int_eq(both.ops->history(both.reader, rows_id(1), 0, 10, see_seq, &seqs, &err), 0);
	ck_assert_int_eq(seqs.n, 10);
	ck_assert_int_eq(seqs.first, 1);
	ck_assert_int_eq(seqs.last, 10);
	seqs = (struct seqs){0};
	ck_assert_int_eq(both.ops->history(both.reader, rows_id(1), 20, 10, see_seq, &seqs, &err), 0);
	ck_assert_int_eq(seqs.n, 5);
	ck_assert_int_eq(seqs.first, 21);
	seqs = (struct seqs){.stop_at = 3};
	ck_assert_int_eq(both.ops->history(both.reader, rows_id(1), 0, 10, see_seq, &seqs, &err), 77);
	ck_assert_int_eq(seqs.n, 3);
	seqs = (struct seqs){0}; /* a reader that was stopped goes on */
	ck_assert_int_eq(both.ops->history(both.reader, rows_id(2), 0, 10, see_seq, &seqs, &err), 0);
	ck_assert_int_eq(seqs.n, 0);
	close_both(&both);
}
END_TEST

static int see_events(void *ctx, const struct history_row *row)
{
	const struct store_item *item = ctx;

	ck_assert_int_eq(row->at, item->at);
	ck_assert_uint_eq(row->events_len, item->events_len);
	ck_assert_mem_eq(row->events, item->events, item->events_len);
	return 0;
}

START_TEST(test_history__gives_the_bytes_that_were_written)
{
	enum { LEN = 300000 }; /* many pages, and not ended by a NUL */
	struct both both = open_both(_i);
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	char *events = malloc(LEN);
	struct err err;

	ck_assert_ptr_nonnull(events);
	for (int i = 0; i < LEN; i++)
		events[i] = (char)(' ' + i % 90);
	item.events = events;
	item.events_len = LEN;
	put(&both, item);
	ck_assert_int_eq(both.ops->history(both.reader, rows_id(1), 0, 10, see_events, &item, &err), 0);
	free(events);
	close_both(&both);
}
END_TEST

static int see_comp(void *ctx, const struct compensation_row *row)
{
	struct compensation_row **want = ctx;

	ck_assert_str_eq(row->step, (*want)->step);
	ck_assert_int_eq(row->item, (*want)->item);
	ck_assert_str_eq(row->action, (*want)->action);
	ck_assert_int_eq(row->status, (*want)->status);
	ck_assert_uint_eq(row->request_len, (*want)->request_len);
	ck_assert_mem_eq(row->request, (*want)->request, row->request_len);
	ck_assert_int_eq(row->attempts, (*want)->attempts);
	ck_assert_pstr_eq(row->last_error, (*want)->last_error);
	ck_assert_int_eq(row->updated_at, (*want)->updated_at);
	++*want;
	return 0;
}

START_TEST(test_compensations__come_in_the_order_in_which_they_were_armed)
{
	struct both both = open_both(_i);
	struct compensation_row comps[] = {rows_compensation("reserve", COMP_ARMED),
									   rows_compensation("reserve", COMP_ARMED),
									   rows_compensation("charge", COMP_ARMED)};
	struct compensation_row change = comps[0], *want = comps;
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct err err;

	comps[0].item = 0;
	comps[1].item = 1;
	item.compensations = comps;
	item.n_compensations = ARRAY_SIZE(comps);
	put(&both, item);
	change.item = 1;
	change.status = COMP_BACKING_OFF;
	change.attempts = 4;
	change.last_error = "503";
	change.request = NULL; /* stays */
	change.updated_at = rows_time(9);
	item = rows_next(1, 2, NULL);
	item.compensations = &change;
	item.n_compensations = 1;
	put(&both, item);
	comps[1].status = change.status;
	comps[1].attempts = 4;
	comps[1].last_error = "503";
	comps[1].updated_at = rows_time(9);
	ck_assert_int_eq(both.ops->compensations(both.reader, rows_id(1), see_comp, &want, &err), 0);
	ck_assert_ptr_eq(want, comps + ARRAY_SIZE(comps));
	close_both(&both);
}
END_TEST

/* Collects which sagas of a test a call gave, by number, in order. */
struct numbers {
	int list[64];
	int n;
};

static int see_number(void *ctx, const struct saga_row *row)
{
	struct numbers *numbers = ctx;

	for (int n = 0; n < 64; n++)
		if (strcmp(row->id, rows_id(n)) == 0)
			numbers->list[numbers->n++] = n;
	return 0;
}

static bool has(const struct numbers *numbers, int n)
{
	for (int i = 0; i < numbers->n; i++)
		if (numbers->list[i] == n)
			return true;
	return false;
}

static struct numbers load(struct both *both, int first, int last, wall_ms before, bool awake,
						   int limit)
{
	struct numbers numbers = {0};
	struct err err;

	ck_assert_int_eq(both->ops->load_due(both->reader, first, last, before, awake, limit,
										 see_number, &numbers, &err),
					 0);
	return numbers;
}

START_TEST(test_load_due__gives_the_awake_and_the_due)
{
	struct both both = open_both(_i);
	struct saga_row row;
	struct numbers got;

	for (int n = 0; n < 4; n++) /* 0, 1: awake; 2, 3: asleep until 10 and 20 */ {
		row = rows_saga(n);
		row.due_at = n < 2 ? 0 : rows_time((n - 1) * 10);
		put(&both, rows_create(n, &row));
	}
	rows_put_create(both.store, 4);
	rows_put_end(both.store, 4, 2, SAGA_COMPLETED);
	rows_put_create(both.store, 5);
	rows_put_end(both.store, 5, 2, SAGA_COMPENSATION_FAILED); /* waits: awake, not terminal */

	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(15), true, 100);
	ck_assert_int_eq(got.n, 4);
	ck_assert(has(&got, 0) && has(&got, 1) && has(&got, 2) && has(&got, 5));
	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(15), false, 100);
	ck_assert_int_eq(got.n, 1);
	ck_assert(has(&got, 2));
	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(10), false, 100);
	ck_assert_int_eq(got.n, 0); /* due_before is exclusive */
	got = load(&both, 1, 2, rows_time(100), true, 100);
	ck_assert_int_eq(got.n, 2);
	ck_assert(has(&got, 1) && has(&got, 2));
	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(100), true, 3);
	ck_assert_int_eq(got.n, 3);
	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(100), false, 1);
	ck_assert_int_eq(got.n, 1);
	ck_assert(has(&got, 2)); /* the one that is due first */

	row = rows_saga(2); /* woken */
	put(&both, rows_next(2, 2, &row));
	got = load(&both, 0, ROWS_SLOTS - 1, rows_time(15), false, 100);
	ck_assert_int_eq(got.n, 0);
	close_both(&both);
}
END_TEST

START_TEST(test_counts__follow_every_change)
{
	struct both both = open_both(_i);
	int64_t counts[SAGA_STATUS_COUNT];
	struct saga_row other = rows_saga(9);
	struct err err;

	ck_assert_int_eq(both.ops->counts(both.reader, "default", counts, &err), 0);
	for (int i = 0; i < SAGA_STATUS_COUNT; i++)
		ck_assert_int_eq(counts[i], 0);
	for (int n = 0; n < 5; n++)
		rows_put_create(both.store, n);
	other.ns = "other";
	put(&both, rows_create(9, &other));
	rows_put_end(both.store, 0, 2, SAGA_COMPLETED);
	rows_put_end(both.store, 1, 2, SAGA_COMPENSATING);
	rows_put_end(both.store, 1, 3, SAGA_COMPENSATED);
	rows_put_end(both.store, 2, 9, SAGA_FAILED);  /* refused: a gap */
	rows_put_end(both.store, 3, 2, SAGA_RUNNING); /* as it was */
	ck_assert_int_eq(both.ops->counts(both.reader, "default", counts, &err), 0);
	ck_assert_int_eq(counts[SAGA_RUNNING], 3);
	ck_assert_int_eq(counts[SAGA_COMPLETED], 1);
	ck_assert_int_eq(counts[SAGA_COMPENSATING], 0);
	ck_assert_int_eq(counts[SAGA_COMPENSATED], 1);
	ck_assert_int_eq(counts[SAGA_FAILED], 0);
	ck_assert_int_eq(both.ops->counts(both.reader, "other", counts, &err), 0);
	ck_assert_int_eq(counts[SAGA_RUNNING], 1);
	close_both(&both);
}
END_TEST

/* Reads on with the same reader while a call of it is under way. */
static int read_on(void *ctx, const struct saga_row *row)
{
	struct both *both = ctx;
	struct saga_row got;
	struct seqs seqs = {0};
	struct err err;

	ck_assert_int_eq(both->ops->saga_get(both->reader, row->ns, row->id, &got, &err), 0);
	ck_assert_str_eq(got.id, row->id);
	saga_row_release(&got);
	ck_assert_int_eq(both->ops->history(both->reader, row->id, 0, 10, see_seq, &seqs, &err), 0);
	ck_assert_int_eq(seqs.n, 1);
	return 0;
}

START_TEST(test_read__a_callback_may_read_on)
{
	struct both both = open_both(_i);
	struct err err;

	for (int n = 0; n < 3; n++)
		rows_put_create(both.store, n);
	ck_assert_int_eq(both.ops->load_due(both.reader, 0, ROWS_SLOTS - 1, rows_time(99), true, 100,
										read_on, &both, &err),
					 0);
	close_both(&both);
}
END_TEST

START_TEST(test_read__many_readers_see_what_is_committed)
{
	struct both both = open_both(_i);
	struct store_reader *more[5];
	struct saga_row got;
	struct err err;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(both.ops->reader_open(both.store, &more[i], &err), 0);
	rows_put_create(both.store, 1);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(both.ops->saga_get(more[i], "default", rows_id(1), &got, &err), 0);
		saga_row_release(&got);
		both.ops->reader_close(more[i]);
	}
	ck_assert_int_eq(both.ops->saga_get(both.reader, "default", rows_id(1), &got, &err), 0);
	saga_row_release(&got);
	close_both(&both);
}
END_TEST

void store_contract__add_read(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_read__a_saga_comes_back_as_it_was_written, 0, n);
	tcase_add_loop_test(tcase, test_read__a_namespace_sees_only_its_own, 0, n);
	tcase_add_loop_test(tcase, test_read__an_update_changes_what_it_says, 0, n);
	tcase_add_loop_test(tcase, test_history__pages, 0, n);
	tcase_add_loop_test(tcase, test_history__gives_the_bytes_that_were_written, 0, n);
	tcase_add_loop_test(tcase, test_compensations__come_in_the_order_in_which_they_were_armed, 0,
						n);
	tcase_add_loop_test(tcase, test_load_due__gives_the_awake_and_the_due, 0, n);
	tcase_add_loop_test(tcase, test_counts__follow_every_change, 0, n);
	tcase_add_loop_test(tcase, test_read__a_callback_may_read_on, 0, n);
	tcase_add_loop_test(tcase, test_read__many_readers_see_what_is_committed, 0, n);
}
