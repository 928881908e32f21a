/*
 * The inbox of a turn, the watermark, and events that came before anybody waited for them: with
 * reads that come late, crashes in between, and a clock that is moved.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/queues.h"

/* Rows. */

START_TEST(test_inbox__feeds_a_row_and_removes_it_with_the_transition)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	queues_put_reply(id, "hold", "{\"ok\":1}", 1);
	turn_poke(q.world.turn);
	queues_turn();
	ck_assert_uint_eq(q.world.reads.n, 2); /* a list, and a page */
	while (q.world.reads.n > 0)
		world_read(&q.world, 0);
	queues_turn();
	ck_assert_ptr_nonnull(q.world.batch);
	ck_assert_int_eq(queues_inbox_rows(), 1);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_stats()->inbox_rows, 1);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
	ck_assert_ptr_null(q.world.removal);
}
END_TEST

START_TEST(test_inbox__is_read_without_being_poked)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	world_crash(&q.world);
	queues_put_reply(id, "hold", "1", 1);
	world_boot(&q.world);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_inbox_rows(), 0);

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_put_reply(id, "hold", "1", 2);
	queues_pass(Q_MINUTE);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_inbox__keeps_the_row_of_a_commit_that_failed)
{
	static const enum store_fault faults[] = {STORE_FAULT_BEFORE, STORE_FAULT_UNKNOWN_DROPPED,
											  STORE_FAULT_UNKNOWN_LANDED, STORE_FAULT_UNKNOWN_LATE};
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	queues_put_reply(id, "hold", "1", 1);
	turn_poke(q.world.turn);
	queues_turn();
	while (q.world.reads.n > 0)
		world_read(&q.world, 0);
	queues_turn();
	ck_assert_ptr_nonnull(q.world.batch);
	q.fault = faults[_i];
	world_write(&q.world);
	if (_i < 2)
		ck_assert_int_eq(queues_inbox_rows(), 1);
	turn_poke(q.world.turn);
	queues_pass(2000);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 0);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
}
END_TEST

START_TEST(test_inbox__does_not_feed_a_row_twice_that_is_in_memory)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	queues_put_reply(id, "hold", "1", 1);
	for (int i = 0; i < 3; i++) {
		turn_poke(q.world.turn);
		queues_turn();
		while (q.world.reads.n > 0)
			world_read(&q.world, 0);
		queues_turn();
	}
	/* Nor one whose page was read before the commit, and comes after it. */
	turn_poke(q.world.turn);
	queues_turn();
	while (q.world.reads.n > 0)
		world_read(&q.world, 0);
	world_write(&q.world);
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_uint_eq(q.world.mailbox.n, 3);
	{
		struct world_post first = q.world.mailbox.list[0];

		/* The commit is heard of first. */
		q.world.mailbox.list[0] = q.world.mailbox.list[2];
		q.world.mailbox.list[2] = first;
	}
	queues_settle();
	ck_assert_int_eq(queues_stats()->inbox_rows, 1);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 0);
	ck_assert_int_eq(queues_rows(id), 2);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
}
END_TEST

START_TEST(test_inbox__removes_by_a_job_what_is_of_no_use)
{
	char id[SAGA_ID_SIZE], gone[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_id(1, gone);
	queues_put_reply(id, "nosuch", "1", 1);
	queues_put_reply(gone, "hold", "1", 2);
	queues_put_message(id, "{\"kind\":\"nobody knows\"}", 3);
	queues_put_message(id, "{\"kind\":\"event\",\"step\":\"hold\"}", 4);
	ck_assert_int_eq(queues_inbox_rows(), 4);
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_int_eq(queues_rows(id), 1);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
}
END_TEST

START_TEST(test_inbox__tries_again_to_remove_what_is_of_no_use)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_put_reply(id, "nosuch", "1", 1);
	q.fault = STORE_FAULT_BEFORE;
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 1);
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
}
END_TEST

