/*
 * The engine's turn, driven by hand: the store is a real one in memory, whose commits fail when a
 * test says so; participants, callers and the clock are the test's.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/store_sqlite.h"
#include "coordinator/log.h"
#include "coordinator/turn.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

enum { MAX_CALLS = 64, MAX_ANSWERS = 64, MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const char two_steps[] =
	"{\"saga\": \"two\", \"participants\": {\"p\": {\"timeout\": \"5s\"}}, \"steps\": ["
	"{\"id\": \"a\", \"http\": {\"to\": \"p\", \"method\": \"POST\", \"path\": \"/a\"},"
	" \"compensate\": {\"http\": {\"to\": \"p\", \"method\": \"DELETE\", \"path\": \"/a\"}}},"
	"{\"id\": \"b\", \"http\": {\"to\": \"p\", \"method\": \"POST\", \"path\": \"/b\"},"
	" \"compensate\": {\"http\": {\"to\": \"p\", \"method\": \"DELETE\", \"path\": \"/b\"}}}]}";

static const char side_by_side[] =
	"{\"saga\": \"beside\", \"participants\": {\"p\": {\"timeout\": \"5s\"}}, \"steps\": ["
	"{\"id\": \"a\", \"needs\": [], \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": "
	"\"/a\"}},"
	"{\"id\": \"b\", \"needs\": [], \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": "
	"\"/b\"}}]}";

static const char sleepy[] =
	"{\"saga\": \"sleepy\", \"participants\": {\"p\": {\"timeout\": \"5s\"}}, \"steps\": ["
	"{\"id\": \"nap\", \"await\": {\"after\": \"1h\"}},"
	"{\"id\": \"b\", \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": \"/b\"}}]}";

struct out_call {
	char saga_id[SAGA_ID_SIZE];
	int step, item;
	enum call_kind kind;
	int64_t attempt;
	int run;
};

/* What a caller was told. */
struct told {
	bool answered;
	int result;
	bool duplicate, ended;
	char id[SAGA_ID_SIZE], existing_id[SAGA_ID_SIZE];
	enum saga_status status;
	int64_t seq;
	bool has_json;
	char effect[300]; /* of an act */
};

enum commit_mode { COMMITS, FAILS, UNKNOWN_DROPPED, UNKNOWN_LANDED };

static struct {
	struct store *store;
	struct store_reader *reader;
	struct turn *turn;
	struct saga_def *def;
	wall_ms now;
	struct out_call calls[MAX_CALLS]; /* sent, and not yet answered by reply() */
	int n_calls, n_sent;
	struct loaded_saga *loads[MAX_CALLS];
	int n_loads;
	struct saga_list *list;
	bool reads_fail;
	unsigned char next_id;
	size_t memory_max;
} w;

/* Ports. */

static void port_call(void *ctx, const char *saga_id, const struct command *command)
{
	struct out_call *call = &w.calls[w.n_calls++];

	(void)ctx;
	ck_assert_int_le(w.n_calls, MAX_CALLS);
	memcpy(call->saga_id, saga_id, SAGA_ID_SIZE);
	call->step = command->step;
	call->item = command->item;
	call->kind = command->kind;
	call->attempt = command->attempt;
	call->run = command->run;
	w.n_sent++;
}

static void port_load(void *ctx, struct loaded_saga *loaded)
{
	(void)ctx;
	w.loads[w.n_loads++] = loaded;
}

static void port_list(void *ctx, struct saga_list *list)
{
	(void)ctx;
	ck_assert_ptr_null(w.list);
	w.list = list;
}

static void port_answer(void *ctx, struct engine_call *call)
{
	struct told *told = call->ctx;

	(void)ctx;
	ck_assert(!told->answered);
	told->answered = true;
	told->result = call->result;
	told->duplicate = call->duplicate;
	told->ended = call->ended;
	told->status = call->status;
	told->seq = call->seq;
	told->has_json = call->saga_json != NULL;
	memcpy(told->existing_id, call->existing_id, sizeof(told->existing_id));
	if (call->act == ENGINE_ACT && call->result == 0) {
		struct buf text;

		buf_init(&text, 0);
		act_effect_write(&call->effect, &text);
		snprintf(told->effect, sizeof(told->effect), "%s", buf_str(&text));
		buf_release(&text);
	}
	engine_call_free(call);
}

static uint64_t port_random(void *ctx)
{
	(void)ctx;
	return 4;
}

static const struct turn_ports ports = {
	.call = port_call,
	.load = port_load,
	.list = port_list,
	.answer = port_answer,
	.random = port_random,
};

