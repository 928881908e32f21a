#include "connectors/store_fault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/idempotency.h"
#include "connectors/store_sqlite.h"
#include "tests/support/store_messages.h"
#include "tests/support/store_rows.h"

/* What happens next; afterwards nothing is wrong again. */
struct plan {
	enum store_fault next;
	bool fail_read;
};

static enum store_fault choose(void *ctx)
{
	struct plan *plan = ctx;
	enum store_fault fault = plan->next;

	plan->next = STORE_FAULT_NONE;
	return fault;
}

static bool choose_read(void *ctx)
{
	return ((struct plan *)ctx)->fail_read;
}

static struct store *open_fault(struct plan *plan)
{
	struct store_sqlite_options options = {.path = ":memory:", .slot_count = 16};
	struct store *inner;
	struct err err;

	ck_assert_int_eq(store_sqlite_open(&options, &inner, &err), 0);
	return store_fault_new(inner, choose, choose_read, plan);
}

static int try_create(struct store *store, int n)
{
	struct saga_row row = rows_saga(n);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item item = rows_create(n, &row);
	struct err err;

	item.compensations = &comp;
	item.n_compensations = 1;
	return store->ops->commit(store, &item, 1, &err);
}

static bool is_there(struct store *store, int n)
{
	struct store_reader *reader;
	struct saga_row row;
	struct err err;
	int r;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	r = store->ops->saga_get(reader, "default", rows_id(n), &row, &err);
	ck_assert(r == 0 || r == ERR_NOT_FOUND);
	if (r == 0)
		saga_row_release(&row);
	store->ops->reader_close(reader);
	return r == 0;
}

START_TEST(test_fault__before_has_no_effect)
{
	struct plan plan = {.next = STORE_FAULT_BEFORE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNAVAILABLE);
	ck_assert(!is_there(store, 1));
	ck_assert_int_eq(try_create(store, 1), 0);
	ck_assert(is_there(store, 1));
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__unknown_may_have_dropped_or_landed)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_DROPPED};
	struct store *store = open_fault(&plan);
	struct err err;

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(!is_there(store, 1));
	plan.next = STORE_FAULT_UNKNOWN_LANDED;
	ck_assert_int_eq(try_create(store, 2), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(is_there(store, 2));
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_lands_when_it_is_settled)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);
	struct err err;

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert(!is_there(store, 1));
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(is_there(store, 1));
	ck_assert_int_eq(store->ops->settle(store, &err), 0); /* once */
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_lands_before_what_is_committed_unsettled)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_DUPLICATE);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_may_never_land)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__a_read_fails)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct store_reader *reader;
	struct saga_row row;
	struct err err;

	rows_put_create(store, 1);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	plan.fail_read = true;
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &row, &err),
					 ERR_UNAVAILABLE);
	plan.fail_read = false;
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &row, &err), 0);
	saga_row_release(&row);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

/* A transition that waits, publishes and takes in, and its outcome is unknown. */
static int try_messages(struct store *store, int n)
{
	struct subscription_row wait = messages_subscription("pay", "a");
	struct outbox_row out = messages_outbox_row(0, "placed");
	struct inbox_row in = messages_inbox_row(n, n);
	struct store_item item = rows_next(n, 2, NULL);
	char ids[1][UUID_SIZE];
	struct err err;

	memcpy(ids[0], in.id, UUID_SIZE);
	item.subscriptions = &wait;
	item.n_subscriptions = 1;
	item.outbox = &out;
	item.n_outbox = 1;
	item.inbox = (const char(*)[UUID_SIZE])ids;
	item.n_inbox = 1;
	return store->ops->commit(store, &item, 1, &err);
}

static int is_of_saga_1(void *ctx, const struct lock_row *row)
{
	(void)ctx;
	return strcmp(row->saga_id, rows_id(1)) == 0 && strcmp(row->step, "pack") == 0;
}