START_TEST(test_inbox__is_read_in_pages)
{
	enum { MANY = 1300 };
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	for (int i = 0; i < MANY; i++)
		queues_put_reply(id, "nosuch", "1", i);
	queues_put_reply(id, "hold", "1", MANY);
	turn_poke(q.world.turn);
	queues_pass(30 * 1000); /* no more than 256 wait for one saga at a time */
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_inbox_rows(), 0);
	ck_assert_int_eq(queues_stats()->inbox_rows, MANY + 1);
}
END_TEST

START_TEST(test_inbox__leaves_the_rows_of_other_slots_alone)
{
	static const int half[] = {0, 1}, other[] = {2, 3};
	char id[4][SAGA_ID_SIZE];

	for (int i = 0; i < 4; i++)
		queues_start(Q_HOLD, NULL, id[i]);
	queues_settle();
	queues_many(half, 2);
	for (int i = 0; i < 4; i++)
		queues_put_reply(id[i], "hold", "1", i);
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 2);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(queues_status(id[i]), i < 2 ? SAGA_COMPLETED : SAGA_RUNNING);
	turn_slots_gained(q.world.turn, other, 2);
	queues_settle();
	ck_assert_int_eq(queues_inbox_rows(), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(queues_status(id[i]), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_inbox__leaves_a_row_where_its_slot_is_lost)
{
	static const int all[] = {0, 1, 2, 3};
	char id[SAGA_ID_SIZE];

	queues_many(all, 4);
	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	queues_put_reply(id, "hold", "1", 1);
	turn_poke(q.world.turn);
	queues_turn();
	while (q.world.reads.n > 0)
		world_read(&q.world, 0);
	queues_turn();
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 1);
	turn_slots_lost(q.world.turn, all, 4);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
	batch_free(q.world.batch); /* it never lands */
	q.world.batch = NULL;
	turn_free(q.world.turn);
	q.world.turn = NULL;
	ck_assert_int_eq(queues_inbox_rows(), 1);
	world_boot(&q.world);
	turn_begin(q.world.turn, q.world.now);
	turn_slots_gained(q.world.turn, all, 4);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_inbox_rows(), 0);
}
END_TEST

START_TEST(test_inbox__is_read_again_after_an_error)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_put_reply(id, "hold", "1", 1);
	q.reads_fail = true;
	turn_poke(q.world.turn);
	queues_settle();
	q.reads_fail = false;
	queues_pass(1000);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

/* The watermark: what arrived wins over what ran out. */

START_TEST(test_watermark__holds_a_time_out_until_the_queues_are_read)
{
	char id[SAGA_ID_SIZE];
	wall_ms began = q.world.now;

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_pass(Q_HOUR); /* the pass fails when the turn spins */
	ck_assert_int_eq(queues_rows(id), 1);
	ck_assert_int_eq(queues_stats()->timers_held, 1);
	turn_queues_read(q.world.turn, began + 9000); /* it is due at 10 s */
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_ATTEMPT_FAILED), 0);
	turn_queues_read(q.world.turn, began + 10000);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_ATTEMPT_FAILED), 1);
	ck_assert_int_eq(queues_stats()->queues_read_until, began + 10000);
}
END_TEST

START_TEST(test_watermark__lets_a_reply_in_the_inbox_win)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_pass(11 * 1000);
	queues_put_reply(id, "hold", "1", 1);
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_ATTEMPT_FAILED), 0);
}
END_TEST

/* Puts it on its way, and stops before it is read. */
static void begin_to_read(void)
{
	turn_poke(q.world.turn);
	queues_turn();
	ck_assert_uint_gt(q.world.reads.n, 0);
}

START_TEST(test_watermark__is_not_proved_by_a_reading_that_began_before)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_pass(11 * 1000);
	begin_to_read();
	while (q.world.reads.n > 0)
		world_read(&q.world, 0); /* it has seen nothing */
	queues_put_reply(id, "hold", "1", 1);
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_ATTEMPT_FAILED), 0);
}
END_TEST