static int find_definition(void *ctx, const char *ns, const char *name, int64_t version,
						   struct saga_def **ret_def, struct err *err)
{
	(void)ctx;
	(void)ns;
	(void)version;
	if (strcmp(name, w.def->name) != 0)
		return err_set(err, ERR_NOT_FOUND, "no definition %s", name);
	*ret_def = saga_def_ref(w.def);
	return 0;
}

/* The world around the turn. */

static void new_turn(void)
{
	struct turn_options options = {.ports = &ports, .slot_count = 16};

	options.memory_sagas_max = w.memory_max;
	w.turn = turn_new(&options);
	turn_begin(w.turn, w.now);
}

static void use_definition(const char *text)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct findings findings = {0};
	struct err err;

	saga_def_unref(w.def);
	w.def = NULL;
	ck_assert_int_eq(json_parse(text, strlen(text), &doc, &err), 0);
	if (saga_def_load(doc, NULL, &w.def, &findings) < 0)
		ck_abort_msg("%s: %s", findings.list[0].pointer, findings.list[0].text);
	findings_release(&findings);
	w.def->version = 1;
}

static void setup(void)
{
	struct store_sqlite_options options = {.path = ":memory:", .no_sync = true};
	struct err err;

	memset(&w, 0, sizeof(w));
	log_setup(LOG_OFF, false);
	w.now = 1700000000000;
	ck_assert_int_eq(store_sqlite_open(&options, &w.store, &err), 0);
	ck_assert_int_eq(w.store->ops->reader_open(w.store, &w.reader, &err), 0);
	use_definition(two_steps);
	new_turn();
}

static void teardown(void)
{
	turn_free(w.turn);
	for (int i = 0; i < w.n_loads; i++)
		loaded_saga_free(w.loads[i]);
	saga_list_free(w.list);
	w.store->ops->reader_close(w.reader);
	w.store->ops->close(w.store);
	saga_def_unref(w.def);
}

/* Answers what was asked of the reader. */
static void read_all(void)
{
	while (w.n_loads > 0) {
		struct loaded_saga *loaded = w.loads[--w.n_loads];

		if (w.reads_fail)
			loaded->result = err_set(&loaded->err, ERR_IO, "no disk");
		else
			load_saga(w.reader, find_definition, NULL, loaded);
		turn_loaded(w.turn, loaded);
	}
	if (w.list) {
		load_list(w.reader, w.list);
		turn_listed(w.turn, TAKE(w.list));
	}
}

static void run(void)
{
	turn_begin(w.turn, w.now);
	turn_run(w.turn, true);
	while (w.n_loads > 0 || w.list) {
		read_all();
		turn_run(w.turn, true);
	}
}

static void pass(int64_t ms)
{
	w.now += ms;
	run();
}

/* What the writer does with a batch. */
static void write_batch(struct batch *batch, enum commit_mode mode)
{
	if (mode == COMMITS || mode == UNKNOWN_LANDED) {
		batch->result = w.store->ops->commit(w.store, batch->items, batch->n, &batch->err);
		ck_assert_int_eq(batch->result, 0);
	}
	if (mode == FAILS)
		batch->result = err_set(&batch->err, ERR_UNAVAILABLE, "disk full");
	if (mode == UNKNOWN_DROPPED || mode == UNKNOWN_LANDED)
		batch->result = err_set(&batch->err, ERR_UNKNOWN, "who knows");
	turn_committed(w.turn, batch);
}

/* Runs, writes one batch if there is one, and returns how many sagas were in it. */
static size_t commit_as(enum commit_mode mode)
{
	struct batch *batch;
	size_t n;

	run();
	batch = turn_take_batch(w.turn);
	if (!batch)
		return 0;
	n = batch->n;
	write_batch(batch, mode);
	run();
	return n;
}

static void commit_all(void)
{
	while (commit_as(COMMITS) > 0)
		;
}

static struct engine_call *new_call(enum engine_act act, const char *id, struct told *told)
{
	struct engine_call *call = xcalloc(1, sizeof(*call));

	memset(told, 0, sizeof(*told));
	call->act = act;
	call->ns = xstrdup("default");
	call->if_match = -1;
	call->ctx = told;
	if (id)
		memcpy(call->id, id, SAGA_ID_SIZE);
	return call;
}

static struct engine_call *new_start(struct told *told, const char *key, int64_t wait_ms)
{
	struct engine_call *call = new_call(ENGINE_START, NULL, told);
	unsigned char random[8] = {0, 0, 0, 0, 0, 0, 0, ++w.next_id};

