/*
 * The contract of locks: who stands in line for which keys, and who gets them: all keys of a ticket
 * at once or none, first come first served, one holder a key, tokens that only grow.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"
#include "tests/sim/rng.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { MODEL_SAGAS = 8, MODEL_KEYS = 5, MODEL_PLACES = 64, MODEL_ROUNDS = 250 };

struct opened {
	struct store *store;
	struct store_reader *reader;
	const struct store_ops *ops;
	int64_t seq[ROWS_MAX]; /* of each saga's last row */
	int64_t commits;
};

static struct opened *open_kind(int kind)
{
	struct opened *o = xcalloc(1, sizeof(*o));
	struct err err;

	o->store = store_contract__kinds[kind].open();
	o->ops = o->store->ops;
	ck_assert_int_eq(o->ops->reader_open(o->store, &o->reader, &err), 0);
	return o;
}

static void close_kind(struct opened *o)
{
	o->ops->reader_close(o->reader);
	o->ops->close(o->store);
	free(o);
}

/*
 * Commits a transition of saga n with these changes, later than all before, since tickets follow
 * the times of their commits. The saga is begun first if it is not there.
 */
static void change(struct opened *o, int n, const struct lock_change *locks, size_t n_locks,
				   bool release_all)
{
	struct store_item item;
	struct err err = {0};

	if (o->seq[n] == 0)
		ck_assert_int_eq(rows_put_create(o->store, n), STORE_ACCEPTED);
	o->seq[n] = o->seq[n] ? o->seq[n] + 1 : 2;
	item = rows_next(n, o->seq[n], NULL);
	item.at = rows_time(ROWS_MAX) + o->commits++;
	item.locks = locks;
	item.n_locks = n_locks;
	item.release_all_locks = release_all;
	ck_assert_msg(o->ops->commit(o->store, &item, 1, &err) == 0, "%s", err.text);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
}

static struct lock_change ask(const char *step, const char *key)
{
	return (struct lock_change){.ns = "default", .step = step, .item = -1, .key = key};
}

static struct lock_change give_up(const char *step, const char *key)
{
	struct lock_change lock = ask(step, key);

	lock.release = true;
	return lock;
}

/* Saga n asks for up to two keys by step s. */
static void asks(struct opened *o, int n, const char *key, const char *other)
{
	struct lock_change locks[] = {ask("s", key), ask("s", other)};

	change(o, n, locks, other ? 2 : 1, false);
}

static void gives_up(struct opened *o, int n)
{
	struct lock_change lock = give_up("s", NULL);

	change(o, n, &lock, 1, false);
}

/* Grants until there is nothing more to look at. Returns how many slots were told of. */
static int grant(struct opened *o)
{
	bool touched[SLOTS_MAX] = {false};
	struct err err = {0};
	int r, n = 0;

	do
		r = o->ops->locks_grant(o->store, rows_time(100), touched, &err);
	while (r > 0);
	ck_assert_msg(r == 0, "%s", err.text);
	for (int i = 0; i < SLOTS_MAX; i++)
		n += touched[i];
	return n;
}

static int add_place(void *ctx, const struct lock_row *row)
{
	int n = (int)strtol(row->saga_id + 32, NULL, 16);

	ck_assert_int_eq(row->slot, n % ROWS_SLOTS);
	ck_assert_int_eq(row->held, row->held_at != 0);
	ck_assert_int_eq(row->held, row->token != 0);
	buf_printf(ctx, "%d%s", n, strcmp(row->step, "s") == 0 ? "" : row->step);
	if (row->held)
		buf_printf(ctx, ":%lld", (long long)row->token);
	buf_add_char(ctx, ' ');
	return 0;
}

/* "1:3 2 4 ": saga 1 holds the key with token 3, then 2 and 4 wait. */
static void expect_line(struct opened *o, const char *key, const char *expected)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	ck_assert_msg(
		o->ops->locks_list(o->reader, "default", key, NULL, 1000, add_place, &text, &err) == 0,
		"%s", err.text);
	ck_assert_msg(strcmp(buf_str(&text), expected) == 0, "%s: %s, not %s", key, buf_str(&text),
				  expected);
}

static int add_inbox(void *ctx, const struct inbox_row *row)
{
	buf_printf(ctx, "%d %.*s\n", (int)strtol(row->saga_id + 32, NULL, 16), (int)row->message_len,
			   row->message);
	return 0;
}

static void read_inbox(struct opened *o, struct buf *text)
{
	int slots[ROWS_SLOTS];
	struct inbox_page page = {.slots = slots, .n_slots = ROWS_SLOTS, .limit = 1000};
	struct err err = {0};

	for (int i = 0; i < ROWS_SLOTS; i++)
		slots[i] = i;
	ck_assert_msg(o->ops->inbox_list(o->reader, &page, add_inbox, text, &err) == 0, "%s", err.text);
}

