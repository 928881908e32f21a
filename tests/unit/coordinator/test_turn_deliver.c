/*
 * Deliveries to a turn: replies and events that are offered directly, over failed commits, lost
 * slots, drains and stops. Whoever offers one gets it back once, and only when it may.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/log.h"
#include "sagas/json_text.h"
#include "tests/support/queues.h"

/* Replies. */

START_TEST(test_deliver__is_done_when_the_reply_is_durable)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "{\"ok\":1}"), &told);
	queues_turn();
	ck_assert_int_eq(told.n, 0);
	world_write(&q.world);
	ck_assert_int_eq(told.n, 0);
	queues_settle();
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, 0);
	ck_assert(!told.has_value);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_stats()->replies_delivered, 1);
	ck_assert_int_eq(queues_stats()->commands_published, 1);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
}
END_TEST

START_TEST(test_deliver__takes_a_reply_that_is_faster_than_its_publishing)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_settle();
	ck_assert_int_eq(told.result, 0);
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	queues_published();
	queues_settle();
	ck_assert_int_eq(queues_stats()->late_replies, 0);
	ck_assert(turn_is_quiet(q.world.turn));
}
END_TEST

/* What is due as the saga is loaded goes before, and nobody has replayed that. */
START_TEST(test_migrate__is_refused_when_the_saga_goes_on_as_it_is_loaded)
{
	CLEANUP(json_decref_p) json_t *other = json_deep_copy(q.defs[Q_HOLD_LATE]->doc);
	struct saga_row row = {0};
	struct engine_call *call;
	char id[SAGA_ID_SIZE];
	struct act act;
	struct err err;

	json_array_append_new(json_object_get(other, "steps"),
						  json_pack("{s:s, s:i}", "id", "last", "set", 1));
	world_deploy(&q.world, other);
	queues_start(Q_HOLD_LATE, NULL, id);
	queues_settle();
	world_crash(&q.world);
	q.world.now += 2 * Q_MINUTE;
	world_boot(&q.world);
	act_init(&act, ACT_MIGRATE);
	act.by = xstrdup("ann");
	act.version = 2;
	act.replayed = true;
	call = engine_call_for_act(WORLD_NS, id, &act);
	call->if_match = 1;
	world_post(&q.world, POST_CALL, call);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_ACT_TAKEN), 0);
	ck_assert_int_eq(queues_count(id, EV_ESCALATED), 1);
	ck_assert_int_eq(queues_rows(id), 2);
	ck_assert_int_eq(q.world.inner->ops->saga_get(q.world.truth, WORLD_NS, id, &row, &err), 0);
	ck_assert_int_eq(row.version, 1);
	saga_row_release(&row);
}
END_TEST

START_TEST(test_deliver__is_kept_over_a_commit_that_failed)
{
	static const enum store_fault faults[] = {STORE_FAULT_BEFORE, STORE_FAULT_UNKNOWN_DROPPED,
											  STORE_FAULT_UNKNOWN_LANDED, STORE_FAULT_UNKNOWN_LATE};
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_turn();
	q.fault = faults[_i];
	world_write(&q.world);
	queues_turn();
	ck_assert_int_eq(told.n, 0);
	queues_pass(1000);
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 0);
}
END_TEST

START_TEST(test_deliver__is_kept_while_the_saga_cannot_be_loaded)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	world_crash(&q.world);
	world_boot(&q.world);
	q.reads_fail = true;
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_pass(100);
	ck_assert_int_eq(told.n, 0);
	q.reads_fail = false;
	queues_pass(1000);
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_deliver__offers_again_what_the_store_stays_away_from)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "{\"a\":1}"), &told);
	q.always_fault = STORE_FAULT_BEFORE;
	for (int i = 0; i < 20 && told.n == 0; i++)
		queues_pass(10000);
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, ERR_UNAVAILABLE);
	ck_assert(told.has_value);
	ck_assert_uint_eq(told.value_refs, 1);
	ck_assert_str_eq(told.value, "{\"a\":1}");
}
END_TEST