	saga_id_make(w.now, saga_slot("default", w.def->name, key ? key : "", 16), random, call->id);
	memcpy(told->id, call->id, SAGA_ID_SIZE);
	call->def = saga_def_ref(w.def);
	call->key = key ? xstrdup(key) : NULL;
	if (key)
		memset(call->fingerprint, 'f', sizeof(call->fingerprint) - 1);
	call->input = jval_from_json(json_object());
	call->wait_ms = wait_ms;
	return call;
}

static void start_keyed(struct told *told, const char *key, int64_t wait_ms)
{
	turn_call(w.turn, new_start(told, key, wait_ms));
}

static void start_child(struct told *told, const struct told *parent)
{
	struct engine_call *call = new_start(told, NULL, 0);

	call->parent = xasprintf("default/%s/c/do", parent->id);
	call->depth = 1;
	turn_call(w.turn, call);
}

static void start(struct told *told)
{
	start_keyed(told, NULL, 0);
}

static struct engine_call *new_act(enum act_kind kind, const char *id, struct told *told)
{
	struct engine_call *call = new_call(ENGINE_ACT, id, told);

	call->doing = xcalloc(1, sizeof(*call->doing));
	act_init(call->doing, kind);
	return call;
}

static void act_on(enum act_kind kind, const char *id, struct told *told)
{
	turn_call(w.turn, new_act(kind, id, told));
}

static void wait_for(const char *id, int64_t wait_ms, struct told *told)
{
	struct engine_call *call = new_call(ENGINE_WAIT, id, told);

	call->wait_ms = wait_ms;
	turn_call(w.turn, call);
}

/* Answers the oldest call that is out. */
static void reply(int http_status)
{
	struct call_reply *answer = xcalloc(1, sizeof(*answer));
	struct out_call call = w.calls[0];

	ck_assert_int_gt(w.n_calls, 0);
	memmove(w.calls, w.calls + 1, (size_t)--w.n_calls * sizeof(w.calls[0]));
	memcpy(answer->saga_id, call.saga_id, SAGA_ID_SIZE);
	answer->step = call.step;
	answer->item = call.item;
	answer->kind = call.kind;
	answer->attempt = call.attempt;
	answer->run = call.run;
	answer->result = CALL_ANSWERED;
	answer->http_status = http_status;
	answer->retry_after_ms = -1;
	answer->body = jval_from_json(json_pack("{s:s}", "id", "x-1"));
	turn_reply(w.turn, answer);
}

static void finish(void)
{
	for (commit_all(); w.n_calls > 0; commit_all())
		reply(200);
}

static void restart(void)
{
	turn_free(w.turn);
	w.n_calls = 0;
	new_turn();
	turn_recover(w.turn);
	run();
}

/* What the store says of a saga. */
static enum saga_status stored_status(const char *id, wall_ms *ret_due_at)
{
	struct saga_row row = {0};
	enum saga_status status;
	struct err err;

	ck_assert_int_eq(w.store->ops->saga_get(w.reader, "default", id, &row, &err), 0);
	status = row.status;
	if (ret_due_at)
		*ret_due_at = row.due_at;
	saga_row_release(&row);
	return status;
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

	ck_assert_int_eq(w.store->ops->history(w.reader, id, 0, 1000, count_row, &n, &err), 0);
	return n;
}

static int64_t in_memory(void)
{
	return turn_stats(w.turn)->sagas_in_memory;
}

/* The way forward. */

START_TEST(test_turn__sends_and_answers_only_after_the_commit)
{
	struct told told;
	struct batch *batch;

	start(&told);
	run();
	ck_assert(!told.answered);
	ck_assert_int_eq(w.n_calls, 0);
	batch = turn_take_batch(w.turn);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert(!told.answered);
	write_batch(batch, COMMITS);
	ck_assert(told.answered);
	ck_assert_int_eq(told.result, 0);
	ck_assert_int_eq(told.seq, 1);
	ck_assert(told.has_json);
	ck_assert_int_eq(w.n_calls, 1);
	finish();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
	ck_assert_int_eq(stored_rows(told.id), 3);
	ck_assert_int_eq(in_memory(), 0);
	ck_assert_int_eq(turn_stats(w.turn)->sagas_completed, 1);
	ck_assert(turn_is_quiet(w.turn));
}
END_TEST

