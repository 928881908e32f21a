/*
 * Membership against a table of nodes and slots in memory, with a clock that the test moves: nodes
 * come, die, drain and are paused, and the slots follow.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/log.h"
#include "coordinator/membership.h"
#include "sagas/base/macros.h"

enum { SLOTS = 64, NODES_MAX = 5, LEASE_MS = 10000 };

struct table_node {
	bool there, draining;
	char id[NODE_ID_SIZE], address[NODE_ADDRESS_SIZE];
	int64_t until;
};

struct node {
	struct store store; /* first: what the node sees of the table */
	struct member *member;
	int row;     /* in the table; -1: none */
	bool paused; /* it is not stepped */
	bool deaf;   /* the store does not answer it */
	bool keeps;  /* the engine never ends what is uncommitted */
	int slow_ms; /* how long a renewal takes */
	bool owns[SLOTS];
	const int64_t *lease;
	int n_gained_calls, n_pokes;
	int64_t step_at;
};

static struct {
	int64_t now;
	int n_ids;
	struct table_node nodes[64];
	int owner[SLOTS]; /* row, or -1 */
} table;

static struct node nodes[NODES_MAX];

static struct node *node_of(struct store *store)
{
	return (struct node *)store;
}

static int slot_count(const struct store *store)
{
	(void)store;
	return SLOTS;
}

static int answers(struct node *node, struct err *err)
{
	return node->deaf ? err_set(err, ERR_UNAVAILABLE, "no answer") : 0;
}

static int node_join(struct store *store, const char *address, int64_t lease_ms,
					 char ret_id[NODE_ID_SIZE], struct err *err)
{
	struct node *node = node_of(store);
	struct table_node *row = &table.nodes[table.n_ids];

	if (answers(node, err) < 0)
		return ERR_UNAVAILABLE;
	node->row = table.n_ids++;
	*row = (struct table_node){.there = true, .until = table.now + lease_ms};
	snprintf(row->id, sizeof(row->id), "node-%d", node->row);
	snprintf(row->address, sizeof(row->address), "%s", address);
	memcpy(ret_id, row->id, NODE_ID_SIZE);
	return 0;
}

static bool is_alive(int row)
{
	return row >= 0 && table.nodes[row].there && table.nodes[row].until > table.now;
}

static int node_renew(struct store *store, bool draining, struct membership *ret_membership,
					  struct err *err)
{
	struct node *node = node_of(store);
	struct membership m = {.self = -1};
	int index[64];

	if (answers(node, err) < 0)
		return ERR_UNAVAILABLE;
	if (is_alive(node->row)) {
		table.nodes[node->row].until = table.now + LEASE_MS;
		table.nodes[node->row].draining = draining;
	}
	m.nodes = xcalloc(64, sizeof(*m.nodes));
	m.slot_owner = xcalloc(SLOTS, sizeof(*m.slot_owner));
	for (int i = 0; i < table.n_ids; i++) {
		if (!table.nodes[i].there)
			continue;
		index[i] = (int)m.n_nodes;
		if (i == node->row && is_alive(i))
			m.self = (int)m.n_nodes;
		memcpy(m.nodes[m.n_nodes].id, table.nodes[i].id, NODE_ID_SIZE);
		memcpy(m.nodes[m.n_nodes].address, table.nodes[i].address, NODE_ADDRESS_SIZE);
		m.nodes[m.n_nodes].alive = is_alive(i);
		m.nodes[m.n_nodes].renewed_at = 1700000000000 + table.now;
		m.nodes[m.n_nodes++].draining = table.nodes[i].draining;
	}
	for (int i = 0; i < SLOTS; i++)
		m.slot_owner[i] = table.owner[i] < 0 ? -1 : index[table.owner[i]];
	table.now += node->slow_ms;
	*ret_membership = m;
	return 0;
}

static int slots_acquire(struct store *store, const int *slots, size_t n, bool *ret_got,
						 struct err *err)
{
	struct node *node = node_of(store);

	if (answers(node, err) < 0)
		return ERR_UNAVAILABLE;
	for (size_t i = 0; i < n; i++) {
		ret_got[i] = !is_alive(table.owner[slots[i]]) || table.owner[slots[i]] == node->row;
		if (ret_got[i])
			table.owner[slots[i]] = node->row;
	}
	return 0;
}