START_TEST(test_watermark__is_not_proved_by_a_reading_that_failed)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_pass(11 * 1000);
	queues_put_reply(id, "hold", "1", 1);
	q.reads_fail = true;
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_eq(queues_stats()->queues_read_until, 0);
	ck_assert_int_eq(queues_count(id, EV_STEP_ATTEMPT_FAILED), 0);
	q.reads_fail = false;
	queues_pass(2000);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_watermark__does_not_hold_for_slots_that_are_gained_later)
{
	static const int half[] = {0, 1}, other[] = {2, 3};
	char id[4][SAGA_ID_SIZE];

	for (int i = 0; i < 4; i++)
		queues_start(Q_HOLD, NULL, id[i]);
	queues_settle();
	queues_many(half, 2);
	queues_pass(20 * 1000);
	turn_queues_read(q.world.turn, q.world.now);
	queues_put_reply(id[3], "hold", "1", 1);
	queues_settle();
	turn_slots_gained(q.world.turn, other, 2);
	ck_assert_int_eq(queues_stats()->queues_read_until, 0);
	queues_settle();
	ck_assert_int_eq(queues_status(id[3]), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id[3], EV_STEP_ATTEMPT_FAILED), 0);
}
END_TEST

START_TEST(test_watermark__holds_after_a_start_until_it_is_told)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_settle();
	queues_pass(5 * Q_MINUTE);
	world_crash(&q.world);
	q.world.now += 4 * Q_HOUR; /* past the time-out */
	world_boot(&q.world);
	queues_pass(Q_MINUTE);
	ck_assert_int_eq(queues_status(id), SAGA_WAITING);
	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 0);
}
END_TEST

START_TEST(test_watermark__lets_other_times_of_the_saga_pass)
{
	struct world_call *call;
	char id[SAGA_ID_SIZE];
	int tries = 0;

	queues_start(Q_PAID_BESIDE, "o-1", id);
	queues_settle();
	q.world.now += 3 * Q_HOUR; /* the await has timed out, and nobody has read the queues */
	for (; tries < 5; tries++) {
		call = q.world.calls;
		ck_assert_ptr_nonnull(call);
		world_call_end(&q.world, call, CALL_ANSWERED, 503, NULL, -1);
		queues_pass(1000);
	}
	ck_assert_ptr_nonnull(q.world.calls);
	world_call_end(&q.world, q.world.calls, CALL_ANSWERED, 200, json_object(), -1);
	queues_pass(Q_MINUTE);
	ck_assert_int_eq(queues_stats()->timers_held, 1);
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 0);
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 1);
}
END_TEST

START_TEST(test_watermark__reads_the_inbox_only_when_a_time_out_waits)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	for (int i = 1; i < 5; i++) {
		turn_queues_read(q.world.turn, q.world.now + i);
		queues_turn();
		ck_assert_uint_eq(q.world.reads.n, 0);
	}
	ck_assert_int_eq(queues_stats()->queues_read_until, 0);
}
END_TEST

/* Early events. */

START_TEST(test_early__finds_an_event_that_was_there_before)
{
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	queues_put_event(Q_PAID, "o-2", "default/payments/0/8");
	queues_start(Q_PAID, "o-1", id);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_stats()->early_events, 1);
	ck_assert_int_eq(queues_stats()->inbox_in_memory, 0);
}
END_TEST

START_TEST(test_early__is_not_looked_for_before_the_commit)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_turn();
	ck_assert_ptr_nonnull(q.world.batch);
	ck_assert_uint_eq(q.world.reads.n, 0);
	world_write(&q.world);
	queues_turn();
	ck_assert_uint_eq(q.world.reads.n, 1);
	queues_put_event(Q_PAID, "o-1", "default/payments/0/7"); /* both see each other */
	queues_settle();
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_inbox_rows(), 0);
}
END_TEST