START_TEST(test_turn__groups_what_comes_while_the_writer_is_busy)
{
	struct told told[10];
	struct batch *batch;

	start(&told[0]);
	run();
	batch = turn_take_batch(w.turn);
	for (int i = 1; i < 10; i++)
		start(&told[i]);
	run();
	ck_assert_ptr_null(turn_take_batch(w.turn));
	write_batch(batch, COMMITS);
	run();
	batch = turn_take_batch(w.turn);
	ck_assert_uint_eq(batch->n, 9);
	write_batch(batch, COMMITS);
	for (int i = 0; i < 10; i++)
		ck_assert(told[i].answered);
	finish();
	ck_assert_int_eq(turn_stats(w.turn)->sagas_completed, 10);
}
END_TEST

START_TEST(test_turn__folds_what_waits_into_one_row)
{
	struct told told;
	struct batch *batch;

	use_definition(side_by_side);
	start(&told);
	commit_all();
	ck_assert_int_eq(w.n_calls, 2);
	reply(200);
	run();
	batch = turn_take_batch(w.turn);
	reply(200); /* while its first reply is being written */
	run();
	ck_assert_ptr_null(turn_take_batch(w.turn));
	write_batch(batch, COMMITS);
	ck_assert_uint_eq(commit_as(COMMITS), 1);
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);

	start(&told);
	commit_all();
	reply(200);
	reply(200);
	ck_assert_uint_eq(commit_as(COMMITS), 1);
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
	ck_assert_int_eq(stored_rows(told.id), 2);
}
END_TEST

START_TEST(test_turn__undoes_a_declined_saga)
{
	struct told told;

	start(&told);
	commit_all();
	reply(200);
	commit_all();
	reply(422);
	finish();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPENSATED);
	ck_assert_int_eq(turn_stats(w.turn)->compensations_done, 1);
}
END_TEST

/* Commits that do not succeed. */

START_TEST(test_turn__does_a_failed_commit_again)
{
	struct told told;

	start_keyed(&told, "k", 0);
	commit_as(FAILS);
	ck_assert(!turn_store_answers(w.turn));
	ck_assert(!told.answered);
	ck_assert_int_eq(w.n_calls, 0);
	pass(100);
	commit_all();
	ck_assert(told.answered);
	ck_assert_int_eq(told.result, 0);
	ck_assert(!told.duplicate);
	reply(200);
	commit_as(FAILS);
	ck_assert_int_eq(w.n_calls, 0);
	pass(100);
	finish();
	ck_assert(turn_store_answers(w.turn));
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
	ck_assert_int_eq(stored_rows(told.id), 3);
}
END_TEST

START_TEST(test_turn__finds_a_start_that_has_landed_as_the_same_saga)
{
	struct told told;

	start_keyed(&told, "k", 0);
	commit_as(UNKNOWN_LANDED);
	ck_assert(!told.answered);
	pass(100);
	ck_assert(told.answered);
	ck_assert_int_eq(told.result, 0);
	ck_assert(!told.duplicate);
	ck_assert_int_eq(w.n_calls, 1);
	finish();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
	ck_assert_int_eq(stored_rows(told.id), 3);
}
END_TEST

START_TEST(test_turn__makes_a_start_that_was_dropped_again)
{
	struct told told;

	start_keyed(&told, "k", 0);
	commit_as(UNKNOWN_DROPPED);
	pass(100);
	ck_assert(!told.answered);
	finish();
	ck_assert(told.answered);
	ck_assert_int_eq(told.result, 0);
	ck_assert_int_eq(stored_rows(told.id), 3);
}
END_TEST

START_TEST(test_turn__does_not_consume_a_landed_reply_twice)
{
	struct told told;

	start(&told);
	commit_all();
	reply(200);
	commit_as(UNKNOWN_LANDED);
	pass(100);
	ck_assert_int_eq(w.n_calls, 1); /* the second step, and not the first again */
	ck_assert_int_eq(w.calls[0].step, 1);
	finish();
	ck_assert_int_eq(stored_rows(told.id), 3);
}
END_TEST

START_TEST(test_turn__does_not_send_again_what_is_still_out)
{
	struct told told;

	use_definition(side_by_side);
	start(&told);
	commit_all();
	ck_assert_int_eq(w.n_calls, 2);
	reply(200);
	commit_as(FAILS);
	pass(100);
	commit_all();
	ck_assert_int_eq(w.n_calls, 1);
	ck_assert_int_eq(w.n_sent, 2);
	reply(200);
	commit_all();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_turn__answers_an_act_that_has_landed)
{
	struct told told, cancel;

	start(&told);
	commit_all();
	act_on(ACT_CANCEL, told.id, &cancel);
	commit_as(UNKNOWN_LANDED);
	ck_assert(!cancel.answered);
	pass(100);
	ck_assert(cancel.answered);
	ck_assert_int_eq(cancel.result, 0);
	ck_assert_int_eq(cancel.seq, 2);
}
END_TEST