START_TEST(test_fault__messages_land_late_with_their_commit)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct inbox_row in = messages_inbox_row(1, 1);
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(store->ops->inbox_put(store, &in, 1, &err), 0);
	plan.next = STORE_FAULT_UNKNOWN_LATE;
	ck_assert_int_eq(try_messages(store, 1), ERR_UNKNOWN);
	ck_assert_str_eq(messages_in_outbox(store), "");
	ck_assert_str_eq(messages_in_inbox(store), "1: 1s {\"m\":1}\n");
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_str_eq(messages_in_outbox(store), "1/2/0 orders placed\n");
	ck_assert_str_eq(messages_in_inbox(store), "");
	ck_assert_uint_eq(messages_put_event(store, "a", 7), 1U << 1);
	plan.next = STORE_FAULT_UNKNOWN_LATE; /* and may never land */
	ck_assert_int_eq(try_messages(store, 1), ERR_UNKNOWN);
	store->ops->close(store);
}
END_TEST

/* What runs long lands late, too: the caller's rows are gone by then. */
START_TEST(test_fault__what_runs_long_lands_late_with_its_commit)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct store_reader *reader;
	struct task_row got;
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	plan.next = STORE_FAULT_UNKNOWN_LATE;
	{
		char step[] = "pack", queue[] = "house", key[] = "account:1", text[] = "{\"m\":2}";
		struct task_change task = {.row = {.ns = "default",
										   .definition = "order",
										   .step = step,
										   .item = -1,
										   .queue = queue,
										   .doc = "{}",
										   .doc_len = 2}};
		struct lock_change lock = {.ns = "default", .step = step, .item = -1, .key = key};
		struct inbox_row message = messages_inbox_row(1, 2);
		struct store_item item = rows_next(1, 2, NULL);

		message.message = text;
		message.message_len = strlen(text);
		item.tasks = &task;
		item.locks = &lock;
		item.messages = &message;
		item.n_tasks = item.n_locks = item.n_messages = 1;
		ck_assert_int_eq(store->ops->commit(store, &item, 1, &err), ERR_UNKNOWN);
		memset(step, 'x', 4);
		memset(queue, 'x', 5);
		memset(key, 'x', 9);
		memset(text, 'x', 7);
	}
	ck_assert_str_eq(messages_in_inbox(store), "");
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_str_eq(messages_in_inbox(store), "1: 2s {\"m\":2}\n");
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(rows_task(reader, 1, rows_id(1), "pack", -1, SIDE_DO, &got), 0);
	ck_assert_str_eq(got.queue, "house");
	task_row_release(&got);
	ck_assert_int_eq(
		store->ops->locks_list(reader, "default", "account:1", NULL, 5, is_of_saga_1, NULL, &err),
		1);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

/* Each function that writes beside commit; those that need rows use those of saga 1. */
enum { WRITERS = 15 };