/* The crash between the commit of a subscription and the look for what came before it. */
START_TEST(test_early__is_found_by_whoever_recovers_the_saga)
{
	static const int all[] = {0, 1, 2, 3};
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	queues_start(Q_PAID, "o-1", id);
	queues_turn();
	world_write(&q.world);
	if (_i > 0)
		queues_turn(); /* the commit was heard of, and the look is out */
	ck_assert_int_eq(queues_due_at(id), 0);
	world_crash(&q.world);
	if (_i > 1) {
		q.world.many_nodes = true;
		world_boot(&q.world);
		turn_begin(q.world.turn, q.world.now);
		turn_slots_gained(q.world.turn, all, 4);
	} else {
		world_boot(&q.world);
	}
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

/* The topics were read up to its time-out, and what was there before was not looked for yet. */
START_TEST(test_early__is_looked_for_before_its_time_runs_out)
{
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	queues_start(Q_PAID, "o-1", id);
	queues_turn();
	world_write(&q.world);
	queues_turn();
	ck_assert_uint_eq(q.world.reads.n, 1);
	q.world.now += 3 * Q_HOUR + Q_MINUTE;
	turn_queues_read(q.world.turn, q.world.now);
	queues_turn();
	while (q.world.reads.n > 1)
		world_read(&q.world, 1);
	queues_turn();
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 0);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

/* … and when nothing was there, its time is over. */
START_TEST(test_early__lets_the_time_run_out_when_there_was_none)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_turn();
	world_write(&q.world);
	queues_turn();
	q.world.now += 3 * Q_HOUR + Q_MINUTE;
	turn_queues_read(q.world.turn, q.world.now);
	queues_turn();
	while (q.world.reads.n > 1)
		world_read(&q.world, 1);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 1);
}
END_TEST

START_TEST(test_early__is_looked_for_again_after_an_error)
{
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	queues_start(Q_PAID, "o-1", id);
	queues_turn();
	world_write(&q.world);
	q.reads_fail = true;
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_WAITING);
	q.reads_fail = false;
	queues_pass(1000);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_early__lets_a_saga_sleep_after_the_look)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_settle();
	ck_assert_int_eq(queues_due_at(id), 0);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 1);
	queues_pass(2 * Q_MINUTE);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
	ck_assert_int_gt(queues_due_at(id), q.world.now + 2 * Q_HOUR);
	ck_assert_int_eq(queues_rows(id), 2); /* a row that says that it sleeps */
	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	ck_assert_int_eq(queues_inbox_rows(), 1);
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_inbox_rows(), 0);
}
END_TEST

START_TEST(test_early__puts_a_recovered_saga_to_sleep_too)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_settle();
	world_crash(&q.world);
	world_boot(&q.world);
	queues_settle();
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 1);
	queues_pass(2 * Q_MINUTE);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
	ck_assert_int_gt(queues_due_at(id), q.world.now);
	world_crash(&q.world);
	world_boot(&q.world);
	queues_pass(3 * Q_HOUR);
	turn_queues_read(q.world.turn, q.world.now);
	queues_settle();
	ck_assert_int_ne(queues_status(id), SAGA_WAITING);
	ck_assert_int_eq(queues_count(id, EV_STEP_FAILED), 1);
}
END_TEST

START_TEST(test_early__does_not_fall_asleep_over_a_commit_that_failed)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_PAID, "o-1", id);
	queues_settle();
	q.always_fault = STORE_FAULT_UNKNOWN_DROPPED;
	queues_pass(Q_MINUTE + 2000);
	q.always_fault = STORE_FAULT_NONE;
	queues_pass(2 * Q_MINUTE);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
	ck_assert_int_eq(queues_rows(id), 2);
	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_early__ends_one_wait_with_one_event_however_often_it_comes)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_PAID, "o-1", "default/payments/0/7");
	queues_start(Q_PAID, "o-1", id);
	queues_deliver(queues_event(id, "paid", "default/payments/0/7",
								"{\"topic\":\"payments\",\"data\":{\"id\":\"o-1\"}}"),
				   &told);
	queues_settle();
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_inbox_rows(), 0);
}
END_TEST

