/*
 * The contract of events and of who waits for them: whichever comes first, the saga is told.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_messages.h"
#include "tests/support/store_rows.h"

#define OPEN(store) struct store *store = store_contract__kinds[_i].open()
#define CLOSE(store) store->ops->close(store)

#define MESSAGE(step, k)                                                                           \
	"{\"kind\":\"event\",\"step\":\"" step "\",\"item\":-1,\"place\":0,"                           \
	"\"event_id\":\"main/payments/0/" #k "\",\"event\":{\"k\":" #k "}}\n"

START_TEST(test_events__go_to_those_who_wait)
{
	static const char one_three[] = "1: 7s " MESSAGE("pay", 7) "3: 7s " MESSAGE("pay", 7);
	static const char three_one[] = "3: 7s " MESSAGE("pay", 7) "1: 7s " MESSAGE("pay", 7);
	const char *told;
	OPEN(store);

	for (int n = 1; n <= 3; n++)
		ck_assert_int_eq(rows_put_create(store, n), STORE_ACCEPTED);
	messages_subscribe(store, 1, 2, "pay", "a");
	messages_subscribe(store, 2, 2, "pay", "b");
	messages_subscribe(store, 3, 2, "pay", "a");
	ck_assert_uint_eq(messages_put_event(store, "a", 7), 1U << 1 | 1U << 3);
	told = messages_in_inbox(store); /* at the same time, so in whatever order */
	ck_assert(strcmp(told, one_three) == 0 || strcmp(told, three_one) == 0);
	ck_assert_uint_eq(messages_put_event(store, "c", 8), 0);
	CLOSE(store);
}
END_TEST

START_TEST(test_events__namespace_and_channel_are_part_of_the_match)
{
	OPEN(store);
	struct event_row events[] = {messages_event("a", 1), messages_event("a", 2)};
	bool touched[ROWS_SLOTS] = {false};
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_subscribe(store, 1, 2, "pay", "a");
	events[0].ns = "other";
	events[1].channel = "ffffffffffffffffffffffffffffffff";
	ck_assert_int_eq(store->ops->events_put(store, events, 2, touched, &err), 0);
	ck_assert(!touched[1]);
	ck_assert_str_eq(messages_in_inbox(store), "");
	ck_assert_str_eq(messages_early(store, 1, 10), "");
	CLOSE(store);
}
END_TEST

START_TEST(test_events__again_tell_again_and_nothing_twice)
{
	OPEN(store);
	struct store_item item = rows_next(1, 3, NULL);
	char id[1][UUID_SIZE];
	struct event_row changed = messages_event("a", 7);
	bool touched[ROWS_SLOTS] = {false};
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_subscribe(store, 1, 2, "pay", "a");
	for (int again = 0; again < 2; again++) {
		ck_assert_uint_eq(messages_put_event(store, "a", 7), 1U << 1);
		ck_assert_str_eq(messages_in_inbox(store), "1: 7s " MESSAGE("pay", 7));
	}
	store_event_inbox_id(rows_id(1), "pay", -1, 0, "main/payments/0/7", id[0]);
	item.inbox = (const char(*)[UUID_SIZE])id;
	item.n_inbox = 1;
	messages_commit(store, &item, 1);
	ck_assert_str_eq(messages_in_inbox(store), "");
	/* It still waits: the event is looked at again, as it first came. */
	changed.at += 5000;
	changed.event = "{\"changed\":1}";
	changed.event_len = strlen(changed.event);
	ck_assert_int_eq(store->ops->events_put(store, &changed, 1, touched, &err), 0);
	ck_assert(touched[1]);
	ck_assert_str_eq(messages_early(store, 1, 10), "1: 7s " MESSAGE("pay", 7));
	CLOSE(store);
}
END_TEST

