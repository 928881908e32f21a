/*
 * The contract of messages in commits, and of the inbox and the outbox.
 */
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_messages.h"
#include "tests/support/store_rows.h"

#define OPEN(store) struct store *store = store_contract__kinds[_i].open()
#define CLOSE(store) store->ops->close(store)

static int see_row(void *ctx, const struct outbox_row *row)
{
	struct outbox_row *copy = ctx;

	outbox_row_release(copy);
	outbox_row_copy(row, copy);
	return 0;
}

START_TEST(test_outbox__is_written_with_the_transition)
{
	OPEN(store);
	const struct outbox_row out[] = {messages_outbox_row(0, "placed"),
									 messages_outbox_row(1, "charged")};
	const int slots[] = {3};
	const struct outbox_page page = {.slots = slots, .n_slots = 1, .limit = 10};
	struct saga_row row = rows_saga(3);
	struct store_item item = rows_create(3, &row);
	struct outbox_row got = {.slot = -1};
	struct store_reader *reader;
	struct err err;

	item.outbox = out;
	item.n_outbox = 2;
	messages_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_str_eq(messages_in_outbox(store), "3/1/0 orders placed\n3/1/1 orders charged\n");
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->outbox_list(reader, &page, see_row, &got, &err), 0);
	ck_assert_int_eq(got.slot, 3);
	ck_assert_str_eq(got.saga_id, rows_id(3));
	ck_assert_int_eq(got.seq, 1);
	ck_assert_int_eq(got.place, 1);
	ck_assert_str_eq(got.id, out[1].id);
	ck_assert_str_eq(got.cluster, "main");
	ck_assert_str_eq(got.topic, "orders");
	ck_assert_str_eq(got.key, "order-1");
	ck_assert_str_eq(got.type, "charged");
	ck_assert_str_eq(got.headers, out[1].headers);
	ck_assert_uint_eq(got.payload_len, out[1].payload_len);
	ck_assert_mem_eq(got.payload, out[1].payload, got.payload_len);
	ck_assert_int_eq(got.created_at, out[1].created_at);
	outbox_row_release(&got);
	store->ops->reader_close(reader);
	CLOSE(store);
}
END_TEST

START_TEST(test_outbox__a_record_may_have_no_key_and_no_value_and_no_value)
{
	OPEN(store);
	struct outbox_row out = messages_outbox_row(0, "placed"), got = {.slot = -1};
	const int slots[] = {1};
	const struct outbox_page page = {.slots = slots, .n_slots = 1, .limit = 10};
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct store_reader *reader;
	struct err err;

	out.key = NULL;
	out.payload = NULL;
	out.payload_len = 0;
	item.outbox = &out;
	item.n_outbox = 1;
	messages_commit(store, &item, 1);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->outbox_list(reader, &page, see_row, &got, &err), 0);
	ck_assert_int_eq(got.slot, 1);
	ck_assert_ptr_null(got.key);
	ck_assert_ptr_null(got.payload);
	outbox_row_release(&got);
	store->ops->reader_close(reader);
	CLOSE(store);
}
END_TEST

/* Saga n in a batch of its own, with so many outbox rows. */
static void publish(struct store *store, int n, int rows)
{
	struct outbox_row out[8];
	struct saga_row row = rows_saga(n);
	struct store_item item = rows_create(n, &row);

	CHECK(rows <= 8);
	for (int i = 0; i < rows; i++) {
		out[i] = messages_outbox_row(i, "placed");
		out[i].created_at = rows_time(n);
	}
	item.outbox = out;
	item.n_outbox = (size_t)rows;
	messages_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
}

static int count_outbox(void *ctx, const struct outbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

START_TEST(test_outbox__is_listed_by_slot_and_removed_row_by_row)
{
	OPEN(store);
	const int slots[] = {5, 2};
	struct outbox_page page = {.slots = slots, .n_slots = 2, .limit = 100};
	struct outbox_row done[2] = {{.slot = 2, .seq = 1, .place = 1}, {.slot = 5, .seq = 1}};
	struct store_reader *reader;
	struct err err;
	int n = 0;

	for (int i = 5; i >= 1; i--)
		publish(store, i, 2);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->outbox_list(reader, &page, count_outbox, &n, &err), 0);
	ck_assert_int_eq(n, 4);
	page.limit = STORE_PUT_MAX + 1;
	ck_assert_int_eq(store->ops->outbox_list(reader, &page, count_outbox, &n, &err), ERR_INVALID);
	store->ops->reader_close(reader);
	memcpy(done[0].saga_id, rows_id(2), SAGA_ID_SIZE);
	memcpy(done[1].saga_id, rows_id(5), SAGA_ID_SIZE);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(store->ops->outbox_remove(store, done, 2, &err), 0);
		ck_assert_str_eq(messages_in_outbox(store),
						 "1/1/0 orders placed\n1/1/1 orders placed\n2/1/0 orders placed\n"
						 "3/1/0 orders placed\n3/1/1 orders placed\n4/1/0 orders placed\n"
						 "4/1/1 orders placed\n5/1/1 orders placed\n");
	}
	CLOSE(store);
}
END_TEST