static int slots_release(struct store *store, const int *slots, size_t n, struct err *err)
{
	struct node *node = node_of(store);

	if (answers(node, err) < 0)
		return ERR_UNAVAILABLE;
	for (size_t i = 0; i < n; i++)
		if (table.owner[slots[i]] == node->row)
			table.owner[slots[i]] = -1;
	return 0;
}

static const struct store_ops ops = {
	.name = "table",
	.slot_count = slot_count,
	.node_join = node_join,
	.node_renew = node_renew,
	.slots_acquire = slots_acquire,
	.slots_release = slots_release,
};

/* The engine. */

static int64_t port_mono(void *ctx)
{
	(void)ctx;
	return table.now;
}

static void port_gained(void *ctx, const int *slots, size_t n, const int64_t *lease_until_ms)
{
	struct node *node = ctx;

	node->n_gained_calls++;
	node->lease = lease_until_ms;
	for (size_t i = 0; i < n; i++) {
		/* Two owners at a time would be the end of all guarantees. */
		for (int k = 0; k < NODES_MAX; k++)
			ck_assert(!nodes[k].owns[slots[i]] || *nodes[k].lease <= table.now);
		node->owns[slots[i]] = true;
	}
}

static void port_lost(void *ctx, const int *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((struct node *)ctx)->owns[slots[i]] = false;
}

static void port_release(void *ctx, const int *slots, size_t n)
{
	struct node *node = ctx;

	for (size_t i = 0; i < n && !node->keeps; i++) {
		node->owns[slots[i]] = false;
		member_released(node->member, slots[i]);
	}
}

static void port_poke(void *ctx, const char *address)
{
	(void)ctx;
	for (int i = 0; i < NODES_MAX; i++) {
		char own[NODE_ADDRESS_SIZE];

		snprintf(own, sizeof(own), "http://node-%d", i);
		if (strcmp(own, address) != 0 || !nodes[i].member)
			continue;
		nodes[i].n_pokes++;
		nodes[i].step_at = 0;
		member_poke(nodes[i].member);
	}
}

static const struct member_ports ports = {
	.mono_ms = port_mono,
	.gained = port_gained,
	.lost = port_lost,
	.release = port_release,
	.poke = port_poke,
};

static void add(int i)
{
	char address[NODE_ADDRESS_SIZE];
	struct member_options options = {
		.store = &nodes[i].store,
		.address = address,
		.lease_ms = LEASE_MS,
		.ports = &ports,
		.ctx = &nodes[i],
	};

	snprintf(address, sizeof(address), "http://node-%d", i);
	nodes[i] = (struct node){.store = {&ops}, .row = -1};
	nodes[i].member = member_new(&options);
}

/* kill -9 */
static void kill_node(int i)
{
	member_free(nodes[i].member);
	nodes[i] = (struct node){.row = -1};
}

static void pass(int64_t ms)
{
	for (int64_t end = table.now + ms; table.now < end; table.now += 100) {
		for (int round = 0; round < 3; round++) {
			for (int i = 0; i < NODES_MAX; i++) {
				struct node *node = &nodes[i];

				if (node->member && !node->paused && table.now >= node->step_at)
					node->step_at = member_step(node->member);
			}
		}
	}
}

static int count_owned(int i)
{
	int n = 0;

	for (int slot = 0; slot < SLOTS; slot++)
		n += nodes[i].owns[slot];
	return n;
}

/* Each slot has one owner, who knows it, and the others know where it is. */
static void check_whole(void)
{
	char address[NODE_ADDRESS_SIZE], expected[NODE_ADDRESS_SIZE];

	for (int slot = 0; slot < SLOTS; slot++) {
		int n = 0;

		for (int i = 0; i < NODES_MAX; i++) {
			if (!nodes[i].owns[slot])
				continue;
			n++;
			ck_assert_int_eq(member_slot(nodes[i].member, slot, address), SLOT_HERE);
			snprintf(expected, sizeof(expected), "http://node-%d", i);
			for (int k = 0; k < NODES_MAX; k++) {
				if (k == i || !nodes[k].member)
					continue;
				ck_assert_int_eq(member_slot(nodes[k].member, slot, address), SLOT_THERE);
				ck_assert_str_eq(address, expected);
			}
		}
		ck_assert_int_eq(n, 1);
	}
}