START_TEST(test_turn__gives_up_on_callers_when_the_store_stays_away)
{
	struct told told, refused;

	start(&told);
	for (int i = 0; i < 10 && !told.answered; i++) {
		commit_as(FAILS);
		if (i == 1) {
			start(&refused);
			ck_assert(refused.answered);
			ck_assert_int_eq(refused.result, ERR_UNAVAILABLE);
		}
		pass(5000);
	}
	ck_assert(told.answered);
	ck_assert_int_eq(told.result, ERR_UNAVAILABLE);
	pass(5000);
	ck_assert_int_eq(in_memory(), 0);
	/* Nobody is left who would find out that the store is back: a start may try again. */
	ck_assert(!turn_store_answers(w.turn));
	w.now = turn_next_at(w.turn);
	ck_assert_int_gt(w.now, 0);
	run();
	ck_assert(turn_store_answers(w.turn));
	start(&told);
	commit_all();
	ck_assert_int_eq(told.result, 0);
}
END_TEST

START_TEST(test_turn__loses_no_reply_while_the_store_cannot_be_read)
{
	struct told told;

	start(&told);
	commit_all();
	reply(200);
	w.reads_fail = true;
	commit_as(FAILS);
	for (int i = 0; i < 20; i++)
		pass(5000);
	w.reads_fail = false;
	pass(5000);
	commit_all();
	ck_assert_int_eq(w.n_calls, 1);
	ck_assert_int_eq(w.calls[0].step, 1);
	finish();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_turn__answers_a_duplicate_with_the_saga_that_has_the_key)
{
	struct told first, second;

	start_keyed(&first, "k", 0);
	start_keyed(&second, "k", 0);
	ck_assert_uint_eq(commit_as(COMMITS), 2);
	ck_assert(first.answered && !first.duplicate);
	ck_assert(second.answered && second.duplicate);
	ck_assert_str_eq(second.existing_id, first.id);
	ck_assert_int_eq(w.n_calls, 1);
	ck_assert_int_eq(in_memory(), 1);
}
END_TEST

START_TEST(test_turn__parks_what_cannot_be_stored_and_harms_nobody)
{
	struct told bad, good, act;
	struct batch *batch;
	struct err err;

	start(&bad);
	start(&good);
	run();
	batch = turn_take_batch(w.turn);
	ck_assert_uint_eq(batch->n, 2);
	ck_assert_int_eq(w.store->ops->commit(w.store, batch->items + 1, 1, &err), 0);
	batch->items[0].verdict = STORE_UNSTORABLE;
	batch->result = 0;
	turn_committed(w.turn, batch);
	ck_assert(bad.answered && good.answered);
	ck_assert_int_lt(bad.result, 0);
	ck_assert_int_eq(good.result, 0);
	ck_assert_int_eq(turn_stats(w.turn)->sagas_parked, 1);
	act_on(ACT_CANCEL, bad.id, &act);
	ck_assert_int_eq(act.result, ERR_CONFLICT);
	finish();
	ck_assert_int_eq(stored_status(good.id, NULL), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_turn__parks_what_cannot_be_folded)
{
	struct told told;

	start(&told);
	commit_all();
	use_definition(sleepy); /* the old one is not known any more */
	restart();
	ck_assert(turn_recovered(w.turn));
	ck_assert_int_eq(turn_stats(w.turn)->sagas_parked, 1);
	start(&told);
	commit_all();
	ck_assert_int_eq(told.result, 0);
}
END_TEST

/* Sleeping, waking, restarting. */

START_TEST(test_turn__lets_a_saga_sleep_and_wakes_it_in_time)
{
	struct told told;
	wall_ms due_at, started = w.now;

	use_definition(sleepy);
	turn_recover(w.turn);
	start(&told);
	ck_assert_uint_eq(commit_as(COMMITS), 1);
	ck_assert_int_eq(in_memory(), 0);
	stored_status(told.id, &due_at);
	ck_assert_int_eq(due_at, started + HOUR);
	while (w.now < started + HOUR - 1) {
		ck_assert_int_eq(w.n_calls, 0);
		pass(15000 < started + HOUR - 1 - w.now ? 15000 : started + HOUR - 1 - w.now);
	}
	ck_assert_int_eq(in_memory(), 1);
	ck_assert_uint_eq(commit_as(COMMITS), 0);
	ck_assert_int_eq(turn_next_at(w.turn), started + HOUR);
	pass(1);
	ck_assert_uint_eq(commit_as(COMMITS), 1);
	stored_status(told.id, &due_at);
	ck_assert_int_eq(due_at, 0);
	ck_assert_int_eq(w.n_calls, 1);
	ck_assert_int_eq(turn_stats(w.turn)->timer_lateness_ms_max, 0);
	finish();
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPLETED);
}
END_TEST