START_TEST(test_outbox__expires_from_the_oldest)
{
	OPEN(store);
	struct err err;
	int n = -1;

	for (int i = 1; i <= 4; i++)
		publish(store, i, 1);
	ck_assert_int_eq(store->ops->outbox_expire(store, rows_time(4), 2, &n, &err), 0);
	ck_assert_int_eq(n, 2);
	ck_assert_str_eq(messages_in_outbox(store), "3/1/0 orders placed\n4/1/0 orders placed\n");
	ck_assert_int_eq(store->ops->outbox_expire(store, rows_time(4), 2, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	ck_assert_str_eq(messages_in_outbox(store), "4/1/0 orders placed\n");
	ck_assert_int_eq(store->ops->outbox_expire(store, rows_time(4), 2, &n, &err), 0);
	ck_assert_int_eq(n, 0);
	CLOSE(store);
}
END_TEST

/* An item that is to be refused carries all that can be carried; none of it may take effect. */
static void load_item(struct store_item *item, const struct subscription_row *subscription,
					  const struct outbox_row *outbox, const char (*inbox)[UUID_SIZE])
{
	item->subscriptions = subscription;
	item->n_subscriptions = 1;
	item->outbox = outbox;
	item->n_outbox = 1;
	item->inbox = inbox;
	item->n_inbox = 1;
	item->unsubscribe_all = true;
}

START_TEST(test_commit__leaves_nothing_of_the_messages_of_a_refused_item)
{
	OPEN(store);
	struct inbox_row in[] = {messages_inbox_row(1, 1), messages_inbox_row(2, 2),
							 messages_inbox_row(3, 3), messages_inbox_row(4, 4)};
	char ids[4][1][UUID_SIZE];
	struct subscription_row wait = messages_subscription("pay", "a"), long_wait = wait;
	struct outbox_row out = messages_outbox_row(0, "placed");
	char value[STORE_VALUE_MAX_BYTES + 2];
	struct saga_row rows[] = {rows_saga(1), rows_saga(3)};
	struct store_item items[4];
	struct err err;

	for (int n = 2; n <= 4; n++)
		ck_assert_int_eq(rows_put_create(store, n), STORE_ACCEPTED);
	messages_subscribe(store, 2, 2, "old", "old");
	messages_subscribe(store, 4, 2, "old", "old");
	for (int i = 0; i < 4; i++)
		memcpy(ids[i][0], in[i].id, UUID_SIZE);
	ck_assert_int_eq(store->ops->inbox_put(store, in, 4, &err), 0);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	long_wait.value = value;
	rows[1].key = rows_key(2);           /* of another saga: */
	items[0] = rows_create(1, &rows[0]); /* accepted */
	items[1] = rows_next(2, 4, NULL);    /* row 3 is missing */
	items[2] = rows_create(3, &rows[1]); /* there already */
	items[3] = rows_next(4, 3, NULL);    /* a value that cannot be stored */
	for (int i = 0; i < 4; i++)
		load_item(&items[i], i == 3 ? &long_wait : &wait, &out, (const char(*)[UUID_SIZE])ids[i]);
	messages_commit(store, items, 4);
	ck_assert_int_eq(items[0].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[1].verdict, STORE_CONFLICT);
	ck_assert_int_eq(items[2].verdict, STORE_DUPLICATE);
	ck_assert_int_eq(items[3].verdict, STORE_UNSTORABLE);
	ck_assert_str_eq(messages_in_outbox(store), "1/1/0 orders placed\n");
	ck_assert_str_eq(messages_in_inbox(store),
					 "2: 2s {\"m\":2}\n3: 3s {\"m\":3}\n4: 4s {\"m\":4}\n");
	ck_assert_uint_eq(messages_put_event(store, "a", 10), 1U << 1);
	ck_assert_uint_eq(messages_put_event(store, "old", 11), 1U << 2 | 1U << 4);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__an_outbox_row_twice_is_the_items_fault)
{
	OPEN(store);
	struct outbox_row out[] = {messages_outbox_row(0, "placed"), messages_outbox_row(0, "again")};
	struct saga_row rows[] = {rows_saga(1), rows_saga(2)};
	struct store_item items[] = {rows_create(1, &rows[0]), rows_create(2, &rows[1])};

	items[0].outbox = out;
	items[0].n_outbox = 2;
	items[1].outbox = out;
	items[1].n_outbox = 1;
	messages_commit(store, items, 2);
	ck_assert_int_eq(items[0].verdict, STORE_UNSTORABLE);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	ck_assert_str_eq(messages_in_outbox(store), "2/1/0 orders placed\n");
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__removes_the_inbox_rows_that_it_took_in)
{
	OPEN(store);
	struct inbox_row in[] = {messages_inbox_row(1, 1), messages_inbox_row(1, 2),
							 messages_inbox_row(1, 3), messages_inbox_row(2, 4)};
	char ids[3][UUID_SIZE];
	struct store_item item = rows_next(1, 2, NULL);
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(store->ops->inbox_put(store, in, 4, &err), 0);
	memcpy(ids[0], in[2].id, UUID_SIZE);
	memcpy(ids[1], in[0].id, UUID_SIZE);
	memcpy(ids[2], in[3].id, UUID_SIZE); /* of another slot */
	item.inbox = (const char(*)[UUID_SIZE])ids;
	item.n_inbox = 3;
	messages_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_str_eq(messages_in_inbox(store), "1: 2s {\"m\":2}\n2: 4s {\"m\":4}\n");
	item = rows_next(1, 3, NULL); /* those that are gone are no reason to refuse */
	item.inbox = (const char(*)[UUID_SIZE])ids;
	item.n_inbox = 1;
	messages_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	CLOSE(store);
}
END_TEST

START_TEST(test_inbox__writing_a_row_again_adds_nothing)
{
	OPEN(store);
	struct inbox_row rows[] = {messages_inbox_row(1, 1), messages_inbox_row(2, 2)};
	struct err err;

	ck_assert_int_eq(store->ops->inbox_put(store, rows, 1, &err), 0);
	rows[0].message = "{\"other\":1}";
	rows[0].message_len = strlen(rows[0].message);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(store->ops->inbox_put(store, rows, 2, &err), 0);
		ck_assert_str_eq(messages_in_inbox(store), "1: 1s {\"m\":1}\n2: 2s {\"m\":2}\n");
	}
	ck_assert_int_eq(store->ops->inbox_put(store, rows, 0, &err), 0);
	CLOSE(store);
}
END_TEST

static int count_inbox(void *ctx, const struct inbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

START_TEST(test_inbox__is_listed_from_the_oldest_and_by_slot)
{
	OPEN(store);
	struct inbox_row rows[9];
	const int slots[] = {4, 0}, none[] = {ROWS_SLOTS};
	struct inbox_page page = {.slots = slots, .n_slots = 2, .limit = 100};
	struct store_reader *reader;
	struct err err;
	int n = 0;

	for (int i = 0; i < 9; i++) {
		rows[i] = messages_inbox_row(i % 5, 8 - i);
		rows[i].at = rows_time((8 - i) / 3); /* three at a time, told apart by their ids */
	}
	ck_assert_int_eq(store->ops->inbox_put(store, rows, 9, &err), 0);
	ck_assert_uint_eq(strlen(messages_in_inbox(store)), 9 * strlen("1: 1s {\"m\":1}\n"));
	for (const char *line = messages_in_inbox(store), *next; line[0]; line = next) {
		next = strchr(line, '\n') + 1;
		ck_assert(!next[0] || line[3] <= next[3]);
	}
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->inbox_list(reader, &page, count_inbox, &n, &err), 0);
	ck_assert_int_eq(n, 3); /* sagas 0, 4 and 0 */
	page.slots = none;
	page.n_slots = 1;
	ck_assert_int_eq(store->ops->inbox_list(reader, &page, count_inbox, &n, &err), ERR_INVALID);
	page.n_slots = 0;
	page.limit = 0;
	ck_assert_int_eq(store->ops->inbox_list(reader, &page, count_inbox, &n, &err), ERR_INVALID);
	page.limit = 1;
	ck_assert_int_eq(store->ops->inbox_list(reader, &page, count_inbox, &n, &err), 0);
	ck_assert_int_eq(n, 3); /* no slots, no rows */
	store->ops->reader_close(reader);
	CLOSE(store);
}
END_TEST

START_TEST(test_inbox__removes_what_is_of_no_use)
{
	OPEN(store);
	struct inbox_row rows[] = {messages_inbox_row(1, 1), messages_inbox_row(2, 2),
							   messages_inbox_row(3, 3)};
	struct err err;

	ck_assert_int_eq(store->ops->inbox_put(store, rows, 2, &err), 0);
	rows[1].slot = 7; /* not where it is */
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(store->ops->inbox_remove(store, rows, 3, &err), 0);
		ck_assert_str_eq(messages_in_inbox(store), "2: 2s {\"m\":2}\n");
	}
	CLOSE(store);
}
END_TEST