static void setup(void)
{
	log_setup(LOG_OFF, false);
	memset(&table, 0, sizeof(table));
	memset(nodes, 0, sizeof(nodes));
	table.now = 1000000;
	for (int i = 0; i < SLOTS; i++)
		table.owner[i] = -1;
}

static void teardown(void)
{
	for (int i = 0; i < NODES_MAX; i++)
		member_free(nodes[i].member);
}

START_TEST(test_membership__gives_one_node_all_slots_at_once)
{
	struct member_stats stats;

	add(0);
	member_step(nodes[0].member);
	ck_assert_int_eq(count_owned(0), SLOTS);
	check_whole();
	member_stats(nodes[0].member, &stats);
	ck_assert_int_eq(stats.slots_owned, SLOTS);
	ck_assert_int_eq(stats.lease_left_ms, LEASE_MS * 9 / 10);
	ck_assert_int_eq(stats.slots_taken_over, 0);
}
END_TEST

START_TEST(test_membership__balances_over_nodes_that_come)
{
	add(0);
	pass(1000);
	add(1);
	pass(1000); /* it pokes the other one, so nobody waits for a renewal */
	ck_assert_int_eq(count_owned(0), 32);
	ck_assert_int_eq(count_owned(1), 32);
	add(2);
	pass(10000);
	check_whole();
	for (int i = 0; i < 3; i++)
		ck_assert_int_le(abs(count_owned(i) - 21), 1);
	/* And then nothing moves any more. */
	{
		int gained = nodes[0].n_gained_calls + nodes[1].n_gained_calls + nodes[2].n_gained_calls;

		pass(60000);
		ck_assert_int_eq(
			nodes[0].n_gained_calls + nodes[1].n_gained_calls + nodes[2].n_gained_calls, gained);
	}
}
END_TEST

START_TEST(test_membership__takes_a_dead_nodes_slots_after_its_lease)
{
	struct member_stats stats;
	int before;

	add(0);
	add(1);
	add(2);
	pass(10000);
	check_whole();
	before = count_owned(0) + count_owned(1);
	kill_node(2);
	pass(5000);
	ck_assert_int_eq(count_owned(0) + count_owned(1), before);
	pass(10000);
	check_whole();
	ck_assert_int_eq(count_owned(0), 32);
	member_stats(nodes[0].member, &stats);
	ck_assert_int_gt(stats.slots_taken_over, 0);
}
END_TEST

START_TEST(test_membership__moves_the_slots_of_a_draining_node_at_once)
{
	add(0);
	add(1);
	pass(10000);
	member_drain(nodes[1].member);
	nodes[1].step_at = 0;
	pass(200);
	ck_assert_int_eq(count_owned(1), 0);
	ck_assert_int_eq(count_owned(0), SLOTS);
	pass(20000); /* and does not take them back */
	ck_assert_int_eq(count_owned(1), 0);
	check_whole();
}
END_TEST

START_TEST(test_membership__a_node_that_only_says_it_drains_keeps_what_it_has)
{
	add(0);
	add(1);
	pass(10000);
	member_announce_drain(nodes[1].member);
	pass(10000);
	ck_assert_int_eq(count_owned(1), 32);
	ck_assert_int_eq(count_owned(0), 32);
	kill_node(0);
	pass(20000);
	ck_assert_int_eq(count_owned(1), 32); /* and takes no more */
}
END_TEST

START_TEST(test_membership__waits_with_a_slot_until_the_engine_is_done)
{
	add(0);
	pass(1000);
	nodes[0].keeps = true;
	add(1);
	pass(20000);
	ck_assert_int_eq(count_owned(0), SLOTS);
	ck_assert_int_eq(count_owned(1), 0);
	for (int slot = 32; slot < SLOTS; slot++) {
		nodes[0].owns[slot] = false;
		member_released(nodes[0].member, slot);
	}
	nodes[0].step_at = 0;
	pass(200);
	ck_assert_int_eq(count_owned(1), 32);
	check_whole();
}
END_TEST