START_TEST(test_turn__loads_a_sleeping_saga_for_an_act)
{
	struct told told, cancel;

	use_definition(sleepy);
	start(&told);
	commit_all();
	ck_assert_int_eq(in_memory(), 0);
	act_on(ACT_CANCEL, told.id, &cancel);
	commit_all();
	ck_assert(cancel.answered);
	ck_assert_int_eq(cancel.result, 0);
	ck_assert_int_eq(stored_status(told.id, NULL), SAGA_COMPENSATED);
	ck_assert_int_eq(in_memory(), 0);
	act_on(ACT_CANCEL, told.id, &cancel);
	commit_all();
	ck_assert_int_eq(cancel.result, ERR_CONFLICT);
	ck_assert_int_eq(in_memory(), 0);
}
END_TEST

START_TEST(test_turn__goes_on_after_a_restart)
{
	struct told told[3];

	for (int i = 0; i < 3; i++)
		start(&told[i]);
	commit_all();
	reply(200);
	commit_all();
	restart();
	ck_assert(turn_recovered(w.turn));
	ck_assert_int_eq(w.n_calls, 3);
	finish();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(stored_status(told[i].id, NULL), SAGA_COMPLETED);
		ck_assert_int_eq(stored_rows(told[i].id), 3);
	}
}
END_TEST

/* Acts and waits. */

START_TEST(test_turn__knows_no_saga_of_another_namespace)
{
	struct engine_call *call;
	struct told told, act;

	start(&told);
	commit_all();
	call = new_act(ACT_TERMINATE, told.id, &act);
	call->ns[0] = 'x';
	turn_call(w.turn, call);
	ck_assert_int_eq(act.result, ERR_NOT_FOUND);
	act_on(ACT_CANCEL, "0198c0de-7a31-7000-8000-000000000001", &act);
	run();
	ck_assert(act.answered);
	ck_assert_int_eq(act.result, ERR_NOT_FOUND);
	ck_assert_int_eq(in_memory(), 1);
}
END_TEST

START_TEST(test_turn__refuses_an_act_on_what_has_moved_on)
{
	struct engine_call *call;
	struct told told, act;

	start(&told);
	commit_all();
	reply(200);
	commit_all();
	call = new_act(ACT_CANCEL, told.id, &act);
	call->if_match = 1;
	turn_call(w.turn, call);
	run();
	ck_assert_int_eq(act.result, ERR_CONFLICT);
	ck_assert_int_eq(act.seq, 2);
	call = new_act(ACT_CANCEL, told.id, &act);
	call->if_match = 2;
	turn_call(w.turn, call);
	commit_all();
	ck_assert_int_eq(act.result, 0);
}
END_TEST

START_TEST(test_turn__says_what_became_durable_with_an_act)
{
	struct engine_call *call;
	struct told told, act;

	start(&told);
	commit_all();
	call = new_act(ACT_PAUSE, told.id, &act);
	call->doing->id = xstrdup("one");
	turn_call(w.turn, call);
	run();
	ck_assert(!act.answered);
	commit_all();
	ck_assert_str_eq(act.effect, "{\"events\":[\"ActTaken\"],\"seq\":2,\"status_before\":"
								 "\"running\",\"status_after\":\"paused\"}");
	/* Told once more, it changes nothing. */
	call = new_act(ACT_PAUSE, told.id, &act);
	call->doing->id = xstrdup("one");
	turn_call(w.turn, call);
	commit_all();
	ck_assert_int_eq(act.result, 0);
	ck_assert_str_eq(act.effect, "{\"events\":[],\"seq\":2,\"status_before\":\"paused\","
								 "\"status_after\":\"paused\"}");
	act_on(ACT_PAUSE, told.id, &act);
	run();
	ck_assert_int_eq(act.result, ERR_CONFLICT);
	ck_assert_int_eq(stored_rows(told.id), 2);
}
END_TEST

START_TEST(test_turn__an_act_is_fed_again_after_a_commit_that_failed)
{
	struct told told, act;

	start(&told);
	commit_all();
	act_on(ACT_CANCEL, told.id, &act);
	run();
	commit_as(FAILS);
	ck_assert(!act.answered);
	pass(60000);
	commit_all();
	ck_assert_int_eq(act.result, 0);
	ck_assert_ptr_nonnull(strstr(act.effect, "\"SagaCancelRequested\""));
	ck_assert_ptr_nonnull(strstr(act.effect, "\"seq\":2,"));
}
END_TEST