START_TEST(test_locks__go_to_who_came_first)
{
	struct opened *o = open_kind(_i);
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	ck_assert_int_eq(grant(o), 0);
	asks(o, 1, "a", NULL);
	asks(o, 2, "a", NULL);
	asks(o, 3, "a", NULL);
	expect_line(o, "a", "1 2 3 ");
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "1:1 2 3 ");
	read_inbox(o, &text);
	ck_assert_str_eq(buf_str(&text),
					 "1 {\"kind\":\"lock\",\"step\":\"s\",\"item\":-1,\"token\":1}\n");
	ck_assert_int_eq(grant(o), 0); /* nothing has changed */
	gives_up(o, 2);                /* who waits may go */
	gives_up(o, 1);
	expect_line(o, "a", "3 ");
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "3:2 ");
	change(o, 3, NULL, 0, true);
	ck_assert_int_eq(grant(o), 0);
	expect_line(o, "a", "");
	asks(o, 2, "a", NULL);
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "2:3 "); /* the token outlives who held it */
	close_kind(o);
}
END_TEST

START_TEST(test_locks__are_granted_all_together_or_not_at_all)
{
	struct opened *o = open_kind(_i);

	asks(o, 1, "a", NULL);
	ck_assert_int_eq(grant(o), 1);
	asks(o, 2, "a", "b");
	asks(o, 3, "b", NULL);
	ck_assert_int_eq(grant(o), 0); /* b is free, but 2 is before 3 and waits for a */
	expect_line(o, "b", "2 3 ");
	gives_up(o, 1);
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "2:2 ");
	expect_line(o, "b", "2:2 3 "); /* one token, past the greatest of its keys */
	gives_up(o, 2);
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "b", "3:3 ");
	expect_line(o, "a", "");
	close_kind(o);
}
END_TEST

START_TEST(test_locks__of_several_steps_are_apart)
{
	struct opened *o = open_kind(_i);
	struct lock_change both[] = {ask("s", "a"), ask("t", "b"), ask("t", "c")};
	struct lock_change drop = give_up("t", "c"), again[] = {give_up("s", NULL), ask("s", "a")};
	struct lock_change vain[] = {ask("u", "d"), give_up("u", NULL)};
	CLEANUP(buf_release) struct buf text;
	struct err err;

	buf_init(&text, 0);
	change(o, 1, both, 3, false);
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "1:1 ");
	expect_line(o, "b", "1t:1 ");
	ck_assert_int_eq(
		o->ops->locks_list(o->reader, NULL, NULL, rows_id(1), 10, add_place, &text, &err), 0);
	ck_assert_uint_eq(text.len, strlen("1:1 1t:1 1t:1 "));
	change(o, 1, &drop, 1, false);
	expect_line(o, "c", "");
	expect_line(o, "b", "1t:1 ");
	asks(o, 2, "a", NULL);
	change(o, 1, again, 2, false); /* it goes to the end of the line */
	expect_line(o, "a", "2 1 ");
	change(o, 1, vain, 2, false);
	expect_line(o, "d", "");
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "a", "2:2 1 ");
	change(o, 1, both, 1, true); /* all are given up before one is asked for */
	expect_line(o, "b", "");
	expect_line(o, "a", "2:2 1 ");
	close_kind(o);
}
END_TEST

START_TEST(test_locks__of_namespaces_are_apart)
{
	struct opened *o = open_kind(_i);
	struct lock_change other = ask("s", "a");

	other.ns = "other";
	asks(o, 1, "a", NULL);
	change(o, 2, &other, 1, false);
	ck_assert_int_eq(grant(o), 2);
	expect_line(o, "a", "1:1 ");
	close_kind(o);
}
END_TEST

START_TEST(test_locks__a_refused_item_asks_for_nothing)
{
	struct opened *o = open_kind(_i);
	struct lock_change lock = ask("s", "a");
	struct store_item item = rows_next(1, 7, NULL);
	struct err err;

	item.locks = &lock;
	item.n_locks = 1;
	ck_assert_int_eq(o->ops->commit(o->store, &item, 1, &err), 0);
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	expect_line(o, "a", "");
	asks(o, 2, "a", NULL);
	item.release_all_locks = true;
	memcpy(item.saga_id, rows_id(2), sizeof(item.saga_id));
	item.slot = 2;
	ck_assert_int_eq(o->ops->commit(o->store, &item, 1, &err), 0);
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	expect_line(o, "a", "2 ");
	close_kind(o);
}
END_TEST