static int write_messages(struct store *store, int which)
{
	const struct event_row event = messages_event("a", 1);
	const struct inbox_row in = messages_inbox_row(1, 1);
	struct outbox_row out = {.slot = 1, .seq = 2, .place = 0};
	const struct dead_letter_row letter = messages_dead_letter(1);
	struct trigger_row trigger = {.ns = "default", .name = "t"};
	struct routing_row routing = {.ns = "default", .name = "order", .current = 1};
	struct schedule_row schedule = {.ns = "default", .name = "order/1", .state = "{}"};
	struct attention_group_row group = {.ns = "default", .id = "00000000000000aa", .note = "n"};
	struct batch_row batch = {.ns = "default", .act = "{}", .query = "", .by = "ann"};
	struct queue_row queue = {.ns = "default", .name = "q", .settings = "{}"};
	const struct batch_item_row items[] = {{.updated_at = 1}};
	bool touched[ROWS_SLOTS] = {false};
	const struct store_ops *ops = store->ops;
	struct err err;
	int n, r;

	memcpy(out.saga_id, rows_id(1), sizeof(out.saga_id));
	switch (which) {
	case 0:
		return ops->inbox_put(store, &in, 1, &err);
	case 1:
		return ops->inbox_remove(store, &in, 1, &err);
	case 2:
		return ops->outbox_remove(store, &out, 1, &err);
	case 3:
		return ops->outbox_expire(store, rows_time(9), 9, &n, &err);
	case 4:
		return ops->events_put(store, &event, 1, touched, &err);
	case 5:
		return ops->events_expire(store, rows_time(9999), 9, &n, &err);
	case 6:
		return ops->dead_letter_put(store, &letter, &err);
	case 7:
		return ops->dead_letter_update(store, "default", letter.id, DEAD_LETTER_DISCARDED, NULL, 1,
									   &err);
	case 8:
		r = ops->trigger_put(store, &trigger, &err);
		ck_assert_int_eq(trigger.revision, r == 0);
		return r;
	case 9:
		r = ops->routing_put(store, &routing, &err);
		ck_assert_int_eq(routing.revision, r == 0);
		return r;
	case 10:
		r = ops->schedule_put(store, &schedule, &err);
		ck_assert_int_eq(schedule.revision, r == 0);
		return r;
	case 11:
		r = ops->attention_put(store, &group, &err);
		ck_assert_int_eq(group.revision, r == 0);
		return r;
	case 12:
		r = ops->queue_put(store, &queue, &err);
		ck_assert_int_eq(queue.revision, r == 0);
		return r;
	case 13:
		return ops->locks_grant(store, rows_time(5), touched, &err);
	default:
		r = ops->batch_put(store, &batch, items, 1, &err);
		ck_assert_int_eq(batch.revision, r == 0);
		ck_assert_int_eq(batch.n[BATCH_ITEM_PENDING], r == 0);
		return r;
	}
}

static int see_trigger(void *ctx, const struct trigger_row *row)
{
	((struct trigger_row *)ctx)->revision += row->revision;
	return 0;
}

static int see_routing(void *ctx, const struct routing_row *row)
{
	*(int *)ctx += 1000 * (int)row->revision;
	return 0;
}

static int see_schedule(void *ctx, const struct schedule_row *row)
{
	*(int *)ctx += 10000 * (int)row->revision;
	return 0;
}

static int see_queue(void *ctx, const struct queue_row *row)
{
	*(int *)ctx += 100000 * (int)row->revision;
	return 0;
}

/* What persons have said, as a number: of the group, and of the batch with its items. */
static int said(struct store_reader *reader)
{
	struct attention_group_row group = {0};
	struct batch_row batch = {0};
	struct err err;
	int n = 0;

	if (reader->store->ops->attention_get(reader, "default", "00000000000000aa", &group, &err) == 0)
		n += 100 * (int)group.revision;
	if (reader->store->ops->batch_get(reader, "default", "", &batch, &err) == 0)
		n += 10 * (int)batch.revision + (int)batch.n[BATCH_ITEM_PENDING];
	ck_assert_int_eq(
		reader->store->ops->routing_list(reader, "default", "order", see_routing, &n, &err), 0);
	ck_assert_int_eq(reader->store->ops->schedule_list(reader, NULL, NULL, see_schedule, &n, &err),
					 0);
	ck_assert_int_eq(reader->store->ops->queue_list(reader, NULL, see_queue, &n, &err), 0);
	attention_group_row_release(&group);
	batch_row_release(&batch);
	return n;
}

/* All that the store holds of messages, and of what was said. */
static const char *all_messages(struct store *store)
{
	static char text[4096];
	struct store_reader *reader;
	struct trigger_row trigger = {.ns = NULL};
	struct err err;
	int words;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->trigger_list(reader, NULL, see_trigger, &trigger, &err), 0);
	words = said(reader);
	store->ops->reader_close(reader);
	snprintf(text, sizeof(text), "%s%s%s%s%d,%d", messages_in_inbox(store),
			 messages_in_outbox(store), messages_early(store, 1, 9),
			 messages_dead_letters(store, (struct dead_letter_filter){.status = -1}),
			 (int)trigger.revision, words);
	return text;
}