START_TEST(test_turn__takes_a_note_and_an_owner_of_a_saga_that_has_ended)
{
	struct engine_call *call;
	struct saga_row row;
	struct told told, act;
	struct err err;

	start(&told);
	commit_all();
	act_on(ACT_TERMINATE, told.id, &act);
	commit_all();
	ck_assert(act.ended);
	call = new_act(ACT_OWNER, told.id, &act);
	call->doing->name = xstrdup("ana");
	turn_call(w.turn, call);
	commit_all();
	ck_assert_int_eq(act.result, 0);
	ck_assert_ptr_nonnull(strstr(act.effect, "\"status_after\":\"terminated\""));
	ck_assert_int_eq(w.store->ops->saga_get(w.reader, "default", told.id, &row, &err), 0);
	ck_assert_str_eq(row.owner, "ana");
	saga_row_release(&row);
	act_on(ACT_CANCEL, told.id, &act);
	commit_all();
	ck_assert_int_eq(act.result, ERR_CONFLICT);
	ck_assert_int_eq(in_memory(), 0);
}
END_TEST

START_TEST(test_turn__answers_who_waits_for_the_end)
{
	struct told told, late;

	start_keyed(&told, "k", 1000);
	commit_all();
	ck_assert(!told.answered);
	wait_for(told.id, 500, &late);
	run();
	pass(499);
	ck_assert(!late.answered);
	pass(1);
	ck_assert(late.answered && !late.ended);
	ck_assert_int_eq(late.result, 0);
	finish();
	ck_assert(told.answered && told.ended && told.has_json);
	ck_assert_int_eq(told.status, SAGA_COMPLETED);
	wait_for(told.id, 500, &late);
	run();
	ck_assert(late.answered && late.ended);
}
END_TEST

START_TEST(test_turn__shows_no_uncommitted_state_when_a_wait_is_over)
{
	struct told told;
	struct batch *batch;

	start_keyed(&told, NULL, 1000);
	commit_all();
	reply(200);
	run();
	batch = turn_take_batch(w.turn);
	pass(1000);
	ck_assert(!told.answered);
	write_batch(batch, COMMITS);
	ck_assert(told.answered);
	ck_assert_int_eq(told.seq, 2);
}
END_TEST

/* The reply to a command may be faster than the word of the broker that it has it. */
START_TEST(test_turn__sends_what_the_next_run_wants_while_the_last_one_is_out)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);
	struct told told;

	use_definition(
		"{\"saga\":\"order\",\"steps\":["
		"{\"id\":\"a\",\"command\":{\"to\":\"p\",\"type\":\"Do\"},\"compensate\":\"none\"},"
		"{\"id\":\"on\",\"continue_as_new\":{\"input\":{}}}]}");
	start(&told);
	commit_all();
	ck_assert_int_eq(w.n_sent, 1);
	snprintf(delivery->ns, sizeof(delivery->ns), "default");
	memcpy(delivery->saga_id, told.id, SAGA_ID_SIZE);
	snprintf(delivery->step, sizeof(delivery->step), "a");
	delivery->call = CALL_DO;
	delivery->done = delivery_free;
	turn_deliver(w.turn, delivery);
	commit_all();
	ck_assert_int_eq(w.n_sent, 2);
}
END_TEST

START_TEST(test_turn__refuses_starts_past_its_memory)
{
	struct told told[4];

	turn_free(w.turn);
	w.memory_max = 3;
	new_turn();
	for (int i = 0; i < 4; i++)
		start(&told[i]);
	ck_assert(told[3].answered);
	ck_assert_int_eq(told[3].result, ERR_LIMIT);
	finish();
	start(&told[3]);
	finish();
	ck_assert_int_eq(told[3].result, 0);
}
END_TEST

/* Its parent may leave the memory only then. */
START_TEST(test_turn__starts_children_past_its_memory)
{
	struct told told[3], child, other;

	turn_free(w.turn);
	w.memory_max = 3;
	new_turn();
	for (int i = 0; i < 3; i++)
		start(&told[i]);
	start_child(&child, &told[0]);
	start(&other);
	ck_assert_int_eq(other.result, ERR_LIMIT);
	finish();
	ck_assert(child.answered);
	ck_assert_int_eq(child.result, 0);
}
END_TEST