START_TEST(test_deliver__records_a_late_reply_of_a_saga_that_has_ended)
{
	struct told told[2];
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_settle();
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
	queues_deliver(queues_reply(id, "hold", "2"), &told[1]);
	queues_turn();
	ck_assert_int_eq(told[1].n, 0);
	queues_settle();
	ck_assert_int_eq(told[1].n, 1);
	ck_assert_int_eq(told[1].result, 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 1);
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
}
END_TEST

START_TEST(test_deliver__takes_two_replies_of_one_action_into_one_row)
{
	struct told told[2];
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_deliver(queues_reply(id, "hold", "1"), &told[1]);
	queues_settle();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(told[i].n, 1);
		ck_assert_int_eq(told[i].result, 0);
	}
	ck_assert_int_eq(queues_rows(id), 2);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 1);
}
END_TEST

START_TEST(test_deliver__says_that_a_saga_is_not_there)
{
	struct told told[3];
	char id[SAGA_ID_SIZE];
	struct delivery *other;

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	id[35] = id[35] == '0' ? '1' : '0';
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_deliver(queues_reply("no id at all", "hold", "1"), &told[1]);
	id[35] = q.ids[0][35];
	other = queues_reply(id, "hold", "1");
	snprintf(other->ns, sizeof(other->ns), "another");
	queues_deliver(other, &told[2]);
	queues_settle();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(told[i].n, 1);
		ck_assert_int_eq(told[i].result, ERR_NOT_FOUND);
		ck_assert(!told[i].has_value);
	}
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 1);
}
END_TEST

START_TEST(test_deliver__has_no_use_for_what_names_no_action)
{
	static const struct {
		const char *step;
		int item, place;
		enum delivery_kind kind;
	} wrong[] = {
		{"nosuch", -1, 0, DELIVERY_REPLY}, {"hold", 0, 0, DELIVERY_REPLY},
		{"hold", 7, 0, DELIVERY_REPLY},    {"later", -1, 0, DELIVERY_REPLY},
		{"", -1, 0, DELIVERY_REPLY},       {"", -1, 0, DELIVERY_EVENT},
		{"", -1, 9, DELIVERY_EVENT},       {"hold", -1, 0, DELIVERY_EVENT},
		{"nosuch", -1, 0, DELIVERY_EVENT},
	};
	struct told told[ARRAY_SIZE(wrong)];
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD_THEN, NULL, id);
	queues_settle();
	queues_published();
	queues_settle();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct delivery *delivery =
			wrong[i].kind == DELIVERY_REPLY
				? queues_reply(id, wrong[i].step, "1")
				: queues_event(id, wrong[i].step, "default/t/0/1", "{\"data\":{}}");

		delivery->item = wrong[i].item;
		delivery->place = wrong[i].place;
		queues_deliver(delivery, &told[i]);
	}
	queues_settle();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_int_eq(told[i].n, 1);
		ck_assert_int_eq(told[i].result, 0);
	}
	ck_assert_int_eq(queues_rows(id), 1);
	ck_assert_int_eq(queues_stats()->deliveries_useless, ARRAY_SIZE(wrong));
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_settle();
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
}
END_TEST

START_TEST(test_deliver__takes_a_bounded_number_for_one_saga)
{
	enum { MANY = 300 };
	static struct told told[MANY];
	char id[SAGA_ID_SIZE];
	int refused = 0;

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	for (int i = 0; i < MANY; i++)
		queues_deliver(queues_reply(id, "hold", "1"), &told[i]);
	queues_settle();
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(told[i].n, 1);
		refused += told[i].result == ERR_UNAVAILABLE;
		ck_assert(told[i].result == 0 || told[i].result == ERR_UNAVAILABLE);
	}
	ck_assert_int_eq(refused, MANY - 256);
}
END_TEST

START_TEST(test_deliver__is_refused_where_the_saga_is_parked)
{
	struct told told[2];
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	world_crash(&q.world);
	q.definitions_gone = true;
	queues_hide_definitions(true);
	world_boot(&q.world);
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_settle();
	ck_assert_int_eq(queues_stats()->sagas_parked, 1);
	ck_assert_int_eq(told[0].result, ERR_FENCED);
	queues_deliver(queues_reply(id, "hold", "1"), &told[1]);
	queues_settle();
	ck_assert_int_eq(told[1].result, ERR_FENCED);
	ck_assert(told[1].has_value);
	queues_hide_definitions(false);
}
END_TEST

