/*
 * The contract of dead letters, and of what is said about triggers.
 */
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_messages.h"
#include "tests/support/store_rows.h"

#define OPEN(store) struct store *store = store_contract__kinds[_i].open()
#define CLOSE(store) store->ops->close(store)

static void put(struct store *store, const struct dead_letter_row *row)
{
	struct err err = {0};

	ck_assert_msg(store->ops->dead_letter_put(store, row, &err) == 0, "%s", err.text);
}

static int get(struct store *store, const char *ns, const char *id, struct dead_letter_row *ret)
{
	struct store_reader *reader;
	struct err err;
	int r;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	r = store->ops->dead_letter_get(reader, ns, id, ret, &err);
	store->ops->reader_close(reader);
	return r;
}

START_TEST(test_dead_letter__is_kept_as_it_came)
{
	OPEN(store);
	const struct dead_letter_row row = messages_dead_letter(7);
	struct dead_letter_row got;

	put(store, &row);
	ck_assert_int_eq(get(store, "default", row.id, &got), 0);
	ck_assert_str_eq(got.id, row.id);
	ck_assert_str_eq(got.ns, "default");
	ck_assert_str_eq(got.trigger, "order/orders");
	ck_assert_str_eq(got.cluster, "main");
	ck_assert_str_eq(got.topic, "orders");
	ck_assert_int_eq(got.partition, 3);
	ck_assert_int_eq(got.offset, 7);
	ck_assert_int_eq(got.at, row.at);
	ck_assert_int_eq(got.failed_at, row.failed_at);
	ck_assert_uint_eq(got.key_len, 7);
	ck_assert_mem_eq(got.key, "order-1", 7);
	ck_assert_uint_eq(got.value_len, row.value_len);
	ck_assert_mem_eq(got.value, row.value, row.value_len);
	ck_assert_str_eq(got.headers, row.headers);
	ck_assert_str_eq(got.reason, row.reason);
	ck_assert_str_eq(got.message, row.message);
	ck_assert_int_eq(got.attempts, 4);
	ck_assert_int_eq(got.status, DEAD_LETTER_WAITING);
	ck_assert_ptr_null(got.saga_id);
	ck_assert_int_eq(got.updated_at, row.updated_at);
	dead_letter_row_release(&got);
	ck_assert_int_eq(get(store, "other", row.id, &got), ERR_NOT_FOUND);
	ck_assert_int_eq(get(store, "default", rows_id(1), &got), ERR_NOT_FOUND);
	CLOSE(store);
}
END_TEST

START_TEST(test_dead_letter__nothing_and_empty_are_two_things)
{
	OPEN(store);
	struct dead_letter_row row = messages_dead_letter(7), got;

	row.key = NULL;
	row.key_len = 0;
	row.value = "";
	row.value_len = 0;
	put(store, &row);
	ck_assert_int_eq(get(store, "default", row.id, &got), 0);
	ck_assert_ptr_null(got.key);
	ck_assert_ptr_nonnull(got.value);
	ck_assert_uint_eq(got.value_len, 0);
	dead_letter_row_release(&got);
	row = messages_dead_letter(8);
	row.value = NULL;
	row.key = "";
	row.key_len = row.value_len = 0;
	put(store, &row);
	ck_assert_int_eq(get(store, "default", row.id, &got), 0);
	ck_assert_ptr_null(got.value);
	ck_assert_ptr_nonnull(got.key);
	dead_letter_row_release(&got);
	CLOSE(store);
}
END_TEST