START_TEST(test_inbox__a_call_past_a_limit_writes_nothing)
{
	OPEN(store);
	CLEANUP(free_p) struct inbox_row *many = xcalloc(STORE_PUT_MAX + 1, sizeof(*many));
	struct inbox_row rows[] = {messages_inbox_row(1, 1), messages_inbox_row(2, 2)};
	struct err err = {0};

	for (int i = 0; i <= STORE_PUT_MAX; i++)
		many[i] = messages_inbox_row(i % 16, i);
	ck_assert_int_eq(store->ops->inbox_put(store, many, STORE_PUT_MAX + 1, &err), ERR_LIMIT);
	rows[1].message_len = STORE_BODY_MAX_BYTES + 1;
	ck_assert_int_eq(store->ops->inbox_put(store, rows, 2, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "row 1");
	rows[1] = messages_inbox_row(2, 2);
	rows[1].slot = ROWS_SLOTS;
	ck_assert_int_eq(store->ops->inbox_put(store, rows, 2, &err), ERR_INVALID);
	rows[1] = messages_inbox_row(2, 2);
	rows[1].message = NULL;
	ck_assert_int_eq(store->ops->inbox_put(store, rows, 2, &err), ERR_INVALID);
	ck_assert_str_eq(messages_in_inbox(store), "");
	ck_assert_int_eq(store->ops->inbox_put(store, many, STORE_PUT_MAX, &err), 0);
	CLOSE(store);
}
END_TEST

/* A saga with a row of each kind of message. */
static void put_all(struct store *store, int n)
{
	struct inbox_row in = messages_inbox_row(n, n);
	struct err err;

	publish(store, n, 1);
	messages_subscribe(store, n, 2, "pay", "a");
	ck_assert_int_eq(store->ops->inbox_put(store, &in, 1, &err), 0);
}

START_TEST(test_retain__removes_the_messages_to_sagas_that_go)
{
	OPEN(store);
	struct err err;
	int n = 0;

	for (int i = 1; i <= 3; i++)
		put_all(store, i);
	ck_assert_int_eq(rows_put_end(store, 2, 3, SAGA_COMPLETED), STORE_ACCEPTED);
	ck_assert_int_ge(store->ops->retain(store, rows_time(1000), 100, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	/* What the history says was published is owed, however old the saga is. */
	ck_assert_str_eq(messages_in_outbox(store),
					 "1/1/0 orders placed\n2/1/0 orders placed\n3/1/0 orders placed\n");
	ck_assert_str_eq(messages_in_inbox(store), "1: 1s {\"m\":1}\n3: 3s {\"m\":3}\n");
	ck_assert_uint_eq(messages_put_event(store, "a", 10), 1U << 1 | 1U << 3);
	CLOSE(store);
}
END_TEST

START_TEST(test_reopen__keeps_messages)
{
	const struct store_kind *kind = &store_contract__kinds[_i];
	struct store *store = kind->open();

	put_all(store, 1);
	messages_put_event(store, "b", 10);
	store->ops->close(store);
	if (!kind->reopen)
		return;
	store = kind->reopen();
	ck_assert_str_eq(messages_in_outbox(store), "1/1/0 orders placed\n");
	ck_assert_str_eq(messages_in_inbox(store), "1: 1s {\"m\":1}\n");
	messages_subscribe(store, 1, 3, "other", "b");
	ck_assert_str_ne(messages_early(store, 1, 10), "");
	ck_assert_uint_eq(messages_put_event(store, "a", 11), 1U << 1);
	store->ops->close(store);
}
END_TEST

void store_contract__add_messages(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_outbox__is_written_with_the_transition, 0, n);
	tcase_add_loop_test(tcase, test_outbox__a_record_may_have_no_key_and_no_value_and_no_value, 0,
						n);
	tcase_add_loop_test(tcase, test_outbox__is_listed_by_slot_and_removed_row_by_row, 0, n);
	tcase_add_loop_test(tcase, test_outbox__expires_from_the_oldest, 0, n);
	tcase_add_loop_test(tcase, test_commit__leaves_nothing_of_the_messages_of_a_refused_item, 0, n);
	tcase_add_loop_test(tcase, test_commit__an_outbox_row_twice_is_the_items_fault, 0, n);
	tcase_add_loop_test(tcase, test_commit__removes_the_inbox_rows_that_it_took_in, 0, n);
	tcase_add_loop_test(tcase, test_inbox__writing_a_row_again_adds_nothing, 0, n);
	tcase_add_loop_test(tcase, test_inbox__is_listed_from_the_oldest_and_by_slot, 0, n);
	tcase_add_loop_test(tcase, test_inbox__removes_what_is_of_no_use, 0, n);
	tcase_add_loop_test(tcase, test_inbox__a_call_past_a_limit_writes_nothing, 0, n);
	tcase_add_loop_test(tcase, test_retain__removes_the_messages_to_sagas_that_go, 0, n);
	tcase_add_loop_test(tcase, test_reopen__keeps_messages, 0, n);
}