START_TEST(test_locks__tokens_grow_past_what_was_forgotten)
{
	struct opened *o = open_kind(_i);
	struct err err;
	int n;

	for (int i = 0; i < 3; i++) {
		asks(o, 1, "a", NULL);
		ck_assert_int_eq(grant(o), 1);
		gives_up(o, 1);
	}
	asks(o, 2, "b", NULL);
	ck_assert_int_eq(grant(o), 1);
	expect_line(o, "b", "2:1 ");
	ck_assert_int_ge(o->ops->retain(o->store, rows_time(200), 10, &n, &err), 0);
	ck_assert_int_eq(n, 0);
	asks(o, 1, "a", NULL);
	asks(o, 3, "c", NULL);
	gives_up(o, 2);
	asks(o, 4, "b", NULL);
	ck_assert_int_ge(grant(o), 1);
	expect_line(o, "a", "1:4 ");
	expect_line(o, "c", "3:4 "); /* of a key that was never held nobody can tell */
	expect_line(o, "b", "4:4 ");
	close_kind(o);
}
END_TEST

/* The model: places in one line, in the order in which they were taken. */
struct place {
	int saga, key, step;
	int64_t ticket; /* the same for all that were asked for together */
	bool held;
	int64_t token;
};

struct model {
	struct rng rng;
	struct place places[MODEL_PLACES];
	int n;
	int64_t tickets, tokens[MODEL_KEYS], told;
};

static const char *const steps[] = {"s", "t"};
static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4"};

static void model_release(struct model *m, int saga, int step)
{
	int n = 0;

	for (int i = 0; i < m->n; i++)
		if (m->places[i].saga != saga || (step >= 0 && m->places[i].step != step))
			m->places[n++] = m->places[i];
	m->n = n;
}

static bool is_first(const struct model *m, const struct place *place)
{
	for (int i = 0; i < m->n; i++) {
		const struct place *other = &m->places[i];

		if (other->key == place->key && other->ticket != place->ticket &&
			(other->held || other->ticket < place->ticket))
			return false;
	}
	return !place->held;
}

static void model_grant(struct model *m)
{
	for (int64_t ticket = 1; ticket <= m->tickets; ticket++) {
		bool all = true, any = false;
		int64_t token = 0;

		for (int i = 0; i < m->n; i++) {
			if (m->places[i].ticket != ticket)
				continue;
			any = true;
			all &= is_first(m, &m->places[i]);
			if (m->tokens[m->places[i].key] > token)
				token = m->tokens[m->places[i].key];
		}
		if (!any || !all)
			continue;
		m->told++;
		for (int i = 0; i < m->n; i++) {
			if (m->places[i].ticket != ticket)
				continue;
			m->places[i].held = true;
			m->places[i].token = m->tokens[m->places[i].key] = token + 1;
		}
	}
}

static void expect_model(struct opened *o, const struct model *m)
{
	for (int key = 0; key < MODEL_KEYS; key++) {
		CLEANUP(buf_release) struct buf text;

		buf_init(&text, 0);
		for (int waits = 0; waits < 2; waits++)
			for (int i = 0; i < m->n; i++) {
				const struct place *place = &m->places[i];

				if (place->key != key || place->held == waits)
					continue;
				buf_printf(&text, "%d%s", place->saga, place->step ? "t" : "");
				if (place->held)
					buf_printf(&text, ":%lld", (long long)place->token);
				buf_add_char(&text, ' ');
			}
		expect_line(o, keys[key], buf_str(&text));
	}
}

/* A saga asks by a step that stands in no line for one to three keys. */
static size_t model_ask(struct model *m, int saga, int step, struct lock_change *locks)
{
	int first = (int)rng_below(&m->rng, MODEL_KEYS), n = 1 + (int)rng_below(&m->rng, 3);

	m->tickets++;
	for (int i = 0; i < n; i++) {
		locks[i] = ask(steps[step], keys[(first + i) % MODEL_KEYS]);
		m->places[m->n++] = (struct place){
			.saga = saga, .key = (first + i) % MODEL_KEYS, .step = step, .ticket = m->tickets};
	}
	return (size_t)n;
}

static bool stands(const struct model *m, int saga, int step)
{
	for (int i = 0; i < m->n; i++)
		if (m->places[i].saga == saga && m->places[i].step == step)
			return true;
	return false;
}