START_TEST(test_events__that_came_before_are_found_by_who_comes_to_wait)
{
	OPEN(store);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	for (int k = 9; k >= 5; k--)
		ck_assert_uint_eq(messages_put_event(store, k % 2 ? "a" : "b", k), 0);
	ck_assert_str_eq(messages_early(store, 1, 10), "");
	messages_subscribe(store, 1, 2, "pay", "a");
	for (int limit = 1; limit <= 4; limit++)
		ck_assert_str_eq(
			messages_early(store, 1, limit),
			"1: 5s " MESSAGE("pay", 5) "1: 7s " MESSAGE("pay", 7) "1: 9s " MESSAGE("pay", 9));
	ck_assert_str_eq(messages_in_inbox(store), "");
	CLOSE(store);
}
END_TEST

START_TEST(test_events__a_page_of_early_ones_ends_with_all_of_an_event)
{
	OPEN(store);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_put_event(store, "a", 5);
	messages_put_event(store, "a", 6);
	messages_subscribe(store, 1, 2, "one", "a");
	messages_subscribe(store, 1, 3, "two", "a");
	/* Two subscriptions: each event comes twice, in whatever order. */
	ck_assert_uint_eq(strlen(messages_early(store, 1, 1)),
					  strlen("1: 5s " MESSAGE("one", 5) "1: 5s " MESSAGE("two", 5) "1: 6s " MESSAGE(
						  "one", 6) "1: 6s " MESSAGE("two", 6)));
	ck_assert_ptr_nonnull(strstr(messages_early(store, 1, 1), "1: 5s " MESSAGE("one", 5)));
	ck_assert_ptr_nonnull(strstr(messages_early(store, 1, 1), "1: 5s " MESSAGE("two", 5)));
	ck_assert_ptr_nonnull(strstr(messages_early(store, 1, 1), "1: 6s " MESSAGE("two", 6)));
	CLOSE(store);
}
END_TEST

static int see_early_id(void *ctx, const struct inbox_row *row)
{
	memcpy(ctx, row->id, sizeof(row->id));
	return 0;
}

START_TEST(test_events__have_the_same_id_early_and_in_the_inbox)
{
	OPEN(store);
	struct store_reader *reader;
	struct inbox_row row = {.slot = 1};
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_subscribe(store, 1, 2, "pay", "a");
	messages_put_event(store, "a", 7);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(
		store->ops->early_events(reader, 1, rows_id(1), 0, "", 10, see_early_id, row.id, &err), 0);
	store->ops->reader_close(reader);
	ck_assert_int_eq(store->ops->inbox_remove(store, &row, 1, &err), 0);
	ck_assert_str_eq(messages_in_inbox(store), "");
	CLOSE(store);
}
END_TEST

START_TEST(test_events__subscriptions_are_replaced_removed_and_removed_all)
{
	OPEN(store);
	struct subscription_row rows[] = {messages_subscription("", "a"),
									  messages_subscription("", "b"),
									  messages_subscription("pay", "c")};
	struct store_item item = rows_next(1, 2, NULL);

	rows[1].place = 1;
	rows[2].item = 3;
	item.subscriptions = rows;
	item.n_subscriptions = 3;
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_commit(store, &item, 1);
	ck_assert_uint_eq(messages_put_event(store, "c", 1), 1U << 1);
	ck_assert_str_eq(messages_in_inbox(store),
					 "1: 1s {\"kind\":\"event\",\"step\":\"pay\",\"item\":3,\"place\":0,"
					 "\"event_id\":\"main/payments/0/1\",\"event\":{\"k\":1}}\n");
	messages_subscribe(store, 1, 3, "", "x"); /* in place of "a" */
	ck_assert_uint_eq(messages_put_event(store, "a", 2), 0);
	ck_assert_uint_eq(messages_put_event(store, "b", 3), 1U << 1);
	ck_assert_uint_eq(messages_put_event(store, "x", 4), 1U << 1);
	messages_subscribe(store, 1, 4, "", NULL);
	ck_assert_uint_eq(messages_put_event(store, "x", 5), 0);
	ck_assert_uint_eq(messages_put_event(store, "b", 6), 1U << 1);
	item = rows_next(1, 5, NULL);
	item.unsubscribe_all = true;
	messages_commit(store, &item, 1);
	ck_assert_uint_eq(messages_put_event(store, "b", 7), 0);
	ck_assert_uint_eq(messages_put_event(store, "c", 8), 0);
	CLOSE(store);
}
END_TEST

