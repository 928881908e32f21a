/*
 * A turn that is one of many: slots are gained, lost and given up while commits, loads, lists and
 * replies are under way.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/log.h"
#include "sagas/json_text.h"
#include "tests/support/world.h"

enum { ANSWERS_MAX = 16 };

static const int all[] = {0, 1, 2, 3};

/* What a caller was told. */
struct told {
	char id[SAGA_ID_SIZE];
	int result;
	bool ended;
	enum saga_status status;
};

static struct world world;
static struct saga_def *def;
static struct told told[ANSWERS_MAX];
static int n_told, n_sent;

static void sent(void *ctx, struct world_call *call)
{
	(void)ctx;
	(void)call;
	n_sent++;
}

static void answered(void *ctx, struct engine_call *call, bool lost)
{
	(void)ctx;
	if (!lost) {
		ck_assert_int_lt(n_told, ANSWERS_MAX);
		told[n_told] =
			(struct told){.result = call->result, .ended = call->ended, .status = call->status};
		memcpy(told[n_told++].id, call->id, SAGA_ID_SIZE);
	}
	engine_call_free(call);
}

static void loaded(void *ctx, const char *saga_id)
{
	(void)ctx;
	(void)saga_id;
}

static uint64_t random_number(void *ctx)
{
	(void)ctx;
	return 4;
}

static void setup(void)
{
	static const struct world_hooks hooks = {
		.sent = sent, .answered = answered, .loaded = loaded, .random = random_number};
	static const char two[] =
		"{\"saga\": \"two\", \"participants\": {\"p\": {\"timeout\": \"5s\"}}, \"steps\": ["
		"{\"id\": \"a\", \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": \"/a\"}},"
		"{\"id\": \"b\", \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": \"/b\"}}]}";
	json_t *doc = NULL;
	struct err err;

	log_setup(LOG_OFF, false);
	n_told = n_sent = 0;
	world_init(&world, &hooks, 1700000000000);
	ck_assert_int_eq(json_parse(two, sizeof(two) - 1, &doc, &err), 0);
	def = world_deploy(&world, doc);
	json_decref(doc);
	world.many_nodes = true;
	world_boot(&world);
}

static void teardown(void)
{
	world_release(&world);
}

static void turn(void)
{
	world_turn(&world, 1000);
}

/* Until nothing is under way but calls. */
static void settle(void)
{
	turn();
	while (world.batch || world.reads.n > 0 || world.mailbox.n > 0) {
		if (world.batch)
			world_write(&world);
		while (world.reads.n > 0)
			world_read(&world, 0);
		turn();
	}
}

/* In slot random % 4. */
static void start(uint64_t random, int64_t wait_ms, char id[SAGA_ID_SIZE])
{
	struct engine_call *call = world_start_call(&world, def, NULL, json_object(), random);

	call->wait_ms = wait_ms;
	memcpy(id, call->id, SAGA_ID_SIZE);
	world_post(&world, POST_CALL, call);
}

static void reply(void)
{
	ck_assert_ptr_nonnull(world.calls);
	world_call_end(&world, world.calls, CALL_ANSWERED, 200, json_object(), -1);
}

static int64_t in_memory(void)
{
	return turn_stats(world.turn)->sagas_in_memory;
}