START_TEST(test_membership__loses_all_when_the_lease_runs_out)
{
	add(0);
	pass(1000);
	nodes[0].deaf = true;
	pass(LEASE_MS * 8 / 10);
	ck_assert_int_eq(count_owned(0), SLOTS);
	pass(LEASE_MS * 2 / 10);
	ck_assert_int_eq(count_owned(0), 0); /* before the store thinks so */
	nodes[0].deaf = false;
	pass(5000 + LEASE_MS);
	ck_assert_int_eq(count_owned(0), SLOTS);
	check_whole();
}
END_TEST

START_TEST(test_membership__a_paused_node_finds_its_lease_ended)
{
	const int64_t *old;

	add(0);
	add(1);
	pass(10000);
	old = nodes[1].lease;
	nodes[1].paused = true;
	pass(30000);
	ck_assert_int_le(*old, table.now); /* whoever looks at the number sees it */
	ck_assert_int_eq(count_owned(0), SLOTS);
	nodes[1].paused = false;
	nodes[1].step_at = 0;
	pass(100);
	ck_assert_int_lt(count_owned(0), SLOTS + 1);
	ck_assert_ptr_ne(nodes[1].lease, old);
	ck_assert_int_le(*old, 0); /* the old one is never renewed */
	pass(10000);
	check_whole();
	ck_assert_int_eq(count_owned(1), 32);
}
END_TEST

START_TEST(test_membership__believes_no_renewal_that_took_longer_than_the_lease)
{
	add(0);
	pass(100);
	nodes[0].slow_ms = LEASE_MS;
	pass(4000);
	ck_assert_int_eq(count_owned(0), 0);
	nodes[0].slow_ms = 0;
	pass(20000);
	ck_assert_int_eq(count_owned(0), SLOTS);
}
END_TEST

START_TEST(test_membership__takes_a_fenced_slot_again_only_from_the_store)
{
	int gained;

	add(0);
	add(1);
	pass(10000);
	gained = nodes[0].n_gained_calls;
	for (int slot = 0; slot < SLOTS; slot++) {
		if (!nodes[0].owns[slot])
			continue;
		nodes[0].owns[slot] = false;
		member_fenced(nodes[0].member, slot);
		break;
	}
	nodes[0].step_at = 0;
	pass(200);
	ck_assert_int_eq(nodes[0].n_gained_calls, gained + 1); /* with a new token */
	check_whole();
}
END_TEST

START_TEST(test_membership__joins_again_when_the_engine_found_the_lease_ended)
{
	const int64_t *old;

	add(0);
	pass(100);
	old = nodes[0].lease;
	memset(nodes[0].owns, 0, sizeof(nodes[0].owns));
	member_lapsed(nodes[0].member, old);
	nodes[0].step_at = 0;
	pass(2 * LEASE_MS);
	ck_assert_ptr_ne(nodes[0].lease, old);
	ck_assert_int_eq(count_owned(0), SLOTS);
	member_lapsed(nodes[0].member, old); /* heard late: that was another lease */
	nodes[0].step_at = 0;
	pass(200);
	ck_assert_int_eq(count_owned(0), SLOTS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("membership");
	TCase *tc = tcase_create("membership");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_membership__gives_one_node_all_slots_at_once);
	tcase_add_test(tc, test_membership__balances_over_nodes_that_come);
	tcase_add_test(tc, test_membership__takes_a_dead_nodes_slots_after_its_lease);
	tcase_add_test(tc, test_membership__moves_the_slots_of_a_draining_node_at_once);
	tcase_add_test(tc, test_membership__a_node_that_only_says_it_drains_keeps_what_it_has);
	tcase_add_test(tc, test_membership__waits_with_a_slot_until_the_engine_is_done);
	tcase_add_test(tc, test_membership__loses_all_when_the_lease_runs_out);
	tcase_add_test(tc, test_membership__a_paused_node_finds_its_lease_ended);
	tcase_add_test(tc, test_membership__believes_no_renewal_that_took_longer_than_the_lease);
	tcase_add_test(tc, test_membership__takes_a_fenced_slot_again_only_from_the_store);
	tcase_add_test(tc, test_membership__joins_again_when_the_engine_found_the_lease_ended);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