START_TEST(test_events__expire)
{
	OPEN(store);
	struct err err;
	int n = -1;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	for (int k = 1; k <= 4; k++)
		messages_put_event(store, "a", k);
	messages_subscribe(store, 1, 2, "pay", "a");
	ck_assert_int_eq(store->ops->events_expire(store, rows_time(3604), 2, &n, &err), 0);
	ck_assert_int_eq(n, 2);
	ck_assert_str_eq(messages_early(store, 1, 10),
					 "1: 3s " MESSAGE("pay", 3) "1: 4s " MESSAGE("pay", 4));
	ck_assert_int_eq(store->ops->events_expire(store, rows_time(3604), 2, &n, &err), 0);
	ck_assert_int_eq(n, 1); /* what expires at that time is not before it */
	ck_assert_int_eq(store->ops->events_expire(store, rows_time(3604), 2, &n, &err), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_str_eq(messages_early(store, 1, 10), "1: 4s " MESSAGE("pay", 4));
	ck_assert_int_eq(store->ops->events_expire(store, rows_time(1), 0, &n, &err), ERR_INVALID);
	CLOSE(store);
}
END_TEST

static int see_large(void *ctx, const struct inbox_row *row)
{
	ck_assert_uint_gt(row->message_len, 32 * 1024);
	++*(int *)ctx;
	return 0;
}

/* More sagas than a store may read at a time, and more bytes than fit into one transaction. */
START_TEST(test_events__reach_all_of_many_who_wait)
{
	OPEN(store);
	enum { MANY = 600, BODY = 32 * 1024 };
	CLEANUP(free_p) char *body = xcalloc(BODY + 3, 1);
	struct event_row event = messages_event("a", 7);
	const int slots[ROWS_SLOTS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct inbox_page page = {.slots = slots, .n_slots = ROWS_SLOTS, .limit = MANY + 1};
	bool touched[ROWS_SLOTS] = {false};
	struct store_reader *reader;
	struct err err;
	int n = 0;

	memset(body, '1', BODY);
	event.event = body;
	event.event_len = BODY;
	for (int i = 0; i < MANY; i++) {
		struct subscription_row row = messages_subscription("pay", "a");
		struct saga_row saga = rows_saga(i);
		struct store_item item = rows_create(i, &saga);

		item.subscriptions = &row;
		item.n_subscriptions = 1;
		messages_commit(store, &item, 1);
	}
	for (int again = 0; again < 2; again++)
		ck_assert_int_eq(store->ops->events_put(store, &event, 1, touched, &err), 0);
	for (int i = 0; i < ROWS_SLOTS; i++)
		ck_assert(touched[i]);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->inbox_list(reader, &page, see_large, &n, &err), 0);
	ck_assert_int_eq(n, MANY);
	store->ops->reader_close(reader);
	CLOSE(store);
}
END_TEST

START_TEST(test_events__a_call_past_a_limit_keeps_nothing)
{
	OPEN(store);
	char value[STORE_VALUE_MAX_BYTES + 2];
	struct event_row rows[] = {messages_event("a", 1), messages_event("a", 2)};
	bool touched[ROWS_SLOTS] = {false};
	struct err err;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	messages_subscribe(store, 1, 2, "pay", "a");
	rows[1].value = value;
	ck_assert_int_eq(store->ops->events_put(store, rows, 2, touched, &err), ERR_LIMIT);
	ck_assert_str_eq(err.place, "row 1");
	rows[1] = messages_event("a", 2);
	rows[1].event = NULL;
	ck_assert_int_eq(store->ops->events_put(store, rows, 2, touched, &err), ERR_INVALID);
	ck_assert_int_eq(store->ops->events_put(store, rows, STORE_PUT_MAX + 1, touched, &err),
					 ERR_LIMIT);
	ck_assert(!touched[1]);
	ck_assert_str_eq(messages_in_inbox(store), "");
	ck_assert_str_eq(messages_early(store, 1, 10), "");
	value[STORE_VALUE_MAX_BYTES] = '\0'; /* as long as may be */
	messages_subscribe(store, 1, 3, "pay", value);
	ck_assert_uint_eq(messages_put_event(store, value, 3), 1U << 1);
	CLOSE(store);
}
END_TEST

/*
 * One thread begins to wait, commit by commit, while another one puts the same events through a
 * store of its own. Whoever is first: each saga is told by its inbox, or finds the event early.
 */
enum { RACES = 300 };

struct race {
	struct store *store;
	pthread_barrier_t barrier;
};

static void *put_events(void *arg)
{
	struct race *race = arg;
	bool touched[ROWS_SLOTS];
	char value[16];

	for (int i = 0; i < RACES; i++) {
		struct event_row event;

		snprintf(value, sizeof(value), "%d", i);
		event = messages_event(value, i);
		pthread_barrier_wait(&race->barrier);
		CHECK(race->store->ops->events_put(race->store, &event, 1, touched, NULL) == 0);
	}
	return NULL;
}

START_TEST(test_events__no_event_is_missed_between_waiting_and_coming)
{
	const struct store_kind *kind = &store_contract__kinds[_i];
	struct store *store = kind->open();
	bool early[RACES] = {false};
	struct race race;
	pthread_t thread;
	int n_early = 0;

	if (!kind->second) {
		store->ops->close(store);
		return;
	}
	race.store = kind->second();
	for (int i = 0; i < RACES; i++)
		ck_assert_int_eq(rows_put_create(store, i), STORE_ACCEPTED);
	pthread_barrier_init(&race.barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, put_events, &race), 0);
	for (int i = 0; i < RACES; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%d", i);
		pthread_barrier_wait(&race.barrier);
		messages_subscribe(store, i, 2, "pay", value);
		early[i] = messages_early(store, i, 10)[0] != '\0';
		n_early += early[i];
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&race.barrier);
	for (int i = 0; i < RACES; i++) {
		CLEANUP(free_p) char *line = xasprintf("\n%d: ", i);
		CLEANUP(free_p) char *told = xasprintf("\n%s", messages_in_inbox(store));

		ck_assert_msg(early[i] || strstr(told, line),
					  "saga %d of %d was not told (%d found theirs early)", i, RACES, n_early);
	}
	race.store->ops->close(race.store);
	store->ops->close(store);
}
END_TEST

void store_contract__add_events(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_events__go_to_those_who_wait, 0, n);
	tcase_add_loop_test(tcase, test_events__namespace_and_channel_are_part_of_the_match, 0, n);
	tcase_add_loop_test(tcase, test_events__again_tell_again_and_nothing_twice, 0, n);
	tcase_add_loop_test(tcase, test_events__that_came_before_are_found_by_who_comes_to_wait, 0, n);
	tcase_add_loop_test(tcase, test_events__a_page_of_early_ones_ends_with_all_of_an_event, 0, n);
	tcase_add_loop_test(tcase, test_events__have_the_same_id_early_and_in_the_inbox, 0, n);
	tcase_add_loop_test(tcase, test_events__subscriptions_are_replaced_removed_and_removed_all, 0,
						n);
	tcase_add_loop_test(tcase, test_events__expire, 0, n);
	tcase_add_loop_test(tcase, test_events__reach_all_of_many_who_wait, 0, n);
	tcase_add_loop_test(tcase, test_events__a_call_past_a_limit_keeps_nothing, 0, n);
	tcase_add_loop_test(tcase, test_events__no_event_is_missed_between_waiting_and_coming, 0, n);
}