static int count_row(void *ctx, const struct history_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int stored_rows(const char *id)
{
	struct err err;
	int n = 0;

	ck_assert_int_eq(world.inner->ops->history(world.truth, id, 0, 100, count_row, &n, &err), 0);
	return n;
}

static enum saga_status stored_status(const char *id, wall_ms *ret_due_at)
{
	struct saga_row row = {0};
	enum saga_status status;
	struct err err;

	ck_assert_int_eq(world.inner->ops->saga_get(world.truth, WORLD_NS, id, &row, &err), 0);
	status = row.status;
	if (ret_due_at)
		*ret_due_at = row.due_at;
	saga_row_release(&row);
	return status;
}

static void finish(const char *id)
{
	for (settle(); world.calls; settle())
		reply();
	ck_assert_int_eq(stored_status(id, NULL), SAGA_COMPLETED);
}

/* Gaining. */

START_TEST(test_turn_slots__owns_nothing_until_it_is_told)
{
	char id[SAGA_ID_SIZE];

	settle();
	ck_assert(!turn_recovered(world.turn));
	start(1, 0, id);
	settle();
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(told[0].result, ERR_FENCED);
	turn_slots_gained(world.turn, NULL, 0);
	settle();
	ck_assert(turn_recovered(world.turn)); /* a node without slots is ready, too */
	turn_slots_gained(world.turn, all + 1, 1);
	settle();
	start(1, 0, id);
	start(2, 0, id);
	settle();
	ck_assert_int_eq(told[1].result == 0, told[2].result == ERR_FENCED);
	ck_assert_int_eq(told[1].result + told[2].result, ERR_FENCED);
	ck_assert_int_eq(turn_slots_owned(world.turn), 1);
}
END_TEST

START_TEST(test_turn_slots__loads_what_is_awake_in_what_it_gains)
{
	char first[SAGA_ID_SIZE], second[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(1, 0, first);
	start(2, 0, second);
	settle();
	ck_assert_int_eq(n_sent, 2);
	world_crash(&world);
	n_sent = 0;
	world_boot(&world);
	turn_slots_gained(world.turn, all + 2, 1);
	settle();
	ck_assert_int_eq(in_memory(), 1);
	ck_assert_int_eq(n_sent, 1);
	turn_slots_gained(world.turn, all, 4); /* what it has already is not loaded twice */
	settle();
	ck_assert_int_eq(in_memory(), 2);
	ck_assert_int_eq(n_sent, 2);
	/* Replies to the process that died are heard by nobody. */
	reply();
	reply();
	finish(first);
	finish(second);
}
END_TEST

START_TEST(test_turn_slots__lists_what_comes_while_a_list_is_out)
{
	char id[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(2, 0, id);
	settle();
	world_crash(&world);
	world_boot(&world);
	turn_slots_gained(world.turn, all, 1);
	turn();
	ck_assert_uint_eq(world.reads.n, 1);
	turn_slots_gained(world.turn, all + 1, 3);
	settle();
	ck_assert_int_eq(in_memory(), 1);
}
END_TEST

/* Losing. */

START_TEST(test_turn_slots__drops_what_it_loses_in_every_phase)
{
	char idle[SAGA_ID_SIZE], open[SAGA_ID_SIZE], out[SAGA_ID_SIZE], other[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(1, 60000, idle);
	settle(); /* its first call is out, its caller waits for the end */
	start(5, 0, out);
	turn();
	ck_assert_ptr_nonnull(world.batch);
	start(9, 0, open);
	start(2, 0, other);
	turn(); /* these are in the open batch */
	world_post(&world, POST_CALL,
			   world_act_call(ACT_CANCEL, "0198c0de-7a31-7001-8000-000000000001", "x"));
	turn(); /* this is being loaded */
	ck_assert_int_eq(in_memory(), 5);
	turn_slots_lost(world.turn, all + 1, 1);
	ck_assert_int_eq(in_memory(), 1);
	ck_assert_int_eq(n_told, 4);
	for (int i = 0; i < n_told; i++) {
		bool waits = strcmp(told[i].id, idle) == 0,
			 midway = strcmp(told[i].id, out) == 0 || strcmp(told[i].id, open) == 0;

		ck_assert(!told[i].ended);
		ck_assert_int_eq(told[i].result, waits ? 0 : midway ? ERR_UNAVAILABLE : ERR_FENCED);
	}
	n_sent = 0;
	settle(); /* the late load, and the batch of a slot that is another's */
	ck_assert_int_eq(stored_rows(other), 1);
	ck_assert_int_eq(stored_rows(open), 0); /* it was not handed over */
	ck_assert_int_eq(n_sent, 1);
	ck_assert_int_eq(in_memory(), 1);
	reply(); /* to idle, which is not here any more */
	settle();
	ck_assert_int_eq(turn_stats(world.turn)->late_replies, 1);
	ck_assert_int_eq(stored_rows(idle), 1);
	finish(other);
	ck_assert(turn_is_quiet(world.turn));
}
END_TEST

START_TEST(test_turn_slots__believes_no_load_from_before_it_lost_the_slot)
{
	char id[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(1, 0, id);
	settle();
	world_crash(&world);
	world_boot(&world);
	turn_slots_gained(world.turn, all, 4);
	turn();
	world_read(&world, 0);
	turn();
	ck_assert_uint_eq(world.reads.n, 1);
	world_read(&world, 0); /* loaded, and not delivered yet */
	turn_slots_lost(world.turn, all, 4);
	turn_slots_gained(world.turn, all, 4);
	n_sent = 0;
	turn();
	ck_assert_int_eq(n_sent, 0);
	settle();
	ck_assert_int_eq(n_sent, 1);
	while (world.calls->orphan)
		world_call_free(&world, world.calls);
	finish(id);
}
END_TEST

START_TEST(test_turn_slots__does_not_take_a_list_for_known_when_slots_came_back)
{
	char id[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	turn();
	world_read(&world, 0); /* an empty list is on its way */
	turn_slots_lost(world.turn, all, 4);
	/* Meanwhile another node starts a saga. */
	{
		struct world_hooks hooks = world.hooks;
		struct turn *kept = world.turn;
		struct world_posts mailbox = world.mailbox;

		world.hooks = hooks;
		world.turn = NULL;
		world.mailbox = (struct world_posts){0};
		world_boot(&world);
		turn_slots_gained(world.turn, all, 4);
		settle();
		start(3, 0, id);
		settle();
		turn_free(world.turn);
		free(world.mailbox.list);
		world.turn = kept;
		world.mailbox = mailbox;
	}
	n_sent = 0;
	turn_slots_gained(world.turn, all, 4);
	settle();
	ck_assert_int_eq(n_sent, 1);
}
END_TEST

START_TEST(test_turn_slots__leaves_a_refused_slot_to_its_owner)
{
	char id[SAGA_ID_SIZE], other[SAGA_ID_SIZE];
	struct batch *batch;

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(1, 0, id);
	start(2, 0, other);
	turn();
	batch = world.batch;
	ck_assert_uint_eq(batch->n, 2);
	world.batch = NULL;
	for (size_t i = 0; i < batch->n; i++)
		batch->items[i].verdict = batch->items[i].slot == 1 ? STORE_FENCED : STORE_ACCEPTED;
	world_post(&world, POST_COMMITTED, batch);
	turn();
	ck_assert_int_eq(world.n_fenced, 1);
	ck_assert(!turn_owns_slot(world.turn, 1));
	ck_assert_int_eq(in_memory(), 1);
	ck_assert_int_eq(n_told, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(told[i].result, strcmp(told[i].id, id) == 0 ? ERR_FENCED : 0);
	turn_slots_gained(world.turn, all + 1, 1);
	settle();
	ck_assert(turn_owns_slot(world.turn, 1));
}
END_TEST

/* Giving up. */

START_TEST(test_turn_slots__gives_up_when_all_is_committed)
{
	char id[SAGA_ID_SIZE], idle[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(5, 0, idle);
	settle();
	start(1, 60000, id);
	turn();
	n_sent = 0;
	turn_slots_release(world.turn, all, 2);
	ck_assert_int_eq(world.n_released, 1); /* nothing was in slot 0 */
	ck_assert_int_eq(world.released[0], 0);
	start(1, 0, idle);
	turn();
	ck_assert_int_eq(told[n_told - 1].result, ERR_FENCED);
	settle();
	ck_assert_int_eq(world.n_released, 2);
	ck_assert_int_eq(world.released[1], 1);
	ck_assert_int_eq(n_sent, 0); /* that is its next owner's */
	ck_assert_str_eq(told[n_told - 1].id, id);
	ck_assert_int_eq(told[n_told - 1].result, 0);
	ck_assert(!told[n_told - 1].ended);
	ck_assert_int_eq(stored_rows(id), 1);
	ck_assert_int_eq(in_memory(), 0);
	ck_assert_int_eq(turn_slots_owned(world.turn), 2);
	turn_slots_gained(world.turn, all, 2);
	settle();
	ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(test_turn_slots__can_lose_what_it_is_giving_up)
{
	char id[SAGA_ID_SIZE];

	turn_slots_gained(world.turn, all, 4);
	settle();
	start(1, 0, id);
	turn();
	turn_slots_release(world.turn, all + 1, 1);
	ck_assert_int_eq(world.n_released, 0);
	turn_slots_lost(world.turn, all + 1, 1);
	ck_assert_int_eq(told[0].result, ERR_UNAVAILABLE);
	settle();
	ck_assert_int_eq(world.n_released, 0);
	ck_assert_int_eq(in_memory(), 0);
	ck_assert(turn_is_quiet(world.turn));
}
END_TEST

/* Creations by others. */

/* As a node that does not own the slot writes it. */
static void create_only(char id[SAGA_ID_SIZE])
{
	CLEANUP(saga_state_free_p) struct saga_state *state = NULL;
	CLEANUP(jval_unref_p) struct jval *value = jval_from_json(json_object());
	struct input in = {.type = INPUT_START, .ns = WORLD_NS, .value = value, .create_only = true};
	struct decision decision;
	struct saga_row row = {.ns = WORLD_NS, .definition = "two", .version = def->version};
	struct store_item item = {.slot = 2, .seq = 1, .at = world.now, .create = &row};
	struct buf events;
	struct err err;

	saga_id_make(world.now, 2, (const unsigned char *)"12345678", id);
	state = saga_state_new(def, id);
	decision_init(&decision);
	ck_assert_int_eq(saga_decide(state, &in, world.now, &decision, &err), 0);
	ck_assert_uint_eq(decision.n_events, 1);
	ck_assert_uint_eq(decision.n_commands, 0);
	buf_init(&events, 0);
	buf_add_char(&events, '[');
	event_write(&decision.events[0], def, &events);
	buf_add_char(&events, ']');
	decision_release(&decision);
	memcpy(item.saga_id, id, SAGA_ID_SIZE);
	memcpy(row.id, id, SAGA_ID_SIZE);
	row.slot = 2;
	row.status = state->status;
	row.started_at = row.updated_at = row.due_at = world.now;
	item.events = buf_str(&events);
	item.events_len = events.len;
	ck_assert_int_eq(world.inner->ops->commit(world.inner, &item, 1, &err), 0);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	buf_release(&events);
}

START_TEST(test_turn_slots__adopts_what_another_node_created)
{
	char id[SAGA_ID_SIZE];
	wall_ms due_at;

	turn_slots_gained(world.turn, all, 4);
	settle();
	create_only(id);
	settle();
	ck_assert_int_eq(n_sent, 0);
	world.now += 1000; /* the regular poll */
	settle();
	ck_assert_int_eq(n_sent, 1);
	ck_assert_int_eq(stored_rows(id), 2);
	stored_status(id, &due_at);
	ck_assert_int_eq(due_at, 0);
	finish(id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn_slots");
	TCase *tc = tcase_create("turn_slots");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_turn_slots__owns_nothing_until_it_is_told);
	tcase_add_test(tc, test_turn_slots__loads_what_is_awake_in_what_it_gains);
	tcase_add_test(tc, test_turn_slots__lists_what_comes_while_a_list_is_out);
	tcase_add_test(tc, test_turn_slots__drops_what_it_loses_in_every_phase);
	tcase_add_test(tc, test_turn_slots__believes_no_load_from_before_it_lost_the_slot);
	tcase_add_test(tc, test_turn_slots__does_not_take_a_list_for_known_when_slots_came_back);
	tcase_add_test(tc, test_turn_slots__leaves_a_refused_slot_to_its_owner);
	tcase_add_test(tc, test_turn_slots__gives_up_when_all_is_committed);
	tcase_add_test(tc, test_turn_slots__can_lose_what_it_is_giving_up);
	tcase_add_test(tc, test_turn_slots__adopts_what_another_node_created);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