/* Draining and stopping. */

START_TEST(test_deliver__is_refused_while_the_server_drains)
{
	struct told told[3];
	char id[SAGA_ID_SIZE], other[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_start(Q_HOLD, NULL, other);
	queues_settle();
	queues_published();
	queues_published();
	queues_settle();
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_turn(); /* under way to its commit */
	turn_drain(q.world.turn);
	queues_deliver(queues_reply(other, "hold", "{\"x\":2}"), &told[1]);
	queues_settle();
	ck_assert_int_eq(told[0].n, 1);
	ck_assert_int_eq(told[0].result, 0);
	ck_assert_int_eq(told[1].n, 1);
	ck_assert_int_eq(told[1].result, ERR_UNAVAILABLE);
	ck_assert_str_eq(told[1].value, "{\"x\":2}");
	ck_assert(turn_is_quiet(q.world.turn));
}
END_TEST

START_TEST(test_deliver__does_not_wait_for_a_load_while_it_drains)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	world_crash(&q.world);
	world_boot(&q.world);
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_turn(); /* it is being loaded */
	ck_assert_int_eq(told.n, 0);
	turn_drain(q.world.turn);
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, ERR_UNAVAILABLE);
	queues_settle();
	ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(test_deliver__is_given_back_by_a_stop)
{
	struct told told[3];
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_turn(); /* in the batch that is out */
	queues_deliver(queues_reply(id, "hold", "2"), &told[1]);
	queues_turn(); /* behind it */
	world_crash(&q.world);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(told[i].n, 1);
		ck_assert_int_eq(told[i].result, ERR_UNAVAILABLE);
		ck_assert_uint_eq(told[i].value_refs, 1);
	}
	world_boot(&q.world);
	queues_settle();
}
END_TEST

/* Slots. */

START_TEST(test_deliver__sends_on_what_is_of_another_slot)
{
	static const int half[] = {0, 1};
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_many(half, 2);
	queues_id(2, id);
	queues_deliver(queues_reply(id, "hold", "{\"a\":[1.10,2]}"), &told);
	queues_settle();
	ck_assert_int_eq(told.n, 1);
	ck_assert_int_eq(told.result, ERR_FENCED);
	ck_assert_str_eq(told.value, "{\"a\":[1.10,2]}");
	ck_assert_int_eq(queues_stats()->sagas_in_memory, 0);
}
END_TEST

START_TEST(test_deliver__gives_back_what_a_lost_slot_had)
{
	static const int all[] = {0, 1, 2, 3};
	struct told told[2];
	char id[SAGA_ID_SIZE];

	queues_many(all, 4);
	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "{\"a\":1}"), &told[0]);
	queues_turn(); /* with the writer */
	ck_assert_ptr_nonnull(q.world.batch);
	queues_deliver(queues_reply(id, "hold", "{\"b\":2}"), &told[1]);
	queues_turn(); /* behind it */
	turn_slots_lost(q.world.turn, all, 4);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(told[i].n, 1);
		ck_assert_int_eq(told[i].result, ERR_FENCED);
		ck_assert_uint_eq(told[i].value_refs, 1);
	}
	ck_assert_str_eq(told[0].value, "{\"a\":1}");
	queues_settle(); /* the commit lands all the same */
	turn_slots_gained(q.world.turn, all, 4);
	queues_settle();
	queues_deliver(queues_reply(id, "hold", "{\"a\":1}"), &told[0]);
	queues_settle();
	ck_assert_int_eq(told[0].result, 0);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_count(id, EV_STEP_COMPLETED), 1);
	ck_assert_int_eq(queues_count(id, EV_REPLY_IGNORED), 1);
}
END_TEST

START_TEST(test_deliver__ends_the_commit_of_a_slot_that_is_given_up)
{
	static const int all[] = {0, 1, 2, 3};
	struct told told[2];
	char id[SAGA_ID_SIZE];

	queues_many(all, 4);
	queues_start(Q_HOLD, NULL, id);
	queues_settle();
	queues_published();
	queues_deliver(queues_reply(id, "hold", "1"), &told[0]);
	queues_turn();
	turn_slots_release(q.world.turn, all, 4);
	queues_deliver(queues_reply(id, "hold", "2"), &told[1]);
	queues_settle();
	ck_assert_int_eq(told[0].result, 0);
	ck_assert_int_eq(told[1].n, 1);
	ck_assert_int_eq(told[1].result, ERR_FENCED);
	ck_assert_int_eq(q.world.n_released, 4);
}
END_TEST