START_TEST(test_early__cancels_by_an_event_that_was_there_before)
{
	char id[SAGA_ID_SIZE];

	queues_put_event(Q_CANCELLED_BY, "o-1", "default/stops/0/1");
	queues_start(Q_CANCELLED_BY, "o-1", id);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPENSATED);
	ck_assert_int_eq(queues_count(id, EV_SAGA_CANCEL_REQUESTED), 1);
}
END_TEST

START_TEST(test_early__cancels_by_an_event_that_comes_while_it_sleeps)
{
	char id[SAGA_ID_SIZE];

	queues_start(Q_CANCELLED_BY, "o-1", id);
	queues_pass(3 * Q_MINUTE);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
	queues_put_event(Q_CANCELLED_BY, "o-1", "default/stops/0/1");
	turn_poke(q.world.turn);
	queues_settle();
	ck_assert_int_eq(queues_status(id), SAGA_COMPENSATED);
	/* It waits for nothing more. */
	queues_put_event(Q_CANCELLED_BY, "o-1", "default/stops/0/2");
	ck_assert_int_eq(queues_inbox_rows(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn_inbox");
	TCase *tcase = tcase_create("turn_inbox");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, queues_setup, queues_teardown);
	tcase_add_test(tcase, test_inbox__feeds_a_row_and_removes_it_with_the_transition);
	tcase_add_test(tcase, test_inbox__is_read_without_being_poked);
	tcase_add_loop_test(tcase, test_inbox__keeps_the_row_of_a_commit_that_failed, 0, 4);
	tcase_add_test(tcase, test_inbox__does_not_feed_a_row_twice_that_is_in_memory);
	tcase_add_test(tcase, test_inbox__removes_by_a_job_what_is_of_no_use);
	tcase_add_test(tcase, test_inbox__tries_again_to_remove_what_is_of_no_use);
	tcase_add_test(tcase, test_inbox__is_read_in_pages);
	tcase_add_test(tcase, test_inbox__leaves_the_rows_of_other_slots_alone);
	tcase_add_test(tcase, test_inbox__leaves_a_row_where_its_slot_is_lost);
	tcase_add_test(tcase, test_inbox__is_read_again_after_an_error);
	tcase_add_test(tcase, test_watermark__holds_a_time_out_until_the_queues_are_read);
	tcase_add_test(tcase, test_watermark__lets_a_reply_in_the_inbox_win);
	tcase_add_test(tcase, test_watermark__is_not_proved_by_a_reading_that_began_before);
	tcase_add_test(tcase, test_watermark__is_not_proved_by_a_reading_that_failed);
	tcase_add_test(tcase, test_watermark__does_not_hold_for_slots_that_are_gained_later);
	tcase_add_test(tcase, test_watermark__holds_after_a_start_until_it_is_told);
	tcase_add_test(tcase, test_watermark__lets_other_times_of_the_saga_pass);
	tcase_add_test(tcase, test_watermark__reads_the_inbox_only_when_a_time_out_waits);
	tcase_add_test(tcase, test_early__finds_an_event_that_was_there_before);
	tcase_add_test(tcase, test_early__is_not_looked_for_before_the_commit);
	tcase_add_loop_test(tcase, test_early__is_found_by_whoever_recovers_the_saga, 0, 3);
	tcase_add_test(tcase, test_early__is_looked_for_before_its_time_runs_out);
	tcase_add_test(tcase, test_early__lets_the_time_run_out_when_there_was_none);
	tcase_add_test(tcase, test_early__is_looked_for_again_after_an_error);
	tcase_add_test(tcase, test_early__lets_a_saga_sleep_after_the_look);
	tcase_add_test(tcase, test_early__puts_a_recovered_saga_to_sleep_too);
	tcase_add_test(tcase, test_early__does_not_fall_asleep_over_a_commit_that_failed);
	tcase_add_test(tcase, test_early__ends_one_wait_with_one_event_however_often_it_comes);
	tcase_add_test(tcase, test_early__cancels_by_an_event_that_was_there_before);
	tcase_add_test(tcase, test_early__cancels_by_an_event_that_comes_while_it_sleeps);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