/* A store in which function `which` has something to do. */
static struct store *prepare(struct plan *plan, int which)
{
	const struct lock_change lock = {.ns = "default", .step = "s", .item = -1, .key = "a"};
	struct store_item asks = rows_next(1, 3, NULL);
	struct store *store = open_fault(plan);
	struct err err;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(try_messages(store, 1), 0);
	asks.locks = &lock;
	asks.n_locks = 1;
	if (which == 13)
		ck_assert_int_eq(store->ops->commit(store, &asks, 1, &err), 0);
	if (which == 1)
		ck_assert_int_eq(write_messages(store, 0), 0);
	if (which == 5)
		ck_assert_int_eq(write_messages(store, 4), 0);
	if (which == 7)
		ck_assert_int_eq(write_messages(store, 6), 0);
	return store;
}

START_TEST(test_fault__each_function_of_messages_can_fail_and_be_repeated)
{
	static const enum store_fault faults[] = {STORE_FAULT_BEFORE, STORE_FAULT_UNKNOWN_DROPPED,
											  STORE_FAULT_UNKNOWN_LANDED, STORE_FAULT_UNKNOWN_LATE};
	CLEANUP(free_p) char *before = NULL, *after = NULL;
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = prepare(&plan, _i);
	struct err err;

	before = xstrdup(all_messages(store));
	ck_assert_int_eq(write_messages(store, _i), 0);
	after = xstrdup(all_messages(store));
	ck_assert_str_ne(before, after);
	store->ops->close(store);
	for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
		bool lands = f >= 2;

		store = prepare(&plan, _i);
		plan.next = faults[f];
		ck_assert_int_eq(write_messages(store, _i), f == 0 ? ERR_UNAVAILABLE : ERR_UNKNOWN);
		ck_assert_int_eq(store->ops->settle(store, &err), 0);
		ck_assert_str_eq(all_messages(store), lands ? after : before);
		ck_assert_int_eq(write_messages(store, _i), 0);
		ck_assert_str_eq(all_messages(store), after);
		store->ops->close(store);
	}
}
END_TEST

START_TEST(test_idempotency_store__finds_what_the_commit_wrote)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct store_reader *reader;
	struct idempotency *port;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	rows_put_create(store, 1);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	port = idempotency_store_new(reader);
	ck_assert_int_eq(port->ops->find(port, "default", "order", rows_key(1), id, fingerprint, &err),
					 0);
	ck_assert_str_eq(id, rows_id(1));
	ck_assert_str_eq(fingerprint, rows_fingerprint(1));
	/* Remembering changes nothing: the table is the authority. */
	ck_assert_int_eq(port->ops->remember(port, "default", "order", rows_key(2), rows_id(2),
										 rows_fingerprint(2), &err),
					 0);
	ck_assert_int_eq(port->ops->find(port, "default", "order", rows_key(2), id, fingerprint, &err),
					 ERR_NOT_FOUND);
	port->ops->close(port);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_fault");
	TCase *tcase = tcase_create("store_fault");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_fault__before_has_no_effect);
	tcase_add_test(tcase, test_fault__unknown_may_have_dropped_or_landed);
	tcase_add_test(tcase, test_fault__late_lands_when_it_is_settled);
	tcase_add_test(tcase, test_fault__late_lands_before_what_is_committed_unsettled);
	tcase_add_test(tcase, test_fault__late_may_never_land);
	tcase_add_test(tcase, test_fault__a_read_fails);
	tcase_add_test(tcase, test_fault__messages_land_late_with_their_commit);
	tcase_add_test(tcase, test_fault__what_runs_long_lands_late_with_its_commit);
	tcase_add_loop_test(tcase, test_fault__each_function_of_messages_can_fail_and_be_repeated, 0,
						WRITERS);
	tcase_add_test(tcase, test_idempotency_store__finds_what_the_commit_wrote);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