START_TEST(test_dead_letter__put_again_stays_as_it_was)
{
	OPEN(store);
	struct dead_letter_row row = messages_dead_letter(7), got;
	struct err err;

	put(store, &row);
	ck_assert_int_eq(store->ops->dead_letter_update(store, "default", row.id, DEAD_LETTER_REDRIVEN,
													rows_id(3), rows_time(100), &err),
					 0);
	row.reason = "key_conflict";
	row.failed_at += 9000;
	put(store, &row);
	ck_assert_int_eq(get(store, "default", row.id, &got), 0);
	ck_assert_str_eq(got.reason, "unparsable");
	ck_assert_int_eq(got.status, DEAD_LETTER_REDRIVEN);
	ck_assert_str_eq(got.saga_id, rows_id(3));
	ck_assert_int_eq(got.updated_at, rows_time(100));
	dead_letter_row_release(&got);
	ck_assert_str_eq(messages_dead_letters(store, (struct dead_letter_filter){.status = -1}),
					 "7 redriven\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_dead_letter__is_told_apart_by_where_it_came_from)
{
	struct dead_letter_row row = messages_dead_letter(7), other = row;

	other.offset = 8;
	dead_letter_id(&other);
	ck_assert_str_ne(row.id, other.id);
	other = row;
	other.trigger = "order/order";
	other.cluster = "smain";
	dead_letter_id(&other);
	ck_assert_str_ne(row.id, other.id);
	other = row;
	other.at++; /* the topic was made anew, and counts from the start */
	dead_letter_id(&other);
	ck_assert_str_ne(row.id, other.id);
	other = row;
	other.failed_at++;
	other.reason = "other";
	dead_letter_id(&other);
	ck_assert_str_eq(row.id, other.id);
}
END_TEST

START_TEST(test_dead_letter__update_says_when_there_is_none)
{
	OPEN(store);
	const struct dead_letter_row row = messages_dead_letter(7);
	struct dead_letter_row got;
	struct err err;

	put(store, &row);
	ck_assert_int_eq(store->ops->dead_letter_update(store, "other", row.id, DEAD_LETTER_DISCARDED,
													NULL, 1, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(store->ops->dead_letter_update(store, "default", rows_id(1),
													DEAD_LETTER_DISCARDED, NULL, 1, &err),
					 ERR_NOT_FOUND);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(store->ops->dead_letter_update(store, "default", row.id,
														DEAD_LETTER_DISCARDED, NULL, rows_time(50),
														&err),
						 0);
		ck_assert_int_eq(get(store, "default", row.id, &got), 0);
		ck_assert_int_eq(got.status, DEAD_LETTER_DISCARDED);
		ck_assert_ptr_null(got.saga_id);
		dead_letter_row_release(&got);
	}
	CLOSE(store);
}
END_TEST

/* Offsets 1 to 6: odd ones of another trigger, from 4 on for another reason, 2 and 5 discarded. */
static void put_six(struct store *store)
{
	struct err err;

	for (int i = 1; i <= 6; i++) {
		struct dead_letter_row row = messages_dead_letter(i);

		if (i % 2)
			row.trigger = "refund/orders";
		if (i >= 4)
			row.reason = "key_conflict";
		dead_letter_id(&row);
		put(store, &row);
		if (i == 2 || i == 5)
			ck_assert_int_eq(store->ops->dead_letter_update(store, "default", row.id,
															DEAD_LETTER_DISCARDED, NULL,
															rows_time(100 + i), &err),
							 0);
	}
}

START_TEST(test_dead_letter__lists_go_from_the_newest_and_are_filtered)
{
	OPEN(store);
	struct dead_letter_row row = messages_dead_letter(9);

	put_six(store);
	row.ns = "other";
	dead_letter_id(&row);
	put(store, &row);
	for (int limit = 1; limit <= 7; limit++) {
		struct dead_letter_filter all = {.status = -1, .limit = limit};
		struct dead_letter_filter waiting = {.status = DEAD_LETTER_WAITING, .limit = limit};
		struct dead_letter_filter trigger = {
			.status = -1, .trigger = "order/orders", .limit = limit, .without_record = true};
		struct dead_letter_filter both = {
			.status = DEAD_LETTER_WAITING, .trigger = "refund/orders", .limit = limit};
		struct dead_letter_filter reason = {
			.status = DEAD_LETTER_WAITING, .reason = "key_conflict", .limit = limit};
		struct dead_letter_filter other = {.ns = "other", .status = -1, .limit = limit};
		struct dead_letter_filter none = {.status = DEAD_LETTER_REDRIVEN, .limit = limit};

		ck_assert_str_eq(messages_dead_letters(store, all),
						 "6 waiting\n5 discarded\n4 waiting\n3 waiting\n2 discarded\n1 waiting\n");
		ck_assert_str_eq(messages_dead_letters(store, waiting),
						 "6 waiting\n4 waiting\n3 waiting\n1 waiting\n");
		ck_assert_str_eq(messages_dead_letters(store, trigger),
						 "6 waiting\n4 waiting\n2 discarded\n");
		ck_assert_str_eq(messages_dead_letters(store, both), "3 waiting\n1 waiting\n");
		ck_assert_str_eq(messages_dead_letters(store, reason), "6 waiting\n4 waiting\n");
		ck_assert_str_eq(messages_dead_letters(store, other), "9 waiting\n");
		ck_assert_str_eq(messages_dead_letters(store, none), "");
	}
	CLOSE(store);
}
END_TEST

START_TEST(test_dead_letter__those_of_one_time_are_each_listed_once)
{
	OPEN(store);

	for (int i = 1; i <= 5; i++) {
		struct dead_letter_row row = messages_dead_letter(i);

		row.failed_at = rows_time(9);
		put(store, &row);
	}
	for (int limit = 1; limit <= 6; limit++) {
		struct dead_letter_filter all = {.status = -1, .limit = limit};
		const char *text = messages_dead_letters(store, all);

		ck_assert_uint_eq(strlen(text), 5 * strlen("1 waiting\n"));
		for (char c = '1'; c <= '5'; c++)
			ck_assert_ptr_nonnull(strchr(text, c));
	}
	CLOSE(store);
}
END_TEST

static int see_lengths(void *ctx, const struct dead_letter_row *row)
{
	(void)ctx;
	ck_assert_ptr_null(row->key);
	ck_assert_ptr_null(row->value);
	ck_assert_ptr_null(row->headers);
	ck_assert_uint_eq(row->key_len, 7);
	ck_assert_uint_eq(row->value_len, 4);
	return 42;
}

START_TEST(test_dead_letter__a_list_may_leave_the_record_out)
{
	OPEN(store);
	const struct dead_letter_row row = messages_dead_letter(7);
	struct dead_letter_filter filter = {
		.ns = "default", .status = -1, .without_record = true, .limit = 5};
	struct store_reader *reader;
	struct err err;

	put(store, &row);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->dead_letter_list(reader, &filter, see_lengths, NULL, &err), 42);
	filter.limit = STORE_PUT_MAX + 1;
	ck_assert_int_eq(store->ops->dead_letter_list(reader, &filter, see_lengths, NULL, &err),
					 ERR_INVALID);
	store->ops->reader_close(reader);
	CLOSE(store);
}
END_TEST

START_TEST(test_dead_letter__past_a_limit_is_refused)
{
	OPEN(store);
	CLEANUP(free_p) char *text = xcalloc(STORE_TEXT_MAX_BYTES + 2, 1);
	struct dead_letter_row row = messages_dead_letter(7);
	struct err err;

	memset(text, 'x', STORE_TEXT_MAX_BYTES + 1);
	row.message = text;
	ck_assert_int_eq(store->ops->dead_letter_put(store, &row, &err), ERR_LIMIT);
	row = messages_dead_letter(7);
	row.value_len = STORE_BODY_MAX_BYTES + 1;
	ck_assert_int_eq(store->ops->dead_letter_put(store, &row, &err), ERR_LIMIT);
	row = messages_dead_letter(7);
	row.reason = NULL;
	ck_assert_int_eq(store->ops->dead_letter_put(store, &row, &err), ERR_INVALID);
	ck_assert_str_eq(messages_dead_letters(store, (struct dead_letter_filter){.status = -1}), "");
	CLOSE(store);
}
END_TEST

START_TEST(test_retain__removes_dead_letters_that_wait_for_nobody)
{
	OPEN(store);
	struct dead_letter_filter all = {.status = -1};
	struct err err;
	int n;

	put_six(store); /* 2 was discarded at 102, 5 at 105 */
	ck_assert_int_ge(store->ops->retain(store, rows_time(105), 100, &n, &err), 0);
	ck_assert_str_eq(messages_dead_letters(store, all),
					 "6 waiting\n5 discarded\n4 waiting\n3 waiting\n1 waiting\n");
	ck_assert_int_ge(store->ops->retain(store, rows_time(1000), 100, &n, &err), 0);
	ck_assert_str_eq(messages_dead_letters(store, all),
					 "6 waiting\n4 waiting\n3 waiting\n1 waiting\n");
	CLOSE(store);
}
END_TEST

/* Triggers. */

static int copy_trigger(void *ctx, const struct trigger_row *row)
{
	struct trigger_row *copy = ctx;

	trigger_row_release(copy);
	trigger_row_copy(row, copy);
	return 0;
}

static int add_name(void *ctx, const struct trigger_row *row)
{
	buf_printf(ctx, "%s %s %d\n", row->ns, row->name, (int)row->revision);
	return 0;
}

static void list_triggers(struct store *store, const char *ns,
						  int (*row)(void *ctx, const struct trigger_row *row), void *ctx)
{
	struct store_reader *reader;
	struct err err;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->trigger_list(reader, ns, row, ctx, &err), 0);
	store->ops->reader_close(reader);
}

START_TEST(test_trigger__is_written_as_a_whole)
{
	OPEN(store);
	struct trigger_row row = {.ns = "default",
							  .name = "order/orders",
							  .paused = true,
							  .reason = "poison",
							  .seeks = "{\"3\":17}",
							  .by = "ann",
							  .updated_at = rows_time(1)};
	struct trigger_row got = {.ns = NULL};
	struct err err;

	ck_assert_int_eq(store->ops->trigger_put(store, &row, &err), 0);
	ck_assert_int_eq(row.revision, 1);
	list_triggers(store, "default", copy_trigger, &got);
	ck_assert_str_eq(got.name, "order/orders");
	ck_assert(got.paused);
	ck_assert_str_eq(got.reason, "poison");
	ck_assert_str_eq(got.seeks, "{\"3\":17}");
	ck_assert_str_eq(got.by, "ann");
	ck_assert_int_eq(got.updated_at, rows_time(1));
	ck_assert_int_eq(got.revision, 1);
	row = (struct trigger_row){
		.ns = "default", .name = "order/orders", .updated_at = rows_time(2), .revision = 1};
	ck_assert_int_eq(store->ops->trigger_put(store, &row, &err), 0);
	ck_assert_int_eq(row.revision, 2);
	list_triggers(store, NULL, copy_trigger, &got);
	ck_assert(!got.paused);
	ck_assert_ptr_null(got.reason);
	ck_assert_ptr_null(got.seeks);
	ck_assert_ptr_null(got.by);
	ck_assert_int_eq(got.revision, 2);
	trigger_row_release(&got);
	CLOSE(store);
}
END_TEST

START_TEST(test_trigger__who_did_not_read_the_last_word_is_refused)
{
	OPEN(store);
	struct trigger_row ann = {.ns = "default", .name = "t", .paused = true, .by = "ann"};
	struct trigger_row bob = ann, got = {.ns = NULL};
	struct err err;

	bob.by = "bob";
	ck_assert_int_eq(store->ops->trigger_put(store, &ann, &err), 0);
	ck_assert_int_eq(store->ops->trigger_put(store, &bob, &err), ERR_CONFLICT);
	ck_assert_int_eq(bob.revision, 0);
	bob.revision = 1;
	ck_assert_int_eq(store->ops->trigger_put(store, &bob, &err), 0);
	ck_assert_int_eq(store->ops->trigger_put(store, &ann, &err), ERR_CONFLICT);
	bob.revision = 7;
	ck_assert_int_eq(store->ops->trigger_put(store, &bob, &err), ERR_CONFLICT);
	list_triggers(store, "default", copy_trigger, &got);
	ck_assert_str_eq(got.by, "bob");
	ck_assert_int_eq(got.revision, 2);
	trigger_row_release(&got);
	CLOSE(store);
}
END_TEST

START_TEST(test_trigger__the_same_again_is_ones_own)
{
	OPEN(store);
	struct trigger_row row = {.ns = "default", .name = "t", .paused = true, .by = "ann"};
	struct err err;

	for (int again = 0; again < 2; again++) { /* the first answer was lost */
		row.revision = 0;
		ck_assert_int_eq(store->ops->trigger_put(store, &row, &err), 0);
		ck_assert_int_eq(row.revision, 1);
	}
	CLOSE(store);
}
END_TEST

START_TEST(test_trigger__lists_go_by_namespace_and_name)
{
	static const char *const names[][2] = {{"b", "z"}, {"b", "a"}, {"a", "m"}};
	OPEN(store);
	CLEANUP(buf_release) struct buf text;
	struct trigger_row unstorable = {.ns = "a"};
	struct err err;

	buf_init(&text, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct trigger_row row = {.ns = names[i][0], .name = names[i][1]};

		ck_assert_int_eq(store->ops->trigger_put(store, &row, &err), 0);
	}
	ck_assert_int_eq(store->ops->trigger_put(store, &unstorable, &err), ERR_INVALID);
	list_triggers(store, NULL, add_name, &text);
	ck_assert_str_eq(buf_str(&text), "a m 1\nb a 1\nb z 1\n");
	buf_clear(&text);
	list_triggers(store, "b", add_name, &text);
	ck_assert_str_eq(buf_str(&text), "b a 1\nb z 1\n");
	CLOSE(store);
}
END_TEST

void store_contract__add_letters(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_dead_letter__is_kept_as_it_came, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__nothing_and_empty_are_two_things, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__put_again_stays_as_it_was, 0, n);
	tcase_add_test(tcase, test_dead_letter__is_told_apart_by_where_it_came_from);
	tcase_add_loop_test(tcase, test_dead_letter__update_says_when_there_is_none, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__lists_go_from_the_newest_and_are_filtered, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__those_of_one_time_are_each_listed_once, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__a_list_may_leave_the_record_out, 0, n);
	tcase_add_loop_test(tcase, test_dead_letter__past_a_limit_is_refused, 0, n);
	tcase_add_loop_test(tcase, test_retain__removes_dead_letters_that_wait_for_nobody, 0, n);
	tcase_add_loop_test(tcase, test_trigger__is_written_as_a_whole, 0, n);
	tcase_add_loop_test(tcase, test_trigger__who_did_not_read_the_last_word_is_refused, 0, n);
	tcase_add_loop_test(tcase, test_trigger__the_same_again_is_ones_own, 0, n);
	tcase_add_loop_test(tcase, test_trigger__lists_go_by_namespace_and_name, 0, n);
}