START_TEST(test_locks__are_as_in_a_model)
{
	struct opened *o = open_kind(_i);
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	CLEANUP(buf_release) struct buf text;
	struct model m = {0};
	int64_t told = 0;

	fprintf(stderr, "%s: SEED=%llu\n", store_contract__kinds[_i].name, (unsigned long long)seed);
	rng_init(&m.rng, seed, 0);
	buf_init(&text, 0);
	for (int round = 0; round < MODEL_ROUNDS; round++) {
		int saga = 1 + round % MODEL_SAGAS, step = (int)rng_below(&m.rng, 2);
		int what = (int)rng_below(&m.rng, 8);
		struct lock_change locks[8];
		size_t n = 0;

		if (what == 0)
			model_release(&m, saga, -1);
		if (what > 0 && stands(&m, saga, step) && rng_below(&m.rng, 3)) {
			locks[n++] = give_up(steps[step], NULL);
			model_release(&m, saga, step);
		}
		if (what % 2 == 0 && !stands(&m, saga, step))
			n += model_ask(&m, saga, step, locks + n);
		change(o, saga, locks, n, what == 0);
		if (rng_below(&m.rng, 3) == 0) {
			grant(o);
			model_grant(&m);
		}
		expect_model(o, &m);
	}
	read_inbox(o, &text);
	for (const char *line = buf_str(&text); (line = strchr(line, '\n')); line++)
		told++;
	ck_assert_int_eq(told, m.told);
	close_kind(o);
}
END_TEST

/* Several nodes grant at once, while commits ask and give up. */
struct granter {
	struct store *store;
	atomic_bool *stop;
	int failures;
};

static void *grant_on(void *arg)
{
	struct granter *granter = arg;
	bool touched[SLOTS_MAX] = {false};
	struct err err;

	while (!atomic_load(granter->stop))
		if (granter->store->ops->locks_grant(granter->store, rows_time(100), touched, &err) < 0)
			granter->failures++;
	return NULL;
}

static int see_holder(void *ctx, const struct lock_row *row)
{
	*(int *)ctx = row->held ? (int)strtol(row->saga_id + 32, NULL, 16) : 0;
	return 0;
}

static int see_token(void *ctx, const struct lock_row *row)
{
	*(int64_t *)ctx = row->token;
	return 0;
}

START_TEST(test_locks__are_granted_once_by_many_nodes)
{
	enum { SAGAS = 12, TURNS = 60 };
	struct opened *o;
	struct granter granters[2];
	pthread_t threads[2];
	atomic_bool stop = false;
	int64_t token = 0, last = 0;
	CLEANUP(buf_release) struct buf text;
	struct err err;
	int told = 0;

	buf_init(&text, 0);
	if (!store_contract__kinds[_i].second)
		return;
	o = open_kind(_i);
	for (int i = 0; i < 2; i++) {
		granters[i] = (struct granter){.store = store_contract__kinds[_i].second(), .stop = &stop};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, grant_on, &granters[i]), 0);
	}
	for (int n = 1; n <= SAGAS; n++)
		asks(o, n, "a", n % 2 ? "b" : NULL);
	for (int turn = 0; turn < TURNS; turn++) {
		int holder = 0;

		/* Whoever is next gets it, without anybody granting here. */
		do
			ck_assert_int_eq(
				o->ops->locks_list(o->reader, "default", "a", NULL, 1, see_holder, &holder, &err),
				0);
		while (!holder);
		ck_assert_int_eq(holder, 1 + turn % SAGAS);
		ck_assert_int_eq(
			o->ops->locks_list(o->reader, NULL, NULL, rows_id(holder), 1, see_token, &token, &err),
			0);
		ck_assert_int_gt(token, last);
		last = token;
		gives_up(o, holder);
		asks(o, holder, "a", holder % 2 ? "b" : NULL);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(granters[i].failures, 0);
		granters[i].store->ops->close(granters[i].store);
	}
	grant(o);
	read_inbox(o, &text);
	for (const char *line = buf_str(&text); (line = strchr(line, '\n')); line++)
		told++;
	ck_assert_int_eq(told, TURNS + 1); /* each once */
	close_kind(o);
}
END_TEST

void store_contract__add_locks(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_locks__go_to_who_came_first, 0, n);
	tcase_add_loop_test(tcase, test_locks__are_granted_all_together_or_not_at_all, 0, n);
	tcase_add_loop_test(tcase, test_locks__of_several_steps_are_apart, 0, n);
	tcase_add_loop_test(tcase, test_locks__of_namespaces_are_apart, 0, n);
	tcase_add_loop_test(tcase, test_locks__a_refused_item_asks_for_nothing, 0, n);
	tcase_add_loop_test(tcase, test_locks__tokens_grow_past_what_was_forgotten, 0, n);
	tcase_add_loop_test(tcase, test_locks__are_as_in_a_model, 0, n);
	tcase_add_loop_test(tcase, test_locks__are_granted_once_by_many_nodes, 0, n);
}