/* What leaves with a transition. */

START_TEST(test_deliver__publishes_in_the_commit_of_its_row)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	queues_start(Q_HOLD_EMIT, NULL, id);
	queues_settle();
	queues_published();
	ck_assert_int_eq(queues_outbox(id, NULL), 0);
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_turn();
	q.fault = STORE_FAULT_BEFORE;
	world_write(&q.world);
	queues_turn();
	ck_assert_int_eq(queues_outbox(id, NULL), 0);
	ck_assert_uint_eq(q.world.n_outbox, 0);
	queues_pass(1000);
	ck_assert_int_eq(queues_status(id), SAGA_COMPLETED);
	ck_assert_int_eq(queues_outbox(id, "Told"), 1);
	ck_assert_uint_eq(q.world.n_outbox, 1);
	ck_assert_int_eq(queues_stats()->outbox_rows, 1);
}
END_TEST

START_TEST(test_deliver__tells_of_the_life_of_a_saga_only_when_it_is_wanted)
{
	struct told told;
	char id[SAGA_ID_SIZE];

	if (_i)
		queues_lifecycle("skald.events");
	queues_start(Q_HOLD_EMIT, NULL, id);
	queues_settle();
	ck_assert_int_eq(queues_outbox(id, "skald.saga.started"), _i);
	queues_published();
	queues_deliver(queues_reply(id, "hold", "1"), &told);
	queues_settle();
	ck_assert_int_eq(queues_outbox(id, "skald.step.completed"), _i ? 2 : 0);
	ck_assert_int_eq(queues_outbox(id, "skald.saga.completed"), _i);
	ck_assert_int_eq(queues_outbox(id, "Told"), 1);
	ck_assert(queues_outbox_ids_differ(id));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn_deliver");
	TCase *tcase = tcase_create("turn_deliver");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, queues_setup, queues_teardown);
	tcase_add_test(tcase, test_deliver__is_done_when_the_reply_is_durable);
	tcase_add_test(tcase, test_deliver__takes_a_reply_that_is_faster_than_its_publishing);
	tcase_add_test(tcase, test_migrate__is_refused_when_the_saga_goes_on_as_it_is_loaded);
	tcase_add_loop_test(tcase, test_deliver__is_kept_over_a_commit_that_failed, 0, 4);
	tcase_add_test(tcase, test_deliver__is_kept_while_the_saga_cannot_be_loaded);
	tcase_add_test(tcase, test_deliver__offers_again_what_the_store_stays_away_from);
	tcase_add_test(tcase, test_deliver__records_a_late_reply_of_a_saga_that_has_ended);
	tcase_add_test(tcase, test_deliver__takes_two_replies_of_one_action_into_one_row);
	tcase_add_test(tcase, test_deliver__says_that_a_saga_is_not_there);
	tcase_add_test(tcase, test_deliver__has_no_use_for_what_names_no_action);
	tcase_add_test(tcase, test_deliver__takes_a_bounded_number_for_one_saga);
	tcase_add_test(tcase, test_deliver__is_refused_where_the_saga_is_parked);
	tcase_add_test(tcase, test_deliver__is_refused_while_the_server_drains);
	tcase_add_test(tcase, test_deliver__does_not_wait_for_a_load_while_it_drains);
	tcase_add_test(tcase, test_deliver__is_given_back_by_a_stop);
	tcase_add_test(tcase, test_deliver__sends_on_what_is_of_another_slot);
	tcase_add_test(tcase, test_deliver__gives_back_what_a_lost_slot_had);
	tcase_add_test(tcase, test_deliver__ends_the_commit_of_a_slot_that_is_given_up);
	tcase_add_test(tcase, test_deliver__publishes_in_the_commit_of_its_row);
	tcase_add_loop_test(tcase, test_deliver__tells_of_the_life_of_a_saga_only_when_it_is_wanted, 0,
						2);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