START_TEST(test_turn__recovers_more_than_its_memory_holds)
{
	struct told told[8];
	int completed = 0;

	for (int i = 0; i < 8; i++)
		start(&told[i]);
	commit_all();
	w.memory_max = 3;
	restart();
	ck_assert_int_eq(in_memory(), 3);
	for (int i = 0; i < 20; i++) {
		finish();
		pass(MINUTE);
	}
	for (int i = 0; i < 8; i++)
		completed += stored_status(told[i].id, NULL) == SAGA_COMPLETED;
	ck_assert_int_eq(completed, 8);
}
END_TEST

/* Ending. */

START_TEST(test_turn__drains)
{
	struct told waiting, refused;

	start_keyed(&waiting, NULL, 60000);
	commit_all();
	turn_drain(w.turn);
	ck_assert(waiting.answered && !waiting.ended);
	ck_assert(!turn_is_quiet(w.turn));
	start(&refused);
	ck_assert_int_eq(refused.result, ERR_UNAVAILABLE);
	reply(200);
	commit_all();
	ck_assert(turn_is_quiet(w.turn));
	ck_assert_int_eq(w.n_calls, 0); /* the second step is left to the next start */
	restart();
	ck_assert_int_eq(w.n_calls, 1);
	ck_assert_int_eq(w.calls[0].step, 1);
}
END_TEST

START_TEST(test_turn__answers_everybody_when_it_is_freed)
{
	struct told started, waiting, loading;

	start(&started);
	start_keyed(&waiting, NULL, 1000);
	commit_all();
	start(&started);
	run();
	act_on(ACT_CANCEL, "0198c0de-7a31-7000-8000-000000000001", &loading);
	turn_free(w.turn);
	ck_assert(started.answered && waiting.answered && loading.answered);
	ck_assert_int_eq(started.result, ERR_UNAVAILABLE);
	new_turn();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("turn");
	TCase *tc = tcase_create("turn");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_turn__sends_and_answers_only_after_the_commit);
	tcase_add_test(tc, test_turn__groups_what_comes_while_the_writer_is_busy);
	tcase_add_test(tc, test_turn__folds_what_waits_into_one_row);
	tcase_add_test(tc, test_turn__undoes_a_declined_saga);
	tcase_add_test(tc, test_turn__does_a_failed_commit_again);
	tcase_add_test(tc, test_turn__finds_a_start_that_has_landed_as_the_same_saga);
	tcase_add_test(tc, test_turn__makes_a_start_that_was_dropped_again);
	tcase_add_test(tc, test_turn__does_not_consume_a_landed_reply_twice);
	tcase_add_test(tc, test_turn__does_not_send_again_what_is_still_out);
	tcase_add_test(tc, test_turn__answers_an_act_that_has_landed);
	tcase_add_test(tc, test_turn__gives_up_on_callers_when_the_store_stays_away);
	tcase_add_test(tc, test_turn__loses_no_reply_while_the_store_cannot_be_read);
	tcase_add_test(tc, test_turn__answers_a_duplicate_with_the_saga_that_has_the_key);
	tcase_add_test(tc, test_turn__parks_what_cannot_be_stored_and_harms_nobody);
	tcase_add_test(tc, test_turn__parks_what_cannot_be_folded);
	tcase_add_test(tc, test_turn__lets_a_saga_sleep_and_wakes_it_in_time);
	tcase_add_test(tc, test_turn__loads_a_sleeping_saga_for_an_act);
	tcase_add_test(tc, test_turn__goes_on_after_a_restart);
	tcase_add_test(tc, test_turn__knows_no_saga_of_another_namespace);
	tcase_add_test(tc, test_turn__refuses_an_act_on_what_has_moved_on);
	tcase_add_test(tc, test_turn__says_what_became_durable_with_an_act);
	tcase_add_test(tc, test_turn__an_act_is_fed_again_after_a_commit_that_failed);
	tcase_add_test(tc, test_turn__takes_a_note_and_an_owner_of_a_saga_that_has_ended);
	tcase_add_test(tc, test_turn__answers_who_waits_for_the_end);
	tcase_add_test(tc, test_turn__shows_no_uncommitted_state_when_a_wait_is_over);
	tcase_add_test(tc, test_turn__refuses_starts_past_its_memory);
	tcase_add_test(tc, test_turn__sends_what_the_next_run_wants_while_the_last_one_is_out);
	tcase_add_test(tc, test_turn__starts_children_past_its_memory);
	tcase_add_test(tc, test_turn__recovers_more_than_its_memory_holds);
	tcase_add_test(tc, test_turn__drains);
	tcase_add_test(tc, test_turn__answers_everybody_when_it_is_freed);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
